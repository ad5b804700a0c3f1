"""Steps: how a model runs its own steps as programs, recorded at the first two batches of a shape and replayed after.

A step that cannot be replayed is run as Python from then on, after one warning; one of the user's own, in silence.
Training on a table gathers its batches inside the program, many in one go.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from minitrain import nest
from minitrain.engine.program.record import CannotReplay, Effect
from minitrain.engine.program.stack import Stack
from minitrain.engine.program.trace import Kept, Trace
from minitrain.engine.tensor import Tensor
from minitrain.engine.trail import STATE
from minitrain.metrics.base import Metric
from minitrain.models.live import LiveCalls

PATIENCE = 1  # steps of a shape by Python first: one that does not come again is not worth a recording
TRIES = 8  # recordings of a step of one's own that never does the same, such as one that counts its calls
GO = 0.05  # seconds between two signs of progress


class LossTracker(Metric):
    """The mean of the loss over the samples since the last reset; the means of its parts, where there are several
    outputs, are over the batches, as in Keras.
    """

    def __init__(self) -> None:
        super().__init__(None, "loss")
        self.total = self.count = 0.0  # plain numbers: they change in every step
        self.parts: list[float] = []  # their sums
        self.batches = 0

    def add(self, loss: float, rows: float, parts: list[float] | None = None) -> None:
        """The mean loss of so many samples."""
        self.total += loss * rows
        self.count += rows
        if parts:
            self.parts = [a + b for a, b in zip(self.parts or [0.0] * len(parts), parts, strict=True)]
            self.batches += 1

    def update_state(self, values: Any, sample_weight: Any = None) -> None:
        """Add a loss, with its weight."""
        weight = 1.0 if sample_weight is None else float(sample_weight)
        self.add(float(np.mean(np.asarray(values))), weight)

    def reset_state(self) -> None:
        self.total = self.count = 0.0
        self.parts, self.batches = [], 0

    def result(self) -> Any:
        return Tensor(np.asarray(self.total / self.count if self.count else 0.0, np.float32))


class NewLoss(Effect):
    """The loss of a batch of `rows` samples, in a program; `has_parts`: and those of several outputs."""

    def __init__(self, tracker: LossTracker, rows: int, has_parts: bool) -> None:
        self.tracker = tracker
        self.rows = rows
        self.has_parts = has_parts

    def __call__(self, arrays: list[Any]) -> None:
        loss, *parts = [float(np.mean(each)) for each in arrays]
        self.tracker.add(loss, self.rows, parts)

    def emit(self, emitter: Any, slots: list[Any]) -> bool:
        if len(slots) > 1 or slots[0].shape:
            return False
        tracker = emitter.name(self.tracker, "tracker")
        emitter.line(f"{tracker}.total += {emitter.method(slots[0], 'item')}() * {self.rows}")
        emitter.line(f"{tracker}.count += {self.rows}")
        return True

    def stacked(self, effects: Sequence[Any], stack: Stack) -> Effect:
        if self.has_parts:
            return super().stacked(effects, stack)
        return NewLosses([each.tracker for each in effects], self.rows)


class NewLosses(Effect):
    """The losses of several models' batches of `rows` samples, in a program: added up until it ends. (models,)"""

    def __init__(self, trackers: Sequence[LossTracker], rows: int) -> None:
        self.trackers = list(trackers)
        self.rows = rows

    def bind(self) -> list[Any]:
        self.sums = np.zeros(len(self.trackers))
        return []

    def begin(self) -> None:
        self.sums[...] = 0.0
        self.count = 0

    def __call__(self, arrays: list[Any]) -> None:
        self.sums += arrays[0].reshape(len(self.trackers), -1).mean(-1)
        self.count += 1

    def emit(self, emitter: Any, slots: list[Any]) -> bool:
        if len(slots[0].shape) > 1:
            return False
        sums, effect = emitter.name(self.sums, "sums"), emitter.name(self, "losses")
        emitter.line(f"{emitter.name(np.add)}({sums}, {slots[0]}, {sums})")
        emitter.line(f"{effect}.count += 1")
        return True

    def end(self) -> None:
        if self.count:
            for tracker, total in zip(self.trackers, self.sums.tolist(), strict=True):
                tracker.add(total / self.count, self.rows * self.count)


