"""`tf.data.Dataset` for tables: batches made step by step, lazily, of arrays or generators.

A Dataset is a function that gives a new iterator each time, so that it can be iterated any number of times. Elements
are arrays, or tuples and dicts of arrays. As long as they are rows of arrays only their numbers go through `shuffle`,
`repeat` and the like, and `batch` gathers all rows of a batch at once.
"""

from __future__ import annotations

import bisect
import builtins
import functools
import itertools
import math
from collections.abc import Callable, Iterable, Iterator
from types import SimpleNamespace
from typing import Any

import numpy as np

from minitrain import nest
from minitrain.dtypes import as_dtype
from minitrain.engine.convert import as_tensor, convert_to_tensor
from minitrain.engine.spec import TensorSpec
from minitrain.engine.tensor import Tensor, TensorLike
from minitrain.engine.variable import Variable
from minitrain.errors import DTypeError, InvalidArgumentError, ShapeError
from minitrain.ops.random import get_global_generator

__all__ = ["AUTOTUNE", "INFINITE_CARDINALITY", "UNKNOWN_CARDINALITY", "Dataset", "Options", "experimental"]

AUTOTUNE = -1
INFINITE_CARDINALITY = -1
UNKNOWN_CARDINALITY = -2
experimental = SimpleNamespace(
    AUTOTUNE=AUTOTUNE,
    INFINITE_CARDINALITY=INFINITE_CARDINALITY,
    UNKNOWN_CARDINALITY=UNKNOWN_CARDINALITY,
    AutoShardPolicy=SimpleNamespace(OFF=-1, AUTO=0, FILE=1, DATA=2, HINT=3),
    cardinality=lambda dataset: dataset.cardinality(),
)

Array = Any
_NOTHING = object()


class Options(SimpleNamespace):
    """TensorFlow's options of how elements are made, all of which mean nothing here."""

    def __init__(self) -> None:
        super().__init__(
            autotune=SimpleNamespace(),
            deterministic=None,
            experimental_distribute=SimpleNamespace(),
            experimental_optimization=SimpleNamespace(),
            threading=SimpleNamespace(),
        )


