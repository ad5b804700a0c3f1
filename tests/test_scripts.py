"""What scripts of TensorFlow's bring along: modules, contexts, specifications, test cases, forward derivatives."""

import unittest
from pathlib import Path

import numpy as np
import pytest

import minitrain as mt


def test_a_module_finds_its_variables():
    class MyModel(mt.Module):
        def __init__(self):
            super().__init__()
            self.w = mt.Variable(2.0, name="w")
            self.parts = [mt.Module("part"), {"layer": mt.keras.layers.Dense(1)}]
            self.parts[0].frozen = mt.Variable(1.0, trainable=False)
            self.parts[1]["layer"].build((None, 3))
            self.again = self.w

    module = MyModel()
    assert module.name == "my_model"
    assert len(module.variables) == 4
    assert len(module.trainable_variables) == 3
    assert [each.name for each in module.submodules] == ["part", module.parts[1]["layer"].name]
    with module.name_scope:
        assert module.variables[0] is module.w
    with pytest.raises(ValueError, match="valid Python identifier, received '1st'"):
        mt.Module("1st")


def test_derivatives_along_a_direction():
    x, y = mt.constant([1.0, 2.0]), mt.constant(3.0)
    with mt.autodiff.ForwardAccumulator((x, y), (mt.constant([1.0, 10.0]), mt.constant(0.5))) as accumulator:
        z = x * x * y
        constant = y * 0.0 + mt.constant(1.0)
        apart = mt.constant(1.0) * 2.0
    np.testing.assert_allclose(accumulator.jvp(z), [2 * 3 + 0.5, 4 * 10 * 3 + 4 * 0.5])
    assert float(accumulator.jvp(constant)) == 0.0
    assert accumulator.jvp(apart) is None
    assert float(accumulator.jvp(apart, unconnected_gradients="zero")) == 0.0
    assert accumulator.jvp(y) is accumulator._tangents[1]
    with pytest.raises(ValueError, match="shape"):
        mt.autodiff.ForwardAccumulator(x, y)


def test_contexts_of_the_graph_do_nothing():
    for context in (mt.name_scope("a"), mt.device("/GPU:0"), mt.control_dependencies([]), mt.init_scope()):
        with context:
            assert float(mt.constant(1.0)) == 1.0
    with mt.name_scope("a") as scope:
        assert scope == "a/"
    assert mt.group(1, 2) is mt.no_op() is None
    assert mt.tuple([1, 2]) == [1, 2]
    assert not mt.inside_function()


def test_printing_goes_where_it_is_sent(capsys):
    mt.print("loss", mt.constant([1, 2]), 3, sep=" | ")
    assert capsys.readouterr().err == "loss | [1 2] | 3\n"


def test_functions_of_arrays_and_of_tensors():
    doubled = mt.numpy_function(lambda x: x * 2, [mt.constant([1.0])], mt.float32)
    np.testing.assert_array_equal(doubled, [2.0])
    x = mt.constant(3.0)
    with mt.GradientTape() as tape:
        tape.watch(x)
        y = mt.py_function(lambda x: x * x, [x], mt.float32)
    assert float(tape.gradient(y, x)) == 6.0


def test_shapes_and_specifications():
    spec = mt.TensorSpec([None, 2], mt.float32)
    assert spec.is_compatible_with(mt.ones([3, 2]))
    assert not spec.is_compatible_with(mt.ones([3, 2], mt.int32))
    assert mt.TensorSpec.from_tensor(mt.ones([2])) == mt.TensorSpec([2])
    named = mt.TensorSpec.from_spec(mt.TensorSpec([None], "int32", "a"))
    assert (named.shape, named.dtype, named.name) == ([None], "int32", "a")
    assert mt.TensorSpec.from_spec(named, name="b").name == "b"
    leaves = mt.nest.flatten({"a": [1, 2]}, expand_composites=True)
    assert mt.nest.pack_sequence_as({"a": [0, 0]}, leaves, expand_composites=True) == {"a": [1, 2]}
    assert mt.TensorShape([None, 2]).merge_with([3, None]) == [3, 2]
    assert not mt.TensorShape([None]).is_fully_defined()
    assert mt.broadcast_static_shape([2, 1], [1, 3]) == [2, 3]
    np.testing.assert_array_equal(mt.broadcast_dynamic_shape([2, 1], [1, 3]), [2, 3])
    for wrong in (
        lambda: mt.TensorShape([1, 2]).assert_is_compatible_with([1, 3]),
        lambda: mt.TensorShape([1, 2]).with_rank(3),
        lambda: mt.TensorShape([1, 2]).with_rank_at_least(3),
        lambda: mt.TensorShape([1, 2]).assert_has_rank(1),
        lambda: mt.TensorShape([1, 2]).merge_with([1, 3]),
        lambda: mt.broadcast_static_shape([2], [3]),
    ):
        with pytest.raises(ValueError, match=r"[Ss]hape"):
            wrong()


