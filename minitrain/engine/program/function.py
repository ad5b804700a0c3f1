"""`function`: a decorator that records a Python function once and replays it from then on.

A program belongs to a signature: the shapes and dtypes of the Tensors among the arguments, and the values of all
others. The first two calls of a signature are both recorded, and the function is replayed only if they did the same.
What branches or loops on a value by `cond` and its kin stays the Python function that it is, after one warning.
"""

from __future__ import annotations

import functools
import inspect
import types
import warnings
import weakref
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy import ndarray

from minitrain import nest
from minitrain.engine.convert import as_tensor, convert_to_tensor
from minitrain.engine.program.passage import Passage, is_marked
from minitrain.engine.program.program import Program
from minitrain.engine.program.record import CannotReplay
from minitrain.engine.program.trace import Kept, Trace
from minitrain.engine.spec import TensorSpec
from minitrain.engine.tensor import Tensor, TensorLike
from minitrain.engine.trail import STATE, Trail
from minitrain.engine.variable import Variable
from minitrain.errors import DTypeError, InvalidArgumentError, ShapeError

__all__ = ["Function", "function"]


class Function:
    """What `function` makes: called as the Python function is, recorded for each signature, then replayed."""

    runs_eagerly = False  # all of them: see `config.run_functions_eagerly`

    def __init__(self, python_function: Callable[..., Any], input_signature: Any = None) -> None:
        self.python_function = python_function
        self.input_signature = input_signature
        self._traces = Kept()
        self._passages = Kept()  # of calls inside a tape
        self._tracings = 0
        self._methods: dict[int, Function] = {}  # by the id of the object that the method belongs to
        functools.update_wrapper(self, python_function)

    def __get__(self, instance: Any, owner: Any = None) -> Function:
        if instance is None:
            return self
        found = self._methods.get(id(instance))
        if found is None:
            reference, method = weakref.ref(instance), self.python_function

            @functools.wraps(method)
            def bound(*args: Any, **kwargs: Any) -> Any:
                return method(reference(), *args, **kwargs)

            bound.__signature__ = inspect.signature(types.MethodType(method, instance))  # type: ignore[attr-defined]
            found = self._methods[id(instance)] = Function(bound, self.input_signature)
            weakref.finalize(instance, self._methods.pop, id(instance), None)
        return found

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if self.input_signature is not None:
            args, kwargs = self._as_signed(args, kwargs), {}
        state = STATE.__dict__  # each look into a thread's state takes as long as three into a dict
        trail = state.get("trail")
        is_outermost = trail is None and state.get("home") is None and not state.get("stands_in", False)
        if not is_outermost or self.runs_eagerly or STATE.checking:
            can_replay = not self.runs_eagerly and not STATE.stands_in
            if can_replay and trail is not None and trail.lone is not None:
                return self._on_tape(args, kwargs, trail)
            return self._in_python(args, kwargs)  # part of what an outer tape or program records
        leaves, structure = _taken_apart(args, kwargs)
        inputs, key, kept = _signature(leaves)
        full = tuple(key) if structure is None else (tuple(key), structure)
        trace = self._traces.current(full) or self._traces.keep(full, Trace(behind=kept))
        if trace.is_ready:
            program = trace.take()
            try:
                arrays = program.run(*inputs)
            finally:
                trace.give(program)
            if trace.structure.is_plain:
                return Tensor(arrays[0])
            return _packed(trace.structure, [Tensor(each) for each in arrays])
        if trace.error is not None:
            return self._in_python(args, kwargs)
        return self._recorded(trace, leaves, inputs, args, kwargs)

    def _on_tape(self, args: Any, kwargs: Any, trail: Trail) -> Any:
        """A call that the one open tape sees: as one record, once calls like it have come some times."""
        leaves, structure = _taken_apart(args, kwargs)
        _, key, kept = _signature(leaves)
        inputs = [_as_input(each) for each in leaves if _is_input(each)]
        if any(map(is_marked, inputs)):
            return self._in_python(args, kwargs)
        full = tuple(key), structure, tuple(map(trail.marks, inputs))
        passage = self._passages.current(full) or self._passages.keep(full, Passage(is_free=False, behind=kept))
        return passage.run(lambda *tensors: self._called(leaves, tensors, args, kwargs), inputs)

    def _called(self, leaves: Sequence[Any], tensors: Sequence[Tensor], args: Any, kwargs: Any) -> Any:
        """What the Python function gives for these Tensors in the places of the arrays among its arguments."""
        places = iter(tensors)
        filled = [next(places) if _is_input(each) else each for each in leaves]
        new_args, new_kwargs = nest.pack_sequence_as((args, kwargs), filled)
        return self.python_function(*new_args, **new_kwargs)

    def _in_python(self, args: Any, kwargs: Any) -> Any:
        """Call the Python function, with Tensors for arrays as where it is recorded."""
        if any(type(each) is not Tensor for each in (*args, *kwargs.values())):
            args, kwargs = nest.map_structure(_as_input, (args, kwargs))
        return self.python_function(*args, **kwargs)

    def _as_signed(self, args: Any, kwargs: Any) -> tuple[Any, ...]:
        """The arguments as Tensors of the dtypes of the signature. Raises where they do not fit it."""
        specs = tuple(self.input_signature)
        if kwargs:
            try:
                bound = inspect.signature(self.python_function).bind(*args, **kwargs)
            except TypeError as error:
                raise InvalidArgumentError(f"The arguments do not fit the function: {error}.") from error
            args, kwargs = bound.args, bound.kwargs
        if kwargs or len(args) != len(specs):
            named = f" and {', '.join(kwargs)} by name" if kwargs else ""
            raise InvalidArgumentError(
                f"The function's `input_signature` has {len(specs)} entries: expected as many positional arguments, "
                f"received {len(args)}{named}."
            )
        return tuple([_as_specs(spec, each) for spec, each in zip(specs, args, strict=True)])

    def get_concrete_function(self, *args: Any, **kwargs: Any) -> Function:
        """The function for one signature: it takes the Tensors alone, and all other arguments are bound as they are.

        The arguments are TensorSpecs, or Tensors and arrays of the shapes and dtypes that will come; none where there
        is an `input_signature`. Raises TypeError where they are not those of the function.
        """
        if self.input_signature is not None and not (args or kwargs):
            return Function(self.python_function, self.input_signature)
        bound = inspect.signature(self.python_function).bind(*args, **kwargs)
        bound.apply_defaults()
        given = {name: nest.map_structure(_as_asked, value) for name, value in bound.arguments.items()}
        specs = {
            name: value
            for name, value in given.items()
            if any(isinstance(each, TensorSpec) for each in nest.flatten(value))
        }

        @functools.wraps(self.python_function)
        def concrete(*tensors: Any) -> Any:
            arguments = inspect.BoundArguments(bound.signature, given | dict(zip(specs, tensors, strict=True)))
            return self.python_function(*arguments.args, **arguments.kwargs)

        names = [inspect.Parameter(name, inspect.Parameter.POSITIONAL_OR_KEYWORD) for name in specs]
        concrete.__signature__ = inspect.Signature(names)  # type: ignore[attr-defined]
        return Function(concrete, list(specs.values()))

    def _recorded(self, trace: Trace, leaves: Sequence[Any], inputs: list[Any], args: Any, kwargs: Any) -> Any:
        """Call the Python function and record it."""
        given = None

        def call(*tensors: Tensor) -> list[Tensor]:
            nonlocal given
            given = self._called(leaves, tensors, args, kwargs)
            return [each._read() for each in nest.flatten(given) if isinstance(each, TensorLike)]

        self._tracings += 1
        # Tensors of their own, so that one that is given twice, or that the function knows already, is an input too.
        tensors = [Tensor(each.copy()) for each in inputs]
        try:
            outputs = trace.record(call, tensors)
        except CannotReplay as error:
            if not (trace.is_done and error.goes_on):
                raise
            trace.error = error
            if not error.is_library:  # the user can do something about it
                warnings.warn(f"{self._title} runs as Python code, more slowly. {error}", stacklevel=3)
            return given
        trace.structure = _Structure(given)
        return _packed(trace.structure, outputs)

    def experimental_get_tracing_count(self) -> int:
        """How often the Python function was recorded: twice for each signature, since what differs is no program."""
        return self._tracings

    def _only(self, args: tuple[Any, ...]) -> Trace:
        trace: Trace | None
        if args:
            trace = self._traces.get(tuple(_signature(list(args))[1]))
        else:
            trace = next(reversed(self._traces.values()), None)
        if trace is not None and trace.error is not None:
            raise trace.error
        if trace is None or not trace.is_ready:
            raise CannotReplay(f"{self._title} has no program yet for these arguments: call it twice.")
        return trace

    @property
    def _title(self) -> str:
        return getattr(self, "__name__", "The function")

    def _program(self, *args: Any) -> Program:
        """The program for arguments like these, or the last one."""
        trace = self._only(args)
        program = trace.take()
        trace.give(program)
        return program

    def source(self, *args: Any) -> str:
        """The program for arguments like these, or the last one, as readable lines."""
        return self._program(*args).source()

    @property
    def records(self) -> int:
        """How many statements the last program has."""
        recording = self._only(()).recording
        return len(recording.statements) if recording is not None else 0

    @property
    def peak_bytes(self) -> int:
        """The memory of the last program's buffers, in bytes."""
        return self._program().bytes


