"""A corpus made again from its own record, in another vault: the same bytes, or told which are not."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from storage.corpus import RECORD, TABLE
from storage.errors import SourceError
from storage.filesystem import absolute
from storage.survey import Progress, digest_source
from storage.vault import Vault
from tasks.corpora.clips import ClipPlan, taken_frames
from tasks.corpora.corpus import FIGURES, SHEET, find_corpus
from tasks.corpora.errors import CorpusError
from tasks.corpora.recipes import recipe_from
from tasks.corpora.synthesize import ShardJob, installed, make_shard
from tasks.corpora.templates import sheets_for
from tasks.dask_engine import Engine
from tasks.ingest import ingest
from tasks.sources import find_sources


@dataclass(frozen=True)
class Rebuilt:
    """A corpus that was made again."""

    corpus: str
    shards: int
    clips: int
    differing: tuple[str, ...]
    """Shards that came out otherwise."""
    same_installation: bool

    def sentence(self) -> str:
        if not self.differing:
            return f"{self.corpus}: {self.clips} clips in {self.shards} shards, the same bytes"
        why = (
            ""
            if self.same_installation
            else "; the corpus was made by another version of the code or engines"
        )
        return (
            f"{self.corpus}: {len(self.differing)} of {self.shards} shards came out otherwise, the first "
            f"{self.differing[0]}{why}"
        )


def rebuild_corpus(
    engine: Engine,
    place: str,
    vault_uri: str,
    folders: Sequence[str],
    progress: Progress,
    templates: str = "",
) -> Rebuilt:
    """Finds the films, where they lay or by digest in the folders given, and makes every shard again.

    templates: the folder of scans that the corpus was made with, if it was. Only if all shards are the same
    are the manifest and the record put beside them. Raises CorpusError where a film is not found,
    StorageError, EngineError.
    """
    templates = absolute(templates) if templates else ""
    old, key, corpus = find_corpus(place)
    record = corpus.record
    recipe = recipe_from(record["recipe"])
    sheets_for(recipe, templates)
    vault = Vault(vault_uri)
    vault.prepare()
    new = f"corpora/{record['name']}/{record['digest']}"
    if vault.url(new) == old.url(key):
        raise CorpusError(f"--vault {vault_uri}: the corpus itself lies there; name another vault")
    rows = [row for row in corpus.rows if row["clip"]]
    sources = _find_films(record["films"], folders)
    for done in engine.each(_ingest, [_IngestJob(vault.uri, source) for source in sources]):
        if done.error is not None:
            raise done.error
    shards = _shards(record, rows)
    jobs = [ShardJob(vault.uri, new, *shard, recipe, installed(), templates) for shard in shards]
    told = {shard["shard"]: shard["sha256"] for shard in record["shards"]}
    differing, clips = [], 0
    for made in engine.each(make_shard, jobs):
        if made.error is not None or made.result is None:
            raise made.error or CorpusError(f"{made.job.shard}: could not be made")
        if made.result.sha256 != told[made.job.shard]:
            differing.append(made.job.shard)
        clips += sum(row["status"] == "kept" for row in made.result.rows)
        progress(clips)
    if not differing:
        for name in (TABLE, FIGURES, SHEET, RECORD):
            vault.write(f"{new}/{name}", old.read(f"{key}/{name}"))
    same = record["made_by"]["installed"] == installed()
    return Rebuilt(vault.url(new), len(jobs), clips, tuple(sorted(differing)), same)


@dataclass(frozen=True)
class _IngestJob:
    vault: str
    source: str


def _ingest(job: _IngestJob) -> None:
    ingest(Vault(job.vault), job.source, None, lambda frames: None)


def _find_films(films: Sequence[Mapping[str, Any]], folders: Sequence[str]) -> list[str]:
    """The source of each film, wherever it lies now."""
    found: dict[str, str] = {}
    wanted = {film["sha256"] for film in films}
    for source in [film["source"] for film in films] + (find_sources(folders) if folders else []):
        if wanted <= found.keys():
            break
        with suppress(SourceError):  # it is no longer there, or no film
            found.setdefault(digest_source(source)[0], source)
    for film in films:
        if film["sha256"] not in found:
            raise CorpusError(
                f"{film['name']} (sha256 {film['sha256'][:16]}) is neither at {film['source']} nor in the "
                f"sources given; name its folder with --sources"
            )
    return [found[film["sha256"]] for film in films]


def _shards(
    record: Mapping[str, Any], rows: Sequence[Mapping[str, Any]]
) -> list[tuple[str, tuple[ClipPlan, ...]]]:
    """(name, clips as they were planned) of each."""
    films = {film["sha256"]: film for film in record["films"]}
    clips: dict[str, list[ClipPlan]] = defaultdict(list)
    for row in rows:
        clips[row["shard"]].append(_plan(row, films[row["film"]]))
    return [
        (shard, tuple(sorted(plans, key=lambda plan: plan.film))) for shard, plans in sorted(clips.items())
    ]


def _plan(row: Mapping[str, Any], film: Mapping[str, Any]) -> ClipPlan:
    """The clip as it was planned."""
    start, end = next(shot for shot in film["shots"] if shot[0] <= row["start_frame"] < shot[1])
    shot_frames = sorted(set(range(start, end)) - set(film["left_out"]))
    return ClipPlan(
        clip=row["clip"],
        split=row["split"],
        film=row["film"],
        reel_id=row["film"][:16],
        source=row["source"],
        frames=row["frames"],
        step=row["step"],
        taken=taken_frames(shot_frames, row["start_frame"], row["step"], row["frames"]),
        scale=row["scale"],
        top=row["top"],
        left=row["left"],
        size=row["height"],
        flip=row["flip"],
        channels=row["channels"],
        seed=row["seed"],
    )
