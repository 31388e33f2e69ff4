"""RTN, the recurrent transformer network for old films, exactly as published.

Shape suffixes: N items, T frames, C channels, S channels of the state, H rows, W columns; 2 is (dx, dy) in
pixels.

Source: Wan, Zhang, Chen, Liao, "Bringing Old Films Back to Life", CVPR 2022, section 3; written from a
description of the network, and checked against numbers of the reference.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.published import from_published
from models.swin import SwinSizes, SwinStack
from models.warp import warp


@dataclass(frozen=True)
class RTNConfig:
    """Sizes of an RTN."""

    frame_channels: int = 3
    """Channels of a frame; grey film is repeated in each. Damage is told from the first alone."""
    state_channels: int = 16
    """Channels of the recurrent state, at full resolution."""
    mask_channels: int = 8
    """Hidden channels of the guided mask."""
    skip_channels: int = 32
    """Channels of the refiner at full resolution."""
    swin: SwinSizes = field(default_factory=lambda: SwinSizes(channels=64, groups=3, blocks=2, heads=4))
    """The refiner at half resolution."""

    @property
    def multiple_px(self) -> int:
        """What heights and widths of frames must be multiples of."""
        return 2 * self.swin.window_px


CONFIGS = {"rtn-paper": RTNConfig()}
"""By name. `rtn-paper` is the published network."""


class RTNOutput(NamedTuple):
    """What RTN makes of a clip."""

    restored: Tensor
    """(N, T, C, H, W) in [-1, 1]."""
    forward_mask: Tensor
    """(N, T, 1, H, W) in [0, 1]: how much of frame t's state came from frame t - 1; unused at t = 0."""
    backward_mask: Tensor
    """The same from frame t + 1; unused at t = T - 1."""


