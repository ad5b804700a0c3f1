"""`Layer`: a function with weights.

`__init__` stores, `build` allocates, `call` computes. Weights and sublayers are found by walking the attributes, lists
and dicts among them included, so that nothing has to be registered. `__call__` does what every layer needs: it
builds on the first input, casts, passes `training` and masks on, and collects losses.
"""

from __future__ import annotations

import copy
import functools
import inspect
import threading
import warnings
import weakref
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from typing import Any, Protocol, Self, runtime_checkable

import numpy as np

from minitrain import constraints, dtype_policies, initializers, nest, regularizers
from minitrain.configuration import Configurable, Registry, _arguments, custom_object, is_ours, snake_case
from minitrain.dtypes import DTypePolicy, as_dtype
from minitrain.engine.convert import as_tensor, to_dtype
from minitrain.engine.symbolic import KerasTensor, Node, declare, draw, holds_symbolic, name_of
from minitrain.engine.tensor import Tensor, TensorLike
from minitrain.engine.trail import STATE, Changes
from minitrain.engine.variable import Variable, Weight
from minitrain.errors import (
    DTypeError,
    InvalidArgumentError,
    MinitrainError,
    NotDrawnError,
    ShapeError,
    nearest_names,
)
from minitrain.layers.input_spec import need_spec
from minitrain.layers.stateless import need_one_each, standing_in
from minitrain.layers.walk import HIDDEN, Structure, Walk, held_by, leaves, may_hold

REGISTRY = Registry("layer")


@runtime_checkable
class Measuring(Protocol):
    """A metric, by what it does: layers and metrics do not import each other."""

    variables: list[Variable]

    def update_state(self, *args: Any) -> None: ...
    def reset_state(self) -> None: ...


class _Calls(threading.local):
    """The outermost call of a layer that is under way in this thread, and what it says of `training`."""

    context: object | None = None
    training: bool | None = None
    allowed: int | None = None  # how many elements of weights may still be made
    made: list[tuple[Variable, Any]] | None = None  # the weights that a trial makes, with their first values
    building: tuple[Any, ...] = ()  # the layers that are being built, from the outermost on
    on_examples: bool = False  # whether a trial is under way


CALLS = _Calls()


@contextmanager
def limited_weights(count: int) -> Iterator[None]:
    """Within this `with` block layers may make no more than `count` elements of weights: ShapeError beyond."""
    outer, CALLS.allowed = CALLS.allowed, count
    try:
        yield
    finally:
        CALLS.allowed = outer


@contextmanager
def building_within(layer: Layer) -> Iterator[None]:
    """Within this `with` block weights are made below the layer."""
    outer = CALLS.building
    if all(each is not layer for each in outer):
        CALLS.building = (*outer, layer)
    try:
        yield
    finally:
        CALLS.building = outer


@contextmanager
def trial(layer: Layer) -> Iterator[None]:
    """Within this `with` block the layer is called on examples alone: what its `call` assigns is undone at the end.

    Only code of the user's assigns anything where `training` is False.
    """
    outer_examples, CALLS.on_examples = CALLS.on_examples, True
    try:
        with nullcontext() if all(is_ours(type(each)) for each in layer._flatten_layers()) else _undone(layer):
            yield
    finally:
        CALLS.on_examples = outer_examples


def as_known(shape: Any) -> tuple[int | None, ...]:
    """A shape as the user knows it: the number of examples means nothing."""
    return (None, *shape[1:]) if CALLS.on_examples and len(shape) else tuple(shape)


@contextmanager
def _undone(layer: Layer) -> Iterator[None]:
    """Within this `with` block what is assigned to the layer's weights is undone at the end."""
    kept = [(each, each._peek().copy()) for each in layer.non_trainable_weights]
    outer, CALLS.made = CALLS.made, []
    try:
        yield
    finally:
        made, CALLS.made = CALLS.made, outer
        if outer is not None:
            outer += made
        for variable, value in [*kept, *made]:
            if not np.array_equal(variable._peek(), value, equal_nan=value.dtype.kind == "f"):
                variable._write(value)


def is_loading() -> bool:
    """Whether a file is being read, so that nothing may be computed but what its weights need."""
    return CALLS.allowed is not None


