"""Vertical scratches that last, wander with the gate, and break off here and there.

Shape suffixes: h, w rows and columns of a scratch's own box.
"""

from dataclasses import dataclass, replace
from typing import Literal, Self

import numpy as np
from numpy.typing import NDArray

from degradation.exact import rounded, stream
from degradation.family import Moment, Setting, Size, counts, shares
from degradation.overlay import Overlay, seen

_KNOTS = 9
"""Places down a frame at which a scratch's strength is drawn."""


@dataclass(frozen=True)
class Scratches:
    """Lines along the film, which stay for many frames and wander with the gate."""

    lines: float = 1.0
    """Mean number of scratches alive at any time; 0 means none."""
    width: float = 0.004
    """Median width, share of height (0.004 is 2 px of 480)."""
    contrast: float = 0.25
    """Median share of the light that the line's middle holds back or adds."""
    life_frames: float = 30.0
    """Mean number of frames a scratch lasts; at least 1."""
    bright: float = 0.6
    """Share that is white (through the negative's emulsion, or the print's) and not black."""
    broken: float = 0.3
    """Share of a scratch's length, on the average, at which it does not show."""
    rims: float = 0.3
    """Strength of the opposite tone that rims half of the lines: film that was pushed aside."""
    probability: float = 1.0
    family: Literal["scratches"] = "scratches"

    def __post_init__(self) -> None:
        shares(width=self.width, contrast=self.contrast, bright=self.bright, broken=self.broken)
        shares(rims=self.rims, probability=self.probability)
        counts(lines=self.lines)
        if self.life_frames < 1:
            raise ValueError(f"life_frames must be at least 1, not {self.life_frames}")

    def scaled(self, severity: float) -> Self:
        return replace(self, lines=self.lines * severity)

    def begin(self, setting: Setting) -> "_Scratching":
        return _Scratching(self, setting.size, stream(setting.seed, self.family))


@dataclass
class _Line:
    place: float
    """Where across the frame, in [0, 1]."""
    width_px: float
    strength: float
    bright: bool
    rimmed: bool
    lean: float
    """Sideways drift over the frame's height, share of height."""
    left_frames: int
    presence: NDArray[np.float64]
    """How strongly the line shows at each knot down the frame."""


class _Scratching:
    def __init__(self, recipe: Scratches, size: Size, rng: np.random.Generator) -> None:
        self._recipe = recipe
        self._size = size
        self._rng = rng
        self._lines = [self._born() for _ in range(rng.poisson(recipe.lines))]

    def next(self) -> Moment:
        recipe, rng = self._recipe, self._rng
        if rng.random() < recipe.lines / recipe.life_frames:
            self._lines.append(self._born())
        for line in self._lines:
            line.place += float(rng.normal(0, 0.0012))
            line.left_frames -= 1
            # The scratch runs on from frame to frame: it starts where the last one ended.
            line.presence = np.concatenate([line.presence[-1:], self._presence()[1:]])
        self._lines = [line for line in self._lines if line.left_frames > 0 and 0.01 < line.place < 0.99]
        return Moment(overlays=tuple(piece for line in self._lines for piece in self._drawn(line)))

    def _born(self) -> _Line:
        rng, recipe = self._rng, self._recipe
        return _Line(
            place=float(rng.uniform(0.03, 0.97)),
            width_px=max(1.0, self._size.height * recipe.width * float(rng.lognormal(0, 0.3))),
            strength=rounded(np.clip(recipe.contrast * rng.lognormal(0, 0.4), 0.05, 1)),
            bright=bool(rng.random() < recipe.bright),
            rimmed=bool(rng.random() < 0.5),
            lean=float(rng.normal(0, 0.004)),
            left_frames=1 + int(rng.exponential(recipe.life_frames)),
            presence=self._presence(),
        )

    def _presence(self) -> NDArray[np.float64]:
        shown = self._rng.random(_KNOTS) >= self._recipe.broken
        return np.clip(self._rng.normal(0.85, 0.2, _KNOTS), 0, 1) * shown

    def _drawn(self, line: _Line) -> list[Overlay]:
        height, width = self._size.height, self._size.width
        rows = np.arange(height)
        middles = line.place * width + line.lean * (rows - height / 2)
        reach = 2 * line.width_px + 1
        first, last = int(np.floor(middles.min() - reach)), int(np.ceil(middles.max() + reach))
        apart_hw = np.arange(first, last + 1) - middles[:, None]
        # A Gaussian whose full width at half height is the line's width.
        sigma_px = max(0.45, line.width_px / 2.355)
        presence = np.interp(rows, np.linspace(0, height - 1, _KNOTS), line.presence)[:, None]
        tone = float(line.bright)
        pieces = [Overlay(0, first, seen(_bell(apart_hw, sigma_px, presence), line.strength), tone)]
        if line.rimmed and self._recipe.rims:
            rims_hw = _bell(np.abs(apart_hw) - 2.2 * sigma_px, sigma_px, presence)
            strength = rounded(line.strength * self._recipe.rims)
            pieces.insert(0, Overlay(0, first, seen(rims_hw, strength), 1 - tone))
        return pieces


def _bell(apart_hw: NDArray[np.float64], sigma_px: float, presence: NDArray[np.float64]) -> NDArray[np.uint8]:
    """Opacity, 0 to 255, so far from the middle of a Gaussian."""
    bell_hw = apart_hw * apart_hw
    bell_hw *= -1 / (2 * sigma_px**2)
    np.exp(bell_hw, out=bell_hw)
    bell_hw *= 255 * presence
    return np.rint(bell_hw, out=bell_hw).astype(np.uint8)
