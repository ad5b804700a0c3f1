"""`Module`: an object that finds the variables and the modules among its attributes, as `tf.Module` does."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from minitrain import nest
from minitrain.compat import name_scope
from minitrain.engine.variable import Variable
from minitrain.errors import InvalidArgumentError

__all__ = ["Module"]


class Module:
    """A base class for parts of one's own: attributes that are variables, modules, or lists or dicts of them, count.

    `name`: by default the name of the class in snake_case.
    """

    def __init__(self, name: str | None = None) -> None:
        if name is not None and not name.isidentifier():
            raise InvalidArgumentError(f"`name` must be a valid Python identifier, received {name!r}.")
        self._name = name or re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", type(self).__name__).lower()

    @property
    def name(self) -> str:
        """The name."""
        return self._name

    @property
    def name_scope(self) -> Any:
        """A context that does nothing."""
        return name_scope(self._name)

    @classmethod
    def with_name_scope(cls, method: Any) -> Any:
        """`method` itself."""
        return method

    @property
    def variables(self) -> tuple[Variable, ...]:
        """The variables of this module and, after its own, of those in it; each once."""
        return tuple(each for each in self._found() if isinstance(each, Variable))

    @property
    def trainable_variables(self) -> tuple[Variable, ...]:
        """The variables that are trainable."""
        return tuple(each for each in self.variables if each.trainable)

    @property
    def non_trainable_variables(self) -> tuple[Variable, ...]:
        """The variables that are not trainable."""
        return tuple(each for each in self.variables if not each.trainable)

    @property
    def submodules(self) -> tuple[Any, ...]:
        """The modules in this one, at any depth."""
        return tuple(each for each in self._found() if not isinstance(each, Variable))

    def _found(self) -> list[Any]:
        """Variables and parts that have some, in the order of attributes' names, what is nearer first; each once."""
        seen, found, level = {id(self)}, [], list(_held(self))
        while level:
            fresh = []
            for each in level:
                if id(each) not in seen:
                    seen.add(id(each))
                    fresh.append(each)
            found += fresh
            level = [inner for each in fresh if not isinstance(each, Variable) for inner in _held(each)]
        return found


def _held(part: Any) -> Iterator[Any]:
    if not isinstance(part, Module):  # a Keras layer knows its variables
        yield from part.variables
        return
    for _, value in sorted(vars(part).items()):
        for leaf in nest.flatten(value):
            if isinstance(leaf, (Variable, Module)) or (hasattr(leaf, "variables") and hasattr(leaf, "get_config")):
                yield leaf
