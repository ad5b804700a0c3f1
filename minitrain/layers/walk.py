"""Walks over a layer and those below it: the layers, variables and metrics in their attributes.

Loops of one's own ask for a model's variables at every step. A walk takes as long as a small model's arithmetic, so
that it is kept while it holds: until an attribute that may hold such things is set, or a list of them changes.
"""

from __future__ import annotations

from collections.abc import Iterable
from operator import is_
from typing import Any

from minitrain.engine.trail import Changes
from minitrain.engine.variable import Variable

HIDDEN = frozenset(  # attributes that no walk looks at; its own is of a type that it does not look at
    ("_weights", "_frozen", "_losses", "_loss_context", "_made_with", "_nodes", "_compile_config", "_loss_parts")
)
CONTAINERS = (dict, list, tuple, set)
HOLDS: dict[type, bool] = {}  # type of an attribute's value -> whether layers, variables or metrics may be in it


class Structure:
    """What stands for the structure of all layers as it is now: another object after every change of one."""

    mark = object()  # none like another: a count that two threads raise at once may be raised by one

    @classmethod
    def changed(cls) -> None:
        """To be called when a change is done: a walk of another thread in the midst of it does not hold then."""
        cls.mark = object()


class Walk:
    """What a walk from a layer finds: the layers `below` it, each once and before those below that one, what it and
    each of these `held`, and their `variables`. The layer keeps its walk, which does not point back to it. `metrics` is
    for those that a model finds on it.
    """

    __slots__ = ("_contents", "_mark", "_switches", "below", "held", "metrics", "variables")

    def __init__(self, root: Any, kind: type) -> None:
        self._mark, self._switches = Structure.mark, Changes.count
        self._contents: list[tuple[Any, list[Any]]] = []  # containers, and what was in them
        self.held: list[list[Any]] = []
        found: dict[int, Any] = {}
        waiting = [root]
        while waiting:
            layer = waiting.pop()
            if id(layer) not in found:
                found[id(layer)] = layer
                held = held_by(layer)
                self.held.append(held)
                self._note(held)
                waiting += reversed(leaves(held, kind))
        layers = list(found.values())
        own = [layer._variables_in(held) for layer, held in zip(layers, self.held, strict=True)]
        self.below = layers[1:]
        self.variables = leaves(own, Variable)
        self.metrics: list[Any] | None = None

    def _note(self, values: Iterable[Any]) -> None:
        for each in values:
            if isinstance(each, CONTAINERS):
                contents = list(each.values() if isinstance(each, dict) else each)
                if not isinstance(each, tuple):
                    self._contents.append((each, contents))
                self._note(contents)

    def holds(self) -> bool:
        """Whether nothing has changed since."""
        if self._mark is not Structure.mark or self._switches != Changes.count:
            return False
        for container, contents in self._contents:
            if len(container) != len(contents):
                return False
            if not all(map(is_, container.values() if isinstance(container, dict) else container, contents)):
                return False
        return True


def may_hold(value: Any) -> bool:
    """Whether layers, variables or metrics may be in the value of an attribute."""
    holds = HOLDS.get(kind := type(value))
    if holds is None:
        acts = hasattr(kind, "add_weight") or hasattr(kind, "update_state")  # layers and metrics, by what they do
        holds = HOLDS[kind] = acts or issubclass(kind, (Variable, *CONTAINERS))
    return holds


def held_by(layer: Any) -> list[Any]:
    """The values of a layer's attributes in which there may be layers, variables or metrics."""
    return [value for key, value in vars(layer).items() if may_hold(value) and key not in HIDDEN]


def leaves(values: Iterable[Any], kind: type) -> list[Any]:
    """The objects of a kind among the values of attributes, lists, tuples, sets and dicts looked through, each once."""
    found = {}
    for value in values:
        if isinstance(value, kind):
            found[id(value)] = value
        elif isinstance(value, CONTAINERS) and value:
            for each in leaves(value.values() if isinstance(value, dict) else value, kind):
                found[id(each)] = each
    return list(found.values())
