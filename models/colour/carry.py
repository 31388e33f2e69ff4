"""One step of colour along motion, from a frame to its neighbour.

Shape suffixes: h rows, w columns of the working picture; 2 is (a, b), or (x, y) in its pixels.

Two ways lead to a pixel. The still itself, at the place where this pixel stood in it: sharp, however far
away, since the place is corrected in every frame by motion between the still, brought here, and the frame.
And the frame before: it also knows what the still does not show, and what was given a colour in between.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from models.colour.diffusion import diffuse, pull
from models.colour.guided import enlarge_along
from models.colour.likeness import Likeness, described
from models.colour.view import Meeting, View, moved_place, recognised, sample
from models.flow import FlowEstimator
from models.motion import enlarge, grid, shrink, warp

Float = NDArray[np.float32]

# A step costs this much confidence where all agrees: half is left after 350 frames along the still, 70 along
# frames.
_FADE_STILL, _FADE_FRAME = 0.998, 0.99
# Of the still's weight, what the frame before gets where both are sure: smooths what flickers.
_STEADY = 0.5
# What was filled in is trusted by this share of what it was filled from; at 0.5 wrong fillings lasted longer.
_FILLED = 0.3
# How firmly a like cell holds a free pixel, and how far it is believed: 0.1 did better than 0.01 where people
# move, worse where the camera leaves what it saw.
_LIKE_TRUST, _LIKE_CONFIDENCE = 0.03, 0.3


@dataclass(frozen=True)
class Anchor:
    """A still, brought to a frame of the shot."""

    frame: int
    view: View
    """Of the still."""
    ab_2hw: Float
    """Of the still."""
    place_hw2: Float
    """Where each pixel of the frame stands in the still."""
    confidence_hw: Float
    """How well it does, on the frame's grid."""
    fits: float = 1.0
    """How far the still is believed as a whole, in [0, 1]: 1 for one of this very frame."""
    own: bool = False
    """Whether the still is of this very frame, whose colour nothing can better."""


@dataclass(frozen=True)
class State:
    """What is known of a frame's colour."""

    ab_2hw: Float
    confidence_hw: Float


@dataclass(frozen=True)
class Carried(State):
    """What is known on the way from an anchor."""

    place_hw2: Float
    """Where each pixel would stand in the still."""
    steps: int
    """How many frames the anchor is away."""


