"""The walk: from the cotangents of targets, backwards over a list of records, to the cotangents of sources.

One function serves every use. With `xp = kernels` it is plain NumPy on ndarrays; with `xp = ops` every step is an
operation on Tensors that listening tapes record. With `lead` the cotangents carry that many extra leading axes, and
the result is a stack of gradients: a jacobian in one walk.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from minitrain.engine.primitive import kernels, ops
from minitrain.engine.tensor import Tensor
from minitrain.engine.trail import STATE, Record, check_finite

__all__ = ["reach", "walk"]


def reach(records: Sequence[Record], starts: Iterable[int]) -> set[int]:
    """The ids of the Tensors that depend differentiably on Tensors with the ids `starts`, these included."""
    return _downstream(records, starts)[0]


def _downstream(records: Sequence[Record], starts: Iterable[int]) -> tuple[set[int], Sequence[Record], set[int]]:
    """What depends differentiably on the starts: ids of Tensors, the records that made them, starts that are outputs.

    The most frequent shapes of a record are written out: this loop runs over every record of every gradient.
    """
    reached = set(starts)
    path: list[Record] = []
    again: set[int] = set()
    for record in records:
        primitive, inputs, _, output = record
        rules = primitive.rules
        if rules is None:
            if primitive.joint is None or not any(id(x) in reached for x in inputs):
                continue
        elif len(rules) == 1:
            if id(inputs[0]) not in reached:
                continue
        elif len(rules) == 2:
            x, y = inputs
            if not ((id(x) in reached and rules[0] is not None) or (id(y) in reached and rules[1] is not None)):
                continue
        elif not any(id(x) in reached and rule is not None for x, rule in zip(inputs, rules, strict=True)):
            continue
        path.append(record)
        if type(output) is tuple:
            keys = {id(each) for each in output}
            again |= keys & reached
            reached |= keys
        elif (key := id(output)) in reached:
            again.add(key)
        else:
            reached.add(key)
    return reached, path, again


def _outputs(records: Sequence[Record], starts: Iterable[int]) -> tuple[set[int], Sequence[Record], set[int]]:
    """What `_downstream` gives, where all records lie downstream."""
    made: set[int] = set()
    for record in records:
        output = record[3]
        if type(output) is tuple:
            made.update(map(id, output))
        else:
            made.add(id(output))
    sources = set(starts)
    return made | sources, records, made & sources


def walk(
    records: Sequence[Record],
    cotangents: dict[int, Any],
    sources: Iterable[int],
    *,
    recorded: bool,
    lead: int = 0,
    is_all: bool = False,
) -> None:
    """Carry cotangents backwards: those of the `sources` end up in `cotangents`, save for unconnected ones.

    `cotangents` maps the id of a target to an ndarray, or to a Tensor if `recorded`. Only what lies between the
    sources and the targets is computed. `is_all` says that no record needs to be looked at to know what that is.
    """
    reached, path, kept = (_outputs if is_all else _downstream)(records, sources)
    checking = STATE.checking
    xp = ops if recorded else kernels
    add = xp.add
    get, pop = cotangents.get, cotangents.pop
    for record in reversed(path):
        primitive, inputs, params, output = record
        rules: Any = primitive.rules
        if checking or type(output) is tuple or (rules is not None and len(rules) > 2):
            step = _checked_step if checking else _step
            step(xp, record, cotangents, reached, kept, recorded, lead)
            continue
        # Joint rules and those of one or two inputs, written out: a third of the time of the general step.
        key = id(output)
        g = get(key) if key in kept else pop(key, None)
        if g is None:
            continue
        out = output if recorded else output._array
        if rules is None:
            if primitive.joint is None:
                continue
            wanted = [id(x) in reached for x in inputs]
            values = inputs if recorded else [x._array for x in inputs]
            for x, result in zip(inputs, primitive.joint(xp, g, wanted, out, *values, **params), strict=True):
                if result is not None and (key := id(x)) in reached:
                    if (result._array if recorded else result).shape != (shape := x._array.shape):
                        result = sum_to(xp, result, shape, lead)
                    held = get(key)
                    cotangents[key] = result if held is None else add(held, result)
            continue
        if len(inputs) == 1:
            (x,) = inputs
            result = rules[0](xp, g, out, x if recorded else x._array, **params)
            if params and (result._array if recorded else result).shape != (shape := x._array.shape):
                result = sum_to(xp, result, shape, lead)
            key = id(x)
            held = get(key)
            cotangents[key] = result if held is None else add(held, result)
            continue
        x, y = inputs
        a, b = inputs if recorded else (x._array, y._array)
        if (key := id(x)) in reached and (rule := rules[0]) is not None:
            result = rule(xp, g, out, a, b, **params)
            if (result._array if recorded else result).shape != (shape := x._array.shape):
                result = sum_to(xp, result, shape, lead)
            held = get(key)
            cotangents[key] = result if held is None else add(held, result)
        if (key := id(y)) in reached and (rule := rules[1]) is not None:
            result = rule(xp, g, out, a, b, **params)
            if (result._array if recorded else result).shape != (shape := y._array.shape):
                result = sum_to(xp, result, shape, lead)
            held = get(key)
            cotangents[key] = result if held is None else add(held, result)


def _step(
    xp: Any, record: Record, cotangents: dict[int, Any], reached: set[int], kept: set[int], recorded: bool, lead: int
) -> None:
    """Carry the cotangent of one record's output, if any arrived, on to its inputs."""
    primitive, inputs, params, output = record
    g: Any
    out: Any = output
    if type(output) is tuple:
        gs = [cotangents.get(id(each)) if id(each) in kept else cotangents.pop(id(each), None) for each in output]
        if all(each is None for each in gs):
            return
        g = _filled_up(xp, output, gs, lead) if primitive.fills else tuple(gs)
        if not recorded:
            out = tuple([each._array for each in output])
    else:
        key = id(output)
        g = cotangents.get(key) if key in kept else cotangents.pop(key, None)
        if not recorded:
            out = output._array
    if g is None:
        return
    values: Any = inputs if recorded else [x._array for x in inputs]
    wanted = [id(x) in reached for x in inputs]
    rules = primitive.rules
    if rules is None:
        assert primitive.joint is not None
        results = primitive.joint(xp, g, wanted, out, *values, **params)
    else:
        results = [
            rule(xp, g, out, *values, **params) if rule is not None and wanted[place] else None
            for place, rule in enumerate(rules)
        ]
    for place, x in enumerate(inputs):
        result = results[place]
        if result is None or not wanted[place]:
            continue
        shape = x._array.shape
        got = (result._array if recorded else result).shape
        if got != shape and got[lead:] != shape:
            result = sum_to(xp, result, shape, lead)
        key = id(x)
        held = cotangents.get(key)
        cotangents[key] = result if held is None else xp.add(held, result)


