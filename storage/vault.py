"""The vault: one output root on any filesystem, where nothing half-written is ever seen.

A thing is made in a staging folder on this machine and published under its digest: on a local disk by one
rename, elsewhere by uploading its files with the record last. What has its record is whole.

    reels/<reel_id>/reel.json frames.parquet shots-<digest>.parquet
    reels/<reel_id>/looks/<digest>/    looks.mkv, what detection looks at
    reels/<reel_id>/shots/<digest>/    restored.mkv mask.mkv originals.mkv changes.parquet shot.json
    reels/<reel_id>/stills/            painted stills, by their digest
    reels/<reel_id>/guesses/           which stills a model coloured, by their digest
    reels/<reel_id>/colour/<digest>/   colour.mkv coverage.mkv coverage.parquet shot.json
    reels/<reel_id>/deliver/<digest>/  a BagIt bag; delivery.json or colour.json in its data/
    corpora/<name>/<digest>/           shard-*.parquet, each with its record; manifest.parquet, corpus.json
    ledger/<run_id>.parquet            frames, seconds and device a stage
    review.json                        the reviewer's decisions
"""

import os
import shutil
import socket
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Literal

import psutil
from pyarrow import fs

from storage.digest import digest_of
from storage.errors import VaultError
from storage.filesystem import below, resolve, sync_folder, sync_tree, trouble, write_atomically
from storage.fixity import sha256_file

_STAGING = ".staging"


