"""The optimizers of several models as one, over variables that stand in a stack.

What is done element by element is done to all models' elements at once, with a learning rate and a weight decay for
each model where these differ. Slots are stacked with the variables; counts of steps are the same for all.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from minitrain.engine.program.record import is_same
from minitrain.engine.program.stack import CannotStack, Stack
from minitrain.engine.variable import Variable

if TYPE_CHECKING:
    from minitrain.optim.base import Optimizer

FREE = ("learning_rate", "weight_decay", "name")  # what may differ


class Rates:
    """The learning rate of several models' optimizers at a step: a number where it is one for all, else (models,)."""

    def __init__(self, optimizers: Sequence[Optimizer]) -> None:
        self.optimizers = list(optimizers)

    @property
    def are_constant(self) -> bool:
        """Whether no schedule or function gives any of them."""
        return all(isinstance(each._learning_rate, Variable) for each in self.optimizers)

    def __call__(self, step: int) -> Any:
        found = [each._rate(step) for each in self.optimizers]
        return found[0] if found.count(found[0]) == len(found) else np.array(found)


def together(optimizers: Sequence[Optimizer], stack: Stack) -> Optimizer:
    """An optimizer of the stacked variables that does to each model's what its own would do.

    Raises CannotStack where they differ in more than learning rates and weight decays, are not at the same step, or
    need all of a variable at once: norms and constraints.
    """
    key = tuple([id(each) for each in optimizers])
    if key not in stack.made:
        stack.made[key] = _together(optimizers, stack)
    return stack.made[key]  # type: ignore[no-any-return]


def _together(optimizers: Sequence[Optimizer], stack: Stack) -> Optimizer:
    first = optimizers[0]
    configs = [{name: value for name, value in each.get_config().items() if name not in FREE} for each in optimizers]
    if any(
        type(each) is not type(first) or not is_same(config, configs[0])
        for each, config in zip(optimizers, configs, strict=True)
    ):
        raise CannotStack("The optimizers differ in more than their learning rates and weight decays.")
    _need_elementwise(first)
    whole = type(first).from_config({**configs[0], "learning_rate": 0.0, "name": first.name})
    decays = [each.weight_decay for each in optimizers]
    if any(each != decays[0] for each in decays):
        decays = [0.0 if each is None else each for each in decays]
        whole.weight_decay = np.array(decays)  # type: ignore[assignment]
    else:
        whole.weight_decay = decays[0]
    members = list(zip(*(each._trainable_variables for each in optimizers), strict=True))
    whole.build([stack.variable(each) for each in members])
    for each in members:
        decaying = {mine._decays(variable) for mine, variable in zip(optimizers, each, strict=True)}
        if len(decaying) > 1:
            raise CannotStack(f"'{each[0].path}' is spared from weight decay by some of the optimizers only.")
        if not decaying.pop():
            whole._excluded.add(id(stack.variable(each)))
    for mine, *theirs in zip(_by_variable(whole), *map(_by_variable, optimizers), strict=True):
        stack.join(mine, theirs)
    for mine, theirs in zip([whole._iterations, *whole._extra], _counts(optimizers), strict=True):
        stack.share(mine, theirs)
    whole._learning_rate = Rates(optimizers)
    return whole


def _by_variable(optimizer: Optimizer) -> list[Variable]:
    """The state that belongs to one variable each."""
    kept = [*optimizer._slots.values(), optimizer._model_variables_moving_average, optimizer._accumulated_gradients]
    return [each for variables in kept for each in variables]


def _counts(optimizers: Sequence[Optimizer]) -> list[list[Variable]]:
    return [list(each) for each in zip(*([one._iterations, *one._extra] for one in optimizers), strict=True)]


def _need_elementwise(optimizer: Optimizer) -> None:
    """Raise CannotStack where an update of one model's elements would see another's."""
    if not optimizer.is_elementwise or optimizer.clipnorm is not None or optimizer.global_clipnorm is not None:
        raise CannotStack(f"{type(optimizer).__name__} needs the norms of each model's weights or gradients.")
    if any(each.constraint is not None for each in optimizer._trainable_variables):
        raise CannotStack("Some weights have constraints.")
