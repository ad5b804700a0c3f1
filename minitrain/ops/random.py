"""Random tensors from seeded streams. The same seed gives the same numbers on every run.

Drawing is an operation: a mask is drawn, then multiplied, so that the backward pass uses the same mask. Functions
draw from the global stream, which `set_seed` starts anew, or, with `seed=`, from a stream of that seed's own.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property, wraps
from typing import Any

import numpy as np

from minitrain import nest
from minitrain.dtypes import as_dtype, float32, int32, int64, uint64
from minitrain.engine.convert import as_tensor, to_array, to_dtype
from minitrain.engine.custom import no_gradient_inside
from minitrain.engine.primitive import ops, primitive
from minitrain.engine.tensor import Tensor, TensorLike
from minitrain.engine.trail import Changes
from minitrain.errors import DTypeError, InvalidArgumentError, ShapeError
from minitrain.ops.axes import as_int, as_ints, as_shape, one_axis, values_of
from minitrain.ops.reduction import _floats

# ------------------------------------------------------------------------------------------------------- primitives


@primitive(name="random_normal", draws=True)
def _normal(*, stream, shape, dtype):
    return _draw_floats(stream.standard_normal, shape, dtype)


@primitive(name="random_uniform", draws=True)
def _uniform(*, stream, shape, dtype):
    """In [0, 1)."""
    return _draw_floats(stream.random, shape, dtype)


@primitive(name="random_integers", draws=True)
def _integers(*, stream, shape, low, high, dtype):
    return np.asarray(stream.integers(low, high, shape, dtype))


@primitive(name="random_truncated_normal", draws=True)
def _truncated_normal(*, stream, shape, dtype):
    """Standard normal numbers, drawn again while beyond two standard deviations."""
    out = np.asarray(stream.standard_normal(shape))
    beyond = np.abs(out) > 2.0
    while beyond.any():
        out[beyond] = stream.standard_normal(int(beyond.sum()))
        beyond = np.abs(out) > 2.0
    return out.astype(dtype)


@primitive(name="dropout_mask", draws=True)
def _dropout_mask(*, stream, shape, rate, dtype):
    """1 / (1 - rate) where a uniform number is at least `rate`, else 0."""
    kept = np.asarray(stream.random(shape, np.float32) >= rate)
    return kept * dtype.type(1.0 / (1.0 - rate))


@primitive(name="random_permutation", draws=True)
def _permutation(*, stream, size):
    return stream.permutation(size)


@primitive(name="random_gamma", draws=True)
def _gamma(*, stream, shape, alpha, dtype):
    return np.asarray(stream.standard_gamma(alpha, shape)).astype(dtype)


@primitive(name="random_poisson", draws=True)
def _poisson(*, stream, shape, lam, dtype):
    return np.asarray(stream.poisson(lam, shape)).astype(dtype)


@primitive(name="random_binomial", draws=True)
def _binomial(*, stream, shape, counts, probs, dtype):
    return np.asarray(stream.binomial(counts, probs, shape)).astype(dtype)


def _draw_floats(draw: Any, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Any:
    if dtype == np.float16:
        return np.asarray(draw(shape, np.float32)).astype(dtype)
    return np.asarray(draw(shape, dtype))


# ---------------------------------------------------------------------------------------------------------- streams


class Generator:
    """A seeded stream of random numbers of one's own (PCG64), independent of the global one.

    `seed`: an integer, or None for one that the operating system picks. `state` can be read, kept and set again.

    >>> Generator(1).uniform([2]) == Generator.from_seed(1).uniform([2])
    <mt.Tensor: shape=(2,), dtype=bool, numpy=array([ True,  True])>
    """

    def __init__(self, seed: int | None = None) -> None:
        self._stream = np.random.Generator(np.random.PCG64(None if seed is None else _seed_words(seed)))

    @classmethod
    def from_seed(cls, seed: int, alg: Any = None) -> Generator:
        """A stream that starts from `seed`."""
        return cls(seed)

    @classmethod
    def from_non_deterministic_state(cls, alg: Any = None) -> Generator:
        """A stream that starts from a seed of the operating system's."""
        return cls()

    @property
    def state(self) -> dict[str, Any]:
        """Where the stream stands, as plain data."""
        return dict(self._stream.bit_generator.state)

    @state.setter
    def state(self, value: dict[str, Any]) -> None:
        self._stream.bit_generator.state = value

    def reset_from_seed(self, seed: int) -> None:
        """Start anew from `seed`."""
        self._stream = Generator(seed)._stream
        Changes.count += 1

    def split(self, count: int = 1) -> list[Generator]:
        """`count` new streams that are independent of this one and of each other."""
        return [_wrap(stream) for stream in self._stream.spawn(count)]

    def normal(
        self, shape: Any, mean: Any = 0.0, stddev: Any = 1.0, dtype: Any = float32, name: str | None = None
    ) -> Tensor:
        """Normal numbers of mean `mean` and standard deviation `stddev`."""
        return _scaled(_normal, self._stream, shape, mean, stddev, dtype)

    def truncated_normal(
        self, shape: Any, mean: Any = 0.0, stddev: Any = 1.0, dtype: Any = float32, name: str | None = None
    ) -> Tensor:
        """Normal numbers, drawn again while beyond two standard deviations from the mean."""
        return _scaled(_truncated_normal, self._stream, shape, mean, stddev, dtype)

    def uniform(
        self, shape: Any, minval: Any = 0, maxval: Any = None, dtype: Any = float32, name: str | None = None
    ) -> Tensor:
        """Numbers in [minval, maxval), uniformly; for an integer dtype `maxval` must be given."""
        return _uniform_between(self._stream, shape, minval, maxval, dtype)

    def uniform_full_int(self, shape: Any, dtype: Any = uint64, name: str | None = None) -> Tensor:
        """Integers from all that the dtype holds, uniformly."""
        found = as_dtype(dtype).dtype
        limits = np.iinfo(found)
        return Tensor(self._stream.integers(limits.min, limits.max, as_shape(shape), found, endpoint=True))

    def binomial(self, shape: Any, counts: Any, probs: Any, dtype: Any = int32, name: str | None = None) -> Tensor:
        """How many of `counts` independent trials succeed, each with probability `probs`."""
        return _binomial_of(self._stream, shape, counts, probs, dtype)

    def make_seeds(self, count: int = 1) -> Tensor:
        """Seeds for the stateless functions, one in each column. (2, count)"""
        return self.uniform_full_int((2, count), int64)

    def shuffle(self, value: Any, name: str | None = None) -> Tensor:
        """The slices of `value` along axis 0 in random order."""
        return _shuffled(self._stream, value)

    def categorical(self, logits: Any, num_samples: int, dtype: Any = int64, name: str | None = None) -> Tensor:
        """Class numbers drawn with the probabilities softmax(logits). (n, k) -> (n, num_samples)"""
        return _categorical(self._stream, logits, num_samples, dtype)


