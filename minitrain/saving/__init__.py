"""Saving: models and weights in files that hold data alone."""

from minitrain.configuration import (
    custom_object_scope,
    get_custom_objects,
    register_serializable,
)
from minitrain.saving.model import load_model, load_weights, save_model, save_weights
from minitrain.saving.objects import (
    deserialize_keras_object,
    get_registered_name,
    get_registered_object,
    serialize_keras_object,
)

register_keras_serializable = register_serializable
CustomObjectScope = custom_object_scope

__all__ = [
    "CustomObjectScope",
    "custom_object_scope",
    "deserialize_keras_object",
    "get_custom_objects",
    "get_registered_name",
    "get_registered_object",
    "load_model",
    "load_weights",
    "register_keras_serializable",
    "register_serializable",
    "save_model",
    "save_weights",
    "serialize_keras_object",
]
