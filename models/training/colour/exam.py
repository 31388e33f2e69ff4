"""How a colour network does on windows that it never learns from, beside `propagate` on the same.

Shape suffixes: N windows, T frames, H rows, W columns; 2 is (a, b); 3 is (L, a, b).
"""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from models.colour.dyeing import UNIT
from models.colour.lab import chroma_for, lightness_of_grey, rgb_of_ycc
from models.metrics.colour import ColourFidelity, colour_fidelity
from models.training.colour.material import ColourMaterial
from models.training.objective import Trial
from models.training.pictures import RGB

Float = NDArray[np.float32]


class ColouringExam:
    """CIEDE2000 and PSNR of ab, with the lightness that the film's luma has; and how far the error was
    foretold."""

    def __init__(self) -> None:
        self._before, self._after = ColourFidelity(), ColourFidelity()
        self._expected, self._error, self._batches = 0.0, 0.0, 0

    def add(self, material: ColourMaterial, trial: Trial) -> None:
        assert trial.spread_NT1HW is not None  # every colour network has one
        luma, truth = _frames(material.luma_T1HW), _frames(trial.target_NTCHW)
        self._before += _fidelity(luma, _frames(_carried(material)), truth)
        self._after += _fidelity(luma, _frames(trial.restored_NTCHW), truth)
        error = (trial.restored_NTCHW - trial.target_NTCHW).norm(dim=2)
        self._expected += float(trial.spread_NT1HW.exp().mean()) * UNIT
        self._error += float(error.mean()) * UNIT
        self._batches += 1

    def told(self) -> dict[str, float]:
        return {
            "ciede2000_propagate": self._before.ciede2000,
            "ciede2000": self._after.ciede2000,
            "psnr_ab_propagate": self._before.psnr_ab,
            "psnr_ab": self._after.psnr_ab,
            "error_ab": self._error / max(1, self._batches),
            "expected_error_ab": self._expected / max(1, self._batches),
        }

    def pictures(self, material: ColourMaterial, trial: Trial) -> list[RGB]:
        """The middle frame of each window, three times side by side, (H, 3 W, 3): true colour, `propagate`'s,
        the network's."""
        carried = _carried(material)
        shown = []
        for window in range(len(material.luma_T1HW)):
            middle = material.luma_T1HW.shape[1] // 2
            luma_HW = _array(material.luma_T1HW[window, middle, 0])
            sides = (trial.target_NTCHW, carried, trial.restored_NTCHW)
            shown.append(np.hstack([_rgb(luma_HW, _array(side[window, middle])) for side in sides]))
        return shown


def _carried(material: ColourMaterial) -> Tensor:
    """What `propagate` makes of the same, (N, T, 2, H, W)."""
    shares = material.prior_T3HW[:, :, :2].softmax(2)
    past, future = material.sources_T4HW.chunk(2, 2)
    return shares[:, :, :1] * past + shares[:, :, 1:] * future


def _fidelity(luma: Float, ab: Float, truth: Float) -> ColourFidelity:
    """Frames (F, C, H, W) in units of `UNIT`."""
    total = ColourFidelity()
    for luma_1HW, ab_2HW, truth_2HW in zip(luma, ab, truth, strict=True):
        lightness_1HW = lightness_of_grey(luma_1HW)
        total += colour_fidelity(
            np.concatenate([lightness_1HW, ab_2HW * UNIT]), np.concatenate([lightness_1HW, truth_2HW * UNIT])
        )
    return total


def _rgb(luma_HW: Float, ab_2HW: Float) -> RGB:
    rgb_3HW = rgb_of_ycc(luma_HW, chroma_for(luma_HW, ab_2HW * np.float32(UNIT), "bt709"), "bt709")
    picture: RGB = np.rint(np.clip(rgb_3HW, 0, 1) * 255).astype(np.uint8).transpose(1, 2, 0)
    return picture


def _frames(planes_NTCHW: Tensor) -> Float:
    return _array(planes_NTCHW.flatten(0, 1))


def _array(planes: Tensor) -> Float:
    array: Float = planes.detach().to(torch.float32).cpu().numpy()
    return array
