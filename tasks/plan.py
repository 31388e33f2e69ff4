"""What a run would do, how long it would take and how much it would store. Changes nothing."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil

from storage.errors import StorageError
from storage.survey import count_frames, digest_source
from storage.vault import Vault
from tasks.dispatch import plan_shots
from tasks.ingest import IngestedReel, load, reel_key
from tasks.ledger import seconds_a_megapixel
from tasks.mask import MaskFilm, check_fit, known_mask
from tasks.outcome import deliveries
from tasks.request import RestoreRequest
from tasks.restore import ShotJob
from tasks.shots import known_shots
from tasks.sources import find_sources

# Before a vault has a ledger of its own: seconds a megapixel on one core of a small server, of
# `make bench` on 640x480 grey (benchmarks/speed.py), slowest of the films measured.
_RESTORE_S, _REST_S = 0.6, 0.08
# FFV1 takes 0.35 to 0.6 of grainy film's raw size; shots and the joined master both stay in the vault.
_FFV1_SHARE, _COPIES, _EXTRAS_SHARE = 0.6, 2, 0.1


@dataclass(frozen=True)
class ReelPlan:
    """What would become of one reel."""

    source: str
    reel_id: str | None = None
    frames: int = 0
    shots: int | None = None
    """None before ingest: cuts are not known yet."""
    shots_done: int = 0
    shots_anew: tuple[int, ...] = ()
    """Shots, counted from 1, that were delivered before and would be restored anew: the restorer, its
    settings, the mode or the mask is another."""
    frames_to_restore: int = 0
    seconds: int = 0
    storage_bytes: int = 0
    measured: bool = False
    """Whether the seconds come from this vault's ledger, or from figures measured elsewhere."""
    error: str | None = None

    def sentence(self) -> str:
        if self.error:
            return f"{self.source}: {self.error.removeprefix(f'{self.source}: ')}"
        if self.shots is None:
            work = f"{self.frames} frames, cuts not known yet"
        else:
            work = f"{self.frames} frames, {self.shots_done} of {self.shots} shots done already"
            if self.shots_anew:
                work += f", delivered otherwise before and to be restored anew: {listed(self.shots_anew)}"
        basis = "by this vault's ledger" if self.measured else "by figures of another machine"
        return (
            f"{self.source}: {work}; {self.frames_to_restore} frames to restore, about "
            f"{_duration(self.seconds)} ({basis}), {self.storage_bytes / 1e6:.0f} MB"
        )


def plan_reels(request: RestoreRequest, sources: Sequence[str], workers: int | None) -> list[ReelPlan]:
    """One plan a reel; a source that cannot be read is told in its plan. Raises RequestError."""
    vault = Vault(request.vault)
    at_once = workers or os.cpu_count() or 1
    plans = []
    reels = find_sources(sources)
    request.check_reels(len(reels))
    for source in reels:
        try:
            plans.append(_plan_reel(vault, request, source, at_once))
        except StorageError as error:
            plans.append(ReelPlan(source, error=str(error)))
    return plans


def _plan_reel(vault: Vault, request: RestoreRequest, source: str, workers: int) -> ReelPlan:
    digest, _ = digest_source(source)
    reel_id = digest[:16]
    shots: int | None = None
    done = 0
    anew: tuple[int, ...] = ()
    if vault.exists(f"{reel_key(reel_id)}/reel.json"):
        ingested = load(vault, reel_id)
        frames = todo = ingested.reel.frame_count
        video = ingested.reel.video
        spans = known_shots(vault, ingested, request.shots)
        mask = _mask(vault, ingested, request)
        if spans is not None:
            planned = plan_shots(vault, ingested, spans, request, mask)
            # A mask that the vault does not know yet has restored nothing.
            ready = [there and (mask is not None or request.mask is None) for _, there in planned]
            todo = sum(job.frames for (job, _), is_done in zip(planned, ready, strict=True) if not is_done)
            shots, done = len(planned), sum(ready)
            anew = _anew(vault, ingested, [job for job, _ in planned], ready)
    else:
        frames, video = count_frames(source, request.rate)
        todo = frames
        if request.mask:
            check_fit(request.mask, *count_frames(request.mask), frames, video)
    restore_s = seconds_a_megapixel(vault, "restore", request.restorer)
    rest_s = seconds_a_megapixel(vault, "deliver")
    megapixels = video.width * video.height / 1e6
    a_frame_s = megapixels * (_RESTORE_S if restore_s is None else restore_s) / workers
    around_s = megapixels * (_REST_S if rest_s is None else rest_s)
    raw_bytes = todo * video.layout.frame_bytes(video.width, video.height)
    return ReelPlan(
        source=source,
        reel_id=reel_id,
        frames=frames,
        shots=shots,
        shots_done=done,
        shots_anew=anew,
        frames_to_restore=todo,
        seconds=ceil(todo * a_frame_s + frames * around_s),
        storage_bytes=round(raw_bytes * _FFV1_SHARE * (_COPIES + _EXTRAS_SHARE)),
        measured=restore_s is not None and rest_s is not None,
    )


def _anew(
    vault: Vault, reel: IngestedReel, jobs: Sequence[ShotJob], ready: Sequence[bool]
) -> tuple[int, ...]:
    """The shots that were delivered before, and whose output would be another."""
    delivered = {(shot["start"], shot["end"]) for each in deliveries(vault, reel) for shot in each.shot_rows}
    spans = ((job.start, job.end) for job in jobs)
    return tuple(
        n
        for n, (span, is_done) in enumerate(zip(spans, ready, strict=True), 1)
        if span in delivered and not is_done
    )


def listed(numbers: Sequence[int]) -> str:
    """Numbers as people write them: 1, 4-6."""
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number == runs[-1][1] + 1:
            runs[-1][1] = number
        else:
            runs.append([number, number])
    return ", ".join(f"{first}-{last}" if last > first else str(first) for first, last in runs)


def _mask(vault: Vault, reel: IngestedReel, request: RestoreRequest) -> MaskFilm | None:
    """The mask asked for, as far as the vault knows it. Raises SourceError where it does not fit the reel."""
    if request.mask is None:
        return None
    known = known_mask(vault, reel, request.mask, request.mask_use, request.mask_dark)
    if known is None:
        check_fit(request.mask, *count_frames(request.mask), reel.reel.frame_count, reel.reel.video)
    return known


def _duration(seconds: int) -> str:
    minutes, hours = seconds // 60, seconds // 3600
    return (
        f"{seconds} s"
        if seconds < 120
        else f"{minutes} min"
        if minutes < 120
        else f"{hours} h {minutes % 60} min"
    )
