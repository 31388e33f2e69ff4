"""Small clean films for the tests of corpora: lossless and grey, with cuts, drawn from a seed."""

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from storage.master import GREY8, Ffv1Writer
from storage.pixels import Picture
from storage.reel import VideoFacts
from tests.clips import texture
from tests.film import Plan, make_film

Frames = Sequence[NDArray[np.uint8]]


def write_film(path: Path, frames: Frames) -> Path:
    """The frames as FFV1."""
    height, width = frames[0].shape
    one = Fraction(1)
    video = VideoFacts("ffv1", "gray", width, height, Fraction(24), one, 0, "progressive", True, 2, 2, 2, 2)
    with Ffv1Writer(path, video) as writer:
        for frame in frames:
            writer.write(Picture((frame,), GREY8))
    return path


def write_compressed(path: Path, frames: Frames, bit_rate: int) -> Path:
    """The frames as MPEG-4, in blocks of eight."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=24)
        stream.height, stream.width = frames[0].shape
        stream.pix_fmt, stream.bit_rate = "yuv420p", bit_rate
        for number, frame in enumerate(frames):
            picture = av.VideoFrame.from_ndarray(frame, format="gray").reformat(format="yuv420p")
            picture.pts, picture.time_base = number, Fraction(1, 24)
            container.mux(stream.encode(picture))
        container.mux(stream.encode(None))
    return path


def shots(seed: int, lengths: tuple[int, int] = (30, 30), count: int = 2) -> list[NDArray[np.uint8]]:
    """Moving pictures with hard cuts, 160x120."""
    return list(make_film(seed, Plan(count, lengths, cut_ins=0, cameras=("pan",))).frames)


def pan(seed: int, frames: int, height: int = 120, width: int = 160) -> list[NDArray[np.uint8]]:
    """One shot that moves by two pixels a frame."""
    world = np.rint(texture(height, width + 2 * frames, seed) * 255).astype(np.uint8)
    return [np.ascontiguousarray(world[:, 2 * n : 2 * n + width]) for n in range(frames)]


def smaller(frames: Frames, height: int, width: int) -> list[NDArray[np.uint8]]:
    return [cv2.resize(frame, (width, height), interpolation=cv2.INTER_AREA) for frame in frames]
