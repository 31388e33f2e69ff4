"""What is measured of a film's wear: samples, as they were seen, and the statistics they are read as.

Shape suffixes: T frames, N defects, L lines, S sightings of lines, B brightness bins.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, fields

import numpy as np
from numpy.typing import NDArray

Samples = NDArray[np.float32]

LUMA_BINS = 8


def _none() -> Samples:
    return np.zeros(0, np.float32)


@dataclass(frozen=True)
class Wear:
    """Samples of one or more shots; shots add up with `+`. Lengths are shares of the frame's height, tones of
    1.

    Of a series (`steps_T`, `across_T`, `down_T`) a NaN follows each shot, so that nothing is taken for a step
    across a cut; elsewhere NaN is what could not be measured.
    """

    dirt_T: Samples = field(default_factory=_none)
    """Defects in a frame: suspects of the classical detector that it is sure are dirt."""
    suspects_T: Samples = field(default_factory=_none)
    """All that stands out from both neighbours in a frame, dirt or not."""
    covered_T: Samples = field(default_factory=_none)
    """Share of the frame that its defects cover."""
    diameter_N: Samples = field(default_factory=_none)
    """Of a disc of the defect's area."""
    length_N: Samples = field(default_factory=_none)
    """Length by breadth, by second moments: 1 is round."""
    contrast_N: Samples = field(default_factory=_none)
    """Mean difference from the motion-compensated neighbours' mean; below 0 is dark."""
    edge_N: Samples = field(default_factory=_none)
    """Steepness of the outline, by the contrast, per pixel: high is sharp."""
    lines_T: Samples = field(default_factory=_none)
    """Scratches in a frame."""
    line_width_S: Samples = field(default_factory=_none)
    """Area of the line's mean profile by its peak: 1.06 times the width at half height, where it is Gaussian.
    """
    line_contrast_S: Samples = field(default_factory=_none)
    """Peak of the mean profile over the straight join of both sides; below 0 is dark."""
    line_life_L: Samples = field(default_factory=_none)
    """Frames from a scratch's first sighting to its last; cut off by the shot's ends."""
    steps_T: Samples = field(default_factory=_none)
    """Series: change of a frame's log gain from the frame before."""
    uneven_T: Samples = field(default_factory=_none)
    """Standard deviation over the frame's blocks of that change, the frame's own taken off."""
    across_T: Samples = field(default_factory=_none)
    """Series: the fast part of the picture's place across."""
    down_T: Samples = field(default_factory=_none)
    """Series: the same, down."""
    grain_TB: Samples = field(default_factory=lambda: np.zeros((0, LUMA_BINS), np.float32))
    """Standard deviation of grain at eight brightnesses, black first."""
    coarseness_T: Samples = field(default_factory=_none)
    """Sigma of the Gaussian that would make white noise as coarse as the grain; 0 is white."""
    slope_T: Samples = field(default_factory=_none)
    """Slope of the radial power spectrum, log by log: -2 is sharp, -4 soft."""
    black_T: Samples = field(default_factory=_none)
    """First percentile of a frame's tones."""
    middle_T: Samples = field(default_factory=_none)
    """Their median."""
    white_T: Samples = field(default_factory=_none)
    """Their 99th percentile."""
    repeats_T: Samples = field(default_factory=_none)
    """1 for a frame that shows the one before again, else 0."""

    def __add__(self, other: "Wear") -> "Wear":
        both = {f.name: np.concatenate([getattr(self, f.name), getattr(other, f.name)]) for f in fields(self)}
        return Wear(**both)


@dataclass(frozen=True)
class Statistic:
    """One way to read a film's samples."""

    name: str
    unit: str
    values: Callable[[Wear], Samples]
    """Its samples; NaN is left out."""
    low: float
    """Where its histogram begins; what lies below counts in the first bin."""
    high: float
    scale: str = "linear"
    """`linear` bins or `log` ones; on a log scale 0 counts in the first bin."""
    bins: int = 24

    def of(self, wear: Wear) -> Samples:
        """The samples that could be measured."""
        values = self.values(wear).ravel()
        return values[np.isfinite(values)]

    def edges(self) -> NDArray[np.float64]:
        """The bins' edges, `bins + 1` of them."""
        if self.scale == "log":
            return np.geomspace(self.low, self.high, self.bins + 1)
        return np.linspace(self.low, self.high, self.bins + 1)

    def histogram(self, wear: Wear) -> NDArray[np.int64]:
        """How many samples fall into each bin."""
        edges = self.edges()
        place = np.searchsorted(edges, self.of(wear), side="right") - 1
        return np.bincount(np.clip(place, 0, self.bins - 1), minlength=self.bins)


