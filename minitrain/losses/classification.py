"""Losses for classes: cross-entropies, hinges, overlaps and distances between distributions.

Cross-entropies from logits go through one fused stable operation. From probabilities they clip as Keras does, unless
the probabilities are what a softmax or sigmoid activation gave: then the logits behind them are used.
"""

from __future__ import annotations

from typing import Any

from minitrain import config, nn
from minitrain.engine.convert import as_tensor, to_dtype
from minitrain.engine.primitive import ops
from minitrain.engine.tensor import Tensor
from minitrain.errors import InvalidArgumentError, ShapeError
from minitrain.losses.base import _prediction, loss, masked_where, matched
from minitrain.ops.creation import eye, one_hot
from minitrain.ops.elementwise import (
    cast,
    clip_by_value,
    equal,
    log,
    logical_and,
    logical_not,
    maximum,
    pow,
    softplus,
    square,
    where,
)
from minitrain.ops.linear import matmul
from minitrain.ops.reduction import reduce_all, reduce_logsumexp, reduce_max, reduce_mean, reduce_sum
from minitrain.ops.shaping import expand_dims, reshape, squeeze, transpose


def _logits_behind(y_pred: Tensor, from_logits: bool) -> tuple[Tensor, bool]:
    """The logits that an activation made y_pred from, where they are known; else y_pred as it is."""
    behind = None if from_logits else getattr(y_pred, "_logits", None)
    return (y_pred, from_logits) if behind is None else (behind, True)


def _clipped(p: Tensor) -> Tensor:
    return clip_by_value(p, config.epsilon(), 1.0 - config.epsilon())


def _smoothed(t: Tensor, label_smoothing: float, classes: int) -> Tensor:
    """Labels moved towards the uniform distribution. Source: Szegedy et al. (2016), section 7."""
    if not 0.0 <= label_smoothing <= 1.0:
        raise InvalidArgumentError(f"`label_smoothing` must lie in [0, 1], received {label_smoothing}.")
    return t * (1.0 - label_smoothing) + label_smoothing / classes if label_smoothing else t


def _binary(t: Tensor, p: Tensor, from_logits: bool) -> Tensor:
    """The cross-entropy of each element."""
    if from_logits:
        return nn.sigmoid_cross_entropy_with_logits(t, p)
    p = _clipped(p)
    return -(t * log(p) + (1.0 - t) * log(1.0 - p))


def _alike(y_true: Any, y_pred: Any) -> tuple[Tensor, Tensor]:
    """y_true and y_pred as Tensors of one dtype and shape: one label for several probabilities is no cross-entropy."""
    t, p = matched(y_true, y_pred)
    if t._array.shape != p._array.shape:
        raise ShapeError(f"y_true and y_pred must have the same shape, received {t._array.shape} and {p._array.shape}.")
    return t, p


def _with_logits(y_true: Any, y_pred: Any, from_logits: bool) -> tuple[Tensor, Tensor, bool]:
    p, from_logits = _logits_behind(_prediction(y_pred, None), from_logits)
    t, p = _alike(y_true, p)
    return t, p, from_logits


@loss("BinaryCrossentropy", "bce", "BCE")
def binary_crossentropy(
    y_true: Any, y_pred: Any, from_logits: bool = False, label_smoothing: float = 0.0, axis: int = -1
) -> Tensor:
    """-(t log p + (1 - t) log(1 - p)) of labels 0 and 1, or between; the mean over `axis`."""
    t, p, from_logits = _with_logits(y_true, y_pred, from_logits)
    return reduce_mean(_binary(_smoothed(t, label_smoothing, 2), p, from_logits), axis)


@loss("BinaryFocalCrossentropy")
def binary_focal_crossentropy(
    y_true: Any,
    y_pred: Any,
    apply_class_balancing: bool = False,
    alpha: float = 0.25,
    gamma: float = 2.0,
    from_logits: bool = False,
    label_smoothing: float = 0.0,
    axis: int = -1,
) -> Tensor:
    """Binary cross-entropy times (1 - p of the true class) ** gamma, and alpha or 1 - alpha if balanced.

    Source: Lin et al. (2017), "Focal Loss", eq. 5.
    """
    t, p = _alike(y_true, y_pred)
    t = _smoothed(t, label_smoothing, 2)
    p = nn.sigmoid(p) if from_logits else p
    entropy = _binary(t, p, from_logits=False)
    right = t * p + (1.0 - t) * (1.0 - p)
    focal = pow(1.0 - right, gamma) * entropy
    if apply_class_balancing:
        focal = (t * alpha + (1.0 - t) * (1.0 - alpha)) * focal
    return reduce_mean(focal, axis)


