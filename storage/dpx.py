"""What a DPX file says of itself (SMPTE ST 268-1), read straight from its header: FFmpeg drops most of it."""

import math
import struct
from dataclasses import dataclass
from fractions import Fraction

from storage.errors import SourceError

HEADER_BYTES = 2048
"""Generic, film and television headers together; a shorter header is legal and lacks the later parts."""

_UNDEFINED = 0xFFFFFFFF
_BYTE_ORDERS = {b"SDPX": ">", b"XPDS": "<"}
_CHANNELS = {6: "grey", 50: "rgb", 51: "rgba"}
_SAMPLES = {"grey": 1, "rgb": 3, "rgba": 4}
_OTHER_DESCRIPTORS = {
    0: "user-defined",
    1: "red alone",
    2: "green alone",
    3: "blue alone",
    4: "alpha alone",
    7: "chroma alone",
    8: "depth",
    9: "composite video",
    52: "ABGR",
    100: "CbYCrY",
    101: "CbYACrYA",
    102: "CbYCr",
    103: "CbYCrA",
}
_TRANSFERS = {
    0: "user-defined",
    1: "printing density",
    2: "linear",
    3: "logarithmic",
    4: "unspecified video",
    5: "SMPTE 274M",
    6: "ITU-R BT.709",
    7: "ITU-R BT.601-625",
    8: "ITU-R BT.601-525",
    9: "NTSC composite",
    10: "PAL composite",
    11: "linear depth",
    12: "homogeneous depth",
    13: "ADX",
}
_PACKINGS = {0: "packed", 1: "filled A", 2: "filled B"}


class DamagedFrame(SourceError):
    """One file of a sequence cannot be read; the frame keeps its place."""


