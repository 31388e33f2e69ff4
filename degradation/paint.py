"""Drawing into the scene, in whole numbers.

Shape suffixes: C planes, H rows, W columns, D what is drawn: opacity, then light in red, green and blue.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

from degradation.exact import limited
from degradation.family import Planes, Size

Array = NDArray[np.float64]
Colour = tuple[float, float, float]

_FINE = 4  # bits of a pixel's fraction


class Paint:
    """A sheet over a frame on which things are drawn, each as opaque as it says."""

    def __init__(self, size: Size) -> None:
        self.sheet_HWD: NDArray[np.uint8] = np.zeros((size.height, size.width, 4), np.uint8)

    def streaks(self, starts: Array, ends: Array, widths_px: Array, shown: Array, light: Array) -> None:
        """Lines with round ends from places (n, 2) to places; thinner than a pixel, they pale."""
        points = np.round(np.stack([starts, ends], axis=1) * 2**_FINE).astype(int).tolist()
        inks = _inks(shown * np.minimum(widths_px, 1.0), light)
        for (start, end), width, ink in zip(points, np.round(widths_px).tolist(), inks, strict=True):
            cv2.line(self.sheet_HWD, start, end, ink, max(1, int(width)), cv2.LINE_AA, _FINE)

    def patches(self, corners: Array, shown: Array, light: Array) -> None:
        """Filled shapes with corners (n, k, 2)."""
        points = np.round(corners * 2**_FINE).astype(np.int32)
        for outline, ink in zip(points, _inks(shown, light), strict=True):
            cv2.fillConvexPoly(self.sheet_HWD, outline, ink, cv2.LINE_AA, _FINE)

    def over(self, planes_CHW: Planes) -> Planes:
        """The frame with the sheet over it."""
        shown_HW = self.sheet_HWD[..., 0] * np.float32(1 / 255)
        out = planes_CHW - planes_CHW * shown_HW
        for plane, out_HW in enumerate(out):
            out_HW += self.sheet_HWD[..., 1 + plane] * np.float32(1 / 255)
        return limited(out)


def _inks(shown: Array, light: Array) -> list[list[float]]:
    """What is drawn (n, D) for so much opacity (n,) of so much light (n, 3)."""
    full = np.concatenate([np.ones((len(shown), 1)), light], axis=1)
    inks: list[list[float]] = np.rint(255 * shown[:, None] * full).tolist()
    return inks


def shade(colour: Colour, channels: int) -> Colour:
    """The colour, or for a grey frame its lightness."""
    grey = 0.2126 * colour[0] + 0.7152 * colour[1] + 0.0722 * colour[2]
    return colour if channels == 3 else (grey, grey, grey)
