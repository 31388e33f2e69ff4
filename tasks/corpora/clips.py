"""The plan of a corpus: which windows of which shots become clips, decided by the films and a seed."""

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import sqrt
from random import Random
from typing import Any, Literal

from degradation.generator import SPARE_FRAMES
from storage.digest import digest_of
from tasks.corpora.usable import UsableFilm, UsableShot

Split = Literal["train", "val", "test"]
SPLITS: tuple[Split, ...] = ("train", "val", "test")

_SHARD_CLIPS = 32
"""What one task makes: some minutes of work, lost at most when a worker dies, and some 50 MB."""
_QUICK, _REVERSED, _FLIPPED = 4, 4, 2
"""One clip in so many takes every other frame, runs backwards, is mirrored."""


@dataclass(frozen=True)
class ClipPlan:
    """One clip before it is made."""

    clip: str
    """16 hex digits over all that follows."""
    split: Split
    film: str
    reel_id: str
    source: str
    frames: int
    step: int
    taken: tuple[int, ...]
    """The frames to read, in the clip's order: some more than `frames`, for those that a recipe loses."""
    scale: str
    top: int
    left: int
    """After shrinking."""
    size: int
    flip: bool
    channels: int
    seed: int

    @property
    def last_frame(self) -> int:
        return max(self.taken)


@dataclass(frozen=True)
class PlanSettings:
    """What a plan is asked for."""

    clips: int
    frames: int
    size: int
    seed: int
    splits: tuple[int, int, int] = (80, 10, 10)
    """Shares of the films for train, val and test."""
    hold_out: tuple[str, ...] = ()
    """Films for test, by sha256."""
    channels: int = 1


def plan_clips(films: Sequence[UsableFilm], settings: PlanSettings) -> list[ClipPlan]:
    """The clips, in the order in which they are made. A pure function of what it is given.

    A film's share grows with the square root of its length, and so does a shot's within it: a long film
    counts more than a short one, and does not drown it.
    """
    films = sorted(films, key=lambda film: film.sha256)
    splits = split_films(films, settings)
    plans = []
    for film, film_clips in zip(films, _shared([film.frames for film in films], settings.clips), strict=True):
        counts = _shared([len(shot.frames) for shot in film.shots], film_clips)
        for shot, count in zip(film.shots, counts, strict=True):
            plans += [_clip(film, shot, n, count, splits[film.sha256], settings) for n in range(count)]
    return sorted(plans, key=lambda plan: (SPLITS.index(plan.split), plan.film, plan.last_frame, plan.clip))


def shards(plans: Sequence[ClipPlan]) -> list[tuple[ClipPlan, ...]]:
    """The clips by shard: each of one split, and of few films, so that these are decoded once."""
    found = []
    for split in SPLITS:
        own = [plan for plan in plans if plan.split == split]
        found += [tuple(own[n : n + _SHARD_CLIPS]) for n in range(0, len(own), _SHARD_CLIPS)]
    return found


def split_films(films: Sequence[UsableFilm], settings: PlanSettings) -> dict[str, Split]:
    """The split of each film, by sha256.

    A film's place depends on its group and the seed alone, so that it stays where it is when others come;
    only where a split with a share got nothing, the film nearest to it goes there.
    """
    total = sum(settings.splits)
    ends = [sum(settings.splits[: n + 1]) / total for n in range(len(SPLITS))]
    held = {film.group for film in films if film.sha256 in settings.hold_out}
    lots = {group: _lot(settings.seed, group) for group in sorted({film.group for film in films} - held)}
    found: dict[str, Split] = dict.fromkeys(held, "test")
    for group, lot in lots.items():
        found[group] = next(split for split, end in zip(SPLITS, ends, strict=True) if lot < end or end == 1)
    for n, split in enumerate(SPLITS):
        others = [g for g in lots if list(found.values()).count(found[g]) > 1]
        if settings.splits[n] and split not in found.values() and others:
            middle = ends[n] - settings.splits[n] / total / 2
            found[min(others, key=lambda group: abs(lots[group] - middle))] = split
    return {film.sha256: found[film.group] for film in films}


