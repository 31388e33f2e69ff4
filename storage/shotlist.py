"""A reel's shots: frames [start, end) that cover it once, and how sure each cut is.

Frames are integers from 0 and rates are rational.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

from storage.errors import StorageError

Kind = Literal["shot", "transition"]
UNCERTAIN_BELOW = 0.6
"""Shots less certain than this get a marker."""
BY_PERSON = "person"
"""The detector named where a person's list names none."""
_NAME = re.compile(r"\w[\w.-]*", re.ASCII)
_NOBODY = "-"


class CutListError(StorageError):
    """A shot list cannot be used: file, line, what is wrong, what to do."""


@dataclass(frozen=True)
class ShotSpan:
    """Frames [start, end) that belong together, or over which one shot goes into the next."""

    start: int
    end: int
    kind: Kind = "shot"
    certainty: float = 1.0
    """How sure it is that a cut stands at `start`, in [0, 1]."""
    detectors: tuple[str, ...] = (BY_PERSON,)
    """Who saw that cut: plain names (letters, digits, `_`, `.`, `-`), joined by `+` in the files."""

    def __post_init__(self) -> None:
        if not 0 <= self.start < self.end:
            raise ValueError(f"start {self.start} and end {self.end}: a shot holds at least one frame")
        if self.kind not in ("shot", "transition"):
            raise ValueError(f"kind {self.kind!r}: write shot or transition")
        if not 0 <= self.certainty <= 1:
            raise ValueError(f"certainty {self.certainty}: write a number from 0 to 1")
        if not all(_NAME.fullmatch(name) for name in self.detectors):
            raise ValueError(f"detectors {'+'.join(self.detectors)!r}: write plain names joined by +")


@dataclass(frozen=True)
class TimelineReel:
    """What a shot list must know of its reel."""

    name: str
    """The source's file name, as editors will look for it."""
    frames: int
    rate: Fraction
    """Frames a second."""
    timecode: str | None = None
    """HH:MM:SS:FF of frame 0; `;` before the frames for drop frame."""


Placed = tuple[str, ShotSpan]
"""Where it stands in its file, for messages, and the shot."""


def check_cover(placed: Sequence[Placed], reel: TimelineReel, name: str) -> tuple[ShotSpan, ...]:
    """The shots, where they cover frames [0, reel.frames) once, in order."""
    expected = 0
    for where, shot in placed:
        at = f"{name}{where}"
        if shot.end > reel.frames:
            raise CutListError(f"{at}: ends at {shot.end}, the reel has {reel.frames} frames: correct it")
        if shot.start != expected:
            low, high = sorted((shot.start, expected))
            trouble = f"frames {low} to {high - 1} are in {'no shot' if shot.start == high else 'two shots'}"
            raise CutListError(f"{at}: starts at {shot.start}, not {expected}: {trouble}: correct it")
        expected = shot.end
    if expected != reel.frames:
        raise CutListError(f"{name}: ends at {expected}, the reel has {reel.frames} frames: add the rest")
    return tuple(shot for _, shot in placed)


def names_of(shot: ShotSpan) -> str:
    return "+".join(shot.detectors) or _NOBODY


def shot_of(start: int, end: int, kind: str = "", certainty: str = "", detectors: str = "") -> ShotSpan:
    """Empty cells are what a person leaves: a shot, certain, by that person."""
    return ShotSpan(
        start,
        end,
        (kind or "shot").lower(),  # type: ignore[arg-type]  # ShotSpan checks it
        float(certainty.replace(",", ".") or 1),
        () if detectors == _NOBODY else tuple((detectors or BY_PERSON).split("+")),
    )
