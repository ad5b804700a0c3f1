"""keras.ops's names for what NumPy has and TensorFlow has not, or calls otherwise: joins, parts, windows, statistics.

Most are short formulas over the operations, so that gradients and programs come with them.
"""

from __future__ import annotations

import builtins
from collections.abc import Callable, Sequence
from math import prod
from typing import Any

import numpy as np

from minitrain.dtypes import as_dtype, float_for
from minitrain.engine.convert import as_tensor, operands, same_dtype, tensors
from minitrain.engine.primitive import primitive
from minitrain.engine.tensor import Tensor
from minitrain.errors import InvalidArgumentError, ShapeError
from minitrain.ops import creation, elementwise, indexing, keras_names, linear, reduction, shaping
from minitrain.ops.axes import as_int, as_ints, as_shape, one_axis, values_of
from minitrain.ops.reduction import _floats

LN2 = float(np.log(2.0))

# ------------------------------------------------------------------------------------------------------- primitives

gcd = primitive(np.gcd, "The greatest common divisor, elementwise, of integers.")
lcm = primitive(np.lcm, "The least common multiple, elementwise, of integers.")
signbit = primitive(np.signbit, "Whether the sign is negative, that of -0.0 included, elementwise.")
nextafter = primitive(np.nextafter, "The next number after x on the way to y, elementwise.", floating=True)
heaviside = primitive(np.heaviside, "0 below 0, 1 above, y at 0, elementwise. It has no gradient.", floating=True)

cbrt = primitive(np.cbrt, "The cube root, elementwise, of negative numbers too.", floating=True)


@cbrt.vjp("x")
def _(xp, g, out, x):
    return g / (3.0 * out * out)


_hypot = primitive(np.hypot, "sqrt(x ** 2 + y ** 2).", name="hypot", floating=True)


@_hypot.vjp("x")
def _(xp, g, out, x, y):
    return g * xp.divide_no_nan(x, out)


@_hypot.vjp("y")
def _(xp, g, out, x, y):
    return g * xp.divide_no_nan(y, out)


@primitive(floating=True)
def i0(x):
    """The modified Bessel function of the first kind of order 0, elementwise."""
    return np.i0(x).astype(float_for(x.dtype))


@primitive(floating=True)
def i1(x):
    """The modified Bessel function of the first kind of order 1, elementwise."""
    z = np.abs(x.astype(np.float64))
    # The mean of exp(z cos t) cos t over half a period: the midpoint rule converges geometrically.
    angles = (np.arange(I1_POINTS) + 0.5) * (np.pi / I1_POINTS)
    total = np.zeros_like(z)
    for angle in angles:
        total += np.exp(z * np.cos(angle)) * np.cos(angle)
    return np.copysign(total / I1_POINTS, x).astype(float_for(x.dtype))


I1_POINTS = 128


@i0.vjp("x")
def _(xp, g, out, x):
    return g * xp.i1(x)


@i1.vjp("x")
def _(xp, g, out, x):
    return g * (xp.i0(x) - xp.divide_no_nan(out, x) - 0.5 * xp.cast_discrete(xp.equal(x, 0 * x), dtype=x.dtype))


# ------------------------------------------------------------------------------------------------------- elementwise


def exp2(x: Any) -> Tensor:
    """2 ** x."""
    return elementwise.pow(2.0, _floats(x))


def logaddexp2(x1: Any, x2: Any) -> Tensor:
    """log2(2 ** x1 + 2 ** x2), without overflow."""
    return elementwise.logaddexp(*(_floats(each) * LN2 for each in same_dtype(*operands(x1, x2)))) / LN2


def deg2rad(x: Any) -> Tensor:
    """Degrees as radians."""
    return _floats(x) * (np.pi / 180.0)


def rad2deg(x: Any) -> Tensor:
    """Radians as degrees."""
    return _floats(x) * (180.0 / np.pi)


def fabs(x: Any) -> Tensor:
    """|x| in floats."""
    return elementwise.abs(_floats(x))


