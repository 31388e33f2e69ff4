"""Frames worth painting, grey or coloured by a model, written under the names that colouring looks for."""

import csv
import io
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields, replace
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models.colour.automatic import StillColouriser, StillModelError
from models.colour.choice import Worth
from storage.coloured import shown_grey
from storage.errors import SourceError, StorageError
from storage.filesystem import absolute, is_local, name_of, write_atomically
from storage.painting import write_still
from storage.reel import Reel
from storage.vault import Vault
from tasks.colouring.automatic import colour_still, guess_at
from tasks.colouring.choice import ChoiceJob
from tasks.colouring.restored import RestoredReel, RestoredShot, lightness, restored_reel
from tasks.colouring.stills import plain_stem, shows, still_name, unpainted
from tasks.dispatch import Count
from tasks.ingest import IngestedReel, ingest
from tasks.pool import JobFailed, Pool
from tasks.progress import BOARD
from tasks.request import RequestError
from tasks.sources import find_sources

_LIST = "stills.csv"
"""After the reel's name and `_`."""
# A worker that takes this long for a megapixel hangs.
_DEADLINE_S, _DEADLINE_S_A_MEGAPIXEL = 600, 60


@dataclass(frozen=True)
class StillToPaint:
    """A frame that is worth a person's hours."""

    still: str
    """The image's name."""
    shot: int
    """From 1."""
    frame: int
    share_of_shot: float
    """Of the shot's pixels, how many its colour reaches along motion."""
    adds: float
    """Of the reel's pixels, how many no still above it reaches."""
    guessed_by: str = ""
    """The model that coloured it, and nobody changed it since; empty for one that a person is to paint."""


@dataclass(frozen=True)
class StillsToPaint:
    """What was written for a reel."""

    source: str
    folder: str
    stills: tuple[StillToPaint, ...] = ()
    reached: float = 0.0
    """Share of the reel's pixels that they reach all together; shots in colour of their own, and those on
    which nothing is to be seen, are left out."""
    own_colour_shots: tuple[int, ...] = ()
    errors: tuple[str, ...] = ()
    """A line for each shot that could not be looked through, and for each image in the way."""
    failure: str = ""
    """Why there is nothing else, where the reel cannot be used."""

    def sentence(self) -> str:
        if self.failure:
            return f"{self.source}: {self.failure.removeprefix(f'{self.source}: ')}"
        if not self.stills and not self.errors:
            why = "has colour of its own and keeps it" if self.own_colour_shots else "shows nothing"
            return f"{self.source}: {why}; there is nothing to paint"
        guessed = sum(bool(still.guessed_by) for still in self.stills)
        stills = _stills(len(self.stills) - guessed, "to paint") if guessed < len(self.stills) else ""
        guesses = _stills(guessed, "coloured by a machine") if guessed or not stills else ""
        told = " and ".join(filter(None, (stills, guesses)))
        lines = [f"{self.source}: {told} in {self.folder}, reaching {self.reached:.0%} of the film"]
        for each in self.stills:
            by = f", guessed by {each.guessed_by}" if each.guessed_by else ""
            lines.append(f"  {each.still}  shot {each.shot}, reaches {each.share_of_shot:.0%} of it{by}")
        return "\n".join(lines)


def write_stills(
    vault: str,
    sources: Sequence[str],
    output: str,
    pool: Pool,
    delivery: str | None = None,
    count: int | None = None,
    model: StillColouriser | None = None,
) -> list[StillsToPaint]:
    """The stills of each reel, most useful first, as PNG in `output`, with a list of them.

    pool: of ChoosingWorker. count: at most so many for each reel; all that are worth it if None. An image
    that is there already may be painted and stays as it is; one of another film is told. model: colours what
    nobody painted yet, also guesses of other models. Reels whose files have one name are called by their
    identifiers. Raises RequestError, PoolError, VaultError.
    """
    if not is_local(output):
        raise RequestError(f"--output {output}: name a directory on this machine")
    if not Vault(vault).exists("reels"):
        raise RequestError(f"--vault {vault}: no vault there; `answerprint restore` makes one")
    reels = find_sources(sources)
    if delivery and len(reels) > 1:
        raise RequestError(f"--delivery is for one reel and {len(reels)} were named; run them one by one")
    folder = Path(absolute(output))
    named = Counter(plain_stem(name_of(source)) for source in reels)
    written = []
    for source in reels:
        try:
            reel = ingest(Vault(vault), source, None, BOARD.stage(source, "ingest"))
            restored = restored_reel(Vault(vault), reel, delivery)
            stem = plain_stem(reel.reel.name)
            stem = stem if named[stem] == 1 else reel.reel.reel_id
            found, failed = _worth(vault, reel, restored, stem, pool)
            told = _written(Vault(vault), reel, restored, folder, found[:count], failed, model)
            _write_list(folder / f"{stem}_{_LIST}", told.stills)
            written.append(told)
        except StorageError as error:  # it costs this reel alone
            written.append(StillsToPaint(source, str(folder), failure=str(error)))
        finally:
            BOARD.close(source)
    return written


