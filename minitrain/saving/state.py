"""State as plain data: nested lists and dicts, with their arrays taken out and kept apart by number."""

from __future__ import annotations

from typing import Any

import numpy as np

from minitrain.engine.tensor import TensorLike


class CannotWrite(Exception):  # noqa: N818  # not an error: the value is left out
    """Raised for what is neither plain data nor an array."""


def taken_apart(value: Any, arrays: dict[str, Any]) -> Any:
    """Plain data for a value; its arrays go to `arrays`. Raises CannotWrite for anything else."""
    if isinstance(value, (bool, int, float, str, type(None))):
        return value
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, (np.ndarray, TensorLike)):
        array = np.asarray(value.numpy() if isinstance(value, TensorLike) else value)
        if array.dtype.kind not in "fiub":
            raise CannotWrite
        key = str(len(arrays))
        arrays[key] = array
        return {"array": key}
    if isinstance(value, (list, tuple)):
        return [taken_apart(each, arrays) for each in value]
    if isinstance(value, dict) and all(isinstance(key, str) for key in value):
        return {"dict": {key: taken_apart(each, arrays) for key, each in value.items()}}
    raise CannotWrite


def put_together(value: Any, arrays: dict[str, Any]) -> Any:
    """What `taken_apart` took apart, with lists for tuples."""
    if isinstance(value, list):
        return [put_together(each, arrays) for each in value]
    if isinstance(value, dict):
        if "array" in value:
            return arrays[value["array"]]
        return {key: put_together(each, arrays) for key, each in value["dict"].items()}
    return value
