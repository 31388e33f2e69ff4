"""One walk through a shot that measures all of its wear.

Shape suffixes: T frames, H rows, W columns.
"""

from collections.abc import Iterator

import cv2
import numpy as np
from numpy.typing import NDArray

from models import motion
from models.classical import scratches, tone
from models.classical.detector import Detector
from models.classical.scratches import ScratchSettings
from models.classical.settings import ClassicalSettings
from models.classical.survey import Shown, grouped, repeats
from models.classical.window import Window, scene_drift
from models.metrics import grown
from models.restorer import Footage
from models.wear import picture
from models.wear.lines import Following
from models.wear.unrest import Unrest
from models.wear.wear import Wear

Float = NDArray[np.float32]

# The detector judges a view by the suspects of two on either side; scratches are followed four either way.
_AHEAD, _BEHIND = 4, 2
# Six, as a restorer needs, found no scratch in five old films and a fortieth of the synthetic ones; three
# still found none in four clean clips.
_SIGHTINGS = 3


def measure_wear(footage: Footage) -> Wear:
    """The wear of one shot. Reads it twice, holds about eight frames, and of the rest a few numbers each.

    Defects and grain are measured where there is a frame before and a frame after to compare with; a repeat
    counts as the frame it repeats. In a shot of fewer than three distinct frames there is little to measure.
    """
    again = repeats(footage)
    walk = _Walk(footage, ClassicalSettings(scratches=ScratchSettings(fewest_sightings=_SIGHTINGS)))
    for copies in grouped(footage, again):
        walk.arrive(copies)
    return walk.finish() + Wear(repeats_T=np.array(again, np.float32))


class _Walk:
    def __init__(self, footage: Footage, settings: ClassicalSettings) -> None:
        self._settings = settings
        self._window = Window(footage.colour, motion.Dis(settings.motion))
        self._detector = Detector(self._window, settings)
        self._sights: dict[int, scratches.Sight] = {}
        self._unrest = Unrest()
        self._lines = Following(settings.scratches)
        self._arrived = 0
        self._seen: list[Wear] = []

    def arrive(self, copies: list[Shown]) -> None:
        """Takes in the next distinct frame, and measures the one whose turn that makes it."""
        number = self._arrived
        self._arrived += 1
        view = self._window.arrive(number, copies)
        self._sights[number] = scratches.Sight(scratches.lines(view.luma_HW, self._settings.scratches))
        if number > 0:
            before = self._window[number - 1]
            assert before.to_next is not None, "found as soon as the next view arrives"
            self._sights[number - 1].drift_hw = scene_drift(before.to_next, view.luma_HW.shape[1])
            brought_HW, lost_HW = self._brought(number, -1)
            self._unrest.step(view.luma_HW, brought_HW, lost_HW, before.to_next)
        if number >= _AHEAD:
            self._measure(number - _AHEAD)

    def finish(self) -> Wear:
        """All that was measured, once the last frame has arrived."""
        for number in range(max(0, self._arrived - _AHEAD), self._arrived):
            self._measure(number)
        total = self._unrest.finish() + self._lines.finish()
        for wear in self._seen:
            total += wear
        return total

    def _measure(self, number: int) -> None:
        light_HW = self._window[number].luma_HW
        seen = picture.looks(light_HW)
        self._lines.step(light_HW, list(self._scratches(number)))
        if number - 1 in self._window and number + 1 in self._window:
            suspicion = self._detector.suspects(number)
            seen += self._defects(number)
            seen += self._grain(number, light_HW, grown(suspicion.blobs.mask_HW, 2))
        self._seen.append(seen)
        self._window.forget(number - _BEHIND)
        self._detector.forget(number - _BEHIND)
        self._sights.pop(number - self._settings.scratches.watch_frames, None)

    def _scratches(self, number: int) -> Iterator[scratches.Line]:
        numbers = sorted(self._sights)
        sights_T = [self._sights[other] for other in numbers]
        height, width = self._window[number].luma_HW.shape
        yield from scratches.scratches(
            sights_T, numbers.index(number), height, width, self._settings.scratches
        )

    def _defects(self, number: int) -> Wear:
        suspicion = self._detector.suspects(number)
        found = suspicion.evidence
        if found is None:
            nothing = np.zeros(1, np.float32)
            return Wear(dirt_T=nothing, suspects_T=nothing, covered_T=nothing)
        height, width = suspicion.rims_HW.shape
        sure_N = self._detector.sureness(number) >= self._settings.sure
        area_N = found.shapes.area_N[sure_N]
        return Wear(
            dirt_T=np.array([sure_N.sum()], np.float32),
            suspects_T=np.array([sure_N.size], np.float32),
            covered_T=np.array([area_N.sum() / (height * width)], np.float32),
            diameter_N=(2 * np.sqrt(area_N / np.pi) / height).astype(np.float32),
            length_N=found.shapes.long_N[sure_N],
            contrast_N=found.shapes.contrast_N[sure_N],
            edge_N=found.edge_N[sure_N],
        )

    def _grain(self, number: int, light_HW: Float, hidden_HW: NDArray[np.bool_]) -> Wear:
        (before_HW, lost_HW), (after_HW, gone_HW) = self._brought(number, -1), self._brought(number, 1)
        expected_HW = 0.5 * (tone.matched(before_HW, light_HW) + tone.matched(after_HW, light_HW))
        return picture.grain(light_HW, expected_HW, ~(lost_HW | gone_HW | hidden_HW))

    def _brought(self, number: int, step: int) -> tuple[Float, NDArray[np.bool_]]:
        """A view's neighbour seen from it, and where motion is not to be trusted (a pixel of round trip)."""
        flow_HW2, error_HW = self._window.flow(number, step)
        there_HW = self._window[number + step].luma_HW
        return motion.warp(there_HW, flow_HW2, cv2.INTER_CUBIC), error_HW > 1.0
