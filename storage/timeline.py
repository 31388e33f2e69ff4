"""The shot list in and out: OpenTimelineIO, a frame-count EDL, CSV, and what a person wrote to overrule it.

Frames are integers from 0 and rates are rational; a file that cannot say a frame exactly is refused. OTIO is
the truth. The EDL counts frames at 24 because SMPTE timecode knows no 16 or 18 frames a second.
"""

import csv
import io
import json
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, Literal

import opentimelineio as otio

from storage.errors import StorageError

Kind = Literal["shot", "transition"]

UNCERTAIN_BELOW = 0.6
"""Shots less certain than this get a marker."""

BY_PERSON = "person"
"""The detector named where a person's list names none."""

_MOST_BYTES = 16 << 20  # a thousand shots are 2 MB of OTIO
_NAME = re.compile(r"\w[\w.-]*", re.ASCII)
_NOBODY = "-"
_KEY = "answerprint"
_EDL_RATE = 24
_EDL_MARK = "* ANSWERPRINT FRAME COUNT EDL: TIMES ARE FRAME NUMBERS WRITTEN AT 24, NOT THE FILM'S SPEED"
_COLUMNS = ("start", "end", "kind", "certainty", "detectors")


class CutListError(StorageError):
    """A shot list cannot be used: file, line, what is wrong, what to do."""


@dataclass(frozen=True)
class ShotSpan:
    """Frames [start, end) that belong together, or over which one shot goes into the next."""

    start: int
    end: int
    kind: Kind = "shot"
    certainty: float = 1.0
    """How sure it is that a cut stands at `start`, in [0, 1]."""
    detectors: tuple[str, ...] = (BY_PERSON,)
    """Who saw that cut: plain names (letters, digits, `_`, `.`, `-`), joined by `+` in the files."""

    def __post_init__(self) -> None:
        if not 0 <= self.start < self.end:
            raise ValueError(f"start {self.start} and end {self.end}: a shot holds at least one frame")
        if self.kind not in ("shot", "transition"):
            raise ValueError(f"kind {self.kind!r}: write shot or transition")
        if not 0 <= self.certainty <= 1:
            raise ValueError(f"certainty {self.certainty}: write a number from 0 to 1")
        if not all(_NAME.fullmatch(name) for name in self.detectors):
            raise ValueError(f"detectors {'+'.join(self.detectors)!r}: write plain names joined by +")


@dataclass(frozen=True)
class TimelineReel:
    """What a shot list must know of its reel."""

    name: str
    """The source's file name, as editors will look for it."""
    frames: int
    rate: Fraction
    """Frames a second."""
    timecode: str | None = None
    """HH:MM:SS:FF of frame 0; `;` before the frames for drop frame."""


# --- out ---------------------------------------------------------------------------------------------------


def otio_text(shots: Sequence[ShotSpan], reel: TimelineReel, uncertain_below: float = UNCERTAIN_BELOW) -> str:
    """OTIO JSON: one video track, a clip a shot, a marker on each uncertain cut.

    Clip times are frames of the reel from 0. The exact rate stands in the metadata; OTIO keeps a double.
    Raises CutListError where the shots do not cover the reel.
    """
    _validate([("", shot) for shot in shots], reel, "shots")
    time, span, rate = otio.opentime.RationalTime, otio.opentime.TimeRange, float(reel.rate)
    timeline = otio.schema.Timeline(reel.name)
    if reel.timecode and (first := _timecode_frames(reel.timecode, reel.rate)) is not None:
        timeline.global_start_time = time(first, rate)
    timeline.metadata[_KEY] = {
        "rate": str(reel.rate),
        "frames": reel.frames,
        "source": reel.name,
        "timecode": reel.timecode,
    }
    track = otio.schema.Track("shots", kind=otio.schema.TrackKind.Video)
    timeline.tracks.append(track)
    for number, shot in enumerate(shots, 1):
        clip = otio.schema.Clip(f"{shot.kind} {number:04d}")
        clip.media_reference = otio.schema.ExternalReference(
            reel.name, span(time(0, rate), time(reel.frames, rate))
        )
        clip.source_range = span(time(shot.start, rate), time(shot.end - shot.start, rate))
        clip.metadata[_KEY] = {
            "start": shot.start,
            "end": shot.end,
            "kind": shot.kind,
            "certainty": shot.certainty,
            "detectors": list(shot.detectors),
        }
        if shot.certainty < uncertain_below:
            marked = span(time(shot.start, rate), time(0, rate))
            note = f"uncertain cut, certainty {shot.certainty:.2f}"
            clip.markers.append(otio.schema.Marker(note, marked, otio.schema.MarkerColor.RED))
        track.append(clip)
    text: str = otio.adapters.write_to_string(timeline, "otio_json")
    return text


