"""What `compile` makes of names: the loss that is minimised and the metrics that are reported."""

from __future__ import annotations

from typing import Any

from minitrain import losses as losses_module
from minitrain import metrics as metrics_module
from minitrain.engine.convert import as_tensor
from minitrain.errors import DTypeError
from minitrain.losses.base import Loss
from minitrain.metrics.base import Metric
from minitrain.metrics.reduction import MeanMetricWrapper

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
        return as_tensor(self.function(y_true, y_pred))


def as_loss(identifier: Any) -> Loss | None:
    """The loss that a name, a class, an instance or a function stands for; None for None."""
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
            binary, sparse, categorical = FORMS[family]
            t, p = y_true.shape, y_pred.shape
            is_sparse = len(t) < len(p) or t[-1] == 1
            chosen = binary if p[-1] == 1 or len(p) == 1 else sparse if is_sparse else categorical
            return getattr(metrics_module, chosen)(name=identifier)  # type: ignore[no-any-return]
    found = metrics_module.get(identifier)
    if not isinstance(found, Metric):
        if not callable(found):
            raise DTypeError(f"A metric must be a name, a Metric or a function, received {identifier!r}.")
        found = MeanMetricWrapper(found)
    if isinstance(identifier, str):
        found.name = identifier
    return found


class Measures:
    """The metrics of a model: made at the first batch, whose shapes some names depend on."""

    def __init__(self, metrics: Any, weighted_metrics: Any) -> None:
        self.asked = _listed(metrics, "metrics"), _listed(weighted_metrics, "weighted_metrics")
        for each in (*self.asked[0], *self.asked[1]):
            if not isinstance(each, str) or each not in (*ACCURACY, *CROSSENTROPY):
                metrics_module.get(each)  # an unknown name is refused here, not in the first step
        self.plain: list[Metric] = []
        self.weighted: list[Metric] = []
        self.built = False

    def build(self, y_true: Any, y_pred: Any) -> None:
        """Make the metrics for targets and predictions of these shapes."""
        self.plain, self.weighted = ([as_metric(one, y_true, y_pred) for one in asked] for asked in self.asked)
        names = {each.name for each in self.plain}
        for each in self.weighted:
            if each.name in names:
                each.name = f"weighted_{each.name}"
        self.built = True

    def update(self, y_true: Any, y_pred: Any, sample_weight: Any) -> None:
        """Add a batch: the weighted metrics see the weights, the others do not."""
        if not self.built:
            self.build(y_true, y_pred)
        for each in self.plain:
            each.update_state(y_true, y_pred)
        for each in self.weighted:
            each.update_state(y_true, y_pred, sample_weight)

    @property
    def all(self) -> list[Metric]:
        """The metrics, those without weights first."""
        return self.plain + self.weighted


def _listed(value: Any, name: str) -> list[Any]:
    if value is None:
        return []
    if not isinstance(value, (list, tuple)):
        raise DTypeError(f"`{name}` must be a list of names, Metrics or functions, received {value!r}.")
    return list(value)
