"""Files: a zip of JSON texts and safetensors, written whole or not at all, and read with suspicion.

Nothing in a file is run or imported. Sizes are checked against the file's own size before memory is taken, and whatever
is wrong with a file ends in one `FileFormatError`.
"""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path
from typing import Any

import numpy as np

from minitrain.errors import DTypeError, FileFormatError, InvalidArgumentError, MissingFileError

JSON_LIMIT = 1 << 28  # bytes of a JSON text
DEPTH_LIMIT = 100  # of lists and dicts in one another
KERAS_WEIGHTS = "model.weights.h5"  # the entry of a ".keras" file
IN_HDF5 = "from what `model.save_weights('model.weights.h5')` saves there"
HDF5 = b"\x89HDF\r\n\x1a\n"  # how such a file begins


def _depth(value: Any) -> int:
    """How deep lists and dicts stand in one another."""
    depth, level = 0, [value]
    while level and depth <= DEPTH_LIMIT:
        depth += 1
        level = [
            inner
            for each in level
            if isinstance(each, (list, dict))
            for inner in (each.values() if isinstance(each, dict) else each)
        ]
    return depth


def write_whole(path: Any, write: Any) -> None:
    """Let `write(temporary path)` make a file, and put it in the place of `path` at once: a crash leaves the old.

    What a link points to is replaced, not the link, and who may read and write it stays. Raises InvalidArgumentError
    for what is no path of a file, such as a folder, and PermissionError for a file that may not be written to.
    """
    path = checked_path(path)
    is_there = os.path.exists(path)
    if is_there and not os.path.isfile(path):
        raise InvalidArgumentError(f"{path!r} is no file, and cannot be replaced by one: give the path of a file.")
    if is_there and not os.access(path, os.W_OK):
        raise PermissionError(errno.EACCES, "The file is there, and may not be written to", path)
    place = Path(os.path.realpath(path))
    place.parent.mkdir(parents=True, exist_ok=True)
    temporary = place.parent / f".{os.urandom(8).hex()}.tmp"
    try:
        os.close(os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))  # as a new file would be
        write(str(temporary))
        with open(temporary, "rb") as file:
            os.fsync(file.fileno())
        if is_there:
            os.chmod(temporary, stat.S_IMODE(os.stat(place).st_mode))
        os.replace(temporary, place)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def checked_path(path: Any) -> str:
    """The path of a file as a string. Raises InvalidArgumentError for what is none."""
    if not isinstance(path, (str, os.PathLike)) or not isinstance(os.fspath(path), str) or not os.fspath(path):
        raise InvalidArgumentError(f"Expected the path of a file, received {path!r}.")
    return str(os.fspath(path))


def write_archive(path: Any, texts: dict[str, Any], tensors: dict[str, dict[str, Any]]) -> None:
    """Write JSON texts and groups of named arrays, as `name.json` and `name.safetensors`."""
    import zipfile

    from safetensors.numpy import save

    encoded = {f"{name}.json": _dumped(value) for name, value in texts.items()}
    for name, arrays in tensors.items():
        encoded[f"{name}.safetensors"] = save({key: np.asarray(each, order="C") for key, each in arrays.items()})

    def write(temporary: str) -> None:
        with zipfile.ZipFile(temporary, "w") as archive:
            for name, data in encoded.items():
                archive.writestr(name, data)

    write_whole(path, write)


def _dumped(value: Any) -> str:
    import json

    try:
        return json.dumps(value, indent=1)
    except TypeError as error:
        raise DTypeError(
            f"The configuration cannot be written as JSON: {error}. `get_config` must give numbers, strings, lists and "
            "dicts alone."
        ) from error


def of_keras(path: Any, how: str) -> FileFormatError:
    """The error to raise for a whole model that Keras wrote."""
    return FileFormatError(
        f"{str(path)!r} was written by Keras, whose files may hold code. Build the same model here, and read its "
        f"weights {how}."
    )


def found_path(path: Any) -> Path:
    """The path of a file that is there. Raises MissingFileError for another."""
    place = Path(checked_path(path))
    try:
        is_there = place.is_file()
    except PermissionError:
        raise
    except OSError:  # a name that is too long
        is_there = False
    if not is_there:
        raise MissingFileError(f"File not found: {str(path)!r}.")
    return place


class Archive:
    """A file that `write_archive` wrote, open for reading; with `allow_keras` it may be Keras's, for its weights."""

    def __init__(self, path: Any, allow_keras: bool = False) -> None:
        import zipfile

        self.path = found_path(path)
        size = self.path.stat().st_size
        with open(self.path, "rb") as file:
            is_hdf5 = file.read(len(HDF5)) == HDF5
        if is_hdf5 and self.path.name.endswith(".weights.h5"):
            raise self.broken("it holds weights alone, which `model.load_weights` reads")
        if is_hdf5:
            raise of_keras(path, IN_HDF5)
        try:
            with zipfile.ZipFile(self.path) as archive:
                entries = archive.infolist()
        except Exception as error:  # a hostile file can fail in any way
            raise self.broken(f"it is no zip archive ({error})") from error
        self.names = {each.filename for each in entries}
        self.is_of_keras = KERAS_WEIGHTS in self.names
        if self.is_of_keras and not allow_keras:
            raise of_keras(path, f"with `model.load_weights({str(path)!r})`")
        if len(self.names) != len(entries):
            raise self.broken("it names an entry twice")
        for each in entries:
            if each.compress_type != zipfile.ZIP_STORED or max(each.file_size, each.compress_size) > size:
                raise self.broken(f"entry {each.filename!r} claims {each.file_size} bytes in a file of {size}")

    def broken(self, why: str) -> FileFormatError:
        """The error to raise."""
        return FileFormatError(f"{str(self.path)!r} is no model file of minitrain, or is damaged: {why}.")

    def _read(self, name: str) -> bytes:
        import zipfile

        if name not in self.names:
            raise self.broken(f"it lacks {name!r}")
        try:
            with zipfile.ZipFile(self.path) as archive:
                return archive.read(name)
        except Exception as error:  # a hostile file can fail in any way
            raise self.broken(f"{name!r} cannot be read ({error})") from error

    def keras_weights(self) -> bytes:
        """The HDF5 file in a file of Keras's."""
        return self._read(KERAS_WEIGHTS)

    def text(self, name: str) -> Any:
        """The data of a JSON text."""
        import json

        data = self._read(f"{name}.json")
        if len(data) > JSON_LIMIT:
            raise self.broken(f"{name}.json is too long")
        try:
            value = json.loads(data)
        except (ValueError, RecursionError) as error:
            raise self.broken(f"{name}.json is no JSON ({type(error).__name__})") from error
        if _depth(value) > DEPTH_LIMIT:
            raise self.broken(f"{name}.json is nested too deep")
        return value

    def tensors(self, name: str) -> dict[str, Any]:
        """A group of arrays by name."""
        return read_tensors(self._read(f"{name}.safetensors"), self)


def read_tensors(data: bytes, archive: Any) -> dict[str, Any]:
    """The arrays in the bytes of a safetensors file."""
    from safetensors import SafetensorError
    from safetensors.numpy import load

    try:
        return dict(load(data))
    except (SafetensorError, ValueError, KeyError, TypeError, OverflowError, MemoryError) as error:
        raise archive.broken(f"the arrays cannot be read ({error})") from error
