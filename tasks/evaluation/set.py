"""The frozen set: clips of a corpus made old as no training saw them, the same for everyone who asks alike.

Shape suffixes: T frames, C planes, H rows, W columns.
"""

import hashlib
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import count
from typing import Any

import numpy as np

from degradation.drawings import OWN
from degradation.generator import drawn
from degradation.lookalikes import LOOKALIKES, Lookalike
from degradation.recipe import Recipe
from storage.clipcode import Bytes
from storage.corpus import Clip, Corpus
from storage.errors import StorageError
from storage.filesystem import name_of
from tasks.corpora.aging import aged
from tasks.evaluation.request import CLEAN, IN_SCENE, EvaluationRequest

_CONSTANT = "answerprint evaluation 1"
_OURS = 1 << 63
"""Corpora and trainings draw seeds below it; ours have this bit."""


@dataclass(frozen=True)
class SetClip:
    """One clip before it is made old."""

    part: str
    """The name of a recipe, `clean` or `lookalikes`."""
    recipe: Recipe
    seed: int
    lookalike: Lookalike | None
    film: str
    """Its name for people; no two films have the same."""
    row: dict[str, Any]
    """Of the corpus' manifest."""

    @property
    def damaged(self) -> bool:
        return self.part not in (CLEAN, IN_SCENE)


class EvaluationSet:
    """What is evaluated on; clips are made when they are asked for, one at a time."""

    def __init__(self, request: EvaluationRequest) -> None:
        """Raises StorageError for what is not a corpus, or has no clips, or too short ones."""
        self.corpus = Corpus.open(request.corpus)
        rows = self.corpus.kept(request.split)
        if not rows:
            raise StorageError(f"{request.corpus}: has no clips for {request.split}")
        self._frames = request.frames
        for row in rows:
            if row["frames"] < request.frames:
                raise StorageError(
                    f"{request.corpus}: clip {row['clip']} has {row['frames']} frames, {request.frames} were "
                    "asked for; ask for fewer, or for 0"
                )
        names = film_names(rows)
        self.films = tuple(sorted(names.values()))
        self.clips = tuple(_planned(request, in_turn(rows, request.clips, request.seed), names))

    def __len__(self) -> int:
        return len(self.clips)

    def made(self, clip: SetClip) -> Clip:
        """Made old; what it loses at its end is taken from it backwards. Raises StorageError."""
        with self.corpus.shard(clip.row["shard"]) as shard:
            coded = shard.coded(clip.row["row"], ("clean",))
        clean_TCHW: Bytes = coded.decoded(("clean",))["clean"]
        given_TCHW = np.concatenate([clean_TCHW, clean_TCHW[-2::-1]])
        frames = self._frames or clip.row["frames"]
        try:
            return aged(given_TCHW, frames, clip.recipe, clip.seed, OWN)[0]
        except ValueError as error:
            raise StorageError(
                f"{self.corpus.uri}: clip {clip.row['clip']}: {error}; ask for fewer frames"
            ) from error


def seed_of(seed: int, *parts: object) -> int:
    """64 bits, the highest always set, that these decide."""
    text = " ".join(str(part) for part in (_CONSTANT, seed, *parts))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") | _OURS


def _planned(
    request: EvaluationRequest, rows: Sequence[dict[str, Any]], names: dict[str, str]
) -> Iterator[SetClip]:
    """The same clips for every recipe: what differs between the parts is their age alone."""
    parts = [request.damaged(recipe) for recipe in request.recipes]
    for recipe in parts:
        for n, row in enumerate(rows):
            seed = seed_of(request.seed, recipe.name, n)
            yield SetClip(recipe.name, recipe, seed, None, names[row["film"]], row)
    for n, row in enumerate(rows):
        seed = seed_of(request.seed, CLEAN, n)
        yield SetClip(CLEAN, request.undamaged(False), seed, None, names[row["film"]], row)
    recipe = request.undamaged(True)
    for n, row in enumerate(rows):
        kind = LOOKALIKES[n % len(LOOKALIKES)]
        seeds = (seed_of(request.seed, IN_SCENE, n, attempt) for attempt in count())
        seed = next(seed for seed in seeds if drawn(recipe, seed).lookalike == kind)
        yield SetClip(IN_SCENE, recipe, seed, kind, names[row["film"]], row)


def in_turn(rows: Sequence[dict[str, Any]], clips: int, seed: int) -> list[dict[str, Any]]:
    """So many clips, one of each film in turn; those of a film in an order that the seed decides.

    Where there are too few, a film's are taken again, to be made old in another way.
    """
    films: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in sorted(rows, key=lambda row: seed_of(seed, "order", row["clip"])):
        films[row["film"]].append(row)
    piles = [films[film] for film in sorted(films)]
    turns = (divmod(n, len(piles)) for n in range(clips))
    return [piles[film][turn % len(piles[film])] for turn, film in turns]


def film_names(rows: Sequence[dict[str, Any]]) -> dict[str, str]:
    """Of each film, by sha256: its file's, and some of its digest where two files are called alike."""
    files = {row["film"]: name_of(row["source"]) for row in rows}
    alike = list(files.values())
    return {
        film: f"{file} {film[:8]}" if alike.count(file) > 1 else file for film, file in sorted(files.items())
    }
