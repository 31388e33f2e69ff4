"""What a network learns from: windows of film made old, seen as the restorer sees a shot.

Shape suffixes: N windows, T frames, C planes, E channels of evidence, H rows, W columns of the area that is
learnt from; q, r a quarter of those; 2 is (dx, dy) in pixels of its own grid.
"""

from itertools import pairwise
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from models.flow import FlowEstimator, flow_estimator
from models.motion import Pair, enlarge_flow
from models.neural.evidence import gather
from models.neural.reweave_way import flow_over
from models.neural.sight import padded
from models.neural.tiles import Area
from models.restorer import Colour, luma

Bytes = NDArray[np.uint8]
Float = NDArray[np.float32]

MARGIN_PX = 16
"""Around the area, and learnt nothing from: at a picture's edge motion is guessed, inside it rarely is."""


class Material(NamedTuple):
    """One window (or, with N in front, a batch)."""

    evidence_TEhw: Tensor
    to_previous_T2qr: Tensor
    to_next_T2qr: Tensor
    damaged_T1HW: Tensor
    """Luma in [0, 1]."""
    undamaged_T1HW: Tensor
    """The same film without what the mask tells of: what is to be restored."""
    damage_T1HW: Tensor
    """1 where damaged, else 0; bool."""
    motion_T2HW: Tensor
    """True flow from each frame but the first to the one before, T - 1 entries, half precision."""


MARGIN_FRAMES = 2
"""So many more are read than learnt from: but for a shot's first and last, frames have two neighbours."""


def seen(damaged_TCHW: Bytes, undamaged_TCHW: Bytes, masks_T1HW: Bytes) -> Material:
    """A window as a restorer would see it, without a margin of `MARGIN_PX` on every side.

    Frames of one plane (grey) or three (RGB); sides without their margins must be multiples of 32 pixels.
    """
    height, width = damaged_TCHW.shape[2:]
    area = Area(MARGIN_PX, height - MARGIN_PX, MARGIN_PX, width - MARGIN_PX)
    if area.height < 32 or area.height % 32 or area.width < 32 or area.width % 32:
        raise ValueError(f"{width}x{height} without {MARGIN_PX} px on every side are not multiples of 32")
    estimator = flow_estimator("dis")
    damaged, undamaged = (_lumas(frames) for frames in (damaged_TCHW, undamaged_TCHW))
    pairs = _pairs(damaged, estimator)
    evidence, to_previous, to_next = [], [], []
    for number, here_HW in enumerate(damaged):
        before = (damaged[number - 1], pairs[number - 1]) if number else None
        after = (damaged[number + 1], pairs[number]) if number + 1 < len(damaged) else None
        gathered = gather(here_HW, before, after)
        evidence.append(gathered.planes(area))
        to_previous.append(flow_over(gathered.previous, area)[0])
        to_next.append(flow_over(gathered.following, area)[0])
    motion = [
        enlarge_flow(pair.backward_hw2, *undamaged[0].shape)[:height, :width].transpose(2, 0, 1)
        for pair in _pairs(undamaged, estimator)
    ]

    def cut(planes: list[Float]) -> Tensor:
        return torch.from_numpy(np.stack(planes)[..., area.rows, area.columns].copy())

    return Material(
        torch.from_numpy(np.stack(evidence)),
        torch.from_numpy(np.stack(to_previous)),
        torch.from_numpy(np.stack(to_next)),
        cut(damaged)[:, None],
        cut(undamaged)[:, None],
        torch.from_numpy(masks_T1HW[..., area.rows, area.columns] != 0),
        cut(motion).half() if motion else torch.zeros((0, 2, area.height, area.width), dtype=torch.float16),
    )


def part(whole: Material, first: int, frames: int) -> Material:
    """Some frames of a window, seen as they were beside the others."""
    taken, moved = slice(first, first + frames), slice(first, first + frames - 1)
    return Material._make([*(stream[taken] for stream in whole[:-1]), whole.motion_T2HW[moved]])


def _lumas(frames_TCHW: Bytes) -> list[Float]:
    colour: Colour = "rgb" if frames_TCHW.shape[1] == 3 else "grey"
    return [padded(luma(frame_CHW * np.float32(1 / 255), colour)) for frame_CHW in frames_TCHW]


def _pairs(lumas: list[Float], estimator: FlowEstimator) -> list[Pair]:
    looks = [estimator.look(luma_HW) for luma_HW in lumas]
    return [estimator.between(first, second) for first, second in pairwise(looks)]
