"""Callbacks that save, log, swap and resume, and the hooks of all: called in Keras's order with Keras's results."""

import csv
import functools
import json
import os

import numpy as np
import pytest
import tqdm.auto
from events import events

import minitrain as mt
from minitrain import callbacks, layers
from minitrain.models import load_model
from minitrain.training.callbacks import HOOKS

RNG = np.random.default_rng(0)
X = RNG.normal(size=(40, 4)).astype("float32")
Y = (X[:, :1] ** 2 - X[:, 1:2]).astype("float32")


def small(optimizer="sgd", **options):
    mt.random.set_seed(1)
    model = mt.Sequential([mt.Input((4,)), layers.Dense(8, activation="tanh"), layers.Dropout(0.2), layers.Dense(1)])
    model.compile(optimizer, **({"loss": "mse"} | options))
    return model


def fit(model, *given, **options):
    return model.fit(X, Y, **({"batch_size": 16, "verbose": 0, "callbacks": list(given)} | options))


def same(one, other):
    for mine, its in zip(one, other, strict=True):
        np.testing.assert_array_equal(mine, its)


class Scripted(callbacks.Callback):
    """Results that are known beforehand."""

    def __init__(self, *scores):
        self.scores = scores

    def on_epoch_end(self, epoch, logs=None):
        logs["score"] = self.scores[epoch]


class Crash(Exception):  # noqa: N818
    """What ends training in the middle."""


class Crashing(callbacks.Callback):
    """Ends training at a batch of an epoch, once its other callbacks have been called."""

    def __init__(self, epoch=None, batch=None):
        self._place = (epoch, batch)

    def on_epoch_begin(self, epoch, logs=None):
        self._epoch = epoch

    def on_train_batch_end(self, batch, logs=None):
        if (self._epoch, batch) == self._place:
            raise Crash


# ---------------------------------------------------------------------------------------------------------------- hooks


def recorder(called):
    def noting(hook):
        return lambda *args: called.append((hook, *(sorted(each) if isinstance(each, dict) else each for each in args)))

    return callbacks.LambdaCallback(**{hook: noting(hook) for hook in HOOKS})


def test_the_hooks_of_fit_are_called_in_the_order_of_keras():
    called = []
    model = small(metrics=["mae"])
    fit(model, recorder(called), batch_size=20, validation_data=(X, Y))
    names, results = [each[0] for each in called], ["loss", "mae"]
    batches = ["batch_begin", "batch_end"] * 2
    assert names == [
        *("on_train_begin", "on_epoch_begin", *(f"on_train_{each}" for each in batches)),
        *("on_test_begin", *(f"on_test_{each}" for each in batches), "on_test_end"),
        *("on_epoch_end", "on_train_end"),
    ]
    said = {each[0]: each[1:] for each in called}
    assert said["on_train_batch_end"] == (1, results)
    assert said["on_test_batch_end"] == (1, results)
    assert said["on_test_end"] == (results,)
    assert said["on_epoch_end"] == (0, [*results, "val_loss", "val_mae"])
    assert said["on_train_end"] == ([*results, "val_loss", "val_mae"],)


def test_the_hooks_of_evaluate_and_predict_are_called_in_the_order_of_keras():
    called = []
    model = small()
    model.evaluate(X, Y, batch_size=20, verbose=0, callbacks=[recorder(called)])
    assert called == [
        ("on_test_begin", []),
        ("on_test_batch_begin", 0, []),
        ("on_test_batch_end", 0, ["loss"]),
        ("on_test_batch_begin", 1, []),
        ("on_test_batch_end", 1, ["loss"]),
        ("on_test_end", ["loss"]),
    ]
    called.clear()
    model.predict(X, batch_size=20, verbose=0, callbacks=[recorder(called)])
    assert called == [
        ("on_predict_begin", []),
        ("on_predict_batch_begin", 0, []),
        ("on_predict_batch_end", 0, ["outputs"]),
        ("on_predict_batch_begin", 1, []),
        ("on_predict_batch_end", 1, ["outputs"]),
        ("on_predict_end", []),
    ]


def test_a_hook_that_does_not_exist_is_named():
    with pytest.raises(ValueError, match=r"on_epoch_ends.*on_epoch_end"):
        callbacks.LambdaCallback(on_epoch_ends=print)
    with pytest.raises(TypeError, match="list of Callbacks"):
        fit(small(), print)


