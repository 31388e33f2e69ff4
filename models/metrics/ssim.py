"""Structural similarity of two pictures, by torchmetrics.

Source: Wang, Bovik, Sheikh, Simoncelli, "Image Quality Assessment: From Error Visibility to Structural
Similarity", IEEE TIP 2004.
"""

import numpy as np
import torch
from numpy.typing import NDArray
from torchmetrics.functional.image import structural_similarity_index_measure

# Of Wang et al.: 11x11 pixels, Gaussian of 1.5. RTN's evaluation takes even windows of 21 pixels instead, so
# that its figures lie apart from these.
_WINDOW_PX = 11
_SIGMA_PX = 1.5


def ssim(one_HW: NDArray[np.float32], other_HW: NDArray[np.float32]) -> float:
    """Mean similarity of two pictures in [0, 1], over the windows that lie wholly inside; 1 where they are
    equal.

    Raises ValueError for pictures smaller than a window, or of two sizes.
    """
    if one_HW.shape != other_HW.shape or min(one_HW.shape) < _WINDOW_PX:
        raise ValueError(
            f"SSIM needs two pictures of one size, {_WINDOW_PX} px or more: {one_HW.shape}, {other_HW.shape}"
        )
    # Double precision: on flat ground the variances are small differences of large numbers.
    one, other = (torch.from_numpy(picture[None, None].astype(np.float64)) for picture in (one_HW, other_HW))
    told = structural_similarity_index_measure(
        one, other, sigma=_SIGMA_PX, data_range=1.0, return_full_image=True
    )
    # torchmetrics reflects the picture at its edges and counts those windows too.
    edge = _WINDOW_PX // 2
    return float(told[1][0, 0, edge:-edge, edge:-edge].mean())
