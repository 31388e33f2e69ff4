"""Contact sheets: for each shot a PNG with frames before, after, and where they were changed."""

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from av.video.reformatter import VideoReformatter
from numpy.typing import NDArray

from storage.delivery import MOVED, SHEETS, DeliveredFrame
from storage.pixels import Picture, display, to_frame
from storage.reel import Reel, VideoFacts
from storage.timeline import ShotSpan

_WIDTH_PX = 440
_FRAMES = 4
# Half the size of OpenCV's default, and a fifth quicker: film is much like the line above.
_PNG = (cv2.IMWRITE_PNG_COMPRESSION, 1, cv2.IMWRITE_PNG_FILTER, cv2.IMWRITE_PNG_FILTER_UP)
_MARK = np.array([40, 40, 255], np.float32)  # red, in OpenCV's order


class SheetPainter:
    """Collects the chosen frames as they stream by and writes a shot's sheet when its last one has passed."""

    def __init__(self, folder: Path, reel: Reel, shots: Sequence[ShotSpan], touched: dict[int, int]) -> None:
        """touched: pixels changed, by frame; the most changed frames are shown."""
        self._folder = folder / SHEETS
        self._folder.mkdir(exist_ok=True)
        self._shots = shots
        self._chosen = [_choose(shot, touched) for shot in shots]
        self._look = Looker(reel.video)
        self._shot = 0
        self._rows: list[NDArray[np.uint8]] = []

    def see(self, delivered: DeliveredFrame) -> None:
        if delivered.frame in self._chosen[self._shot]:
            self._rows.append(self._row(delivered))
        if delivered.frame == self._shots[self._shot].end - 1:
            header = f"shot {self._shot + 1}: before, after, repaired"
            write_sheet(self._folder, self._shot + 1, header, self._rows)
            self._rows = []
            self._shot = min(self._shot + 1, len(self._shots) - 1)

    def _row(self, delivered: DeliveredFrame) -> NDArray[np.uint8]:
        before, after = self._look(delivered.source), self._look(delivered.master)
        height, width = before.shape[:2]
        repaired_HW = (delivered.mask_HW > 0) & (delivered.mask_HW != MOVED)
        mask = small(repaired_HW.astype(np.float32), width, height)
        told = f"frame {delivered.frame}   {100 * float(repaired_HW.mean()):.2f} % repaired"
        row: NDArray[np.uint8] = np.hstack([before, after, marked(before, mask)])
        return np.vstack([caption(told, row.shape[1]), row])


class Looker:
    """Looks at a film's pictures: small, in OpenCV's order, in the shape they are shown in."""

    def __init__(self, video: VideoFacts) -> None:
        self._video = video
        self._reformatter = VideoReformatter()

    def __call__(self, picture: Picture) -> NDArray[np.uint8]:
        video = self._video
        rgb = display(to_frame(picture), self._reformatter, video.matrix, video.full_range)
        height = round(_WIDTH_PX * picture.height / picture.width / float(video.sample_aspect))
        turned: NDArray[Any] = cv2.cvtColor(small(rgb, _WIDTH_PX, max(1, height)), cv2.COLOR_RGB2BGR)
        return turned


def small(plane: NDArray[Any], width: int, height: int) -> NDArray[Any]:
    """The plane at the size of a sheet's picture."""
    shrunk: NDArray[Any] = cv2.resize(plane, (width, height), interpolation=cv2.INTER_AREA)
    return shrunk


def write_sheet(folder: Path, shot: int, header: str, rows: Sequence[NDArray[np.uint8]]) -> None:
    """A shot's rows below each other under a header."""
    sheet = np.vstack([caption(header, rows[0].shape[1]), *rows])
    cv2.imwrite(str(folder / sheet_name(shot)), sheet, _PNG)


def sheet_name(shot: int) -> str:
    return f"shot-{shot:04d}.png"


def _choose(shot: ShotSpan, touched: dict[int, int]) -> set[int]:
    """The most changed frame of each quarter of the shot."""
    edges = np.linspace(shot.start, shot.end, min(_FRAMES, shot.end - shot.start) + 1).astype(int)
    return {
        max(range(a, b), key=lambda frame: (touched.get(frame, 0), -abs(frame - (a + b) // 2)))
        for a, b in pairwise(edges)
        if b > a
    }


def marked(picture: NDArray[np.uint8], mask_HW: NDArray[np.float32]) -> NDArray[np.uint8]:
    """The picture (H, W, 3) dimmed, with red where the mask is."""
    dimmed = picture * np.float32(0.6)
    at = mask_HW > 0
    dimmed[at] += (_MARK - dimmed[at]) * np.minimum(mask_HW[at] * 3, 1)[:, None]
    return dimmed.astype(np.uint8)


def caption(text: str, width: int) -> NDArray[np.uint8]:
    strip = np.full((22, width, 3), 24, np.uint8)
    cv2.putText(strip, text, (8, 16), cv2.FONT_HERSHEY_SIMPLEX, 0.45, (220, 220, 220), 1, cv2.LINE_AA)
    return strip
