"""Dirt: what stands out from the frame before AND the frame after.

Shape suffixes: H rows, W columns, N blobs, P pixels of blobs.

Sources: SDIp and ROD, Kokaram, "Motion Picture Restoration" (1998) and IEEE TIP 2004; the interval form
(SROD), Biemond et al. 1999.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from models.motion import length

Float = NDArray[np.float32]
Mask = NDArray[np.bool_]
Index = NDArray[np.intp]


@dataclass(frozen=True)
class BlotchSettings:
    """What may be dirt."""

    soften_px: float = 0.8
    """Sigma of the blur that frame and neighbours get alike before they are compared, pixels; 0 means none.
    It evens out what interpolation did to the neighbours: 0.19 % of a printed T-shirt was touched without,
    0.003 % with."""
    seed_sigmas: float = 5.0
    """How far outside everything its neighbours show (within a pixel) a pixel must be to start a blob, in
    local noise deviations."""
    grow_sigmas: float = 2.5
    """How far from both neighbours a pixel must be to belong to a blob, in local noise deviations."""
    floor: float = 6.0 / 255
    """Contrast, of 1, under which nothing is dirt, whatever the noise: 6/255 is hardly seen."""
    rim_sigmas: float = 1.0
    """How far from the neighbours' mean, and to the same side, a pixel next to a blob must be to go with it.
    """
    rim_px: int = 2
    """How far such pixels may be from the blob, pixels; 0 leaves soft rims standing."""
    slope_px: float = 0.25
    """How far motion may be off before a slope of the picture counts as a difference, in pixels; 0 trusts
    motion."""
    largest_share: float = 0.02
    """Largest blob, as a share of the frame; anything larger is left for a person."""
    busiest_share: float = 0.06
    """Share of the frame that may be suspect before the whole frame is left alone (a flash, a lost match)."""

    def __post_init__(self) -> None:
        if not 0 < self.grow_sigmas <= self.seed_sigmas:
            raise ValueError("grow_sigmas must be positive and not above seed_sigmas")
        if min(self.soften_px, self.slope_px, self.floor) < 0:
            raise ValueError("soften_px, slope_px and floor must not be negative")


@dataclass(frozen=True)
class Witnesses:
    """A frame and two neighbours brought to its place and tone, all softened alike."""

    now_HW: Float
    before_HW: Float
    after_HW: Float
    noise_HW: Float
    """What a difference of one deviation is at each place (`local_noise`)."""
    both_sides: bool
    """False at a shot's first and last frame, where both witnesses stand on one side."""

    @property
    def expected_HW(self) -> Float:
        """What should stand here."""
        return 0.5 * (self.before_HW + self.after_HW)


@dataclass(frozen=True)
class Blobs:
    """Connected regions of one frame that stand out, by their pixels."""

    labels_HW: NDArray[np.int32]
    """0 for none, else a blob's number; blob b is row b - 1 of every array per blob."""
    count: int
    rows_P: Index
    columns_P: Index
    blob_P: Index
    """Row of the blob each pixel belongs to."""

    @property
    def mask_HW(self) -> Mask:
        """Every blob's pixels."""
        return self.labels_HW > 0

    def mean_N(self, values_HW: Float) -> Float:
        """Each blob's mean of a picture."""
        area_N = np.maximum(np.bincount(self.blob_P, minlength=self.count), 1)
        sums_N = np.bincount(self.blob_P, values_HW[self.rows_P, self.columns_P], self.count)
        return (sums_N / area_N).astype(np.float32)

    def chosen(self, keep_N: Mask) -> "Blobs":
        """Only the blobs that `keep_N` names, numbered afresh."""
        number = np.concatenate([[0], np.where(keep_N, np.cumsum(keep_N), 0)]).astype(np.int32)
        return numbered(number[self.labels_HW], int(keep_N.sum()))


def numbered(labels_HW: NDArray[np.int32], count: int) -> Blobs:
    """Blobs from a picture of numbers 0 to `count`."""
    rows_P, columns_P = np.nonzero(labels_HW)
    return Blobs(labels_HW, count, rows_P, columns_P, (labels_HW[rows_P, columns_P] - 1).astype(np.intp))


def no_blobs(height: int, width: int) -> Blobs:
    """A frame where nothing stands out."""
    return numbered(np.zeros((height, width), np.int32), 0)


