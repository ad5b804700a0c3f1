"""What training and predicting cost by program, beside hand-written NumPy in the same run.

    python benchmarks/compiled.py           # prints the table; --write keeps it in benchmarks/compiled.txt

The naive step is what people write first: `X[index]`, `x @ W + b`, `np.maximum`, fresh arrays throughout,
`p -= lr * g` or Adam's lines for each parameter, `float(loss)` each step, one permutation an epoch. W1 is 8-30-30-1
with ReLU, MSE, SGD and batch 32 on 11,610 rows; W2 is 784-256-128-10 with cross-entropy from logits, Adam and batch
128; W3 is three layers of 1024, batch 1024, SGD. One BLAS thread; medians of interleaved rounds.
"""

from __future__ import annotations

import pinned

pinned.pin()  # before NumPy is imported, which reads the environment once

import itertools
import statistics
import time
from collections.abc import Callable

import numpy as np
from report import report
from tape import MEDIANS

import minitrain as mt
from minitrain import layers

Step = Callable[[], None]


def weights(widths: list[int], rng: np.random.Generator) -> list[np.ndarray]:
    """Kernels and biases, in turn."""
    made = []
    for i, o in itertools.pairwise(widths):
        made += [(rng.normal(size=(i, o)) / np.sqrt(i)).astype("float32"), np.zeros(o, "float32")]
    return made


def naive_epoch(x_all: np.ndarray, y_all: np.ndarray, widths: list[int], batch: int, adam: bool) -> Step:
    """An epoch as people write it first."""
    rng = np.random.default_rng(0)
    params = weights(widths, rng)
    moments = [(np.zeros_like(p), np.zeros_like(p)) for p in params]
    count = 0
    depth = len(params) // 2

    def epoch() -> None:
        nonlocal count
        order = rng.permutation(len(x_all))
        for start in range(0, len(x_all), batch):
            index = order[start : start + batch]
            x, y = x_all[index], y_all[index]
            inputs, h = [], x
            for place in range(depth):
                inputs.append(h)
                h = h @ params[2 * place] + params[2 * place + 1]
                if place < depth - 1:
                    h = np.maximum(h, 0)
            if adam:  # cross-entropy from logits
                shifted = h - h.max(1, keepdims=True)
                log_p = shifted - np.log(np.exp(shifted).sum(1, keepdims=True))
                float(-log_p[np.arange(len(y)), y].mean())
                g = np.exp(log_p)
                g[np.arange(len(y)), y] -= 1
                g = g / len(y)
            else:
                error = h - y
                float(np.mean(error**2))
                g = 2 * error / error.size
            grads: list[np.ndarray] = [np.empty(0)] * len(params)
            for place in reversed(range(depth)):
                if place < depth - 1:
                    g = g * (inputs[place + 1] > 0)
                grads[2 * place], grads[2 * place + 1] = inputs[place].T @ g, g.sum(0)
                if place:
                    g = g @ params[2 * place].T
            count += 1
            for p, grad, (m, v) in zip(params, grads, moments, strict=True):
                if adam:
                    m += 0.1 * (grad - m)
                    v += 0.001 * (grad**2 - v)
                    rate = 0.001 * np.sqrt(1 - 0.999**count) / (1 - 0.9**count)
                    p -= rate * m / (np.sqrt(v) + 1e-7)
                else:
                    p -= 0.01 * grad

    return epoch


def network(widths: list[int]) -> mt.Sequential:
    """The same network as a model."""
    model = mt.Sequential([mt.Input((widths[0],))])
    for units in widths[1:-1]:
        model.add(layers.Dense(units, activation="relu"))
    model.add(layers.Dense(widths[-1]))
    return model


def timed(function: Step) -> float:
    """Seconds of one call."""
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


def ratio_of(mine: Step, naive: Step, rounds: int) -> tuple[float, float]:
    """Medians of interleaved rounds, in seconds."""
    times: tuple[list[float], list[float]] = [], []
    for _ in range(rounds):
        times[0].append(timed(mine))
        times[1].append(timed(naive))
    return statistics.median(times[0]), statistics.median(times[1])


