"""What a network is shown of a shot: each distinct frame between its neighbours, with the motion between.

Shape suffixes: C planes, H rows, W columns; padded pictures have sides that are multiples of `SIDE`.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from models.classical.membrane import membrane
from models.classical.survey import Shown, grouped, repeats
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

    copies: list[Shown]
    """The frame and its repeats."""
    whole_CHW: Planes
    """The frame with what was marked from outside led on from around."""
    luma_HW: Float
    """The lightness of that, padded."""
    look: Byte
    """What the flow estimator keeps of it."""
    given_HW: Mask | None
    """Where any copy was marked: they show the same print. None where nothing was."""

    @property
    def planes_CHW(self) -> Planes:
        """The frame itself."""
        return self.copies[0].planes_CHW


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
    for copies in grouped(footage, repeats(footage)):
        given = [shown.given_HW for shown in copies if shown.given_HW is not None]
        given_HW = np.logical_or.reduce(given) if given else None
        whole_CHW = copies[0].planes_CHW if given_HW is None else membrane(copies[0].planes_CHW, given_HW)
        luma_HW = padded(luma(whole_CHW, footage.colour))
        yield View(copies, whole_CHW, luma_HW, estimator.look(luma_HW), given_HW)


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
