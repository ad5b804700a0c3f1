"""Learning-rate schedules: functions of the number of updates made so far, from 0 on.

Keras's six, and two more that practice asks for: `OneCycle` and `WarmupStableDecay`. Each gives a float32 Tensor.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from minitrain.configuration import Configurable, Registry
from minitrain.configuration import serialize as serialize  # Keras's name for it, public here
from minitrain.engine.program.record import called
from minitrain.engine.tensor import Tensor, TensorLike
from minitrain.errors import InvalidArgumentError

REGISTRY = Registry("learning rate schedule")


class LearningRateSchedule(Configurable):
    """The base: `schedule(step)` gives the learning rate. Users' own override `__call__`."""

    def __call__(self, step: Any) -> Any:
        """The learning rate at `step`, as a float32 scalar Tensor."""
        if isinstance(step, TensorLike):
            return called(self._at, step._read())
        return Tensor(self._at(step))

    def _at(self, step: Any) -> Any:
        return np.array(self.rate(float(step)), np.float32)

    def rate(self, step: float) -> float:
        """The learning rate at `step`, as a Python float."""
        raise NotImplementedError(f"{type(self).__name__} must define __call__(self, step).")


def _positive(value: Any, name: str) -> None:
    if not value > 0:
        raise InvalidArgumentError(f"`{name}` must be positive, received {value!r}.")


class SteppedDecay(LearningRateSchedule):
    """A decay once in `decay_steps`: all the time in between, or at once if `staircase`."""

    def __init__(
        self,
        initial_learning_rate: float,
        decay_steps: float,
        decay_rate: float,
        staircase: bool = False,
        name: str | None = None,
    ) -> None:
        _positive(decay_steps, "decay_steps")
        self.initial_learning_rate = initial_learning_rate
        self.decay_steps = decay_steps
        self.decay_rate = decay_rate
        self.staircase = staircase
        self.name = name or type(self).__name__

    def decays(self, step: float) -> float:
        """How many decays there were, in whole ones if `staircase`."""
        count = step / self.decay_steps
        return math.floor(count) if self.staircase else count


@REGISTRY.register()
class ExponentialDecay(SteppedDecay):
    """initial * decay_rate ** (step / decay_steps), in whole powers if `staircase`."""

    def rate(self, step: float) -> float:
        return self.initial_learning_rate * self.decay_rate ** self.decays(step)


@REGISTRY.register()
class InverseTimeDecay(SteppedDecay):
    """initial / (1 + decay_rate * step / decay_steps), in whole steps if `staircase`."""

    def rate(self, step: float) -> float:
        return self.initial_learning_rate / (1.0 + self.decay_rate * self.decays(step))


@REGISTRY.register()
class PiecewiseConstantDecay(LearningRateSchedule):
    """values[i] up to and including boundaries[i], the last of the values beyond them all."""

    def __init__(self, boundaries: Sequence[float], values: Sequence[float], name: str = "PiecewiseConstant") -> None:
        if len(boundaries) != len(values) - 1:
            raise InvalidArgumentError(
                f"`boundaries` must be one fewer than `values`, received {len(boundaries)} and {len(values)}."
            )
        self.boundaries = list(boundaries)
        self.values = list(values)
        self.name = name

    def rate(self, step: float) -> float:
        passed = sum(step > boundary for boundary in self.boundaries)
        return float(self.values[passed])


@REGISTRY.register()
class PolynomialDecay(LearningRateSchedule):
    """From initial to end over decay_steps along (1 - step / decay_steps) ** power; `cycle` starts over, longer."""

    def __init__(
        self,
        initial_learning_rate: float,
        decay_steps: float,
        end_learning_rate: float = 0.0001,
        power: float = 1.0,
        cycle: bool = False,
        name: str = "PolynomialDecay",
    ) -> None:
        _positive(decay_steps, "decay_steps")
        self.initial_learning_rate = initial_learning_rate
        self.decay_steps = decay_steps
        self.end_learning_rate = end_learning_rate
        self.power = power
        self.cycle = cycle
        self.name = name

    def rate(self, step: float) -> float:
        length = float(self.decay_steps)
        if self.cycle:
            length *= max(1.0, math.ceil(step / length))
        else:
            step = min(step, length)
        span = self.initial_learning_rate - self.end_learning_rate
        return span * (1.0 - step / length) ** self.power + self.end_learning_rate


@REGISTRY.register()
class CosineDecay(LearningRateSchedule):
    """A half cosine from initial down to alpha * initial over decay_steps.

    With `warmup_target`, first a line from initial up to it over `warmup_steps`, and the cosine starts from there.
    Source: Loshchilov and Hutter (2017), eq. 5.
    """

    def __init__(
        self,
        initial_learning_rate: float,
        decay_steps: float,
        alpha: float = 0.0,
        name: str = "CosineDecay",
        warmup_target: float | None = None,
        warmup_steps: float = 0,
    ) -> None:
        _positive(decay_steps, "decay_steps")
        self.initial_learning_rate = initial_learning_rate
        self.decay_steps = decay_steps
        self.alpha = alpha
        self.name = name
        self.warmup_target = warmup_target
        self.warmup_steps = warmup_steps

    def rate(self, step: float) -> float:
        peak = self.initial_learning_rate
        if self.warmup_target is not None:
            if step <= self.warmup_steps and self.warmup_steps:
                rise = self.warmup_target - self.initial_learning_rate
                return rise * step / self.warmup_steps + self.initial_learning_rate
            step -= self.warmup_steps
            peak = self.warmup_target
        return peak * _cosine(min(step / self.decay_steps, 1.0), self.alpha)


