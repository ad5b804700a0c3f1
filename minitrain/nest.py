"""Nested structures: lists, tuples, named tuples and dicts with anything at their leaves.

`flatten` lists the leaves, `pack_sequence_as` puts leaves back, `map_structure` does both: the three functions of
`tf.nest`, with dicts in the order of their sorted keys as there.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator
from typing import Any

from minitrain.errors import DTypeError, InvalidArgumentError

__all__ = ["as_list", "assert_same_structure", "flatten", "is_nested", "map_structure", "pack_sequence_as"]


def is_nested(structure: Any) -> bool:
    """Whether `structure` is a list, a tuple or a dict, rather than a leaf."""
    return isinstance(structure, (list, tuple, dict))


def as_list(value: Any) -> list[Any]:
    """A list or tuple as a list, None as an empty one, and anything else as a list of itself.

    >>> as_list((1, 2)), as_list(None), as_list(3)
    ([1, 2], [], [3])
    """
    return [] if value is None else list(value) if isinstance(value, (list, tuple)) else [value]


def flatten(structure: Any, expand_composites: bool = False) -> list[Any]:
    """The leaves in order; a leaf alone is a list of one. `expand_composites` means nothing here.

    >>> flatten({"b": [1, 2], "a": 3})
    [3, 1, 2]
    """
    if not isinstance(structure, (list, tuple, dict)):
        return [structure]
    return [leaf for child in children(structure) for leaf in flatten(child)]


def pack_sequence_as(structure: Any, flat_sequence: list[Any], expand_composites: bool = False) -> Any:
    """The leaves of `flat_sequence` in the shape of `structure`. Raises where their number differs."""
    expected = len(flatten(structure))
    if len(flat_sequence) != expected:
        raise InvalidArgumentError(f"Expected {expected} leaves for the structure, received {len(flat_sequence)}.")
    return _pack(structure, iter(flat_sequence))


def map_structure(
    func: Callable[..., Any], *structures: Any, check_types: bool = True, expand_composites: bool = False
) -> Any:
    """Apply `func` to the leaves that stand at the same place in each structure.

    `check_types`: whether a list and a tuple are two structures. `expand_composites` means nothing here.
    """
    if not structures:
        raise InvalidArgumentError("`map_structure` needs at least one structure.")
    for other in structures[1:]:
        assert_same_structure(structures[0], other, check_types)
    leaves = zip(*(flatten(each) for each in structures), strict=True)
    return pack_sequence_as(structures[0], [func(*each) for each in leaves])


def assert_same_structure(nest1: Any, nest2: Any, check_types: bool = True, expand_composites: bool = False) -> None:
    """Raise InvalidArgumentError where the two structures differ in anything but their leaves.

    A DTypeError, thus a TypeError, where they differ in nothing but the types of their parts, such as list and tuple.
    """
    if not is_nested(nest1) and not is_nested(nest2):
        return
    if is_nested(nest1) != is_nested(nest2) or len(nest1) != len(nest2) or not _have_same_keys(nest1, nest2):
        raise InvalidArgumentError(f"The two structures do not match: {nest1!r} and {nest2!r}.")
    if check_types and not (isinstance(nest1, dict) or type(nest1) is type(nest2)):
        raise DTypeError(f"The two structures do not match: {nest1!r} and {nest2!r}. Their types differ.")
    for one, two in zip(children(nest1), children(nest2), strict=True):
        assert_same_structure(one, two, check_types)


def _have_same_keys(one: Any, two: Any) -> bool:
    """Whether both are dicts with the same keys, or neither is a dict."""
    if isinstance(one, dict) or isinstance(two, dict):
        return isinstance(one, dict) and isinstance(two, dict) and sorted(one) == sorted(two)
    return True


def children(structure: Any) -> list[Any]:
    """What stands directly below a list, tuple or dict, in the order of `flatten`."""
    if isinstance(structure, dict):
        return [structure[key] for key in sorted(structure)]
    return list(structure)


def with_children(structure: Any, new: list[Any]) -> Any:
    """The list, tuple or dict with other children, in the order of `flatten`."""
    if isinstance(structure, dict):
        packed = dict(zip(sorted(structure), new, strict=True))
        kind = OrderedDict if isinstance(structure, OrderedDict) else dict
        return kind((key, packed[key]) for key in structure)
    if isinstance(structure, tuple) and hasattr(structure, "_fields"):
        return type(structure)(*new)
    return type(structure)(new)


def _pack(structure: Any, leaves: Iterator[Any]) -> Any:
    if not isinstance(structure, (list, tuple, dict)):
        return next(leaves)
    return with_children(structure, [_pack(child, leaves) for child in children(structure)])
