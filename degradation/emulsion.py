"""Emulsion that came off: flakes between cracks, in clusters, a frame long.

Shape suffixes: h, w rows and columns of a patch's own box.
"""

from dataclasses import dataclass, replace
from typing import Literal, Self

import cv2
import numpy as np
from numpy.typing import NDArray

from degradation.exact import noise, rounded, stream
from degradation.family import Moment, Setting, Size, counts, shares
from degradation.overlay import Overlay, seen

Byte = NDArray[np.uint8]

_SMALLEST_PX = 6


@dataclass(frozen=True)
class Emulsion:
    """Patches without picture, ragged, with cracks around them; more often near the sides."""

    patches: float = 0.5
    """Mean number of patches per frame; 0 means none."""
    size: float = 0.08
    """Median size of a patch, share of height."""
    spread: float = 0.6
    """Standard deviation of the logarithm of its size."""
    bright: float = 0.7
    """Share that is white (gone from the print) and not black (gone from the negative)."""
    clusters: float = 1.0
    """Standard deviation of the logarithm of a frame's density: a clip has bad places."""
    sides: float = 0.5
    """Share of patches that lie at the sides, where the film is handled."""
    probability: float = 1.0
    family: Literal["emulsion"] = "emulsion"

    def __post_init__(self) -> None:
        shares(size=self.size, bright=self.bright, sides=self.sides, probability=self.probability)
        counts(patches=self.patches, spread=self.spread, clusters=self.clusters)

    def scaled(self, severity: float) -> Self:
        return replace(self, patches=self.patches * severity)

    def begin(self, setting: Setting) -> "_Flaking":
        return _Flaking(self, setting.size, stream(setting.seed, self.family))


class _Flaking:
    def __init__(self, recipe: Emulsion, size: Size, rng: np.random.Generator) -> None:
        self._recipe = recipe
        self._size = size
        self._rng = rng
        self._bright = bool(rng.random() < recipe.bright)  # one print, or one negative
        self._heap = float(rng.normal())

    def next(self) -> Moment:
        recipe, rng = self._recipe, self._rng
        self._heap = 0.8 * self._heap + 0.6 * float(rng.normal())
        heap = float(np.exp(recipe.clusters * self._heap - recipe.clusters**2 / 2))
        count = min(int(rng.poisson(recipe.patches * heap)), 40)
        if not count:
            return Moment()
        middle = (self._across(), float(rng.uniform(0, 1)))
        pieces: list[Overlay] = []
        for _ in range(count):
            near = rng.random() < 0.6  # of the first
            across = middle[0] + float(rng.normal(0, 0.1)) if near else self._across()
            down = middle[1] + float(rng.normal(0, 0.15)) if near else float(rng.uniform(0, 1))
            pieces += self._patch(across, down)
        return Moment(overlays=tuple(pieces))

    def _across(self) -> float:
        at = float(self._rng.beta(0.5, 5.0)) if self._rng.random() < self._recipe.sides else None
        if at is None:
            return float(self._rng.uniform(0, 1))
        return at if self._rng.random() < 0.5 else 1 - at

    def _patch(self, across: float, down: float) -> list[Overlay]:
        rng, size = self._rng, self._size
        large_px = size.height * self._recipe.size * float(rng.lognormal(0, self._recipe.spread))
        large_px = float(np.clip(large_px, _SMALLEST_PX, size.height / 2.5))
        rows, columns = large_px * float(rng.uniform(0.6, 1.6)), large_px * float(rng.uniform(0.6, 1.2))
        bare_hw, cracks_hw = flaked(max(_SMALLEST_PX, round(rows)), max(_SMALLEST_PX, round(columns)), rng)
        row = round(down * size.height) - bare_hw.shape[0] // 2
        column = round(across * size.width) - bare_hw.shape[1] // 2
        bright = self._bright if rng.random() < 0.9 else not self._bright
        tone = rounded(rng.uniform(0.88, 1.0) if bright else rng.uniform(0.0, 0.1))
        strength = rounded(rng.uniform(0.8, 1.0))
        # A flake's curled edge throws a shadow to one side.
        off = 1 if rng.random() < 0.5 else -1
        return [
            Overlay(row + 1, column + off, seen(bare_hw, rounded(0.5 * strength)), 1 - tone),
            Overlay(row, column, seen(cracks_hw, rounded(rng.uniform(0.3, 0.7))), tone),
            Overlay(row, column, seen(bare_hw, strength), tone),
        ]


def flaked(rows: int, columns: int, rng: np.random.Generator) -> tuple[Byte, Byte]:
    """Opacity (h, w) of what is bare, and of the cracks around it.

    Cracks run between points at random, as they do in drying mud: each pixel belongs to the nearest.
    """
    flakes = int(rng.integers(7, 30))
    apart_px = float(np.sqrt(rows * columns / flakes))
    points = rng.uniform(-0.1, 1.1, (flakes, 2)) * (rows, columns)
    # Out from a core, flake after flake came off.
    core = rng.uniform(0.3, 0.7, 2) * (rows, columns)
    far = ((points - core) ** 2 / (rows**2, columns**2)).sum(axis=1) + rng.uniform(0, 0.08, flakes)
    gone = far < np.sort(far)[int(rng.integers(1, max(2, flakes // 2)))]
    rough_sigma_px = rounded(np.clip(apart_px / 7, 0.8, 4.0))
    rough_px = min(0.14 * apart_px, 3.0)
    down_hw = np.arange(rows, dtype=np.float32)[:, None] + noise(
        rows, columns, rng, rough_sigma_px
    ) * np.float32(rounded(rough_px))
    across_hw = np.arange(columns, dtype=np.float32) + noise(rows, columns, rng, rough_sigma_px) * np.float32(
        rounded(rough_px)
    )
    nearest_hw = np.full((rows, columns), 1e9, np.float32)
    second_hw, bare_hw = nearest_hw.copy(), np.zeros((rows, columns), bool)
    for (row, column), off in zip(np.round(points, 3).astype(np.float32), gone, strict=True):
        away_hw = (down_hw - row) * (down_hw - row)
        away_hw += (across_hw - column) * (across_hw - column)
        closer_hw = away_hw < nearest_hw
        second_hw = np.where(closer_hw, nearest_hw, np.minimum(second_hw, away_hw))
        np.minimum(nearest_hw, away_hw, out=nearest_hw)
        bare_hw[closer_hw] = off
    crack_hw = np.sqrt(second_hw) - np.sqrt(nearest_hw) < np.float32(0.9)
    # Patches end in a ragged round, not at their box.
    y, x = np.linspace(-1, 1, rows)[:, None], np.linspace(-1, 1, columns)
    inside_hw = y * y + x * x + np.float32(0.2) * noise(rows, columns, rng, rough_sigma_px) < 0.85
    full = np.uint8(255)
    return _soft((bare_hw & inside_hw & ~crack_hw) * full), _soft((crack_hw & inside_hw) * full)


def _soft(sharp_hw: NDArray[np.uint8]) -> Byte:
    soft: Byte = cv2.GaussianBlur(cv2.copyMakeBorder(sharp_hw, 1, 1, 1, 1, cv2.BORDER_CONSTANT), (3, 3), 0.6)
    return soft
