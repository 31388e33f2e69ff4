"""What a colour network learns from, out of a corpus: clips walked through once, and windows cut out of them.

The walks lie beside the trainings, so that another training on the same corpus need not make them again.
"""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from torch.utils.data import Dataset

from models.neural.tiles import Area
from models.training.colour.material import MOST_STILLS, ColourMaterial, hue_turn, seen_colour
from models.training.colour.walked import WalkedClip, walked
from storage.clipcode import Bytes
from storage.corpus import Corpus
from storage.digest import digest_of
from storage.errors import StorageError
from storage.filesystem import absolute
from storage.streams import Streams, write_streams
from tasks.evaluation.colour.set import clean_clip, coloured
from tasks.learning.request import TrainingRequest
from tasks.learning.windows import Place, WindowConfig
from tasks.recipe import installation

_CODE = (
    "models/colour/anchoring.py",
    "models/colour/carry.py",
    "models/colour/diffusion.py",
    "models/colour/guided.py",
    "models/colour/lab.py",
    "models/colour/likeness.py",
    "models/colour/propagate.py",
    "models/colour/view.py",
    "models/colour/walk.py",
    "models/motion.py",
    "models/restorer.py",
    "models/training/colour/walked.py",
    "tasks/evaluation/colour/set.py",
    "tasks/learning/walks.py",
)
"""All that a walk comes out otherwise by."""
_FOLDER, _SUFFIX = "walks", ".zip"
_FEW = 8
"""So many clips are walked through sooner than workers start."""
_FOREIGN_EVERY = 6
"""One in so many clips is given a still of another film."""
_SIBLING_SHARE = 2
"""A clip whose still is of another shot is halved."""


@dataclass(frozen=True)
class _Job:
    """One clip to walk through."""

    corpus: str
    row: dict[str, Any]
    path: Path
    foreign: dict[str, Any] | None
    """The clip, of another film, that its still is of."""


def walks_folder(request: TrainingRequest, folder: Path) -> Path:
    """Where the walks for a training in that folder lie: named by the corpus, and the code that made them."""
    manifest = Corpus.open(request.corpus).record["manifest_sha256"]
    code = installation(*_CODE)["code"]
    return folder.parent / _FOLDER / digest_of([manifest, code])[:16]


def prepare_walks(
    request: TrainingRequest, folder: Path, progress: Callable[[int], None] = lambda done: None
) -> int:
    """Walks through what was not yet of the corpus' train and val; how many clips that were.

    On Dask where there are many; the folder must then be one that all workers see. progress: is told how many
    clips are done. Raises StorageError for the corpus, EngineError.
    """
    corpus, place = Corpus.open(request.corpus), walks_folder(request, folder)
    place.mkdir(parents=True, exist_ok=True)
    rows = [row for split in ("train", "val") for row in corpus.kept(split)]
    coloured(corpus, rows)
    jobs = [_Job(absolute(request.corpus), row, _path(place, row), _foreign(row, rows)) for row in rows]
    jobs = [job for job in jobs if not job.path.exists()]
    if len(jobs) <= _FEW:
        for done, job in enumerate(jobs, 1):
            _walk(job)
            progress(done)
        return len(jobs)
    from tasks.dask_engine import engine  # takes a second to import

    with engine() as crew:
        for done, ended in enumerate(crew.each(_walk, jobs), 1):
            if ended.error is not None:
                raise ended.error
            progress(done)
    return len(jobs)


