"""Whether a film has colour of its own. Shape suffixes: H rows, W columns; 2 is (Cb, Cr)."""

import cv2
import numpy as np
from numpy.typing import NDArray

Float = NDArray[np.float32]

# Grain and the noise of a scanner's three channels are finer than this, and are no colour.
_BLOCK_PX = 8
# Of 255, three black-and-white films in YUV have at most 0.4, and grey in RGB with noise of 4 codes in each
# channel 0.5; of 21 clips in colour 20 have 4.2 to 31, and one, of white cars on asphalt, mostly 0.9.
_SCATTER = 1.5 / 255


def has_colour(chroma_2HW: Float, luma_HW: Float) -> bool:
    """Whether the picture has colours, more than one: a tint or a tone, which follows the lightness, is none.

    chroma_2HW: -0.5 to 0.5. luma_HW: in [0, 1].
    """
    return colour_scatter(chroma_2HW, luma_HW) > _SCATTER


def colour_scatter(chroma_2HW: Float, luma_HW: Float) -> float:
    """How far chroma is spread, block by block, beside what a curve of the lightness would explain."""
    light = _blocks(luma_HW)
    basis = np.stack([np.ones_like(light), light, light**2], 1)
    square = basis.T @ basis + 1e-9 * np.eye(3)
    left = 0.0
    for plane_HW in chroma_2HW:
        signal = _blocks(plane_HW)
        left += float(np.var(signal - basis @ np.linalg.solve(square, basis.T @ signal)))
    return float(np.sqrt(left))


def _blocks(plane_HW: Float) -> NDArray[np.float64]:
    size = (max(1, plane_HW.shape[1] // _BLOCK_PX), max(1, plane_HW.shape[0] // _BLOCK_PX))
    blocks = cv2.resize(plane_HW, size, interpolation=cv2.INTER_AREA)
    return np.asarray(blocks, np.float64).ravel()
