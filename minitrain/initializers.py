"""Keras's initializers: first values for weights, by shape.

An initializer with a seed gives the same numbers on every call; without one it draws new numbers from the global
stream each time, so that two layers never share numbers by accident.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from minitrain import config
from minitrain.configuration import Configurable, Registry
from minitrain.dtypes import as_dtype
from minitrain.engine.convert import to_array
from minitrain.engine.tensor import Tensor, TensorLike
from minitrain.errors import InvalidArgumentError, ShapeError
from minitrain.ops.random import Generator, SeedGenerator, as_seed, get_global_generator

REGISTRY = Registry("initializer")


class Initializer(Configurable):
    """The base: `initializer(shape, dtype=None)` gives a Tensor. Users' own override `__call__`."""

    def __call__(self, shape: Any, dtype: Any = None) -> Tensor:
        """A Tensor of the given shape and dtype, config.floatx() by default."""
        raise NotImplementedError(f"{type(self).__name__} must define __call__(self, shape, dtype=None).")

    def clone(self) -> Initializer:
        """An initializer of the same configuration."""
        return type(self).from_config(self.get_config())


def _sizes(shape: Any) -> tuple[int, ...]:
    return (shape,) if isinstance(shape, (int, np.integer)) else tuple(shape)


def _numpy_dtype(dtype: Any) -> np.dtype[Any]:
    return as_dtype(config.floatx() if dtype is None else dtype).dtype


@REGISTRY.register("zero")
class Zeros(Initializer):
    """All 0."""

    def __call__(self, shape: Any, dtype: Any = None) -> Tensor:
        return Tensor(np.zeros(_sizes(shape), _numpy_dtype(dtype)))


@REGISTRY.register("one")
class Ones(Initializer):
    """All 1."""

    def __call__(self, shape: Any, dtype: Any = None) -> Tensor:
        return Tensor(np.ones(_sizes(shape), _numpy_dtype(dtype)))


@REGISTRY.register()
class Constant(Initializer):
    """All `value`: a number, or an array that broadcasts to the shape."""

    def __init__(self, value: Any = 0.0) -> None:
        self.value = value

    def __call__(self, shape: Any, dtype: Any = None) -> Tensor:
        return Tensor(np.broadcast_to(to_array(self.value, _numpy_dtype(dtype)), _sizes(shape)).copy())


@REGISTRY.register("IdentityInitializer", "identity")
class Identity(Initializer):
    """The identity matrix times `gain`, for two axes."""

    def __init__(self, gain: float = 1.0) -> None:
        self.gain = gain

    def __call__(self, shape: Any, dtype: Any = None) -> Tensor:
        if len(shape) != 2:
            raise ShapeError(f"The Identity initializer needs a shape of two axes, received {tuple(shape)}.")
        return Tensor((self.gain * np.eye(*shape)).astype(_numpy_dtype(dtype)))


class RandomInitializer(Initializer):
    """What draws numbers.

    `seed`: None for the global stream, an integer for the same numbers on every call, or a SeedGenerator for its own.
    """

    def __init__(self, seed: int | SeedGenerator | None = None) -> None:
        seed = as_seed(seed)
        if seed is not None and not isinstance(seed, (int, np.integer, SeedGenerator)):
            raise InvalidArgumentError(f"`seed` must be an integer, a SeedGenerator or None, received {seed!r}.")
        self.seed = seed

    def _stream(self) -> Generator:
        if isinstance(self.seed, SeedGenerator):
            return self.seed.generator
        return get_global_generator() if self.seed is None else Generator(self.seed)


@REGISTRY.register("normal")
class RandomNormal(RandomInitializer):
    """Normal numbers."""

    def __init__(self, mean: float = 0.0, stddev: float = 0.05, seed: int | None = None) -> None:
        super().__init__(seed)
        self.mean = mean
        self.stddev = stddev

    def __call__(self, shape: Any, dtype: Any = None) -> Tensor:
        return self._stream().normal(_sizes(shape), self.mean, self.stddev, _numpy_dtype(dtype))


