"""Reductions of slices that share a segment id: `tf.math.segment_*` and `tf.math.unsorted_segment_*`."""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import Any

import numpy as np

from minitrain.engine.convert import LATE, as_tensor, same_dtype
from minitrain.engine.primitive import ops, primitive
from minitrain.engine.tensor import Tensor
from minitrain.errors import InvalidArgumentError, ShapeError
from minitrain.ops.axes import as_int, values_of
from minitrain.ops.indexing import (
    _fits,
    _flat_places,
    _integers,
    gather,
    gather_nd,
    tensor_scatter_nd_add,
    tensor_scatter_nd_sub,
    tensor_scatter_nd_update,
    within,
)


def _reduced(ufunc: np.ufunc, x: Any, ids: Any, size: int, empty: Any) -> Any:
    """(n, m) and (n,) -> (size, m), `empty` where there is nothing."""
    out = np.full((size, *x.shape[1:]), empty, x.dtype)
    if ids.size:
        order = np.argsort(ids, kind="stable")
        places = ids[order]
        starts = np.flatnonzero(np.concatenate([[True], places[1:] != places[:-1]]))
        out[places[starts]] = ufunc.reduceat(x[order], starts, axis=0, dtype=x.dtype)
    return out


@primitive(name="segment_max", mixed=True)
def _max(x, ids, *, size):
    """(n, m), (n,) -> (size, m)"""
    return _reduced(np.maximum, x, ids, size, _limits(x.dtype).min)


@primitive(name="segment_min", mixed=True)
def _min(x, ids, *, size):
    """(n, m), (n,) -> (size, m)"""
    return _reduced(np.minimum, x, ids, size, _limits(x.dtype).max)


def _limits(dtype: np.dtype[Any]) -> Any:
    return np.finfo(dtype) if dtype.kind == "f" else np.iinfo(dtype)


@_min.vjp("x")
@_max.vjp("x")
def _(xp, g, out, x, ids, *, size):
    share = xp.cast_discrete(xp.equal(x, xp.take(out, ids, axis=-2)), dtype=x.dtype)
    ties = xp.take(xp.scatter_add(share, ids, axis=-2, size=size), ids, axis=-2)
    return share / ties * xp.take(g, ids, axis=-2)


@primitive(name="segment_prod", mixed=True)
def _prod(x, ids, *, size):
    """(n, m), (n,) -> (size, m)"""
    return _reduced(np.multiply, x, ids, size, 1)


@_prod.vjp("x")
def _(xp, g, out, x, ids, *, size):
    # The product of the others: that of all but the zeros, over x, where no other is zero.
    is_zero = xp.cast_discrete(xp.equal(x, xp.zeros_like(x)), dtype=x.dtype)
    filled = x + is_zero
    product = xp.take(xp.segment_prod(filled, ids, size=size), ids, axis=-2)
    zeros = xp.take(xp.scatter_add(is_zero, ids, axis=-2, size=size), ids, axis=-2)
    return xp.take(g, ids, axis=-2) * product / filled * xp.cast_discrete(xp.equal(zeros, is_zero), dtype=x.dtype)


def _unsorted(name: str, what: str, reduce: Callable[[Tensor, Tensor, int], Tensor]) -> Callable[..., Tensor]:
    def unsorted(data: Any, segment_ids: Any, num_segments: Any, name: str | None = None) -> Tensor:
        x, ids = as_tensor(data), _integers(segment_ids, "segment_ids")
        shape, of = x._array.shape, ids._array.shape
        if shape[: len(of)] != of or not of:
            raise ShapeError(f"`segment_ids` of shape {of} must match the first axes of data of shape {shape}.")
        count = as_int(num_segments, "num_segments")
        # Negative ids are left out: all of them are 0, one before the first segment.
        places = ops.maximum(ops.reshape(ids, shape=(-1,)) + 1, 0)
        within(places, count + 1, "segment_ids + 1")
        rest = shape[len(of) :]
        rows = ops.reshape(x, shape=(prod(of), prod(rest)))
        return ops.reshape(reduce(rows, places, count + 1)[1:], shape=(count, *rest))

    unsorted.__name__ = unsorted.__qualname__ = f"unsorted_segment_{name}"
    unsorted.__doc__ = (
        f"{what} of the slices of `data` along its first axes that share a segment id below `num_segments`."
    )
    return unsorted


def _sums(x: Tensor, ids: Tensor, size: int) -> Tensor:
    return ops.scatter_add(x, ids, axis=-2, size=size)


