"""`InputSpec`: what a layer expects of an input, and the check that `Layer.__call__` makes of it."""

from __future__ import annotations

from typing import Any

from minitrain import nest
from minitrain.configuration import Configurable
from minitrain.dtypes import as_dtype
from minitrain.errors import DTypeError, InvalidArgumentError, ShapeError


class InputSpec(Configurable):
    """Rank, shape and dtype that an input must have; None for what may be anything.

    `axes`: sizes of some axes. `allow_last_axis_squeeze`: the last axis may be one more or one less, if of size 1.

    >>> InputSpec(ndim=2, axes={-1: 3})
    InputSpec(ndim=2, axes={-1: 3})
    """

    def __init__(
        self,
        dtype: Any = None,
        shape: Any = None,
        ndim: int | None = None,
        max_ndim: int | None = None,
        min_ndim: int | None = None,
        axes: dict[int, int | None] | None = None,
        allow_last_axis_squeeze: bool = False,
        name: str | None = None,
        optional: bool = False,
    ) -> None:
        self.dtype = None if dtype is None else as_dtype(dtype).name
        self.shape = None if shape is None else tuple(shape)
        self.ndim = ndim if self.shape is None else len(self.shape)
        self.max_ndim = max_ndim
        self.min_ndim = min_ndim
        self.axes = axes or {}
        self.allow_last_axis_squeeze = allow_last_axis_squeeze
        self.name = name
        self.optional = optional
        if not isinstance(self.axes, dict) or not all(isinstance(each, int) for each in self.axes):
            raise DTypeError(f"`axes` of InputSpec must be a dict of sizes by axis number, received {axes!r}.")
        most = self.ndim if self.ndim is not None else max_ndim
        if most is not None and any(each >= most for each in self.axes):
            raise InvalidArgumentError(f"`axes` of InputSpec names axis {max(self.axes)} of at most {most}.")

    def __repr__(self) -> str:
        shown = ("dtype", "shape", "ndim", "max_ndim", "min_ndim", "axes")
        given = [f"{name}={getattr(self, name)}" for name in shown if getattr(self, name)]
        return f"InputSpec({', '.join(given)})"

    def mismatch(self, x: Any) -> str | None:
        """What is expected that `x`, a Tensor or a symbolic one, does not have; None where it fits."""
        shape = tuple(x.shape)
        if self.shape is not None and self.allow_last_axis_squeeze:
            if len(shape) == self.ndim + 1 and shape[-1] == 1:  # type: ignore[operator]  # ndim goes with shape
                shape = shape[:-1]
            elif len(shape) == self.ndim - 1 and self.shape[-1] == 1:  # type: ignore[operator]
                shape = (*shape, 1)
        ndim = len(shape)
        if self.ndim is not None and ndim != self.ndim:
            return f"ndim={self.ndim}"
        if self.max_ndim is not None and ndim > self.max_ndim:
            return f"max_ndim={self.max_ndim}"
        if self.min_ndim is not None and ndim < self.min_ndim:
            return f"min_ndim={self.min_ndim}"
        if self.dtype is not None and x.dtype != self.dtype:
            return f"dtype={self.dtype}"
        sizes = dict(enumerate(self.shape or ())) | {int(axis): size for axis, size in self.axes.items()}
        for axis, size in sizes.items():
            found = shape[axis] if -ndim <= axis < ndim else None
            if size is not None and found not in (size, None):
                return f"size {size} on axis {axis}"
        return None


def need_spec(spec: Any, inputs: Any, layer: str) -> None:
    """Raise ShapeError, naming the layer, where inputs are not what a spec, or a structure of specs, says."""
    if isinstance(spec, dict) and isinstance(inputs, dict):
        missing = [name for name in spec if name not in inputs]
        if missing:
            raise InvalidArgumentError(f"Layer '{layer}' misses the inputs {missing}; received {sorted(inputs)}.")
        specs, values = list(spec.values()), [inputs[name] for name in spec]
    else:
        specs, values = nest.flatten(spec), nest.flatten(inputs)
    if len(specs) != len(values):
        raise InvalidArgumentError(f"Layer '{layer}' expects {len(specs)} input(s), received {len(values)}.")
    for place, (each, value) in enumerate(zip(specs, values, strict=True)):
        if each is None or (value is None and each.optional):
            continue
        if not hasattr(value, "shape"):
            raise InvalidArgumentError(f"Inputs of layer '{layer}' must be tensors, received {value!r}.")
        expected = each.mismatch(value)
        if expected is not None:
            raise ShapeError(
                f"Input {place} of layer '{layer}' is incompatible with the layer: expected {expected}, received "
                f"shape {tuple(value.shape)} and dtype {getattr(value.dtype, 'name', value.dtype)}."
            )
