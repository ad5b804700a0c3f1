"""Variables: writes, what was read before them, and their messages."""

import copy
import pickle

import numpy as np
import pytest

import minitrain as mt


def test_repr_is_tensorflows():
    v = mt.Variable([1.0, 2.0], name="w")
    assert repr(v) == "<mt.Variable 'w:0' shape=(2,) dtype=float32, numpy=array([1., 2.], dtype=float32)>"
    assert repr(mt.Variable(1.0)) == "<mt.Variable 'Variable:0' shape=() dtype=float32, numpy=1.0>"


def test_the_initial_value_is_copied_cast_and_checked():
    a = np.ones(2)
    v, w = mt.Variable(a), mt.Variable(lambda: 3, dtype=mt.float32)
    a[:] = 7
    np.testing.assert_array_equal(v, [1, 1])
    assert (v.dtype, w.dtype, float(w)) == ("float64", "float32", 3.0)
    with pytest.raises(ValueError, match="must be given"):
        mt.Variable()
    with pytest.raises(ValueError, match=r"'w'.*\[3\].*\(2,\)"):
        mt.Variable([1.0, 2.0], name="w", shape=[3])


def test_assignments_return_the_variable_and_chain():
    v = mt.Variable(1.0)
    assert v.assign(5.0).assign_add(2.0).assign_sub(1.0) is v
    assert float(v) == 6.0
    assert float(v.assign(np.float64(2.5))) == 2.5


@pytest.mark.parametrize("write", ["assign", "assign_add", "assign_sub"])
def test_everything_read_before_a_write_keeps_its_value(write):
    v = mt.Variable(np.arange(6.0).reshape(2, 3))
    before = v.numpy()
    held = [v.read_value(), v.value, v[0], mt.reshape(v, [3, 2]), mt.transpose(v), v.numpy(), mt.identity(v)]
    copies = [np.array(each) for each in held]
    getattr(v, write)(np.full((2, 3), 10.0))
    for each, kept in zip(held, copies, strict=True):
        np.testing.assert_array_equal(each, kept)
    assert not np.array_equal(v.numpy(), before)


def test_a_write_is_in_place_when_nobody_holds_on():
    v = mt.Variable(np.zeros(1000))
    address = v._tensor._array.ctypes.data
    v.assign(np.ones(1000))
    v.assign_add(np.ones(1000))
    assert v._tensor._array.ctypes.data == address
    held = v.read_value()
    v.assign_add(np.ones(1000))
    assert v._tensor._array.ctypes.data != address
    np.testing.assert_array_equal(held, np.full(1000, 2.0))


@pytest.mark.parametrize(
    ("value", "error", "message"),
    [
        ([1.0, 2.0], ValueError, r"'k:0'.*shape \(\).*shape \(2,\)"),
        (mt.constant(1), TypeError, r"int32 to variable 'k:0' of dtype float32.*cast"),
        (mt.constant(1.0, mt.float64), TypeError, "float64"),
        ("a", TypeError, "'k:0'.*Expected numbers"),
    ],
)
@pytest.mark.parametrize("write", ["assign", "assign_add", "assign_sub"])
def test_a_wrong_value_is_refused_before_anything_changes(write, value, error, message):
    v = mt.Variable(3.0, name="k")
    with pytest.raises(error, match=message):
        getattr(v, write)(value)
    assert float(v) == 3.0


def test_variables_are_used_wherever_tensors_are():
    v, w = mt.Variable([1.0, 4.0]), mt.Variable([[1.0, 2.0]])
    np.testing.assert_array_equal(mt.sqrt(v), [1, 2])
    np.testing.assert_array_equal(v @ mt.ones([2, 1]), [5])
    np.testing.assert_array_equal(mt.concat([w, w], 0), [[1, 2], [1, 2]])
    np.testing.assert_array_equal(np.add(v, v), [2, 8])
    np.testing.assert_array_equal(-v + abs(v) * 2 ** mt.Variable(1.0), [1, 4])
    assert [float(each) for each in v] == [1.0, 4.0]
    assert float(v[1]) == 4.0
    assert bool((v == [1.0, 4.0])[0])


