"""RAFT, torchvision's, as a flow estimator.

Shape suffixes: N items, C channels, H rows, W columns; h, w of the copy that flow is computed on; 2 is
(dx, dy) in its pixels.

Source: Teed and Deng, "RAFT: Recurrent All-Pairs Field Transforms for Optical Flow", ECCV 2020.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torchvision.models.optical_flow import raft_large, raft_small

from models.checkpoint import not_finite, read_state
from models.errors import WeightsError
from models.motion import Byte, Float, Pair, proxy_scale, round_trip, shrink

Size = Literal["small", "large"]

# The coarsest of four levels of correlation, at an eighth of the picture, must be two wide.
_LEAST_PX, _MULTIPLE_PX = 128, 8
# What the authors' own checkpoints, and RTN's after them, call what torchvision calls otherwise.
_PREFIX = re.compile(r"^(spynet\.)?(module\.)?")
_NAMES = (
    (r"^(fnet|cnet)\.conv1\.", r"\1.convnormrelu.0."),
    (r"^(fnet|cnet)\.norm1\.", r"\1.convnormrelu.1."),
    (r"^(fnet|cnet)\.conv2\.", r"\1.conv."),
    (r"^(fnet|cnet)\.(layer\d\.\d)\.conv(\d)\.", r"\1.\2.convnormrelu\3.0."),
    (r"^(fnet|cnet)\.(layer\d\.\d)\.norm(\d)\.", r"\1.\2.convnormrelu\3.1."),
    (r"^fnet\.", "feature_encoder."),
    (r"^cnet\.", "context_encoder."),
    (r"^update_block\.encoder\.convc(\d)\.", r"update_block.motion_encoder.convcorr\1.0."),
    (r"^update_block\.encoder\.convf(\d)\.", r"update_block.motion_encoder.convflow\1.0."),
    (r"^update_block\.encoder\.conv\.", r"update_block.motion_encoder.conv.0."),
    (r"^update_block\.gru\.conv([zrq])\.", r"update_block.recurrent_block.convgru1.conv\1."),
    (r"^update_block\.gru\.conv([zrq])(\d)\.", r"update_block.recurrent_block.convgru\2.conv\1."),
    (r"^update_block\.mask\.0\.", "mask_predictor.convrelu.0."),
    (r"^update_block\.mask\.2\.", "mask_predictor.conv."),
)
# Where a block halves its picture, its last norm is saved a second time as a part of `downsample`.
_DOUBLE = re.compile(r"^cnet\.(layer[23]\.0)\.norm3\.")


class Raft:
    """The network, and how big the pictures are that it sees. One pair at a time, without gradients.

    At 640x480 the correlations of a pair take 0.12 GB, and a flow of `large` in 24 iterations 0.8 TFLOP.
    """

    def __init__(self, network: nn.Module, name: str, iterations: int, proxy_px: int, device: str) -> None:
        if iterations < 1 or proxy_px < 64:
            raise ValueError("iterations must be 1 or more and proxy_px 64 or more")
        self._network = network.eval().requires_grad_(False).to(device)
        self._name = name
        self._iterations = iterations
        self._proxy_px = proxy_px
        self._device = device

    @classmethod
    def trained(
        cls, size: Size, weights: Path, name: str, iterations: int, proxy_px: int, device: str
    ) -> "Raft":
        """With weights of torchvision's or the authors' own naming, from a .pth or .safetensors file.

        name: what cards call it. Raises WeightsError for a file that does not hold them.
        """
        network = _network(size)
        network.load_state_dict(_named_here(weights, read_state(weights, "state_dict"), network))
        return cls(network, name, iterations, proxy_px, device)

    @classmethod
    def untrained(cls, size: Size, iterations: int, proxy_px: int, device: str = "cpu") -> "Raft":
        """With random weights, the same each time: to measure time and memory by, never to restore with."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            network = _network(size)
        return cls(network, f"raft-{size} untrained x{iterations}", iterations, proxy_px, device)

    @property
    def name(self) -> str:
        return self._name

    def look(self, luma_HW: Float) -> Byte:
        """The frame itself, 8 bit, its longer side at most `proxy_px`."""
        small_hw = shrink(luma_HW, proxy_scale(luma_HW.shape, self._proxy_px))
        tone_hw: Byte = np.clip(small_hw * 255 + 0.5, 0, 255).astype(np.uint8)
        return tone_hw

    def between(self, first_hw: Byte, second_hw: Byte) -> Pair:
        """Motion both ways between two looks of one size, with the round trip's error."""
        first_NCHW, second_NCHW = self._prepared(first_hw), self._prepared(second_hw)
        # One after the other: a batch of both would hold twice the correlations.
        forward = self._flow(first_NCHW, second_NCHW, first_hw.shape)
        backward = self._flow(second_NCHW, first_NCHW, first_hw.shape)
        return Pair(forward, backward, round_trip(forward, backward), round_trip(backward, forward))

    def _prepared(self, look_hw: Byte) -> Tensor:
        """Three equal channels in [-1, 1], edges repeated to a size that RAFT takes."""
        tone_NCHW = torch.from_numpy(look_hw).to(self._device, torch.float32)[None, None] / 127.5 - 1
        top, bottom, left, right = _margins(look_hw.shape)
        return F.pad(tone_NCHW, (left, right, top, bottom), mode="replicate").expand(-1, 3, -1, -1)

    @torch.inference_mode()
    def _flow(self, from_NCHW: Tensor, to_NCHW: Tensor, shape_hw: tuple[int, ...]) -> Float:
        flow_N2HW = self._network(from_NCHW, to_NCHW, self._iterations)[-1]
        # The network would keep the pair's correlations until it sees the next pair.
        correlation: Any = self._network.corr_block
        correlation.corr_pyramid = []
        top, _, left, _ = _margins(shape_hw)
        height, width = shape_hw
        flow_2hw = flow_N2HW[0, :, top : top + height, left : left + width]
        flow_hw2: Float = np.ascontiguousarray(flow_2hw.permute(1, 2, 0).cpu().numpy())
        return flow_hw2


