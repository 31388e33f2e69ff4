"""Pictures of an evaluation: a frame before damage, with it, as each restorer leaves it, and what it marked.

Shape suffixes: C planes, H rows, W columns; 3 in OpenCV's order, blue first.
"""

import base64
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from models.metrics.detection import Mask
from models.restorer import Colour, Planes, Repair, luma

_SIDE_PX = 256
"""At most: a cut, not a smaller picture, so that small dust can be seen."""
_DIM = 0.45
# Marks over the dimmed picture, blue first.
_HIT, _MISSED, _WRONG, _TOUCHED = (90, 220, 60), (255, 110, 40), (50, 50, 255), (40, 190, 255)


@dataclass(frozen=True)
class Shown:
    """One picture."""

    label: str
    png: str
    """Its bytes as base64."""


@dataclass(frozen=True)
class Exhibit:
    """Pictures of one frame."""

    part: str
    """The slice it is of."""
    told: str
    """Which frame of what, for people."""
    pictures: tuple[Shown, ...]


def exhibit(
    part: str,
    told: str,
    damaged_CHW: Planes,
    colour: Colour,
    truth: tuple[Planes, Mask] | None,
    repairs: Sequence[tuple[str, Repair]],
) -> Exhibit:
    """Around the damage, or the middle. truth: the undamaged frame and its damage, where they are known;
    then marks are green where damage was found, blue where it was missed, red where there was none, else
    yellow. repairs: by the titles of the restorers."""
    seen = _seen(damaged_CHW, colour)
    if truth is None or not truth[1].any():
        cut = _cut(np.zeros(damaged_CHW.shape[1:], bool))
        pictures = [shown("as it is", seen[cut])]
    else:
        undamaged_CHW, damage_HW = truth
        cut = _cut(damage_HW)
        pictures = [
            shown("undamaged", _seen(undamaged_CHW, colour)[cut]),
            shown("damaged", seen[cut]),
            shown("damage", _marks(seen, np.zeros_like(damage_HW), damage_HW)[cut]),
        ]
    for title, repair in repairs:
        marks = _marks(seen, repair.mask_HW, truth[1] if truth else None)
        pictures.append(shown(title, _seen(repair.planes_CHW, colour)[cut]))
        pictures.append(shown(f"{title}: mask", marks[cut]))
    return Exhibit(part, told, tuple(pictures))


def _cut(damage_HW: Mask) -> tuple[slice, slice]:
    """At most so many pixels a side, around the damage's centre."""
    sides = []
    for length, places in zip(damage_HW.shape, np.nonzero(damage_HW), strict=True):
        centre = int(places.mean()) if places.size else length // 2
        start = max(0, min(centre - _SIDE_PX // 2, length - _SIDE_PX))
        sides.append(slice(start, start + _SIDE_PX))
    return sides[0], sides[1]


def _seen(planes_CHW: Planes, colour: Colour) -> NDArray[np.uint8]:
    """(H, W) of grey, (H, W, 3) of colour."""
    picture = planes_CHW[::-1].transpose(1, 2, 0) if colour == "rgb" else luma(planes_CHW, colour)
    levels: NDArray[np.uint8] = np.rint(np.clip(picture, 0, 1) * 255).astype(np.uint8)
    return levels


def _marks(seen: NDArray[np.uint8], found_HW: Mask, damage_HW: Mask | None) -> NDArray[np.uint8]:
    picture = (np.atleast_3d(seen) * np.float32(_DIM)).astype(np.uint8)
    marked: NDArray[np.uint8] = np.broadcast_to(picture, (*found_HW.shape, 3)).copy()
    if damage_HW is None:
        marked[found_HW] = _TOUCHED
        return marked
    marked[found_HW & damage_HW] = _HIT
    marked[~found_HW & damage_HW] = _MISSED
    marked[found_HW & ~damage_HW] = _WRONG
    return marked


def shown(label: str, picture: NDArray[np.uint8]) -> Shown:
    """A picture (H, W) or (H, W, 3)."""
    done, data = cv2.imencode(".png", np.ascontiguousarray(picture))
    if not done:
        raise ValueError(f"{label}: a picture {picture.shape} cannot be coded")
    return Shown(label, base64.b64encode(data.tobytes()).decode())