@loss("CategoricalCrossentropy", "cce", "CCE")
def categorical_crossentropy(
    y_true: Any, y_pred: Any, from_logits: bool = False, label_smoothing: float = 0.0, axis: int = -1
) -> Tensor:
    """-sum(t log p) over the classes along `axis`. y_true: distributions (..., k); y_pred: (..., k)."""
    t, p, from_logits = _with_logits(y_true, y_pred, from_logits)
    t = _smoothed(t, label_smoothing, t.shape[axis])
    if from_logits:
        return nn.softmax_cross_entropy_with_logits(t, p, axis)
    p = _clipped(p / reduce_sum(p, axis, keepdims=True))
    return -reduce_sum(t * log(p), axis)


@loss("CategoricalFocalCrossentropy")
def categorical_focal_crossentropy(
    y_true: Any,
    y_pred: Any,
    alpha: float = 0.25,
    gamma: float = 2.0,
    from_logits: bool = False,
    label_smoothing: float = 0.0,
    axis: int = -1,
) -> Tensor:
    """-sum(alpha * (1 - p) ** gamma * t log p) over the classes along `axis`. Source: Lin et al. (2017), eq. 5."""
    t, p = matched(y_true, y_pred)
    t = _smoothed(t, label_smoothing, t.shape[axis])
    p = nn.softmax(p, axis) if from_logits else p
    p = _clipped(p / reduce_sum(p, axis, keepdims=True))
    return reduce_sum(alpha * pow(1.0 - p, gamma) * (-t * log(p)), axis)


@loss(
    "SparseCategoricalCrossentropy",
    "scce",
    order="from_logits ignore_class reduction axis name dtype",
)
def sparse_categorical_crossentropy(
    y_true: Any, y_pred: Any, from_logits: bool = False, ignore_class: int | None = None, axis: int = -1
) -> Tensor:
    """-log p of the true class. y_true: (...) or (..., 1) class numbers below k; y_pred: (..., k).

    `ignore_class`: a label that does not count. Raises InvalidArgumentError for a label outside [0, k).
    """
    p, from_logits = _logits_behind(_prediction(y_pred, None), from_logits)
    t = as_tensor(y_true)
    if t.ndim == p.ndim and t.shape[-1] == 1:
        t = squeeze(t, -1)
    if axis not in (-1, p.ndim - 1):
        order = [place for place in range(p.ndim) if place != axis % p.ndim] + [axis % p.ndim]
        p = transpose(p, order)
    if t.shape != p.shape[:-1]:
        raise ShapeError(
            f"y_true must hold one class number a sample: expected shape {tuple(p.shape[:-1])}, received "
            f"{tuple(t.shape)} for y_pred {tuple(p.shape)}. One-hot labels go with categorical_crossentropy."
        )
    t = cast(t, "int64")
    valid = None
    if ignore_class is not None:
        valid = t != ignore_class
        t = where(valid, t, ops.zeros_like(t))
    if not from_logits:
        p = log(_clipped(p))
    values = nn.sparse_softmax_cross_entropy_with_logits(t, p)
    return values if valid is None else masked_where(valid, values)


@loss("KLDivergence", "kld", "KLD", "kullback_leibler_divergence")
def kl_divergence(y_true: Any, y_pred: Any) -> Tensor:
    """sum(t log(t / p)) over the last axis, both at least epsilon."""
    t, p = matched(y_true, y_pred)
    t, p = (clip_by_value(each, config.epsilon(), 1.0) for each in (t, p))
    return reduce_sum(t * log(t / p), -1)


def _signs(t: Tensor) -> Tensor:
    """Labels 0 and 1 as -1 and 1; what is neither only 0 nor 1 stays."""
    return where(reduce_all((t == 0) | (t == 1)), 2.0 * t - 1.0, t)


@loss("Hinge")
def hinge(y_true: Any, y_pred: Any) -> Tensor:
    """mean(max(1 - t * p, 0)) over the last axis, for labels -1 and 1 (0 counts as -1)."""
    t, p = matched(y_true, y_pred)
    return reduce_mean(maximum(1.0 - _signs(t) * p, 0.0), -1)


@loss("SquaredHinge")
def squared_hinge(y_true: Any, y_pred: Any) -> Tensor:
    """mean(max(1 - t * p, 0) ** 2) over the last axis, for labels -1 and 1 (0 counts as -1)."""
    t, p = matched(y_true, y_pred)
    return reduce_mean(square(maximum(1.0 - _signs(t) * p, 0.0)), -1)


@loss("CategoricalHinge")
def categorical_hinge(y_true: Any, y_pred: Any) -> Tensor:
    """max(1 + the largest wrong score - the right score, 0) along the last axis, for one-hot labels."""
    t, p = matched(y_true, y_pred)
    return maximum(reduce_max((1.0 - t) * p, -1) - reduce_sum(t * p, -1) + 1.0, 0.0)


@loss("Dice", order="reduction name axis dtype")
def dice(y_true: Any, y_pred: Any, axis: Any = None) -> Tensor:
    """1 - 2 sum(t p) / (sum(t) + sum(p)) over `axis`, all axes by default."""
    t, p = matched(y_true, y_pred)
    overlap = reduce_sum(t * p, axis)
    return 1.0 - 2.0 * overlap / (reduce_sum(t, axis) + reduce_sum(p, axis) + config.epsilon())


