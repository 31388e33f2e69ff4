"""Small source films of every kind for the tests, written and read with PyAV alone and none of our own code.

A reel shows a lit wall, a wandering disc, a bar, grain and, in every third frame, dirt; halfway is a cut.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

SOUND_RATE = 48_000
_PACKED = {  # name: (samples a pixel, where red, green, blue stand, bytes a sample)
    "rgb24": (3, (0, 1, 2), "u1"),
    "bgr0": (4, (2, 1, 0), "u1"),
    "rgb48le": (3, (0, 1, 2), "<u2"),
    "rgb48be": (3, (0, 1, 2), ">u2"),
}


@dataclass(frozen=True)
class Kind:
    """How a film is written. The colour numbers are those of ITU-T H.273."""

    suffix: str = ".mkv"
    codec: str = "ffv1"
    pix_fmt: str = "gray"
    rate: Fraction = Fraction(24)
    size: tuple[int, int] = (96, 64)
    """Width and height."""
    frames: int = 14
    sound: tuple[str, ...] = ()
    """One codec a track."""
    options: Mapping[str, str] = field(default_factory=dict)
    """The encoder's."""
    container_options: Mapping[str, str] = field(default_factory=dict)
    range_tag: int = 0
    matrix: int = 2
    primaries: int = 2
    transfer: int = 2
    sample_aspect: Fraction = Fraction(1)
    rotation: int = 0
    timecode: str | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)
    video_metadata: Mapping[str, str] = field(default_factory=dict)
    chapters: tuple[tuple[int, int, str], ...] = ()
    """Start and end in milliseconds, title."""
    times_ms: tuple[int, ...] = ()
    """When each frame is shown, where the rate is not even."""


def write_reel(path: Path, kind: Kind, seed: int = 0) -> Path:
    """The film as a file at `path` plus the kind's suffix."""
    path = path.with_name(path.name + kind.suffix)
    with av.open(str(path), "w", format=_format(kind.suffix), options=dict(kind.container_options)) as out:
        film = _film_stream(out, kind)
        sounds = [_sound_stream(out, codec) for codec in kind.sound]
        out.metadata.update(kind.metadata)
        if kind.timecode:
            out.metadata["timecode"] = kind.timecode
        if kind.chapters:
            out.set_chapters([_chapter(n, *chapter) for n, chapter in enumerate(kind.chapters, 1)])
        packets = [packet for frame in _frames(kind, seed) for packet in film.encode(frame)]
        packets += film.encode(None)
        for track, sound in enumerate(sounds):
            packets += _sound_packets(sound, kind.frames / kind.rate, track)
        for packet in sorted(packets, key=lambda p: (p.dts or 0) * p.time_base):
            out.mux(packet)
    return path


def write_stills(folder: Path, codec: str, pix_fmt: str, frames: int = 12, size: tuple[int, int] = (96, 64),
                 seed: int = 0, **options: str) -> Path:  # fmt: skip
    """A numbered image sequence in a new folder."""
    folder.mkdir()
    kind = Kind(pix_fmt=pix_fmt, frames=frames, size=size)
    for number, frame in enumerate(_frames(kind, seed)):
        context = av.CodecContext.create(codec, "w")
        context.width, context.height, context.pix_fmt = *size, pix_fmt
        context.time_base, context.options = Fraction(1, 24), options
        data = b"".join(bytes(packet) for packet in [*context.encode(frame), *context.encode(None)])
        (folder / f"scan_{number:05d}.{codec}").write_bytes(data)
    return folder


