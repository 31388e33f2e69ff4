"""Every table: one frozen schema a version, written whole, checked on the way in.

pyarrow drops unknown keys and accepts nulls in columns declared without; both are refused here. Columns are
only ever added, with a new `schema_version`, never retyped.
"""

import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import pyarrow as pa
import pyarrow.parquet as pq

from storage.errors import VaultError
from storage.filesystem import first_line

_COMPRESSION = "zstd"
_GROUP_ROWS = 4096


def _schema(name: str, version: int, fields: list[pa.Field]) -> pa.Schema:
    return pa.schema(fields, metadata={"table": name, "schema_version": str(version)})


def _required(name: str, kind: pa.DataType) -> pa.Field:
    return pa.field(name, kind, nullable=False)


FRAMES = _schema(
    "frames",
    1,
    [
        _required("frame", pa.int64()),
        pa.field("pts", pa.int64()),
        _required("keyframe", pa.bool_()),
        _required("md5", pa.string()),
        _required("shown", pa.int64()),
        _required("damage", pa.string()),
    ],
)
SHOTS = _schema(
    "shots",
    1,
    [
        _required("shot", pa.int32()),
        _required("start", pa.int64()),
        _required("end", pa.int64()),
        _required("kind", pa.string()),
        _required("certainty", pa.float64()),
        _required("detectors", pa.list_(pa.string())),
    ],
)
CHANGES = _schema(
    "changes",
    1,
    [
        _required("frame", pa.int64()),
        _required("shot_start", pa.int64()),
        _required("region", pa.int32()),
        _required("kind", pa.string()),
        _required("x", pa.int32()),
        _required("y", pa.int32()),
        _required("width", pa.int32()),
        _required("height", pa.int32()),
        _required("pixels", pa.int64()),
        _required("mean_change", pa.float32()),
        _required("max_change", pa.float32()),
        _required("confidence", pa.float32()),
        _required("tool", pa.string()),
        _required("tool_version", pa.string()),
        _required("parameters", pa.string()),
    ],
)
COVERAGE = _schema(
    "coverage",
    2,
    [
        _required("frame", pa.int64()),
        _required("shot_start", pa.int64()),
        _required("origin", pa.string()),
        _required("share_reached", pa.float32()),
        _required("mean_confidence", pa.float32()),
        pa.field("still", pa.int64()),
        pa.field("guessed_by", pa.string()),
    ],
)
LEDGER = _schema(
    "ledger",
    1,
    [
        _required("run_id", pa.string()),
        _required("reel_id", pa.string()),
        _required("stage", pa.string()),
        _required("frames", pa.int64()),
        _required("megapixels", pa.float64()),
        _required("seconds", pa.float64()),
        _required("device", pa.string()),
        _required("tool", pa.string()),
        _required("finished_at", pa.string()),
    ],
)

_CLIP_FACTS = [
    _required("clip", pa.string()),
    _required("split", pa.string()),
    _required("film", pa.string()),
    _required("source", pa.string()),
    _required("start_frame", pa.int64()),
    _required("step", pa.int32()),
    _required("frames", pa.int32()),
    _required("scale", pa.string()),
    _required("top", pa.int32()),
    _required("left", pa.int32()),
    _required("flip", pa.bool_()),
    _required("height", pa.int32()),
    _required("width", pa.int32()),
    _required("channels", pa.int32()),
    _required("kind", pa.string()),
    pa.field("lookalike", pa.string()),
    _required("recipe", pa.string()),
    _required("recipe_sha256", pa.string()),
    _required("seed", pa.int64()),
    _required("severity", pa.float64()),
    _required("families", pa.list_(pa.string())),
    _required("events", pa.list_(pa.string())),
    _required("pixels_sha256", pa.string()),
    _required("damaged_share", pa.float64()),
    _required("codec", pa.string()),
]
CLIPS = _schema(
    "clips",
    1,
    [
        *_CLIP_FACTS,
        _required("clean", pa.binary()),
        pa.field("target", pa.binary()),
        _required("damage", pa.binary()),
        _required("damaged", pa.binary()),
        _required("masks", pa.binary()),
    ],
)
# A rejected row tells what is known of it.
MANIFEST = _schema(
    "manifest",
    1,
    [
        *(field.with_nullable(True) for field in _CLIP_FACTS),
        pa.field("shard", pa.string()),
        pa.field("row", pa.int32()),
        pa.field("shard_sha256", pa.string()),
        _required("status", pa.string()),
        _required("reason", pa.string()),
    ],
)


