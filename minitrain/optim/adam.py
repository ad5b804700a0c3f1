"""Adam and AdamW."""

from __future__ import annotations

from math import sqrt
from typing import Any

import numpy as np

from minitrain.errors import InvalidArgumentError
from minitrain.optim.base import REGISTRY, Optimizer, missing_mass, moving_average, moving_square
from minitrain.optim.update import called


@REGISTRY.register()
class Adam(Optimizer):
    """w -= rate_t * m / (sqrt(v) + epsilon), with moving averages m of g and v of g ** 2, rate_t correcting their bias.

    `amsgrad` divides by the largest v so far. Sources: Kingma and Ba (2015), section 2, last paragraph (which puts
    epsilon outside the correction); Reddi et al. (2018).
    """

    slots_apart = ("velocity_hat",)

    def __init__(
        self,
        learning_rate: Any = 0.001,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-7,
        amsgrad: bool = False,
        weight_decay: float | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(learning_rate=learning_rate, weight_decay=weight_decay, **kwargs)
        self.beta_1 = beta_1
        self.beta_2 = beta_2
        self.epsilon = epsilon
        self.amsgrad = amsgrad
        self.slot_names = ("momentum", "velocity", *(("velocity_hat",) if amsgrad else ()))
        self._memo: tuple[Any, Any] = (None, None)

    def _corrected(self, rate: float, step: int, dtype: np.dtype[Any]) -> Any:
        """The learning rate with both averages' bias corrected: the same for all blocks of a step."""
        if isinstance(rate, np.ndarray):
            return self._at(rate, step, dtype)
        key = rate, step, dtype
        if self._memo[0] != key:
            self._memo = key, self._at(dtype.type(rate), step, dtype)
        return self._memo[1]

    def _at(self, rate: Any, step: int, dtype: np.dtype[Any]) -> Any:
        # Python's root of a scalar is NumPy's, and takes a fifth of its time.
        square_mass = missing_mass(self.beta_2, step, dtype)
        return rate * dtype.type(sqrt(square_mass)) / missing_mass(self.beta_1, step, dtype)

    def emit(self, emitter: Any, step: Any, w: Any, g: Any, slots: list[Any], spare: list[Any]) -> bool:
        if type(self).update is not Adam.update or self.amsgrad:
            return False
        (m, v), (a, _) = slots, spare
        numbers = 0.0, self.epsilon, 1.0 - self.beta_1, 1.0 - self.beta_2
        rate, epsilon, new, new_square = (np.array(each, w.dtype) for each in numbers)

        def correct() -> None:
            rate[...] = self._at(step.number[()], step.count, w.dtype)

        emitter.line(f"{emitter.name(correct)}()")
        called(emitter, np.subtract, g, m, a)
        called(emitter, np.multiply, a, new, a)
        called(emitter, np.add, m, a, m)
        called(emitter, np.multiply, g, g, a)
        called(emitter, np.subtract, a, v, a)
        called(emitter, np.multiply, a, new_square, a)
        called(emitter, np.add, v, a, v)
        called(emitter, np.sqrt, v, a)
        called(emitter, np.add, a, epsilon, a)
        called(emitter, np.divide, m, a, a)
        called(emitter, np.multiply, a, rate, a)
        called(emitter, np.subtract, w, a, w)
        return True

    def update(self, w: Any, g: Any, slots: list[Any], rate: float, step: int, spare: list[Any]) -> None:
        m, v, *largest = slots
        (a, _) = spare
        moving_average(m, g, self.beta_1, a)
        moving_square(v, g, self.beta_2, a)
        if largest:
            v = np.maximum(largest[0], v, out=largest[0])
        np.sqrt(v, out=a)
        a += self.epsilon
        np.divide(m, a, out=a)
        a *= self._corrected(rate, step, w.dtype)
        w -= a


@REGISTRY.register()
class AdamW(Adam):
    """Adam with decoupled weight decay: w -= rate * weight_decay * w first. Source: Loshchilov and Hutter (2019)."""

    def __init__(
        self,
        learning_rate: Any = 0.001,
        weight_decay: float = 0.004,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-7,
        amsgrad: bool = False,
        **kwargs: Any,
    ) -> None:
        if weight_decay is None:
            raise InvalidArgumentError("`weight_decay` of AdamW must be a number, received None. Use Adam without it.")
        super().__init__(learning_rate, beta_1, beta_2, epsilon, amsgrad, weight_decay, **kwargs)
