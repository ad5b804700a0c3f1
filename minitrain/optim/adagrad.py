"""Adagrad: gradients divided by the root of the sum of their squares."""

from __future__ import annotations

from typing import Any

import numpy as np

from minitrain.optim.base import REGISTRY, Optimizer


@REGISTRY.register()
class Adagrad(Optimizer):
    """w -= rate * g / sqrt(sum of g ** 2 so far + epsilon). Source: Duchi et al. (2011), eq. 1."""

    slot_names = ("accumulator",)

    def __init__(
        self,
        learning_rate: Any = 0.001,
        initial_accumulator_value: float = 0.1,
        epsilon: float = 1e-7,
        weight_decay: float | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(learning_rate=learning_rate, weight_decay=weight_decay, **kwargs)
        self.initial_accumulator_value = initial_accumulator_value
        self.epsilon = epsilon

    def slot_value(self, name: str) -> float:
        return self.initial_accumulator_value

    def update(self, w: Any, g: Any, slots: list[Any], rate: float, step: int, spare: list[Any]) -> None:
        (total,) = slots
        a, b = spare
        total += np.multiply(g, g, out=a)
        np.sqrt(np.add(total, self.epsilon, out=a), out=a)
        w -= np.divide(np.multiply(g, rate, out=b), a, out=b)
