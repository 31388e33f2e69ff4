"""Files by URI: a plain path, `file:`, `s3:` or `gs:`. The only place that asks which."""

import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO, Self, cast
from urllib.parse import quote, unquote

import pyarrow as pa
from pyarrow import fs

from storage.errors import SourceError, StorageError, UnreachableSource, VaultError

_OURS = ("file", "s3", "gs")
_PLAIN_IN_URIS = "/%:@!$&'()*+,;=~"
_DENIED = ("ACCESS_DENIED", "INVALID_ACCESS_KEY_ID", "SIGNATURE_DOES_NOT_MATCH", "credential")


def resolve(uri: str) -> tuple[fs.FileSystem, str]:
    """The filesystem and the path on it. Raises StorageError for a scheme that is not ours, and where a URI
    holds a secret."""
    if is_local(uri):
        return fs.LocalFileSystem(), str(_plain(uri).expanduser().absolute())
    scheme, _, rest = uri.partition("://")
    # What stands before an @ may be a key, whose secret may hold a slash: it is not said again.
    told = f"{scheme}://{rest.rpartition('@')[2]}"
    if scheme not in _OURS:
        raise StorageError(
            f"{told}: {scheme}: is not a place Answerprint reads or writes; use file:, s3: or gs:"
        )
    place, query = apart(uri)
    root, slash, path = place.removeprefix(f"{scheme}://").partition("/")
    if ":" in root:
        raise StorageError(
            f"{told}: named with a key, which would stand in every record; leave it out, the store's own "
            "settings tell it"
        )
    try:
        # What names may hold and URIs may not, such as blanks.
        asked = f"{scheme}://{root}{slash}{quote(path, safe=_PLAIN_IN_URIS)}{query}"
        found, path = fs.FileSystem.from_uri(asked)
    except (OSError, pa.ArrowInvalid) as error:
        raise StorageError(f"{uri}: cannot be reached ({trouble(error)})") from error
    return found, path.rstrip("/")


def apart(uri: str) -> tuple[str, str]:
    """The URI without, and what follows its `?` with it: that says how to reach the store."""
    place, mark, query = uri.partition("?")
    return place.rstrip("/"), mark + query


def below(uri: str, key: str) -> str:
    """The URI of what lies below a URI elsewhere, under the key as it is there."""
    place, query = apart(uri)
    return f"{place}/{key.replace('%', '%25').replace('?', '%3F')}{query}"


def above(place: str) -> tuple[str, str]:
    """The folder that a path or URI lies in, and its name there."""
    if is_local(place):
        parent, _, name = place.rstrip("/").rpartition("/")
        return parent or "/", name
    found, query = apart(place)
    parent, _, name = found.rpartition("/")
    return parent + query, unquote(name)


def name_of(place: str) -> str:
    """The last part of a path or URI."""
    return above(place)[1]


def is_local(uri: str) -> bool:
    return "://" not in uri or uri.startswith("file:/")


def _plain(uri: str) -> Path:
    """`file:/x`, `file:///x` and `file://localhost/x` say /x; what is a path already stays one."""
    if not uri.startswith("file:/"):
        return Path(uri)
    path = uri.removeprefix("file:")
    if path.startswith("//"):
        host, _, path = path[2:].partition("/")
        if host not in ("", "localhost"):
            raise StorageError(f"{uri}: is on another machine; name the path under which it is mounted here")
    return Path("/" + unquote(path).lstrip("/"))


def absolute(uri: str) -> str:
    """The same place by a name that holds in any working directory."""
    return str(local_path(uri)) if is_local(uri) else uri


def local_path(uri: str) -> Path:
    """The path behind a local URI."""
    return Path(resolve(uri)[1])


def open_input(uri: str) -> BinaryIO:
    """The file, for reading and seeking. Raises SourceError where it cannot be opened or, later, read."""
    filesystem, path = resolve(uri)
    local = isinstance(filesystem, fs.LocalFileSystem)
    with reading(uri):
        return source_file(open(path, "rb") if local else filesystem.open_input_file(path), uri)


def source_file(file: Any, uri: str) -> BinaryIO:
    """An open file whose troubles are told as the source's: UnreachableSource."""
    return cast(BinaryIO, _Source(file, uri))


class _Source:
    """A file whose troubles are told as the source's, whoever reads it."""

    def __init__(self, file: Any, uri: str) -> None:
        self._file, self._uri = file, uri

    def read(self, size: int = -1) -> bytes:
        with reading(self._uri):
            return bytes(self._file.read(size if size >= 0 else None))  # PyArrow wants no other

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        with reading(self._uri):
            if whence == os.SEEK_SET and isinstance(self._file, pa.NativeFile):
                offset = min(offset, self._file.size())  # beyond it lies nothing, as on a disk, and no error
            return int(self._file.seek(offset, whence))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()


@contextmanager
def reading(source: str) -> Iterator[None]:
    """Within the block, trouble with the disk or the network is told as the source's. Raises SourceError."""
    try:
        yield
    except IsADirectoryError as error:
        raise SourceError(f"{source}: is a directory, not a film") from error
    except FileNotFoundError as error:
        raise UnreachableSource(f"{source}: no such file") from error
    except OSError as error:
        raise UnreachableSource(f"{source}: cannot be read ({trouble(error)})") from error


def write_atomically(path: Path, data: bytes) -> None:
    """Writes the file whole or not at all: temporary name, fsync, rename. Raises VaultError."""
    with writing_atomically(path) as temporary:
        temporary.write_bytes(data)


@contextmanager
def writing_atomically(path: Path) -> Iterator[Path]:
    """A temporary name beside the file, which takes its place when the block ends well: whole or not at all.

    Raises VaultError, also for what the block could not write.
    """
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        with open(temporary, "rb") as file:
            os.fsync(file.fileno())
        os.replace(temporary, path)
        sync_folder(path.parent)
    except OSError as error:
        raise VaultError(f"{path}: cannot be written ({first_line(error)})") from error
    finally:
        with suppress(OSError):
            temporary.unlink()


def sync_tree(root: Path) -> None:
    """Makes `root` and all below it safe on disk before its record is written."""
    for path in sorted(root.rglob("*")):
        if path.is_file():
            with open(path, "rb") as file:
                os.fsync(file.fileno())
        elif path.is_dir():
            sync_folder(path)
    sync_folder(root)


def sync_folder(folder: Path) -> None:
    """Makes the names in a folder safe on disk: a rename is not until then."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def first_line(error: BaseException) -> str:
    """The first line of an error's message, for one-line reports."""
    text = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return str(text).splitlines()[0]


def trouble(error: BaseException) -> str:
    """`first_line` in our own words, and what to do where a store knows us not or not well enough."""
    told = first_line(error)
    if "allow_bucket_creation" in told:
        return "there is no such bucket; make it first"
    if any(word in told for word in _DENIED):
        return f"{told}; give credentials that may: AWS_PROFILE, or AWS_ACCESS_KEY_ID with its secret"
    return told
