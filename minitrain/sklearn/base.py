"""What the estimators share: checked and encoded tables, targets of both kinds, weights, seeds, what is minimised.

A fit draws from a stream of its own, which stands in for minitrain's global one meanwhile: the same `random_state`
gives the same bits, and no estimator disturbs another. Rows of weight 0 are taken out before anything is learned.
"""

from __future__ import annotations

import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from numbers import Real
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin, clone
from sklearn.utils import _safe_indexing, check_array, check_consistent_length, check_random_state
from sklearn.utils.multiclass import check_classification_targets, type_of_target
from sklearn.utils.validation import _check_sample_weight, check_is_fitted, column_or_1d, validate_data

from minitrain import nn
from minitrain.configuration import snake_case
from minitrain.engine.convert import as_tensor
from minitrain.errors import DTypeError, InvalidArgumentError, NonFiniteError
from minitrain.losses.base import Loss, matched, reduce_weighted
from minitrain.losses.classification import (
    CategoricalCrossentropy,
    CategoricalFocalCrossentropy,
    CategoricalGeneralizedCrossEntropy,
    CategoricalHinge,
    KLDivergence,
    SparseCategoricalCrossentropy,
    categorical_crossentropy,
    sparse_categorical_crossentropy,
)
from minitrain.losses.regression import MeanAbsolutePercentageError, MeanSquaredLogarithmicError, Poisson
from minitrain.nest import flatten
from minitrain.ops.elementwise import log, maximum, square
from minitrain.ops.neural import mean_squared_error, sum_of_squares
from minitrain.ops.random import Generator, get_global_generator
from minitrain.ops.reduction import reduce_sum
from minitrain.ops.shaping import stack
from minitrain.sklearn.encoding import (
    TableEncoder,
    is_frame,
    is_missing,
    is_sparse,
    need_no_dates,
    need_table,
    note_columns,
    read_column,
    unmasked,
)
from minitrain.training.objective import as_loss

Array = Any
FITTING = threading.RLock()  # there is one global stream: threads that fit take turns
ROWS = 4096  # that are predicted at once
SEEDS = 2**31 - 1
FEW = 10  # rows, which do not tell what is far from the others


@contextmanager
def own_stream(seed: int) -> Iterator[None]:
    """Within this `with` block minitrain's global stream starts from `seed`. It stays the same object, which programs
    hold: with another one `partial_fit` would record its steps each time.
    """
    with FITTING:
        stream = get_global_generator()
        outer = stream.state
        stream.state = Generator(seed).state
        try:
            yield
        finally:
            stream.state = outer


# ---------------------------------------------------------------------------------------------------- what is minimised


def half_squared_error(y_true: Any, y_pred: Any) -> Any:
    """sum((y_true - y_pred) ** 2) / 2 over the outputs: (n, o), (n, o) -> (n,)"""
    t, p = matched(y_true, y_pred)
    return 0.5 * reduce_sum(square(p - t), -1)


def half_poisson_deviance(y_true: Any, y_pred: Any) -> Any:
    """sum(p - t + t * log(t / p)) over the outputs, for counts t and their positive rates p."""
    t, p = matched(y_true, y_pred)
    least = 1e-37  # so that 0 * log(0) is 0
    return reduce_sum(p - t + t * (log(maximum(t, least)) - log(maximum(p, least))), -1)


def binary_log_loss(y_true: Any, y_pred: Any) -> Any:
    """-sum(t log p + (1 - t) log(1 - p)) over the outputs, from the logits behind p. (n, o), (n, o) -> (n,)"""
    logits = getattr(y_pred, "_logits", None)
    if logits is None:
        p = as_tensor(y_pred)
        t, p = matched(y_true, p)
        return -reduce_sum(t * log(p) + (1.0 - t) * log(1.0 - p), -1)
    t, logits = matched(y_true, logits)
    return reduce_sum(nn.sigmoid_cross_entropy_with_logits(t, logits), -1)


