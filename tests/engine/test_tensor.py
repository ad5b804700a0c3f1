"""Tensors: how they are made, shown, converted and indexed, and which dtypes they meet in."""

import copy
import pickle

import numpy as np
import pytest

import minitrain as mt


def test_repr_and_str_are_tensorflows():
    x = mt.constant([[1.0, 2.0], [3.0, 4.0]])
    assert repr(mt.constant(9.0)) == "<mt.Tensor: shape=(), dtype=float32, numpy=9.0>"
    assert str(mt.constant(9.0)) == "mt.Tensor(9.0, shape=(), dtype=float32)"
    assert repr(x) == (
        "<mt.Tensor: shape=(2, 2), dtype=float32, numpy=\narray([[1., 2.],\n       [3., 4.]], dtype=float32)>"
    )
    assert str(x) == "mt.Tensor(\n[[1. 2.]\n [3. 4.]], shape=(2, 2), dtype=float32)"
    assert repr(mt.constant(True)) == "<mt.Tensor: shape=(), dtype=bool, numpy=True>"
    assert repr(mt.constant([1, 2])) == "<mt.Tensor: shape=(2,), dtype=int32, numpy=array([1, 2], dtype=int32)>"
    assert f"{mt.constant(3.14159):.2f}" == "3.14"


@pytest.mark.parametrize(
    ("value", "dtype"),
    [
        (1.0, "float32"),
        (1, "int32"),
        (2**40, "int64"),
        (True, "bool"),
        ([1, 2.5], "float32"),
        ([1, True], "int32"),
        ([], "float32"),
        (np.float64(1), "float64"),
        ([np.float64(1)], "float64"),
        ([np.int64(1)], "int32"),
        ([np.ones(2), np.ones(2)], "float64"),
        (np.arange(3), "int64"),
        (np.arange(3, dtype=">i4"), "int32"),
        (np.ones(2, "float16"), "float16"),
    ],
)
def test_python_numbers_are_32_bit_and_arrays_keep_their_dtype(value, dtype):
    assert mt.constant(value).dtype == dtype
    assert mt.convert_to_tensor(value).dtype == dtype


def test_constant_copies_and_numpy_gives_an_array_of_ones_own():
    a = np.ones(3)
    x = mt.constant(a)
    a[:] = 7
    mine = x.numpy()
    mine[0] = 5
    np.asarray(x)[1] = 5
    np.testing.assert_array_equal(x.numpy(), [1, 1, 1])
    assert isinstance(mt.constant(1.0).numpy(), np.float32)
    assert not np.array(x, copy=False).flags.writeable


def test_constant_fills_and_reshapes():
    np.testing.assert_array_equal(mt.constant(3.0, shape=[2, 2]), [[3, 3], [3, 3]])
    np.testing.assert_array_equal(mt.constant([1, 2, 3, 4], shape=(2, 2)), [[1, 2], [3, 4]])
    with pytest.raises(ValueError, match="holds 4 elements, received a value of shape \\(3,\\)"):
        mt.constant([1, 2, 3], shape=[2, 2])


@pytest.mark.parametrize(
    ("value", "error", "message"),
    [
        ([[1, 2], [3]], ValueError, "non-rectangular"),
        ("text", TypeError, "'text'.*Expected numbers"),
        (["a", 1], TypeError, "Expected numbers"),
        (None, TypeError, "None"),
        ([1, None], TypeError, "Expected numbers"),
        (1j, TypeError, "Complex numbers are not supported"),
        (np.ones(2, complex), TypeError, "Complex"),
        (np.array(["a"]), TypeError, "dtype <U1"),
        (np.array([object()]), TypeError, "dtype object"),
        ({"a": 1}, TypeError, "dict"),
    ],
)
def test_what_is_no_number_is_refused(value, error, message):
    with pytest.raises(error, match=message):
        mt.constant(value)


