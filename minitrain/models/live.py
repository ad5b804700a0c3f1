"""Calls of a model in loops of one's own, inside a tape or outside: replayed as `engine/program/passage.py` says.

What a user's own Python code does in a call has to happen in every call, so that models of our layers alone are
replayed, and those without functions of the user's in them. Their results are those of the layers, bit for bit.
"""

from __future__ import annotations

from typing import Any

from minitrain.configuration import is_ours
from minitrain.engine.program.passage import Passage
from minitrain.engine.program.trace import Kept
from minitrain.engine.tensor import Tensor
from minitrain.engine.trail import Trail

UNCALLED = ("_initializer", "_regularizer", "_constraint")  # arguments that a call has no use for


class LiveCalls:
    """The passages of a model's calls, by the shape and dtype of the input, `training`, and what the tape sees."""

    def __init__(self) -> None:
        self.passages = Kept()

    def passage(self, model: Any, x: Tensor, training: bool | None, trail: Trail | None) -> Passage:
        """That of calls like this one; `trail` is None where no tape is open."""
        array = x._array
        is_tracked = None if trail is None else x._token is not None and trail.marks(x)
        key = array.shape, array.dtype.char, training, is_tracked
        passage: Passage | None = self.passages.current(key)
        if passage is None:
            passage = self.passages.keep(key, Passage(trail is None))
            passage.is_off = leaves_losses(model) or not runs_ours_alone(model)
            passage.trace.note(model._flatten_layers())
        return passage


def runs_ours_alone(model: Any) -> bool:
    """Whether nothing but our own code runs in a call: all layers are ours, and so are the functions that they hold."""
    for layer in model._flatten_layers():
        held = [value for name, value in vars(layer).items() if callable(value) and not name.endswith(UNCALLED)]
        if not is_ours(type(layer)) or not all(map(is_ours, held)):
            return False
    return True


def leaves_losses(model: Any) -> bool:
    """Whether a call adds to the losses, which a program would not."""
    return any(each.activity_regularizer is not None or each._losses for each in model._flatten_layers())
