"""Many reels through one pool of workers: one is restored while the next is ingested."""

from fractions import Fraction
from typing import Literal

from prefect import flow

from flows.restore_reel import restore_reel
from tasks.archive import all_whole, prepare, settle
from tasks.outcome import ReelOutcome, failed_outcome
from tasks.request import RestoreRequest
from tasks.steps import side_by_side
from tasks.workforce import workers


@flow(name="restore-archive", persist_result=False)
def restore_archive(
    sources: list[str],
    vault: str,
    restorer: str = "default",
    mode: Literal["preservation", "presentation"] = "preservation",
    shots: str | None = None,
    rate: str | None = None,
    retry_failed: bool = False,
    mask: str | None = None,
    mask_use: Literal["add", "replace"] = "add",
    mask_dark: bool = False,
    whole_frame: Literal["no", "kept", "matched"] = "no",
    reels_at_once: int = 2,
    worker_count: int | None = None,
) -> list[ReelOutcome]:
    """Restores every reel of the sources into the vault.

    Raises ReelsFailed, which holds all outcomes, unless every reel was delivered whole; RequestError,
    VaultError.
    """
    request = RestoreRequest(
        vault,
        restorer,
        mode,
        shots,
        Fraction(rate) if rate else None,
        retry_failed,
        mask=mask,
        mask_use=mask_use,
        mask_dark=mask_dark,
        whole_frame=whole_frame,
    )
    run, reels = prepare(request, sources)
    with run, workers(worker_count, request.gpus_each):
        outcomes = side_by_side(
            lambda source: settle(restore_reel, run, source, failed_outcome), reels, reels_at_once
        )
    return all_whole(outcomes)
