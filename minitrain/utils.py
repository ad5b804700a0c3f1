"""Keras's utilities: arrays, seeds, data by batches, progress, names of one's own for saved models."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from importlib import import_module
from typing import Any

import numpy as np

from minitrain import nest
from minitrain.config import (
    disable_interactive_logging,
    enable_interactive_logging,
    floatx,
    is_interactive_logging_enabled,
)
from minitrain.configuration import (
    custom_object_scope,
    get_custom_objects,
    register_serializable,
)
from minitrain.data import Dataset
from minitrain.dtypes import as_dtype
from minitrain.engine.convert import as_tensor, convert_to_tensor
from minitrain.engine.symbolic import KerasTensor, reset_names
from minitrain.engine.tensor import TensorLike
from minitrain.errors import DTypeError, InvalidArgumentError
from minitrain.ops.random import set_seed
from minitrain.saving import (
    deserialize_keras_object,
    get_registered_name,
    get_registered_object,
    serialize_keras_object,
)

CustomObjectScope = custom_object_scope
register_keras_serializable = register_serializable

__all__ = [
    "CustomObjectScope",
    "Progbar",
    "PyDataset",
    "Sequence",
    "clear_session",
    "custom_object_scope",
    "deserialize_keras_object",
    "disable_interactive_logging",
    "enable_interactive_logging",
    "get_custom_objects",
    "get_registered_name",
    "get_registered_object",
    "get_source_inputs",
    "is_interactive_logging_enabled",
    "is_keras_tensor",
    "model_to_dot",
    "normalize",
    "pack_x_y_sample_weight",
    "pad_sequences",
    "plot_model",
    "register_keras_serializable",
    "register_serializable",
    "serialize_keras_object",
    "set_random_seed",
    "split_dataset",
    "standardize_dtype",
    "timeseries_dataset_from_array",
    "to_categorical",
    "unpack_x_y_sample_weight",
]


# Keras has these here too. What reads and writes files stands above this module, and is imported where it is named.
_SAVING = ("deserialize_keras_object", "get_registered_name", "get_registered_object", "serialize_keras_object")


def __getattr__(name: str) -> Any:
    if name in _SAVING:
        return getattr(import_module("minitrain.saving"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def to_categorical(x: Any, num_classes: int | None = None) -> Any:
    """One-hot rows for class numbers: (...) or (..., 1) integers to a float array, or Tensor, (..., num_classes).

    `num_classes` is the largest number plus one by default. Raises InvalidArgumentError for a number outside
    [0, num_classes).
    """
    labels = np.asarray(x.numpy() if isinstance(x, TensorLike) else x)
    if labels.dtype.kind == "f" and np.array_equal(labels, np.trunc(labels)):
        labels = labels.astype(np.int64)
    if labels.dtype.kind not in "iub":
        raise DTypeError(f"`to_categorical` needs integers, received dtype {labels.dtype}.")
    if labels.ndim > 1 and labels.shape[-1] == 1:
        labels = labels[..., 0]
    labels = labels.astype(np.int64)
    classes = int(labels.max(initial=-1)) + 1 if num_classes is None else int(num_classes)
    if labels.size and (labels.min() < 0 or labels.max() >= classes):
        wrong = labels[(labels < 0) | (labels >= classes)].flat[0]
        raise InvalidArgumentError(f"Class {wrong} is not in [0, {classes}). Give a larger `num_classes`.")
    made = np.eye(classes)[labels]
    return convert_to_tensor(made, floatx()) if isinstance(x, TensorLike) else made


def normalize(x: Any, axis: int = -1, order: int = 2) -> Any:
    """An array, or a Tensor, divided by its norm of the given order along `axis`; vectors of zeros stay."""
    array = np.asarray(x.numpy() if isinstance(x, TensorLike) else x)
    if array.dtype.kind != "f":
        array = array.astype(np.float64)
    norms = np.atleast_1d(np.linalg.norm(array, order, axis))
    norms[norms == 0] = 1
    made = array / np.expand_dims(norms, axis)
    return convert_to_tensor(made, floatx()) if isinstance(x, TensorLike) else made


def pad_sequences(
    sequences: Any,
    maxlen: int | None = None,
    dtype: Any = "int32",
    padding: str = "pre",
    truncating: str = "pre",
    value: Any = 0.0,
) -> Any:
    """Lists of different lengths as one array (n, maxlen, ...): cut, or filled up with `value`, before or after.

    `maxlen` is the longest's length by default. Raises InvalidArgumentError for what is no list of lists, and for rows
    whose further axes differ.
    """
    for name, given in (("padding", padding), ("truncating", truncating)):
        if given not in ("pre", "post"):
            raise InvalidArgumentError(f"`{name}` must be 'pre' or 'post', received {given!r}.")
    if not hasattr(sequences, "__len__") or not all(hasattr(each, "__len__") for each in sequences):
        raise InvalidArgumentError(f"`sequences` must be a list of iterables, received {sequences!r}.")
    dtype = np.dtype(getattr(dtype, "dtype", dtype))
    if isinstance(value, str) and dtype.kind not in "OU":
        raise InvalidArgumentError(f"`dtype` {dtype} is not compatible with `value` {value!r}: pass `dtype=object`.")
    rows = [np.asarray(each, dtype) for each in sequences]
    size = max(map(len, rows), default=0) if maxlen is None else maxlen
    shapes = {each.shape[1:] for each in rows if len(each)}
    if len(shapes) > 1:
        raise InvalidArgumentError(f"All sequences must have elements of one shape, received {sorted(shapes)}.")
    made = np.full((len(rows), size, *(shapes.pop() if shapes else ())), value, dtype)
    for place, row in enumerate(rows):
        kept = row[max(len(row) - size, 0) :] if truncating == "pre" else row[:size]
        if len(kept):
            at = slice(size - len(kept), None) if padding == "pre" else slice(len(kept))
            made[place, at] = kept
    return made


def clear_session(free_memory: bool = True) -> None:
    """Let default names start from the beginning, as in a fresh process. There is no other state to clear."""
    reset_names()


def standardize_dtype(dtype: Any) -> str:
    """The name of a dtype; `floatx()` for None.

    >>> standardize_dtype(float)
    'float32'
    """
    return "string" if dtype in ("string", str) else floatx() if dtype is None else as_dtype(dtype).name


def is_keras_tensor(x: Any) -> bool:
    """Whether x is symbolic, of a functional model that is being drawn."""
    return isinstance(x, KerasTensor)


def get_source_inputs(tensor: Any) -> list[Any]:
    """The symbolic inputs that a symbolic tensor is computed from, in the order in which they are met."""
    found: dict[int, Any] = {}
    waiting, seen = [tensor], set()
    while waiting:
        each = waiting.pop()
        if id(each) in seen:
            continue
        seen.add(id(each))
        before = [] if each.node is None else each.node.inputs
        if before:
            waiting += reversed(before)
        else:
            found[id(each)] = each
    return list(found.values())


def plot_model(model: Any, *args: Any, **kwargs: Any) -> None:
    """Not here: it needs Graphviz. Raises ImportError with what shows the same, `model.summary()`."""
    raise ImportError("minitrain draws no graphs: `plot_model` needs Graphviz. `model.summary()` lists the layers.")


model_to_dot = plot_model


def unpack_x_y_sample_weight(data: Any) -> tuple[Any, Any, Any]:
    """A batch as (x, y, sample_weight), with None for what it lacks."""
    parts = tuple(data) if isinstance(data, (tuple, list)) else (data,)
    if not 1 <= len(parts) <= 3:
        raise InvalidArgumentError(f"A batch is (x,), (x, y) or (x, y, sample_weight), received {len(parts)} parts.")
    x, y, weight = (*parts, None, None)[:3]
    return x, y, weight


def pack_x_y_sample_weight(x: Any, y: Any = None, sample_weight: Any = None) -> Any:
    """The other way round: without what is None at the end."""
    if y is None:
        return (x,) if isinstance(x, (tuple, list)) else x
    return (x, y) if sample_weight is None else (x, y, sample_weight)


def set_random_seed(seed: int) -> None:
    """Seed minitrain's streams, and Python's and NumPy's global ones beside them."""
    import random  # a millisecond or two that only this function needs

    set_seed(seed)
    random.seed(seed)
    np.random.seed(seed)


