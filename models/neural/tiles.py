"""A picture cut into areas that overlap, so that what does not fit into memory is looked at piece by piece.

Shape suffixes: K answers, H rows, W columns of the picture; h, w of an area.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Float = NDArray[np.float32]

ANSWER_BYTES = 2
"""What an answer of a pixel takes while areas are laid: half precision, a 2,000th of it."""
OVERLAP_PX = 96
"""Least overlap of two areas: about what a network of this kind sees around a pixel; its edges fade out."""


class Area(NamedTuple):
    """Pixels [top, bottom) by [left, right) of the padded picture."""

    top: int
    bottom: int
    left: int
    right: int

    @property
    def height(self) -> int:
        return self.bottom - self.top

    @property
    def width(self) -> int:
        return self.right - self.left

    @property
    def rows(self) -> slice:
        return slice(self.top, self.bottom)

    @property
    def columns(self) -> slice:
        return slice(self.left, self.right)


def areas(height: int, width: int, multiple_px: int, largest_px: int) -> tuple[Area, ...]:
    """The fewest areas that cover the picture, none larger than `largest_px` pixels where that can be.

    Sides and corners are multiples of `multiple_px`, as the picture's sides must be. Areas that would be
    smaller than three overlaps are not cut further.
    """
    down = across = 1
    while _side(height, down, multiple_px) * _side(width, across, multiple_px) > largest_px:
        tall, wide = (
            _side(length, parts + 1, multiple_px) for length, parts in ((height, down), (width, across))
        )
        if max(tall, wide) < 3 * OVERLAP_PX:
            break
        if tall >= wide:
            down += 1
        else:
            across += 1
    return tuple(
        Area(top, bottom, left, right)
        for top, bottom in _spans(height, down, multiple_px)
        for left, right in _spans(width, across, multiple_px)
    )


def _side(length: int, parts: int, multiple_px: int) -> int:
    """The length of each of so many parts, which overlap."""
    if parts == 1:
        return length
    wanted = (length + (parts - 1) * (OVERLAP_PX + multiple_px)) / parts
    return min(length, -(-int(np.ceil(wanted)) // multiple_px) * multiple_px)


def _spans(length: int, parts: int, multiple_px: int) -> list[tuple[int, int]]:
    side = _side(length, parts, multiple_px)
    steps = max(1, parts - 1)
    starts = (round(n * (length - side) / steps / multiple_px) * multiple_px for n in range(parts))
    return [(start, start + side) for start in starts]


class Canvas:
    """Answers of overlapping areas laid side by side, each fading out towards the next."""

    def __init__(self, cut: Sequence[Area]) -> None:
        self._cut = cut
        self._height, self._width = max(area.bottom for area in cut), max(area.right for area in cut)
        total_HW = np.zeros((self._height, self._width), np.float32)
        for area in cut:
            total_HW[area.rows, area.columns] += self._fading(area)
        self._total_HW = total_HW
        self._sums: dict[int, NDArray[np.float16]] = {}

    def add(self, frame: int, area: Area, answer_Khw: Float) -> None:
        """Lays one area's answer for a frame."""
        if frame not in self._sums:
            self._sums[frame] = np.zeros((len(answer_Khw), self._height, self._width), np.float16)
        share_hw = self._fading(area) / self._total_HW[area.rows, area.columns]
        self._sums[frame][:, area.rows, area.columns] += (answer_Khw * share_hw).astype(np.float16)

    def taken(self, frame: int) -> Float:
        """The whole picture's answer_KHW once every area's was added; it is forgotten then."""
        return self._sums.pop(frame).astype(np.float32)

    def _fading(self, area: Area) -> Float:
        down = _ramp(area.top, area.bottom, self._height)
        across = _ramp(area.left, area.right, self._width)
        return np.outer(down, across).astype(np.float32)


def _ramp(start: int, end: int, length: int) -> Float:
    """1 in the middle, falling to almost 0 at sides that are not the picture's own."""
    place = np.arange(start, end, dtype=np.float32) + 0.5
    ramp = np.ones(end - start, np.float32)
    if start > 0:
        ramp = np.minimum(ramp, (place - start) / OVERLAP_PX)
    if end < length:
        ramp = np.minimum(ramp, (end - place) / OVERLAP_PX)
    return ramp.astype(np.float32)
