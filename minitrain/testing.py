"""Checks for users' own functions: are their gradients right?"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from minitrain import nest
from minitrain.engine.convert import as_tensor
from minitrain.engine.primitive import ops
from minitrain.engine.tape import GradientTape
from minitrain.engine.tensor import Tensor, TensorLike
from minitrain.errors import DTypeError, InvalidArgumentError, MinitrainError

__all__ = ["GradientError", "check_gradients"]


class GradientError(MinitrainError, AssertionError):
    """A gradient differs from the numerical one."""


def check_gradients(
    f: Callable[..., Any],
    *inputs: Any,
    order: int = 2,
    rtol: float = 1e-5,
    atol: float = 1e-7,
    step: float | None = None,
    seed: int = 0,
) -> None:
    """Raise GradientError where a gradient of `f` differs from central differences, with the worst entry.

    `f` takes the `inputs` (arrays, Tensors, numbers) and returns a Tensor or a nested structure of them. Floating
    inputs are checked, element by element, in float64; they should lie away from kinks. `order` 2 checks the gradient
    of the gradient too, 1 the gradient alone. `step` is the difference's half width, by default about 6e-6 times each
    element's size.
    """
    if order not in (1, 2):
        raise InvalidArgumentError(f"`order` must be 1 or 2, received {order!r}.")
    values = [_as_float64(each) for each in inputs]
    places = [place for place, each in enumerate(values) if each._array.dtype.kind == "f"]
    if not places:
        raise DTypeError("None of the inputs is floating: there is no gradient to check.")
    rng = np.random.default_rng(seed)
    weights: list[Any] = []

    def scalar(*args: Tensor) -> Tensor:
        """f's outputs weighted at random and summed, so that no error cancels."""
        outputs = nest.flatten(f(*args))
        if not all(isinstance(each, TensorLike) for each in outputs):
            raise DTypeError(f"The function must return Tensors, received {outputs}. Keep the Tensor: no float().")
        outputs = [each for each in outputs if each.dtype.is_floating]
        if not outputs:
            raise DTypeError("The function returns nothing floating: there is no gradient to check.")
        while len(weights) < len(outputs):
            weights.append(rng.uniform(0.5, 1.5, tuple(outputs[len(weights)].shape)))
        terms = [
            ops.sum(ops.cast(each, dtype=np.dtype("float64")) * w) for each, w in zip(outputs, weights, strict=True)
        ]
        return terms[0] if len(terms) == 1 else ops.add_n(*terms)

    def gradient(*args: Tensor) -> list[Tensor]:
        with GradientTape() as tape:
            tape.watch([args[place] for place in places])
            value = scalar(*args)
        found: list[Tensor] = tape.gradient(value, [args[place] for place in places], unconnected_gradients="zero")
        return found

    _compare(scalar, gradient(*values), values, places, "gradient", rtol, atol, step)
    if order == 2:
        directions = [rng.uniform(0.5, 1.5, values[place]._array.shape) for place in places]

        def projected(*args: Tensor) -> Tensor:
            return ops.add_n(*[ops.sum(g * d) for g, d in zip(gradient(*args), directions, strict=True)])

        with GradientTape() as tape:
            tape.watch([values[place] for place in places])
            value = projected(*values)
        second = tape.gradient(value, [values[place] for place in places], unconnected_gradients="zero")
        _compare(projected, second, values, places, "second derivative", rtol * 10, atol * 10, step)


def _as_float64(value: Any) -> Tensor:
    tensor = as_tensor(value)
    array = tensor._array
    return Tensor(array.astype(np.float64)) if array.dtype.kind == "f" else tensor._detached()


def _compare(
    scalar: Callable[..., Tensor],
    gradients: list[Tensor],
    values: list[Tensor],
    places: list[int],
    what: str,
    rtol: float,
    atol: float,
    step: float | None,
) -> None:
    for place, found in zip(places, gradients, strict=True):
        base = values[place]._array
        numeric = np.empty_like(base)
        for index in np.ndindex(base.shape):
            h = 6e-6 * max(1.0, abs(float(base[index]))) if step is None else step
            sides = []
            for sign in (1.0, -1.0):
                moved = base.copy()
                moved[index] += sign * h
                sides.append(float(scalar(*values[:place], Tensor(moved), *values[place + 1 :])))
            numeric[index] = (sides[0] - sides[1]) / (2.0 * h)
        got = found._array
        error = np.abs(got - numeric) - (atol + rtol * np.maximum(np.abs(numeric), np.abs(got)))
        error = np.where(np.isfinite(got) == np.isfinite(numeric), error, np.inf)
        if np.any(error > 0):
            worst = np.unravel_index(int(np.argmax(error)), base.shape)
            at = [int(each) for each in worst]
            raise GradientError(
                f"The {what} with respect to input {place} is wrong at index {at}: expected {numeric[worst]:.8g} "
                f"(central differences), received {got[worst]:.8g}; {int((error > 0).sum())} of {base.size} entries "
                "differ. Check the rule, or move the input away from a kink."
            )
