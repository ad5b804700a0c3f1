"""Tensors made from shapes and numbers. None of them depends on a value, so that none has a gradient."""

from __future__ import annotations

from typing import Any

import numpy as np

from minitrain.dtypes import as_dtype, float32, int32, promote
from minitrain.engine.convert import as_tensor, constant, convert_to_tensor, dtype_or, tensors, to_dtype
from minitrain.engine.primitive import ops, primitive
from minitrain.engine.tensor import Tensor, TensorLike
from minitrain.errors import InvalidArgumentError, ShapeError
from minitrain.ops.axes import as_int, as_shape, one_axis

__all__ = [
    "constant",
    "convert_to_tensor",
    "eye",
    "fill",
    "linspace",
    "one_hot",
    "ones",
    "ones_like",
    "range",
    "zeros",
    "zeros_like",
]


@primitive(name="zeros")
def _zeros(*, shape, dtype):
    return np.zeros(shape, dtype)


@primitive(name="zeros_like")
def _zeros_like(x):
    return np.zeros(x.shape, x.dtype)


@primitive(name="ones_like")
def _ones_like(x):
    return np.ones(x.shape, x.dtype)


def zeros(shape: Any, dtype: Any = float32, name: str | None = None) -> Tensor:
    """A Tensor of zeros of the given shape, float32 by default."""
    return Tensor(np.zeros(as_shape(shape), as_dtype(float32 if dtype is None else dtype).dtype))


def ones(shape: Any, dtype: Any = float32, name: str | None = None) -> Tensor:
    """A Tensor of ones of the given shape, float32 by default."""
    return Tensor(np.ones(as_shape(shape), as_dtype(float32 if dtype is None else dtype).dtype))


def zeros_like(input: Any, dtype: Any = None, name: str | None = None) -> Tensor:
    """A Tensor of zeros with the shape of `input` and, unless `dtype` says otherwise, its dtype."""
    made = _zeros_like(input)
    return made if dtype is None else Tensor(np.zeros(made.shape, as_dtype(dtype).dtype))


def ones_like(input: Any, dtype: Any = None, name: str | None = None) -> Tensor:
    """A Tensor of ones with the shape of `input` and, unless `dtype` says otherwise, its dtype."""
    made = _ones_like(input)
    return made if dtype is None else Tensor(np.ones(made.shape, as_dtype(dtype).dtype))


def fill(dims: Any, value: Any, name: str | None = None) -> Tensor:
    """A Tensor of shape `dims` that holds `value`, a scalar, everywhere."""
    scalar = as_tensor(value)
    if scalar._array.size != 1:
        raise InvalidArgumentError(f"`fill` needs a scalar value, received shape {scalar.shape}. Use broadcast_to.")
    return ops.broadcast_to(ops.reshape(scalar, shape=()), shape=as_shape(dims))


def eye(
    num_rows: Any, num_columns: Any = None, batch_shape: Any = None, dtype: Any = float32, name: str | None = None
) -> Tensor:
    """The identity matrix, (num_rows, num_columns), repeated over `batch_shape` if given."""
    rows = as_int(num_rows, "num_rows")
    columns = rows if num_columns is None else as_int(num_columns, "num_columns")
    matrix = np.eye(rows, columns, dtype=as_dtype(dtype).dtype)
    if batch_shape is not None:
        matrix = np.broadcast_to(matrix, as_shape(batch_shape) + matrix.shape).copy()
    return Tensor(matrix)


def range(start: Any, limit: Any = None, delta: Any = 1, dtype: Any = None, name: str | None = "range") -> Tensor:
    """The numbers start, start + delta, ... before limit: `range(limit)` or `range(start, limit, delta)`.

    The dtype is what the arguments promote to: int32 for Python ints, float32 where a float is among them.
    """
    if limit is None:
        start, limit = 0, start
    for each in (start, limit, delta):
        as_tensor(each)._leave("`range`")
    first, last, step = (each._array for each in tensors([start, limit, delta]))
    if first.ndim or last.ndim or step.ndim:
        raise InvalidArgumentError("`range` needs scalars for start, limit and delta.")
    if (step > 0 and first > last) or (step < 0 and first < last):
        raise InvalidArgumentError(f"`range` cannot get from {first} to {last} by steps of {step}.")
    if step == 0 or not (np.isfinite(first) and np.isfinite(last) and np.isfinite(step)):
        raise InvalidArgumentError(
            f"`range` needs finite numbers and a `delta` other than 0, received {first}, {last}, {step}."
        )
    dtype = first.dtype if dtype is None else as_dtype(dtype).dtype
    if first.dtype.kind != "f":
        return Tensor(np.arange(first, last, step).astype(dtype))
    count = max(0, int(np.ceil((np.float64(last) - np.float64(first)) / np.float64(step))))
    if first.dtype == np.float32:  # TensorFlow counts in the float's own precision: 0, 1, 0.3 has four numbers
        count = max(0, int(np.ceil(np.abs((last - first) / step))))
    steps = np.arange(count, dtype=first.dtype)
    return Tensor((first + steps * step).astype(dtype))