class Vault:
    """A vault by URI. Keys are paths below its root, with forward slashes."""

    def __init__(self, uri: str) -> None:
        self.uri = uri
        self._fs, self._root = resolve(uri)

    @property
    def is_local(self) -> bool:
        return isinstance(self._fs, fs.LocalFileSystem)

    def prepare(self) -> None:
        """Makes sure that the vault can be written. Raises VaultError."""
        try:
            self._fs.create_dir(self._root, recursive=True)
            if self.is_local:
                staging = Path(self._root, _STAGING)
                staging.mkdir(exist_ok=True)
                (probe := staging / f"probe-{uuid.uuid4().hex}").write_bytes(b"answerprint")
                probe.unlink()
                self.sweep()
        except OSError as error:
            raise VaultError(f"{self.uri}: the vault cannot be written ({trouble(error)})") from error

    def sweep(self) -> None:
        """Removes what killed processes of this machine left half-written."""
        staging = Path(self._root, _STAGING)
        if not self.is_local or not staging.exists():
            return
        for folder in staging.iterdir():
            host, _, process = folder.name.rpartition("-")[0].rpartition("-")
            if host == socket.gethostname() and process.isdigit() and not psutil.pid_exists(int(process)):
                shutil.rmtree(folder, ignore_errors=True)

    def exists(self, key: str) -> bool:
        with self._being("read", key):
            return bool(self._fs.get_file_info(self._path(key)).type != fs.FileType.NotFound)

    def read(self, key: str) -> bytes:
        """Raises VaultError where it is not there."""
        with self._being("read", key), self._fs.open_input_stream(self._path(key)) as stream:
            return bytes(stream.read())

    def sha256(self, key: str) -> str:
        """Of a file. Raises VaultError where it is not there."""
        with self._being("read", key), self._fs.open_input_file(self._path(key)) as stream:
            return sha256_file(stream)

    def write(self, key: str, data: bytes) -> None:
        """Writes one file whole or not at all. Raises VaultError."""
        path = self._path(key)
        if self.is_local:
            write_atomically(Path(path), data)
            return
        with self._being("written", key):
            self._fs.create_dir(path.rpartition("/")[0], recursive=True)
            with self._fs.open_output_stream(path) as stream:
                stream.write(data)

    def folders(self, key: str) -> list[str]:
        """The names of the folders below a key, sorted; none where there is no such key."""
        found = self._listed(key)
        return sorted(info.base_name for info in found if info.type == fs.FileType.Directory)

    def files(self, key: str) -> list[str]:
        """The keys of the files directly below a key, sorted."""
        found = self._listed(key)
        return sorted(f"{key}/{info.base_name}" for info in found if info.type == fs.FileType.File)

    def _listed(self, key: str) -> list[fs.FileInfo]:
        with self._being("read", key):
            return list(self._fs.get_file_info(fs.FileSelector(self._path(key), allow_not_found=True)))

    @contextmanager
    def publishing(self, key: str, record: str) -> Iterator[Path]:
        """A folder to make things in; when the block ends well, it stands in the vault under `key`.

        record: the file, relative to the folder, that says that all is there; it comes last. If somebody else
        published the same key meanwhile, theirs stays: equal names mean equal bytes. What lies there without
        its record is cleared away. Raises VaultError; what is raised in the block comes out as it is.
        """
        with self._staging(key) as folder:
            yield folder
            with self._being("written", key):
                sync_tree(folder)
                if self.is_local:
                    self._rename(folder, key, record)
                else:
                    self._upload(folder, key, record)

    @contextmanager
    def publishing_file(self, key: str) -> Iterator[Path]:
        """A place to write a large file at; when the block ends well, it stands in the vault under `key`.

        Raises VaultError, also for what the block could not write.
        """
        target = self._path(key)
        with self._staging(key) as folder, self._being("written", key):
            yield (made := folder / target.rpartition("/")[2])
            sync_tree(folder)
            self._fs.create_dir(target.rpartition("/")[0], recursive=True)
            if self.is_local:
                made.replace(target)
                sync_folder(Path(target).parent)
            else:
                fs.copy_files(str(made), target, fs.LocalFileSystem(), self._fs)

    @contextmanager
    def _staging(self, key: str) -> Iterator[Path]:
        """A folder that is cleared away, whatever becomes of what was made in it."""
        self._path(key)
        home = Path(self._root, _STAGING) if self.is_local else Path(tempfile.gettempdir())
        folder = home / f"{socket.gethostname()}-{os.getpid()}-{uuid.uuid4().hex}"
        try:
            with self._being("written", key):
                folder.mkdir(parents=True)
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    @contextmanager
    def _being(self, done: Literal["read", "written"], key: str) -> Iterator[None]:
        """Trouble with a file, told by its place."""
        try:
            yield
        except OSError as error:
            raise VaultError(f"{self.url(key)}: cannot be {done} ({trouble(error)})") from error

    def path(self, key: str) -> Path:
        """A file of the vault as a path on this machine; fetched first where the vault is elsewhere.

        For what never changes once it is there: what was fetched before is not fetched again. Raises
        VaultError.
        """
        there = self._path(key)
        if not self.exists(key):
            raise VaultError(f"{self.url(key)}: cannot be read (no such file)")
        if self.is_local:
            return Path(there)
        local = Path(tempfile.gettempdir(), "answerprint-cache", digest_of([self.uri]), key)
        if not local.exists():
            local.parent.mkdir(parents=True, exist_ok=True)
            partial = local.with_name(f"{local.name}.{uuid.uuid4().hex}")
            with self._being("read", key):
                fs.copy_files(there, str(partial), self._fs, fs.LocalFileSystem())
            partial.replace(local)
        return local

    def url(self, key: str) -> str:
        """What a person is told: a path for a local vault, a URI for others."""
        there = self._path(key)
        return there if self.is_local else below(self.uri, key)

    def _path(self, key: str) -> str:
        parts = key.split("/")
        if any(part in ("", ".", "..") for part in parts):
            raise VaultError(f"{key!r} is not a place in a vault")
        return "/".join([self._root, *parts])

    def _rename(self, folder: Path, key: str, record: str) -> None:
        target = Path(self._path(key))
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            folder.rename(target)
        except OSError:
            if (target / record).exists():
                return
            if not target.exists():
                raise
            # Half a copy, or one whose record was deleted: nothing that anyone may use.
            aside = folder.with_name(f"{folder.name}.aside")
            with suppress(FileNotFoundError):
                target.rename(aside)
            folder.rename(target)
            shutil.rmtree(aside, ignore_errors=True)
        sync_folder(target.parent)

    def _upload(self, folder: Path, key: str, record: str) -> None:
        files = sorted(p for p in folder.rglob("*") if p.is_file() and p != folder / record)
        for path in [*files, folder / record]:
            target = self._path(f"{key}/{path.relative_to(folder).as_posix()}")
            self._fs.create_dir(target.rpartition("/")[0], recursive=True)
            fs.copy_files(str(path), target, fs.LocalFileSystem(), self._fs)
