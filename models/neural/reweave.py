"""Reweave: our restoration network. It finds damage and weaves the picture beneath from both neighbours.

Like RTN it carries a hidden state through the shot in both directions, fuses it under a learnt mask and lets
windows of attention look at it. What differs: a state that is only ever mixed with what is new, so that it
fades in a known time; evidence from both sides at once, so that revealed ground is not taken for dirt; a mask
head that is taught with true masks; the state at a quarter of the picture's size, where nothing is lost, for
pixels are picked at full size; and a picture that is not painted but *picked*, a mixture of this frame, its
two neighbours and what lies beside and around plus a small correction, so that grain and detail stay the
film's own.

Shape suffixes: N items, T frames, E channels of evidence, C hidden channels, K sources of the mixture (this
frame, the one before, the one after, this one spanned across and around), H rows, W columns of the padded
picture; h, w of half its size; q, r of a quarter. 2 is (dx, dy) in pixels of its own grid.

Sources: RTN (Wan et al., CVPR 2022) for the recurrence; RRTN for two-sided residuals; DART (ACCV 2026) for
the supervised mask; Niklaus & Liu, "Context-aware Synthesis for Video Frame Interpolation", CVPR 2018, for
picking rather than painting.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Literal, NamedTuple, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.neural.carry import Carry
from models.neural.evidence import CHANNELS, GAPS
from models.swin import SwinGroup, SwinSizes

SOURCES = 1 + GAPS
_SLOPE = 0.1
# Damage covers about one pixel in a hundred: the mask head starts from there, not from one half.
_FIRST_LOGIT = -4.6


@dataclass(frozen=True)
class ReweaveConfig:
    """Sizes of the network."""

    channels: int = 64
    """Hidden channels at a quarter of the picture's size; a multiple of `heads`."""
    fine_channels: int = 24
    """Channels at half size, where the mask's edges are drawn."""
    heads: int = 2
    """Attention heads; fewer are faster: four of 16 channels take a fifth more time than two of 32."""
    look_blocks: int = 2
    """Swin blocks that look at a frame before anything is carried."""
    view_blocks: int = 1
    """Swin blocks that look at what either direction has carried here."""

    def __post_init__(self) -> None:
        if min(self.channels, self.fine_channels, self.look_blocks, self.view_blocks) < 1:
            raise ValueError("a network needs channels and blocks")
        if self.channels % self.heads:
            raise ValueError(f"{self.channels} channels do not divide among {self.heads} heads")


CONFIGS: Mapping[str, ReweaveConfig] = {
    "reweave-small": ReweaveConfig(channels=48, fine_channels=16),
    "reweave": ReweaveConfig(),
    "reweave-large": ReweaveConfig(channels=96, fine_channels=32, heads=3, look_blocks=4, view_blocks=2),
}


Ways = Literal["both", "past", "future"]


class Look(NamedTuple):
    """What the network keeps of one frame."""

    fine_NChw: Tensor
    coarse_NCqr: Tensor
    to_previous_N2qr: Tensor
    to_next_N2qr: Tensor


class Finding(NamedTuple):
    """What the network says of one frame, at the picture's full (padded) size."""

    logit_N1HW: Tensor
    """Damage, as a logit: above 0 more likely than not."""
    mixture_NKHW: Tensor
    """Share of each source in the restored picture; sums to 1."""
    added_N1HW: Tensor
    """What is added to the mixture, in [-1, 1]."""
    spread_N1HW: Tensor
    """Natural logarithm of the expected absolute error of the restored luma."""


