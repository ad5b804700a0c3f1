"""A fleet gives each model what a fit of its own would have given it, to rounding."""

import numpy as np
import pytest
from networks import LOSS_CLASSES, RNG, TRAINED_LAYERS, X, Y, around, fitting, small

import minitrain as mt
from minitrain import callbacks, layers, optim
from minitrain.optim.base import REGISTRY as OPTIMIZERS

SEEDS = (3, 4, 5)
SHARED = [callbacks.TerminateOnNaN()]


@pytest.fixture(autouse=True)
def _in_float64():
    mt.config.set_floatx("float64")
    yield
    mt.config.set_floatx("float32")


def plain(place):
    return small()


def models_of(make, **options):
    """A model for each seed; options that are functions are called with its place."""
    made = []
    for place, seed in enumerate(SEEDS):
        mt.utils.set_random_seed(seed)
        model = make(place)
        told = {**options, "optimizer": options["optimizer"](place) if "optimizer" in options else optim.SGD(0.05)}
        model.compile(**{"loss": "mse", **told})
        made.append(model)
    return made


def trained_alike(make, x=X, y=Y, rows=None, told=None, rtol=1e-9, fit=None, **options):
    """Train a fleet and, alone, models like its own; compare weights, results and optimizers. Gives the fleet's."""
    fit = {"batch_size": 16, "epochs": 4, **(fit or {})}
    fleet, alone = models_of(make, **options), models_of(make, **options)
    held = fit.pop("validation_rows", None)
    histories = mt.vectorize(fleet).fit(x, y, rows=rows, validation_rows=held, callbacks=told, seeds=SEEDS, **fit)
    for place, (model, mine) in enumerate(zip(alone, histories, strict=True)):
        own = slice(None) if rows is None else rows[place]
        more = {} if held is None else {"validation_data": (taken(x, held[place]), taken(y, held[place]))}
        mt.utils.set_random_seed(SEEDS[place])
        listed = told(place) if told else None
        its = model.fit(taken(x, own), taken(y, own), verbose=0, callbacks=listed, **fit, **more).history
        assert mine.history.keys() == its.keys()
        for name, values in its.items():
            np.testing.assert_allclose(mine.history[name], values, rtol=1e-6, atol=1e-9, err_msg=name)
        pairs = zip(fleet[place].get_weights(), model.get_weights(), strict=True)
        states = zip(fleet[place].optimizer.get_weights(), model.optimizer.get_weights(), strict=True)
        for one, other in [*pairs, *states]:
            np.testing.assert_allclose(one, other, rtol=rtol, atol=1e-9)
    return fleet


def taken(data, rows):
    return {key: each[rows] for key, each in data.items()} if isinstance(data, dict) else data[rows]


STACKED = [cls for cls in OPTIMIZERS.members if cls.is_elementwise]


@pytest.mark.parametrize("cls", STACKED)
@pytest.mark.parametrize(
    "options", [{}, {"clipvalue": 0.1}, {"use_ema": True}, {"gradient_accumulation_steps": 2}], ids=str
)
def test_every_elementwise_optimizer(cls, options, steps):
    trained_alike(plain, optimizer=lambda place: cls(**options))
    assert steps[0] > 10


@pytest.mark.parametrize("cls", STACKED)
def test_learning_rates_and_weight_decays_that_differ(cls, steps):
    def optimizer(place):
        return cls(learning_rate=0.01 * 2**place, weight_decay=0.01 * place)

    trained_alike(plain, optimizer=optimizer)
    assert steps[0] > 10


def test_schedules_that_differ(steps):
    trained_alike(plain, optimizer=lambda place: optim.Adam(optim.schedules.ExponentialDecay(0.01, 5, 0.5 + place / 5)))
    assert steps[0] > 10


@pytest.mark.parametrize("options", [{"clipnorm": 0.1}, {"global_clipnorm": 0.1}], ids=str)
def test_what_needs_norms_is_done_one_by_one_with_a_warning(options):
    with pytest.warns(UserWarning, match="one by one.*norms"):
        trained_alike(plain, optimizer=lambda place: optim.SGD(0.1, **options))


@pytest.mark.parametrize("cls", TRAINED_LAYERS)
def test_every_layer(cls):
    make, x = around(cls)
    trained_alike(lambda place: make(), x, Y, rtol=1e-7)


@pytest.mark.parametrize("cls", LOSS_CLASSES)
def test_every_loss(cls):
    make, y = fitting(cls)
    trained_alike(lambda place: make(), X, y, loss=cls())


