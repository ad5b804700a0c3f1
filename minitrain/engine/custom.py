"""Gradients that the user writes: `custom_gradient`, and `recompute_grad`, which trades memory for time with it.

A call of such a function is one record whose only param is the user's gradient function. That function is given and
gives Tensors in every kind of walk, so that the same one works with and without an outer tape.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from minitrain import nest
from minitrain.engine.convert import as_tensor, to_dtype
from minitrain.engine.primitive import PRIMITIVES, Primitive, ops
from minitrain.engine.tape import GradientTape
from minitrain.engine.tensor import Tensor, TensorLike
from minitrain.engine.trail import STATE, refresh
from minitrain.engine.variable import Variable
from minitrain.errors import DTypeError, InvalidArgumentError, ShapeError

__all__ = ["custom_gradient", "grad_pass_through", "no_gradient_inside", "recompute_grad"]

CUSTOM = PRIMITIVES["custom_gradient"] = Primitive("custom_gradient", lambda *inputs, **params: inputs, None)
CUSTOM.stackable = False  # the user's function expects cotangents of the outputs' own shapes


@CUSTOM.vjp()
def _(
    xp: Any, g: Any, wanted: list[bool], out: Any, *inputs: Any, grad_fn: Any, variables: Any, computed: Any
) -> list[Any]:
    recorded = isinstance(g[0], Tensor)
    cotangents = g if recorded else [Tensor(np.asarray(each)) for each in g]
    expected = len(inputs) - len(variables)
    if variables:
        answer = grad_fn(*cotangents, variables=list(variables))
        if not isinstance(answer, (list, tuple)) or len(answer) != 2:
            raise InvalidArgumentError(
                "The gradient function of a custom_gradient that uses variables must return a pair: the gradients of "
                f"the inputs and the list of those of the variables. Received {type(answer).__name__!r}."
            )
        results, of_variables = nest.flatten(answer[0]), nest.flatten(answer[1])
        if len(of_variables) != len(variables):
            raise InvalidArgumentError(
                f"custom_gradient function expected to return {len(variables)} gradients for variables, but returned "
                f"{len(of_variables)} instead."
            )
    else:
        results, of_variables = nest.flatten(grad_fn(*cotangents)), []
    if len(results) != expected:
        raise InvalidArgumentError(
            f"custom_gradient function expected to return {expected} gradients, but returned {len(results)} instead."
        )
    return [_checked(result, x, recorded) for result, x in zip(results + of_variables, inputs, strict=True)]


def _checked(result: Any, x: Any, recorded: bool) -> Any:
    if result is None:
        return None
    tensor = as_tensor(result)
    wanted = x._array if recorded else x
    if tensor._array.shape != wanted.shape:
        try:
            tensor = ops.broadcast_to(tensor, shape=wanted.shape)
        except ValueError:
            raise ShapeError(
                f"The gradient function of a custom_gradient must return a gradient of shape {wanted.shape} for its "
                f"input, received shape {tuple(tensor.shape)}."
            ) from None
    tensor = to_dtype(tensor, wanted.dtype)
    return tensor if recorded else tensor._array


def custom_gradient(f: Callable[..., Any]) -> Callable[..., Any]:
    """Decorate a function that returns its result and the function of its gradient.

    `f(*args, **kwargs)` returns (result, grad_fn), where result may be a nested structure of Tensors. grad_fn is
    called with one cotangent per Tensor of the result and returns one gradient, or None, per positional argument
    (nested arguments count each leaf). If `f` reads trainable variables, grad_fn must take `variables=` too and
    return a pair: the gradients of the arguments and the list of those of the variables. Keyword arguments are not
    differentiated. What `f` computes is recorded, so that a grad_fn written with operations can itself be
    differentiated.

    >>> @custom_gradient
    ... def clipped(x):
    ...     return x * 1.0, lambda g: g * 0.5
    """

    @functools.wraps(f)
    def decorated(*args: Any, **kwargs: Any) -> Any:
        args = nest.map_structure(_as_argument, args)
        trail = STATE.trail
        if trail is None or not trail.listening:
            result, _ = _pair(f, f(*args, **kwargs))
            return result
        with GradientTape() as watcher:
            result, grad_fn = _pair(f, f(*args, **kwargs))
        given = nest.flatten([args, list(kwargs.values())])
        variables = [each for each in watcher.watched_variables() if all(each is not other for other in given)]
        if variables and not _takes_variables(grad_fn):
            raise DTypeError(
                "The gradient function of a @custom_gradient must accept keyword argument 'variables', since its "
                f"function uses variables: {variables}. Return a pair from it: the gradients of the inputs and the "
                "list of those of the variables."
            )
        leaves = nest.flatten(args)
        are_tensors = [isinstance(each, TensorLike) for each in leaves]
        inputs = [each for each, is_tensor in zip(leaves, are_tensors, strict=True) if is_tensor]
        return record_custom(inputs, variables, result, grad_fn if all(are_tensors) else _picked(grad_fn, are_tensors))

    return decorated


def _picked(grad_fn: Callable[..., Any], are_tensors: list[bool]) -> Callable[..., Any]:
    """`grad_fn`, whose answer for arguments that are no Tensors, such as text, is left out."""

    def picked(*cotangents: Any, **variables: Any) -> Any:
        answer = grad_fn(*cotangents, **variables)
        first, *rest = answer if variables else (answer,)
        found = nest.flatten(first)
        if len(found) == len(are_tensors):
            found = [each for each, is_tensor in zip(found, are_tensors, strict=True) if is_tensor]
        return (found, *rest) if variables else found

    return picked


def record_custom(inputs: list[Any], variables: list[Variable], result: Any, grad_fn: Callable[..., Any]) -> Any:
    """Record `result`, computed from `inputs` and `variables`, as one operation whose gradient is `grad_fn`."""
    trail = STATE.trail
    read = tuple([each._read() for each in [*inputs, *variables]])
    computed = [as_tensor(each) for each in nest.flatten(result)]
    if trail is None or not (trail.everything or any(trail.marks(each) for each in read)):
        return nest.pack_sequence_as(result, computed)  # what it was computed from besides may be watched
    if trail.recorder is not None:
        trail.recorder.need_recorded(read, computed)
    outputs = tuple([Tensor(each._array, trail.token) for each in computed])
    params = {"grad_fn": grad_fn, "variables": tuple(variables), "computed": tuple(computed)}
    trail.records.append((CUSTOM, read, params, outputs))
    return nest.pack_sequence_as(result, list(outputs))


def recompute_grad(f: Callable[..., Any]) -> Callable[..., Any]:
    """`f` without its intermediate results on the tape: the backward pass computes it once more.

    `f` takes and returns Tensors (or nested structures of them) and must give the same result when called again.
    """

    @functools.wraps(f)
    def decorated(*args: Any, **kwargs: Any) -> Any:
        args = nest.map_structure(_as_argument, args)
        inputs = [each for each in nest.flatten(args) if isinstance(each, TensorLike)]
        with no_gradient_inside():
            with GradientTape() as watcher:
                result = f(*args, **kwargs)
            variables = [each for each in watcher.watched_variables() if all(each is not one for one in inputs)]
        del watcher

        def gradient(*cotangents: Any, variables: list[Variable] | None = None) -> Any:
            # One Tensor an argument, even where the same was given twice: each has a gradient of its own.
            leaves = iter([ops.identity(each) for each in inputs])
            again = nest.map_structure(lambda each: next(leaves) if isinstance(each, TensorLike) else each, args)
            sources = [each for each in nest.flatten(again) if isinstance(each, TensorLike)]
            with GradientTape(watch_accessed_variables=False) as tape:
                tape.watch([each for each in [*sources, *(variables or [])] if each.dtype.is_floating])
                outputs = nest.flatten(f(*again, **kwargs))
            gradients = tape.gradient(outputs, [*sources, *(variables or [])], output_gradients=list(cotangents))
            if variables is None:
                return gradients
            return gradients[: len(sources)], gradients[len(sources) :]

        return record_custom(inputs, variables, result, gradient)

    return decorated


def grad_pass_through(f: Callable[..., Any]) -> Callable[..., Any]:
    """`f` with the gradient of the identity: cotangents of its result pass through to its arguments unchanged."""

    @custom_gradient
    def decorated(*args: Any, **kwargs: Any) -> Any:
        def gradient(*cotangents: Any, variables: list[Variable] | None = None) -> Any:
            return cotangents if variables is None else (cotangents, [None] * len(variables))

        return f(*args, **kwargs), gradient

    return decorated


@contextmanager
def no_gradient_inside() -> Iterator[None]:
    """Within this `with` block no open tape of this thread records; tapes opened inside it do."""
    home, STATE.home = STATE.home, None
    refresh()
    try:
        yield
    finally:
        STATE.home = home
        refresh()


def _pair(f: Callable[..., Any], answer: Any) -> tuple[Any, Callable[..., Any]]:
    if not isinstance(answer, tuple) or len(answer) != 2 or not callable(answer[1]):
        name = getattr(f, "__name__", "the function")
        raise DTypeError(f"{name!r} is a @custom_gradient and must return (result, grad_fn), received {answer!r}.")
    return answer[0], answer[1]


def _as_argument(value: Any) -> Any:
    """Numbers and arrays become Tensors; variables stay themselves, and so does what is none of these."""
    if isinstance(value, (float, int, np.ndarray, np.generic)):
        return as_tensor(value)
    return value


def _takes_variables(grad_fn: Callable[..., Any]) -> bool:
    parameters = inspect.signature(grad_fn).parameters.values()
    return any(each.name == "variables" or each.kind is each.VAR_KEYWORD for each in parameters)
