"""Objects as plain data and back: what `serialize_keras_object` writes, and who knows the names in it."""

from __future__ import annotations

from typing import Any

import numpy as np

from minitrain import activations, constraints, initializers, losses, metrics, optim, regularizers
from minitrain import layers as layers_module
from minitrain.configuration import custom_object, custom_object_scope, is_ours, registered_name
from minitrain.dtypes import DType
from minitrain.engine.convert import convert_to_tensor
from minitrain.engine.tensor import TensorLike
from minitrain.errors import DTypeError
from minitrain.ops.random import as_seed
from minitrain.optim import schedules


def _array_config(array: Any) -> dict[str, Any]:
    return {"value": array.tolist(), "dtype": array.dtype.name}


# What is no object of a class with a configuration: its kind, how it is written and how it is read.
PLAIN: dict[str, Any] = {
    "__tensor__": (
        TensorLike,
        lambda tensor: _array_config(tensor.numpy()),
        lambda config: convert_to_tensor(config["value"], config["dtype"]),
    ),
    "__numpy__": (np.ndarray, _array_config, lambda config: np.array(config["value"], config["dtype"])),
    "__bytes__": (
        bytes,
        lambda data: {"value": data.decode("latin-1")},
        lambda config: config["value"].encode("latin-1"),
    ),
    "__slice__": (
        slice,
        lambda each: {"start": each.start, "stop": each.stop, "step": each.step},
        lambda config: slice(config["start"], config["stop"], config["step"]),
    ),
    "__ellipsis__": (type(...), lambda _: {}, lambda _: ...),
}
FAMILIES = (layers_module, losses, metrics, optim, schedules, initializers, regularizers, constraints, activations)


def serialize_keras_object(obj: Any) -> Any:
    """An object as plain data that JSON holds, in Keras's form: {"module", "class_name", "config", "registered_name"}.

    A function is its name; arrays, slices and bytes are dicts of that form too. Raises DTypeError for what has no
    `get_config`.
    """
    if obj is None or isinstance(obj, (bool, int, float, str)):
        return obj
    if isinstance(obj, (list, tuple)):
        return [serialize_keras_object(each) for each in obj]
    if isinstance(obj, dict):
        return {key: serialize_keras_object(each) for key, each in obj.items()}
    if isinstance(obj, np.generic):
        return obj.item()
    for name, (kind, written, _) in PLAIN.items():
        if isinstance(obj, kind):
            return {"class_name": name, "config": written(obj)}
    if isinstance(obj, DType):
        return obj.name
    if isinstance(obj, type) or not (hasattr(obj, "get_config") or hasattr(obj, "__name__")):
        raise DTypeError(f"Cannot serialize object {obj!r}: it needs a `get_config` method, or to be a function.")
    if not hasattr(obj, "get_config"):
        return registered_name(obj)
    kind, name = type(obj), registered_name(type(obj))
    ours = is_ours(kind)
    return {
        "module": ".".join(kind.__module__.split(".")[:2]) if ours else kind.__module__,
        "class_name": kind.__name__,
        "config": serialize_keras_object(obj.get_config()),  # in which users' own may leave objects as they are
        "registered_name": None if ours else name,
    }


def deserialize_keras_object(config: Any, custom_objects: dict[str, Any] | None = None, safe_mode: bool = True) -> Any:
    """What `serialize_keras_object` wrote. Raises DTypeError for a class that nobody knows."""
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
    if name == "function":  # as Keras writes one
        return custom_object(str(config.get("registered_name"))) or _made(config["config"])
    if name in PLAIN:
        return PLAIN[name][2](config["config"])
    if name == "SeedGenerator":
        return as_seed(config)
    own = custom_object(config.get("registered_name") or name) or custom_object(name)
    if own is not None:
        return own.from_config(config.get("config") or {}) if hasattr(own, "from_config") else own
    # Some names are those of several families' members: of a loss and a metric, of a layer and an initializer.
    named = str(config.get("module")).split(".")
    for family in sorted(FAMILIES, key=lambda family: family.__name__.rpartition(".")[2] not in named):
        registry = getattr(family, "REGISTRY", None) or _registry_of(family)
        if registry is not None and name in registry.entries:
            return registry.get(config)
    raise DTypeError(f"Could not locate class {name!r}. Register it with `register_serializable`.")


def _registry_of(family: Any) -> Any:
    return getattr(family.base, "REGISTRY", None) if hasattr(family, "base") else None


def get_registered_name(obj: Any) -> str:
    """The name under which a class or function is written down."""
    return registered_name(obj)


def get_registered_object(name: str, custom_objects: Any = None, module_objects: Any = None) -> Any:
    """The user's class or function of a name; None where there is none."""
    with custom_object_scope(custom_objects or {}):
        return custom_object(name) or (module_objects or {}).get(name)
