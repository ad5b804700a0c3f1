"""`fit`, `evaluate` and `predict`: what a loop by hand gives, Keras's rules for data, callbacks' decisions, errors."""

import copy
import datetime
import pickle
import warnings

import numpy as np
import pandas as pd
import polars as pl
import pytest
import scipy.sparse

import minitrain as mt
from minitrain import callbacks, layers

RNG = np.random.default_rng(0)
X = RNG.normal(size=(100, 4)).astype("float32")
Y = (X[:, :1] ** 2 - X[:, 1:2]).astype("float32")
CLASSES = (X[:, 0] > 0).astype("int64") + (X[:, 1] > 0)


def small(units=1, activation=None, **options):
    mt.random.set_seed(1)
    model = mt.Sequential([layers.Dense(8, activation="tanh"), layers.Dense(units, activation=activation)])
    model.build((None, 4))
    model.compile(**{"optimizer": "sgd", "loss": "mse", **options})
    return model


def test_fit_takes_the_steps_of_a_loop_by_hand():
    model = small()
    twin = small()
    history = model.fit(X, Y, batch_size=32, epochs=2, shuffle=False, verbose=0)
    loss_fn, optimizer = mt.losses.MeanSquaredError(), mt.optimizers.SGD()
    for _ in range(2):
        total = 0.0
        for start in range(0, 100, 32):
            x, y = X[start : start + 32], Y[start : start + 32]
            with mt.GradientTape() as tape:
                loss = loss_fn(y, twin(x, training=True))
            optimizer.apply_gradients(zip(tape.gradient(loss, twin.trainable_variables), twin.trainable_variables))
            total += float(loss) * len(x)
    for mine, its in zip(model.get_weights(), twin.get_weights()):
        np.testing.assert_array_equal(mine, its)
    assert history.history["loss"][-1] == pytest.approx(total / 100)
    assert history.epoch == [0, 1]


def test_evaluate_and_predict_see_all_rows():
    model = small(metrics=["mae"])
    predicted = model.predict(X, batch_size=32, verbose=0)
    np.testing.assert_allclose(predicted, model(X), rtol=1e-6)
    found = model.evaluate(X, Y, verbose=0, return_dict=True)
    assert found["loss"] == pytest.approx(np.mean((predicted - Y) ** 2), rel=1e-5)
    assert found["mae"] == pytest.approx(np.abs(predicted - Y).mean(), rel=1e-5)
    assert model.evaluate(X, Y, verbose=0) == [found["loss"], found["mae"]]
    assert model.metrics_names == ["loss", "mae"]
    assert isinstance(small().evaluate(X, Y, verbose=0), float)


@pytest.mark.parametrize("as_given", [list, mt.constant, pd.DataFrame], ids=["list", "tensor", "frame"])
def test_data_of_every_kind_train_alike(as_given):
    model = small()
    model.fit(as_given(X.tolist()), as_given(Y.tolist()), epochs=1, verbose=0, shuffle=False)
    expected = small()
    expected.fit(X, Y, epochs=1, verbose=0, shuffle=False)
    np.testing.assert_array_equal(model.get_weights()[0], expected.get_weights()[0])


def test_an_iterable_of_batches_trains_like_arrays():
    batches = [(X[at : at + 32], Y[at : at + 32]) for at in range(0, 100, 32)]
    expected = small()
    expected.fit(X, Y, epochs=2, verbose=0, shuffle=False)
    for source, steps in ((batches, None), (iter(batches * 2), 4)):
        model = small()
        model.fit(source, epochs=2, steps_per_epoch=steps, verbose=0)
        np.testing.assert_array_equal(model.get_weights()[0], expected.get_weights()[0])


class Batches(callbacks.Callback):
    """How many batches each epoch had."""

    def on_train_begin(self, logs=None):
        self.counts = []

    def on_epoch_begin(self, epoch, logs=None):
        self.counts.append(0)

    def on_train_batch_end(self, batch, logs=None):
        assert batch == self.counts[-1]
        self.counts[-1] += 1


