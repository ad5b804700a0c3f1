"""Data: arrays and tables, checked once and cut into batches, or batches as they come from an iterable.

A batch is (x, y, sample_weight), each an array, a structure of arrays for several inputs or outputs, or None. What is
held in memory is cast and checked once; memory-mapped files, sparse matrices and what comes from an iterable, a batch
at a time.
"""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Callable, Iterator
from copy import copy
from math import isfinite
from numbers import Real
from typing import Any

import numpy as np

from minitrain import config, nest
from minitrain.engine.tensor import TensorLike
from minitrain.errors import DTypeError, InvalidArgumentError, NonFiniteError, ShapeError
from minitrain.ops.random import get_global_generator

Array = Any
Batch = tuple[Any, Any, Any]  # x, y and sample_weight; the last two may be None
ABSENT = "absent"  # in a structure: None, such as the weights of an output that has none


def as_array(value: Any, name: str, dtype: Any = None, strings: bool = False) -> Array:
    """An array, a Tensor, a list, a DataFrame or a Series as an ndarray: floats in `dtype`, integers as given.

    Raises DTypeError for what holds no numbers and NonFiniteError for a NaN or an infinity, with their place.
    `strings`: whether text passes, for models that look words up.
    """
    floats = np.dtype(config.floatx() if dtype is None else dtype)
    if type(value) is np.ndarray:
        array = value
    elif isinstance(value, TensorLike):
        array = value.numpy()
    else:
        try:
            array = value.to_numpy() if hasattr(value, "to_numpy") else np.asarray(value)
        except ValueError as error:
            raise ShapeError(f"`{name}` must be one array; its rows have different lengths.") from error
        if isinstance(value, np.ma.MaskedArray) and np.ma.is_masked(value):
            place = [int(each) for each in np.argwhere(np.ma.getmaskarray(value))[0]]
            raise NonFiniteError(f"`{name}` is masked at {place}. Fill or drop it before training.")
        if hasattr(value, "dtypes") and (dates := _dates(value)):  # of which polars makes floats
            raise DTypeError(f"`{name}` must hold numbers, received dates or times in {dates}. Encode them first.")
        if array.ndim == 1 and hasattr(value, "to_frame") and name.startswith("x"):  # a Series is a table of a column
            array = array[:, None]
    kind = array.dtype.kind
    if strings and kind in "OUST":
        return array
    if kind == "O":
        try:
            array = array.astype(floats)
        except (TypeError, ValueError, OverflowError) as error:
            raise _no_numbers(array, name, value) from error
    elif kind not in "fiub":
        raise DTypeError(
            f"`{name}` must hold numbers, received {_strangers(value)} of dtype {array.dtype}. Encode text and "
            "categories first."
        )
    if array.ndim == 0:
        raise ShapeError(f"`{name}` must have a batch axis, received the single number {array}.")
    if array.dtype.kind == "f":
        if array.dtype is not floats:
            with np.errstate(over="ignore"):
                array = array.astype(floats, copy=False)
        _need_finite(array, name, value)
    return array


def _no_numbers(array: Array, name: str, value: Any) -> Exception:
    """The error for objects that are no numbers: the first of them, which may be a missing value, and its place."""
    for place, each in np.ndenumerate(array):
        if type(each).__name__ in ("NAType", "NaTType"):
            return NonFiniteError(f"`{name}` holds {each} {_place(place, value)}. Fill or drop it before training.")
        try:
            float(each)
        except OverflowError:
            return NonFiniteError(f"`{name}` holds an integer beyond all floats {_place(place, value)}.")
        except (TypeError, ValueError):
            said = _strangers(value) or f"{type(each).__name__} {_place(place, value)}"
            return DTypeError(f"`{name}` must hold numbers, received {said}. Encode text and categories first.")
    return DTypeError(f"`{name}` must hold numbers, received objects of dtype {array.dtype}.")


def _place(place: tuple[int, ...], value: Any) -> str:
    """Where something stands, in words; in a table the column has a name."""
    columns = getattr(value, "columns", None)
    if columns is not None and len(place) > 1:
        return f"in column {list(columns)[place[1]]!r}, row {place[0]}"
    return f"at {[int(each) for each in place]}"


