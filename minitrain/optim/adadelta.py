"""Adadelta: moves as large as the moves so far, relative to the gradients so far."""

from __future__ import annotations

from typing import Any

import numpy as np

from minitrain.optim.base import REGISTRY, Optimizer


@REGISTRY.register()
class Adadelta(Optimizer):
    """w -= rate * RMS(moves) / RMS(g) * g, with moving averages of decay `rho`. Source: Zeiler (2012), algorithm 1."""

    slot_names = ("accumulated_grad", "accumulated_delta_var")

    def __init__(
        self,
        learning_rate: Any = 0.001,
        rho: float = 0.95,
        epsilon: float = 1e-7,
        weight_decay: float | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(learning_rate=learning_rate, weight_decay=weight_decay, **kwargs)
        self.rho = rho
        self.epsilon = epsilon

    def update(self, w: Any, g: Any, slots: list[Any], rate: float, step: int, spare: list[Any]) -> None:
        squares, moves = slots
        a, b = spare
        np.multiply(g, g, out=a)
        a *= 1.0 - self.rho
        squares *= self.rho
        squares += a
        np.sqrt(np.add(moves, self.epsilon, out=a), out=a)
        a *= g
        a /= np.sqrt(np.add(squares, self.epsilon, out=b), out=b)
        np.multiply(a, a, out=b)
        b *= 1.0 - self.rho
        moves *= self.rho
        moves += b
        a *= rate
        w -= a
