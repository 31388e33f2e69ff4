"""Fading: blacks that turned grey, whites that dulled, and dyes that each fade at their own pace.

Shape suffixes: C planes, H rows, W columns.
"""

from dataclasses import dataclass, replace
from typing import Literal, Self

import cv2
import numpy as np
from numpy.typing import NDArray

from degradation.exact import stream
from degradation.family import InPlace, Moment, Planes, Setting, counts, shares

_TOE = 0.02  # light that the densest black still lets through
_STEPS = 4080  # of a tone curve: 16 between neighbouring codes of 8 bits, which are hit exactly

_ALL = 2**16


@dataclass(frozen=True)
class Fading:
    """One tone curve for a clip. What is lost cannot be known, so film and target fade alike."""

    black: float = 0.05
    """Mean rise of black, of full contrast."""
    white: float = 0.06
    """Mean fall of white."""
    gamma: float = 0.15
    """Standard deviation of the logarithm of the curve's exponent: too dense or too thin a print."""
    dyes: float = 0.35
    """Mean share of its density that the weakest dye of a colour film lost (cyan, as a rule: the film turns
    red, magenta with the yellow gone too). Nothing to a grey clip."""
    probability: float = 1.0
    family: Literal["fading"] = "fading"

    def __post_init__(self) -> None:
        shares(black=self.black, white=self.white, dyes=self.dyes, probability=self.probability)
        counts(gamma=self.gamma)

    def scaled(self, severity: float) -> Self:
        return replace(
            self,
            black=min(self.black * severity, 0.5),
            white=min(self.white * severity, 0.5),
            gamma=self.gamma * severity,
            dyes=min(self.dyes * severity, 0.9),
        )

    def begin(self, setting: Setting) -> "_Faded":
        rng = stream(setting.seed, self.family)
        black = min(float(rng.exponential(self.black)), 0.35)
        white = 1 - min(float(rng.exponential(self.white)), 0.35)
        channels = setting.size.channels
        exponents = np.full(channels, float(np.exp(np.clip(rng.normal(0, self.gamma), -0.5, 0.5))))
        if channels == 3:
            exponents *= 1 - _dyes_lost(self.dyes, rng)
        light = np.linspace(0, 1, _STEPS + 1)
        curves = [black + (white - black) * (_TOE + (1 - _TOE) * light) ** exponent for exponent in exponents]
        return _Faded(ToneCurves(tuple(tabled(curve) for curve in curves)))


def _dyes_lost(mean: float, rng: np.random.Generator) -> NDArray[np.float64]:
    """Share of density lost by what holds back red, green and blue: cyan, magenta, yellow dye."""
    most = min(float(rng.uniform(0, 2 * mean)), 0.75)
    kept_back = [float(rng.uniform(0, 0.2)), float(rng.uniform(0.1, 0.9))]
    weakest_first = np.array([1.0, *kept_back]) if rng.random() < 0.8 else np.array([kept_back[1], 0.2, 1.0])
    return most * weakest_first


class _Faded:
    def __init__(self, curves: "ToneCurves") -> None:
        self._moment = Moment(on_target=curves)

    def next(self) -> Moment:
        return self._moment


def tabled(curve: NDArray[np.float64]) -> NDArray[np.float32]:
    """A curve's values at `_STEPS` + 1 evenly spaced tones, freed of what libraries disagree on; as long as
    OpenCV wants tables for 16 bits."""
    table = np.zeros(_ALL, np.float32)
    table[: len(curve)] = np.clip(np.round(curve, 6), 0, 1)
    return table


@dataclass(frozen=True)
class ToneCurves(InPlace):
    """A curve for each plane, read from a table."""

    tables: tuple[NDArray[np.float32], ...]

    def __call__(self, planes_CHW: Planes) -> Planes:
        out = np.empty_like(planes_CHW)
        for table, plane_HW, out_HW in zip(self.tables, planes_CHW, out, strict=True):
            place_HW = plane_HW * np.float32(_STEPS)
            np.rint(place_HW, out=place_HW)
            cv2.LUT(place_HW.astype(np.uint16), table, dst=out_HW)
        return out
