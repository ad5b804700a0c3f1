"""Normalization inside a network: over the batch, over features, over groups, to unit length."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from minitrain import constraints, initializers, regularizers
from minitrain.engine.convert import as_tensor
from minitrain.engine.tensor import Tensor
from minitrain.errors import DTypeError, InvalidArgumentError, OutOfRangeError
from minitrain.layers.base import REGISTRY, Layer
from minitrain.ops.elementwise import cast, clip_by_value, maximum, rsqrt, sqrt, square, stop_gradient
from minitrain.ops.neural import batch_normalization, l2_normalize, moments
from minitrain.ops.reduction import reduce_mean, reduce_sum
from minitrain.ops.shaping import broadcast_to, reshape


def _axes(axis: Any, ndim: int) -> list[int]:
    """One or several axes as non-negative numbers. Raises OutOfRangeError where there is none such."""
    axes = [axis] if isinstance(axis, int) else list(axis)
    if any(not -ndim <= each < ndim for each in axes):
        raise OutOfRangeError(f"`axis` must lie between {-ndim} and {ndim - 1} for {ndim} axes, received {axis!r}.")
    return sorted(each % ndim for each in axes)


class ScaledLayer(Layer):
    """A layer with a learned scale gamma and a learned centre beta."""

    def __init__(
        self,
        axis: Any = -1,
        epsilon: float = 1e-3,
        center: bool = True,
        scale: bool = True,
        beta_initializer: Any = "zeros",
        gamma_initializer: Any = "ones",
        beta_regularizer: Any = None,
        gamma_regularizer: Any = None,
        beta_constraint: Any = None,
        gamma_constraint: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if not isinstance(axis, (int, list, tuple)):
            raise DTypeError(f"`axis` must be an integer or a list of them, received {axis!r}.")
        self.axis = list(axis) if isinstance(axis, tuple) else axis
        self.epsilon = epsilon
        self.center = center
        self.scale = scale
        self.beta_initializer = initializers.get(beta_initializer)
        self.gamma_initializer = initializers.get(gamma_initializer)
        self.beta_regularizer = regularizers.get(beta_regularizer)
        self.gamma_regularizer = regularizers.get(gamma_regularizer)
        self.beta_constraint = constraints.get(beta_constraint)
        self.gamma_constraint = constraints.get(gamma_constraint)
        self.gamma: Any = None
        self.beta: Any = None

    def _add_scale(self, shape: tuple[int, ...]) -> None:
        if self.scale:
            self.gamma = self.add_weight(
                shape,
                self.gamma_initializer,
                regularizer=self.gamma_regularizer,
                constraint=self.gamma_constraint,
                name="gamma",
            )
        if self.center:
            self.beta = self.add_weight(
                shape,
                self.beta_initializer,
                regularizer=self.beta_regularizer,
                constraint=self.beta_constraint,
                name="beta",
            )


@REGISTRY.register()
class BatchNormalization(ScaledLayer):
    """gamma * (x - mean) / sqrt(variance + epsilon) + beta, with the batch's statistics along `axis` in training.

    In inference, and where trainable is False, the moving averages of both are used, which training updates by
    moving = momentum * moving + (1 - momentum) * batch. Source: Ioffe and Szegedy (2015), algorithms 1 and 2.

    `renorm`: what training gives is corrected towards averages of its own, of momentum `renorm_momentum`: scaled by r
    and moved by d, which `renorm_clipping` limits with "rmin", "rmax" and "dmax". Source: Ioffe (2017), algorithm 1.
    `synchronized` is taken for Keras's sake.
    """

    supports_masking = True

    def __init__(
        self,
        axis: int = -1,
        momentum: float = 0.99,
        epsilon: float = 1e-3,
        center: bool = True,
        scale: bool = True,
        beta_initializer: Any = "zeros",
        gamma_initializer: Any = "ones",
        moving_mean_initializer: Any = "zeros",
        moving_variance_initializer: Any = "ones",
        beta_regularizer: Any = None,
        gamma_regularizer: Any = None,
        beta_constraint: Any = None,
        gamma_constraint: Any = None,
        renorm: bool = False,
        renorm_clipping: dict[str, float] | None = None,
        renorm_momentum: float = 0.99,
        synchronized: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            axis,
            epsilon,
            center,
            scale,
            beta_initializer,
            gamma_initializer,
            beta_regularizer,
            gamma_regularizer,
            beta_constraint,
            gamma_constraint,
            **kwargs,
        )
        if not isinstance(axis, int):
            raise DTypeError(f"`axis` of BatchNormalization must be an integer, received {axis!r}.")
        self.momentum = float(momentum)
        self.renorm = renorm
        self.renorm_clipping = _clipping(renorm_clipping)
        self.renorm_momentum = renorm_momentum
        self.synchronized = synchronized
        self.moving_mean_initializer = initializers.get(moving_mean_initializer)
        self.moving_variance_initializer = initializers.get(moving_variance_initializer)

    def build(self, input_shape: Any) -> None:
        size = (input_shape[self.axis],)
        self._add_scale(size)
        self.moving_mean = self.add_weight(size, self.moving_mean_initializer, trainable=False, name="moving_mean")
        self.moving_variance = self.add_weight(
            size, self.moving_variance_initializer, trainable=False, name="moving_variance"
        )
        if self.renorm:

            def deviation(shape: Any, dtype: Any = None) -> Tensor:
                return sqrt(self.moving_variance_initializer(shape, dtype=dtype))

            self.moving_stddev = self.add_weight(size, deviation, trainable=False, name="moving_stddev")
            self.renorm_mean = self.add_weight(size, self.moving_mean_initializer, trainable=False, name="renorm_mean")
            self.renorm_stddev = self.add_weight(size, deviation, trainable=False, name="renorm_stddev")
        self.built = True

    def call(self, inputs: Any, training: Any = None, mask: Any = None) -> Tensor:
        x = as_tensor(inputs)
        axis = self.axis % x.ndim
        self.need(
            x.shape[axis] == self.moving_mean.shape[0], f"size {self.moving_mean.shape[0]} on axis {axis}", x.shape
        )
        if training and self.trainable:
            axes = [each for each in range(x.ndim) if each != axis]
            mean, variance = moments(x, axes) if mask is None else _masked_moments(x, axes, mask)
            if self.renorm:
                mean, variance = self._renormed(mean, variance)
            else:
                _move(self.moving_mean, mean, self.momentum)
                _move(self.moving_variance, variance, self.momentum)
        else:
            mean, variance = as_tensor(self.moving_mean), as_tensor(self.moving_variance)
        gamma, beta = self.gamma, self.beta
        if axis != x.ndim - 1:
            shape = [1] * x.ndim
            shape[axis] = x.shape[axis]
            mean, variance = reshape(mean, shape), reshape(variance, shape)
            gamma, beta = (None if each is None else reshape(each, shape) for each in (gamma, beta))
        return batch_normalization(x, mean, variance, beta, gamma, self.epsilon)

    def _renormed(self, mean: Tensor, variance: Tensor) -> tuple[Tensor, Tensor]:
        """The mean and variance by which the batch's gets (x - mean) / deviation * r + d; moves all averages."""
        deviation = sqrt(variance + self.epsilon)
        limits = self.renorm_clipping
        known = maximum(as_tensor(self.renorm_stddev), self.epsilon**0.5)
        r = stop_gradient(deviation / known)
        d = stop_gradient((mean - self.renorm_mean) / known)
        r = clip_by_value(r, limits.get("rmin", 0.0), limits.get("rmax", np.inf))
        d = clip_by_value(d, -limits.get("dmax", np.inf), limits.get("dmax", np.inf))
        _move(self.moving_mean, mean, self.momentum)
        _move(self.moving_stddev, deviation, self.momentum)
        self.moving_variance.assign(maximum(square(self.moving_stddev) - self.epsilon, 0.0))
        _move(self.renorm_mean, mean, self.renorm_momentum)
        _move(self.renorm_stddev, deviation, self.renorm_momentum)
        scaled = deviation / r
        return mean - d * scaled, square(scaled) - self.epsilon


