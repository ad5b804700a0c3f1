"""Models: a layer with `compile`, `fit`, `evaluate` and `predict`."""

from minitrain.models.model import Model
from minitrain.models.sequential import Sequential

__all__ = ["Model", "Sequential"]
