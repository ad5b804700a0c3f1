"""Neural network operations: activations, softmaxes, cross-entropies from logits, normalisation.

Names, defaults and edge values are those of `tf.nn`. Cross-entropies are one primitive each, stable for any logits.
"""

from __future__ import annotations

from collections.abc import Iterable
from math import pi, prod
from math import sqrt as root
from typing import Any

import numpy as np

from minitrain.engine.convert import as_tensor, operands, to_dtype
from minitrain.engine.primitive import ops, primitive
from minitrain.engine.tensor import Tensor, TensorLike
from minitrain.errors import DTypeError, ShapeError
from minitrain.ops.axes import many_axes, one_axis
from minitrain.ops.elementwise import (
    abs,
    add,
    exp,
    log1p,
    maximum,
    reciprocal,
    rectified,
    rsqrt,
    sigmoid,
    square,
    squared_difference,
    stop_gradient,
)
from minitrain.ops.indexing import within
from minitrain.ops.reduction import _floats, reduce_mean, reduce_sum
from minitrain.ops.special import erfc

# -------------------------------------------------------------------------------------------- piecewise activations


@primitive(name="gate")
def _gate(g, x, *, slope, upper):
    """g where 0 < x (and x < upper), else slope * g: the gradient of the rectifiers."""
    if slope == 0.0:
        passes = x > 0 if upper is None else (x > 0) & (x < upper)
        return g * passes
    return np.where(x > 0, g, g * slope)


@_gate.written(elementwise=True)
def _(emitter, out, g, x, *, slope, upper):
    if slope != 0.0 or upper is not None:
        gate, given = emitter.name(_gate.primitive.kernel), f"slope={emitter.literal(slope)}, upper={upper}"
        emitter.line(f"{emitter.name(np.copyto)}({out}, {gate}({g}, {x}, {given}))")
        return
    # The bools as floats first: a product with bools takes three times as long.
    passes, factors = emitter.scratch(x.shape, np.bool_), emitter.scratch(x.shape, out.dtype)
    emitter.line(f"{emitter.name(np.greater)}({x}, {emitter.filled(0, x)}, {passes})")
    emitter.line(f"{emitter.name(np.copyto)}({factors}, {passes})")
    emitter.line(f"{emitter.name(np.multiply)}({g}, {factors}, {out})")


@_gate.vjp("g")
def _(xp, gg, out, g, x, *, slope, upper):
    return xp.gate(gg, x, slope=slope, upper=upper)


@_gate.vjp("x")
def _(xp, gg, out, g, x, *, slope, upper):
    return xp.zeros_like(gg)  # not None: a rectifier's second derivative is zero, as in TensorFlow


@primitive(name="pass_positive")
def _pass_positive(g, rectified):
    """g where `rectified`, which is nowhere negative, is positive, else 0; where it is NaN, g or NaN.

    The signs are the factors of few elements: two thirds of the time of a product with bools, and of many twice.
    """
    return g * (np.sign(rectified) if rectified.size <= SIGNS else np.not_equal(rectified, 0))


SIGNS = 4096  # elements


@_pass_positive.written(elementwise=True)
def _(emitter, out, g, rectified):
    factors = emitter.scratch(rectified.shape, rectified.dtype)
    if prod(rectified.shape) <= SIGNS:
        emitter.line(f"{emitter.name(np.sign)}({rectified}, {factors})")
    else:
        passes = emitter.scratch(rectified.shape, np.bool_)
        emitter.line(f"{emitter.name(np.not_equal)}({rectified}, {emitter.filled(0, rectified)}, {passes})")
        emitter.line(f"{emitter.name(np.copyto)}({factors}, {passes})")
    emitter.line(f"{emitter.name(np.multiply)}({g}, {factors}, {out})")


@_pass_positive.vjp("g")
def _(xp, gg, out, g, rectified):
    return xp.pass_positive(gg, rectified)


@_pass_positive.vjp("rectified")
def _(xp, gg, out, g, rectified):
    return xp.zeros_like(gg)  # as of `gate`


@primitive
def relu(x):
    """max(x, 0), elementwise; the gradient at 0 is 0."""
    return rectified(x)


@relu.written(elementwise=True)
def _(emitter, out, x):
    emitter.line(f"{emitter.name(np.maximum)}({x}, {emitter.beside(0, out)}, out={out})")


