"""`TensorSpec`: the shape and dtype that a Tensor is expected to have."""

from __future__ import annotations

from typing import Any

from minitrain.dtypes import DType, as_dtype, float32
from minitrain.engine.convert import as_tensor
from minitrain.engine.shape import TensorShape

__all__ = ["TensorSpec"]


class TensorSpec:
    """A shape, in which None stands for any size, a dtype, and perhaps a name. A `shape` of None is any shape.

    >>> TensorSpec([None, 2]).is_compatible_with([[1.0, 2.0]])
    True
    """

    def __init__(self, shape: Any, dtype: Any = float32, name: str | None = None) -> None:
        self.shape: TensorShape | None = None if shape is None else TensorShape(shape)
        self.dtype: DType = as_dtype(dtype)
        self.name = name

    @classmethod
    def from_tensor(cls, tensor: Any, name: str | None = None) -> TensorSpec:
        """The specification that `tensor` meets exactly."""
        x = as_tensor(tensor)
        return cls(x.shape, x.dtype, name)

    @classmethod
    def from_spec(cls, spec: TensorSpec, name: str | None = None) -> TensorSpec:
        """The same specification, with another name if one is given."""
        return cls(spec.shape, spec.dtype, name or spec.name)

    def is_compatible_with(self, other: Any) -> bool:
        """Whether a Tensor, or what another specification describes, meets this one."""
        other = other if isinstance(other, TensorSpec) else as_tensor(other)
        return self.dtype == other.dtype and (self.shape is None or self.shape.is_compatible_with(other.shape))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, TensorSpec) and (self.shape, self.dtype) == (other.shape, other.dtype)

    def __hash__(self) -> int:
        return hash((self.shape, self.dtype))

    def __repr__(self) -> str:
        shape = None if self.shape is None else tuple(self.shape)
        return f"TensorSpec(shape={shape}, dtype=mt.{self.dtype.name}, name={self.name!r})"
