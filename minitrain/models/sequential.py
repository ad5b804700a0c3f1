"""Sequential: layers one after the other."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from minitrain import layers as layers_module
from minitrain.configuration import custom_object_scope
from minitrain.engine.symbolic import KerasTensor
from minitrain.errors import InvalidArgumentError, MinitrainError
from minitrain.layers.base import Layer, building_within, is_loading
from minitrain.layers.core import Input, InputLayer, ranked
from minitrain.models.graph import Graph, declared
from minitrain.models.model import Model


class Sequential(Model):
    """A model of layers, each of which takes what the one before gives.

    The weights are made at the first call, or at once where the first layer is an `Input` or has `input_shape=`.

    >>> model = Sequential([layers_module.Dense(4, activation="relu"), layers_module.Dense(1)])
    >>> model.build((None, 8))
    >>> model.count_params()
    41
    """

    def __init__(self, layers: Iterable[Layer] | None = None, trainable: bool = True, name: str | None = None) -> None:
        super().__init__(trainable=trainable, name=name)
        self._chain: list[Layer] = []
        self._declared: Any = None  # the shapes and dtypes of the layers' outputs, where a file says what they are
        for each in layers or ():
            self.add(each)

    @property
    def layers(self) -> list[Layer]:
        """The layers in order, without an InputLayer."""
        return [each for each in self._chain if not isinstance(each, InputLayer)]

    def add(self, layer: Any, rebuild: bool = True) -> None:
        """Put a layer at the end, or an `Input` at the start."""
        if isinstance(layer, KerasTensor) and layer.node is not None:
            layer = layer.node.operation
        if not isinstance(layer, Layer):
            raise InvalidArgumentError(f"Only instances of `Layer` can be added to a Sequential, received {layer!r}.")
        if any(each.name == layer.name for each in self._chain):
            raise InvalidArgumentError(f"The layers of a Sequential need names of their own: {layer.name!r} is taken.")
        if isinstance(layer, InputLayer) and self._chain:
            raise InvalidArgumentError("An Input must be the first of a Sequential.")
        self._chain.append(layer)
        graph = self._graph
        if graph is not None and len(self.layers) > 1:
            with building_within(self):
                self._draw_graph(Graph(graph.inputs, layer(graph.outputs)))
            return
        self._graph, self.built = None, False
        self._note_change()
        first = self._chain[0]
        if isinstance(first, InputLayer) and self.layers:
            self.build(first.batch_shape)
        elif first._input_shape_arg is not None:
            self.build((None, *first._input_shape_arg))

    def pop(self, rebuild: bool = True) -> Layer:
        """Take the last layer off and give it."""
        if not self.layers:
            raise InvalidArgumentError("There are no layers to take off.")
        layer = self._chain.pop()
        self._note_change()
        if self._graph is not None:
            shape, self._graph = self._graph.inputs.shape, None
            self.build(shape)
        return layer

    def build(self, input_shape: Any = None) -> None:
        """Make the weights for inputs of this shape, the batch axis included as None or a size."""
        if input_shape is None or not self.layers or self._graph is not None:
            self.built = bool(self._chain)
            return
        first = self._chain[0]
        if isinstance(first, InputLayer):
            x = first.tensor()
        else:
            x = Input(batch_shape=(None, *tuple(input_shape)[1:]), dtype=self.dtype)
        out = x
        for place, layer in enumerate(self.layers):
            if self._declared is None:
                out = layer(out)
            else:
                out = declared(layer, (out,), {}, KerasTensor(*self._declared[place]))
        self._draw_graph(Graph(x, out))

    def _build_for(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        try:
            super()._build_for(args, kwargs)
        except (MinitrainError, ValueError, TypeError, AttributeError, NotImplementedError):
            # A layer that cannot be drawn, such as one that takes text: the call itself makes the weights, or says
            # what is wrong.
            self.built = True

    def call(self, inputs: Any, training: bool | None = None, mask: Any = None) -> Any:
        """Pass the inputs through the layers."""
        if not self._chain:
            raise InvalidArgumentError(f"Sequential model '{self.name}' cannot be called: it has no layers.")
        x = inputs
        if isinstance(inputs, (list, tuple, dict)) and self._graph is not None:
            (x,) = self._graph._matched(inputs)
        if self._graph is not None and not isinstance(self._chain[0], InputLayer):  # which sees to it itself
            x = ranked(x, self._graph.inputs.shape)
        if mask is not None:
            x._keras_mask = mask
        for layer in self._chain:
            x = layer(x, training=training)
        return x

    def get_config(self) -> dict[str, Any]:
        """The layers' configurations, in order."""
        config: dict[str, Any] = {"name": self.name, "trainable": self.trainable}
        config["layers"] = [layers_module.serialize(each) for each in self._chain]
        if self._graph is not None:
            config["build_input_shape"] = list(self._graph.inputs.shape)
            made = [each.outputs for each in self._graph.nodes]
            config["made"] = [[list(each.shape), getattr(each.dtype, "name", each.dtype)] for each in made]
        return config

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: dict[str, Any] | None = None) -> Any:
        """The model of a configuration, with new weights."""
        with custom_object_scope(custom_objects or {}):
            chain = [layers_module.deserialize(each) for each in config["layers"]]
        shape = config.get("build_input_shape")
        if is_loading():
            made = cls(name=config.get("name"))
            made._chain = chain
            if shape:
                made._declared = config["made"]
                made.build(tuple(shape))
                made._declared = None
        else:
            made = cls(chain, name=config.get("name"))
            if shape and made._graph is None:
                made.build(tuple(shape))
        if not config.get("trainable", True):
            made.trainable = False
        return made
