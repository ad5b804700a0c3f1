"""`IndexedSlices`: slices of a Tensor along its first axis and their places, as scatters of variables take them."""

from __future__ import annotations

from typing import Any

import numpy as np

from minitrain.dtypes import DType
from minitrain.engine.convert import as_tensor
from minitrain.engine.shape import TensorShape
from minitrain.engine.tensor import Tensor
from minitrain.errors import InvalidArgumentError

__all__ = ["IndexedSlices"]


class IndexedSlices:
    """`values`, (n, ...), that stand at `indices`, (n,), along the first axis of a Tensor of shape `dense_shape`.

    `convert_to_tensor` gives that Tensor: zeros elsewhere, and the sum where indices repeat.
    """

    def __init__(self, values: Any, indices: Any, dense_shape: Any = None) -> None:
        self.values: Tensor = as_tensor(values)
        self.indices: Tensor = as_tensor(indices)
        self.dense_shape: Tensor | None = None if dense_shape is None else as_tensor(dense_shape)

    @property
    def shape(self) -> TensorShape:
        """The shape of the whole Tensor."""
        if self.dense_shape is None:
            raise InvalidArgumentError("These IndexedSlices have no `dense_shape`: the size of the first axis is open.")
        return TensorShape(self.dense_shape._array.tolist())

    @property
    def dtype(self) -> DType:
        """The dtype of the values."""
        return self.values.dtype

    def __neg__(self) -> IndexedSlices:
        return IndexedSlices(-self.values, self.indices, self.dense_shape)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Any:
        dense = np.zeros(self.shape, self.values._array.dtype)
        np.add.at(dense, self.indices.numpy(), self.values.numpy())
        return dense if dtype is None else dense.astype(dtype)

    def __repr__(self) -> str:
        return f"IndexedSlices(indices={self.indices!r}, values={self.values!r}, dense_shape={self.dense_shape!r})"
