"""`Variable`: a value that changes, while everything read from it before keeps what it was.

Operations see a variable through a snapshot: a Tensor over its array. `assign` writes in place where nobody else
holds the array or a view of it, which reference counts tell, and into a fresh array otherwise: copy on write that
costs nothing when nobody holds on. A tape differentiates with respect to the variable by adding up what arrives at
the snapshots that were read while it recorded.
"""

from __future__ import annotations

import enum
from collections.abc import Callable
from importlib import import_module
from sys import getrefcount
from typing import TYPE_CHECKING, Any

import numpy as np

from minitrain.dtypes import as_dtype
from minitrain.engine.convert import LATE, constant, to_array
from minitrain.engine.shape import TensorShape
from minitrain.engine.slices import IndexedSlices
from minitrain.engine.tensor import Tensor, TensorLike, numpy_repr
from minitrain.engine.trail import STATE, Changes
from minitrain.errors import DTypeError, InvalidArgumentError, ShapeError

if TYPE_CHECKING:
    from minitrain.engine.packing import Pack

__all__ = ["Variable", "VariableAggregation", "VariableSynchronization"]


class VariableSynchronization(enum.Enum):
    """TensorFlow's ways of distributing a variable: there is one device, and they mean nothing."""

    AUTO = 0
    NONE = 1
    ON_WRITE = 2
    ON_READ = 3


class VariableAggregation(enum.Enum):
    """TensorFlow's ways of distributing the updates of a variable: there is one device, and they mean nothing."""

    NONE = 0
    SUM = 1
    MEAN = 2
    ONLY_FIRST_REPLICA = 3


class Reading(Tensor):
    """The value of a variable, which may be called for itself: `v.value` is Keras's, `v.value()` TensorFlow's."""

    __slots__ = ()

    def __call__(self) -> Tensor:
        return self


class Part(Tensor):
    """What `v[key]` gives of a variable: a Tensor, through which that part of the variable can be assigned to."""

    __slots__ = ()

    def assign(self, value: Any, name: str | None = None) -> Variable:
        """Put `value`, which broadcasts, in the place of the part. Returns the variable, and raises as it does."""
        variable, key = self._origin
        array = variable._peek()
        value = value._read() if isinstance(value, TensorLike) else Tensor(to_array(value, array.dtype))
        try:
            value = LATE["broadcast_to"](value, self.shape)
        except ShapeError as error:
            raise ShapeError(
                f"Cannot assign to a part of variable '{variable.name}': the part has shape {tuple(self.shape)}, the "
                f"value has shape {tuple(value.shape)}."
            ) from error
        reshape = LATE["reshape"]
        places = Tensor(np.arange(array.size).reshape(array.shape))[key]  # in the variable as one row
        flat, at = reshape(variable._read(), (-1,)), reshape(places, (-1, 1))
        return variable.assign(reshape(LATE["scatter_update"](flat, at, reshape(value, (-1,))), array.shape))


def _scattering(kind: str, what: str) -> tuple[Callable[..., Variable], Callable[..., Variable]]:
    """The methods that change the variable by slices, and at coordinates."""

    def at(self: Variable, indices: Any, updates: Any, name: str | None = None) -> Variable:
        return self.assign(LATE[f"scatter_{kind}"](self._read(), indices, updates))

    def by(self: Variable, sparse_delta: Any, use_locking: bool = False, name: str | None = None) -> Variable:
        if not isinstance(sparse_delta, IndexedSlices):
            raise DTypeError(f"sparse_delta is not IndexedSlices: {sparse_delta!r}.")
        indices = LATE["reshape"](sparse_delta.indices, (*sparse_delta.indices.shape, 1))
        return at(self, indices, sparse_delta.values)

    for method, name in ((by, f"scatter_{kind}"), (at, f"scatter_nd_{kind}")):
        method.__name__, method.__qualname__ = name, f"Variable.{name}"
    by.__doc__ = f"{what} the slices of an IndexedSlices along the first axis. Returns the variable."
    at.__doc__ = f"{what} `updates` at the coordinates `indices`. Returns the variable."
    return by, at


