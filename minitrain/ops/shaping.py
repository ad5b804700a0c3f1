"""Shapes: reshape, transpose, join, cut, repeat, pad. What moves elements has the reverse move as its gradient."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from minitrain.engine.convert import LATE, as_tensor, like, tensors, to_dtype
from minitrain.engine.primitive import ops, primitive
from minitrain.engine.tensor import Tensor, TensorLike
from minitrain.errors import InvalidArgumentError, ShapeError
from minitrain.ops.axes import as_int, as_ints, as_shape, lead_of, many_axes, one_axis
from minitrain.ops.indexing import pick_slice, take

# ------------------------------------------------------------------------------------------------------- primitives


@primitive(name="reshape", view=True)
def _reshape(x, *, shape):
    return x.reshape(shape)


@_reshape.vjp("x")
def _(xp, g, out, x, *, shape):
    return xp.reshape(g, shape=tuple(g.shape[: lead_of(g, out)]) + tuple(x.shape))


@primitive(name="broadcast_to")
def _broadcast_to(x, *, shape):
    # A written copy: np.broadcast_to takes three times as long for small arrays, and BLAS would copy its views.
    out = np.empty(shape, x.dtype)
    out[...] = x
    return out


@_broadcast_to.vjp("x")
def _(xp, g, out, x, *, shape):
    return g  # the engine sums over what was broadcast


@primitive(name="transpose", view=True)
def _transpose(x, *, perm):
    return x.transpose(perm)


@_transpose.vjp("x")
def _(xp, g, out, x, *, perm):
    lead = lead_of(g, out)
    back = [0] * len(perm)
    for place, axis in enumerate(perm):
        back[axis] = lead + place
    return xp.transpose(g, perm=(*range(lead), *back))


@primitive(name="swapaxes", view=True)
def _swapaxes(x, *, axis1, axis2):
    return x.swapaxes(axis1, axis2)


@_swapaxes.vjp("x")
def _(xp, g, out, x, *, axis1, axis2):
    return xp.swapaxes(g, axis1=axis1, axis2=axis2)


@primitive(name="concat")
def _concat(*xs, axis):
    return np.concatenate(xs, axis=axis)


@_concat.vjp()
def _(xp, g, wanted, out, *xs, axis):
    parts, start = [], 0
    for x, is_wanted in zip(xs, wanted, strict=True):
        stop = start + x.shape[axis]
        parts.append(xp.getitem(g, index=pick_slice(slice(start, stop), axis)) if is_wanted else None)
        start = stop
    return parts


@primitive(name="stack")
def _stack(*xs, axis):
    return np.stack(xs, axis=axis)


@_stack.written()
def _(emitter, out, *xs, axis):
    for place, x in enumerate(xs):
        if out.ndim == 1:
            emitter.line(f"{out}[{place}] = {x}")
        else:
            part = emitter.view(out, lambda array, place=place: array[pick_slice(place, axis)], "")
            emitter.line(f"{emitter.name(np.copyto)}({part}, {x})")


@_stack.vjp()
def _(xp, g, wanted, out, *xs, axis):
    axis = axis if axis < 0 else axis - len(out.shape)
    return [
        xp.getitem(g, index=pick_slice(place, axis)) if is_wanted else None for place, is_wanted in enumerate(wanted)
    ]


@primitive(name="split")
def _split(x, *, sizes, axis):
    stops = [sum(sizes[: place + 1]) for place in range(len(sizes))]
    return tuple([x[pick_slice(slice(stop - size, stop), axis)] for size, stop in zip(sizes, stops, strict=True)])


@_split.vjp()
def _(xp, g, wanted, out, x, *, sizes, axis):
    return [xp.concat(*g, axis=axis)]


@primitive(name="unstack")
def _unstack(x, *, axis):
    return tuple([x[pick_slice(place, axis)] for place in range(x.shape[axis])])


@_unstack.vjp()
def _(xp, g, wanted, out, x, *, axis):
    return [xp.stack(*g, axis=axis)]


@primitive(name="pad")
def _pad(x, *, paddings, value):
    return np.pad(x, paddings, constant_values=value)


@_pad.vjp("x")
def _(xp, g, out, x, *, paddings, value):
    inner = tuple(slice(before, before + size) for (before, _), size in zip(paddings, x.shape, strict=True))
    return xp.getitem(g, index=(Ellipsis, *inner))


@primitive(name="tile")
def _tile(x, *, multiples):
    return np.tile(x, multiples)


@_tile.vjp("x")
def _(xp, g, out, x, *, multiples):
    lead = lead_of(g, out)
    folded = [size for pair in zip(multiples, x.shape, strict=True) for size in pair]
    g = xp.reshape(g, shape=(*g.shape[:lead], *folded))
    return xp.sum(g, axis=tuple(range(-2 * len(multiples), 0, 2)), keepdims=False)


@primitive(name="roll")
def _roll(x, *, shift, axis):
    return np.roll(x, shift, axis)


@_roll.vjp("x")
def _(xp, g, out, x, *, shift, axis):
    return xp.roll(g, shift=tuple(-each for each in shift), axis=axis)


# ------------------------------------------------------------------------------------------------ TensorFlow's names


def reshape(tensor: Any, shape: Any, name: str | None = None) -> Tensor:
    """The same elements in another shape; one size may be -1, for what is left. Raises ShapeError where they differ.

    None means -1 too, as in the shape of a symbolic tensor.
    """
    x = as_tensor(tensor)
    if isinstance(shape, (list, tuple)) and None in shape:
        shape = [-1 if size is None else size for size in shape]
    sizes = as_ints(shape, "shape")
    array = x._array
    if sizes.count(-1) > 1 or any(size < -1 for size in sizes):
        raise ShapeError(f"`shape` may hold -1 once and else sizes of 0 or more, received {sizes}.")
    known = prod(size for size in sizes if size != -1)
    if (-1 in sizes and (known == 0 or array.size % known)) or (-1 not in sizes and known != array.size):
        if not (known == 0 and array.size == 0 and -1 in sizes):
            raise ShapeError(
                f"Input to reshape has {array.size} values (shape {array.shape}), but the requested shape {sizes} "
                f"has {'a multiple of ' if -1 in sizes else ''}{known}."
            )
        # Of an empty tensor the sizes that are not 0 settle what is left, as in TensorFlow.
        left = prod(size for size in array.shape if size) // prod(size for size in sizes if size > 0)
        sizes = tuple(left if size == -1 else size for size in sizes)
    return _reshape(x, shape=sizes)


def transpose(a: Any, perm: Any = None, conjugate: bool = False, name: str | None = None) -> Tensor:
    """The axes in the order `perm`, reversed by default."""
    x = as_tensor(a)
    ndim = x._array.ndim
    order = tuple(range(ndim))[::-1] if perm is None else as_ints(perm, "perm")
    order = tuple(axis + ndim if axis < 0 else axis for axis in order)
    if sorted(order) != list(range(ndim)):
        raise InvalidArgumentError(
            f"`perm` must name each axis of shape {x._array.shape} once: expected a permutation of "
            f"{list(range(ndim))}, received {perm}."
        )
    return _transpose(x, perm=order)


def matrix_transpose(a: Any, name: str = "matrix_transpose", conjugate: bool = False) -> Tensor:
    """The last two axes exchanged. (..., m, n) -> (..., n, m)"""
    x = as_tensor(a)
    if x._array.ndim < 2:
        raise ShapeError(f"`matrix_transpose` needs at least 2 dimensions, received shape {x._array.shape}.")
    return _swapaxes(x, axis1=-1, axis2=-2)


def _is_text(value: Any) -> bool:
    return isinstance(value, np.ndarray) and value.dtype.kind in "OUST"


def expand_dims(input: Any, axis: Any, name: str | None = None) -> Tensor:
    """A new axis of size 1 at `axis`. Text, which no Tensor holds, stays an ndarray."""
    if _is_text(input):
        return np.expand_dims(input, axis)  # type: ignore[return-value]  # a column of a table, for a lookup layer
    x = as_tensor(input)
    shape = x._array.shape
    place = one_axis(axis, len(shape) + 1) + len(shape) + 1
    return _reshape(x, shape=(*shape[:place], 1, *shape[place:]))


def squeeze(input: Any, axis: Any = None, name: str | None = None) -> Tensor:
    """Without the axes of size 1, or those of them that `axis` names. Raises where one of those is larger.

    Text, which no Tensor holds, stays an ndarray.
    """
    if _is_text(input):
        return np.squeeze(input, axis)  # type: ignore[no-any-return]
    x = as_tensor(input)
    shape = x._array.shape
    axes = many_axes(axis, len(shape)) if axis is not None and axis != [] else None
    if axes is None:
        return _reshape(x, shape=tuple(size for size in shape if size != 1))
    for each in axes:
        if shape[each] != 1:
            raise InvalidArgumentError(
                f"Can not squeeze `axis` {each + len(shape)} of shape {shape}: expected size 1, received {shape[each]}."
            )
    gone = {each + len(shape) for each in axes}
    return _reshape(x, shape=tuple(size for place, size in enumerate(shape) if place not in gone))


def broadcast_to(input: Any, shape: Any, name: str | None = None) -> Tensor:
    """Repeated to `shape`, whose sizes must be the input's or meet a size of 1, counted from the last axis."""
    return _broadcast_to(as_tensor(input), shape=as_shape(shape))


