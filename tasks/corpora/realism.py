"""Whether film made old wears as real film does: both measured with the same instrument, in one report."""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, replace
from pathlib import Path

from models.wear.wear import Wear
from storage.clipcode import Bytes
from storage.corpus import Corpus
from storage.filesystem import is_local
from tasks.corpora.comparison import Comparison, Side, compare, series
from tasks.corpora.corpus import find_corpus
from tasks.corpora.realism_page import realism_html
from tasks.corpora.recipes import find_recipe
from tasks.corpora.wear import Sample, measure_aged, measure_clips, measure_reel, spread_over
from tasks.request import RequestError
from tasks.sources import find_sources


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

    `against` names recipes, files of recipes, and finished corpora. Raises RequestError, StorageError.
    """
    sample = sample or Sample()
    once = replace(sample, shots=1)
    others = [_against(name, seed, once) for name in against]
    films, footage = find_sources(reels), spread_over(find_sources(clean), sample.footage)
    sides = []
    for film in films:
        progress(film)
        sides.append(Side(Path(film).name, "real", measure_reel(film, sample)))
    progress("clean footage")
    sides.append(Side("clean footage", "clean", sum((measure_reel(c, once) for c in footage), Wear())))
    for name, measured in zip(against, others, strict=True):
        progress(name)
        sides.append(Side(name, "synthetic", measured(footage)))
    return write_report(sides, output, sample)


def _against(name: str, seed: int, sample: Sample) -> Callable[[Sequence[str]], Wear]:
    """What measures a recipe on clean footage, or the clips of a corpus: their damaged ones alone."""
    if Path(name).is_dir() or not is_local(name):
        corpus = find_corpus(name)[2]
        return lambda footage: measure_clips(_damaged(corpus, sample.clips), sample)
    recipe = replace(find_recipe(name), clean=0.0, lookalike=0.0)
    if recipe.templates and recipe.templates.templates_sha256:
        raise RequestError(f"{name}: lays on scans of yours; make a corpus with them and compare that")

    def measured(footage: Sequence[str]) -> Wear:
        aged = (measure_aged(source, recipe, seed + 1000 * n, sample) for n, source in enumerate(footage))
        return sum(aged, Wear())

    return measured


def _damaged(corpus: Corpus, most: int) -> Iterator[Bytes]:
    rows = [row for row in corpus.rows if row["status"] == "kept" and row["kind"] == "damaged"]
    for row in spread_over(rows, most):
        with corpus.shard(row["shard"]) as shard:
            yield shard.coded(row["row"], ("damaged",)).decoded(("damaged",))["damaged"]


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
