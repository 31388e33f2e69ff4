"""The shot list in and out of files, by their suffix: OpenTimelineIO, a frame-count EDL, CSV.

A file that cannot say a frame exactly is refused. OTIO is the truth.
"""

from pathlib import Path

from storage.cuttable import csv_text, from_csv
from storage.edl import edl_text, from_edl
from storage.otio import from_otio, otio_text
from storage.shotlist import UNCERTAIN_BELOW, CutListError, ShotSpan, TimelineReel, check_cover

__all__ = [
    "UNCERTAIN_BELOW",
    "CutListError",
    "ShotSpan",
    "TimelineReel",
    "csv_text",
    "edl_text",
    "otio_text",
    "parse_cut_list",
    "read_cut_list",
]

_MOST_BYTES = 16 << 20  # a thousand shots are 2 MB of OTIO


def read_cut_list(path: Path, reel: TimelineReel) -> tuple[ShotSpan, ...]:
    """A shot list from a file, by its suffix: `.otio`, `.edl` (ours), anything else as CSV.

    CSV is ours, PySceneDetect's `list-scenes`, or one cut a line: the frame, from 0, that begins a shot.
    Files that an OTIO names are not opened. Raises CutListError; every frame of the reel must be in one shot.
    """
    try:
        with path.open("rb") as file:
            data = file.read(_MOST_BYTES + 1)
    except OSError as error:
        raise CutListError(f"{path}: cannot be read: {error.strerror}") from error
    if len(data) > _MOST_BYTES:
        raise CutListError(f"{path}: larger than {_MOST_BYTES >> 20} MB: this is no shot list")
    return parse_cut_list(data, str(path), reel)


def parse_cut_list(data: bytes, name: str, reel: TimelineReel) -> tuple[ShotSpan, ...]:
    """`read_cut_list` for a file that is already read; `name` is for the suffix and the messages."""
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise CutListError(f"{name}: not UTF-8 text: save it as UTF-8") from error
    match Path(name).suffix.lower():
        case ".otio":
            placed = from_otio(text, name, reel)
        case ".edl":
            placed = from_edl(text, name, reel)
        case _:
            placed = from_csv(text, name, reel)
    return check_cover(placed, reel, name)