def edl_text(shots: Sequence[ShotSpan], reel: TimelineReel) -> str:
    """A CMX3600 EDL whose times are frame counts at 24: 00:00:02:06 is frame 54, at whatever speed.

    Raises CutListError where the shots do not cover the reel, or it is longer than 24 hours at 24.
    """
    _validate([("", shot) for shot in shots], reel, "shots")
    if reel.frames >= 24 * 3600 * _EDL_RATE:
        raise CutListError(f"{reel.name}: {reel.frames} frames do not fit an EDL: use the OTIO or CSV list")
    lines = [
        f"TITLE: {_one_line(reel.name)}",
        "FCM: NON-DROP FRAME",
        _EDL_MARK,
        f"* RATE: {reel.rate}",
        f"* FRAMES: {reel.frames}",
        f"* SOURCE FILE: {_one_line(reel.name)}",
    ]
    if reel.timecode:
        lines.append(f"* START TIMECODE: {_one_line(reel.timecode)}")
    for number, shot in enumerate(shots, 1):
        start, end = _edl_time(shot.start), _edl_time(shot.end)
        lines.append(f"{number:03d}  AX       V     C        {start} {end} {start} {end}")
        lines.append(f"* {shot.kind.upper()} CERTAINTY {shot.certainty!r} BY {_names(shot)}")
    return "\n".join(lines) + "\n"


def csv_text(shots: Sequence[ShotSpan], reel: TimelineReel) -> str:
    """One row a shot: start (first frame, from 0), end (one past the last), kind, certainty, detectors.

    Raises CutListError where the shots do not cover the reel.
    """
    _validate([("", shot) for shot in shots], reel, "shots")
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(_COLUMNS)
    for shot in shots:
        writer.writerow((shot.start, shot.end, shot.kind, repr(shot.certainty), _names(shot)))
    return out.getvalue()


def _names(shot: ShotSpan) -> str:
    return "+".join(shot.detectors) or _NOBODY


# --- in ----------------------------------------------------------------------------------------------------

_Placed = tuple[str, ShotSpan]
"""Where it stands in its file, for messages, and the shot."""


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
            placed = _from_otio(text, name, reel)
        case ".edl":
            placed = _from_edl(text, name, reel)
        case _:
            placed = _from_csv(text, name, reel)
    return _validate(placed, reel, name)


def _validate(placed: Sequence[_Placed], reel: TimelineReel, name: str) -> tuple[ShotSpan, ...]:
    """The shots, where they cover frames [0, reel.frames) once, in order."""
    expected = 0
    for where, shot in placed:
        at = f"{name}{where}"
        if shot.end > reel.frames:
            raise CutListError(f"{at}: ends at {shot.end}, the reel has {reel.frames} frames: correct it")
        if shot.start != expected:
            low, high = sorted((shot.start, expected))
            trouble = f"frames {low} to {high - 1} are in {'no shot' if shot.start == high else 'two shots'}"
            raise CutListError(f"{at}: starts at {shot.start}, not {expected}: {trouble}: correct it")
        expected = shot.end
    if expected != reel.frames:
        raise CutListError(f"{name}: ends at {expected}, the reel has {reel.frames} frames: add the rest")
    return tuple(shot for _, shot in placed)


