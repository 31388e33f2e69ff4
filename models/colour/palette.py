"""The colours of a coloured shot, and things that change colour from one shot to the next.

Shape suffixes: H rows, W columns; 2 is (a, b); N, M cells of a picture.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from models.colour.lab import lightness_of_grey
from models.colour.likeness import cells_of, described, flat, nearest
from models.colour.view import small
from models.metrics.colour import ciede2000

Float = NDArray[np.float32]
Mask = NDArray[np.bool_]

_WORK_PX = 512
# Cells of two pictures are one thing if each is the other's likest and they are at least this alike.
_ALIKE = 0.6
# Fewer cells than this side by side may be alike by chance.
_LEAST_CELLS = 6
_COMPANIONS = 2
_ROUNDS = 12


@dataclass(frozen=True)
class Swatch:
    """One colour of a shot."""

    lab: tuple[float, float, float]
    share: float
    """Of the picture."""


@dataclass(frozen=True)
class Painted:
    """A frame with the colour that it was given."""

    luma_HW: Float
    ab_2HW: Float


@dataclass(frozen=True)
class Jump:
    """A thing that has one colour in one picture and another in the next."""

    row: float
    column: float
    """Its middle in the first picture, as shares of height and width."""
    share: float
    """Of the first picture."""
    before: tuple[float, float, float]
    after: tuple[float, float, float]
    """Its mean L, a, b in either."""
    difference: float
    """CIEDE2000 of the two chromas under one lightness."""


def palette(frames: Sequence[Painted], count: int = 8) -> list[Swatch]:
    """The shot's main colours by k-means over cells, the commonest first; at most `count`."""
    labs = np.concatenate([_lab_cells(_shrunk(frame)).reshape(-1, 3) for frame in frames])
    # Spread over the colours there are, darkest first, so that the outcome is the same every time.
    order = np.lexsort((labs[:, 2], labs[:, 1], labs[:, 0]))
    centres = labs[order[np.linspace(0, len(labs) - 1, min(count, len(labs))).astype(int)]]
    for _ in range(_ROUNDS):
        place_of = ((labs[:, None] - centres[None]) ** 2).sum(2).argmin(1)
        kept = [labs[place_of == place] for place in range(len(centres))]
        centres = np.stack([own.mean(0) for own in kept if len(own)])
    place_of = ((labs[:, None] - centres[None]) ** 2).sum(2).argmin(1)
    swatches = [
        Swatch(_triple(centre), float((place_of == place).mean())) for place, centre in enumerate(centres)
    ]
    return sorted((swatch for swatch in swatches if swatch.share), key=lambda swatch: -swatch.share)


def jumps(before: Painted, after: Painted, limit: float = 8.0) -> list[Jump]:
    """Things in both pictures whose colours differ by more than `limit` (CIEDE2000), the largest first.

    For two frames of one scene: the last before a cut and the first after it, or the middles of two shots.
    Things are told by their luma alone; what is not alike in both pictures is not compared.
    """
    one, other = _shrunk(before), _shrunk(after)
    one_lab, other_lab = _lab_cells(one), _lab_cells(other)
    rows, columns = one_lab.shape[:2]
    pairs = _pairs(one.luma_HW, other.luma_HW)
    if not len(pairs):
        return []
    here, there = one_lab.reshape(-1, 3)[pairs[:, 0]].T, other_lab.reshape(-1, 3)[pairs[:, 1]].T
    level = (here[0] + there[0]) / 2
    apart = ciede2000(np.stack([level, *here[1:]]), np.stack([level, *there[1:]]))
    jumped = np.zeros(rows * columns, np.uint8)
    jumped[pairs[apart > limit, 0]] = 1
    # Matches are sparse: cells a step apart belong together.
    grown = cv2.dilate(jumped.reshape(rows, columns), np.ones((3, 3), np.uint8))
    count, group = cv2.connectedComponents(grown)
    group_of_pair = np.where(apart > limit, group.ravel()[pairs[:, 0]], 0)
    found = []
    for label in range(1, count):
        own = group_of_pair == label
        if own.sum() >= _LEAST_CELLS:
            y, x = np.divmod(pairs[own, 0], columns)
            found.append(
                Jump(
                    float((y.mean() + 0.5) / rows),
                    float((x.mean() + 0.5) / columns),
                    float(own.sum()) / (rows * columns),
                    _triple(here[:, own].mean(1)),
                    _triple(there[:, own].mean(1)),
                    float(apart[own].mean()),
                )
            )
    return sorted(found, key=lambda jump: -jump.share * jump.difference)


def _pairs(one_hw: Float, other_hw: Float) -> NDArray[np.intp]:
    """Cells that are each other's likest, (pairs, 2) as (cell of the one, cell of the other)."""
    one, other = flat(described(one_hw)), flat(described(other_hw))
    to_other, alike = nearest(one, other)
    to_one, _ = nearest(other, one)
    mutual = (to_one[to_other] == np.arange(len(one))) & (alike > _ALIKE)
    pairs = np.stack([np.flatnonzero(mutual), to_other[mutual]], axis=1)
    rows, columns = cells_of(one_hw).shape
    return pairs[_together(pairs, rows, columns)]


def _together(pairs: NDArray[np.intp], rows: int, columns: int) -> Mask:
    """Which pairs moved as at least two of the pairs beside them did: chance has no direction."""
    moved_rc2 = np.full((rows + 2, columns + 2, 2), np.inf)
    place = np.stack(np.divmod(pairs, columns), axis=-1)
    row, column = place[:, 0].T + 1
    moved_rc2[row, column] = place[:, 1] - place[:, 0]
    agreeing = np.zeros(len(pairs), int)
    for down in (-1, 0, 1):
        for right in (-1, 0, 1):
            if down or right:
                beside = moved_rc2[row + down, column + right]
                agreeing += (np.abs(beside - moved_rc2[row, column]) <= 1).all(1)
    together: Mask = agreeing >= _COMPANIONS
    return together


def _shrunk(frame: Painted) -> Painted:
    return Painted(
        small(frame.luma_HW, _WORK_PX), np.stack([small(plane, _WORK_PX) for plane in frame.ab_2HW])
    )


def _lab_cells(frame: Painted) -> Float:
    """L, a, b of each cell, (rows, columns, 3)."""
    return cells_of(np.dstack([lightness_of_grey(frame.luma_HW), *frame.ab_2HW]))


def _triple(lab: NDArray[np.floating]) -> tuple[float, float, float]:
    lightness, a, b = (float(value) for value in lab)
    return lightness, a, b
