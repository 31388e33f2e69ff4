"""Arithmetic that gives the same bytes on any processor.

What touches pixels here is whole numbers, or single float32 additions, products and comparisons, which IEEE
754 fixes to the last bit. Sines, exponentials and the like, which differ between libraries in the last bit,
make parameters only, which are then rounded. Sums of many products, whose order differs, are of whole numbers
that stay below 2^24: float32 holds them exactly in whatever order they are added.

Shape suffixes: H rows, W columns, h, w coarse rows and columns.
"""

from collections.abc import Sequence
from functools import cache

import cv2
import numpy as np
from numpy.typing import NDArray

Float = NDArray[np.float32]

# Four numbers of 0 to 15 add up to a bell.
_MEAN, _SPREAD = 30, float(np.sqrt(4 * (16**2 - 1) / 12))
_HALF_BYTES = np.uint64(0x0F0F0F0F0F0F0F0F)
# How much larger the sums may become in 8 bits and in 16.
_ROOM_8, _ROOM_16 = 4, 1024
_FINE = 256  # weights of interpolation are multiples of one over this
_STEP = 2**14  # smooth fields are multiples of one over this
FULL = 4080
"""White in whole numbers: 255 levels of sixteen steps."""


def stream(seed: int, family: str, frame: int = -1) -> np.random.Generator:
    """The random numbers of one family (of one frame): none of them moves when another family changes."""
    return np.random.default_rng([seed, *family.encode(), frame + 1])


def rounded(value: float) -> float:
    """A parameter freed of what libraries disagree on."""
    return round(float(value), 6)


