"""Primitives: an operation's kernel on raw ndarrays and, under it, one rule for each input's gradient.

    tanh = primitive(np.tanh)                      # the kernel: ndarrays in and out

    @tanh.vjp("x")
    def _(xp, g, out, x):                          # the rule: pure, sees nothing else
        return g * (1.0 - out * out)

Registering fills two namespaces with the same names: `kernels` (ndarrays) and `ops` (Tensors, recorded). A rule gets
one of them as `xp`: `kernels` in an ordinary backward pass, which is then plain NumPy, and `ops` where a tape listens,
so that the pass is itself recorded and can be differentiated again. The functions that users call are made here from
one template per arity, with the recording written out in each: a shared helper would cost more than the recording.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, Protocol, cast

import numpy as np
from numpy import asarray, ndarray

from minitrain.dtypes import float_for
from minitrain.engine.convert import as_tensor, operands, same_dtype, to_dtype
from minitrain.engine.symbolic import PRIMITIVE_OPS, KerasTensor, draw, holds_symbolic
from minitrain.engine.tensor import Tensor
from minitrain.engine.trail import STATE
from minitrain.errors import DTypeError, InvalidArgumentError, MinitrainError, ShapeError

__all__ = ["PRIMITIVES", "Op", "Primitive", "kernels", "ops", "primitive"]

Array = Any
Rule = Callable[..., Any]

kernels = SimpleNamespace()
ops = SimpleNamespace()
PRIMITIVE_OPS.append(lambda name: getattr(ops, name, None))


class Primitive:
    """An operation as the tape knows it: its name, its kernel, and a rule for each input that has a gradient.

    `rules[i]` is called as rule(xp, g, out, *inputs, **params) and returns the cotangent of input i, before
    broadcasting is undone. `joint`, where an operation has it instead, is called as
    joint(xp, g, wanted, out, *inputs, **params) and returns one cotangent per input; `wanted` says which are needed.
    For an operation with several outputs `g` and `out` are tuples. `stackable` says that rules accept extra leading
    axes on `g`. `stacked`, where there is one, is called as stacked(xp, *inputs, **params) on inputs with a further,
    first axis, one place for each of several models. `fills` says that where some of several outputs have no cotangent
    `g` holds zeros for these, not None.
    """

    __slots__ = (
        "draws",
        "emit",
        "express",
        "fills",
        "inputs",
        "is_elementwise",
        "is_view",
        "joint",
        "kernel",
        "name",
        "parts",
        "rules",
        "stackable",
        "stacked",
    )

    def __init__(self, name: str, kernel: Callable[..., Any], inputs: tuple[str, ...] | None) -> None:
        self.name = name
        self.kernel = kernel
        self.inputs = inputs  # None: any number of them
        self.rules: tuple[Rule | None, ...] | None = None
        self.joint: Rule | None = None
        self.stackable = True
        self.fills = True
        self.draws = False  # whether it draws from a stream of random numbers
        self.is_view = False  # whether its output is a view of its input, without computing
        self.is_elementwise = isinstance(kernel, np.ufunc)  # whether it may write over an input of its output's shape
        self.stacked: Callable[..., Any] | None = None
        self.emit: Callable[..., Any] | None = None  # source for programs that writes into a given array
        self.express: Callable[..., str] | None = None  # source that gives a result without axes as a scalar
        self.parts: Callable[..., Any] | None = None  # the operations that it is made of

    @property
    def is_differentiable(self) -> bool:
        """Whether any gradient flows through this operation."""
        return self.rules is not None or self.joint is not None

    def vjp(self, *arguments: str) -> Callable[[Rule], Rule]:
        """Decorate the rule for the cotangent of an input, named as in the kernel; no name: the joint rule."""

        def register(rule: Rule) -> Rule:
            if not arguments:
                self.joint = rule
                return rule
            assert self.inputs is not None
            rules = list(self.rules or (None,) * len(self.inputs))
            for argument in arguments:
                rules[self.inputs.index(argument)] = rule
            self.rules = tuple(rules)
            return rule

        return register

    def written(self, elementwise: bool = False) -> Callable[[Rule], Rule]:
        """Decorate the emission: a function (emitter, out, *inputs, **params) that adds lines which fill `out`.

        The lines must make the same NumPy calls as the kernel. `elementwise`: whether `out` may be one of the inputs.
        """

        def register(emit: Rule) -> Rule:
            self.emit, self.is_elementwise = emit, elementwise
            return emit

        return register

    def expressed(self) -> Callable[[Rule], Rule]:
        """Decorate the expression: a function (emitter, *inputs, **params) that gives the source of a float result
        without axes as a NumPy scalar, whose arithmetic takes a quarter of the time of that of arrays.
        """

        def register(express: Rule) -> Rule:
            self.express = express
            return express

        return register

    def made_of(self) -> Callable[[Rule], Rule]:
        """Decorate how programs take this operation apart, so that others may share parts with it: a function
        (part, *inputs, **params), where `part(op, *inputs, **params)` gives a value, that returns its last part.

        The parts must make the same NumPy calls as the kernel.
        """

        def register(parts: Rule) -> Rule:
            self.parts = parts
            return parts

        return register

    def __repr__(self) -> str:
        return f"<primitive {self.name}>"

    def __reduce__(self) -> tuple[Any, ...]:
        return PRIMITIVES.__getitem__, (self.name,)


PRIMITIVES: dict[str, Primitive] = {}


class Op(Protocol):
    """What `primitive` returns: a function of Tensors that knows its primitive and takes the rules."""

    primitive: Primitive
    vjp: Callable[..., Callable[[Rule], Rule]]
    written: Callable[..., Callable[[Rule], Rule]]
    expressed: Callable[..., Callable[[Rule], Rule]]
    made_of: Callable[..., Callable[[Rule], Rule]]
    __name__: str

    def __call__(self, *inputs: Any, **params: Any) -> Any: ...


def primitive(
    kernel: Callable[..., Any] | None = None,
    doc: str | None = None,
    *,
    name: str | None = None,
    floating: bool = False,
    mixed: bool = False,
    view: bool = False,
    draws: bool = False,
) -> Any:
    """Register a kernel and return the operation on Tensors.

    The kernel's positional arguments are the inputs, its keyword-only ones the params; `*xs` takes any number of
    inputs. A NumPy ufunc may be given as it is. `floating` says that integers are computed in float32 rather than
    in what NumPy would take, `mixed` that two inputs may differ in dtype rather than meet in one, `view` that the
    output is a view of the input, `draws` that random numbers are drawn. Without a kernel it is a decorator for one.
    """
    if kernel is None:
        return lambda kernel: primitive(kernel, doc, name=name, floating=floating, mixed=mixed, view=view, draws=draws)
    name = name or kernel.__name__.strip("_")
    inputs: tuple[str, ...] | None = None
    has_params = False
    if isinstance(kernel, np.ufunc):
        inputs = ("x", "y")[: kernel.nin]
    else:
        code = kernel.__code__  # inspect.signature would take half of minitrain's import
        has_params = code.co_kwonlyargcount > 0
        if not code.co_flags & inspect.CO_VARARGS:
            inputs = code.co_varnames[: code.co_argcount]
    made = Primitive(name, kernel, inputs)
    made.is_view, made.draws = view, draws
    if has_params or mixed or inputs is None or len(inputs) not in (1, 2):
        op = _general(made)
    elif len(inputs) == 1:
        op = _unary(made, floating)
    else:
        op = _binary(made, floating)
    op.__name__ = op.__qualname__ = name
    op.__module__ = sys._getframe(1).f_globals["__name__"] if isinstance(kernel, np.ufunc) else kernel.__module__
    op.__doc__ = doc or kernel.__doc__
    op.primitive = made  # type: ignore[attr-defined]
    op.vjp = made.vjp  # type: ignore[attr-defined]
    op.written = made.written  # type: ignore[attr-defined]
    op.expressed = made.expressed  # type: ignore[attr-defined]
    op.made_of = made.made_of  # type: ignore[attr-defined]
    PRIMITIVES[name] = made
    setattr(kernels, name, kernel)
    setattr(ops, name, op)
    return cast(Op, op)


def _unary(primitive: Primitive, floating: bool) -> Callable[..., Any]:
    kernel = primitive.kernel

    def op(x: Any, name: str | None = None) -> Tensor:
        if type(x) is not Tensor:
            if type(x) is KerasTensor:
                return draw(op, (x,), {})
            x = as_tensor(x)
        array = x._array
        try:
            out = kernel(array)
        except (TypeError, ValueError, IndexError) as error:
            raise complaint(primitive.name, (array,), {}, error) from error
        if type(out) is not ndarray:
            out = asarray(out)
        if floating and out.dtype is not array.dtype:
            return op(to_dtype(x, float_for(array.dtype)))
        trail = STATE.trail
        if trail is not None and (x._token is trail.token or trail.sees(x)):
            if primitive.rules is not None or trail.everything:
                result = Tensor(out, trail.token)
                trail.records.append((primitive, (x,), NO_PARAMS, result))
                return result
        return Tensor(out)

    return op


def _binary(primitive: Primitive, floating: bool) -> Callable[..., Any]:
    kernel = primitive.kernel

    def op(x: Any, y: Any, name: str | None = None) -> Tensor:
        if type(x) is not Tensor or type(y) is not Tensor:
            if type(x) is KerasTensor or type(y) is KerasTensor:
                return draw(op, (x, y), {})
            x, y = operands(x, y)
        a = x._array
        b = y._array
        if a.dtype is not b.dtype:
            x, y = same_dtype(x, y)
            a = x._array
            b = y._array
        try:
            out = kernel(a, b)
        except (TypeError, ValueError, IndexError) as error:
            raise complaint(primitive.name, (a, b), {}, error) from error
        if type(out) is not ndarray:
            out = asarray(out)
        if floating and out.dtype is not a.dtype:
            dtype = float_for(a.dtype)
            return op(to_dtype(x, dtype), to_dtype(y, dtype))
        trail = STATE.trail
        if trail is not None and (x._token is trail.token or y._token is trail.token or trail.sees(x, y)):
            if primitive.rules is not None or trail.everything:
                result = Tensor(out, trail.token)
                trail.records.append((primitive, (x, y), NO_PARAMS, result))
                return result
        return Tensor(out)

    return op


def _general(primitive: Primitive) -> Callable[..., Any]:
    """Any inputs, any params, any number of outputs. Inputs keep their dtypes: callers decide what they share."""
    kernel = primitive.kernel

    def op(*inputs: Any, **params: Any) -> Any:
        for x in inputs:
            if type(x) is not Tensor:
                if holds_symbolic(inputs):
                    return draw(op, inputs, params)
                inputs = tuple([as_tensor(each) for each in inputs])
                break
        arrays = [x._array for x in inputs]
        try:
            out = kernel(*arrays, **params)
        except (TypeError, ValueError, IndexError) as error:
            raise complaint(primitive.name, arrays, params, error) from error
        trail = STATE.trail
        if trail is None:
            if type(out) is ndarray:
                return Tensor(out)
            return tuple([Tensor(asarray(each)) for each in out]) if type(out) is tuple else Tensor(asarray(out))
        return record(trail, primitive, inputs, params, out)

    return op


def record(trail: Any, primitive: Primitive, inputs: tuple[Tensor, ...], params: dict[str, Any], out: Any) -> Any:
    """Wrap a kernel's result, an ndarray or a tuple of them, and record it where `trail` needs it."""
    token = trail.token
    wanted = primitive.is_differentiable
    if wanted:
        for x in inputs:
            if x._token is token:
                break
        else:
            wanted = trail.sees(*inputs)
    if not wanted and not trail.everything:
        token = None
    result = (
        tuple([Tensor(asarray(each), token) for each in out]) if type(out) is tuple else Tensor(asarray(out), token)
    )
    if token is not None:
        trail.records.append((primitive, inputs, params, result))
    return result


