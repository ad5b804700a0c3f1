"""`keras.backend`: what scripts still ask it for.

The losses and metrics of older tutorials are written with its functions, such as `K.mean(K.square(y_pred - y_true))`.
Those that `minitrain.ops` has under the same name and with the same meaning are those; here stand the others.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import reduce
from typing import Any

import numpy as np

from minitrain import nn, ops, random
from minitrain.config import backend, epsilon, floatx, image_data_format, set_epsilon, set_floatx
from minitrain.dtypes import as_dtype, numpy_dtype, promote
from minitrain.engine.convert import as_tensor
from minitrain.engine.convert import constant as make_constant
from minitrain.engine.tensor import Tensor
from minitrain.engine.variable import Variable
from minitrain.errors import InvalidArgumentError
from minitrain.utils import clear_session, is_keras_tensor, standardize_dtype

OPS = (  # which mean the same in both
    *("abs", "all", "any", "arange", "cast", "cos", "elu", "equal", "exp", "greater", "greater_equal"),
    *("less", "less_equal", "log", "max", "maximum", "mean", "min", "minimum", "ndim"),
    *("not_equal", "one_hot", "ones_like", "prod", "reshape", "round", "shape", "sigmoid", "sign", "sin", "softmax"),
    *("softplus", "softsign", "sqrt", "square", "squeeze", "stack", "std", "stop_gradient", "sum", "tanh", "tile"),
    *("transpose", "var", "zeros_like"),
)

__all__ = [
    *OPS,
    "argmax",
    "argmin",
    "backend",
    "batch_flatten",
    "batch_get_value",
    "batch_set_value",
    "bias_add",
    "binary_crossentropy",
    "cast_to_floatx",
    "categorical_crossentropy",
    "clear_session",
    "clip",
    "concatenate",
    "constant",
    "count_params",
    "cumprod",
    "cumsum",
    "dot",
    "dropout",
    "dtype",
    "epsilon",
    "eval",
    "expand_dims",
    "eye",
    "flatten",
    "floatx",
    "gather",
    "get_value",
    "hard_sigmoid",
    "image_data_format",
    "in_top_k",
    "int_shape",
    "is_float_dtype",
    "is_int_dtype",
    "is_keras_tensor",
    "is_sparse",
    "l2_normalize",
    "moving_average_update",
    "ones",
    "permute_dimensions",
    "pow",
    "random_bernoulli",
    "random_normal",
    "random_uniform",
    "relu",
    "repeat",
    "repeat_elements",
    "result_type",
    "reverse",
    "set_epsilon",
    "set_floatx",
    "set_value",
    "sparse_categorical_crossentropy",
    "standardize_dtype",
    "switch",
    "truncated_normal",
    "update",
    "update_add",
    "update_sub",
    "variable",
    "zeros",
]


def __getattr__(name: str) -> Any:
    if name not in OPS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}: `minitrain.ops` holds the operations")
    return getattr(ops, name)


def is_float_dtype(dtype: Any) -> bool:
    """Whether a dtype is floating."""
    return standardize_dtype(dtype).startswith("float")


def is_int_dtype(dtype: Any) -> bool:
    """Whether a dtype is an integer's, with a sign or without."""
    return standardize_dtype(dtype).startswith(("int", "uint"))


def result_type(*dtypes: Any) -> str:
    """The dtype of what is computed of several: integers never widen a float, Python's `int` and `float` nothing.

    >>> result_type("int64", "float16"), result_type("int8", int), result_type("int8", float)
    ('float16', 'int8', 'float32')
    """
    if not dtypes:
        raise InvalidArgumentError("`result_type` needs at least one dtype.")
    firm = [numpy_dtype(standardize_dtype(each)) for each in dtypes if each not in (int, float)]
    if not firm:
        return floatx() if float in dtypes else "int32"
    found = reduce(promote, firm)
    if (float in dtypes and found.kind != "f") or (int in dtypes and found.kind == "b"):
        return floatx() if float in dtypes else "int32"
    return as_dtype(found).name


# ------------------------------------------------------------------------------------------------ values and variables


def variable(value: Any, dtype: Any = None, name: str | None = None, constraint: Any = None) -> Variable:
    """A Variable, in config.floatx() by default."""
    return Variable(value, dtype=dtype or floatx(), name=name, constraint=constraint)


def constant(value: Any, dtype: Any = None, shape: Any = None, name: str | None = None) -> Tensor:
    """A constant, in config.floatx() by default, repeated to `shape`."""
    return make_constant(value, dtype or floatx(), shape)


def zeros(shape: Any, dtype: Any = None, name: str | None = None) -> Variable:
    """A Variable of zeros."""
    return variable(np.zeros(shape), dtype, name)


