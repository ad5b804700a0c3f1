"""Traces: from the recordings of a function's calls to the programs that replay them, for one signature.

The first two calls are recorded, and there is a program only if they did the same; it holds while nothing changes that
the recordings saw but the signature does not show, such as the attributes of layers.
"""

from __future__ import annotations

import weakref
from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Any

from minitrain.engine.program.program import Program, optimized
from minitrain.engine.program.record import CannotReplay, Changes, Recorder, Recording
from minitrain.engine.tensor import Tensor

__all__ = ["Kept", "Trace"]

SIGNATURES = 16  # kept for a function or a model; the one that was not called for the longest time goes


class Kept(OrderedDict[Any, Any]):
    """Traces, or what stands on them, by their signatures, while they are current."""

    def current(self, signature: Any) -> Any:
        """What is kept under a signature; None where there is nothing, or it is current no more."""
        found = self.get(signature)
        if found is None or not found.is_current():
            return None
        if len(self) > 1:
            self.move_to_end(signature)
        return found

    def keep(self, signature: Any, made: Any) -> Any:
        """Keep something new under a signature, and give it."""
        self[signature] = made
        self.move_to_end(signature)
        if len(self) > SIGNATURES:
            self.popitem(last=False)
        return made


class Trace:
    """One signature of a function: its recordings, then its programs."""

    def __init__(self, *, static_inputs: bool = False, behind: Sequence[Any] = ()) -> None:
        self.static_inputs = static_inputs
        self.behind = behind  # what the signature has the ids of, so that these stay theirs
        self.recording: Recording | None = None
        self.tries = 0
        self.passed = 0  # calls that whoever keeps this has let pass unrecorded
        self.programs: list[Program] = []  # those that no thread is running now
        self.layers: list[tuple[Any, int]] = []
        self.containers: list[tuple[Any, str, Any]] = []  # lists and dicts of layers, which may change unseen
        self.changes = Changes.count
        self.attributes = -1  # of layers, how many had been set when none of these had changed
        self.is_ready = False
        self.is_done = False  # whether the call that is or was recorded last has come to its end
        self.error: CannotReplay | None = None  # why there is no program, and will be none
        self.structure: Any = None  # of the outputs, for whoever calls `record`

    def is_current(self) -> bool:
        """Whether nothing has changed that the recording saw but the signature does not show."""
        if self.changes != Changes.count:
            return False
        if self.attributes == Changes.attributes:
            return True
        attributes = Changes.attributes
        for reference, version in self.layers:
            layer = reference()
            if layer is None or layer._version != version:
                return False
        if self.containers:
            return all(_members(reference(), name) == members for reference, name, members in self.containers)
        self.attributes = attributes
        return True

    def record(self, function: Callable[..., Any], inputs: list[Tensor], *, is_lenient: bool = False) -> list[Tensor]:
        """Call `function(*inputs)`, which gives a list of Tensors, and record it.

        Raises CannotReplay where the function takes a value out, or never does the same twice; with `is_lenient` only
        when the call has come to its end, so that nothing needs to be done again.
        """
        self.is_done = False
        with Recorder(inputs, is_lenient=is_lenient) as recorder:
            outputs = function(*inputs)
            self.is_done = True
            if recorder.error is not None:
                raise recorder.error
            recording = recorder.finish(outputs)
        self.keep(recording)
        return outputs

    def keep(self, recording: Recording) -> None:
        """Take the recording of one call more: ready when it is that of the call before.

        Raises CannotReplay where no two calls in a row did the same.
        """
        self.tries += 1
        before, self.recording = self.recording, recording
        self.note(recording.layers)
        recording.layers = []
        if before is not None:
            difference = before.difference(recording)
            if difference is None:
                self.recording = optimized(recording)
                self.is_ready = True
            elif self.tries > 2:  # the first call may have made weights
                raise CannotReplay(
                    f"Two calls with arguments of the same shapes did not do the same, and differ in {difference}. "
                    "Random numbers of NumPy's, counters and data that are no argument would be the same in every "
                    "replay: use minitrain.random, Variables and arguments."
                )

    def note(self, layers: list[Any]) -> None:
        """Note what holds now of the layers that were called, for `is_current`."""
        self.layers = [(weakref.ref(each), each._version) for each in layers]
        self.containers = [
            (weakref.ref(each), name, _members(each, name))
            for each in layers
            for name, value in vars(each).items()
            if name[0] != "_" and isinstance(value, (list, dict))
        ]
        self.changes, self.attributes = Changes.count, -1

    def take(self) -> Program:
        """A program that no other thread runs."""
        try:
            return self.programs.pop()
        except IndexError:
            assert self.recording is not None
            return Program(self.recording, static_inputs=self.static_inputs)

    def give(self, program: Program) -> None:
        """Give a program back that `take` gave."""
        self.programs.append(program)


def _members(layer: Any, name: str) -> Any:
    """What a list or dict of a layer holds now, in a form that can be compared."""
    value = getattr(layer, name, None)
    if isinstance(value, dict):
        return [(key, _plain(each)) for key, each in value.items()]
    return [_plain(each) for each in value] if isinstance(value, list) else None


def _plain(value: Any) -> Any:
    return value if isinstance(value, (bool, int, float, str, type(None))) else id(value)
