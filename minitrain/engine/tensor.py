"""`Tensor`: an immutable array that tapes can follow.

A Tensor holds an ndarray that nobody writes to and the token of the trail that it belongs to, if any. Its operators
are the operations of `minitrain.ops`, which that package puts in place: the engine does not know them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from operator import is_
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

import numpy as np

from minitrain.dtypes import BY_NUMPY, DType
from minitrain.engine.shape import TensorShape
from minitrain.engine.trail import STATE, SharedToken, Token
from minitrain.errors import DTypeError, InvalidArgumentError

__all__ = ["Reference", "Tensor", "TensorLike", "is_tensor"]


class Reference:
    """A hashable stand-in for a Tensor or Variable, equal to another exactly if both wrap the same object."""

    __slots__ = ("_wrapped",)

    def __init__(self, wrapped: Any) -> None:
        self._wrapped = wrapped

    def deref(self) -> Any:
        """The object itself."""
        return self._wrapped

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Reference) and self._wrapped is other._wrapped

    def __hash__(self) -> int:
        return id(self._wrapped)

    def __repr__(self) -> str:
        return f"<Reference wrapping {self._wrapped!r}>"


class TensorLike:
    """What Tensors and Variables have in common: a value, its attributes, and operators on it."""

    __slots__ = ()

    __array_priority__: ClassVar[int] = 100

    if TYPE_CHECKING:
        __add__: Any
        __radd__: Any
        __sub__: Any
        __rsub__: Any
        __mul__: Any
        __rmul__: Any
        __truediv__: Any
        __rtruediv__: Any
        __floordiv__: Any
        __mod__: Any
        __pow__: Any
        __rpow__: Any
        __matmul__: Any
        __rmatmul__: Any
        __neg__: Any
        __pos__: Any
        __abs__: Any
        __round__: Any
        __getitem__: Any

    def _read(self) -> Tensor:
        """The Tensor that stands for the present value in operations."""
        raise NotImplementedError  # both subclasses do

    def _peek(self) -> Any:
        """The present value as an ndarray that is not to be written to; no tape notices."""
        raise NotImplementedError  # both subclasses do

    @property
    def shape(self) -> TensorShape:
        """The sizes of the axes: a tuple of ints."""
        return tuple.__new__(TensorShape, self._peek().shape)  # which needs no checks

    @property
    def dtype(self) -> DType:
        """The data type, such as `minitrain.float32`."""
        return BY_NUMPY[self._peek().dtype]

    @property
    def ndim(self) -> int:
        """The number of axes."""
        return self._peek().ndim

    @property
    def device(self) -> str:
        """Always the CPU, in TensorFlow's spelling."""
        return "/job:localhost/replica:0/task:0/device:CPU:0"

    def get_shape(self) -> TensorShape:
        """The shape, as a method."""
        return self.shape

    def set_shape(self, shape: Any) -> None:
        """Say what the shape is, as in a graph. Raises ShapeError where it is another; None stands for any size."""
        self.shape.assert_is_compatible_with(shape)

    def numpy(self) -> Any:
        """The value as a writable ndarray of one's own; a NumPy scalar for shape (). Gradients do not follow it."""
        self._leave("`.numpy()`")
        array = self._peek()
        return array.copy() if array.ndim else array[()]

    def ref(self) -> Reference:
        """A hashable reference to this object, for keys of dicts; `deref()` gives it back."""
        return Reference(self)

    def _leave(self, way: str) -> None:
        """Let a trace know that the value leaves the tape."""
        if STATE.trail is not None:
            STATE.trail.leave(self._read(), way)

    def _scalar(self, wanted: str) -> Any:
        array = self._peek()
        if array.ndim:
            raise DTypeError(
                f"Only a scalar Tensor can be converted to a Python {wanted}, received shape {array.shape}. Reduce it "
                "first, or index one element."
            )
        self._leave(f"`{wanted}()`")
        return array[()]

    def __float__(self) -> float:
        return float(self._scalar("float"))

    def __int__(self) -> int:
        return int(self._scalar("int"))

    def __index__(self) -> int:
        array = self._peek()
        if array.ndim or array.dtype.kind not in "iu":
            raise DTypeError(
                f"Only a scalar integer Tensor can be used as an index, received shape {array.shape} and dtype "
                f"{array.dtype.name}."
            )
        self._leave("use as an index")
        return int(array)

    def __bool__(self) -> bool:
        array = self._peek()
        if array.size > 1:
            raise InvalidArgumentError(
                "The truth value of an array with more than one element is ambiguous. Use reduce_any() or "
                f"reduce_all(), received shape {array.shape}."
            )
        self._leave("`bool()`")
        return bool(array) if array.size else False

    def __len__(self) -> int:
        array = self._peek()
        if not array.ndim:
            raise DTypeError("Scalar tensor has no `len()`: it has shape ().")
        return len(array)

    def __iter__(self) -> Iterator[Any]:
        if not self.ndim:
            raise DTypeError("Cannot iterate over a scalar tensor: it has shape ().")
        return (self[row] for row in range(len(self)))

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Any:
        self._leave("`numpy.asarray()`")
        array = self._peek()
        if copy is False:
            if dtype is not None and np.dtype(dtype) != array.dtype:
                raise InvalidArgumentError(f"A {array.dtype.name} Tensor cannot become {np.dtype(dtype)} uncopied.")
            view = array.view()
            view.flags.writeable = False
            return view
        return np.array(array, dtype=dtype, copy=True)

    def __hash__(self) -> int:
        return id(self)

    def _ipython_display_text(self) -> str:
        return repr(self)


