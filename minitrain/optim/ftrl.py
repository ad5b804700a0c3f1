"""FTRL: follow the regularised leader, for sparse linear models."""

from __future__ import annotations

from typing import Any

import numpy as np

from minitrain.errors import InvalidArgumentError
from minitrain.optim.base import REGISTRY, Optimizer


@REGISTRY.register()
class Ftrl(Optimizer):
    """The weights that minimise all linearised losses so far with L1 and L2.

    Source: McMahan et al. (2013), algorithm 1.
    """

    slot_names = ("accumulator", "linear")

    def __init__(
        self,
        learning_rate: Any = 0.001,
        learning_rate_power: float = -0.5,
        initial_accumulator_value: float = 0.1,
        l1_regularization_strength: float = 0.0,
        l2_regularization_strength: float = 0.0,
        l2_shrinkage_regularization_strength: float = 0.0,
        beta: float = 0.0,
        weight_decay: float | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(learning_rate=learning_rate, weight_decay=weight_decay, **kwargs)
        if learning_rate_power > 0:
            raise InvalidArgumentError(f"`learning_rate_power` must be 0 or less, received {learning_rate_power!r}.")
        for name, value in (
            ("initial_accumulator_value", initial_accumulator_value),
            ("l1_regularization_strength", l1_regularization_strength),
            ("l2_regularization_strength", l2_regularization_strength),
            ("l2_shrinkage_regularization_strength", l2_shrinkage_regularization_strength),
        ):
            if value < 0:
                raise InvalidArgumentError(f"`{name}` must be 0 or more, received {value!r}.")
        self.learning_rate_power = learning_rate_power
        self.initial_accumulator_value = initial_accumulator_value
        self.l1_regularization_strength = l1_regularization_strength
        self.l2_regularization_strength = l2_regularization_strength
        self.l2_shrinkage_regularization_strength = l2_shrinkage_regularization_strength
        self.beta = beta

    def slot_value(self, name: str) -> float:
        return self.initial_accumulator_value if name == "accumulator" else 0.0

    def update(self, w: Any, g: Any, slots: list[Any], rate: float, step: int, spare: list[Any]) -> None:
        total, linear = slots
        a, b = spare
        power = -self.learning_rate_power
        np.power(total, power, out=a)
        total += np.multiply(g, g, out=b)
        np.power(total, power, out=b)
        np.subtract(b, a, out=a)
        a *= w
        a /= rate
        linear -= a
        linear += g
        linear += np.multiply(w, 2.0 * self.l2_shrinkage_regularization_strength, out=a)
        b /= rate
        b += 2.0 * (self.l2_regularization_strength + self.beta / (2.0 * rate))
        limit = self.l1_regularization_strength
        np.subtract(np.clip(linear, -limit, limit, out=a), linear, out=a)
        np.divide(a, b, out=w)