def _move(moving: Any, batch: Tensor, momentum: float) -> None:
    moving.assign(moving * momentum + batch * (1.0 - momentum))


def _clipping(limits: dict[str, float] | None) -> dict[str, float]:
    """The limits of r and d, checked."""
    limits = dict(limits or {})
    unknown = limits.keys() - {"rmin", "rmax", "dmax"}
    rmin, rmax, dmax = (limits.get(name, usual) for name, usual in (("rmin", 0.0), ("rmax", np.inf), ("dmax", 0.0)))
    if unknown or not 0 <= rmin <= rmax or dmax < 0:
        raise InvalidArgumentError(
            "`renorm_clipping` of BatchNormalization takes 'rmin' and 'rmax', 0 <= rmin <= rmax, and 'dmax' of 0 or "
            f"more, received {limits!r}."
        )
    return limits


def _masked_moments(x: Tensor, axes: list[int], mask: Any) -> tuple[Tensor, Tensor]:
    """Mean and variance of what is not masked. mask: x's shape without the last axis, or what broadcasts to it."""
    w = broadcast_to(cast(as_tensor(mask), x.dtype)[..., None], (*x.shape[:-1], 1))
    count = reduce_sum(w, axes, keepdims=True)
    mean = reduce_sum(x * w, axes, keepdims=True) / (count + 1e-7)
    variance = reduce_sum(w * square(x - mean), axes) / (reshape(count, (-1,)) + 1e-7)
    return reshape(mean, variance.shape), variance