def ones(shape: Any, dtype: Any = None, name: str | None = None) -> Variable:
    """A Variable of ones."""
    return variable(np.ones(shape), dtype, name)


def eye(size: Any, dtype: Any = None, name: str | None = None) -> Variable:
    """A Variable of ones on the diagonal: (size, size)."""
    return variable(np.eye(size), dtype, name)


def get_value(x: Any) -> Any:
    """The value as an ndarray."""
    return as_tensor(x).numpy()


eval = get_value


def batch_get_value(tensors: Iterable[Any]) -> list[Any]:
    """The values of several, as ndarrays."""
    return [get_value(each) for each in tensors]


def set_value(x: Variable, value: Any) -> None:
    """Give a Variable a value, cast to its dtype."""
    x.assign(np.asarray(value, x._peek().dtype))


def batch_set_value(tuples: Iterable[tuple[Variable, Any]]) -> None:
    """Give several Variables their values, from pairs."""
    for x, value in tuples:
        set_value(x, value)


def update(x: Variable, new_x: Any) -> Any:
    """Assign a value."""
    return x.assign(new_x)


def update_add(x: Variable, increment: Any) -> Any:
    """Add to a Variable."""
    return x.assign_add(increment)


def update_sub(x: Variable, decrement: Any) -> Any:
    """Subtract from a Variable."""
    return x.assign_sub(decrement)


def moving_average_update(x: Variable, value: Any, momentum: Any) -> Any:
    """x * momentum + value * (1 - momentum), assigned to x."""
    return x.assign(x * momentum + value * (1.0 - momentum))


def dtype(x: Any) -> str:
    """The name of the dtype."""
    return str(as_tensor(x).dtype.name)


def int_shape(x: Any) -> tuple[int | None, ...]:
    """The shape as a tuple, None for open axes of a symbolic tensor."""
    return ops.shape(x)


def count_params(x: Any) -> int:
    """The number of elements."""
    return int(np.prod(int_shape(x)))


def is_sparse(tensor: Any) -> bool:
    """False: Tensors are dense."""
    return False


# ---------------------------------------------------------------------------------------------------------- operations


def argmax(x: Any, axis: Any = -1) -> Tensor:
    """The place of the largest element along an axis, int64."""
    return ops.cast(ops.argmax(x, axis), "int64")


def argmin(x: Any, axis: Any = -1) -> Tensor:
    """The place of the smallest element along an axis, int64."""
    return ops.cast(ops.argmin(x, axis), "int64")


def batch_flatten(x: Any) -> Tensor:
    """(n, ...) -> (n, the product of the rest)"""
    return ops.reshape(x, (-1, int(np.prod(int_shape(x)[1:]))))


def flatten(x: Any) -> Tensor:
    """All elements in a row."""
    return ops.reshape(x, (-1,))


def bias_add(x: Any, bias: Any, data_format: Any = None) -> Tensor:
    """x + bias along the axis of the channels: the last, or with "channels_first" the second."""
    x, bias = as_tensor(x), as_tensor(bias)
    if data_format == "channels_first" and bias.ndim == 1:
        bias = ops.reshape(bias, (-1, *[1] * (x.ndim - 2)))
    return ops.add(x, bias)


def clip(x: Any, min_value: Any, max_value: Any) -> Tensor:
    """x between two values."""
    return ops.clip(x, min_value, max_value)


def hard_sigmoid(x: Any) -> Tensor:
    """0.2 x + 0.5 between 0 and 1: that of Keras 3 has another slope."""
    return ops.clip(0.2 * as_tensor(x) + 0.5, 0.0, 1.0)


def in_top_k(predictions: Any, targets: Any, k: int) -> Tensor:
    """Whether each target is among the k largest predictions."""
    return ops.in_top_k(targets, predictions, k)


def cast_to_floatx(x: Any) -> Any:
    """In config.floatx(): a Tensor for a Tensor, else an ndarray."""
    return ops.cast(x, floatx()) if isinstance(x, (Tensor, Variable)) else np.asarray(x, floatx())


def concatenate(tensors: Any, axis: Any = -1) -> Tensor:
    """Joined along an axis."""
    return ops.concatenate(tensors, axis)


def cumsum(x: Any, axis: Any = 0) -> Tensor:
    """The running sum along an axis."""
    return ops.cumsum(x, axis)


def cumprod(x: Any, axis: Any = 0) -> Tensor:
    """The running product along an axis."""
    return ops.cumprod(x, axis)


def dot(x: Any, y: Any) -> Tensor:
    """The product over x's last axis and y's last but one."""
    x, y = as_tensor(x), as_tensor(y)
    return ops.tensordot(x, y, [[x.ndim - 1], [max(y.ndim - 2, 0)]])


