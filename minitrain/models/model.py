"""Model: a layer that trains itself.

`fit` reads at three zooms: `fit` itself, the epochs; `_train_epoch`, the batches; `train_step`, one step, which users
override. `evaluate` and `predict` go the same way.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

import numpy as np

from minitrain import nest, optim
from minitrain.engine.convert import as_tensor
from minitrain.engine.tape import GradientTape
from minitrain.engine.tensor import Tensor, TensorLike
from minitrain.errors import DTypeError, InvalidArgumentError, TapeError
from minitrain.layers.base import Layer, losses_of
from minitrain.metrics.base import Metric
from minitrain.ops.elementwise import add_n
from minitrain.training.callbacks import CallbackList, History, ProgressBar
from minitrain.training.data import Batch, Table, batches_of, need_count
from minitrain.training.objective import Measures, as_loss

Results = dict[str, float]


class Known:
    """What a walk over the model found, kept for an epoch: walking takes longer than a small step does."""

    __slots__ = ("layers", "variables")

    def __init__(self, model: Model) -> None:
        self.layers = list(model._flatten_layers())
        self.variables = model.trainable_variables

    def losses(self) -> list[Any]:
        """As `Layer.losses`."""
        return losses_of(self.layers, self.variables)


class Model(Layer):
    """A layer with `compile`, `fit`, `evaluate` and `predict`. Users' own define `call`, and `train_step` if they like.

    One output and one array of inputs: losses and metrics for several are for a loop of one's own.
    """

    optimizer: Any = None

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.stop_training = False
        self.history: History | None = None
        self._compiled = False
        self._known: Known | None = None
        self._loss_sum = self._loss_count = 0.0

    def compile(
        self,
        optimizer: Any = "rmsprop",
        loss: Any = None,
        loss_weights: float | None = None,
        metrics: Any = None,
        weighted_metrics: Any = None,
        run_eagerly: bool = False,
    ) -> None:
        """Say what is minimised, how, and what is reported.

        `optimizer`, `loss`: a name, an instance, a function for the loss. `metrics`: a list of names, instances or
        functions of y_true and y_pred; `weighted_metrics` see the sample weights too. "accuracy" chooses its form by
        the shapes. `loss_weights`: a factor of the loss. `run_eagerly` is taken for Keras's sake: every step is eager.
        """
        if loss_weights is not None and not isinstance(loss_weights, (int, float)):
            raise DTypeError(f"`loss_weights` must be a number, received {loss_weights!r}.")
        made = optim.get(optimizer), as_loss(loss), Measures(metrics, weighted_metrics)
        self.optimizer, self.loss, self._measures = made
        self.loss_weights = loss_weights
        self.run_eagerly = run_eagerly
        self._compiled = True

    # ------------------------------------------------------------------------------------------------------- what it is

    @property
    def layers(self) -> list[Layer]:
        """The layers directly below the model."""
        return self._sublayers()

    def get_layer(self, name: str | None = None, index: int | None = None) -> Layer:
        """The layer of this name, or at this place."""
        if index is not None:
            return self.layers[index]
        for each in self.layers:
            if each.name == name:
                return each
        raise InvalidArgumentError(f"No layer is called {name!r}. There are: {', '.join(x.name for x in self.layers)}.")

    @property
    def metrics(self) -> list[Metric]:
        """The metrics of `compile`, then those that are attributes of the model."""
        compiled = self._measures.all if self._compiled else []
        return compiled + [each for each in vars(self).values() if isinstance(each, Metric)]

    @property
    def metrics_names(self) -> list[str]:
        """What `evaluate` gives, in order."""
        return ["loss", *(each.name for each in self.metrics)]

    def reset_metrics(self) -> None:
        """Start all metrics anew, as at the beginning of every epoch."""
        self._loss_sum = self._loss_count = 0.0
        for each in self.metrics:
            each.reset_state()

    def build(self, input_shape: Any = None) -> None:
        """Make the weights for inputs of this shape, the batch axis included as None or a size."""
        if input_shape is not None:
            self.build_by_calling(input_shape)
        self.built = True

    def build_by_calling(self, input_shape: Any) -> None:
        """Call the model on zeros: layers make their weights in their first call."""
        if nest.is_nested(input_shape) and any(isinstance(each, (tuple, list)) for each in input_shape):
            return  # several inputs: the first real call makes the weights
        sizes = tuple(input_shape)[1:]
        if all(isinstance(each, (int, np.integer)) for each in sizes):
            self.call(Tensor(np.zeros((1, *sizes), self._numpy_dtype)))

    def summary(self, print_fn: Any = print) -> None:
        """Print the layers with their numbers of parameters."""
        rows = [
            (f"{each.name} ({type(each).__name__})", f"{each.count_params():,}" if each.built else "?")
            for each in self.layers
        ]
        width = max([len("Layer (type)"), *(len(name) for name, _ in rows)]) + 2
        lines = [f"{type(self).__name__}: {self.name}", f"{'Layer (type)':{width}s}{'Parameters':>12s}"]
        lines += [f"{name:{width}s}{count:>12s}" for name, count in rows]
        total, trainable = (sum(int(np.prod(v.shape)) for v in vs) for vs in (self.weights, self.trainable_weights))
        lines.append(f"Total {total:,}, trainable {trainable:,}, not trainable {total - trainable:,}")
        print_fn("\n".join(lines))

    # --------------------------------------------------------------------------------------------------------- one step

    def compute_loss(
        self, x: Any = None, y: Any = None, y_pred: Any = None, sample_weight: Any = None, training: bool = True
    ) -> Any:
        """The loss of a batch: that of `compile` times `loss_weights`, and what the layers added."""
        parts = []
        if self.loss is not None and y is not None:
            value = self.loss(y, y_pred, sample_weight)
            parts.append(value if self.loss_weights is None else value * self.loss_weights)
        parts += self.losses if self._known is None else self._known.losses()
        if not parts:
            raise InvalidArgumentError("There is nothing to minimise: no `y`, no `loss` in compile, and no `add_loss`.")
        return parts[0] if len(parts) == 1 else add_n(parts)

    def compute_metrics(self, x: Any, y: Any, y_pred: Any, sample_weight: Any = None) -> Results:
        """Add a batch to the metrics of `compile`, and give the results so far."""
        if y is not None:
            self._measures.update(y, y_pred, sample_weight)
        return self.get_metrics_result()

    def get_metrics_result(self) -> Results:
        """The results since the last reset: the mean loss a sample, and the metrics."""
        found = {"loss": self._loss_sum / self._loss_count} if self._loss_count else {}
        found.update({each.name: _number(each.result()) for each in self.metrics})
        return found

    def train_step(self, data: Any) -> Any:
        """One step on (x, y, sample_weight), giving a dict of results. Override for a step of your own."""
        self._train_on(data)
        return self.get_metrics_result()

    def test_step(self, data: Any) -> Any:
        """One batch of `evaluate`, giving a dict of results."""
        self._test_on(data)
        return self.get_metrics_result()

    def predict_step(self, data: Any) -> Any:
        """One batch of `predict`."""
        return self(data[0] if isinstance(data, tuple) else data, training=False)

    def _train_on(self, data: Any) -> None:
        x, y, weight = (*data, None, None)[:3]
        with GradientTape() as tape:
            y_pred = self(x, training=True)
            loss = self.compute_loss(x, y, y_pred, weight, training=True)
            scaled = self.optimizer.scale_loss(loss)
        variables = self.trainable_variables if self._known is None else self._known.variables
        self.optimizer.apply_gradients(zip(tape.gradient(scaled, variables), variables, strict=True))
        self._note(x, y, y_pred, weight, loss)

    def _test_on(self, data: Any) -> None:
        x, y, weight = (*data, None, None)[:3]
        y_pred = self(x, training=False)
        self._note(x, y, y_pred, weight, self.compute_loss(x, y, y_pred, weight, training=False))

    def _note(self, x: Any, y: Any, y_pred: Any, weight: Any, loss: Any) -> None:
        """Add the loss, as the mean of so many samples, and the batch to the metrics."""
        rows = len(nest.flatten(x)[0])
        self._loss_sum += float(loss) * rows
        self._loss_count += rows
        if y is not None:
            self._measures.update(y, y_pred, weight)

    # ---------------------------------------------------------------------------------------- fit, evaluate and predict

    def fit(
        self,
        x: Any = None,
        y: Any = None,
        batch_size: int | None = None,
        epochs: int = 1,
        verbose: Any = "auto",
        callbacks: Any = None,
        validation_split: float = 0.0,
        validation_data: Any = None,
        shuffle: bool = True,
        class_weight: dict[int, float] | None = None,
        sample_weight: Any = None,
        initial_epoch: int = 0,
        steps_per_epoch: int | None = None,
        validation_steps: int | None = None,
        validation_batch_size: int | None = None,
        validation_freq: Any = 1,
    ) -> History:
        """Train for `epochs` passes over the data, and give their History.

        `x`, `y`: arrays, Tensors, lists, DataFrames; or `x` an iterable of batches (x, y) or (x, y, sample_weight).
        `batch_size`: 32 by default; the last batch may be smaller. `validation_split`: this share of the last rows,
        taken before shuffling. `class_weight`: factors of the sample weights by class. `verbose`: 0 for silence, 1 for
        a bar an epoch, 2 for a line an epoch. `steps_per_epoch`: so many batches an epoch, going on
        where the epoch before ended.

        Raises before training: TapeError for a model that is not compiled, ShapeError for rows that do not match,
        DTypeError for what holds no numbers, NonFiniteError for NaN and infinities.
        """
        self._need_compiled("fit")
        need_count(epochs, "epochs")
        batches = batches_of(x, y, sample_weight, batch_size, shuffle)
        validation = None
        if validation_data is not None:
            parts = validation_data if isinstance(validation_data, tuple) else (validation_data,)
            if len(parts) > 3:
                raise InvalidArgumentError("`validation_data` must be (x, y) or (x, y, sample_weight).")
            validation = batches_of(*parts, batch_size=validation_batch_size or batch_size)
        elif validation_split:
            if not isinstance(batches, Table):
                raise InvalidArgumentError(
                    "`validation_split` needs arrays; beside an iterable give `validation_data`."
                )
            batches, validation = batches.split(validation_split)
            validation.batch_size = validation_batch_size or validation.batch_size
        if class_weight is not None:
            if not isinstance(batches, Table):
                raise InvalidArgumentError(
                    "`class_weight` needs arrays; the batches of an iterable bring their weights."
                )
            batches = batches.weighted(class_weight)
        self.stop_training = False
        steps = steps_per_epoch or len(batches) or None
        verbosity = (1 if sys.stderr.isatty() else 2) if verbose == "auto" else int(verbose)
        self.history = History()
        # History and the bar come last, so that they see what other callbacks add to the results.
        listed = [*(callbacks or ()), *([ProgressBar(verbosity)] if verbosity else []), self.history]
        hooks = CallbackList(listed, self, {"epochs": epochs, "steps": steps, "verbose": verbosity})
        hooks.call("on_train_begin", {})
        ongoing = _endless(batches) if steps_per_epoch else None
        for epoch in range(initial_epoch, epochs):
            self.reset_metrics()
            hooks.call("on_epoch_begin", epoch, {})
            logs = self._train_epoch(iter(batches) if ongoing is None else ongoing, steps_per_epoch, hooks)
            if validation is not None and _is_due(epoch, validation_freq):
                results = self._test_epoch(validation, validation_steps, hooks)
                logs.update({f"val_{name}": value for name, value in results.items()})
            hooks.call("on_epoch_end", epoch, logs)
            if self.stop_training:
                break
        hooks.call("on_train_end", {})
        return self.history

    def _train_epoch(self, batches: Iterator[Batch], steps: int | None, hooks: CallbackList) -> Results:
        """Train on the batches, and give the epoch's results."""
        is_own = type(self).train_step is not Model.train_step
        reading = hooks.read_batch_logs
        logs: Results = {}
        done = 0
        try:
            for place, batch in enumerate(batches):
                hooks.call("on_train_batch_begin", place, {})
                if is_own:
                    logs = _numbers(self.train_step(_trimmed(batch)))
                else:
                    self._train_on(batch)
                    if self._known is None:
                        self._known = Known(self)  # after the first step, which may have made the weights
                    if reading:
                        logs = self.get_metrics_result()
                hooks.call("on_train_batch_end", place, logs)
                done += 1
                if self.stop_training or done == steps:
                    break
        finally:
            self._known = None
        if not done:
            raise InvalidArgumentError("There was no batch to train on: the iterable is empty, or used up.")
        return dict(logs) if is_own else self.get_metrics_result()

    def evaluate(
        self,
        x: Any = None,
        y: Any = None,
        batch_size: int | None = None,
        verbose: Any = "auto",
        sample_weight: Any = None,
        steps: int | None = None,
        callbacks: Any = None,
        return_dict: bool = False,
    ) -> Any:
        """The loss and metrics on data: a dict, a list in the order of `metrics_names`, or the loss alone."""
        self._need_compiled("evaluate")
        hooks = CallbackList(callbacks or (), self, {})
        results = self._test_epoch(batches_of(x, y, sample_weight, batch_size), steps, hooks)
        if verbose not in (0, "auto"):
            print(" - ".join(f"{name}: {value:.4g}" for name, value in results.items()))
        return _as_asked(results, return_dict)

    def _test_epoch(self, batches: Any, steps: int | None, hooks: CallbackList) -> Results:
        self.reset_metrics()
        hooks.call("on_test_begin", {})
        is_own = type(self).test_step is not Model.test_step
        logs: Results = {}
        for place, batch in enumerate(batches):
            if place == steps:
                break
            if is_own:
                logs = _numbers(self.test_step(_trimmed(batch)))
            else:
                self._test_on(batch)
        results = dict(logs) if is_own else self.get_metrics_result()
        hooks.call("on_test_end", results)
        return results

    def predict(
        self,
        x: Any,
        batch_size: int | None = None,
        verbose: Any = "auto",
        steps: int | None = None,
        callbacks: Any = None,
    ) -> Any:
        """The outputs for all rows of x, as ndarrays."""
        CallbackList(callbacks or (), self, {})
        found = []
        for place, batch in enumerate(batches_of(x, batch_size=batch_size)):
            if place == steps:
                break
            found.append(self._predicted(batch))
        if not found:
            raise InvalidArgumentError("There was no batch to predict.")
        return nest.map_structure(lambda *parts: np.concatenate(parts), *found)

    def train_on_batch(
        self, x: Any, y: Any = None, sample_weight: Any = None, class_weight: Any = None, return_dict: bool = False
    ) -> Any:
        """One step on one batch; the results since the last `reset_metrics`."""
        self._need_compiled("train_on_batch")
        return _as_asked(_numbers(self.train_step(self._one_batch(x, y, sample_weight, class_weight))), return_dict)

    def test_on_batch(self, x: Any, y: Any = None, sample_weight: Any = None, return_dict: bool = False) -> Any:
        """The results of one batch, added to those since the last `reset_metrics`."""
        self._need_compiled("test_on_batch")
        return _as_asked(_numbers(self.test_step(self._one_batch(x, y, sample_weight, None))), return_dict)

    def predict_on_batch(self, x: Any) -> Any:
        """The outputs for one batch, as ndarrays."""
        return self._predicted(self._one_batch(x, None, None, None))

    def _predicted(self, batch: Any) -> Any:
        return nest.map_structure(lambda each: as_tensor(each).numpy(), self.predict_step(batch))

    def _one_batch(self, x: Any, y: Any, weight: Any, class_weight: Any) -> Any:
        table = Table(x, y, weight)
        return _trimmed(table.parts if class_weight is None else table.weighted(class_weight).parts)

    def _need_compiled(self, method: str) -> None:
        if not self._compiled:
            raise TapeError(f"Call `model.compile(optimizer, loss)` before `model.{method}`.")


