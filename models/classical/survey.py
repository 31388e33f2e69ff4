"""A first, cheap look through a shot: which frames are printed twice, and what was marked in each.

Shape suffixes: h, w a shrunken picture.

Step-printed silent film (16 to 24 frames a second) repeats frames, dirt and all; a repeat would vouch for its
own dirt.
"""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import repeat

import numpy as np
from numpy.typing import NDArray

from models.motion import proxy_scale, shrink
from models.restorer import Footage, Planes, luma

Float = NDArray[np.float32]
Mask = NDArray[np.bool_]

_SIZE_PX = 320
_LONGEST_RUN = 4
_HISTORY_PAIRS = 15


@dataclass(frozen=True)
class Shown:
    """One frame as it comes."""

    planes_CHW: Planes
    given_HW: Mask | None
    """What was marked in it from outside; None where nothing was."""


def repeats(footage: Footage) -> list[bool]:
    """For each frame, whether it shows the frame before it again.

    A repeat differs from its original by far less than neighbours in this part of the shot do, everywhere; a
    still scene, where all frames are alike, has repeats only where nothing at all changed.
    """
    means, peaks = [], []
    previous: Float | None = None
    for planes_CHW in footage:
        light_HW = luma(planes_CHW, footage.colour)
        small_hw = shrink(light_HW, proxy_scale(light_HW.shape, _SIZE_PX))
        if previous is not None:
            gap = np.abs(small_hw - previous)
            means.append(float(gap.mean()))
            peaks.append(float(np.percentile(gap, 99.9)))
        previous = small_hw
    again = [False]
    run = 0
    for pair, (mean, peak) in enumerate(zip(means, peaks, strict=True)):
        first = max(0, pair - _HISTORY_PAIRS // 2)
        # The upper quartile: where every frame is printed twice, the median pair is a repeat.
        usual_mean = float(np.percentile(means[first : first + _HISTORY_PAIRS], 75))
        usual_peak = float(np.percentile(peaks[first : first + _HISTORY_PAIRS], 75))
        same = mean < 0.05 / 255 or (mean < 0.3 * usual_mean and peak < 0.4 * usual_peak)
        run = run + 1 if same else 0
        if run >= _LONGEST_RUN:  # a freeze, not a repeat: bounded, so that it is never held whole
            same, run = False, 0
        again.append(same)
    return again[: footage.frame_count]


def grouped(footage: Footage, again: list[bool]) -> Iterator[list[Shown]]:
    """The shot's frames with each one's repeats beside it: lists of one to `_LONGEST_RUN`."""
    group: deque[Shown] = deque()
    given = footage.given.read() if footage.given else repeat(None, footage.frame_count)
    for planes_CHW, given_HW, is_repeat in zip(footage, given, again, strict=True):
        if group and not is_repeat:
            yield list(group)
            group.clear()
        group.append(Shown(planes_CHW, given_HW if given_HW is not None and given_HW.any() else None))
    if group:
        yield list(group)