def leaks(rows: Iterable[Mapping[str, Any]], groups: Mapping[str, str]) -> list[str]:
    """What stands in more than one split, in words; nothing where the splits are clean.

    rows: of a manifest. groups: the group of each film, by sha256.
    """
    seen: dict[str, set[str]] = defaultdict(set)
    for row in rows:
        if row["split"] and row["film"]:
            seen[groups.get(row["film"], row["film"])].add(row["split"])
    return [
        f"film {group[:16]} or its like stands in {' and '.join(sorted(splits))}"
        for group, splits in sorted(seen.items())
        if len(splits) > 1
    ]


def taken_frames(shot_frames: Sequence[int], first: int, step: int, frames: int) -> tuple[int, ...]:
    """The frames to read for a clip that begins at frame `first` of a shot, in the clip's order."""
    start = shot_frames.index(first)
    ordered = shot_frames[start:] if step > 0 else shot_frames[start::-1]
    return tuple(ordered[:: abs(step)][: _read(shot_frames, step, frames)])


def _read(shot_frames: Sequence[int], step: int, frames: int) -> int:
    """How many frames a clip of this shot reads, at most."""
    return min(frames + SPARE_FRAMES, (len(shot_frames) - 1) // abs(step) + 1)


def _lot(*parts: object) -> float:
    return _number(*parts) / 2**63


def _number(*parts: object) -> int:
    """63 bits that these decide."""
    text = " ".join(str(part) for part in parts)
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1


def _shared(lengths: Sequence[int], total: int) -> list[int]:
    """The total in whole parts by the square roots of the lengths; largest remainders first."""
    weights = [sqrt(length) for length in lengths]
    exact = [total * weight / sum(weights) for weight in weights]
    parts = [int(share) for share in exact]
    for n in sorted(range(len(exact)), key=lambda n: (parts[n] - exact[n], n))[: total - sum(parts)]:
        parts[n] += 1
    return parts


def _clip(
    film: UsableFilm, shot: UsableShot, number: int, count: int, split: Split, settings: PlanSettings
) -> ClipPlan:
    """The `number`th of `count` clips of a shot: they begin in as many parts of it."""
    seed = _number(settings.seed, film.sha256, shot.frames[0], number)
    dice = Random(seed)
    frames = settings.frames
    quick = dice.randrange(_QUICK) == 0 and len(shot.frames) > 2 * (frames - 1)
    backwards = dice.randrange(_REVERSED) == 0
    step = (2 if quick else 1) * (-1 if backwards else 1)
    starts = len(shot.frames) - (_read(shot.frames, step, frames) - 1) * abs(step)
    low, high = number * starts // count, (number + 1) * starts // count
    start = dice.randrange(low, max(high, low + 1))
    if backwards:
        start += (_read(shot.frames, step, frames) - 1) * abs(step)
    taken = taken_frames(shot.frames, shot.frames[start], step, frames)
    # Steps of the scale's numerator: there whole pixels of the source begin.
    unit = film.scale.numerator
    top = dice.randrange((film.height - settings.size) // unit + 1) * unit
    left = dice.randrange((film.width - settings.size) // unit + 1) * unit
    flip = dice.randrange(_FLIPPED) == 0
    identity = [
        film.sha256,
        frames,
        taken,
        str(film.scale),
        top,
        left,
        settings.size,
        flip,
        settings.channels,
    ]
    return ClipPlan(
        clip=digest_of([*identity, seed]),
        split=split,
        film=film.sha256,
        reel_id=film.reel_id,
        source=film.source,
        frames=frames,
        step=step,
        taken=taken,
        scale=str(film.scale),
        top=top,
        left=left,
        size=settings.size,
        flip=flip,
        channels=settings.channels,
        seed=seed,
    )