def test_metrics_weights_classes_and_validation(steps):
    y = (Y[:, 0] > 0).astype("int64")
    told = {"loss": "sparse_categorical_crossentropy", "metrics": ["accuracy"], "weighted_metrics": ["accuracy"]}

    def make(place):
        return mt.Sequential([layers.Dense(8, activation="relu"), layers.Dense(3, activation="softmax")])

    held = [np.arange(place, 70, 3) for place in range(3)]
    fit = {"class_weight": {0: 2.0}, "sample_weight": RNG.uniform(size=70), "validation_rows": held}
    fleet, histories = models_of(make, **told), None
    histories = mt.vectorize(fleet).fit(X, y, batch_size=16, epochs=3, seeds=SEEDS, **fit)
    assert steps[0] > 10
    for place, model in enumerate(models_of(make, **told)):
        mt.utils.set_random_seed(SEEDS[place])
        its = model.fit(X, y, 16, 3, 0, class_weight={0: 2.0}, sample_weight=fit["sample_weight"]).history
        for name, values in its.items():
            np.testing.assert_allclose(histories[place].history[name], values, rtol=1e-9)
        assert len(histories[place].history["val_accuracy"]) == 3


def test_dropout_noise_normalisation_and_regularization_each_with_its_own(steps):
    def make(place):
        return mt.Sequential(
            [
                layers.Dense(8, activation="relu", kernel_regularizer=mt.regularizers.L2(0.01 * (place + 1))),
                layers.BatchNormalization(),
                layers.Dropout(0.1 * (place + 1), seed=place),
                layers.GaussianNoise(0.1, seed=place),
                layers.LayerNormalization(),
                layers.Dense(3),
            ]
        )

    trained_alike(make, rtol=1e-7)
    assert steps[0] > 10


def test_several_inputs_and_outputs(steps):
    def make(place):
        a, b = layers.Input((6,), name="a"), layers.Input((2,), name="b")
        deep = layers.Dense(5, activation="relu")(a)
        joined = layers.Concatenate()([deep, b])
        return mt.Model(
            {"a": a, "b": b}, {"one": layers.Dense(1, name="one")(joined), "two": layers.Dense(2, name="two")(deep)}
        )

    data = {"a": X, "b": X[:, :2]}
    trained_alike(make, data, {"one": Y[:, :1], "two": Y[:, 1:]}, metrics={"one": ["mae"]})
    assert steps[0] > 10


def test_folds_of_unequal_size(steps):
    folds = np.array_split(RNG.permutation(70), 3)
    rows = [np.setdiff1d(np.arange(70), fold) for fold in folds]
    assert len({len(each) for each in rows}) > 1
    trained_alike(plain, rows=rows, fit={"validation_rows": folds, "batch_size": 12})
    assert steps[0] > 10


def test_a_model_that_has_stopped_keeps_its_weights(steps):
    def told(place):
        return [callbacks.EarlyStopping("loss", patience=1 + place, min_delta=0.05, restore_best_weights=place == 1)]

    fleet = trained_alike(plain, told=told, fit={"epochs": 12})
    assert len({len(each.history.epoch) for each in fleet}) > 1
    assert steps[0] > 10


def test_callbacks_that_change_weights_and_learning_rates():
    def told(place):
        return [
            callbacks.LearningRateScheduler(lambda epoch, rate: rate * 0.5 if place else rate),
            callbacks.ReduceLROnPlateau("loss", patience=0, min_delta=0.5),
        ]

    trained_alike(plain, told=told, optimizer=lambda place: optim.Adam(0.01))


