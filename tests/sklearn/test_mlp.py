"""MLPRegressor and MLPClassifier: scikit-learn's numbers where nothing new is asked for, and what is new."""

import pickle
import subprocess
import sys
import warnings
from concurrent.futures import ThreadPoolExecutor

import joblib
import numpy as np
import pandas as pd
import pytest
import sklearn.neural_network
from scipy import sparse
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer, load_diabetes, load_iris, make_multilabel_classification
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.class_weight import compute_class_weight

import minitrain as mt
from minitrain.sklearn import Classifier, MLPClassifier, MLPRegressor, Regressor, TableEncoder

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
RNG = np.random.RandomState(0)
X = RNG.randn(120, 4)
Y = X @ np.array([1.0, -2.0, 0.5, 0.0]) + np.sin(X[:, 0])
LABELS = np.digitize(Y, [-1.0, 1.0])
PLAIN = {"hidden_layer_sizes": (12, 6), "max_iter": 40, "random_state": 3, "shuffle": False, "batch_size": 32}
SOLVERS = [
    {"solver": "adam"},
    {"solver": "sgd", "learning_rate_init": 0.05},
    {"solver": "sgd", "learning_rate": "invscaling", "learning_rate_init": 0.05, "nesterovs_momentum": False},
    {"solver": "sgd", "learning_rate": "adaptive", "learning_rate_init": 0.2, "tol": 0.02, "n_iter_no_change": 1},
    {"solver": "lbfgs"},
    {"solver": "adam", "activation": "logistic", "alpha": 1.0},
    {"solver": "sgd", "early_stopping": True, "validation_fraction": 0.2, "n_iter_no_change": 3},
]
SAID = [" ".join(map(str, each.values())) for each in SOLVERS]


