"""How close a picture came to the truth, inside and outside the damage.

Shape suffixes: C planes, H rows, W columns. Masks are boolean; pictures float32 in [0, 1].
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Mask = NDArray[np.bool_]
Planes = NDArray[np.float32]


@dataclass(frozen=True)
class Fidelity:
    """Squared errors of a picture; sums over frames with `+`.

    PSNR of a sum is that of all its values pooled, as one long picture. The mean of the frames' PSNRs, which
    papers print, is larger, and infinite as soon as one frame is perfect.
    """

    inside_squared: float = 0.0
    """Sum of squared errors inside the damage, over all planes."""
    inside_values: int = 0
    """How many values that sums."""
    outside_squared: float = 0.0
    """The same where nothing was damaged: harm, by size."""
    outside_values: int = 0

    def __add__(self, other: "Fidelity") -> "Fidelity":
        return Fidelity(
            self.inside_squared + other.inside_squared,
            self.inside_values + other.inside_values,
            self.outside_squared + other.outside_squared,
            self.outside_values + other.outside_values,
        )

    @property
    def psnr(self) -> float:
        """Over the whole picture, dB."""
        return psnr(self.inside_squared + self.outside_squared, self.inside_values + self.outside_values)

    @property
    def psnr_inside(self) -> float:
        """Inside the damage, dB; infinite where there was none."""
        return psnr(self.inside_squared, self.inside_values)

    @property
    def psnr_outside(self) -> float:
        """Outside the damage, dB; infinite where nothing was changed."""
        return psnr(self.outside_squared, self.outside_values)


def fidelity(picture_CHW: Planes, truth_CHW: Planes, damage_HW: Mask) -> Fidelity:
    """One frame's squared errors, inside the true damage and outside it."""
    inside = squared_error(picture_CHW, truth_CHW, damage_HW)
    outside = squared_error(picture_CHW, truth_CHW, ~damage_HW)
    return Fidelity(*inside, *outside)


def squared_error(one_CHW: Planes, other_CHW: Planes, mask_HW: Mask) -> tuple[float, int]:
    """Sum of squared differences inside the mask over all planes, and how many values it sums."""
    difference = (one_CHW[:, mask_HW] - other_CHW[:, mask_HW]).astype(np.float64)
    return float((difference**2).sum()), difference.size


def psnr(squared: float, count: int) -> float:
    """Peak signal to noise, dB for a peak of 1, of `count` values whose squared errors sum to `squared`."""
    if count == 0 or squared <= 0:
        return float("inf")
    return float(10 * np.log10(count / squared))
