"""The contract of a metric, checked over the registry, and scikit-learn's own metrics beside ours."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest
from sklearn import metrics as sk

import minitrain as mt
from minitrain import metrics
from minitrain.metrics.base import REGISTRY

RNG = np.random.default_rng(0)
N = 60
LABELS, OTHER = RNG.integers(0, 4, N), RNG.integers(0, 4, N)
SCORES = RNG.uniform(0.01, 1, (N, 4))
SCORES /= SCORES.sum(-1, keepdims=True)
ONE_HOT = np.eye(4)[LABELS]
NUMBERS = RNG.uniform(0.5, 2, (N, 3)), RNG.uniform(0.5, 2, (N, 3))
BINARY = RNG.integers(0, 2, (N, 1)).astype(float), RNG.uniform(0, 1, (N, 1))
WEIGHTS = RNG.integers(0, 4, N).astype(float)

ONE_HOT_METRICS = {
    "CategoricalCrossentropy",
    "CategoricalAccuracy",
    "TopKCategoricalAccuracy",
    "CategoricalHinge",
    "KLDivergence",
    "F1Score",
    "FBetaScore",
}
SPARSE_METRICS = {"SparseCategoricalCrossentropy", "SparseCategoricalAccuracy", "SparseTopKCategoricalAccuracy"}
BINARY_METRICS = {
    "BinaryCrossentropy",
    "BinaryAccuracy",
    "BinaryIoU",
    "Hinge",
    "SquaredHinge",
    "AUC",
    "Precision",
    "Recall",
    "TruePositives",
    "FalsePositives",
    "TrueNegatives",
    "FalseNegatives",
    "SensitivityAtSpecificity",
    "SpecificityAtSensitivity",
    "PrecisionAtRecall",
    "RecallAtPrecision",
}
ARGUMENTS = {
    "SensitivityAtSpecificity": (0.5,),
    "SpecificityAtSensitivity": (0.5,),
    "PrecisionAtRecall": (0.5,),
    "RecallAtPrecision": (0.5,),
    "MeanMetricWrapper": (mt.losses.mean_squared_error,),
    "IoU": (4, [0, 2]),
    "MeanIoU": (4,),
    "OneHotIoU": (4, [0, 2]),
    "OneHotMeanIoU": (4,),
}
OPTIONS = {"TopKCategoricalAccuracy": {"k": 2}, "SparseTopKCategoricalAccuracy": {"k": 2}}
CLASSES = REGISTRY.members


def make(cls):
    return cls(*ARGUMENTS.get(cls.__name__, ()), **OPTIONS.get(cls.__name__, {}))


def data(cls):
    """What update_state takes but for weights: a tuple of arrays of N rows."""
    name = cls.__name__
    if name in ("Mean", "Sum"):
        return (NUMBERS[0][:, 0],)
    if name in ("IoU", "MeanIoU", "Accuracy"):
        return LABELS, OTHER
    if name in ("OneHotIoU", "OneHotMeanIoU"):
        return ONE_HOT, SCORES
    if name in ONE_HOT_METRICS:
        return ONE_HOT, SCORES
    if name in SPARSE_METRICS:
        return LABELS, SCORES
    return BINARY if name in BINARY_METRICS else NUMBERS


def run(metric, arrays, weights=None, cuts=(N,)):
    start = 0
    for stop in cuts:
        rows = slice(start, stop)
        kwargs = {} if weights is None else {"sample_weight": weights[rows]}
        metric.update_state(*(each[rows] for each in arrays), **kwargs)
        start = stop
    return metric.result().numpy()


@pytest.mark.parametrize("cls", CLASSES)
def test_names_and_configuration_go_there_and_back(cls):
    made = make(cls)
    again = metrics.get({"class_name": cls.__name__, "config": made.get_config()})
    assert type(again) is cls
    assert again.get_config() == made.get_config()
    assert getattr(metrics, cls.__name__) is cls
    run(made, data(cls))
    for copied in (pickle.loads(pickle.dumps(made)), copy.deepcopy(made)):
        np.testing.assert_array_equal(copied.result(), made.result())
    if cls.__name__ not in ARGUMENTS:
        assert type(metrics.get(cls.__name__)) is cls


@pytest.mark.parametrize("cls", CLASSES)
@pytest.mark.parametrize("weights", [None, WEIGHTS], ids=["plain", "weighted"])
def test_batches_give_exactly_what_the_whole_gives(cls, weights):
    whole = run(make(cls), data(cls), weights)
    np.testing.assert_allclose(run(make(cls), data(cls), weights, (7, 30, 31, N)), whole, rtol=1e-6)
    assert make(cls).result().dtype == "float32"
    assert np.isfinite(whole).all()


@pytest.mark.parametrize("cls", [c for c in CLASSES if c.__name__ not in ("R2Score",)])
def test_weights_count_repeated_and_removed_rows(cls):
    rows = np.repeat(np.arange(N), WEIGHTS.astype(int))
    repeated = run(make(cls), [each[rows] for each in data(cls)], None, (len(rows),))
    np.testing.assert_allclose(run(make(cls), data(cls), WEIGHTS), repeated, rtol=1e-6)


@pytest.mark.parametrize("cls", CLASSES)
def test_reset_and_merge(cls):
    arrays = data(cls)
    whole = run(make(cls), arrays)
    used = make(cls)
    run(used, [each[:10] for each in arrays])
    used.reset_state()
    np.testing.assert_allclose(run(used, arrays), whole, rtol=1e-6)
    first, second = make(cls), make(cls)
    run(first, [each[:20] for each in arrays])
    run(second, [each[20:] for each in arrays])
    first.merge_state([second])
    np.testing.assert_allclose(first.result(), whole, rtol=1e-6)
    with pytest.raises(ValueError, match="Expected a"):
        first.merge_state([metrics.Sum() if cls is not metrics.Sum else metrics.Mean()])


@pytest.mark.parametrize("cls", CLASSES)
def test_stateless_updates_leave_the_metrics_own_state(cls):
    arrays = data(cls)
    metric = make(cls)
    run(metric, arrays)  # some make their variables at the first batch
    empty, whole = metric.stateless_reset_state(), metric.result().numpy()
    state = empty
    for rows in (slice(0, 20), slice(20, N)):
        state = metric.stateless_update_state(state, *(each[rows] for each in arrays))
    np.testing.assert_allclose(metric.stateless_result(state), whole, rtol=1e-6)
    np.testing.assert_array_equal(metric.result(), whole)
    with pytest.raises(ValueError, match="`metric_variables` must hold"):
        metric.stateless_result(state[1:])


# Keras 3.15's variables: names, and shapes where they are not those of a number.
VARIABLES = {
    "TruePositives": (metrics.TruePositives([0.2, 0.7]), ["accumulator (2,)"]),
    "Precision": (metrics.Precision(), ["true_positives (1,)", "false_positives (1,)"]),
    "Recall": (metrics.Recall(), ["true_positives (1,)", "false_negatives (1,)"]),
    "IoU": (metrics.MeanIoU(3), ["total_confusion_matrix (3, 3)"]),
    "R2Score": (metrics.R2Score(), ["num_samples ()"]),
    "RootMeanSquaredError": (metrics.RootMeanSquaredError(), ["total ()", "count ()"]),
    "AUC": (
        metrics.AUC(multi_label=True, num_labels=2, thresholds=[0.5]),
        [f"{each} (3, 2)" for each in ("true_positives", "false_positives", "true_negatives", "false_negatives")],
    ),
}


@pytest.mark.parametrize("case", VARIABLES)
def test_variables_are_kerass(case):
    metric, expected = VARIABLES[case]
    assert [f"{each._name} {tuple(each.shape)}" for each in metric.variables] == expected


def test_thresholds_are_a_list_and_configurations_hold_what_was_given():
    assert metrics.Precision().thresholds == [0.5]
    assert metrics.Precision(top_k=2).get_config()["thresholds"] is None
    assert metrics.Recall([0.25, 0.75]).get_config()["thresholds"] == [0.25, 0.75]
    assert metrics.SensitivityAtSpecificity(0.5, num_thresholds=3).thresholds == [0.0, 0.5, 1.0]
    area = metrics.AUC(thresholds=[0.25, 0.5])
    np.testing.assert_allclose(area.thresholds, [-1e-7, 0.25, 0.5, 1 + 1e-7])
    assert area.num_thresholds == 4
    np.testing.assert_allclose(metrics.AUC()([0, 1], [-1.0, 2.0]), 1.0)  # beyond [0, 1] counts as its ends


def test_a_mean_counts_each_sample_once_however_long_it_is():
    mean = metrics.Mean()
    mean.update_state(np.full((2, 5), 1.0))
    mean.update_state(np.full((2, 1), 3.0))
    assert (float(mean.total), float(mean.count), float(mean.result())) == (8.0, 4.0, 2.0)


def test_accuracies_of_elements_and_of_sorted_class_numbers():
    np.testing.assert_array_equal(metrics.binary_accuracy([[1], [0]], [[0.75], [0.75]]), [[1.0], [0.0]])
    ranked = metrics.SparseTopKCategoricalAccuracy(k=2, from_sorted_ids=True)
    assert float(ranked([2, 1], [[1, 0, 2], [1, 2, 0]])) == 0.5
    assert metrics.mean_squared_error is mt.losses.mean_squared_error


def test_metrics_leave_nothing_on_a_tape():
    x = mt.Variable([[0.5], [0.7]])
    with mt.GradientTape() as tape:
        y = x * 1.0
        before = len(tape._trail.records)
        metrics.MeanSquaredError()([[1.0], [0.0]], y)
        metrics.AUC()([[1.0], [0.0]], y)
        assert len(tape._trail.records) == before


Y, P = BINARY[0][:, 0], BINARY[1][:, 0].astype("float32").astype(float)
T, Q = NUMBERS[0][:, :1], NUMBERS[1][:, :1]
AGREEMENTS = {
    "accuracy": (
        metrics.BinaryAccuracy,
        (Y[:, None], P[:, None]),
        lambda w: sk.accuracy_score(Y, P > 0.5, sample_weight=w),
    ),
    "precision": (metrics.Precision, (Y, P), lambda w: sk.precision_score(Y, P > 0.5, sample_weight=w)),
    "recall": (metrics.Recall, (Y, P), lambda w: sk.recall_score(Y, P > 0.5, sample_weight=w)),
    "f1": (
        lambda: metrics.F1Score(threshold=0.5, average="macro"),
        (Y[:, None], P[:, None]),
        lambda w: sk.f1_score(Y, P > 0.5, sample_weight=w),
    ),
    "r2": (metrics.R2Score, (T, Q), lambda w: sk.r2_score(T, Q, sample_weight=w)),
    "mse": (metrics.MeanSquaredError, (T, Q), lambda w: sk.mean_squared_error(T, Q, sample_weight=w)),
    "mae": (metrics.MeanAbsoluteError, (T, Q), lambda w: sk.mean_absolute_error(T, Q, sample_weight=w)),
    "rmse": (metrics.RootMeanSquaredError, (T, Q), lambda w: np.sqrt(sk.mean_squared_error(T, Q, sample_weight=w))),
    "log loss": (metrics.BinaryCrossentropy, (Y[:, None], P[:, None]), lambda w: sk.log_loss(Y, P, sample_weight=w)),
    "log loss of classes": (
        metrics.SparseCategoricalCrossentropy,
        (LABELS, SCORES),
        lambda w: sk.log_loss(LABELS, SCORES, sample_weight=w),
    ),
    "false positives": (
        lambda: metrics.FalsePositives(0.25),
        (Y, P),
        lambda w: sk.confusion_matrix(Y, P > 0.25, sample_weight=w)[0, 1],
    ),
    "mean iou": (
        lambda: metrics.MeanIoU(4, dtype="float32"),
        (LABELS, OTHER),
        lambda w: sk.jaccard_score(LABELS, OTHER, average="macro", sample_weight=w),
    ),
    "f beta": (
        lambda: metrics.FBetaScore(average="weighted", beta=2.0),
        (ONE_HOT, SCORES),
        lambda w: sk.fbeta_score(LABELS, SCORES.argmax(1), beta=2.0, average="weighted", sample_weight=w),
    ),
    "r2 by variance": (
        lambda: metrics.R2Score("variance_weighted_average"),
        NUMBERS,
        lambda w: sk.r2_score(*NUMBERS, sample_weight=w, multioutput="variance_weighted"),
    ),
    "top 2": (
        lambda: metrics.SparseTopKCategoricalAccuracy(2),
        (LABELS, SCORES),
        lambda w: sk.top_k_accuracy_score(LABELS, SCORES, k=2, sample_weight=w),
    ),
    "msle": (
        metrics.MeanSquaredLogarithmicError,
        NUMBERS,
        lambda w: sk.mean_squared_log_error(*NUMBERS, sample_weight=w),
    ),
    "accuracy of classes": (
        metrics.SparseCategoricalAccuracy,
        (LABELS, SCORES),
        lambda w: sk.accuracy_score(LABELS, SCORES.argmax(1), sample_weight=w),
    ),
}


@pytest.mark.parametrize("name", AGREEMENTS)
@pytest.mark.parametrize("weights", [None, WEIGHTS + 0.5], ids=["plain", "weighted"])
def test_scikit_learn_agrees(name, weights):
    cls, arrays, theirs = AGREEMENTS[name]
    metric = cls()
    metric.update_state(*arrays, **({} if weights is None else {"sample_weight": weights}))
    assert float(metric.result()) == pytest.approx(theirs(weights), rel=2e-6)


@pytest.mark.parametrize("weights", [None, WEIGHTS + 0.5], ids=["plain", "weighted"])
def test_scikit_learn_agrees_on_the_area_within_the_error_of_the_thresholds(weights):
    rng = np.random.default_rng(1)
    y = rng.integers(0, 2, 2000)
    p = np.clip(0.3 * y + rng.uniform(0, 0.7, 2000), 0, 1)
    w = None if weights is None else rng.uniform(0.5, 2, 2000)
    metric = metrics.AUC(num_thresholds=1000)
    metric.update_state(y, p, sample_weight=w)
    assert float(metric.result()) == pytest.approx(sk.roc_auc_score(y, p, sample_weight=w), abs=1e-3)


def test_bad_input_is_explained():
    with pytest.raises(ValueError, match=r"same shape, received \(3, 1\) and \(2, 1\)"):
        metrics.Precision()(np.ones((3, 1)), np.ones((2, 1)))
    with pytest.raises(ValueError, match="one class number a sample"):
        metrics.SparseCategoricalAccuracy()(np.ones((3, 2)), np.ones((3, 4)))
    with pytest.raises(ValueError, match="sample_weight"):
        metrics.MeanSquaredError()(np.ones((3, 1)), np.ones((3, 1)), sample_weight=np.ones(2))
    with pytest.raises(ValueError, match="`thresholds` must lie in"):
        metrics.Precision(thresholds=2.0)
    with pytest.raises(ValueError, match="`curve`"):
        metrics.AUC(curve="AB")
    with pytest.raises(TypeError, match="treshold"):
        metrics.BinaryAccuracy(treshold=0.5)
    with pytest.raises(ValueError, match="Unknown metric: 'mean_square_error'"):
        metrics.get("mean_square_error")
    with pytest.raises(ValueError, match=r"\(n, d\)"):
        metrics.R2Score()(np.ones((2, 2, 2)), np.ones((2, 2, 2)))
    with pytest.raises(ValueError, match=r"\(n, labels\)"):
        metrics.AUC(multi_label=True)(np.ones(2), np.ones(2))
    for wrong in ("high", 1):
        with pytest.raises(ValueError, match="`threshold` must be a float"):
            metrics.F1Score(threshold=wrong)
    with pytest.raises(ValueError, match="`beta` must be a positive float"):
        metrics.FBetaScore(beta="1")
    with pytest.raises(ValueError, match="Expected a string, a class"):
        metrics.get(1)
    with pytest.raises(ValueError, match="`value` must lie in"):
        metrics.PrecisionAtRecall(1.5)


def test_users_write_metrics_in_a_few_lines():
    class Largest(metrics.Metric):
        def __init__(self, name="largest"):
            super().__init__(name=name)
            self.value = self.add_weight(name="value")

        def update_state(self, y_true, y_pred, sample_weight=None):
            self.value.assign(np.maximum(self.value, abs(np.asarray(y_true) - np.asarray(y_pred)).max()))

        def result(self):
            return self.value

    metric = Largest()
    metric([1.0, 2.0], [1.5, 2.0])
    assert float(metric([1.0], [1.25])) == 0.5
    metric.reset_state()
    assert float(metric.result()) == 0.0


def test_users_metrics_compute_in_their_dtype_and_may_hold_others():
    class Share(metrics.Metric):
        def __init__(self, **kwargs):
            super().__init__(**kwargs)
            self.mean = metrics.Mean()
            self.steps = self.add_weight(shape=(), initializer="ones", name="steps")

        def update_state(self, y_true, y_pred, sample_weight=None):
            self.mean.update_state(mt.keras.ops.cast(mt.keras.ops.equal(y_true, y_pred), self.dtype), sample_weight)
            self.steps.assign_add(1.0)

        def result(self):
            return self.mean.result()

    metric = Share(name="share")
    assert (metric.dtype, Share(dtype="float64").dtype) == ("float32", "float64")
    assert float(metric([1, 2, 3, 4], [1, 2, 0, 0])) == 0.5
    assert [each._name for each in metric.variables] == ["steps", "total", "count"]
    metric.reset_state()
    assert [float(each) for each in metric.variables] == [1.0, 0.0, 0.0]
    with pytest.raises(ValueError, match="nope"):
        metric.add_weight(initializer="nope")
    assert type(metrics.deserialize({"class_name": "Share", "config": {}}, custom_objects={"Share": Share})) is Share


def test_weights_of_a_vectors_elements_and_sums_over_axes_that_weights_lack():
    weighted = metrics.BinaryAccuracy()
    weighted.update_state([1.0, 0.0, 0.0], [0.9, 0.8, 0.7], sample_weight=[3.0, 1.0, 0.0])
    np.testing.assert_allclose(weighted.result(), 0.75)
    squares = metrics.MeanSquaredError()
    squares.update_state([1.0, 0.0], [0.0, 0.0], sample_weight=[1.0, 3.0])
    np.testing.assert_allclose(squares.result(), 0.25)
    total = metrics.Sum()
    total.update_state([[1.0, 2.0], [3.0, 4.0]], sample_weight=[1.0, 2.0])
    np.testing.assert_allclose(total.result(), 17.0)


def test_ignored_classes_take_their_weights_out():
    metric = metrics.SparseCategoricalCrossentropy(ignore_class=0)
    p = np.array([[0.8, 0.1, 0.1], [0.05, 0.95, 0], [0.1, 0.8, 0.1]])
    rest = -np.log([0.95, 0.1])
    metric.update_state([0, 1, 2], p, sample_weight=[0.5, 1.5, 2.0])
    assert float(metric.result()) == pytest.approx(rest @ [1.5, 2.0] / 3.5, rel=1e-4)
    metric.reset_state()
    metric.update_state([0, 1, 2], p)
    assert float(metric.result()) == pytest.approx(rest.sum() / 3, rel=1e-4)


def test_the_area_of_gains_is_one_for_a_perfect_order_and_kerass_otherwise():
    y, p, w = [0, 0, 1, 1, 0, 1], np.array([0, 0.5, 0.3, 0.9, 0.6, 0.7]), [1, 2, 3, 4, 1, 2]
    for method, expected in (("interpolation", 0.4375), ("minoring", 0.25), ("majoring", 0.625)):
        metric = metrics.AUC(curve="PRGAIN", summation_method=method, num_thresholds=5)
        metric.update_state(y, p, w)
        assert float(metric.result()) == pytest.approx(expected)
    perfect = metrics.AUC(curve="prgain")
    perfect.update_state([0, 0, 1, 1], [0.1, 0.2, 0.8, 0.9])
    assert float(perfect.result()) == pytest.approx(1.0)
    assert metrics.AUC.from_config(perfect.get_config()).curve == "PRGAIN"


def test_fractions_that_an_integer_count_drops_are_warned_of():
    with pytest.warns(UserWarning, match="cuts them to integers"):
        metrics.MeanIoU(3).update_state([0, 1], [0, 1], sample_weight=[0.5, 0.5])
    metrics.MeanIoU(3, dtype="float32").update_state([0, 1], [0, 1], sample_weight=[0.5, 0.5])
    metrics.MeanIoU(3).update_state([0, 1], [0, 1], sample_weight=[2.0, 1.0])


@pytest.mark.parametrize("cls", [metrics.Precision, metrics.Recall])
def test_a_class_needs_a_column_of_its_own(cls):
    with pytest.raises(ValueError, match="class_id"):
        cls(class_id=2).update_state([0, 1, 1], [0.2, 0.1, 0.6])


def test_variables_among_the_attributes_of_users_metrics_are_state():
    class Largest(metrics.Metric):
        def __init__(self, **kwargs):
            super().__init__(**kwargs)
            self.largest = mt.Variable(0.0)
            self.counts = [mt.Variable([0, 0])]

        def update_state(self, y_true, y_pred, sample_weight=None):
            self.largest.assign(mt.maximum(self.largest, mt.reduce_max(y_pred)))
            self.counts[0].assign_add([1, len(y_pred)])

        def result(self):
            return self.largest

    metric = Largest()
    metric.update_state([0.0, 1.0], [3.0, 2.0])
    assert float(metric.result()) == 3
    assert [each.numpy().tolist() for each in metric.variables] == [3, [1, 2]]
    assert len(metric.stateless_update_state([1.0, [0, 0]], [0.0], [2.0])) == 2
    assert float(metric.result()) == 3
    metric.reset_state()
    assert [each.numpy().tolist() for each in metric.variables] == [0, [0, 0]]
    model = mt.keras.Sequential([mt.keras.layers.Dense(1, kernel_initializer="ones")])
    model.compile("sgd", "mse", metrics=[Largest(name="largest")])
    model.optimizer.learning_rate = 0.0
    x = np.array([[5.0], [1.0]], "float32")
    assert model.fit(x, x, epochs=2, verbose=0, validation_data=(x[1:], x[1:])).history["val_largest"] == [1, 1]


def test_state_is_named_as_in_keras_and_pickles():
    metric = metrics.Precision(name="p")
    metric.update_state([1, 0], [0.9, 0.8])
    for each in (metric, pickle.loads(pickle.dumps(metric)), copy.deepcopy(metric)):
        assert [v.name for v in each.variables] == ["true_positives", "false_positives"]
        assert [v.path for v in each.variables] == ["p/true_positives", "p/false_positives"]
        assert float(each.result()) == 0.5
