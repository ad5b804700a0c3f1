"""`keras.tree`: nested structures under Keras's names; `minitrain.nest` holds most of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from minitrain.errors import InvalidArgumentError
from minitrain.nest import (
    assert_same_structure,
    children,
    flatten,
    is_nested,
    map_structure,
    pack_sequence_as,
    with_children,
)

__all__ = [
    "MAP_TO_NONE",
    "assert_same_structure",
    "flatten",
    "flatten_with_path",
    "is_nested",
    "lists_to_tuples",
    "map_shape_structure",
    "map_structure",
    "map_structure_up_to",
    "pack_sequence_as",
    "traverse",
]


class MAP_TO_NONE:  # noqa: N801  # Keras's name
    """What the function of `traverse` returns for a value that becomes None."""


def flatten_with_path(structure: Any) -> list[tuple[tuple[Any, ...], Any]]:
    """The leaves in order, each with the keys and indices that lead to it.

    >>> flatten_with_path({"b": [1, 2], "a": 3})
    [(('a',), 3), (('b', 0), 1), (('b', 1), 2)]
    """
    if not is_nested(structure):
        return [((), structure)]
    keys = sorted(structure) if isinstance(structure, dict) else range(len(structure))
    pairs = zip(keys, children(structure), strict=True)
    return [((key, *path), leaf) for key, child in pairs for path, leaf in flatten_with_path(child)]


def lists_to_tuples(structure: Any) -> Any:
    """The structure with a tuple in the place of each list."""
    return traverse(lambda each: tuple(each) if isinstance(each, list) else None, structure, top_down=False)


def map_shape_structure(func: Callable[[Any], Any], structure: Any) -> Any:
    """Apply `func` to the shapes in a structure: lists and tuples of integers and None."""
    if not isinstance(structure, dict) and all(each is None or isinstance(each, int) for each in structure):
        return func(tuple(structure))
    return with_children(structure, [map_shape_structure(func, each) for each in children(structure)])


def map_structure_up_to(shallow_structure: Any, func: Callable[..., Any], *structures: Any) -> Any:
    """Apply `func` to what stands in the structures in the places of the leaves of `shallow_structure`."""
    if not structures:
        raise InvalidArgumentError("`map_structure_up_to` needs at least one structure beside the shallow one.")
    if not is_nested(shallow_structure):
        return func(*structures)
    parts = zip(children(shallow_structure), *(children(each) for each in structures), strict=True)
    return with_children(shallow_structure, [map_structure_up_to(shallow, func, *rest) for shallow, *rest in parts])


def traverse(func: Callable[[Any], Any], structure: Any, top_down: bool = True) -> Any:
    """The structure with `func(part)` in the place of each part, where that is not None; MAP_TO_NONE stands for None.

    `top_down`: a part is looked at before what it holds, which is left alone if it is replaced.
    """

    def replaced(part: Any, otherwise: Callable[[], Any]) -> Any:
        found = func(part)
        return otherwise() if found is None else None if found is MAP_TO_NONE else found

    def inside() -> Any:
        if not is_nested(structure):
            return structure
        return with_children(structure, [traverse(func, each, top_down) for each in children(structure)])

    if top_down:
        return replaced(structure, inside)
    made = inside()
    return replaced(made, lambda: made)