@pytest.mark.parametrize("options", SOLVERS, ids=SAID)
def test_regressor_trains_as_scikit_learns(options):
    options = PLAIN | options
    ours = MLPRegressor(encoding=None, target_scaling=False, **options).fit(X, Y)
    theirs = sklearn.neural_network.MLPRegressor(**options).fit(X, Y)
    assert (ours.n_iter_, ours.t_, ours.n_layers_) == (theirs.n_iter_, theirs.t_, theirs.n_layers_)
    np.testing.assert_allclose(ours.predict(X), theirs.predict(X), rtol=1e-4, atol=1e-4)
    for name in ("loss_curve_", "validation_scores_"):
        if getattr(theirs, name, None) is not None:
            np.testing.assert_allclose(getattr(ours, name), getattr(theirs, name), rtol=1e-4, atol=1e-5)
    for mine, other in zip(ours.coefs_ + ours.intercepts_, theirs.coefs_ + theirs.intercepts_, strict=True):
        np.testing.assert_allclose(mine, other, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("options", SOLVERS, ids=SAID)
@pytest.mark.parametrize("classes", [2, 3])
def test_classifier_trains_as_scikit_learns(options, classes):
    y = 10 * np.minimum(LABELS, classes - 1)
    options = PLAIN | options
    ours = MLPClassifier(encoding=None, **options).fit(X, y)
    theirs = sklearn.neural_network.MLPClassifier(**options).fit(X, y)
    assert (ours.n_iter_, ours.out_activation_) == (theirs.n_iter_, theirs.out_activation_)
    np.testing.assert_allclose(ours.predict_proba(X), theirs.predict_proba(X), rtol=1e-3, atol=1e-4)
    np.testing.assert_array_equal(ours.predict(X), theirs.predict(X))


def test_multilabel_trains_as_scikit_learns():
    x, y = make_multilabel_classification(80, 6, n_classes=3, random_state=0)
    options = PLAIN | {"batch_size": 80}
    ours = MLPClassifier(encoding=None, **options).fit(x, y)
    theirs = sklearn.neural_network.MLPClassifier(**options).fit(x, y)
    np.testing.assert_allclose(ours.predict_proba(x), theirs.predict_proba(x), rtol=1e-3, atol=1e-4)
    assert ours.predict(x).shape == y.shape


def test_every_argument_of_scikit_learns_is_one_of_ours_with_the_same_default():
    for name, ours in (("MLPRegressor", MLPRegressor()), ("MLPClassifier", MLPClassifier())):
        theirs = getattr(sklearn.neural_network, name)().get_params()
        assert theirs.items() <= ours.get_params().items()


def test_integer_weights_are_repeated_rows_and_zero_weights_removed_ones():
    weight = RNG.randint(0, 3, len(X))
    x, _y = np.repeat(X, weight, axis=0), np.repeat(Y, weight)
    options = {"random_state": 0, "max_iter": 30, "batch_size": 10_000}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        for kind, target in ((MLPRegressor, Y), (MLPClassifier, LABELS)):
            weighted = kind(**options).fit(X, target, sample_weight=weight)
            repeated = kind(**options).fit(x, np.repeat(target, weight))
            removed = kind(**options).fit(X[weight > 0], target[weight > 0], sample_weight=weight[weight > 0])
            np.testing.assert_allclose(weighted.coefs_[0], repeated.coefs_[0], rtol=1e-9, atol=1e-11)
            np.testing.assert_array_equal(weighted.coefs_[0], removed.coefs_[0])


def test_balanced_class_weights_are_scikit_learns():
    y = np.array(["no"] * 90 + ["yes"] * 30)
    given = dict(zip(["no", "yes"], compute_class_weight("balanced", classes=np.unique(y), y=y), strict=True))
    one, other = (
        MLPClassifier(max_iter=5, random_state=0, class_weight=each).fit(X, y) for each in ("balanced", given)
    )
    np.testing.assert_allclose(one.predict_proba(X), other.predict_proba(X), rtol=1e-12)


def test_the_same_seed_gives_the_same_bits_whatever_was_drawn_before():
    first = MLPRegressor(max_iter=5, dropout=0.2, random_state=1).fit(X, Y).predict(X)
    mt.random.set_seed(77)
    before = mt.random.get_global_generator().state
    second = MLPRegressor(max_iter=5, dropout=0.2, random_state=1).fit(X, Y).predict(X)
    np.testing.assert_array_equal(first, second)
    assert mt.random.get_global_generator().state == before
    assert not np.array_equal(first, MLPRegressor(max_iter=5, random_state=2).fit(X, Y).predict(X))


def test_threads_that_fit_at_once_do_not_disturb_each_other():
    nets = [MLPRegressor(max_iter=10, batch_size=20, random_state=seed) for seed in range(6)]
    alone = [clone(net).fit(X, Y).predict(X) for net in nets]
    with ThreadPoolExecutor(3) as pool:
        together = list(pool.map(lambda net: net.fit(X, Y).predict(X), nets))
    np.testing.assert_array_equal(alone, together)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_dtype_of_the_input_is_that_of_training(dtype):
    net = MLPRegressor(max_iter=3, random_state=0).fit(X.astype(dtype), Y)
    assert {each.dtype for each in net.coefs_} == {np.dtype(dtype)} == {net.predict(X.astype(dtype)).dtype}


def test_predictions_are_in_the_targets_unit():
    net = MLPRegressor(max_iter=200, learning_rate_init=0.01, random_state=0).fit(X, 1e6 + 1e5 * Y)
    assert net.score(X, 1e6 + 1e5 * Y) > 0.95


@pytest.mark.parametrize("labels", [[False, True, False], [-7, 3, 100], ["x", "y", "z"], [1.0, 2.0, 5.0]])
def test_labels_of_any_type_come_back(labels):
    y = np.array(labels)[LABELS]
    net = MLPClassifier(max_iter=100, learning_rate_init=0.02, random_state=0).fit(X, y)
    assert net.predict(X).dtype == y.dtype
    assert net.score(X, y) > 0.9


@pytest.mark.parametrize("labels", [["a", None, "b"], ["a", 1, "b"]])
def test_labels_that_do_not_compare_are_told(labels):
    with pytest.raises(TypeError, match="`y` must hold labels of one type"):
        MLPClassifier().fit(X, np.array(labels, dtype=object)[LABELS])


def test_targets_that_are_missing_or_no_numbers_are_told():
    missing = (
        pd.Series([True, None] * 60, dtype="boolean"),
        pd.Series(["a", None] * 60, dtype="string"),
        np.ma.masked_array(Y.astype(int), np.arange(120) == 1),
    )
    for net in (MLPRegressor(), MLPClassifier()):
        for y in missing:
            with pytest.raises(ValueError, match="`y` is missing in row 1"):
                net.fit(X, y)
    with pytest.raises(ValueError, match=r"`y` holds numbers up to .*e\+300, whose squares are no floats"):
        MLPRegressor().fit(X, Y * 1e300)
    for y in (np.array(["a", "b"] * 60), pd.Series(["a", "b"] * 60)):
        with pytest.raises(TypeError, match=r"`y` must hold numbers .*Labels are for classifiers"):
            MLPRegressor().fit(X, y)


@pytest.mark.parametrize("labels", [["a", "b", "z"], ["a", "aa", "c"]])
def test_labels_of_a_validation_set_are_those_of_the_training_set(labels):
    y = np.array(["a", "b", "c"])[LABELS]
    for net in (MLPClassifier(max_iter=2), Classifier(max_iter=2)):
        with pytest.raises(ValueError, match="`y` has classes not in"):
            net.fit(X, y, validation_data=(X, np.array(labels)[LABELS]))


@pytest.mark.parametrize("wrong", ["balance", [1.0, 2.0, 1.0], {3: 1.0}])
def test_class_weights_are_balanced_or_a_dict_of_labels(wrong):
    with pytest.raises(ValueError, match="`class_weight`"):
        MLPClassifier(class_weight=wrong).fit(X, LABELS)


def test_weights_may_be_assigned():
    net, other = (MLPClassifier(max_iter=3, random_state=seed).fit(X, LABELS) for seed in (0, 1))
    net.coefs_, net.intercepts_ = other.coefs_, other.intercepts_
    np.testing.assert_array_equal(net.predict_proba(X), other.predict_proba(X))
    with pytest.raises(ValueError, match="shape"):
        net.coefs_ = [each.T for each in net.coefs_]


def test_a_penalty_means_what_it_does_behind_a_standard_scaler():
    x = np.c_[RNG.uniform(0.0, 1000.0, 400), RNG.uniform(-0.1, 0.1, 400)]
    y = np.hypot(x[:, 0] / 500.0 - 1.0, x[:, 1] * 10.0) > 0.7
    options = {"alpha": 5.0, "max_iter": 200, "random_state": 0}
    theirs = make_pipeline(StandardScaler(), sklearn.neural_network.MLPClassifier(**options)).fit(x, y)
    ours = MLPClassifier(encoding=TableEncoder(knots=None), **options).fit(x, y)
    np.testing.assert_allclose(ours.predict_proba(x), theirs.predict_proba(x), atol=0.05)


def test_log_probabilities_and_decisions_follow_from_the_probabilities():
    net = MLPClassifier(max_iter=20, random_state=0).fit(X, LABELS)
    np.testing.assert_allclose(net.predict_log_proba(X), np.log(net.predict_proba(X)))
    logits = net.decision_function(X)
    np.testing.assert_allclose(np.exp(logits) / np.exp(logits).sum(1, keepdims=True), net.predict_proba(X))


def test_partial_fit_goes_on_where_it_stopped():
    whole = MLPRegressor(max_iter=3, random_state=0, shuffle=False, tol=0).fit(X, Y)
    parts = MLPRegressor(random_state=0, shuffle=False)
    for _ in range(3):
        parts.partial_fit(X, Y)
    np.testing.assert_allclose(whole.predict(X), parts.predict(X), rtol=1e-12)
    labels = MLPClassifier(random_state=0).partial_fit(X[:20], np.zeros(20), classes=[0, 1, 2])
    assert labels.predict_proba(X).shape == (120, 3)
    with pytest.raises(ValueError, match="classes must be passed"):
        MLPClassifier().partial_fit(X, LABELS)


def test_warm_start_keeps_the_weights():
    net = MLPRegressor(max_iter=5, warm_start=True, random_state=0, tol=0).fit(X, Y)
    first = net.loss_
    assert net.fit(X, Y).loss_ < first
    assert len(net.loss_curve_) == 10


def test_sparse_input_trains_as_the_same_numbers_dense():
    dense = np.where(np.abs(X) > 0.7, X, 0.0)
    one = MLPClassifier(max_iter=5, random_state=0, encoding=None).fit(dense, LABELS)
    for make in (sparse.csr_array, sparse.csc_matrix):
        other = MLPClassifier(max_iter=5, random_state=0).fit(make(dense), LABELS)
        np.testing.assert_allclose(one.predict_proba(dense), other.predict_proba(make(dense)), rtol=1e-10)


def test_a_validation_set_of_ones_own_is_watched():
    net = MLPRegressor(max_iter=6, early_stopping=True, random_state=0, metrics=["mae"])
    net.fit(X[:80], Y[:80], validation_data=(X[80:], Y[80:]))
    assert set(net.history_) == {"loss", "val_loss", "mae", "val_mae"}
    assert len(net.validation_scores_) == 6


def test_losses_optimizers_schedules_dropout_and_normalization_are_minitrains():
    net = MLPRegressor(
        loss=mt.losses.Huber(0.5),
        solver=mt.optimizers.AdamW(0.02),
        dropout=0.1,
        normalization="batch",
        batch_size=30,
        max_iter=60,
        random_state=0,
    ).fit(X, Y)
    assert net.score(X, Y) > 0.8
    rate = mt.optimizers.schedules.CosineDecay(0.05, 60)
    net = MLPClassifier(learning_rate=rate, normalization="layer", loss="categorical_crossentropy", weight_decay=0.01)
    assert net.set_params(max_iter=60, random_state=0).fit(X, LABELS).score(X, LABELS) > 0.9
    assert MLPRegressor(solver="rmsprop", activation="gelu", max_iter=5).fit(X, Y).n_iter_ == 5


def test_callbacks_see_the_epochs():
    seen = []
    watch = mt.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: seen.append(epoch))
    MLPRegressor(max_iter=4, callbacks=[watch]).fit(X, Y)
    assert seen == [0, 1, 2, 3]
    MLPRegressor(max_iter=2, callbacks=watch).fit(X, Y)
    assert seen == [0, 1, 2, 3, 0, 1]


