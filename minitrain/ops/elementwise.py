"""Elementwise arithmetic and functions: each kernel with its rules under it.

Binary operations broadcast as in NumPy. Integers given to a real-valued function are computed in float32. Where
TensorFlow settles what a kink's or a singular point's gradient is, so do the rules here, its NaN included.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from minitrain.dtypes import as_dtype
from minitrain.engine.convert import LATE, as_tensor, operands, same_dtype, tensors, to_dtype
from minitrain.engine.primitive import ops, primitive
from minitrain.engine.program.emit import LONG_ROW
from minitrain.engine.tensor import Tensor
from minitrain.engine.variable import IDENTITY
from minitrain.errors import DTypeError, InvalidArgumentError, ShapeError

# ------------------------------------------------------------------------------------------------------ arithmetic

add = primitive(np.add, "x + y, elementwise.")


@add.vjp("x", "y")
def _(xp, g, out, x, y):
    return g


subtract = primitive(np.subtract, "x - y, elementwise.")


@subtract.vjp("x")
def _(xp, g, out, x, y):
    return g


@subtract.vjp("y")
def _(xp, g, out, x, y):
    return -g


multiply = primitive(np.multiply, "x * y, elementwise.")


@multiply.vjp("x")
def _(xp, g, out, x, y):
    return g * y


@multiply.vjp("y")
def _(xp, g, out, x, y):
    return g * x


divide = primitive(np.true_divide, "x / y, elementwise; integers give float32.", name="divide", floating=True)


@divide.vjp("x")
def _(xp, g, out, x, y):
    return g / y


@divide.vjp("y")
def _(xp, g, out, x, y):
    return g * (-x / y / y)


@primitive(floating=True)
def divide_no_nan(x, y):
    """x / y, elementwise, and 0 wherever y is 0."""
    safe = np.where(y == 0, np.ones_like(y), y)
    return np.where(y == 0, np.zeros_like(x / safe), x / safe)


@divide_no_nan.vjp("x")
def _(xp, g, out, x, y):
    return xp.divide_no_nan(g, y)


@divide_no_nan.vjp("y")
def _(xp, g, out, x, y):
    return g * xp.divide_no_nan(xp.divide_no_nan(-x, y), y)


@primitive
def multiply_no_nan(x, y):
    """x * y, elementwise, and 0 wherever y is 0, even if x is infinite or NaN there."""
    return np.where(y == 0, np.zeros_like(x * y), x * y)


@multiply_no_nan.vjp("x")
def _(xp, g, out, x, y):
    return xp.multiply_no_nan(g, y)


@multiply_no_nan.vjp("y")
def _(xp, g, out, x, y):
    return xp.multiply_no_nan(x, g)


def _refuse_zero(y):
    if y.dtype.kind in "iub" and not y.all():
        raise InvalidArgumentError("Integer division by zero. Cast to a float dtype, or use divide_no_nan.")


@primitive
def floordiv(x, y):
    """floor(x / y), elementwise. Integers divided by zero raise InvalidArgumentError."""
    _refuse_zero(y)
    # For floats as TensorFlow has it: 6.0 // 0.1 is 60, where NumPy corrects for rounding and says 59.
    return np.floor_divide(x, y) if y.dtype.kind in "iub" else np.floor(np.divide(x, y))


@primitive
def floormod(x, y):
    """x - floor(x / y) * y, elementwise: the sign is that of y. Integers modulo zero raise InvalidArgumentError."""
    _refuse_zero(y)
    return np.mod(x, y)


@floormod.vjp("x")
def _(xp, g, out, x, y):
    return g


@floormod.vjp("y")
def _(xp, g, out, x, y):
    return g * -xp.floordiv(x, y)


@primitive
def truncatemod(x, y):
    """The remainder of x / y with the sign of x, elementwise. Integers are not divided by 0."""
    _refuse_zero(y)
    return np.fmod(x, y)


@truncatemod.vjp("x")
def _(xp, g, out, x, y):
    return g


@truncatemod.vjp("y")
def _(xp, g, out, x, y):
    return -g * xp.truncate(x / y)


def truncatediv(x: Any, y: Any, name: str | None = None) -> Tensor:
    """x / y rounded towards 0, elementwise, in the dtype of the two."""
    x, y = same_dtype(*operands(x, y))
    return truncate(x / y) if x._array.dtype.kind == "f" else floordiv(x - truncatemod(x, y), y)


@primitive
def pow(x, y):
    """x ** y, elementwise. Integers to negative integer powers raise InvalidArgumentError."""
    if y.dtype.kind == "i" and y.size and y.min() < 0:
        raise InvalidArgumentError("Integers to negative integer powers are not allowed. Cast the base to a float.")
    if y.ndim == 0:  # np.power takes ten times as long for these, and is no more exact
        exponent = y.item()
        if exponent == 2.0:
            return np.square(x)
        if exponent == 1.0:
            return np.positive(x)
    return np.power(x, y)


@pow.vjp("x")
def _(xp, g, out, x, y):
    return g * (y * xp.pow(x, y - 1))


@pow.vjp("y")
def _(xp, g, out, x, y):
    positive = x > 0
    return g * (out * xp.where(positive, xp.log(xp.where(positive, x, xp.ones_like(x))), xp.zeros_like(x)))


negative = primitive(np.negative, "-x, elementwise.")


@negative.vjp("x")
def _(xp, g, out, x):
    return -g


abs = primitive(np.absolute, "|x|, elementwise; the gradient at 0 is 0.", name="abs")


@abs.vjp("x")
def _(xp, g, out, x):
    return g * xp.sign(x)


sign = primitive(np.sign, "-1, 0 or 1 by the sign of x, elementwise; the gradient is 0 everywhere.")


@sign.vjp("x")
def _(xp, g, out, x):
    return xp.zeros_like(g)


square = primitive(np.square, "x ** 2, elementwise.")


@square.vjp("x")
def _(xp, g, out, x):
    return g * (2.0 * x)


@primitive
def squared_difference(x, y):
    """(x - y) ** 2, elementwise."""
    return np.square(x - y)


@squared_difference.vjp("x")
def _(xp, g, out, x, y):
    return g * (2.0 * (x - y))


@squared_difference.vjp("y")
def _(xp, g, out, x, y):
    return g * (-2.0 * (x - y))


sqrt = primitive(np.sqrt, "The square root, elementwise; NaN below 0, an infinite gradient at 0.", floating=True)


@sqrt.vjp("x")
def _(xp, g, out, x):
    return xp.multiply_no_nan(0.5 / out, g)  # 0 for a cotangent of 0, even at 0, as in TensorFlow


@primitive(floating=True)
def rsqrt(x):
    """1 / sqrt(x), elementwise."""
    return 1.0 / np.sqrt(x)


@rsqrt.vjp("x")
def _(xp, g, out, x):
    return xp.multiply_no_nan(-0.5 * out * out * out, g)


@primitive(floating=True)
def reciprocal(x):
    """1 / x, elementwise."""
    return 1.0 / x


@reciprocal.vjp("x")
def _(xp, g, out, x):
    return xp.multiply_no_nan(-out * out, g)


@primitive(name="add_n")
def _add_n(*inputs):
    total = inputs[0]
    for each in inputs[1:]:
        if each.shape != total.shape:
            raise ShapeError(f"`add_n` needs inputs of one shape, received {total.shape} and {each.shape}.")
        total = total + each
    return total


@_add_n.vjp()
def _(xp, g, wanted, out, *inputs):
    return [g for _ in inputs]


def add_n(inputs: Any, name: str | None = None) -> Tensor:
    """The sum of a list of Tensors of one shape."""
    xs = tensors(list(inputs))
    if not xs:
        raise InvalidArgumentError("`add_n` needs a list of at least one tensor, received an empty one.")
    return _add_n(*xs)


# ------------------------------------------------------------------------------------- exponentials and logarithms

exp = primitive(np.exp, "e ** x, elementwise; overflows to infinity above 88.7 in float32.", floating=True)


@exp.vjp("x")
def _(xp, g, out, x):
    return g * out


expm1 = primitive(np.expm1, "e ** x - 1, elementwise, exact near 0.", floating=True)


@expm1.vjp("x")
def _(xp, g, out, x):
    return g * xp.exp(x)  # out + 1 would lose all digits far below 0


log = primitive(np.log, "The natural logarithm, elementwise; -inf at 0, NaN below.", floating=True)


@log.vjp("x")
def _(xp, g, out, x):
    return g / x


log1p = primitive(np.log1p, "log(1 + x), elementwise, exact near 0.", floating=True)


@log1p.vjp("x")
def _(xp, g, out, x):
    return g / (1.0 + x)


logaddexp = primitive(np.logaddexp, "log(e ** x + e ** y), elementwise, without overflow.", floating=True)


@logaddexp.vjp("x")
def _(xp, g, out, x, y):
    return g * xp.sigmoid(x - y)


@logaddexp.vjp("y")
def _(xp, g, out, x, y):
    return g * xp.sigmoid(y - x)


@primitive(floating=True)
def xlogy(x, y):
    """x * log(y), elementwise, and 0 wherever x is 0."""
    return np.where(x == 0, np.zeros_like(x * y), x * np.log(np.where(x == 0, np.ones_like(y), y)))


@xlogy.vjp("x")
def _(xp, g, out, x, y):
    return g * xp.where(x == 0.0, xp.zeros_like(y), xp.log(xp.where(x == 0.0, xp.ones_like(y), y)))


@xlogy.vjp("y")
def _(xp, g, out, x, y):
    return g * xp.xdivy(x, y)


@primitive(floating=True)
def xdivy(x, y):
    """x / y, elementwise, and 0 wherever x is 0."""
    return np.where(x == 0, np.zeros_like(x * y), x / np.where(x == 0, np.ones_like(y), y))


@xdivy.vjp("x")
def _(xp, g, out, x, y):
    return g * xp.where(x == 0.0, xp.zeros_like(y), 1.0 / xp.where(x == 0.0, xp.ones_like(y), y))


@xdivy.vjp("y")
def _(xp, g, out, x, y):
    return g * xp.xdivy(-out, y)


@primitive(floating=True)
def sigmoid(x):
    """1 / (1 + e ** -x), elementwise."""
    # As TensorFlow rounds it: its gradient out * (1 - out) cancels in the last digits. Beyond 80 (10 in float16) all
    # floats give 1, and exp would overflow.
    e = np.exp(np.minimum(x, 80.0 if x.dtype.itemsize > 2 else 10.0))
    return e / (1.0 + e)


@sigmoid.vjp("x")
def _(xp, g, out, x):
    return g * (out * (1.0 - out))


LARGE = 4096  # elements


def rectified(x: Any, out: Any = None) -> Any:
    """max(x, 0) of an ndarray, into `out` if given. NumPy takes half the time where it compares with an array."""
    is_large = x.size > LARGE and x.dtype.kind == "f" and x.shape[-1] >= LONG_ROW
    return np.maximum(x, np.zeros(x.shape[-1], x.dtype) if is_large else 0, out=out)


@primitive(floating=True)
def softplus(x):
    """log(1 + e ** x), elementwise, without overflow."""
    return rectified(x) + np.log1p(np.exp(-np.abs(x)))


@softplus.vjp("x")
def _(xp, g, out, x):
    return g * xp.sigmoid(x)


@primitive(floating=True)
def log_sigmoid(x):
    """log(sigmoid(x)), elementwise, without underflow."""
    return np.minimum(x, 0) - np.log1p(np.exp(-np.abs(x)))


@log_sigmoid.vjp("x")
def _(xp, g, out, x):
    return g * xp.sigmoid(-x)


# ----------------------------------------------------------------------------------- trigonometric and hyperbolic

sin = primitive(np.sin, "The sine of x in radians, elementwise.", floating=True)


@sin.vjp("x")
def _(xp, g, out, x):
    return g * xp.cos(x)


cos = primitive(np.cos, "The cosine of x in radians, elementwise.", floating=True)


@cos.vjp("x")
def _(xp, g, out, x):
    return g * -xp.sin(x)


tan = primitive(np.tan, "The tangent of x in radians, elementwise.", floating=True)


@tan.vjp("x")
def _(xp, g, out, x):
    return g * (1.0 + out * out)


asin = primitive(
    np.arcsin, "The inverse sine in radians, elementwise; NaN outside [-1, 1].", name="asin", floating=True
)


@asin.vjp("x")
def _(xp, g, out, x):
    return g / xp.sqrt(1.0 - x * x)


acos = primitive(
    np.arccos, "The inverse cosine in radians, elementwise; NaN outside [-1, 1].", name="acos", floating=True
)


@acos.vjp("x")
def _(xp, g, out, x):
    return -g / xp.sqrt(1.0 - x * x)


atan = primitive(np.arctan, "The inverse tangent in radians, elementwise.", name="atan", floating=True)


@atan.vjp("x")
def _(xp, g, out, x):
    return g / (1.0 + x * x)


_atan2 = primitive(np.arctan2, "The angle of the point (x, y).", name="atan2", floating=True)


@_atan2.vjp("x")  # the first argument, which is called y in mathematics
def _(xp, g, out, x, y):
    return g * (y / (x * x + y * y))


@_atan2.vjp("y")
def _(xp, g, out, x, y):
    return g * (-x / (x * x + y * y))


def atan2(y: Any, x: Any, name: str | None = None) -> Tensor:
    """The angle of the point (x, y) in radians, elementwise."""
    return _atan2(y, x)


sinh = primitive(np.sinh, "The hyperbolic sine, elementwise.", floating=True)


@sinh.vjp("x")
def _(xp, g, out, x):
    return g * xp.cosh(x)


cosh = primitive(np.cosh, "The hyperbolic cosine, elementwise.", floating=True)


@cosh.vjp("x")
def _(xp, g, out, x):
    return g * xp.sinh(x)


tanh = primitive(np.tanh, "The hyperbolic tangent, elementwise.", floating=True)


@tanh.vjp("x")
def _(xp, g, out, x):
    return g * (1.0 - out * out)


asinh = primitive(np.arcsinh, "The inverse hyperbolic sine, elementwise.", name="asinh", floating=True)


@asinh.vjp("x")
def _(xp, g, out, x):
    return g / xp.cosh(out)


acosh = primitive(np.arccosh, "The inverse hyperbolic cosine, elementwise; NaN below 1.", name="acosh", floating=True)


@acosh.vjp("x")
def _(xp, g, out, x):
    return g / xp.sinh(out)


atanh = primitive(np.arctanh, "The inverse hyperbolic tangent, elementwise.", name="atanh", floating=True)


@atanh.vjp("x")
def _(xp, g, out, x):
    return g / (1.0 - x * x)


# ------------------------------------------------------------------------------------------- kinks, steps and casts

maximum = primitive(np.maximum, "The larger of x and y, elementwise; where they tie the gradient goes to x.")


@maximum.vjp("x")
def _(xp, g, out, x, y):
    return xp.where(x >= y, g, xp.zeros_like(g))


@maximum.vjp("y")
def _(xp, g, out, x, y):
    return xp.where(x >= y, xp.zeros_like(g), g)


minimum = primitive(np.minimum, "The smaller of x and y, elementwise; where they tie the gradient goes to x.")


@minimum.vjp("x")
def _(xp, g, out, x, y):
    return xp.where(x <= y, g, xp.zeros_like(g))


@minimum.vjp("y")
def _(xp, g, out, x, y):
    return xp.where(x <= y, xp.zeros_like(g), g)


@primitive(name="where")
def _select(condition, x, y):
    return np.where(condition, x, y)


@_select.vjp("x")
def _(xp, g, out, condition, x, y):
    return xp.where(condition, g, xp.zeros_like(g))


@_select.vjp("y")
def _(xp, g, out, condition, x, y):
    return xp.where(condition, xp.zeros_like(g), g)


def where(condition: Any, x: Any = None, y: Any = None, name: str | None = None) -> Any:
    """x where `condition` holds, else y, with broadcasting; without x and y the indices where it holds.

    Returns the promoted dtype of x and y; indices are an int64 Tensor of shape (n, condition.ndim). Both branches are
    computed, so that a NaN in the gradient of the branch not taken still arrives: guard its input with a `where` too.
    """
    if x is None and y is None:
        return _indices_where(condition)
    if x is None or y is None:
        raise InvalidArgumentError("`where` needs both x and y, or neither.")
    x, y = operands(x, y)
    if x._array.dtype is not y._array.dtype:
        x, y = same_dtype(x, y)
    return _select(condition, x, y)


@primitive(name="indices_where")
def _indices_where(condition):
    return np.argwhere(condition)


def clip_by_value(t: Any, clip_value_min: Any, clip_value_max: Any, name: str | None = None) -> Tensor:
    """t limited to [clip_value_min, clip_value_max], elementwise; the gradient passes at the limits themselves.

    Limits may be spread over t, not t over them: the result has t's shape.
    """
    out = maximum(minimum(t, clip_value_max), clip_value_min)
    shape = getattr(t, "shape", None)
    if shape is not None and tuple(out.shape) != tuple(shape):
        raise ShapeError(f"The limits of `clip_by_value` must fit a tensor of shape {shape}, but give {out.shape}.")
    return out


floor = primitive(np.floor, "The largest integer not above x, elementwise. It has no gradient.")
ceil = primitive(np.ceil, "The smallest integer not below x, elementwise. It has no gradient.")


truncate = primitive(np.trunc, "The integer part of x, towards 0, elementwise. It has no gradient.", name="truncate")


@primitive
def round(x):
    """The nearest integer, halves to the even one, elementwise. It has no gradient."""
    return np.rint(x) if x.dtype.kind == "f" else x


def rint(x: Any, name: str | None = None) -> Tensor:
    """The nearest integer, halves to the even one, elementwise. It has no gradient."""
    return round(x)


@primitive(name="cast")
def _cast(x, *, dtype):
    return x.astype(dtype)


@_cast.vjp("x")
def _(xp, g, out, x, *, dtype):
    return xp.cast(g, dtype=x.dtype)


@primitive(name="cast_discrete")
def _cast_discrete(x, *, dtype):
    return x.astype(dtype)


def cast(x: Any, dtype: Any, name: str | None = None) -> Tensor:
    """x in another dtype; itself where it has that dtype. Gradients flow between floats, in the float they come from.

    Floats to integers truncate towards zero; to bool everything but 0 is True.
    """
    return to_dtype(as_tensor(x), as_dtype(dtype).dtype)


def _cast_to(x: Tensor, dtype: Any) -> Tensor:
    if x._array.dtype.kind == "f" and dtype.kind == "f":
        return _cast(x, dtype=dtype)
    return _cast_discrete(x, dtype=dtype)


LATE["cast"] = _cast_to


def identity_n(input: Any, name: str | None = None) -> list[Tensor]:
    """Several Tensors as they are."""
    return [identity(each) for each in input]


def saturate_cast(value: Any, dtype: Any, name: str | None = None) -> Tensor:
    """`value` limited to what `dtype` holds, and cast to it."""
    x, wanted = as_tensor(value), as_dtype(dtype)
    found = as_dtype(x._array.dtype)
    if found == wanted or wanted.is_bool or found.is_bool:
        return cast(x, wanted)
    if found.is_floating and not wanted.is_floating:
        # The largest integer may round up as a float, beyond what the dtype holds.
        top = np.array(wanted.max, x._array.dtype)
        top = np.nextafter(top, 0) if float(top) > wanted.max else top
        return cast(clip_by_value(x, np.array(wanted.min, x._array.dtype), top), wanted)
    low, high = max(found.min, wanted.min), min(found.max, wanted.max)
    return cast(clip_by_value(x, np.array(low, x._array.dtype), np.array(high, x._array.dtype)), wanted)


def reciprocal_no_nan(x: Any, name: str | None = None) -> Tensor:
    """1 / x, and 0 where x is 0, elementwise."""
    x = as_tensor(x)
    return divide_no_nan(ops.ones_like(x), x)


def xlog1py(x: Any, y: Any, name: str | None = None) -> Tensor:
    """x * log(1 + y), and 0 where x is 0, elementwise."""
    return xlogy(x, as_tensor(y) + 1.0)


def scalar_mul(scalar: Any, x: Any, name: str | None = None) -> Tensor:
    """`scalar`, of shape (), times x."""
    if np.ndim(scalar):
        raise ShapeError(f"Only scalar multiply works, received shape {np.shape(scalar)}.")
    return multiply(scalar, x)


@primitive
def identity(x):
    """x itself, as a Tensor of its own."""
    return x


@identity.vjp("x")
def _(xp, g, out, x):
    return g


@primitive
def stop_gradient(x):
    """x itself, as a constant: no gradient flows through."""
    return x


IDENTITY.append(identity)

# --------------------------------------------------------------------------------------------- comparisons and logic

equal = primitive(np.equal, "x == y, elementwise.")
not_equal = primitive(np.not_equal, "x != y, elementwise.")
less = primitive(np.less, "x < y, elementwise.")
less_equal = primitive(np.less_equal, "x <= y, elementwise.")
greater = primitive(np.greater, "x > y, elementwise.")
greater_equal = primitive(np.greater_equal, "x >= y, elementwise.")
is_nan = primitive(np.isnan, "Whether x is NaN, elementwise.", name="is_nan")
is_inf = primitive(np.isinf, "Whether x is infinite, elementwise.", name="is_inf")
is_finite = primitive(np.isfinite, "Whether x is neither NaN nor infinite, elementwise.", name="is_finite")


def _need_bool(*arrays):
    for array in arrays:
        if array.dtype.kind != "b":
            raise DTypeError(f"Expected dtype bool, received {array.dtype.name}. Compare first, or cast to bool.")


@primitive
def logical_and(x, y):
    """x and y, elementwise, of bools."""
    _need_bool(x, y)
    return np.logical_and(x, y)


@primitive
def logical_or(x, y):
    """x or y, elementwise, of bools."""
    _need_bool(x, y)
    return np.logical_or(x, y)


@primitive
def logical_xor(x, y):
    """Either x or y but not both, elementwise, of bools."""
    _need_bool(x, y)
    return np.logical_xor(x, y)


@primitive
def logical_not(x):
    """not x, elementwise, of bools."""
    _need_bool(x)
    return np.logical_not(x)


bitwise_and = primitive(np.bitwise_and, "The bits set in both x and y, elementwise, of integers or bools.")
bitwise_or = primitive(np.bitwise_or, "The bits set in x or y, elementwise, of integers or bools.")
bitwise_xor = primitive(np.bitwise_xor, "The bits set in x or y but not both, elementwise, of integers or bools.")
left_shift = primitive(np.left_shift, "The bits of x moved up by y places, elementwise, of integers.")
right_shift = primitive(np.right_shift, "The bits of x moved down by y places, elementwise, of integers.")
invert = primitive(np.invert, "Every bit turned over, elementwise; `not` for bools.")


def polyval(coeffs: Any, x: Any, name: str | None = None) -> Tensor:
    """The polynomial coeffs[0] * x ** (n - 1) + ... + coeffs[n - 1], by Horner's rule."""
    if not isinstance(coeffs, (list, tuple)):
        raise InvalidArgumentError(
            f"`coeffs` must be a list of tensors or numbers, received {type(coeffs).__name__!r}."
        )
    value = ops.zeros_like(x)
    for coefficient in coeffs:
        value = add(coefficient, multiply(value, x))
    return value
