"""New pixels for a view's damage: from its neighbours, from around, with the film's grain.

Shape suffixes: C planes, H rows, W columns, P picked pixels.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from models import grain as graining
from models import motion
from models.classical import blend, fill
from models.classical.detector import Detector
from models.classical.membrane import membrane
from models.classical.patch import Patch
from models.classical.settings import ClassicalSettings
from models.classical.window import View, Window
from models.metrics import grown
from models.restorer import Colour, Defect, Planes, luma

Float = NDArray[np.float32]
Mask = NDArray[np.bool_]

# Beyond this the slope of the picture is taken for grain, where no neighbour tells them apart.
_CALM_PX = 2.0
# A frame of which less shows has no light of its own to go by.
_MOST_HIDDEN = 0.95
# What a continuation of the surroundings is worth.
_GUESSED = np.float32(0.1)


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
        damaged_HW = self._detector.suspects(number).blobs.mask_HW | mask_HW
        if view.given_HW is not None:
            damaged_HW |= view.given_HW
        hidden_HW = grown(damaged_HW, 1)
        if float(hidden_HW.mean()) > _MOST_HIDDEN:  # soft rims are the lesser evil
            hidden_HW = damaged_HW
        sources = self._sources(number, hidden_HW)
        self._learn_grain(number, sources, ~hidden_HW)
        if view.given_HW is not None:
            return self._large_filling(view, frame, mask_HW, hidden_HW, sources)
        rows_P, columns_P = np.nonzero(mask_HW)
        filled, kept_P = fill.from_time(view.planes_CHW, rows_P, columns_P, hidden_HW, sources)
        filled, kept_P = fill.from_space_where_lost(filled, kept_P, view.planes_CHW, mask_HW, hidden_HW)
        return Filling(mask_HW, self._regrained(filled, kept_P, mask_HW, frame), filled.trust_P)

    def _large_filling(
        self, view: View, frame: int, mask_HW: Mask, hidden_HW: Mask, sources: list[fill.Source]
    ) -> Filling | None:
        """The same for regions of any size, up to all of the frame."""
        now_CHW, unseen_HW = view.planes_CHW, hidden_HW
        if float(hidden_HW.mean()) > _MOST_HIDDEN and sources:
            now_CHW, unseen_HW = blend.stand_in(sources)
        rows_P, columns_P = np.nonzero(mask_HW)
        filled, kept_P = fill.from_time(now_CHW, rows_P, columns_P, unseen_HW, sources)
        canvas_CHW = view.planes_CHW.copy()
        canvas_CHW[:, mask_HW] = filled.values_CP
        lost_P = filled.trust_P < fill.LOST
        unknown_HW = hidden_HW.copy()
        unknown_HW[mask_HW] = lost_P
        if unknown_HW.all():
            return None
        if lost_P.any():
            canvas_CHW[:, mask_HW] = np.where(
                lost_P, membrane(canvas_CHW, unknown_HW)[:, mask_HW], filled.values_CP
            )
        trust_P = np.where(lost_P, _GUESSED, filled.trust_P)
        kept_P = np.where(lost_P, np.float32(0), kept_P)
        smooth = fill.Filled(canvas_CHW[:, mask_HW], trust_P)
        rough_CP = self._regrained(smooth, kept_P, mask_HW, frame)
        share_P = self._grain_share(now_CHW, canvas_CHW, rough_CP, mask_HW, ~unseen_HW)
        return Filling(mask_HW, smooth.values_CP + share_P * (rough_CP - smooth.values_CP), trust_P)

    def _grain_share(
        self, now_CHW: Planes, canvas_CHW: Planes, rough_CP: Float, mask_HW: Mask, known_HW: Mask
    ) -> Float:
        light_HW = luma(canvas_CHW, self._colour)
        grain_HW = np.zeros_like(light_HW)
        grain_HW[mask_HW] = luma(rough_CP[..., None], self._colour)[:, 0] - light_HW[mask_HW]
        share_HW = blend.grain_share(luma(now_CHW, self._colour), light_HW, grain_HW, mask_HW, known_HW)
        return share_HW[mask_HW]

    def _regrained(self, filled: fill.Filled, kept_P: Float, mask_HW: Mask, frame: int) -> Float:
        planes = range(len(filled.values_CP))
        rows_P, columns_P = np.nonzero(mask_HW)
        return fill.regrained(
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

    def _learn_grain(self, number: int, sources: list[fill.Source], whole_HW: Mask) -> None:
        """Each plane's grain, from how it differs from its two nearest neighbours' mean."""
        nearest = sources[:2]
        quiet_HW = whole_HW.copy()
        for source in nearest:
            quiet_HW &= source.lost_HW < 1.0
        view = self._window[number]
        for c, plane_HW in enumerate(view.planes_CHW):
            expected_HW: Float
            if nearest:
                there = [motion.warp(source.planes_CHW[c], source.flow_HW2) for source in nearest]
                expected_HW = np.mean(there, axis=0, dtype=np.float32)
                gap = (plane_HW - expected_HW)[::4, ::4]
                if view.given_HW is not None:
                    gap = gap[~view.given_HW[::4, ::4]]
                if gap.size:
                    expected_HW += np.median(gap)
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