@relu.vjp("x")
def _(xp, g, out, x):
    return xp.gate(g, out, slope=0.0, upper=None)


@primitive
def relu6(x):
    """min(max(x, 0), 6), elementwise; the gradient at 0 and at 6 is 0."""
    return np.minimum(rectified(x), x.dtype.type(6))


@relu6.vjp("x")
def _(xp, g, out, x):
    return xp.gate(g, x, slope=0.0, upper=6.0)


@primitive(name="leaky_relu")
def _leaky_relu(x, *, alpha):
    return np.where(x > 0, x, x * alpha)


@_leaky_relu.vjp("x")
def _(xp, g, out, x, *, alpha):
    return xp.gate(g, x, slope=alpha, upper=None)


def leaky_relu(features: Any, alpha: float = 0.2, name: str | None = None) -> Tensor:
    """x above 0, alpha * x below, elementwise. `alpha` is rounded to float32, as in TensorFlow."""
    return _leaky_relu(_floats(features), alpha=float(np.float32(alpha)))


@primitive(floating=True)
def elu(x):
    """x above 0, e ** x - 1 below, elementwise."""
    return np.where(x < 0, np.expm1(np.minimum(x, 0)), x)


@elu.vjp("x")
def _(xp, g, out, x):
    return g * xp.where(out < 0.0, out + 1.0, xp.ones_like(out))


# Klambauer et al. (2017), "Self-Normalizing Neural Networks", eq. 14.
SELU_ALPHA = 1.6732632423543772848170429916717
SELU_SCALE = 1.0507009873554804934193349852946


@primitive(floating=True)
def selu(x):
    """scale * elu(x), with alpha = 1.6733 and scale = 1.0507 that keep mean 0 and variance 1, elementwise."""
    return SELU_SCALE * np.where(x < 0, SELU_ALPHA * np.expm1(np.minimum(x, 0)), x)


@selu.vjp("x")
def _(xp, g, out, x):
    return g * xp.where(out < 0.0, out + SELU_SCALE * SELU_ALPHA, SELU_SCALE * xp.ones_like(out))


def hard_sigmoid(x: Any, name: str | None = None) -> Tensor:
    """relu6(x + 3) / 6, elementwise, Keras 3's form."""
    return relu6(_floats(x) + 3.0) / 6.0


def hard_silu(x: Any, name: str | None = None) -> Tensor:
    """x * hard_sigmoid(x), elementwise."""
    x = _floats(x)
    return x * hard_sigmoid(x)


hard_swish = hard_silu

# ------------------------------------------------------------------------------------------------ smooth activations


@primitive(floating=True)
def softsign(x):
    """x / (1 + |x|), elementwise."""
    return x / (1.0 + np.abs(x))


@softsign.vjp("x")
def _(xp, g, out, x):
    return g / xp.square(1.0 + xp.abs(x))


@primitive(name="silu", floating=True)
def _silu(x):
    return x * sigmoid.primitive.kernel(x)


@_silu.vjp("x")
def _(xp, g, out, x):
    s = xp.sigmoid(x)
    return g * (s * (1.0 + x * (1.0 - s)))


def silu(features: Any, beta: Any = 1.0, name: str | None = None) -> Tensor:
    """x * sigmoid(beta * x), elementwise; also called swish."""
    if isinstance(beta, float) and beta == 1.0:
        return _silu(features)
    x = _floats(features)
    if isinstance(beta, float):
        beta = float(np.float32(beta))  # as TensorFlow rounds it, whatever the dtype
    return x * sigmoid(x * beta)


swish = silu


# TensorFlow rounds these two to float32, whatever the dtype.
INVERSE_ROOT_2 = float(np.float32(root(0.5)))
GELU_CUBIC = float(np.float32(0.044715))
GELU_INNER = root(2.0 / pi)


@primitive(name="gelu_erf", floating=True)
def _gelu_erf(x):
    return 0.5 * x * erfc.primitive.kernel(-x * INVERSE_ROOT_2)


@_gelu_erf.vjp("x")
def _(xp, g, out, x):
    z = x * INVERSE_ROOT_2
    return g * (0.5 * xp.erfc(-z) + 0.5 * x * (xp.exp(-z * z) * (2.0 * INVERSE_ROOT_2 / root(pi))))


