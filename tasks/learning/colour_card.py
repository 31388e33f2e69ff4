"""The card of a trained colouriser: what it is, what it learnt from, how well it does, where it does not."""

from collections.abc import Iterable

from models.weights import Bundle
from storage.corpus import Corpus
from tasks.evaluation.colour.evaluation import ColourEvaluation
from tasks.learning.card import films_of, listed, told_of_training


def colour_card_text(bundle: Bundle, corpus: Corpus, evaluation: ColourEvaluation, title: str) -> str:
    """Markdown. title: what the evaluation calls these weights."""
    return "\n".join(
        (
            f"# {bundle.title}",
            "",
            f"A colouriser of grey film for Answerprint. Licence of the weights: {bundle.licence}.",
            "",
            f"- weights: sha256 {bundle.sha256}",
            f"- sizes: {listed(bundle.sizes)}",
            f"- settings: {listed(bundle.settings)}",
            f"- trained: {listed(told_of_training(bundle))}",
            f"- corpus: {corpus.record['name']}, its clean clips, manifest sha256 "
            f"{corpus.record['manifest_sha256']}",
            "",
            "## Films it learnt from (train), was tuned by (val), and was judged by (test)",
            "",
            *films_of(corpus),
            "",
            "## What it does",
            "",
            f"On clips of the films of {evaluation.request.split}, made grey, with one still each (set "
            f"{evaluation.set_sha256[:16]}): mean CIEDE2000 from the true colour, and flicker of ab along "
            "motion.",
            "",
            *_table(evaluation, title),
            "",
            "## What it is not for",
            "",
            "It colours nothing without a still that a person coloured, and invents no colour: what it puts "
            "on a frame stands in one of the stills. What no still shows it leaves grey, or gives the colour "
            "of what looks like it.",
            "",
        )
    )


def _table(evaluation: ColourEvaluation, title: str) -> Iterable[str]:
    """The weights first, then each of the others."""
    others = [name for name in evaluation.scores if name != title]
    yield "| slice | clips | " + " | ".join(("these weights", *others)) + " |"
    yield "|---|---|" + "---|" * (1 + len(others))
    for part, score in evaluation.scores[title].items():
        sides = (score, *(evaluation.scores[name][part] for name in others))
        cells = (f"{side.ciede2000:.2f} (flicker {side.flicker:.2f})" for side in sides)
        yield f"| {part.replace('|', '/')} | {score.clips} | " + " | ".join(cells) + " |"
