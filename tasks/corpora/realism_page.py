"""The realism report: one page, readable without anything else. Names from outside are escaped."""

from collections.abc import Iterable, Sequence
from html import escape

import numpy as np

from models.wear.wear import LUMA_BINS
from tasks.corpora.comparison import Comparison, Reading, Side, series
from tasks.page import PALETTE, legend, page, table
from tasks.plots import Curve, histogram_svg

_REAL, _CLEAN = "#9a9a9a", "#5a7"


def realism_html(sides: Sequence[Side], comparisons: Sequence[Comparison]) -> str:
    """The page, for a browser."""
    colours = _colours(sides)
    sentences = (sentence for comparison in comparisons for sentence in comparison.sentences())
    told = "".join(f"<li>{escape(sentence)}</li>" for sentence in sentences)
    return page(
        "Realism, measured",
        "<p>Real film and film made old, measured alike: medians, the range of nine tenths, and how far the "
        "histograms overlap with all real film's and with the nearest one film's (1 the same, 0 apart). "
        "Lengths are shares of the frame's height. Clean footage shows what is found where nothing is.</p>"
        f"<p>{legend(colours)}</p><h2>Where they do not overlap</h2>"
        + (f"<ul>{told}</ul>" if told else "<p>Nowhere.</p>")
        + "<h2>In time</h2>"
        + table(("", *series(sides[0].wear)), ((s.name, *series(s.wear).values()) for s in sides))
        + "<h2>Grain by brightness</h2>"
        + table(
            ("", *(f"{(n + 0.5) / LUMA_BINS:.2f}" for n in range(LUMA_BINS))),
            ((side.name, *_grain(side)) for side in sides),
        )
        + "".join(_section(comparison, colours) for comparison in comparisons),
    )


def _colours(sides: Sequence[Side]) -> dict[str, str]:
    """Real film together, clean footage, and each synthetic side; single films are in the tables only."""
    made = [side.name for side in sides if side.kind == "synthetic"]
    colours = {"all real film": _REAL} | {side.name: _CLEAN for side in sides if side.kind == "clean"}
    return colours | {name: PALETTE[n % len(PALETTE)] for n, name in enumerate(made)}


def _section(comparison: Comparison, colours: dict[str, str]) -> str:
    curves = [
        Curve(
            reading.side, colours[reading.side], np.array(reading.histogram), reading.side == "all real film"
        )
        for reading in comparison.readings
        if reading.side in colours
    ]
    unit = f", {comparison.unit}" if comparison.unit else ""
    return (
        f"<section><div><h3>{escape(comparison.name + unit)}</h3>"
        + histogram_svg(np.array(comparison.edges), comparison.log, curves)
        + "</div>"
        + table(
            ("", "samples", "mean", "5 %", "median", "95 %", "overlap", "nearest film", ""),
            (_row(reading) for reading in comparison.readings),
        )
        + "</section>"
    )


def _row(reading: Reading) -> tuple[object, ...]:
    return (
        reading.side,
        reading.count,
        reading.mean,
        reading.low,
        reading.median,
        reading.high,
        reading.overlap,
        reading.nearest,
        reading.nearest_overlap,
    )


def _grain(side: Side) -> Iterable[float | None]:
    for values in side.wear.grain_TB.T:
        known = values[np.isfinite(values)]
        yield float(np.median(known)) if known.size else None