@loss("Tversky", order="alpha beta reduction name axis dtype")
def tversky(y_true: Any, y_pred: Any, alpha: float = 0.5, beta: float = 0.5, axis: Any = None) -> Tensor:
    """1 - overlap / (overlap + alpha * missed + beta * too much) over `axis`, all axes by default.

    Source: Salehi et al. (2017), eq. 2, with the weights in Keras's order.
    """
    t, p = matched(y_true, y_pred)
    overlap = reduce_sum(t * p, axis)
    missed, too_much = reduce_sum((1.0 - p) * t, axis), reduce_sum(p * (1.0 - t), axis)
    return 1.0 - overlap / (overlap + missed * alpha + too_much * beta + config.epsilon())


@loss("Circle", order="gamma margin remove_diagonal reduction name dtype")
def circle(
    y_true: Any,
    y_pred: Any,
    ref_labels: Any = None,
    ref_embeddings: Any = None,
    remove_diagonal: bool = True,
    gamma: float = 80.0,
    margin: float = 0.4,
) -> Tensor:
    """The circle loss of embeddings. y_true: (n,) class numbers; y_pred: (n, d) vectors of norm 1. Returns (n,).

    `ref_labels`, (m,), and `ref_embeddings`, (m, d): what they are compared with, by default themselves.
    `remove_diagonal`: whether the i-th is not compared with the i-th. Source: Sun et al. (2020), eq. 6.
    """
    p = _prediction(y_pred, None)
    others = p if ref_embeddings is None else to_dtype(as_tensor(ref_embeddings), p._array.dtype)
    t = cast(reshape(y_true, (-1,)), "int64")
    labels = t if ref_labels is None else cast(reshape(ref_labels, (-1,)), "int64")
    if len(labels) != len(others):
        raise ShapeError(
            f"`ref_labels` and `ref_embeddings` need one length, received {len(labels)} and {len(others)}."
        )
    distances = maximum(1.0 - matmul(p, others, transpose_b=True), 0.0)
    same = equal(expand_dims(t, 1), expand_dims(labels, 0))
    positive = logical_and(same, logical_not(cast(eye(len(t), len(labels)), "bool"))) if remove_diagonal else same
    negative = logical_not(same)
    pull = maximum((margin + distances) * cast(positive, p.dtype), 0.0)
    push = maximum((1.0 + margin - distances) * cast(negative, p.dtype), 0.0)
    nowhere = ops.ones_like(distances) * float("-inf")
    positives = where(positive, -gamma * pull * (margin - distances), nowhere)
    negatives = where(negative, gamma * push * (1.0 - margin - distances), nowhere)
    values = softplus(reduce_logsumexp(positives, 1) + reduce_logsumexp(negatives, 1))
    values._keras_mask = values > 0.0
    return values


@loss("CategoricalGeneralizedCrossEntropy")
def categorical_generalized_cross_entropy(y_true: Any, y_pred: Any, q: float = 0.5) -> Tensor:
    """(1 - p ** q) / q of the true class's p: robust to noisy labels. y_true: (n,) class numbers; y_pred: (n, k).

    Source: Zhang and Sabuncu (2018), eq. 6.
    """
    if not 0.0 < q < 1.0:
        raise InvalidArgumentError(f"`q` must lie between 0 and 1, received {q}.")
    p = _prediction(y_pred, None)
    t = as_tensor(y_true)
    if t.ndim == p.ndim and t.shape[-1] == 1:
        t = squeeze(t, -1)
    if t.shape != p.shape[:-1]:
        raise ShapeError(f"y_true must hold one class number a sample, received {tuple(t.shape)} for {tuple(p.shape)}.")
    hot = to_dtype(one_hot(cast(t, "int64"), p.shape[-1]), p._array.dtype)
    return (1.0 - pow(reduce_sum(p * hot, -1), q)) / q


BinaryCrossentropy = binary_crossentropy.loss_class
BinaryFocalCrossentropy = binary_focal_crossentropy.loss_class
CategoricalCrossentropy = categorical_crossentropy.loss_class
CategoricalFocalCrossentropy = categorical_focal_crossentropy.loss_class
SparseCategoricalCrossentropy = sparse_categorical_crossentropy.loss_class
KLDivergence = kl_divergence.loss_class
Hinge = hinge.loss_class
SquaredHinge = squared_hinge.loss_class
CategoricalHinge = categorical_hinge.loss_class
Dice = dice.loss_class
Tversky = tversky.loss_class
Circle = circle.loss_class
CategoricalGeneralizedCrossEntropy = categorical_generalized_cross_entropy.loss_class

BCE = bce = binary_crossentropy
KLD = kld = kullback_leibler_divergence = kl_divergence
