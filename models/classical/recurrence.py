"""Whether the same thing stands near by in the frame before or after: then it is part of the scene, however
it moved.

Shape suffixes: H rows, W columns, N blobs, h, w a blob's box.

Dense flow fails on just what looks most like dirt: thin, small or fast things before a plain ground. What a
flow field may not see, a search for the very shape does: dirt is there for one frame only. The idea is the
five-frame rule against pathological motion (Corrigan, Kokaram et al. 2006-2011), with shapes for vectors.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from models.classical.blotches import Blobs, Witnesses

Float = NDArray[np.float32]
Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class RecurrenceSettings:
    """How far and how hard to look."""

    reach_share: float = 0.07
    """How far a thing may have moved in one frame, as a share of the frame's longer side; 0 looks at one
    place only."""
    rim_px: int = 2
    """How much of a blob's surroundings must match along with it, in pixels."""

    range_share: float = 0.35
    """How far a thing may have flown in one frame to be followed by its looks, as a share of the frame's
    longer side."""
    chance: float = 0.03
    """How many accidental triples a track may have and still count as one thing moving; 0 never follows."""

    def reach_px(self, height: int, width: int) -> int:
        """The reach in a frame of this size."""
        return max(8, round(self.reach_share * max(height, width)))


def relief(luma_HW: Float, soften_px: float) -> Float:
    """The picture less its local mean, softened: flicker does not reach it."""
    side = max(9, min(luma_HW.shape) // 12 | 1)
    soft_HW = cv2.GaussianBlur(luma_HW, (0, 0), soften_px) if soften_px > 0 else luma_HW
    raised: Float = soft_HW - cv2.blur(luma_HW, (side, side), borderType=cv2.BORDER_REFLECT_101)
    return raised


def found_again(
    blobs: Blobs, energy_N: Float, here_HW: Float, there_HW: Float, settings: RecurrenceSettings
) -> Float:
    """Per blob, how badly its best place in the neighbour's relief matches, as a share of the blob's energy.

    0: the very thing is there. 1: nothing like it. Above 1: not even its surroundings are found.
    """
    height, width = here_HW.shape
    cost_N = np.ones(blobs.count, np.float32)
    reach, rim = settings.reach_px(height, width), settings.rim_px
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * rim + 1, 2 * rim + 1))
    for number, (left, top, right, bottom) in enumerate(_boxes(blobs, rim, height, width)):
        shape_hw = cv2.dilate((blobs.labels_HW[top:bottom, left:right] == number + 1).astype(np.uint8), disc)
        field_HW = there_HW[max(top - reach, 0) : bottom + reach, max(left - reach, 0) : right + reach]
        misses = cv2.matchTemplate(
            field_HW, here_HW[top:bottom, left:right], cv2.TM_SQDIFF, mask=shape_hw.astype(np.float32)
        )
        cost_N[number] = max(float(misses.min()), 0.0) / max(float(energy_N[number]), 1e-9)
    return cost_N