def test_a_read_value_is_a_source_of_its_own():
    v = mt.Variable(3.0)
    with mt.GradientTape(persistent=True) as tape:
        r = v.read_value()
        y = r * v
    assert float(tape.gradient(y, v)) == 6.0
    assert float(tape.gradient(y, r)) == 3.0


def test_variables_pickle_and_deepcopy_as_variables_of_their_own():
    v = mt.Variable([1.0], trainable=False, name="k")
    for again in (pickle.loads(pickle.dumps(v)), copy.deepcopy(v), copy.copy(v)):
        assert (again.name, again.trainable) == ("k:0", False)
        again.assign([5.0])
    assert float(v[0]) == 1.0
    pair = copy.deepcopy([v, v])
    assert pair[0] is pair[1]


def test_variables_hash_by_identity():
    v, w = mt.Variable(1.0), mt.Variable(1.0)
    assert len({v, w}) == 2
    assert v.ref() == v.ref() != w.ref()


SLICES = mt.IndexedSlices([9.0, 2.0], [1, 1])


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("update", [1.0, 2.0, 3.0]),
        ("add", [1.0, 13.0, 3.0]),
        ("sub", [1.0, -9.0, 3.0]),
        ("mul", [1.0, 36.0, 3.0]),
        ("div", [1.0, 2.0 / 18.0, 3.0]),
        ("max", [1.0, 9.0, 3.0]),
        ("min", [1.0, 2.0, 3.0]),
    ],
)
def test_slices_are_scattered_into_a_variable(kind, expected):
    v = mt.Variable([1.0, 2.0, 3.0])
    assert getattr(v, f"scatter_{kind}")(SLICES) is v
    np.testing.assert_allclose(v, expected)
    if kind not in ("mul", "div"):
        v = mt.Variable([1.0, 2.0, 3.0])
        np.testing.assert_allclose(getattr(v, f"scatter_nd_{kind}")([[1], [1]], [9.0, 2.0]), expected)


def test_indexed_slices_are_a_tensor_in_parts():
    slices = mt.IndexedSlices(mt.constant([[1.0, 2.0]]), mt.constant([1]), dense_shape=[3, 2])
    assert (slices.shape, slices.dtype) == ((3, 2), "float32")
    np.testing.assert_array_equal(mt.convert_to_tensor(slices), [[0, 0], [1, 2], [0, 0]])
    np.testing.assert_array_equal(mt.convert_to_tensor(-slices), [[0, 0], [-1, -2], [0, 0]])
    with pytest.raises(TypeError, match="IndexedSlices"):
        mt.Variable([1.0]).scatter_add(mt.constant([1.0]))
    with pytest.raises(ValueError, match="dense_shape"):
        _ = SLICES.shape


def test_parts_of_a_variable_are_assigned_to():
    v = mt.Variable([[1.0, 2.0], [3.0, 4.0]])
    before = v[0]
    assert v[0, 1].assign(42.0) is v
    v[:, 0].assign([5.0, 6.0])
    v[mt.constant(1), 1:].assign(-1)  # broadcasts
    np.testing.assert_array_equal(v, [[5.0, 42.0], [6.0, -1.0]])
    np.testing.assert_array_equal(before, [1.0, 2.0])
    v[::-1].assign(v)
    v[v < 0.0].assign(0.0)
    np.testing.assert_array_equal(v, [[6.0, 0.0], [5.0, 42.0]])
    with pytest.raises(ValueError, match=r"part of variable 'Variable:0': the part has shape \(2,\).* \(3,\)"):
        v[0].assign([1.0, 2.0, 3.0])
    with pytest.raises(TypeError, match="float64"):
        v[0].assign(mt.constant([1.0, 2.0], mt.float64))
    with pytest.raises(TypeError):
        v[0] = [1.0, 2.0]
    with pytest.raises(AttributeError):
        mt.constant([1.0])[0].assign(2.0)


