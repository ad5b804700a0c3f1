"""What a thread records while tapes are open: one flat list of plain records, shared by all of them.

A record is a tuple (primitive, inputs, params, output), with Tensors at both ends and no closure in it. All tapes
that are open in a thread at once share one `Trail`; each remembers only which stretches of the list are its own, so
that nesting costs nothing per operation. A Tensor that depends on something watched carries the trail's `Token`, an
object of nothing but an identity: a Tensor that pointed to the list itself would close a reference cycle.
"""

from __future__ import annotations

import os
import sys
import threading
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from minitrain.engine.primitive import Primitive
    from minitrain.engine.tape import GradientTape
    from minitrain.engine.tensor import Tensor

Outputs = "Tensor | tuple[Tensor, ...]"
Record = tuple["Primitive", tuple["Tensor", ...], dict[str, Any], Any]

PACKAGE = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep


class Token:
    """The mark of one trail on the Tensors that belong to it; `alive` until its last tape closes."""

    __slots__ = ("alive",)

    def __init__(self) -> None:
        self.alive = True


class SharedToken:
    """The marks of several live trails on one Tensor that tapes of different threads watch at once."""

    __slots__ = ("tokens",)

    def __init__(self, tokens: frozenset[Token]) -> None:
        self.tokens = tokens


class Trail:
    """The records of the tapes that are open in one thread."""

    __slots__ = ("everything", "listening", "lone", "reads", "recorder", "records", "tapes", "token")

    def __init__(self) -> None:
        self.token = Token()
        self.records: list[Record] = []
        self.tapes: list[GradientTape] = []  # open ones, the outermost first
        self.listening: list[GradientTape] = []  # those of them that are not paused by `stop_recording`
        self.reads: dict[int, Tensor] = {}  # id of a variable -> the snapshot that stands for its present value
        self.everything = False  # record also what depends on nothing watched
        self.recorder: Any = None  # what makes a program of all that happens, where somebody does
        self.lone: GradientTape | None = None  # the only tape, where a program may stand for what happens on it

    def sees(self, *tensors: Tensor) -> bool:
        """Whether an operation on `tensors` is to be recorded; asked only where none carries our token alone."""
        if self.everything:
            return True
        return any(tensor._token is not None and self.marks(tensor) for tensor in tensors)

    def marks(self, tensor: Tensor) -> bool:
        """Whether `tensor` carries this trail's token."""
        mark = tensor._token
        return mark is self.token or (type(mark) is SharedToken and self.token in mark.tokens)

    def mark(self, tensor: Tensor) -> None:
        """Put this trail's token on `tensor`, beside the token of another thread's live trail if there is one."""
        mark = tensor._token
        if mark is None or (type(mark) is Token and not mark.alive):
            tensor._token = self.token
        elif not self.marks(tensor):
            others = mark.tokens if isinstance(mark, SharedToken) else frozenset((mark,))
            tensor._token = SharedToken(frozenset(each for each in others if each.alive) | {self.token})

    def leave(self, tensor: Tensor, way: str) -> None:
        """Note that a value leaves the tape, such as through `.numpy()`, where somebody asked for a trace."""
        if self.recorder is not None:
            self.recorder.leave(tensor, way)
        elif isinstance(self.records, ObservedRecords):
            self.records.leave(tensor, way)


class ObservedRecords(list[Record]):
    """A list of records that looks at each one as it comes in: where the user's code is, whether it is finite.

    A plain list does neither, so that ordinary recording pays nothing for them.
    """

    def __init__(self, records: list[Record], *, tracing: bool, checking: bool, keeping: bool) -> None:
        super().__init__(records)
        self.tracing = tracing
        self.checking = checking
        self.keeping = keeping
        self.lines: dict[int, str] = {}  # id of an output -> "file:line" of the user's call
        self.exits: list[tuple[Tensor, str, str]] = []  # (tensor, way, "file:line")

    def append(self, record: Record) -> None:
        primitive, inputs, _, output = record
        outputs = output if type(output) is tuple else (output,)
        if self.checking:
            check_finite(primitive.name, [each._array for each in inputs], [each._array for each in outputs])
        if self.tracing:
            line = user_line()
            for each in outputs:
                self.lines[id(each)] = line
        if self.keeping:
            super().append(record)

    def leave(self, tensor: Tensor, way: str) -> None:
        """Note where the value of `tensor` was taken out of the tape."""
        if self.tracing:
            self.exits.append((tensor, way, user_line()))


