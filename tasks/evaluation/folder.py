"""An evaluation in a folder: its page, the same as JSON, and its pictures. Names from outside are escaped."""

import base64
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from html import escape
from pathlib import Path
from typing import Any

from storage.filesystem import write_atomically
from tasks.evaluation.colour.evaluation import ColourEvaluation
from tasks.evaluation.evaluation import Evaluation
from tasks.evaluation.gallery import Exhibit
from tasks.page import STYLE, table

PAGE, RECORD, GALLERY = "index.html", "evaluation.json", "gallery"
FORMAT = 1
"""Of the JSON."""
GALLERY_STYLE = (
    STYLE
    + """
figure { display: inline-block; margin: 0 .4rem .6rem 0 } figcaption { font-size: 12px; color: #999 }
img { display: block }
"""
)
"""For pages that show exhibits."""


def write_folder(evaluation: Evaluation | ColourEvaluation, html: str, folder: Path) -> None:
    """Writes `index.html`, `evaluation.json` and `gallery/*.png`; an earlier evaluation there is replaced.

    Raises VaultError where the folder cannot be written.
    """
    for old in (folder / GALLERY).glob("[0-9]*-[0-9]*.png"):
        old.unlink()
    for name, png in _files(evaluation.gallery):
        write_atomically(folder / name, base64.b64decode(png))
    told = json.dumps(_facts(evaluation), indent=1, allow_nan=False)
    write_atomically(folder / RECORD, f"{told}\n".encode())
    write_atomically(folder / PAGE, html.encode())


def names_of(gallery: Sequence[Exhibit]) -> list[str]:
    """Where each of its pictures lies in the folder."""
    return [name for name, _ in _files(gallery)]


def exhibits(gallery: Sequence[Exhibit], sources: Iterable[str]) -> str:
    """A gallery as HTML. sources: what a browser finds each picture by."""
    told, source = [], iter(sources)
    for shown in gallery:
        figures = "".join(
            f'<figure><img src="{escape(next(source))}" alt="{escape(picture.label)}">'
            f"<figcaption>{escape(picture.label)}</figcaption></figure>"
            for picture in shown.pictures
        )
        told.append(f"<h3>{escape(shown.part)}</h3><p>{escape(shown.told)}</p>{figures}")
    return "".join(told)


def origin(evaluation: Evaluation | ColourEvaluation, clips: str) -> str:
    """What it was made of, as HTML. clips: how many were asked for."""
    request = evaluation.request
    facts = (
        ("corpus", request.corpus),
        ("its manifest", evaluation.manifest_sha256),
        ("clips", f"{clips}, of {request.split}, seed {request.seed}"),
        ("the set's pixels", evaluation.set_sha256),
        ("code", evaluation.made_by["code"]),
    )
    return "<h2>Where it comes from</h2>" + table((), facts)


def _facts(evaluation: Evaluation | ColourEvaluation) -> Mapping[str, Any]:
    """All of it as JSON has it, pictures by the names of their files."""
    names = iter(names_of(evaluation.gallery))
    gallery = [
        {
            "part": shown.part,
            "told": shown.told,
            "pictures": [{"label": picture.label, "file": next(names)} for picture in shown.pictures],
        }
        for shown in evaluation.gallery
    ]
    return {"format": FORMAT, **asdict(evaluation), "gallery": gallery}


def _files(gallery: Sequence[Exhibit]) -> Iterator[tuple[str, str]]:
    """The name and the base64 of each picture's file."""
    for n, shown in enumerate(gallery):
        for k, picture in enumerate(shown.pictures):
            told = f"{n:02d}-{k:02d}-{_plain(shown.part)}-{_plain(picture.label)}"
            yield f"{GALLERY}/{told}.png", picture.png


def _plain(name: str) -> str:
    """What any file system takes of a name."""
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:40]
