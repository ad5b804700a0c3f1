"""Callbacks: what is done between the batches and epochs of `fit`, with Keras's hooks and decisions."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np

from minitrain.errors import DTypeError, InvalidArgumentError

Logs = dict[str, Any] | None


class Callback:
    """The base: override the hooks you need. `self.model` and `self.params` are set before training begins."""

    model: Any = None
    params: dict[str, Any] = {}  # noqa: RUF012  # replaced, never changed
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

    def on_train_batch_end(self, batch: int, logs: Logs = None) -> None:
        """After a training step, with the results so far."""

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


HOOKS = tuple(name for name in vars(Callback) if name.startswith("on_"))


class CallbackList:
    """Several callbacks as one. Hooks that nobody overrides cost nothing."""

    def __init__(self, callbacks: Iterable[Callback], model: Any, params: dict[str, Any]) -> None:
        self.callbacks = list(callbacks)
        for each in self.callbacks:
            if not isinstance(each, Callback):
                raise DTypeError(f"`callbacks` must be a list of Callbacks, received {each!r}.")
        self._wanted = {
            hook: [getattr(each, name) for each in self.callbacks for name in _names_of(hook) if overrides(each, name)]
            for hook in HOOKS
        }
        self._advancing: list[Any] = [each for each in self.callbacks if hasattr(each, "advance")]
        for each in self.callbacks:
            each.set_model(model)
            each.set_params(params)

    def reads(self, hook: str) -> bool:
        """Whether anybody looks at the results at this hook, so that they must be computed for every batch."""
        names = _names_of(hook)
        return any(each.reads_batch_logs and any(overrides(each, n) for n in names) for each in self.callbacks)

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

    def advance(self, batches: int) -> None:
        """Tell those who count, such as a progress bar, that so many more batches are done."""
        for each in self._advancing:
            each.advance(batches)

    def pass_over(self, batches: Iterator[Any], done: int) -> None:
        """Pass over the batches that were done before training stopped."""
        for _ in range(done):
            next(batches, None)
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
    """Whether a callback does anything at a hook."""
    return hook in vars(callback) or getattr(type(callback), hook, None) is not getattr(Callback, hook, None)


def _names_of(hook: str) -> tuple[str, ...]:
    """A hook's name, and its old one."""
    return (hook, hook.replace("train_batch", "batch")) if "train_batch" in hook else (hook,)


class LambdaCallback(Callback):
    """Hooks given as functions: `LambdaCallback(on_epoch_end=lambda epoch, logs: ...)`."""

    def __init__(self, **hooks: Callable[..., Any] | None) -> None:
        for name, function in hooks.items():
            if name not in HOOKS:
                raise InvalidArgumentError(f"Unknown hook {name!r}: expected one of {', '.join(HOOKS)}.")
            if function is not None:
                setattr(self, name, function)


class TerminateOnNaN(Callback):
    """Stops training when the loss is a NaN or an infinity."""

    def on_train_batch_end(self, batch: int, logs: Logs = None) -> None:
        loss = (logs or {}).get("loss")
        if loss is not None and not np.isfinite(loss):
            print(f"Batch {batch}: the loss is {loss}, training stops.")
            self.model.stop_training = True


class Watcher(Callback):
    """What callbacks share that wait for a result to get better: `mode` "min", "max", or "auto" by the name."""

    def __init__(self, monitor: str, mode: str, min_delta: float, patience: int) -> None:
        if mode not in ("auto", "min", "max"):
            raise InvalidArgumentError(f"`mode` must be 'auto', 'min' or 'max', received {mode!r}.")
        self.monitor = monitor
        self.patience = patience
        rises = ("acc", "auc", "precision", "recall", "iou", "f1", "fbeta", "r2", "correlation")
        grows = mode == "max" or (mode == "auto" and any(each in monitor.lower() for each in rises))
        self.sign = -1.0 if grows else 1.0  # results times this are the better the smaller
        self.min_delta = abs(min_delta)
        self.best: float | None = None
        self.wait = 0

    def present(self, logs: Logs) -> float | None:
        """The watched result; None, with a warning, where there is none."""
        if self.monitor not in (logs or {}):
            warnings.warn(
                f"{type(self).__name__} watches {self.monitor!r}, which is not available; available are: "
                f"{', '.join(logs or {})}. Is `validation_data` missing?",
                stacklevel=4,
            )
            return None
        return float((logs or {})[self.monitor])

    def is_better(self, value: float, best: float | None) -> bool:
        """Whether it is by more than `min_delta`, or the first."""
        return best is None or self.sign * value < self.sign * best - self.min_delta


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

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        rate = float(np.float32(self.model.optimizer.learning_rate))
        if logs is not None:
            logs["learning_rate"] = rate
        value = self.present(logs)
        if value is None:
            return
        if self.cooldown_counter > 0:
            self.cooldown_counter -= 1
            self.wait = 0
        if self.is_better(value, self.best):
            self.best, self.wait = value, 0
        elif self.cooldown_counter <= 0:
            self.wait += 1
            if self.wait >= self.patience and rate > self.min_lr:
                self.model.optimizer.learning_rate = max(rate * self.factor, self.min_lr)
                if self.verbose:
                    print(f"Epoch {epoch + 1}: the learning rate becomes {max(rate * self.factor, self.min_lr):.6g}.")
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
            raise DTypeError(f"The schedule must give a float, received {rate!r}.")
        self.model.optimizer.learning_rate = float(rate)
        if self.verbose:
            print(f"Epoch {epoch + 1}: the learning rate is {float(rate):.6g}.")

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
            raise InvalidArgumentError("SwapEMAWeights needs an optimizer with `use_ema=True`.")

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
