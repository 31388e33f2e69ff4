"""How steady a film is over time: warping error and flicker index, along the motion of one and the same clip
for all that are compared.

Shape suffixes: H rows, W columns of the picture; h, w of the motion's grid; 2 is (dx, dy) in pixels of its
own grid; B blocks.

Sources: warping error, Lai et al., "Learning Blind Video Temporal Consistency", ECCV 2018;
occlusion by going there and back, Ruder et al., "Artistic Style Transfer for Videos", GCPR 2016.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from models.motion import (
    Dis,
    MotionSettings,
    Pair,
    compose,
    enlarge,
    enlarge_flow,
    grid,
    warp,
)
from models.restorer import Footage, luma

Float = NDArray[np.float32]
Mask = NDArray[np.bool_]

# Blocks on each side of the picture: over a whole frame uneven flicker would cancel out.
_BLOCKS = 8
# Of a block's pixels, this share must be seen in both neighbours for its mean to be one of the same things.
_SEEN = 0.5
# Ruder et al.: the way there and back may miss by this share of its length, squared, and this many pixels.
_MISS_SHARE, _MISS_PX2 = 0.01, 0.5


@dataclass(frozen=True)
class Steadiness:
    """Sums over pairs and blocks; sums over shots with `+`."""

    warping: float = 0.0
    """Sum over pairs of frames of the mean squared difference along motion."""
    pairs: int = 0
    """How many pairs that sums; one with nothing visible in both frames is not counted."""
    swing: float = 0.0
    """Sum over blocks of the squared difference of their mean from both neighbours' mean."""
    blocks: int = 0
    """How many blocks that sums."""

    def __add__(self, other: "Steadiness") -> "Steadiness":
        return Steadiness(
            self.warping + other.warping,
            self.pairs + other.pairs,
            self.swing + other.swing,
            self.blocks + other.blocks,
        )

    @property
    def warping_error(self) -> float:
        """E_warp, mean squared, of 1; 0 where nothing changes but by motion.

        Blurring lowers it, and grain that is the film's own raises it: it is to be read beside the input's.
        """
        return self.warping / self.pairs if self.pairs else 0.0

    @property
    def flicker_index(self) -> float:
        """Standard deviation of the light of what is in the picture, of 1, from frame to frame; 0 is steady,
        a straight fade too.

        The mean of a block is compared with the mean of both neighbours' means, along motion; for light whose
        deviations are independent from frame to frame that difference has 3/2 of their variance.
        """
        return float(np.sqrt(self.swing / self.blocks / 1.5)) if self.blocks else 0.0


def motion_of(guide: Footage, settings: MotionSettings | None = None) -> Iterator[Pair]:
    """Motion between each two frames of the clip that guides a comparison: the truth where it is known, else
    the film before it was restored; never a result, whose own motion would flatter it."""
    estimator, before = Dis(settings or MotionSettings()), None
    for planes_CHW in guide:
        here = estimator.look(luma(planes_CHW, guide.colour))
        if before is not None:
            yield estimator.between(before, here)
        before = here


def steadiness(judged: Footage, pairs: Iterable[Pair]) -> Steadiness:
    """How steady the luma of a shot is along motion, as `motion_of` the guide tells it. Holds three frames.

    The guide has the judged film's frames, at any size of the same shape. Raises ValueError where there are
    more frames than motion, or fewer.
    """
    total = Steadiness()
    before: tuple[Float, Mask] | None = None
    earlier_HW: Float | None = None
    motion = iter(pairs)
    for planes_CHW in judged:
        here_HW = luma(planes_CHW, judged.colour)
        if earlier_HW is not None:
            pair = next(motion, None)
            if pair is None:
                raise ValueError("there are more frames than motion: the guide is another clip")
            ahead = seen_change(earlier_HW, here_HW, pair.forward_hw2, pair.backward_hw2)
            total += _warping(*ahead)
            if before is not None:
                total += _swing(*before, *ahead)
            before = seen_change(here_HW, earlier_HW, pair.backward_hw2, pair.forward_hw2)
        earlier_HW = here_HW
    if next(motion, None) is not None:
        raise ValueError("there is more motion than frames: the guide is another clip")
    return total


def seen_change(here_HW: Float, other_HW: Float, out_hw2: Float, back_hw2: Float) -> tuple[Float, Mask]:
    """This frame less its neighbour brought here, and where both show the same thing."""
    height, width = here_HW.shape
    flow_HW2 = enlarge_flow(out_hw2, height, width)
    place_HW2 = grid(height, width) + flow_HW2
    inside_HW = ((place_HW2 >= 0) & (place_HW2 <= np.array([width - 1, height - 1], np.float32))).all(2)
    seen_HW = enlarge(_seen(out_hw2, back_hw2).astype(np.float32), height, width) > 0.5
    return here_HW - warp(other_HW, flow_HW2), inside_HW & seen_HW


def _seen(out_hw2: Float, back_hw2: Float) -> Mask:
    """Where going there and back ends where it began, in the motion's own pixels."""
    miss_hw2 = compose(out_hw2, back_hw2)
    length_hw = (out_hw2**2).sum(2) + ((miss_hw2 - out_hw2) ** 2).sum(2)
    seen_hw: Mask = (miss_hw2**2).sum(2) <= _MISS_SHARE * length_hw + _MISS_PX2
    return seen_hw


def _warping(change_HW: Float, seen_HW: Mask) -> Steadiness:
    if not seen_HW.any():
        return Steadiness()
    return Steadiness(warping=float((change_HW[seen_HW].astype(np.float64) ** 2).mean()), pairs=1)


def _swing(before_HW: Float, seen_before_HW: Mask, after_HW: Float, seen_after_HW: Mask) -> Steadiness:
    seen_HW = (seen_before_HW & seen_after_HW).astype(np.float32)
    share_B = _block_means(seen_HW)
    swing_B = _block_means((before_HW + after_HW) * seen_HW) / 2
    counted = share_B >= _SEEN
    return Steadiness(
        swing=float(((swing_B[counted] / share_B[counted]) ** 2).sum()), blocks=int(counted.sum())
    )


def _block_means(picture_HW: Float) -> NDArray[np.float64]:
    means: Float = cv2.resize(picture_HW, (_BLOCKS, _BLOCKS), interpolation=cv2.INTER_AREA)
    return means.ravel().astype(np.float64)
