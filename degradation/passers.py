"""Things that pass through the scene before everything else: limbs, poles, bodies, balls.

Their edges uncover what no frame before or after shows, and what is thin or small among them comes and goes
as scratches and dirt do. Their skin is the film's own picture, from elsewhere in it.

Places are (x, y) and lengths in pixels, speeds in pixels a frame. Shape suffixes: C planes, H rows, W
columns.
"""

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from degradation.exact import limited, rounded
from degradation.family import Planes, Size
from degradation.paint import Paint

Form = Literal["limb", "pole", "body", "ball"]
Array = NDArray[np.float64]

_FORMS: tuple[Form, ...] = ("limb", "pole", "body", "ball")
_MOST = 5
# Lengths in a frame of 480 lines.
_THICK = {"limb": (8.0, 50.0), "pole": (5.0, 24.0), "body": (25.0, 120.0), "ball": (4.0, 16.0)}
# A thin pole that stands still is a scratch to any eye, a small ball that flies past is dirt.
_SPEED = {"limb": (1.5, 40.0), "pole": (4.0, 40.0), "body": (1.5, 40.0), "ball": (1.0, 15.0)}
# While the shutter is open things are seen in so many places.
_EXPOSURES = 4


class Passers:
    """Some things on their ways; what leaves comes in again at the far side."""

    def __init__(self, size: Size, rng: np.random.Generator) -> None:
        self._size = size
        self._things = [_Thing(size, rng) for _ in range(int(rng.integers(1, _MOST + 1)))]
        self._open_share = float(rng.uniform(0, 0.6))
        self._skin_CHW: Planes | None = None
        self._frame = 0

    def __call__(self, planes_CHW: Planes) -> Planes:
        if self._skin_CHW is None:
            self._skin_CHW = planes_CHW[..., ::-1].copy()
        for thing in self._things:
            planes_CHW = thing.over(planes_CHW, self._skin_CHW, self._frame, self._open_share)
        self._frame += 1
        return planes_CHW


class _Thing:
    """One that passes: its outline as capsules and corners around a place that moves and swings."""

    def __init__(self, size: Size, rng: np.random.Generator) -> None:
        self._size, unit = size, size.height / 480
        self._form = _FORMS[int(rng.integers(len(_FORMS)))]
        self._thick_px, speed = (
            float(np.exp(rng.uniform(*np.log(each[self._form])))) * unit for each in (_THICK, _SPEED)
        )
        upright = self._form == "pole"
        way = rng.choice((0.0, np.pi)) + rng.normal(0, 0.1) if upright else rng.uniform(0, 2 * np.pi)
        self._velocity = speed * np.array([np.cos(way), np.sin(way)])
        self._start = rng.uniform(0, 1, 2) * (size.width, size.height)
        self._swing_px = float(rng.uniform(0, 30)) * unit * rng.uniform(0, 1, 2)
        self._beat, self._phase = rng.uniform(0.1, 0.9), rng.uniform(0, 2 * np.pi)
        self._lean = rng.normal(0, 0.06) if upright else rng.uniform(0, 2 * np.pi)
        self._long_px = (size.height * 1.5) if upright else float(rng.uniform(2, 7)) * self._thick_px
        corners = np.sort(rng.uniform(0, 2 * np.pi, 7))
        self._corners = np.stack([np.cos(corners), np.sin(corners)], axis=1) * rng.uniform(0.5, 1.2, 2)
        self._gain = np.float32(rounded(rng.uniform(0.25, 1.0)))
        self._light = np.float32(rounded(rng.uniform(0, 1 - self._gain)))
        self._offset = rng.integers(0, (size.width, size.height))

    def over(self, planes_CHW: Planes, skin_CHW: Planes, frame: int, open_share: float) -> Planes:
        """The frame with the thing before it."""
        whole_HW = np.zeros(planes_CHW.shape[1:], np.uint16)
        for exposure in range(_EXPOSURES):
            whole_HW += self._outline(frame + open_share * exposure / _EXPOSURES)
        if not whole_HW.any():
            return planes_CHW
        shown_HW = whole_HW * np.float32(1 / (255 * _EXPOSURES))
        across, down = (int(step) for step in np.round(self._place(frame)) + self._offset)
        own_CHW = np.roll(skin_CHW, (down, across), (1, 2)) * self._gain + self._light
        out: Planes = planes_CHW + shown_HW * (own_CHW - planes_CHW)
        return limited(out)

    def _place(self, time: float) -> Array:
        swing = self._swing_px * np.sin(self._beat * time + self._phase)
        edge = np.array([self._size.width, self._size.height]) + 2 * self._reach_px
        place: Array = (self._start + self._reach_px + self._velocity * time + swing) % edge - self._reach_px
        return place

    @property
    def _reach_px(self) -> float:
        return self._thick_px if self._form != "limb" else self._thick_px + self._long_px

    def _outline(self, time: float) -> NDArray[np.uint8]:
        paint, place = Paint(self._size), self._place(time)
        one, white = np.ones(1), np.zeros((1, 3))
        turn = self._lean + (0.5 * np.sin(self._beat * time) if self._form == "limb" else 0.0)
        if self._form == "body":
            paint.patches((place + self._thick_px / 2 * self._corners)[None], one, white)
        elif self._form == "ball":
            paint.streaks(place[None], place[None], one * self._thick_px, one, white)
        else:
            along = self._long_px * np.array([np.sin(turn), np.cos(turn)])
            start = place - along / 2 if self._form == "pole" else place
            paint.streaks(start[None], (start + along)[None], one * self._thick_px, one, white)
            if self._form == "limb":
                bent = 0.8 * self._long_px * np.array([np.sin(2.2 * turn), np.cos(2.2 * turn)])
                paint.streaks(
                    (start + along)[None], (start + along + bent)[None], one * self._thick_px, one, white
                )
        return paint.sheet_HWD[..., 0]
