"""The laws a delivery must keep, checked from its own files alone."""

from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from itertools import zip_longest
from pathlib import Path
from typing import Any, TypeAlias

from av.error import FFmpegError

from storage.delivery import (
    CHANGES,
    FRAMES,
    MASTER,
    MASTER_SUMS,
    REEL,
    SOURCE_SUMS,
    DeliveredFrame,
    read_delivery,
)
from storage.errors import StorageError
from storage.fixity import FrameSum, frame_md5, frame_sum, read_framemd5
from storage.master import as_delivered, times_ms
from storage.probe import probe
from storage.reel import Chapter, FrameRow, Reel, reel_from_json
from storage.tables import CHANGES as CHANGES_TABLE
from storage.tables import FRAMES as FRAMES_TABLE
from storage.tables import from_parquet, read_rows

_MOST_TOLD = 20
# Matroska holds a frame's whole nanoseconds, which FFmpeg reads as a fraction of numbers up to 30,000; an MP4
# of uneven times has any rate. Each frame's own time is checked to the millisecond.
_RATE_TOLERANCE = Fraction(1, 20_000)
BROKEN = (StorageError, OSError, ValueError, LookupError, ArithmeticError, TypeError, FFmpegError)
"""What reading a broken record raises."""

Seen: TypeAlias = tuple[DeliveredFrame, FrameSum]


def check_laws(folder: Path, on_frame: Callable[[DeliveredFrame, FrameSum], None] | None = None) -> list[str]:
    """What breaks the laws in a delivery's data folder, one line each; nothing where all is well.

    on_frame: sees every frame on the way, with the checksum of its master picture.
    """
    problems = []
    for found in _findings(folder):
        if isinstance(found, str):
            problems.append(found)
        elif on_frame:
            on_frame(*found)
    return problems


def _findings(folder: Path) -> Iterator[str | Seen]:
    """Each problem, and each frame as it goes by; what cannot be read is a problem too."""
    try:
        reel = reel_from_json((folder / REEL).read_bytes())
        rows = [FrameRow(**row) for row in from_parquet((folder / FRAMES).read_bytes(), FRAMES_TABLE)]
        if len(rows) != reel.frame_count:
            yield f"{FRAMES}: holds {len(rows)} frames, the source {reel.frame_count}"
            return
        yield from carried(folder / MASTER, reel, rows)
        yield from _frames(folder, reel, rows)
    except BROKEN as error:
        yield broken(error)


def broken(error: Exception) -> str:
    """One line for what came of reading a broken record."""
    line = (str(error) or "?").splitlines()[0]
    return line if isinstance(error, StorageError | OSError) else f"broken: {type(error).__name__} {line}"


def carried(path: Path, reel: Reel, rows: Sequence[FrameRow]) -> Iterator[str]:
    """Law 2, what travels beside the pictures: what is wrong with the film that was made of the reel."""
    name, made = path.name, probe(str(path))
    for fact in (
        "width",
        "height",
        "sample_aspect",
        "rotation",
        "field_order",
        "range_tag",
        "matrix",
        "primaries",
        "transfer",
        "layout",
    ):
        theirs, ours = getattr(reel.video, fact), getattr(made.video, fact)
        if theirs != ours:
            yield f"{name}: {fact} is {ours}, the source's is {theirs}"
    if abs(made.video.rate / reel.video.rate - 1) > _RATE_TOLERANCE:
        yield f"{name}: rate is {made.video.rate}, the source's is {reel.video.rate}"
    for n, (theirs, ours) in enumerate(zip_longest(reel.audio, made.audio), 1):
        if theirs is None or ours is None:
            yield f"{name}: holds {len(made.audio)} streams of sound, the source {len(reel.audio)}"
            break
        if (theirs.codec, theirs.packets, theirs.md5) != (ours.codec, ours.packets, ours.md5):
            yield f"{name}: the packets of sound stream {n} are not the source's"
    if reel.timecode != made.timecode:
        yield f"{name}: timecode is {made.timecode}, the source's is {reel.timecode}"
    expected, _ = as_delivered(reel, rows, path)
    if _marks(expected.chapters) != _marks(made.chapters):
        yield f"{name}: its {len(made.chapters)} chapters are not the source's {len(reel.chapters)}"
    for whose, theirs_tags, ours_tags in (
        ("metadata", reel.metadata, made.metadata),
        ("metadata of the picture", reel.video_metadata, made.video_metadata),
    ):
        kept = {key.lower(): value for key, value in ours_tags.items()}
        lost = [key for key, value in theirs_tags.items() if kept.get(key.lower()) != value]
        if lost:
            yield f"{name}: {whose} lost: {', '.join(sorted(lost))}"


