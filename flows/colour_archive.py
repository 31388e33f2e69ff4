"""Many restored reels coloured from painted stills, through one pool of workers."""

from prefect import flow

from flows.colour_reel import colour_reel
from tasks.archive import all_whole, prepare, settle
from tasks.colouring.colour import ColouringWorker
from tasks.colouring.outcome import ColourOutcome, failed_colour_outcome
from tasks.colouring.request import ColourRequest
from tasks.steps import side_by_side
from tasks.workforce import workers


@flow(name="colour-archive", persist_result=False)
def colour_archive(
    sources: list[str],
    vault: str,
    stills: str,
    colouriser: str = "default",
    delivery: str | None = None,
    share: bool = True,
    retry_failed: bool = False,
    reels_at_once: int = 2,
    worker_count: int | None = None,
) -> list[ColourOutcome]:
    """Colours every reel of the sources, which the vault must hold restored.

    Raises ReelsFailed, which holds all outcomes, unless every reel was delivered whole; RequestError,
    VaultError.
    """
    request = ColourRequest(vault, stills, colouriser, delivery, share, retry_failed)
    run, reels = prepare(request, sources)
    with run, workers(worker_count, request.gpus_each, ColouringWorker):
        outcomes = side_by_side(
            lambda source: settle(colour_reel, run, source, failed_colour_outcome), reels, reels_at_once
        )
    return all_whole(outcomes)
