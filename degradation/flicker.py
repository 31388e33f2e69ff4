"""Exposure that is not the same twice.

Shape suffixes: C planes, H rows, W columns.
"""

from dataclasses import dataclass, replace
from typing import Literal, Self

import numpy as np
from numpy.typing import NDArray

from degradation.exact import field, limited, rounded, stream
from degradation.family import InPlace, Moment, Planes, Setting, Size, counts, shares

_KNOTS = (3, 4)  # the unevenness is as smooth as a lamp's and a shutter's shadow


@dataclass(frozen=True)
class Flicker:
    """Exposure that differs from frame to frame and across the frame, with first-order memory."""

    strength: float = 0.05
    """Standard deviation of a frame's gain; 0 means steady."""
    uneven: float = 0.03
    """Standard deviation of the gain across the frame, changing each frame."""
    spread: float = 0.0
    """Standard deviation of the logarithm of a clip's unevenness: clips differ by so much."""
    memory: float = 0.3
    """How much of a frame's gain carries over to the next, in [0, 1)."""
    flashes: float = 0.0
    """Share of frames over- or underexposed by four times the strength."""
    probability: float = 1.0
    family: Literal["flicker"] = "flicker"

    def __post_init__(self) -> None:
        shares(strength=self.strength, uneven=self.uneven, memory=self.memory)
        shares(flashes=self.flashes, probability=self.probability)
        counts(strength=self.strength, spread=self.spread)

    def scaled(self, severity: float) -> Self:
        return replace(
            self, strength=min(self.strength * severity, 1.0), uneven=min(self.uneven * severity, 1.0)
        )

    def begin(self, setting: Setting) -> "_Flickering":
        return _Flickering(self, setting.size, stream(setting.seed, self.family))


class _Flickering:
    def __init__(self, recipe: Flicker, size: Size, rng: np.random.Generator) -> None:
        self._recipe = recipe
        self._size = size
        self._rng = rng
        self._uneven = recipe.uneven * float(rng.lognormal(0, recipe.spread))
        self._even = float(rng.normal())
        self._uneven_hw = rng.normal(size=_KNOTS)

    def next(self) -> Moment:
        recipe, memory = self._recipe, self._recipe.memory
        fresh = float(np.sqrt(1 - memory**2))
        self._even = memory * self._even + fresh * float(self._rng.normal())
        self._uneven_hw = memory * self._uneven_hw + fresh * self._rng.normal(size=_KNOTS)
        flash = self._rng.random() < recipe.flashes
        even = rounded(1 + recipe.strength * self._even * (4 if flash else 1))
        coarse_hw = np.clip(even + self._uneven * self._uneven_hw, 0.3, 1.7)
        if recipe.strength == 0 and recipe.uneven == 0:
            return Moment()
        gain_HW = field(coarse_hw, self._size.height, self._size.width)
        return Moment(on_film=_Gain(gain_HW), event="flash" if flash else "")


@dataclass(frozen=True)
class _Gain(InPlace):
    gain_HW: NDArray[np.float32]

    def __call__(self, planes_CHW: Planes) -> Planes:
        return limited(planes_CHW * self.gain_HW)
