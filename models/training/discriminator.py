"""Temporal-PatchGAN: whether each patch of a clip looks like film, in space and time.

Shape suffixes: N items, T frames, C channels, P channels of the verdict, H rows, W columns; v, w a
thirty-second of those.

Source: Chang et al., "Free-form Video Inpainting with 3D Gated Convolution and Temporal PatchGAN", ICCV 2019;
sizes those of RTN's `discriminator_v2`, from a description of it.
"""

import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

_CHANNELS = (64, 128, 128, 128, 128)
_SLOPE = 0.2


class TemporalPatchGAN(nn.Module):
    """Five 3-D convolutions, halving space and never time; the first four under spectral norm.

    4,315,328 parameters for frames of three channels. A step in training mode moves the norms' estimates, so
    that judging for the restorer's loss moves them too, as in the reference.
    """

    def __init__(self, frame_channels: int = 3) -> None:
        super().__init__()
        before = (frame_channels, *_CHANNELS[:-1])
        self.convs = nn.ModuleList()
        for place, (inwards, outwards) in enumerate(zip(before, _CHANNELS, strict=True)):
            first, last = place == 0, place == len(_CHANNELS) - 1
            padding = (1, 1, 1) if first else (1, 2, 2)
            conv = nn.Conv3d(inwards, outwards, (3, 5, 5), (1, 2, 2), padding, bias=last)
            nn.init.normal_(conv.weight, 0.0, 0.02)
            if conv.bias is not None:
                nn.init.zeros_(conv.bias)
            self.convs.append(conv if last else spectral_norm(conv))

    def forward(self, frames_NTCHW: Tensor) -> Tensor:
        """A verdict on each patch, (N, T, P, v, w) with P = 128: for hinge losses, without a sigmoid.

        Frames in the restorer's own range; H and W multiples of 32.
        """
        seen = frames_NTCHW.transpose(1, 2)
        for conv in self.convs[:-1]:
            seen = F.leaky_relu(conv(seen), _SLOPE)
        verdict_NPTvw: Tensor = self.convs[-1](seen)
        return verdict_NPTvw.transpose(1, 2)
