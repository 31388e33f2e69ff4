"""Silver grain: the same for all planes of a pixel, strongest in the middle greys.

Shape suffixes: C planes, H rows, W columns.
"""

from dataclasses import dataclass, replace
from typing import Literal, Self

import numpy as np
from numpy.typing import NDArray

from degradation.exact import limited, noise, rounded, stream
from degradation.family import InPlace, Moment, Planes, Setting, Size, counts, shares


@dataclass(frozen=True)
class Grain:
    """Silver grain, anew in every frame."""

    strength: float = 0.02
    """Standard deviation in the middle greys, of 1; 0 means none."""
    spread: float = 0.0
    """Standard deviation of the logarithm of a clip's strength: clips differ by so much."""
    coarseness: float = 0.0015
    """Sigma of the grain's blur, share of height (0.0015 is 0.7 px of 480)."""
    ends: float = 0.4
    """How strong it is in black and white, share of the middle greys'."""
    probability: float = 1.0
    family: Literal["grain"] = "grain"

    def __post_init__(self) -> None:
        shares(strength=self.strength, coarseness=self.coarseness, ends=self.ends)
        shares(probability=self.probability)
        counts(spread=self.spread)

    def scaled(self, severity: float) -> Self:
        return replace(self, strength=min(self.strength * severity, 1.0))

    def begin(self, setting: Setting) -> "_Graining":
        return _Graining(self, setting.size, setting.seed)


class _Graining:
    def __init__(self, recipe: Grain, size: Size, seed: int) -> None:
        self._recipe = recipe
        self._size = size
        self._rng = stream(seed, recipe.family)
        strength = recipe.strength * float(self._rng.lognormal(0, recipe.spread))
        self._strength = rounded(min(strength, 1.0))

    def next(self) -> Moment:
        if self._strength == 0:
            return Moment()
        sigma_px = rounded(self._recipe.coarseness * self._size.height)
        noise_HW = noise(self._size.height, self._size.width, self._rng, sigma_px, self._strength)
        return Moment(on_film=_Grained(noise_HW, np.float32(4 * (1 - self._recipe.ends))))


@dataclass(frozen=True)
class _Grained(InPlace):
    noise_HW: NDArray[np.float32]
    bulge: np.float32
    """Strength is 1 at mid-grey and 1 - bulge / 4 at the ends."""

    def __call__(self, planes_CHW: Planes) -> Planes:
        off = planes_CHW - np.float32(0.5)
        out = off * off
        out *= self.bulge
        np.subtract(1, out, out=out)
        out *= self.noise_HW
        out += planes_CHW
        return limited(out)
