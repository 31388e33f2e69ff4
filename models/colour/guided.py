"""Small chroma brought to the picture's size along the picture's own edges.

Shape suffixes: C planes; H rows, W columns of the picture; h, w of the small one.

Source: He and Sun, "Fast Guided Filter", 2015: in a small window chroma is a line in luma.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

Float = NDArray[np.float32]

_SIDE_PX = 5
# Contrast squared under which luma says nothing of chroma: 0.02 of 1.
_FLAT = 4e-4


def enlarge_along(planes_Chw: Float, luma_hw: Float, luma_HW: Float) -> Float:
    """The planes at the size of `luma_HW`, whose shrunken copy is `luma_hw`; as they are if that is it."""
    if luma_hw.shape == luma_HW.shape:
        return planes_Chw
    mean_hw = _blur(luma_hw)
    power_hw = _blur(luma_hw * luma_hw) - mean_hw * mean_hw + np.float32(_FLAT)
    kernel = np.ones((3, 3), np.uint8)
    out = []
    for plane_hw in planes_Chw:
        slope_hw = _blur((_blur(plane_hw * luma_hw) - _blur(plane_hw) * mean_hw) / power_hw)
        # The small picture is right as far as it goes: luma adds only what shrinking lost.
        line_HW = _large(slope_hw, luma_HW.shape) * luma_HW
        line_HW += _large(plane_hw - slope_hw * luma_hw, luma_HW.shape)
        # A line in luma may shoot past every colour near by.
        low_HW = _large(cv2.erode(plane_hw, kernel), luma_HW.shape)
        high_HW = _large(cv2.dilate(plane_hw, kernel), luma_HW.shape)
        out.append(np.clip(line_HW, low_HW, high_HW))
    return np.stack(out).astype(np.float32)


def _blur(plane_hw: NDArray[np.floating]) -> Float:
    blurred: Float = cv2.blur(plane_hw, (_SIDE_PX, _SIDE_PX), borderType=cv2.BORDER_REFLECT_101)
    return blurred


def _large(plane_hw: Float, shape_HW: tuple[int, ...]) -> Float:
    large: Float = cv2.resize(plane_hw, (shape_HW[1], shape_HW[0]), interpolation=cv2.INTER_LINEAR)
    return large
