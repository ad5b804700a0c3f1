"""Layers that make one output of several inputs."""

from __future__ import annotations

import functools
from typing import Any

from minitrain.engine.convert import as_tensor
from minitrain.engine.tensor import Tensor
from minitrain.errors import DTypeError, InvalidArgumentError, ShapeError
from minitrain.layers.base import REGISTRY, Layer, as_known
from minitrain.ops import creation, elementwise, shaping
from minitrain.ops.linear import matmul
from minitrain.ops.neural import l2_normalize


class _Merge(Layer):
    """A function of two Tensors applied to all inputs in turn; shapes broadcast behind the batch axis."""

    supports_masking = True

    def _list(self, inputs: Any) -> list[Tensor]:
        if not isinstance(inputs, (list, tuple)) or not inputs:
            raise InvalidArgumentError(
                f"Layer '{self.name}' ({type(self).__name__}) should be called on a list of at least 1 input, "
                f"received {type(inputs).__name__!r}."
            )
        xs = [as_tensor(each) for each in inputs]
        most = max(x.ndim for x in xs)
        # Inputs of fewer axes get ones behind the batch axis, as in Keras.
        return [
            shaping.reshape(x, (x.shape[0], *(1,) * (most - x.ndim), *x.shape[1:])) if 0 < x.ndim < most else x
            for x in xs
        ]

    def _masks(self, inputs: Any, masks: Any) -> list[Any]:
        """The mask of each input, None where it has none."""
        if not isinstance(inputs, (list, tuple)) or not isinstance(masks, (list, tuple)) or len(inputs) != len(masks):
            raise InvalidArgumentError(
                f"Layer '{self.name}' ({type(self).__name__}) makes its mask of a list of inputs and a list of as many "
                f"masks, received {inputs!r} and {masks!r}."
            )
        return [None if each is None else elementwise.cast(each, "bool") for each in masks]

    def compute_mask(self, inputs: Any, previous_mask: Any = None) -> Any:
        masks = [None] if previous_mask is None else self._masks(inputs, previous_mask)
        return None if any(each is None for each in masks) else functools.reduce(elementwise.logical_or, masks)

    def merge(self, a: Tensor, b: Tensor) -> Tensor:
        raise NotImplementedError  # subclasses do

    def call(self, inputs: Any) -> Tensor:
        return self._merged(self._list(inputs))

    def _merged(self, xs: list[Tensor]) -> Tensor:
        try:
            return functools.reduce(self.merge, xs)
        except ShapeError as error:
            raise ShapeError(
                f"Layer '{self.name}' ({type(self).__name__}) needs inputs whose shapes broadcast, received "
                f"{[as_known(x.shape) for x in xs]}."
            ) from error


@REGISTRY.register()
class Add(_Merge):
    """The sum of the inputs, element by element."""

    def merge(self, a: Tensor, b: Tensor) -> Tensor:
        return a + b


def _over(mask: Any, x: Tensor) -> Any:
    """A mask of steps, for each feature of x."""
    return None if mask is None else shaping.broadcast_to(elementwise.cast(mask, "bool")[..., None], x.shape)


@REGISTRY.register()
class Multiply(_Merge):
    """The product of the inputs, element by element. Masked steps count as 1, and as 0 where all are masked."""

    def merge(self, a: Tensor, b: Tensor) -> Tensor:
        return a * b

    def call(self, inputs: Any, mask: Any = None) -> Tensor:
        xs = self._list(inputs)
        if mask is None:
            return self._merged(xs)
        kept = [_over(its, x) for its, x in zip(mask, xs, strict=True)]
        one = [elementwise.cast(1, x.dtype) for x in xs]
        out = self._merged(
            [x if k is None else elementwise.where(k, x, i) for k, x, i in zip(kept, xs, one, strict=True)]
        )
        if any(each is None for each in kept):
            return out
        return elementwise.where(functools.reduce(elementwise.logical_or, kept), out, elementwise.cast(0, out.dtype))


class _Extreme(_Merge):
    """The one of the inputs that `merge` picks, element by element, among those whose step is not masked."""

    def call(self, inputs: Any, mask: Any = None) -> Tensor:
        xs = self._list(inputs)
        if mask is None:
            return self._merged(xs)
        kept = [_over(its, x) for its, x in zip(mask, xs, strict=True)]
        out, its = xs[0], kept[0]
        for x, own in zip(xs[1:], kept[1:], strict=True):
            x = x if own is None else elementwise.where(own, x, out)
            out = self._merged([out if its is None else elementwise.where(its, out, x), x])
            its = None if its is None or own is None else elementwise.logical_or(its, own)
        return out


