"""The laws a colour delivery must keep, checked from its own files alone."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeAlias

from storage.colour_delivery import (
    COLOUR,
    COLOUR_SUMMARY,
    COLOUR_SUMS,
    LUMA_SUMS,
    ColouredFrame,
    read_coloured,
)
from storage.coloured import GUESSED, LABEL, coloured_reel, luma_codes, middle
from storage.delivery import FRAMES, MASTER, REEL, read_pictures
from storage.fixity import FrameSum, frame_md5, frame_sum, read_framemd5
from storage.master import times_ms
from storage.reel import FrameRow, Reel, reel_from_json
from storage.tables import FRAMES as FRAMES_TABLE
from storage.tables import from_parquet
from tasks.laws import BROKEN, broken, carried

_MOST_TOLD = 20

Seen: TypeAlias = tuple[ColouredFrame, FrameSum]


def check_colour_laws(
    folder: Path, on_frame: Callable[[ColouredFrame, FrameSum], None] | None = None
) -> list[str]:
    """What breaks the laws in a colour delivery's data folder, one line each; nothing where all is well.

    on_frame: sees every frame on the way, with the checksum of its picture.
    """
    problems: list[str] = []
    left_out = 0
    for found in _findings(folder):
        if not isinstance(found, str):
            if on_frame:
                on_frame(*found)
        elif len(problems) < _MOST_TOLD:
            problems.append(found)
        else:
            left_out += 1
    return [*problems, *([f"and {left_out} more"] if left_out else [])]


def check_against_master(folder: Path, master: Path) -> list[str]:
    """Whether the luma on record is the restored film's, where that is at hand. Raises StorageError."""
    known = read_framemd5(folder / LUMA_SUMS).frames
    found = [frame_md5((luma_codes(picture),)) for _, picture in read_pictures(master)]
    if found == [each.md5 for each in known]:
        return []
    wrong = [n for n, (one, two) in enumerate(zip(found, known, strict=False)) if one != two.md5]
    where = f"from frame {wrong[0]} on" if wrong else f"it has {len(found)} frames and {len(known)} are known"
    return [f"{LUMA_SUMS}: is not the luma of {master.parent.parent.name}/{MASTER} ({where})"]


def _findings(folder: Path) -> Iterator[str | Seen]:
    try:
        reel = reel_from_json((folder / REEL).read_bytes())
        rows = [FrameRow(**row) for row in from_parquet((folder / FRAMES).read_bytes(), FRAMES_TABLE)]
        if len(rows) != reel.frame_count:
            yield f"{FRAMES}: holds {len(rows)} frames, the source {reel.frame_count}"
            return
        summary = json.loads((folder / COLOUR_SUMMARY).read_bytes())
        labels = dict(summary["labels"])
        if not labels.get(LABEL):
            yield f"{COLOUR_SUMMARY}: its labels do not say that the film is coloured ({LABEL})"
        if not labels.get(GUESSED) and _guessed(summary):
            yield f"{COLOUR_SUMMARY}: its labels do not say that a machine guessed its colours ({GUESSED})"
        yield from carried(folder / COLOUR, coloured_reel(reel, labels), rows)
        yield from _frames(folder, reel, rows)
    except BROKEN as error:
        yield broken(error)


def _guessed(summary: dict[str, Any]) -> bool:
    """Whether a model coloured any still that a shot was coloured from; older records know of none."""
    stills = [still for shot in summary["shots"] for still in shot["stills"]]
    return any(still.get("guessed_by") for still in stills)


def _frames(folder: Path, reel: Reel, rows: list[FrameRow]) -> Iterator[str | Seen]:
    """Laws 2 and 8, frame by frame: every picture in its place, its luma the restored film's."""
    times = times_ms(reel, rows)
    luma = read_framemd5(folder / LUMA_SUMS).frames
    known = read_framemd5(folder / COLOUR_SUMS).frames if (folder / COLOUR_SUMS).exists() else None
    for name, sums in ((LUMA_SUMS, luma), (COLOUR_SUMS, known)):
        if sums is not None and len(sums) != len(rows):
            yield f"{name}: holds {len(sums)} frames, the source {len(rows)}"
            return
    count = 0
    for coloured in read_coloured(folder):
        n, count = coloured.frame, coloured.frame + 1
        if n >= len(rows):
            break
        found = frame_sum(coloured.picture.planes)
        for problem in _frame_problems(coloured, times[n], luma[n], known[n] if known else None, found):
            yield f"frame {n}: {problem}"
        yield coloured, found
    if count != reel.frame_count:
        yield f"{COLOUR}: holds {count} frames, the source {reel.frame_count}"


def _frame_problems(
    coloured: ColouredFrame, time_ms: int, luma: FrameSum, known: FrameSum | None, found: FrameSum
) -> Iterator[str]:
    picture = coloured.picture
    if frame_md5(picture.planes[:1]) != luma.md5:
        yield "its luma is not the restored film's"
    if coloured.time_ms != time_ms:
        yield f"stands at {coloured.time_ms} ms, the source's at {time_ms} ms"
    grey = middle(picture.layout)
    if not coloured.coverage_HW.any() and any((plane != grey).any() for plane in picture.planes[1:]):
        yield "is coloured where nothing reached"
    if known and known.md5 != found.md5:
        yield f"is not the picture of {COLOUR_SUMS}"
