"""RMSprop: gradients divided by a moving average of their size."""

from __future__ import annotations

from typing import Any

import numpy as np

from minitrain.optim.base import REGISTRY, Optimizer


@REGISTRY.register()
class RMSprop(Optimizer):
    """w -= rate * g / sqrt(moving average of g ** 2 + epsilon); centered: of the variance; with momentum on the moves.

    Source: Tieleman and Hinton (2012), lecture 6.5; the centered form: Graves (2013), eq. 38 to 41.
    """

    slots_apart = ("momentum", "average_gradient")

    def __init__(
        self,
        learning_rate: Any = 0.001,
        rho: float = 0.9,
        momentum: float = 0.0,
        epsilon: float = 1e-7,
        centered: bool = False,
        weight_decay: float | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(learning_rate=learning_rate, weight_decay=weight_decay, **kwargs)
        self.rho = rho
        self.momentum = momentum
        self.epsilon = epsilon
        self.centered = centered
        self.slot_names = (
            "velocity",
            *(("momentum",) if momentum > 0 else ()),
            *(("average_gradient",) if centered else ()),
        )

    def update(self, w: Any, g: Any, slots: list[Any], rate: float, step: int, spare: list[Any]) -> None:
        velocity, *others = slots
        a, b = spare
        velocity *= self.rho
        np.multiply(g, g, out=a)
        a *= 1.0 - self.rho
        velocity += a
        if self.centered:
            mean = others[-1]
            mean *= self.rho
            mean += np.multiply(g, 1.0 - self.rho, out=a)
            np.subtract(velocity, np.multiply(mean, mean, out=a), out=a)
            a += self.epsilon
        else:
            np.add(velocity, self.epsilon, out=a)
        np.sqrt(a, out=a)
        move = np.divide(np.multiply(g, rate, out=b), a, out=b)
        if self.momentum > 0:
            moves = others[0]
            moves *= self.momentum
            moves += move
            move = moves
        w -= move
