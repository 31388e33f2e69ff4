"""Networks that others trained on ImageNet, as features to compare pictures by. Their weights come from a
file that is already there; nothing is ever fetched.
"""

import hashlib
import pickle
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, cast

import torch
import torchvision
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

Name = Literal["alexnet", "vgg19"]

# As torchvision names them; the eight digits begin the file's SHA-256.
_FILES: dict[Name, str] = {"alexnet": "alexnet-owt-7be5be79.pth", "vgg19": "vgg19-dcbb9e9d.pth"}


class BackboneError(ValueError):
    """There are no usable weights; one line that says what to do."""


@dataclass(frozen=True)
class Backbone:
    """The convolutions of a trained network."""

    layers: nn.Sequential
    """torchvision's `features`, numbered as there; frozen, in evaluation mode."""
    sha256: str
    """Of the file of weights."""


def load_backbone(name: Name, file: Path | None = None) -> Backbone:
    """The network with the weights of `file`, or of torchvision's cache where `file` is None.

    The file holds torchvision's state, `.safetensors` or anything that `torch.load` takes without running
    code; the classifier may be missing. Raises BackboneError where it is missing, cut short, or of another
    network.
    """
    standard = _FILES[name]
    if file is None:
        file = Path(torch.hub.get_dir(), "checkpoints", standard)
        if not file.is_file():
            raise BackboneError(
                f"no weights of {name}: put torchvision's {standard} at {file}, or name a file"
            )
    if not file.is_file():
        raise BackboneError(f"no weights of {name} at {file}: name a file that torchvision saved, {standard}")
    with file.open("rb") as opened:
        sha256 = hashlib.file_digest(opened, "sha256").hexdigest()
    if file.name == standard and not sha256.startswith(file.stem.rpartition("-")[2]):
        raise BackboneError(f"{file} is cut short or was changed: its name does not fit it; fetch it anew")
    state = _read(file)
    # Without memory: of VGG-19, four fifths are a classifier that is not wanted.
    with torch.device("meta"):
        layers = cast(nn.Sequential, getattr(torchvision.models, name)(weights=None).features)
    weights = {
        key.removeprefix("features."): weight.float()
        for key, weight in state.items()
        if key.startswith("features.")
    }
    try:
        layers.load_state_dict(weights, assign=True)
    except RuntimeError:
        raise BackboneError(
            f"{file} does not hold the weights of {name}: name torchvision's {standard}"
        ) from None
    return Backbone(layers.requires_grad_(False).eval(), sha256)


def _read(file: Path) -> dict[str, Tensor]:
    try:
        if file.suffix == ".safetensors":
            return dict(load_file(file))
        state = torch.load(file, map_location="cpu", weights_only=True)
    except (SafetensorError, pickle.UnpicklingError, RuntimeError, EOFError, KeyError, OSError) as trouble:
        raise BackboneError(f"{file} cannot be read as weights: it is damaged, or holds code") from trouble
    if not isinstance(state, dict) or not all(isinstance(weight, Tensor) for weight in state.values()):
        raise BackboneError(f"{file} is no file of weights: it holds something else than named tensors")
    return state
