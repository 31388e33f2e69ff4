"""Checksums of files, and of frames as FFmpeg's framemd5 counts them."""

import hashlib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from storage.errors import StorageError
from storage.filesystem import write_atomically

_BLOCK_BYTES = 1 << 20
# A record is read whole; ten hours at 24 fps are 80 MB of framemd5.
_MOST_RECORD_BYTES = 256 << 20


def sha256_file(source: Path | BinaryIO) -> str:
    """Hex SHA-256 of a file, read in blocks; an open file is read from where it stands."""
    if isinstance(source, Path):
        with source.open("rb") as file:
            return sha256_file(file)
    digest = hashlib.sha256()
    while block := source.read(_BLOCK_BYTES):
        digest.update(block)
    return digest.hexdigest()


@dataclass(frozen=True)
class FrameSum:
    """One frame's row in a framemd5 record."""

    size_bytes: int
    md5: str


@dataclass(frozen=True)
class FrameSums:
    """A framemd5 record of one video stream: frame n has timestamp n."""

    rate: Fraction
    """Frames a second."""
    width: int
    height: int
    sample_aspect: Fraction
    frames: tuple[FrameSum, ...]


def frame_md5(planes: Sequence[NDArray[Any]]) -> str:
    """Hex MD5 of a frame, equal to `ffmpeg -f framemd5` for the same pixel format.

    planes: in FFmpeg's order (RGB planar is G, B, R), each (H, W) or (H, W, C), without row padding. Samples
    of more than a byte count as little-endian whatever their order in memory.
    """
    digest = hashlib.md5(usedforsecurity=False)
    for plane in planes:
        little = plane.astype(plane.dtype.newbyteorder("<"), copy=False)
        digest.update(np.ascontiguousarray(little).data)
    return digest.hexdigest()


def frame_sum(planes: Sequence[NDArray[Any]]) -> FrameSum:
    """The frame's size and checksum, as one row of a record."""
    return FrameSum(sum(plane.nbytes for plane in planes), frame_md5(planes))


def write_framemd5(
    path: Path,
    frames: Iterable[FrameSum],
    *,
    rate: Fraction,
    width: int,
    height: int,
    sample_aspect: Fraction = Fraction(1),
) -> None:
    """Writes FFmpeg's framemd5 text, version 2, whole or not at all. Raises VaultError."""
    lines = [
        "#format: frame checksums",
        "#version: 2",
        "#hash: MD5",
        "#software: Answerprint",
        f"#tb 0: {rate.denominator}/{rate.numerator}",
        "#media_type 0: video",
        "#codec_id 0: rawvideo",
        f"#dimensions 0: {width}x{height}",
        f"#sar 0: {sample_aspect.numerator}/{sample_aspect.denominator}",
        "#stream#, dts,        pts, duration,     size, hash",
    ]
    lines += [f"0, {n:10d}, {n:10d}, {1:8d}, {f.size_bytes:8d}, {f.md5}" for n, f in enumerate(frames)]
    write_atomically(path, ("\n".join(lines) + "\n").encode("ascii"))


_ROW = re.compile(r"0, *(-?\d+), *(-?\d+), *(\d+), *(\d+), *([0-9a-f]{32})", re.ASCII)


def read_framemd5(path: Path) -> FrameSums:
    """Reads a framemd5 record of one raw video stream, FFmpeg's or ours.

    Raises StorageError, naming file and line, where it is not that: another version or hash, more streams, a
    line that is none, a frame out of its place.
    """
    header: dict[str, str] = {}
    frames: list[FrameSum] = []
    for number, line in enumerate(record_lines(path), 1):
        if line.startswith("#"):
            name, _, value = line[1:].partition(":")
            header[name] = value.strip()
            continue
        match = _ROW.fullmatch(line)
        if match is None:
            raise StorageError(f"{path} line {number}: no row of one video stream: write it with -map 0:v:0")
        if int(match[2]) != len(frames) or int(match[3]) != 1:
            raise StorageError(
                f"{path} line {number}: timestamp {match[2]}, expected {len(frames)}: write it with one tick "
                f"a frame (-fps_mode passthrough, -enc_time_base 1/rate)"
            )
        frames.append(FrameSum(int(match[4]), match[5]))
    expected = {"format": "frame checksums", "version": "2", "hash": "MD5", "media_type 0": "video"}
    for name, value in expected.items():
        if header.get(name) != value:
            found = header.get(name, "missing")
            raise StorageError(f"{path}: #{name} is {found}, not {value}: write it with -f framemd5")
    try:
        width, _, height = header["dimensions 0"].partition("x")
        aspect, _, below = header["sar 0"].partition("/")
        return FrameSums(
            rate=1 / Fraction(header["tb 0"]),
            width=int(width),
            height=int(height),
            sample_aspect=Fraction(int(aspect) or 1, int(below) if int(aspect) else 1),  # 0/1 is unknown
            frames=tuple(frames),
        )
    except (KeyError, ValueError, ZeroDivisionError) as error:
        raise StorageError(f"{path}: a header line is missing or broken ({error}): write it anew") from error


def record_lines(path: Path) -> list[str]:
    """Split at line ends alone: a name may hold characters that `str.splitlines` takes for one.

    Raises StorageError where it is no text of a record's size.
    """
    if path.stat().st_size > _MOST_RECORD_BYTES:
        raise StorageError(f"{path}: larger than {_MOST_RECORD_BYTES >> 20} MB, no such record: look into it")
    try:
        return path.read_text(encoding="utf-8-sig").removesuffix("\n").split("\n")
    except UnicodeDecodeError as error:
        raise StorageError(f"{path}: not UTF-8 text: write it anew") from error