class RTN(nn.Module):
    """A state is carried along the clip in either direction: what the neighbour's state holds, brought here
    by flow, is mixed with this frame by a learnt mask, refined by a Swin transformer, and both directions'
    states are decoded to the restored frame.

    `rtn-paper` has 921,205 parameters: in each direction encoder 448, mask 2,457, refiner 451,688; decoder
    12,019. At (H, W) its tensors are frame (3, H, W), state (16, H, W), mask (1, H, W) and inside the refiner
    (32, H, W) and (64, H/2, W/2). A 640x480 frame takes 187 GFLOP,
    multiply-adds counted twice, motion apart.
    """

    def __init__(self, config: RTNConfig) -> None:
        super().__init__()
        self.config = config
        self.backward_pass = RecurrentPass(config)
        self.forward_pass = RecurrentPass(config)
        self.decoder = Decoder(config)

    @classmethod
    def from_config(cls, name: str) -> "RTN":
        """The network of that name with random weights. Raises ValueError for a name not in `CONFIGS`."""
        if name not in CONFIGS:
            raise ValueError(f"no RTN is called {name!r}; there are: {', '.join(sorted(CONFIGS))}")
        return cls(CONFIGS[name])

    @classmethod
    def from_sizes(cls, sizes: Mapping[str, object]) -> "RTN":
        """A network as `sizes()` of another tells. Raises TypeError, ValueError where it cannot be built."""
        told: dict[str, Any] = dict(sizes)
        if "swin" in told:
            told["swin"] = SwinSizes(**told["swin"])
        return cls(RTNConfig(**told))

    def sizes(self) -> dict[str, Any]:
        """The configuration, as it is written beside weights."""
        return asdict(self.config)

    def load_published(self, state: Mapping[str, Tensor]) -> None:
        """Takes the weights of a published checkpoint's `netG`; ValueError tells what does not fit."""
        self.load_state_dict(from_published(state, self.state_dict()))

    def compute_in(self, dtype: torch.dtype) -> None:
        """Carries states in this type from now on; the decoder stays in float32, in half precision it would
        round the picture itself to 8 bits. Frames must be of this type for steps, states of float32 to be
        decoded."""
        self.to(dtype)
        self.decoder.float()

    def forward(
        self, frames_NTCHW: Tensor, forward_flow_NT2HW: Tensor, backward_flow_NT2HW: Tensor
    ) -> RTNOutput:
        """Restores a clip of any length.

        frames_NTCHW in [-1, 1], H and W multiples of `config.multiple_px`. Entry i of `forward_flow_NT2HW`
        (T - 1 entries, none for one frame) is the flow from frame i + 1 to frame i; of `backward_flow_NT2HW`,
        from frame i to frame i + 1. Raises ValueError for shapes that do not fit.
        """
        self._check(frames_NTCHW, forward_flow_NT2HW, backward_flow_NT2HW)
        frames = frames_NTCHW.unbind(1)
        count = len(frames)
        behind: list[Tensor] = []
        backward_masks: list[Tensor] = []
        state = None
        for t in reversed(range(count)):
            last = t == count - 1
            state, mask = self.backward_step(
                frames[t],
                None if last else frames[t + 1],
                None if last else backward_flow_NT2HW[:, t],
                state,
            )
            behind.append(state)
            backward_masks.append(mask)
        restored: list[Tensor] = []
        forward_masks: list[Tensor] = []
        state = None
        for t in range(count):
            state, mask = self.forward_step(
                frames[t],
                frames[t - 1] if t else None,
                forward_flow_NT2HW[:, t - 1] if t else None,
                state,
            )
            restored.append(self.decode(behind.pop(), state, frames[t]))
            forward_masks.append(mask)
        return RTNOutput(
            torch.stack(restored, 1), torch.stack(forward_masks, 1), torch.stack(backward_masks[::-1], 1)
        )

    def backward_step(
        self,
        frame_NCHW: Tensor,
        neighbour_NCHW: Tensor | None = None,
        flow_N2HW: Tensor | None = None,
        state_NSHW: Tensor | None = None,
    ) -> tuple[Tensor, Tensor]:
        """One step of the backward pass: this frame's state_NSHW and mask_N1HW.

        The neighbour is the next frame, `state_NSHW` its state, the flow runs from this frame to it; all
        three None at the clip's last frame.
        """
        stepped: tuple[Tensor, Tensor] = self.backward_pass(frame_NCHW, neighbour_NCHW, flow_N2HW, state_NSHW)
        return stepped

    def forward_step(
        self,
        frame_NCHW: Tensor,
        neighbour_NCHW: Tensor | None = None,
        flow_N2HW: Tensor | None = None,
        state_NSHW: Tensor | None = None,
    ) -> tuple[Tensor, Tensor]:
        """One step of the forward pass, as `backward_step`; the neighbour is the frame before."""
        stepped: tuple[Tensor, Tensor] = self.forward_pass(frame_NCHW, neighbour_NCHW, flow_N2HW, state_NSHW)
        return stepped

    def decode(self, backward_NSHW: Tensor, forward_NSHW: Tensor, frame_NCHW: Tensor) -> Tensor:
        """The restored frame, (N, C, H, W) in [-1, 1], from both directions' states of it."""
        restored_NCHW: Tensor = self.decoder(backward_NSHW, forward_NSHW, frame_NCHW)
        return restored_NCHW

    def _check(self, frames_NTCHW: Tensor, *flows_NT2HW: Tensor) -> None:
        if frames_NTCHW.ndim != 5 or 0 in frames_NTCHW.shape:
            raise ValueError(
                f"frames are {tuple(frames_NTCHW.shape)}; RTN takes (N, T, C, H, W), none of them 0"
            )
        count, length, channels, height, width = frames_NTCHW.shape
        if channels != self.config.frame_channels:
            raise ValueError(f"frames have {channels} channels; this RTN takes {self.config.frame_channels}")
        multiple = self.config.multiple_px
        if height % multiple or width % multiple:
            raise ValueError(f"frames are {width}x{height}: pad both sides to multiples of {multiple} pixels")
        for name, flow_NT2HW in zip(("forward", "backward"), flows_NT2HW, strict=True):
            wanted = (count, length - 1, 2, height, width)
            if tuple(flow_NT2HW.shape) != wanted:
                raise ValueError(f"the {name} flow is {tuple(flow_NT2HW.shape)}; these frames need {wanted}")


