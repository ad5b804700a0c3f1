"""The house: lower never imports higher, names are public exactly once, what the docs show is so."""

import ast
import doctest
import importlib
import pickle
import pkgutil
import subprocess
import sys
from pathlib import Path
from types import FunctionType

import numpy as np
import pytest

import minitrain as mt

ROOT = Path(mt.__file__).parent

# From the ground up. A module may import from its own floor and from those below.
FLOORS = [
    ["errors", "dtypes", "nest"],
    ["engine"],
    ["ops"],
    ["math", "nn", "linalg", "random", "bitwise", "autodiff", "debugging", "testing", "test", "compat", "config"],
    ["module"],
    ["configuration", "data", "dtype_policies", "mixed_precision", "tree"],
    ["activations", "initializers", "regularizers", "constraints"],
    ["losses", "optim"],
    ["metrics", "layers"],
    ["saving"],
    ["training", "train", "summary", "utils"],
    ["callbacks", "models", "backend"],
    ["sklearn"],
    ["__init__"],
]
FLOOR = {name: level for level, names in enumerate(FLOORS) for name in names}
MODULES = sorted(
    info.name for info in pkgutil.walk_packages(mt.__path__, "minitrain.") if not info.name.endswith("__main__")
)


def place(module: str) -> str:
    return module.split(".")[1] if "." in module else "__init__"


def imports(path: Path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == "minitrain":
            names = [f"minitrain.{alias.name}" for alias in node.names] if node.module == "minitrain" else [node.module]
            yield from names
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name.split(".")[0] == "minitrain")


@pytest.mark.parametrize("path", sorted(ROOT.rglob("*.py")), ids=lambda path: str(path.relative_to(ROOT)))
def test_lower_never_imports_higher(path):
    parts = path.relative_to(ROOT).with_suffix("").parts
    mine = FLOOR[parts[0]]
    for module in imports(path):
        assert FLOOR[place(module)] <= mine, f"{'.'.join(parts)} imports {module} from a higher floor"


@pytest.mark.parametrize("path", sorted(ROOT.rglob("*.py")), ids=lambda path: str(path.relative_to(ROOT)))
def test_every_file_opens_with_its_idea(path):
    assert ast.get_docstring(ast.parse(path.read_text())), "no docstring at the top"


@pytest.mark.parametrize("module", ["minitrain", *MODULES])
def test_public_functions_are_documented(module):
    loaded = importlib.import_module(module)
    for name in getattr(loaded, "__all__", []):
        each = getattr(loaded, name)
        if callable(each) and getattr(each, "__module__", "").startswith("minitrain"):
            assert each.__doc__, f"{module}.{name} has no docstring"


@pytest.mark.parametrize("module", MODULES)
def test_docstring_examples_run(module):
    found = doctest.testmod(importlib.import_module(module), extraglobs={"np": np})
    assert found.failed == 0


def test_all_is_what_is_public():
    for module in (mt, mt.math, mt.nn, mt.linalg, mt.random, mt.bitwise):
        public = {name for name in dir(module) if not name.startswith("_")}
        public -= {"sklearn", "training"}  # there once they are imported
        assert public == set(module.__all__)


@pytest.mark.parametrize("module", ["minitrain", *MODULES])
def test_public_functions_and_classes_pickle(module):
    loaded = importlib.import_module(module)
    for name in getattr(loaded, "__all__", []):
        each = getattr(loaded, name)
        if isinstance(each, type | FunctionType):
            assert pickle.loads(pickle.dumps(each)) is each, name


def test_what_stands_on_the_operations_waits_until_it_is_named():
    code = "import sys, minitrain; print(*(name for name in sys.modules if name.startswith('minitrain.')))"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert {"minitrain.math", "minitrain.engine.tape"} <= {*loaded}
    assert not {"minitrain.layers", "minitrain.losses", "minitrain.metrics", "minitrain.optim"} & {*loaded}
    code = "import minitrain; print(minitrain.activations.get('LeakyReLU').negative_slope)"  # a layer, by its name
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "0.3\n"
    assert mt.Model is mt.models.Model
    assert {"layers", "Model", "optimizers"} <= {*dir(mt)}
    with pytest.raises(AttributeError, match="nothing"):
        _ = mt.nothing


def test_keras_is_the_package_itself():
    from minitrain.keras import math as keras_math
    from minitrain.keras.nn import relu

    from minitrain import keras

    assert keras is mt
    assert keras_math is mt.math
    assert relu is mt.nn.relu
    assert mt.math.__spec__.name == "minitrain.math"
    with pytest.raises(ModuleNotFoundError):
        importlib.import_module("minitrain.keras.nothing")


def test_import_brings_numpy_alone():
    code = "import sys, numpy; before = set(sys.modules); import minitrain; print(*sorted(set(sys.modules) - before))"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    foreign = {name.split(".")[0] for name in out.split()} - {"minitrain"} - set(sys.stdlib_module_names)
    assert foreign <= {"numpy"}
    assert not {"tqdm", "sklearn", "pandas", "scipy"} & foreign


def test_early_eager_names():
    mt.enable_eager_execution()
    assert mt.executing_eagerly()
    np.testing.assert_allclose(mt.lin_space(0.0, 1.0, 3), [0, 0.5, 1])
    assert mt.__version__.count(".") == 2


@pytest.mark.parametrize(
    ("package", "extra", "use"),
    [
        ("pandas", "data", lambda model, history, path: history.to_frame()),
        ("matplotlib", "plot", lambda model, history, path: history.plot()),
        ("h5py", "h5", lambda model, history, path: model.save_weights(path / "model.weights.h5")),
        ("tensorboardX", "tensorboard", lambda model, history, path: mt.callbacks.TensorBoard(path)._writer("train")),
    ],
    ids=["pandas", "matplotlib", "h5py", "tensorboardX"],
)
def test_a_package_that_is_not_installed_is_named_with_the_way_to_get_it(package, extra, use, tmp_path, monkeypatch):
    model = mt.Sequential([mt.layers.Dense(1)])
    model.compile("sgd", "mse")
    history = model.fit(np.ones((2, 2)), np.ones(2), verbose=0)
    monkeypatch.setitem(sys.modules, package, None)  # as where it is not installed
    with pytest.raises(ModuleNotFoundError, match=rf"needs {package}.*pip install 'minitrain\[{extra}\]'"):
        use(model, history, tmp_path)
