"""The one pass over a source at ingest: its facts, its exact frame index, its fixity."""

import hashlib
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import PurePosixPath
from typing import Any

import av
from av.container import InputContainer
from av.video.reformatter import Colorspace

from storage.container import Decoder, Packet, film_stream, open_film, without_adts
from storage.errors import SourceError
from storage.filesystem import open_input
from storage.fixity import frame_md5, sha256_file
from storage.index import Seen, build_index
from storage.pixels import Unpacker, display_matrix, layout_of
from storage.reel import AudioFacts, Chapter, FieldOrder, FrameRow, Reel, VideoFacts
from storage.sequence import ImageSequence, decode_image, find_sequence, is_sequence

_FIELD_ORDERS: dict[int, FieldOrder] = {2: "top first", 3: "bottom first", 4: "top first", 5: "bottom first"}
_RAW_STREAMS = frozenset({"h264", "hevc", "m4v", "mpegvideo", "vc1", "dirac", "mjpeg", "dnxhd"})
_UNTAGGED = 2
# Tags that describe the file they stood in, not the film.
_FILE_TAGS = frozenset({
    "encoder", "duration", "major_brand", "minor_version", "compatible_brands", "handler_name", "vendor_id",
    "language", "timecode",
})  # fmt: skip
_KEPT_ERRORS = 100
_HELD_FRAMES = 3
_FALLBACK_RATE = Fraction(24)

Progress = Callable[[int], None]


def survey(
    source: str, rate: Fraction | None = None, progress: Progress = lambda frames: None
) -> tuple[Reel, list[FrameRow]]:
    """Reads the source once to its end.

    rate: for image sequences and raw streams that name none; contradicting a named rate is an error.
    Raises SourceError: not a film, nothing to see in it, unsupported pixels, contradictory rate.
    """
    if is_sequence(source):
        return _survey_sequence(source, rate, progress)
    return _survey_film(source, rate, progress)


@dataclass(frozen=True)
class Probe:
    """What a film says of itself, without its frame index."""

    video: VideoFacts
    audio: tuple[AudioFacts, ...]
    timecode: str | None
    metadata: dict[str, str]
    video_metadata: dict[str, str]
    chapters: tuple[Chapter, ...]


def probe(source: str) -> Probe:
    """The facts that one decoded frame and a pass over the sound's packets give. Raises SourceError."""
    with open_film(source) as container:
        stream = film_stream(container)
        first = next(iter(Decoder(container).frames()), None)
        if first is None:
            raise SourceError(f"{source}: not one frame could be decoded")
        rate = _film_rate(source, stream, container.format.name in _RAW_STREAMS, None, [])
        video = _video_facts(stream, first.frame, rate, [])
    with open_film(source) as container:
        sound = _Sound(carried_streams(container))
        for packet in container.demux(*sound.streams) if sound.streams else ():
            sound.take(packet)
        return Probe(
            video,
            sound.facts(),
            _timecode(container),
            _film_tags(container.metadata),
            _film_tags(film_stream(container).metadata),
            _chapters(container),
        )


def count_frames(source: str, rate: Fraction | None = None) -> tuple[int, VideoFacts]:
    """How many frames the source seems to have, without decoding them, and its facts. Raises SourceError."""
    if is_sequence(source):
        sequence = find_sequence(source)
        first = next(path for path in sequence.frames if path is not None)
        frame = decode_image(first.read_bytes(), first.suffix)
        return len(sequence.frames), _image_facts(
            sequence, frame, rate or sequence.header.rate or _FALLBACK_RATE
        )
    video = probe(source).video
    with open_film(source) as container:
        stream = film_stream(container)
        return stream.frames or sum(packet.size > 0 for packet in container.demux(stream)), video


def digest_source(source: str) -> tuple[str, int]:
    """(sha256, bytes) of the source: of the file, or over the ordered names and digests of a sequence's
    files.
    """
    if is_sequence(source):
        return _digest_sequence(find_sequence(source))
    with open_input(source) as file:
        digest = sha256_file(file)
        return digest, file.tell()


