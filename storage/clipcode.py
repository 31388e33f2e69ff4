"""Short clips of 8-bit frames as bytes, without loss: FFV1 in Matroska, each frame by itself.

The same frames give the same bytes, and a few frames of a clip are had without decoding the others. Shape
suffixes: T frames, C planes (1 grey, or 3 red, green and blue), H rows, W columns.
"""

import io
from collections.abc import Iterator
from fractions import Fraction
from itertools import islice
from typing import NamedTuple, cast

import numpy as np
from av.error import FFmpegError
from numpy.typing import NDArray

from storage.container import Decoder, open_held
from storage.errors import SourceError, VaultError
from storage.filesystem import first_line
from storage.master import Ffv1Writer
from storage.pixels import Picture, Unpacker, layout_of
from storage.reel import VideoFacts

Bytes = NDArray[np.uint8]

CODEC = "ffv1"
_PIX_FMTS = {1: "gray", 3: "gbrp"}
_GBR_FROM_RGB, _RGB_FROM_GBR = [1, 2, 0], [2, 0, 1]
# Matroska counts milliseconds: at this rate every frame lasts a whole number of them.
_RATE = Fraction(25)
_FRAME_MS = 40
# At 256x256 four slices take 1 % more bytes and 5 % more time than one, sixteen 4 % and 25 %.
_SLICES = 1
_MOST_FRAMES = 4096


class Crop(NamedTuple):
    """A rectangle of the picture, in pixels."""

    top: int
    left: int
    height: int
    width: int


def encode(frames_TCHW: Bytes) -> bytes:
    """Raises VaultError for what is not such a clip, or longer than 4096 frames."""
    if frames_TCHW.ndim != 4 or frames_TCHW.dtype != np.uint8 or frames_TCHW.shape[1] not in _PIX_FMTS:
        raise VaultError(
            f"a clip is uint8 (T, C, H, W) with 1 or 3 planes, not {frames_TCHW.dtype} {frames_TCHW.shape}"
        )
    frames, channels, height, width = frames_TCHW.shape
    if not 1 <= frames <= _MOST_FRAMES or not height or not width:
        raise VaultError(f"a clip has 1 to {_MOST_FRAMES} frames with pixels, not {frames_TCHW.shape}")
    video = VideoFacts(
        CODEC, _PIX_FMTS[channels], width, height, _RATE, Fraction(1), 0, "progressive", True, 2, 2, 2, 2
    )
    layout = layout_of(video.pix_fmt)
    file = io.BytesIO()
    with Ffv1Writer(file, video, slices=_SLICES) as writer:
        for planes in frames_TCHW:
            if channels == 3:
                planes = planes[_GBR_FROM_RGB]
            writer.write(Picture(tuple(planes), layout))
    return file.getvalue()


def decode(
    data: bytes,
    size_CHW: tuple[int, int, int],
    first: int = 0,
    count: int | None = None,
    crop: Crop | None = None,
) -> Bytes:
    """Frames of a clip (T, C, H, W): `count` from `first` on, or all that follow; of each the crop.

    size_CHW: what the clip must be; nothing larger is decoded. Raises VaultError where the bytes are not such
    a clip, are damaged in what was asked for, or hold too few frames, or the crop does not fit.
    """
    _, height, width = size_CHW
    crop = crop or Crop(0, 0, height, width)
    within = 0 <= crop.top <= height - crop.height and 0 <= crop.left <= width - crop.width
    if not within or min(crop.height, crop.width) < 1 or first < 0:
        raise VaultError(f"{crop} from frame {first} on is not within a clip of {width}x{height}")
    most = _MOST_FRAMES if count is None else count
    try:
        with open_held(data, "a coded clip", CODEC) as container:
            decoder = Decoder(container)
            frames = list(islice(_frames(decoder, size_CHW, first, crop), most))
            complaints = decoder.errors
    except (SourceError, FFmpegError, ValueError) as error:
        raise VaultError(f"a coded clip cannot be read: {first_line(error)}") from error
    if complaints:
        raise VaultError(f"a coded clip is damaged ({complaints[0]})")
    if not frames or len(frames) < (count or 1):
        raise VaultError(f"a coded clip holds {len(frames)} frames from frame {first} on, not {count}")
    return np.stack(frames)


def _frames(decoder: Decoder, size_CHW: tuple[int, int, int], first: int, crop: Crop) -> Iterator[Bytes]:
    channels, height, width = size_CHW
    stream = decoder.stream
    found = stream.codec_context.name, stream.width, stream.height
    if found != (CODEC, width, height):
        raise ValueError(f"it holds {' '.join(map(str, found))}, not {CODEC} {width} {height}")
    if first:
        decoder.seek(first * _FRAME_MS)
    unpacker = Unpacker()
    rows = slice(crop.top, crop.top + crop.height)
    columns = slice(crop.left, crop.left + crop.width)
    for number, decoded in enumerate(decoder.frames(), first):
        picture = unpacker.picture(decoded.frame)
        if decoded.corrupt or decoded.pts != number * _FRAME_MS:
            raise ValueError(f"frame {number} is damaged or missing")
        if (picture.layout.name, picture.height, picture.width) != (_PIX_FMTS.get(channels), height, width):
            raise ValueError(f"frame {number} has another size or format")
        planes = np.stack([plane[rows, columns] for plane in picture.planes])
        yield cast(Bytes, planes[_RGB_FROM_GBR] if channels == 3 else planes)
