"""keras.ops's names and argument orders for the operations, where they differ from TensorFlow's.

`minitrain.ops` offers these beside the operations that both call the same.
"""

from __future__ import annotations

import builtins
import itertools
from typing import Any

import numpy as np

from minitrain.dtypes import as_dtype
from minitrain.engine.convert import LATE, as_tensor, operands, same_dtype
from minitrain.engine.primitive import ops
from minitrain.engine.tensor import Tensor, TensorLike
from minitrain.errors import InvalidArgumentError, ShapeError
from minitrain.ops import creation, elementwise, indexing, linear, neural, reduction, segments, shaping
from minitrain.ops.axes import as_int, as_ints, as_shape, one_axis, values_of
from minitrain.ops.reduction import _floats

EPSILON = 1e-7  # Keras's default


def _widened(x: Any, dtype: Any = None) -> Tensor:
    """x in the dtype in which Keras adds and multiplies it up: 8 and 16 bit integers in 32."""
    x = as_tensor(x)
    found = x._array.dtype
    if dtype is None and found.kind in "iu" and found.itemsize < 4:
        dtype = "uint32" if found.kind == "u" else "int32"
    return x if dtype is None else elementwise.cast(x, dtype)


def sum(x: Any, axis: Any = None, keepdims: bool = False) -> Tensor:
    """The sum over `axis`, all axes by default."""
    return reduction.reduce_sum(_widened(x), axis, keepdims)


def mean(x: Any, axis: Any = None, keepdims: bool = False) -> Tensor:
    """The mean over `axis`; of integers in float32. float16 is added up in float32, as the sum may be out of range."""
    x = _floats(x)
    if x._array.dtype.itemsize > 2:
        return reduction.reduce_mean(x, axis, keepdims)
    return elementwise.cast(reduction.reduce_mean(elementwise.cast(x, "float32"), axis, keepdims), x.dtype)


def max(x: Any, axis: Any = None, keepdims: bool = False, initial: Any = None) -> Tensor:
    """The maximum over `axis`, and of `initial` if given."""
    return _extreme(reduction.reduce_max, elementwise.maximum, x, axis, keepdims, initial)


def min(x: Any, axis: Any = None, keepdims: bool = False, initial: Any = None) -> Tensor:
    """The minimum over `axis`, and of `initial` if given."""
    return _extreme(reduction.reduce_min, elementwise.minimum, x, axis, keepdims, initial)


def _extreme(reduce: Any, of_two: Any, x: Any, axis: Any, keepdims: bool, initial: Any) -> Tensor:
    x = as_tensor(x)
    if initial is None and not x._array.size:
        raise InvalidArgumentError(f"An empty tensor has no extreme: received shape {x.shape}. Give an `initial`.")
    out = reduce(x, axis, keepdims)
    if initial is not None:
        out = of_two(out, initial)
    return elementwise.cast(out, "bool") if x.dtype.is_bool else out


def prod(x: Any, axis: Any = None, keepdims: bool = False, dtype: Any = None) -> Tensor:
    """The product over `axis`."""
    return reduction.reduce_prod(_widened(x, dtype), axis, keepdims)


def all(x: Any, axis: Any = None, keepdims: bool = False) -> Tensor:
    """Whether all elements over `axis` hold."""
    return reduction.reduce_all(elementwise.cast(x, "bool"), axis, keepdims)


def any(x: Any, axis: Any = None, keepdims: bool = False) -> Tensor:
    """Whether any element over `axis` holds."""
    return reduction.reduce_any(elementwise.cast(x, "bool"), axis, keepdims)


def var(x: Any, axis: Any = None, keepdims: bool = False) -> Tensor:
    """The population variance over `axis`."""
    return reduction.reduce_variance(x, axis, keepdims)


def std(x: Any, axis: Any = None, keepdims: bool = False) -> Tensor:
    """The population standard deviation over `axis`."""
    return reduction.reduce_std(x, axis, keepdims)


def logsumexp(x: Any, axis: Any = None, keepdims: bool = False) -> Tensor:
    """log(sum(e ** x)) over `axis`."""
    return reduction.reduce_logsumexp(x, axis, keepdims)


def argmax(x: Any, axis: int | None = None, keepdims: bool = False) -> Tensor:
    """The index of the largest element, of the flattened x without `axis`; int32."""
    return _arg(reduction.argmax, x, axis, keepdims)


