"""What `compile` makes of names: the losses that are minimised and the metrics that are reported.

A model may have several outputs: a list, a dict, or a structure of them. Losses, weights and metrics are then given by
place or by name, and spread over the outputs at the first batch, when these are known.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np

from minitrain import losses as losses_module
from minitrain import metrics as metrics_module
from minitrain import nest
from minitrain.configuration import is_ours, snake_case
from minitrain.engine.convert import as_tensor
from minitrain.errors import DTypeError, InvalidArgumentError, ShapeError, UnknownNameError
from minitrain.losses.base import Loss
from minitrain.metrics.base import Metric
from minitrain.metrics.reduction import MeanMetricWrapper
from minitrain.ops.elementwise import add_n

ACCURACY = ("accuracy", "acc")
CROSSENTROPY = ("crossentropy", "ce")
FORMS = {
    "accuracy": ("BinaryAccuracy", "SparseCategoricalAccuracy", "CategoricalAccuracy"),
    "crossentropy": ("BinaryCrossentropy", "SparseCategoricalCrossentropy", "CategoricalCrossentropy"),
}


class OwnLoss(Loss):
    """A user's function of y_true and y_pred as a loss."""

    def __init__(self, function: Any) -> None:
        super().__init__(name=getattr(function, "__name__", "loss"))
        self.function = function

    def call(self, y_true: Any, y_pred: Any) -> Any:
        # Functions of one's own may ask for what Tensors alone have, whether the step is recorded or not.
        found = self.function(as_tensor(y_true) if isinstance(y_true, np.ndarray) else y_true, y_pred)
        return None if found is None else as_tensor(found)  # which the base refuses


