"""A corpus as a whole: what it is called, what is in it, and its record, written last."""

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import Any

from degradation.generator import LAYERS
from degradation.recipe import Recipe
from storage.corpus import FORMAT, RECORD, TABLE, Corpus
from storage.digest import digest_of
from storage.errors import UnreachableSource
from storage.filesystem import above, absolute, name_of
from storage.remote import place_at
from storage.sequence import is_sequence
from storage.tables import MANIFEST, to_parquet
from storage.vault import Vault
from tasks.corpora.clips import SPLITS, ClipPlan, PlanSettings, leaks, plan_clips, shards
from tasks.corpora.errors import CorpusError
from tasks.corpora.films import FilmFacts
from tasks.corpora.licences import UNKNOWN, Licence, clips_by_licence, licences_of, licensed_films
from tasks.corpora.recipes import recipe_facts, recipe_sha256
from tasks.corpora.request import CorpusRequest
from tasks.corpora.sheet import draw_sheet
from tasks.corpora.synthesize import MAKERS, MadeShard, ShardJob, installed, rejected_row
from tasks.corpora.usable import Rejection, UsableFilm, usable_films
from tasks.recipe import installation
from tasks.request import RequestError
from tasks.sources import find_sources

SHEET = "contact-sheet.jpg"
FIGURES = "statistics.json"


@dataclass(frozen=True)
class CorpusPlan:
    """All that will be in a corpus, before any of it is made."""

    vault: str
    name: str
    key: str
    """Where it lies: named by everything that can change a byte of its shards."""
    recipe: Recipe
    settings: PlanSettings
    films: tuple[UsableFilm, ...]
    rejections: tuple[Rejection, ...]
    shards: tuple[tuple[ClipPlan, ...], ...]
    templates: str
    """As in the request: where they lie may differ from run to run, and is in no digest."""
    licences: Mapping[str, Licence]
    """What is known of films, by sha256. They change no pixel and are in no digest."""

    @property
    def clips(self) -> int:
        return sum(len(shard) for shard in self.shards)

    def jobs(self) -> list[ShardJob]:
        """One for each shard."""
        made_by = installed()
        return [
            ShardJob(self.vault, self.key, shard_name(n), clips, self.recipe, made_by, self.templates)
            for n, clips in enumerate(self.shards)
        ]


@dataclass(frozen=True)
class CorpusOutcome:
    """What became of a run, in the words of `--json`."""

    corpus: str
    """A path for a local vault, a URI for others."""
    name: str
    clips: int
    rejected: int
    shards: int
    statistics: dict[str, Any]
    key: str
    films: list[dict[str, Any]]
    """As in the statistics, each with its licence and origin."""
    licences: dict[str, int]
    """Clips by their films' licence."""

    def sentence(self) -> str:
        splits = ", ".join(f"{count} {split}" for split, count in self.statistics["splits"].items())
        told = (
            f"{self.corpus}: {self.clips} clips ({splits}) in {self.shards} shards, {self.rejected} rejected"
        )
        unknown = sum(film["licence"] == UNKNOWN for film in self.films)
        if unknown in (0, len(self.films)):
            return told
        return f"{told}; of unknown licence: {unknown} of {len(self.films)} films"


def open_corpus(request: CorpusRequest, sources: Sequence[str]) -> list[str]:
    """The films named, once the vault can be written and each film is there.

    Raises RequestError, VaultError, UnreachableSource.
    """
    films = find_sources(sources)
    Vault(request.vault).prepare()
    for film in films:
        if not place_at(film).exists() and not is_sequence(film):
            raise UnreachableSource(f"{film}: no such file or folder")
    return films


def plan_corpus(
    request: CorpusRequest, measured: Sequence[FilmFacts], unread: Sequence[Rejection]
) -> CorpusPlan:
    """What the request makes of these films. Raises RequestError where not one clip can be cut."""
    first: dict[str, FilmFacts] = {}
    rejections = list(unread)
    for facts in measured:
        if first.setdefault(facts.sha256, facts) is not facts:
            words = f"the same file as {first[facts.sha256].source}"
            rejections.append(Rejection(facts.source, "duplicate", words, facts.sha256))
    films, others = usable_films(list(first.values()), request.size, request.frames)
    rejections += others
    if not films:
        why = f"{rejections[0].source}: {rejections[0].reason}" if rejections else "no sources"
        raise RequestError(
            f"no clip of {request.frames} frames of {request.size}x{request.size} can be cut: {why}"
        )
    settings = request.settings(films)
    clips = shards(plan_clips(films, settings))
    recipe = request.recipe_made
    digest = digest_of(
        {
            "clips": [[asdict(plan) for plan in shard] for shard in clips],
            "recipe": recipe_facts(recipe),
            "made_by": installed(),
        }
    )
    key = f"corpora/{request.name}/{digest}"
    return CorpusPlan(
        request.vault,
        request.name,
        key,
        recipe,
        settings,
        tuple(films),
        tuple(rejections),
        tuple(clips),
        request.templates,
        licences_of(films, request.licences_told),
    )


def shard_name(number: int) -> str:
    return f"shard-{number:05d}.parquet"


