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
        for start in range(0, len(features_MD), _LOT):
            lot = slice(start, start + _LOT)
            apart = _apart(features_MD[lot], self.features_ND)
            least = apart.min(1)
            weight = np.exp(-0.5 * (apart - least[:, None]))
            ab_M2[lot] = weight @ self.ab_N2 / weight.sum(1)[:, None]
            alike_M[lot] = _alike(least)
        return ab_M2, alike_M


def nearest(asked_MD: Float, known_ND: Float) -> tuple[NDArray[np.intp], Float]:
    """The likest known cell for each asked one (M), and how alike it is (M), in [0, 1]."""
    place_M = np.empty(len(asked_MD), np.intp)
    alike_M = np.empty(len(asked_MD), np.float32)
    for start in range(0, len(asked_MD), _LOT):
        lot = slice(start, start + _LOT)
        apart = _apart(asked_MD[lot], known_ND)
        place_M[lot] = apart.argmin(1)
        alike_M[lot] = _alike(apart.min(1))
    return place_M, alike_M


def likeness(stills: Sequence[tuple[Float, Float]]) -> Likeness:
    """What (luma_hw, ab_2hw) of each still, at working size, tell."""
    features = [flat(described(luma_hw)) for luma_hw, _ in stills]
    colours = [flat(cells_of(ab_2hw.transpose(1, 2, 0))) for _, ab_2hw in stills]
    return Likeness(np.concatenate(features), np.concatenate(colours))


def flat(cells: Float) -> Float:
    """A picture of cells as a list of them."""
    return cells.reshape(-1, cells.shape[2])


def described(luma_hw: Float) -> Float:
    """Features of each cell of a picture, (rows, columns, D)."""
    cell = cells_of(luma_hw)
    contrast = np.sqrt(np.maximum(cells_of(luma_hw * luma_hw) - cell * cell, 0))
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


def _apart(asked_MD: Float, known_ND: Float) -> Float:
    """Squared distances, (M, N)."""
    apart: Float = (known_ND**2).sum(1)[None] - 2 * asked_MD @ known_ND.T + (asked_MD**2).sum(1)[:, None]
    return apart


def _alike(apart_M: Float) -> Float:
    return np.asarray(np.exp(-np.maximum(apart_M, 0) / 8), np.float32)


def cells_of(image: Float) -> Float:
    """The mean of each cell of a picture (hw or hwC)."""
    size = (max(1, image.shape[1] // CELL_PX), max(1, image.shape[0] // CELL_PX))
    means: Float = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    return means