NO_PARAMS: dict[str, Any] = {}


def complaint(
    name: str, arrays: Any, params: dict[str, Any], error: Exception
) -> MinitrainError | TypeError | ValueError | IndexError:
    """The error to raise where a kernel failed: it names the operation, the shapes and dtypes, and what to do."""
    if isinstance(error, MinitrainError):
        return error
    shapes = " and ".join(str(each.shape) for each in arrays)
    options = "".join(f", {key}={value!r}" for key, value in params.items() if _is_short(value))
    text = str(error)
    if isinstance(error, TypeError):
        names = " and ".join(each.dtype.name for each in arrays)
        return DTypeError(f"'{name}' does not support dtype {names}{options}: {text}")
    if "broadcast" in text:
        return ShapeError(
            f"Incompatible shapes for '{name}': {shapes}{options}. Sizes must be equal or 1, counted from the last "
            "axis. Use reshape, expand_dims or transpose to line the axes up."
        )
    if isinstance(error, np.exceptions.AxisError):
        return InvalidArgumentError(f"Invalid axis for '{name}' on shape {shapes}{options}: {text}.")
    if isinstance(error, IndexError):
        return InvalidArgumentError(f"'{name}' on shape {shapes}{options}: {text}.")
    return ShapeError(f"'{name}' cannot be computed for shapes {shapes}{options}: {text}.")


def _is_short(value: Any) -> bool:
    return isinstance(value, (int, float, str, tuple, list, type(None))) and len(repr(value)) <= 80
