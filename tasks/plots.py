"""Histograms as inline SVG, for pages that carry all they show."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

import numpy as np
from numpy.typing import NDArray

_WIDTH, _HEIGHT, _FOOT = 420, 130, 18


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
