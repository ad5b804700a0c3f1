"""NumPy's functions on Tensors: `np.sin(t)`, `np.sum(t, axis=0)` are the operations of this package, recorded.

A NumPy function that has no differentiable counterpart here works on the values and returns ndarrays. Where an
argument is connected to a tape that is recording it raises instead: a gradient is never cut silently.

Since `np.stack` and the like give Tensors, these have the methods of ndarrays that people call on the result.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from minitrain.engine.backward import reach
from minitrain.engine.primitive import ops
from minitrain.engine.tensor import Tensor, TensorLike
from minitrain.engine.trail import STATE
from minitrain.engine.variable import Variable
from minitrain.errors import DTypeError
from minitrain.ops import creation, elementwise, indexing, linear, reduction, shaping

Function = Callable[..., Any]


def _truth(op: Function) -> Function:
    """NumPy's logic takes numbers for bools."""

    def function(*args: Any) -> Any:
        return op(*(elementwise.cast(each, "bool") for each in args))

    return function


UFUNCS: dict[np.ufunc, Function] = {
    primitive.kernel: getattr(ops, name)
    for name, primitive in ((each, getattr(ops, each).primitive) for each in vars(ops))
    if isinstance(primitive.kernel, np.ufunc)
} | {
    np.power: elementwise.pow,
    np.float_power: elementwise.pow,
    np.floor_divide: elementwise.floordiv,
    np.mod: elementwise.floormod,
    np.matmul: linear.matmul,
    np.reciprocal: elementwise.reciprocal,
    np.rint: elementwise.round,
    np.logical_and: _truth(elementwise.logical_and),
    np.logical_or: _truth(elementwise.logical_or),
    np.logical_xor: _truth(elementwise.logical_xor),
    np.logical_not: _truth(elementwise.logical_not),
    np.positive: elementwise.identity,
}

REDUCTIONS: dict[np.ufunc, Function] = {
    np.add: reduction.reduce_sum,
    np.multiply: reduction.reduce_prod,
    np.maximum: reduction.reduce_max,
    np.minimum: reduction.reduce_min,
    np.logical_and: reduction.reduce_all,
    np.logical_or: reduction.reduce_any,
}


def _reduction(op: Function) -> Function:
    def function(a: Any, axis: Any = None, dtype: None = None, out: None = None, keepdims: bool = False) -> Any:
        _refuse(dtype=dtype, out=out)
        return op(a, axis, keepdims is True)

    return function


def _spread(op: Function) -> Function:
    def function(
        a: Any, axis: Any = None, dtype: None = None, out: None = None, ddof: int = 0, keepdims: bool = False
    ) -> Any:
        _refuse(dtype=dtype, out=out, ddof=ddof or None)
        return op(a, axis, keepdims is True)

    return function


def _mean(a: Any, axis: Any = None, dtype: None = None, out: None = None, keepdims: bool = False) -> Any:
    _refuse(dtype=dtype, out=out)
    return reduction.reduce_mean(reduction._floats(a), axis, keepdims is True)


def _arg(op: Function) -> Function:
    def function(a: Any, axis: Any = None, out: None = None) -> Any:
        _refuse(out=out)
        return op(shaping.reshape(a, (-1,)), 0) if axis is None else op(a, axis)

    return function


def _running(op: Function) -> Function:
    def function(a: Any, axis: Any = None, dtype: None = None, out: None = None) -> Any:
        _refuse(dtype=dtype, out=out)
        return op(shaping.reshape(a, (-1,)), 0) if axis is None else op(a, axis)

    return function


def _concatenate(arrays: Any, /, axis: Any = 0, out: None = None) -> Any:
    _refuse(out=out)
    if axis is None:
        return shaping.concat([shaping.reshape(each, (-1,)) for each in arrays], 0)
    return shaping.concat(list(arrays), axis)


def _take(a: Any, indices: Any, axis: Any = None) -> Any:
    if axis is None:
        a, axis = shaping.reshape(a, (-1,)), 0
    places = np.asarray(indices)
    return indexing.gather(a, np.where(places < 0, places + np.shape(a)[axis], places), axis=axis)


def _norm(x: Any, ord: Any = None, axis: Any = None, keepdims: bool = False) -> Any:
    return reduction.norm(x, "euclidean" if ord is None else ord, axis, keepdims)


def _clip(a: Any, a_min: Any = None, a_max: Any = None, out: None = None, *, min: Any = None, max: Any = None) -> Any:
    _refuse(out=out)
    low, high = (a_min if min is None else min), (a_max if max is None else max)
    if high is not None:
        a = elementwise.minimum(a, high)
    return a if low is None else elementwise.maximum(a, low)


