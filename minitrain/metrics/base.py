"""What all metrics share: state that batches add to, and a result that is that of the whole data.

State is kept in float64, so that many small batches give what one large batch gives; results are float32. A metric
computes on values: it leaves nothing on a tape.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from minitrain import config, initializers, nest
from minitrain.configuration import Configurable, Registry, is_ours, snake_case
from minitrain.dtypes import as_dtype
from minitrain.engine.convert import as_tensor
from minitrain.engine.program.record import Effect, called
from minitrain.engine.tensor import Tensor, TensorLike
from minitrain.engine.trail import STATE
from minitrain.engine.variable import Variable, Weight
from minitrain.errors import DTypeError, InvalidArgumentError, ShapeError

REGISTRY = Registry("metric")

Array = Any


def _state_in(value: Any) -> Iterator[Metric | Variable]:
    """The metrics and variables in an attribute's value, lists, tuples and dicts looked through. No layers' weights."""
    if isinstance(value, Metric) or type(value) is Variable:
        yield value
    elif isinstance(value, (list, tuple, dict)):
        for each in value.values() if isinstance(value, dict) else value:
            yield from _state_in(each)


class Metric(Configurable):
    """The base: `update_state` adds a batch, `result` gives the value so far, `reset_state` starts anew.

    Users' own define `update_state(y_true, y_pred, sample_weight=None)` and `result()`, with state from `add_weight`.
    Variables among the attributes are state too, which starts anew from 0.
    """

    _named = True

    def __init__(self, dtype: Any = None, name: str | None = None) -> None:
        self.name = name or snake_case(type(self).__name__)
        self._dtype = None if dtype is None else as_dtype(dtype).name
        self._state: list[tuple[Variable, Array]] = []

    @property
    def dtype(self) -> str:
        """The dtype that was asked for, by default config.floatx(): what users' own metrics compute in."""
        return self._dtype or config.floatx()

    def add_weight(
        self, shape: Any = (), initializer: Any = None, dtype: Any = None, name: str | None = None
    ) -> Variable:
        """A state variable that `reset_state` sets back: zeros, or what the initializer gives."""
        shape = (shape,) if isinstance(shape, int) else tuple(shape)
        if dtype is None:  # users add what they compute in float32
            dtype = "float64" if is_ours(type(self)) else "float32"
        start = np.array(
            as_tensor(initializers.get("zeros" if initializer is None else initializer)(shape, dtype))._array
        )
        variable = Weight(start, trainable=False, name=name or "state")
        variable._owner = self.name
        self._state.append((variable, start))
        return variable

    add_variable = add_weight

    @property
    def variables(self) -> list[Variable]:
        """The state variables, those among the attributes and those of metrics that this one holds included."""
        own: list[Variable] = [variable for variable, _ in self._state]
        for each in self._held():
            own += each.variables if isinstance(each, Metric) else [each]
        return own

    def _held(self) -> list[Metric | Variable]:
        """The metrics and variables among the attributes, those in lists and dicts included."""
        return [each for value in vars(self).values() for each in _state_in(value)]

    def reset_state(self) -> None:
        """Start anew."""
        for variable, start in self._state:
            variable.assign(start)
        for each in self._held():
            if isinstance(each, Metric):
                each.reset_state()
            else:
                each.assign(np.zeros(each.shape, each.dtype.dtype))

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "update_state" in vars(cls):
            cls.update_state = _noticed(cls.update_state)  # type: ignore[method-assign]
        if "result" in vars(cls):
            cls.result = _apart(cls.result)  # type: ignore[method-assign]

    def update_state(self, *args: Any, **kwargs: Any) -> None:
        """Add a batch."""
        raise NotImplementedError(
            f"{type(self).__name__} must define update_state(y_true, y_pred, sample_weight=None)."
        )

    def result(self) -> Any:
        """The value of all batches since the last reset, as a Tensor."""
        raise NotImplementedError(f"{type(self).__name__} must define result().")

    def _value(self) -> Array:
        return as_tensor(self.result())._array

    def merge_state(self, metrics: Iterable[Metric]) -> None:
        """Add the state of other metrics of this kind and configuration, such as those of other parts of the data."""
        for other in metrics:
            if type(other) is not type(self) or len(other.variables) != len(self.variables):
                raise InvalidArgumentError(f"Expected a {type(self).__name__} of the same shape, received {other!r}.")
            for mine, its in zip(self.variables, other.variables, strict=True):
                mine.assign_add(its)

    @contextmanager
    def _lent(self, values: Sequence[Any]) -> Iterator[None]:
        """Within this `with` block the variables have these values."""
        variables = self.variables
        if len(values) != len(variables):
            raise InvalidArgumentError(
                f"`metric_variables` must hold the {len(variables)} values of {self.name!r}, received {len(values)}."
            )
        own = [each.numpy() for each in variables]
        try:
            for variable, value in zip(variables, values, strict=True):
                variable.assign(np.asarray(value, variable._peek().dtype))
            yield
        finally:
            self.reset_state()  # variables that the first batch made
            for variable, value in zip(variables, own, strict=True):
                variable.assign(value)

    def stateless_update_state(self, metric_variables: Sequence[Any], *args: Any, **kwargs: Any) -> list[Any]:
        """The values of `variables` after a batch, from those before it; the metric's own stay as they are."""
        with self._lent(metric_variables):
            self.update_state(*args, **kwargs)
            return [each.value for each in self.variables]

    def stateless_result(self, metric_variables: Sequence[Any]) -> Any:
        """The result that these values of `variables` give."""
        with self._lent(metric_variables):
            return as_tensor(self.result())

    def stateless_reset_state(self) -> list[Any]:
        """The values of `variables` before any batch."""
        with self._lent(self.variables):
            self.reset_state()
            return [each.value for each in self.variables]

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        self.update_state(*args, **kwargs)
        return self.result()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} name={self.name}>"


