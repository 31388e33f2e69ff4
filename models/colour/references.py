"""Whether a painted still is what it is named to be. A first form."""

import cv2
import numpy as np
from numpy.typing import NDArray

Float = NDArray[np.float32]

_LEAST_LIKENESS = 0.8
_GREY_AB = 2.0
_SMALL_PX = 64


def misfit(rgb_HW3: Float, ab_2HW: Float, luma_HW: Float) -> str:
    """Why a still is none of a frame of this lightness; empty where it is one."""
    if np.percentile(np.hypot(*ab_2HW), 99.5) < _GREY_AB:
        return "is grey all over; paint it"
    like = likeness(rgb_HW3 @ np.array([0.2126, 0.7152, 0.0722], np.float32), luma_HW)
    if like < _LEAST_LIKENESS:
        return f"does not show that frame (likeness {max(like, 0):.2f} of 1); is it another frame or film?"
    return ""


def likeness(one_HW: Float, two_HW: Float) -> float:
    """Correlation of two pictures, seen small; 1 where they are the same but for gain and offset."""
    small = [cv2.resize(p, (_SMALL_PX, _SMALL_PX), interpolation=cv2.INTER_AREA) for p in (one_HW, two_HW)]
    one, two = (p - p.mean() for p in small)
    scale = float(np.sqrt((one**2).sum() * (two**2).sum()))
    return float((one * two).sum()) / scale if scale > 0 else 0.0