def _marks(chapters: Sequence[Chapter]) -> list[tuple[int, int, str]]:
    """Chapters in Matroska's whole nanoseconds."""
    return [(int(c.start * 10**9), int(c.end * 10**9), c.title) for c in chapters]


def _frames(folder: Path, reel: Reel, rows: list[FrameRow]) -> Iterator[str | Seen]:
    """Laws 2, 3 and 4, frame by frame: every picture in its place, every change in the mask and on record."""
    times = times_ms(reel, rows)
    log = _Log(folder / CHANGES)
    sums = read_framemd5(folder / SOURCE_SUMS).frames
    if [s.md5 for s in sums] != [row.md5 for row in rows]:
        yield f"{SOURCE_SUMS}: is not the frame index that was made at ingest"
    known = read_framemd5(folder / MASTER_SUMS).frames if (folder / MASTER_SUMS).exists() else None
    if known is not None and len(known) != len(rows):
        yield f"{MASTER_SUMS}: holds {len(known)} frames, the source {len(rows)}"
        known = None
    told = count = 0
    for delivered in read_delivery(folder):
        n, count = delivered.frame, delivered.frame + 1
        if n >= len(rows):
            break
        master_sum = frame_sum(delivered.master.planes)
        for problem in _frame_problems(
            delivered, rows[n], times[n], log.of(n), known[n] if known else None, master_sum
        ):
            told += 1
            if told <= _MOST_TOLD:
                yield f"frame {n}: {problem}"
        yield delivered, master_sum
    if log.of(None):
        yield f"{CHANGES}: its rows are not in the order of the frames"
    if told > _MOST_TOLD:
        yield f"and {told - _MOST_TOLD} more"
    if count != reel.frame_count:
        yield f"{MASTER}: holds {count} frames, the source {reel.frame_count}"


class _Log:
    """The change log read along with the frames."""

    def __init__(self, path: Path) -> None:
        self._rows = read_rows(path, CHANGES_TABLE)
        self._next = next(self._rows, None)

    def of(self, frame: int | None) -> list[dict[str, Any]]:
        """The rows of a frame, which are asked for in order; all that are left for None."""
        found = []
        while self._next is not None and frame in (None, self._next["frame"]):
            found.append(self._next)
            self._next = next(self._rows, None)
        return found


def _frame_problems(
    delivered: DeliveredFrame,
    row: FrameRow,
    time_ms: int,
    logged: list[dict[str, Any]],
    known: FrameSum | None,
    master_sum: FrameSum,
) -> Iterator[str]:
    is_untouched = delivered.source is delivered.master
    source_md5 = master_sum.md5 if is_untouched else frame_md5(delivered.source.planes)
    if source_md5 != row.md5:
        yield "changed outside the mask, or the replaced pixels are not the source's"
    if delivered.time_ms != time_ms:
        yield f"stands at {delivered.time_ms} ms, the source's at {time_ms} ms"
    unlogged_HW = delivered.mask_HW > 0
    for change in logged:
        across = slice(change["x"], change["x"] + change["width"])
        unlogged_HW[change["y"] : change["y"] + change["height"], across] = False
    if unlogged_HW.any():
        yield "was changed where the change log has no row for it"
    if known and known.md5 != master_sum.md5:
        yield f"is not the picture of {MASTER_SUMS}"