def _from_csv(text: str, name: str, reel: TimelineReel) -> list[_Placed]:
    # Spreadsheets of half the world write semicolons, and commas within numbers.
    head = "".join(text.splitlines()[:2])
    delimiter = max(",;\t", key=head.count)
    reader = csv.reader(io.StringIO(text), delimiter=delimiter)
    try:
        rows = [(reader.line_num, [cell.strip() for cell in row]) for row in reader]
    except csv.Error as error:
        raise CutListError(f"{name} line {reader.line_num}: no CSV ({error}): save it anew") from error
    rows = [(line, row) for line, row in rows if any(row) and not row[0].startswith("#")]
    # PySceneDetect may put one row of timecodes before its header.
    for at, (_, row) in enumerate(rows[:2]):
        columns = {cell.lower(): index for index, cell in enumerate(row)}
        if {"start", "end"} <= columns.keys():
            return [_place(_csv_shot, row, columns, name, line) for line, row in rows[at + 1 :]]
        if {"start frame", "end frame"} <= columns.keys():
            return [_place(_scenedetect_shot, row, columns, name, line) for line, row in rows[at + 1 :]]
    if not rows or any(len(list(filter(None, row))) != 1 for _, row in rows):
        raise CutListError(f"{name}: no shot list: write start,end columns or one cut frame a line")
    if not _is_number(rows[0][1][0]):
        rows = rows[1:]
    return _from_cuts([(line, row[0]) for line, row in rows], name, reel)


def _place(
    read: Callable[[dict[str, str]], ShotSpan], row: list[str], columns: dict[str, int], name: str, line: int
) -> _Placed:
    cells = {column: row[index] if index < len(row) else "" for column, index in columns.items()}
    try:
        return f" line {line}", read(cells)
    except ValueError as error:
        raise CutListError(f"{name} line {line}: {error}") from error


def _csv_shot(cells: dict[str, str]) -> ShotSpan:
    return _shot(
        _frame(cells["start"]),
        _frame(cells["end"]),
        cells.get("kind", ""),
        cells.get("certainty", ""),
        cells.get("detectors", ""),
    )


def _scenedetect_shot(cells: dict[str, str]) -> ShotSpan:
    """PySceneDetect counts from 1 and its last frame is within the scene."""
    return _shot(_frame(cells["start frame"]) - 1, _frame(cells["end frame"]))


def _shot(start: int, end: int, kind: str = "", certainty: str = "", detectors: str = "") -> ShotSpan:
    """Empty cells are what a person leaves: a shot, certain, by that person."""
    return ShotSpan(
        start,
        end,
        (kind or "shot").lower(),  # type: ignore[arg-type]  # ShotSpan checks it
        float(certainty.replace(",", ".") or 1),
        () if detectors == _NOBODY else tuple((detectors or BY_PERSON).split("+")),
    )


def _from_cuts(cells: Iterable[tuple[int, str]], name: str, reel: TimelineReel) -> list[_Placed]:
    bounds = [("", 0)]
    for line, cell in cells:
        where = f" line {line}"
        try:
            cut = _frame(cell)
        except ValueError as error:
            raise CutListError(f"{name}{where}: {error}") from error
        if cut == 0 and len(bounds) == 1:
            bounds = [(where, 0)]
        elif not bounds[-1][1] < cut < reel.frames:
            raise CutListError(
                f"{name}{where}: cut at {cut}: write frames in rising order, after {bounds[-1][1]} and "
                f"before the reel's end at {reel.frames}"
            )
        else:
            bounds.append((where, cut))
    ends = [start for _, start in bounds[1:]] + [reel.frames]
    return [(where, ShotSpan(start, end)) for (where, start), end in zip(bounds, ends, strict=True)]


_EDL_EVENT = re.compile(r"\d{3,6}\s+\S+\s+(\S+)\s+(\S+)(?:\s+\d+)?" + r"\s+(\d+:[\d:;]+)" * 4, re.ASCII)
_EDL_NOTE = re.compile(r"\* (SHOT|TRANSITION) CERTAINTY (\S+) BY (\S+)", re.ASCII)


