"""A target sharper than the film was: RTN asks its network for an unsharp-masked clean frame.

Real-ESRGAN's unsharp mask (Wang 2021), as RTN's released code has it. A network so taught sharpens what was
never damaged: the other recipes ask for the clean frame.

Shape suffixes: C planes, H rows, W columns.
"""

from dataclasses import dataclass, replace
from typing import Literal, Self

import numpy as np

from degradation.exact import FULL, limited
from degradation.family import InPlace, Moment, Planes, Setting, counts, shares
from degradation.overlay import Float
from degradation.resample import smoothed, whole


@dataclass(frozen=True)
class Sharpened:
    """Unsharp masking of the target, where it differs from its blur by more than a threshold."""

    weight: float = 0.5
    """How much of the difference from the blur is added; 0 changes nothing."""
    threshold: float = 10 / 255
    """The least difference that is sharpened, in [0, 1]."""
    sigma_px: float = 8.0
    """Of the Gaussian blur, of the picture and of the mask of what is sharpened."""
    taps_px: int = 51
    """Width of the blur, odd."""
    probability: float = 1.0
    family: Literal["sharpened"] = "sharpened"

    def __post_init__(self) -> None:
        shares(threshold=self.threshold, probability=self.probability)
        counts(weight=self.weight, sigma_px=self.sigma_px)
        if self.taps_px < 1 or self.taps_px % 2 == 0 or self.sigma_px == 0:
            raise ValueError(f"a blur needs odd taps_px and a sigma_px, not {self.taps_px}, {self.sigma_px}")

    def scaled(self, severity: float) -> Self:
        return replace(self, weight=self.weight * severity)

    def begin(self, setting: Setting) -> "_Sharpening":
        return _Sharpening(Moment(on_target_alone=_Sharper(self) if self.weight else None))


@dataclass(frozen=True)
class _Sharpening:
    moment: Moment

    def next(self) -> Moment:
        return self.moment


@dataclass(frozen=True)
class _Sharper(InPlace):
    recipe: Sharpened

    def __call__(self, planes_CHW: Planes) -> Planes:
        return np.stack([self._sharper(plane_HW) for plane_HW in planes_CHW])

    def _sharper(self, plane_HW: Float) -> Float:
        detail_HW = plane_HW - self._soft(plane_HW)
        where_HW = self._soft((np.abs(detail_HW) > np.float32(self.recipe.threshold)).astype(np.float32))
        sharp_HW = limited(plane_HW + detail_HW * np.float32(self.recipe.weight))
        return limited(plane_HW + where_HW * (sharp_HW - plane_HW))

    def _soft(self, plane_HW: Float) -> Float:
        soft_HW = smoothed(whole(plane_HW), self.recipe.taps_px, self.recipe.sigma_px)
        soft_HW *= np.float32(1 / FULL)
        return soft_HW
