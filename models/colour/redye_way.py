"""Redye at work: each frame's evidence in, its colour and how sure that is out.

Shape suffixes: H rows, W columns of the padded working picture; h, w of the working picture itself; q, r of
a quarter of the padded size; y, x of an eighth; D features of a cell; L cells of a still; 2 is (a, b) in
units of `UNIT`, or motion (dx, dy).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from models.colour.anchoring import Still
from models.colour.carry import State
from models.colour.dyeing import UNIT, Evidence, confidence, evidence, padded, quarter_flow
from models.colour.redye import CELL_PX, GREY, Look, Redye, Told, cells_of, pictured
from models.colour.view import Meeting
from models.colour.walk import Step
from models.neural.compute import Compute
from models.neural.tiles import Area

Float = NDArray[np.float32]

_MOST_STILLS = 4
"""That a frame looks colours up in: those nearest in time."""


@dataclass(frozen=True)
class Sight:
    """One distinct frame as the network is shown it."""

    frame: int
    copies: int
    """How often the shot shows it, one after the other."""
    luma_hw: Float
    known: Evidence
    met: Meeting | None
    """How it comes out of the distinct frame before it; None at the shot's start."""
    own: State | None
    """The colour of a still of this very frame, which nothing can better; None for any other frame."""
    to_next_2qr: Float | None
    """Motion as states are carried along it; None at the shot's end."""


class _Cells(NamedTuple):
    """What is kept of a still."""

    frame: int | None
    features_1LD: Tensor
    ab_1L2: Tensor


def sights(steps: Iterator[Step]) -> Iterator[Sight]:
    """Every distinct frame of a walk in order; reads one distinct frame ahead."""
    before: tuple[Step, int] | None = None
    for step, copies in _distinct(steps):
        if before is not None:
            yield _sight(*before, step.met)
        before = step, copies
    if before is not None:
        yield _sight(*before, None)


def _distinct(steps: Iterator[Step]) -> Iterator[tuple[Step, int]]:
    first, copies = next(steps), 1
    for step in steps:
        if step.again:
            copies += 1
        else:
            yield first, copies
            first, copies = step, 1
    yield first, copies


def _sight(step: Step, copies: int, next_met: Meeting | None) -> Sight:
    luma_hw, past = step.view.luma_hw, step.reached.past
    own = past.state if past is not None and step.own else None
    known = evidence(luma_hw, step.reached)
    to_next_2qr = None if next_met is None else quarter_flow(next_met.back_hw2)
    return Sight(step.frame, copies, luma_hw, known, step.met, own, to_next_2qr)


class RedyeWay:
    """`models.neural.way.Walker` for Redye, over one shot and its stills. It knows one area, the whole: the
    working picture is small."""

    def __init__(self, network: Redye, compute: Compute, stills: Sequence[Still]) -> None:
        self._network, self._compute = network, compute
        with torch.inference_mode():
            self._stills = [self._cells(still) for still in stills]

    def _cells(self, still: Still) -> _Cells:
        luma_N1HW = self._tensor(padded(still.view.luma_hw[None]))
        ab_N2yx = F.avg_pool2d(self._tensor(padded(still.ab_2hw / np.float32(UNIT))), CELL_PX)
        return _Cells(still.frame, cells_of(self._network.match_features(luma_N1HW)), cells_of(ab_N2yx))

    def prepare(self, sight: Sight) -> Sight:
        return sight

    def look(self, prepared: Sight, area: Area) -> Look:
        known = prepared.known
        told = Told(
            self._compute.taken(torch.from_numpy(known.planes())[None]),
            self._tensor(known.luma_HW[None]),
            self._tensor(known.sources_4HW),
            self._tensor(known.prior()),
        )
        near = self._near(prepared.frame)
        match_NM4 = self._network.read_match(
            cells_of(self._network.match_features(told.luma_N1HW)),
            torch.cat([cells.features_1LD for cells in near], 1),
            torch.cat([cells.ab_1L2 for cells in near], 1),
        )
        match_N4yx = pictured(match_NM4, area.height // CELL_PX)
        met = prepared.met
        to_previous_2qr = None if met is None else quarter_flow(met.flow_hw2)
        flows = (self._flow(flow_2qr, area) for flow_2qr in (to_previous_2qr, prepared.to_next_2qr))
        return self._network.look(told, match_N4yx, *flows)

    def backward(self, look: Look, state: Tensor | None) -> Tensor:
        return self._network.backward_step(look, state)

    def forward(self, look: Look, state: Tensor | None) -> Tensor:
        return self._network.forward_step(look, state)

    def answer(self, look: Look, backward: Tensor, forward: Tensor) -> Float:
        """a and b, in their own units, and how sure they are, in [0, 1]: 0 for what is left grey."""
        dyed = self._network.find(look, backward, forward)
        ab_2HW: Float = dyed.ab_N2HW[0].cpu().numpy() * np.float32(UNIT)
        coloured_HW: Float = 1 - dyed.shares_NKHW[0, GREY].cpu().numpy()
        sure_HW = confidence(dyed.spread_N1HW[0, 0].cpu().numpy()) * coloured_HW
        return np.concatenate([ab_2HW, sure_HW[None]]).astype(np.float32)

    def _near(self, frame: int) -> list[_Cells]:
        """The stills nearest in time; those of other shots come last, as they were given."""
        known = [cells for cells in self._stills if cells.frame is not None]
        others = [cells for cells in self._stills if cells.frame is None]
        return [*sorted(known, key=lambda cells: abs((cells.frame or 0) - frame)), *others][:_MOST_STILLS]

    def _flow(self, flow_2qr: Float | None, area: Area) -> Tensor:
        if flow_2qr is None:
            flow_2qr = np.zeros((2, area.height // 4, area.width // 4), np.float32)
        return self._tensor(flow_2qr)

    def _tensor(self, planes_CHW: Float) -> Tensor:
        return torch.from_numpy(np.ascontiguousarray(planes_CHW))[None].to(self._compute.device)
