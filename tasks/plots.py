"""Histograms and bars as inline SVG, for pages that carry all they show."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

import numpy as np
from numpy.typing import NDArray

_WIDTH, _HEIGHT, _FOOT = 420, 130, 18
_NAMES, _BARS, _VALUES = 220, 420, 60  # of a bar plot, left to right
_BAR, _BETWEEN = 11, 8
_NAME_SIGNS = 34  # of 12 px, in the width that names have


@dataclass(frozen=True)
class Curve:
    """One histogram over the shared bins."""

    name: str
    colour: str
    """A CSS colour."""
    counts: NDArray[np.int64]
    filled: bool
    """Drawn as an area, to lie behind the others."""


def histogram_svg(edges: NDArray[np.float64], log: bool, curves: Sequence[Curve]) -> str:
    """Step curves of each one's shares; one without samples is left out. All to one scale."""
    shown = [(curve, curve.counts / curve.counts.sum()) for curve in curves if curve.counts.sum()]
    top = max((float(shares.max()) for _, shares in shown), default=1.0)
    drawn = "".join(
        _step(curve, shares / top) for curve, shares in sorted(shown, key=lambda pair: not pair[0].filled)
    )
    return (
        f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT + _FOOT}" width="{_WIDTH}" height="{_HEIGHT + _FOOT}">'
        f'<line x1="0" x2="{_WIDTH}" y1="{_HEIGHT}" y2="{_HEIGHT}" stroke="#555"/>'
        f"{drawn}{_axis(edges, log)}</svg>"
    )


def _step(curve: Curve, heights: NDArray[np.float64]) -> str:
    """A curve that goes along each bin's top, between the axis at either end."""
    places = np.linspace(0, _WIDTH, heights.size + 1)
    x = np.repeat(places, 2)
    y = _HEIGHT - np.concatenate([[0.0], np.repeat(heights, 2), [0.0]]) * (_HEIGHT - 6)
    points = " ".join(f"{a:.1f},{b:.1f}" for a, b in zip(x, y, strict=True))
    fill, opacity = (escape(curve.colour), 0.45) if curve.filled else ("none", 0)
    return (
        f'<polyline points="{points}" fill="{fill}" fill-opacity="{opacity}" '
        f'stroke="{escape(curve.colour)}" stroke-width="1.5"><title>{escape(curve.name)}</title></polyline>'
    )


def _axis(edges: NDArray[np.float64], log: bool) -> str:
    """Five values under the axis, where they stand."""
    low, high = edges[0], edges[-1]
    values = np.geomspace(low, high, 5) if log else np.linspace(low, high, 5)
    anchors = ("start", "middle", "middle", "middle", "end")
    return "".join(
        f'<text x="{place:.0f}" y="{_HEIGHT + 14}" text-anchor="{anchor}" font-size="11" fill="#999">'
        f"{value:.3g}</text>"
        for place, value, anchor in zip(np.linspace(0, _WIDTH, 5), values, anchors, strict=True)
    )


@dataclass(frozen=True)
class Bars:
    """One side's values, a group each."""

    name: str
    colour: str
    """A CSS colour."""
    values: Sequence[float | None]
    """None leaves its place empty."""


def bars_svg(groups: Sequence[str], sides: Sequence[Bars]) -> str:
    """Lying bars, a group below the other, the sides of each together. All to one scale that holds 0."""
    known = [value for side in sides for value in side.values if value is not None]
    low, high = min([0.0, *known]), max([0.0, *known])
    scale = _BARS / ((high - low) or 1.0)
    zero = _NAMES - low * scale
    step = len(sides) * _BAR + _BETWEEN
    drawn = "".join(
        _group(name, n * step, [(side, side.values[n]) for side in sides], zero, scale)
        for n, name in enumerate(groups)
    )
    width, height = _NAMES + _BARS + _VALUES, len(groups) * step
    return (
        f'<svg viewBox="0 0 {width} {height}" width="{width}" height="{height}">{drawn}'
        f'<line x1="{zero:.1f}" x2="{zero:.1f}" y1="0" y2="{height}" stroke="#555"/></svg>'
    )


def _group(name: str, top: int, bars: Sequence[tuple[Bars, float | None]], zero: float, scale: float) -> str:
    middle = top + len(bars) * _BAR / 2 + 4
    short = name if len(name) <= _NAME_SIGNS else f"{name[: _NAME_SIGNS - 1]}\u2026"
    drawn = (
        f'<text x="0" y="{middle:.0f}" font-size="12" fill="#ddd">{escape(short)}'
        f"<title>{escape(name)}</title></text>"
    )
    for n, (side, value) in enumerate(bars):
        if value is None:
            continue
        left, right = sorted((zero, zero + value * scale))
        y = top + n * _BAR
        drawn += (
            f'<rect x="{left:.1f}" y="{y}" width="{right - left:.1f}" height="{_BAR - 2}" '
            f'fill="{escape(side.colour)}"><title>{escape(side.name)}: {value:.4g}</title></rect>'
            f'<text x="{right + 4:.1f}" y="{y + 8}" font-size="9" fill="#999">{value:.3g}</text>'
        )
    return drawn
