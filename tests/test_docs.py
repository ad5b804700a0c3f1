"""What README and CONTRIBUTING show is so: their Python runs."""

import re
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

import minitrain as mt
from minitrain.engine.primitive import PRIMITIVES, kernels, ops

ROOT = Path(__file__).parent.parent


def python_blocks(name: str) -> list[str]:
    return re.findall(r"```python\n(.*?)```", (ROOT / name).read_text(), flags=re.DOTALL)


@contextmanager
def restored(registry):
    """Whatever is registered inside is forgotten afterwards."""
    kept, members = dict(registry.entries), list(registry.members)
    try:
        yield
    finally:
        registry.entries, registry.members = kept, members


def test_the_readmes_python_runs_and_prints_what_it_says(capsys):
    names: dict = {}
    for block in python_blocks("README.md"):
        exec(compile(block, "script.py", "exec"), names)
    out = capsys.readouterr().out
    assert "mt.Tensor(20.0, shape=(), dtype=float32)" in out
    assert "passes through 'cast_discrete', whose result has dtype int32" in out
    assert "script.py:2" in out
    np.testing.assert_allclose(names["second"], 2 * np.cos(6.0), rtol=1e-5)
    assert float(names["error"].result()) < 0.2
    assert names["loss"] < 0.2


def test_the_operation_that_contributing_shows_works():
    block, sample = python_blocks("CONTRIBUTING.md")[:2]
    names: dict = {}
    try:
        exec(block, names)
        rng = np.random.default_rng(0)
        mt.testing.check_gradients(names["logistic_loss"], rng.normal(size=(3, 4)), rng.normal(size=4))
        assert names["logistic_loss"](mt.constant([1, 2]), mt.constant([1, -1])).dtype == "float32"
    finally:
        del PRIMITIVES["logistic_loss"]
        delattr(kernels, "logistic_loss")
        delattr(ops, "logistic_loss")
    assert sample.startswith('"logistic_loss": binary(')


def test_the_loss_that_contributing_shows_works():
    block = next(each for each in python_blocks("CONTRIBUTING.md") if "RootAbsoluteError" in each)
    registry = mt.losses.get.__globals__["REGISTRY"]
    with restored(registry):
        names: dict = {}
        exec(block, names)
        made = mt.losses.get({"class_name": "RootAbsoluteError", "config": {"reduction": "sum"}})
        assert float(made(np.zeros((2, 3)), np.ones((2, 3)))) == pytest.approx(2.0, rel=1e-5)
        assert mt.losses.get("rae") is names["root_absolute_error"]


def test_the_layer_that_contributing_shows_works():
    from minitrain.layers.base import REGISTRY

    block = next(each for each in python_blocks("CONTRIBUTING.md") if "class Gain" in each)
    with restored(REGISTRY):
        names: dict = {"np": np}
        exec(block, names)
        layer = mt.layers.deserialize(mt.layers.serialize(names["Gain"](2.0)))
        np.testing.assert_array_equal(layer(np.ones((2, 3))), np.full((2, 3), 2.0))
        assert len(layer.trainable_weights) == 1


def test_the_optimizer_that_contributing_shows_works():
    from minitrain.optim.base import REGISTRY

    block = next(each for each in python_blocks("CONTRIBUTING.md") if "class SignSGD" in each)
    with restored(REGISTRY):
        names: dict = {"np": np}
        exec(block, names)
        optimizer = mt.optimizers.get({"class_name": "SignSGD", "config": {"learning_rate": 0.5, "clipnorm": 1.0}})
        v = mt.Variable([1.0, -1.0])
        optimizer.apply_gradients([(mt.constant([3.0, -0.1]), v)])
        np.testing.assert_array_equal(v, [0.5, -0.5])


@pytest.mark.parametrize("name", ["README.md", "CONTRIBUTING.md"])
def test_files_that_are_named_exist(name):
    text = (ROOT / name).read_text()
    for path in re.findall(r"`((?:minitrain|tests|examples|benchmarks)/[\w/.]+\.\w+)`", text):
        assert (ROOT / path).exists(), path