def _started(initializer: Any, shape: Any, dtype: Any) -> Any:
    """What an initializer makes of a shape; a value that is given as one is that value."""
    if isinstance(initializer, str):
        initializer = import_module("minitrain.initializers").get(initializer)  # they stand above the engine
    return initializer(tuple(shape), dtype=dtype or "float32") if callable(initializer) else initializer


class Variable(TensorLike):
    """A mutable value that tapes watch by themselves where it is trainable and floating.

    `initial_value`: anything that `constant` takes, or a function of no arguments that gives it; it is copied.
    `trainable`: whether tapes watch it unasked. `name`: for messages. `dtype`: casts the initial value. `shape`: what
    the initial value must have. `constraint`: a function that optimizers apply after each update. `initializer`: what
    Keras calls the initial value; it may be an initializer, its name, or a function of `shape` and `dtype`. The others
    are TensorFlow's and Keras's and mean nothing here. Raises as `constant` does, and ShapeError where `shape` differs.

    >>> v = Variable([1.0, 2.0])
    >>> v.assign_add([10.0, 10.0])
    <mt.Variable 'Variable:0' shape=(2,) dtype=float32, numpy=array([11., 12.], dtype=float32)>
    """

    __slots__ = ("__weakref__", "_constraint", "_name", "_pack", "_regularizer", "_tensor", "_trainable")

    _pack: Pack | None  # where the array is a view of a buffer that others share

    def __init__(
        self,
        initial_value: Any = None,
        trainable: bool | None = None,
        name: str | None = None,
        dtype: Any = None,
        shape: Any = None,
        constraint: Any = None,
        *,
        validate_shape: bool = True,
        caching_device: Any = None,
        synchronization: Any = None,
        aggregation: Any = None,
        initializer: Any = None,
        autocast: bool = True,
    ) -> None:
        if initializer is not None:
            initial_value = _started(initializer, shape, dtype) if shape is not None else initializer
        if callable(initial_value):
            initial_value = initial_value()
        if initial_value is None:
            raise InvalidArgumentError("The `initial_value` of a Variable must be given, received None.")
        if isinstance(initial_value, TensorLike) and dtype is not None:
            array = to_array(initial_value, as_dtype(dtype).dtype)
        else:
            array = np.array(constant(initial_value, dtype)._array, order="C")
        if shape is not None and not TensorShape(array.shape).is_compatible_with(shape):
            raise ShapeError(
                f"Variable {name or 'Variable'!r}: `shape` is {shape}, received an initial value of shape "
                f"{array.shape}."
            )
        self._tensor = Tensor(array)
        self._trainable = True if trainable is None else bool(trainable)
        self._name = name or "Variable"
        self._pack = None
        self._constraint = constraint
        self._regularizer: Any = None

    @property
    def name(self) -> str:
        """The name, with TensorFlow's ":0" behind it."""
        return f"{self._name}:0"

    @property
    def path(self) -> str:
        """Where the variable belongs, for messages: its name, or for a layer's weight "layer/name"."""
        return self.name

    @property
    def trainable(self) -> bool:
        """Whether tapes watch this variable unasked."""
        return self._trainable

    @trainable.setter
    def trainable(self, value: bool) -> None:
        Changes.count += self._trainable != bool(value)
        self._trainable = bool(value)

    @property
    def constraint(self) -> Any:
        """What optimizers apply after an update, or None."""
        return self._constraint

    @constraint.setter
    def constraint(self, value: Any) -> None:
        Changes.count += self._constraint is not value
        self._constraint = _function_or_none(value, "constraint")

    @property
    def regularizer(self) -> Any:
        """What a layer adds to the loss for this variable, or None."""
        return self._regularizer

    @regularizer.setter
    def regularizer(self, value: Any) -> None:
        Changes.count += self._regularizer is not value
        self._regularizer = _function_or_none(value, "regularizer")

    @property
    def value(self) -> Tensor:
        """The present value as a Tensor, read on the tape; `value()` is the same."""
        if STATE.trail is None:
            return Reading(self._tensor._array)
        tensor = IDENTITY[0](self._read())
        tensor.__class__ = Reading
        return tensor

    def read_value(self) -> Tensor:
        """The present value as a Tensor of its own, through which gradients flow to the variable."""
        tensor = self._read()
        trail = STATE.trail
        if trail is None:
            return tensor
        return IDENTITY[0](tensor)

    def assign(
        self, value: Any, use_locking: bool = False, name: str | None = None, read_value: bool = True
    ) -> Variable:
        """Replace the value. `value` must have this shape and, if it is a Tensor, this dtype. Returns the variable.

        Raises ShapeError or DTypeError, naming the variable, before anything is changed.
        """
        if STATE.trail is not None and STATE.trail.recorder is not None:
            STATE.trail.recorder.assign(self, value, "assign")
        else:
            self._write(self._accept(value, "assign"))
        return self

    def assign_add(
        self, delta: Any, use_locking: bool = False, name: str | None = None, read_value: bool = True
    ) -> Variable:
        """Add `delta` to the value, in place where nobody holds on to it. Raises as `assign` does."""
        if STATE.trail is not None and STATE.trail.recorder is not None:
            STATE.trail.recorder.assign(self, delta, "assign_add", "add")
        else:
            self._update(np.add, self._accept(delta, "assign_add"))
        return self

    def assign_sub(
        self, delta: Any, use_locking: bool = False, name: str | None = None, read_value: bool = True
    ) -> Variable:
        """Subtract `delta` from the value, in place where nobody holds on to it. Raises as `assign` does."""
        if STATE.trail is not None and STATE.trail.recorder is not None:
            STATE.trail.recorder.assign(self, delta, "assign_sub", "subtract")
        else:
            self._update(np.subtract, self._accept(delta, "assign_sub"))
        return self

    scatter_add, scatter_nd_add = _scattering("add", "Add")
    scatter_sub, scatter_nd_sub = _scattering("sub", "Subtract")
    scatter_update, scatter_nd_update = _scattering("update", "Put in place")
    scatter_max, scatter_nd_max = _scattering("max", "Take the maximum with")
    scatter_min, scatter_nd_min = _scattering("min", "Take the minimum with")
    scatter_mul = _scattering("mul", "Multiply by")[0]
    scatter_div = _scattering("div", "Divide by")[0]

    def __getitem__(self, key: Any) -> Tensor:
        """`v[key]` as of a Tensor; `v[key].assign(value)` changes the variable there."""
        part = LATE["getitem"](self, key)
        if type(part) is Tensor:
            part.__class__, part._origin = Part, (self, key)
        return part

    def sparse_read(self, indices: Any, name: str | None = None) -> Tensor:
        """The slices along the first axis at `indices`."""
        return LATE["gather"](self._read(), indices)

    def gather_nd(self, indices: Any, name: str | None = None) -> Tensor:
        """The slices at the coordinates in the last axis of `indices`."""
        return LATE["gather_nd"](self._read(), indices)

    def is_initialized(self, name: str | None = None) -> Tensor:
        """True, as a Tensor: a variable has a value from the start."""
        return constant(True)

    def _read(self) -> Tensor:
        trail = STATE.trail
        if trail is None or not trail.listening:
            return self._tensor
        snapshot = trail.reads.get(id(self))
        if snapshot is not None and snapshot._array is self._tensor._array:
            return snapshot
        snapshot = trail.reads[id(self)] = Tensor(self._tensor._array)
        for tape in trail.listening:
            tape._notice(self, snapshot)
        return snapshot

    def _peek(self) -> Any:
        return self._tensor._array

    def _accept(self, value: Any, method: str) -> Any:
        """`value` as an ndarray of this variable's shape and dtype, or the error that names the variable."""
        mine = self._tensor._array
        if isinstance(value, TensorLike):
            array = value._peek()
            if array.dtype is not mine.dtype:
                raise DTypeError(
                    f"Cannot {method} a value of dtype {array.dtype.name} to variable '{self.name}' of dtype "
                    f"{mine.dtype.name}. Use minitrain.cast."
                )
        else:
            try:
                array = to_array(value, mine.dtype)
            except DTypeError as error:
                raise DTypeError(f"Cannot {method} to variable '{self.name}': {error}") from error
        if array.shape != mine.shape:
            raise ShapeError(
                f"Cannot {method} value to variable '{self.name}': shape mismatch. The variable has shape "
                f"{mine.shape}, the value has shape {array.shape}."
            )
        return array

    def _write(self, array: Any) -> None:
        if self._pack is None and not self._is_sole_owner():
            self._tensor = Tensor(np.array(array, order="C"))
        else:
            np.copyto(self._writable(), array)

    def _update(self, ufunc: np.ufunc, delta: Any) -> None:
        array = self._writable()
        ufunc(array, delta, out=array)

    def _writable(self) -> Any:
        """The array, to be written to: a fresh copy if anybody else holds on to this one."""
        if self._pack is not None:
            self._pack.writable()
        elif not self._is_sole_owner():
            self._tensor = Tensor(self._tensor._array.copy())
        return self._tensor._array

    def _is_sole_owner(self) -> bool:
        """Whether neither the snapshot nor its array is held by anybody else, views included: they count as bases."""
        tensor = self._tensor
        return getrefcount(tensor) <= SOLE_TENSOR and getrefcount(tensor._array) <= SOLE_ARRAY

    def __repr__(self) -> str:
        array = self._tensor._array
        return f"<mt.Variable '{self.name}' shape={array.shape} dtype={array.dtype.name}, numpy={numpy_repr(array)}>"

    __str__ = __repr__

    def __copy__(self) -> Variable:
        copied = Variable(self, self._trainable, self._name, constraint=self.constraint)
        copied.regularizer = self.regularizer
        return copied

    def __deepcopy__(self, memo: dict[int, Any]) -> Variable:
        copied = memo[id(self)] = self.__copy__()
        return copied

    def __reduce__(self) -> tuple[Any, ...]:
        state = {"constraint": self.constraint, "regularizer": self.regularizer}
        return Variable, (self._tensor._array, self._trainable, self._name), (None, state)


