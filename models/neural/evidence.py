"""What time says about a frame, as our network sees it: the picture, and how it differs from both
neighbours brought here along motion, light changes apart from changes of structure.

Shape suffixes: C planes, H rows, W columns of the padded picture; h, w of half its size; q, r (rows, columns)
of a quarter; E channels of evidence; 2 is (dx, dy) in pixels of its own grid.

Sources: a defect disagrees with both neighbours, revealed ground with one (Storey 1985; Kokaram 1998); light
and structure told apart as in WaveletMask (Applied Sciences 16(13):6415, 2026), by local means here.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from models.motion import Pair, grid, smooth_over, warp

Float = NDArray[np.float32]
Mask = NDArray[np.bool_]

SIDE = 32
"""Pictures are padded to multiples of this: a quarter of it is one attention window."""
CHANNELS = 22
"""Of the evidence: four times four sub-pixels, and six that are smooth."""

# Differences of a few per cent decide; the network should see them at the size of its other inputs.
_GAIN = 4.0
# Larger differences of light between neighbours are cuts or flashes, no flicker to be evened out.
_LIGHT_LIMIT = 16 / 255
_LIGHT_SIDE_PX = 17
# A neighbour on either side differs by this much over dirt; where both do, motion is taken from around.
_SUSPECT = 12 / 255
_TRUST_PX = 1.5


@dataclass(frozen=True)
class Neighbour:
    """A frame beside the one under repair, and how to get there."""

    flow_qr2: Float
    """From the frame under repair to this neighbour, quarter size and quarter pixels, mended under what looks
    like dirt."""
    light_qr: Float
    """What must be added to the neighbour's luma here to have this frame's light."""
    trust_qr: Float
    """In [0, 1]: 1 where going there and back ends where it began; 0 outside the picture."""


@dataclass(frozen=True)
class Evidence:
    """One frame's input to the network. Its planes are half size, every second pixel in its own channel."""

    planes_Ehw: Float
    previous: Neighbour | None
    """None at a shot's first frame."""
    following: Neighbour | None
    """None at its last."""