class Steps:
    """The programs of a model's steps, by what the step is and by the shapes of its batch."""

    def __init__(self) -> None:
        self.traces = Kept()
        self.has_failed = False
        self.own_tries = 0  # recordings of steps of one's own since the last that led to a program
        self.is_rowwise: bool | None = None  # whether rows of a batch cannot influence each other, once that is known
        self.live = LiveCalls()  # those of loops of one's own

    def forget(self) -> None:
        """Drop all programs, as after a new `compile`."""
        self.traces.clear()
        self.has_failed = False
        self.own_tries = 0
        self.is_rowwise = None
        self.live = LiveCalls()

    def __copy__(self) -> Steps:
        return Steps()

    def __deepcopy__(self, memo: dict[int, Any]) -> Steps:
        return Steps()

    def __reduce__(self) -> tuple[Any, ...]:
        return Steps, ()

    def _trace(self, key: Any, static_inputs: bool) -> Trace:
        trace: Trace = self.traces.current(key) or self.traces.keep(key, Trace(static_inputs=static_inputs))
        return trace

    def trace_of(self, kind: str, batch: Any) -> Trace:
        """The recording of a step on batches like this one: ready after two of them."""
        arrays = [each for each in nest.flatten(batch) if each is not None]
        structure = nest.map_structure(lambda each: each is None, batch)
        key = kind, repr(structure), tuple([(each.shape, each.dtype.char) for each in arrays])
        return self._trace(key, kind == "train")

    def _fail(self, error: CannotReplay) -> None:
        self.has_failed = True
        if not error.is_library:  # the user can do something about it
            warnings.warn(f"The model runs without a program, more slowly. {error}", stacklevel=5)

    def run(self, model: Any, kind: str, step: Callable[[Any], None], batch: Any, patience: int = PATIENCE) -> None:
        """`step(batch)`, replayed where that can be; recorded when so many batches of its shape have come before."""
        leaves = nest.flatten(batch)
        if not model._can_replay() or any(each is not None and each.dtype.kind not in "fiub" for each in leaves):
            step(batch)
            return
        arrays = [each for each in leaves if each is not None]
        trace = self.trace_of(kind, batch)
        if trace.passed < patience:
            trace.passed += 1
            step(batch)
            return
        if trace.is_ready:
            program = trace.take()
            program.run(*arrays)
            trace.give(program)
            return

        def call(*tensors: Tensor) -> list[Tensor]:
            given = iter(tensors)
            step(nest.map_structure(lambda each: None if each is None else next(given), batch))
            return []

        self._record(trace, call, arrays, lambda: step(batch))

    def run_own(self, model: Any, kind: str, step: Callable[[Any], Any], batch: Any) -> Callable[[], Any]:
        """A step of the user's own, which gives a dict of results, replayed where that can be.

        Gives a function that gives the results: those of metrics are computed when they are asked for.
        """
        leaves = nest.flatten(batch)
        unfit = any(each.dtype.kind not in "fiub" for each in leaves)
        if unfit or self.own_tries > TRIES or not model._can_replay():
            found = step(batch)
            return lambda: found
        trace = self.trace_of(f"own {kind}", batch)
        if trace.is_ready:
            program = trace.take()
            arrays = program.run(*leaves)
            trace.give(program)
            return lambda: _results(model, trace.structure, arrays)
        given: Any = None
        is_done = False

        def call(*tensors: Tensor) -> list[Tensor]:
            nonlocal given, is_done
            given = step(nest.pack_sequence_as(batch, list(tensors)))
            is_done = True
            trace.structure, outputs = _plan(model, given, {id(each) for each in tensors})
            return outputs

        self.own_tries += 1
        version = model._version
        try:
            trace.record(call, [Tensor(each.copy()) for each in leaves], is_lenient=True)
        except CannotReplay:
            self.own_tries = TRIES + 1  # such steps take values out as they like: no warning
            given = given if is_done else step(batch)
        if trace.is_ready:  # a step that sets attributes, to count its calls say, is one for Python
            self.own_tries = 0 if model._version == version else TRIES + 1
        return lambda: given

    def _record(self, trace: Trace, call: Any, arrays: list[Any], eager: Callable[[], Any]) -> Any:
        """Record a call; where it cannot be replayed, do it without recording, if it has changed nothing yet."""
        try:
            return trace.record(call, [Tensor(each.copy()) for each in arrays], is_lenient=True)
        except CannotReplay as error:
            self._fail(error)
            return None if trace.is_done else eager()

    def train_all(self, model: Any, batches: Any, advance: Callable[[int], None], done: int) -> int:
        """Train on as many batches of a table as one program can gather, and give how many are done."""
        table = batches.table
        size = table.batch_size
        if any(type(part) is not np.ndarray for part in table.parts):
            return done
        key = "epoch", table.shapes(size)
        while batches.start + size <= table.rows and model._can_replay():
            trace = self._trace(key, True)
            if trace.is_ready:
                return done + self._gather(trace, batches, advance)
            arrays = [part for part in nest.flatten(next(batches)) if part is not None]

            def call(*tensors: Tensor) -> list[Tensor]:
                model._train_on(table.shaped(list(tensors)))
                return []

            self._record(trace, call, arrays, lambda arrays=arrays: model._train_on(table.shaped(arrays)))
            advance(1)
            done += 1
        return done

    def _gather(self, trace: Trace, batches: Any, advance: Callable[[int], None]) -> int:
        """Train on all full batches that are left, and give their number."""
        table = batches.table
        size = table.batch_size
        count = (table.rows - batches.start) // size
        rows = batches.order()[batches.start : batches.start + count * size].reshape(count, size)
        program = trace.take()
        with program.lock:
            program.begin()
            try:
                at, step = 0, 16
                while at < count:
                    began = time.perf_counter()
                    part = rows[at : at + step]
                    program.epoch(part, table.parts)
                    advance(len(part))
                    at += len(part)
                    took = time.perf_counter() - began
                    step = max(1, min(4 * step, int(step * GO / max(took, 1e-6))))
            finally:
                program.end()
                trace.give(program)
        batches.start += count * size
        return count

    def predict(self, model: Any, x: Any) -> Any:
        """The outputs for a batch, as ndarrays in their structure."""
        leaves = [x] if type(x) is np.ndarray else [each for each in nest.flatten(x) if each is not None]
        if any(each.dtype.kind not in "fiub" for each in leaves):
            return model.predict_step(x)
        key = "predict", tuple([(each.shape, each.dtype.char) for each in leaves])
        if type(x) is not np.ndarray:
            key = (*key, repr(nest.map_structure(lambda each: each is None, x)))
        trace = self._trace(key, False)
        if trace.is_ready:
            program = trace.take()
            found = program.run(*leaves)
            trace.give(program)
            return _packed(trace, found)

        def call(*tensors: Tensor) -> list[Tensor]:
            given = iter(tensors)
            out = model(nest.map_structure(lambda each: None if each is None else next(given), x), training=False)
            trace.structure = None if type(out) is Tensor else nest.map_structure(lambda each: 0, out)
            return [each._read() for each in nest.flatten(out)]

        try:
            found = [each._array for each in trace.record(call, [Tensor(each.copy()) for each in leaves])]
        except CannotReplay as error:
            self._fail(error)
            return model.predict_step(x)
        return _packed(trace, [each.copy() for each in found])


