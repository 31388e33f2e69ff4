"""Whether a film has colour of its own. Shape suffixes: H rows, W columns; 2 is (Cb, Cr)."""

import numpy as np
from numpy.typing import NDArray

Float = NDArray[np.float32]

# In codes of 255: nine old films without colour, compressed or not, have at most 0.4; clips in colour 1.6 to
# 14, a car park of white cars between 0.7 and 10.
_SCATTER = 1.5 / 255


def has_colour(chroma_2HW: Float, luma_HW: Float) -> bool:
    """Whether the picture has colours, more than one: a tint or a tone, which follows the lightness, is none.

    chroma_2HW: -0.5 to 0.5. luma_HW: in [0, 1].
    """
    light = luma_HW.ravel().astype(np.float64)
    basis = np.stack([np.ones_like(light), light, light**2], 1)
    square = basis.T @ basis + 1e-9 * np.eye(3)
    left = 0.0
    for plane in chroma_2HW:
        signal = plane.ravel().astype(np.float64)
        left += float(np.var(signal - basis @ np.linalg.solve(square, basis.T @ signal)))
    return bool(left > _SCATTER**2)
