"""Passages: calls in loops of one's own, replayed; where a tape is open, in two halves that it sees as one record.

In such a loop a model is called again and again. A `Passage` belongs to one signature of its calls: the first run as
Python code, two are recorded, and all further ones are replayed. Inside a tape, calls are recorded together with their
backward pass: they run the first half of a program, and the second half is the rule of the one record that they leave.
Where a backward pass is itself recorded, the operations of the call are done once more, so that any order has its
gradient.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from copy import copy
from typing import Any

from numpy import errstate, ones_like

from minitrain import nest
from minitrain.engine.custom import no_gradient_inside
from minitrain.engine.primitive import PRIMITIVES, Primitive, kernels, ops
from minitrain.engine.program.program import Program
from minitrain.engine.program.record import CannotReplay, Recorder, Recording
from minitrain.engine.program.trace import Trace
from minitrain.engine.tape import GradientTape
from minitrain.engine.tensor import Joint, Tensor
from minitrain.engine.trail import STATE, Record
from minitrain.engine.variable import Variable

__all__ = ["PASSAGE", "Passage", "is_marked"]

PATIENCE = 8  # calls before one is recorded: a loop of so many steps will go on
LARGEST = 1 << 26  # bytes of buffers that are kept: with more of them, Python's share of the time is nothing
AT_ONCE = 4  # calls that may wait for their backward pass: each has buffers of its own
MOVES = 8  # times that a program follows variables whose memory is moved, before calls go on without one

Function = Callable[..., Any]  # of Tensors, giving a Tensor or a structure of them

PASSAGE = Primitive("program", lambda *inputs, **params: inputs, None)
PASSAGE.stackable = False  # the second half is for cotangents of the outputs' own shapes
PASSAGE.fills = False  # what depends on an output that nobody asks for has no gradient


@PASSAGE.vjp()
def _(xp: Any, g: Any, wanted: list[bool], out: Any, *inputs: Any, call: Call) -> list[Any]:
    cotangents = g if type(out) is tuple else (g,)
    return call.gradients(cotangents, inputs) if xp is kernels else call.recorded_gradients(cotangents, inputs)


class Call:
    """A call that has been replayed: what waits for its backward pass. It gives its program back when it goes."""

    __slots__ = ("drawn", "held", "passage", "program", "running")

    def __init__(self, passage: Passage, program: Program, running: Any, drawn: list[Any]) -> None:
        self.passage = passage
        self.program = program
        self.running = running  # a generator, which waits for cotangents
        self.drawn = drawn  # the random numbers of the first half, in order
        # Held, they keep their values: writes go elsewhere.
        self.held = [each._tensor for each in passage.half.variables]

    def __del__(self) -> None:
        self.running = None
        if self.program.is_bound:
            self.passage.trace.give(self.program)
        else:  # the garbage collector found both at once, and this one second
            self.passage.made -= 1

    # ------------------------------------------------------------------------------------------ what the tape asks for

    @property
    def variables(self) -> list[Variable]:
        """The variables whose values the outputs depend on."""
        return self.passage.half.variables

    @property
    def watched(self) -> list[Variable]:
        """Those of them that tapes watch unasked."""
        return self.passage.half.watched

    @property
    def sources(self) -> list[Any]:
        """The variables with a gradient, where no input has one, and there is one output; else none."""
        return self.passage.half.sources

    @property
    def has_stopped(self) -> bool:
        """Whether the program stopped at an error, and gives nothing any more."""
        return self.running.gi_frame is None

    def snapshots(self) -> list[Tensor]:
        """Tensors of the values that the variables had."""
        return [Tensor(each._array) for each in self.held]

    def gradients_of_sources(self, g: Any) -> list[Any]:
        """Tensors for `sources`; the first knows of all of them as one array, where they are its parts."""
        found = self.running.send((g,))
        if not self.program.is_joint:
            return [Tensor(each) for each in found]
        flat, *parts = found
        made = [Tensor(each) for each in parts]
        made[0]._joint = Joint(flat, parts, self.program.shapes)
        return made

    # ------------------------------------------------------------------------------------------------ what a rule gives

    def gradients(self, cotangents: Sequence[Any], inputs: Sequence[Any]) -> list[Any]:
        """An ndarray for each input and variable, None where there is no gradient; from ndarrays, or None for none."""
        if all(each is not None for each in cotangents) and not self.has_stopped:
            return self.passage.half.placed(self.running.send(cotangents)[self.program.is_joint :])
        # The program has stopped, or would give more than is asked for, zeros in the place of None.
        self.passage.is_off = True
        given = [None if each is None else Tensor(each) for each in cotangents]
        found = self.recorded_gradients(given, [Tensor(each) for each in inputs])
        return [None if each is None else each._array for each in found]

    def recorded_gradients(self, cotangents: Sequence[Tensor | None], inputs: Sequence[Tensor]) -> list[Any]:
        """The same as Tensors, by operations that are recorded: those of the call are done again."""
        half = self.passage.half
        with GradientTape(watch_accessed_variables=False) as tape:
            # Tensors of their own, so that one that is given twice has a gradient for each place.
            again = [ops.identity(each) for each in inputs]
            sources = [again[place] for place in half.places]
            tape.watch(sources)
            outputs = half.redone(again, [Tensor(each) for each in self.drawn])
        asked = [each for each, g in zip(outputs, cotangents, strict=True) if g is not None]
        given = [g for g in cotangents if g is not None]
        return half.placed(tape.gradient(asked, sources, output_gradients=given))


class Form:
    """How the outputs of a program make what the function gives. Raises CannotReplay where they would not make all."""

    def __init__(self, given: Any, records: Sequence[Record]) -> None:
        self.outputs: list[Tensor] = nest.flatten(given)  # of the recorded call, until `forget`
        self.count = len(self.outputs)
        self.structure = None if type(given) is Tensor else nest.map_structure(lambda each: 0, given)
        self.last: tuple[Any, dict[str, Any]] | None = None  # what makes probabilities of the logits, and its params
        if any(type(each) is not Tensor or each._array.dtype.kind != "f" for each in self.outputs):
            raise CannotReplay("Outputs that are no floats have no gradient.")
        if any(record[0].name == "custom_gradient" for record in records):
            raise CannotReplay("Gradients of one's own may do what they like.")
        if type(given) is Tensor and (logits := getattr(given, "_logits", None)) is not None:
            # Losses look for what is behind probabilities: the last operation stays outside.
            primitive, behind, params, made = records[-1]
            if made is given and behind == (logits,):
                self.last, self.outputs = (getattr(ops, primitive.name), params), [logits]
        if any(map(is_marked, self.outputs)):
            raise CannotReplay("Masks, and the logits of several outputs, would be lost.")
        if len({id(each) for each in self.outputs}) < self.count:
            raise CannotReplay("Two outputs are one Tensor, and would be two.")

    def forget(self) -> Form:
        """Let go of the recorded outputs."""
        self.outputs = []
        return self

    def given(self, outputs: list[Tensor]) -> Any:
        """What the function gives, from the outputs of the program."""
        if self.last is not None:
            behind, params = self.last
            made = behind(outputs[0], **params)
            made._logits = outputs[0]
            return made
        return outputs[0] if self.structure is None else nest.pack_sequence_as(self.structure, outputs)


class FirstHalf:
    """The statements up to the pause that the outputs depend on, and what is known of the gradients behind it."""

    def __init__(self, recording: Recording, outputs: int) -> None:
        pause = next(place for place, each in enumerate(recording.statements) if each.kind == "pause")
        self._outputs = list(recording.statements[pause].inputs[:outputs])
        needed = set(self._outputs)
        read: dict[int, Variable] = {}
        kept = []
        for each in reversed(recording.statements[:pause]):
            is_draw = each.kind == "op" and each.primitive.draws  # whose numbers are counted
            if each.kind == "effect" or (each.kind == "write" and id(each.target) in read):
                raise CannotReplay("Effects, and variables that are read again, belong to whole steps.")
            if is_draw or any(number in needed for number in each.outputs):
                needed.update(each.inputs)
                kept.append(copy(each))  # the passes will change them
                if each.kind == "read":
                    read[id(each.target)] = each.target
        self._statements = kept[::-1]
        self._inputs = list(recording.inputs)
        self._constants = dict(recording.constants)
        self.variables = list(read.values())[::-1]  # whose values the outputs depend on
        # Those that tapes watch unasked: the same ones while the passage holds.
        self.watched = [each for each in self.variables if each._trainable and each._peek().dtype.kind == "f"]
        self.width = len(self._inputs) + len(self.variables)
        self.places: list[int] = []  # of inputs and variables, those with a gradient
        self.sources: list[Any] = []  # those variables, where no input has one, and there is one output

    def place(self, inputs: Sequence[Tensor], sources: Sequence[Any]) -> None:
        """Say which of the recorded inputs and the variables have a gradient, in the order in which it comes."""
        places = {id(each): place for place, each in enumerate([*inputs, *self.variables])}
        self.places = [places[id(each)] for each in sources]
        if len(self._outputs) == 1 and all(isinstance(each, Variable) for each in sources):
            self.sources = list(sources)

    def placed(self, gradients: Sequence[Any]) -> list[Any]:
        """The gradients at the places of their inputs and variables, None between them."""
        found: list[Any] = [None] * self.width
        for place, each in zip(self.places, gradients, strict=True):
            found[place] = each
        return found

    def redone(self, inputs: Sequence[Tensor], drawn: Sequence[Tensor]) -> list[Tensor]:
        """The outputs again, operation by operation, from the inputs, the variables' values and the random numbers."""
        count = len(self._inputs)
        held = {id(each): value for each, value in zip(self.variables, inputs[count:], strict=True)}
        values = {number: Tensor(array) for number, array in self._constants.items()}
        values |= zip(self._inputs, inputs[:count], strict=True)
        numbers = iter(drawn)
        for each in self._statements:
            if each.kind == "read":
                values[each.outputs[0]] = held[id(each.target)]
            elif each.primitive.draws:
                values[each.outputs[0]] = next(numbers)
            else:
                op = getattr(ops, each.primitive.name)
                made = op(*(values[number] for number in each.inputs), **each.params)
                values |= zip(each.outputs, made if type(made) in (tuple, list) else (made,), strict=True)
        return [values[number] for number in self._outputs]


