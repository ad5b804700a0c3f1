"""Objects as plain data and back: what `serialize_keras_object` writes, and who knows the names in it."""

from __future__ import annotations

from typing import Any

from minitrain import activations, constraints, initializers, losses, metrics, optim, regularizers
from minitrain import layers as layers_module
from minitrain.configuration import custom_object, custom_object_scope, registered_name, serialize
from minitrain.errors import InvalidArgumentError
from minitrain.optim import schedules

FAMILIES = (layers_module, losses, metrics, optim, schedules, initializers, regularizers, constraints, activations)


def serialize_keras_object(obj: Any) -> Any:
    """An object as plain data: {"class_name", "config"}, a function as its name, lists and dicts of these."""
    return serialize(obj)


def deserialize_keras_object(config: Any, custom_objects: dict[str, Any] | None = None, safe_mode: bool = True) -> Any:
    """What `serialize_keras_object` wrote. Raises InvalidArgumentError for a class that nobody knows."""
    with custom_object_scope(custom_objects or {}):
        return _made(config)


def _made(config: Any) -> Any:
    if isinstance(config, list):
        return [_made(each) for each in config]
    if isinstance(config, dict) and "class_name" not in config:
        return {key: _made(each) for key, each in config.items()}
    if isinstance(config, str):
        return custom_object(config) or activations.REGISTRY.entries.get(config, config)
    if not isinstance(config, dict):
        return config
    name = config["class_name"]
    own = custom_object(name)
    if own is not None:
        return own.from_config(config.get("config") or {}) if hasattr(own, "from_config") else own
    for family in FAMILIES:
        registry = getattr(family, "REGISTRY", None) or _registry_of(family)
        if registry is not None and name in registry.entries:
            return registry.get(config)
    raise InvalidArgumentError(f"Unknown class {name!r}. Register it with `register_serializable`.")


def _registry_of(family: Any) -> Any:
    return getattr(family.base, "REGISTRY", None) if hasattr(family, "base") else None


def get_registered_name(obj: Any) -> str:
    """The name under which a class or function is written down."""
    return registered_name(obj)


def get_registered_object(name: str, custom_objects: Any = None, module_objects: Any = None) -> Any:
    """The user's class or function of a name; None where there is none."""
    with custom_object_scope(custom_objects or {}):
        return custom_object(name) or (module_objects or {}).get(name)
