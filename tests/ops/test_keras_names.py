"""keras.ops's names: the values of NumPy's functions of the same name, and gradients that hold."""

import numpy as np
import pytest

import minitrain as mt
from minitrain import ops

X = np.array([[0.3, -1.2, 2.1], [-0.4, 1.7, -0.6]])
POSITIVE = np.abs(X)
V = X[0]
WEIGHTS = np.array([1.0, 3.0])

CASES = [
    ("absolute", (X,), {}),
    ("true_divide", (X, 2.0), {}),
    ("log2", (POSITIVE,), {}),
    ("log10", (POSITIVE,), {}),
    ("nan_to_num", (X,), {}),
    ("average", (X,), {}),
    ("average", (X,), {"axis": 1}),
    ("average", (X,), {"axis": 0, "weights": WEIGHTS}),
    ("average", (X,), {"weights": POSITIVE}),
    ("median", (X,), {}),
    ("median", (X,), {"axis": 0}),
    ("median", (X,), {"axis": -1, "keepdims": True}),
    ("quantile", (X, 0.3), {}),
    ("quantile", (X, 1.0), {"axis": 1}),
    ("quantile", (X, 0.3), {"axis": 1, "keepdims": True}),
    ("quantile", (X, 0.3), {"axis": (0, 1), "keepdims": True}),
    *(("quantile", (X, 0.3), {"axis": 1, "method": method}) for method in ("lower", "higher", "midpoint", "nearest")),
    ("hstack", ([X, X],), {}),
    ("hstack", ([V, V],), {}),
    ("vstack", ([X, X],), {}),
    ("vstack", ([V, V],), {}),
    ("inner", (X, X), {}),
    ("inner", (V, V), {}),
    *((name, (x, k), {}) for name in ("diag",) for x in (V, X) for k in (-1, 0, 1)),
    *((name, (X, k), {}) for name in ("diagonal", "tril", "triu") for k in (-1, 0, 2)),
    ("arctan2", (X, POSITIVE), {}),
    ("arctan", (X,), {}),
    ("arcsinh", (X,), {}),
    ("amax", (X,), {"axis": 0}),
    ("amin", (X,), {"axis": 1}),
    ("quantile", (X, [0.1, 0.5]), {"axis": 1}),
    ("percentile", (X, 30.0), {}),
    ("ptp", (X,), {"axis": 1}),
    ("corrcoef", (X,), {}),
    ("correlate", (V, np.array([0.0, 1.0, 0.5])), {"mode": "full"}),
    ("correlate", (np.append(V, V), V[:2]), {"mode": "same"}),
    ("correlate", (V[:2], np.append(V, V)), {"mode": "valid"}),
    ("correlate", (V[:2], V), {"mode": "same"}),
    ("diff", (X,), {}),
    ("diff", (X,), {"n": 2, "axis": 1}),
    ("trapezoid", (X,), {}),
    ("trapezoid", (X,), {"x": V**2, "axis": 1}),
    ("trapezoid", (X,), {"dx": 0.5, "axis": 0}),
    ("trapezoid", (X,), {"x": X**2, "axis": 0}),
    ("cbrt", (X,), {}),
    ("exp2", (X,), {}),
    ("logaddexp2", (X, POSITIVE), {}),
    ("hypot", (X, POSITIVE), {}),
    ("sinc", (X,), {}),
    ("deg2rad", (X,), {}),
    ("rad2deg", (X,), {}),
    ("ldexp", (X, np.array([1, 2, 3])), {}),
    ("fmod", (X, 0.8), {}),
    ("fmax", (X, 0.1), {}),
    ("fmin", (X, 0.1), {}),
    ("kron", (X, X), {}),
    ("vdot", (X, X), {}),
    ("vander", (V,), {"increasing": True}),
    ("cross", (X, X[::-1].copy()), {}),
    ("cross", (X.T, X[::-1].T.copy()), {"axis": 0}),
    ("trace", (X,), {"offset": 1}),
    ("diagonal", (X[None] * 2, 1, 1, 2), {}),
    ("diagflat", (X,), {"k": 1}),
    ("append", (X, V), {}),
    ("append", (X, X), {"axis": 1}),
    ("dstack", ([X, X],), {}),
    ("flipud", (X,), {}),
    ("fliplr", (X,), {}),
    *(("rot90", (X, k), {}) for k in range(-1, 4)),
    ("roll", (X, 2), {}),
    ("tile", (X, (2, 1, 2)), {}),
    ("pad", (X, ((1, 0), (0, 2))), {}),
    ("pad", (X, 1), {"mode": "reflect"}),
    ("expand_dims", (X, (0, 2)), {}),
    ("nansum", (X,), {"axis": 0}),
    ("nanmean", (X,), {"axis": 0}),
    ("nanstd", (X,), {"axis": 1, "keepdims": True}),
    ("nancumsum", (X,), {"axis": 1}),
    ("nanquantile", (X, 0.3), {"axis": 1}),
    ("logspace", (X[0, 0], 2.0, 4), {}),
    ("geomspace", (POSITIVE[0, 0], 2.0, 4), {}),
    ("linspace", (X[0], X[1], 4), {"endpoint": False, "axis": -1}),
    ("i0", (X,), {}),
]

