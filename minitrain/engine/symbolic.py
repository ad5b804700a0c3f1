"""Symbolic tensors: what a functional model is drawn with before there is any data.

A `KerasTensor` has a shape, with None for axes whose size is open, a dtype, and the `Node` that made it: an operation
with its arguments. Nothing is inferred by rules: an operation on symbolic tensors is run on two small examples of
different size, and the axes in which the results differ are the open ones. Nodes point to what they were made from and
only weakly to what they made, so that a drawing holds no reference cycle.
"""

from __future__ import annotations

import functools
import sys
import weakref
from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np

from minitrain import nest
from minitrain.dtypes import as_dtype
from minitrain.engine.tensor import Tensor, TensorLike
from minitrain.errors import DTypeError, InvalidArgumentError, ShapeError

__all__ = [
    "FUNCTIONS",
    "KerasTensor",
    "Node",
    "admit",
    "admitting",
    "declare",
    "draw",
    "function_name",
    "function_named",
    "holds_symbolic",
    "name_of",
    "substituted",
]

SIZES = (2, 3)  # of an open axis in the two examples
OTHER_SIZES = (60, 120), (1, 1), (2, 2)  # where those do not fit: many numbers divide 60

FUNCTIONS: dict[str, Callable[..., Any]] = {}  # the functions that may stand in a drawing, by public name


