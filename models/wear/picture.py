"""What one frame shows of its film: tones, sharpness, grain.

Shape suffixes: H rows, W columns, B brightness bins.

Sources: the spectrum's slope, Field, "Relations between the statistics of natural images", JOSA A 1987 (power
falls about as the square of frequency); grain as in `models.grain`.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

from models import grain as graining
from models.wear.wear import LUMA_BINS, Wear

Float = NDArray[np.float32]
Mask = NDArray[np.bool_]

# Cycles per picture height: below are the things in the scene, above is what small copies do not hold.
_LOWEST_CYCLES, _HIGHEST_CYCLES = 16.0, 120.0
# Of a brightness bin: fewer pixels give no standard deviation worth having.
_FEWEST_PIXELS = 500


def looks(light_HW: Float) -> Wear:
    """A frame's tones and the slope of its spectrum."""
    black, middle, white = np.percentile(light_HW[::2, ::2], (1, 50, 99)).astype(np.float32)
    one = np.ones(1, np.float32)
    return Wear(
        black_T=black * one,
        middle_T=middle * one,
        white_T=white * one,
        slope_T=np.float32(slope(light_HW)) * one,
    )


def slope(light_HW: Float) -> float:
    """Slope of log power by log frequency, over rings from 16 to 120 cycles per height (four fifths of what
    the frame can hold, where that is less); NaN for a flat or tiny frame."""
    height, width = light_HW.shape
    highest = min(_HIGHEST_CYCLES, 0.4 * height)
    if highest < 1.5 * _LOWEST_CYCLES or width < 2 * _LOWEST_CYCLES:
        return float("nan")
    window_HW = cv2.createHanningWindow((width, height), cv2.CV_32F)
    power = np.abs(np.fft.rfft2((light_HW - light_HW.mean()) * window_HW)) ** 2
    down = np.fft.fftfreq(height, 1 / height)
    across = np.fft.rfftfreq(width, 1 / width) * (height / width)
    cycles = np.hypot(down[:, None], across[None])
    rings = np.geomspace(_LOWEST_CYCLES, highest, 13)
    ring = np.digitize(cycles, rings) - 1
    inside = (ring >= 0) & (ring < 12)
    total = np.bincount(ring[inside], power[inside], 12)
    count = np.maximum(np.bincount(ring[inside], minlength=12), 1)
    if total.min() <= 0:
        return float("nan")
    return float(np.polyfit(np.log(np.sqrt(rings[1:] * rings[:-1])), np.log(total / count), 1)[0])


def grain(light_HW: Float, expected_HW: Float, quiet_HW: Mask) -> Wear:
    """Grain at eight brightnesses, from what differs from the motion-compensated neighbours' mean where that
    can be trusted; NaN where too little of a brightness shows."""
    measured = graining.measure(light_HW, expected_HW, expected_HW, quiet_HW)
    nothing = np.full(1, np.nan, np.float32)
    if measured is None:
        return Wear(grain_TB=np.full((1, LUMA_BINS), np.nan, np.float32), coarseness_T=nothing)
    fine = graining.BINS // LUMA_BINS
    place = np.clip((expected_HW[quiet_HW] * graining.BINS).astype(np.intp), 0, graining.BINS - 1)
    counts = np.bincount(place, minlength=graining.BINS).reshape(LUMA_BINS, fine)
    weighed = (measured.sigma_B.reshape(LUMA_BINS, fine) * counts).sum(1) / np.maximum(counts.sum(1), 1)
    sigma_B = np.where(counts.sum(1) >= _FEWEST_PIXELS, weighed, np.nan).astype(np.float32)
    coarseness = np.float32(measured.coarseness_px / light_HW.shape[0])
    return Wear(grain_TB=sigma_B[None], coarseness_T=np.full(1, coarseness))
