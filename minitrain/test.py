"""`tf.test`: a `TestCase` whose assertions take Tensors, and numerical gradients.

It is imported when it is asked for, since unittest takes as long to import as all the rest.
"""

from __future__ import annotations

import tempfile
import unittest
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from minitrain import nest
from minitrain.engine.convert import as_tensor
from minitrain.engine.tape import GradientTape
from minitrain.engine.tensor import Tensor, TensorLike
from minitrain.errors import MinitrainError, ShapeError

__all__ = ["TestCase", "compute_gradient", "gpu_device_name", "is_built_with_cuda", "is_gpu_available", "main"]


def _array(value: Any) -> Any:
    if isinstance(value, TensorLike):
        return np.asarray(value.numpy())
    return np.asarray(nest.map_structure(lambda each: each.numpy() if isinstance(each, TensorLike) else each, value))


class TestCase(unittest.TestCase):
    """unittest's, with TensorFlow's assertions. Structures of Tensors are compared leaf by leaf."""

    __test__ = False  # pytest takes subclasses alone, which __init_subclass__ sees to

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "__test__" not in vars(cls):
            cls.__test__ = True

    def evaluate(self, tensors: Any) -> Any:
        """The values as ndarrays."""
        return nest.map_structure(lambda each: each.numpy() if isinstance(each, TensorLike) else each, tensors)

    @contextmanager
    def cached_session(self, *args: Any, **kwargs: Any) -> Iterator[None]:
        """A context that does nothing."""
        yield

    session = test_session = cached_session

    def assertAllEqual(self, a: Any, b: Any, msg: str | None = None) -> None:
        """Equal shapes and values, NaN being equal to itself."""
        x, y = _array(a), _array(b)
        self.assertEqual(x.shape, y.shape, f"Shape mismatch: expected {x.shape}, got {y.shape}. {msg or ''}")
        np.testing.assert_array_equal(x, y, msg or "")

    def assertNotAllEqual(self, a: Any, b: Any, msg: str | None = None) -> None:
        """Not `assertAllEqual`."""
        self._fails(self.assertAllEqual, a, b, message=msg or "The two values are equal at all elements.")

    def assertAllClose(self, a: Any, b: Any, rtol: float = 1e-6, atol: float = 1e-6, msg: str | None = None) -> None:
        """Equal shapes, and |a - b| <= atol + rtol * |b|; of structures leaf by leaf."""
        if isinstance(a, dict):
            self.assertIsInstance(b, dict, msg)
            self.assertEqual(set(a), set(b), msg)
            for key in a:
                self.assertAllClose(a[key], b[key], rtol, atol, msg)
            return
        try:
            x, y = _array(a), _array(b)
        except ValueError:  # a list of Tensors of several shapes
            self.assertEqual(len(a), len(b), msg)
            for one, other in zip(a, b, strict=True):
                self.assertAllClose(one, other, rtol, atol, msg)
            return
        self.assertEqual(x.shape, y.shape, f"Shape mismatch: expected {x.shape}, got {y.shape}. {msg or ''}")
        np.testing.assert_allclose(x, y, rtol, atol, err_msg=msg or "")

    def assertNotAllClose(self, a: Any, b: Any, rtol: float = 1e-6, atol: float = 1e-6, msg: str | None = None) -> None:
        """Not `assertAllClose`."""
        self._fails(self.assertAllClose, a, b, rtol, atol, message=msg or "The two values are close at all elements.")

    def _fails(self, check: Callable[..., None], *args: Any, message: str) -> None:
        try:
            check(*args)
        except AssertionError:
            return
        self.fail(message)

    def assertAllCloseAccordingToType(
        self, a: Any, b: Any, rtol: float = 1e-6, atol: float = 1e-6, **kwargs: Any
    ) -> None:
        """`assertAllClose`, within 1e-3 where a float16 is among the two."""
        half = any(_array(each).dtype == np.float16 for each in (a, b))
        rtol, atol = (kwargs.get(f"half_{name}", 1e-3) if half else each for name, each in zip("ra", (rtol, atol)))
        self.assertAllClose(a, b, rtol, atol, kwargs.get("msg"))

    def assertNear(self, f1: Any, f2: Any, err: Any, msg: str | None = None) -> None:
        """|f1 - f2| <= err."""
        self.assertTrue(f1 == f2 or abs(float(f1) - float(f2)) <= err, f"{f1} != {f2} +/- {err}. {msg or ''}")

    def assertArrayNear(self, farray1: Any, farray2: Any, err: Any, msg: str | None = None) -> None:
        """`assertNear` element by element."""
        self.assertEqual(len(farray1), len(farray2), msg)
        for one, other in zip(farray1, farray2, strict=True):
            self.assertNear(float(one), float(other), err, msg)

    def assertNDArrayNear(self, ndarray1: Any, ndarray2: Any, err: Any, msg: str | None = None) -> None:
        """|a - b| is less than err in the Euclidean norm."""
        self.assertTrue(np.linalg.norm(_array(ndarray1) - _array(ndarray2)) < err, msg)

    def assertShapeEqual(self, input_a: Any, input_b: Any, msg: str | None = None) -> None:
        """Equal shapes."""
        self.assertEqual(tuple(_array(input_a).shape), tuple(_array(input_b).shape), msg)

    def assertDTypeEqual(self, target: Any, expected_dtype: Any) -> None:
        """The dtype is the one expected."""
        self.assertEqual(as_tensor(target).dtype, expected_dtype)

    def assertAllGreater(self, a: Any, comparison_target: Any) -> None:
        """Every element is greater."""
        self.assertTrue((_array(a) > comparison_target).all(), f"{a} is not greater than {comparison_target}.")

    def assertAllLess(self, a: Any, comparison_target: Any) -> None:
        """Every element is less."""
        self.assertTrue((_array(a) < comparison_target).all(), f"{a} is not less than {comparison_target}.")

    def assertAllGreaterEqual(self, a: Any, comparison_target: Any) -> None:
        """Every element is greater or equal."""
        self.assertTrue((_array(a) >= comparison_target).all(), f"{a} is less than {comparison_target}.")

    def assertAllLessEqual(self, a: Any, comparison_target: Any) -> None:
        """Every element is less or equal."""
        self.assertTrue((_array(a) <= comparison_target).all(), f"{a} is greater than {comparison_target}.")

    def assertAllInRange(
        self,
        target: Any,
        lower_bound: Any,
        upper_bound: Any,
        open_lower_bound: bool = False,
        open_upper_bound: bool = False,
    ) -> None:
        """Every element lies between the bounds, which count in unless they are open."""
        x = _array(target)
        above = x > lower_bound if open_lower_bound else x >= lower_bound
        below = x < upper_bound if open_upper_bound else x <= upper_bound
        self.assertTrue((above & below).all(), f"{x} is not in the range {lower_bound} to {upper_bound}.")

    def assertAllInSet(self, target: Any, expected_set: Any) -> None:
        """Every element is one of the set."""
        self.assertTrue(np.isin(_array(target), list(expected_set)).all(), f"{target} is not in {expected_set}.")

    def assertLen(self, container: Any, expected_len: int, msg: str | None = None) -> None:
        """So many elements."""
        self.assertEqual(len(container), expected_len, msg)

    def assertEmpty(self, container: Any, msg: str | None = None) -> None:
        """No element."""
        self.assertEqual(len(container), 0, msg)

    def assertNotEmpty(self, container: Any, msg: str | None = None) -> None:
        """At least one element."""
        self.assertNotEqual(len(container), 0, msg)

    def assertBetween(self, value: Any, minv: Any, maxv: Any, msg: str | None = None) -> None:
        """minv <= value <= maxv."""
        self.assertTrue(minv <= value <= maxv, msg or f"{value} is not between {minv} and {maxv}.")

    def assertStartsWith(self, actual: str, expected_start: str, msg: str | None = None) -> None:
        """The text begins so."""
        self.assertTrue(actual.startswith(expected_start), msg or f"{actual!r} does not start with {expected_start!r}.")

    def assertEndsWith(self, actual: str, expected_end: str, msg: str | None = None) -> None:
        """The text ends so."""
        self.assertTrue(actual.endswith(expected_end), msg or f"{actual!r} does not end with {expected_end!r}.")

    def assertItemsEqual(self, expected_seq: Any, actual_seq: Any, msg: str | None = None) -> None:
        """The same elements as often, in any order."""
        self.assertCountEqual(expected_seq, actual_seq, msg)

    def assertSameElements(self, expected_seq: Any, actual_seq: Any, msg: str | None = None) -> None:
        """The same elements, however often, in any order."""
        self.assertEqual(set(expected_seq), set(actual_seq), msg)

    def assertContainsSubset(self, expected_subset: Any, actual_set: Any, msg: str | None = None) -> None:
        """All of the expected elements are there."""
        self.assertLessEqual(set(expected_subset), set(actual_set), msg)

    def assertNoCommonElements(self, expected_seq: Any, actual_seq: Any, msg: str | None = None) -> None:
        """No element is in both."""
        self.assertEqual(set(expected_seq) & set(actual_seq), set(), msg)

    def assertSequenceAlmostEqual(
        self, expected_seq: Any, actual_seq: Any, places: int | None = None, msg: str | None = None, delta: Any = None
    ) -> None:
        """`assertAlmostEqual` element by element."""
        self.assertEqual(len(expected_seq), len(actual_seq), msg)
        for one, other in zip(expected_seq, actual_seq, strict=True):
            self.assertAlmostEqual(one, other, places, msg, delta)

    def assertDictAlmostEqual(
        self, expected: Any, actual: Any, places: int | None = None, msg: str | None = None, delta: Any = None
    ) -> None:
        """The same keys, with values that are almost equal."""
        self.assertEqual(set(expected), set(actual), msg)
        for key in expected:
            self.assertAlmostEqual(expected[key], actual[key], places, msg, delta)

    def assertSameStructure(self, a: Any, b: Any, aname: str = "a", bname: str = "b", msg: str | None = None) -> None:
        """Equal, containers and their types included."""
        self.assertEqual(nest.flatten(a), nest.flatten(b), msg)
        nest.assert_same_structure(a, b)

    def get_temp_dir(self) -> str:
        """A directory of this test case's own, which goes with it."""
        if not hasattr(self, "_directory"):
            self._directory = tempfile.TemporaryDirectory()
            self.addCleanup(self._directory.cleanup)
        return self._directory.name

    @contextmanager
    def assertRaisesWithLiteralMatch(self, expected_exception: Any, expected_exception_message: str) -> Iterator[None]:
        """The block raises such an exception, with exactly this text."""
        with self.assertRaises(expected_exception) as caught:
            yield
        self.assertEqual(str(caught.exception), expected_exception_message)

    @contextmanager
    def assertRaisesWithPredicateMatch(self, exception_type: Any, expected_err_re_or_predicate: Any) -> Iterator[None]:
        """The block raises such an exception, whose text matches, or of which the predicate holds."""
        predicate = expected_err_re_or_predicate
        if callable(predicate):
            with self.assertRaises(exception_type) as caught:
                yield
            self.assertTrue(predicate(caught.exception), f"Unexpected exception: {caught.exception!r}.")
        else:
            with self.assertRaisesRegex(exception_type, predicate):
                yield

    def assertRaisesIncompatibleShapesError(
        self, exception_type: Any = ShapeError, operator: str = "", shape1: Any = None, shape2: Any = None
    ) -> Any:
        """The block raises an error about shapes that do not broadcast. What they are is not compared."""
        return self.assertRaisesRegex(exception_type, "Incompatible shapes")

    def assertRaisesOpError(self, expected_err_re_or_predicate: Any) -> Any:
        """The block raises one of minitrain's errors, whose text matches."""
        return self.assertRaisesWithPredicateMatch(MinitrainError, expected_err_re_or_predicate)


