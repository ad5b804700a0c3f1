"""Trainer: what lets a layer train itself: `compile`, `fit`, `evaluate`, `predict`, and their steps.

`fit` reads at three zooms: `fit` itself, the epochs; `_train_epoch`, the batches; `train_step`, one step, which users
override. `evaluate` and `predict` go the same way.
"""

from __future__ import annotations

import inspect
import sys
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import cache
from itertools import islice
from typing import Any

import numpy as np

from minitrain import layers as layers_module
from minitrain import nest, optim
from minitrain.config import is_interactive_logging_enabled
from minitrain.engine.convert import as_tensor
from minitrain.engine.program.record import happen
from minitrain.engine.tape import GradientTape
from minitrain.engine.tensor import Tensor, TensorLike
from minitrain.engine.trail import STATE
from minitrain.errors import DTypeError, InvalidArgumentError, MinitrainError
from minitrain.layers.base import Layer, trial
from minitrain.layers.stateless import need_one_each, standing_in
from minitrain.layers.walk import leaves
from minitrain.metrics.base import Metric
from minitrain.models.live import runs_ours_alone
from minitrain.models.steps import LossTracker, NewLoss, Steps
from minitrain.ops.elementwise import add_n
from minitrain.saving.model import compile_settings, written_settings
from minitrain.training.callbacks import CallbackList
from minitrain.training.data import Batch, Ongoing, Shuffled, Table, as_array, batches_of, need_count
from minitrain.training.loggers import History
from minitrain.training.objective import Measures, Objective
from minitrain.training.threads import threads_for
from minitrain.utils import pack_x_y_sample_weight, unpack_x_y_sample_weight

Results = dict[str, float]
ROWS_AT_ONCE = 1024  # that `predict` takes where it may: a program's calls cost little beside the work of so many


