"""What colour things that look like this one have in the stills: for what motion never reached.

Shape suffixes: h rows, w columns of the working picture; N cells of a still, M cells asked about; D features.

Source: Welsh, Ashikhmin and Mueller, "Transferring Color to Greyscale Images", SIGGRAPH 2002: luma and its
spread around a pixel tell its colour; here with the shape of its surroundings, and roughly its place.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

Float = NDArray[np.float32]

CELL_PX = 8
# What counts as one step apart: of luma, its contrast, a neighbouring cell's luma, the picture's size.
_LUMA, _CONTRAST, _SHAPE, _PLACE = 0.03, 0.03, 0.06, 0.25
# Cells are asked about in lots, so that the table of distances stays small.
_LOT = 1024


@dataclass(frozen=True)
class Likeness:
    """The cells of one or more stills, and their colours."""

    features_ND: Float
    ab_N2: Float

    def ask(self, features_MD: Float) -> tuple[Float, Float]:
        """The colour (M, 2) that like cells have, and how alike the likest is (M), in [0, 1]."""
        ab_M2 = np.empty((len(features_MD), 2), np.float32)
        alike_M = np.empty(len(features_MD), np.float32)
        own_N = (self.features_ND**2).sum(1)
        for start in range(0, len(features_MD), _LOT):
            lot = slice(start, start + _LOT)
            asked = features_MD[lot]
            apart = own_N[None] - 2 * asked @ self.features_ND.T + (asked**2).sum(1)[:, None]
            nearest = np.maximum(apart.min(1), 0)
            weight = np.exp(-0.5 * (apart - nearest[:, None]))
            ab_M2[lot] = weight @ self.ab_N2 / weight.sum(1)[:, None]
            alike_M[lot] = np.exp(-nearest / 8)
        return ab_M2, alike_M


def likeness(stills: Sequence[tuple[Float, Float]]) -> Likeness:
    """What (luma_hw, ab_2hw) of each still, at working size, tell."""
    features = [described(luma_hw).reshape(-1, _depth()) for luma_hw, _ in stills]
    colours = [_cells(ab_2hw.transpose(1, 2, 0)).reshape(-1, 2) for _, ab_2hw in stills]
    return Likeness(np.concatenate(features), np.concatenate(colours))


def described(luma_hw: Float) -> Float:
    """Features of each cell of a picture, (rows, columns, D)."""
    cell = _cells(luma_hw)
    contrast = np.sqrt(np.maximum(_cells(luma_hw * luma_hw) - cell * cell, 0))
    rows, columns = cell.shape
    padded = np.pad(cell, 2, mode="reflect" if min(rows, columns) > 2 else "edge")
    around = [
        (padded[dy : dy + rows, dx : dx + columns] - cell) / (_SHAPE * 5)
        for dy in range(5)
        for dx in range(5)
    ]
    y, x = np.mgrid[0:rows, 0:columns].astype(np.float32)
    place = [y / rows / _PLACE, x / columns / _PLACE]
    return np.dstack([cell / _LUMA, contrast / _CONTRAST, *around, *place]).astype(np.float32)


def _depth() -> int:
    return 2 + 25 + 2


def _cells(image: Float) -> Float:
    """The mean of each cell."""
    size = (max(1, image.shape[1] // CELL_PX), max(1, image.shape[0] // CELL_PX))
    means: Float = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    return means