def test_poisson_predicts_rates():
    counts = RNG.poisson(np.exp(0.5 * X[:, 0] + 1))
    net = MLPRegressor(loss="poisson", max_iter=100, learning_rate_init=0.01, random_state=0).fit(X, counts)
    assert net.out_activation_ == "exp"
    assert (net.predict(X) > 0).all()
    assert net.score(X, counts) > 0.3
    with pytest.raises(ValueError, match="negative"):
        net.fit(X, counts - 50)


def test_running_out_of_epochs_warns():
    with pytest.warns(ConvergenceWarning, match=r"Maximum iterations \(2\)"):
        MLPRegressor(max_iter=2).fit(X, Y)


@pytest.mark.parametrize(("loss", "power", "tol"), [("squared_error", 2, 5.0), ("poisson", 1, 0.02)])
def test_the_tolerance_is_of_losses_in_the_targets_unit(loss, power, tol):
    y = RNG.poisson(np.exp(0.5 * X[:, 0] + 1))
    options = {"loss": loss, "max_iter": 500, "n_iter_no_change": 2, "random_state": 0}
    one = MLPRegressor(tol=tol, **options).fit(X, 10 * y)
    other = MLPRegressor(tol=tol * 100**power, **options).fit(X, 1000 * y)
    assert one.n_iter_ == other.n_iter_ < 500
    assert MLPRegressor(tol=tol, **options).fit(X, 1000 * y).n_iter_ > one.n_iter_
    np.testing.assert_allclose(100 * one.predict(X), other.predict(X))