@pytest.mark.parametrize(
    ("steps", "epochs"),
    [(2, ["01", "23", "01"]), (3, ["012", "3", "012"]), (4, ["0123", "0123", "0123"]), (9, ["0123", "0123", "0123"])],
)
@pytest.mark.parametrize("kind", ["arrays", "dataset"])
def test_an_epoch_of_so_many_steps_ends_where_the_data_do(kind, steps, epochs):
    data = (X, Y) if kind == "arrays" else (mt.data.Dataset.from_tensor_slices((X, Y)).batch(32),)
    options = {"batch_size": 32, "shuffle": False} if kind == "arrays" else {}
    seen, model, expected = Batches(), small(), small()
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        model.fit(*data, epochs=3, steps_per_epoch=steps, callbacks=[seen], verbose=0, **options)
    assert seen.counts == [len(each) for each in epochs]
    assert all("ran out of data" in str(each.message) and each.filename == __file__ for each in said)
    assert bool(said) == (steps in (3, 9))  # where the data end in the middle of an epoch
    for each in "".join(epochs):
        rows = slice(32 * int(each), 32 * int(each) + 32)
        expected.train_on_batch(X[rows], Y[rows])
    np.testing.assert_array_equal(model.get_weights()[0], expected.get_weights()[0])


def test_a_generator_that_is_used_up_ends_training():
    def batches():
        for at in range(0, 100, 25):
            yield X[at : at + 25], Y[at : at + 25]

    model = small()
    with pytest.warns(UserWarning, match="ran out of data"):
        history = model.fit(batches(), epochs=3, verbose=0)
    assert history.epoch == [0]
    with pytest.warns(UserWarning, match="ran out of data"):
        assert small().fit(batches(), epochs=3, steps_per_epoch=3, verbose=0).epoch == [0, 1]
    used = batches()
    list(used)
    with pytest.raises(ValueError, match="used up"):
        model.fit(used, verbose=0)


def test_the_same_seed_gives_the_same_weights_whatever_is_watched():
    plain, watched = small(), small(metrics=["mae"])
    mt.random.set_seed(3)
    plain.fit(X, Y, epochs=3, verbose=0)
    mt.random.set_seed(3)
    watched.fit(X, Y, epochs=3, verbose=2, validation_data=(X, Y), callbacks=[callbacks.EarlyStopping(patience=9)])
    np.testing.assert_array_equal(plain.get_weights()[0], watched.get_weights()[0])


def test_set_random_seed_seeds_weights_and_numpy():
    drawn = []
    for _ in range(2):
        mt.utils.set_random_seed(7)
        drawn.append((mt.random.normal([3]).numpy(), np.random.normal(size=3)))
    for first, second in zip(*drawn):
        np.testing.assert_array_equal(first, second)


def test_accuracy_chooses_its_form():
    sparse = small(
        3, "softmax", loss="sparse_categorical_crossentropy", metrics=["accuracy"], optimizer=mt.optimizers.Adam(0.02)
    )
    history = sparse.fit(X, CLASSES, epochs=60, verbose=0)
    assert history.history["accuracy"][-1] > 0.85
    one_hot = small(3, "softmax", loss="categorical_crossentropy", metrics=["acc"])
    assert "acc" in one_hot.fit(X, np.eye(3)[CLASSES], verbose=0).history
    binary = small(1, "sigmoid", loss="binary_crossentropy", metrics=["accuracy", "AUC"])
    found = binary.evaluate(X, CLASSES > 0, verbose=0, return_dict=True)
    assert found["accuracy"] == pytest.approx(np.mean((binary.predict(X)[:, 0] > 0.5) == (CLASSES > 0)), rel=1e-6)


def test_weights_of_classes_and_samples():
    factors = {0: 1.0, 1: 2.0, 2: 0.5}
    weights = np.array([factors[int(each)] for each in CLASSES], "float32")
    by_class, by_sample = (small(3, "softmax", loss="sparse_categorical_crossentropy") for _ in range(2))
    by_class.fit(X, CLASSES, class_weight=factors, verbose=0, shuffle=False)
    by_sample.fit(X, CLASSES, sample_weight=weights, verbose=0, shuffle=False)
    np.testing.assert_array_equal(by_class.get_weights()[0], by_sample.get_weights()[0])
    model = small(metrics=["mae"], weighted_metrics=["mae"])
    found = model.evaluate(X, Y, sample_weight=weights, verbose=0, return_dict=True)
    errors = np.abs(model.predict(X) - Y)[:, 0]
    assert found["weighted_mae"] == pytest.approx(np.average(errors, weights=weights), rel=1e-5)
    assert found["mae"] == pytest.approx(errors.mean(), rel=1e-5)


