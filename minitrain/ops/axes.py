"""Axis and shape arguments: what users may write, checked, in the one form that kernels and rules take.

Axes count from the right, as negative numbers, so that a rule holds whatever extra leading axes a stack of cotangents
brings.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from minitrain.engine.tensor import Tensor, TensorLike
from minitrain.errors import DTypeError, InvalidArgumentError, ShapeError


def one_axis(axis: Any, ndim: int, what: str = "axis") -> int:
    """An axis of an array of `ndim` axes as a negative int. Raises InvalidArgumentError where there is none such."""
    axis = as_int(axis, what)
    if not -ndim <= axis < ndim:
        raise InvalidArgumentError(
            f"Invalid `{what}` {axis} for a tensor with {ndim} dimension(s): expected {-ndim} to {ndim - 1}."
            if ndim
            else f"Invalid `{what}` {axis}: a scalar has no axes. Leave it out, or reshape first."
        )
    return axis - ndim if axis >= 0 else axis


def many_axes(axis: Any, ndim: int) -> tuple[int, ...] | None:
    """None, an int or several as negative ints, each once; None for all axes."""
    if axis is None:
        return None
    if isinstance(axis, TensorLike):
        axis = axis.numpy()
    if np.ndim(axis) == 0:
        return (one_axis(axis, ndim),)
    axes = tuple(one_axis(each, ndim) for each in axis)
    if len(set(axes)) != len(axes):
        raise InvalidArgumentError(f"`axis` {tuple(axis)} names an axis twice for a tensor with {ndim} dimension(s).")
    return axes


def as_int(value: Any, what: str) -> int:
    """A Python int from an int-like value, scalar integer Tensors included."""
    try:
        return int(value.__index__())
    except (AttributeError, TypeError) as error:
        if isinstance(value, np.ndarray) and value.ndim == 0 and value.dtype.kind in "iu":
            return int(value)
        raise DTypeError(f"`{what}` must be an integer, received {value!r}.") from error


def values_of(x: Tensor) -> Any:
    """The values of a Tensor that an operation needs before it computes; a program cannot be made of that."""
    x._leave("an operation that needs the values of its arguments beforehand")
    return x._array


def as_ints(values: Any, what: str) -> tuple[int, ...]:
    """A tuple of Python ints from an int, a sequence of them, an array or a Tensor."""
    if isinstance(values, (TensorLike, np.ndarray)):
        values = np.asarray(values).tolist()
    if not isinstance(values, (list, tuple)):
        values = (values,)
    return tuple([each if type(each) is int else as_int(each, what) for each in values])


def as_shape(shape: Any) -> tuple[int, ...]:
    """A shape: an int, a sequence of them, an array or a Tensor. Negative sizes raise ShapeError."""
    sizes = as_ints(shape, "shape")
    if any(size < 0 for size in sizes):
        raise ShapeError(f"A shape needs sizes of 0 or more, received {sizes}.")
    return sizes


def lead_of(g: Any, out: Any) -> int:
    """How many extra leading axes the cotangent `g` of `out` carries."""
    return len(g.shape) - len(out.shape)
