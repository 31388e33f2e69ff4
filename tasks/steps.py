"""The one module that touches Prefect's tasks: the coarse steps of a reel, one task each.

Prefect runs, shows and retries them; it caches nothing, because the vault knows what is done by its content.
"""

import base64
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from contextvars import copy_context
from typing import Any, ParamSpec, TypeVar

import cv2
from prefect import task
from prefect.artifacts import create_markdown_artifact, create_table_artifact
from prefect.cache_policies import NO_CACHE

from storage import delivery as names
from storage.timeline import ShotSpan
from storage.vault import Vault
from tasks import deliver as delivering
from tasks import dispatch, ingest, shots
from tasks import mask as masking
from tasks.deliver import PAYLOAD, ShotOutput
from tasks.ingest import IngestedReel
from tasks.mask import MaskFilm
from tasks.outcome import ReelOutcome, read_outcome
from tasks.progress import BOARD
from tasks.request import RestoreRequest
from tasks.run import Request, Run
from tasks.sheets import sheet_name
from tasks.workforce import dismiss, workers

P = ParamSpec("P")
R = TypeVar("R")
Item = TypeVar("Item")

_RETRIES, _RETRY_DELAY_S = 2, 5
_STILLS, _STILL_PX = 4, 900


def step(name: str) -> Callable[[Callable[P, R]], Callable[P, R]]:
    return task(
        name=name,
        cache_policy=NO_CACHE,
        persist_result=False,
        retries=_RETRIES,
        retry_delay_seconds=_RETRY_DELAY_S,
        retry_condition_fn=_may_pass,
    )


def _may_pass(_task: Any, _run: Any, state: Any) -> bool:
    """Whether a failed step is worth another try: only troubles of the disk or the network come and go."""
    error = state.result(raise_on_failure=False)
    return isinstance(error, OSError) and not getattr(error, "final", False)


@step("ingest")
def ingest_reel(run: Run[Request], source: str) -> IngestedReel:
    """The reel with its exact frame index."""
    return ingest.ingest(run.vault, source, run.request.rate, BOARD.stage(source, "ingest"))


@step("read mask")
def read_mask(run: Run[RestoreRequest], reel: IngestedReel) -> MaskFilm | None:
    """The mask that was given for the reel, with its exact frame index; None where there is none."""
    request = run.request
    if request.mask is None:
        return None
    tell = BOARD.stage(reel.reel.source, "mask", reel.reel.frame_count)
    return masking.take_mask(run.vault, reel, request.mask, request.mask_use, request.mask_dark, tell)


@step("find shots")
def find_shots(run: Run[RestoreRequest], reel: IngestedReel) -> list[ShotSpan]:
    """The shot list: a person's, or detected."""
    tell = BOARD.stage(reel.reel.source, "shots", reel.reel.frame_count)
    with run.ledger.timing("shots", reel.reel):
        return shots.find_shots(run.vault, reel, run.request.shots, tell)


@step("restore shots")
def restore_shots(
    run: Run[RestoreRequest], reel: IngestedReel, spans: list[ShotSpan], mask: MaskFilm | None
) -> list[ShotOutput]:
    """Every shot's output, by the run's workers."""
    tell = BOARD.stage(reel.reel.source, "restore", reel.reel.frame_count)
    with workers() as pool:
        return dispatch.restore_shots(run.vault, reel, spans, run.request, pool, run.ledger, tell, mask)


@step("deliver")
def deliver_reel(
    run: Run[RestoreRequest], reel: IngestedReel, restored: list[ShotOutput], mask: MaskFilm | None
) -> ReelOutcome:
    """The delivery, proven against the laws and published."""
    tell = BOARD.stage(reel.reel.source, "deliver", reel.reel.frame_count)
    with run.ledger.timing("deliver", reel.reel):
        key = delivering.deliver(run.vault, reel, restored, run.request.mode, run.request.title, tell, mask)
    outcome = read_outcome(run.vault, reel.reel.source, key)
    with suppress(Exception):  # the delivery stands, whether the UI shows it or not
        _publish(run.vault, key, outcome)
    return outcome


def side_by_side(work: Callable[[Item], R], items: list[Item], at_once: int) -> list[R]:
    """The results in order; each call sees this thread's Prefect context, so that flows nest."""
    threads = ThreadPoolExecutor(max_workers=at_once)
    try:
        futures = [threads.submit(copy_context().run, work, item) for item in items]
        return [future.result() for future in futures]
    except BaseException:
        dismiss()  # who stops a run does not wait for its shots
        raise
    finally:
        threads.shutdown(wait=False, cancel_futures=True)


def publish_shots(key: str, shots: Iterable[Mapping[str, Any]], title: str) -> str:
    """A delivery's shots as a table in Prefect's UI; returns what its artifacts' names begin with."""
    slug = key.replace("/", "-").lower()
    rows = [{k: v for k, v in shot.items() if k != "output"} for shot in shots]
    create_table_artifact(rows, key=f"{slug}-shots", description=title)
    return slug


def _publish(vault: Vault, key: str, outcome: ReelOutcome) -> None:
    """The delivery in Prefect's UI: a table of its shots, and a page with stills of the most changed ones."""
    slug = publish_shots(key, outcome.shot_rows, f"Shots of {outcome.source}")
    place = vault.url(f"{key}/{PAYLOAD}/{names.REPORT}")
    most = sorted(outcome.shot_rows, key=lambda shot: -shot["share_touched"])[:_STILLS]
    stills = "\n\n".join(
        f"Shot {shot['shot']}: before, after, repaired\n\n"
        f"![shot {shot['shot']}]({_still(vault, key, shot['shot'])})"
        for shot in most
    )
    create_markdown_artifact(
        f"## {outcome.reel_id}\n\n{outcome.frames} frames, {outcome.shots} shots, "
        f"{len(outcome.failed_shots)} not restored, {outcome.review_items} to be looked at.\n\n"
        f"`{place}`\n\n{stills}",
        key=f"{slug}-report",
        description=f"Delivery of {outcome.source}",
    )


def _still(vault: Vault, key: str, shot: int) -> str:
    """A shot's contact sheet, small enough to travel inside the page."""
    sheet = cv2.imread(str(vault.path(f"{key}/{PAYLOAD}/{names.SHEETS}/{sheet_name(shot)}")))
    assert sheet is not None
    height = round(sheet.shape[0] * _STILL_PX / sheet.shape[1])
    small = cv2.resize(sheet, (_STILL_PX, height), interpolation=cv2.INTER_AREA)
    _, data = cv2.imencode(".jpg", small, (cv2.IMWRITE_JPEG_QUALITY, 80))
    return f"data:image/jpeg;base64,{base64.b64encode(data.tobytes()).decode()}"
