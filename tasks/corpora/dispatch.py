"""Hands a corpus' films and shards to the workers and gathers what they tell."""

from collections.abc import Sequence
from dataclasses import dataclass

from storage.errors import SourceError, UnreachableSource, VaultError
from storage.filesystem import first_line
from storage.survey import Progress
from storage.vault import Vault
from tasks.corpora.corpus import CorpusPlan
from tasks.corpora.errors import CorpusError
from tasks.corpora.films import FilmFacts, measure_film
from tasks.corpora.synthesize import MadeShard, make_shard
from tasks.corpora.templates import TemplatesError
from tasks.corpora.usable import Rejection
from tasks.dask_engine import Engine, WorkerDied
from tasks.recipe import OtherInstallation


@dataclass(frozen=True)
class FilmJob:
    """One film to measure."""

    vault: str
    source: str


def examine_films(
    engine: Engine, vault: str, sources: Sequence[str], progress: Progress
) -> tuple[list[FilmFacts], list[Rejection]]:
    """The films measured, in the order of the sources, and those that could not be.

    Raises VaultError, EngineError.
    """
    found: dict[str, FilmFacts | Rejection] = {}
    for done in engine.each(_examine, [FilmJob(vault, source) for source in sources]):
        source = done.job.source
        if isinstance(done.error, WorkerDied):
            found[source] = Rejection(source, "corrupt", f"it cannot be decoded: {done.error}")
        elif done.error is not None:
            raise done.error
        elif done.result is not None:
            found[source] = done.result
        progress(len(found))
    told = [found[source] for source in sources]
    return (
        [each for each in told if isinstance(each, FilmFacts)],
        [each for each in told if isinstance(each, Rejection)],
    )


def _examine(job: FilmJob) -> FilmFacts | Rejection:
    try:
        return measure_film(Vault(job.vault), job.source, lambda frames: None)
    except UnreachableSource:
        raise  # else it would be left out today and in tomorrow, and neither corpus made twice
    except SourceError as error:
        return Rejection(job.source, "corrupt", first_line(error).removeprefix(f"{job.source}: "))


def make_shards(engine: Engine, plan: CorpusPlan, progress: Progress) -> list[MadeShard]:
    """Every shard of the plan; those that are there are not made again.

    A shard that fails costs no other one. Raises CorpusError, when all others stand, where one did; at once
    VaultError, OtherInstallation and TemplatesError, which would befall them all, and EngineError.
    """
    made: list[MadeShard] = []
    failed: dict[str, str] = {}
    clips = 0
    for done in engine.each(make_shard, plan.jobs()):
        if isinstance(done.error, VaultError | OtherInstallation | TemplatesError):
            raise done.error
        if done.error is not None:
            failed[done.job.shard] = f"{type(done.error).__name__}: {first_line(done.error)}"
        elif done.result is not None:
            made.append(done.result)
        clips += len(done.job.clips)
        progress(clips)
    if failed:
        shard, why = min(failed.items())
        others = f" and {len(failed) - 1} more" if len(failed) > 1 else ""
        raise CorpusError(
            f"{Vault(plan.vault).url(plan.key)}: {shard}{others} could not be made ({why}); what was made is "
            f"kept, run the same command to go on"
        )
    return made
