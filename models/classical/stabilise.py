"""Taking out the gate's weave and leaving the camera's own moves.

Shape suffixes: C planes, H rows, W columns, h, w a shrunken picture, T frames.

Source: the scheme of film.md 4.5: global motion, its fast part (under about half a second) taken out, nothing
cropped.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from models.metrics import grown
from models.motion import Dis, Float, MotionSettings
from models.restorer import Footage, GivenMask, Planes, luma

Mask = NDArray[np.bool_]

# Beside a hard edge moved by half a pixel, Lanczos rings by 12 % of it in the next pixel and 5 % in the one
# after.
_RINGING_PX = 2


@dataclass(frozen=True)
class StabiliseSettings:
    """What is weave and what is camera."""

    window_frames: float = 5.0
    """Sigma of the smoothing that leaves the camera's path, frames; 0 leaves everything as it is."""
    furthest_share: float = 0.02
    """Most a frame may be shifted, as a share of its height; a splice's jump is larger and is left."""
    proxy_px: int = 320
    """Longest side of the picture that motion is measured on."""

    def __post_init__(self) -> None:
        if self.window_frames < 0 or not 0 <= self.furthest_share < 0.5:
            raise ValueError("window_frames must be 0 or more and furthest_share in [0, 0.5)")


@dataclass(frozen=True)
class Shift:
    """What was done to one frame."""

    frame: int
    """Within the shot, from 0."""
    across_px: float
    """How far the picture was moved to the right."""
    down_px: float
    """How far it was moved down."""
    support: float
    """Share of the picture that moved as one with the frame before, 0 to 1: how far the measurement can be
    trusted."""


def stabilise(footage: Footage, settings: StabiliseSettings | None = None) -> tuple[Footage, list[Shift]]:
    """The shot with its weave taken out, readable again and again, and how far each frame was moved.

    Looks at all frames once. Size and frame count stay; edges that come into view repeat the outermost
    pixels.
    """
    settings = settings or StabiliseSettings()
    steps_T2, support_T = _steps(footage, settings)
    path_T2 = np.cumsum(steps_T2, axis=0)
    shifts_T2 = smooth_path(path_T2, settings.window_frames) - path_T2
    limit_px = settings.furthest_share * footage.height
    shifts_T2[np.hypot(*shifts_T2.T) > limit_px] = 0.0
    shifts = [
        Shift(frame, float(across), float(down), float(support))
        for frame, ((across, down), support) in enumerate(zip(shifts_T2, support_T, strict=True))
    ]

    def read() -> Iterator[Planes]:
        for planes_CHW, shift in zip(footage, shifts, strict=True):
            yield shifted(planes_CHW, shift)

    return replace(footage, read=read, given=_moved(footage.given, shifts)), shifts


def _moved(given: GivenMask | None, shifts: list[Shift]) -> GivenMask | None:
    """The mask moved along with the picture."""
    if given is None:
        return None

    def read() -> Iterator[Mask]:
        for mask_HW, shift in zip(given.read(), shifts, strict=True):
            yield shifted_mask(mask_HW, shift)

    return GivenMask(read, given.use)


def shifted(planes_CHW: Planes, shift: Shift) -> Planes:
    """One frame, moved; the frame itself where there is nothing to do (under a fiftieth of a pixel)."""
    if _is_still(shift):
        return planes_CHW
    moved = [_moved_plane(plane_HW, shift, cv2.INTER_LANCZOS4) for plane_HW in planes_CHW]
    out: Planes = np.clip(np.stack(moved), 0, 1).astype(np.float32)
    return out


def shifted_mask(mask_HW: Mask, shift: Shift) -> Mask:
    """Where a frame's marked pixels show once it is moved: `shifted` spreads each one over its neighbours."""
    if _is_still(shift) or not mask_HW.any():
        return mask_HW
    return grown(_moved_plane(mask_HW.astype(np.float32), shift, cv2.INTER_LINEAR) > 0, _RINGING_PX)


def _is_still(shift: Shift) -> bool:
    return max(abs(shift.across_px), abs(shift.down_px)) < 0.02


def _moved_plane(plane_HW: Float, shift: Shift, interpolation: int) -> Float:
    height, width = plane_HW.shape
    move = np.array([[1, 0, shift.across_px], [0, 1, shift.down_px]])
    moved: Float = cv2.warpAffine(
        plane_HW, move, (width, height), flags=interpolation, borderMode=cv2.BORDER_REPLICATE
    )
    return moved


def _steps(footage: Footage, settings: StabiliseSettings) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The background's move from each frame to the next (T, 2), full-size pixels, and the share that made it
    (T)."""
    estimator = Dis(MotionSettings(proxy_px=settings.proxy_px))
    steps, support = [], []
    previous = None
    for planes_CHW in footage:
        small_hw = estimator.look(luma(planes_CHW, footage.colour))
        if previous is None:
            steps.append(np.zeros(2))
            support.append(1.0)
        else:
            pair = estimator.between(previous, small_hw)
            move, share = common_move(pair.forward_hw2, pair.forward_error_hw)
            steps.append(move * (footage.width / small_hw.shape[1]))
            support.append(share)
        previous = small_hw
    return np.array(steps).reshape(-1, 2), np.array(support)


def common_move(flow_hw2: Float, error_hw: Float) -> tuple[NDArray[np.float64], float]:
    """The move most of the picture makes: the median, then the mean of what is within half a pixel of it."""
    flows = flow_hw2[2:-2:3, 2:-2:3][error_hw[2:-2:3, 2:-2:3] < 1.0]
    if len(flows) < 50:
        return np.zeros(2), 0.0
    middle = np.median(flows, axis=0)
    for _ in range(3):
        with_it = np.hypot(*(flows - middle).T) < 0.5
        if with_it.sum() < 50:
            break
        middle = flows[with_it].mean(axis=0)
    share = float((np.hypot(*(flows - middle).T) < 0.5).mean())
    # Under a fifth, there is no common move: people crossing, a zoom, the sea. Better none than a wrong one.
    return (middle.astype(np.float64), share) if share >= 0.2 else (np.zeros(2), share)


def smooth_path(path_T2: NDArray[np.float64], sigma: float) -> NDArray[np.float64]:
    """The path without its fast part; the ends are continued by point reflection, so that pans stay pans."""
    frames = len(path_T2)
    if sigma <= 0 or frames < 3:
        return path_T2
    reach = min(frames - 1, round(3 * sigma))
    head = 2 * path_T2[0] - path_T2[1 : reach + 1][::-1]
    tail = 2 * path_T2[-1] - path_T2[-reach - 1 : -1][::-1]
    long = np.concatenate([head, path_T2, tail])
    weights = np.exp(-(np.arange(-reach, reach + 1) ** 2) / (2 * sigma**2))
    weights /= weights.sum()
    return np.stack([np.convolve(long[:, axis], weights, mode="valid") for axis in range(2)], axis=1)


def jitter_index(footage: Footage, settings: StabiliseSettings | None = None) -> float:
    """Root mean square of the fast part of the shot's path, pixels: 0 stands still."""
    settings = settings or StabiliseSettings()
    path_T2 = np.cumsum(_steps(footage, settings)[0], axis=0)
    fast_T2 = path_T2 - smooth_path(path_T2, settings.window_frames)
    return float(np.sqrt((fast_T2**2).sum(axis=1).mean())) if len(fast_T2) else 0.0