def split_dataset(
    dataset: Any,
    left_size: Any = None,
    right_size: Any = None,
    shuffle: bool = False,
    seed: int | None = None,
    preferred_backend: Any = None,
) -> tuple[Any, Any]:
    """The rows of an array, of a tuple or dict of arrays, or the elements of a Dataset, as two Datasets.

    A size is a share of the rows, between 0 and 1, or their number; one of the two may be left out. `shuffle`: in
    random order, by `seed`. `preferred_backend` is taken for Keras's sake. Raises InvalidArgumentError for sizes that
    the rows do not fill.
    """
    if isinstance(dataset, Dataset):
        elements = list(dataset.as_numpy_iterator())
        dataset = nest.map_structure(lambda *parts: np.stack(parts), *elements)
    elif isinstance(dataset, list):
        dataset = tuple(dataset)
    leaves = nest.flatten(dataset)
    rows = len(leaves[0])
    if any(len(each) != rows for each in leaves):
        raise InvalidArgumentError(f"All arrays need the same number of rows, received {[len(x) for x in leaves]}.")
    if left_size is None and right_size is None:
        raise InvalidArgumentError("Give `left_size`, `right_size` or both.")
    left, right = _count_of(left_size, rows, "left_size"), _count_of(right_size, rows, "right_size")
    left = rows - right if left is None else left
    right = rows - left if right is None else right
    if left <= 0 or right <= 0 or left + right > rows:
        raise InvalidArgumentError(
            f"`left_size` {left_size} and `right_size` {right_size} of {rows} rows leave a side empty, or take more "
            "than there are."
        )
    order = np.random.default_rng(seed).permutation(rows) if shuffle else np.arange(rows)

    def rows_at(places: Any) -> Any:
        return Dataset.from_tensor_slices(nest.map_structure(lambda each: np.asarray(each)[places], dataset))

    return rows_at(order[:left]), rows_at(order[left : left + right])