@REGISTRY.register()
class TruncatedNormal(RandomInitializer):
    """Normal numbers, drawn again while beyond two standard deviations."""

    def __init__(self, mean: float = 0.0, stddev: float = 0.05, seed: int | None = None) -> None:
        super().__init__(seed)
        self.mean = mean
        self.stddev = stddev

    def __call__(self, shape: Any, dtype: Any = None) -> Tensor:
        return self._stream().truncated_normal(_sizes(shape), self.mean, self.stddev, _numpy_dtype(dtype))


@REGISTRY.register("uniform")
class RandomUniform(RandomInitializer):
    """Uniform numbers in [minval, maxval)."""

    def __init__(self, minval: float = -0.05, maxval: float = 0.05, seed: int | None = None) -> None:
        super().__init__(seed)
        self.minval = minval
        self.maxval = maxval

    def __call__(self, shape: Any, dtype: Any = None) -> Tensor:
        return self._stream().uniform(_sizes(shape), self.minval, self.maxval, _numpy_dtype(dtype))


# The standard deviation of a standard normal truncated at two of them.
TRUNCATED_DEVIATION = 0.87962566103423978
MODES = ("fan_in", "fan_out", "fan_avg")
DISTRIBUTIONS = ("truncated_normal", "untruncated_normal", "uniform")


@REGISTRY.register()
class VarianceScaling(RandomInitializer):
    """Numbers of variance scale / n, where n is the number of inputs, of outputs, or their mean.

    `mode`: "fan_in", "fan_out" or "fan_avg". `distribution`: "truncated_normal", "untruncated_normal" or "uniform".
    `input_axes` and `output_axes`, where both are given, say which axes are those of the inputs and of the outputs.
    """

    def __init__(
        self,
        scale: float = 1.0,
        mode: str = "fan_in",
        distribution: str = "truncated_normal",
        seed: int | None = None,
        input_axes: Any = None,
        output_axes: Any = None,
    ) -> None:
        if scale <= 0:
            raise InvalidArgumentError(f"`scale` must be positive, received {scale}.")
        if mode not in MODES:
            raise InvalidArgumentError(f"`mode` must be one of {MODES}, received {mode!r}.")
        distribution = "truncated_normal" if distribution == "normal" else distribution
        if distribution not in DISTRIBUTIONS:
            raise InvalidArgumentError(f"`distribution` must be one of {DISTRIBUTIONS}, received {distribution!r}.")
        super().__init__(seed)
        self.scale = scale
        self.mode = mode
        self.distribution = distribution
        self.input_axes = input_axes
        self.output_axes = output_axes

    def _fans(self, shape: tuple[int, ...]) -> tuple[int, int]:
        if self.input_axes is None or self.output_axes is None:
            return compute_fans(shape)
        return math.prod(shape[each] for each in self.input_axes), math.prod(shape[each] for each in self.output_axes)

    def __call__(self, shape: Any, dtype: Any = None) -> Tensor:
        shape = _sizes(shape)
        fan_in, fan_out = self._fans(shape)
        fan = {"fan_in": fan_in, "fan_out": fan_out, "fan_avg": (fan_in + fan_out) / 2}[self.mode]
        variance = self.scale / max(1.0, fan)
        stream, numpy_dtype = self._stream(), _numpy_dtype(dtype)
        if self.distribution == "truncated_normal":
            return stream.truncated_normal(shape, 0.0, math.sqrt(variance) / TRUNCATED_DEVIATION, numpy_dtype)
        if self.distribution == "untruncated_normal":
            return stream.normal(shape, 0.0, math.sqrt(variance), numpy_dtype)
        limit = math.sqrt(3.0 * variance)
        return stream.uniform(shape, -limit, limit, numpy_dtype)