def _need_finite(array: Array, name: str, value: Any) -> None:
    if array.flags.c_contiguous and array.dtype.char in "fd":
        flat = array.reshape(-1)
        # A third of the time of the next line; where squares are no floats `vdot` does not warn.
        if isfinite(np.vdot(flat, flat)):
            return
    if np.isfinite(array).all():
        return
    place = tuple(int(each) for each in np.argwhere(~np.isfinite(array))[0])
    where = _place(place, value)
    if type(value) is np.ndarray and value.dtype.kind == "f" and np.isfinite(value[place]):
        raise NonFiniteError(f"`{name}` holds {value[place]} {where}, which is infinite in {array.dtype}: scale it.")
    raise NonFiniteError(f"`{name}` holds {array[place]} {where}. Fill or drop it before training.")


def _dates(value: Any) -> list[Any]:
    """The columns of a table of polars that hold dates or times."""
    held = zip(value.columns, value.dtypes, strict=True) if hasattr(value, "columns") else ()  # a Series has none
    return [name for name, dtype in held if str(dtype).startswith(("Date", "Time", "Duration"))]


def _strangers(value: Any) -> str:
    """What in a table is no number: the columns' names; empty where these hold arrays of numbers."""
    if hasattr(value, "columns"):
        found = [str(each) for each in value.columns if np.asarray(value[each]).dtype.kind not in "fiub"]
        return f"the column{'s' * (len(found) > 1)} {', '.join(found)}" if found else ""
    return "objects"


class Lazy:
    """Rows that are cast and checked a batch at a time: of a memory-mapped file, or of a sparse matrix."""

    def __init__(self, source: Any, name: str, dtype: Any) -> None:
        self.source = source.tocsr() if hasattr(source, "tocsr") else source
        self.name = name
        self.dtype = dtype
        self.shape = tuple(source.shape)
        if not len(self):
            raise ShapeError(f"`{name}` has no rows: shape {self.shape}.")

    def __len__(self) -> int:
        return int(self.shape[0])

    def __getitem__(self, at: Any) -> Array:
        rows = self.source[at]
        return as_array(rows.toarray() if hasattr(rows, "toarray") else np.asarray(rows), self.name, self.dtype)

    def take(self, at: Array, axis: int = 0) -> Array:
        """As `ndarray.take` along axis 0."""
        return self[at]

    def part(self, at: slice) -> Lazy:
        """Some of the rows, as lazily."""
        return Lazy(self.source[at], self.name, self.dtype)


def is_sparse(value: Any) -> bool:
    """Whether this is a matrix of scipy.sparse."""
    return hasattr(value, "toarray") and hasattr(value, "nnz")


def as_rows(value: Any, name: str, dtype: Any, strings: bool) -> Any:
    """An array, cast and checked; or the Lazy rows of what is too large, or too sparse, for that."""
    if type(value) is not np.ndarray and (isinstance(value, np.memmap) or is_sparse(value)):
        return Lazy(value, name, dtype)
    return as_array(value, name, dtype, strings)


def is_table(x: Any) -> bool:
    """Whether `x` is held whole in memory, as opposed to an iterable of batches."""
    if type(x) is np.ndarray or is_sparse(x):  # of which one kind is a dict
        return True
    if isinstance(x, dict):
        given = [each for each in x.values() if each is not None]  # optional inputs may be None
        return bool(given) and all(map(is_table, given))
    if isinstance(x, tuple):
        return bool(x) and all(is_table(each) for each in x)
    if isinstance(x, list):
        return not (x and isinstance(x[0], tuple) and hasattr(x[0][0], "shape"))  # a list of batches
    return isinstance(x, (np.ndarray, TensorLike)) or hasattr(x, "to_numpy") or hasattr(x, "__array__")


def leaves_of(value: Any, name: str) -> tuple[Any, list[tuple[Any, str]]]:
    """A structure with the places of its arrays, and the arrays with their names. A list of numbers is one array."""
    if isinstance(value, dict) and not is_sparse(value):
        held = {key: ABSENT if each is None else each for key, each in value.items()}
        parts = {key: leaves_of(each, f"{name}[{key!r}]") for key, each in held.items()}
        return {key: part[0] for key, part in parts.items()}, [leaf for key in sorted(parts) for leaf in parts[key][1]]
    if value is ABSENT:
        return ABSENT, []
    if isinstance(value, (list, tuple)) and any(each is None for each in value):
        value = nest.with_children(value, [ABSENT if each is None else each for each in value])
    if isinstance(value, (list, tuple)) and value and all(each is ABSENT or _is_array(each) for each in value):
        listed = [leaves_of(each, f"{name}[{place}]") for place, each in enumerate(value)]
        places = nest.with_children(value, [part[0] for part in listed])
        return places, [leaf for part in listed for leaf in part[1]]
    return None, [(value, name)]


