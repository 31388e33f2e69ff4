"""Masters out: FFV1 version 3 in Matroska, encoded shot by shot and joined packet by packet.

GOP 1, slices with checksums, the source's samples and tags. Nothing is written that differs between two runs:
no random identifiers, no dates.
"""

import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from fractions import Fraction
from functools import lru_cache
from math import floor
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Self

import av
from av.container import OutputContainer
from av.error import FFmpegError

from storage.container import Packet, open_film
from storage.errors import SourceError, VaultError
from storage.filesystem import first_line
from storage.matroska import set_sample_aspect
from storage.pixels import Picture, PixelLayout, layout_of, to_frame
from storage.probe import carried_streams
from storage.reel import FrameRow, Reel, VideoFacts

_FIELD_ORDER_OPTION = {"progressive": "progressive", "top first": "tt", "bottom first": "bb"}
# Archives ask for 16 slices or more. The grid must fit the picture's rows (405 of them in 4:2:0 refuse 16 and
# take 18), so the first that fits is taken; a thumbnail is not worth the overhead.
_SLICES, _FEW_SLICES, _SMALL_PIXELS = (16, 18, 20, 24, 25, 30, 15, 12, 9, 6, 4, 1), (4, 1), 128 * 96
_FFV1_OPTIONS = {"level": "3", "g": "1", "slicecrc": "1", "flags": "+bitexact"}
_MILLISECOND = Fraction(1, 1000)
GREY8 = layout_of("gray")


class Ffv1Writer:
    """Writes pictures to one FFV1 segment. Use as a context manager; a failed one leaves a partial file
    behind.
    """

    def __init__(
        self,
        out: Path | BinaryIO,
        video: VideoFacts,
        layout: PixelLayout | None = None,
        slices: int | None = None,
    ) -> None:
        """layout: another one than the film's own, e.g. grey for masks; colour tags are left out then.
        slices: another number than archives ask for."""
        self._container = _open_output(out)
        self._stream = _ffv1_stream(self._container, video, layout, slices)
        self._tick = 1 / video.rate
        self._count = 0
        self._blank: Packet | None = None

    def write(self, picture: Picture) -> None:
        """A picture that is all zero, as many masks are, is encoded once: each packet stands alone (GOP 1),
        so the next such picture has the same bytes.
        """
        if any(plane.any() for plane in picture.planes):
            self._container.mux(self._encoded(picture))
        else:
            self._blank = self._blank or self._encoded(picture)
            self._container.mux(self._again(self._blank))
        self._count += 1

    def _encoded(self, picture: Picture) -> Packet:
        """On one thread FFV1 gives each picture's packet at once."""
        frame = to_frame(picture)
        frame.pts = self._count
        frame.time_base = self._tick
        (packet,) = self._stream.encode(frame)
        return packet

    def _again(self, packet: Packet) -> Packet:
        """The packet for the picture that is written now."""
        copy: Packet = av.Packet(bytes(packet))
        copy.stream = self._stream
        copy.pts = copy.dts = self._count
        copy.time_base = self._tick
        copy.is_keyframe = True
        return copy

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self._container.mux(self._stream.encode(None))
        self._container.close()


def join(path: Path, segments: Sequence[Path], reel: Reel, rows: Sequence[FrameRow]) -> None:
    """The reel's master: the segments' packets in order at the source's times, with its sound, tags and
    chapters.

    Raises VaultError where segments do not fit together or do not hold the reel's frames; SourceError where
    the source's sound is no longer what was ingested.
    """
    container = _open_output(path)
    with container:
        stream = _ffv1_stream(container, reel.video)
        stream.metadata.update(reel.video_metadata)
        container.metadata.update(_tags(reel))
        if reel.chapters:
            container.set_chapters(_chapters(reel))
        packets = _film_packets(segments, stream, times_ms(reel, rows))
        if reel.kind == "film" and reel.audio:
            with open_film(reel.source) as source:
                carried = carried_streams(source)
                targets = {s.index: container.add_stream_from_template(s, opaque=True) for s in carried}
                for s in carried:
                    targets[s.index].metadata.update(s.metadata)
                interleave(container, packets, _sound_packets(source, carried, targets, _shift_ms(reel)))
        else:
            for packet in packets:
                container.mux(packet)
    if reel.video.sample_aspect != 1:
        set_sample_aspect(path, reel.video.width, reel.video.height, reel.video.sample_aspect)


