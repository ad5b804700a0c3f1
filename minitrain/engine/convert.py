"""How Python's and NumPy's values become Tensors: `constant`, `convert_to_tensor` and what operators do by themselves.

Python floats become float32, ints int32, bools bool; arrays keep their dtype. Beside a Tensor, a Python number or an
array of the same kind takes the Tensor's dtype, so that float32 never turns into float64 by accident.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any

import numpy as np
from numpy import ndarray

from minitrain.dtypes import DType, as_dtype, float32, int32, int64, promote
from minitrain.dtypes import bool as bool_
from minitrain.engine.tensor import Tensor, TensorLike
from minitrain.errors import DTypeError, InvalidArgumentError, OutOfRangeError, ShapeError

__all__ = ["constant", "convert_to_tensor"]

INT32 = np.iinfo(np.int32)
FLOAT32 = float32.dtype

# Operations on Tensors that conversion needs and that live above the engine: `minitrain.ops` puts them here.
LATE: dict[str, Callable[..., Any]] = {}


def constant(value: Any, dtype: Any = None, shape: Any = None, name: str | None = None) -> Tensor:
    """A Tensor that holds a copy of `value`: a number, nested lists, an ndarray, a DataFrame, anything array-like.

    `dtype`: by default float32 for Python floats, int32 for ints, the array's own for arrays. `shape`: reshapes, or
    fills from a single number. Raises DTypeError for strings, objects and complex numbers, ShapeError for ragged
    lists and for a `shape` that does not hold the value.

    >>> constant([1, 2.5])
    <mt.Tensor: shape=(2,), dtype=float32, numpy=array([1. , 2.5], dtype=float32)>
    """
    if isinstance(value, TensorLike) and dtype is not None and value.dtype != as_dtype(dtype):
        raise DTypeError(
            f"Expected a tensor of dtype {as_dtype(dtype).name}, received dtype {value.dtype.name}. Use minitrain.cast."
        )
    if isinstance(value, TensorLike) or _holds_tensors(value):
        tensor = convert_to_tensor(value, dtype)  # on the tape, as in TensorFlow
        return tensor if shape is None else LATE["reshape"](tensor, shape)
    array = to_array(value, None if dtype is None else as_dtype(dtype).dtype)
    if shape is not None:
        shape = tuple(int(size) for size in np.atleast_1d(np.asarray(shape, dtype=np.int64)))
        wanted = int(np.prod(shape, dtype=np.int64))
        if array.size not in (1, wanted):
            raise ShapeError(
                f"`shape` {shape} holds {wanted} elements, received a value of shape {array.shape} with {array.size}."
            )
        array = array.reshape(shape) if array.size == wanted else np.full(shape, array.reshape(()))
    return Tensor(array)


def convert_to_tensor(value: Any, dtype: Any = None, dtype_hint: Any = None, name: str | None = None) -> Tensor:
    """`value` as a Tensor: a Tensor as it is, a Variable read, lists that contain Tensors stacked on the tape.

    A Tensor of another `dtype` is refused, as in TensorFlow: `minitrain.cast` converts. `dtype_hint` is a dtype to be
    preferred where `value` does not decide. Raises as `constant` does.
    """
    if isinstance(value, TensorLike):
        if dtype is not None and value.dtype != as_dtype(dtype):
            raise InvalidArgumentError(
                f"Tensor conversion requested dtype {as_dtype(dtype).name} for a Tensor with dtype "
                f"{value.dtype.name}: {value!r}. Use minitrain.cast."
            )
        return value._read()
    if _holds_tensors(value):
        return _stacked(value, dtype)
    if dtype is not None:
        return Tensor(to_array(value, as_dtype(dtype).dtype))
    if dtype_hint is not None:
        hinted = as_dtype(dtype_hint).dtype
        if hinted.kind != "b":  # of which all numbers could be made
            with suppress(InvalidArgumentError):  # a value that has no such dtype keeps its own
                return Tensor(to_array(value, hinted))
        return like(value, hinted)
    return Tensor(to_array(value))


def as_tensor(value: Any) -> Tensor:
    """`convert_to_tensor` without its options."""
    if type(value) is Tensor:
        return value
    if type(value) is ndarray and value.dtype is FLOAT32:  # the usual one, and nothing to convert
        return Tensor(value.copy("K"))
    if isinstance(value, TensorLike):
        return value._read()
    if _holds_tensors(value):
        return _stacked(value, None)
    return Tensor(to_array(value))


def operands(x: Any, y: Any) -> tuple[Tensor, Tensor]:
    """Both arguments of a binary operation as Tensors; what is none takes the other's dtype where kinds allow."""
    if isinstance(x, TensorLike):
        x = x._read()
        if isinstance(y, TensorLike):
            return x, y._read()
        return x, (number(y, x._array.dtype) if type(y) in NUMBERS else like(y, x._array.dtype))
    if isinstance(y, TensorLike):
        y = y._read()
        return (number(x, y._array.dtype) if type(x) in NUMBERS else like(x, y._array.dtype)), y
    if _is_weak(x) and not _is_weak(y):
        y = as_tensor(y)
        return like(x, y._array.dtype), y
    x = as_tensor(x)
    return x, (like(y, x._array.dtype) if _is_weak(y) else as_tensor(y))