class Walks(Dataset[ColourMaterial]):
    """The windows of a corpus' walks. An item is decided by the configuration, its epoch and its number."""

    def __init__(self, corpus: str, config: WindowConfig, place: Path) -> None:
        """place: where `prepare_walks` put them. Raises StorageError for a corpus without clips of the split,
        with grey ones, or ones too short or too small, and where a walk is missing."""
        self.config = config
        opened = Corpus.open(corpus)
        rows = opened.kept(config.split)
        if not rows:
            raise StorageError(f"{corpus}: has no clips for {config.split}")
        coloured(opened, rows)
        for row in rows:
            least = config.frames * _SIBLING_SHARE
            if row["frames"] < least or min(row["height"], row["width"]) < config.crop_px:
                raise StorageError(
                    f"{corpus}: clip {row['clip']} has {row['frames']} frames of {row['width']}x"
                    f"{row['height']}, too little for windows of {config.frames} frames (of {least}) of "
                    f"{config.crop_px}x{config.crop_px}"
                )
        self._paths = [_path(place, row) for row in rows]
        if missing := [path for path in self._paths if not path.exists()]:
            raise StorageError(f"{missing[0]}: this clip was not walked through, of {len(missing)}")

    def __len__(self) -> int:
        """Items of an epoch: one of each clip."""
        return len(self._paths)

    def __getitem__(self, place: Place) -> ColourMaterial:
        """Raises StorageError where the walk cannot be read."""
        epoch, number = place
        rng = np.random.default_rng([self.config.seed, epoch, number])
        streams, frames, side = Streams(self._paths[number]), self.config.frames, self.config.crop_px
        first = int(rng.integers(0, len(streams.facts["past_frames"]) - frames + 1))
        taken = slice(first, first + frames)
        turns = rng.integers(0, 2, 2) * 2 - 1 if self.config.flips else np.array([1, 1])

        def turned(stream: Bytes) -> Bytes:
            return np.ascontiguousarray(stream[..., :: turns[0], :: turns[1]])

        luma, truth, past, future = (
            turned(streams.decoded(name, first, frames)) for name in ("luma", "truth", "past", "future")
        )
        facts = streams.facts
        window = WalkedClip(
            luma,
            truth,
            past,
            future,
            tuple(facts["past_frames"][taken]),
            tuple(facts["future_frames"][taken]),
            tuple(facts["stills"]),
        )
        stills = [*window.stills, *window.stills][:MOST_STILLS]
        still_luma = turned(np.concatenate([streams.decoded("luma", still, 1) for still in stills]))
        still_ab = turned(np.concatenate([streams.decoded("truth", still, 1)[:, 1:] for still in stills]))
        top, left = (int(rng.integers(0, length - side + 1)) for length in luma.shape[2:])
        turn_22 = hue_turn(rng) if self.config.flips else None
        return seen_colour(window, still_luma, still_ab, Area(top, top + side, left, left + side), turn_22)


def _foreign(row: dict[str, Any], rows: Sequence[dict[str, Any]]) -> dict[str, Any] | None:
    """A clip of another film in the same split, of the same size, for some clips; else None."""
    seed = _seed(row)
    others = [
        other
        for other in rows
        if other["film"] != row["film"]
        and all(other[fact] == row[fact] for fact in ("split", "height", "width"))
    ]
    return others[seed // _FOREIGN_EVERY % len(others)] if others and not seed % _FOREIGN_EVERY else None


def _seed(row: dict[str, Any]) -> int:
    return int.from_bytes(hashlib.sha256(row["clip"].encode()).digest()[:8], "big")


def _walk(job: _Job) -> None:
    """Writes one clip's walk. Raises StorageError."""
    corpus = Corpus.open(job.corpus)
    rgb_T3HW = clean_clip(corpus, job.row)
    other_T3HW = None if job.foreign is None else clean_clip(corpus, job.foreign)
    try:
        clip = walked(
            rgb_T3HW,
            np.random.default_rng(_seed(job.row)),
            None if other_T3HW is None else other_T3HW[len(other_T3HW) // 2],
        )
    except ValueError as error:
        raise StorageError(f"{job.corpus}: clip {job.row['clip']}: {error}") from error
    streams = {
        "luma": clip.luma_T1HW,
        "truth": clip.truth_T3HW,
        "past": clip.past_T3HW,
        "future": clip.future_T3HW,
    }
    facts = {
        "past_frames": clip.past_frames,
        "future_frames": clip.future_frames,
        "stills": clip.stills,
    }
    write_streams(job.path, streams, facts)


def _path(place: Path, row: dict[str, Any]) -> Path:
    return place / f"{row['clip']}{_SUFFIX}"
