"""What is known of a frame, as our network sees it: the picture, and how it differs from both neighbours
brought here along motion, light changes apart from changes of structure, and from what lies around.

Shape suffixes: C planes, H rows, W columns of the padded picture; h, w of an area of it (or half its size);
q, r (rows, columns) of a quarter; E channels of evidence; 2 is (dx, dy) in pixels of its own grid.

Sources: a defect disagrees with both neighbours, revealed ground with one (Storey 1985; Kokaram 1998); light
and structure told apart as in WaveletMask (Applied Sciences 16(13):6415, 2026), by local means here; a
scratch that lasts differs from nothing but its own sides: the mean of opening and closing, in both orders,
spans it (OCCO filters; Peters, "A new algorithm for image noise reduction using mathematical morphology",
IEEE Transactions on Image Processing 4(5), 1995).
"""

from dataclasses import dataclass

import cv2
import numpy as np
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from models.motion import Pair, grid, length, smooth_over, warp
from models.neural.tiles import Area

Float = NDArray[np.float32]
Mask = NDArray[np.bool_]

GAPS = 4
"""What the frame is compared with: the one before, the one after, what lies to both sides, what around."""
CHANNELS = 4 * (1 + GAPS + 1) + 6
"""Of the evidence: six planes of four sub-pixels each, and six that are smooth."""
_GAP_CHANNELS = slice(4, 4 + 4 * GAPS)

