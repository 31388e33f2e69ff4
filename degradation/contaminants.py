"""Dust, dirt spots, stains and hairs: anew in every frame, as they are on a print.

Sizes and shapes follow 12,137 outlines of damage drawn by hand on ten 35 mm scans (FilmDamageSimulator,
Ivanova 2023): diameters are log-normal, dirt is up to 2.3 times as long as wide, hairs curl.
"""

from dataclasses import dataclass, replace
from typing import Literal, Self

import cv2
import numpy as np
from numpy.typing import NDArray

from degradation.exact import rounded, stream
from degradation.family import Moment, Size, counts, shares
from degradation.overlay import Blend, Overlay

Byte = NDArray[np.uint8]

_FINE = 4  # shapes are drawn this much larger and averaged down: soft, sub-pixel outlines


@dataclass(frozen=True)
class Contaminants:
    """Dirt, dust and hairs."""

    spots: float = 6.0
    """Mean number of dirt spots per frame; 0 means none."""
    spot_size: float = 0.008
    """Median diameter of a spot, share of height (0.008 is 4 px of 480)."""
    spot_spread: float = 0.6
    """Standard deviation of the logarithm of a spot's diameter."""
    blotches: float = 0.3
    """Mean number of large stains per frame."""
    blotch_size: float = 0.04
    """Median diameter of a stain, share of height."""
    hairs: float = 0.3
    """Mean number of hairs and short dashes per frame."""
    hair_length: float = 0.05
    """Median length of a hair, share of height."""
    bright: float = 0.5
    """Share of contaminants that are white (dirt on the negative) and not black (dirt on the print)."""
    faintest: float = 0.55
    """The least share of the light that a piece holds back; the most is all."""
    translucent: float = 0.2
    """Share that adds, takes or holds back light (dried drops, oil, dust out of focus) and does not cover."""
    bursts: float = 0.4
    """Standard deviation of the logarithm of a frame's density: dirt comes in heaps."""
    probability: float = 1.0
    family: Literal["contaminants"] = "contaminants"

    def __post_init__(self) -> None:
        shares(spot_size=self.spot_size, blotch_size=self.blotch_size, hair_length=self.hair_length)
        shares(bright=self.bright, faintest=self.faintest, translucent=self.translucent)
        shares(probability=self.probability)
        counts(spots=self.spots, blotches=self.blotches, hairs=self.hairs)
        counts(spot_spread=self.spot_spread, bursts=self.bursts)

    def scaled(self, severity: float) -> Self:
        return replace(
            self,
            spots=self.spots * severity,
            blotches=self.blotches * severity,
            hairs=self.hairs * severity,
        )

    def begin(self, size: Size, seed: int) -> "_Dirt":
        return _Dirt(self, size, seed)


