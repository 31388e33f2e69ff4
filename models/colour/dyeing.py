"""What the colour network is told of a frame: its luma, and the colour that came to it from either side.

Shape suffixes: E channels of evidence, H rows, W columns of the padded working picture; h, w of half its
size; q, r of a quarter. 4 is (a, b) of the past, (a, b) of the future, in units of `UNIT`; 2 is (past,
future).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.colour.walk import Reached, way
from models.neural import sight

Float = NDArray[np.float32]

UNIT = 50.0
"""Of ab: what the network counts colour in."""
CHANNELS = 40
"""Of evidence: nine planes of four sub-pixels, whether either side is there, and how near."""
ERROR_AT_HALF = 10.0 / UNIT
"""The expected error at which confidence is one half: what `propagate`'s means, about."""

# Frames after which an anchor counts as far.
_FAR_FRAMES = 30
# What a side keeps where it is not believed at all: with nothing, no gradient would ever reach it.
_LEAST_PRIOR = 1e-3
# Of confidence: errors of nothing, and without end, have no logarithm.
_LEAST_SURE, _MOST_SURE = 1e-3, 0.99


@dataclass(frozen=True)
class Evidence:
    """What is known of a frame before the network looks at it, padded."""

    luma_HW: Float
    """In [0, 1]."""
    sources_4HW: Float
    """0 where a side is absent."""
    confidence_2HW: Float
    """In [0, 1]; 0 where a side is absent."""
    frames_away: tuple[int | None, int | None]
    """How far the anchors before and after are; None where a side is absent."""

    def planes(self) -> Float:
        """The network's input, (E, h, w)."""
        past_2HW, future_2HW = self.sources_4HW[:2], self.sources_4HW[2:]
        past_1HW, future_1HW = self.confidence_2HW[:1], self.confidence_2HW[1:]
        apart_2HW = np.zeros_like(past_2HW) if None in self.frames_away else past_2HW - future_2HW
        light_1HW = self.luma_HW[None] * 2 - 1
        planes_9HW = np.concatenate([light_1HW, past_2HW, past_1HW, future_2HW, future_1HW, apart_2HW])
        count, height, width = planes_9HW.shape
        parts = planes_9HW.reshape(count, height // 2, 2, width // 2, 2).transpose(0, 2, 4, 1, 3)
        near = [0.0 if away is None else float(np.exp(-away / _FAR_FRAMES)) for away in self.frames_away]
        told_4 = np.array([*(float(away is not None) for away in self.frames_away), *near], np.float32)
        planes_Ehw = np.empty((CHANNELS, height // 2, width // 2), np.float32)
        planes_Ehw[:-4] = parts.reshape(-1, height // 2, width // 2)
        planes_Ehw[-4:] = told_4[:, None, None]
        return planes_Ehw

    def prior(self) -> Float:
        """What `propagate` would make of it, (3, H, W): logarithms of what past and future weigh (minus
        infinity where absent), and of the error that its confidence means."""
        there = way(*self.frames_away)
        prior_3HW = np.full((3, *self.luma_HW.shape), -np.inf, np.float32)
        for side, near in enumerate((1 - there, there)):
            if self.frames_away[side] is not None:
                prior_3HW[side] = np.log(self.confidence_2HW[side] * near + _LEAST_PRIOR)
        sure_HW = self.confidence_2HW.max(0).clip(_LEAST_SURE, _MOST_SURE)
        prior_3HW[2] = np.log(-np.log2(sure_HW) * ERROR_AT_HALF)
        return prior_3HW


def evidence(luma_hw: Float, reached: Reached) -> Evidence:
    """What is known of a frame of working size, luma in [0, 1]."""
    ab, sure = np.zeros((4, *luma_hw.shape), np.float32), np.zeros((2, *luma_hw.shape), np.float32)
    for number, side in enumerate((reached.past, reached.future)):
        if side is not None:
            ab[2 * number : 2 * number + 2] = side.state.ab_2hw / UNIT
            sure[number] = side.state.confidence_hw.clip(0, 1)
    away = [None if side is None else side.frames_away for side in (reached.past, reached.future)]
    return Evidence(sight.padded(luma_hw), padded(ab), padded(sure), (away[0], away[1]))


def padded(planes_Chw: Float) -> Float:
    """The planes with their last row and column repeated up to multiples of `models.neural.sight.SIDE`."""
    return np.stack([sight.padded(plane_hw) for plane_hw in planes_Chw])


def quarter_flow(flow_hw2: Float) -> Float:
    """Motion to a neighbour as states are carried along it, (2, q, r): at a quarter of the padded size, in
    pixels of that."""
    flow_2HW = padded(flow_hw2.transpose(2, 0, 1))
    _, height, width = flow_2HW.shape
    flow_2qr: Float = flow_2HW.reshape(2, height // 4, 4, width // 4, 4).mean((2, 4)) / np.float32(4)
    return flow_2qr


def confidence(spread: Float) -> Float:
    """How sure, in [0, 1], the logarithm of an expected error is."""
    sure: Float = np.exp2(-np.exp(spread) / np.float32(ERROR_AT_HALF))
    return sure
