"""Callbacks: what is done between the batches and epochs of `fit`, with Keras's hooks and decisions."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from minitrain import nest
from minitrain.errors import DTypeError, InvalidArgumentError, NonFiniteError

Logs = dict[str, Any] | None


class Callback:
    """The base: override the hooks you need. `self.model` and `self.params` are set before training begins."""

    model: Any = None
    params: Any = None
    reads_batch_logs = True  # whether `on_train_batch_end` looks at the results so far, which cost time to compute

    def set_model(self, model: Any) -> None:
        """Called once, before training begins."""
        self.model = model

    def set_params(self, params: dict[str, Any]) -> None:
        """Called once with epochs, steps and verbose."""
        self.params = params

    def get_state(self) -> dict[str, Any]:
        """What a backup keeps of this callback, so that resumed training goes on as if it had not stopped.

        By default the attributes that are numbers, strings, arrays, or lists and dicts of these.
        """
        return {key: each for key, each in vars(self).items() if key not in ("model", "params")}

    def set_state(self, state: dict[str, Any]) -> None:
        """Go on from what `get_state` gave; called after `on_train_begin`."""
        vars(self).update(state)

    def on_train_begin(self, logs: Logs = None) -> None:
        """At the start of `fit`."""

    def on_train_end(self, logs: Logs = None) -> None:
        """At the end of `fit`."""

    def on_epoch_begin(self, epoch: int, logs: Logs = None) -> None:
        """Before the first batch of an epoch, counted from 0."""

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        """After validation; `logs` holds the epoch's results and may be added to."""

    def on_train_batch_begin(self, batch: int, logs: Logs = None) -> None:
        """Before a training step."""
        self.on_batch_begin(batch, logs)

    def on_train_batch_end(self, batch: int, logs: Logs = None) -> None:
        """After a training step, with the results so far."""
        self.on_batch_end(batch, logs)

    def on_batch_begin(self, batch: int, logs: Logs = None) -> None:
        """The old name of `on_train_batch_begin`."""

    def on_batch_end(self, batch: int, logs: Logs = None) -> None:
        """The old name of `on_train_batch_end`."""

    def on_test_batch_begin(self, batch: int, logs: Logs = None) -> None:
        """Before a batch of `evaluate`, and of validation."""

    def on_test_batch_end(self, batch: int, logs: Logs = None) -> None:
        """After a batch of `evaluate`, and of validation."""

    def on_predict_begin(self, logs: Logs = None) -> None:
        """At the start of `predict`."""

    def on_predict_end(self, logs: Logs = None) -> None:
        """At the end of `predict`."""

    def on_predict_batch_begin(self, batch: int, logs: Logs = None) -> None:
        """Before a batch of `predict`."""

    def on_predict_batch_end(self, batch: int, logs: Logs = None) -> None:
        """After a batch of `predict`, with its outputs."""

    def on_test_begin(self, logs: Logs = None) -> None:
        """At the start of `evaluate`, and of validation."""

    def on_test_end(self, logs: Logs = None) -> None:
        """At the end of `evaluate`, and of validation."""


HOOKS = tuple(name for name in vars(Callback) if name.startswith("on_") and not name.startswith("on_batch"))
OLD_NAMES = {"on_train_batch_begin": "on_batch_begin", "on_train_batch_end": "on_batch_end"}