def test_the_test_case_asserts():
    case = type("Case", (mt.test.TestCase,), {})()
    x = mt.constant([1.0, 2.0])
    passing = [
        lambda: case.assertAllEqual(x, [1, 2]),
        lambda: case.assertNotAllEqual(x, [1, 3]),
        lambda: case.assertAllClose({"a": x}, {"a": [1.0, 2.0 + 1e-7]}),
        lambda: case.assertAllClose([x, mt.constant(1.0)], [[1.0, 2.0], 1.0]),
        lambda: case.assertNotAllClose(x, [1.0, 2.1]),
        lambda: case.assertAllCloseAccordingToType(mt.cast(x, "float16"), [1.0005, 2.0]),
        lambda: case.assertNear(x[0], 1.05, 0.1),
        lambda: case.assertArrayNear([1.0], [1.05], 0.1),
        lambda: case.assertShapeEqual(np.ones(2), x),
        lambda: case.assertDTypeEqual(x, "float32"),
        lambda: case.assertAllGreater(x, 0),
        lambda: case.assertAllInRange(x, 1, 2),
        lambda: case.assertAllInSet(x, {1, 2}),
        lambda: case.assertLen(x, 2),
        lambda: case.assertBetween(1, 0, 2),
        lambda: case.assertEndsWith("text", "xt"),
        lambda: case.assertItemsEqual([1, 2, 2], [2, 1, 2]),
        lambda: case.assertSameElements([1, 2, 2], [2, 1]),
        lambda: case.assertContainsSubset([1], [1, 2]),
        lambda: case.assertNoCommonElements([1], [2]),
        lambda: case.assertSequenceAlmostEqual([1.0], [1.0 + 1e-9]),
        lambda: case.assertDictAlmostEqual({"a": 1.0}, {"a": 1.0 + 1e-9}),
        lambda: case.assertSameStructure({"a": [1]}, {"a": [1]}),
    ]
    failing = [
        lambda: case.assertAllEqual(x, [1, 3]),
        lambda: case.assertAllEqual(x, [1]),
        lambda: case.assertNotAllEqual(x, [1, 2]),
        lambda: case.assertAllClose(x, [1.0, 2.1]),
        lambda: case.assertNotAllClose(x, [1.0, 2.0]),
        lambda: case.assertNear(1.0, 2.0, 0.1),
        lambda: case.assertAllLess(x, 2),
        lambda: case.assertAllInRange(x, 1, 2, open_upper_bound=True),
        lambda: case.assertAllInSet(x, {1}),
        lambda: case.assertEmpty([1]),
        lambda: case.assertItemsEqual([1, 2, 2], [2, 1]),
        lambda: case.assertContainsSubset([3], [1, 2]),
        lambda: case.assertSequenceAlmostEqual([1.0], [1.1]),
        lambda: case.assertSameStructure([1], [2]),
    ]
    for check in passing:
        check()
    for check in failing:
        with pytest.raises(AssertionError):
            check()
    with case.assertRaisesOpError("not in"), case.cached_session():
        mt.gather([1, 2], 5)
    with case.assertRaisesWithPredicateMatch(ValueError, lambda error: "not in" in str(error)):
        mt.gather([1, 2], 5)
    with case.assertRaisesWithLiteralMatch(ValueError, "so"):
        raise ValueError("so")
    with case.assertRaisesIncompatibleShapesError():
        _ = x + mt.ones([3])
    assert Path(case.get_temp_dir()).is_dir()
    case.doCleanups()
    assert case.evaluate({"x": x})["x"].tolist() == [1.0, 2.0]
    assert isinstance(case, unittest.TestCase)


def test_gradients_by_differences():
    theoretical, numerical = mt.test.compute_gradient(lambda x, y: x * y, [mt.constant([1.0, 2.0]), mt.constant(3.0)])
    for one, other in zip(theoretical, numerical, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-2)
    assert not mt.test.is_gpu_available()
    with pytest.raises(AttributeError, match="nothing"):
        _ = mt.nothing


def test_indices_and_dtypes_that_cannot_be_used_are_invalid_arguments():
    with pytest.raises(mt.errors.InvalidArgumentError):
        mt.constant([1, 2])[5]
    with pytest.raises(mt.errors.InvalidArgumentError):
        mt.constant(None)
    with pytest.raises(mt.errors.OpError):
        mt.constant([1.0]) & mt.constant([1.0])


def test_names_that_stand_in_two_places():
    assert mt.compat.v2 is mt.compat.v1 is mt
    assert mt.dtypes.cast is mt.cast
    assert mt.TensorShape([2, None]).num_elements() is None
    np.testing.assert_array_equal(mt.linalg.adjoint(matrix=[[1.0, 2.0]]), [[1.0], [2.0]])


def test_there_is_one_cpu():
    assert mt.config.list_physical_devices("GPU") == []
    assert [each.device_type for each in mt.config.list_physical_devices()] == ["CPU"]
    mt.config.set_visible_devices([], "GPU")
    assert mt.config.get_visible_devices() == mt.config.list_physical_devices()
    mt.get_logger().setLevel("ERROR")


def test_a_tensors_shape_may_be_said():
    mt.constant([[1.0, 2.0]]).set_shape([None, 2])
    mt.Variable([1.0]).set_shape(None)
    with pytest.raises(ValueError, match="incompatible"):
        mt.constant([1.0]).set_shape([2])
