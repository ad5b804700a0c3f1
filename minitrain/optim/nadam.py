"""Nadam: Adam with Nesterov's momentum."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from minitrain.engine.variable import Variable
from minitrain.optim.base import REGISTRY, MomentOptimizer, missing_mass, moving_average, moving_square


@REGISTRY.register()
class Nadam(MomentOptimizer):
    """Adam whose moves look one step ahead, with a momentum that warms up. Source: Dozat (2016), algorithm 2."""

    slot_names = ("momentum", "velocity")

    def build(self, variables: Iterable[Variable]) -> None:
        if not self.built:
            super().build(variables)
            # The product of the momenta so far: the one state that belongs to all variables.
            self._product = self.add_variable((), "ones", "float64", "momentum_product")

    def _momentum(self, step: int) -> float:
        return self.beta_1 * (1.0 - 0.5 * 0.96**step)

    def begin_step(self, step: int) -> None:
        self._product.assign(float(self._product._peek()) * self._momentum(step))

    def update(self, w: Any, g: Any, slots: list[Any], rate: float, step: int, spare: list[Any]) -> None:
        m, v = slots
        a, b = spare
        now, ahead = self._momentum(step), self._momentum(step + 1)
        product = float(self._product._peek())
        moving_average(m, g, self.beta_1, a)
        moving_square(v, g, self.beta_2, a)
        np.multiply(m, ahead / (1.0 - product * ahead), out=a)
        a += np.multiply(g, (1.0 - now) / (1.0 - product), out=b)
        np.divide(v, missing_mass(self.beta_2, step, w.dtype), out=b)
        np.sqrt(b, out=b)
        b += self.epsilon
        a *= rate
        a /= b
        w -= a