@pytest.mark.parametrize(("value", "dtype"), [(1.5, "int32"), ([1.5], "int64"), (300, "int8"), (-1, "uint8")])
def test_what_does_not_fit_the_dtype_is_refused(value, dtype):
    with pytest.raises((TypeError, IndexError), match=r"Cannot convert|does not fit"):
        mt.constant(value, dtype=dtype)


def test_a_list_of_tensors_is_stacked_on_the_tape():
    x = mt.Variable(2.0)
    with mt.GradientTape() as tape:
        y = mt.reduce_sum(mt.convert_to_tensor([x * x, 3.0, [x][0]]) * [1.0, 1.0, 10.0])
    assert float(tape.gradient(y, x)) == 14.0


def test_a_tensor_of_another_dtype_is_refused_by_conversion():
    with pytest.raises(ValueError, match="requested dtype float64"):
        mt.convert_to_tensor(mt.constant(1.0), dtype=mt.float64)
    with pytest.raises(TypeError, match="cast"):
        mt.constant(mt.constant(1.0), dtype=mt.float64)


def test_a_number_or_array_beside_a_tensor_takes_its_dtype():
    x, i = mt.constant([1.0, 2.0]), mt.constant([1, 2])
    v = mt.Variable(2.0)
    for result in (x * 2, 2 * x, x + np.ones(2), np.ones(2) * v, np.float64(3) * x, x - [1, 2], x + np.arange(2)):
        assert result.dtype == "float32"
    assert (i * 1.5).dtype == "float32"
    assert (i + 1).dtype == "int32"
    assert (i + np.arange(2)).dtype == "int32"
    assert (i * np.ones(2)).dtype == "float64"
    assert (i / i).dtype == "float32"
    assert (mt.constant([True]) + 1).dtype == "int32"
    assert mt.add(1.0, 2).dtype == "float32"
    assert mt.add(np.ones(2), 1.0).dtype == "float64"


@pytest.mark.parametrize(
    ("a", "b", "both"),
    [
        ("int32", "float32", "float32"),
        ("int64", "float16", "float16"),
        ("bool", "float32", "float32"),
        ("float32", "float64", "float64"),
        ("float16", "float32", "float32"),
        ("int8", "uint8", "int16"),
        ("int64", "uint64", "float32"),
        ("bool", "int32", "int32"),
    ],
)
def test_two_tensors_promote_as_in_keras(a, b, both):
    x, y = mt.cast([1], a), mt.cast([1], b)
    assert (x * y).dtype == both
    assert (y * x).dtype == both
    assert mt.concat([x, y], 0).dtype == both
    assert mt.where([True], x, y).dtype == both


def test_no_operation_turns_integers_or_float32_into_float64():
    i, x = mt.constant([1, 2]), mt.constant([1.0, 2.0])
    for f in (mt.sqrt, mt.exp, mt.math.log, mt.sin, mt.sigmoid, mt.nn.softplus, mt.math.erf, mt.nn.softmax, mt.nn.gelu):
        assert f(i).dtype == "float32"
        assert f(x).dtype == "float32"
    assert mt.reduce_mean(i).dtype == "int32"
    assert mt.reduce_sum(i).dtype == "int32"
    assert mt.reduce_sum([True, True]).numpy() == 2


def test_dtypes_compare_with_numpys_and_with_strings():
    assert mt.float32 == np.float32 == mt.dtypes.float32 == "float32"
    assert np.dtype("float32") == mt.float32
    assert mt.float32 != "float64"
    assert mt.constant(1.0).dtype in {"float32"}
    assert np.zeros(2, mt.float16).dtype == np.float16
    assert (mt.as_dtype(float), mt.as_dtype("int64"), mt.as_dtype(np.bool_)) == (mt.float32, mt.int64, mt.bool)
    assert (repr(mt.float32), str(mt.float32)) == ("mt.float32", "<dtype: 'float32'>")
    assert pickle.loads(pickle.dumps(mt.int8)) is mt.int8
    with pytest.raises(TypeError, match="Did you mean 'float32'"):
        mt.as_dtype("flaot32")
    with pytest.raises(TypeError, match="Complex"):
        mt.cast(1.0, "complex64")