class _Sound:
    """Counts and hashes the packets of the streams that are carried."""

    def __init__(self, streams: list[Any]) -> None:
        self.streams = streams
        self._hashes = {stream.index: hashlib.md5() for stream in streams}
        self._counts = {stream.index: 0 for stream in streams}
        self.earliest: Fraction | None = None
        """Seconds; None where no packet bears a time."""

    def take(self, packet: Packet) -> None:
        if not packet.size:
            return
        is_aac = packet.stream.codec_context.name == "aac"
        payload = without_adts(bytes(packet)) if is_aac else bytes(packet)
        self._hashes[packet.stream.index].update(payload)
        self._counts[packet.stream.index] += 1
        ticks = packet.pts if packet.dts is None else packet.dts
        if ticks is not None:
            time = ticks * Fraction(packet.time_base)
            self.earliest = time if self.earliest is None else min(self.earliest, time)

    def facts(self) -> tuple[AudioFacts, ...]:
        return tuple(
            AudioFacts(
                stream=stream.index,
                kind=stream.type,
                codec=stream.codec_context.name,
                sample_rate=getattr(stream.codec_context, "sample_rate", 0) or 0,
                channels=getattr(stream.codec_context, "channels", 0) or 0,
                packets=self._counts[stream.index],
                md5=self._hashes[stream.index].hexdigest(),
                language=stream.metadata.get("language", ""),
            )
            for stream in self.streams
        )


def _survey_film(source: str, rate: Fraction | None, progress: Progress) -> tuple[Reel, list[FrameRow]]:
    digest, size_bytes = digest_source(source)
    with open_film(source) as container:
        decoder = Decoder(container)
        stream = decoder.stream
        sound = _Sound(carried_streams(container))
        unpacker = Unpacker()
        seen: list[Seen] = []
        first: av.VideoFrame | None = None
        held = deque[av.VideoFrame](maxlen=_HELD_FRAMES)  # see `_repeatable`
        for decoded in decoder.frames(sound):
            held.append(decoded.frame)
            first = first or decoded.frame
            if (decoded.frame.width, decoded.frame.height) != (first.width, first.height):
                raise SourceError(
                    f"{source}: the picture changes size at frame {len(seen)} from "
                    f"{first.width}x{first.height} to {decoded.frame.width}x{decoded.frame.height}; "
                    f"split the file there"
                )
            md5 = frame_md5(unpacker.picture(decoded.frame).planes)
            seen.append(Seen(decoded.pts, decoded.keyframe, md5, decoded.corrupt))
            progress(len(seen))
        if first is None:
            why = decoder.errors[0] if decoder.errors else "it holds no frames"
            raise SourceError(f"{source}: not one frame could be decoded ({why})")
        seen = _repeatable(source, seen)
        raw = container.format.name in _RAW_STREAMS
        assumptions: list[str] = []
        film_rate = _film_rate(source, stream, raw, rate, assumptions)
        time_base = Fraction(stream.time_base or 1 / film_rate)
        step = 1 / (film_rate * time_base)
        rows = build_index(
            seen,
            decoder.packet_pts,
            bool(decoder.errors),
            step,
            _promised(container, decoder, film_rate, size_bytes),
        )
        reel = Reel(
            reel_id=digest[:16],
            source=source,
            name=PurePosixPath(source).name,
            kind="film",
            container=container.format.name,
            sha256=digest,
            size_bytes=size_bytes,
            video=_video_facts(stream, first, film_rate, assumptions),
            frame_count=len(rows),
            time_base=time_base,
            start_pts=rows[0].pts or 0,
            variable_rate=_is_variable(rows, step),
            earliest=min((rows[0].pts or 0) * time_base, sound.earliest or Fraction(0)),
            audio=sound.facts(),
            timecode=_timecode(container),
            metadata=_film_tags(container.metadata),
            video_metadata=_film_tags(stream.metadata),
            chapters=_chapters(container),
            assumptions=tuple(assumptions),
            not_carried=_not_carried(container),
            damaged_frames=sum(bool(row.damage) for row in rows),
            decoder_errors=tuple(decoder.errors[:_KEPT_ERRORS]),
        )
    return reel, rows


def _repeatable(source: str, seen: list[Seen]) -> list[Seen]:
    """What was seen, with the corrupt frames marked that a second look shows otherwise.

    Some decoders leave in the holes of a broken picture what the memory held before, which depends on how
    many frames are held on to: none here and in `read_frames`, some at the first look.
    """
    if not any(frame.corrupt for frame in seen):
        return seen
    unpacker, told = Unpacker(), list(seen)
    with open_film(source) as container:
        for n, decoded in enumerate(Decoder(container).frames()):
            if seen[n].corrupt and frame_md5(unpacker.picture(decoded.frame).planes) != seen[n].md5:
                told[n] = replace(seen[n], repeatable=False)
    return told


