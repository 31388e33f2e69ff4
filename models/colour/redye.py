"""Redye: our colour network. It decides, pixel by pixel, which of the colours at hand is the right one.

Motion carries colour to a frame from the stills before and after it (`models.colour.carry`); what motion
lost, because it was hidden and comes back, is looked up in the stills by attention. The network mixes these,
and grey, shifts what came a few pixels beside its edge, and says how sure it is. It never paints: what it
puts on a frame stands in one of the stills. Like Reweave it carries a hidden state along the shot in both
directions, so that it does not change its mind from frame to frame. Untrained it does what `propagate` does.

Shape suffixes: N items, T frames, R stills, E channels of evidence, C hidden channels, D features of a cell,
K sources of the mixture (past, future, match, grey), H rows, W columns of the padded working picture; h, w of
half its size; q, r of a quarter; y, x of an eighth: cells. M cells asked about, L cells of stills. 2 is
(a, b) in units of `UNIT`, or (dx, dy) in pixels of its own grid; 3 and 4 as in `models.colour.dyeing`.

Sources: RTN (Wan et al., CVPR 2022) for stills as part of a recurrence both ways, in Lab; Zhang et al., "Deep
Exemplar-based Video Colorization", CVPR 2019, for looking colours up; Kopf et al., "Joint Bilateral
Upsampling", SIGGRAPH 2007, for bringing them to the picture's size.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import NamedTuple, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.colour.dyeing import CHANNELS
from models.neural.carry import Carry
from models.swin import SwinGroup, SwinSizes
from models.warp import warp

SOURCES = 4
PAST, FUTURE, MATCH, GREY = range(SOURCES)
_SHIFTS = 4  # (dx, dy) of the past, (dx, dy) of the future
CELL_PX = 8
"""Side of a cell, which is what is looked up in stills, in working pixels."""

_SLOPE = 0.1
# Logarithms of what match and grey weigh before any training, where a side of full confidence weighs 1. At
# -4.6 an untrained match already moved what was half sure by 0.2 of ab.
_FIRST_MATCH, _FIRST_GREY = -5.5, -6.9
# By this an attention that is taught nothing yet prefers the same to the opposite: e^20, of cosines 1 and -1.
_FIRST_SHARPNESS = 2.3
# Cells are asked about in lots, so that the table of likenesses stays small: 20 MB beside four stills of
# 640x480.
_LOT = 256
# Of luma: a cell that differs by this from a pixel has a third of the say in its colour.
_UNLIKE = 0.06
# Colour carried along motion comes to lie beside its edge by a pixel or a few; so far it may be fetched from.
_REACH_PX = 4.0
# The window whose mean and spread luma is compared with; and the spread under which it counts as flat.
_AROUND_CELLS, _FLAT = 5, 0.02


@dataclass(frozen=True)
class RedyeConfig:
    """Sizes of the network."""

    channels: int = 48
    """Hidden channels at a quarter of the working picture's size; a multiple of `heads`."""
    fine_channels: int = 16
    """Channels at half size."""
    match_channels: int = 32
    """Features by which a cell is looked up in the stills."""
    heads: int = 2
    """Attention heads within windows."""
    look_blocks: int = 2
    """Swin blocks that look at a frame before anything is carried."""
    view_blocks: int = 1
    """Swin blocks that look at what either direction has carried here."""

    def __post_init__(self) -> None:
        if min(asdict(self).values()) < 1:
            raise ValueError("a network needs channels and blocks")
        if self.channels % self.heads:
            raise ValueError(f"{self.channels} channels do not divide among {self.heads} heads")


CONFIGS: Mapping[str, RedyeConfig] = {"redye": RedyeConfig()}


class Told(NamedTuple):
    """What the network is told of a frame: `models.colour.dyeing.Evidence` as tensors."""

    evidence_NEhw: Tensor
    luma_N1HW: Tensor
    sources_N4HW: Tensor
    prior_N3HW: Tensor
    """Minus infinity where a side is absent: its share is 0 then, whatever the weights."""


class Look(NamedTuple):
    """What the network keeps of one frame."""

    fine_NChw: Tensor
    coarse_NCqr: Tensor
    to_previous_N2qr: Tensor
    to_next_N2qr: Tensor
    sources_N4HW: Tensor
    prior_N3HW: Tensor
    match_N2HW: Tensor


class Dyed(NamedTuple):
    """What the network says of one frame, at the padded working size."""

    shares_NKHW: Tensor
    """Share of each source in the colour; sums to 1."""
    ab_N2HW: Tensor
    """The mixture."""
    spread_N1HW: Tensor
    """Natural logarithm of the expected distance of `ab` from the truth."""
    match_N2HW: Tensor
    """What was looked up in the stills."""


