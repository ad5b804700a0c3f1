"""`keras.backend`: what scripts still ask it for."""

from __future__ import annotations

from functools import reduce
from typing import Any

from minitrain.config import backend, epsilon, floatx, image_data_format, set_epsilon, set_floatx
from minitrain.dtypes import as_dtype, numpy_dtype, promote
from minitrain.errors import InvalidArgumentError
from minitrain.utils import clear_session, is_keras_tensor, standardize_dtype

__all__ = [
    "backend",
    "clear_session",
    "epsilon",
    "floatx",
    "image_data_format",
    "is_float_dtype",
    "is_int_dtype",
    "is_keras_tensor",
    "result_type",
    "set_epsilon",
    "set_floatx",
    "standardize_dtype",
]


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
