"""The restorer that needs no weights: finds dirt by what time says, and fills it from what time shows.

Shape suffixes: C planes, H rows, W columns, P picked pixels.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from models import grain as graining
from models import motion
from models.classical import fill, scratches
from models.classical.detector import Detector, Dirt
from models.classical.patch import Patch
from models.classical.settings import ClassicalSettings
from models.classical.survey import grouped, repeats
from models.classical.window import Window, scene_drift
from models.metrics import grown
from models.restorer import Card, Defect, Footage, Planes, Repair

__all__ = ["ClassicalRestorer", "ClassicalSettings"]

Float = NDArray[np.float32]
Mask = NDArray[np.bool_]

VERSION = "1"

# To mend a view, the suspects of the two next ones must be known, which look one further; scratches look four
# ahead.
_AHEAD = 4
_BEHIND = 2
# The picture under a scratch is inferred from both sides, not seen.
_SCRATCH_CONFIDENCE = 0.6


class ClassicalRestorer:
    """Motion-compensated detection and repair after Kokaram and others; each module names its sources."""

    def __init__(self, settings: ClassicalSettings | None = None) -> None:
        self._settings = settings or ClassicalSettings()

    @property
    def card(self) -> Card:
        """What this restorer is; every setting is part of it."""
        return Card(name="classical", version=VERSION, parameters=self._settings.flat())

    def restore(self, footage: Footage) -> Iterator[Repair]:
        """One repair per frame, in order. Reads the footage twice; holds about eight distinct frames.

        A shot of one or two frames, and whatever time cannot vouch for, comes back as it was.
        """
        again = repeats(footage)
        walk = _Walk(self._settings, footage)
        yield from walk.repairs(grouped(footage, again))


class _Walk:
    """One way through one shot."""

    def __init__(self, settings: ClassicalSettings, footage: Footage) -> None:
        self._settings = settings
        self._colour = footage.colour
        self._window = Window(footage.colour, motion.Dis(settings.motion))
        self._detector = Detector(self._window, settings)
        self._sights: dict[int, scratches.Sight] = {}
        self._grains: dict[int, graining.Grain] = {}
        self._maker = graining.GrainMaker(settings.seed)

    def repairs(self, groups: Iterator[list[Planes]]) -> Iterator[Repair]:
        """Mends each view once all it needs has arrived; lays the patch over the frame and its repeats."""
        arrived = 0
        at = 0
        frame = 0
        more = True
        while more or at < arrived:
            while more and arrived <= at + _AHEAD:
                copies = next(groups, None)
                if copies is None:
                    more = False
                else:
                    self._arrive(arrived, copies)
                    arrived += 1
            if at >= arrived:
                return
            patch = self._mend(at, frame)
            copies = self._window[at].copies
            yield from (patch.on(planes_CHW) for planes_CHW in copies)
            frame += len(copies)
            at += 1
            self._window.forget(at - _BEHIND - 1)
            self._detector.forget(at - _BEHIND - 1)
            self._sights.pop(at - self._settings.scratches.watch_frames - 1, None)

    def _arrive(self, number: int, copies: list[Planes]) -> None:
        view = self._window.arrive(number, copies)
        if not self._settings.mend_scratches:
            return
        if number - 1 in self._window:
            pair = self._window[number - 1].to_next
            if pair is not None:
                self._sights[number - 1].drift_hw = scene_drift(pair, view.luma_HW.shape[1])
        self._sights[number] = scratches.Sight(scratches.lines(view.luma_HW, self._settings.scratches))

    def _mend(self, number: int, frame: int) -> Patch:
        patch = Patch.empty(self._window[number].planes_CHW)
        if self._settings.mend_scratches:
            self._take_scratches_out(number, patch)
        dirt = self._detector.dirt(number) if self._settings.mend_dirt else None
        if dirt is not None:
            self._fill(number, frame, dirt, patch)
        return patch

    def _take_scratches_out(self, number: int, patch: Patch) -> None:
        settings = self._settings.scratches
        numbers = sorted(self._sights)
        sights_T = [self._sights[other] for other in numbers]
        height, width = self._window[number].luma_HW.shape
        for line in scratches.scratches(sights_T, numbers.index(number), height, width, settings):
            mask_HW, added_CP = scratches.profile(patch.values_CHW, line, settings)
            patch.cover(
                mask_HW, patch.values_CHW[:, mask_HW] - added_CP, 1.0, _SCRATCH_CONFIDENCE, Defect.SCRATCH
            )

    def _fill(self, number: int, frame: int, dirt: Dirt, patch: Patch) -> None:
        settings, mask_HW = self._settings, dirt.mask_HW
        planes_CHW = self._window[number].planes_CHW
        rows_P, columns_P = np.nonzero(mask_HW)
        hidden_HW = grown(self._detector.suspects(number).blobs.mask_HW | mask_HW, 1)
        sources = self._sources(number, hidden_HW)
        self._learn_grain(number, planes_CHW, sources, ~hidden_HW)
        filled, kept_P = fill.from_time(planes_CHW, rows_P, columns_P, hidden_HW, sources)
        filled, kept_P = fill.from_space_where_lost(filled, kept_P, planes_CHW, mask_HW, hidden_HW)
        values_CP = fill.regrained(
            filled,
            kept_P,
            rows_P,
            columns_P,
            [self._grains[c] for c in range(len(planes_CHW))],
            # One grain for all of red, green and blue: silver, or dyes made where silver was.
            [0 if self._colour == "rgb" else c for c in range(len(planes_CHW))],
            self._maker,
            frame,
            settings.grain,
        )
        opacity_P = fill.feather(mask_HW, settings.feather_px)[mask_HW]
        confidence_P = np.clip(dirt.confidence_HW[mask_HW] * filled.trust_P, 0.01, 1)
        patch.cover(mask_HW, values_CP, opacity_P, confidence_P, Defect.DIRT)

    def _learn_grain(
        self, number: int, planes_CHW: Planes, sources: list[fill.Source], whole_HW: Mask
    ) -> None:
        """Each plane's grain, from how it differs from its two nearest neighbours' mean."""
        nearest = sources[:2]
        quiet_HW = whole_HW.copy()
        for source in nearest:
            quiet_HW &= source.lost_HW < 1.0
        light_HW = self._window[number].luma_HW
        for c, plane_HW in enumerate(planes_CHW):
            there = [motion.warp(source.planes_CHW[c], source.flow_HW2) for source in nearest]
            expected_HW = np.mean(there, axis=0, dtype=np.float32)
            expected_HW += np.median((plane_HW - expected_HW)[::4, ::4])
            newer = graining.measure(plane_HW, light_HW, expected_HW, quiet_HW)
            self._grains[c] = graining.blended(self._grains.get(c), newer or graining.NO_GRAIN)

    def _sources(self, number: int, hidden_HW: Mask) -> list[fill.Source]:
        """The neighbours that may lend pixels, nearest first."""
        sources = []
        for step in (-1, 1, -2, 2):
            other = number + step
            if other not in self._window:
                continue
            flow_HW2, error_HW = self._window.flow(number, step)
            sources.append(
                fill.Source(
                    self._window[other].planes_CHW,
                    motion.smooth_over(flow_HW2, hidden_HW, max(hidden_HW.shape) // 16),
                    error_HW,
                    self._detector.suspects(other).blobs.mask_HW,
                    abs(step),
                )
            )
        return sources