class _Structure:
    """How the outputs of a function are put together: Tensors by place, numbers as Tensors, all else as it was."""

    def __init__(self, given: Any) -> None:
        self.is_plain = type(given) is Tensor
        self.leaves = [
            None if isinstance(each, TensorLike) else (as_tensor(each) if _is_number(each) else each,)
            for each in nest.flatten(given)
        ]
        self.given = nest.map_structure(lambda each: 0, given)


def _packed(structure: _Structure, tensors: list[Tensor]) -> Any:
    if structure.is_plain:
        return tensors[0]
    places = iter(tensors)
    return nest.pack_sequence_as(
        structure.given,
        [next(places) if each is None else each[0] for each in structure.leaves],
    )


def _is_input(value: Any) -> bool:
    return isinstance(value, (Tensor, np.ndarray, np.generic)) and not isinstance(value, Variable)


def _is_number(value: Any) -> bool:
    """Whether a value is a number or an array of numbers, which a function returns as a Tensor."""
    is_array = isinstance(value, (np.ndarray, np.generic))
    return value.dtype.kind in "biuf" if is_array else isinstance(value, (bool, int, float))


def _as_input(value: Any) -> Any:
    return Tensor(np.array(value)) if isinstance(value, (np.ndarray, np.generic)) else value


def _signature(leaves: Sequence[Any]) -> tuple[list[Any], list[Any], list[Any]]:
    """The arrays among the arguments, what the program depends on, and the objects that keys stand for."""
    inputs: list[Any] = []
    key: list[Any] = []
    kept: list[Any] = []
    for each in leaves:
        kind = type(each)
        if kind is ndarray or kind is Tensor or _is_input(each):
            array = each if kind is ndarray else each._array if kind is Tensor else np.asarray(each)
            inputs.append(array)
            key.append((array.shape, array.dtype.char))
        elif isinstance(each, float):
            key.append((float, repr(each)))  # 0.0 and -0.0 are equal
        elif isinstance(each, (int, str, bool, bytes, type(None))):
            key.append((kind, each))
        else:
            kept.append(each)  # so that its id stays its own
            key.append((kind, id(each)))
    return inputs, key, kept


