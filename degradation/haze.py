"""Smoke and fire: clouds of many sizes that rise past each other.

Shape suffixes: C planes, H rows, W columns, h, w rows and columns at a quarter of the size.
"""

from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from degradation.exact import limited, noise, rounded
from degradation.family import Planes, Size
from degradation.paint import Colour, shade

_QUARTER = 4
_SMOKE, _FIRE = (0.12, 0.05, 0.02), (0.045, 0.022, 0.01)  # sigma of each layer's clouds, share of height
_TALL = 2  # flames lick: they are so many times as tall


class Haze:
    """Layers that scroll up at their own speeds; where they meet, the cloud changes."""

    def __init__(self, kind: Literal["smoke", "fire"], size: Size, rng: np.random.Generator) -> None:
        self._fire = kind == "fire"
        self._size = size
        self._layers = [
            _scrolled(size, sigma, _TALL if self._fire else 1, rng)
            for sigma in (_FIRE if self._fire else _SMOKE)
        ]
        base = (6.0, 10.0, 16.0) if self._fire else (0.7, 1.3, 2.2)
        self._speeds = [float(speed * size.height / 480 * rng.uniform(0.8, 1.3)) for speed in base]
        self._offsets = [0.0, 0.0, 0.0]
        self._middle = float(rng.uniform(0.25, 0.75))
        self._thick = float(rng.uniform(0.5, 0.9)) if not self._fire else 1.0
        self._dusk = np.float32(rounded(rng.uniform(0.3, 1.0)))
        self._where_HW = self._where()
        grey = float(rng.uniform(0.3, 0.8))
        colour: Colour = (1.0, 0.72, 0.25) if self._fire else (grey, grey, grey)
        self._light = shade(colour, size.channels)[: size.channels]

    def __call__(self, planes_CHW: Planes) -> Planes:
        height = self._size.height
        shown_HW = self._where_HW.copy()
        for number, (layer_HW, weight) in enumerate(zip(self._layers, (0.55, 0.35, 0.22), strict=True)):
            rows = (np.arange(height) + int(self._offsets[number])) % height
            shown_HW += layer_HW[rows] * np.float32(weight)
            self._offsets[number] += self._speeds[number]
        if self._fire:
            return self._lit(planes_CHW, shown_HW)
        limited(shown_HW)
        shown_HW *= np.float32(rounded(0.95 * self._thick))
        out = planes_CHW.copy()
        for out_HW, light in zip(out, self._light, strict=True):
            out_HW += shown_HW * (np.float32(rounded(light)) - out_HW)
        return limited(out)

    def _lit(self, planes_CHW: Planes, heat_HW: Planes) -> Planes:
        """Flames add their light; where they are hottest, every colour is white."""
        np.maximum(heat_HW, 0, out=heat_HW)
        out = planes_CHW * self._dusk
        for out_HW, light in zip(out, self._light, strict=True):
            out_HW += heat_HW * np.float32(rounded(1.6 * light))
        return limited(out)

    def _where(self) -> NDArray[np.float32]:
        """What is added to the clouds before they are cut at 0: much where it burns, little elsewhere."""
        down = np.linspace(0, 1, self._size.height)[:, None]
        across = np.abs(np.linspace(0, 1, self._size.width) - self._middle)
        if self._fire:
            where = 1.3 * down - 0.75 - 3.0 * across * across * (2.2 - down)
        else:
            where = 0.35 - 0.25 * down - 1.4 * across * across / (1.35 - down)
        return np.round(where, 5).astype(np.float32)


def _scrolled(size: Size, sigma: float, tall: int, rng: np.random.Generator) -> NDArray[np.float32]:
    """Clouds (H, W) of mean 0 whose last row goes on in the first."""
    rows, columns = -(-size.height // (tall * _QUARTER)), -(-size.width // _QUARTER)
    sigma_px = rounded(max(0.5, sigma * size.height / _QUARTER))
    # Blurred noise, blended into its own upper end.
    seam = min(rows // 2, int(4 * sigma_px) + 2)
    long_hw = noise(rows + seam, columns, rng, sigma_px)
    fade = np.round(np.linspace(0, 1, seam), 6).astype(np.float32)[:, None]
    long_hw[:seam] = long_hw[:seam] * fade + long_hw[rows:] * (1 - fade)
    whole_hw = np.rint(np.clip(long_hw[:rows] * 6000 + 32768, 0, 65535)).astype(np.uint16)
    ringed_hw = np.concatenate([whole_hw[-1:], whole_hw, whole_hw[:1]])
    large = columns * _QUARTER, (rows + 2) * tall * _QUARTER
    large_HW = cv2.resize(ringed_hw, large, interpolation=cv2.INTER_LINEAR_EXACT)
    large_HW = large_HW[tall * _QUARTER :][: size.height, : size.width]
    return np.asarray((large_HW.astype(np.float32) - 32768) * np.float32(1 / 6000))