def argmin(x: Any, axis: int | None = None, keepdims: bool = False) -> Tensor:
    """The index of the smallest element, of the flattened x without `axis`; int32."""
    return _arg(reduction.argmin, x, axis, keepdims)


def _arg(op: Any, x: Any, axis: int | None, keepdims: bool) -> Tensor:
    x = as_tensor(x)
    if axis is None:
        found = op(shaping.reshape(x, (-1,)), 0, "int32")
        return shaping.reshape(found, (1,) * x.ndim) if keepdims else found
    found = op(x, axis, "int32")
    return shaping.expand_dims(found, axis) if keepdims else found


def cumsum(x: Any, axis: int | None = None, dtype: Any = None) -> Tensor:
    """The running sum along `axis`, of the flattened x without one."""
    x = as_tensor(x) if dtype is None else elementwise.cast(x, dtype)
    return reduction.cumsum(shaping.reshape(x, (-1,)), 0) if axis is None else reduction.cumsum(x, axis)


def cumprod(x: Any, axis: int | None = None, dtype: Any = None) -> Tensor:
    """The running product along `axis`, of the flattened x without one."""
    x = as_tensor(x) if dtype is None else elementwise.cast(x, dtype)
    return reduction.cumprod(shaping.reshape(x, (-1,)), 0) if axis is None else reduction.cumprod(x, axis)


def clip(x: Any, x_min: Any, x_max: Any) -> Tensor:
    """x limited to [x_min, x_max]."""
    return elementwise.clip_by_value(x, x_min, x_max)


def concatenate(xs: Any, axis: int = 0) -> Tensor:
    """Joined along an axis that they have."""
    return shaping.concat(xs, axis)


def take(x: Any, indices: Any, axis: int | None = None) -> Tensor:
    """Slices of x along `axis`, of the flattened x without one; negative indices count from the end."""
    x = as_tensor(x)
    if axis is None:
        x, axis = shaping.reshape(x, (-1,)), 0
    size = x.shape[one_axis(axis, x.ndim)]
    places = as_tensor(indices)
    return indexing.gather(x, elementwise.where(places < 0, places + size, places), axis=axis)


def take_along_axis(x: Any, indices: Any, axis: int | None = None) -> Tensor:
    """Elements of x along `axis` at `indices`, an array of as many axes."""
    x = as_tensor(x)
    if axis is None:
        x, axis = shaping.reshape(x, (-1,)), 0
    return ops.take_along(x, indices, axis=axis - x.ndim if axis >= 0 else axis)


def swapaxes(x: Any, axis1: int, axis2: int) -> Tensor:
    """Two axes exchanged."""
    x = as_tensor(x)
    return ops.swapaxes(x, axis1=one_axis(axis1, x.ndim, "axis1"), axis2=one_axis(axis2, x.ndim, "axis2"))


def moveaxis(x: Any, source: Any, destination: Any) -> Tensor:
    """Axes `source` moved to `destination`, the others in their order."""
    x = as_tensor(x)
    sources, targets = (
        [one_axis(each, x.ndim, name) + x.ndim for each in as_ints(axes, name)]
        for axes, name in ((source, "source"), (destination, "destination"))
    )
    if len(sources) != len(targets) or len({*sources}) < len(sources) or len({*targets}) < len(targets):
        raise InvalidArgumentError(
            f"`source` and `destination` must name as many axes, each once, received {source} and {destination}."
        )
    order = [axis for axis in range(x.ndim) if axis not in sources]
    for target, origin in sorted(zip(targets, sources, strict=True)):
        order.insert(target, origin)
    return shaping.transpose(x, order)


def transpose(x: Any, axes: Any = None) -> Tensor:
    """The axes in the order `axes`, reversed by default."""
    return shaping.transpose(x, axes)


def flip(x: Any, axis: Any = None) -> Tensor:
    """The order along the axes turned round, along all of them by default."""
    return shaping.flip(x, axis)