def _wrap(stream: np.random.Generator) -> Generator:
    made = Generator.__new__(Generator)
    made._stream = stream
    return made


def _seed_words(*seeds: Any) -> list[int]:
    """Any integers as the non-negative words that NumPy seeds with; negative ones stay distinct from positive ones."""
    words = []
    for seed in seeds:
        seed = as_int(seed, "seed")
        words += [abs(seed), int(seed < 0)]
    return words


class SeedGenerator:
    """A stream to be given as `seed=`, as layers of one's own keep it: each use draws the next numbers."""

    def __init__(self, seed: int | None = None, name: str | None = None, **kwargs: Any) -> None:
        if kwargs:
            raise InvalidArgumentError(f"Unrecognized keyword arguments: {', '.join(kwargs)}.")
        self.initial_seed = seed
        self.generator = Generator(seed)

    def next(self, ordered: bool = True) -> Tensor:
        """A seed: two integers."""
        return self.generator.uniform((2,), 0, 2**31 - 1, "int32")

    def get_config(self) -> dict[str, Any]:
        """The seed that it began with."""
        return {"seed": self.initial_seed}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> SeedGenerator:
        """A stream that begins where the one began whose configuration this is."""
        return cls(**config)


def as_seed(seed: Any) -> Any:
    """A `seed` argument as it was before `get_config`: with a SeedGenerator where its configuration stands."""
    if isinstance(seed, dict) and seed.get("class_name") == "SeedGenerator":
        return SeedGenerator.from_config(seed["config"])
    return seed