def test_the_learning_rate_that_training_came_to_is_seen():
    net = MLPClassifier(solver="sgd", learning_rate="invscaling", power_t=0.25, max_iter=1, warm_start=True)
    for rows in (50, 100):
        with pytest.warns(match="Maximum iterations"):
            net.fit(X[:50], LABELS[:50])
        assert net._optimizer.learning_rate == 0.001 / (rows + 1) ** 0.25


def test_lbfgs_knows_no_early_stopping():
    options = {"solver": "lbfgs", "max_iter": 20, "random_state": 0}
    one, other = (MLPClassifier(early_stopping=each, **options).fit(X, LABELS) for each in (True, False))
    np.testing.assert_array_equal(one.predict_proba(X), other.predict_proba(X))


@pytest.mark.parametrize(
    "wrong",
    [
        {"alpha": -1},
        {"max_iter": 0},
        {"learning_rate": "fast"},
        {"hidden_layer_sizes": (0,)},
        {"early_stopping": "false"},
        {"shuffle": 2},
        {"learning_rate_init": 0},
        {"epsilon": 0.0},
        {"beta_2": 1.0},
        {"validation_fraction": 1},
        {"verbose": "yes"},
        {"loss": (100,)},
        {"encoding": TableEncoder},
    ],
    ids=str,
)
def test_wrong_parameters_are_named_when_fitting(wrong):
    with pytest.raises(ValueError, match=f"`{next(iter(wrong))}`"):
        MLPRegressor(**wrong).fit(X, Y)