def _checked_step(
    xp: Any, record: Record, cotangents: dict[int, Any], reached: set[int], kept: set[int], recorded: bool, lead: int
) -> None:
    """`_step`, raising where a finite cotangent at finite inputs becomes a NaN or an infinity."""
    primitive, inputs, _, output = record
    outputs = output if type(output) is tuple else (output,)
    arrived = [cotangents[id(each)] for each in outputs if id(each) in cotangents]
    if not arrived:
        return
    _step(xp, record, cotangents, reached, kept, recorded, lead)
    check_finite(
        f"gradient of {primitive.name}",
        [_raw(each) for each in arrived] + [x._array for x in inputs],
        [_raw(cotangents[id(x)]) for x in inputs if id(x) in cotangents],
    )


def _raw(value: Any) -> Any:
    return value._array if type(value) is Tensor else np.asarray(value)


def sum_to(xp: Any, g: Any, shape: tuple[int, ...], lead: int = 0) -> Any:
    """Undo broadcasting: sum `g` of shape (lead axes..., *broadcast) over the axes that `shape` lacks or has as 1."""
    given = g.shape
    target = (*given[:lead], *shape)
    if given == target:
        return g
    extra = len(given) - len(target)
    axes = list(range(lead, lead + extra))
    axes += [lead + extra + place for place, size in enumerate(shape) if size == 1]
    if axes:
        g = xp.sum(g, axis=tuple(axes), keepdims=True)
    return xp.reshape(g, shape=target) if extra else g


def _filled_up(xp: Any, outputs: tuple[Tensor, ...], gs: list[Any], lead: int) -> tuple[Any, ...]:
    """The cotangents of an operation with several outputs, zeros for those that none arrived at."""
    some = next(g for g in gs if g is not None)
    return tuple(
        [
            g
            if g is not None
            else xp.zeros(shape=tuple(some.shape[:lead]) + each._array.shape, dtype=each._array.dtype)
            for g, each in zip(gs, outputs, strict=True)
        ]
    )