class _Streams:
    """The global stream and those that belong to a `seed=` argument: what `set_seed` starts anew."""

    def __init__(self) -> None:
        self.seed: int | None = None
        self.seeded: dict[int, np.random.Generator] = {}

    @cached_property
    def main(self) -> Generator:
        """Made on first use: importing numpy.random takes a quarter of minitrain's own import."""
        return Generator()

    def get(self, seed: Any) -> np.random.Generator:
        if seed is None:
            return self.main._stream
        if isinstance(seed, SeedGenerator):
            return seed.generator._stream
        seed = as_int(seed, "seed")
        if seed not in self.seeded:
            words = _seed_words(seed) if self.seed is None else _seed_words(self.seed, seed)
            self.seeded[seed] = np.random.Generator(np.random.PCG64(words))
        return self.seeded[seed]


STREAMS = _Streams()


def set_seed(seed: int) -> None:
    """Start the global stream, and those of the `seed=` arguments, anew from `seed`."""
    STREAMS.seed = as_int(seed, "seed")
    STREAMS.main = Generator(seed)
    STREAMS.seeded.clear()
    Changes.count += 1


def get_global_generator() -> Generator:
    """The stream from which functions without a `seed` draw."""
    return STREAMS.main


def set_global_generator(generator: Generator) -> None:
    """Let functions without a `seed` draw from `generator`."""
    STREAMS.main = generator
    Changes.count += 1


# -------------------------------------------------------------------------------------------------------- functions


def normal(
    shape: Any,
    mean: Any = 0.0,
    stddev: Any = 1.0,
    dtype: Any = float32,
    seed: int | None = None,
    name: str | None = None,
) -> Tensor:
    """Normal numbers of mean `mean` and standard deviation `stddev`; gradients flow to both."""
    return _scaled(_normal, STREAMS.get(seed), shape, mean, stddev, dtype)


def truncated_normal(
    shape: Any,
    mean: Any = 0.0,
    stddev: Any = 1.0,
    dtype: Any = float32,
    seed: int | None = None,
    name: str | None = None,
) -> Tensor:
    """Normal numbers, drawn again while beyond two standard deviations from the mean."""
    return _scaled(_truncated_normal, STREAMS.get(seed), shape, mean, stddev, dtype)


def uniform(
    shape: Any,
    minval: Any = 0,
    maxval: Any = None,
    dtype: Any = float32,
    seed: int | None = None,
    name: str | None = None,
) -> Tensor:
    """Numbers in [minval, maxval), uniformly; maxval is 1 by default and must be given for an integer dtype."""
    return _uniform_between(STREAMS.get(seed), shape, minval, maxval, dtype)


def randint(shape: Any, minval: Any, maxval: Any, dtype: Any = int32, seed: Any = None) -> Tensor:
    """Integers in [minval, maxval), uniformly."""
    if as_dtype(dtype).dtype.kind not in "iu":
        raise InvalidArgumentError(f"`dtype` of `randint` must be that of integers, received {dtype!r}.")
    return _uniform_between(STREAMS.get(seed), shape, minval, maxval, dtype)


def categorical(
    logits: Any, num_samples: Any, dtype: Any = int64, seed: int | None = None, name: str | None = None
) -> Tensor:
    """Class numbers drawn with the probabilities softmax(logits). (n, k) -> (n, num_samples)"""
    return _categorical(STREAMS.get(seed), logits, num_samples, dtype)


def shuffle(value: Any, seed: Any = None, name: str | None = None, *, axis: int = 0) -> Tensor:
    """The slices of `value` along `axis` in random order."""
    return _shuffled(STREAMS.get(seed), value, axis)


