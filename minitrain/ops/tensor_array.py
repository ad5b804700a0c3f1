"""`TensorArray`: a list of Tensors of one dtype under TensorFlow's methods, for loops that were written with it."""

from __future__ import annotations

from typing import Any

from minitrain.dtypes import as_dtype
from minitrain.engine.convert import as_tensor, convert_to_tensor
from minitrain.engine.primitive import ops
from minitrain.engine.shape import TensorShape
from minitrain.engine.tensor import Tensor
from minitrain.errors import InvalidArgumentError, OutOfRangeError, ShapeError
from minitrain.ops.axes import as_int, as_ints
from minitrain.ops.shaping import concat, stack, unstack


class TensorArray:
    """`size` places for Tensors of one dtype, more where `dynamic_size`. Every method gives the array that follows.

    `infer_shape` and the rest are TensorFlow's and mean nothing here.
    """

    def __init__(
        self,
        dtype: Any,
        size: Any = 0,
        dynamic_size: bool = False,
        clear_after_read: bool | None = None,
        tensor_array_name: str | None = None,
        handle: Any = None,
        flow: Any = None,
        infer_shape: bool = True,
        element_shape: Any = None,
        colocate_with_first_write_call: bool = True,
        name: str | None = None,
    ) -> None:
        self.dtype = as_dtype(dtype)
        self.dynamic_size = bool(dynamic_size)
        self.element_shape = None if element_shape is None else TensorShape(element_shape)
        self._tensors: list[Tensor | None] = [None] * as_int(size, "size")

    def write(self, index: Any, value: Any, name: str | None = None) -> TensorArray:
        """Put a Tensor in a place. Raises OutOfRangeError beyond the size unless `dynamic_size`.

        Raises ShapeError where `element_shape` is another.
        """
        place = as_int(index, "index")
        if place < 0 or (place >= len(self._tensors) and not self.dynamic_size):
            raise OutOfRangeError(f"Tried to write to index {place} of a TensorArray of size {len(self._tensors)}.")
        self._tensors += [None] * (place + 1 - len(self._tensors))
        tensor = convert_to_tensor(value, self.dtype)
        if self.element_shape is not None and not self.element_shape.is_compatible_with(tensor.shape):
            raise ShapeError(
                f"Incompatible shape for value: the TensorArray takes {tuple(self.element_shape)}, received "
                f"{tuple(tensor.shape)}."
            )
        self._tensors[place] = tensor
        return self

    def read(self, index: Any, name: str | None = None) -> Tensor:
        """The Tensor in a place; zeros where none was written."""
        place = as_int(index, "index")
        if not 0 <= place < len(self._tensors):
            raise OutOfRangeError(f"Tried to read from index {place} of a TensorArray of size {len(self._tensors)}.")
        return self._filled()[place]

    def _filled(self) -> list[Tensor]:
        some = next((each for each in self._tensors if each is not None), None)
        if some is None and self.element_shape is None and self._tensors:
            raise InvalidArgumentError("Nothing has been written to the TensorArray, and it has no `element_shape`.")
        shape = tuple(self.element_shape or ()) if some is None else tuple(some.shape)
        return [ops.zeros(shape=shape, dtype=self.dtype.dtype) if each is None else each for each in self._tensors]

    def stack(self, name: str | None = None) -> Tensor:
        """All Tensors along a new first axis."""
        return stack(self._filled()) if self._tensors else ops.zeros(shape=(0,), dtype=self.dtype.dtype)

    def concat(self, name: str | None = None) -> Tensor:
        """All Tensors joined along their first axis."""
        return concat(self._filled(), 0)

    def gather(self, indices: Any, name: str | None = None) -> Tensor:
        """The Tensors in the given places along a new first axis."""
        return stack([self.read(each) for each in as_ints(indices, "indices")])

    def unstack(self, value: Any, name: str | None = None) -> TensorArray:
        """Fill the array with the slices of `value` along its first axis."""
        self._tensors = list(unstack(as_tensor(value)))
        return self

    def scatter(self, indices: Any, value: Any, name: str | None = None) -> TensorArray:
        """Put the slices of `value` into the given places."""
        for place, each in zip(as_ints(indices, "indices"), unstack(as_tensor(value)), strict=True):
            self.write(place, each)
        return self

    def split(self, value: Any, lengths: Any, name: str | None = None) -> TensorArray:
        """Fill the array with parts of `value` of the given lengths along its first axis."""
        x, start, parts = as_tensor(value), 0, []
        for length in as_ints(lengths, "lengths"):
            parts.append(x[start : start + length])
            start += length
        self._tensors = list(parts)
        return self

    def size(self, name: str | None = None) -> Tensor:
        """The number of places."""
        return as_tensor(len(self._tensors))

    def identity(self) -> TensorArray:
        """The array itself."""
        return self

    def __len__(self) -> int:
        return len(self._tensors)