class OfPairs(Loss):
    """A loss that compares classes with one another, of the two classes behind one probability: (n, o), (n, o) -> (n,)

    `function`: of one-hot labels, or with `is_sparse` of class numbers, and probabilities (..., 2).
    """

    def __init__(self, function: Loss) -> None:
        super().__init__(name=function.name)
        self.function = function
        self.is_sparse = isinstance(function, SparseCategoricalCrossentropy)

    def call(self, y_true: Any, y_pred: Any) -> Any:
        t, p = matched(y_true, y_pred)
        labels = t if self.is_sparse else stack([1.0 - t, t], -1)
        return reduce_sum(self.function.call(labels, stack([1.0 - p, p], -1)), -1)


class Criterion(Loss):
    """The mean of a loss over the weights of the rows, plus alpha / 2 * sum(kernel ** 2) over the same weights.

    So a row of weight two counts as two rows, in the penalty too. `function`: a Loss, or a function of y_true and
    y_pred that gives one number a row. `link`: makes the prediction of what the network gives, if it does not.
    """

    def __init__(self, function: Any, alpha: float = 0.0, kernels: Any = (), link: Any = None) -> None:
        super().__init__(name="loss", reduction="mean_with_sample_weight")
        self.function = function
        self.alpha = alpha
        self.kernels = list(kernels)
        self.link = link

    def __call__(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> Any:
        y_pred = y_pred if self.link is None else self.link(y_pred)
        mean = self._mean(y_true, y_pred, sample_weight)
        if not (self.alpha and self.kernels):
            return mean
        rows = float(y_pred.shape[0]) if sample_weight is None else reduce_sum(as_tensor(sample_weight))
        squares = [sum_of_squares(kernel) for kernel in self.kernels]
        return mean + (0.5 * self.alpha / rows) * sum(squares[1:], squares[0])

    def _mean(self, y_true: Any, y_pred: Any, sample_weight: Any) -> Any:
        if self.function is half_squared_error and sample_weight is None:  # one operation for all of it
            t, p = matched(y_true, y_pred)
            if t.shape == p.shape:
                return (0.5 * p.shape[-1]) * mean_squared_error(t, p)
        return reduce_weighted(self.call(y_true, y_pred), sample_weight, None, self.reduction)

    def call(self, y_true: Any, y_pred: Any) -> Any:
        return self.function.call(y_true, y_pred) if isinstance(self.function, Loss) else self.function(y_true, y_pred)


PLAIN = {half_squared_error: "mse", half_poisson_deviance: "poisson", binary_log_loss: "binary_crossentropy"}


def compile_with(model: Any, optimizer: Any, criterion: Criterion, metrics: Any) -> None:
    """Compile for a criterion, in whose place a file of the model names the plain loss, or none for logits."""
    model.compile(optimizer, criterion, weighted_metrics=metrics)
    plain = PLAIN.get(criterion.function, criterion.function)
    is_plain = criterion.link is None and not isinstance(plain, OfPairs)
    model._compile_config["loss"] = plain if is_plain else None


# ------------------------------------------------------------------------------------------------------------ estimator


@contextmanager
def unchanged_if_refused(estimator: Any) -> Iterator[None]:
    """A `fit` that raises within this `with` block leaves the estimator as it was, but for a model that was there and
    has been trained further.
    """
    before, stood = dict(vars(estimator)), _standing(estimator)
    try:
        yield
    except Exception:
        now = _standing(estimator)
        has_gone_on = now[0] is stood[0] is not None and now[1:] != stood[1:] and now[2]
        if not has_gone_on:
            vars(estimator).clear()
            vars(estimator).update(before)
        raise


def _standing(estimator: Any) -> tuple[Any, Any, int]:
    """The model, its optimizer, and how many steps that has made."""
    model = vars(estimator).get("model_")
    optimizer = getattr(model, "optimizer", None)
    return model, optimizer, 0 if optimizer is None else int(optimizer._iterations._peek())


class NetworkEstimator(BaseEstimator):
    """An estimator around a minitrain model, `model_`. Subclasses have the parameter `encoding`, and say how to build.

    `encoding`: "auto" for a TableEncoder, None for a matrix as it is, or a transformer of one's own.
    """

    encoding: Any
    _allows_nd = False

    def _checked(self, X: Any, y: Any, sample_weight: Any, reset: bool) -> tuple[Any, Array, Array | None]:  # noqa: N803
        """X as a table or a matrix, y as an array, and weights above 0, of the rows that have one."""
        if y is None:
            raise ValueError(f"This {type(self).__name__} estimator requires y to be passed, but the target y is None.")
        X = self._checked_inputs(X, reset)  # noqa: N806
        y = self._checked_targets(y)
        check_consistent_length(X, y)
        if sample_weight is None:
            return X, y, None
        rows = np.empty((len(y), 0))
        weight = _check_sample_weight(sample_weight, rows, dtype=np.float64, ensure_non_negative=True)
        kept = np.flatnonzero(weight)
        if not len(kept):
            raise InvalidArgumentError("`sample_weight` is 0 for every row: there is nothing to learn from.")
        if len(kept) < len(weight):
            X, y, weight = _safe_indexing(X, kept), y[kept], weight[kept]  # noqa: N806
        return X, y, weight

    def _checked_inputs(self, X: Any, reset: bool) -> Any:  # noqa: N803
        if not reset and isinstance(getattr(self, "encoder_", None), TableEncoder):
            self.encoder_.need_same_columns(X)
        need_table(X)
        if is_frame(X) and self.encoding is not None:
            note_columns(X, self, reset)
            return X
        if is_frame(X):
            need_no_dates(X)
        X = unmasked(X)  # noqa: N806
        encoder = None if reset else getattr(self, "encoder_", None)
        allows_nan = self.encoding is not None and not is_sparse(X) and not getattr(encoder, "is_sparse_", False)
        try:
            return validate_data(
                self,
                X,
                reset=reset,
                accept_sparse="csr",
                dtype=[np.float64, np.float32],
                ensure_all_finite="allow-nan" if allows_nan else True,
                allow_nd=self._allows_nd,
            )
        except (TypeError, ValueError) as error:
            if "contains NaN" in str(error):
                way = "ask for encoding='auto' and give a dense matrix" if is_sparse(X) else "ask for encoding='auto'"
                raise NonFiniteError(f"Input X contains NaN: fill or drop it, or {way}.") from error
            of_frames = ("Cannot cast",) if is_frame(X) else ()
            if not str(error).startswith(("could not convert string", "float() argument", *of_frames)):
                raise
            if "'NAType'" in str(error):
                raise NonFiniteError(
                    "Input X contains missing values: fill them, or ask for encoding='auto'."
                ) from error
            strange = ("category", "date", "duration")
            text = [name for name in X.columns if read_column(X[name], name)[0] in strange] if is_frame(X) else []
            raise DTypeError(
                f"{_shortened(error)}: {text or 'X'} holds text or dates, which are encoded in "
                "DataFrames and with encoding='auto'."
            ) from error

    def _begin(
        self,
        X: Any,  # noqa: N803
        y: Any,
        sample_weight: Any,
        is_partial: bool,
        classes: Any,
    ) -> tuple[bool, Any, Array, Array | None, Any]:
        """What a fit begins with: whether it is the first, the matrix, the targets, the weights, the random numbers."""
        self._check_parameters()
        is_first = not hasattr(self, "model_") or not (self.warm_start or is_partial)
        X, y, weight = self._checked(X, y, sample_weight, is_first)  # noqa: N806
        rng = check_random_state(self.random_state)
        if is_first:
            self._learn_inputs(X, weight, is_stream=is_partial)
        matrix = self._matrix(X)
        self._meet_targets(y, weight, classes, is_first=is_first, is_partial=is_partial)
        if getattr(self, "class_weight", None) is not None:
            weight = self._class_weighted(y, weight)
        return is_first, matrix, y, weight, rng

    def _checked_validation(self, given: Any) -> tuple[Any, Array, Array | None] | None:
        if given is None:
            return None
        if not isinstance(given, (tuple, list)) or len(given) not in (2, 3):
            raise InvalidArgumentError("`validation_data` must be (X, y) or (X, y, sample_weight).")
        x, y, weight = (*given, None)[:3]
        x, y, weight = self._checked(x, y, weight, reset=False)
        if isinstance(self, LabelTargets):
            self._need_known_labels(y, all_of_them=False)
        return self._matrix(x), y, weight

    def _new_encoder(self) -> Any:
        if self.encoding is None:
            return None
        return TableEncoder() if isinstance(self.encoding, str) else clone(self.encoding)

    def _learn_inputs(self, X: Any, weight: Array | None, *, is_stream: bool = False) -> None:  # noqa: N803
        """Fit a new encoder on a checked table, or on the first rows of a stream."""
        self.encoder_ = self._new_encoder()
        if self.encoder_ is not None:
            takes_weights = isinstance(self.encoder_, TableEncoder)
            if isinstance(self.encoding, str) and is_stream and X.shape[0] < FEW:
                self.encoder_.set_params(clip=None)
            self.encoder_.fit(X, **({"sample_weight": weight} if takes_weights else {}))

    def _matrix(self, X: Any) -> Any:  # noqa: N803
        """A checked table as what the network takes, float32 or float64."""
        if self.encoder_ is None:
            return X
        if type(self.encoder_) is TableEncoder:
            return self.encoder_.encoded(X)
        found = self.encoder_.transform(X)
        return found.to_numpy() if is_frame(found) else found  # as `set_output` and scikit-learn's settings ask for

    def _outputs(self, X: Any) -> Array:  # noqa: N803
        """What the network gives for a table: (n, o)"""
        check_is_fitted(self)
        return self._outputs_of(self._matrix(self._checked_inputs(X, reset=False)))

    def _outputs_of(self, matrix: Any) -> Array:
        return self.model_.predict(matrix, batch_size=ROWS, verbose=0)

    def _need_finite_weights(self) -> None:
        if not all(np.isfinite(each).all() for each in self.model_.get_weights()):
            raise ValueError(
                "Solver produced non-finite parameter weights. The input data may contain large values and need to be "
                "preprocessed, or the learning rate is too high."
            )

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        tags.input_tags.allow_nan = self.encoding is not None
        return tags


def checked_encoding(encoding: Any) -> None:
    """Raise InvalidArgumentError for what is no `encoding`."""
    is_transformer = hasattr(encoding, "fit") and hasattr(encoding, "transform") and not isinstance(encoding, type)
    if not (encoding is None or is_transformer or (isinstance(encoding, str) and encoding == "auto")):
        raise InvalidArgumentError(f"`encoding` must be 'auto', None or a transformer, received {encoding!r}.")


def _shortened(error: Exception) -> str:
    """What an error says, without the middle of a long value."""
    said = str(error)
    return said if len(said) <= 200 else f"{said[:100]} ... {said[-100:]}"


# -------------------------------------------------------------------------------------------------------------- targets


def _as_array(y: Any) -> Any:
    """Targets or labels of any kind of table. Raises NonFiniteError for missing ones that are no NaN."""
    y = y.to_numpy() if hasattr(y, "to_numpy") else y
    missing = np.ma.getmaskarray(y) if np.ma.isMaskedArray(y) else np.zeros(1, bool)
    if isinstance(y, np.ndarray) and y.dtype == object:
        missing = np.array([type(each).__name__ in ("NAType", "NaTType") for each in y.flat]).reshape(y.shape)
    elif isinstance(y, np.ndarray) and y.dtype.kind in "mM":
        missing = np.isnat(y)
    elif isinstance(y, (list, tuple)):  # NumPy would make text of a NaN beside text
        is_text = any(isinstance(each, str) for each in y)
        missing = np.array([is_missing(each) if is_text else each is None for each in y], bool)
    if missing.any():
        raise NonFiniteError(f"`y` is missing in row {np.argwhere(missing)[0][0]}. Drop the rows that have none.")
    return y


class NumberTargets(RegressorMixin):
    """Targets of a regressor: (n,) or (n, t), to mean 0 and deviation 1 where `target_scaling` is on, and back."""

    target_scaling: bool

    def _checked_targets(self, y: Any) -> Array:
        y = _as_array(y)
        if getattr(getattr(y, "dtype", None), "kind", "") in ("m", "M"):
            raise DTypeError("`y` must hold numbers, received dates or durations: count in a unit of your own.")
        try:
            y = check_array(y, ensure_2d=False, dtype="numeric", input_name="y", estimator=self)
        except (TypeError, ValueError) as error:
            if not str(error).startswith(("could not convert string", "float() argument", "dtype='numeric' is not")):
                raise
            raise DTypeError(f"`y` must hold numbers ({_shortened(error)}). Labels are for classifiers.") from error
        if y.ndim == 2 and y.shape[1] == 1:
            y = column_or_1d(y, warn=True)
        return y.astype(np.float64, copy=False)

    def _learn_targets(self, y: Array, weight: Array | None, way: str = "centre") -> None:
        """Learn centre and scale, weighted. `way`: of `scaling_for` the loss."""
        columns = y.reshape(len(y), -1)
        self.n_outputs_ = columns.shape[1]
        self._is_vector = y.ndim == 1
        centre, scale = np.zeros(self.n_outputs_), np.ones(self.n_outputs_)
        if self.target_scaling and way != "none":
            with np.errstate(over="ignore", invalid="ignore"):
                mean = np.average(columns, axis=0, weights=weight)
                if way == "divide":
                    scale = np.average(np.abs(columns), axis=0, weights=weight)
                else:
                    centre, scale = mean, np.sqrt(np.average((columns - mean) ** 2, axis=0, weights=weight))
            if not np.isfinite(scale).all():
                raise NonFiniteError(
                    f"`y` holds numbers up to {np.abs(y).max():.3g}, whose squares are no floats: scale it."
                )
            constant = ~(scale > 1e-12 * np.maximum(np.abs(mean), np.finfo(np.float64).tiny))  # rounding, not spread
            scale = np.where(constant, 1.0, scale)
        self.target_centre_, self.target_scale_ = centre, scale

    def _encoded_targets(self, y: Array, dtype: Any) -> Array:
        columns = y.reshape(len(y), -1)
        if columns.shape[1] != self.n_outputs_:
            raise ValueError(f"y has {columns.shape[1]} outputs, and had {self.n_outputs_} in the first call of fit.")
        return ((columns - self.target_centre_) / self.target_scale_).astype(dtype)

    def _network_targets(self, y: Array) -> Array:
        return self._encoded_targets(y, self.model_.dtype)

    def _rescaled(self, outputs: Array) -> Array:
        """The network's outputs (n, k) in the targets' own unit."""
        dtype = outputs.dtype
        return outputs * self.target_scale_.astype(dtype) + self.target_centre_.astype(dtype)

    def _in_units(self, outputs: Array) -> Array:
        """The network's outputs (n, t) in the targets' own unit, (n,) where y was."""
        found = self._rescaled(outputs)
        return found[:, 0] if self._is_vector else found

    def predict(self, X: Any) -> Array:  # noqa: N803
        """The predicted targets, in their own unit: (n,), or (n, t) for several."""
        return self._in_units(self._outputs(X))

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags


class LabelTargets(ClassifierMixin):
    """Targets of a classifier: labels of any type (n,), or the 0 and 1 of several labels (n, l)."""

    class_weight: Any

    def _checked_targets(self, y: Any) -> Array:
        y = _as_array(y)
        if is_sparse(y):
            y = y.toarray()
        y = check_array(y, ensure_2d=False, dtype=None, input_name="y", estimator=self)
        if y.ndim == 2 and y.shape[1] == 1:
            y = column_or_1d(y, warn=True)
        kinds = {type(each).__name__ for each in y.flat} if y.dtype == object else ()
        if len(kinds) > 1:
            raise DTypeError(f"`y` must hold labels of one type and none missing, received {sorted(kinds)}.")
        check_classification_targets(y)
        return y

    def _learn_labels(self, y: Array, classes: Any = None) -> None:
        kind = type_of_target(y, input_name="y")
        if kind == "multiclass-multioutput":
            raise ValueError(
                "Unknown label type: multiclass-multioutput. Give one column of labels, or of 0 and 1 each."
            )
        if kind == "multilabel-indicator":
            self.classes_ = np.arange(y.shape[1])
            self.n_outputs_, self._label_kind = y.shape[1], "multilabel"
            return
        self.classes_ = np.unique(_as_array(y if classes is None else np.asarray(_as_array(classes))))
        self._label_kind = "multiclass" if len(self.classes_) > 2 else "binary"
        self.n_outputs_ = len(self.classes_) if self._label_kind == "multiclass" else 1

    def _need_known_labels(self, y: Array, *, all_of_them: bool) -> None:
        """Raise ValueError where labels are new, or for a warm start others than before."""
        if self._label_kind == "multilabel":
            if y.ndim != 2 or y.shape[1] != self.n_outputs_:
                raise ValueError(f"`y` must have {self.n_outputs_} columns as before, received shape {y.shape}.")
            return
        found = np.unique(y)
        if all_of_them and not np.array_equal(found, self.classes_):
            raise ValueError(
                "warm_start can only be used where `y` has the same classes as in the previous call to fit. Previously "
                f"got {self.classes_}, `y` has {found}"
            )
        if len(np.setdiff1d(found, self.classes_)):
            raise ValueError(
                f"`y` has classes not in `self.classes_`. `self.classes_` has {self.classes_}. 'y' has {found}."
            )

    def _need_classes(self, classes: Any) -> None:
        """Raise ValueError where the first call of `partial_fit` lacks `classes`, or a later one has others."""
        if not hasattr(self, "model_"):
            if classes is None:
                raise ValueError("classes must be passed on the first call to partial_fit.")
        elif classes is not None and self._label_kind != "multilabel":
            if not np.array_equal(np.unique(np.asarray(classes)), self.classes_):
                raise ValueError(
                    f"`classes={classes!r}` is not the same as on last call to partial_fit, was: {self.classes_!r}"
                )

    def _encoded_targets(self, y: Array, dtype: Any, one_hot: bool = False) -> Array:
        """0 and 1, (n, o), or for several classes their numbers, (n,), or with `one_hot` (n, k)."""
        if self._label_kind == "multilabel":
            return y.astype(dtype)
        numbers = np.searchsorted(self.classes_, y)
        if self._label_kind == "binary":
            return numbers[:, None].astype(dtype)
        return np.eye(len(self.classes_), dtype=dtype)[numbers] if one_hot else numbers.astype(np.int64)

    def _class_weighted(self, y: Array, weight: Array | None) -> Array | None:
        """Weights of rows times those of their classes; "balanced" is W / (k * W_class), W the sums of weights."""
        if self.class_weight is None:
            return weight
        if self._label_kind == "multilabel":
            raise InvalidArgumentError("`class_weight` needs one label a row: use `sample_weight` for several.")
        numbers = np.searchsorted(self.classes_, y)
        rows = np.ones(len(y)) if weight is None else weight
        if isinstance(self.class_weight, str) and self.class_weight == "balanced":
            sums = np.bincount(numbers, rows, minlength=len(self.classes_))
            factors = rows.sum() / ((sums > 0).sum() * np.where(sums > 0, sums, 1.0))
        elif not isinstance(self.class_weight, dict):
            raise InvalidArgumentError(
                f"`class_weight` must be 'balanced', a dict or None, received {self.class_weight!r}."
            )
        else:
            given = self.class_weight
            strange = [each for each in given if each not in self.classes_.tolist()]
            if strange:
                raise InvalidArgumentError(
                    f"The classes {strange} are in `class_weight`, and not among {self.classes_.tolist()}."
                )
            wrong = {name: each for name, each in given.items() if not _is_factor(each)}
            if wrong or not any(given.get(each, 1.0) for each in self.classes_.tolist()):
                raise InvalidArgumentError(
                    f"`class_weight` must map labels to numbers of 0 or more, not all of them 0, received {given}."
                )
            factors = np.array([float(given.get(each, 1.0)) for each in self.classes_.tolist()])
        return rows * factors[numbers]

    def _labels(self, proba: Array) -> Array:
        """The labels of the network's probabilities (n, o)."""
        if self._label_kind == "multilabel":
            return (proba > 0.5).astype(np.int64)
        if self._label_kind == "binary":
            return self.classes_[(proba[:, 0] > 0.5).astype(np.int64) * (len(self.classes_) - 1)]
        return self.classes_[proba.argmax(1)]

    def predict(self, X: Any) -> Array:  # noqa: N803
        """The predicted labels: (n,), or 0 and 1 (n, l) for several labels."""
        return self._labels(self._outputs(X))

    def predict_proba(self, X: Any) -> Array:  # noqa: N803
        """The probability of each class, in the order of `classes_`: (n, k), or of each of several labels, (n, l)."""
        proba = self._outputs(X)
        if self._label_kind != "binary":
            return proba
        return np.hstack([1.0 - proba, proba]) if len(self.classes_) == 2 else np.ones_like(proba)

    def predict_log_proba(self, X: Any) -> Array:  # noqa: N803
        """The logarithms of `predict_proba`."""
        with np.errstate(divide="ignore"):
            return np.log(self.predict_proba(X))

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        return tags


BETWEEN_CLASSES = (
    CategoricalCrossentropy,
    CategoricalFocalCrossentropy,
    CategoricalGeneralizedCrossEntropy,
    CategoricalHinge,
    KLDivergence,
    SparseCategoricalCrossentropy,
)


def label_loss(given: Any, kind: str, metrics: Any = None) -> tuple[Any, bool]:
    """A loss of labels, and whether it wants those of several classes one-hot, as most `metrics` do."""
    if given is None or (isinstance(given, str) and given == "log_loss"):
        if kind != "multiclass":
            return binary_log_loss, False
        names = {_name_of(each) for each in flatten(metrics)}
        one_hot = not names.isdisjoint(OF_ONE_HOT) and not any("sparse" in each for each in names)
        return categorical_crossentropy if one_hot else sparse_categorical_crossentropy, one_hot
    found = as_loss(given)
    if kind == "multiclass":
        return found, not isinstance(found, SparseCategoricalCrossentropy)
    return OfPairs(found) if isinstance(found, BETWEEN_CLASSES) else found, False


OF_ONE_HOT = frozenset(  # metrics of one-hot labels
    (
        *("auc", "binary_accuracy", "categorical_accuracy", "categorical_crossentropy", "f1_score", "fbeta_score"),
        *("false_negatives", "false_positives", "kl_divergence", "precision", "precision_at_recall", "recall"),
        *("recall_at_precision", "sensitivity_at_specificity", "specificity_at_sensitivity"),
        *("top_k_categorical_accuracy", "true_negatives", "true_positives"),
    )
)


def _name_of(metric: Any) -> str:
    """The name of a metric of minitrain's, by which it may be given; that of its class or function, for any other."""
    found = metric if isinstance(metric, str) else getattr(metric, "__name__", type(metric).__name__)
    return {"f_beta_score": "fbeta_score"}.get(name := snake_case(found), name)


def _is_factor(value: Any) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool) and 0 <= value < np.inf


