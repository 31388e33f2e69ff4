"""Making the shards of a corpus: pure functions of paths, plans and seeds, safe to kill and to run again.

Shape suffixes: T frames, C planes (1 grey, or 3 RGB), H rows, W columns.
"""

import json
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from degradation.generator import drawn
from degradation.recipe import Recipe
from degradation.sheets import Sheets
from storage.corpus import FACTS, Clip, encode_clip, write_shard
from storage.digest import digest_of
from storage.eightbit import Bytes, Window, grey8, rgb8, shrunk
from storage.fixity import sha256_file
from storage.frames import read_frames
from storage.pixels import Picture
from storage.reel import VideoFacts
from storage.vault import Vault
from tasks.corpora.aging import aged
from tasks.corpora.clips import ClipPlan
from tasks.corpora.recipes import recipe_sha256
from tasks.corpora.templates import sheets_for
from tasks.ingest import IngestedReel, load
from tasks.recipe import OtherInstallation, installation

MAKERS = (
    "degradation",
    "storage",
    "tasks/corpora/aging.py",
    "tasks/corpora/recipes.py",
    "tasks/corpora/synthesize.py",
    "tasks/corpora/templates.py",
)
"""The code that can change a byte of a shard."""
_JOINED_FRAMES = 48
"""Clips that lie no further apart are decoded in one go: starting anew costs two groups of pictures."""
_FLAT_LEVELS = 8
"""A clip whose lightness spans no more shows nothing."""


@dataclass(frozen=True)
class ShardJob:
    """One shard to make."""

    vault: str
    corpus: str
    """The corpus' key in the vault."""
    shard: str
    clips: tuple[ClipPlan, ...]
    recipe: Recipe
    made_by: str
    """What `installed` gives where the corpus was planned."""
    templates: str
    """The folder of scans that the recipe names by their digest; empty for our own drawings."""

    @property
    def key(self) -> str:
        return f"{self.corpus}/{self.shard}"


@dataclass(frozen=True)
class MadeShard:
    """A shard that stands in the vault."""

    shard: str
    sha256: str
    rows: tuple[dict[str, Any], ...]
    """Of the manifest: clips kept, in the shard's order, and clips rejected."""


def installed() -> str:
    """Digest of all here that can change a byte of a shard, but for what the job says."""
    return digest_of(installation(*MAKERS))


def make_shard(job: ShardJob) -> MadeShard:
    """Makes the shard, unless it is there and whole.

    A clip that cannot be had, on any run, becomes a rejected row. Raises StorageError for trouble that may
    pass, TemplatesError among it: then there is no shard, and another run makes it.
    """
    if installed() != job.made_by:
        raise OtherInstallation(
            "a worker has another version of Answerprint, or of what it uses, than the run"
        )
    vault = Vault(job.vault)
    known = known_shard(vault, job.corpus, job.shard)
    if known is not None:
        return known
    rejected: list[dict[str, Any]] = []
    kept: list[dict[str, Any]] = []
    with vault.publishing_file(job.key) as path:
        write_shard(path, _told(_clips(vault, job, rejected), kept))
        digest = sha256_file(path)
    rows = [
        {**row, "shard": job.shard, "row": n, "shard_sha256": digest, "status": "kept", "reason": ""}
        for n, row in enumerate(kept)
    ]
    shard = MadeShard(job.shard, digest, (*rows, *rejected))
    vault.write(_record_key(job.corpus, job.shard), json.dumps(asdict(shard), indent=1).encode())
    return shard


def known_shard(vault: Vault, corpus: str, shard: str) -> MadeShard | None:
    """The shard, if it is there as its record tells."""
    record = _record_key(corpus, shard)
    if not (vault.exists(record) and vault.exists(f"{corpus}/{shard}")):
        return None
    try:
        facts = json.loads(vault.read(record))
        known = MadeShard(facts["shard"], facts["sha256"], tuple(facts["rows"]))
    except (ValueError, KeyError, TypeError):
        return None
    return known if vault.sha256(f"{corpus}/{shard}") == known.sha256 else None


def _record_key(corpus: str, shard: str) -> str:
    return f"{corpus}/{shard.removesuffix('.parquet')}.json"