@pytest.mark.parametrize(
    "watching",
    [
        callbacks.EarlyStopping("val_loss"),
        callbacks.ReduceLROnPlateau("val_loss"),
        callbacks.ModelCheckpoint("nothing.minitrain", save_best_only=True),
    ],
    ids=lambda each: type(each).__name__,
)
def test_a_result_that_is_missing_warns(watching, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.warns(
        UserWarning, match=rf"{type(watching).__name__} conditioned on metric 'val_loss'.*loss.*validation_data"
    ):
        fit(small(), watching)
    # As in Keras, a model is rather saved than lost.
    assert os.listdir(tmp_path) == (["nothing.minitrain"] if type(watching) is callbacks.ModelCheckpoint else [])


@pytest.mark.parametrize("make", [callbacks.EarlyStopping, callbacks.ReduceLROnPlateau, callbacks.CSVLogger])
def test_the_state_of_a_callback_moves_to_another(make, tmp_path):
    arguments = [tmp_path / "log.csv"] if make is callbacks.CSVLogger else ["loss"]
    one, other = make(*arguments), make(*arguments)
    fit(small(), one, epochs=3)
    other.set_state(one.get_state())
    assert other.get_state() == one.get_state()
    assert not {"model", "params"} & set(one.get_state())


# ---------------------------------------------------------------------------------------------------------- checkpoints


def test_a_checkpoint_is_written_after_every_epoch_under_its_name(tmp_path):
    model = small()
    kept = callbacks.ModelCheckpoint(tmp_path / "{epoch:02d}-{val_loss:.3f}.minitrain")
    results = fit(model, kept, epochs=2, validation_data=(X, Y)).history["val_loss"]
    assert sorted(os.listdir(tmp_path)) == [f"{n + 1:02d}-{each:.3f}.minitrain" for n, each in enumerate(results)]
    same(load_model(tmp_path / f"02-{results[1]:.3f}.minitrain").get_weights(), model.get_weights())


def test_only_the_best_is_kept(tmp_path):
    seen = []
    noting = callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: seen.append(model.get_weights()))
    for mode, best in (("max", 1), ("min", 0)):
        seen.clear()
        model = small()
        kept = callbacks.ModelCheckpoint(tmp_path / "best.minitrain", "score", save_best_only=True, mode=mode)
        fit(model, Scripted(2.0, 5.0, 3.0), kept, noting, epochs=3)
        same(load_model(tmp_path / "best.minitrain").get_weights(), seen[best])
        assert kept.best == [2.0, 5.0][best]


def test_nothing_is_kept_below_the_initial_threshold(tmp_path):
    options = {"save_best_only": True, "mode": "max", "initial_value_threshold": 9.0}
    fit(small(), Scripted(2.0), callbacks.ModelCheckpoint(tmp_path / "best.minitrain", "score", **options))
    assert os.listdir(tmp_path) == []


def test_a_checkpoint_may_come_every_so_many_batches(tmp_path):
    kept = callbacks.ModelCheckpoint(tmp_path / "{epoch}-{batch}-{loss:.0f}.minitrain", save_freq=2)
    fit(small(), kept, epochs=2)  # three batches an epoch
    assert sorted(each.rsplit("-", 1)[0] for each in os.listdir(tmp_path)) == ["1-2", "2-1", "2-3"]


def test_a_checkpoint_may_hold_weights_alone(tmp_path):
    model, twin = small(), small()
    fit(model, callbacks.ModelCheckpoint(tmp_path / "last.safetensors", save_weights_only=True))
    twin.load_weights(tmp_path / "last.safetensors")
    same(twin.get_weights(), model.get_weights())
    with pytest.raises(ValueError, match="no model file"):
        load_model(tmp_path / "last.safetensors")


def test_mistakes_in_checkpoints_are_named(tmp_path):
    with pytest.raises(ValueError, match=r"'val_los'.*loss"):
        fit(small(), callbacks.ModelCheckpoint(tmp_path / "{val_los}.minitrain"))
    for frequency in ("batch", 0, -1, True, 1.5):
        with pytest.raises(ValueError, match="`save_freq`"):
            callbacks.ModelCheckpoint("m", save_freq=frequency)
        with pytest.raises(ValueError, match="`save_freq`"):
            callbacks.BackupAndRestore("b", save_freq=frequency)
    with pytest.warns(UserWarning, match="mode 'most' is unknown"):
        assert callbacks.ModelCheckpoint("m", mode="most").mode == "auto"
    with pytest.raises(ValueError, match="`backup_dir`"):
        callbacks.BackupAndRestore("")
    with pytest.raises(ValueError, match="`backup_dir`"):
        callbacks.BackupAndRestore(None)
    with pytest.raises(KeyError, match="Failed to format this callback filepath"):
        fit(small(), callbacks.ModelCheckpoint(tmp_path / "{val_los}.minitrain"))


