"""Picking and placing by position: slices, gathers, scatters, sorting.

The set is closed under differentiation: `getitem` and `place`, `take` and `scatter_add`, `take_along` and
`scatter_along` are each other's gradients. Integer index arrays are inputs without a gradient.
"""

from __future__ import annotations

from collections import namedtuple
from math import prod
from typing import Any

import numpy as np

from minitrain.dtypes import as_dtype, int32
from minitrain.engine.convert import LATE, as_tensor, same_dtype, tensors, to_dtype
from minitrain.engine.primitive import ops, primitive
from minitrain.engine.program.record import Effect, happen
from minitrain.engine.tensor import Tensor, TensorLike
from minitrain.errors import DTypeError, InvalidArgumentError, OutOfRangeError, ShapeError
from minitrain.ops.axes import as_int, as_ints, as_shape, one_axis, values_of

TopK = namedtuple("TopKV2", ["values", "indices"])
Unique = namedtuple("Unique", ["y", "idx"])
UniqueWithCounts = namedtuple("UniqueWithCounts", ["y", "idx", "count"])


def pick_slice(index: Any, axis: int) -> tuple[Any, ...]:
    """The index that applies `index` to the axis `axis`, a negative number, and takes all of the others."""
    return (Ellipsis, index) + (slice(None),) * (-axis - 1)


# ------------------------------------------------------------------------------------------------------- primitives


@primitive(name="getitem", view=True)
def _getitem(x, *, index):
    return x[index]


@_getitem.vjp("x")
def _(xp, g, out, x, *, index):
    return xp.place(g, index=index, shape=tuple(x.shape), ndim=len(out.shape))


@primitive(name="place")
def _place(g, *, index, shape, ndim):
    """Zeros of `shape` with `g` written where `getitem` reads; axes beyond the last `ndim` of g are kept."""
    lead = g.ndim - ndim
    out = np.zeros(g.shape[:lead] + shape, g.dtype)
    out[(slice(None),) * lead + index] = g
    return out


@_place.vjp("g")
def _(xp, gg, out, g, *, index, shape, ndim):
    lead = len(gg.shape) - len(shape)
    return xp.getitem(gg, index=(slice(None),) * lead + index)


@primitive(name="take")
def _take(x, indices, *, axis):
    return x.take(indices, axis)


@_take.vjp("x")
def _(xp, g, out, x, indices, *, axis):
    return xp.scatter_add(g, indices, axis=axis, size=x.shape[axis])


@primitive(name="scatter_add")
def _scatter_add(g, indices, *, axis, size):
    """Zeros with `size` places along `axis`, to which the slices of `g` are added where `take` reads them."""
    after = g.shape[g.ndim + axis + 1 :]
    before = g.shape[: g.ndim + axis + 1 - indices.ndim]
    flat = indices.reshape(-1)
    rows = np.moveaxis(g.reshape((prod(before), flat.size, prod(after))), 1, 0)
    out = np.zeros((size, prod(before), prod(after)), g.dtype)
    if flat.size:
        order = np.argsort(flat, kind="stable")
        places = flat[order]
        starts = np.flatnonzero(np.concatenate([[True], places[1:] != places[:-1]]))
        out[places[starts]] = np.add.reduceat(rows[order], starts, axis=0, dtype=g.dtype)
    return np.moveaxis(out, 0, 1).reshape((*before, size, *after))


@_scatter_add.vjp("g")
def _(xp, gg, out, g, indices, *, axis, size):
    return xp.take(gg, indices, axis=axis)


@primitive(name="scatter_update")
def _scatter_update(x, indices, updates):
    """x, (..., n, m), with rows `indices`, (k,), replaced by `updates`, (..., k, m); the last one wins."""
    out = np.broadcast_to(x, updates.shape[:-2] + x.shape[-2:]).copy() if updates.ndim > x.ndim else x.copy()
    out[..., indices, :] = updates
    return out


@_scatter_update.vjp("x")
def _(xp, g, out, x, indices, updates):
    return xp.scatter_update(g, indices, xp.zeros_like(xp.take(g, indices, axis=-2)))


