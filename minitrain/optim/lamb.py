"""LAMB: Adam with moves as large as the layer's weights, for large batches."""

from __future__ import annotations

from typing import Any

import numpy as np

from minitrain.optim.base import REGISTRY, MomentOptimizer, missing_mass, moving_average, moving_square


@REGISTRY.register()
class Lamb(MomentOptimizer):
    """w -= rate * |w| / |move| * move, where move is Adam's, for each variable.

    Source: You et al. (2020), algorithm 2.
    """

    slot_names = ("momentum", "velocity")
    is_elementwise = False

    def update(self, w: Any, g: Any, slots: list[Any], rate: float, step: int, spare: list[Any]) -> None:
        m, v = slots
        a, b = spare
        moving_average(m, g, self.beta_1, a)
        moving_square(v, g, self.beta_2, a)
        np.sqrt(np.divide(v, missing_mass(self.beta_2, step, w.dtype), out=a), out=a)
        a += self.epsilon
        move = np.divide(np.divide(m, missing_mass(self.beta_1, step, w.dtype), out=b), a, out=b)
        size, length = np.sqrt(np.sum(np.square(w))), np.sqrt(np.sum(np.square(move)))
        move *= rate * (float(size / length) if size > 0 and length > 0 else 1.0)
        w -= move