def test_validation_split_takes_the_last_rows():
    model = small()
    seen = model.fit(X, Y, validation_split=0.2, epochs=2, verbose=0, validation_freq=2).history["val_loss"]
    assert seen == [pytest.approx(model.evaluate(X[80:], Y[80:], verbose=0))]


def test_early_stopping_restores_the_best_weights():
    model = small(optimizer=mt.optimizers.SGD(0.0))
    scripted = iter([3.0, 1.0, 2.0, 1.5, 1.2, 9.0])
    kept = []

    class Script(callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            self.model.layers[0].bias.assign_add(np.ones(8))
            logs["score"] = next(scripted)
            kept.append(self.model.get_weights()[1])

    stopper = callbacks.EarlyStopping("score", mode="min", patience=3, restore_best_weights=True)
    history = model.fit(X, Y, epochs=20, verbose=0, callbacks=[Script(), stopper])
    assert history.history["score"] == [3.0, 1.0, 2.0, 1.5, 1.2]
    assert (stopper.stopped_epoch, stopper.best_epoch) == (4, 1)
    np.testing.assert_array_equal(model.get_weights()[1], kept[1])


def test_callbacks_of_the_learning_rate(tmp_path):
    model = small(optimizer=mt.optimizers.SGD(0.5))
    lowered = callbacks.ReduceLROnPlateau("loss", factor=0.5, patience=1, min_delta=1e9)
    rates = model.fit(X, Y, epochs=4, verbose=0, callbacks=[lowered]).history["learning_rate"]
    assert rates == [0.5, 0.5, 0.25, 0.125]
    log = callbacks.CSVLogger(tmp_path / "log.csv")
    halved = callbacks.LearningRateScheduler(lambda epoch, rate: rate / 2)
    model.fit(X, Y, epochs=2, verbose=0, callbacks=[halved, log])
    frame = pd.read_csv(tmp_path / "log.csv")
    assert frame["learning_rate"].tolist() == [0.03125, 0.015625]


def test_hooks_are_called_in_order_and_a_nan_stops():
    called = []
    hooks = {name: lambda *args, name=name: called.append(name) for name in ("on_train_begin", "on_epoch_begin")}
    model = small(optimizer=mt.optimizers.SGD(1e30))
    model.fit(X, Y, epochs=5, verbose=0, callbacks=[callbacks.LambdaCallback(**hooks), callbacks.TerminateOnNaN()])
    assert called == ["on_train_begin", "on_epoch_begin"]


def test_a_step_of_ones_own():
    class Own(mt.Model):
        def __init__(self):
            super().__init__()
            self.dense = layers.Dense(1)
            self.seen = mt.metrics.Mean(name="seen")

        def call(self, x):
            return self.dense(x)

        def train_step(self, data):
            x, y = data
            with mt.GradientTape() as tape:
                loss = self.compute_loss(y=y, y_pred=self(x, training=True))
            gradients = tape.gradient(loss, self.trainable_variables)
            self.optimizer.apply_gradients(zip(gradients, self.trainable_variables))
            self.seen.update_state(loss)
            return {"seen": self.seen.result()}

    model = Own()
    model.compile(optimizer="adam", loss="mse")
    history = model.fit(X, Y, epochs=3, verbose=0).history
    assert list(history) == ["seen"]
    assert history["seen"][-1] < history["seen"][0]
    assert model.train_on_batch(X, Y, return_dict=True).keys() == {"seen"}


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda model: pickle.loads(pickle.dumps(model))])
def test_a_copy_goes_on_training_by_itself(copied):
    model = small(optimizer="adam")
    model.fit(X, Y, verbose=0, shuffle=False)
    twin = copied(model)
    before = model.get_weights()
    twin.fit(X, Y, verbose=0, shuffle=False)
    np.testing.assert_array_equal(model.get_weights()[0], before[0])
    model.fit(X, Y, verbose=0, shuffle=False)
    for mine, its in zip(model.get_weights(), twin.get_weights()):
        np.testing.assert_allclose(mine, its, rtol=1e-6, atol=1e-7)


