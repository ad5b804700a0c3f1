"""Functions of functions: `grad(f)` and its kin, for those who would rather not open a tape themselves.

Each is a few lines over GradientTape. Arguments may be nested structures of Tensors, Variables, arrays and numbers;
results have the structure of what is differentiated.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from minitrain import nest
from minitrain.engine.convert import as_tensor
from minitrain.engine.primitive import ops
from minitrain.engine.tape import GradientTape
from minitrain.engine.tensor import Tensor, TensorLike
from minitrain.engine.variable import Variable
from minitrain.errors import DTypeError, InvalidArgumentError, ShapeError

__all__ = ["grad", "hessian", "hvp", "jacobian", "jvp", "value_and_grad", "vjp"]

Function = Callable[..., Any]


def value_and_grad(f: Function, argnums: int | Sequence[int] = 0, has_aux: bool = False) -> Function:
    """A function that gives f's value, a scalar, and its gradient with respect to the arguments `argnums`.

    With `has_aux`, f returns (value, aux) and the result is ((value, aux), gradient). The gradient is a tuple where
    `argnums` is a sequence. Raises ShapeError where the value is no scalar.

    >>> value_and_grad(lambda x: x * x)(3.0)[1]
    <mt.Tensor: shape=(), dtype=float32, numpy=6.0>
    """

    @functools.wraps(f)
    def function(*args: Any, **kwargs: Any) -> Any:
        args, sources = _sources(args, argnums)
        with GradientTape() as tape:
            tape.watch(sources)
            answer = f(*args, **kwargs)
        value = answer[0] if has_aux else answer
        _need_scalar(value)
        return answer, tape.gradient(value, sources, unconnected_gradients="zero")

    return function


def grad(f: Function, argnums: int | Sequence[int] = 0, has_aux: bool = False) -> Function:
    """A function that gives the gradient of f, which returns a scalar; (gradient, aux) with `has_aux`."""
    both = value_and_grad(f, argnums, has_aux)

    @functools.wraps(f)
    def function(*args: Any, **kwargs: Any) -> Any:
        answer, gradient = both(*args, **kwargs)
        return (gradient, answer[1]) if has_aux else gradient

    return function


def jacobian(f: Function, argnums: int | Sequence[int] = 0) -> Function:
    """A function that gives the Jacobian of f: for each source shape (*f's result's shape, *source's shape)."""

    @functools.wraps(f)
    def function(*args: Any, **kwargs: Any) -> Any:
        args, sources = _sources(args, argnums)
        with GradientTape() as tape:
            tape.watch(sources)
            value = f(*args, **kwargs)
        return tape.jacobian(value, sources, unconnected_gradients="zero")

    return function


def hessian(f: Function, argnums: int = 0) -> Function:
    """A function that gives the Hessian of f, a scalar, with respect to one argument: shape (*arg, *arg)."""
    return jacobian(grad(f, argnums), argnums)


def hvp(f: Function, primal: Any, tangent: Any) -> Any:
    """The Hessian of f, a scalar, at `primal` times `tangent`, without the Hessian: a structure like `primal`."""
    (primal,), _ = _sources((primal,), 0)
    with GradientTape() as tape:
        tape.watch(primal)
        gradient = grad(f)(primal)
    return tape.gradient(gradient, primal, output_gradients=tangent, unconnected_gradients="zero")


def vjp(f: Function, *primals: Any) -> tuple[Any, Function]:
    """f's value at `primals`, and the function that carries a cotangent of it back to them: a tuple of gradients."""
    args, sources = _sources(primals, tuple(range(len(primals))))
    with GradientTape(persistent=True) as tape:
        tape.watch(sources)
        value = f(*args)

    def pull_back(cotangent: Any) -> Any:
        return tape.gradient(value, sources, output_gradients=cotangent, unconnected_gradients="zero")

    return value, pull_back


def jvp(f: Function, primals: Sequence[Any], tangents: Sequence[Any]) -> tuple[Any, Any]:
    """f's value at `primals`, and its directional derivative along `tangents`, in the structure of the value.

    Computed by two backward passes: the gradient is linear in its cotangent, and its own gradient with respect to
    that cotangent is the derivative wanted.
    """
    if len(primals) != len(tangents):
        raise InvalidArgumentError(f"`jvp` needs as many tangents as primals, received {len(tangents)}.")
    args, sources = _sources(tuple(primals), tuple(range(len(primals))))
    with GradientTape() as outer:
        with GradientTape() as inner:
            inner.watch(sources)
            value = f(*args)
        outputs = nest.flatten(value)
        cotangents = [Tensor(np.zeros(each.shape, each.dtype.dtype)) for each in outputs]
        outer.watch(cotangents)
        gradients = inner.gradient(outputs, sources, output_gradients=cotangents, unconnected_gradients="zero")
    derivative = outer.gradient(
        nest.flatten(gradients), cotangents, output_gradients=nest.flatten(list(tangents)), unconnected_gradients="zero"
    )
    return value, nest.pack_sequence_as(value, derivative)


def _sources(args: tuple[Any, ...], argnums: int | Sequence[int]) -> tuple[tuple[Any, ...], Any]:
    """The arguments, those to be differentiated with Tensors of their own at the leaves, and those alone."""
    single = isinstance(argnums, int)
    places = [argnums] if isinstance(argnums, int) else list(argnums)
    for place in places:
        if not -len(args) <= place < len(args):
            raise InvalidArgumentError(f"`argnums` {place} names no argument: received {len(args)} positional one(s).")
    made = list(args)
    for place in places:
        made[place] = nest.map_structure(_leaf, args[place])
    sources = tuple(made[place] for place in places)
    return tuple(made), sources[0] if single else sources


def _leaf(value: Any) -> Any:
    if isinstance(value, Variable):
        return value
    tensor = value if isinstance(value, TensorLike) else as_tensor(float(value) if isinstance(value, int) else value)
    if not tensor.dtype.is_floating:
        raise DTypeError(f"Only floats can be differentiated, received dtype {tensor.dtype.name}. Cast to float32.")
    return ops.identity(tensor)


def _need_scalar(value: Any) -> None:
    if not isinstance(value, TensorLike):
        raise DTypeError(f"Expected a function that returns a Tensor, received {value!r}. Keep the Tensor: no float().")
    if value.ndim:
        raise ShapeError(f"Expected a function that returns a scalar, received shape {value.shape}. Use jacobian.")
