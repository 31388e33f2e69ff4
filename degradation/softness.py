"""Blur and loss of resolution: lenses, copies of copies, focus that breathes.

Shape suffixes: C planes, H rows, W columns.
"""

from dataclasses import dataclass, replace
from typing import Literal, Self

import cv2
import numpy as np

from degradation.exact import FULL, Float, rounded, stacked, stream
from degradation.family import Mask, Moment, Planes, Setting, Size, Twice, counts, shares
from degradation.resample import smoothed, whole

_SIXTEENTHS = 16  # of a code of 8 bits: the small copy has 8, which OpenCV resizes alike everywhere


@dataclass(frozen=True)
class Softness:
    """A Gaussian blur whose width wanders a little, and detail that is gone for good."""

    sigma: float = 0.0015
    """Median sigma of the blur, share of height (0.0015 is 0.7 px of 480); 0 means sharp."""
    spread: float = 0.4
    """Standard deviation of the logarithm of a clip's sigma."""
    breathing: float = 0.15
    """Standard deviation of the logarithm of a frame's sigma within a clip: film that buckles in the gate."""
    memory: float = 0.85
    """How much of that carries over to the next frame, in [0, 1)."""
    lost: float = 0.3
    """The most that is lost of the number of lines, as when a small copy is enlarged; clips differ from none
    to this."""
    probability: float = 1.0
    family: Literal["softness"] = "softness"

    def __post_init__(self) -> None:
        shares(sigma=self.sigma, memory=self.memory, lost=self.lost, probability=self.probability)
        counts(spread=self.spread, breathing=self.breathing)

    def scaled(self, severity: float) -> Self:
        return replace(self, sigma=min(self.sigma * severity, 1.0), lost=min(self.lost * severity, 0.8))

    def begin(self, setting: Setting) -> "_Softening":
        return _Softening(self, setting.size, stream(setting.seed, self.family))


class _Softening:
    def __init__(self, recipe: Softness, size: Size, rng: np.random.Generator) -> None:
        self._recipe = recipe
        self._rng = rng
        self._sigma_px = recipe.sigma * size.height * float(rng.lognormal(0, recipe.spread))
        kept = 1 - rng.uniform(0, recipe.lost)
        self._small = (max(8, round(size.width * kept)), max(8, round(size.height * kept)))
        self._breath = float(rng.normal())

    def next(self) -> Moment:
        memory = self._recipe.memory
        self._breath = memory * self._breath + float(np.sqrt(1 - memory**2) * self._rng.normal())
        sigma_px = rounded(self._sigma_px * np.exp(self._recipe.breathing * self._breath))
        return Moment(on_film=_Blur(round(sigma_px, 2), self._small))


@dataclass(frozen=True)
class _Blur(Twice):
    sigma_px: float
    small: tuple[int, int]
    """Columns and rows in which the picture once was held."""

    def __call__(self, planes_CHW: Planes) -> Planes:
        return stacked([self._soft(whole(plane_HW)) for plane_HW in planes_CHW]) * np.float32(1 / FULL)

    def _soft(self, whole_HW: Float) -> Float:
        if self.sigma_px >= 0.26:  # less moves not a 1024th of a neighbour
            whole_HW = smoothed(whole_HW, 2 * int(np.ceil(3 * self.sigma_px)) + 1, self.sigma_px)
        full = whole_HW.shape[1], whole_HW.shape[0]
        if self.small[0] < full[0]:
            held = np.rint(whole_HW * np.float32(1 / _SIXTEENTHS)).astype(np.uint8)
            held = cv2.resize(held, self.small, interpolation=cv2.INTER_LINEAR_EXACT)
            held = cv2.resize(held, full, interpolation=cv2.INTER_LINEAR_EXACT)
            whole_HW = held * np.float32(_SIXTEENTHS)
        return whole_HW

    def spread(self, mask_HW: Mask) -> Mask:
        # Eight bits round away the faintest of it, and may be tipped over by that.
        reached_HW = (self._soft(mask_HW * np.float32(FULL)) > 0).astype(np.uint8)
        wider_HW: Mask = cv2.dilate(reached_HW, np.ones((3, 3), np.uint8)) > 0
        return wider_HW
