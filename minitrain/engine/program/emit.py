"""Emitting: statements as straight-line source over buffers that are there before the first line runs.

A value stands in a `Slot`: static, an array that is the same in every run, so that its views and bound methods are made
once; or dynamic, a local name. Operations that say how they write into a given array (every ufunc does) get a static
slot, whose memory is used again when the value is no longer needed. Others are called, and their results are dynamic.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, cast

import numpy as np

from minitrain.engine.primitive import Primitive
from minitrain.engine.program.record import Recording, Statement
from minitrain.engine.variable import Variable

__all__ = ["Emitter", "Slot"]

ALIGNED = 64  # bytes: whole cache lines
OPERATORS = {np.add: "+", np.subtract: "-", np.multiply: "*", np.divide: "/"}
FILLED = 1 << 18  # elements up to which an array of one number is kept beside one of its shape
LONG_ROW = 32  # elements from which rows are worth a call of the inner loop each
SMALL = 16_384  # elements up to which NumPy's own overhead is what an operation costs


class Slot:
    """Where a value stands: its `name` in the source, and its array if that is static."""

    __slots__ = ("array", "dtype", "name", "roots", "shape")

    def __init__(self, name: str, shape: tuple[int, ...], dtype: Any, array: Any, roots: frozenset[int]) -> None:
        self.name = name
        self.shape = shape
        self.dtype = dtype
        self.array = array
        self.roots = roots  # the memory that it may share

    def __str__(self) -> str:
        return self.name

    @property
    def ndim(self) -> int:
        """The number of axes."""
        return len(self.shape)


class Emitter:
    """Makes the source of a recording. `lines` are the statements, `namespace` what their names stand for."""

    def __init__(
        self,
        recording: Recording,
        *,
        views: dict[int, Any],
        wanted: dict[int, Any] | None = None,
        places: dict[int, list[Any] | None] | None = None,
        batches: int = 0,
    ) -> None:
        self.recording = recording
        self.namespace: dict[str, Any] = {}
        self.lines: list[str] = []
        self.comments: list[str] = []
        self.slots: dict[int, Slot] = {}
        self.views = views  # id of a packed variable -> its view of the pack's buffer
        self.wanted = wanted or {}  # number of a value -> the array that it is wanted in
        self.places = places or {}  # id of an effect -> the arrays that it wants its values in
        self.tables: list[Any] = []  # for each input of a program with buffers for them, that of so many `batches`
        self._objects: dict[int, str] = {}
        self._count = 0
        self._memory: dict[int, Any] = {}  # root -> the bytes behind it
        self._free: list[tuple[int, int]] = []  # (bytes, root)
        self._ends: dict[int, int] = {}  # root -> the place of the last statement that needs it
        self._due: dict[int, list[int]] = {}  # place -> roots that may end there
        self._scratch: list[int] = []
        self.bytes = 0
        self.pause: int | None = None  # the place of the first line behind a pause
        self._comment = ""
        self._last_use = self._lifetimes()
        for number, array in recording.constants.items():
            self.slots[number] = self._static(array, frozenset(), "c")
        for number in recording.inputs:
            shape, dtype = recording.shapes[number], recording.dtypes[number]
            if batches:
                self.tables.append(np.empty((batches, *shape), dtype))
                self.slots[number] = self._static(self.tables[-1][0], frozenset(), "x")
            else:
                self.slots[number] = Slot(self._name("x"), shape, dtype, None, frozenset())
        for place, statement in enumerate(recording.statements):
            self._place = place
            self._comment = self._described(statement)
            getattr(self, f"_{statement.kind}")(statement)
            self._release(place)

    def places_of_batches(self) -> tuple[list[str], Callable[[], list[tuple[Any, ...]]]]:
        """The names that stand for a batch, its views and their methods, and what makes these for each batch."""
        used = set(re.findall(r"\w+", "\n".join(self.lines)))
        found = []
        for name in used & self.namespace.keys():
            thing = self.namespace[name]
            array = thing if isinstance(thing, np.ndarray) else getattr(thing, "__self__", None)
            for table in self.tables if isinstance(array, np.ndarray) else ():
                if np.may_share_memory(array, table):
                    found.append((name, array, None if thing is array else thing.__name__, table))
        count = len(self.tables[0]) if self.tables else 1

        def batches() -> list[tuple[Any, ...]]:
            return [
                tuple([_moved(array, method, table, place) for _, array, method, table in found])
                for place in range(count)
            ]

        return [name for name, *_ in found], batches

    # ----------------------------------------------------------------------------------------------- for emission rules

    def line(self, text: str) -> None:
        """Add a line of source."""
        self.lines.append(text)
        self.comments.append(self._comment)
        self._comment = ""

    def name(self, thing: Any, stem: str = "k") -> str:
        """A name in the source for an object: a ufunc, a number, a bound method."""
        found = self._objects.get(id(thing))
        if found is None:
            stem = getattr(thing, "__name__", stem) if callable(thing) else stem
            found = self._name(stem if stem.isidentifier() else "f")
            self._objects[id(thing)] = found
            self.namespace[found] = thing
        return found

    def number(self, value: float, dtype: Any) -> str:
        """A name for a Python number as an array of no axes, which NumPy takes faster."""
        key = f"n{np.dtype(dtype).char}_{value}".replace(".", "_").replace("-", "m")
        self.namespace.setdefault(key, np.array(value, dtype))
        return key

    def literal(self, value: Any) -> str:
        """The source of a parameter: a name for what has none of its own, such as an infinity."""
        if isinstance(value, (bool, int, str, type(None))):
            return repr(value)
        return self.name(value, "p")

    def scalar(self, value: Any, dtype: Any) -> str:
        """A name for a number as a NumPy scalar, for expressions."""
        key = f"t{np.dtype(dtype).char}_{value}".replace(".", "_").replace("-", "m").replace("+", "p")
        self.namespace.setdefault(key, np.dtype(dtype).type(value))
        return key

    def filled(self, value: float, like: Slot) -> str:
        """A name for an array of one number, in the shape of a value: on small arrays half the time of a number."""
        size = int(np.prod(like.shape, dtype=np.int64))
        return self._full(value, like) if size <= SMALL else self.number(value, like.dtype)

    def _full(self, value: float, like: Slot) -> str:
        key = f"f{like.dtype.char}_{value}_{'x'.join(map(str, like.shape))}".replace(".", "_").replace("-", "m")
        if key not in self.namespace:
            self.namespace[key] = np.full(like.shape, value, like.dtype)
        return key

    def beside(self, value: float, like: Slot) -> str:
        """As `filled`, and one row for large arrays: extremes of two arrays take half the time of one and a number."""
        if like.shape and int(np.prod(like.shape, dtype=np.int64)) > FILLED and like.shape[-1] >= LONG_ROW:
            like = Slot("", like.shape[-1:], like.dtype, None, frozenset())
        size = int(np.prod(like.shape, dtype=np.int64))
        return self._full(value, like) if size <= FILLED else self.number(value, like.dtype)

    def method(self, slot: Slot, name: str) -> str:
        """A method of an array: bound before the program runs where the array is static."""
        if slot.array is None:
            return f"{slot}.{name}"
        bound = f"{slot}_{name}"
        self.namespace.setdefault(bound, getattr(slot.array, name))
        return bound

    def scratch(self, shape: tuple[int, ...], dtype: Any) -> Slot:
        """Memory for the length of this statement."""
        array, root = self._memory_for(shape, np.dtype(dtype))
        self._scratch.append(root)
        return self._static(array, frozenset((root,)), "s")

    def view(self, slot: Slot, make: Any, text: str) -> Slot:
        """A view of an array: made once where that is static, else by the given expression at every run."""
        if slot.array is not None:
            return self._static(make(slot.array), slot.roots, "w")
        local = self._name("w")
        self.line(f"{local} = {text}")
        return Slot(local, (), slot.dtype, None, slot.roots)

    # ------------------------------------------------------------------------------------------------------- statements

    def _op(self, statement: Statement) -> None:
        primitive: Primitive = statement.primitive
        inputs = [self.slots[number] for number in statement.inputs]
        self._scratch = []
        shapes = [self.recording.shapes[number] for number in statement.outputs]
        roots = frozenset().union(*(each.roots for each in inputs)) if inputs else frozenset()
        made = self._viewed(primitive, inputs, statement.params)
        if made is not None:
            self._put(statement.outputs[0], self._static(made, roots, "a"))
        elif (text := self._expressed(statement, inputs)) is not None:
            local = self._name("t")
            self.line(f"{local} = {text}")
            number = statement.outputs[0]
            self._stand(number, Slot(local, (), self.recording.dtypes[number], None, frozenset()))
        elif not statement.is_tuple and (isinstance(primitive.kernel, np.ufunc) or primitive.emit is not None):
            (number,) = statement.outputs
            shape, dtype = shapes[0], self.recording.dtypes[number]
            out = self._out(number, shape, dtype, inputs if primitive.is_elementwise else [])
            if isinstance(primitive.kernel, np.ufunc):
                ufunc = self.name(primitive.kernel)
                given = [self._without_axes(each, inputs, out) for each in inputs]
                self.line(f"{ufunc}({', '.join(map(str, given))}, out={out})")
            elif primitive.emit is not None:
                primitive.emit(self, out, *inputs, **statement.params)
            self._stand(number, out)
        else:
            self._call(statement, inputs, roots)
        for root in self._scratch:
            self._keep(root, self._place)

    def _expressed(self, statement: Statement, inputs: list[Slot]) -> str | None:
        """The source of a float without axes as a NumPy scalar; None for others, and where an array is wanted."""
        number = statement.outputs[0]
        if self.recording.shapes[number] or self.recording.dtypes[number].char not in "fd" or number in self.wanted:
            return None
        if statement.primitive.express is not None:
            return cast(str, statement.primitive.express(self, *inputs, **statement.params))
        sign = OPERATORS.get(statement.primitive.kernel)
        return sign and f" {sign} ".join(map(self._number, statement.inputs))

    def _number(self, number: int) -> str:
        """A constant without axes as a NumPy scalar; other values, such as weights that change, as they stand."""
        slot = self.slots[number]
        is_constant = number in self.recording.constants and slot.shape == ()
        return self.scalar(slot.array, slot.dtype) if is_constant else slot.name

    def _without_axes(self, slot: Slot, inputs: list[Slot], out: Slot) -> Slot:
        """An array of one element beside one of the output's shape: NumPy broadcasts it faster if it has no axes."""
        is_one = slot.array is not None and slot.array.size == 1 and slot.shape != ()
        if is_one and any(each is not slot and each.shape == out.shape for each in inputs):
            return self.view(slot, lambda array: array.reshape(()), "")
        return slot

    @staticmethod
    def _viewed(primitive: Primitive, inputs: list[Slot], params: dict[str, Any]) -> Any:
        """The view that an operation makes of a static array; None where it is none."""
        if not primitive.is_view or inputs[0].array is None:
            return None
        made = primitive.kernel(inputs[0].array, **params)
        return made if isinstance(made, np.ndarray) and np.may_share_memory(made, inputs[0].array) else None

    def _call(self, statement: Statement, inputs: list[Slot], roots: frozenset[int]) -> None:
        """Call the kernel; its results are dynamic, and may be views of its inputs."""
        if statement.primitive.name == "swapaxes" and _turns_a_matrix(inputs[0], **statement.params):
            call = f"{inputs[0]}.T"  # an attribute, at an eighth of the call
        else:
            kernel = self.name(statement.primitive.kernel)
            params = "".join(f", {key}={self.literal(value)}" for key, value in statement.params.items())
            call = f"{kernel}({', '.join(map(str, inputs))}{params if inputs else params[2:]})"
        names = [self._name("t") for _ in statement.outputs]
        if not statement.is_tuple and not self.recording.shapes[statement.outputs[0]]:
            call = f"{self.name(np.asarray)}({call})"  # NumPy gives scalars where an array of no axes is meant
        self.line(f"{', '.join(names)}{',' * (len(names) == 1 and statement.is_tuple)} = {call}")
        for number, name in zip(statement.outputs, names, strict=True):
            shape, dtype = self.recording.shapes[number], self.recording.dtypes[number]
            self._put(number, Slot(name, shape, dtype, None, roots))

    def _put(self, number: int, slot: Slot) -> None:
        """A value that stands somewhere already; copied where it is wanted in another array."""
        place = self.wanted.get(number)
        if place is not None:
            wanted = self._static(place, frozenset(), "g")
            self.line(f"{self.name(np.copyto)}({wanted}, {slot})")
            slot = wanted
        self._stand(number, slot)

    def _read(self, statement: Statement) -> None:
        (number,) = statement.outputs
        variable: Variable = statement.target
        view = self.views.get(id(variable))
        shape, dtype = self.recording.shapes[number], self.recording.dtypes[number]
        if view is not None:
            slot = self._static(view, frozenset(), "v")
        else:
            local = self._name("v")
            self.line(f"{local} = {self.name(variable, 'variable')}._tensor._array")
            slot = Slot(local, shape, dtype, None, frozenset())
        if self._is_read_after_write(number, variable):
            held = self._out(number, shape, dtype, [])
            self.line(f"{self.name(np.copyto)}({held}, {slot})")
            slot = held
        self._stand(number, slot)

    def _is_read_after_write(self, number: int, variable: Variable) -> bool:
        """Whether a value is still used when its variable has been written to."""
        statements = self.recording.statements
        last = self._last_use_of(number)
        aliases = {number}  # views of the value, and what operations gave that may give their input
        for place in range(self._place + 1, len(statements)):
            each = statements[place]
            if each.kind == "op" and not aliases.isdisjoint(each.inputs) and not _is_fresh(each.primitive):
                aliases.update(each.outputs)
                last = max(last, *(self._last_use_of(out) for out in each.outputs))
        for place in range(self._place + 1, min(last, len(statements) - 1) + 1):
            each = statements[place]
            written = [each.target] if each.kind == "write" else each.target.writes if each.kind == "effect" else ()
            # An effect still reads its values while it writes.
            reaches = place <= last if each.kind == "effect" else place < last
            if reaches and any(one is variable for one in written):
                return True
        return False

    def _write(self, statement: Statement) -> None:
        variable: Variable = statement.target
        slot = self.slots[statement.inputs[0]]
        view = self.views.get(id(variable))
        if view is not None:
            self.line(f"{self.name(np.copyto)}({self._static(view, frozenset(), 'v')}, {slot})")
        else:
            self.line(f"{self.name(variable._write, 'write')}({slot})")

    def _effect(self, statement: Statement) -> None:
        slots = [self.slots[number] for number in statement.inputs]
        self._scratch = []
        for slot, place in zip(slots, self.places.get(id(statement.target)) or (), strict=False):
            if place is not None and slot.array is not place:  # an input, a constant, or wanted in two places
                self.line(f"{self.name(np.copyto)}({self._static(place, frozenset(), 'g')}, {slot})")
        if not statement.target.emit(self, slots):
            self.line(f"{self.name(statement.target, 'effect')}([{', '.join(map(str, slots))}])")

    def _pause(self, statement: Statement) -> None:
        self.line(f"given = yield [{', '.join(f'array({self.slots[number]})' for number in statement.inputs)}]")
        self.pause = len(self.lines)
        names = []
        for number in statement.outputs:
            names.append(self._name("g"))
            shape, dtype = self.recording.shapes[number], self.recording.dtypes[number]
            self._stand(number, Slot(names[-1], shape, dtype, None, frozenset()))
        self.line(f"{', '.join(names)}, = given")

    # ----------------------------------------------------------------------------------------------------------- memory

    def _lifetimes(self) -> dict[int, int]:
        """The place of the last statement that uses each value; those that are returned live to the end."""
        last: dict[int, int] = {}
        for place, statement in enumerate(self.recording.statements):
            for number in statement.inputs:
                last[number] = place
        for number in self.recording.outputs:
            last[number] = len(self.recording.statements)
        pause = next((place for place, each in enumerate(self.recording.statements) if each.kind == "pause"), 0)
        for statement in self.recording.statements[:pause]:  # what comes behind it may be done again
            for number in statement.outputs:
                if last.get(number, 0) > pause:
                    last[number] = len(self.recording.statements)
        return last

    def _last_use_of(self, number: int) -> int:
        return self._last_use.get(number, -1)

    def _stand(self, number: int, slot: Slot) -> None:
        """Let a value stand in a slot, whose memory is kept until the value's last use."""
        self.slots[number] = slot
        for root in slot.roots:
            self._keep(root, max(self._last_use_of(number), self._place))

    def _keep(self, root: int, place: int) -> None:
        """Keep memory to the end of this statement at least."""
        if place > self._ends.get(root, -1):
            self._ends[root] = place
            self._due.setdefault(place, []).append(root)

    def _release(self, place: int) -> None:
        """Give memory back that no value after this place stands in."""
        for root in self._due.pop(place, ()):
            if self._ends[root] == place:
                del self._ends[root]
                self._free.append((self._memory[root].nbytes, root))

    def _out(self, number: int, shape: tuple[int, ...], dtype: Any, reusable: list[Slot]) -> Slot:
        """A slot to write a value into: where it is wanted, the memory of an input that dies here, or other memory."""
        place = self.wanted.get(number)
        if place is not None:
            return self._static(place, frozenset(), "g")
        for slot in reusable:
            if (
                slot.array is not None
                and len(slot.roots) == 1
                and slot.shape == shape
                and slot.dtype == dtype
                and slot.array.flags.c_contiguous
                and all(self._ends[root] == self._place for root in slot.roots)
            ):
                return slot
        array, root = self._memory_for(shape, dtype)
        return self._static(array, frozenset((root,)), "a")

    def _memory_for(self, shape: tuple[int, ...], dtype: Any) -> tuple[Any, int]:
        size = max(int(np.prod(shape, dtype=np.int64)) * dtype.itemsize, 1)
        size = -(-size // ALIGNED) * ALIGNED
        fitting = [each for each in self._free if size <= each[0] <= 2 * size]
        if fitting:
            entry = min(fitting)
            self._free.remove(entry)
            root = entry[1]
        else:
            root = len(self._memory)
            self._memory[root] = np.empty(size, np.uint8)
            self.bytes += size
        count = int(np.prod(shape, dtype=np.int64))
        return self._memory[root][: count * dtype.itemsize].view(dtype).reshape(shape), root

    def _static(self, array: Any, roots: frozenset[int], stem: str) -> Slot:
        name = self._name(stem)
        self.namespace[name] = array
        return Slot(name, array.shape, array.dtype, array, roots)

    def _name(self, stem: str) -> str:
        self._count += 1
        return f"{stem}{self._count}"

    def _described(self, statement: Statement) -> str:
        if statement.kind == "op":
            shapes = ", ".join(str(self.recording.shapes[number]) for number in statement.inputs)
            made = ", ".join(str(self.recording.shapes[number]) for number in statement.outputs)
            return f"{statement.primitive.name} {shapes} -> {made}  {_short(statement.line)}"
        if statement.kind == "effect":
            return f"{type(statement.target).__name__}  {_short(statement.line)}"
        return "pause" if statement.kind == "pause" else f"{statement.kind} {statement.target.path}"


def _moved(array: Any, method: str | None, table: Any, place: int) -> Any:
    """An array in the first batch of a table, or its method, as it is in the batch at another place."""
    offset = array.__array_interface__["data"][0] - table.__array_interface__["data"][0] + place * table.strides[0]
    moved = np.ndarray(array.shape, array.dtype, table, offset, array.strides)
    return moved if method is None else getattr(moved, method)


def _is_fresh(primitive: Primitive) -> bool:
    """Whether an operation surely gives memory of its own."""
    return (isinstance(primitive.kernel, np.ufunc) or primitive.emit is not None) and not primitive.is_view


def _turns_a_matrix(slot: Slot, axis1: int, axis2: int) -> bool:
    return slot.ndim == 2 and axis1 % 2 != axis2 % 2


def _short(line: str) -> str:
    return line.rsplit("/", 1)[-1]