class NewBatch(Effect):
    """A batch for a metric, in a program: added by the metric itself, each time."""

    def __init__(self, metric: Metric, update: Callable[..., None], args: Any) -> None:
        self.metric, self.update = metric, update
        self.structure = nest.map_structure(lambda each: 0, args)
        # Tensors come from the program; what else the arguments hold stays.
        self.rest = [None if isinstance(each, TensorLike) else (each,) for each in nest.flatten(args)]
        self.has_mask = [_mask_of(each) is not None for each in nest.flatten(args)]
        self.writes = metric.variables

    @staticmethod
    def _tensor(given: Iterator[Array], has_mask: bool) -> Tensor:
        made = Tensor(next(given))
        if has_mask:
            made._keras_mask = Tensor(next(given))
        return made

    def __call__(self, arrays: list[Array]) -> None:
        given = iter(arrays if is_ours(type(self.metric)) else [each.copy() for each in arrays])  # users' may keep them
        leaves = [
            self._tensor(given, has_mask) if each is None else each[0]
            for each, has_mask in zip(self.rest, self.has_mask, strict=True)
        ]
        args, kwargs = nest.pack_sequence_as(self.structure, leaves)
        self.update(self.metric, *args, **kwargs)


def _mask_of(value: Any) -> Any:
    return getattr(value, "_keras_mask", None)


def _noticed(update: Callable[..., None]) -> Callable[..., None]:
    """`update_state` that puts itself into a program where one is recorded."""

    @functools.wraps(update)
    def update_state(self: Any, *args: Any, **kwargs: Any) -> None:
        trail = STATE.trail
        if trail is None or trail.recorder is None:
            update(self, *args, **kwargs)
            return
        tensors = []
        for each in nest.flatten((args, kwargs)):
            if isinstance(each, TensorLike):
                mask = _mask_of(each)
                tensors += [as_tensor(each)] if mask is None else [as_tensor(each), as_tensor(mask)]
        trail.recorder.effect(NewBatch(self, update, (args, kwargs)), tensors)

    return update_state


