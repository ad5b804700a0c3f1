"""Data types: `float32` and its siblings, and the rules by which they meet.

A `DType` compares equal to NumPy's dtype and to its own name, and NumPy accepts it wherever it takes a dtype.
Two Tensors of different dtypes promote as in Keras 3: integers and bool never widen a float, so that float32 with
int64 is float32, where NumPy would make float64.
"""

from __future__ import annotations

import builtins
from typing import Any

import numpy as np

from minitrain.errors import DTypeError, InvalidArgumentError, nearest_names

__all__ = [
    "DType",
    "DTypePolicy",
    "as_dtype",
    "bool",
    "double",
    "float16",
    "float32",
    "float64",
    "half",
    "int8",
    "int16",
    "int32",
    "int64",
    "uint8",
    "uint16",
    "uint32",
    "uint64",
]


class DType:
    """One data type, as TensorFlow's `tf.DType`: `name`, `is_floating`, `min`, `max`, `as_numpy_dtype`.

    >>> float32 == np.float32, float32 == "float32", np.dtype(float32)
    (True, True, dtype('float32'))
    """

    __slots__ = ("dtype", "name")

    name: str
    dtype: np.dtype[Any]  # the attribute by which NumPy takes this object for a dtype

    def __init__(self, dtype: np.dtype[Any]) -> None:
        self.name = dtype.name
        self.dtype = dtype

    @property
    def as_numpy_dtype(self) -> type:
        """NumPy's scalar type, such as `numpy.float32`."""
        return self.dtype.type

    @property
    def base_dtype(self) -> DType:
        """The dtype itself: reference dtypes do not exist here."""
        return self

    @property
    def size(self) -> int:
        """Bytes an element."""
        return self.dtype.itemsize

    @property
    def is_floating(self) -> builtins.bool:
        """Whether gradients can flow through this dtype."""
        return self.dtype.kind == "f"

    @property
    def is_integer(self) -> builtins.bool:
        """Whether this is a signed or unsigned integer; bool is not."""
        return self.dtype.kind in "iu"

    @property
    def is_unsigned(self) -> builtins.bool:
        """Whether this is an unsigned integer."""
        return self.dtype.kind == "u"

    @property
    def is_bool(self) -> builtins.bool:
        """Whether this is bool."""
        return self.dtype.kind == "b"

    @property
    def is_complex(self) -> builtins.bool:
        """Always False: complex numbers are not supported."""
        return False

    @property
    def min(self) -> Any:
        """The smallest finite value."""
        return self._limits()[0]

    @property
    def max(self) -> Any:
        """The largest finite value."""
        return self._limits()[1]

    def _limits(self) -> tuple[Any, Any]:
        if self.dtype.kind == "b":
            return False, True
        info: Any = np.finfo(self.dtype) if self.dtype.kind == "f" else np.iinfo(self.dtype)
        return info.min, info.max

    def is_compatible_with(self, other: Any) -> builtins.bool:
        """Whether `other` is the same dtype."""
        return self == as_dtype(other)

    def __eq__(self, other: object) -> builtins.bool:
        if isinstance(other, DType):
            return self is other
        if isinstance(other, str):
            return other == self.name
        try:
            return np.dtype(other) == self.dtype  # type: ignore[call-overload]  # any object may come
        except TypeError:
            return False

    def __hash__(self) -> int:
        return hash(self.name)

    def __reduce__(self) -> tuple[Any, ...]:
        return as_dtype, (self.name,)

    def __repr__(self) -> str:
        return f"mt.{self.name}"

    def __str__(self) -> str:
        return f"<dtype: '{self.name}'>"


float16 = half = DType(np.dtype("float16"))
float32 = DType(np.dtype("float32"))
float64 = double = DType(np.dtype("float64"))
int8 = DType(np.dtype("int8"))
int16 = DType(np.dtype("int16"))
int32 = DType(np.dtype("int32"))
int64 = DType(np.dtype("int64"))
uint8 = DType(np.dtype("uint8"))
uint16 = DType(np.dtype("uint16"))
uint32 = DType(np.dtype("uint32"))
uint64 = DType(np.dtype("uint64"))
bool = DType(np.dtype("bool"))