def noise(
    height: int, width: int, rng: np.random.Generator, sigma_px: float = 0.0, deviation: float = 1.0
) -> Float:
    """Bell-shaped noise (H, W) of mean 0 and this standard deviation, blurred by a Gaussian of this sigma."""
    count = height * width
    words = rng.bit_generator.random_raw(2 * (-(-count // 8)))
    # Eight sums of two lie side by side in a word, then of four.
    pairs = words >> np.uint64(4)
    pairs &= _HALF_BYTES
    words &= _HALF_BYTES
    pairs += words
    fours = pairs[: len(pairs) // 2] + pairs[len(pairs) // 2 :]
    sums = fours.astype("<u8", copy=False).view(np.uint8)[:count].reshape(height, width)
    room, kept = 1, 1.0
    if sigma_px > 0.2:
        taps = 2 * int(np.ceil(3 * sigma_px)) + 1
        kept = float((cv2.getGaussianKernel(taps, sigma_px) ** 2).sum())
        # Whole numbers: the same everywhere. Eight bits are quicker, and fine enough for a slight blur.
        room = _ROOM_8 if sigma_px < 0.8 else _ROOM_16
        sums = sums * (np.uint8(room) if sigma_px < 0.8 else np.uint16(room))
        sums = cv2.GaussianBlur(sums, (taps, taps), sigma_px)
    out: Float = sums.astype(np.float32)
    out -= np.float32(_MEAN * room)
    out *= np.float32(rounded(deviation / (_SPREAD * kept)) / room)
    return out


def field(coarse_hw: NDArray[np.float64], height: int, width: int) -> Float:
    """A coarse grid of values between -4 and 4, spread smoothly over (H, W) in steps of 2^-14; its outer
    values lie on the edges."""
    coarse = np.rint(np.round(coarse_hw, 6) * _STEP).astype(np.float32)
    rows_Hw = np.rint(_weights(coarse.shape[0], height) @ coarse * np.float32(1 / _FINE))
    spread_HW: Float = rows_Hw @ _weights(coarse.shape[1], width).T
    spread_HW *= np.float32(1 / (_FINE * _STEP))
    return spread_HW


@cache
def _weights(knots: int, size: int) -> Float:
    """How much of `_FINE` each knot counts at each place, (size, knots): smooth steps between them."""
    if knots == 1:
        return np.full((size, 1), _FINE, np.float32)
    place = np.linspace(0, knots - 1, size)
    apart = np.clip(np.abs(place[:, None] - np.arange(knots)), 0, 1)
    weights: Float = np.rint((1 - apart * apart * (3 - 2 * apart)) * _FINE).astype(np.float32)
    return weights


def moved(plane_HW: Float, across_px: float, down_px: float) -> Float:
    """The plane in [0, 1] moved right and down by parts of pixels (cubic convolution, Keys 1981); edges
    replicated. It comes out in steps of 1/4080, and what overshoots is cut off."""
    out_HW = plane_HW * np.float32(FULL)
    np.rint(out_HW, out=out_HW)
    for axis, shift_px in ((1, across_px), (0, down_px)):
        if shift_px != 0:
            whole_px, taps = _taps(shift_px, out_HW.shape[axis])
            out_HW = _tapped(out_HW, whole_px, taps, axis)
            np.rint(out_HW, out=out_HW)
    out_HW *= np.float32(1 / FULL)
    return limited(out_HW)


def reached(mask_HW: NDArray[np.bool_], across_px: float, down_px: float) -> NDArray[np.bool_]:
    """All pixels into which `moved` takes anything of these."""
    for axis, shift_px in ((1, across_px), (0, down_px)):
        if shift_px != 0:
            whole_px, taps = _taps(shift_px, mask_HW.shape[axis])
            mask_HW = _tapped(mask_HW.astype(np.float32), whole_px, np.abs(taps), axis) != 0
    return mask_HW


def _taps(shift_px: float, size: int) -> tuple[int, Float]:
    """How far off the pixel lies, in whole pixels, of which, with two neighbours on either side, another is
    made, and how much of each of the five."""
    shift_px = min(max(shift_px, -size), size)
    whole_px = round(-shift_px)
    part = -shift_px - whole_px
    taps = np.rint([_cubic(abs(part - apart)) * _FINE for apart in (-2, -1, 0, 1, 2)]) / _FINE
    taps[2] += 1 - taps.sum()
    return whole_px, taps.astype(np.float32)


def _tapped(plane_HW: Float, whole_px: int, taps: Float, axis: int) -> Float:
    size = plane_HW.shape[axis]
    if whole_px:
        before, after = max(-whole_px, 0), max(whole_px, 0)
        borders = (before, after, 0, 0) if axis == 0 else (0, 0, before, after)
        wide = cv2.copyMakeBorder(plane_HW, *borders, cv2.BORDER_REPLICATE)
        plane_HW = wide[after : after + size] if axis == 0 else wide[:, after : after + size]
    kernel = taps.reshape((-1, 1) if axis == 0 else (1, -1))
    return weighed(plane_HW, kernel, cv2.BORDER_REPLICATE)


def weighed(whole_HW: Float, kernel: Float, border: int) -> Float:
    """Sums of whole numbers, each so many times as the kernel, one row or one column, says; all exact."""
    # OpenCV filters by Fourier transform, which is not exact, with kernels of 50 taps or more.
    if kernel.size < 50:
        out_HW: Float = cv2.filter2D(whole_HW, cv2.CV_32F, kernel, borderType=border)
        return out_HW
    alone = np.ones(1, np.float32)
    across, down = (kernel, alone) if kernel.shape[0] == 1 else (alone, kernel)
    separate: Float = cv2.sepFilter2D(whole_HW, cv2.CV_32F, across, down, borderType=border)
    return separate


def _cubic(distance: float) -> float:
    if distance < 1:
        return 1.5 * distance**3 - 2.5 * distance**2 + 1
    return -0.5 * distance**3 + 2.5 * distance**2 - 4 * distance + 2 if distance < 2 else 0.0


def limited(planes: Float) -> Float:
    """Held in [0, 1], in place."""
    return np.clip(planes, 0, 1, out=planes)


def stacked(planes: Sequence[Float]) -> Float:
    """Planes as one picture; a single one is not copied."""
    return planes[0][None] if len(planes) == 1 else np.stack(planes)
