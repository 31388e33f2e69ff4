"""What is told of a restorer on one slice of an evaluation, and the sums that it is told from."""

from dataclasses import dataclass, field
from math import isfinite

from models.metrics.detection import Detection
from models.metrics.fidelity import Fidelity
from models.metrics.score import Score
from models.metrics.steadiness import Steadiness


@dataclass(frozen=True)
class SliceScore:
    """Pooled over all of a slice's frames. None: there was nothing to measure, or (PSNR) nothing differs."""

    clips: int
    """Clips, or shots of a reel, in which the slice has any pixels."""
    frames: int
    damaged_px: int
    """Truly damaged pixels, all frames together; 0 for reels, where nobody knows."""
    damaged_share: float | None
    """Of all pixels, those truly damaged."""
    touched_share: float | None
    """Of all pixels, those that the restorer replaced."""
    psnr_inside_before: float | None
    """Of the input against the undamaged film where it is damaged, dB."""
    psnr_inside: float | None
    """The same of the result."""
    psnr_inside_gain: float | None
    """The result's less the input's, dB."""
    psnr_outside: float | None
    """Of the result where nothing is damaged, dB: harm, by size. None where nothing was changed."""
    psnr: float | None
    """Of the whole picture, dB."""
    ssim: float | None
    """Mean over frames."""
    precision: float | None
    """Share of the pixels replaced that were damaged."""
    recall: float | None
    """Share of the damaged pixels that were replaced."""
    f1: float | None
    """Of these two; None where nothing is damaged."""
    f1_near: float | None
    """The same, pixels within two of damage counted as right."""
    recall_seen: float | None
    """Share of the damaged pixels that differ by 8 of 255 or more that were replaced."""
    f1_seen: float | None
    """Of that and precision; fainter damage counts neither way."""
    harm: float | None
    """Share of all pixels that were replaced away from damage."""
    harm_near: float | None
    """The same, more than two pixels away from it."""
    warping: float | None
    """Mean squared difference along motion, result."""
    warping_before: float | None
    """Input."""
    warping_undamaged: float | None
    """Undamaged film; None for reels."""
    flicker: float | None
    """Standard deviation of light from frame to frame, of 1, result."""
    flicker_before: float | None
    flicker_undamaged: float | None


@dataclass(frozen=True)
class Tally:
    """Sums over clips; adds with `+`. What was not measured stays 0."""

    clips: int = 0
    frames: int = 0
    seen_px: int = 0
    """All pixels; 0 for a family's own, of which no share of the whole is told."""
    damaged_px: int = 0
    touched_px: int = 0
    score: Score = field(default_factory=Score)
    """Strict."""
    near: Detection = field(default_factory=Detection)
    """Found pixels within two of damage count as right."""
    seen: Detection = field(default_factory=Detection)
    """Damage that cannot be seen counts neither way."""
    before: Fidelity = field(default_factory=Fidelity)
    """The input's."""
    steady: Steadiness = field(default_factory=Steadiness)
    """All three along the motion of the undamaged film, of a reel along its own."""
    steady_before: Steadiness = field(default_factory=Steadiness)
    steady_undamaged: Steadiness = field(default_factory=Steadiness)

    def __add__(self, other: "Tally") -> "Tally":
        return Tally(
            self.clips + other.clips,
            self.frames + other.frames,
            self.seen_px + other.seen_px,
            self.damaged_px + other.damaged_px,
            self.touched_px + other.touched_px,
            self.score + other.score,
            self.near + other.near,
            self.seen + other.seen,
            self.before + other.before,
            self.steady + other.steady,
            self.steady_before + other.steady_before,
            self.steady_undamaged + other.steady_undamaged,
        )

    def told(self) -> SliceScore:
        """The figures of these sums."""
        strict, reached = self.score.detection, self.score.fidelity
        before, after = _finite(self.before.psnr_inside), _finite(reached.psnr_inside)
        damage, found = strict.hit + strict.missed, strict.right + strict.wrong
        return SliceScore(
            clips=self.clips,
            frames=self.frames,
            damaged_px=self.damaged_px,
            damaged_share=self.damaged_px / self.seen_px if self.seen_px and damage else None,
            touched_share=self.touched_px / self.seen_px if self.seen_px else None,
            psnr_inside_before=before,
            psnr_inside=after,
            psnr_inside_gain=None if before is None or after is None else after - before,
            psnr_outside=_finite(reached.psnr_outside),
            psnr=_finite(reached.psnr) if reached.outside_values else None,
            ssim=self.score.ssim if self.score.frames else None,
            precision=strict.precision if found else None,
            recall=strict.recall if damage else None,
            f1=strict.f1 if damage and strict.pixels else None,
            f1_near=self.near.f1 if damage and self.near.pixels else None,
            recall_seen=self.seen.recall if self.seen.hit + self.seen.missed else None,
            f1_seen=self.seen.f1 if self.seen.hit + self.seen.missed else None,
            harm=strict.harm if strict.pixels else None,
            harm_near=self.near.harm if self.near.pixels else None,
            warping=_warping(self.steady),
            warping_before=_warping(self.steady_before),
            warping_undamaged=_warping(self.steady_undamaged),
            flicker=_flicker(self.steady),
            flicker_before=_flicker(self.steady_before),
            flicker_undamaged=_flicker(self.steady_undamaged),
        )


def _finite(value: float) -> float | None:
    return value if isfinite(value) else None


def _warping(steady: Steadiness) -> float | None:
    return steady.warping_error if steady.pairs else None


def _flicker(steady: Steadiness) -> float | None:
    return steady.flicker_index if steady.blocks else None
