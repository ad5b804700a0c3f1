"""Branches, loops and maps as functions: `tf.cond`, `tf.while_loop`, `tf.map_fn`, `tf.scan` and their kin.

Execution is eager: they are Python's `if` and `for` over Tensors, and tapes see what the functions do. A condition
that depends on a Tensor's value cannot be replayed: a `function` that asks for one here runs as Python code.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from minitrain import nest
from minitrain.engine.convert import as_tensor, convert_to_tensor
from minitrain.engine.primitive import ops
from minitrain.engine.program.record import BRANCH
from minitrain.engine.tensor import Tensor, TensorLike
from minitrain.engine.trail import STATE
from minitrain.errors import DTypeError, InvalidArgumentError, ShapeError
from minitrain.ops.axes import as_int, one_axis
from minitrain.ops.indexing import pick_slice
from minitrain.ops.shaping import stack


def _as_tensors(structure: Any) -> Any:
    return nest.map_structure(lambda each: None if each is None else convert_to_tensor(each), structure)


def _decides(value: Any) -> Any:
    """A value that decides what is done next, which a program that is recorded here cannot follow."""
    if isinstance(value, TensorLike) and STATE.trail is not None:
        STATE.trail.leave(value._read(), BRANCH)
    return value


def _holds(pred: Any) -> bool:
    return bool(as_tensor(_decides(pred)))


def cond(pred: Any, true_fn: Any = None, false_fn: Any = None, name: str | None = None) -> Any:
    """true_fn() where the scalar `pred` holds, else false_fn()."""
    for each, function in (("true_fn", true_fn), ("false_fn", false_fn)):
        if not callable(function):
            raise DTypeError(f"`{each}` must be callable, received {function!r}.")
    return true_fn() if _holds(pred) else false_fn()


def case(
    pred_fn_pairs: Any, default: Any = None, exclusive: bool = False, strict: bool = False, name: str = "case"
) -> Any:
    """The result of the first function whose scalar condition holds, or of `default`.

    `exclusive`: that no other condition may hold. Raises InvalidArgumentError where none holds and there is no default.
    """
    pairs = list(pred_fn_pairs.items() if isinstance(pred_fn_pairs, dict) else pred_fn_pairs)
    true = [function for pred, function in pairs if _holds(pred)]
    if exclusive and len(true) > 1:
        raise InvalidArgumentError(f"More than one condition evaluated as True: {len(true)} of {len(pairs)}.")
    if not true and default is None:
        raise InvalidArgumentError("None of the conditions evaluated as True, and there is no `default`.")
    return true[0]() if true else default()


def switch_case(branch_index: Any, branch_fns: Any, default: Any = None, name: str = "switch_case") -> Any:
    """The result of the function of number `branch_index`, or of `default`, by default the last one."""
    if not isinstance(branch_fns, dict):
        pairs = list(branch_fns)
        branch_fns = dict(pairs if isinstance(pairs[0], tuple) else enumerate(pairs))
    if default is None:
        default = branch_fns[max(branch_fns)]
    return branch_fns.get(as_int(_decides(branch_index), "branch_index"), default)()


def while_loop(
    cond: Callable[..., Any],
    body: Callable[..., Any],
    loop_vars: Any,
    shape_invariants: Any = None,
    parallel_iterations: int = 10,
    back_prop: bool = True,
    swap_memory: bool = False,
    maximum_iterations: Any = None,
    name: str | None = None,
) -> Any:
    """loop_vars = body(*loop_vars) while cond(*loop_vars) holds, `maximum_iterations` times at most."""
    if not callable(cond) or not callable(body):
        raise DTypeError("`cond` and `body` must be callable.")
    limit = None if maximum_iterations is None else as_int(maximum_iterations, "maximum_iterations")
    variables = _as_tensors(loop_vars)
    turns = 0
    while (limit is None or turns < limit) and _holds(cond(*_arguments(variables))):
        made = body(*_arguments(variables))
        if not isinstance(made, (list, tuple)) and isinstance(variables, (list, tuple)):
            made = [made]
        if isinstance(made, (list, tuple)) and isinstance(variables, (list, tuple)):
            made = type(variables)(made) if type(variables) in (list, tuple) else made
        if len(nest.flatten(made)) != len(nest.flatten(variables)):
            raise InvalidArgumentError(
                f"`body` must return as many values as `loop_vars` has: {len(nest.flatten(variables))}, received "
                f"{len(nest.flatten(made))}."
            )
        variables = nest.pack_sequence_as(variables, nest.flatten(_as_tensors(made)))
        turns += 1
    return variables


def _arguments(variables: Any) -> Sequence[Any]:
    return variables if isinstance(variables, (list, tuple)) else [variables]


def _rows(elems: Any) -> tuple[Any, int]:
    """`elems` with Tensors at the leaves, and how many slices they have along axis 0."""
    tensors = as_tensor(elems) if _is_numeric_list(elems) else nest.map_structure(as_tensor, elems)
    sizes = {each._array.shape[:1] for each in nest.flatten(tensors)}
    if len(sizes) != 1 or sizes == {()}:
        raise ShapeError(f"`elems` need one common first axis, received sizes {sorted(sizes)}.")
    return tensors, sizes.pop()[0]


def _is_numeric_list(elems: Any) -> bool:
    """Whether `elems` is one Tensor written as lists of numbers, rather than a structure of Tensors or arrays."""
    return isinstance(elems, list) and not any(
        isinstance(each, (TensorLike, np.ndarray)) for each in nest.flatten(elems)
    )


def _row(tensors: Any, place: int) -> Any:
    return nest.map_structure(lambda each: each[place], tensors)


def _stacked(rows: list[Any]) -> Any:
    return nest.map_structure(lambda *each: stack(each), *rows)


def map_fn(
    fn: Callable[..., Any],
    elems: Any,
    dtype: Any = None,
    parallel_iterations: Any = None,
    back_prop: bool = True,
    swap_memory: bool = False,
    infer_shape: bool = True,
    name: str | None = None,
    fn_output_signature: Any = None,
) -> Any:
    """fn of each slice of `elems` along axis 0, stacked. `elems` and the results may be nested structures."""
    if not callable(fn):
        raise DTypeError(f"`fn` must be callable, received {fn!r}.")
    tensors, count = _rows(elems)
    if not count:
        results = fn(
            nest.map_structure(lambda each: ops.zeros(shape=each._array.shape[1:], dtype=each._array.dtype), tensors)
        )
        return nest.map_structure(lambda each: stack([each])[:0], results)
    return _stacked([_as_tensors(fn(_row(tensors, place))) for place in range(count)])


def vectorized_map(fn: Callable[..., Any], elems: Any, fallback_to_while_loop: bool = True, warn: bool = True) -> Any:
    """`map_fn` under its other name."""
    return map_fn(fn, elems)


def foldl(
    fn: Callable[..., Any],
    elems: Any,
    initializer: Any = None,
    parallel_iterations: int = 10,
    back_prop: bool = True,
    swap_memory: bool = False,
    name: str | None = None,
) -> Any:
    """fn(...fn(fn(initializer, first), second)..., last) over slices along axis 0; without one, from the first on."""
    return _folded(fn, elems, initializer, reverse=False)[-1]


def foldr(
    fn: Callable[..., Any],
    elems: Any,
    initializer: Any = None,
    parallel_iterations: int = 10,
    back_prop: bool = True,
    swap_memory: bool = False,
    name: str | None = None,
) -> Any:
    """`foldl` from the last slice to the first."""
    return _folded(fn, elems, initializer, reverse=True)[-1]


def scan(
    fn: Callable[..., Any],
    elems: Any,
    initializer: Any = None,
    parallel_iterations: int = 10,
    back_prop: bool = True,
    swap_memory: bool = False,
    infer_shape: bool = True,
    reverse: bool = False,
    name: str | None = None,
) -> Any:
    """All the values that `foldl` passes through (`foldr` if `reverse`), stacked at the places of their slices."""
    passed = _folded(fn, elems, initializer, reverse)
    if initializer is not None:
        passed = passed[1:]
    return _stacked(passed[::-1] if reverse else passed)


def _folded(fn: Callable[..., Any], elems: Any, initializer: Any, reverse: bool) -> list[Any]:
    """Every value of the accumulator, the first one included."""
    if not callable(fn):
        raise DTypeError(f"`fn` must be callable, received {fn!r}.")
    tensors, count = _rows(elems)
    order = list(range(count))[:: -1 if reverse else 1]
    if initializer is None:
        if not order:
            raise InvalidArgumentError("`elems` hold no slice: an `initializer` is needed.")
        passed = [_row(tensors, order.pop(0))]
    else:
        passed = [_as_tensors(initializer)]
    for place in order:
        passed.append(_as_tensors(fn(passed[-1], _row(tensors, place))))
    return passed


def fori_loop(lower: Any, upper: Any, body_fun: Callable[..., Any], init_val: Any) -> Any:
    """val = body_fun(i, val) for i from lower to upper."""
    value = _as_tensors(init_val)
    for i in range(as_int(lower, "lower"), as_int(upper, "upper")):
        value = _as_tensors(body_fun(as_tensor(i), value))
    return value


def keras_switch(index: Any, branches: Sequence[Callable[..., Any]], *operands: Any) -> Any:
    """branches[index](*operands); an index beyond them is limited to the first and the last."""
    place = min(max(as_int(index, "index"), 0), len(branches) - 1)
    return branches[place](*operands)


def keras_while_loop(cond: Any, body: Any, loop_vars: Any, maximum_iterations: Any = None) -> Any:
    """loop_vars = body(*loop_vars) while cond(*loop_vars) holds, `maximum_iterations` times at most."""
    return while_loop(cond, body, loop_vars, maximum_iterations=maximum_iterations)


def keras_map(f: Callable[..., Any], xs: Any) -> Any:
    """f of each slice of `xs` along axis 0, stacked."""
    return map_fn(f, xs)


def keras_vectorized_map(function: Callable[..., Any], elements: Any) -> Any:
    """`map` under its other name."""
    return map_fn(function, elements)


def keras_scan(
    f: Callable[..., Any], init: Any, xs: Any = None, length: Any = None, reverse: bool = False, unroll: Any = 1
) -> tuple[Any, Any]:
    """(carry, ys) of carry, y = f(carry, x) over slices of `xs` along axis 0, or `length` times with None."""
    if not callable(f):
        raise DTypeError(f"`f` must be callable, received {f!r}.")
    if xs is None and length is None:
        raise InvalidArgumentError("`scan` needs `xs` or a `length`.")
    tensors, count = (None, as_int(length, "length")) if xs is None else _rows(xs)
    carry, ys = _as_tensors(init), []
    for place in list(range(count))[:: -1 if reverse else 1]:
        carry, y = f(carry, None if xs is None else _row(tensors, place))
        carry = _as_tensors(carry)
        ys.append(_as_tensors(y))
    ys = ys[::-1] if reverse else ys
    return carry, (None if not ys or ys[0] is None else _stacked(ys))


def associative_scan(f: Callable[..., Any], elems: Any, reverse: bool = False, axis: int = 0) -> Any:
    """The running results of an associative f along an axis: f(f(first, second), third) and so on."""
    tensors = as_tensor(elems) if _is_numeric_list(elems) else nest.map_structure(as_tensor, elems)
    count = nest.flatten(tensors)[0]._array.shape[axis]
    places = list(range(count))[:: -1 if reverse else 1]
    rows = [
        nest.map_structure(lambda each: each[pick_slice(place, one_axis(axis, each.ndim))], tensors)  # noqa: B023
        for place in places
    ]
    passed = rows[:1]
    for row in rows[1:]:
        passed.append(f(passed[-1], row))
    return nest.map_structure(lambda *each: stack(each, axis=axis), *passed[:: -1 if reverse else 1])


def ensure_shape(x: Any, shape: Any, name: str | None = None) -> Tensor:
    """x itself. Raises ShapeError unless it has the given shape, in which None fits any size."""
    x = as_tensor(x)
    if not x.shape.is_compatible_with(shape):
        raise ShapeError(f"Shape of tensor {x.shape} is not compatible with expected shape {shape}.")
    return x