def carried_streams(container: InputContainer) -> list[Any]:
    """The streams a master takes along packet by packet: sound, and subtitles that Matroska can hold."""
    subtitles = [s for s in container.streams.subtitles if s.codec_context.name in _MATROSKA_SUBTITLES]
    return sorted([*container.streams.audio, *subtitles], key=lambda stream: stream.index)


_MATROSKA_SUBTITLES = frozenset({"ass", "ssa", "subrip", "srt", "webvtt", "dvd_subtitle", "dvdsub", "pgssub"})


def _not_carried(container: InputContainer) -> tuple[str, ...]:
    kept = {stream.index for stream in carried_streams(container)} | {film_stream(container).index}
    return tuple(
        f"stream {stream.index} ({stream.type}): Matroska has no place for it"
        for stream in container.streams
        if stream.index not in kept
    )


def _film_rate(
    source: str, stream: av.VideoStream, raw: bool, asked: Fraction | None, assumptions: list[str]
) -> Fraction:
    named = stream.average_rate or stream.guessed_rate
    if raw or not named:
        assumed = asked or named or _FALLBACK_RATE
        assumptions.append(
            f"frame rate {assumed}: the stream carries no timestamps" + (", as asked" if asked else "")
        )
        return Fraction(assumed)
    if asked and asked != named:
        raise SourceError(f"{source}: says {named} frames a second and --rate says {asked}; leave --rate out")
    return Fraction(named)


def _promised(container: InputContainer, decoder: Decoder, rate: Fraction, size_bytes: int) -> int | None:
    """How many frames the container promises, where the file breaks off before them."""
    entries = decoder.stream.index_entries
    if container.format.name.startswith(("mov", "avi")):
        cut_off = any(entry.pos + entry.size > size_bytes for entry in entries)
        return len(entries) if cut_off else None
    # Matroska: the time at which the last frame ends.
    duration = decoder.stream.metadata.get("DURATION", "")
    if not decoder.stumbled or duration.count(":") != 2 or not decoder.packet_pts:
        return None
    hours, minutes, seconds = duration.split(":")
    ends = int(hours) * 3600 + int(minutes) * 60 + Fraction(seconds)
    return round((ends - min(decoder.packet_pts) * Fraction(decoder.stream.time_base or 0)) * rate)


def _is_variable(rows: list[FrameRow], step: Fraction) -> bool:
    """Whether timestamps leave the even grid by more than rounding: Matroska counts in whole milliseconds."""
    start = rows[0].pts
    tolerance = max(Fraction(1), step / 8)
    if start is None or any(row.pts is None for row in rows):
        return False
    return any(abs((row.pts or 0) - start - row.frame * step) > tolerance for row in rows)


def _video_facts(
    stream: av.VideoStream, frame: av.VideoFrame, rate: Fraction, assumptions: list[str]
) -> VideoFacts:
    context = stream.codec_context
    layout = layout_of(frame.format.name)
    range_tag = int(frame.color_range or context.color_range or 0)
    full = (
        range_tag == 2 or frame.format.name.startswith("yuvj") or (range_tag == 0 and layout.colour != "yuv")
    )
    matrix = int(context.colorspace)
    if layout.colour == "yuv" and range_tag == 0 and not full:
        assumptions.append("range: untagged, taken for limited")
    if layout.colour == "yuv" and matrix == _UNTAGGED:
        guess = "BT.709" if display_matrix(matrix, frame.height) == Colorspace.ITU709 else "BT.601"
        assumptions.append(f"matrix: untagged, taken for {guess} by the picture's size, for display only")
    aspect = stream.sample_aspect_ratio or context.sample_aspect_ratio
    order = _FIELD_ORDERS.get(int(context.field_order or 0), "progressive")
    if frame.interlaced_frame and order == "progressive":
        order = "top first"
        assumptions.append("field order: the frames are interlaced, taken for top field first")
    return VideoFacts(
        codec=context.name,
        pix_fmt=frame.format.name,
        width=frame.width,
        height=frame.height,
        rate=rate,
        sample_aspect=Fraction(aspect) if aspect else Fraction(1),
        rotation=int(frame.rotation),
        field_order=order,
        full_range=full,
        range_tag=range_tag,
        matrix=matrix,
        primaries=int(context.color_primaries),
        transfer=int(context.color_trc),
    )


