"""In scikit-learn's company: what its tools ask of an estimator, ours answer."""

import warnings

import numpy as np
import pandas as pd
import pytest
from sklearn import config_context, set_config
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer, TransformedTargetRegressor
from sklearn.ensemble import BaggingRegressor, StackingClassifier, VotingRegressor
from sklearn.experimental import enable_halving_search_cv  # noqa: F401  # makes the next import possible
from sklearn.inspection import partial_dependence, permutation_importance
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.model_selection import HalvingGridSearchCV, cross_val_predict, cross_val_score, learning_curve
from sklearn.multiclass import OneVsRestClassifier
from sklearn.multioutput import MultiOutputRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.semi_supervised import SelfTrainingClassifier
from sklearn.utils import estimator_html_repr
from sklearn.utils.estimator_checks import check_dataframe_column_names_consistency

from minitrain.sklearn import Classifier, MLPClassifier, MLPRegressor, Transformer

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
RNG = np.random.RandomState(0)
X = RNG.randn(200, 4)
Y = X @ np.array([1.0, -2.0, 0.5, 0.0]) + np.sin(X[:, 0])
LABELS = np.array(["a", "b", "c"])[np.digitize(Y, [-1.0, 1.0])]
FAST = {"hidden_layer_sizes": (20,), "max_iter": 40, "learning_rate_init": 0.03, "random_state": 0}
DONE = {"max_iter": 500, "tol": 1e9, "n_iter_no_change": 1}  # stops by its rules, without a warning
TABLE = pd.DataFrame(X, columns=list("stuv")).assign(kind=np.where(RNG.rand(200) > 0.5, "x", "y"))


def test_pipelines_and_column_transformers():
    columns = ColumnTransformer([("n", StandardScaler(), list("stuv")), ("k", OneHotEncoder(), ["kind"])])
    assert make_pipeline(columns, MLPRegressor(**FAST)).fit(TABLE, Y).score(TABLE, Y) > 0.9


@pytest.mark.parametrize("table", [X, TABLE], ids=["matrix", "table"])
def test_cross_validation_and_learning_curves(table):
    assert cross_val_score(MLPClassifier(**FAST), table, LABELS, cv=3).mean() > 0.8
    *_, test = learning_curve(MLPRegressor(**FAST), table, Y, cv=2, train_sizes=[0.2, 1.0])
    assert test[1].mean() > test[0].mean()
    assert cross_val_predict(MLPClassifier(**FAST), table, LABELS, cv=3, method="predict_proba").shape == (200, 3)


def test_halving_searches_in_two_processes():
    search = HalvingGridSearchCV(MLPRegressor(**FAST), {"alpha": [1e-4, 1.0, 1e3]}, cv=2, n_jobs=2, random_state=0)
    assert search.fit(X, Y).best_params_["alpha"] < 1e3


def test_ensembles():
    voting = VotingRegressor([("net", MLPRegressor(**FAST)), ("line", LinearRegression())]).fit(X, Y)
    assert voting.score(X, Y) > 0.9
    stack = StackingClassifier([("net", MLPClassifier(**FAST)), ("line", LogisticRegression())], cv=3).fit(X, LABELS)
    assert stack.score(X, LABELS) > 0.85
    assert BaggingRegressor(MLPRegressor(**FAST), n_estimators=3, random_state=0).fit(X, Y).score(X, Y) > 0.9
    assert OneVsRestClassifier(MLPClassifier(**FAST)).fit(X, LABELS).score(X, LABELS) > 0.85
    assert MultiOutputRegressor(MLPRegressor(**FAST)).fit(X, np.c_[Y, -Y]).predict(X).shape == (200, 2)


@pytest.mark.parametrize(
    "net",
    [MLPClassifier(**FAST), Classifier(max_iter=40, optimizer__learning_rate=0.03, random_state=0)],
    ids=["MLPClassifier", "Classifier"],
)
@pytest.mark.parametrize("method", ["sigmoid", "isotonic"])
def test_calibration(net, method):
    calibrated = CalibratedClassifierCV(net, method=method, cv=3).fit(X, LABELS)
    np.testing.assert_allclose(calibrated.predict_proba(X).sum(1), 1.0)
    assert calibrated.score(X, LABELS) > 0.8


def test_transformed_targets():
    net = TransformedTargetRegressor(MLPRegressor(**FAST), func=np.log, inverse_func=np.exp)
    assert net.fit(X, np.exp(Y / 4)).score(X, np.exp(Y / 4)) > 0.9


def test_self_training():
    known = np.where(RNG.rand(200) < 0.4, np.digitize(Y, [0.0]), -1)
    net = SelfTrainingClassifier(MLPClassifier(**FAST)).fit(X, known)
    assert net.score(X, np.digitize(Y, [0.0])) > 0.8


def test_inspection():
    net = MLPRegressor(**FAST).fit(TABLE, Y)
    found = permutation_importance(net, TABLE, Y, n_repeats=3, random_state=0).importances_mean
    assert found.argmax() == 1
    curve = partial_dependence(net, TABLE, ["t"], grid_resolution=5)["average"][0]
    assert (np.diff(curve) < 0).all()


def test_weights_are_routed_where_they_are_asked_for():
    weight = RNG.rand(200)
    set_config(enable_metadata_routing=True)
    try:
        net = MLPRegressor(**FAST).set_fit_request(sample_weight=True)
        routed = make_pipeline(StandardScaler().set_fit_request(sample_weight=False), net)
        routed.fit(X, Y, sample_weight=weight)
        plain = clone(net).fit(StandardScaler().fit_transform(X), Y, sample_weight=weight)
        np.testing.assert_array_equal(routed[-1].coefs_[0], plain.coefs_[0])
    finally:
        set_config(enable_metadata_routing=False)


@pytest.mark.parametrize("net", [MLPRegressor(**DONE), MLPClassifier(**DONE), Transformer(max_iter=1)])
def test_names_of_columns_are_kept_and_compared(net):
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        check_dataframe_column_names_consistency(type(net).__name__, net)


def test_what_notebooks_show_and_what_transformers_give():
    assert "MLPRegressor" in estimator_html_repr(MLPRegressor(**FAST).fit(X, Y))
    coder = Transformer(max_iter=2, encoding="auto").set_output(transform="pandas")
    out = coder.fit_transform(TABLE)
    assert out.columns.tolist() == ["transformer0", "transformer1"]
    assert len(out) == 200


@pytest.mark.parametrize("kind", ["pandas", "polars"])
@pytest.mark.parametrize("encoding", ["auto", StandardScaler()], ids=["auto", "scaler"])
def test_what_transformers_give_by_setting_changes_no_prediction(kind, encoding):
    net = MLPRegressor(**FAST | {"max_iter": 3}, encoding=encoding)
    plain = net.fit(TABLE[["s", "t"]], Y).predict(TABLE[["s", "t"]])
    with config_context(transform_output=kind):
        np.testing.assert_array_equal(net.fit(TABLE[["s", "t"]], Y).predict(TABLE[["s", "t"]]), plain)
