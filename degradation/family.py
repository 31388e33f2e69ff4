"""What every family of damage is: frozen parameters that begin a process, which says what each frame suffers.

Shape suffixes: C planes (1 grey, or 3 RGB), H rows, W columns. Pictures are float32 in [0, 1].
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Protocol, Self

import numpy as np
from numpy.typing import NDArray

from degradation.overlay import Overlay
from degradation.sheets import Sheets

Planes = NDArray[np.float32]
Mask = NDArray[np.bool_]

MOST_LOST = 4
"""Frames of one clip that one family may lose."""


@dataclass(frozen=True)
class Size:
    """The frames of a clip."""

    height: int
    width: int
    channels: int


@dataclass(frozen=True)
class Setting:
    """What every family is given to begin with."""

    size: Size
    seed: int
    """Decides everything."""
    sheets: Sheets
    """What templates are cut from."""


class Change(Protocol):
    """What happens to every pixel of one frame. The same change may be asked of several pictures."""

    def __call__(self, planes_CHW: Planes) -> Planes:
        """The changed picture; the one given is left as it was."""

    def of_both(self, undamaged_CHW: Planes, damaged_CHW: Planes) -> tuple[Planes, Planes]:
        """Two pictures that differ in places, changed: the same as one after the other."""

    def spread(self, mask_HW: Mask) -> Mask:
        """Where damage of these pixels is seen afterwards."""


class Twice(ABC):
    """A change that does its whole work twice where there are two pictures."""

    @abstractmethod
    def __call__(self, planes_CHW: Planes) -> Planes: ...

    def of_both(self, undamaged_CHW: Planes, damaged_CHW: Planes) -> tuple[Planes, Planes]:
        return self(undamaged_CHW), self(damaged_CHW)


class InPlace(Twice):
    """A change that leaves every pixel where it is."""

    def spread(self, mask_HW: Mask) -> Mask:
        return mask_HW


@dataclass(frozen=True)
class Moment:
    """What one frame suffers from one family."""

    on_target: Change | None = None
    """Asked of film and target: what cannot be known (fading) or is not to be undone (the gate's weave)."""
    on_film: Change | None = None
    """Asked of the film, damaged and undamaged, and not of the target."""
    on_target_alone: Change | None = None
    """Asked of the target and not of the film: what a recipe wants better than it was."""
    overlays: tuple[Overlay, ...] = ()
    """Laid on the damaged film: what the mask tells of."""
    event: str = ""
    """What happened to the frame as a whole, for the record."""
    lost_frames: int = 0
    """Frames of the clip that are missing before this one."""
    repeated: bool = False
    """The frame before is shown once more, as it was, and this one waits."""


class Process(Protocol):
    """A family at work on a clip."""

    def next(self) -> Moment:
        """What the next frame suffers."""


class Family(Protocol):
    """Parameters of one kind of damage. A dataclass, frozen, with `family` telling its kind."""

    @property
    def family(self) -> str: ...

    @property
    def probability(self) -> float:
        """Share of the damaged clips that have it, in [0, 1]."""

    def scaled(self, severity: float) -> Self:
        """The same, so many times as bad; 1 changes nothing."""

    def begin(self, setting: Setting) -> Process:
        """Starts on a clip."""


def shares(**values: float) -> None:
    """Raises ValueError for a value outside [0, 1]."""
    for name, value in values.items():
        if not 0 <= value <= 1:
            raise ValueError(f"{name} must lie in [0, 1], not {value}")


def counts(**values: float) -> None:
    """Raises ValueError for a negative value."""
    for name, value in values.items():
        if value < 0:
            raise ValueError(f"{name} must not be negative, not {value}")
