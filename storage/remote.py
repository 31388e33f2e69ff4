"""Places in object stores, as far as looking for films and reading image sequences takes."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import BinaryIO, Self, TypeAlias

from pyarrow import fs

from storage.filesystem import above, apart, below, is_local, name_of, reading, resolve, source_file


@dataclass(frozen=True)
class RemotePath:
    """As much of `pathlib.Path` as is asked of it.

    Raises UnreachableSource where the store does not answer, or holds no such thing.
    """

    uri: str
    _fs: fs.FileSystem = field(compare=False)
    _path: str = field(compare=False)
    _kind: fs.FileType | None = field(default=None, compare=False)
    """As a listing told; None where it must be asked."""

    @classmethod
    def of(cls, uri: str) -> Self:
        """Raises StorageError."""
        return cls("".join(apart(uri)), *resolve(uri))

    def __str__(self) -> str:
        return self.uri

    def __truediv__(self, name: str) -> "RemotePath":
        return RemotePath(below(self.uri, name), self._fs, f"{self._path}/{name}")

    @property
    def name(self) -> str:
        return name_of(self.uri)

    @property
    def stem(self) -> str:
        return PurePosixPath(self.name).stem

    @property
    def suffix(self) -> str:
        return PurePosixPath(self.name).suffix

    @property
    def parent(self) -> "RemotePath":
        return RemotePath(above(self.uri)[0], self._fs, self._path.rpartition("/")[0])

    def with_name(self, name: str) -> "RemotePath":
        return self.parent / name

    def exists(self) -> bool:
        return bool(self._type() != fs.FileType.NotFound)

    def is_dir(self) -> bool:
        return bool(self._type() == fs.FileType.Directory)

    def is_file(self) -> bool:
        return bool(self._type() == fs.FileType.File)

    def iterdir(self) -> Iterator["RemotePath"]:
        for info in self._listed():
            yield replace(self / info.base_name, _kind=info.type)

    def open(self, mode: str = "rb") -> BinaryIO:
        """For reading bytes, the only mode."""
        assert mode == "rb"
        with reading(self.uri):
            return source_file(self._fs.open_input_file(self._path), self.uri)

    def read_bytes(self) -> bytes:
        with self.open() as file:
            return file.read()

    def _listed(self) -> list[fs.FileInfo]:
        with reading(self.uri):
            return list(self._fs.get_file_info(fs.FileSelector(self._path)))

    def _type(self) -> fs.FileType:
        if self._kind is not None:
            return self._kind
        with reading(self.uri):
            return self._fs.get_file_info(self._path).type


Place: TypeAlias = Path | RemotePath


def place_at(uri: str) -> Place:
    """A path on this machine as it is written, or a place in a store. Raises StorageError."""
    return Path(uri) if is_local(uri) else RemotePath.of(uri)
