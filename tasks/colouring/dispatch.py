"""A reel's shots given to the colouring workers, and what became of each."""

from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, replace
from typing import Any

from models.colour.catalogue import load_colouriser
from storage.survey import Progress
from storage.vault import Vault
from tasks.colouring.colour import ColourJob, Origin, colour_key
from tasks.colouring.request import ColourRequest
from tasks.colouring.restored import RestoredReel, RestoredShot
from tasks.colouring.scenes import LentStill, known_loan, loan_job, loan_key
from tasks.colouring.stills import Still
from tasks.deliver import ShotOutput
from tasks.dispatch import give_up, see_through, why_given_up
from tasks.ingest import IngestedReel
from tasks.ledger import Ledger
from tasks.pool import JobFailed, Pool
from tasks.restore import ShotOutcome

# A worker that takes this long for a megapixel hangs.
_DEADLINE_S, _DEADLINE_S_A_MEGAPIXEL = 600, 120


@dataclass(frozen=True)
class Loan:
    """What a shot without a still of its own borrows from others of its scene."""

    stills: tuple[LentStill, ...] = ()
    failure: str = ""
    """Why that could not be found out."""


def find_loans(
    vault: Vault,
    reel: IngestedReel,
    restored: RestoredReel,
    stills: Sequence[Still],
    request: ColourRequest,
    pool: Pool,
    progress: Progress,
) -> dict[int, Loan]:
    """By the number of the shot, from 0; what is known from before is not looked for again.

    What was given up is not either, until `retry_failed`.

    progress: told how many shots are done. Raises StorageError, PoolError.
    """
    loans: dict[int, Loan] = {}
    running: dict[int, tuple[str, Future[Any]]] = {}
    if not request.share:
        return loans
    try:
        for n, shot in enumerate(restored.shots):
            if _colour_of(shot, stills)[0] == "none":
                job = loan_job(request.vault, reel.reel.reel_id, restored, n, stills)
                key, known = loan_key(reel, job), known_loan(vault, reel, job)
                gave_up = None if request.retry_failed else why_given_up(vault, key)
                if known is not None:
                    loans[n] = Loan(known)
                elif gave_up is not None:
                    loans[n] = Loan(failure=gave_up)
                else:
                    deadline_s = _DEADLINE_S + _DEADLINE_S_A_MEGAPIXEL * job.frames * reel.megapixels
                    # All of one cost, so that neighbours, which look at the same stills, go together.
                    running[n] = key, pool.submit(job, reel.megapixels, deadline_s)
        for n, (key, future) in running.items():
            try:
                loans[n] = Loan(future.result())
            except JobFailed as error:
                give_up(vault, key, str(error))
                loans[n] = Loan(failure=str(error))
            progress(n + 1)
    finally:
        pool.cancel([future for _, future in running.values()])
    return loans


def colour_shots(
    vault: Vault,
    reel: IngestedReel,
    restored: RestoredReel,
    stills: Sequence[Still],
    loans: Mapping[int, Loan],
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

    planned = plan_colour(vault, reel, restored, stills, loans, request)
    return see_through(vault, reel, planned, pool, progress, deadline_s, done, left_grey)


def plan_colour(
    vault: Vault,
    reel: IngestedReel,
    restored: RestoredReel,
    stills: Sequence[Still],
    loans: Mapping[int, Loan],
    request: ColourRequest,
) -> list[tuple[ColourJob, ShotOutput]]:
    """What is to be done with each shot. loans: by shot, from 0. Changes nothing."""
    planned, card = [], load_colouriser(request.colouriser).card
    for n, shot in enumerate(restored.shots):
        origin, lent = _colour_of(shot, stills)
        loan = loans.get(n, Loan())
        if loan.stills:
            origin, lent = "stills", loan.stills
        job = ColourJob(request.vault, reel.reel.reel_id, shot, request.colouriser, origin, lent)
        job = replace(job, key=colour_key(reel, job, card))
        output = ShotOutput(shot.span, job.key)
        gave_up = loan.failure or (None if request.retry_failed else why_given_up(vault, job.key))
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
    grey = replace(grey, key=colour_key(reel, grey, None))
    return grey, replace(output, key=grey.key, failure=why)