def norm(x: Any, ord: Any = None, axis: Any = None, keepdims: bool = False) -> Tensor:
    """The norm over `axis`: Euclidean by default. Over two axes `ord` names a norm of matrices.

    `ord`: None, 0 or any number for vectors, "fro", "nuc", 1, -1, 2, -2 and both infinities for matrices.
    """
    x = _floats(x)
    if ord is None:
        return reduction.norm(x, "euclidean", axis, keepdims)
    axes = tuple(range(x.ndim)) if axis is None else as_ints(axis, "axis")
    known = ("fro", "nuc", 1, -1, 2, -2, np.inf, -np.inf)
    if (len(axes) == 2 and ord not in known) or (len(axes) != 2 and isinstance(ord, str)):
        raise InvalidArgumentError(
            f"`ord` of `norm` must be one of {', '.join(map(repr, known))} over two axes, and a number over one; "
            f"received {ord!r} and `axis` {axis} for shape {tuple(x.shape)}."
        )
    if ord == "nuc" or (len(axes) == 2 and ord in (2, -2)):
        values = ops.singular_values(moveaxis(x, axes, (-2, -1)))
        out = {2: max, -2: min, "nuc": sum}[ord](values, -1)
        return expand_dims(out, [each % x.ndim for each in axes]) if keepdims else out
    if len(axes) == 2 and ord in (-1, -np.inf):
        summed, least = axes if ord == -1 else axes[::-1]
        return min(min(sum(elementwise.abs(x), summed, True), least, True), axes, keepdims)
    if ord == 0:
        return sum(elementwise.cast(elementwise.not_equal(x, 0.0), x.dtype), axis, keepdims)
    if ord == -np.inf:
        return min(elementwise.abs(x), axis, keepdims)
    if not isinstance(ord, str) and ord < 0:
        return elementwise.pow(sum(elementwise.pow(elementwise.abs(x), float(ord)), axis, keepdims), 1.0 / ord)
    return reduction.norm(x, ord, axes if len(axes) == 2 else axis, keepdims)


def normalize(x: Any, axis: int = -1, order: int = 2, epsilon: float | None = None) -> Tensor:
    """x divided by its norm of the given order along `axis`, which is at least epsilon (1e-7)."""
    if not isinstance(order, int) or order < 1:
        raise InvalidArgumentError(f"`order` of `normalize` must be an integer of 1 or more, received {order!r}.")
    x, epsilon = _floats(x), EPSILON if epsilon is None else epsilon
    x = x if x.ndim else shaping.reshape(x, (1,))
    if order == 2:
        return neural.l2_normalize(x, axis, epsilon**2)  # which takes the least square
    return x / elementwise.maximum(reduction.norm(x, order, axis, True), epsilon)


def one_hot(x: Any, num_classes: int, axis: int = -1, dtype: Any = None, sparse: bool = False) -> Tensor:
    """1 at each index along a new axis of size `num_classes`."""
    return creation.one_hot(elementwise.cast(x, "int64"), num_classes, axis=axis, dtype=dtype or "float32")


def arange(start: Any, stop: Any = None, step: Any = 1, dtype: Any = None) -> Tensor:
    """The numbers from start to stop."""
    return creation.range(start, stop, step, dtype)


def full(shape: Any, fill_value: Any, dtype: Any = None) -> Tensor:
    """`fill_value`, a number or an array that broadcasts, everywhere; float32 by default."""
    made = ops.broadcast_to(as_tensor(fill_value), shape=as_shape(shape))
    return elementwise.cast(made, dtype or "float32")


def full_like(x: Any, fill_value: Any, dtype: Any = None) -> Tensor:
    """`fill_value` everywhere, in the shape and dtype of x."""
    x = as_tensor(x)
    return full(x.shape, fill_value, dtype or x.dtype)


def eye(N: int, M: int | None = None, k: int = 0, dtype: Any = None) -> Tensor:  # noqa: N803  # Keras's names
    """Ones on the k-th diagonal, (N, M)."""
    return Tensor(np.eye(as_int(N, "N"), M, k, dtype=as_dtype(dtype or "float32").dtype))


def power(x1: Any, x2: Any) -> Tensor:
    """x1 ** x2."""
    return elementwise.pow(x1, x2)


def mod(x1: Any, x2: Any) -> Tensor:
    """The remainder, with the sign of x2."""
    return elementwise.floormod(x1, x2)


def _wide_products(values: Any) -> Any:
    """Integers of 8 bits with a sign as int32, in which Keras adds up their products: 8 bits would run over."""
    if builtins.all(as_tensor(each)._array.dtype == np.int8 for each in values):
        return [elementwise.cast(each, "int32") for each in values]
    return values


def matmul(x1: Any, x2: Any) -> Tensor:
    """The matrix product of the last two axes, or of vectors; int8 gives int32."""
    return linear.matmul(*_wide_products((x1, x2)))


