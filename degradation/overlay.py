"""One piece of damage, and laying it on a picture.

Shape suffixes: C planes, H rows, W columns, h, w the piece's own box.
"""

from dataclasses import dataclass
from typing import Literal

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
    opacity_hw: Byte
    """How much there is of it, 0 to 255."""
    strength: float = 1.0
    """What full opacity does, in [0, 1]."""
    tone: float = 0.0
    """What is seen instead of the picture under a patch that covers, in [0, 1]: 0 black, 1 white."""
    blend: Blend = "cover"
    """cover: fades to the tone. add, subtract: so much more or less light. multiply: that share held back."""


def laid(planes_CHW: Float, overlays: tuple[Overlay, ...]) -> tuple[Float, Mask]:
    """The picture with all pieces on it, and a mask of exactly the pixels whose value changed."""
    height, width = planes_CHW.shape[1:]
    out_CHW = planes_CHW.copy()
    changed_HW = np.zeros((height, width), bool)
    for piece in overlays:
        rows, columns = piece.opacity_hw.shape
        top, left = max(piece.row, 0), max(piece.column, 0)
        bottom, right = min(piece.row + rows, height), min(piece.column + columns, width)
        if top >= bottom or left >= right:
            continue
        opacity_hw = piece.opacity_hw[
            top - piece.row : bottom - piece.row, left - piece.column : right - piece.column
        ]
        _lay(out_CHW[:, top:bottom, left:right], opacity_hw, piece)
        changed_HW[top:bottom, left:right] |= opacity_hw * np.float32(piece.strength) >= _FAINTEST
    if changed_HW.any():
        changed_HW &= (out_CHW != planes_CHW).any(axis=0)
    return out_CHW, changed_HW


def _lay(under_Chw: Float, opacity_hw: Byte, piece: Overlay) -> None:
    alpha_hw = opacity_hw * np.float32(piece.strength)
    alpha_hw[alpha_hw < _FAINTEST] = 0
    alpha_hw *= np.float32(1 / 255)
    match piece.blend:
        case "cover":
            under_Chw += alpha_hw * (np.float32(piece.tone) - under_Chw)
        case "multiply":
            under_Chw -= alpha_hw * under_Chw
        case "add":
            np.minimum(under_Chw + alpha_hw, 1, out=under_Chw)
        case "subtract":
            np.maximum(under_Chw - alpha_hw, 0, out=under_Chw)
