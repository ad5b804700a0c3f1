"""`tf.summary`: what a loop of one's own writes down for TensorBoard, through tensorboardX.

A writer is a folder of event files; what is written goes to the thread's default one, and nowhere without one. Inside a
`function` each call writes, to the writer that was the default when it was recorded.
"""

from __future__ import annotations

import importlib
import itertools
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from minitrain.engine.convert import as_tensor
from minitrain.engine.program.record import Call, happen
from minitrain.engine.tensor import TensorLike
from minitrain.errors import InvalidArgumentError, needing

__all__ = [
    "SummaryWriter",
    "create_file_writer",
    "create_noop_writer",
    "flush",
    "get_step",
    "histogram",
    "record_if",
    "scalar",
    "set_step",
    "should_record_summaries",
    "text",
]

BUCKETS = 30  # of a histogram, as in TensorFlow
COUNT = itertools.count()  # of the files that this process has made


class _Current(threading.local):
    """A thread's default writer, the step that holds where none is given, and whether anything is written."""

    writer: SummaryWriter | None = None
    step: Any = None
    records: Any = True


CURRENT = _Current()


class SummaryWriter:
    """Writes event files into a folder, which is made when the first is written; None for one that writes nothing.

    What is written is in the file after `flush`, which tensorboardX's own writers, with queues, do not promise.
    """

    def __init__(self, logdir: Any, filename_suffix: str | None = None) -> None:
        self._logdir = None if logdir is None else str(logdir)
        self._suffix = filename_suffix or ""
        self._events: Any = None
        if logdir is not None:
            with needing("tensorboard"):
                importlib.import_module("tensorboardX")

    def write(self, kind: str, name: str, value: Any, step: int, **options: Any) -> None:
        """Write a "scalar", a "histogram" (of so many `bins`) or a "text" under a name."""
        if self._logdir is None:
            return
        from tensorboardX import summary
        from tensorboardX.event_file_writer import EventsWriter
        from tensorboardX.proto.event_pb2 import Event

        if self._events is None:
            os.makedirs(self._logdir, exist_ok=True)
            unique = f".{os.getpid()}.{next(COUNT)}{self._suffix}"  # the rest of a file's name is the second
            self._events = EventsWriter(os.path.join(self._logdir, "events"), unique)
        made = getattr(summary, kind)(name, value, **options)
        self._events.write_event(Event(wall_time=time.time(), step=step, summary=made))

    @contextmanager
    def as_default(self, step: Any = None) -> Iterator[SummaryWriter]:
        """Within this `with` block it is the default writer; at its end what was written is in the file."""
        outer, outer_step = CURRENT.writer, CURRENT.step
        CURRENT.writer, CURRENT.step = self, CURRENT.step if step is None else step
        try:
            yield self
        finally:
            CURRENT.writer, CURRENT.step = outer, outer_step
            self.flush()

    def set_as_default(self, step: Any = None) -> None:
        """Make it the default writer from now on."""
        CURRENT.writer, CURRENT.step = self, CURRENT.step if step is None else step

    def flush(self) -> None:
        """Put what was written into the file."""
        if self._events is not None:
            self._events.flush()

    def close(self) -> None:
        """Flush, and close the file; what is written afterwards goes into a new one."""
        if self._events is not None:
            self._events.close()
            self._events = None

    def __del__(self) -> None:
        if "_events" in vars(self):
            self.close()


def create_file_writer(
    logdir: Any,
    max_queue: int | None = None,
    flush_millis: int | None = None,
    filename_suffix: str | None = None,
    name: str | None = None,
) -> SummaryWriter:
    """A writer of event files in a folder."""
    return SummaryWriter(logdir, filename_suffix)


def create_noop_writer() -> SummaryWriter:
    """A writer that writes nothing."""
    return SummaryWriter(None)


def scalar(name: str, data: Any, step: Any = None, description: str | None = None) -> bool:
    """Write a number. Returns whether there was a writer; raises InvalidArgumentError without a step, or for more."""
    value = as_tensor(data)
    if value.shape != ():
        raise InvalidArgumentError(f"`data` of scalar {name!r} must be one number, received shape {value.shape}.")
    return _written("scalar", name, value, step, float)


def histogram(name: str, data: Any, step: Any = None, buckets: int | None = None, description: Any = None) -> bool:
    """Write how numbers are distributed. Returns and raises as `scalar` does."""
    return _written("histogram", name, as_tensor(data), step, np.array, bins=buckets or BUCKETS)


def text(name: str, data: Any, step: Any = None, description: str | None = None) -> bool:
    """Write a text. Returns and raises as `scalar` does."""
    return _written("text", name, None, step, lambda _: str(data))


def _written(kind: str, name: str, value: Any, step: Any, prepared: Callable[[Any], Any], **options: Any) -> bool:
    writer, step = CURRENT.writer, CURRENT.step if step is None else step
    if writer is None or not should_record_summaries():
        return False
    if step is None:
        raise InvalidArgumentError(f"No step for {name!r}: give `step`, or one to `as_default` or `set_step`.")

    def write(number: Any, *values: Any) -> None:
        writer.write(kind, name, prepared(*values or (None,)), int(number), **options)

    happen(Call(write), [as_tensor(step), *([] if value is None else [value])])
    return True


def set_step(step: Any) -> None:
    """Set the step that holds where none is given: a number, or a Variable that counts."""
    CURRENT.step = step


def get_step() -> Any:
    """The step that holds where none is given."""
    return CURRENT.step


@contextmanager
def record_if(condition: Any) -> Iterator[None]:
    """Within this `with` block things are written only if `condition`, a bool or a function that gives one, holds."""
    outer, CURRENT.records = CURRENT.records, condition
    try:
        yield
    finally:
        CURRENT.records = outer


def should_record_summaries() -> bool:
    """Whether there is a default writer, and what is written is kept."""
    holds = CURRENT.records() if callable(CURRENT.records) else CURRENT.records
    return CURRENT.writer is not None and bool(holds.numpy() if isinstance(holds, TensorLike) else holds)


def flush(writer: SummaryWriter | None = None) -> None:
    """Put what a writer, or the default one, has written into its file."""
    found = writer or CURRENT.writer
    if found is not None:
        found.flush()