def finish_corpus(plan: CorpusPlan, made: Iterable[MadeShard]) -> CorpusOutcome:
    """Writes the manifest, the statistics, the contact sheet and, last, the record. Raises StorageError."""
    vault = Vault(plan.vault)
    shards = sorted(made, key=lambda shard: shard.shard)
    rows = [row for shard in shards for row in shard.rows]
    rows += [_rejection_row(rejection) for rejection in plan.rejections]
    splits = {clip.film: clip.split for shard in plan.shards for clip in shard}
    licences = {**_known_licences(vault, plan.key), **plan.licences}
    if not any(row["status"] == "kept" for row in rows):
        raise CorpusError(f"{vault.url(plan.key)}: not one clip was kept ({rows[0]['reason']})")
    if found := leaks(rows, {film.sha256: film.group for film in plan.films}):
        raise CorpusError(f"{vault.url(plan.key)}: {found[0]}")  # never, unless the plan is wrong
    figures = statistics(rows)
    vault.write(f"{plan.key}/{TABLE}", to_parquet(rows, MANIFEST))
    vault.write(f"{plan.key}/{FIGURES}", _json(figures))
    vault.write(f"{plan.key}/{SHEET}", draw_sheet(vault, plan.key, rows, LAYERS))
    record = {
        "format": FORMAT,
        "name": plan.name,
        "digest": plan.key.rpartition("/")[2],
        "recipe": recipe_facts(plan.recipe),
        "recipe_sha256": recipe_sha256(plan.recipe),
        "settings": asdict(plan.settings),
        "layers": list(LAYERS),
        "made_by": {"installed": installed(), **installation(*MAKERS)},
        "films": [
            _film_record(film, splits.get(film.sha256), licences.get(film.sha256)) for film in plan.films
        ],
        "splits": figures["splits"],
        "statistics": figures,
        "shards": [{"shard": shard.shard, "sha256": shard.sha256} for shard in shards],
        "manifest_sha256": vault.sha256(f"{plan.key}/{TABLE}"),
    }
    vault.write(f"{plan.key}/{RECORD}", _json(record))
    return outcome(vault, plan.key, record)


def find_corpus(place: str) -> tuple[Vault, str, Corpus]:
    """The corpus at a folder, or the only finished one below it: its vault, its key there, and itself.

    Raises CorpusError where there is more than one; StorageError where there is none.
    """
    parent, name = above(absolute(place))
    vault = Vault(parent)
    below = [f"{name}/{folder}" for folder in vault.folders(name)]
    whole = [key for key in (name, *below) if vault.exists(f"{key}/{RECORD}")]
    if len(whole) > 1:
        found = ", ".join(key.rpartition("/")[2] for key in whole)
        raise CorpusError(f"{place}: more than one corpus there; name one of {found}")
    key = whole[0] if whole else name
    return vault, key, Corpus.open(vault.url(key))


def outcome(vault: Vault, key: str, record: Mapping[str, Any]) -> CorpusOutcome:
    """What a corpus' record tells."""
    figures, films = record["statistics"], licensed_films(record)
    return CorpusOutcome(
        vault.url(key),
        record["name"],
        figures["clips"],
        sum(figures["rejected"].values()),
        len(record["shards"]),
        figures,
        key,
        films,
        clips_by_licence(films),
    )


def statistics(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Counts over a manifest: clips by split, kind, film and family, what was damaged, what was rejected."""
    kept = [row for row in rows if row["status"] == "kept"]
    shares: dict[str, list[float]] = defaultdict(list)
    for row in kept:
        shares[row["kind"]].append(row["damaged_share"])
    names = {row["film"]: name_of(row["source"]) for row in kept}
    films = Counter((row["split"], row["film"]) for row in kept)
    return {
        "clips": len(kept),
        "frames": sum(row["frames"] for row in kept),
        "splits": {split: sum(row["split"] == split for row in kept) for split in SPLITS},
        "kinds": _counted(row["kind"] for row in kept),
        "lookalikes": _counted(row["lookalike"] for row in kept if row["lookalike"]),
        "families": _counted(family for row in kept for family in row["families"]),
        "films": [
            {"split": split, "film": film, "name": names[film], "clips": count}
            for (split, film), count in sorted(films.items())
        ],
        "damaged_share": {kind: round(sum(own) / len(own), 6) for kind, own in sorted(shares.items())},
        "rejected": _counted(row["reason"].partition(":")[0] for row in rows if row["status"] == "rejected"),
    }


def _counted(values: Iterable[str]) -> dict[str, int]:
    return dict(sorted(Counter(values).items()))


def _known_licences(vault: Vault, key: str) -> dict[str, Licence]:
    """What an earlier run recorded: one without a table forgets nothing."""
    if not vault.exists(f"{key}/{RECORD}"):
        return {}
    with suppress(ValueError, KeyError, TypeError):  # a broken record is written anew
        films = json.loads(vault.read(f"{key}/{RECORD}"))["films"]
        return {film["sha256"]: Licence(film["name"], film["licence"], film["origin"]) for film in films}
    return {}


def _film_record(film: UsableFilm, split: str | None, licence: Licence | None) -> dict[str, Any]:
    """With what a rebuild needs to find the film and its frames again."""
    return {
        "sha256": film.sha256,
        "name": film.name,
        "source": film.source,
        "licence": licence.licence if licence else None,
        "origin": licence.origin if licence else None,
        "split": split,
        "group": film.group,
        "scale": str(film.scale),
        "height": film.height,
        "width": film.width,
        "shots": [[shot.frames[0], shot.frames[-1] + 1] for shot in film.shots],
        "left_out": sorted(
            set().union(*(range(shot.frames[0], shot.frames[-1] + 1) for shot in film.shots))
            - set().union(*(shot.frames for shot in film.shots))
        ),
    }


def _rejection_row(rejection: Rejection) -> dict[str, Any]:
    start, end = rejection.start, rejection.end
    frames = end - start if start is not None and end is not None else None
    facts = {"film": rejection.film, "source": rejection.source, "start_frame": start, "frames": frames}
    return rejected_row(facts, rejection.reason)


def _json(facts: Mapping[str, Any]) -> bytes:
    return json.dumps(facts, indent=1).encode() + b"\n"
