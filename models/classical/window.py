"""The few frames of a shot that are held at a time, and motion between them.

Shape suffixes: C planes, H rows, W columns, h, w the motion proxy, 2 is (dx, dy).
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from models import motion
from models.classical import holes
from models.classical.membrane import membrane
from models.classical.survey import Shown
from models.flow import FlowEstimator
from models.restorer import Colour, Planes, luma

Float = NDArray[np.float32]
Mask = NDArray[np.bool_]

# A view that is marked over more than this has no motion of its own.
_MOST_MARKED = 0.5


@dataclass
class View:
    """One distinct frame: its planes, those of its repeats, and motion to the next."""

    number: int
    """Its place among the distinct frames."""
    copies: list[Shown]
    given_HW: Mask | None
    """What was marked from outside, in any of the copies; None where nothing was."""
    whole_CHW: Planes
    """The frame with what was marked covered by a smooth sheet: nothing of it may pull at motion or tone."""
    luma_HW: Float
    """Of `whole_CHW`."""
    proxy_hw: NDArray[np.uint8]
    to_next: motion.Pair | None = None

    @property
    def planes_CHW(self) -> Planes:
        """The frame itself."""
        return self.copies[0].planes_CHW

    @property
    def has_motion(self) -> bool:
        """Whether enough of it shows for motion to be found."""
        return self.given_HW is None or float(self.given_HW.mean()) <= _MOST_MARKED


class Window:
    """Views by number; each pair's motion is found once, when the later one arrives."""

    def __init__(self, colour: Colour, estimator: FlowEstimator) -> None:
        self._colour = colour
        self._estimator = estimator
        self._views: dict[int, View] = {}
        self._mended: dict[tuple[int, int], holes.Motion] = {}
        self._passing: dict[int, holes.Motion | None] = {}

    def __contains__(self, number: int) -> bool:
        return number in self._views

    def __getitem__(self, number: int) -> View:
        return self._views[number]

    def arrive(self, number: int, copies: list[Shown]) -> View:
        """Takes in the next view."""
        given = [shown.given_HW for shown in copies if shown.given_HW is not None]
        given_HW = np.logical_or.reduce(given) if given else None
        planes_CHW = copies[0].planes_CHW
        whole_CHW = planes_CHW if given_HW is None else membrane(planes_CHW, given_HW)
        light_HW = luma(whole_CHW, self._colour)
        look_hw = self._estimator.look(light_HW)
        view = View(number, copies, given_HW, whole_CHW, light_HW, look_hw)
        before = self._views.get(number - 1)
        if before is not None:
            before.to_next = self._estimator.between(before.proxy_hw, view.proxy_hw)
        self._views[number] = view
        return view

    def forget(self, number: int) -> None:
        """Drops a view, if it is held."""
        self._views.pop(number, None)
        for toward in (-1, 1):
            self._mended.pop((number, toward), None)
        self._passing.pop(number, None)

    def flow(self, number: int, step: int) -> tuple[Float, Float]:
        """Motion from a view to the one `step` (1 or 2, either way) from it: full-size flow_HW2, round trip's
        error_HW."""
        height, width = self._views[number].luma_HW.shape
        toward = 1 if step > 0 else -1
        flow_hw2, error_hw = self._adjacent(number, toward)
        if abs(step) == 2:
            second_hw2, second_error_hw = self._adjacent(number + toward, toward)
            error_hw = error_hw + motion.warp(second_error_hw, flow_hw2)
            flow_hw2 = motion.compose(flow_hw2, second_hw2)
        return motion.enlarge_flow(flow_hw2, height, width), motion.enlarge(error_hw, height, width)

    def _adjacent(self, number: int, toward: int) -> tuple[Float, Float]:
        """Motion from a view to the next one that way, on the proxy's grid, mended under what was marked."""
        given_HW = self._views[number].given_HW
        measured = self._measured(number, toward)
        if given_HW is None:
            return measured.flow_hw2, measured.error_hw
        if (number, toward) not in self._mended:
            hole_hw = holes.on_proxy(given_HW, measured.error_hw.shape)
            passing = self._passing_by(number)
            around = passing and holes.Motion(toward * passing.flow_hw2, passing.error_hw)
            self._mended[number, toward] = holes.mended(measured, hole_hw, around)
        mended = self._mended[number, toward]
        return mended.flow_hw2, mended.error_hw

    def _passing_by(self, number: int) -> holes.Motion | None:
        """How the scene passes by a view in one frame, by the nearest views around; found once."""
        if number not in self._passing:
            self._passing[number] = self._pass(number)
        return self._passing[number]

    def _pass(self, number: int) -> holes.Motion | None:
        showing = sorted(n for n, view in self._views.items() if n != number and view.has_motion)
        before, after = [n for n in showing if n < number][-2:], [n for n in showing if n > number][:2]
        ends = [*before[-1:], *after[:1]] if before and after else before or after
        if len(ends) < 2:
            return None
        first, second = (self._views[n] for n in ends)
        pair = self._estimator.between(first.proxy_hw, second.proxy_hw)
        there = self._known(pair.forward_hw2, pair.forward_error_hw, first)
        back = self._known(pair.backward_hw2, pair.backward_error_hw, second)
        return holes.passing(there, back, 1 / (second.number - first.number))

    def _known(self, flow_hw2: Float, error_hw: Float, view: View) -> holes.Motion:
        measured = holes.Motion(flow_hw2, error_hw)
        if view.given_HW is None:
            return measured
        return holes.mended(measured, holes.on_proxy(view.given_HW, error_hw.shape), None)

    def _measured(self, number: int, toward: int) -> holes.Motion:
        pair = self._views[number if toward > 0 else number - 1].to_next
        assert pair is not None, "a view's motion is found as soon as the next one arrives"
        if toward > 0:
            return holes.Motion(pair.forward_hw2, pair.forward_error_hw)
        return holes.Motion(pair.backward_hw2, pair.backward_error_hw)


def scene_drift(pair: motion.Pair, width: int) -> Float:
    """The scene's motion across, full-size pixels, on a coarse grid of 16 by 32 cells."""
    across_hw = pair.forward_hw2[..., 0] * (width / pair.forward_hw2.shape[1])
    drift_hw: Float = cv2.resize(across_hw, (32, 16), interpolation=cv2.INTER_AREA)
    return drift_hw
