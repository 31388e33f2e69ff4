"""A reel's shots given to the colouring workers, and what became of each."""

from collections.abc import Sequence
from dataclasses import replace

from storage.survey import Progress
from storage.vault import Vault
from tasks.colouring.colour import ColourJob, LentStill, Origin, colour_key
from tasks.colouring.request import ColourRequest
from tasks.colouring.restored import RestoredReel, RestoredShot
from tasks.colouring.stills import Still
from tasks.deliver import ShotOutput
from tasks.dispatch import see_through, why_given_up
from tasks.ingest import IngestedReel
from tasks.ledger import Ledger
from tasks.pool import Pool
from tasks.restore import ShotOutcome
from tasks.scenes import borrowed

# A worker that takes this long for a megapixel hangs.
_DEADLINE_S, _DEADLINE_S_A_MEGAPIXEL = 600, 120


def colour_shots(
    vault: Vault,
    reel: IngestedReel,
    restored: RestoredReel,
    stills: Sequence[Still],
    request: ColourRequest,
    pool: Pool,
    ledger: Ledger,
    progress: Progress,
) -> list[ShotOutput]:
    """Every shot's output, in order; what the vault holds already is not done again.

    A shot that is given up stays grey until `retry_failed`. Raises StorageError where the vault fails,
    PoolError, JobFailed where not even grey works.
    """

    def done(job: ColourJob, outcome: ShotOutcome) -> None:
        ledger.add("colour", reel.reel, job.frames, outcome.seconds, outcome.device, job.colouriser)

    def deadline_s(job: ColourJob) -> float:
        return _DEADLINE_S + _DEADLINE_S_A_MEGAPIXEL * job.frames * reel.megapixels

    def left_grey(job: ColourJob, output: ShotOutput, why: str) -> tuple[ColourJob, ShotOutput] | None:
        return None if job.origin == "none" else _left_grey(reel, job, output, why)

    planned = plan_colour(vault, reel, restored, stills, request)
    return see_through(vault, reel, planned, pool, progress, deadline_s, done, left_grey)


def plan_colour(
    vault: Vault,
    reel: IngestedReel,
    restored: RestoredReel,
    stills: Sequence[Still],
    request: ColourRequest,
) -> list[tuple[ColourJob, ShotOutput]]:
    """What is to be done with each shot. Changes nothing."""
    planned = []
    for n, shot in enumerate(restored.shots):
        origin, lent = _colour_of(shot, stills)
        if origin == "none" and request.share:
            lent = borrowed(vault, reel, restored, n, stills)
            origin = "stills" if lent else "none"
        job = ColourJob(request.vault, reel.reel.reel_id, shot, request.colouriser, origin, lent)
        job = replace(job, key=colour_key(reel, job))
        output = ShotOutput(shot.span, job.key)
        gave_up = None if request.retry_failed else why_given_up(vault, job.key)
        planned.append((job, output) if gave_up is None else _left_grey(reel, job, output, gave_up))
    return planned


def _colour_of(shot: RestoredShot, stills: Sequence[Still]) -> tuple[Origin, tuple[LentStill, ...]]:
    if shot.in_colour:
        return "own", ()
    span = shot.span
    inside = tuple(LentStill(still, shot) for still in stills if span.start <= still.frame < span.end)
    return ("stills", inside) if inside else ("none", ())


def _left_grey(
    reel: IngestedReel, job: ColourJob, output: ShotOutput, why: str
) -> tuple[ColourJob, ShotOutput]:
    grey = replace(job, origin="none", stills=(), key="")
    grey = replace(grey, key=colour_key(reel, grey))
    return grey, replace(output, key=grey.key, failure=why)