def gamma(
    shape: Any, alpha: Any, beta: Any = None, dtype: Any = float32, seed: Any = None, name: str | None = None
) -> Tensor:
    """Gamma numbers of shape `alpha` and rate `beta` (1): `shape` of them for each element of the two.

    They are constants to tapes: no gradient flows to alpha.
    """
    return _gamma_of(STREAMS.get(seed), shape, alpha, beta, dtype)


def poisson(shape: Any, lam: Any, dtype: Any = float32, seed: Any = None, name: str | None = None) -> Tensor:
    """Poisson numbers of mean `lam`: `shape` of them for each element of it."""
    rate = values_of(as_tensor(lam))
    full = as_shape(shape) + rate.shape
    return _poisson(stream=STREAMS.get(seed), shape=full, lam=rate, dtype=as_dtype(dtype).dtype)


def binomial(shape: Any, counts: Any, probabilities: Any, dtype: Any = float32, seed: Any = None) -> Tensor:
    """How many of `counts` independent trials succeed, each with probability `probabilities`."""
    return _binomial_of(STREAMS.get(seed), shape, counts, probabilities, dtype)


def beta(shape: Any, alpha: Any, beta: Any, dtype: Any = float32, seed: Any = None) -> Tensor:
    """Beta numbers of parameters `alpha` and `beta`, in [0, 1]."""
    stream, found = STREAMS.get(seed), _float_dtype(dtype)
    a, b = (
        _gamma(stream=stream, shape=as_shape(shape), alpha=values_of(as_tensor(each)), dtype=found)
        for each in (alpha, beta)
    )
    return a / (a + b)


def split(seed: Any, num: int = 2, alg: Any = None) -> Tensor:
    """`num` new seeds for the stateless functions, made from one: (2,) -> (num, 2)."""
    limits = np.iinfo(np.int32)
    return Tensor(_stateless(seed).integers(limits.min, limits.max, (num, 2), np.int32, endpoint=True))


def fold_in(seed: Any, data: Any, alg: Any = None) -> Tensor:
    """A new seed for the stateless functions, made from one and a number: (2,) -> (2,)."""
    mixed = np.random.Generator(np.random.PCG64(_seed_words(*as_ints(seed, "seed"), as_int(data, "data"))))
    limits = np.iinfo(np.int32)
    return Tensor(mixed.integers(limits.min, limits.max, 2, np.int32, endpoint=True))


def _stateless(seed: Any) -> np.random.Generator:
    """The stream of a seed of two integers: the same one, from its beginning, at every call."""
    seeds = as_ints(seed, "seed")
    if len(seeds) != 2:
        raise InvalidArgumentError(f"`seed` must have shape [2], two integers, received {seeds}.")
    return np.random.Generator(np.random.PCG64(_seed_words(*seeds)))


