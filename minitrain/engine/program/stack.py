"""Stacking: the recordings of several models' steps, which do the same with other values, as one recording for all.

Every value gets a further, first axis with a place for each model, of length 1 where all share it, and every statement
is done once for all of them where its primitive says how (`minitrain/ops/stacked.py`), else model by model. The result
is a recording like any other: passes and programs know nothing of stacks.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from minitrain.engine.primitive import ops
from minitrain.engine.program.record import Effect, Recorder, Recording, Statement, is_same
from minitrain.engine.tensor import Tensor
from minitrain.engine.variable import Variable
from minitrain.errors import TapeError

__all__ = ["CannotStack", "Each", "Stack", "stacked"]


class CannotStack(TapeError):  # noqa: N818  # named as what it says
    """Models that cannot train in one program: they differ in more than values, or need all of a weight at once."""


class Stack:
    """Variables of several models side by side, and the way there and back.

    `made`: whatever effects keep for all models together, such as an optimizer, by the ids of the models' own.
    """

    def __init__(self) -> None:
        self._stacked: dict[tuple[int, ...], tuple[Variable, list[Variable]]] = {}
        self._shared: list[tuple[Variable, list[Variable]]] = []
        self.made: dict[tuple[int, ...], Any] = {}
        self.is_loaded = False

    def variable(self, members: Sequence[Variable]) -> Variable:
        """The stacked variable of variables that stand at one place in each model, (models, ...)."""
        key = tuple([id(each) for each in members])
        if key not in self._stacked:
            first = members[0]
            if any(each._peek().shape != first._peek().shape for each in members) or len(set(key)) < len(key):
                raise CannotStack(
                    f"The models share '{first.path}', or have it in other shapes: train them one by one."
                )
            values = np.stack([each._peek() for each in members])
            self.join(Variable(values, first.trainable, first._name), members)
        return self._stacked[key][0]

    def join(self, whole: Variable, members: Sequence[Variable]) -> None:
        """Let `whole` hold the values of variables, one for each model, in its first axis."""
        self._stacked[tuple([id(each) for each in members])] = whole, list(members)

    def share(self, whole: Variable, members: Sequence[Variable]) -> None:
        """Let `whole` hold what is the same for all models, such as a count of steps."""
        if any(not np.array_equal(each._peek(), members[0]._peek()) for each in members):
            raise CannotStack(f"'{members[0].path}' differs: models that train together start together.")
        self._shared.append((whole, list(members)))

    def load(self) -> None:
        """Take the models' values."""
        if self.is_loaded:
            return
        for whole, members in self._stacked.values():
            whole._write(np.stack([each._peek() for each in members]))
        for whole, members in self._shared:
            whole._write(members[0]._peek())
        self.is_loaded = True

    def store(self) -> None:
        """Give the models their values; they may change there."""
        if not self.is_loaded:
            return
        for whole, members in self._stacked.values():
            for place, each in enumerate(members):
                each._write(whole._peek()[place])
        for whole, members in self._shared:
            for each in members:
                each._write(whole._peek())
        self.is_loaded = False


class Each(Effect):
    """The effects of several models at one place: each happens with its own values."""

    def __init__(self, effects: Sequence[Effect]) -> None:
        self.effects = list(effects)
        self.writes = [variable for each in effects for variable in each.writes]

    def __call__(self, arrays: list[Any]) -> None:
        for place, each in enumerate(self.effects):
            each([array[place] for array in arrays])

    def begin(self) -> None:
        for each in self.effects:
            each.begin()

    def end(self) -> None:
        for each in self.effects:
            each.end()


def stacked(recordings: Sequence[Recording], stack: Stack) -> Recording:
    """One recording that does what each of these does, for models whose variables stand in `stack`.

    Inputs are stacked too: (models, ...). It gives no outputs. Raises CannotStack where the recordings differ in more
    than values, params and variables.
    """
    _need_parallel(recordings)
    _need_settled(recordings[0])
    first, count = recordings[0], len(recordings)
    given = [Tensor(np.zeros((count, *first.shapes[each]), first.dtypes[each])) for each in first.inputs]
    values = dict(zip(first.inputs, given, strict=True))
    for number in first.constants:
        arrays = [each.constants[number] for each in recordings]
        is_one = all(is_same(arrays[0], each) for each in arrays)
        values[number] = Tensor(np.asarray(arrays[0])[None] if is_one else np.stack(arrays))
    statements = list(zip(*(each.statements for each in recordings), strict=True))
    targets = [_target([each.target for each in parts], parts[0].kind, stack) for parts in statements]
    with Recorder(given) as recorder, np.errstate(all="ignore"):
        for parts, target in zip(statements, targets, strict=True):
            start = len(recorder.records)
            made = _stacked(parts, [values[number] for number in parts[0].inputs], target, first, recorder)
            values.update(zip(parts[0].outputs, made, strict=True))
            recorder.records.lines[start:] = [parts[0].line] * (len(recorder.records) - start)
        return recorder.finish([])


