"""Adamax: Adam with the largest gradient in place of their mean square."""

from __future__ import annotations

from typing import Any

import numpy as np

from minitrain.optim.base import REGISTRY, MomentOptimizer, missing_mass, moving_average


@REGISTRY.register()
class Adamax(MomentOptimizer):
    """w -= rate * m / ((1 - beta_1 ** t) (u + epsilon)), u the decaying maximum of |g|.

    Source: Kingma and Ba (2015), algorithm 2.
    """

    slot_names = ("momentum", "norm")

    def update(self, w: Any, g: Any, slots: list[Any], rate: float, step: int, spare: list[Any]) -> None:
        m, u = slots
        (a, _) = spare
        moving_average(m, g, self.beta_1, a)
        u *= self.beta_2
        np.maximum(u, np.absolute(g, out=a), out=u)
        np.add(u, self.epsilon, out=a)
        np.divide(m, a, out=a)
        a *= rate / missing_mass(self.beta_1, step, w.dtype)
        w -= a