NAN = np.array([[np.nan, 2.0, -1.0], [3.0, np.nan, 5.0]])
INTEGERS = np.array([12, -7, 5])
UNDIFFERENTIATED = [
    ("nansum", (NAN,), {"axis": 1}),
    ("nanprod", (NAN,), {}),
    ("nanmax", (NAN,), {"axis": 0}),
    ("nanmin", (NAN,), {"axis": 1}),
    ("nanvar", (NAN,), {"axis": 1}),
    ("nancumprod", (NAN,), {}),
    ("nanmedian", (NAN,), {"axis": 1, "keepdims": True}),
    ("nanpercentile", (NAN, 30.0), {}),
    *(("nanquantile", (NAN, 0.3), {"axis": 1, "method": each}) for each in ("linear", "lower", "higher", "nearest")),
    ("nanquantile", (NAN, [0.3, 0.6]), {"axis": 0}),
    ("nanargmax", (NAN,), {"axis": 1}),
    ("nanargmin", (NAN,), {}),
    ("gcd", (INTEGERS, 4), {}),
    ("lcm", (INTEGERS, 4), {}),
    ("left_shift", (INTEGERS, 2), {}),
    ("bitwise_and", (INTEGERS, 3), {}),
    ("signbit", (X,), {}),
    ("heaviside", (X, 0.5), {}),
    ("nextafter", (X, 0.5), {}),
    ("trunc", (X * 5,), {}),
    ("isclose", (X, X + 1e-9), {}),
    ("allclose", (X, X + 1.0), {}),
    ("isin", (INTEGERS, [5, 12]), {}),
    ("isposinf", (np.array([np.inf, -np.inf, 1.0]),), {}),
    ("isneginf", (np.array([np.inf, -np.inf, 1.0]),), {}),
    ("select", ([X > 1, X < 0], [X, -X]), {"default": 7.0}),
    ("digitize", (X, np.array([-1.0, 0.0, 1.0])), {}),
    ("nonzero", (X > 0,), {}),
    ("unique", (INTEGERS,), {}),
    ("tri", (3, 4, -1), {}),
    ("logical_and", (INTEGERS, [0, 1, 2]), {}),
    ("count_nonzero", (NAN > 0,), {"axis": 0}),
    ("round", (X * 100, 1), {}),
    ("array_split", (np.arange(5), 3), {}),
    *((name, (5,), {}) for name in ("bartlett", "blackman", "hamming", "hanning")),
    ("kaiser", (5, 2.0), {}),
]


@pytest.mark.parametrize(("name", "inputs", "options"), UNDIFFERENTIATED, ids=[each[0] for each in UNDIFFERENTIATED])
def test_values_without_gradients_are_numpys(name, inputs, options):
    expected, found = (getattr(each, name)(*inputs, **options) for each in (np, mt.ops))
    if isinstance(expected, (list, tuple)):
        for one, other in zip(found, expected, strict=True):
            np.testing.assert_array_equal(one, other)
    else:
        np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-7)


NORMS = [(ord, None) for ord in (None, "fro", "nuc", 1, -1, 2, -2, np.inf, -np.inf)] + [
    (ord, 1) for ord in (0, 1, -1, 2, 3, np.inf, -np.inf)
]


