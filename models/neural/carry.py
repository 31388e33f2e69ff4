"""One direction of a recurrence that forgets: a hidden state handed from frame to frame along motion.

Shape suffixes: N items, C hidden channels; q, r of a quarter of the picture's size. 2 is (dx, dy) in pixels
of that grid.
"""

from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.swin import SwinGroup, SwinSizes
from models.warp import warp

_SLOPE = 0.1
# At most this share of a state is handed on, and nothing is done to it on the way: what is remembered of a
# frame counts for a thirty-fifth at most seven frames later, whatever the weights, and a way back that starts
# seven frames late arrives all but equal.
_HANDED_ON = 0.6


class Carry(nn.Module):
    """The state is brought here and fused under a learnt mask."""

    def __init__(self, channels: int, blocks: int, heads: int) -> None:
        """blocks: Swin blocks of the view that others have of a state."""
        super().__init__()
        self.ask = nn.Conv2d(2 * channels, channels, 3, padding=1)
        self.answer = nn.Conv2d(channels, 1, 3, padding=1)
        self.view = SwinGroup(SwinSizes(channels, 1, blocks, heads))

    def forward(self, here_NCqr: Tensor, state_NCqr: Tensor | None, flow_N2qr: Tensor) -> Tensor:
        """flow: from this frame to the one that the state comes from. States are float32: rounded from frame
        to frame, two that began apart would never quite meet."""
        if state_NCqr is None:
            return here_NCqr.float()
        state_NCqr = warp(state_NCqr, flow_N2qr)
        both = torch.cat([state_NCqr.to(here_NCqr.dtype), here_NCqr], 1)
        asked = self.answer(F.leaky_relu(self.ask(both), _SLOPE))
        share_N1qr = _HANDED_ON * torch.sigmoid(asked.float())
        return torch.lerp(here_NCqr.float(), state_NCqr, share_N1qr)

    def viewed(self, state_NCqr: Tensor) -> Tensor:
        """What the network makes of a state, in its own precision."""
        return cast(Tensor, self.view(state_NCqr.to(self.ask.weight.dtype)))
