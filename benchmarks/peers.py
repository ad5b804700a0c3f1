"""minitrain beside the frameworks that people would otherwise take: size, import, first epoch, steps, one-row predict.

    pip install -r benchmarks/peers-requirements.txt . && python benchmarks/peers.py --write

Measures what is installed and leaves out the rest; `--also PYTHON` names the interpreter of another environment, for
what this one lacks (TensorFlow often wants its own). Prints a table; `--write` keeps it in benchmarks/peers.txt.

- installed: the distributions' files and those of their dependencies, without NumPy and without byte code.
- import: from the start of a fresh process to the end of the import, less the same of an empty program.
- first epoch: from the start of the process to the end of one epoch of the regression below, data in memory.
- regression: 8-30-30-1, ReLU, MSE, SGD, batch 32, 11,610 shuffled rows: a step in epochs 2 to 6 of a plain `fit`.
- classification: 784-256-128-10, ReLU, cross-entropy from logits, Adam, batch 128, likewise. 12,800 rows, not 60,000:
  the time of a step is asked for, and 100 steps an epoch tell it.
- predict: one row through the regression's model, from a NumPy array to a NumPy array.

Naive NumPy is what people write first: `X[index]`, `x @ W + b`, `np.maximum`, fresh arrays throughout, `p -= lr * g` or
Adam's lines for each parameter, `float(loss)` each step, one permutation an epoch. It takes turns with each peer, epoch
by epoch, in a process of its own (beside a framework the allocator may treat it otherwise), and the ratio is to these
turns. Every peer has a fresh process, in which packages that it does not itself depend on are hidden, one thread for
its arithmetic, and, where the system allows it, one processor: JAX and TensorFlow dispatch from further threads all the
same. How many processors a peer kept busy, where that is more than one, stands under the table. Data are synthetic and
seeded. Medians throughout.
"""

from __future__ import annotations

import itertools
import json
import os
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pinned

SCRIPT = str(Path(__file__).resolve())
PROCESSES = 3  # fresh ones for import and for first epoch
FITS = 3  # of six epochs each, of which the first is not timed
ONE_THREAD = {
    **pinned.ONE_THREAD,
    "TF_NUM_INTRAOP_THREADS": "1",
    "TF_NUM_INTEROP_THREADS": "1",
    "NPROC": "1",  # JAX's pool of threads, which the flags do not bound
    "XLA_FLAGS": "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1",
    "CUDA_VISIBLE_DEVICES": "-1",
    "JAX_PLATFORMS": "cpu",
    "TF_CPP_MIN_LOG_LEVEL": "3",
}


# Run in a peer's process: the modules named in PEERS_HIDDEN are not found, as if they were not installed. Keras, for
# one, imports pandas and scikit-learn wherever it finds them.
HIDE = """
import os, sys
from importlib.machinery import PathFinder

class Selective(PathFinder):
    hidden = frozenset(os.environ.get("PEERS_HIDDEN", "").split())

    @classmethod
    def find_spec(cls, name, path=None, target=None):
        return None if name in cls.hidden else PathFinder.find_spec(name, path, target)

sys.meta_path[:] = [Selective if finder is PathFinder else finder for finder in sys.meta_path]
"""


