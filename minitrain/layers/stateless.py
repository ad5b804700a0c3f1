"""A layer as a function of its variables: called with other values in their place, which stay as they were."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from minitrain.engine.convert import to_dtype
from minitrain.engine.tensor import Tensor, TensorLike
from minitrain.engine.trail import STATE
from minitrain.engine.variable import Variable
from minitrain.errors import InvalidArgumentError, ShapeError


@contextmanager
def standing_in(variables: Sequence[Variable], values: Sequence[Any]) -> Iterator[None]:
    """Within this `with` block the variables have other values, through which gradients flow; then their own again."""
    tensors = [_stand_in(*each) for each in zip(variables, values, strict=True)]
    kept = [(each._tensor, each._pack) for each in variables]
    reads = {} if STATE.trail is None else STATE.trail.reads
    read = {id(each): reads.pop(id(each), None) for each in variables}
    outer, STATE.stands_in = STATE.stands_in, True
    try:
        for variable, tensor in zip(variables, tensors, strict=True):
            variable._tensor, variable._pack = tensor, None
            reads[id(variable)] = tensor
        yield
    finally:
        STATE.stands_in = outer
        for variable, (tensor, pack) in zip(variables, kept, strict=True):
            variable._tensor, variable._pack = tensor, pack
            reads.pop(id(variable), None)
        reads.update({key: each for key, each in read.items() if each is not None})


def _stand_in(variable: Variable, value: Any) -> Tensor:
    if not isinstance(value, TensorLike):
        return Tensor(variable._accept(value, "stand in for").copy())
    if tuple(value.shape) != tuple(variable.shape):
        raise ShapeError(
            f"Variable '{variable.path}' has shape {tuple(variable.shape)}, received {tuple(value.shape)}."
        )
    return to_dtype(value._read(), variable._peek().dtype)


def need_one_each(layer: str, name: str, variables: list[Variable], values: Any) -> None:
    """Raise InvalidArgumentError where there is not one value for each variable."""
    if not isinstance(values, (list, tuple)) or len(values) != len(variables):
        raise InvalidArgumentError(
            f"`{name}` must be a list with a value for each of the {len(variables)} in `{layer}.{name}`, received "
            f"{len(values) if isinstance(values, (list, tuple)) else repr(values)}."
        )
