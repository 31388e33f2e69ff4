"""Checksums of files, of frames as FFmpeg's framemd5 counts them, of packets, and of a delivery: a BagIt bag.

The bag is written here rather than by the `bagit` library, which moves the payload and changes the process's
working directory while it works; the library stands in the tests as the other opinion.
"""

import hashlib
import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from storage.errors import StorageError, VaultError
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


# --- frames ------------------------------------------------------------------------------------------------


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
    for number, line in enumerate(_record_lines(path), 1):
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


@dataclass(frozen=True)
class PacketSums:
    """What a stream's packets add up to."""

    packets: int
    size_bytes: int
    md5: str
    """Over all payloads, one after the other."""


def packets_md5(payloads: Iterable[bytes]) -> PacketSums:
    """Counts and hashes packet payloads in order."""
    digest, packets, size_bytes = hashlib.md5(usedforsecurity=False), 0, 0
    for payload in payloads:
        digest.update(payload)
        packets += 1
        size_bytes += len(payload)
    return PacketSums(packets, size_bytes, digest.hexdigest())


# --- the bag (RFC 8493) ------------------------------------------------------------------------------------

_DECLARATION = "BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8\n"
_MANIFEST = "manifest-sha256.txt"
_TAG_MANIFEST = "tagmanifest-sha256.txt"
_MANIFEST_ROW = re.compile(r"([0-9a-fA-F]{64})[ \t]+\*?(.+)", re.ASCII)
_LABEL = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]*", re.ASCII)


def write_bag(root: Path, info: Mapping[str, str]) -> None:
    """Makes a bag of a directory whose payload already lies in root/data. The payload is read, never moved.

    info: lines of bag-info.txt; Payload-Oxum is added. The same payload and info give the same bytes; the tag
    manifest is written last, so a bag without one is unfinished. Raises VaultError where there is no payload,
    where it holds links or names that a manifest cannot carry, or where a line of info would break the file.
    """
    payload = list(_files(root / "data", root))
    if not payload or (root / "data").is_symlink():
        raise VaultError(f"{root}: no payload: put the delivery into {root / 'data'} first")
    for path in payload:
        if path.is_symlink():
            raise VaultError(f"{path}: a link cannot be delivered: put the file itself there")
        if any(mark in str(path.relative_to(root)) for mark in "\r\n\\") or not _is_utf8(path):
            raise VaultError(f"{path}: its name cannot stand in a manifest: rename it")
    for label, value in info.items():
        if not _LABEL.fullmatch(label) or "\n" in value or "\r" in value:
            raise VaultError(f"{root}: {label!r} is no bag-info label with one line of text")

    oxum = f"{sum(path.stat().st_size for path in payload)}.{len(payload)}"
    lines = sorted(({**info, "Payload-Oxum": oxum}).items())
    tags = {
        _MANIFEST: _manifest(root, payload),
        "bag-info.txt": "".join(f"{label}: {value}\n" for label, value in lines),
        "bagit.txt": _DECLARATION,
    }
    (root / _TAG_MANIFEST).unlink(missing_ok=True)
    for name, text in tags.items():
        write_atomically(root / name, text.encode())
    write_atomically(root / _TAG_MANIFEST, _manifest(root, [root / name for name in sorted(tags)]).encode())