class Node:
    """One call in a drawing: `operation(*args, **kwargs)`, where arguments may hold symbolic tensors."""

    __slots__ = ("__weakref__", "_outputs", "args", "kwargs", "operation")

    def __init__(self, operation: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        self.operation = operation
        self.args = args
        self.kwargs = kwargs
        self._outputs: Any = None

    @property
    def outputs(self) -> Any:
        """The symbolic tensors that the call made, in the structure in which it gave them."""
        return nest.map_structure(lambda each: each(), self._outputs)

    @outputs.setter
    def outputs(self, value: Any) -> None:
        self._outputs = nest.map_structure(weakref.ref, value)

    @property
    def inputs(self) -> list[KerasTensor]:
        """The symbolic tensors among the arguments, in order."""
        return [each for each in nest.flatten([self.args, self.kwargs]) if isinstance(each, KerasTensor)]

    def __getstate__(self) -> dict[str, Any]:
        state = {name: getattr(self, name) for name in ("operation", "args", "kwargs", "outputs")}
        return state | {"operation": function_name(self.operation) or self.operation}

    def __setstate__(self, state: dict[str, Any]) -> None:
        for name, value in state.items():
            setattr(self, name, value)
        if isinstance(self.operation, str):
            self.operation = function_named(self.operation)


class KerasTensor(TensorLike):
    """A Tensor yet to come: `shape` with None for open axes, `dtype`, `name`. Layers and operations take it."""

    __slots__ = ("__weakref__", "_dtype", "_examples", "_node", "_shape", "name")

    _node: Node | None

    def __init__(self, shape: Any, dtype: Any = "float32", name: str | None = None) -> None:
        self._shape = _checked(shape)
        self._dtype = dtype if dtype == "string" else as_dtype(dtype)
        self._node = None
        self.name = name or name_of("keras_tensor")
        self._examples: tuple[Any, Any] | None = None

    @property
    def examples(self) -> tuple[Any, Any]:
        """Two small arrays that the tensor could be; made when they are needed."""
        if self._examples is None:
            self._examples = self._example(SIZES[0]), self._example(SIZES[1])
        return self._examples

    def _example(self, size: int) -> Any:
        shape = tuple(size if each is None else each for each in self._shape)
        return np.full(shape, "") if self._dtype == "string" else Tensor(np.zeros(shape, self._dtype.dtype))

    @property
    def shape(self) -> Any:
        """The sizes of the axes, None where open."""
        return self._shape

    @property
    def ndim(self) -> int:
        return len(self._shape)

    @property
    def dtype(self) -> Any:
        return self._dtype

    @property
    def node(self) -> Node | None:
        """The call that made this tensor."""
        return self._node

    def _read(self) -> Any:
        raise InvalidArgumentError(
            f"{self!r} is symbolic: it stands for data to come and has no value. Use it with layers and with "
            "minitrain's operations, to build a Model; call the model on data to get values."
        )

    _peek = _read

    def __bool__(self) -> bool:
        raise DTypeError(f"{self!r} is symbolic and cannot be used as a boolean: it has no value yet.")

    def reshape(self, newshape: Any) -> KerasTensor:
        """With other sizes of its axes, as `ops.reshape` has it."""
        return FUNCTIONS["ops.reshape"](self, newshape)

    def squeeze(self, axis: Any = None) -> KerasTensor:
        """Without axes of size 1, as `ops.squeeze` has it."""
        return FUNCTIONS["ops.squeeze"](self, axis)

    def __len__(self) -> int:
        if self._shape and self._shape[0] is not None:
            return int(self._shape[0])
        return int(self._read())

    def __repr__(self) -> str:
        dtype = getattr(self._dtype, "name", self._dtype)
        return f"<KerasTensor shape={self._shape}, dtype={dtype}, name={self.name}>"

    def __getstate__(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in ("_dtype", "_examples", "_node", "_shape", "name")}

    def __setstate__(self, state: dict[str, Any]) -> None:
        for name, value in state.items():
            setattr(self, name, value)


def _checked(shape: Any) -> tuple[int | None, ...]:
    if not isinstance(shape, (list, tuple)):
        raise ShapeError(f"A shape must be a tuple such as (8,), received {shape!r}.")
    for size in shape:
        if size is not None and (not isinstance(size, (int, np.integer)) or size < 0):
            raise ShapeError(f"A shape must hold integers, or None for open axes, received {tuple(shape)}.")
    return tuple(None if size is None else int(size) for size in shape)


def function_name(function: Any) -> str | None:
    """The public name of a function that may stand in a drawing; None for what is none."""
    for name, each in FUNCTIONS.items():
        if each is function:
            return name
    name = getattr(function, "__name__", "")
    return f"primitive.{name}" if name and PRIMITIVE_OPS and function is PRIMITIVE_OPS[0](name) else None


def function_named(name: str) -> Any:
    """The function of a public name. Raises InvalidArgumentError where there is none."""
    found = PRIMITIVE_OPS[0](name[10:]) if name.startswith("primitive.") else FUNCTIONS.get(name)
    if found is None:
        raise InvalidArgumentError(f"Unknown function {name!r} in the configuration of a model.")
    return found


PRIMITIVE_OPS: list[Callable[[str], Any]] = []  # `engine.primitive` puts here how to find an operation by its name

_names: Counter[str] = Counter()  # how often each default name was given


def name_of(stem: str) -> str:
    """A name that is not taken yet: the stem, and a number from the second on."""
    _names[stem] += 1
    return stem if _names[stem] == 1 else f"{stem}_{_names[stem] - 1}"


def reset_names() -> None:
    """Let default names start from the beginning, as in a fresh process."""
    _names.clear()


def holds_symbolic(structure: Any) -> bool:
    """Whether there is a symbolic tensor among the leaves."""
    return any(isinstance(each, KerasTensor) for each in nest.flatten(structure))


def substituted(structure: Any, of: Callable[[KerasTensor], Any]) -> Any:
    """The structure with `of(tensor)` in the place of each symbolic tensor."""
    return nest.map_structure(lambda each: of(each) if isinstance(each, KerasTensor) else each, structure)


def draw(operation: Any, args: tuple[Any, ...], kwargs: dict[str, Any], run: Callable[..., Any] | None = None) -> Any:
    """The symbolic result of `operation(*args, **kwargs)`. `run` computes the examples, where that differs."""
    run = run or operation

    def example(of: Callable[[KerasTensor], Any]) -> Any:
        positional, named = substituted((args, kwargs), of)
        return run(*positional, **named)

    is_usual = True
    try:
        few, many = example(lambda each: each.examples[0]), example(lambda each: each.examples[1])
    except Exception:  # whatever the operation makes of sizes that do not fit
        found = _otherwise(example, nest.flatten([args, kwargs]))
        if found is None:
            raise
        is_usual, (few, many) = False, found
    node = Node(operation, args, kwargs)

    def made(one: Any, other: Any) -> KerasTensor:
        open_axes = tuple(a if a == b else None for a, b in zip(one.shape, other.shape, strict=True))
        tensor = KerasTensor((), one.dtype if isinstance(one, TensorLike) else "string")
        tensor._shape, tensor._node = open_axes, node
        if is_usual:
            tensor._examples = one, other
        return tensor

    outputs = nest.map_structure(made, few, many)
    node.outputs = outputs
    return outputs


def _otherwise(example: Callable[..., Any], arguments: list[Any]) -> list[Any] | None:
    """The results of two examples where the usual ones do not go together; None where others do not either.

    An open axis gets the size that it broadcasts to, as that of the (None, 3) which is added to a (2, 3); and where a
    crop, or a place far down an axis, asks for more than the usual examples have, it is larger. Where one size alone
    will do, the result has no open axes. The examples hold ones, and matrices more on the diagonal: integers may be
    divided by them, and matrices inverted.
    """
    sizes = [list(reversed(getattr(each, "shape", ()))) for each in arguments]
    known: dict[int, int] = {}  # by the place of the axis, from the last
    for shape in sizes:
        for place, size in enumerate(shape):
            if size not in (None, 1):
                known.setdefault(place, size)

    def fitted(each: KerasTensor, size: int, at: dict[int, int]) -> Any:
        axes = range(each.ndim - 1, -1, -1)
        shape = [at.get(place, size) if own is None else own for place, own in zip(axes, each.shape, strict=True)]
        if each.dtype == "string":
            return np.full(shape, "")
        ones = np.ones(shape, each.dtype.dtype)
        return Tensor(
            ones + np.eye(*shape[-2:], dtype=ones.dtype) if ones.dtype.kind == "f" and len(shape) > 1 else ones
        )

    alone = [(size, size) for size in sorted({size for shape in sizes for size in shape if size is not None})[:8]]
    for pair, at in [(SIZES, known), *((pair, known) for pair in OTHER_SIZES), *((pair, {}) for pair in alone)]:
        try:
            return [example(functools.partial(fitted, size=size, at=at)) for size in pair]
        except Exception:  # whatever the operation makes of sizes that do not fit
            continue
    return None


def declare(operation: Any, args: tuple[Any, ...], kwargs: dict[str, Any], made: Any) -> Any:
    """What `draw` gives, where shapes and dtypes are known: `made` is a structure of symbolic tensors."""
    node = Node(operation, args, kwargs)
    for each in nest.flatten(made):
        each._node = node
    node.outputs = made
    return made


def admit(namespace: dict[str, Any], prefix: str) -> None:
    """Let the public functions of a module take symbolic tensors, which puts them into the drawing.

    Operations that are primitives do so by themselves. The others are wrapped here, where they become public, so that
    the library's own calls do not pay for it.
    """
    for name, function in list(namespace.items()):
        if name.startswith("_") or not callable(function) or isinstance(function, type):
            continue
        if not getattr(function, "__module__", "").startswith(("minitrain.ops", "minitrain.activations")):
            continue
        if not hasattr(function, "primitive"):
            namespace[name] = function = admitting(function)
        if getattr(sys.modules[function.__module__], function.__qualname__, None) is not function:
            function.__module__, function.__qualname__ = namespace["__name__"], name  # where pickle finds it
        FUNCTIONS.setdefault(f"{prefix}{name}", function)


@functools.cache
def admitting(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function, which takes symbolic tensors too."""
    if getattr(function, "_admits", False):
        return function

    @functools.wraps(function)
    def admits(*args: Any, **kwargs: Any) -> Any:
        try:
            return function(*args, **kwargs)
        except Exception:  # whatever a function makes of an argument without values
            if not holds_symbolic([args, kwargs]):
                raise
        return draw(admits, args, kwargs)

    admits._admits = True  # type: ignore[attr-defined]
    return admits
