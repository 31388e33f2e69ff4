"""What a colour network learns from: windows of clips that were walked through, as colouring sees them.

Shape suffixes: N windows, T frames, R stills, E channels of evidence, H rows, W columns of the area that is
learnt from; h, w of half its size; q, r a quarter; 2 is (a, b) in units of `UNIT`, or (dx, dy) in pixels of
its own grid; 3 and 4 as in `models.colour.dyeing`.
"""

from collections.abc import Sequence
from dataclasses import replace
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


def hue_turn(rng: np.random.Generator) -> Float:
    """A turn of all hues, mirrored or not, and a gain of chroma. With hues as they are, a network learns by
    heart what a few films look like, and gives their colours to what no still shows."""
    angle, gain, mirror = rng.uniform(0, 2 * np.pi), rng.uniform(0.7, 1.3), rng.choice((-1.0, 1.0))
    turn = [[np.cos(angle), -mirror * np.sin(angle)], [np.sin(angle), mirror * np.cos(angle)]]
    return np.asarray(turn, np.float32) * np.float32(gain)


def seen_colour(
    window: WalkedClip,
    stills_luma_R1HW: Bytes,
    stills_ab_R2HW: Bytes,
    area: Area,
    turn_22: Float | None = None,
) -> ColourMaterial:
    """An area of a window. The stills are cut as the window is: where a cell lies in the picture is among
    what it is looked up by.

    window: some frames of a walked clip, all of its film. turn: what becomes of every colour, `hue_turn`'s;
    None leaves them. Raises ValueError for an area whose sides are no multiples of 32 pixels.
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
    if turn_22 is not None:
        told = [replace(each, sources_4HW=_turned(each.sources_4HW, turn_22)) for each in told]
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
        _colours(stills_ab_R2HW[..., rows, columns], turn_22),
        _colours(window.truth_T3HW[:, 1:, rows, columns], turn_22),
        (_tensor(motion) if motion else torch.from_numpy(none)).half(),
    )


def _pairs(lumas: Sequence[Float], estimator: FlowEstimator) -> list[Pair]:
    looks = [estimator.look(luma_HW) for luma_HW in lumas]
    return [estimator.between(first, second) for first, second in pairwise(looks)]


def _colours(bytes_N2HW: Bytes, turn_22: Float | None) -> Tensor:
    ab_N2HW = ab_of(bytes_N2HW) / np.float32(UNIT)
    return torch.from_numpy(ab_N2HW if turn_22 is None else _turned(ab_N2HW, turn_22))


def _turned(ab: Float, turn_22: Float) -> Float:
    """Pictures of (a, b), however many, turned."""
    pairs_N2HW = ab.reshape(-1, 2, *ab.shape[-2:])
    turned: Float = np.einsum("ij,njhw->nihw", turn_22, pairs_N2HW).reshape(ab.shape)
    return turned


def _tensor(planes: Sequence[Float]) -> Tensor:
    return torch.from_numpy(np.stack(planes).astype(np.float32))