@primitive(name="gelu_tanh", floating=True)
def _gelu_tanh(x):
    return 0.5 * x * (1.0 + np.tanh(GELU_INNER * (x + GELU_CUBIC * (x * x * x))))


@_gelu_tanh.vjp("x")
def _(xp, g, out, x):
    t = xp.tanh(GELU_INNER * (x + GELU_CUBIC * (x * x * x)))
    inner = GELU_INNER * (1.0 + 3.0 * GELU_CUBIC * (x * x))
    return g * (0.5 * (1.0 + t) + 0.5 * x * ((1.0 - t * t) * inner))


def gelu(features: Any, approximate: bool = False, name: str | None = None) -> Tensor:
    """x * P(X <= x) for a standard normal X, elementwise; `approximate` uses tanh.

    Source: Hendrycks and Gimpel (2016), "Gaussian Error Linear Units".
    """
    return _gelu_tanh(features) if approximate else _gelu_erf(features)


@primitive(floating=True)
def mish(x):
    """x * tanh(softplus(x)), elementwise. Source: Misra (2019)."""
    return x * np.tanh(np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x))))


@mish.vjp("x")
def _(xp, g, out, x):
    t = xp.tanh(xp.softplus(x))
    return g * (t + x * ((1.0 - t * t) * xp.sigmoid(x)))


# ---------------------------------------------------------------------------------------------------------- softmaxes


@primitive(name="softmax")
def _softmax(x, *, axis):
    powers = np.exp(_shifted.primitive.kernel(x, axis=axis))
    return powers / np.add.reduce(powers, axis=axis, keepdims=True)


@_softmax.made_of()
def _(part, x, *, axis):
    _, powers, total = _shares(part, x, axis)
    return part(ops.divide, powers, total)


def _shares(part: Any, x: Any, axis: Any) -> tuple[Any, Any, Any]:
    """The parts that a softmax, its logarithm and the cross-entropies have in common."""
    shifted = part(_shifted, x, axis=axis)
    powers = part(exp, shifted)
    return shifted, powers, part(ops.sum, powers, axis=axis, keepdims=True)


@primitive(name="shifted")
def _shifted(x, *, axis):
    """x - max(x) over `axis`."""
    return x - np.maximum.reduce(x, axis=axis, keepdims=True, initial=-np.inf)


@_shifted.written(elementwise=True)
def _(emitter, out, x, *, axis):
    places = {each % x.ndim for each in (axis if isinstance(axis, tuple) else (axis,))}
    top = emitter.scratch(tuple(1 if n in places else size for n, size in enumerate(x.shape)), x.dtype)
    largest, least = emitter.name(np.maximum.reduce, "max"), emitter.name(-np.inf, "k")
    if places == {1} and x.ndim == 2 and x.shape[1] <= SHORT:
        turned = emitter.scratch(x.shape[::-1], x.dtype)
        emitter.line(f"{emitter.name(np.copyto)}({emitter.view(turned, lambda array: array.T, '')}, {x})")
        flat = emitter.view(top, lambda array: array.reshape(-1), "")
        emitter.line(f"{largest}({turned}, 0, None, {flat}, False, {least})")
    else:
        emitter.line(f"{largest}({x}, {axis}, None, {top}, True, {least})")
    emitter.line(f"{emitter.name(np.subtract)}({x}, {top}, {out})")


SHORT = 32  # elements of rows of which NumPy finds the largest faster down the columns of their transpose


@_softmax.vjp("x")
def _(xp, g, out, x, *, axis):
    return (g - xp.sum(g * out, axis=axis, keepdims=True)) * out


@primitive(name="log_softmax")
def _log_softmax(x, *, axis):
    shifted = _shifted.primitive.kernel(x, axis=axis)
    return shifted - np.log(np.add.reduce(np.exp(shifted), axis=axis, keepdims=True))


@_log_softmax.made_of()
def _(part, x, *, axis):
    shifted, _, total = _shares(part, x, axis)
    return part(ops.subtract, shifted, part(ops.log, total))


@_log_softmax.vjp("x")
def _(xp, g, out, x, *, axis):
    return g - xp.sum(g, axis=axis, keepdims=True) * xp.exp(out)