class Redye(nn.Module):
    """What is told in, colour out.

    351,391 parameters by default. At (H, W) its tensors are evidence (40, H/2, W/2), fine features
    (16, H/2, W/2), coarse ones and states (48, H/4, W/4), features to look up by (32, H/8, W/8), and answers
    (9, H, W). Sides must be multiples of 32 pixels. States are float32; None stands for a shot's end.
    """

    def __init__(self, config: RedyeConfig) -> None:
        super().__init__()
        self.config = config
        fine, wide = config.fine_channels, config.channels
        self.describe = _Describe(config)
        self.log_sharpness = nn.Parameter(torch.tensor(_FIRST_SHARPNESS))
        self.fine_in = nn.Conv2d(CHANNELS, fine, 3, padding=1)
        self.fine_mix = nn.Conv2d(fine, fine, 3, padding=1)
        self.down = nn.Conv2d(fine, wide, 4, stride=2, padding=1)
        self.match_in = nn.Conv2d(4, wide, 3, padding=1)
        self.looking = SwinGroup(SwinSizes(wide, 1, config.look_blocks, config.heads))
        self.carry_back = Carry(wide, config.view_blocks, config.heads)
        self.carry_on = Carry(wide, config.view_blocks, config.heads)
        self.join = nn.Conv2d(3 * wide, wide, 1)
        self.join_mix = nn.Conv2d(wide, wide, 3, padding=1)
        self.up = nn.Conv2d(wide, 4 * fine, 1)
        self.draw_in = nn.Conv2d(2 * fine, fine, 3, padding=1)
        self.draw_mix = nn.Conv2d(fine, fine, 3, padding=1)
        self.head = nn.Conv2d(fine, 4 * (SOURCES + 1 + _SHIFTS), 3, padding=1)
        self._begin()

    @classmethod
    def from_config(cls, name: str) -> "Redye":
        """A network of a named configuration, untrained. Raises KeyError for a name not in `CONFIGS`."""
        return cls(CONFIGS[name])

    @classmethod
    def from_sizes(cls, sizes: Mapping[str, object]) -> "Redye":
        """A network as `sizes()` of another tells. Raises TypeError, ValueError where it cannot be built."""
        return cls(RedyeConfig(**cast("dict[str, int]", dict(sizes))))

    def sizes(self) -> dict[str, int]:
        """The configuration, as it is written beside weights."""
        return asdict(self.config)

    def compute_in(self, dtype: torch.dtype) -> None:
        """Computes in this type from now on, but for the last convolution, and for likenesses, whose small
        differences decide."""
        for part in self.children():
            if part is not self.head:
                part.to(dtype)

    def match_features(self, luma_N1HW: Tensor) -> Tensor:
        """Of each cell of a frame or a still, float32, of length 1: (N, D, y, x)."""
        return cast(Tensor, self.describe(luma_N1HW))

    def read_match(self, here_NMD: Tensor, stills_NLD: Tensor, ab_NL2: Tensor) -> Tensor:
        """What like cells of the stills tell of each cell (N, M, 4): a, b, how like the likest is (a cosine),
        and how far those that were heard are apart."""
        sharpness = self.log_sharpness.float().exp()
        colours_NL3 = torch.cat([ab_NL2, ab_NL2.square().sum(2, keepdim=True)], 2)
        told = []
        for lot_NMD in torch.split(here_NMD, _LOT, 1):
            like_NML = lot_NMD @ stills_NLD.transpose(1, 2)
            heard_NM3 = (like_NML * sharpness).softmax(2) @ colours_NL3
            ab_NM2, square_NM1 = torch.split(heard_NM3, [2, 1], 2)
            apart_NM1 = (square_NM1 - ab_NM2.square().sum(2, keepdim=True)).clamp(min=1e-6).sqrt()
            told.append(torch.cat([ab_NM2, like_NML.amax(2, keepdim=True), apart_NM1], 2))
        return torch.cat(told, 1)

    def look(self, told: Told, match_N4yx: Tensor, to_previous_N2qr: Tensor, to_next_N2qr: Tensor) -> Look:
        """What is kept of a frame; needs no other but those the evidence was made of, and the stills."""
        dtype = self.fine_in.weight.dtype
        fine = F.leaky_relu(self.fine_in(told.evidence_NEhw.to(dtype)), _SLOPE)
        fine = F.leaky_relu(self.fine_mix(fine), _SLOPE)
        matched = F.interpolate(match_N4yx, scale_factor=2, mode="bilinear", align_corners=False).to(dtype)
        coarse = self.looking(F.leaky_relu(self.down(fine) + self.match_in(matched), _SLOPE))
        match_N2HW = along_luma(match_N4yx[:, :2], told.luma_N1HW)
        return Look(
            fine, coarse, to_previous_N2qr, to_next_N2qr, told.sources_N4HW, told.prior_N3HW, match_N2HW
        )

    def backward_step(self, here: Look, later_NCqr: Tensor | None) -> Tensor:
        """The state of the way from the shot's end, at this frame; `later` is the next frame's."""
        return cast(Tensor, self.carry_back(here.coarse_NCqr, later_NCqr, here.to_next_N2qr))

    def forward_step(self, here: Look, earlier_NCqr: Tensor | None) -> Tensor:
        """The state of the way from the shot's start, at this frame; `earlier` is the frame before's."""
        return cast(Tensor, self.carry_on(here.coarse_NCqr, earlier_NCqr, here.to_previous_N2qr))

    def find(self, here: Look, backward_NCqr: Tensor, forward_NCqr: Tensor) -> Dyed:
        """What the network says of a frame, by the states that both ways have at it."""
        views = self.carry_back.viewed(backward_NCqr), self.carry_on.viewed(forward_NCqr)
        joined = F.leaky_relu(self.join(torch.cat([*views, here.coarse_NCqr], 1)), _SLOPE)
        joined = joined + F.leaky_relu(self.join_mix(joined), _SLOPE)
        drawn = torch.cat([F.pixel_shuffle(self.up(joined), 2), here.fine_NChw], 1)
        drawn = F.leaky_relu(self.draw_in(drawn), _SLOPE)
        drawn = drawn + F.leaky_relu(self.draw_mix(drawn), _SLOPE)
        with torch.autocast(drawn.device.type, enabled=False):
            answer = F.pixel_shuffle(self.head(drawn.float()), 2)
            logits, spread, shift = torch.split(answer, [SOURCES, 1, _SHIFTS], 1)
            sides, error = torch.split(here.prior_N3HW, [2, 1], 1)
            match = torch.full_like(error, _FIRST_MATCH)
            prior = torch.cat([sides, match, torch.full_like(error, _FIRST_GREY)], 1)
            shares = (logits + prior).softmax(1)
            shifts = (_REACH_PX * torch.tanh(shift)).chunk(2, 1)
            past, future = (
                warp(source, beside, "border")
                for source, beside in zip(here.sources_N4HW.chunk(2, 1), shifts, strict=True)
            )
            ab = shares[:, :1] * past + shares[:, 1:2] * future + shares[:, 2:3] * here.match_N2HW
        return Dyed(shares, ab, spread + error, here.match_N2HW)

    def forward(
        self,
        told: Told,
        to_previous_NT2qr: Tensor,
        to_next_NT2qr: Tensor,
        stills_luma_NR1HW: Tensor,
        stills_ab_NR2HW: Tensor,
    ) -> Dyed:
        """Whole windows, as training sees them; `told` has (N, T) in place of N, and what comes out N * T
        items, window by window. A still given twice counts as given once.

        All but the handing on is done for all frames at once: it needs no neighbour.
        """
        count, frames = told.luma_N1HW.shape[:2]
        flat = Told(*(tensor.flatten(0, 1) for tensor in told))
        here = cells_of(self.match_features(flat.luma_N1HW))
        stills = cells_of(self.match_features(stills_luma_NR1HW.flatten(0, 1)))
        ab = cells_of(F.avg_pool2d(stills_ab_NR2HW.flatten(0, 1), CELL_PX))
        match_NM4 = self.read_match(
            *(cells.reshape(count, -1, cells.shape[2]) for cells in (here, stills, ab))
        )
        match_NM4 = match_NM4.reshape(count * frames, -1, 4)
        match_N4yx = pictured(match_NM4, told.luma_N1HW.shape[3] // CELL_PX)
        looked = self.look(flat, match_N4yx, to_previous_NT2qr.flatten(0, 1), to_next_NT2qr.flatten(0, 1))
        split = [tensor.reshape(count, frames, *tensor.shape[1:]).unbind(1) for tensor in looked]
        looks = [Look(*parts) for parts in zip(*split, strict=True)]
        later = self._walked(self.backward_step, looks[::-1])[::-1]
        earlier = self._walked(self.forward_step, looks)
        return self.find(looked, torch.stack(later, 1).flatten(0, 1), torch.stack(earlier, 1).flatten(0, 1))

    @staticmethod
    def _walked(step: Callable[[Look, Tensor | None], Tensor], looks: Sequence[Look]) -> list[Tensor]:
        states: list[Tensor] = []
        for here in looks:
            states.append(step(here, states[-1] if states else None))
        return states

    def _begin(self) -> None:
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, _SLOPE)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)
        # It starts as what it is told beforehand, which is `propagate`'s own choice.
        nn.init.zeros_(self.head.weight)