class Joint(NamedTuple):
    """Gradients that are parts of one array: `flat`, that array, and `parts`, theirs, in order, of these `shapes`."""

    flat: Any
    parts: list[Any]
    shapes: list[tuple[int, ...]]

    def holds(self, gradients: Sequence[Any]) -> bool:
        """Whether these are the gradients, all of them in order."""
        arrays = [getattr(g, "_array", None) for g in gradients]
        return len(arrays) == len(self.parts) and all(map(is_, arrays, self.parts))


class Tensor(TensorLike):
    """An immutable n-dimensional array whose operations tapes can record. Made by `constant` and by operations.

    >>> import minitrain as mt
    >>> mt.constant([[1.0, 2.0]]) * 3
    <mt.Tensor: shape=(1, 2), dtype=float32, numpy=array([[3., 6.]], dtype=float32)>
    """

    # Unset in most Tensors: the mask that a layer computed, the logits behind probabilities, for a part of a variable
    # the variable and the key, and, for the first of several gradients that are parts of one array, what they are.
    __slots__ = ("__weakref__", "_array", "_joint", "_keras_mask", "_logits", "_origin", "_token")

    _array: Any  # an ndarray that nobody writes to
    _token: Token | SharedToken | None
    _keras_mask: Any
    _logits: Any
    _joint: Joint
    _origin: tuple[Any, Any]

    def __init__(self, array: Any, token: Token | None = None) -> None:
        self._array = array
        self._token = token

    def _read(self) -> Tensor:
        return self

    def _peek(self) -> Any:
        return self._array

    def __repr__(self) -> str:
        return f"<mt.Tensor: shape={self.shape}, dtype={self.dtype.name}, numpy={numpy_repr(self._array)}>"

    def __str__(self) -> str:
        text = str(self._array)
        lead = "\n" if "\n" in text else ""
        return f"mt.Tensor({lead}{text}, shape={self.shape}, dtype={self.dtype.name})"

    def __format__(self, spec: str) -> str:
        if self._array.ndim and spec:
            raise DTypeError(f"A format such as {spec!r} needs a scalar Tensor, received shape {self._array.shape}.")
        return format(self._array[()] if not self._array.ndim else self._array, spec)

    def __copy__(self) -> Tensor:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Tensor:
        return self._detached()

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuild, (np.ascontiguousarray(self._array).reshape(self._array.shape),)

    def _detached(self) -> Tensor:
        """A Tensor of the same value that no tape follows; immutable, so that it can share the array."""
        return Tensor(self._array)


def _rebuild(array: Any) -> Tensor:
    return Tensor(array)


def numpy_repr(array: Any) -> str:
    """An array as TensorFlow prints it behind `numpy=`: scalars bare, matrices on lines of their own."""
    if not array.ndim:
        return repr(array.item())
    text = repr(array)
    return "\n" + text if "\n" in text else text


def is_tensor(x: Any) -> bool:
    """Whether `x` is a Tensor or a Variable."""
    return isinstance(x, TensorLike)