@pytest.mark.parametrize(("ord", "axis"), NORMS)
def test_norms_are_numpys(ord, axis):
    for keepdims in (False, True):
        expected = np.linalg.norm(X, ord, axis, keepdims)
        np.testing.assert_allclose(mt.ops.norm(X, ord, axis, keepdims), expected)


@pytest.mark.parametrize(("name", "inputs", "options"), CASES, ids=[f"{n}-{i}" for i, (n, *_) in enumerate(CASES)])
def test_values_are_numpys_and_gradients_hold(name, inputs, options):
    ours = getattr(mt.ops, name)
    expected = getattr(np, name)(*inputs, **options)
    np.testing.assert_allclose(ours(*inputs, **options), expected, rtol=1e-12)
    first, *rest = inputs
    if isinstance(first, np.ndarray):
        mt.testing.check_gradients(lambda x: ours(x, *rest, **options), first)


def test_replaced_values_have_no_gradient():
    x = mt.constant([np.nan, np.inf, -np.inf, 2.0])
    with mt.GradientTape() as tape:
        tape.watch(x)
        y = mt.ops.nan_to_num(x, nan=5.0, posinf=6.0)
    np.testing.assert_array_equal(y, [5.0, 6.0, np.finfo("float32").min, 2.0])
    np.testing.assert_array_equal(tape.gradient(y, x), [0.0, 0.0, 0.0, 1.0])


def test_nan_leaves_the_gradient_of_a_variance_alone():
    x = mt.constant([1.0, np.nan, 4.0, 2.0], "float64")
    with mt.GradientTape(persistent=True) as tape:
        tape.watch(x)
        with_nan, without = mt.ops.nanvar(x), mt.ops.nanvar(mt.gather(x, [0, 2, 3]))
    np.testing.assert_allclose(tape.gradient(with_nan, x), tape.gradient(without, x))


def test_values_at_the_edge_of_float32_are_exact():
    big = np.float32(1e30)
    np.testing.assert_allclose(mt.ops.hypot(big, big), np.hypot(big, big))
    np.testing.assert_array_equal(mt.ops.ldexp(np.float32(1.0), np.arange(60)), np.ldexp(1.0, np.arange(60)))
    for count in range(2, 60):
        np.testing.assert_array_equal(mt.ops.linspace(0.0, 0.7, count)[-1], np.float32(0.7))
        np.testing.assert_array_equal(mt.ops.linspace(0, 7, count, dtype="int32"), np.linspace(0, 7, count, dtype=int))


def test_factors_of_a_singular_matrix_are_finite():
    x = np.array([[0.0, 0.0], [0.0, 1.0]])
    np.testing.assert_array_equal(mt.ops.lu_factor(x)[0], x)


def test_names_of_keras_alone():
    np.testing.assert_array_equal(mt.ops.multi_hot([[0, 2], [1, 1]], 4), [[1, 0, 1, 0], [0, 1, 0, 0]])
    np.testing.assert_array_equal(mt.ops.scatter([[0], [2]], [5.0, 6.0], (4,)), [5, 0, 6, 0])
    np.testing.assert_array_equal(mt.ops.scatter_update(np.zeros((2, 2)), [[0, 1]], [5.0]), [[0, 5], [0, 0]])
    np.testing.assert_array_equal(mt.ops.floor_divide([7, -7], 2), [3, -4])
    assert (mt.ops.ndim(X), mt.ops.size(X)) == (2, 6)
    normal = mt.ops.batch_normalization(X, X.mean(0), X.var(0), -1, offset=V, scale=V + 2, epsilon=0.0)
    np.testing.assert_allclose(normal, (X - X.mean(0)) / X.std(0) * (V + 2) + V)
    with pytest.raises(ValueError, match="`method` must be one of linear, lower"):
        mt.ops.quantile(X, 0.3, method="cubic")


