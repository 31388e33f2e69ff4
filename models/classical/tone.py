"""Bringing a neighbour's tone to the current frame's, so that flicker is not taken for damage.

Shape suffixes: H rows, W columns, h, w blocks.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

Float = NDArray[np.float32]
Double = NDArray[np.float64]

_KNOTS = np.array([2, 10, 25, 50, 75, 90, 98], np.float32)


def matched(neighbour_HW: Float, now_HW: Float) -> Float:
    """The compensated neighbour with the current frame's tone: one curve for the frame, then an offset for
    each place.

    The curve maps quantiles to quantiles (both show the same scene); the offsets are medians over blocks and
    their neighbours, which dirt of up to a block's size cannot move.
    """
    curved_HW = _curve(neighbour_HW, now_HW)
    return curved_HW + offsets(now_HW - curved_HW)


def _curve(neighbour_HW: Float, now_HW: Float) -> Float:
    source: Double = np.percentile(neighbour_HW[::4, ::4], _KNOTS).astype(np.float64)
    target: Double = np.percentile(now_HW[::4, ::4], _KNOTS).astype(np.float64)
    if np.abs(source - target).max() < 0.5 / 255 or source[-1] - source[0] < 8 / 255:
        return neighbour_HW
    # A table of 1024 steps is finer than any grain, and five times faster than interpolating each pixel.
    steps = np.linspace(0, 1, 1024, dtype=np.float32)
    gaps = np.interp(steps, *_rising(source, target - source))
    index = np.clip(neighbour_HW * 1023, 0, 1023).astype(np.intp)
    return neighbour_HW + gaps.astype(np.float32)[index]


def _rising(source: Double, gap: Double) -> tuple[Double, Double]:
    keep = np.concatenate([[True], np.diff(source) > 1e-4])
    return source[keep], gap[keep]


def offsets(difference_HW: Float) -> Float:
    """A smooth map of the difference's local median."""
    height, width = difference_HW.shape
    side = max(12, min(height, width) // 16)
    rows, columns = max(1, height // side), max(1, width // side)
    # Brought to whole blocks by nearest neighbours; a quarter of the pixels is enough for a median.
    half = max(2, side // 2)
    used = cv2.resize(difference_HW, (columns * half, rows * half), interpolation=cv2.INTER_NEAREST)
    blocks = used.reshape(rows, half, columns, half).transpose(0, 2, 1, 3).reshape(rows, columns, -1)
    place = blocks.shape[2] // 2
    medians_hw = np.partition(blocks, place, axis=2)[:, :, place]
    medians_hw = cv2.medianBlur(medians_hw.astype(np.float32), 3)
    medians_hw = cv2.blur(medians_hw, (3, 3), borderType=cv2.BORDER_REPLICATE)
    smooth: Float = cv2.resize(medians_hw, (width, height), interpolation=cv2.INTER_LINEAR)
    return smooth