@_scatter_update.vjp("updates")
def _(xp, g, out, x, indices, updates):
    return xp.take(g, indices, axis=-2)


@primitive(name="take_along")
def _take_along(x, indices, *, axis):
    return np.take_along_axis(x, indices.reshape((1,) * (x.ndim - indices.ndim) + indices.shape), axis)


@_take_along.vjp("x")
def _(xp, g, out, x, indices, *, axis):
    return xp.scatter_along(g, indices, axis=axis, size=x.shape[axis])


@primitive(name="scatter_along")
def _scatter_along(g, indices, *, axis, size):
    """Zeros with `size` places along `axis`, to which the elements of `g` are added where `take_along` reads them."""
    indices = np.broadcast_to(indices, g.shape)
    place = g.ndim + axis
    out = np.zeros((*g.shape[:place], size, *g.shape[place + 1 :]), g.dtype)
    grid = list(np.ogrid[tuple(slice(each) for each in g.shape)])
    grid[place] = indices
    np.add.at(out, tuple(grid), g)
    return out


@_scatter_along.vjp("g")
def _(xp, gg, out, g, indices, *, axis, size):
    return xp.take_along(gg, indices, axis=axis)


@primitive(name="argsort")
def _argsort(x, *, axis, descending):
    if not descending:
        return np.argsort(x, axis=axis, kind="stable").astype(np.int32)
    # Turned round twice, so that ties keep their order here too.
    flipped = np.argsort(np.flip(x, axis), axis=axis, kind="stable")
    return np.flip(x.shape[axis] - 1 - flipped, axis).astype(np.int32)


@primitive(name="searchsorted")
def _searchsorted(sequence, values, *, side, dtype):
    if sequence.ndim == 1:
        return np.searchsorted(sequence, values, side).astype(dtype)
    rows = zip(sequence.reshape(-1, sequence.shape[-1]), values.reshape(-1, values.shape[-1]), strict=True)
    return np.array([np.searchsorted(row, value, side) for row, value in rows], dtype).reshape(values.shape)


# ---------------------------------------------------------------------------------------------------------- indexing


def getitem(x: Any, key: Any) -> Tensor:
    """`x[key]`: integers, slices, `...`, `newaxis`, integer and boolean arrays or Tensors, as in NumPy.

    Raises OutOfRangeError, an IndexError too, where an index lies outside its axis.
    """
    x = x._read()
    keys = key if type(key) is tuple else (key,)
    index = tuple([each if type(each) in BASIC else _plain(each) for each in keys])
    if all(isinstance(each, BASIC_TYPES) for each in index):
        _check_range(x._array, index)
        return _getitem(x, index=index)
    return _advanced(x, index)


LATE["getitem"] = getitem
BASIC = frozenset((int, slice, type(Ellipsis), type(None)))
BASIC_TYPES = (int, slice, type(Ellipsis), type(None))


def _plain(key: Any) -> Any:
    """One entry of an index as an int, a slice of ints, `...`, None, or an ndarray of integers or bools."""
    if isinstance(key, slice):
        return slice(*(None if bound is None else as_int(bound, "slice bound") for bound in _bounds(key)))
    if isinstance(key, TensorLike):
        key = values_of(key._read())
    if isinstance(key, bool):
        return np.array(key)
    if isinstance(key, (list, tuple)):
        key = np.asarray(values_of(as_tensor(key)) if len(key) else np.zeros(0, np.int64))
    if isinstance(key, (np.ndarray, np.generic)):
        if key.dtype.kind in "iu":
            return key if key.ndim else int(key)
        if key.dtype.kind == "b":
            return np.asarray(key)
    elif hasattr(key, "__index__"):
        return int(key.__index__())
    raise DTypeError(
        "Only integers, slices, ellipsis, newaxis and integer or boolean arrays are valid indices, received "
        f"{key!r} of type {type(key).__name__!r}."
    )


def _bounds(key: slice) -> tuple[Any, Any, Any]:
    return key.start, key.stop, key.step


