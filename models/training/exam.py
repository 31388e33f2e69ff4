"""How a network does on material that it never learns from: added up batch by batch, and shown."""

from typing import Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from models.metrics.detection import Detection, compare
from models.metrics.fidelity import Fidelity, fidelity
from models.training.material import Material
from models.training.objective import Trial
from models.training.pictures import RGB, compared

M_contra = TypeVar("M_contra", bound=tuple[Tensor, ...], contravariant=True)


class Exam(Protocol[M_contra]):
    """One look at a frozen set, from its first batch to its last."""

    def add(self, material: M_contra, trial: Trial) -> None:
        """One more batch, and what the network made of it."""

    def told(self) -> dict[str, float]:
        """Figures of all batches so far, by names that curves can have."""

    def pictures(self, material: M_contra, trial: Trial) -> list[RGB]:
        """One of each window of a batch."""


class RestoringExam:
    """PSNR inside the damage before and after, F1 and recall of the mask, and harm: the share of all pixels
    found where nothing was damaged."""

    def __init__(self) -> None:
        self._before, self._after, self._found = Fidelity(), Fidelity(), Detection()

    def add(self, material: Material, trial: Trial) -> None:
        damage = _stacked(material.damage_T1HW)[0].astype(bool)
        truth = _stacked(material.undamaged_T1HW)
        self._before += fidelity(_stacked(material.damaged_T1HW), truth, damage)
        self._after += fidelity(_stacked(trial.restored_NTCHW), truth, damage)
        assert trial.logit_NT1HW is not None  # every restorer here has a mask
        self._found += compare(_stacked(trial.logit_NT1HW)[0] > 0, damage)

    def told(self) -> dict[str, float]:
        return {
            "psnr_inside_before": self._before.psnr_inside,
            "psnr_inside": self._after.psnr_inside,
            "mask_f1": self._found.f1,
            "mask_recall": self._found.recall,
            "harm": self._found.harm,
        }

    def pictures(self, material: Material, trial: Trial) -> list[RGB]:
        return compared(material, trial)


def _stacked(frames_NT1HW: Tensor) -> NDArray[np.float32]:
    """All frames of a batch below one another, as one picture of one plane."""
    array = frames_NT1HW.float().cpu().numpy()
    return array.reshape(1, -1, array.shape[-1])
