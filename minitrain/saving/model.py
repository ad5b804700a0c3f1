"""A model in one file: configuration, weights, optimizer and compile settings. Loading runs no code.

A class in a file is looked up by name among minitrain's own and those that the user has registered or passes; nothing
is imported. The weights' sizes are known before the model is built, which may take no more memory than they do.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from minitrain import layers as layers_module
from minitrain import losses as losses_module
from minitrain import metrics as metrics_module
from minitrain import optim
from minitrain.configuration import Configurable, custom_object, custom_object_scope, registered_name, serialize
from minitrain.errors import FileFormatError, InvalidArgumentError, MinitrainError, ShapeError
from minitrain.layers.base import Layer, limited_weights
from minitrain.saving.archive import HDF5, Archive, found_path, read_tensors, write_archive, write_whole

FORMAT = 1


def save_model(model: Any, filepath: Any, overwrite: bool = True, include_optimizer: bool = True) -> None:
    """Write a model to one file, all at once: a crash leaves the file that was there.

    Raises InvalidArgumentError where the file exists and `overwrite` is False, and DTypeError for a configuration that
    JSON cannot hold.
    """
    _need_free(filepath, overwrite)
    texts: dict[str, Any] = {
        "model": {
            "format": FORMAT,
            "class_name": registered_name(type(model)),
            "config": serialize(model.get_config()),
            "build_shape": _plain_shape(getattr(model, "_build_shape", None)),
            "streams": [each.generator.state for each in random_layers(model)],
        }
    }
    tensors = {"weights": weights_of(model)}
    own = {f"{place} {name}": np.asarray(each) for place, store in own_stores(model) for name, each in store.items()}
    if own:
        tensors["own"] = own
    if getattr(model, "_compiled", False):
        optimizer = model.optimizer
        keeps_state = optimizer.built and include_optimizer
        texts["compile"] = {**model.get_compile_config(), "built": keeps_state}
        if keeps_state:
            tensors["optimizer"] = {str(n): each for n, each in enumerate(optimizer.get_weights())}
    write_archive(filepath, texts, tensors)


def load_model(
    filepath: Any, custom_objects: dict[str, Any] | None = None, compile: bool = True, safe_mode: bool = True
) -> Any:
    """The model that `save` wrote, compiled as it was, with its optimizer's state.

    `custom_objects`: classes and functions of one's own by name; those under `register_serializable` are found without.
    Raises FileFormatError for a file that is damaged or not minitrain's, InvalidArgumentError for a class that is
    unknown. `safe_mode` is taken for Keras's sake: loading never runs code of the file's.
    """
    archive = Archive(filepath)
    settings = archive.text("model")
    weights = archive.tensors("weights")
    if not isinstance(settings, dict) or settings.get("format") != FORMAT:
        raise archive.broken(f"its format is not {FORMAT}, the one that this version reads")
    count = sum(each.size for each in weights.values())
    _need_modest(settings.get("config"), max(count, 10_000_000), archive)
    with custom_object_scope(custom_objects or {}):
        try:
            with limited_weights(count):
                model = layers_module.deserialize(settings)
                shape = settings.get("build_shape")
                if not model.weights and weights and shape is not None:
                    model._build_with(_as_shape(shape))
        except InvalidArgumentError as error:
            _advise(error, archive)
            raise
        except MinitrainError:
            raise
        except Exception as error:  # whatever a hostile configuration makes of constructors
            raise archive.broken(f"its configuration makes no model ({type(error).__name__}: {error})") from error
        if not isinstance(model, Layer):
            raise archive.broken("it holds no model")
        assign_weights(model, weights, archive)
        _load_own(model, archive)
        try:
            for layer, state in zip(random_layers(model), settings.get("streams") or (), strict=True):
                layer.generator.state = state
        except (ValueError, TypeError, KeyError, OverflowError, AttributeError) as error:
            raise archive.broken(f"its random streams cannot be used ({error})") from error
        if compile and "compile.json" in archive.names:
            try:
                _compile(model, archive)
            except InvalidArgumentError as error:
                _advise(error, archive)
                raise
    return model


def own_layers(model: Any) -> dict[str, Layer]:
    """The layers that write and read variables in a way of their own, by their place in the model."""
    kinds = (Layer.save_own_variables, Layer.load_own_variables)
    return {
        str(place): each
        for place, each in enumerate(model._flatten_layers())
        if (type(each).save_own_variables, type(each).load_own_variables) != kinds
    }


def own_stores(model: Any) -> Iterator[tuple[str, dict[str, Any]]]:
    """What those layers write."""
    for place, layer in own_layers(model).items():
        store: dict[str, Any] = {}
        layer.save_own_variables(store)
        yield place, store


def _load_own(model: Any, archive: Archive) -> None:
    """Let those layers read what they wrote."""
    layers = own_layers(model)
    if not layers:
        return
    stores: dict[str, dict[str, Any]] = {place: {} for place in layers}
    held = archive.tensors("own") if "own.safetensors" in archive.names else {}
    for key, each in held.items():
        place, _, name = key.partition(" ")
        if place not in stores:
            raise archive.broken(f"{key!r} belongs to no layer")
        stores[place][name] = each
    for place, layer in layers.items():
        layer.load_own_variables(stores[place])


def random_layers(model: Any) -> list[Any]:
    """The layers that own a stream of random numbers."""
    return [each for each in model._flatten_layers() if hasattr(each, "generator")]


def _advise(error: Exception, archive: Archive) -> None:
    """Raise the error with advice, where it is that a name is unknown."""
    if str(error).startswith("Unknown"):
        raise InvalidArgumentError(
            f"{str(archive.path)!r} names what minitrain does not know: {str(error).partition(' Known names')[0]} If "
            "it is your own, decorate it with `minitrain.utils.register_serializable()` or pass `custom_objects={name: "
            "it}`."
        ) from error


def _compile(model: Any, archive: Archive) -> None:
    settings = archive.text("compile")
    try:
        built = settings.pop("built")
        model.compile_from_config(settings)
        if built and model.compiled:
            state = archive.tensors("optimizer")
            model.optimizer.build(model.trainable_variables)
            model.optimizer.set_weights([state[str(n)] for n in range(len(state))])
    except (KeyError, TypeError, AttributeError, RecursionError) as error:
        raise archive.broken(f"its compile settings cannot be used ({type(error).__name__}: {error})") from error


def compile_settings(config: dict[str, Any]) -> dict[str, Any]:
    """The arguments of `compile` in what `get_compile_config` gave."""
    found = dict(config)
    families = {
        "optimizer": optim,
        "loss": losses_module,
        "metrics": metrics_module,
        "weighted_metrics": metrics_module,
    }
    for key, family in families.items():
        if key in found:
            found[key] = _read(found[key], family.get)
    return found


def written_settings(value: Any) -> Any:
    """Compile settings as plain data: objects by class and configuration, functions by name."""
    if isinstance(value, Configurable):
        return {"class_name": registered_name(type(value)), "config": value.get_config()}
    if isinstance(value, dict):
        return {key: written_settings(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [written_settings(each) for each in value]
    return serialize(value)


def _read(value: Any, get: Any) -> Any:
    if isinstance(value, dict) and "class_name" in value:
        return get(value)
    if isinstance(value, dict):
        return {key: _read(each, get) for key, each in value.items()}
    if isinstance(value, list):
        return [_read(each, get) for each in value]
    if isinstance(value, str) and value not in ("accuracy", "acc", "crossentropy", "ce"):
        found = get(value)  # an unknown name is refused here
        return value if custom_object(value) is None else found
    return value


def _need_modest(value: Any, limit: int, archive: Archive, key: str = "") -> None:
    """Refuse sizes far beyond those of the weights, which would take memory before anything else could tell."""
    if isinstance(value, dict):
        for name, each in value.items():
            _need_modest(each, limit, archive, name)
    elif isinstance(value, list):
        for each in value:
            _need_modest(each, limit, archive, key)
    elif isinstance(value, int) and abs(value) > limit and key != "seed":
        raise archive.broken(f"its configuration asks for {key} = {value}")


def _plain_shape(shape: Any) -> Any:
    if isinstance(shape, dict):
        return {key: _plain_shape(each) for key, each in shape.items()}
    if isinstance(shape, (list, tuple)):
        return [_plain_shape(each) for each in shape]
    return None if shape is None else int(shape)


def _as_shape(shape: Any) -> Any:
    if isinstance(shape, dict):
        return {key: _as_shape(each) for key, each in shape.items()}
    if shape and all(isinstance(each, (list, dict)) for each in shape):
        return [_as_shape(each) for each in shape]
    return tuple(shape)


def _need_free(filepath: Any, overwrite: bool) -> None:
    if not overwrite and Path(filepath).exists():
        raise InvalidArgumentError(f"{str(filepath)!r} exists already. Pass overwrite=True to replace it.")


# -------------------------------------------------------------------------------------------------------------- weights


def weights_of(model: Any) -> dict[str, Any]:
    """The weights by number and path, in order."""
    return {f"{place:05d} {each.path}": each.numpy() for place, each in enumerate(model.weights)}


def assign_weights(model: Any, arrays: dict[str, Any], archive: Any, skip_mismatch: bool = False) -> None:
    """Put arrays in the place of the weights, in order. Counts and shapes are checked before any is changed."""
    given = [arrays[key] for key in sorted(arrays)]
    mine = model.weights
    if len(given) != len(mine):
        raise ShapeError(
            f"The file holds {len(given)} weights, the model '{model.name}' has {len(mine)}."
            + ("" if model.built else " It is not built: call it on data first, or give it an Input.")
        )
    accepted = []
    for weight, key, array in zip(mine, sorted(arrays), given, strict=True):
        if array.dtype.kind not in "fiub":
            raise archive.broken(f"{key!r} is of dtype {array.dtype}")
        if array.shape != tuple(weight.shape):
            if skip_mismatch:
                continue
            raise ShapeError(
                f"Weight '{weight.path}' has shape {tuple(weight.shape)}, and the file's {key[6:]!r} {array.shape}."
            )
        accepted.append((weight, array.astype(weight._peek().dtype, copy=False)))
    for weight, array in accepted:
        weight._write(np.asarray(array))


def save_weights(model: Any, filepath: Any, overwrite: bool = True) -> None:
    """Write a model's weights: in Keras's layout for ".weights.h5" (needs h5py), else as safetensors."""
    _need_free(filepath, overwrite)
    if not model.built:
        raise InvalidArgumentError(f"Model '{model.name}' is not built, so that it has no weights to save.")
    if str(filepath).endswith((".h5", ".hdf5")):
        from minitrain.saving import keras_h5

        write_whole(filepath, lambda temporary: keras_h5.write(model, temporary))
        return
    from safetensors.numpy import save

    data = save({key: np.asarray(each, order="C") for key, each in weights_of(model).items()})
    write_whole(filepath, lambda temporary: Path(temporary).write_bytes(data))


def load_weights(model: Any, filepath: Any, skip_mismatch: bool = False) -> None:
    """Read weights from a file of `save_weights`, of `save`, or Keras's ".weights.h5" and ".keras" (needs h5py)."""
    path = found_path(filepath)
    if not model.built:
        raise InvalidArgumentError(
            f"Model '{model.name}' is not built, so that it has no weights to load into: call it on data first, or "
            "give it an Input."
        )
    with open(path, "rb") as file:
        start = file.read(8)
    if start.startswith(b"PK"):
        archive = Archive(path, allow_keras=True)
        if archive.is_of_keras:
            from minitrain.saving import keras_h5

            keras_h5.read(model, path, skip_mismatch, io.BytesIO(archive.keras_weights()))
        else:
            assign_weights(model, archive.tensors("weights"), archive, skip_mismatch)
    elif start == HDF5:
        from minitrain.saving import keras_h5

        keras_h5.read(model, path, skip_mismatch)
    else:
        plain = _Plain(path)
        assign_weights(model, read_tensors(path.read_bytes(), plain), plain, skip_mismatch)


class _Plain:
    """A file of weights alone."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def broken(self, why: str) -> FileFormatError:
        return FileFormatError(f"{str(self.path)!r} holds no weights that minitrain can read: {why}.")
