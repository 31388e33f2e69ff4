"""What a colouriser has to be better than: one still's chroma pasted everywhere, and chroma by luma alone.

Shape suffixes: H rows, W columns; 2 is (a, b).
"""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from models.colour.colouriser import Coloured, Reference
from models.restorer import Card, Footage, luma

Float = NDArray[np.float32]

_LEVELS = 256


class Copied:
    """The first reference's chroma on every frame."""

    device, reached_from = "cpu", 0.0
    card = Card("copied", "1")

    def colour(self, footage: Footage, references: Sequence[Reference]) -> Iterator[Coloured]:
        """The same for each frame."""
        still = references[0]
        same = Coloured(still.ab_2HW, np.ones_like(still.luma_HW))
        for _ in range(footage.frame_count):
            yield same


class ByLuma:
    """The mean chroma that the first reference has at each luma, whose histogram is first matched to each
    frame's.

    Source: Welsh et al., SIGGRAPH 2002, without its neighbourhoods; luma matched as by histograms rather than
    by mean and spread (Reinhard et al. 2001).
    """

    device, reached_from = "cpu", 0.0
    card = Card("by-luma", "1")

    def colour(self, footage: Footage, references: Sequence[Reference]) -> Iterator[Coloured]:
        """One for each frame, by its own histogram."""
        still = references[0]
        rank_HW = _ranks(still.luma_HW)
        count = np.bincount(rank_HW.ravel(), minlength=_LEVELS)
        known = count > 0
        levels = np.arange(_LEVELS)
        table_2 = [
            np.interp(
                levels,
                levels[known],
                np.bincount(rank_HW.ravel(), plane_HW.ravel(), _LEVELS)[known] / count[known],
            ).astype(np.float32)
            for plane_HW in still.ab_2HW
        ]
        for planes_CHW in footage:
            rank_HW = _ranks(luma(planes_CHW, footage.colour))
            ab_2HW = np.stack([table[rank_HW] for table in table_2])
            yield Coloured(ab_2HW, np.ones(rank_HW.shape, np.float32))


def _ranks(luma_HW: Float) -> NDArray[np.intp]:
    """Each pixel's place in its own frame's histogram, of `_LEVELS`."""
    levels = np.clip(luma_HW * 1023, 0, 1023).astype(int)
    below = np.cumsum(np.bincount(levels.ravel(), minlength=1024)) / levels.size
    ranks: NDArray[np.intp] = np.minimum(below[levels] * (_LEVELS - 1), _LEVELS - 1).astype(np.intp)
    return ranks
