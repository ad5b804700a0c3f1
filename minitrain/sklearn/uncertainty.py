"""Regressors that say how sure they are: quantiles that do not cross, a Gaussian's deviation, conformal intervals.

The first two are networks with other outputs and losses. The third wraps any regressor, and keeps its promise whatever
the regressor is worth: of new rows that are drawn like the old ones, at least `coverage` fall into their intervals.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, MetaEstimatorMixin, RegressorMixin, clone, is_regressor
from sklearn.model_selection import train_test_split
from sklearn.pipeline import Pipeline
from sklearn.utils import _safe_indexing, check_array, check_consistent_length, check_random_state, get_tags
from sklearn.utils.validation import check_is_fitted, column_or_1d, validate_data

from minitrain.configuration import register_serializable
from minitrain.engine.convert import as_tensor
from minitrain.errors import InvalidArgumentError
from minitrain.layers.base import Layer
from minitrain.losses import GaussianNLL, Quantile
from minitrain.ops.elementwise import softplus
from minitrain.ops.reduction import cumsum
from minitrain.ops.shaping import concat
from minitrain.sklearn.base import SEEDS, _as_array
from minitrain.sklearn.encoding import is_frame, note_columns
from minitrain.sklearn.mlp import MLPRegressor, NumberPerceptron

Array = Any


@register_serializable("minitrain")
class Increasing(Layer):
    """The first number of a row, and each further one higher by softplus(x): (n, k) -> (n, k) that never falls."""

    def call(self, inputs: Any) -> Any:
        x = as_tensor(inputs)
        return concat([x[:, :1], x[:, :1] + cumsum(softplus(x[:, 1:]), axis=1)], axis=1)


class HeadedRegressor(NumberPerceptron):
    """What the regressors with further outputs share."""

    def _meet_targets(self, y: Array, weight: Any, classes: Any, *, is_first: bool, is_partial: bool) -> None:
        if is_first:
            self._learn_targets(y, weight)
            self.out_activation_ = "identity"

    def _score_of(self, matrix: Any, y: Array, weight: Any) -> float:
        """Minus the loss: the higher the better."""
        targets = as_tensor(self._network_targets(y))
        weights = None if weight is None else as_tensor(weight.astype(self.model_.dtype))
        return -float(self.model_._objective.losses[0](targets, as_tensor(self._outputs_of(matrix)), weights))


class QuantileRegressor(HeadedRegressor):
    """A multi-layer perceptron for several quantiles of a number, which never cross: each adds to the one below.

    `quantiles`: rising numbers between 0 and 1. `predict` gives the one nearest to the median, `predict_quantiles` all.
    The other parameters are those of `MLPRegressor`. Source: Koenker and Bassett (1978).
    """

    def __init__(
        self,
        quantiles: Any = (0.05, 0.5, 0.95),
        hidden_layer_sizes: Any = (100,),
        activation: Any = "relu",
        *,
        solver: Any = "adam",
        alpha: float = 0.0001,
        batch_size: Any = "auto",
        learning_rate: Any = "constant",
        learning_rate_init: float = 0.001,
        max_iter: int = 200,
        random_state: Any = None,
        tol: float = 1e-4,
        verbose: bool = False,
        warm_start: bool = False,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        n_iter_no_change: float = 10,
        dropout: Any = 0.0,
        normalization: Any = None,
        weight_decay: float | None = None,
        callbacks: Any = None,
        encoding: Any = "auto",
        target_scaling: bool = True,
    ) -> None:
        self.quantiles = quantiles
        self.hidden_layer_sizes = hidden_layer_sizes
        self.activation = activation
        self.solver = solver
        self.alpha = alpha
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.learning_rate_init = learning_rate_init
        self.max_iter = max_iter
        self.random_state = random_state
        self.tol = tol
        self.verbose = verbose
        self.warm_start = warm_start
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.dropout = dropout
        self.normalization = normalization
        self.weight_decay = weight_decay
        self.callbacks = callbacks
        self.encoding = encoding
        self.target_scaling = target_scaling

    def _levels(self) -> list[float]:
        try:
            levels = [float(each) for each in np.ravel(self.quantiles)]
        except (TypeError, ValueError):
            levels = []
        if not levels or not all(0 < each < 1 for each in levels) or sorted(set(levels)) != levels:
            raise InvalidArgumentError(f"`quantiles` must rise, between 0 and 1, received {self.quantiles!r}.")
        return levels

    def _output_units(self) -> int:
        if self.n_outputs_ != 1:
            raise ValueError(f"QuantileRegressor takes one target a row, y should be 1d, received {self.n_outputs_}.")
        return len(self._levels())

    def _last_layer(self, dtype: str) -> Layer | None:
        return Increasing(dtype=dtype, name="increasing") if len(self._levels()) > 1 else None

    def _loss_function(self) -> Any:
        levels = self._levels()
        return Quantile(levels if len(levels) > 1 else levels[0])

    def predict_quantiles(self, X: Any) -> Array:  # noqa: N803
        """The quantiles, in the target's unit, none below the one before: (n, k)"""
        return self._rescaled(self._outputs(X))

    def predict(self, X: Any) -> Array:  # noqa: N803
        """The quantile nearest to the median: (n,)"""
        return self.predict_quantiles(X)[:, int(np.argmin(np.abs(np.array(self._levels()) - 0.5)))]

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = False
        return tags


