"""Pictures as 8-bit grey or RGB over the full range, cut out and shrunk in whole numbers.

Where training material is made the same film must give the same bytes on every machine, which neither
FFmpeg's conversions nor OpenCV's fractional averages promise. Shape suffixes: C planes, H rows, W columns.
"""

from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache

import numpy as np
from av.video.reformatter import Colorspace
from numpy.typing import NDArray

from storage.pixels import Picture, PixelLayout, Plane, display_matrix
from storage.reel import VideoFacts

Bytes = NDArray[np.uint8]
Table = NDArray[np.int32]

# Weights of red and blue in the lightness (ITU-R BT.709, BT.601).
_WEIGHTS = {Colorspace.ITU709: (0.2126, 0.0722), Colorspace.ITU601: (0.299, 0.114)}
_GREY_709 = (54, 183, 19)
"""The same for RGB to grey, in 256ths."""
_FRACTION_BITS = 14


@dataclass(frozen=True)
class Window:
    """A rectangle of a picture, in pixels."""

    top: int
    left: int
    height: int
    width: int

    def cut(self, plane: Plane) -> Plane:
        return plane[self.top : self.top + self.height, self.left : self.left + self.width]

    def cut_chroma(self, plane: Plane, layout: PixelLayout) -> Plane:
        """Each sample as often as it covers pixels."""
        rows = np.arange(self.top, self.top + self.height) // layout.chroma_height
        columns = np.arange(self.left, self.left + self.width) // layout.chroma_width
        return plane[rows[:, None], columns[None, :]]


def grey8(picture: Picture, video: VideoFacts, window: Window) -> Bytes:
    """The window's lightness (H, W), 0 black to 255 white, whatever range the film uses."""
    layout = picture.layout
    if layout.colour == "rgb":
        red, green, blue = rgb8(picture, video, window).astype(np.int32)
        grey: Bytes = ((_GREY_709[0] * red + _GREY_709[1] * green + _GREY_709[2] * blue + 128) >> 8).astype(
            np.uint8
        )
        return grey
    return _rounded(_luma(layout.depth, video.full_range)[window.cut(picture.planes[0])])


def rgb8(picture: Picture, video: VideoFacts, window: Window) -> Bytes:
    """The window in colour, (3, H, W), red first."""
    layout = picture.layout
    if layout.colour == "grey":
        return np.stack([grey8(picture, video, window)] * 3)
    if layout.colour == "rgb":
        levels = _luma(layout.depth, True)
        green_HW, blue_HW, red_HW = (_rounded(levels[window.cut(plane)]) for plane in picture.planes[:3])
        return np.stack([red_HW, green_HW, blue_HW])
    full = video.full_range
    luma_HW = _luma(layout.depth, full)[window.cut(picture.planes[0])]
    blues_HW, reds_HW = (window.cut_chroma(plane, layout) for plane in picture.planes[1:3])
    red_weight, blue_weight = _WEIGHTS[display_matrix(video.matrix, video.height)]
    green_weight = 1 - red_weight - blue_weight
    to_red, to_blue = 2 * (1 - red_weight), 2 * (1 - blue_weight)
    red = luma_HW + _chroma(layout.depth, full, to_red)[reds_HW]
    blue = luma_HW + _chroma(layout.depth, full, to_blue)[blues_HW]
    green = (
        luma_HW
        - _chroma(layout.depth, full, to_red * red_weight / green_weight)[reds_HW]
        - _chroma(layout.depth, full, to_blue * blue_weight / green_weight)[blues_HW]
    )
    return np.stack([_rounded(red), _rounded(green), _rounded(blue)])


def shrunk(plane_HW: Bytes, scale: Fraction) -> Bytes:
    """The plane averaged down by areas; what does not fill a whole step at its end is cut off.

    scale: up to 1, with a denominator up to 16.
    """
    if scale == 1:
        return plane_HW
    sums_HW = plane_HW.astype(np.uint16)
    for _ in range(2):  # columns, then rows
        sums_HW = _summed(sums_HW, scale).T
    area = scale.denominator**2
    small: Bytes = ((sums_HW + np.uint16(area // 2)) // np.uint16(area)).astype(np.uint8)
    return np.ascontiguousarray(small)


def shrunk_px(side_px: int, scale: Fraction) -> int:
    """What is left of a side."""
    return side_px // scale.denominator * scale.numerator


def _summed(plane_HW: NDArray[np.uint16], scale: Fraction) -> NDArray[np.uint16]:
    """The sums of the source columns under each new one, weighted by how much of them it covers."""
    new, old = scale.numerator, scale.denominator
    height, width = plane_HW.shape[0], plane_HW.shape[1] // old
    sums_HW = np.zeros((height, width * new), np.uint16)
    for to in range(new):
        for at in range(old):
            covered = min((to + 1) * old, (at + 1) * new) - max(to * old, at * new)
            if covered > 0:
                sums_HW[:, to::new] += np.uint16(covered) * plane_HW[:, at : width * old : old]
    return sums_HW


@lru_cache
def _luma(depth: int, full_range: bool) -> Table:
    """Code value -> lightness of 255, in fixed point."""
    codes = np.arange(1 << depth, dtype=np.int64)
    if full_range:
        low, span = 0, (1 << depth) - 1
    else:
        low, span = 16 << (depth - 8), 219 << (depth - 8)
    table: Table = ((2 * (codes - low) * (255 << _FRACTION_BITS) + span) // (2 * span)).astype(np.int32)
    return table


@lru_cache
def _chroma(depth: int, full_range: bool, weight: float) -> Table:
    """Code value -> what it adds to a colour, in fixed point."""
    middle = 1 << (depth - 1)
    span = (1 << depth) - 1 if full_range else 224 << (depth - 8)
    scaled = round(weight * (1 << _FRACTION_BITS))
    codes = np.arange(1 << depth, dtype=np.int64) - middle
    table: Table = ((2 * codes * 255 * scaled + span) // (2 * span)).astype(np.int32)
    return table


def _rounded(fixed: Table) -> Bytes:
    whole: Bytes = np.clip((fixed + (1 << (_FRACTION_BITS - 1))) >> _FRACTION_BITS, 0, 255).astype(np.uint8)
    return whole
