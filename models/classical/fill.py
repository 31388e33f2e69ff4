"""What belongs under a mask: the neighbours' pixels brought here, in this frame's tone, with this film's
grain.

Shape suffixes: C planes, H rows, W columns, P picked pixels, K neighbours.

Source: the ladder of film.md 4.2.5: motion-compensated neighbours first, space only where time has nothing.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from models.classical.membrane import membrane
from models.grain import Grain, GrainMaker
from models.motion import grid

Float = NDArray[np.float32]
Mask = NDArray[np.bool_]
Index = NDArray[np.intp]

# Picked pixels that are put together at a time: a whole frame in 4K would take 2 GB.
_AT_ONCE = 1 << 20
# Summed weight of all neighbours under which none can be believed; one good neighbour alone has about 1.
LOST = 0.05


@dataclass(frozen=True)
class Source:
    """One neighbour that may lend its pixels."""

    planes_CHW: Float
    flow_HW2: Float
    """From the frame under repair to this neighbour, full size, mended under the mask."""
    lost_HW: Float
    """Round-trip error of that flow, pixels."""
    damaged_HW: Mask
    """The neighbour's own suspects, on its own grid."""
    distance_frames: int
    """1 or 2."""


@dataclass(frozen=True)
class Filled:
    """Picked pixels as they should be."""

    values_CP: Float
    trust_P: Float
    """In [0, 1]: how far time could say what stands here; 0 where it is a guess from the surroundings."""


def from_time(
    planes_CHW: Float, rows_P: Index, columns_P: Index, hidden_HW: Mask, sources: list[Source]
) -> tuple[Filled, Float]:
    """Weighted neighbours at the picked pixels, and the share of a frame's grain their mean has kept (P)."""
    if not sources:
        nothing_P = np.zeros(rows_P.size, np.float32)
        return Filled(planes_CHW[:, rows_P, columns_P], nothing_P), nothing_P
    parts = [
        _from_time(planes_CHW, rows_P[at : at + _AT_ONCE], columns_P[at : at + _AT_ONCE], hidden_HW, sources)
        for at in range(0, rows_P.size, _AT_ONCE)
    ]
    if len(parts) == 1:
        return parts[0]
    return (
        Filled(
            np.concatenate([filled.values_CP for filled, _ in parts], axis=1),
            np.concatenate([filled.trust_P for filled, _ in parts]),
        ),
        np.concatenate([kept_P for _, kept_P in parts]),
    )


def _from_time(
    planes_CHW: Float, rows_P: Index, columns_P: Index, hidden_HW: Mask, sources: list[Source]
) -> tuple[Filled, Float]:
    channels, count = planes_CHW.shape[0], rows_P.size
    values_KCP = np.zeros((len(sources), channels, count), np.float32)
    weights_KP = np.zeros((len(sources), count), np.float32)
    places = np.stack([columns_P, rows_P], axis=1).astype(np.float32)
    height, width = hidden_HW.shape
    for k, source in enumerate(sources):
        at_P2 = places + source.flow_HW2[rows_P, columns_P]
        inside_P = (at_P2 >= -1).all(1) & (at_P2[:, 0] <= width) & (at_P2[:, 1] <= height)
        for c in range(channels):
            values_KCP[k, c] = sample(source.planes_CHW[c], at_P2)
        dirty_P = sample(source.damaged_HW.astype(np.float32), at_P2)
        lost_P = source.lost_HW[rows_P, columns_P]
        # Halved per frame of distance: two frames away, motion is composed and light has changed.
        base = 0.5 ** (source.distance_frames - 1)
        weights_KP[k] = base * inside_P * (dirty_P < 0.05) * np.exp(-0.5 * np.minimum(lost_P, 8.0)) + 1e-6
        values_KCP[k] += _tone_gap(planes_CHW, source, rows_P, columns_P, hidden_HW)
    return _agreed(values_KCP, weights_KP)


def _agreed(values_KCP: Float, weights_KP: Float) -> tuple[Filled, Float]:
    """The weighted mean of those neighbours that agree with the weighted middle one."""
    order_KP = np.argsort(values_KCP[:, 0], axis=0)
    sorted_weights = np.take_along_axis(weights_KP, order_KP, axis=0)
    running = np.cumsum(sorted_weights, axis=0)
    middle_P = (running < 0.5 * running[-1]).sum(0)
    chosen_P = np.take_along_axis(order_KP, middle_P[None], axis=0)
    centre_P = np.take_along_axis(values_KCP[:, 0], chosen_P, axis=0)[0]
    apart_KP = np.abs(values_KCP[:, 0] - centre_P)
    # 6/255: grain and sub-pixel error keep witnesses of one thing within this.
    use_KP = weights_KP * np.exp(-((apart_KP / (6 / 255)) ** 2) / 2)
    total_P = use_KP.sum(0)
    share_KP = use_KP / total_P
    values_CP = (values_KCP * share_KP[:, None]).sum(0)
    trust_P = np.clip(total_P / 1.0, 0, 1)
    return Filled(values_CP, trust_P.astype(np.float32)), (share_KP**2).sum(0)


