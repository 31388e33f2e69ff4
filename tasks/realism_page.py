"""The realism report: one page, readable without anything else. Names from outside are escaped."""

from collections.abc import Iterable, Sequence
from html import escape

import numpy as np

from models.wear.wear import LUMA_BINS
from tasks.comparison import Comparison, Reading, Side, series
from tasks.plots import Curve, histogram_svg

_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 96rem; padding: 0 1rem;
       color: #ddd; background: #181818 }
section { display: flex; gap: 2rem; border-top: 1px solid #333; padding-top: .8rem }
table { border-collapse: collapse; margin: .3rem 0 1rem } td, th { padding: .05rem .8rem .05rem 0;
       text-align: right; font-size: 13px } td:first-child, th:first-child { text-align: left }
th { color: #999; font-weight: normal } h1, h2, h3 { font-weight: 500 } h3 { margin: .2rem 0 }
svg { display: block }
"""
_REAL, _CLEAN = "#9a9a9a", "#5a7"
_PALETTE = ("#6cf", "#fc6", "#f78", "#c9f", "#8d8", "#fff")


def realism_html(sides: Sequence[Side], comparisons: Sequence[Comparison]) -> str:
    """The page, for a browser."""
    colours = _colours(sides)
    sentences = (sentence for comparison in comparisons for sentence in comparison.sentences())
    told = "".join(f"<li>{escape(sentence)}</li>" for sentence in sentences)
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8"><title>Realism, measured</title>'
        f"<style>{_STYLE}</style><h1>Realism, measured</h1>"
        "<p>Real film and film made old, measured alike: medians, the range of nine tenths, and how far the "
        "histograms overlap with all real film's and with the nearest one film's (1 the same, 0 apart). "
        "Lengths are shares of the frame's height. Clean footage shows what is found where nothing is.</p>"
        f"<p>{_legend(colours)}</p><h2>Where they do not overlap</h2>"
        + (f"<ul>{told}</ul>" if told else "<p>Nowhere.</p>")
        + "<h2>In time</h2>"
        + _table(("", *series(sides[0].wear)), ((s.name, *series(s.wear).values()) for s in sides))
        + "<h2>Grain by brightness</h2>"
        + _table(
            ("", *(f"{(n + 0.5) / LUMA_BINS:.2f}" for n in range(LUMA_BINS))),
            ((side.name, *_grain(side)) for side in sides),
        )
        + "".join(_section(comparison, colours) for comparison in comparisons)
        + "</html>\n"
    )


def _colours(sides: Sequence[Side]) -> dict[str, str]:
    """Real film together, clean footage, and each synthetic side; single films are in the tables only."""
    made = [side.name for side in sides if side.kind == "synthetic"]
    colours = {"all real film": _REAL} | {side.name: _CLEAN for side in sides if side.kind == "clean"}
    return colours | {name: _PALETTE[n % len(_PALETTE)] for n, name in enumerate(made)}


def _legend(colours: dict[str, str]) -> str:
    return " &nbsp; ".join(
        f'<span style="color:{colour}">&#9632;</span> {escape(name)}' for name, colour in colours.items()
    )


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
        + _table(
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


def _table(head: Iterable[str], rows: Iterable[Iterable[object]]) -> str:
    header = "".join(f"<th>{escape(name)}</th>" for name in head)
    body = "".join("<tr>" + "".join(f"<td>{_cell(cell)}</td>" for cell in row) + "</tr>" for row in rows)
    return f"<table><tr>{header}</tr>{body}</table>"


def _cell(value: object) -> str:
    if value is None:
        return "&ndash;"
    return f"{value:.3g}" if isinstance(value, float) else escape(str(value))
