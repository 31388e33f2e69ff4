"""How well a mask did, where the truth is known.

Shape suffixes: H rows, W columns. Masks are boolean.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Detection:
    """Pixel counts of a found mask against a true one; sums over frames with `+`."""

    hit: int = 0
    """Damaged pixels found."""
    missed: int = 0
    """Damaged pixels not found."""
    right: int = 0
    """Found pixels on damage (or within the tolerance of it)."""
    wrong: int = 0
    """Found pixels away from damage: harm."""
    pixels: int = 0
    """All pixels looked at."""

    def __add__(self, other: "Detection") -> "Detection":
        return Detection(
            self.hit + other.hit,
            self.missed + other.missed,
            self.right + other.right,
            self.wrong + other.wrong,
            self.pixels + other.pixels,
        )

    @property
    def recall(self) -> float:
        """Share of damage found; 1 where there was none."""
        return self.hit / (self.hit + self.missed) if self.hit + self.missed else 1.0

    @property
    def precision(self) -> float:
        """Share of what was touched that was damaged; 1 where nothing was touched."""
        return self.right / (self.right + self.wrong) if self.right + self.wrong else 1.0

    @property
    def f1(self) -> float:
        """Harmonic mean of precision and recall."""
        both = self.precision + self.recall
        return 2 * self.precision * self.recall / both if both else 0.0

    @property
    def harm(self) -> float:
        """Share of all pixels touched away from damage."""
        return self.wrong / self.pixels if self.pixels else 0.0


def compare(found_HW: Mask, true_HW: Mask, tolerance_px: int = 0) -> Detection:
    """Counts for one frame; found pixels within `tolerance_px` of true damage count as right."""
    near_HW = grown(true_HW, tolerance_px)
    hit = int((found_HW & true_HW).sum())
    right = int((found_HW & near_HW).sum())
    return Detection(hit, int(true_HW.sum()) - hit, right, int(found_HW.sum()) - right, true_HW.size)


def grown(mask_HW: Mask, px: int) -> Mask:
    """The mask dilated by a disc of `px` pixels."""
    if px <= 0:
        return mask_HW
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * px + 1, 2 * px + 1))
    wider: Mask = cv2.dilate(mask_HW.astype(np.uint8), disc) > 0
    return wider