def to_parquet(rows: Iterable[Mapping[str, Any]], schema: pa.Schema) -> bytes:
    """The rows as a Parquet file, the same bytes for the same rows.

    Raises VaultError for a row that does not fit.
    """
    buffer = io.BytesIO()
    pq.write_table(checked(list(rows), schema), buffer, compression=_COMPRESSION)
    return buffer.getvalue()


class TableWriter:
    """Writes a table of any length, holding a few thousand rows. Use as a context manager."""

    def __init__(self, path: Path, schema: pa.Schema) -> None:
        self._schema = schema
        self._writer = pq.ParquetWriter(path, schema, compression=_COMPRESSION)
        self._rows: list[Mapping[str, Any]] = []

    def write(self, rows: Iterable[Mapping[str, Any]]) -> None:
        """Raises VaultError for a row that does not fit, by the time the table is closed."""
        self._rows += rows
        if len(self._rows) >= _GROUP_ROWS:
            self._flush()

    def _flush(self) -> None:
        if self._rows:
            self._writer.write_table(checked(self._rows, self._schema))
            self._rows = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None:
                self._flush()
        finally:
            self._writer.close()


def read_rows(path: Path, schema: pa.Schema) -> Iterator[dict[str, Any]]:
    """The rows of a table of any length, in order. Raises VaultError where it is not such a table."""
    try:
        with pq.ParquetFile(path) as file:
            for batch in file.iter_batches(_GROUP_ROWS):
                yield from pa.Table.from_batches([batch]).select(schema.names).cast(schema).to_pylist()
    except (pa.ArrowException, OSError, KeyError, ValueError) as error:
        raise VaultError(f"{path.name}: not a table of {_name(schema)} ({first_line(error)})") from error


def from_parquet(data: bytes, schema: pa.Schema) -> list[dict[str, Any]]:
    """The rows of a table of this kind; columns that a newer version added are left out.

    Raises VaultError where it is not such a table.
    """
    try:
        table = pq.read_table(io.BytesIO(data), use_threads=False)
        rows: list[dict[str, Any]] = table.select(schema.names).cast(schema).to_pylist()
    except (pa.ArrowException, KeyError, ValueError) as error:
        raise VaultError(f"not a table of {_name(schema)} ({first_line(error)})") from error
    return rows


def checked(rows: Sequence[Mapping[str, Any]], schema: pa.Schema) -> pa.Table:
    """The rows as a table. Raises VaultError for a row that does not fit."""
    names = set(schema.names)
    required = {field.name for field in schema if not field.nullable}
    for row in rows:
        if row.keys() != names:
            wrong = sorted(row.keys() ^ names)
            raise VaultError(f"table {_name(schema)}: a row's columns do not fit: {', '.join(wrong)}")
        empty = [name for name in required if row[name] is None]
        if empty:
            raise VaultError(f"table {_name(schema)}: {', '.join(sorted(empty))} may not be empty")
    # pyarrow makes 1.5 the integer 1 without a word.
    for name in (field.name for field in schema if pa.types.is_integer(field.type)):
        if any(isinstance(row[name], float) for row in rows):
            raise VaultError(f"table {_name(schema)}: {name} may hold whole numbers only")
    try:
        return pa.Table.from_pylist(rows, schema=schema)
    except (pa.ArrowException, OverflowError, TypeError, ValueError) as error:
        raise VaultError(f"table {_name(schema)}: a row does not fit ({first_line(error)})") from error


def _name(schema: pa.Schema) -> str:
    return str((schema.metadata or {})[b"table"].decode())
