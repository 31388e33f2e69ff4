"""One piece of damage, and laying it on a picture.

Shape suffixes: C planes, H rows, W columns, h, w the piece's own box.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

Float = NDArray[np.float32]
Mask = NDArray[np.bool_]
Byte = NDArray[np.uint8]
Blend = Literal["cover", "add", "subtract", "multiply"]

# Opacity below this is nothing: a twenty-fifth of full contrast, less than grain. It keeps masks exact and
# tight.
_FAINTEST = 10


@dataclass(frozen=True)
class Overlay:
    """A patch of something between the film and the light."""

    row: int
    """Top row of the patch in the frame; may be negative."""
    column: int
    """Left column; may be negative."""
    share_hw: Float
    """How much of it there is, in [0, 1]; `seen` makes it of bytes."""
    tone: float = 0.0
    """What is seen instead of the picture under a patch that covers, in [0, 1]: 0 black, 1 white."""
    blend: Blend = "cover"
    """cover: fades to the tone. add, subtract: so much more or less light. multiply: that share held back."""


def seen(opacity_hw: Byte, strength: float = 1.0) -> Float:
    """Opacity, 0 to 255, as a share in [0, 1]: full opacity is the strength, and what is hardly seen is 0."""
    share_hw: Float = cv2.LUT(opacity_hw, _shares(strength))
    return share_hw


@lru_cache(256)
def _shares(strength: float) -> Float:
    share = np.arange(256, dtype=np.float32) * np.float32(strength)
    share[share < _FAINTEST] = 0
    share *= np.float32(1 / 255)
    return share


def laid(planes_CHW: Float, overlays: tuple[Overlay, ...]) -> tuple[Float, Mask]:
    """The picture with all pieces on it, and a mask of exactly the pixels whose value changed."""
    height, width = planes_CHW.shape[1:]
    out_CHW = planes_CHW.copy()
    for piece in overlays:
        rows, columns = piece.share_hw.shape
        top, left = max(piece.row, 0), max(piece.column, 0)
        bottom, right = min(piece.row + rows, height), min(piece.column + columns, width)
        if top >= bottom or left >= right:
            continue
        share_hw = piece.share_hw[
            top - piece.row : bottom - piece.row, left - piece.column : right - piece.column
        ]
        _lay(out_CHW[:, top:bottom, left:right], share_hw, piece)
    changed_CHW = out_CHW != planes_CHW
    return out_CHW, changed_CHW[0] if len(changed_CHW) == 1 else changed_CHW.any(axis=0)


def _lay(under_Chw: Float, share_hw: Float, piece: Overlay) -> None:
    match piece.blend:
        case "cover":
            under_Chw += share_hw * (piece.tone - under_Chw)
        case "multiply":
            under_Chw -= share_hw * under_Chw
        case "add":
            np.minimum(under_Chw + share_hw, 1, out=under_Chw)
        case "subtract":
            np.maximum(under_Chw - share_hw, 0, out=under_Chw)