@dataclass(frozen=True)
class DpxHeader:
    """The fields that matter to a restoration. None is what the file leaves undefined."""

    byte_order: str
    """'>' or '<', as `struct` has it."""
    image_offset: int
    """Bytes before the picture."""
    file_bytes: int | None
    """The size that the header claims for the whole file."""
    width: int
    height: int
    orientation: int
    """0 is left to right, top to bottom; other codes turn or mirror the picture on display."""
    channels: str
    """grey, rgb or rgba."""
    bit_depth: int
    packing: str
    transfer: str | None
    colorimetric: str | None
    sample_aspect: Fraction | None
    film_rate: Fraction | None
    """Frames a second of the original film, from the film header."""
    television_rate: Fraction | None
    """Temporal sampling rate, from the television header."""
    timecode: str | None
    """HH:MM:SS:FF, from the television header."""

    def picture_bytes(self, padded: bool = True) -> int:
        """Bytes of the picture; padded: each row ends on a 32-bit word, as the standard asks."""
        samples = self.width * _SAMPLES[self.channels]
        rows = self.height
        if not padded:
            samples, rows = samples * rows, 1
        if self.bit_depth == 10:
            return -(-samples // 3) * 4 * rows
        bits = 16 if self.bit_depth == 12 and self.packing != "packed" else self.bit_depth
        return -(-samples * bits // 32) * 4 * rows if padded else -(-samples * bits // 8)

    def check_size(self, file_bytes: int) -> None:
        """Raises DamagedFrame where a file of this many bytes cannot hold the whole picture."""
        shortest = self.image_offset + self.picture_bytes(padded=False)
        whole = self.image_offset + self.picture_bytes()
        # Some scanners leave out the row padding: only a plausible claim of the full size is held against it.
        is_plausible = self.file_bytes is not None and self.file_bytes >= shortest
        needed = min(whole, self.file_bytes or 0) if is_plausible else shortest
        if file_bytes < needed:
            raise DamagedFrame(f"truncated: {file_bytes} bytes of {needed}")


def exact_rate(rate: float) -> Fraction | None:
    """The rational that a frame rate kept as a float stands for: 23.976 is 24000/1001, 16.6667 is 50/3.

    None where it is no frame rate at all (NaN, zero, beyond 1 to 1000 a second).
    """
    if not math.isfinite(rate) or not 1 <= rate <= 1000:
        return None
    if abs(rate - round(rate)) < 1e-4:
        return Fraction(round(rate))
    ntsc = Fraction(round(rate * 1.001) * 1000, 1001)
    # 23.98 and 29.97 are how people and some scanners write these; no other film speed is as near.
    if abs(rate - ntsc) < 5e-3:
        return ntsc
    return Fraction(rate).limit_denominator(100)


def parse_dpx(head: bytes) -> DpxHeader:
    """The header in the first `HEADER_BYTES` of a file.

    Raises DamagedFrame where this is no DPX header, SourceError (naming the feature) where it is one that the
    decoder would not give back exactly.
    """
    order = _BYTE_ORDERS.get(head[:4])
    if order is None:
        raise DamagedFrame("no DPX file: its first bytes are not SDPX or XPDS")
    if len(head) < 1664:
        raise DamagedFrame(f"truncated: {len(head)} bytes, less than a DPX header")
    offset = _field(head, order, "I", 4)
    if offset is None or offset < 1664:
        raise DamagedFrame(f"broken DPX header: the picture would start at byte {offset}")

    width, height = struct.unpack_from(f"{order}II", head, 772)
    if not 0 < width <= 65535 or not 0 < height <= 65535:
        raise DamagedFrame(f"broken DPX header: a picture of {width}x{height}")
    descriptor, transfer, colorimetric, depth = struct.unpack_from("4B", head, 800)
    packing, encoding = struct.unpack_from(f"{order}HH", head, 804)
    orientation, elements = struct.unpack_from(f"{order}HH", head, 768)
    _refuse_unread(elements, descriptor, depth, packing, encoding)
    if _field(head, order, "I", 780) == 1:
        raise SourceError("DPX with signed samples is not supported: write it anew with unsigned ones")
    if _field(head, order, "I", 808) not in (None, 0, offset):
        raise SourceError("DPX whose picture does not start where its header ends: write it anew")

    header = DpxHeader(
        byte_order=order,
        image_offset=offset,
        file_bytes=_field(head, order, "I", 16) or None,
        width=width,
        height=height,
        orientation=0 if orientation == 0xFFFF else orientation,
        channels=_CHANNELS[descriptor],
        bit_depth=depth,
        packing=_PACKINGS[packing] if depth in (10, 12) else "whole words",
        transfer=_name(transfer),
        colorimetric=_name(colorimetric),
        sample_aspect=_aspect(head, order),
        film_rate=_rate(head, order, 1724, offset),
        television_rate=_rate(head, order, 1940, offset),
        timecode=_timecode(head, order, offset),
    )
    # FFmpeg rounds rows up to a word and knows no other padding: the picture would come out sheared.
    row_padding = _field(head, order, "I", 812)
    if row_padding and row_padding * height > header.picture_bytes() - header.picture_bytes(padded=False):
        raise SourceError(f"DPX with {row_padding} bytes after each row is not supported: write it without")
    return header


def _refuse_unread(elements: int, descriptor: int, depth: int, packing: int, encoding: int) -> None:
    if elements != 1:
        raise SourceError(f"DPX with {elements} image elements is not supported: write all channels as one")
    if descriptor not in _CHANNELS:
        kind = _OTHER_DESCRIPTORS.get(descriptor, f"descriptor {descriptor}")
        raise SourceError(f"{kind} DPX is not supported: write luma, RGB or RGBA")
    if depth not in (8, 10, 12, 16):
        raise SourceError(f"{depth}-bit DPX is not supported: write 8, 10, 12 or 16 bits")
    if encoding not in (0, 0xFFFF):
        raise SourceError("run-length encoded DPX is not supported: write it uncompressed")
    if depth in (10, 12) and (packing not in _PACKINGS or (depth == 10 and packing == 0)):
        raise SourceError(f"{depth}-bit DPX of packing {packing} is not supported: write filled words")


def _field(head: bytes, order: str, form: str, position: int) -> int | None:
    value: int = struct.unpack_from(order + form, head, position)[0]
    return None if value == _UNDEFINED else value


def _name(code: int) -> str | None:
    return None if code == 0xFF else _TRANSFERS.get(code, f"code {code}")


def _aspect(head: bytes, order: str) -> Fraction | None:
    across, down = _field(head, order, "I", 1628), _field(head, order, "I", 1632)
    return Fraction(across, down) if across and down else None


def _rate(head: bytes, order: str, position: int, offset: int) -> Fraction | None:
    if min(offset, len(head)) < position + 4:
        return None
    value: float = struct.unpack_from(f"{order}f", head, position)[0]
    return exact_rate(value)


def _timecode(head: bytes, order: str, offset: int) -> str | None:
    if min(offset, len(head)) < 1924:
        return None
    word = _field(head, order, "I", 1920)
    if word is None:
        return None
    # SMPTE 12M keeps flags (drop frame, colour frame, phase, binary groups) in the tens' spare bits.
    parts = [f"{word >> shift & mask:02x}" for shift, mask in ((24, 0x3F), (16, 0x7F), (8, 0x7F), (0, 0x3F))]
    is_time = all(part.isdigit() for part in parts) and parts[0] <= "23" and max(parts[1:3]) <= "59"
    return ":".join(parts) if is_time else None
