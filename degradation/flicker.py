"""Exposure that is not the same twice."""

import cv2
import numpy as np
from numpy.typing import NDArray

from degradation.recipe import Flicker


class Flickering:
    """The gain of each frame of a shot, one after the other: first-order memory, uneven across the frame."""

    def __init__(self, recipe: Flicker, rng: np.random.Generator) -> None:
        self._recipe = recipe
        self._rng = rng
        self._even = 0.0
        self._uneven_hw = np.zeros((3, 4))

    def next(self, height: int, width: int) -> NDArray[np.float32]:
        """The next frame's gain, (H, W) around 1."""
        memory = self._recipe.memory
        fresh = float(np.sqrt(1 - memory**2))
        self._even = memory * self._even + fresh * float(self._rng.normal())
        self._uneven_hw = memory * self._uneven_hw + fresh * self._rng.normal(size=self._uneven_hw.shape)
        field = cv2.resize(self._uneven_hw.astype(np.float32), (width, height), interpolation=cv2.INTER_CUBIC)
        gain = 1 + self._recipe.strength * self._even + self._recipe.uneven * field
        limited: NDArray[np.float32] = np.clip(gain, 0.3, 1.7).astype(np.float32)
        return limited
