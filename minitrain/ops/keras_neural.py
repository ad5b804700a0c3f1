"""keras.ops's names for neural networks and linear algebra, where they are not TensorFlow's."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from minitrain.engine.convert import as_tensor
from minitrain.engine.tensor import Tensor
from minitrain.engine.transforms import jvp as _jvp
from minitrain.errors import InvalidArgumentError, ShapeError
from minitrain.ops import creation, decompositions, elementwise, linear, neural, reduction, shaping
from minitrain.ops.keras_names import EPSILON
from minitrain.ops.reduction import _floats


def elu(x: Any, alpha: float = 1.0) -> Tensor:
    """x above 0, alpha * (e ** x - 1) below."""
    x = _floats(x)
    out = neural.elu(x)
    return out if alpha == 1.0 else elementwise.where(x > 0.0, out, alpha * out)


def leaky_relu(x: Any, negative_slope: float = 0.2) -> Tensor:
    """x above 0, negative_slope * x below."""
    return neural.leaky_relu(x, negative_slope)


def softmax(x: Any, axis: Any = -1) -> Tensor:
    """e ** x / sum(e ** x) over `axis`, over all axes for None."""
    x = _floats(x)
    return neural.softmax(x, tuple(range(x.ndim)) if axis is None else axis)


def log_softmax(x: Any, axis: Any = -1) -> Tensor:
    """log(softmax(x)) over `axis`, over all axes for None."""
    x = _floats(x)
    return neural.log_softmax(x, tuple(range(x.ndim)) if axis is None else axis)


def binary_crossentropy(target: Any, output: Any, from_logits: bool = False) -> Tensor:
    """-target * log(output) - (1 - target) * log(1 - output), elementwise, with output kept 1e-7 away from 0 and 1."""
    y, p = _floats(target), _floats(output)
    _same_shape(y, p)
    if from_logits:
        return neural.sigmoid_cross_entropy_with_logits(y, p)
    p = elementwise.clip_by_value(p, EPSILON, 1.0 - EPSILON)
    return -(y * elementwise.log(p) + (1.0 - y) * elementwise.log(1.0 - p))


def categorical_crossentropy(target: Any, output: Any, from_logits: bool = False, axis: int = -1) -> Tensor:
    """-sum(target * log(output)) over `axis`, with output scaled to add up to 1 and kept 1e-7 away from 0 and 1."""
    y, p = _floats(target), _floats(output)
    _same_shape(y, p)
    if from_logits:
        return neural.softmax_cross_entropy_with_logits(y, p, axis)
    return -reduction.reduce_sum(y * elementwise.log(_probabilities(p, axis)), axis)


def sparse_categorical_crossentropy(target: Any, output: Any, from_logits: bool = False, axis: int = -1) -> Tensor:
    """`categorical_crossentropy` of class numbers, whose shape is that of output without `axis`."""
    y, p = elementwise.cast(target, "int64"), _floats(output)
    place = axis % p.ndim
    if y.ndim == p.ndim and y.shape[place] == 1:
        y = shaping.squeeze(y, place)
    if tuple(y.shape) != tuple(size for each, size in enumerate(p.shape) if each != place):
        raise ShapeError(f"Expected class numbers in the shape of the output {p.shape} without axis {axis}: {y.shape}.")
    logits = p if from_logits else elementwise.log(_probabilities(p, axis))
    order = [each for each in range(p.ndim) if each != place] + [place]
    return neural.sparse_softmax_cross_entropy_with_logits(y, shaping.transpose(logits, order))


def _probabilities(p: Tensor, axis: int) -> Tensor:
    return elementwise.clip_by_value(p / reduction.reduce_sum(p, axis, True), EPSILON, 1.0 - EPSILON)


def _same_shape(target: Tensor, output: Tensor) -> None:
    if target.shape != output.shape:
        raise ShapeError(f"`target` and `output` need one shape, received {target.shape} and {output.shape}.")


def moments(x: Any, axes: Any, keepdims: bool = False, synchronized: bool = False) -> tuple[Tensor, Tensor]:
    """The mean and the population variance over `axes`. float16 is computed in float32, and kept in its range.

    `synchronized` is taken for Keras's sake: there is one device.
    """
    x = _floats(x)
    if x._array.dtype.itemsize > 2:
        mean, variance = neural.moments(x, axes, keepdims=keepdims)
        return mean, variance
    both = neural.moments(elementwise.cast(x, "float32"), axes, keepdims=keepdims)
    least, most = (float(each) for each in (np.finfo(np.float16).min, np.finfo(np.float16).max))
    mean, variance = (elementwise.cast(elementwise.clip_by_value(each, least, most), x.dtype) for each in both)
    return mean, variance


def psnr(x1: Any, x2: Any, max_val: Any) -> Tensor:
    """The peak signal-to-noise ratio in decibels: 10 * log10(max_val ** 2 / mean((x1 - x2) ** 2))."""
    a, b = _floats(x1), _floats(x2)
    _same_shape(a, b)
    error = reduction.reduce_mean(elementwise.squared_difference(a, b))
    return (2.0 * np.log(max_val) - elementwise.log(error)) * (10.0 / np.log(10.0))


def layer_normalization(
    x: Any,
    gamma: Any = None,
    beta: Any = None,
    axis: Any = -1,
    epsilon: float | None = None,
    rms_scaling: bool = False,
) -> Tensor:
    """(x - mean) / sqrt(variance + epsilon) * gamma + beta, with the moments over `axis`, from the last axes on.

    `rms_scaling`: without the mean.
    """
    x = _floats(x)
    axes = [axis] if isinstance(axis, int) else list(axis)
    mean, variance = neural.moments(x, axes, keepdims=True)
    mean = creation.zeros_like(mean) if rms_scaling else mean
    kept = {each % x.ndim for each in axes}
    along = [size if each in kept else 1 for each, size in enumerate(x.shape)]
    gamma, beta = (
        None if each is None else shaping.reshape(elementwise.cast(each, x.dtype), along) for each in (gamma, beta)
    )
    return neural.batch_normalization(x, mean, variance, beta, gamma, EPSILON if epsilon is None else epsilon)


def rms_normalization(x: Any, scale: Any = None, axis: Any = -1, epsilon: float | None = None) -> Tensor:
    """x / sqrt(mean(x ** 2) + epsilon) * scale, with the mean over `axis`."""
    x = _floats(x)
    size = reduction.reduce_mean(elementwise.square(x), axis, True) + (EPSILON if epsilon is None else epsilon)
    out = x * elementwise.rsqrt(size)
    return out if scale is None else out * elementwise.cast(scale, x.dtype)


def dot_product_attention(
    query: Any,
    key: Any,
    value: Any,
    bias: Any = None,
    mask: Any = None,
    scale: float | None = None,
    is_causal: bool = False,
    flash_attention: bool | None = None,
    attn_logits_soft_cap: float | None = None,
) -> Tensor:
    """softmax(query @ key.T * scale + bias) @ value for each head: (n, t, heads, i), (n, s, heads, i) twice.

    `mask`: True where attention is paid, (n, heads, t, s). `scale`: 1 / sqrt(i) by default. Fewer heads of keys and
    values serve several of the queries' each. Source: Vaswani et al. (2017).
    """
    q, k, v = (_floats(each) for each in (query, key, value))
    if {q.ndim, k.ndim, v.ndim} != {4}:
        raise ShapeError(f"Expected query, key and value of 4 dimensions, received {q.shape}, {k.shape}, {v.shape}.")
    shared = q.shape[2] // k.shape[2]
    if shared > 1:
        k, v = shaping.repeat(k, shared, 2), shaping.repeat(v, shared, 2)
    scores = linear.einsum("btnh,bsnh->bnts", q, k) * (1.0 / float(q.shape[-1]) ** 0.5 if scale is None else scale)
    if attn_logits_soft_cap is not None:
        scores = elementwise.tanh(scores / attn_logits_soft_cap) * attn_logits_soft_cap
    scores = scores if bias is None else scores + bias
    if is_causal:
        causal = np.tri(q.shape[1], k.shape[1], dtype=bool)[None, None]
        mask = causal if mask is None else elementwise.logical_and(elementwise.cast(mask, "bool"), causal)
    if mask is not None:
        lowest = float(np.finfo(scores._array.dtype).min) * 0.7
        scores = elementwise.where(elementwise.cast(mask, "bool"), scores, elementwise.cast(lowest, scores.dtype))
    return linear.einsum("bnts,bsnh->btnh", neural.softmax(scores), v)


# ---------------------------------------------------------------------------------------------------- linear algebra


def qr(x: Any, mode: str = "reduced") -> tuple[Tensor, Tensor]:
    """q with orthonormal columns and the upper triangular r with q @ r = x; "complete" gives a square q."""
    if mode not in ("reduced", "complete"):
        raise InvalidArgumentError(f"`mode` must be 'reduced' or 'complete', received {mode!r}.")
    return decompositions.qr(x, mode == "complete")


def svd(x: Any, full_matrices: bool = True, compute_uv: bool = True) -> Any:
    """(u, s, vh) with u @ diag(s) @ vh = x and s falling; s alone without `compute_uv`."""
    if not compute_uv:
        return decompositions.svd(x, compute_uv=False)
    s, u, v = decompositions.svd(x, full_matrices)
    return u, s, shaping.matrix_transpose(v)


def lu_factor(x: Any) -> tuple[Tensor, Tensor]:
    """Triangular factors in one matrix, and the order in which they hold the rows of x."""
    return decompositions.lu(x)


def solve_triangular(a: Any, b: Any, lower: bool = False) -> Tensor:
    """x with a @ x = b for triangular matrices: (..., n, n) and (..., n) or (..., n, k)."""
    a, b = as_tensor(a), as_tensor(b)
    if b.ndim == a.ndim - 1:
        return shaping.squeeze(decompositions.triangular_solve(a, shaping.expand_dims(b, -1), lower), -1)
    return decompositions.triangular_solve(a, b, lower)


def cholesky_inverse(x: Any, upper: bool = False) -> Tensor:
    """The inverse of the matrix whose Cholesky factor is x."""
    x = shaping.matrix_transpose(x) if upper else as_tensor(x)
    return decompositions.cholesky_solve(x, np.eye(x.shape[-1], dtype=x._array.dtype))


def lstsq(a: Any, b: Any, rcond: Any = None) -> Tensor:
    """The least x that minimizes |a @ x - b|: (n, m) and (n,) or (n, k)."""
    a, b = as_tensor(a), as_tensor(b)
    if b.ndim == 1:
        return shaping.squeeze(linear.matmul(decompositions.pinv(a, rcond), shaping.expand_dims(b, -1)), -1)
    return linear.matmul(decompositions.pinv(a, rcond), b)


def pinv(x: Any, rcond: Any = None) -> Tensor:
    """The pseudo-inverse, (..., n, m) -> (..., m, n)."""
    return decompositions.pinv(x, rcond)


def matrix_rank(x: Any, tol: Any = None) -> Tensor:
    """How many singular values are greater than `tol`."""
    return decompositions.matrix_rank(x, tol)


def jvp(fun: Callable[..., Any], primals: Any, tangents: Any, has_aux: bool = False) -> Any:
    """fun(*primals), and its derivative along `tangents`."""
    if has_aux:
        kept = []

        def first(*args: Any) -> Any:
            out, aux = fun(*args)
            kept.append(aux)
            return out

        return (*_jvp(first, tuple(primals), tuple(tangents)), kept[0])
    return _jvp(fun, tuple(primals), tuple(tangents))
