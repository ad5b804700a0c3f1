"""Packing: variables of one dtype as views in one contiguous buffer, so that an update is a handful of calls.

The buffer is written in place where nobody but the pack and its variables holds it, and copied where somebody does:
copy on write at the grain of the buffer. A pack refers to its variables weakly, so that no cycle keeps them alive.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Sequence
from sys import getrefcount
from typing import Any
from weakref import ref

import numpy as np

from minitrain.engine.tensor import Tensor
from minitrain.engine.variable import Variable

__all__ = ["Pack", "pack", "packs_of"]


class Pack:
    """A flat `buffer`, (sum of sizes,), of which each variable's array is a view, in order."""

    __slots__ = ("_members", "_tensors", "buffer", "guests", "lock", "slices")

    def __init__(self, variables: Sequence[Variable]) -> None:
        self.buffer: Any = np.concatenate([each._peek().reshape(-1) for each in variables])
        stops = np.cumsum([each._peek().size for each in variables]).tolist()
        self.slices = [slice(stop - each._peek().size, stop) for stop, each in zip(stops, variables, strict=True)]
        self._members = [ref(each) for each in variables]
        self.lock = threading.RLock()  # held by programs that write to the buffer, while they run
        self.guests = 0  # references to the buffer that programs hold, which know when it moves
        self._point()
        for each in variables:
            each._pack = self

    def holds(self, variables: Sequence[Variable]) -> bool:
        """Whether these are the variables of this pack, all of them in order."""
        return len(variables) == len(self._members) and all(
            member() is each for member, each in zip(self._members, variables, strict=True)
        )

    def view_of(self, variable: Variable) -> Any:
        """A view of the buffer for one of the variables, in its shape."""
        for member, place in zip(self._members, self.slices, strict=True):
            if member() is variable:
                return self.buffer[place].reshape(variable._peek().shape)
        raise KeyError(variable)

    def writable(self) -> Any:
        """The buffer, to be written to: a fresh copy, with the variables moved over, if anybody holds on to it."""
        if not self._is_sole_owner():
            self.buffer = self.buffer.copy()
            self.guests = 0
            self._point()
        return self.buffer

    def _point(self) -> None:
        """Make each variable's array a view of the buffer."""
        self._tensors: list[Tensor] = []
        for member, place in zip(self._members, self.slices, strict=True):
            variable = member()
            if variable is not None:
                variable._tensor = Tensor(self.buffer[place].reshape(variable._peek().shape))
                self._tensors.append(variable._tensor)

    def _is_sole_owner(self) -> bool:
        for tensor in self._tensors:  # a plain loop: every step asks
            if getrefcount(tensor) > SOLE_TENSOR or getrefcount(tensor._array) > SOLE_ARRAY:
                return False
        return getrefcount(self.buffer) <= SOLE_BUFFER + len(self._tensors) + self.guests


def pack(variables: Sequence[Variable]) -> Pack | None:
    """A pack of these variables: the one they are in already, or a new one.

    None where that cannot be: one of them is packed with others, stands there twice, or differs in dtype.
    """
    if not variables:
        return None
    present = variables[0]._pack
    if present is not None:
        return present if present.holds(variables) else None
    dtype = variables[0]._peek().dtype
    if any(each._pack is not None or each._peek().dtype is not dtype for each in variables):
        return None
    if len({id(each) for each in variables}) != len(variables):
        return None
    return Pack(variables)


def packs_of(variables: Iterable[Variable]) -> list[Pack]:
    """The packs that variables are in, each once."""
    return list({id(each._pack): each._pack for each in variables if each._pack is not None}.values())


def _sole_counts() -> tuple[int, int, int]:
    """What `getrefcount` says in `_is_sole_owner` where nobody else holds on: it differs between Python versions."""
    variable = Variable(np.zeros(1))
    alone = Pack([variable])

    def look(self: Pack) -> tuple[int, int, int]:
        for tensor in self._tensors:
            counts = getrefcount(tensor), getrefcount(tensor._array)
        return *counts, getrefcount(self.buffer) - len(self._tensors)

    return look(alone)


SOLE_TENSOR, SOLE_ARRAY, SOLE_BUFFER = _sole_counts()
