"""Many small things on their way: snow, rain, confetti, sparks, fireworks; and the sun on water.

Places are (x, y) in pixels; speeds in pixels a frame.
"""

from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from degradation.exact import rounded
from degradation.family import Planes, Size
from degradation.paint import Colour, Paint, shade

_PAPERS: tuple[Colour, ...] = (
    (0.95, 0.95, 0.92),
    (0.85, 0.1, 0.15),
    (0.95, 0.8, 0.1),
    (0.1, 0.45, 0.85),
    (0.15, 0.65, 0.3),
    (0.08, 0.08, 0.1),
)
_HOT: Colour = (1.0, 0.9, 0.65)


@dataclass(frozen=True)
class _Way:
    """Lengths in pixels of a frame of 480 lines."""

    count: int
    across: float
    down: float
    spread: float
    thinnest: float
    thickest: float
    palest: float
    fullest: float
    open_share: float
    """Of the time between frames in which the shutter is open: how long streaks are."""


_WAYS = {
    "snow": _Way(140, 1.0, 4.0, 0.8, 1.0, 5.0, 0.35, 0.95, 0.5),
    "rain": _Way(130, 3.0, 42.0, 4.0, 0.5, 1.4, 0.12, 0.45, 0.6),
    "confetti": _Way(70, 0.5, 5.0, 2.0, 4.0, 9.0, 0.85, 1.0, 0.0),
    "sparks": _Way(60, 0.0, -9.0, 6.0, 0.8, 2.2, 0.8, 1.0, 0.5),
    "fireworks": _Way(110, 0.0, 0.0, 4.0, 0.8, 2.0, 0.8, 1.0, 0.6),
}


class Swarm:
    """Things that fly, drawn as streaks as long as they move while the shutter is open."""

    def __init__(
        self,
        kind: Literal["snow", "rain", "confetti", "sparks", "fireworks"],
        size: Size,
        rng: np.random.Generator,
    ) -> None:
        self._kind, self._size, self._rng = kind, size, rng
        self._way = way = _WAYS[kind]
        self._unit = size.height / 480
        self._edge = np.array([size.width, size.height], float)
        self._bursts = kind in ("sparks", "fireworks")
        # What is near is large, quick and plain; there is more of what is far.
        self._near = rng.beta(1.2, 2.0, way.count)
        self._width_px = (way.thinnest + (way.thickest - way.thinnest) * self._near) * self._unit
        self._shown = way.palest + (way.fullest - way.palest) * self._near
        self._light = np.array([shade(self._coloured(), size.channels) for _ in range(way.count)])
        self._turn, self._tumble = rng.uniform(0, 2 * np.pi, (2, way.count))
        self._place = rng.uniform(0, 1, (way.count, 2)) * self._edge
        self._velocity = np.zeros((way.count, 2))
        self._dusk = np.float32(rounded(rng.uniform(0.2, 0.8)))  # sparks are filmed in the dark
        self._wind = float(rng.normal(0, 0.6))
        self._source = np.array([rng.uniform(0.15, 0.85), rng.uniform(0.5, 0.9)]) * self._edge
        self._age = np.zeros(way.count)
        self._life = np.ones(way.count)
        self._thrown(np.ones(way.count, bool))
        if kind == "sparks":
            self._age = rng.uniform(0, self._life)
            self._place += self._velocity * self._age[:, None]

    def __call__(self, planes_CHW: Planes) -> Planes:
        paint = Paint(self._size)
        left = np.clip(1 - self._age / self._life, 0, 1) if self._bursts else np.ones(self._way.count)
        shown = self._shown * np.minimum(1.0, 2 * left)
        if self._kind == "confetti":
            paint.patches(self._leaves(), shown, self._light)
        else:
            ends = self._place + self._velocity * self._way.open_share
            seen = shown > 0.02
            paint.streaks(self._place[seen], ends[seen], self._width_px[seen], shown[seen], self._light[seen])
        if self._kind == "snow":  # flakes are soft
            cv2.GaussianBlur(paint.sheet_HWD, (3, 3), 0.7, dst=paint.sheet_HWD)
        self._move()
        return paint.over(planes_CHW * self._dusk if self._bursts else planes_CHW)

    def _coloured(self) -> Colour:
        match self._kind:
            case "confetti":
                return _PAPERS[int(self._rng.integers(len(_PAPERS)))]
            case "sparks" | "fireworks":
                return _HOT
            case _:
                return (0.93, 0.94, 0.97)

    def _leaves(self) -> NDArray[np.float64]:
        """The corners (n, 4, 2) of slips of paper, seen from wherever they have tumbled to."""
        turn, half = self._turn, self._width_px / 2
        flat = half * np.maximum(0.12, np.abs(np.cos(self._tumble)))
        along = np.stack([np.cos(turn), np.sin(turn)], axis=1) * (1.3 * half)[:, None]
        beside = np.stack([-np.sin(turn), np.cos(turn)], axis=1) * flat[:, None]
        ways = (along + beside, along - beside, -along - beside, beside - along)
        return np.stack([self._place + way for way in ways], axis=1)

    def _thrown(self, which: NDArray[np.bool_]) -> None:
        """Gives these their speed, and sparks their source, anew."""
        rng, way, count = self._rng, self._way, int(which.sum())
        speed = rng.normal((way.across, way.down), way.spread, (count, 2))
        if self._kind == "fireworks":
            # All of one burst fly apart as fast; in depth they are seen slower.
            angle, slow = rng.uniform(0, 2 * np.pi, count), np.sqrt(1 - rng.uniform(0, 1, count) ** 2)
            speed = 9.0 * (slow * (np.cos(angle), np.sin(angle))).T * float(rng.uniform(0.6, 2.2))
            self._source = np.array([rng.uniform(0.1, 0.9), rng.uniform(0.1, 0.5)]) * self._edge
            self._life[which] = rng.uniform(14, 26, count)
        elif self._kind == "sparks":
            self._life[which] = rng.uniform(4, 18, count)
        else:
            speed *= (0.4 + self._near[which, None]) * 0.9
            speed[:, 0] += self._wind * speed[:, 1]
        self._velocity[which] = speed * self._unit
        if self._bursts:
            self._place[which] = self._source + rng.normal(0, 1.5, (count, 2)) * self._unit
            self._age[which] = 0

    def _move(self) -> None:
        rng = self._rng
        self._place += self._velocity
        if not self._bursts:
            self._place %= self._edge
            if self._kind != "rain":
                gust = 0.25 if self._kind == "snow" else 0.9
                self._velocity[:, 0] += rng.normal(0, gust * self._unit, self._way.count)
                self._velocity[:, 0] *= 0.95
            self._turn += rng.normal(0.1, 0.1, self._way.count)
            self._tumble += 0.5
            return
        self._age += 1
        self._velocity *= 0.9 if self._kind == "fireworks" else 1.0
        self._velocity[:, 1] += (0.15 if self._kind == "fireworks" else 0.5) * self._unit
        over = self._age >= self._life
        if self._kind == "fireworks":
            over &= bool(over.all())
        if over.any():
            self._thrown(over)


