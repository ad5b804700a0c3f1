"""Reductions over axes, and running sums and products.

Public functions take `axis` as None, an int or several, and `keepdims`. Integers keep their dtype, as in TensorFlow:
the mean of integers is an integer.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from minitrain.dtypes import as_dtype, int64
from minitrain.engine.convert import as_tensor, to_dtype
from minitrain.engine.primitive import ops, primitive
from minitrain.engine.tensor import Tensor
from minitrain.errors import DTypeError, InvalidArgumentError
from minitrain.ops.axes import lead_of, many_axes, one_axis
from minitrain.ops.elementwise import abs, pow, sqrt, square


def spread(xp: Any, g: Any, out: Any, x: Any, axis: tuple[int, ...] | None, keepdims: bool) -> Any:
    """The adjoint of a sum: `g`, shaped like the reduction's output, repeated along the axes that were reduced."""
    return xp.broadcast_to(kept(xp, g, out, x, axis, keepdims), shape=tuple(g.shape[: lead_of(g, out)]) + x.shape)


def kept(xp: Any, g: Any, out: Any, x: Any, axis: tuple[int, ...] | None, keepdims: bool) -> Any:
    """`g`, shaped like the reduction's output, with the reduced axes put back as ones."""
    if keepdims:
        return g
    ndim = len(x.shape)
    ones = tuple([1 if axis is None or place - ndim in axis else size for place, size in enumerate(x.shape)])
    return xp.reshape(g, shape=tuple(g.shape[: lead_of(g, out)]) + ones)


@primitive(name="sum")
def _sum(x, *, axis=None, keepdims=False):
    return np.add.reduce(x, axis=axis, dtype=x.dtype, keepdims=keepdims)


@_sum.written()
def _(emitter, out, x, *, axis=None, keepdims=False):
    emitter.line(f"{emitter.name(np.add.reduce, 'sum')}({x}, {axis}, {emitter.name(x.dtype, 'd')}, {out}, {keepdims})")


@_sum.expressed()
def _(emitter, x, *, axis=None, keepdims=False):
    return f"{emitter.name(np.add.reduce, 'sum')}({x}, {axis}, {emitter.name(x.dtype, 'd')})"


@_sum.vjp("x")
def _(xp, g, out, x, *, axis=None, keepdims=False):
    return spread(xp, g, out, x, axis, keepdims)


def count_of(shape: tuple[int, ...], axis: tuple[int, ...] | None) -> int:
    """How many elements a reduction over `axis` takes into each result."""
    count = 1
    for place in shape if axis is None else [shape[each] for each in axis]:
        count *= place
    return count


