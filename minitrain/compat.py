"""Names that scripts bring along: `minitrain.keras`, and the few of early eager tutorials that TensorFlow dropped."""

from __future__ import annotations

import builtins
import importlib
import sys
import time
from collections.abc import Callable, Sequence
from importlib.machinery import ModuleSpec
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np

from minitrain.engine.convert import as_tensor, convert_to_tensor
from minitrain.engine.program.record import Call, happen
from minitrain.engine.shape import TensorShape
from minitrain.engine.tape import GradientTape
from minitrain.engine.tensor import TensorLike
from minitrain.engine.trail import STATE
from minitrain.engine.variable import Variable
from minitrain.errors import DTypeError, InvalidArgumentError, ShapeError
from minitrain.ops.creation import linspace as lin_space

__all__ = [
    "alias_package",
    "broadcast_dynamic_shape",
    "broadcast_static_shape",
    "contrib",
    "control_dependencies",
    "device",
    "enable_eager_execution",
    "executing_eagerly",
    "get_logger",
    "get_static_value",
    "gradients_function",
    "group",
    "init_scope",
    "inside_function",
    "lin_space",
    "name_scope",
    "no_op",
    "numpy_function",
    "print_",
    "py_function",
    "timestamp",
    "tuple_",
    "value_and_gradients_function",
]


def enable_eager_execution(*args: Any, **kwargs: Any) -> None:
    """Nothing to do: execution is always eager."""


def executing_eagerly() -> bool:
    """Whether what is called now is called as it stands; False where a `function` is recorded."""
    return not inside_function()


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


class _Nothing:
    """A context that does nothing, with the name that it was given."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.name = str(args[0]) if args else ""

    def __enter__(self) -> str:
        return f"{self.name}/"

    def __exit__(self, *exception: object) -> None:
        pass


class name_scope(_Nothing):  # noqa: N801  # TensorFlow's name
    """A context that does nothing: operations have no names here."""


class device(_Nothing):  # noqa: N801  # TensorFlow's name
    """A context that does nothing: there is one device."""


class control_dependencies(_Nothing):  # noqa: N801  # TensorFlow's name
    """A context that does nothing: what is called happens at once, in order."""


class init_scope(_Nothing):  # noqa: N801  # TensorFlow's name
    """A context that does nothing: there is no graph to leave."""


def inside_function() -> bool:
    """Whether a `function` is recorded now."""
    return STATE.trail is not None and STATE.trail.recorder is not None


def no_op(name: str | None = None) -> None:
    """Do nothing."""


def group(*inputs: Any, name: str | None = None) -> None:
    """Do nothing: what was called has happened."""


def tuple_(tensors: Any, control_inputs: Any = None, name: str | None = None) -> list[Any]:
    """A list of the `tensors`."""
    return list(tensors)


def print_(*inputs: Any, sep: str = " ", end: str = "\n", output_stream: Any = None, **options: Any) -> None:
    """Print Tensors' values, to the standard error as TensorFlow does, or to `output_stream`."""

    def say(*arrays: Any) -> None:
        given = iter(arrays)
        values = [next(given)[()] if isinstance(each, TensorLike) else each for each in inputs]
        builtins.print(*values, sep=sep, end=end, file=output_stream or sys.stderr)

    happen(Call(say), [each._read() for each in inputs if isinstance(each, TensorLike)])


def get_logger() -> Any:
    """The logger "minitrain" of Python's logging, which nothing is written to: warnings are Python's."""
    import logging  # on use: it would be a part of every import

    return logging.getLogger("minitrain")


def get_static_value(tensor: Any, partial: bool = False) -> Any:
    """The value as an ndarray."""
    return as_tensor(tensor).numpy()


def timestamp(name: str | None = None) -> Any:
    """The seconds since 1970 as a float64 Tensor."""
    return as_tensor(np.float64(time.time()))


def numpy_function(func: Callable[..., Any], inp: Any, Tout: Any, stateful: bool = True, name: Any = None) -> Any:  # noqa: N803
    """`func` of the inputs' ndarrays, as Tensors of the dtypes `Tout`. No gradient passes through."""
    _need_calls("`numpy_function`")
    return _typed(func(*[as_tensor(each).numpy() for each in inp]), Tout)


def py_function(func: Any = None, inp: Any = None, Tout: Any = None, name: str | None = None) -> Any:  # noqa: N803
    """`func` of the inputs as Tensors, whose results have the dtypes `Tout`. Gradients pass through its operations."""
    _need_calls("`py_function`")
    return _typed(func(*[as_tensor(each) for each in inp]), Tout)


def _need_calls(what: str) -> None:
    """Let a `function` that is recorded now be called as Python code every time."""
    if inside_function():
        STATE.trail.recorder.call(what)  # type: ignore[union-attr]  # there is a recorder, as was asked


def _typed(made: Any, dtypes: Any) -> Any:
    if isinstance(dtypes, (list, tuple)):
        return [convert_to_tensor(each, dtype) for each, dtype in zip(made, dtypes, strict=True)]
    return convert_to_tensor(made, dtypes)


def broadcast_static_shape(shape_x: Any, shape_y: Any) -> TensorShape:
    """The shape to which two shapes broadcast. Raises ShapeError where they do not."""
    try:
        return TensorShape(np.broadcast_shapes(tuple(shape_x), tuple(shape_y)))
    except ValueError as error:
        raise ShapeError(f"Incompatible shapes for broadcasting: {shape_x} and {shape_y}.") from error


def broadcast_dynamic_shape(shape_x: Any, shape_y: Any) -> Any:
    """`broadcast_static_shape` of shapes that are Tensors, as a Tensor."""
    sizes = [as_tensor(each).numpy().tolist() for each in (shape_x, shape_y)]
    return as_tensor(np.array(broadcast_static_shape(*sizes), np.int32))


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
    """A finder and loader that imports "alias" and "alias.rest" as the very modules "package" and "package.rest".

    It does not derive from importlib.abc, whose import alone would take a sixth of minitrain's.
    """

    def __init__(self, alias: str, package: str) -> None:
        self.alias = alias
        self.package = package

    def find_spec(self, fullname: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        loader: Any = self
        return ModuleSpec(fullname, loader) if f"{fullname}.".startswith(f"{self.alias}.") else None

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        module = importlib.import_module(self.package + spec.name.removeprefix(self.alias))
        self._spec = module.__spec__
        return module

    def exec_module(self, module: ModuleType) -> None:
        module.__spec__ = self._spec  # the import system has put the alias's there


def alias_package(alias: str, package: str) -> None:
    """Make `alias` another name of a package: `import alias` and `import alias.part` give the package's own modules."""
    sys.meta_path.insert(0, _AliasFinder(alias, package))