def test_a_backup_takes_its_directory_along_where_nothing_else_is_in_it(tmp_path):
    for names in ([], ["mine"]):
        folder = tmp_path / f"holds {len(names)}"
        folder.mkdir()
        for each in names:
            (folder / each).touch()
        fit(small(), callbacks.BackupAndRestore(folder))
        assert [each.name for each in folder.glob("*")] == names
        assert folder.exists() == bool(names)


def test_a_bar_is_drawn_once_for_a_fast_epoch_and_never_where_bars_are_off(capsys, monkeypatch):
    fit(small(), epochs=2, verbose=1)
    assert capsys.readouterr().err.count("3/3") == 2
    monkeypatch.setattr(tqdm.auto, "tqdm", functools.partial(tqdm.auto.tqdm, disable=True))  # as by TQDM_DISABLE
    fit(small(), epochs=2, verbose=1)
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("columns", [40, -1])  # -1 is what terminals are taken for that do not know their size
def test_a_bar_shows_all_results_whatever_the_width_of_the_terminal(columns, capsys, monkeypatch):
    sized = functools.partial(tqdm.auto.tqdm, ncols=columns, nrows=columns)
    monkeypatch.setattr(tqdm.auto, "tqdm", sized)
    fit(small(), epochs=2, verbose=1, validation_split=0.5)
    assert capsys.readouterr().err.count("val_loss=") == 2


def test_hooks_may_use_what_else_a_lambda_callback_is_given():
    called = []
    callback = callbacks.LambdaCallback(on_train_begin=lambda logs: callback.mine("begin"), mine=called.append)
    fit(small(), callback)
    assert called == ["begin"]
    with pytest.raises(ValueError, match="'on_epoch_and'"):
        callbacks.LambdaCallback(on_epoch_and=print)


def test_a_plateau_ends_at_the_least_rate_although_it_is_kept_in_float32():
    callback = callbacks.ReduceLROnPlateau("score", patience=1, factor=0.1, mode="min", min_lr=0.0005)
    fit(small(), Scripted(1, 1, 1, 1, 1), callback, epochs=5)
    assert callback.wait == 2


# --------------------------------------------------------------------------------------------------------------- backup


def adam():
    return small(mt.optimizers.Adam(0.05), metrics=["mae"])


def watched(folder, crash, **options):
    """Callbacks with state, a crash, and a backup."""
    return [
        callbacks.LearningRateScheduler(lambda epoch, rate: rate * 0.9),
        callbacks.ReduceLROnPlateau("val_loss", factor=0.5, patience=1),
        callbacks.EarlyStopping("val_loss", patience=4, restore_best_weights=True),
        callbacks.CSVLogger(folder / "log.csv"),
        callbacks.JSONLogger(folder / "log.jsonl"),
        crash,
        callbacks.BackupAndRestore(folder / "backup", **options),
    ]


@pytest.mark.parametrize(
    "options", [{}, {"save_freq": 2}, {"save_freq": 1}, {"save_freq": 2, "double_checkpoint": True}]
)
@pytest.mark.parametrize("place", [(0, 1), (2, 0), (3, 2)])
def test_resumed_training_equals_uninterrupted(options, place, tmp_path):
    settings = {"epochs": 5, "batch_size": 8, "validation_split": 0.2}
    results = []
    for name, crashes in (("whole", []), ("broken", [place])):
        folder = tmp_path / name
        for crash in crashes:
            with pytest.raises(Crash):
                fit(adam(), *watched(folder, Crashing(*crash), **options), **settings)
        model = adam()
        history = fit(model, *watched(folder, Crashing(), **options), **settings)
        logs = [(folder / each).read_bytes() for each in ("log.csv", "log.jsonl")]
        results.append((history.history, history.epoch, logs, model.get_weights()))
        assert not (folder / "backup" / "backup.minitrain").exists()
    assert results[0][:3] == results[1][:3]
    same(results[0][3], results[1][3])


