"""Means and sums of values, and the metric that is the mean of a per-sample function."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable
from typing import Any

import numpy as np

from minitrain.configuration import serialize, snake_case
from minitrain.errors import DTypeError
from minitrain.metrics.base import REGISTRY, Metric, answer, ratio, same_rank, value_of, weights_for


@REGISTRY.register()
class Sum(Metric):
    """The weighted sum of all values."""

    def __init__(self, name: str = "sum", dtype: Any = None) -> None:
        super().__init__(dtype, name)
        self.total = self.add_weight(name="total")

    def update_state(self, values: Any, sample_weight: Any = None) -> None:
        """Add values of any shape, with weights that broadcast to it."""
        x = value_of(values).astype(np.float64)
        if sample_weight is not None:
            x, w = weights_for(x, sample_weight, joined=np.sum)
            x = x * w
        self.total.assign_add(x.sum())

    def result(self) -> Any:
        return answer(self.total.numpy())


@REGISTRY.register()
class Mean(Metric):
    """The weighted mean of all values; 0 before there are any."""

    def __init__(self, name: str = "mean", dtype: Any = None) -> None:
        super().__init__(dtype, name)
        self.total = self.add_weight(name="total")
        self.count = self.add_weight(name="count")

    def update_state(self, values: Any, sample_weight: Any = None) -> None:
        """Add values of any shape, with weights that broadcast to it."""
        x = value_of(values).astype(np.float64)
        if sample_weight is None:
            # One value a sample, as in Keras: a batch of longer sequences does not weigh more.
            samples = len(x) if x.ndim else 1
            self.total.assign_add(x.sum() * (samples / max(x.size, 1)))
            self.count.assign_add(float(samples))
        else:
            x, w = weights_for(x, sample_weight)
            self.total.assign_add((x * w).sum())
            self.count.assign_add(w.sum())

    def result(self) -> Any:
        return answer(ratio(self.total.numpy(), self.count.numpy()))


class FunctionMean(Mean):
    """The weighted mean of a per-sample function of y_true and y_pred."""

    def function(self, y_true: Any, y_pred: Any) -> Any:
        """(n, ...), (n, ...) -> (n,) or more axes, which count as samples too."""
        raise NotImplementedError  # subclasses do

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Add a batch; a mask that a layer left on y_pred takes elements out.

        Classes that a function ignores take their weights out too; without weights they count as losses of 0, as in
        Keras.
        """
        mask = getattr(y_pred, "_keras_mask", None)
        y_true, y_pred = value_of(y_true), value_of(y_pred)
        made = self.function(y_true, y_pred)
        values, counted = value_of(made), getattr(made, "_keras_mask", None)
        if counted is not None and sample_weight is not None:
            weights, kept = same_rank(value_of(sample_weight), value_of(counted).astype(np.float64))
            sample_weight = weights * kept
        if mask is not None:
            kept = value_of(mask).astype(np.float64)
            sample_weight = kept if sample_weight is None else value_of(sample_weight) * kept
        if values.ndim == 0 and y_pred.ndim == y_true.ndim == 1 and np.shape(sample_weight) == y_pred.shape:
            # The mean over a vector is one number; weights for its elements need one each, as of a column.
            values = value_of(self.function(y_true[:, None], y_pred[:, None]))
        super().update_state(values, sample_weight)


@REGISTRY.register()
class MeanMetricWrapper(FunctionMean):
    """The weighted mean of `fn(y_true, y_pred, **kwargs)`, any function that gives one number a sample."""

    def __init__(self, fn: Callable[..., Any], name: str | None = None, dtype: Any = None, **kwargs: Any) -> None:
        if not callable(fn):
            raise DTypeError(f"`fn` must be a function of y_true and y_pred, received {fn!r}.")
        super().__init__(name or getattr(fn, "__name__", "mean_metric_wrapper"), dtype)
        self.fn = fn
        self.kwargs = kwargs

    def function(self, y_true: Any, y_pred: Any) -> Any:
        return self.fn(y_true, y_pred, **self.kwargs)

    def get_config(self) -> dict[str, Any]:
        return {"fn": self.fn, "name": self.name, "dtype": self.dtype, **serialize(self.kwargs)}


def mean_of(
    class_name: str,
    function: Callable[..., Any],
    *aliases: str,
    name: str | None = None,
    order: str = "",
    doc: str = "",
) -> Any:
    """The metric that is the mean of a per-sample function, with the function's options as arguments of `__init__`.

    `order`: the arguments in Keras's order, by default name, dtype and the options. `name`: the default name.
    """
    options = {p.name: p for p in list(inspect.signature(function).parameters.values())[2:]}
    kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
    own = {
        "name": inspect.Parameter("name", kind, default=name or snake_case(class_name)),
        "dtype": inspect.Parameter("dtype", kind, default=None),
    }
    signature = inspect.Signature([(own | options)[each] for each in (order.split() or [*own, *options])])

    def init(self: Any, *args: Any, **kwargs: Any) -> None:
        try:
            bound = signature.bind(*args, **kwargs)
        except TypeError as error:
            raise DTypeError(f"{class_name}() {error}. Its arguments are {signature}.") from None
        bound.apply_defaults()
        given = dict(bound.arguments)
        FunctionMean.__init__(self, given.pop("name"), given.pop("dtype"))
        vars(self).update(given)
        self._options = given

    def call(self: Any, y_true: Any, y_pred: Any) -> Any:
        return function(y_true, y_pred, **self._options)

    def get_config(self: Any) -> dict[str, Any]:
        return {each: serialize(getattr(self, each)) for each in signature.parameters}

    members = {
        "__init__": init,
        "function": call,
        "get_config": get_config,
        "__signature__": signature,
        "__doc__": doc or f"The weighted mean of `{function.__name__}`. {function.__doc__ or ''}",
        "__module__": sys._getframe(1).f_globals["__name__"],
    }
    return REGISTRY.add(type(class_name, (FunctionMean,), members), *aliases)
