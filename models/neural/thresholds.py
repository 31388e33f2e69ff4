"""When to believe a network: thresholds by how much harm they may do where nothing is damaged.

Shape suffixes: K answers, H rows, W columns of the picture.
"""

from dataclasses import dataclass, replace
from itertools import product
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from models.metrics.detection import Detection, compare
from models.neural.composite import findings
from models.neural.settings import NeuralSettings

Film = Literal["damaged", "clean", "lookalike"]
Float = NDArray[np.float32]
Mask = NDArray[np.bool_]

_SURE = (0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.98)
_EDGE = (0.1, 0.2, 0.3, 0.4, 0.5)
_WIDEN_PX = (0, 1)


@dataclass(frozen=True)
class HarmBudget:
    """Share of all pixels that may be touched where nothing is damaged."""

    clean: float = 2.5e-4
    """On film without damage. Half of what is allowed in the end: other films are touched more."""
    lookalike: float = 1.5e-3
    """On film with rain, smoke, sparks ... in the scene."""


class Thresholds:
    """Tries many on answers that come one after the other."""

    def __init__(self, settings: NeuralSettings) -> None:
        """settings: all but what is tried."""
        self._tried = {
            replace(settings, sure=sure, edge=edge, widen_px=widen): dict.fromkeys(
                ("damaged", "clean", "lookalike"), Detection()
            )
            for sure, edge, widen in product(_SURE, _EDGE, _WIDEN_PX)
            if edge <= sure
        }

    def add(self, answer_KHW: Float, damage_HW: Mask, film: Film) -> None:
        """One frame. damage: the truth."""
        for settings, found in self._tried.items():
            mask_HW = findings(answer_KHW, None, False, settings).mask_HW
            found[film] = found[film] + compare(mask_HW, damage_HW)

    def chosen(self, budget: HarmBudget) -> NeuralSettings:
        """Of the settings within the budget those with the best F1 on damaged film; where none is, the least
        harmful."""
        within = [
            settings
            for settings, found in self._tried.items()
            if found["clean"].harm <= budget.clean and found["lookalike"].harm <= budget.lookalike
        ]
        if within:
            return max(within, key=lambda settings: self._tried[settings]["damaged"].f1)
        return min(self._tried, key=lambda settings: self._excess(settings, budget))

    def found(self, settings: NeuralSettings) -> dict[str, Detection]:
        """What settings that were tried would touch, by kind of film."""
        return dict(self._tried[settings])

    def _excess(self, settings: NeuralSettings, budget: HarmBudget) -> float:
        found = self._tried[settings]
        return max(found["clean"].harm / budget.clean, found["lookalike"].harm / budget.lookalike)
