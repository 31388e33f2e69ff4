"""Reweave at work: evidence in, answers about a frame out, pixels picked from the frame and its neighbours.

Shape suffixes: E channels of evidence, K answers, C planes, H rows, W columns of the padded picture; h, w of
an area; P picked pixels; S, G sources other than the frame itself; N opinions.
"""

from typing import NamedTuple

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from models.classical.fill import sample
from models.neural import evidence as evidences
from models.neural.compute import Compute
from models.neural.evidence import GAPS, Evidence, Neighbour
from models.neural.reweave import SOURCES, Finding, Look, Reweave
from models.neural.sight import Mask, Sight, View
from models.neural.tiles import Area
from models.neural.way import DAMAGE, DOUBT, Cost
from models.restorer import Colour

Float = NDArray[np.float32]
Index = NDArray[np.intp]

# After damage, error and doubt: the share of each source but the frame itself, and what is added to them.
_FIRST_SHARE, _ADDED = 3, 3 + GAPS
_ANSWERS = _ADDED + 1
# Shares below this say nothing; a neighbour's pixel is damaged where this much of it was given as damaged.
_SILENT, _TOUCHED = 0.05, 0.05


class Looked(NamedTuple):
    """What is kept of an area of a frame."""

    look: Look
    gaps_NGHW: Tensor
    """How this frame's luma differs from that of the other sources."""


class ReweaveWay:
    """`models.neural.way.Way` for Reweave."""

    paints_all = False

    def __init__(self, network: Reweave, compute: Compute, colour: Colour, opinions: int = 1) -> None:
        """opinions: 2 asks either way alone, and a mirrored picture, too; takes over twice as long."""
        self._network, self._compute = network, compute
        self._colour, self._opinions = colour, opinions
        fine, wide = network.config.fine_channels, network.config.channels
        size = torch.finfo(compute.dtype).bits / 8
        # Half-size and quarter-size features of every frame; a window's states; what a frame needs at once.
        look = opinions * (size * fine / 4 + size * wide / 16 + 4 * GAPS + 4 * 4 / 16)
        state = opinions * 4 * wide / 16
        work = opinions * (4 * 8 + size * (5 * fine / 4 + 8 * wide / 16) + 4 * _ANSWERS * 3)
        self.cost = Cost(look, state, work, _ANSWERS)

    def prepare(self, sight: Sight) -> Evidence:
        before, after = sight.before, sight.after
        return evidences.gather(
            sight.here.luma_HW,
            (before.luma_HW, sight.from_before) if before and sight.from_before else None,
            (after.luma_HW, sight.to_after) if after and sight.to_after else None,
            sight.here.given_HW,
        )

    def look(self, prepared: Evidence, area: Area) -> Looked:
        planes_Ehw = prepared.planes(area)
        flows = [flow_over(neighbour, area) for neighbour in (prepared.previous, prepared.following)]
        views = [planes_Ehw]
        if self._opinions == 2:
            views.append(_mirrored(planes_Ehw))
            flows = [np.stack([flow[0], _mirrored_flow(flow[0])]) for flow in flows]
        planes_NEhw = self._compute.taken(torch.from_numpy(np.stack(views)))
        to_previous, to_next = (self._compute.taken(torch.from_numpy(flow)) for flow in flows)
        look = self._network.look(planes_NEhw.to(self._compute.dtype), to_previous, to_next)
        return Looked(look, evidences.gaps_of(planes_NEhw))

    def backward(self, look: Looked, state: Tensor | None) -> Tensor:
        return self._network.backward_step(look.look, state)

    def forward(self, look: Looked, state: Tensor | None) -> Tensor:
        return self._network.forward_step(look.look, state)

    def answer(self, look: Looked, backward: Tensor, forward: Tensor) -> Float:
        backward, forward = self._network.backward_view(backward), self._network.forward_view(forward)
        gaps_NGHW = look.gaps_NGHW
        both = self._network.find(look.look, backward, forward)
        told_NKHW = torch.cat(
            [
                both.logit_N1HW.sigmoid(),
                both.spread_N1HW.clamp(max=0).exp(),
                _torn(both, gaps_NGHW),
                both.mixture_NKHW[:, 1:],
                both.added_N1HW,
            ],
            1,
        )
        answer_KHW = told_NKHW[0]
        if self._opinions == 2:
            straight, mirrored = told_NKHW[0], told_NKHW[1].flip(-1)
            answer_KHW[DAMAGE] = (straight[DAMAGE] + mirrored[DAMAGE]) / 2
            answer_KHW[DOUBT] = self._doubt(look.look, backward, forward, both, gaps_NGHW)
        told: Float = answer_KHW.cpu().numpy()
        return told

    def _doubt(
        self, look: Look, backward: Tensor, forward: Tensor, both: Finding, gaps_NGHW: Tensor
    ) -> Tensor:
        """How far either way alone, and the mirrored picture, would restore the luma otherwise; (H, W)."""
        coarse = look.coarse_NCqr
        twice = Look(*(torch.cat([kept, kept]) for kept in look))
        alone = self._network.find(twice, torch.cat([backward, coarse]), torch.cat([coarse, forward]))
        back, forth = change(alone, gaps_NGHW.repeat(2, 1, 1, 1)).chunk(2)
        ways = torch.maximum(_torn(both, gaps_NGHW), (back - forth).abs())
        straight, mirrored = change(both, gaps_NGHW)
        sides = torch.stack([ways[0, 0], ways[1, 0].flip(-1), (straight - mirrored.flip(-1)).abs()[0]])
        return sides.amax(0)

    def values(
        self, sight: Sight, prepared: Evidence, answer_KHW: Float, rows_P: Index, columns_P: Index
    ) -> tuple[Float, Float]:
        here_CP = sight.here.planes_CHW[:, rows_P, columns_P]
        given_P = _within(sight.here.given_HW, rows_P, columns_P)
        shares_SP = answer_KHW[_FIRST_SHARE : _FIRST_SHARE + SOURCES - 1, rows_P, columns_P].copy()
        # Where damage was given, the frame itself has nothing to say, nor what is spanned over it.
        shares_SP[2:, given_P] = 0
        shares_SP[:2, given_P & (shares_SP.sum(0) < _SILENT)] = 0.5
        sides = ((sight.before, prepared.previous), (sight.after, prepared.following))
        light = self._light_planes(len(here_CP))
        own_P = np.where(given_P, 0, 1 - shares_SP.sum(0)).astype(np.float32)
        sum_CP, squares_P, total_P = np.zeros_like(here_CP), np.zeros_like(own_P), np.zeros_like(own_P)
        for share_P, (view, neighbour) in zip(shares_SP[:2], sides, strict=True):
            if view is None or neighbour is None:
                there_CP, seen_P = here_CP, np.zeros(given_P.shape, bool)
            else:
                there_CP, seen_P = _picked(view, neighbour, rows_P, columns_P, light)
            # What a neighbour does not show, this frame must, unless it is known to be damaged here.
            own_P += np.where(seen_P | given_P, 0, share_P)
            share_P[~seen_P] = 0
            sum_CP += share_P * there_CP
            squares_P += share_P**2
            total_P += share_P
        # What is spanned has no grain left.
        for share_P, span in zip(shares_SP[2:], (evidences.across, evidences.around), strict=True):
            sum_CP += share_P * np.stack([span(plane)[rows_P, columns_P] for plane in sight.here.whole_CHW])
            total_P += share_P
        sum_CP, squares_P, total_P = sum_CP + own_P * here_CP, squares_P + own_P**2, total_P + own_P
        lost_P = total_P < _SILENT
        total_P[lost_P] = 1
        values_CP = sum_CP / total_P
        values_CP[light] += np.where(given_P, 0, answer_KHW[_ADDED, rows_P, columns_P])
        return values_CP, np.where(lost_P, np.nan, squares_P / total_P**2).astype(np.float32)

    def _light_planes(self, planes: int) -> slice:
        """The planes that light changes: luma alone, or red, green and blue."""
        return slice(0, planes if self._colour == "rgb" else 1)