class GaussianRegressor(HeadedRegressor):
    """A multi-layer perceptron for the mean and the deviation of a Gaussian, of one number or several.

    `predict(X, return_std=True)` gives both. The parameters are those of `MLPRegressor`.

    Source: Nix and Weigend (1994).
    """

    def __init__(
        self,
        hidden_layer_sizes: Any = (100,),
        activation: Any = "relu",
        *,
        solver: Any = "adam",
        alpha: float = 0.0001,
        batch_size: Any = "auto",
        learning_rate: Any = "constant",
        learning_rate_init: float = 0.001,
        max_iter: int = 200,
        random_state: Any = None,
        tol: float = 1e-4,
        verbose: bool = False,
        warm_start: bool = False,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        n_iter_no_change: float = 10,
        dropout: Any = 0.0,
        normalization: Any = None,
        weight_decay: float | None = None,
        callbacks: Any = None,
        encoding: Any = "auto",
        target_scaling: bool = True,
    ) -> None:
        self.hidden_layer_sizes = hidden_layer_sizes
        self.activation = activation
        self.solver = solver
        self.alpha = alpha
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.learning_rate_init = learning_rate_init
        self.max_iter = max_iter
        self.random_state = random_state
        self.tol = tol
        self.verbose = verbose
        self.warm_start = warm_start
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.dropout = dropout
        self.normalization = normalization
        self.weight_decay = weight_decay
        self.callbacks = callbacks
        self.encoding = encoding
        self.target_scaling = target_scaling

    def _output_units(self) -> int:
        return 2 * self.n_outputs_

    def _loss_function(self) -> Any:
        return GaussianNLL()

    def predict(self, X: Any, return_std: bool = False) -> Any:  # noqa: N803
        """The means, and with `return_std` the deviations too, in the target's unit: (n,), or (n, t) for several."""
        outputs = self._outputs(X)
        mean = self._in_units(outputs[:, : self.n_outputs_])
        if not return_std:
            return mean
        log_variance = np.clip(outputs[:, self.n_outputs_ :], -20.0, 80.0)  # as the loss does
        deviation = np.exp(0.5 * log_variance) * self.target_scale_.astype(outputs.dtype)
        return mean, deviation[:, 0] if self._is_vector else deviation


