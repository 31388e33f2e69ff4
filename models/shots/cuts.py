"""Finds the cuts of a reel, damaged or not: hard cuts, dissolves and fades, each with a certainty."""

import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from numpy.typing import NDArray

from models.shots.cut import Cut, Kind
from models.shots.hard import Boundary, HardCuts, HardSettings
from models.shots.normalise import normalise
from models.shots.opinions import Opinions, OpinionSettings

__all__ = ["SURE", "Cut", "CutSettings", "Kind", "find_cuts"]

# Cuts under this certainty go to the review list.
SURE = 0.6


@dataclass(frozen=True)
class CutSettings:
    """All that can change the cut list."""

    hard: HardSettings = field(default_factory=HardSettings)
    """Our own block matching."""
    opinions: OpinionSettings = field(default_factory=OpinionSettings)
    """PySceneDetect's second opinions."""


def find_cuts(frames: Iterable[NDArray[Any]], settings: CutSettings = CutSettings()) -> list[Cut]:
    """The transitions of a reel, sorted, none overlapping.

    `frames`: luma, uint8 or float in [0, 1], (H, W), in order, read once; 160-320 px wide is enough.
    """
    hard, opinions = HardCuts(settings.hard), Opinions(settings.opinions)
    boundaries: list[Boundary] = []
    for ordinal, frame in enumerate(frames):
        view = normalise(frame)
        opinions.push(ordinal, view)
        boundaries += hard.push(view)
    boundaries += hard.finish()
    return [_hard_cut(b, opinions.of(b.ordinal)) for b in boundaries]


def _hard_cut(boundary: Boundary, seconds: tuple[str, ...]) -> Cut:
    score = boundary.within - 1.4 * boundary.link - 0.3 * boundary.neighbours
    certainty = 1 / (1 + math.exp(-23 * score))
    return Cut(boundary.ordinal, boundary.ordinal, "hard", score, certainty, ("blocks", *seconds))
