"""LPIPS, how different two pictures look, by torchmetrics' network; its AlexNet must be given.

Source: Zhang et al., "The Unreasonable Effectiveness of Deep Features as a Perceptual Metric", CVPR 2018;
version 0.1, AlexNet, as RTN's evaluation.
"""

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

# The public class would fetch AlexNet's weights from the network, and takes them from nowhere else.
from torchmetrics.functional.image.lpips import _LPIPS

from models.backbone import BackboneError, load_backbone

# Smaller pictures do not reach the last of AlexNet's layers.
_SMALLEST_PX = 35


class Lpips:
    """The distance of two pictures. Raises BackboneError, one line, where there is no AlexNet.

    file: torchvision's AlexNet weights, `.pth` or `.safetensors`; None looks into torchvision's cache.
    """

    def __init__(self, file: Path | None = None) -> None:
        backbone = load_backbone("alexnet", file)
        self.sha256 = backbone.sha256
        """Of the file of weights: figures by different weights do not compare."""
        self._network = _LPIPS(net="alex", pnet_rand=True)
        # Its slices hold torchvision's layers under their own numbers.
        slices = {name.split(".", 1)[1]: name for name in self._network.net.state_dict()}
        weights = {
            slices[name]: weight for name, weight in backbone.layers.state_dict().items() if name in slices
        }
        self._network.net.load_state_dict(weights)

    @torch.inference_mode()
    def __call__(self, one_HW: NDArray[np.float32], other_HW: NDArray[np.float32]) -> float:
        """0 where both are equal, some 0.5 where they have little in common.

        Both are luma in [0, 1], 35 pixels or more each way; ValueError otherwise.
        """
        if one_HW.shape != other_HW.shape or min(one_HW.shape) < _SMALLEST_PX:
            raise ValueError(
                f"LPIPS needs two pictures of one size, {_SMALLEST_PX} px or more: "
                f"{one_HW.shape}, {other_HW.shape}"
            )
        one, other = (
            torch.from_numpy(np.ascontiguousarray(picture))[None, None].expand(1, 3, -1, -1)
            for picture in (one_HW, other_HW)
        )
        return float(self._network(one, other, normalize=True))


def find_lpips(file: Path | None = None) -> tuple[Lpips | None, str]:
    """LPIPS, or None where torchvision's cache has no AlexNet; and one sentence that says which.

    Raises BackboneError for a file that was named and does not serve.
    """
    try:
        distance = Lpips(file)
    except BackboneError as trouble:
        if file is not None:
            raise
        return None, f"LPIPS is left out: {trouble}"
    return distance, f"LPIPS by AlexNet {distance.sha256[:8]}"
