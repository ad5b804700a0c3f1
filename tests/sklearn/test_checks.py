"""Every estimator passes scikit-learn's own checks: none skipped, none expected to fail."""

import pytest
from sklearn.utils.estimator_checks import parametrize_with_checks

from minitrain.sklearn import (
    Classifier,
    ConformalRegressor,
    EnsembleClassifier,
    EnsembleRegressor,
    GaussianRegressor,
    MLPClassifier,
    MLPRegressor,
    QuantileRegressor,
    Regressor,
    TableEncoder,
    Transformer,
)

pytestmark = pytest.mark.filterwarnings(
    "ignore::sklearn.exceptions.ConvergenceWarning",
    "ignore::sklearn.exceptions.SkipTestWarning",
    "ignore::sklearn.exceptions.DataConversionWarning",
)
SMALL = {"hidden_layer_sizes": (10,), "learning_rate_init": 0.03, "max_iter": 30}
WRAPPED = {"model__units": (10,), "optimizer__learning_rate": 0.03, "max_iter": 30}

ESTIMATORS = [
    MLPRegressor(**SMALL),
    MLPClassifier(**SMALL),
    MLPRegressor(hidden_layer_sizes=(10,), solver="lbfgs", max_iter=30, encoding=None, target_scaling=False),
    MLPClassifier(hidden_layer_sizes=(10,), solver="lbfgs", max_iter=30, encoding=None),
    Regressor(**WRAPPED),
    Classifier(**WRAPPED),
    Transformer(max_iter=5, encoding="auto"),
    QuantileRegressor(**SMALL),
    GaussianRegressor(**SMALL),
    ConformalRegressor(MLPRegressor(**SMALL)),
    EnsembleRegressor(MLPRegressor(**SMALL), 3),
    EnsembleClassifier(MLPClassifier(**SMALL), 3),
    TableEncoder(),
]


@parametrize_with_checks(ESTIMATORS)
def test_the_check_passes(estimator, check):
    check(estimator)
