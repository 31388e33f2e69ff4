"""A corpus: clips of film before and after damage, in shards that any filesystem can hold.

    corpora/<name>/<digest>/
      shard-00000.parquet ...   a clip a row and a row a row group: read by number, column by column
      manifest.parquet          every clip, and every one rejected with the reason, without pictures
      corpus.json               written last: its presence says that the corpus is whole

Streams lie coded by `storage.clipcode`. Instead of the undamaged film its difference to the damaged one is
kept, all but empty and so all but nothing; the target only where it is not the clean clip. Shape suffixes: T
frames, C planes (1 grey, or 3 red, green and blue), H rows, W columns.
"""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow import fs

from storage.clipcode import CODEC, Bytes, Crop, decode, encode
from storage.errors import StorageError, VaultError
from storage.filesystem import first_line, resolve, writing_atomically
from storage.tables import CLIPS, MANIFEST, checked, from_parquet

Stream = Literal["clean", "target", "undamaged", "damaged", "masks"]

RECORD, TABLE, FORMAT = "corpus.json", "manifest.parquet", 1
_CODED = ("clean", "target", "damage", "damaged", "masks")
FACTS = tuple(name for name in CLIPS.names if name not in _CODED)
"""The columns that shards and manifest share."""
_SIZE = ("channels", "height", "width", "frames")
_STREAMS: tuple[Stream, ...] = ("clean", "target", "undamaged", "damaged", "masks")
_NEEDED: Mapping[Stream, tuple[str, ...]] = {"undamaged": ("damage", "damaged")}


@dataclass(frozen=True)
class Clip:
    """The streams of a clip, 8 bit. All but `clean` are of the same frames."""

    clean_TCHW: Bytes
    """As cut from the source; its frames are as many as the damage used up."""
    target_TCHW: Bytes
    """What a network is asked for."""
    undamaged_TCHW: Bytes
    """The old film without what the masks tell of."""
    damaged_TCHW: Bytes
    masks_THW: Bytes
    """Where it was damaged, one bit a layer."""

    def __post_init__(self) -> None:
        frames, _, *rest = self.damaged_TCHW.shape
        alike = self.damaged_TCHW.shape == self.undamaged_TCHW.shape == self.target_TCHW.shape
        if not alike or self.masks_THW.shape != (frames, *rest):
            raise VaultError("a clip's streams differ in size")

    @property
    def pixels_sha256(self) -> str:
        """Over the streams, one after the other."""
        total = hashlib.sha256()
        for stream in (self.clean_TCHW, self.target_TCHW, self.undamaged_TCHW, self.damaged_TCHW):
            total.update(stream.tobytes())
        total.update(self.masks_THW.tobytes())
        return total.hexdigest()


def encode_clip(clip: Clip) -> dict[str, Any]:
    """The columns of a shard's row that hold the clip or follow from it."""
    same = np.array_equal(clip.target_TCHW, clip.clean_TCHW)
    return {
        "clean": encode(clip.clean_TCHW),
        "target": None if same else encode(clip.target_TCHW),
        "damage": encode(clip.damaged_TCHW - clip.undamaged_TCHW),
        "damaged": encode(clip.damaged_TCHW),
        "masks": encode(clip.masks_THW[:, None]),
        "pixels_sha256": clip.pixels_sha256,
        "damaged_share": float(np.count_nonzero(clip.masks_THW) / clip.masks_THW.size),
        "codec": CODEC,
    }


