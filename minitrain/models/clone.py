"""New models from models, and from their configurations as text."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from minitrain import layers as layers_module
from minitrain import nest
from minitrain.configuration import custom_object_scope, registered_name
from minitrain.errors import DTypeError, InvalidArgumentError
from minitrain.layers.base import REGISTRY, Layer
from minitrain.metrics.base import Metric
from minitrain.models.model import Model
from minitrain.models.sequential import Sequential
from minitrain.optim import Optimizer

# Models stand in configurations as layers do, for models in models.
REGISTRY.entries |= {"Model": Model, "Functional": Model, "Sequential": Sequential}


def clone_model(
    model: Model,
    input_tensors: Any = None,
    clone_function: Callable[[Layer], Layer] | None = None,
    recursive: bool = False,
    call_function: Callable[..., Any] | None = None,
) -> Any:
    """A model of the same architecture with new layers and new weights.

    `clone_function`: what to put in the place of each layer; by default a new one of its configuration. `recursive`:
    for the layers of models in the model too, instead of for these models. `call_function(layer, *args, **kwargs)`: how
    to draw each of the new layers of a functional model; by default `layer(*args, **kwargs)`.
    `input_tensors`: symbolic tensors to stand on. A subclass of Model is made anew from its configuration. A model that
    is compiled gives one that is compiled alike, with an optimizer of its own.
    """
    if not isinstance(model, Model):
        raise DTypeError(f"`clone_model` needs a Model, received {model!r}.")

    made = _redone(model, input_tensors, clone_function, recursive, call_function)
    if model.compiled:
        _compile_alike(made, model)
    return made


def _compile_alike(made: Model, model: Model) -> None:
    """Compile `made` as `model` is, with an optimizer and metrics of its own."""
    if type(model).compile is not Model.compile:
        made.compile_from_config(model.get_compile_config())  # which goes with a `compile` of one's own
        return

    def fresh(part: Any) -> Any:
        return type(part).from_config(part.get_config()) if isinstance(part, (Metric, Optimizer)) else part

    made.compile(**nest.map_structure(fresh, model._compile_config))


def _redone(
    model: Model, input_tensors: Any, clone_function: Any, recursive: bool, call_function: Callable[..., Any] | None
) -> Any:
    """The model of new layers."""
    own = {registered_name(type(each)): type(each) for each in model._flatten_layers()}  # need not be registered

    def copied(layer: Layer) -> Layer:
        return layers_module.deserialize(layers_module.serialize(layer), own)

    def replace(layer: Layer) -> Any:
        if recursive and isinstance(layer, Model):
            return clone_model(layer, clone_function=clone_function, recursive=True, call_function=call_function)
        return (clone_function or copied)(layer)

    if isinstance(model, Sequential):
        made = Sequential(name=model.name)
        if input_tensors is not None:
            made.add(input_tensors[0] if isinstance(input_tensors, (list, tuple)) else input_tensors)
        elif model._graph is not None:
            start = model._graph.inputs
            made.add(layers_module.Input(batch_shape=start.shape, dtype=start.dtype, name=start.name))
        for each in model.layers:
            made.add(replace(each))
        return made
    if model._graph is not None:
        if input_tensors is not None and not _are_alike(input_tensors, model._graph.inputs):
            raise InvalidArgumentError(
                f"`input_tensors` must have the same structure as model.input, {model._graph.inputs!r}; received "
                f"{input_tensors!r}."
            )
        graph = model._graph.redrawn(replace, input_tensors, call_function)
        return type(model)(graph.inputs, graph.outputs, name=model.name)
    return type(model).from_config(model.get_config())


def _are_alike(a: Any, b: Any) -> bool:
    try:
        nest.assert_same_structure(a, b)
    except (ValueError, TypeError):
        return False
    return True


def model_from_json(json_string: str, custom_objects: dict[str, Any] | None = None) -> Any:
    """The model that `to_json` wrote, with new weights."""
    import json

    with custom_object_scope(custom_objects or {}):
        return layers_module.deserialize(json.loads(json_string))
