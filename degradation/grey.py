"""Black and white: what a recipe for grey film makes of pictures in colour."""

from dataclasses import dataclass
from typing import Literal, Self

import numpy as np

from degradation.family import InPlace, Moment, Planes, Setting, shares

_LUMA = (0.299, 0.587, 0.114)


@dataclass(frozen=True)
class Grey:
    """Red, green and blue become their luma (BT.601); grey frames stay as they are."""

    probability: float = 1.0
    family: Literal["grey"] = "grey"

    def __post_init__(self) -> None:
        shares(probability=self.probability)

    def scaled(self, severity: float) -> Self:
        return self

    def begin(self, setting: Setting) -> "_Greying":
        return _Greying(Moment(on_target=None if setting.size.channels == 1 else _Greyed()))


@dataclass(frozen=True)
class _Greying:
    moment: Moment

    def next(self) -> Moment:
        return self.moment


class _Greyed(InPlace):
    def __call__(self, planes_CHW: Planes) -> Planes:
        luma_HW = planes_CHW[0] * np.float32(_LUMA[0])
        for plane_HW, weight in zip(planes_CHW[1:], _LUMA[1:], strict=True):
            luma_HW += plane_HW * np.float32(weight)
        return np.repeat(np.minimum(luma_HW, 1)[None], len(planes_CHW), axis=0)
