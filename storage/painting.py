"""Stills for painting and painted stills: PNG, TIFF or JPEG of 8 or 16 bit, whatever program made them."""

import struct
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from storage.errors import SourceError
from storage.filesystem import reading, write_atomically

SUFFIXES = frozenset({".png", ".tif", ".tiff", ".jpg", ".jpeg"})
_PNG, _TIFF, _JPEG = b"\x89PNG\r\n\x1a\n", (b"II*\0", b"MM\0*"), b"\xff\xd8\xff"
_SIGNATURES = (_PNG, *_TIFF, _JPEG)
_WIDTH, _HEIGHT = 256, 257
"""Tags of TIFF."""
_SHORT = 3
"""The TIFF type of 16 bit."""
_MOST_BYTES, _MOST_BYTES_A_PIXEL = 64 << 20, 32
"""Four layers of RGBA, 16 bit, uncompressed; and room for profiles and previews, however small the frame."""


def read_still(path: Path, name: str, width: int, height: int) -> bytes:
    """An image file's bytes, if its header tells this size: nothing is decoded, no giant is read.

    name: what it is called in errors. Raises SourceError, UnreachableSource where it cannot be read.
    """
    most = max(_MOST_BYTES, _MOST_BYTES_A_PIXEL * width * height)
    with reading(name), path.open("rb") as file:
        data = file.read(most + 1)
    if len(data) > most:
        raise SourceError(f"{name}: is over {most >> 20} MiB, too much for one frame; save one layer only")
    found = image_size(data, name)
    if found != (width, height):
        raise SourceError(
            f"{name}: is {found[0]}x{found[1]} and the reel is {width}x{height}; paint on the frame as "
            "`answerprint colour-stills` writes it, neither scaled nor cropped"
        )
    return data


def image_size(data: bytes, name: str) -> tuple[int, int]:
    """Width and height by the header. Raises SourceError for no PNG, TIFF or JPEG, or a broken one."""
    if not data.startswith(_SIGNATURES):
        raise SourceError(f"{name}: not a PNG, TIFF or JPEG image; save it as one of these")
    try:
        if data.startswith(_PNG):
            width, height = struct.unpack_from(">II", data, 16)
            return width, height
        return _jpeg_size(data) if data.startswith(_JPEG) else _tiff_size(data)
    except (struct.error, KeyError) as error:
        raise SourceError(f"{name}: cannot be read whole, its header is broken; save it again") from error


def _jpeg_size(data: bytes) -> tuple[int, int]:
    """By the frame header, after whatever segments (ITU-T T.81, B.1 and B.2.2)."""
    at = 2
    while True:
        mark, code, length = struct.unpack_from(">BBH", data, at)
        if mark != 0xFF:
            raise KeyError(mark)
        if code == 0xFF:  # fill
            at += 1
        elif 0xC0 <= code <= 0xCF and code not in (0xC4, 0xC8, 0xCC):
            height, width = struct.unpack_from(">HH", data, at + 5)
            return width, height
        else:
            at += 2 + length


def _tiff_size(data: bytes) -> tuple[int, int]:
    """By the tags of the first image, which is the one that is decoded (TIFF 6.0, section 2)."""
    order = "<" if data.startswith(b"II") else ">"
    (at,) = struct.unpack_from(f"{order}I", data, 4)
    (count,) = struct.unpack_from(f"{order}H", data, at)
    found: dict[int, int] = {}
    for entry in range(at + 2, at + 2 + 12 * count, 12):
        tag, kind = struct.unpack_from(f"{order}HH", data, entry)
        (found[tag],) = struct.unpack_from(f"{order}{'H' if kind == _SHORT else 'I'}", data, entry + 8)
    return found[_WIDTH], found[_HEIGHT]


def read_painting(data: bytes, name: str) -> NDArray[np.float32]:
    """rgb_HW3 in [0, 1] of an image file's bytes.

    Raises SourceError: no such image, broken, or see-through somewhere.
    """
    image_size(data, name)
    try:
        found: Any = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    except cv2.error:  # larger than OpenCV lets an image be
        found = None
    if found is None or found.dtype not in (np.uint8, np.uint16):
        raise SourceError(f"{name}: cannot be read whole as an image of 8 or 16 bit; save it again")
    image_HWC: NDArray[Any] = found.reshape(*found.shape[:2], -1)
    peak = np.iinfo(image_HWC.dtype).max
    if image_HWC.shape[2] in (2, 4) and image_HWC[..., -1].min() < peak:
        raise SourceError(f"{name}: is see-through in places; flatten its layers and save it again")
    colours = image_HWC[..., 2::-1] if image_HWC.shape[2] >= 3 else image_HWC[..., [0, 0, 0]]
    rgb_HW3 = colours.astype(np.float32)
    rgb_HW3 /= np.float32(peak)
    return rgb_HW3


def write_still(path: Path, still: NDArray[Any]) -> None:
    """Writes a picture, grey (H, W) or RGB (H, W, 3) of 8 or 16 bit, as PNG. Raises VaultError."""
    write_atomically(path, encoded_still(still))


def encoded_still(still: NDArray[Any]) -> bytes:
    """The PNG of a picture, grey (H, W) or RGB (H, W, 3) of 8 or 16 bit."""
    done, data = cv2.imencode(".png", still if still.ndim == 2 else still[..., ::-1])
    assert done, still.shape
    return data.tobytes()
