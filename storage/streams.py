"""Streams of 8-bit frames side by side in one file: a ZIP of Matroska files, which any player plays, and what
is told of them as JSON.

A few frames are had without decoding the others. Shape suffixes: T frames, C planes (1 or 3), H rows, W
columns.
"""

import json
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from storage.clipcode import Bytes, decode, encode
from storage.errors import VaultError
from storage.filesystem import first_line, writing_atomically

_FACTS, _SIZES, _SUFFIX = "facts.json", "sizes", ".mkv"


def write_streams(path: Path, streams: Mapping[str, Bytes], facts: Mapping[str, Any]) -> None:
    """Writes streams (T, C, H, W) by their names, whole or not at all; the same give the same bytes.

    facts: whatever JSON can hold. Raises VaultError.
    """
    sizes = {name: frames_TCHW.shape for name, frames_TCHW in streams.items()}
    with writing_atomically(path) as temporary, zipfile.ZipFile(temporary, "w") as file:
        # A name alone would be dated by the clock.
        file.writestr(zipfile.ZipInfo(_FACTS), json.dumps({**facts, _SIZES: sizes}, sort_keys=True))
        for name, frames_TCHW in streams.items():
            file.writestr(zipfile.ZipInfo(f"{name}{_SUFFIX}"), encode(frames_TCHW))


class Streams:
    """Those of one file. Nothing is kept open."""

    def __init__(self, path: Path) -> None:
        """Raises VaultError where there is no such file, or it is damaged."""
        self._path = path
        with self._telling(), zipfile.ZipFile(path) as file:
            told = json.loads(file.read(_FACTS))
            self._sizes: dict[str, list[int]] = told.pop(_SIZES)
        self.facts: dict[str, Any] = told

    def decoded(self, name: str, first: int = 0, count: int | None = None) -> Bytes:
        """Frames of a stream (T, C, H, W): `count` from `first` on, or all that follow. Raises VaultError."""
        with self._telling(), zipfile.ZipFile(self._path) as file:
            data = file.read(f"{name}{_SUFFIX}")
            frames, channels, height, width = self._sizes[name]
        return decode(data, (channels, height, width), first, frames - first if count is None else count)

    @contextmanager
    def _telling(self) -> Iterator[None]:
        try:
            yield
        except (OSError, zipfile.BadZipFile, KeyError, ValueError, TypeError) as error:
            raise VaultError(f"{self._path}: not a file of streams ({first_line(error)})") from error
