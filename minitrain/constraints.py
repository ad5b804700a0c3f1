"""Keras's constraints: projections that optimizers apply to a weight after each update."""

from __future__ import annotations

from typing import Any

from minitrain import config
from minitrain.configuration import Configurable, Registry
from minitrain.configuration import serialize as serialize  # Keras's name for it, public here
from minitrain.engine.convert import as_tensor
from minitrain.engine.tensor import Tensor
from minitrain.ops.elementwise import clip_by_value, maximum, sqrt, square
from minitrain.ops.reduction import reduce_sum

REGISTRY = Registry("constraint")


class Constraint(Configurable):
    """The base: `constraint(w)` gives the projected weight, here w itself. Users' own override `__call__`."""

    def __call__(self, w: Any) -> Any:
        """The projection of a weight."""
        return as_tensor(w)


def _norms(w: Any, axis: Any) -> Tensor:
    return sqrt(reduce_sum(square(w), axis, keepdims=True))


@REGISTRY.register()
class MaxNorm(Constraint):
    """Vectors along `axis` scaled down to a norm of at most `max_value`."""

    def __init__(self, max_value: float = 2, axis: Any = 0) -> None:
        self.max_value = max_value
        self.axis = axis

    def __call__(self, w: Any) -> Tensor:
        norms = _norms(w, self.axis)
        return w * (clip_by_value(norms, 0.0, float(self.max_value)) / (config.epsilon() + norms))


@REGISTRY.register("nonneg", "non_neg")
class NonNeg(Constraint):
    """Negative weights set to 0."""

    def __call__(self, w: Any) -> Tensor:
        return maximum(as_tensor(w), 0.0)


@REGISTRY.register()
class UnitNorm(Constraint):
    """Vectors along `axis` scaled to norm 1."""

    def __init__(self, axis: Any = 0) -> None:
        self.axis = axis

    def __call__(self, w: Any) -> Tensor:
        return w / (config.epsilon() + _norms(w, self.axis))


@REGISTRY.register()
class MinMaxNorm(Constraint):
    """Norms along `axis` moved into [min_value, max_value], by the fraction `rate` of the way."""

    def __init__(self, min_value: float = 0.0, max_value: float = 1.0, rate: float = 1.0, axis: Any = 0) -> None:
        self.min_value = min_value
        self.max_value = max_value
        self.rate = rate
        self.axis = axis

    def __call__(self, w: Any) -> Tensor:
        norms = _norms(w, self.axis)
        limited = clip_by_value(norms, float(self.min_value), float(self.max_value))
        return w * ((self.rate * limited + (1.0 - self.rate) * norms) / (config.epsilon() + norms))


def get(identifier: Any) -> Any:
    """The constraint that `identifier` stands for: None, a string, class, instance, configuration or callable."""
    return REGISTRY.get(identifier)


deserialize = REGISTRY.deserialize
max_norm, non_neg, unit_norm, min_max_norm = MaxNorm, NonNeg, UnitNorm, MinMaxNorm
