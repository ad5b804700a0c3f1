"""Keras's ".weights.h5": weights that move between Keras and minitrain, through h5py.

A model is the group "layers" with a group for each layer, named after its class and numbered where the class recurs; a
layer's weights are numbered in its group "vars", and the layers in its attributes have groups of the attributes' names.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from minitrain.configuration import snake_case
from minitrain.errors import FileFormatError, ShapeError
from minitrain.layers.base import Layer


def groups(layer: Any, path: str = "") -> Iterator[tuple[str, list[Any]]]:
    """Each layer's group in the file, and its weights in Keras's order."""
    own = layer._own_variables()
    if own:
        yield f"{path}vars", own
    if hasattr(layer, "layers"):
        yield from _numbered(layer.layers, f"{path}layers/")
        return
    for key, value in vars(layer).items():
        if isinstance(value, Layer):
            yield from groups(value, f"{path}{key.lstrip('_')}/")
        elif isinstance(value, (list, tuple)) and value and all(isinstance(each, Layer) for each in value):
            yield from _numbered(value, f"{path}{key.lstrip('_')}/")


def _numbered(layers: Any, path: str) -> Iterator[tuple[str, list[Any]]]:
    counts: dict[str, int] = {}
    for each in layers:
        name = snake_case(type(each).__name__)
        counts[name] = counts.get(name, -1) + 1
        yield from groups(each, f"{path}{name}{f'_{counts[name]}' if counts[name] else ''}/")


def write(model: Any, path: Any) -> None:
    """Write all weights as Keras does."""
    import h5py

    with h5py.File(path, "w") as file:
        for group, weights in groups(model):
            made = file.create_group(group)
            for place, each in enumerate(weights):
                made.create_dataset(str(place), data=each.numpy())


def read(model: Any, path: Any, skip_mismatch: bool = False) -> None:
    """Read all weights. Names and shapes are checked before any is changed."""
    import h5py

    accepted = []
    try:
        with h5py.File(path, "r") as file:
            for group, weights in groups(model):
                held = file.get(group)
                count = 0 if held is None else len(held)
                if count != len(weights):
                    if skip_mismatch:
                        continue
                    raise ShapeError(
                        f"{str(path)!r} holds {count} weights in {group!r}, where model '{model.name}' has "
                        f"{len(weights)} ({', '.join(each.path for each in weights)}). It holds: {_listed(file)}."
                    )
                for place, weight in enumerate(weights):
                    data = held[str(place)]
                    if tuple(data.shape) != tuple(weight.shape):
                        if skip_mismatch:
                            continue
                        raise ShapeError(
                            f"Weight '{weight.path}' has shape {tuple(weight.shape)}, and {group}/{place} in "
                            f"{str(path)!r} {tuple(data.shape)}."
                        )
                    accepted.append((weight, np.asarray(data).astype(weight._peek().dtype, copy=False)))
    except (OSError, KeyError, RuntimeError) as error:
        raise FileFormatError(f"{str(path)!r} cannot be read as a Keras weights file: {error}.") from error
    for weight, array in accepted:
        weight._write(np.asarray(array))


def _listed(file: Any) -> str:
    found: list[str] = []
    file.visit(lambda name: found.append(name) if name.endswith("vars") else None)
    return ", ".join(found[:20])
