"""Scratches followed through a shot: how wide, how strong, how long-lived.

Shape suffixes: H rows, W columns, R rows of a line, P places across it.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from models.classical.scratches import Line, ScratchSettings
from models.wear.wear import Wear

Float = NDArray[np.float32]

# A line that is not seen for more frames than this has ended; as far as this it may move a frame, of height.
_GAP_FRAMES = 4
_MOVE_SHARE = 6 / 480


@dataclass
class _Track:
    column: float
    bright: bool
    first: int
    last: int


class Following:
    """Takes in each frame's scratches, in order."""

    def __init__(self, settings: ScratchSettings) -> None:
        self._settings = settings
        self._frame = 0
        self._alive: list[_Track] = []
        self._counts: list[int] = []
        self._profiles: list[tuple[float, float]] = []
        self._lives: list[int] = []

    def step(self, light_HW: Float, found: list[Line]) -> None:
        """The next frame and its scratches."""
        self._counts.append(len(found))
        for line in found:
            self._profiles.append(width_and_contrast(light_HW, line, self._settings))
            self._follow(line, light_HW.shape[0])
        ended = [track for track in self._alive if self._frame - track.last > _GAP_FRAMES]
        self._lives += [track.last - track.first + 1 for track in ended]
        self._alive = [track for track in self._alive if self._frame - track.last <= _GAP_FRAMES]
        self._frame += 1

    def finish(self) -> Wear:
        """What was seen of all scratches; one alive at the end has lived until there."""
        lives = self._lives + [track.last - track.first + 1 for track in self._alive]
        profiles = np.array(self._profiles, np.float32).reshape(-1, 2)
        return Wear(
            lines_T=np.array(self._counts, np.float32),
            line_width_S=profiles[:, 0],
            line_contrast_S=profiles[:, 1],
            line_life_L=np.array(lives, np.float32),
        )

    def _follow(self, line: Line, height: int) -> None:
        near = [
            track
            for track in self._alive
            if track.bright == line.bright
            and track.last < self._frame
            and abs(track.column - line.column) < _MOVE_SHARE * height * (self._frame - track.last)
        ]
        if near:
            track = min(near, key=lambda other: abs(other.column - line.column))
            track.column, track.last = line.column, self._frame
        else:
            self._alive.append(_Track(line.column, line.bright, self._frame, self._frame))


def width_and_contrast(light_HW: Float, line: Line, settings: ScratchSettings) -> tuple[float, float]:
    """The equivalent width of a line (its profile's area by the peak), of height, and its signed peak."""
    height = light_HW.shape[0]
    reach = int(np.ceil(max(1.0, 0.5 * settings.widest_share * height))) + 3
    rows_R = np.arange(line.top, line.bottom)
    across_P = np.arange(-reach, reach + 0.25, 0.5, dtype=np.float32)
    places = np.dstack(
        np.broadcast_arrays(
            line.columns_at(rows_R, height)[:, None] + across_P, rows_R[:, None].astype(np.float32)
        )
    )
    strip_RP = cv2.remap(
        light_HW, places.astype(np.float32), None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    profile_P = np.median(strip_RP, axis=0)
    left, right = profile_P[:5].mean(), profile_P[-5:].mean()
    rise_P = profile_P - np.linspace(left, right, profile_P.size)
    rise_P = np.maximum(rise_P if line.bright else -rise_P, 0)
    middle = slice(profile_P.size // 2 - 3, profile_P.size // 2 + 4)
    peak = float(rise_P[middle].max())
    if peak <= 0:
        return float("nan"), float("nan")
    return 0.5 * float(rise_P.sum()) / peak / height, peak if line.bright else -peak