def test_parts_of_a_variable_are_tensors_like_any():
    v = mt.Variable([1.0, 2.0, 3.0])
    with mt.GradientTape() as tape:
        y = v[0] * v[1:][0] + mt.reduce_sum(mt.nn.relu(v[::2]))
    np.testing.assert_array_equal(tape.gradient(y, v), [3.0, 1.0, 1.0])
    assert isinstance(v[0], mt.Tensor)
    assert pickle.loads(pickle.dumps(v[0])).numpy() == 1.0
    put = mt.function(lambda x: v[1:].assign(x))
    for n in range(4):
        put(mt.constant([0.0, n]))
        np.testing.assert_array_equal(v, [1.0, 0.0, n])


def test_the_value_may_be_called_and_differentiated_either_way():
    v = mt.Variable([1.0, 2.0])
    assert isinstance(v.value, mt.Tensor)
    np.testing.assert_array_equal(v.value(), v.value)
    for read in (lambda: v.value, lambda: v.value(), v.read_value, lambda: v.sparse_read([0, 1])):
        with mt.GradientTape(persistent=True) as tape:
            x = read()
            y = x * x
        np.testing.assert_array_equal(tape.gradient(y, v), [2.0, 4.0])
        np.testing.assert_array_equal(tape.gradient(y, x), [2.0, 4.0])
    before = v.value
    v.assign_add([1.0, 1.0])
    np.testing.assert_array_equal(before, [1.0, 2.0])
    np.testing.assert_array_equal(mt.Variable([[1.0, 2.0]]).gather_nd([[0, 1]]), [2.0])


def test_a_function_scatters_at_every_call():
    v = mt.Variable([0.0, 0.0])
    step = mt.function(lambda g: v.scatter_nd_add([[1]], g))
    for _ in range(4):
        step(mt.constant([2.0]))
    np.testing.assert_array_equal(v, [0.0, 8.0])
    read = mt.function(lambda x: v.value() * x)
    for n in range(4):
        v.assign([1.0, n])
        np.testing.assert_array_equal(read(mt.constant(2.0)), [2.0, 2.0 * n])


def test_options_of_distribution_mean_nothing():
    v = mt.Variable(
        1.0,
        synchronization=mt.VariableSynchronization.AUTO,
        aggregation=mt.VariableAggregation.MEAN,
        validate_shape=False,
    )
    assert bool(v.is_initialized())


def test_a_variable_starts_with_an_initializer_as_in_keras():
    given = {"ones": (2,), mt.initializers.Constant(1.0): (2,), (lambda shape, dtype: np.ones(shape)): [2]}
    for initializer, shape in given.items():
        variable = mt.Variable(initializer=initializer, shape=shape, dtype="float16", autocast=False)
        assert variable.dtype == "float16"
        np.testing.assert_array_equal(variable, [1.0, 1.0])
    assert float(mt.Variable(initializer=5.0)) == 5
    with pytest.raises(ValueError, match="Unknown initializer"):
        mt.Variable(initializer="onse", shape=())


@pytest.mark.parametrize("compiled", [False, True])
def test_optimizers_take_slices_that_do_not_know_the_whole(compiled):
    v, optimizer = mt.Variable(np.zeros((3, 2), "float32")), mt.keras.optimizers.SGD(1.0)

    def step():
        optimizer.apply_gradients([(mt.IndexedSlices(mt.ones((2, 2)), mt.constant([0, 0])), v)])

    step = mt.function(step) if compiled else step
    for _ in range(3):
        step()
    np.testing.assert_array_equal(v, [[-6, -6], [0, 0], [0, 0]])


def test_errors_have_tensorflows_names():
    errors = mt.errors
    assert errors.NotFoundError is errors.MissingFileError
    assert errors.FailedPreconditionError is errors.TapeError
    assert errors.DataLossError is errors.FileFormatError
