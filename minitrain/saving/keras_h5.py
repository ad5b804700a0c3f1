"""Keras's ".weights.h5": weights that move between Keras and minitrain, through h5py.

A model is the group "layers" with a group for each layer, named after its class and numbered where the class recurs; a
layer's weights are numbered in its group "vars", and the layers in its attributes have groups of the attributes' names.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from minitrain.configuration import snake_case
from minitrain.errors import FileFormatError, ShapeError, needing
from minitrain.layers.base import Layer
from minitrain.saving.archive import IN_HDF5, of_keras

LEAST_CHUNK = 1 << 16  # elements that a file may unpack at once whatever it holds


def groups(layer: Any, path: str = "", seen: set[int] | None = None) -> Iterator[tuple[str, list[Any]]]:
    """Each layer's group in the file, and its weights in Keras's order.

    Keras walks the attributes by name, "layers" among them, and writes each layer where it meets it first.
    """
    seen = set() if seen is None else seen
    if id(layer) in seen:
        return
    seen.add(id(layer))
    own = layer._own_variables()
    if own:
        yield f"{path}vars", own
    parts: dict[str, Any] = {}
    if getattr(layer, "_graph", None) is None:
        parts |= {key: value for key, value in vars(layer).items() if key[0] != "_"}
    if hasattr(layer, "layers"):
        parts["layers"] = layer.layers
    for key in sorted(parts):
        value = parts[key]
        if isinstance(value, Layer):
            yield from groups(value, f"{path}{key}/", seen)
        elif isinstance(value, (list, tuple)) and value and all(isinstance(each, Layer) for each in value):
            yield from _numbered(value, f"{path}{key}/", seen)


def _numbered(layers: Any, path: str, seen: set[int]) -> Iterator[tuple[str, list[Any]]]:
    counts: dict[str, int] = {}
    for each in layers:
        name = snake_case(type(each).__name__)
        counts[name] = counts.get(name, -1) + 1
        yield from groups(each, f"{path}{name}{f'_{counts[name]}' if counts[name] else ''}/", seen)


def write(model: Any, path: Any) -> None:
    """Write all weights as Keras does."""
    with needing("h5"):
        import h5py

    whole = io.BytesIO()  # h5py takes the process down where a disk is full
    with h5py.File(whole, "w") as file:
        for group, weights in groups(model):
            made = file.create_group(group)
            for place, each in enumerate(weights):
                made.create_dataset(str(place), data=each.numpy())
    Path(path).write_bytes(whole.getbuffer())


def read(model: Any, path: Any, skip_mismatch: bool = False, file: Any = None) -> None:
    """Read all weights, from an open `file` where one is given. All is checked before any is changed."""
    with needing("h5"):
        import h5py

    accepted = []
    try:
        with h5py.File(path if file is None else file, "r") as file:
            if "layer_names" in file.attrs or "model_weights" in file:  # the layout of Keras 2
                raise of_keras(path, IN_HDF5)
            for group, weights in groups(model):
                held = _held(file, group, h5py)
                count = 0 if held is None else len(held)
                if count != len(weights):
                    if skip_mismatch:
                        continue
                    raise ShapeError(
                        f"{str(path)!r} holds {count} weights in {group!r}, where model '{model.name}' has "
                        f"{len(weights)} ({', '.join(each.path for each in weights)}). It holds: {_listed(file)}."
                    )
                for place, weight in enumerate(weights):
                    data = _held(held, str(place), h5py)
                    if tuple(data.shape) != tuple(weight.shape):
                        if skip_mismatch:
                            continue
                        raise ShapeError(
                            f"Weight '{weight.path}' has shape {tuple(weight.shape)}, and {group}/{place} in "
                            f"{str(path)!r} {tuple(data.shape)}."
                        )
                    if data.external or data.is_virtual or data.dtype.kind not in "fiub":
                        raise ValueError(f"{group}/{place} holds no numbers of its own")
                    if data.chunks and np.prod(data.chunks, dtype=np.float64) > max(data.size, LEAST_CHUNK):
                        raise ValueError(f"{group}/{place} is cut into pieces larger than itself")
                    accepted.append((weight, np.asarray(data[()]).astype(weight._peek().dtype, copy=False)))
    except (ShapeError, FileFormatError):
        raise
    except Exception as error:  # a hostile file can fail in any way
        raise FileFormatError(f"{str(path)!r} cannot be read as a Keras weights file: {error}.") from error
    for weight, array in accepted:
        weight._write(np.asarray(array))


def _held(group: Any, path: str, h5py: Any) -> Any:
    """What stands at a path, reached through the file's own links alone; None where there is nothing."""
    for name in path.split("/"):
        link = group.get(name, getlink=True) if isinstance(group, h5py.Group) else None
        if link is None:
            return None
        if not isinstance(link, h5py.HardLink):
            raise ValueError(f"{path} points out of the file")
        group = group[name]
    return group


def _listed(file: Any) -> str:
    found: list[str] = []
    file.visit(lambda name: found.append(name) if name.endswith("vars") else None)
    return ", ".join(found[:20])
