"""The shot list as OpenTimelineIO: the one that is the truth, and that editors can open."""

import json
import re
from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import opentimelineio as otio

from storage.shotlist import (
    BY_PERSON,
    UNCERTAIN_BELOW,
    CutListError,
    Placed,
    ShotSpan,
    TimelineReel,
    check_cover,
)

_KEY = "answerprint"


def otio_text(shots: Sequence[ShotSpan], reel: TimelineReel, uncertain_below: float = UNCERTAIN_BELOW) -> str:
    """OTIO JSON: one video track, a clip a shot, a marker on each uncertain cut.

    Clip times are frames of the reel from 0. The exact rate stands in the metadata; OTIO keeps a double.
    Raises CutListError where the shots do not cover the reel.
    """
    check_cover([("", shot) for shot in shots], reel, "shots")
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


def from_otio(text: str, name: str, reel: TimelineReel) -> list[Placed]:
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

    placed: list[Placed] = []
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
    check_cover(placed, reel, name)
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


def _with_dissolves(placed: list[Placed], dissolves: list[tuple[int, int, int]], name: str) -> list[Placed]:
    """The clips with the frames of each dissolve taken out of both and made a transition of their own."""
    bounds = {index: (before, after) for index, before, after in dissolves if before + after}
    if bounds.keys() & {0, len(placed)}:
        raise CutListError(f"{name}: a dissolve at the reel's end: it needs clips on both sides; remove it")
    out: list[Placed] = []
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
