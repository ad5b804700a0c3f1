"""The walk: from the cotangents of targets, backwards over a list of records, to the cotangents of sources.

One function serves every use. With `xp = kernels` it is plain NumPy on ndarrays; with `xp = ops` every step is an
operation on Tensors that listening tapes record. With `lead` the cotangents carry that many extra leading axes, and
the result is a stack of gradients: a jacobian in one walk.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from minitrain.engine.primitive import kernels, ops
from minitrain.engine.tensor import Tensor
from minitrain.engine.trail import STATE, Record, check_finite

__all__ = ["reach", "walk"]


def reach(records: Iterable[Record], starts: Iterable[int]) -> set[int]:
    """The ids of the Tensors that depend differentiably on Tensors with the ids `starts`, these included."""
    reached = set(starts)
    for primitive, inputs, _, output in records:
        rules = primitive.rules
        if rules is None and primitive.joint is None:
            continue
        for place, x in enumerate(inputs):
            if id(x) in reached and (rules is None or rules[place] is not None):
                if type(output) is tuple:
                    reached.update([id(each) for each in output])
                else:
                    reached.add(id(output))
                break
    return reached


def walk(
    records: Sequence[Record],
    cotangents: dict[int, Any],
    sources: Iterable[int],
    *,
    recorded: bool,
    lead: int = 0,
) -> dict[int, Any]:
    """Carry cotangents backwards and return those of the `sources`, keyed by id; unconnected ones are absent.

    `cotangents` maps the id of a target to an ndarray, or to a Tensor if `recorded`; it is used up. Only what lies
    between the sources and the targets is computed.
    """
    sources = frozenset(sources)
    reached = reach(records, sources)
    found = {key: cotangents[key] for key in sources if key in cotangents}
    checking = STATE.checking
    xp = ops if recorded else kernels
    for record in reversed(records):
        primitive, inputs, params, output = record
        if type(output) is tuple:
            g: Any = _gather(xp, output, cotangents, lead)
            out: Any = output if recorded else tuple([each._array for each in output])
        else:
            g = cotangents.pop(id(output), None)
            out = output if recorded else output._array
        if g is None:
            continue
        rules = primitive.rules
        values: Any = inputs if recorded else [x._array for x in inputs]
        if rules is None:
            if primitive.joint is None:
                continue
            wanted = [id(x) in reached for x in inputs]
            results = primitive.joint(xp, g, wanted, out, *values, **params)
        else:
            results = [
                rule(xp, g, out, *values, **params) if rule is not None and id(x) in reached else None
                for rule, x in zip(rules, inputs, strict=True)
            ]
        for x, result in zip(inputs, results, strict=True):
            if result is None or id(x) not in reached:
                continue
            shape = x._array.shape
            if result.shape != shape and result.shape[lead:] != shape:
                result = sum_to(xp, result, shape, lead)
            if checking:
                _check(primitive.name, g, values, result)
            key = id(x)
            held = cotangents.get(key)
            total = result if held is None else xp.add(held, result)
            cotangents[key] = total
            if key in sources:
                found[key] = total
    return found


def sum_to(xp: Any, g: Any, shape: tuple[int, ...], lead: int = 0) -> Any:
    """Undo broadcasting: sum `g` of shape (lead axes..., *broadcast) over the axes that `shape` lacks or has as 1."""
    extra = len(g.shape) - lead - len(shape)
    axes = tuple(range(lead, lead + extra)) if extra > 0 else ()
    kept = tuple(
        lead + extra + place
        for place, size in enumerate(shape)
        if size == 1 and lead + extra + place >= 0 and g.shape[lead + extra + place] != 1
    )
    if axes or kept:
        g = xp.sum(g, axis=axes + kept, keepdims=True)
    target = tuple(g.shape[:lead]) + shape
    if tuple(g.shape) != target and _size(g.shape) == _size(target):
        g = xp.reshape(g, shape=target)
    return g


def _size(shape: tuple[int, ...]) -> int:
    size = 1
    for each in shape:
        size *= each
    return size


def _gather(xp: Any, outputs: tuple[Tensor, ...], cotangents: dict[int, Any], lead: int) -> Any:
    """The cotangents of an operation with several outputs, zeros for those that none arrived at; None if none did."""
    gs = [cotangents.pop(id(each), None) for each in outputs]
    some = next((g for g in gs if g is not None), None)
    if some is None:
        return None
    return tuple(
        [
            g
            if g is not None
            else xp.zeros(shape=tuple(some.shape[:lead]) + each._array.shape, dtype=each._array.dtype)
            for g, each in zip(gs, outputs, strict=True)
        ]
    )


def _check(name: str, g: Any, values: Any, result: Any) -> None:
    def raw(each: Any) -> Any:
        return each._array if type(each) is Tensor else each

    gs = g if type(g) is tuple else (g,)
    check_finite(
        f"gradient of {name}",
        [raw(each) for each in gs] + [raw(each) for each in values],
        [raw(result)],
    )