def _check_range(array: Any, index: tuple[Any, ...]) -> None:
    """Raise where an integer lies outside its axis or entries outnumber the axes: NumPy's words lack the shape."""
    used = sum(each is not None and each is not Ellipsis for each in index)
    if used > array.ndim or index.count(Ellipsis) > 1:
        raise OutOfRangeError(f"Too many indices: {index!r} for a tensor of shape {array.shape}.")
    axis = 0
    for each in index:
        if each is Ellipsis:
            axis += array.ndim - used
        elif each is not None:
            size = array.shape[axis]
            if isinstance(each, int) and not -size <= each < size:
                raise OutOfRangeError(
                    f"slice index {each} of dimension {axis} out of bounds: the axis has size {size}, the tensor "
                    f"shape {array.shape}."
                )
            axis += 1


def _advanced(x: Tensor, index: tuple[Any, ...]) -> Tensor:
    array = x._array
    (first, *rest) = index
    if isinstance(first, np.ndarray) and first.dtype.kind != "b" and not rest and array.ndim:
        size = array.shape[0]
        if first.size and not (-size <= first.min() and first.max() < size):
            raise OutOfRangeError(f"An index in {first!r} lies outside axis 0 of size {size}, shape {array.shape}.")
        return _take(x, Tensor(first), axis=-array.ndim)
    try:
        # Where each element of the result stands in the flattened tensor: any mixture of entries becomes one `take`.
        places = np.arange(array.size).reshape(array.shape)[index]
    except IndexError as error:
        raise OutOfRangeError(f"Invalid index for a tensor of shape {array.shape}: {error}.") from error
    return _take(ops.reshape(x, shape=(-1,)), Tensor(np.asarray(places)), axis=-1)


def slice_(input_: Any, begin: Any, size: Any, name: str | None = None) -> Tensor:
    """`size` elements along each axis from `begin` on; a size of -1 takes all that remain."""
    x = as_tensor(input_)
    shape = x._array.shape
    starts, sizes = as_ints(begin, "begin"), as_ints(size, "size")
    if len(starts) != len(shape) or len(sizes) != len(shape):
        raise ShapeError(f"`begin` and `size` need one entry per axis of shape {shape}, received {starts} and {sizes}.")
    stops = [total if n == -1 else start + n for start, n, total in zip(starts, sizes, shape, strict=True)]
    for start, stop, total in zip(starts, stops, shape, strict=True):
        if not 0 <= start <= stop <= total:
            raise InvalidArgumentError(f"`begin` {starts} and `size` {sizes} reach outside shape {shape}.")
    return _getitem(x, index=tuple(slice(a, b) for a, b in zip(starts, stops, strict=True)))


def strided_slice(
    input_: Any,
    begin: Any,
    end: Any,
    strides: Any = None,
    begin_mask: int = 0,
    end_mask: int = 0,
    ellipsis_mask: int = 0,
    new_axis_mask: int = 0,
    shrink_axis_mask: int = 0,
    var: Any = None,
    name: str | None = None,
) -> Tensor:
    """input_[begin[0]:end[0]:strides[0], ...]. In a mask bit i changes entry i.

    `begin_mask`, `end_mask`: the bound is left out; `ellipsis_mask`: `...`; `new_axis_mask`: `newaxis`;
    `shrink_axis_mask`: begin[i] alone.
    """
    starts, stops = as_ints(begin, "begin"), as_ints(end, "end")
    steps = (1,) * len(starts) if strides is None else as_ints(strides, "strides")

    def entry(i: int, start: int, stop: int, step: int) -> Any:
        if ellipsis_mask >> i & 1:
            return Ellipsis
        if new_axis_mask >> i & 1:
            return None
        if shrink_axis_mask >> i & 1:
            return start
        return slice(None if begin_mask >> i & 1 else start, None if end_mask >> i & 1 else stop, step)

    bounds = zip(starts, stops, steps, strict=True)
    return getitem(as_tensor(input_), tuple(entry(i, *each) for i, each in enumerate(bounds)))


def take(x: Any, indices: Any, axis: int) -> Tensor:
    """Slices of x along `axis`, counted from the right; what `gather` and its kin come down to."""
    return _take(x, indices, axis=axis)


