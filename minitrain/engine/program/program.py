"""A program: the source of a recording, bound to its buffers and to the variables' memory, and run.

Variables that are packed are read and written in the pack's own buffer; where that has moved, because somebody holds on
to old values, the program is bound anew.
"""

from __future__ import annotations

from sys import getrefcount
from typing import Any

import numpy as np

from minitrain.engine.packing import Pack
from minitrain.engine.program.emit import Emitter
from minitrain.engine.program.passes import drop_identities, drop_unneeded, fold_constants, share_repeated
from minitrain.engine.program.record import Effect, Recording

__all__ = ["Program", "optimized"]


def optimized(recording: Recording) -> Recording:
    """The recording after all passes."""
    fold_constants(recording)
    drop_identities(recording)
    share_repeated(recording)
    drop_unneeded(recording)
    return recording


class Program:
    """Runs a recording. `run(arrays)` gives the outputs' arrays, which are the caller's own.

    `static_inputs`: inputs are copied, or gathered, into buffers of the program's: `inputs`. `fields`: how many arrays
    `epoch` gathers batches from, in the order of the inputs.
    """

    def __init__(self, recording: Recording, *, static_inputs: bool = False) -> None:
        self.recording = recording
        self.static_inputs = static_inputs
        self.effects: list[Effect] = [each.target for each in recording.statements if each.kind == "effect"]
        variables = {id(each.target): each.target for each in recording.statements if each.kind in ("read", "write")}
        self.packed = [each for each in variables.values() if each._pack is not None]
        self._bound: list[tuple[Pack, Any, int]] = []  # the packs, their buffers, and how often this program holds them
        self._bind()

    def _bind(self) -> None:
        """Make the source, and the functions that run it, for where the variables are now."""
        self._let_go()
        packs = list({id(each._pack): each._pack for each in self.packed}.values())
        before = [getrefcount(each.buffer) for each in packs]
        views = {id(each): each._pack.view_of(each) for each in self.packed}
        wanted: dict[int, Any] = {}
        for statement in self.recording.statements:
            if statement.kind == "effect":
                places = statement.target.bind()
                for number, place in zip(statement.inputs, places or (), strict=False):
                    if place is not None and number not in wanted:
                        wanted[number] = place
        emitter = Emitter(self.recording, static_inputs=self.static_inputs, views=views, wanted=wanted)
        self.lines, self.comments = emitter.lines, emitter.comments
        self.bytes = emitter.bytes
        inputs = [emitter.slots[number] for number in self.recording.inputs]
        self.inputs = [each.array for each in inputs]
        self.outputs = [emitter.slots[number] for number in self.recording.outputs]
        given = "" if self.static_inputs else ", ".join(map(str, inputs))
        returned = ", ".join(f"array({each})" for each in self.outputs)
        body = "\n".join(f"    {line}" for line in self.lines)
        source = f"def run({given}):\n{body}\n    return [{returned}]\n"
        if self.static_inputs:
            takes = "".join(f"        take{place}(at, 0, {slot}, 'clip')\n" for place, slot in enumerate(inputs))
            given = ", ".join(f"take{place}" for place in range(len(inputs)))
            inner = "\n".join(f"        {line}" for line in self.lines)
            source += f"def epoch(rows, {given}):\n    for at in rows:\n{takes}{inner}\n"
        namespace = emitter.namespace
        namespace |= {"array": np.array, "__name__": __name__}
        exec(compile(source, "<minitrain program>", "exec"), namespace)
        self._run, self._epoch = namespace.pop("run"), namespace.pop("epoch", None)
        del views, wanted, emitter, namespace
        held = [getrefcount(each.buffer) - count for each, count in zip(packs, before, strict=True)]
        for pack, count in zip(packs, held, strict=True):
            pack.guests += count
            self._bound.append((pack, pack.buffer, count))
        for place, (pack, _, count) in enumerate(self._bound):  # the tuple itself is one more
            pack.guests += 1
            self._bound[place] = (pack, pack.buffer, count + 1)

    def _let_go(self) -> None:
        self._run = self._epoch = None
        self.lines, self.inputs, self.outputs = [], [], []
        for pack, buffer, count in self._bound:
            if pack.buffer is buffer:
                pack.guests -= count
        self._bound = []

    def begin(self) -> None:
        """Before a run: effects get ready, and the program follows variables whose memory has moved."""
        for effect in self.effects:
            effect.begin()
        for pack, buffer, _ in self._bound:
            if pack.buffer is not buffer:
                self._bind()
                for effect in self.effects:
                    effect.begin()
                break

    def end(self) -> None:
        """After a run."""
        for effect in self.effects:
            effect.end()

    def run(self, *arrays: Any) -> list[Any]:
        """The outputs for these inputs."""
        self.begin()
        try:
            if not self.static_inputs:
                return self._run(*arrays)
            for mine, array in zip(self.inputs, arrays, strict=True):
                np.copyto(mine, array)
            return self._run()
        finally:
            self.end()

    def epoch(self, rows: Any, tables: list[Any]) -> None:
        """Run for each row of places in `rows`, (batches, batch size), with the rows of the tables there as inputs."""
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