class Problem(NamedTuple):
    """Data and the network to fit to them. x: (n, i) float32; y: (n, 1) float32, or (n,) integers if `labels`."""

    x: Any
    y: Any
    widths: list[int]
    batch: int
    labels: bool

    @property
    def steps(self) -> int:
        return -(-len(self.x) // self.batch)


def regression() -> Problem:
    import numpy as np

    rng = np.random.default_rng(0)
    x = rng.normal(size=(11_610, 8)).astype("float32")
    y = np.tanh(x @ rng.normal(size=(8, 1))) + 0.1 * rng.normal(size=(len(x), 1))
    return Problem(x, y.astype("float32"), [8, 30, 30, 1], 32, labels=False)


def classification() -> Problem:
    import numpy as np

    rng = np.random.default_rng(0)
    y = rng.integers(0, 10, 12_800)
    x = rng.normal(size=(10, 784))[y] + 3 * rng.normal(size=(len(y), 784))
    return Problem(x.astype("float32"), y, [784, 256, 128, 10], 128, labels=True)


# A trainer makes a model of a problem and returns two functions: one trains for so many epochs and calls back at the
# end of each, one predicts. Imports stand inside, because each runs in a process of its own.

Train = Callable[[int, Callable[[], None]], None]
Trainer = Callable[[Problem], tuple[Train, Callable[[Any], Any]]]


def naive(problem: Problem) -> tuple[Train, Callable[[Any], Any]]:
    import numpy as np

    rng = np.random.default_rng(1)
    x_all, y_all, widths, batch, labels = problem
    layers = []
    for i, o in itertools.pairwise(widths):
        layers.append(((rng.normal(size=(i, o)) * np.sqrt(2 / i)).astype("float32"), np.zeros(o, "float32")))
    parameters = [p for layer in layers for p in layer]
    moments = [(np.zeros_like(p), np.zeros_like(p)) for p in parameters]
    t = 0

    def forward(x: Any) -> list[Any]:
        outs = [x]
        for w, b in layers[:-1]:
            outs.append(np.maximum(outs[-1] @ w + b, 0))
        w, b = layers[-1]
        return [*outs, outs[-1] @ w + b]

    def gradients(outs: list[Any], g: Any) -> Iterator[Any]:
        """From the last bias to the first kernel."""
        for place in reversed(range(len(layers))):
            if place < len(layers) - 1:
                g = g * (outs[place + 1] > 0)
            yield g.sum(0)
            yield outs[place].T @ g
            if place:
                g = g @ layers[place][0].T

    def sgd_step(x: Any, y: Any) -> None:
        outs = forward(x)
        error = outs[-1] - y
        float(np.mean(error**2))
        for p, g in zip(reversed(parameters), list(gradients(outs, 2 * error / len(x)))):
            p -= 0.01 * g

    def adam_step(x: Any, y: Any) -> None:
        nonlocal t
        t += 1
        outs = forward(x)
        e = np.exp(outs[-1] - outs[-1].max(1, keepdims=True))
        g = e / e.sum(1, keepdims=True)
        rows = np.arange(len(x))
        float(-np.mean(np.log(g[rows, y])))
        g[rows, y] -= 1
        found = list(gradients(outs, g / len(x)))
        for place, g in zip(reversed(range(len(parameters))), found):
            m, v = moments[place]
            m = 0.9 * m + 0.1 * g
            v = 0.999 * v + 0.001 * g**2
            moments[place] = m, v
            p = parameters[place]
            p -= 0.001 * (m / (1 - 0.9**t)) / (np.sqrt(v / (1 - 0.999**t)) + 1e-7)

    def train(epochs: int, ended: Callable[[], None]) -> None:
        step = adam_step if labels else sgd_step
        for _ in range(epochs):
            order = rng.permutation(len(x_all))
            for start in range(0, len(order), batch):
                index = order[start : start + batch]
                step(x_all[index], y_all[index])
            ended()

    return train, lambda x: forward(x)[-1]


def keras_like(kit: Any, problem: Problem) -> tuple[Train, Callable[[Any], Any]]:
    """Keras's interface, which is minitrain's too."""
    x, y, widths, batch, labels = problem
    dense = kit.layers.Dense
    hidden = [dense(units, activation="relu") for units in widths[1:-1]]
    model = kit.Sequential([kit.Input((widths[0],)), *hidden, dense(widths[-1])])
    if labels:
        model.compile(kit.optimizers.Adam(0.001), kit.losses.SparseCategoricalCrossentropy(from_logits=True))
    else:
        model.compile(kit.optimizers.SGD(0.01), "mse")

    def train(epochs: int, ended: Callable[[], None]) -> None:
        class Ended(kit.callbacks.Callback):
            def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
                ended()

        model.fit(x, y, batch_size=batch, epochs=epochs, verbose=0, callbacks=[Ended()])

    return train, lambda x: model.predict(x, verbose=0)


def minitrain(problem: Problem) -> tuple[Train, Callable[[Any], Any]]:
    import minitrain

    return keras_like(minitrain, problem)


def keras(problem: Problem) -> tuple[Train, Callable[[Any], Any]]:
    import keras

    if keras.backend.backend() == "torch":
        import torch

        torch.set_num_threads(1)
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        tf.config.threading.set_intra_op_parallelism_threads(1)
        tf.config.threading.set_inter_op_parallelism_threads(1)
    return keras_like(keras, problem)


def jax_step(problem: Problem) -> tuple[Train, Callable[[Any], Any]]:
    import jax
    import jax.numpy as jnp
    import numpy as np

    rng = np.random.default_rng(1)
    widths, batch, labels = problem.widths, problem.batch, problem.labels
    x_all, y_all = jnp.asarray(problem.x), jnp.asarray(problem.y)
    parameters = [
        (jnp.asarray(rng.normal(size=(i, o)) * np.sqrt(2 / i), "float32"), jnp.zeros(o, "float32"))
        for i, o in itertools.pairwise(widths)
    ]
    zeros = jax.tree.map(jnp.zeros_like, parameters)
    state = (parameters, zeros, zeros, jnp.zeros((), "float32")) if labels else parameters

    def forward(parameters: Any, x: Any) -> Any:
        for w, b in parameters[:-1]:
            x = jax.nn.relu(x @ w + b)
        w, b = parameters[-1]
        return x @ w + b

    def loss_of(parameters: Any, x: Any, y: Any) -> Any:
        out = forward(parameters, x)
        if labels:
            return -jnp.mean(jax.nn.log_softmax(out)[jnp.arange(len(y)), y])
        return jnp.mean((out - y) ** 2)

    @jax.jit
    def sgd_step(parameters: Any, index: Any) -> Any:
        x, y = x_all[index], y_all[index]
        loss, gradients = jax.value_and_grad(loss_of)(parameters, x, y)
        return jax.tree.map(lambda p, g: p - 0.01 * g, parameters, gradients), loss

    @jax.jit
    def adam_step(state: Any, index: Any) -> Any:
        parameters, m, v, t = state
        x, y = x_all[index], y_all[index]
        t = t + 1
        loss, gradients = jax.value_and_grad(loss_of)(parameters, x, y)
        m = jax.tree.map(lambda m, g: 0.9 * m + 0.1 * g, m, gradients)
        v = jax.tree.map(lambda v, g: 0.999 * v + 0.001 * g**2, v, gradients)
        rate = 0.001 * jnp.sqrt(1 - 0.999**t) / (1 - 0.9**t)
        parameters = jax.tree.map(lambda p, m, v: p - rate * m / (jnp.sqrt(v) + 1e-7), parameters, m, v)
        return (parameters, m, v, t), loss

    step, predict = adam_step if labels else sgd_step, jax.jit(forward)

    def train(epochs: int, ended: Callable[[], None]) -> None:
        nonlocal state
        for _ in range(epochs):
            order, losses = rng.permutation(len(x_all)), []
            for start in range(0, len(order), batch):
                state, loss = step(state, order[start : start + batch])
                losses.append(loss)
            jax.device_get(losses)  # once an epoch: reading each would wait for each
            ended()

    return train, lambda x: np.asarray(predict(state[0] if labels else state, x))


def torch_module(problem: Problem) -> Any:
    import torch

    torch.set_num_threads(1)
    *pairs, last = itertools.pairwise(problem.widths)
    hidden = [part for i, o in pairs for part in (torch.nn.Linear(i, o), torch.nn.ReLU())]
    return torch.nn.Sequential(*hidden, torch.nn.Linear(*last))


def torch_eager(problem: Problem) -> tuple[Train, Callable[[Any], Any]]:
    import torch

    model = torch_module(problem)
    x_all, y_all = torch.from_numpy(problem.x), torch.from_numpy(problem.y)
    loss_fn = torch.nn.CrossEntropyLoss() if problem.labels else torch.nn.MSELoss()
    optimizer = (torch.optim.Adam if problem.labels else torch.optim.SGD)(
        model.parameters(), lr=0.001 if problem.labels else 0.01
    )

    def train(epochs: int, ended: Callable[[], None]) -> None:
        for _ in range(epochs):
            for index in torch.randperm(len(x_all)).split(problem.batch):
                optimizer.zero_grad()
                loss = loss_fn(model(x_all[index]), y_all[index])
                loss.backward()
                optimizer.step()
                loss.item()
            ended()

    def predict(x: Any) -> Any:
        with torch.no_grad():
            return model(torch.from_numpy(x)).numpy()

    return train, predict


def skorch(problem: Problem) -> tuple[Train, Callable[[Any], Any]]:
    import skorch
    import torch

    class Ended(skorch.callbacks.Callback):
        def on_epoch_end(self, net: Any, **kwargs: Any) -> None:
            self.ended()

    callback = Ended()
    net = (skorch.NeuralNetClassifier if problem.labels else skorch.NeuralNetRegressor)(
        torch_module(problem),
        criterion=torch.nn.CrossEntropyLoss if problem.labels else torch.nn.MSELoss,
        optimizer=torch.optim.Adam if problem.labels else torch.optim.SGD,
        lr=0.001 if problem.labels else 0.01,
        batch_size=problem.batch,
        iterator_train__shuffle=True,
        train_split=None,
        callbacks=[callback],
        verbose=0,
    )

    def train(epochs: int, ended: Callable[[], None]) -> None:
        callback.ended = ended
        net.fit(problem.x, problem.y, epochs=epochs)

    return train, net.predict


def scikit_learn(problem: Problem) -> tuple[Train, Callable[[Any], Any]]:
    """By `partial_fit`, an epoch a call: `fit` calls nobody back."""
    from sklearn.neural_network import MLPClassifier, MLPRegressor

    hidden, batch = problem.widths[1:-1], problem.batch
    if problem.labels:
        model: Any = MLPClassifier(hidden_layer_sizes=hidden, solver="adam", alpha=0.0, batch_size=batch)
        arguments: dict[str, Any] = {"classes": range(10)}
    else:
        model = MLPRegressor(
            hidden_layer_sizes=hidden, solver="sgd", alpha=0.0, batch_size=batch, learning_rate_init=0.01, momentum=0.0
        )
        arguments = {}

    def train(epochs: int, ended: Callable[[], None]) -> None:
        for _ in range(epochs):
            model.partial_fit(problem.x, problem.y.ravel(), **arguments)
            ended()

    return train, model.predict


class Peer(NamedTuple):
    """A row of the table: its trainer, what a user imports, the distributions a user installs."""

    trainer: Trainer
    imports: tuple[str, ...]
    distributions: tuple[str, ...]
    needs: tuple[str, ...] = ()  # modules beyond the imported
    backend: str = ""


PEERS = {
    "naive NumPy": Peer(naive, ("numpy",), ()),
    "minitrain": Peer(minitrain, ("minitrain",), ("minitrain",)),
    "Keras on JAX": Peer(keras, ("keras",), ("keras", "jax"), ("jax",), "jax"),
    "Keras on TensorFlow": Peer(
        keras, ("keras",), ("keras", "tensorflow", "tensorflow-cpu"), ("tensorflow",), "tensorflow"
    ),
    "Keras on PyTorch": Peer(keras, ("keras",), ("keras", "torch"), ("torch",), "torch"),
    "PyTorch with skorch": Peer(skorch, ("torch", "skorch"), ("torch", "skorch")),
    "PyTorch, eager loop": Peer(torch_eager, ("torch",), ("torch",)),
    "JAX, jitted step in a loop": Peer(jax_step, ("jax",), ("jax",)),
    "scikit-learn's MLP": Peer(scikit_learn, ("sklearn.neural_network",), ("scikit-learn",)),
}


# What runs in a peer's process.


def probe() -> dict[str, Any]:
    """The peers that this interpreter has: their installed bytes and the versions of what they stand on."""
    from importlib import metadata
    from importlib.util import find_spec

    def normal(name: str) -> str:
        return name.lower().replace("_", "-").replace(".", "-")

    def installed(name: str) -> Any:
        try:
            return metadata.distribution(name)
        except metadata.PackageNotFoundError:
            return None

    def size(distribution: Any) -> int:
        if '"editable": true' in (distribution.read_text("direct_url.json") or ""):
            (root,) = find_spec(normal(distribution.name)).submodule_search_locations
            files = list(Path(root).rglob("*"))
        else:
            files = [Path(distribution.locate_file(file)) for file in distribution.files or ()]
        return sum(file.stat().st_size for file in files if file.suffix != ".pyc" and file.is_file())

    def closure(names: tuple[str, ...]) -> dict[str, Any]:
        found: dict[str, Any] = {}
        waiting = list(names)
        while waiting:
            name = normal(waiting.pop())
            if name in found or name == "numpy" or not (distribution := installed(name)):
                continue
            found[name] = distribution
            for requirement in distribution.requires or ():
                if "extra ==" not in requirement:  # what is for other platforms is not installed
                    end = next((k for k, c in enumerate(requirement) if not (c.isalnum() or c in "-_.")), None)
                    waiting.append(requirement[:end])
        return found

    optional = {"jax", "keras", "pandas", "scikit-learn", "scipy", "skorch", "tensorflow", "torch"}
    answer = {}
    for name, peer in PEERS.items():
        modules = [each.partition(".")[0] for each in (*peer.imports, *peer.needs)]
        if all(find_spec(module) for module in modules):
            needed = closure(peer.distributions)
            if "tensorflow-cpu" in needed:
                needed["tensorflow"] = needed.pop("tensorflow-cpu")
            named = [each for each in (*peer.distributions, "numpy") if installed(each)]
            answer[name] = {
                "bytes": sum(map(size, needed.values())),
                "hidden": [each.replace("scikit-learn", "sklearn") for each in sorted(optional - set(needed))],
                "versions": {each: metadata.version(each) for each in named},
            }
    return answer


def first_epoch(peer: Peer) -> float:
    """When the first epoch ended, by the clock on the wall."""
    train, _ = peer.trainer(regression())
    ends: list[float] = []
    train(1, lambda: ends.append(time.time()))
    return ends[0]


class ByHand:
    """Naive NumPy in a process of its own, which works only when asked: `epoch()`, `row()`, each in microseconds."""

    def __init__(self, problem: str) -> None:
        import subprocess

        pipe = subprocess.PIPE
        arguments = [sys.executable, __file__, "--child", "turns", "naive NumPy", problem]
        self.process = subprocess.Popen(arguments, stdin=pipe, stdout=pipe, text=True)
        self.row()  # it has started

    def ask(self, what: str) -> float:
        self.process.stdin.write(what + "\n")
        self.process.stdin.flush()
        return float(self.process.stdout.readline())

    def epoch(self) -> float:
        return self.ask("epoch")

    def row(self) -> float:
        return self.ask("row")

    def close(self) -> None:
        self.process.stdin.close()
        self.process.wait()


def take_turns(peer: Peer, problem: Problem) -> None:
    """The other end of `ByHand`."""
    train, predict = peer.trainer(problem)
    train(1, lambda: None)
    for line in sys.stdin:
        if line.strip() == "row":
            found = row_time(predict, problem.x[:1])
        else:
            start = time.perf_counter()
            train(1, lambda: None)
            found = (time.perf_counter() - start) / problem.steps * 1e6
        print(found, flush=True)


def row_time(predict: Callable[[Any], Any], x: Any) -> float:
    """Microseconds a call, over some 20 ms."""
    calls, start = 0, time.perf_counter()
    while time.perf_counter() - start < 0.02:
        for _ in range(3):
            predict(x)
        calls += 3
    return (time.perf_counter() - start) / calls * 1e6


def step_times(peer: Peer, problem: Problem, by_hand: ByHand) -> list[float]:
    """Microseconds a step of the peer and of naive NumPy in turns; processors busy."""
    train, _ = peer.trainer(problem)
    theirs, hand, busy = [], [], []
    marks: tuple[float, float] | None = None

    def ended() -> None:
        nonlocal marks
        now, used = time.perf_counter(), time.process_time()
        if marks:
            theirs.append((now - marks[0]) / problem.steps * 1e6)
            busy.append((used - marks[1]) / (now - marks[0]))
        hand.append(by_hand.epoch())
        marks = time.perf_counter(), time.process_time()

    for _ in range(FITS):
        marks = None  # the first epoch of a fit is not timed
        train(6, ended)
    return [statistics.median(each) for each in (theirs, hand, busy)]


def predict_times(peer: Peer, problem: Problem, by_hand: ByHand) -> list[float]:
    """Microseconds to predict one row, of the peer and of naive NumPy in turns; processors busy."""
    train, predict = peer.trainer(problem)
    train(1, lambda: None)
    predict(problem.x[:1])
    theirs, hand, busy = [], [], []
    for _ in range(15):
        start, used = time.perf_counter(), time.process_time()
        theirs.append(row_time(predict, problem.x[:1]))
        busy.append((time.process_time() - used) / (time.perf_counter() - start))
        hand.append(by_hand.row())
    return [statistics.median(each) for each in (theirs, hand, busy)]


def steps(peer: Peer) -> dict[str, list[float]]:
    small, large = ByHand("regression"), ByHand("classification")
    found = {
        "regression": step_times(peer, regression(), small),
        "classification": step_times(peer, classification(), large),
        "predict": predict_times(peer, regression(), small),
    }
    small.close()
    large.close()
    return found


# What runs in the process that prints the table.


def run(python: str, *arguments: str, peer: str = "", hidden: list[str] | None = None) -> str:
    """The last line that a fresh interpreter prints, its arithmetic on one thread."""
    import subprocess

    environment = {**os.environ, **ONE_THREAD, "PEERS_HIDDEN": " ".join(hidden or [])}
    environment.pop(pinned.CHOSEN, None)
    if peer and PEERS[peer].backend:
        environment["KERAS_BACKEND"] = PEERS[peer].backend
    command = [python, *arguments]
    where = Path(SCRIPT).parent  # from elsewhere, the checkout would be imported in the place of what is installed
    done = subprocess.run(command, env=environment, cwd=where, capture_output=True, text=True, timeout=120, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(arguments)}:\n{done.stderr[-2000:]}")
    return done.stdout.strip().rpartition("\n")[2]


def measure(found: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Every figure of every peer; imports and first epochs in interleaved rounds. What fails is said, and left out."""
    results: dict[str, dict[str, Any]] = {}
    for name, each in found.items():
        try:
            line = run(each["python"], SCRIPT, "--child", "steps", name, peer=name, hidden=each["hidden"])
        except Exception as error:  # a framework may fail in any way
            print(f"{name} left out: {error}", file=sys.stderr)
        else:
            results[name] = json.loads(line)
    samples: dict[str, tuple[list[float], list[float]]] = {name: ([], []) for name in results}
    for _ in range(PROCESSES):
        for name, (imports, firsts) in samples.items():
            each = found[name]

            def until(*arguments: str, name: str = name, each: dict[str, Any] = each) -> float:
                """Seconds from the start of a process to the moment that it prints."""
                started = time.time()
                return float(run(each["python"], *arguments, peer=name, hidden=each["hidden"])) - started

            say = "import time; print(time.time())"
            empty = until("-c", f"{HIDE}\n{say}")
            imports.append(until("-c", f"{HIDE}\nimport {', '.join(PEERS[name].imports)}\n{say}") - empty)
            firsts.append(until(SCRIPT, "--child", "first", name))
    for name, (imports, firsts) in samples.items():
        results[name] |= {"import": statistics.median(imports), "first": statistics.median(firsts)}
    return results


def figure(value: float) -> str:
    return f"{value:,.{0 if value >= 100 else 1}f}"


def table(results: dict[str, dict[str, Any]], found: dict[str, dict[str, Any]]) -> list[str]:
    timed = ("regression", "classification", "predict")
    lines = [
        "| | installed, MB | import, s | first epoch, s | regression, us a step | classification, us a step"
        " | predict one row, us |",
        "|---|" + "---:|" * 6,
    ]
    for name, result in results.items():
        cells = [f"{found[name]['bytes'] / 1e6:,.0f}", f"{result['import']:.2f}", f"{result['first']:.2f}"]
        for each in timed:
            if name == "naive NumPy":  # it has had turns with everyone
                cells.append(f"{figure(statistics.median(other[each][1] for other in results.values()))} (1)")
            else:
                theirs, hand, _ = result[each]
                cells.append(f"{figure(theirs)} ({theirs / hand:,.{2 if theirs < 10 * hand else 0}f})")
        lines.append(f"| {name} | {' | '.join(cells)} |")
    busy = [
        f"{name} {result['regression'][2]:.1f} and {result['classification'][2]:.1f}"
        for name, result in results.items()
        if max(result["regression"][2], result["classification"][2]) > 1.05
    ]
    note = "Processors busy, in the regression and in the classification: {}; the others one."
    return [*lines, "", note.format(", ".join(busy))] if busy else lines


def main() -> None:
    import argparse
    import platform

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--also", metavar="PYTHON", action="append", default=[], help="another environment's python")
    parser.add_argument("--only", metavar="NAME", action="append", choices=PEERS, help="only this peer, by its name")
    parser.add_argument("--write", action="store_true", help="keep the result in benchmarks/peers.txt")
    options = parser.parse_args()

    found: dict[str, dict[str, Any]] = {}
    for python in (sys.executable, *options.also):
        for name, each in json.loads(run(python, SCRIPT, "--child", "probe")).items():
            found.setdefault(name, each | {"python": python})
    results = measure({name: found[name] for name in PEERS if name in found and name in (options.only or PEERS)})
    versions: dict[str, set[str]] = {}
    for name in results:
        for distribution, version in found[name]["versions"].items():
            versions.setdefault(distribution, set()).add(version)
    named = ", ".join(f"{each} {' and '.join(sorted(versions[each]))}" for each in sorted(versions))
    text = "\n".join(
        [
            f"{named}, Python {platform.python_version()}.",
            "One processor; medians; in brackets the ratio to naive NumPy in turns. See benchmarks/peers.py.",
            "",
            *table(results, found),
        ]
    )
    print(text)
    if options.write:
        Path(__file__).with_suffix(".txt").write_text(text + "\n")


def child(task: str, name: str = "naive NumPy", problem: str = "regression") -> None:
    if hasattr(os, "sched_setaffinity"):  # before a framework counts the processors
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    exec(HIDE, {})
    peer = PEERS[name]
    if task == "probe":
        print(json.dumps(probe()))
    elif task == "first":
        print(first_epoch(peer))
    elif task == "steps":
        print(json.dumps(steps(peer)))
    else:
        take_turns(peer, {"regression": regression, "classification": classification}[problem]())


if __name__ == "__main__":
    if sys.argv[1:2] == ["--child"]:
        child(*sys.argv[2:])
    else:
        main()
