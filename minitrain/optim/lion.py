"""Lion: moves by the sign of a moving average."""

from __future__ import annotations

from typing import Any

import numpy as np

from minitrain.errors import InvalidArgumentError
from minitrain.optim.base import REGISTRY, Optimizer


@REGISTRY.register()
class Lion(Optimizer):
    """w -= rate * sign(beta_1 * m + (1 - beta_1) * g). Source: Chen et al. (2023), algorithm 2."""

    slot_names = ("momentum",)

    def __init__(
        self,
        learning_rate: Any = 0.001,
        beta_1: float = 0.9,
        beta_2: float = 0.99,
        weight_decay: float | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(learning_rate=learning_rate, weight_decay=weight_decay, **kwargs)
        if not 0 < beta_1 <= 1:
            raise InvalidArgumentError(f"`beta_1` must be above 0 and at most 1, received {beta_1!r}.")
        self.beta_1 = beta_1
        self.beta_2 = beta_2

    def update(self, w: Any, g: Any, slots: list[Any], rate: float, step: int, spare: list[Any]) -> None:
        (m,) = slots
        a, b = spare
        np.multiply(m, self.beta_1, out=a)
        a += np.multiply(g, 1.0 - self.beta_1, out=b)
        np.sign(a, out=a)
        a *= rate
        w -= a
        m *= self.beta_2
        m += np.multiply(g, 1.0 - self.beta_2, out=b)
