"""Models: a layer with `compile`, `fit`, `evaluate` and `predict`; copies of them and their forms as text and files."""

from minitrain.models.clone import clone_model, model_from_json
from minitrain.models.fleet import Fleet, vectorize
from minitrain.models.model import Model
from minitrain.models.sequential import Sequential
from minitrain.saving import load_model, save_model

__all__ = [
    "Fleet",
    "Model",
    "Sequential",
    "clone_model",
    "load_model",
    "model_from_json",
    "save_model",
    "vectorize",
]
