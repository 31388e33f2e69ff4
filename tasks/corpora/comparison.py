"""Films beside each other, statistic by statistic."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from models.wear.wear import STATISTICS, Statistic, Wear, memory, overlap, spread

Kind = Literal["real", "clean", "synthetic"]

ALIKE = 0.5
"""Under this overlap of two histograms (1 the same, 0 apart), what is made is not like what is real."""

_FEWEST = 20
"""Of samples on either side, for a histogram to say something."""


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
    """With all real film together; None where either has too few samples."""
    nearest: str | None
    """The one real film that it overlaps most, if any; of a real film, another one."""
    nearest_overlap: float | None

    @property
    def likeness(self) -> float | None:
        """How like it is to real film: one film's wear is enough to be like."""
        return max((o for o in (self.overlap, self.nearest_overlap) if o is not None), default=None)


@dataclass(frozen=True)
class Comparison:
    """All sides by one statistic; all real film together comes first."""

    name: str
    unit: str
    edges: tuple[float, ...]
    log: bool
    readings: tuple[Reading, ...]

    def sentences(self) -> list[str]:
        """What synthetic sides differ from all real film, together and each, and how."""
        real = self.readings[0]
        made = [reading for reading in self.readings if reading.kind == "synthetic"]
        if real.count < _FEWEST <= max((reading.count for reading in made), default=0):
            return [f"{self.name}: too little of it in the real film to compare ({_samples(real.count)})"]
        return [
            f"{reading.side}: {self.name} {_how(reading, real)}: {_range(reading)}, "
            f"real film {_range(real)}; overlap {reading.likeness:.2f}"
            for reading in made
            if reading.likeness is not None and reading.likeness < ALIKE
        ]


def compare(sides: Sequence[Side]) -> list[Comparison]:
    """Every statistic of every side; real film first, together and then each."""
    real = sum((side.wear for side in sides if side.kind == "real"), Wear())
    everyone = [Side("all real film", "real", real), *sides]
    return [_compared(statistic, everyone) for statistic in STATISTICS]


def series(wear: Wear) -> dict[str, float | None]:
    """Root mean square and lag-1 autocorrelation of what goes on in time; None where it could not be told."""
    told = {}
    for name, values_T in (("flicker", wear.steps_T), ("across", wear.across_T), ("down", wear.down_T)):
        told[f"{name} rms"], told[f"{name} memory"] = _known(spread(values_T)), _known(memory(values_T))
    return told


def _compared(statistic: Statistic, sides: Sequence[Side]) -> Comparison:
    counts = [statistic.histogram(side.wear) for side in sides]
    readings = tuple(_reading(statistic, sides, counts, n) for n in range(len(sides)))
    edges = tuple(float(edge) for edge in statistic.edges())
    return Comparison(statistic.name, statistic.unit, edges, statistic.scale == "log", readings)


def _reading(
    statistic: Statistic, sides: Sequence[Side], counts: Sequence[NDArray[np.int64]], this: int
) -> Reading:
    """Of the side at place `this`; at the first place stands all real film."""
    side, values = sides[this], statistic.of(sides[this].wear)
    low, median, high = np.percentile(values, (5, 50, 95)) if values.size else (None, None, None)
    overlaps = {
        other.name: _shared(counts[n], counts[this])
        for n, other in enumerate(sides)
        if other.kind == "real" and n not in (0, this)
    }
    near = [(share, name) for name, share in overlaps.items() if share is not None] if this else []
    nearest_overlap, nearest = max(near, default=(None, None))
    return Reading(
        side.name,
        side.kind,
        int(values.size),
        float(values.mean()) if values.size else None,
        None if low is None else float(low),
        None if median is None else float(median),
        None if high is None else float(high),
        tuple(int(count) for count in counts[this]),
        _shared(counts[0], counts[this]),
        nearest,
        nearest_overlap,
    )


def _shared(one: NDArray[np.int64], other: NDArray[np.int64]) -> float | None:
    return _known(overlap(one, other)) if min(one.sum(), other.sum()) >= _FEWEST else None


def _how(reading: Reading, real: Reading) -> str:
    low, median, high = reading.low or 0.0, reading.median or 0.0, reading.high or 0.0
    real_low, real_median, real_high = real.low or 0.0, real.median or 0.0, real.high or 0.0
    if low < real_low and high > real_high:
        return "varies too much"
    if low > real_median or median > real_high:
        return "is too high"
    if high < real_median or median < real_low:
        return "is too low"
    return "varies too little" if high - low < real_high - real_low else "varies too much"


def _samples(count: int) -> str:
    return {0: "none", 1: "1 sample"}.get(count, f"{count} samples")


def _range(reading: Reading) -> str:
    if reading.median is None:
        return "none"
    return f"{reading.median:.3g} ({reading.low:.3g} to {reading.high:.3g})"


def _known(value: float) -> float | None:
    return value if np.isfinite(value) else None