def gather(
    params: Any,
    indices: Any,
    validate_indices: Any = None,
    axis: Any = None,
    batch_dims: int = 0,
    name: str | None = None,
) -> Tensor:
    """Slices of `params` along `axis` (0, or `batch_dims`) at the places `indices`.

    The result has shape params.shape[:axis] + indices.shape[batch_dims:] + params.shape[axis + 1:]. The first
    `batch_dims` axes of both are matched, one by one. Raises InvalidArgumentError for an index outside the axis.
    """
    x, i = as_tensor(params), _integers(indices, "indices")
    ndim = x._array.ndim
    batch = batch_dims + i._array.ndim if batch_dims < 0 else batch_dims
    place = one_axis(batch if axis is None else axis, ndim) + ndim
    within(i, x._array.shape[place], "indices")
    if batch == 0:
        return _take(x, i, axis=place - ndim)
    shape, of = x._array.shape, i._array.shape
    if shape[:batch] != of[:batch] or place < batch:
        raise ShapeError(f"The first {batch} axes of params {shape} and indices {of} must agree and stand before axis.")
    moved = ops.transpose(x, perm=(*range(batch), place, *range(batch, place), *range(place + 1, ndim)))
    middle, after = shape[batch:place], shape[place + 1 :]
    rows = ops.reshape(moved, shape=(prod(shape[:batch]) * shape[place], prod(middle + after)))
    offsets = np.arange(prod(shape[:batch])).reshape(shape[:batch] + (1,) * (len(of) - batch)) * shape[place]
    picked = _take(rows, Tensor(np.asarray(values_of(i) + offsets)), axis=-2)
    picked = ops.reshape(picked, shape=of + middle + after)
    start, stop = len(of), len(of) + len(middle)
    order = (*range(batch), *range(start, stop), *range(batch, start), *range(stop, stop + len(after)))
    return ops.transpose(picked, perm=order)


def gather_nd(params: Any, indices: Any, batch_dims: int = 0, name: str | None = None) -> Tensor:
    """Slices of `params` at the coordinates in the last axis of `indices`.

    indices: (..., k) with k at most params.ndim; the result has shape indices.shape[:-1] + params.shape[k:]. The
    first `batch_dims` axes of both are matched, one by one.
    """
    x, i = as_tensor(params), _integers(indices, "indices")
    if batch_dims:
        grid = np.indices(i._array.shape[:-1])[:batch_dims]
        i = Tensor(np.concatenate([*(each[..., None] for each in grid), values_of(i)], axis=-1))
    flat, shape, rest = _flat_places(values_of(i), x._array.shape)
    rows = ops.reshape(x, shape=(shape, *rest))
    return _take(rows, Tensor(flat), axis=-len(rest) - 1)


def scatter_nd(indices: Any, updates: Any, shape: Any, name: str | None = None) -> Tensor:
    """Zeros of `shape` to which `updates` are added at the coordinates `indices`; repeated ones add up.

    indices: (..., k), updates: indices.shape[:-1] + shape[k:].
    """
    sizes = as_shape(shape)
    i, u = _integers(indices, "indices"), as_tensor(updates)
    flat, rows, rest = _flat_places(values_of(i), sizes)
    _fits(u, flat.shape + rest)
    u = ops.reshape(u, shape=(flat.size, *rest))
    return ops.reshape(_scatter_add(u, Tensor(flat.reshape(-1)), axis=-len(rest) - 1, size=rows), shape=sizes)


def tensor_scatter_nd_add(tensor: Any, indices: Any, updates: Any, name: str | None = None) -> Tensor:
    """`tensor` with `updates` added at the coordinates `indices`; repeated ones add up."""
    x, u = same_dtype(as_tensor(tensor), as_tensor(updates))
    return ops.add(x, scatter_nd(indices, u, x._array.shape))


def tensor_scatter_nd_sub(tensor: Any, indices: Any, updates: Any, name: str | None = None) -> Tensor:
    """`tensor` with `updates` subtracted at the coordinates `indices`; repeated ones add up."""
    x, u = same_dtype(as_tensor(tensor), as_tensor(updates))
    return ops.subtract(x, scatter_nd(indices, u, x._array.shape))


