"""Resizing, blurring and turning pictures in whole numbers: the same bytes on any processor.

Pictures are float32 that hold whole numbers, sixteenths of the 255 levels; weights are 1024ths. Their sums of
products stay below 2^24, so that float32 holds them exactly in whatever order they are added.

Shape suffixes: H rows, W columns.
"""

from functools import lru_cache
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from degradation.exact import FULL, weighed

Float = NDArray[np.float32]
Byte = NDArray[np.uint8]
Filter = Literal["bilinear", "bicubic", "lanczos", "averaging lanczos"]

_WEIGHT = 1024


def whole(plane_HW: Float) -> Float:
    """A plane in [0, 1] as whole numbers, 0 to FULL."""
    out_HW: Float = np.rint(plane_HW * np.float32(FULL))
    return out_HW


def resized(whole_HW: Float, height: int, width: int, how: Filter) -> Float:
    """Whole numbers in another size. Only `averaging lanczos` takes in every pixel of a picture made smaller;
    the others look at the pixels nearest to each point, as OpenCV's of those names do."""
    down = _along(whole_HW, height, how)
    across = _along(np.ascontiguousarray(down.T), width, how)
    return np.clip(np.ascontiguousarray(across.T), 0, FULL)


def _along(whole_HW: Float, rows: int, how: Filter) -> Float:
    if rows == whole_HW.shape[0]:
        return whole_HW
    places, weights = _taps(whole_HW.shape[0], rows, how)
    total_HW: Float = whole_HW[places[0]] * weights[0, :, None]
    for place, weight in zip(places[1:], weights[1:], strict=True):
        total_HW += whole_HW[place] * weight[:, None]
    total_HW *= np.float32(1 / _WEIGHT)
    np.rint(total_HW, out=total_HW)
    return total_HW


@lru_cache(256)
def _taps(size: int, wanted: int, how: Filter) -> tuple[NDArray[np.intp], Float]:
    """Which places each new one is made of, and how much of each: (taps, wanted) both."""
    radius = {"bilinear": 1, "bicubic": 2}.get(how, 3 if how == "averaging lanczos" else 4)
    stretch = max(size / wanted, 1.0) if how == "averaging lanczos" else 1.0
    reach = int(np.ceil(radius * stretch))
    middle = (np.arange(wanted) + 0.5) * size / wanted - 0.5
    places = np.floor(middle).astype(np.intp) + np.arange(1 - reach, reach + 1)[:, None]
    apart = np.abs(places - middle) / stretch
    match how:
        case "bilinear":
            weights = np.maximum(1 - apart, 0)
        case "bicubic":  # Keys 1981 with -0.75, OpenCV's choice
            near, far = (
                (1.25 * apart - 2.25) * apart**2 + 1,
                -0.75 * (apart**3 - 5 * apart**2 + 8 * apart - 4),
            )
            weights = np.where(apart <= 1, near, np.where(apart < 2, far, 0))
        case _:
            weights = np.where(apart < radius, np.sinc(apart) * np.sinc(apart / radius), 0)
    weights = np.rint(np.round(weights / weights.sum(axis=0) * _WEIGHT, 6))
    # What rounding lost goes to the heaviest tap: a plain picture stays plain.
    weights[weights.argmax(axis=0), np.arange(wanted)] += _WEIGHT - weights.sum(axis=0)
    return np.clip(places, 0, size - 1), weights.astype(np.float32)


def smoothed(whole_HW: Float, taps_px: int, sigma_px: float) -> Float:
    """Whole numbers blurred by a Gaussian; edges mirrored."""
    weights = _bell(taps_px, sigma_px)
    for kernel in (weights[None, :], weights[:, None]):
        whole_HW = weighed(whole_HW, kernel, cv2.BORDER_REFLECT_101)
        whole_HW *= np.float32(1 / _WEIGHT)
        np.rint(whole_HW, out=whole_HW)
    return whole_HW


@lru_cache(256)
def _bell(taps_px: int, sigma_px: float) -> Float:
    steps = np.arange(taps_px) - taps_px // 2
    weights = np.exp(-(steps**2) / (2 * sigma_px**2))
    fixed = np.rint(np.round(weights / weights.sum() * _WEIGHT, 6)).astype(np.float32)
    fixed[taps_px // 2] += _WEIGHT - fixed.sum()
    bell: Float = fixed
    return bell


def turned(grey_HW: Byte, row: float, column: float, side_px: float, angle: float) -> Byte:
    """The largest upright square inside a square of this side, turned by `angle` (radians) about its middle.

    Bilinear, at 1/32 of a pixel; outside of the picture its edges are repeated.
    """
    cosine, sine = (round(float(f(angle)) * 4096) for f in (np.cos, np.sin))
    side = max(8, int(side_px * 4096 / (abs(cosine) + abs(sine))))
    steps = 2 * np.arange(side, dtype=np.int32) - (side - 1)
    columns = ((cosine * steps)[None, :] - (sine * steps)[:, None]) // 256 + round(column * 32)
    rows = ((sine * steps)[None, :] + (cosine * steps)[:, None]) // 256 + round(row * 32)
    whole_px = np.stack([columns >> 5, rows >> 5], axis=-1).astype(np.int16)
    parts = ((rows & 31) * 32 + (columns & 31)).astype(np.uint16)
    out: Byte = cv2.remap(grey_HW, whole_px, parts, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return out
