"""The few frames of a shot that are held at a time, and motion between them.

Shape suffixes: C planes, H rows, W columns, h, w the motion proxy, 2 is (dx, dy).
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from models import motion
from models.flow import FlowEstimator
from models.restorer import Colour, Planes, luma

Float = NDArray[np.float32]


@dataclass
class View:
    """One distinct frame: its planes, those of its repeats, and motion to the next."""

    number: int
    """Its place among the distinct frames."""
    copies: list[Planes]
    luma_HW: Float
    proxy_hw: NDArray[np.uint8]
    to_next: motion.Pair | None = None

    @property
    def planes_CHW(self) -> Planes:
        """The frame itself."""
        return self.copies[0]


class Window:
    """Views by number; each pair's motion is found once, when the later one arrives."""

    def __init__(self, colour: Colour, estimator: FlowEstimator) -> None:
        self._colour = colour
        self._estimator = estimator
        self._views: dict[int, View] = {}

    def __contains__(self, number: int) -> bool:
        return number in self._views

    def __getitem__(self, number: int) -> View:
        return self._views[number]

    def arrive(self, number: int, copies: list[Planes]) -> View:
        """Takes in the next view."""
        light_HW = luma(copies[0], self._colour)
        view = View(number, copies, light_HW, self._estimator.look(light_HW))
        before = self._views.get(number - 1)
        if before is not None:
            before.to_next = self._estimator.between(before.proxy_hw, view.proxy_hw)
        self._views[number] = view
        return view

    def forget(self, number: int) -> None:
        """Drops a view, if it is held."""
        self._views.pop(number, None)

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
        pair = self._views[number if toward > 0 else number - 1].to_next
        assert pair is not None, "a view's motion is found as soon as the next one arrives"
        if toward > 0:
            return pair.forward_hw2, pair.forward_error_hw
        return pair.backward_hw2, pair.backward_error_hw


def scene_drift(pair: motion.Pair, width: int) -> Float:
    """The scene's motion across, full-size pixels, on a coarse grid of 16 by 32 cells."""
    across_hw = pair.forward_hw2[..., 0] * (width / pair.forward_hw2.shape[1])
    drift_hw: Float = cv2.resize(across_hw, (32, 16), interpolation=cv2.INTER_AREA)
    return drift_hw