def test_pickles_hold_no_data_and_predict_the_same():
    net = MLPClassifier(max_iter=5, random_state=0).fit(np.tile(X, (50, 1)), np.tile(LABELS, 50))
    data = pickle.dumps(net)
    assert len(data) < 60_000
    np.testing.assert_array_equal(pickle.loads(data).predict_proba(X), net.predict_proba(X))
    assert clone(net).get_params() == net.get_params()


@pytest.mark.parametrize("net", [MLPRegressor(max_iter=3), MLPClassifier(max_iter=3)])
def test_the_model_inside_goes_to_a_file_of_its_own(net, tmp_path):
    net.fit(X, LABELS)
    net.model_.save(tmp_path / "model.keras")
    model = mt.models.load_model(tmp_path / "model.keras")
    np.testing.assert_allclose(model.predict(net.encoder_.transform(X), verbose=0), net._outputs(X), rtol=1e-4)
    assert model.evaluate(net.encoder_.transform(X), LABELS, verbose=0) > 0


def test_another_process_reads_what_joblib_wrote(tmp_path):
    net = MLPRegressor(max_iter=5, random_state=0).fit(X, Y)
    joblib.dump((net, X), tmp_path / "net.joblib")
    code = "import joblib, sys; net, x = joblib.load(sys.argv[1]); print(repr(float(net.predict(x).sum())))"
    out = subprocess.run([sys.executable, "-c", code, tmp_path / "net.joblib"], capture_output=True, text=True)
    assert float(out.stdout) == pytest.approx(net.predict(X).sum(), rel=1e-12), out.stderr


def test_grid_search_in_two_processes_finds_what_one_finds():
    grid = {"alpha": [1e-4, 10.0], "hidden_layer_sizes": [(5,), (20,)]}
    made = [
        GridSearchCV(MLPClassifier(max_iter=10, random_state=0), grid, cv=2, n_jobs=jobs).fit(X, LABELS)
        for jobs in (1, 2)
    ]
    np.testing.assert_array_equal(*(each.cv_results_["mean_test_score"] for each in made))


