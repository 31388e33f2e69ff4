"""Frames that are missing, and frames shown twice."""

from dataclasses import dataclass, replace
from typing import Literal, Self

import numpy as np

from degradation.exact import stream
from degradation.family import MOST_LOST, Moment, Setting, shares

# Silent film of 16 or 18 frames a second, stretched to 24 or 25: every second, third, fourth is repeated.
_CADENCES = (2, 3, 4)


@dataclass(frozen=True)
class Timing:
    """A projection at another speed, torn film, and copies that stopped."""

    cadence: float = 0.4
    """Share of the clips in which every second, third or fourth frame is shown twice."""
    repeats: float = 0.01
    """Share of frames after which the same is shown again, out of any pattern."""
    missing: float = 0.02
    """Share of frames before which one to three are missing; no more than four are missing of a clip."""
    probability: float = 1.0
    family: Literal["timing"] = "timing"

    def __post_init__(self) -> None:
        shares(cadence=self.cadence, repeats=self.repeats, missing=self.missing)
        shares(probability=self.probability)

    def scaled(self, severity: float) -> Self:
        return replace(
            self, repeats=min(self.repeats * severity, 1.0), missing=min(self.missing * severity, 1.0)
        )

    def begin(self, setting: Setting) -> "_Stumbling":
        return _Stumbling(self, stream(setting.seed, self.family))


class _Stumbling:
    def __init__(self, recipe: Timing, rng: np.random.Generator) -> None:
        self._recipe = recipe
        self._rng = rng
        self._every = int(rng.choice(_CADENCES)) if rng.random() < recipe.cadence else 0
        self._since = int(rng.integers(1, 5))
        self._first = True
        self._may_lose = MOST_LOST

    def next(self) -> Moment:
        lot, loss = self._rng.random(), int(self._rng.integers(1, 4))
        if self._first:  # nothing comes before it
            self._first = False
            return Moment()
        self._since += 1
        if lot < self._recipe.repeats or 0 < self._every < self._since:
            self._since = 0
            return Moment(repeated=True, event="repeat")
        lost = min(loss, self._may_lose)
        if lost and 1 - lot <= self._recipe.missing:
            self._may_lose -= lost
            return Moment(lost_frames=lost, event=f"missing {lost}")
        return Moment()
