"""Structural similarity of two pictures.

Source: Wang, Bovik, Sheikh, Simoncelli, "Image Quality Assessment: From Error Visibility to Structural
Similarity", IEEE TIP 2004.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

# Of Wang et al.: 11x11 pixels, Gaussian of 1.5. RTN's evaluation takes even windows of 21 pixels instead, so
# that its figures lie apart from these.
_WINDOW_PX = 11
_SIGMA_PX = 1.5
_LIGHT, _CONTRAST = 0.01**2, 0.03**2
_EDGE = _WINDOW_PX // 2

Double = NDArray[np.float64]


def ssim(one_HW: NDArray[np.float32], other_HW: NDArray[np.float32]) -> float:
    """Mean similarity of two pictures in [0, 1], over the windows that lie wholly inside; 1 where they are
    equal.

    Raises ValueError for pictures smaller than a window, or of two sizes.
    """
    if one_HW.shape != other_HW.shape or min(one_HW.shape) < _WINDOW_PX:
        raise ValueError(
            f"SSIM needs two pictures of one size, {_WINDOW_PX} px or more: {one_HW.shape}, {other_HW.shape}"
        )
    # Double precision: on flat ground the variances are small differences of large numbers. The filter is
    # taken apart into rows and columns: torchmetrics' whole windows give the same to the fifteenth digit, and
    # take 180 ms for 256x256 on one core where this takes 4.
    one, other = one_HW.astype(np.float64), other_HW.astype(np.float64)
    mean_one, mean_other = _weighted(one), _weighted(other)
    variances = _weighted(one * one) - mean_one**2 + _weighted(other * other) - mean_other**2
    both = _weighted(one * other) - mean_one * mean_other
    light = (2 * mean_one * mean_other + _LIGHT) / (mean_one**2 + mean_other**2 + _LIGHT)
    return float((light * (2 * both + _CONTRAST) / (np.maximum(variances, 0) + _CONTRAST)).mean())


def _weighted(picture: Double) -> Double:
    """Means over the windows that lie wholly inside."""
    means: Double = cv2.GaussianBlur(picture, (_WINDOW_PX, _WINDOW_PX), _SIGMA_PX)
    return means[_EDGE:-_EDGE, _EDGE:-_EDGE]
