"""A program: the source of a recording, bound to its buffers and to the variables' memory, and run.

One whose recording has a pause runs in two halves: `start` gives what it has until then, and the rest is done when
further values are sent.

Variables that are packed are read and written in the pack's own buffer; where that has moved, because somebody holds on
to old values, the program is bound anew.
"""

from __future__ import annotations

import threading
from collections import Counter
from contextlib import nullcontext
from copy import copy
from sys import getrefcount
from typing import Any

import numpy as np

from minitrain.engine.packing import Pack, packs_of
from minitrain.engine.program.emit import Emitter
from minitrain.engine.program.passes import (
    drop_identities,
    drop_unneeded,
    fold_constants,
    move_penalties,
    share_repeated,
    take_apart,
)
from minitrain.engine.program.record import Effect, Recording
from minitrain.errors import TapeError

__all__ = ["Program", "optimized"]

GATHERED = 1 << 16  # bytes of batches that are gathered at once
MOST_BATCHES = 16
PATIENCE = 100  # times that a program follows memory that another thread makes move
LARGEST_JOINT = 131_072  # elements: whoever keeps one part keeps all, and long ones are not updated at once
LOCK = threading.RLock()  # of programs that write to several packs


def optimized(recording: Recording) -> Recording:
    """The recording after all passes."""
    fold_constants(recording)
    drop_identities(recording)
    take_apart(recording)
    share_repeated(recording)
    move_penalties(recording)
    drop_unneeded(recording)
    return recording


