"""`TensorShape`: a tuple of ints with the few methods that TensorFlow's shapes have beside."""

from __future__ import annotations

from collections.abc import Iterable
from math import prod
from typing import Any

__all__ = ["TensorShape"]


class TensorShape(tuple[int, ...]):
    """The shape of a Tensor. It is a tuple, and equal to one.

    >>> shape = TensorShape((2, 3))
    >>> shape, str(shape), shape.as_list(), shape.rank, shape.num_elements(), shape == (2, 3)
    (TensorShape([2, 3]), '(2, 3)', [2, 3], 2, 6, True)
    """

    __slots__ = ()

    @property
    def rank(self) -> int:
        """The number of axes."""
        return len(self)

    @property
    def ndims(self) -> int:
        """The number of axes."""
        return len(self)

    @property
    def dims(self) -> list[int]:
        """The sizes of the axes, as a list."""
        return list(self)

    def as_list(self) -> list[int]:
        """The sizes of the axes, as a list."""
        return list(self)

    def num_elements(self) -> int:
        """The product of the sizes: 1 for a scalar's shape ()."""
        return prod(self)

    def is_fully_defined(self) -> bool:
        """Always True: eager Tensors know their shape."""
        return True

    def is_compatible_with(self, other: Iterable[Any]) -> bool:
        """Whether `other` has the same rank and, where it says more than None, the same sizes."""
        sizes: tuple[Any, ...] = tuple(other)
        return len(sizes) == len(self) and all(b is None or a == b for a, b in zip(self, sizes, strict=True))

    def __str__(self) -> str:
        return tuple.__repr__(self)

    def __repr__(self) -> str:
        return f"TensorShape({list(self)})"
