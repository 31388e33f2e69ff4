"""Arithmetic that gives the same bytes on any processor.

What touches pixels here is whole numbers, or single float32 additions, products and comparisons, which IEEE
754 fixes to the last bit. Sines, exponentials and the like, which differ between libraries in the last bit,
make parameters only, which are then rounded; sums of many floats, whose order differs, are not used at all.

Shape suffixes: H rows, W columns, h, w coarse rows and columns.
"""

from collections.abc import Iterable
from functools import cache

import cv2
import numpy as np
from numpy.typing import NDArray

Float = NDArray[np.float32]

# Four bytes add up to a bell: mean 510, variance 4 (256^2 - 1) / 12.
_BYTES, _MEAN, _SPREAD = 4, 510, float(np.sqrt(4 * (256**2 - 1) / 12))
_ROOM = 64  # the sums of four bytes fill 16 bits when multiplied by this
_FINE = 256  # weights of interpolation are multiples of one over this


def stream(seed: int, family: str, frame: int = -1) -> np.random.Generator:
    """The random numbers of one family (of one frame): none of them moves when another family changes."""
    return np.random.default_rng([seed, *family.encode(), frame + 1])


def rounded(value: float) -> float:
    """A parameter freed of what libraries disagree on."""
    return round(float(value), 6)


def noise(height: int, width: int, rng: np.random.Generator, sigma_px: float = 0.0) -> Float:
    """Bell-shaped noise (H, W) of mean 0 and variance 1, blurred by a Gaussian of this sigma."""
    count = height * width
    words = rng.bit_generator.random_raw((_BYTES * count + 7) // 8).astype("<u8", copy=False)
    parts = words.view(np.uint8)[: _BYTES * count].reshape(_BYTES, height, width)
    whole = parts[0].astype(np.uint16)
    for part in parts[1:]:
        whole += part
    scale, kept = 1.0, 1.0
    if sigma_px > 0.2:
        taps = 2 * int(np.ceil(3 * sigma_px)) + 1
        kept = float((cv2.getGaussianKernel(taps, sigma_px) ** 2).sum())
        # Whole numbers: the same everywhere. Eight bits are quicker, and fine enough for a slight blur.
        if sigma_px < 0.8:
            scale = 1 / 4
            whole = cv2.GaussianBlur((whole // 4).astype(np.uint8), (taps, taps), sigma_px)
        else:
            scale = float(_ROOM)
            whole = cv2.GaussianBlur(whole * _ROOM, (taps, taps), sigma_px)
    mean = _MEAN * scale - (0.375 if scale < 1 else 0)  # what the division by four leaves over
    out: Float = whole.astype(np.float32)
    out -= np.float32(mean)
    out *= np.float32(rounded(1 / (_SPREAD * kept)) / scale)
    return out


def field(coarse_hw: NDArray[np.float64], height: int, width: int) -> Float:
    """A coarse grid spread smoothly over (H, W); its outer values lie on the edges."""
    coarse = np.round(coarse_hw, 6).astype(np.float32)
    rows_Hw = _summed(zip(coarse, _weights(coarse.shape[0], height).T[:, :, None], strict=True))
    return _summed(zip(rows_Hw.T[:, :, None], _weights(coarse.shape[1], width).T, strict=True))


@cache
def _weights(knots: int, size: int) -> Float:
    """How much each knot counts at each place, (size, knots): a smooth step from one to the next."""
    if knots == 1:
        return np.ones((size, 1), np.float32)
    place = np.linspace(0, knots - 1, size)
    apart = np.clip(np.abs(place[:, None] - np.arange(knots)), 0, 1)
    weights: Float = (np.rint((1 - apart * apart * (3 - 2 * apart)) * _FINE) / _FINE).astype(np.float32)
    return weights


def _summed(products: Iterable[tuple[Float, Float | np.float32]]) -> Float:
    """The sum of products, in the order given; memory is taken twice, whatever their number."""
    total: Float | None = None
    spare: Float | None = None
    for one, other in products:
        if total is None:
            total = np.multiply(one, other)
        else:
            spare = np.multiply(one, other, out=spare)
            total += spare
    assert total is not None  # callers sum one product at least
    return total


def moved(plane_HW: Float, across_px: float, down_px: float) -> Float:
    """The plane moved right and down by parts of pixels (cubic convolution, Keys 1981); edges replicated."""
    out = plane_HW
    for axis, shift in ((1, across_px), (0, down_px)):
        if shift != 0:
            out = _moved(out, shift, axis)
    return out


def _moved(plane_HW: Float, shift_px: float, axis: int) -> Float:
    size = plane_HW.shape[axis]
    shift_px = min(max(shift_px, -size), size)
    whole = int(np.floor(-shift_px))
    part = -shift_px - whole
    near = [_cubic(part + 1), _cubic(part), _cubic(1 - part), _cubic(2 - part)]
    weights = [round(weight * _FINE) / _FINE for weight in near]
    weights[1] += 1 - sum(weights)
    border = size + 3 if abs(shift_px) > 8 else 11
    down, across = (border, 0) if axis == 0 else (0, border)
    wide: Float = cv2.copyMakeBorder(plane_HW, down, down, across, across, cv2.BORDER_REPLICATE)
    starts = [border + whole + tap for tap in (-1, 0, 1, 2)]
    return _summed(
        (wide[start : start + size] if axis == 0 else wide[:, start : start + size], np.float32(weight))
        for start, weight in zip(starts, weights, strict=True)
        if weight
    )


def _cubic(distance: float) -> float:
    if distance < 1:
        return 1.5 * distance**3 - 2.5 * distance**2 + 1
    return -0.5 * distance**3 + 2.5 * distance**2 - 4 * distance + 2 if distance < 2 else 0.0


def limited(planes: Float) -> Float:
    """Held in [0, 1], in place."""
    np.maximum(planes, 0, out=planes)
    return np.minimum(planes, 1, out=planes)


def whole(planes: Float, steps: int) -> NDArray[np.uint16]:
    """Values in [0, 1] as whole numbers up to `steps`, at most 65,535."""
    numbers: NDArray[np.uint16] = np.rint(planes * np.float32(steps)).astype(np.uint16)
    return numbers
