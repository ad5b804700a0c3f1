"""Adafactor: Adam whose second moments of a matrix are kept as one number a row and one a column."""

from __future__ import annotations

from typing import Any

import numpy as np

from minitrain.optim.base import REGISTRY, Optimizer
from minitrain.optim.schedules import LearningRateSchedule


@REGISTRY.register()
class Adafactor(Optimizer):
    """Adaptive moves, clipped and relative to the size of each weight.

    Source: Shazeer and Stern (2018), algorithm 4.
    """

    slot_names = ("row", "column", "velocity")
    is_elementwise = False

    def __init__(
        self,
        learning_rate: Any = 0.001,
        beta_2_decay: float = -0.8,
        epsilon_1: float = 1e-30,
        epsilon_2: float = 1e-3,
        clip_threshold: float = 1.0,
        relative_step: bool = True,
        weight_decay: float | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(learning_rate=learning_rate, weight_decay=weight_decay, **kwargs)
        self.beta_2_decay = beta_2_decay
        self.epsilon_1 = epsilon_1
        self.epsilon_2 = epsilon_2
        self.clip_threshold = clip_threshold
        self.relative_step = relative_step

    def slot_shape(self, name: str, shape: tuple[int, ...]) -> tuple[int, ...]:
        if name == "velocity":
            return shape
        if len(shape) < 2:
            return ()
        return shape[:-1] if name == "row" else shape[:-2] + shape[-1:]

    def update(self, w: Any, g: Any, slots: list[Any], rate: float, step: int, spare: list[Any]) -> None:
        row, column, v = slots
        if self.relative_step and not isinstance(self._learning_rate, LearningRateSchedule):
            rate = min(rate, 1.0 / np.sqrt(step))
        scale = max(self.epsilon_2, _rms(w)) * min(rate, 1.0 / np.sqrt(step))
        squares = g * g + self.epsilon_1
        decay = 1.0 - step**self.beta_2_decay
        if w.ndim >= 2:
            row *= decay
            row += (1.0 - decay) * squares.mean(-1)
            column *= decay
            column += (1.0 - decay) * squares.mean(-2)
            v[...] = (row / row.mean(-1, keepdims=True))[..., None] * column[..., None, :]
        else:
            v *= decay
            v += (1.0 - decay) * squares
        move = g / np.sqrt(v)
        w -= move * (scale / max(1.0, _rms(move) / self.clip_threshold))


def _rms(x: Any) -> float:
    """The root of the mean square."""
    return float(np.sqrt(np.mean(np.square(x))))
