"""`GradientTape`: TensorFlow's tape over the thread's trail.

A tape owns stretches of the trail (from where it opens or resumes to where it closes or pauses) and knows what it
watches. `gradient` asks for the walk over those stretches; `jacobian` asks for it with a stack of cotangents.
"""

from __future__ import annotations

import enum
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from operator import is_
from typing import Any, Literal, Self

import numpy as np

from minitrain import nest
from minitrain.engine.backward import reach, walk
from minitrain.engine.convert import to_array, to_dtype
from minitrain.engine.primitive import ops
from minitrain.engine.tensor import Tensor, TensorLike
from minitrain.engine.trail import STATE, Record, Trail, refresh
from minitrain.engine.variable import Variable
from minitrain.errors import DTypeError, InvalidArgumentError, ShapeError, TapeError

__all__ = ["GradientTape", "UnconnectedGradients"]


class UnconnectedGradients(enum.Enum):
    """What `gradient` gives for a source that does not reach the target: None, or zeros."""

    NONE = "none"
    ZERO = "zero"


ONES = {kind: np.ones((), kind) for kind in "efd"}  # what the gradient of a scalar starts from; nobody writes to them

Unconnected = UnconnectedGradients | Literal["none", "zero"]


class GradientTape:
    """Record operations inside a `with` block, then ask for gradients.

    `persistent`: whether gradients may be asked for more than once. `watch_accessed_variables`: whether trainable
    variables are watched as soon as they are read. `trace`: whether to remember the line of the user's code for every
    operation, for `explain`; it makes recording several times slower.

    >>> x = Variable(3.0)
    >>> with GradientTape() as tape:
    ...     y = x * x
    >>> tape.gradient(y, x)
    <mt.Tensor: shape=(), dtype=float32, numpy=6.0>
    """

    def __init__(self, persistent: bool = False, watch_accessed_variables: bool = True, *, trace: bool = False) -> None:
        self._persistent = persistent
        self._watch_accessed_variables = watch_accessed_variables
        self._tracing = trace
        self._trail: Trail | None = None
        self._is_used = False
        self._is_recording = False
        # Whether a program may stand for what happens on it: it is asked once, and for trainable variables alone.
        self._is_usual = watch_accessed_variables and not persistent and not trace
        self._forget()

    def _forget(self) -> None:
        self._stretches: list[list[int | None]] = []  # [start, stop) of the trail's records; stop None: still open
        self._watched: dict[int, Tensor] = {}  # by id: constants, and snapshots of variables
        self._variables: dict[int, Variable] = {}  # by id, in the order in which they were first read
        self._snapshots: dict[int, list[Tensor]] = {}  # id of a variable -> what stood for it
        # The places of records of calls that were replayed, and the calls, whose variables nobody has asked for yet.
        self._calls: list[tuple[int, Any]] = []
        self._read_at_once: Sequence[Variable] = ()  # the variables of the call that all gradients came through

    # ------------------------------------------------------------------------------------------ opening and closing

    def __enter__(self) -> Self:
        if self._is_recording:
            raise InvalidArgumentError(
                "Tape is still recording. This can happen if you try to re-enter an already-active tape: open a new "
                "GradientTape instead."
            )
        home = STATE.home
        if home is None:
            home = STATE.home = self._trail or Trail()
            home.token.alive = True
        if self._trail is not None and self._trail is not home:
            raise TapeError("A tape that has recorded cannot be opened again inside another tape: open a new one.")
        self._is_used = False
        self._trail = home
        home.tapes.append(self)
        self._resume()
        return self

    def __exit__(self, *exception: object) -> None:
        if self._is_recording:
            self._close()

    def _close(self) -> None:
        assert self._trail is not None
        self._trail.tapes.remove(self)
        self._pause()

    def _resume(self) -> None:
        assert self._trail is not None
        self._is_recording = True
        self._stretches.append([len(self._trail.records), None])
        refresh()

    def _pause(self) -> None:
        assert self._trail is not None
        if self._is_recording:
            self._is_recording = False
            self._stretches[-1][1] = len(self._trail.records)
        refresh()

    @contextmanager
    def stop_recording(self) -> Iterator[None]:
        """Within this `with` block the tape does not record; what is computed there is constant to it."""
        if not self._is_recording:
            raise InvalidArgumentError("Attempted to stop recording on a tape that is not recording.")
        self._pause()
        try:
            yield
        finally:
            if self._trail is not None and self in self._trail.tapes:  # not closed by `gradient` in the meantime
                self._resume()

    def reset(self) -> None:
        """Forget everything recorded and watched so far, as if the `with` block began here."""
        if not self._is_recording:
            raise InvalidArgumentError("Tape is not recording: `reset` belongs inside its `with` block.")
        trail = self._trail
        assert trail is not None
        self._pause()
        self._forget()
        if trail.tapes == [self]:  # nobody else needs the records
            trail.tapes.clear()
            refresh()
            trail = self._trail = STATE.home = Trail()
            trail.tapes.append(self)
        self._resume()

    # ----------------------------------------------------------------------------------------------------- watching

    def watch(self, tensor: Any) -> None:
        """Watch a Tensor, a Variable, or a nested structure of them, from here on. Only floats can be watched.

        Raises TapeError where the tape is not recording and DTypeError for what is no Tensor.
        """
        if self._trail is None or not self._is_recording:
            raise TapeError("`watch` needs a tape that is recording: call it inside the tape's `with` block.")
        for each in nest.flatten(tensor):
            if not isinstance(each, TensorLike):
                raise DTypeError(
                    f"Expected a Tensor, a Variable or a nested structure of them, received {each!r} of type "
                    f"{type(each).__name__!r}. Wrap it in minitrain.constant first."
                )
            if not each.dtype.is_floating:
                warnings.warn(
                    f"The dtype of the watched tensor must be floating (e.g. float32), got {each.dtype.name}.",
                    stacklevel=2,
                )
            elif isinstance(each, Variable):
                self._watch_variable(each)
            else:
                tensor = each._read()
                self._watched[id(tensor)] = tensor
                self._trail.mark(tensor)

    def _watch_variable(self, variable: Variable) -> None:
        """Watch a variable whether or not it is trainable: its snapshot of now and those that will be read."""
        if not variable._trainable:
            self._is_usual = False
            self._trail.lone = None  # type: ignore[union-attr]
        self._variables[id(variable)] = variable
        snapshot = variable._read()
        if id(snapshot) not in self._watched:
            self._watch_snapshot(variable, snapshot)

    def _notice(self, variable: Variable, snapshot: Tensor) -> None:
        """A variable was read while this tape recorded; `snapshot` stands for its value from now on."""
        if self._calls:
            self._settle()
        key = id(variable)
        if key not in self._variables:
            if not (self._watch_accessed_variables and variable._trainable and snapshot._array.dtype.kind == "f"):
                return
            self._variables[key] = variable
            if snapshot._token is None:  # the usual case: its first reading, on one tape
                trail: Any = self._trail
                snapshot._token = trail.token
                self._watched[id(snapshot)] = snapshot
                self._snapshots[key] = [snapshot]
                return
        self._watch_snapshot(variable, snapshot)

    def _watch_snapshot(self, variable: Variable, snapshot: Tensor) -> None:
        trail: Any = self._trail
        self._watched[id(snapshot)] = snapshot
        self._snapshots.setdefault(id(variable), []).append(snapshot)
        trail.mark(snapshot)

    def _notice_call(self, call: Any, record: Record) -> None:
        """A call was replayed: its record, with `call` among the params, as yet lacks the variables that it read.

        Most loops ask for the gradients of one model's variables, and those need no look at each of them.
        """
        records = self._trail.records  # type: ignore[union-attr]
        self._calls.append((len(records), call))
        records.append(record)

    def _settle(self) -> None:
        """Notice the variables of calls as if they had been read one by one."""
        calls, self._calls = self._calls, []
        records = self._trail.records  # type: ignore[union-attr]
        for place, call in calls:
            primitive, inputs, params, output = records[place]
            snapshots = call.snapshots()
            self._variables |= {id(each): each for each in call.watched if id(each) not in self._variables}
            for variable, snapshot in zip(call.variables, snapshots, strict=True):
                if id(variable) in self._variables:
                    self._watch_snapshot(variable, snapshot)
            records[place] = primitive, (*inputs, *snapshots), params, output

    def watched_variables(self) -> tuple[Variable, ...]:
        """The variables watched so far, in the order in which they were first read."""
        if self._calls:
            self._settle()
        self._variables |= {id(each): each for each in self._read_at_once}
        return tuple(self._variables.values())

    # ---------------------------------------------------------------------------------------------------- gradients

    def gradient(
        self,
        target: Any,
        sources: Any,
        output_gradients: Any = None,
        unconnected_gradients: Unconnected = "none",
    ) -> Any:
        """The gradient of `target` with respect to `sources`, in the structure of `sources`.

        `target`: a Tensor or a nested structure of them, which are summed. `sources`: a nested structure of Tensors
        and Variables. `output_gradients`: the cotangents of the targets, ones by default, None among several for
        ones. `unconnected_gradients`: "none" or "zero", what to give for a source that does not reach the target.
        Each gradient has its source's shape and dtype.

        Raises TapeError on a second call to a tape that is not persistent, DTypeError for what is no Tensor, and
        ShapeError where a cotangent does not fit its target.
        """
        zeros = unconnected_gradients != "none" and self._wants_zeros(unconnected_gradients)
        found, flat = None, sources
        if len(self._calls) == 1 and type(target) is Tensor and type(sources) is list and output_gradients is None:
            found = self._found_through_call(target, sources)
        if found is None:
            targets = self._as_targets(target)
            flat = self._as_sources(sources)
            records = self._take_records()
            given = None if output_gradients is None else _aligned(target, output_gradients)
            seeds = self._seeds(targets, given)
            found = self._found(records, seeds, flat, lead=0)
        self._release()
        if zeros:
            found = [_zeros_like(each) if g is None else g for each, g in zip(flat, found, strict=True)]
        if flat is sources:
            return found
        return found[0] if isinstance(sources, TensorLike) else nest.pack_sequence_as(sources, found)

    def jacobian(
        self,
        target: Any,
        sources: Any,
        unconnected_gradients: Unconnected = "none",
        parallel_iterations: int | None = None,
        experimental_use_pfor: bool = True,
    ) -> Any:
        """The Jacobian of `target`: for each source a Tensor of shape (*target.shape, *source.shape).

        `target`: one Tensor. `sources`: a nested structure. The walk is vectorised: one pass with a stack of
        cotangents, or one pass per element of `target` with `experimental_use_pfor=False`, which needs less memory.
        Raises as `gradient` does.
        """
        zeros = self._wants_zeros(unconnected_gradients)
        (target,) = self._as_targets(target, single=True)
        flat = self._as_sources(sources)
        records = self._take_records()
        shape = tuple(target.shape)
        size = int(np.prod(shape, dtype=np.int64))
        stack = np.eye(size, dtype=target.dtype.dtype).reshape((size, *shape))
        if experimental_use_pfor and self._is_stackable(records):
            found = self._found(records, [(target, Tensor(stack))], flat, lead=1)
        else:
            rows = [self._found(records, [(target, Tensor(row))], flat, lead=0) for row in stack]
            found = _stack_rows(rows, len(flat))
        self._release()
        jacobians = [
            _shaped(gradient, shape + tuple(source.shape))
            if gradient is not None
            else (_filled(shape + tuple(source.shape), source) if zeros else None)
            for source, gradient in zip(flat, found, strict=True)
        ]
        return nest.pack_sequence_as(sources, jacobians)

    def batch_jacobian(
        self,
        target: Any,
        source: Any,
        unconnected_gradients: Unconnected = "none",
        parallel_iterations: int | None = None,
        experimental_use_pfor: bool = True,
    ) -> Any:
        """One Jacobian per example: a Tensor of shape (n, *target.shape[1:], *source.shape[1:]).

        `target`: (n, ...) and `source`: (n, ...), where row i of the target depends on row i of the source alone.
        The walk is vectorised as in `jacobian`. Raises ShapeError where the first axes differ.
        """
        self._wants_zeros(unconnected_gradients)
        (target,) = self._as_targets(target, single=True)
        (source,) = self._as_sources([source])
        shape, of = tuple(target.shape), tuple(source.shape)
        if not shape or not of or shape[0] != of[0]:
            raise ShapeError(
                f"`batch_jacobian` needs the same first axis in target and source, received target shape {shape} and "
                f"source shape {of}. Use `jacobian` where the target has no batch axis."
            )
        records = self._take_records()
        size = int(np.prod(shape[1:], dtype=np.int64))
        rows = np.eye(size, dtype=target.dtype.dtype).reshape((size, 1, *shape[1:]))
        stack = np.broadcast_to(rows, (size, *shape))
        if experimental_use_pfor and self._is_stackable(records):
            (found,) = self._found(records, [(target, Tensor(stack))], [source], lead=1)
        else:
            each = [self._found(records, [(target, Tensor(row))], [source], lead=0) for row in stack]
            (found,) = _stack_rows(each, 1)
        self._release()
        if found is None:  # zeros even for "none", as in TensorFlow
            return _filled(shape + of[1:], source)
        found = ops.transpose(found, perm=(1, 0, *range(2, len(of) + 1)))
        return _shaped(found, shape + of[1:])

    # ---------------------------------------------------------------------------------------------------- explaining

    def explain(self, target: Any, source: Any) -> str:
        """One readable paragraph: how `source` reaches `target`, or why the gradient is None.

        Names the operations on the way, or the reason and, with `trace=True`, the file and line of the user's code.
        It can be asked before or after `gradient`, on a tape that is not persistent before it alone.
        """
        from minitrain.engine.explain import explain

        (target,) = self._as_targets(target, single=True)
        (source,) = self._as_sources([source])
        if self._is_used:
            raise TapeError("A non-persistent GradientTape forgets its records with `gradient`: call `explain` first.")
        return explain(self, target, source)

    # ------------------------------------------------------------------------------------------------------ the walk

    def _records(self) -> list[Record]:
        """The records of this tape's stretches."""
        if self._trail is None:
            return []
        if self._calls:
            self._settle()
        records = self._trail.records
        if len(self._stretches) == 1:
            start, stop = self._stretches[0]
            return records[start:stop]
        return [record for start, stop in self._stretches for record in records[start:stop]]

    def _take_records(self) -> list[Record]:
        if self._is_used:
            raise TapeError(
                "A non-persistent GradientTape can only be used to compute one set of gradients (or jacobians). Use "
                "GradientTape(persistent=True), or ask for all of them at once."
            )
        if not self._persistent and self._trail is not None and self in self._trail.tapes:
            self._close()
        return self._records()

    def _release(self) -> None:
        if not self._persistent:
            variables = self._variables  # `watched_variables` is asked after the gradient too
            read = self._calls[0][1].watched if self._calls else ()
            self._is_used = True
            self._trail = None
            self._forget()
            self._variables, self._read_at_once = variables, read

    def _stand_ins(self, each: Any) -> list[Tensor]:
        """The Tensors on the trail that stand for a source or target: itself, or a variable's snapshots."""
        if isinstance(each, Variable):
            return self._snapshots.get(id(each), [])
        return [each]

    def _found(
        self, records: list[Record], seeds: list[tuple[Any, Tensor]], sources: list[Any], lead: int
    ) -> list[Tensor | None]:
        """The gradient of each source, as Tensors; None where unconnected. `seeds`: targets with their cotangents."""
        trail = STATE.trail
        recorded = trail is not None and bool(trail.listening)
        snapshots = self._snapshots
        stands: list[Sequence[Tensor]] = []
        keys = set()
        for source in sources:
            held = snapshots.get(id(source))  # of a variable, since only those have snapshots
            stand: Sequence[Tensor] = held or (() if isinstance(source, Variable) else (source,))
            stands.append(stand)
            for each in stand:
                keys.add(id(each))
        watched = self._watched.keys()
        # Where all that is watched is asked for, all that was recorded lies between, but for what other tapes watch.
        is_all = keys == watched
        if not is_all and not keys <= watched:
            keys &= reach(records, watched)
            is_all = keys == watched
        cotangents: dict[int, Any] = {}
        for target, seed in seeds:
            for each in self._stand_ins(target)[-1:]:
                total = cotangents.get(id(each))
                value = seed if recorded else seed._array
                cotangents[id(each)] = value if total is None else total + value
        walk(records, cotangents, keys, recorded=recorded, lead=lead, is_all=is_all)
        answers: list[Tensor | None] = []
        for source, stand in zip(sources, stands, strict=True):
            total = None
            for each in reversed(stand):  # what was read last comes first, as within the walk
                if (key := id(each)) in keys and (part := cotangents.get(key)) is not None:
                    total = part if total is None else total + part
            if total is None:  # a target that is its own source, watched or not
                total = next((seed for target, seed in seeds if target is source), None)
            if total is not None and type(total) is not Tensor:
                total = Tensor(total if type(total) is np.ndarray else np.asarray(total))
            answers.append(total)
        return answers

    def _found_through_call(self, target: Tensor, sources: list[Any]) -> list[Tensor | None] | None:
        """The gradients for the usual loop: nothing was read but in one replayed call, whose variables are asked for.

        None where it is not so, and the general way is to be gone.
        """
        ((place, call),) = self._calls
        wanted = call.sources
        if self._watched or len(wanted) != len(sources) or not all(map(is_, wanted, sources)):
            return None
        if len(self._stretches) > 1 or target._array.dtype.kind != "f" or STATE.checking or call.has_stopped:
            return None
        trail: Any = self._trail
        if self._is_recording:
            self._close()
        if STATE.trail is not None:
            return None
        out = trail.records[place][3]
        cotangents = {id(target): _seed(target, None)._array}
        walk(trail.records[place + 1 : self._stretches[0][1]], cotangents, (id(out),), recorded=False, is_all=True)
        g = cotangents.get(id(out))
        if g is None:
            return [None] * len(sources)
        answers: list[Tensor | None] = call.gradients_of_sources(g)
        return answers

    @staticmethod
    def _seeds(targets: list[Any], cotangents: list[Any] | None) -> list[tuple[Any, Tensor]]:
        seeds = []
        for place, target in enumerate(targets):
            if target._peek().dtype.kind == "f":
                seeds.append((target, _seed(target, None if cotangents is None else cotangents[place])))
            else:
                warnings.warn(
                    "The dtype of the target tensor must be floating (e.g. float32) when calling "
                    f"GradientTape.gradient, got {target.dtype.name}.",
                    stacklevel=3,
                )
        return seeds

    def _is_stackable(self, records: list[Record]) -> bool:
        return all(record[0].stackable for record in records)

    @staticmethod
    def _wants_zeros(unconnected_gradients: Any) -> bool:
        try:
            return UnconnectedGradients(unconnected_gradients) is UnconnectedGradients.ZERO
        except ValueError:
            raise InvalidArgumentError(
                f"Unknown value for unconnected_gradients: {unconnected_gradients!r}. Expected 'none' or 'zero'."
            ) from None

    @staticmethod
    def _as_targets(target: Any, *, single: bool = False) -> list[Any]:
        if type(target) is Tensor:
            return [target]
        targets = nest.flatten(target)
        for each in targets:
            if not isinstance(each, TensorLike):
                raise DTypeError(
                    "Argument `target` should be a Tensor, a Variable or a nested structure of them to be "
                    f"differentiated, but received {each!r} of type {type(each).__name__!r}. A value that was taken "
                    "out with `.numpy()` or `float()` is off the tape: keep the Tensor."
                )
        if single and len(targets) != 1:
            raise InvalidArgumentError(f"Expected one target, received {len(targets)}. Ask for each of them in turn.")
        return targets

    @staticmethod
    def _as_sources(sources: Any) -> list[Any]:
        if type(sources) is list:
            for each in sources:
                if not isinstance(each, TensorLike):
                    break
            else:
                return sources
        flat = [sources] if isinstance(sources, TensorLike) else nest.flatten(sources)
        for each in flat:
            if not isinstance(each, TensorLike):
                raise DTypeError(
                    "Argument `sources` should be Tensors, Variables or a nested structure of them, but received "
                    f"{each!r} of type {type(each).__name__!r}. Make it a Tensor with minitrain.constant and watch it "
                    "before it is used."
                )
        return flat