class ConformalRegressor(MetaEstimatorMixin, RegressorMixin, BaseEstimator):
    """Split-conformal intervals around a regressor: of new rows at least `coverage` fall inside, in the mean over fits.

    `estimator`: any regressor, an `MLPRegressor` by default; it is fitted on all but a `calibration_fraction` of the
    rows, and its errors on those make the intervals' width. Around a `QuantileRegressor` its outer quantiles are moved,
    around a `GaussianRegressor` the width goes with the deviation, around others all widths are the same.

    Sources: Lei et al. (2018), algorithm 2; Romano et al. (2019), algorithm 1.
    """

    def __init__(
        self,
        estimator: Any = None,
        *,
        coverage: float = 0.9,
        calibration_fraction: float = 0.25,
        random_state: Any = None,
    ) -> None:
        self.estimator = estimator
        self.coverage = coverage
        self.calibration_fraction = calibration_fraction
        self.random_state = random_state

    def fit(self, X: Any, y: Any) -> ConformalRegressor:  # noqa: N803
        """Fit the regressor on a part of the rows, and keep its errors on the others."""
        if not 0 < self.coverage < 1 or not 0 < self.calibration_fraction < 1:
            raise InvalidArgumentError(
                f"`coverage` and `calibration_fraction` must lie between 0 and 1, received {self.coverage!r} and "
                f"{self.calibration_fraction!r}."
            )
        base = MLPRegressor() if self.estimator is None else self.estimator
        if not (hasattr(base, "fit") and hasattr(base, "get_params") and is_regressor(base)):
            raise InvalidArgumentError(f"`estimator` must be a regressor, received {base!r}.")
        if y is None:
            raise ValueError("This ConformalRegressor estimator requires y to be passed, but the target y is None.")
        X = self._checked(X, reset=True)  # noqa: N806
        y = column_or_1d(check_array(_as_array(y), ensure_2d=False, dtype="numeric", input_name="y"), warn=True)
        check_consistent_length(X, y)
        rng = check_random_state(self.random_state)
        train, held = train_test_split(np.arange(len(y)), test_size=self.calibration_fraction, random_state=rng)
        self.estimator_ = clone(base)
        if self.estimator_.get_params(deep=False).get("random_state", 0) is None:
            self.estimator_.set_params(random_state=int(rng.randint(SEEDS)))
        self.estimator_.fit(_safe_indexing(X, train), y[train])
        low, high, width = self._around(_safe_indexing(X, held))
        self.errors_ = np.sort(np.maximum(low - y[held], y[held] - high) / width)
        return self

    def predict(self, X: Any) -> Array:  # noqa: N803
        """What the regressor predicts: (n,)"""
        check_is_fitted(self)
        return self.estimator_.predict(self._checked(X, reset=False))

    def predict_interval(self, X: Any, coverage: float | None = None) -> Array:  # noqa: N803
        """The lower and upper ends of the intervals, (n, 2), of this coverage or of that given to the estimator.

        Raises InvalidArgumentError where there are too few rows of calibration for it.
        """
        check_is_fitted(self)
        low, high, width = self._around(self._checked(X, reset=False))
        margin = self._margin(self.coverage if coverage is None else coverage) * width
        return np.column_stack([low - margin, np.maximum(high + margin, low - margin)])

    def _margin(self, coverage: float) -> float:
        """The ceil((n + 1) * coverage)-th smallest error."""
        count = len(self.errors_)
        place = int(np.ceil((count + 1) * coverage - 1e-9))
        if not 1 <= place <= count:
            raise InvalidArgumentError(
                f"A coverage of {coverage} needs more than {count} rows of calibration: give more rows, a larger "
                "`calibration_fraction`, or a coverage further from 1."
            )
        return float(self.errors_[place - 1])

    def _around(self, X: Any) -> tuple[Array, Array, Any]:  # noqa: N803
        """The ends that errors are counted from, and the unit that they are counted in."""
        last = self.estimator_
        if isinstance(last, Pipeline):
            X, last = last[:-1].transform(X) if len(last) > 1 else X, last[-1]  # noqa: N806
        if isinstance(last, QuantileRegressor):
            found = last.predict_quantiles(X)
            return found[:, 0], found[:, -1], 1.0
        if isinstance(last, GaussianRegressor):
            mean, deviation = last.predict(X, return_std=True)
            return mean, mean, deviation
        mean = last.predict(X)
        return mean, mean, 1.0

    def _checked(self, X: Any, reset: bool) -> Any:  # noqa: N803
        """What the regressor takes, which checks it; here names and numbers of columns."""
        if is_frame(X):
            note_columns(X, self, reset)
            return X
        tags = get_tags(self)
        return validate_data(
            self,
            X,
            reset=reset,
            accept_sparse="csr" if tags.input_tags.sparse else False,
            dtype=[np.float64, np.float32],
            ensure_all_finite="allow-nan" if tags.input_tags.allow_nan else True,
        )

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        inner = get_tags(self.estimator if hasattr(self.estimator, "__sklearn_tags__") else MLPRegressor())
        tags.input_tags.sparse = inner.input_tags.sparse
        tags.input_tags.allow_nan = inner.input_tags.allow_nan
        return tags