# Differences of a few per cent decide; the network should see them at the size of its other inputs.
GAIN = 4.0
_LIMIT = 4.0
# Larger differences of light between neighbours are cuts or flashes, no flicker to be evened out.
_LIGHT_LIMIT = 16 / 255
_LIGHT_SIDE_PX = 17
# A neighbour on either side differs by this much over dirt; where both do, motion is taken from around.
_SUSPECT = 12 / 255
_TRUST_PX = 1.5
# What is narrower than this, or smaller, is spanned from its sides.
_SPAN_PX = 9


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
    """What is known of one frame before the network looks at it; cut out area by area."""

    here_HW: Float
    """The frame's luma, padded."""
    before_HW: Float | None
    """The luma of the frame before, padded; None at a shot's first frame."""
    after_HW: Float | None
    """The luma of the frame after; None at a shot's last."""
    previous: Neighbour | None
    following: Neighbour | None
    across_HW: Float
    """The luma spanned from both sides: what is there without anything narrow and upright."""
    around_HW: Float
    """The same in both directions: without anything small."""

    def planes(self, area: Area) -> Float:
        """The network's input over an area: planes_Ehw of half its size, every second pixel in a channel of
        its own."""
        here_HW = self.here_HW[area.rows, area.columns]
        sides = ((self.before_HW, self.previous), (self.after_HW, self.following))
        gaps = [
            np.zeros_like(here_HW)
            if plane_HW is None or neighbour is None
            else here_HW - brought(plane_HW, neighbour, area)
            for plane_HW, neighbour in sides
        ]
        spanned = [
            here_HW - plane_HW[area.rows, area.columns] for plane_HW in (self.across_HW, self.around_HW)
        ]
        full = [here_HW * 2 - 1, *(GAIN * gap_HW for gap_HW in gaps + spanned), 2 * GAIN * two_sided(*gaps)]
        planes_Ehw = np.empty((CHANNELS, area.height // 2, area.width // 2), np.float32)
        for n, plane_HW in enumerate(full):
            for m, (row, column) in enumerate(((0, 0), (0, 1), (1, 0), (1, 1))):
                planes_Ehw[4 * n + m] = plane_HW[row::2, column::2]
        smooth = [channel for _, neighbour in sides for channel in _smooth(neighbour)]
        for n, channel_qr in enumerate(smooth, 4 * len(full)):
            planes_Ehw[n] = 0.0 if channel_qr is None else _enlarged(channel_qr, area, 2)
        return np.clip(planes_Ehw, -_LIMIT, _LIMIT, out=planes_Ehw)


def gather(
    here_HW: Float,
    previous: tuple[Float, Pair] | None,
    following: tuple[Float, Pair] | None,
    given_HW: Mask | None = None,
) -> Evidence:
    """The evidence of one frame, from its neighbours' luma and the motion between.

    here_HW: luma in [0, 1], padded. previous: the frame before and the pair (before, here). following: the
    frame after and the pair (here, after). Either may be missing: its difference and its trust are then 0.
    given_HW: damage that is known already, not padded: it has no motion of its own.
    """
    sides = [
        None if previous is None else (previous[0], previous[1].backward_hw2, previous[1].backward_error_hw),
        None
        if following is None
        else (following[0], following[1].forward_hw2, following[1].forward_error_hw),
    ]
    neighbours = _neighbours(_quarter(here_HW), sides, given_HW)
    before_HW, after_HW = (None if side is None else side[0] for side in sides)
    return Evidence(here_HW, before_HW, after_HW, *neighbours, across(here_HW), around(here_HW))


def gaps_of(planes_NEhw: Tensor) -> Tensor:
    """How much lighter a frame is, in luma, than each of what it is compared with: (N, GAPS, H, W)."""
    return F.pixel_shuffle(planes_NEhw[:, _GAP_CHANNELS] / GAIN, 2)


def across(plane_HW: Float) -> Float:
    """The plane without what is narrow and upright."""
    return _spanned(plane_HW, np.ones((1, _SPAN_PX), np.uint8))


def around(plane_HW: Float) -> Float:
    """The plane without what is small."""
    return _spanned(plane_HW, np.ones((_SPAN_PX, _SPAN_PX), np.uint8))


def _spanned(plane_HW: Float, over: NDArray[np.uint8]) -> Float:
    opened = cv2.morphologyEx(plane_HW, cv2.MORPH_OPEN, over, borderType=cv2.BORDER_REPLICATE)
    closed = cv2.morphologyEx(plane_HW, cv2.MORPH_CLOSE, over, borderType=cv2.BORDER_REPLICATE)
    spanned: Float = cv2.morphologyEx(opened, cv2.MORPH_CLOSE, over, borderType=cv2.BORDER_REPLICATE)
    spanned += cv2.morphologyEx(closed, cv2.MORPH_OPEN, over, borderType=cv2.BORDER_REPLICATE)
    spanned *= np.float32(0.5)
    return spanned


def brought(plane_HW: Float, neighbour: Neighbour, area: Area) -> Float:
    """The neighbour's luma as it would look in an area of this frame: along motion, in this frame's light."""
    places_hw2 = 4.0 * _enlarged(neighbour.flow_qr2, area, 4)
    places_hw2[..., 0] += np.arange(area.left, area.right, dtype=np.float32)
    places_hw2[..., 1] += np.arange(area.top, area.bottom, dtype=np.float32)[:, None]
    border = cv2.BORDER_REPLICATE
    there_hw: Float = cv2.remap(plane_HW, places_hw2, None, cv2.INTER_LINEAR, borderMode=border)
    there_hw += _enlarged(neighbour.light_qr, area, 4)
    return there_hw


def _enlarged(field_qr: Float, area: Area, times: int) -> Float:
    """A quarter-size field over an area, `times` (2 or 4) its own size; the same wherever areas overlap."""
    rows, columns = field_qr.shape[:2]
    # One cell around, so that an area's edge is interpolated as the inside is.
    top, left = max(0, area.top // 4 - 1), max(0, area.left // 4 - 1)
    bottom, right = min(rows, area.bottom // 4 + 1), min(columns, area.right // 4 + 1)
    size = (right - left) * times, (bottom - top) * times
    large = cv2.resize(field_qr[top:bottom, left:right], size, interpolation=cv2.INTER_LINEAR)
    row, column = area.top * times // 4 - top * times, area.left * times // 4 - left * times
    cut: Float = large[row : row + area.height * times // 4, column : column + area.width * times // 4]
    return cut


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
    small_qr: Float, sides: list[tuple[Float, Float, Float] | None], given_HW: Mask | None
) -> tuple[Neighbour | None, Neighbour | None]:
    """Both neighbours, their motion taken from around wherever both disagree with the frame."""
    flows = [None if side is None else _on_grid(side[1], small_qr.shape) for side in sides]
    views = [
        None if side is None or flow is None else warp(_quarter(side[0]), flow)
        for side, flow in zip(sides, flows, strict=True)
    ]
    suspect_qr = _suspects(small_qr, views)
    reach_qr = max(4, max(small_qr.shape) // 16)
    if given_HW is not None and given_HW.any():
        rows, columns = np.nonzero(given_HW)
        suspect_qr[rows // 4, columns // 4] = True
        reach_qr = max(small_qr.shape)
    found: list[Neighbour | None] = []
    for side, flow in zip(sides, flows, strict=True):
        if side is None or flow is None:
            found.append(None)
            continue
        mended = smooth_over(flow, suspect_qr, reach_qr)
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
    shrinks = columns < flow_hw2.shape[1]  # enlarged by area, a ramp would come out in steps
    interpolation = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    small: Float = cv2.resize(flow_hw2, (columns, rows), interpolation=interpolation)
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


def _smooth(neighbour: Neighbour | None) -> tuple[Float | None, Float | None, Float | None]:
    """Trust, light and speed: what the network is told of one neighbour; None stands for 0."""
    if neighbour is None:
        return None, None, None
    across, down = neighbour.flow_qr2[..., 0], neighbour.flow_qr2[..., 1]
    speed: Float = np.log1p(length(across, down)) * np.float32(0.5)
    return neighbour.trust_qr, GAIN * neighbour.light_qr, speed
