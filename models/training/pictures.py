"""Pictures of how a training does: windows it never learns from, before and after, beside the truth.

Shape suffixes: N windows, T frames, H rows, W columns.
"""

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from models.training.material import Material
from models.training.objective import Trial

RGB = NDArray[np.uint8]

HIT, MISSED, WRONG = (0, 190, 0), (30, 90, 255), (230, 30, 30)
"""Damage that the mask found, that it did not find, and what it found where there is none."""


def compared(material: Material, trial: Trial) -> list[RGB]:
    """The middle frame of each window of a batch, four times side by side, (H, 4 W, 3): undamaged, damaged,
    restored, and damaged with the mask laid over it in colours."""
    return [_compared(material, trial, window) for window in range(len(material.damaged_T1HW))]


def _compared(material: Material, trial: Trial, window: int) -> RGB:
    def middle(frames_NT1HW: Tensor) -> NDArray[np.float32]:
        frames_T1HW = frames_NT1HW[window]
        plane_HW: NDArray[np.float32] = frames_T1HW[len(frames_T1HW) // 2, 0].float().cpu().numpy()
        return plane_HW

    assert trial.logit_NT1HW is not None  # every network here has a mask
    damage_HW, found_HW = middle(material.damage_T1HW) > 0, middle(trial.logit_NT1HW) > 0
    undamaged, damaged, restored = (
        _rgb(middle(frames))
        for frames in (material.undamaged_T1HW, material.damaged_T1HW, trial.restored_NTCHW)
    )
    overlay = damaged.copy()
    overlay[damage_HW & found_HW] = HIT
    overlay[damage_HW & ~found_HW] = MISSED
    overlay[~damage_HW & found_HW] = WRONG
    return np.hstack([undamaged, damaged, restored, overlay])


def _rgb(luma_HW: NDArray[np.float32]) -> RGB:
    grey_HW = np.rint(np.clip(luma_HW, 0, 1) * 255).astype(np.uint8)
    return np.repeat(grey_HW[:, :, None], 3, axis=2)
