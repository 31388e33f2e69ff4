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
_FULL = 255 // _FINE**2
_FAINTNESS = 3
"""On six reels of old film the contrast of dirt is 0.05 in the middle and 0.14 at the 95th percentile."""
_HEAP = 0.05  # how far pieces of one heap lie apart, share of height


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
    one_sided: float = 0.3
    """How far a clip's share of white may lie from that: some come of a dirty negative, some do not."""
    faintest: float = 0.08
    """The least share of the light that a piece holds back; the most is all, and most are faint."""
    translucent: float = 0.2
    """Share that adds, takes or holds back light (dried drops, oil, dust out of focus) and does not cover."""
    clustered: float = 0.25
    """Share of the pieces of a frame that lie together in one place: a splash, a fold, a fingerprint."""
    bursts: float = 0.4
    """Standard deviation of the logarithm of a frame's density: some frames are far dirtier."""
    probability: float = 1.0
    family: Literal["contaminants"] = "contaminants"

    def __post_init__(self) -> None:
        shares(spot_size=self.spot_size, blotch_size=self.blotch_size, hair_length=self.hair_length)
        shares(bright=self.bright, one_sided=self.one_sided, translucent=self.translucent)
        shares(faintest=self.faintest, clustered=self.clustered, probability=self.probability)
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
        side = float(stream(seed, recipe.family).uniform(-recipe.one_sided, recipe.one_sided))
        self._bright = min(max(recipe.bright + side, 0), 1)

    def next(self) -> Moment:
        self._frame += 1
        recipe, height = self._recipe, self._size.height
        rng = stream(self._seed, recipe.family, self._frame)
        # The mean of a log-normal number is above its median by half its variance.
        burst = float(np.exp(rng.normal(-(recipe.bursts**2) / 2, recipe.bursts)))
        spots, blotches, hairs = rng.poisson(
            (recipe.spots * burst, recipe.blotches * burst, recipe.hairs * burst)
        )
        diameters_px = np.concatenate(
            [
                np.maximum(1.2, height * recipe.spot_size * rng.lognormal(0, recipe.spot_spread, spots)),
                np.maximum(3.0, height * recipe.blotch_size * rng.lognormal(0, 0.4, blotches)),
            ]
        )
        shapes = blobs(np.minimum(diameters_px, height / 3), rng)
        shapes += [_hair(height, recipe.hair_length, rng) for _ in range(hairs)]
        places_px = self._places_px(len(shapes), rng)
        lots = rng.random((len(shapes), 5)).tolist()
        return Moment(overlays=tuple(map(self._placed, shapes, places_px, lots)))

    def _places_px(self, count: int, rng: np.random.Generator) -> list[list[int]]:
        """Rows and columns of the pieces' middles; some lie about one place."""
        whole = np.array([self._size.height, self._size.width])
        places = rng.random((count, 2)) * whole
        heap, about = rng.random(2) * whole, rng.normal(0, _HEAP, (count, 2)) * self._size.height
        together = rng.random((count, 1)) < self._recipe.clustered
        near: list[list[int]] = np.rint(np.where(together, heap + about, places)).astype(int).tolist()
        return near

    def _placed(self, opacity_hw: Byte, place_px: list[int], lots: list[float]) -> Overlay:
        """Lots are numbers in [0, 1)."""
        recipe = self._recipe
        rows, columns = opacity_hw.shape
        row, column = place_px[0] - rows // 2, place_px[1] - columns // 2
        strength = rounded(recipe.faintest + (1 - recipe.faintest) * lots[0] ** _FAINTNESS)
        bright, clear = lots[1] < self._bright, lots[2] < recipe.translucent
        tone = rounded(1 - 0.12 * lots[3] if bright else 0.12 * lots[3])
        if not clear:
            return Overlay(row, column, opacity_hw, strength, tone)
        blend: Blend = "add" if bright else ("subtract" if lots[4] < 0.5 else "multiply")
        return Overlay(row, column, opacity_hw, rounded(0.6 * strength), tone, blend)


_WAVES = np.arange(2, 7)
_ANGLES = np.linspace(0, 2 * np.pi, 40, endpoint=False)
_TURNS = np.stack([np.cos(_WAVES[:, None] * _ANGLES), np.sin(_WAVES[:, None] * _ANGLES)])
_AROUND = np.stack([np.cos(_ANGLES), np.sin(_ANGLES)])


def blobs(diameters_px: NDArray[np.float64], rng: np.random.Generator) -> list[Byte]:
    """Opacities (h, w) of ragged, roundish, slightly soft spots, 0 to 255."""
    count = len(diameters_px)
    swings = rng.normal(0, 0.35, (2, count, 5)) / _WAVES / np.sqrt(2)
    radii = 1 + swings[0] @ _TURNS[0] + swings[1] @ _TURNS[1]
    radii = np.clip(radii, 0.3, 2.0) * (diameters_px[:, None] / 2)
    narrow, turn = np.sqrt(rng.uniform(0.28, 1.0, (count, 1))), rng.uniform(0, np.pi, (count, 1))
    x, y = radii * _AROUND[0] / narrow, radii * _AROUND[1] * narrow
    across, down = x * np.cos(turn) - y * np.sin(turn), x * np.sin(turn) + y * np.cos(turn)
    return [drawn(outline) for outline in np.stack([across, down], axis=2)]


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
    path = np.cumsum(np.stack([np.cos(headings), np.sin(headings)], axis=1), axis=0) * step
    return drawn(path, thickness_px)


def drawn(points_xy: NDArray[np.float64], thickness_px: float | None = None) -> Byte:
    """Opacity of an outline (filled) or a line of a thickness, cut to its box with a soft edge."""
    points = np.rint(points_xy * _FINE).astype(np.int32)
    margin = _FINE * (3 + int(thickness_px or 0))
    points += margin - points.min(axis=0)
    columns, rows = ((points.max(axis=0) + margin) // _FINE + 1).tolist()
    large = np.zeros((rows * _FINE, columns * _FINE), np.uint8)
    if thickness_px is None:
        cv2.fillPoly(large, [points], _FULL)
    else:
        cv2.polylines(large, [points], False, _FULL, max(1, round(thickness_px * _FINE)))
    small = np.add.reduce(large.reshape(rows, _FINE, columns, _FINE), axis=(1, 3), dtype=np.uint8)
    soft: Byte = cv2.GaussianBlur(small, (5, 5), 0.8)
    return soft
