"""Looking for the first NaN or infinity, and assertions on Tensors: `tf.debugging`.

Assertions about values are made again in every run of a program; those about shapes and dtypes hold for all of them.
`enable_check_numerics()` makes every operation of this thread, forward and backward, look at its result: the first
one that makes a NaN or an infinity from finite inputs raises, with its name, its inputs' ranges and the user's line.
"""

from __future__ import annotations

from collections.abc import Callable
from types import TracebackType
from typing import Any

import numpy as np

from minitrain import nest
from minitrain.dtypes import DType, as_dtype
from minitrain.engine.convert import as_tensor, operands
from minitrain.engine.program.record import Call, happen
from minitrain.engine.tensor import Tensor, TensorLike
from minitrain.engine.trail import STATE, describe_range, refresh
from minitrain.errors import DTypeError, InvalidArgumentError, NonFiniteError, ShapeError

__all__ = [
    "Assert",
    "assert_all_finite",
    "assert_equal",
    "assert_greater",
    "assert_greater_equal",
    "assert_integer",
    "assert_less",
    "assert_less_equal",
    "assert_near",
    "assert_negative",
    "assert_non_negative",
    "assert_non_positive",
    "assert_none_equal",
    "assert_positive",
    "assert_proper_iterable",
    "assert_rank",
    "assert_rank_at_least",
    "assert_rank_in",
    "assert_same_float_dtype",
    "assert_scalar",
    "assert_shapes",
    "assert_type",
    "check_numerics",
    "disable_check_numerics",
    "enable_check_numerics",
    "is_numeric_tensor",
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


def enable_check_numerics(stack_height_limit: int = 30, path_length_limit: int = 50) -> _Checking:
    """Check the result of every operation of this thread, from now on or, used in `with`, inside the block.

    The first operation that makes a NaN or an infinity from finite inputs raises NonFiniteError. Checking makes
    operations several times slower. The limits are TensorFlow's and mean nothing here.
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

    def check(array: Any) -> None:
        if array.dtype.kind != "f" or np.isfinite(array).all():
            return
        found = [
            what for what, is_there in (("NaN", np.isnan(array).any()), ("Inf", np.isinf(array).any())) if is_there
        ]
        finite = array[np.isfinite(array)]
        raise NonFiniteError(
            f"{message} : Tensor had {' and '.join(found)} values in {array.size - finite.size} of {array.size} "
            f"elements; the finite ones: {describe_range(finite)}."
        )

    happen(Call(check), [x])
    return x


def assert_all_finite(x: Any, message: str, name: str | None = None) -> Tensor:
    """`check_numerics` under its other name."""
    return check_numerics(x, message)


def _comparison(name: str, symbol: str, holds: Callable[[Any, Any], Any]) -> Callable[..., None]:
    def compare(x: Any, y: Any, message: str | None = None, summarize: Any = None, name: str | None = None) -> None:
        def check(a: Any, b: Any) -> None:
            try:
                met = holds(a, b)
            except ValueError as error:
                raise ShapeError(f"Incompatible shapes for x {symbol} y: {a.shape} and {b.shape}.") from error
            if not np.all(met):
                text = f"Condition x {symbol} y did not hold: received {Tensor(a)} and {Tensor(b)}."
                raise InvalidArgumentError(f"{_lead(message)}{text}")

        happen(Call(check), operands(x, y))

    compare.__name__ = compare.__qualname__ = name
    compare.__doc__ = f"Raise InvalidArgumentError unless x {symbol} y everywhere, with broadcasting."
    return compare


assert_equal = _comparison("assert_equal", "==", np.equal)
assert_none_equal = _comparison("assert_none_equal", "!=", np.not_equal)
assert_less = _comparison("assert_less", "<", np.less)
assert_less_equal = _comparison("assert_less_equal", "<=", np.less_equal)
assert_greater = _comparison("assert_greater", ">", np.greater)
assert_greater_equal = _comparison("assert_greater_equal", ">=", np.greater_equal)


def _sign(name: str, symbol: str, compare: Callable[..., None]) -> Callable[..., None]:
    def check(x: Any, message: str | None = None, summarize: Any = None, name: str | None = None) -> None:
        compare(x, 0, message)

    check.__name__ = check.__qualname__ = name
    check.__doc__ = f"Raise InvalidArgumentError unless x {symbol} 0 everywhere."
    return check


assert_positive = _sign("assert_positive", ">", assert_greater)
assert_negative = _sign("assert_negative", "<", assert_less)
assert_non_negative = _sign("assert_non_negative", ">=", assert_greater_equal)
assert_non_positive = _sign("assert_non_positive", "<=", assert_less_equal)


def _lead(message: str | None) -> str:
    return f"{message} " if message else ""


def assert_rank(x: Any, rank: Any, message: str | None = None, name: str | None = None) -> None:
    """Raise ShapeError unless x has `rank` axes."""
    assert_rank_in(x, [rank], message)


def assert_rank_in(x: Any, ranks: Any, message: str | None = None, name: str | None = None) -> None:
    """Raise ShapeError unless the number of x's axes is among `ranks`."""
    shape, wanted = as_tensor(x)._array.shape, [int(each) for each in ranks]
    if len(shape) not in wanted:
        text = " or ".join(str(each) for each in wanted)
        raise ShapeError(f"{_lead(message)}Tensor must have rank {text}. Received rank {len(shape)}, shape {shape}.")


def assert_rank_at_least(x: Any, rank: Any, message: str | None = None, name: str | None = None) -> None:
    """Raise ShapeError unless x has `rank` axes or more."""
    shape = as_tensor(x)._array.shape
    if len(shape) < int(rank):
        raise ShapeError(
            f"{_lead(message)}Tensor must have rank at least {rank}. Received rank {len(shape)}, shape {shape}."
        )


def assert_scalar(tensor: Any, name: str | None = None, message: str | None = None) -> Tensor:
    """`tensor` as a Tensor. Raises ShapeError unless its shape is ()."""
    x = as_tensor(tensor)
    if x._array.ndim:
        raise ShapeError(f"{_lead(message)}Expected scalar shape, saw shape: {x.shape}.")
    return x


def assert_type(tensor: Any, tf_type: Any, message: str | None = None, name: str | None = None) -> None:
    """Raise DTypeError unless `tensor` has the dtype."""
    found = as_tensor(tensor).dtype
    if found != as_dtype(tf_type):
        raise DTypeError(f"{_lead(message)}tensor must be of type {as_dtype(tf_type).name}; got {found.name}.")


def assert_integer(x: Any, message: str | None = None, name: str | None = None) -> None:
    """Raise DTypeError unless x holds integers."""
    found = as_tensor(x).dtype
    if not found.is_integer:
        raise DTypeError(f'{_lead(message)}Expected "x" to be integer type. Found: tensor of dtype {found.name}.')


def assert_same_float_dtype(tensors: Any = None, dtype: Any = None) -> DType:
    """The floating dtype that all `tensors` have. Raises DTypeError where they differ, or from `dtype`."""
    found = {each.dtype.name for each in map(as_tensor, tensors or [])} | ({as_dtype(dtype).name} if dtype else set())
    if len(found) > 1 or not all(as_dtype(each).is_floating for each in found):
        raise DTypeError(f"Expected one floating dtype, received {', '.join(sorted(found))}.")
    return as_dtype(found.pop() if found else "float32")


def assert_proper_iterable(values: Any) -> None:
    """Raise DTypeError where `values` is a Tensor, an array or a string, which iterate over their parts."""
    if isinstance(values, (TensorLike, np.ndarray, str, bytes)) or not hasattr(values, "__iter__"):
        raise DTypeError(f'Expected argument "values" to be a "proper" iterable. Found: {type(values)}.')


def is_numeric_tensor(tensor: Any) -> bool:
    """Whether `tensor` is a Tensor of numbers."""
    return isinstance(tensor, TensorLike) and not tensor.dtype.is_bool


def Assert(condition: Any, data: Any, summarize: Any = None, name: str | None = None) -> None:  # noqa: N802  # TensorFlow's
    """Raise InvalidArgumentError with `data` unless the condition holds everywhere."""
    said = nest.as_list(data)

    def check(array: Any, *arrays: Any) -> None:
        if not np.all(array):
            given = iter(arrays)
            shown = [Tensor(next(given)) if isinstance(each, TensorLike) else each for each in said]
            raise InvalidArgumentError(f"Expected {Tensor(array)!r} to be true. Summarized data: {shown}")

    happen(Call(check), [as_tensor(condition), *(each._read() for each in said if isinstance(each, TensorLike))])


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

    def check(x: Any, y: Any) -> None:
        far = np.abs(x - y) > atol + rtol * np.abs(y)
        if far.any() or np.isnan(x).any() or np.isnan(y).any():
            lead = message or "Expected nearly equal values"
            raise InvalidArgumentError(f"{lead}: received {Tensor(x)} and {Tensor(y)}.")

    happen(Call(check), [a, b])


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