def _dot(a: Any, b: Any, out: None = None) -> Any:
    _refuse(out=out)
    if not (np.ndim(a) and np.ndim(b)):
        return elementwise.multiply(a, b)
    return linear.tensordot(a, b, [[-1], [-2 if np.ndim(b) > 1 else -1]])


def _where(condition: Any, x: Any = None, y: Any = None) -> Any:
    if x is None and y is None:
        return tuple(shaping.unstack(elementwise.where(condition), axis=1))
    return elementwise.where(condition, x, y)


def _tile(a: Any, reps: Any) -> Any:
    ndim, times = np.ndim(a), tuple(np.atleast_1d(reps).tolist())
    a = shaping.reshape(a, (1,) * (len(times) - ndim) + np.shape(a))
    return shaping.tile(a, (1,) * (ndim - len(times)) + times)


def _expand_dims(a: Any, axis: Any) -> Any:
    for each in sorted(each % (np.ndim(a) + np.size(axis)) for each in np.atleast_1d(axis).tolist()):
        a = shaping.expand_dims(a, each)
    return a


def _truths(op: Function) -> Function:
    return _reduction(lambda a, axis, keepdims: op(elementwise.cast(a, "bool"), axis, keepdims))


def _var(name: str) -> Function:
    return _spread(getattr(reduction, name))


FUNCTIONS: dict[Function, Function] = {
    np.sum: _reduction(reduction.reduce_sum),
    np.prod: _reduction(reduction.reduce_prod),
    np.max: _reduction(reduction.reduce_max),
    np.amax: _reduction(reduction.reduce_max),
    np.min: _reduction(reduction.reduce_min),
    np.amin: _reduction(reduction.reduce_min),
    np.all: _truths(reduction.reduce_all),
    np.any: _truths(reduction.reduce_any),
    np.mean: _mean,
    np.var: _var("reduce_variance"),
    np.std: _var("reduce_std"),
    np.argmax: _arg(reduction.argmax),
    np.argmin: _arg(reduction.argmin),
    np.cumsum: _running(reduction.cumsum),
    np.cumprod: _running(reduction.cumprod),
    np.where: _where,
    np.clip: _clip,
    np.concatenate: _concatenate,
    np.stack: lambda arrays, axis=0: shaping.stack(arrays, axis),
    np.reshape: lambda a, shape: shaping.reshape(a, shape),
    np.ravel: lambda a: shaping.reshape(a, (-1,)),
    np.transpose: lambda a, axes=None: shaping.transpose(a, axes),
    np.swapaxes: lambda a, axis1, axis2: ops.swapaxes(a, axis1=axis1, axis2=axis2),
    np.expand_dims: _expand_dims,
    np.squeeze: lambda a, axis=None: shaping.squeeze(a, axis),
    np.broadcast_to: lambda array, shape: shaping.broadcast_to(array, shape),
    np.tile: _tile,
    np.repeat: lambda a, repeats, axis=None: shaping.repeat(a, repeats, axis),
    np.flip: lambda m, axis=None: shaping.flip(m, axis),
    np.roll: lambda a, shift, axis: shaping.roll(a, shift, axis),
    np.sort: lambda a, axis=-1: indexing.sort(a, axis),
    np.argsort: lambda a, axis=-1: indexing.argsort(a, axis),
    np.take: _take,
    np.dot: _dot,
    np.tensordot: lambda a, b, axes=2: linear.tensordot(a, b, axes),
    np.einsum: lambda subscripts, *operands: linear.einsum(subscripts, *operands),
    np.trace: lambda a: linear.trace(a),
    np.linalg.norm: _norm,
    np.linalg.inv: lambda a: linear.inv(a),
    np.linalg.det: lambda a: linear.det(a),
    np.linalg.solve: lambda a, b: linear.solve(a, b),
    np.linalg.cholesky: lambda a: linear.cholesky(a),
    np.zeros_like: lambda a, dtype=None: creation.zeros_like(a, dtype),
    np.ones_like: lambda a, dtype=None: creation.ones_like(a, dtype),
}

# What asks about a value without computing from it: no gradient can be lost.
QUESTIONS = {np.shape, np.ndim, np.size, np.result_type, np.iscomplexobj, np.isrealobj, np.array_repr, np.array_str}


