"""EinsumDense: a Dense whose kernel meets the input by an equation of axes."""

from __future__ import annotations

import re
from typing import Any

from minitrain import activations, constraints, initializers, regularizers
from minitrain.engine.tensor import Tensor
from minitrain.errors import InvalidArgumentError, ShapeError
from minitrain.layers.base import REGISTRY, Layer
from minitrain.ops.linear import einsum

Shape = tuple[int | None, ...]
DOTS = r"(\.\.\.)?"
EQUATION = re.compile(rf"{DOTS}([a-zA-Z]+){DOTS},([a-zA-Z]+)->{DOTS}([a-zA-Z]+){DOTS}")


def kernel_and_bias(
    equation: str, bias_axes: str | None, input_shape: Shape, output_shape: Shape
) -> tuple[tuple[int, ...], tuple[int, ...] | None]:
    """The shapes of kernel and bias. `output_shape`: without the batch axis and without axes behind "..."."""
    found = EQUATION.fullmatch(equation.replace(" ", ""))
    if found is None or found[1] != found[5] or found[3] != found[7] or (found[1] and found[3]):
        raise InvalidArgumentError(
            f"`equation` of EinsumDense must be like 'ab,bc->ac', '...b,bc->...c' or 'ab...,bc->ac...', received "
            f"{equation!r}."
        )
    x, kernel, out = found[2], found[4], found[6]
    elided = found[1] or found[3]
    if len(input_shape) < len(x) or (len(input_shape) > len(x) and not elided):
        raise ShapeError(f"EinsumDense with equation {equation!r} received an input of shape {tuple(input_shape)}.")
    sizes = dict(zip(x, input_shape[-len(x) :] if found[1] else input_shape, strict=False))
    # Without "..." in front the first letter of the output is that of the batch.
    named = out[-len(output_shape) :] if found[1] else out[1:]
    if len(named) != len(output_shape):
        raise ShapeError(f"`output_shape` {output_shape} has not the {len(named)} axes of {out!r} behind the batch.")
    for letter, size in zip(named, output_shape, strict=True):
        if None not in (size, sizes.get(letter, size)) and sizes.get(letter, size) != size:
            raise ShapeError(
                f"Axis {letter!r} of equation {equation!r} is {sizes[letter]} in the input, and {size} in the output."
            )
        sizes[letter] = sizes.get(letter) if size is None else size
    for letter in out:
        if letter not in x and letter not in kernel:
            raise InvalidArgumentError(f"Axis {letter!r} of the output of {equation!r} is in neither operand.")
    for letter in kernel:
        if letter not in x and letter not in out:
            raise InvalidArgumentError(f"Axis {letter!r} of the kernel of {equation!r} is in no other part.")
        if sizes.get(letter) is None:
            raise ShapeError(f"Axis {letter!r} of the kernel of {equation!r} must have a known size.")
    kernel_shape = tuple(sizes[letter] for letter in kernel)
    if not bias_axes:
        return kernel_shape, None  # type: ignore[return-value]  # no size is None
    for letter in bias_axes:
        if letter not in out:
            raise InvalidArgumentError(f"Axis {letter!r} of `bias_axes` is not in the output of {equation!r}.")
    behind = out[min(out.find(letter) for letter in bias_axes) :]
    bias_shape = [sizes[letter] if letter in bias_axes else 1 for letter in behind]
    if found[3]:
        bias_shape += [1] * (len(input_shape) - len(x))
    return kernel_shape, tuple(bias_shape)  # type: ignore[return-value, arg-type]


@REGISTRY.register()
class EinsumDense(Layer):
    """activation(einsum(equation, x, kernel) + bias): "abc,cd->abd" is Dense on three axes.

    `output_shape`: the sizes of the output's axes behind the batch, None for those of the input. `bias_axes`: the
    letters of the axes along which there is a bias; None for no bias.
    """

    def __init__(
        self,
        equation: str,
        output_shape: Any,
        activation: Any = None,
        bias_axes: str | None = None,
        kernel_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        kernel_regularizer: Any = None,
        bias_regularizer: Any = None,
        kernel_constraint: Any = None,
        bias_constraint: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.equation = equation
        self.output_shape = (output_shape,) if isinstance(output_shape, int) else tuple(output_shape)
        self.activation = activations.get(activation)
        self.bias_axes = bias_axes
        self.kernel_initializer = initializers.get(kernel_initializer)
        self.bias_initializer = initializers.get(bias_initializer)
        self.kernel_regularizer = regularizers.get(kernel_regularizer)
        self.bias_regularizer = regularizers.get(bias_regularizer)
        self.kernel_constraint = constraints.get(kernel_constraint)
        self.bias_constraint = constraints.get(bias_constraint)
        self.bias: Any = None

    def build(self, input_shape: Any) -> None:
        kernel_shape, bias_shape = kernel_and_bias(self.equation, self.bias_axes, tuple(input_shape), self.output_shape)
        self.kernel = self.add_weight(
            kernel_shape,
            self.kernel_initializer,
            regularizer=self.kernel_regularizer,
            constraint=self.kernel_constraint,
            name="kernel",
        )
        if bias_shape is not None:
            self.bias = self.add_weight(
                bias_shape,
                self.bias_initializer,
                regularizer=self.bias_regularizer,
                constraint=self.bias_constraint,
                name="bias",
            )
        self.built = True

    def call(self, inputs: Any) -> Tensor:
        out = einsum(self.equation, inputs, self.kernel)
        return self.activation(out if self.bias is None else out + self.bias)
