"""Sequential: layers one after the other."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from minitrain import layers as layers_module
from minitrain.errors import DTypeError, InvalidArgumentError
from minitrain.layers.base import Layer
from minitrain.layers.core import InputLayer
from minitrain.models.model import Model


class Sequential(Model):
    """A model of layers, each of which takes what the one before gives.

    >>> model = Sequential([layers_module.Dense(4, activation="relu"), layers_module.Dense(1)])
    >>> model.build((None, 8))
    >>> model.count_params()
    41
    """

    def __init__(self, layers: Iterable[Layer] | None = None, trainable: bool = True, name: str | None = None) -> None:
        super().__init__(trainable=trainable, name=name)
        self._chain: list[Layer] = []
        for each in layers or ():
            self.add(each)

    @property
    def layers(self) -> list[Layer]:
        """The layers in order, without an InputLayer."""
        return [each for each in self._chain if not isinstance(each, InputLayer)]

    def add(self, layer: Layer) -> None:
        """Put a layer at the end. An InputLayer at the start, or `input_shape=`, builds the weights at once."""
        if not isinstance(layer, Layer):
            raise DTypeError(f"Only layers can be added to a Sequential, received {layer!r}.")
        if any(each.name == layer.name for each in self._chain):
            raise InvalidArgumentError(f"The layers of a Sequential need names of their own: {layer.name!r} is taken.")
        self._chain.append(layer)
        self.built = False
        first = self._chain[0]
        shape = first.shape if isinstance(first, InputLayer) else first._input_shape_arg
        if shape is not None:
            self.build((None, *shape))

    def pop(self, rebuild: bool = True) -> Layer:
        """Take the last layer off and give it."""
        if not self.layers:
            raise InvalidArgumentError("There are no layers to take off.")
        return self._chain.pop()

    def build(self, input_shape: Any = None) -> None:
        """Make the weights for inputs of this shape, the batch axis included as None or a size."""
        if input_shape is not None and self._chain:
            self.build_by_calling(input_shape)
        self.built = bool(self._chain)

    def call(self, inputs: Any, training: bool | None = None, mask: Any = None) -> Any:
        """Pass the inputs through the layers."""
        x = inputs
        if mask is not None:
            x._keras_mask = mask
        for layer in self._chain:
            x = layer(x, training=training)
        return x

    def get_config(self) -> dict[str, Any]:
        """The layers' configurations, in order."""
        return {"layers": [layers_module.serialize(each) for each in self._chain], "name": self.name}

    @classmethod
    def from_config(cls, config: dict[str, Any], *args: Any, **kwargs: Any) -> Sequential:
        """The model of a configuration, with new weights."""
        return cls([layers_module.deserialize(each) for each in config["layers"]], name=config.get("name"))
