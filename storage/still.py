"""One still of a sequence, DPX, TIFF or PNG: what it says of itself, and its picture at full depth."""

import io
import os
import struct
import zlib
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import BinaryIO, Literal

import av

from storage.dpx import HEADER_BYTES, DamagedFrame, parse_dpx
from storage.errors import SourceError
from storage.remote import Place

CODECS: dict[str, Literal["dpx", "tiff", "png"]] = {
    ".dpx": "dpx",
    ".tif": "tiff",
    ".tiff": "tiff",
    ".png": "png",
}
# 268 megapixels, above any film scanner: larger is a broken or a hostile header.
_MOST_PIXELS = 1 << 28
_TIFF_TYPES = {1: "B", 3: "H", 4: "I"}
_TIFF_CODINGS = {1: "raw", 5: "LZW", 8: "deflate", 32773: "PackBits", 32946: "deflate"}


@dataclass(frozen=True)
class StillHeader:
    """What the files say of themselves. `width` to `layout` are the same in every good file."""

    width: int
    height: int
    bit_depth: int
    channels: str
    """grey, rgb or rgba."""
    layout: str
    """How the samples lie in the file, in words."""
    rate: Fraction | None = None
    """Frames a second; None where the files do not say or disagree."""
    timecode: str | None = None
    """HH:MM:SS:FF of the first good frame; None where it is missing or stands still."""
    transfer: str | None = None
    colorimetric: str | None = None
    sample_aspect: Fraction | None = None
    orientation: int = 0
    """DPX orientation code, or TIFF's less one; 0 is upright. Pixels are kept as stored, never turned."""

    @property
    def shape(self) -> tuple[int, int, int, str, str]:
        return self.width, self.height, self.bit_depth, self.channels, self.layout


def decode_image(data: bytes, suffix: str) -> av.VideoFrame:
    """The picture in one file's bytes, at full depth; `suffix` as in the name, e.g. `.dpx`.

    Raises DamagedFrame where it cannot be decoded whole, SourceError where the format is unknown.
    """
    codec = CODECS.get(suffix.lower())
    if codec is None:
        raise SourceError(f"{suffix} is no image format of ours: give DPX, TIFF or PNG")
    # FFmpeg decodes past a broken checksum without a word, so these are checked here.
    if codec == "png":
        _check_png(data)
    elif codec == "tiff":
        _check_deflate(data)
    try:
        context = av.CodecContext.create(codec, "r")
        frames = [*context.decode(av.Packet(data)), *context.decode(None)]
    except (av.FFmpegError, ValueError) as error:
        raise DamagedFrame(f"cannot be decoded: {error}") from error
    if len(frames) != 1 or frames[0].is_corrupt:
        raise DamagedFrame("cannot be decoded whole")
    return frames[0]


def read_header(path: Place) -> tuple[StillHeader, tuple[str, ...]]:
    with path.open("rb") as stream:
        size = stream.seek(0, os.SEEK_END)
        stream.seek(0)
        if not size:
            raise DamagedFrame("empty file")
        match CODECS[path.suffix.lower()]:
            case "dpx":
                header, notes = _dpx_header(stream, size)
            case "png":
                header, notes = _png_header(stream, size), ()
            case "tiff":
                header, notes = _tiff(stream, size)[0], ()
    if header.width * header.height > _MOST_PIXELS:
        raise DamagedFrame(f"broken header: a picture of {header.width}x{header.height}")
    return header, notes


def _dpx_header(stream: BinaryIO, size: int) -> tuple[StillHeader, tuple[str, ...]]:
    dpx = parse_dpx(stream.read(HEADER_BYTES))
    dpx.check_size(size)
    film, television = dpx.film_rate, dpx.television_rate
    agree = film is None or television is None or film == television
    header = StillHeader(
        width=dpx.width,
        height=dpx.height,
        bit_depth=dpx.bit_depth,
        channels=dpx.channels,
        layout=f"DPX {dpx.packing} {'big' if dpx.byte_order == '>' else 'little'}-endian",
        rate=(film or television) if agree else None,
        timecode=dpx.timecode,
        transfer=dpx.transfer,
        colorimetric=dpx.colorimetric,
        sample_aspect=dpx.sample_aspect,
        orientation=dpx.orientation,
    )
    clash = f"rate: the film header says {film}, the television header {television}: give the rate"
    return header, () if agree else (clash,)