def _timecode(container: InputContainer) -> str | None:
    places = [container.metadata, *(stream.metadata for stream in container.streams)]
    tags = [value for place in places for key, value in place.items() if key.lower() == "timecode"]
    return tags[0] if tags else None


def _film_tags(tags: dict[str, str]) -> dict[str, str]:
    return {
        key: value
        for key, value in tags.items()
        if key.lower() not in _FILE_TAGS and not key.upper().startswith("_STATISTICS") and value != "und"
    }


def _chapters(container: InputContainer) -> tuple[Chapter, ...]:
    return tuple(
        Chapter(
            chapter["start"] * Fraction(chapter["time_base"] or 1),
            chapter["end"] * Fraction(chapter["time_base"] or 1),
            chapter["metadata"].get("title", ""),
        )
        for chapter in container.chapters()
    )


def _survey_sequence(source: str, rate: Fraction | None, progress: Progress) -> tuple[Reel, list[FrameRow]]:
    sequence = find_sequence(source)
    header = sequence.header
    assumptions = []
    if header.rate and rate and header.rate != rate:
        raise SourceError(
            f"{source}: headers say {header.rate} frames a second and --rate says {rate}; which is right?"
        )
    film_rate = rate or header.rate
    if film_rate is None:
        film_rate = _FALLBACK_RATE
        assumptions.append(f"frame rate {film_rate}: the files name none; give --rate")
    digest, size_bytes = _digest_sequence(sequence)
    reasons = dict(sequence.damaged)
    unpacker, seen, errors, first = Unpacker(), [], [], None
    for ordinal, path in enumerate(sequence.frames):
        if path is None or ordinal in reasons:
            errors.append(f"frame {ordinal}: {reasons.get(ordinal, 'the file is missing')}")
        else:
            try:
                frame = decode_image(path.read_bytes(), path.suffix)
            except (SourceError, OSError) as error:
                errors.append(f"frame {ordinal} ({path.name}): {error}")
            else:
                first = first or frame
                md5 = frame_md5(unpacker.picture(frame).planes)
                seen.append(Seen(ordinal, True, md5, False))
        progress(ordinal + 1)
    if first is None:
        raise SourceError(
            f"{source}: not one image could be decoded ({errors[0] if errors else 'none found'})"
        )
    every = list(range(len(sequence.frames)))
    rows = build_index(seen, every, False, Fraction(1), None)
    reel = Reel(
        reel_id=digest[:16],
        source=source,
        name=PurePosixPath(source.rstrip("/")).name,
        kind="sequence",
        container=sequence.files[0].suffix.lstrip(".").lower(),
        sha256=digest,
        size_bytes=size_bytes,
        video=_image_facts(sequence, first, film_rate),
        frame_count=len(rows),
        time_base=1 / film_rate,
        start_pts=0,
        variable_rate=False,
        timecode=header.timecode,
        metadata={"transfer": header.transfer} if header.transfer else {},
        assumptions=tuple(assumptions),
        damaged_frames=sum(bool(row.damage) for row in rows),
        decoder_errors=tuple(errors[:_KEPT_ERRORS]),
    )
    return reel, rows


def _image_facts(sequence: ImageSequence, first: av.VideoFrame, rate: Fraction) -> VideoFacts:
    return VideoFacts(
        codec=sequence.files[0].suffix.lstrip(".").lower(),
        pix_fmt=first.format.name,
        width=first.width,
        height=first.height,
        rate=rate,
        sample_aspect=Fraction(1),
        rotation=0,
        field_order="progressive",
        full_range=True,
        range_tag=0,
        matrix=int(first.colorspace) if layout_of(first.format.name).colour == "yuv" else _UNTAGGED,
        primaries=int(first.color_primaries),
        transfer=int(first.color_trc),
    )


def _digest_sequence(sequence: ImageSequence) -> tuple[str, int]:
    """Over the ordered (ordinal, digest) pairs, so that moving or renaming the folder changes nothing."""
    total, size_bytes = hashlib.sha256(), 0
    for ordinal, path in enumerate(sequence.frames):
        if path is not None:
            with open_input(str(path)) as file:
                total.update(f"{ordinal} {sha256_file(file)}\n".encode())
                size_bytes += file.tell()
    return total.hexdigest(), size_bytes
