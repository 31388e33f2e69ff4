"""An evaluation in a folder: one page, readable without anything else, the same as JSON, and its pictures.

Names from outside are escaped.
"""

import base64
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import asdict
from html import escape
from pathlib import Path
from typing import Any

from storage.filesystem import write_atomically
from tasks.evaluation.evaluation import Evaluation
from tasks.evaluation.gallery import Exhibit
from tasks.evaluation.score import SliceScore
from tasks.page import PALETTE, STYLE, legend, page, table
from tasks.plots import Bars, bars_svg

PAGE, RECORD, GALLERY = "index.html", "evaluation.json", "gallery"
FORMAT = 1
"""Of the JSON."""

_STYLE = (
    STYLE
    + """
figure { display: inline-block; margin: 0 .4rem .6rem 0 } figcaption { font-size: 12px; color: #999 }
img { display: block; image-rendering: pixelated }
"""
)
_INPUT = "#9a9a9a"
_HEAD = (
    "",
    "gain inside, dB",
    "PSNR inside",
    "outside",
    "whole",
    "SSIM",
    "precision",
    "recall",
    "F1",
    "F1, 2 px",
    "recall, seen",
    "F1, seen",
    "harm, %",
    "harm, 2 px, %",
    "touched, %",
    "warping, 1e-4",
    "flicker, %",
)
_TOLD = (
    "<p>One set of clips, made old anew with known damage, and reels whose truth nobody knows; every "
    "restorer was given the same. The first row of each table is the film as it is. PSNR and SSIM are "
    "against the undamaged old film, its grain and flicker included. Precision, recall, F1 and harm (the "
    "share of all pixels that were replaced away from damage) count every damaged pixel, be it ever so "
    "faint; with 2 px, what was replaced that near to damage counts as right; where damage is to be seen, "
    "what changes a pixel by less than 8 of 255 counts neither way. Warping and flicker are along "
    "the undamaged film's motion, a reel's along its own, and are to be read beside the film's own. A dash: "
    "nothing to measure, or not a pixel changed.</p>"
)
_KEY = (
    "<p>Marks: green damage found, blue missed, red touched where nothing was; yellow where the truth is not "
    "known. The first clips of each part, whatever came of them, each at its most damaged frame.</p>"
)


def write_evaluation(evaluation: Evaluation, folder: Path) -> None:
    """Writes `index.html`, `evaluation.json` and `gallery/*.png`; an earlier evaluation there is replaced.

    Raises VaultError where the folder cannot be written.
    """
    for old in (folder / GALLERY).glob("[0-9][0-9]-[0-9][0-9]-*.png"):
        old.unlink()
    for name, png in _files(evaluation):
        write_atomically(folder / GALLERY / name, base64.b64decode(png))
    told = json.dumps(evaluation_facts(evaluation), indent=1, allow_nan=False)
    write_atomically(folder / RECORD, f"{told}\n".encode())
    write_atomically(folder / PAGE, evaluation_html(evaluation).encode())


def evaluation_facts(evaluation: Evaluation) -> dict[str, Any]:
    """All of it as JSON has it, pictures by the names of their files."""
    names = iter([name for name, _ in _files(evaluation)])
    gallery = [
        {
            "part": shown.part,
            "told": shown.told,
            "pictures": [
                {"label": picture.label, "file": f"{GALLERY}/{next(names)}"} for picture in shown.pictures
            ],
        }
        for shown in evaluation.gallery
    ]
    return {"format": FORMAT, **asdict(evaluation), "gallery": gallery}


def evaluation_html(evaluation: Evaluation) -> str:
    """The page, for a browser."""
    colours = {
        rival.title: PALETTE[(n - 1) % len(PALETTE)] if n else _INPUT
        for n, rival in enumerate(evaluation.restorers)
    }
    return page(
        "Restorers, compared",
        _TOLD
        + _restorers(evaluation)
        + f"<p>{legend(colours)}</p>"
        + _plot(evaluation, colours, "PSNR gained inside damage, dB", lambda score: score.psnr_inside_gain)
        + _plot(evaluation, colours, "F1 of the mask, damage to be seen", lambda score: score.f1_seen)
        + _plot(evaluation, colours, "Harm, % of all pixels", lambda score: _percent(score.harm))
        + "".join(_slice(evaluation, name) for name in evaluation.slices)
        + "<h2>Gallery</h2>"
        + _KEY
        + "".join(_exhibit(shown) for shown in evaluation.gallery)
        + _origin(evaluation),
        _STYLE,
    )


