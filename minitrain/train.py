"""`tf.train`'s checkpoints: the values of variables, models and optimizers, in files beside one another.

A file holds arrays by the name that each part has in the Checkpoint and by their order in it. What is restored must
have its variables already: there is no restoring of layers that are yet to be built.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from minitrain import nest
from minitrain.engine.variable import Variable
from minitrain.errors import DTypeError, FileFormatError, InvalidArgumentError
from minitrain.optim import Optimizer
from minitrain.saving.archive import Archive, write_archive, write_whole

__all__ = ["Checkpoint", "CheckpointManager", "latest_checkpoint", "list_variables", "load_variable"]

NOTE = "checkpoint"  # the file in a directory that says which checkpoints there are, the latest last
COUNTER = "save_counter"


class Restored:
    """What `restore` gives, for the questions that scripts ask of it."""

    def __init__(self, missing: list[str]) -> None:
        self._missing = missing

    def assert_consumed(self) -> Restored:
        """Raise InvalidArgumentError where the file and the Checkpoint do not have the same parts."""
        if self._missing:
            raise InvalidArgumentError(f"Only one of the file and the Checkpoint holds {', '.join(self._missing)}.")
        return self

    assert_existing_objects_matched = assert_consumed

    def expect_partial(self) -> Restored:
        """The same."""
        return self


class Checkpoint:
    """Writes down, and reads again, the variables of its parts: `Checkpoint(model=model, optimizer=optimizer, step=v)`.

    A part is a Variable, what has `variables`, such as a model or a pass over a Dataset, or a list, tuple or dict of
    parts. `root`: one part without a name of its own.
    """

    def __init__(self, root: Any = None, **kwargs: Any) -> None:
        self.save_counter = Variable(0, dtype="int64", trainable=False, name=COUNTER)
        self._parts = ({} if root is None else {"root": root}) | kwargs
        for name, each in self._parts.items():
            _variables_of(each, name)
            setattr(self, name, each)

    def write(self, file_prefix: Any, options: Any = None) -> str:
        """Write the file, whole or not at all, and give its path."""
        values = {COUNTER: self.save_counter.numpy()}
        for name, each in self._parts.items():
            values |= {f"{name}/{n}": one.numpy() for n, one in enumerate(_variables_of(each, name))}
        write_archive(file_prefix, {}, {"variables": values})
        return str(file_prefix)

    def save(self, file_prefix: Any, options: Any = None) -> str:
        """Write the file `file_prefix`-1, -2 and so on, note it as the latest of its directory, and give its path."""
        self.save_counter.assign_add(1)
        path = self.write(f"{file_prefix}-{int(self.save_counter)}")
        _note(Path(path).parent, [*(each for each in _noted(Path(path).parent) if each != path), path])
        return path

    def restore(self, save_path: Any, options: Any = None) -> Restored:
        """Give all variables the values in a file; nothing for None. An optimizer is built for the model beside it.

        Raises InvalidArgumentError where a part has another number of variables, as one that is not built has, and
        ShapeError for other shapes; MissingFileError where there is no file.
        """
        if save_path is None:
            return Restored([])
        archive = Archive(save_path)
        values = archive.tensors("variables")
        held: dict[str, list[Any]] = {}
        try:
            for key in sorted(values.keys() - {COUNTER}, key=lambda each: int(each.rpartition("/")[2])):
                held.setdefault(key.rpartition("/")[0], []).append(values[key])
            count = values[COUNTER]
        except (KeyError, ValueError) as error:
            raise archive.broken("it holds other arrays than a Checkpoint writes") from error
        for name in held.keys() & self._parts.keys():
            for each in self._optimizers(name):
                if not each.built:
                    each.build(self._trained())
        wanted = {name: _variables_of(each, name) for name, each in self._parts.items()}
        for name in held.keys() & wanted.keys():
            if len(held[name]) != len(wanted[name]):
                raise InvalidArgumentError(
                    f"{str(save_path)!r} holds {len(held[name])} variables of {name!r}, which has {len(wanted[name])}. "
                    "Call it on data, or `build` it, before it is restored."
                )
        pairs = [pair for name in held.keys() & wanted.keys() for pair in zip(wanted[name], held[name], strict=True)]
        accepted = [(variable, variable._accept(value, "restore")) for variable, value in pairs]
        for variable, value in accepted:  # none before all fit
            variable._write(value)
        self.save_counter.assign(count)
        return Restored(sorted(held.keys() ^ {name for name, each in wanted.items() if each}))

    read = restore

    def _optimizers(self, name: str) -> list[Optimizer]:
        return [each for each in nest.flatten(self._parts[name]) if isinstance(each, Optimizer)]

    def _trained(self) -> list[Variable]:
        """The trainable variables of the parts, which an optimizer among them trains."""
        parts = nest.flatten(list(self._parts.values()))
        found = [one for each in parts for one in getattr(each, "trainable_variables", ())]
        return list({id(each): each for each in found}.values())


class CheckpointManager:
    """Saves a Checkpoint in a directory, as "ckpt-1" and so on, and deletes all but the last `max_to_keep`."""

    def __init__(
        self, checkpoint: Checkpoint, directory: Any, max_to_keep: int | None, checkpoint_name: str = "ckpt"
    ) -> None:
        self._checkpoint = checkpoint
        self._directory = Path(directory)
        self._max_to_keep = max_to_keep
        self._name = checkpoint_name

    @property
    def directory(self) -> str:
        """Where the files are."""
        return str(self._directory)

    @property
    def checkpoints(self) -> list[str]:
        """The paths of the files that are kept, the latest last."""
        return _noted(self._directory)

    @property
    def latest_checkpoint(self) -> str | None:
        """The path of the latest file; None where there is none."""
        return latest_checkpoint(self._directory)

    @property
    def checkpoint(self) -> Checkpoint:
        """The Checkpoint."""
        return self._checkpoint

    def save(self, checkpoint_number: Any = None, check_interval: bool = True, options: Any = None) -> str:
        """Save the Checkpoint, under the next number or `checkpoint_number`, and give the path."""
        if checkpoint_number is not None:
            self._checkpoint.save_counter.assign(int(checkpoint_number) - 1)
        path = self._checkpoint.save(self._directory / self._name)
        kept = self.checkpoints
        if self._max_to_keep is not None and len(kept) > self._max_to_keep:
            _note(self._directory, kept[-self._max_to_keep :])
            for each in kept[: -self._max_to_keep]:
                Path(each).unlink(missing_ok=True)
        return path

    def restore_or_initialize(self) -> str | None:
        """Restore the latest file, if there is one, and give its path."""
        self._checkpoint.restore(self.latest_checkpoint)
        return self.latest_checkpoint


def latest_checkpoint(checkpoint_dir: Any, latest_filename: str | None = None) -> str | None:
    """The path of the latest file that was saved in a directory; None where there is none."""
    noted = _noted(Path(checkpoint_dir))
    return noted[-1] if noted else None


def list_variables(ckpt_dir_or_file: Any) -> list[tuple[str, list[int]]]:
    """The names in a file, or in the latest of a directory, and the shapes of their values."""
    return [(name, list(each.shape)) for name, each in sorted(_values(ckpt_dir_or_file).items())]


def load_variable(ckpt_dir_or_file: Any, name: str) -> Any:
    """The value under a name in a file, or in the latest of a directory, as an ndarray."""
    values = _values(ckpt_dir_or_file)
    if name not in values:
        raise InvalidArgumentError(f"{str(ckpt_dir_or_file)!r} holds no {name!r}, but {', '.join(sorted(values))}.")
    return values[name]


def _values(path: Any) -> dict[str, Any]:
    return Archive((latest_checkpoint(path) if Path(path).is_dir() else None) or path).tensors("variables")


def _variables_of(part: Any, name: str) -> list[Variable]:
    return list(_found(part, name))


def _found(part: Any, name: str) -> Iterator[Variable]:
    for each in nest.flatten(part):
        if isinstance(each, Variable):
            yield each
        elif hasattr(each, "variables"):
            yield from each.variables
        else:
            raise DTypeError(f"`{name}` of a Checkpoint must be a Variable or have `variables`, received {each!r}.")


def _noted(directory: Path) -> list[str]:
    """The paths in a directory's note whose files are there."""
    path = directory / NOTE
    if not path.is_file():
        return []
    try:
        names = json.loads(path.read_text())["checkpoints"]
        return [str(directory / each) for each in names if (directory / each).is_file()]
    except (ValueError, KeyError, TypeError, RecursionError, OSError) as error:
        raise FileFormatError(f"{str(path)!r} is no note of checkpoints, or is damaged.") from error


def _note(directory: Path, paths: list[str]) -> None:
    text = json.dumps({"checkpoints": [Path(each).name for each in paths]})
    write_whole(directory / NOTE, lambda temporary: Path(temporary).write_text(text))
