"""From what a network says of a frame to a repair: its pixels inside the mask only, and not where it doubts.

Shape suffixes: K answers, C planes, H rows, W columns of the picture; P picked pixels; R regions.
"""

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from models import grain as graining
from models import motion
from models.classical import fill
from models.classical.membrane import membrane
from models.classical.patch import Patch
from models.metrics import grown
from models.neural.settings import NeuralSettings, Whole
from models.neural.sight import Sight
from models.neural.way import DAMAGE, DOUBT, ERROR, Way
from models.restorer import Colour, Defect, Planes, Repair

Float = NDArray[np.float32]
Mask = NDArray[np.bool_]

# An expected error, or a doubt, of this much halves the confidence and more: e^-1.
_ERROR_SCALE = 0.08
# A scratch is this many times as tall as wide, and no shorter.
_SCRATCH_RATIO, _SCRATCH_PX = 6, 24
# The gate's border shows as strips of a few columns or rows at the picture's outermost: so far in, share of
# the side, and so many times as long as wide.
_RIM, _STRIP_RATIO = 0.01, 4
# A reel's grain changes slowly: it is measured on the first frame and on every twelfth.
_GRAIN_EVERY = 12
# Details finer than this sigma count as grain; coarser ones are the picture's.
_GRAIN_SIGMA_PX = 1.5
_BAND_ROWS = 256
# Confidence in what was led on from around, as in `models.classical.fill`.
_LED_ON = 0.1


@dataclass(frozen=True)
class Findings:
    """What of a frame is to be repaired."""

    mask_HW: Mask
    left_HW: Mask
    """Regions that look damaged but are left, because the network was not sure of its repair."""
    kind_HW: NDArray[np.uint8]


def findings(answer_KHW: Float, given_HW: Mask | None, alone: bool, settings: NeuralSettings) -> Findings:
    """Regions of likely damage, less those that a veto leaves; what was given is never vetoed.

    answer_KHW: at the picture's own size. alone: whether what was given, be it nothing, stands alone.
    """
    damage_HW = answer_KHW[DAMAGE]
    left_HW = np.zeros(damage_HW.shape, bool)
    kind_HW = np.zeros(damage_HW.shape, np.uint8)
    if not alone:
        regions = Regions(answer_KHW, settings.edge)
        sure_R, trusted_R = regions.believed(settings)
        left_HW = (sure_R & ~trusted_R)[regions.labels_HW]
        kind_R = np.where(regions.upright(), np.uint8(Defect.SCRATCH), np.uint8(Defect.DIRT))
        kind_HW = np.where(sure_R & trusted_R, kind_R, np.uint8(0))[regions.labels_HW]
        kind_HW = _widened(kind_HW, settings.widen_px)
        kind_HW[left_HW] = Defect.NONE
    if given_HW is not None:
        kind_HW = np.where(given_HW, np.uint8(Defect.GIVEN), kind_HW)
        left_HW &= ~given_HW
    return Findings(kind_HW > 0, left_HW, kind_HW)


def _widened(kind_HW: NDArray[np.uint8], px: int) -> NDArray[np.uint8]:
    if px == 0 or not kind_HW.any():
        return kind_HW
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * px + 1, 2 * px + 1))
    wider: NDArray[np.uint8] = cv2.dilate(kind_HW, disc).astype(np.uint8)
    return wider