def _from_edl(text: str, name: str, reel: TimelineReel) -> list[_Placed]:
    lines = text.splitlines()
    if _EDL_MARK not in (line.strip() for line in lines):
        raise CutListError(f"{name}: not our EDL, and others tell times, not frames: give OTIO or CSV")
    placed: list[_Placed] = []
    for number, line in enumerate(map(str.strip, lines), 1):
        where = f" line {number}"
        try:
            if note := _EDL_NOTE.fullmatch(line):
                if not placed:
                    raise ValueError("a remark before the first event: remove it")
                place, shot = placed[-1]
                placed[-1] = (place, _shot(shot.start, shot.end, note[1], note[2], note[3]))
            elif line.startswith("* FRAMES: ") and line != f"* FRAMES: {reel.frames}":
                raise ValueError(f"made for a reel of {line[10:]} frames, this one has {reel.frames}")
            elif line[:1].isdigit():
                placed.append((where, _edl_shot(line)))
        except ValueError as error:
            raise CutListError(f"{name}{where}: {error}") from error
    return placed


def _edl_shot(line: str) -> ShotSpan:
    event = _EDL_EVENT.fullmatch(line)
    if event is None or event[1] not in ("V", "B"):
        raise ValueError("no event of one video track: write number, reel, V, C and four times")
    if event[2] != "C":
        raise ValueError(f"event of type {event[2]}: write cuts (C) only; transitions are shots of their own")
    start, end, record_start, record_end = (_edl_frame(time) for time in event.groups()[2:])
    if (start, end) != (record_start, record_end):
        raise ValueError("source and record times differ: a shot list moves nothing")
    return ShotSpan(start, end)


def _from_otio(text: str, name: str, reel: TimelineReel) -> list[_Placed]:
    """Reads OTIO as the plain JSON it is: OTIO 0.18's own reader ends the process on some broken files."""
    try:
        root = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise CutListError(f"{name}: no OTIO file ({error}): export it anew") from error
    try:
        every = root["tracks"]["children"] if _schema(root) == "Timeline" else [root]
        videos = [track for track in every if _schema(track) == "Track" and track["kind"] == "Video"]
        tracks = [list(track["children"]) for track in videos if track["children"]]
    except (KeyError, TypeError) as error:
        raise CutListError(f"{name}: no OTIO timeline: export it anew") from error
    if len(tracks) != 1:
        raise CutListError(f"{name}: {len(tracks)} video tracks with clips: export one timeline with one")

    placed: list[_Placed] = []
    dissolves: list[tuple[int, int, int]] = []  # clips before it, frames into the one, frames into the other
    for number, item in enumerate(tracks[0], 1):
        where = f" item {number}"
        try:
            if _schema(item) == "Transition":
                before, after = (_otio_frames(item[side], reel) for side in ("in_offset", "out_offset"))
                dissolves.append((len(placed), before, after))
            else:
                placed.append((where, _otio_shot(item, reel)))
        except ValueError as error:
            raise CutListError(f"{name}{where}: {error}") from error
        except (LookupError, TypeError, AttributeError, ArithmeticError) as error:
            raise CutListError(f"{name}{where}: broken ({error!r}): export it anew") from error
    _validate(placed, reel, name)
    return _with_dissolves(placed, dissolves, name)


def _schema(node: Any) -> str:
    """`Clip` of `Clip.2`; empty for what is no OTIO object. The version changes nothing that is read here."""
    return str(node.get("OTIO_SCHEMA", "")).partition(".")[0] if isinstance(node, dict) else ""


def _otio_shot(clip: Any, reel: TimelineReel) -> ShotSpan:
    if _schema(clip) == "Gap":
        raise ValueError("a gap: every frame needs a shot, so put a clip there")
    if _schema(clip) != "Clip":
        raise ValueError(f"{_schema(clip) or 'no OTIO object'}: write clips only, none nested")
    if clip.get("effects"):
        raise ValueError("a clip with effects: a shot list changes no speed, so remove them")
    media = clip.get("media_reference") or {}
    if "media_references" in clip:  # since Clip.2
        media = clip["media_references"].get(clip.get("active_media_reference_key")) or {}
    available = media.get("available_range")
    source = clip.get("source_range") or available
    if not source:
        raise ValueError("a clip without a source range: export it with one")
    start = _otio_frames(source["start_time"], reel)
    start -= _otio_frames(available["start_time"], reel) if available else 0
    ours = clip["metadata"].get(_KEY, {})
    return ShotSpan(
        start,
        start + _otio_frames(source["duration"], reel),
        ours.get("kind", "shot"),
        float(ours.get("certainty", 1)),
        tuple(ours.get("detectors", [BY_PERSON])),
    )


