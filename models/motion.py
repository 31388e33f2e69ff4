"""Where the picture went between two frames: dense flow both ways, on a proxy that flicker and dirt hardly
reach.

Shape suffixes: H rows, W columns of the full picture; h, w of the proxy; 2 is (dx, dy) in pixels of its own
grid. Flow runs from a frame to its neighbour: frame(x) is neighbour(x + flow(x)).

Source: DIS, Kroeger et al., "Fast Optical Flow using Dense Inverse Search", ECCV 2016.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

Float = NDArray[np.float32]
Byte = NDArray[np.uint8]


@dataclass(frozen=True)
class MotionSettings:
    """How motion is looked for."""

    proxy_px: int = 640
    """Longest side of the picture that flow is computed on, in pixels; larger frames are shrunk to it. At
    least 64."""
    median_px: int = 3
    """Side of the median that takes small dirt off the proxy, in proxy pixels, odd; 1 means none."""
    patch_contrast: float = 0.02
    """Local contrast (of 1) under which the proxy is treated as flat, so that grain is not mistaken for
    texture."""

    def __post_init__(self) -> None:
        if self.proxy_px < 64 or self.median_px % 2 == 0:
            raise ValueError("proxy_px must be 64 or more and median_px odd")


@dataclass(frozen=True)
class Pair:
    """Motion between frame t and frame t + 1, on the proxy's grid."""

    forward_hw2: Float
    """From t to t + 1."""
    backward_hw2: Float
    """From t + 1 to t."""
    forward_error_hw: Float
    """How far forward-then-backward misses its start, in proxy pixels, on frame t's grid."""
    backward_error_hw: Float
    """The same, backward first, on frame t + 1's grid."""


def proxy(luma_HW: Float, settings: MotionSettings) -> Byte:
    """An 8-bit picture of local contrast, at most `proxy_px` on its longer side: brightness and gain cancel
    out."""
    small = shrink(luma_HW, proxy_scale(luma_HW.shape, settings.proxy_px))
    tone = np.clip(small * 255.0, 0, 255).astype(np.uint8)
    if settings.median_px > 1:
        tone = cv2.medianBlur(tone, settings.median_px)
    tone_hw = tone.astype(np.float32) / 255.0
    # A window of an eighth of the picture follows uneven flicker but keeps objects whole.
    side = max(9, min(tone_hw.shape) // 8 | 1)
    mean_hw = cv2.blur(tone_hw, (side, side), borderType=cv2.BORDER_REFLECT_101)
    power_hw = cv2.blur(tone_hw * tone_hw, (side, side), borderType=cv2.BORDER_REFLECT_101)
    spread_hw = np.sqrt(np.maximum(power_hw - mean_hw * mean_hw, 0)) + settings.patch_contrast
    equal_hw: Byte = np.clip(128.0 + 50.0 * (tone_hw - mean_hw) / spread_hw, 0, 255).astype(np.uint8)
    return equal_hw


def proxy_scale(shape_HW: tuple[int, ...], proxy_px: int) -> float:
    """The factor, at most 1, that brings the longer side to `proxy_px`."""
    return min(1.0, proxy_px / max(shape_HW[0], shape_HW[1]))


def shrink(image_HW: Float, scale: float) -> Float:
    """The image scaled by `scale` (at most 1), by area."""
    if scale >= 1.0:
        return image_HW
    height, width = image_HW.shape[:2]
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    small: Float = cv2.resize(image_HW, size, interpolation=cv2.INTER_AREA)
    return small


class Dis:
    """The flow estimator that needs no weights: DIS between proxies. Holds only the solver."""

    name = "dis"

    def __init__(self, settings: MotionSettings | None = None) -> None:
        self._settings = settings or MotionSettings()
        # FAST takes 16 ms at 640x480; MEDIUM takes 62 ms and bends to fit the dirt itself: of synthetic dirt
        # on five clips 40 to 78 % was found with FAST, 18 to 66 % with MEDIUM.
        self._solver = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_FAST)

    def look(self, luma_HW: Float) -> Byte:
        """The frame's proxy."""
        return proxy(luma_HW, self._settings)

    def between(self, first_hw: Byte, second_hw: Byte) -> Pair:
        """Motion both ways between two proxies of one size, with the round trip's error."""
        forward = self._flow(first_hw, second_hw)
        backward = self._flow(second_hw, first_hw)
        return Pair(forward, backward, round_trip(forward, backward), round_trip(backward, forward))

    def _flow(self, first_hw: Byte, second_hw: Byte) -> Float:
        if (
            min(first_hw.shape) < 32 or max(first_hw.shape) < 64
        ):  # DIS wants a few whole patches at its coarsest scale
            return np.zeros((*first_hw.shape, 2), np.float32)
        flow_hw2: Float = self._solver.calc(first_hw, second_hw, None)
        return flow_hw2