class Weight(Variable):
    """The variable of a layer, a metric or an optimizer, named as in Keras: "kernel", with the path "dense/kernel"."""

    __slots__ = ("_owner",)

    _owner: str

    @property
    def name(self) -> str:
        """The name within the owner."""
        return self._name

    @property
    def path(self) -> str:
        """The owner's name and the variable's."""
        return f"{self._owner}/{self._name}"

    def __copy__(self) -> Weight:
        copied = Weight(self, self._trainable, self._name, constraint=self.constraint)
        copied.regularizer = self.regularizer
        copied._owner = self._owner
        return copied

    def __reduce__(self) -> tuple[Any, ...]:
        state = {"constraint": self.constraint, "regularizer": self.regularizer, "_owner": self._owner}
        return Weight, (self._tensor._array, self._trainable, self._name), (None, state)


IDENTITY: list[Any] = []  # `minitrain.ops` puts the recorded identity here


def _function_or_none(value: Any, what: str) -> Any:
    if value is not None and not callable(value):
        raise InvalidArgumentError(f"`{what}` of a variable must be a function of it, or None, received {value!r}.")
    return value


def _sole_counts() -> tuple[int, int]:
    """What `getrefcount` says in `_is_sole_owner` where nobody else holds on: it differs between Python versions."""
    holder = Variable.__new__(Variable)
    holder._tensor = Tensor(np.zeros(1))

    def look(self: Variable) -> tuple[int, int]:
        tensor = self._tensor
        return getrefcount(tensor), getrefcount(tensor._array)

    return look(holder)


SOLE_TENSOR, SOLE_ARRAY = _sole_counts()