def compute_gradient(f: Callable[..., Any], x: Any, delta: float | None = None) -> tuple[Any, Any]:
    """The Jacobians of f at the list of inputs x by the tape and by central differences, as matrices (in, out)."""
    sources = [as_tensor(each) for each in x]
    with GradientTape() as tape:
        tape.watch(sources)
        value = f(*sources)
    size = int(np.prod(value.shape, dtype=np.int64))
    theoretical = tuple(
        np.reshape(each.numpy(), (size, -1)) for each in tape.jacobian(value, sources, unconnected_gradients="zero")
    )
    numerical = tuple(_differences(f, sources, place, size, delta) for place in range(len(sources)))
    return theoretical, numerical


def _differences(f: Callable[..., Any], sources: list[Tensor], place: int, size: int, delta: float | None) -> Any:
    array = sources[place].numpy()
    step = float(np.finfo(array.dtype).eps) ** (1 / 3) if delta is None else delta
    columns = np.zeros((size, array.size), array.dtype)
    for column, index in enumerate(np.ndindex(array.shape)):
        sides = []
        for sign in (1.0, -1.0):
            moved = np.array(array)
            moved[index] += sign * step
            value = f(*sources[:place], Tensor(moved), *sources[place + 1 :])
            sides.append(value.numpy().astype(np.float64).reshape(-1))
        columns[:, column] = (sides[0] - sides[1]) / (2.0 * step)
    return columns


def is_gpu_available(*args: Any, **kwargs: Any) -> bool:
    """Always False."""
    return False


def is_built_with_cuda() -> bool:
    """Always False."""
    return False


def gpu_device_name() -> str:
    """Always empty."""
    return ""


def main(argv: Any = None) -> None:
    """Run the tests of the calling module."""
    unittest.main(argv=argv)
