"""Vertical scratches that last, wander with the gate, and break off here and there."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from degradation.overlay import Overlay
from degradation.recipe import Scratches


@dataclass
class _Line:
    place: float
    """Where across the frame, in [0, 1]."""
    width_px: float
    opacity: float
    tone: float
    lean: float
    """Sideways drift over the frame's height, share of height."""
    top: float
    bottom: float
    left_frames: int
    presence: NDArray[np.float32]
    """How strongly the line shows down the frame, coarse samples in [0, 1]."""


class Scratching:
    """The scratches of a shot, one frame after the other."""

    def __init__(self, recipe: Scratches, rng: np.random.Generator) -> None:
        self._recipe = recipe
        self._rng = rng
        self._lines: list[_Line] | None = None

    def next(self, height: int, width: int) -> list[Overlay]:
        """The next frame's lines."""
        if self._lines is None:
            self._lines = [self._born(height) for _ in range(self._rng.poisson(self._recipe.lines))]
        elif self._rng.random() < self._recipe.lines / self._recipe.life_frames:
            self._lines.append(self._born(height))
        for line in self._lines:
            line.place += float(self._rng.normal(0, 0.0012))
            line.left_frames -= 1
        self._lines = [line for line in self._lines if line.left_frames > 0 and 0.01 < line.place < 0.99]
        return [_drawn(line, height, width) for line in self._lines]

    def _born(self, height: int) -> _Line:
        rng = self._rng
        full = rng.random() < 0.7
        top = 0.0 if full else float(rng.uniform(0, 0.5))
        return _Line(
            place=float(rng.uniform(0.03, 0.97)),
            width_px=max(1.0, height * self._recipe.width * float(rng.lognormal(0, 0.3))),
            opacity=float(np.clip(self._recipe.contrast * rng.lognormal(0, 0.3) * 1.6, 0.05, 1)),
            tone=1.0 if rng.random() < 0.6 else 0.0,
            lean=float(rng.normal(0, 0.004)),
            top=top,
            bottom=1.0 if full else float(rng.uniform(top + 0.3, 1.0)),
            left_frames=1 + int(rng.exponential(self._recipe.life_frames)),
            presence=np.clip(rng.normal(0.9, 0.25, 12), 0, 1).astype(np.float32),
        )


def _drawn(line: _Line, height: int, width: int) -> Overlay:
    rows = np.arange(height, dtype=np.float32)
    middles = line.place * width + line.lean * (rows - height / 2)
    first = int(np.floor(middles.min() - 2 * line.width_px - 1))
    last = int(np.ceil(middles.max() + 2 * line.width_px + 1))
    columns = np.arange(first, last + 1, dtype=np.float32)
    # A Gaussian whose full width at half height is the line's width.
    sigma_px = max(0.45, line.width_px / 2.355)
    profile = np.exp(-((columns[None, :] - middles[:, None]) ** 2) / (2 * sigma_px**2))
    presence = cv2.resize(line.presence[:, None], (1, height), interpolation=cv2.INTER_LINEAR)[:, 0]
    presence = presence * ((rows >= line.top * height) & (rows < line.bottom * height))
    opacity = (line.opacity * profile * presence[:, None]).astype(np.float32)
    return Overlay(0, first, opacity, line.tone)
