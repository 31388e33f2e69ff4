"""Second opinions on hard cuts: PySceneDetect's detectors, fed with our own normalised frames."""

import logging
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from scenedetect import FrameTimecode
from scenedetect.detectors import AdaptiveDetector, HashDetector

from models.shots.normalise import Picture, View

# PySceneDetect needs a rate to count in; frames go in and come out as ordinals, so that any would do.
_RATE = 24.0
# Grey levels per deviation: the normaliser's limit of +-2 just fits eight bits.
_GREYS = 60.0


@dataclass(frozen=True)
class OpinionSettings:
    """PySceneDetect's parameters, every one pinned: its defaults moved between 0.6 and 0.7."""

    adaptive_ratio: float = 3.0
    """A frame's difference over the mean of its neighbours' (two to each side)."""
    adaptive_floor: float = 20.0
    """Least difference in grey levels of the normalised copy (60 per deviation)."""
    hash_distance: float = 0.35
    """Share of the 64 hash bits that differ."""


class Opinions:
    """Asks PySceneDetect frame by frame and remembers which frames each detector named."""

    def __init__(self, settings: OpinionSettings) -> None:
        logging.getLogger("pyscenedetect").setLevel(logging.ERROR)
        self._adaptive = AdaptiveDetector(
            adaptive_threshold=settings.adaptive_ratio,
            min_scene_len=1,
            window_width=2,
            min_content_val=settings.adaptive_floor,
            luma_only=True,
            kernel_size=5,
        )
        self._hash = HashDetector(threshold=settings.hash_distance, size=8, lowpass=2, min_scene_len=1)
        self.named: dict[str, set[int]] = {"adaptive": set(), "hash": set()}

    def push(self, ordinal: int, view: View) -> None:
        """Frames in order, none left out. The adaptive detector answers two frames late."""
        now, picture = FrameTimecode(ordinal, _RATE), _eight_bit(view.picture_HW)
        self.named["adaptive"] |= {t.frame_num for t in self._adaptive.process_frame(now, picture)}
        self.named["hash"] |= {t.frame_num for t in self._hash.process_frame(now, picture)}

    def of(self, ordinal: int) -> tuple[str, ...]:
        """Who named this frame or the one to either side."""
        near = {ordinal - 1, ordinal, ordinal + 1}
        return tuple(name for name, frames in self.named.items() if frames & near)


def _eight_bit(picture_HW: Picture) -> NDArray[np.uint8]:
    """The normalised picture as PySceneDetect wants it."""
    grey = np.clip(picture_HW * _GREYS + 128.0, 0, 255).astype(np.uint8)
    coloured: NDArray[np.uint8] = cv2.cvtColor(grey, cv2.COLOR_GRAY2BGR)
    return coloured