class Glints:
    """The sun on moving water: bright dashes that live for a frame or three and gather in a path."""

    def __init__(self, size: Size, rng: np.random.Generator) -> None:
        self._size, self._rng = size, rng
        self._top = float(rng.uniform(0.4, 0.7))
        self._middle = float(rng.uniform(0.2, 0.8))
        self._light = np.array([shade((1.0, 0.98, 0.9), size.channels)])
        self._alive = np.zeros((0, 5))  # x, y, length and thickness in pixels, frames left

    def __call__(self, planes_CHW: Planes) -> Planes:
        self._alive = np.concatenate([self._alive, self._born(self._rng.poisson(26))])
        place, long_px, thick_px, left = np.split(self._alive, (2, 3, 4), axis=1)
        half = long_px * (0.5, 0.0)
        shown = np.where(left[:, 0] == 2, 0.95, 0.75)
        light = np.repeat(self._light, len(shown), axis=0)
        paint = Paint(self._size)
        paint.streaks(place - half, place + half, thick_px[:, 0], shown, light)
        paint.streaks(place - half / 3, place + half / 3, 1.6 * thick_px[:, 0], shown, light)
        self._alive[:, 4] -= 1
        self._alive = self._alive[self._alive[:, 4] > 0] + (0, 0.4 * self._size.height / 480, 0, 0, 0)
        return paint.over(planes_CHW)

    def _born(self, count: int) -> NDArray[np.float64]:
        rng, height = self._rng, self._size.height
        near = rng.beta(1.2, 1.5, count)  # 0 at the horizon
        x = (self._middle + rng.normal(0, 1, count) * (0.08 + 0.14 * near)) * self._size.width
        y = (self._top + (1 - self._top) * near) * height
        long_px = height / 480 * (3 + 14 * near) * rng.uniform(0.5, 1.3, count)
        thick_px = height / 480 * (0.8 + 1.6 * near)
        return np.stack([x, y, long_px, thick_px, rng.integers(1, 4, count).astype(float)], axis=1)