class Passage:
    """The calls of one signature: the shapes and dtypes of the inputs, which of them are tracked, all else.

    `is_free`: whether no tape is open.
    """

    def __init__(self, is_free: bool, behind: Sequence[Any] = ()) -> None:
        self.trace = Trace(behind=behind)
        self.is_free = is_free
        self.made = 0  # how many programs there are
        self.is_off = False  # whether calls go on without a program
        self.form: Any = None  # the Form of the outputs, once it is known
        self.half: Any = None  # the FirstHalf, likewise; None where no tape is open

    def is_current(self) -> bool:
        """Whether its trace is."""
        return self.trace.is_current()

    def run(self, function: Function, inputs: Sequence[Tensor], owner: Any = None) -> Any:
        """`function(*inputs)`, on the one open tape or without any: replayed, or recorded if it is time, or neither.

        `inputs`: none of them may be marked. `owner`: whose `trainable_variables` the gradients are likely to be asked
        for, in their order.
        """
        program = self._take() if self.trace.is_ready else None
        if program is not None:
            return self._replayed(program, inputs)
        self.trace.passed += 1
        if self.trace.passed <= PATIENCE or self.is_off or self.trace.is_ready:
            return function(*inputs)
        return self._recorded_free(function, inputs) if self.is_free else self._recorded(function, inputs, owner)

    def _take(self) -> Program | None:
        """A program that nobody runs; None where too many are under way, or the variables move all the time."""
        if self.is_off:
            return None
        try:
            program = self.trace.programs.pop()
        except IndexError:
            return self._made()
        self.is_off = program.bindings > MOVES
        return None if self.is_off else program

    def _made(self) -> Program | None:
        if self.made >= AT_ONCE:
            return None
        self.made += 1
        made = self.trace.take()
        self.is_off = made.bytes > LARGEST
        return None if self.is_off else made

    def _replayed(self, program: Program, inputs: Sequence[Tensor]) -> Any:
        arrays = [each._array for each in inputs]
        if self.is_free:
            try:
                outputs = [Tensor(each) for each in program.run(*arrays)]
            finally:
                self.trace.give(program)
            return self.form.given(outputs)
        try:
            running, made = program.start(*arrays)
        except BaseException:
            self.trace.give(program)
            raise
        trail: Any = STATE.trail
        count, token = self.form.count, trail.token
        call = Call(self, program, running, made[count:])
        outputs = [Tensor(each, token) for each in made[:count]]
        record = PASSAGE, (*inputs,), {"call": call}, outputs[0] if count == 1 else tuple(outputs)
        trail.lone._notice_call(call, record)
        return self.form.given(outputs)

    # -------------------------------------------------------------------------------------------------------- recording

    def _recorded_free(self, function: Function, inputs: Sequence[Tensor]) -> Any:
        """The call, recorded where no tape is open."""
        with Recorder([Tensor(each._array) for each in inputs], is_lenient=True) as recorder:
            given = function(*recorder.inputs)
            with self._learning(recorder):
                _need_whole(recorder)
                form = Form(given, recorder.trail.records)
                self.trace.keep(recorder.finish(form.outputs))
                self.form = form.forget()
        return given

    @contextmanager
    def _learning(self, recorder: Recorder) -> Iterator[None]:
        """Within this `with` block a recording is looked at; where it cannot be replayed, calls go on without."""
        try:
            yield
        except CannotReplay:
            self.is_off = True
            self.trace.note(list(recorder.layers.values()))

    def _recorded(self, function: Function, inputs: Sequence[Tensor], owner: Any) -> Any:
        """The call, once with its backward pass for the program; the trail gets the records of its operations."""
        trail: Any = STATE.trail
        own = [Tensor(each._array) for each in inputs]
        tracked = [mine for mine, each in zip(own, inputs, strict=True) if trail.marks(each)]
        with no_gradient_inside(), Recorder(own, is_lenient=True) as recorder:
            with GradientTape() as tape:
                tape.watch(tracked)
                given = function(*own)
            snapshots = [
                (each, snapshot) for each in tape.watched_variables() for snapshot in tape._snapshots[id(each)]
            ]
            records = list(recorder.trail.records)
            with self._learning(recorder), errstate(all="ignore"):  # nobody has asked for this backward pass
                likely = owner.trainable_variables if owner is not None else ()
                self._learn(recorder, tape, given, records, [*tracked, *likely])
        for variable, snapshot in snapshots:
            for each in trail.listening:
                each._notice(variable, snapshot)
        identity = PRIMITIVES["identity"]
        links: list[Record] = [(identity, (each,), {}, mine) for mine, each in zip(own, inputs, strict=True)]
        for record in [*links, *records]:
            primitive, given_to, _, output = record
            if primitive.is_differentiable and any(trail.marks(each) for each in given_to):
                for each in output if type(output) is tuple else (output,):
                    trail.mark(each)
                trail.records.append(record)
        return given

    def _learn(
        self, recorder: Recorder, tape: GradientTape, given: Any, records: list[Record], sources: list[Any]
    ) -> None:
        """Learn the program of a call that was just made, with the gradients of `sources`: it is recorded here."""
        _need_whole(recorder)
        form = Form(given, records)
        drawn = [record[3] for record in records if record[0].draws]
        cotangents = [Tensor(ones_like(each._array)) for each in form.outputs]
        recorder.pause([*form.outputs, *drawn], cotangents)
        known = {id(each) for each in sources}
        sources = [*sources, *(each for each in tape.watched_variables() if id(each) not in known)]
        gradients = tape.gradient(form.outputs, sources, output_gradients=cotangents)
        sources = [each for each, g in zip(sources, gradients, strict=True) if g is not None]
        if not sources:
            raise CannotReplay("There is nothing to take a gradient of.")
        recording = recorder.finish([g for g in gradients if g is not None])
        half = FirstHalf(recording, form.count)
        half.place(recorder.inputs, sources)
        self.trace.keep(recording)
        self.form, self.half = form.forget(), half


def is_marked(tensor: Tensor) -> bool:
    """Whether layers and losses find more on a Tensor than its values: a mask, or the logits behind probabilities."""
    return hasattr(tensor, "_keras_mask") or hasattr(tensor, "_logits")


def _need_whole(recorder: Recorder) -> None:
    """Raise CannotReplay where the call did what a program cannot."""
    if recorder.error is not None:
        raise recorder.error
