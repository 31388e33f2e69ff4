"""Which frames of a shot are worth colouring by hand: the fewest whose colour reaches most of it.

Shape suffixes: h rows, w columns of the small picture; 2 is (dx, dy) in its pixels.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from models.colour.spill import Spill
from models.colour.view import View, recognised, small, view
from models.flow import FlowEstimator
from models.motion import Dis, MotionSettings, grid, warp
from models.restorer import Footage, luma

Float = NDArray[np.float32]
Mask = NDArray[np.bool_]

_WORK_PX = 256
# So many frames, spread over the shot, may be chosen, and so many are looked at to see how much was reached.
_CANDIDATES, _WITNESSES = 15, 60
# A step that agrees less than this is a step into what was not seen before.
_AGREES = 0.3
# A still that adds less than this share of the shot is not worth a person's hours.
_LEAST_GAIN = 0.02
# Between the darkest and the brightest hundredth of a picture lies at least this much of luma: else it is a
# leader, or a fade's end, and there is nothing to paint.
_LEAST_SEEN = 0.08
# Among stills that reach about as much, a sharp one, and one from the middle, is easier to paint and lasts.
_SHARP, _MIDDLE = 0.1, 0.05


@dataclass(frozen=True)
class Worth:
    """A frame worth colouring."""

    frame: int
    reaches: float
    """The share of all pixels of the shot that its colour reaches along motion."""
    adds: float
    """Of those, the share that no frame chosen before it reaches."""


def worth_colouring(footage: Footage, count: int, estimator: FlowEstimator | None = None) -> list[Worth]:
    """At most `count` frames, the most useful first: none that adds next to nothing, none on which nothing is
    to be seen, and else at least one.

    Reads the footage once; sets motion aside in a temporary file. estimator: of motion, DIS unless given.
    Raises ValueError for a count below 1.
    """
    if count < 1:
        raise ValueError("at least one still is needed")
    frames = footage.frame_count
    with _Steps(footage, estimator or Dis(MotionSettings(proxy_px=_WORK_PX))) as steps:
        seen = [frame for frame in range(frames) if steps.seen[frame]]
        if not seen:
            return []
        candidates = [seen[place] for place in _spread(len(seen), _CANDIDATES)]
        witnesses = _spread(frames, _WITNESSES)
        reach_CWhw = np.stack([_reach(steps, frame, frames, witnesses) for frame in candidates])
        ease = _ease(np.array([steps.sharpness[frame] for frame in candidates]), np.array(candidates), frames)
    left = np.ones(reach_CWhw.shape[1:], bool)
    chosen: list[Worth] = []
    while len(chosen) < min(count, len(candidates)):
        gains = np.array([float((reach & left).mean()) for reach in reach_CWhw])
        best = int(np.argmax(gains * ease))
        if chosen and gains[best] < _LEAST_GAIN:
            break
        chosen.append(Worth(candidates[best], float(reach_CWhw[best].mean()), float(gains[best])))
        left &= ~reach_CWhw[best]
    return chosen


class _Steps:
    """Where each frame's pixels stood in the one before and after it, or nowhere."""

    def __init__(self, footage: Footage, estimator: FlowEstimator) -> None:
        self.sharpness: list[float] = []
        self.seen: list[bool] = []
        self._flows: Spill | None = None
        before: View | None = None
        for frame, planes_CHW in enumerate(footage):
            here = view(small(luma(planes_CHW, footage.colour), _WORK_PX), estimator)
            self.shape_hw = here.luma_hw.shape
            self.sharpness.append(float(cv2.Laplacian(here.luma_hw, cv2.CV_32F).var()))
            self.seen.append(float(np.ptp(np.percentile(here.luma_hw, (1, 99)))) >= _LEAST_SEEN)
            if before is not None:
                if self._flows is None:
                    self._flows = Spill((2, *self.shape_hw, 2), np.float16)
                pair = estimator.between(before.look_hw, here.look_hw)
                back_hw2 = _broken(pair.backward_hw2, pair.backward_error_hw, before, here)
                forth_hw2 = _broken(pair.forward_hw2, pair.forward_error_hw, here, before)
                self._flows.put(frame, np.stack([forth_hw2, back_hw2]).astype(np.float16))
            before = here

    def __enter__(self) -> "_Steps":
        return self

    def __exit__(self, *_: object) -> None:
        if self._flows is not None:
            self._flows.close()

    def into(self, frame: int, source: int) -> Float:
        """Flow from a frame to its neighbour `source`; not a number where it leads nowhere."""
        assert self._flows is not None
        stored = self._flows.get(max(frame, source))
        flow_hw2: Float = stored[1 if source < frame else 0].astype(np.float32)
        return flow_hw2


def _broken(flow_hw2: Float, error_hw: Float, source: View, here: View) -> Float:
    """Flow from here to the source, with not-a-number where it is not to be believed."""
    place_hw2 = grid(*here.luma_hw.shape) + flow_hw2
    sure_hw = recognised(here.luma_hw, source.luma_hw, place_hw2, error_hw)
    return np.where((sure_hw > _AGREES)[..., None], flow_hw2, np.float32(np.nan)).astype(np.float32)


def _reach(steps: _Steps, start: int, frames: int, witnesses: list[int]) -> Mask:
    """What of each witness's picture the colour of frame `start` reaches, (W, h, w) quartered."""
    wanted = {frame: place for place, frame in enumerate(witnesses)}
    rows, columns = (max(1, side // 4) for side in steps.shape_hw)
    found = np.zeros((len(witnesses), rows, columns), bool)
    for way in (1, -1):
        reached_hw = np.ones(steps.shape_hw, np.float32)
        frame = start
        while 0 <= frame < frames:
            if frame != start:
                flow_hw2 = steps.into(frame, frame - way)
                leads_hw = np.isfinite(flow_hw2[..., 0])
                reached_hw = warp(reached_hw, np.nan_to_num(flow_hw2)) * leads_hw
                # Closed again where a pixel or two fell out: colour is filled in there.
                reached_hw = cv2.morphologyEx(reached_hw, cv2.MORPH_CLOSE, np.ones((5, 5), np.uint8))
            if frame in wanted:
                found[wanted[frame]] = (
                    cv2.resize(reached_hw, (columns, rows), interpolation=cv2.INTER_AREA) > 0.5
                )
            frame += way
    return found


def _ease(sharpness: NDArray[np.float64], candidates: NDArray[np.intp], frames: int) -> NDArray[np.float64]:
    """What a candidate's gain is multiplied by, about 1."""
    sharp = np.clip(sharpness / max(float(np.median(sharpness)), 1e-9), 0, 2) - 1
    middle = 1 - 2 * np.abs((candidates + 0.5) / frames - 0.5)
    ease: NDArray[np.float64] = 1 + _SHARP * sharp + _MIDDLE * middle
    return ease


def _spread(frames: int, count: int) -> list[int]:
    """At most so many frames, evenly over the shot, the middles of equal parts."""
    count = min(count, frames)
    return [int((place + 0.5) * frames / count) for place in range(count)]