def test_what_keras_decides_otherwise_than_tensorflow():
    ops = mt.ops
    assert float(ops.gelu(np.float32(1.0))) == pytest.approx(0.841192)
    assert ops.full((2,), 3).dtype == "float32"
    assert ops.sum(np.ones(3, "int8")).dtype == ops.prod(np.ones(3, "int16")).dtype == "int32"
    assert ops.floor(np.array([1])).dtype == ops.ceil(np.array([1])).dtype == "float32"
    assert ops.linspace(0, 1).shape == (50,)
    assert ops.nan_to_num(np.array([1])).dtype == "int64"
    np.testing.assert_array_equal(ops.bincount([[0, 1], [1, 1]]), [[1, 1], [0, 2]])
    np.testing.assert_array_equal(ops.argsort([[3, 1], [1, 2]], axis=None), [1, 2, 3, 0])
    assert ops.convert_to_tensor(mt.constant([1, 2]), "float32").dtype == "float32"
    np.testing.assert_array_equal(ops.where(np.array([0, 3, 0, 5]))[0], [1, 3])
    np.testing.assert_array_equal(ops.segment_max([1, 2, 3], [2, 0, 2], 3)[::2], [2, 3])
    np.testing.assert_array_equal(ops.scatter_update(np.zeros(2), [[1], [1]], [5.0, 2.0], reduction="add"), [0, 7])
    np.testing.assert_array_equal(ops.slice_update(np.zeros((2, 2)), (0, 1), np.ones((2, 1))), [[0, 1], [0, 1]])
    np.testing.assert_array_equal(ops.max([1, 2], initial=5), 5)
    np.testing.assert_array_equal(ops.unravel_index([3, 2], (2, 2)), [[1, 1], [1, 0]])
    np.testing.assert_array_equal(ops.unique([3, 1, 3], return_counts=True, size=3)[1], [1, 2, 0])
    np.testing.assert_array_equal(ops.histogram(np.array([1.0, 2.0, 1.0]), bins=3)[0], [2, 0, 1])
    np.testing.assert_array_equal(ops.argpartition([3, 1, 2], 1)[1], 2)
    with pytest.raises(ValueError, match="no extreme"):
        ops.max(np.zeros(0))
    with pytest.raises(ValueError, match="both"):
        ops.where([True], x1=[1])


def test_arguments_have_kerass_names():
    np.testing.assert_array_equal(mt.ops.add(x1=1, x2=2), 3)
    np.testing.assert_array_equal(mt.ops.subtract(1, x2=2), -1)
    np.testing.assert_array_equal(mt.ops.reshape(x=[1, 2], newshape=(2, 1)), [[1], [2]])
    np.testing.assert_array_equal(mt.ops.matmul(x1=[[1]], x2=[[2]]), [[2]])
    np.testing.assert_array_equal(mt.ops.arctan2(x1=1.0, x2=2.0), np.arctan2(np.float32(1), np.float32(2)))


def test_families_are_the_package_itself():
    from minitrain.ops import linalg, nn
    from minitrain.ops import numpy as knp

    assert knp.sum is mt.ops.sum
    assert nn.relu is mt.ops.relu
    assert linalg.svd is mt.ops.svd is not mt.linalg.svd


def test_linear_algebra_has_numpys_conventions():
    a = np.array([[2.0, 1.0], [1.0, 3.0], [0.0, 1.0]])
    u, s, vh = mt.ops.svd(a, full_matrices=False)
    np.testing.assert_allclose((u * s) @ vh, a, atol=1e-12)
    assert mt.ops.svd(a)[0].shape == mt.ops.qr(a, mode="complete")[0].shape == (3, 3)
    square, b = a.T @ a, np.array([1.0, 2.0])
    np.testing.assert_allclose(mt.ops.solve(square, b), np.linalg.solve(square, b))
    np.testing.assert_allclose(
        mt.ops.solve_triangular(np.tril(square), b, lower=True), np.linalg.solve(np.tril(square), b)
    )
    np.testing.assert_allclose(mt.ops.lstsq(a, np.ones(3)), np.linalg.lstsq(a, np.ones(3))[0])
    np.testing.assert_allclose(mt.ops.cholesky_inverse(np.linalg.cholesky(square)), np.linalg.inv(square))
    np.testing.assert_allclose(mt.ops.cholesky(square, upper=True), np.linalg.cholesky(square).T)
    value, tangent = mt.ops.jvp(lambda x: x * x, (mt.constant(3.0),), (mt.constant(2.0),))
    assert (float(value), float(tangent)) == (9.0, 12.0)


