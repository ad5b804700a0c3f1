"""Ensembles and cross-validations fit what separate fits would have, in one program where the networks are alike."""

import warnings

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.linear_model import Ridge
from sklearn.model_selection import GroupKFold, KFold, cross_val_score, cross_validate
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from minitrain.sklearn import (
    EnsembleClassifier,
    EnsembleRegressor,
    GaussianRegressor,
    MLPClassifier,
    MLPRegressor,
    cross_val_fit,
)

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
RNG = np.random.default_rng(0)
X = RNG.normal(size=(130, 4))
Y = X[:, 0] ** 2 + X[:, 1] + 0.1 * RNG.normal(size=130)
LABELS = np.array(["a", "b", "c"])[np.digitize(X[:, 0] + X[:, 1], [-0.5, 0.5])]
SMALL = {"hidden_layer_sizes": (12,), "max_iter": 15, "random_state": 3, "batch_size": 16}


@pytest.mark.parametrize(
    ("net", "y"),
    [
        (MLPRegressor(**SMALL), Y),
        (MLPRegressor(**SMALL, dropout=0.2, alpha=0.1), np.stack([Y, -Y], 1)),
        (MLPRegressor(**SMALL, early_stopping=True, n_iter_no_change=2, tol=0.05), Y),
        (MLPRegressor(**{**SMALL, "batch_size": 200}, solver="sgd", learning_rate="adaptive"), Y),
        (GaussianRegressor(**SMALL), Y),
        (MLPClassifier(**SMALL, normalization="batch", weight_decay=0.01, solver="sgd"), LABELS),
        (MLPClassifier(**SMALL, class_weight="balanced"), LABELS == "a"),
        (MLPClassifier(**SMALL), np.stack([LABELS == "a", LABELS == "b"], 1).astype(int)),
    ],
)
@pytest.mark.filterwarnings("ignore:Got `batch_size` larger")
def test_a_cross_validation_equals_separate_fits(net, y, steps):
    cv = KFold(4, shuffle=True, random_state=0)  # 130 rows: the folds are unequal
    weight = RNG.uniform(0.5, 2.0, size=130)
    for given in (None, weight):
        found = cross_val_fit(net, X, y, cv=cv, sample_weight=given)
        for (train, test), mine, score in zip(cv.split(X), found["estimator"], found["test_score"], strict=True):
            told = {} if given is None else {"sample_weight": given[train]}
            alone = clone(net).fit(X[train], y[train], **told)
            assert mine.n_iter_ == alone.n_iter_
            np.testing.assert_allclose(mine.loss_curve_, alone.loss_curve_, rtol=1e-8)
            for one, other in zip(mine.coefs_, alone.coefs_, strict=True):
                np.testing.assert_allclose(one, other, rtol=1e-6, atol=1e-9)
            told = {} if given is None else {"sample_weight": given[test]}
            assert score == pytest.approx(alone.score(X[test], y[test], **told), abs=1e-6)
    takes_all_rows = net.batch_size == 200  # batches of unequal folds are unequal then
    assert takes_all_rows or steps[0] > 10


def test_scores_are_those_of_scikit_learn_with_groups_scoring_and_tables():
    table = pd.DataFrame(X, columns=list("abcd")).assign(kind=LABELS)
    net = MLPRegressor(**SMALL)
    groups = np.arange(130) % 7
    found = cross_val_fit(net, table, Y, cv=GroupKFold(3), groups=groups, scoring="neg_mean_absolute_error")
    expected = cross_validate(net, table, Y, cv=GroupKFold(3), groups=groups, scoring="neg_mean_absolute_error")
    np.testing.assert_allclose(found["test_score"], expected["test_score"], rtol=1e-6)


def test_other_estimators_are_fitted_one_after_the_other():
    np.testing.assert_allclose(cross_val_fit(Ridge(), X, Y)["test_score"], cross_val_score(Ridge(), X, Y))
    lbfgs = MLPRegressor(hidden_layer_sizes=(5,), solver="lbfgs", max_iter=20, random_state=0)
    np.testing.assert_allclose(cross_val_fit(lbfgs, X, Y, cv=3)["test_score"], cross_val_score(lbfgs, X, Y, cv=3))


def test_an_ensemble_is_the_mean_of_its_networks(steps):
    net = EnsembleRegressor(MLPRegressor(**SMALL), 4, random_state=0).fit(X, Y)
    assert steps[0] > 10
    alone = [clone(each).fit(X, Y) for each in net.estimators_]
    mean, deviation = net.predict(X, return_std=True)
    np.testing.assert_allclose(mean, np.mean([each.predict(X) for each in alone], 0), rtol=1e-6)
    np.testing.assert_allclose(deviation, np.std([each.predict(X) for each in alone], 0), rtol=1e-4, atol=1e-7)
    assert len({each.random_state for each in net.estimators_}) == 4


@pytest.mark.parametrize("y", [LABELS, LABELS == "a", np.stack([LABELS == "a", LABELS == "b"], 1).astype(int)])
def test_an_ensemble_of_classifiers_gives_mean_probabilities(y, steps):
    net = EnsembleClassifier(MLPClassifier(**SMALL), 3, random_state=0).fit(X, y)
    assert steps[0] > 10
    np.testing.assert_allclose(net.predict_proba(X), np.mean([e.predict_proba(X) for e in net.estimators_], 0))
    assert net.score(X, y) > 0.5
    assert net.predict(X).dtype == np.asarray(y).dtype


def test_a_bootstrap_draws_rows_and_may_miss_a_class():
    rare = np.where(np.arange(130) == 7, "rare", LABELS)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        net = EnsembleClassifier(MLPClassifier(**SMALL), 6, bootstrap=True, random_state=0).fit(X, rare)
    assert {len(each.classes_) for each in net.estimators_} == {3, 4}
    assert net.predict_proba(X).shape == (130, 4)
    np.testing.assert_allclose(net.predict_proba(X).sum(1), 1.0, rtol=1e-6)


@pytest.mark.parametrize("count", [0, 1.5, True])
def test_a_number_of_models_that_is_none(count):
    with pytest.raises(ValueError, match="`n_models`"):
        EnsembleRegressor(n_models=count).fit(X, Y)


def test_pipelines_of_an_ensemble_differ_in_their_seeds():
    net = MLPRegressor(hidden_layer_sizes=(4,), max_iter=2, random_state=0)
    found = EnsembleRegressor(make_pipeline(StandardScaler(), net), 3, random_state=0).fit(X, X[:, 0])
    assert len({each[-1].random_state for each in found.estimators_}) == 3
    assert found.predict(X, return_std=True)[1].min() > 0


def test_an_ensemble_of_what_gives_no_probabilities():
    with pytest.raises(ValueError, match="`predict_proba`"):
        EnsembleClassifier(Ridge()).fit(X, LABELS)


def test_an_ensemble_of_pipelines_gives_several_labels():
    x = np.random.default_rng(0).normal(size=(60, 3))
    y = (x > 0).astype(int)
    net = EnsembleClassifier(make_pipeline(StandardScaler(), MLPClassifier(max_iter=3)), 2, random_state=0).fit(x, y)
    assert net.predict(x).shape == y.shape
    assert 0 <= net.score(x, y) <= 1


def test_what_a_cross_validation_cannot_score_is_named():
    x, y = np.ones((20, 1)), np.arange(20.0)
    for wrong in ({"y": None}, {"y": y, "sample_weight": np.ones(3)}, {"y": y, "scoring": ["r2", "max_error"]}):
        with pytest.raises(ValueError, match=next(reversed(wrong))):
            cross_val_fit(MLPRegressor(), x, **wrong)
