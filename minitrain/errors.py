"""Every error that minitrain raises on purpose, in one tree.

    MinitrainError
    ├── InvalidArgumentError (ValueError)     a value that cannot be used: an axis, an option, a label
    │   ├── ShapeError                        shapes that do not fit each other
    │   ├── NonFiniteError (RuntimeError)     a NaN or an infinity, found by `debugging`, or in data
    │   ├── FileFormatError                   a file that is damaged, or not minitrain's
    │   ├── MissingFileError (FileNotFoundError)    a file that is not there
    │   ├── OutOfRangeError (IndexError)      an index beyond the end of an axis
    │   ├── UnknownNameError (KeyError)       a name that is not among those that there are
    │   └── DTypeError (TypeError)            a dtype, or a Python type, that cannot be used
    └── TapeError (RuntimeError)              a tape that is used in the wrong order
        ├── NotDrawnError (AttributeError)    an attribute that a model has only once it is functional, or called
        └── NotInitializedError (AttributeError)    an object of a user's class that forgot `super().__init__()`

Each one is also a built-in exception, so that `except ValueError` works as people expect. Messages say what was
expected, what came, and what to do.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

__all__ = [
    "AlreadyExistsError",
    "DTypeError",
    "DataLossError",
    "DeadlineExceededError",
    "FailedPreconditionError",
    "FileFormatError",
    "InvalidArgumentError",
    "MinitrainError",
    "MissingFileError",
    "NonFiniteError",
    "NotDrawnError",
    "NotFoundError",
    "NotInitializedError",
    "OpError",
    "OutOfRangeError",
    "PermissionDeniedError",
    "ResourceExhaustedError",
    "ShapeError",
    "TapeError",
    "UnimplementedError",
    "UnknownNameError",
    "nearest_names",
    "needing",
]


class MinitrainError(Exception):
    """The root of the tree: catches every error that minitrain raises on purpose."""

    @property
    def message(self) -> str:
        """The text, as TensorFlow's errors have it."""
        return str(self.args[-1]) if self.args else ""


OpError = MinitrainError  # TensorFlow's name for the root


class InvalidArgumentError(MinitrainError, ValueError):
    """An argument has a value that cannot be used."""


class ShapeError(InvalidArgumentError):
    """Shapes do not fit each other, or not what was promised."""


class NonFiniteError(InvalidArgumentError, RuntimeError):
    """A NaN or an infinity appeared in data, or where `debugging` was asked to look for them."""


class FileFormatError(InvalidArgumentError):
    """A file is damaged, or not of a format that minitrain reads."""


class MissingFileError(InvalidArgumentError, FileNotFoundError):
    """A file that should be read is not there."""


class OutOfRangeError(InvalidArgumentError, IndexError):
    """An index lies outside its axis."""


class UnknownNameError(InvalidArgumentError, KeyError):
    """A name is not among those that there are."""

    __str__ = Exception.__str__  # a KeyError's text is quoted


class DTypeError(InvalidArgumentError, TypeError):
    """A dtype, or the Python type of an argument, cannot be used."""


class TapeError(MinitrainError, RuntimeError):
    """A tape is used in an order that cannot work, such as twice where it holds for once."""


class NotDrawnError(TapeError, AttributeError):
    """An attribute such as `inputs` is asked for before the layer or model has been called on symbolic tensors."""


class NotInitializedError(TapeError, AttributeError):
    """An object of a user's class is used whose `__init__` forgot `super().__init__()`."""


# TensorFlow's names for them, and for what Python raises by itself
AlreadyExistsError = FileExistsError
DataLossError = FileFormatError
DeadlineExceededError = TimeoutError
FailedPreconditionError = TapeError
NotFoundError = MissingFileError
PermissionDeniedError = PermissionError
ResourceExhaustedError = MemoryError
UnimplementedError = NotImplementedError


@contextmanager
def needing(extra: str) -> Iterator[None]:
    """Within this `with` block packages of an extra are imported: say how to get them where they are not there."""
    try:
        yield
    except ModuleNotFoundError as error:
        said = f"This needs {error.name}, which is not installed: python -m pip install 'minitrain[{extra}]'"
        raise ModuleNotFoundError(said, name=error.name) from error


def nearest_names(name: str, known: Iterable[str]) -> str:
    """A clause for error messages: the known names nearest to `name`, or all of them where none is near."""
    import difflib  # on use, like json elsewhere: it takes a twentieth of minitrain's own import

    known = sorted(known)
    near = difflib.get_close_matches(name, known, n=3, cutoff=0.6)
    if near:
        return "Did you mean " + " or ".join(repr(other) for other in near) + "?"
    return "Known names: " + ", ".join(known) + "."