class Trainer:
    """What a Model is beside a Layer: `compile`, `fit`, `evaluate` and `predict`."""

    optimizer: Any = None
    loss: Any = None
    run_eagerly = False
    steps_per_execution = 1
    stop_evaluating = stop_predicting = False

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.stop_training = False
        self.history: History | None = None
        self._compiled = False
        self._compile_config: dict[str, Any] | None = None
        self._loss_tracker = LossTracker()
        self._steps = Steps()

    def compile(
        self,
        optimizer: Any = "rmsprop",
        loss: Any = None,
        loss_weights: Any = None,
        metrics: Any = None,
        weighted_metrics: Any = None,
        run_eagerly: bool = False,
        steps_per_execution: int = 1,
        jit_compile: Any = "auto",
        auto_scale_loss: bool = True,
    ) -> None:
        """Say what is minimised, how, and what is reported.

        `optimizer`, `loss`: a name, an instance, a function for the loss. `metrics`: a list of names, instances or
        functions of y_true and y_pred; `weighted_metrics` see the sample weights too. "accuracy" chooses its form by
        the shapes. `loss_weights`: a factor of the loss. For several outputs `loss`, `loss_weights` and the metrics are
        lists, or dicts by the outputs' names. `steps_per_execution`: callbacks see every so manieth batch.
        """
        names = None if self._graph is None else self._graph.output_names
        objective = Objective(loss, loss_weights, names)
        measures = Measures(metrics, weighted_metrics, names, loss)
        self.optimizer = optim.get(optimizer)
        self.loss = loss
        self.loss_weights = loss_weights
        self._objective, self._measures = objective, measures
        self.run_eagerly = bool(run_eagerly)
        self.steps_per_execution = need_count(steps_per_execution, "steps_per_execution")
        self.jit_compile = jit_compile
        self._compile_config = {
            "optimizer": self.optimizer,
            "loss": loss,
            "loss_weights": loss_weights,
            "metrics": metrics,
            "weighted_metrics": weighted_metrics,
            "run_eagerly": run_eagerly,
            "steps_per_execution": steps_per_execution,
        }
        self._compiled = True
        self._steps.forget()

    def get_compile_config(self) -> dict[str, Any]:
        """What `compile` was given, as plain data; {} before it. Override for a `compile` of your own."""
        return written_settings(self._compile_config) if self._compile_config is not None else {}

    def compile_from_config(self, config: dict[str, Any]) -> None:
        """Compile with what `get_compile_config` gave. Override for a `compile` of your own."""
        if type(self).compile is not Trainer.compile:
            warnings.warn(
                f"`compile()` was not called as part of model loading because the model's `compile()` method is "
                f"custom. {type(self).__name__} should override `get_compile_config()` and "
                "`compile_from_config(config)` too.",
                stacklevel=2,
            )
            return
        self.compile(**compile_settings(config))
        if self.built:
            self.optimizer.build(self.trainable_variables)

    @property
    def compiled(self) -> bool:
        """Whether `compile` has been called."""
        return self._compiled

    @property
    def metrics(self) -> list[Metric]:
        """That of the loss, those of `compile`, once a batch has shown what they are, and those that are attributes."""
        compiled = [self._loss_tracker, *self._measures.reported] if self._compiled else []
        return [*compiled, *self._own_metrics()]

    def _own_metrics(self) -> list[Metric]:
        """Those in the attributes of the model and of its layers, but for layers that are models and keep their own."""
        walk = self._walk()
        if walk.metrics is None:
            layers = zip((self, *walk.below), walk.held, strict=True)
            own = [held for layer, held in layers if layer is self or not isinstance(layer, Trainer)]
            walk.metrics = [each for each in leaves(own, Metric) if each is not self._loss_tracker]
        return walk.metrics

    @property
    def metrics_variables(self) -> list[Any]:
        """The state of all metrics."""
        return [variable for each in self.metrics for variable in each.variables]

    @property
    def metrics_names(self) -> list[str]:
        """What `evaluate` gives, in order."""
        compiled = ["loss", *self._objective.shown, *self._measures.labels] if self._compiled else []
        return self._in_order([*compiled, *(each.name for each in self._own_metrics())])

    def _in_order(self, names: Iterable[str]) -> list[str]:
        """The names of results as Keras orders them: the loss, metrics whose name has no output's before it, the
        losses of outputs, metrics of the user's own, and the rest by the alphabet.
        """
        compiled = ["loss", *self._measures.unled, *self._objective.shown] if self._compiled else []
        known = [*compiled, *(each.name for each in self._own_metrics())]
        found = [name for name in dict.fromkeys(known) if name in names]
        return found + sorted(set(names) - set(found))

    def _as_asked(self, results: Results, return_dict: bool) -> Any:
        """A dict by name, as Keras sorts them, a list of the values, or the only one."""
        if return_dict:
            return dict(sorted(results.items()))
        if len(results) == 1:
            return next(iter(results.values()))
        return [results[name] for name in self._in_order(results)]

    def reset_metrics(self) -> None:
        """Start all metrics anew, as at the beginning of every epoch."""
        for each in self.metrics:
            each.reset_state()

    # --------------------------------------------------------------------------------------------------------- one step

    def compute_loss(
        self, x: Any = None, y: Any = None, y_pred: Any = None, sample_weight: Any = None, training: bool = True
    ) -> Any:
        """The loss of a batch: those of `compile` times `loss_weights`, and what the layers added."""
        parts: list[Any] = []
        self._loss_parts = parts
        added = self.losses
        total = None
        if y is not None and self.loss is not None:
            parts = self._loss_parts = self._objective.parts(y, y_pred, sample_weight)
            total = self._objective.total(parts)
        if total is not None:
            added = [total, *added]
        if not added:
            if self.loss is not None:
                raise InvalidArgumentError(
                    "`y` is missing: the `loss` of compile compares what the model gives with targets. Data must be x "
                    "and y, batches and `validation_data` (x, y)."
                )
            raise InvalidArgumentError("There is nothing to minimise: no `loss` in compile, and no `add_loss`.")
        return added[0] if len(added) == 1 else add_n(added)

    def stateless_compute_loss(
        self,
        trainable_variables: Any,
        non_trainable_variables: Any,
        metrics_variables: Any,
        x: Any = None,
        y: Any = None,
        y_pred: Any = None,
        sample_weight: Any = None,
        training: bool = True,
    ) -> tuple[Any, tuple[Any, Any, Any]]:
        """`compute_loss` with these values in the place of the variables, which keep their own.

        Gives the loss, and the values of the three kinds of variables after it.
        """
        kinds = (
            ("trainable_variables", self.trainable_variables, trainable_variables),
            ("non_trainable_variables", self.non_trainable_variables, non_trainable_variables),
            ("metrics_variables", self.metrics_variables, metrics_variables),
        )
        for name, variables, values in kinds:
            need_one_each(self.name, name, variables, values)
        standing = [each for _, variables, _ in kinds for each in variables]
        with standing_in(standing, [each for _, _, values in kinds for each in values]):
            loss = self._loss_of(x, y, y_pred, sample_weight, training)
            after = [[each.read_value() for each in variables] for _, variables, _ in kinds[1:]]
        return loss, (trainable_variables, after[0], after[1])

    def compute_metrics(self, x: Any, y: Any, y_pred: Any, sample_weight: Any = None) -> Results:
        """Add a batch to the metrics of `compile`, and give the results so far."""
        if y is not None:
            self._measures.update(y, y_pred, sample_weight)
        return self.get_metrics_result()

    def get_metrics_result(self) -> Results:
        """The results since the last reset: the mean loss a sample, and the metrics."""
        found: Results = {}
        tracker = self._loss_tracker
        if tracker.count:
            found["loss"] = tracker.total / tracker.count
            for label, total in zip(self._objective.shown, tracker.parts, strict=False):
                found[label] = total / tracker.batches
        if self._compiled:
            for label, each in zip(self._measures.labels, self._measures.all, strict=True):
                found.update(_named(label, each.result()))
        for each in self._own_metrics():
            for name, value in _named(each.name, each.result()).items():
                found.setdefault(name, value)
        return found

    def train_step(self, data: Any) -> Any:
        """One step on (x, y, sample_weight), giving a dict of results. Override for a step of your own."""
        self._train_on(data)
        return self._step_results()

    def test_step(self, data: Any) -> Any:
        """One batch of `evaluate`, giving a dict of results."""
        self._test_on(data)
        return self._step_results()

    def _step_results(self) -> Results:
        """What the step has given: the results of a `compute_metrics` of one's own, or those so far."""
        return self._own_results if self._computes_own_metrics() else self.get_metrics_result()

    def _computes_own_metrics(self) -> bool:
        return type(self).compute_metrics is not Trainer.compute_metrics

    def predict_step(self, data: Any) -> Any:
        """One batch of `predict`."""
        return self(unpack_x_y_sample_weight(data)[0], training=False)

    def _train_on(self, data: Any) -> None:
        x, y, weight = unpack_x_y_sample_weight(data)
        with GradientTape() as tape:
            y_pred = self(x, training=True)
            loss = self._loss_of(x, y, y_pred, weight, True)
            scaled = self.optimizer.scale_loss(loss)
        variables = self.trainable_variables
        if variables:
            self.optimizer.apply_gradients(zip(tape.gradient(scaled, variables), variables, strict=True))
        else:
            warnings.warn("The model does not have any trainable weights.", stacklevel=2)
        self._note(x, y, y_pred, weight, loss)

    def _test_on(self, data: Any) -> None:
        x, y, weight = unpack_x_y_sample_weight(data)
        y_pred = self(x, training=False)
        self._note(x, y, y_pred, weight, self._loss_of(x, y, y_pred, weight, False))

    def _loss_of(self, x: Any, y: Any, y_pred: Any, weight: Any, training: bool) -> Any:
        if _takes_training(type(self).compute_loss):
            return self.compute_loss(x, y, y_pred, weight, training=training)
        return self.compute_loss(x, y, y_pred, weight)  # one's own, as it was before Keras 3.3

    def _note(self, x: Any, y: Any, y_pred: Any, weight: Any, loss: Any) -> None:
        """Add the loss, as the mean of so many samples, and the batch to the metrics."""
        rows = len(x if not nest.is_nested(x) else next(each for each in nest.flatten(x) if each is not None))
        parts = [part for part in self._loss_parts if part is not None] if self._objective.labels else []
        happen(NewLoss(self._loss_tracker, rows, bool(parts)), [as_tensor(loss), *parts])
        if self._computes_own_metrics():
            self._own_results = self.compute_metrics(x, y, y_pred, weight)
        elif y is not None:
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
        Several inputs or outputs come as tuples, lists or dicts of these. `batch_size`: 32 by default; the last batch
        may be smaller. `validation_split`: this share of the last rows, taken before shuffling. `class_weight`: factors
        of the sample weights by class. `verbose`: 0 for silence, 1 for a bar an epoch, 2 for a line an epoch.
        `steps_per_epoch`: so many batches an epoch, going on where the epoch before ended; the end of the data ends an
        epoch too.

        Raises before training: TapeError for a model that is not compiled, ShapeError for rows that do not match,
        DTypeError for what holds no numbers, NonFiniteError for NaN and infinities.
        """
        self._need_compiled("fit")
        if epochs != 0:
            need_count(epochs, "epochs")
        if steps_per_epoch is not None:
            need_count(steps_per_epoch, "steps_per_epoch")
        if isinstance(validation_freq, int):
            need_count(validation_freq, "validation_freq")
        batches = self._batches(x, y, sample_weight, batch_size, shuffle)
        batches.need_end(steps_per_epoch, "steps_per_epoch")
        validation = None
        if validation_data is not None:
            validation = self._batches(*parts_of(validation_data), batch_size=validation_batch_size or batch_size)
            validation.need_end(validation_steps, "validation_steps")
        elif validation_split:
            if not isinstance(batches, Table):
                raise InvalidArgumentError(
                    "`validation_split` needs arrays; beside an iterable give `validation_data`."
                )
            batches, validation = batches.split(validation_split)
            validation.batch_size = validation_batch_size or validation.batch_size
        if class_weight is not None:
            batches = batches.weighted(class_weight)
        self._look_at(batches)
        if validation is not None:
            with _concerning("validation_data"):
                self._look_at(validation)
        self.stop_training = False
        steps = steps_per_epoch or len(batches) or None
        is_drawn = sys.stderr.isatty() and is_interactive_logging_enabled()
        verbosity = (1 if is_drawn else 2) if verbose == "auto" else int(verbose)
        hooks = CallbackList(
            callbacks, True, bool(verbosity), model=self, epochs=epochs, steps=steps, verbose=verbosity
        )
        hooks.call("on_train_begin", {})
        logs: Results = {}
        start, done = hooks.resume(initial_epoch)
        ongoing = None if isinstance(batches, Table) and not steps_per_epoch else Ongoing(batches, steps_per_epoch)
        with threads_for(self._largest_product(batches)):
            for epoch in range(start, epochs):
                if self.stop_training:
                    break
                source = iter(batches) if ongoing is None else ongoing.epoch()
                if source is None:
                    break
                if not done:
                    self.reset_metrics()
                    hooks.call("on_epoch_begin", epoch, {})
                logs = self._train_epoch(source, hooks, epoch, done)
                done = 0
                if validation is not None and _is_due(epoch, validation_freq):
                    results = self._test_epoch(validation, validation_steps, hooks)
                    logs.update({f"val_{name}": value for name, value in results.items()})
                logs = dict(sorted(logs.items()))
                hooks.call("on_epoch_end", epoch, logs)
                hooks.back_up(epoch + 1, 0)
        if self.optimizer.use_ema:
            self.optimizer.finalize_variable_values(self.trainable_variables)
        hooks.call("on_train_end", logs)
        return self.history

    def _batches(self, *data: Any, **options: Any) -> Any:
        """The batches of data, in this model's dtype."""
        return batches_of(*data, **options, dtype=self._numpy_dtype, strings=self._takes_any_input)

    def _largest_product(self, batches: Any) -> float:
        """How many multiplications the largest matrix product of a step has; infinity where that is not known."""
        if not isinstance(batches, Table):
            return float("inf")
        return batches.batch_size * max((each._peek().size for each in self.trainable_variables), default=0)

    def _look_at(self, batches: Any) -> None:
        """Build the model on a row, and look at its outputs and the targets, before anything is trained.

        A stream is looked at as it comes.
        """
        if not isinstance(batches, Table):
            return
        x, y, _ = batches.batch(slice(0, 1))
        try:
            with trial(self):
                y_pred = self(x, training=False)
        except Exception:
            if not self._has_own("train") and not self._has_own("test"):
                raise
            return  # a step of one's own may need no `call`, or another one
        if y is None or self.loss is None:
            return
        if type(self).compute_loss is Trainer.compute_loss:
            self._objective.build(y_pred)
            if self._compares_labels():
                self._objective.need_labels(batches.whole[1], y_pred)
        if not self._measures.is_empty and self._measures.outputs is None:
            self._measures.build(y, y_pred)

    def _compares_labels(self) -> bool:
        """Whether targets may be labels that the outputs tell apart: code of one's own may compare something else."""
        is_own = self._has_own("train") or self._has_own("test")
        is_own = is_own or type(self).compute_loss is not Trainer.compute_loss
        return self.loss is not None and not is_own and self._objective.takes_labels

    def _train_epoch(self, batches: Iterator[Batch], hooks: CallbackList, epoch: int, done: int) -> Results:
        """Train on the batches, but for those that were done before, and give the epoch's results."""
        is_own = self._has_own("train")
        reading = hooks.reads("on_train_batch_end")
        every = self.steps_per_execution
        logs: Results = {}
        place, first = done - 1, done
        if done:
            hooks.pass_over(batches, done)
        at_once = not is_own and isinstance(batches, Shuffled) and not hooks.looks_at_batches()
        if at_once and self._can_replay() and not self.stop_training:  # which ends the epoch after a batch
            first = self._steps.train_all(self, batches, hooks.advance, done)
            place = first - 1
        for place, batch in enumerate(batches, first):
            if place % every == 0:
                hooks.call("on_train_batch_begin", place, {})
            results = self._stepped("train", batch)
            if reading:
                logs = results()
            if (place + 1) % every == 0:
                hooks.call("on_train_batch_end", place, logs)
                hooks.back_up(epoch, place + 1)
            hooks.advance(1)
            if self.stop_training:
                break
        if is_own and place >= first:
            logs = results()
        if place >= first and (place + 1) % every:
            hooks.call("on_train_batch_end", _last_of(place, every), logs)
        return dict(logs) if is_own else self.get_metrics_result()

    def _has_own(self, kind: str) -> bool:
        """Whether a step, "train" or "test", or what it computes of the metrics, is the user's own."""
        step = f"{kind}_step"
        return getattr(type(self), step) is not getattr(Trainer, step) or self._computes_own_metrics()

    def _stepped(self, kind: str, batch: Batch) -> Callable[[], Results]:
        """Make one step, "train" or "test", by program where that can be, and give what gives its results."""
        if not self._has_own(kind):
            self._steps.run(self, kind, self._train_on if kind == "train" else self._test_on, batch)
            return self.get_metrics_result
        step = self.train_step if kind == "train" else self.test_step
        results = self._steps.run_own(self, kind, step, pack_x_y_sample_weight(*batch))
        return lambda: _numbers(results())

    def _can_replay(self) -> bool:
        """Whether steps may be recorded and replayed as programs."""
        return not self.run_eagerly and not self._steps.has_failed and STATE.home is None and not STATE.checking

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
        batches = self._batches(x, y, sample_weight, batch_size)
        batches.need_end(steps, "steps")
        if self._compares_labels():
            self._look_at(batches)
        verbosity = int(is_interactive_logging_enabled()) if verbose == "auto" else int(verbose)
        hooks = CallbackList(callbacks, model=self, epochs=1, steps=steps or len(batches) or None, verbose=verbosity)
        results = self._test_epoch(batches, steps, hooks)
        if verbosity:
            print(" - ".join(f"{name}: {value:.4g}" for name, value in results.items()))
        return self._as_asked(results, return_dict)

    def _test_epoch(self, batches: Any, steps: int | None, hooks: CallbackList) -> Results:
        self.reset_metrics()
        self.stop_evaluating = False
        hooks.call("on_test_begin", {})
        is_own = self._has_own("test")
        reading = hooks.reads("on_test_batch_end")
        every = self.steps_per_execution
        logs: Results = {}
        place = -1
        for place, batch in enumerate(islice(batches, steps)):
            if place % every == 0:
                hooks.call("on_test_batch_begin", place, {})
            outcome = self._stepped("test", batch)
            if reading:
                logs = outcome()
            if (place + 1) % every == 0:
                hooks.call("on_test_batch_end", place, logs)
            if self.stop_evaluating:
                break
        if is_own and place >= 0:
            logs = outcome()
        if (place + 1) % every:
            hooks.call("on_test_batch_end", _last_of(place, every), logs)
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
        """The outputs for all rows of x, as ndarrays in the structure of the outputs.

        `batch_size`: 32 by default, and many more where only minitrain's own layers are at work, which compute each row
        by itself.
        """
        if batch_size is None and steps is None and not callbacks:
            if self._steps.is_rowwise is None:
                self._steps.is_rowwise = self._is_rowwise()
            batch_size = ROWS_AT_ONCE if self._steps.is_rowwise else None
        batches = self._batches(x, batch_size=batch_size)
        batches.need_end(steps, "steps")
        hooks = CallbackList(callbacks, model=self, epochs=1, steps=steps or len(batches) or None, verbose=0)
        if self.stop_predicting:  # by the call before; setting it every time would be felt in a prediction of one row
            self.stop_predicting = False
        hooks.call("on_predict_begin", {})
        every = self.steps_per_execution
        found: list[Any] = []
        for place, batch in enumerate(islice(batches, steps)):
            if place % every == 0:
                hooks.call("on_predict_batch_begin", place, {})
            found.append(self._predicted(pack_x_y_sample_weight(*batch)))
            if (place + 1) % every == 0 and hooks.callbacks:
                hooks.call("on_predict_batch_end", place, {"outputs": _joined(found[-every:])})
            if self.stop_predicting:
                break
        if not found:
            raise InvalidArgumentError("There was no batch to predict.")
        if len(found) % every and hooks.callbacks:
            rest = {"outputs": _joined(found[-(len(found) % every) :])}
            hooks.call("on_predict_batch_end", _last_of(len(found) - 1, every), rest)
        hooks.call("on_predict_end", {})
        return _joined(found)

    def _is_rowwise(self) -> bool:
        """Whether the output for a row cannot depend on the rows beside it: no code of the user's is at work."""
        if type(self).predict_step is not Trainer.predict_step or not runs_ours_alone(self):
            return False
        for each in self._flatten_layers():
            if isinstance(each, layers_module.Lambda):
                return False
            axis = getattr(each, "axis", None)
            if axis is not None and 0 in np.atleast_1d(axis):
                return False
            graph = getattr(each, "_graph", None)
            if graph is not None and not all(isinstance(node.operation, Layer) for node in graph.nodes):
                return False
        return True

    def train_on_batch(
        self, x: Any, y: Any = None, sample_weight: Any = None, class_weight: Any = None, return_dict: bool = False
    ) -> Any:
        """One step on one batch, and its results."""
        self._need_compiled("train_on_batch")
        self.reset_metrics()
        return self._as_asked(self._stepped("train", self._one_batch(x, y, sample_weight, class_weight))(), return_dict)

    def test_on_batch(self, x: Any, y: Any = None, sample_weight: Any = None, return_dict: bool = False) -> Any:
        """The results of one batch."""
        self._need_compiled("test_on_batch")
        self.reset_metrics()
        return self._as_asked(self._stepped("test", self._one_batch(x, y, sample_weight, None))(), return_dict)

    def predict_on_batch(self, x: Any) -> Any:
        """The outputs for one batch, as ndarrays."""
        if type(x) is np.ndarray and x.ndim and len(x):  # the usual case needs no table
            return self._predicted(as_array(x, "x", self._numpy_dtype, self._takes_any_input))
        return self._predicted(pack_x_y_sample_weight(*self._one_batch(x, None, None, None)))

    def _predicted(self, batch: Any) -> Any:
        if type(self).predict_step is Trainer.predict_step and self._can_replay():
            out = self._steps.predict(self, unpack_x_y_sample_weight(batch)[0])
        else:
            out = self.predict_step(batch)
        if type(out) is np.ndarray:
            return out
        if type(out) is Tensor:
            return out.numpy()
        return nest.map_structure(lambda each: each if type(each) is np.ndarray else as_tensor(each).numpy(), out)

    def _one_batch(self, x: Any, y: Any, weight: Any, class_weight: Any) -> Any:
        table = self._batches(x, y, weight)
        if not isinstance(table, Table):
            raise DTypeError(f"A batch must be an array, or a structure of arrays, received {type(x).__name__}.")
        return (table if class_weight is None else table.weighted(class_weight)).whole

    def _need_compiled(self, method: str) -> None:
        if not self._compiled:
            raise InvalidArgumentError(
                f"You must call `compile()` before `{method}()`: `model.compile(optimizer, loss)` says what to train."
            )


