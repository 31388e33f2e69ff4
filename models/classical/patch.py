"""What is laid over a frame, and over its repeats.

Shape suffixes: C planes, H rows, W columns, P pixels of the patch.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.restorer import Defect, Planes, Repair

Float = NDArray[np.float32]
Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Patch:
    """New values and how far they cover the old; filled in piece by piece."""

    values_CHW: Planes
    opacity_HW: Float
    confidence_HW: Float
    kind_HW: NDArray[np.uint8]

    @staticmethod
    def empty(planes_CHW: Planes) -> "Patch":
        """Nothing to lay over these planes yet."""
        shape = planes_CHW.shape[1:]
        return Patch(
            planes_CHW.copy(),
            np.zeros(shape, np.float32),
            np.zeros(shape, np.float32),
            np.zeros(shape, np.uint8),
        )

    def cover(
        self,
        mask_HW: Mask,
        values_CP: Float,
        opacity_P: Float | float,
        confidence_P: Float | float,
        kind: Defect | NDArray[np.uint8],
    ) -> None:
        """Lays values over the mask's pixels; what lay there before goes. kind: one, or one a pixel (P)."""
        self.values_CHW[:, mask_HW] = np.clip(values_CP, 0, 1)
        self.opacity_HW[mask_HW] = opacity_P
        self.confidence_HW[mask_HW] = confidence_P
        self.kind_HW[mask_HW] = kind

    def copy(self) -> "Patch":
        """The same, to be covered further."""
        return Patch(
            self.values_CHW.copy(), self.opacity_HW.copy(), self.confidence_HW.copy(), self.kind_HW.copy()
        )

    def within(self, mask_HW: Mask, other: "Patch") -> "Patch":
        """This one inside the mask, the other one outside."""
        return Patch(
            np.where(mask_HW, self.values_CHW, other.values_CHW),
            np.where(mask_HW, self.opacity_HW, other.opacity_HW),
            np.where(mask_HW, self.confidence_HW, other.confidence_HW),
            np.where(mask_HW, self.kind_HW, other.kind_HW),
        )

    def on(self, planes_CHW: Planes) -> Repair:
        """The frame under this patch; bit for bit itself where the patch is clear."""
        mask_HW = self.opacity_HW > 0
        if not mask_HW.any():
            return Repair(planes_CHW, mask_HW, self.confidence_HW, self.kind_HW)
        under_CP = planes_CHW[:, mask_HW]
        out_CHW = planes_CHW.copy()
        out_CHW[:, mask_HW] = under_CP + self.opacity_HW[mask_HW] * (self.values_CHW[:, mask_HW] - under_CP)
        return Repair(out_CHW, mask_HW, self.confidence_HW, self.kind_HW)