class RecurrentPass(nn.Module):
    """One direction: encoder, guided mask and refiner."""

    def __init__(self, config: RTNConfig) -> None:
        super().__init__()
        state = config.state_channels
        self.encoder = nn.Conv2d(config.frame_channels, state, 3, padding=1)
        # What the neighbour holds, what this frame holds, and how much the two frames differ.
        self.mask_in = nn.Conv2d(2 * state + 1, config.mask_channels, 3, padding=1)
        self.mask_out = nn.Conv2d(config.mask_channels, 1, 3, padding=1)
        for conv in (self.mask_in, self.mask_out):
            nn.init.kaiming_normal_(conv.weight)
        self.refiner = Refiner(config)

    def forward(
        self,
        frame_NCHW: Tensor,
        neighbour_NCHW: Tensor | None,
        flow_N2HW: Tensor | None,
        state_NSHW: Tensor | None,
    ) -> tuple[Tensor, Tensor]:
        """The frame's state_NSHW and mask_N1HW; without neighbour, flow and state it is the pass's first."""
        frame_NCHW = frame_NCHW.contiguous(memory_format=torch.channels_last)
        encoded_NSHW = self.encoder(frame_NCHW)
        if neighbour_NCHW is None or flow_N2HW is None or state_NSHW is None:
            unknown_NSHW = torch.zeros_like(encoded_NSHW)
            mask_N1HW = self._mask(unknown_NSHW, encoded_NSHW, torch.zeros_like(frame_NCHW[:, :1]))
            return self.refiner(encoded_NSHW), mask_N1HW
        # One warp for both; of the neighbour's frame only the first channel is looked at.
        carried = warp(torch.cat([state_NSHW, neighbour_NCHW[:, :1]], 1), flow_N2HW)
        carried_NSHW, neighbour_N1HW = carried[:, :-1], carried[:, -1:]
        mask_N1HW = self._mask(carried_NSHW, encoded_NSHW, (neighbour_N1HW - frame_NCHW[:, :1]).abs())
        # mask * carried + (1 - mask) * encoded
        return self.refiner(torch.lerp(encoded_NSHW, carried_NSHW, mask_N1HW)), mask_N1HW

    def _mask(self, carried_NSHW: Tensor, encoded_NSHW: Tensor, residual_N1HW: Tensor) -> Tensor:
        evidence = torch.cat([carried_NSHW, encoded_NSHW, residual_N1HW], 1)
        hidden = _leaky(self.mask_in(evidence), 0.2)
        return torch.sigmoid(self.mask_out(hidden))


class Refiner(nn.Module):
    """The spatial transformer: a Swin stack at half resolution between convolutions, with a skip at full."""

    def __init__(self, config: RTNConfig) -> None:
        super().__init__()
        state, skip, wide = config.state_channels, config.skip_channels, config.swin.channels
        self.conv_in = nn.Conv2d(state, skip, 3, padding=1)
        self.conv_down = nn.Conv2d(skip, wide, 4, stride=2, padding=1)
        self.swin = SwinStack(config.swin)
        self.conv_wide = nn.Conv2d(wide, wide, 3, padding=1)
        self.conv_up = nn.Conv2d(wide, skip, 3, padding=1)
        self.conv_out = nn.Conv2d(skip, state, 3, padding=1)

    def forward(self, state_NSHW: Tensor) -> Tensor:
        """The refined state, the same shape."""
        skip_NCHW = _leaky(self.conv_in(state_NSHW), 0.2)
        half_NChw = self.swin(self.conv_down(skip_NCHW))
        half_NChw = _leaky(self.conv_wide(half_NChw), 0.01)
        wide_NCHW = self.conv_up(F.interpolate(half_NChw, scale_factor=2, mode="nearest"))
        refined_NSHW: Tensor = self.conv_out(_leaky(wide_NCHW + skip_NCHW, 0.2))
        return refined_NSHW


class Decoder(nn.Module):
    """Both directions' states to the restored frame, as a change of the frame, squashed by tanh."""

    def __init__(self, config: RTNConfig) -> None:
        super().__init__()
        state = config.state_channels
        self.conv_in = nn.Conv2d(2 * state, state, 3, padding=1)
        self.body = nn.ModuleList(nn.Conv2d(state, state, 3, padding=1) for _ in range(3))
        self.conv_out = nn.Conv2d(state, config.frame_channels, 3, padding=1)

    def forward(self, backward_NSHW: Tensor, forward_NSHW: Tensor, frame_NCHW: Tensor) -> Tensor:
        hidden = _leaky(self.conv_in(torch.cat([backward_NSHW, forward_NSHW], 1)), 0.1)
        for conv in self.body:
            hidden = _leaky(conv(hidden), 0.1)
        return torch.tanh(self.conv_out(hidden) + frame_NCHW)


def _leaky(values: Tensor, slope: float) -> Tensor:
    """Leaky ReLU of a convolution's output, in place: the convolution does not need it again."""
    return F.leaky_relu(values, slope, inplace=True)
