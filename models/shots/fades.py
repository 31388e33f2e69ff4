"""Fades: the picture's contrast sinks into black (or white) and comes back with another shot."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

# How far to either side the unfaded contrast is sought, in frames; twice the longest usual fade.
_NEIGHBOURHOOD = 72
# The contrast counts as sunk below this share of its neighbourhood's; grain, dirt and glare leave about a
# tenth.
_SUNK = 0.2
# A hard cut between frames of less than this share is the grain of a fade's dark, not the end of a shot.
_WHOLE = 0.5
# A ramp begins where the contrast was last at this share of its plateau; flicker of 10 % stays above it.
_PLATEAU = 0.8
# Walking outwards, the shot is over when its contrast falls to this share of the best so far.
_LEFT = 0.6
# Faster than this it is a hard cut to a blank leader.
_SLOWEST_CUT = 3


@dataclass(frozen=True)
class Fade:
    """Out and in again, as one range of frames [start, end)."""

    start: int
    end: int
    depth: float
    """Share of the contrast that went, in [0, 1]."""
    both: bool
    """Whether both sides are ramps; else one is a hard cut."""


def find_fades(contrasts: Sequence[float], levels: Sequence[float], walls: set[int]) -> list[Fade]:
    """The fades between two pictures. One that opens or closes the reel joins no two shots, and is not told.

    `contrasts` and `levels`: as in `View`, one per frame of the reel. `walls`: first frames after hard cuts.
    """
    if not contrasts:
        return []
    contrast, level = _smooth(contrasts), _smooth(levels)
    fades: list[Fade] = []
    usual = _usual(contrast)
    whole = contrast > _WHOLE * usual
    walls = {n for n in walls if whole[n - 1] and whole[n]}
    for first, last in _runs(contrast < _SUNK * usual):
        before, after = _side(contrast, level, first - 1, -1, walls), _side(contrast, level, last, 1, walls)
        if before is None or after is None or not (before.gradual or after.gradual):
            continue
        floor = float(contrast[first:last].min())
        depth = 1 - floor / min(before.plateau, after.plateau)
        fades.append(Fade(before.edge + 1, after.edge, depth, before.gradual and after.gradual))
    return fades


@dataclass(frozen=True)
class _Side:
    edge: int
    """The picture's last (or first) frame at full contrast."""
    plateau: float
    gradual: bool


def _side(
    contrast: NDArray[np.float64], level: NDArray[np.float64], start: int, step: int, walls: set[int]
) -> _Side | None:
    """Walks from a sunk run's border to where the picture is whole; None where there is no picture."""
    reach = _picture(contrast, start, step, walls)
    if len(reach) < _SLOWEST_CUT:
        return None
    plateau = float(np.quantile(contrast[reach], 0.6))
    ramp = next(k for k, n in enumerate(reach) if contrast[n] >= _PLATEAU * plateau)
    if abs(level[reach[ramp]] - level[start - step]) < plateau / 2:
        return None
    gradual = ramp >= _SLOWEST_CUT
    extra = round(ramp * (1 - _PLATEAU) / _PLATEAU) if gradual else 0
    return _Side(reach[min(ramp + extra, len(reach) - 1)], plateau, gradual)


def _picture(contrast: NDArray[np.float64], start: int, step: int, walls: set[int]) -> list[int]:
    """The frames from a sunk run's border on that belong to one shot: up to a cut, or till the contrast
    sinks again."""
    reach: list[int] = []
    peak = 0.0
    for n in range(start, start + step * _NEIGHBOURHOOD, step):
        if not 0 <= n < len(contrast) or contrast[n] < _LEFT * peak:
            break
        peak = max(peak, float(contrast[n]))
        reach.append(n)
        if (n if step < 0 else n + 1) in walls:
            break
    return reach


def _smooth(values: Sequence[float]) -> NDArray[np.float64]:
    """A running median of five: single flashes and black frames go."""
    padded = np.pad(np.asarray(values, np.float64), 2, mode="edge")
    smooth: NDArray[np.float64] = np.median(np.lib.stride_tricks.sliding_window_view(padded, 5), axis=1)
    return smooth


def _usual(contrast: NDArray[np.float64]) -> NDArray[np.float64]:
    """The upper quartile of each frame's neighbourhood."""
    padded = np.pad(contrast, _NEIGHBOURHOOD, mode="edge")
    windows = np.lib.stride_tricks.sliding_window_view(padded, 2 * _NEIGHBOURHOOD + 1)
    return np.array([np.quantile(window, 0.75) for window in windows])


def _runs(flags: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """[first, last) of each run of true values."""
    steps = np.flatnonzero(np.diff(np.concatenate([[False], flags, [False]]).astype(np.int8)))
    return [(int(a), int(b)) for a, b in zip(steps[::2], steps[1::2], strict=True)]