class Reweave(nn.Module):
    """Evidence in, findings out.

    Parameters and work for a 640x480 frame, multiply-adds counted twice, by `python -m benchmarks.network`:
    `reweave-small` 285,354 and 12.7 GFLOP, `reweave` 509,626 and 22.7, `reweave-large` 1,413,818 and 59.5
    (RTN: 921,205 and 187). At (H, W) its tensors are evidence (30, H/2, W/2), fine features (24, H/2, W/2),
    coarse ones and states (64, H/4, W/4), and answers (8, H, W). Sides must be multiples of 32 pixels. States
    are float32; None stands for a shot's end.
    """

    def __init__(self, config: ReweaveConfig) -> None:
        super().__init__()
        self.config = config
        fine, wide = config.fine_channels, config.channels
        self.fine_in = nn.Conv2d(CHANNELS, fine, 3, padding=1)
        self.fine_mix = nn.Conv2d(fine, fine, 3, padding=1)
        self.down = nn.Conv2d(fine, wide, 4, stride=2, padding=1)
        self.looking = SwinGroup(SwinSizes(wide, 1, config.look_blocks, config.heads))
        self.carry_back = Carry(wide, config.view_blocks, config.heads)
        self.carry_on = Carry(wide, config.view_blocks, config.heads)
        self.join = nn.Conv2d(3 * wide, wide, 1)
        self.join_mix = nn.Conv2d(wide, wide, 3, padding=1)
        self.up = nn.Conv2d(wide, 4 * fine, 1)
        self.draw_in = nn.Conv2d(2 * fine, fine, 3, padding=1)
        self.draw_mix = nn.Conv2d(fine, fine, 3, padding=1)
        self.head = nn.Conv2d(fine, 4 * (SOURCES + 3), 3, padding=1)
        self._begin()

    @classmethod
    def from_config(cls, name: str) -> "Reweave":
        """A network of a named configuration, untrained. Raises KeyError for a name not in `CONFIGS`."""
        return cls(CONFIGS[name])

    @classmethod
    def from_sizes(cls, sizes: Mapping[str, object]) -> "Reweave":
        """A network as `sizes()` of another tells. Raises TypeError, ValueError where it cannot be built."""
        return cls(ReweaveConfig(**cast("dict[str, int]", dict(sizes))))

    def sizes(self) -> dict[str, int]:
        """The configuration, as it is written beside weights."""
        return asdict(self.config)

    def compute_in(self, dtype: torch.dtype) -> None:
        """Computes in this type from now on, but for the last convolution, whose eight bits of mantissa would
        be seen in a picture of ten. Inputs must be of this type."""
        self.to(dtype)
        self.head.float()

    def look(self, evidence_NEhw: Tensor, to_previous_N2qr: Tensor, to_next_N2qr: Tensor) -> Look:
        """What is kept of a frame; needs no other frame but those the evidence was made of."""
        fine = F.leaky_relu(self.fine_in(evidence_NEhw), _SLOPE)
        fine = F.leaky_relu(self.fine_mix(fine), _SLOPE)
        coarse = self.looking(F.leaky_relu(self.down(fine), _SLOPE))
        return Look(fine, coarse, to_previous_N2qr, to_next_N2qr)

    def backward_step(self, here: Look, later_NCqr: Tensor | None) -> Tensor:
        """The state of the way from the shot's end, at this frame; `later` is the next frame's."""
        return cast(Tensor, self.carry_back(here.coarse_NCqr, later_NCqr, here.to_next_N2qr))

    def forward_step(self, here: Look, earlier_NCqr: Tensor | None) -> Tensor:
        """The state of the way from the shot's start, at this frame; `earlier` is the frame before's."""
        return cast(Tensor, self.carry_on(here.coarse_NCqr, earlier_NCqr, here.to_previous_N2qr))

    def backward_view(self, state_NCqr: Tensor) -> Tensor:
        """What the network makes of a state of the way back, for `find`."""
        return self.carry_back.viewed(state_NCqr)

    def forward_view(self, state_NCqr: Tensor) -> Tensor:
        """What the network makes of a state of the way forward, for `find`."""
        return self.carry_on.viewed(state_NCqr)

    def find(self, here: Look, backward_NCqr: Tensor, forward_NCqr: Tensor) -> Finding:
        """What the network says of a frame, by the views that both ways have of it.

        For what one way alone says, give `here.coarse_NCqr` in place of the other's view: training drops
        either now and then, so that this is nothing new to the network.
        """
        joined = F.leaky_relu(
            self.join(torch.cat([backward_NCqr, forward_NCqr, here.coarse_NCqr], 1)), _SLOPE
        )
        joined = joined + F.leaky_relu(self.join_mix(joined), _SLOPE)
        drawn = torch.cat([F.pixel_shuffle(self.up(joined), 2), here.fine_NChw], 1)
        drawn = F.leaky_relu(self.draw_in(drawn), _SLOPE)
        drawn = drawn + F.leaky_relu(self.draw_mix(drawn), _SLOPE)
        with torch.autocast(drawn.device.type, enabled=False):
            told_N6HW = F.pixel_shuffle(self.head(drawn.float()), 2)
        logit, shares, added, spread = torch.split(told_N6HW, [1, SOURCES, 1, 1], 1)
        return Finding(logit, shares.softmax(1), torch.tanh(added), spread)

    def forward(
        self,
        evidence_NTEhw: Tensor,
        to_previous_NT2qr: Tensor,
        to_next_NT2qr: Tensor,
        ways: Ways = "both",
    ) -> Finding:
        """Whole clips, as training sees them: a finding whose tensors have N * T items, clip by clip.

        ways: what it hears of, the past, the future or both; of the other it is told nothing.
        All but the handing on is done for all frames at once: it needs no neighbour.
        """
        count, frames = evidence_NTEhw.shape[:2]
        looked = self.look(
            evidence_NTEhw.flatten(0, 1), to_previous_NT2qr.flatten(0, 1), to_next_NT2qr.flatten(0, 1)
        )
        split = [tensor.reshape(count, frames, *tensor.shape[1:]).unbind(1) for tensor in looked]
        looks = [Look(*parts) for parts in zip(*split, strict=True)]
        state: Tensor | None = None
        later: list[Tensor] = []
        for here in reversed(looks):
            state = self.backward_step(here, state)
            later.append(state)
        state, earlier = None, []
        for here in looks:
            state = self.forward_step(here, state)
            earlier.append(state)
        backward = self.backward_view(torch.stack(later[::-1], 1).flatten(0, 1))
        forward = self.forward_view(torch.stack(earlier, 1).flatten(0, 1))
        coarse = looked.coarse_NCqr
        return self.find(
            looked, coarse if ways == "past" else backward, coarse if ways == "future" else forward
        )

    def _begin(self) -> None:
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, _SLOPE)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)
        # It starts by finding nothing, mixing all but evenly and adding nothing.
        with torch.no_grad():
            self.head.weight.mul_(0.1)
            assert self.head.bias is not None
            self.head.bias[:4] = _FIRST_LOGIT
            self.head.bias[-4:] = -4.0
            self.head.weight[4 * (1 + SOURCES) : 4 * (2 + SOURCES)].zero_()
