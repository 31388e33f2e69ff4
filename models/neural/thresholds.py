"""When to believe a network: thresholds by how much harm they may do where nothing is damaged.

Shape suffixes: K answers, H rows, W columns of the picture.
"""

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from models.metrics.detection import Detection
from models.neural.composite import Regions
from models.neural.settings import NeuralSettings

Film = Literal["damaged", "clean", "lookalike"]
Float = NDArray[np.float32]
Mask = NDArray[np.bool_]

_SURE = (0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.98, 0.99, 0.995, 0.998, 0.999, 0.9995, 0.9998, 0.9999)
_EDGE = (0.2, 0.35, 0.5, 0.65)


@dataclass(frozen=True)
class HarmBudget:
    """Share of all pixels that may be touched where nothing is damaged."""

    clean: float = 1e-4
    """On film without damage. A fifth of what is allowed in the end: other films are touched three to five
    times as much, and half the harm costs next to nothing that is found."""
    lookalike: float = 1.5e-4
    """On film with rain, smoke, sparks ... in the scene."""

    def __post_init__(self) -> None:
        if not (0 < self.clean < 1 and 0 < self.lookalike < 1):
            raise ValueError("a budget of harm is a share of all pixels, in (0, 1)")


class Thresholds:
    """Tries many on answers that come one after the other. Repairs are neither widened nor feathered: a mask
    that was taught by true masks reaches as far as the damage, and a thin scratch is all edge."""

    def __init__(self, settings: NeuralSettings) -> None:
        """settings: all but what is tried."""
        kinds: tuple[Film, ...] = ("damaged", "clean", "lookalike")
        self._tried = {
            replace(settings, sure=sure, edge=edge, widen_px=0, feather_px=0): dict.fromkeys(
                kinds, Detection()
            )
            for edge in _EDGE
            for sure in _SURE
            if edge <= sure
        }

    def add(self, answer_KHW: Float, damage_HW: Mask, film: Film) -> None:
        """One frame. damage: the truth."""
        damaged = int(damage_HW.sum())
        by_edge = {edge: Regions(answer_KHW, edge) for edge in _EDGE}
        damaged_R = {
            edge: np.rint(regions.mean(damage_HW) * regions.pixels).astype(int)
            for edge, regions in by_edge.items()
        }
        for settings, found in self._tried.items():
            regions = by_edge[settings.edge]
            taken_R = np.logical_and(*regions.believed(settings))
            right = int(damaged_R[settings.edge][taken_R].sum())
            wrong = int(regions.pixels[taken_R].sum()) - right
            found[film] += Detection(right, damaged - right, right, wrong, damage_HW.size)

    def chosen(self, budget: HarmBudget) -> NeuralSettings:
        """Of the settings within the budget those with the best F1 on damaged film; where none is, the least
        harmful."""
        within = [
            settings
            for settings, found in self._tried.items()
            if found["clean"].harm <= budget.clean and found["lookalike"].harm <= budget.lookalike
        ]
        if within:
            return max(within, key=self._worth)
        return min(self._tried, key=lambda settings: self._excess(settings, budget))

    @property
    def settings(self) -> list[NeuralSettings]:
        """All that are tried."""
        return list(self._tried)

    def found(self, settings: NeuralSettings) -> dict[Film, Detection]:
        """What settings that were tried would touch, by kind of film."""
        return dict(self._tried[settings])

    def _worth(self, settings: NeuralSettings) -> tuple[float, float]:
        """Of two that find as much, the less harmful is worth more."""
        damaged = self._tried[settings]["damaged"]
        return damaged.f1, -damaged.harm

    def _excess(self, settings: NeuralSettings, budget: HarmBudget) -> float:
        found = self._tried[settings]
        return max(found["clean"].harm / budget.clean, found["lookalike"].harm / budget.lookalike)
