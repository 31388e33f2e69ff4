"""Files by URI: a plain path, `file:`, `s3:` or `gs:`. The only place that asks which."""

import os
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO, cast

import pyarrow as pa
from pyarrow import fs

from storage.errors import SourceError, StorageError, VaultError

_OURS = ("file", "s3", "gs")


def resolve(uri: str) -> tuple[fs.FileSystem, str]:
    """The filesystem and the path on it. Raises StorageError for a scheme that is not ours."""
    scheme, mark, _ = uri.partition("://")
    if not mark:
        return fs.LocalFileSystem(), str(Path(uri).expanduser().absolute())
    if scheme not in _OURS:
        raise StorageError(
            f"{uri}: {scheme}: is not a place Answerprint reads or writes; use file:, s3: or gs:"
        )
    try:
        found, path = fs.FileSystem.from_uri(uri)
    except (OSError, pa.ArrowInvalid) as error:
        raise StorageError(f"{uri}: cannot be reached ({first_line(error)})") from error
    return found, path


def is_local(uri: str) -> bool:
    return "://" not in uri or uri.startswith("file://")


def absolute(uri: str) -> str:
    """The same place by a name that holds in any working directory."""
    return str(local_path(uri)) if is_local(uri) else uri


def local_path(uri: str) -> Path:
    """The path behind a local URI."""
    return Path(resolve(uri)[1])


def open_input(uri: str) -> BinaryIO:
    """The file, for reading and seeking. Raises SourceError where it cannot be opened."""
    filesystem, path = resolve(uri)
    try:
        if isinstance(filesystem, fs.LocalFileSystem):
            return open(path, "rb")
        return cast(BinaryIO, filesystem.open_input_file(path))
    except IsADirectoryError as error:
        raise SourceError(f"{uri}: is a directory, not a film") from error
    except FileNotFoundError as error:
        raise SourceError(f"{uri}: no such file") from error
    except OSError as error:
        raise SourceError(f"{uri}: cannot be read ({first_line(error)})") from error


def write_atomically(path: Path, data: bytes) -> None:
    """Writes the file whole or not at all: temporary name, fsync, rename. Raises VaultError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with open(temporary, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except OSError as error:
        with suppress(OSError):
            temporary.unlink()
        raise VaultError(f"{path}: cannot be written ({first_line(error)})") from error


def sync_tree(root: Path) -> None:
    """Makes every file below `root` safe on disk before its record is written."""
    for path in sorted(root.rglob("*")):
        if path.is_file():
            with open(path, "rb") as file:
                os.fsync(file.fileno())
    handle = os.open(root, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def first_line(error: BaseException) -> str:
    """The first line of an error's message, for one-line reports."""
    text = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return str(text).splitlines()[0]