def test_a_backup_is_kept_where_asked_and_goes_on_with_other_callbacks(tmp_path):
    backup = callbacks.BackupAndRestore(tmp_path, delete_checkpoint=False)
    fit(small(), backup, epochs=2)
    assert os.listdir(tmp_path) == ["backup.minitrain"]
    model = small()
    assert fit(model, callbacks.BackupAndRestore(tmp_path, delete_checkpoint=False), epochs=3).epoch == [0, 1, 2]
    resumed = fit(small(), callbacks.BackupAndRestore(tmp_path), callbacks.TerminateOnNaN(), epochs=4)
    assert resumed.epoch == [0, 1, 2, 3]


def test_a_damaged_backup_is_refused_before_any_weight_changes(tmp_path):
    fit(small(), callbacks.BackupAndRestore(tmp_path, delete_checkpoint=False))
    path = tmp_path / "backup.minitrain"
    data = path.read_bytes()
    model = small()
    before = model.get_weights()
    for end in range(0, len(data), 500):
        path.write_bytes(data[:end])
        with pytest.raises(mt.errors.FileFormatError):
            fit(model, callbacks.BackupAndRestore(tmp_path))
    same(model.get_weights(), before)


# -------------------------------------------------------------------------------------------------------------- loggers


def test_the_json_logger_writes_a_line_an_epoch(tmp_path):
    path = tmp_path / "log.jsonl"
    history = fit(small(metrics=["mae"]), callbacks.JSONLogger(path), epochs=2).history
    rows = [json.loads(each) for each in path.read_text().splitlines()]
    assert rows == [{"epoch": n, "loss": history["loss"][n], "mae": history["mae"][n]} for n in range(2)]
    fit(small(), callbacks.JSONLogger(path, append=True))
    assert len(path.read_text().splitlines()) == 3
    fit(small(), callbacks.JSONLogger(path))
    assert len(path.read_text().splitlines()) == 1


def test_the_csv_logger_goes_on_with_a_file_that_it_appends_to(tmp_path):
    path = tmp_path / "log.csv"
    fit(small(), callbacks.CSVLogger(path, separator=";"), epochs=2)
    fit(small(), callbacks.CSVLogger(path, separator=";", append=True), epochs=3, initial_epoch=2)
    with open(path, newline="") as file:
        rows = list(csv.reader(file, delimiter=";"))
    assert [each[0] for each in rows] == ["epoch", "0", "1", "2"]
    fit(small(), callbacks.CSVLogger(path))
    assert len(path.read_text().splitlines()) == 2


def test_a_result_that_comes_later_is_not_lost_to_the_others(tmp_path):
    path = tmp_path / "log.csv"
    fit(small(), callbacks.CSVLogger(path), epochs=2, validation_data=(X, Y), validation_freq=[1])
    rows = [each.split(",") for each in path.read_text().splitlines()]
    assert rows[0] == ["epoch", "loss", "val_loss"]
    assert rows[2][2] == "NA"


def test_history_becomes_a_frame_and_curves(tmp_path):
    pd, pyplot = pytest.importorskip("pandas"), pytest.importorskip("matplotlib.pyplot")
    pyplot.switch_backend("agg")
    history = fit(small(metrics=["mae"]), epochs=3, validation_data=(X, Y))
    frame = history.to_frame()
    assert isinstance(frame, pd.DataFrame)
    assert list(frame.columns) == ["loss", "mae", "val_loss", "val_mae"]
    assert (frame.index.name, list(frame.index)) == ("epoch", [0, 1, 2])
    assert frame["val_mae"].tolist() == history.history["val_mae"]
    drawn = {line.get_label(): line.get_ydata().tolist() for line in history.plot().get_lines()}
    assert drawn == history.history
    ax = pyplot.subplots()[1]
    assert history.plot("mae", ax=ax) is ax
    assert [line.get_label() for line in ax.get_lines()] == ["mae", "val_mae"]
    assert all(tick % 1 == 0 for tick in ax.get_xticks())  # there is no half epoch
    with pytest.raises(ValueError, match=r"'mea'.*mae"):
        history.plot("mea", ax=ax)
    history = fit(small(), epochs=5, validation_data=(X, Y), validation_freq=2)
    assert [line.get_xdata().tolist() for line in history.plot().get_lines()] == [[0, 1, 2, 3, 4], [1, 3]]
    assert history.to_frame()["val_loss"].notna().tolist() == [False, True, False, True, False]
    pyplot.close("all")


