"""Names and configurations: how a string, a dict or an instance stands for a loss, a layer, an optimizer.

Each family has a `Registry` of its names. A `Configurable` stores what `__init__` was given under the arguments' own
names, which is all that `get_config` needs; `from_config` calls `__init__` again.
"""

from __future__ import annotations

import importlib
import inspect
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Self

import numpy as np

from minitrain.engine.tensor import TensorLike
from minitrain.errors import InvalidArgumentError, MinitrainError, NotInitializedError, nearest_names

__all__ = [
    "Configurable",
    "Registry",
    "custom_object",
    "custom_object_scope",
    "get_custom_objects",
    "register_serializable",
    "registered_name",
    "serialize",
    "snake_case",
]


def snake_case(name: str) -> str:
    """The name of a class as Keras writes it in lower case: `MeanSquaredError` becomes "mean_squared_error"."""
    name = re.sub(r"\W+", "", name)
    name = re.sub("(.)([A-Z][a-z0-9]+)", r"\1_\2", name)
    return re.sub("([a-z])([A-Z])", r"\1_\2", name).lower()


class Configurable:
    """Whatever can be written down as a class name and the arguments of its `__init__`."""

    def __getattr__(self, name: str) -> Any:
        """Called for what is not there, or raised AttributeError: say where `__init__` was not called."""
        if self._named and "name" not in self.__dict__ and not name.startswith("__"):
            raise NotInitializedError(
                f"{type(self).__name__} was not initialised: call `super().__init__()` first in its __init__."
            )
        return object.__getattribute__(self, name)  # raises what was raised, a property's own error too

    _named = False  # whether `__init__` gives a name

    def get_config(self) -> dict[str, Any]:
        """The arguments that make an equal object, as plain data."""
        found = {}
        given: dict[str, Any] = {}
        for name in _arguments(type(self)):
            try:
                found[name] = serialize(getattr(self, name))
                continue
            except (AttributeError, MinitrainError):  # not kept under its name, or not known yet
                pass
            given = given or _given(self)
            if name in given:
                found[name] = serialize(given[name])
        return found

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        """An object made from what `get_config` gave."""
        return cls(**config)


def _given(made: Any) -> dict[str, Any]:
    """The arguments that an object was made with, where its class keeps them."""
    args, kwargs = getattr(made, "_made_with", ((), {}))
    try:
        bound = inspect.signature(type(made).__init__).bind(made, *args, **kwargs)
    except TypeError:
        return dict(kwargs)
    bound.apply_defaults()
    return dict(bound.arguments)


def is_ours(thing: Any) -> bool:
    """Whether a class, a function or an object is minitrain's, as opposed to a user's."""
    return str(getattr(thing, "__module__", type(thing).__module__)).startswith("minitrain.")


def _arguments(cls: type) -> list[str]:
    """The named arguments of `__init__`, those of base classes that it passes on as **kwargs included."""
    names: list[str] = []
    for each in cls.__mro__:
        if "__init__" not in vars(each):
            continue
        parameters = list(inspect.signature(vars(each)["__init__"]).parameters.values())[1:]
        names += [p.name for p in parameters if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)]
        if not any(p.kind is p.VAR_KEYWORD for p in parameters):
            break
    return list(dict.fromkeys(names))


def serialize(value: Any) -> Any:
    """Plain data for a value of a configuration: objects become {"class_name", "config"}, functions their name."""
    if isinstance(value, Configurable) or (hasattr(value, "get_config") and not isinstance(value, type)):
        config = value.get_config()  # in which users' own may leave layers and functions as they are
        return {"class_name": registered_name(type(value)), "config": serialize(config)}
    if isinstance(value, TensorLike):
        value = value.numpy()
    if isinstance(value, (np.ndarray, np.generic)):
        return value.tolist()
    if isinstance(value, (list, tuple)):
        made = [serialize(each) for each in value]
        return tuple(made) if type(value) is tuple else made
    if isinstance(value, dict):
        return {key: serialize(each) for key, each in value.items()}
    if callable(value) and hasattr(value, "__name__"):
        return registered_name(value)
    return value


# ---------------------------------------------------------------------------------------------------- custom objects

_registered: dict[str, Any] = {}  # "package>name" -> what `register_serializable` decorated
_names: dict[Any, str] = {}  # the other way round
LATE = {  # layers of minitrain's own whose modules `import minitrain` leaves out
    "minitrain>Embedded": "minitrain.sklearn.encoding",
    "minitrain>Increasing": "minitrain.sklearn.uncertainty",
}


