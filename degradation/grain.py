"""Silver grain: the same for all planes of a pixel, strongest in the middle greys."""

import cv2
import numpy as np
from numpy.typing import NDArray

from degradation.recipe import Grain


def grain(planes_CHW: NDArray[np.float32], recipe: Grain, rng: np.random.Generator) -> NDArray[np.float32]:
    """What grain adds to a frame, (C, H, W)."""
    if recipe.strength == 0:
        return np.zeros_like(planes_CHW)
    height, width = planes_CHW.shape[1:]
    noise_HW = rng.standard_normal((height, width), dtype=np.float32)
    sigma_px = recipe.coarseness * height
    if sigma_px > 0.2:
        noise_HW = cv2.GaussianBlur(noise_HW, (0, 0), sigma_px)
        noise_HW /= max(float(noise_HW.std()), 1e-6)
    # 1 at mid-grey, 0.4 at the ends.
    strength = recipe.strength * (0.4 + 0.6 * (1 - (2 * planes_CHW - 1) ** 2))
    return (strength * noise_HW).astype(np.float32)