class _Dirt:
    def __init__(self, recipe: Contaminants, size: Size, seed: int) -> None:
        self._recipe = recipe
        self._size = size
        self._seed = seed
        self._frame = -1

    def next(self) -> Moment:
        self._frame += 1
        recipe, height = self._recipe, self._size.height
        rng = stream(self._seed, recipe.family, self._frame)
        # The mean of a log-normal number is above its median by half its variance.
        heap = float(np.exp(rng.normal(-(recipe.bursts**2) / 2, recipe.bursts)))
        shapes: list[Byte] = []
        for _ in range(rng.poisson(recipe.spots * heap)):
            size_px = height * recipe.spot_size * float(rng.lognormal(0, recipe.spot_spread))
            shapes.append(blob(max(1.2, min(size_px, height / 3)), rng))
        for _ in range(rng.poisson(recipe.blotches * heap)):
            size_px = height * recipe.blotch_size * float(rng.lognormal(0, 0.4))
            shapes.append(blob(max(3.0, min(size_px, height / 3)), rng))
        for _ in range(rng.poisson(recipe.hairs * heap)):
            shapes.append(_hair(height, recipe.hair_length, rng))
        return Moment(overlays=tuple(self._placed(shape, rng) for shape in shapes))

    def _placed(self, opacity_hw: Byte, rng: np.random.Generator) -> Overlay:
        recipe = self._recipe
        rows, columns = opacity_hw.shape
        row = int(rng.integers(-rows // 2, self._size.height - rows // 2))
        column = int(rng.integers(-columns // 2, self._size.width - columns // 2))
        strength = rounded(rng.uniform(recipe.faintest, 1.0))
        bright, clear = rng.random() < recipe.bright, rng.random() < recipe.translucent
        tone = rounded(rng.uniform(0.88, 1.0) if bright else rng.uniform(0.0, 0.12))
        if not clear:
            return Overlay(row, column, opacity_hw, strength, tone)
        blend: Blend = "add" if bright else ("subtract" if rng.random() < 0.5 else "multiply")
        return Overlay(row, column, opacity_hw, rounded(0.6 * strength), tone, blend)


def blob(size_px: float, rng: np.random.Generator) -> Byte:
    """Opacity (h, w) of a ragged, roundish, slightly soft spot, 0 to 255."""
    angles = np.linspace(0, 2 * np.pi, 48 if size_px > 6 else 16, endpoint=False)
    waves = np.arange(2, 7)
    swings, phases = rng.normal(0, 0.35, 5) / waves, rng.uniform(0, 2 * np.pi, 5)
    radius = 1 + (swings[:, None] * np.cos(waves[:, None] * angles + phases[:, None])).sum(axis=0)
    radius = np.clip(radius, 0.3, 2.0) * size_px / 2
    stretch = rng.uniform(0.45, 1.0)
    turn = rng.uniform(0, np.pi)
    x, y = radius * np.cos(angles) / np.sqrt(stretch), radius * np.sin(angles) * np.sqrt(stretch)
    return drawn(x * np.cos(turn) - y * np.sin(turn), x * np.sin(turn) + y * np.cos(turn), None)


def _hair(height: int, length: float, rng: np.random.Generator) -> Byte:
    """A thin curved line, often upright: hairs, and the short dashes of a worn print."""
    length_px = height * float(np.clip(rng.lognormal(np.log(length), 0.6), 0.01, 0.3))
    upright = rng.random() < 0.5
    heading = np.pi / 2 + rng.normal(0, 0.05) if upright else rng.uniform(0, np.pi)
    bend = rng.normal(0, 0.1 if upright else 2.0)
    along = np.linspace(0, 1, 32)
    headings = heading + bend * along + 0.3 * bend * np.sin(2 * np.pi * along)
    step = length_px / 31
    thickness_px = max(1.0, height / 480 * float(rng.uniform(1.0, 2.5)))
    return drawn(np.cumsum(np.cos(headings)) * step, np.cumsum(np.sin(headings)) * step, thickness_px)


def drawn(x: NDArray[np.float64], y: NDArray[np.float64], thickness_px: float | None) -> Byte:
    """Opacity of an outline (filled) or a line of a thickness, cut to its box with a soft edge."""
    margin = 2 + int(thickness_px or 0)
    x, y = x - x.min() + margin, y - y.min() + margin
    columns, rows = int(np.ceil(x.max())) + margin + 1, int(np.ceil(y.max())) + margin + 1
    points = np.round(np.stack([x, y], axis=1) * _FINE).astype(np.int32)
    large = np.zeros((rows * _FINE, columns * _FINE), np.uint8)
    if thickness_px is None:
        cv2.fillPoly(large, [points], 1)
    else:
        cv2.polylines(large, [points], False, 1, max(1, round(thickness_px * _FINE)))
    full = 255 // _FINE**2
    small = large.reshape(rows, _FINE, columns, _FINE).sum(axis=(1, 3), dtype=np.uint8) * np.uint8(full)
    soft: Byte = cv2.GaussianBlur(small, (3, 3), 0.5)
    return soft