def _cosine(fraction: float, alpha: float) -> float:
    """From 1 down to alpha as `fraction` goes from 0 to 1."""
    return (1.0 - alpha) * 0.5 * (1.0 + math.cos(math.pi * fraction)) + alpha


@REGISTRY.register()
class CosineDecayRestarts(LearningRateSchedule):
    """Cosine decays one after another, each t_mul times as long and m_mul times as high as the one before.

    Source: Loshchilov and Hutter (2017), eq. 5.
    """

    def __init__(
        self,
        initial_learning_rate: float,
        first_decay_steps: float,
        t_mul: float = 2.0,
        m_mul: float = 1.0,
        alpha: float = 0.0,
        name: str = "SGDRDecay",
    ) -> None:
        _positive(first_decay_steps, "first_decay_steps")
        self.initial_learning_rate = initial_learning_rate
        self.first_decay_steps = first_decay_steps
        self.t_mul = t_mul
        self.m_mul = m_mul
        self.alpha = alpha
        self.name = name

    def rate(self, step: float) -> float:
        fraction = step / self.first_decay_steps
        if self.t_mul == 1.0:
            restart = math.floor(fraction)
            fraction -= restart
        else:
            restart = math.floor(math.log(1.0 - fraction * (1.0 - self.t_mul)) / math.log(self.t_mul))
            start = (1.0 - self.t_mul**restart) / (1.0 - self.t_mul)
            fraction = (fraction - start) / self.t_mul**restart
        height = self.m_mul**restart
        return self.initial_learning_rate * (
            (1.0 - self.alpha) * 0.5 * height * (1.0 + math.cos(math.pi * fraction)) + self.alpha
        )


@REGISTRY.register()
class OneCycle(LearningRateSchedule):
    """A half cosine up to max_learning_rate over the first `warmup_fraction` of the steps, and another one down.

    It starts at max / initial_divisor and ends at the start / final_divisor. Source: Smith and Topin (2018).
    """

    def __init__(
        self,
        max_learning_rate: float,
        total_steps: int,
        warmup_fraction: float = 0.3,
        initial_divisor: float = 25.0,
        final_divisor: float = 1e4,
        name: str = "OneCycle",
    ) -> None:
        _positive(total_steps, "total_steps")
        if not 0.0 <= warmup_fraction <= 1.0:
            raise InvalidArgumentError(f"`warmup_fraction` must lie in [0, 1], received {warmup_fraction!r}.")
        self.max_learning_rate = max_learning_rate
        self.total_steps = total_steps
        self.warmup_fraction = warmup_fraction
        self.initial_divisor = initial_divisor
        self.final_divisor = final_divisor
        self.name = name

    def rate(self, step: float) -> float:
        rise = self.warmup_fraction * self.total_steps
        start = 1.0 / self.initial_divisor
        if step < rise:
            return self.max_learning_rate * _cosine(1.0 - step / rise, start)
        fraction = min((step - rise) / max(self.total_steps - rise, 1e-12), 1.0)
        return self.max_learning_rate * _cosine(fraction, start / self.final_divisor)


@REGISTRY.register()
class WarmupStableDecay(LearningRateSchedule):
    """A line up over warmup_steps, the peak held, and a line down to alpha * peak over the last decay_steps.

    Source: Hu et al. (2024), "MiniCPM", section 4.
    """

    def __init__(
        self,
        learning_rate: float,
        total_steps: int,
        warmup_steps: int = 0,
        decay_steps: int = 0,
        alpha: float = 0.0,
        name: str = "WarmupStableDecay",
    ) -> None:
        _positive(total_steps, "total_steps")
        if warmup_steps + decay_steps > total_steps:
            raise InvalidArgumentError(
                f"`warmup_steps` and `decay_steps` must fit into total_steps {total_steps}, received {warmup_steps} "
                f"and {decay_steps}."
            )
        self.learning_rate = learning_rate
        self.total_steps = total_steps
        self.warmup_steps = warmup_steps
        self.decay_steps = decay_steps
        self.alpha = alpha
        self.name = name

    def rate(self, step: float) -> float:
        if step < self.warmup_steps:
            return self.learning_rate * (step + 1) / self.warmup_steps
        left = self.total_steps - step
        if left < self.decay_steps:
            return self.learning_rate * (self.alpha + (1.0 - self.alpha) * max(left, 0) / self.decay_steps)
        return self.learning_rate


def get(identifier: Any) -> Any:
    """The schedule that a configuration or a name stands for."""
    return REGISTRY.get(identifier)


deserialize = REGISTRY.deserialize
