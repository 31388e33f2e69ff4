"""The colouriser that needs no weights: colour carried from stills along motion, both ways in time.

Shape suffixes: H rows, W columns of the picture; h, w of the working picture; 2 is (a, b).

Source: the way of Levin et al. 2004 with motion as by Yatziv and Sapiro 2006; each module names its own.
"""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

from models.colour.carry import State
from models.colour.colouriser import Coloured, Reference
from models.colour.guided import enlarge_along
from models.colour.steady import Steady
from models.colour.walk import Reached, Walk, way
from models.flow import FlowEstimator
from models.motion import Dis, MotionSettings, enlarge
from models.restorer import Card, Footage, luma

Float = NDArray[np.float32]

VERSION = "1"


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

    @property
    def reached_from(self) -> float:
        """As `grey_below`."""
        return self._settings.grey_below

    def colour(self, footage: Footage, references: Sequence[Reference]) -> Iterator[Coloured]:
        """One for each frame, in order. Reads the footage twice; holds a few frames, and small stills.

        Meanwhile 7 bytes for each working pixel of every frame stand in temporary files. Raises ValueError
        where there is no reference, or one of another size or of a frame outside the footage.
        """
        walk = Walk(footage, references, self._settings.work_px, self._estimator)
        steady = Steady()
        before: Coloured | None = None
        for planes_CHW, step in zip(footage, walk.steps(), strict=True):
            if before is None or not step.again:
                known = steady.keep(blended(step.reached), step.met, step.own)
                luma_HW = luma(planes_CHW, footage.colour)
                before = finished(known, step.view.luma_hw, luma_HW, self._settings.grey_below)
            yield before


def blended(reached: Reached) -> State:
    """Both sides by confidence and nearness; one where there is one."""
    if reached.past is None or reached.future is None:
        side = reached.past or reached.future
        assert side is not None, "there is at least one anchor in a shot"
        return side.state
    before, after = reached.past.state, reached.future.state
    there = way(reached.past.frames_away, reached.future.frames_away)
    before_hw = before.confidence_hw * (1 - there) + 1e-6
    after_hw = after.confidence_hw * there + 1e-6
    share_hw = after_hw / (before_hw + after_hw)
    ab_2hw = before.ab_2hw + share_hw * (after.ab_2hw - before.ab_2hw)
    return State(ab_2hw, np.maximum(before.confidence_hw, after.confidence_hw))


def finished(known: State, luma_hw: Float, luma_HW: Float, grey_below: float) -> Coloured:
    """Colour at the picture's size, grey where next to nothing is known. luma: the frame's, at working size
    and its own. grey_below: confidence under which colour fades."""
    ab_2HW = enlarge_along(known.ab_2hw, luma_hw, luma_HW)
    confidence_HW = enlarge(known.confidence_hw, *luma_HW.shape)
    if grey_below:
        ab_2HW = ab_2HW * np.minimum(confidence_HW / grey_below, 1)
    return Coloured(ab_2HW.astype(np.float32), confidence_HW)
