"""Layers that prepare data: scaling, binning, encoding of categories. What they learn from data, `adapt` learns.

`adapt` takes an array, a table, or an iterable of batches of them. Nothing here is trained by gradients.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import islice
from math import prod
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from minitrain.configuration import serialize
from minitrain.engine.convert import as_tensor, to_array, to_dtype
from minitrain.engine.program.record import LOOK_UP
from minitrain.engine.symbolic import KerasTensor
from minitrain.engine.tensor import Tensor, TensorLike
from minitrain.errors import DTypeError, InvalidArgumentError, ShapeError
from minitrain.layers.base import REGISTRY, Layer
from minitrain.layers.fingerprints import fingerprint
from minitrain.nest import as_list
from minitrain.ops.elementwise import cast, maximum, sqrt
from minitrain.ops.shaping import reshape

SCALE_FLOOR = 1e-7  # protects the division by the deviation of a constant column


def _batches(data: Any, steps: int | None = None) -> Iterator[Any]:
    """The data as ndarrays: one for an array or a table, one a batch for an iterable of them, at most `steps`.

    A list of arrays of more than one axis, or of tuples that begin with one, is an iterable of batches too.
    """
    if isinstance(data, TensorLike):
        yield data.numpy()
    elif isinstance(data, (list, tuple)) and any(_is_batch(each) for each in data):
        yield from _batches(iter(data), steps)
    elif isinstance(data, (np.ndarray, list, tuple)) or hasattr(data, "__array__") or hasattr(data, "to_numpy"):
        yield np.asarray(data)
    elif isinstance(data, Iterable):
        for batch in islice(data, steps):
            yield np.asarray(batch[0] if isinstance(batch, tuple) else batch)
    else:
        raise DTypeError(
            f"`adapt` needs an array, a table or an iterable of batches, received {type(data).__name__!r}."
        )


def _is_batch(value: Any) -> bool:
    first = value[0] if isinstance(value, tuple) and value else value
    return isinstance(first, (np.ndarray, TensorLike)) and first.ndim > 1


@REGISTRY.register()
class Rescaling(Layer):
    """x * scale + offset"""

    supports_masking = True

    def __init__(self, scale: Any, offset: Any = 0.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.scale = scale
        self.offset = offset

    def call(self, inputs: Any) -> Tensor:
        x = as_tensor(inputs)
        x = x if x.dtype.is_floating else cast(x, self.dtype)
        return x * to_array(self.scale, x._array.dtype) + to_array(self.offset, x._array.dtype)


@REGISTRY.register()
class Normalization(Layer):
    """(x - mean) / deviation along `axis`, or with `invert` x * deviation + mean.

    Mean and variance are given, or learned by `adapt`. `axis`: the axes that keep statistics of their own; None for
    one mean and one variance of all numbers.
    """

    supports_masking = True

    def __init__(
        self, axis: Any = -1, mean: Any = None, variance: Any = None, invert: bool = False, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        if (mean is None) != (variance is None):
            raise InvalidArgumentError("`mean` and `variance` of Normalization must be given together, or neither.")
        self.axis = list(axis) if isinstance(axis, tuple) else axis
        self.input_mean = mean
        self.input_variance = variance
        self.invert = invert

    @property
    def mean(self) -> Any:
        """The mean, with an axis of size 1 for each that it is of; None before it is known."""
        return self._known("mean")

    @property
    def variance(self) -> Any:
        """The variance, as `mean`."""
        return self._known("variance")

    def _known(self, name: str) -> Any:
        if not self.built:
            return None
        given = getattr(self, f"input_{name}")
        if given is None:
            return reshape(getattr(self, f"adapt_{name}"), self._shape)
        return Tensor(self._spread(np.asarray(given, self.dtype), self._shape))

    def _spread(self, given: Any, shape: tuple[int, ...]) -> Any:
        """A mean or variance that was given over the axes that are kept, aligned at the last, as in Keras."""
        size = tuple(shape[each] for each in self._kept(len(shape)))
        values = np.asarray(given)
        values = values.reshape(size) if values.size == prod(size) else np.broadcast_to(values, size)
        return values.reshape(shape)

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {"mean": serialize(self.input_mean), "variance": serialize(self.input_variance)}

    def _kept(self, ndim: int) -> tuple[int, ...]:
        axes = () if self.axis is None else (self.axis,) if isinstance(self.axis, int) else tuple(self.axis)
        return tuple(sorted(each % ndim for each in axes))

    def build(self, input_shape: Any) -> None:
        ndim = len(input_shape)
        axes = as_list(self.axis)
        if any(not -ndim <= each < ndim for each in axes):
            raise InvalidArgumentError(f"`axis` of layer '{self.name}' must lie in [{-ndim}, {ndim}), received {axes}.")
        kept = self._kept(ndim)
        if any(input_shape[each] is None for each in kept):
            raise ShapeError(f"Layer '{self.name}' needs known sizes on its axes {list(kept)}, received {input_shape}.")
        self._shape = tuple(input_shape[each] if each in kept else 1 for each in range(ndim))
        size = tuple(input_shape[each] for each in kept)
        if self.input_mean is not None:
            try:
                for each in (self.input_mean, self.input_variance):
                    self._spread(each, self._shape)
            except ValueError as error:
                raise ShapeError(
                    f"Layer '{self.name}' has mean and variance of shapes {np.shape(self.input_mean)} and "
                    f"{np.shape(self.input_variance)} for inputs of shape {tuple(input_shape)}, which need {size}."
                ) from error
        else:
            self.adapt_mean = self.add_weight(size, "zeros", trainable=False, name="mean")
            self.adapt_variance = self.add_weight(size, "ones", trainable=False, name="variance")
            self.count = self.add_weight((), "zeros", dtype="int64", trainable=False, name="count")
        self.built = True

    def adapt(self, data: Any) -> None:
        """Learn mean and variance from data, anew; of the sizes that the layer is built for, where it is built."""
        count, total, squares, shape = 0, None, None, ()
        centre: Any = None
        for batch in _batches(data):
            x = np.asarray(batch, np.float64)
            x = x[:, None] if x.ndim == 1 and self.axis is not None else x
            kept = self._kept(x.ndim)
            expected = shape or (self._shape if self.built else ())
            if expected and (len(expected) != x.ndim or any(x.shape[each] != expected[each] for each in kept)):
                raise ShapeError(
                    f"`adapt` of layer '{self.name}' received a batch of the incompatible shape {x.shape}: expected "
                    f"{tuple(size if each in kept else None for each, size in enumerate(expected))}."
                )
            others = tuple(each for each in range(x.ndim) if each not in kept)
            if centre is None:  # sums of squares around a first guess lose no digits
                centre, shape = x.mean(others, keepdims=True), x.shape
                total = squares = 0.0
            moved = x - centre
            total = total + moved.sum(others)
            squares = squares + np.square(moved).sum(others)
            count += int(np.prod([x.shape[each] for each in others], dtype=np.int64))
        if not count:
            raise InvalidArgumentError(f"`adapt` of layer '{self.name}' received no data.")
        if self.input_mean is not None:
            raise InvalidArgumentError(f"Layer '{self.name}' has its mean and variance given: it cannot be adapted.")
        if not self.built:
            self.build((None, *shape[1:]) if 0 not in self._kept(len(shape)) else shape)
        shift = total / count
        self.adapt_mean.assign(np.asarray((shift + centre.reshape(np.shape(shift))), self.dtype))
        self.adapt_variance.assign(np.asarray(squares / count - np.square(shift), self.dtype))
        self.count.assign(np.int64(count))

    def _statistics(self, x: Tensor) -> tuple[Tensor, Tensor]:
        dtype = x._array.dtype
        if self.input_mean is None:
            shape = (1,) * (x.ndim - len(self._shape)) + self._shape
            mean, variance = reshape(self.adapt_mean, shape), reshape(self.adapt_variance, shape)
        else:
            kept = self._kept(x.ndim)
            shape = tuple(size if each in kept else 1 for each, size in enumerate(x.shape))
            mean, variance = (Tensor(self._spread(each, shape)) for each in (self.input_mean, self.input_variance))
        return to_dtype(mean, dtype), to_dtype(maximum(sqrt(variance), SCALE_FLOOR), dtype)

    def call(self, inputs: Any) -> Tensor:
        x = as_tensor(inputs)
        x = x if x.dtype.is_floating else cast(x, self.dtype)
        if x.ndim == 1 and self.axis is not None:
            x = reshape(x, (-1, 1))
        mean, deviation = self._statistics(x)
        return x * deviation + mean if self.invert else (x - mean) / deviation


def looked_up(inputs: Any) -> Any:
    """The values of inputs that are looked up outside the tape, which a program cannot replay."""
    x = as_tensor(inputs)
    x._leave(LOOK_UP)
    return x._array


def encode(indices: Any, size: int, mode: str, dtype: str, weights: Any = None, idf: Any = None) -> Tensor:
    """Integers as they are ("int"), or as rows of `size`: see OUTPUT_MODES.

    "one_hot" is a row for each integer; "multi_hot", "count" and "tf_idf", the count times `idf`, are one for each
    sample, over axis 1 alone where there are more, as in Keras. `weights`: what each integer counts for.
    """
    if mode == "int":
        return Tensor(np.asarray(indices, dtype))
    rows = np.atleast_1d(indices)
    if mode == "one_hot":
        if rows.ndim > 1 and rows.shape[-1] == 1:
            rows = rows[..., 0]
        return Tensor((rows[..., None] == np.arange(size)).astype(dtype))
    hits = (rows[..., None] == np.arange(size)).astype(np.float64)
    if weights is not None:
        hits = hits * np.asarray(weights)[..., None]
    out = hits.sum(min(rows.ndim - 1, 1))
    if mode == "tf_idf":
        out *= np.pad(idf, (0, size - len(idf)))
    return Tensor((out > 0 if mode == "multi_hot" else out).astype(dtype))


def encoded_shape(shape: Any, size: int, mode: str) -> tuple[int | None, ...]:
    """The shape of what `encode` makes of integers of a shape."""
    shape = tuple(shape)
    if mode == "int":
        return shape
    if mode == "one_hot":
        return (*(shape[:-1] if len(shape) > 1 and shape[-1] == 1 else shape), size)
    return (*shape[:1], *shape[2:], size) if len(shape) > 1 else (size,)


OUTPUT_MODES = ("int", "one_hot", "multi_hot", "count")


def output_mode_of(mode: str, layer: str, modes: tuple[str, ...] = OUTPUT_MODES) -> str:
    """The mode, where it is among those that a layer has."""
    if mode not in modes:
        raise InvalidArgumentError(f"`output_mode` of {layer} must be one of {modes}, received {mode!r}.")
    return mode


def _summary(values: Any, epsilon: float) -> Any:
    """Values, in order, and what each stands for, a fraction `epsilon` of them at least: (2, k)"""
    ordered = np.sort(np.asarray(values, np.float32).reshape(-1))
    share = ordered.size * epsilon
    kept = ordered[max(int(share) - 1, 0) :: max(int(share), 1)].astype(np.float64)
    return np.stack([kept, np.full_like(kept, max(share, 1.0))])


def _compressed(summary: Any, epsilon: float) -> Any:
    """A summary of at most 1 / epsilon values, by interpolation between the quantiles."""
    if summary.shape[1] * epsilon < 1:
        return summary
    total = summary[1].cumsum()
    at = epsilon + np.arange(0.0, 1.0, epsilon)
    values, sums = (np.interp(at, total / total[-1], each) for each in (summary[0], total))
    return np.stack([values, np.diff(sums, prepend=0.0)])


@REGISTRY.register()
class Discretization(Layer):
    """The number of the bin that each number falls into: boundaries b1 < b2 < ... make bins (-inf, b1), [b1, b2), ...

    `bin_boundaries` are given, or `adapt` learns those that make `num_bins` bins of about equal size, from at most
    1 / `epsilon` quantiles of the data.
    """

    def __init__(
        self,
        bin_boundaries: Any = None,
        num_bins: int | None = None,
        epsilon: float = 0.01,
        output_mode: str = "int",
        sparse: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if (bin_boundaries is None) == (num_bins is None):
            raise InvalidArgumentError("Discretization needs either `bin_boundaries` or `num_bins`.")
        self.bin_boundaries = None if bin_boundaries is None else [float(each) for each in bin_boundaries]
        if self.bin_boundaries is not None and sorted(self.bin_boundaries) != self.bin_boundaries:
            raise InvalidArgumentError(f"`bin_boundaries` must be sorted, received {self.bin_boundaries}.")
        self.num_bins = num_bins
        self.epsilon = epsilon
        if num_bins is not None and num_bins < 0:
            raise InvalidArgumentError(f"`num_bins` of Discretization must be 0 or more, received {num_bins!r}.")
        self.output_mode = output_mode_of(output_mode, "Discretization")
        self.sparse = sparse

    def adapt(self, data: Any, steps: int | None = None) -> None:
        """Learn the boundaries: the quantiles of the data, of at most `steps` batches of an iterable."""
        if self.num_bins is None:
            raise InvalidArgumentError(f"Layer '{self.name}' has its boundaries given: it cannot be adapted.")
        summary = np.empty((2, 0))
        for batch in _batches(data, steps):
            both = np.concatenate([summary, _summary(batch, self.epsilon)], axis=1)
            summary = _compressed(both[:, both[0].argsort(kind="stable")], self.epsilon)
        if not summary.size:
            raise InvalidArgumentError(f"`adapt` of layer '{self.name}' received no data.")
        self.bin_boundaries = _compressed(summary, 1.0 / self.num_bins)[0, :-1].tolist()

    def call(self, inputs: Any) -> Tensor:
        if self.bin_boundaries is None:
            raise InvalidArgumentError(f"Layer '{self.name}' has no boundaries yet: call `adapt` first.")
        x = looked_up(inputs)
        bins = np.searchsorted(np.asarray(self.bin_boundaries, np.float64), x.astype(np.float64), side="right")
        return encode(bins, self._bins, self.output_mode, self._output_dtype)

    @property
    def _bins(self) -> int:
        return (self.num_bins or 0) if self.bin_boundaries is None else len(self.bin_boundaries) + 1

    @property
    def _output_dtype(self) -> str:
        return "int32" if self.output_mode == "int" else self.dtype

    def compute_output_shape(self, input_shape: Any) -> Any:
        return encoded_shape(input_shape, self._bins, self.output_mode)

    def compute_output_spec(self, inputs: Any) -> Any:  # known before `adapt`
        return KerasTensor(self.compute_output_shape(inputs.shape), self._output_dtype)

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        return config | {"num_bins": None} if config["bin_boundaries"] is not None else config


@REGISTRY.register()
class CategoryEncoding(Layer):
    """Integers below `num_tokens` as rows: "one_hot", "multi_hot" or "count" over the last axis."""

    def __init__(
        self, num_tokens: int | None = None, output_mode: str = "multi_hot", sparse: bool = False, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        if not isinstance(num_tokens, int) or num_tokens <= 0:
            raise InvalidArgumentError(
                f"`num_tokens` of CategoryEncoding must be a positive integer, received {num_tokens!r}."
            )
        self.num_tokens = num_tokens
        self.output_mode = output_mode_of(output_mode, "CategoryEncoding", OUTPUT_MODES[1:])
        self.sparse = sparse

    def call(self, inputs: Any, count_weights: Any = None) -> Tensor:
        ids = looked_up(inputs).astype(np.int64)
        if ids.size and (ids.min() < 0 or ids.max() >= self.num_tokens):
            raise InvalidArgumentError(
                f"Layer '{self.name}' expects integers in [0, {self.num_tokens}), received {ids.min()} to {ids.max()}."
            )
        if count_weights is not None and self.output_mode != "count":
            raise InvalidArgumentError(
                f"Layer '{self.name}' takes `count_weights` with output_mode='count' alone, not {self.output_mode!r}."
            )
        weights = None if count_weights is None else as_tensor(count_weights)._array
        return encode(ids, self.num_tokens, self.output_mode, self.dtype, weights)


class _Lookup(Layer):
    """A table from tokens to integers: an optional mask token, out-of-vocabulary indices, then the vocabulary.

    `vocabulary`: the tokens, or the name of a text file with one a line. `output_mode` "tf_idf" gives counts times
    `idf_weights`, one for each token, which `adapt` learns; a token outside the vocabulary has their mean.
    """

    _takes_any_input = True

    def __init__(
        self,
        max_tokens: int | None,
        num_oov_indices: int,
        mask_token: Any,
        oov_token: Any,
        vocabulary: Any,
        idf_weights: Any,
        invert: bool,
        output_mode: str,
        pad_to_max_tokens: bool,
        sparse: bool,
        **kwargs: Any,
    ) -> None:
        kind = type(self).__name__
        self.output_mode = output_mode_of(output_mode, kind, (*OUTPUT_MODES, "tf_idf"))
        kwargs["dtype"] = None if output_mode == "tf_idf" else "int64"
        super().__init__(**kwargs)
        if max_tokens is not None and max_tokens <= 1:
            raise InvalidArgumentError(f"`max_tokens` of {kind} must be above 1, received {max_tokens!r}.")
        if num_oov_indices < 0:
            raise InvalidArgumentError(f"`num_oov_indices` must be 0 or more, received {num_oov_indices!r}.")
        if invert and output_mode != "int":
            raise InvalidArgumentError("`output_mode` must be 'int' with `invert`.")
        if sparse:
            raise InvalidArgumentError(f"`sparse` of {kind} must be False: there are no sparse tensors here.")
        if pad_to_max_tokens and max_tokens is None:
            raise InvalidArgumentError(f"`pad_to_max_tokens` of {kind} needs `max_tokens`.")
        self.max_tokens = max_tokens
        self.num_oov_indices = num_oov_indices
        self.mask_token = mask_token
        self.oov_token = oov_token
        self.invert = invert
        self.sparse = sparse
        self.pad_to_max_tokens = pad_to_max_tokens
        self.vocabulary: list[Any] | None = None
        self.idf_weights: list[float] | None = None
        if vocabulary is not None:
            self.set_vocabulary(vocabulary, idf_weights)

    def _token(self, value: Any) -> Any:
        raise NotImplementedError  # subclasses do

    def _bucket(self, token: Any) -> int:
        """Which of several out-of-vocabulary indices a token gets."""
        raise NotImplementedError  # subclasses do

    @property
    def _first(self) -> int:
        """The index of the first token of the vocabulary. One-hot rows have no column for the mask."""
        return self.num_oov_indices + (self.mask_token is not None and self.output_mode == "int")

    def set_vocabulary(self, vocabulary: Any, idf_weights: Any = None) -> None:
        """Replace the vocabulary; special tokens at its beginning are taken for what they are."""
        if isinstance(vocabulary, (str, PathLike)):
            vocabulary = _lines(vocabulary)
        if (idf_weights is not None) != (self.output_mode == "tf_idf"):
            raise InvalidArgumentError(
                f"Layer '{self.name}' needs `idf_weights` with output_mode='tf_idf', and with no other: its mode is "
                f"{self.output_mode!r}, received {idf_weights!r}."
            )
        tokens = [self._token(each) for each in np.asarray(vocabulary).reshape(-1).tolist()]
        weights = None if idf_weights is None else np.asarray(idf_weights, np.float64).tolist()
        if not tokens:
            raise InvalidArgumentError(f"The vocabulary of layer '{self.name}' must not be empty.")
        if weights is not None and len(weights) != len(tokens):
            raise InvalidArgumentError(f"Expected {len(tokens)} `idf_weights`, received {len(weights)}.")
        specials = ([self.mask_token] if self.mask_token is not None else []) + [self.oov_token] * self.num_oov_indices
        if tokens[: len(specials)] == specials and specials:
            tokens = tokens[len(specials) :]
            weights = None if weights is None else weights[len(specials) :]
        if self.mask_token is not None and self.mask_token in tokens:
            raise InvalidArgumentError(
                f"The mask token {self.mask_token!r} stands within the vocabulary of layer '{self.name}'. Leave it "
                "out, or begin the vocabulary with all special tokens."
            )
        self._keep(tokens, weights)

    def _keep(self, tokens: list[Any], weights: list[float] | None) -> None:
        if len(set(tokens)) != len(tokens):
            twice = [token for token, times in Counter(tokens).items() if times > 1]
            raise InvalidArgumentError(f"The vocabulary of layer '{self.name}' holds tokens twice: {twice[:5]}.")
        if self.max_tokens is not None and self._first + len(tokens) > self.max_tokens:
            raise InvalidArgumentError(
                f"The vocabulary of layer '{self.name}' has {self._first + len(tokens)} tokens, special ones included, "
                f"more than `max_tokens`, {self.max_tokens}."
            )
        self.vocabulary = tokens
        self.idf_weights = weights
        self._index = {token: place for place, token in enumerate(tokens)}

    def adapt(self, data: Any, steps: int | None = None) -> None:
        """Learn the vocabulary: the tokens in falling frequency, at most max_tokens with the special ones.

        The rows of the data are documents, and the elements of a vector. `steps`: how many batches of an iterable.
        """
        counts: Counter[Any] = Counter()
        holding: Counter[Any] = Counter()  # in how many documents, rows of the data, a token stands
        documents = 0
        for batch in _batches(data, steps):
            held = batch[:, None] if batch.ndim == 1 else np.atleast_2d(batch)
            rows = [[self._token(each) for each in row.reshape(-1).tolist()] for row in held]
            documents += len(rows)
            for row in rows:
                counts.update(row)
                holding.update(set(row))
        for special in (self.mask_token, self.oov_token):
            counts.pop(special, None)
        ranked = sorted(sorted(counts, reverse=True), key=lambda token: -counts[token])
        ranked = ranked[: None if self.max_tokens is None else self.max_tokens - self._first]
        idf = [float(np.log1p(documents / (1 + holding[each]))) for each in ranked]
        self._keep(ranked, idf if self.output_mode == "tf_idf" else None)

    def get_vocabulary(self, include_special_tokens: bool = True) -> list[Any]:
        """The tokens in the order of their indices."""
        tokens = list(self.vocabulary or [])
        if not include_special_tokens:
            return tokens
        mask = [self.mask_token] if self.mask_token is not None and self.output_mode == "int" else []
        return mask + [self.oov_token] * self.num_oov_indices + tokens

    def vocabulary_size(self) -> int:
        """The number of indices, special ones included."""
        return self._first + len(self.vocabulary or ())

    def _lookup(self, value: Any) -> int:
        token = self._token(value)
        if self.mask_token is not None and token == self.mask_token:
            return 0 if self.output_mode == "int" else -1
        place = self._index.get(token)
        if place is not None:
            return self._first + place
        if not self.num_oov_indices:
            raise InvalidArgumentError(
                f"Layer '{self.name}' does not know {value!r}, and `num_oov_indices` is 0. Give it one, or `adapt` to "
                "more data."
            )
        return self._first - self.num_oov_indices + self._bucket(token) % self.num_oov_indices

    def call(self, inputs: Any) -> Any:
        if self.vocabulary is None:
            raise InvalidArgumentError(
                f"Layer '{self.name}' has no vocabulary yet: call `adapt`, or give `vocabulary`."
            )
        values = looked_up(inputs) if isinstance(inputs, TensorLike) else np.asarray(inputs)
        if self.invert:
            tokens = self.get_vocabulary()
            known = [
                tokens[each] if 0 <= each < len(tokens) else self.oov_token for each in values.reshape(-1).tolist()
            ]
            return np.array(known).reshape(values.shape)
        found = np.array([self._lookup(each) for each in values.reshape(-1).tolist()], np.int64).reshape(values.shape)
        size = self.max_tokens if self.pad_to_max_tokens and self.max_tokens else self.vocabulary_size()
        weights = self.idf_weights or []
        idf = [float(np.mean(weights or [0.0]))] * self.num_oov_indices + weights
        return encode(found, size, self.output_mode, self.dtype, idf=idf)


def _lines(path: Any) -> list[str]:
    try:
        return Path(path).read_text(encoding="utf-8").splitlines()
    except FileNotFoundError as error:
        raise InvalidArgumentError(f"There is no vocabulary file {str(path)!r}.") from error


@REGISTRY.register()
class StringLookup(_Lookup):
    """Strings to integers: index 0 is what is not in the vocabulary, unless `num_oov_indices` says otherwise."""

    def __init__(
        self,
        max_tokens: int | None = None,
        num_oov_indices: int = 1,
        mask_token: str | None = None,
        oov_token: str = "[UNK]",
        vocabulary: Any = None,
        idf_weights: Any = None,
        invert: bool = False,
        output_mode: str = "int",
        pad_to_max_tokens: bool = False,
        sparse: bool = False,
        encoding: str = "utf-8",
        **kwargs: Any,
    ) -> None:
        super().__init__(
            max_tokens,
            num_oov_indices,
            mask_token,
            oov_token,
            vocabulary,
            idf_weights,
            invert,
            output_mode,
            pad_to_max_tokens,
            sparse,
            **kwargs,
        )
        self.encoding = encoding

    def _token(self, value: Any) -> str:
        return value.decode() if isinstance(value, bytes) else str(value)

    def _bucket(self, token: str) -> int:
        return fingerprint(token.encode())


@REGISTRY.register()
class IntegerLookup(_Lookup):
    """Integers to integers: index 0 is what is not in the vocabulary, unless `num_oov_indices` says otherwise."""

    def __init__(
        self,
        max_tokens: int | None = None,
        num_oov_indices: int = 1,
        mask_token: int | None = None,
        oov_token: int = -1,
        vocabulary: Any = None,
        vocabulary_dtype: str = "int64",
        idf_weights: Any = None,
        invert: bool = False,
        output_mode: str = "int",
        sparse: bool = False,
        pad_to_max_tokens: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            max_tokens,
            num_oov_indices,
            mask_token,
            oov_token,
            vocabulary,
            idf_weights,
            invert,
            output_mode,
            pad_to_max_tokens,
            sparse,
            **kwargs,
        )
        if vocabulary_dtype not in ("int32", "int64"):
            raise InvalidArgumentError(f"`vocabulary_dtype` must be 'int64' or 'int32', received {vocabulary_dtype!r}.")
        self.vocabulary_dtype = vocabulary_dtype

    def _token(self, value: Any) -> int:
        return int(value)

    def _bucket(self, token: int) -> int:
        return token