def test_sequential_comes_back_from_its_configuration(capsys):
    model = small()
    twin = mt.Sequential.from_config(model.get_config())
    twin.build((None, 4))
    twin.set_weights(model.get_weights())
    np.testing.assert_array_equal(twin.predict(X), model.predict(X))
    model.summary()
    assert "Total params: 49 (196.00 B)" in capsys.readouterr().out
    started = mt.Sequential([mt.Input((4,)), layers.Dense(2)])
    assert started.count_params() == 10
    assert mt.Sequential([layers.Dense(2, input_shape=(4,))]).count_params() == 10
    assert [each.name for each in started.layers] == [started.pop().name]


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ((X[:9], Y), ValueError, "same number of rows: x has 9, y has 100"),
        ((list(X), Y), ValueError, r"rows: x\[0\] has 4, y has 100. A list holds an array for each input"),
        ((X[:0], Y[:0]), ValueError, "`x` has no rows"),
        ((np.where(X > 2, np.nan, X), Y), ValueError, "`x` holds nan at"),
        ((pd.DataFrame({"a": ["u", "v"], "b": [1, 2]}), [1.0, 2.0]), TypeError, "the column a"),
        ((pd.DataFrame({"a": pd.array([True, None], "boolean")}), Y[:2]), ValueError, "<NA> in column 'a', row 1"),
        ((pd.DataFrame({"a": [1, 10**400]}, dtype=object), Y[:2]), ValueError, "all floats in column 'a', row 1"),
        ((pl.DataFrame({"a": [0.5], "b": [datetime.date.min]}), Y[:1]), TypeError, r"dates or times in \['b'\]"),
        ((pl.LazyFrame({"a": [0.5]}), Y[:1]), TypeError, r"`x` .* LazyFrame.*collect\(\)"),
        ((np.ma.masked_array(X, X > 1), Y), ValueError, r"`x` is masked at \[\d+, \d\]"),
        ((X.astype("float64") * 1e300, Y), ValueError, r"`x` holds .*e\+\d+ at .* infinite in float32"),
        ((None, Y), TypeError, "an array, a table or an iterable of batches, received NoneType"),
        (("text", Y), TypeError, "an array, a table or an iterable of batches, received str"),
        ((X, Y, 0), ValueError, "`batch_size` must be a positive integer, received 0"),
        ((X, Y, 32, -1), ValueError, "`epochs` must be a positive integer"),
        (([[1.0], [1.0, 2.0]], Y[:2]), ValueError, "rows have different lengths"),
        ((5,), TypeError, "an array, a table or an iterable"),
    ],
)
def test_bad_data_are_refused_before_training(arguments, error, message):
    model = small()
    before = model.get_weights()
    with pytest.raises(error, match=message):
        model.fit(*arguments, verbose=0)
    np.testing.assert_array_equal(model.get_weights()[0], before[0])


@pytest.mark.parametrize(
    ("loss", "units", "label", "message"),
    [
        ("sparse_categorical_crossentropy", 3, 3, "the class 3 in row 7, and the model predicts 3 classes, 0 to 2"),
        ("sparse_categorical_crossentropy", 3, -1, "the class -1 in row 7"),
        ("sparse_categorical_crossentropy", 3, 0.5, "the class 0.5 in row 7"),
        ("binary_crossentropy", 1, 2, "`y` holds 2.* in row 7, and binary_crossentropy takes labels of 0 and 1"),
        ("binary_focal_crossentropy", 1, -1, "`y` holds -1.* in row 7"),
    ],
)
def test_labels_that_are_not_predicted_are_refused_before_training(loss, units, label, message):
    labels = np.zeros(100, type(label))
    labels[7] = label
    with pytest.raises(ValueError, match=message):
        small(units, "softmax" if units > 1 else "sigmoid", loss=loss).fit(X, labels, verbose=0)


