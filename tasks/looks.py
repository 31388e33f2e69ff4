"""The small grey copy of a reel that detection looks at, made at ingest: it saves decoding the reel again."""

from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
from numpy.typing import NDArray

from storage.container import Decoder, open_film
from storage.master import GREY8, Ffv1Writer
from storage.pixels import Picture, Unpacker, luma8
from storage.reel import FrameRow, VideoFacts

LOOKS = "looks.mkv"
_WIDTH_PX = 192
"""Cuts are as plain there as at full size, at a twentieth of the cost."""


class LooksWriter:
    """Takes every picture that decodes, in order. Use as a context manager."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._writer: Ffv1Writer | None = None

    def write(self, picture: Picture) -> None:
        look = luma8(picture, _WIDTH_PX)
        if self._writer is None:
            self._writer = Ffv1Writer(self._path, _facts(look)).__enter__()
        self._writer.write(Picture((look,), GREY8))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._writer is not None:
            self._writer.__exit__(kind, error, trace)


def read_looks(path: Path, rows: Sequence[FrameRow]) -> Iterator[NDArray[np.uint8]]:
    """One look a frame of the index, uint8 (H, W): a lost frame has its neighbour's, as everywhere."""
    numbers = iter([row.frame for row in rows if row.damage != "lost"])
    unpacker = Unpacker()
    with open_film(str(path)) as container:
        looks = ((next(numbers), unpacker.picture(seen.frame)) for seen in Decoder(container).frames())
        number, picture = next(looks)
        for row in rows:
            while number < row.shown:
                number, picture = next(looks)
            yield picture.planes[0].astype(np.uint8, copy=False)


def _facts(look: NDArray[np.uint8]) -> VideoFacts:
    height, width = look.shape
    one = Fraction(1)
    return VideoFacts("ffv1", "gray", width, height, Fraction(24), one, 0, "progressive", True, 2, 2, 2, 2)
