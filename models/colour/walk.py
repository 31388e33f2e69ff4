"""A walk through a shot, back and forth: what colour reaches each frame from the stills on either side.

Shape suffixes: h rows, w columns of the working picture.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from models.colour.anchoring import Still, anchored
from models.colour.carry import Anchor, Carrier, State
from models.colour.colouriser import Reference
from models.colour.likeness import Likeness, likeness
from models.colour.spill import Spill
from models.colour.view import Meeting, View, meeting, small, view
from models.flow import FlowEstimator
from models.motion import Byte
from models.restorer import Footage, luma

Float = NDArray[np.float32]

# More repeats than this are a still scene, whose colour may pass from one reference to the next.
_LONGEST_RUN = 3


@dataclass(frozen=True)
class Side:
    """What came to a frame from one side."""

    state: State
    frames_away: int
    """How far the anchor is; 0 for its own frame."""


@dataclass(frozen=True)
class Reached:
    """What came to a frame; from one side at least."""

    past: Side | None
    """From the anchor at this frame, or before it."""
    future: Side | None
    """From the anchor after it."""


@dataclass(frozen=True)
class Step:
    """One frame of the walk."""

    frame: int
    view: View
    reached: Reached
    again: bool
    """Whether it shows the frame before once more: view and colour then are that frame's."""
    met: Meeting | None
    """How it comes out of the distinct frame before it; None for the shot's first."""
    own: bool
    """Whether there is a still of this very frame, which nothing can better."""


class Walk:
    """Through one shot with its stills, at working size."""

    def __init__(
        self, footage: Footage, references: Sequence[Reference], work_px: int, estimator: FlowEstimator
    ) -> None:
        """Loads the references, each once. Raises ValueError where there is none, or one of another size or
        of a frame outside the footage."""
        if not references:
            raise ValueError("no reference: there is no colour to carry")
        self._footage, self._work_px, self._estimator = footage, work_px, estimator
        self.stills = [self._still(reference) for reference in references]

    def steps(self) -> Iterator[Step]:
        """Every frame, in order. Reads the footage once, before the first; holds a few frames.

        Meanwhile 7 bytes for each working pixel of every frame stand in temporary files. Raises SpillError.
        """
        shape_hw = self.stills[0].view.luma_hw.shape
        with Spill(shape_hw, np.uint8) as lumas, Spill((3, *shape_hw), np.float16) as later:
            again = self._read(lumas)
            film = _Film(lumas, self._estimator)
            anchors = anchored(self.stills, self._footage.frame_count, film, self._estimator)
            like = likeness([(still.view.luma_hw, still.ab_2hw) for still in self.stills])
            for anchor in anchors:
                again[anchor.frame] = False
            both = _BothWays(film, anchors, like, self._estimator, again)
            both.back(later)
            yield from both.forth(later)

    def _read(self, lumas: Spill) -> list[bool]:
        """Sets aside every frame's luma at working size; says which show the frame before them again."""
        again: list[bool] = []
        before_hw: Byte | None = None
        for frame, planes_CHW in enumerate(self._footage):
            luma_hw = small(luma(planes_CHW, self._footage.colour), self._work_px)
            byte_hw = np.rint(np.clip(luma_hw, 0, 1) * 255).astype(np.uint8)
            lumas.put(frame, byte_hw)
            # A frame printed twice comes back a code or so apart, where it was compressed between.
            same = before_hw is not None and bool((cv2.absdiff(byte_hw, before_hw) <= 1).all())
            again.append(same and not all(again[-_LONGEST_RUN:]))
            before_hw = byte_hw
        return again

    def _still(self, reference: Reference) -> Still:
        """The reference at working size. Raises ValueError where it cannot be of the footage."""
        _check(reference, self._footage)
        luma_hw = small(reference.luma_HW, self._work_px)
        ab_2hw = np.stack([small(plane, self._work_px) for plane in reference.ab_2HW])
        return Still(view(luma_hw, self._estimator), ab_2hw, reference.frame)


class _Film:
    """Views of the frames set aside."""

    def __init__(self, lumas: Spill, estimator: FlowEstimator) -> None:
        self._lumas, self._estimator = lumas, estimator

    def __getitem__(self, frame: int) -> View:
        luma_hw: Float = self._lumas.get(frame).astype(np.float32) / np.float32(255)
        return view(luma_hw, self._estimator)


class _BothWays:
    """Back first, set aside, then forth."""

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
                    met = meeting(view_after, here, self._estimator)
                    state, view_after = carrier.step(state, met, here), here
                later.put(frame, np.concatenate([state.ab_2hw, state.confidence_hw[None]]))
            first = anchor.frame + 1

    def forth(self, later: Spill) -> Iterator[Step]:
        """Every frame of the shot, in order, with what came from either side."""
        frames, first = len(self._again), self._anchors[0].frame
        seen = self._seen()
        for frame in range(first):
            reached = Reached(None, _taken(later, frame, first))
            view, met = next(seen)
            yield Step(frame, view, reached, self._again[frame], met, own=False)
        ends = [anchor.frame for anchor in self._anchors[1:]] + [frames]
        for anchor, end in zip(self._anchors, ends, strict=True):
            carrier = Carrier(self._estimator, anchor, self._like)
            view, met = next(seen)
            state = carrier.start(view)
            yield Step(anchor.frame, view, Reached(Side(state, 0), None), False, met, anchor.own)
            for frame in range(anchor.frame + 1, end):
                view, met = next(seen)
                if not self._again[frame]:
                    assert met is not None, "an anchor came before"
                    state = carrier.step(state, met, view)
                past = Side(state, frame - anchor.frame)
                future = None if end == frames else _taken(later, frame, end)
                yield Step(frame, view, Reached(past, future), self._again[frame], met, own=False)

    def _seen(self) -> Iterator[tuple[View, Meeting | None]]:
        """Every frame in order, and how it comes out of the distinct one before it; a repeat is what it
        repeats."""
        before: View | None = None
        met: Meeting | None = None
        for frame, again in enumerate(self._again):
            if before is None or not again:
                here = self._film[frame]
                met = None if before is None else meeting(before, here, self._estimator)
                before = here
            yield before, met


def way(past_frames: int | None, future_frames: int | None) -> float:
    """How far from the anchor before (0) to the one after (1) a frame is that lies so far from either; None:
    there is none."""
    if past_frames is None or future_frames is None:
        return float(past_frames is None)
    return past_frames / (past_frames + future_frames)


def _taken(later: Spill, frame: int, anchor: int) -> Side:
    planes_3hw = later.get(frame).astype(np.float32)
    return Side(State(planes_3hw[:2], planes_3hw[2]), anchor - frame)


def _check(reference: Reference, footage: Footage) -> None:
    size = (footage.height, footage.width)
    if reference.luma_HW.shape != size or reference.ab_2HW.shape != (2, *size):
        raise ValueError(f"a reference of {reference.luma_HW.shape} for footage of {size}")
    if reference.frame is not None and not 0 <= reference.frame < footage.frame_count:
        raise ValueError(f"a reference of frame {reference.frame} of {footage.frame_count}")