def test_a_single_class_is_warned_of():
    with pytest.warns(UserWarning, match="categorical_crossentropy of a single class learns nothing"):
        small(1, "softmax", loss="categorical_crossentropy").fit(X, np.ones((100, 1)), verbose=0)


def test_a_generator_that_is_used_up_is_told_with_the_way_out():
    batches = ((X[at : at + 50], Y[at : at + 50]) for at in (0, 50))
    with pytest.warns(UserWarning, match="ran out of data; .* give a function that makes a new one"):
        made = small().fit(batches, epochs=2, verbose=0)
    assert len(made.history["loss"]) == 1
    with pytest.raises(ValueError, match=r"empty, or used up\. A generator gives its batches once"):
        small().fit(batches, verbose=0)
    made = small().fit(lambda: ((X[at : at + 50], Y[at : at + 50]) for at in (0, 50)), epochs=2, verbose=0)
    assert len(made.history["loss"]) == 2


@pytest.mark.parametrize("form", ["csr", "coo", "dok", "lil"])  # one of them is a dict
def test_sparse_matrices_of_every_form_train_as_the_same_numbers_dense(form):
    plain, sparse = small(), small()
    plain.fit(X, Y, shuffle=False, verbose=0)
    sparse.fit(scipy.sparse.csr_matrix(X).asformat(form), Y, shuffle=False, verbose=0)
    np.testing.assert_array_equal(plain.get_weights()[0], sparse.get_weights()[0])


@pytest.mark.parametrize("wrong", ["balanced", [1.0, 2.0], {"0": 1.0}])
def test_class_weights_are_a_dict_of_class_numbers(wrong):
    with pytest.raises(ValueError, match="`class_weight` must be a dict from class numbers to factors"):
        small().fit(X, Y, class_weight=wrong, verbose=0)


def test_mistakes_in_compile_are_named():
    model = mt.Sequential([layers.Dense(1)])
    with pytest.raises(ValueError, match=r"You must call `compile\(\)` before `fit\(\)`"):
        model.fit(X, Y)
    for options, message in (({"loss": "msee"}, "mse"), ({"optimizer": "adm"}, "adam"), ({"metrics": ["maee"]}, "mae")):
        with pytest.raises(ValueError, match=message):
            model.compile(**options)
    model.compile(loss="mse")
    with pytest.warns(UserWarning, match=r"conditioned on metric 'val_loss'.*validation_data"):
        model.fit(X, Y, verbose=0, callbacks=[callbacks.EarlyStopping()])


def rows_of_three():
    return np.random.default_rng(0).normal(size=(40, 3)).astype("float32")


def line_models():
    """Two of one layer, that run eagerly and by program, and make their weights in the first fit."""
    models = [mt.Sequential([layers.Dense(1)]) for _ in range(2)]
    for model, eagerly in zip(models, (True, False), strict=True):
        model.compile("sgd", "mse", run_eagerly=eagerly)
    return models


@pytest.mark.parametrize("epoch", [0, 2])
def test_training_stopped_before_an_epoch_ends_after_a_batch_as_it_does_eagerly(epoch):
    x, found = rows_of_three(), line_models()
    for model in found:

        def stop(at, logs, model=model):
            model.stop_training = at == epoch

        mt.utils.set_random_seed(0)
        model.fit(x, x[:, :1], 8, 5, 0, callbacks=[callbacks.LambdaCallback(on_epoch_begin=stop)])
    assert [int(each.optimizer.iterations) for each in found] == [5 * epoch + 1] * 2
    np.testing.assert_array_equal(*(each.get_weights()[0] for each in found))


def test_a_loss_scale_that_is_set_between_fits_divides_what_it_multiplies():
    x, found = rows_of_three(), line_models()
    for model in found:
        mt.utils.set_random_seed(0)
        for factor in (None, 4.0, 2.0):
            model.optimizer.loss_scale_factor = factor
            model.fit(x, x[:, :1], 8, 2, 0)
    np.testing.assert_array_equal(*(each.get_weights()[0] for each in found))


