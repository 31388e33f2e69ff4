"""A frame as colour is carried through it: small luma, and what motion looks at.

Shape suffixes: H rows, W columns of the picture; h, w of the small one; 2 is (dx, dy) or (x, y) in small
pixels.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from models.flow import FlowEstimator
from models.motion import Byte, grid, proxy_scale, shrink, warp

Float = NDArray[np.float32]

# Of luma, after what its surroundings differ by is taken off: grain and compression stay under it, another
# thing seldom does.
_UNLIKE = 0.05
# A round trip of motion that misses by this is as good as none.
_ASTRAY_PX = 1.5


@dataclass(frozen=True)
class View:
    """A frame at working size."""

    luma_hw: Float
    """In [0, 1]."""
    look_hw: Byte
    """The flow estimator's copy."""


@dataclass(frozen=True)
class Meeting:
    """How a frame's pixels are found in the frame beside it, in either direction of time."""

    flow_hw2: Float
    """Motion to that neighbour."""
    back_hw2: Float
    """Motion from the neighbour, on its grid."""
    met_hw: Float
    """How surely each pixel of the frame is the one that motion finds in the neighbour, in [0, 1]."""


def small(image_HW: Float, work_px: int) -> Float:
    """A picture (HW or HWC) at working size: its longer side at most `work_px`."""
    return shrink(image_HW, proxy_scale(image_HW.shape, work_px))


def view(luma_hw: Float, estimator: FlowEstimator) -> View:
    """A frame's view; `luma_hw` is at working size."""
    return View(luma_hw, estimator.look(luma_hw))


def meeting(neighbour: View, here: View, estimator: FlowEstimator) -> Meeting:
    """How a frame comes out of its neighbour."""
    pair = estimator.between(neighbour.look_hw, here.look_hw)
    flow_hw2 = pair.backward_hw2
    place_hw2 = grid(*here.luma_hw.shape) + flow_hw2
    met_hw = recognised(here.luma_hw, neighbour.luma_hw, place_hw2, pair.backward_error_hw)
    return Meeting(flow_hw2, pair.forward_hw2, met_hw)


def recognised(here_hw: Float, other_hw: Float, place_hw2: Float, error_hw: Float) -> Float:
    """How surely each pixel of a luma is the one at that place in another, in [0, 1]. error: of the motion
    that led there, `followed`'s."""
    sure_hw = agreement(sample(other_hw, place_hw2), here_hw)
    sure_hw *= followed(error_hw) * inside(place_hw2)
    return sure_hw


def agreement(one_hw: Float, other_hw: Float) -> Float:
    """How alike two lumas are, in [0, 1], pixel by pixel; uneven exposure hardly counts."""
    apart_hw = one_hw - other_hw
    side = max(9, min(apart_hw.shape) // 8 | 1)
    apart_hw = apart_hw - cv2.blur(apart_hw, (side, side), borderType=cv2.BORDER_REFLECT_101)
    apart_hw = cv2.blur(apart_hw, (3, 3), borderType=cv2.BORDER_REFLECT_101)
    alike_hw: Float = np.exp(-((apart_hw / np.float32(_UNLIKE)) ** 2))
    return alike_hw


def followed(error_hw: Float) -> Float:
    """How far motion is believed whose round trip misses by `error_hw` pixels, in [0, 1]."""
    sure_hw: Float = np.exp(-((error_hw / np.float32(_ASTRAY_PX)) ** 2))
    return sure_hw


def inside(place_hw2: Float) -> Float:
    """1 where a place lies in the picture, else 0."""
    height, width = place_hw2.shape[:2]
    x_hw, y_hw = place_hw2[..., 0], place_hw2[..., 1]
    within_hw = (x_hw >= -0.5) & (x_hw <= width - 0.5) & (y_hw >= -0.5) & (y_hw <= height - 0.5)
    within: Float = np.asarray(within_hw, np.float32)
    return within


def sample(image: Float, place_hw2: Float) -> Float:
    """An image (hw or hwC) at those places, bilinear; its edge beyond it."""
    taken: Float = cv2.remap(image, place_hw2, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return taken


def moved_place(place_hw2: Float, flow_hw2: Float) -> Float:
    """Places of the neighbour's pixels, seen from this frame: place(x + flow(x))."""
    height, width = place_hw2.shape[:2]
    # As offsets, so that beyond the edge motion is repeated, not the place.
    offset_hw2 = warp(place_hw2 - grid(height, width), flow_hw2)
    return grid(height, width) + flow_hw2 + offset_hw2