def compute_fans(shape: tuple[int, ...]) -> tuple[int, int]:
    """The numbers of inputs and outputs of a weight: (in, out), or (*kernel, in, out) for convolutions."""
    if len(shape) < 2:
        size = shape[0] if shape else 1
        return size, size
    field = math.prod(shape[:-2])
    return field * shape[-2], field * shape[-1]


def _scaled(name: str, scale: float, mode: str, distribution: str, source: str) -> type[VarianceScaling]:
    """A VarianceScaling with everything but the seed and the axes settled."""

    def init(self: Any, seed: int | None = None, input_axes: Any = None, output_axes: Any = None) -> None:
        VarianceScaling.__init__(self, scale, mode, distribution, seed, input_axes, output_axes)

    init.__name__ = "__init__"
    doc = f"Variance {scale:g} / {mode}, {distribution}. Source: {source}."
    made = type(name, (VarianceScaling,), {"__init__": init, "__doc__": doc, "__module__": __name__})
    return REGISTRY.add(made)  # type: ignore[no-any-return]


GLOROT, HE, LECUN = "Glorot and Bengio (2010)", "He et al. (2015)", "LeCun et al. (1998)"
GlorotUniform = _scaled("GlorotUniform", 1.0, "fan_avg", "uniform", GLOROT)
GlorotNormal = _scaled("GlorotNormal", 1.0, "fan_avg", "truncated_normal", GLOROT)
HeUniform = _scaled("HeUniform", 2.0, "fan_in", "uniform", HE)
HeNormal = _scaled("HeNormal", 2.0, "fan_in", "truncated_normal", HE)
LecunUniform = _scaled("LecunUniform", 1.0, "fan_in", "uniform", LECUN)
LecunNormal = _scaled("LecunNormal", 1.0, "fan_in", "truncated_normal", LECUN)


@REGISTRY.register("Orthogonal")
class OrthogonalInitializer(RandomInitializer):
    """Orthonormal rows or columns, whichever are fewer, times `gain`; axes but the last count as one.

    Source: Saxe et al. (2014).
    """

    def __init__(self, gain: float = 1.0, seed: int | None = None) -> None:
        super().__init__(seed)
        self.gain = gain

    def __call__(self, shape: Any, dtype: Any = None) -> Tensor:
        shape = _sizes(shape)
        if len(shape) < 2:
            raise ShapeError(f"The Orthogonal initializer needs at least two axes, received shape {shape}.")
        rows, columns = math.prod(shape[:-1]), shape[-1]
        drawn = self._stream().normal((max(rows, columns), min(rows, columns)), dtype="float64")._array
        q, r = np.linalg.qr(drawn)
        q = q * np.sign(np.diagonal(r))  # makes the distribution uniform
        q = q.T if rows < columns else q
        return Tensor((self.gain * q).reshape(shape).astype(_numpy_dtype(dtype)))


Orthogonal = OrthogonalInitializer
REGISTRY.entries["orthogonal"] = OrthogonalInitializer


def get(identifier: Any) -> Any:
    """The initializer that `identifier` stands for: a string, class, instance, configuration, callable or values.

    Values are a number, an array or a Tensor.
    """
    if isinstance(identifier, (int, float, np.ndarray, TensorLike)) and not isinstance(identifier, bool):
        return Constant(identifier)
    return REGISTRY.get(identifier)


def serialize(initializer: Initializer) -> dict[str, Any]:
    """The class name and configuration of an initializer."""
    return {"class_name": type(initializer).__name__, "config": initializer.get_config()}


deserialize = REGISTRY.deserialize

zeros, ones, constant = Zeros, Ones, Constant
random_normal, random_uniform, truncated_normal = RandomNormal, RandomUniform, TruncatedNormal
glorot_uniform, glorot_normal, he_uniform, he_normal = GlorotUniform, GlorotNormal, HeUniform, HeNormal
lecun_uniform, lecun_normal, variance_scaling = LecunUniform, LecunNormal, VarianceScaling
orthogonal, identity = OrthogonalInitializer, Identity
IdentityInitializer = Identity