def padded_size(height: int, width: int) -> tuple[int, int]:
    """The next multiples of `SIDE`."""
    return -(-height // SIDE) * SIDE, -(-width // SIDE) * SIDE


def padded(plane_HW: Float) -> Float:
    """The picture with its last row and column repeated up to `padded_size`."""
    height, width = plane_HW.shape
    tall, wide = padded_size(height, width)
    if (tall, wide) == (height, width):
        return plane_HW
    filled: Float = cv2.copyMakeBorder(plane_HW, 0, tall - height, 0, wide - width, cv2.BORDER_REPLICATE)
    return filled


def gather(
    here_HW: Float,
    previous: tuple[Float, Pair] | None,
    following: tuple[Float, Pair] | None,
) -> Evidence:
    """The evidence of one frame, from its neighbours' luma and the motion between.

    here_HW: luma in [0, 1], padded. previous: the frame before and the pair (before, here). following: the
    frame after and the pair (here, after). Either may be missing: its difference and its trust are then 0.
    """
    small_qr = _quarter(here_HW)
    sides = [
        None if previous is None else (previous[0], previous[1].backward_hw2, previous[1].backward_error_hw),
        None
        if following is None
        else (following[0], following[1].forward_hw2, following[1].forward_error_hw),
    ]
    neighbours = _neighbours(small_qr, sides)
    gaps = [
        np.zeros_like(here_HW) if side is None or neighbour is None else here_HW - brought(side[0], neighbour)
        for side, neighbour in zip(sides, neighbours, strict=True)
    ]
    planes = [here_HW * 2 - 1, _GAIN * gaps[0], _GAIN * gaps[1], 2 * _GAIN * two_sided(*gaps)]
    smooth = [
        channel
        for neighbour in neighbours
        for channel in (_smooth(neighbour) if neighbour else (np.zeros_like(small_qr),) * 3)
    ]
    size = here_HW.shape[1] // 2, here_HW.shape[0] // 2
    fine = [plane[row::2, column::2] for plane in planes for row in (0, 1) for column in (0, 1)]
    coarse = [cv2.resize(channel, size, interpolation=cv2.INTER_LINEAR) for channel in smooth]
    return Evidence(np.clip(np.stack([*fine, *coarse]), -4, 4), *neighbours)


def brought(plane_HW: Float, neighbour: Neighbour) -> Float:
    """The neighbour's luma as it would look in this frame: along motion, in this frame's light."""
    height, width = plane_HW.shape
    here_HW: Float = warp(plane_HW, full_size(neighbour.flow_qr2, height, width))
    here_HW += cv2.resize(neighbour.light_qr, (width, height), interpolation=cv2.INTER_LINEAR)
    return here_HW


def full_size(flow_qr2: Float, height: int, width: int) -> Float:
    """A quarter-size flow on the full grid, in full pixels."""
    large: Float = cv2.resize(flow_qr2, (width, height), interpolation=cv2.INTER_LINEAR)
    large *= 4.0
    return large


def two_sided(one_HW: Float, other_HW: Float) -> Float:
    """The smaller of two differences where both have one sign, else 0: what neither neighbour has."""
    both_HW: Float = np.minimum(np.abs(one_HW), np.abs(other_HW))
    both_HW *= np.sign(one_HW)
    both_HW *= one_HW * other_HW > 0
    return both_HW


def _quarter(plane_HW: Float) -> Float:
    height, width = plane_HW.shape
    small: Float = cv2.resize(plane_HW, (width // 4, height // 4), interpolation=cv2.INTER_AREA)
    return small


def _neighbours(
    small_qr: Float, sides: list[tuple[Float, Float, Float] | None]
) -> tuple[Neighbour | None, Neighbour | None]:
    """Both neighbours, their motion taken from around wherever both disagree with the frame."""
    flows = [None if side is None else _on_grid(side[1], small_qr.shape) for side in sides]
    views = [
        None if side is None or flow is None else warp(_quarter(side[0]), flow)
        for side, flow in zip(sides, flows, strict=True)
    ]
    suspect_qr = _suspects(small_qr, views)
    found: list[Neighbour | None] = []
    for side, flow in zip(sides, flows, strict=True):
        if side is None or flow is None:
            found.append(None)
            continue
        mended = smooth_over(flow, suspect_qr, max(4, max(small_qr.shape) // 16))
        gap_qr = small_qr - warp(_quarter(side[0]), mended)
        light_qr = _light(gap_qr, ~suspect_qr)
        missed_px = cv2.resize(side[2], small_qr.shape[::-1], interpolation=cv2.INTER_LINEAR)
        missed_px *= 4 * small_qr.shape[1] / side[2].shape[1]
        trust_qr = np.exp(missed_px / -_TRUST_PX)
        trust_qr[suspect_qr] = 0.5  # the dirt's own motion says nothing of what lies under it
        trust_qr *= _inside(mended)
        found.append(Neighbour(mended, light_qr, trust_qr.astype(np.float32)))
    return found[0], found[1]


def _on_grid(flow_hw2: Float, shape_qr: tuple[int, ...]) -> Float:
    rows, columns = shape_qr
    small: Float = cv2.resize(flow_hw2, (columns, rows), interpolation=cv2.INTER_AREA)
    small *= np.array([columns / flow_hw2.shape[1], rows / flow_hw2.shape[0]], np.float32)
    return small


def _suspects(small_qr: Float, views: list[Float | None]) -> Mask:
    gaps = [small_qr - view - np.median((small_qr - view)[::2, ::2]) for view in views if view is not None]
    if len(gaps) < 2:
        return np.zeros(small_qr.shape, bool)
    suspect = (np.abs(two_sided(gaps[0], gaps[1])) > _SUSPECT).astype(np.uint8)
    wider: Mask = cv2.dilate(suspect, np.ones((3, 3), np.uint8)) > 0
    return wider


def _light(gap_qr: Float, known_qr: Mask) -> Float:
    """The gap's local mean over what is known, away from its outliers."""
    middle = float(np.median(gap_qr[::2, ::2]))
    side = min(_LIGHT_SIDE_PX, *gap_qr.shape) | 1
    weight_qr = known_qr.astype(np.float32)
    near_qr = np.clip(gap_qr - middle, -_LIGHT_LIMIT, _LIGHT_LIMIT) * weight_qr
    border = cv2.BORDER_REPLICATE
    sum_qr = cv2.blur(near_qr, (side, side), borderType=border)
    light_qr: Float = sum_qr / (cv2.blur(weight_qr, (side, side), borderType=border) + 0.05) + middle
    return light_qr.astype(np.float32)


def _inside(flow_qr2: Float) -> Mask:
    rows, columns = flow_qr2.shape[:2]
    there = grid(rows, columns) + flow_qr2
    inside: Mask = (there >= -0.5).all(2) & (there[..., 0] <= columns - 0.5) & (there[..., 1] <= rows - 0.5)
    return inside


def _smooth(neighbour: Neighbour) -> tuple[Float, Float, Float]:
    """Trust, light and speed: what the network is told of one neighbour at quarter size."""
    speed = cv2.magnitude(
        np.ascontiguousarray(neighbour.flow_qr2[..., 0]), np.ascontiguousarray(neighbour.flow_qr2[..., 1])
    )
    return neighbour.trust_qr, _GAIN * neighbour.light_qr, 0.5 * np.log1p(speed)