def test_scalars_convert_to_python_and_the_rest_raises():
    assert (float(mt.constant(2)), int(mt.constant(2.7)), bool(mt.constant(0.0))) == (2.0, 2, False)
    assert [10, 20, 30][mt.constant(1)] == 20
    assert bool(mt.constant([3]))
    for convert in (float, int):
        with pytest.raises(TypeError, match="Only a scalar Tensor"):
            convert(mt.constant([1.0, 2.0]))
    with pytest.raises(ValueError, match="ambiguous"):
        bool(mt.constant([1, 2]))
    with pytest.raises(TypeError, match="no `len\\(\\)`"):
        len(mt.constant(1.0))
    with pytest.raises(TypeError, match="Cannot iterate over a scalar"):
        list(mt.constant(1.0))
    with pytest.raises(TypeError, match="index"):
        range(mt.constant(1.0))
    assert 1.0 in mt.constant([2.0, 1.0])
    assert not bool(mt.constant([]))


def test_plus_and_round_are_operators_of_tensors_variables_and_drawings():
    values = [-1.5, 2.5, 2.37]
    for x in (mt.constant(values), mt.Variable(values), mt.keras.Variable(values)):
        assert (+x).numpy().tolist() == x.numpy().tolist()
        assert round(x).numpy().tolist() == [-2.0, 2.0, 2.0]
        np.testing.assert_allclose(round(x, 1), [-1.5, 2.5, 2.4], rtol=1e-6)
        with mt.GradientTape() as tape:
            tape.watch(x)
            y = +x * 2.0
        assert tape.gradient(y, x).numpy().tolist() == [2.0, 2.0, 2.0]
    x = mt.keras.Input((3,))
    drawn = mt.keras.Model(x, [+x, round(x), round(x, 1)])
    assert [each.shape for each in drawn(np.ones((2, 3)))] == [(2, 3)] * 3


def test_tensors_hash_by_identity_pickle_and_copy():
    x = mt.constant([1.0, 2.0])
    assert {x: 1}[x] == 1
    assert x.ref() == x.ref()
    assert x.ref() != mt.constant([1.0, 2.0]).ref()
    assert x.ref().deref() is x
    for again in (pickle.loads(pickle.dumps(x)), copy.deepcopy(x), copy.copy(x)):
        np.testing.assert_array_equal(again, x.numpy())
    assert pickle.loads(pickle.dumps(mt.constant(1.5))).shape == ()


def test_shape_is_a_tuple_with_tensorflows_methods():
    shape = mt.zeros([2, 3]).shape
    assert shape == (2, 3)
    assert (repr(shape), str(shape)) == ("TensorShape([2, 3])", "(2, 3)")
    assert (shape.as_list(), shape.rank, shape.num_elements()) == ([2, 3], 2, 6)
    assert shape == [2, 3]
    assert repr(shape[1:].concatenate([4])) == "TensorShape([3, 4])"
    assert mt.TensorShape(3) == (3,)
    assert mt.TensorShape([None, 3]).with_rank_at_most(2) == (None, 3)
    shape.assert_same_rank([4, 5])
    shape.assert_is_fully_defined()
    for wrong in (
        lambda: shape.with_rank_at_most(1),
        lambda: shape.assert_same_rank([2]),
        lambda: mt.TensorShape([None]).assert_is_fully_defined(),
        lambda: mt.TensorShape([-1, 2]),
    ):
        with pytest.raises(ValueError, match=r"rank|defined|0 or more"):
            wrong()
    for no_shape in ("a", [1.5], None):
        with pytest.raises(TypeError, match=r"integers or None|None itself"):
            mt.TensorShape(no_shape)


def test_equal_numbers_of_different_types_are_not_confused():
    i = mt.constant(3)
    assert ((i * 2).dtype, (i + 2.0).dtype, (i + 2).dtype) == ("int32", "float32", "int32")


