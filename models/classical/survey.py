"""A first, cheap look through a shot: which frames are printed twice.

Shape suffixes: h, w a shrunken picture.

Step-printed silent film (16 to 24 frames a second) repeats frames, dirt and all; a repeat would vouch for its
own dirt.
"""

from collections import deque
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from models.motion import proxy_scale, shrink
from models.restorer import Footage, luma

Float = NDArray[np.float32]

_SIZE_PX = 320
_LONGEST_RUN = 4
_HISTORY_PAIRS = 15


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


def grouped(footage: Footage, again: list[bool]) -> Iterator[list[Float]]:
    """The shot's frames with each one's repeats beside it: lists of one to `_LONGEST_RUN` planes_CHW."""
    group: deque[Float] = deque()
    for planes_CHW, repeat in zip(footage, again, strict=True):
        if group and not repeat:
            yield list(group)
            group.clear()
        group.append(planes_CHW)
    if group:
        yield list(group)
