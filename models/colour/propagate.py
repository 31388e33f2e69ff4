"""The colouriser that needs no weights: colour carried from stills along motion, both ways in time.

Shape suffixes: H rows, W columns of the picture; h, w of the working picture; 2 is (a, b).

Source: the way of Levin et al. 2004 with motion as by Yatziv and Sapiro 2006; each module names its own.
"""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from models.colour.anchoring import Still, anchored
from models.colour.carry import Anchor, Carrier, State
from models.colour.colouriser import Coloured, Reference
from models.colour.guided import enlarge_along
from models.colour.likeness import Likeness, likeness
from models.colour.spill import Spill
from models.colour.view import View, small, view
from models.flow import FlowEstimator
from models.motion import Byte, Dis, MotionSettings, enlarge
from models.restorer import Card, Footage, luma

Float = NDArray[np.float32]

VERSION = "1"

# More repeats than this are a still scene, whose colour may pass from one reference to the next.
_LONGEST_RUN = 3


@dataclass(frozen=True)
class PropagateSettings:
    """How colour is carried."""

    work_px: int = 640
    """Longest side of the picture that colour is carried on, in pixels; larger frames are shrunk to it, and
    their colour is enlarged along their own luma. At least 64."""
    grey_below: float = 0.1
    """Confidence under which colour fades to grey; 0 fades none."""

    def __post_init__(self) -> None:
        if self.work_px < 64 or not 0 <= self.grey_below <= 1:
            raise ValueError("work_px must be 64 or more and grey_below in [0, 1]")


class Propagate:
    """Carries ab from each still through the shot, blends both ways, and fills what is left along edges."""

    def __init__(
        self, settings: PropagateSettings | None = None, estimator: FlowEstimator | None = None
    ) -> None:
        """estimator: of motion, DIS unless given; it must keep pictures of `work_px` at their size."""
        self._settings = settings or PropagateSettings()
        self._estimator = estimator or Dis(MotionSettings(proxy_px=self._settings.work_px))

    device = "cpu"

    @property
    def card(self) -> Card:
        """What this colouriser is; every setting is part of it."""
        return Card("propagate", VERSION, {**asdict(self._settings), "flow": self._estimator.name})

    def colour(self, footage: Footage, references: Sequence[Reference]) -> Iterator[Coloured]:
        """One for each frame, in order. Reads the footage twice; holds a few frames, and small stills.

        Meanwhile 7 bytes for each working pixel of every frame stand in temporary files. Raises ValueError
        where there is no reference, or one of another size or of a frame outside the footage.
        """
        if not references:
            raise ValueError("no reference: there is no colour to carry")
        stills = [self._still(reference, footage) for reference in references]
        shape_hw = stills[0].view.luma_hw.shape
        with Spill(shape_hw, np.uint8) as lumas, Spill((3, *shape_hw), np.float16) as later:
            again = self._read(footage, lumas)
            film = _Film(lumas, self._estimator)
            anchors = anchored(stills, footage.frame_count, film, self._estimator)
            like = likeness([(still.view.luma_hw, still.ab_2hw) for still in stills])
            for anchor in anchors:
                again[anchor.frame] = False
            walk = _Walk(film, anchors, like, self._estimator, again)
            walk.back(later)
            before: Coloured | None = None
            for frame, (planes_CHW, known) in enumerate(
                zip(footage, walk.forth(later, footage.frame_count), strict=True)
            ):
                if before is None or not again[frame]:
                    before = self._finished(known, film[frame], luma(planes_CHW, footage.colour))
                yield before

    def _read(self, footage: Footage, lumas: Spill) -> list[bool]:
        """Sets aside every frame's luma at working size; says which show the frame before them again."""
        again: list[bool] = []
        before_hw: Byte | None = None
        for frame, planes_CHW in enumerate(footage):
            luma_hw = small(luma(planes_CHW, footage.colour), self._settings.work_px)
            byte_hw = np.rint(np.clip(luma_hw, 0, 1) * 255).astype(np.uint8)
            lumas.put(frame, byte_hw)
            # A frame printed twice comes back a code or so apart, where it was compressed between.
            same = before_hw is not None and bool((cv2.absdiff(byte_hw, before_hw) <= 1).all())
            again.append(same and not all(again[-_LONGEST_RUN:]))
            before_hw = byte_hw
        return again

    def _still(self, reference: Reference, footage: Footage) -> Still:
        """The reference at working size. Raises ValueError where it cannot be of the footage."""
        _check(reference, footage)
        luma_hw = small(reference.luma_HW, self._settings.work_px)
        ab_2hw = np.stack([small(plane, self._settings.work_px) for plane in reference.ab_2HW])
        return Still(view(luma_hw, self._estimator), ab_2hw, reference.frame)

    def _finished(self, known: State, here: View, luma_HW: Float) -> Coloured:
        """Colour at the picture's size, grey where next to nothing is known."""
        ab_2HW = enlarge_along(known.ab_2hw, here.luma_hw, luma_HW)
        confidence_HW = enlarge(known.confidence_hw, *luma_HW.shape)
        if self._settings.grey_below:
            ab_2HW = ab_2HW * np.minimum(confidence_HW / self._settings.grey_below, 1)
        return Coloured(ab_2HW.astype(np.float32), confidence_HW)


