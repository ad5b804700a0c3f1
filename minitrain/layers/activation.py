"""Activations with arguments or weights of their own, as layers."""

from __future__ import annotations

from typing import Any

import numpy as np

from minitrain import activations, constraints, initializers, regularizers
from minitrain.engine.convert import as_tensor
from minitrain.engine.tensor import Tensor
from minitrain.errors import InvalidArgumentError, ShapeError
from minitrain.layers.base import REGISTRY, Layer
from minitrain.ops.elementwise import cast, where
from minitrain.ops.neural import relu


@REGISTRY.register()
class ReLU(Layer):
    """max(x, 0); below `threshold` negative_slope * (x - threshold), above `max_value` that value."""

    supports_masking = True

    def __init__(
        self, max_value: float | None = None, negative_slope: float = 0.0, threshold: float = 0.0, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        limit = 0.0 if max_value is None else max_value
        for value, name in ((negative_slope, "negative_slope"), (threshold, "threshold"), (limit, "max_value")):
            if value is None or value < 0:
                raise InvalidArgumentError(f"`{name}` of ReLU must be 0 or more, received {value!r}.")
        self.max_value = max_value
        self.negative_slope = negative_slope
        self.threshold = threshold

    def call(self, inputs: Any) -> Tensor:
        return activations.relu(inputs, self.negative_slope, self.max_value, self.threshold)


@REGISTRY.register()
class LeakyReLU(Layer):
    """x above 0, negative_slope * x below. `alpha` is the slope's name of old."""

    supports_masking = True

    def __init__(self, negative_slope: float = 0.3, **kwargs: Any) -> None:
        negative_slope = kwargs.pop("alpha", negative_slope)
        super().__init__(**kwargs)
        if negative_slope is None or negative_slope < 0:
            raise InvalidArgumentError(f"`negative_slope` must be 0 or more, received {negative_slope!r}.")
        self.negative_slope = negative_slope

    def call(self, inputs: Any) -> Tensor:
        return activations.leaky_relu(inputs, self.negative_slope)


@REGISTRY.register()
class PReLU(Layer):
    """x above 0, alpha * x below, with a learned alpha for each position, shared along `shared_axes`.

    Source: He et al. (2015), eq. 1.
    """

    supports_masking = True

    def __init__(
        self,
        alpha_initializer: Any = "Zeros",
        alpha_regularizer: Any = None,
        alpha_constraint: Any = None,
        shared_axes: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.alpha_initializer = initializers.get(alpha_initializer)
        self.alpha_regularizer = regularizers.get(alpha_regularizer)
        self.alpha_constraint = constraints.get(alpha_constraint)
        self.shared_axes = [shared_axes] if isinstance(shared_axes, int) else shared_axes

    def build(self, input_shape: Any) -> None:
        shape = list(input_shape[1:])
        for axis in self.shared_axes or ():
            shape[axis - 1] = 1
        self.alpha = self.add_weight(
            shape,
            self.alpha_initializer,
            regularizer=self.alpha_regularizer,
            constraint=self.alpha_constraint,
            name="alpha",
        )
        self.built = True

    def call(self, inputs: Any) -> Tensor:
        x = as_tensor(inputs)
        return relu(x) - self.alpha * relu(-x)


@REGISTRY.register()
class ELU(Layer):
    """x above 0, alpha * (e ** x - 1) below."""

    supports_masking = True

    def __init__(self, alpha: float = 1.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.alpha = alpha

    def call(self, inputs: Any) -> Tensor:
        return activations.elu(inputs, self.alpha)


@REGISTRY.register()
class Softmax(Layer):
    """e ** x / sum(e ** x) over `axis`; masked positions get 0, where all are masked too.

    The mask broadcasts to the input, counted from the last axis; one of numbers holds above 0.5.
    """

    supports_masking = True

    def __init__(self, axis: Any = -1, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.axis = axis

    def call(self, inputs: Any, mask: Any = None) -> Tensor:
        x = as_tensor(inputs)
        axis = self.axis if not isinstance(self.axis, list) else tuple(self.axis)
        if mask is None:
            return activations.softmax(x, axis)
        kept = as_tensor(mask)
        fits = zip(reversed(kept.shape), reversed(x.shape), strict=False)
        if kept.ndim > x.ndim or not all(a in (1, b) for a, b in fits):
            raise ShapeError(
                f"The mask of layer '{self.name}' (Softmax) must broadcast to its input, of shape {tuple(x.shape)}; "
                f"received shape {tuple(kept.shape)}."
            )
        kept = kept if kept.dtype == "bool" else kept > 0.5
        lowest = 0.7 * float(np.finfo(x._array.dtype).min)  # whose difference to another number is no infinity
        out = activations.softmax(where(kept, x, cast(lowest, x.dtype)), axis)
        return where(kept, out, cast(0, out.dtype))