def _plan(model: Any, given: Any, inputs: set[int]) -> tuple[Any, list[Tensor]]:
    """How results come about in a replay, and the Tensors among them that the program gives.

    A name maps to the place of a Tensor, or to None for what is read from the metric of that name. Raises CannotReplay
    for what is neither.
    """
    trail = STATE.trail
    moving = trail.recorder.records.moving if trail is not None and trail.recorder is not None else inputs
    known = model.get_metrics_result()
    plan: dict[str, int | None] = {}
    outputs: list[Tensor] = []
    for name, each in given.items() if isinstance(given, dict) else ():
        if isinstance(each, Tensor) and id(each) in moving:
            plan[name] = len(outputs)
            outputs.append(each)
        elif name in known and not isinstance(each, dict):
            plan[name] = None
        else:
            raise CannotReplay(f"The result {name!r} of the step is no Tensor that it computes, and no metric's.")
    return plan, outputs


def _results(model: Any, plan: dict[str, int | None], arrays: list[Any]) -> dict[str, Any]:
    """The results of a replay, as the step would have given them."""
    known = model.get_metrics_result() if None in plan.values() else {}
    return {name: known[name] if place is None else Tensor(arrays[place]) for name, place in plan.items()}


def _packed(trace: Trace, found: list[Any]) -> Any:
    """Outputs in the structure in which the model gave them."""
    return found[0] if trace.structure is None else nest.pack_sequence_as(trace.structure, found)