class _Film:
    """Views of the frames set aside."""

    def __init__(self, lumas: Spill, estimator: FlowEstimator) -> None:
        self._lumas, self._estimator = lumas, estimator

    def __getitem__(self, frame: int) -> View:
        luma_hw: Float = self._lumas.get(frame).astype(np.float32) / np.float32(255)
        return view(luma_hw, self._estimator)


class _Walk:
    """Both ways through the shot: back first, set aside, then forth, blended."""

    def __init__(
        self,
        film: _Film,
        anchors: Sequence[Anchor],
        like: Likeness,
        estimator: FlowEstimator,
        again: Sequence[bool],
    ) -> None:
        self._film, self._anchors, self._like = film, anchors, like
        self._estimator, self._again = estimator, again

    def back(self, later: Spill) -> None:
        """Colour carried back from each anchor to the one before it, set aside for every frame between."""
        first = 0
        for anchor in self._anchors:
            carrier = Carrier(self._estimator, anchor, self._like)
            view_after = self._film[anchor.frame]
            state = carrier.start(view_after)
            for frame in range(anchor.frame - 1, first - 1, -1):
                if not self._again[frame + 1]:
                    here = self._film[frame]
                    state, view_after = carrier.step(state, view_after, here), here
                later.put(frame, np.concatenate([state.ab_2hw, state.confidence_hw[None]]))
            first = anchor.frame + 1

    def forth(self, later: Spill, frames: int) -> Iterator[State]:
        """What is known of each frame of the shot, in order."""
        for frame in range(self._anchors[0].frame):
            yield _taken(later, frame)
        ends = [anchor.frame for anchor in self._anchors[1:]] + [frames]
        for anchor, end in zip(self._anchors, ends, strict=True):
            carrier = Carrier(self._estimator, anchor, self._like)
            view_before = self._film[anchor.frame]
            state = carrier.start(view_before)
            yield state
            for frame in range(anchor.frame + 1, end):
                if not self._again[frame]:
                    here = self._film[frame]
                    state, view_before = carrier.step(state, view_before, here), here
                if end == frames:
                    yield state
                else:
                    yield _blended(state, _taken(later, frame), (frame - anchor.frame) / (end - anchor.frame))


def _taken(later: Spill, frame: int) -> State:
    planes_3hw = later.get(frame).astype(np.float32)
    return State(planes_3hw[:2], planes_3hw[2])


def _blended(before: State, after: State, way: float) -> State:
    """Both by confidence and nearness; way: from the one anchor (0) to the other (1)."""
    before_hw = before.confidence_hw * (1 - way) + 1e-6
    after_hw = after.confidence_hw * way + 1e-6
    share_hw = after_hw / (before_hw + after_hw)
    ab_2hw = before.ab_2hw + share_hw * (after.ab_2hw - before.ab_2hw)
    return State(ab_2hw, np.maximum(before.confidence_hw, after.confidence_hw))


def _check(reference: Reference, footage: Footage) -> None:
    size = (footage.height, footage.width)
    if reference.luma_HW.shape != size or reference.ab_2HW.shape != (2, *size):
        raise ValueError(f"a reference of {reference.luma_HW.shape} for footage of {size}")
    if reference.frame is not None and not 0 <= reference.frame < footage.frame_count:
        raise ValueError(f"a reference of frame {reference.frame} of {footage.frame_count}")