class Program:
    """Runs a recording. `run(arrays)` gives the outputs' arrays, which are the caller's own.

    `static_inputs`: inputs are copied, or gathered by `epoch`, into buffers of the program's, `inputs`.
    """

    def __init__(self, recording: Recording, *, static_inputs: bool = False) -> None:
        # Effects are copied: each program has buffers of its own for them.
        self.recording = recording = copy(recording)
        recording.statements = list(recording.statements)
        for place, each in enumerate(recording.statements):
            if each.kind == "effect":
                recording.statements[place] = mine = copy(each)
                mine.target = copy(each.target)
        self.static_inputs = static_inputs
        self.effects: list[Effect] = [each.target for each in recording.statements if each.kind == "effect"]
        touched = {id(each.target): each.target for each in recording.statements if each.kind in ("read", "write")}
        self.touched = list(touched.values())
        self.assigned = [each.target for each in recording.statements if each.kind == "write"]
        self.written = self.assigned + [variable for effect in self.effects for variable in effect.writes]
        self.packed = [each for each in [*self.touched, *self.written] if each._pack is not None]
        self._run: Any = None
        self._epoch: Any = None
        self._batches: Any = None
        self._bound: list[tuple[Pack, Any, int]] = []  # the packs, their buffers, and how often this program holds them
        self.bindings = 0  # how often the source was made
        self.shapes: list[tuple[int, ...]] = []  # of the outputs
        self.is_joint = False  # whether the outputs behind a pause are parts of one array, which is given before them
        with self._lock():
            for pack in packs_of(self.written):
                pack.writable()  # before the first run, rather than in it, which would bind again
            self._bind()

    def _lock(self) -> Any:
        """What a run holds: programs that write to one pack take turns."""
        if not self.written:
            return nullcontext()
        packs = packs_of(self.written)
        return packs[0].lock if len(packs) == 1 else LOCK

    def _bind(self) -> None:
        """Make the source, and the functions that run it, for where the variables are now."""
        self._let_go()
        self.bindings += 1
        packs, self._assigned = packs_of(self.packed), packs_of(self.assigned)
        self.lock = self._lock()
        before = [getrefcount(each.buffer) for each in packs]
        views = {id(each): each._pack.view_of(each) for each in self.packed if each._pack is not None}
        wanted: dict[int, Any] = {}
        places = self._bind_effects()
        for statement in self.recording.statements:
            if statement.kind == "effect":
                for number, place in zip(statement.inputs, places[id(statement.target)] or (), strict=False):
                    if place is not None and number not in wanted:
                        wanted[number] = place
        for effect in self.effects:
            if places[id(effect)] is None:  # it may move the buffers while the program runs
                for each in effect.writes:
                    views.pop(id(each), None)
        joint, parts = self._joint_outputs()
        self.is_joint = bool(joint)
        wanted |= joint
        batches = self._batches_at_once() if self.static_inputs else 0
        emitter = Emitter(self.recording, views=views, wanted=wanted, places=places, batches=batches)
        self.lines, self.comments = emitter.lines, emitter.comments
        self.bytes = emitter.bytes + sum(each.nbytes for each in joint.values())
        inputs = [emitter.slots[number] for number in self.recording.inputs]
        self.inputs = [each.array for each in inputs]
        self.outputs = [emitter.slots[number] for number in self.recording.outputs]
        given = "" if self.static_inputs else ", ".join(map(str, inputs))
        returned = ", ".join(f"array({each})" for each in self.outputs)
        if emitter.pause is None:
            lines = [*self.lines, f"return [{returned}]"]
        else:  # what comes behind the pause is done for as many values as are sent
            if joint:
                emitter.namespace["joint"] = next(iter(joint.values())).base
                self.lines.append("flat = joint.copy()")
                self.comments.append("outputs in one array")
                returned = ", ".join(["flat", *parts])
            again = [*self.lines[emitter.pause :], f"given = yield [{returned}]"]
            lines = [*self.lines[: emitter.pause], "while True:", *(f"    {line}" for line in again)]
        body = "\n".join(f"    {line}" for line in lines)
        self._sources = {"run": f"def run({given}):\n{body}\n"}
        self._namespace: dict[str, Any] = emitter.namespace | {"array": np.array, "__name__": __name__}
        if self.static_inputs:
            names, self._batches = emitter.places_of_batches()
            takes = [f"take{place}" for place in range(len(inputs))]
            gathers = "\n".join(f"        {take}(part, 0, {take}_out[: len(part)], 'clip')" for take in takes)
            inner = "\n".join(f"            {line}" for line in self.lines)
            self._sources["epoch"] = (
                f"def epoch(rows, {', '.join(takes)}):\n"
                f"    for start in range(0, len(rows), {batches}):\n"
                f"        part = rows[start : start + {batches}]\n{gathers}\n"
                f"        for ({''.join(f'{name}, ' for name in names)}) in batches[: len(part)]:\n{inner}\n"
            )
            self._namespace |= {f"{take}_out": table for take, table in zip(takes, emitter.tables, strict=True)}
        del views, wanted, emitter
        held = [getrefcount(each.buffer) - count for each, count in zip(packs, before, strict=True)]
        for pack, count in zip(packs, held, strict=True):
            pack.guests += count
            self._bound.append((pack, pack.buffer, count))
        for place, (pack, _, count) in enumerate(self._bound):  # the tuple itself is one more
            pack.guests += 1
            self._bound[place] = (pack, pack.buffer, count + 1)

    def _joint_outputs(self) -> tuple[dict[int, Any], list[str]]:
        """By the number of an output behind a pause, its part of one array, `flat`; and the source of the parts.

        Empty where the outputs cannot be parts.
        """
        recording = self.recording
        outputs = recording.outputs
        if all(each.kind != "pause" for each in recording.statements):
            return {}, []
        made = {number for each in recording.statements if each.kind == "op" for number in each.outputs}
        dtypes = {recording.dtypes[number] for number in outputs}
        self.shapes = [recording.shapes[number] for number in outputs]
        ends = np.cumsum([int(np.prod(each, dtype=np.int64)) for each in self.shapes]).tolist()
        can_be = len(dtypes) == 1 and made.issuperset(outputs) and len(set(outputs)) == len(outputs)
        if not can_be or ends[-1] > LARGEST_JOINT:
            return {}, []
        flat = np.empty(ends[-1], dtypes.pop())
        joint, parts = {}, []
        for number, start, end, shape in zip(outputs, [0, *ends], ends, self.shapes, strict=False):
            joint[number] = flat[start:end].reshape(shape)
            parts.append(f"flat[{start}:{end}]" + (f".reshape({shape})" if len(shape) != 1 else ""))
        return joint, parts

    def _batches_at_once(self) -> int:
        """How many batches are gathered at once: as many as stay in the cache, since each call costs what a few do."""
        sizes = [(self.recording.shapes[each], self.recording.dtypes[each]) for each in self.recording.inputs]
        size = sum(int(np.prod(shape, dtype=np.int64)) * dtype.itemsize for shape, dtype in sizes)
        return max(1, min(MOST_BATCHES, GATHERED // max(1, size)))

    def _bind_effects(self) -> dict[int, list[Any] | None]:
        """Bind the effects that nothing else in the program meets in what they write: the arrays that each wants."""
        counts = Counter(id(variable) for effect in self.effects for variable in effect.writes)
        touched = {id(each) for each in self.touched}
        assigned = {id(each) for each in self.assigned}
        places: dict[int, list[Any] | None] = {}
        for effect in self.effects:
            is_alone = all(counts[id(each)] == 1 for each in effect.writes)
            is_seen = any(id(each) in touched for each in effect.late)
            is_moved = any(id(each) in assigned for each in effect.early)
            places[id(effect)] = effect.bind() if is_alone and not is_seen and not is_moved else None
        return places

    @property
    def is_bound(self) -> bool:
        """Whether it can run: it was not let go."""
        return bool(self._namespace)

    def _compiled(self, name: str) -> Any:
        """One of the two functions: compiling takes longer than many runs do, and most programs need only one."""
        if name == "epoch":
            self._namespace["batches"] = self._batches()
        exec(compile(self._sources[name], "<minitrain program>", "exec"), self._namespace)
        return self._namespace.pop(name)  # the function holds the namespace: together they would be a cycle

    def _let_go(self) -> None:
        self._run = self._epoch = None
        self._namespace = {}
        self._batches = None
        for effect in self.effects:
            effect.unbind()
        self.lines, self.inputs, self.outputs = [], [], []
        for pack, buffer, count in self._bound:
            if pack.buffer is buffer:
                pack.guests -= count
        self._bound = []

    def begin(self) -> None:
        """Before a run: effects get ready, and the program follows variables whose memory has moved."""
        for _ in range(PATIENCE):
            for pack in self._assigned:  # effects see to what they write
                pack.writable()
            for effect in self.effects:
                effect.begin()
            if self._is_current():
                return
            self._bind()
        raise TapeError("The memory of variables kept moving: another thread holds on to their values all the time.")

    def _is_current(self) -> bool:
        """Whether memory and effects are still what the source was made for. Plain loops: it is asked at every run."""
        for pack, buffer, _ in self._bound:
            if pack.buffer is not buffer:
                return False
        for effect in self.effects:  # noqa: SIM110
            if effect.is_stale():
                return False
        return True

    def end(self) -> None:
        """After a run."""
        for effect in self.effects:
            effect.end()

    def run(self, *arrays: Any) -> list[Any]:
        """The outputs for these inputs."""
        with self.lock:
            self.begin()
            try:
                if self._run is None:
                    self._run = self._compiled("run")
                if not self.static_inputs:
                    return self._run(*arrays)
                for mine, array in zip(self.inputs, arrays, strict=True):
                    np.copyto(mine, array)
                return self._run()
            finally:
                self.end()

    def start(self, *arrays: Any) -> tuple[Any, list[Any]]:
        """Run up to the pause: the generator that waits there, and what it gives. Values that are sent to it give the
        outputs, as often as one likes; until it is dropped, nobody else may run this program.
        """
        with self.lock:
            self.begin()
            if self._run is None:
                self._run = self._compiled("run")
            running = self._run(*arrays)
            return running, next(running)

    def epoch(self, rows: Any, tables: list[Any]) -> None:
        """Run for each row of places in `rows`, (batches, batch size), with the rows of the tables there as inputs.

        Between `begin` and `end`, with `lock` held.
        """
        if self._epoch is None:
            self._epoch = self._compiled("epoch")
        self._epoch(rows, *(each.take for each in tables))

    def source(self) -> str:
        """The statements as they run, each with its shapes and the line of the user's code that it came from."""
        width = min(max((len(each) for each in self.lines), default=0), 60)
        return "\n".join(
            f"{line:{width}s}  # {comment}" if comment else line
            for line, comment in zip(self.lines, self.comments, strict=True)
        )

    def __del__(self) -> None:
        self._let_go()