def tensor_scatter_nd_update(tensor: Any, indices: Any, updates: Any, name: str | None = None) -> Tensor:
    """`tensor` with the values at the coordinates `indices` replaced by `updates`; the last of repeated ones wins."""
    x, u = same_dtype(as_tensor(tensor), as_tensor(updates))
    i = _integers(indices, "indices")
    shape = x._array.shape
    flat, rows, rest = _flat_places(values_of(i), shape)
    _fits(u, flat.shape + rest)
    table = ops.reshape(x, shape=(rows, prod(rest)))
    table = _scatter_update(table, Tensor(flat.reshape(-1)), ops.reshape(u, shape=(flat.size, prod(rest))))
    return ops.reshape(table, shape=shape)


def boolean_mask(tensor: Any, mask: Any, axis: Any = None, name: str = "boolean_mask") -> Tensor:
    """The slices of `tensor` where `mask` holds; the mask covers the axes from `axis` (0) on and they become one."""
    x, m = as_tensor(tensor), as_tensor(mask)
    shape, of = x._array.shape, m._array.shape
    m = to_dtype(m, np.dtype(bool))
    start = 0 if axis is None else one_axis(axis, len(shape)) + len(shape)
    if not of or shape[start : start + len(of)] != of:
        raise ShapeError(f"`mask` of shape {of} must match the axes from {start} on of a tensor of shape {shape}.")
    rest = shape[start + len(of) :]
    rows = ops.reshape(x, shape=(*shape[:start], prod(of), *rest))
    return _take(rows, Tensor(np.flatnonzero(values_of(m))), axis=-len(rest) - 1)


def embedding_lookup(params: Any, ids: Any, max_norm: float | None = None, name: str | None = None) -> Tensor:
    """Rows of `params`, (n, ...), for the integers `ids`; longer than `max_norm` they are scaled down to it."""
    rows = gather(params, ids)
    if max_norm is None:
        return rows
    axes = tuple(range(len(as_tensor(ids).shape) - len(rows.shape), 0))
    squares = ops.sum(ops.square(rows), axis=axes, keepdims=True)
    return rows * max_norm / ops.maximum(ops.sqrt(squares), as_tensor(max_norm))


# ------------------------------------------------------------------------------------------------- sorting and counts


def argsort(
    values: Any, axis: Any = -1, direction: str = "ASCENDING", stable: bool = False, name: str | None = None
) -> Tensor:
    """The int32 indices that sort `values` along `axis`; ties keep their order."""
    x = as_tensor(values)
    return _argsort(x, axis=one_axis(axis, x._array.ndim), descending=_is_descending(direction))


def sort(values: Any, axis: Any = -1, direction: str = "ASCENDING", name: str | None = None) -> Tensor:
    """`values` sorted along `axis`, "ASCENDING" or "DESCENDING"."""
    x = as_tensor(values)
    place = one_axis(axis, x._array.ndim)
    return _take_along(x, _argsort(x, axis=place, descending=_is_descending(direction)), axis=place)


def top_k(input: Any, k: Any = 1, sorted: bool = True, index_type: Any = int32, name: str | None = None) -> TopK:
    """The k largest elements along the last axis and their indices, as a named tuple (values, indices)."""
    x = as_tensor(input)
    count = as_int(k, "k")
    if not x._array.ndim or not 0 <= count <= x._array.shape[-1]:
        raise InvalidArgumentError(f"`k` must lie between 0 and the size of the last axis, received {k} for {x.shape}.")
    order = _argsort(x, axis=-1, descending=True)[..., :count]
    indices = to_dtype(order, as_dtype(index_type).dtype)
    return TopK(_take_along(x, indices, axis=-1), indices)


def in_top_k(targets: Any, predictions: Any, k: Any, name: str | None = None) -> Tensor:
    """Whether predictions[i, targets[i]] is among the k largest of row i; ties count in. (n,), (n, c) -> (n,) bool."""
    t, p = values_of(_integers(targets, "targets")), values_of(as_tensor(predictions))
    if p.ndim != 2 or t.shape != p.shape[:1]:
        raise ShapeError(f"Expected targets (n,) and predictions (n, c), received {t.shape} and {p.shape}.")
    inside = (t >= 0) & (t < p.shape[1])
    score = p[np.arange(len(t)), np.where(inside, t, 0)]
    larger = (p > score[:, None]).sum(axis=1)
    return Tensor(inside & np.isfinite(score) & np.isfinite(p).all(axis=1) & (larger < as_int(k, "k")))