class CallbackList:
    """Several callbacks as one, with all their hooks. Hooks that nobody overrides cost nothing.

    `add_history`, `add_progbar`: put a History and a progress bar at the end, unless there is one. Other arguments
    become the callbacks' `params`: epochs, steps, verbose.
    """

    def __init__(
        self,
        callbacks: Any = None,
        add_history: bool = False,
        add_progbar: bool = False,
        model: Any = None,
        **params: Any,
    ) -> None:
        from minitrain.training.loggers import History, ProgressBar  # which are callbacks themselves

        # They come last, so that they see what other callbacks add to the results.
        self.callbacks = callbacks.callbacks if isinstance(callbacks, CallbackList) else nest.as_list(callbacks)
        if add_progbar and not any(isinstance(each, ProgressBar) for each in self.callbacks):
            self.callbacks.append(ProgressBar(params.get("verbose", 1)))
        if add_history and not any(isinstance(each, History) for each in self.callbacks):
            self.callbacks.append(History())
        for each in self.callbacks:
            if not isinstance(each, Callback):
                raise DTypeError(f"`callbacks` must be a list of Callbacks, received {each!r}.")
        self._look()
        if model is not None:
            self.set_model(model)
        self.set_params(params)

    def _look(self) -> None:
        self._wanted = {
            hook: [getattr(each, hook) for each in self.callbacks if overrides(each, hook)] for hook in HOOKS
        }
        self._advancing: list[Any] = [each for each in self.callbacks if hasattr(each, "advance")]

    def append(self, callback: Callback) -> None:
        """Put a callback at the end."""
        self.callbacks.append(callback)
        self._look()

    def set_model(self, model: Any) -> None:
        """Tell all callbacks their model, and the model its History."""
        self.model = model
        for each in self.callbacks:
            each.set_model(model)
            if hasattr(each, "history"):
                model.history = each

    def set_params(self, params: dict[str, Any]) -> None:
        """Tell all callbacks the epochs, steps and verbose."""
        self.params = params
        for each in self.callbacks:
            each.set_params(params)

    def reads(self, hook: str) -> bool:
        """Whether anybody looks at the results at this hook, so that they must be computed for every batch."""
        return any(each.reads_batch_logs and overrides(each, hook) for each in self.callbacks)

    def resume(self, initial_epoch: int) -> tuple[int, int]:
        """The epoch to begin with and the batches of it that are done: as given, or where a backup stopped."""
        for each in self.callbacks:
            found = each.restore(self.callbacks) if isinstance(each, Backup) else None
            if found is not None:
                return found
        return initial_epoch, 0

    def looks_at_batches(self, kind: str = "train") -> bool:
        """Whether anybody does anything between the batches of an epoch, of training or of validation ("test")."""
        return (
            bool(self._wanted[f"on_{kind}_batch_begin"])
            or bool(self._wanted[f"on_{kind}_batch_end"])
            or any(isinstance(each, Backup) and each.save_freq != "epoch" for each in self.callbacks)
        )

    def looks_at(self, hook: str) -> bool:
        """Whether anybody does anything at this hook."""
        return bool(self._wanted[hook])

    def advance(self, batches: int) -> None:
        """Tell those who count, such as a progress bar, that so many more batches are done."""
        for each in self._advancing:
            each.advance(batches)

    def pass_over(self, batches: Iterator[Any], done: int) -> None:
        """Pass over the batches that were done before training stopped."""
        for _ in range(done):
            if next(batches, None) is None:
                break
        for each in self.callbacks:
            if isinstance(each, Backup):
                each.skipped()

    def back_up(self, epoch: int, batch: int) -> None:
        """Let backups write down where training stands: after so many batches of this epoch, all callbacks called."""
        for each in self.callbacks:
            if isinstance(each, Backup) and each.is_due(batch):
                each.back_up(self.callbacks, epoch, batch)

    def call(self, hook: str, *args: Any) -> None:
        """Call a hook of all that override it, in order."""
        for function in self._wanted[hook]:
            function(*args)


def _as_method(hook: str) -> Callable[..., None]:
    """A hook as a method of CallbackList: (logs), or (batch, logs) and (epoch, logs)."""
    places = 1 if "batch" in hook or "epoch" in hook else 0

    def method(self: CallbackList, *args: Any, logs: Logs = None) -> None:
        given = args[places] if len(args) > places else logs
        self.call(hook, *args[:places], {} if given is None else given)

    method.__name__, method.__doc__ = hook, f"Call `{hook}` of all callbacks."
    return method


for _hook in HOOKS:
    setattr(CallbackList, _hook, _as_method(_hook))
for _hook, _old in OLD_NAMES.items():
    setattr(CallbackList, _old, getattr(CallbackList, _hook))


