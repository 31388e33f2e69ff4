"""The coarse steps of making a corpus, one Prefect task each."""

import base64
from collections.abc import Sequence
from contextlib import suppress

import cv2
import numpy as np
from prefect.artifacts import create_markdown_artifact, create_table_artifact

from storage.vault import Vault
from tasks.corpora import corpus
from tasks.corpora import dispatch as corpus_dispatch
from tasks.corpora.corpus import CorpusOutcome, CorpusPlan
from tasks.corpora.films import FilmFacts
from tasks.corpora.request import CorpusRequest
from tasks.corpora.synthesize import MadeShard
from tasks.corpora.usable import Rejection
from tasks.dask_engine import Engine
from tasks.progress import BOARD
from tasks.steps import step

_SHEET_PX = 1000


@step("examine films")
def examine_films(
    engine: Engine, request: CorpusRequest, sources: Sequence[str]
) -> tuple[list[FilmFacts], list[Rejection]]:
    """The films measured, and those that could not be."""
    tell = BOARD.stage(request.name, "examine", len(sources))
    return corpus_dispatch.examine_films(engine, request.vault, sources, tell)


@step("plan corpus")
def plan_corpus(request: CorpusRequest, examined: tuple[list[FilmFacts], list[Rejection]]) -> CorpusPlan:
    """Every clip that will be made."""
    return corpus.plan_corpus(request, *examined)


@step("make shards")
def make_shards(engine: Engine, plan: CorpusPlan) -> list[MadeShard]:
    """The shards, by the engine's workers."""
    return corpus_dispatch.make_shards(engine, plan, BOARD.stage(plan.name, "clips", plan.clips))


@step("finish corpus")
def finish_corpus(plan: CorpusPlan, made: Sequence[MadeShard]) -> CorpusOutcome:
    """The corpus with its manifest, contact sheet and record."""
    outcome = corpus.finish_corpus(plan, made)
    BOARD.close(plan.name)
    with suppress(Exception):  # the corpus stands, whether the UI shows it or not
        _publish(Vault(plan.vault), outcome)
    return outcome


def _publish(vault: Vault, outcome: CorpusOutcome) -> None:
    """The corpus in Prefect's UI: a table of its films, and a page with its figures and contact sheet."""
    slug = "corpus-" + outcome.key.rpartition("/")[2]
    figures = outcome.statistics
    create_table_artifact(outcome.films, key=f"{slug}-films", description=f"Films of {outcome.name}")
    counts = "\n".join(
        f"| {title} | {', '.join(f'{name} {count}' for name, count in counted.items())} |"
        for title, counted in (
            *(
                (title, figures[title])
                for title in ("splits", "kinds", "families", "damaged_share", "rejected")
            ),
            ("licences, clips of each", outcome.licences),
        )
    )
    create_markdown_artifact(
        f"## {outcome.name}\n\n{outcome.sentence()}\n\n| | |\n|---|---|\n{counts}\n\n"
        f"![contact sheet]({_sheet(vault, outcome.key)})",
        key=f"{slug}-report",
        description=f"Corpus {outcome.name}",
    )


def _sheet(vault: Vault, key: str) -> str:
    """The contact sheet, small enough to travel inside the page."""
    data = np.frombuffer(vault.read(f"{key}/{corpus.SHEET}"), np.uint8)
    sheet = cv2.imdecode(data, cv2.IMREAD_COLOR)
    assert sheet is not None
    size = (_SHEET_PX, round(sheet.shape[0] * _SHEET_PX / sheet.shape[1]))
    _, small = cv2.imencode(
        ".jpg", cv2.resize(sheet, size, interpolation=cv2.INTER_AREA), (cv2.IMWRITE_JPEG_QUALITY, 80)
    )
    return f"data:image/jpeg;base64,{base64.b64encode(small.tobytes()).decode()}"