@contextmanager
def _concerning(argument: str) -> Iterator[None]:
    """Within this `with` block errors say which argument they are about."""
    try:
        yield
    except MinitrainError as error:
        error.args = (f"In `{argument}`: {error.message}",)
        raise


@cache
def _takes_training(compute_loss: Any) -> bool:
    parameters = inspect.signature(compute_loss).parameters
    return "training" in parameters or any(each.kind is each.VAR_KEYWORD for each in parameters.values())


def parts_of(validation_data: Any) -> Any:
    """x, y and sample weights, as far as `validation_data` holds them, or the iterable that gives them."""
    parts = validation_data if isinstance(validation_data, (tuple, list)) else (validation_data,)
    if len(parts) > 3:
        raise InvalidArgumentError(
            f"`validation_data` must be (x, y) or (x, y, sample_weight), received {len(parts)} parts."
        )
    return parts


def _last_of(place: int, every: int) -> int:
    """The last step of those at once that a batch belongs to, which callbacks are told though the data ended before."""
    return place - place % every + every - 1


def _joined(found: list[Any]) -> Any:
    """The outputs of several batches as those of one."""
    return found[0] if len(found) == 1 else nest.map_structure(lambda *parts: np.concatenate(parts), *found)


def _number(value: Any) -> Any:
    array = value.numpy() if isinstance(value, TensorLike) else np.asarray(value)
    return float(array) if array.ndim == 0 else array


def _named(name: str, result: Any) -> Results:
    """A result under its name; those of a dict under theirs."""
    if isinstance(result, dict):
        return {key: each for name, value in result.items() for key, each in _named(name, value).items()}
    return {name: _number(result)}


def _numbers(results: Any) -> Results:
    if not isinstance(results, dict):
        raise DTypeError(f"A step must give a dict of results, received {type(results).__name__}.")
    return _named("", results)


def _is_due(epoch: int, frequency: Any) -> bool:
    """Whether validation runs after this epoch: every so many epochs, or after those that are listed, from 1."""
    return (epoch + 1) % frequency == 0 if isinstance(frequency, int) else epoch + 1 in frequency
