"""What is told of a colouriser on one slice of an evaluation, and the sums that it is told from."""

from dataclasses import dataclass, field
from math import isfinite

from models.metrics.colour import ColourFidelity
from tasks.evaluation.cost import Spent


@dataclass(frozen=True)
class ColourScore:
    """Pooled over all of a slice's clips."""

    clips: int
    frames: int
    """That were coloured."""
    ciede2000: float
    """Mean difference from the true colour."""
    psnr_ab: float | None
    """Of a and b pooled, dB, for a peak of 255; None where nothing differs."""
    flicker: float
    """Change of ab along the true motion, in its units; mean over clips."""
    flicker_truth: float
    """The true colour's own, beside which it is to be read."""
    seconds_per_frame: float
    """Wall clock, with all else that the machine did."""
    memory_bytes: int
    """As `Spent` has it."""


@dataclass(frozen=True)
class ColourTally:
    """Adds with `+`."""

    clips: int = 0
    fidelity: ColourFidelity = field(default_factory=ColourFidelity)
    flicker: float = 0.0
    """Sum over clips."""
    flicker_truth: float = 0.0
    """The same."""
    spent: Spent = field(default_factory=Spent)

    def __add__(self, other: "ColourTally") -> "ColourTally":
        return ColourTally(
            self.clips + other.clips,
            self.fidelity + other.fidelity,
            self.flicker + other.flicker,
            self.flicker_truth + other.flicker_truth,
            self.spent + other.spent,
        )

    def told(self) -> ColourScore:
        """Of at least one clip."""
        return ColourScore(
            self.clips,
            self.spent.frames,
            self.fidelity.ciede2000,
            self.fidelity.psnr_ab if isfinite(self.fidelity.psnr_ab) else None,
            self.flicker / self.clips,
            self.flicker_truth / self.clips,
            self.spent.seconds / self.spent.frames,
            self.spent.memory_bytes,
        )
