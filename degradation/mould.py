"""Mould: colonies that grew through the coil, and so are seen on frame after frame, a little changed.

Shape suffixes: h, w rows and columns of a colony's own box.
"""

from dataclasses import dataclass, replace
from typing import Literal, Self

import cv2
import numpy as np
from numpy.typing import NDArray

from degradation.exact import noise, rounded, stream
from degradation.family import Moment, Setting, Size, counts, shares
from degradation.overlay import Blend, Overlay, seen

Byte = NDArray[np.uint8]

_FINE = 2  # colonies are drawn this much larger and averaged down
_THREADS = 150
_STEPS = 36
_NEVER = 255


@dataclass(frozen=True)
class Mould:
    """Branching threads around a spore, with a haze; half see-through; oftener near the sides."""

    colonies: float = 4.0
    """Mean number of colonies of a clip that has mould; there is one at least. They lie in a group."""
    size: float = 0.12
    """Median width of a colony, share of height."""
    strength: float = 0.3
    """Median share of the light that a thread adds or holds back."""
    bright: float = 0.5
    """Share of clips on which it shows light (it ate the picture) and not dark."""
    change: float = 0.06
    """Standard deviation of a colony's growth or shrinking from one frame to the next, share of its size."""
    probability: float = 1.0
    family: Literal["mould"] = "mould"

    def __post_init__(self) -> None:
        shares(size=self.size, strength=self.strength, bright=self.bright, change=self.change)
        shares(probability=self.probability)
        counts(colonies=self.colonies)

    def scaled(self, severity: float) -> Self:
        return replace(self, colonies=self.colonies * severity)

    def begin(self, setting: Setting) -> "_Growing":
        return _Growing(self, setting.size, stream(setting.seed, self.family))


@dataclass
class _Colony:
    row: int
    column: int
    reached_hw: Byte
    """When threads reach each pixel, drawn large; 255 never."""
    haze_hw: Byte
    strength: float
    grown: float
    """How far it has grown, in [0, 1]."""


class _Growing:
    def __init__(self, recipe: Mould, size: Size, rng: np.random.Generator) -> None:
        self._recipe = recipe
        self._size = size
        self._rng = rng
        self._bright = bool(rng.random() < recipe.bright)
        across = float(rng.beta(0.5, 2.5))
        self._middle = (float(rng.uniform(0, 1)), across if rng.random() < 0.5 else 1 - across)
        count = min(max(1, int(rng.poisson(recipe.colonies))), 30)
        self._colonies = [self._born() for _ in range(count)]

    def next(self) -> Moment:
        return Moment(overlays=tuple(piece for colony in self._colonies for piece in self._grown(colony)))

    def _born(self) -> _Colony:
        rng, size, recipe = self._rng, self._size, self._recipe
        down, across = np.clip(rng.normal(self._middle, (0.25, 0.12)), 0.02, 0.98)
        large_px = float(np.clip(size.height * recipe.size * rng.lognormal(0, 0.6), 8, size.height * 0.7))
        reached_hw = threads(large_px / 2, rng)
        full_hw = _smaller((reached_hw < _NEVER).astype(np.uint8) * np.uint8(255))
        full_hw = cv2.GaussianBlur(full_hw, (0, 0), rounded(max(1.0, large_px / 30)))
        mottle_hw = noise(full_hw.shape[0], full_hw.shape[1], rng, rounded(max(0.7, large_px / 60)))
        mottled_hw = full_hw * (np.float32(0.7) + np.float32(0.5) * mottle_hw)
        haze_hw = np.rint(np.clip(mottled_hw, 0, 255)).astype(np.uint8)
        rows, columns = haze_hw.shape
        return _Colony(
            row=round(float(down) * size.height) - rows // 2,
            column=round(float(across) * size.width) - columns // 2,
            reached_hw=reached_hw,
            haze_hw=haze_hw,
            strength=rounded(np.clip(recipe.strength * rng.lognormal(0, 0.3), 0.1, 0.95)),
            grown=float(rng.uniform(0.5, 1.0)),
        )

    def _grown(self, colony: _Colony) -> tuple[Overlay, Overlay]:
        rng, recipe = self._rng, self._recipe
        colony.grown = float(np.clip(colony.grown + rng.normal(0, recipe.change), 0.35, 1.0))
        down, along = rng.normal(0, self._size.height / 500, 2)
        row, column = colony.row + round(float(down)), colony.column + round(float(along))
        # A thread pales toward its tip.
        shown = np.clip((round(250 * colony.grown) - np.arange(256)) * 4, 0, 255).astype(np.uint8)
        shown[_NEVER] = 0
        threads_hw = cv2.GaussianBlur(_smaller(cv2.LUT(colony.reached_hw, shown)), (3, 3), 0.5)
        strength = rounded(colony.strength * np.clip(rng.normal(1, 0.12), 0.6, 1.0 / colony.strength))
        blend: Blend = "add" if self._bright else "multiply"
        return (
            Overlay(row, column, seen(colony.haze_hw, rounded(0.55 * strength)), float(self._bright), blend),
            Overlay(row, column, seen(threads_hw, strength), float(self._bright), blend),
        )


def threads(reach_px: float, rng: np.random.Generator) -> Byte:
    """When threads reach each pixel of a box drawn `_FINE` times as large: 1 at the spore, 250 at tips."""
    step = reach_px * _FINE / _STEPS * 1.3
    half = int(reach_px * _FINE * 1.15) + 4
    count = int(rng.integers(8, 15))
    places = np.zeros((count, 2))
    headings = rng.uniform(0, 2 * np.pi, count)
    bends = rng.normal(0, 0.04, count)
    steps: list[NDArray[np.int32]] = []
    for _ in range(_STEPS):
        headings = headings + bends + rng.normal(0, 0.28, len(headings))
        before = places
        places = places + step * np.stack([np.cos(headings), np.sin(headings)], axis=1)
        steps.append(np.round(np.stack([before, places], axis=1) * 16 + half * 16).astype(np.int32))
        forks = (rng.random(len(headings)) < 0.15) & (len(headings) < _THREADS)
        turns = rng.choice((-0.7, 0.7), int(forks.sum())) + rng.normal(0, 0.2, int(forks.sum()))
        places = np.concatenate([places, places[forks]])
        headings = np.concatenate([headings, headings[forks] + turns])
        bends = np.concatenate([bends, rng.normal(0, 0.04, int(forks.sum()))])
        alive = rng.random(len(headings)) > 0.04
        alive[:2] = True
        places, headings, bends = places[alive], headings[alive], bends[alive]
    side = 2 * half // _FINE * _FINE
    reached_hw = np.full((side, side), _NEVER, np.uint8)
    for number in reversed(range(_STEPS)):  # the earliest is seen
        when = 1 + number * 249 // _STEPS
        cv2.polylines(reached_hw, list(steps[number]), False, when, 2 if when < 50 else 1, cv2.LINE_8, 4)
    return reached_hw


def _smaller(large_hw: Byte) -> Byte:
    rows, columns = large_hw.shape[0] // _FINE, large_hw.shape[1] // _FINE
    small_hw: Byte = cv2.resize(large_hw, (columns, rows), interpolation=cv2.INTER_AREA)
    return small_hw