def hypot(x1: Any, x2: Any) -> Tensor:
    """sqrt(x1 ** 2 + x2 ** 2), elementwise, without overflow; its gradient at (0, 0) is 0."""
    return _hypot(x1, x2)


def ldexp(x1: Any, x2: Any) -> Tensor:
    """x1 * 2 ** x2."""
    x = _floats(x1)
    return x * exp2(elementwise.cast(x2, x.dtype))


def sinc(x: Any) -> Tensor:
    """sin(pi * x) / (pi * x), and 1 at 0."""
    x = _floats(x) * np.pi
    at_zero = elementwise.equal(x, 0.0)
    safe = elementwise.where(at_zero, creation.ones_like(x), x)
    return elementwise.where(at_zero, creation.ones_like(x), elementwise.sin(safe) / safe)


def trunc(x: Any) -> Tensor:
    """The integer part, towards 0."""
    return elementwise.truncate(x)


def fmod(x1: Any, x2: Any) -> Tensor:
    """The remainder, with the sign of x1."""
    return elementwise.truncatemod(x1, x2)


def fmax(x1: Any, x2: Any) -> Tensor:
    """The larger, elementwise; a number wins over NaN."""
    a, b = same_dtype(*operands(x1, x2))
    return elementwise.where(
        elementwise.is_nan(a), b, elementwise.where(elementwise.is_nan(b), a, elementwise.maximum(a, b))
    )


def fmin(x1: Any, x2: Any) -> Tensor:
    """The smaller, elementwise; a number wins over NaN."""
    a, b = same_dtype(*operands(x1, x2))
    return elementwise.where(
        elementwise.is_nan(a), b, elementwise.where(elementwise.is_nan(b), a, elementwise.minimum(a, b))
    )


def isposinf(x: Any) -> Tensor:
    """Whether x is infinite and positive, elementwise."""
    return elementwise.equal(_floats(x), np.inf)


def isneginf(x: Any) -> Tensor:
    """Whether x is infinite and negative, elementwise."""
    return elementwise.equal(_floats(x), -np.inf)


def isreal(x: Any) -> Tensor:
    """True everywhere: complex numbers are not supported."""
    return creation.ones_like(as_tensor(x), "bool")


def imag(x: Any) -> Tensor:
    """Zeros: complex numbers are not supported."""
    return creation.zeros_like(x)


def angle(x: Any) -> Tensor:
    """The angle to the positive real axis: pi for negative numbers, 0 for others."""
    x = _floats(x)
    return elementwise.where(elementwise.less(x, 0.0), elementwise.cast(np.pi, x.dtype), creation.zeros_like(x))


