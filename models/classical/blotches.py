"""Dirt: what disagrees with the frame before AND the frame after, where motion can be trusted.

Shape suffixes: H rows, W columns, N blobs, P pixels of blobs.

Sources: SDIp and ROD, Kokaram, "Motion Picture Restoration" (1998) and IEEE TIP 2004; interval form (SROD), Biemond et
al. 1999; five-frame evidence against pathological motion, Corrigan, Kokaram et al., 2006-2011.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

Float = NDArray[np.float32]
Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class BlotchSettings:
    """What counts as dirt."""

    seed_sigmas: float = 5.0
    """How far outside everything its neighbours show (within a pixel) a pixel must be to start a blob, in local noise
    deviations. 0 makes everything a seed."""
    grow_sigmas: float = 2.5
    """How far from both neighbours a pixel must be to belong to a blob, in local noise deviations."""
    floor: float = 6.0 / 255
    """Contrast, of 1, under which nothing is dirt, whatever the noise: 6/255 is hardly seen."""
    largest_share: float = 0.01
    """Largest blob, as a share of the frame; anything larger is left for a person."""
    busiest_share: float = 0.06
    """Share of the frame that may be suspect before the whole frame is left alone (a flash, a lost match)."""
    sure: float = 0.5
    """Confidence from which a blob is repaired, 0 to 1; 0 repairs every suspect."""

    def __post_init__(self) -> None:
        if not 0 < self.grow_sigmas <= self.seed_sigmas:
            raise ValueError("grow_sigmas must be positive and not above seed_sigmas")
        if not 0 <= self.sure <= 1:
            raise ValueError("sure must lie in [0, 1]")


@dataclass(frozen=True)
class Suspects:
    """Blobs of one frame that may be dirt, before time has had its say."""

    labels_HW: NDArray[np.int32]
    """0 for none, else a blob's number; blob b is row b - 1 of the arrays below."""
    area_N: Float
    """Pixels."""
    centre_N2: Float
    """(x, y), pixels."""
    contrast_N: Float
    """Mean signed difference from the neighbours, of 1."""
    confidence_N: Float
    """In [0, 1], from this frame's evidence alone."""

    @property
    def mask_HW(self) -> Mask:
        return self.labels_HW > 0