def _tone_gap(planes_CHW: Float, source: Source, rows_P: Index, columns_P: Index, hidden_HW: Mask) -> Float:
    """Per plane, what must be added to the neighbour here (C, P): its mean gap to this frame around, off the
    mask."""
    height, width = hidden_HW.shape
    step = 2 if min(height, width) >= 128 else 1
    flow = source.flow_HW2[::step, ::step]
    at = grid(height, width)[::step, ::step] + flow
    known = (~hidden_HW[::step, ::step]).astype(np.float32)
    side = max(9, min(height, width) // (16 * step) | 1)
    weight = cv2.blur(known, (side, side)) + 1e-4
    # In the depth of a large hole the gap is led on from its border.
    deep = weight < 2e-4
    gaps = []
    for c in range(planes_CHW.shape[0]):
        there = cv2.remap(source.planes_CHW[c], at, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        # A limit of 16/255 keeps moving edges out of what is meant to be light.
        gap = np.clip(planes_CHW[c, ::step, ::step] - there, -16 / 255, 16 / 255) * known
        mean = cv2.blur(gap, (side, side)) / weight
        gaps.append(membrane(mean[None], deep)[0][rows_P // step, columns_P // step])
    return np.stack(gaps).astype(np.float32)


def sample(plane_HW: Float, at_P2: Float, interpolation: int = cv2.INTER_CUBIC) -> Float:
    """The plane at sub-pixel places (x, y), edges replicated."""
    count = at_P2.shape[0]
    wide = 1024  # OpenCV's remap takes no side of 32,768 or more
    padded = np.zeros((-(-count // wide) * wide, 2), np.float32)
    padded[:count] = at_P2
    picked: Float = cv2.remap(
        plane_HW, padded.reshape(-1, wide, 2), None, interpolation, borderMode=cv2.BORDER_REPLICATE
    )
    return picked.reshape(-1)[:count]


def from_space_where_lost(
    filled: Filled, kept_P: Float, planes_CHW: Float, mask_HW: Mask, hidden_HW: Mask
) -> tuple[Filled, Float]:
    """The same, with a smooth continuation of the surroundings where no neighbour could say anything."""
    lost_P = filled.trust_P < LOST
    if not lost_P.any():
        return filled, kept_P
    around_CP = membrane(planes_CHW, hidden_HW)[:, mask_HW]
    return (
        Filled(
            np.where(lost_P, around_CP, filled.values_CP), np.where(lost_P, np.float32(0.1), filled.trust_P)
        ),
        np.where(lost_P, np.float32(0), kept_P),
    )


def feather(mask_HW: Mask, px: int) -> Float:
    """Opacity of a repair: 1 in the mask's depth, falling to its edge within `px`, 0 outside."""
    if px <= 0:
        return mask_HW.astype(np.float32)
    # Distance counts from 1 at the outermost pixel of the mask.
    inward = cv2.distanceTransform(mask_HW.astype(np.uint8), cv2.DIST_L2, 3)
    opacity_HW: Float = np.clip((inward - 0.5) / px, 0.5 / px, 1).astype(np.float32) * mask_HW
    return opacity_HW


def regrained(
    filled: Filled,
    kept_P: Float,
    rows_P: Index,
    columns_P: Index,
    grains: list[Grain],
    patterns: list[int],
    maker: GrainMaker,
    frame: int,
    amount: float,
) -> Float:
    """The filled values with as much grain added as averaging took away, times `amount` (C, P).

    `patterns` numbers each plane's grain: planes of one number share it.
    """
    missing_P = np.sqrt(np.clip(1.0 - kept_P, 0, 1))
    out_CP = filled.values_CP.copy()
    for c, (grain, pattern) in enumerate(zip(grains, patterns, strict=True)):
        unit_P = maker.at(rows_P, columns_P, frame, pattern, grain.coarseness_px)
        out_CP[c] += amount * missing_P * grain.sigma_at(filled.values_CP[0]) * unit_P
    return np.clip(out_CP, 0, 1)
