"""The one thing that PyAV cannot tell FFmpeg's Matroska muxer, put into the finished file: a sample's shape.

The header grows by a few bytes, taken from the padding that the muxer leaves after its index of elements
(SeekHead), so that no cluster moves (RFC 8794, RFC 9559).
"""

import os
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

from storage.errors import VaultError

_SEGMENT, _SEEK_HEAD, _TRACKS, _CLUSTER = 0x18538067, 0x114D9B74, 0x1654AE6B, 0x1F43B675
_SEEK, _SEEK_POSITION = 0x4DBB, 0x53AC
_TRACK, _VIDEO = 0xAE, 0xE0
_DISPLAY_WIDTH, _DISPLAY_HEIGHT, _DISPLAY_UNIT = 0x54B0, 0x54BA, 0x54B2
_VOID, _CRC = 0xEC, 0xBF
_IN_ASPECT_RATIO = 3
# What lies before the first cluster: tags and chapters come to kilobytes.
_MOST_HEADER_BYTES = 16 << 20


@dataclass(frozen=True)
class _Element:
    id: int
    data: bytes
    size_bytes: int = 1
    """How many bytes tell the size of the data; kept, or more where it has to be."""
    position: int = 0
    """In the data that it was found in."""

    @property
    def children(self) -> "list[_Element]":
        return list(_parse(self.data))

    def holding(self, children: "Sequence[_Element]") -> "_Element":
        """With these children, and the right checksum where there is one."""
        has_checksum = bool(children) and children[0].id == _CRC
        data = b"".join(child.encoded() for child in children[has_checksum:])
        if has_checksum:
            data = replace(children[0], data=zlib.crc32(data).to_bytes(4, "little")).encoded() + data
        return replace(self, data=data)

    def encoded(self) -> bytes:
        count = self.size_bytes
        while len(self.data) >= (1 << 7 * count) - 1:
            count += 1
        size = (len(self.data) | 1 << 7 * count).to_bytes(count, "big")
        return _plain(self.id) + size + self.data


def set_sample_aspect(path: Path, width: int, height: int, aspect: Fraction) -> None:
    """Tells players of a Matroska film that FFmpeg wrote how wide its samples are. Raises VaultError."""
    with path.open("r+b") as file:
        head = file.read(_MOST_HEADER_BYTES)
        try:
            start, changed = _with_aspect(head, Fraction(width, height) * aspect)
        except (ValueError, IndexError) as error:
            raise VaultError(f"{path}: its sample aspect cannot be written ({error})") from error
        file.seek(start)
        file.write(changed)
        file.flush()
        os.fsync(file.fileno())


def _with_aspect(head: bytes, display: Fraction) -> tuple[int, bytes]:
    """Where to write what: the elements from SeekHead to Tracks, in as many bytes as before."""
    origin = _segment_origin(head)
    top = list(_parse(head[origin:], until=_CLUSTER))
    ids = [element.id for element in top]
    index, padding, last = ids.index(_SEEK_HEAD), ids.index(_VOID), ids.index(_TRACKS)
    if not index < padding < last:
        raise ValueError("no padding before its tracks")
    old = [element.encoded() for element in top[index : last + 1]]
    tracks = _shown_as(top[last], display)
    grown = len(tracks.encoded()) - len(old[-1])
    moved = {element.position for element in top[padding + 1 : last + 1]}
    new = [
        top[index].holding([_moved(seek, moved, grown) for seek in top[index].children]),
        *top[index + 1 : padding],
        replace(top[padding], data=top[padding].data[grown:]),
        *top[padding + 1 : last],
        tracks,
    ]
    changed = b"".join(element.encoded() for element in new)
    if len(changed) != len(b"".join(old)):
        raise ValueError("too little padding before its tracks")
    return origin + top[index].position, changed


def _shown_as(element: _Element, display: Fraction) -> _Element:
    """Tracks, or a part of them, with every picture's display size set."""
    if element.id in (_TRACKS, _TRACK):
        return element.holding([_shown_as(child, display) for child in element.children])
    if element.id != _VIDEO:
        return element
    told = (_DISPLAY_WIDTH, _DISPLAY_HEIGHT, _DISPLAY_UNIT)
    values = (display.numerator, display.denominator, _IN_ASPECT_RATIO)
    fields = [_Element(id_, _plain(value)) for id_, value in zip(told, values, strict=True)]
    return element.holding([*(child for child in element.children if child.id not in told), *fields])


def _moved(seek: _Element, moved: set[int], by: int) -> _Element:
    """The index entry of an element that now begins `by` bytes earlier, if it is one of those."""
    if seek.id != _SEEK:
        return seek
    children = []
    for child in seek.children:
        at = int.from_bytes(child.data, "big")
        if child.id == _SEEK_POSITION and at in moved:
            child = replace(child, data=(at - by).to_bytes(len(child.data), "big"))
        children.append(child)
    return seek.holding(children)


def _segment_origin(head: bytes) -> int:
    at = 0
    while at < len(head):
        id_, at, _ = _number(head, at, keep_mark=True)
        size, at, _ = _number(head, at)
        if id_ == _SEGMENT:
            return at
        at += size
    raise ValueError("no Matroska segment")


def _parse(data: bytes, until: int | None = None) -> Iterator[_Element]:
    at = 0
    while at < len(data):
        position = at
        id_, at, _ = _number(data, at, keep_mark=True)
        size, at, size_bytes = _number(data, at)
        if id_ == until:
            return
        yield _Element(id_, data[at : at + size], size_bytes, position)
        at += size


def _number(data: bytes, at: int, keep_mark: bool = False) -> tuple[int, int, int]:
    """(value, where it ends, how many bytes) of a variable-size number."""
    count = 9 - data[at].bit_length()
    if count > 8:
        raise ValueError(f"broken at byte {at}")
    value = int.from_bytes(data[at : at + count], "big")
    return value if keep_mark else value & ((1 << 7 * count) - 1), at + count, count


def _plain(value: int) -> bytes:
    return value.to_bytes(max(1, -(-value.bit_length() // 8)), "big")