class Dataset:
    """A sequence of elements that may be iterated again and again; every method gives a new one.

    >>> dataset = Dataset.from_tensor_slices(([1.0, 2.0, 3.0], [1, 0, 1])).repeat(2).batch(4)
    >>> for x, y in dataset:
    ...     print(x.numpy(), y.numpy())
    [1. 2. 3. 1.] [1 0 1 1]
    [2. 3.] [0 1]
    """

    def __init__(
        self,
        begin: Callable[[], Iterator[Any]],
        size: float | None,
        rows: Any = None,
        spec: Callable[[], Any] | None = None,
    ) -> None:
        self._begin = begin
        self._size = size  # how many elements; inf where there is no end, None where nobody knows
        self._rows = rows  # where elements are rows: the arrays; `begin` then gives the rows' numbers
        self._spec = spec  # what `element_spec` is, where more is known than the first element shows
        self._recipe: tuple[str, Any, Any] | None = None  # the method and its arguments, for pickles

    # -------------------------------------------------------------------------------------------------- where from

    @staticmethod
    def from_tensor_slices(tensors: Any, name: str | None = None) -> Dataset:
        """The rows of an array, or of a tuple or dict of arrays with as many rows each. A list is one array."""
        rows = _arrays(tensors)
        lengths = {np.shape(each)[0] if np.ndim(each) else None for each in nest.flatten(rows)}
        if len(lengths) != 1 or None in lengths:
            shapes = [np.shape(each) for each in nest.flatten(rows)]
            raise ShapeError(f"`from_tensor_slices` needs arrays with equally many rows, received shapes {shapes}.")
        size = lengths.pop()
        return Dataset(lambda: iter(builtins.range(size)), size, rows)

    @staticmethod
    def from_tensors(tensors: Any, name: str | None = None) -> Dataset:
        """One element."""
        element = _arrays(tensors)
        return Dataset(lambda: iter([element]), 1)

    @staticmethod
    def from_generator(
        generator: Callable[..., Iterable[Any]],
        output_types: Any = None,
        output_shapes: Any = None,
        args: tuple[Any, ...] = (),
        output_signature: Any = None,
        name: str | None = None,
    ) -> Dataset:
        """What a function's iterable gives, called anew for each pass.

        `output_signature`: a TensorSpec, or a structure of them, of the elements; `output_types`: their dtypes alone.
        Shapes beside them are taken for TensorFlow's sake. Raises ShapeError for an element that does not fit.
        """
        if not callable(generator):
            raise DTypeError(f"`generator` must be a function that gives an iterable, received {generator!r}.")
        specs = output_signature
        if specs is None and output_types is not None:
            specs = nest.map_structure(lambda dtype: TensorSpec(None, dtype), output_types)

        def begin() -> Iterator[Any]:
            for each in generator(*args):
                yield _arrays(each) if specs is None else _specified(each, specs)

        return Dataset(begin, None, spec=None if specs is None else lambda: specs)

    @staticmethod
    def range(*args: int, output_type: Any = "int64", name: str | None = None) -> Dataset:
        """The integers of Python's `range`."""
        return Dataset.from_tensor_slices(np.arange(*args, dtype=getattr(output_type, "dtype", output_type)))

    @staticmethod
    def counter(start: Any = 0, step: Any = 1, dtype: Any = "int64", name: str | None = None) -> Dataset:
        """start, start + step, start + 2 * step and so on, without end."""
        kind = as_dtype(dtype).dtype.type
        return Dataset(lambda: builtins.map(kind, itertools.count(start, step)), math.inf)

    @staticmethod
    def zip(*datasets: Any, name: str | None = None) -> Dataset:
        """Elements side by side: `zip(a, b)` or `zip((a, b))`; as long as the shortest."""
        parts: Any = datasets[0] if len(datasets) == 1 else datasets
        flat: list[Dataset] = nest.flatten(parts)
        sizes = [each._size for each in flat]
        size = None if None in sizes else min(each for each in sizes if each is not None)

        def begin() -> Iterator[Any]:
            for elements in builtins.zip(*(each._elements() for each in flat)):
                found = iter(elements)
                yield nest.map_structure(lambda _, found=found: next(found), parts)

        return Dataset(begin, size, spec=lambda: nest.map_structure(lambda each: each.element_spec, parts))

    @staticmethod
    def sample_from_datasets(
        datasets: Any,
        weights: Any = None,
        seed: int | None = None,
        stop_on_empty_dataset: bool = False,
        rerandomize_each_iteration: bool | None = None,
        name: str | None = None,
    ) -> Dataset:
        """Elements of several Datasets, each from a random one, with probabilities in proportion to `weights`.

        Goes on with the others where one has ended, or ends with it for `stop_on_empty_dataset`.
        """
        share = np.ones(len(datasets)) if weights is None else np.asarray(weights, np.float64)
        if share.shape != (len(datasets),) or (share < 0).any() or not share.any():
            raise InvalidArgumentError(f"`weights` must be {len(datasets)} numbers, none negative, received {weights}.")
        start: list[int] = [] if seed is None else [abs(int(seed))]
        passes = itertools.count()

        def begin() -> Iterator[Any]:
            if seed is None:
                start[:] = [int(get_global_generator()._stream.integers(2**62))]
            generator = np.random.default_rng([start[0], next(passes) if rerandomize_each_iteration else 0])
            open_ones = [each._elements() for each in datasets]
            left = share.copy()
            while left.any():
                place = int(generator.choice(len(left), p=left / left.sum()))
                element = next(open_ones[place], _NOTHING)
                if element is not _NOTHING:
                    yield element
                elif stop_on_empty_dataset:
                    return
                else:
                    left[place] = 0.0

        return Dataset(begin, None, spec=lambda: datasets[0].element_spec)

    @staticmethod
    def choose_from_datasets(datasets: Any, choice_dataset: Dataset, stop_on_empty_dataset: bool = True) -> Dataset:
        """Elements of several Datasets, each from that whose number `choice_dataset` gives.

        Ends where one that is chosen has ended, or passes it over for `stop_on_empty_dataset=False`.
        """

        def begin() -> Iterator[Any]:
            open_ones = [each._elements() for each in datasets]
            for place in choice_dataset._elements():
                element = next(open_ones[int(place)], _NOTHING)
                if element is not _NOTHING:
                    yield element
                elif stop_on_empty_dataset:
                    return

        return Dataset(begin, None, spec=lambda: datasets[0].element_spec)

    # ------------------------------------------------------------------------------------------- which, in what order

    def _same(self, step: Callable[[Iterator[Any]], Iterable[Any]], size: float | None) -> Dataset:
        """Some of the same elements, in some order."""
        return Dataset(lambda: iter(step(self._begin())), size, self._rows, self._spec)

    def _sized(self, size: Callable[[float], float]) -> float | None:
        return None if self._size is None else size(self._size)

    def shuffle(
        self,
        buffer_size: int,
        seed: int | None = None,
        reshuffle_each_iteration: bool | None = True,
        name: str | None = None,
    ) -> Dataset:
        """Each element a random one of the next `buffer_size`, in another order each pass unless told otherwise.

        The orders follow from `seed`, or from `random.set_seed`.
        """
        _need_positive(buffer_size, "buffer_size")
        is_fixed = reshuffle_each_iteration is False
        passes = itertools.count()
        start: list[int] = [] if seed is None else [abs(int(seed))]

        def generator() -> np.random.Generator:
            if seed is None and not (start and is_fixed):
                start[:] = [int(get_global_generator()._stream.integers(2**62))]
            return np.random.default_rng([start[0], 0 if is_fixed else next(passes)])

        return self._same(lambda elements: _shuffled(elements, buffer_size, generator()), self._size)

    def repeat(self, count: int | None = None, name: str | None = None) -> Dataset:
        """`count` passes; without an end for None or -1."""
        passes = math.inf if count is None or count < 0 else count

        def begin() -> Iterator[Any]:
            for turn in itertools.count():
                elements = self._begin() if turn < passes else iter(())
                first = next(elements, _NOTHING)
                if first is _NOTHING:  # or an endless repetition of nothing would not end
                    return
                yield first
                yield from elements

        return Dataset(begin, self._sized(lambda n: n * passes if n and passes else 0), self._rows, self._spec)

    def take(self, count: int, name: str | None = None) -> Dataset:
        """The first elements; all for -1."""
        stop = None if count < 0 else count
        return self._same(
            lambda each: itertools.islice(each, stop), self._sized(lambda n: n if count < 0 else min(n, count))
        )

    def skip(self, count: int, name: str | None = None) -> Dataset:
        """All but the first elements; none for -1."""
        if count < 0:
            return self.take(0)
        return self._same(lambda each: itertools.islice(each, count, None), self._sized(lambda n: max(n - count, 0)))

    def shard(self, num_shards: int, index: int, name: str | None = None) -> Dataset:
        """Every `num_shards`-th element, from number `index` on."""
        if not 0 <= index < num_shards:
            raise InvalidArgumentError(f"`index` must lie in [0, {num_shards}), received {index}.")
        size = self._sized(lambda n: n if n == math.inf else max(0, -(-(n - index) // num_shards)))
        return self._same(lambda each: itertools.islice(each, index, None, num_shards), size)

    def cache(self, filename: Any = "", name: str | None = None) -> Dataset:
        """The elements of the first pass, kept in memory for all others."""
        kept: list[Any] = []

        def begin() -> Iterator[Any]:
            if kept:
                return iter(kept[0])
            return passed(self._begin())

        def passed(elements: Iterator[Any]) -> Iterator[Any]:
            found = []
            for each in elements:
                found.append(each)
                yield each
            kept[:] = [found]

        return Dataset(begin, self._size, self._rows, self._spec)

    def prefetch(self, buffer_size: Any = AUTOTUNE, name: str | None = None) -> Dataset:
        """The same: elements are made when they are asked for."""
        return self

    def concatenate(self, dataset: Dataset, name: str | None = None) -> Dataset:
        """These elements, and after them the other's."""
        size = self._sized(lambda n: math.inf if dataset._size == math.inf else n + (dataset._size or 0))
        return Dataset(
            lambda: itertools.chain(self._elements(), dataset._elements()),
            None if dataset._size is None else size,
            spec=self._spec,
        )

    # --------------------------------------------------------------------------------------------------- others of them

    def batch(
        self,
        batch_size: int,
        drop_remainder: bool = False,
        num_parallel_calls: Any = None,
        deterministic: bool | None = None,
        name: str | None = None,
    ) -> Dataset:
        """So many elements at once, with a new first axis. `drop_remainder`: without a last batch that is smaller."""
        _need_positive(batch_size, "batch_size")
        rows = self._rows

        def begin() -> Iterator[Any]:
            elements = self._begin()
            while found := list(itertools.islice(elements, batch_size)):
                if len(found) == batch_size or not drop_remainder:
                    if rows is None:
                        yield nest.map_structure(_stacked, *found)
                    else:
                        places = np.asarray(found)
                        yield nest.map_structure(lambda each, places=places: each.take(places, 0), rows)

        size = self._sized(lambda n: n if n == math.inf else n // batch_size if drop_remainder else -(-n // batch_size))
        return Dataset(begin, size, spec=lambda: _batch_of(self.element_spec, batch_size if drop_remainder else None))

    def padded_batch(
        self,
        batch_size: int,
        padded_shapes: Any = None,
        padding_values: Any = None,
        drop_remainder: bool = False,
        name: str | None = None,
    ) -> Dataset:
        """`batch` of elements whose shapes differ: each is filled up at its ends, by 0 unless told otherwise.

        `padded_shapes`: the shape to fill up to, of each part; None, or -1 for an axis, is the longest in the batch.
        Raises ShapeError where an element is longer than that.
        """
        _need_positive(batch_size, "batch_size")

        def begin() -> Iterator[Any]:
            elements = self._elements()
            while found := list(itertools.islice(elements, batch_size)):
                if len(found) == batch_size or not drop_remainder:
                    shapes = _for_each(padded_shapes, found[0])
                    values = _for_each(padding_values, found[0])
                    columns = builtins.zip(*map(nest.flatten, found), strict=True)
                    made = iter([_filled(*each) for each in builtins.zip(columns, shapes, values, strict=True)])
                    yield nest.map_structure(lambda _, made=made: next(made), found[0])

        size = self._sized(lambda n: n if n == math.inf else n // batch_size if drop_remainder else -(-n // batch_size))
        return Dataset(begin, size)

    def unbatch(self, name: str | None = None) -> Dataset:
        """The rows of the elements."""

        def begin() -> Iterator[Any]:
            for each in self._elements():
                for place in builtins.range(len(nest.flatten(each)[0])):
                    yield nest.map_structure(lambda part, place=place: part[place], each)

        return Dataset(begin, None)

    def map(
        self,
        map_func: Callable[..., Any],
        num_parallel_calls: Any = None,
        deterministic: bool | None = None,
        name: str | None = None,
    ) -> Dataset:
        """What a function of Tensors makes of each element; it gets the parts of a tuple as its arguments."""

        def made(element: Any) -> Any:
            out = _applied(map_func, element)
            return _arrays(tuple(out) if isinstance(out, list) else out)

        def spec() -> Any:
            first = next(self._elements(), _NOTHING)
            if first is _NOTHING:
                raise InvalidArgumentError("A dataset without elements has no `element_spec` after `map`.")
            given = nest.flatten(self.element_spec)
            is_open = {np.shape(x)[0] for x, each in builtins.zip(nest.flatten(first), given) if _is_open(each)}
            return nest.map_structure(
                lambda each: (
                    _batch_of(TensorSpec(each.shape[1:], each.dtype), None)
                    if np.ndim(each) and each.shape[0] in is_open
                    else _spec_of(each)
                ),
                made(first),
            )

        return Dataset(lambda: builtins.map(made, self._elements()), self._size, spec=spec)

    def filter(self, predicate: Callable[..., Any], name: str | None = None) -> Dataset:
        """The elements of which a function of Tensors is true."""
        return Dataset(
            lambda: (each for each in self._elements() if bool(_applied(predicate, each))), None, spec=self._spec
        )

    def flat_map(self, map_func: Callable[..., Any], name: str | None = None) -> Dataset:
        """The elements of the Datasets that a function of Tensors makes of each element, one after the other."""
        return self.interleave(map_func, cycle_length=1)

    def interleave(
        self,
        map_func: Callable[..., Any],
        cycle_length: int | None = None,
        block_length: int | None = None,
        num_parallel_calls: Any = None,
        deterministic: bool | None = None,
        name: str | None = None,
    ) -> Dataset:
        """`flat_map` that takes `block_length` (1) elements in turn from `cycle_length` (16) Datasets at once."""
        width, length = cycle_length or 16, block_length or 1
        _need_positive(width, "cycle_length")
        _need_positive(length, "block_length")

        def begin() -> Iterator[Any]:
            made = (_as_dataset(_applied(map_func, each), "flat_map")._elements() for each in self._elements())
            open_ones = list(itertools.islice(made, width))
            while open_ones:
                still_open = []
                for one in open_ones:
                    block = list(itertools.islice(one, length))
                    yield from block
                    following = one if len(block) == length else next(made, None)
                    if following is not None:
                        still_open.append(following)
                open_ones = still_open

        return Dataset(begin, None)

    def window(
        self,
        size: int,
        shift: int | None = None,
        stride: int = 1,
        drop_remainder: bool = False,
        name: str | None = None,
    ) -> Dataset:
        """Datasets of `size` elements, every `stride`-th, that begin `shift` (`size`) elements apart.

        Of a tuple or dict of parts each element is one of Datasets. `drop_remainder`: without those that are shorter.
        """
        shift = size if shift is None else shift
        for value, name in ((size, "size"), (shift, "shift"), (stride, "stride")):
            _need_positive(value, name)

        def begin() -> Iterator[Any]:
            elements, kept = self._elements(), []
            while True:
                kept += itertools.islice(elements, (size - 1) * stride + 1 - len(kept))
                found = kept[: (size - 1) * stride + 1 : stride]
                if not found or (drop_remainder and len(found) < size):
                    return
                yield nest.map_structure(lambda *parts: Dataset(lambda: iter(parts), len(parts)), *found)
                for _ in itertools.islice(elements, max(0, shift - len(kept))):
                    pass
                kept = kept[shift:]

        return Dataset(begin, None)

    def group_by_window(
        self,
        key_func: Callable[..., Any],
        reduce_func: Callable[[Any, Dataset], Dataset],
        window_size: int | None = None,
        window_size_func: Callable[[Any], Any] | None = None,
        name: str | None = None,
    ) -> Dataset:
        """The Datasets that `reduce_func(key, window)` makes of each `window_size` elements of one key, in one.

        `key_func`: an integer for each element. `window_size_func`: the size for a key. Windows that are not full stand
        at the end, in the order of their keys.
        """
        if (window_size is None) == (window_size_func is None):
            raise InvalidArgumentError("`group_by_window` needs one of `window_size` and `window_size_func`.")

        def reduced(key: int, held: list[Any]) -> Iterator[Any]:
            window = Dataset(lambda: iter(held), len(held))
            return _as_dataset(reduce_func(_tensors(np.int64(key)), window), "group_by_window")._elements()

        def begin() -> Iterator[Any]:
            groups: dict[int, list[Any]] = {}
            for each in self._elements():
                key = int(_applied(key_func, each))
                held = groups.setdefault(key, [])
                held.append(each)
                size = window_size if window_size_func is None else int(window_size_func(_tensors(np.int64(key))))
                _need_positive(size, "window_size")
                if len(held) == size:
                    yield from reduced(key, groups.pop(key))
            for key in sorted(groups):
                yield from reduced(key, groups[key])

        return Dataset(begin, None)

    def bucket_by_sequence_length(
        self,
        element_length_func: Callable[..., Any],
        bucket_boundaries: Any,
        bucket_batch_sizes: Any,
        padded_shapes: Any = None,
        padding_values: Any = None,
        no_padding: bool = False,
        drop_remainder: bool = False,
        name: str | None = None,
    ) -> Dataset:
        """Batches of elements of like length: below the first boundary, from it to below the second, and so on.

        `bucket_batch_sizes`: one more than there are boundaries. `no_padding`: the elements of a batch have one shape;
        otherwise they are filled up as by `padded_batch`.
        """
        bounds, sizes = [int(each) for each in bucket_boundaries], [int(each) for each in bucket_batch_sizes]
        if len(sizes) != len(bounds) + 1 or sorted(bounds) != bounds:
            raise InvalidArgumentError(
                f"`bucket_boundaries` must rise, and `bucket_batch_sizes` hold one more; received {bounds} and {sizes}."
            )

        def batched(key: Any, window: Dataset) -> Dataset:
            size = sizes[int(key)]
            if no_padding:
                return window.batch(size, drop_remainder)
            return window.padded_batch(size, padded_shapes, padding_values, drop_remainder)

        return self.group_by_window(
            lambda *parts: bisect.bisect_right(bounds, int(element_length_func(*parts))),
            batched,
            window_size_func=lambda key: sizes[int(key)],
        )

    def take_while(self, predicate: Callable[..., Any], name: str | None = None) -> Dataset:
        """The elements before the first one of which a function of Tensors is not true."""
        return Dataset(
            lambda: itertools.takewhile(lambda each: bool(_applied(predicate, each)), self._elements()), None
        )

    def scan(self, initial_state: Any, scan_func: Callable[[Any, Any], Any], name: str | None = None) -> Dataset:
        """What `scan_func(state, element)` gives beside the next state, (state, what), from `initial_state` on."""

        def begin() -> Iterator[Any]:
            state = _tensors(_arrays(initial_state))
            for each in self:
                state, made = scan_func(state, each)
                yield _arrays(made)

        return Dataset(begin, self._size)

    def unique(self, name: str | None = None) -> Dataset:
        """Each element once, where it comes first."""

        def begin() -> Iterator[Any]:
            seen = set()
            for each in self._elements():
                key = tuple([np.asarray(leaf).tobytes() for leaf in nest.flatten(each)])
                if key not in seen:
                    seen.add(key)
                    yield each

        return Dataset(begin, None)

    def rebatch(self, batch_size: int, drop_remainder: bool = False, name: str | None = None) -> Dataset:
        """The rows of the batches in batches of another size."""
        return self.unbatch().batch(batch_size, drop_remainder)

    def with_options(self, options: Any, name: str | None = None) -> Dataset:
        """The same: there is nothing to tune."""
        return self

    def enumerate(self, start: int = 0, name: str | None = None) -> Dataset:
        """The elements with their numbers: (number, element)."""
        return Dataset(
            lambda: ((np.int64(place), each) for place, each in builtins.enumerate(self._elements(), start)),
            self._size,
        )

    def apply(self, transformation_func: Callable[[Dataset], Dataset]) -> Dataset:
        """What a function makes of the Dataset."""
        return transformation_func(self)

    def reduce(self, initial_state: Any, reduce_func: Callable[[Any, Any], Any], name: str | None = None) -> Any:
        """`reduce_func(state, element)` over all elements, from `initial_state` on."""
        state = _tensors(_arrays(initial_state))
        for each in self:
            state = reduce_func(state, each)
        return state

    # ---------------------------------------------------------------------------------------------------- looking at it

    def _elements(self) -> Iterator[Any]:
        """The elements, with arrays at their leaves."""
        rows = self._rows
        if rows is None:
            return self._begin()
        if type(rows) is np.ndarray:
            return (rows[place] for place in self._begin())
        return (nest.map_structure(lambda each, place=place: each[place], rows) for place in self._begin())

    def __iter__(self) -> Pass:
        return Pass(self)

    def as_numpy_iterator(self) -> Iterator[Any]:
        """The elements with ndarrays, and NumPy's scalars, in the place of Tensors."""
        return self._elements()

    def get_single_element(self, name: str | None = None) -> Any:
        """The only element. Raises InvalidArgumentError where there is none, or a second."""
        found = list(itertools.islice(self, 2))
        if len(found) != 1:
            raise InvalidArgumentError(f"Expected a dataset of one element, received {'more' if found else 'none'}.")
        return found[0]

    def cardinality(self) -> Tensor:
        """How many elements, an int64; INFINITE_CARDINALITY or UNKNOWN_CARDINALITY where that is no number."""
        return Tensor(np.array(self._cardinality(), np.int64))

    def _cardinality(self) -> int:
        if self._size is None:
            return UNKNOWN_CARDINALITY
        return INFINITE_CARDINALITY if self._size == math.inf else int(self._size)

    @property
    def element_spec(self) -> Any:
        """A TensorSpec, or the structure of them, for the elements; the size of a batch, which may vary, is None.

        What no method says, as of `map`, the first element shows; what is no number, such as text, is None.
        """
        if self._spec is not None:
            return self._spec()
        if self._rows is not None:
            return nest.map_structure(lambda each: _spec_of(each, first=1), self._rows)
        first = next(self._elements(), _NOTHING)
        if first is _NOTHING:
            raise InvalidArgumentError("A dataset without elements has no `element_spec`.")
        return nest.map_structure(_spec_of, first)

    def __reduce__(self) -> Any:
        if self._recipe is None:
            raise DTypeError("A window cannot be pickled, only Datasets that methods of Dataset have made.")
        return _made_again, self._recipe

    def __len__(self) -> int:
        size = self._cardinality()
        if size < 0:
            raise DTypeError(f"The dataset {'is infinite' if size == INFINITE_CARDINALITY else 'length is unknown'}.")
        return size

    def __bool__(self) -> bool:
        return True

    def __repr__(self) -> str:
        return f"<Dataset of {self._cardinality()} elements>"


class Pass:
    """The elements of a Dataset from the first to the last: what `iter(dataset)` gives.

    A `train.Checkpoint` may hold it: restored, it goes on at the element where it stood, in an order that is the same
    where nothing is shuffled, or by a `seed` in another process.
    """

    def __init__(self, dataset: Dataset) -> None:
        self._dataset = dataset
        self._ongoing = map(_tensors, dataset._elements())
        self._done = 0
        self._position: Variable | None = None  # made when a Checkpoint asks for it

    def __iter__(self) -> Pass:
        return self

    def __next__(self) -> Any:
        if self._position is not None and int(self._position) != self._done:  # it has been restored
            self._done = int(self._position)
            self._ongoing = map(_tensors, itertools.islice(self._dataset._elements(), self._done, None))
        element = next(self._ongoing)
        self._done += 1
        if self._position is not None:
            self._position.assign(self._done)
        return element

    get_next = __next__

    @property
    def element_spec(self) -> Any:
        """The Dataset's."""
        return self._dataset.element_spec

    @property
    def variables(self) -> list[Variable]:
        """How many elements have been given."""
        if self._position is None:
            self._position = Variable(self._done, dtype="int64", trainable=False, name="position")
        return [self._position]


def _remembering(name: str, method: Callable[..., Dataset]) -> Callable[..., Dataset]:
    """The method, which notes in what it makes how that was made."""

    @functools.wraps(method)
    def made(*args: Any, **kwargs: Any) -> Dataset:
        dataset = method(*args, **kwargs)
        dataset._recipe = name, args, kwargs
        return dataset

    return made


def _made_again(name: str, args: Any, kwargs: Any) -> Dataset:
    found: Dataset = getattr(Dataset, name)(*args, **kwargs)
    return found


for _name in (
    *("from_tensor_slices", "from_tensors", "from_generator", "range", "zip", "sample_from_datasets"),
    *("choose_from_datasets", "shuffle", "repeat", "take", "skip", "shard", "cache", "concatenate"),
    *("batch", "padded_batch", "unbatch", "map", "filter", "flat_map", "interleave", "window", "take_while", "scan"),
    *("unique", "rebatch", "enumerate", "counter", "group_by_window", "bucket_by_sequence_length"),
):
    _method = vars(Dataset)[_name]
    _is_static = isinstance(_method, staticmethod)
    _noted = _remembering(_name, _method.__func__ if _is_static else _method)
    setattr(Dataset, _name, staticmethod(_noted) if _is_static else _noted)


def _spec_of(value: Any, first: int = 0) -> TensorSpec | None:
    """The specification of an array, or of its rows for `first=1`; None for what is no number."""
    if isinstance(value, Dataset) or np.asarray(value).dtype.kind not in "fiub":
        return None
    return TensorSpec(np.shape(value)[first:], np.asarray(value).dtype)


def _is_open(spec: Any) -> bool:
    return spec is not None and bool(spec.shape) and spec.shape[0] is None


def _batch_of(specs: Any, size: int | None) -> Any:
    def batch(spec: Any) -> Any:
        return spec and TensorSpec(None if spec.shape is None else (size, *spec.shape), spec.dtype)

    return nest.map_structure(batch, specs)


def _for_each(given: Any, element: Any) -> list[Any]:
    """What belongs to each part of an element: one for all of them, or a structure like it."""
    parts = nest.flatten(element)
    if isinstance(element, (tuple, dict)) and isinstance(given, (tuple, dict)):
        keys = sorted(element) if isinstance(element, dict) else builtins.range(len(element))
        return [one for key in keys for one in _for_each(given[key], element[key])]
    return [given] * len(parts)


def _filled(arrays: Any, shape: Any, value: Any) -> Array:
    """Arrays, filled up at their ends with a value, in one array with a new first axis."""
    longest = np.max([np.shape(each) for each in arrays], axis=0) if np.ndim(arrays[0]) else ()
    wanted = [-1] * len(longest) if shape is None else shape
    if len(wanted) != len(longest):
        raise ShapeError(f"`padded_shapes` is {shape}, and the elements have {len(longest)} axes.")
    sizes = [int(n) if each is None or each < 0 else int(each) for each, n in builtins.zip(wanted, longest)]
    if any(n > size for n, size in builtins.zip(longest, sizes)):
        raise ShapeError(f"An element of shape {tuple(longest)} is longer than `padded_shapes`, {shape}.")
    out = np.full((len(arrays), *sizes), 0 if value is None else np.asarray(value), np.asarray(arrays[0]).dtype)
    for place, each in builtins.enumerate(arrays):
        out[(place, *map(slice, np.shape(each)))] = each
    return out


def _array(value: Any) -> Array:
    if isinstance(value, (np.ndarray, np.generic)):
        return value
    if not isinstance(value, TensorLike) and hasattr(value, "to_numpy"):
        return value.to_numpy()
    held = value if isinstance(value, (TensorLike, int, float)) else np.asarray(value)
    return held if isinstance(held, np.ndarray) and held.dtype.kind in "OUS" else as_tensor(value).numpy()


def _arrays(value: Any) -> Any:
    """A structure of tuples and dicts with ndarrays at its leaves; lists are arrays."""
    if isinstance(value, dict):
        return {key: _arrays(each) for key, each in value.items()}
    if isinstance(value, tuple):
        made = [_arrays(each) for each in value]
        return type(value)(*made) if hasattr(value, "_fields") else tuple(made)
    return _array(value)


def _specified(value: Any, specs: Any) -> Any:
    """A value as arrays in the structure and of the dtypes of the specs."""
    if isinstance(specs, dict):
        return {key: _specified(value[key], each) for key, each in specs.items()}
    if isinstance(specs, (list, tuple)):
        if len(value) != len(specs):
            raise ShapeError(f"The generator must give elements of {len(specs)} parts, received {len(value)}.")
        return tuple([_specified(part, each) for part, each in builtins.zip(value, specs, strict=True)])
    made = convert_to_tensor(value, specs.dtype)
    if not specs.is_compatible_with(made):
        raise ShapeError(f"The generator must give elements of shape {specs.shape}, received {tuple(made.shape)}.")
    return made.numpy()


def _tensors(element: Any) -> Any:
    """An element as the outside sees it; what is no number stays an array, and a window a Dataset."""
    if isinstance(element, (tuple, dict)):
        return nest.map_structure(_tensors, element)
    if isinstance(element, Dataset):
        return element
    array = np.asarray(element)
    return Tensor(array.copy()) if array.dtype.kind in "fiub" else element


def _as_dataset(made: Any, name: str) -> Dataset:
    if not isinstance(made, Dataset):
        raise DTypeError(f"The function of `{name}` must give a Dataset, received {made!r}.")
    return made


def _applied(function: Callable[..., Any], element: Any) -> Any:
    given = _tensors(element)
    return function(*given) if isinstance(given, tuple) else function(given)


def _stacked(*parts: Array) -> Array:
    shapes = {np.shape(each) for each in parts}
    if len(shapes) > 1:
        raise ShapeError(f"`batch` needs elements of one shape, received {' and '.join(map(str, sorted(shapes)))}.")
    return np.stack(parts)


def _shuffled(elements: Iterator[Any], size: int, generator: np.random.Generator) -> Iterator[Any]:
    """Each a random one of the next so many."""
    waiting = list(itertools.islice(elements, size))
    for each in elements:
        place = int(generator.integers(size))
        yield waiting[place]
        waiting[place] = each
    for at in generator.permutation(len(waiting)):
        yield waiting[at]


def _need_positive(value: Any, name: str) -> None:
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < 1:
        raise InvalidArgumentError(f"`{name}` must be a positive integer, received {value!r}.")
