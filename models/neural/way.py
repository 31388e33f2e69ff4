"""What a network that looks both ways along a shot must offer to be streamed.

Shape suffixes: K answers, C planes, H rows, W columns of the padded picture; h, w of an area; P picked
pixels.
"""

from dataclasses import dataclass
from typing import Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from models.neural.sight import Sight
from models.neural.tiles import Area

Float = NDArray[np.float32]
Index = NDArray[np.intp]

DAMAGE, ERROR, DOUBT = 0, 1, 2
"""The answers that every network gives: how likely a pixel is damaged, in [0, 1]; the expected absolute error
of the restored luma; how far its ways of looking differ there, in luma. What follows is its own."""

SightT_contra = TypeVar("SightT_contra", contravariant=True)
PreparedT = TypeVar("PreparedT")
LookT = TypeVar("LookT")


@dataclass(frozen=True)
class Cost:
    """What a way takes of memory, in bytes for each pixel of an area; for choosing windows and areas."""

    look: float
    """Kept for each frame of a window and its look-ahead."""
    state: float
    """Kept for each frame of a window: the backward state."""
    work: float
    """Needed at once while a frame is worked on."""
    answers: int
    """How many answers a pixel gets."""


class Walker(Protocol[SightT_contra, PreparedT, LookT]):
    """One network on its way along a shot. A state is what it carries from frame to frame; None stands for a
    shot's end."""

    def prepare(self, sight: SightT_contra) -> PreparedT:
        """What is worked out once for a whole frame."""
        ...

    def look(self, prepared: PreparedT, area: Area) -> LookT:
        """What the network keeps of an area of a frame."""
        ...

    def backward(self, look: LookT, state: Tensor | None) -> Tensor:
        """The state of the way from the shot's end, from the next frame's."""
        ...

    def forward(self, look: LookT, state: Tensor | None) -> Tensor:
        """The state of the way from the shot's start, from the last frame's."""
        ...

    def answer(self, look: LookT, backward: Tensor, forward: Tensor) -> Float:
        """What it says of an area: answer_Khw, float32."""
        ...


class Way(Walker[Sight, PreparedT, LookT], Protocol[PreparedT, LookT]):
    """One restoring network at work."""

    @property
    def paints_all(self) -> bool:
        """Whether its restored picture is meant for the whole frame, and not for what is damaged alone."""
        ...

    @property
    def cost(self) -> Cost: ...

    def values(
        self, sight: Sight, prepared: PreparedT, answer_KHW: Float, rows_P: Index, columns_P: Index
    ) -> tuple[Float, Float]:
        """The restored planes at picked pixels (C, P), and the power of the film's grain that they keep, of 1
        (P); NaN where nothing is known and the values mean nothing."""
        ...