def local_noise(difference_HW: Float, sigma_HW: Float) -> Float:
    """What a difference means at each place: grain, or how badly motion compensation does around here if that is worse.

    Differences are clipped at three grain deviations' worth of their own neighbourhood, so that dirt does not hide itself.
    """
    height, width = difference_HW.shape
    side = max(9, min(height, width) // 16 | 1)
    small = cv2.resize(np.minimum(np.abs(difference_HW), 6 * sigma_HW), (max(1, width // 4), max(1, height // 4)),
                       interpolation=cv2.INTER_AREA)
    mean = cv2.blur(small, (max(3, side // 4 | 1),) * 2, borderType=cv2.BORDER_REFLECT_101)
    around: Float = cv2.resize(mean, (width, height), interpolation=cv2.INTER_LINEAR)
    # 1.25: from mean absolute value to a Gaussian's deviation.
    return np.maximum(sigma_HW, 1.25 * around)


@dataclass(frozen=True)
class Witnesses:
    """A frame and its two neighbours brought to its place and tone."""

    now_HW: Float
    before_HW: Float
    after_HW: Float
    noise_HW: Float
    """What a difference of one deviation is at each place (`local_noise`)."""
    lost_HW: Mask
    """Where motion to either neighbour does not survive the round trip."""
    both_sides: bool
    """False at a shot's first and last frame, where both witnesses stand on one side."""


def suspects(seen: Witnesses, settings: BlotchSettings) -> Suspects:
    """Blobs that stand out from both witnesses, with how much each looks like dirt."""
    height, width = seen.now_HW.shape
    square = np.ones((3, 3), np.uint8)
    lowest_HW = cv2.erode(cv2.min(seen.before_HW, seen.after_HW), square)
    highest_HW = cv2.dilate(cv2.max(seen.before_HW, seen.after_HW), square)
    outside_HW = cv2.max(seen.now_HW - highest_HW, lowest_HW - seen.now_HW)
    seed_HW = outside_HW > np.maximum(settings.seed_sigmas * seen.noise_HW, settings.floor)
    share = float(seed_HW.mean())
    if not seed_HW.any() or share > settings.busiest_share:
        return no_suspects(height, width)

    from_before_HW = seen.now_HW - seen.before_HW
    from_after_HW = seen.now_HW - seen.after_HW
    grow_HW = np.maximum(settings.grow_sigmas * seen.noise_HW, 0.5 * settings.floor)
    bright_HW = cv2.min(from_before_HW, from_after_HW) > grow_HW
    dark_HW = cv2.max(from_before_HW, from_after_HW) < -grow_HW
    labels_HW, count = _blobs(bright_HW, dark_HW, seed_HW)
    if count == 0:
        return no_suspects(height, width)
    return _judged(labels_HW, count, seen, settings)


def no_suspects(height: int, width: int) -> Suspects:
    """A frame with nothing to suspect."""
    nothing = np.zeros(0, np.float32)
    return Suspects(np.zeros((height, width), np.int32), nothing, np.zeros((0, 2), np.float32), nothing, nothing)


def kept(found: Suspects, keep_N: Mask) -> Suspects:
    """Only the blobs that `keep_N` names, numbered afresh."""
    number_N = np.concatenate([[0], np.where(keep_N, np.cumsum(keep_N), 0)]).astype(np.int32)
    return Suspects(
        number_N[found.labels_HW],
        found.area_N[keep_N],
        found.centre_N2[keep_N],
        found.contrast_N[keep_N],
        found.confidence_N[keep_N],
    )


def _blobs(bright_HW: Mask, dark_HW: Mask, seed_HW: Mask) -> tuple[NDArray[np.int32], int]:
    """Connected bright and dark regions that hold a seed, numbered from 1."""
    bright_count, bright = cv2.connectedComponents(bright_HW.astype(np.uint8), connectivity=8)
    _, dark = cv2.connectedComponents(dark_HW.astype(np.uint8), connectivity=8)
    labels_HW = np.where(dark > 0, dark + (bright_count - 1), bright).astype(np.int32)
    seeded = np.bincount(labels_HW[seed_HW], minlength=int(labels_HW.max()) + 1) > 0
    seeded[0] = False
    number = np.where(seeded, np.cumsum(seeded), 0).astype(np.int32)
    return number[labels_HW], int(seeded.sum())


def _judged(labels_HW: NDArray[np.int32], count: int, seen: Witnesses, settings: BlotchSettings) -> Suspects:
    height, width = labels_HW.shape
    rows_P, columns_P = np.nonzero(labels_HW)
    blob_P = labels_HW[rows_P, columns_P] - 1
    area_N = np.bincount(blob_P, minlength=count).astype(np.float32)

    def mean_N(values_P: Float) -> Float:
        return (np.bincount(blob_P, values_P, count) / area_N).astype(np.float32)

    expected_HW = 0.5 * (seen.before_HW + seen.after_HW)
    difference_HW = seen.now_HW - expected_HW
    difference_P = difference_HW[rows_P, columns_P]
    contrast_N = mean_N(difference_P)
    strength_N = np.abs(contrast_N) / np.maximum(mean_N(seen.noise_HW[rows_P, columns_P]), 1e-6)
    split_P = np.abs(seen.before_HW[rows_P, columns_P] - seen.after_HW[rows_P, columns_P])
    split_N = mean_N(split_P) / np.maximum(np.abs(contrast_N), 1e-6)
    centre_N2 = np.stack([mean_N(columns_P.astype(np.float32)), mean_N(rows_P.astype(np.float32))], axis=1)

    unrest_N, lost_N = _surroundings(labels_HW, count, seen, settings)
    edge_N = _edge(labels_HW, count, difference_HW) / np.maximum(np.abs(contrast_N), 1e-6)

    confidence_N = (
        _ramp(strength_N, settings.grow_sigmas, 2 * settings.seed_sigmas) * 0.5 + 0.5
    ) * _ramp(split_N, 0.9, 0.35) * _ramp(unrest_N, 0.6, 0.2) * _ramp(lost_N, 0.8, 0.3) * _ramp(edge_N, 0.08, 0.2)
    too_large_N = area_N > settings.largest_share * height * width
    confidence_N = np.where(too_large_N, 0.0, confidence_N).astype(np.float32)
    if not seen.both_sides:
        # Seen from one side only, something that went away looks like dirt: no more than a small spot is believed.
        small_N = _ramp(area_N, 0.0005 * height * width + 16, 0.0001 * height * width + 8)
        confidence_N = (0.8 * confidence_N * small_N).astype(np.float32)
    return Suspects(labels_HW, area_N, centre_N2, contrast_N, confidence_N)


def _ramp(values: Float, bad: float, good: float) -> Float:
    """0 at `bad`, 1 at `good`, straight between."""
    return np.clip((values - bad) / (good - bad), 0, 1).astype(np.float32)


def _surroundings(
    labels_HW: NDArray[np.int32], count: int, seen: Witnesses, settings: BlotchSettings
) -> tuple[Float, Float]:
    """Per blob, of the pixels 3 to 6 px around it: the share that differs from a witness, and that motion lost."""
    # float32 holds label numbers up to 2^24 and, unlike int32, can be dilated.
    numbers_HW = labels_HW.astype(np.float32)
    near = cv2.dilate(numbers_HW, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (5, 5)))
    wide = cv2.dilate(numbers_HW, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (13, 13)))
    rows_P, columns_P = np.nonzero((wide > 0) & (near == 0))
    blob_P = wide[rows_P, columns_P].astype(np.intp) - 1
    limit_P = np.maximum(settings.grow_sigmas * seen.noise_HW[rows_P, columns_P], 0.5 * settings.floor)
    now_P = seen.now_HW[rows_P, columns_P]
    differs_P = (np.abs(now_P - seen.before_HW[rows_P, columns_P]) > limit_P) | (
        np.abs(now_P - seen.after_HW[rows_P, columns_P]) > limit_P
    )
    total_N = np.maximum(np.bincount(blob_P, minlength=count), 1)
    unrest_N = np.bincount(blob_P, differs_P, count) / total_N
    lost_N = np.bincount(blob_P, seen.lost_HW[rows_P, columns_P], count) / total_N
    return unrest_N.astype(np.float32), lost_N.astype(np.float32)


def _edge(labels_HW: NDArray[np.int32], count: int, difference_HW: Float) -> Float:
    """Per blob, the mean slope of the difference picture along its outline, of 1 per pixel."""
    across = cv2.Sobel(difference_HW, cv2.CV_32F, 1, 0, ksize=3, scale=1 / 8)
    down = cv2.Sobel(difference_HW, cv2.CV_32F, 0, 1, ksize=3, scale=1 / 8)
    outline_HW = (labels_HW > 0) & (cv2.erode((labels_HW > 0).astype(np.uint8), np.ones((3, 3), np.uint8)) == 0)
    blob_P = labels_HW[outline_HW] - 1
    slope_P = np.hypot(across[outline_HW], down[outline_HW])
    return (np.bincount(blob_P, slope_P, count) / np.maximum(np.bincount(blob_P, minlength=count), 1)).astype(np.float32)
