"""One piece of damage, and laying it on a picture.

Shape suffixes: C planes, H rows, W columns, h, w the piece's own box.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Float = NDArray[np.float32]
Mask = NDArray[np.bool_]

# Opacity below this is nothing: a twenty-fifth of full contrast, less than grain. It keeps masks exact and
# tight.
_FAINTEST = 0.04


@dataclass(frozen=True)
class Overlay:
    """A patch of something between the film and the light."""

    row: int
    """Top row of the patch in the frame; may be negative."""
    column: int
    """Left column; may be negative."""
    opacity_hw: Float
    """How much of the picture it hides, in [0, 1]."""
    tone: float
    """What is seen instead, in [0, 1]: 0 black, 1 white."""


def laid(planes_CHW: Float, overlays: list[Overlay]) -> tuple[Float, Mask]:
    """The picture with all pieces on it, and a mask of exactly the pixels whose value changed."""
    height, width = planes_CHW.shape[1:]
    out_CHW = planes_CHW.copy()
    for piece in overlays:
        rows, columns = piece.opacity_hw.shape
        top, left = max(piece.row, 0), max(piece.column, 0)
        bottom, right = min(piece.row + rows, height), min(piece.column + columns, width)
        if top >= bottom or left >= right:
            continue
        opacity_hw = piece.opacity_hw[
            top - piece.row : bottom - piece.row, left - piece.column : right - piece.column
        ]
        opacity_hw = np.where(opacity_hw < _FAINTEST, np.float32(0), opacity_hw)
        under = out_CHW[:, top:bottom, left:right]
        under += opacity_hw * (np.float32(piece.tone) - under)
    changed_HW: Mask = (out_CHW != planes_CHW).any(axis=0)
    return out_CHW, changed_HW
