"""Metrics from counts of true and false positives and negatives at thresholds: precision, recall, areas under curves.

Counts are kept for all thresholds at once: predictions are sorted into the gaps between thresholds and summed from
the top.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from minitrain import config
from minitrain.configuration import serialize
from minitrain.errors import ShapeError
from minitrain.metrics.base import (
    REGISTRY,
    Metric,
    answer,
    need_number,
    ratio,
    refuse,
    same_rank,
    value_of,
)
from minitrain.ops.elementwise import sigmoid

Array = Any


def as_thresholds(thresholds: Any) -> list[float]:
    """One or several thresholds in [0, 1] as a list."""
    values = np.atleast_1d(thresholds).astype(float).tolist()
    for value in values:
        refuse(not 0 <= value <= 1, f"`thresholds` must lie in [0, 1], received {value!r}.")
    return values


def at_thresholds(weights: Array, p: Array, thresholds: Array) -> Array:
    """Sums of `weights` over predictions above each threshold. weights, p: (n, l); -> (thresholds, l)"""
    order = np.argsort(thresholds, kind="stable")
    # How many thresholds lie strictly below each prediction, compared in the predictions' precision.
    passed = np.searchsorted(np.asarray(thresholds)[order].astype(p.dtype), p, side="left")
    out = np.zeros((len(thresholds) + 1, p.shape[1]))
    for label in range(p.shape[1]):
        out[:, label] = np.bincount(passed[:, label], weights=weights[:, label], minlength=len(thresholds) + 1)
    above = out[::-1].cumsum(0)[::-1][1:]
    answer_ = np.empty_like(above)
    answer_[order] = above
    return answer_


class _Counts(Metric):
    """State and counting for the metrics of this file: weighted counts for each threshold and label."""

    thresholds: Any
    counted: tuple[str, ...] = ("true_positives", "false_positives", "true_negatives", "false_negatives")

    def _make_counts(self, shape: Any) -> None:
        for name in self.counted:
            setattr(self, name, self.add_weight(shape, name=name))

    def _count(
        self,
        y_true: Any,
        y_pred: Any,
        sample_weight: Any,
        *,
        top_k: int | None = None,
        class_id: int | None = None,
        by_label: bool = False,
        label_weights: Any = None,
    ) -> None:
        t, p = same_rank(value_of(y_true), value_of(y_pred))
        if t.shape != p.shape:
            raise ShapeError(f"y_true and y_pred must have the same shape, received {t.shape} and {p.shape}.")
        p = p.astype(np.float32)  # as Keras compares: a prediction of 0.3 in float32 is not above a threshold of 0.3
        if top_k is not None:
            kept = np.argsort(-p, axis=-1, kind="stable")[..., :top_k]
            only = np.full(p.shape, -np.inf, p.dtype)
            np.put_along_axis(only, kept, np.take_along_axis(p, kept, -1), -1)
            p = only
        w = None if sample_weight is None else value_of(sample_weight).astype(np.float64)
        if class_id is not None:
            refuse(p.ndim < 2, f"`class_id` needs y_pred of shape (n, classes), received {p.shape}.")
            refuse(not 0 <= class_id < p.shape[-1], f"`class_id` {class_id} is not in [0, {p.shape[-1]}).")
            t, p = t[..., class_id], p[..., class_id]
        if w is None:
            w = np.ones(p.shape)
        else:
            if w.ndim == p.ndim + 1 and w.shape[-1] == 1:
                w = w[..., 0]
            w = np.broadcast_to(w[(...,) + (None,) * (p.ndim - w.ndim)] if w.ndim else w, p.shape)
        if label_weights is not None:
            w = w * np.asarray(label_weights)
        shape = (-1, p.shape[-1]) if by_label else (-1, 1)
        t, p, w = (each.reshape(shape) for each in (t.astype(bool), p, w))
        right, wrong = w * t, w * ~t
        tp, fp = (at_thresholds(each, p, self.thresholds) for each in (right, wrong))
        positives, negatives = right.sum(0), wrong.sum(0)
        width = () if by_label else (-1,)
        for name, counted in (
            ("true_positives", tp),
            ("false_positives", fp),
            ("true_negatives", negatives - fp),
            ("false_negatives", positives - tp),
        ):
            if name in self.counted:
                getattr(self, name).assign_add(counted if by_label else counted.reshape(width))

    def _values(self) -> tuple[Array, ...]:
        return tuple(getattr(self, name).numpy() for name in self.counted)


class _AtThresholds(_Counts):
    """What is reported at one or several thresholds: a number, or one each."""

    def __init__(self, thresholds: Any, name: str | None, dtype: Any, default: float = 0.5) -> None:
        super().__init__(dtype, name)
        self.init_thresholds = thresholds
        self.thresholds = [default] if thresholds is None else as_thresholds(thresholds)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "thresholds": serialize(self.init_thresholds)}

    def _values(self) -> tuple[Array, ...]:
        return tuple(each[0] if len(each) == 1 else each for each in super()._values())


class _OneCount(_AtThresholds):
    """One of the four counts, at one or several thresholds."""

    def __init__(self, thresholds: Any = None, name: str | None = None, dtype: Any = None) -> None:
        super().__init__(thresholds, name, dtype)
        self.accumulator = self.add_weight(len(self.thresholds), name="accumulator")
        setattr(self, self.counted[0], self.accumulator)

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        self._count(y_true, y_pred, sample_weight)

    def result(self) -> Any:
        return answer(*self._values())


@REGISTRY.register()
class TruePositives(_OneCount):
    """How many (or the weights of those that) are true and predicted above the thresholds."""

    counted = ("true_positives",)


@REGISTRY.register()
class FalsePositives(_OneCount):
    """How many (or the weights of those that) are false and predicted above the thresholds."""

    counted = ("false_positives",)


@REGISTRY.register()
class TrueNegatives(_OneCount):
    """How many (or the weights of those that) are false and predicted at the thresholds or below."""

    counted = ("true_negatives",)


@REGISTRY.register()
class FalseNegatives(_OneCount):
    """How many (or the weights of those that) are true and predicted at the thresholds or below."""

    counted = ("false_negatives",)


class _Share(_AtThresholds):
    """Precision and recall: at thresholds, of the `top_k` largest predictions, or of one class."""

    def __init__(
        self,
        thresholds: Any = None,
        top_k: int | None = None,
        class_id: int | None = None,
        name: str | None = None,
        dtype: Any = None,
    ) -> None:
        # Of the largest predictions each counts, whatever it is.
        super().__init__(thresholds, name, dtype, default=0.5 if top_k is None else -1e30)
        self.top_k = top_k
        self.class_id = class_id
        self._make_counts(len(self.thresholds))

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        self._count(y_true, y_pred, sample_weight, top_k=self.top_k, class_id=self.class_id)


@REGISTRY.register()
class Precision(_Share):
    """True positives over all predicted positive, at `thresholds` (0.5), of the `top_k` largest, or of one class."""

    counted = ("true_positives", "false_positives")

    def result(self) -> Any:
        tp, fp = self._values()
        return answer(ratio(tp, tp + fp))


@REGISTRY.register()
class Recall(_Share):
    """True positives over all that are true, at `thresholds` (0.5), of the `top_k` largest, or of one class."""

    counted = ("true_positives", "false_negatives")

    def result(self) -> Any:
        tp, fn = self._values()
        return answer(ratio(tp, tp + fn))


class _AtConstraint(_Counts):
    """The best of one rate at the thresholds where another is at least a given value."""

    def __init__(
        self,
        value: float,
        num_thresholds: int = 200,
        class_id: int | None = None,
        name: str | None = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(dtype, name)
        self.value = need_number(value, "value", 0, 1)
        refuse(num_thresholds <= 0, f"`num_thresholds` must be positive, received {num_thresholds!r}.")
        self.num_thresholds = num_thresholds
        self.class_id = class_id
        n = num_thresholds
        self.thresholds = [0.5] if n == 1 else [0.0, *((i + 1) / (n - 1) for i in range(n - 2)), 1.0]
        self._make_counts(len(self.thresholds))

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        self._count(y_true, y_pred, sample_weight, class_id=self.class_id)

    def rates(self) -> tuple[Array, Array]:
        """What is constrained, and what is wanted."""
        raise NotImplementedError  # subclasses do

    def result(self) -> Any:
        constrained, wanted = self.rates()
        feasible = wanted[constrained >= self.value]
        return answer(feasible.max(initial=0.0))


def _named(name: str) -> Any:
    """`__init__` and `get_config` with the constraint under its own name, such as `recall`."""

    def init(
        self: Any,
        value: Any = None,
        num_thresholds: int = 200,
        class_id: int | None = None,
        metric_name: Any = None,
        dtype: Any = None,
        **kwargs: Any,
    ) -> None:
        value = kwargs.pop(name, value)
        metric_name = kwargs.pop("name", metric_name)
        if kwargs:
            raise TypeError(f"{type(self).__name__}() got an unexpected keyword argument {next(iter(kwargs))!r}")
        _AtConstraint.__init__(self, value, num_thresholds, class_id, metric_name, dtype)

    def get_config(self: Any) -> dict[str, Any]:
        return {
            name: self.value,
            "num_thresholds": self.num_thresholds,
            "class_id": self.class_id,
            "name": self.name,
            "dtype": self.dtype,
        }

    def decorate(cls: Any) -> Any:
        cls.__init__ = init
        cls.get_config = get_config
        setattr(cls, name, property(lambda self: self.value))
        return REGISTRY.add(cls)

    return decorate


@_named("specificity")
class SensitivityAtSpecificity(_AtConstraint):
    """The largest sensitivity at thresholds with at least the given specificity."""

    def rates(self) -> tuple[Array, Array]:
        tp, fp, tn, fn = self._values()
        return ratio(tn, tn + fp), ratio(tp, tp + fn)


@_named("sensitivity")
class SpecificityAtSensitivity(_AtConstraint):
    """The largest specificity at thresholds with at least the given sensitivity."""

    def rates(self) -> tuple[Array, Array]:
        tp, fp, tn, fn = self._values()
        return ratio(tp, tp + fn), ratio(tn, tn + fp)


@_named("recall")
class PrecisionAtRecall(_AtConstraint):
    """The largest precision at thresholds with at least the given recall."""

    def rates(self) -> tuple[Array, Array]:
        tp, fp, _, fn = self._values()
        return ratio(tp, tp + fn), ratio(tp, tp + fp)


@_named("precision")
class RecallAtPrecision(_AtConstraint):
    """The largest recall at thresholds with at least the given precision."""

    def rates(self) -> tuple[Array, Array]:
        tp, fp, _, fn = self._values()
        return ratio(tp, tp + fp), ratio(tp, tp + fn)


@REGISTRY.register()
class AUC(_Counts):
    """The area under the ROC or the precision-recall curve, from `num_thresholds` points of it.

    `curve`: "ROC", "PR", or "PRGAIN" for the gains in precision and recall over calling everything positive, that in
    recall at least 0. Source: Flach and Kull (2015), eqs. 4 and 5. `summation_method`: "interpolation" (trapezoids; for
    PR the interpolation of Davis and Goadrich (2006)), "minoring" or "majoring". `thresholds`: those to use beside 0
    and 1. `multi_label`: one area for each of `num_labels` columns, averaged with `label_weights`. `from_logits`:
    y_pred are logits.
    """

    def __init__(
        self,
        num_thresholds: int = 200,
        curve: str = "ROC",
        summation_method: str = "interpolation",
        name: str | None = None,
        dtype: Any = None,
        thresholds: Sequence[float] | None = None,
        multi_label: bool = False,
        num_labels: int | None = None,
        label_weights: Any = None,
        from_logits: bool = False,
    ) -> None:
        super().__init__(dtype, name or "auc")
        curve, method = str(curve).upper(), str(summation_method).lower()
        refuse(curve not in ("ROC", "PR", "PRGAIN"), f"`curve` must be 'ROC', 'PR' or 'PRGAIN', received {curve!r}.")
        known = ("interpolation", "minoring", "majoring")
        refuse(method not in known, f"`summation_method` must be one of {known}, received {summation_method!r}.")
        if thresholds is None:
            refuse(num_thresholds <= 1, f"`num_thresholds` must be more than 1, received {num_thresholds!r}.")
            inner = [(i + 1) / (num_thresholds - 1) for i in range(num_thresholds - 2)]
        else:
            inner = sorted(as_thresholds(thresholds))
        self.num_thresholds = len(inner) + 2
        self.curve = curve
        self.summation_method = method
        self.init_thresholds = thresholds
        self.multi_label = multi_label
        self.num_labels = num_labels
        self.label_weights = label_weights
        self.from_logits = from_logits
        self.thresholds = [-config.epsilon(), *inner, 1.0 + config.epsilon()]
        if not multi_label:
            self._make_counts(self.num_thresholds)
        elif num_labels:
            self._make_counts((self.num_thresholds, num_labels))

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "thresholds": serialize(self.init_thresholds)}

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        if self.from_logits:
            y_pred = sigmoid(value_of(y_pred))
        p = value_of(y_pred)
        if self.init_thresholds is None:
            p = np.clip(p, 0.0, 1.0)
        refuse(self.multi_label and p.ndim != 2, f"y_pred must be (n, labels) where `multi_label`, received {p.shape}.")
        if self.multi_label and not self._state:
            self._make_counts((self.num_thresholds, p.shape[-1]))
        weights = None if self.multi_label else self.label_weights
        self._count(y_true, p, sample_weight, by_label=self.multi_label, label_weights=weights)

    def result(self) -> Any:
        if not self._state:
            return answer(0.0)
        tp, fp, tn, fn = self._values()
        areas = self._pr_interpolated(tp, fp, fn) if self._interpolates_pr() else self._summed(tp, fp, tn, fn)
        if not self.multi_label:
            return answer(areas)
        return answer(areas.mean() if self.label_weights is None else np.average(areas, weights=self.label_weights))

    def _interpolates_pr(self) -> bool:
        return self.curve == "PR" and self.summation_method == "interpolation"

    def _summed(self, tp: Array, fp: Array, tn: Array, fn: Array) -> Array:
        recall = ratio(tp, tp + fn)
        if self.curve == "PRGAIN":
            odds = ratio(tp + fn, tn + fp)
            x = np.where(tp > 0, np.maximum(1.0 - odds * ratio(fn, tp), 0.0), 0.0)
            y = np.where(tp > 0, 1.0 - odds * ratio(fp, tp), 1.0)
        else:
            x, y = (ratio(fp, fp + tn), recall) if self.curve == "ROC" else (recall, ratio(tp, tp + fp))
        heights = {
            "interpolation": (y[:-1] + y[1:]) / 2.0,
            "minoring": np.minimum(y[:-1], y[1:]),
            "majoring": np.maximum(y[:-1], y[1:]),
        }[self.summation_method]
        return ((x[:-1] - x[1:]) * heights).sum(0)

    @staticmethod
    def _pr_interpolated(tp: Array, fp: Array, fn: Array) -> Array:
        """Between two points true positives grow linearly with predicted positives, precision does not."""
        gained = tp[:-1] - tp[1:]
        p = tp + fp
        slope = ratio(gained, np.maximum(p[:-1] - p[1:], 0))
        intercept = tp[1:] - slope * p[1:]
        both = (p[:-1] > 0) & (p[1:] > 0)
        growth = np.where(both, ratio(p[:-1], np.maximum(p[1:], 0)), 1.0)
        return ratio(slope * (gained + intercept * np.log(growth)), np.maximum(tp[1:] + fn[1:], 0)).sum(0)
