"""The wear of reels, of clean footage made old, and of a corpus' clips: what is looked at, and how."""

import tempfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from degradation.generator import age
from degradation.recipe import Recipe
from models.motion import shrink
from models.restorer import Colour, Footage, Planes, luma
from models.shots.cuts import find_cuts
from models.wear.measure import measure_wear
from models.wear.wear import Wear
from storage.frames import read_frames
from storage.pixels import Picture, floats
from storage.reel import FrameRow, Reel
from storage.survey import survey
from tasks.looks import LOOKS, LooksWriter, read_looks

Thing = TypeVar("Thing")

_SHORTEST_SHOT = 8
"""Frames: a shorter one has no series to speak of."""


@dataclass(frozen=True)
class Sample:
    """How much of each film is looked at."""

    rows: int = 368
    """Frames are shrunk to this many rows; smaller ones stay. Grain and small dust depend on it: films of
    both sides should come near it."""
    frames: int = 48
    """Most frames of a shot."""
    shots: int = 4
    """Most shots of a real film, spread over it; of clean footage, it is one."""
    footage: int = 8
    """Most films of clean footage, spread over those that are named."""
    clips: int = 40
    """Most clips of a corpus."""


def spread_over(things: Sequence[Thing], most: int) -> list[Thing]:
    """So many of them, from first to last."""
    places = np.linspace(0, len(things) - 1, min(len(things), most)).round().astype(int)
    return [things[place] for place in places]


def measure_reel(source: str, sample: Sample) -> Wear:
    """The wear of a reel's shots, as cuts are detected. Raises SourceError where it cannot be read."""
    return sum((measure_wear(held(shot)) for shot in shots_of(source, sample)), Wear())


def measure_aged(source: str, recipe: Recipe, seed: int, sample: Sample) -> Wear:
    """The wear of clean footage made old now, shot by shot. Raises SourceError."""
    shots = enumerate(shots_of(source, sample))
    return sum((measure_wear(held(_aged(shot, recipe, seed + n))) for n, shot in shots), Wear())


def measure_clips(damaged: Iterable[NDArray[np.uint8]], sample: Sample) -> Wear:
    """The wear of a corpus' clips, TCHW of 8 bit, grey or RGB: each is one shot."""
    wear = Wear()
    for clip_TCHW in damaged:
        colour: Colour = "grey" if clip_TCHW.shape[1] == 1 else "rgb"
        lights = (luma(frame.astype(np.float32) / np.float32(255), colour) for frame in clip_TCHW)
        shot = [_sized(light_HW, sample.rows) for light_HW in islice(lights, sample.frames)]
        wear += measure_wear(held(shot))
    return wear


def shots_of(source: str, sample: Sample) -> Iterator[list[Planes]]:
    """Up to so many frames of up to so many shots of a reel: the start of each, planes (1, H, W).

    Raises SourceError where it cannot be read.
    """
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, LOOKS)
        with LooksWriter(path) as looks:
            reel, rows = survey(source, look=looks.write)
        cuts = find_cuts(read_looks(path, rows))
    starts, ends = [0, *(cut.end for cut in cuts)], [*(cut.start for cut in cuts), reel.frame_count]
    spans = [span for span in zip(starts, ends, strict=True) if span[1] - span[0] >= _SHORTEST_SHOT]
    for start, end in spread_over(spans, sample.shots):
        yield list(islice(_grey(reel, rows, start, end, sample.rows), sample.frames))


def _grey(
    reel: Reel, rows: Sequence[FrameRow], start: int, end: int, height: int
) -> Iterator[NDArray[np.float32]]:
    for picture in read_frames(reel, rows, start, end):
        light_HW = _light(picture, reel.video.full_range)
        yield _sized(light_HW, height)


def _sized(light_HW: NDArray[np.float32], rows: int) -> Planes:
    return shrink(light_HW, min(1.0, rows / light_HW.shape[0]))[None]


def _light(picture: Picture, full_range: bool) -> NDArray[np.float32]:
    """Lightness with black at 0 and white at 1, whatever range the file keeps it in."""
    light_HW: NDArray[np.float32] = luma(floats(picture), picture.layout.colour)
    if full_range or picture.layout.colour == "rgb":
        return light_HW
    expanded: NDArray[np.float32] = np.clip((light_HW - np.float32(16 / 255)) * np.float32(255 / 219), 0, 1)
    return expanded


def _aged(shot: list[Planes], recipe: Recipe, seed: int) -> list[Planes]:
    """Made old and rounded to 8 bit, as scans mostly are."""
    old = (frame.damaged_CHW for frame in age(shot, recipe, seed))
    return [np.rint(planes_CHW * 255).astype(np.float32) / np.float32(255) for planes_CHW in old]


def held(shot: list[Planes]) -> Footage:
    """A shot of lightness that is in memory, as footage."""
    height, width = shot[0].shape[1:]
    return Footage(lambda: iter(shot), len(shot), height, width, "grey")