def _network(size: Size) -> nn.Module:
    network: nn.Module = raft_large() if size == "large" else raft_small()
    return network


def _margins(shape_hw: tuple[int, ...]) -> tuple[int, int, int, int]:
    """Rows and columns to add: top, bottom, left, right."""
    margins: list[int] = []
    for side in shape_hw:
        more = max(_LEAST_PX, -(-side // _MULTIPLE_PX) * _MULTIPLE_PX) - side
        margins += (more // 2, more - more // 2)
    return margins[0], margins[1], margins[2], margins[3]


def _named_here(path: Path, state: Mapping[str, Tensor], network: nn.Module) -> dict[str, Tensor]:
    """The weights under torchvision's names. Raises WeightsError, in one line, for what does not fit."""
    if any(name.startswith("spynet.") for name in state):
        # A whole RTN: its flow estimator is a RAFT.
        state = {name: weight for name, weight in state.items() if name.startswith("spynet.")}
    renamed = {_own_name(name): weight for name, weight in state.items() if not _is_double(name)}
    wanted = network.state_dict()
    wrong = sorted(wanted.keys() ^ renamed.keys()) or [
        name for name, weight in wanted.items() if weight.shape != renamed[name].shape
    ]
    if wrong:
        raise WeightsError(f"{path}: not the weights of this RAFT; {wrong[0]} does not fit, of {len(wrong)}")
    if bad := not_finite(renamed):
        raise WeightsError(f"{path}: {bad} holds values that are no numbers; fetch the file again")
    return renamed


def _own_name(name: str) -> str:
    name = _PREFIX.sub("", name)
    for theirs, ours in _NAMES:
        name = re.sub(theirs, ours, name)
    return name


def _is_double(name: str) -> bool:
    return bool(_DOUBLE.match(_PREFIX.sub("", name)))
