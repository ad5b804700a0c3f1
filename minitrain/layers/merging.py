"""Layers that make one output of several inputs."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from minitrain.engine.convert import as_tensor
from minitrain.engine.tensor import Tensor
from minitrain.errors import DTypeError, InvalidArgumentError, ShapeError
from minitrain.layers.base import REGISTRY, Layer
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

    def compute_mask(self, inputs: Any, previous_mask: Any) -> Any:
        masks = [each for each in previous_mask if each is not None]
        return functools.reduce(elementwise.logical_or, masks) if len(masks) == len(previous_mask) else None

    def merge(self, a: Tensor, b: Tensor) -> Tensor:
        raise NotImplementedError  # subclasses do

    def call(self, inputs: Any) -> Tensor:
        xs = self._list(inputs)
        try:
            return functools.reduce(self.merge, xs)
        except ShapeError as error:
            raise ShapeError(
                f"Layer '{self.name}' ({type(self).__name__}) needs inputs whose shapes broadcast, received "
                f"{[tuple(x.shape) for x in xs]}."
            ) from error


def _merging(name: str, op: Callable[..., Any], doc: str) -> Any:
    return REGISTRY.add(
        type(name, (_Merge,), {"merge": lambda self, a, b: op(a, b), "__doc__": doc, "__module__": __name__})
    )


Add = _merging("Add", elementwise.add, "The sum of the inputs, element by element.")
Multiply = _merging("Multiply", elementwise.multiply, "The product of the inputs, element by element.")
Maximum = _merging("Maximum", elementwise.maximum, "The largest of the inputs, element by element.")
Minimum = _merging("Minimum", elementwise.minimum, "The smallest of the inputs, element by element.")


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
                f"{[tuple(x.shape) for x in xs]}."
            ) from error

    def compute_mask(self, inputs: Any, previous_mask: Any) -> Any:
        if all(each is None for each in previous_mask):
            return None
        masks = [
            creation.ones(x.shape[:-1], "bool") if each is None else each
            for x, each in zip(inputs, previous_mask, strict=True)
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

    def compute_mask(self, inputs: Any, previous_mask: Any) -> Any:
        return None