# Measured with Keras 3.15.
P = np.array([[0.1, 0.8]], "float32")
NEURAL = [
    (lambda: mt.ops.binary_crossentropy([0.0, 1.0], P[0]), [0.10536052, 0.22314355]),
    (lambda: mt.ops.categorical_crossentropy([[0.0, 1.0]], P), [0.11778304]),
    (lambda: mt.ops.sparse_categorical_crossentropy([[1]], P), [0.11778304]),
    (lambda: mt.ops.sparse_categorical_crossentropy([1], P, from_logits=True), [0.4031860]),
    (lambda: mt.ops.layer_normalization([[1.0, 2.0, 4.0]]), [[-1.069045, -0.2672612, 1.3363062]]),
    (lambda: mt.ops.rms_normalization([[3.0, 4.0]], scale=[1.0, 2.0]), [[0.8485281, 2.2627417]]),
    (lambda: mt.ops.softmax([[1.0, 1.0], [1.0, 1.0]], axis=None), np.full((2, 2), 0.25)),
    (lambda: mt.ops.psnr(np.ones(3), np.full(3, 0.5), 1.0), 6.0206),
    (lambda: mt.ops.celu([-1.0, 1.0]), [-0.6321206, 1.0]),
    (lambda: mt.ops.elu([-1.0], alpha=2.0), [-1.2642411]),
]


@pytest.mark.parametrize(("ours", "expected"), NEURAL, ids=[str(place) for place in range(len(NEURAL))])
def test_neural_values_are_kerass(ours, expected):
    np.testing.assert_allclose(ours(), expected, rtol=1e-5)


def test_attention_is_the_softmax_of_the_products():
    rng = np.random.default_rng(0)
    q, k, v = rng.normal(size=(3, 2, 4, 3, 5))
    scores = np.einsum("btnh,bsnh->bnts", q, k) / np.sqrt(5.0)
    scores = np.where(np.tri(4, dtype=bool), scores, -np.inf)
    weights = np.exp(scores) / np.exp(scores).sum(-1, keepdims=True)
    expected = np.einsum("bnts,bsnh->btnh", weights, v)
    np.testing.assert_allclose(mt.ops.dot_product_attention(q, k, v, is_causal=True), expected)
    np.testing.assert_allclose(mt.ops.dot_product_attention(q, k, v, mask=np.tri(4, dtype=bool)[None, None]), expected)


@pytest.mark.parametrize(
    ("f", "shape"),
    [
        (lambda x: mt.ops.diff(x), (None, 3, 3)),
        (lambda x: mt.ops.rot90(x, axes=(1, 2)), (None, 4, 3)),
        (lambda x: mt.ops.nanmean(x, axis=-1), (None, 3)),
        (lambda x: mt.ops.svd(x, full_matrices=False)[1], (None, 3)),
        (lambda x: mt.ops.diagonal(x, axis1=1, axis2=2), (None, 3)),
        (lambda x: mt.ops.where(x > 0, x, 0.0), (None, 3, 4)),
    ],
)
def test_symbolic_tensors_pass_through(f, shape):
    assert f(mt.keras.Input((3, 4))).shape == shape


def test_open_axes_take_the_sizes_that_they_broadcast_to():
    x, y, z = mt.KerasTensor((None, 3)), mt.KerasTensor((2, None)), mt.KerasTensor((2, 3))
    for operation in (ops.add, ops.maximum, ops.less, ops.arctan2, ops.logaddexp2):
        assert operation(x, y).shape == operation(x, z).shape == operation(x, np.ones((2, 3))).shape == (2, 3)
        assert operation(x, x).shape == operation(x, 2).shape == (None, 3)
        with pytest.raises(ValueError, match=r"\(2, 3\) and \(2, 4\)"):
            operation(z, mt.KerasTensor((2, 4)))
    whole = mt.KerasTensor((None, 3), "int32")
    assert ops.mod(whole, whole).shape == ops.floor_divide(whole, mt.KerasTensor((1, 3), "int32")).shape == (None, 3)


def test_extremes_of_booleans_are_booleans():
    x = np.array([[True, False], [True, True]])
    for operation, expected in ((ops.max, [True, True]), (ops.min, [True, False])):
        found = operation(x, axis=0)
        assert found.dtype == "bool"
        assert found.numpy().tolist() == expected