class LossSum(Loss):
    """The losses of one output that several were given for: their sum, each times its weight."""

    def __init__(self, losses: list[Loss], weights: list[float]) -> None:
        super().__init__(name=losses[0].name)
        self.losses = losses
        self.weights = weights

    def __call__(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> Any:
        return add_n(
            [
                each(y_true, y_pred, sample_weight) * weight
                for each, weight in zip(self.losses, self.weights, strict=True)
            ]
        )


class Crossentropy(Loss):
    """What "crossentropy" stands for: the binary, sparse or categorical form, by the shapes of each call."""

    def __call__(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> Any:
        y_true = as_tensor(y_true)
        return getattr(losses_module, _form("crossentropy", y_true, y_pred))()(y_true, y_pred, sample_weight)


def _form(family: str, y_true: Any, y_pred: Any) -> str:
    """The binary, sparse or categorical class of a family, by the shapes, as in Keras."""
    t, p = y_true.shape, y_pred.shape
    binary, sparse, categorical = FORMS[family]
    return binary if p[-1] == 1 or len(p) == 1 else sparse if len(t) < len(p) or t[-1] == 1 else categorical


def as_loss(identifier: Any) -> Loss | None:
    """The loss that a name, a class, an instance or a function stands for; None for None."""
    if isinstance(identifier, str) and identifier in CROSSENTROPY:
        return Crossentropy(name=identifier)
    found = losses_module.get(identifier)
    if found is None or isinstance(found, Loss):
        return found
    if not callable(found):
        raise DTypeError(f"`loss` must be a name, a Loss or a function of y_true and y_pred, received {identifier!r}.")
    made = getattr(found, "loss_class", None)
    return OwnLoss(found) if made is None else made()


def as_metric(identifier: Any, y_true: Any, y_pred: Any) -> Metric:
    """The metric that an identifier stands for, under the name that Keras gives it.

    "accuracy" and "crossentropy" choose the binary, sparse or categorical form by the shapes, as in Keras.
    """
    for family, names in (("accuracy", ACCURACY), ("crossentropy", CROSSENTROPY)):
        if isinstance(identifier, str) and identifier in names:
            made: Metric = getattr(metrics_module, _form(family, y_true, y_pred))(name=identifier)
            return made
    found = metrics_module.get(identifier)
    if not isinstance(found, Metric):
        if not callable(found):
            raise DTypeError(f"A metric must be a name, a Metric or a function, received {identifier!r}.")
        name = found.name if isinstance(found, Loss) else getattr(found, "__name__", None)
        found = MeanMetricWrapper(found, name=name and snake_case(name))
    if isinstance(identifier, str):
        found.name = identifier
    return found


class Outputs:
    """The outputs of a model by name: which of what was given in `compile` and `fit` belongs to which."""

    def __init__(self, y_pred: Any, names: list[str] | None) -> None:
        self.count = len(nest.flatten(y_pred))
        if names is None and isinstance(y_pred, dict):
            names = sorted(y_pred)
        self.names: list[str] | None = names if names is not None and len(names) == self.count else None
        self.is_deep = nest.is_nested(y_pred) and any(map(nest.is_nested, nest.children(y_pred)))
        self.structure: Any = nest.map_structure(lambda each: None, y_pred) if self.is_deep else None
        self.labelled = list(range(self.count))  # the places of the outputs that have a loss

    def look_at(self, losses: list[Any]) -> None:
        """Note which outputs have a loss: targets may be given for these alone."""
        self.labelled = [place for place, each in enumerate(losses) if each is not None]

    @property
    def titles(self) -> list[str] | None:
        """The outputs' names, where they lie deeper than one level with the keys of dicts that lead to them."""
        if self.names is None or not self.is_deep:
            return self.names
        return _titles(self.structure, iter(self.names))

    def is_alike(self, given: Any) -> bool:
        """Whether what is given follows outputs that lie deeper than one level."""
        if isinstance(self.structure, dict):
            return isinstance(given, dict) and given.keys() <= self.structure.keys()
        return self.is_deep and isinstance(given, (list, tuple)) and len(given) == len(self.structure)

    def place(self, name: Any, what: str) -> int:
        """The place of an output by its name. Raises InvalidArgumentError with the names that there are."""
        if self.names is None:
            raise InvalidArgumentError(f"`{what}` is given by name, and the model's outputs have none: give a list.")
        if name not in self.names:
            raise InvalidArgumentError(
                f"`{what}` names the output {name!r}; the model's outputs are {', '.join(map(repr, self.names))}."
            )
        return self.names.index(name)

    def spread(self, given: Any, what: str, *, lists_are_values: bool = False) -> list[Any]:
        """What belongs to each output: one for all of them, a list by place, or a dict by name.

        `lists_are_values`: a list is the value for a single output, as metrics are.
        """
        if self.is_alike(given):
            return _along(self.structure, given, what)
        if isinstance(given, dict):
            found: list[Any] = [None] * self.count
            for name, each in given.items():
                found[0 if self.count == 1 and self.names is None else self.place(name, what)] = each
            return found
        if isinstance(given, (list, tuple)):
            if self.count == 1 and lists_are_values:
                is_inner = len(given) == 1 and isinstance(given[0], (list, tuple))
                return [list(given[0]) if is_inner else list(given)]
            if len(given) == self.count:
                return list(given)
            names = "" if self.names is None else f" ({', '.join(map(repr, self.names))})"
            raise InvalidArgumentError(
                f"`{what}` has {len(given)} entries for {self.count} outputs{names}: give one for each, or a dict."
            )
        return [given] * self.count

    def aligned(self, values: Any, what: str) -> list[Any]:
        """Targets or weights of each output, in order."""
        if self.count == 1 and not isinstance(values, (dict, list, tuple)):
            return [values]
        if what == "y" and len(self.labelled) < self.count and not isinstance(values, dict):
            given = nest.flatten(values)
            if len(given) == len(self.labelled):
                places = dict(zip(self.labelled, given, strict=True))
                return [places.get(place) for place in range(self.count)]
        if self.is_alike(values):
            return _along(self.structure, values, what)
        if isinstance(values, dict):
            if self.names is None:
                raise InvalidArgumentError(f"`{what}` is given by name, and the model's outputs have none.")
            for name in values:
                self.place(name, what)
            return [values.get(each) for each in self.names]
        if isinstance(values, (list, tuple)):
            flat = nest.flatten(values)
            if len(flat) != self.count:
                raise ShapeError(f"`{what}` holds {len(flat)} arrays for {self.count} outputs.")
            return flat
        if what == "sample_weight":
            return [values] * self.count
        raise ShapeError(f"The model has {self.count} outputs; `{what}` must be a list or a dict of as many arrays.")


def _along(structure: Any, given: Any, what: str) -> list[Any]:
    """What `given` holds for each leaf of a structure; what is no container of its kind is for all leaves below."""
    if not nest.is_nested(structure):
        return [given]
    parts = [given] * len(structure)
    if isinstance(structure, dict) and isinstance(given, dict):
        unknown = given.keys() - structure.keys()
        if unknown:
            raise UnknownNameError(f"`{what}` holds {sorted(unknown)}, and the outputs {sorted(structure)}.")
        parts = [given.get(key) for key in sorted(structure)]
    elif isinstance(structure, (list, tuple)) and isinstance(given, (list, tuple)) and len(given) == len(structure):
        parts = list(given)
    return [
        leaf for below, part in zip(nest.children(structure), parts, strict=True) for leaf in _along(below, part, what)
    ]


def _titles(structure: Any, names: Iterator[str], above: str = "", key: Any = None) -> list[str]:
    """Each leaf's key in its dict, or else its name, after the keys above it: "a/b"."""
    if not nest.is_nested(structure):
        name = next(names)
        return [f"{above}{name if key is None else key}"]
    above = above if key is None else f"{above}{key}/"
    keys = sorted(structure) if isinstance(structure, dict) else [None] * len(structure)
    below = zip(nest.children(structure), keys, strict=True)
    return [title for each, its_key in below for title in _titles(each, names, above, its_key)]


class Objective:
    """The losses of a model: called on a batch, their weighted sum."""

    def __init__(self, loss: Any, loss_weights: Any, names: list[str] | None) -> None:
        self.given = loss
        self.weights_given = loss_weights
        self.names = names
        self.is_single = not isinstance(loss, (dict, list, tuple))
        made = nest.map_structure(as_loss, loss)  # an unknown name is refused here, not in the first step
        self.losses: list[Any] = nest.flatten(made)
        self.weights: list[Any] = [None]
        self.labels: list[str] = []  # what the loss of each output is called in the results, if there are several
        self.outputs: Outputs | None = None
        self._structure = made
        for each in nest.flatten(loss_weights):
            if each is not None and not isinstance(each, (int, float, np.number)):
                raise InvalidArgumentError(f"`loss_weights` must be numbers, received {each!r}.")

    def build(self, y_pred: Any) -> Outputs:
        """Spread the losses over the outputs of this prediction."""
        self.outputs = outputs = Outputs(y_pred, self.names)
        made = self._structure
        self.losses, self.weights = [], []
        losses = outputs.spread(made, "loss", lists_are_values=True)
        outputs.look_at(losses)
        for loss, weight in zip(
            losses, outputs.spread(self.weights_given, "loss_weights", lists_are_values=True), strict=True
        ):
            one, factor = _alone(loss, weight)
            self.losses.append(one)
            self.weights.append(factor)
        self.labels = []
        if outputs.count > 1 and sum(each is not None for each in self.losses) > 1:
            given, titles = outputs.spread(self.given, "loss"), outputs.titles
            for place, loss in enumerate(self.losses):
                name = titles[place] if titles is not None else _called(given[place], loss)
                while f"{name}_loss" in self.labels:
                    name += "_1"
                self.labels.append(f"{name}_loss" if loss is not None else "")
        return outputs

    @property
    def shown(self) -> list[str]:
        """What the losses of several outputs are called in the results; none where there is one."""
        return [each for each in self.labels if each]

    def parts(self, y: Any, y_pred: Any, sample_weight: Any) -> list[Any]:
        """The loss of each output, None where it has none."""
        outputs = self.outputs or self.build(y_pred)
        targets, weights = outputs.aligned(y, "y"), outputs.aligned(sample_weight, "sample_weight")
        found = []
        for loss, t, p, w in zip(self.losses, targets, nest.flatten(y_pred), weights, strict=True):
            found.append(None if loss is None or t is None else loss(t, p, w))
        return found

    def total(self, parts: list[Any]) -> Any:
        """The sum of the parts times their weights; None where there are none."""
        weighted = [
            part if weight is None else part * weight
            for part, weight in zip(parts, self.weights, strict=True)
            if part is not None
        ]
        return None if not weighted else weighted[0] if len(weighted) == 1 else add_n(weighted)

    @property
    def takes_labels(self) -> bool:
        """Whether `need_labels` has anything to look at."""
        return any(isinstance(each, OF_LABELS) for each in nest.flatten(self._structure))

    def need_labels(self, y: Any, y_pred: Any) -> None:
        """Raise InvalidArgumentError, naming the row, where a label is none of those that are predicted."""
        outputs = self.outputs or self.build(y_pred)
        for loss, t, p in zip(self.losses, outputs.aligned(y, "y"), nest.flatten(y_pred), strict=True):
            if t is None or not hasattr(t, "ndim") or not is_ours(type(loss)):
                continue
            if isinstance(loss, losses_module.SparseCategoricalCrossentropy):
                _need_classes(np.asarray(t), p.shape[-1], loss.ignore_class)
            elif isinstance(loss, (losses_module.BinaryCrossentropy, losses_module.BinaryFocalCrossentropy)):
                _need_probabilities(np.asarray(t), loss.name)
            elif isinstance(loss, losses_module.CategoricalCrossentropy) and p.shape[loss.axis] == 1:
                warnings.warn(
                    f"{loss.name} of a single class learns nothing: use binary_crossentropy for two classes, or give "
                    "the last layer a unit for each.",
                    stacklevel=4,
                )


ROUNDING = 1e-5  # of labels that were computed, such as mixtures
OF_LABELS = (
    losses_module.SparseCategoricalCrossentropy,
    losses_module.BinaryCrossentropy,
    losses_module.BinaryFocalCrossentropy,
    losses_module.CategoricalCrossentropy,
)


def _need_classes(labels: Any, classes: int, ignored: int | None) -> None:
    wrong = (labels < 0) | (labels >= classes)
    if labels.dtype.kind == "f":
        wrong |= labels % 1 != 0
    if ignored is not None:
        wrong &= labels != ignored
    if wrong.any():
        row = int(np.argwhere(wrong)[0][0])
        raise InvalidArgumentError(
            f"`y` holds the class {labels[row].reshape(-1)[0]} in row {row}, and the model predicts {classes} classes, "
            f"0 to {classes - 1}. Number the classes from 0, or give the last layer more units."
        )


def _need_probabilities(labels: Any, name: str) -> None:
    wrong = (labels < -ROUNDING) | (labels > 1 + ROUNDING)
    if wrong.any():
        place = tuple(np.argwhere(wrong)[0])
        raise InvalidArgumentError(
            f"`y` holds {labels[place]} in row {place[0]}, and {name} takes labels of 0 and 1, or what lies between."
        )


def _alone(loss: Any, weight: Any) -> tuple[Any, Any]:
    """The loss of an output and its weight; a list of losses, with one weight or a list of them, is their sum."""
    if not isinstance(loss, (list, tuple)):
        if isinstance(weight, (list, tuple)) and len(weight) != 1:
            raise InvalidArgumentError(f"`loss_weights` {weight!r} must match the losses, of which there is one.")
        return loss, weight[0] if isinstance(weight, (list, tuple)) else weight
    parts = [each for each in loss if each is not None]
    weights = list(weight) if isinstance(weight, (list, tuple)) else [1.0] * len(loss)
    if len(weights) != len(loss):
        raise InvalidArgumentError(f"An output has {len(loss)} losses and {len(weights)} `loss_weights`: {weight!r}.")
    kept = [each for each, one in zip(weights, loss, strict=True) if one is not None]
    if not isinstance(weight, (list, tuple)) and len(parts) < 2:
        return (parts[0] if parts else None), weight
    return LossSum(parts, kept), None if isinstance(weight, (list, tuple)) else weight


def _called(given: Any, loss: Any) -> str:
    if isinstance(given, (list, tuple)):
        given = given[0]
    return given if isinstance(given, str) else str(getattr(loss, "name", "output"))


class Reported(Metric):
    """A metric of `compile` as `model.metrics` holds it for steps of one's own, which give all of them the same.

    As Keras's, it takes targets, predictions and weights of the whole model: it picks those of its output, and passes
    weights on only if it is among the `weighted_metrics`. All else is the metric's.
    """

    def __init__(self, name: str, metric: Metric, outputs: Outputs, place: int, is_weighted: bool) -> None:
        self.name = name
        self.metric = metric
        self.outputs = outputs
        self.place = place
        self.is_weighted = is_weighted

    def _update(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        target, prediction = self.outputs.aligned(y_true, "y")[self.place], nest.flatten(y_pred)[self.place]
        if target is not None and self.is_weighted:
            weight = self.outputs.aligned(sample_weight, "sample_weight")[self.place]
            self.metric.update_state(target, prediction, weight)
        elif target is not None:
            self.metric.update_state(target, prediction)

    def _result(self) -> Any:
        return self.metric.result()

    def reset_state(self) -> None:
        self.metric.reset_state()

    def get_config(self) -> dict[str, Any]:
        return self.metric.get_config()

    @property
    def variables(self) -> list[Any]:
        return self.metric.variables

    def __getattr__(self, name: str) -> Any:
        if name == "metric":  # while it is being copied
            raise AttributeError(name)
        return getattr(self.metric, name)


# Not in the body of the class, where programs would notice them: they notice the metric's own.
Reported.update_state, Reported.result = Reported._update, Reported._result  # type: ignore[method-assign]


class Measures:
    """The metrics of a model: made at the first batch, whose shapes some names depend on."""

    def __init__(self, metrics: Any, weighted_metrics: Any, names: list[str] | None, loss: Any = None) -> None:
        self.loss = loss
        self.asked = _listed(metrics, "metrics"), _listed(weighted_metrics, "weighted_metrics")
        self.names = names
        for each in nest.flatten(self.asked):
            if each is not None and (not isinstance(each, str) or each not in (*ACCURACY, *CROSSENTROPY)):
                metrics_module.get(each)  # an unknown name is refused here, not in the first step
        self.plain: list[list[Metric]] = []  # of each output
        self.weighted: list[list[Metric]] = []
        self.outputs: Outputs | None = None
        self.labels: list[str] = []
        self.all: list[Metric] = []  # in the order of `labels`
        self.unled: list[str] = []  # the labels without an output's name before them, in the order of `compile`
        self.reported: list[Metric] = []  # the same, as `model.metrics` holds them
        self.is_empty = not any(each is not None for each in nest.flatten(self.asked))

    def build(self, y: Any, y_pred: Any) -> Outputs:
        """Make the metrics for targets and predictions of these shapes."""
        outputs = Outputs(y_pred, self.names)
        if isinstance(self.loss, (dict, list, tuple)):
            outputs.look_at(outputs.spread(self.loss, "loss", lists_are_values=True))
        targets, predictions = outputs.aligned(y, "y"), nest.flatten(y_pred)
        made = []
        for asked, what in zip(self.asked, ("metrics", "weighted_metrics"), strict=True):
            spread = outputs.spread(asked, what, lists_are_values=True)
            made.append(
                [
                    [as_metric(one, t, p) for one in nest.as_list(each)] if t is not None else []
                    for each, t, p in zip(spread, targets, predictions, strict=True)
                ]
            )
        self.plain, self.weighted = made
        self.outputs = outputs
        for plain, weighted in zip(self.plain, self.weighted, strict=True):
            names = {each.name for each in plain}
            for each in weighted:
                if each.name in names:
                    each.name = f"weighted_{each.name}"
        labelled: dict[str, tuple[Metric, int, bool]] = {}
        for place in range(outputs.count):
            lead = f"{outputs.names[place]}_" if outputs.count > 1 and outputs.names is not None else ""
            for each in self.plain[place] + self.weighted[place]:
                name = lead + each.name
                while name in labelled:
                    name += "_1"
                labelled[name] = each, place, each in self.weighted[place]
        self.unled = [] if outputs.count > 1 and outputs.names is not None else list(labelled)
        if outputs.count > 1:  # Keras gives the metrics of several outputs by name
            labelled = dict(sorted(labelled.items()))
        self.labels, self.all = list(labelled), [each for each, _, _ in labelled.values()]
        self.reported = [Reported(name, each, outputs, *at) for name, (each, *at) in labelled.items()]
        return outputs

    def update(self, y: Any, y_pred: Any, sample_weight: Any) -> None:
        """Add a batch: the weighted metrics see the weights, the others do not."""
        if self.is_empty:
            return
        outputs = self.outputs or self.build(y, y_pred)
        targets, weights = outputs.aligned(y, "y"), outputs.aligned(sample_weight, "sample_weight")
        for place, (t, p, w) in enumerate(zip(targets, nest.flatten(y_pred), weights, strict=True)):
            for each in self.plain[place]:
                each.update_state(t, p)
            for each in self.weighted[place]:
                each.update_state(t, p, w)


def _listed(value: Any, name: str) -> Any:
    if value is not None and not isinstance(value, (list, tuple, dict)):
        raise InvalidArgumentError(
            f"Expected `{name}` argument to be a list, tuple, or dict of names, Metrics or functions. Received "
            f"instead: {name}={value!r}."
        )
    return value