def _with_dissolves(placed: list[_Placed], dissolves: list[tuple[int, int, int]], name: str) -> list[_Placed]:
    """The clips with the frames of each dissolve taken out of both and made a transition of their own."""
    bounds = {index: (before, after) for index, before, after in dissolves if before + after}
    if bounds.keys() & {0, len(placed)}:
        raise CutListError(f"{name}: a dissolve at the reel's end: it needs clips on both sides; remove it")
    out: list[_Placed] = []
    for index, (where, shot) in enumerate(placed):
        start = shot.start + bounds.get(index, (0, 0))[1]
        end = shot.end - bounds.get(index + 1, (0, 0))[0]
        if index in bounds:
            out.append((where, ShotSpan(shot.start - bounds[index][0], start, "transition")))
        if end < start:
            raise CutListError(f"{name}{where}: its dissolves are longer than itself: shorten them")
        if end > start:
            out.append((where, ShotSpan(start, end, shot.kind, shot.certainty, shot.detectors)))
    return out


# --- numbers -----------------------------------------------------------------------------------------------


def _otio_frames(time: Any, reel: TimelineReel) -> int:
    """A RationalTime in frames of the reel. Raises ValueError where that is no whole number."""
    value, rate = (float(time[key]) for key in ("value", "rate"))
    frames = Fraction(value)
    # Editors write 23.976 and 23.98; the nearest other rate is 24, a thousandth away.
    if not abs(rate / float(reel.rate) - 1) <= 2e-4:
        frames *= reel.rate / Fraction(rate).limit_denominator(1001)
    if frames.denominator != 1:
        raise ValueError(
            f"{value:g} at {rate:g} a second is no whole frame at the reel's {reel.rate}: export at that rate"
        )
    return int(frames)


def _timecode_frames(timecode: str, rate: Fraction) -> int | None:
    """Frames from midnight; None where the text is no timecode."""
    if not re.fullmatch(r"\d\d:\d\d:\d\d[:;]\d\d", timecode, re.ASCII):
        return None
    hours, minutes, seconds, frames = (int(part) for part in re.split("[:;]", timecode))
    nominal = -(-rate.numerator // rate.denominator)
    minutes += 60 * hours
    count = (60 * minutes + seconds) * nominal + frames
    # Drop frame skips 2 numbers (4 at 59.94) each minute but every tenth.
    is_drop = ";" in timecode and nominal in (30, 60)
    return count - nominal // 15 * (minutes - minutes // 10) if is_drop else count


def _edl_time(frame: int) -> str:
    seconds, frames = divmod(frame, _EDL_RATE)
    return f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}:{frames:02d}"


def _edl_frame(time: str) -> int:
    match = re.fullmatch(r"(\d\d):([0-5]\d):([0-5]\d):(\d\d)", time, re.ASCII)
    if match is None or int(match[4]) >= _EDL_RATE:
        raise ValueError(f"time {time}: write HH:MM:SS:FF with frames 00 to {_EDL_RATE - 1}")
    hours, minutes, seconds, frames = map(int, match.groups())
    return ((hours * 60 + minutes) * 60 + seconds) * _EDL_RATE + frames


def _is_number(cell: str) -> bool:
    return bool(re.fullmatch(r"-?\d{1,18}", cell, re.ASCII))


def _frame(cell: str) -> int:
    if not _is_number(cell):
        raise ValueError(f"{cell[:40]!r} is no frame number: write whole numbers")
    return int(cell)


def _one_line(text: str) -> str:
    return " ".join(text.split())