def _repeated(draw: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """A draw that is the same at every call is a constant: programs and tapes do not see it being made."""

    @wraps(draw)
    def drawn(*args: Any, **kwargs: Any) -> Tensor:
        for each in nest.flatten((args, kwargs)):
            if isinstance(each, TensorLike):  # the next call may bring other numbers
                each._leave(f"`{draw.__name__}`")
        with no_gradient_inside():
            return draw(*args, **kwargs)

    return drawn


@_repeated
def stateless_normal(
    shape: Any, seed: Any, mean: Any = 0.0, stddev: Any = 1.0, dtype: Any = float32, name: Any = None, alg: Any = None
) -> Tensor:
    """`normal` from a seed of two integers: the same numbers at every call."""
    return _scaled(_normal, _stateless(seed), shape, mean, stddev, dtype)


@_repeated
def stateless_truncated_normal(
    shape: Any, seed: Any, mean: Any = 0.0, stddev: Any = 1.0, dtype: Any = float32, name: Any = None, alg: Any = None
) -> Tensor:
    """`truncated_normal` from a seed of two integers: the same numbers at every call."""
    return _scaled(_truncated_normal, _stateless(seed), shape, mean, stddev, dtype)


@_repeated
def stateless_uniform(
    shape: Any, seed: Any, minval: Any = 0, maxval: Any = None, dtype: Any = float32, name: Any = None, alg: Any = None
) -> Tensor:
    """`uniform` from a seed of two integers: the same numbers at every call."""
    if minval is None and maxval is None:
        return _wrap(_stateless(seed)).uniform_full_int(shape, dtype)
    return _uniform_between(_stateless(seed), shape, minval, maxval, dtype)


@_repeated
def stateless_categorical(
    logits: Any, num_samples: Any, seed: Any, dtype: Any = int64, name: str | None = None
) -> Tensor:
    """`categorical` from a seed of two integers: the same numbers at every call."""
    return _categorical(_stateless(seed), logits, num_samples, dtype)


@_repeated
def stateless_gamma(
    shape: Any, seed: Any, alpha: Any, beta: Any = None, dtype: Any = float32, name: str | None = None
) -> Tensor:
    """Gamma numbers from a seed of two integers; `shape` ends with that of alpha and beta."""
    scale = 1.0 if beta is None else 1.0 / values_of(as_tensor(beta))
    full, found = as_shape(shape), _float_dtype(dtype)
    return _gamma(stream=_stateless(seed), shape=full, alpha=values_of(as_tensor(alpha)), dtype=found) * scale


@_repeated
def stateless_poisson(shape: Any, seed: Any, lam: Any, dtype: Any = int32, name: str | None = None) -> Tensor:
    """Poisson numbers from a seed of two integers; `shape` ends with that of lam."""
    rate = values_of(as_tensor(lam))
    return _poisson(stream=_stateless(seed), shape=as_shape(shape), lam=rate, dtype=as_dtype(dtype).dtype)


@_repeated
def stateless_binomial(
    shape: Any, seed: Any, counts: Any, probs: Any, output_dtype: Any = int32, name: str | None = None
) -> Tensor:
    """Binomial numbers from a seed of two integers; `shape` ends with that of counts and probs."""
    return _binomial_of(_stateless(seed), shape, counts, probs, output_dtype)


@_repeated
def stateless_shuffle(value: Any, seed: Any, alg: Any = None, name: str | None = None) -> Tensor:
    """`shuffle` from a seed of two integers: the same order at every call."""
    return _shuffled(_stateless(seed), value)


def dropout(x: Any, rate: Any, noise_shape: Any = None, seed: int | None = None, name: str | None = None) -> Tensor:
    """x with each element set to 0 with probability `rate`, the others scaled by 1 / (1 - rate).

    `noise_shape`: sizes of 1 in it share one decision along that axis. Source: Srivastava et al. (2014).
    """
    if isinstance(rate, (int, float, np.number)) and rate == 1:
        raise InvalidArgumentError(f"`rate` must be a number in the range [0, 1), received {rate}.")
    return dropout_from(STREAMS.get(seed), x, rate, noise_shape)


def dropout_or_none(x: Any, rate: Any, noise_shape: Any = None, seed: Any = None) -> Tensor:
    """`dropout` under Keras's rule: a rate of 1 leaves nothing."""
    return dropout_from(STREAMS.get(seed), x, rate, noise_shape)


def dropout_from(stream: np.random.Generator, x: Any, rate: Any, noise_shape: Any = None) -> Tensor:
    """`dropout` with the decisions drawn from `stream`; a rate of 1 leaves nothing, as in Keras."""
    x = _floats(x)
    if not isinstance(rate, (int, float, np.number, TensorLike)):
        raise DTypeError(f"`rate` must be a number in the range [0, 1), received {rate!r}.")
    rate = float(rate)
    if not 0.0 <= rate <= 1.0:
        raise InvalidArgumentError(f"`rate` must be a number in the range [0, 1), received {rate}.")
    if rate in (0.0, 1.0):
        return x if rate == 0.0 else ops.multiply(x, np.zeros((), x._array.dtype))
    shape = tuple(x.shape)
    if noise_shape is not None:
        if len(noise_shape) != len(shape):
            raise ShapeError(f"`noise_shape` needs one size per axis of shape {shape}, received {noise_shape}.")
        shape = tuple(size if n is None else int(n) for n, size in zip(noise_shape, shape, strict=True))
    return ops.multiply(x, _dropout_mask(stream=stream, shape=shape, rate=rate, dtype=x._array.dtype))


def _float_dtype(dtype: Any) -> np.dtype[Any]:
    found = as_dtype(dtype).dtype
    if found.kind != "f":
        raise DTypeError(f"`dtype` must be floating, received {found.name}.")
    return found


def _scaled(op: Any, stream: np.random.Generator, shape: Any, mean: Any, stddev: Any, dtype: Any) -> Tensor:
    drawn = op(stream=stream, shape=as_shape(shape), dtype=_float_dtype(dtype))
    if not (isinstance(stddev, (int, float)) and stddev == 1):
        drawn = drawn * stddev
    return drawn if isinstance(mean, (int, float)) and mean == 0 else drawn + mean


def _uniform_between(stream: np.random.Generator, shape: Any, minval: Any, maxval: Any, dtype: Any) -> Tensor:
    found = as_dtype(dtype).dtype
    if found.kind in "iu":
        if maxval is None:
            raise InvalidArgumentError("`maxval` must be given for an integer dtype.")
        for each in (minval, maxval):
            as_tensor(each)._leave("`minval` and `maxval` of integers")
        low, high = (to_array(as_tensor(each)) for each in (minval, maxval))
        if (low >= high).any():
            raise InvalidArgumentError(f"Need minval < maxval, received {minval} and {maxval}.")
        return _integers(stream=stream, shape=as_shape(shape), low=low, high=high, dtype=found)
    drawn = _uniform(stream=stream, shape=as_shape(shape), dtype=_float_dtype(dtype))
    maxval = 1 if maxval is None else maxval
    minval, maxval = (
        to_dtype(as_tensor(each), drawn._array.dtype) if isinstance(each, list) else each for each in (minval, maxval)
    )
    if isinstance(minval, (int, float)) and isinstance(maxval, (int, float)) and (minval, maxval) == (0, 1):
        return drawn
    return drawn * (maxval - minval) + minval


def _categorical(stream: np.random.Generator, logits: Any, num_samples: Any, dtype: Any) -> Tensor:
    x = _floats(logits)
    if x._array.ndim != 2:
        raise InvalidArgumentError(f"`logits` must have shape (n, k), received {tuple(x.shape)}.")
    x._leave("`categorical`")
    count = as_int(num_samples, "num_samples")
    shape = (x._array.shape[0], count, x._array.shape[1])
    noise = _uniform(stream=stream, shape=shape, dtype=np.dtype(np.float64))
    # The Gumbel trick: the largest of logits + Gumbel noise is distributed as softmax(logits).
    gumbel = -np.log(-np.log(np.maximum(noise._array, np.finfo(np.float64).tiny)))
    drawn = np.argmax(x._array.astype(np.float64)[:, None, :] + gumbel, axis=-1)
    return Tensor(drawn.astype(as_dtype(dtype).dtype))


def _shuffled(stream: np.random.Generator, value: Any, axis: int = 0) -> Tensor:
    x = as_tensor(value)
    if not x._array.ndim:
        return x
    place = one_axis(axis, x._array.ndim)
    return ops.take(x, _permutation(stream=stream, size=x._array.shape[place]), axis=place)


def _gamma_of(stream: np.random.Generator, shape: Any, alpha: Any, beta: Any, dtype: Any) -> Tensor:
    a, b = np.broadcast_arrays(values_of(as_tensor(alpha)), 1.0 if beta is None else values_of(as_tensor(beta)))
    drawn = _gamma(stream=stream, shape=as_shape(shape) + a.shape, alpha=a, dtype=_float_dtype(dtype))
    return drawn if beta is None else drawn / to_dtype(Tensor(b), drawn._array.dtype)


def _binomial_of(stream: np.random.Generator, shape: Any, counts: Any, probs: Any, dtype: Any) -> Tensor:
    n, p = values_of(as_tensor(counts)), values_of(as_tensor(probs))
    found = as_dtype(dtype).dtype
    return _binomial(stream=stream, shape=as_shape(shape), counts=n.astype(np.int64), probs=p, dtype=found)
