"""What a network is shown of a shot: each distinct frame between its neighbours, with the motion between.

Shape suffixes: C planes, H rows, W columns; padded pictures have sides that are multiples of `SIDE`.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice, repeat

import cv2
import numpy as np
from numpy.typing import NDArray

from models.classical.survey import grouped, repeats
from models.flow import FlowEstimator
from models.motion import Byte, Pair
from models.restorer import Footage, Planes, luma

Float = NDArray[np.float32]
Mask = NDArray[np.bool_]

SIDE = 32
"""Sides of padded pictures are multiples of this: what every network here takes."""


@dataclass(frozen=True)
class View:
    """One distinct frame."""

    copies: list[Planes]
    """The frame and its repeats, planes_CHW."""
    luma_HW: Float
    """Its lightness, padded."""
    look: Byte
    """What the flow estimator keeps of it."""
    given: list[Mask] | None
    """Damage that a person or another channel told of, a mask a copy; None where nothing was given."""

    @property
    def planes_CHW(self) -> Planes:
        """The frame itself."""
        return self.copies[0]

    @property
    def given_HW(self) -> Mask | None:
        """Where any copy was said to be damaged: they show the same print."""
        return None if self.given is None else np.logical_or.reduce(self.given)


@dataclass(frozen=True)
class Sight:
    """A frame and what is beside it."""

    first_frame: int
    """Where the frame, or the first of its copies, stands in the shot."""
    here: View
    before: View | None
    after: View | None
    from_before: Pair | None
    """Motion between the frame before (first) and this one (second)."""
    to_after: Pair | None
    """Motion between this frame (first) and the one after (second)."""


def sights(footage: Footage, estimator: FlowEstimator) -> Iterator[Sight]:
    """Every distinct frame in order; reads the footage twice, and one distinct frame ahead."""
    before: View | None = None
    here: View | None = None
    from_before: Pair | None = None
    frame = 0
    for view in _views(footage, estimator):
        if here is not None:
            pair = estimator.between(here.look, view.look)
            yield Sight(frame, here, before, view, from_before, pair)
            frame += len(here.copies)
            before, from_before = here, pair
        here = view
    if here is not None:
        yield Sight(frame, here, before, None, from_before, None)


def _views(footage: Footage, estimator: FlowEstimator) -> Iterator[View]:
    given: Iterator[Mask | None] = repeat(None) if footage.given is None else footage.given.read()
    for copies in grouped(footage, repeats(footage)):
        masks = [mask for mask in islice(given, len(copies)) if mask is not None]
        luma_HW = padded(luma(copies[0], footage.colour))
        yield View(copies, luma_HW, estimator.look(luma_HW), masks or None)


def padded_size(height: int, width: int) -> tuple[int, int]:
    """The next multiples of `SIDE`."""
    return height + -height % SIDE, width + -width % SIDE


def padded(plane_HW: Float) -> Float:
    """The picture with its last row and column repeated up to multiples of `SIDE`."""
    height, width = plane_HW.shape
    tall, wide = padded_size(height, width)
    if (tall, wide) == (height, width):
        return plane_HW
    filled: Float = cv2.copyMakeBorder(plane_HW, 0, tall - height, 0, wide - width, cv2.BORDER_REPLICATE)
    return filled
