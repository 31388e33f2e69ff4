"""What a reel is: the facts found at ingest, as they stand in reel.json."""

from dataclasses import dataclass, field
from fractions import Fraction
from typing import Literal

from pydantic import TypeAdapter

from storage.errors import VaultError
from storage.filesystem import first_line
from storage.pixels import PixelLayout, layout_of

FieldOrder = Literal["progressive", "top first", "bottom first"]


@dataclass(frozen=True)
class VideoFacts:
    """The pictures of a reel. The colour numbers are those of ITU-T H.273; 2 stands for untagged."""

    codec: str
    pix_fmt: str
    """As the decoder gives it; `layout` is what it is unpacked to."""
    width: int
    height: int
    rate: Fraction
    """Frames a second."""
    sample_aspect: Fraction
    """Width over height of one sample; 1 where the file says nothing."""
    rotation: int
    """Degrees, clockwise negative, as the file's display matrix says; pixels are never turned in a master."""
    field_order: FieldOrder
    full_range: bool
    range_tag: int
    """0 untagged, 1 limited, 2 full."""
    matrix: int
    primaries: int
    transfer: int

    @property
    def layout(self) -> PixelLayout:
        return layout_of(self.pix_fmt)


@dataclass(frozen=True)
class AudioFacts:
    """A stream that is carried packet by packet."""

    stream: int
    """Its index in the source."""
    kind: Literal["audio", "subtitle"]
    codec: str
    sample_rate: int
    channels: int
    packets: int
    md5: str
    """Over the payloads of all packets, in order."""
    language: str


@dataclass(frozen=True)
class Chapter:
    start: Fraction
    end: Fraction
    """Seconds, exactly."""
    title: str


@dataclass(frozen=True)
class Reel:
    """One scan file or image sequence, and everything found out about it at ingest."""

    reel_id: str
    """The first 16 hex digits of `sha256`."""
    source: str
    """Path or URI as given."""
    name: str
    kind: Literal["film", "sequence"]
    container: str
    sha256: str
    size_bytes: int
    video: VideoFacts
    frame_count: int
    time_base: Fraction
    """Seconds to one tick of the frame index's `pts`."""
    start_pts: int
    variable_rate: bool
    earliest: Fraction = Fraction(0)
    """Seconds; when picture or sound begins. Compressed sound often starts before zero."""
    audio: tuple[AudioFacts, ...] = ()
    timecode: str | None = None
    metadata: dict[str, str] = field(default_factory=dict)
    video_metadata: dict[str, str] = field(default_factory=dict)
    chapters: tuple[Chapter, ...] = ()
    assumptions: tuple[str, ...] = ()
    """What the file did not say and had to be decided."""
    not_carried: tuple[str, ...] = ()
    """What the master cannot hold, and why."""
    damaged_frames: int = 0
    decoder_errors: tuple[str, ...] = ()
    """The decoder's and the demuxer's complaints, the first hundred."""
    rate_asked: Fraction | None = None
    """The rate that a person gave."""
    surveyed_by: str = ""
    """Digest of the code that made this record and the frame index."""


@dataclass(frozen=True)
class FrameRow:
    """One frame's place in the reel: a row of frames.parquet."""

    frame: int
    pts: int | None
    """In ticks of the reel's time base; None in streams without timestamps."""
    keyframe: bool
    md5: str
    """Of the frame's planes, as FFmpeg's framemd5 counts it."""
    shown: int
    """The frame whose picture stands here: itself, or the nearest good one where this one is lost."""
    damage: Literal["", "lost", "corrupt"]
    """`lost`: could not be decoded. `corrupt`: the decoder complained and gave what it could, or the frame is
    predicted from such a one; shown as it is unless it comes out differently each time.
    """


_REEL = TypeAdapter(Reel)


def reel_to_json(reel: Reel) -> bytes:
    return _REEL.dump_json(reel, indent=2)


def reel_from_json(data: bytes) -> Reel:
    """Raises VaultError where the record is not a reel's."""
    try:
        return _REEL.validate_json(data)
    except (ValueError, ZeroDivisionError) as error:
        raise VaultError(f"reel.json: not the record of a reel ({first_line(error)})") from error
