"""Graph: what a functional model computes, as a list of calls from its inputs to its outputs.

It is read off the symbolic tensors once: the calls in an order in which each comes after those that it needs. Running
it puts data in the place of the inputs. Written down, each call names its layer, or its public function, and where
its arguments come from.
"""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np

from minitrain import layers as layers_module
from minitrain import nest
from minitrain.configuration import is_ours
from minitrain.engine.convert import as_tensor, to_dtype
from minitrain.engine.symbolic import KerasTensor, Node, declare, draw, function_name, function_named, substituted
from minitrain.engine.tensor import Tensor, TensorLike
from minitrain.errors import DTypeError, InvalidArgumentError
from minitrain.layers.base import Layer, is_loading
from minitrain.layers.core import InputLayer, fitted
from minitrain.layers.preprocessing import looked_up

EXAMPLE_LIMIT = 10_000_000  # elements


class Graph:
    """The calls between `inputs` and `outputs`, structures of symbolic tensors."""

    def __init__(self, inputs: Any, outputs: Any) -> None:
        for each in nest.flatten([inputs, outputs]):
            if not isinstance(each, KerasTensor):
                raise DTypeError(
                    f"The inputs and outputs of a functional Model must be symbolic tensors, from `Input`, received "
                    f"a {type(each).__name__}."
                )
        self.inputs = inputs
        self.outputs = outputs
        self.flat_inputs: list[KerasTensor] = nest.flatten(inputs)
        self.flat_outputs: list[KerasTensor] = nest.flatten(outputs)
        if len({id(each) for each in self.flat_inputs}) != len(self.flat_inputs):
            raise InvalidArgumentError("The same tensor is given twice among the inputs of a Model.")
        self.nodes = self._ordered()
        names = Counter(each.name for each in self.layers)
        for name, count in names.items():
            if count > 1:
                raise InvalidArgumentError(
                    f"The name {name!r} is used {count} times in the model. All layer names should be unique."
                )
        self._steps = self._prepared()

    def _prepared(self) -> list[tuple[Any, Any, Node, Any]]:
        """What `run` does for each node: the operation, its one argument if that is all, the node, its outputs."""
        steps = []
        for node in self.nodes:
            is_plain = len(node.args) == 1 and type(node.args[0]) is KerasTensor and not node.kwargs
            only = id(node.args[0]) if is_plain else None
            steps.append((node.operation, only, node, nest.map_structure(id, node.outputs)))
        return steps

    def _ordered(self) -> list[Node]:
        """The nodes in an order in which each comes after those that it needs."""
        known = {id(each) for each in self.flat_inputs}
        ordered: list[Node] = []
        done: set[int] = set()
        waiting: list[tuple[KerasTensor, bool]] = [(each, False) for each in reversed(self.flat_outputs)]
        while waiting:  # no recursion: a drawing may be deeper than Python's stack
            tensor, is_ready = waiting.pop()
            node = tensor.node
            if id(tensor) in known or id(node) in done:
                continue
            if node is None or isinstance(node.operation, InputLayer):
                raise InvalidArgumentError(
                    f"The outputs depend on {tensor!r}, which is not among the `inputs` of the Model."
                )
            if is_ready:
                done.add(id(node))
                ordered.append(node)
            else:
                waiting.append((tensor, True))
                waiting += [(each, False) for each in reversed(node.inputs)]
        return ordered

    @property
    def layers(self) -> list[Layer]:
        """The layers in the order of their first call, each once; inputs first."""
        operations = [each.node.operation for each in self.flat_inputs if each.node is not None]
        operations = [each for each in operations if isinstance(each, InputLayer)]
        operations += [each.operation for each in self.nodes]
        return list({id(each): each for each in operations if isinstance(each, Layer)}.values())

    @property
    def output_names(self) -> list[str]:
        """The name of each output: its key in a dict, else that of the layer that makes it."""
        if isinstance(self.outputs, dict) and not any(nest.is_nested(each) for each in self.outputs.values()):
            return sorted(self.outputs)
        return [_operation_name(each) for each in self.flat_outputs]

    def run(self, inputs: Any) -> Any:
        """The outputs for data, in their structure."""
        values: dict[int, Any] = {}
        for tensor, value in zip(self.flat_inputs, self._matched(inputs), strict=True):
            values[id(tensor)] = self._accepted(value, tensor)
        find = values.__getitem__
        for operation, only, node, made in self._steps:
            if only is not None:
                out = operation(find(only))
            else:
                out = operation(
                    *substituted(node.args, lambda each: find(id(each))),
                    **substituted(node.kwargs, lambda each: find(id(each))),
                )
            if type(made) is int:
                values[made] = out
            else:
                values.update(zip(nest.flatten(made), nest.flatten(out), strict=True))
        return substituted(self.outputs, lambda each: find(id(each)))

    def _matched(self, inputs: Any) -> list[Any]:
        """The data of each input, in order: by name from a dict, by place from a list."""
        if isinstance(inputs, dict):
            keys = sorted(self.inputs) if isinstance(self.inputs, dict) else [each.name for each in self.flat_inputs]
            missing = [each for each in keys if each not in inputs]
            if missing:
                raise InvalidArgumentError(
                    f"The model's inputs are {', '.join(map(repr, keys))}; the data lacks "
                    f"{', '.join(map(repr, missing))} and holds {', '.join(map(repr, inputs))}."
                )
            if isinstance(self.inputs, dict) and len(inputs) > len(keys):
                warnings.warn(
                    f"The structure of `inputs` doesn't match the expected structure: the model takes "
                    f"{', '.join(map(repr, keys))}, and {', '.join(repr(each) for each in inputs if each not in keys)} "
                    "is left out.",
                    stacklevel=2,
                )
            found = [inputs[each] for each in keys]
            is_deep = isinstance(self.inputs, dict) and any(map(nest.is_nested, self.inputs.values()))
            return nest.flatten(found) if is_deep else found
        flat = list(inputs) if isinstance(inputs, (list, tuple)) else [inputs]
        if isinstance(self.inputs, dict) and len(flat) > 1:
            self._need_order()
        if any(nest.is_nested(each) for each in flat):
            flat = nest.flatten(inputs)
        if len(flat) != len(self.flat_inputs):
            names = ", ".join(repr(each.name) for each in self.flat_inputs)
            raise InvalidArgumentError(
                f"The model has {len(self.flat_inputs)} inputs ({names}), received {len(flat)} arrays."
            )
        return flat

    def _need_order(self) -> None:
        """Warn of a list for inputs that have names; raise where their order in the model is not that of the names."""
        names = ", ".join(map(repr, self.inputs))
        text = f"The structure of `inputs` doesn't match the expected structure: the model takes a dict of {names}"
        if list(self.inputs) != sorted(self.inputs):
            raise InvalidArgumentError(f"{text}, received a list. Give each under its name.")
        warnings.warn(f"{text}, received a list, which is taken in their order.", stacklevel=2)

    def _accepted(self, value: Any, tensor: KerasTensor) -> Any:
        if value is None and not _is_optional(tensor):
            raise InvalidArgumentError(
                f"The input '{tensor.name}' is not optional, but None was passed. Give it data, or make it with "
                "Input(..., optional=True)."
            )
        if type(value) is KerasTensor or value is None:
            return value
        if tensor.dtype == "string":
            text = looked_up(value) if isinstance(value, TensorLike) else np.asarray(value)
            return fitted(text, tensor.shape, tensor.name)
        made = fitted(as_tensor(value), tensor.shape, tensor.name)
        cast = to_dtype(made, tensor.dtype.dtype)
        mask = getattr(value, "_keras_mask", None)
        if mask is not None and cast is not value:
            cast._keras_mask = mask
        return cast

    # ---------------------------------------------------------------------------------------------------- written down

    def get_config(self) -> dict[str, Any]:
        """The layers, the calls, and where inputs and outputs are, as plain data."""
        places: dict[int, list[int]] = {}
        for place, tensor in enumerate(self.flat_inputs):
            places[id(tensor)] = [-1, place]
        calls = []
        for place, node in enumerate(self.nodes):
            calls.append(
                {
                    **_operation_config(node.operation),
                    "args": _encoded(list(node.args), places),
                    "kwargs": _encoded(node.kwargs, places),
                    "made": _encoded(substituted(node.outputs, _described), {}),
                }
            )
            for at, tensor in enumerate(nest.flatten(node.outputs)):
                places[id(tensor)] = [place, at]
        return {
            "layers": [
                {"name": each.name, **layers_module.serialize(each)}
                for each in self.layers
                if not isinstance(each, InputLayer)
            ],
            "inputs": _encoded(
                substituted(self.inputs, lambda each: _Plain({"input": _description(each) | {"name": each.name}})),
                places,
            ),
            "calls": calls,
            "outputs": _encoded(self.outputs, places),
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Graph:
        """The graph of a configuration, with new layers."""
        layers = {}
        for each in config["layers"]:
            layers[each["name"]] = layer = layers_module.deserialize(each)
            layer.name = each["name"]  # which a `get_config` of one's own may lack
        inputs = _decoded(config["inputs"], {})
        tensors: dict[tuple[int, int], KerasTensor] = {(-1, n): each for n, each in enumerate(nest.flatten(inputs))}
        for place, call in enumerate(config["calls"]):
            operation = _operation_of(call, layers)
            args, kwargs = (_decoded(call[each], tensors) for each in ("args", "kwargs"))
            if is_loading():
                out = declared(operation, tuple(args), kwargs, _decoded(call["made"], {}))
            else:
                out = drawn(operation, args, kwargs)
            tensors |= {(place, n): each for n, each in enumerate(nest.flatten(out))}
        return cls(inputs, _decoded(config["outputs"], tensors))

    def redrawn(
        self, replace: Callable[[Layer], Layer], inputs: Any = None, call: Callable[..., Any] | None = None
    ) -> Graph:
        """The same drawing with `replace(layer)` in the place of each layer, on new inputs or on those given.

        `call(layer, *args, **kwargs)` draws the new layers, where that is not simply calling them.
        """
        new = {id(each): replace(each) for each in self.layers if not isinstance(each, InputLayer)}
        if inputs is None:
            inputs = substituted(self.inputs, lambda each: layers_module.Input(**_description(each), name=each.name))
        values = {id(old): each for old, each in zip(self.flat_inputs, nest.flatten(inputs), strict=True)}
        for node in self.nodes:
            args, kwargs = (substituted(part, lambda each: values[id(each)]) for part in (node.args, node.kwargs))
            operation = new.get(id(node.operation), node.operation)
            if call is not None and isinstance(operation, Layer):
                out = call(operation, *args, **kwargs)
            else:
                out = drawn(operation, args, kwargs)
            for old, each in zip(nest.flatten(node.outputs), nest.flatten(out), strict=True):
                values[id(old)] = each
        return Graph(inputs, substituted(self.outputs, lambda each: values[id(each)]))

    def __getstate__(self) -> dict[str, Any]:
        return {key: value for key, value in vars(self).items() if key != "_steps"}  # it holds ids

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        self._steps = self._prepared()
        for node in [*self.nodes, *(each.node for each in self.flat_inputs if each.node is not None)]:
            if isinstance(node.operation, Layer):
                node.operation._note_node(node)


def drawn(operation: Any, args: Any, kwargs: dict[str, Any]) -> Any:
    """The symbolic result of a layer or a function."""
    return operation(*args, **kwargs) if isinstance(operation, Layer) else draw(operation, tuple(args), kwargs)


def declared(operation: Any, args: tuple[Any, ...], kwargs: dict[str, Any], made: Any) -> Any:
    """The symbolic result that a file says there is: nothing is computed, so that no file can make it dear.

    A layer of the user's own may make its weights when it is called, and is called on examples, if these are small.
    """
    if isinstance(operation, Layer):
        if not operation.built:
            operation._build_for(args, kwargs)
        if not is_ours(type(operation)) and not operation.weights:
            sizes = [int(np.prod([size or 3 for size in each.shape], dtype=np.float64)) for each in nest.flatten(args)]
            if max(sizes, default=0) > EXAMPLE_LIMIT:
                raise InvalidArgumentError(f"Layer '{operation.name}' has inputs of {max(sizes)} elements a row.")
            drawn(operation, args, kwargs)
        declare(operation, args, kwargs, made)
        operation._note_node(nest.flatten(made)[0].node)
        return made
    return declare(operation, args, kwargs, made)


def _is_optional(tensor: KerasTensor) -> bool:
    return bool(tensor.node is not None and getattr(tensor.node.operation, "optional", False))


def _description(tensor: KerasTensor) -> dict[str, Any]:
    found = {"batch_shape": list(tensor.shape), "dtype": _dtype_name(tensor)}
    return found | {"optional": True} if _is_optional(tensor) else found


def _described(tensor: KerasTensor | None) -> Any:
    return None if tensor is None else _Plain({"declared": _description(tensor)})


def _operation_name(tensor: KerasTensor) -> str:
    operation = tensor.node.operation if tensor.node is not None else tensor
    return str(getattr(operation, "name", None) or getattr(operation, "__name__", "output"))


def _dtype_name(tensor: KerasTensor) -> str:
    return str(getattr(tensor.dtype, "name", tensor.dtype))


def _operation_config(operation: Any) -> dict[str, Any]:
    if isinstance(operation, Layer):
        return {"layer": operation.name}
    name = function_name(operation)
    if name is None:
        raise InvalidArgumentError(f"{operation!r} is no public function of minitrain and cannot be written down.")
    return {"function": name}


def _operation_of(call: dict[str, Any], layers: dict[str, Layer]) -> Any:
    return layers[call["layer"]] if "layer" in call else function_named(call["function"])


class _Plain:
    """Data that is written as it is."""

    def __init__(self, data: Any) -> None:
        self.data = data


def _encoded(value: Any, places: dict[int, list[int]]) -> Any:
    """Arguments as plain data: symbolic tensors by their place, arrays, slices and what JSON has no word for by tag."""
    if isinstance(value, _Plain):
        return value.data
    if isinstance(value, KerasTensor):
        return {"tensor": places[id(value)]}
    if isinstance(value, (TensorLike, np.ndarray, np.generic)):
        array = value.numpy() if isinstance(value, TensorLike) else value
        return {"array": np.asarray(array).tolist(), "dtype": np.asarray(array).dtype.name}
    if isinstance(value, slice):
        return {"slice": [_encoded(each, places) for each in (value.start, value.stop, value.step)]}
    if value is Ellipsis:
        return {"ellipsis": True}
    if isinstance(value, tuple):
        return {"tuple": [_encoded(each, places) for each in value]}
    if isinstance(value, list):
        return [_encoded(each, places) for each in value]
    if isinstance(value, dict):
        return {"dict": {key: _encoded(each, places) for key, each in value.items()}}
    if hasattr(value, "name") and not isinstance(value, (str, int, float, bool, type(None))):
        return str(value.name)  # a dtype
    if isinstance(value, (str, int, float, bool, type(None))):
        return value
    raise InvalidArgumentError(f"The argument {value!r} of a call in this model cannot be written down.")


def _decoded(value: Any, tensors: dict[tuple[int, int], KerasTensor]) -> Any:
    if isinstance(value, list):
        return [_decoded(each, tensors) for each in value]
    if not isinstance(value, dict):
        return value
    ((tag, held),) = ((key, each) for key, each in value.items() if key != "dtype")
    if tag == "tensor":
        return tensors[tuple(held)]
    if tag == "input":
        return layers_module.Input(**held)
    if tag == "declared":
        return KerasTensor(held["batch_shape"], held["dtype"])
    if tag == "array":
        return Tensor(np.array(held, value["dtype"]))
    if tag == "slice":
        return slice(*(_decoded(each, tensors) for each in held))
    if tag == "ellipsis":
        return Ellipsis
    if tag == "tuple":
        return tuple(_decoded(each, tensors) for each in held)
    if tag == "dict":
        return {key: _decoded(each, tensors) for key, each in held.items()}
    raise InvalidArgumentError(f"Unknown tag {tag!r} in the configuration of a model.")
