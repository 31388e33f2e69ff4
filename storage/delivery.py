"""A delivery on disk: the names of its files, and its frames with what they replaced.

    master.mkv      the restored film: FFV1, the source's depth, sound, timecode, chapters and tags
    mask.mkv        0: the source's own pixel; 1 to 254: repaired, and how sure the restorer was;
                    255: moved by a global step alone
    originals.mkv   the source's pixels inside the mask, zero outside
    access.mp4      for looking at
    changes.parquet a row per frame and region
    frames.parquet, reel.json, shots.otio, shots.edl, shots.csv, source.framemd5, master.framemd5,
    review-list.json, events.json, delivery.json, sheets/, report.html

Master, mask and originals together hold the source, bit for bit: `DeliveredFrame.source`.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from pathlib import Path
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

from storage.container import Decoder, open_film
from storage.errors import VaultError
from storage.pixels import Picture, Unpacker, replace

MASTER, MASK, ORIGINALS, ACCESS = "master.mkv", "mask.mkv", "originals.mkv", "access.mp4"
CHANGES, FRAMES, REEL = "changes.parquet", "frames.parquet", "reel.json"
SOURCE_SUMS, MASTER_SUMS = "source.framemd5", "master.framemd5"
SUMMARY, REVIEW, EVENTS, REPORT = "delivery.json", "review-list.json", "events.json", "report.html"
SHEETS = "sheets"
MOVED = 255
FILES = (
    MASTER, MASK, ORIGINALS, ACCESS, CHANGES, FRAMES, REEL, SOURCE_SUMS, MASTER_SUMS, SUMMARY, REVIEW, EVENTS,
    REPORT,
)  # fmt: skip
"""What every delivery holds."""


@dataclass(frozen=True)
class DeliveredFrame:
    """One frame of a delivery."""

    frame: int
    time_ms: int
    master: Picture
    mask_HW: NDArray[np.uint8]
    originals: Picture

    @cached_property
    def source(self) -> Picture:
        """The source's picture: the replaced pixels put back. The master's own where none were."""
        return replace(self.master, self.originals, self.mask_HW > 0)


def read_delivery(folder: Path) -> Iterator[DeliveredFrame]:
    """The delivery's frames in order. Raises VaultError where its films are damaged or differ in length."""
    films = [read_pictures(folder / name) for name in (MASTER, MASK, ORIGINALS)]
    frame = 0
    while True:
        master, mask, originals = (next(film, None) for film in films)
        if master is None and mask is None and originals is None:
            return
        if master is None or mask is None or originals is None:
            raise VaultError(
                f"{folder}: {MASTER}, {MASK} and {ORIGINALS} differ in length after frame {frame}"
            )
        yield DeliveredFrame(frame, master[0], master[1], grey8(mask[1]), originals[1])
        frame += 1


def grey8(mask: Picture) -> NDArray[np.uint8]:
    return mask.planes[0].astype(np.uint8, copy=False)


def read_pictures(path: Path) -> Iterator[tuple[int, Picture]]:
    """(time in ms, picture) of every frame of a film of ours. Raises VaultError where it is damaged."""
    unpacker = Unpacker()
    shown: av.VideoFrame | None = None
    with open_film(str(path)) as container:
        decoder = Decoder(container)
        for decoded in decoder.frames():
            if decoded.corrupt or decoder.errors:
                raise VaultError(
                    f"{path}: damaged at {decoded.frame.time} s ({(decoder.errors or ['?'])[0]})"
                )
            if decoded.frame is not shown:
                shown, picture = decoded.frame, unpacker.picture(decoded.frame)
            time: Any = decoded.pts if decoded.pts is not None else -1
            yield int(time), picture
        if decoder.errors:
            raise VaultError(f"{path}: damaged ({decoder.errors[0]})")


def picture_at(path: Path, number: int, rate: Fraction) -> Picture:
    """One picture of a shot's film, which begins at 0 and has even times, found without reading all before.

    number: from 0. Raises VaultError where it is not there or the film is damaged.
    """
    with open_film(str(path)) as container:
        decoder = Decoder(container)
        base = Fraction(decoder.stream.time_base or 0)
        decoder.seek(int(number / rate / base))
        for decoded in decoder.frames():
            at = round((decoded.pts or 0) * base * rate)
            if at >= number:
                if at > number or decoded.corrupt or decoder.errors:
                    break
                return Unpacker().picture(decoded.frame)
    raise VaultError(f"{path}: frame {number} of it cannot be read")
