"""The laws a delivery must keep, checked from its own files alone."""

from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

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
from storage.fixity import FrameSum, frame_sum, read_framemd5
from storage.master import times_ms
from storage.reel import FrameRow, Reel, reel_from_json
from storage.survey import probe
from storage.tables import CHANGES as CHANGES_TABLE
from storage.tables import FRAMES as FRAMES_TABLE
from storage.tables import from_parquet

_MOST_TOLD = 20


def check_laws(folder: Path, on_frame: Callable[[DeliveredFrame, FrameSum], None] | None = None) -> list[str]:
    """What breaks the laws in a delivery's data folder, one line each; nothing where all is well.

    on_frame: sees every frame on the way, with the checksum of its master picture.
    """
    try:
        reel = reel_from_json((folder / REEL).read_bytes())
        rows = [FrameRow(**row) for row in from_parquet((folder / FRAMES).read_bytes(), FRAMES_TABLE)]
        changes = from_parquet((folder / CHANGES).read_bytes(), CHANGES_TABLE)
        return [*_carried(folder, reel), *_frames(folder, reel, rows, changes, on_frame)]
    except (StorageError, OSError, ValueError) as error:
        return [str(error).splitlines()[0]]


def _carried(folder: Path, reel: Reel) -> Iterator[str]:
    """Law 2, what travels beside the pictures."""
    master = probe(str(folder / MASTER))
    for name in (
        "width",
        "height",
        "rate",
        "sample_aspect",
        "rotation",
        "field_order",
        "range_tag",
        "matrix",
        "primaries",
        "transfer",
        "layout",
    ):
        theirs, ours = getattr(reel.video, name), getattr(master.video, name)
        if theirs != ours:
            yield f"{MASTER}: {name} is {ours}, the source's is {theirs}"
    theirs_sound = [(sound.codec, sound.packets, sound.md5) for sound in reel.audio]
    ours_sound = [(sound.codec, sound.packets, sound.md5) for sound in master.audio]
    if theirs_sound != ours_sound:
        yield f"{MASTER}: its {len(ours_sound)} sound streams are not the source's {len(theirs_sound)}"
    if reel.timecode != master.timecode:
        yield f"{MASTER}: timecode is {master.timecode}, the source's is {reel.timecode}"
    if [c.title for c in reel.chapters] != [c.title for c in master.chapters]:
        yield f"{MASTER}: holds {len(master.chapters)} of {len(reel.chapters)} chapters"
    kept = {key.lower(): value for key, value in (master.metadata | master.video_metadata).items()}
    lost = [
        key for key, value in (reel.metadata | reel.video_metadata).items() if kept.get(key.lower()) != value
    ]
    if lost:
        yield f"{MASTER}: metadata lost: {', '.join(sorted(lost))}"


def _frames(
    folder: Path,
    reel: Reel,
    rows: list[FrameRow],
    changes: list[dict[str, object]],
    on_frame: Callable[[DeliveredFrame, FrameSum], None] | None,
) -> Iterator[str]:
    """Laws 2, 3 and 4, frame by frame: every picture in its place, every change in the mask and on record."""
    times = times_ms(reel, rows)
    logged: Counter[object] = Counter(row["frame"] for row in changes)
    sums = read_framemd5(folder / SOURCE_SUMS).frames
    if [s.md5 for s in sums] != [row.md5 for row in rows]:
        yield f"{SOURCE_SUMS}: is not the frame index that was made at ingest"
    known = read_framemd5(folder / MASTER_SUMS).frames if (folder / MASTER_SUMS).exists() else None
    told = count = 0
    for delivered in read_delivery(folder):
        n, count = delivered.frame, delivered.frame + 1
        if n >= len(rows):
            break
        master_sum = frame_sum(delivered.master.planes)
        for problem in _frame_problems(
            delivered, rows[n], times[n], logged[n], known[n] if known else None, master_sum
        ):
            told += 1
            if told <= _MOST_TOLD:
                yield f"frame {n}: {problem}"
        if on_frame:
            on_frame(delivered, master_sum)
    if told > _MOST_TOLD:
        yield f"and {told - _MOST_TOLD} more"
    if count != reel.frame_count:
        yield f"{MASTER}: holds {count} frames, the source {reel.frame_count}"


def _frame_problems(
    delivered: DeliveredFrame,
    row: FrameRow,
    time_ms: int,
    logged: int,
    known: FrameSum | None,
    master_sum: FrameSum,
) -> Iterator[str]:
    if frame_sum(delivered.source.planes).md5 != row.md5:
        yield "changed outside the mask, or the replaced pixels are not the source's"
    if delivered.time_ms != time_ms:
        yield f"stands at {delivered.time_ms} ms, the source's at {time_ms} ms"
    if delivered.mask_HW.any() and not logged:
        yield "was changed and the change log has no row for it"
    if known and known.md5 != master_sum.md5:
        yield f"is not the picture of {MASTER_SUMS}"
