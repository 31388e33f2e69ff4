"""Splices: frames lost, the line of cement or tape, a jump that settles, and another exposure from there on.

Shape suffixes: C planes, H rows, W columns, h rows of a splice's own band.
"""

from dataclasses import dataclass, replace
from typing import Literal, Self

import cv2
import numpy as np
from numpy.typing import NDArray

from degradation.exact import limited, rounded, stream
from degradation.family import MOST_LOST, InPlace, Moment, Planes, Setting, Size, shares
from degradation.overlay import Overlay, seen
from degradation.weave import Shift

_SETTLES = 0.4
"""What is left of a jump a frame later."""


@dataclass(frozen=True)
class Splices:
    """Breaks that were mended."""

    rate: float = 0.02
    """Share of frames that come after a splice; a splice loses up to three frames, a clip up to four."""
    jump: float = 0.02
    """Standard deviation of the frame's jump up or down, share of height; sideways it is a quarter."""
    step: float = 0.06
    """Standard deviation of the exposure's lasting step."""
    taped: float = 0.4
    """Share mended with tape, whose edge crosses the picture and whose band is hazy, and not with cement."""
    seen: float = 0.8
    """Share whose line reaches into the picture."""
    probability: float = 1.0
    family: Literal["splices"] = "splices"

    def __post_init__(self) -> None:
        shares(rate=self.rate, jump=self.jump, step=self.step, taped=self.taped, seen=self.seen)
        shares(probability=self.probability)

    def scaled(self, severity: float) -> Self:
        return replace(
            self,
            rate=min(self.rate * severity, 1.0),
            jump=min(self.jump * severity, 0.2),
            step=min(self.step * severity, 0.3),
        )

    def begin(self, setting: Setting) -> "_Mended":
        return _Mended(self, setting.size, stream(setting.seed, self.family))


class _Mended:
    def __init__(self, recipe: Splices, size: Size, rng: np.random.Generator) -> None:
        self._recipe = recipe
        self._size = size
        self._rng = rng
        self._jump = np.zeros(2)
        self._gain = 1.0
        self._may_lose = MOST_LOST
        self._next_is_mended = False

    def next(self) -> Moment:
        recipe, rng = self._recipe, self._rng
        mended, self._next_is_mended = self._next_is_mended, bool(rng.random() < recipe.rate)
        pieces: list[Overlay] = []
        lost = 0
        self._jump = self._jump * _SETTLES
        if mended:
            lost = min(int(rng.integers(0, 4)), self._may_lose)
            self._may_lose -= lost
            self._jump = rng.normal(size=2) * (recipe.jump / 4, recipe.jump) * self._size.height
            self._gain = float(np.clip(self._gain * (1 + rng.normal(0, recipe.step)), 0.75, 1.3))
        if mended and rng.random() < recipe.seen:
            pieces += self._line(bottom=False)
        if self._next_is_mended and rng.random() < recipe.seen / 2:
            pieces += self._line(bottom=True)
        gain = rounded(self._gain)
        return Moment(
            on_target=Shift.of(float(self._jump[0]), float(self._jump[1])),
            on_film=_Step(gain) if gain != 1 else None,
            overlays=tuple(pieces),
            event=f"splice, {lost} lost" if mended else "",
            lost_frames=lost,
        )

    def _line(self, bottom: bool) -> list[Overlay]:
        """The band in which two pieces of film overlap, and the edge at which it ends."""
        rng, size = self._rng, self._size
        taped = bool(rng.random() < self._recipe.taped)
        depth_px = size.height * float(rng.uniform(0.05, 0.25) if taped else rng.uniform(0.008, 0.05))
        thick_px = max(0.7, size.height / 480 * float(rng.uniform(0.8, 3.0)))
        margin = int(4 * thick_px) + 6
        rows = int(depth_px) + 2 * margin
        columns = np.linspace(-1, 1, size.width)
        knots = np.linspace(-1, 1, 40)
        rough = np.interp(columns, knots, np.cumsum(rng.normal(0, 0.12 if taped else 0.3, 40)))
        tilt_px = float(rng.normal(0, 0.004)) * size.width
        edge = depth_px + tilt_px * columns + np.clip(rough * size.height / 480, -5, 5)
        below_hW = np.arange(rows)[:, None] - edge
        # The edge shows stronger here and weaker there; cement ate the emulsion along it.
        shown = np.clip(np.interp(columns, knots, rng.normal(0.75, 0.3, 40)), 0.1, 1)
        line_hW = np.clip(1 + thick_px / 2 - np.abs(below_hW), 0, 1) * shown
        band_hW = np.clip(-below_hW, 0, 1) * self._mottled(rows, taped)
        bright = bool(rng.random() < (0.35 if taped else 0.6))
        hazy = Overlay(
            0,
            0,
            seen(_turned(band_hW, bottom), rounded(rng.uniform(0.15, 0.35))),
            float(rng.uniform(0.55, 0.7)) if taped else float(not bright),
            "cover" if taped else ("multiply" if bright else "add"),
        )
        edge_hW = seen(_turned(line_hW, bottom), rounded(rng.uniform(0.5, 0.95)))
        edge_piece = Overlay(0, 0, edge_hW, float(bright))
        at = size.height - rows if bottom else 0
        return [replace(hazy, row=at, tone=rounded(hazy.tone)), replace(edge_piece, row=at)]

    def _mottled(self, rows: int, taped: bool) -> NDArray[np.float64]:
        """Bubbles and dried glue between the layers, (h, W)."""
        rng, width = self._rng, self._size.width
        grain_px = max(2, self._size.height // (40 if taped else 60))
        coarse_hw = rng.integers(0, 65536, (rows // grain_px + 2, width // grain_px + 2)).astype(np.uint16)
        smooth_hW = cv2.resize(coarse_hw, (width, rows), interpolation=cv2.INTER_LINEAR_EXACT) / 65535
        mottled_hW: NDArray[np.float64] = np.clip((0.55 if taped else 0.2) + 0.8 * smooth_hW, 0, 1)
        return mottled_hW


def _turned(opacity_hW: NDArray[np.float64], bottom: bool) -> NDArray[np.uint8]:
    turned_hW = opacity_hW[::-1] if bottom else opacity_hW
    return np.rint(255 * np.round(turned_hW, 6)).astype(np.uint8)


@dataclass(frozen=True)
class _Step(InPlace):
    gain: float

    def __call__(self, planes_CHW: Planes) -> Planes:
        return limited(planes_CHW * np.float32(self.gain))
