"""Recording: what one call of a function did, as a list of plain statements.

A `Recorder` listens on the thread's trail as an outermost tape does, so that operations, backward passes included, end
up in the trail's records. Reads and writes of variables, and effects such as an optimizer's update, are noted between
them. Values are numbers; what is neither made by a statement nor an input is a constant.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from minitrain.engine.primitive import PRIMITIVES, Primitive, ops, record
from minitrain.engine.tensor import Tensor
from minitrain.engine.trail import PACKAGE, STATE, Changes, Record, Trail, refresh, user_line
from minitrain.engine.variable import Variable
from minitrain.errors import TapeError

if TYPE_CHECKING:
    from minitrain.engine.program.stack import Stack

__all__ = [
    "BRANCH",
    "LOOK_UP",
    "Call",
    "CannotReplay",
    "Changes",
    "Effect",
    "Recorder",
    "Recording",
    "Statement",
    "called",
    "happen",
    "is_same",
]


class CannotReplay(TapeError):  # noqa: N818  # named as what it says
    """A function did what a program cannot do, such as branching on a value.

    `is_library`: whether that was minitrain's own doing, as in a layer that looks words up. `goes_on`: whether a
    `function` may go on as the Python code that it is: nothing but minitrain's own code has seen the value.
    """

    is_library = goes_on = False


LOOK_UP = "a look-up of values"  # how layers take values out that no operation of minitrain's computes
BRANCH = "a branch or loop on it"  # how `cond`, `while_loop` and their kin do
VALUES = (
    "Keep it a Tensor: use minitrain.where for a choice between values, minitrain.cond and while_loop for branches and "
    "loops, and take values out of what the function returns."
)
SIZES = "Sizes, places and seeds that are numbers of Python's, known beforehand, can be replayed."
MESSENGERS = (
    os.path.dirname(np.__file__) + os.sep,
    *(PACKAGE + each for each in (os.path.join("engine", ""), os.path.join("ops", "numpy_protocol.py"))),
)  # whose frames pass a value on to whoever asked for it


def _is_for_operation() -> bool:
    """Whether a value that is being taken out goes to minitrain's own code, as an index or a size does."""
    frame = sys._getframe(1)
    while frame.f_back is not None and frame.f_code.co_filename.startswith(MESSENGERS):
        frame = frame.f_back
    return frame.f_code.co_filename.startswith(PACKAGE)


class Effect:
    """Something that happens at its place among the statements, with values: an update, a metric's new batch.

    `writes`: the variables that it may change.
    """

    writes: Sequence[Variable] = ()
    late: Sequence[Variable] = ()  # those of them that a bound effect writes only when the program ends
    penalizable: Sequence[Variable] = ()  # those to whose gradients an update can add a multiple of themselves
    early: Sequence[Variable] = ()  # those that a bound effect reads only when the program begins

    def __call__(self, arrays: list[Any]) -> None:
        """Do it. The arrays are the program's: they are not to be kept or written to."""
        raise NotImplementedError  # subclasses do

    def bind(self) -> list[Any] | None:
        """Called before source is made: the arrays that it wants its values in, or None."""
        return None

    def unbind(self) -> None:
        """Let go of what `bind` and `begin` took; until `bind` is called again, a plain call does it all."""

    def is_stale(self) -> bool:
        """Whether what `bind` found is so no longer."""
        return False

    def emit(self, emitter: Any, slots: list[Any]) -> bool:
        """Write source for it, if it has its own way; False leaves it to a call."""
        return False

    def stacked(self, effects: Sequence[Effect], stack: Stack) -> Effect:
        """What the effects of several models, of which this is the first, do together on stacked values."""
        from minitrain.engine.program.stack import Each

        return Each(effects)

    def penalized(self, factors: list[float]) -> Effect:
        """The same with a number times the weights added to each of its values, the gradients of `penalizable`."""
        raise NotImplementedError  # those that have any do

    def begin(self) -> None:
        """Called before a program runs."""

    def end(self) -> None:
        """Called after a program has run."""


