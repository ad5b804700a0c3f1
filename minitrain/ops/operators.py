"""The operators of Tensors and Variables: Python's symbols for the operations of this package."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from minitrain.engine.convert import as_tensor
from minitrain.engine.symbolic import FUNCTIONS, KerasTensor, draw
from minitrain.engine.tensor import Tensor, TensorLike
from minitrain.errors import DTypeError, ShapeError
from minitrain.ops import elementwise, indexing, keras_names, linear


def _reflected(op: Callable[..., Any]) -> Callable[..., Any]:
    def operator(self: Any, other: Any) -> Any:
        return op(other, self)

    return operator


def _matmul(self: Any, other: Any) -> Tensor:
    return linear.matmul(self, other)


def _rmatmul(self: Any, other: Any) -> Tensor:
    return linear.matmul(other, self)


def _equal(self: Any, other: Any) -> Any:
    """Elementwise, except that None and shapes that do not broadcast are simply not equal, as in TensorFlow."""
    if other is None:
        return False
    try:
        return elementwise.equal(self, other)
    except ShapeError:
        return as_tensor(False)


def _not_equal(self: Any, other: Any) -> Any:
    if other is None:
        return True
    try:
        return elementwise.not_equal(self, other)
    except ShapeError:
        return as_tensor(True)


def _logical(on_bools: Callable[..., Any], on_integers: Callable[..., Any]) -> Callable[..., Any]:
    def operator(self: Any, other: Any) -> Any:
        if self._peek().dtype.kind == "f":
            raise DTypeError(f"&, |, ^ and ~ need bools or integers, received dtype {self.dtype.name}.")
        return (on_bools if self._peek().dtype.kind == "b" else on_integers)(self, other)

    return operator


def _invert(self: Any) -> Tensor:
    if self._peek().dtype.kind == "f":
        raise DTypeError(f"&, |, ^ and ~ need bools or integers, received dtype {self.dtype.name}.")
    return elementwise.invert(self)


def _positive(self: Any) -> Tensor:
    return elementwise.identity(self)


def _round(self: Any, ndigits: int | None = None) -> Tensor:
    return keras_names.round(self, ndigits or 0)


_and = _logical(elementwise.logical_and, elementwise.bitwise_and)
_or = _logical(elementwise.logical_or, elementwise.bitwise_or)
_xor = _logical(elementwise.logical_xor, elementwise.bitwise_xor)

OPERATORS: dict[str, Callable[..., Any]] = {
    "__add__": elementwise.add,
    "__radd__": _reflected(elementwise.add),
    "__sub__": elementwise.subtract,
    "__rsub__": _reflected(elementwise.subtract),
    "__mul__": elementwise.multiply,
    "__rmul__": _reflected(elementwise.multiply),
    "__truediv__": elementwise.divide,
    "__rtruediv__": _reflected(elementwise.divide),
    "__floordiv__": elementwise.floordiv,
    "__rfloordiv__": _reflected(elementwise.floordiv),
    "__mod__": elementwise.floormod,
    "__rmod__": _reflected(elementwise.floormod),
    "__pow__": elementwise.pow,
    "__rpow__": _reflected(elementwise.pow),
    "__matmul__": _matmul,
    "__rmatmul__": _rmatmul,
    "__neg__": elementwise.negative,
    "__pos__": _positive,
    "__abs__": elementwise.abs,
    "__round__": _round,
    "__eq__": _equal,
    "__ne__": _not_equal,
    "__lt__": elementwise.less,
    "__le__": elementwise.less_equal,
    "__gt__": elementwise.greater,
    "__ge__": elementwise.greater_equal,
    "__and__": _and,
    "__rand__": _and,
    "__or__": _or,
    "__ror__": _or,
    "__xor__": _xor,
    "__rxor__": _xor,
    "__invert__": _invert,
    "__getitem__": indexing.getitem,
}


def _drawn(operator: Callable[..., Any]) -> Callable[..., Any]:
    def drawn(*args: Any) -> Any:
        return draw(operator, args, {})

    return drawn


for _name, _operator in OPERATORS.items():
    setattr(TensorLike, _name, _operator)
    if _name not in ("__eq__", "__ne__"):  # symbolic tensors are equal to themselves alone
        setattr(KerasTensor, _name, _drawn(_operator))
    FUNCTIONS[_name] = _operator
KerasTensor.__eq__ = object.__eq__  # type: ignore[method-assign]
KerasTensor.__ne__ = object.__ne__  # type: ignore[method-assign]
KerasTensor.__hash__ = object.__hash__  # type: ignore[method-assign]
