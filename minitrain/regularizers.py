"""Keras's regularizers: penalties on weights that are added to the loss."""

from __future__ import annotations

from typing import Any

from minitrain.configuration import Configurable, Registry
from minitrain.configuration import serialize as serialize  # Keras's name for it, public here
from minitrain.engine.convert import as_tensor
from minitrain.engine.tensor import Tensor
from minitrain.errors import InvalidArgumentError, ShapeError
from minitrain.ops import linear
from minitrain.ops.creation import eye
from minitrain.ops.elementwise import abs
from minitrain.ops.neural import l2_normalize, sum_of_squares
from minitrain.ops.reduction import reduce_sum

REGISTRY = Registry("regularizer")


class Regularizer(Configurable):
    """The base: `regularizer(x)` gives a scalar Tensor. Users' own override `__call__`."""

    def __call__(self, x: Any) -> Any:
        """The penalty for a weight."""
        raise NotImplementedError(f"{type(self).__name__} must define __call__(self, x).")


def _factor(value: Any, name: str) -> float:
    if not isinstance(value, (int, float)) or not 0 <= value < float("inf"):
        raise InvalidArgumentError(f"`{name}` must be a finite number of 0 or more, received {value!r}.")
    return float(value)


@REGISTRY.register("l1")
class L1(Regularizer):
    """l1 * sum(|x|)."""

    def __init__(self, l1: float = 0.01) -> None:
        self.l1 = _factor(l1, "l1")

    def __call__(self, x: Any) -> Tensor:
        return self.l1 * reduce_sum(abs(x))


@REGISTRY.register("l2")
class L2(Regularizer):
    """l2 * sum(x ** 2)."""

    def __init__(self, l2: float = 0.01) -> None:
        self.l2 = _factor(l2, "l2")

    def __call__(self, x: Any) -> Tensor:
        return self.l2 * sum_of_squares(x)


@REGISTRY.register("l1_l2")
class L1L2(Regularizer):
    """l1 * sum(|x|) + l2 * sum(x ** 2)."""

    def __init__(self, l1: float = 0.0, l2: float = 0.0) -> None:
        self.l1 = _factor(l1, "l1")
        self.l2 = _factor(l2, "l2")

    def __call__(self, x: Any) -> Tensor:
        return self.l1 * reduce_sum(abs(x)) + self.l2 * sum_of_squares(x)


@REGISTRY.register("orthogonal_regularizer")
class OrthogonalRegularizer(Regularizer):
    """factor * the mean |cosine| of pairs of rows, or columns, of a matrix: (n, m)."""

    def __init__(self, factor: float = 0.01, mode: str = "rows") -> None:
        if mode not in ("rows", "columns"):
            raise InvalidArgumentError(f"`mode` must be 'rows' or 'columns', received {mode!r}.")
        self.factor = _factor(factor, "factor")
        self.mode = mode

    def __call__(self, x: Any) -> Tensor:
        x = as_tensor(x)
        if x.ndim != 2:
            raise ShapeError(f"OrthogonalRegularizer needs a matrix, received shape {tuple(x.shape)}.")
        axis = 1 if self.mode == "rows" else 0
        x = l2_normalize(x, axis)
        products = linear.matmul(x, x, transpose_b=True) if axis else linear.matmul(x, x, transpose_a=True)
        n = products.shape[0]
        pairs = n * (n - 1.0) / 2.0
        return self.factor * 0.5 * reduce_sum(abs(products * (1.0 - eye(n, dtype=x.dtype)))) / pairs


def get(identifier: Any) -> Any:
    """The regularizer that `identifier` stands for: None, a string, class, instance, configuration or callable."""
    return REGISTRY.get(identifier)


deserialize = REGISTRY.deserialize
l1, l2, l1_l2, orthogonal_regularizer = L1, L2, L1L2, OrthogonalRegularizer
