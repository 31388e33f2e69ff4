"""The restorer that needs no weights: finds dirt by what time says, and fills it from what time shows.

Shape suffixes: C planes, H rows, W columns.
"""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from models.classical import fill, scratches
from models.classical.detector import Detector
from models.classical.filler import Filler, Filling
from models.classical.patch import Patch
from models.classical.settings import ClassicalSettings
from models.classical.survey import Shown, grouped, repeats
from models.classical.window import View, Window, scene_drift
from models.motion import Dis
from models.restorer import Card, Defect, Footage, Repair

__all__ = ["ClassicalRestorer", "ClassicalSettings"]

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

    device = "cpu"

    @property
    def card(self) -> Card:
        """What this restorer is; every setting is part of it."""
        return Card(name="classical", version=VERSION, parameters=self._settings.flat())

    def restore(self, footage: Footage) -> Iterator[Repair]:
        """One repair per frame, in order. Reads the footage twice; holds about eight distinct frames.

        A shot of one or two frames, and whatever time cannot vouch for, comes back as it was; but what is
        marked in `footage.given` is filled whatever time says, unless nothing beside or around it is whole.
        """
        settings = self._settings
        if footage.given and footage.given.use == "replace":
            settings = replace(settings, mend_dirt=False, mend_scratches=False)
        again = repeats(footage)
        walk = _Walk(settings, footage)
        yield from walk.repairs(grouped(footage, again))


class _Walk:
    """One way through one shot."""

    def __init__(self, settings: ClassicalSettings, footage: Footage) -> None:
        self._settings = settings
        self._window = Window(footage.colour, Dis(settings.motion))
        self._detector = Detector(self._window, settings)
        self._sights: dict[int, scratches.Sight] = {}
        self._filler = Filler(self._window, self._detector, footage.colour, settings)

    def repairs(self, groups: Iterator[list[Shown]]) -> Iterator[Repair]:
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
            copies = self._window[at].copies
            yield from self._mend(at, frame)
            frame += len(copies)
            at += 1
            self._window.forget(at - _BEHIND - 1)
            self._detector.forget(at - _BEHIND - 1)
            self._sights.pop(at - self._settings.scratches.watch_frames - 1, None)

    def _arrive(self, number: int, copies: list[Shown]) -> None:
        view = self._window.arrive(number, copies)
        if not self._settings.mend_scratches:
            return
        if number - 1 in self._window:
            pair = self._window[number - 1].to_next
            if pair is not None:
                self._sights[number - 1].drift_hw = scene_drift(pair, view.luma_HW.shape[1])
        self._sights[number] = scratches.Sight(scratches.lines(view.luma_HW, self._settings.scratches))

    def _mend(self, number: int, frame: int) -> Iterator[Repair]:
        """The repairs of a view's copies: alike, but for what was marked in one and not in another."""
        view = self._window[number]
        found = Patch.empty(view.planes_CHW)
        if self._settings.mend_scratches:
            self._take_scratches_out(number, found)
        dirt = self._detector.dirt(number) if self._settings.mend_dirt else None
        masks = (dirt.mask_HW if dirt else None, view.given_HW)
        marked = [mask_HW for mask_HW in masks if mask_HW is not None]
        filling = self._filler.filling(number, frame, np.logical_or.reduce(marked)) if marked else None
        if filling is None:
            yield from (found.on(shown.planes_CHW) for shown in view.copies)
            return
        if dirt is not None:
            opacity_HW = fill.feather(filling.mask_HW, self._settings.feather_px)
            filling.lay(found, dirt.mask_HW, opacity_HW, dirt.confidence_HW, Defect.DIRT)
        yield from self._with_given(view, found, filling)

    def _with_given(self, view: View, found: Patch, filling: Filling) -> Iterator[Repair]:
        """What was found, and over it what was marked: that is damage for certain, and is covered whole."""
        given_HW = view.given_HW
        if given_HW is None:
            yield from (found.on(shown.planes_CHW) for shown in view.copies)
            return
        whole_HW = np.ones(given_HW.shape, np.float32)
        everything = found.copy()
        filling.lay(everything, given_HW, whole_HW, whole_HW, Defect.GIVEN)
        for shown in view.copies:
            here_HW = np.zeros_like(given_HW) if shown.given_HW is None else shown.given_HW
            patch = everything if np.array_equal(here_HW, given_HW) else everything.within(here_HW, found)
            yield patch.on(shown.planes_CHW)

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