class _Scopes(threading.local):
    """The scopes that are open in a thread, the innermost last."""

    def __init__(self) -> None:
        self.open: list[dict[str, Any]] = []


_scopes = _Scopes()


def register_serializable(package: str = "Custom", name: str | None = None) -> Callable[[Any], Any]:
    """Decorate a class or function of one's own, so that saved models may name it: as "package>name"."""

    def decorate(target: Any) -> Any:
        full = f"{package}>{name or target.__name__}"
        if isinstance(target, type) and not hasattr(target, "get_config"):
            raise InvalidArgumentError(f"{target.__name__} needs a `get_config` method to be written down.")
        _registered[full] = target
        _names[target] = full
        return target

    return decorate


@contextmanager
def custom_object_scope(custom_objects: dict[str, Any] | None) -> Iterator[None]:
    """Within this `with` block, names in configurations may stand for these classes and functions."""
    _scopes.open.append(dict(custom_objects or {}))
    try:
        yield
    finally:
        _scopes.open.pop()


def get_custom_objects() -> dict[str, Any]:
    """The dict of registered classes and functions, by name; what is put into it is found too."""
    return _registered


def custom_object(name: str) -> Any:
    """The user's class or function of that name: from the open scopes, or registered; None where there is none."""
    for scope in reversed(_scopes.open):
        if name in scope:
            return scope[name]
    if name in LATE and name not in _registered:
        importlib.import_module(LATE[name])
    return _registered.get(name)


def registered_name(target: Any) -> str:
    """The name under which a class or function is written down."""
    try:
        return _names.get(target) or str(target.__name__)
    except TypeError:  # not hashable
        return str(target.__name__)


class Registry:
    """The names of one family: `registry.get("mse")`, a dict with a configuration, a class, an instance."""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self.fallback: Callable[[], Registry] | None = None  # where names are looked for that are not among these
        self.entries: dict[str, Any] = {}
        self.members: list[Any] = []  # each once, whatever the number of its names

    def add(self, member: Any, *aliases: str) -> Any:
        """Register a class or a function under its own name, in lower case too, and under the aliases."""
        self.members.append(member)
        name = member.__name__
        for each in (name, snake_case(name), name.lower(), *aliases):
            self.entries[each] = member
        return member

    def register(self, *aliases: str) -> Callable[[Any], Any]:
        """`add` as a decorator."""
        return lambda member: self.add(member, *aliases)

    def find(self, name: str) -> Any:
        """The class or function of that name. Raises InvalidArgumentError with the nearest names."""
        own = custom_object(name)
        if own is not None:
            return own
        if name not in self.entries:
            others = {} if self.fallback is None else self.fallback().entries
            if name in others:
                return others[name]
            raise InvalidArgumentError(f"Unknown {self.kind}: {name!r}. {nearest_names(name, self.entries)}")
        return self.entries[name]

    def deserialize(self, config: Any, custom_objects: dict[str, Any] | None = None) -> Any:
        """The member that a configuration stands for, whose names may be those of `custom_objects` too."""
        with custom_object_scope(custom_objects or {}):
            return self.get(config)

    def get(self, identifier: Any) -> Any:
        """The member that `identifier` stands for; None for None.

        A string names a class, which is made without arguments, or a function. A dict holds "class_name" and "config";
        where the class is Keras's "function", the configuration is the name of one.
        Classes are made without arguments; instances and other callables are taken as they are.
        """
        if identifier is None:
            return None
        if isinstance(identifier, str):
            found = self.find(identifier)
            return found() if isinstance(found, type) else found
        if isinstance(identifier, dict) and "class_name" in identifier:
            if identifier["class_name"] == "function":
                return self.get(identifier["config"])
            found = self.find(identifier.get("registered_name") or identifier["class_name"])
            return found.from_config(identifier.get("config") or {}) if isinstance(found, type) else found
        if isinstance(identifier, type):
            return identifier()
        if callable(identifier) or isinstance(identifier, Configurable):
            return identifier
        raise InvalidArgumentError(
            f"Expected a string, a class, an instance, a callable or a configuration of {self.kind}, received "
            f"{identifier!r} of type {type(identifier).__name__!r}."
        )