def _need_parallel(recordings: Sequence[Recording]) -> None:
    first = recordings[0]
    for other in recordings[1:]:
        if len(first.statements) != len(other.statements) or first.shapes != other.shapes:
            raise CannotStack("The models' steps differ: models that train together have one architecture.")
        for mine, its in zip(first.statements, other.statements, strict=True):
            same = (mine.kind, mine.inputs, mine.outputs, mine.primitive)
            if same != (its.kind, its.inputs, its.outputs, its.primitive) or type(mine.target) is not type(its.target):
                raise CannotStack(f"The models' steps differ at {mine.line or 'a read of a variable'}.")
        if first.constants.keys() != other.constants.keys() or first.dtypes != other.dtypes:
            raise CannotStack("The models' steps differ in what is constant.")


def _need_settled(recording: Recording) -> None:
    """Raise CannotStack where the step writes what an effect reads from the models themselves, not from the stack."""
    written = {id(each.target) for each in recording.statements if each.kind == "write"}
    for statement in recording.statements:
        for variable in statement.target.early if statement.kind == "effect" else ():
            if id(variable) in written:
                raise CannotStack(f"The models' steps write '{variable.path}', which is read when the program begins.")


def _target(targets: list[Any], kind: str, stack: Stack) -> Any:
    """What a statement reads, writes or does for all models; None for an operation."""
    if kind == "op":
        return None
    return targets[0].stacked(targets, stack) if kind == "effect" else stack.variable(targets)


def _stacked(
    parts: Sequence[Statement], inputs: list[Tensor], target: Any, first: Recording, recorder: Recorder
) -> list[Tensor]:
    """Do one statement for all models, on values that stand for what a program will find; its outputs."""
    one = parts[0]
    if one.kind == "op":
        return _operated(parts, inputs, first, recorder)
    made = []
    level: Any = [_repeated(each, len(parts)) for each in inputs]
    if one.kind == "read":
        level = Tensor(np.zeros(target._peek().shape, target._peek().dtype))
        recorder.snapshots.append(level)
        made = [level]
    elif one.kind == "write":
        (level,) = level
    recorder.notes.append((len(recorder.records), one.kind, target, level, one.line))
    return made


def _repeated(x: Tensor, count: int) -> Tensor:
    """A value with a place for each model, though they share it."""
    shape = x._array.shape
    return x if shape[0] == count else ops.broadcast_to(x, shape=(count, *shape[1:]))


def _operated(parts: Sequence[Statement], inputs: list[Tensor], first: Recording, recorder: Recorder) -> list[Tensor]:
    one = parts[0]
    primitive: Any = one.primitive
    has_same_params = all(is_same(one.params, each.params) for each in parts)
    if primitive.stacked is not None and has_same_params:
        made = primitive.stacked(ops, *inputs, **one.params)
        return list(made) if one.is_tuple else [made]
    if not hasattr(ops, primitive.name):
        raise CannotStack(f"'{primitive.name}' at {one.line} is not done for several models at once.")
    is_shared = has_same_params and not primitive.draws and all(each._array.shape[0] == 1 for each in inputs)
    found = [
        _apart(each, place, inputs, first, recorder) for place, each in enumerate(parts[: 1 if is_shared else None])
    ]
    return [ops.stack(*each, axis=-1 - each[0]._array.ndim) for each in zip(*found, strict=True)]


def _apart(
    statement: Statement, place: int, inputs: list[Tensor], first: Recording, recorder: Recorder
) -> Sequence[Tensor]:
    """An operation for the model at one place alone."""
    mine = [ops.getitem(each, index=(place if each._array.shape[0] > 1 else 0,)) for each in inputs]
    if statement.primitive.draws:  # it draws when the program runs, not now
        drawn = tuple([Tensor(np.zeros(first.shapes[each], first.dtypes[each])) for each in statement.outputs])
        out = drawn if statement.is_tuple else drawn[0]
        recorder.records.append((statement.primitive, (), statement.params, out))
        return drawn
    made = getattr(ops, statement.primitive.name)(*mine, **statement.params)
    return made if statement.is_tuple else (made,)