def searchsorted(
    sorted_sequence: Any, values: Any, side: str = "left", out_type: Any = int32, name: str | None = None
) -> Tensor:
    """Where `values` would go in `sorted_sequence` along the last axis, before ("left") or behind equal ones."""
    if side not in ("left", "right"):
        raise InvalidArgumentError(f"`side` must be 'left' or 'right', received {side!r}.")
    x, v = same_dtype(as_tensor(sorted_sequence), as_tensor(values))
    if x._array.ndim > 1 and x._array.shape[:-1] != v._array.shape[:-1]:
        raise ShapeError(f"All axes but the last must agree, received {x._array.shape} and {v._array.shape}.")
    return _searchsorted(x, v, side=side, dtype=as_dtype(out_type).dtype)


def unique(x: Any, out_idx: Any = int32, name: str | None = None) -> Unique:
    """The distinct values of a vector in order of appearance, and for each element the index of its value."""
    array = values_of(as_tensor(x))
    if array.ndim != 1:
        raise ShapeError(f"`unique` expects a vector, received shape {array.shape}. Reshape it to (-1,) first.")
    values, first, inverse = np.unique(array, return_index=True, return_inverse=True)
    order = np.argsort(first)
    renamed = np.empty_like(order)
    renamed[order] = np.arange(len(order))
    return Unique(Tensor(values[order]), Tensor(renamed[inverse].astype(as_dtype(out_idx).dtype)))


def unique_with_counts(x: Any, out_idx: Any = int32, name: str | None = None) -> UniqueWithCounts:
    """`unique`, and how often each value stands in x."""
    y, idx = unique(x, out_idx)
    return UniqueWithCounts(y, idx, to_dtype(bincount(idx), as_dtype(out_idx).dtype))


def reverse_sequence(
    input: Any, seq_lengths: Any, seq_axis: Any = None, batch_axis: Any = None, name: str | None = None
) -> Tensor:
    """The first seq_lengths[i] elements along `seq_axis` in reverse order, for each i along `batch_axis` (0)."""
    x, lengths = as_tensor(input), values_of(_integers(seq_lengths, "seq_lengths"))
    ndim = x._array.ndim
    along, over = one_axis(seq_axis, ndim, "seq_axis"), one_axis(batch_axis or 0, ndim, "batch_axis")
    size, rows = x._array.shape[along], x._array.shape[over]
    if lengths.shape != (rows,) or (rows and lengths.max() > size) or along == over:
        raise ShapeError(f"`seq_lengths` needs one length of at most {size} for each of {rows}, received {lengths}.")
    steps = np.arange(size)
    order = np.where(steps < lengths[:, None], lengths[:, None] - 1 - steps, steps)
    order = order if over < along else order.T
    shape = [n if axis - ndim in (along, over) else 1 for axis, n in enumerate(x._array.shape)]
    places = np.broadcast_to(order.reshape(shape), x._array.shape)
    return _take_along(x, Tensor(np.ascontiguousarray(places)), axis=along)


def dynamic_partition(data: Any, partitions: Any, num_partitions: Any, name: str | None = None) -> list[Tensor]:
    """The slices of `data` along its first axes by their number in `partitions`, one Tensor for each number."""
    ids = _integers(partitions, "partitions")
    count = as_int(num_partitions, "num_partitions")
    within(ids, count, "partitions")
    return [boolean_mask(data, Tensor(values_of(ids) == each)) for each in range(count)]