STATISTICS = (
    Statistic("defects in a frame", "", lambda w: w.dirt_T, 0.5, 500, "log", 12),
    Statistic("all that stands out in a frame", "", lambda w: w.suspects_T, 0.5, 500, "log", 12),
    Statistic("share of the frame covered", "", lambda w: w.covered_T, 1e-5, 0.1, "log"),
    Statistic("diameter of defects", "of height", lambda w: w.diameter_N, 0.002, 0.1, "log"),
    Statistic("length by breadth of defects", "", lambda w: w.length_N, 1, 12, "log"),
    Statistic("contrast of defects", "of 1", lambda w: w.contrast_N, -0.6, 0.6),
    Statistic("bright defects", "share", lambda w: _sign(w.contrast_N), 0, 1, bins=2),
    Statistic("steepness of defects' outlines", "per pixel", lambda w: w.edge_N, 0, 0.8),
    Statistic("scratches in a frame", "", lambda w: w.lines_T, 0, 12, bins=12),
    Statistic("width of scratches", "of height", lambda w: w.line_width_S, 0.001, 0.02, "log"),
    Statistic("contrast of scratches", "of 1", lambda w: w.line_contrast_S, -0.3, 0.3),
    Statistic("bright scratches", "share", lambda w: _sign(w.line_contrast_S), 0, 1, bins=2),
    Statistic("life of scratches", "frames", lambda w: w.line_life_L, 1, 100, "log", 12),
    Statistic("flicker from frame to frame", "log gain", lambda w: w.steps_T, -0.2, 0.2),
    Statistic("uneven flicker", "log gain", lambda w: w.uneven_T, 0.001, 0.2, "log"),
    Statistic("weave across", "of height", lambda w: w.across_T, -0.006, 0.006),
    Statistic("weave up and down", "of height", lambda w: w.down_T, -0.006, 0.006),
    Statistic("grain", "of 1", lambda w: w.grain_TB, 0.001, 0.1, "log"),
    Statistic("coarseness of grain", "of height", lambda w: w.coarseness_T, 0, 0.005),
    Statistic("slope of the spectrum", "", lambda w: w.slope_T, -6, 0),
    Statistic("black", "of 1", lambda w: w.black_T, 0, 1),
    Statistic("middle tone", "of 1", lambda w: w.middle_T, 0, 1),
    Statistic("white", "of 1", lambda w: w.white_T, 0, 1),
    Statistic("frames shown again", "share", lambda w: w.repeats_T, 0, 1, bins=2),
)


def overlap(one: NDArray[np.int64], other: NDArray[np.int64]) -> float:
    """The overlap coefficient of two histograms (Inman and Bradley 1989): the sum over bins of the smaller
    share, 0 apart, 1 the same. NaN where one of them is empty."""
    if not one.sum() or not other.sum():
        return float("nan")
    return float(np.minimum(one / one.sum(), other / other.sum()).sum())


def memory(series_T: Samples) -> float:
    """Lag-1 autocorrelation of a series about 0, over pairs that stand in one shot; NaN under eight pairs."""
    now, then = series_T[:-1], series_T[1:]
    both = np.isfinite(now) & np.isfinite(then)
    power = float((now[both] ** 2 + then[both] ** 2).sum()) / 2
    return float((now[both] * then[both]).sum()) / power if both.sum() >= 8 and power > 0 else float("nan")


def spread(series_T: Samples) -> float:
    """Root mean square of a series; NaN where it is empty."""
    known = series_T[np.isfinite(series_T)]
    return float(np.sqrt((known.astype(np.float64) ** 2).mean())) if known.size else float("nan")


def _sign(values: Samples) -> Samples:
    """1 for bright, 0 for dark, NaN where nothing was measured."""
    return np.where(np.isnan(values), values, values > 0).astype(np.float32)