def _counts(x: Tensor, ids: Tensor, size: int) -> Tensor:
    return ops.maximum(_sums(ops.ones_like(x), ids, size), 1)


unsorted_segment_sum = _unsorted("sum", "Sums", _sums)
unsorted_segment_mean = _unsorted("mean", "Means", lambda x, ids, size: _sums(x, ids, size) / _counts(x, ids, size))
unsorted_segment_sqrt_n = _unsorted(
    "sqrt_n",
    "Sums over the roots of the numbers",
    lambda x, ids, size: _sums(x, ids, size) / ops.sqrt(_counts(x, ids, size)),
)
unsorted_segment_max = _unsorted("max", "Maxima", lambda x, ids, size: _max(x, ids, size=size))
unsorted_segment_min = _unsorted("min", "Minima", lambda x, ids, size: _min(x, ids, size=size))
unsorted_segment_prod = _unsorted("prod", "Products", lambda x, ids, size: _prod(x, ids, size=size))


def _sorted(name: str, what: str, unsorted: Callable[..., Tensor], empty: int) -> Callable[..., Tensor]:
    def by_segment(data: Any, segment_ids: Any, name: str | None = None) -> Tensor:
        ids = values_of(_integers(segment_ids, "segment_ids"))
        if ids.ndim != 1 or (np.diff(ids) < 0).any() or (ids.size and ids[0] < 0):
            raise InvalidArgumentError("`segment_ids` must be a sorted vector of 0 or more. Use unsorted_segment_*.")
        size = int(ids[-1]) + 1 if ids.size else 0
        out = unsorted(data, ids, size)
        missing = ~np.isin(np.arange(size), ids).reshape((-1,) + (1,) * (out.ndim - 1))
        return ops.where(missing, ops.zeros_like(out) + empty, out) if missing.any() else out

    by_segment.__name__ = by_segment.__qualname__ = f"segment_{name}"
    by_segment.__doc__ = (
        f"{what} of the slices of `data` along axis 0 that share a segment id; ids: (n,), sorted, from 0."
    )
    return by_segment


segment_sum = _sorted("sum", "Sums", unsorted_segment_sum, 0)
segment_mean = _sorted("mean", "Means", unsorted_segment_mean, 0)
segment_max = _sorted("max", "Maxima", unsorted_segment_max, 0)
segment_min = _sorted("min", "Minima", unsorted_segment_min, 0)
segment_prod = _sorted("prod", "Products", unsorted_segment_prod, 1)


# --------------------------------------------------------------------------------------------------------- scattering


def tensor_scatter_nd_max(tensor: Any, indices: Any, updates: Any, name: str | None = None) -> Tensor:
    """`tensor` with the larger of its values and of `updates` at the coordinates `indices`."""
    return _scattered(_max, ops.maximum, tensor, indices, updates)


def tensor_scatter_nd_min(tensor: Any, indices: Any, updates: Any, name: str | None = None) -> Tensor:
    """`tensor` with the smaller of its values and of `updates` at the coordinates `indices`."""
    return _scattered(_min, ops.minimum, tensor, indices, updates)


def _scattered(reduce: Any, meet: Callable[..., Tensor], tensor: Any, indices: Any, updates: Any) -> Tensor:
    x, u = same_dtype(as_tensor(tensor), as_tensor(updates))
    shape = x._array.shape
    flat, rows, rest = _flat_places(values_of(_integers(indices, "indices")), shape)
    _fits(u, flat.shape + rest)
    best = reduce(ops.reshape(u, shape=(flat.size, prod(rest))), Tensor(flat.reshape(-1)), size=rows)
    return meet(x, ops.reshape(best, shape=shape))


def _scattered_products(tensor: Any, indices: Any, updates: Any) -> Tensor:
    return _scattered(_prod, ops.multiply, tensor, indices, updates)


def _scattered_quotients(tensor: Any, indices: Any, updates: Any) -> Tensor:
    return _scattered(_prod, ops.divide, tensor, indices, updates)


LATE.update(
    {
        "gather": gather,
        "gather_nd": gather_nd,
        "scatter_add": tensor_scatter_nd_add,
        "scatter_div": _scattered_quotients,
        "scatter_max": tensor_scatter_nd_max,
        "scatter_min": tensor_scatter_nd_min,
        "scatter_mul": _scattered_products,
        "scatter_sub": tensor_scatter_nd_sub,
        "scatter_update": tensor_scatter_nd_update,
    }
)
