"""One decoder for every film file: opened safely, decoded to the end whatever is broken in it.

Media files are untrusted: only the containers named here are tried, a file that names other files or URLs
opens none of them, and damage is reported instead of skipped.
"""

import io
import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, BinaryIO, Protocol, TypeAlias, cast

import av
import av.logging
from av.container import InputContainer
from av.error import EOFError as EndOfFile
from av.error import FFmpegError

from storage.errors import SourceError
from storage.filesystem import first_line, open_input

Packet: TypeAlias = "av.Packet[Any]"

# FFmpeg's demuxers that read one file and nothing else. No playlists, no image patterns, no networks.
_DEMUXERS = (
    "matroska,webm", "mov,mp4,m4a,3gp,3g2,mj2", "mxf", "avi", "mpeg", "mpegts", "mpegvideo", "h264", "hevc",
    "m4v", "dv", "vc1", "yuv4mpegpipe", "nut", "asf", "ogg", "gxf", "dirac", "dnxhd", "mjpeg",
)  # fmt: skip
FILM_SUFFIXES = frozenset({
    ".mkv", ".webm", ".mp4", ".m4v", ".mov", ".mxf", ".avi", ".mpg", ".mpeg", ".mpe", ".vob", ".m2v", ".ts",
    ".mts", ".m2ts", ".264", ".h264", ".avc", ".265", ".h265", ".hevc", ".dv", ".vc1", ".y4m", ".nut", ".wmv",
    ".asf", ".ogv", ".gxf", ".mjpeg",
})  # fmt: skip
# Complaints are caught where they arise (`Decoder`) and must not reach the terminal by themselves.
av.logging.set_level(av.logging.ERROR)
av.logging.set_skip_repeated(False)
logging.getLogger("libav").propagate = False
logging.getLogger("libav").addHandler(logging.NullHandler())
_BUFFER_BYTES = 1 << 20
# A demuxer that reports this many errors in a row without a packet will not recover.
_PATIENCE = 100
_ADTS_BYTES = 7


@dataclass(frozen=True)
class Decoded:
    """One decoded frame and what the file said of it."""

    frame: av.VideoFrame
    pts: int | None
    keyframe: bool
    corrupt: bool


@contextmanager
def open_film(uri: str) -> Iterator[InputContainer]:
    """The container, opened for reading without following anything that it names.

    Raises SourceError: not a film, no picture in it, not readable.
    """
    file = open_input(uri)
    try:
        if not file.read(1):
            raise SourceError(f"{uri}: the file is empty")
        file.seek(0)
        with _opened(file, uri, _DEMUXERS) as container:
            if not any(_is_picture(stream) for stream in container.streams.video):
                held = ", ".join(sorted({stream.type for stream in container.streams})) or "nothing"
                raise SourceError(f"{uri}: no picture in this file (it holds {held})")
            yield container
    finally:
        file.close()


@contextmanager
def open_held(data: bytes, name: str, codec: str) -> Iterator[InputContainer]:
    """A small Matroska film that is held in memory, opened as safely; no decoder but this one is let at it.

    Raises SourceError: not such a film.
    """
    file = cast(BinaryIO, io.BytesIO(data))
    with _opened(file, name, ("matroska,webm",), {"codec_whitelist": codec}) as container:
        if not any(_is_picture(stream) for stream in container.streams.video):
            raise SourceError(f"{name}: no picture in it")
        yield container


def film_stream(container: InputContainer) -> av.VideoStream:
    """The first stream of pictures; cover art does not count."""
    return next(stream for stream in container.streams.video if _is_picture(stream))


class PacketSink(Protocol):
    """Takes the packets of streams that are carried along and not decoded."""

    @property
    def streams(self) -> list[av.stream.Stream]: ...

    def take(self, packet: Packet) -> None: ...