def _aligned(target: Any, output_gradients: Any) -> list[Any]:
    """One entry of `output_gradients` for each leaf of `target`; below a leaf, lists are lists of numbers."""
    if not nest.is_nested(target):
        if isinstance(output_gradients, (list, tuple)) and len(output_gradients) == 1:
            (one,) = output_gradients
            if one is None or np.ndim(one) == target.ndim:
                return [one]
        return [output_gradients]
    leaves = nest.children(target)
    given = nest.children(output_gradients) if nest.is_nested(output_gradients) else [output_gradients]
    if len(given) != len(leaves):
        raise InvalidArgumentError(
            f"`output_gradients` needs one entry per target: expected {len(leaves)}, received {len(given)}."
        )
    return [each for leaf, one in zip(leaves, given, strict=True) for each in _aligned(leaf, one)]


def _seed(target: Any, cotangent: Any) -> Tensor:
    array = target._peek()
    if cotangent is None:
        if not array.shape:
            return Tensor(ONES[array.dtype.char])
        ones = np.empty(array.shape, array.dtype)
        ones.fill(1.0)
        return Tensor(ones)
    if isinstance(cotangent, TensorLike):
        tensor = to_dtype(cotangent._read(), array.dtype)
    else:
        tensor = Tensor(to_array(cotangent, array.dtype))
    if tensor.shape == array.shape:
        return tensor
    try:
        return ops.broadcast_to(tensor, shape=array.shape)
    except ValueError as error:
        raise ShapeError(
            f"`output_gradients` must have the shape of their target: expected {array.shape}, received "
            f"{tuple(tensor.shape)}."
        ) from error


def _stack_rows(rows: list[list[Tensor | None]], width: int) -> list[Tensor | None]:
    """Gradients of row after row, stacked for each source; None where no row reaches it, zeros where some do not."""
    stacked: list[Tensor | None] = []
    for place in range(width):
        column = [row[place] for row in rows]
        some = next((each for each in column if each is not None), None)
        stacked.append(
            None if some is None else ops.stack(*(ops.zeros_like(some) if g is None else g for g in column), axis=0)
        )
    return stacked


def _shaped(tensor: Tensor, shape: tuple[int, ...]) -> Tensor:
    """A stack of gradients in its final shape; a rule that ignores the stack has left it out."""
    if int(np.prod(tensor.shape, dtype=np.int64)) != int(np.prod(shape, dtype=np.int64)):
        rest = tuple(tensor.shape)
        tensor = ops.broadcast_to(tensor, shape=shape[: len(shape) - len(rest)] + rest)
    return ops.reshape(tensor, shape=shape)


def _filled(shape: tuple[int, ...], source: Any) -> Tensor:
    return Tensor(np.zeros(shape, source.dtype.dtype))


def _zeros_like(source: Any) -> Tensor:
    return _filled(tuple(source.shape), source)
