"""How well the estimators predict, beside scikit-learn's own perceptrons behind a StandardScaler, on the same splits.

    python benchmarks/accuracy.py        # prints the table; --write keeps it in benchmarks/accuracy.txt

Five seeds each, which draw the weights and the order of the rows, and for all tables but California housing the split
too. Ours take the table as it is: encoding and target scaling are their own. Every other argument is the default on
both sides, except in the line that says so. Seconds are of one fit, with BLAS on one thread.
"""

from __future__ import annotations

import pinned

pinned.pin()  # before NumPy is imported, which reads the environment once

import time
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import scipy
import sklearn
from report import report
from sklearn import datasets, neural_network
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import root_mean_squared_error
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import minitrain as mt
from minitrain.sklearn import MLPClassifier, MLPRegressor

SEEDS = range(5)
EPOCHS, BATCH = 60, 256
Make = Callable[[int, int], Any]  # of a seed and the number of rows


def theirs(name: str, **options: Any) -> Make:
    """scikit-learn's perceptron of that name behind a StandardScaler."""
    kind = getattr(neural_network, name)
    return lambda seed, rows: make_pipeline(StandardScaler(), kind(random_state=seed, **options))


def ours(kind: Any, **options: Any) -> Make:
    return lambda seed, rows: kind(random_state=seed, **options)


def better(seed: int, rows: int) -> MLPRegressor:
    """Two layers of 128 with a little dropout, the learning rate falling to 0 over 60 epochs along a cosine."""
    steps = EPOCHS * -(-rows // BATCH)
    return MLPRegressor(
        hidden_layer_sizes=(128, 128),
        dropout=0.1,
        batch_size=BATCH,
        learning_rate=mt.optimizers.schedules.CosineDecay(0.003, steps),
        max_iter=EPOCHS,
        n_iter_no_change=EPOCHS,
        random_state=seed,
    )


def measured(load: Callable[[], Any], make: Make, fixed_split: bool) -> tuple[np.ndarray, float]:
    """The error or the accuracy on the test rows for each seed, and the seconds of a fit."""
    data = load()
    is_regression = np.asarray(data.target).dtype.kind == "f"
    scores, seconds = [], []
    for seed in SEEDS:
        x_train, x_test, y_train, y_test = train_test_split(
            data.data,
            data.target,
            random_state=42 if fixed_split else seed,
            stratify=None if is_regression else data.target,
        )
        start = time.perf_counter()
        model = make(seed, len(x_train)).fit(x_train, y_train)
        seconds.append(time.perf_counter() - start)
        score = root_mean_squared_error(y_test, model.predict(x_test)) if is_regression else model.score(x_test, y_test)
        scores.append(score)
    return np.array(scores), float(np.median(seconds))


def line(name: str, scores: np.ndarray, seconds: float) -> str:
    return f"  {name:46s} {scores.mean():9.4f} {scores.std():8.4f} {seconds:9.1f}"


def housing() -> list[str]:
    lines = [f"{'California housing, root mean squared error':48s}      mean   spread   seconds"]

    def load() -> Any:
        return datasets.fetch_california_housing(as_frame=True)

    for name, make in (
        ("scikit-learn's MLPRegressor", theirs("MLPRegressor")),
        ("ours", ours(MLPRegressor)),
        ("scikit-learn's, layers (30, 30)", theirs("MLPRegressor", hidden_layer_sizes=(30, 30))),
        ("ours, layers (30, 30)", ours(MLPRegressor, hidden_layer_sizes=(30, 30))),
        ("ours, (128, 128), dropout 0.1, cosine, 60 epochs", better),
    ):
        lines.append(line(name, *measured(load, make, fixed_split=True)))
    return lines


def small_tables() -> list[str]:
    lines = []
    for said, load in (
        ("digits, accuracy", datasets.load_digits),
        ("wine, accuracy", datasets.load_wine),
        ("breast cancer, accuracy", datasets.load_breast_cancer),
        ("diabetes, root mean squared error", datasets.load_diabetes),
    ):
        name, kind = ("MLPRegressor", MLPRegressor) if "error" in said else ("MLPClassifier", MLPClassifier)
        lines.append(f"{said:48s}      mean   spread   seconds")
        lines.append(line(f"scikit-learn's {name}", *measured(load, theirs(name), fixed_split=False)))
        lines.append(line("ours", *measured(load, ours(kind), fixed_split=False)))
    return lines


if __name__ == "__main__":
    warnings.simplefilter("ignore", ConvergenceWarning)
    beside = [("scikit-learn", sklearn.__version__), ("SciPy", scipy.__version__)]
    report(__doc__, __file__, f"{len(SEEDS)} seeds", housing, small_tables, also=beside)