def join_plain(
    path: Path, segments: Sequence[Path], reel: Reel, rows: Sequence[FrameRow], layout: PixelLayout
) -> None:
    """Segments of masks or of replaced pixels joined to one silent film with the reel's times."""
    with _open_output(path) as container:
        stream = _ffv1_stream(container, reel.video, layout)
        for packet in _film_packets(segments, stream, times_ms(reel, rows)):
            container.mux(packet)


def _open_output(out: Path | BinaryIO) -> OutputContainer:
    target = str(out) if isinstance(out, Path) else out
    try:
        return av.open(target, "w", format="matroska", options={"fflags": "+bitexact"})
    except (FFmpegError, OSError) as error:
        raise VaultError(f"{out}: cannot be written ({first_line(error)})") from error


def _ffv1_stream(
    container: OutputContainer,
    video: VideoFacts,
    layout: PixelLayout | None = None,
    slices: int | None = None,
) -> av.VideoStream:
    pix_fmt = (layout or video.layout).encoded
    options = {
        **_FFV1_OPTIONS,
        "slices": str(slices or _slices(video.width, video.height, pix_fmt)),
        "field_order": _FIELD_ORDER_OPTION[video.field_order],
    }
    stream = container.add_stream("ffv1", rate=video.rate, options=options)
    stream.width, stream.height, stream.pix_fmt = video.width, video.height, pix_fmt
    context = stream.codec_context
    context.sample_aspect_ratio = video.sample_aspect
    context.thread_count = 1
    if layout is None:
        context.color_range = video.range_tag
        context.colorspace = video.matrix
        context.color_primaries = video.primaries
        context.color_trc = video.transfer
    if video.rotation:
        stream.set_display_rotation(video.rotation)
    return stream


@lru_cache
def _slices(width: int, height: int, pix_fmt: str) -> int:
    """The number of slices that FFV1 accepts for pictures of this size, by asking it."""
    for slices in _SLICES if width * height >= _SMALL_PIXELS else _FEW_SLICES:
        encoder = av.CodecContext.create("ffv1", "w")
        encoder.width, encoder.height, encoder.pix_fmt = width, height, pix_fmt
        encoder.time_base = _MILLISECOND
        encoder.options = {**_FFV1_OPTIONS, "slices": str(slices)}
        try:
            encoder.open()
        except FFmpegError:
            continue
        return slices
    raise VaultError(f"FFV1 cannot hold pictures of {width}x{height} in {pix_fmt}")


def _tags(reel: Reel) -> dict[str, str]:
    return {**reel.metadata, **({"timecode": reel.timecode} if reel.timecode else {})}


def lost_tags(film: Mapping[str, str], picture: Mapping[str, str]) -> tuple[list[str], list[str]]:
    """The keys of those tags of the film, and of its stream of pictures, that Matroska does not give back as
    they are. Found out with a film of one frame: the muxer has names of its own for some and drops others.
    """
    file = io.BytesIO()
    with av.open(file, "w", format="matroska", options={"fflags": "+bitexact"}) as out:
        stream = out.add_stream("ffv1", rate=1)
        stream.width, stream.height, stream.pix_fmt = 16, 16, "gray"
        out.metadata.update(film)
        stream.metadata.update(picture)
        out.mux([*stream.encode(av.VideoFrame(16, 16, "gray")), *stream.encode(None)])
    file.seek(0)
    with av.open(file, metadata_errors="replace") as back:
        return _missing(film, back.metadata), _missing(picture, back.streams.video[0].metadata)


def _missing(tags: Mapping[str, str], found: Mapping[str, str]) -> list[str]:
    """Matroska writes the names of tags in capitals."""
    kept = {key.lower(): value for key, value in found.items()}
    return [key for key, value in tags.items() if kept.get(key.lower()) != value]


