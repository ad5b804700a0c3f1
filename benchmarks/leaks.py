"""Whether memory grows: 1,000 calls of `fit`, 10,000 of `predict`, 10,000 steps of a loop of one's own.

    python benchmarks/leaks.py           # prints the table; --write keeps it in benchmarks/leaks.txt

`fit` runs one epoch on 256 rows, `predict` sees one row, a step is a tape, a loss and `apply_gradients` on 256 rows.
The resident size is noted after each tenth of the calls; the first tenth fills caches and the allocator's pools, and
from there on it may grow by no more than 2 MB.
"""

from __future__ import annotations

import pinned

pinned.pin()  # before NumPy is imported, which reads the environment once

import argparse
import platform
import resource
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np

import minitrain as mt

LIMIT = 2.0  # MB


def resident() -> float:
    """The resident size of this process in MB; its highest so far where the system does not tell the present one."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
    except OSError:
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak / (1e6 if sys.platform == "darwin" else 1e3)
    return pages * resource.getpagesize() / 1e6


def sizes(function: Callable[[], object], count: int) -> list[float]:
    """The resident size after each tenth of so many calls."""
    found = []
    for _ in range(10):
        for _ in range(count // 10):
            function()
        found.append(resident())
    return found


def model_and_data() -> tuple[mt.Sequential, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(256, 8)).astype("float32"), rng.normal(size=(256, 1)).astype("float32")
    dense = mt.layers.Dense
    model = mt.Sequential([mt.Input((8,)), dense(30, activation="relu"), mt.layers.Dropout(0.1), dense(1)])
    model.compile("adam", "mse", metrics=["mae"])
    return model, x, y


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", action="store_true", help="keep the result in benchmarks/leaks.txt")
    options = parser.parse_args()
    model, x, y = model_and_data()
    loss_fn, variables = mt.losses.MeanSquaredError(), model.trainable_variables

    def step() -> None:
        with mt.GradientTape() as tape:
            loss = loss_fn(y, model(x, training=True))
        model.optimizer.apply_gradients(zip(tape.gradient(loss, variables), variables, strict=True))

    found = {
        "fit, 1,000 calls": sizes(lambda: model.fit(x, y, verbose=0), 1_000),
        "predict, 10,000 calls": sizes(lambda: model.predict(x[:1], verbose=0), 10_000),
        "a loop, 10,000 steps": sizes(step, 10_000),
    }
    lines = [
        f"minitrain {mt.__version__}, NumPy {np.__version__}, Python {platform.python_version()}; one BLAS thread",
        "",
        f"Resident MB after each tenth of the calls{'':37s}   grown   goal {LIMIT:g}",
    ]
    grown = {name: each[-1] - each[0] for name, each in found.items()}
    for name, each in found.items():
        lines.append(f"  {name:24s} {' '.join(f'{size:5.1f}' for size in each)} {grown[name]:8.2f}")
    text = "\n".join(lines)
    print(text)
    if options.write:
        Path(__file__).with_suffix(".txt").write_text(text + "\n")
    return int(max(grown.values()) > LIMIT)


if __name__ == "__main__":
    sys.exit(main())
