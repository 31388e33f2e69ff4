"""The shot list as a CMX3600 EDL that counts frames at 24, because SMPTE timecode knows no 16 or 18."""

import re
from collections.abc import Sequence

from storage.shotlist import CutListError, Placed, ShotSpan, TimelineReel, check_cover, names_of, shot_of

_RATE = 24
_MARK = "* ANSWERPRINT FRAME COUNT EDL: TIMES ARE FRAME NUMBERS WRITTEN AT 24, NOT THE FILM'S SPEED"
_EVENT = re.compile(r"\d{3,6}\s+\S+\s+(\S+)\s+(\S+)(?:\s+\d+)?" + r"\s+(\d+:[\d:;]+)" * 4, re.ASCII)
_NOTE = re.compile(r"\* (SHOT|TRANSITION) CERTAINTY (\S+) BY (\S+)", re.ASCII)


def edl_text(shots: Sequence[ShotSpan], reel: TimelineReel) -> str:
    """A CMX3600 EDL whose times are frame counts at 24: 00:00:02:06 is frame 54, at whatever speed.

    Raises CutListError where the shots do not cover the reel, or it is longer than 24 hours at 24.
    """
    check_cover([("", shot) for shot in shots], reel, "shots")
    if reel.frames >= 24 * 3600 * _RATE:
        raise CutListError(f"{reel.name}: {reel.frames} frames do not fit an EDL: use the OTIO or CSV list")
    lines = [
        f"TITLE: {_one_line(reel.name)}",
        "FCM: NON-DROP FRAME",
        _MARK,
        f"* RATE: {reel.rate}",
        f"* FRAMES: {reel.frames}",
        f"* SOURCE FILE: {_one_line(reel.name)}",
    ]
    if reel.timecode:
        lines.append(f"* START TIMECODE: {_one_line(reel.timecode)}")
    for number, shot in enumerate(shots, 1):
        start, end = _time(shot.start), _time(shot.end)
        lines.append(f"{number:03d}  AX       V     C        {start} {end} {start} {end}")
        lines.append(f"* {shot.kind.upper()} CERTAINTY {shot.certainty!r} BY {names_of(shot)}")
    return "\n".join(lines) + "\n"


def from_edl(text: str, name: str, reel: TimelineReel) -> list[Placed]:
    lines = text.splitlines()
    if _MARK not in (line.strip() for line in lines):
        raise CutListError(f"{name}: not our EDL, and others tell times, not frames: give OTIO or CSV")
    placed: list[Placed] = []
    for number, line in enumerate(map(str.strip, lines), 1):
        where = f" line {number}"
        try:
            if note := _NOTE.fullmatch(line):
                if not placed:
                    raise ValueError("a remark before the first event: remove it")
                place, shot = placed[-1]
                placed[-1] = (place, shot_of(shot.start, shot.end, note[1], note[2], note[3]))
            elif line.startswith("* FRAMES: ") and line != f"* FRAMES: {reel.frames}":
                raise ValueError(f"made for a reel of {line[10:]} frames, this one has {reel.frames}")
            elif line[:1].isdigit():
                placed.append((where, _event(line)))
        except ValueError as error:
            raise CutListError(f"{name}{where}: {error}") from error
    return placed


def _event(line: str) -> ShotSpan:
    event = _EVENT.fullmatch(line)
    if event is None or event[1] not in ("V", "B"):
        raise ValueError("no event of one video track: write number, reel, V, C and four times")
    if event[2] != "C":
        raise ValueError(f"event of type {event[2]}: write cuts (C) only; transitions are shots of their own")
    start, end, record_start, record_end = (_frame(time) for time in event.groups()[2:])
    if (start, end) != (record_start, record_end):
        raise ValueError("source and record times differ: a shot list moves nothing")
    return ShotSpan(start, end)


def _time(frame: int) -> str:
    seconds, frames = divmod(frame, _RATE)
    return f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}:{frames:02d}"


def _frame(time: str) -> int:
    match = re.fullmatch(r"(\d\d):([0-5]\d):([0-5]\d):(\d\d)", time, re.ASCII)
    if match is None or int(match[4]) >= _RATE:
        raise ValueError(f"time {time}: write HH:MM:SS:FF with frames 00 to {_RATE - 1}")
    hours, minutes, seconds, frames = map(int, match.groups())
    return ((hours * 60 + minutes) * 60 + seconds) * _RATE + frames


def _one_line(text: str) -> str:
    return " ".join(text.split())
