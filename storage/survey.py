"""The one pass over a source at ingest: its facts, its exact frame index, its fixity."""

from collections import deque
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction

import av
from av.container import InputContainer

from storage.container import Decoder, film_stream, open_film
from storage.errors import SourceError
from storage.filesystem import name_of, open_input, reading
from storage.fixity import frame_md5, sha256_file
from storage.index import Seen, build_index
from storage.master import lost_tags
from storage.pixels import Picture, Unpacker
from storage.probe import (
    FALLBACK_RATE,
    RAW_STREAMS,
    SoundCount,
    carried_streams,
    chapters_of,
    film_rate_of,
    film_tags,
    not_carried_of,
    probe,
    timecode_of,
    video_facts_of,
)
from storage.reel import FrameRow, Reel, VideoFacts
from storage.sequence import find_sequence, is_sequence
from storage.sequence_survey import digest_sequence, image_facts, survey_sequence
from storage.still import decode_image

_KEPT_ERRORS = 100
_HELD_FRAMES = 3
Progress = Callable[[int], None]
Look = Callable[[Picture], None]


def survey(
    source: str,
    rate: Fraction | None = None,
    progress: Progress = lambda frames: None,
    look: Look = lambda picture: None,
) -> tuple[Reel, list[FrameRow]]:
    """Reads the source once to its end.

    rate: for image sequences and raw streams that name none; contradicting a named rate is an error.
    look: sees every picture that decodes, in order.
    Raises SourceError: not a film, nothing to see in it, unsupported pixels, contradictory rate.
    """
    if is_sequence(source):
        return survey_sequence(source, rate, progress, look)
    return _survey_film(source, rate, progress, look)


def count_frames(source: str, rate: Fraction | None = None) -> tuple[int, VideoFacts]:
    """How many frames the source seems to have, without decoding them, and its facts. Raises SourceError."""
    if is_sequence(source):
        sequence = find_sequence(source)
        broken = sequence.faults()
        first = next(path for n, path in enumerate(sequence.frames) if path is not None and n not in broken)
        with reading(str(first)):
            data = first.read_bytes()
        frame = decode_image(data, first.suffix)
        return len(sequence.frames), image_facts(
            sequence, frame, rate or sequence.header.rate or FALLBACK_RATE
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
        return digest_sequence(find_sequence(source))
    with open_input(source) as file:
        digest = sha256_file(file)
        return digest, file.tell()


def _survey_film(
    source: str, rate: Fraction | None, progress: Progress, look: Look
) -> tuple[Reel, list[FrameRow]]:
    with open_film(source) as container:
        decoder = Decoder(container)
        stream = decoder.stream
        sound = SoundCount(carried_streams(container))
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
            picture = unpacker.picture(decoded.frame)
            look(picture)
            seen.append(Seen(decoded.pts, decoded.keyframe, frame_md5(picture.planes), decoded.corrupt))
            progress(len(seen))
        if first is None:
            why = decoder.errors[0] if decoder.errors else "it holds no frames"
            raise SourceError(f"{source}: not one frame could be decoded ({why})")
        seen = _repeatable(source, seen)
        digest, size_bytes = digest_source(source)  # after reading: what changed meanwhile is found out
        raw = container.format.name in RAW_STREAMS
        assumptions: list[str] = []
        film_rate = film_rate_of(source, stream, raw, rate, assumptions)
        time_base = Fraction(stream.time_base or 1 / film_rate)
        step = 1 / (film_rate * time_base)
        rows = build_index(
            seen,
            decoder.packet_pts,
            bool(decoder.errors),
            step,
            _promised(container, decoder, film_rate, size_bytes),
        )
        metadata, video_metadata = film_tags(container.metadata), film_tags(stream.metadata)
        dropped = [
            f"tag {key} of the {place}: Matroska does not hold it; it says {tags.pop(key)}"
            for place, tags, keys in zip(
                ("film", "picture"),
                (metadata, video_metadata),
                lost_tags(metadata, video_metadata),
                strict=True,
            )
            for key in keys
        ]
        reel = Reel(
            reel_id=digest[:16],
            source=source,
            name=name_of(source),
            kind="film",
            container=container.format.name,
            sha256=digest,
            size_bytes=size_bytes,
            video=video_facts_of(stream, first, film_rate, assumptions),
            frame_count=len(rows),
            time_base=time_base,
            start_pts=rows[0].pts or 0,
            variable_rate=_is_variable(rows, step),
            earliest=min((rows[0].pts or 0) * time_base, sound.earliest or Fraction(0)),
            audio=sound.facts(),
            timecode=timecode_of(container),
            metadata=metadata,
            video_metadata=video_metadata,
            chapters=chapters_of(container),
            assumptions=tuple(assumptions),
            not_carried=(*not_carried_of(container), *dropped),
            damaged_frames=sum(bool(row.damage) for row in rows),
            decoder_errors=tuple(decoder.errors[:_KEPT_ERRORS]),
            rate_asked=rate,
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
