"""Saving: models and weights in files that hold data alone."""

from minitrain.configuration import (
    custom_object_scope,
    get_custom_objects,
    register_serializable,
)
from minitrain.saving.model import load_model, load_weights, save_model, save_weights

register_keras_serializable = register_serializable
CustomObjectScope = custom_object_scope

__all__ = [
    "CustomObjectScope",
    "custom_object_scope",
    "get_custom_objects",
    "load_model",
    "load_weights",
    "register_keras_serializable",
    "register_serializable",
    "save_model",
    "save_weights",
]
