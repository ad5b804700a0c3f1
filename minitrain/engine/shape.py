"""`TensorShape`: a tuple of ints with the few methods that TensorFlow's shapes have beside."""

from __future__ import annotations

from collections.abc import Iterable
from math import prod
from typing import Any

from minitrain.errors import DTypeError, ShapeError

__all__ = ["TensorShape"]


class TensorShape(tuple[int, ...]):
    """The shape of a Tensor. It is a tuple, and equal to one, or to a list.

    >>> shape = TensorShape((2, 3))
    >>> shape, str(shape), shape.as_list(), shape.rank, shape.num_elements(), shape == (2, 3)
    (TensorShape([2, 3]), '(2, 3)', [2, 3], 2, 6, True)
    """

    __slots__ = ()

    def __new__(cls, dims: Any) -> TensorShape:
        if dims is None:
            raise DTypeError("A shape of which nothing is known is None itself, received TensorShape(None).")
        sizes = tuple(dims) if isinstance(dims, Iterable) and not isinstance(dims, (str, bytes)) else (dims,)
        for size in sizes:
            if isinstance(size, (str, bytes, float)):
                raise DTypeError(f"The sizes of a shape are integers or None, received {size!r}.")
            if isinstance(size, int) and size < 0:
                raise ShapeError(f"The sizes of a shape are 0 or more, or None where open, received {size}.")
        return tuple.__new__(cls, sizes)

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

    def num_elements(self) -> int | None:
        """The product of the sizes: 1 for a scalar's shape (), None where one is open."""
        return prod(self) if self.is_fully_defined() else None

    def is_fully_defined(self) -> bool:
        """Whether no size is open. That of a Tensor never is."""
        return None not in self

    def is_compatible_with(self, other: Any) -> bool:
        """Whether `other` has the same rank and, where it says more than None, the same sizes; None fits any."""
        if other is None:
            return True
        sizes: tuple[Any, ...] = tuple(other) if isinstance(other, Iterable) else (other,)
        return len(sizes) == len(self) and all(
            a is None or b is None or a == b for a, b in zip(self, sizes, strict=True)
        )

    def assert_is_compatible_with(self, other: Any) -> None:
        """Raise ShapeError unless `is_compatible_with`."""
        if not self.is_compatible_with(other):
            raise ShapeError(f"Shapes {self} and {other} are incompatible.")

    def merge_with(self, other: Any) -> TensorShape:
        """The sizes that either of two shapes knows. Raises ShapeError where they contradict each other."""
        if other is None:
            return self
        if len(other) != len(self) or any(None not in (a, b) and a != b for a, b in zip(self, other, strict=True)):
            raise ShapeError(f"Shapes {self} and {other} are not compatible.")
        return TensorShape(b if a is None else a for a, b in zip(self, other, strict=True))

    def assert_has_rank(self, rank: int) -> None:
        """Raise ShapeError unless there are `rank` axes."""
        self.with_rank(rank)

    def with_rank(self, rank: int) -> TensorShape:
        """The shape itself. Raises ShapeError unless there are `rank` axes."""
        if len(self) != rank:
            raise ShapeError(f"Shape {self} must have rank {rank}.")
        return self

    def with_rank_at_least(self, rank: int) -> TensorShape:
        """The shape itself. Raises ShapeError unless there are `rank` axes or more."""
        if len(self) < rank:
            raise ShapeError(f"Shape {self} must have rank at least {rank}.")
        return self

    def with_rank_at_most(self, rank: int) -> TensorShape:
        """The shape itself. Raises ShapeError unless there are `rank` axes or fewer."""
        if len(self) > rank:
            raise ShapeError(f"Shape {self} must have rank at most {rank}.")
        return self

    def assert_same_rank(self, other: Iterable[int]) -> None:
        """Raise ShapeError unless another shape has as many axes."""
        self.with_rank(len(TensorShape(other)))

    def assert_is_fully_defined(self) -> None:
        """Raise ShapeError where a size is open."""
        if not self.is_fully_defined():
            raise ShapeError(f"Shape {self} is not fully defined.")

    def concatenate(self, other: Iterable[int]) -> TensorShape:
        """The sizes of this shape followed by those of another."""
        return TensorShape((*self, *other))

    def __add__(self, other: Iterable[int]) -> TensorShape:  # type: ignore[override]  # lists are welcome too
        return self.concatenate(other)

    def __radd__(self, other: Iterable[int]) -> TensorShape:
        return TensorShape((*other, *self))

    def __getitem__(self, key: Any) -> Any:
        found = tuple.__getitem__(self, key)
        return TensorShape(found) if isinstance(key, slice) else found

    def __eq__(self, other: object) -> bool:
        return tuple.__eq__(self, tuple(other) if isinstance(other, list) else other) is True

    def __ne__(self, other: object) -> bool:
        return not self == other

    __hash__ = tuple.__hash__

    def __str__(self) -> str:
        return tuple.__repr__(self)

    def __repr__(self) -> str:
        return f"TensorShape({list(self)})"
