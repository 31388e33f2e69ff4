"""Scanned dirt: grey pictures of dark marks on light ground, and sets of them.

Shape suffixes: H rows, W columns.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, Self

import numpy as np
from numpy.typing import NDArray

Byte = NDArray[np.uint8]
Kind = str
"""The folder a template lies in. RTN's twelve, `001` to `012`, have a treatment each; any other none."""

LINES: Kind = "001"
_BORDER_PX = 40  # a scan's edges are often dark: no place to look for marks
_MOST_MARKS = 4096


@dataclass(frozen=True)
class Sheet:
    """One template."""

    kind: Kind
    grey_HW: Byte
    mean: int
    marks: NDArray[np.int32]
    """Some of the pixels in marks, as row * W + column; empty where there are none."""

    @classmethod
    def of(cls, kind: Kind, grey_HW: Byte) -> Self:
        """Finds the marks: darker than the mean by 15 levels, lines by 25."""
        mean = int(grey_HW.sum(dtype=np.int64)) // grey_HW.size
        dark_HW = grey_HW < mean - (25 if kind == LINES else 15)
        dark_HW[:, :_BORDER_PX] = dark_HW[:, -_BORDER_PX:] = False
        marks = np.flatnonzero(dark_HW).astype(np.int32)
        return cls(kind, grey_HW, mean, marks[:: 1 + len(marks) // _MOST_MARKS].copy())


class Sheets(Protocol):
    """A set of templates."""

    @property
    def sha256(self) -> str:
        """Of all that is in it; empty for our own drawings."""

    @property
    def kinds(self) -> Sequence[Kind]:
        """The kind of each."""

    def __getitem__(self, number: int) -> Sheet: ...


@dataclass(frozen=True)
class ScannedSheets:
    """A set of someone's own scans."""

    sha256: str
    sheets: tuple[Sheet, ...]

    @property
    def kinds(self) -> Sequence[Kind]:
        return [sheet.kind for sheet in self.sheets]

    def __getitem__(self, number: int) -> Sheet:
        return self.sheets[number]
