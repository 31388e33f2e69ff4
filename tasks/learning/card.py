"""The card of a trained model: what it is, what it learnt from, how well it does, and where it does not."""

from collections.abc import Iterable, Mapping
from typing import Any

from models.weights import Bundle
from storage.corpus import Corpus
from tasks.corpora.licences import licensed_films
from tasks.evaluation.evaluation import Evaluation

_FIGURES = ("psnr_inside_before", "psnr_inside", "precision", "recall", "f1", "f1_seen", "harm")


def card_text(bundle: Bundle, corpus: Corpus, evaluation: Evaluation, title: str) -> str:
    """Markdown. title: what the evaluation calls these weights."""
    record = corpus.record
    return "\n".join(
        (
            f"# {bundle.title}",
            "",
            f"A restorer of damaged film for Answerprint. Licence of the weights: {bundle.licence}.",
            "",
            f"- weights: sha256 {bundle.sha256}",
            f"- sizes: {listed(bundle.sizes)}",
            f"- settings: {listed(bundle.settings)}",
            f"- trained: {listed(told_of_training(bundle))}",
            f"- corpus: {record['name']}, recipe {record['recipe']['name']}, manifest sha256 "
            f"{record['manifest_sha256']}",
            "",
            "## Films it learnt from (train), was tuned by (val), and was judged by (test)",
            "",
            *films_of(corpus),
            "",
            "## What it does",
            "",
            f"On clips of the films of {evaluation.request.split}, with damage that no training saw (set "
            f"{evaluation.set_sha256[:16]}). PSNR in dB inside the damage, before and after; harm is the "
            "share of all pixels replaced away from damage.",
            "",
            *_table(evaluation, title),
            "",
            "## What it is not for",
            "",
            "It knows the damage of its corpus' recipe and no other; colour, sound and what was never on the "
            "film it does not restore. Where past and future both hide what is beneath the damage it leaves "
            "the damage, and says so.",
            "",
        )
    )


def films_of(corpus: Corpus) -> Iterable[str]:
    """A line for each film of a corpus."""
    for film in licensed_films(corpus.record):
        yield f"- {film['name']} ({film['split']}, licence {film['licence']}, origin {film['origin']})"


def told_of_training(bundle: Bundle) -> dict[str, Any]:
    """What of a bundle's origin people ask for."""
    wanted = ("network", "steps", "batch_items", "frames", "area_px", "fresh", "seed", "begun_from")
    return {name: bundle.origin[name] for name in wanted if bundle.origin.get(name)}


def _table(evaluation: Evaluation, title: str) -> Iterable[str]:
    yield "| slice | clips | " + " | ".join(_FIGURES) + " |"
    yield "|---|---|" + "---|" * len(_FIGURES)
    for part, score in evaluation.scores[title].items():
        cells = (_cell(name, getattr(score, name)) for name in _FIGURES)
        yield f"| {part.replace('|', '/')} | {score.clips} | " + " | ".join(cells) + " |"


def _cell(name: str, value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:.1f}" if name.startswith("psnr") else f"{value:.3%}" if name == "harm" else f"{value:.2f}"


def listed(told: Mapping[str, Any]) -> str:
    """Names and values in one line."""
    return ", ".join(f"{name} {value}" for name, value in told.items()) or "-"