class Changes:
    """Counts what programs cannot see in a signature: seeds and options of variables that are set anew.

    `attributes` counts those of layers: while it stands, no program needs to look at its layers one by one.
    """

    count = 0
    attributes = 0


class ThreadState(threading.local):
    """The tape stack of a thread, and whether it checks numerics. The class attributes are each thread's start."""

    trail: Trail | None = None  # what listens now; None costs an operation one attribute look-up
    home: Trail | None = None  # the trail of the open tapes, recording or paused
    checking: bool = False
    stands_in: bool = False  # whether variables have other values for the time being, which no program would see


STATE = ThreadState()


def refresh() -> None:
    """Decide anew what listens in this thread, after a tape opened, closed, paused or resumed."""
    state = STATE.__dict__  # each look into a thread's state takes as long as three into a dict
    home, checking = state.get("home"), state.get("checking", False)
    tracing = False
    if home is not None:
        home.reads.clear()
        home.lone = None
        home.listening = listening = []
        for tape in home.tapes:
            if tape._is_recording:
                listening.append(tape)
                tracing = tracing or tape._tracing
        if not home.tapes:
            home.token.alive = False
            state["home"] = home = None
    if home is None:
        state["trail"] = _observed(None, False) if checking else None
        return
    if home.recorder is not None:
        home.everything = True
    elif checking or tracing or type(home.records) is not list:
        home = _observed(home, tracing)
    elif len(home.tapes) == 1 and home.tapes[0]._is_usual:
        home.lone = home.tapes[0]
    state["trail"] = home if listening or checking else None


def _observed(home: Trail | None, tracing: bool) -> Trail:
    """`home`, or a trail that keeps nothing if no tape is open, with records that look at what comes in."""
    home = home or Trail()
    home.everything = tracing or STATE.checking
    observed = ObservedRecords(home.records, tracing=tracing, checking=STATE.checking, keeping=bool(home.listening))
    if isinstance(home.records, ObservedRecords):
        observed.lines, observed.exits = home.records.lines, home.records.exits
    home.records = observed
    return home


def user_line() -> str:
    """The "file:line" of the innermost frame outside this package: the user's own code."""
    frame = sys._getframe(1)
    while frame.f_back is not None and frame.f_code.co_filename.startswith(PACKAGE):
        frame = frame.f_back
    return f"{frame.f_code.co_filename}:{frame.f_lineno}"


def check_finite(name: str, inputs: list[Any], outputs: list[Any]) -> None:
    """Raise NonFiniteError if an operation made a NaN or an infinity from finite inputs.

    `name` is the operation's, `inputs` and `outputs` are ndarrays. The message gives the inputs' ranges and the line
    of the user's code.
    """
    from minitrain.errors import NonFiniteError

    if all(_is_finite(each) for each in outputs) or not all(_is_finite(each) for each in inputs):
        return
    kind = "a NaN" if any(np.isnan(each).any() for each in outputs if each.dtype.kind == "f") else "an infinity"
    ranges = "; ".join(describe_range(each) for each in inputs) or "no inputs"
    raise NonFiniteError(
        f"'{name}' made {kind} from finite inputs ({ranges}) at {user_line()}. Look for a division by zero, a "
        "logarithm or root of what is not positive, or an overflow."
    )


def describe_range(array: Any) -> str:
    """The shape, dtype and range of an ndarray, for error messages."""
    array = np.asarray(array)
    span = f"from {array.min():.6g} to {array.max():.6g}" if array.size and array.dtype.kind in "fiu" else "no range"
    return f"shape {array.shape} {array.dtype.name}, {span}"


def _is_finite(array: Any) -> bool:
    return array.dtype.kind != "f" or bool(np.isfinite(array).all())