BY_NUMPY: dict[np.dtype[Any], DType] = {
    each.dtype: each
    for each in (float16, float32, float64, int8, int16, int32, int64, uint8, uint16, uint32, uint64, bool)
}
_BY_NAME = {each.name: each for each in BY_NUMPY.values()} | {"half": float16, "double": float64, "float": float32}
_BY_PYTHON: dict[type, DType] = {builtins.float: float32, builtins.int: int32, builtins.bool: bool}


def as_dtype(value: Any) -> DType:
    """The `DType` that `value` names: a DType, a string, a NumPy dtype or scalar type, or float, int, bool.

    Python's float is float32 and int is int32, as everywhere in minitrain. Raises DTypeError for anything else.
    """
    if isinstance(value, DType):
        return value
    if isinstance(value, DTypePolicy):
        value = value.name
    if isinstance(value, str) and value in _BY_NAME:
        return _BY_NAME[value]
    if isinstance(value, type) and value in _BY_PYTHON:
        return _BY_PYTHON[value]
    try:
        dtype = None if value is None else np.dtype(value)
    except TypeError:
        dtype = None
    if dtype is not None:
        dtype = dtype.newbyteorder("=")
        if dtype in BY_NUMPY:
            return BY_NUMPY[dtype]
        if dtype.kind == "c":
            raise DTypeError(
                f"Complex numbers are not supported, received dtype {dtype.name}. Keep the real and the imaginary "
                "part in two tensors."
            )
    raise DTypeError(f"Expected a dtype, received {value!r}. {nearest_names(str(value), _BY_NAME)}")


class DTypePolicy:
    """What a layer computes in and keeps its weights in: one dtype for both. Mixed policies are refused.

    >>> DTypePolicy("float64").compute_dtype
    'float64'
    """

    def __init__(self, name: str, source_name: str | None = None) -> None:
        if not isinstance(name, str):
            raise DTypeError(f"The name of a DTypePolicy must be a string such as 'float32', received {name!r}.")
        if name.startswith("mixed_"):
            raise InvalidArgumentError(
                f"DTypePolicy {name!r} is not supported: layers compute in the dtype of their weights. Use 'float32' "
                "or 'float64'."
            )
        if name != "string":
            try:
                name = as_dtype(name).name
            except DTypeError as error:
                raise InvalidArgumentError(f"There is no DTypePolicy {name!r}. {error}") from error
        self.name = name

    @property
    def compute_dtype(self) -> str:
        """What is computed in."""
        return self.name

    @property
    def variable_dtype(self) -> str:
        """What the weights are kept in."""
        return self.name

    def get_config(self) -> dict[str, Any]:
        """The name, from which `from_config` makes an equal policy."""
        return {"name": self.name}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> DTypePolicy:
        """The policy of a configuration."""
        return cls(**config)

    def __eq__(self, other: object) -> builtins.bool:
        return isinstance(other, DTypePolicy) and other.name == self.name

    def __hash__(self) -> int:
        return hash((DTypePolicy, self.name))

    def __repr__(self) -> str:
        return f'<DTypePolicy "{self.name}">'


def numpy_dtype(value: Any) -> np.dtype[Any]:
    """NumPy's dtype for whatever `as_dtype` takes."""
    return as_dtype(value).dtype


_promoted: dict[tuple[np.dtype[Any], np.dtype[Any]], np.dtype[Any]] = {}


def promote(a: np.dtype[Any], b: np.dtype[Any]) -> np.dtype[Any]:
    """The dtype in which two Tensors of dtypes `a` and `b` meet, by Keras 3's rule.

    Floats win over integers and bool without growing; two floats take the wider, two integers the narrowest that
    holds both (int64 with uint64 has none and becomes float32).
    """
    if a is b:
        return a
    both = _promoted.get((a, b))
    if both is None:
        if (a.kind == "f") != (b.kind == "f"):
            both = a if a.kind == "f" else b
        else:
            both = np.promote_types(a, b)
            if both.kind == "f" and a.kind != "f":
                both = float32.dtype
        _promoted[a, b] = both
    return both


def float_for(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """The dtype in which a real-valued function of `dtype` is computed: itself for floats, else float32."""
    return dtype if dtype.kind == "f" else float32.dtype