def picture(kind: Kind, number: int, seed: int = 0) -> list[NDArray[Any]]:
    """One frame's samples, a plane each: FFmpeg's order for planar formats, red first for packed RGB."""
    form = av.VideoFormat(kind.pix_fmt, *kind.size)
    peak = (1 << form.components[0].bits) - 1
    random = np.random.default_rng([seed, number])
    planes = []
    for index, component in enumerate(form.components[:3]):
        is_chroma = not form.is_rgb and index > 0
        y, x = np.mgrid[: component.height, : component.width]
        y, x = y / component.height, x / component.width
        wall = (x if number < kind.frames // 2 else 1 - y) * (0.2 if is_chroma else 0.4) + 0.25 + 0.05 * index
        disc = (x - 0.2 - 0.04 * number) ** 2 + (y - 0.5) ** 2 < 0.02
        wall = np.where(disc, wall + 0.2, wall)
        wall = np.where((y > 0.8) & (x > 0.3), wall - 0.1, wall)
        wall = wall + random.normal(0, 0.01, wall.shape)
        if number % 3 == 1 and not is_chroma:
            wall = np.where((x - 0.6) ** 2 + (y - 0.3) ** 2 < 0.002, 0.95, wall)
        planes.append(np.rint(wall.clip(0.02, 0.98) * peak).astype("u1" if peak < 256 else "<u2"))
    return planes


def decoded(path: Path) -> list[tuple[int | None, list[NDArray[Any]]]]:
    """(timestamp, planes) of every frame by a plain decode; planes as `picture` gives them."""
    with av.open(str(path), options={"threads": "1"}) as source:
        return [(frame.pts, planes_of(frame)) for frame in source.decode(video=0)]


def decoded_stills(folder: Path) -> list[list[NDArray[Any]]]:
    codec = next(folder.iterdir()).suffix[1:]
    found = []
    for path in sorted(folder.iterdir()):
        context = av.CodecContext.create(codec, "r")
        (frame,) = [*context.decode(av.Packet(path.read_bytes())), *context.decode(None)]
        found.append(planes_of(frame))
    return found


def planes_of(frame: av.VideoFrame) -> list[NDArray[Any]]:
    """A frame's samples in native order; RGB comes red first, whether packed or planar."""
    form = frame.format
    if form.name in _PACKED:
        samples, order, dtype = _PACKED[form.name]
        pixels = _rows(frame.planes[0], dtype)[:, : samples * frame.width]
        pixels = pixels.reshape(frame.height, frame.width, samples)
        return [pixels[..., at].astype(np.dtype(dtype).newbyteorder("=")) for at in order]
    dtype = "u1" if form.components[0].bits == 8 else (">u2" if form.is_big_endian else "<u2")
    planes = [
        _rows(plane, dtype)[: component.height, : component.width].astype(np.dtype(dtype).newbyteorder("="))
        for plane, component in zip(frame.planes, form.components, strict=True)
    ]
    return [planes[2], planes[0], planes[1]] if form.is_rgb else planes


def payloads(path: Path) -> list[list[bytes]]:
    """The packets of every sound track."""
    with av.open(str(path)) as source:
        tracks = {stream.index: [] for stream in source.streams.audio}
        for packet in source.demux(*source.streams.audio) if tracks else ():
            if packet.size:
                tracks[packet.stream.index].append(bytes(packet))
    return list(tracks.values())


def facts(path: Path) -> dict[str, Any]:
    """What the container says of the picture, beside the pixels."""
    with av.open(str(path)) as source:
        stream = source.streams.video[0]
        frame = next(source.decode(stream))
        context = stream.codec_context
        places = [source.metadata, *(s.metadata for s in source.streams)]
        tags = {k.lower(): v for place in reversed(places) for k, v in place.items()}
        return {
            "rate": stream.average_rate,
            "range": int(frame.color_range or context.color_range),
            "matrix": int(context.colorspace),
            "primaries": int(context.color_primaries),
            "transfer": int(context.color_trc),
            "sample_aspect": Fraction(stream.sample_aspect_ratio or 1),
            "rotation": int(frame.rotation),
            "field_order": int(context.field_order) if int(context.field_order) > 1 else 1,
            "timecode": tags.get("timecode"),
            "chapters": [
                (*(int(c[end] * c["time_base"] * 1000) for end in ("start", "end")), c["metadata"]["title"])
                for c in source.chapters()
            ],
            "tags": tags,
        }  # fmt: skip


def _format(suffix: str) -> str:
    return {
        ".mkv": "matroska", ".ts": "mpegts", ".mpg": "vob", ".264": "h264", ".y4m": "yuv4mpegpipe",
        ".m2v": "mpeg2video",
    }.get(suffix, suffix[1:])  # fmt: skip


def _chapter(number: int, start: int, end: int, title: str) -> Any:
    base = Fraction(1, 1000)
    return {"id": number, "start": start, "end": end, "time_base": base, "metadata": {"title": title}}


def _film_stream(out: Any, kind: Kind) -> Any:
    stream = out.add_stream(kind.codec, rate=kind.rate, options=dict(kind.options))
    stream.width, stream.height = kind.size
    stream.pix_fmt = kind.pix_fmt
    context = stream.codec_context
    context.time_base = Fraction(1, 1000) if kind.times_ms else 1 / kind.rate
    context.thread_count = 1
    context.sample_aspect_ratio = kind.sample_aspect
    context.color_range, context.colorspace = kind.range_tag, kind.matrix
    context.color_primaries, context.color_trc = kind.primaries, kind.transfer
    stream.metadata.update(kind.video_metadata)
    if kind.rotation:
        stream.set_display_rotation(kind.rotation)
    return stream


def _frames(kind: Kind, seed: int) -> Iterator[av.VideoFrame]:
    for number in range(kind.frames):
        frame = _to_frame(kind.pix_fmt, kind.size, picture(kind, number, seed))
        frame.pts = kind.times_ms[number] if kind.times_ms else number
        frame.time_base = Fraction(1, 1000) if kind.times_ms else 1 / kind.rate
        frame.color_range, frame.colorspace = kind.range_tag, kind.matrix
        yield frame


def _to_frame(pix_fmt: str, size: tuple[int, int], planes: list[NDArray[Any]]) -> av.VideoFrame:
    frame = av.VideoFrame(*size, pix_fmt)
    if pix_fmt in _PACKED:
        samples, order, dtype = _PACKED[pix_fmt]
        pixels = _rows(frame.planes[0], dtype)
        pixels[...] = 0
        for at, plane in zip(order, planes, strict=True):
            pixels[:, at : samples * size[0] : samples] = plane
        return frame
    for target, plane in zip(frame.planes, planes, strict=True):
        dtype = "u1" if plane.itemsize == 1 else (">u2" if frame.format.is_big_endian else "<u2")
        _rows(target, dtype)[: plane.shape[0], : plane.shape[1]] = plane
    return frame


def _rows(plane: Any, dtype: str) -> NDArray[Any]:
    flat: NDArray[Any] = np.frombuffer(plane, dtype)
    return flat.reshape(-1, plane.line_size // np.dtype(dtype).itemsize)


def _sound_stream(out: Any, codec: str) -> Any:
    stream = out.add_stream(codec, rate=SOUND_RATE)
    stream.codec_context.layout = "mono"
    return stream


def _sound_packets(stream: Any, seconds: Fraction, track: int) -> list[Any]:
    form = stream.codec_context.format.name
    size = stream.codec_context.frame_size or 1024
    total = int(seconds * SOUND_RATE)
    wave = np.sin(np.arange(total) * 0.05 * (track + 1)) * 0.5 + np.random.default_rng(track).normal(
        0, 0.02, total
    )
    packets = []
    for start in range(0, total, size):
        piece = wave[None, start : start + size]
        samples = piece.astype("f4") if form.startswith("flt") else np.rint(piece * 32767).astype("i2")
        frame = av.AudioFrame.from_ndarray(samples, form, "mono")
        frame.sample_rate, frame.pts, frame.time_base = SOUND_RATE, start, Fraction(1, SOUND_RATE)
        packets += stream.encode(frame)
    return packets + stream.encode(None)


__all__ = [
    "Kind", "decoded", "decoded_stills", "facts", "payloads", "picture", "planes_of", "replace", "write_reel",
    "write_stills",
]  # fmt: skip