def einsum(subscripts: str, *operands: Any, **kwargs: Any) -> Tensor:
    """The sum of products that `subscripts` says, such as "bij,bjk->bik"; int8 gives int32."""
    if isinstance(operands[0] if operands else None, (list, tuple)):
        operands = tuple(operands[0])
    return linear.einsum(subscripts, *_wide_products(operands), **kwargs)


def square(x: Any) -> Tensor:
    """x ** 2, elementwise; bools count as int32."""
    x = as_tensor(x)
    return elementwise.square(elementwise.cast(x, "int32") if x.dtype.is_bool else x)


def dot(x1: Any, x2: Any) -> Tensor:
    """The sum of products over the last axis of x1 and the last but one of x2, or the product by a scalar."""
    a, b = as_tensor(x1), as_tensor(x2)
    if not (a.ndim and b.ndim):
        return elementwise.multiply(a, b)
    return linear.matmul(a, b) if b.ndim < 3 else linear.tensordot(a, b, [[a.ndim - 1], [b.ndim - 2]])


def outer(x1: Any, x2: Any) -> Tensor:
    """The products of all pairs of elements."""
    return linear.tensordot(shaping.reshape(x1, (-1,)), shaping.reshape(x2, (-1,)), 0)


def ravel(x: Any) -> Tensor:
    """Flattened."""
    return shaping.reshape(x, (-1,))


def convert_to_numpy(x: Any) -> Any:
    """The value as an ndarray of one's own."""
    return np.array(x.numpy()) if isinstance(x, TensorLike) else np.array(x)


def shape(x: Any) -> tuple[int, ...]:
    """The shape as a tuple of ints; None for open axes of a symbolic tensor."""
    return tuple(x.shape if hasattr(x, "shape") else as_tensor(x).shape)


def slice(inputs: Any, start_indices: Any, shape: Any) -> Tensor:
    """`shape` elements along each axis from `start_indices` on."""
    return indexing.slice_(inputs, start_indices, shape)


def sort(x: Any, axis: int | None = -1) -> Tensor:
    """Sorted along `axis`, the flattened x for None."""
    return indexing.sort(shaping.reshape(x, (-1,)), 0) if axis is None else indexing.sort(x, axis)


def argsort(x: Any, axis: int | None = -1) -> Tensor:
    """The indices that sort x along `axis`, the flattened x for None."""
    return indexing.argsort(shaping.reshape(x, (-1,)), 0) if axis is None else indexing.argsort(x, axis)


def bincount(x: Any, weights: Any = None, minlength: int = 0, sparse: bool = False) -> Tensor:
    """How often each integer from 0 on stands in x, or the sum of its weights: of a vector, or of each row."""
    return indexing.bincount(x, weights, minlength, axis=-1)


def split(x: Any, indices_or_sections: Any, axis: int = 0) -> list[Tensor]:
    """Cut along an axis: into so many equal parts, or at the given places."""
    x = as_tensor(x)
    if np.ndim(indices_or_sections) == 0:
        return shaping.split(x, indices_or_sections, axis)
    stops = [0, *indices_or_sections, x.shape[axis]]
    return shaping.split(x, [stop - start for start, stop in itertools.pairwise(stops)], axis)


def absolute(x: Any) -> Tensor:
    """|x|."""
    return elementwise.abs(x)


def true_divide(x1: Any, x2: Any) -> Tensor:
    """x1 / x2; of integers in floats."""
    return elementwise.divide(x1, x2)


def floor_divide(x1: Any, x2: Any) -> Tensor:
    """The largest integer at most x1 / x2, in the dtype of the two."""
    return elementwise.floordiv(x1, x2)


def log2(x: Any) -> Tensor:
    """The logarithm to base 2."""
    return elementwise.log(_floats(x)) / np.log(2.0)


def log10(x: Any) -> Tensor:
    """The logarithm to base 10."""
    return elementwise.log(_floats(x)) / np.log(10.0)


