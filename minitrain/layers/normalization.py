"""Normalization inside a network: over the batch, over features, over groups, to unit length."""

from __future__ import annotations

from typing import Any

from minitrain import constraints, initializers, regularizers
from minitrain.engine.convert import as_tensor
from minitrain.engine.tensor import Tensor
from minitrain.errors import InvalidArgumentError
from minitrain.layers.base import REGISTRY, Layer
from minitrain.ops.elementwise import cast, rsqrt, square
from minitrain.ops.neural import batch_normalization, l2_normalize, moments
from minitrain.ops.reduction import reduce_mean, reduce_sum
from minitrain.ops.shaping import reshape


def _axes(axis: Any, ndim: int) -> list[int]:
    """One or several axes as non-negative numbers."""
    return sorted(each % ndim for each in ([axis] if isinstance(axis, int) else list(axis)))


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
        **kwargs: Any,
    ) -> None:
        super().__init__(axis, epsilon, center, scale, beta_initializer, gamma_initializer, **kwargs)
        self.momentum = float(momentum)
        self.moving_mean_initializer = initializers.get(moving_mean_initializer)
        self.moving_variance_initializer = initializers.get(moving_variance_initializer)

    def build(self, input_shape: Any) -> None:
        size = (input_shape[self.axis],)
        self._add_scale(size)
        self.moving_mean = self.add_weight(size, self.moving_mean_initializer, trainable=False, name="moving_mean")
        self.moving_variance = self.add_weight(
            size, self.moving_variance_initializer, trainable=False, name="moving_variance"
        )
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
            for moving, batch in ((self.moving_mean, mean), (self.moving_variance, variance)):
                moving.assign(moving * self.momentum + batch * (1.0 - self.momentum))
        else:
            mean, variance = as_tensor(self.moving_mean), as_tensor(self.moving_variance)
        gamma, beta = self.gamma, self.beta
        if axis != x.ndim - 1:
            shape = [1] * x.ndim
            shape[axis] = x.shape[axis]
            mean, variance = reshape(mean, shape), reshape(variance, shape)
            gamma, beta = (None if each is None else reshape(each, shape) for each in (gamma, beta))
        return batch_normalization(x, mean, variance, beta, gamma, self.epsilon)


def _masked_moments(x: Tensor, axes: list[int], mask: Any) -> tuple[Tensor, Tensor]:
    """Mean and variance of what is not masked. mask: x's shape without the last axis."""
    w = cast(as_tensor(mask), x.dtype)[..., None]
    count = reduce_sum(w, axes, keepdims=True)
    mean = reduce_sum(x * w, axes, keepdims=True) / (count + 1e-7)
    variance = reduce_sum(w * square(x - mean), axes) / (reshape(count, (-1,)) + 1e-7)
    return reshape(mean, variance.shape), variance


@REGISTRY.register()
class LayerNormalization(ScaledLayer):
    """gamma * (x - mean) / sqrt(variance + epsilon) + beta, over `axis` of each sample. Source: Ba et al. (2016)."""

    supports_masking = True

    def build(self, input_shape: Any) -> None:
        self._add_scale(tuple(input_shape[each] for each in _axes(self.axis, len(input_shape))))
        self.built = True

    def call(self, inputs: Any) -> Tensor:
        x = as_tensor(inputs)
        axes = _axes(self.axis, x.ndim)
        mean, variance = moments(x, axes, keepdims=True)
        shape = [x.shape[each] if each in axes else 1 for each in range(x.ndim)]
        gamma, beta = (None if each is None else reshape(each, shape) for each in (self.gamma, self.beta))
        return batch_normalization(x, mean, variance, beta, gamma, self.epsilon)


@REGISTRY.register()
class GroupNormalization(ScaledLayer):
    """Normalization over each of `groups` parts of the channels on `axis`, of each sample. Source: Wu and He (2018).

    -1 groups: one for each channel.
    """

    supports_masking = True

    def __init__(self, groups: int = 32, axis: int = -1, **kwargs: Any) -> None:
        super().__init__(axis, **kwargs)
        self.groups = groups

    def build(self, input_shape: Any) -> None:
        channels = input_shape[self.axis]
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

    def call(self, inputs: Any) -> Tensor:
        return l2_normalize(inputs, self.axis)