def rearrange(tensor: Any, pattern: str, **axes_lengths: int) -> Tensor:
    """Axes split, put in another order, and joined, as a pattern of einops's says.

    Each word is an axis, words in parentheses are joined in one, "..." stands for the axes between. `axes_lengths`:
    the sizes of axes that a split leaves open. Raises ShapeError for another shape than the pattern's.

    >>> rearrange(np.zeros((2, 12, 3)), "n (h w) c -> n c h w", h=4).shape
    TensorShape([2, 3, 4, 3])
    """
    x = as_tensor(tensor)
    left, _, right = pattern.partition("->")
    between = " ".join(f"_{place}" for place in range(x.ndim - len(_groups(left)) + 1))
    before, after = (_groups(side.replace("...", between)) for side in (left, right))
    names, wanted = ([each for group in groups for each in group] for groups in (before, after))
    if sorted(names) != sorted(wanted) or len({*names}) < len(names):
        raise InvalidArgumentError(f"Both sides of `pattern` must name the same axes, once each, received {pattern!r}.")
    if len(before) != x.ndim:
        raise ShapeError(f"`pattern` {pattern!r} is for {len(before)} axes, received shape {x.shape}.")
    sizes = dict(axes_lengths)
    for group, size in zip(before, x.shape, strict=True):
        left_open = [each for each in group if each not in sizes]
        known = prod(sizes[each] for each in group if each in sizes)
        if len(left_open) > 1 or size % known or (not left_open and size != known):
            raise ShapeError(f"The axes ({' '.join(group)}) of {pattern!r} with {axes_lengths} do not make up {size}.")
        sizes.update(dict.fromkeys(left_open, size // known))
    x = shaping.transpose(shaping.reshape(x, [sizes[each] for each in names]), [names.index(each) for each in wanted])
    return shaping.reshape(x, [prod(sizes[each] for each in group) for group in after])


def _groups(side: str) -> list[list[str]]:
    """The names of each axis of one side of a pattern; none for "1"."""
    import re

    found = re.findall(r"\(([^()]*)\)|([^\s()]+)", side)
    return [[each for each in (joined or alone).split() if each != "1"] for joined, alone in found]


def real(x: Any) -> Tensor:
    """x itself: complex numbers are not supported."""
    return as_tensor(x)


def isclose(x1: Any, x2: Any, rtol: float = 1e-5, atol: float = 1e-8, equal_nan: bool = False) -> Tensor:
    """Whether |x1 - x2| <= atol + rtol * |x2|, elementwise."""
    a, b = same_dtype(*operands(x1, x2))
    if a._array.dtype.kind != "f":
        a, b = _floats(a), _floats(b)
    near = elementwise.less_equal(elementwise.abs(a - b), atol + rtol * elementwise.abs(b))
    near = elementwise.logical_or(elementwise.logical_and(near, elementwise.is_finite(b)), elementwise.equal(a, b))
    if equal_nan:
        near = elementwise.logical_or(near, elementwise.logical_and(elementwise.is_nan(a), elementwise.is_nan(b)))
    return near


def allclose(x1: Any, x2: Any, rtol: float = 1e-5, atol: float = 1e-8, equal_nan: bool = False) -> Tensor:
    """Whether `isclose` holds everywhere."""
    return reduction.reduce_all(isclose(x1, x2, rtol, atol, equal_nan))


def isin(x1: Any, x2: Any, assume_unique: bool = False, invert: bool = False) -> Tensor:
    """Whether each element of x1 is among those of x2."""
    return Tensor(np.isin(values_of(as_tensor(x1)), values_of(as_tensor(x2)), invert=invert))


def select(condlist: Sequence[Any], choicelist: Sequence[Any], default: Any = 0) -> Tensor:
    """From the first of `choicelist` whose condition holds, elementwise; `default` where none does."""
    if len(condlist) != len(choicelist):
        raise InvalidArgumentError(
            f"`select` needs one choice for each condition, received {len(condlist)} and {len(choicelist)}."
        )
    *choices, out = tensors([*choicelist, default])
    for condition, choice in zip(reversed(condlist), reversed(choices), strict=True):
        out = elementwise.where(condition, choice, out)
    return out


# ------------------------------------------------------------------------------------------------- joins and parts


def array(x: Any, dtype: Any = None) -> Tensor:
    """x as a Tensor."""
    x = as_tensor(x)
    return x if dtype is None else elementwise.cast(x, dtype)


def copy(x: Any) -> Tensor:
    """x itself: Tensors never change."""
    return elementwise.identity(x)


def empty(shape: Any, dtype: Any = None) -> Tensor:
    """A Tensor of the given shape whose values do not matter: zeros."""
    return creation.zeros(shape, dtype or "float32")


def empty_like(x: Any, dtype: Any = None) -> Tensor:
    """A Tensor in the shape and dtype of x whose values do not matter: zeros."""
    return creation.zeros_like(x, dtype)


def identity(n: int, dtype: Any = None) -> Tensor:
    """The identity matrix, (n, n)."""
    return keras_names.eye(n, dtype=dtype)


def append(x1: Any, x2: Any, axis: int | None = None) -> Tensor:
    """x2 behind x1 along `axis`, both flattened without one."""
    if axis is None:
        x1, x2, axis = shaping.reshape(x1, (-1,)), shaping.reshape(x2, (-1,)), 0
    return shaping.concat(tensors([x1, x2]), axis)


def dstack(xs: Any) -> Tensor:
    """Joined along the third axis; (n,) as (1, n, 1), (n, m) as (n, m, 1)."""
    parts = [as_tensor(x) for x in xs]
    parts = [shaping.reshape(x, (1, -1)) if x.ndim < 2 else x for x in parts]
    return shaping.concat([shaping.expand_dims(x, 2) if x.ndim == 2 else x for x in parts], 2)


def array_split(x: Any, indices_or_sections: Any, axis: int = 0) -> list[Tensor]:
    """Cut along an axis into so many parts whose sizes differ by one at most, or at the given places."""
    x = as_tensor(x)
    if np.ndim(indices_or_sections):
        return keras_names.split(x, indices_or_sections, axis)
    parts = as_int(indices_or_sections, "indices_or_sections")
    small, more = divmod(x.shape[axis], parts)
    return shaping.split(x, [small + 1] * more + [small] * (parts - more), axis)


def hsplit(x: Any, indices_or_sections: Any) -> list[Tensor]:
    """Cut along the second axis; a vector along its only one."""
    x = as_tensor(x)
    return keras_names.split(x, indices_or_sections, 1 if x.ndim > 1 else 0)


def vsplit(x: Any, indices_or_sections: Any) -> list[Tensor]:
    """Cut along the first axis."""
    return keras_names.split(x, indices_or_sections, 0)


def dsplit(x: Any, indices_or_sections: Any) -> list[Tensor]:
    """Cut along the third axis."""
    return keras_names.split(x, indices_or_sections, 2)


def fliplr(x: Any) -> Tensor:
    """The order along the second axis turned round."""
    return shaping.flip(x, 1)


def flipud(x: Any) -> Tensor:
    """The order along the first axis turned round."""
    return shaping.flip(x, 0)


def rot90(x: Any, k: int = 1, axes: tuple[int, int] = (0, 1)) -> Tensor:
    """Turned k times by 90 degrees in the plane of two axes, from the first towards the second."""
    x = as_tensor(x)
    if x.ndim < 2:
        raise ShapeError(f"`rot90` needs at least 2 dimensions, received shape {x.shape}.")
    first, second = (one_axis(each, x.ndim) for each in axes)
    if first == second:
        raise InvalidArgumentError(f"`axes` must be two different axes, received {axes}.")
    turns = k % 4
    if turns in (1, 2):
        x = shaping.flip(x, second)
    if turns in (1, 3):
        x = keras_names.swapaxes(x, first, second)
    return shaping.flip(x, first if turns == 2 else second) if turns in (2, 3) else x


def view(x: Any, dtype: Any = None) -> Tensor:
    """The bits of x read as another dtype: one number of 32 bits is two of 16, along the last axis. No gradient."""
    x = as_tensor(x)
    return x if dtype is None else Tensor(values_of(x).copy().view(as_dtype(dtype).dtype))


def get_item(x: Any, key: Any) -> Tensor:
    """x[key]."""
    return as_tensor(x)[key]


def slice_update(inputs: Any, start_indices: Any, updates: Any) -> Tensor:
    """`inputs` with `updates` written into the block that begins at `start_indices`."""
    x, u = same_dtype(as_tensor(inputs), as_tensor(updates))
    starts = as_ints(start_indices, "start_indices")
    if len(starts) != x.ndim or u.ndim != x.ndim:
        raise ShapeError(
            f"`start_indices` and `updates` need an entry and an axis for each axis of {x.shape}, received {starts} "
            f"and {u.shape}."
        )
    block = tuple(builtins.slice(start, start + size) for start, size in zip(starts, u.shape, strict=True))
    inside = np.zeros(tuple(x.shape), bool)
    inside[block] = True
    around = [[start, total - start - size] for start, size, total in zip(starts, u.shape, x.shape, strict=True)]
    return elementwise.where(inside, shaping.pad(u, around), x)


def diagflat(x: Any, k: int = 0) -> Tensor:
    """The matrix with the flattened x on its k-th diagonal."""
    return keras_names.diag(shaping.reshape(x, (-1,)), k)


def tri(N: int, M: int | None = None, k: int = 0, dtype: Any = None) -> Tensor:  # noqa: N803  # Keras's names
    """Ones at and below the k-th diagonal, (N, M)."""
    return Tensor(np.tri(as_int(N, "N"), M, k, dtype=as_dtype(dtype or "float32").dtype))


def vander(x: Any, N: int | None = None, increasing: bool = False) -> Tensor:  # noqa: N803  # Keras's names
    """The powers of the vector x as columns, the highest first unless `increasing`."""
    x = as_tensor(x)
    columns = x.shape[0] if N is None else as_int(N, "N")
    powers = np.arange(columns) if increasing else np.arange(columns)[::-1]
    return elementwise.pow(shaping.reshape(x, (-1, 1)), Tensor(powers.astype(x._array.dtype)))


def kron(x1: Any, x2: Any) -> Tensor:
    """The Kronecker product: blocks of x2, each times one element of x1."""
    a, b = same_dtype(*operands(x1, x2))
    ndim = max(a.ndim, b.ndim)
    one, other = ((1,) * (ndim - each.ndim) + tuple(each.shape) for each in (a, b))
    left = shaping.reshape(a, [size for each in one for size in (each, 1)])
    right = shaping.reshape(b, [size for each in other for size in (1, each)])
    return shaping.reshape(left * right, [m * n for m, n in zip(one, other, strict=True)])


def vdot(x1: Any, x2: Any) -> Tensor:
    """The sum of the products of the elements."""
    a, b = same_dtype(*operands(x1, x2))
    return reduction.reduce_sum(shaping.reshape(a, (-1,)) * shaping.reshape(b, (-1,)))


def cross(x1: Any, x2: Any, axisa: int = -1, axisb: int = -1, axisc: int = -1, axis: int | None = None) -> Tensor:
    """The cross product of vectors of 3 (or 2) along an axis; two of 2 give the third component alone."""
    if axis is not None:
        axisa = axisb = axisc = axis
    a, b = same_dtype(*operands(x1, x2))
    a, b = keras_names.moveaxis(a, axisa, -1), keras_names.moveaxis(b, axisb, -1)
    sizes = a.shape[-1], b.shape[-1]
    if not {2, 3} >= set(sizes):
        raise ShapeError(f"`cross` needs vectors of 2 or 3 elements, received sizes {sizes[0]} and {sizes[1]}.")
    x, y, z = [*shaping.unstack(a, axis=-1), 0][:3]
    u, v, w = [*shaping.unstack(b, axis=-1), 0][:3]
    third = x * v - y * u
    if sizes == (2, 2):
        return third
    first, second = y * w - z * v, z * u - x * w
    out = shaping.stack([first, second, third], axis=-1)
    return keras_names.moveaxis(out, -1, axisc)


def diff(a: Any, n: int = 1, axis: int = -1) -> Tensor:
    """The differences of neighbours along an axis, taken n times."""
    x = as_tensor(a)
    place = one_axis(axis, x.ndim)
    for _ in range(n):
        later, earlier = (x[indexing.pick_slice(each, place)] for each in (slice(1, None), slice(None, -1)))
        x = elementwise.logical_xor(later, earlier) if x._array.dtype.kind == "b" else later - earlier
    return x


def trapezoid(y: Any, x: Any = None, dx: Any = 1.0, axis: int = -1) -> Tensor:
    """The integral of y along an axis by the trapezoidal rule, over points x or steps dx."""
    y = _floats(y)
    place = one_axis(axis, y.ndim)
    later, earlier = (y[indexing.pick_slice(each, place)] for each in (slice(1, None), slice(None, -1)))
    if x is None:
        return reduction.reduce_sum((later + earlier) * (0.5 * dx), place)
    x = _floats(x)
    width = shaping.reshape(diff(x), [-1] + [1] * (-place - 1)) if x.ndim == 1 else diff(x, axis=place)
    return reduction.reduce_sum((later + earlier) * width * 0.5, place)


# --------------------------------------------------------------------------------------------------------- bounds


def linspace(
    start: Any,
    stop: Any,
    num: int = 50,
    endpoint: bool = True,
    retstep: bool = False,
    dtype: Any = None,
    axis: int = 0,
) -> Any:
    """`num` evenly spaced numbers from start to stop; without stop itself where `endpoint` is False."""
    first, last = same_dtype(*(_floats(each) for each in operands(start, stop)))
    if dtype is not None and not as_dtype(dtype).is_floating:  # a float32 just below an integer would lose one
        first, last = (elementwise.cast(each, "float64") for each in (first, last))
    count = as_int(num, "num")
    steps = max(count - 1 if endpoint else count, 1)
    width = (last - first) / float(steps)
    places = Tensor(np.arange(count, dtype=width._array.dtype).reshape((-1,) + (1,) * width.ndim))
    out = first + width * places
    if endpoint and count > 1:  # rounding may have missed it
        out = elementwise.where(elementwise.equal(places, count - 1), last, out)
    out = keras_names.moveaxis(out, 0, axis)
    out = out if dtype is None else elementwise.cast(out, dtype)
    return (out, width) if retstep else out


def logspace(
    start: Any, stop: Any, num: int = 50, endpoint: bool = True, base: Any = 10, dtype: Any = None, axis: int = 0
) -> Tensor:
    """base ** linspace(start, stop)."""
    out = elementwise.pow(_floats(base), linspace(start, stop, num, endpoint, axis=axis))
    return out if dtype is None else elementwise.cast(out, dtype)


def geomspace(start: Any, stop: Any, num: int = 50, endpoint: bool = True, dtype: Any = None, axis: int = 0) -> Tensor:
    """`num` numbers from start to stop, each the same multiple of the one before."""
    first, last = (elementwise.log(_floats(each)) for each in operands(start, stop))
    out = elementwise.exp(linspace(first, last, num, endpoint, axis=axis))
    return out if dtype is None else elementwise.cast(out, dtype)


def _window(name: str, doc: str) -> Callable[..., Tensor]:
    made = getattr(np, name)

    def window(x: Any, *shape: Any) -> Tensor:
        return Tensor(made(as_int(x, "x"), *shape).astype(np.float32))

    window.__name__ = window.__qualname__ = name
    window.__doc__ = doc
    return window


bartlett = _window("bartlett", "The triangular window of x points.")
blackman = _window("blackman", "The Blackman window of x points.")
hamming = _window("hamming", "The Hamming window of x points.")
hanning = _window("hanning", "The Hann window of x points.")
kaiser = _window("kaiser", "The Kaiser window of x points with the shape parameter beta.")


# ------------------------------------------------------------------------------------------------ statistics, NaNs


def ptp(x: Any, axis: Any = None, keepdims: bool = False) -> Tensor:
    """The maximum less the minimum over `axis`."""
    return reduction.reduce_max(x, axis, keepdims) - reduction.reduce_min(x, axis, keepdims)


def percentile(x: Any, q: Any, axis: Any = None, method: str = "linear", keepdims: bool = False) -> Tensor:
    """`quantile` with q in percent."""
    return keras_names.quantile(x, np.asarray(q) / 100.0, axis, method, keepdims)


def corrcoef(x: Any) -> Tensor:
    """The correlations of the rows of x, (n, m) -> (n, n)."""
    x = _floats(x)
    rows = shaping.reshape(x, (1, -1)) if x.ndim < 2 else x
    centred = rows - reduction.reduce_mean(rows, -1, True)
    unit = centred / reduction.reduce_euclidean_norm(centred, -1, True)
    out = elementwise.clip_by_value(linear.matmul(unit, unit, transpose_b=True), -1.0, 1.0)
    return shaping.squeeze(out) if x.ndim < 2 else out


def correlate(x1: Any, x2: Any, mode: str = "valid") -> Tensor:
    """The sums of products of x2 with x1 under it, at each shift: (n,), (m,); "valid", "same" or "full"."""
    a, b = (_floats(each) for each in same_dtype(*operands(x1, x2)))
    if a.ndim != 1 or b.ndim != 1:
        raise ShapeError(f"`correlate` needs two vectors, received shapes {a.shape} and {b.shape}.")
    if mode not in ("valid", "same", "full"):
        raise InvalidArgumentError(f"`mode` must be 'valid', 'same' or 'full', received {mode!r}.")
    n, m = a.shape[0], b.shape[0]
    padded = shaping.pad(a, [[m - 1, m - 1]])
    places = np.arange(n + m - 1)[:, None] + np.arange(m)[None, :]
    full = linear.matvec(indexing.gather(padded, places), b)
    size = {"valid": abs(n - m) + 1, "same": max(n, m), "full": n + m - 1}[mode]
    middle = (n + m - size - (n >= m)) // 2  # NumPy swaps the two where x2 is longer
    start = {"valid": min(n, m) - 1, "same": middle, "full": 0}[mode]
    return full[start : start + size]


def digitize(x: Any, bins: Any) -> Tensor:
    """The number of the bin into which each element falls, by the bins' rising edges; int32."""
    edges, values = same_dtype(as_tensor(bins), as_tensor(x))
    return indexing.searchsorted(edges, values, side="right")


def histogram(x: Any, bins: int = 10, range: Any = None) -> tuple[Tensor, Tensor]:
    """How many elements fall into each of `bins` equal parts of `range`, and the parts' edges."""
    values = values_of(as_tensor(x))
    if range is not None and (len(range) != 2 or range[0] > range[1]):
        raise InvalidArgumentError(f"`range` must be (low, high) with low <= high, received {range}.")
    counts, edges = np.histogram(values, as_int(bins, "bins"), range)
    return Tensor(counts.astype(np.int32)), Tensor(edges.astype(float_for(values.dtype)))


def unravel_index(indices: Any, shape: Any) -> tuple[Tensor, ...]:
    """The coordinates in `shape` of places in its flattened order, one Tensor for each axis."""
    places = as_tensor(indices)
    found = []
    for size in reversed(as_shape(shape)):
        found.append(elementwise.floormod(places, size))
        places = elementwise.floordiv(places, size)
    return tuple(reversed(found))


def unique(
    x: Any,
    sorted: bool = True,
    return_index: bool = False,
    return_inverse: bool = False,
    return_counts: bool = False,
    axis: int | None = None,
    size: int | None = None,
    fill_value: Any = None,
) -> Any:
    """The distinct values of x in order, of slices along `axis` if given; with their places and counts as asked.

    NaN is no value's equal, so that each stands for itself. `size` cuts the result, or fills it up with `fill_value`,
    0 by default.
    """
    values = values_of(as_tensor(x))
    found = np.unique(values, return_index=True, return_inverse=True, return_counts=True, axis=axis, equal_nan=False)
    distinct, first, inverse, counts = found
    along = 0 if axis is None else axis
    if size is not None:
        more = size - distinct.shape[along]
        if more > 0:
            width = [(0, more if each == along % distinct.ndim else 0) for each in builtins.range(distinct.ndim)]
            distinct = np.pad(distinct, width, constant_values=0 if fill_value is None else fill_value)
            places = first[0] if len(first) else 0  # those of the fillers are the first value's, as in Keras
            first, counts = np.pad(first, (0, more), constant_values=places), np.pad(counts, (0, more))
        else:
            distinct = distinct.take(np.arange(size), along)
            first, counts = first[:size], counts[:size]
    asked = ((return_index, first), (return_inverse, inverse), (return_counts, counts))
    extras = [Tensor(each.astype(np.int32)) for wanted, each in asked if wanted]
    return (Tensor(distinct), *extras) if extras else Tensor(distinct)


def argpartition(x: Any, kth: int, axis: int = -1) -> Tensor:
    """Indices that put the kth smallest along `axis` in its place, smaller ones before it; int32."""
    x = as_tensor(x)
    return Tensor(np.argpartition(values_of(x), kth, axis).astype(np.int32))


def _without_nans(name: str, filler: float, reduce: Callable[..., Tensor]) -> Callable[..., Tensor]:
    def reduced(x: Any, axis: Any = None, keepdims: bool = False) -> Tensor:
        x = as_tensor(x)
        if x._array.dtype.kind != "f":
            return reduce(x, axis, keepdims)
        missing = elementwise.is_nan(x)
        out = reduce(elementwise.where(missing, elementwise.cast(filler, x.dtype), x), axis, keepdims)
        if np.isfinite(filler):
            return out
        nothing = reduction.reduce_all(missing, axis, keepdims)
        return elementwise.where(nothing, elementwise.cast(np.nan, x.dtype), out)

    reduced.__name__ = reduced.__qualname__ = name
    reduced.__doc__ = f"`{name[3:]}` over `axis` of what is not NaN."
    return reduced


nansum = _without_nans("nansum", 0.0, keras_names.sum)
nanprod = _without_nans("nanprod", 1.0, keras_names.prod)
nanmax = _without_nans("nanmax", -np.inf, keras_names.max)
nanmin = _without_nans("nanmin", np.inf, keras_names.min)


def nanmean(x: Any, axis: Any = None, keepdims: bool = False) -> Tensor:
    """The mean over `axis` of what is not NaN."""
    x = _floats(x)
    count = reduction.reduce_sum(
        elementwise.cast(elementwise.logical_not(elementwise.is_nan(x)), x.dtype), axis, keepdims
    )
    return nansum(x, axis, keepdims) / count


def nanvar(x: Any, axis: Any = None, keepdims: bool = False) -> Tensor:
    """The population variance over `axis` of what is not NaN."""
    x = _floats(x)
    missing, mean = elementwise.is_nan(x), nanmean(x, axis, True)
    # The mean in the place of NaN: a gap of NaN would make the gradient NaN, though it counts for nothing.
    gaps = elementwise.square(elementwise.where(missing, mean, x) - mean)
    return nanmean(elementwise.where(missing, x, gaps), axis, keepdims)


def nanstd(x: Any, axis: Any = None, keepdims: bool = False) -> Tensor:
    """The population standard deviation over `axis` of what is not NaN."""
    return elementwise.sqrt(nanvar(x, axis, keepdims))


def nancumsum(x: Any, axis: int | None = None, dtype: Any = None) -> Tensor:
    """The running sum along `axis`, NaN counting as 0."""
    return keras_names.cumsum(_filled(x, 0.0), axis, dtype)


def nancumprod(x: Any, axis: int | None = None, dtype: Any = None) -> Tensor:
    """The running product along `axis`, NaN counting as 1."""
    return keras_names.cumprod(_filled(x, 1.0), axis, dtype)


def nanargmax(x: Any, axis: int | None = None, keepdims: bool = False) -> Tensor:
    """The index of the largest element that is not NaN; -1 where all are."""
    return _arg_without_nans(keras_names.argmax, -np.inf, x, axis, keepdims)


def nanargmin(x: Any, axis: int | None = None, keepdims: bool = False) -> Tensor:
    """The index of the smallest element that is not NaN; -1 where all are."""
    return _arg_without_nans(keras_names.argmin, np.inf, x, axis, keepdims)


def _filled(x: Any, value: float) -> Tensor:
    x = as_tensor(x)
    if x._array.dtype.kind != "f":
        return x
    return elementwise.where(elementwise.is_nan(x), elementwise.cast(value, x.dtype), x)


def _arg_without_nans(op: Callable[..., Tensor], filler: float, x: Any, axis: int | None, keepdims: bool) -> Tensor:
    x = as_tensor(x)
    if x._array.dtype.kind != "f":
        return op(x, axis, keepdims)
    nothing = reduction.reduce_all(elementwise.is_nan(x), axis, keepdims)
    return elementwise.where(nothing, -1, op(_filled(x, filler), axis, keepdims))


def cdist(x1: Any, x2: Any) -> Tensor:
    """The Euclidean distances of all rows of x1, (n, d), from all rows of x2, (m, d): (n, m)."""
    a, b = same_dtype(_floats(x1), _floats(x2))
    gap = shaping.expand_dims(a, -2) - shaping.expand_dims(b, -3)
    return reduction.reduce_euclidean_norm(gap, -1)


def dtype(x: Any) -> str:
    """The name of the dtype."""
    return as_tensor(x).dtype.name
