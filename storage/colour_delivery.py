"""A colour delivery on disk: the names of its files, and its frames with their coverage.

colour.mkv          the coloured film: FFV1, YUV 4:4:4 of 10 bit or more, the restored luma exactly, the
                    source's sound, timecode, chapters and tags, labelled as colourised
coverage.mkv        0: nothing reached, grey; 1 to 254: coloured, and how sure; 255: the film's own colour
colour-access.mp4   for looking at, labelled too
coverage.parquet    a row per frame
stills/             the stills that were used, painted or guessed
luma.framemd5       of the restored film's luma, in the depth of colour.mkv: what its luma must equal
colour.framemd5, frames.parquet, reel.json, shots.otio, shots.edl, shots.csv, review-list.json,
events.json, colour.json, sheets/, report.html
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from storage.delivery import EVENTS, FRAMES, REEL, REPORT, REVIEW, grey8, read_pictures
from storage.errors import VaultError
from storage.pixels import Picture

COLOUR, COVERAGE, COLOUR_ACCESS = "colour.mkv", "coverage.mkv", "colour-access.mp4"
COVERAGE_TABLE, STILLS = "coverage.parquet", "stills"
LUMA_SUMS, COLOUR_SUMS, COLOUR_SUMMARY = "luma.framemd5", "colour.framemd5", "colour.json"
OWN = 255
"""In the coverage: colour that the film has itself."""
COLOUR_FILES = (
    COLOUR, COVERAGE, COLOUR_ACCESS, COVERAGE_TABLE, LUMA_SUMS, COLOUR_SUMS, COLOUR_SUMMARY, EVENTS, FRAMES,
    REEL, REPORT, REVIEW,
)  # fmt: skip
"""What every colour delivery holds."""


@dataclass(frozen=True)
class ColouredFrame:
    """One frame of a colour delivery."""

    frame: int
    time_ms: int
    picture: Picture
    coverage_HW: NDArray[np.uint8]


def read_coloured(folder: Path) -> Iterator[ColouredFrame]:
    """The frames in order. Raises VaultError where the films are damaged or differ in length."""
    films = [read_pictures(folder / name) for name in (COLOUR, COVERAGE)]
    for frame, (coloured, coverage) in enumerate(zip_longest(*films)):
        if coloured is None or coverage is None:
            raise VaultError(f"{folder}: {COLOUR} and {COVERAGE} differ in length after frame {frame}")
        yield ColouredFrame(frame, coloured[0], coloured[1], grey8(coverage[1]))