def write_shard(path: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    """Writes a shard whole or not at all, a clip at a time; the same rows give the same bytes.

    Raises VaultError, also for a row that does not fit.
    """
    # Coded streams do not get smaller, and smallest and largest value of one are of no use.
    plain = {"compression": "none", "use_dictionary": False, "write_statistics": False}
    with writing_atomically(path) as temporary, pq.ParquetWriter(temporary, CLIPS, **plain) as writer:
        for row in rows:
            writer.write_table(checked([row], CLIPS))


@dataclass(frozen=True)
class CodedClip:
    """Some streams of a clip as they were read, to be decoded in part."""

    name: str
    row: Mapping[str, Any]

    def decoded(
        self, wanted: Iterable[Stream], first: int = 0, count: int | None = None, crop: Crop | None = None
    ) -> dict[Stream, Bytes]:
        """Streams (T, C, H, W): `count` frames from `first` on or all, of each the crop. Masks have one
        plane.

        Raises VaultError.
        """
        found: dict[Stream, Bytes] = {}
        for name in wanted:
            if name == "undamaged":
                damaged = found["damaged"] if "damaged" in found else self._one("damaged", first, count, crop)
                found[name] = damaged - self._one("damage", first, count, crop)
            else:
                found[name] = self._one(name, first, count, crop)
        return found

    def _one(self, column: str, first: int, count: int | None, crop: Crop | None) -> Bytes:
        channels, height, width, frames = (self.row[name] for name in _SIZE)
        if count is None and column != "clean":
            count = frames - first
        planes = 1 if column == "masks" else channels
        try:
            return decode(self.row[column], (planes, height, width), first, count, crop)
        except VaultError as error:
            raise VaultError(f"{self.name}, {column}: {error}") from error


class Shard:
    """The clips of one file. Clips and frames are read where they are asked for, nothing is kept."""

    def __init__(self, filesystem: fs.FileSystem, path: str) -> None:
        """Raises VaultError where it is not a shard."""
        self.name = path
        with self._telling():
            self._file = filesystem.open_input_file(path)
            # Columns that lie side by side are fetched at once: a clip from S3 takes 4 requests, not 12. On a
            # disk waking the threads that do it takes longer than reading.
            remote = not isinstance(filesystem, fs.LocalFileSystem)
            self._parquet = pq.ParquetFile(self._file, pre_buffer=remote)

    @classmethod
    def open(cls, uri: str) -> Self:
        return cls(*resolve(uri))

    def __len__(self) -> int:
        return int(self._parquet.num_row_groups)

    def facts(self, number: int) -> dict[str, Any]:
        """What is told of a clip."""
        return self._row(number, FACTS)

    def clip(self, number: int) -> Clip:
        """A whole clip."""
        found = self.coded(number, _STREAMS).decoded(_STREAMS)
        return Clip(
            found["clean"], found["target"], found["undamaged"], found["damaged"], found["masks"][:, 0]
        )

    def coded(self, number: int, wanted: Iterable[Stream]) -> "CodedClip":
        """These streams of a clip, read at once. Raises VaultError."""
        names = set(wanted)
        columns = {column for name in names for column in _NEEDED.get(name, (name,))}
        row = self._row(number, (*_SIZE, *sorted(columns)))
        if row.get("target", b"") is None:
            row["target"] = row["clean"] if "clean" in row else self._row(number, ("clean",))["clean"]
        return CodedClip(f"{self.name}: row {number}", row)

    def close(self) -> None:
        self._parquet.close()
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _row(self, number: int, columns: Iterable[str]) -> dict[str, Any]:
        if not 0 <= number < len(self):
            raise VaultError(f"{self.name}: holds {len(self)} clips, none numbered {number}")
        with self._telling():
            group = self._parquet.read_row_group(number, list(columns), use_threads=False)
            (row,) = group.cast(pa.schema([CLIPS.field(name) for name in group.column_names])).to_pylist()
        return dict(row)

    @contextmanager
    def _telling(self) -> Iterator[None]:
        try:
            yield
        except (pa.ArrowException, OSError, KeyError, ValueError) as error:
            raise VaultError(f"{self.name}: not a shard that can be read ({first_line(error)})") from error


@dataclass(frozen=True)
class Corpus:
    """A finished corpus, wherever it lies."""

    uri: str
    record: Mapping[str, Any]
    """What corpus.json tells."""
    rows: tuple[dict[str, Any], ...]
    """Of the manifest."""

    @classmethod
    def open(cls, uri: str) -> Self:
        """Raises StorageError for what is not a corpus, not finished, broken, or of another format."""
        filesystem, root = resolve(uri)
        try:
            with filesystem.open_input_stream(f"{root}/{RECORD}") as stream:
                record = json.loads(stream.read())
            if record["format"] != FORMAT:
                raise StorageError(
                    f"{uri}: its format is {record['format']}, this version of Answerprint reads {FORMAT}"
                )
            with filesystem.open_input_stream(f"{root}/{TABLE}") as stream:
                rows = from_parquet(stream.read(), MANIFEST)
        except OSError as error:
            raise StorageError(
                f"{uri}: no finished corpus there ({first_line(error)}); `answerprint synthesize` makes one"
            ) from error
        except (ValueError, KeyError, TypeError) as error:
            raise StorageError(f"{uri}: its {RECORD} is broken ({error!r}); make the corpus again") from error
        except VaultError as error:
            raise StorageError(f"{uri}: its {TABLE} is broken: {error}; make the corpus again") from error
        return cls(uri, record, tuple(rows))

    def kept(self, split: str) -> list[dict[str, Any]]:
        """The manifest's rows of the clips of a split, in the order of shards and their rows."""
        kept = [row for row in self.rows if row["status"] == "kept" and row["split"] == split]
        return sorted(kept, key=lambda row: (row["shard"], row["row"]))

    def shard(self, name: str) -> Shard:
        """Opens a shard by its name in the manifest. Raises VaultError."""
        if "/" in name or "\\" in name or name.startswith("."):
            raise VaultError(f"{self.uri}: {name!r} is not the name of a shard")
        filesystem, root = resolve(self.uri)
        return Shard(filesystem, f"{root}/{name}")