class Backup(Callback):
    """What `fit` knows of a callback that writes down where training stands: `BackupAndRestore` is one."""

    save_freq: Any = "epoch"  # or a number of batches

    def is_due(self, batch: int) -> bool:
        """Whether to write after so many batches of an epoch; 0 stands for the end of the epoch before."""
        raise NotImplementedError

    def back_up(self, callbacks: list[Callback], epoch: int, batch: int) -> None:
        """Write down where training stands."""
        raise NotImplementedError

    def restore(self, callbacks: list[Callback]) -> tuple[int, int] | None:
        """Go back to where training stood, and give epoch and batch; None where there is nothing to go back to."""
        raise NotImplementedError

    def skipped(self) -> None:
        """Called when the batches that were done before have been passed over."""


def overrides(callback: Callback, hook: str) -> bool:
    """Whether a callback does anything at a hook, under its name or its old one."""
    names = (hook, OLD_NAMES.get(hook, hook))
    return any(each in vars(callback) or getattr(type(callback), each) is not getattr(Callback, each) for each in names)


class LambdaCallback(Callback):
    """Hooks given as functions: `LambdaCallback(on_epoch_end=lambda epoch, logs: ...)`.

    What is named otherwise than "on_..." is an attribute, for the hooks to use.
    """

    def __init__(self, **hooks: Any) -> None:
        for name, function in hooks.items():
            if name.startswith("on_") and name not in (*HOOKS, *OLD_NAMES.values()):
                raise InvalidArgumentError(f"Unknown hook {name!r}: expected one of {', '.join(HOOKS)}.")
            if function is not None:
                setattr(self, name, function)


class TerminateOnNaN(Callback):
    """Stops training when the loss is a NaN or an infinity; `raise_error`: with a RuntimeError."""

    def __init__(self, raise_error: bool = False) -> None:
        self.raise_error = raise_error

    def on_train_batch_end(self, batch: int, logs: Logs = None) -> None:
        loss = (logs or {}).get("loss")
        if loss is not None and not np.isfinite(loss):
            if self.raise_error:
                raise NonFiniteError(f"NaN or Inf loss encountered at batch {batch}: {loss}.")
            print(f"Batch {batch}: Invalid loss {loss}, terminating training")
            self.model.stop_training = True


RISING = ("acc", "auc", "precision", "recall", "iou", "f1", "fbeta", "r2", "correlation", "similarity")
FALLING = ("loss", "err", "mse", "mae", "mape", "msle", "entropy", "hinge", "poisson", "divergence", "nll", "logcosh")


class Watcher(Callback):
    """What callbacks share that wait for a result to get better: `mode` "min", "max", or "auto".

    "auto" asks the metric for its `_direction`, "up" or "down", or goes by the name; Raises InvalidArgumentError where
    neither says it.
    """

    def __init__(self, monitor: str, mode: str, min_delta: float, patience: int) -> None:
        if mode not in ("auto", "min", "max"):
            warnings.warn(
                f"{type(self).__name__} mode {mode!r} is unknown, fallback to auto mode; known are 'auto', 'min' and "
                "'max'.",
                stacklevel=3,
            )
            mode = "auto"
        self.monitor = monitor
        self.mode = mode
        self.patience = patience
        self.monitor_op: Any = None  # np.less or np.greater, known when the first result is there
        self.min_delta = abs(min_delta)
        self.best: float | None = None
        self.wait = 0

    def present(self, logs: Logs) -> float | None:
        """The watched result; None, with a warning, where there is none."""
        if self.monitor not in (logs or {}):
            warnings.warn(
                f"{type(self).__name__} conditioned on metric {self.monitor!r} which is not available; available are: "
                f"{', '.join(logs or {})}. Is `validation_data` missing?",
                stacklevel=4,
            )
            return None
        return float((logs or {})[self.monitor])

    def is_better(self, value: float, best: float | None) -> bool:
        """Whether it is by more than `min_delta`, or the first."""
        if self.monitor_op is None:
            self.monitor_op = np.greater if self._grows() else np.less
        gain = -self.min_delta if self.monitor_op is np.greater else self.min_delta
        return best is None or bool(self.monitor_op(value, best - gain))

    def _grows(self) -> bool:
        """Whether larger results are better."""
        if self.mode != "auto":
            return self.mode == "max"
        name = self.monitor.removeprefix("val_")
        for each in getattr(self.model, "metrics", ()):
            if each.name == name and hasattr(each, "_direction"):
                return bool(each._direction == "up")
        rises, falls = (any(part in name.lower() for part in names) for names in (RISING, FALLING))
        if not rises and not falls:
            raise InvalidArgumentError(
                f"{type(self).__name__} callback received `monitor`={self.monitor!r}, and it is not clear whether that "
                "should be maximized or minimized. Pass `mode='max'` or `mode='min'`."
            )
        return rises