def dynamic_stitch(indices: Any, data: Any, name: str | None = None) -> Tensor:
    """The slices of the Tensors in `data` at the places that `indices` names; the last of repeated ones wins."""
    parts = tensors(data)
    places = [values_of(_integers(each, "indices")) for each in indices]
    rest = parts[0]._array.shape[places[0].ndim :]
    rows = ops.concat(*(ops.reshape(each, shape=(-1, *rest)) for each in parts), axis=-len(rest) - 1)
    flat = np.concatenate([each.reshape(-1) for each in places])
    source = np.full(int(flat.max(initial=-1)) + 1, -1)
    source[flat] = np.arange(flat.size)
    picked = _take(rows, Tensor(np.maximum(source, 0)), axis=-len(rest) - 1)
    missing = Tensor((source < 0).reshape((-1,) + (1,) * len(rest)))
    return ops.where(missing, ops.zeros_like(picked), picked) if (source < 0).any() else picked


def histogram_fixed_width(
    values: Any, value_range: Any, nbins: Any = 100, dtype: Any = int32, name: str | None = None
) -> Tensor:
    """How many of `values` fall into each of `nbins` equal parts of `value_range`; those outside go to the ends."""
    x, (low, high) = values_of(as_tensor(values)), values_of(as_tensor(value_range))
    count = as_int(nbins, "nbins")
    if not low < high or count < 1:
        raise InvalidArgumentError(f"Expected low < high and bins, received {low}, {high} and {count}.")
    bins = np.clip(np.floor((x.reshape(-1).astype(np.float64) - low) / (high - low) * count), 0, count - 1)
    return Tensor(np.bincount(bins.astype(np.int64), minlength=count).astype(as_dtype(dtype).dtype))


def unravel_index(indices: Any, dims: Any, name: str | None = None) -> Tensor:
    """The coordinates in shape `dims` of places in its flattened order. (n,) -> (axes, n)"""
    i, shape = _integers(indices, "indices"), as_shape(dims)
    within(i, prod(shape), "indices")
    return Tensor(np.stack(np.unravel_index(values_of(i), shape)).astype(i._array.dtype))


def invert_permutation(x: Any, name: str | None = None) -> Tensor:
    """The permutation that undoes x, a vector of the integers below its size. (n,) -> (n,)"""
    order = values_of(_integers(x, "x"))
    if order.ndim != 1 or not np.array_equal(np.sort(order), np.arange(order.size)):
        raise InvalidArgumentError(f"Expected a permutation of 0 to {order.size - 1}, received {order}.")
    return Tensor(np.argsort(order).astype(order.dtype))


def confusion_matrix(
    labels: Any,
    predictions: Any,
    num_classes: Any = None,
    weights: Any = None,
    dtype: Any = int32,
    name: str | None = None,
) -> Tensor:
    """Counts, or sums of `weights`, by label (rows) and prediction (columns). (n,), (n,) -> (classes, classes)"""
    t, p = (values_of(_integers(each, "labels and predictions")).reshape(-1) for each in (labels, predictions))
    if t.shape != p.shape:
        raise ShapeError(f"`labels` and `predictions` need equal shapes, received {t.shape} and {p.shape}.")
    most = int(max(t.max(initial=-1), p.max(initial=-1))) + 1
    classes = most if num_classes is None else as_int(num_classes, "num_classes")
    if most > classes or (t.size and min(t.min(), p.min()) < 0):
        raise InvalidArgumentError(
            f"Labels and predictions must lie in [0, {classes}): found {most - 1} or a negative one."
        )
    w = np.ones(t.size) if weights is None else np.asarray(values_of(as_tensor(weights)), np.float64).reshape(-1)
    if w.shape != t.shape:
        raise ShapeError(f"`weights` need the shape of the labels {t.shape}, received {w.shape}.")
    counts = np.bincount(t * classes + p, weights=w, minlength=classes * classes)
    return Tensor(counts.reshape(classes, classes).astype(as_dtype(dtype).dtype))


