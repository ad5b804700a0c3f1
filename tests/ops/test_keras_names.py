"""keras.ops's names: the values of NumPy's functions of the same name, and gradients that hold."""

import numpy as np
import pytest

import minitrain as mt

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
]


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