class Call(Effect):
    """A Python function of the values that gives nothing: it prints them, say, or looks whether they may be."""

    def __init__(self, function: Callable[..., None]) -> None:
        self.function = function

    def __call__(self, arrays: list[Any]) -> None:
        self.function(*arrays)


def happen(effect: Effect, tensors: Sequence[Tensor]) -> None:
    """Let an effect happen now, and at its place in the program that this thread records, if it does."""
    trail = STATE.trail
    if trail is not None and trail.recorder is not None:
        trail.recorder.effect(effect, tensors)
    else:
        effect([each._array for each in tensors])


def _call(*arrays: Any, function: Callable[..., Any]) -> Any:
    return function(*arrays)


CALL = Primitive("call", _call, None)
CALL.draws = True  # what it gives may differ from run to run


def called(function: Callable[..., Any], *tensors: Tensor) -> Tensor:
    """The ndarray `function(*arrays)` as a Tensor. The program that this thread records, if it does, calls it too.

    For what no operations compute. The function of each recording must equal the last one's, as bound methods do.
    """
    trail = STATE.trail
    recorder = None if trail is None else trail.recorder
    arrays = [each._array for each in tensors]
    if recorder is None:
        return Tensor(function(*arrays))
    with recorder.aside():
        made = function(*arrays)
    found: Tensor = record(trail, CALL, tensors, {"function": function}, made)
    return found


class Statement:
    """One step of a program. `kind` is "op", "read", "write", "effect" or "pause"; inputs and outputs are numbers of
    values.
    """

    __slots__ = ("inputs", "is_tuple", "kind", "line", "outputs", "params", "primitive", "target")

    def __init__(
        self,
        kind: str,
        inputs: tuple[int, ...],
        outputs: tuple[int, ...],
        primitive: Any = None,
        params: dict[str, Any] | None = None,
        target: Any = None,
        line: str = "",
        is_tuple: bool = False,
    ) -> None:
        self.kind = kind
        self.inputs = inputs
        self.outputs = outputs
        self.primitive = primitive
        self.params = params or {}
        self.target = target  # the variable, or the effect
        self.line = line
        self.is_tuple = is_tuple  # whether the kernel gives a tuple


