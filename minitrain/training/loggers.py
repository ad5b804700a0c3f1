"""Loggers: callbacks that say or write down the results: the progress bar, History, CSV, JSON lines, TensorBoard."""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import Any

from minitrain.errors import InvalidArgumentError, needing
from minitrain.summary import BUCKETS, SummaryWriter
from minitrain.training.callbacks import Callback, Logs


class History(Callback):
    """The results of every epoch: `history` maps each name to a list, `epoch` holds the epochs' numbers."""

    def __init__(self) -> None:
        self.history: dict[str, list[float]] = {}
        self.epoch: list[int] = []
        self._seen: dict[str, list[int]] = {}  # in which epochs, as validation may come in some alone

    def on_train_begin(self, logs: Logs = None) -> None:
        self.epoch = []

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        self.epoch.append(epoch)
        for key, value in (logs or {}).items():
            self.history.setdefault(key, []).append(value)
            self._seen.setdefault(key, []).append(epoch)

    def to_frame(self) -> Any:
        """The results as a pandas DataFrame, a row an epoch, NaN where an epoch has none."""
        with needing("data"):
            import pandas as pd

        columns = {key: pd.Series(values, self._seen[key]) for key, values in self.history.items()}
        return pd.DataFrame(columns, index=pd.Index(self.epoch, name="epoch"))

    def plot(self, keys: Any = None, ax: Any = None) -> Any:
        """Draw the curves with matplotlib, each result beside its validation; gives the axes.

        `keys`: the results to draw, by default the losses and metrics without "val_" and the learning rate.
        """
        with needing("plot"):
            from matplotlib import pyplot as plt
            from matplotlib.ticker import MaxNLocator

        ax = ax or plt.subplots()[1]
        shown = keys or [key for key in self.history if not key.startswith("val_") and key != "learning_rate"]
        for key in [shown] if isinstance(shown, str) else shown:
            if key not in self.history:
                raise InvalidArgumentError(f"There is no result {key!r}. There are: {', '.join(self.history)}.")
            (line,) = ax.plot(self._seen[key], self.history[key], label=key)
            beside = f"val_{key}"
            if beside in self.history:
                ax.plot(self._seen[beside], self.history[beside], "--", color=line.get_color(), label=beside)
        ax.set_xlabel("epoch")
        ax.xaxis.set_major_locator(MaxNLocator("auto", integer=True))
        ax.legend()
        return ax


class LineLogger(Callback):
    """What loggers share that write a line an epoch, at once. `append` goes on with a file, as a resumed run does."""

    def __init__(self, filename: Any, append: bool) -> None:
        self.filename = os.fspath(filename)
        self.append = append
        self._offset: int | None = None  # where to go on in the file

    def on_train_begin(self, logs: Logs = None) -> None:
        self._offset = None

    def get_state(self) -> dict[str, Any]:
        return {"_offset": self._offset}

    def write(self, lines: Any) -> None:
        """Write what `lines(is_new)` gives, where is_new says whether the file is empty."""
        path = Path(self.filename)
        path.parent.mkdir(parents=True, exist_ok=True)
        if self._offset is None:
            self._offset = path.stat().st_size if self.append and path.exists() else 0
        with open(path, "r+b" if path.exists() else "w+b") as file:
            file.truncate(self._offset)  # what a run that was killed wrote after its last backup
            file.seek(self._offset)
            file.write(lines(self._offset == 0).encode())
            self._offset = file.tell()


class CSVLogger(LineLogger):
    """Writes every epoch's results as a row of a CSV file, each row at once; `append` goes on with a file."""

    def __init__(self, filename: Any, separator: str = ",", append: bool = False) -> None:
        super().__init__(filename, append)
        self.sep = separator
        self._keys: list[str] = []

    def on_train_begin(self, logs: Logs = None) -> None:
        super().on_train_begin(logs)
        self._keys = []

    def get_state(self) -> dict[str, Any]:
        return super().get_state() | {"_keys": self._keys}

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        import csv

        results = logs or {}
        if not self._keys:
            self._keys = sorted(results)
            if not any(each.startswith("val_") for each in self._keys):  # validation may begin in a later epoch
                self._keys += [f"val_{each}" for each in self._keys]

        def lines(is_new: bool) -> str:
            text = io.StringIO(newline="")
            writer = csv.writer(text, delimiter=self.sep)
            if is_new:
                writer.writerow(["epoch", *self._keys])
            writer.writerow([epoch, *(results.get(key, "NA") for key in self._keys)])
            return text.getvalue()

        self.write(lines)


