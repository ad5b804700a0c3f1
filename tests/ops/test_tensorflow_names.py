"""What `tf`, `tf.math`, `tf.linalg`, `tf.random` and `tf.debugging` have beside the primitives, with their numbers."""

import numpy as np
import pytest

import minitrain as mt

M = [[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]

# Measured with TensorFlow 2.21.
CASES = [
    (lambda: mt.saturate_cast([300.0, -5.0], mt.uint8), [255, 0]),
    (lambda: mt.saturate_cast(mt.constant([2**31 + 5], mt.int64), mt.int32), [2**31 - 1]),
    (lambda: mt.truncatediv([-7, 7], 2), [-3, 3]),
    (lambda: mt.truncatemod([-7, 7], 3), [-1, 1]),
    (lambda: mt.strided_slice([1, 2, 3, 4], [1], [3]), [2, 3]),
    (lambda: mt.strided_slice([[1, 2], [3, 4]], [0, 1], [1, 2], shrink_axis_mask=2, end_mask=1), [2, 4]),
    (lambda: mt.tensor_scatter_nd_max([1, 2, 3], [[0], [2], [0]], [9, -8, 4]), [9, 2, 3]),
    (lambda: mt.tensor_scatter_nd_min([1, 2, 3], [[0], [2]], [9, -8]), [1, 2, -8]),
    (lambda: mt.unique_with_counts([1, 2, 1, 3]).count, [2, 1, 1]),
    (lambda: mt.unravel_index([3, 2], [2, 2]), [[1, 1], [1, 0]]),
    (lambda: mt.reverse_sequence([[1, 2, 3], [4, 5, 6]], [2, 3], seq_axis=1, batch_axis=0), [[2, 1, 3], [6, 5, 4]]),
    (lambda: mt.reverse_sequence([[1, 4], [2, 5], [3, 6]], [2, 3], 0, 1), [[2, 6], [1, 5], [3, 4]]),
    (lambda: mt.dynamic_partition([1, 2, 3, 4], [0, 1, 0, 1], 2), [[1, 3], [2, 4]]),
    (lambda: mt.dynamic_stitch([[0, 2], [1]], [[1, 3], [2]]), [1, 2, 3]),
    (lambda: mt.histogram_fixed_width([0.0, 0.5, 1.0, 2.0], [0.0, 2.0], nbins=4), [1, 1, 1, 1]),
    (lambda: mt.math.bincount([1, 1, 2], maxlength=2), [0, 2]),
    (lambda: mt.math.bincount([[1, 1], [2, 0]], axis=-1), [[0, 2, 0], [1, 0, 1]]),
    (lambda: mt.math.bincount([1, 1, 2], binary_output=True), [0, 1, 1]),
    (lambda: mt.math.segment_max([1, 2, 3], [0, 0, 2]), [2, 0, 3]),
    (lambda: mt.math.segment_min([[1, 5], [2, 3]], [0, 0]), [[1, 3]]),
    (lambda: mt.math.segment_prod([2, 2, 3], [0, 0, 2]), [4, 1, 3]),
    (lambda: mt.math.segment_mean([1.0, 2.0, 3.0], [0, 0, 2]), [1.5, 0.0, 3.0]),
    (lambda: mt.math.unsorted_segment_sum([1, 2, 3], [-1, 0, 1], 2), [2, 3]),
    (lambda: mt.math.unsorted_segment_max([1, 2, 3], [1, 0, 1], 3), [2, 3, -(2**31)]),
    (lambda: mt.math.unsorted_segment_min([1.0, 2, 3], [1, 0, 1], 3), [2, 1, np.finfo("float32").max]),
    (lambda: mt.math.unsorted_segment_prod([1, 2, 3], [1, 0, 1], 3), [2, 3, 1]),
    (lambda: mt.math.unsorted_segment_mean([1.0, 2, 3], [1, 0, 1], 3), [2, 2, 0]),
    (lambda: mt.math.unsorted_segment_sqrt_n([1.0, 2, 3], [1, 0, 1], 3), [2, 4 / np.sqrt(2), 0]),
    (lambda: mt.math.cumulative_logsumexp([1.0, 2.0, 3.0]), [1.0, 2.3132617, 3.407606]),
    (
        lambda: mt.math.cumulative_logsumexp([1.0, 2.0, 3.0], reverse=True, exclusive=True),
        [3.3132617, 3.0, -np.inf],
    ),
    (lambda: mt.math.erfinv([0.0, 0.5, -0.9, 1.0]), [0.0, 0.47693628, -1.1630871, np.inf]),
    (lambda: mt.math.erfcinv([0.5, 1.5]), [0.47693628, -0.47693628]),
    (lambda: mt.math.ndtri([0.5, 0.9, 1e-10]), [0.0, 1.2815516, -6.3613409]),
    (lambda: mt.math.lbeta([1.0, 2.0]), -0.6931472),
    (lambda: mt.math.polygamma([1.0, 2.0], [1.0, 2.0]), [1.6449341, -0.4041138]),
    (lambda: mt.math.bessel_i0([0.0, 1.0]), [1.0, 1.2660658]),
    (lambda: mt.math.bessel_i1([0.0, 1.0]), [0.0, 0.56515914]),
    (lambda: mt.math.invert_permutation([2, 0, 1]), [1, 2, 0]),
    (lambda: mt.math.is_non_decreasing([1, 1, 2]), True),
    (lambda: mt.math.is_strictly_increasing([1, 1, 2]), False),
    (lambda: mt.math.reciprocal_no_nan([0.0, 2.0]), [0.0, 0.5]),
    (lambda: mt.math.xlog1py([0.0, 1.0], [-1.0, 1.0]), [0.0, 0.6931472]),
    (lambda: mt.atan2(y=1.0, x=2.0), 0.4636476),
    (lambda: mt.bitwise.left_shift([1], [3]), [8]),
    (lambda: mt.norm([[1.0, 2.0], [3.0, 4.0]], ord=2, axis=[0, 1]), 5.4649857),
    (lambda: mt.linalg.diag([1, 2], k=1), [[0, 1, 0], [0, 0, 2], [0, 0, 0]]),
    (lambda: mt.linalg.diag([1, 2], num_rows=3, padding_value=9), [[1, 9], [9, 2], [9, 9]]),
    (lambda: mt.linalg.diag_part([[1, 2], [3, 4]], k=1), [2]),
    (lambda: mt.linalg.set_diag([[1, 2, 3], [4, 5, 6]], [9, 8]), [[9, 2, 3], [4, 8, 6]]),
    (lambda: mt.linalg.cholesky_solve(mt.linalg.cholesky([[4.0, 2], [2, 3]]), [[1.0], [2]]), [[-0.125], [0.75]]),
    (lambda: mt.linalg.triangular_solve([[1.0, 7.0], [2, 3]], [[1.0], [2]]), [[1.0], [0.0]]),
    (lambda: mt.linalg.triangular_solve([[1.0, 0], [2, 3]], [[1.0], [2]], adjoint=True), [[-1 / 3], [2 / 3]]),
    (lambda: mt.linalg.lstsq([[1.0, 0], [1, 1], [1, 2]], [[1.0], [2], [4]]), [[0.8333333], [1.5]]),
    (
        lambda: mt.linalg.pinv([[1.0, 0], [1, 1], [1, 2]]),
        [[0.8333333, 0.3333333, -0.1666667], [-0.5, 0.0, 0.5]],
    ),
    (lambda: mt.linalg.matrix_rank([[1.0, 2], [2, 4]]), 1),
    (lambda: mt.linalg.expm([[0.0, 1.0], [0.0, 0.0]]), [[1, 1], [0, 1]]),
    (lambda: mt.linalg.expm([[30.0]]), [[np.exp(30.0)]]),
    (lambda: mt.linalg.svd(M, compute_uv=False), [9.525518, 0.5143006]),
    (lambda: mt.linalg.eigvalsh([[2.0, 1], [1, 3]]), [1.381966, 3.618034]),
    (lambda: mt.linalg.cross([1.0, 0, 0], [0.0, 1, 0]), [0, 0, 1]),
    (lambda: mt.linalg.normalize([[3.0, 4.0]], axis=1, ord=1)[0], [[0.4285714, 0.5714286]]),
    (lambda: mt.linalg.tensor_diag_part(mt.linalg.tensor_diag([[1, 2], [3, 4]])), [[1, 2], [3, 4]]),
    (lambda: mt.linalg.lu([[1.0, 2], [3, 4]])[0], [[3, 4], [1 / 3, 2 / 3]]),
    (lambda: mt.linalg.lu([[1.0, 2], [3, 4]])[1], [1, 0]),
    (lambda: mt.nn.crelu([-1.0, 2.0]), [0, 2, 1, 0]),
    (lambda: mt.nn.weighted_moments([1.0, 2.0, 3.0], [0], [1.0, 2.0, 1.0])[1], 0.5),
    (lambda: mt.nn.normalize_moments(3.0, [6.0], [14.0], None)[1], [2 / 3]),
    (lambda: mt.nn.sufficient_statistics(mt.constant([1.0, 2.0, 3.0]), [0])[:3], [3, 6, 14]),
    (lambda: mt.nn.log_poisson_loss([3.0], [2.0], compute_full_loss=True), [3.1531381]),
    (lambda: mt.linalg.global_norm([]), 0.0),
    (lambda: mt.clip_by_global_norm([None], 1.0)[1], 0.0),
    (lambda: mt.reduce_all([]), True),
    (lambda: mt.reduce_any([[], []], axis=1), [False, False]),
    (lambda: mt.stack([]), []),
    (lambda: mt.concat(mt.constant([[1, 2], [3, 4]]), 0), [[1, 2], [3, 4]]),
    (lambda: np.concatenate(mt.constant([[1, 2], [3, 4]])), [1, 2, 3, 4]),
    (lambda: mt.nn.compute_average_loss([1.0, 2.0], sample_weight=[1.0, 0.0], global_batch_size=4), 0.25),
]


@pytest.mark.parametrize(("ours", "expected"), CASES, ids=[str(place) for place in range(len(CASES))])
def test_values_are_tensorflows(ours, expected):
    np.testing.assert_allclose(
        mt.stack(ours()) if isinstance(ours(), (list, tuple)) else ours(), expected, rtol=3e-6, atol=1e-6
    )


@pytest.mark.parametrize("full", [False, True])
def test_factors_multiply_to_the_matrix(full):
    m = np.array(M)
    s, u, v = mt.linalg.svd(m, full_matrices=full)
    np.testing.assert_allclose((u[:, :2] * s) @ mt.transpose(v), m)
    q, r = mt.linalg.qr(m, full_matrices=full)
    np.testing.assert_allclose(q @ r, m, atol=1e-12)
    assert q.shape == u.shape == ((3, 3) if full else (3, 2))
    w, vectors = mt.linalg.eigh(m.T @ m)
    np.testing.assert_allclose((vectors * w) @ mt.transpose(vectors), m.T @ m)


@pytest.mark.parametrize(
    "f",
    [
        lambda x: mt.linalg.pinv(x),
        lambda x: mt.linalg.lstsq(x, np.ones((3, 1))),
        lambda x: mt.linalg.expm(mt.transpose(x) @ x),
        lambda x: mt.norm(x, ord=2, axis=(0, 1)),
        lambda x: mt.math.cumulative_logsumexp(x, axis=0),
        lambda x: mt.math.segment_prod(x, [0, 0, 1]),
        lambda x: mt.tensor_scatter_nd_max(x, [[1]], [[3.5, 3.5]]),
        lambda x: mt.reverse_sequence(x, [1, 3], 0, 1),
        lambda x: mt.dynamic_stitch([[0, 2], [1]], [x[:2], x[2:]]),
    ],
)
def test_their_gradients_hold(f):
    mt.testing.check_gradients(f, np.array(M))


def test_a_products_gradient_is_right_at_zeros():
    x = mt.constant([2.0, 0.0, 3.0, 0.0, 0.0])
    with mt.GradientTape() as tape:
        tape.watch(x)
        y = mt.math.segment_prod(x, [0, 0, 0, 1, 1])
    np.testing.assert_array_equal(tape.gradient(y, x), [0.0, 6.0, 0.0, 0.0, 0.0])


@pytest.mark.parametrize(
    ("name", "right", "wrong"),
    [
        ("assert_equal", ([1, 2], [1, 2]), ([1, 2], [1, 3])),
        ("assert_none_equal", ([1], [2]), ([1], [1])),
        ("assert_greater", ([2], 1), ([1], 1)),
        ("assert_greater_equal", ([1], 1), ([0], 1)),
        ("assert_less", ([0], 1), ([1], 1)),
        ("assert_less_equal", ([1], 1), ([2], 1)),
        ("assert_positive", ([1],), ([0],)),
        ("assert_negative", ([-1],), ([0],)),
        ("assert_non_negative", ([0],), ([-1],)),
        ("assert_non_positive", ([0],), ([1],)),
        ("assert_rank", ([1], 1), ([1], 2)),
        ("assert_rank_in", ([1], [0, 1]), ([1], [0, 2])),
        ("assert_rank_at_least", ([1], 1), ([1], 2)),
        ("assert_scalar", (1,), ([1],)),
        ("assert_type", (1, "int32"), (1, "float32")),
        ("assert_integer", (1,), (1.0,)),
        ("assert_same_float_dtype", ([1.0, 2.0],), ([1.0, 2],)),
        ("assert_proper_iterable", ([1],), ("text",)),
        ("Assert", (True, []), (False, ["what was found"])),
    ],
)
def test_assertions_raise_where_they_do_not_hold(name, right, wrong):
    check = getattr(mt.debugging, name)
    check(*right)
    with pytest.raises(mt.errors.InvalidArgumentError) as caught:
        check(*wrong)
    assert caught.value.message == str(caught.value)


def test_stateless_draws_repeat_and_others_do_not():
    for draw in (
        lambda seed: mt.random.stateless_normal([5], seed),
        lambda seed: mt.random.stateless_uniform([5], seed, 0, 1000, mt.int32),
        lambda seed: mt.random.stateless_gamma([5], seed, 2.0, 3.0),
        lambda seed: mt.random.stateless_truncated_normal([5], seed),
        lambda seed: mt.random.stateless_poisson([5], seed, 9.0),
        lambda seed: mt.random.stateless_binomial([5], seed, 100, 0.5),
        lambda seed: mt.random.experimental.stateless_shuffle(np.arange(50), seed),
    ):
        np.testing.assert_array_equal(draw([1, 2]), draw((1, 2)))
        assert (draw([1, 2]).numpy() != draw([2, 1]).numpy()).any()
    split = mt.random.split([1, 2], 3)
    assert split.shape == (3, 2)
    assert (mt.random.fold_in(split[0], 1).numpy() != mt.random.fold_in(split[0], 2).numpy()).any()
    with pytest.raises(ValueError, match="two integers"):
        mt.random.stateless_normal([2], seed=[1])


def test_stateless_draws_repeat_in_a_function_too():
    step = mt.function(lambda x: x + mt.random.stateless_normal([3], [1, 2]))
    first, *others = (step(mt.zeros([3])).numpy() for _ in range(4))
    assert all((each == first).all() for each in others)


def test_distributions_have_their_moments():
    mt.random.set_seed(0)
    gamma = mt.random.gamma([20000], [2.0, 3.0], beta=2.0).numpy()
    np.testing.assert_allclose(gamma.mean(0), [1.0, 1.5], atol=0.03)
    np.testing.assert_allclose(mt.random.poisson([20000], 4.0).numpy().mean(), 4.0, atol=0.06)
    np.testing.assert_allclose(mt.random.beta([20000], 1.0, 3.0).numpy().mean(), 0.25, atol=0.01)
    np.testing.assert_allclose(mt.random.binomial([20000], 10, 0.3).numpy().mean(), 3.0, atol=0.05)