def _chapters(reel: Reel) -> list[Any]:
    nanoseconds = 1_000_000_000
    shift = Fraction(_shift_ms(reel), 1000)
    return [
        {
            "id": number,
            "start": int((chapter.start - shift) * nanoseconds),
            "end": int((chapter.end - shift) * nanoseconds),
            "time_base": Fraction(1, nanoseconds),
            "metadata": {"title": chapter.title},
        }
        for number, chapter in enumerate(reel.chapters, 1)
    ]


def _shift_ms(reel: Reel) -> int:
    """What is taken off every time so that none is negative; sound and picture keep their distance."""
    return min(0, floor(reel.earliest * 1000))


def as_delivered(reel: Reel, rows: Sequence[FrameRow], master: Path) -> tuple[Reel, list[FrameRow]]:
    """The reel and its frames as its own master has them: counted in milliseconds, nothing before zero."""
    shift = Fraction(_shift_ms(reel), 1000)
    times = times_ms(reel, rows)
    told = replace(
        reel,
        source=str(master),
        kind="film",
        time_base=_MILLISECOND,
        start_pts=times[0],
        variable_rate=True,
        earliest=Fraction(0),
        chapters=tuple(replace(c, start=c.start - shift, end=c.end - shift) for c in reel.chapters),
    )
    return told, [replace(row, pts=time) for row, time in zip(rows, times, strict=True)]


def times_ms(reel: Reel, rows: Sequence[FrameRow]) -> list[int]:
    """Each frame's time in Matroska's milliseconds: from the source's timestamps, or counted where it has
    none.
    """
    shift = _shift_ms(reel)
    if any(row.pts is None for row in rows):
        return [round(row.frame / reel.video.rate * 1000) for row in rows]
    if reel.variable_rate:
        return [round((row.pts or 0) * reel.time_base * 1000) - shift for row in rows]
    start = (rows[0].pts or 0) * reel.time_base
    return [round((start + row.frame / reel.video.rate) * 1000) - shift for row in rows]


def _film_packets(segments: Sequence[Path], stream: av.VideoStream, times_ms: list[int]) -> Iterable[Packet]:
    extradata: bytes | None = None
    frame = 0
    for segment in segments:
        with av.open(str(segment)) as source:
            theirs = source.streams.video[0].codec_context.extradata
            if extradata is not None and theirs != extradata:
                raise VaultError(
                    f"{segment}: was encoded with other settings than its neighbours; delete and run again"
                )
            extradata = theirs
            for packet in source.demux(video=0):
                if not packet.size:
                    continue
                if frame == len(times_ms):
                    raise VaultError(f"{segment}: holds more frames than the reel; delete it and run again")
                packet.stream = stream
                packet.time_base = _MILLISECOND
                packet.pts = packet.dts = times_ms[frame]
                packet.duration = 0
                frame += 1
                yield packet
    if frame != len(times_ms):
        raise VaultError(f"the shots hold {frame} frames and the reel {len(times_ms)}; run again")


def _sound_packets(
    source: Any, carried: list[Any], targets: dict[int, Any], shift_ms: int
) -> Iterable[Packet]:
    for packet in source.demux(*carried):
        if not packet.size:
            continue
        base = Fraction(packet.time_base)
        shift = round(shift_ms * _MILLISECOND / base)
        packet.stream = targets[packet.stream.index]
        packet.time_base = base
        if packet.pts is not None:
            packet.pts -= shift
        if packet.dts is not None:
            packet.dts -= shift
        yield packet


def interleave(container: OutputContainer, film: Iterable[Packet], sound: Iterable[Packet]) -> None:
    """Muxes both by time, so that neither waits in memory for the other."""
    waiting = iter(sound)
    held = next(waiting, None)
    for packet in film:
        now = (packet.dts or 0) * _MILLISECOND
        while held is not None and (held.dts or held.pts or 0) * Fraction(held.time_base) <= now:
            _mux_sound(container, held)
            held = next(waiting, None)
        container.mux(packet)
    while held is not None:
        _mux_sound(container, held)
        held = next(waiting, None)


def _mux_sound(container: OutputContainer, packet: Packet) -> None:
    try:
        container.mux(packet)
    except FFmpegError as error:
        raise SourceError(f"the sound cannot be carried into Matroska ({first_line(error)})") from error