def check_bag(root: Path) -> list[str]:
    """What is wrong with a bag, one line each: missing, extra, changed, unsafe, unlisted or malformed.

    An empty list says that all is well. Every file is read; nothing outside of `root` is.
    """
    problems: list[str] = []
    if not (root / "bagit.txt").is_file():
        return [f"missing: bagit.txt: {root} is no bag"]
    with (root / "bagit.txt").open("rb") as file:
        declared = file.read(1024).decode(errors="replace").split()
    # Many libraries still write 0.97, the last draft: the same bag but for how names are encoded.
    if declared not in (_DECLARATION.split(), _DECLARATION.replace("1.0", "0.97").split()):
        problems.append("malformed: bagit.txt does not declare BagIt 1.0 in UTF-8")
    if (root / "fetch.txt").exists():
        problems.append("unsafe: fetch.txt: a delivery must hold its payload itself")
    listed = _check_manifest(root, _MANIFEST, problems)
    listed_tags = _check_manifest(root, _TAG_MANIFEST, problems)
    for name in ("bagit.txt", "bag-info.txt", _MANIFEST):
        if name not in listed_tags:
            problems.append(f"unlisted: {name} is not in {_TAG_MANIFEST}")
    for path in _files(root / "data", root):
        name = path.relative_to(root).as_posix()
        if path.is_symlink():
            problems.append(f"unsafe: {name} is a link")
        elif name not in listed:
            problems.append(f"extra: {name}")
    return problems


def _check_manifest(root: Path, manifest: str, problems: list[str]) -> set[str]:
    """Adds what is wrong; returns the names listed."""
    listed: set[str] = set()
    if not (root / manifest).is_file():
        problems.append(f"missing: {manifest}")
        return listed
    try:
        lines = _record_lines(root / manifest)
    except StorageError as error:
        problems.append(f"malformed: {error}")
        return listed
    for number, line in enumerate(lines, 1):
        match = _MANIFEST_ROW.fullmatch(line)
        name = _decoded(match[2]) if match else ""
        if match is None or name in listed:
            problems.append(f"malformed: {manifest} line {number}")
        elif not _is_safe(name, in_data=manifest == _MANIFEST):
            problems.append(f"unsafe: {manifest} line {number}: {name!r} leads out of the bag")
        else:
            listed.add(name)
            path = root / name
            if not Path(os.path.realpath(path)).is_relative_to(os.path.realpath(root)):
                problems.append(f"unsafe: {name} is a link out of the bag")
            elif not os.path.isfile(path):
                problems.append(f"missing: {name}")
            elif sha256_file(path) != match[1].lower():
                problems.append(f"changed: {name}")
    return listed


def _manifest(root: Path, paths: Iterable[Path]) -> str:
    rows = ((path.relative_to(root).as_posix(), sha256_file(path)) for path in paths)
    return "".join(f"{digest}  {name.replace('%', '%25')}\n" for name, digest in rows)


def _files(folder: Path, root: Path) -> Iterator[Path]:
    """Everything below that is no folder, links included, in one order on every machine."""
    found = (path for path in folder.rglob("*") if path.is_symlink() or not path.is_dir())
    return iter(sorted(found, key=lambda path: os.fsencode(path.relative_to(root))))


def _is_safe(name: str, in_data: bool) -> bool:
    parts = name.split("/")
    is_plain = not any(part in ("", ".", "..") for part in parts) and "\\" not in name and "\0" not in name
    starts_well = not name.startswith("~") and not re.match(r"[A-Za-z]:", name)
    return is_plain and starts_well and (parts[0] == "data" and len(parts) > 1) == in_data


def _decoded(name: str) -> str:
    """RFC 8493 2.1.3: only line ends and the percent sign are encoded."""
    return re.sub(r"%(0[aA]|0[dD]|25)", lambda m: chr(int(m[1], 16)), name)


def _is_utf8(path: Path) -> bool:
    try:
        str(path).encode()
    except UnicodeEncodeError:
        return False
    return True


def _record_lines(path: Path) -> list[str]:
    """Split at line ends alone: a name may hold characters that `str.splitlines` takes for one."""
    if path.stat().st_size > _MOST_RECORD_BYTES:
        raise StorageError(f"{path}: larger than {_MOST_RECORD_BYTES >> 20} MB, no such record: look into it")
    try:
        return path.read_text(encoding="utf-8-sig").removesuffix("\n").split("\n")
    except UnicodeDecodeError as error:
        raise StorageError(f"{path}: not UTF-8 text: write it anew") from error
