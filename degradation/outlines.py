"""Shapes drawn from outlines and paths, with soft edges, many at a time.

Shape suffixes: N shapes, P points each, 2 is (x, y) in pixels; h, w rows and columns of a shape's own box,
W columns of a strip.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from degradation.overlay import seen

Float = NDArray[np.float32]
Byte = NDArray[np.uint8]
Points = NDArray[np.float64]

FULL = 255
_FINE = 4  # shapes are drawn this much larger and averaged down: soft, sub-pixel outlines
_MARGIN_PX = 3  # the blur of one shape ends before the next begins


@dataclass(frozen=True)
class Shapes:
    """Shapes side by side on one strip."""

    opacity_hW: Byte
    """0 to 255."""
    sizes: list[list[int]]
    """Columns and rows of each."""
    ends: list[int]
    """Where each ends on the strip."""

    def opacities(self) -> list[Byte]:
        """Each cut to its box, (h, w), 0 to 255."""
        return [self.opacity_hW[box] for box in self._boxes()]

    def shares(self) -> list[Float]:
        """The same as shares, as overlays want them."""
        shares_hW = seen(self.opacity_hW)
        return [shares_hW[box] for box in self._boxes()]

    def _boxes(self) -> list[tuple[slice, slice]]:
        return [
            (slice(rows), slice(end - columns, end))
            for (columns, rows), end in zip(self.sizes, self.ends, strict=True)
        ]


def filled(outlines_NP2: Points, levels: Sequence[int] = ()) -> Shapes:
    """What the outlines go around; `levels`, 0 to 255, is how dense each is, at first fully."""
    return _drawn(outlines_NP2, np.zeros(len(outlines_NP2), np.int64), levels)


def stroked(paths_NP2: Points, thicknesses_px: Sequence[float], levels: Sequence[int] = ()) -> Shapes:
    """Lines along the paths."""
    thick = np.maximum(1, np.rint(np.asarray(thicknesses_px) * _FINE).astype(np.int64))
    return _drawn(paths_NP2, thick, levels)


def _drawn(points_NP2: Points, thick: NDArray[np.int64], levels: Sequence[int]) -> Shapes:
    """0 thick is filled."""
    if not len(points_NP2):
        return Shapes(np.zeros((0, 0), np.uint8), [], [])
    points_N2P = np.ascontiguousarray(points_NP2.transpose(0, 2, 1))
    points = np.rint(points_N2P * _FINE).astype(np.int32)
    first, last = points.min(axis=2), points.max(axis=2)
    margin = _FINE * (_MARGIN_PX + thick // _FINE)[:, None]
    sizes = (last - first + 2 * margin) // _FINE + 1
    ends = np.cumsum(sizes[:, 0])
    shift = margin - first
    shift[:, 0] += (ends - sizes[:, 0]) * _FINE
    points = np.ascontiguousarray((points + shift[:, :, None].astype(np.int32)).transpose(0, 2, 1))
    width, height = int(ends[-1]), int(sizes[:, 1].max())
    large = np.zeros((height * _FINE, width * _FINE), np.uint8)
    for outline, line, level in zip(points, thick.tolist(), levels or [FULL] * len(points), strict=True):
        if line:
            cv2.polylines(large, [outline], False, level, line)
        else:
            cv2.fillPoly(large, [outline], level)
    # Whole numbers, whose sixteenths a float holds exactly: the same everywhere.
    averaged = cv2.resize(large, (width, height), interpolation=cv2.INTER_AREA)
    strip: Byte = cv2.GaussianBlur(averaged, (5, 5), 0.8)
    return Shapes(strip, sizes.tolist(), ends.tolist())
