"""Keras's losses as functions and as classes, and two more that tables need: `Quantile` and `GaussianNLL`.

A loss is one per-sample function under a decorator that gives it its class, its names, its reductions and weights:
see `base.py`. `losses.get("mse")` gives the function, `losses.get("MeanSquaredError")` an instance.
"""

from typing import Any

from minitrain.configuration import serialize
from minitrain.losses.base import REGISTRY, Loss, Reduction
from minitrain.losses.classification import (
    BCE,
    KLD,
    BinaryCrossentropy,
    BinaryFocalCrossentropy,
    CategoricalCrossentropy,
    CategoricalFocalCrossentropy,
    CategoricalGeneralizedCrossEntropy,
    CategoricalHinge,
    Circle,
    Dice,
    Hinge,
    KLDivergence,
    SparseCategoricalCrossentropy,
    SquaredHinge,
    Tversky,
    bce,
    binary_crossentropy,
    binary_focal_crossentropy,
    categorical_crossentropy,
    categorical_focal_crossentropy,
    categorical_generalized_cross_entropy,
    categorical_hinge,
    circle,
    dice,
    hinge,
    kl_divergence,
    kld,
    kullback_leibler_divergence,
    sparse_categorical_crossentropy,
    squared_hinge,
    tversky,
)
from minitrain.losses.regression import (
    MAE,
    MAPE,
    MSE,
    MSLE,
    CosineSimilarity,
    GaussianNLL,
    Huber,
    LogCosh,
    MeanAbsoluteError,
    MeanAbsolutePercentageError,
    MeanSquaredError,
    MeanSquaredLogarithmicError,
    Poisson,
    Quantile,
    cosine_similarity,
    gaussian_negative_log_likelihood,
    huber,
    log_cosh,
    logcosh,
    mae,
    mape,
    mean_absolute_error,
    mean_absolute_percentage_error,
    mean_squared_error,
    mean_squared_logarithmic_error,
    mse,
    msle,
    poisson,
    quantile,
)


def get(identifier: Any) -> Any:
    """The loss that `identifier` stands for: a name, class, instance, function or configuration; None for None."""
    return REGISTRY.get(identifier)


deserialize = REGISTRY.deserialize

__all__ = [
    name
    for name in dir()
    if not name.startswith("_") and name not in ("Any", "REGISTRY", "base", "classification", "regression")
]