def test_tensorboard_finds_the_results(tmp_path):
    pytest.importorskip("tensorboardX")
    model = small(mt.optimizers.SGD(0.25), metrics=["mae"])
    board = callbacks.TensorBoard(tmp_path, histogram_freq=2, update_freq=2)
    history = fit(model, board, epochs=3, validation_data=(X, Y)).history
    train, validation = events(tmp_path / "train"), events(tmp_path / "validation")
    for found, prefix in ((train, ""), (validation, "val_")):
        for name in ("loss", "mae"):
            expected = list(enumerate(np.float32(history[prefix + name]).tolist()))
            assert found[f"epoch_{name}"] == expected
    assert train["epoch_learning_rate"] == [(0, 0.25), (1, 0.25), (2, 0.25)]
    assert [step for step, _ in train["batch_loss"]] == [2, 4, 6, 8]
    assert [step for step, _ in train["batch_mae"]] == [2, 4, 6, 8]
    weights = {each.path.replace(":", "_"): each.numpy().size for each in model.weights}
    assert {tag: [*each] for tag, each in train.items() if "/" in tag} == {
        path: [(0, size), (2, size)] for path, size in weights.items()
    }


def test_tensorboard_refuses_arguments_that_neither_it_nor_keras_knows(tmp_path):
    callbacks.TensorBoard(tmp_path, write_graph=True, profile_batch=0)
    with pytest.raises(ValueError, match="write_grpah"):
        callbacks.TensorBoard(tmp_path, write_grpah=True)


# ------------------------------------------------------------------------------------------------------------- averages


def averaged(model):
    return [each.numpy() for each in model.optimizer._model_variables_moving_average]


def test_averages_are_evaluated_and_weights_trained():
    seen = []
    options = {"use_ema": True, "ema_momentum": 0.5, "ema_overwrite_frequency": None}
    swap = callbacks.SwapEMAWeights()

    class Looking(callbacks.Callback):
        def on_test_begin(self, logs=None):
            seen.append((self.model.get_weights(), averaged(self.model)))

        def on_test_end(self, logs=None):
            seen.append((self.model.get_weights(), averaged(self.model)))

    model = small(mt.optimizers.SGD(0.1, **options))
    fit(model, Looking(), swap, Looking(), epochs=2, validation_data=(X, Y))
    plain = small(mt.optimizers.SGD(0.1, **options))
    fit(plain, epochs=2, validation_data=(X, Y))
    same(model.get_weights(), plain.get_weights())
    before, during, still, after = seen[:4]
    same(before[0], during[1])
    same(before[1], during[0])
    same(still[0], during[0])
    same(after[0], before[0])


def test_averages_are_predicted_with():
    model = small(mt.optimizers.SGD(0.1, use_ema=True, ema_momentum=0.5))
    model.train_on_batch(X, Y)
    weights, averages = model.get_weights(), averaged(model)
    swap = callbacks.SwapEMAWeights()
    found = model.predict(X, verbose=0, callbacks=[swap])
    same(model.get_weights(), weights)
    model.set_weights(averages)
    same([model.predict(X, verbose=0)], [found])


def test_averages_are_what_a_checkpoint_keeps_with_swap_on_epoch(tmp_path):
    model = small(mt.optimizers.SGD(0.1, use_ema=True, ema_momentum=0.5))
    swap = callbacks.SwapEMAWeights(swap_on_epoch=True)
    kept = callbacks.ModelCheckpoint(tmp_path / "{epoch}.safetensors", save_weights_only=True)
    seen = []
    noting = callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: seen.append(averaged(model)))
    fit(model, noting, swap, kept, epochs=2)
    twin = small()
    for epoch, averages in enumerate(seen):
        twin.load_weights(tmp_path / f"{epoch + 1}.safetensors")
        same(twin.get_weights(), averages)


def test_averages_need_an_optimizer_that_keeps_them():
    with pytest.raises(ValueError, match="use_ema=True"):
        fit(small(), callbacks.SwapEMAWeights())


class Noting(callbacks.Callback):
    """Writes down what it is called for."""

    def __init__(self):
        self.seen = []

    def on_batch_begin(self, batch, logs=None):
        self.seen.append(("begin", batch))

    def on_train_batch_end(self, batch, logs=None):
        super().on_train_batch_end(batch, logs)
        self.seen.append(("end", batch))


