"""Metrics for numbers: mean errors, R squared, correlations."""

from __future__ import annotations

from typing import Any

import numpy as np

from minitrain import losses
from minitrain.metrics.base import REGISTRY, Metric, answer, metric_function, pair, ratio, refuse, value_of
from minitrain.metrics.reduction import Mean, mean_of

MeanSquaredError = mean_of("MeanSquaredError", losses.mean_squared_error, "mse", "MSE")
MeanAbsoluteError = mean_of("MeanAbsoluteError", losses.mean_absolute_error, "mae", "MAE")
MeanAbsolutePercentageError = mean_of(
    "MeanAbsolutePercentageError", losses.mean_absolute_percentage_error, "mape", "MAPE"
)
MeanSquaredLogarithmicError = mean_of(
    "MeanSquaredLogarithmicError", losses.mean_squared_logarithmic_error, "msle", "MSLE"
)
LogCoshError = mean_of("LogCoshError", losses.log_cosh, "logcosh", "log_cosh", name="logcosh")


def cosine_similarity(y_true: Any, y_pred: Any, axis: int = -1) -> Any:
    """The cosine of the angle between y_true and y_pred along `axis`: 1 is the best."""
    return -losses.cosine_similarity(y_true, y_pred, axis)


CosineSimilarity = mean_of("CosineSimilarity", cosine_similarity)


@REGISTRY.register("rmse", "RMSE")
class RootMeanSquaredError(Mean):
    """The root of the weighted mean squared error."""

    def __init__(self, name: str = "root_mean_squared_error", dtype: Any = None) -> None:
        super().__init__(name, dtype)

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        t, p = pair(y_true, y_pred)
        super().update_state(np.square(p - t), sample_weight)

    def result(self) -> Any:
        return answer(np.sqrt(ratio(self.total.numpy(), self.count.numpy())))


@REGISTRY.register("r2", "r2_score")
class R2Score(Metric):
    """The coefficient of determination, 1 - residual over total sum of squares: 1 is the best, the mean alone gives 0.

    `class_aggregation`: "uniform_average" of the outputs, "variance_weighted_average", or None for one number each.
    `num_regressors`: with how many the result is adjusted, 0 for not at all.
    """

    def __init__(
        self,
        class_aggregation: str | None = "uniform_average",
        num_regressors: int = 0,
        name: str = "r2_score",
        dtype: Any = None,
    ) -> None:
        known = (None, "uniform_average", "variance_weighted_average")
        refuse(
            class_aggregation not in known,
            f"`class_aggregation` must be one of {known}, received {class_aggregation!r}.",
        )
        refuse(num_regressors < 0, f"`num_regressors` must be 0 or more, received {num_regressors!r}.")
        super().__init__(dtype, name)
        self.class_aggregation = class_aggregation
        self.num_regressors = num_regressors
        self.num_samples = self.add_weight(name="num_samples")

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Add a batch: (n, d) or (n,) each, weights (n,) or (n, 1)."""
        t, p = pair(y_true, y_pred)
        t, p = (each[:, None] if each.ndim == 1 else each for each in (t, p))
        refuse(t.ndim != 2, f"R2Score needs y_true and y_pred of shape (n, d) or (n,), received {t.shape}.")
        if not self._is_built:
            for name in ("squared_sum", "sum", "residual", "count"):
                setattr(self, name, self.add_weight(t.shape[1:], name=name))
        w = np.ones((len(t), 1)) if sample_weight is None else value_of(sample_weight).astype(np.float64)
        w = w[:, None] if w.ndim == 1 else w
        self.squared_sum.assign_add((w * t * t).sum(0))
        self.sum.assign_add((w * t).sum(0))
        self.residual.assign_add((w * np.square(t - p)).sum(0))
        self.count.assign_add((w * np.ones_like(t)).sum(0))
        self.num_samples.assign_add(float(t.size))

    @property
    def _is_built(self) -> bool:
        """Whether there was a batch, which says how many outputs there are."""
        return len(self._state) > 1

    def result(self) -> Any:
        if not self._is_built:
            return answer(0.0)
        total = self.squared_sum.numpy() - np.square(self.sum.numpy()) / np.maximum(self.count.numpy(), 1e-300)
        with np.errstate(divide="ignore", invalid="ignore"):
            scores = 1.0 - self.residual.numpy() / total
        scores = np.where(np.isinf(scores), 0.0, scores)
        if self.class_aggregation == "uniform_average":
            scores = scores.mean()
        elif self.class_aggregation == "variance_weighted_average":
            scores = ratio((scores * total).sum(), total.sum())
        n = float(self.num_samples.numpy())
        if self.num_regressors and n - self.num_regressors - 1 > 0:
            scores = 1.0 - (1.0 - scores) * (n - 1.0) / (n - self.num_regressors - 1.0)
        return answer(scores)


@metric_function()
def pearson_correlation(y_true: Any, y_pred: Any, axis: int = -1) -> Any:
    """The linear correlation of y_true and y_pred along `axis`."""
    t, p = (each - each.mean(axis=axis, keepdims=True) for each in pair(y_true, y_pred))
    return ratio((t * p).mean(axis=axis), t.std(axis=axis) * p.std(axis=axis))


@metric_function()
def concordance_correlation(y_true: Any, y_pred: Any, axis: int = -1) -> Any:
    """Lin's concordance of y_true and y_pred along `axis`: their correlation, less where scale or location differ."""
    t, p = pair(y_true, y_pred)
    covariance = ((t - t.mean(axis=axis, keepdims=True)) * (p - p.mean(axis=axis, keepdims=True))).mean(axis=axis)
    spread = t.var(axis=axis) + p.var(axis=axis) + np.square(t.mean(axis=axis) - p.mean(axis=axis))
    return ratio(2.0 * covariance, spread)


PearsonCorrelation = mean_of("PearsonCorrelation", pearson_correlation)
ConcordanceCorrelation = mean_of("ConcordanceCorrelation", concordance_correlation)