def softmax(logits: Any, axis: Any = None, name: str | None = None) -> Tensor:
    """exp(x) / sum(exp(x)) over `axis`, the last by default, without overflow."""
    x = _floats(logits)
    return _softmax(x, axis=_class_axes(x, axis))


def log_softmax(logits: Any, axis: Any = None, name: str | None = None) -> Tensor:
    """log(softmax(x)) over `axis`, the last by default, without underflow."""
    x = _floats(logits)
    return _log_softmax(x, axis=_class_axes(x, axis))


def _class_axes(x: Tensor, axis: Any) -> tuple[int, ...]:
    if not x._array.ndim:
        raise ShapeError("A softmax needs at least 1 dimension, received a scalar.")
    return many_axes(-1 if axis is None else axis, x._array.ndim) or ()


# ------------------------------------------------------------------------------------------------------ cross-entropies


@primitive(name="softmax_cross_entropy")
def _softmax_cross_entropy(labels, logits):
    """(..., k), (..., k) -> (...)"""
    return -np.add.reduce(labels * _log_softmax.primitive.kernel(logits, axis=-1), axis=-1)


@_softmax_cross_entropy.vjp("logits")
def _(xp, g, out, labels, logits):
    # As TensorFlow's kernel has it, for labels that sum to 1.
    return xp.reshape(g, shape=(*g.shape, 1)) * (xp.softmax(logits, axis=-1) - labels)


@_softmax_cross_entropy.vjp("labels")
def _(xp, g, out, labels, logits):
    return -xp.reshape(g, shape=(*g.shape, 1)) * xp.log_softmax(logits, axis=-1)


@_softmax_cross_entropy.made_of()
def _(part, labels, logits):
    shifted, _, total = _shares(part, logits, -1)
    return part(_loss_of_labels, labels, shifted, total)


@primitive(name="loss_of_labels")
def _loss_of_labels(labels, shifted, total):
    """The cross-entropy from the parts of a softmax."""
    return -np.add.reduce(labels * (shifted - np.log(total)), axis=-1)


@primitive(name="sparse_softmax_cross_entropy", mixed=True)
def _sparse_softmax_cross_entropy(labels, logits):
    """(...) integers below k, (..., k) -> (...)"""
    shifted = _shifted.primitive.kernel(logits, axis=-1)
    return _loss_of_classes.primitive.kernel(labels, shifted, np.add.reduce(np.exp(shifted), axis=-1, keepdims=True))


@_sparse_softmax_cross_entropy.made_of()
def _(part, labels, logits):
    shifted, _, total = _shares(part, logits, -1)
    return part(_loss_of_classes, labels, shifted, total)


@primitive(name="loss_of_classes", mixed=True)
def _loss_of_classes(labels, shifted, total):
    """The cross-entropy from the parts of a softmax, for labels that are the numbers of classes."""
    rows = shifted.reshape(labels.size, shifted.shape[-1])
    picked = rows[np.arange(len(rows)), labels.reshape(-1)] - np.log(total).reshape(-1)
    return -picked.reshape(labels.shape)


@_sparse_softmax_cross_entropy.vjp("logits")
def _(xp, g, out, labels, logits):
    k = logits.shape[-1]
    hot = xp.one_hot(labels, depth=k, on_value=1, off_value=0, axis=-1, dtype=logits.dtype)
    return xp.reshape(g, shape=(*g.shape, 1)) * (xp.softmax(logits, axis=-1) - hot)


@primitive(name="sigmoid_cross_entropy")
def _sigmoid_cross_entropy(labels, logits):
    return np.maximum(logits, 0) - logits * labels + np.log1p(np.exp(-np.abs(logits)))


@_sigmoid_cross_entropy.vjp("logits")
def _(xp, g, out, labels, logits):
    return g * (xp.sigmoid(logits) - labels)


@_sigmoid_cross_entropy.vjp("labels")
def _(xp, g, out, labels, logits):
    return -g * logits