def _restorers(evaluation: Evaluation) -> str:
    head = ("", "weights", "runs on", "s a frame", "s a megapixel", "s to start", "memory, MB")
    rows = []
    for rival in evaluation.restorers:
        cost = evaluation.costs[rival.title]
        weights = rival.weights_sha256[:16] if rival.weights_sha256 else None
        rows.append(
            (
                rival.title,
                weights,
                rival.device,
                cost.seconds_per_frame,
                cost.seconds_per_megapixel,
                cost.starting_s,
                cost.memory_bytes // 10**6,
            )
        )
    return table(head, rows) + (
        "<p>Times are by the wall clock, with all else that this machine did. Memory is the most that the "
        "whole process was seen to hold after one of the restorer's frames; it ever held "
        f"{evaluation.peak_memory_bytes // 10**6} MB.</p>"
    )


def _plot(
    evaluation: Evaluation,
    colours: dict[str, str],
    name: str,
    value: Callable[[SliceScore], float | None],
) -> str:
    """Slices of which no restorer tells anything are left out."""
    scores = evaluation.scores
    told = [part for part in evaluation.slices if any(value(of[part]) is not None for of in scores.values())]
    sides = [Bars(title, colours[title], [value(of[part]) for part in told]) for title, of in scores.items()]
    return f"<h3>{escape(name)}</h3>{bars_svg(told, sides)}"


def _slice(evaluation: Evaluation, name: str) -> str:
    sides = {title: of[name] for title, of in evaluation.scores.items()}
    first = next(iter(sides.values()))
    if not first.frames:
        return ""
    share = "" if first.damaged_share is None else f", {first.damaged_share:.2%} damaged"
    rows: list[tuple[object, ...]] = [(title, *_row(score)) for title, score in sides.items()]
    if first.warping_undamaged is not None:
        blank = [None] * (len(_HEAD) - 3)
        still = _scaled(first.warping_undamaged, 1e4), _percent(first.flicker_undamaged)
        rows.append(("undamaged film", *blank, *still))
    return f"<h3>{escape(name)}</h3><p>{first.clips} clips, {first.frames} frames{share}</p>" + table(
        _HEAD, rows
    )


def _row(score: SliceScore) -> tuple[object, ...]:
    return (
        score.psnr_inside_gain,
        score.psnr_inside,
        score.psnr_outside,
        score.psnr,
        None if score.ssim is None else f"{score.ssim:.4f}",
        score.precision,
        score.recall,
        score.f1,
        score.f1_near,
        score.recall_seen,
        score.f1_seen,
        _percent(score.harm),
        _percent(score.harm_near),
        _percent(score.touched_share),
        _scaled(score.warping, 1e4),
        _percent(score.flicker),
    )


def _scaled(value: float | None, by: float) -> float | None:
    return None if value is None else value * by


def _percent(share: float | None) -> float | None:
    return _scaled(share, 100)


def _exhibit(shown: Exhibit) -> str:
    figures = "".join(
        f'<figure><img src="data:image/png;base64,{escape(picture.png)}" alt="{escape(picture.label)}">'
        f"<figcaption>{escape(picture.label)}</figcaption></figure>"
        for picture in shown.pictures
    )
    return f"<h3>{escape(shown.part)}</h3><p>{escape(shown.told)}</p>{figures}"


def _origin(evaluation: Evaluation) -> str:
    request = evaluation.request
    facts = (
        ("corpus", request.corpus),
        ("its manifest", evaluation.manifest_sha256),
        ("clips", f"{request.clips} of each part, of {request.split}, seed {request.seed}"),
        ("the set's pixels", evaluation.set_sha256),
        ("code", evaluation.made_by["code"]),
    )
    return "<h2>Where it comes from</h2>" + table((), facts)


def _files(evaluation: Evaluation) -> Iterator[tuple[str, str]]:
    """The name and the base64 of each picture's file."""
    for n, shown in enumerate(evaluation.gallery):
        for k, picture in enumerate(shown.pictures):
            yield f"{n:02d}-{k:02d}-{_plain(shown.part)}-{_plain(picture.label)}.png", picture.png


def _plain(name: str) -> str:
    """What any file system takes of a name."""
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:40]
