"""Whether film made old wears as real film does: both measured with the same instrument, side by side."""

import json
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Literal, TypeVar

import numpy as np
from numpy.typing import NDArray

from degradation.generator import age
from degradation.recipe import Recipe
from degradation.recipes import RECIPES
from models.motion import shrink
from models.restorer import Colour, Footage, luma
from models.shots.cuts import find_cuts
from models.wear.measure import measure_wear
from models.wear.wear import STATISTICS, Samples, Statistic, Wear, memory, overlap, spread
from storage.frames import read_frames
from storage.pixels import Picture, floats
from storage.reel import FrameRow, Reel
from storage.survey import survey
from tasks.looks import LOOKS, LooksWriter, read_looks
from tasks.request import RequestError
from tasks.sources import find_sources

Planes = NDArray[np.float32]
Kind = Literal["real", "clean", "synthetic"]
Thing = TypeVar("Thing")

# Under this overlap of two histograms (1 the same), what is made is not like what is real.
ALIKE = 0.5
_SHORTEST_SHOT = 8


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


@dataclass(frozen=True)
class Side:
    """One film, clean footage, or clean footage made old by one recipe."""

    name: str
    kind: Kind
    wear: Wear


@dataclass(frozen=True)
class Reading:
    """How one side reads by one statistic."""

    side: str
    kind: Kind
    count: int
    mean: float | None
    low: float | None
    """5th percentile; None, as the others, where nothing could be measured."""
    median: float | None
    high: float | None
    """95th percentile."""
    histogram: tuple[int, ...]
    overlap: float | None
    """With all real film together."""


@dataclass(frozen=True)
class Comparison:
    """All sides by one statistic; all real film together comes first."""

    name: str
    unit: str
    edges: tuple[float, ...]
    log: bool
    readings: tuple[Reading, ...]

    def sentences(self) -> list[str]:
        """What synthetic sides differ from real film, and how; clean footage is no side to compare."""
        real = self.readings[0]
        return [
            f"{reading.side}: {self.name} {_how(reading, real)} ({_range(reading)}, real {_range(real)}; "
            f"overlap {reading.overlap:.2f})"
            for reading in self.readings
            if reading.kind == "synthetic" and reading.overlap is not None and reading.overlap < ALIKE
        ]


def measure_reel(source: str, sample: Sample) -> Wear:
    """The wear of a reel's shots, as cuts are detected. Raises SourceError where it cannot be read."""
    return sum((measure_wear(_held(shot)) for shot in _shots(source, sample)), Wear())


def measure_aged(source: str, recipe: Recipe, seed: int, sample: Sample) -> Wear:
    """The wear of clean footage made old now, shot by shot. Raises SourceError."""
    shots = enumerate(_shots(source, sample))
    return sum((measure_wear(_held(_aged(shot, recipe, seed + n))) for n, shot in shots), Wear())


def measure_clips(damaged: Iterable[NDArray[np.uint8]], sample: Sample) -> Wear:
    """The wear of a corpus' clips, TCHW of 8 bit, grey or RGB: each is one shot."""
    wear = Wear()
    for clip_TCHW in islice(damaged, sample.clips):
        colour: Colour = "grey" if clip_TCHW.shape[1] == 1 else "rgb"
        lights = (luma(frame.astype(np.float32) / np.float32(255), colour) for frame in clip_TCHW)
        shot = [_sized(light_HW, sample.rows) for light_HW in islice(lights, sample.frames)]
        wear += measure_wear(_held(shot))
    return wear


def compare(sides: Sequence[Side]) -> list[Comparison]:
    """Every statistic of every side; real film first, together and then each."""
    real = sum((side.wear for side in sides if side.kind == "real"), Wear())
    everyone = [Side("all real film", "real", real), *sides]
    return [_compared(statistic, everyone) for statistic in STATISTICS]


def realism(
    reels: Sequence[str],
    against: Sequence[str],
    clean: Sequence[str],
    output: str,
    seed: int = 1,
    sample: Sample = Sample(),
    progress: Callable[[str], None] = lambda side: None,
) -> list[Comparison]:
    """Measures real reels, clean footage and that footage aged by recipes, and writes the report.

    Raises RequestError, SourceError.
    """
    unknown = [name for name in against if name not in RECIPES]
    if unknown:
        raise RequestError(f"{unknown[0]}: no such recipe; there are: {', '.join(RECIPES)}")
    films, footage = find_sources(reels), _spread(find_sources(clean), sample.footage)
    once = replace(sample, shots=1)
    sides = []
    for film in films:
        progress(film)
        sides.append(Side(Path(film).name, "real", measure_reel(film, sample)))
    progress("clean footage")
    sides.append(Side("clean footage", "clean", sum((measure_reel(c, once) for c in footage), Wear())))
    for name in against:
        progress(name)
        aged = (measure_aged(c, RECIPES[name], seed + 1000 * n, once) for n, c in enumerate(footage))
        sides.append(Side(name, "synthetic", sum(aged, Wear())))
    return write_report(sides, output, sample)


