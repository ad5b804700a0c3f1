"""What a training step with an explicit tape and an optimizer's update cost, beside hand-written NumPy in the same run.

    python benchmarks/parts.py           # prints the table; --write keeps it in benchmarks/parts.txt

The naive step is what people write first: `X[index]`, `x @ W + b`, `np.maximum`, fresh arrays throughout,
`p -= lr * g` for each parameter, `float(loss)` each step. The hand-written Adam makes whole passes over its buffers, in
place. One BLAS thread; medians of interleaved rounds.
"""

from __future__ import annotations

import pinned

pinned.pin()  # before NumPy is imported, which reads the environment once

import itertools
import statistics
from collections.abc import Callable
from typing import Any

import numpy as np
from report import report
from tape import MEDIANS, ROUNDS, best_of

import minitrain as mt

BATCH = 32


def steps(rows: int, widths: list[int]) -> tuple[Callable[[], None], Callable[[], None], Callable[[], None], int]:
    """An epoch of naive steps, one of steps with a tape on a model, one on layers called one by one, and the number of
    steps.
    """
    rng = np.random.default_rng(0)
    x_all = rng.normal(size=(rows, widths[0])).astype("float32")
    y_all = rng.normal(size=(rows, 1)).astype("float32")
    order = rng.permutation(rows)
    batches = [order[start : start + BATCH] for start in range(0, rows - BATCH + 1, BATCH)]
    shapes = list(itertools.pairwise(widths))
    kernels = [(0.3 * rng.normal(size=shape)).astype("float32") for shape in shapes]
    biases = [np.zeros(shape[1], "float32") for shape in shapes]

    def naive() -> None:
        for index in batches:
            x, y = x_all[index], y_all[index]
            inputs, h = [], x
            for place, (w, b) in enumerate(zip(kernels, biases, strict=True)):
                inputs.append(h)
                h = h @ w + b
                if place < len(kernels) - 1:
                    h = np.maximum(h, 0)
            error = h - y
            float(np.mean(error**2))
            g = 2 * error / len(x)
            gradients = []
            for place in reversed(range(len(kernels))):
                if place < len(kernels) - 1:
                    g = g * (inputs[place + 1] > 0)
                gradients.append((inputs[place].T @ g, g.sum(0)))
                if place:
                    g = g @ kernels[place].T
            for (w, b), (gw, gb) in zip(zip(kernels, biases, strict=True), reversed(gradients), strict=True):
                w -= 0.01 * gw
                b -= 0.01 * gb

    def taped(called: Callable[[], Any], layers: list[Any]) -> Callable[[], None]:
        loss_fn, optimizer = mt.losses.MeanSquaredError(), mt.optimizers.SGD(0.01)
        called(x_all[:1])
        variables = [v for layer in layers for v in layer.trainable_variables]

        def epoch() -> None:
            for index in batches:
                with mt.GradientTape() as tape:
                    loss = loss_fn(y_all[index], called(x_all[index]))
                optimizer.apply_gradients(zip(tape.gradient(loss, variables), variables, strict=True))
                float(loss)

        return epoch

    def dense() -> list[Any]:
        hidden = [mt.layers.Dense(units, activation="relu") for units in widths[1:-1]]
        return [*hidden, mt.layers.Dense(widths[-1])]

    layers, model = dense(), mt.Sequential(dense())

    def forward(x: Any) -> Any:
        for layer in layers:
            x = layer(x)
        return x

    return naive, taped(model, [model]), taped(forward, layers), len(batches)


def compare(one: Callable[[], object], other: Callable[[], object], count: int = 1) -> tuple[float, float]:
    """Microseconds of both, the medians of rounds in which they take turns."""
    times: tuple[list[float], list[float]] = ([], [])
    for _ in range(ROUNDS):
        for function, found in zip((one, other), times, strict=True):
            found.append(best_of(function, count))
    return statistics.median(times[0]), statistics.median(times[1])


def training_step() -> list[str]:
    lines = ["A training step with a tape, us                naive NumPy   tape   ratio   goal 1.2"]
    for name, widths in (("8-30-1", [8, 30, 1]), ("8-30-30-1", [8, 30, 30, 1])):
        naive, of_model, of_layers, count = steps(64 * BATCH, widths)
        for what, taped in (("a model", of_model), ("layer by layer", of_layers)):
            hand, ours = (each / count for each in compare(naive, taped))
            lines.append(f"  {f'{name}, MSE, SGD, batch 32, {what}':44s} {hand:12.1f} {ours:6.1f} {ours / hand:7.2f}")
    return lines


def fit_step() -> list[str]:
    rows = 64 * BATCH
    naive, *_, count = steps(rows, [8, 30, 30, 1])
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(rows, 8)).astype("float32"), rng.normal(size=(rows, 1)).astype("float32")
    dense = mt.layers.Dense
    model = mt.Sequential([mt.Input((8,)), dense(30, activation="relu"), dense(30, activation="relu"), dense(1)])
    model.compile("sgd", "mse")
    hand, ours = (each / count for each in compare(naive, lambda: model.fit(x, y, verbose=0)))
    return [
        "A training step of fit, us                     naive NumPy    fit   ratio   goal 1.5",
        f"  {'8-30-30-1, MSE, SGD, batch 32':44s} {hand:12.1f} {ours:6.1f} {ours / hand:7.2f}",
    ]


def adam_update() -> list[str]:
    n = 1_000_000
    rng = np.random.default_rng(0)
    w, g = (rng.normal(size=n).astype("float32") for _ in range(2))
    m, v, a, b = (np.zeros(n, "float32") for _ in range(4))
    step = 0

    def by_hand() -> None:
        nonlocal step
        step += 1
        np.multiply(m, 0.9, out=m)
        np.multiply(g, 0.1, out=a)
        np.add(m, a, out=m)
        np.multiply(v, 0.999, out=v)
        np.multiply(g, g, out=a)
        np.multiply(a, 0.001, out=a)
        np.add(v, a, out=v)
        np.sqrt(v, out=a)
        np.add(a, 1e-7, out=a)
        np.divide(m, a, out=b)
        np.multiply(b, 0.001 * np.sqrt(1 - 0.999**step) / (1 - 0.9**step), out=b)
        np.subtract(w, b, out=w)

    variable, gradient = mt.Variable(w), mt.constant(g)
    optimizer = mt.optimizers.Adam()
    hand, ours = compare(by_hand, lambda: optimizer.apply_gradients([(gradient, variable)]))
    return [
        "Adam on a million parameters, us               by hand   minitrain   ratio   goal 0.7",
        f"  {'float32, one variable':44s} {hand:8.0f} {ours:11.0f} {ours / hand:7.2f}",
    ]


if __name__ == "__main__":
    report(__doc__, __file__, MEDIANS, training_step, fit_step, adam_update)