class _Describe(nn.Module):
    """Features of cells: luma, its contrast and its place in; what looks alike in another picture is near."""

    def __init__(self, config: RedyeConfig) -> None:
        super().__init__()
        fine, wide = config.fine_channels, config.channels
        self.fine = nn.Conv2d(4, fine, 3, stride=2, padding=1)
        self.middle = nn.Conv2d(fine, 2 * fine, 3, stride=2, padding=1)
        self.coarse = nn.Conv2d(2 * fine, wide, 3, stride=2, padding=1)
        self.near = nn.Conv2d(wide, wide, 3, padding=1)
        self.far = nn.Conv2d(wide, wide, 3, padding=3, dilation=3)
        self.out = nn.Conv2d(wide, config.match_channels, 1)

    def forward(self, luma_N1HW: Tensor) -> Tensor:
        planes = torch.cat([luma_N1HW * 2 - 1, _contrast(luma_N1HW), _places(luma_N1HW)], 1)
        features = planes.to(self.fine.weight.dtype)
        for step in (self.fine, self.middle, self.coarse):
            features = F.leaky_relu(step(features), _SLOPE)
        features = features + F.leaky_relu(self.near(features), _SLOPE)
        features = features + F.leaky_relu(self.far(features), _SLOPE)
        return F.normalize(self.out(features).float(), dim=1)