@primitive(name="mean")
def _mean(x, *, axis=None, keepdims=False):
    count = count_of(x.shape, axis)
    if x.dtype.kind in "iu":  # truncated towards zero, as in TensorFlow; the sum may need more bits than the mean
        total = np.add.reduce(x, axis=axis, dtype=np.uint64 if x.dtype.kind == "u" else np.int64, keepdims=keepdims)
        return (np.sign(total) * (np.abs(total) // max(count, 1))).astype(x.dtype)
    return np.true_divide(np.add.reduce(x, axis=axis, dtype=x.dtype, keepdims=keepdims), count, dtype=x.dtype)


@_mean.written()
def _(emitter, out, x, *, axis=None, keepdims=False):
    if x.dtype.kind != "f":
        kernel = emitter.name(_mean.primitive.kernel)
        emitter.line(f"{emitter.name(np.copyto)}({out}, {kernel}({x}, axis={axis}, keepdims={keepdims}))")
        return
    emitter.line(f"{emitter.name(np.add.reduce, 'sum')}({x}, {axis}, {emitter.name(x.dtype, 'd')}, {out}, {keepdims})")
    count = emitter.number(count_of(x.shape, axis), x.dtype)
    emitter.line(f"{emitter.name(np.true_divide)}({out}, {count}, {out})")


@_mean.expressed()
def _(emitter, x, *, axis=None, keepdims=False):
    total = _sum.primitive.express(emitter, x, axis=axis)
    return f"{total} / {emitter.scalar(count_of(x.shape, axis), x.dtype)}"


@_mean.vjp("x")
def _(xp, g, out, x, *, axis=None, keepdims=False):
    return spread(xp, g / float(count_of(x.shape, axis)), out, x, axis, keepdims)


@primitive(name="max")
def _max(x, *, axis=None, keepdims=False):
    if x.size:
        return np.maximum.reduce(x, axis=axis, keepdims=keepdims)
    return np.maximum.reduce(x, axis=axis, keepdims=keepdims, initial=_limits(x.dtype)[0])


@primitive(name="min")
def _min(x, *, axis=None, keepdims=False):
    if x.size:
        return np.minimum.reduce(x, axis=axis, keepdims=keepdims)
    return np.minimum.reduce(x, axis=axis, keepdims=keepdims, initial=_limits(x.dtype)[1])


def _limits(dtype: np.dtype[Any]) -> tuple[Any, Any]:
    """The least and the greatest number of a dtype, infinities included: what an empty maximum and minimum give."""
    if dtype.kind == "f":
        return -np.inf, np.inf
    return np.iinfo(dtype).min, np.iinfo(dtype).max


@_min.vjp("x")
@_max.vjp("x")
def _(xp, g, out, x, *, axis=None, keepdims=False):
    hits = xp.equal(x, kept(xp, out, out, x, axis, keepdims))
    share = xp.cast_discrete(hits, dtype=x.dtype)
    return share / xp.sum(share, axis=axis, keepdims=True) * kept(xp, g, out, x, axis, keepdims)


@primitive(name="prod")
def _prod(x, *, axis=None, keepdims=False):
    return np.multiply.reduce(x, axis=axis, dtype=x.dtype, keepdims=keepdims)


@_prod.vjp("x")
def _(xp, g, out, x, *, axis=None, keepdims=False):
    # The product of the others, from both sides: dividing the output by x would give NaN at zeros.
    ndim = len(x.shape)
    reduced = tuple(range(ndim)) if axis is None else tuple(sorted(place + ndim for place in axis))
    rest = tuple(place for place in range(ndim) if place not in reduced)
    perm = rest + reduced
    moved = xp.transpose(x, perm=perm)
    rows = xp.reshape(moved, shape=(*(x.shape[place] for place in rest), count_of(x.shape, axis)))
    left = xp.cumprod(rows, axis=-1, exclusive=True, reverse=False)
    right = xp.cumprod(rows, axis=-1, exclusive=True, reverse=True)
    others = xp.reshape(left * right, shape=tuple(moved.shape))
    back = tuple(int(place) for place in np.argsort(perm))
    return xp.transpose(others, perm=back) * kept(xp, g, out, x, axis, keepdims)


@primitive(name="logsumexp")
def _logsumexp(x, *, axis=None, keepdims=False):
    top = np.maximum.reduce(x, axis=axis, keepdims=True, initial=-np.inf)
    top = np.where(np.isfinite(top), top, np.zeros_like(top))
    total = np.log(np.add.reduce(np.exp(x - top), axis=axis, keepdims=True)) + top
    return total if keepdims else total.reshape(np.add.reduce(x, axis=axis).shape)


@_logsumexp.vjp("x")
def _(xp, g, out, x, *, axis=None, keepdims=False):
    return kept(xp, g, out, x, axis, keepdims) * xp.softmax(x, axis=axis)


@primitive(name="euclidean_norm")
def _euclidean_norm(x, *, axis=None, keepdims=False):
    return np.sqrt(np.add.reduce(np.square(x), axis=axis, dtype=x.dtype, keepdims=keepdims)).astype(x.dtype)


@_euclidean_norm.vjp("x")
def _(xp, g, out, x, *, axis=None, keepdims=False):
    return x / kept(xp, out, out, x, axis, keepdims) * kept(xp, g, out, x, axis, keepdims)


@primitive(name="all")
def _all(x, *, axis=None, keepdims=False):
    return np.logical_and.reduce(x, axis=axis, keepdims=keepdims)


@primitive(name="any")
def _any(x, *, axis=None, keepdims=False):
    return np.logical_or.reduce(x, axis=axis, keepdims=keepdims)


@primitive(name="argmax")
def _argmax(x, *, axis, dtype):
    return np.argmax(x, axis=axis).astype(dtype)


@primitive(name="argmin")
def _argmin(x, *, axis, dtype):
    return np.argmin(x, axis=axis).astype(dtype)


@primitive(name="count_nonzero")
def _count_nonzero(x, *, axis=None, keepdims=False, dtype):
    return np.asarray(np.count_nonzero(x, axis=axis, keepdims=keepdims)).astype(dtype)


def _flipped(x: Any, axis: int) -> Any:
    return x[(..., slice(None, None, -1)) + (slice(None),) * (-axis - 1)]


def _running(ufunc: np.ufunc, x: Any, axis: int, exclusive: bool, reverse: bool) -> Any:
    """Accumulate along an axis, from the end if `reverse`, without the element itself if `exclusive`."""
    if not x.shape[axis]:
        return x.copy()
    if reverse:
        x = _flipped(x, axis)
    if exclusive:
        start = np.full((*x.shape[:axis], 1, *x.shape[x.ndim + axis + 1 :]), ufunc.identity, x.dtype)
        x = np.concatenate([start, x[(..., slice(None, -1)) + (slice(None),) * (-axis - 1)]], axis=axis)
    out = ufunc.accumulate(x, axis=axis, dtype=x.dtype)
    return _flipped(out, axis) if reverse else out


@primitive(name="cumsum")
def _cumsum(x, *, axis, exclusive=False, reverse=False):
    return _running(np.add, x, axis, exclusive, reverse)


@_cumsum.vjp("x")
def _(xp, g, out, x, *, axis, exclusive=False, reverse=False):
    return xp.cumsum(g, axis=axis, exclusive=exclusive, reverse=not reverse)


@primitive(name="cumprod")
def _cumprod(x, *, axis, exclusive=False, reverse=False):
    return _running(np.multiply, x, axis, exclusive, reverse)


@_cumprod.vjp("x")
def _(xp, g, out, x, *, axis, exclusive=False, reverse=False):
    return xp.divide_no_nan(xp.cumsum(out * g, axis=axis, exclusive=exclusive, reverse=not reverse), x)


# ------------------------------------------------------------------------------------------------ TensorFlow's names


def reduce_sum(input_tensor: Any, axis: Any = None, keepdims: bool = False, name: str | None = None) -> Tensor:
    """The sum over `axis` (all axes by default). Bools are counted as int32."""
    x = _numbers(input_tensor)
    return _sum(x, axis=many_axes(axis, x._array.ndim), keepdims=keepdims)


def reduce_mean(input_tensor: Any, axis: Any = None, keepdims: bool = False, name: str | None = None) -> Tensor:
    """The mean over `axis`. Integers give an integer, truncated, as in TensorFlow; cast first for a fraction."""
    x = _numbers(input_tensor)
    return _mean(x, axis=many_axes(axis, x._array.ndim), keepdims=keepdims)


def reduce_max(input_tensor: Any, axis: Any = None, keepdims: bool = False, name: str | None = None) -> Tensor:
    """The maximum over `axis`; elements that tie for it share the gradient equally. Empty axes give -inf."""
    x = _numbers(input_tensor)
    return _max(x, axis=many_axes(axis, x._array.ndim), keepdims=keepdims)


def reduce_min(input_tensor: Any, axis: Any = None, keepdims: bool = False, name: str | None = None) -> Tensor:
    """The minimum over `axis`; elements that tie for it share the gradient equally. Empty axes give inf."""
    x = _numbers(input_tensor)
    return _min(x, axis=many_axes(axis, x._array.ndim), keepdims=keepdims)


def reduce_prod(input_tensor: Any, axis: Any = None, keepdims: bool = False, name: str | None = None) -> Tensor:
    """The product over `axis`; its gradient is right at zeros."""
    x = _numbers(input_tensor)
    return _prod(x, axis=many_axes(axis, x._array.ndim), keepdims=keepdims)


def reduce_all(input_tensor: Any, axis: Any = None, keepdims: bool = False, name: str | None = None) -> Tensor:
    """Whether all elements over `axis` hold. Takes bools."""
    x = _bools(input_tensor)
    return _all(x, axis=many_axes(axis, x._array.ndim), keepdims=keepdims)


def reduce_any(input_tensor: Any, axis: Any = None, keepdims: bool = False, name: str | None = None) -> Tensor:
    """Whether any element over `axis` holds. Takes bools."""
    x = _bools(input_tensor)
    return _any(x, axis=many_axes(axis, x._array.ndim), keepdims=keepdims)


def reduce_logsumexp(input_tensor: Any, axis: Any = None, keepdims: bool = False, name: str | None = None) -> Tensor:
    """log(sum(exp(x))) over `axis`, without overflow."""
    x = _floats(input_tensor)
    return _logsumexp(x, axis=many_axes(axis, x._array.ndim), keepdims=keepdims)


def reduce_variance(input_tensor: Any, axis: Any = None, keepdims: bool = False, name: str | None = None) -> Tensor:
    """The population variance over `axis`: mean((x - mean(x)) ** 2)."""
    x = _floats(input_tensor)
    return reduce_mean(square(x - reduce_mean(x, axis, True)), axis, keepdims)


def reduce_std(input_tensor: Any, axis: Any = None, keepdims: bool = False, name: str | None = None) -> Tensor:
    """The population standard deviation over `axis`."""
    return sqrt(reduce_variance(input_tensor, axis, keepdims))


def reduce_euclidean_norm(
    input_tensor: Any, axis: Any = None, keepdims: bool = False, name: str | None = None
) -> Tensor:
    """sqrt(sum(x ** 2)) over `axis`; its gradient at the origin is NaN, as in TensorFlow."""
    x = _numbers(input_tensor)
    return _euclidean_norm(x, axis=many_axes(axis, x._array.ndim), keepdims=keepdims)


def norm(
    tensor: Any, ord: Any = "euclidean", axis: Any = None, keepdims: bool = False, name: str | None = None
) -> Tensor:
    """The vector norm of order `ord` over `axis`, or the Frobenius norm over two axes with ord "fro".

    `ord`: "euclidean", "fro", 1, 2, numpy.inf or a positive number p for sum(|x| ** p) ** (1 / p). Over all axes by
    default. The gradient at the origin is NaN, as in TensorFlow. Over two axes, 1, 2 and numpy.inf are matrix norms.
    """
    x = _floats(tensor)
    axes = many_axes(axis, x._array.ndim)
    if not isinstance(ord, (str, int, float)):
        raise DTypeError(f"`ord` must be a string or a number, received {ord!r}.")
    if ord in ("euclidean", "fro") or (ord == 2 and (axes is None or len(axes) == 1)):
        return sqrt(_sum(x * x, axis=axes, keepdims=keepdims))
    if isinstance(ord, str) or ord <= 0 or (axes is not None and len(axes) == 2 and ord not in (1, 2, np.inf)):
        raise InvalidArgumentError(
            f"`ord` must be 'euclidean', 'fro', 1, 2, numpy.inf or a positive number, received {ord!r}"
            + (" for a matrix norm." if axes is not None and len(axes) == 2 else ".")
        )
    if axes is not None and len(axes) == 2 and ord == 2:
        ndim = x._array.ndim
        matrix = tuple(place + ndim for place in axes)
        rest = tuple(place for place in range(ndim) if place not in matrix)
        largest = _max(ops.singular_values(ops.transpose(x, perm=rest + matrix)), axis=(-1,), keepdims=False)
        sizes = tuple(1 if place in matrix else size for place, size in enumerate(x._array.shape))
        return ops.reshape(largest, shape=sizes) if keepdims else largest
    if axes is not None and len(axes) == 2:
        summed, largest = (axes[0], axes[1]) if ord == 1 else (axes[1], axes[0])
        columns = _sum(abs(x), axis=(summed,), keepdims=True)
        return _max(_max(columns, axis=(largest,), keepdims=True), axis=axes, keepdims=keepdims)
    if ord == np.inf:
        return _max(abs(x), axis=axes, keepdims=keepdims)
    if ord == 1:
        return _sum(abs(x), axis=axes, keepdims=keepdims)
    return pow(_sum(pow(abs(x), float(ord)), axis=axes, keepdims=keepdims), 1.0 / ord)


def argmax(input: Any, axis: Any = None, output_type: Any = int64, name: str | None = None) -> Tensor:
    """The index of the largest element along `axis` (0 by default), the first of several; int64."""
    return _arg_extreme(_argmax, input, axis, output_type)


def argmin(input: Any, axis: Any = None, output_type: Any = int64, name: str | None = None) -> Tensor:
    """The index of the smallest element along `axis` (0 by default), the first of several; int64."""
    return _arg_extreme(_argmin, input, axis, output_type)


def count_nonzero(
    input: Any, axis: Any = None, keepdims: bool | None = None, dtype: Any = int64, name: str | None = None
) -> Tensor:
    """How many elements over `axis` are not 0; int64."""
    x = as_tensor(input)
    axes = many_axes(axis, x._array.ndim)
    return _count_nonzero(x, axis=axes, keepdims=bool(keepdims), dtype=as_dtype(dtype).dtype)


def zero_fraction(value: Any, name: str | None = None) -> Tensor:
    """The fraction of elements that are 0; float32."""
    x = as_tensor(value)
    x._leave("`zero_fraction`")
    zeros = x._array.size - np.count_nonzero(x._array)
    return Tensor(np.array(zeros / x._array.size if x._array.size else np.nan, np.float32))


def cumsum(x: Any, axis: Any = 0, exclusive: bool = False, reverse: bool = False, name: str | None = None) -> Tensor:
    """The running sum along `axis`: from the end if `reverse`, without the element itself if `exclusive`."""
    x = _numbers(x)
    return _cumsum(x, axis=one_axis(axis, x._array.ndim), exclusive=exclusive, reverse=reverse)


def cumprod(x: Any, axis: Any = 0, exclusive: bool = False, reverse: bool = False, name: str | None = None) -> Tensor:
    """The running product along `axis`: from the end if `reverse`, without the element itself if `exclusive`."""
    x = _numbers(x)
    return _cumprod(x, axis=one_axis(axis, x._array.ndim), exclusive=exclusive, reverse=reverse)


def cumulative_logsumexp(
    x: Any, axis: Any = 0, exclusive: bool = False, reverse: bool = False, name: str | None = None
) -> Tensor:
    """log(cumsum(e ** x)) along `axis`, without overflow; -inf where there is nothing to sum."""
    x = _floats(x)
    place = one_axis(axis, x._array.ndim)
    size, rest = x._array.shape[place], x._array.ndim
    order = np.arange(size)
    before = order[:, None] >= order if not reverse else order[:, None] <= order
    if exclusive:
        before = before & (order[:, None] != order)
    # Every prefix by itself: sums of e ** (x - max) over all would underflow where x grows.
    perm = (*(axis for axis in range(rest) if axis != place + rest), place + rest)
    rows = ops.reshape(ops.transpose(x, perm=perm), shape=(*(x._array.shape[axis] for axis in perm[:-1]), 1, size))
    lowest = to_dtype(Tensor(np.array(-np.inf)), x._array.dtype)
    sums = _logsumexp(ops.where(Tensor(before), rows, lowest), axis=(-1,), keepdims=False)
    return ops.transpose(sums, perm=tuple(int(axis) for axis in np.argsort(perm)))


def is_non_decreasing(x: Any, name: str | None = None) -> Tensor:
    """Whether no element is less than the one before it, in the flattened order."""
    flat = ops.reshape(as_tensor(x), shape=(-1,))
    return reduce_all(flat[1:] >= flat[:-1])


def is_strictly_increasing(x: Any, name: str | None = None) -> Tensor:
    """Whether every element is greater than the one before it, in the flattened order."""
    flat = ops.reshape(as_tensor(x), shape=(-1,))
    return reduce_all(flat[1:] > flat[:-1])


def _arg_extreme(op: Any, value: Any, axis: Any, output_type: Any) -> Tensor:
    x = as_tensor(value)
    place = one_axis(0 if axis is None else axis, x._array.ndim)
    if x._array.shape[place] == 0:
        raise InvalidArgumentError(f"`axis` {axis} of shape {x._array.shape} is empty: it has no extreme element.")
    return op(x, axis=place, dtype=as_dtype(output_type).dtype)


def _numbers(value: Any) -> Tensor:
    x = as_tensor(value)
    return to_dtype(x, np.dtype(np.int32)) if x._array.dtype.kind == "b" else x


def _floats(value: Any) -> Tensor:
    x = as_tensor(value)
    return x if x._array.dtype.kind == "f" else to_dtype(x, np.dtype(np.float32))


def _bools(value: Any) -> Tensor:
    x = as_tensor(value)
    if isinstance(value, list) and x._array.size == 0:  # it has no elements to tell a dtype by
        return Tensor(x._array.astype(bool))
    if x._array.dtype.kind != "b":
        raise DTypeError(f"Expected dtype bool, received {x._array.dtype.name}. Compare first, or cast to bool.")
    return x