@REGISTRY.register()
class LayerNormalization(ScaledLayer):
    """gamma * (x - mean) / sqrt(variance + epsilon) + beta, over `axis` of each sample. Source: Ba et al. (2016).

    `rms_scaling`, which Keras keeps for old models alone: gamma * x / sqrt(variance + epsilon).
    """

    supports_masking = True

    def __init__(self, *args: Any, rms_scaling: bool = False, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if rms_scaling:
            warnings.warn(
                "`rms_scaling` divides by the deviation, not by the root mean square: use RMSNormalization.",
                stacklevel=2,
            )
            self.scale, self.center = True, False
        self.rms_scaling = rms_scaling

    def build(self, input_shape: Any) -> None:
        self._add_scale(tuple(input_shape[each] for each in _axes(self.axis, len(input_shape))))
        self.built = True

    def call(self, inputs: Any) -> Tensor:
        x = as_tensor(inputs)
        axes = _axes(self.axis, x.ndim)
        mean, variance = moments(x, axes, keepdims=True)
        shape = [x.shape[each] if each in axes else 1 for each in range(x.ndim)]
        gamma, beta = (None if each is None else reshape(each, shape) for each in (self.gamma, self.beta))
        if self.rms_scaling:
            return x * rsqrt(variance + self.epsilon) * gamma
        return batch_normalization(x, mean, variance, beta, gamma, self.epsilon)


@REGISTRY.register()
class GroupNormalization(ScaledLayer):
    """Normalization over each of `groups` parts of the channels on `axis`, of each sample. Source: Wu and He (2018).

    -1 groups: one for each channel.
    """

    supports_masking = True

    def __init__(self, groups: int = 32, axis: int = -1, *args: Any, **kwargs: Any) -> None:
        super().__init__(axis, *args, **kwargs)
        if not isinstance(groups, (int, np.integer)) or (groups <= 0 and groups != -1):
            raise InvalidArgumentError(
                f"`groups` of GroupNormalization must be a positive integer, or -1, received {groups!r}."
            )
        self.groups = groups

    def build(self, input_shape: Any) -> None:
        channels = input_shape[self.axis]
        self.need(channels is not None, f"a known size on axis {self.axis}", input_shape)
        self._count = channels if self.groups == -1 else self.groups
        if channels % self._count:
            raise InvalidArgumentError(
                f"Layer '{self.name}': the number of channels ({channels}) must be a multiple of `groups` "
                f"({self._count})."
            )
        self._add_scale((channels,))
        self.built = True

    def call(self, inputs: Any) -> Tensor:
        x = as_tensor(inputs)
        axis, shape = self.axis % x.ndim, list(x.shape)
        parts = [*shape[:axis], self._count, shape[axis] // self._count, *shape[axis + 1 :]]
        grouped = reshape(x, parts)
        mean, variance = moments(grouped, [each for each in range(1, len(parts)) if each != axis], keepdims=True)
        out = reshape((grouped - mean) * rsqrt(variance + self.epsilon), shape)
        along = [1] * x.ndim
        along[axis] = shape[axis]
        if self.scale:
            out = out * reshape(self.gamma, along)
        return out + reshape(self.beta, along) if self.center else out


@REGISTRY.register()
class RMSNormalization(Layer):
    """scale * x / sqrt(mean(x ** 2) + epsilon) over `axis`. Source: Zhang and Sennrich (2019)."""

    def __init__(self, axis: Any = -1, epsilon: float = 1e-6, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.axis = list(axis) if isinstance(axis, tuple) else axis
        self.epsilon = epsilon

    def build(self, input_shape: Any) -> None:
        shape = tuple(input_shape[each] for each in _axes(self.axis, len(input_shape)))
        self.scale = self.add_weight(shape, "ones", name="scale")
        self.built = True

    def call(self, inputs: Any) -> Tensor:
        x = as_tensor(inputs)
        axes = _axes(self.axis, x.ndim)
        shape = [x.shape[each] if each in axes else 1 for each in range(x.ndim)]
        return x * rsqrt(reduce_mean(square(x), axes, keepdims=True) + self.epsilon) * reshape(self.scale, shape)


@REGISTRY.register()
class UnitNormalization(Layer):
    """x divided by its L2 norm over `axis`."""

    supports_masking = True

    def __init__(self, axis: Any = -1, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.axis = list(axis) if isinstance(axis, tuple) else axis
        if not isinstance(self.axis, (int, list)):
            raise DTypeError(
                f"Invalid value for `axis` argument: expected an int or a list of ints, received {axis!r}."
            )

    def call(self, inputs: Any) -> Tensor:
        return l2_normalize(inputs, self.axis)
