"""Frames worth painting, written out grey under the names that colouring looks for."""

import csv
import io
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from models.colour.choice import worth_colouring
from models.restorer import Footage
from storage.coloured import shown_grey
from storage.filesystem import absolute, is_local, write_atomically
from storage.painting import write_still
from storage.survey import Progress
from storage.vault import Vault
from tasks.ingest import IngestedReel, ingest
from tasks.progress import BOARD
from tasks.request import RequestError
from tasks.restored import RestoredReel, RestoredShot, lightness, restored_reel
from tasks.sources import find_sources
from tasks.stills import still_name

LIST = "stills.csv"
_MOST_A_SHOT = 3


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


@dataclass(frozen=True)
class StillsToPaint:
    """What was written for a reel."""

    source: str
    folder: str
    stills: tuple[StillToPaint, ...]
    reached: float
    """Share of the reel's pixels, shots in colour of their own left out, that they reach all together."""
    own_colour_shots: tuple[int, ...]

    def sentence(self) -> str:
        if not self.stills:
            return f"{self.source}: has colour of its own and keeps it; there is nothing to paint"
        stills = "1 still" if len(self.stills) == 1 else f"{len(self.stills)} stills"
        lines = [
            f"{self.source}: {stills} to paint in {self.folder}, reaching {self.reached:.0%} of the film"
        ]
        lines += [
            f"  {each.still}  shot {each.shot}, reaches {each.share_of_shot:.0%} of it"
            for each in self.stills
        ]
        return "\n".join(lines)


def write_stills(
    vault: str, sources: Sequence[str], output: str, delivery: str | None = None, count: int | None = None
) -> list[StillsToPaint]:
    """The stills of each reel, most useful first, as PNG in `output`, with a list of them.

    count: at most so many for each reel; all that are worth it if None. An image that is there already may be
    painted and stays as it is. Raises RequestError, StorageError.
    """
    if not is_local(output):
        raise RequestError(f"--output {output}: name a directory on this machine")
    if not Vault(vault).exists("reels"):
        raise RequestError(f"--vault {vault}: no vault there; `answerprint restore` makes one")
    reels = find_sources(sources)
    if delivery and len(reels) > 1:
        raise RequestError(f"--delivery is for one reel and {len(reels)} were named; run them one by one")
    folder = Path(absolute(output))
    written = []
    for source in reels:
        reel = ingest(Vault(vault), source, None, BOARD.stage(source, "ingest"))
        restored = restored_reel(Vault(vault), reel, delivery)
        tell = BOARD.stage(source, "stills", reel.reel.frame_count)
        written.append(_of_reel(Vault(vault), reel, restored, folder, count, tell))
        BOARD.close(source)
    rows = [asdict(still) for each in written for still in each.stills]
    if rows:
        text = io.StringIO()
        table = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
        table.writeheader()
        table.writerows(rows)
        write_atomically(folder / LIST, text.getvalue().encode())
    return written


def _of_reel(
    vault: Vault,
    reel: IngestedReel,
    restored: RestoredReel,
    folder: Path,
    count: int | None,
    progress: Progress,
) -> StillsToPaint:
    grey = [(n, shot) for n, shot in enumerate(restored.shots, 1) if not shot.in_colour]
    total = sum(_frames(shot) for _, shot in grey)
    found: list[StillToPaint] = []
    for n, shot in grey:
        for worth in worth_colouring(_footage(vault, reel, shot), _MOST_A_SHOT):
            frame = shot.span.start + worth.frame
            adds = worth.adds * _frames(shot) / total
            found.append(StillToPaint(still_name(reel.reel, frame), n, frame, worth.reaches, adds))
        progress(shot.span.end)
    chosen = sorted(found, key=lambda still: (-still.adds, still.frame))[:count]
    for still in chosen:
        path = folder / still.still
        if not path.exists():
            picture = restored.shot_of(still.frame).picture(vault, reel.reel, still.frame)
            write_still(path, shown_grey(picture, reel.reel.video))
    own = tuple(n for n, shot in enumerate(restored.shots, 1) if shot.in_colour)
    reached = sum(still.adds for still in chosen)
    return StillsToPaint(reel.reel.source, str(folder), tuple(chosen), reached, own)


def _footage(vault: Vault, reel: IngestedReel, shot: RestoredShot) -> Footage:
    video = reel.reel.video
    return Footage(
        lambda: (lightness(picture, reel.reel)[None] for picture in shot.pictures(vault)),
        _frames(shot),
        video.height,
        video.width,
        "grey",
    )


def _frames(shot: RestoredShot) -> int:
    return shot.span.end - shot.span.start
