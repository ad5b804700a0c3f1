"""Stochastic gradient descent, with momentum and Nesterov's form of it."""

from __future__ import annotations

from typing import Any

import numpy as np

from minitrain.errors import InvalidArgumentError
from minitrain.optim.base import REGISTRY, Optimizer, scalar
from minitrain.optim.update import called


@REGISTRY.register()
class SGD(Optimizer):
    """w -= rate * g; with momentum v = momentum * v - rate * g and w += v, or w += momentum * v - rate * g (Nesterov).

    Sources: Polyak (1964); Sutskever et al. (2013), eq. 3 and 4.
    """

    def __init__(
        self,
        learning_rate: Any = 0.01,
        momentum: float = 0.0,
        nesterov: bool = False,
        weight_decay: float | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(learning_rate=learning_rate, weight_decay=weight_decay, **kwargs)
        if not 0 <= momentum <= 1:
            raise InvalidArgumentError(f"`momentum` must be a float between 0 and 1, received {momentum!r}.")
        self.momentum = momentum
        self.nesterov = nesterov
        self.slot_names = ("momentum",) if momentum else ()

    def emit(self, emitter: Any, step: Any, w: Any, g: Any, slots: list[Any], spare: list[Any]) -> bool:
        if type(self).update is not SGD.update:
            return False
        move, ahead = spare
        called(emitter, np.multiply, g, step.number, move)
        if not slots:
            called(emitter, np.subtract, w, move, w)
            return True
        (velocity,) = slots
        momentum = np.array(self.momentum, w.dtype)
        called(emitter, np.multiply, velocity, momentum, velocity)
        called(emitter, np.subtract, velocity, move, velocity)
        if self.nesterov:
            called(emitter, np.multiply, velocity, momentum, ahead)
            called(emitter, np.subtract, ahead, move, ahead)
            velocity = ahead
        called(emitter, np.add, w, velocity, w)
        return True

    def update(self, w: Any, g: Any, slots: list[Any], rate: float, step: int, spare: list[Any]) -> None:
        move = np.multiply(g, scalar(rate, g.dtype), out=spare[0])
        if not slots:
            w -= move
            return
        (velocity,) = slots
        momentum = scalar(self.momentum, g.dtype)
        np.multiply(velocity, momentum, out=velocity)
        velocity -= move
        if self.nesterov:
            w += np.subtract(np.multiply(velocity, momentum, out=spare[1]), move, out=spare[1])
        else:
            w += velocity