def scaling_for(loss: Any) -> str:
    """What may be done to the targets of a loss of numbers: "centre" and divide, "divide" alone, or "none".

    Counts must stay positive, relative errors are those of the targets' own zero, logarithms those of their own unit.
    """
    if isinstance(loss, MeanSquaredLogarithmicError):
        return "none"
    return "divide" if is_of_counts(loss) or isinstance(loss, MeanAbsolutePercentageError) else "centre"


def is_of_counts(loss: Any) -> bool:
    """Whether a loss compares counts with the positive rates behind them."""
    return loss is half_poisson_deviance or isinstance(loss, Poisson)


def need_counts(loss: Any, y: Array) -> None:
    """Raise ValueError for negative targets of a loss of counts."""
    if is_of_counts(loss) and (y < 0).any():
        raise ValueError(f"Some value(s) of y are negative, and the loss is poisson: the smallest is {y.min()}.")


def number_loss(given: Any) -> Any:
    """A loss of numbers by scikit-learn's names, or by minitrain's."""
    known = {"squared_error": half_squared_error, "poisson": half_poisson_deviance}
    return known[given] if isinstance(given, str) and given in known else as_loss(given)


def warn_unless(condition: bool, message: str, category: Any = UserWarning) -> None:
    """Warn the caller of the estimator's method."""
    if not condition:
        warnings.warn(message, category, stacklevel=4)
