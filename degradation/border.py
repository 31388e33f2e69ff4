"""The border of the gate: dark, with round corners, in which old prints and their scans show the picture.

It stands upright beside the picture as a scratch does, and wanders as little; it is no damage.

Shape suffixes: C planes, H rows, W columns. Lengths are in pixels; lines of the film are counted from 480.
"""

import numpy as np
from numpy.typing import NDArray

from degradation.exact import limited, noise, rounded
from degradation.family import Planes, Size

_SIDES = (0.7, 0.7, 0.25, 0.25)  # left, right, top, bottom: how often each is seen
_WIDE, _WIDEST = 0.035, 0.2  # of the side, median and most
_RIM = 0.35  # share with a bright line where light crept under the gate


class Border:
    """Looks through a hole that is a little smaller than the picture."""

    def __init__(self, size: Size, rng: np.random.Generator) -> None:
        self._size, self._rng, unit = size, rng, size.height / 480
        shown = rng.random(4) < _SIDES
        if not shown.any():
            shown[int(rng.integers(0, 2))] = True
        lengths = np.array([size.width, size.width, size.height, size.height])
        wide = lengths * np.minimum(_WIDE * rng.lognormal(0, 0.8, 4), _WIDEST)
        self._wide = np.where(shown, wide, -lengths)
        self._round_px = float(rng.uniform(0, 0.08)) * size.height if rng.random() < 0.6 else 0.0
        self._soft_px = max(0.7, float(rng.lognormal(0.4, 0.7)) * unit * 2)
        self._dark = np.float32(rounded(rng.beta(1, 6) * 0.4))
        self._rim = np.float32(rounded(rng.uniform(0.2, 0.9) if rng.random() < _RIM else 0.0))
        self._rim_px = max(1.0, float(rng.uniform(1, 5)) * unit)
        rough_px = float(rng.uniform(0, 1.5)) * unit
        self._rough_HW = noise(size.height, size.width, rng, 3.0) * np.float32(rounded(rough_px))
        self._restless_px = float(rng.exponential(0.4)) * unit

    def __call__(self, planes_CHW: Planes) -> Planes:
        outside_HW = self._outside()
        soft = np.float32(rounded(1 / self._soft_px))
        hidden_HW = limited(outside_HW * soft + np.float32(0.5))
        out: Planes = planes_CHW + hidden_HW * (self._dark - planes_CHW)
        if self._rim:
            near_HW = np.abs(outside_HW) * np.float32(rounded(1 / self._rim_px))
            lit_HW = limited(1 - near_HW) * self._rim
            out += lit_HW * (1 - out)
        return limited(out)

    def _outside(self) -> NDArray[np.float32]:
        """How far beyond the hole's edge each pixel lies; below 0 inside."""
        across, down = self._rng.normal(0, 1, 2) * self._restless_px
        x = np.arange(self._size.width) + 0.5
        y = np.arange(self._size.height)[:, None] + 0.5
        left, right, top, bottom = self._wide
        beyond_W = np.maximum(left + across - x, x - (self._size.width - right + across)) + self._round_px
        beyond_H1 = np.maximum(top + down - y, y - (self._size.height - bottom + down)) + self._round_px
        corner_HW = np.sqrt(np.maximum(beyond_W, 0) ** 2 + np.maximum(beyond_H1, 0) ** 2)
        outside_HW = np.where((beyond_W > 0) & (beyond_H1 > 0), corner_HW, np.maximum(beyond_W, beyond_H1))
        whole = np.round((outside_HW - self._round_px) * 64).astype(np.float32) / np.float32(64)
        told: NDArray[np.float32] = whole + self._rough_HW
        return told
