"""An optimizer's update inside a program: in one go over packed variables, or as source without a call.

A program binds it to the pack's buffer and puts gradients straight into one flat array beside it. What does not fit,
such as norms of single gradients, is left to `Optimizer.apply`.
"""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from typing import TYPE_CHECKING, Any

import numpy as np

from minitrain.engine.program.record import Effect
from minitrain.engine.program.stack import Stack
from minitrain.engine.tensor import Tensor
from minitrain.engine.variable import Variable
from minitrain.optim.stacked import Rates, together

if TYPE_CHECKING:
    from minitrain.optim.base import Optimizer

SMALL = 16_384  # elements up to which a program keeps room of its own for an update
BLOCK = 131_072  # elements, half a megabyte of float32: smaller blocks measured slower, whole passes too
MOST = 8 * BLOCK  # elements up to which a program holds the lines of each block

Array = Any


class Update(Effect):
    """An optimizer's update in a program: in one go over packed variables, as `apply` does it otherwise.

    `grads`: a gradient for each variable, None where there is none.
    """

    def __init__(self, optimizer: Optimizer, variables: Sequence[Variable], grads: Sequence[Any]) -> None:
        self.optimizer = optimizer
        self.variables = list(variables)
        self.has_gradient = [g is not None for g in grads]
        self.factors: list[Any] | None = None  # of the weights that are added to their gradients; (models,) in a stack
        self.flat: Array = None  # where the program puts the gradients
        self._version = optimizer._version
        self._spare: list[Array] | None = None  # for weights so few that one block holds them
        self.count = 0  # of the optimizer's steps
        self._form = self._form_of_rate()
        self._number: Variable | None = None  # the rate that was bound: while it is this one, the form stays too

    @property
    def writes(self) -> list[Variable]:  # type: ignore[override]
        """The variables and all of the optimizer's state."""
        return [*self.variables, *self.optimizer.variables]

    @property
    def penalizable(self) -> list[Variable]:  # type: ignore[override]
        """The variables, where they are few: of many, the products are better made one by one."""
        size = sum(each._peek().size for each in self.variables)
        return self.variables if all(self.has_gradient) and size <= MOST and self.factors is None else []

    def penalized(self, factors: list[float]) -> Effect:
        made = copy(self)
        made.factors = factors
        return made

    def __call__(self, arrays: list[Array]) -> None:
        if self.factors is not None:
            weights = [each._peek() for each in self.variables]
            arrays = [g + spread(f, w) * w for g, f, w in zip(arrays, self.factors, weights, strict=True)]
        given = iter(arrays)
        self.optimizer.apply([Tensor(next(given)) if has else None for has in self.has_gradient], self.variables)

    @property
    def early(self) -> list[Variable]:  # type: ignore[override]
        """The learning rate, where it is a variable."""
        rate = self.optimizer._learning_rate
        return [rate] if isinstance(rate, Variable) else []

    @property
    def late(self) -> list[Variable]:  # type: ignore[override]
        """The count of steps, which is kept as a number meanwhile."""
        return [self.optimizer._iterations]

    def unbind(self) -> None:
        self.flat = self._spare = self._w = None
        self._slots = []

    def is_stale(self) -> bool:
        optimizer = self.optimizer
        if self._version != optimizer._version:
            return True
        return optimizer._learning_rate is not self._number and self._form != self._form_of_rate()

    def _form_of_rate(self) -> str:
        """Whether the learning rate may change from step to step, or stays while a program runs, as one number or more.

        "moving", "vector" or "number".
        """
        rate, decay = self.optimizer._learning_rate, self.optimizer.weight_decay
        if isinstance(rate, Variable):
            return "number" if type(decay) is not np.ndarray else "vector"
        if type(rate) is not Rates or not rate.are_constant:
            return "moving"
        return "number" if isinstance(rate(0), float) and type(decay) is not np.ndarray else "vector"

    def bind(self) -> list[Array] | None:
        optimizer = self.optimizer
        self.unbind()
        self._version, self._form = optimizer._version, self._form_of_rate()
        self._number = rate if isinstance(rate := optimizer._learning_rate, Variable) else None
        if not all(self.has_gradient) or not optimizer.is_one_update(self.variables):
            return None
        pack = optimizer._packs[0][0]
        self.flat = np.empty_like(pack.buffer)
        self._rate = None
        self.number = np.empty((), self.flat.dtype)  # the learning rate, where it is one that stays
        self.factor = np.empty((), self.flat.dtype)  # what weight decay takes off then
        if self.factors is not None:
            weights = [each._peek() for each in self.variables]
            parts = [np.broadcast_to(spread(f, w), w.shape) for f, w in zip(self.factors, weights, strict=True)]
            self._penalty = np.concatenate([each.reshape(-1) for each in parts])
        return [
            self.flat[place].reshape(variable._peek().shape)
            for place, variable in zip(pack.slices, self.variables, strict=True)
        ]

    def stacked(self, effects: Sequence[Any], stack: Stack) -> Effect:
        whole = together([each.optimizer for each in effects], stack)
        members = zip(*(each.variables for each in effects), strict=True)
        made = Update(whole, [stack.variable(each) for each in members], [has or None for has in self.has_gradient])
        if any(each.factors is not None for each in effects):
            given = [each.factors or [0.0] * len(self.variables) for each in effects]
            made.factors = [np.array(each) for each in zip(*given, strict=True)]
        return made

    def emit(self, emitter: Any, slots: list[Any]) -> bool:
        if self.flat is None:
            return False
        for each, stem in ((self.optimizer._packs[0][0].buffer, "w"), (self.flat, "g")):
            emitter.name(each, stem)
        if not self._emit_step(emitter):
            w = self.optimizer._packs[0][0].buffer
            self._emit_penalty(emitter, w, slice(0, w.size), np.empty_like(w))
            emitter.line(f"{emitter.name(self.step, 'update')}()")
        return True

    def _emit_step(self, emitter: Any) -> bool:
        """Write the optimizer's own source, if it has one that holds here: without a call in the program."""
        optimizer = self.optimizer
        variables, packs = optimizer._packs[0]
        whole, slots = variables.buffer, [packs[name].buffer for name in optimizer.slot_names]
        if self._form != "number" or self.optimizer._begins or whole.size > MOST:
            return False
        lines, comments = list(emitter.lines), list(emitter.comments)
        emitter.line(f"{emitter.name(self, 'update')}.count += 1")
        room = [np.empty(min(whole.size, BLOCK), whole.dtype) for _ in range(2)]
        for start in range(0, whole.size, BLOCK):
            at = slice(start, min(start + BLOCK, whole.size))
            w, spare = whole[at], [each[: at.stop - start] for each in room]
            self._emit_penalty(emitter, w, at, spare[0])
            if optimizer.weight_decay is not None:
                called(emitter, np.multiply, w, self.factor, spare[0])
                called(emitter, np.subtract, w, spare[0], w)
            if not optimizer.emit(emitter, self, w, self.flat[at], [each[at] for each in slots], spare):
                emitter.lines[:], emitter.comments[:] = lines, comments
                return False
        return True

    def _emit_penalty(self, emitter: Any, w: Array, at: slice, room: Array) -> None:
        """Add to the gradients of these weights the weights times their factors."""
        if self.factors is not None:
            called(emitter, np.multiply, w, self._penalty[at], room)
            called(emitter, np.add, self.flat[at], room, self.flat[at])

    def begin(self) -> None:
        if self.flat is None:
            return
        optimizer = self.optimizer
        variables, slots = optimizer._packs[0]
        self._w, self._slots = None, []  # held here, the buffers would not be the optimizer's alone
        self._w = variables.writable()
        if slots:
            self._slots = [slots[name].writable() for name in optimizer.slot_names]
        self.count = optimizer._iterations._tensor._array.item()  # all of them are updates: none is accumulated
        if self._form == "moving":
            self._rate = None
        elif (rate := optimizer._rate()) is not self._rate:
            if self._form == "number" and type(rate) is float and rate != self._rate:  # else it is stale: they differ
                self.number[...] = rate
                self.factor[...] = rate * (optimizer.weight_decay or 0.0)
            self._rate = rate
        if self._spare is None and self._w.size <= SMALL:
            self._spare = [np.empty_like(self._w) for _ in range(2)]

    def step(self) -> None:
        """One update of the packed variables."""
        optimizer = self.optimizer
        rate = optimizer._rate(self.count) if self._rate is None else self._rate
        self.count += 1
        if optimizer._begins:
            optimizer.begin_step(self.count)
        if optimizer.weight_decay is not None:
            optimizer._decay(optimizer._groups[0], self._w, rate)
        rate = optimizer._for_each(rate, optimizer._groups[0])
        if self._spare is not None:
            optimizer.update(self._w, self.flat, self._slots, rate, self.count, self._spare)
        else:
            optimizer._in_blocks(self._w, self.flat, self._slots, rate, self.count)

    def end(self) -> None:
        if self.flat is not None:
            self._w, self._slots = None, []
            self.optimizer._iterations._writable()[()] = self.count


def spread(factor: Any, w: Array) -> Array:
    """A number in the dtype of weights, or one for each model of a stack of them, (models, 1, ...)."""
    factor = np.asarray(factor, w.dtype)
    return factor.reshape(-1, *(1,) * (w.ndim - 1)) if factor.ndim else factor


def called(emitter: Any, ufunc: np.ufunc, *arrays: Array) -> None:
    """Add a line that calls a ufunc; the last array is what it writes into."""
    *given, out = [emitter.name(each, "u") for each in arrays]
    emitter.line(f"{emitter.name(ufunc)}({', '.join(given)}, out={out})")
