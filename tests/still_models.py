"""Models that colour stills, as users bring them: dark comes out cold, bright warm."""

import sys
import warnings
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from models.colour.automatic import Float, Maker, StillColouriser
from tests.onnx_file import affine

SCALES, OFFSETS = (80.0, -70.0), (-30.0, 40.0)
"""Of luma, to a and b: dark is cold, bright is warm."""
FUNCTION = f"""
import numpy as np

def guess(luma):
    return np.concatenate([luma * {SCALES[0]} + {OFFSETS[0]}, luma * {SCALES[1]} + {OFFSETS[1]}], axis=1)

def ended(luma):
    raise SystemExit(3)

NOT_CALLABLE = 3
"""


class Warm(torch.nn.Module):
    """From luma to a and b by `SCALES` and `OFFSETS`."""

    def __init__(self) -> None:
        super().__init__()
        self.last = torch.nn.Conv2d(1, 2, 1)
        self.last.weight.data = torch.tensor(SCALES).reshape(2, 1, 1, 1)
        self.last.bias.data = torch.tensor(OFFSETS)

    def forward(self, luma: torch.Tensor) -> torch.Tensor:
        picture: torch.Tensor = self.last(luma)
        return picture


def by_function(folder: Path, patch: pytest.MonkeyPatch) -> tuple[str, Path]:
    """The model's name, and the file that is put on record."""
    (folder / "my_colours.py").write_text(FUNCTION)
    patch.syspath_prepend(folder)
    patch.delitem(sys.modules, "my_colours", raising=False)
    return "my_colours:guess", folder / "my_colours.py"


def by_torchscript(folder: Path, _patch: pytest.MonkeyPatch) -> tuple[str, Path]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        torch.jit.script(Warm()).save(folder / "warm.pt")
    return str(folder / "warm.pt"), folder / "warm.pt"


def by_onnx(folder: Path, _patch: pytest.MonkeyPatch) -> tuple[str, Path]:
    if find_spec("onnxruntime") is None:
        pytest.skip("onnxruntime is not installed")
    (folder / "warm.onnx").write_bytes(affine(SCALES, OFFSETS))
    return str(folder / "warm.onnx"), folder / "warm.onnx"


def running(run: Callable[[Float], Any], size: tuple[int, int] | None = None) -> StillColouriser:
    """A model that answers as `run` does. size: the one (H, W) that it takes; any if None."""
    return StillColouriser(Maker("mine.pt", "TorchScript", "0" * 64), run, size)


def filled(luma: Float, channels: int, value: float) -> Float:
    """An answer of one value all over, of as many channels, as large as the luma (1, 1, H, W)."""
    return np.full((1, channels, *luma.shape[2:]), value, np.float32)
