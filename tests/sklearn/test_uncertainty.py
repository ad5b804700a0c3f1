"""Quantiles, Gaussian deviations and conformal intervals: what is promised holds on data whose truth is known."""

import subprocess
import sys

import numpy as np
import pytest
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from minitrain.sklearn import ConformalRegressor, GaussianRegressor, MLPClassifier, MLPRegressor, QuantileRegressor

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
RNG = np.random.RandomState(0)
X = RNG.rand(2000, 1)
NOISE = 1.0 + 3.0 * X[:, 0]  # the deviation
Y = 50 + 20 * X[:, 0] + NOISE * RNG.randn(2000)
FAST = {"hidden_layer_sizes": (20,), "max_iter": 60, "learning_rate_init": 0.01, "random_state": 0}


def test_quantiles_never_cross_and_cover_their_share():
    net = QuantileRegressor((0.1, 0.25, 0.5, 0.75, 0.9), **FAST).fit(X, Y)
    found = net.predict_quantiles(X)
    assert (np.diff(found, axis=1) >= 0).all()
    np.testing.assert_allclose((Y[:, None] <= found).mean(0), [0.1, 0.25, 0.5, 0.75, 0.9], atol=0.04)
    np.testing.assert_array_equal(net.predict(X), found[:, 2])
    far = net.predict_quantiles(np.array([[-1e6], [1e6], [0.5]]))
    assert (np.diff(far, axis=1) >= 0).all()


def test_one_quantile_is_enough():
    net = QuantileRegressor(0.8, **FAST).fit(X, Y)
    assert (net.predict(X) >= Y).mean() == pytest.approx(0.8, abs=0.04)
    with pytest.raises(ValueError, match="`quantiles` must rise"):
        QuantileRegressor((0.9, 0.1)).fit(X, Y)


def test_deviations_follow_the_noise():
    mean, deviation = GaussianRegressor(**FAST).fit(X, Y).predict(X, return_std=True)
    np.testing.assert_allclose(np.mean((Y - mean) ** 2 / deviation**2), 1.0, atol=0.1)
    assert np.corrcoef(deviation, NOISE)[0, 1] > 0.9
    several = GaussianRegressor(**FAST).fit(X, np.c_[Y, -Y]).predict(X, return_std=True)
    assert several[0].shape == several[1].shape == (2000, 2)


def test_early_stopping_looks_at_the_loss():
    net = GaussianRegressor(**FAST, early_stopping=True).fit(X, Y)
    assert len(net.validation_scores_) == net.n_iter_
    assert max(net.validation_scores_) == net.best_validation_score_ < 0


@pytest.mark.parametrize("coverage", [0.5, 0.9])
@pytest.mark.parametrize(
    "inner",
    [LinearRegression(), MLPRegressor(**FAST), QuantileRegressor((0.1, 0.9), **FAST), GaussianRegressor(**FAST)],
)
def test_conformal_intervals_cover_what_they_promise(inner, coverage):
    net = ConformalRegressor(inner, coverage=coverage, calibration_fraction=0.5, random_state=0).fit(X[:1200], Y[:1200])
    low, high = net.predict_interval(X[1200:]).T
    assert ((low <= Y[1200:]) & (Y[1200:] <= high)).mean() == pytest.approx(coverage, abs=0.05)
    assert (low <= high).all()


def test_the_promise_holds_in_the_mean_over_fits():
    covered = []
    for seed in range(200):
        rng = np.random.RandomState(seed)
        x, y = rng.randn(60, 1), rng.standard_t(2, 60)
        low, high = (
            ConformalRegressor(LinearRegression(), coverage=0.8, random_state=seed)
            .fit(x[:40], y[:40])
            .predict_interval(x[40:])
            .T
        )
        covered.append(((low <= y[40:]) & (y[40:] <= high)).mean())
    assert 0.8 - 0.03 < np.mean(covered) < 0.8 + 1 / 11 + 0.03


def test_too_few_rows_for_a_coverage_are_told():
    net = ConformalRegressor(LinearRegression(), random_state=0).fit(X[:40], Y[:40])
    with pytest.raises(ValueError, match="needs more than 10 rows of calibration"):
        net.predict_interval(X, coverage=0.99)


def test_the_widths_of_a_pipeline_are_those_of_its_last_step():
    x = np.random.default_rng(0).normal(size=(200, 2))
    y = x[:, 0] * np.random.default_rng(1).normal(size=200)
    inner = GaussianRegressor(max_iter=20, random_state=0)
    net = ConformalRegressor(make_pipeline(StandardScaler(), inner), random_state=0).fit(x, y)
    widths = np.diff(net.predict_interval(x), axis=1)
    assert widths.std() > 0.01
    for wrong in ("x", MLPClassifier()):
        with pytest.raises(ValueError, match="regressor"):
            ConformalRegressor(wrong).fit(x, y)


def test_the_network_inside_loads_where_the_estimators_are_not_imported(tmp_path):
    x = np.random.default_rng(0).normal(size=(40, 2))
    path = tmp_path / "model.minitrain"
    QuantileRegressor(hidden_layer_sizes=(3,), tol=1e9).fit(x, x[:, 0]).model_.save(path)
    code = f"from minitrain.models import load_model; print(load_model({str(path)!r}).name)"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "network"
