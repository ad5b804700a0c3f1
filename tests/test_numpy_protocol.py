"""NumPy's functions on Tensors are recorded, or refuse where they would cut a gradient silently."""

import numpy as np
import pytest

import minitrain as mt

A = np.arange(1.0, 13.0).reshape(3, 4)
CALLS = {
    "sin": lambda x: np.sin(x),
    "add": lambda x: np.add(A, x),
    "array times tensor": lambda x: A * x,
    "array minus tensor": lambda x: A - x,
    "array matmul tensor": lambda x: A.T @ x,
    "power": lambda x: np.power(x, 2),
    "maximum": lambda x: np.maximum(x, 5.0),
    "sum": lambda x: np.sum(x, axis=0),
    "add.reduce": lambda x: np.add.reduce(x, axis=1),
    "mean": lambda x: np.mean(x, axis=1, keepdims=True),
    "var": lambda x: np.var(x, axis=0),
    "std": lambda x: np.std(x),
    "max": lambda x: np.max(x, axis=1),
    "prod": lambda x: np.prod(x, axis=0),
    "where": lambda x: np.where(A > 5, x, 0.0),
    "clip": lambda x: np.clip(x, 2.0, 6.0),
    "concatenate": lambda x: np.concatenate([x, A], axis=0),
    "stack": lambda x: np.stack([x, x]),
    "reshape": lambda x: np.reshape(x, (4, 3)),
    "ravel": lambda x: np.ravel(x),
    "transpose": lambda x: np.transpose(x),
    "squeeze": lambda x: np.squeeze(np.expand_dims(x, 0)),
    "cumsum": lambda x: np.cumsum(x, axis=1),
    "take": lambda x: np.take(x, [0, 2], axis=0),
    "dot": lambda x: np.dot(x, A.T),
    "tensordot": lambda x: np.tensordot(x, A.T, 1),
    "einsum": lambda x: np.einsum("ij,kj->ik", x, A),
    "sort": lambda x: np.sort(x, axis=1),
    "tile": lambda x: np.tile(x, (1, 2)),
    "repeat": lambda x: np.repeat(x, 2, axis=0),
    "flip": lambda x: np.flip(x, 1),
    "roll": lambda x: np.roll(x, 1, axis=0),
    "norm": lambda x: np.linalg.norm(x),
    "broadcast_to": lambda x: np.broadcast_to(x, (2, 3, 4)),
}


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize("make", [mt.constant, mt.Variable], ids=["Tensor", "Variable"])
def test_numpy_functions_give_recorded_tensors(name, make):
    x = make(A)
    with mt.GradientTape() as tape:
        tape.watch(x)
        y = CALLS[name](x)
    assert isinstance(y, mt.Tensor)
    np.testing.assert_allclose(y, CALLS[name](A), rtol=1e-12)
    assert tape.gradient(y, x) is not None


def test_a_function_without_counterpart_works_on_values_off_the_tape():
    x = mt.constant(A)
    assert np.allclose(x, A)
    assert isinstance(np.percentile(x, 50), np.floating)
    assert np.sum(x, dtype=np.float32).dtype == np.float32
    assert np.shape(x) == (3, 4)


def test_a_function_without_counterpart_refuses_to_cut_a_gradient():
    x, c = mt.Variable(A), mt.constant(A)
    with mt.GradientTape():
        y = x * 2.0
        for f in (lambda: np.percentile(y, 50), lambda: np.allclose(A, x), lambda: np.heaviside(y, 0.5)):
            with pytest.raises(TypeError, match=r"connected to a tape that is recording.*\.numpy\(\)"):
                f()
        assert np.allclose(c, A)
        assert np.shape(y) == (3, 4)
        assert np.isfinite(np.percentile(y.numpy(), 50))


def test_a_tensor_that_only_a_closed_tape_followed_may_be_used():
    x = mt.constant(A)
    with mt.GradientTape():
        with mt.GradientTape() as inner:
            inner.watch(x)
            y = x * 2.0
        assert np.allclose(y, 2 * A)


def test_numpys_own_contracts_hold():
    x = mt.constant(A)
    for one, other in zip(np.where(x > 5), np.where(A > 5), strict=True):
        np.testing.assert_array_equal(one, other)
    assert np.dot(np.ones((2, 3, 4)), mt.ones([2, 4, 2])).shape == (2, 3, 2, 2)
    np.testing.assert_array_equal(np.take(x, [-1], axis=0), A[[-1]])
    np.testing.assert_array_equal(np.tile(x, 2), np.tile(A, 2))
    assert np.expand_dims(x, (0, 1)).shape == (1, 1, 3, 4)
    assert np.all(x)
    total = np.zeros((3, 4))
    total += x
    np.testing.assert_array_equal(total, A)


def test_out_cannot_be_a_tensor():
    with pytest.raises(TypeError, match="immutable"):
        np.add(A, A, out=mt.constant(A))


def test_what_numpy_gives_has_the_methods_of_an_array():
    draws = np.stack([mt.constant([[1.0, 2.0, 3.0]]) * each for each in range(4)])  # as Monte Carlo dropout does
    array = draws.numpy()
    for call in (
        lambda x: x.mean(axis=0),
        lambda x: x.std(axis=0),
        lambda x: x.var(ddof=1),
        lambda x: x.max(),
        lambda x: x.sum(0),
        lambda x: x.argmax(axis=-1),
        lambda x: x.reshape(2, -1),
        lambda x: x.reshape((3, 4)),
        lambda x: x.transpose(2, 0, 1),
        lambda x: x.T,
        lambda x: x.astype("int32"),
        lambda x: x.clip(1, 2),
        lambda x: x.round(),
        lambda x: x.flatten(),
        lambda x: (x > 1).mean(),
        lambda x: x.cumsum(0),
    ):
        np.testing.assert_allclose(call(draws), call(array), rtol=1e-6)
    assert draws.tolist() == array.tolist()
    assert (draws.size, draws[0, 0, 2].item()) == (12, 0.0)


def test_methods_of_arrays_are_recorded():
    x = mt.Variable([1.0, 2.0])
    with mt.GradientTape() as tape:
        y = (x * x).mean() + x.reshape(2, 1).sum()
    np.testing.assert_allclose(tape.gradient(y, x), [2.0, 3.0])


def test_symbolic_tensors_have_no_methods_of_arrays():
    assert not any(hasattr(mt.Input((3,)), name) for name in ("size", "T", "mean", "astype", "tolist"))