def nan_to_num(x: Any, nan: float = 0.0, posinf: float | None = None, neginf: float | None = None) -> Tensor:
    """x with NaN replaced by `nan` and the infinities by `posinf` and `neginf`, by default the dtype's limits."""
    x = as_tensor(x)
    if x._array.dtype.kind != "f":
        return x
    limits = np.finfo(x._array.dtype)
    for replaced, value in (
        (elementwise.is_nan(x), nan),
        (elementwise.equal(x, np.inf), float(limits.max) if posinf is None else posinf),
        (elementwise.equal(x, -np.inf), float(limits.min) if neginf is None else neginf),
    ):
        x = elementwise.where(replaced, elementwise.cast(value, x.dtype), x)
    return x


def average(x: Any, axis: Any = None, weights: Any = None) -> Tensor:
    """The mean over `axis`, weighted by `weights`: of x's shape, or (n,) along the one axis."""
    if weights is None:
        return mean(x, axis)
    x, w = (_floats(each) for each in same_dtype(*operands(x, weights)))
    if w.ndim == 1 and x.ndim > 1 and isinstance(axis, int):
        w = shaping.reshape(w, [-1 if each == axis % x.ndim else 1 for each in range(x.ndim)])
    w = shaping.broadcast_to(w, x.shape)
    return reduction.reduce_sum(x * w, axis) / reduction.reduce_sum(w, axis)


def median(x: Any, axis: Any = None, keepdims: bool = False) -> Tensor:
    """The middle value over `axis`; between two, their mean."""
    return quantile(x, 0.5, axis, keepdims=keepdims)


def quantile(x: Any, q: Any, axis: Any = None, method: str = "linear", keepdims: bool = False) -> Tensor:
    """The value below which the share q in [0, 1] of x lies over `axis`, between neighbours by `method`.

    `method`: "linear", "lower", "higher", "midpoint" or "nearest". Raises InvalidArgumentError for another. Several q
    give their values along a new first axis.
    """
    if np.ndim(q):
        return shaping.stack([quantile(x, each, axis, method, keepdims) for each in np.asarray(q).tolist()])
    row, kept = _sorted_rows(x, axis)
    place = float(q) * (row.shape[-1] - 1)
    low, high = int(np.floor(place)), int(np.ceil(place))
    share = _share(method, place, low, float(np.rint(place)))
    if share in (0.0, 1.0):  # an infinite neighbour that counts for nothing would make it NaN
        return _reduced_to(row[..., high if share else low], kept, keepdims)
    return _reduced_to(row[..., low] * (1.0 - share) + row[..., high] * share, kept, keepdims)


def nanquantile(x: Any, q: Any, axis: Any = None, method: str = "linear", keepdims: bool = False) -> Tensor:
    """`quantile` over `axis` of what is not NaN."""
    if np.ndim(q):
        return shaping.stack([nanquantile(x, each, axis, method, keepdims) for each in np.asarray(q).tolist()])
    row, kept = _sorted_rows(x, axis)  # NaN come last
    there = elementwise.cast(elementwise.logical_not(elementwise.is_nan(row)), row.dtype)
    place = elementwise.maximum(float(q) * (reduction.reduce_sum(there, -1, True) - 1.0), 0.0)
    low, high = elementwise.floor(place), elementwise.ceil(place)
    share = _share(method, place, low, elementwise.round(place))
    below, above = (ops.take_along(row, elementwise.cast(each, "int32"), axis=-1) for each in (low, high))
    share = elementwise.cast(share, row.dtype)
    between = below * (1.0 - share) + above * share
    # An infinite neighbour that counts for nothing would make it NaN.
    between = elementwise.where(share == 0.0, below, elementwise.where(share == 1.0, above, between))
    return _reduced_to(between[..., 0], kept, keepdims)


def nanpercentile(x: Any, q: Any, axis: Any = None, method: str = "linear", keepdims: bool = False) -> Tensor:
    """`nanquantile` with q in percent."""
    return nanquantile(x, np.asarray(q) / 100.0, axis, method, keepdims)


def nanmedian(x: Any, axis: Any = None, keepdims: bool = False) -> Tensor:
    """The middle value over `axis` of what is not NaN; between two, their mean."""
    return nanquantile(x, 0.5, axis, keepdims=keepdims)


def _sorted_rows(x: Any, axis: Any) -> tuple[Tensor, list[int]]:
    """What stands along `axis` sorted, as the last axis, and x's shape with 1 for it."""
    x = _floats(x)
    axes = range(x.ndim) if axis is None else [axis] if isinstance(axis, int) else axis
    reduced = builtins.sorted({each % x.ndim for each in axes})
    kept = [each for each in range(x.ndim) if each not in reduced]
    row = sort(shaping.reshape(shaping.transpose(x, [*kept, *reduced]), [*(x.shape[each] for each in kept), -1]))
    return row, [1 if each in reduced else size for each, size in enumerate(x.shape)]


