"""Losses for numbers: per-sample functions of y_true and y_pred, (n, ..., d) each, to (n, ...)."""

from __future__ import annotations

from math import log as ln
from math import pi
from typing import Any

from minitrain import config
from minitrain.engine.convert import as_tensor
from minitrain.engine.tensor import Tensor
from minitrain.errors import InvalidArgumentError, ShapeError
from minitrain.losses.base import loss, matched
from minitrain.ops import neural
from minitrain.ops.elementwise import abs, clip_by_value, exp, log, maximum, softplus, square, squared_difference, where
from minitrain.ops.neural import l2_normalize
from minitrain.ops.reduction import reduce_mean, reduce_sum


@loss("MeanSquaredError", "mse", "MSE", whole=neural.mean_squared_error)
def mean_squared_error(y_true: Any, y_pred: Any) -> Tensor:
    """mean((y_true - y_pred) ** 2) over the last axis."""
    t, p = matched(y_true, y_pred)
    return reduce_mean(squared_difference(p, t), -1)


@loss("MeanAbsoluteError", "mae", "MAE")
def mean_absolute_error(y_true: Any, y_pred: Any) -> Tensor:
    """mean(|y_true - y_pred|) over the last axis."""
    t, p = matched(y_true, y_pred)
    return reduce_mean(abs(t - p), -1)


@loss("MeanAbsolutePercentageError", "mape", "MAPE")
def mean_absolute_percentage_error(y_true: Any, y_pred: Any) -> Tensor:
    """100 * mean(|y_true - y_pred| / max(|y_true|, epsilon)) over the last axis."""
    t, p = matched(y_true, y_pred)
    return 100.0 * reduce_mean(abs((t - p) / maximum(abs(t), config.epsilon())), -1)


@loss("MeanSquaredLogarithmicError", "msle", "MSLE")
def mean_squared_logarithmic_error(y_true: Any, y_pred: Any) -> Tensor:
    """mean((log(y_true + 1) - log(y_pred + 1)) ** 2) over the last axis; both are at least epsilon."""
    t, p = matched(y_true, y_pred)
    first, second = (log(maximum(each, config.epsilon()) + 1.0) for each in (p, t))
    return reduce_mean(square(first - second), -1)


@loss("Huber", name="huber_loss")
def huber(y_true: Any, y_pred: Any, delta: float = 1.0) -> Tensor:
    """error ** 2 / 2 up to `delta`, delta * |error| - delta ** 2 / 2 beyond; the mean over the last axis.

    Source: Huber (1964).
    """
    t, p = matched(y_true, y_pred)
    error = abs(p - t)
    return reduce_mean(where(error <= delta, 0.5 * square(error), delta * error - 0.5 * delta**2), -1)


@loss("LogCosh", "logcosh")
def log_cosh(y_true: Any, y_pred: Any) -> Tensor:
    """mean(log(cosh(y_pred - y_true))) over the last axis, without overflow."""
    t, p = matched(y_true, y_pred)
    error = p - t
    return reduce_mean(error + softplus(error * -2.0) - ln(2.0), -1)


@loss("CosineSimilarity")
def cosine_similarity(y_true: Any, y_pred: Any, axis: int = -1) -> Tensor:
    """Minus the cosine of the angle between y_true and y_pred along `axis`: -1 is the best."""
    t, p = matched(y_true, y_pred)
    return -reduce_sum(l2_normalize(t, axis) * l2_normalize(p, axis), axis)


@loss("Poisson")
def poisson(y_true: Any, y_pred: Any) -> Tensor:
    """mean(y_pred - y_true * log(y_pred + epsilon)) over the last axis, for counts and their positive rates."""
    t, p = matched(y_true, y_pred)
    return reduce_mean(p - t * log(p + config.epsilon()), -1)


@loss("Quantile", "pinball")
def quantile(y_true: Any, y_pred: Any, quantiles: Any = 0.5) -> Tensor:
    """The pinball loss, whose minimum is the conditional quantile: mean(max(q * e, (q - 1) * e)), e = y_true - y_pred.

    `quantiles`: one number in (0, 1), for y_pred of y_true's shape, or k of them, for y_true (n,) or (n, 1) and
    y_pred (n, k). Source: Koenker and Bassett (1978), eq. 3.1.
    """
    levels = [quantiles] if isinstance(quantiles, (int, float)) else [float(each) for each in quantiles]
    if not levels or not all(0.0 < level < 1.0 for level in levels):
        raise InvalidArgumentError(f"`quantiles` must lie between 0 and 1, received {quantiles!r}.")
    p = as_tensor(y_pred)
    if len(levels) > 1 and (not p.ndim or p.shape[-1] != len(levels)):
        raise ShapeError(
            f"y_pred needs a last axis of {len(levels)}, one column a quantile, received shape {tuple(p.shape)}."
        )
    t, p = matched(y_true, y_pred)
    error = t - p
    q = as_tensor(levels if len(levels) > 1 else levels[0])
    return reduce_mean(maximum(error * q, error * (q - 1.0)), -1)


@loss("GaussianNLL", "gaussian_nll")
def gaussian_negative_log_likelihood(
    y_true: Any, y_pred: Any, full: bool = True, min_log_variance: float = -20.0
) -> Tensor:
    """(log(variance) + (y_true - mean) ** 2 / variance) / 2, plus log(2 pi) / 2 if `full`; the mean over targets.

    y_true: (n, d) or (n,); y_pred: (n, 2 d), the d means followed by the d logarithms of the variances, which are
    kept above `min_log_variance`, so that the loss has a minimum. Source: Nix and Weigend (1994), eq. 2.
    """
    p, t = as_tensor(y_pred), as_tensor(y_true)
    if t.ndim == p.ndim - 1 and p.shape[-1] == 2:
        t = t[..., None]
    if not p.ndim or p.shape[-1] != 2 * t.shape[-1]:
        raise ShapeError(
            f"y_pred needs a last axis twice that of y_true, means followed by logarithms of variances; received "
            f"{tuple(p.shape)} for y_true {tuple(t.shape)}."
        )
    d = t.shape[-1]
    t, mean = matched(t, p[..., :d])
    log_variance = clip_by_value(p[..., d:], min_log_variance, 80.0)
    constant = ln(2.0 * pi) if full else 0.0
    return 0.5 * reduce_mean(log_variance + square(t - mean) * exp(-log_variance) + constant, -1)


MeanSquaredError = mean_squared_error.loss_class
MeanAbsoluteError = mean_absolute_error.loss_class
MeanAbsolutePercentageError = mean_absolute_percentage_error.loss_class
MeanSquaredLogarithmicError = mean_squared_logarithmic_error.loss_class
Huber = huber.loss_class
LogCosh = log_cosh.loss_class
CosineSimilarity = cosine_similarity.loss_class
Poisson = poisson.loss_class
Quantile = quantile.loss_class
GaussianNLL = gaussian_negative_log_likelihood.loss_class

MSE = mse = mean_squared_error
MAE = mae = mean_absolute_error
MAPE = mape = mean_absolute_percentage_error
MSLE = msle = mean_squared_logarithmic_error
logcosh = log_cosh
