"""Metrics for classes that are means over samples: accuracies, cross-entropies, hinges, divergences."""

from __future__ import annotations

from typing import Any

import numpy as np

from minitrain import losses
from minitrain.errors import ShapeError
from minitrain.metrics.base import metric_function, pair, same_rank, value_of
from minitrain.metrics.reduction import mean_of
from minitrain.ops.indexing import in_top_k

BinaryCrossentropy = mean_of(
    "BinaryCrossentropy", losses.binary_crossentropy, "bce", "BCE", order="name dtype from_logits label_smoothing axis"
)
CategoricalCrossentropy = mean_of("CategoricalCrossentropy", losses.categorical_crossentropy, "cce", "CCE")
SparseCategoricalCrossentropy = mean_of(
    "SparseCategoricalCrossentropy",
    losses.sparse_categorical_crossentropy,
    "scce",
    order="name dtype from_logits axis ignore_class",
)
KLDivergence = mean_of("KLDivergence", losses.kl_divergence, "kld", "KLD")
Poisson = mean_of("Poisson", losses.poisson)
Hinge = mean_of("Hinge", losses.hinge)
SquaredHinge = mean_of("SquaredHinge", losses.squared_hinge)
CategoricalHinge = mean_of("CategoricalHinge", losses.categorical_hinge)


@metric_function()
def accuracy(y_true: Any, y_pred: Any) -> Any:
    """Whether y_pred equals y_true, element by element."""
    t, p = pair(y_true, y_pred)
    return (t == p).astype(np.float64)


@metric_function()
def binary_accuracy(y_true: Any, y_pred: Any, threshold: float = 0.5) -> Any:
    """Whether y_pred > threshold says what y_true says, element by element."""
    t, p = pair(y_true, y_pred)
    # In float32, as the numbers come: a prediction of 0.7 in float32 is not above a threshold of 0.7.
    return (t == (p.astype(np.float32) > np.float32(threshold))).astype(np.float64)


@metric_function()
def categorical_accuracy(y_true: Any, y_pred: Any) -> Any:
    """Whether the largest entry of y_pred is where that of y_true is: (..., k), (..., k) -> (...)"""
    t, p = value_of(y_true), value_of(y_pred)
    if t.shape != p.shape:
        raise ShapeError(f"One-hot y_true and y_pred must have the same shape, received {t.shape} and {p.shape}.")
    return (t.argmax(-1) == p.argmax(-1)).astype(np.float64)


@metric_function()
def sparse_categorical_accuracy(y_true: Any, y_pred: Any) -> Any:
    """Whether the largest entry of y_pred is the class number y_true: (...) or (..., 1), (..., k) -> (...)"""
    return (_class_numbers(y_true, value_of(y_pred)) == value_of(y_pred).argmax(-1)).astype(np.float64)


def _class_numbers(y_true: Any, p: Any) -> Any:
    t = value_of(y_true)
    if t.ndim == p.ndim and t.shape[-1] == 1:
        t = t[..., 0]
    if t.shape != p.shape[:-1]:
        raise ShapeError(f"y_true must hold one class number a sample, received shape {t.shape} for y_pred {p.shape}.")
    return t


def _in_top_k(t: Any, p: Any, k: int) -> Any:
    found = in_top_k(t.reshape(-1).astype(np.int64), p.reshape(-1, p.shape[-1]), k)
    return found.numpy().reshape(t.shape).astype(np.float64)


@metric_function()
def top_k_categorical_accuracy(y_true: Any, y_pred: Any, k: int = 5) -> Any:
    """Whether the true class is among the k largest entries: one-hot (..., c), (..., c) -> (...)"""
    t, p = value_of(y_true), value_of(y_pred)
    t, p = same_rank(t, p)
    return _in_top_k(t.argmax(-1), p, k)


@metric_function()
def sparse_top_k_categorical_accuracy(y_true: Any, y_pred: Any, k: int = 5, from_sorted_ids: bool = False) -> Any:
    """Whether the class number y_true is among the k largest entries: (...), (..., c) -> (...)

    `from_sorted_ids`: y_pred holds class numbers, the likeliest first.
    """
    p = value_of(y_pred)
    t = _class_numbers(y_true, p)
    if from_sorted_ids:
        return (p[..., :k] == t[..., None]).any(-1).astype(np.float64)
    return _in_top_k(t, p, k)


Accuracy = mean_of("Accuracy", accuracy, "acc")
BinaryAccuracy = mean_of("BinaryAccuracy", binary_accuracy, order="name dtype threshold")
CategoricalAccuracy = mean_of("CategoricalAccuracy", categorical_accuracy)
SparseCategoricalAccuracy = mean_of("SparseCategoricalAccuracy", sparse_categorical_accuracy)
TopKCategoricalAccuracy = mean_of("TopKCategoricalAccuracy", top_k_categorical_accuracy, order="k name dtype")
SparseTopKCategoricalAccuracy = mean_of(
    "SparseTopKCategoricalAccuracy", sparse_top_k_categorical_accuracy, order="k name dtype from_sorted_ids"
)
