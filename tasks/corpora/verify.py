"""Whether a corpus is what its record says: every byte, every mask, no film in two splits."""

from dataclasses import dataclass
from typing import Any

from degradation.recipe import Recipe
from degradation.sheets import Sheets
from storage.corpus import TABLE, Clip, Shard
from storage.filesystem import absolute, first_line
from storage.vault import Vault
from tasks.corpora.aging import aged
from tasks.corpora.clips import leaks
from tasks.corpora.corpus import find_corpus
from tasks.corpora.recipes import recipe_from
from tasks.corpora.templates import sheets_for
from tasks.dask_engine import Engine

_SAMPLED = 4
"""Clips of a shard that are made old again, unless all are."""


@dataclass(frozen=True)
class Verdict:
    """What was found."""

    corpus: str
    clips: int
    aged_again: int
    problems: tuple[str, ...]

    def sentence(self) -> str:
        told = f"{self.corpus}: {self.clips} clips whole, their masks exact, {self.aged_again} made old again"
        if not self.problems:
            return f"{told} to the same bytes"
        more = f" and {len(self.problems) - 1} more" if len(self.problems) > 1 else ""
        return f"{self.corpus}: {self.problems[0]}{more}"


@dataclass(frozen=True)
class _ShardCheck:
    vault: str
    corpus: str
    shard: str
    sha256: str
    rows: tuple[dict[str, Any], ...]
    recipe: Recipe
    every: bool
    templates: str


def verify_corpus(engine: Engine, place: str, every: bool, templates: str = "") -> Verdict:
    """Checks all digests and masks, and makes clips old again: some of each shard, or every one.

    templates: the folder of scans that the corpus was made with, if it was. Raises CorpusError, VaultError,
    TemplatesError, EngineError.
    """
    vault, key, corpus = find_corpus(place)
    record, rows = corpus.record, corpus.rows
    recipe, templates = recipe_from(record["recipe"]), absolute(templates) if templates else ""
    sheets_for(recipe, templates)
    problems = leaks(rows, {film["sha256"]: film["group"] for film in record["films"]})
    if vault.sha256(f"{key}/{TABLE}") != record["manifest_sha256"]:
        problems.append(f"{TABLE} is not the one that the record names")
    kept = [row for row in rows if row["status"] == "kept"]
    checks = [
        _ShardCheck(
            vault.uri,
            key,
            shard["shard"],
            shard["sha256"],
            tuple(row for row in kept if row["shard"] == shard["shard"]),
            recipe,
            every,
            templates,
        )
        for shard in record["shards"]
    ]
    if len(kept) != sum(len(check.rows) for check in checks):
        problems.append(f"{TABLE} names shards that the record does not")
    clips = aged_again = 0
    for done in engine.each(_check_shard, checks):
        if done.result is None:
            problems.append(f"{done.job.shard}: {first_line(done.error or Exception())}")
            continue
        found, aged = done.result
        problems += found
        clips, aged_again = clips + len(done.job.rows), aged_again + aged
    return Verdict(vault.url(key), clips, aged_again, tuple(sorted(problems)))


def _check_shard(check: _ShardCheck) -> tuple[list[str], int]:
    """(problems, clips made old again)."""
    vault, place = Vault(check.vault), f"{check.corpus}/{check.shard}"
    if vault.sha256(place) != check.sha256:
        return [f"{check.shard}: is not the file that the record names"], 0
    problems, aged_again = [], 0
    sheets = sheets_for(check.recipe, check.templates)
    with Shard.open(vault.url(place)) as shard:
        held = [shard.facts(n)["clip"] for n in range(len(shard))]
        if held != [row["clip"] for row in check.rows]:
            return [f"{check.shard}: does not hold the clips that the manifest tells"], 0
        again = len(held) if check.every else _SAMPLED
        for n, row in enumerate(check.rows):
            clip = shard.clip(n)
            name = f"{check.shard}: clip {row['clip']}"
            if clip.pixels_sha256 != row["pixels_sha256"]:
                problems.append(f"{name}: its pixels are not those of the manifest")
                continue
            exact = _is_exact(clip)
            if not exact or n * again // len(held) != (n - 1) * again // len(held):
                aged_again += 1
                # What befalls the film after its damage may spread it: then it must come out the same again.
                if not _ages_alike(clip, row, check.recipe, sheets):
                    wrong = "does not come out the same again" if exact else "is damaged outside its mask"
                    problems.append(f"{name}: {wrong}")
    return problems, aged_again


def _is_exact(clip: Clip) -> bool:
    """Whether nothing differs where the mask is empty."""
    differs_THW = (clip.damaged_TCHW != clip.undamaged_TCHW).any(axis=1)
    return not bool((differs_THW & (clip.masks_THW == 0)).any())


def _ages_alike(clip: Clip, row: dict[str, Any], recipe: Recipe, sheets: Sheets) -> bool:
    try:
        again, _ = aged(clip.clean_TCHW, row["frames"], recipe, row["seed"], sheets)
    except ValueError:
        return False  # another recipe's clean frames, too few for this one
    return again.pixels_sha256 == clip.pixels_sha256
