"""The way through video: the chain's noise, its sharpening, and block compression.

Shape suffixes: C planes, H rows, W columns.
"""

from dataclasses import dataclass, replace
from typing import Literal, Self

import cv2
import numpy as np
from numpy.typing import NDArray

from degradation.exact import noise, rounded, stream
from degradation.family import InPlace, Moment, Planes, Setting, Size, shares

Codes = NDArray[np.uint8]

_PARTS = 64


@dataclass(frozen=True)
class Transfer:
    """A telecine of eight bits. It comes last. The rings that it leaves around damage are not damage: a mask
    goes through it unchanged, so that damaged and undamaged film differ a little outside of it."""

    noise: float = 0.006
    """Standard deviation of the chain's white noise, of full contrast."""
    halo: float = 0.3
    """The most that is added again of what a blur takes away: light seams along edges; clips differ."""
    coarsest: float = 0.6
    """The most that compression takes away: 0 is JPEG quality 95, 1 is 15; clips differ."""
    probability: float = 1.0
    family: Literal["transfer"] = "transfer"

    def __post_init__(self) -> None:
        shares(noise=self.noise, halo=self.halo, coarsest=self.coarsest, probability=self.probability)

    def scaled(self, severity: float) -> Self:
        return replace(
            self,
            noise=min(self.noise * severity, 1.0),
            halo=min(self.halo * severity, 1.0),
            coarsest=min(self.coarsest * severity, 1.0),
        )

    def begin(self, setting: Setting) -> "_Transferring":
        return _Transferring(self, setting.size, setting.seed)


class _Transferring:
    def __init__(self, recipe: Transfer, size: Size, seed: int) -> None:
        self._recipe = recipe
        self._size = size
        self._rng = rng = stream(seed, recipe.family)
        self._halo = rounded(rng.uniform(0, recipe.halo))
        self._quality = round(95 - 80 * float(rng.uniform(0, recipe.coarsest)))
        self._corner = (int(rng.integers(8)), int(rng.integers(8)))

    def next(self) -> Moment:
        noise_HW = noise(self._size.height, self._size.width, self._rng, deviation=255 * self._recipe.noise)
        return Moment(on_film=_Video(noise_HW, self._halo, self._quality, self._corner))


@dataclass(frozen=True)
class _Video(InPlace):
    noise_HW: NDArray[np.float32]
    """In codes of 255."""
    halo: float
    quality: int
    corner: tuple[int, int]
    """Rows and columns of the first block that lie outside of the frame."""

    def __call__(self, planes_CHW: Planes) -> Planes:
        light_CHW = planes_CHW[::-1] * np.float32(255)  # OpenCV takes blue first
        light_CHW += self.noise_HW
        np.rint(light_CHW, out=light_CHW)
        np.clip(light_CHW, 0, 255, out=light_CHW)
        codes_HWC = np.ascontiguousarray(light_CHW.astype(np.uint8).transpose(1, 2, 0))
        if self.halo:
            codes_HWC = _haloed(codes_HWC, round(self.halo * _PARTS))
        top, left = self.corner
        wide_HWC = cv2.copyMakeBorder(codes_HWC, top, 0, left, 0, cv2.BORDER_REPLICATE)
        done, jpeg = cv2.imencode(".jpg", wide_HWC, [cv2.IMWRITE_JPEG_QUALITY, self.quality])
        if not done:
            raise RuntimeError("OpenCV cannot write JPEG: install a build that can")
        back_HWC = np.asarray(cv2.imdecode(jpeg, cv2.IMREAD_UNCHANGED)).reshape(*wide_HWC.shape[:2], -1)[
            top:, left:
        ]
        out: Planes = back_HWC.transpose(2, 0, 1)[::-1].astype(np.float32, order="C")
        out *= np.float32(1 / 255)
        return out


def _haloed(codes_HWC: Codes, parts: int) -> Codes:
    """What a blur takes away is added again, so many parts of it, at most `_PARTS`; 16 bits hold it all."""
    soft_HWC = cv2.GaussianBlur(codes_HWC, (5, 5), 1.2).reshape(codes_HWC.shape)
    wide_HWC = codes_HWC.astype(np.int16)
    edges_HWC = wide_HWC - soft_HWC.astype(np.int16)
    edges_HWC *= np.int16(parts)
    wide_HWC *= np.int16(_PARTS)
    wide_HWC += edges_HWC
    wide_HWC += np.int16(_PARTS // 2)
    wide_HWC >>= 6  # by _PARTS
    return np.clip(wide_HWC, 0, 255, out=wide_HWC).astype(np.uint8)