def array_ufunc(self: Any, ufunc: np.ufunc, method: str, *inputs: Any, **kwargs: Any) -> Any:
    """NumPy's hook for `np.add(a, t)` and the like."""
    op = UFUNCS.get(ufunc) if method == "__call__" else REDUCTIONS.get(ufunc) if method == "reduce" else None
    if any(isinstance(each, TensorLike) for each in kwargs.get("out") or ()):
        raise DTypeError(f"A Tensor is immutable, and `out=` of numpy.{ufunc.__name__} cannot take one. Leave it out.")
    if op is None or kwargs.get("out") is not None or (method == "__call__" and kwargs):
        return _on_values(f"numpy.{ufunc.__name__}", getattr(ufunc, method), inputs, kwargs)
    if method == "reduce":
        return op(inputs[0], kwargs.get("axis", 0), kwargs.get("keepdims", False))
    return op(*inputs)


def array_function(self: Any, func: Function, types: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """NumPy's hook for `np.sum(t)` and the like."""
    known = FUNCTIONS.get(func)
    name = f"{func.__module__}.{func.__name__}"
    if known is None:
        return _on_values(name, func, args, kwargs)
    try:
        return known(*args, **kwargs)
    except TypeError as error:
        if "unexpected keyword" not in str(error) and "positional argument" not in str(error):
            raise
        return _on_values(name, func, args, kwargs)


def is_connected(value: TensorLike) -> bool:
    """Whether a tape that is recording in this thread would let a gradient flow to `value`."""
    trail = STATE.trail
    if trail is None:
        return False
    tensor = value._read()
    return trail.marks(tensor) and any(
        id(tensor) in reach(tape._records(), tape._watched) for tape in trail.listening if tape is not trail.recorder
    )


def _on_values(name: str, function: Function, args: Any, kwargs: dict[str, Any]) -> Any:
    def value_of(each: Any) -> Any:
        if isinstance(each, TensorLike):
            if function not in QUESTIONS and is_connected(each):
                raise DTypeError(
                    f"`{name}` has no gradient here, and its argument {each.shape} is connected to a tape that is "
                    "recording. Call `.numpy()` on it to leave the tape on purpose, use an operation of minitrain, or "
                    "compute it outside the tape."
                )
            if function not in QUESTIONS:
                each._leave(f"`{name}`")
            return each._peek()
        if isinstance(each, (list, tuple)):
            return type(each)(value_of(one) for one in each)
        return each

    return function(*(value_of(each) for each in args), **{key: value_of(each) for key, each in kwargs.items()})


def _refuse(**options: Any) -> None:
    """Options of NumPy's that the operations here do not have: with them, `array_function` goes on with the values."""
    for name, value in options.items():
        if value is not None:
            raise TypeError(f"unexpected keyword argument {name!r}")


def _method(function: Function) -> Function:
    def method(self: Any, *args: Any, **kwargs: Any) -> Any:
        return array_function(self, function, (), (self, *args), kwargs)

    method.__name__ = function.__name__
    method.__doc__ = f"`numpy.{function.__name__}` of this Tensor."
    return method


def _shape_given(args: tuple[Any, ...]) -> Any:
    """The one argument that stands for all, as in `reshape(2, 3)` and `reshape((2, 3))`."""
    return args[0] if len(args) == 1 else args


METHODS: dict[str, Any] = {
    **{
        each.__name__: _method(each)
        for each in (
            *(np.all, np.any, np.argmax, np.argmin, np.argsort, np.clip, np.cumprod, np.cumsum, np.dot, np.max),
            *(np.mean, np.min, np.prod, np.ravel, np.repeat, np.round, np.squeeze, np.std, np.sum, np.swapaxes),
            *(np.take, np.trace, np.var),
        )
    },
    "astype": lambda self, dtype: elementwise.cast(self, dtype),
    "copy": lambda self: elementwise.identity(self),
    "flatten": lambda self: shaping.reshape(self, (-1,)),
    "item": lambda self, *place: np.asarray(self.numpy()).item(*place),
    "reshape": lambda self, *shape: shaping.reshape(self, _shape_given(shape)),
    "tolist": lambda self: self.numpy().tolist(),
    "transpose": lambda self, *axes: shaping.transpose(self, _shape_given(axes) if axes else None),
    "T": property(lambda self: shaping.transpose(self)),
    "size": property(lambda self: self._peek().size),
}
for _name, _made in METHODS.items():
    setattr(Tensor, _name, _made)  # symbolic tensors have no values: none of these, as in Keras
    setattr(Variable, _name, _made)

TensorLike.__array_ufunc__ = array_ufunc  # type: ignore[attr-defined]
TensorLike.__array_function__ = array_function  # type: ignore[attr-defined]
