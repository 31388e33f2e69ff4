"""Warping by flow on tensors: a neighbour brought onto this frame.

Shape suffixes: N items, C channels, H rows, W columns; 2 is (dx, dy) in pixels. Flow runs from this frame to
its neighbour: frame(x) is neighbour(x + flow(x)).
"""

from functools import lru_cache
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

Padding = Literal["zeros", "border"]
"""What stands outside the picture: nothing, or its edge repeated."""


def warp(image_NCHW: Tensor, flow_N2HW: Tensor, padding: Padding = "zeros") -> Tensor:
    """The neighbour seen from this frame, bilinear, in the image's type; pixel centres of the corners at
    whole coordinates (align-corners).

    Coordinates are computed in float32, also under autocast: half precision would miss by pixels.
    """
    count, _, height, width = image_NCHW.shape
    if flow_N2HW.shape != (count, 2, height, width):
        raise ValueError(f"flow {tuple(flow_N2HW.shape)} does not fit images {tuple(image_NCHW.shape)}")
    base_2HW, scale_2 = _base(height, width, image_NCHW.device)
    with torch.autocast(image_NCHW.device.type, enabled=False):
        places_NHW2 = ((base_2HW + flow_N2HW.float()) * scale_2 - 1).permute(0, 2, 3, 1)
        warped_NCHW = F.grid_sample(
            image_NCHW.float(), places_NHW2, mode="bilinear", padding_mode=padding, align_corners=True
        )
    return warped_NCHW.to(image_NCHW.dtype)


@lru_cache(maxsize=16)
def _base(height: int, width: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """Pixel coordinates (2, H, W), and what brings them to [0, 2] (2, 1, 1)."""
    # Kept tensors outlive the call: made in inference mode they would be refused by a later training step.
    with torch.inference_mode(False), torch.no_grad():
        rows, columns = torch.meshgrid(
            torch.arange(height, dtype=torch.float32),
            torch.arange(width, dtype=torch.float32),
            indexing="ij",
        )
        scale = torch.tensor([2 / max(width - 1, 1), 2 / max(height - 1, 1)]).view(2, 1, 1)
        return torch.stack([columns, rows]).to(device), scale.to(device)
