"""The smoothest sheet through what is known, over holes of any size: what stands where nothing was ever seen.

Shape suffixes: C planes, H rows, W columns; HWC the same picture as OpenCV wants it.

Source: Laplace's equation with what is known as its border, as in Perez et al., "Poisson Image Editing"
(2003), solved from coarse to fine (pull and push, Gortler et al., "The Lumigraph", 1996) with a few smoothing
sweeps at each size. A hole's cost is that of its box, however deep it is.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

Float = NDArray[np.float32]
Mask = NDArray[np.bool_]

# Beyond eight sweeps a size, nothing changes by more than a code of 8 bits on holes of up to 400 px.
_SWEEPS = 8
# Grain at a hole's border would run into it as streaks.
_CALM_PX = 1.5
_MARGIN_PX = 8
_CROSS = np.array([[0, 1, 0], [1, 0, 1], [0, 1, 0]], np.float32) / 4


def membrane(planes_CHW: Float, hidden_HW: Mask) -> Float:
    """The planes with what is hidden replaced; as they are where nothing is hidden, or all is."""
    if not hidden_HW.any() or hidden_HW.all():
        return planes_CHW
    rows, columns = _box(hidden_HW)
    hole_HW = hidden_HW[rows, columns]
    part_HWC = np.ascontiguousarray(planes_CHW[:, rows, columns].transpose(1, 2, 0))
    known_HW = (~hole_HW).astype(np.float32)
    weight_HW = cv2.GaussianBlur(known_HW, (0, 0), _CALM_PX)
    calm_HWC = _as_HWC(cv2.GaussianBlur(part_HWC * known_HW[..., None], (0, 0), _CALM_PX))
    calm_HWC = calm_HWC / np.maximum(weight_HW, 1e-6)[..., None]
    sheet_HWC = _stretched(calm_HWC, known_HW)
    filled = planes_CHW.copy()
    filled[:, rows, columns] = np.where(hole_HW, sheet_HWC.transpose(2, 0, 1), planes_CHW[:, rows, columns])
    return filled


def _box(hidden_HW: Mask) -> tuple[slice, slice]:
    """Where the holes are, with what is known around them."""
    found = []
    for axis in (1, 0):
        places = np.flatnonzero(hidden_HW.any(axis=axis))
        found.append(slice(max(int(places[0]) - _MARGIN_PX, 0), int(places[-1]) + _MARGIN_PX + 1))
    return found[0], found[1]


def _stretched(values_HWC: Float, known_HW: Float) -> Float:
    """The sheet through the values where `known` is 1; something of it must be."""
    height, width = known_HW.shape
    if known_HW.all():
        return values_HWC
    if min(height, width) < 3:
        mean_C = (values_HWC * known_HW[..., None]).sum((0, 1)) / known_HW.sum()
        return np.where(known_HW[..., None] > 0, values_HWC, mean_C).astype(np.float32)
    size = ((width + 1) // 2, (height + 1) // 2)
    weight_hw = cv2.resize(known_HW, size, interpolation=cv2.INTER_AREA)
    total_hwc = _as_HWC(cv2.resize(values_HWC * known_HW[..., None], size, interpolation=cv2.INTER_AREA))
    coarse_hwc = _stretched(
        total_hwc / np.maximum(weight_hw, 1e-6)[..., None], (weight_hw > 1e-3).astype(np.float32)
    )
    sheet_HWC = _as_HWC(cv2.resize(coarse_hwc, (width, height), interpolation=cv2.INTER_LINEAR))
    is_known = known_HW[..., None] > 0
    sheet_HWC = np.where(is_known, values_HWC, sheet_HWC)
    for _ in range(_SWEEPS):
        smooth_HWC = _as_HWC(cv2.filter2D(sheet_HWC, -1, _CROSS, borderType=cv2.BORDER_REPLICATE))
        sheet_HWC = np.where(is_known, values_HWC, smooth_HWC)
    return sheet_HWC


def _as_HWC(image: Float) -> Float:
    """OpenCV drops the last axis of a single plane."""
    return image if image.ndim == 3 else image[..., None]