def _apart(result: Callable[..., Any]) -> Callable[..., Any]:
    """`result` that stays out of the program of a training step: it is read again when the program has run.

    The program of a `function` reads it at its place. Metrics of users' own are operations, as are their states.
    """

    @functools.wraps(result)
    def read(self: Any) -> Any:
        trail = STATE.trail
        recorder = None if trail is None else trail.recorder
        if recorder is None:
            return result(self)
        if recorder.is_lenient:  # as steps of training are recorded
            with recorder.aside():
                return result(self)
        return called(self._value) if is_ours(type(self)) else result(self)

    return read


def value_of(x: Any) -> Array:
    """The ndarray behind whatever the user gave; no tape follows."""
    return as_tensor(x)._array


def answer(value: Any) -> Tensor:
    """A result as a float32 Tensor."""
    return Tensor(np.asarray(value, np.float32))


def ratio(top: Any, bottom: Any) -> Any:
    """top / bottom, and 0 where bottom is 0."""
    top, bottom = np.asarray(top, np.float64), np.asarray(bottom, np.float64)
    return np.divide(top, bottom, out=np.zeros(np.broadcast_shapes(top.shape, bottom.shape)), where=bottom != 0)


def same_rank(a: Array, b: Array) -> tuple[Array, Array]:
    """Make (n, 1) and (n,) meet, by squeezing or expanding a last axis of one, as in Keras."""
    if a.ndim == b.ndim + 1 and a.shape[-1] == 1:
        return (a, b[:, None]) if b.ndim == 1 else (a[..., 0], b)
    if b.ndim == a.ndim + 1 and b.shape[-1] == 1:
        return (a[:, None], b) if a.ndim == 1 else (a, b[..., 0])
    return a, b


def pair(y_true: Any, y_pred: Any) -> tuple[Array, Array]:
    """y_true and y_pred as float64 arrays of one shape. Raises ShapeError where they have none."""
    t, p = same_rank(value_of(y_true), value_of(y_pred))
    if t.shape != p.shape:
        raise ShapeError(f"y_true and y_pred must have the same shape, received {t.shape} and {p.shape}.")
    return t.astype(np.float64), p.astype(np.float64)


def weights_for(values: Array, sample_weight: Any, joined: Callable[..., Any] = np.mean) -> tuple[Array, Array]:
    """Values joined over the axes that the weights do not have, by their mean, and weights of their shape."""
    w = value_of(sample_weight).astype(np.float64)
    values, w = same_rank(values, w)
    if w.ndim < values.ndim and w.ndim:
        values = joined(values, axis=tuple(range(w.ndim, values.ndim)))
    try:
        return values, np.broadcast_to(w, values.shape)
    except ValueError as error:
        raise ShapeError(
            f"`sample_weight` must be a number, one a sample, or of the values' shape {values.shape}; received "
            f"{w.shape}."
        ) from error


def get(identifier: Any) -> Any:
    """The metric that `identifier` stands for: a name, a class, an instance, a function, a configuration."""
    return REGISTRY.get(identifier)


def metric_function(*aliases: str) -> Callable[[Any], Any]:
    """Register a per-sample function under further names, for `metrics.get`."""

    def decorate(function: Any) -> Any:
        for name in (function.__name__, *aliases):
            REGISTRY.entries.setdefault(name, function)
        return function

    return decorate


def refuse(condition: bool, message: str) -> None:
    """Raise InvalidArgumentError where a condition on an argument does not hold."""
    if condition:
        raise InvalidArgumentError(message)


def need_number(value: Any, name: str, low: float, high: float) -> float:
    """A number in [low, high]."""
    if not isinstance(value, (int, float)):
        raise DTypeError(f"`{name}` must be a number, received {value!r}.")
    refuse(not low <= value <= high, f"`{name}` must lie in [{low:g}, {high:g}], received {value!r}.")
    return float(value)
