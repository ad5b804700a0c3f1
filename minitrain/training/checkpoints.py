"""Checkpoints: callbacks that write models to files, and the backup from which training resumes exactly.

A backup holds all that the next step depends on: weights, optimizer, metrics, random streams, the place in the epoch
and the state of every callback. Resumed training equals uninterrupted training bit for bit.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from minitrain.errors import InvalidArgumentError, MinitrainError, UnknownNameError
from minitrain.ops.random import STREAMS, Generator
from minitrain.saving.archive import Archive, write_archive
from minitrain.saving.model import assign_weights, random_layers, weights_of
from minitrain.saving.state import CannotWrite, put_together, taken_apart
from minitrain.training.callbacks import Backup, Callback, Logs, Watcher

FORMAT = 1  # of backups


class ModelCheckpoint(Watcher):
    """Saves the model, or its weights, after every epoch or every so many batches.

    `filepath` may name "{epoch:02d}", "{batch}" and results such as "{val_loss:.2f}". `save_best_only`: only where
    `monitor` is better than ever, or than `initial_value_threshold`. `save_freq`: "epoch", or a number of batches.
    """

    def __init__(
        self,
        filepath: Any,
        monitor: str = "val_loss",
        verbose: int = 0,
        save_best_only: bool = False,
        save_weights_only: bool = False,
        mode: str = "auto",
        save_freq: Any = "epoch",
        initial_value_threshold: float | None = None,
    ) -> None:
        super().__init__(monitor, mode, 0.0, 0)
        self.filepath = os.fspath(filepath)
        self.verbose = verbose
        self.save_best_only = save_best_only
        self.save_weights_only = save_weights_only
        self.save_freq = _frequency(save_freq)
        self.best = initial_value_threshold
        self.reads_batch_logs = self.save_freq != "epoch"
        self.batches = 0
        self.epoch = 0

    def on_epoch_begin(self, epoch: int, logs: Logs = None) -> None:
        self.epoch = epoch

    def on_train_batch_end(self, batch: int, logs: Logs = None) -> None:
        if self.save_freq == "epoch":
            return
        self.batches += 1
        if self.batches % self.save_freq == 0:
            self._save(logs, epoch=self.epoch + 1, batch=batch + 1)

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        if self.save_freq == "epoch":
            self._save(logs, epoch=epoch + 1)

    def _save(self, logs: Logs, **places: int) -> None:
        try:
            path = self.filepath.format(**{**(logs or {}), **places})
        except KeyError as error:
            raise UnknownNameError(
                f"Failed to format this callback filepath: {self.filepath!r} names {error}, which is not among the "
                f"results: {', '.join(logs or {})}."
            ) from error
        if self.save_best_only:
            value = self.present(logs)
            if value is not None and not self.is_better(value, self.best):
                return
            self.best = self.best if value is None else value  # Keras saves, and warns, where there is no result
        if self.save_weights_only:
            self.model.save_weights(path)
        else:
            self.model.save(path)
        if self.verbose:
            print(f"Epoch {places['epoch']}: saved to {path}.")


def _frequency(value: Any) -> Any:
    if value != "epoch" and (isinstance(value, bool) or not isinstance(value, int) or value < 1):
        raise InvalidArgumentError(f"`save_freq` must be 'epoch' or a number of batches, received {value!r}.")
    return value


class BackupAndRestore(Backup):
    """Writes down where training stands, and goes on from there when `fit` is called again after a crash.

    `backup_dir`: where the file is. `save_freq`: "epoch", or a number of batches. `delete_checkpoint`: whether to
    delete the file when training has ended. `double_checkpoint`: at the end of an epoch too, beside every so many
    batches.
    The same data, model and settings must be given again: they are not in the file.
    """

    def __init__(
        self,
        backup_dir: Any,
        save_freq: Any = "epoch",
        double_checkpoint: bool = False,
        delete_checkpoint: bool = True,
    ) -> None:
        if backup_dir is None or not os.fspath(backup_dir):
            raise InvalidArgumentError(f"`backup_dir` must name a directory, received {backup_dir!r}.")
        self.backup_dir = Path(backup_dir)
        self.save_freq = _frequency(save_freq)
        self.double_checkpoint = double_checkpoint
        self.delete_checkpoint = delete_checkpoint
        self._epoch_start: dict[str, Any] | None = None  # the random streams, before the epoch's order was drawn

    @property
    def path(self) -> Path:
        """The file."""
        return self.backup_dir / "backup.minitrain"

    def get_state(self) -> dict[str, Any]:
        return {}

    def is_due(self, batch: int) -> bool:
        if self.save_freq == "epoch":
            return batch == 0
        return (batch == 0 and self.double_checkpoint) or (batch > 0 and batch % self.save_freq == 0)

    def on_epoch_begin(self, epoch: int, logs: Logs = None) -> None:
        if self._epoch_start is None:
            self._epoch_start = streams_of(self.model)

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        self._epoch_start = None

    def back_up(self, callbacks: list[Callback], epoch: int, batch: int) -> None:
        model, tracker = self.model, self.model._loss_tracker
        arrays: dict[str, Any] = {}
        state = {
            "format": FORMAT,
            "epoch": epoch,
            "batch": batch,
            "stop_training": bool(model.stop_training),
            "streams": streams_of(model),
            "epoch_start": self._epoch_start if batch else None,
            "sums": [tracker.total, tracker.count, list(tracker.parts), tracker.batches],
            "metrics": [taken_apart(variable.numpy(), arrays) for variable in _metric_state(model)] if batch else [],
            "callbacks": [[type(each).__name__, _kept(each.get_state(), arrays)] for each in callbacks],
        }
        tensors = {"weights": weights_of(model), "state": arrays}
        tensors["optimizer"] = {str(n): each for n, each in enumerate(model.optimizer.get_weights())}
        write_archive(self.path, {"state": state}, tensors)

    def restore(self, callbacks: list[Callback]) -> tuple[int, int] | None:
        if not self.path.exists():
            return None
        archive = Archive(self.path)
        with _all_or_nothing(self.model, [self, *callbacks]):
            try:
                return self._restored(archive, callbacks)
            except MinitrainError:
                raise
            except Exception as error:  # what another version wrote, or nobody, can fail in any way
                raise archive.broken(f"its state cannot be restored ({type(error).__name__}: {error})") from error

    def _restored(self, archive: Archive, callbacks: list[Callback]) -> tuple[int, int]:
        model = self.model
        state, arrays = archive.text("state"), archive.tensors("state")
        if state.get("format") != FORMAT:
            raise archive.broken(f"its format is {state.get('format')!r}, and this version reads {FORMAT}")
        epoch, batch = state["epoch"], state["batch"]
        if not all(isinstance(each, int) and 0 <= each < 1 << 31 for each in (epoch, batch)):
            raise archive.broken(f"it stopped in epoch {epoch!r}, batch {batch!r}")
        optimizer = archive.tensors("optimizer")
        assign_weights(model, archive.tensors("weights"), archive)
        model.optimizer.build(model.trainable_variables)
        model.optimizer.set_weights([optimizer[str(n)] for n in range(len(optimizer))])
        held = list(state["callbacks"])
        for each in callbacks:  # in order; what is new begins anew, what is gone is forgotten
            place = next((n for n, (name, _) in enumerate(held) if name == type(each).__name__), None)
            if place is not None:
                each.set_state(put_together(held.pop(place)[1], arrays))
        metrics = _metric_state(model)
        if len(metrics) == len(state["metrics"]):
            for variable, value in zip(metrics, state["metrics"], strict=True):
                variable.assign(np.asarray(put_together(value, arrays)))
        tracker = model._loss_tracker
        tracker.total, tracker.count, tracker.parts, tracker.batches = state["sums"]
        model.stop_training = state["stop_training"]
        self._epoch_start = state["epoch_start"]
        set_streams(model, self._epoch_start or state["streams"])
        self._after_skipping = state["streams"]
        return epoch, batch

    def skipped(self) -> None:
        """Called when the batches that were done before have been passed over: the streams stand where they stood."""
        set_streams(self.model, self._after_skipping)

    def on_train_end(self, logs: Logs = None) -> None:
        self._epoch_start = None
        if self.delete_checkpoint:
            self.path.unlink(missing_ok=True)
            if self.backup_dir.is_dir() and not any(self.backup_dir.iterdir()):
                self.backup_dir.rmdir()


@contextmanager
def _all_or_nothing(model: Any, callbacks: list[Callback]) -> Iterator[None]:
    """Where this `with` block raises, the model, its optimizer, the streams and the callbacks are as they were."""
    tracker, optimizer = model._loss_tracker, model.optimizer
    weights, metrics = model.get_weights(), [each.numpy() for each in _metric_state(model)]
    slots, was_built = optimizer.get_weights(), optimizer.built
    parts = (tracker, *callbacks, *([] if was_built else [optimizer]))
    held = [(each, {name: _apart(value) for name, value in vars(each).items()}) for each in parts]
    streams, is_stopped = streams_of(model), model.stop_training
    try:
        yield
    except BaseException:
        model.set_weights(weights)
        for variable, value in zip(_metric_state(model), metrics, strict=True):
            variable.assign(value)
        for each, attributes in held:
            vars(each).clear()
            vars(each).update(attributes)
        optimizer.set_weights(slots)
        set_streams(model, streams)
        model.stop_training = is_stopped
        raise


def _apart(value: Any) -> Any:
    """A container that does not change with the one that is given; anything else as it is."""
    return value.copy() if isinstance(value, (list, dict, set)) else value


def _kept(state: dict[str, Any], arrays: dict[str, Any]) -> Any:
    """The part of a callback's state that is plain data or arrays."""
    found = {}
    for key, value in state.items():
        try:
            found[key] = taken_apart(value, arrays)
        except CannotWrite:
            continue
    return {"dict": found}


def _metric_state(model: Any) -> list[Any]:
    return [variable for metric in model.metrics for variable, _ in metric._state]


def streams_of(model: Any) -> dict[str, Any]:
    """Where all random streams stand: the global one, those of `seed=` arguments, those of layers."""
    return {
        "seed": STREAMS.seed,
        "main": STREAMS.main.state,
        "seeded": {str(seed): stream.bit_generator.state for seed, stream in STREAMS.seeded.items()},
        "layers": [each.generator.state for each in random_layers(model)],
    }


def set_streams(model: Any, state: dict[str, Any]) -> None:
    """Put all random streams where `streams_of` found them."""
    STREAMS.seed = state["seed"]
    STREAMS.main.state = state["main"]
    STREAMS.seeded.clear()
    for seed, held in state["seeded"].items():
        STREAMS.seeded[int(seed)] = generator = Generator(0)._stream
        generator.bit_generator.state = held
    layers = random_layers(model)
    if len(layers) != len(state["layers"]):
        warnings.warn("The model has other random layers than the backup.", stacklevel=3)
    for layer, held in zip(layers, state["layers"], strict=False):
        layer.generator.state = held
