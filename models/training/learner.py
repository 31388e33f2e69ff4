"""What a network makes of material, as the objective wants to see it.

Shape suffixes: N windows, T frames, K sources, H rows, W columns.
"""

from typing import Protocol

import numpy as np
import torch
from torch import Tensor, nn

from models.neural.evidence import gaps_of
from models.neural.reweave import Finding, Reweave, Ways
from models.neural.reweave_way import change
from models.training.exam import Exam, M_contra, RestoringExam
from models.training.material import Material
from models.training.objective import Trial

_ALONE = 0.1
"""Share of steps in which a network hears of the past or of the future alone: `opinions` asks it so."""


_FAINT = 4 / 255
"""Damage that changes a pixel by less is within the grain: asked for it, a mask learns to find grain. It is
one in six of the pixels that medium damage changes."""


class Learner(Protocol[M_contra]):
    """A network in training, and the named tuple of tensors that it learns from."""

    @property
    def network(self) -> nn.Module: ...

    def trial(self, material: M_contra, rng: np.random.Generator | None = None) -> Trial:
        """What it makes of a batch. The generator decides all that is drawn; without one nothing is."""

    def exam(self) -> Exam[M_contra]:
        """A new look at what it can, before its first batch."""


class ReweaveLearner:
    """Reweave. It restores under the true mask whatever its own mask says, and elsewhere changes as much as
    its mask lets through: so the restoration learns from all damage, and the mask what its mistakes cost."""

    def __init__(self, network: Reweave) -> None:
        self.network = network

    def trial(self, material: Material, rng: np.random.Generator | None = None) -> Trial:
        ways: Ways = "both" if rng is None or rng.random() >= _ALONE else rng.choice(("past", "future"))
        finding: Finding = self.network(
            material.evidence_TEhw, material.to_previous_T2qr, material.to_next_T2qr, ways
        )
        changed_N1HW = change(finding, gaps_of(material.evidence_TEhw.flatten(0, 1)))
        count = len(material.evidence_TEhw)

        def clips(told: Tensor) -> Tensor:
            return told.reshape(count, -1, *told.shape[1:])

        damage = material.damage_T1HW
        let_through = torch.where(damage, 1.0, clips(finding.logit_N1HW).sigmoid())
        return Trial(
            material.damaged_T1HW + let_through * clips(changed_N1HW),
            material.undamaged_T1HW,
            damage.float(),
            clips(finding.logit_N1HW),
            clips(finding.spread_N1HW),
            material.motion_T2HW.float(),
            certain_NT1HW=~damage | ((material.damaged_T1HW - material.undamaged_T1HW).abs() >= _FAINT),
        )

    def exam(self) -> RestoringExam:
        return RestoringExam()
