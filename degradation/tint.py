"""Tints and tones: sepia, amber evenings, blue nights. A grey clip has none.

Shape suffixes: C planes, H rows, W columns.
"""

from dataclasses import dataclass, replace
from typing import Literal, Self

import numpy as np

from degradation.exact import limited, rounded, stream
from degradation.family import InPlace, Moment, Planes, Setting, shares

# Light that each dye lets through, red, green, blue: sepia, amber, night blue, rose, sea green, lavender.
_DYES = (
    (1.0, 0.84, 0.62),
    (1.0, 0.72, 0.34),
    (0.45, 0.62, 1.0),
    (1.0, 0.66, 0.72),
    (0.6, 0.95, 0.72),
    (0.82, 0.7, 1.0),
)
_LUMA = (0.2126, 0.7152, 0.0722)


@dataclass(frozen=True)
class Tint:
    """A grey print on dyed stock, or with its silver turned to colour. Film and target are tinted alike."""

    depth: float = 0.8
    """Mean depth of the dye: 0 none, 1 the dye's full colour."""
    toned: float = 0.4
    """Share that is toned (dark parts coloured, white stays white) and not tinted (light parts coloured)."""
    colour_left: float = 0.1
    """The most colour of the scene that is left, in [0, 1]: 0 means a grey print under the dye."""
    probability: float = 1.0
    family: Literal["tint"] = "tint"

    def __post_init__(self) -> None:
        shares(depth=self.depth, toned=self.toned, colour_left=self.colour_left)
        shares(probability=self.probability)

    def scaled(self, severity: float) -> Self:
        return replace(self, depth=min(self.depth * severity, 1.0))

    def begin(self, setting: Setting) -> "_Tinted":
        rng = stream(setting.seed, self.family)
        dye = np.array(_DYES[int(rng.integers(len(_DYES)))])
        depth = min(self.depth * float(rng.uniform(0.5, 1.2)), 1.0)
        light = tuple(rounded(1 - depth * (1 - let)) for let in dye)
        left, toned = rounded(rng.uniform(0, self.colour_left)), bool(rng.random() < self.toned)
        return _Tinted(_Dyed(light, left, toned) if setting.size.channels == 3 else None)


class _Tinted:
    def __init__(self, dyed: "_Dyed | None") -> None:
        self._moment = Moment(on_target=dyed)

    def next(self) -> Moment:
        return self._moment


@dataclass(frozen=True)
class _Dyed(InPlace):
    light: tuple[float, ...]
    colour_left: float
    toned: bool

    def __call__(self, planes_CHW: Planes) -> Planes:
        grey_HW = planes_CHW[0] * np.float32(_LUMA[0])
        for plane_HW, weight in zip(planes_CHW[1:], _LUMA[1:], strict=True):
            grey_HW += plane_HW * np.float32(weight)
        out = planes_CHW - grey_HW
        out *= np.float32(self.colour_left)
        dark_HW = grey_HW * (1 - grey_HW)
        for out_HW, let in zip(out, self.light, strict=True):
            if self.toned:
                out_HW += grey_HW
                out_HW += dark_HW * np.float32(let - sum(self.light) / 3)
            else:
                out_HW += grey_HW * np.float32(let)
        return limited(out)