def test_empty_lists_take_the_dtype_asked_for():
    assert mt.constant([], dtype=mt.int32).dtype == "int32"
    assert mt.concat([mt.constant([1, 2]), []], 0).dtype == "int32"
    assert mt.reshape(mt.zeros([0, 3]), [0, -1]).shape == (0, 3)
    with pytest.raises(TypeError, match="Expected a dtype"):
        mt.cast(1.0, None)


def test_means_of_integers_do_not_overflow():
    assert int(mt.reduce_mean(mt.constant([100, 100], mt.int8))) == 100
    assert int(mt.reduce_mean(mt.constant([-3, -4]))) == -3


def test_comparing_with_none_and_with_other_shapes_is_just_unequal():
    x = mt.constant([1.0, 2.0])
    assert (x == None, x != None) == (False, True)  # noqa: E711  # the operator is what is tested
    assert x != mt.constant([1.0, 2.0, 3.0])
    assert bool(x != mt.constant([1.0, 2.0, 3.0]))
    np.testing.assert_array_equal(x == [1, 3], [True, False])


A = np.arange(24.0).reshape(2, 3, 4)
KEYS = {
    "integer": 1,
    "negative": -1,
    "two integers": (1, 2),
    "slice": slice(None, None, 2),
    "slices": (slice(None), slice(1, 3), slice(None, None, -1)),
    "ellipsis": (Ellipsis, -1),
    "newaxis": (slice(None), None, 1),
    "integer array": np.array([1, 0, 1]),
    "list": [1, 0],
    "integer arrays": (np.array([0, 1]), np.array([2, 0])),
    "array and slice": (slice(None), np.array([2, 0]), slice(1, 3)),
    "separated arrays": (np.array([0, 1]), slice(None), np.array([2, 0])),
    "array and integer": (0, np.array([2, 0, 2])),
    "boolean mask": A[:, 0, 0] > 5,
    "full mask": A > 5,
    "mask of two axes": A[..., 0] > 5,
    "mask and integer": (np.array([True, False]), 1),
    "empty list": [],
}


@pytest.mark.parametrize("key", KEYS.values(), ids=KEYS.keys())
def test_indexing_is_numpys_and_differentiable(key):
    expected = A[key]
    x = mt.constant(A)
    with mt.GradientTape() as tape:
        tape.watch(x)
        y = x[key]
        total = mt.reduce_sum(y * y)
    np.testing.assert_array_equal(y, expected)
    counts = np.zeros_like(A)
    np.add.at(counts, key, 1.0)
    np.testing.assert_array_equal(tape.gradient(total, x), 2 * A * counts)


def test_tensors_index_tensors():
    x, i = mt.constant([10.0, 20.0, 30.0]), mt.constant([2, 0])
    np.testing.assert_array_equal(x[i], [30.0, 10.0])
    np.testing.assert_array_equal(x[x > 15.0], [20.0, 30.0])
    assert float(x[mt.constant(1)]) == 20.0
    np.testing.assert_array_equal(x[mt.constant(1) :], [20.0, 30.0])


@pytest.mark.parametrize(
    ("key", "message"),
    [
        (5, "slice index 5 of dimension 0 out of bounds"),
        ((0, 0, 9), "dimension 2 out of bounds"),
        ((0, 0, 0, 0), "Too many indices"),
        ([5], "outside axis 0 of size 2"),
        ("a", "valid indices"),
        (1.0, "valid indices"),
        (np.array([1.5]), "valid indices"),
    ],
)
def test_wrong_indices_are_explained(key, message):
    with pytest.raises((IndexError, TypeError), match=message):
        mt.constant(A)[key]


def test_tensors_are_immutable():
    with pytest.raises(TypeError):
        mt.constant([1.0])[0] = 2.0
    x = mt.constant([1.0])
    y = x
    y += 1.0
    assert float(x[0]) == 1.0


