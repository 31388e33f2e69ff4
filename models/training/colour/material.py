"""What a colour network learns from: windows of clips that were walked through, as colouring sees them.

Shape suffixes: N windows, T frames, R stills, E channels of evidence, H rows, W columns of the area that is
learnt from; h, w of half its size; q, r a quarter; 2 is (a, b) in units of `UNIT`, or (dx, dy) in pixels of
its own grid; 3 and 4 as in `models.colour.dyeing`.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from models.colour.dyeing import UNIT, evidence, quarter_flow
from models.flow import FlowEstimator
from models.motion import Dis, MotionSettings, Pair, enlarge_flow
from models.neural.sight import SIDE
from models.neural.tiles import Area
from models.training.colour.walked import WalkedClip, ab_of

Bytes = NDArray[np.uint8]
Float = NDArray[np.float32]

MOST_STILLS = 2
"""Of a window; one that has fewer is given one twice, which changes nothing."""


class ColourMaterial(NamedTuple):
    """One window (or, with N in front, a batch)."""

    evidence_TEhw: Tensor
    luma_T1HW: Tensor
    """In [0, 1]."""
    sources_T4HW: Tensor
    prior_T3HW: Tensor
    to_previous_T2qr: Tensor
    to_next_T2qr: Tensor
    stills_luma_R1HW: Tensor
    stills_ab_R2HW: Tensor
    truth_T2HW: Tensor
    motion_T2HW: Tensor
    """True flow from each frame but the first to the one before, T - 1 entries, half precision."""


def seen_colour(
    window: WalkedClip, stills_luma_R1HW: Bytes, stills_ab_R2HW: Bytes, area: Area
) -> ColourMaterial:
    """An area of a window. The stills are cut as the window is: where a cell lies in the picture is among
    what it is looked up by.

    window: some frames of a walked clip, all of its film. Raises ValueError for an area whose sides are no
    multiples of 32 pixels.
    """
    if area.height % SIDE or area.width % SIDE:
        raise ValueError(f"an area of {area.width}x{area.height}: sides must be multiples of {SIDE}")
    estimator = Dis(MotionSettings(proxy_px=max(window.luma_T1HW.shape[2:])))
    lumas = [luma_1HW[0].astype(np.float32) / np.float32(255) for luma_1HW in window.luma_T1HW]
    truths = [truth_3HW[0].astype(np.float32) / np.float32(255) for truth_3HW in window.truth_T3HW]
    rows, columns = area.rows, area.columns
    told = [
        evidence(luma_HW[rows, columns], window.reached(frame, area)) for frame, luma_HW in enumerate(lumas)
    ]
    pairs = _pairs(lumas, estimator)
    still = np.zeros((2, area.height // 4, area.width // 4), np.float32)
    to_previous = [still, *(quarter_flow(pair.backward_hw2[rows, columns]) for pair in pairs)]
    to_next = [*(quarter_flow(pair.forward_hw2[rows, columns]) for pair in pairs), still]
    motion = [
        enlarge_flow(pair.backward_hw2, *lumas[0].shape)[rows, columns].transpose(2, 0, 1)
        for pair in _pairs(truths, estimator)
    ]
    none = np.zeros((0, 2, area.height, area.width), np.float32)
    return ColourMaterial(
        _tensor([each.planes() for each in told]),
        _tensor([each.luma_HW[None] for each in told]),
        _tensor([each.sources_4HW for each in told]),
        _tensor([each.prior() for each in told]),
        _tensor(to_previous),
        _tensor(to_next),
        torch.from_numpy(stills_luma_R1HW[..., rows, columns].astype(np.float32) / np.float32(255)),
        torch.from_numpy(ab_of(stills_ab_R2HW[..., rows, columns]) / np.float32(UNIT)),
        torch.from_numpy(ab_of(window.truth_T3HW[:, 1:, rows, columns]) / np.float32(UNIT)),
        (_tensor(motion) if motion else torch.from_numpy(none)).half(),
    )


def _pairs(lumas: Sequence[Float], estimator: FlowEstimator) -> list[Pair]:
    looks = [estimator.look(luma_HW) for luma_HW in lumas]
    return [estimator.between(first, second) for first, second in pairwise(looks)]


def _tensor(planes: Sequence[Float]) -> Tensor:
    return torch.from_numpy(np.stack(planes).astype(np.float32))
