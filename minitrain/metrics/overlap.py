"""Metrics of overlap between classes: F scores and intersection over union."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np

from minitrain import config
from minitrain.dtypes import as_dtype
from minitrain.errors import ShapeError
from minitrain.metrics.base import REGISTRY, Metric, answer, ratio, refuse, value_of

Array = Any


@REGISTRY.register()
class FBetaScore(Metric):
    """(1 + beta ** 2) p r / (beta ** 2 p + r) of precision p and recall r for each of k classes. (n, k), (n, k)

    `average`: None for one number a class, "micro" over all decisions, "macro" the mean of the classes, "weighted" by
    how often each is true. `threshold`: what counts as predicted; without it the largest entry of a row does.
    """

    def __init__(
        self,
        average: str | None = None,
        beta: float = 1.0,
        threshold: float | None = None,
        name: str = "fbeta_score",
        dtype: Any = None,
    ) -> None:
        known = (None, "micro", "macro", "weighted")
        refuse(average not in known, f"`average` must be one of {known}, received {average!r}.")
        refuse(not isinstance(beta, float) or not beta > 0, f"`beta` must be a positive float, received {beta!r}.")
        refuse(
            threshold is not None and not (isinstance(threshold, float) and 0 < threshold <= 1),
            f"`threshold` must be a float in (0, 1], received {threshold!r}.",
        )
        super().__init__(dtype, name)
        self.average = average
        self.beta = beta
        self.threshold = threshold

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        t, p = value_of(y_true), value_of(y_pred)
        if t.ndim != 2 or t.shape != p.shape:
            raise ShapeError(
                f"{type(self).__name__} needs y_true and y_pred of one shape (n, k), received {t.shape} and {p.shape}."
            )
        if not self._state:
            shape = () if self.average == "micro" else (t.shape[1],)
            for name in ("true_positives", "false_positives", "false_negatives", "intermediate_weights"):
                setattr(self, name, self.add_weight(shape, name=name))
        if self.threshold is None:
            chosen = (p >= p.max(axis=-1, keepdims=True)) & (np.abs(p) > 1e-9)
        else:
            chosen = p > self.threshold
        t = t.astype(bool)
        w = np.ones((len(t), 1)) if sample_weight is None else value_of(sample_weight).astype(np.float64).reshape(-1, 1)
        axis = None if self.average == "micro" else 0
        for name, which in (
            ("true_positives", chosen & t),
            ("false_positives", chosen & ~t),
            ("false_negatives", ~chosen & t),
            ("intermediate_weights", t),
        ):
            getattr(self, name).assign_add((w * which).sum(axis))

    def result(self) -> Any:
        if not self._state:
            return answer(0.0)
        tp, fp, fn, support = (each.numpy() for each in self.variables)
        epsilon = config.epsilon()
        precision, recall = tp / (tp + fp + epsilon), tp / (tp + fn + epsilon)
        square = self.beta**2
        score = (1.0 + square) * precision * recall / (square * precision + recall + epsilon)
        if self.average == "weighted":
            return answer((score * support / (support.sum() + epsilon)).sum())
        return answer(score.mean() if self.average is not None else score)


@REGISTRY.register()
class F1Score(FBetaScore):
    """The harmonic mean of precision and recall: see FBetaScore."""

    def __init__(
        self, average: str | None = None, threshold: float | None = None, name: str = "f1_score", dtype: Any = None
    ) -> None:
        super().__init__(average, 1.0, threshold, name, dtype)

    def get_config(self) -> dict[str, Any]:
        return {"average": self.average, "threshold": self.threshold, "name": self.name, "dtype": self.dtype}


class _Confusion(Metric):
    """The confusion matrix of class numbers that all IoU metrics stand on.

    Class numbers outside [0, num_classes) do not count. Weights are truncated to integers unless `dtype` is a float.
    """

    def __init__(self, num_classes: int, name: str | None, dtype: Any, ignore_class: int | None) -> None:
        super().__init__(dtype or "int64", name)
        self.num_classes = num_classes
        self.ignore_class = ignore_class
        self.total_cm = self.add_weight((num_classes, num_classes), name="total_confusion_matrix")

    def _add(self, t: Array, p: Array, sample_weight: Any) -> None:
        w = np.ones(t.shape)
        if sample_weight is not None:
            given = value_of(sample_weight)
            same_size = given.size == t.size
            w = w * (given.reshape(t.shape) if same_size else given[(..., *(None,) * (t.ndim - given.ndim))])
        t, p, w = t.reshape(-1).astype(np.int64), p.reshape(-1).astype(np.int64), w.reshape(-1).astype(np.float64)
        if not as_dtype(self.dtype).is_floating:  # Keras counts in integers here, weights included
            if (w != np.trunc(w)).any():
                warnings.warn(
                    f"The weights are float, and {self.name!r} counts in {self.dtype}: casting cuts them to integers. "
                    "0.9 counts for nothing. Make the metric with dtype='float32' to count them as they are.",
                    stacklevel=2,
                )
            w = np.trunc(w)
        inside = (t >= 0) & (p >= 0) & (t < self.num_classes) & (p < self.num_classes)
        if self.ignore_class is not None:
            inside &= t != self.ignore_class
        t, p, w = t[inside], p[inside], w[inside]
        counts = np.bincount(t * self.num_classes + p, weights=w, minlength=self.num_classes**2)
        self.total_cm.assign_add(counts.reshape(self.num_classes, -1))

    def _shares(self) -> tuple[Array, Array]:
        """Intersection over union of each class, and which classes occur at all."""
        matrix = self.total_cm.numpy()
        hits = np.diagonal(matrix)
        union = matrix.sum(0) + matrix.sum(1) - hits
        return ratio(hits, union), union > 0


@REGISTRY.register()
class IoU(_Confusion):
    """The mean over `target_class_ids` of intersection over union of the true and the predicted members.

    `sparse_y_true`, `sparse_y_pred`: class numbers rather than scores along `axis`. `ignore_class`: a label that does
    not count.
    """

    def __init__(
        self,
        num_classes: int,
        target_class_ids: Sequence[int],
        name: str | None = None,
        dtype: Any = None,
        ignore_class: int | None = None,
        sparse_y_true: bool = True,
        sparse_y_pred: bool = True,
        axis: int = -1,
    ) -> None:
        super().__init__(num_classes, name, dtype, ignore_class)
        refuse(
            max(target_class_ids) >= num_classes,
            f"`target_class_ids` must lie in [0, {num_classes}), received {target_class_ids}.",
        )
        self.target_class_ids = list(target_class_ids)
        self.sparse_y_true = sparse_y_true
        self.sparse_y_pred = sparse_y_pred
        self.axis = axis

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        t, p = value_of(y_true), value_of(y_pred)
        t = t if self.sparse_y_true else t.argmax(self.axis)
        p = p if self.sparse_y_pred else p.argmax(self.axis)
        self._add(t, p, sample_weight)

    def result(self) -> Any:
        shares, present = self._shares()
        chosen = self.target_class_ids
        return answer(ratio(shares[chosen].sum(), present[chosen].sum()))


@REGISTRY.register()
class BinaryIoU(IoU):
    """IoU of two classes, of predictions at or above `threshold` and below it."""

    def __init__(
        self,
        target_class_ids: Sequence[int] = (0, 1),
        threshold: float = 0.5,
        name: str | None = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(2, target_class_ids, name, dtype)
        self.threshold = threshold

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        self._add(value_of(y_true), value_of(y_pred) >= self.threshold, sample_weight)

    def get_config(self) -> dict[str, Any]:
        return {
            "target_class_ids": self.target_class_ids,
            "threshold": self.threshold,
            "name": self.name,
            "dtype": self.dtype,
        }


@REGISTRY.register()
class MeanIoU(IoU):
    """The mean IoU of all classes."""

    def __init__(
        self,
        num_classes: int,
        name: str | None = None,
        dtype: Any = None,
        ignore_class: int | None = None,
        sparse_y_true: bool = True,
        sparse_y_pred: bool = True,
        axis: int = -1,
    ) -> None:
        super().__init__(num_classes, range(num_classes), name, dtype, ignore_class, sparse_y_true, sparse_y_pred, axis)

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        config.pop("target_class_ids", None)
        return config


@REGISTRY.register()
class OneHotIoU(IoU):
    """IoU of one-hot labels and scores along `axis`."""

    def __init__(
        self,
        num_classes: int,
        target_class_ids: Sequence[int],
        name: str | None = None,
        dtype: Any = None,
        ignore_class: int | None = None,
        sparse_y_pred: bool = False,
        axis: int = -1,
    ) -> None:
        super().__init__(num_classes, target_class_ids, name, dtype, ignore_class, False, sparse_y_pred, axis)


@REGISTRY.register()
class OneHotMeanIoU(MeanIoU):
    """The mean IoU of all classes of one-hot labels and scores along `axis`."""

    def __init__(
        self,
        num_classes: int,
        name: str | None = None,
        dtype: Any = None,
        ignore_class: int | None = None,
        sparse_y_pred: bool = False,
        axis: int = -1,
    ) -> None:
        super().__init__(num_classes, name, dtype, ignore_class, False, sparse_y_pred, axis)