@pytest.mark.parametrize("load", [load_iris, load_breast_cancer])
def test_classes_of_real_data_are_learned(load):
    x, y = load(return_X_y=True)
    net = MLPClassifier(max_iter=60, learning_rate_init=0.01, random_state=0).fit(x[::2], y[::2])
    assert net.score(x[1::2], y[1::2]) > 0.93


def test_numbers_of_real_data_are_learned():
    x, y = load_diabetes(return_X_y=True)
    assert MLPRegressor(max_iter=100, random_state=0).fit(x[::2], y[::2]).score(x[1::2], y[1::2]) > 0.35


def test_partial_fit_records_its_step_once(monkeypatch):
    x, y = np.random.RandomState(0).randn(40, 3), np.arange(40.0)
    net = MLPRegressor(batch_size=40, random_state=0)
    for _ in range(3):
        net.partial_fit(x, y)
    monkeypatch.setattr(mt.Model, "_train_on", None)  # what a recording calls, and a replay does not
    net.partial_fit(x, y)
    assert net.t_ == 160


@pytest.mark.parametrize("make", [lambda **a: MLPRegressor(**a), lambda **a: Regressor(positive, **a)])
@pytest.mark.parametrize("loss", ["poisson", mt.losses.Poisson(), "mape", "msle"])
def test_losses_that_need_the_targets_own_zero_are_learned(make, loss):
    x, rates = counted()
    y = np.random.default_rng(1).poisson(rates) + 1.0
    with warnings.catch_warnings():
        warnings.simplefilter("error", RuntimeWarning)
        warnings.simplefilter("ignore", ConvergenceWarning)
        net = make(loss=loss, batch_size=32, max_iter=100, random_state=0).fit(x, y)
    assert net.predict(x).min() > 0
    assert np.corrcoef(net.predict(x), rates)[0, 1] > 0.9
    if "oisson" in str(loss):
        with pytest.raises(ValueError, match="negative"):
            clone(net).fit(x, -y)


def counted():
    x = np.random.default_rng(0).normal(size=(400, 3))
    return x, np.exp(1.0 + x @ [0.8, -0.5, 0.3])


def positive(n_features):
    x = mt.Input((n_features,), dtype="float64")
    hidden = mt.layers.Dense(30, "relu", dtype="float64")(x)
    return mt.Model(x, mt.layers.Dense(1, "softplus", dtype="float64")(hidden))


@pytest.mark.parametrize(
    "loss", ["categorical_crossentropy", "kl_divergence", "sparse_categorical_crossentropy", "categorical_hinge"]
)
def test_losses_between_classes_tell_two_classes_and_several_labels_apart(loss):
    x = np.random.default_rng(0).normal(size=(200, 4))
    for y in (x[:, 0] > 0, (x[:, :2] > 0).astype(int)):
        assert MLPClassifier(loss=loss, max_iter=150, tol=0, random_state=0).fit(x, y).score(x, y) > 0.9
    model = mt.Sequential([mt.Input((4,)), mt.layers.Dense(1, "sigmoid")])
    net = Classifier(model, loss=loss, optimizer__learning_rate=0.1, max_iter=20, random_state=0)
    assert net.fit(x, x[:, 0] > 0).score(x, x[:, 0] > 0) > 0.9


@pytest.mark.parametrize("metric", ["AUC", "precision", "categorical_accuracy", "accuracy", mt.metrics.F1Score()])
def test_metrics_of_several_classes_see_the_targets_that_they_need(metric):
    x, y = load_iris(return_X_y=True)
    net = MLPClassifier(metrics=[metric], max_iter=5, random_state=0).fit(x, y)
    found = next(values[-1] for name, values in net.history_.items() if name != "loss")
    plain = MLPClassifier(max_iter=5, random_state=0).fit(x, y)
    assert np.isfinite(found).all()
    np.testing.assert_allclose(net.predict_proba(x), plain.predict_proba(x), rtol=1e-9)