def concat(values: Any, axis: Any, name: str = "concat") -> Tensor:
    """Joined along an axis that they have. Shapes must agree in all other axes. One Tensor is a list of one."""
    xs = tensors([values] if isinstance(values, TensorLike) else _sequence(values, "concat"))
    shapes = [x._array.shape for x in xs]
    place = one_axis(axis, len(shapes[0]))
    for shape in shapes:
        if len(shape) != len(shapes[0]) or _without(shape, place) != _without(shapes[0], place):
            raise ShapeError(
                f"`concat` along axis {place + len(shapes[0])} needs shapes that agree in all other axes, received "
                f"{shapes[0]} and {shape}."
            )
    return _concat(*xs, axis=place)


def stack(values: Any, axis: Any = 0, name: str = "stack") -> Tensor:
    """Joined along a new axis. All shapes must be equal. Of nothing, it is an empty vector."""
    if isinstance(values, (list, tuple)) and not values:
        return as_tensor([])
    xs = tensors(_sequence(values, "stack"))
    shapes = [x._array.shape for x in xs]
    for shape in shapes:
        if shape != shapes[0]:
            raise ShapeError(f"`stack` needs equal shapes, received {shapes[0]} and {shape}.")
    return _stack(*xs, axis=one_axis(axis, len(shapes[0]) + 1))


