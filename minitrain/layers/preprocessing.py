"""Layers that prepare data: scaling, binning, encoding of categories. What they learn from data, `adapt` learns.

`adapt` takes an array, a table, or an iterable of batches of them. Nothing here is trained by gradients.
"""

from __future__ import annotations

import zlib
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from minitrain.engine.convert import as_tensor, to_array, to_dtype
from minitrain.engine.program.record import LOOK_UP
from minitrain.engine.tensor import Tensor, TensorLike
from minitrain.errors import DTypeError, InvalidArgumentError
from minitrain.layers.base import REGISTRY, Layer
from minitrain.ops.elementwise import cast, maximum, sqrt
from minitrain.ops.shaping import reshape

SCALE_FLOOR = 1e-7  # protects the division by the deviation of a constant column


def _batches(data: Any) -> Iterator[Any]:
    """The data as ndarrays: one for an array or a table, one a batch for an iterable of them."""
    if isinstance(data, TensorLike):
        yield data.numpy()
    elif isinstance(data, (np.ndarray, list, tuple)) or hasattr(data, "__array__") or hasattr(data, "to_numpy"):
        yield np.asarray(data)
    elif isinstance(data, Iterable):
        for batch in data:
            yield np.asarray(batch[0] if isinstance(batch, tuple) else batch)
    else:
        raise DTypeError(
            f"`adapt` needs an array, a table or an iterable of batches, received {type(data).__name__!r}."
        )


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
        self.mean = mean
        self.variance = variance
        self.invert = invert

    def _kept(self, ndim: int) -> tuple[int, ...]:
        axes = () if self.axis is None else (self.axis,) if isinstance(self.axis, int) else tuple(self.axis)
        return tuple(sorted(each % ndim for each in axes))

    def build(self, input_shape: Any) -> None:
        ndim = len(input_shape)
        kept = self._kept(ndim)
        self._shape = tuple(input_shape[each] if each in kept else 1 for each in range(ndim))
        size = tuple(input_shape[each] for each in kept)
        if self.mean is None:
            self.adapt_mean = self.add_weight(size, "zeros", trainable=False, name="mean")
            self.adapt_variance = self.add_weight(size, "ones", trainable=False, name="variance")
            self.count = self.add_weight((), "zeros", dtype="int64", trainable=False, name="count")
        self.built = True

    def adapt(self, data: Any) -> None:
        """Learn mean and variance from data, anew."""
        count, total, squares, shape = 0, None, None, ()
        centre: Any = None
        for batch in _batches(data):
            x = np.asarray(batch, np.float64)
            x = x[:, None] if x.ndim == 1 and self.axis is not None else x
            others = tuple(each for each in range(x.ndim) if each not in self._kept(x.ndim))
            if centre is None:  # sums of squares around a first guess lose no digits
                centre, shape = x.mean(others, keepdims=True), x.shape
                total = squares = 0.0
            moved = x - centre
            total = total + moved.sum(others)
            squares = squares + np.square(moved).sum(others)
            count += int(np.prod([x.shape[each] for each in others], dtype=np.int64))
        if not count:
            raise InvalidArgumentError(f"`adapt` of layer '{self.name}' received no data.")
        if self.mean is not None:
            raise InvalidArgumentError(f"Layer '{self.name}' has its mean and variance given: it cannot be adapted.")
        if not self.built:
            self.build((None, *shape[1:]) if 0 not in self._kept(len(shape)) else shape)
        shift = total / count
        self.adapt_mean.assign(np.asarray((shift + centre.reshape(np.shape(shift))), self.dtype))
        self.adapt_variance.assign(np.asarray(squares / count - np.square(shift), self.dtype))
        self.count.assign(np.int64(count))

    def _statistics(self, x: Tensor) -> tuple[Tensor, Tensor]:
        dtype = x._array.dtype
        if self.mean is None:
            shape = (1,) * (x.ndim - len(self._shape)) + self._shape
            mean, variance = reshape(self.adapt_mean, shape), reshape(self.adapt_variance, shape)
        else:
            mean, variance = (np.asarray(each) for each in (self.mean, self.variance))
            if self.axis is not None and mean.ndim == 1:
                shape = tuple(size if each in self._kept(x.ndim) else 1 for each, size in enumerate(x.shape))
                mean, variance = (
                    np.broadcast_to(each, (int(np.prod(shape)),)).reshape(shape) for each in (mean, variance)
                )
            mean, variance = Tensor(mean), Tensor(variance)
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


