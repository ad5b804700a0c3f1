"""Data: arrays and tables, checked once and cut into batches, or batches as they come from an iterable."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from copy import copy
from typing import Any

import numpy as np

from minitrain import config
from minitrain.engine.tensor import TensorLike
from minitrain.errors import DTypeError, InvalidArgumentError, NonFiniteError, ShapeError
from minitrain.ops.random import get_global_generator

Array = Any
Batch = tuple[Any, Any, Any]  # x, y and sample_weight; the last two may be None


def as_array(value: Any, name: str) -> Array:
    """An array, a Tensor, a list, a DataFrame or a Series as an ndarray: floats in config.floatx(), integers as given.

    Raises DTypeError for what holds no numbers and NonFiniteError for a NaN or an infinity, with their place.
    """
    if isinstance(value, TensorLike):
        array = value.numpy()
    else:
        try:
            array = value.to_numpy() if hasattr(value, "to_numpy") else np.asarray(value)
        except ValueError as error:
            raise ShapeError(f"`{name}` must be one array; its rows have different lengths.") from error
    if array.dtype.kind == "O":
        try:
            array = array.astype(config.floatx())
        except (TypeError, ValueError) as error:
            raise DTypeError(
                f"`{name}` must hold numbers, received {_strangers(value)}. Encode text and categories first."
            ) from error
    if array.dtype.kind not in "fiub":
        raise DTypeError(f"`{name}` must hold numbers, received dtype {array.dtype}. Encode text and categories first.")
    if array.ndim == 0:
        raise ShapeError(f"`{name}` must have a batch axis, received the single number {array}.")
    if array.dtype.kind == "f":
        array = array.astype(config.floatx(), copy=False)
        if not np.isfinite(array).all():
            place = tuple(int(each) for each in np.argwhere(~np.isfinite(array))[0])
            raise NonFiniteError(f"`{name}` holds {array[place]} at {list(place)}. Fill or drop it before training.")
    return array


def _strangers(value: Any) -> str:
    """What in a table is no number: the columns' names, or the dtype."""
    if hasattr(value, "columns"):
        found = [str(each) for each in value.columns if value[each].dtype.kind not in "fiub"]
        return f"the column{'s' * (len(found) > 1)} {', '.join(found)}"
    return "objects"


def is_table(x: Any) -> bool:
    """Whether `x` is held whole in memory, as opposed to an iterable of batches."""
    if isinstance(x, list):
        return not (x and isinstance(x[0], tuple) and hasattr(x[0][0], "shape"))  # a list of batches
    return isinstance(x, (np.ndarray, TensorLike)) or hasattr(x, "to_numpy") or hasattr(x, "__array__")


def need_count(value: Any, name: str) -> int:
    """A positive int."""
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < 1:
        raise InvalidArgumentError(f"`{name}` must be a positive integer, received {value!r}.")
    return int(value)


class Table:
    """x, y and weights of equal length, cut into batches in order or in a fresh permutation each epoch."""

    def __init__(
        self, x: Any, y: Any = None, sample_weight: Any = None, batch_size: int | None = None, shuffle: bool = False
    ) -> None:
        self.parts = tuple(
            None if each is None else as_array(each, name)
            for each, name in ((x, "x"), (y, "y"), (sample_weight, "sample_weight"))
        )
        lengths = {
            name: len(p) for p, name in zip(self.parts, ("x", "y", "sample_weight"), strict=True) if p is not None
        }
        if len(set(lengths.values())) > 1:
            said = ", ".join(f"{name} has {length}" for name, length in lengths.items())
            raise ShapeError(f"All data must have the same number of rows: {said}.")
        self.rows = lengths["x"]
        if not self.rows:
            raise ShapeError(f"`x` has no rows: shape {self.parts[0].shape}.")
        self.batch_size = 32 if batch_size is None else need_count(batch_size, "batch_size")
        self.shuffle = shuffle

    def __len__(self) -> int:
        return -(-self.rows // self.batch_size)

    def __iter__(self) -> Iterator[Batch]:
        order = get_global_generator()._stream.permutation(self.rows) if self.shuffle else None
        for start in range(0, self.rows, self.batch_size):
            at = slice(start, start + self.batch_size) if order is None else order[start : start + self.batch_size]
            x, y, weight = (None if each is None else each[at] for each in self.parts)
            yield x, y, weight

    def split(self, share: float) -> tuple[Table, Table]:
        """All but the last share of the rows, and that: taken before any shuffling, as in Keras."""
        if not 0 < share < 1:
            raise InvalidArgumentError(f"`validation_split` must lie between 0 and 1, received {share!r}.")
        at = int(self.rows * (1 - share))
        if at == 0 or at == self.rows:
            raise InvalidArgumentError(f"`validation_split`={share} of {self.rows} rows leaves one side empty.")
        first, last = (
            self._with(tuple(None if each is None else each[part] for each in self.parts))
            for part in (slice(at), slice(at, None))
        )
        last.shuffle = False
        return first, last

    def _with(self, parts: tuple[Array, ...]) -> Table:
        """The same batches of other parts, which were checked already."""
        other = copy(self)
        other.parts, other.rows = parts, len(parts[0])
        return other

    def weighted(self, class_weight: dict[int, float]) -> Table:
        """With each row's weight multiplied by that of its class: y holds class numbers, or one-hot rows."""
        x, y, weight = self.parts
        if y is None:
            raise InvalidArgumentError("`class_weight` needs `y`.")
        classes = y.argmax(-1) if y.ndim > 1 and y.shape[-1] > 1 else y.reshape(-1).astype(np.int64)
        factors = np.array([float(class_weight.get(int(each), 1.0)) for each in classes], config.floatx())
        return self._with((x, y, factors if weight is None else weight * factors))


class Stream:
    """Batches (x,), (x, y) or (x, y, sample_weight) from an iterable; from a function, a new iterable each epoch."""

    def __init__(self, source: Any) -> None:
        if not hasattr(source, "__iter__") and not callable(source) and not hasattr(source, "__getitem__"):
            raise DTypeError(
                f"`x` must be an array, a table or an iterable of batches, received {type(source).__name__}."
            )
        self.source: Callable[[], Any] | Any = source

    def __len__(self) -> int:
        return len(self.source) if hasattr(self.source, "__len__") else 0

    def __iter__(self) -> Iterator[Batch]:
        if hasattr(self.source, "__iter__") or callable(self.source):
            batches = self.source if hasattr(self.source, "__iter__") else self.source()
        else:
            batches = (self.source[place] for place in range(len(self.source)))
        for batch in batches:
            parts = batch if isinstance(batch, tuple) else (batch,)
            if not 1 <= len(parts) <= 3:
                raise ShapeError(f"A batch must be (x,), (x, y) or (x, y, sample_weight), received {len(parts)} parts.")
            x, y, weight = (*parts, None, None)[:3]
            yield (
                as_array(x, "x"),
                None if y is None else as_array(y, "y"),
                None if weight is None else as_array(weight, "sample_weight"),
            )


def batches_of(
    x: Any, y: Any = None, sample_weight: Any = None, batch_size: int | None = None, shuffle: bool = False
) -> Table | Stream:
    """The batches of data held whole, or of an iterable."""
    if is_table(x):
        return Table(x, y, sample_weight, batch_size, shuffle)
    if y is not None or sample_weight is not None:
        raise InvalidArgumentError("With an iterable of batches as `x`, targets and weights come with the batches.")
    return Stream(x)