def grid(height: int, width: int) -> Float:
    """Pixel coordinates (x, y), float32 (height, width, 2)."""
    columns, rows = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
    return np.dstack([columns, rows])


def warp(image: Float, flow_hw2: Float, interpolation: int = cv2.INTER_LINEAR) -> Float:
    """The neighbour seen from this frame: image(x + flow(x)); edges replicated."""
    places = grid(*flow_hw2.shape[:2]) + flow_hw2
    warped: Float = cv2.remap(image, places, None, interpolation, borderMode=cv2.BORDER_REPLICATE)
    return warped


def compose(first_hw2: Float, second_hw2: Float) -> Float:
    """Flow over two steps: `first` from n to its neighbour, `second` from there one further."""
    composed: Float = first_hw2 + warp(second_hw2, first_hw2)
    return composed


def round_trip(out_hw2: Float, back_hw2: Float) -> Float:
    """Distance, in pixels, by which going out and coming back misses the start."""
    miss_hw2 = compose(out_hw2, back_hw2)
    return length(miss_hw2[..., 0], miss_hw2[..., 1])


def length(across: Float, down: Float) -> Float:
    """Of vectors. Not cv2.magnitude: its last bit depends on where in memory an array happens to begin."""
    long: Float = np.sqrt(across * across + down * down)
    return long


def enlarge_flow(flow_hw2: Float, height: int, width: int) -> Float:
    """Flow of a proxy brought to the picture's own grid and pixels."""
    small_height, small_width = flow_hw2.shape[:2]
    if (small_height, small_width) == (height, width):
        return flow_hw2
    large: Float = cv2.resize(flow_hw2, (width, height), interpolation=cv2.INTER_LINEAR)
    return large * np.array([width / small_width, height / small_height], np.float32)


def smooth_over(flow_hw2: Float, hidden_hw: NDArray[np.bool_], reach_px: int) -> Float:
    """Flow with what stands under `hidden` replaced by what surrounds it: dirt has no motion of its own.

    The hole is filled by normalised averages of growing windows up to `reach_px`; a hole wider keeps its own
    flow.
    """
    if not hidden_hw.any():
        return flow_hw2
    filled = flow_hw2.copy()
    known_hw = (~hidden_hw).astype(np.float32)
    todo = hidden_hw.copy()
    side = 7
    while todo.any() and side <= 2 * reach_px + 1:
        weight_hw = cv2.boxFilter(
            known_hw, -1, (side, side), normalize=True, borderType=cv2.BORDER_REFLECT_101
        )
        total_hw2 = cv2.boxFilter(
            flow_hw2 * known_hw[..., None],
            -1,
            (side, side),
            normalize=True,
            borderType=cv2.BORDER_REFLECT_101,
        )
        ready = todo & (weight_hw > 0.25)
        filled[ready] = total_hw2[ready] / weight_hw[ready][:, None]
        todo &= ~ready
        side = 2 * side + 1
    return filled


def enlarge(image_hw: Float, height: int, width: int) -> Float:
    """A proxy's picture (an error, say) on the full grid, its values kept."""
    if image_hw.shape == (height, width):
        return image_hw
    large: Float = cv2.resize(image_hw, (width, height), interpolation=cv2.INTER_LINEAR)
    return large