class EarlyStopping(Watcher):
    """Stops when `monitor` has not become better by more than `min_delta` for `patience` epochs.

    `baseline`: a result that must be bettered. `restore_best_weights`: go back to those of the best epoch at the end.
    `start_from_epoch`: epochs before it are not looked at.
    """

    def __init__(
        self,
        monitor: str = "val_loss",
        min_delta: float = 0,
        patience: int = 0,
        verbose: int = 0,
        mode: str = "auto",
        baseline: float | None = None,
        restore_best_weights: bool = False,
        start_from_epoch: int = 0,
    ) -> None:
        super().__init__(monitor, mode, min_delta, patience)
        self.verbose = verbose
        self.baseline = baseline
        self.restore_best_weights = restore_best_weights
        self.start_from_epoch = start_from_epoch
        self.stopped_epoch = 0
        self.best_epoch = 0
        self.best_weights: list[Any] | None = None

    def on_train_begin(self, logs: Logs = None) -> None:
        self.wait = self.stopped_epoch = self.best_epoch = 0
        self.best = self.best_weights = None

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        value = self.present(logs)
        if value is None or epoch < self.start_from_epoch:
            return
        if self.restore_best_weights and self.best_weights is None:
            self.best_weights, self.best_epoch = self.model.get_weights(), epoch
        self.wait += 1
        if self.is_better(value, self.best):
            self.best, self.best_epoch = value, epoch
            if self.restore_best_weights:
                self.best_weights = self.model.get_weights()
            if self.baseline is None or self.is_better(value, self.baseline):
                self.wait = 0
            return
        if self.wait >= self.patience and epoch > 0:
            self.stopped_epoch = epoch
            self.model.stop_training = True

    def on_train_end(self, logs: Logs = None) -> None:
        if self.stopped_epoch and self.verbose:
            print(f"Epoch {self.stopped_epoch + 1}: early stopping")
        if self.restore_best_weights and self.best_weights is not None:
            if self.verbose:
                print(f"Restoring model weights from the end of the best epoch: {self.best_epoch + 1}.")
            self.model.set_weights(self.best_weights)


class ReduceLROnPlateau(Watcher):
    """Multiplies the learning rate by `factor` when `monitor` has not become better for `patience` epochs.

    After that it waits `cooldown` epochs before it counts again; the rate never falls below `min_lr`.
    """

    def __init__(
        self,
        monitor: str = "val_loss",
        factor: float = 0.1,
        patience: int = 10,
        verbose: int = 0,
        mode: str = "auto",
        min_delta: float = 1e-4,
        cooldown: int = 0,
        min_lr: float = 0.0,
    ) -> None:
        if factor >= 1.0:
            raise InvalidArgumentError(f"`factor` must be below 1, received {factor!r}.")
        super().__init__(monitor, mode, min_delta, patience)
        self.factor = factor
        self.verbose = verbose
        self.cooldown = cooldown
        self.cooldown_counter = 0
        self.min_lr = min_lr

    def on_train_begin(self, logs: Logs = None) -> None:
        self.wait = self.cooldown_counter = 0
        self.best = None

    def in_cooldown(self) -> bool:
        """Whether it waits after a reduction."""
        return self.cooldown_counter > 0

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        rate = float(np.float32(self.model.optimizer.learning_rate))
        if logs is not None:
            logs["learning_rate"] = rate
        value = self.present(logs)
        if value is None:
            return
        if self.in_cooldown():
            self.cooldown_counter -= 1
            self.wait = 0
        if self.is_better(value, self.best):
            self.best, self.wait = value, 0
        elif not self.in_cooldown():
            self.wait += 1
            if self.wait >= self.patience and rate > float(np.float32(self.min_lr)):  # as the rate is kept
                new = max(rate * self.factor, self.min_lr)
                self.model.optimizer.learning_rate = new
                if self.verbose:
                    print(f"Epoch {epoch + 1}: ReduceLROnPlateau reducing learning rate to {new:.6g}.")
                self.cooldown_counter, self.wait = self.cooldown, 0