def bincount(
    arr: Any,
    weights: Any = None,
    minlength: int | None = None,
    maxlength: int | None = None,
    dtype: Any = int32,
    name: str | None = None,
    axis: int | None = None,
    binary_output: bool = False,
) -> Tensor:
    """How often each integer from 0 on stands in `arr`, or the sum of its `weights`.

    `axis`: None or 0 counts in all of `arr`, -1 in each row by itself. `binary_output`: whether it stands there, 0 or
    1. Integers from `maxlength` on are left out.
    """
    values = values_of(_integers(arr, "arr"))
    w = None if weights is None else values_of(as_tensor(weights))
    least = minlength or 0
    if (values.size and values.min() < 0) or (w is not None and w.shape != values.shape) or least < 0:
        raise InvalidArgumentError(
            "`bincount` needs integers of 0 or more, weights of their shape and a `minlength` >= 0."
        )
    if axis not in (None, 0, -1):
        raise InvalidArgumentError(f"`axis` must be None, 0 or -1, received {axis}.")
    size = max(least, int(values.max()) + 1 if values.size else 0)
    size = size if maxlength is None else min(size, maxlength)
    shape = (-1, values.shape[-1]) if axis == -1 and values.ndim > 1 else (1, values.size)
    rows = values.reshape(shape)
    weighed = [None] * len(rows) if w is None else w.reshape(shape)
    out = np.array([np.bincount(row, each, size)[:size] for row, each in zip(rows, weighed, strict=True)])
    out = (out > 0 if binary_output else out).astype(as_dtype(dtype).dtype if w is None else w.dtype)
    return Tensor(out.reshape((*values.shape[:-1], size) if shape[0] == -1 else (size,)))


def sequence_mask(lengths: Any, maxlen: Any = None, dtype: Any = "bool", name: str | None = None) -> Tensor:
    """True at the first lengths[i] of `maxlen` places. (...) -> (..., maxlen)"""
    n = values_of(_integers(lengths, "lengths"))
    width = int(n.max(initial=0)) if maxlen is None else as_int(maxlen, "maxlen")
    return Tensor((np.arange(width) < n[..., None]).astype(as_dtype(dtype).dtype))


def _is_descending(direction: Any) -> bool:
    if direction not in ("ASCENDING", "DESCENDING"):
        raise InvalidArgumentError(f"`direction` must be 'ASCENDING' or 'DESCENDING', received {direction!r}.")
    return direction == "DESCENDING"


def _integers(value: Any, what: str) -> Tensor:
    x = as_tensor(value)
    if x._array.dtype.kind in "iu":
        return x
    if x._array.size == 0:
        return to_dtype(x, np.dtype(np.int32))
    raise DTypeError(f"`{what}` must be integers, received dtype {x._array.dtype.name}. Cast them to int32 or int64.")


class Within(Effect):
    """A check of indices: InvalidArgumentError for one outside [0, size)."""

    def __init__(self, size: int, what: str) -> None:
        self.size, self.what = size, what

    def __call__(self, arrays: list[Any]) -> None:
        _within(arrays[0], self.size, self.what)


def within(indices: Tensor, size: int, what: str) -> None:
    """Raise InvalidArgumentError for an index outside [0, size), now and at every run of a program."""
    happen(Within(size, what), [indices])


def _within(indices: Any, size: int, what: str) -> None:
    if indices.size and (indices.min() < 0 or indices.max() >= size):
        wrong = np.argwhere((indices < 0) | (indices >= size))[0].tolist()
        raise InvalidArgumentError(f"{what}{wrong} = {indices[tuple(wrong)]} is not in [0, {size}).")


def _flat_places(indices: Any, shape: tuple[int, ...]) -> tuple[Any, int, tuple[int, ...]]:
    """Coordinates (..., k) into `shape` as places (...) along its first k axes made one; their number; the others."""
    if not indices.ndim or indices.shape[-1] > len(shape):
        raise ShapeError(f"The last axis of `indices` {indices.shape} must hold at most {len(shape)} coordinates.")
    depth = indices.shape[-1]
    for axis in range(depth):
        _within(indices[..., axis], shape[axis], f"indices[..., {axis}]")
    flat = np.zeros(indices.shape[:-1], np.int64)
    for axis in range(depth):
        flat = flat * shape[axis] + indices[..., axis]
    return flat, prod(shape[:depth]), shape[depth:]


def _fits(updates: Tensor, expected: tuple[int, ...]) -> None:
    if updates._array.shape != expected:
        raise ShapeError(f"`updates` must have shape {expected}, received {updates._array.shape}.")