def test_integers_do_not_widen_floats_nor_become_float64():
    half, whole = ops.ones((2,), "float16"), ops.ones((2,), "int32")
    for operation in (ops.ldexp, ops.logaddexp2, ops.divide_no_nan):
        assert operation(half, whole).dtype == "float16"
    assert ops.divide_no_nan(whole, whole).dtype == "float32"
    assert ops.floor_divide(whole > 0, whole > 0).dtype == "int8"
    assert float(ops.tensordot(np.ones((2, 3)), np.ones((2, 3)))) == 6


def test_open_axes_take_the_sizes_that_an_operation_asks_for():
    x, square = mt.KerasTensor((None, 3)), mt.KerasTensor((None, 3, 3))
    assert ops.reshape(x, (3, 2)).shape == (3, 2)
    assert ops.reshape(x, (3, -1)).shape == (3, None)
    assert ops.broadcast_to(x, (2, 3, 3)).shape == (2, 3, 3)
    assert [each.shape for each in ops.split(x, 2)] == [(None, 3)] * 2
    assert ops.matmul(mt.KerasTensor((2, None)), mt.KerasTensor((3, 4))).shape == (2, 4)
    for operation in (ops.inv, ops.cholesky):
        assert operation(square).shape == (None, 3, 3)
    assert ops.det(square).shape == (None,)


@pytest.mark.parametrize(
    ("a", "b"),
    [((3,), (3,)), ((2, 3), (3,)), ((3,), (4, 3, 2)), ((2, 3), (4, 3, 2)), ((2, 5, 3), (2, 3, 4)), ((), (2,))],
)
def test_dot_is_numpys(a, b):
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=a), rng.normal(size=b)
    np.testing.assert_allclose(ops.dot(x, y), np.dot(x, y))
    np.testing.assert_allclose(np.dot(mt.constant(x), y), np.dot(x, y))


@pytest.mark.parametrize(
    ("pattern", "sizes", "expected"),
    [
        ("a b c -> c (b a)", {}, lambda x: x.transpose(2, 1, 0).reshape(4, 6)),
        ("a b (c d) -> a d b c", {"c": 2}, lambda x: x.reshape(2, 3, 2, 2).transpose(0, 3, 1, 2)),
        ("a ... -> ... a", {}, lambda x: x.transpose(1, 2, 0)),
        ("a b c -> a 1 (b c)", {}, lambda x: x.reshape(2, 1, 12)),
    ],
)
def test_rearrange_splits_reorders_and_joins_axes(pattern, sizes, expected):
    x = np.arange(24.0).reshape(2, 3, 4)
    np.testing.assert_array_equal(ops.rearrange(x, pattern, **sizes), expected(x))


@pytest.mark.parametrize("pattern", ["a b -> b a", "a b c -> a b", "a b c -> a b b", "a b (c d) -> a b c d", "a b c"])
def test_rearrange_refuses_patterns_that_do_not_fit(pattern):
    with pytest.raises(ValueError, match=r"pattern|make up"):
        ops.rearrange(np.zeros((2, 3, 4)), pattern)


def test_rearrange_stands_in_drawings_and_angle_is_that_of_real_numbers():
    assert ops.rearrange(mt.KerasTensor((None, 4)), "n (a b) -> n b a", a=2).shape == (None, 2, 2)
    np.testing.assert_allclose(ops.angle([-1.0, 0.0, 2.0]), [np.pi, 0, 0], rtol=1e-6)


def test_axes_that_do_not_exist_are_refused_and_not_taken_round():
    x = np.zeros((2, 3))
    for call in (
        lambda: ops.swapaxes(x, 0, 5),
        lambda: ops.moveaxis(x, 5, 0),
        lambda: ops.take(x, [0], axis=5),
        lambda: ops.moveaxis(x, (0, 0), (0, 1)),
        lambda: ops.moveaxis(x, (0, 1), 0),
        lambda: ops.diag(np.zeros((2, 2, 2))),
    ):
        with pytest.raises(ValueError, match=r"axis|source|matrix"):
            call()
    np.testing.assert_array_equal(ops.moveaxis(np.ones((2, 3, 4)), -1, 0).shape, (4, 2, 3))