def _count_of(size: Any, rows: int, name: str) -> int | None:
    if size is None:
        return None
    if isinstance(size, float) and 0 <= size <= 1:
        return round(size * rows)
    wrong = f"`{name}` must be a share between 0 and 1 or a number of rows, received {size!r}."
    if isinstance(size, bool) or not isinstance(size, (int, float, np.integer)):
        raise DTypeError(wrong)
    if isinstance(size, float) or size < 0:
        raise InvalidArgumentError(wrong)
    return int(size)


def timeseries_dataset_from_array(
    data: Any,
    targets: Any,
    sequence_length: int,
    sequence_stride: int = 1,
    sampling_rate: int = 1,
    batch_size: int | None = 128,
    shuffle: bool = False,
    seed: int | None = None,
    start_index: int | None = None,
    end_index: int | None = None,
    format: str = "tf",
) -> Dataset:
    """Windows over the rows of an array as a Dataset: (steps, ...) to batches (batch, sequence_length, ...).

    A window begins at every `sequence_stride`-th row between `start_index` and `end_index`, and takes every
    `sampling_rate`-th row from there. Beside it stands the row of `targets` where it begins; None for windows alone.
    `batch_size=None`: one window at a time. `shuffle`: in random order, by `seed`. `format`, "tf" or "grain", is taken
    for Keras's sake. Raises InvalidArgumentError for counts and places that the data do not have.
    """
    if format not in ("tf", "grain"):
        raise InvalidArgumentError(f"`format` must be 'tf' or 'grain', which are the same here, received {format!r}.")
    array, wanted = _rows(data), None if targets is None else _rows(targets)
    rows = len(array)
    start, end = start_index or 0, rows if end_index is None else end_index
    if not 0 <= start < end <= rows:
        raise InvalidArgumentError(
            f"`start_index` and `end_index` must be places in {rows} rows, the second behind the first, received "
            f"{start_index} and {end_index}."
        )
    counts = {"sequence_length": sequence_length, "sequence_stride": sequence_stride, "sampling_rate": sampling_rate}
    for name, value in counts.items():
        if not 0 < value <= rows:
            raise InvalidArgumentError(f"`{name}` must be positive and at most the {rows} rows, received {value}.")
    span = (sequence_length - 1) * sampling_rate + 1
    if span > end - start:
        raise InvalidArgumentError(f"A window takes {span} rows, and there are {end - start} of them.")
    # A view: windows are copied a batch at a time.
    windows = np.moveaxis(np.lib.stride_tricks.sliding_window_view(array[start:end], span, axis=0), -1, 1)
    windows = windows[: None if wanted is None else len(wanted) : sequence_stride, ::sampling_rate]
    parts: Any = windows
    if wanted is not None:
        parts = windows, wanted[start:end:sequence_stride][: len(windows)]
    dataset = Dataset.from_tensor_slices(parts)
    dataset = dataset.shuffle(len(windows), seed) if shuffle else dataset
    return dataset if batch_size is None else dataset.batch(batch_size)