@pytest.mark.parametrize(
    ("f", "error", "message"),
    [
        (lambda: mt.ones([2]) + mt.ones([3]), ValueError, r"Incompatible shapes for 'add': \(2,\) and \(3,\)"),
        (lambda: mt.matmul(mt.ones([1, 2]), mt.ones([1, 2])), ValueError, r"\(1, 2\) and \(1, 2\).*transpose_b"),
        (lambda: mt.reduce_sum(mt.ones([2]), axis=3), ValueError, "`axis` 3 for a tensor with 1 dimension"),
        (lambda: mt.reduce_sum(mt.ones([2, 2]), axis=[0, -2]), ValueError, "twice"),
        (lambda: mt.reshape(mt.ones([3]), [2, 2]), ValueError, r"3 values.*requested shape \(2, 2\)"),
        (lambda: mt.concat([mt.ones([2]), mt.ones([1, 1])], 0), ValueError, r"received \(2,\) and \(1, 1\)"),
        (lambda: mt.stack([mt.ones([2]), mt.ones([3])]), ValueError, r"received \(2,\) and \(3,\)"),
        (lambda: mt.split(mt.ones([5]), 2), ValueError, "evenly divide"),
        (lambda: mt.transpose(mt.ones([2, 3]), [0, 0]), ValueError, "permutation"),
        (lambda: mt.squeeze(mt.ones([2, 3]), [0]), ValueError, "expected size 1, received 2"),
        (lambda: mt.gather([1.0, 2.0], [5]), ValueError, r"indices\[0\] = 5 is not in \[0, 2\)"),
        (lambda: mt.gather([1.0, 2.0], [-1]), ValueError, "-1 is not in"),
        (lambda: mt.gather([1.0], [0.5]), TypeError, "must be integers"),
        (lambda: mt.ones([2]) + "a", TypeError, "'a'.*Expected numbers"),
        (lambda: mt.constant(7) // 0, ValueError, "Integer division by zero"),
        (lambda: mt.constant(2) ** -1, ValueError, "negative integer powers"),
        (lambda: mt.reduce_all([1, 2]), TypeError, "Expected dtype bool, received int32"),
        (lambda: mt.one_hot([0], 3, axis=5), ValueError, "`axis` 5"),
        (lambda: mt.nn.dropout(mt.ones([2]), 1.0), ValueError, r"range \[0, 1\)"),
        (
            lambda: mt.nn.sparse_softmax_cross_entropy_with_logits([5], [[1.0, 2.0]]),
            ValueError,
            r"labels\[0\] = 5 is not in \[0, 2\)",
        ),
        (lambda: mt.nn.sigmoid_cross_entropy_with_logits([1.0], [[1.0, 2.0]]), ValueError, "same shape"),
        (lambda: mt.linalg.inv([[1.0, 2.0], [2.0, 4.0]]), ValueError, "Singular"),
        (lambda: mt.linalg.inv(mt.ones([2, 3])), ValueError, r"square matrices.*\(2, 3\)"),
        (lambda: mt.zeros([-1]), ValueError, "sizes of 0 or more"),
        (lambda: mt.range(4, 1), ValueError, "from 4 to 1 by steps of 1"),
        (lambda: mt.range(1.0, 4.0, -1.0), ValueError, "from 1.0 to 4.0"),
        (lambda: mt.clip_by_value(mt.ones([1, 2]), mt.zeros([2, 1]), 1.0), ValueError, r"shape \(1, 2\)"),
        (lambda: mt.zeros("a"), TypeError, "`shape` must be an integer"),
        (lambda: mt.norm([1.0], ord="nuc"), ValueError, "`ord`"),
        (lambda: mt.pad(mt.ones([2]), [[1]]), ValueError, r"shape \(1, 2\)"),
        (lambda: mt.einsum("ij,jk->ik", mt.ones([2, 2])), ValueError, "2 terms, received 1"),
        (lambda: mt.math.log("x"), TypeError, "Expected numbers"),
    ],
)
def test_bad_input_names_what_was_expected_and_what_came(f, error, message):
    with pytest.raises(error, match=message) as caught:
        f()
    assert isinstance(caught.value, mt.errors.MinitrainError)
