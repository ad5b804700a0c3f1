"""Layers that move, cut, repeat and pad: the batch axis stays as it is."""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import Any

import numpy as np

from minitrain.engine.convert import as_tensor, to_dtype
from minitrain.engine.symbolic import KerasTensor
from minitrain.engine.tensor import Tensor
from minitrain.errors import DTypeError, InvalidArgumentError
from minitrain.layers.base import REGISTRY, Layer, tuple_of
from minitrain.ops.linear import einsum
from minitrain.ops.shaping import expand_dims, pad, repeat, reshape, tile, transpose


@REGISTRY.register()
class Flatten(Layer):
    """(n, ...) -> (n, product of the rest)"""

    def __init__(self, data_format: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.data_format = data_format and _format(data_format)

    def call(self, inputs: Any) -> Tensor:
        x = as_tensor(inputs)
        if self.data_format == "channels_first" and x.ndim > 2:
            x = transpose(x, [0, *range(2, x.ndim), 1])
        return reshape(x, (x.shape[0], prod(x.shape[1:])))


@REGISTRY.register()
class Reshape(Layer):
    """(n, ...) -> (n, *target_shape), in which one size may be -1."""

    def __init__(self, target_shape: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.target_shape = (target_shape,) if isinstance(target_shape, int) else tuple(target_shape)
        if self.target_shape.count(-1) > 1 or any(each < -1 for each in self.target_shape):
            raise InvalidArgumentError(
                f"`target_shape` of Reshape holds sizes of 0 or more and -1 once, received {self.target_shape}."
            )

    def _draw(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        if None not in args[0].shape[1:]:
            return super()._draw(args, kwargs)
        # Examples of an open axis need not fill the target shape.
        shape = (args[0].shape[0], *(None if each == -1 else each for each in self.target_shape))
        return self._declare(args, kwargs, KerasTensor(shape, args[0].dtype))

    def call(self, inputs: Any) -> Tensor:
        x = as_tensor(inputs)
        target, size = self.target_shape, prod(x.shape[1:])
        known = prod(each for each in target if each != -1)
        fits = known == size if -1 not in target else known > 0 and size % known == 0
        self.need(fits, f"{known} elements a sample, for the target shape {target}", x.shape)
        return reshape(x, (x.shape[0], *(size // known if each == -1 else each for each in target)))


@REGISTRY.register()
class Permute(Layer):
    """The axes behind the batch in the order `dims`, counted from 1."""

    def __init__(self, dims: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.dims = tuple(dims)
        if sorted(self.dims) != list(range(1, len(self.dims) + 1)):
            raise InvalidArgumentError(f"`dims` of Permute must be a permutation of 1 to n, received {dims!r}.")

    def call(self, inputs: Any) -> Tensor:
        x = as_tensor(inputs)
        self.need(x.ndim == len(self.dims) + 1, f"{len(self.dims) + 1} axes", x.shape)
        return transpose(x, (0, *self.dims))


@REGISTRY.register()
class RepeatVector(Layer):
    """(m, c) -> (m, n, c)"""

    def __init__(self, n: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if not isinstance(n, int):
            raise DTypeError(f"`n` of RepeatVector must be an integer, received {n!r}.")
        if n <= 0:
            raise InvalidArgumentError(f"`n` of RepeatVector must be positive, received {n!r}.")
        self.n = n

    def call(self, inputs: Any) -> Tensor:
        x = as_tensor(inputs)
        self.need(x.ndim == 2, "2 axes", x.shape)
        return tile(expand_dims(x, 1), (1, self.n, 1))


def _format(value: str | None) -> str:
    """Where the channels are: "channels_last" by default."""
    if value not in (None, "channels_first", "channels_last"):
        raise InvalidArgumentError(f"`data_format` must be 'channels_last' or 'channels_first', received {value!r}.")
    return value or "channels_last"


def _pairs(value: Any, n: int, name: str) -> tuple[tuple[int, int], ...]:
    """An int, or n ints or pairs, as n pairs (before, after)."""
    values = (value,) * n if isinstance(value, int) else tuple(value) if isinstance(value, (list, tuple)) else ()
    if n == 1 and len(values) == 2 and all(isinstance(each, int) for each in values):
        values = (values,)
    if len(values) != n or (n == 1 and not isinstance(value, int) and isinstance(values[0], int)):
        raise InvalidArgumentError(f"`{name}` must be an integer or {n} integers or pairs, received {value!r}.")
    pairs = tuple((each, each) if isinstance(each, int) else tuple_of(each, 2, name) for each in values)
    if any(each < 0 for pair in pairs for each in pair):
        raise InvalidArgumentError(f"`{name}` must hold integers of 0 or more, received {value!r}.")
    return pairs  # type: ignore[return-value]  # of two each


class _Spatial(Layer):
    """A layer of `rank` spatial axes between batch and channels, or behind both with "channels_first"."""

    rank = 1

    def __init__(self, data_format: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.data_format = _format(data_format)

    def _first(self, x: Tensor) -> int:
        """The first spatial axis."""
        self.need(x.ndim == self.rank + 2, f"{self.rank + 2} axes", x.shape)
        return 2 if self.data_format == "channels_first" else 1


class _Cropping(_Spatial):
    def __init__(self, cropping: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.cropping = _pairs(cropping, self.rank, "cropping")

    def call(self, inputs: Any) -> Tensor:
        x = as_tensor(inputs)
        first = self._first(x)
        cuts = []
        for place, (before, after) in enumerate(self.cropping):
            size = x.shape[first + place]
            self.need(before + after < size, f"more than {before + after} on axis {first + place}", x.shape)
            cuts.append(slice(before, size - after))
        return x[(slice(None),) * first + tuple(cuts)]


@REGISTRY.register()
class Cropping1D(_Cropping):
    """Without `cropping` steps at the beginning and at the end: (n, t, c)"""

    def __init__(self, cropping: Any = (1, 1), **kwargs: Any) -> None:
        super().__init__(cropping, **kwargs)


@REGISTRY.register()
class Cropping2D(_Cropping):
    """Without `cropping` rows and columns at each side: (n, h, w, c)"""

    rank = 2

    def __init__(self, cropping: Any = ((0, 0), (0, 0)), data_format: str | None = None, **kwargs: Any) -> None:
        super().__init__(cropping, data_format=data_format, **kwargs)


@REGISTRY.register()
class Cropping3D(_Cropping):
    """Without `cropping` planes at each side: (n, d, h, w, c)"""

    rank = 3

    def __init__(self, cropping: Any = ((1, 1), (1, 1), (1, 1)), data_format: str | None = None, **kwargs: Any) -> None:
        super().__init__(cropping, data_format=data_format, **kwargs)


class _ZeroPadding(_Spatial):
    def __init__(self, padding: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.padding = _pairs(padding, self.rank, "padding")

    def call(self, inputs: Any) -> Tensor:
        x = as_tensor(inputs)
        first = self._first(x)
        widths = [(0, 0)] * x.ndim
        widths[first : first + self.rank] = self.padding
        return pad(x, widths)


@REGISTRY.register()
class ZeroPadding1D(_ZeroPadding):
    """With `padding` zeros at the beginning and at the end: (n, t, c)"""

    def __init__(self, padding: Any = 1, data_format: str | None = None, **kwargs: Any) -> None:
        super().__init__(padding, data_format=data_format, **kwargs)


@REGISTRY.register()
class ZeroPadding2D(_ZeroPadding):
    """With `padding` zeros at each side: (n, h, w, c)"""

    rank = 2

    def __init__(self, padding: Any = (1, 1), data_format: str | None = None, **kwargs: Any) -> None:
        super().__init__(padding, data_format=data_format, **kwargs)


@REGISTRY.register()
class ZeroPadding3D(_ZeroPadding):
    """With `padding` zeros at each side: (n, d, h, w, c)"""

    rank = 3

    def __init__(self, padding: Any = ((1, 1), (1, 1), (1, 1)), data_format: str | None = None, **kwargs: Any) -> None:
        super().__init__(padding, data_format=data_format, **kwargs)


@REGISTRY.register()
class UpSampling1D(Layer):
    """Each step repeated `size` times: (n, t, c)"""

    def __init__(self, size: int = 2, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if not isinstance(size, (int, np.integer)) or isinstance(size, bool):
            raise DTypeError(f"`size` of UpSampling1D must be an integer, received {size!r}.")
        if size <= 0:
            raise InvalidArgumentError(f"`size` of UpSampling1D must be positive, received {size!r}.")
        self.size = int(size)

    def call(self, inputs: Any) -> Tensor:
        x = as_tensor(inputs)
        self.need(x.ndim == 3, "3 axes", x.shape)
        return repeat(x, self.size, axis=1)


def _hat(x: Any) -> Any:
    return np.maximum(1.0 - np.abs(x), 0.0)


def _cubic(x: Any) -> Any:
    """Source: Keys (1981), with a = -1/2."""
    x = np.abs(x)
    near, far = (1.5 * x - 2.5) * x * x + 1.0, ((2.5 - 0.5 * x) * x - 4.0) * x + 2.0
    return np.where(x < 1.0, near, np.where(x < 2.0, far, 0.0))


def _lanczos(radius: int) -> Callable[[Any], Any]:
    return lambda x: np.where(np.abs(x) < radius, np.sinc(x) * np.sinc(x / radius), 0.0)


KERNELS = {"bilinear": _hat, "bicubic": _cubic, "lanczos3": _lanczos(3), "lanczos5": _lanczos(5)}


def _weights(n: int, times: int, kernel: Callable[[Any], Any]) -> Any:
    """What each of n points weighs in each of n * times points between them: (n * times, n), rows of sum 1."""
    at = (np.arange(n * times) + 0.5) / times - 0.5
    weights = kernel(at[:, None] - np.arange(n))
    return weights / weights.sum(1, keepdims=True)


@REGISTRY.register()
class UpSampling2D(_Spatial):
    """`size` times as many rows and columns: (n, h, w, c)

    `interpolation`: "nearest" repeats them, "bilinear", "bicubic", "lanczos3" and "lanczos5" are smooth.
    """

    rank = 2

    def __init__(
        self, size: Any = (2, 2), data_format: str | None = None, interpolation: str = "nearest", **kwargs: Any
    ) -> None:
        super().__init__(data_format=data_format, **kwargs)
        if interpolation != "nearest" and interpolation not in KERNELS:
            raise InvalidArgumentError(
                f"`interpolation` must be 'nearest' or one of {', '.join(map(repr, KERNELS))}, received "
                f"{interpolation!r}."
            )
        self.size = tuple_of(size, 2, "size")
        self.interpolation = interpolation

    def call(self, inputs: Any) -> Tensor:
        x = as_tensor(inputs)
        first = self._first(x)
        if self.interpolation == "nearest":
            return repeat(repeat(x, self.size[0], axis=first), self.size[1], axis=first + 1)
        kernel = KERNELS[self.interpolation]
        rows, columns = (
            to_dtype(Tensor(_weights(x.shape[first + place], times, kernel)), x._array.dtype)
            for place, times in enumerate(self.size)
        )
        if self.data_format == "channels_first":
            return einsum("ncpw,qw->ncpq", einsum("nchw,ph->ncpw", x, rows), columns)
        return einsum("npwc,qw->npqc", einsum("nhwc,ph->npwc", x, rows), columns)


@REGISTRY.register()
class UpSampling3D(_Spatial):
    """Each plane repeated `size` times along each of three axes: (n, d, h, w, c)"""

    rank = 3

    def __init__(self, size: Any = (2, 2, 2), data_format: str | None = None, **kwargs: Any) -> None:
        super().__init__(data_format=data_format, **kwargs)
        self.size = tuple_of(size, 3, "size")

    def call(self, inputs: Any) -> Tensor:
        x = as_tensor(inputs)
        first = self._first(x)
        for place, times in enumerate(self.size):
            x = repeat(x, times, axis=first + place)
        return x
