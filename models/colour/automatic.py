"""A guess at a still's colours, by a model that the user brings. None comes with Answerprint.

Shape suffixes: H rows, W columns of the still; h, w of what the model is given; 1, 2, 3 channels, the first 1
the batch; 2 is (a, b) of CIE L*a*b* under D65, in its own units.
"""

import sys
from collections.abc import Callable
from contextlib import redirect_stdout
from dataclasses import dataclass
from typing import Any, Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from models.colour.guided import enlarge_along
from models.colour.lab import lab_of_rgb

Float = NDArray[np.float32]

Kind = Literal["function", "ONNX", "TorchScript"]

# Longer side of what a model is given, unless it takes one size alone: colour is carried at no more.
_WORK_PX = 640
# Networks halve the picture up to five times.
_MULTIPLE = 32
# Lab's a and b as 8 bit hold them. A little beyond is clipped; farther is in other units, like 0 to 255.
_MOST_AB, _REFUSED_AB = 128, 160
# How far beyond 0 and 1 RGB is clipped; farther it is in other units: -1 to 1, 0 to 255.
_BEYOND_RGB = 0.25


class StillModelError(Exception):
    """A model cannot be had, or what it gives is no colour: one line that names it."""


@dataclass(frozen=True)
class Maker:
    """Which model guessed, for records."""

    name: str
    """The file's name without its folder, or `module:function`."""
    kind: Kind
    sha256: str
    """Of the model's file; of a function, of its module's file."""

    def title(self) -> str:
        return f"{self.name}, {self.kind}, sha256 {self.sha256[:16]}"


@dataclass(frozen=True)
class StillColouriser:
    """A model as everything here asks it: one still's luma in, its chroma out."""

    maker: Maker
    run: Callable[[Float], Any]
    """luma_11hw, float32, coded as in the grey still, 0 black and 1 white, to picture_12hw, a and b in Lab
    units, or picture_13hw, RGB in [0, 1] coded as in sRGB. Of an RGB picture the chroma alone is used.
    """
    size_hw: tuple[int, int] | None = None
    """The one size that the model takes; None: any with sides that are multiples of 32."""

    def ab_of(self, luma_HW: Float) -> Float:
        """ab_2HW of a still, whose luma is in [0, 1].

        The model is given it at its size, or with the longer side at most 640, both stretched to multiples
        of 32; its colour is enlarged along the still's edges. Raises StillModelError.
        """
        height, width = self.size_hw or _work_size(luma_HW.shape)
        luma_hw = np.clip(_resized(luma_HW, height, width), 0, 1)
        try:
            with redirect_stdout(sys.stderr):  # stdout is for what the command tells
                made: NDArray[Any] = np.asarray(self.run(luma_hw[None, None].copy()))
        except (Exception, SystemExit) as error:  # whatever another's code raises
            raise self._error(f"failed on a still of {width}x{height}: {in_a_line(error)}") from error
        ab_2hw = self._ab(made, height, width)
        if height < luma_HW.shape[0] and width < luma_HW.shape[1]:
            return enlarge_along(ab_2hw, luma_hw, luma_HW)
        return np.stack([_resized(plane_hw, *luma_HW.shape) for plane_hw in ab_2hw])

    def try_out(self) -> None:
        """Asks for a grey ramp's colours, so that what cannot work fails at once. Raises StillModelError."""
        self.ab_of(np.tile(np.linspace(0, 1, 256, dtype=np.float32), (256, 1)))

    def _ab(self, made: NDArray[Any], height: int, width: int) -> Float:
        if made.shape not in ((1, 2, height, width), (1, 3, height, width)) or made.dtype.kind != "f":
            told = f"{made.dtype} of {made.shape}" if made.ndim else "no array"
            raise self._error(
                f"gave {told}; floats of (1, 2, {height}, {width}), a and b, or (1, 3, {height}, {width}), "
                "RGB, are wanted"
            )
        picture_Chw = made[0].astype(np.float32)
        if not np.isfinite(picture_Chw).all():
            raise self._error(f"gave no number for {np.mean(~np.isfinite(picture_Chw)):.1%} of its values")
        low, high = float(picture_Chw.min()), float(picture_Chw.max())
        if len(picture_Chw) == 3:
            if low < -_BEYOND_RGB or high > 1 + _BEYOND_RGB:
                raise self._error(f"gave RGB from {low:.4g} to {high:.4g}; 0 to 1 is wanted")
            ab_2hw: Float = lab_of_rgb(np.clip(picture_Chw, 0, 1))[1:]
            return ab_2hw
        if max(-low, high) > _REFUSED_AB:
            raise self._error(f"gave a and b from {low:.4g} to {high:.4g}; Lab's, -128 to 128, are wanted")
        clipped_2hw: Float = np.clip(picture_Chw, -_MOST_AB, _MOST_AB)
        return clipped_2hw

    def _error(self, what: str) -> StillModelError:
        return StillModelError(f"{self.maker.name}: {what}")


def in_a_line(error: BaseException) -> str:
    """What an error of another's code says, as one line: the last, where TorchScript tells the cause."""
    told = str(error).strip() or type(error).__name__
    if isinstance(error, SystemExit):
        told = f"it ended itself, status {error.code or 0}"
    return told.splitlines()[-1].strip()


def _work_size(shape_HW: tuple[int, ...]) -> tuple[int, int]:
    scale = min(1.0, _WORK_PX / max(shape_HW)) / _MULTIPLE
    height, width = (max(1, round(side * scale)) * _MULTIPLE for side in shape_HW)
    return height, width


def _resized(plane: Float, height: int, width: int) -> Float:
    smaller = height <= plane.shape[0] and width <= plane.shape[1]
    how = cv2.INTER_AREA if smaller else cv2.INTER_LINEAR
    resized: Float = cv2.resize(plane, (width, height), interpolation=how)
    return resized
