"""New pixels for a view's damage: from its neighbours, from around, with the film's grain.

Shape suffixes: C planes, H rows, W columns, P picked pixels.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from models import grain as graining
from models import motion
from models.classical import fill
from models.classical.detector import Detector
from models.classical.patch import Patch
from models.classical.settings import ClassicalSettings
from models.classical.window import Window
from models.metrics import grown
from models.restorer import Colour, Defect

Float = NDArray[np.float32]
Mask = NDArray[np.bool_]

# Beyond this the slope of the picture is taken for grain, where no neighbour tells them apart.
_CALM_PX = 2.0


@dataclass(frozen=True)
class Filling:
    """What belongs under a mask."""

    mask_HW: Mask
    values_CP: Float
    """One for each pixel of the mask, row by row."""
    trust_P: Float
    """In [0, 1]: how far time could say what stands there."""

    def lay(self, patch: Patch, mask_HW: Mask, opacity_HW: Float, confidence_HW: Float, kind: Defect) -> None:
        """Covers a part of the mask; confidence is that of the finding, and falls with the filling's."""
        part_P = mask_HW[self.mask_HW]
        confidence_P = np.clip(confidence_HW[mask_HW] * self.trust_P[part_P], 0.01, 1)
        patch.cover(mask_HW, self.values_CP[:, part_P], opacity_HW[mask_HW], confidence_P, kind)


class Filler:
    """Fills views of a window; learns the shot's grain on the way."""

    def __init__(
        self, window: Window, detector: Detector, colour: Colour, settings: ClassicalSettings
    ) -> None:
        self._window = window
        self._detector = detector
        self._colour = colour
        self._settings = settings
        self._grains: dict[int, graining.Grain] = {}
        self._maker = graining.GrainMaker(settings.seed)

    def filling(self, number: int, frame: int, mask_HW: Mask) -> Filling | None:
        """New pixels for the mask's; None where nothing is whole to make them from.

        frame: the grain's seed.
        """
        view = self._window[number]
        rows_P, columns_P = np.nonzero(mask_HW)
        damaged_HW = self._detector.suspects(number).blobs.mask_HW | mask_HW
        if view.given_HW is not None:
            damaged_HW |= view.given_HW
        hidden_HW = grown(damaged_HW, 1)
        sources = self._sources(number, hidden_HW)
        self._learn_grain(number, sources, ~hidden_HW)
        filled, kept_P = fill.from_time(view.planes_CHW, rows_P, columns_P, hidden_HW, sources)
        if view.given_HW is None:
            filled, kept_P = fill.from_space_where_lost(filled, kept_P, view.planes_CHW, mask_HW, hidden_HW)
        else:
            around = fill.from_around_where_lost(filled, kept_P, view.planes_CHW, mask_HW, hidden_HW)
            if around is None:
                return None
            filled, kept_P = around
        planes = range(len(view.planes_CHW))
        values_CP = fill.regrained(
            filled,
            kept_P,
            rows_P,
            columns_P,
            [self._grains[c] for c in planes],
            # One grain for all of red, green and blue: silver, or dyes made where silver was.
            [0 if self._colour == "rgb" else c for c in planes],
            self._maker,
            frame,
            self._settings.grain,
        )
        return Filling(mask_HW, values_CP, filled.trust_P)

    def _learn_grain(self, number: int, sources: list[fill.Source], whole_HW: Mask) -> None:
        """Each plane's grain, from how it differs from its two nearest neighbours' mean."""
        nearest = sources[:2]
        quiet_HW = whole_HW.copy()
        for source in nearest:
            quiet_HW &= source.lost_HW < 1.0
        view = self._window[number]
        for c, plane_HW in enumerate(view.planes_CHW):
            if nearest:
                there = [motion.warp(source.planes_CHW[c], source.flow_HW2) for source in nearest]
                expected_HW = np.mean(there, axis=0, dtype=np.float32)
                expected_HW += np.median((plane_HW - expected_HW)[::4, ::4])
            else:
                expected_HW = cv2.GaussianBlur(plane_HW, (0, 0), _CALM_PX)
            newer = graining.measure(plane_HW, view.luma_HW, expected_HW, quiet_HW)
            older = self._grains.get(c, graining.NO_GRAIN)
            self._grains[c] = older if newer is None else graining.blended(self._grains.get(c), newer)

    def _sources(self, number: int, hidden_HW: Mask) -> list[fill.Source]:
        """The neighbours that may lend pixels, nearest first."""
        given_HW = self._window[number].given_HW
        # Under what was marked, motion is mended already.
        unsure_HW = hidden_HW if given_HW is None else hidden_HW & ~given_HW
        sources = []
        for step in (-1, 1, -2, 2):
            other = number + step
            if other not in self._window:
                continue
            flow_HW2, error_HW = self._window.flow(number, step)
            sources.append(
                fill.Source(
                    self._window[other].whole_CHW,
                    motion.smooth_over(flow_HW2, unsure_HW, max(hidden_HW.shape) // 16),
                    error_HW,
                    self._damaged(other),
                    abs(step),
                )
            )
        return sources

    def _damaged(self, number: int) -> Mask:
        """What of a view must not be lent: its suspects, and what was marked, with its soft rim."""
        suspects_HW = self._detector.suspects(number).blobs.mask_HW
        given_HW = self._window[number].given_HW
        return suspects_HW if given_HW is None else suspects_HW | grown(given_HW, 1)