class JSONLogger(LineLogger):
    """Writes every epoch's results as a JSON object on a line of its own, each line at once."""

    def __init__(self, filename: Any, append: bool = False) -> None:
        super().__init__(filename, append)

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        results = {key: each if isinstance(each, (int, float)) else each.tolist() for key, each in (logs or {}).items()}
        import json

        self.write(lambda is_new: json.dumps({"epoch": epoch, **results}) + "\n")


class TensorBoard(Callback):
    """Writes the results for TensorBoard, through tensorboardX: "epoch_loss" and the like in `log_dir`/train and
    `log_dir`/validation, the learning rate, and with `histogram_freq` the weights every so many epochs.

    `update_freq`: "epoch", or a number of batches after which "batch_loss" and the like are written too ("batch": 1).
    """

    def __init__(
        self, log_dir: Any = "logs", histogram_freq: int = 0, update_freq: Any = "epoch", **kwargs: Any
    ) -> None:
        ignored = ("write_graph", "write_images", "write_steps_per_second", "profile_batch")
        ignored += ("embeddings_freq", "embeddings_metadata")
        unknown = [each for each in kwargs if each not in ignored]  # Keras's, of what there is none here
        if unknown:
            raise InvalidArgumentError(f"Unknown arguments of TensorBoard: {', '.join(unknown)}.")
        self.log_dir = Path(log_dir)
        self.histogram_freq = histogram_freq
        self.update_freq = 1 if update_freq == "batch" else update_freq
        self.reads_batch_logs = self.update_freq != "epoch"
        self.step = 0
        self._writers: dict[str, Any] = {}

    def _writer(self, part: str) -> Any:
        if part not in self._writers:
            self._writers[part] = SummaryWriter(self.log_dir / part)
        return self._writers[part]

    def on_train_batch_end(self, batch: int, logs: Logs = None) -> None:
        if self.update_freq == "epoch":
            return
        self.step += 1
        if self.step % self.update_freq == 0:
            for key, value in (logs or {}).items():
                self._writer("train").write("scalar", f"batch_{key}", value, self.step)

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        results = dict(logs or {})
        results.setdefault("learning_rate", float(self.model.optimizer.learning_rate))
        for key, value in results.items():
            part, name = ("validation", key[4:]) if key.startswith("val_") else ("train", key)
            self._writer(part).write("scalar", f"epoch_{name}", value, epoch)
        if self.histogram_freq and epoch % self.histogram_freq == 0:
            for weight in self.model.weights:
                self._writer("train").write("histogram", weight.path, weight.numpy(), epoch, bins=BUCKETS)
        for writer in self._writers.values():
            writer.flush()

    def on_train_end(self, logs: Logs = None) -> None:
        for writer in self._writers.values():
            writer.close()
        self._writers = {}


SOON = 0.1  # seconds in which no bar is drawn: drawing twice would be a hundredth of a fast epoch


def _fit_line(bar: Any, length: int = 1) -> None:
    """Let a bar go on in the next line where one is too short, or where the terminal does not know its size."""
    width = getattr(bar, "ncols", None)  # a word in notebooks
    if isinstance(width, int) and width < length:
        bar.ncols = bar.nrows = None


class ProgressBar(Callback):
    """One tqdm bar an epoch with the results so far (`verbose=1`), or one line an epoch (`verbose=2`)."""

    reads_batch_logs = False

    def __init__(self, verbose: int = 1) -> None:
        self.verbose = verbose
        self._bar: Any = None

    def on_epoch_begin(self, epoch: int, logs: Logs = None) -> None:
        if self.verbose == 1:
            from tqdm.auto import tqdm

            said = f"Epoch {epoch + 1}/{self.params['epochs']}"
            self._bar = tqdm(total=self.params["steps"], desc=said, unit="step", mininterval=SOON, delay=SOON)
            _fit_line(self._bar)

    def advance(self, batches: int) -> None:
        """So many more batches are done."""
        if self._bar is not None:
            self._bar.update(batches)

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        said = {key: f"{value:.4g}" for key, value in (logs or {}).items()}
        if self._bar is not None:
            self._bar.set_postfix_str(", ".join([f"{k}={v}" for k, v in said.items()]), refresh=False)
            if not self._bar.disable:  # as the environment may ask for: such a bar has no times
                self._bar.last_print_t = self._bar.start_t + SOON  # the delay is over: `close` draws it
                _fit_line(self._bar, len(self._bar.format_meter(**{**self._bar.format_dict, "ncols": None})))
            self._bar.close()
            self._bar = None
        else:
            print(f"Epoch {epoch + 1}/{self.params['epochs']} - " + " - ".join(f"{k}: {v}" for k, v in said.items()))
