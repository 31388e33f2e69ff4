"""The frozen set: clips of a corpus whose colour is known, made grey, each with one still of it.

Shape suffixes: T frames, H rows, W columns; 3 is (red, green, blue).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from models.colour.colouriser import Reference
from models.colour.lab import Float, lab_of_rgb
from models.metrics.colour import chroma_flicker
from models.metrics.steadiness import motion_of
from models.motion import Pair
from models.restorer import Footage, luma
from storage.clipcode import Bytes
from storage.corpus import Corpus
from storage.errors import StorageError
from tasks.evaluation.colour.request import ColourEvaluationRequest, ColourTest, trials_of
from tasks.evaluation.set import film_names, in_turn


@dataclass(frozen=True)
class ColourSetClip:
    """One clip before it is read."""

    film: str
    """Its name for people; no two films have the same."""
    row: dict[str, Any]
    """Of the corpus' manifest."""


class ColourSet:
    """What is evaluated on; clips are read when they are asked for, one at a time."""

    def __init__(self, request: ColourEvaluationRequest) -> None:
        """Raises StorageError for what is not a corpus, is one of grey clips or of clips of one frame, or has
        none of the split."""
        self.corpus = Corpus.open(request.corpus)
        rows = self.corpus.kept(request.split)
        if not rows:
            raise StorageError(f"{request.corpus}: has no clips for {request.split}")
        coloured(self.corpus, rows)
        if min(row["frames"] for row in rows) < 2:
            raise StorageError(
                f"{request.corpus}: has clips of one frame, which colour is not carried through"
            )
        names = film_names(rows)
        taken = {row["clip"]: row for row in in_turn(rows, request.clips, request.seed)}
        self.films = tuple(sorted({names[row["film"]] for row in taken.values()}))
        self.clips = tuple(ColourSetClip(names[row["film"]], row) for row in taken.values())

    def __len__(self) -> int:
        return len(self.clips)

    def read(self, clip: ColourSetClip) -> Bytes:
        """The clean clip, (T, 3, H, W). Raises StorageError."""
        return clean_clip(self.corpus, clip.row)


def coloured(corpus: Corpus, rows: list[dict[str, Any]]) -> None:
    """Raises StorageError where there is a clip without colour."""
    for row in rows:
        if row["channels"] != 3:
            raise StorageError(
                f"{corpus.uri}: clip {row['clip']} is grey; `answerprint synthesize --colour` makes clips of "
                "which colour can be learnt"
            )


def clean_clip(corpus: Corpus, row: dict[str, Any]) -> Bytes:
    """A clip's clean frames, as many as its damaged ones, (T, 3, H, W). Raises StorageError."""
    with corpus.shard(row["shard"]) as shard:
        coded = shard.coded(row["row"], ("clean",))
    return coded.decoded(("clean",))["clean"][: row["frames"]]


class KnownColour:
    """A clip as a colouriser is given it in one test, and its truth."""

    def __init__(self, rgb_T3HW: Bytes, test: ColourTest) -> None:
        self.test = test
        self._rgb_T3HW = rgb_T3HW

    @property
    def footage(self) -> Footage:
        """Grey."""
        _, _, height, width = self._rgb_T3HW.shape
        return Footage(
            lambda: (self.luma(frame)[None] for frame in range(self.test.frames)),
            self.test.frames,
            height,
            width,
            "grey",
        )

    @property
    def still(self) -> Reference:
        frame = self.test.still
        return Reference(self.lab(frame)[1:], self.luma(frame), frame if self.test.told else None)

    def luma(self, frame: int) -> Float:
        return luma(self.rgb(frame), "rgb")

    def rgb(self, frame: int) -> Float:
        rgb_3HW: Float = self._rgb_T3HW[frame].astype(np.float32) / np.float32(255)
        return rgb_3HW

    def lab(self, frame: int) -> Float:
        return lab_of_rgb(self.rgb(frame))

    @cached_property
    def motion(self) -> list[Pair]:
        """Of the frames that are scored."""
        return list(motion_of(self._scored()))

    @cached_property
    def flicker(self) -> float:
        """The true colour's own."""
        return chroma_flicker(self._true_ab(), self.motion)

    def _true_ab(self) -> Iterator[Float]:
        return (self.lab(frame)[1:] for frame in range(self.test.scored))

    def _scored(self) -> Footage:
        film = self.footage
        lumas = range(self.test.scored)
        return Footage(
            lambda: (self.luma(frame)[None] for frame in lumas), len(lumas), film.height, film.width, "grey"
        )


def known_colours(rgb_T3HW: Bytes) -> Iterator[KnownColour]:
    """A clip in each test that it is long enough for."""
    return (KnownColour(rgb_T3HW, test) for test in trials_of(len(rgb_T3HW)))
