"""Dust, dirt spots, stains and hairs: anew in every frame, as they are on a print.

Sizes and shapes follow 12,137 outlines of damage drawn by hand on ten 35 mm scans (FilmDamageSimulator,
Ivanova 2023): diameters are log-normal, dirt is up to 2.3 times as long as wide, hairs curl.
"""

from dataclasses import dataclass, replace
from typing import Literal, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from degradation.exact import stream
from degradation.family import Moment, Setting, Size, counts, shares
from degradation.outlines import FULL, Points, filled, stroked
from degradation.overlay import Blend, Overlay

_FAINTNESS = 3
"""On six reels of old film the contrast of dirt is 0.05 in the middle and 0.14 at the 95th percentile."""
_AT_ONCE = 16  # frames are drawn together: numbers by the hundred cost little more than by the ten
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

    def begin(self, setting: Setting) -> "_Dirt":
        return _Dirt(self, setting.size, setting.seed)


class _Dirt:
    def __init__(self, recipe: Contaminants, size: Size, seed: int) -> None:
        self._recipe = recipe
        self._size = size
        self._rng = stream(seed, recipe.family)
        self._drawn: list[Moment] = []
        side = float(self._rng.uniform(-recipe.one_sided, recipe.one_sided))
        self._bright = min(max(recipe.bright + side, 0), 1)

    def next(self) -> Moment:
        if not self._drawn:
            self._drawn = self._moments()[::-1]
        return self._drawn.pop()

    def _moments(self) -> list[Moment]:
        recipe, rng, height = self._recipe, self._rng, self._size.height
        # The mean of a log-normal number is above its median by half its variance.
        bursts = np.exp(rng.normal(-(recipe.bursts**2) / 2, recipe.bursts, (_AT_ONCE, 1)))
        counts = rng.poisson(bursts * (recipe.spots, recipe.blotches, recipe.hairs))
        spots, blotches, strands = counts.sum(axis=0).tolist()
        diameters_px = np.concatenate(
            [
                np.maximum(1.2, height * recipe.spot_size * rng.lognormal(0, recipe.spot_spread, spots)),
                np.maximum(3.0, height * recipe.blotch_size * rng.lognormal(0, 0.4, blotches)),
            ]
        )
        lengths_px = height * np.clip(recipe.hair_length * rng.lognormal(0, 0.6, strands), 0.01, 0.3)
        frames = np.concatenate([np.repeat(np.arange(_AT_ONCE), count) for count in counts.T])
        looks = self._looks(len(frames))
        levels = [round(FULL * look.strength) for look in looks]
        outlines = ragged(np.minimum(diameters_px, height / 3), rng)
        thick_px = np.maximum(1.0, height / 480 * rng.uniform(1.0, 2.5, strands)).tolist()
        shares = [
            # A strip is as high as what is highest on it: large and small are kept apart.
            *filled(outlines[:spots], levels[:spots]).shares(),
            *filled(outlines[spots:], levels[spots : len(outlines)]).shares(),
            *stroked(hairs(lengths_px, rng), thick_px, levels[len(outlines) :]).shares(),
        ]
        overlays: list[list[Overlay]] = [[] for _ in range(_AT_ONCE)]
        for frame, (row, column), share_hw, look in zip(
            frames.tolist(), self._places_px(frames), shares, looks, strict=True
        ):
            rows, columns = share_hw.shape
            piece = Overlay(row - rows // 2, column - columns // 2, share_hw, look.tone, look.blend)
            overlays[frame].append(piece)
        return [Moment(overlays=tuple(pieces)) for pieces in overlays]

    def _looks(self, count: int) -> list["_Look"]:
        recipe = self._recipe
        depth, white, clear, tone, takes = self._rng.random((5, count))
        strengths = recipe.faintest + (1 - recipe.faintest) * depth**_FAINTNESS
        bright = white < self._bright
        tones = np.round(0.12 * tone, 6)
        tones[bright] = 1 - tones[bright]
        blends = np.where(bright, "add", np.where(takes < 0.5, "subtract", "multiply"))
        see_through = clear < recipe.translucent
        strengths[see_through] *= 0.6
        blends[~see_through] = "cover"
        return [
            _Look(*look) for look in zip(strengths.tolist(), tones.tolist(), blends.tolist(), strict=True)
        ]

    def _places_px(self, frames: NDArray[np.int64]) -> list[list[int]]:
        """Rows and columns of the pieces' middles; some of a frame lie about one place."""
        rng, whole = self._rng, np.array([self._size.height, self._size.width])
        places = rng.random((len(frames), 2)) * whole
        heaps = rng.random((_AT_ONCE, 2)) * whole
        about = heaps[frames] + rng.normal(0, _HEAP, places.shape) * self._size.height
        together = rng.random((len(frames), 1)) < self._recipe.clustered
        near: list[list[int]] = np.rint(np.where(together, about, places)).astype(int).tolist()
        return near


class _Look(NamedTuple):
    strength: float
    tone: float
    blend: Blend


_WAVES = np.arange(2, 7)
_ANGLES = np.linspace(0, 2 * np.pi, 40, endpoint=False)
_TURNS = np.stack([np.cos(_WAVES[:, None] * _ANGLES), np.sin(_WAVES[:, None] * _ANGLES)])
_AROUND = np.stack([np.cos(_ANGLES), np.sin(_ANGLES)])
_ALONG = np.linspace(0, 1, 32)


def ragged(diameters_px: NDArray[np.float64], rng: np.random.Generator) -> Points:
    """Outlines (N, P, 2) of ragged, roundish spots."""
    count = len(diameters_px)
    swings = rng.normal(0, 0.35, (2, count, 5)) / _WAVES / np.sqrt(2)
    radii = 1 + swings[0] @ _TURNS[0] + swings[1] @ _TURNS[1]
    radii = np.clip(radii, 0.3, 2.0) * (diameters_px[:, None] / 2)
    narrow, turn = np.sqrt(rng.uniform(0.28, 1.0, (count, 1))), rng.uniform(0, np.pi, (count, 1))
    x, y = radii * _AROUND[0] / narrow, radii * _AROUND[1] * narrow
    return np.stack([x * np.cos(turn) - y * np.sin(turn), x * np.sin(turn) + y * np.cos(turn)], axis=2)


def hairs(lengths_px: NDArray[np.float64], rng: np.random.Generator) -> Points:
    """Paths (N, P, 2) of thin curved lines, often upright: hairs, and the short dashes of a worn print."""
    upright = rng.random((len(lengths_px), 1)) < 0.5
    normal, any_way = rng.normal(0, 1, (2, len(lengths_px), 1)), rng.uniform(0, np.pi, upright.shape)
    heading = np.where(upright, np.pi / 2 + 0.05 * normal[0], any_way)
    bend = np.where(upright, 0.1, 2.0) * normal[1]
    headings = heading + bend * _ALONG + 0.3 * bend * np.sin(2 * np.pi * _ALONG)
    steps = np.stack([np.cos(headings), np.sin(headings)], axis=2)
    paths: Points = np.cumsum(steps, axis=1) * lengths_px[:, None, None] / (len(_ALONG) - 1)
    return paths