def change(finding: Finding, gaps_NGHW: Tensor) -> Tensor:
    """What a finding makes of the frame's luma, as a change of it."""
    return finding.added_N1HW - (finding.mixture_NKHW[:, 1:] * gaps_NGHW).sum(1, keepdim=True)


def _torn(finding: Finding, gaps_NGHW: Tensor) -> Tensor:
    """How far past and future differ where the finding mixes both: a mean of two pictures is neither's."""
    before, after = finding.mixture_NKHW[:, 1:3].chunk(2, 1)
    apart = (gaps_NGHW[:, :1] - gaps_NGHW[:, 1:2]).abs()
    return apart * (2 * torch.minimum(before, after) / (before + after).clamp(min=0.01))


def flow_over(neighbour: Neighbour | None, area: Area) -> Float:
    """The flow to a neighbour over an area, (1, 2, q, r); zero where there is no neighbour."""
    if neighbour is None:
        return np.zeros((1, 2, area.height // 4, area.width // 4), np.float32)
    rows, columns = slice(area.top // 4, area.bottom // 4), slice(area.left // 4, area.right // 4)
    return np.ascontiguousarray(neighbour.flow_qr2[rows, columns].transpose(2, 0, 1))[None]


def _mirrored(planes_Ehw: Float) -> Float:
    """Evidence of the picture seen in a mirror: columns turned round, within pairs of sub-pixels too."""
    order = [4 * plane + sub for plane in range(2 + GAPS) for sub in (1, 0, 3, 2)]
    order += range(len(order), len(planes_Ehw))
    return np.ascontiguousarray(planes_Ehw[order, :, ::-1])


def _mirrored_flow(flow_2qr: Float) -> Float:
    return np.ascontiguousarray(flow_2qr[:, :, ::-1] * np.array([-1, 1], np.float32)[:, None, None])


def _picked(
    view: View, neighbour: Neighbour, rows_P: Index, columns_P: Index, light: slice
) -> tuple[Float, Mask]:
    """A neighbour's planes at picked pixels, along motion, in this frame's light (C, P), and whether it shows
    them: it may be known to be damaged there."""
    places_P2 = np.stack([columns_P, rows_P], 1).astype(np.float32)
    quarter_P2 = (places_P2 / 4 - 0.375).astype(np.float32)
    for axis in (0, 1):
        flow_qr = np.ascontiguousarray(neighbour.flow_qr2[..., axis])
        places_P2[:, axis] += 4 * sample(flow_qr, quarter_P2, cv2.INTER_LINEAR)
    values_CP = np.stack([sample(plane_HW, places_P2) for plane_HW in view.planes_CHW])
    values_CP[light] += sample(neighbour.light_qr, quarter_P2, cv2.INTER_LINEAR)
    height, width = view.planes_CHW.shape[1:]
    seen_P = (places_P2 > -1).all(1) & (places_P2[:, 0] < width) & (places_P2[:, 1] < height)
    if view.given_HW is not None:
        seen_P &= sample(view.given_HW.astype(np.float32), places_P2, cv2.INTER_LINEAR) < _TOUCHED
    return values_CP, seen_P


def _within(mask_HW: Mask | None, rows_P: Index, columns_P: Index) -> Mask:
    return np.zeros(rows_P.shape, bool) if mask_HW is None else mask_HW[rows_P, columns_P]