def softmax_cross_entropy_with_logits(labels: Any, logits: Any, axis: Any = -1, name: str | None = None) -> Tensor:
    """-sum(labels * log_softmax(logits)) over `axis`: (..., k), (..., k) -> (...). Labels should sum to 1.

    Raises ShapeError where the shapes do not broadcast.
    """
    t, x = _pair(labels, logits)
    place = one_axis(axis, x._array.ndim)
    try:
        shape = np.broadcast_shapes(t._array.shape, x._array.shape)
    except ValueError as error:
        raise ShapeError(
            f"logits and labels must be broadcastable: logits {x._array.shape}, labels {t._array.shape}. Both hold one "
            "number per class; for integer labels use sparse_softmax_cross_entropy_with_logits."
        ) from error
    t, x = (each if each._array.shape == shape else ops.broadcast_to(each, shape=shape) for each in (t, x))
    if place != -1:
        perm = (*(each for each in range(len(shape)) if each != place + len(shape)), place + len(shape))
        t, x = ops.transpose(t, perm=perm), ops.transpose(x, perm=perm)
    return _softmax_cross_entropy(t, x)


def sparse_softmax_cross_entropy_with_logits(labels: Any, logits: Any, name: str | None = None) -> Tensor:
    """-log_softmax(logits)[label]: (...) integers below k, (..., k) -> (...).

    Raises InvalidArgumentError for a label outside [0, k), naming it.
    """
    t, x = as_tensor(labels), _floats(logits)
    if t._array.dtype.kind not in "iu":
        raise DTypeError(f"`labels` must be integers, received dtype {t._array.dtype.name}. Cast them to int32.")
    if not x._array.ndim or t._array.shape != x._array.shape[:-1]:
        raise ShapeError(
            f"`labels` must have the shape of `logits` without its last axis: expected {x._array.shape[:-1]}, received "
            f"{t._array.shape}."
        )
    within(t, x._array.shape[-1], "labels")
    return _sparse_softmax_cross_entropy(t, x)


def sigmoid_cross_entropy_with_logits(labels: Any, logits: Any, name: str | None = None) -> Tensor:
    """The cross-entropy of independent classes, elementwise: max(x, 0) - x * z + log(1 + exp(-|x|))."""
    t, x = _pair(labels, logits)
    _same_shape(t, x)
    return _sigmoid_cross_entropy(t, x)


def weighted_cross_entropy_with_logits(labels: Any, logits: Any, pos_weight: Any, name: str | None = None) -> Tensor:
    """`sigmoid_cross_entropy_with_logits` with errors on positive labels weighted by `pos_weight`, elementwise."""
    t, x = _pair(labels, logits)
    _same_shape(t, x)
    log_weight = 1.0 + (as_tensor(pos_weight) - 1.0) * t
    return (1.0 - t) * x + log_weight * (log1p(exp(-abs(x))) + relu(-x))


def _pair(labels: Any, logits: Any) -> tuple[Tensor, Tensor]:
    """Labels and logits as Tensors of the logits' dtype."""
    t, x = operands(labels, logits)
    x = _floats(x)
    return to_dtype(t, x._array.dtype), x


def _same_shape(labels: Tensor, logits: Tensor) -> None:
    if labels._array.shape != logits._array.shape:
        raise ShapeError(
            f"`logits` and `labels` must have the same shape, received {logits._array.shape} vs {labels._array.shape}."
        )


@primitive
def mean_squared_error(x, y):
    """mean((x - y) ** 2) over all elements of two arrays of one shape, as one operation."""
    return _mean_of_squares.primitive.kernel(x - y)


@mean_squared_error.made_of()
def _(part, x, y):
    return part(_mean_of_squares, part(ops.subtract, y, x))  # as the gradient subtracts: the squares are the same


@primitive(name="mean_of_squares")
def _mean_of_squares(x):
    flat = x.reshape(-1)
    return flat.dot(flat) / flat.size if flat.size else flat.sum()


@_mean_of_squares.expressed()
def _(emitter, x):
    return f"{_sum_of_squares.primitive.express(emitter, x)} / {emitter.scalar(max(prod(x.shape), 1), x.dtype)}"


def _beside(xp, g, x):
    """The cotangent of a number, or a stack of them, in a shape that broadcasts with `x`."""
    return xp.reshape(g, shape=(*g.shape, *(1,) * len(x.shape))) if g.shape else g


@mean_squared_error.vjp("x")
def _(xp, g, out, x, y):
    return _beside(xp, (2.0 / max(prod(x.shape), 1)) * g, x) * (x - y)