def test_moments_and_gaps_are_no_targets():
    moments = pd.Series([pd.Timestamp("2020"), pd.NaT] * 20)
    x = np.ones((40, 1))
    for net in (MLPRegressor(), MLPClassifier()):
        with pytest.raises(ValueError, match="missing in row 1"):
            net.fit(x, moments)
        with pytest.raises(ValueError, match="missing in row 1"):
            net.fit(x, [1.0, None] * 20)
    with pytest.raises(ValueError, match="missing in row 1"):
        MLPClassifier().fit(x, ["a", np.nan] * 20)
    with pytest.raises(TypeError, match="dates"):
        MLPRegressor().fit(x, pd.Series([pd.Timestamp("2020")] * 40))
    assert len(MLPClassifier(max_iter=1).fit(x, np.array(["2020-01-01", "2021-01-01"] * 20, "M8[D]")).classes_) == 2


def test_a_fit_that_is_refused_leaves_the_estimator_as_it_was():
    x = np.random.default_rng(0).normal(size=(40, 3))
    for net in (MLPRegressor(solver="foo"), Regressor(optimizer="foo"), MLPRegressor(metrics=["foo"])):
        with pytest.raises(ValueError, match="foo"):
            net.fit(x, x[:, 0])
        assert not hasattr(net, "model_")
    net = MLPRegressor(max_iter=2, random_state=0).fit(x, x[:, 0])
    found = net.predict(x)
    with pytest.raises(ValueError, match="infinity"):
        net.fit(np.full((40, 2), np.inf), x[:, 0])
    np.testing.assert_array_equal(net.predict(x), found)


def test_a_stream_of_single_rows_is_learned():
    rng = np.random.default_rng(0)
    x = 300 * rng.normal(size=(600, 2))
    y = x @ [1.0, -2.0]
    net = MLPRegressor(hidden_layer_sizes=(), solver="sgd", learning_rate_init=1e-6, momentum=0.0, random_state=0)
    for _ in range(3):
        for row in range(len(x)):
            net.partial_fit(x[row : row + 1], y[row : row + 1])
    assert net.score(x, y) > 0.99


@pytest.mark.parametrize("factors", [{0: -1.0}, {0: 0.0, 1: 0.0}, {0: np.nan}, {0: "a"}])
def test_class_weights_that_are_no_factors_are_named(factors):
    with pytest.raises(ValueError, match="class_weight"):
        MLPClassifier(class_weight=factors).fit(np.ones((4, 1)), [0, 1, 0, 1])


def test_metrics_of_ones_own_see_the_numbers_of_classes():
    def hits(y_true, y_pred):
        return mt.cast(mt.cast(y_true, "int64") == mt.argmax(y_pred, -1), "float32")

    x, y = load_iris(return_X_y=True)
    for metric in (hits, mt.metrics.MeanIoU(3, sparse_y_pred=False)):
        net = MLPClassifier(metrics=[metric], tol=1e9, random_state=0).fit(x, y)
        assert 0 <= next(values[-1] for name, values in net.history_.items() if name != "loss") <= 1
    model = mt.Sequential([mt.Input((4,)), mt.layers.Dense(3)])
    assert "AUC" in Classifier(model, metrics=["AUC"], max_iter=2).fit(x, y).history_


def test_a_warm_start_that_fails_in_training_keeps_what_belongs_together():
    x = np.random.default_rng(0).normal(size=(40, 3))
    net = MLPRegressor(hidden_layer_sizes=(4,), solver="sgd", tol=1e9, warm_start=True).fit(x, x[:, 0])
    epochs = net.n_iter_
    net.set_params(learning_rate_init=1e200)
    with np.errstate(all="ignore"), pytest.raises(ValueError, match="non-finite"):
        net.fit(x, x[:, 0])
    assert len(net.loss_curve_) == epochs + net.n_iter_
