"""Why a gradient is what it is: one paragraph read off the records of a tape.

`explain` looks for the differentiable path from source to target and names its operations. Where there is none it
says why: never watched, computed outside the tape, cut by an operation without a gradient, or taken out of the tape
as a plain value. Lines of the user's code are known where the tape was opened with `trace=True`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from minitrain.engine.backward import reach
from minitrain.engine.trail import ObservedRecords, Record
from minitrain.engine.variable import Variable

if TYPE_CHECKING:
    from minitrain.engine.tape import GradientTape

COMPARISONS = {"equal", "not_equal", "less", "less_equal", "greater", "greater_equal"}


def explain(tape: GradientTape, target: Any, source: Any) -> str:
    """One paragraph on how `source` reaches `target` on this tape, or why it does not."""
    records = tape._records()
    lines = Lines(tape)
    starts = {id(each) for each in tape._stand_ins(source)}
    goals = {id(each) for each in tape._stand_ins(target)[-1:]}
    if target is source:
        return "The source is the target itself: the gradient is 1 everywhere."
    watched = starts & (tape._watched.keys() | reach(records, tape._watched))
    if goals & reach(records, watched):
        return _path(records, watched, goals, lines)
    return "The gradient is None: " + _reason(tape, records, lines, target, source, starts, goals, watched)


class Lines:
    """Where in the user's code a record or an exit was made, where a trace was kept."""

    def __init__(self, tape: GradientTape) -> None:
        records = tape._trail.records if tape._trail is not None else None
        self.by_output = records.lines if isinstance(records, ObservedRecords) else {}
        self.exits = records.exits if isinstance(records, ObservedRecords) else []
        self.known = isinstance(records, ObservedRecords)

    def of(self, record: Record) -> str:
        """ " at file:line", or nothing where it is not known."""
        output = record[3][0] if type(record[3]) is tuple else record[3]
        line = self.by_output.get(id(output))
        return f" at {line}" if line else ""


def _outputs(record: Record) -> list[int]:
    output = record[3]
    return [id(each) for each in output] if type(output) is tuple else [id(output)]


def _is_open(record: Record, place: int) -> bool:
    """Whether gradients flow through a record to its input at `place`."""
    primitive = record[0]
    return primitive.joint is not None or (primitive.rules is not None and primitive.rules[place] is not None)


def _path(records: list[Record], starts: set[int], goals: set[int], lines: Lines) -> str:
    """The operations of the shortest differentiable path, first to last."""
    came: dict[int, tuple[Record, int] | None] = dict.fromkeys(starts)
    for record in records:
        for place, x in enumerate(record[1]):
            if id(x) in came and _is_open(record, place):
                for output in _outputs(record):
                    came.setdefault(output, (record, id(x)))
                break
    at = next(iter(goals & came.keys()))
    steps: list[str] = []
    step = came[at]
    while step is not None:
        record, at = step
        steps.append(f"{record[0].name}{lines.of(record)}")
        step = came[at]
    steps.reverse()
    shown = steps if len(steps) <= 12 else [*steps[:6], f"... {len(steps) - 12} more ...", *steps[-6:]]
    plural = "operation" if len(steps) == 1 else "operations"
    return f"The source reaches the target through {len(steps)} {plural}: " + " -> ".join(shown) + "."


def _reason(
    tape: GradientTape,
    records: list[Record],
    lines: Lines,
    target: Any,
    source: Any,
    starts: set[int],
    goals: set[int],
    watched: set[int],
) -> str:
    used = {id(x) for record in records for x in record[1]}
    made = {output for record in records for output in _outputs(record)}
    if not source.dtype.is_floating:
        return (
            f"the source has dtype {source.dtype.name}, and gradients flow through floats alone. Cast it to float32 "
            "before it is watched and used."
        )
    if not watched:
        return _never_watched(source, starts, used)
    cut = _cut(records, watched, goals)
    if cut is not None:
        record, place = cut
        return f"on its way from the source the value passes through {_what_cuts(record, place)}{lines.of(record)}."
    touched = _reach_all(records, watched)
    for tensor, way, line in lines.exits:
        if id(tensor) in touched:
            return (
                f"the value left the tape through {way} at {line}; what is computed from it with NumPy or Python is "
                "constant to the tape. Use minitrain's operations on the Tensor itself."
            )
    if not goals & (made | tape._watched.keys()):
        return (
            "the target was not computed on this tape: before its `with` block, after it, inside `stop_recording`, or "
            "from values that do not depend on anything the tape watches (a value that went through `.numpy()` or "
            f"float() is one).{_hint(lines)}"
        )
    return (
        "the target was computed on this tape, but not from the source, or through an operation without a gradient "
        f"(a comparison, an integer or boolean, stop_gradient), which is recorded only for a trace.{_hint(lines)}"
    )


def _hint(lines: Lines) -> str:
    return "" if lines.known else " Open the tape with GradientTape(trace=True) to see where."


def _never_watched(source: Any, starts: set[int], used: set[int]) -> str:
    if not isinstance(source, Variable):
        return (
            "the source was never watched: constants are followed only after `tape.watch(source)`, called inside the "
            "`with` block before the source is used."
        )
    if not source.trainable:
        return (
            f"variable '{source.name}' has trainable=False and was never watched. Make it trainable, or call "
            "`tape.watch(variable)` before it is used."
        )
    return (
        f"variable '{source.name}' was not read while this tape was recording: what was computed from it was computed "
        "outside the tape, or the tape was opened with watch_accessed_variables=False and did not watch it."
    )


def _reach_all(records: list[Record], starts: set[int]) -> set[int]:
    """The ids of all values that depend on the starts, differentiably or not."""
    touched = set(starts)
    for record in records:
        if any(id(x) in touched for x in record[1]):
            touched.update(_outputs(record))
    return touched


def _cut(records: list[Record], watched: set[int], goals: set[int]) -> tuple[Record, int] | None:
    """The last place on the way from the sources to the goals at which no gradient passes, if there is a way."""
    needed = set(goals)
    connected = reach(records, watched)
    for record in reversed(records):
        if not needed & set(_outputs(record)):
            continue
        for place, x in enumerate(record[1]):
            if id(x) in connected and not _is_open(record, place):
                return record, place
            needed.add(id(x))
    return None


def _what_cuts(record: Record, place: int) -> str:
    name = record[0].name
    output = record[3][0] if type(record[3]) is tuple else record[3]
    dtype = output.dtype
    if name == "stop_gradient":
        return "'stop_gradient', which cuts the gradient on purpose"
    if name in COMPARISONS:
        return f"'{name}', a comparison, whose result is a boolean without a gradient (minitrain.where selects by one)"
    if not dtype.is_floating:
        return f"'{name}', whose result has dtype {dtype.name}: integers and booleans have no gradient"
    if record[0].is_differentiable:
        return f"'{name}', which has no gradient with respect to its input {place}"
    return f"'{name}', which has no gradient"