def echo(
    blobs: Blobs, contrast_N: Float, energy_N: Float, seen: Witnesses, limit_HW: Float, reach_px: int
) -> Float:
    """Per blob, what of its own kind is near by in both neighbours and gone from here: a moving thing's
    trace.

    The lesser of the two sides' energy, by the blob's. A bright thing that is here now and moved was bright
    elsewhere: there, the frame before is brighter than this one. About 0 for dirt in a quiet place.
    """
    height, width = seen.now_HW.shape
    step = 2 if min(height, width) >= 128 else 1
    side = 2 * (reach_px // step) + 1
    now, limit = seen.now_HW[::step, ::step], limit_HW[::step, ::step]
    x_N = (blobs.mean_N(_ramp_across(height, width)) / step).astype(np.intp).clip(0, now.shape[1] - 1)
    y_N = (blobs.mean_N(_ramp_across(width, height).T) / step).astype(np.intp).clip(0, now.shape[0] - 1)
    least_N = np.full(blobs.count, np.inf, np.float32)
    for witness_HW in (seen.before_HW, seen.after_HW):
        gap = witness_HW[::step, ::step] - now
        gap[np.abs(gap) < limit] = 0
        sides = [
            cv2.boxFilter(
                np.square(np.maximum(sign * gap, 0)),
                -1,
                (side, side),
                normalize=False,
                borderType=cv2.BORDER_CONSTANT,
            )[y_N, x_N]
            for sign in (1, -1)
        ]
        least_N = np.minimum(least_N, np.where(contrast_N > 0, sides[0], sides[1]))
    return (least_N * step**2 / np.maximum(energy_N, 1e-9)).astype(np.float32)


@dataclass(frozen=True)
class Shapes:
    """What blobs look like from afar: enough to know one again in the next frame."""

    centre_N2: Float
    """(x, y), pixels."""
    area_N: Float
    contrast_N: Float
    """Signed."""
    long_N: Float
    """Length by breadth, 1 or more."""
    heading_N: Float
    """Direction of the length, radians in [0, pi)."""


def shapes(blobs: Blobs, contrast_N: Float) -> Shapes:
    """Centres, sizes and second moments of all blobs."""
    area_N = np.maximum(np.bincount(blobs.blob_P, minlength=blobs.count), 1)

    def mean_N(values_P: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.bincount(blobs.blob_P, values_P, blobs.count) / area_N

    x_N, y_N = mean_N(blobs.columns_P.astype(np.float64)), mean_N(blobs.rows_P.astype(np.float64))
    dx_P, dy_P = blobs.columns_P - x_N[blobs.blob_P], blobs.rows_P - y_N[blobs.blob_P]
    # A pixel is a twelfth of a square pixel wide in second moment: a single one is round.
    xx_N, yy_N, xy_N = mean_N(dx_P**2) + 1 / 12, mean_N(dy_P**2) + 1 / 12, mean_N(dx_P * dy_P)
    middle_N, spread_N = (xx_N + yy_N) / 2, np.hypot((xx_N - yy_N) / 2, xy_N)
    long_N = np.sqrt((middle_N + spread_N) / np.maximum(middle_N - spread_N, 1e-3))
    heading_N = (0.5 * np.arctan2(2 * xy_N, xx_N - yy_N)) % np.pi
    return Shapes(
        np.stack([x_N, y_N], axis=1).astype(np.float32),
        area_N.astype(np.float32),
        contrast_N,
        long_N.astype(np.float32),
        heading_N.astype(np.float32),
    )


def on_track(here: Shapes, near: Shapes, far: Shapes, between: bool, range_px: float, chance: float) -> Mask:
    """Which blobs have their like in two frames more, in line and evenly spaced, closer than accident would
    have it.

    `between`: near and far are the frames before and after; else they are the next two to one side.
    A contrario (Desolneux, Moisan, Morel 2000): with so many of its like around, how many such triples would
    dirt falling anywhere give? Fewer than `chance`, and it is one thing moving: debris, snow, rain. Reaches
    far beyond what motion estimation and `found_again` can follow.
    """
    moving_N = np.zeros(here.area_N.size, bool)
    ground_px = np.pi * range_px**2
    for number in range(here.area_N.size):
        second = _like(here, number, near, range_px)
        third = _like(here, number, far, range_px if between else 2 * range_px)
        if not second.any() or not third.any():
            continue
        start, middle = here.centre_N2[number], near.centre_N2[second]
        foreseen = 2 * start - middle if between else 2 * middle - start
        gaps = foreseen[:, None] - far.centre_N2[third][None]
        miss_px = float(np.sqrt((gaps**2).sum(2).min()))
        accidents = second.sum() * third.sum() * np.pi * (miss_px + 1) ** 2 / ground_px
        moving_N[number] = accidents < chance
    return moving_N


def _like(here: Shapes, number: int, there: Shapes, range_px: float) -> NDArray[np.bool_]:
    contrast = here.contrast_N[number]
    ratio = there.area_N / here.area_N[number]
    strength = there.contrast_N / contrast
    near = ((there.centre_N2 - here.centre_N2[number]) ** 2).sum(1) < range_px**2
    like: NDArray[np.bool_] = near & (ratio > 0.4) & (ratio < 2.5) & (strength > 0.5) & (strength < 2)
    if here.long_N[number] > 1.8:
        turn = np.abs(there.heading_N - here.heading_N[number])
        like &= (np.minimum(turn, np.pi - turn) < 0.35) & (there.long_N > 1.4)
    return like


def _ramp_across(height: int, width: int) -> Float:
    return np.broadcast_to(np.arange(width, dtype=np.float32), (height, width))


def _boxes(blobs: Blobs, rim: int, height: int, width: int) -> NDArray[np.intp]:
    """Per blob (left, top, right, bottom) with its rim, inside the frame, right and bottom exclusive."""
    boxes = np.zeros((blobs.count, 4), np.intp)
    boxes[:, :2] = max(height, width)
    np.minimum.at(boxes[:, 0], blobs.blob_P, blobs.columns_P - rim)
    np.minimum.at(boxes[:, 1], blobs.blob_P, blobs.rows_P - rim)
    np.maximum.at(boxes[:, 2], blobs.blob_P, blobs.columns_P + rim + 1)
    np.maximum.at(boxes[:, 3], blobs.blob_P, blobs.rows_P + rim + 1)
    return boxes.clip(0, [width, height, width, height])
