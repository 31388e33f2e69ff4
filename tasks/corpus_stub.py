"""STAND-IN for storage/clipcode.py and storage/corpus.py until helper A's are there."""

import hashlib
import io
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from storage.tables import _checked, _required, _schema

Bytes = NDArray[np.uint8]


@dataclass(frozen=True)
class Streams:
    clean_TCHW: Bytes
    target_TCHW: Bytes
    undamaged_TCHW: Bytes
    damaged_TCHW: Bytes
    masks_THW: Bytes


def _code(a: Bytes) -> bytes:
    b = io.BytesIO()
    np.savez_compressed(b, a=a)
    raw = a.tobytes()
    return (
        np.array(a.shape, "<i4").tobytes().ljust(16, b"\0")
        + bytes([a.ndim])
        + pa.compress(raw, "zstd", asbytes=True)
    )


def _decode(b: bytes) -> Bytes:
    shape = np.frombuffer(b[: 4 * b[16]], "<i4")
    return np.frombuffer(pa.decompress(b[17:], int(np.prod(shape)), "zstd", asbytes=True), np.uint8).reshape(
        shape
    )


def pixels_sha256(s: Streams) -> str:
    total = hashlib.sha256()
    for a in (s.clean_TCHW, s.target_TCHW, s.undamaged_TCHW, s.damaged_TCHW, s.masks_THW):
        total.update(np.ascontiguousarray(a).tobytes())
    return total.hexdigest()


def encode_clip(s: Streams) -> dict[str, Any]:
    return {
        "clean": _code(s.clean_TCHW),
        "target": None if np.array_equal(s.clean_TCHW, s.target_TCHW) else _code(s.target_TCHW),
        "damage": _code(s.damaged_TCHW - s.undamaged_TCHW),
        "damaged": _code(s.damaged_TCHW),
        "masks": _code(s.masks_THW),
        "pixels_sha256": pixels_sha256(s),
        "codec": "stub",
    }


def decode_clip(row: Mapping[str, Any]) -> Streams:
    clean, damaged = _decode(row["clean"]), _decode(row["damaged"])
    return Streams(
        clean,
        clean if row["target"] is None else _decode(row["target"]),
        damaged - _decode(row["damage"]),
        damaged,
        _decode(row["masks"]),
    )


_FIELDS = [
    ("clip", pa.string()), ("split", pa.string()), ("film", pa.string()), ("source", pa.string()),
    ("start_frame", pa.int64()), ("step", pa.int32()), ("frames", pa.int32()), ("scale", pa.string()),
    ("top", pa.int32()), ("left", pa.int32()), ("flip", pa.bool_()), ("height", pa.int32()), ("width", pa.int32()),
    ("channels", pa.int32()), ("kind", pa.string()), ("lookalike", pa.string()), ("recipe", pa.string()),
    ("recipe_sha256", pa.string()), ("seed", pa.int64()), ("severity", pa.float64()),
    ("families", pa.list_(pa.string())), ("events", pa.list_(pa.string())), ("pixels_sha256", pa.string()),
    ("damaged_share", pa.float64()), ("codec", pa.string()),
]  # fmt: skip
FACTS = [name for name, _ in _FIELDS]
STREAMS = ("clean", "target", "damage", "damaged", "masks")
CLIPS = _schema(
    "clips", 1, [pa.field(n, t) for n, t in _FIELDS] + [pa.field(n, pa.binary()) for n in STREAMS]
)
MANIFEST = _schema("manifest", 1, [pa.field(n, t) for n, t in _FIELDS] + [
    pa.field("shard", pa.string()), pa.field("row", pa.int32()), pa.field("shard_sha256", pa.string()),
    _required("status", pa.string()), _required("reason", pa.string()),
])  # fmt: skip


def write_shard(path: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    with pq.ParquetWriter(path, CLIPS, compression="none") as writer:
        for row in rows:
            writer.write_table(_checked([row], CLIPS))


def read_shard(path: Path) -> Iterator[dict[str, Any]]:
    with pq.ParquetFile(path) as file:
        for group in range(file.num_row_groups):
            yield from file.read_row_group(group).to_pylist()


def read_clip(path: Path, row: int) -> dict[str, Any]:
    with pq.ParquetFile(path) as file:
        return file.read_row_group(row).to_pylist()[0]