class _Noted(list[Record]):
    """Records with the line of the user's code for each."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []
        self.moving: set[int] = set()  # ids of Tensors that depend on inputs, variables or draws

    def append(self, record: Record) -> None:
        super().append(record)
        self.lines.append(user_line())
        primitive, inputs, _, output = record
        if primitive.draws or any(id(each) in self.moving for each in inputs):
            for each in output if type(output) is tuple else (output,):
                self.moving.add(id(each))


class Recorder:
    """Records a call: `with Recorder(inputs) as recorder: outputs = function(*inputs)`."""

    _is_recording = True  # what the trail asks of a tape
    _tracing = False

    def __init__(self, inputs: Sequence[Tensor], *, is_lenient: bool = False) -> None:
        self.is_lenient = is_lenient  # whether a value that is taken out is noted, rather than refused
        self.error: CannotReplay | None = None
        self.inputs = list(inputs)
        self.notes: list[tuple[int, str, Any, Any, str]] = []  # (place, kind, target, Tensors, line)
        self.snapshots: list[Tensor] = []  # kept, so that ids stay theirs
        self.layers: dict[int, Any] = {}

    def __enter__(self) -> Recorder:
        self.trail = STATE.home = Trail()
        self.trail.recorder = self
        self.records = _Noted()
        self.records.moving |= {id(each) for each in self.inputs}
        self.trail.records = self.records
        self.trail.tapes.append(self)  # type: ignore[arg-type]  # it does what a tape does here
        refresh()
        return self

    def __exit__(self, *exception: object) -> None:
        self.trail.tapes.clear()
        self.trail.recorder = None
        refresh()

    def _notice(self, variable: Variable, snapshot: Tensor) -> None:
        """A variable was read."""
        self.snapshots.append(snapshot)
        self.records.moving.add(id(snapshot))
        self.notes.append((len(self.records), "read", variable, snapshot, ""))

    def assign(self, variable: Variable, value: Any, method: str, combine: str | None = None) -> None:
        """A variable is given a value, or what the named operation makes of its own and the given one."""
        if not isinstance(value, (Tensor, Variable)):
            value = Tensor(variable._accept(value, method))
        tensor = value._read()
        variable._accept(tensor, method)
        if combine is not None:
            tensor = getattr(ops, combine)(variable._read(), tensor)
        variable._write(tensor._array)
        self.notes.append((len(self.records), "write", variable, tensor, user_line()))
        self.trail.reads.pop(id(variable), None)

    def effect(self, effect: Effect, tensors: Sequence[Tensor]) -> None:
        """Something else happens; it happens now too, unrecorded."""
        self.notes.append((len(self.records), "effect", effect, list(tensors), user_line()))
        self._look_away()
        with self.aside():
            effect.begin()
            effect([each._array for each in tensors])
            effect.end()
        self.trail.reads.clear()

    def pause(self, values: Sequence[Tensor], awaited: Sequence[Tensor]) -> None:
        """The program will give these values here, and wait for others: those of a backward pass, say."""
        self.notes.append((len(self.records), "pause", list(awaited), list(values), ""))
        self.records.moving |= {id(each) for each in awaited}

    def _look_away(self) -> None:
        """Give what was read of variables memory of its own: where somebody looks at the memory of variables, an update
        moves them, and all programs that stand on them follow at some cost.
        """
        looking = {id(each): each for each in self.snapshots}
        for primitive, inputs, _, output in self.records:
            if primitive.is_view and id(inputs[0]) in looking:
                looking[id(output)] = output
        for each in looking.values():
            each._array = each._array.copy()

    @contextmanager
    def aside(self) -> Iterator[None]:
        """Within this `with` block nothing is recorded."""
        trail, STATE.trail = STATE.trail, None
        home, STATE.home = STATE.home, None
        try:
            yield
        finally:
            STATE.trail, STATE.home = trail, home

    def leave(self, tensor: Tensor, way: str) -> None:
        """A value is taken out of the program, which could then not be replayed."""
        if id(tensor) in self.records.moving:
            goes_on = _is_for_operation()
            error = CannotReplay(
                f"A value was taken out with {way} at {user_line()}, so that the step cannot be replayed: it would be "
                f"the same in every call. {SIZES if goes_on and way != BRANCH else VALUES} `run_eagerly=True` runs the "
                "Python code every time."
            )
            error.is_library, error.goes_on = way == LOOK_UP, goes_on
            self._refuse(error)

    def call(self, what: str) -> None:
        """Python code is called that must be called every time."""
        error = CannotReplay(f"{what} at {user_line()} calls Python code, and cannot be replayed.")
        error.goes_on = True
        self._refuse(error)

    def _refuse(self, error: CannotReplay) -> None:
        """Raise, or note for the end of the call, of which nothing more is recorded: it may go on for long."""
        if not (self.is_lenient or error.goes_on):
            raise error
        self.error = error
        self.trail.tapes.remove(self)  # type: ignore[arg-type]  # which stands there as a tape, see `__enter__`
        self.trail.recorder, self.trail.everything = None, False
        self.trail.records = list(self.trail.records)  # for open tapes of the function's own
        refresh()

    def need_recorded(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> None:
        """Refuse what was computed of moving inputs where nothing was recorded, as in `recompute_grad`."""
        moving = self.records.moving
        if any(id(each) in moving for each in inputs) and not all(id(each) in moving for each in outputs):
            self._refuse(CannotReplay(f"What was computed at {user_line()} is not recorded, and cannot be replayed."))

    def touch(self, layer: Any) -> None:
        """A layer is called: a program holds only while its attributes stay."""
        self.layers[id(layer)] = layer

    def finish(self, outputs: Sequence[Tensor]) -> Recording:
        """The recording, once the function has returned."""
        return Recording(self, outputs)


class Recording:
    """The statements of one call, and what is known of its values."""

    def __init__(self, recorder: Recorder, outputs: Sequence[Tensor]) -> None:
        self.numbers: dict[int, int] = {}
        self.shapes: list[tuple[int, ...]] = []
        self.dtypes: list[np.dtype[Any]] = []
        self.constants: dict[int, Any] = {}
        self.statements: list[Statement] = []
        self.layers = list(recorder.layers.values())
        self.inputs = [self._new(each) for each in recorder.inputs]
        notes = iter(recorder.notes)
        note = next(notes, None)
        for place, (primitive, inputs, params, output) in enumerate(recorder.records):
            while note is not None and note[0] <= place:
                self._note(note)
                note = next(notes, None)
            given = tuple([self._number(each) for each in inputs])
            made = tuple([self._new(each) for each in (output if type(output) is tuple else (output,))])
            line = recorder.records.lines[place]
            if "computed" in params:  # of a custom gradient, which a program has no more use for than for its results
                for number, each in zip(made, params["computed"], strict=True):
                    same = (self._number(each),), (number,)
                    self.statements.append(Statement("op", *same, PRIMITIVES["identity"], {}, None, line))
                continue
            self.statements.append(Statement("op", given, made, primitive, params, None, line, type(output) is tuple))
        while note is not None:
            self._note(note)
            note = next(notes, None)
        self.outputs = [self._number(each) for each in outputs]
        self.numbers.clear()  # the Tensors go now

    def _note(self, note: tuple[int, str, Any, Any, str]) -> None:
        _, kind, target, tensors, line = note
        if kind == "read":
            self.statements.append(Statement("read", (), (self._new(tensors),), target=target))
        elif kind == "write":
            self.statements.append(Statement("write", (self._number(tensors),), (), target=target, line=line))
        elif kind == "pause":
            given = tuple([self._number(each) for each in tensors])
            self.statements.append(Statement("pause", given, tuple([self._new(each) for each in target])))
        else:
            given = tuple([self._number(each) for each in tensors])
            self.statements.append(Statement("effect", given, (), target=target, line=line))

    def _new(self, tensor: Tensor) -> int:
        number = self.numbers[id(tensor)] = len(self.shapes)
        self.shapes.append(tensor._array.shape)
        self.dtypes.append(tensor._array.dtype)
        return number

    def _number(self, tensor: Tensor) -> int:
        number = self.numbers.get(id(tensor))
        if number is None:
            number = self._new(tensor)
            self.constants[number] = tensor._array
        return number

    def new_value(self, shape: tuple[int, ...], dtype: np.dtype[Any]) -> int:
        """The number of a further value."""
        self.shapes.append(shape)
        self.dtypes.append(dtype)
        return len(self.shapes) - 1

    def difference(self, other: Recording) -> str | None:
        """Where two recordings of one function differ, in words; None where they do the same."""
        if len(self.statements) != len(other.statements):
            return f"{len(self.statements)} statements in one call and {len(other.statements)} in the next"
        for mine, its in zip(self.statements, other.statements, strict=True):
            if (
                (mine.kind, mine.inputs, mine.outputs, mine.primitive)
                != (its.kind, its.inputs, its.outputs, its.primitive)
                or (mine.kind != "effect" and mine.target is not its.target)
                or not is_same(mine.params, its.params)
            ):
                if mine.kind == its.kind == "read":
                    return f"the variable that is read: '{mine.target.name}' is made anew in each, or chosen by chance"
                return f"what happens at {mine.line or its.line or 'a read of a variable'}"
        for number, array in self.constants.items():
            if number not in other.constants or not is_same(array, other.constants[number]):
                user = next((each.line for each in self.statements if number in each.inputs), "")
                return f"a value that is no input, used at {user}" if user else "a value that is no input"
        return None if self.outputs == other.outputs and self.shapes == other.shapes else "what is returned"


def is_same(one: Any, other: Any) -> bool:
    """Whether two values, params or structures of them are equal, arrays element by element and NaN as itself."""
    if isinstance(one, np.ndarray) or isinstance(other, np.ndarray):
        one, other = np.asarray(one), np.asarray(other)
        return one.dtype == other.dtype and np.array_equal(one, other, equal_nan=one.dtype.kind == "f")
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(is_same(each, other[key]) for key, each in one.items())
    if isinstance(one, (list, tuple)) and type(one) is type(other):
        return len(one) == len(other) and all(is_same(a, b) for a, b in zip(one, other, strict=True))
    return one is other or bool(one == other)
