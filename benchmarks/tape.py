"""What the tape costs, beside hand-written NumPy in the same run.

    python benchmarks/tape.py            # prints the table; --write keeps it in benchmarks/tape.txt

Every line is the median over interleaved rounds of the fastest repetition in each, with BLAS on one thread. Ratios
carry over between machines better than microseconds. The PyTorch column was measured on one machine of this kind.
"""

from __future__ import annotations

import pinned

pinned.pin()  # before NumPy is imported, which reads the environment once

import statistics
import sys
import time
from collections.abc import Callable

import numpy as np
from report import report

import minitrain as mt

ROUNDS = 15


def best_of(function: Callable[[], object], count: int) -> float:
    """Microseconds a call: the best of four repetitions of `count` calls."""
    best = float("inf")
    for _ in range(4):
        start = time.perf_counter()
        for _ in range(count):
            function()
        best = min(best, (time.perf_counter() - start) / count)
    return best * 1e6


def measure(functions: dict[str, Callable[[], object]], seconds: float = 0.02) -> dict[str, float]:
    """Microseconds a call of each function: the median over rounds in which they take turns."""
    counts = {}
    for name, function in functions.items():
        start = time.perf_counter()
        function()
        once = time.perf_counter() - start
        counts[name] = max(1, int(seconds / 4 / max(once, 1e-7)))
    rounds: dict[str, list[float]] = {name: [] for name in functions}
    for _ in range(ROUNDS):
        for name, function in functions.items():
            rounds[name].append(best_of(function, counts[name]))
    return {name: statistics.median(times) for name, times in rounds.items()}


def overhead_forward() -> list[str]:
    """A recorded operation against the raw NumPy call, on 10 elements."""
    a, b = np.linspace(0.1, 1, 10, dtype=np.float32), np.linspace(1, 2, 10, dtype=np.float32)
    x, y = mt.Variable(a).read_value(), mt.constant(b)
    tape = mt.GradientTape(persistent=True)
    cases: list[tuple[str, Callable[[], object], Callable[[], object]]] = [
        ("add", lambda: np.add(a, b), lambda: mt.add(x, y)),
        ("multiply", lambda: np.multiply(a, b), lambda: mt.multiply(x, y)),
        ("divide", lambda: np.divide(a, b), lambda: mt.divide(x, y)),
        ("tanh", lambda: np.tanh(a), lambda: mt.tanh(x)),
        ("exp", lambda: np.exp(a), lambda: mt.exp(x)),
        ("square", lambda: np.square(a), lambda: mt.square(x)),
    ]
    times: dict[str, tuple[list[float], list[float]]] = {name: ([], []) for name, _, _ in cases}
    for _ in range(ROUNDS):
        for name, raw, recorded in cases:
            with tape:
                tape.watch(x)
                for function, found in zip((raw, recorded), times[name], strict=True):
                    found.append(best_of(function, 2000))
                tape.reset()  # the records are dropped, so that memory stays flat
    lines = ["Recorded forward, 10 elements       NumPy us   recorded us   overhead us   goal 0.5"]
    for name, found in times.items():
        numpy_us, ours = (statistics.median(each) for each in found)
        lines.append(f"  {name:32s} {numpy_us:9.3f} {ours:13.3f} {ours - numpy_us:13.3f}")
    return lines


def forward_and_backward() -> list[str]:
    """A chain of operations on 10 elements, forward and backward, against the same written by hand."""
    a = np.linspace(0.1, 1, 10)
    b = np.linspace(1, 2, 10)
    n = 50

    def by_hand_unary() -> object:
        outs, x = [], a
        for _ in range(n):
            x = np.tanh(x)
            outs.append(x)
        g = np.ones_like(x)
        for out in reversed(outs):
            g = g * (1.0 - out * out)
        return g

    def by_hand_binary() -> object:
        ins, x = [], a
        for _ in range(n):
            ins.append(x)
            x = x * b
        g = np.ones_like(x)
        for _ in reversed(ins):
            g = g * b
        return g

    x, y = mt.constant(a), mt.constant(b)

    def taped_unary() -> object:
        with mt.GradientTape() as tape:
            tape.watch(x)
            out = x
            for _ in range(n):
                out = mt.tanh(out)
        return tape.gradient(out, x)

    def taped_binary() -> object:
        with mt.GradientTape() as tape:
            tape.watch(x)
            out = x
            for _ in range(n):
                out = out * y
        return tape.gradient(out, x)

    lines = ["Forward and backward, 10 elements, us an operation   by hand   tape   ratio   goal 4"]
    for name, hand, taped in (("tanh", by_hand_unary, taped_unary), ("multiply", by_hand_binary, taped_binary)):
        times = measure({"hand": hand, "tape": taped})
        lines.append(
            f"  {name:47s} {times['hand'] / n:10.3f} {times['tape'] / n:6.3f} {times['tape'] / times['hand']:7.2f}"
        )
    return lines


def against_frameworks() -> list[str]:
    """Four small jobs that other frameworks publish or that were timed in them."""
    x = mt.Variable(3.0)

    def polynomial() -> object:
        with mt.GradientTape() as tape:
            y = 3.0 * x**2 + 2.0 * x - 1.0
        return tape.gradient(y, x)

    def second() -> object:
        with mt.GradientTape() as outer:
            with mt.GradientTape() as inner:
                y = 3.0 * x**2 + 2.0 * x - 1.0
            first = inner.gradient(y, x)
        return outer.gradient(first, x)

    start = mt.constant(1.0)

    def chain() -> object:
        with mt.GradientTape() as tape:
            tape.watch(start)
            y = start
            for _ in range(1000):
                y = mt.sin(y)
        return tape.gradient(y, start)

    vector = mt.constant(np.linspace(0, 1, 100, dtype=np.float32))

    def jacobian() -> object:
        with mt.GradientTape() as tape:
            tape.watch(vector)
            y = vector * vector * vector
        return tape.jacobian(y, vector)

    jobs = {
        "gradient of 3x^2 + 2x - 1": (polynomial, 68, 596),
        "its second derivative": (second, 123, 1301),
        "a chain of 1,000 operations": (chain, 6000, 99000),
        "Jacobian of x*x*x, 100 elements": (jacobian, 262, 101000),
    }
    times = measure({name: job for name, (job, _, _) in jobs.items()})
    lines = ["Small jobs, us                      minitrain   PyTorch   TensorFlow   PyTorch / ours   goal 3"]
    for name, (_, torch_us, tensorflow_us) in jobs.items():
        ours = times[name]
        lines.append(f"  {name:32s} {ours:10.1f} {torch_us:9d} {tensorflow_us:12d} {torch_us / ours:16.1f}")
    return lines


def imports() -> list[str]:
    """Import time over NumPy's own, each in a fresh process."""
    import subprocess

    def once(statement: str) -> float:
        code = f"import time; t = time.perf_counter(); {statement}; print(time.perf_counter() - t)"
        return float(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout)

    times: dict[str, list[float]] = {"import numpy": [], "import numpy, minitrain": []}
    for _ in range(11):
        for statement, found in times.items():
            found.append(once(statement) * 1e3)
    numpy_ms, both_ms = (statistics.median(found) for found in times.values())
    return [
        "Import, ms",
        f"  numpy alone {numpy_ms:.0f}, with minitrain {both_ms:.0f}: {both_ms - numpy_ms:.0f} more   goal 40",
    ]


MEDIANS = f"medians of {ROUNDS} interleaved rounds"

if __name__ == "__main__":
    report(__doc__, __file__, MEDIANS, overhead_forward, forward_and_backward, against_frameworks, imports)