def cells_of(planes_NCyx: Tensor) -> Tensor:
    """A picture of cells as a list of them, (N, y * x, C)."""
    return planes_NCyx.flatten(2).transpose(1, 2)


def pictured(cells_NMC: Tensor, rows: int) -> Tensor:
    """A list of cells as a picture of so many rows of them, (N, C, y, x)."""
    count, cells, channels = cells_NMC.shape
    return cells_NMC.transpose(1, 2).reshape(count, channels, rows, cells // rows)


def along_luma(ab_N2yx: Tensor, luma_N1HW: Tensor) -> Tensor:
    """Colours of cells at the picture's size: of the nine cells about a pixel, those of its luma count most.

    A mean of them, so that no colour comes out that does not go in.
    """
    around = F.pad(torch.cat([ab_N2yx, F.avg_pool2d(luma_N1HW, CELL_PX)], 1), (1, 1, 1, 1), mode="replicate")
    count, _, rows, columns = ab_N2yx.shape
    around_N39yx = F.unfold(around, 3).reshape(count, 3, 9, rows, columns)
    luma_N1Pyx = F.pixel_unshuffle(luma_N1HW, CELL_PX)[:, None]
    unlike_N9Pyx = ((around_N39yx[:, 2, :, None] - luma_N1Pyx) / _UNLIKE).square()
    weight_N9Pyx = _nearness(luma_N1HW.device)[..., None, None] * (torch.exp(-unlike_N9Pyx) + 1e-3)
    weight_N9Pyx = weight_N9Pyx / weight_N9Pyx.sum(1, keepdim=True)
    large = [(weight_N9Pyx * plane_N9yx[:, :, None]).sum(1) for plane_N9yx in around_N39yx[:, :2].unbind(1)]
    return F.pixel_shuffle(torch.stack(large, 1).flatten(1, 2), CELL_PX)


def _contrast(luma_N1HW: Tensor) -> Tensor:
    """What stands out from its surroundings, and how far: light and exposure cancel out."""
    cells = F.avg_pool2d(torch.cat([luma_N1HW, luma_N1HW.square()], 1), CELL_PX)
    around = F.avg_pool2d(cells, _AROUND_CELLS, 1, _AROUND_CELLS // 2, count_include_pad=False)
    mean, power = F.interpolate(around, scale_factor=CELL_PX, mode="bilinear", align_corners=False).chunk(
        2, 1
    )
    spread = (power - mean.square()).clamp(min=0).sqrt() + _FLAT
    return ((luma_N1HW - mean) / spread).clamp(-3, 3)


def _places(luma_N1HW: Tensor) -> Tensor:
    """Of each pixel, (x, y) from -1 to 1."""
    count, _, height, width = luma_N1HW.shape
    x_W = torch.linspace(-1, 1, width, device=luma_N1HW.device)
    y_H = torch.linspace(-1, 1, height, device=luma_N1HW.device)
    return torch.stack(torch.meshgrid(x_W, y_H, indexing="xy")).expand(count, 2, height, width)


def _nearness(device: torch.device) -> Tensor:
    """How near each of nine cells is to each pixel of the middle one, (9, pixels)."""
    inside = (torch.arange(CELL_PX, device=device) + 0.5) / CELL_PX - 0.5
    apart_3P = (torch.arange(-1, 2, device=device)[:, None] - inside).abs()
    near_3P = (1.5 - apart_3P).clamp(min=0)
    return (near_3P[:, None, :, None] * near_3P[None, :, None, :]).reshape(9, CELL_PX**2)
