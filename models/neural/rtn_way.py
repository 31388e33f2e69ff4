"""RTN at work: luma in, the restored frame out, and a reading of where it took damage away.

RTN paints every pixel and has no mask of damage: its guided masks say which frame a state was taken from.
What counts as damage here: where it changes the luma, apart from slow changes of tone, by more than grain, in
the sense in which the frame differs from both neighbours.

Shape suffixes: K answers, C planes, H rows, W columns of the padded picture; h, w of an area; P picked
pixels; N opinions.
"""

from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from models.motion import enlarge_flow
from models.neural.compute import Compute
from models.neural.sight import Sight
from models.neural.tiles import Area
from models.neural.way import DAMAGE, DOUBT, Cost
from models.restorer import Colour
from models.rtn import RTN
from models.warp import warp

Float = NDArray[np.float32]
Index = NDArray[np.intp]

_RESTORED = 3
_ANSWERS = 4
# Changes of the luma from which damage is thinkable, and at which it is certain.
_FAINTEST, _CLEAR = 0.03, 0.12
# RTN does not say how wrong it may be; this much makes its confidence 0.6 at most.
_UNKNOWN_ERROR = 0.04
# Changes wider than this are of tone, as RTN's training taught it; dirt is smaller.
_TONE_PX = 63


class Step(Protocol):
    """RTN's step in one direction."""

    def __call__(
        self,
        frame_NCHW: Tensor,
        neighbour_NCHW: Tensor | None,
        flow_N2HW: Tensor | None,
        state_NSHW: Tensor | None,
    ) -> tuple[Tensor, Tensor]: ...


@dataclass(frozen=True)
class Prepared:
    """The lumas of a frame and its neighbours, and the flows to these, on the motion's own grid."""

    here_HW: Float
    before_HW: Float | None
    after_HW: Float | None
    to_before_hw2: Float | None
    to_after_hw2: Float | None


class Beside(NamedTuple):
    """A neighbour of an area of a frame."""

    luma_N1hw: Tensor
    """Its luma in [-1, 1]."""
    flow_N2hw: Tensor
    """From the frame to it."""


class Looked(NamedTuple):
    """An area of a frame."""

    luma_N1hw: Tensor
    """In [-1, 1]."""
    before: Beside | None
    after: Beside | None