class Decoder:
    """Decodes a film's pictures in presentation order, past whatever is broken, and remembers what was.

    After the last frame `packet_pts` holds the timestamps of all packets read, and `errors` what the demuxer
    and the decoder complained of. Runs on one thread, because FFmpeg tells of a bad slice in its log only (an
    FFV1 slice with a wrong checksum still comes out as a good frame), and the log is caught by thread.
    """

    def __init__(self, container: InputContainer) -> None:
        self._container = container
        self.stream = film_stream(container)
        context = self.stream.codec_context
        # Frame threads deadlock when a reader leaves early, and hand frames out late; slices do neither.
        context.thread_type = "SLICE"
        context.thread_count = 1
        with suppress(ValueError, AttributeError):
            context.flags |= av.codec.context.Flags.output_corrupt
        self.packet_pts: list[int] = []
        self.errors: list[str] = []
        self.stumbled = False
        """Whether the container itself is broken somewhere, so that packets may be missing."""
        self._doubt = _Doubt()
        self._last = _Last()

    def seek(self, pts: int) -> None:
        self._container.seek(pts, stream=self.stream, backward=True)

    def frames(self, others: PacketSink | None = None) -> Iterator[Decoded]:
        """Every frame that decodes, to the end. Packets of the other streams go to `others`."""
        wanted: list[av.stream.Stream] = [self.stream, *(others.streams if others else ())]
        for packet in self._packets(wanted):
            if packet.stream.index != self.stream.index:
                assert others is not None
                others.take(packet)
                continue
            if packet.size and packet.pts is not None and not packet.is_discard:
                self.packet_pts.append(packet.pts)
            decoded, complaints = self._decode(packet)
            if packet.is_corrupt:
                complaints.append(f"the packet of timestamp {packet.pts} is damaged")
            self.errors += complaints
            if packet.size:
                self._doubt.weigh(packet, bool(complaints))
            for frame in decoded:
                corrupt = frame.is_corrupt or self._doubt.concerns(frame.pts)
                yield Decoded(frame, frame.pts, bool(frame.key_frame), bool(corrupt))

    def _decode(self, packet: Packet) -> tuple[list[av.VideoFrame], list[str]]:
        again = self._last.picture_of(packet)
        if again is not None:
            return [again], []
        decoded, complaints = self._decode_anew(packet)
        if self.stream.codec_context.name == "ffv1":
            self._last.keep(packet, decoded, complaints)
        return decoded, complaints

    def _decode_anew(self, packet: Packet) -> tuple[list[av.VideoFrame], list[str]]:
        decoded: list[av.VideoFrame] = []
        with av.logging.Capture() as log:
            try:
                decoded = list(self.stream.codec_context.decode(packet if packet.size else None))
            except EndOfFile:
                pass
            except FFmpegError as error:
                return [], [_reason(error)]
        return decoded, [message.strip() for level, _, message in log if level <= av.logging.ERROR]

    def _packets(self, streams: list[av.stream.Stream]) -> Iterator[Packet]:
        """Packets to the end of the file; a demuxer that stumbles is asked to go on."""
        failures = 0
        while failures < _PATIENCE:
            demuxed = self._container.demux(*streams)
            while True:
                complaints: list[str] = []
                with av.logging.Capture() as log:
                    try:
                        packet = next(demuxed)
                    except (StopIteration, EndOfFile):
                        packet, failures = None, _PATIENCE
                    except FFmpegError as error:
                        packet, failures = None, failures + 1
                        complaints = [_reason(error)]
                complaints += [message.strip() for level, _, message in log if level <= av.logging.ERROR]
                if complaints:
                    self.errors += complaints
                    self.stumbled = True
                    self._doubt.spread()
                if packet is None:
                    break
                failures = 0
                yield packet


class _Last:
    """The last packet of FFV1 and its picture, which a packet of the same bytes shows again: empty masks do.

    Only a whole keyframe is kept: its picture comes from its packet alone, and decoding it again would leave
    the decoder as it is.
    """

    def __init__(self) -> None:
        self._packet: Packet | None = None
        self._picture: av.VideoFrame | None = None

    def keep(self, packet: Packet, decoded: list[av.VideoFrame], complaints: list[str]) -> None:
        self._packet = self._picture = None
        if len(decoded) == 1 and not complaints:
            (picture,) = decoded
            if picture.key_frame and not picture.is_corrupt and picture.pts == packet.pts:
                self._packet, self._picture = packet, picture

    def picture_of(self, packet: Packet) -> av.VideoFrame | None:
        """The frame object of before, at this packet's time; None where the packet says something new."""
        if self._packet is None or self._picture is None or packet.size != self._packet.size:
            return None
        if bytes(packet) != bytes(self._packet):
            return None
        self._picture.pts = packet.pts
        return self._picture


class _Doubt:
    """Which frames are not to be trusted: what was complained of, and what is predicted from it.

    A decoder complains of the broken frame alone and then, without a word, shows its traces until the next
    keyframe, and beyond in frames that come after that in the file and before it on the screen.
    """

    def __init__(self) -> None:
        self._spreads = False
        self._clean_from: int | None = None
        self._pts: set[int | None] = set()

    def spread(self) -> None:
        """From here on, until the next keyframe."""
        self._spreads = True

    def weigh(self, packet: Packet, complained: bool) -> None:
        """In decoding order."""
        if complained:
            self._spreads = True
        elif self._spreads and packet.is_keyframe:
            self._spreads, self._clean_from = False, packet.pts
        clean_from = packet.pts if self._clean_from is None else self._clean_from
        leads = packet.pts is not None and clean_from is not None and packet.pts < clean_from
        if self._spreads or leads:
            self._pts.add(packet.pts)

    def concerns(self, pts: int | None) -> bool:
        """Asked once a frame."""
        found = pts in self._pts
        self._pts.discard(pts)
        return found


def without_adts(payload: bytes) -> bytes:
    """An AAC packet without the header that transport streams put before it, and that Matroska leaves out."""
    if len(payload) < _ADTS_BYTES or payload[0] != 0xFF or payload[1] & 0xF6 != 0xF0:
        return payload
    has_checksum = not payload[1] & 1
    return payload[_ADTS_BYTES + 2 * has_checksum :]


def _opened(
    file: BinaryIO, name: str, demuxers: tuple[str, ...], limits: Mapping[str, str] = MappingProxyType({})
) -> InputContainer:
    whitelist = ",".join(demuxer.replace(",", "\\,") + "," + demuxer for demuxer in demuxers)
    try:
        return av.open(
            file,
            mode="r",
            options={"format_whitelist": whitelist, **limits},
            buffer_size=_BUFFER_BYTES,
            io_open=_refuse,
            metadata_errors="replace",
        )
    except (FFmpegError, ValueError) as error:
        raise SourceError(
            f"{name}: not a film that can be read ({_reason(error)}); check that the file is whole"
        ) from error


def _is_picture(stream: av.VideoStream) -> bool:
    return not stream.disposition & av.stream.Disposition.attached_pic


def _refuse(*_: object) -> None:
    raise PermissionError("a film may not open other files")


def _reason(error: BaseException) -> str:
    return first_line(error).replace(
        "Invalid data found when processing input", "damaged or of an unknown kind"
    )
