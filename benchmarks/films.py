"""Generated films of any size and length for the benchmarks: texture that pans, grain, dirt."""

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from degradation.generator import age
from degradation.recipes import MEDIUM, worn
from storage.master import Ffv1Writer
from storage.pixels import Picture, layout_of, merge
from storage.reel import VideoFacts


def write_film(path: Path, width: int, height: int, frames: int, shot_frames: int = 50) -> Path:
    """A grey FFV1 film at 24 frames a second with a cut every `shot_frames`, aged by the medium recipe."""
    video = VideoFacts(
        "ffv1", "gray", width, height, Fraction(24), Fraction(1), 0, "progressive", True, 2, 2, 2, 2
    )
    layout = layout_of("gray")
    everywhere = np.ones((height, width), bool)
    with Ffv1Writer(path, video) as writer:
        for start in range(0, frames, shot_frames):
            shot = moving_shot(start, width, height, min(shot_frames, frames - start))
            for frame in age(shot, worn(MEDIUM), start):
                blank = Picture((np.zeros((height, width), np.uint8),), layout)
                writer.write(merge(blank, frame.damaged_CHW, everywhere))
    return path


def write_cuts(path: Path, frames: int, shot_frames: int = 50) -> Path:
    """The film's true cut list."""
    path.write_text("".join(f"{cut}\n" for cut in range(shot_frames, frames, shot_frames)))
    return path


def moving_shot(seed: int, width: int, height: int, frames: int) -> Iterator[NDArray[np.float32]]:
    """A camera panning over texture: planes_CHW, made one at a time."""
    rng = np.random.default_rng(seed)
    large = np.zeros((height + 64, width + 64), np.float32)
    for size in (4, 12, 40, 120):
        layer = rng.standard_normal((size, size * width // height)).astype(np.float32)
        large += cv2.resize(layer, (width + 64, height + 64), interpolation=cv2.INTER_CUBIC) / np.sqrt(size)
    large = 0.5 + 0.18 * (large - large.mean()) / large.std()
    for step in np.linspace(0, 48, frames):
        place = width / 2 + 8 + step, height / 2 + 8 + step / 3
        yield np.clip(cv2.getRectSubPix(large, (width, height), place), 0, 1)[None]
