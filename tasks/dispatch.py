"""A reel's shots given to the workers, and what became of each."""

import json
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future, as_completed
from dataclasses import replace
from typing import Any, Protocol, TypeVar

from models.bundled import has_weights
from models.catalogue import load_restorer
from storage.survey import Progress
from storage.timeline import ShotSpan
from storage.vault import Vault
from tasks.deliver import ShotOutput
from tasks.ingest import IngestedReel
from tasks.ledger import Ledger
from tasks.mask import MaskFilm
from tasks.pool import JobFailed, Pool
from tasks.request import RestoreRequest
from tasks.restore import RECORD, ShotJob, ShotOutcome, shot_key
from tasks.review import decided

# A worker that takes this long for a megapixel hangs: `classical` needs a hundredth of it; of networks the
# slowest, RTN with RAFT-large on one core, 75 s, and twice that with two opinions.
_DEADLINE_S, _DEADLINE_S_A_MEGAPIXEL, _DEADLINE_S_A_MEGAPIXEL_OF_NETWORK = 600, 60, 600


class Job(Protocol):
    """A shot's work for a worker."""

    @property
    def frames(self) -> int: ...


J = TypeVar("J", bound=Job)


def restore_shots(
    vault: Vault,
    reel: IngestedReel,
    spans: Sequence[ShotSpan],
    request: RestoreRequest,
    pool: Pool,
    ledger: Ledger,
    progress: Progress,
    mask: MaskFilm | None = None,
) -> list[ShotOutput]:
    """Every shot's output, in order; what the vault holds already is not done again.

    A shot that is given up is delivered as the source has it, and stays given up until `retry_failed`.
    Raises StorageError where the source or the vault fails, PoolError, JobFailed where not even that works.
    """
    a_megapixel_s = _DEADLINE_S_A_MEGAPIXEL
    if has_weights(request.restorer):
        a_megapixel_s = _DEADLINE_S_A_MEGAPIXEL_OF_NETWORK

    def as_the_source_has_it(job: ShotJob, output: ShotOutput, why: str) -> tuple[ShotJob, ShotOutput] | None:
        return None if job.restorer == "none" else _as_the_source_has_it(reel, job, output, failure=why)

    def done(job: ShotJob, outcome: ShotOutcome) -> None:
        ledger.add("restore", reel.reel, job.frames, outcome.seconds, outcome.device, job.restorer)

    def deadline_s(job: ShotJob) -> float:
        # A stream without timestamps is decoded from its first frame for every shot.
        run_up = 0 if reel.rows[0].pts is not None else job.start
        return _DEADLINE_S + a_megapixel_s * (job.frames + run_up) * reel.megapixels

    planned = _plan(vault, reel, spans, request, mask)
    return see_through(vault, reel, planned, pool, progress, deadline_s, done, as_the_source_has_it)


def see_through(
    vault: Vault,
    reel: IngestedReel,
    planned: Sequence[tuple[J, ShotOutput]],
    pool: Pool,
    progress: Progress,
    deadline_s: Callable[[J], float],
    done: Callable[[J, ShotOutcome], None],
    instead: Callable[[J, ShotOutput, str], tuple[J, ShotOutput] | None],
) -> list[ShotOutput]:
    """Every job's output, in order, by the pool; what the vault holds already is not done again.

    deadline_s: when a job's worker is taken to hang. done: told of each job that was worked on. instead: what
    takes the place of a job that was given up, and why it was; None where nothing can, and the run fails.
    Raises StorageError, PoolError, JobFailed.
    """
    count = Count(progress)
    outputs: dict[int, ShotOutput] = {}
    running: dict[Future[Any], tuple[int, J, ShotOutput]] = {}

    def send(n: int, job: J, output: ShotOutput) -> None:
        if vault.exists(f"{output.key}/{RECORD}"):
            outputs[n] = output
            count.tell(n, job.frames)
            return
        megapixels = job.frames * reel.megapixels
        future = pool.submit(job, megapixels, deadline_s(job), lambda done: count.tell(n, done))
        running[future] = n, job, output

    try:
        for n, (job, output) in enumerate(planned):
            send(n, job, output)
        while running:
            future = next(as_completed(running))
            n, job, output = running.pop(future)
            try:
                outcome: ShotOutcome = future.result()
            except JobFailed as error:
                other = instead(job, output, str(error))
                if other is None:
                    raise
                give_up(vault, output.key, str(error))
                send(n, *other)
            else:
                outputs[n] = output
                count.tell(n, job.frames)
                done(job, outcome)
    finally:
        pool.cancel(running)
    return [outputs[n] for n in range(len(planned))]


def plan_shots(
    vault: Vault,
    reel: IngestedReel,
    spans: Sequence[ShotSpan],
    request: RestoreRequest,
    mask: MaskFilm | None = None,
) -> list[tuple[ShotJob, bool]]:
    """(job, whether the vault holds its output already) of every shot; changes nothing."""
    planned = _plan(vault, reel, spans, request, mask)
    return [(job, vault.exists(f"{output.key}/{RECORD}")) for job, output in planned]


def _plan(
    vault: Vault,
    reel: IngestedReel,
    spans: Sequence[ShotSpan],
    request: RestoreRequest,
    mask: MaskFilm | None,
) -> list[tuple[ShotJob, ShotOutput]]:
    card = load_restorer(request.restorer, request.use).card
    decisions = decided(vault, reel.reel.reel_id)
    planned = []
    for span in spans:
        job = ShotJob(request.vault, reel.reel.reel_id, span.start, span.end, request.restorer, request.mode)
        job = replace(job, mask=mask.order if mask else None, use=request.use)
        job = replace(job, key=shot_key(reel, job, card, mask))
        output = ShotOutput(span, job.key, decision=decisions.get((span.start, span.end)))
        gave_up = None if request.retry_failed else why_given_up(vault, job.key)
        if output.decision == "revert":
            planned.append(_as_the_source_has_it(reel, job, output))
        elif gave_up is not None:
            planned.append(_as_the_source_has_it(reel, job, output, failure=gave_up))
        else:
            planned.append((job, output))
    return planned


def _as_the_source_has_it(
    reel: IngestedReel, job: ShotJob, output: ShotOutput, failure: str | None = None
) -> tuple[ShotJob, ShotOutput]:
    plain = replace(job, restorer="none", mode="preservation", mask=None, key="")
    plain = replace(plain, key=shot_key(reel, plain, load_restorer("none").card))
    return plain, replace(output, key=plain.key, failure=failure)


def why_given_up(vault: Vault, key: str) -> str | None:
    """Why an earlier run gave the output up that is to stand under this key; None where it did not."""
    gave_up = _failure_key(key)
    if vault.exists(f"{key}/{RECORD}") or not vault.exists(gave_up):
        return None
    return str(json.loads(vault.read(gave_up))["reason"])


def _failure_key(key: str) -> str:
    """`reels/<reel_id>/failures/<digest>.json` for an output of whichever kind."""
    reel, _, digest = key.rsplit("/", 2)
    return f"{reel}/failures/{digest}.json"


def give_up(vault: Vault, key: str, reason: str) -> None:
    """Puts on record that the output that is to stand under this key cannot be had. Raises VaultError."""
    vault.write(_failure_key(key), json.dumps({"reason": reason}).encode())


class Count:
    """Sums the frames done over shots that are worked on side by side."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._done: dict[int, int] = {}
        self._lock = threading.Lock()

    def tell(self, shot: int, done: int) -> None:
        with self._lock:
            self._done[shot] = done
            self._progress(sum(self._done.values()))
