"""The access copy: H.264 in MP4 with sound, for looking at. The only place where 8 bits are enough."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from fractions import Fraction
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import Any, Self

import av
from av.error import FFmpegError
from av.video.reformatter import ColorRange, Colorspace, VideoReformatter

from storage.container import open_film
from storage.master import interleave, times_ms
from storage.pixels import Picture, display_matrix, to_frame
from storage.reel import FrameRow, Reel

_TICKS_A_SECOND = 90_000
# The fastest preset, and what it lacks to look well: 8x8 transforms, the loop filter, parts of a pixel.
# Beside `superfast` at crf 18, on seven films: half the time, 1.14 times the bytes (0.98 to 1.4), PSNR 0.6 dB
# better (-0.4 to 1.9).
# Without macroblock-tree rate control: with it, 40 encodings of the same 96 frames gave ten different films.
_X264 = {
    "preset": "ultrafast",
    "crf": "19",
    "threads": "1",
    "flags": "+bitexact",
    "x264-params": "8x8dct=1:analyse=i8x8:no-deblock=0:deblock=0,0:subme=1:no-dct-decimate=1:mbtree=0",
}
# Sound that MP4 players know is copied; the rest becomes AAC.
_COPIED_SOUND = frozenset({"aac", "mp3", "ac3", "eac3", "alac"})
_AAC_BITS = 192_000
_AAC_CHANNELS = 8
_BT709, _BT601 = 1, 6
_NO_LABELS: Mapping[str, str] = MappingProxyType({})


class AccessWriter:
    """Encodes a reel's pictures; on a good exit the sound is added and the file is complete."""

    def __init__(
        self, path: Path, reel: Reel, rows: Sequence[FrameRow], labels: Mapping[str, str] = _NO_LABELS
    ) -> None:
        """labels: tags of the film, such as `title`; a key that MP4 has no place for is dropped."""
        self._path, self._reel, self._labels = path, reel, labels
        self._times_ms = times_ms(reel, rows)
        self._silent = path.with_name(f"{path.stem}-silent{path.suffix}")
        self._container = av.open(str(self._silent), "w", format="mp4", options={"fflags": "+bitexact"})
        self._stream = _h264_stream(self._container, reel)
        self._reformatter = VideoReformatter()
        self._count = 0

    def write(self, picture: Picture) -> None:
        video = self._reel.video
        matrix = display_matrix(video.matrix, video.height)
        frame = self._reformatter.reformat(
            to_frame(picture),
            width=self._stream.width,
            height=self._stream.height,
            format="yuv420p",
            src_colorspace=matrix,
            dst_colorspace=matrix,
            src_color_range=ColorRange.JPEG if video.full_range else ColorRange.MPEG,
            dst_color_range=ColorRange.MPEG,
        )
        frame.pts = self._times_ms[self._count] * _TICKS_A_SECOND // 1000
        frame.time_base = Fraction(1, _TICKS_A_SECOND)
        self._container.mux(self._stream.encode(frame))
        self._count += 1

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self._container.mux(self._stream.encode(None))
        self._container.close()
        if kind is None:
            _add_sound(self._silent, self._path, self._reel, self._labels)
        with suppress(OSError):
            self._silent.unlink()


def _h264_stream(container: Any, reel: Reel) -> Any:
    video = reel.video
    stream = container.add_stream("libx264", rate=video.rate, options=_X264)
    stream.width, stream.height = video.width + video.width % 2, video.height + video.height % 2
    stream.pix_fmt = "yuv420p"
    stream.time_base = Fraction(1, _TICKS_A_SECOND)
    context = stream.codec_context
    context.time_base = Fraction(1, _TICKS_A_SECOND)
    context.sample_aspect_ratio = video.sample_aspect
    context.color_range = 1
    context.colorspace = _BT709 if display_matrix(video.matrix, video.height) == Colorspace.ITU709 else _BT601
    tagged = video.layout.colour == "yuv"
    context.color_primaries = video.primaries if tagged else _BT709
    context.color_trc = video.transfer if tagged else _BT709
    if video.rotation:
        stream.set_display_rotation(video.rotation)
    return stream


def _add_sound(silent: Path, path: Path, reel: Reel, labels: Mapping[str, str]) -> None:
    options = {"fflags": "+bitexact", "movflags": "+faststart"}
    with av.open(str(silent)) as pictures, av.open(str(path), "w", format="mp4", options=options) as target:
        target.metadata.update(labels)
        theirs = pictures.streams.video[0]
        film = target.add_stream_from_template(theirs)
        if reel.video.rotation:
            film.set_display_rotation(reel.video.rotation)
        packets = _film_packets(pictures, theirs, film)
        if reel.kind != "film" or not any(stream.kind == "audio" for stream in reel.audio):
            for packet in packets:
                target.mux(packet)
            return
        with open_film(reel.source) as source:
            carried = [stream for stream in source.streams.audio if _can_be_heard(stream)]
            targets = {stream.index: _sound_stream(target, stream) for stream in carried}
            interleave(target, packets, _sound_packets(source, carried, targets))


def _film_packets(container: Any, stream: Any, target: Any) -> Iterator[Any]:
    for packet in container.demux(stream):
        if packet.size:
            packet.stream = target
            yield packet


def _sound_stream(target: Any, stream: Any) -> Any:
    if stream.codec_context.name in _COPIED_SOUND:
        return target.add_stream_from_template(stream, opaque=True)
    rate = stream.codec_context.sample_rate
    sound = target.add_stream("aac", rate=rate if rate in (44100, 48000, 32000) else 48000)
    sound.codec_context.bit_rate = _AAC_BITS
    sound.codec_context.layout = _layout(stream)
    return sound


def _layout(stream: Any) -> str:
    """The channels' arrangement; PCM often names none, and AAC needs one."""
    layout = stream.codec_context.layout
    unnamed = layout.name.endswith("channels")
    return f"{layout.nb_channels}c" if unnamed else str(layout.name)


def _can_be_heard(stream: Any) -> bool:
    """Whether an MP4 can hold the track; the master keeps it in any case."""
    copied = stream.codec_context.name in _COPIED_SOUND
    return copied or 0 < stream.codec_context.channels <= _AAC_CHANNELS


def _sound_packets(source: Any, carried: list[Any], targets: dict[int, Any]) -> Iterator[Any]:
    encoders = {i: target for i, target in targets.items() if not _is_copied(carried, i)}
    resamplers = {
        i: av.AudioResampler("fltp", target.codec_context.layout, target.codec_context.sample_rate)
        for i, target in encoders.items()
    }
    for packet in source.demux(*carried) if carried else ():
        index = packet.stream.index
        if index not in encoders:
            if packet.size:
                packet.stream = targets[index]
                yield packet
            continue
        with suppress(
            FFmpegError
        ):  # a damaged packet is a gap in the access copy; the master keeps it as it is
            for frame in packet.decode():
                for even in resamplers[index].resample(frame):
                    yield from encoders[index].encode(even)
    for target in encoders.values():
        if target.codec_context.is_open:
            yield from target.encode(None)


def _is_copied(carried: list[Any], index: int) -> bool:
    return any(s.index == index and s.codec_context.name in _COPIED_SOUND for s in carried)
