"""Scanned or drawn dirt blended over the film, as RTN does it (Wan 2022, the released code).

Either one sheet of lines walks sideways through the clip, or every frame has another sheet, cut and turned at
random: real dirt has no memory. Two things differ from RTN. Templates are drawn by us (drawings.py) or given
by the user, never RTN's own, which no licence covers. And a sheet's ground adds nothing: what is fainter than
a twenty-fifth of full contrast is left out (overlay.py), so that the mask tells of marks and not of paper.

Shape suffixes: H rows, W columns.
"""

from dataclasses import dataclass, replace
from typing import Literal, Self

import cv2
import numpy as np
from numpy.typing import NDArray

from degradation.exact import rounded, stream
from degradation.family import Moment, Setting, Size, counts, shares
from degradation.overlay import Blend, Overlay, seen
from degradation.resample import resized, turned
from degradation.sheets import LINES, Byte, Sheet

_BLENDS: tuple[Blend, ...] = ("add", "subtract", "multiply")
_WHOLE_FRAME = "008"
_BRIGHT = "011"
_NEVER_THICKENED = {LINES, _WHOLE_FRAME, "010", _BRIGHT}


@dataclass(frozen=True)
class Templates:
    """Sheets of dirt. Lengths are pixels of the sheet (box) and the frame (walk), as in RTN."""

    lines: float = 0.2
    """Share of the clips in which one sheet of lines walks through all frames."""
    frames: float = 1.0
    """Share of the other clips' frames that have a sheet. RTN dirties every frame."""
    plain: float = 0.15
    """Share of sheets that are laid on whole, resized to the frame."""
    smallest_box_px: int = 150
    """Least side of the square cut from a sheet around one of its marks."""
    largest_box_px: int = 360
    contrasted: float = 0.7
    """Share of the cut sheets, but for lines, whose contrast is raised two to four times."""
    least_opacity: float = 0.6
    """The least share of a mark that shows; the most is all."""
    shortest_step_px: int = 5
    """How far walking lines go from frame to frame, left or right, at least ..."""
    longest_step_px: int = 15
    """... and at most."""
    templates_sha256: str = ""
    """The set of templates, by the digest that `tasks.corpora.templates` tells; empty: our own drawings."""
    probability: float = 1.0
    family: Literal["templates"] = "templates"

    def __post_init__(self) -> None:
        shares(lines=self.lines, frames=self.frames, plain=self.plain, contrasted=self.contrasted)
        shares(least_opacity=self.least_opacity, probability=self.probability)
        counts(shortest_step_px=self.shortest_step_px)
        if not 8 <= self.smallest_box_px <= self.largest_box_px:
            raise ValueError(f"smallest_box_px must lie in [8, largest_box_px], not {self.smallest_box_px}")
        if self.shortest_step_px > self.longest_step_px:
            raise ValueError(f"shortest_step_px is above longest_step_px: {self.shortest_step_px}")

    def scaled(self, severity: float) -> Self:
        return replace(self, frames=min(self.frames * severity, 1.0))

    def begin(self, setting: Setting) -> "Walking | Changing":
        rng = stream(setting.seed, self.family)
        sheets = setting.sheets
        lines = [number for number, kind in enumerate(sheets.kinds) if kind == LINES]
        if rng.random() < self.lines and lines:
            return Walking(self, sheets[int(rng.choice(lines))], setting, rng)
        return Changing(self, setting)


class Walking:
    """One sheet of lines that goes left or right by some pixels in every frame."""

    def __init__(self, recipe: Templates, sheet: Sheet, setting: Setting, rng: np.random.Generator) -> None:
        self._recipe = recipe
        self._seed = setting.seed
        self._frame = -1
        self._texture_HW = cut(sheet, recipe, setting.size, rng)
        self._blend = _BLENDS[int(rng.integers(3))]

    def next(self) -> Moment:
        self._frame += 1
        recipe = self._recipe
        rng = stream(self._seed, recipe.family, self._frame)
        step_px = int(rng.integers(recipe.shortest_step_px, recipe.longest_step_px + 1))
        step_px = min(step_px, self._texture_HW.shape[1] - 1)
        left = rng.random() < 0.5
        if self._frame > 0:
            self._texture_HW = _stepped(self._texture_HW, -step_px if left else step_px)
        return _moment(self._texture_HW, self._blend, recipe, rng)


