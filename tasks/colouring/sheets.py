"""Contact sheets of a coloured film: for each shot a PNG with frames restored, coloured, and how sure."""

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from storage.colour_delivery import OWN, ColouredFrame
from storage.coloured import uncoloured
from storage.delivery import SHEETS
from storage.reel import Reel
from storage.timeline import ShotSpan
from tasks.sheets import Looker, caption, small, write_sheet

_FRAMES = 4


class ColourSheetPainter:
    """Collects a few frames of each shot as they stream by, and writes its sheet when its last has passed."""

    def __init__(self, folder: Path, reel: Reel, shots: Sequence[ShotSpan]) -> None:
        """reel: the coloured one."""
        self._folder = folder / SHEETS
        self._folder.mkdir(exist_ok=True)
        self._reel, self._shots = reel, shots
        self._look = Looker(reel.video)
        self._shot = 0
        self._rows: list[NDArray[np.uint8]] = []

    def see(self, coloured: ColouredFrame) -> None:
        shot = self._shots[self._shot]
        if coloured.frame in _chosen(shot):
            self._rows.append(self._row(coloured))
        if coloured.frame == shot.end - 1:
            header = f"shot {self._shot + 1}: restored, coloured, how sure (white: sure; black: not reached)"
            write_sheet(self._folder, self._shot + 1, header, self._rows)
            self._rows = []
            self._shot = min(self._shot + 1, len(self._shots) - 1)

    def _row(self, coloured: ColouredFrame) -> NDArray[np.uint8]:
        after = self._look(coloured.picture)
        before = self._look(uncoloured(coloured.picture.planes[0], self._reel.video))
        sure = small(coloured.coverage_HW, after.shape[1], after.shape[0])
        own = bool((coloured.coverage_HW == OWN).all())
        told = f"frame {coloured.frame}{'   its own colour' if own else ''}"
        row: NDArray[np.uint8] = np.hstack([before, after, sure[..., None].repeat(3, 2)])
        return np.vstack([caption(told, row.shape[1]), row])


def _chosen(shot: ShotSpan) -> set[int]:
    """The middle frame of each quarter of the shot."""
    count = min(_FRAMES, shot.end - shot.start)
    edges = np.linspace(shot.start, shot.end, count + 1)
    return {int((a + b) / 2) for a, b in pairwise(edges)}