def unstack(value: Any, num: int | None = None, axis: Any = 0, name: str = "unstack") -> list[Tensor]:
    """The slices along an axis, as a list; `num`, if given, must be their number."""
    x = as_tensor(value)
    place = one_axis(axis, x._array.ndim)
    if num is not None and num != x._array.shape[place]:
        raise InvalidArgumentError(f"`num` is {num}, but axis {axis} of shape {x._array.shape} has another size.")
    return list(_unstack(x, axis=place))


def split(
    value: Any, num_or_size_splits: Any, axis: Any = 0, num: int | None = None, name: str = "split"
) -> list[Tensor]:
    """Cut along an axis: into `num_or_size_splits` equal parts, or parts of the given sizes (one may be -1)."""
    x = as_tensor(value)
    place = one_axis(axis, x._array.ndim)
    size = x._array.shape[place]
    if np.ndim(num_or_size_splits) == 0:
        ways = as_int(num_or_size_splits, "num_or_size_splits")
        if ways < 1 or size % ways:
            raise InvalidArgumentError(
                f"`num_or_size_splits` should evenly divide the axis, received {ways} for axis {axis} of size {size} "
                f"in shape {x._array.shape}. Give a list of sizes for unequal parts."
            )
        sizes = (size // ways,) * ways
    else:
        sizes = as_ints(num_or_size_splits, "num_or_size_splits")
        if sizes.count(-1) == 1:
            sizes = tuple(size - sum(sizes) - 1 if each == -1 else each for each in sizes)
        if any(each < 0 for each in sizes) or sum(sizes) != size:
            raise InvalidArgumentError(
                f"`num_or_size_splits` must add up to the size {size} of axis {axis}, received {num_or_size_splits}."
            )
    return list(_split(x, sizes=sizes, axis=place))


def tile(input: Any, multiples: Any, name: str | None = None) -> Tensor:
    """Repeated as a whole, `multiples[i]` times along axis i."""
    x = as_tensor(input)
    times = as_ints(multiples, "multiples")
    if len(times) != x._array.ndim or any(each < 0 for each in times):
        raise InvalidArgumentError(
            f"`multiples` needs one number of 0 or more per axis of shape {x._array.shape}, received {times}."
        )
    return _tile(x, multiples=times)


def repeat(input: Any, repeats: Any, axis: Any = None, name: str | None = None) -> Tensor:
    """Each element repeated along an axis: `repeats` times, or as often as its entry in `repeats` says.

    Without `axis` the input is flattened first.
    """
    x = as_tensor(input)
    if axis is None:
        x, axis = reshape(x, (-1,)), 0
    place = one_axis(axis, x._array.ndim)
    size = x._array.shape[place]
    times = np.atleast_1d(np.asarray(repeats))
    if times.dtype.kind not in "iu" or (times < 0).any() or len(times) not in (1, size):
        raise InvalidArgumentError(
            f"`repeats` needs one count of 0 or more, or one for each of {size} elements, received {repeats}."
        )
    return take(x, np.repeat(np.arange(size), times), axis=place)


def pad(
    tensor: Any, paddings: Any, mode: str = "CONSTANT", constant_values: Any = 0, name: str | None = None
) -> Tensor:
    """Widened by `paddings`, (n, 2) counts before and after each axis.

    `mode`: "CONSTANT" fills with `constant_values`, "REFLECT" mirrors without the edge, "SYMMETRIC" with it.
    """
    x = as_tensor(tensor)
    widths = np.asarray(paddings)
    array = x._array
    if widths.shape != (array.ndim, 2) or (widths.size and (widths.dtype.kind not in "iu" or widths.min() < 0)):
        raise ShapeError(
            f"`paddings` needs shape {(array.ndim, 2)} for a tensor of shape {array.shape}, counts of 0 or more; "
            f"received {paddings!r}."
        )
    pairs = tuple((int(before), int(after)) for before, after in widths)
    kind = mode.upper() if isinstance(mode, str) else mode
    if kind == "CONSTANT":
        if not isinstance(constant_values, TensorLike):
            value = like(constant_values, array.dtype)._array
            return _pad(x, paddings=pairs, value=value.astype(array.dtype)[()])
        is_inside = Tensor(np.pad(np.ones(array.shape, bool), pairs))
        value = to_dtype(ops.stop_gradient(constant_values), array.dtype)  # another one, perhaps, when a program runs
        return ops.where(is_inside, _pad(x, paddings=pairs, value=array.dtype.type(0)), value)
    if kind not in ("REFLECT", "SYMMETRIC"):
        raise InvalidArgumentError(f"`mode` must be 'CONSTANT', 'REFLECT' or 'SYMMETRIC', received {mode!r}.")
    for place, pair in enumerate(pairs):
        size = array.shape[place]
        if max(pair) > (size if kind == "SYMMETRIC" else size - 1):
            raise InvalidArgumentError(
                f"`paddings` {pair} are too large for axis {place} of size {size} in mode {kind}."
            )
        if pair != (0, 0):
            x = take(x, np.pad(np.arange(size), pair, kind.lower()), axis=place - array.ndim)
    return x


def reverse(tensor: Any, axis: Any, name: str | None = None) -> Tensor:
    """The order along each of the given axes turned round."""
    x = as_tensor(tensor)
    turned = set(many_axes(axis, x._array.ndim) or ())
    index = tuple(slice(None, None, -1 if place in turned else 1) for place in range(-x._array.ndim, 0))
    return x[index] if turned else x


def flip(tensor: Any, axis: Any = None, name: str | None = None) -> Tensor:
    """The order along the given axes turned round, along all of them by default."""
    x = as_tensor(tensor)
    return reverse(x, range(x._array.ndim) if axis is None else axis)


def roll(input: Any, shift: Any, axis: Any, name: str | None = None) -> Tensor:
    """Elements moved on by `shift` along each axis, those beyond the end to the front."""
    x = as_tensor(input)
    shifts = as_ints(shift, "shift")
    axes = tuple(one_axis(each, x._array.ndim) for each in as_ints(axis, "axis"))
    if len(shifts) != len(axes):
        raise InvalidArgumentError(f"`shift` and `axis` need the same length, received {shift} and {axis}.")
    return _roll(x, shift=shifts, axis=axes)


def meshgrid(*args: Any, indexing: str = "xy", name: str | None = None) -> list[Tensor]:
    """Coordinate grids of the vectors `args`; `indexing` "xy" exchanges the first two axes, "ij" does not."""
    if indexing not in ("xy", "ij"):
        raise InvalidArgumentError(f"`indexing` must be 'xy' or 'ij', received {indexing!r}.")
    xs = [reshape(each, (-1,)) for each in args]
    order = list(range(len(xs)))
    if indexing == "xy" and len(xs) > 1:
        order[0], order[1] = 1, 0
    shape = tuple(xs[place]._array.size for place in order)
    grids = []
    for place, x in enumerate(xs):
        along = tuple(x._array.size if order[axis] == place else 1 for axis in range(len(xs)))
        grids.append(_broadcast_to(_reshape(x, shape=along), shape=shape))
    return grids


def _sequence(values: Any, op: str) -> list[Any]:
    if isinstance(values, TensorLike):
        return list(values)
    if not isinstance(values, (list, tuple, np.ndarray)) or len(values) == 0:
        raise InvalidArgumentError(f"`{op}` needs a non-empty list of tensors, received {values!r}.")
    return list(values)


def _without(shape: tuple[int, ...], axis: int) -> tuple[int, ...]:
    return tuple(size for place, size in enumerate(shape) if place - len(shape) != axis)


LATE["stack"] = stack
LATE["reshape"] = reshape
LATE["broadcast_to"] = broadcast_to