class Regions:
    """Connected regions of likely damage; number 0 is what lies around them."""

    def __init__(self, answer_KHW: Float, edge: float) -> None:
        """edge: probability of damage from which on a pixel belongs to one."""
        mask_HW = answer_KHW[DAMAGE] >= edge
        self.count, self.labels_HW, self._stats, _ = cv2.connectedComponentsWithStats(
            mask_HW.astype(np.uint8), connectivity=8
        )
        self._rows, self._columns = np.nonzero(mask_HW)
        self._region_P = self.labels_HW[self._rows, self._columns]
        self.pixels = np.bincount(self._region_P, minlength=self.count)
        self._surest_R = np.zeros(self.count, np.float32)
        np.maximum.at(self._surest_R, self._region_P, answer_KHW[DAMAGE][mask_HW])
        self._doubt_R, self._error_R = self.mean(answer_KHW[DOUBT]), self.mean(answer_KHW[ERROR])

    def mean(self, plane_HW: NDArray[Any]) -> NDArray[np.float64]:
        """Each region's mean of a plane."""
        total_R = np.bincount(self._region_P, plane_HW[self._rows, self._columns], self.count)
        return total_R / np.maximum(self.pixels, 1)

    def believed(self, settings: NeuralSettings) -> tuple[Mask, Mask]:
        """Which regions are damage for certain, and of which the repair is to be trusted."""
        sure_R = (self._surest_R >= settings.sure) & (self.pixels >= settings.least_px)
        # Asked this way round, what is no number is doubted.
        trusted_R = (self._doubt_R <= settings.doubt) & (self._error_R <= settings.error)
        # The background is no region, nor is the gate's border damage.
        sure_R[0] = False
        sure_R &= ~self.bordering()
        if self.pixels[sure_R].sum() > settings.largest_share * self.labels_HW.size:
            trusted_R[:] = False
        return sure_R, trusted_R

    def bordering(self) -> Mask:
        """Which regions are strips along the picture's outermost columns or rows."""
        left, top = self._stats[:, cv2.CC_STAT_LEFT], self._stats[:, cv2.CC_STAT_TOP]
        wide, tall = self._stats[:, cv2.CC_STAT_WIDTH], self._stats[:, cv2.CC_STAT_HEIGHT]
        rows, columns = self.labels_HW.shape
        rim_rows, rim_columns = np.ceil(_RIM * rows), np.ceil(_RIM * columns)
        beside = (left + wide <= rim_columns) | (left >= columns - rim_columns)
        above = (top + tall <= rim_rows) | (top >= rows - rim_rows)
        strips: Mask = (beside & (tall >= _STRIP_RATIO * wide)) | (above & (wide >= _STRIP_RATIO * tall))
        return strips

    def upright(self) -> Mask:
        """Which regions are shaped as scratches are."""
        tall, wide = self._stats[:, cv2.CC_STAT_HEIGHT], self._stats[:, cv2.CC_STAT_WIDTH]
        mask: Mask = (tall >= _SCRATCH_RATIO * wide) & (tall >= _SCRATCH_PX)
        return mask


