"""A shot's pictures on their way to a restorer, kept until its repairs for them come back."""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from models.classical.deflicker import deflicker
from models.classical.stabilise import stabilise
from models.neural.settings import Whole
from models.restorer import Footage, Planes
from storage.frames import read_frames
from storage.pixels import Picture, floats
from storage.reel import VideoFacts
from tasks.changes import step_rows
from tasks.ingest import IngestedReel
from tasks.mask import MaskFilm

_KEPT_FRAMES = 34
"""How many pictures wait for their repairs (280 MB in 1080p 4:2:2 of 10 bit), at most: a network's longest
window, what it looks ahead, and both ends."""
_KEPT_BYTES = 512 << 20
"""Larger pictures are kept in smaller numbers."""
_LEAST_KEPT_FRAMES = 18
"""As many as a window of eight needs; 900 MB in 4K RGB of 16 bit."""


@dataclass(frozen=True)
class WholeFrame:
    """The record of a network's whole frame, taken over."""

    grain: Whole
    """Whose grain lies on it: the source's own (kept), or new grain of its strength (matched)."""


class ShotFootage:
    """One decoding serves both the restorer and the merge with the source's own samples."""

    def __init__(self, reel: IngestedReel, start: int, end: int, mask: MaskFilm | None = None) -> None:
        self._reel, self._start, self._end = reel, start, end
        self._given = mask.given(start, end) if mask else None
        self._again: Iterator[tuple[int, Picture]] | None = None
        self._kept: deque[tuple[int, Picture]] = deque(maxlen=_kept_frames(reel.reel.video))

    def as_it_is(self) -> Footage:
        """The shot as the source has it."""
        video = self._reel.reel.video
        return Footage(
            self._read,
            self._end - self._start,
            video.height,
            video.width,
            video.layout.colour,
            self._given,
        )

    def steadied(self, whole: Whole) -> tuple[Footage, list[list[dict[str, Any]]]]:
        """The shot stabilised and deflickered, and each frame's rows of the change log for all global steps.

        whole: whether a network's whole frame is taken too.
        """
        steady, shifts = stabilise(self.as_it_is())
        even, corrections = deflicker(steady)
        video = self._reel.reel.video
        size = video.width, video.height
        taken = {} if whole == "no" else {"whole frame": WholeFrame(whole)}
        rows = [
            step_rows(frame, self._start, size, {"stabilise": shift, "deflicker": correction, **taken})
            for frame, (shift, correction) in enumerate(zip(shifts, corrections, strict=True), self._start)
        ]
        return even, rows

    def taken(self, frame: int) -> Picture:
        """The source's picture of a frame; frames are asked for in order.

        Where the restorer has read further ahead than pictures are kept, it is decoded again.
        """
        while self._kept and self._kept[0][0] < frame:
            self._kept.popleft()
        if self._kept and self._kept[0][0] == frame:
            return self._kept.popleft()[1]
        again = self._again or self._decoded(frame)
        number, picture = next(again)
        while number < frame:
            number, picture = next(again)
        self._again = again
        return picture

    def _read(self) -> Iterator[Planes]:
        self._kept.clear()
        for frame, picture in self._decoded(self._start):
            self._kept.append((frame, picture))
            yield floats(picture)

    def _decoded(self, first: int) -> Iterator[tuple[int, Picture]]:
        reel = self._reel
        return enumerate(read_frames(reel.reel, reel.rows, first, self._end), first)


def _kept_frames(video: VideoFacts) -> int:
    fit = _KEPT_BYTES // video.layout.frame_bytes(video.width, video.height)
    return min(_KEPT_FRAMES, max(_LEAST_KEPT_FRAMES, fit))