def _worth(
    vault: str, reel: IngestedReel, restored: RestoredReel, stem: str, pool: Pool
) -> tuple[list[StillToPaint], list[str]]:
    """Every frame that is worth painting, the most useful first; and a line for each shot given up.

    stem: what the stills call the reel.
    """
    count = Count(BOARD.stage(reel.reel.source, "stills", reel.reel.frame_count))
    running = {}
    for n, shot in enumerate(restored.shots, 1):
        if not shot.in_colour:
            megapixels = _frames(shot) * reel.megapixels
            job = ChoiceJob(absolute(vault), reel.reel.reel_id, shot)
            deadline_s = _DEADLINE_S + _DEADLINE_S_A_MEGAPIXEL * megapixels
            running[n, shot] = pool.submit(job, megapixels, deadline_s, partial(count.tell, n))
    found: dict[tuple[int, RestoredShot], list[Worth]] = {}
    failed = []
    try:
        for (n, shot), future in running.items():
            try:
                found[n, shot] = future.result()
            except JobFailed as error:
                failed.append(f"shot {n} (frames {shot.span.start}-{shot.span.end - 1}): {error}")
    finally:
        pool.cancel(running.values())
    total = sum(_frames(shot) for n, shot in running if found.get((n, shot), True))  # leader has none
    stills = []
    for (n, shot), worths in found.items():
        for worth in worths:
            frame, adds = shot.span.start + worth.frame, worth.adds * _frames(shot) / total
            stills.append(StillToPaint(still_name(reel.reel, frame, stem), n, frame, worth.reaches, adds))
    return sorted(stills, key=lambda still: (-still.adds, still.frame)), failed


def _written(
    vault: Vault,
    reel: IngestedReel,
    restored: RestoredReel,
    folder: Path,
    chosen: Sequence[StillToPaint],
    failed: Sequence[str],
    model: StillColouriser | None,
) -> StillsToPaint:
    stills, errors = [], list(failed)
    for still in chosen:
        path = folder / still.still
        picture = restored.shot_of(still.frame).picture(vault, reel.reel, still.frame)
        if not path.exists():
            write_still(path, shown_grey(picture, reel.reel.video))
        elif why := _in_the_way(path, reel.reel, still.frame, lightness(picture, reel.reel)):
            errors.append(why)
            continue
        guess = guess_at(vault, reel, path)
        if model and (guess.maker != model.maker if guess else unpainted(path, reel.reel)):
            try:
                guess = colour_still(vault, reel, still.frame, picture, path, model)
            except StillModelError as error:
                errors.append(f"{path.name}: left as it was: {error}")
        stills.append(replace(still, guessed_by=guess.maker.title()) if guess else still)
    own = tuple(n for n, shot in enumerate(restored.shots, 1) if shot.in_colour)
    reached = sum(still.adds for still in stills)
    return StillsToPaint(reel.reel.source, str(folder), tuple(stills), reached, own, tuple(errors))


def _in_the_way(path: Path, reel: Reel, frame: int, frame_HW: NDArray[np.float32]) -> str:
    """Why the image that is there is no still of the frame; empty if it is one."""
    try:
        if shows(path, reel, frame_HW):
            return ""
        why = f"{path.name}: does not show frame {frame}; is it of another film?"
    except SourceError as error:
        why = str(error)
    return f"{why} (it was there and is left as it is; name another --output, or move it)"


def _write_list(path: Path, stills: Sequence[StillToPaint]) -> None:
    if not stills:
        return
    text = io.StringIO()
    table = csv.DictWriter(text, [field.name for field in fields(StillToPaint)], lineterminator="\n")
    table.writeheader()
    table.writerows(asdict(still) for still in stills)
    write_atomically(path, text.getvalue().encode())


def _stills(count: int, what: str) -> str:
    return f"{count} still {what}" if count == 1 else f"{count} stills {what}"


def _frames(shot: RestoredShot) -> int:
    return shot.span.end - shot.span.start