def _is_array(value: Any) -> bool:
    if isinstance(value, (list, tuple)):
        return bool(value) and all(_is_array(each) for each in value)
    return isinstance(value, (dict, TensorLike)) or (hasattr(value, "shape") and len(value.shape) > 0)


def need_count(value: Any, name: str) -> int:
    """A positive int."""
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < 1:
        raise InvalidArgumentError(f"`{name}` must be a positive integer, received {value!r}.")
    return int(value)


class Table:
    """x, y and weights of equal length, cut into batches in order or in a fresh permutation each epoch.

    `parts` are their arrays in one list; `structures` say how those make x, y and the weights.
    """

    def __init__(
        self,
        x: Any,
        y: Any = None,
        sample_weight: Any = None,
        batch_size: int | None = None,
        shuffle: Any = False,
        dtype: Any = None,
        strings: bool = False,
    ) -> None:
        self.structures: list[Any] = []
        self.parts: list[Any] = []
        self.counts: list[int] = []
        names: list[str] = []
        for value, name in ((x, "x"), (y, "y"), (sample_weight, "sample_weight")):
            structure, leaves = (None, []) if value is None else leaves_of(value, name)
            self.structures.append(structure)
            self.counts.append(len(leaves))
            self.parts += [as_rows(each, said, dtype, strings and name == "x") for each, said in leaves]
            names += [said for _, said in leaves]
        first: dict[int, str] = {}  # of each length
        for name, part in zip(names, self.parts, strict=True):
            first.setdefault(len(part), name)
        if len(first) > 1:
            said = ", ".join(f"{name} has {length}" for length, name in first.items())
            hint = " A list holds an array for each input: `np.stack` makes one of rows." if isinstance(x, list) else ""
            raise ShapeError(f"All data must have the same number of rows: {said}.{hint}")
        self.rows = len(self.parts[0])
        if not self.rows:
            raise ShapeError(f"`x` has no rows: shape {self.parts[0].shape}.")
        self.batch_size = 32 if batch_size is None else need_count(batch_size, "batch_size")
        self.shuffle = shuffle
        self.is_plain = self.structures == [None, None, None]  # x, y and weights are arrays themselves

    def __len__(self) -> int:
        return -(-self.rows // self.batch_size)

    def need_end(self, steps: int | None, name: str) -> None:
        """As `Stream.need_end`: a table has one."""

    def order(self) -> Array:
        """A fresh permutation of the rows, or with `shuffle="batch"` of the batches, whose rows stay together."""
        stream = get_global_generator()._stream
        if self.shuffle != "batch":
            return stream.permutation(self.rows)
        whole = self.rows - self.rows % self.batch_size
        places = np.arange(whole).reshape(-1, self.batch_size)
        return np.concatenate([stream.permutation(places).reshape(-1), np.arange(whole, self.rows)])

    def __iter__(self) -> Shuffled:
        return Shuffled(self)

    def shapes(self, size: int) -> tuple[Any, ...]:
        """What the program of a step depends on: the shapes and dtypes of a batch of this size, and its structure."""
        parts = tuple([(size, each.shape[1:], each.dtype.char) for each in self.parts])
        return parts, tuple(self.counts), repr(self.structures)

    def batch(self, at: Any) -> Batch:
        """The rows at a slice or at an array of places."""
        is_slice = type(at) is slice
        return self.shaped([part[at] if is_slice else part.take(at, 0) for part in self.parts])

    def shaped(self, taken: list[Array]) -> Batch:
        """Arrays in the order of `parts` as x, y and weights in their structures."""
        found = []
        start = 0
        for structure, count in zip(self.structures, self.counts, strict=True):
            leaves = taken[start : start + count]
            start += count
            found.append(None if not count else leaves[0] if structure is None else _packed(structure, iter(leaves)))
        return found[0], found[1], found[2]

    @property
    def whole(self) -> Batch:
        """All rows."""
        return self.shaped(self.parts)

    def split(self, share: float) -> tuple[Table, Table]:
        """All but the last share of the rows, and that: taken before any shuffling, as in Keras."""
        if not 0 < share < 1:
            raise InvalidArgumentError(f"`validation_split` must lie between 0 and 1, received {share!r}.")
        at = int(self.rows * (1 - share))
        if at == 0 or at == self.rows:
            raise InvalidArgumentError(f"`validation_split`={share} of {self.rows} rows leaves one side empty.")
        first, last = (
            self._with([each.part(part) if isinstance(each, Lazy) else each[part] for each in self.parts])
            for part in (slice(at), slice(at, None))
        )
        last.shuffle = False
        return first, last

    def _with(self, parts: list[Any]) -> Table:
        """The same batches of other parts, which were checked already."""
        other = copy(self)
        other.parts, other.rows = parts, len(parts[0])
        return other

    def weighted(self, class_weight: dict[int, float]) -> Table:
        """With each row's weight multiplied by that of its class."""
        _, y, weight = self.whole
        weight = class_weighted(y, weight, class_weight)
        other = self._with([*self.parts[: self.counts[0] + self.counts[1]], weight])
        other.counts = [*self.counts[:2], 1]
        other.structures = [*self.structures[:2], None]
        return other


class Shuffled:
    """The batches of one epoch of a Table, one after the other. The order is drawn when the first is asked for."""

    def __init__(self, table: Table) -> None:
        self.table = table
        self.start = 0
        self._order: Array = None

    def order(self) -> Array:
        """The places of the rows in their order."""
        if self._order is None:
            self._order = self.table.order() if self.table.shuffle else np.arange(self.table.rows)
        return self._order

    def __iter__(self) -> Iterator[Batch]:
        return self

    def __next__(self) -> Batch:
        table = self.table
        if self.start >= table.rows:
            raise StopIteration
        at = slice(self.start, self.start + table.batch_size)
        self.start += table.batch_size
        return table.batch(self.order()[at] if table.shuffle else at)


def _packed(structure: Any, leaves: Iterator[Array]) -> Any:
    """Like `nest.pack_sequence_as`, where the places are marked by None."""
    if structure is ABSENT:
        return None
    if isinstance(structure, dict):
        made = {key: _packed(structure[key], leaves) for key in sorted(structure)}
        return {key: made[key] for key in structure}
    if isinstance(structure, (list, tuple)):
        return nest.with_children(structure, [_packed(each, leaves) for each in structure])
    return next(leaves)


def class_weighted(y: Any, weight: Any, class_weight: dict[int, float]) -> Array:
    """Weights of rows times those of their classes: y holds class numbers, or one-hot rows."""
    if y is None or nest.is_nested(y):
        raise InvalidArgumentError("`class_weight` needs `y`, and a model of one output.")
    if not isinstance(class_weight, dict) or not all(isinstance(each, Real) for each in class_weight):
        raise InvalidArgumentError(
            f"`class_weight` must be a dict from class numbers to factors, received {class_weight!r}."
        )
    y = np.asarray(y)
    classes = y.argmax(-1) if y.ndim > 1 and y.shape[-1] > 1 else y.reshape(-1).astype(np.int64)
    found, inverse = np.unique(classes, return_inverse=True)
    factors = np.array([float(class_weight.get(int(each), 1.0)) for each in found], config.floatx())[inverse]
    return factors if weight is None else weight * factors


def need_data(x: Any) -> None:
    """Raise DTypeError for what is neither a table nor an iterable of batches."""
    if hasattr(x, "collect_schema"):  # polars's, which promises a table
        raise DTypeError(f"`x` must be a table, received a {type(x).__name__}: give what its `collect()` returns.")
    gives_batches = hasattr(x, "__iter__") or callable(x) or hasattr(x, "__getitem__")
    if isinstance(x, (str, bytes)) or not gives_batches:
        raise DTypeError(f"`x` must be an array, a table or an iterable of batches, received {type(x).__name__}.")


class Stream:
    """Batches (x,), (x, y) or (x, y, sample_weight) from an iterable; from a function, a new iterable each epoch.

    What has `__getitem__` and `num_batches` or `__len__`, such as a PyDataset, is asked for its batches by number, in a
    fresh order each epoch where it may be shuffled; without an end where `num_batches` is None.
    """

    def __init__(self, source: Any, dtype: Any = None, strings: bool = False, shuffle: bool = False) -> None:
        need_data(source)
        self.source: Callable[[], Any] | Any = source
        self.dtype = dtype
        self.strings = strings
        self.shuffle = shuffle
        self.class_weight: dict[int, float] | None = None

    def __len__(self) -> int:
        return self._size() or 0

    def _size(self) -> int | None:
        """How many batches there are; None where that is not known, or where they have no end."""
        if hasattr(self.source, "num_batches"):
            count: int | None = self.source.num_batches
            return count
        try:
            return len(self.source)
        except TypeError:
            return None

    def need_end(self, steps: int | None, name: str) -> None:
        """Raise InvalidArgumentError for a dataset without an end, unless the number of steps is given."""
        is_endless = hasattr(self.source, "cardinality") and int(self.source.cardinality()) == -1
        if steps is None and (is_endless or getattr(self.source, "num_batches", 0) is None):
            raise InvalidArgumentError(
                f"When passing an infinitely repeating dataset, please specify a `{name}` value, received None."
            )

    def __iter__(self) -> Iterator[Batch]:
        source = self.source
        if hasattr(source, "on_epoch_begin"):
            source.on_epoch_begin()
        has_count = hasattr(source, "__len__") or hasattr(source, "num_batches")
        if hasattr(source, "__getitem__") and has_count and not isinstance(source, (list, tuple)):
            size = self._size()
            places = itertools.count() if size is None else range(size)
            order = get_global_generator()._stream.permutation(size) if self.shuffle and size is not None else places
            batches: Any = (source[int(place)] for place in order)
        else:
            batches = source if hasattr(source, "__iter__") else source()
        for batch in batches:
            yield self._checked(batch)
        if hasattr(source, "on_epoch_end"):
            source.on_epoch_end()

    def _checked(self, batch: Any) -> Batch:
        parts = tuple(batch) if isinstance(batch, (tuple, list)) else (batch,)
        if not 1 <= len(parts) <= 3:
            raise ShapeError(f"A batch must be (x,), (x, y) or (x, y, sample_weight), received {len(parts)} parts.")
        try:
            x, y, weight = Table(*parts, dtype=self.dtype, strings=self.strings).whole
        except ShapeError as error:
            raise ShapeError(f"{error} An iterable must give batches, as `dataset.batch(32)` does.") from error
        if self.class_weight is not None:
            weight = class_weighted(y, weight, self.class_weight)
        return x, y, weight

    def weighted(self, class_weight: dict[int, float]) -> Stream:
        """With each row's weight multiplied by that of its class."""
        other = copy(self)
        other.class_weight = class_weight
        return other


def batches_of(
    x: Any,
    y: Any = None,
    sample_weight: Any = None,
    batch_size: int | None = None,
    shuffle: bool = False,
    dtype: Any = None,
    strings: bool = False,
) -> Table | Stream:
    """The batches of data held whole, or of an iterable."""
    if is_table(x):
        return Table(x, y, sample_weight, batch_size, shuffle, dtype, strings)
    need_data(x)
    if y is not None or sample_weight is not None:
        raise InvalidArgumentError("With an iterable of batches as `x`, targets and weights come with the batches.")
    return Stream(x, dtype, strings, shuffle)


WAY_OUT = "A generator gives its batches once: give a function that makes a new one, or a list of batches."


class Ongoing:
    """The epochs of batches that may go on where they stopped, for `steps_per_epoch`, or come from a used-up iterator.

    As in Keras, an epoch ends with the data: with a warning where it has more steps than there are batches left, and
    the next begins anew.
    """

    def __init__(self, batches: Table | Stream, steps: int | None) -> None:
        self.batches = batches
        self.steps = steps
        self._ongoing: Iterator[Batch] | None = None

    def epoch(self) -> Iterator[Batch] | None:
        """The batches of the next epoch; None, with a warning, where an iterator is used up.

        Raises InvalidArgumentError where it was so from the start.
        """
        is_new = self._ongoing is None
        first = next(self._ongoing, None) if self._ongoing is not None and self.steps else None
        if first is None:
            self._ongoing = iter(self.batches)
            first = next(self._ongoing, None)
        if first is not None:
            return self._from(first, self._ongoing)
        if is_new:
            raise InvalidArgumentError(f"There was no batch to train on: the iterable is empty, or used up. {WAY_OUT}")
        self._warn(4)
        return None

    def _from(self, first: Batch, ongoing: Iterator[Batch]) -> Iterator[Batch]:
        yield first
        for _ in range(1, self.steps) if self.steps else itertools.count(1):
            batch = next(ongoing, None)
            if batch is None:
                if self.steps:
                    self._warn(5)
                return
            yield batch

    def _warn(self, depth: int) -> None:
        warnings.warn(
            "Your input ran out of data; interrupting training. Make sure that your iterable can generate at least "
            f"`steps_per_epoch * epochs` batches; a Dataset can `repeat()`. {WAY_OUT}",
            stacklevel=depth,
        )
