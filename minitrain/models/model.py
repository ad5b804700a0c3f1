"""Model: a layer made of layers, drawn or written, that trains itself (`Trainer`), prints itself and is saved."""

from __future__ import annotations

from typing import Any

import numpy as np

from minitrain import nest
from minitrain.configuration import custom_object_scope, registered_name
from minitrain.dtypes import as_dtype
from minitrain.engine.convert import as_tensor
from minitrain.engine.program.function import Function
from minitrain.engine.program.passage import is_marked
from minitrain.engine.symbolic import name_of
from minitrain.engine.tensor import Tensor
from minitrain.engine.trail import STATE
from minitrain.errors import InvalidArgumentError, NotDrawnError
from minitrain.layers.base import CALLS, Layer, trial, with_layers
from minitrain.models.graph import Graph
from minitrain.models.state_tree import put_state_tree, state_tree
from minitrain.models.summary import Summary
from minitrain.models.trainer import Trainer


class Model(Trainer, Layer):
    """A layer with `compile`, `fit`, `evaluate` and `predict`.

    `Model(inputs, outputs)` is the functional model between symbolic tensors, each a tensor, a list or a dict. Users'
    own models define `call`, and `train_step` if they like.

    >>> from minitrain.layers import Dense, Input
    >>> x = Input((8,))
    >>> model = Model(x, Dense(1)(Dense(4, activation="relu")(x)))
    >>> model.count_params()
    41
    """

    supports_masking = True

    def __init__(self, inputs: Any = None, outputs: Any = None, *, name: str | None = None, **kwargs: Any) -> None:
        is_functional = type(self) is Model and inputs is not None
        super().__init__(name=name or (name_of("functional") if is_functional else None), **kwargs)
        self._graph: Graph | None = None
        self._graph_layers: list[Layer] = []
        if (inputs is None) != (outputs is None):
            raise InvalidArgumentError("A functional Model needs both `inputs` and `outputs`.")
        if inputs is not None:
            self._draw_graph(Graph(inputs, outputs))
            if not self.trainable:
                self.trainable = False

    def _draw_graph(self, graph: Graph) -> None:
        """Become the functional model of a graph."""
        self._graph = graph
        self._graph_layers = graph.layers
        self._steps.forget()
        self._note_change()
        self._takes_any_input = any(each.dtype == "string" for each in graph.flat_inputs)
        self.built = True

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """The outputs for inputs, as of any Layer.

        A call with one array is replayed where that can be, see `models/live.py`: without a tape, or inside one that
        asks for nothing unusual.
        """
        trail = STATE.trail
        is_usual = STATE.home is None if trail is None else trail.lone is not None
        if not is_usual or len(args) != 1 or len(kwargs) != ("training" in kwargs) or STATE.stands_in:
            return super().__call__(*args, **kwargs)
        (x,) = args
        is_plain = type(x) is np.ndarray and x.dtype.kind in "fiub" if type(x) is not Tensor else not is_marked(x)
        if not is_plain or self.run_eagerly or Function.runs_eagerly:
            return super().__call__(x, **kwargs)
        x, training = self._as_input(x), kwargs.get("training")
        mode = CALLS.training if training is None else bool(training)
        passage = self._steps.live.passage(self, x, mode, trail)
        call = super().__call__
        return passage.run(lambda each: call(each, training=training), (x,), self)

    # ------------------------------------------------------------------------------------------------------- what it is

    @property
    def layers(self) -> list[Layer]:
        """The layers directly below the model."""
        return list(self._graph_layers) if self._graph is not None else self._sublayers()

    def get_layer(self, name: str | None = None, index: int | None = None) -> Layer:
        """The layer of this name, or at this place."""
        if (name is None) == (index is None):
            raise InvalidArgumentError(
                f"Provide either a layer name or a layer index, received {name!r} and {index!r}."
            )
        if index is not None:
            if not -len(self.layers) <= index < len(self.layers):
                raise InvalidArgumentError(f"There is no layer {index}: the model has {len(self.layers)} layers.")
            return self.layers[index]
        for each in self.layers:
            if each.name == name:
                return each
        raise InvalidArgumentError(f"No layer is called {name!r}. There are: {', '.join(x.name for x in self.layers)}.")

    @property
    def inputs(self) -> Any:
        """The symbolic inputs, as a list. Raises TapeError for a model that is not functional."""
        return list(self._need_graph("inputs").flat_inputs)

    @property
    def outputs(self) -> Any:
        """The symbolic outputs, as a list."""
        return list(self._need_graph("outputs").flat_outputs)

    @property
    def input(self) -> Any:
        """The symbolic input, in the structure that the model was made with."""
        return self._need_graph("input").inputs

    @property
    def output(self) -> Any:
        """The symbolic output, in the structure that the model was made with."""
        return self._need_graph("output").outputs

    @property
    def input_shape(self) -> Any:
        """The shapes of the inputs, with None for the batch axis."""
        return nest.map_structure(lambda each: each.shape, self.input)

    @property
    def output_shape(self) -> Any:
        """The shapes of the outputs, with None for the batch axis."""
        return nest.map_structure(lambda each: each.shape, self.output)

    @property
    def input_names(self) -> list[str]:
        """The names of the inputs."""
        return [each.name for each in self.inputs]

    @property
    def output_names(self) -> list[str]:
        """The names of the outputs, which stand in front of the names of their results."""
        return self._need_graph("output_names").output_names

    def _need_graph(self, what: str) -> Graph:
        if self._graph is None:
            raise NotDrawnError(
                f"Model '{self.name}' has no `{what}` yet: it is not functional, or not built. Start it with `Input`."
            )
        return self._graph

    def build(self, input_shape: Any = None) -> None:
        """Make the weights for inputs of this shape, the batch axis included as None or a size."""
        if input_shape is not None and self._graph is None:
            self.build_by_calling(input_shape)
        self.built = True

    def build_by_calling(self, input_shape: Any) -> None:
        """Call the model on zeros: layers make their weights in their first call."""
        zeros = _zeros(input_shape, self._numpy_dtype)
        if zeros is not None:
            with trial(self):
                self.call(zeros)

    def call(self, inputs: Any, training: bool | None = None, mask: Any = None) -> Any:
        """The outputs for inputs. Models of one's own define it."""
        if self._graph is None:
            raise NotImplementedError(f"Model {type(self).__name__} must define call(self, inputs).")
        if mask is not None:
            for each, its in zip(nest.flatten(inputs), nest.flatten(mask), strict=False):
                if isinstance(each, Tensor) and its is not None:
                    each._keras_mask = as_tensor(its)
        return self._graph.run(inputs)

    def summary(
        self,
        line_length: int | None = None,
        positions: Any = None,
        print_fn: Any = None,
        expand_nested: bool = False,
        show_trainable: bool = False,
        layer_range: Any = None,
    ) -> None:
        """Print the layers with the shapes of their outputs and their numbers of parameters."""
        text = Summary(self, expand_nested, show_trainable).text(line_length)
        (print_fn or print)(text)

    def _repr_html_(self) -> str:
        return Summary(self, False, False).html()

    # ---------------------------------------------------------------------------------------------------- written down

    def get_config(self) -> dict[str, Any]:
        """What makes an equal model, with new weights: its graph, or the arguments of a class of one's own."""
        if self._graph is not None and type(self).get_config is Model.get_config:
            own = {"name": self.name, "trainable": self.trainable, "dtype": self.dtype}
            return own | self._graph.get_config()
        return super().get_config()

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: dict[str, Any] | None = None) -> Any:
        """The model of a configuration, with new weights."""
        with custom_object_scope(custom_objects or {}):
            if "calls" not in config:
                is_plain = cls.get_config is Model.get_config
                return cls(**({key: with_layers(each) for key, each in config.items()} if is_plain else config))
            graph = Graph.from_config(config)
            made = cls(graph.inputs, graph.outputs, name=config.get("name"))
            made.dtype = config.get("dtype") or made.dtype
            made._numpy_dtype = as_dtype(made.dtype).dtype
            if not config.get("trainable", True):
                made.trainable = False
            return made

    def to_json(self, **kwargs: Any) -> str:
        """The class and configuration as JSON; `model_from_json` makes a model of it."""
        import json

        return json.dumps({"class_name": registered_name(type(self)), "config": self.get_config()}, **kwargs)

    def get_state_tree(self, value_format: str = "backend_tensor") -> dict[str, Any]:
        """The values of all variables, those of optimizer and metrics too, as nested dicts by the parts of their paths.

        `value_format`: "backend_tensor" for Tensors, "numpy_array" for ndarrays.
        """
        return state_tree(self, value_format)

    def set_state_tree(self, state_tree: dict[str, Any]) -> None:
        """Assign what `get_state_tree` gave, or some of it. Paths and shapes are checked before any is changed."""
        put_state_tree(self, state_tree)

    def save(self, filepath: Any, overwrite: bool = True, **kwargs: Any) -> None:
        """Write the model to one file: configuration, weights, optimizer and compile settings. See `load_model`."""
        from minitrain import saving

        saving.save_model(self, filepath, overwrite, **kwargs)

    def save_weights(self, filepath: Any, overwrite: bool = True) -> None:
        """Write the weights: Keras's layout for ".weights.h5", safetensors for any other name."""
        from minitrain import saving

        saving.save_weights(self, filepath, overwrite)

    def load_weights(self, filepath: Any, skip_mismatch: bool = False) -> None:
        """Read weights that `save_weights`, `save` or Keras's `save_weights` wrote. Checked before any is changed."""
        from minitrain import saving

        saving.load_weights(self, filepath, skip_mismatch)


def _zeros(shape: Any, dtype: Any) -> Any:
    """A row of zeros for a shape with a batch axis, or for a structure of them; None where a size is open."""
    if isinstance(shape, dict):
        found = {key: _zeros(each, dtype) for key, each in shape.items()}
        return None if any(each is None for each in found.values()) else found
    if not isinstance(shape, (tuple, list)):
        return None
    if shape and all(isinstance(each, (tuple, list, dict)) for each in shape):
        listed = [_zeros(each, dtype) for each in shape]
        return None if any(each is None for each in listed) else listed
    if not all(isinstance(each, (int, np.integer)) for each in shape[1:]):
        return None
    return Tensor(np.zeros((1, *shape[1:]), dtype))
