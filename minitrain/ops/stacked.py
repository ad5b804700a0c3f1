"""How operations act on a stack: on inputs with a further, first axis, where the values of several models stand.

An input that all models share has a first axis of 1. Operations that count axes from the right carry a first axis along
as they are, and are named here; those whose params hold shapes or axes that count from the left have a rule. Any other
operation is done model by model.
"""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import Any

import numpy as np

from minitrain.engine.primitive import PRIMITIVES
from minitrain.ops.linear import LONGEST_DOT, ones_of

CARRIED = """
    argmax argmin argsort cast cast_discrete cumprod cumsum divide_no_nan elu erf erfc floordiv
    floormod gate gelu_erf gelu_tanh identity leaky_relu lgamma log_sigmoid log_softmax logical_and
    logical_not logical_or logical_xor mish multiply_no_nan one_hot ones_like pass_positive place
    pow reciprocal relu relu6 round rsqrt selu sigmoid sigmoid_cross_entropy silu softmax
    softmax_cross_entropy softplus softsign square squared_difference stop_gradient where xdivy
    xlogy zeros_like
"""  # and every ufunc
REDUCED = "all any count_nonzero euclidean_norm logsumexp max mean min prod sum"  # over all axes by default
LEVEL = "add_n concat sparse_softmax_cross_entropy stack"  # those that do not broadcast

Stacked = Callable[..., Any]


def rule(names: str) -> Callable[[Callable[[str], Stacked]], Callable[[str], Stacked]]:
    """Decorate a function that makes the rule of each of the named operations."""

    def register(make: Callable[[str], Stacked]) -> Callable[[str], Stacked]:
        for name in names.split():
            PRIMITIVES[name].stacked = make(name)
        return make

    return register


def aligned(xp: Any, xs: Any, ndim: int | None = None) -> list[Any]:
    """Inputs that broadcast as they did without the first axis: with axes of 1 behind it up to `ndim`."""
    ndim = ndim or max(len(x.shape) for x in xs)
    return [
        x if len(x.shape) == ndim else xp.reshape(x, shape=(x.shape[0], *(1,) * (ndim - len(x.shape)), *x.shape[1:]))
        for x in xs
    ]


def level(xp: Any, xs: Any) -> list[Any]:
    """Inputs with a first axis of one length: what is shared is repeated."""
    lead = max(x.shape[0] for x in xs)
    return [x if x.shape[0] == lead else xp.broadcast_to(x, shape=(lead, *x.shape[1:])) for x in xs]


def later(axis: Any) -> Any:
    """An axis, or several, behind one more."""
    if isinstance(axis, tuple):
        return tuple([later(each) for each in axis])
    return axis if axis is None or axis < 0 else axis + 1


@rule(" ".join(name for name, each in PRIMITIVES.items() if isinstance(each.kernel, np.ufunc)))
@rule(CARRIED)
def _(name: str) -> Stacked:
    def carried(xp: Any, *xs: Any, **params: Any) -> Any:
        if "axis" in params:
            params["axis"] = later(params["axis"])
        return getattr(xp, name)(*aligned(xp, xs), **params)

    return carried


@rule(REDUCED)
def _(name: str) -> Stacked:
    def reduced(xp: Any, x: Any, *, axis: Any = None, **params: Any) -> Any:
        own = tuple(range(1 - len(x.shape), 0))
        return getattr(xp, name)(x, axis=own if axis is None else later(axis), **params)

    return reduced


@rule(LEVEL)
def _(name: str) -> Stacked:
    def levelled(xp: Any, *xs: Any, **params: Any) -> Any:
        if "axis" in params:
            params["axis"] = later(params["axis"])
        return getattr(xp, name)(*level(xp, xs), **params)

    return levelled


@rule("matmul")
def _(name: str) -> Stacked:
    def matmul(xp: Any, x: Any, y: Any) -> Any:
        x, y = aligned(xp, (x, y))
        if x.shape[-1] == 1:  # columns times rows: BLAS takes more than twice the time
            return xp.multiply(x, y)
        return xp.matmul(x, y)

    return matmul


@rule("dense")
def _(name: str) -> Stacked:
    def dense(xp: Any, x: Any, kernel: Any, bias: Any, *, activation: str | None) -> Any:
        out = xp.add(*aligned(xp, (xp.matmul(*aligned(xp, (x, kernel))), bias)))
        return out if activation is None else getattr(xp, activation)(out)

    return dense


@rule("column_sum")
def _(name: str) -> Stacked:
    def column_sum(xp: Any, x: Any) -> Any:
        count = x.shape[-2]
        if not 0 < count <= LONGEST_DOT:
            return xp.column_sum(x)
        ones = ones_of(count, np.dtype(x.dtype)).reshape(*(1,) * (len(x.shape) - 1), count)  # a third of the time
        return xp.reshape(xp.matmul(ones, x), shape=(*x.shape[:-2], x.shape[-1]))

    return column_sum


@rule("sum_of_squares")
def _(name: str) -> Stacked:
    def sum_of_squares(xp: Any, x: Any) -> Any:
        count = prod(x.shape[1:])
        rows = xp.reshape(x, shape=(x.shape[0], 1, count))
        return xp.reshape(xp.matmul(rows, xp.swapaxes(rows, axis1=-1, axis2=-2)), shape=(x.shape[0],))

    return sum_of_squares


@rule("mean_squared_error")
def _(name: str) -> Stacked:
    def mean_squared_error(xp: Any, x: Any, y: Any) -> Any:
        error = xp.subtract(x, y)
        return PRIMITIVES["sum_of_squares"].stacked(xp, error) / float(max(prod(error.shape[1:]), 1))  # type: ignore[misc]

    return mean_squared_error


@rule("reshape broadcast_to")
def _(name: str) -> Stacked:
    def reshape(xp: Any, x: Any, *, shape: Any) -> Any:
        if name == "broadcast_to":
            (x,) = aligned(xp, (x,), len(shape) + 1)
        return getattr(xp, name)(x, shape=(x.shape[0], *shape))

    return reshape


@rule("transpose")
def _(name: str) -> Stacked:
    return lambda xp, x, *, perm: xp.transpose(x, perm=(0, *(axis % len(perm) + 1 for axis in perm)))


@rule("swapaxes")
def _(name: str) -> Stacked:
    return lambda xp, x, *, axis1, axis2: xp.swapaxes(x, axis1=later(axis1), axis2=later(axis2))


@rule("getitem")
def _(name: str) -> Stacked:
    return lambda xp, x, *, index: xp.getitem(x, index=(slice(None), *index))


@rule("pad")
def _(name: str) -> Stacked:
    return lambda xp, x, *, paddings, value: xp.pad(x, paddings=((0, 0), *paddings), value=value)


@rule("tile")
def _(name: str) -> Stacked:
    return lambda xp, x, *, multiples: xp.tile(x, multiples=(1, *multiples))
