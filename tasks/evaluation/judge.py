"""Clips and shots as a restorer is given them, and its repairs measured.

Shape suffixes: T frames, C planes (1 grey, or 3 RGB), H rows, W columns.
"""

from collections.abc import Sequence

import numpy as np

from degradation.generator import LAYERS
from models.metrics.detection import Detection, Mask, compare
from models.metrics.fidelity import Fidelity, fidelity, squared_error
from models.metrics.score import Score, score
from models.metrics.steadiness import Steadiness, motion_of, steadiness
from models.motion import Pair
from models.restorer import Colour, Footage, Planes, Repair
from storage.clipcode import Bytes
from storage.corpus import Clip
from tasks.evaluation.score import Tally

NEAR_PX = 2
"""A mask that reaches so far beyond damage lets no one see a difference."""


SEEN = 8 / 255
"""Damage that changes a pixel by less is lost in grain, to the eye too: a third of the pixels that medium
damage changes."""


class KnownClip:
    """A clip whose undamaged film is known. What no restorer changes is measured once."""

    def __init__(self, clip: Clip) -> None:
        self._clip = clip
        self.footage = _footage(clip.damaged_TCHW)
        truth = _footage(clip.undamaged_TCHW)
        self._motion = list(motion_of(truth))
        self._steady_before = steadiness(self.footage, self._motion)
        self._steady_undamaged = steadiness(truth, self._motion)

    def tally(self, repairs: Sequence[Repair]) -> Tally:
        """The whole clip's."""
        colour = self.footage.colour
        strict, near, seen, before = Score(), Detection(), Detection(), Fidelity()
        for frame, repair in enumerate(repairs):
            truth_CHW, damage_HW = self.undamaged(frame), self.damage(frame)
            strict += score(repair.planes_CHW, repair.mask_HW, truth_CHW, damage_HW, colour)
            near += compare(repair.mask_HW, damage_HW, NEAR_PX)
            seen += self._seen(frame, repair.mask_HW)
            before += fidelity(self.damaged(frame), truth_CHW, damage_HW)
        return Tally(
            1,
            len(repairs),
            self._clip.masks_THW.size,
            int(np.count_nonzero(self._clip.masks_THW)),
            _touched_px(repairs),
            strict,
            near,
            seen,
            before,
            _steady(self.footage, repairs, self._motion),
            self._steady_before,
            self._steady_undamaged,
        )

    def layers(self, repairs: Sequence[Repair]) -> dict[str, Tally]:
        """Of each family's own pixels alone: how many were found, and how close they came."""
        tallies = dict.fromkeys(LAYERS, Tally())
        for frame, repair in enumerate(repairs):
            truth_CHW, damaged_CHW = self.undamaged(frame), self.damaged(frame)
            for bit, layer in enumerate(LAYERS):
                layer_HW = (self._clip.masks_THW[frame] >> np.uint8(bit) & 1).astype(bool)
                if not layer_HW.any():
                    continue
                pixels, hit = int(layer_HW.sum()), int((layer_HW & repair.mask_HW).sum())
                tallies[layer] += Tally(
                    clips=int(not tallies[layer].clips),
                    frames=1,
                    damaged_px=pixels,
                    score=Score(
                        Detection(hit, pixels - hit),
                        Fidelity(*squared_error(repair.planes_CHW, truth_CHW, layer_HW)),
                    ),
                    before=Fidelity(*squared_error(damaged_CHW, truth_CHW, layer_HW)),
                )
        return tallies

    def _seen(self, frame: int, found_HW: Mask) -> Detection:
        """Of the damage that is to be seen; found or not, the rest is neither right nor wrong."""
        damage_HW = self.damage(frame)
        seen_HW = damage_HW & (np.abs(self.damaged(frame) - self.undamaged(frame)).max(0) >= SEEN)
        return compare(found_HW & (seen_HW | ~damage_HW), seen_HW)

    def most_damaged(self) -> int:
        """The frame with most damage; the middle one where there is none."""
        pixels_T = np.count_nonzero(self._clip.masks_THW, (1, 2))
        return int(np.argmax(pixels_T)) if pixels_T.any() else len(pixels_T) // 2

    def undamaged(self, frame: int) -> Planes:
        return _floats(self._clip.undamaged_TCHW[frame])

    def damaged(self, frame: int) -> Planes:
        return _floats(self._clip.damaged_TCHW[frame])

    def damage(self, frame: int) -> Mask:
        damage_HW: Mask = self._clip.masks_THW[frame] > 0
        return damage_HW


class UnknownShot:
    """A shot of real film: nobody knows where it is damaged."""

    def __init__(self, footage: Footage) -> None:
        self.footage = footage
        self._motion = list(motion_of(footage))
        self._steady_before = steadiness(footage, self._motion)

    def tally(self, repairs: Sequence[Repair]) -> Tally:
        """How much was touched, and how steady it is."""
        return Tally(
            1,
            len(repairs),
            len(repairs) * self.footage.height * self.footage.width,
            touched_px=_touched_px(repairs),
            steady=_steady(self.footage, repairs, self._motion),
            steady_before=self._steady_before,
        )


def _footage(frames_TCHW: Bytes) -> Footage:
    frames, channels, height, width = frames_TCHW.shape
    colour: Colour = "grey" if channels == 1 else "rgb"
    return Footage(lambda: map(_floats, frames_TCHW), frames, height, width, colour)


def _floats(frame_CHW: Bytes) -> Planes:
    return frame_CHW.astype(np.float32) / np.float32(255)


def _steady(footage: Footage, repairs: Sequence[Repair], motion: Sequence[Pair]) -> Steadiness:
    result = Footage(
        lambda: (repair.planes_CHW for repair in repairs),
        len(repairs),
        footage.height,
        footage.width,
        footage.colour,
    )
    return steadiness(result, motion)


def _touched_px(repairs: Sequence[Repair]) -> int:
    return sum(int(repair.mask_HW.sum()) for repair in repairs)
