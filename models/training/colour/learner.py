"""Redye in training: what it makes of material, as the objective wants to see it.

Shape suffixes: N windows, T frames, H rows, W columns; 2 is (a, b).
"""

import numpy as np
from torch import Tensor

from models.colour.redye import Redye, Told
from models.training.colour.exam import ColouringExam
from models.training.colour.material import ColourMaterial
from models.training.objective import Trial


class RedyeLearner:
    """Its mixture is what is compared with the true colour; nothing is drawn."""

    def __init__(self, network: Redye) -> None:
        self.network = network

    def trial(self, material: ColourMaterial, rng: np.random.Generator | None = None) -> Trial:
        told = Told(material.evidence_TEhw, material.luma_T1HW, material.sources_T4HW, material.prior_T3HW)
        dyed = self.network(
            told,
            material.to_previous_T2qr,
            material.to_next_T2qr,
            material.stills_luma_R1HW,
            material.stills_ab_R2HW,
        )
        count = len(material.luma_T1HW)

        def clips(planes: Tensor) -> Tensor:
            return planes.reshape(count, -1, *planes.shape[1:])

        return Trial(
            clips(dyed.ab_N2HW),
            material.truth_T2HW,
            spread_NT1HW=clips(dyed.spread_N1HW),
            to_previous_NT2HW=material.motion_T2HW.float(),
            match_NTCHW=clips(dyed.match_N2HW),
        )

    def exam(self) -> ColouringExam:
        return ColouringExam()