class Changing:
    """Another sheet in every frame."""

    def __init__(self, recipe: Templates, setting: Setting) -> None:
        self._recipe = recipe
        self._sheets = setting.sheets
        self._count = len(setting.sheets.kinds)
        self._size = setting.size
        self._seed = setting.seed
        self._frame = -1

    def next(self) -> Moment:
        self._frame += 1
        recipe = self._recipe
        rng = stream(self._seed, recipe.family, self._frame)
        if rng.random() >= recipe.frames:
            return Moment()
        sheet = self._sheets[int(rng.integers(self._count))]
        texture_HW = cut(sheet, recipe, self._size, rng)
        blend = _BLENDS[int(rng.integers(3))]
        return _moment(texture_HW, "add" if sheet.kind == _BRIGHT else blend, recipe, rng)


def _moment(texture_HW: Byte, blend: Blend, recipe: Templates, rng: np.random.Generator) -> Moment:
    opacity = rounded(rng.uniform(recipe.least_opacity, 1))
    return Moment(overlays=(Overlay(0, 0, seen(255 - texture_HW, opacity), blend=blend),))


def _stepped(texture_HW: Byte, step_px: int) -> Byte:
    """Moved right (left where negative); the edge column is repeated."""
    out_HW = np.roll(texture_HW, step_px, axis=1)
    if step_px > 0:
        out_HW[:, :step_px] = texture_HW[:, :1]
    elif step_px < 0:
        out_HW[:, step_px:] = texture_HW[:, -1:]
    return out_HW


def cut(sheet: Sheet, recipe: Templates, size: Size, rng: np.random.Generator) -> Byte:
    """A texture (H, W) for the frame, dark marks on light ground, from somewhere on the sheet."""
    if rng.random() < recipe.plain or sheet.kind == _WHOLE_FRAME:
        return _fitted(sheet.grey_HW, size)
    height, width = sheet.grey_HW.shape
    side = min(int(rng.integers(recipe.smallest_box_px, recipe.largest_box_px + 1)), height, width)
    mark = int(rng.choice(sheet.marks)) if len(sheet.marks) else int(rng.integers(height * width))
    # The mark lies anywhere in the box, and the box inside the sheet.
    top, left = (
        int(np.clip(place - rng.integers(side), 0, length - side))
        for place, length in zip(divmod(mark, width), (height, width), strict=True)
    )
    if sheet.kind == LINES:
        return _fitted(sheet.grey_HW[top : top + side, left : left + side], size)
    middle = (side - 1) / 2
    angle = rng.uniform(0, 2 * np.pi)
    texture_HW = _fitted(turned(sheet.grey_HW, top + middle, left + middle, side, angle), size)
    if sheet.kind not in _NEVER_THICKENED and rng.random() < 0.5:
        texture_HW = np.asarray(cv2.erode(texture_HW, np.ones((3, 3), np.uint8)), np.uint8)
    if rng.random() < recipe.contrasted:
        texture_HW = _contrasted(sheet.mean, rng.uniform(2, 4))[texture_HW]
    return texture_HW


def _fitted(grey_HW: Byte, size: Size) -> Byte:
    sixteenths_HW = resized(grey_HW.astype(np.float32) * 16, size.height, size.width, "averaging lanczos")
    fitted_HW: Byte = np.rint(sixteenths_HW * np.float32(1 / 16)).astype(np.uint8)
    return fitted_HW


def _contrasted(mean: int, factor: float) -> NDArray[np.uint8]:
    """A table of levels: their distance from the mean so many times as large."""
    levels = mean + rounded(factor) * (np.arange(256) - mean)
    table: NDArray[np.uint8] = np.clip(np.rint(np.round(levels, 6)), 0, 255).astype(np.uint8)
    return table
