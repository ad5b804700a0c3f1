"""Names that scripts bring along: `minitrain.keras`, and the few of early eager tutorials that TensorFlow dropped."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Sequence
from importlib.machinery import ModuleSpec
from types import ModuleType, SimpleNamespace
from typing import Any

from minitrain.engine.convert import as_tensor
from minitrain.engine.tape import GradientTape
from minitrain.engine.tensor import TensorLike
from minitrain.engine.variable import Variable
from minitrain.errors import DTypeError, InvalidArgumentError
from minitrain.ops.creation import linspace as lin_space

__all__ = [
    "alias_package",
    "contrib",
    "enable_eager_execution",
    "executing_eagerly",
    "gradients_function",
    "lin_space",
    "value_and_gradients_function",
]


def enable_eager_execution(*args: Any, **kwargs: Any) -> None:
    """Nothing to do: execution is always eager."""


def executing_eagerly() -> bool:
    """Always True."""
    return True


def value_and_gradients_function(f: Callable[..., Any], params: Sequence[Any] | None = None) -> Callable[..., Any]:
    """A function that gives f's value and the list of its gradients with respect to its arguments.

    `params` picks arguments by position or by name; all of them by default. The value may have any shape: its
    elements are summed, or weighted by `dy=`.
    """
    names = f.__code__.co_varnames[: f.__code__.co_argcount] if hasattr(f, "__code__") else ()

    def function(*args: Any, dy: Any = None) -> tuple[Any, list[Any]]:
        places = range(len(args)) if params is None else [_place(each, names, len(args)) for each in params]
        made = [each if isinstance(each, Variable) else as_tensor(each) for each in args]
        with GradientTape() as tape:
            tape.watch([made[place] for place in places])
            value = f(*made)
        if not isinstance(value, TensorLike):
            raise DTypeError(f"Expected a function that returns a Tensor, received {value!r}.")
        return value, tape.gradient(value, [made[place] for place in places], output_gradients=dy)

    return function


def gradients_function(f: Callable[..., Any], params: Sequence[Any] | None = None) -> Callable[..., Any]:
    """A function that gives the list of f's gradients with respect to its arguments.

    >>> gradients_function(lambda x: x * x)(3.0)
    [<mt.Tensor: shape=(), dtype=float32, numpy=6.0>]
    """
    both = value_and_gradients_function(f, params)

    def function(*args: Any, dy: Any = None) -> list[Any]:
        gradients: list[Any] = both(*args, dy=dy)[1]
        return gradients

    return function


def _place(param: Any, names: Sequence[str], count: int) -> int:
    place = names.index(param) if isinstance(param, str) and param in names else param
    if not isinstance(place, int) or not 0 <= place < count:
        raise InvalidArgumentError(f"`params` names no argument: {param!r}. Known names: {', '.join(names)}.")
    return place


contrib = SimpleNamespace(
    eager=SimpleNamespace(
        GradientTape=GradientTape,
        Variable=Variable,
        gradients_function=gradients_function,
        value_and_gradients_function=value_and_gradients_function,
    )
)


class _AliasFinder:
    """A finder and loader that imports "alias.rest" as the very module "package.rest".

    It does not derive from importlib.abc, whose import alone would take a sixth of minitrain's.
    """

    def __init__(self, alias: str, package: str) -> None:
        self.alias = alias
        self.package = package

    def find_spec(self, fullname: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        loader: Any = self
        return ModuleSpec(fullname, loader) if fullname.startswith(self.alias + ".") else None

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        module = importlib.import_module(self.package + spec.name.removeprefix(self.alias))
        self._spec = module.__spec__
        return module

    def exec_module(self, module: ModuleType) -> None:
        module.__spec__ = self._spec  # the import system has put the alias's there


def alias_package(alias: str, package: str) -> None:
    """Make `alias` another name of an imported package: `import alias.part` gives the package's own modules."""
    sys.modules[alias] = sys.modules[package]
    sys.meta_path.insert(0, _AliasFinder(alias, package))
