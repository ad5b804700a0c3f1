"""Noise while training: dropout and its kin, and the penalty on activities. In inference they pass inputs on.

Every random layer owns a seeded stream, so that what it draws does not depend on what other layers draw.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from minitrain.engine.convert import as_tensor
from minitrain.engine.tensor import Tensor
from minitrain.errors import InvalidArgumentError, ShapeError
from minitrain.layers.base import REGISTRY, Layer
from minitrain.ops.elementwise import cast
from minitrain.ops.random import Generator, SeedGenerator, as_seed, dropout_from, get_global_generator
from minitrain.regularizers import L1L2


class RandomLayer(Layer):
    """A layer with a stream of random numbers of its own, from `seed` or from one that the global stream gives.

    A SeedGenerator as `seed` is drawn from.
    """

    supports_masking = True

    def __init__(self, seed: Any = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.seed = seed = as_seed(seed)
        if isinstance(seed, SeedGenerator):
            self.generator = seed.generator
            return
        start = int(get_global_generator().uniform((), 0, 2**31 - 1, "int32").numpy()) if seed is None else seed
        self.generator = Generator(start)


def _rate(value: Any, layer: str) -> float:
    if not isinstance(value, (int, float)) or not 0 <= value <= 1:
        raise InvalidArgumentError(f"`rate` of {layer} must be a number between 0 and 1, received {value!r}.")
    return float(value)


def _noise_shape(value: Any, layer: str) -> tuple[int | None, ...] | None:
    if value is None:
        return None
    sizes = tuple(value) if isinstance(value, (list, tuple)) else (value,)
    whole = all(each is None or (isinstance(each, (int, np.integer)) and each > 0) for each in sizes)
    if not isinstance(value, (list, tuple)) or not whole:
        raise InvalidArgumentError(
            f"`noise_shape` of {layer} must be a tuple of positive integers, or None for the input's own sizes; "
            f"received {value!r}."
        )
    return sizes


@REGISTRY.register()
class Dropout(RandomLayer):
    """Each input 0 with probability `rate`, the others scaled by 1 / (1 - rate). Source: Srivastava et al. (2014).

    `noise_shape`: sizes of 1 in it share one decision along that axis.
    """

    def __init__(self, rate: float, noise_shape: Any = None, seed: int | None = None, **kwargs: Any) -> None:
        super().__init__(seed, **kwargs)
        self.rate = _rate(rate, type(self).__name__)
        self.noise_shape = _noise_shape(noise_shape, type(self).__name__)

    def _shape(self, x: Tensor) -> Any:
        return self.noise_shape

    def call(self, inputs: Any, training: Any = None) -> Any:
        if not training or self.rate == 0:
            return inputs
        x = as_tensor(inputs)
        if self.rate == 1:
            return x * 0.0
        return dropout_from(self.generator._stream, x, self.rate, self._shape(x))


class _SpatialDropout(Dropout):
    ndim = 0
    data_format = "channels_last"

    def __init__(self, rate: float, seed: int | None = None, **kwargs: Any) -> None:
        super().__init__(rate, None, seed, **kwargs)

    def _shape(self, x: Tensor) -> Any:
        self.need(x.ndim == self.ndim, f"{self.ndim} axes", x.shape)
        alike = (1,) * (self.ndim - 2)
        if self.data_format == "channels_first":
            return (*x.shape[:2], *alike)
        return (x.shape[0], *alike, x.shape[-1])

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        config.pop("noise_shape", None)
        return config


@REGISTRY.register()
class SpatialDropout1D(_SpatialDropout):
    """Dropout of whole channels: (n, t, c). Source: Tompson et al. (2015)."""

    ndim = 3


@REGISTRY.register()
class SpatialDropout2D(_SpatialDropout):
    """Dropout of whole channels: (n, h, w, c). Source: Tompson et al. (2015)."""

    ndim = 4

    def __init__(self, rate: float, data_format: str | None = None, seed: int | None = None, **kwargs: Any) -> None:
        super().__init__(rate, seed, **kwargs)
        self.data_format = data_format or "channels_last"


@REGISTRY.register()
class SpatialDropout3D(SpatialDropout2D):
    """Dropout of whole channels: (n, d, h, w, c). Source: Tompson et al. (2015)."""

    ndim = 5


@REGISTRY.register()
class GaussianNoise(RandomLayer):
    """Adds normal numbers of standard deviation `stddev`."""

    def __init__(self, stddev: float, seed: int | None = None, **kwargs: Any) -> None:
        super().__init__(seed, **kwargs)
        if not 0 <= stddev <= 1:
            raise InvalidArgumentError(f"`stddev` of GaussianNoise must lie in [0, 1], received {stddev!r}.")
        self.stddev = stddev

    def call(self, inputs: Any, training: Any = None) -> Any:
        if not training or not self.stddev:
            return inputs
        x = as_tensor(inputs)
        return x + self.generator.normal(x.shape, 0.0, self.stddev, x.dtype)


@REGISTRY.register()
class GaussianDropout(RandomLayer):
    """Multiplies by normal numbers of mean 1 and variance rate / (1 - rate). Source: Srivastava et al. (2014), 10."""

    def __init__(self, rate: float, seed: int | None = None, **kwargs: Any) -> None:
        super().__init__(seed, **kwargs)
        self.rate = _rate(rate, "GaussianDropout")

    def call(self, inputs: Any, training: Any = None) -> Any:
        if not training or not self.rate:
            return inputs
        x = as_tensor(inputs)
        return x * self.generator.normal(x.shape, 1.0, float(np.sqrt(self.rate / (1.0 - self.rate))), x.dtype)


@REGISTRY.register()
class AlphaDropout(RandomLayer):
    """Dropout that keeps mean and variance behind selu. Source: Klambauer et al. (2017), section 3."""

    def __init__(self, rate: float, noise_shape: Any = None, seed: int | None = None, **kwargs: Any) -> None:
        super().__init__(seed, **kwargs)
        self.rate = _rate(rate, "AlphaDropout")
        self.noise_shape = _noise_shape(noise_shape, "AlphaDropout")

    def call(self, inputs: Any, training: Any = None) -> Any:
        if not training or not self.rate:
            return inputs
        x = as_tensor(inputs)
        low = -1.7580993408473766  # what selu tends to: -alpha * scale
        shape = tuple(x.shape)
        if self.noise_shape is not None:
            if len(self.noise_shape) != len(shape):
                raise ShapeError(
                    f"`noise_shape` needs one size per axis of shape {shape}, received {self.noise_shape}."
                )
            shape = tuple(size if n is None else n for n, size in zip(self.noise_shape, shape, strict=True))
        kept = cast(self.generator.uniform(shape) >= self.rate, x.dtype)
        scale = ((1.0 - self.rate) * (1.0 + self.rate * low**2)) ** -0.5
        return scale * (x * kept + low * (1.0 - kept)) - scale * low * self.rate


@REGISTRY.register()
class ActivityRegularization(Layer):
    """Passes inputs on and adds l1 * sum(|x|) + l2 * sum(x ** 2) to the losses."""

    supports_masking = True

    def __init__(self, l1: float = 0.0, l2: float = 0.0, **kwargs: Any) -> None:
        super().__init__(activity_regularizer=L1L2(l1, l2), **kwargs)
        self.l1 = l1
        self.l2 = l2

    def call(self, inputs: Any) -> Any:
        return inputs

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        config.pop("activity_regularizer", None)
        return config
