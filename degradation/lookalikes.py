"""Things that belong to the scene and look like damage: a restorer must leave them alone.

Shape suffixes: C planes, H rows, W columns. Pictures are float32 in [0, 1].
"""

from collections.abc import Callable, Iterable, Iterator
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

Planes = NDArray[np.float32]
Lookalike = Literal["snow", "confetti", "rain", "sparks", "smoke", "fire"]

LOOKALIKES: tuple[Lookalike, ...] = ("snow", "confetti", "rain", "sparks", "smoke", "fire")


def with_lookalike(frames: Iterable[Planes], kind: Lookalike, seed: int) -> Iterator[Planes]:
    """The frames (C, H, W) with snow, confetti, rain, sparks, smoke or fire in the scene."""
    rng = np.random.default_rng([seed, *kind.encode()])
    draw: Callable[[Planes], Planes] | None = None
    for planes_CHW in frames:
        if draw is None:
            height, width = planes_CHW.shape[1:]
            draw = (
                _Haze(kind, height, width, rng)
                if kind in ("smoke", "fire")
                else _Swarm(kind, height, width, rng)
            )
        yield draw(planes_CHW)


class _Swarm:
    """Many small things on their way, drawn as streaks as long as they move while the shutter is open."""

    def __init__(self, kind: Lookalike, height: int, width: int, rng: np.random.Generator) -> None:
        self._rng = rng
        self._kind = kind
        self._size = np.array([width, height], np.float64)
        unit = height / 480
        count = {"snow": 80, "confetti": 60, "rain": 60, "sparks": 40}[kind]
        # Mean velocity (x, y) and its spread, pixels a frame at 480 lines.
        across, down, spread = {
            "snow": (1.0, 4.0, 1.5),
            "confetti": (0.0, 5.0, 3.0),
            "rain": (2.0, 35.0, 3.0),
            "sparks": (0.0, -6.0, 6.0),
        }[kind]
        self._place = rng.uniform(0, 1, (count, 2)) * self._size
        if kind == "sparks":
            self._place = np.array([0.5, 0.8]) * self._size + rng.normal(0, 20, (count, 2)) * unit
        self._velocity = (np.array([across, down]) + rng.normal(0, spread, (count, 2))) * unit
        self._radius = rng.uniform(0.8, 2.5 if kind != "rain" else 1.0, count) * unit
        self._tone = rng.uniform(0, 1, count) if kind == "confetti" else np.full(count, 0.95)
        self._opacity = rng.uniform(0.15, 0.4, count) if kind == "rain" else rng.uniform(0.6, 1.0, count)
        self._gravity = np.array([0.0, 0.5 * unit]) if kind == "sparks" else np.zeros(2)

    def __call__(self, planes_CHW: Planes) -> Planes:
        out_CHW = planes_CHW.copy()
        height, width = planes_CHW.shape[1:]
        for n in range(len(self._place)):
            alpha = np.zeros((height, width), np.float32)
            start, end = self._place[n], self._place[n] + 0.5 * self._velocity[n]
            points = [tuple(round(float(v) * 16) for v in point) for point in (start, end)]
            thickness = max(1, round(2 * self._radius[n]))
            cv2.line(alpha, points[0], points[1], 1.0, thickness, cv2.LINE_AA, 4)
            if alpha.max() > 1:  # anti-aliased lines are drawn in 0..255 by some versions
                alpha /= 255
            out_CHW += alpha * self._opacity[n].astype(np.float32) * (np.float32(self._tone[n]) - out_CHW)
        self._move()
        return out_CHW

    def _move(self) -> None:
        self._place += self._velocity
        self._velocity += self._gravity
        if self._kind == "confetti":
            self._velocity += self._rng.normal(0, 0.5, self._velocity.shape)
        if self._kind == "sparks":
            old = self._rng.random(len(self._place)) < 0.08
            self._place[old] = np.array([0.5, 0.8]) * self._size
            self._velocity[old] = self._rng.normal(0, 6, (int(old.sum()), 2)) - np.array([0, 8])
        else:
            self._place %= self._size


class _Haze:
    """Billowing clouds: noise of many sizes that drifts and changes; fire is quicker, brighter and lower."""

    def __init__(self, kind: Lookalike, height: int, width: int, rng: np.random.Generator) -> None:
        self._rng = rng
        self._fire = kind == "fire"
        self._layers = [rng.standard_normal((size, size)).astype(np.float32) for size in (6, 12, 24, 48)]
        self._time = 0.0
        rows = np.linspace(0, 1, height, dtype=np.float32)[:, None]
        columns = np.linspace(-1, 1, width, dtype=np.float32)[None, :]
        spread = 0.25 if self._fire else 0.6
        self._where_HW = np.exp(-((columns / spread) ** 2)) * (rows if self._fire else np.ones_like(rows))
        self._gain = 0.35 if self._fire else 0.12

    def __call__(self, planes_CHW: Planes) -> Planes:
        height, width = planes_CHW.shape[1:]
        self._time += 1.0
        cloud_HW = np.zeros((height, width), np.float32)
        for number, layer in enumerate(self._layers):
            change = 0.5 if self._fire else 0.12
            layer += change * (self._rng.standard_normal(layer.shape) - 0.5 * layer).astype(np.float32)
            rise = int(self._time * (1.5 if self._fire else 0.5) * (number + 1) * 0.5)
            rolled = np.roll(layer, -rise, axis=0)
            cloud_HW += cv2.resize(rolled, (width, height), interpolation=cv2.INTER_CUBIC) / (number + 1)
        opacity_HW = np.clip(self._gain * (1 + cloud_HW), 0, 0.95) * self._where_HW
        tone = np.float32(1.0 if self._fire else 0.75)
        hazy_CHW: Planes = (planes_CHW + opacity_HW * (tone - planes_CHW)).astype(np.float32)
        return hazy_CHW