def test_callbacks_that_change_options_of_optimizers(steps):
    class Change(callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            if epoch == 2:
                self.model.optimizer.momentum = 0.1
                self.model.optimizer.weight_decay = 0.5

    trained_alike(plain, told=lambda place: [Change()], optimizer=lambda place: optim.SGD(0.05, momentum=0.9))
    assert steps[0] > 10


def test_class_weights_are_for_training_alone():
    y = (Y[:, 0] > 0).astype("float64")[:, None]
    rows, held = [np.arange(50)] * 3, [np.arange(50, 70)] * 3
    fleet = models_of(plain)
    histories = mt.vectorize(fleet).fit(X, y, rows=rows, validation_rows=held, class_weight={0: 1.0, 1: 9.0})
    for model, history in zip(fleet, histories, strict=True):
        alone = model.evaluate(X[50:], y[50:], return_dict=True, verbose=0)
        np.testing.assert_allclose(history.history["val_loss"], [alone["loss"]])
        assert list(history.history) == sorted(history.history)


class At(callbacks.Callback):
    """Does something to its model at the n-th call of a hook."""

    def __init__(self, hook, number, act):
        self.left = number

        def called(*_):
            self.left -= 1
            if self.left == 0:
                act(self.model)

        setattr(self, hook, called)


@pytest.mark.parametrize("name", ["weight_decay", "momentum", "learning_rate"])
def test_options_that_callbacks_set_to_other_values_hold_from_then_on(name, steps):
    def told(place):
        return [At("on_epoch_begin", 3, lambda model: setattr(model.optimizer, name, 0.1 * (place + 1)))]

    def optimizer(place):
        return optim.SGD(0.01, momentum=0.9, weight_decay=0.01)

    if name == "momentum":
        with pytest.warns(UserWarning, match="differ in more than their learning rates"):
            trained_alike(plain, told=told, optimizer=optimizer)
    else:
        trained_alike(plain, told=told, optimizer=optimizer)
    assert steps[0] > 0


def test_weight_decays_that_differ_at_one_learning_rate(steps):
    trained_alike(plain, optimizer=lambda place: optim.Adam(0.01, weight_decay=0.1 * place))
    assert steps[0] > 10


def test_variables_that_some_optimizers_spare_from_decay_are_spared_there_alone():
    def optimizer(place):
        made = optim.AdamW(0.01, weight_decay=0.1)
        if place:
            made.exclude_from_weight_decay(var_names=["bias"])
        return made

    with pytest.warns(UserWarning, match="spared from weight decay"):
        trained_alike(plain, optimizer=optimizer)


@pytest.mark.parametrize("hook", ["on_test_begin", "on_test_end"])
def test_callbacks_see_and_change_weights_around_validation(hook):
    def told(place):
        return [At(hook, 4, lambda model: model.set_weights([0.5 * each for each in model.get_weights()]))]

    trained_alike(plain, told=told, fit={"epochs": 6, "validation_rows": [np.arange(32)] * 3})


def test_averages_are_validated_that_are_swapped_in():
    trained_alike(
        plain,
        told=lambda place: [callbacks.SwapEMAWeights()],
        optimizer=lambda place: optim.SGD(0.05, use_ema=True, ema_momentum=0.8),
        fit={"epochs": 6, "validation_rows": [np.arange(32)] * 3},
    )


def test_a_model_that_a_callback_moves_to_another_step_keeps_it():
    def told(place):
        return [At("on_epoch_begin", 3, lambda model: model.optimizer.iterations.assign(0))] if place else []

    with pytest.warns(UserWarning, match="start together"):
        trained_alike(plain, told=told, optimizer=lambda place: optim.Adam(0.01))


def test_weights_of_classes_are_not_those_of_validation():
    y = (Y[:, 0] > 0).astype("int64")

    def make(place):
        return mt.Sequential([layers.Dense(2, activation="softmax")])

    fit = {"class_weight": {0: 5.0}, "validation_rows": [np.arange(20)] * 3}
    trained_alike(make, y=y, fit=fit, loss="sparse_categorical_crossentropy")


def test_a_train_step_of_ones_own_runs_as_it_is():
    class Own(mt.Sequential):
        def train_step(self, data):
            return super().train_step(data)

    trained_alike(lambda place: Own([layers.Dense(3)]))


def test_models_of_different_architecture_train_one_by_one():
    with pytest.warns(UserWarning, match="one architecture|differ"):
        trained_alike(lambda place: mt.Sequential([layers.Dense(4 + place), layers.Dense(3)]))


def test_a_fleet_can_be_trained_again_and_its_models_alone(steps):
    fleet = models_of(plain)
    trainer = mt.vectorize(fleet)
    for _ in range(2):
        histories = trainer.fit(X, Y, epochs=2, batch_size=16)
    before = histories[0].history["loss"][-1]
    assert fleet[0].fit(X, Y, epochs=2, batch_size=16, verbose=0).history["loss"][-1] < before
    assert fleet[1].history.history["loss"][-1] > 0


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"rows": [[0], [1]]}, "`rows` must hold 3 arrays"),
        ({"rows": [[0], [1], [70]]}, "between 0 and 69"),
        ({"rows": [[0.5], [1], [2]]}, "numbers of rows"),
        ({"seeds": [1]}, "`seeds` must be 3 numbers"),
        ({"epochs": 0}, "`epochs`"),
        ({"validation_data": (X, Y, None, None)}, "`validation_data` must be"),
        ({"callbacks": lambda place: callbacks.BackupAndRestore("x")}, "no backups"),
        ({"callbacks": lambda place: SHARED}, "new callbacks for each model"),
        ({"validation_data": X}, "`validation_data` must be"),
    ],
)
def test_what_is_refused(given, message):
    with pytest.raises(ValueError, match=message):
        mt.vectorize(models_of(plain)).fit(X, Y, **given)


def test_models_that_cannot_be_a_fleet():
    one = models_of(plain)[0]
    for models in ([], [one, one]):
        with pytest.raises(ValueError, match="of their own"):
            mt.vectorize(models)
    with pytest.raises(TypeError, match="list of Models"):
        mt.vectorize([1])
    with pytest.raises(TypeError, match="a function that makes a model's callbacks"):
        mt.vectorize(models_of(plain)).fit(X, Y, callbacks=[callbacks.TerminateOnNaN()])
