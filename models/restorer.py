"""What every restorer is: footage in, one repair per frame out.

Shape suffixes: T frames, C planes (1 grey, or 3), H rows, W columns.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

Colour = Literal["grey", "yuv", "rgb"]
Planes = NDArray[np.float32]

# Rec. 709 luma; good enough to look at, and never written anywhere.
_RGB_LUMA = np.array([0.2126, 0.7152, 0.0722], np.float32)


class Defect(IntEnum):
    """What kind of damage a pixel was repaired for; the values stand in the change log."""

    NONE = 0
    DIRT = 1
    SCRATCH = 2
    GIVEN = 3
    """Marked by a person or another channel (`GivenMask`), not by the restorer."""


@dataclass(frozen=True)
class GivenMask:
    """Where damage is, said from outside: drawn by a person, or seen in an infra-red scan."""

    read: Callable[[], Iterator[NDArray[np.bool_]]]
    """Yields one mask_HW for each frame of the footage, in order; True is damage. Starts afresh at each call.
    """
    use: Literal["add", "replace"]
    """`add`: the restorer's own findings count too. `replace`: only what is given is repaired."""


@dataclass(frozen=True)
class Footage:
    """One shot as restorers see it. Reading starts afresh at each call, so that a restorer may look twice."""

    read: Callable[[], Iterator[Planes]]
    """Yields `frame_count` arrays planes_CHW, float32 in [0, 1], all planes at full size."""
    frame_count: int
    height: int
    width: int
    colour: Colour
    """`grey`: C = 1. `yuv`: C = 3, luma first. `rgb`: C = 3, red first."""
    given: GivenMask | None = None
    """Damage that is known already; every pixel of it is repaired, with kind `Defect.GIVEN`. None: nothing
    was given.
    """

    def __iter__(self) -> Iterator[Planes]:
        return self.read()


@dataclass(frozen=True)
class Repair:
    """What a restorer made of one frame."""

    planes_CHW: Planes
    """The restored picture, float32 in [0, 1]; equals the input wherever `mask_HW` is 0."""
    mask_HW: NDArray[np.bool_]
    """True where pixels were replaced, feathered edges included."""
    confidence_HW: NDArray[np.float32]
    """How sure the restorer is of a replaced pixel, in [0, 1]; 0 outside the mask."""
    kind_HW: NDArray[np.uint8]
    """A `Defect` value per pixel; 0 outside the mask."""
    left_HW: NDArray[np.bool_] | None = None
    """True where damage seemed likely but was left, because the restorer was not sure of a repair; None:
    nothing was left so."""
    whole_CHW: Planes | None = None
    """The restorer's picture of the whole frame, for presentation alone; None: what is outside the mask
    stays."""


@dataclass(frozen=True)
class Card:
    """Everything about a restorer that can change a pixel, for digests and for the record."""

    name: str
    version: str
    parameters: Mapping[str, float | int | str | bool] = field(default_factory=dict)
    weights_sha256: str | None = None


class Restorer(Protocol):
    """Turns damaged footage into repairs, frame for frame, in order, in bounded memory."""

    @property
    def card(self) -> Card: ...

    @property
    def device(self) -> str:
        """What it computes on, for the record, like `cpu`."""
        ...

    def restore(self, footage: Footage) -> Iterator[Repair]:
        """Yields exactly `footage.frame_count` repairs; never holds the whole shot."""
        ...


def luma(planes_CHW: Planes, colour: Colour) -> NDArray[np.float32]:
    """The picture's lightness, float32 (H, W) in [0, 1]: what detection and motion look at."""
    if colour == "rgb":
        return np.tensordot(_RGB_LUMA, planes_CHW, axes=1).astype(np.float32)
    first: NDArray[np.float32] = planes_CHW[0]
    return first