def _rows(value: Any) -> Any:
    return np.asarray(value) if hasattr(value, "__array__") else as_tensor(value).numpy()


class PyDataset:
    """Batches by number, for `fit`: users' own define `__len__` and `__getitem__`, and `on_epoch_end` if they like.

    In the place of `__len__` may stand a property `num_batches`: None for batches without an end.
    The arguments are taken for Keras's sake: batches are made in this process, when they are needed.
    """

    def __init__(self, workers: int = 1, use_multiprocessing: bool = False, max_queue_size: int = 10) -> None:
        self.workers = workers
        self.use_multiprocessing = use_multiprocessing
        self.max_queue_size = max_queue_size

    @property
    def num_batches(self) -> int | None:
        """How many batches there are; None for no end."""
        if hasattr(self, "__len__"):
            return len(self)
        raise NotImplementedError(f"{type(self).__name__} must define __len__, or a property num_batches.")

    def __getitem__(self, index: int) -> Any:
        """The batch of this number: (x, y) or (x, y, sample_weight)."""
        raise NotImplementedError(f"{type(self).__name__} must define __getitem__(self, index).")

    def __iter__(self) -> Iterator[Any]:
        size = self.num_batches
        return (self[place] for place in (itertools.count() if size is None else range(size)))

    def on_epoch_begin(self) -> None:
        """Called before the first batch is asked for."""

    def on_epoch_end(self) -> None:
        """Called when all batches have been given."""


Sequence = PyDataset


class Progbar:
    """Keras's progress bar for loops of one's own, drawn by tqdm: `add(n, values)` or `update(current, values)`.

    `values`: pairs of name and value, which are averaged, or shown as they are for the names in `stateful_metrics`.
    """

    def __init__(
        self,
        target: int | None,
        width: int = 20,
        verbose: int = 1,
        interval: float = 0.05,
        stateful_metrics: Any = None,
        unit_name: str = "step",
    ) -> None:
        from tqdm.auto import tqdm

        self.target = target
        self.width = width
        self.verbose = verbose
        self.interval = interval
        self.stateful_metrics = set(stateful_metrics or ())
        self._sums: dict[str, tuple[float, float]] = {}
        self._seen = 0
        self._bar = tqdm(total=target, mininterval=interval, unit=unit_name, disable=verbose == 0)

    def update(self, current: int, values: Any = None, finalize: bool | None = None) -> None:
        """Move to `current` steps; the bar is closed at `target`, or when `finalize` says so."""
        steps = current - self._seen
        for name, value in values or ():
            total, count = self._sums.get(name, (0.0, 0.0))
            number = float(np.mean(value.numpy() if isinstance(value, TensorLike) else value))
            is_stateful = name in self.stateful_metrics
            weight = max(steps, 1)
            self._sums[name] = (number, 1.0) if is_stateful else (total + number * weight, count + weight)
        self._bar.set_postfix({name: f"{total / count:.4g}" for name, (total, count) in self._sums.items()})
        self._bar.update(steps)
        self._seen = current
        if finalize or (finalize is None and self.target is not None and current >= self.target):
            self._bar.close()

    def add(self, n: int, values: Any = None) -> None:
        """Move on by n steps."""
        self.update(self._seen + n, values)
