"""What a film says of itself: its picture's facts, its sound, its tags."""

import hashlib
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import av
from av.container import InputContainer
from av.video.reformatter import Colorspace

from storage.container import Decoder, Packet, film_stream, open_film, without_adts
from storage.errors import SourceError
from storage.pixels import display_matrix, layout_of
from storage.reel import AudioFacts, Chapter, FieldOrder, VideoFacts

_FIELD_ORDERS: dict[int, FieldOrder] = {2: "top first", 3: "bottom first", 4: "top first", 5: "bottom first"}
RAW_STREAMS = frozenset({"h264", "hevc", "m4v", "mpegvideo", "vc1", "dirac", "mjpeg", "dnxhd"})
UNTAGGED = 2
FALLBACK_RATE = Fraction(24)
# Tags that describe the file they stood in, not the film.
_FILE_TAGS = frozenset({
    "encoder", "duration", "major_brand", "minor_version", "compatible_brands", "handler_name", "vendor_id",
    "language", "timecode",
})  # fmt: skip
_MATROSKA_SUBTITLES = frozenset({"ass", "ssa", "subrip", "srt", "webvtt", "dvd_subtitle", "dvdsub", "pgssub"})


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
        rate = film_rate_of(source, stream, container.format.name in RAW_STREAMS, None, [])
        video = video_facts_of(stream, first.frame, rate, [])
    with open_film(source) as container:
        sound = SoundCount(carried_streams(container))
        for packet in container.demux(*sound.streams) if sound.streams else ():
            sound.take(packet)
        return Probe(
            video,
            sound.facts(),
            timecode_of(container),
            film_tags(container.metadata),
            film_tags(film_stream(container).metadata),
            chapters_of(container),
        )


class SoundCount:
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


def carried_streams(container: InputContainer) -> list[Any]:
    """The streams a master takes along packet by packet: sound, and subtitles that Matroska can hold."""
    subtitles = [s for s in container.streams.subtitles if s.codec_context.name in _MATROSKA_SUBTITLES]
    return sorted([*container.streams.audio, *subtitles], key=lambda stream: stream.index)


def not_carried_of(container: InputContainer) -> tuple[str, ...]:
    kept = {stream.index for stream in carried_streams(container)} | {film_stream(container).index}
    return tuple(
        f"stream {stream.index} ({stream.type}): is not carried"
        for stream in container.streams
        if stream.index not in kept
    )


def film_rate_of(
    source: str, stream: av.VideoStream, raw: bool, asked: Fraction | None, assumptions: list[str]
) -> Fraction:
    named = stream.average_rate or stream.guessed_rate
    if raw or not named:
        assumed = asked or named or FALLBACK_RATE
        assumptions.append(
            f"frame rate {assumed}: the stream carries no timestamps" + (", as asked" if asked else "")
        )
        return Fraction(assumed)
    if asked and asked != named:
        raise SourceError(f"{source}: says {named} frames a second and --rate says {asked}; leave --rate out")
    return Fraction(named)


def video_facts_of(
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
    if layout.colour == "yuv" and matrix == UNTAGGED:
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


def timecode_of(container: InputContainer) -> str | None:
    places = [container.metadata, *(stream.metadata for stream in container.streams)]
    tags = [value for place in places for key, value in place.items() if key.lower() == "timecode"]
    return tags[0] if tags else None


def film_tags(tags: dict[str, str]) -> dict[str, str]:
    return {
        key: value
        for key, value in tags.items()
        if key.lower() not in _FILE_TAGS and not key.upper().startswith("_STATISTICS") and value != "und"
    }


def chapters_of(container: InputContainer) -> tuple[Chapter, ...]:
    return tuple(
        Chapter(
            chapter["start"] * Fraction(chapter["time_base"] or 1),
            chapter["end"] * Fraction(chapter["time_base"] or 1),
            chapter["metadata"].get("title", ""),
        )
        for chapter in container.chapters()
    )