def test_normalize_divides_by_a_norm_of_at_least_epsilon():
    np.testing.assert_allclose(ops.normalize(np.float32([[1e-8, 1e-10]])), [[0.1, 0.001]], rtol=1e-5)
    np.testing.assert_allclose(ops.normalize(np.float32([[1e-8, 1e-10]]), order=1), [[0.1, 0.001]], rtol=1e-5)
    np.testing.assert_allclose(ops.normalize([[3.0, 4.0]], epsilon=10.0), [[0.3, 0.4]], rtol=1e-6)
    zeros = mt.Variable([[0.0, 0.0]])
    with mt.GradientTape() as tape:
        out = ops.normalize(zeros)
    assert np.isfinite(tape.gradient(out, zeros)).all()
    for order in (0, -1, 1.5):
        with pytest.raises(ValueError, match="order"):
            ops.normalize([[3.0, 4.0]], order=order)


def test_float16_statistics_stay_in_range_where_the_sums_do_not():
    x = np.full((3, 2), 60000, "float16")
    assert ops.mean(x).dtype == "float16"
    assert float(ops.mean(x)) == np.float16(60000)
    mean, variance = ops.moments(np.array([[-60000, 60000]], "float16"), [1], True, synchronized=True)
    assert mean.shape == variance.shape == (1, 1)
    assert float(mean[0, 0]) == 0
    assert float(variance[0, 0]) == np.finfo("float16").max


def test_multi_hot_is_over_the_second_axis_and_over_a_vector():
    ids = np.array([[[0], [2]], [[1], [1]]])
    assert ops.multi_hot(ids, 3).numpy().tolist() == [[[1, 0, 1]], [[0, 1, 0]]]
    assert ops.multi_hot([0, 2], 3, dtype="bool").numpy().tolist() == [True, False, True]
    assert ops.multi_hot([[0, 2]], 3, sparse=False).numpy().tolist() == [[1, 0, 1]]


def test_quantiles_beside_infinities_are_not_nan():
    rows = np.float32([[1, np.inf, np.inf], [-np.inf, 2, np.nan]])
    assert float(ops.median(rows[0])) == np.inf
    assert ops.quantile(rows[0], [0.0, 1.0]).numpy().tolist() == [1, np.inf]
    assert ops.nanquantile(rows, 1.0, axis=1).numpy().tolist() == [np.inf, 2]
    assert ops.nanquantile(rows, 0.0, axis=1).numpy().tolist() == [1, -np.inf]


def test_norms_of_matrices_need_two_axes_and_those_of_vectors_one():
    x = np.ones((2, 2))
    for ord, axis in (("fro", -1), ("nuc", 0), (0, None), (3, (0, 1)), ("fro", 1)):
        with pytest.raises(ValueError, match="`ord`"):
            ops.norm(x, ord, axis)
    assert float(ops.norm(x, "fro")) == 2
    assert ops.norm(x, 0, 1).numpy().tolist() == [2, 2]


def test_one_shift_rolls_several_axes():
    x = np.arange(6).reshape(2, 3)
    np.testing.assert_array_equal(ops.roll(x, 1, (0, 1)), np.roll(x, 1, (0, 1)))
    np.testing.assert_array_equal(ops.roll(x, (1, 2), 1), np.roll(x, (1, 2), 1))


def test_arrays_are_float32_where_the_dtype_is_none():
    for made in (ops.ones((2,), dtype=None), ops.zeros((2,), dtype=None), ops.full((2,), 1, dtype=None)):
        assert made.dtype == "float32"


def test_what_two_dtypes_meet_in_is_found_before_integers_become_floats():
    half, whole = ops.ones((3,), "float16"), ops.ones((3,), "int32")
    assert ops.correlate(half, whole).dtype == "float16"
    assert ops.average(half, weights=whole).dtype == "float16"
    assert ops.average(half, weights=ops.ones((3,))).dtype == "float32"
    scale = np.ones(3, "float32")
    assert ops.layer_normalization(half, scale, scale).dtype == ops.rms_normalization(half, scale).dtype == "float16"


def test_sorting_without_an_axis_flattens_and_every_nan_is_a_value_of_its_own():
    assert ops.sort([[3, 1], [2, 0]], axis=None).numpy().tolist() == [0, 1, 2, 3]
    assert ops.unique([1.0, np.nan, 2.0, np.nan]).shape == (4,)


