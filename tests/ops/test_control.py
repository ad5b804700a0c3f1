"""Branches, loops and maps: the values of TensorFlow and Keras, and tapes that see through them."""

import numpy as np
import pytest

import minitrain as mt
from minitrain import ops


def gradient(f, x):
    x = mt.constant(x)
    with mt.GradientTape() as tape:
        tape.watch(x)
        y = f(x)
    return tape.gradient(y, x)


def test_one_branch_runs():
    assert mt.cond(mt.constant(True), lambda: 1, lambda: 1 / 0) == 1
    assert mt.case([(mt.constant(False), lambda: 1), (True, lambda: 2)]) == 2
    assert mt.case([(False, lambda: 1)], default=lambda: 3) == 3
    assert mt.switch_case(mt.constant(1), [lambda: 10, lambda: 20]) == 20
    assert mt.switch_case(7, {0: lambda: 10, 1: lambda: 20}) == 20
    assert mt.switch_case(7, [lambda: 10], default=lambda: 5) == 5
    assert ops.switch(9, [lambda x: x, lambda x: -x], 3) == -3
    with pytest.raises(ValueError, match="no `default`"):
        mt.case([(False, lambda: 1)])
    with pytest.raises(ValueError, match="More than one"):
        mt.case([(True, lambda: 1), (True, lambda: 2)], exclusive=True)
    with pytest.raises(TypeError, match="callable"):
        mt.cond(True, 1, 2)


def test_a_loop_ends_where_its_condition_does():
    i, j = mt.while_loop(lambda i, j: i < 10, lambda i, j: (i + 1, j * 2), (0, 1))
    assert (int(i), int(j)) == (10, 1024)
    (i,) = mt.while_loop(lambda i: True, lambda i: i + 1, [mt.constant(0)], maximum_iterations=3)
    assert int(i) == 3
    _, state = mt.while_loop(lambda i, s: i < 2, lambda i, s: (i + 1, {"a": s["a"] * 2}), [0, {"a": 1.0}])
    assert float(state["a"]) == 4.0
    assert int(ops.fori_loop(0, 4, lambda i, x: x + i, 0)) == 6
    with pytest.raises(ValueError, match="as many values"):
        mt.while_loop(lambda i: i < 2, lambda i: (i, i), [0])


def test_maps_stack_what_each_slice_gives():
    np.testing.assert_array_equal(mt.map_fn(lambda x: x * x, mt.constant([1, 2, 3])), [1, 4, 9])
    pairs = mt.map_fn(lambda x: (x[0] + x[1], x[0]), (mt.constant([1, 2]), np.array([3, 4])))
    np.testing.assert_array_equal(pairs[0], [4, 6])
    assert tuple(mt.map_fn(lambda x: x[:1], mt.zeros([0, 2])).shape) == (0, 1)
    np.testing.assert_array_equal(mt.vectorized_map(lambda x: x["a"] + 1, {"a": mt.constant([1, 2])}), [2, 3])
    with pytest.raises(ValueError, match="common first axis"):
        mt.map_fn(lambda x: x, 3)


def test_folds_and_scans_pass_the_accumulator_on():
    assert int(mt.foldl(lambda a, x: a - x, mt.constant([1, 2, 3]), initializer=10)) == 4
    assert int(mt.foldr(lambda a, x: a - x, mt.constant([1, 2, 3]))) == 0
    add = lambda a, x: a + x  # noqa: E731
    np.testing.assert_array_equal(mt.scan(add, mt.constant([1, 2, 3])), [1, 3, 6])
    np.testing.assert_array_equal(mt.scan(add, mt.constant([1, 2, 3]), initializer=10), [11, 13, 16])
    np.testing.assert_array_equal(mt.scan(add, mt.constant([1, 2, 3]), reverse=True), [6, 5, 3])
    carry, passed = ops.scan(lambda c, x: (c + x, c), 0, mt.constant([1, 2, 3]))
    assert int(carry) == 6
    np.testing.assert_array_equal(passed, [0, 1, 3])
    np.testing.assert_array_equal(ops.associative_scan(add, mt.constant([1, 2, 3])), [1, 3, 6])
    np.testing.assert_array_equal(ops.associative_scan(add, np.array([[1, 2, 3]]), True, 1), [[6, 5, 3]])


@pytest.mark.parametrize(
    ("f", "expected"),
    [
        (lambda x: mt.cond(x[0] > 0, lambda: x * x, lambda: x), [2.0, 4.0]),
        (lambda x: mt.while_loop(lambda i, y: i < 3, lambda i, y: (i + 1, y * x), [0, x])[1], [4.0, 32.0]),
        (lambda x: mt.map_fn(lambda a: a**3, x), [3.0, 12.0]),
        (lambda x: mt.scan(lambda a, b: a * b, x), [3.0, 1.0]),
        (lambda x: mt.foldl(lambda a, b: a * b, x), [2.0, 1.0]),
    ],
)
def test_tapes_see_what_the_functions_do(f, expected):
    np.testing.assert_allclose(gradient(f, [1.0, 2.0]), expected)


def test_a_tensor_array_is_written_stacked_and_differentiated():
    def squares(x):
        array = mt.TensorArray(mt.float32, size=2)
        for i in range(2):
            array = array.write(i, x[i] ** 2)
        return array.stack()

    np.testing.assert_allclose(gradient(squares, [1.0, 2.0]), [2.0, 4.0])
    array = mt.TensorArray(mt.int32, size=0, dynamic_size=True).write(0, [1, 2]).write(1, [3, 4])
    np.testing.assert_array_equal(array.concat(), [1, 2, 3, 4])
    np.testing.assert_array_equal(array.gather([1]), [[3, 4]])
    assert (int(array.size()), int(mt.TensorArray(mt.int32, 2).unstack([5, 6]).read(1))) == (2, 6)
    with pytest.raises(IndexError, match="of size 1"):
        mt.TensorArray(mt.int32, size=1).write(1, 0)
    with pytest.raises(ValueError, match=r"takes \(None, 2\), received \(2,\)"):
        mt.TensorArray(mt.int32, size=1, element_shape=[None, 2]).write(0, [1, 2])


def test_a_shape_is_ensured():
    x = mt.constant([[1.0, 2.0]])
    assert mt.ensure_shape(x, [None, 2]) is x
    with pytest.raises(ValueError, match="not compatible"):
        mt.ensure_shape(x, [2, 2])