def encode(indices: Any, size: int, mode: str, dtype: str, weights: Any = None) -> Tensor:
    """Integers as they are ("int"), or as rows of `size`: "one_hot", "multi_hot" or "count" over the last axis."""
    if mode == "int":
        return Tensor(np.asarray(indices, np.int64))
    indices = np.asarray(indices)
    if mode == "one_hot":
        if indices.ndim > 1 and indices.shape[-1] == 1:
            indices = indices[..., 0]
        return Tensor((indices[..., None] == np.arange(size)).astype(dtype))
    rows = np.atleast_1d(indices)
    rows = rows[:, None] if rows.ndim == 1 and mode != "count" and indices.ndim == 0 else rows
    hits = (rows[..., None] == np.arange(size)).astype(np.float64)
    if weights is not None:
        hits = hits * np.asarray(weights)[..., None]
    out = hits.sum(-2)
    return Tensor((out > 0 if mode == "multi_hot" else out).astype(dtype))


MODES = ("int", "one_hot", "multi_hot", "count")


def _mode(mode: str, layer: str) -> str:
    if mode not in MODES:
        raise InvalidArgumentError(f"`output_mode` of {layer} must be one of {MODES}, received {mode!r}.")
    return mode


@REGISTRY.register()
class Discretization(Layer):
    """The number of the bin that each number falls into: boundaries b1 < b2 < ... make bins (-inf, b1), [b1, b2), ...

    `bin_boundaries` are given, or `adapt` learns those that make `num_bins` bins of equal size.
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
        self.num_bins = num_bins
        self.epsilon = epsilon
        self.output_mode = _mode(output_mode, "Discretization")
        self.sparse = sparse

    def adapt(self, data: Any) -> None:
        """Learn the boundaries: the quantiles of the data."""
        if self.num_bins is None:
            raise InvalidArgumentError(f"Layer '{self.name}' has its boundaries given: it cannot be adapted.")
        values = np.concatenate([np.asarray(each, np.float64).reshape(-1) for each in _batches(data)])
        self.bin_boundaries = np.quantile(values, np.arange(1, self.num_bins) / self.num_bins).tolist()

    def call(self, inputs: Any) -> Tensor:
        if self.bin_boundaries is None:
            raise InvalidArgumentError(f"Layer '{self.name}' has no boundaries yet: call `adapt` first.")
        x = looked_up(inputs)
        bins = np.searchsorted(np.asarray(self.bin_boundaries, np.float64), x.astype(np.float64), side="right")
        return encode(bins, len(self.bin_boundaries) + 1, self.output_mode, self.dtype)

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        return config | {"num_bins": None} if config["bin_boundaries"] is not None else config


@REGISTRY.register()
class CategoryEncoding(Layer):
    """Integers below `num_tokens` as rows: "one_hot", "multi_hot" or "count" over the last axis."""

    def __init__(self, num_tokens: int, output_mode: str = "multi_hot", sparse: bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if not isinstance(num_tokens, int) or num_tokens <= 0:
            raise InvalidArgumentError(
                f"`num_tokens` of CategoryEncoding must be a positive integer, received {num_tokens!r}."
            )
        self.num_tokens = num_tokens
        self.output_mode = _mode(output_mode, "CategoryEncoding")
        self.sparse = sparse

    def call(self, inputs: Any, count_weights: Any = None) -> Tensor:
        ids = looked_up(inputs).astype(np.int64)
        if ids.size and (ids.min() < 0 or ids.max() >= self.num_tokens):
            raise InvalidArgumentError(
                f"Layer '{self.name}' expects integers in [0, {self.num_tokens}), received {ids.min()} to {ids.max()}."
            )
        weights = None if count_weights is None else as_tensor(count_weights)._array
        return encode(ids, self.num_tokens, self.output_mode, self.dtype, weights)


class _Lookup(Layer):
    """A table from tokens to integers: an optional mask token, out-of-vocabulary indices, then the vocabulary."""

    _takes_any_input = True

    def __init__(
        self,
        max_tokens: int | None = None,
        num_oov_indices: int = 1,
        mask_token: Any = None,
        oov_token: Any = None,
        vocabulary: Any = None,
        invert: bool = False,
        output_mode: str = "int",
        pad_to_max_tokens: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if num_oov_indices < 0:
            raise InvalidArgumentError(f"`num_oov_indices` must be 0 or more, received {num_oov_indices!r}.")
        if invert and output_mode != "int":
            raise InvalidArgumentError("`output_mode` must be 'int' with `invert`.")
        self.max_tokens = max_tokens
        self.num_oov_indices = num_oov_indices
        self.mask_token = mask_token
        self.oov_token = oov_token
        self.invert = invert
        self.output_mode = _mode(output_mode, type(self).__name__)
        self.pad_to_max_tokens = pad_to_max_tokens
        self.vocabulary: list[Any] | None = None
        if vocabulary is not None:
            self.set_vocabulary(vocabulary)

    def _token(self, value: Any) -> Any:
        raise NotImplementedError  # subclasses do

    def _bucket(self, token: Any) -> int:
        """Which of several out-of-vocabulary indices a token gets."""
        raise NotImplementedError  # subclasses do

    @property
    def _first(self) -> int:
        """The index of the first token of the vocabulary. One-hot rows have no column for the mask."""
        return self.num_oov_indices + (self.mask_token is not None and self.output_mode == "int")

    def set_vocabulary(self, vocabulary: Any) -> None:
        """Replace the vocabulary; special tokens at its beginning are taken for what they are."""
        tokens = [self._token(each) for each in np.asarray(vocabulary).reshape(-1).tolist()]
        specials = ([self.mask_token] if self.mask_token is not None else []) + [self.oov_token] * self.num_oov_indices
        if tokens[: len(specials)] == specials and specials:
            tokens = tokens[len(specials) :]
        if len(set(tokens)) != len(tokens):
            twice = [token for token, times in Counter(tokens).items() if times > 1]
            raise InvalidArgumentError(f"The vocabulary of layer '{self.name}' holds tokens twice: {twice[:5]}.")
        self.vocabulary = tokens
        self._index = {token: place for place, token in enumerate(tokens)}

    def adapt(self, data: Any) -> None:
        """Learn the vocabulary: the tokens in falling frequency, at most max_tokens with the special ones."""
        counts: Counter[Any] = Counter()
        for batch in _batches(data):
            counts.update(self._token(each) for each in batch.reshape(-1).tolist())
        for special in (self.mask_token, self.oov_token):
            counts.pop(special, None)
        ranked = sorted(sorted(counts, reverse=True), key=lambda token: -counts[token])
        room = None if self.max_tokens is None else self.max_tokens - self._first
        self.set_vocabulary(ranked[:room])

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
        return encode(found, size, self.output_mode, self.dtype)


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
        **kwargs: Any,
    ) -> None:
        super().__init__(max_tokens, num_oov_indices, mask_token, oov_token, vocabulary, **kwargs)

    def _token(self, value: Any) -> str:
        return value.decode() if isinstance(value, bytes) else str(value)

    def _bucket(self, token: str) -> int:
        return zlib.crc32(token.encode())


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
        **kwargs: Any,
    ) -> None:
        super().__init__(max_tokens, num_oov_indices, mask_token, oov_token, vocabulary, **kwargs)

    def _token(self, value: Any) -> int:
        return int(value)

    def _bucket(self, token: int) -> int:
        return token