class Compositor:
    """Lays a network's pixels into the frames of one shot; knows the shot's grain so far."""

    def __init__(self, way: Way[Any, Any], colour: Colour, settings: NeuralSettings, whole: Whole) -> None:
        self._way, self._colour, self._settings, self._whole = way, colour, settings, whole
        self._maker = graining.GrainMaker(settings.seed)
        self._grain: graining.Grain | None = None
        self._count = 0

    def patch(self, sight: Sight, prepared: Any, answer_KHW: Float, found: Findings) -> Patch:
        """What is to be laid over the frame; answer_KHW at the picture's own size."""
        planes_CHW = sight.here.planes_CHW
        self._learn_grain(sight, found)
        patch = Patch.empty(planes_CHW)
        if found.mask_HW.any():
            values_CP, known_P = self._values(
                sight, prepared, answer_KHW, found.mask_HW, found.mask_HW, self._settings.grain
            )
            confidence_P = known_P * np.exp(
                -(answer_KHW[ERROR] + answer_KHW[DOUBT])[found.mask_HW] / _ERROR_SCALE
            )
            told_P = found.kind_HW[found.mask_HW] == Defect.GIVEN
            confidence_P *= np.where(told_P, 1, answer_KHW[DAMAGE][found.mask_HW])
            # What was marked is damage for certain, and is covered whole.
            opacity_P = fill.feather(found.mask_HW, self._settings.feather_px)[found.mask_HW]
            opacity_P[told_P] = 1
            patch.cover(
                found.mask_HW,
                values_CP,
                opacity_P,
                np.clip(confidence_P, 0.01, 1),
                found.kind_HW[found.mask_HW],
            )
        return patch

    def whole_frame(self, sight: Sight, prepared: Any, answer_KHW: Float, repair: Repair) -> Planes:
        """The network's picture of a copy of the frame, grain as asked for; in the mask, the repair's."""
        mended_CHW, grain = repair.planes_CHW, self._settings.grain if self._whole == "matched" else 0.0
        whole_CHW = np.empty_like(mended_CHW)
        for top in range(0, mended_CHW.shape[1], _BAND_ROWS):
            band_HW = np.zeros(mended_CHW.shape[1:], bool)
            band_HW[top : top + _BAND_ROWS] = True
            whole_CHW[:, band_HW], _ = self._values(
                sight, prepared, answer_KHW, band_HW, repair.mask_HW, grain
            )
        if not self._way.paints_all:
            whole_CHW += (1 - answer_KHW[DAMAGE]) * (mended_CHW - whole_CHW)
        if self._whole == "kept":
            # The grain of the frame with its repairs laid in: that of the damage would show around it.
            for out_HW, mended_HW in zip(whole_CHW, mended_CHW, strict=True):
                out_HW[:] = _blurred(out_HW) + mended_HW - _blurred(mended_HW)
        whole_CHW[:, repair.mask_HW] = mended_CHW[:, repair.mask_HW]
        return np.clip(whole_CHW, 0, 1)

    def _values(
        self,
        sight: Sight,
        prepared: Any,
        answer_KHW: Float,
        mask_HW: Mask,
        hidden_HW: Mask,
        grain: float,
    ) -> tuple[Float, Float]:
        """The restored planes at a mask's pixels (C, P), and how far they are known (P).

        hidden_HW: what of the frame is damaged, and tells nothing of what is around. grain: how much of the
        film's is put back.
        """
        rows_P, columns_P = np.nonzero(mask_HW)
        values_CP, kept_P = self._way.values(sight, prepared, answer_KHW, rows_P, columns_P)
        lost_P = np.isnan(kept_P)
        if lost_P.any():
            led_on_CHW = membrane(sight.here.planes_CHW, hidden_HW)
            values_CP = np.where(lost_P, led_on_CHW[:, mask_HW], values_CP)
        known_P = np.where(lost_P, np.float32(_LED_ON), np.float32(1))
        measured, none = self._grain or graining.NO_GRAIN, graining.NO_GRAIN
        planes = len(values_CP)
        grained_CP = fill.regrained(
            fill.Filled(values_CP, known_P),
            np.where(lost_P, np.float32(0), kept_P),
            rows_P,
            columns_P,
            [measured if n == 0 or self._colour == "rgb" else none for n in range(planes)],
            [0] * planes,
            self._maker,
            sight.first_frame,
            grain,
        )
        return grained_CP, known_P

    def _learn_grain(self, sight: Sight, found: Findings) -> None:
        """The luma's grain, from how it differs from its neighbours' mean along motion."""
        self._count += 1
        if self._grain is not None and self._count % _GRAIN_EVERY:
            return
        quiet_HW = ~grown(found.mask_HW | found.left_HW, 2)
        height, width = quiet_HW.shape
        light_HW = sight.here.luma_HW[:height, :width]
        seen = []
        if sight.before is not None and sight.from_before is not None:
            pair = sight.from_before
            seen.append((sight.before, pair.backward_hw2, pair.backward_error_hw))
        if sight.after is not None and sight.to_after is not None:
            seen.append((sight.after, sight.to_after.forward_hw2, sight.to_after.forward_error_hw))
        if not seen:
            return
        expected_HW = np.zeros_like(light_HW)
        for view, flow_hw2, error_hw in seen:
            size = view.luma_HW.shape
            there_HW = motion.warp(view.luma_HW, motion.enlarge_flow(flow_hw2, *size))
            expected_HW += there_HW[:height, :width] / len(seen)
            quiet_HW &= motion.enlarge(error_hw, *size)[:height, :width] < 1.0
        expected_HW += np.median((light_HW - expected_HW)[::4, ::4])
        newer = graining.measure(light_HW, light_HW, expected_HW, quiet_HW)
        if newer is None:
            return
        if len(seen) == 1:  # the measure takes it for the mean of two, which has less grain of its own
            newer = graining.Grain(newer.sigma_B * np.float32(np.sqrt(0.75)), newer.coarseness_px)
        self._grain = newer if self._grain is None else graining.blended(self._grain, newer)


def _blurred(plane_HW: Float) -> Float:
    blurred: Float = cv2.GaussianBlur(plane_HW, (0, 0), _GRAIN_SIGMA_PX, borderType=cv2.BORDER_REFLECT_101)
    return blurred