@pytest.mark.parametrize(
    ("units", "activation", "labels", "form"),
    [
        (1, "sigmoid", lambda y: y % 2, "binary_crossentropy"),
        (3, "softmax", lambda y: y, "sparse_categorical_crossentropy"),
        (3, "softmax", lambda y: y[:, None], "sparse_categorical_crossentropy"),
        (3, "softmax", lambda y: np.eye(3, dtype="float32")[y], "categorical_crossentropy"),
    ],
)
def test_the_loss_crossentropy_takes_the_form_of_the_shapes(units, activation, labels, form, tmp_path):
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(64, 4)).astype("float32"), labels(rng.integers(0, 3, 64))
    losses = []
    for loss in ("crossentropy", form):
        mt.keras.utils.set_random_seed(0)
        model = mt.keras.Sequential([mt.keras.Input((4,)), mt.keras.layers.Dense(units, activation)])
        model.compile("sgd", loss=loss)
        losses.append(model.fit(x, y, epochs=2, verbose=0).history["loss"])
        model.save(tmp_path / "model.minitrain")
        again = mt.keras.models.load_model(tmp_path / "model.minitrain")
        losses.append([again.evaluate(x, y, verbose=0)])
    assert losses[0] == losses[2]
    assert losses[1] == losses[3]


class Counting(layers.Layer):
    """Counts its calls, whatever `training` says."""

    def build(self, input_shape):
        self.calls = self.add_weight((), "zeros", trainable=False, name="calls")

    def call(self, inputs):
        self.calls.assign_add(1.0)
        return inputs * 1.0


def test_what_a_call_assigns_is_done_once_a_batch_and_never_by_building():
    def counted(make):
        counting = Counting()
        model = make(counting)
        model.compile("sgd", "mse")
        seen = []
        note = callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: seen.append(int(counting.calls)))
        model.fit(X, Y, batch_size=25, epochs=2, callbacks=[note], verbose=0)
        assert seen == [1, 2, 3, 4, 5, 6, 7, 8]
        model.evaluate(X, Y, batch_size=50, verbose=0)
        assert int(counting.calls) == 10

    def functional(counting):
        inputs = mt.keras.Input((4,))
        model = mt.keras.Model(inputs, layers.Dense(1)(counting(inputs)))
        assert int(counting.calls) == 0
        return model

    class Own(mt.keras.Model):
        def __init__(self, counting):
            super().__init__()
            self.counting, self.head = counting, layers.Dense(1)

        def call(self, inputs):
            return self.head(self.counting(inputs))

    counted(functional)
    counted(Own)
    counted(lambda counting: mt.Sequential([counting, layers.Dense(1)]))
    counting = Counting()
    model = Own(counting)
    model.build((None, 4))
    assert int(counting.calls) == 0
    model(X)
    assert int(counting.calls) == 1


@pytest.mark.parametrize(
    ("loss", "wrong"), [("sparse_categorical_crossentropy", 7), ("binary_crossentropy", 2), ("binary_crossentropy", -1)]
)
def test_labels_that_are_none_are_refused_in_validation_data_and_by_evaluate_too(loss, wrong):
    units = 3 if loss[0] == "s" else 1
    right, labels = np.zeros(100, "int64"), np.full(100, wrong)
    model = small(units, "sigmoid" if units == 1 else "softmax", loss=loss)
    weights = model.get_weights()
    for given in (
        lambda: model.fit(X, labels, verbose=0),
        lambda: model.fit(X, right, validation_data=(X, labels), verbose=0),
        lambda: model.evaluate(X, labels, verbose=0),
    ):
        with pytest.raises(ValueError, match=r"`y`.*row 0"):
            given()
    for before, after in zip(weights, model.get_weights()):
        np.testing.assert_array_equal(before, after)


def test_what_is_wrong_with_validation_data_is_told_before_training():
    model = small()
    model.fit(X, Y, verbose=0)
    for data, said in (((X[:, :3], Y), r"validation_data.*\(None, 3\)"), ((X, Y[:3]), "rows|100")):
        weights = model.get_weights()
        with pytest.raises(ValueError, match=said):
            model.fit(X, Y, validation_data=data, verbose=0)
        np.testing.assert_array_equal(weights[0], model.get_weights()[0])


