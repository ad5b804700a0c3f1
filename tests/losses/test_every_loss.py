"""The contract of a loss, checked over the registry, and the known values of those that Keras does not have."""

from __future__ import annotations

import inspect
import pickle

import numpy as np
import pytest

import minitrain as mt
from minitrain import losses
from minitrain.losses.base import REGISTRY

CLASSES = [each for each in REGISTRY.members if isinstance(each, type)]
FUNCTIONS = [each for each in REGISTRY.members if not isinstance(each, type)]
RNG = np.random.default_rng(0)


def softmax(z):
    e = np.exp(z - z.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


LABELS = np.array([0, 1, 2, 1, 0, 2])
ONE_HOT = np.eye(3)[LABELS]
PROBABILITIES = softmax(RNG.normal(size=(6, 3)))
NUMBERS = (RNG.uniform(0.5, 2, (6, 3)), RNG.uniform(0.5, 2, (6, 3)))
BINARY = (RNG.integers(0, 2, (6, 3)).astype(float), RNG.uniform(0.1, 0.9, (6, 3)))
EMBEDDINGS = RNG.normal(size=(6, 4))
EMBEDDINGS /= np.linalg.norm(EMBEDDINGS, axis=-1, keepdims=True)

# y_true, y_pred for each loss; and a perfect y_pred, or None where there is no single one.
SAMPLES = {
    "BinaryCrossentropy": (*BINARY, BINARY[0]),
    "BinaryFocalCrossentropy": (*BINARY, BINARY[0]),
    "CategoricalCrossentropy": (ONE_HOT, PROBABILITIES, ONE_HOT),
    "CategoricalFocalCrossentropy": (ONE_HOT, PROBABILITIES, ONE_HOT),
    "SparseCategoricalCrossentropy": (LABELS, PROBABILITIES, ONE_HOT),
    "CategoricalGeneralizedCrossEntropy": (LABELS, PROBABILITIES, ONE_HOT),
    "KLDivergence": (PROBABILITIES[::-1].copy(), PROBABILITIES, PROBABILITIES[::-1].copy()),
    "Hinge": (2 * BINARY[0] - 1, NUMBERS[0] - 1, 2 * BINARY[0] - 1),
    "SquaredHinge": (2 * BINARY[0] - 1, NUMBERS[0] - 1, 2 * BINARY[0] - 1),
    "CategoricalHinge": (ONE_HOT, NUMBERS[0], 5 * ONE_HOT),
    "Dice": (*BINARY, BINARY[0]),
    "Tversky": (*BINARY, BINARY[0]),
    "Circle": (LABELS, EMBEDDINGS, None),
    "GaussianNLL": (RNG.normal(size=(6, 1)), RNG.normal(size=(6, 2)), None),
    "Quantile": (RNG.normal(size=(6, 1)), RNG.normal(size=(6, 1)), None),
}


DISTRIBUTIONS = {
    "CategoricalCrossentropy",
    "CategoricalFocalCrossentropy",
    "SparseCategoricalCrossentropy",
    "CategoricalGeneralizedCrossEntropy",
    "KLDivergence",
}
REGRESSIONS = {each for each in REGISTRY.entries if each[0].isupper()} - SAMPLES.keys()


def sample(cls):
    return SAMPLES.get(cls.__name__, (*NUMBERS, NUMBERS[0]))


@pytest.mark.parametrize("cls", CLASSES)
def test_names_and_configuration_go_there_and_back(cls):
    made = cls()
    again = losses.get({"class_name": cls.__name__, "config": made.get_config()})
    assert type(again) is cls
    assert again.get_config() == made.get_config()
    assert type(losses.get(cls.__name__)) is cls
    assert type(losses.get(cls)) is cls
    assert losses.get(made) is made
    assert pickle.loads(pickle.dumps(made)).get_config() == made.get_config()
    assert losses.get(cls.fn.__name__) is cls.fn
    assert getattr(losses, cls.__name__) is cls


@pytest.mark.parametrize("cls", CLASSES)
def test_reductions_agree_with_each_other(cls):
    y, p, _ = sample(cls)
    each = cls(reduction="none")(y, p).numpy()
    if cls.__name__ == "Circle":
        return  # its own mask takes part
    np.testing.assert_allclose(cls()(y, p), each.mean(), rtol=1e-6)
    np.testing.assert_allclose(cls(reduction="sum")(y, p), each.sum(), rtol=1e-6)
    np.testing.assert_allclose(cls(reduction="mean")(y, p), each.mean(), rtol=1e-6)
    options = {k: v.default for k, v in list(inspect.signature(cls.fn).parameters.items())[2:]}
    np.testing.assert_allclose(cls.fn(y, p, **options), each, rtol=1e-6)


@pytest.mark.parametrize("cls", [c for c in CLASSES if c.__name__ not in ("Dice", "Tversky", "Circle")])
def test_weights_count_repeated_and_removed_rows(cls):
    y, p, _ = sample(cls)
    weights = np.array([2.0, 0.0, 1.0, 3.0, 1.0, 0.0])
    rows = np.repeat(np.arange(6), weights.astype(int))
    weighted = cls(reduction="mean_with_sample_weight")(y, p, sample_weight=weights)
    np.testing.assert_allclose(weighted, cls()(y[rows], p[rows]), rtol=1e-6)
    np.testing.assert_allclose(
        cls(reduction="none")(y, p, sample_weight=weights), cls(reduction="none")(y, p) * weights, rtol=1e-6
    )
    np.testing.assert_allclose(cls()(y, p, sample_weight=0.5), 0.5 * cls()(y, p), rtol=1e-6)


@pytest.mark.parametrize("cls", [c for c in CLASSES if c.__name__ not in ("Dice", "Tversky", "Circle")])
def test_masked_rows_count_neither_in_the_sum_nor_in_the_mean(cls):
    y, p, _ = sample(cls)
    kept = np.array([True, False, True, True, False, True])
    masked = mt.constant(p)
    masked._keras_mask = mt.constant(kept)
    np.testing.assert_allclose(cls()(y, masked), cls()(y[kept], p[kept]), rtol=1e-6)


@pytest.mark.parametrize("cls", [c for c in CLASSES if sample(c)[2] is not None])
def test_a_perfect_prediction_is_the_minimum(cls):
    y, p, perfect = sample(cls)
    best = float(cls()(y, perfect))
    assert best <= float(cls()(y, p))
    for _ in range(5):
        near = perfect + RNG.normal(scale=0.05, size=perfect.shape)
        if perfect.min() >= 0 and perfect.max() <= 1 and cls.__name__ not in REGRESSIONS:
            near = np.clip(near, 0.0, 1.0)
            near = near / near.sum(-1, keepdims=True) if cls.__name__ in DISTRIBUTIONS else near
        assert best <= float(cls()(y, near)) + 1e-6


@pytest.mark.parametrize("cls", CLASSES)
def test_gradients_are_right_and_keep_their_dtype(cls):
    y, p, _ = sample(cls)
    away = p + 0.01 if cls.__name__ in ("Hinge", "SquaredHinge") else p
    mt.testing.check_gradients(lambda q: cls()(y, q), away, order=1, rtol=1e-4, atol=1e-6)
    q = mt.constant(p.astype("float32"))
    with mt.GradientTape() as tape:
        tape.watch(q)
        value = cls()(y, q)
    assert value.dtype == "float32"
    assert tape.gradient(value, q).dtype == "float32"


@pytest.mark.parametrize("cls", CLASSES)
def test_extremes_stay_finite(cls):
    y, p, _ = sample(cls)
    extremes = [np.roll(np.eye(3), k, 0)[LABELS] for k in range(3)] if cls.__name__ in DISTRIBUTIONS else []
    for extreme in extremes or [np.zeros_like(p), np.ones_like(p)]:
        assert np.isfinite(cls()(y, extreme.astype("float32")).numpy()), extreme


@pytest.mark.parametrize("cls", [c for c in CLASSES if c.__name__ not in ("Circle",)])
def test_other_shapes_are_refused_before_they_broadcast(cls):
    y, p, _ = sample(cls)
    with pytest.raises(ValueError, match=r"received|needs"):
        cls()(y[:4], p)
    if y.ndim == p.ndim == 2 and cls.__name__ not in ("GaussianNLL",):
        with pytest.raises(ValueError, match="same shape"):
            cls()(np.ones((1, 4)), np.ones((4, 1)))


def test_a_last_axis_of_one_is_squeezed_as_in_keras():
    y, p = np.arange(4.0), np.arange(4.0)[:, None] + 1.0
    assert float(losses.MeanSquaredError()(y, p)) == 1.0
    assert losses.mean_squared_error(y, p).shape == (4,)
    assert losses.sparse_categorical_crossentropy(LABELS[:, None], PROBABILITIES).shape == (6,)


@pytest.mark.parametrize("name", ["MeanSquaredErorr", "mea", "crossentropy"])
def test_an_unknown_name_lists_the_nearest(name):
    with pytest.raises(ValueError, match=r"Unknown loss.*(Did you mean|Known names)"):
        losses.get(name)


def test_wrong_arguments_are_named():
    with pytest.raises(ValueError, match="Unknown `reduction`: 'summ'"):
        losses.MeanSquaredError(reduction="summ")
    with pytest.raises(TypeError, match=r"Huber\(\).*dleta"):
        losses.Huber(dleta=1.0)
    with pytest.raises(ValueError, match="label_smoothing"):
        losses.binary_crossentropy([1.0], [0.5], label_smoothing=2.0)
    with pytest.raises(ValueError, match="sample_weight"):
        losses.MeanSquaredError()(np.ones((4, 1)), np.zeros((4, 1)), sample_weight=np.ones(3))
    with pytest.raises(ValueError, match=r"labels\[1\] = 7 is not in \[0, 3\)"):
        losses.SparseCategoricalCrossentropy()([0, 7], np.ones((2, 3)) / 3)


@pytest.mark.parametrize("name", ["binary_crossentropy", "binary_focal_crossentropy", "categorical_crossentropy"])
def test_one_label_for_several_probabilities_is_refused(name):
    with pytest.raises(ValueError, match=r"same shape, received \(1, 3\) and \(2, 3\)"):
        getattr(losses, name)(np.ones((1, 3)), np.ones((2, 3)))


def test_dtypes_and_reductions_by_their_names():
    assert losses.MeanSquaredError().dtype == "float32"
    assert "dtype" not in losses.Huber().get_config()
    assert losses.deserialize(losses.serialize(losses.Huber(dtype="float64"))).dtype == "float64"
    assert losses.MeanSquaredError(reduction=losses.Reduction.NONE)(np.zeros((2, 1)), np.ones((2, 1))).shape == (2,)
    as_keras_writes_it = {"module": "builtins", "class_name": "function", "config": "mean_squared_error"}
    assert losses.deserialize(as_keras_writes_it) is losses.mean_squared_error
    with pytest.raises(ValueError, match="Expected a string, a class"):
        losses.get(1)


def test_users_write_losses_in_a_few_lines():
    class Cubic(losses.Loss):
        def call(self, y_true, y_pred):
            return mt.reduce_mean(abs(y_true - y_pred) ** 3, -1)

    loss = Cubic(reduction="sum")
    assert loss.name == "cubic"
    assert float(loss(np.zeros((2, 2)), np.full((2, 2), 2.0))) == 16.0


@pytest.mark.parametrize(
    ("probability", "loss"),
    [
        (mt.activations.sigmoid, losses.BinaryCrossentropy),
        (mt.activations.softmax, losses.CategoricalCrossentropy),
    ],
)
def test_probabilities_of_an_activation_are_computed_from_its_logits(probability, loss):
    logits = mt.constant([[60.0, -60.0, 0.0]])
    y = [[0.0, 1.0, 0.0]]
    with mt.GradientTape() as tape:
        tape.watch(logits)
        value = loss()(y, probability(logits))
    np.testing.assert_allclose(value, loss(from_logits=True)(y, logits), rtol=1e-6)
    assert np.abs(tape.gradient(value, logits).numpy()).max() > 0.1  # clipping would have cut it off


def test_quantile_loss_is_minimised_by_the_quantiles():
    y = RNG.normal(size=(2001, 1))
    levels = [0.1, 0.5, 0.9]
    loss = losses.Quantile(levels)
    best = np.quantile(y, levels)
    at_best = float(loss(y, np.tile(best, (len(y), 1))))
    for k in range(3):
        for shift in (-0.1, 0.1):
            moved = best.copy()
            moved[k] += shift
            assert float(loss(y, np.tile(moved, (len(y), 1)))) > at_best
    assert float(losses.Quantile(0.9)([[1.0]], [[0.0]])) == pytest.approx(0.9)
    assert float(losses.Quantile(0.9)([[0.0]], [[1.0]])) == pytest.approx(0.1)
    with pytest.raises(ValueError, match="between 0 and 1"):
        losses.Quantile(1.5)([[0.0]], [[1.0]])
    with pytest.raises(ValueError, match="last axis of 3"):
        loss(y, y)


def test_gaussian_nll_is_the_negative_log_density():
    y, mean, log_variance = RNG.normal(size=(5, 1)), RNG.normal(size=(5, 1)), RNG.normal(size=(5, 1))
    variance = np.exp(log_variance)
    expected = 0.5 * np.log(2 * np.pi * variance) + (y - mean) ** 2 / (2 * variance)
    got = losses.GaussianNLL(reduction="none")(y, np.concatenate([mean, log_variance], 1))
    np.testing.assert_allclose(got, expected[:, 0], rtol=1e-12)
    assert np.isfinite(float(losses.GaussianNLL()(y, np.concatenate([mean, log_variance - 1e4], 1))))


def test_circle_compares_with_references():
    x = np.array([[1.0, 0], [0.6, 0.8], [0, 1]], "float32")
    options = {"remove_diagonal": False, "gamma": 2.0, "margin": 0.3}
    found = losses.circle([0, 1, 1], x, ref_labels=[0, 1], ref_embeddings=[[0.8, 0.6], [0.0, 1.0]], **options)
    np.testing.assert_allclose(found, [0.5629153, 1.7533779, 0.8892605], rtol=1e-6)
    alone = losses.circle([0, 1, 1], x, gamma=2.0)
    np.testing.assert_allclose(losses.circle([0, 1, 1], x, [0, 1, 1], x, gamma=2.0), alone)
    assert losses.Circle(64.0, 0.25).get_config()["gamma"] == 64.0
    with pytest.raises(ValueError, match="one length"):
        losses.circle([0, 1, 1], x, ref_embeddings=x[:2])
