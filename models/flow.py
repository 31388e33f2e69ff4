"""Optical flow behind one interface: pair by pair, on a copy of bounded size.

Scaling up to the picture is `models.motion.enlarge_flow`.
"""

import os
from pathlib import Path
from typing import Literal, Protocol, get_args

from models.checkpoint import sha256_of
from models.errors import WeightsError
from models.motion import Byte, Dis, Float, MotionSettings, Pair

FlowName = Literal["dis", "raft-small", "raft-large"]
"""`dis`: the default, needs no weights. `raft-small`, `raft-large`: torchvision's networks."""
FLOWS: tuple[FlowName, ...] = get_args(FlowName)

PROXY_PX = MotionSettings().proxy_px
_ITERATIONS = {"raft-small": 12, "raft-large": 24}
# As torchvision downloads them; the digits are the beginning of each file's sha256.
_DOWNLOADS = {
    "raft-small": ("raft_small_C_T_V2-01064c6d.pth", "Raft_Small_Weights"),
    "raft-large": ("raft_large_C_T_SKHT_V2-ff5fadd5.pth", "Raft_Large_Weights"),
}


class FlowEstimator(Protocol):
    """Finds where the picture went between two frames."""

    @property
    def name(self) -> str:
        """For cards: everything about the estimator, its proxy's size apart, that can change a flow."""
        ...

    def look(self, luma_HW: Float) -> Byte:
        """What is kept of a frame, luma in [0, 1]: an 8-bit copy of bounded size."""
        ...

    def between(self, first_hw: Byte, second_hw: Byte) -> Pair:
        """Motion both ways between two frames' copies of one size, in the copies' pixels."""
        ...


def flow_estimator(
    name: FlowName,
    proxy_px: int = PROXY_PX,
    weights: Path | None = None,
    iterations: int | None = None,
    device: str = "cpu",
) -> FlowEstimator:
    """The estimator of that name.

    proxy_px: longest side of the copies that flow is computed on, at least 64. The rest is for RAFT alone:
    weights, a .pth or .safetensors file, or None for torchvision's own if it was downloaded before;
    iterations, or None for what is usual. Nothing is downloaded here. Raises WeightsError, ValueError.
    """
    if name == "dis":
        return Dis(MotionSettings(proxy_px=proxy_px))
    size, path = _size(name), flow_weights(name, weights)
    iterations = _iterations(name, iterations)
    from models.raft import Raft  # torch takes seconds to import

    assert path is not None, "every estimator but DIS has weights"
    return Raft.trained(size, path, _trained_name(name, iterations, path), iterations, proxy_px, device)


def flow_name(name: FlowName, weights: Path | None = None, iterations: int | None = None) -> str:
    """The `name` of the estimator that these would give, found without torch. Raises as `flow_estimator`."""
    path = flow_weights(name, weights)
    return name if path is None else _trained_name(name, _iterations(name, iterations), path)


def flow_weights(name: FlowName, weights: Path | None = None) -> Path | None:
    """The file an estimator would load; None where it needs none. Raises WeightsError where it is missing."""
    if name == "dis":
        return None
    _size(name)
    if weights is not None:
        if not weights.is_file():
            raise WeightsError(f"{weights}: no such file; name the weights of {name}")
        return weights
    file, enumeration = _DOWNLOADS[name]
    cached = _hub() / "checkpoints" / file
    if not cached.is_file():
        fetch = f"from torchvision.models.optical_flow import {enumeration} as w; w.DEFAULT.get_state_dict()"
        raise WeightsError(
            f'{name}: no weights at {cached}; put that file there, or fetch it by `python -c "{fetch}"`, or '
            "name another file as flow_weights, or use dis, which needs none"
        )
    return cached


def _trained_name(name: FlowName, iterations: int, weights: Path) -> str:
    return f"{name} {sha256_of(weights)[:16]} x{iterations}"


def _size(name: str) -> Literal["small", "large"]:
    if name == "raft-small":
        return "small"
    if name == "raft-large":
        return "large"
    raise ValueError(f"no flow estimator is called {name!r}; there are: {', '.join(FLOWS)}")


def _iterations(name: FlowName, wanted: int | None) -> int:
    return _ITERATIONS[name] if wanted is None else wanted


def _hub() -> Path:
    """Where torch keeps what it downloads, found without importing it."""
    home = os.environ.get("TORCH_HOME")
    if home is None:
        home = os.path.join(os.environ.get("XDG_CACHE_HOME", "~/.cache"), "torch")
    return Path(os.path.expanduser(home), "hub")