@mean_squared_error.vjp("y")
def _(xp, g, out, x, y):
    return _beside(xp, (2.0 / max(prod(x.shape), 1)) * g, x) * (y - x)


# ------------------------------------------------------------------------------------------------------- normalisation


def bias_add(value: Any, bias: Any, data_format: str | None = None, name: str | None = None) -> Tensor:
    """value + bias along the last axis ("NHWC") or axis 1 ("NC..."). (n, ..., c), (c,) -> (n, ..., c)"""
    x, b = operands(value, bias)
    shape, of = x._array.shape, b._array.shape
    first = data_format is not None and data_format.startswith("NC")
    if len(of) != 1 or len(shape) < 2 or shape[1 if first else -1] != of[0]:
        raise ShapeError(f"`bias` must be a vector as long as the channels of value {shape}, received {of}.")
    if first:
        b = ops.reshape(b, shape=(1, -1) + (1,) * (len(shape) - 2))
    return add(x, b)


def l2_normalize(x: Any, axis: Any = None, epsilon: float = 1e-12, name: str | None = None) -> Tensor:
    """x / sqrt(max(sum(x ** 2), epsilon)) over `axis`; epsilon protects vectors of zeros."""
    x = _floats(x)
    return x * rsqrt(maximum(reduce_sum(square(x), axis, keepdims=True), epsilon))


@primitive(name="sum_of_squares")
def _sum_of_squares(x):
    flat = x.reshape(-1)
    return flat.dot(flat)  # half the time of squares and their sum


@_sum_of_squares.vjp("x")
def _(xp, g, out, x):
    return _beside(xp, 2.0 * g, x) * x


@_sum_of_squares.expressed()
def _(emitter, x):
    flat = emitter.view(x, lambda array: array.reshape(-1), f"{x}.reshape(-1)")
    return f"{emitter.method(flat, 'dot')}({flat})"


def sum_of_squares(x: Any) -> Tensor:
    """sum(x ** 2) over all elements, as one operation."""
    return _sum_of_squares(_floats(x))


def l2_loss(t: Any, name: str | None = None) -> Tensor:
    """sum(t ** 2) / 2."""
    return sum_of_squares(t) / 2.0


def moments(x: Any, axes: Any, shift: Any = None, keepdims: bool = False, name: str | None = None) -> Any:
    """The mean and the population variance over `axes`."""
    x = _floats(x)
    mean = reduce_mean(x, axes, keepdims=True)
    variance = reduce_mean(squared_difference(x, stop_gradient(mean)), axes, keepdims=True)
    if keepdims:
        return mean, variance
    out = np.add.reduce(x._array, axis=many_axes(axes, x._array.ndim)).shape
    return ops.reshape(mean, shape=out), ops.reshape(variance, shape=out)


def weighted_moments(x: Any, axes: Any, frequency_weights: Any, keepdims: bool = False, name: Any = None) -> Any:
    """The mean and the variance of x over `axes`, in which each element counts by its weight."""
    x = _floats(x)
    w = ops.broadcast_to(to_dtype(as_tensor(frequency_weights), x._array.dtype), shape=x._array.shape)
    total = reduce_sum(w, axes, True)
    mean = reduce_sum(w * x, axes, True) / total
    variance = reduce_sum(w * squared_difference(x, mean), axes, keepdims) / reduce_sum(w, axes, keepdims)
    return (mean if keepdims else ops.reshape(mean, shape=variance._array.shape)), variance


def sufficient_statistics(x: Any, axes: Any, shift: Any = None, keepdims: bool = False, name: Any = None) -> Any:
    """The count, the sum and the sum of squares of x - shift over `axes`, and the shift."""
    x = as_tensor(x)
    count = x._array.size / max(reduce_sum(x, axes)._array.size, 1)
    moved = x if shift is None else x - shift
    shift = None if shift is None else as_tensor(shift)
    sums = reduce_sum(moved, axes, keepdims), reduce_sum(square(moved), axes, keepdims)
    return Tensor(np.array(count, x._array.dtype)), *sums, shift


