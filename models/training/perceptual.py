"""Perceptual loss: pictures compared by what VGG-19 sees in them.

Shape suffixes: N items, C channels (1 or 3), H rows, W columns.

Source: Johnson, Alahi, Fei-Fei, "Perceptual Losses for Real-Time Style Transfer and Super-Resolution", ECCV
2016; layers and weights those of RTN (Wan et al., CVPR 2022).
"""

from dataclasses import dataclass
from pathlib import Path
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.backbone import Backbone, BackboneError, load_backbone

# relu1_1, 2_1, 3_1, 4_1, 5_1 among torchvision's layers.
_LAYERS = (1, 6, 11, 20, 29)


@dataclass(frozen=True)
class PerceptualConfig:
    """How pictures are shown to VGG-19, and what its layers count."""

    mean: tuple[float, float, float]
    """Taken from red, green and blue."""
    deviation: tuple[float, float, float]
    """What they are divided by after that."""
    weights: tuple[float, float, float, float, float] = (1 / 32, 1 / 16, 1 / 8, 1 / 4, 1.0)
    """Of the mean absolute differences after relu1_1, 2_1, 3_1, 4_1 and 5_1."""


PAPER = PerceptualConfig((0.0, 0.0, 0.0), (1.0, 1.0, 1.0))
"""RTN's: pictures in [-1, 1] are shown as they are, though VGG-19 learnt from others."""
OURS = PerceptualConfig((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
"""Pictures in [0, 1] are shown as VGG-19 learnt to see them, in ImageNet's normalisation."""


class Perceptual(nn.Module):
    """The loss, frozen: it has nothing to train, and belongs in no checkpoint."""

    def __init__(self, backbone: Backbone, config: PerceptualConfig = OURS) -> None:
        super().__init__()
        self.config = config
        self.sha256 = backbone.sha256
        """Of VGG-19's file of weights."""
        self._layers = backbone.layers[: _LAYERS[-1] + 1]
        self.register_buffer("_mean", torch.tensor(config.mean).view(3, 1, 1), persistent=False)
        self.register_buffer("_deviation", torch.tensor(config.deviation).view(3, 1, 1), persistent=False)

    def forward(self, restored_NCHW: Tensor, target_NCHW: Tensor) -> Tensor:
        """One number; grey pictures are shown as three equal channels, in the configuration's range."""
        with torch.no_grad():
            wanted = self._features(target_NCHW)
        return torch.stack(
            [
                weight * F.l1_loss(seen.float(), aim.float())
                for weight, seen, aim in zip(
                    self.config.weights, self._features(restored_NCHW), wanted, strict=True
                )
            ]
        ).sum()

    def _features(self, picture_NCHW: Tensor) -> list[Tensor]:
        mean, deviation = cast(Tensor, self._mean), cast(Tensor, self._deviation)
        # One channel becomes three here.
        seen = (picture_NCHW - mean) / deviation
        kept = []
        for number, layer in enumerate(self._layers):
            seen = layer(seen)
            if number in _LAYERS:
                kept.append(seen)
        return kept


def find_perceptual(
    config: PerceptualConfig = OURS, file: Path | None = None
) -> tuple[Perceptual | None, str]:
    """The loss, or None where torchvision's cache has no VGG-19; and one sentence for training to say.

    Raises BackboneError for a file that was named and does not serve.
    """
    try:
        perceptual = Perceptual(load_backbone("vgg19", file), config)
    except BackboneError as trouble:
        if file is not None:
            raise
        return None, f"Training goes on without the perceptual term: {trouble}"
    return perceptual, f"The perceptual term sees by VGG-19 {perceptual.sha256[:8]}"