class LearningRateScheduler(Callback):
    """Sets the learning rate to `schedule(epoch, learning_rate)` before each epoch."""

    def __init__(self, schedule: Callable[..., Any], verbose: int = 0) -> None:
        self.schedule = schedule
        self.verbose = verbose

    def on_epoch_begin(self, epoch: int, logs: Logs = None) -> None:
        try:
            rate = self.schedule(epoch, float(np.float32(self.model.optimizer.learning_rate)))
        except TypeError:  # Keras allows a function of the epoch alone
            rate = self.schedule(epoch)
        if not isinstance(rate, (float, np.floating, np.ndarray)) and not hasattr(rate, "numpy"):
            raise InvalidArgumentError(
                f"The output of the `schedule` function should be a float, received {rate!r} of type "
                f"{type(rate).__name__!r}."
            )
        self.model.optimizer.learning_rate = float(rate)
        if self.verbose:
            print(f"Epoch {epoch + 1}: LearningRateScheduler setting learning rate to {float(rate):.6g}.")

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        if logs is not None:
            logs["learning_rate"] = float(np.float32(self.model.optimizer.learning_rate))


class SwapEMAWeights(Callback):
    """Evaluates and predicts with the moving averages of the weights, of an optimizer with `use_ema=True`.

    `swap_on_epoch`: swap already at the end of each epoch, so that what other callbacks save are the averages.
    """

    def __init__(self, swap_on_epoch: bool = False) -> None:
        self.swap_on_epoch = swap_on_epoch
        self._is_swapped = False

    def on_train_begin(self, logs: Logs = None) -> None:
        if not self.model.optimizer.use_ema:
            raise InvalidArgumentError("SwapEMAWeights must be used when `use_ema=True` is set on the optimizer.")

    def _swap(self, to_averages: bool) -> None:
        optimizer = self.model.optimizer
        averages = optimizer._model_variables_moving_average
        if self._is_swapped == to_averages or not averages:
            return
        for variable, average in zip(optimizer._trainable_variables, averages, strict=True):
            held = variable.numpy()
            variable.assign(average.numpy())
            average.assign(held)
        self._is_swapped = to_averages

    def on_epoch_begin(self, epoch: int, logs: Logs = None) -> None:
        self._swap(False)

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        if self.swap_on_epoch:
            self._swap(True)
            if epoch + 1 == self.params["epochs"] or self.model.stop_training:
                optimizer = self.model.optimizer  # at whose end `fit` puts the averages into the model once more
                averages = optimizer._model_variables_moving_average
                for variable, average in zip(optimizer._trainable_variables, averages, strict=True):
                    average.assign(variable)

    def on_test_begin(self, logs: Logs = None) -> None:
        self._swap(True)

    def on_test_end(self, logs: Logs = None) -> None:
        self._swap(False)

    def on_predict_begin(self, logs: Logs = None) -> None:
        self._swap(True)

    def on_predict_end(self, logs: Logs = None) -> None:
        self._swap(False)

    def on_train_end(self, logs: Logs = None) -> None:
        self._swap(False)
