"""An evaluation of colourisers in a folder: one page, the same as JSON, and its pictures.

Names from outside are escaped.
"""

import json
from collections.abc import Iterator
from dataclasses import asdict
from html import escape
from pathlib import Path
from typing import Any

import cv2

from storage.filesystem import write_atomically
from tasks.evaluation.colour.evaluation import RGB, ColourEvaluation
from tasks.evaluation.page import GALLERY, PAGE, RECORD
from tasks.page import STYLE, page, table

FORMAT = 1
"""Of the JSON."""

_STYLE = (
    STYLE
    + """
figure { display: inline-block; margin: 0 .4rem .6rem 0 } figcaption { font-size: 12px; color: #999 }
img { display: block }
"""
)
_HEAD = ("", "CIEDE2000", "PSNR of ab, dB", "flicker", "the truth's", "s a frame")
_TOLD = (
    "<p>Clips of colour film made grey, each with one still of it in colour; every colouriser was given the "
    "same. Middle: the still is the clip's middle frame. Far: it is the last one, and the first half is "
    "scored. Sibling: the same, and the still is of no frame that is coloured. CIEDE2000 is the mean "
    "difference from the true colour (1 is just seen), flicker the change of ab along the true motion, to be "
    "read beside the truth's own.</p>"
)


def write_colour_evaluation(evaluation: ColourEvaluation, folder: Path) -> None:
    """Writes `index.html`, `evaluation.json` and `gallery/*.png`; an earlier evaluation there is replaced.

    Raises VaultError where the folder cannot be written.
    """
    for old in (folder / GALLERY).glob("[0-9][0-9]-[0-9][0-9].png"):
        old.unlink()
    for name, picture in _files(evaluation):
        _, data = cv2.imencode(".png", picture[..., ::-1])
        write_atomically(folder / GALLERY / name, data.tobytes())
    told = json.dumps(colour_evaluation_facts(evaluation), indent=1, allow_nan=False)
    write_atomically(folder / RECORD, f"{told}\n".encode())
    write_atomically(folder / PAGE, _html(evaluation).encode())


def colour_evaluation_facts(evaluation: ColourEvaluation) -> dict[str, Any]:
    """All of it as JSON has it, pictures by the names of their files."""
    names = iter([name for name, _ in _files(evaluation)])
    gallery = [
        {
            "part": shown.part,
            "told": shown.told,
            "pictures": [{"label": label, "file": f"{GALLERY}/{next(names)}"} for label, _ in shown.pictures],
        }
        for shown in evaluation.gallery
    ]
    return {
        "format": FORMAT,
        "request": asdict(evaluation.request),
        "manifest_sha256": evaluation.manifest_sha256,
        "set_sha256": evaluation.set_sha256,
        "made_by": dict(evaluation.made_by),
        "colourisers": [asdict(facts) for facts in evaluation.colourisers],
        "slices": list(evaluation.slices),
        "scores": {
            title: {part: asdict(score) for part, score in scores.items()}
            for title, scores in evaluation.scores.items()
        },
        "gallery": gallery,
    }


def _html(evaluation: ColourEvaluation) -> str:
    return page(
        "Colourisers, compared",
        _TOLD
        + "".join(_slice(evaluation, part) for part in evaluation.slices)
        + "<h2>Gallery</h2><p>The first clip of each film, whatever came of it.</p>"
        + _gallery(evaluation)
        + _origin(evaluation),
        _STYLE,
    )


def _slice(evaluation: ColourEvaluation, part: str) -> str:
    sides = {title: scores[part] for title, scores in evaluation.scores.items()}
    first = next(iter(sides.values()))
    rows = [
        (
            title,
            f"{score.ciede2000:.3f}",
            None if score.psnr_ab is None else f"{score.psnr_ab:.2f}",
            f"{score.flicker:.3f}",
            f"{score.flicker_truth:.3f}",
            score.seconds_per_frame,
        )
        for title, score in sides.items()
    ]
    return f"<h3>{escape(part)}</h3><p>{first.clips} clips, {first.frames} frames</p>{table(_HEAD, rows)}"


def _gallery(evaluation: ColourEvaluation) -> str:
    told, names = [], iter([name for name, _ in _files(evaluation)])
    for shown in evaluation.gallery:
        figures = "".join(
            f'<figure><img src="{GALLERY}/{next(names)}" alt="{escape(label)}">'
            f"<figcaption>{escape(label)}</figcaption></figure>"
            for label, _ in shown.pictures
        )
        told.append(f"<h3>{escape(shown.part)}</h3><p>{escape(shown.told)}</p>{figures}")
    return "".join(told)


def _origin(evaluation: ColourEvaluation) -> str:
    request = evaluation.request
    facts = (
        ("corpus", request.corpus),
        ("its manifest", evaluation.manifest_sha256),
        ("clips", f"{request.clips} at most, of {request.split}, seed {request.seed}"),
        ("the set's pixels", evaluation.set_sha256),
        ("code", evaluation.made_by["code"]),
    )
    return "<h2>Where it comes from</h2>" + table((), facts)


def _files(evaluation: ColourEvaluation) -> Iterator[tuple[str, RGB]]:
    """The name of each picture's file."""
    for n, shown in enumerate(evaluation.gallery):
        for k, (_, picture) in enumerate(shown.pictures):
            yield f"{n:02d}-{k:02d}.png", picture