def linspace(start: Any, stop: Any, num: Any, name: str | None = None, axis: int = 0) -> Tensor:
    """`num` evenly spaced numbers from start to stop, both included. Python ints give float64, as in TensorFlow."""
    count = as_int(num, "num")
    if count < 0:
        raise InvalidArgumentError(f"`linspace` needs `num` of 0 or more, received {count}.")
    first, last = tensors([start, stop])
    if first._array.shape != last._array.shape:
        raise ShapeError(f"`linspace` needs one shape for start and stop, received {first.shape} and {last.shape}.")
    one_axis(axis, first._array.ndim + 1)
    dtype = first._array.dtype if first._array.dtype.kind == "f" else np.dtype(np.float64)
    if isinstance(start, TensorLike) or isinstance(stop, TensorLike):  # on the tape
        first, last = to_dtype(first, dtype), to_dtype(last, dtype)
        steps = np.linspace(0.0, 1.0, count, dtype=dtype).reshape((-1,) + (1,) * first._array.ndim)
        out = ops.add(first, ops.multiply(ops.subtract(last, first), Tensor(steps)))
        order = np.moveaxis(np.arange(out._array.ndim), 0, axis) if axis else None
        return out if order is None else ops.transpose(out, perm=tuple(int(each) for each in order))
    return Tensor(np.linspace(first._array.astype(dtype), last._array.astype(dtype), count, axis=axis, dtype=dtype))


@primitive(name="one_hot")
def _one_hot(indices, *, depth, on_value, off_value, axis, dtype):
    hit = np.expand_dims(indices, axis) == np.arange(depth).reshape((depth,) + (1,) * (-axis - 1))
    return np.where(hit, np.asarray(on_value, dtype), np.asarray(off_value, dtype))


@_one_hot.written()
def _(emitter, out, indices, *, depth, on_value, off_value, axis, dtype):
    if (on_value, off_value, axis) != (1, 0, -1):
        kernel, on, off = emitter.name(_one_hot.primitive.kernel), emitter.literal(on_value), emitter.literal(off_value)
        given = f"depth={depth}, on_value={on}, off_value={off}, axis={axis}, dtype={emitter.name(dtype)}"
        emitter.line(f"{emitter.name(np.copyto)}({out}, {kernel}({indices}, {given}))")
        return
    hit = emitter.scratch(out.shape, np.bool_)
    column = emitter.view(indices, lambda array: array[..., None], f"{indices}[..., None]")
    emitter.line(f"{emitter.name(np.equal)}({column}, {emitter.name(np.arange(depth), 'classes')}, {hit})")
    emitter.line(f"{emitter.name(np.copyto)}({out}, {hit})")


def one_hot(
    indices: Any,
    depth: Any,
    on_value: Any = None,
    off_value: Any = None,
    axis: int | None = None,
    dtype: Any = None,
    name: str | None = None,
) -> Tensor:
    """`on_value` (1) at each index along a new axis of size `depth`, `off_value` (0) elsewhere.

    `indices`: integers of any shape; one outside [0, depth) gives a row of off_value. `axis`: where the new axis
    stands, last by default. `dtype`: float32 unless the values have one.
    """
    on, off = as_tensor(1.0 if on_value is None else on_value), as_tensor(0.0 if off_value is None else off_value)
    dtypes = on._array.dtype, off._array.dtype
    decided = promote(*dtypes) if on_value is not None and off_value is not None else None
    if decided is None:
        decided = dtypes[0] if on_value is not None else dtypes[1] if off_value is not None else float32.dtype
    indices = as_tensor(indices)
    if as_int(depth, "depth") < 0:
        raise InvalidArgumentError(f"`depth` must be 0 or more, received {depth}.")
    ndim = len(indices.shape) + 1
    place = -1 if axis is None else as_int(axis, "axis")
    if not -ndim <= place < ndim:
        raise InvalidArgumentError(f"Invalid `axis` {axis} for indices with {ndim - 1} dimension(s).")
    options = {"depth": as_int(depth, "depth"), "axis": place - ndim if place >= 0 else place}
    found = dtype_or(dtype, as_dtype(decided))
    if isinstance(on_value, TensorLike) or isinstance(off_value, TensorLike):  # others, perhaps, when a program runs
        is_there = _one_hot(indices, **options, on_value=True, off_value=False, dtype=np.dtype(bool))
        return ops.where(is_there, *(ops.stop_gradient(to_dtype(each, found)) for each in (on, off)))
    return _one_hot(indices, **options, on_value=on._array, off_value=off._array, dtype=found)


def shape(input: Any, out_type: Any = int32, name: str | None = None) -> Tensor:
    """The shape of `input` as a Tensor of integers."""
    return Tensor(np.array(as_tensor(input)._array.shape, as_dtype(out_type).dtype))


def shape_n(input: Any, out_type: Any = int32, name: str | None = None) -> list[Tensor]:
    """The shapes of several Tensors."""
    return [shape(each, out_type) for each in input]


def size(input: Any, out_type: Any = int32, name: str | None = None) -> Tensor:
    """The number of elements of `input` as a scalar Tensor."""
    return Tensor(np.array(as_tensor(input)._array.size, as_dtype(out_type).dtype))


def rank(input: Any, name: str | None = None) -> Tensor:
    """The number of axes of `input` as a scalar int32 Tensor."""
    return Tensor(np.array(as_tensor(input)._array.ndim, np.int32))