@REGISTRY.register()
class Maximum(_Extreme):
    """The largest of the inputs, element by element, of those whose step is not masked."""

    def merge(self, a: Tensor, b: Tensor) -> Tensor:
        return elementwise.maximum(a, b)


@REGISTRY.register()
class Minimum(_Extreme):
    """The smallest of the inputs, element by element, of those whose step is not masked."""

    def merge(self, a: Tensor, b: Tensor) -> Tensor:
        return elementwise.minimum(a, b)


@REGISTRY.register()
class Subtract(_Merge):
    """The first input minus the second."""

    def call(self, inputs: Any) -> Tensor:
        if len(self._list(inputs)) != 2:
            raise InvalidArgumentError(
                f"Layer '{self.name}' (Subtract) needs exactly 2 inputs, received {len(inputs)}."
            )
        return super().call(inputs)

    def merge(self, a: Tensor, b: Tensor) -> Tensor:
        return a - b


@REGISTRY.register()
class Average(_Merge):
    """The mean of the inputs, element by element."""

    def merge(self, a: Tensor, b: Tensor) -> Tensor:
        return a + b

    def call(self, inputs: Any) -> Tensor:
        return super().call(inputs) / float(len(inputs))


@REGISTRY.register()
class Concatenate(_Merge):
    """The inputs joined along `axis`."""

    def __init__(self, axis: int = -1, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.axis = axis

    def call(self, inputs: Any) -> Tensor:
        xs = self._list(inputs)
        try:
            return shaping.concat(xs, self.axis)
        except ShapeError as error:
            raise ShapeError(
                f"Layer '{self.name}' (Concatenate) needs inputs that agree in all axes but {self.axis}, received "
                f"{[as_known(x.shape) for x in xs]}."
            ) from error

    def compute_mask(self, inputs: Any, previous_mask: Any = None) -> Any:
        given = [None] if previous_mask is None else self._masks(inputs, previous_mask)
        if all(each is None for each in given):
            return None
        masks: list[Any] = [
            creation.ones(x.shape[:-1], "bool") if each is None else each for x, each in zip(inputs, given, strict=True)
        ]
        axis = self.axis % inputs[0].ndim
        # Side by side a step counts where any of the inputs has one.
        return functools.reduce(elementwise.logical_or, masks) if axis == masks[0].ndim else shaping.concat(masks, axis)


@REGISTRY.register()
class Dot(_Merge):
    """Sums of products of two inputs over one axis of each, sample by sample; `normalize` gives cosines.

    `axes`: an axis, or one for each input, the batch axis not among them.
    """

    def __init__(self, axes: Any, normalize: bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if not isinstance(axes, (int, list, tuple)):
            raise DTypeError(f"`axes` of Dot must be an integer or two of them, received {axes!r}.")
        if not isinstance(axes, int) and (len(axes) != 2 or not all(isinstance(each, int) for each in axes)):
            raise InvalidArgumentError(f"`axes` of Dot must be an integer or two of them, received {axes!r}.")
        self.axes = list(axes) if isinstance(axes, tuple) else axes
        self.normalize = normalize

    def call(self, inputs: Any) -> Tensor:
        if not isinstance(inputs, (list, tuple)) or len(inputs) != 2:
            raise InvalidArgumentError(f"Layer '{self.name}' (Dot) should be called on exactly 2 inputs.")
        a, b = (as_tensor(each) for each in inputs)
        first, second = (self.axes, self.axes) if isinstance(self.axes, int) else self.axes
        first, second = first % a.ndim, second % b.ndim
        if 0 in (first, second) or a.shape[first] != b.shape[second] or a.shape[0] != b.shape[0]:
            raise ShapeError(
                f"Layer '{self.name}' (Dot) over axes {self.axes} needs equal sizes there and in the batch, received "
                f"{tuple(a.shape)} and {tuple(b.shape)}."
            )
        if self.normalize:
            a, b = l2_normalize(a, first), l2_normalize(b, second)
        rest_a = [axis for axis in range(1, a.ndim) if axis != first]
        rest_b = [axis for axis in range(1, b.ndim) if axis != second]
        n, k = a.shape[0], a.shape[first]
        left = shaping.reshape(shaping.transpose(a, [0, *rest_a, first]), (n, -1, k))
        right = shaping.reshape(shaping.transpose(b, [0, second, *rest_b]), (n, k, -1))
        shape = (n, *(a.shape[axis] for axis in rest_a), *(b.shape[axis] for axis in rest_b))
        return shaping.reshape(matmul(left, right), shape if len(shape) > 1 else (n, 1))

    def compute_mask(self, inputs: Any, previous_mask: Any = None) -> Any:
        return None