class Layer(Configurable):
    """The base of all layers. Users' own define `call`, and `build` where they have weights.

    `name`: unique, made from the class's by default. `trainable`: whether the weights are. `dtype`: of the weights and
    of what is computed, or their DTypePolicy; config.floatx() by default. `autocast`: whether floating inputs are cast
    to it. `activity_regularizer`: a penalty on the output.

    `supports_masking` says whether the input's mask is the output's too; it is so by itself for a class with a
    `compute_mask`. `input_spec`, an InputSpec or a structure of them, is what inputs are checked against.

    >>> class Doubled(Layer):
    ...     def call(self, x):
    ...         return 2.0 * x
    >>> Doubled()([1.0]).numpy().tolist()
    [2.0]
    """

    _named = True
    supports_masking = False
    input_spec: Any = None

    def __new__(cls, *args: Any, **kwargs: Any) -> Layer:
        made = super().__new__(cls)
        made.__dict__["_made_with"] = args, kwargs  # for `get_config`
        return made

    _version = 0  # how often an attribute has been set: programs that called this layer hold for one version

    def __setattr__(self, name: str, value: Any) -> None:
        is_structure = name not in HIDDEN and (may_hold(value) or may_hold(self.__dict__.get(name)))
        object.__setattr__(self, name, value)
        if is_structure:
            self.__dict__.pop("_walk_kept", None)  # which holds what stood here
            Structure.changed()
        if name[0] != "_" and name not in UNSEEN:
            self._note_change()

    def _note_change(self) -> None:
        """Let programs that called this layer know that it is another one now."""
        self.__dict__["_version"] = self._version + 1
        Changes.attributes += 1

    def __delattr__(self, name: str) -> None:
        object.__delattr__(self, name)
        self.__dict__.pop("_walk_kept", None)
        Structure.changed()

    def __init__(
        self,
        *,
        activity_regularizer: Any = None,
        trainable: bool = True,
        dtype: Any = None,
        autocast: bool = True,
        name: str | None = None,
        **kwargs: Any,
    ) -> None:
        self._input_shape_arg = kwargs.pop("input_shape", None)
        if "input_dim" in kwargs:
            self._input_shape_arg = (kwargs.pop("input_dim"),)
        for option in ("lora_rank", "lora_alpha", "quantization_config"):  # in the configurations that Keras writes
            if kwargs.get(option, 0) is None:
                del kwargs[option]
        if kwargs:
            raise InvalidArgumentError(
                f"Unrecognized keyword arguments passed to {type(self).__name__}: {', '.join(map(repr, kwargs))}. "
                f"{nearest_names(next(iter(kwargs)), _arguments(type(self)))}"
            )
        if name is not None and (not isinstance(name, str) or "/" in name):
            raise InvalidArgumentError(f"`name` of a layer must be a string without '/', received {name!r}.")
        if not isinstance(trainable, (bool, np.bool_)):
            raise InvalidArgumentError(f"`trainable` must be True or False, received {trainable!r}.")
        self.name = name or name_of(snake_case(type(self).__name__))
        self.activity_regularizer = regularizers.get(activity_regularizer)
        self.autocast = autocast
        self.dtype_policy = dtype_policies.get(dtype)
        # Those of ours that make no weights need no `build`.
        self.built = type(self).build is Layer.build and type(self).__module__.startswith(OURS)
        self._trainable = bool(trainable)
        self._frozen: list[Variable] = []  # trainable ones that `trainable = False` has stopped
        self._losses: list[Any] = []
        self._loss_context: object | None = None
        self._nodes: list[weakref.ref[Node]] = []

    # --------------------------------------------------------------------------------------------------- for subclasses

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "build" in vars(cls):
            cls.build = _noting(cls.build)  # type: ignore[method-assign]
        if "compute_mask" in vars(cls):
            cls.supports_masking = vars(cls).get("supports_masking", True)

    def build(self, input_shape: Any) -> None:
        """Make the weights for inputs of this shape; called once, before the first `call`.

        Where `call` takes several inputs, `build` may take the shape of each under its name: `build(self, a_shape,
        b_shape)` for `call(self, a, b)`.
        """
        self._build_shape, self.built = input_shape, True

    def call(self, *args: Any, **kwargs: Any) -> Any:
        """Compute the output. May take `training` and `mask` beside the inputs."""
        raise NotImplementedError(f"Layer {type(self).__name__} must define call(self, inputs).")

    def compute_mask(self, inputs: Any, previous_mask: Any = None) -> Any:
        """The mask of the output: by default that of the input."""
        return previous_mask

    def compute_output_shape(self, input_shape: Any) -> Any:
        """The shape, or structure of shapes, of the output for inputs of this shape, None for axes of open size."""
        made = self(_symbolic(input_shape, self.dtype))
        return nest.map_structure(lambda each: each.shape, made)

    def compute_output_spec(self, *args: Any, **kwargs: Any) -> Any:
        """The symbolic output for symbolic inputs: by `compute_output_shape` if the class has its own."""
        if type(self).compute_output_shape is Layer.compute_output_shape:
            return self(*args, **kwargs)
        shapes = self._shapes_for(self.compute_output_shape, args, kwargs)
        return _symbolic(_with_shapes(self.compute_output_shape, shapes), self.dtype)

    def get_build_config(self) -> dict[str, Any] | None:
        """The shapes that the layer was built for, which `build_from_config` takes; None before."""
        shapes = getattr(self, "_build_shape", None)
        if shapes is None:
            return None
        return {"shapes_dict": shapes} if _takes_several(self.build) else {"input_shape": shapes}

    def build_from_config(self, config: dict[str, Any] | None) -> None:
        """Build for the shapes of `get_build_config`."""
        if config:
            self._build_with(config["shapes_dict"] if "shapes_dict" in config else config["input_shape"])

    def save_own_variables(self, store: Any) -> None:
        """Put the values of the layer's own variables into a dict. Override to write others into a model's file."""
        for place, each in enumerate(self._own_variables()):
            store[str(place)] = each.numpy()

    def load_own_variables(self, store: Any) -> None:
        """Assign the values that `save_own_variables` put into a dict."""
        mine = self._own_variables()
        if len(store) != len(mine):
            raise InvalidArgumentError(
                f"Layer '{self.name}' expected {len(mine)} variables ({', '.join(each.path for each in mine)}), "
                f"received {len(store)}." + ("" if self.built else " It is not built yet: call it on data first.")
            )
        for place, each in enumerate(mine):
            each.assign(store[str(place)])

    def get_config(self) -> dict[str, Any]:
        """The arguments that make an equal layer, as plain data."""
        config = super().get_config()
        for name, usual in (("activity_regularizer", None), ("autocast", True)):
            if config.get(name, usual) is usual:
                config.pop(name, None)
        return config

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        """An equal layer, with new weights. Layers among the arguments of a class without a `get_config` of its own are
        made from their configurations.
        """
        is_plain = cls.get_config is Layer.get_config and not cls.__module__.startswith(OURS)
        return cls(**({key: with_layers(each) for key, each in config.items()} if is_plain else config))

    def add_weight(
        self,
        shape: Any = None,
        initializer: Any = None,
        dtype: Any = None,
        trainable: bool = True,
        autocast: bool = True,
        regularizer: Any = None,
        constraint: Any = None,
        aggregation: Any = None,
        overwrite_with_gradient: bool = False,
        name: str | None = None,
    ) -> Variable:
        """A new weight of the given shape; `initializer` is glorot_uniform for floats, zeros for others by default.

        `autocast`, `aggregation` and `overwrite_with_gradient` are taken for Keras's sake.
        """
        if isinstance(shape, str):
            raise InvalidArgumentError(
                f"`add_weight` of layer '{self.name}' needs a shape first, received {shape!r}. Give the name as a "
                f"keyword argument: name={shape!r}."
            )
        if self.built and CALLS.context is not None and all(each is not self for each in CALLS.building):
            if not is_ours(type(self)):  # those that learn from data have no `call` under way
                raise InvalidArgumentError(
                    f"Layer '{self.name}' is built, and makes a weight in `call`, which would be a new one every time: "
                    "make weights in `__init__` or in `build`."
                )
        shape = () if shape is None else (shape,) if isinstance(shape, int) else tuple(shape)
        if any(size is None for size in shape):
            raise ShapeError(f"Layer '{self.name}' cannot make weight {name or 'variable'!r} of unknown size: {shape}.")
        if CALLS.allowed is not None:
            CALLS.allowed -= int(np.prod(shape, dtype=np.float64))
            if CALLS.allowed < 0:
                raise ShapeError(f"Layer '{self.name}' asks for more weights, of shape {shape}, than the file holds.")
        numpy_dtype = as_dtype(self.dtype if dtype is None else dtype).dtype
        default = "glorot_uniform" if numpy_dtype.kind == "f" else "zeros"
        value = initializers.get(default if initializer is None else initializer)(shape, dtype=as_dtype(numpy_dtype))
        weight = Weight(
            value,
            trainable and self._trainable,
            name or name_of("variable"),
            numpy_dtype,
            constraint=constraints.get(constraint),
        )
        weight.regularizer = regularizers.get(regularizer)
        weight._owner = "/".join([each.name for each in CALLS.building if each is not self] + [self.name])
        if trainable and not self._trainable:
            self._frozen.append(weight)
        self._own.append(weight)
        if CALLS.made is not None and not weight._trainable:
            CALLS.made.append((weight, weight._peek().copy()))
        Structure.changed()
        return weight

    add_variable = add_weight

    def add_loss(self, loss: Any) -> None:
        """Add a scalar, or a list of them, to the losses of this call."""
        if CALLS.context is None:  # outside of one, it stays until the next
            self._note_change()
        for each in nest.flatten(loss):
            self._losses.append(as_tensor(each))

    # ---------------------------------------------------------------------------------------------------------- weights

    @property
    def _own(self) -> list[Variable]:
        """The variables that `add_weight` made, in order."""
        found: list[Variable] = self.__dict__.setdefault("_weights", [])
        return found

    def _own_variables(self) -> list[Variable]:
        """This layer's own variables, each once: trainable ones first, as in Keras."""
        return self._variables_in(held_by(self))

    def _variables_in(self, held: list[Any]) -> list[Variable]:
        found = leaves([*self._own, *held], Variable)
        if all(each._trainable for each in found):
            return found
        frozen = {id(each) for each in self._frozen}
        return sorted(found, key=lambda each: not (each.trainable or id(each) in frozen))

    def _sublayers(self) -> list[Layer]:
        """The layers directly below this one, each once, in the order of the attributes."""
        return leaves(held_by(self), Layer)

    def _flatten_layers(self) -> list[Layer]:
        """This layer and all below it, each once."""
        return [self, *self._walk().below]

    def _walk(self) -> Walk:
        """The walk over this layer and all below it that was kept, or a new one where that no longer holds."""
        walk: Walk | None = self.__dict__.get("_walk_kept")
        if walk is None or not walk.holds():
            walk = self.__dict__["_walk_kept"] = Walk(self, Layer)
        return walk

    @property
    def weights(self) -> list[Variable]:
        """All variables: each layer's own, then those of the layers below it."""
        return list(self._walk().variables)

    @property
    def variables(self) -> list[Variable]:
        """The same as `weights`."""
        return self.weights

    @property
    def trainable_weights(self) -> list[Variable]:
        """The variables that training changes; none of a frozen layer, whatever was unfrozen below it, as in Keras."""
        return [each for each in self._walk().variables if each._trainable] if self._trainable else []

    @property
    def non_trainable_weights(self) -> list[Variable]:
        """The variables that training leaves alone."""
        return [each for each in self.weights if not each.trainable] if self._trainable else self.weights

    trainable_variables = trainable_weights
    non_trainable_variables = non_trainable_weights

    @property
    def trainable(self) -> bool:
        """Whether training changes the weights of this layer and of those below it; settable."""
        return self._trainable

    @trainable.setter
    def trainable(self, value: bool) -> None:
        for layer in self._flatten_layers():
            if value:
                for each in layer._frozen:
                    each.trainable = True
                layer._frozen.clear()
            else:
                stopped = [each for each in layer._own_variables() if each.trainable]
                for each in stopped:
                    each.trainable = False
                layer._frozen += stopped
            layer._trainable = bool(value)
            layer._note_change()

    def get_weights(self) -> list[Any]:
        """The values of `weights`, as ndarrays."""
        return [np.asarray(each.numpy()) for each in self.weights]

    def set_weights(self, weights: Sequence[Any]) -> None:
        """Replace the values of `weights`. Counts and shapes are checked before anything is changed."""
        mine = self.weights
        if len(weights) != len(mine):
            raise InvalidArgumentError(
                f"Layer '{self.name}' has {len(mine)} weights ({', '.join(each.path for each in mine) or 'none'}), "
                f"received {len(weights)}." + ("" if self.built else " It is not built yet: call it on data first.")
            )
        try:
            arrays = [each._accept(np.asarray(value), "assign") for each, value in zip(mine, weights, strict=True)]
        except MinitrainError as error:
            error.args = (f"In layer '{self.name}': {error.message}",)
            raise
        for each, array in zip(mine, arrays, strict=True):
            each._write(array)

    def count_params(self) -> int:
        """The number of elements of all weights."""
        if not self.built:
            raise InvalidArgumentError(
                f"Layer '{self.name}' is not built, so that its weights are not known. Call it on data, or `build` it."
            )
        return sum(int(np.prod(each.shape)) for each in self.weights)

    @property
    def metrics(self) -> list[Any]:
        """The metrics among the attributes of this layer and of those below it, each once."""
        return leaves(self._walk().held, Measuring)

    @property
    def metrics_variables(self) -> list[Variable]:
        """The state of `metrics`."""
        return [variable for each in self.metrics for variable in each.variables]

    @property
    def losses(self) -> list[Any]:
        """What `add_loss` and activity regularizers added in the last call, and the penalties on trainable weights."""
        added = [loss for layer in self._flatten_layers() for loss in layer._losses]
        penalised = [each for each in self.trainable_weights if each.regularizer is not None]
        return added + [as_tensor(each.regularizer(each)) for each in penalised]

    # ---------------------------------------------------------------------------------------------------------- calling

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        kind = type(self)
        takes = kind.__dict__.get("_takes") or _signature(kind)
        if not args and takes.first in kwargs:
            args = (kwargs.pop(takes.first),)
        args = tuple([self._as_input(each) for each in args])
        first = args[0] if args else None
        if first is None and takes.first_is_needed:
            raise (InvalidArgumentError if args else DTypeError)(
                f"Layer '{self.name}' ({kind.__name__}) needs a value for `{takes.first}`, an array or a Tensor; "
                f"received {'None' if args else 'nothing'}."
            )
        if self.input_spec is not None:
            need_spec(self.input_spec, first, self.name)
        if type(first) is not Tensor and holds_symbolic([args, kwargs]):
            return self._draw(args, kwargs)
        calls = CALLS.__dict__  # this thread's: each look into a thread's state takes as long as three into a dict
        outer, outer_training = calls.get("context"), calls.get("training")
        training = kwargs.get("training")
        if training is None:
            training = outer_training
        if takes.training:
            if training is None:
                training = takes.training_default
            kwargs["training"] = training if training is None else bool(training)
        elif "training" in kwargs:
            del kwargs["training"]
        if not self.built:
            return self._first_call(args, kwargs if training is None else kwargs | {"training": training})
        context = outer or object()
        calls["context"], calls["training"] = context, training
        if self._loss_context is not context:
            self._losses.clear()
            self.__dict__["_loss_context"] = context
        trail = STATE.trail
        if trail is not None and trail.recorder is not None:
            trail.recorder.touch(self)
        try:
            mask = _mask_of(first)
            if takes.masks:
                mask = self._give_masks(takes.masks, args, kwargs, mask)
            out = self.call(*args, **kwargs)
            if mask is not None or takes.makes_mask:
                self._pass_mask(first, mask, out)
            if self.activity_regularizer is not None:
                for each in nest.flatten(out):
                    # A mean over the batch, as in Keras, so that it does not grow with the batch.
                    self.add_loss(self.activity_regularizer(each) / float(max(each.shape[0], 1) if each.ndim else 1))
        finally:
            calls["context"], calls["training"] = outer, outer_training
        return out

    def _first_call(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Build, and call: weights that layers below make meanwhile have this layer in their path."""
        with building_within(self):
            self._build_for(args, kwargs)
            return Layer.__call__(self, *args, **kwargs)

    def _as_input(self, value: Any) -> Any:
        """An input as a Tensor of this layer's dtype if it is floating; integers and what is no number stay."""
        if type(value) is np.ndarray and value.dtype is self._numpy_dtype:
            return Tensor(value.copy())
        if type(value) is Tensor:
            kind = value._array.dtype
            if kind is not self._numpy_dtype and kind.kind == "f" and self.autocast:
                cast = to_dtype(value, self._numpy_dtype)
                if _mask_of(value) is not None:
                    cast._keras_mask = value._keras_mask
                return cast
            return value
        if isinstance(value, (list, tuple)) and any(isinstance(each, (TensorLike, np.ndarray)) for each in value):
            return nest.with_children(value, [self._as_input(each) for each in value])
        if isinstance(value, dict):
            return {key: self._as_input(each) for key, each in value.items()}
        if self._takes_any_input or isinstance(value, (str, bytes, type(None), bool, KerasTensor)):
            return value
        return self._as_input(as_tensor(value))

    _takes_any_input = False  # whether inputs may be strings, for the lookups

    def _draw(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """The layer in the drawing of a functional model: built for the shapes, called when there is data."""
        if not self.built:
            with building_within(self):
                self._build_for(args, kwargs)
                return self._draw(args, kwargs)
        if type(self).compute_output_spec is not Layer.compute_output_spec:
            return self._declare(args, kwargs, self.compute_output_spec(*args, **kwargs))

        def run(*args: Any, **kwargs: Any) -> Any:
            return self(*args, **(kwargs | {"training": False}))  # examples must change no statistics

        with trial(self):
            outputs = draw(self, args, kwargs, run)
        for layer in self._flatten_layers():
            layer._losses.clear()
        self._note_node(nest.flatten(outputs)[0].node)
        return outputs

    def _declare(self, args: tuple[Any, ...], kwargs: dict[str, Any], made: Any) -> Any:
        """As `_draw`, where the symbolic outputs are known."""
        outputs = declare(self, args, kwargs, made)
        self._note_node(nest.flatten(outputs)[0].node)
        return outputs

    def _note_node(self, node: Node) -> None:
        """Remember where the layer stands in a drawing, weakly: for `input` and `output`."""
        self._nodes.append(weakref.ref(node))

    def _first_node(self) -> Node:
        for reference in self._nodes:
            node = reference()
            if node is not None:
                return node
        raise NotDrawnError(
            f"Layer '{self.name}' has not been called on a symbolic tensor, so that it has no output yet."
        )

    @property
    def input(self) -> Any:
        """The symbolic input of the layer's first place in a functional model."""
        found = self._first_node().inputs
        return found[0] if len(found) == 1 else found

    @property
    def output(self) -> Any:
        """The symbolic output of the layer's first place in a functional model."""
        return self._first_node().outputs

    def stateless_call(
        self,
        trainable_variables: Any,
        non_trainable_variables: Any,
        *args: Any,
        return_losses: bool = False,
        **kwargs: Any,
    ) -> tuple[Any, ...]:
        """Call the layer with these values in the place of its variables, which keep their own.

        Gives the output, the values of the non-trainable variables after the call, and the losses if asked for.
        """
        if not self.built:
            raise InvalidArgumentError(f"Layer '{self.name}' is not built: call it on data first, or `build` it.")
        trainable, others = self.trainable_variables, self.non_trainable_variables
        need_one_each(self.name, "trainable_variables", trainable, trainable_variables)
        need_one_each(self.name, "non_trainable_variables", others, non_trainable_variables)
        with standing_in([*trainable, *others], [*trainable_variables, *non_trainable_variables]):
            out = self(*args, **kwargs)
            after = [each.read_value() for each in others]
            return (out, after, self.losses) if return_losses else (out, after)

    def _build_for(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        outer = CALLS.context
        CALLS.context = outer or object()
        try:
            self._build_with(self._shapes_for(self.build, args, kwargs))
        finally:
            CALLS.context = outer
        self.built = True

    def _shapes_for(self, function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """The shapes that `build` or `compute_output_shape` takes: of a call's first input, or several by name."""
        if not _takes_several(function):
            return _shapes(args[0] if args else None)
        given = inspect.signature(self.call).bind(*args, **kwargs).arguments
        by_name = {f"{name}_shape": value for name, value in given.items()}
        return {name: _shapes(by_name[name]) for name in _names(function) if by_name.get(name) is not None}

    def _build_with(self, shapes: Any) -> None:
        """Build for what `_shapes_for` gave."""
        _with_shapes(self.build, shapes)

    def _give_masks(
        self, masks: dict[str, tuple[int, int]], args: tuple[Any, ...], kwargs: dict[str, Any], mask: Any
    ) -> Any:
        """Pass the inputs' masks to a `call` that takes them: "mask" of the first, "b_mask" of the input b.

        Gives the mask that goes on to the output: that of the first input, or what was given as `mask`.
        """
        for name, (place, its_own) in masks.items():
            if kwargs.get(name) is None and its_own >= len(args):
                value = args[place] if place < len(args) else kwargs.get(name.removesuffix("_mask"))
                kwargs[name] = mask if place == 0 else _mask_of(value)
        given = kwargs.get("mask")
        return mask if given is None else given

    def _pass_mask(self, inputs: Any, mask: Any, out: Any) -> None:
        if not self.supports_masking:
            warnings.warn(
                f"Layer '{self.name}' (of type {type(self).__name__}) was passed an input with a mask attached to it. "
                "It does not support masking: layers behind it will not see the mask. Set `supports_masking = True` "
                "if the mask of its input is that of its output.",
                stacklevel=3,
            )
            return
        outs = nest.flatten(out)
        if all(type(each) is Tensor and _mask_of(each) is None for each in outs):
            passed = nest.flatten(self.compute_mask(inputs, mask))
            for each, its in zip(outs, passed, strict=False):
                if its is not None:
                    each._keras_mask = as_tensor(its)

    def need(self, condition: bool, expected: str, shape: Any) -> None:
        """Raise ShapeError, naming this layer, where an input is not what was expected."""
        if not condition:
            raise ShapeError(
                f"Input of layer '{self.name}' ({type(self).__name__}) is incompatible with it: expected {expected}, "
                f"received shape {as_known(shape)}."
            )

    @property
    def dtype_policy(self) -> DTypePolicy:
        """The policy whose dtype is `dtype`; settable."""
        return DTypePolicy(self.dtype)

    @dtype_policy.setter
    def dtype_policy(self, value: Any) -> None:
        self.dtype = dtype_policies.get(value).name
        self._numpy_dtype = as_dtype(self.dtype).dtype  # what inputs are compared with

    @property
    def compute_dtype(self) -> str:
        """What is computed in."""
        return self.dtype

    input_dtype = compute_dtype

    @property
    def path(self) -> str:
        """The name, which stands in front of the weights'."""
        return self.name

    @property
    def variable_dtype(self) -> str:
        """What the weights are kept in."""
        return self.dtype

    def __repr__(self) -> str:
        return f"<{type(self).__name__} name={self.name}, built={self.built}>"

    def __deepcopy__(self, memo: dict[int, Any]) -> Layer:
        copied = type(self).__new__(type(self))
        memo[id(self)] = copied
        for key, value in vars(self).items():
            if key == "_numpy_dtype":
                copied._numpy_dtype = value
                continue
            if key == "_walk_kept":
                continue
            copied.__dict__[key] = (
                [] if key in ("_losses", "_nodes") else None if key == "_loss_context" else copy.deepcopy(value, memo)
            )
        return copied

    def __getstate__(self) -> dict[str, Any]:
        return vars(self) | {"_losses": [], "_loss_context": None, "_nodes": [], "_walk_kept": None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        Structure.changed()
        self._numpy_dtype = as_dtype(self.dtype).dtype  # the very object: unpickled ones are only equal


# Attributes that no program depends on.
UNSEEN = frozenset(("built", "stop_training", "stop_evaluating", "stop_predicting", "history"))
OURS = "minitrain.layers."


def with_layers(value: Any) -> Any:
    """An argument as it was before `get_config`: with layers where their configurations stand."""
    if isinstance(value, list):
        return [with_layers(each) for each in value]
    if not isinstance(value, dict):
        return value
    config, name = value.get("config"), value.get("class_name")
    if isinstance(config, dict) and isinstance(name, str) and "name" in config:
        found = custom_object(name) or REGISTRY.entries.get(name)
        if isinstance(found, type) and issubclass(found, Layer):
            return REGISTRY.get(value)
    return {key: with_layers(each) for key, each in value.items()}


def _noting(build: Callable[..., None]) -> Callable[..., None]:
    """A class's `build`, which notes what it was built for."""

    @functools.wraps(build)
    def noted(self: Layer, *args: Any, **kwargs: Any) -> None:
        with building_within(self):
            build(self, *args, **kwargs)
        if args or kwargs:
            self._build_shape = kwargs if _takes_several(self.build) else (*args, *kwargs.values())[0]
            self.built = True

    return noted


def _names(function: Callable[..., Any]) -> list[str]:
    """The arguments of a bound `build` or `compute_output_shape`, those that it must name."""
    kinds = (inspect.Parameter.VAR_KEYWORD, inspect.Parameter.VAR_POSITIONAL)
    return [each.name for each in inspect.signature(function).parameters.values() if each.kind not in kinds]


def _takes_several(function: Callable[..., Any]) -> bool:
    return len(_names(function)) > 1


def _with_shapes(function: Callable[..., Any], shapes: Any) -> Any:
    return function(**shapes) if _takes_several(function) else function(shapes)


def _shapes(value: Any) -> Any:
    """The shape of a Tensor, or those of a structure of them."""
    return nest.map_structure(lambda each: tuple(each.shape) if hasattr(each, "shape") else None, value)


class _Takes:
    """Which of the arguments that `__call__` supplies a class's `call` takes, and its first one."""

    __slots__ = ("first", "first_is_needed", "makes_mask", "masks", "training", "training_default")

    def __init__(self, cls: type[Layer]) -> None:
        parameters = inspect.signature(cls.call).parameters
        any_keyword = any(each.kind is each.VAR_KEYWORD for each in parameters.values())
        training = parameters.get("training")
        self.training = training is not None or any_keyword
        self.training_default = None if training is None or training.default is training.empty else training.default
        kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
        positional = [each for each in parameters.values() if each.kind in kinds][1:]  # after self
        first = positional[0] if positional else None
        self.first = first.name if first is not None else None
        self.first_is_needed = first is not None and first.default is first.empty
        # Arguments that take masks, each with the place of the input whose mask it is, and with its own.
        masked = {f"{each.name}_mask": place for place, each in enumerate(positional)} | {"mask": 0}
        places = {each.name: place for place, each in enumerate(positional)}
        self.masks = {
            name: (place, places.get(name, len(places))) for name, place in masked.items() if name in parameters
        }
        self.makes_mask = cls.compute_mask is not Layer.compute_mask and not is_ours(cls)


def _signature(cls: type[Layer]) -> _Takes:
    cls._takes = _Takes(cls)  # type: ignore[attr-defined]  # once a class
    return cls._takes  # type: ignore[attr-defined,no-any-return]


def takes_mask(layer: Layer) -> bool:
    """Whether a layer's `call` takes the mask of its input."""
    kind = type(layer)
    return "mask" in (kind.__dict__.get("_takes") or _signature(kind)).masks


def _symbolic(shape: Any, dtype: str) -> Any:
    """A symbolic tensor of a shape, or a structure of them."""
    if isinstance(shape, dict):
        return {key: _symbolic(each, dtype) for key, each in shape.items()}
    if shape and all(isinstance(each, (list, tuple, dict)) for each in shape):
        made = [_symbolic(each, dtype) for each in shape]
        return tuple(made) if isinstance(shape, tuple) else made
    return KerasTensor(shape, dtype)


def _mask_of(value: Any) -> Any:
    """The mask on a Tensor, or the structure of masks on one of them; None where there is none."""
    if type(value) is Tensor:
        return getattr(value, "_keras_mask", None)
    if isinstance(value, (list, tuple, dict)):
        masks = [_mask_of(each) for each in nest.children(value)]
        return nest.with_children(value, masks) if any(each is not None for each in masks) else None
    return None


def tuple_of(value: Any, n: int, name: str) -> tuple[int, ...]:
    """An int, or n of them, as a tuple of n."""
    values = (value,) * n if isinstance(value, int) else tuple(value)
    if len(values) != n or not all(isinstance(each, int) for each in values):
        raise InvalidArgumentError(f"`{name}` must be an integer or {n} of them, received {value!r}.")
    return values
