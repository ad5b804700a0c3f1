"""Passes over a recording: drop what nobody needs or changes nothing, fold what is constant, share what is repeated.

Each takes a recording and gives how many statements it removed, or added by taking operations apart. Writes, effects
and draws are never dropped, merged or moved. What the gradients of penalties add is left to the update that takes them.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np

from minitrain.engine.program.record import Recording, Statement

__all__ = ["drop_identities", "drop_unneeded", "fold_constants", "move_penalties", "share_repeated", "take_apart"]

FOLDED = 1 << 20  # elements up to which a constant is worth keeping


def drop_unneeded(recording: Recording) -> int:
    """Drop operations and reads whose values nobody uses: most of them forward values that only other rules need."""
    needed = set(recording.outputs)
    kept: list[Statement] = []
    for each in reversed(recording.statements):
        acts = each.kind in ("write", "effect", "pause") or (each.kind == "op" and each.primitive.draws)
        if acts or any(number in needed for number in each.outputs):
            needed.update(each.inputs)
            kept.append(each)
    dropped = len(recording.statements) - len(kept)
    recording.statements = kept[::-1]
    return dropped


def fold_constants(recording: Recording) -> int:
    """Compute once what depends on constants alone."""
    constants = recording.constants
    kept = []
    for each in recording.statements:
        if each.kind != "op" or each.primitive.draws or not all(number in constants for number in each.inputs):
            kept.append(each)
            continue
        if sum(int(np.prod(recording.shapes[number], dtype=np.int64)) for number in each.outputs) > FOLDED:
            kept.append(each)
            continue
        found = each.primitive.kernel(*(constants[number] for number in each.inputs), **each.params)
        for number, array in zip(each.outputs, found if type(found) is tuple else (found,), strict=True):
            constants[number] = np.asarray(array)
    folded = len(recording.statements) - len(kept)
    recording.statements = kept
    return folded


def share_repeated(recording: Recording) -> int:
    """Let the second of two equal operations, or reads with no write between them, use what the first has made."""
    stands: dict[int, int] = {}  # number of a value -> the one that it equals
    seen: dict[Any, tuple[int, ...]] = {}
    reads: dict[int, int] = {}
    kept = []
    for each in recording.statements:
        each.inputs = tuple([stands.get(number, number) for number in each.inputs])
        if each.kind == "read":
            first = reads.setdefault(id(each.target), each.outputs[0])
            if first != each.outputs[0]:
                stands[each.outputs[0]] = first
                continue
        elif each.kind == "write":
            reads.pop(id(each.target), None)
        elif each.kind == "effect":
            for variable in each.target.writes:
                reads.pop(id(variable), None)
        elif each.kind == "op" and not each.primitive.draws:
            key = _key(each)
            first_outputs = seen.setdefault(key, each.outputs) if key is not None else each.outputs
            if first_outputs is not each.outputs:
                stands.update(zip(each.outputs, first_outputs, strict=True))
                continue
        kept.append(each)
    shared = len(recording.statements) - len(kept)
    recording.statements = kept
    recording.outputs = [stands.get(number, number) for number in recording.outputs]
    return shared


def take_apart(recording: Recording) -> int:
    """Put the parts of operations that say what they are made of in their place, where others may share them."""
    kept: list[Statement] = []
    for each in recording.statements:
        if each.kind != "op" or each.primitive.parts is None:
            kept.append(each)
            continue
        made = _parts_of(each, recording)
        made[-1].outputs = each.outputs
        kept += made
    added = len(kept) - len(recording.statements)
    recording.statements = kept
    return added


def _parts_of(whole: Statement, recording: Recording) -> list[Statement]:
    """The statements that an operation is made of, with new values; what they give is seen on zeros."""
    made: list[Statement] = []

    def part(op: Any, *inputs: int, **params: Any) -> int:
        zeros = [np.zeros(recording.shapes[number], recording.dtypes[number]) for number in inputs]
        with np.errstate(all="ignore"):
            out = op.primitive.kernel(*zeros, **params)
        number = recording.new_value(np.shape(out), out.dtype)
        made.append(Statement("op", inputs, (number,), op.primitive, params, line=whole.line))
        return number

    whole.primitive.parts(part, *whole.inputs, **whole.params)
    return made


def _key(statement: Statement) -> Any:
    """What two equal operations have in common; None where that cannot be told."""
    try:
        key = statement.primitive, statement.inputs, tuple(sorted((k, repr(v)) for k, v in statement.params.items()))
    except TypeError:
        return None
    simple = (int, float, str, bool, tuple, list, type(None), np.dtype, np.generic)
    return key if all(isinstance(each, simple) for each in statement.params.values()) else None


def drop_identities(recording: Recording) -> int:
    """Drop products with constants of nothing but ones, such as the cotangent that a backward pass starts from."""
    stands: dict[int, int] = {}
    kept = []
    for each in recording.statements:
        each.inputs = tuple([stands.get(number, number) for number in each.inputs])
        if each.kind == "op" and each.primitive.name in ("multiply", "identity"):
            same = _unchanged(recording, each)
            if same is not None:
                stands[each.outputs[0]] = same
                continue
        kept.append(each)
    dropped = len(recording.statements) - len(kept)
    recording.statements = kept
    recording.outputs = [stands.get(number, number) for number in recording.outputs]
    return dropped


def _unchanged(recording: Recording, statement: Statement) -> int | None:
    """The input that the output of a product, or of `identity`, equals bit for bit; None where there is none."""
    out = statement.outputs[0]
    if len(statement.inputs) == 1:
        return statement.inputs[0]
    for number, factor in (statement.inputs, statement.inputs[::-1]):
        ones = recording.constants.get(factor)
        if (
            ones is not None
            and number not in recording.constants
            and recording.shapes[number] == recording.shapes[out]
            and recording.dtypes[number] == recording.dtypes[out]
            and bool((ones == 1).all())
        ):
            return number
    return None


def move_penalties(recording: Recording) -> int:
    """Let an update add those parts of gradients that are a number times the weights: for all weights in one go.

    Such are the gradients of L2 penalties. The update looks at the weights when it happens: those that something else
    has written since they were read are left alone.
    """
    makers = {number: each for each in recording.statements for number in each.outputs}
    uses = Counter(number for each in recording.statements for number in each.inputs)
    read_at: dict[int, int] = {}  # the number of a value that was read -> how many writes of its variable came before
    writes: Counter[int] = Counter()  # by the id of the variable
    moved = 0
    for statement in recording.statements:
        if statement.kind == "read":
            read_at[statement.outputs[0]] = writes[id(statement.target)]
        variables = statement.target.penalizable if statement.kind == "effect" else ()
        inputs, factors = list(statement.inputs), [0.0] * len(variables)
        for place, variable in enumerate(variables):
            add = makers.get(inputs[place])
            if add is None or add.kind != "op" or add.primitive.name != "add" or uses[inputs[place]] != 1:
                continue
            for rest, part in (add.inputs, add.inputs[::-1]):
                factor, read = _multiple(recording, makers.get(part), makers, variable)
                is_fresh = read_at.get(read) == writes[id(variable)]
                if factor is not None and is_fresh and recording.shapes[rest] == recording.shapes[inputs[place]]:
                    inputs[place], factors[place] = rest, factor
                    moved += 1
                    break
        if any(factors):
            statement.inputs = tuple(inputs)
            statement.target = statement.target.penalized(factors)
        if statement.kind == "write":
            writes[id(statement.target)] += 1
        elif statement.kind == "effect":
            writes.update(map(id, statement.target.writes))
    return moved


def _multiple(
    recording: Recording, made: Statement | None, makers: dict[int, Statement], variable: Any
) -> tuple[float | None, int]:
    """The number by which an operation multiplies the value of a variable, and that value; None for another one."""
    if made is not None and made.kind == "op" and made.primitive.name == "multiply":
        for factor, value in (made.inputs, made.inputs[::-1]):
            read, constant = makers.get(value), recording.constants.get(factor)
            if read is not None and read.kind == "read" and read.target is variable:
                if constant is not None and constant.size == 1:
                    return float(constant.reshape(())), value
    return None, -1
