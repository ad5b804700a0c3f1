"""How long `fit` of our MLPRegressor and MLPClassifier takes, beside scikit-learn's own, in turns.

    python benchmarks/estimators.py      # prints the table; --write keeps it in benchmarks/estimators.txt

The same float32 arrays, layers, solver, batch size and number of epochs on both sides, everything else as it is by
default; ours with its default encoding and without. W1 is 8-30-30-1 in batches of 32 on 11,610 rows, W2 784-256-128-10
in batches of 128 on 12,800 rows. Whole fits, set-up included. One BLAS thread; medians, and the median of the ratios.
"""

from __future__ import annotations

import pinned

pinned.pin()  # before NumPy is imported, which reads the environment once

import statistics
import time
import warnings
from typing import Any

import numpy as np
import sklearn
from report import report
from sklearn import neural_network
from sklearn.exceptions import ConvergenceWarning

from minitrain.sklearn import MLPClassifier, MLPRegressor

TURNS = 5


def seconds(model: Any, x: Any, y: Any) -> float:
    start = time.perf_counter()
    model.fit(x, y)
    return time.perf_counter() - start


def line(name: str, ours: Any, further: dict[str, Any], x: Any, y: Any, **options: Any) -> str:
    """One fit of each in turn, so that both meet the machine as it is."""
    theirs = getattr(neural_network, ours.__name__)
    options |= {"tol": 0.0, "n_iter_no_change": options["max_iter"], "random_state": 0}
    mine, its = [], []
    for _ in range(TURNS):
        mine.append(seconds(ours(**options, **further), x, y))
        its.append(seconds(theirs(**options), x, y))
    ratio = statistics.median(b / a for a, b in zip(mine, its, strict=True))
    return f"  {name:40s} {statistics.median(mine) * 1e3:9.0f} {statistics.median(its) * 1e3:12.0f} {ratio:8.1f}"


def small() -> list[str]:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(11_610, 8)).astype("float32")
    y = (np.tanh(x @ rng.normal(size=8)) + 0.1 * rng.normal(size=len(x))).astype("float32")
    lines = [f"{'W1, ms':42s}      ours scikit-learn    ratio   goal 6"]
    for solver in ("sgd", "adam"):
        for epochs in (10, 20, 50):
            for said, further in (("", {}), (", no encoding", {"encoding": None, "target_scaling": False})):
                name = f"{solver}, {epochs} epochs{said}"
                options = {"hidden_layer_sizes": (30, 30), "batch_size": 32, "solver": solver, "max_iter": epochs}
                lines.append(line(name, MLPRegressor, further, x, y, **options))
    return lines


def large() -> list[str]:
    rng = np.random.default_rng(0)
    y = rng.integers(0, 10, 12_800)
    x = (rng.normal(size=(10, 784))[y] + 3 * rng.normal(size=(len(y), 784))).astype("float32")
    lines = [f"{'W2, ms':42s}      ours scikit-learn    ratio   goal 1.8"]
    for epochs in (5, 20):
        for said, further in (("", {}), (", no encoding", {"encoding": None})):
            options = {"hidden_layer_sizes": (256, 128), "batch_size": 128, "solver": "adam", "max_iter": epochs}
            lines.append(line(f"adam, {epochs} epochs{said}", MLPClassifier, further, x, y, **options))
    return lines


if __name__ == "__main__":
    warnings.simplefilter("ignore", ConvergenceWarning)
    report(__doc__, __file__, f"{TURNS} turns", small, large, also=[("scikit-learn", sklearn.__version__)])
