"""A shot's pictures on their way to a restorer, kept until its repairs for them come back."""

from collections import deque
from collections.abc import Iterator
from typing import Any

from models.classical.deflicker import deflicker
from models.classical.stabilise import stabilise
from models.restorer import Footage, Planes
from storage.frames import read_frames
from storage.pixels import Picture, floats
from storage.reel import VideoFacts
from tasks.changes import step_rows
from tasks.ingest import IngestedReel
from tasks.mask import MaskFilm

_KEPT_FRAMES = 32
"""How far a restorer may read ahead of its repairs (270 MB in 1080p 4:2:2 of 10 bit), at most."""
_KEPT_BYTES = 512 << 20
"""Larger pictures are kept in smaller numbers."""
_LEAST_KEPT_FRAMES = 16
"""No restorer looks further ahead; 800 MB in 4K RGB of 16 bit."""


class ShotFootage:
    """One decoding serves both the restorer and the merge with the source's own samples."""

    def __init__(self, reel: IngestedReel, start: int, end: int, mask: MaskFilm | None = None) -> None:
        self._reel, self._start, self._end = reel, start, end
        self._given = mask.given(start, end) if mask else None
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

    def steadied(self) -> tuple[Footage, list[list[dict[str, Any]]]]:
        """The shot stabilised and deflickered, and each frame's rows of the change log for both."""
        steady, shifts = stabilise(self.as_it_is())
        even, corrections = deflicker(steady)
        video = self._reel.reel.video
        steps = zip(shifts, corrections, strict=True)
        rows = [
            step_rows(
                frame, self._start, (video.width, video.height), {"stabilise": shift, "deflicker": correction}
            )
            for frame, (shift, correction) in enumerate(steps, self._start)
        ]
        return even, rows

    def taken(self, frame: int) -> Picture:
        """The source's picture of a frame that the restorer has read; frames are asked for in order.

        Raises RuntimeError where the restorer has not read it, or is too far ahead.
        """
        while self._kept:
            number, picture = self._kept.popleft()
            if number == frame:
                return picture
        raise RuntimeError(f"the restorer's repair of frame {frame} does not follow its reading of the shot")

    def _read(self) -> Iterator[Planes]:
        self._kept.clear()
        pictures = read_frames(self._reel.reel, self._reel.rows, self._start, self._end)
        for frame, picture in enumerate(pictures, self._start):
            self._kept.append((frame, picture))
            yield floats(picture)


def _kept_frames(video: VideoFacts) -> int:
    fit = _KEPT_BYTES // video.layout.frame_bytes(video.width, video.height)
    return min(_KEPT_FRAMES, max(_LEAST_KEPT_FRAMES, fit))
