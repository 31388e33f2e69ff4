"""Whether film made old wears as real film does: both measured with the same instrument, in one report."""

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from pathlib import Path

from degradation.recipes import RECIPES
from models.wear.wear import Wear
from tasks.comparison import Comparison, Side, compare, series
from tasks.realism_page import realism_html
from tasks.request import RequestError
from tasks.sources import find_sources
from tasks.wear import Sample, measure_aged, measure_reel, spread_over


def realism(
    reels: Sequence[str],
    against: Sequence[str],
    clean: Sequence[str],
    output: str,
    seed: int = 1,
    sample: Sample | None = None,
    progress: Callable[[str], None] = lambda side: None,
) -> list[Comparison]:
    """Measures real reels, clean footage and that footage aged by recipes, and writes the report.

    Raises RequestError, SourceError.
    """
    sample = sample or Sample()
    unknown = [name for name in against if name not in RECIPES]
    if unknown:
        raise RequestError(f"{unknown[0]}: no such recipe; there are: {', '.join(RECIPES)}")
    films, footage = find_sources(reels), spread_over(find_sources(clean), sample.footage)
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