NUMBERS = frozenset((float, int))
_numbers: dict[tuple[float, np.dtype[Any], type], Tensor] = {}


def number(value: float, dtype: np.dtype[Any]) -> Tensor:
    """A Python number beside a Tensor of `dtype`. Those that programs write down recur, and are kept."""
    key = value, dtype, type(value)  # 2 and 2.0 are equal, and mean different dtypes beside integers
    tensor = _numbers.get(key)
    if tensor is None or not value:  # 0.0 and -0.0 are equal keys
        tensor = like(value, dtype)
        if len(_numbers) >= 1000:
            _numbers.clear()
        if value == value:
            _numbers[key] = tensor
    return tensor


def same_dtype(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """Two Tensors cast to the dtype in which they meet. The casts are recorded, so that gradients are cast back."""
    dtype = promote(x._array.dtype, y._array.dtype)
    return to_dtype(x, dtype), to_dtype(y, dtype)


def to_dtype(x: Tensor, dtype: np.dtype[Any]) -> Tensor:
    """`x` cast to a NumPy dtype, on the tape; itself where it has that dtype already."""
    return x if x._array.dtype is dtype else LATE["cast"](x, dtype)


def tensors(values: Any) -> list[Tensor]:
    """A list of values as Tensors of one dtype: Tensors decide, Python numbers and arrays of the same kind follow."""
    firm = [each._read() for each in values if isinstance(each, TensorLike)]
    if not firm:
        firm = [as_tensor(each) for each in values if not _is_weak(each)]
    if not firm:
        firm = [as_tensor(each) for each in values]
    dtype = firm[0]._array.dtype if firm else float32.dtype
    for each in firm:
        dtype = promote(dtype, each._array.dtype)
    found = [each._read() if isinstance(each, TensorLike) else like(each, dtype) for each in values]
    for each in found:
        dtype = promote(dtype, each._array.dtype)
    return [to_dtype(each, dtype) for each in found]


def like(value: Any, dtype: np.dtype[Any]) -> Tensor:
    """A value that is no Tensor, made one beside a Tensor of `dtype`: it takes that dtype where its kind allows.

    A float beside an integer Tensor becomes float32, a number beside a bool Tensor keeps its own dtype.
    """
    kind = type(value)
    if kind is float:
        return Tensor(np.array(value, dtype if dtype.kind == "f" else np.float32))
    if kind is int and dtype.kind == "f" and abs(value) < 2**1023:
        return Tensor(np.array(value, dtype))
    if _holds_tensors(value):
        return _stacked(value, None)
    weak = _is_weak(value)
    array = to_array(value)
    if weak and not array.size:
        return Tensor(array.astype(dtype))
    rank = "biuf".index(array.dtype.kind) or 0
    wanted = "biuf".index(dtype.kind)
    if array.dtype.kind == dtype.kind or {array.dtype.kind, dtype.kind} == {"i", "u"} or (weak and rank < wanted):
        array = to_array(value, dtype)
    return Tensor(array)


def to_array(value: Any, dtype: np.dtype[Any] | None = None) -> Any:
    """A fresh ndarray of a supported dtype that holds `value`; the errors of `constant` come from here."""
    kind = type(value)
    if kind is float:
        if dtype is not None and dtype.kind in "iu":
            raise DTypeError(f"Cannot convert {value!r} to a tensor of dtype {dtype.name}. Use minitrain.cast.")
        return np.array(value, np.float32 if dtype is None else dtype)
    if isinstance(value, TensorLike):
        return np.array(value._peek(), dtype=dtype)
    if isinstance(value, (ndarray, np.generic)):
        return _own(value, dtype, value)
    if hasattr(value, "__array__"):
        return _own(np.asarray(value), dtype, value)
    if value is None or isinstance(value, (str, bytes, dict, set)):
        raise DTypeError(_not_numeric(value))
    return _from_python(value, dtype)


def _own(array: Any, dtype: np.dtype[Any] | None, value: Any) -> Any:
    kind = array.dtype.kind
    if kind == "c":
        raise DTypeError("Complex numbers are not supported. Keep the real and the imaginary part in two tensors.")
    if kind not in "fiub":
        raise DTypeError(_not_numeric(value))
    return np.array(array, dtype=as_dtype(array.dtype).dtype if dtype is None else dtype)


def _from_python(value: Any, dtype: np.dtype[Any] | None) -> Any:
    try:
        array = np.array(value)
    except ValueError as error:
        raise ShapeError(
            f"Can't convert a non-rectangular Python sequence to a Tensor: {_short(value)}. Every row needs the same "
            "length: pad the rows, or keep them in a list."
        ) from error
    except OverflowError as error:
        raise DTypeError(f"{_short(value)} does not fit any integer dtype.") from error
    firm = _first_numpy(value)
    if array.size == 0 and firm is None:
        return array.astype(float32.dtype if dtype is None else dtype)
    if array.dtype.kind in "OUSMmVT":
        raise DTypeError(_not_numeric(value))
    elif array.dtype.kind == "c":
        raise DTypeError("Complex numbers are not supported. Keep the real and the imaginary part in two tensors.")
    if dtype is None:
        return array.astype(_default(array, firm), copy=False)
    if dtype.kind in "iub" and array.dtype.kind == "f":
        raise DTypeError(
            f"Cannot convert {_short(value)} to a tensor of dtype {dtype.name}: it holds floats. Use minitrain.cast."
        )
    if dtype.kind in "iu" and array.dtype.kind in "iu" and array.size:
        limits = np.iinfo(dtype)
        if int(array.min()) < limits.min or int(array.max()) > limits.max:
            raise OutOfRangeError(
                f"{_short(value)} does not fit dtype {dtype.name}, which holds {limits.min} to {limits.max}."
            )
    return array.astype(dtype, copy=False)


def _default(array: Any, firm: np.dtype[Any] | None) -> np.dtype[Any]:
    """The dtype for Python values: float32, int32 (int64 where they need it) or bool; NumPy's floats keep theirs."""
    if array.dtype.kind == "b":
        return bool_.dtype
    if array.dtype.kind == "f":
        return firm if firm is not None and firm.kind == "f" else float32.dtype
    if array.size and (int(array.max()) > INT32.max or int(array.min()) < INT32.min):
        return array.dtype if array.dtype.kind == "u" else int64.dtype
    return firm if firm is not None else int32.dtype


def _first_numpy(value: Any) -> np.dtype[Any] | None:
    """The dtype of the first leaf where that is NumPy's: lists of arrays keep their dtype, as in TensorFlow."""
    while isinstance(value, (list, tuple)) and value:
        value = value[0]
    if isinstance(value, ndarray) or (isinstance(value, np.generic) and value.dtype.kind == "f"):
        return as_dtype(value.dtype).dtype
    return None


def _is_weak(value: Any) -> bool:
    """Whether `value` consists of Python's own numbers, whose dtype yields to an array's."""
    while isinstance(value, (list, tuple)):
        if not value:
            return True
        value = value[0]
    return type(value) in (float, int, bool)


def _holds_tensors(value: Any) -> bool:
    return isinstance(value, (list, tuple)) and any(
        isinstance(each, TensorLike) or _holds_tensors(each) for each in value
    )


def _stacked(value: Any, dtype: Any) -> Tensor:
    parts = tensors([_stacked(each, dtype) if _holds_tensors(each) else each for each in value])
    if dtype is not None:
        parts = [to_dtype(each, as_dtype(dtype).dtype) for each in parts]
    return LATE["stack"](parts)


def _not_numeric(value: Any) -> str:
    dtype = f" of dtype {value.dtype}" if isinstance(value, (ndarray, np.generic)) else ""
    return (
        f"Attempt to convert a value ({_short(value)}) with an unsupported type ({type(value)}){dtype} to a Tensor. "
        "Expected numbers or bools, or arrays and nested lists of them; text stays in an ndarray, which lookups take."
    )


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 80 else text[:77] + "..."


def dtype_or(value: Any, default: DType) -> np.dtype[Any]:
    """NumPy's dtype for an optional `dtype` argument."""
    return default.dtype if value is None else as_dtype(value).dtype