def _share(method: str, place: Any, low: Any, nearest: Any) -> Any:
    """How much the upper of two neighbours counts at a place between them."""
    shares = {"linear": place - low, "lower": 0.0, "higher": 1.0, "midpoint": 0.5, "nearest": nearest - low}
    if method not in shares:
        raise InvalidArgumentError(f"`method` must be one of {', '.join(shares)}; received {method!r}.")
    return shares[method]


def _reduced_to(out: Tensor, kept: list[int], keepdims: bool) -> Tensor:
    return shaping.reshape(out, kept) if keepdims else out


def hstack(xs: Any) -> Tensor:
    """Joined along the second axis; vectors along their only one."""
    parts = [as_tensor(x) for x in xs]
    return shaping.concat(parts, 1 if parts[0].ndim > 1 else 0)


def vstack(xs: Any) -> Tensor:
    """Joined along the first axis, vectors as rows."""
    parts = [as_tensor(x) for x in xs]
    return shaping.concat([x if x.ndim > 1 else shaping.reshape(x, (1, -1)) for x in parts], 0)


def inner(x1: Any, x2: Any) -> Tensor:
    """The sums of products along the last axes of both."""
    a, b = as_tensor(x1), as_tensor(x2)
    return linear.tensordot(a, b, [[-1], [-1]]) if a.ndim and b.ndim else elementwise.multiply(a, b)


def diag(x: Any, k: int = 0) -> Tensor:
    """The matrix with the vector x on its k-th diagonal, or the k-th diagonal of the matrix x."""
    x = as_tensor(x)
    if x.ndim == 1:
        below, above = builtins.max(-k, 0), builtins.max(k, 0)
        return shaping.pad(linear.diag(x), [[below, above], [above, below]])
    if x.ndim != 2:
        raise ShapeError(f"`diag` needs a vector or a matrix, received shape {x.shape}. `diagonal` takes more axes.")
    return diagonal(x, k)


