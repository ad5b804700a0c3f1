"""Several networks at once: ensembles, and the fits of a cross-validation, in one program where they are alike.

Each network ends as a fit of its own would have left it, to rounding: what is shared is the time. Estimators that are
no perceptrons of minitrain's, or that are minimised by lbfgs, are fitted one after the other.
"""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Integral
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, MetaEstimatorMixin, RegressorMixin, clone, is_classifier
from sklearn.metrics import check_scoring
from sklearn.model_selection import check_cv
from sklearn.utils import _safe_indexing, check_random_state, get_tags, indexable
from sklearn.utils.multiclass import type_of_target
from sklearn.utils.validation import _check_sample_weight, _num_samples, check_is_fitted

from minitrain.errors import InvalidArgumentError
from minitrain.models import vectorize
from minitrain.sklearn.base import SEEDS, own_stream
from minitrain.sklearn.encoding import is_sparse
from minitrain.sklearn.mlp import Descent, MLPClassifier, MLPRegressor, MultilayerPerceptron, interruptible

Array = Any
Data = tuple[Any, Any, Any]  # X, y and sample_weight


def fit_together(estimators: Sequence[Any], data: Sequence[Data]) -> None:
    """Fit each estimator on its own data, networks that are alike in one program."""
    descents: dict[Any, list[Descent]] = {}
    for net, (x, y, weight) in zip(estimators, data, strict=True):
        if not isinstance(net, MultilayerPerceptron):
            net.fit(x, y, **({} if weight is None else {"sample_weight": weight}))
            continue
        descent = net._ready(x, y, weight)
        if descent is not None:
            descents.setdefault(_kind(descent), []).append(descent)
    for alike in descents.values():
        if len(alike) == 1 or is_sparse(alike[0].x):
            for each in alike:
                each.run()
        else:
            _run_together(alike)
        for each in alike:
            each.finish()
    for net in estimators:
        if isinstance(net, MultilayerPerceptron):
            net._need_finite_weights()


def _kind(descent: Descent) -> Any:
    """What networks have in common that can train in one program."""
    shapes = tuple([each.shape for each in descent.estimator.model_.get_weights()])
    is_whole = descent.batch_size == len(descent.y)  # batches of all rows: the largest is the size for all
    size = None if is_whole else descent.batch_size
    return shapes, descent.x.dtype, descent.y.shape[1:], size, descent.epochs, descent.shuffle, descent.weight is None


def _run_together(descents: Sequence[Descent]) -> None:
    """Train several networks at once, each on its own rows of what they see together."""
    first = descents[0]
    stops = np.cumsum([len(each.y) for each in descents])
    with own_stream(first.seed), interruptible():
        vectorize([each.estimator.model_ for each in descents]).fit(
            np.concatenate([each.x for each in descents]),
            np.concatenate([each.y for each in descents]),
            batch_size=max(each.batch_size for each in descents),
            epochs=first.epochs,
            callbacks=lambda place: descents[place].callbacks,
            shuffle=first.shuffle,
            sample_weight=None if first.weight is None else np.concatenate([each.weight for each in descents]),
            rows=[np.arange(stop - len(each.y), stop) for stop, each in zip(stops, descents, strict=True)],
            seeds=[each.seed for each in descents],
        )


def cross_val_fit(
    estimator: Any,
    X: Any,  # noqa: N803
    y: Any,
    *,
    cv: Any = None,
    sample_weight: Any = None,
    groups: Any = None,
    scoring: Any = None,
) -> dict[str, Any]:
    """Fit a clone of an estimator on each split of a cross-validation, and score it on the rows that were left out.

    `cv`, `groups`, `scoring`: as in `sklearn.model_selection.cross_validate`. Gives "estimator", the fitted ones,
    "test_score", (splits,), and "indices", the rows of each split as "train" and "test". The estimators are those of
    separate fits, to rounding, in half of their time or less where networks are small.

    >>> X = np.linspace(-2, 2, 90)[:, None]
    >>> found = cross_val_fit(MLPRegressor(tol=0.1, random_state=0), X, X[:, 0] ** 2, cv=3)
    >>> len(found["estimator"]), found["test_score"].shape
    (3, (3,))
    """
    if y is None:
        raise ValueError("cross_val_fit requires y to be passed, but the target y is None.")
    if not (scoring is None or isinstance(scoring, str) or callable(scoring)):
        raise InvalidArgumentError(f"`scoring` must be a name, a function or None, received {scoring!r}: give one.")
    X, y, groups = indexable(X, y, groups)  # noqa: N806
    splits = list(check_cv(cv, y, classifier=is_classifier(estimator)).split(X, y, groups))
    weights = None
    if sample_weight is not None:
        rows = np.empty((_num_samples(X), 0))
        weights = _check_sample_weight(sample_weight, rows, dtype=np.float64, ensure_non_negative=True)
    made = [clone(estimator) for _ in splits]
    parts = [_part(X, y, weights, train) for train, _ in splits]
    fit_together(made, parts)
    scorer = check_scoring(estimator, scoring)
    scores = []
    for net, (_, test) in zip(made, splits, strict=True):
        x_test, y_test, weight = _part(X, y, weights, test)
        scores.append(scorer(net, x_test, y_test, **({} if weight is None else {"sample_weight": weight})))
    indices = {"train": [train for train, _ in splits], "test": [test for _, test in splits]}
    return {"estimator": made, "test_score": np.array(scores), "indices": indices}


def _part(x: Any, y: Any, weight: Any, at: Any) -> Data:
    return _safe_indexing(x, at), _safe_indexing(y, at), None if weight is None else weight[at]