class RTNWay:
    """`models.neural.way.Way` for RTN."""

    paints_all = True

    def __init__(self, network: RTN, compute: Compute, colour: Colour, opinions: int = 1) -> None:
        """opinions: 1, or 2 to ask a mirrored picture too, which takes twice the time."""
        self._network, self._compute, self._colour, self._opinions = network, compute, colour, opinions
        config, size = network.config, torch.finfo(compute.dtype).bits / 8
        state = opinions * size * config.state_channels
        work = opinions * (size * (4 * config.skip_channels + 2 * config.swin.channels) + 4 * 100)
        self.cost = Cost(opinions * 4 * (1 + 3 + 3), state, work, _ANSWERS)

    def prepare(self, sight: Sight) -> Prepared:
        return Prepared(
            sight.here.luma_HW,
            sight.before.luma_HW if sight.before else None,
            sight.after.luma_HW if sight.after else None,
            sight.from_before.backward_hw2 if sight.from_before else None,
            sight.to_after.forward_hw2 if sight.to_after else None,
        )

    def look(self, prepared: Prepared, area: Area) -> Looked:
        return Looked(
            self._luma(prepared.here_HW, area),
            self._beside(prepared.before_HW, prepared.to_before_hw2, area),
            self._beside(prepared.after_HW, prepared.to_after_hw2, area),
        )

    def backward(self, look: Looked, state: Tensor | None) -> Tensor:
        return self._step(self._network.backward_step, look, look.after, state)

    def forward(self, look: Looked, state: Tensor | None) -> Tensor:
        return self._step(self._network.forward_step, look, look.before, state)

    def answer(self, look: Looked, backward: Tensor, forward: Tensor) -> Float:
        frame = self._frame(look.luma_N1hw)
        restored_NChw = self._network.decode(backward.float(), forward.float(), frame)
        change = (restored_NChw[:, :1] - look.luma_N1hw) / 2
        gaps = [
            (look.luma_N1hw - warp(side.luma_N1hw, side.flow_N2hw, "border")) / 2
            for side in (look.before, look.after)
            if side is not None
        ]
        damage, doubt = _damage(change, gaps)
        told = torch.cat(
            [damage, torch.full_like(damage, _UNKNOWN_ERROR), doubt, look.luma_N1hw / 2 + 0.5 + change], 1
        )
        first = told[0]
        if self._opinions == 2:
            second = told[1].flip(-1)
            first[DOUBT] = torch.maximum(first[DOUBT], (first[_RESTORED] - second[_RESTORED]).abs())
            first[DAMAGE] = (first[DAMAGE] + second[DAMAGE]) / 2
        answer_Khw: Float = first.float().cpu().numpy()
        return answer_Khw

    def values(
        self, sight: Sight, prepared: Prepared, answer_KHW: Float, rows_P: Index, columns_P: Index
    ) -> tuple[Float, Float]:
        # What it saw: under what was given, the surroundings led on.
        values_CP = sight.here.whole_CHW[:, rows_P, columns_P]
        change_P = answer_KHW[_RESTORED, rows_P, columns_P] - prepared.here_HW[rows_P, columns_P]
        values_CP[: len(values_CP) if self._colour == "rgb" else 1] += change_P
        # What is painted has no grain.
        return values_CP, np.zeros(rows_P.shape, np.float32)

    def _step(self, step: Step, look: Looked, beside: Beside | None, state: Tensor | None) -> Tensor:
        dtype = self._compute.dtype
        frame = self._frame(look.luma_N1hw.to(dtype))
        if beside is None or state is None:  # a pass starts here
            return step(frame, None, None, None)[0]
        return step(frame, self._frame(beside.luma_N1hw.to(dtype)), beside.flow_N2hw, state)[0]

    def _frame(self, luma_N1hw: Tensor) -> Tensor:
        """As RTN takes it: grey in every channel."""
        return luma_N1hw.expand(-1, self._network.config.frame_channels, -1, -1)

    def _luma(self, luma_HW: Float, area: Area) -> Tensor:
        luma_hw = luma_HW[area.rows, area.columns] * 2 - 1
        views = [luma_hw, luma_hw[:, ::-1]][: self._opinions]
        return self._compute.taken(torch.from_numpy(np.stack(views)[:, None]))

    def _beside(self, luma_HW: Float | None, flow_hw2: Float | None, area: Area) -> Beside | None:
        if luma_HW is None or flow_hw2 is None:
            return None
        flow_2hw = enlarge_flow(flow_hw2, *luma_HW.shape)[area.rows, area.columns].transpose(2, 0, 1)
        mirrored_2hw = flow_2hw[:, :, ::-1] * np.array([-1, 1], np.float32)[:, None, None]
        views = [flow_2hw, mirrored_2hw][: self._opinions]
        return Beside(self._luma(luma_HW, area), self._compute.taken(torch.from_numpy(np.stack(views))))


def _damage(change: Tensor, gaps: list[Tensor]) -> tuple[Tensor, Tensor]:
    """How likely each pixel is damaged, and how far past and future differ there: (N, 1, h, w) each.

    At a shot's ends one neighbour alone cannot tell damage from what it does not show: nothing is likely.
    """
    if len(gaps) < 2:
        return torch.zeros_like(change), torch.zeros_like(change)
    taken, (one, other) = _tone(change) - change, gaps
    evidence = torch.minimum(taken.abs(), torch.minimum(one.abs(), other.abs()))
    evidence = evidence * ((one * other > 0) & (taken * one > 0))
    return ((evidence - _FAINTEST) / (_CLEAR - _FAINTEST)).clamp(0, 1), (one - other).abs()


def _tone(change: Tensor) -> Tensor:
    """The change's mean over a square around: along rows, then along columns, which is far less work."""
    for axis in (2, 3):
        side = min(_TONE_PX, change.shape[axis] - 1 + change.shape[axis] % 2)
        kernel, margin = [1, 1], [0, 0]
        kernel[axis - 2], margin[axis - 2] = side, side // 2
        change = F.avg_pool2d(change, kernel, 1, margin, count_include_pad=False)
    return change
