"""A cut: where one shot goes over into the next."""

from dataclasses import dataclass
from typing import Literal

Kind = Literal["hard", "dissolve", "fade"]


@dataclass(frozen=True)
class Cut:
    """One transition, in the reel's own frame ordinals."""

    start: int
    """First frame of the transition; of a hard cut, the first frame of the new shot."""
    end: int
    """One past the transition's last frame; equal to `start` for a hard cut."""
    kind: Kind
    """`fade` is out to black or white and in again, as one range."""
    score: float
    """The detector's own measure in [0, 1]; comparable within a kind only."""
    certainty: float
    """How likely it is real, in [0, 1]; below `models.shots.cuts.SURE` a person should look."""
    detectors: tuple[str, ...]
    """Who saw it: `blocks`, `adaptive`, `hash` (hard), `mix` (dissolve), `contrast` (fade)."""
