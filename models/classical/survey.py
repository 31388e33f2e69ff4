"""A first, cheap look through a shot: which frames are printed twice, and what was marked in each.

Shape suffixes: h, w a shrunken picture.

Step-printed silent film (16 to 24 frames a second) repeats frames, dirt and all; a repeat would vouch for its
own dirt.
"""

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import repeat

import numpy as np
from numpy.typing import NDArray

from models.motion import proxy_scale, shrink
from models.restorer import Colour, Footage, GivenMask, Planes, luma

Float = NDArray[np.float32]
Mask = NDArray[np.bool_]

_SIZE_PX = 320
_LONGEST_RUN = 4
_HISTORY_PAIRS = 15
# Of a frame: less unmarked picture tells nothing of two frames' likeness.
_LEAST_SHARE = 0.05


@dataclass(frozen=True)
class Shown:
    """One frame as it comes."""

    planes_CHW: Planes
    given_HW: Mask | None
    """What was marked in it from outside; None where nothing was."""


@dataclass(frozen=True)
class _Small:
    """A frame's lightness, shrunken, and what of it was marked."""

    light_hw: Float
    marked_hw: Mask | None


def repeats(footage: Footage) -> list[bool]:
    """For each frame, whether it shows the frame before it again.

    A repeat differs from its original by far less than neighbours in this part of the shot do, everywhere; a
    still scene, where all frames are alike, has repeats only where nothing at all changed. What was
    marked in a frame says nothing: burnt frames would make all others look alike.
    """
    means: list[float] = []
    peaks: list[float] = []
    previous: _Small | None = None
    for shown in _frames(footage):
        small = _small(shown, footage.colour)
        if previous is not None:
            gap = _gap(previous, small)
            means.append(float(gap.mean()) if gap.size else np.nan)
            peaks.append(float(np.percentile(gap, 99.9)) if gap.size else np.nan)
        previous = small
    again = [False]
    run = 0
    for pair, (mean, peak) in enumerate(zip(means, peaks, strict=True)):
        first = max(0, pair - _HISTORY_PAIRS // 2)
        # The upper quartile: where every frame is printed twice, the median pair is a repeat.
        usual_mean = _upper_quartile(means[first : first + _HISTORY_PAIRS])
        usual_peak = _upper_quartile(peaks[first : first + _HISTORY_PAIRS])
        same = mean < 0.05 / 255 or (mean < 0.3 * usual_mean and peak < 0.4 * usual_peak)
        run = run + 1 if same else 0
        if run >= _LONGEST_RUN:  # a freeze, not a repeat: bounded, so that it is never held whole
            same, run = False, 0
        again.append(same)
    return again[: footage.frame_count]


def grouped(footage: Footage, again: list[bool]) -> Iterator[list[Shown]]:
    """The shot's frames with each one's repeats beside it: lists of one to `_LONGEST_RUN`."""
    group: deque[Shown] = deque()
    for shown, is_repeat in zip(_frames(footage), again, strict=True):
        if group and not is_repeat:
            yield _alike(group, footage.given)
            group.clear()
        group.append(shown)
    if group:
        yield _alike(group, footage.given)


def _alike(group: Iterable[Shown], given: GivenMask | None) -> list[Shown]:
    """The copies; where marks are added to what the restorer finds, those of one count for all: a repair that
    is in one copy and not in the next would flicker."""
    copies = list(group)
    marked = [shown.given_HW for shown in copies if shown.given_HW is not None]
    if not marked or given is None or given.use == "replace":
        return copies
    union_HW = np.logical_or.reduce(marked)
    return [Shown(shown.planes_CHW, union_HW) for shown in copies]


def _frames(footage: Footage) -> Iterator[Shown]:
    given = footage.given.read() if footage.given else repeat(None, footage.frame_count)
    for planes_CHW, given_HW in zip(footage, given, strict=True):
        yield Shown(planes_CHW, given_HW if given_HW is not None and given_HW.any() else None)


def _small(shown: Shown, colour: Colour) -> _Small:
    light_HW = luma(shown.planes_CHW, colour)
    scale = proxy_scale(light_HW.shape, _SIZE_PX)
    marked_hw = None
    if shown.given_HW is not None:
        marked_hw = shrink(shown.given_HW.astype(np.float32), scale) > 0
    return _Small(shrink(light_HW, scale), marked_hw)


def _gap(one: _Small, other: _Small) -> Float:
    """How far two pictures differ where neither is marked; nothing where next to none of them is left."""
    gap_hw: Float = np.abs(other.light_hw - one.light_hw)
    marked = [small.marked_hw for small in (one, other) if small.marked_hw is not None]
    if not marked:
        return gap_hw
    gap: Float = gap_hw[~np.logical_or.reduce(marked)]
    return gap if gap.size > _LEAST_SHARE * gap_hw.size else gap[:0]


def _upper_quartile(values: list[float]) -> float:
    known = [value for value in values if not np.isnan(value)]
    return float(np.percentile(known, 75)) if known else np.nan
