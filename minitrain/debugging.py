"""Looking for the first NaN or infinity, and assertions on Tensors: `tf.debugging`.

`enable_check_numerics()` makes every operation of this thread, forward and backward, look at its result: the first
one that makes a NaN or an infinity from finite inputs raises, with its name, its inputs' ranges and the user's line.
"""

from __future__ import annotations

from types import TracebackType
from typing import Any

import numpy as np

from minitrain.engine.convert import as_tensor, operands
from minitrain.engine.tensor import Tensor
from minitrain.engine.trail import STATE, describe_range, refresh
from minitrain.errors import InvalidArgumentError, NonFiniteError, ShapeError

__all__ = [
    "assert_all_finite",
    "assert_equal",
    "assert_near",
    "assert_shapes",
    "check_numerics",
    "disable_check_numerics",
    "enable_check_numerics",
]


class _Checking:
    """What `enable_check_numerics` returns: as a context it restores, at its end, what held before."""

    def __init__(self, before: bool) -> None:
        self._before = before

    def __enter__(self) -> None:
        pass

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        _switch(self._before)


def enable_check_numerics() -> _Checking:
    """Check the result of every operation of this thread, from now on or, used in `with`, inside the block.

    The first operation that makes a NaN or an infinity from finite inputs raises NonFiniteError. Checking makes
    operations several times slower.
    """
    before = STATE.checking
    _switch(True)
    return _Checking(before)


def disable_check_numerics() -> None:
    """Check no more in this thread."""
    _switch(False)


def _switch(checking: bool) -> None:
    STATE.checking = checking
    refresh()


def check_numerics(tensor: Any, message: str, name: str | None = None) -> Tensor:
    """`tensor` itself if all of it is finite; else NonFiniteError with `message` and what was found."""
    x = as_tensor(tensor)
    array = x._array
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        found = [
            what for what, is_there in (("NaN", np.isnan(array).any()), ("Inf", np.isinf(array).any())) if is_there
        ]
        finite = array[np.isfinite(array)]
        raise NonFiniteError(
            f"{message} : Tensor had {' and '.join(found)} values in {array.size - finite.size} of {array.size} "
            f"elements; the finite ones: {describe_range(finite)}."
        )
    return x


def assert_all_finite(x: Any, message: str, name: str | None = None) -> Tensor:
    """`check_numerics` under its other name."""
    return check_numerics(x, message)


def assert_equal(x: Any, y: Any, message: str | None = None, summarize: Any = None, name: str | None = None) -> None:
    """Raise InvalidArgumentError unless x == y everywhere, with broadcasting."""
    a, b = operands(x, y)
    one, other = np.broadcast_arrays(a._array, b._array)
    if not np.array_equal(one, other):
        raise InvalidArgumentError(f"{message or 'Expected equal values'}: received {a} and {b}.")


def assert_near(
    x: Any,
    y: Any,
    rtol: Any = None,
    atol: Any = None,
    message: str | None = None,
    summarize: Any = None,
    name: str | None = None,
) -> None:
    """Raise InvalidArgumentError unless |x - y| <= atol + rtol * |y| everywhere; both 10 epsilons by default."""
    a, b = operands(x, y)
    epsilon = 10 * np.finfo(a._array.dtype).eps if a._array.dtype.kind == "f" else 0
    rtol, atol = (epsilon if each is None else each for each in (rtol, atol))
    far = np.abs(a._array - b._array) > atol + rtol * np.abs(b._array)
    if far.any() or np.isnan(a._array).any() or np.isnan(b._array).any():
        raise InvalidArgumentError(f"{message or 'Expected nearly equal values'}: received {a} and {b}.")


def assert_shapes(shapes: Any, data: Any = None, summarize: Any = None, message: str | None = None) -> None:
    """Raise ShapeError unless each Tensor has its shape: pairs (tensor, sizes), where equal names mean equal sizes.

    `shapes`: a dict or a list of pairs; sizes are ints, names such as "n", or None for any.
    """
    sizes: dict[str, int] = {}
    for tensor, expected in shapes.items() if hasattr(shapes, "items") else shapes:
        shape = tuple(as_tensor(tensor)._array.shape)
        wanted = [sizes.setdefault(each, n) if isinstance(each, str) else each for each, n in zip(expected, shape)]
        if len(shape) != len(tuple(expected)) or any(w is not None and w != n for w, n in zip(wanted, shape)):
            raise ShapeError(f"{message or 'Unexpected shape'}: expected {tuple(expected)}, received {shape}.")