def diagonal(x: Any, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Tensor:
    """The diagonals of two axes, `offset` above the main one, along a new last axis."""
    x = as_tensor(x)
    if x.ndim < 2:
        raise ShapeError(f"`diagonal` needs at least 2 dimensions, received shape {x.shape}.")
    x = moveaxis(x, (axis1, axis2), (-2, -1)) if x.ndim > 2 or axis1 % 2 else x
    rows, columns = x.shape[-2:]
    start, end = builtins.max(offset, 0), builtins.max(-offset, 0)
    size = builtins.max(builtins.min(rows - end, columns - start), 0)
    return linear.diag_part(x[..., end : end + size, start : start + size])


def trace(x: Any, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Tensor:
    """The sums of the diagonals of two axes, `offset` above the main one."""
    return sum(diagonal(x, offset, axis1, axis2), -1)


def tril(x: Any, k: int = 0) -> Tensor:
    """The last two axes at and below the k-th diagonal, zeros above."""
    return _where_triangle(x, np.tril, k)


def triu(x: Any, k: int = 0) -> Tensor:
    """The last two axes at and above the k-th diagonal, zeros below."""
    return _where_triangle(x, np.triu, k)


def _where_triangle(x: Any, triangle: Any, k: int) -> Tensor:
    x = as_tensor(x)
    kept = triangle(np.ones(x.shape[-2:], bool), k)
    return elementwise.where(kept, x, elementwise.cast(0, x.dtype))


def multi_hot(
    inputs: Any, num_classes: int | None = None, axis: int = -1, dtype: Any = None, sparse: bool = False
) -> Tensor:
    """1 at every index of a sample, along a new axis of size `num_classes`: (n, t) -> (n, num_classes)

    The indices of a sample are those along the second axis, of a vector all.
    """
    if num_classes is None:
        raise InvalidArgumentError("`multi_hot` needs `num_classes`.")
    ids = as_tensor(inputs)
    return max(one_hot(ids, num_classes, axis, dtype), 1 if ids.ndim > 1 else 0)


def scatter(indices: Any, values: Any, shape: Any) -> Tensor:
    """`values` added into zeros of `shape` at `indices` (n, depth)."""
    return indexing.scatter_nd(indices, values, shape)


def scatter_update(inputs: Any, indices: Any, updates: Any, reduction: str | None = None) -> Tensor:
    """`inputs` with `updates` in the places `indices` (n, depth), or met with them by `reduction`.

    `reduction`: None, "add", "max", "min" or "mul". Raises InvalidArgumentError for another.
    """
    kinds = {None: "update", "add": "add", "max": "max", "min": "min", "mul": "mul"}
    if reduction not in kinds:
        raise InvalidArgumentError(f"`reduction` must be one of {', '.join(map(str, kinds))}; received {reduction!r}.")
    return LATE[f"scatter_{kinds[reduction]}"](inputs, indices, updates)


def batch_normalization(
    x: Any, mean: Any, variance: Any, axis: int, offset: Any = None, scale: Any = None, epsilon: float = 1e-3
) -> Tensor:
    """scale * (x - mean) / sqrt(variance + epsilon) + offset, with parameters of the size of `axis`."""
    x = _floats(x)
    along = [-1 if each == axis % x.ndim else 1 for each in range(x.ndim)]
    mean, variance, offset, scale = (
        None if part is None else shaping.reshape(part, along) for part in (mean, variance, offset, scale)
    )
    return neural.batch_normalization(x, mean, variance, offset, scale, epsilon)


def segment_sum(data: Any, segment_ids: Any, num_segments: int | None = None, sorted: bool = False) -> Tensor:
    """Sums of the slices of `data` that share a segment id, which need not be sorted."""
    return _by_segment(segments.unsorted_segment_sum, data, segment_ids, num_segments)


def segment_max(data: Any, segment_ids: Any, num_segments: int | None = None, sorted: bool = False) -> Tensor:
    """Maxima of the slices of `data` that share a segment id, which need not be sorted."""
    return _by_segment(segments.unsorted_segment_max, data, segment_ids, num_segments)


def segment_min(data: Any, segment_ids: Any, num_segments: int | None = None, sorted: bool = False) -> Tensor:
    """Minima of the slices of `data` that share a segment id, which need not be sorted."""
    return _by_segment(segments.unsorted_segment_min, data, segment_ids, num_segments)


def segment_prod(data: Any, segment_ids: Any, num_segments: int | None = None, sorted: bool = False) -> Tensor:
    """Products of the slices of `data` that share a segment id, which need not be sorted."""
    return _by_segment(segments.unsorted_segment_prod, data, segment_ids, num_segments)


def _by_segment(reduce: Any, data: Any, segment_ids: Any, num_segments: int | None) -> Tensor:
    ids = as_tensor(segment_ids)
    if num_segments is None:
        num_segments = int(values_of(ids).max(initial=-1)) + 1
    return reduce(data, ids, num_segments)


def where(condition: Any, x1: Any = None, x2: Any = None) -> Any:
    """x1 where the condition holds, else x2; the indices where it holds, one vector for each axis, without the two."""
    if (x1 is None) != (x2 is None):
        raise InvalidArgumentError("`where` needs both `x1` and `x2`, or neither.")
    if x1 is not None:
        return elementwise.where(condition, x1, x2)
    return nonzero(condition)


def nonzero(x: Any) -> list[Tensor]:
    """The indices of what is not zero, one int32 vector for each axis."""
    return [Tensor(each.astype(np.int32)) for each in np.nonzero(values_of(as_tensor(x)))]


def round(x: Any, decimals: int = 0) -> Tensor:
    """x rounded to so many decimals, halves to even; left of the point where negative."""
    if not decimals:
        return elementwise.round(x)
    x = as_tensor(x)
    scaled = elementwise.round(_floats(x) * 10.0**decimals) / 10.0**decimals
    return elementwise.cast(scaled, x.dtype)


def floor(x: Any) -> Tensor:
    """The largest integer not above x, as a float."""
    return elementwise.floor(_floats(x))


def ceil(x: Any) -> Tensor:
    """The smallest integer not below x, as a float."""
    return elementwise.ceil(_floats(x))


def pad(x: Any, pad_width: Any, mode: str = "constant", constant_values: Any = None) -> Tensor:
    """x with `pad_width` elements before and behind: a number, one pair, or one pair an axis.

    `mode`: "constant", "reflect" or "symmetric". Raises InvalidArgumentError for another.
    """
    x = as_tensor(x)
    if mode != "constant" and constant_values is not None:
        raise InvalidArgumentError(f"`constant_values` belong to mode 'constant', received mode {mode!r}.")
    width = np.asarray(pad_width)
    width = np.broadcast_to(width if width.ndim else width.reshape(1, 1), (x.ndim, 2))
    return shaping.pad(x, width.tolist(), mode, 0 if constant_values is None else constant_values)


def roll(x: Any, shift: Any, axis: Any = None) -> Tensor:
    """The elements moved by `shift` places along an axis, or in the flattened order, the last coming first."""
    x = as_tensor(x)
    if axis is None:
        return shaping.reshape(shaping.roll(shaping.reshape(x, (-1,)), shift, 0), x.shape)
    if np.ndim(shift) != np.ndim(axis):  # one shift for several axes, or the other way round
        shift, axis = (each.tolist() for each in np.broadcast_arrays(as_ints(shift, "shift"), as_ints(axis, "axis")))
    return shaping.roll(x, shift, axis)


def tile(x: Any, repeats: Any) -> Tensor:
    """x so many times along each axis; where their numbers differ, the missing ones come first, as 1."""
    x, times = as_tensor(x), as_ints(repeats, "repeats")
    ndim = builtins.max(x.ndim, len(times))
    x = shaping.reshape(x, (1,) * (ndim - x.ndim) + tuple(x.shape))
    return shaping.tile(x, (1,) * (ndim - len(times)) + times)


def expand_dims(x: Any, axis: Any) -> Tensor:
    """x with a new axis of size 1 at `axis`, or at several."""
    x = as_tensor(x)
    axes = as_ints(axis, "axis")
    ndim = x.ndim + len(axes)
    for each in builtins.sorted(one_axis(each, ndim) + ndim for each in axes):
        x = shaping.expand_dims(x, each)
    return x


def count_nonzero(x: Any, axis: Any = None) -> Tensor:
    """The number of elements that are not 0 over `axis`; int32."""
    return reduction.count_nonzero(x, axis, dtype="int32")


def convert_to_tensor(x: Any, dtype: Any = None, sparse: Any = None, ragged: Any = None) -> Tensor:
    """x as a Tensor, cast to `dtype` if given."""
    x = as_tensor(x)
    return x if dtype is None else elementwise.cast(x, dtype)


def gelu(x: Any, approximate: bool = True) -> Tensor:
    """x * P(X <= x) for a standard normal X; by default by the formula with tanh."""
    return neural.gelu(x, approximate)


def cholesky(x: Any, upper: bool = False) -> Tensor:
    """The lower triangular L with L @ L.T = x, or the upper triangular L.T."""
    lower = linear.cholesky(x)
    return shaping.matrix_transpose(lower) if upper else lower


def solve(a: Any, b: Any) -> Tensor:
    """x with a @ x = b: (..., n, n) and (..., n) or (..., n, k)."""
    a, b = as_tensor(a), as_tensor(b)
    if b.ndim == a.ndim - 1:
        return shaping.squeeze(linear.solve(a, shaping.expand_dims(b, -1)), -1)
    return linear.solve(a, b)


def logical_and(x1: Any, x2: Any) -> Tensor:
    """Whether both hold, elementwise; numbers hold where they are not 0."""
    return elementwise.logical_and(elementwise.cast(x1, "bool"), elementwise.cast(x2, "bool"))


def logical_or(x1: Any, x2: Any) -> Tensor:
    """Whether one of the two holds, elementwise; numbers hold where they are not 0."""
    return elementwise.logical_or(elementwise.cast(x1, "bool"), elementwise.cast(x2, "bool"))


def logical_xor(x1: Any, x2: Any) -> Tensor:
    """Whether exactly one of the two holds, elementwise; numbers hold where they are not 0."""
    return elementwise.logical_xor(elementwise.cast(x1, "bool"), elementwise.cast(x2, "bool"))


def logical_not(x: Any) -> Tensor:
    """Whether x does not hold, elementwise; numbers hold where they are not 0."""
    return elementwise.logical_not(elementwise.cast(x, "bool"))


def ndim(x: Any) -> int:
    """The number of axes."""
    return x.ndim if isinstance(x, TensorLike) else as_tensor(x).ndim


def size(x: Any) -> Tensor:
    """The number of elements, int32."""
    return Tensor(np.array(as_tensor(x)._array.size, np.int32))