def test_a_list_of_callbacks_serves_loops_of_ones_own():
    noting = Noting()
    model = small()
    listed = callbacks.CallbackList([noting], add_history=True, model=model, epochs=1, steps=2)
    listed.on_train_begin()
    listed.on_epoch_begin(0)
    for batch in range(2):
        listed.on_train_batch_begin(batch)
        listed.on_train_batch_end(batch, {"loss": 1.0})
    listed.on_epoch_end(0, logs={"loss": 1.0})
    listed.on_train_end()
    listed.append(callbacks.Callback())
    assert noting.seen == [("begin", 0), ("end", 0), ("begin", 1), ("end", 1)]
    assert noting.model is model
    assert noting.params == {"epochs": 1, "steps": 2}
    assert model.history.history == {"loss": [1.0]}
    noting.seen.clear()
    assert fit(model, history := callbacks.History(), epochs=2) is history
    model.fit(X, Y, batch_size=16, verbose=0, callbacks=listed)
    assert noting.seen[0] == ("begin", 0)


@pytest.mark.parametrize(
    ("monitor", "mode", "operation"),
    [
        ("val_loss", "auto", "less"),
        ("val_accuracy", "auto", "greater"),
        ("val_rise", "auto", "greater"),
        ("val_fall", "auto", "less"),
        ("val_loss", "max", "greater"),
        ("any", "min", "less"),
    ],
)
def test_the_direction_is_that_of_the_mode_the_metric_or_the_name(monitor, mode, operation):
    model = small()
    for name, direction in (("rise", "up"), ("fall", "down")):
        setattr(model, name, mt.metrics.Mean(name=name))
        getattr(model, name)._direction = direction
    watching = callbacks.EarlyStopping(monitor, mode=mode)
    watching.set_model(model)
    watching.on_train_begin()
    watching.on_epoch_end(0, {monitor: 1.0})
    assert watching.monitor_op.__name__ == operation


def test_a_direction_that_nothing_says_is_asked_for():
    watching = callbacks.EarlyStopping("thing")
    watching.set_model(small())
    with pytest.raises(ValueError, match="maximized or minimized"):
        watching.on_epoch_end(0, {"thing": 1.0})


def test_a_csv_file_has_room_for_validation_that_begins_later(tmp_path):
    path = tmp_path / "log.csv"
    fit(small(), callbacks.CSVLogger(path), epochs=2, validation_data=(X, Y), validation_freq=2)
    header, first, second = path.read_text().splitlines()
    assert header == "epoch,loss,val_loss"
    assert first.endswith(",NA")
    assert float(second.split(",")[2]) > 0


def test_a_loss_that_is_no_number_may_raise():
    stopper = callbacks.TerminateOnNaN(raise_error=True)
    with pytest.raises(RuntimeError, match="batch 3"):
        stopper.on_train_batch_end(3, {"loss": float("nan")})


def test_swapping_on_epochs_leaves_the_averages_in_the_model():
    weights = []
    for options in ({}, {"swap_on_epoch": True}):
        mt.utils.set_random_seed(0)
        model = small(optimizer=mt.optimizers.SGD(0.1, use_ema=True, ema_momentum=0.5))
        fit(model, callbacks.SwapEMAWeights(**options), epochs=3, validation_data=(X, Y))
        weights.append(model.get_weights())
    same(*weights)


def test_a_layer_frozen_within_an_epoch_is_left_alone_from_then_on():
    class Freeze(callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            if batch == 1:
                self.model.layers[0].trainable = False

    def trained(run_eagerly):
        mt.utils.set_random_seed(1)
        model = mt.Sequential([layers.Dense(4, kernel_regularizer="l2"), layers.Dense(1)])
        model.compile("sgd", "mse", run_eagerly=run_eagerly)
        x = np.linspace(-1.0, 1.0, 32, dtype="float32").reshape(16, 2)
        return model.fit(x, x[:, :1], batch_size=4, epochs=2, verbose=0, shuffle=False, callbacks=[Freeze()]).history

    assert trained(False) == trained(True)


def test_callbacks_end_evaluation_and_prediction():
    class Stop(callbacks.Callback):
        def on_test_batch_end(self, batch, logs=None):
            self.model.stop_evaluating = batch == 1

        def on_predict_batch_end(self, batch, logs=None):
            self.model.stop_predicting = batch == 1

    model = small()
    first, whole = (
        model.evaluate(X[:16], Y[:16], batch_size=8, verbose=0),
        model.evaluate(X, Y, batch_size=8, verbose=0),
    )
    assert model.evaluate(X, Y, batch_size=8, callbacks=[Stop()], verbose=0) == first
    assert len(model.predict(X, batch_size=8, callbacks=[Stop()], verbose=0)) == 16
    assert model.evaluate(X, Y, batch_size=8, verbose=0) == whole  # the next is no longer stopped
    assert len(model.predict(X, batch_size=8, verbose=0)) == 40