def write_report(sides: Sequence[Side], output: str, sample: Sample) -> list[Comparison]:
    """Writes the page and, beside it, the same as JSON; gives back what they compare."""
    from tasks.realism_page import realism_html  # the page knows this module's types

    comparisons = compare(sides)
    page = Path(output)
    page.parent.mkdir(parents=True, exist_ok=True)
    page.write_text(realism_html(sides, comparisons))
    told = {
        "format": 1,
        "sample": asdict(sample),
        "statistics": [asdict(comparison) for comparison in comparisons],
        "series": [{"side": side.name, **series(side.wear)} for side in sides],
    }
    page.with_suffix(".json").write_text(json.dumps(told, indent=1, allow_nan=False) + "\n")
    return comparisons


def series(wear: Wear) -> dict[str, float | None]:
    """Root mean square and lag-1 autocorrelation of what goes on in time; None where it could not be told."""
    told = {}
    for name, values_T in (("flicker", wear.steps_T), ("across", wear.across_T), ("down", wear.down_T)):
        told[f"{name} rms"], told[f"{name} memory"] = _known(spread(values_T)), _known(memory(values_T))
    return told


def _shots(source: str, sample: Sample) -> Iterator[list[Planes]]:
    """Up to so many frames of up to so many shots: the start of each."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, LOOKS)
        with LooksWriter(path) as looks:
            reel, rows = survey(source, look=looks.write)
        cuts = find_cuts(read_looks(path, rows))
    starts, ends = [0, *(cut.end for cut in cuts)], [*(cut.start for cut in cuts), reel.frame_count]
    spans = [span for span in zip(starts, ends, strict=True) if span[1] - span[0] >= _SHORTEST_SHOT]
    for start, end in _spread(spans, sample.shots):
        yield list(islice(_grey(reel, rows, start, end, sample.rows), sample.frames))


def _spread(things: Sequence[Thing], most: int) -> list[Thing]:
    """So many of them, from first to last."""
    places = np.linspace(0, len(things) - 1, min(len(things), most)).round().astype(int)
    return [things[place] for place in places]


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


def _held(shot: list[Planes]) -> Footage:
    height, width = shot[0].shape[1:]
    return Footage(lambda: iter(shot), len(shot), height, width, "grey")


def _compared(statistic: Statistic, sides: Sequence[Side]) -> Comparison:
    real = statistic.histogram(sides[0].wear)
    readings = tuple(_reading(statistic, side, real) for side in sides)
    edges = tuple(float(edge) for edge in statistic.edges())
    return Comparison(statistic.name, statistic.unit, edges, statistic.scale == "log", readings)


def _reading(statistic: Statistic, side: Side, real: NDArray[np.int64]) -> Reading:
    values: Samples = statistic.of(side.wear)
    histogram = statistic.histogram(side.wear)
    low, median, high = np.percentile(values, (5, 50, 95)) if values.size else (None, None, None)
    return Reading(
        side.name,
        side.kind,
        int(values.size),
        float(values.mean()) if values.size else None,
        None if low is None else float(low),
        None if median is None else float(median),
        None if high is None else float(high),
        tuple(int(count) for count in histogram),
        _known(overlap(real, histogram)),
    )


def _how(reading: Reading, real: Reading) -> str:
    low, median, high = reading.low or 0.0, reading.median or 0.0, reading.high or 0.0
    real_low, real_median, real_high = real.low or 0.0, real.median or 0.0, real.high or 0.0
    if low > real_median or median > real_high:
        return "is too high"
    if high < real_median or median < real_low:
        return "is too low"
    return "varies too little" if high - low < real_high - real_low else "varies too much"


def _range(reading: Reading) -> str:
    if reading.median is None:
        return "none"
    return f"{reading.median:.3g}, {reading.low:.3g} to {reading.high:.3g}"


def _known(value: float) -> float | None:
    return value if np.isfinite(value) else None
