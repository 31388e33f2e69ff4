"""What every colouriser is: a grey shot and stills that a person coloured in, chroma for every frame out.

Shape suffixes: H rows, W columns of the picture; 2 is (a, b) of CIE L*a*b* under D65, in its own units (about
-100 to 100; 0 is grey).
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol, overload

import numpy as np
from numpy.typing import NDArray

from models.restorer import Card, Footage

Float = NDArray[np.float32]


@dataclass(frozen=True)
class Reference:
    """A still that a person coloured."""

    ab_2HW: Float
    """Its chroma, at the footage's own size."""
    luma_HW: Float
    """The lightness of the frame it was painted on, in [0, 1]: of the film, not of the painter."""
    frame: int | None
    """Which frame of the footage it shows, from 0; None for a frame of another shot of the same scene."""


class LoadedReferences(Sequence[Reference]):
    """References loaded whenever one is asked for, and not kept: of a 2K film each takes 38 MB."""

    def __init__(self, loads: Sequence[Callable[[], Reference]]) -> None:
        """loads: what gives each reference."""
        self._loads = loads

    def __len__(self) -> int:
        return len(self._loads)

    @overload
    def __getitem__(self, index: int) -> Reference: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Reference]: ...
    def __getitem__(self, index: int | slice) -> Reference | Sequence[Reference]:
        return LoadedReferences(self._loads[index]) if isinstance(index, slice) else self._loads[index]()


@dataclass(frozen=True)
class Coloured:
    """The chroma of one frame."""

    ab_2HW: Float
    """Low or 0 where nothing reached."""
    confidence_HW: Float
    """How sure the colouriser is, in [0, 1]; 0 where nothing reached."""


class Colouriser(Protocol):
    """Carries colour through a shot; never touches its luma."""

    @property
    def card(self) -> Card: ...

    @property
    def device(self) -> str:
        """What it computes on, for the record, like `cpu`."""
        ...

    @property
    def reached_from(self) -> float:
        """Confidence from which a pixel counts as reached; what is less sure is grey, or on its way there."""
        ...

    def colour(self, footage: Footage, references: Sequence[Reference]) -> Iterator[Coloured]:
        """Yields exactly `footage.frame_count`, in order; memory does not grow with the shot.

        footage: its luma is looked at, whatever colour it has. references: at least one, none of a frame
        outside the footage; they may be loaded as they are asked for, so each is asked for once and not kept
        at its full size. Raises ValueError for references that are not so.
        """
        ...