class Carrier:
    """Carries one anchor's colour from frame to frame, in either direction of time."""

    def __init__(self, estimator: FlowEstimator, anchor: Anchor, like: Likeness) -> None:
        self._estimator, self._anchor, self._like = estimator, anchor, like
        self._still_hw2 = np.ascontiguousarray(anchor.ab_2hw.transpose(1, 2, 0))

    def start(self, here: View) -> Carried:
        """The state of the anchor's own frame."""
        anchor = self._anchor
        ab_2hw = _planes(sample(self._still_hw2, anchor.place_hw2))
        return self._filled(here, Carried(ab_2hw, anchor.confidence_hw, anchor.place_hw2, 0))

    def step(self, state: Carried, met: Meeting, here: View) -> Carried:
        """The state of the next frame on the way, which is met from the one before it there."""
        flow_hw2 = met.flow_hw2
        frame_hw = warp(state.confidence_hw, flow_hw2) * met.met_hw * _FADE_FRAME
        frame_2hw = warp_planes(state.ab_2hw, flow_hw2)
        place_hw2, still_hw = self._placed(moved_place(state.place_hw2, flow_hw2), here)
        still_2hw = _planes(sample(self._still_hw2, place_hw2))
        still_hw *= self._anchor.fits * _FADE_STILL ** (state.steps + 1)
        weight_hw = still_hw**2 + 1e-6
        other_hw = _STEADY * frame_hw**2
        share_hw = weight_hw / (weight_hw + other_hw)
        ab_2hw = frame_2hw + share_hw * (still_2hw - frame_2hw)
        return self._filled(here, Carried(ab_2hw, np.maximum(still_hw, frame_hw), place_hw2, state.steps + 1))

    def _placed(self, guess_hw2: Float, here: View) -> tuple[Float, Float]:
        """Where this frame's pixels stand in the still, from a guess, and how surely."""
        still = self._anchor.view
        brought_hw = cv2.remap(
            still.look_hw, guess_hw2, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
        )
        pair = self._estimator.between(brought_hw, here.look_hw)
        place_hw2 = moved_place(guess_hw2, pair.backward_hw2)
        sure_hw = recognised(here.luma_hw, still.luma_hw, place_hw2, pair.backward_error_hw)
        # Where the correction is not sure, the surroundings' is guessed: what comes out from behind something
        # mostly belongs to what is beside it.
        here_hw2 = grid(*here.luma_hw.shape)
        offset_2hw = _planes(place_hw2 - here_hw2)
        likely_hw2 = here_hw2 + pull(offset_2hw, sure_hw**2).transpose(1, 2, 0)
        return place_hw2 + (1 - sure_hw)[..., None] * (likely_hw2 - place_hw2), sure_hw

    def _filled(self, here: View, state: Carried) -> Carried:
        """The state with its unsure pixels given what their surroundings, and like things in stills, have."""
        sure_hw = np.clip((state.confidence_hw - 0.3) / 0.4, 0, 1)
        if float((sure_hw < 1).mean()) < 1e-3:
            return state
        height, width = here.luma_hw.shape
        luma_hw = shrink(here.luma_hw, 0.5)
        known_hw = shrink(state.confidence_hw, 0.5)
        trust_hw = 20 * known_hw**3
        like_2hw, alike_hw = self._alike(here, known_hw)
        held_hw = _LIKE_TRUST * alike_hw
        total_hw = np.asarray(trust_hw + held_hw + 1e-6, np.float32)
        ab_2hw = np.stack([shrink(plane, 0.5) for plane in state.ab_2hw])
        target_2hw = (trust_hw * ab_2hw + held_hw * like_2hw) / total_hw
        hope_hw = (trust_hw * known_hw + held_hw * _LIKE_CONFIDENCE * alike_hw) / total_hw
        target_3hw = np.concatenate([target_2hw, hope_hw[None]]).astype(np.float32)
        solved_3hw = diffuse(target_3hw, total_hw, luma_hw)
        filled_2hw = enlarge_along(solved_3hw[:2], luma_hw, here.luma_hw)
        likely_hw = _FILLED * np.clip(enlarge(solved_3hw[2], height, width), 0, 1)
        return Carried(
            filled_2hw + sure_hw * (state.ab_2hw - filled_2hw),
            np.maximum(state.confidence_hw, likely_hw),
            state.place_hw2,
            state.steps,
        )

    def _alike(self, here: View, known_hw: Float) -> tuple[Float, Float]:
        """What like cells of the stills say of unsure pixels: colour, and how alike; 0 where all is known."""
        cells = described(here.luma_hw)
        rows, columns = cells.shape[:2]
        unsure = cv2.resize(known_hw, (columns, rows), interpolation=cv2.INTER_AREA) < 0.7
        ab, alike = np.zeros((rows, columns, 2), np.float32), np.zeros((rows, columns), np.float32)
        if unsure.any():
            ab[unsure], alike[unsure] = self._like.ask(cells[unsure])
        size = (known_hw.shape[1], known_hw.shape[0])
        return _planes(cv2.resize(ab, size)), cv2.resize(alike, size)


def warp_planes(planes_Chw: Float, flow_hw2: Float) -> Float:
    """The neighbour's planes seen from this frame; edges replicated."""
    return _planes(warp(np.ascontiguousarray(planes_Chw.transpose(1, 2, 0)), flow_hw2))


def _planes(image_hwC: Float) -> Float:
    return np.ascontiguousarray(image_hwC.transpose(2, 0, 1))