class EpochTimes(mt.callbacks.Callback):
    """Seconds from the end of one epoch to the end of the next: all of `fit` included."""

    def on_train_begin(self, logs: object = None) -> None:
        self.times: list[float] = []
        self.last = time.perf_counter()

    def on_epoch_end(self, epoch: int, logs: object = None) -> None:
        now = time.perf_counter()
        self.times.append(now - self.last)
        self.last = now


def fit_epochs(model: mt.Model, x: np.ndarray, y: np.ndarray, batch: int) -> Callable[[], float]:
    """The median time of epochs 2 to 6 of a plain `fit`, in seconds."""

    def run() -> float:
        times = EpochTimes()
        model.fit(x, y, batch_size=batch, epochs=6, verbose=0, callbacks=[times])
        return statistics.median(times.times[1:])

    return run


def compared(name: str, mine: float, other: float, called: str, goal: str) -> str:
    """A line of the table; times in seconds."""
    return f"{name:44s} {mine * 1e6:9.1f} us, {called} {other * 1e6:9.1f} us: {mine / other:5.2f}   (goal {goal})"


def fit_line(name: str, widths: list[int], rows: int, batch: int, adam: bool, rounds: int, goal: str) -> str:
    rng = np.random.default_rng(1)
    x = rng.normal(size=(rows, widths[0])).astype("float32")
    y = rng.integers(0, widths[-1], rows) if adam else rng.normal(size=(rows, widths[-1])).astype("float32")
    model = network(widths)
    loss = mt.losses.SparseCategoricalCrossentropy(from_logits=True) if adam else "mse"
    model.compile(mt.optimizers.Adam(0.001) if adam else mt.optimizers.SGD(0.01), loss)
    epochs, naive = fit_epochs(model, x, y, batch), naive_epoch(x, y, widths, batch, adam)
    naive()
    mine, theirs = [], []
    for _ in range(rounds):
        mine.append(epochs())
        theirs.append(statistics.median(timed(naive) for _ in range(3)))
    a, b = statistics.median(mine), statistics.median(theirs)
    steps = -(-rows // batch)
    return compared(name, a / steps, b / steps, "naive", goal)


def wide_line() -> str:
    """W3 against the bare products of a step: forward, for the kernels and for the inputs but the first."""
    size = 1024
    rng = np.random.default_rng(1)
    x = rng.normal(size=(4 * size, size)).astype("float32")
    model = network([size] * 4)
    model.compile(mt.optimizers.SGD(1e-4), "mse")
    epochs = fit_epochs(model, x, x, size)
    a, w = x[:size].copy(), x[size : 2 * size].copy()
    out = np.empty_like(a)

    def products() -> None:
        for _ in range(4):
            for _ in range(3):
                a.dot(w, out)
                a.T.dot(w, out)
            for _ in range(2):
                a.dot(w.T, out)

    mine, bare = [], []
    for _ in range(3):
        mine.append(epochs())
        bare.append(timed(products))
    a_, b_ = statistics.median(mine), statistics.median(bare)
    return compared("W3, fit against bare products", a_ / 4, b_ / 4, "bare", "1.10")


def predict_lines() -> list[str]:
    model = network([8, 30, 30, 1])
    rng = np.random.default_rng(1)
    one, many = (rng.normal(size=(rows, 8)).astype("float32") for rows in (1, 100_000))
    for _ in range(3):
        model.predict(one, verbose=0)
        model.predict_on_batch(one)
        model.predict(many, verbose=0)

    def repeated(function: Step) -> float:
        return statistics.median(timed(lambda: [function() for _ in range(200)] and None) / 200 for _ in range(9))

    whole = repeated(lambda: model.predict(one, verbose=0))
    batch = repeated(lambda: model.predict_on_batch(one))
    kernels = [each for each in model.get_weights() if each.ndim == 2]

    def products() -> None:
        h = many
        for kernel in kernels:
            h = h.dot(kernel)

    mine, bare = ratio_of(lambda: model.predict(many, verbose=0), products, 9)
    return [
        f"{'predict_on_batch, one row':44s} {batch * 1e6:9.1f} us   (goal 15)",
        f"{'predict, one row':44s} {whole * 1e6:9.1f} us   (goal 25)",
        compared("predict, 100,000 rows", mine, bare, "bare", "2.2"),
    ]


def loop_line() -> str:
    """A custom loop with its step under `function`, against `fit`, on W1."""
    rng = np.random.default_rng(1)
    rows = 11_610
    x, y = rng.normal(size=(rows, 8)).astype("float32"), rng.normal(size=(rows, 1)).astype("float32")
    fitted, looped = network([8, 30, 30, 1]), network([8, 30, 30, 1])
    fitted.compile(mt.optimizers.SGD(0.01), "mse")
    optimizer, loss_fn = mt.optimizers.SGD(0.01), mt.losses.MeanSquaredError()
    variables = looped.trainable_variables

    @mt.function
    def step(x_batch: mt.Tensor, y_batch: mt.Tensor) -> mt.Tensor:
        with mt.GradientTape() as tape:
            loss = loss_fn(y_batch, looped(x_batch, training=True))
        optimizer.apply_gradients(zip(tape.gradient(loss, variables), variables, strict=True))
        return loss

    def loop() -> None:
        order = rng.permutation(rows)
        for start in range(0, rows, 32):
            index = order[start : start + 32]
            step(x[index], y[index])

    epochs = fit_epochs(fitted, x, y, 32)
    for _ in range(3):
        loop()
    mine, fits = [], []
    for _ in range(5):
        mine.append(statistics.median(timed(loop) for _ in range(3)))
        fits.append(epochs())
    a, b = statistics.median(mine), statistics.median(fits)
    return compared("custom loop under function against fit, W1", a / 363, b / 363, "fit", "1.4")


def fleet_line() -> str:
    """Ten models of W1 in one program against one of them."""
    rng = np.random.default_rng(1)
    x, y = rng.normal(size=(11_610, 8)).astype("float32"), rng.normal(size=(11_610, 1)).astype("float32")
    models = [network([8, 30, 30, 1]) for _ in range(11)]
    for each in models:
        each.compile(mt.optimizers.SGD(0.01), "mse")
    one, fleet = fit_epochs(models[0], x, y, 32), mt.vectorize(models[1:])
    mine, single = [], []
    for _ in range(7):
        times = EpochTimes()
        fleet.fit(x, y, epochs=6, callbacks=lambda place, times=times: [times] if place == 9 else [])
        mine.append(statistics.median(times.times[1:]))
        single.append(one())
    a, b = statistics.median(mine), statistics.median(single)
    return compared("ten models of W1 in one program, a step", a / 363, b / 363, "one", "5.5")


def recording_line(name: str, depth: int, goal: str) -> str:
    """The first `fit`, in which a step is recorded twice and planned, beyond two eager steps."""
    rng = np.random.default_rng(1)
    x, y = rng.normal(size=(96, 8)).astype("float32"), rng.normal(size=(96, 1)).astype("float32")
    times = []
    for _ in range(5):
        costs = []
        for eagerly in (False, True):
            model = network([8, *[30] * depth, 1])
            model.compile("sgd", "mse", run_eagerly=eagerly)
            model.fit(x[:32], y[:32], verbose=0)
            costs.append(timed(lambda model=model: model.fit(x, y, batch_size=32, verbose=0)))
        times.append(costs[0] - costs[1])
    return f"{name:44s} {statistics.median(times) * 1e3:9.2f} ms   (goal {goal})"


def fit_table() -> list[str]:
    return [
        fit_line("W1, fit, a step", [8, 30, 30, 1], 11_610, 32, False, 7, "0.40"),
        fit_line("W2, fit, a step (12,800 rows)", [784, 256, 128, 10], 12_800, 128, True, 3, "0.75"),
        wide_line(),
        loop_line(),
        fleet_line(),
    ]


def recording_table() -> list[str]:
    return [
        recording_line("recording and planning, W1", 2, "5"),
        recording_line("recording and planning, 50 layers", 49, "50"),
    ]


if __name__ == "__main__":
    report(__doc__, __file__, MEDIANS, fit_table, predict_lines, recording_table)
