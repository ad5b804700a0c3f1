"""Hashing and HashedCrossing: any values to a fixed number of bins, without a vocabulary. The bins are TensorFlow's.

Without a salt values are hashed by FarmHash's Fingerprint64, with one by SipHash; integers are hashed as their decimal
digits.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from minitrain.engine.tensor import Tensor, TensorLike
from minitrain.errors import DTypeError, InvalidArgumentError, ShapeError
from minitrain.layers.base import REGISTRY, Layer
from minitrain.layers.fingerprints import MASK, as_bytes, crossed, fingerprint, sip_hash
from minitrain.layers.preprocessing import encode, looked_up, output_mode_of


def _values(inputs: Any) -> Any:
    return looked_up(inputs) if isinstance(inputs, TensorLike) else np.asarray(inputs)


@REGISTRY.register()
class Hashing(Layer):
    """The bin of each value's hash, below `num_bins`: strings or integers. Of a float its integer part counts.

    `mask_value`: gets bin 0 for itself. `salt`: an integer, or two of them, for other bins. `output_mode`: "int", or
    "one_hot", "multi_hot" and "count" rows of bins.
    """

    _takes_any_input = True

    def __init__(
        self,
        num_bins: int,
        mask_value: Any = None,
        salt: Any = None,
        output_mode: str = "int",
        sparse: bool = False,
        **kwargs: Any,
    ) -> None:
        if kwargs.get("dtype") is None and output_mode == "int":
            kwargs["dtype"] = "int64"
        super().__init__(**kwargs)
        if num_bins is None or num_bins <= 0:
            raise InvalidArgumentError(f"`num_bins` of Hashing must be a positive integer, received {num_bins!r}.")
        pair = [salt, salt] if isinstance(salt, int) else salt
        if pair is not None and not (isinstance(pair, (list, tuple)) and len(pair) == 2):
            raise InvalidArgumentError(f"`salt` of Hashing must be an integer or two of them, received {salt!r}.")
        self.num_bins = num_bins
        self.mask_value = mask_value
        self.salt = pair
        self.output_mode = output_mode_of(output_mode, "Hashing")
        self.sparse = sparse

    def _bin(self, value: Any) -> int:
        is_masked = self.mask_value is not None and as_bytes(value) == as_bytes(self.mask_value)
        bins = self.num_bins - (self.mask_value is not None and self.num_bins > 1)
        if is_masked:
            return 0
        data = as_bytes(value)
        found = fingerprint(data) if self.salt is None else sip_hash(data, (self.salt[0], self.salt[1]))
        return found % bins + self.num_bins - bins

    def call(self, inputs: Any) -> Tensor:
        values = _values(inputs)
        if values.dtype.kind == "f":
            values = values.astype(np.int64)  # as Keras does
        bins = np.array([self._bin(each) for each in values.reshape(-1).tolist()], np.int64).reshape(values.shape)
        return encode(bins, self.num_bins, self.output_mode, self.dtype)


@REGISTRY.register()
class HashedCrossing(Layer):
    """The bin of what several inputs hold together, below `num_bins`: a list of inputs (n,) or (n, 1) of one shape.

    `output_mode`: "int", or "one_hot" rows of bins.
    """

    _takes_any_input = True

    def __init__(self, num_bins: int, output_mode: str = "int", sparse: bool = False, **kwargs: Any) -> None:
        if kwargs.get("dtype") is None and output_mode == "int":
            kwargs["dtype"] = "int64"
        super().__init__(**kwargs)
        self.autocast = False  # a float is refused, not cut off
        if num_bins is None or num_bins <= 0:
            raise InvalidArgumentError(f"`num_bins` of HashedCrossing must be positive, received {num_bins!r}.")
        self.num_bins = num_bins
        self.output_mode = output_mode_of(output_mode, "HashedCrossing", ("int", "one_hot"))
        self.sparse = sparse

    def _bin(self, row: tuple[Any, ...]) -> int:
        hashes = [each & MASK if isinstance(each, int) else fingerprint(as_bytes(each)) for each in row]
        return crossed(hashes) % self.num_bins

    def call(self, inputs: Any) -> Tensor:
        if not isinstance(inputs, (list, tuple)) or len(inputs) < 2:
            raise InvalidArgumentError(f"Layer '{self.name}' (HashedCrossing) needs a list of at least two inputs.")
        columns = [_values(each) for each in inputs]
        if any(each.dtype.kind == "f" for each in columns):
            raise DTypeError(
                f"Layer '{self.name}' (HashedCrossing) needs integers or strings, received "
                f"{[str(each.dtype) for each in columns]}. Make bins of numbers by Discretization."
            )
        shape = columns[0].shape
        if any(each.shape != shape for each in columns) or len(shape) > 2 or shape[1:] not in ((), (1,)):
            raise ShapeError(
                f"Layer '{self.name}' (HashedCrossing) needs inputs of one shape, (n,) or (n, 1), received "
                f"{[each.shape for each in columns]}."
            )
        rows = zip(*(each.reshape(-1).tolist() for each in columns), strict=True)
        bins = np.array([self._bin(row) for row in rows], np.int64).reshape(shape)
        return encode(bins, self.num_bins, self.output_mode, self.dtype)
