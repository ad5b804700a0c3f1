"""Dense, Embedding, and the layers that only pass on, mask, or call a function."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from minitrain import activations, constraints, initializers, regularizers
from minitrain.engine.convert import as_tensor
from minitrain.engine.symbolic import KerasTensor, Node
from minitrain.engine.tensor import Tensor
from minitrain.errors import DTypeError, InvalidArgumentError, ShapeError
from minitrain.layers.base import REGISTRY, Layer, as_known
from minitrain.ops import indexing, linear
from minitrain.ops.elementwise import add, cast, not_equal
from minitrain.ops.reduction import reduce_any
from minitrain.ops.shaping import expand_dims, squeeze

FUSED = {"linear": None, "relu": "relu", "tanh": "tanh"}  # what `linear.dense` takes in


@REGISTRY.register()
class Dense(Layer):
    """activation(x @ kernel + bias): (..., i) -> (..., units)"""

    supports_masking = True

    def __init__(
        self,
        units: int,
        activation: Any = None,
        use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        kernel_regularizer: Any = None,
        bias_regularizer: Any = None,
        activity_regularizer: Any = None,
        kernel_constraint: Any = None,
        bias_constraint: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(activity_regularizer=activity_regularizer, **kwargs)
        if not isinstance(units, (int, np.integer)) or units <= 0:
            raise InvalidArgumentError(f"`units` of Dense must be a positive integer, received {units!r}.")
        self.units = int(units)
        self.activation = activations.get(activation)
        self.use_bias = use_bias
        self.kernel_initializer = initializers.get(kernel_initializer)
        self.bias_initializer = initializers.get(bias_initializer)
        self.kernel_regularizer = regularizers.get(kernel_regularizer)
        self.bias_regularizer = regularizers.get(bias_regularizer)
        self.kernel_constraint = constraints.get(kernel_constraint)
        self.bias_constraint = constraints.get(bias_constraint)
        self.bias: Any = None

    @property
    def activation(self) -> Any:
        """The function of the output; settable, None for none."""
        return self._activation

    @activation.setter
    def activation(self, value: Any) -> None:
        self._activation = activations.get(value)
        name = getattr(self._activation, "__name__", "")
        is_ours = activations.REGISTRY.entries.get(name) is self._activation
        self._fused = FUSED.get(name, "") if is_ours else ""  # "" for what is no part of the product

    def build(self, input_shape: Any) -> None:
        is_one = len(input_shape) >= 2 and isinstance(input_shape[-1], (int, np.integer))  # not the shapes of several
        said = "one input of at least 2 axes, such as x[:, None] of a single feature, the last one known"
        self.need(is_one, said, input_shape)
        self.kernel = self.add_weight(
            (input_shape[-1], self.units),
            self.kernel_initializer,
            regularizer=self.kernel_regularizer,
            constraint=self.kernel_constraint,
            name="kernel",
        )
        if self.use_bias:
            self.bias = self.add_weight(
                (self.units,),
                self.bias_initializer,
                regularizer=self.bias_regularizer,
                constraint=self.bias_constraint,
                name="bias",
            )
        self.built = True

    def call(self, inputs: Any) -> Tensor:
        x = as_tensor(inputs)
        kernel = self.kernel
        shape = x._array.shape
        if len(shape) < 2 or shape[-1] != kernel._peek().shape[0]:
            row = " and a batch axis, as x[None] of one row" if len(shape) == 1 else ""
            self.need(False, f"(..., {kernel.shape[0]}), the size that it was built for{row}", shape)
        if self.use_bias and self._fused != "":
            return linear.dense(x, kernel, self.bias, self._fused)
        out = linear.matmul(x, kernel)
        return self.activation(add(out, self.bias) if self.use_bias else out)


@REGISTRY.register()
class Embedding(Layer):
    """Rows of a table, (input_dim, output_dim), for integers below input_dim: (...) -> (..., output_dim)

    `mask_zero`: integer 0 is padding, and masked. Raises InvalidArgumentError for an integer outside the table.
    """

    def __init__(
        self,
        input_dim: int,
        output_dim: int,
        embeddings_initializer: Any = "uniform",
        embeddings_regularizer: Any = None,
        embeddings_constraint: Any = None,
        mask_zero: bool = False,
        weights: Any = None,
        **kwargs: Any,
    ) -> None:
        kwargs.pop("input_length", None)  # older scripts give it
        super().__init__(**kwargs)
        for name, size in (("input_dim", input_dim), ("output_dim", output_dim)):
            if not isinstance(size, (int, np.integer)) or isinstance(size, bool) or size <= 0:
                raise InvalidArgumentError(f"`{name}` of Embedding must be a positive integer, received {size!r}.")
        self.input_dim = input_dim
        self.output_dim = output_dim
        self.embeddings_initializer = initializers.get(embeddings_initializer)
        self.embeddings_regularizer = regularizers.get(embeddings_regularizer)
        self.embeddings_constraint = constraints.get(embeddings_constraint)
        self.mask_zero = self.supports_masking = mask_zero
        self._start = weights
        if weights is not None:
            self.build()

    def build(self, input_shape: Any = None) -> None:
        if self.built:
            return
        self.embeddings = self.add_weight(
            (self.input_dim, self.output_dim),
            self.embeddings_initializer,
            regularizer=self.embeddings_regularizer,
            constraint=self.embeddings_constraint,
            name="embeddings",
        )
        if self._start is not None:
            self.embeddings.assign(np.asarray(self._start[0] if isinstance(self._start, list) else self._start))
        self.built = True

    def call(self, inputs: Any) -> Tensor:
        ids = as_tensor(inputs)
        if ids._array.dtype.kind not in "iu":
            ids = cast(ids, "int32")
        out = indexing.gather(self.embeddings, ids)
        mask = self.compute_mask(ids)
        if mask is not None:
            out._keras_mask = mask
        return out

    def compute_mask(self, inputs: Any, previous_mask: Any = None) -> Any:
        return not_equal(as_tensor(inputs), 0) if self.mask_zero else previous_mask

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        config.pop("weights", None)  # their values are saved as weights
        return config


@REGISTRY.register()
class Activation(Layer):
    """An activation function as a layer."""

    supports_masking = True

    def __init__(self, activation: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.activation = activations.get(activation)

    def call(self, inputs: Any) -> Any:
        return self.activation(inputs)


@REGISTRY.register()
class Identity(Layer):
    """The inputs themselves."""

    supports_masking = True

    def call(self, inputs: Any) -> Any:
        return inputs


@REGISTRY.register()
class Lambda(Layer):
    """Any function as a layer. `arguments`: further keyword arguments. `mask`: the output's mask, or its function.

    `output_shape`: what `compute_output_shape` gives, without the batch axis, or its function of the input's shape.
    """

    def __init__(
        self,
        function: Callable[..., Any],
        output_shape: Any = None,
        mask: Any = None,
        arguments: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if not callable(function):
            raise DTypeError(f"Lambda needs a function, received {function!r}.")
        self.function = function
        self.output_shape = output_shape
        self.mask = mask
        self.arguments = dict(arguments or {})

    def call(self, inputs: Any, mask: Any = None, training: Any = None) -> Any:
        given = dict(self.arguments)
        code = getattr(self.function, "__code__", None)
        names = code.co_varnames[: code.co_argcount] if code is not None else ()
        given |= {name: value for name, value in (("mask", mask), ("training", training)) if name in names}
        return self.function(inputs, **given)

    def compute_output_shape(self, input_shape: Any) -> Any:
        if self.output_shape is None:
            return super().compute_output_shape(input_shape)
        return self.output_shape(input_shape) if callable(self.output_shape) else (input_shape[0], *self.output_shape)

    def compute_mask(self, inputs: Any, previous_mask: Any = None) -> Any:
        return self.mask(inputs, previous_mask) if callable(self.mask) else self.mask

    def get_config(self) -> dict[str, Any]:
        raise InvalidArgumentError(
            f"Lambda layer '{self.name}' holds a Python function, which cannot be written down. Write a Layer instead."
        )


@REGISTRY.register()
class Masking(Layer):
    """Masks the steps in which all features equal `mask_value`, and sets them to 0: (n, t, c) -> (n, t, c)"""

    def __init__(self, mask_value: float = 0.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.mask_value = mask_value

    def call(self, inputs: Any) -> Tensor:
        x = as_tensor(inputs)
        kept = self.compute_mask(x)
        out = x * cast(kept[..., None], x.dtype)
        out._keras_mask = kept
        return out

    def compute_mask(self, inputs: Any, previous_mask: Any = None) -> Any:
        return reduce_any(not_equal(as_tensor(inputs), self.mask_value), axis=-1)


@REGISTRY.register()
class InputLayer(Layer):
    """What a model starts with: passes on inputs of a given shape, batch axis not counted.

    `batch_shape` is the shape with the batch axis. `dtype`: "string" for the lookups, else a number's. `optional`:
    whether None may come in the place of data. `sparse` and `ragged` must be False: there are no such tensors here.
    `input_shape` is the shape's name of old.
    """

    supports_masking = True

    def __init__(
        self,
        shape: Any = None,
        batch_size: int | None = None,
        dtype: Any = None,
        sparse: bool | None = None,
        ragged: bool | None = None,
        batch_shape: Any = None,
        input_tensor: None = None,
        optional: bool = False,
        name: str | None = None,
        input_shape: Any = None,
    ) -> None:
        shape = input_shape if shape is None else shape
        for option, value in (("sparse", sparse), ("ragged", ragged), ("input_tensor", input_tensor)):
            if value not in (None, False):
                raise InvalidArgumentError(
                    f"`{option}` of an input must be left out, received {value!r}: inputs are dense, and models start "
                    "with them. Sparse matrices are made dense by `fit` and `predict`."
                )
        is_text = dtype == "string"
        super().__init__(dtype=None if is_text else dtype, name=name)
        if (shape is None) == (batch_shape is None):
            raise InvalidArgumentError("An input needs either `shape`, without the batch axis, or `batch_shape`.")
        if batch_shape is not None and batch_size is not None:
            raise InvalidArgumentError("`batch_shape` has the size of the batch: leave `batch_size` out.")
        if batch_shape is None:
            if not isinstance(shape, (tuple, list)):
                raise ShapeError(f"`shape` must be a tuple without the batch axis, such as (8,), received {shape!r}.")
            batch_shape = (batch_size, *shape)
        self.batch_shape = tuple(batch_shape)
        self.shape = self.batch_shape[1:]
        self.batch_size = self.batch_shape[0]
        self.optional = optional
        if is_text:
            self.dtype, self._takes_any_input = "string", True
        self.built = True

    def tensor(self) -> KerasTensor:
        """A symbolic tensor that starts here."""
        made = KerasTensor(self.batch_shape, self.dtype, self.name)
        made._node = node = Node(self, (), {})
        node.outputs = made
        self._note_node(node)
        return made

    def call(self, inputs: Any) -> Any:
        return fitted(inputs, self.batch_shape, self.name)

    def get_config(self) -> dict[str, Any]:
        config = {"batch_shape": self.batch_shape, "dtype": self.dtype, "name": self.name}
        return config | {"optional": True} if self.optional else config


def ranked(value: Any, want: tuple[int | None, ...]) -> Any:
    """A value with the last axis of one added or taken that it may lack or have too much for a shape."""
    given = tuple(value.shape)
    if len(given) == len(want) - 1 and want[-1] == 1:
        return expand_dims(value, -1)
    if len(given) == len(want) + 1 and given[-1] == 1:
        return squeeze(value, -1)
    return value


def fitted(value: Any, want: tuple[int | None, ...], name: str) -> Any:
    """A value for a model's input, with the last axis of one added or taken that it may lack or have too much.

    Raises ShapeError, naming the input, for any other shape than the input's. The size of the batch is what the model
    is drawn with, and none that data must have, as in Keras.
    """
    if not hasattr(value, "shape"):
        raise DTypeError(f"Input '{name}' expects data of shape {want}, received {value!r}.")
    given = tuple(value.shape)
    value = ranked(value, want)
    shape = value.shape
    if len(shape) != len(want) or any(a not in (None, b) for a, b in zip(want[1:], shape[1:], strict=True)):
        raise ShapeError(f"Input '{name}' expects data of shape {want}, received shape {as_known(given)}.")
    return value


def Input(  # noqa: N802  # Keras's name
    shape: Any = None,
    batch_size: int | None = None,
    dtype: Any = None,
    sparse: bool | None = None,
    ragged: bool | None = None,
    batch_shape: Any = None,
    name: str | None = None,
    tensor: None = None,
    optional: bool = False,
) -> KerasTensor:
    """A symbolic tensor that a model starts with: layers are called on it, and `Model(inputs, outputs)` takes it.

    `shape`: without the batch axis; None in it for an axis of any size. At the head of a Sequential it makes the
    weights at once. `optional`: whether None may come in the place of data. `sparse`, `ragged` and `tensor` are
    for Keras's sake: they must be left out.

    >>> Input((8,), name="features")
    <KerasTensor shape=(None, 8), dtype=float32, name=features>
    """
    return InputLayer(shape, batch_size, dtype, sparse, ragged, batch_shape, tensor, optional, name).tensor()
