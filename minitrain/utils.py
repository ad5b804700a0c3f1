"""Keras's utilities: `to_categorical`, `normalize`, `set_random_seed`."""

from __future__ import annotations

from typing import Any

import numpy as np

from minitrain.engine.tensor import TensorLike
from minitrain.errors import DTypeError, InvalidArgumentError
from minitrain.ops.random import set_seed

__all__ = ["normalize", "set_random_seed", "to_categorical"]


def to_categorical(x: Any, num_classes: int | None = None) -> Any:
    """One-hot rows for class numbers: (...) or (..., 1) integers to a float array (..., num_classes).

    `num_classes` is the largest number plus one by default. Raises InvalidArgumentError for a number outside
    [0, num_classes).
    """
    labels = np.asarray(x.numpy() if isinstance(x, TensorLike) else x)
    if labels.dtype.kind == "f" and np.array_equal(labels, np.trunc(labels)):
        labels = labels.astype(np.int64)
    if labels.dtype.kind not in "iub":
        raise DTypeError(f"`to_categorical` needs integers, received dtype {labels.dtype}.")
    if labels.ndim > 1 and labels.shape[-1] == 1:
        labels = labels[..., 0]
    labels = labels.astype(np.int64)
    classes = int(labels.max(initial=-1)) + 1 if num_classes is None else int(num_classes)
    if labels.size and (labels.min() < 0 or labels.max() >= classes):
        wrong = labels[(labels < 0) | (labels >= classes)].flat[0]
        raise InvalidArgumentError(f"Class {wrong} is not in [0, {classes}). Give a larger `num_classes`.")
    return np.eye(classes)[labels]


def normalize(x: Any, axis: int = -1, order: int = 2) -> Any:
    """An array divided by its norm of the given order along `axis`; vectors of zeros stay."""
    array = np.asarray(x.numpy() if isinstance(x, TensorLike) else x)
    if array.dtype.kind != "f":
        array = array.astype(np.float64)
    norms = np.atleast_1d(np.linalg.norm(array, order, axis))
    norms[norms == 0] = 1
    return array / np.expand_dims(norms, axis)


def set_random_seed(seed: int) -> None:
    """Seed minitrain's streams, and Python's and NumPy's global ones beside them."""
    import random  # a millisecond or two that only this function needs

    set_seed(seed)
    random.seed(seed)
    np.random.seed(seed)