def find(seen: Witnesses, settings: BlotchSettings) -> Blobs:
    """Regions of one sign that differ from both witnesses and hold a pixel outside all that these show near
    by."""
    height, width = seen.now_HW.shape
    square = np.ones((3, 3), np.uint8)
    lowest_HW = cv2.erode(cv2.min(seen.before_HW, seen.after_HW), square)
    highest_HW = cv2.dilate(cv2.max(seen.before_HW, seen.after_HW), square)
    outside_HW = cv2.max(seen.now_HW - highest_HW, lowest_HW - seen.now_HW)
    seed_HW = outside_HW > np.maximum(settings.seed_sigmas * seen.noise_HW, settings.floor)
    if not seed_HW.any() or float(seed_HW.mean()) > settings.busiest_share:
        return no_blobs(height, width)
    from_before_HW = seen.now_HW - seen.before_HW
    from_after_HW = seen.now_HW - seen.after_HW
    limit_HW = np.maximum(settings.grow_sigmas * seen.noise_HW, 0.5 * settings.floor)
    bright_HW = cv2.min(from_before_HW, from_after_HW) > limit_HW
    dark_HW = cv2.max(from_before_HW, from_after_HW) < -limit_HW
    bright_count, bright = cv2.connectedComponents(bright_HW.astype(np.uint8), connectivity=8)
    _, dark = cv2.connectedComponents(dark_HW.astype(np.uint8), connectivity=8)
    labels_HW = np.where(dark > 0, dark + (bright_count - 1), bright).astype(np.int32)
    area = np.bincount(labels_HW.ravel())
    wanted = np.bincount(labels_HW[seed_HW], minlength=area.size) > 0
    wanted &= area <= settings.largest_share * height * width
    wanted[0] = False
    number = np.where(wanted, np.cumsum(wanted), 0).astype(np.int32)
    return numbered(number[labels_HW], int(wanted.sum()))


def rims(blobs: Blobs, seen: Witnesses, settings: BlotchSettings) -> Mask:
    """The blobs and what of their soft rims still shows."""
    difference_HW = seen.now_HW - seen.expected_HW
    limit_HW = np.maximum(settings.rim_sigmas * seen.noise_HW, 0.5 * settings.floor)
    square = np.ones((3, 3), np.uint8)
    mask_HW = blobs.mask_HW
    for sign in (1, -1):
        signed_HW = sign * difference_HW
        side_HW = mask_HW & (signed_HW > 0)
        shows_HW = signed_HW > limit_HW
        for _ in range(settings.rim_px):
            side_HW = side_HW | ((cv2.dilate(side_HW.astype(np.uint8), square) > 0) & shows_HW)
        mask_HW = mask_HW | side_HW
    return mask_HW


def local_noise(difference_HW: Float, expected_HW: Float, sigma_HW: Float, settings: BlotchSettings) -> Float:
    """What a difference means at each place: the most of grain, how badly motion does around here, and the
    slope.

    How badly: the 65th percentile of the absolute difference over blocks, less any block that stands out from
    those around it: dirt covering less than a third of a block, or one whole block, does not hide itself.
    """
    height, width = difference_HW.shape
    side = max(8, min(height, width) // 16)
    rows, columns = max(1, height // side), max(1, width // side)
    # Brought to whole blocks by nearest neighbours; a quarter of the pixels is enough for a percentile.
    half = max(2, side // 2)
    used = cv2.resize(np.abs(difference_HW), (columns * half, rows * half), interpolation=cv2.INTER_NEAREST)
    blocks = used.reshape(rows, half, columns, half).transpose(0, 2, 1, 3).reshape(rows, columns, -1)
    place = round(0.65 * (blocks.shape[2] - 1))
    level_hw = cv2.medianBlur(np.partition(blocks, place, axis=2)[:, :, place].astype(np.float32), 3)
    # 0.935: the 65th percentile of a unit Gaussian's absolute value.
    around_HW = cv2.resize(level_hw / 0.935, (width, height), interpolation=cv2.INTER_LINEAR)
    steep_HW = cv2.dilate(slope(expected_HW), np.ones((3, 3), np.uint8))
    noise_HW: Float = cv2.max(cv2.max(sigma_HW, around_HW), settings.slope_px * steep_HW)
    return noise_HW


def slope(image_HW: Float) -> Float:
    """The picture's steepness, of 1 per pixel."""
    across = cv2.Sobel(image_HW, cv2.CV_32F, 1, 0, ksize=3, scale=1 / 8)
    down = cv2.Sobel(image_HW, cv2.CV_32F, 0, 1, ksize=3, scale=1 / 8)
    return length(across, down)