def test_shuffled_batches_keep_their_rows_together():
    seen = []

    class Seeing(layers.Layer):
        def call(self, x):
            seen.append(np.asarray(x)[:, 0].tolist())
            return x

    model = mt.Sequential([Seeing(), layers.Dense(1)])
    model.compile("sgd", "mse", run_eagerly=True)
    model.fit(np.arange(14.0)[:, None], np.zeros(14), batch_size=4, epochs=3, shuffle="batch", verbose=0)
    epochs = np.array([each[0] for each in seen[-12:]]).reshape(3, 4)
    assert all(each == list(range(int(each[0]), int(each[0]) + len(each))) for each in seen[-12:])
    assert all(sorted(each) == [0, 4, 8, 12] for each in epochs.tolist())
    assert len({tuple(each) for each in epochs.tolist()}) > 1


def test_evaluate_says_what_it_found_unless_it_is_told_not_to(capsys):
    model = small()
    model.evaluate(X, Y)
    assert "loss: " in capsys.readouterr().out
    model.evaluate(X, Y, verbose=0)
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"validation_freq": 0}, "validation_freq"),
        ({"steps_per_epoch": -2}, "steps_per_epoch"),
        ({"y": None}, "`y` is missing"),
        ({"x": X[:, :3]}, r"received shape \(None, 3\)"),
    ],
)
def test_arguments_of_fit_that_cannot_be_are_named(wrong, said):
    with pytest.raises(ValueError, match=said):
        small().fit(**{"x": X, "y": Y, "verbose": 0, **wrong})


def test_weights_of_losses_that_are_too_many_are_refused():
    with pytest.raises(ValueError, match="loss_weights"):
        small(loss_weights=[2.0, 5.0]).evaluate(X, Y, verbose=0)


def test_what_returns_nothing_is_named():
    class Silent(mt.Model):
        def call(self, x):
            return None

    def silent(y_true, y_pred):
        return None

    model = Silent()
    model.compile("sgd", "mse")
    for given, said in ((model, "`call`"), (small(loss=silent), "'silent'")):
        with pytest.raises(TypeError, match=said):
            given.fit(X, Y, verbose=0)


def test_a_series_is_a_table_of_one_column():
    model = mt.Sequential([layers.Dense(1)])
    model.compile("sgd", "mse")
    for made in (pd.Series([1.0, 2.0, 3.0]), pl.Series([1.0, 2.0, 3.0])):
        model.fit(made, made, verbose=0)
        assert model.predict(made[:2], verbose=0).shape == (2, 1)


def test_labels_that_code_of_ones_own_compares_are_its_own_affair():
    class Masked(mt.losses.BinaryCrossentropy):
        def call(self, y_true, y_pred):
            return super().call(mt.maximum(y_true, 0.0), y_pred)

    labels = np.where(X[:, 0] > 0, 1.0, -1.0)
    model = small(1, "sigmoid", loss=Masked())
    model.fit(X, labels, validation_data=(X, labels), verbose=0)
    assert np.isfinite(model.evaluate(X, labels, verbose=0))
    nearly = np.full(100, np.nextafter(np.float32(1), np.float32(2)), "float32")
    small(1, "sigmoid", loss="binary_crossentropy").evaluate(X, nearly, verbose=0)


def test_metrics_in_call_count_each_row_of_a_stream_once():
    class Counting(mt.Model):
        def __init__(self):
            super().__init__()
            self.dense, self.rows = layers.Dense(1, activation="sigmoid"), mt.metrics.Sum(name="rows")

        def call(self, x):
            self.rows.update_state(mt.ones_like(x[:, 0]))
            return self.dense(x)

    model = Counting()
    model.compile("sgd", "binary_crossentropy")
    data = mt.data.Dataset.from_tensor_slices((X, Y > 0)).batch(20)
    history = model.fit(data, validation_data=data, epochs=2, verbose=0).history
    assert history["val_rows"] == [100.0, 100.0]
    assert model.evaluate(data, verbose=0, return_dict=True)["rows"] == 100.0