def normalize_moments(counts: Any, mean_ss: Any, variance_ss: Any, shift: Any, name: Any = None) -> Any:
    """The mean and the variance that `sufficient_statistics` stand for."""
    share = reciprocal(as_tensor(counts))
    moved = as_tensor(mean_ss) * share
    mean = moved if shift is None else moved + shift
    return mean, as_tensor(variance_ss) * share - square(moved)


def crelu(features: Any, axis: Any = -1, name: str | None = None) -> Tensor:
    """relu(x) and relu(-x), joined along `axis`."""
    x = _floats(features)
    return ops.concat(relu(x), relu(-x), axis=one_axis(axis, x._array.ndim))


def log_poisson_loss(targets: Any, log_input: Any, compute_full_loss: bool = False, name: Any = None) -> Tensor:
    """e ** log_input - targets * log_input, elementwise, and Stirling's terms for targets above 1 in the full loss."""
    y, x = operands(targets, log_input)
    loss = exp(x) - x * y
    if not compute_full_loss:
        return loss
    large = y > 1.0
    safe = ops.where(large, y, ops.ones_like(y))
    stirling = safe * ops.log(safe) - safe + 0.5 * ops.log(2.0 * pi * safe)
    return loss + ops.where(large, stirling, ops.zeros_like(y))


def compute_average_loss(
    per_example_loss: Any, sample_weight: Any = None, global_batch_size: Any = None, name: Any = None
) -> Tensor:
    """The sum of the losses, weighted if weights are given, over the batch's size."""
    loss = _floats(per_example_loss)
    if not loss._array.ndim:
        raise ShapeError("`per_example_loss` must have a batch axis, received a scalar.")
    size = loss._array.shape[0] if global_batch_size is None else global_batch_size
    weighted = loss if sample_weight is None else loss * sample_weight
    return reduce_sum(weighted) / to_dtype(as_tensor(size), loss._array.dtype)


def scale_regularization_loss(regularization_loss: Any) -> Tensor:
    """The sum of the losses: there is one replica."""
    return reduce_sum(_floats(regularization_loss))


def batch_normalization(
    x: Any, mean: Any, variance: Any, offset: Any, scale: Any, variance_epsilon: float, name: str | None = None
) -> Tensor:
    """scale * (x - mean) / sqrt(variance + variance_epsilon) + offset, broadcasting; offset and scale may be None."""
    x = _floats(x)
    factor = rsqrt(as_tensor(variance) + variance_epsilon)
    if scale is not None:
        factor = factor * scale
    return x * factor + (offset - mean * factor if offset is not None else -mean * factor)


def clip_by_norm(t: Any, clip_norm: Any, axes: Any = None, name: str | None = None) -> Tensor:
    """t scaled down so that its L2 norm over `axes` is at most `clip_norm`; unchanged where it is already."""
    t = _floats(t)
    squares = reduce_sum(t * t, axes, keepdims=True)
    is_positive = squares > 0.0
    norm = ops.where(is_positive, ops.sqrt(ops.where(is_positive, squares, ops.ones_like(squares))), squares)
    clip_norm = operands(t, clip_norm)[1]
    return t * clip_norm / maximum(norm, clip_norm)


def global_norm(t_list: Any, name: str | None = None) -> Tensor:
    """The L2 norm of all elements of a list of Tensors together; None entries are left out. That of none is 0."""
    squares = [reduce_sum(square(_floats(t))) for t in t_list if t is not None]
    return ops.sqrt(ops.add_n(*squares)) if squares else as_tensor(0.0)


def clip_by_global_norm(t_list: Any, clip_norm: Any, use_norm: Any = None, name: str | None = None) -> Any:
    """A list of Tensors scaled down together so that their global norm is at most `clip_norm`, and that norm.

    None entries stay None. A norm that is not finite makes everything NaN, so that it is not overlooked.
    """
    if isinstance(t_list, TensorLike) or not isinstance(t_list, Iterable):
        raise DTypeError(f"`t_list` must be a list of tensors, received {type(t_list).__name__!r}.")
    t_list = list(t_list)
    norm = global_norm(t_list) if use_norm is None else as_tensor(use_norm)
    limit = operands(norm, clip_norm)[1]
    scale = limit * ops.minimum(1.0 / norm, 1.0 / limit) + (norm - norm)
    return [None if t is None else _floats(t) * scale for t in t_list], norm