def _trimmed(batch: Any) -> tuple[Any, ...]:
    """(x, y, sample_weight) without what is None at the end, as a train_step of one's own unpacks it."""
    x, y, weight = batch
    return (x, y, weight) if weight is not None else (x, y) if y is not None else (x,)


def _endless(batches: Any) -> Iterator[Batch]:
    """The batches over and over, until there are none."""
    has_any = True
    while has_any:
        has_any = False
        for batch in batches:
            has_any = True
            yield batch


def _number(value: Any) -> Any:
    array = value.numpy() if isinstance(value, TensorLike) else np.asarray(value)
    return float(array) if array.ndim == 0 else array


def _numbers(results: Any) -> Results:
    if not isinstance(results, dict):
        raise DTypeError(f"A step must give a dict of results, received {type(results).__name__}.")
    return {name: _number(value) for name, value in results.items()}


def _as_asked(results: Results, return_dict: bool) -> Any:
    """A dict, a list of its values, or the only one."""
    values = list(results.values())
    return results if return_dict else values[0] if len(values) == 1 else values


def _is_due(epoch: int, frequency: Any) -> bool:
    """Whether validation runs after this epoch: every so many epochs, or after those that are listed, from 1."""
    return (epoch + 1) % frequency == 0 if isinstance(frequency, int) else epoch + 1 in frequency
