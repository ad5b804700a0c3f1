"""`tf.autodiff`: the tape, and derivatives along a direction, `ForwardAccumulator`."""

from __future__ import annotations

from typing import Any, Self

import numpy as np

from minitrain import nest
from minitrain.engine.convert import as_tensor
from minitrain.engine.primitive import ops
from minitrain.engine.tape import GradientTape, UnconnectedGradients
from minitrain.engine.tensor import Tensor
from minitrain.errors import ShapeError, TapeError

__all__ = ["ForwardAccumulator", "GradientTape"]


class ForwardAccumulator:
    """The derivatives of what is computed inside the `with` block along `tangents`, directions of the `primals`.

    The product of the Jacobian with the tangents is what a gradient of a gradient gives: the gradient is linear in its
    cotangents, and its derivative with respect to them is the product.

    >>> import minitrain as mt
    >>> x = mt.constant(3.0)
    >>> with ForwardAccumulator(x, mt.constant(2.0)) as accumulator:
    ...     y = x * x
    >>> accumulator.jvp(y)
    <mt.Tensor: shape=(), dtype=float32, numpy=12.0>
    """

    def __init__(self, primals: Any, tangents: Any) -> None:
        nest.assert_same_structure(primals, tangents)
        self._primals = nest.flatten(primals)
        self._tangents = [as_tensor(each) for each in nest.flatten(tangents)]
        for primal, tangent in zip(self._primals, self._tangents, strict=True):
            if primal.shape != tangent.shape:
                raise ShapeError(f"Expected a tangent of shape {primal.shape}, received shape {tangent.shape}.")
        self._tape = GradientTape(persistent=True)

    def __enter__(self) -> Self:
        if self._tape._is_recording:
            raise TapeError("The accumulator is already recording.")
        self._tape.__enter__()
        self._tape.watch(self._primals)
        return self

    def __exit__(self, *exception: object) -> None:
        self._tape.__exit__(*exception)

    def jvp(self, primals: Any, unconnected_gradients: Any = UnconnectedGradients.NONE) -> Any:
        """The tangent of each of `primals`, Tensors computed inside the block; None (or zeros) where unconnected."""
        zeros = UnconnectedGradients(unconnected_gradients) is UnconnectedGradients.ZERO
        return nest.map_structure(lambda each: self._tangent(each, zeros), primals)

    def _tangent(self, target: Any, zeros: bool) -> Tensor | None:
        for primal, tangent in zip(self._primals, self._tangents, strict=True):
            if target is primal:
                return tangent
        cotangent = ops.ones_like(target)
        with GradientTape() as outer:
            outer.watch(cotangent)
            found = self._tape.gradient(target, self._primals, output_gradients=cotangent)
            pairs = [(g, t) for g, t in zip(found, self._tangents, strict=True) if g is not None]
            total = ops.add_n(*[ops.sum(g * t) for g, t in pairs]) if pairs else None
        if total is None:
            return Tensor(np.zeros(target.shape, target.dtype.dtype)) if zeros else None
        answer: Tensor = outer.gradient(total, cotangent, unconnected_gradients="zero")
        return answer
