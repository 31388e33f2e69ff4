"""The film's wandering in the gate.

Shape suffixes: C planes, H rows, W columns.
"""

from dataclasses import dataclass, replace
from typing import Literal, Self

import numpy as np

from degradation.exact import moved, reached, stacked, stream
from degradation.family import Mask, Moment, Planes, Setting, Size, Twice, shares


@dataclass(frozen=True)
class Weave:
    """The picture's wandering in the gate, an Ornstein-Uhlenbeck walk, and now and then a jump."""

    sideways: float = 0.0015
    """Standard deviation across, share of height (0.0015 is 0.7 px of 480); 0 means steady."""
    upright: float = 0.001
    """Standard deviation up and down, share of height."""
    memory: float = 0.6
    """How much of a frame's position carries over to the next, in [0, 1)."""
    jumps: float = 0.0
    """Share of frames thrown up or down by a slipped perforation; the film settles within a few frames."""
    jump_height: float = 0.02
    """Standard deviation of a jump, share of height."""
    probability: float = 1.0
    family: Literal["weave"] = "weave"

    def __post_init__(self) -> None:
        shares(sideways=self.sideways, upright=self.upright, memory=self.memory)
        shares(jumps=self.jumps, jump_height=self.jump_height, probability=self.probability)

    def scaled(self, severity: float) -> Self:
        return replace(
            self, sideways=min(self.sideways * severity, 1.0), upright=min(self.upright * severity, 1.0)
        )

    def begin(self, setting: Setting) -> "_Weaving":
        return _Weaving(self, setting.size, stream(setting.seed, self.family))


_SETTLES = 0.45
"""What is left of a jump a frame later."""


class _Weaving:
    def __init__(self, recipe: Weave, size: Size, rng: np.random.Generator) -> None:
        self._recipe = recipe
        self._height = size.height
        self._rng = rng
        self._at = rng.normal(size=2)
        self._jump = 0.0

    def next(self) -> Moment:
        recipe, memory = self._recipe, self._recipe.memory
        self._at = memory * self._at + float(np.sqrt(1 - memory**2)) * self._rng.normal(size=2)
        slips, far = self._rng.random() < recipe.jumps, float(self._rng.normal())
        self._jump = far * recipe.jump_height if slips else self._jump * _SETTLES
        across, down = self._at * (recipe.sideways, recipe.upright) + (0, self._jump)
        shift = Shift.of(across * self._height, down * self._height)
        return Moment(on_target=shift, event="jump" if slips else "")


@dataclass(frozen=True)
class Shift(Twice):
    """A picture moved right and down."""

    across_px: float
    down_px: float

    @classmethod
    def of(cls, across_px: float, down_px: float) -> "Shift | None":
        """None where there is nothing to move; by 1/256 of a pixel otherwise."""
        across, down = (round(float(shift) * 256) / 256 for shift in (across_px, down_px))
        return cls(across, down) if across or down else None

    def __call__(self, planes_CHW: Planes) -> Planes:
        return stacked([moved(plane_HW, self.across_px, self.down_px) for plane_HW in planes_CHW])

    def spread(self, mask_HW: Mask) -> Mask:
        return reached(mask_HW, self.across_px, self.down_px)