class Ensemble(MetaEstimatorMixin, BaseEstimator):
    """What both ensembles share: networks that differ in their seeds, and with `bootstrap` in their rows."""

    _method = "predict"  # whose mean is taken

    def __init__(
        self, estimator: Any = None, n_models: int = 10, *, bootstrap: bool = False, random_state: Any = None
    ) -> None:
        self.estimator = estimator
        self.n_models = n_models
        self.bootstrap = bootstrap
        self.random_state = random_state

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Any:  # noqa: N803
        """Fit the networks on a table X (n, columns) and targets y; `sample_weight`: (n,)."""
        if not isinstance(self.n_models, Integral) or isinstance(self.n_models, bool) or self.n_models < 1:
            raise InvalidArgumentError(f"`n_models` must be a positive integer, received {self.n_models!r}.")
        if not hasattr(self._base(), self._method):
            raise InvalidArgumentError(f"`estimator` must have `{self._method}`, which {self._base()!r} has not.")
        if y is None:
            raise ValueError(f"This {type(self).__name__} estimator requires y to be passed, but the target y is None.")
        rng = check_random_state(self.random_state)
        made = [clone(self._base()) for _ in range(self.n_models)]
        for each in made:
            names = [name for name in sorted(each.get_params()) if name.split("__")[-1] == "random_state"]
            each.set_params(**{name: int(rng.randint(SEEDS)) for name in names})  # of a pipeline's steps too
        data = [(X, y, sample_weight)] * self.n_models
        if self.bootstrap:
            X, y = indexable(X, y)  # noqa: N806
            rows = _num_samples(X)
            weight = None
            if sample_weight is not None:
                weight = _check_sample_weight(sample_weight, np.empty((rows, 0)), ensure_non_negative=True)
            data = [_part(X, y, weight, rng.randint(rows, size=rows)) for _ in made]
        fit_together(made, data)
        self.estimators_ = made
        return self

    def _base(self) -> Any:
        """The estimator, or that by default."""
        raise NotImplementedError

    @property
    def n_features_in_(self) -> int:
        """The number of columns of the table."""
        check_is_fitted(self)
        return self.estimators_[0].n_features_in_  # type: ignore[no-any-return]

    @property
    def feature_names_in_(self) -> Array:
        """The names of the columns, where the table has names."""
        if "estimators_" not in vars(self):
            raise AttributeError("feature_names_in_")
        return self.estimators_[0].feature_names_in_

    def __sklearn_is_fitted__(self) -> bool:
        return "estimators_" in vars(self)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        own = get_tags(self._base())
        tags.input_tags, tags.target_tags = own.input_tags, own.target_tags
        tags.classifier_tags, tags.regressor_tags = own.classifier_tags, own.regressor_tags
        return tags


class EnsembleRegressor(RegressorMixin, Ensemble):
    """The mean of several networks for numbers, which train in one program.

    `estimator`: an `MLPRegressor` by default. `n_models`: how many. `bootstrap`: whether each sees rows drawn anew,
    with replacement, rather than all of them in an order of its own. Source: Lakshminarayanan et al. (2017); with
    `bootstrap`, Breiman (1996).
    """

    def _base(self) -> Any:
        return MLPRegressor() if self.estimator is None else self.estimator

    def predict(self, X: Any, return_std: bool = False) -> Any:  # noqa: N803
        """The mean of the networks' predictions, (n,) or (n, t), and with `return_std` their standard deviation."""
        check_is_fitted(self)
        found = np.stack([each.predict(X) for each in self.estimators_])
        mean = found.mean(0)
        return (mean, found.std(0)) if return_std else mean


class EnsembleClassifier(ClassifierMixin, Ensemble):
    """The mean of the probabilities of several networks for labels, which train in one program.

    The parameters are those of `EnsembleRegressor`; `estimator` is an `MLPClassifier` by default.
    """

    _method = "predict_proba"

    def _base(self) -> Any:
        return MLPClassifier() if self.estimator is None else self.estimator

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Any:  # noqa: N803
        """Fit the networks on a table X (n, columns) and labels y; `sample_weight`: (n,)."""
        super().fit(X, y, sample_weight)
        self._is_multilabel = type_of_target(y) == "multilabel-indicator"
        return self

    @property
    def classes_(self) -> Array:
        """The labels, of all networks: one may have seen no row of a class."""
        if "estimators_" not in vars(self):
            raise AttributeError("classes_")
        return np.unique(np.concatenate([each.classes_ for each in self.estimators_]))

    def predict_proba(self, X: Any) -> Array:  # noqa: N803
        """The mean probability of each class, in the order of `classes_`: (n, k), or of each of several labels."""
        check_is_fitted(self)
        classes = self.classes_
        total: Any = 0.0
        for each in self.estimators_:
            proba = each.predict_proba(X)
            if len(each.classes_) < len(classes):
                whole = np.zeros((len(proba), len(classes)), proba.dtype)
                whole[:, np.searchsorted(classes, each.classes_)] = proba
                proba = whole
            total = total + proba
        return total / len(self.estimators_)

    def predict_log_proba(self, X: Any) -> Array:  # noqa: N803
        """The logarithms of `predict_proba`."""
        with np.errstate(divide="ignore"):
            return np.log(self.predict_proba(X))

    def predict(self, X: Any) -> Array:  # noqa: N803
        """The labels with the highest mean probability: (n,), or 0 and 1 (n, l) for several labels."""
        proba = self.predict_proba(X)
        if self._is_multilabel:
            return (proba > 0.5).astype(np.int64)
        return self.classes_[proba.argmax(1)]
