"""All that is told of a restored film whose truth is known.

Shape suffixes: C planes, H rows, W columns. Masks are boolean; pictures float32 in [0, 1].
"""

from dataclasses import dataclass, field

from models.metrics.detection import Detection, compare
from models.metrics.fidelity import Fidelity, Mask, fidelity
from models.metrics.lpips import Lpips
from models.metrics.ssim import ssim
from models.restorer import Colour, Planes, luma


@dataclass(frozen=True)
class Score:
    """Counts and sums of frames; sums over frames with `+`."""

    detection: Detection = field(default_factory=Detection)
    fidelity: Fidelity = field(default_factory=Fidelity)
    ssim_sum: float = 0.0
    """Of all frames' SSIM."""
    frames: int = 0
    lpips_sum: float = 0.0
    """Of the LPIPS of those frames for which it was told."""
    lpips_frames: int = 0

    def __add__(self, other: "Score") -> "Score":
        return Score(
            self.detection + other.detection,
            self.fidelity + other.fidelity,
            self.ssim_sum + other.ssim_sum,
            self.frames + other.frames,
            self.lpips_sum + other.lpips_sum,
            self.lpips_frames + other.lpips_frames,
        )

    @property
    def ssim(self) -> float:
        """Mean over frames; 1 where there was none."""
        return self.ssim_sum / self.frames if self.frames else 1.0

    @property
    def lpips(self) -> float | None:
        """Mean over frames; None where nothing told it."""
        return self.lpips_sum / self.lpips_frames if self.lpips_frames else None


def score(
    picture_CHW: Planes,
    found_HW: Mask,
    truth_CHW: Planes,
    damage_HW: Mask,
    colour: Colour,
    tolerance_px: int = 0,
    lpips: Lpips | None = None,
) -> Score:
    """One frame's: the restored picture and what was replaced in it, against the truth and the true damage.

    Found pixels within `tolerance_px` of damage count as right. SSIM and LPIPS are those of the luma. Raises
    ValueError for pictures smaller than 11 pixels, with `lpips` 35.
    """
    picture_HW, truth_HW = luma(picture_CHW, colour), luma(truth_CHW, colour)
    return Score(
        compare(found_HW, damage_HW, tolerance_px),
        fidelity(picture_CHW, truth_CHW, damage_HW),
        ssim(picture_HW, truth_HW),
        1,
        lpips(picture_HW, truth_HW) if lpips else 0.0,
        1 if lpips else 0,
    )
