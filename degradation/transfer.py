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
_BLOCK_PX = 8
_MOST_BLOCKS = 8000  # in one row: JPEG's pictures have at most 65,535 columns


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
        return self._lights(self._compressed(self._codes(planes_CHW)), planes_CHW)

    def of_both(self, undamaged_CHW: Planes, damaged_CHW: Planes) -> tuple[Planes, Planes]:
        one_HWC, other_HWC = self._codes(undamaged_CHW), self._codes(damaged_CHW)
        packed_HWC = self._compressed(one_HWC)
        alone = len(undamaged_CHW) == 1
        again_HWC = self._mended(packed_HWC, one_HWC, other_HWC) if alone else self._compressed(other_HWC)
        return self._lights(packed_HWC, undamaged_CHW), self._lights(again_HWC, damaged_CHW)

    def _mended(self, packed_HW1: Codes, one_HW1: Codes, other_HW1: Codes) -> Codes:
        """The other picture compressed, by what the one became: blocks of grey know nothing of each other,
        and where both are alike nothing is done again."""
        out_HW1 = packed_HW1.copy()
        rows, columns = _touched(one_HW1, other_HW1)
        for part in range(0, len(rows), _MOST_BLOCKS):
            these = slice(part, part + _MOST_BLOCKS)
            at = rows[these], slice(None), columns[these]
            row_8W1 = _blocks(other_HW1)[at].swapaxes(0, 1).reshape(_BLOCK_PX, -1, 1)
            _blocks(out_HW1)[at] = _blocks(self._compressed(row_8W1))[0].swapaxes(0, 1)
        return out_HW1

    def _codes(self, planes_CHW: Planes) -> Codes:
        """What is compressed, in whole blocks."""
        light_CHW = planes_CHW[::-1] * np.float32(255)  # OpenCV takes blue first
        # Rounded to the nearest, halves to even, and kept within 0 and 255.
        codes = [cv2.add(light_HW, self.noise_HW, dtype=cv2.CV_8U) for light_HW in light_CHW]
        codes_HWC: Codes = np.stack(codes, axis=2)
        if self.halo:
            codes_HWC = _haloed(codes_HWC, round(self.halo * _PARTS))
        height, width, planes = codes_HWC.shape
        top, left = self.corner
        bottom, right = -(top + height) % _BLOCK_PX, -(left + width) % _BLOCK_PX
        wide_HWC = cv2.copyMakeBorder(codes_HWC, top, bottom, left, right, cv2.BORDER_REPLICATE)
        blocks_HWC: Codes = wide_HWC.reshape(*wide_HWC.shape[:2], planes)
        return blocks_HWC

    def _compressed(self, codes_HWC: Codes) -> Codes:
        done, jpeg = cv2.imencode(".jpg", codes_HWC, [cv2.IMWRITE_JPEG_QUALITY, self.quality])
        if not done:
            raise RuntimeError("OpenCV cannot write JPEG: install a build that can")
        back_HWC: Codes = np.asarray(cv2.imdecode(jpeg, cv2.IMREAD_UNCHANGED), np.uint8)
        shaped_HWC: Codes = back_HWC.reshape(codes_HWC.shape)
        return shaped_HWC

    def _lights(self, codes_HWC: Codes, like_CHW: Planes) -> Planes:
        top, left = self.corner
        height, width = like_CHW.shape[1:]
        cut_HWC = codes_HWC[top : top + height, left : left + width]
        out: Planes = cut_HWC.transpose(2, 0, 1)[::-1].astype(np.float32, order="C")
        out *= np.float32(1 / 255)
        return out


def _blocks(picture_HWC: Codes) -> Codes:
    """Its blocks (rows, 8, columns, 8, C), to look into and to write into."""
    height, width, planes = picture_HWC.shape
    return picture_HWC.reshape(height // _BLOCK_PX, _BLOCK_PX, width // _BLOCK_PX, _BLOCK_PX, planes)


def _touched(one_HW1: Codes, other_HW1: Codes) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Rows and columns of the blocks in which two pictures differ."""
    eight_Hw = (one_HW1 != other_HW1)[..., 0].view(np.uint64)  # pixels side by side: a block's width
    rows, columns = np.nonzero(
        np.bitwise_or.reduce(eight_Hw.reshape(-1, _BLOCK_PX, eight_Hw.shape[1]), axis=1)
    )
    return rows, columns


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
