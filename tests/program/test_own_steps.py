"""Steps of one's own are replayed as programs where that can be, with the results of the Python code."""

import numpy as np
import pytest
from networks import X, Y, small

import minitrain as mt
from minitrain import keras, layers
from minitrain.engine.program.program import Program


class Plain(keras.Sequential):
    """As Keras's guide writes it: the loss of compile, its metrics, `compute_loss`."""

    def train_step(self, data):
        x, y = data
        with mt.GradientTape() as tape:
            loss = self.compute_loss(x=x, y=y, y_pred=self(x, training=True))
        grads = tape.gradient(loss, self.trainable_variables)
        self.optimizer.apply(grads, self.trainable_variables)
        for metric in self.metrics:
            if metric.name == "loss":
                metric.update_state(loss)
            else:
                metric.update_state(y, self(x))
        return {metric.name: metric.result() for metric in self.metrics}


class Tracking(keras.Sequential):
    """With trackers of its own, a loss of its own, and a result that is a Tensor."""

    def build(self, *args, **kwargs):
        super().build(*args, **kwargs)
        self.tracker = keras.metrics.Mean(name="error")

    def train_step(self, data):
        x, y = data
        with mt.GradientTape() as tape:
            error = mt.reduce_mean(mt.abs(self(x, training=True) - y))
        self.optimizer.apply_gradients(
            zip(tape.gradient(error, self.trainable_weights), self.trainable_weights, strict=True)
        )
        self.tracker.update_state(error)
        return {"error": self.tracker.result(), "last": error}

    test_step = train_step


def pair(cls, **options):
    made = []
    for eagerly in (False, True):
        mt.utils.set_random_seed(3)
        model = cls([layers.Input((6,)), layers.Dense(8, activation="tanh"), layers.Dropout(0.2), layers.Dense(3)])
        model.compile(**{"optimizer": "adam", "loss": "mse", **options}, run_eagerly=eagerly)
        made.append(model)
    return made


@pytest.fixture
def runs(monkeypatch):
    """How often programs have run."""
    made = [0]
    real = Program.run

    def run(self, *arrays):
        made[0] += 1
        return real(self, *arrays)

    monkeypatch.setattr(Program, "run", run)
    return made


@pytest.mark.parametrize("cls", [Plain, Tracking])
@pytest.mark.parametrize("told", [[], [keras.callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: None)]])
def test_a_step_of_ones_own_is_replayed_with_its_own_numbers(cls, told, runs):
    histories = []
    for model in pair(cls, metrics=["mae"]):
        mt.random.set_seed(5)
        histories.append(model.fit(X, Y, batch_size=16, epochs=4, verbose=0, callbacks=told).history)
        histories[-1] |= {f"test_{k}": [v] for k, v in model.evaluate(X, Y, verbose=0, return_dict=True).items()}
        last = model
    assert runs[0] > 8
    assert histories[0].keys() == histories[1].keys()
    for name, values in histories[0].items():
        np.testing.assert_allclose(values, histories[1][name], rtol=1e-6, err_msg=name)
    assert last.optimizer.iterations.numpy() > 0


def test_two_optimizers_in_one_step(runs):
    class Two(keras.Model):
        def __init__(self):
            super().__init__()
            self.one, self.two = small(), small()
            self.first, self.second = keras.optimizers.SGD(0.1), keras.optimizers.Adam(0.01)

        def call(self, x, training=None):
            return self.one(x) + self.two(x)

        def train_step(self, data):
            x, y = data
            with mt.GradientTape(persistent=True) as tape:
                loss = mt.reduce_mean((self(x) - y) ** 2)
            for part, optimizer in ((self.one, self.first), (self.two, self.second)):
                variables = part.trainable_variables
                optimizer.apply_gradients(zip(tape.gradient(loss, variables), variables, strict=True))
            return {"loss": loss}

    ends = []
    for eagerly in (False, True):
        mt.utils.set_random_seed(1)
        model = Two()
        model.compile(run_eagerly=eagerly)
        mt.random.set_seed(2)
        model.fit(X, Y, batch_size=10, epochs=3, verbose=0)
        ends.append(model.get_weights())
    assert runs[0] > 8
    for one, other in zip(*ends, strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_step_that_takes_values_out_runs_as_python_in_silence(runs):
    class Watching(Plain):
        def train_step(self, data):
            results = super().train_step(data)
            self.seen = [*getattr(self, "seen", []), float(results["loss"])]
            return {"loss": self.seen[-1], "count": len(self.seen)}

    model = pair(Watching)[0]
    history = model.fit(X, Y, batch_size=10, epochs=2, verbose=0).history
    assert history["count"] == [7.0, 14.0]
    assert runs[0] == 0


def test_a_step_that_sets_an_attribute_is_called_every_time():
    class Counting(Plain):
        calls = 0

        def train_step(self, data):
            self.calls += 1
            return super().train_step(data)

    model = pair(Counting)[0]
    model.fit(X, Y, batch_size=10, epochs=3, verbose=0)
    assert model.calls == 21


class Weighing(keras.Model):
    """As Keras's guide writes it for sample weights: all metrics are given the same."""

    def train_step(self, data):
        x, y, weight = data
        with mt.GradientTape() as tape:
            outputs = self(x, training=True)
            loss = self.compute_loss(y=y, y_pred=outputs, sample_weight=weight)
        self.optimizer.apply(tape.gradient(loss, self.trainable_variables), self.trainable_variables)
        for metric in self.metrics:
            if metric.name == "loss":
                metric.update_state(loss)
            else:
                metric.update_state(y, outputs, sample_weight=weight)
        return {metric.name: metric.result() for metric in self.metrics}


@pytest.mark.parametrize("heads", [1, 2])
def test_metrics_in_a_step_of_ones_own_pick_their_output_and_heed_weights_as_in_compile(heads, runs):
    histories = []
    weights = np.linspace(0.5, 2.0, len(X)).astype("float32")
    for cls, eagerly in ((Weighing, False), (Weighing, True), (keras.Model, False)):
        mt.utils.set_random_seed(3)
        inputs = keras.Input((6,))
        outputs = [layers.Dense(3, name=name)(inputs) for name in "ab"[:heads]]
        model = cls(inputs, outputs if heads > 1 else outputs[0])
        asked = {"metrics": [["mae"], ["mse"]], "weighted_metrics": [["mse"], ["mae"]]}
        if heads == 1:
            asked = {name: each[0] for name, each in asked.items()}
        model.compile("adam", "mse", run_eagerly=eagerly, **asked)
        y, weight = ([Y] * heads, [weights] * heads) if heads > 1 else (Y, weights)
        fitted = model.fit(X, y, sample_weight=weight, epochs=2, shuffle=False, verbose=0, batch_size=16).history
        histories.append({name: each for name, each in fitted.items() if "loss" not in name})
    assert runs[0]  # programs were replayed
    assert len(histories[0]) == 2 * heads
    for one in histories[:2]:
        assert one.keys() == histories[2].keys()
        for name, values in one.items():
            np.testing.assert_allclose(values, histories[2][name], rtol=1e-6)