def _as_asked(value: Any) -> Any:
    """The TensorSpec of an array or a Tensor; anything else as it is."""
    return TensorSpec.from_tensor(value) if _is_input(value) else value


def _as_specs(spec: Any, value: Any) -> Any:
    """A value, or a structure of them where the spec is one, as Tensors; a list for one spec is an array."""
    return nest.map_structure(_as_spec, spec, value) if nest.is_nested(spec) else _as_spec(spec, value)


def _as_spec(spec: Any, value: Any) -> Tensor:
    """A value as a Tensor of the spec's dtype. Raises ShapeError where its shape does not fit."""
    tensor = value if type(value) is Tensor else convert_to_tensor(value, spec.dtype)
    if tensor.dtype != spec.dtype:
        raise DTypeError(f"`input_signature` asks for dtype {spec.dtype.name}, received {tensor.dtype.name}.")
    if not spec.is_compatible_with(tensor):
        raise ShapeError(f"`input_signature` asks for shape {tuple(spec.shape)}, received {tuple(tensor.shape)}.")
    return tensor


def _taken_apart(args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Sequence[Any], Any]:
    """The leaves of a call's arguments, in the order of `nest`, and their structure; None where they are in a row."""
    for each in (*args, *kwargs.values()) if kwargs else args:
        if type(each) is not ndarray and isinstance(each, (list, tuple, dict)):
            return nest.flatten((args, kwargs)), repr(nest.map_structure(lambda each: 0, (args, kwargs)))
    if not kwargs:
        return args, None
    names = sorted(kwargs)
    return [*args, *[kwargs[name] for name in names]], (len(args), *names)


def function(
    func: Callable[..., Any] | None = None,
    input_signature: Any = None,
    autograph: bool = True,
    jit_compile: Any = None,
    reduce_retracing: bool = False,
    **kwargs: Any,
) -> Any:
    """Make a function that is recorded for each signature of its arguments and replayed from the third call on.

    Used as `tf.function` is, as a decorator with or without arguments, on functions and methods. Variables are read and
    written at every call, random operations draw afresh; Python's own effects, such as `print` and what is read from
    globals, belong to the recording. `source()` shows the program. `input_signature`: TensorSpecs for the arguments,
    which become Tensors; sizes of None may differ from call to call. The other arguments are taken for TensorFlow's
    sake.

    Raises CannotReplay where the function takes a value out of a Tensor, to branch on it for example; with `cond`,
    `while_loop` and their kin it runs as the Python code that it is, after one warning that names the line. Raises
    ShapeError or DTypeError for arguments that do not fit `input_signature`.

    >>> @function
    ... def cube(x):
    ...     return x * x * x
    >>> [float(cube(Tensor(np.float32(v) * np.ones(())))) for v in (1, 2, 3)]
    [1.0, 8.0, 27.0]
    """
    if func is None:
        return functools.partial(Function, input_signature=input_signature)
    return Function(func, input_signature)