def test_a_view_reads_the_same_bits_as_another_dtype():
    x = np.array([[1.5, -2.0]], "float32")
    np.testing.assert_array_equal(ops.view(x, "int32"), x.view("int32"))
    np.testing.assert_array_equal(ops.view(x, "uint16"), x.view("uint16"))
    assert ops.view(x, "int16").shape == (1, 4)
    assert ops.view(x).dtype == "float32"


def test_the_number_of_axes_of_a_symbolic_tensor_is_known():
    assert ops.ndim(mt.KerasTensor((None, 3))) == 2


def test_a_histogram_needs_both_ends_of_its_range():
    with pytest.raises(ValueError, match="range"):
        ops.histogram([1.0, 2.0], range=(1.0,))


@pytest.mark.parametrize(
    ("equation", "plain", "shapes"),
    [
        ("ab...,bc->ac...", "abxy,bc->acxy", [(2, 3, 4, 2), (3, 5)]),
        ("ab...,bc->ac...", "abx,bc->acx", [(2, 2, 2), (2, 2)]),
        ("a...b,bc->a...c", "axb,bc->axc", [(2, 4, 3), (3, 5)]),
        ("a...,b->b...", "ax,b->bx", [(2, 4), (3,)]),
        ("a...a->...a", "axa->xa", [(3, 4, 3)]),
        ("a...,...->a...", "axy,xy->axy", [(2, 3, 4), (3, 4)]),
        ("a...b->b...a", "axb->bxa", [(2, 4, 3)]),
    ],
)
def test_dots_may_stand_anywhere_in_an_einsum(equation, plain, shapes):
    rng = np.random.default_rng(0)
    values = [rng.normal(size=shape) for shape in shapes]
    np.testing.assert_allclose(ops.einsum(equation, *values), np.einsum(plain, *values))
    mt.testing.check_gradients(lambda *xs: ops.einsum(equation, *xs), *values)
    weights = [mt.Variable(each) for each in values]
    gradients = []
    for each in (equation, plain):
        with mt.GradientTape() as tape:
            out = ops.einsum(each, *weights)
            loss = mt.reduce_sum(out * np.arange(out.numpy().size).reshape(out.shape))
        gradients.append(tape.gradient(loss, weights))
    for found, expected in zip(*gradients, strict=True):
        np.testing.assert_allclose(found, expected)


def test_a_letter_of_an_einsum_stands_for_one_size():
    for shapes in (((2, 1), (3, 4)), ((2, 3), (1, 4))):
        with pytest.raises(ValueError, match=r"Axis 'j' .* size"):
            ops.einsum("ij,jk->ik", *(np.ones(each) for each in shapes))
    assert ops.einsum("i...,...->i...", np.ones((2, 3, 4)), np.ones((1, 4))).shape == (2, 3, 4)


def test_products_of_8_bits_do_not_run_over():
    x, y = np.full((1, 2), 100, "int8"), np.full((2, 1), 100, "int8")
    for made in (ops.matmul(x, y), ops.einsum("ij,jk->ik", x, y)):
        assert made.dtype == "int32"
        assert made.numpy().tolist() == [[20000]]
    assert ops.matmul(x, y.astype("float32")).dtype == "float32"
    assert ops.einsum("ij,jk->ik", x > 0, y).dtype == "int8"
    for product in (ops.matmul, lambda a, b: ops.einsum("ij,jk->ik", a, b)):  # an array takes the Tensor's dtype
        assert product(mt.ones((1, 2)), np.ones((2, 1))).dtype == "float32"
    assert ops.square([True, False]).dtype == "int32"
    assert ops.square(mt.KerasTensor((None, 3))).shape == (None, 3)


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int8", "int64"])
def test_integers_of_any_dtype_are_counted(dtype):
    assert ops.bincount(np.array([1, 1, 3], dtype)).numpy().tolist() == [0, 2, 0, 1]
    assert ops.bincount(np.array([], dtype), minlength=2).numpy().tolist() == [0, 0]


def test_places_of_filled_up_values_are_the_first_ones():
    values, places = ops.unique([2, 1, 2, 3], return_index=True, size=5, fill_value=-1)
    assert values.numpy().tolist() == [1, 2, 3, -1, -1]
    assert places.numpy().tolist() == [1, 0, 3, 1, 1]