def _png_header(stream: BinaryIO, size: int) -> StillHeader:
    head = stream.read(33)
    if len(head) < 33 or head[:8] != b"\x89PNG\r\n\x1a\n" or head[12:16] != b"IHDR":
        raise DamagedFrame("no PNG file: its first bytes are others")
    width, height, depth, colour = struct.unpack_from(">IIBB", head, 16)
    stream.seek(max(size - 12, 0))
    if stream.read(12)[4:8] != b"IEND":
        raise DamagedFrame("truncated: it lacks the PNG end mark")
    channels = {0: "grey", 2: "rgb", 6: "rgba"}.get(colour)
    if channels is None or depth not in (8, 16):
        raise SourceError(f"PNG of colour type {colour} and {depth} bits is not supported: write grey or RGB")
    return StillHeader(width, height, depth, channels, "PNG")


def _tiff(stream: BinaryIO, size: int) -> tuple[StillHeader, list[tuple[int, int]]]:
    """The first page's header, and its deflated strips as (offset, bytes); none where it is not deflated."""
    head = stream.read(8)
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(head[:4])
    if head[:4] in (b"II+\0", b"MM\0+"):
        raise SourceError("BigTIFF is not supported: write classic TIFF")
    if order is None or len(head) < 8:
        raise DamagedFrame("no TIFF file: its first bytes are others")

    def read(position: int, form: str) -> tuple[int, ...]:
        stream.seek(position)
        data = stream.read(struct.calcsize(order + form))
        if len(data) < struct.calcsize(order + form):
            raise DamagedFrame("truncated: its directory lies beyond its end")
        return struct.unpack(order + form, data)

    (start,) = struct.unpack(f"{order}I", head[4:])
    tags: dict[int, tuple[int, ...]] = {}
    for entry in range(read(start, "H")[0]):
        at = start + 2 + 12 * entry
        tag, kind, count = read(at, "HHI")
        form = _TIFF_TYPES.get(kind)
        if form is None or not 0 < count <= 65536:
            continue
        form = f"{count}{form}"
        tags[tag] = read(at + 8 if struct.calcsize(order + form) <= 4 else read(at + 8, "I")[0], form)

    def one(tag: int, default: int) -> int:
        return tags.get(tag, (default,))[0]

    samples, photometric, coding = one(277, 1), one(262, -1), _TIFF_CODINGS.get(one(259, 1))
    channels = {(1, 1): "grey", (2, 3): "rgb", (2, 4): "rgba"}.get((photometric, samples))
    depths = set(tags.get(258, (1,)))
    is_plain = depths in ({8}, {16}) and one(339, 1) == 1 and one(284, 1) == 1
    if channels is None or coding is None or not is_plain:
        raise SourceError(
            f"TIFF with photometric {photometric}, {samples} samples of {sorted(depths)} bits, compression "
            f"{one(259, 1)}, planar {one(284, 1)} is not supported: write grey or RGB of 8 or 16 bits"
        )
    strips = list(zip(tags.get(273, ()), tags.get(279, ()), strict=False))
    if not strips:
        raise SourceError("TIFF without strips (tiled?) is not supported: write it in strips")
    if (needed := max(offset + length for offset, length in strips)) > size:
        raise DamagedFrame(f"truncated: {size} bytes of {needed}")
    header = StillHeader(one(256, 0), one(257, 0), depths.pop(), channels, "TIFF")
    return replace(header, orientation=one(274, 1) - 1), strips if coding == "deflate" else []


def _check_png(data: bytes) -> None:
    position = 8
    while position + 12 <= len(data):
        (length,) = struct.unpack_from(">I", data, position)
        end = position + 8 + length
        checksum = int.from_bytes(data[end : end + 4], "big")
        if zlib.crc32(memoryview(data)[position + 4 : end]) != checksum:
            raise DamagedFrame(f"PNG checksum broken at byte {position}")
        position = end + 4


def _check_deflate(data: bytes) -> None:
    for offset, length in _tiff(io.BytesIO(data), len(data))[1]:
        inflater, rest = zlib.decompressobj(), data[offset : offset + length]
        try:
            while rest and not inflater.eof:
                inflater.decompress(rest, 1 << 24)  # bounded: what it inflates to is thrown away
                rest = inflater.unconsumed_tail
        except zlib.error as error:
            raise DamagedFrame(f"TIFF strip broken at byte {offset}: {error}") from error
        if not inflater.eof:
            raise DamagedFrame(f"TIFF strip at byte {offset} ends early")