def dropout(x: Any, level: float, noise_shape: Any = None, seed: int | None = None) -> Tensor:
    """x with this share of its elements set to 0, and the others as much larger."""
    return random.dropout(x, level, noise_shape, seed)


def expand_dims(x: Any, axis: Any = -1) -> Tensor:
    """x with a new axis of size 1."""
    return ops.expand_dims(x, axis)


def gather(reference: Any, indices: Any) -> Tensor:
    """The slices of the first axis at these indices."""
    return ops.take(reference, indices, axis=0)


def l2_normalize(x: Any, axis: Any = None) -> Tensor:
    """x over the square root of its sum of squares along an axis, which is at least 1e-12."""
    return nn.l2_normalize(x, axis)


def permute_dimensions(x: Any, pattern: Any) -> Tensor:
    """The axes in this order."""
    return ops.transpose(x, pattern)


def pow(x: Any, a: Any) -> Tensor:
    """x ** a"""
    return ops.power(x, a)


def relu(x: Any, alpha: float = 0.0, max_value: float | None = None, threshold: float = 0.0) -> Tensor:
    """max(x, 0), with a slope below `threshold`, and a highest value."""
    x = as_tensor(x)
    out = ops.where(x > threshold, x, alpha * (x - threshold))
    return out if max_value is None else ops.minimum(out, max_value)


def repeat(x: Any, n: int) -> Tensor:
    """(n, d) -> (n, `n`, d)"""
    return ops.repeat(ops.expand_dims(x, 1), n, axis=1)


def repeat_elements(x: Any, rep: int, axis: int) -> Tensor:
    """Each element repeated along an axis."""
    return ops.repeat(x, rep, axis=axis)


def reverse(x: Any, axes: Any) -> Tensor:
    """The other way round along these axes."""
    return ops.flip(x, axes)


def switch(condition: Any, then_expression: Any, else_expression: Any) -> Any:
    """The one or the other: by `cond` for functions, else elementwise, with `condition` for each row."""
    if callable(then_expression):
        return ops.cond(condition, then_expression, else_expression)
    condition, one = as_tensor(condition), as_tensor(then_expression)
    condition = ops.reshape(condition, (*condition.shape, *[1] * (one.ndim - condition.ndim)))
    return ops.where(ops.cast(condition, "bool"), one, else_expression)


# ------------------------------------------------------------------------------------------------------ random numbers


def random_normal(shape: Any, mean: Any = 0.0, stddev: Any = 1.0, dtype: Any = None, seed: Any = None) -> Tensor:
    """Normal numbers."""
    return random.normal(shape, mean, stddev, dtype or floatx(), seed)


def random_uniform(shape: Any, minval: Any = 0.0, maxval: Any = 1.0, dtype: Any = None, seed: Any = None) -> Tensor:
    """Uniform numbers."""
    return random.uniform(shape, minval, maxval, dtype or floatx(), seed)


def random_bernoulli(shape: Any, p: Any = 0.0, dtype: Any = None, seed: Any = None) -> Tensor:
    """1 with probability `p`, else 0."""
    return ops.cast(random_uniform(shape, seed=seed) <= p, dtype or floatx())


def truncated_normal(shape: Any, mean: Any = 0.0, stddev: Any = 1.0, dtype: Any = None, seed: Any = None) -> Tensor:
    """Normal numbers within two deviations."""
    return random.truncated_normal(shape, mean, stddev, dtype or floatx(), seed)


# ------------------------------------------------------------------------------------------ losses, elements or rows


def _probabilities(x: Any) -> Tensor:
    return ops.clip(x, epsilon(), 1.0 - epsilon())


def binary_crossentropy(target: Any, output: Any, from_logits: bool = False) -> Tensor:
    """-(t log p + (1 - t) log(1 - p)), elementwise."""
    target, output = ops.cast(target, as_tensor(output).dtype), as_tensor(output)
    if from_logits:
        return nn.sigmoid_cross_entropy_with_logits(target, output)
    p, least = _probabilities(output), epsilon()
    return -(target * ops.log(p + least) + (1.0 - target) * ops.log(1.0 - p + least))


def categorical_crossentropy(target: Any, output: Any, from_logits: bool = False, axis: int = -1) -> Tensor:
    """-sum(t log p) along an axis, of one-hot targets."""
    target, output = ops.cast(target, as_tensor(output).dtype), as_tensor(output)
    if from_logits:
        return -ops.sum(target * ops.log_softmax(output, axis), axis)
    share = output / ops.sum(output, axis, keepdims=True)
    return -ops.sum(target * ops.log(_probabilities(share)), axis)


def sparse_categorical_crossentropy(target: Any, output: Any, from_logits: bool = False, axis: int = -1) -> Tensor:
    """-log p of the target's class along an axis."""
    return ops.sparse_categorical_crossentropy(target, output, from_logits, axis)
