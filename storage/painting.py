"""Stills for painting and painted stills: PNG, TIFF or JPEG of 8 or 16 bit, whatever program made them."""

from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from storage.errors import SourceError
from storage.filesystem import write_atomically

SUFFIXES = frozenset({".png", ".tif", ".tiff", ".jpg", ".jpeg"})
_SIGNATURES = (b"\x89PNG\r\n\x1a\n", b"II*\0", b"MM\0*", b"\xff\xd8\xff")


def read_painting(data: bytes, name: str) -> NDArray[np.float32]:
    """rgb_HW3 in [0, 1] of an image file's bytes.

    Raises SourceError: no such image, broken, or see-through somewhere.
    """
    if not data.startswith(_SIGNATURES):
        raise SourceError(f"{name}: not a PNG, TIFF or JPEG image; save it as one of these")
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
    return colours.astype(np.float32) / np.float32(peak)


def write_still(path: Path, still: NDArray[Any]) -> None:
    """Writes a picture, grey (H, W) or RGB (H, W, 3) of 8 or 16 bit, as PNG. Raises VaultError."""
    done, data = cv2.imencode(".png", still if still.ndim == 2 else still[..., ::-1])
    assert done, still.shape
    write_atomically(path, data.tobytes())