def _told(rows: Iterator[dict[str, Any]], kept: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """The rows on their way to the shard; what the manifest tells of them stays here."""
    for row in rows:
        yield row
        kept.append({name: row[name] for name in FACTS})


def _clips(vault: Vault, job: ShardJob, rejected: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    by_film: dict[str, list[ClipPlan]] = defaultdict(list)
    sheets = sheets_for(job.recipe, job.templates)
    for plan in job.clips:
        by_film[plan.reel_id].append(plan)
    for reel_id, plans in by_film.items():
        reel = load(vault, reel_id)
        for plan, clean_TCHW in cut_clips(reel, plans):
            facts = clip_facts(plan, job.recipe)
            try:
                made, events = aged_clip(clean_TCHW, plan, job.recipe, sheets)
            except ValueError as error:
                rejected.append({**rejected_row(facts, str(error)), "shard": job.shard})
                continue
            yield {**facts, "events": events, **encode_clip(made)}


def cut_clips(reel: IngestedReel, plans: Sequence[ClipPlan]) -> Iterator[tuple[ClipPlan, Bytes]]:
    """The clips of one film as they are complete, each stretch of it decoded once."""
    for run in _runs(plans):
        wanted: dict[int, list[tuple[ClipPlan, int]]] = defaultdict(list)
        for plan in run:
            for place, frame in enumerate(plan.taken):
                wanted[frame].append((plan, place))
        first, last = min(wanted), max(wanted)
        held: dict[str, dict[int, Bytes]] = defaultdict(dict)
        for frame, picture in enumerate(read_frames(reel.reel, reel.rows, first, last + 1), first):
            for plan, place in wanted.get(frame, ()):
                held[plan.clip][place] = _cut(picture, reel.reel.video, plan)
                if len(held[plan.clip]) == len(plan.taken):
                    frames = held.pop(plan.clip)
                    yield plan, np.stack([frames[n] for n in range(len(plan.taken))])


def _runs(plans: Sequence[ClipPlan]) -> list[list[ClipPlan]]:
    runs: list[list[ClipPlan]] = []
    end = 0
    for plan in sorted(plans, key=lambda plan: (min(plan.taken), plan.clip)):
        if not runs or min(plan.taken) > end + _JOINED_FRAMES:
            runs.append([])
            end = 0
        runs[-1].append(plan)
        end = max(end, plan.last_frame)
    return runs


def _cut(picture: Picture, video: VideoFacts, plan: ClipPlan) -> Bytes:
    scale = Fraction(plan.scale)
    top, left, size = (int(value / scale) for value in (plan.top, plan.left, plan.size))
    window = Window(top, left, size, size)
    full_CHW = grey8(picture, video, window)[None] if plan.channels == 1 else rgb8(picture, video, window)
    small_CHW = np.stack([shrunk(plane, scale) for plane in full_CHW])
    return small_CHW[:, :, ::-1] if plan.flip else small_CHW


def aged_clip(clean_TCHW: Bytes, plan: ClipPlan, recipe: Recipe, sheets: Sheets) -> tuple[Clip, list[str]]:
    """The clip's five streams and what happened to each of its frames.

    Raises ValueError where there is nothing to see, or where the recipe lost too many frames.
    """
    if int(clean_TCHW.max()) - int(clean_TCHW.min()) <= _FLAT_LEVELS:
        raise ValueError(f"flat: lightness spans no more than {_FLAT_LEVELS} of 255 levels")
    return aged(clean_TCHW, plan.frames, recipe, plan.seed, sheets)


def clip_facts(plan: ClipPlan, recipe: Recipe) -> dict[str, Any]:
    """What is known of a clip before its frames are seen."""
    clip = drawn(recipe, plan.seed)
    return {
        "clip": plan.clip,
        "split": plan.split,
        "film": plan.film,
        "source": plan.source,
        "start_frame": plan.taken[0],
        "step": plan.step,
        "frames": plan.frames,
        "scale": plan.scale,
        "top": plan.top,
        "left": plan.left,
        "flip": plan.flip,
        "height": plan.size,
        "width": plan.size,
        "channels": plan.channels,
        "kind": clip.kind,
        "lookalike": clip.lookalike,
        "recipe": recipe.name,
        "recipe_sha256": recipe_sha256(recipe),
        "seed": plan.seed,
        "severity": clip.severity,
        "families": [family.family for family in clip.families],
    }


def rejected_row(facts: dict[str, Any], reason: str) -> dict[str, Any]:
    """A row of the manifest for what is not in the corpus; `facts`: what is known of it."""
    empty = dict.fromkeys([*FACTS, "shard", "row", "shard_sha256"])
    return {**empty, **facts, "status": "rejected", "reason": reason}
