"""The film's wandering in the gate."""

import cv2
import numpy as np
from numpy.typing import NDArray

from degradation.recipe import Weave


class Weaving:
    """The picture's place in each frame of a shot, one after the other."""

    def __init__(self, recipe: Weave, rng: np.random.Generator) -> None:
        self._recipe = recipe
        self._rng = rng
        self._at = np.zeros(2)

    def next(self, planes_CHW: NDArray[np.float32]) -> NDArray[np.float32]:
        """The next frame, moved; edges replicated."""
        memory = self._recipe.memory
        self._at = memory * self._at + float(np.sqrt(1 - memory**2)) * self._rng.normal(size=2)
        height, width = planes_CHW.shape[1:]
        across, down = self._at * (self._recipe.sideways * height, self._recipe.upright * height)
        if across == 0 and down == 0:
            return planes_CHW
        move = np.array([[1, 0, across], [0, 1, down]])
        moved = [
            cv2.warpAffine(
                plane, move, (width, height), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE
            )
            for plane in planes_CHW
        ]
        out: NDArray[np.float32] = np.clip(np.stack(moved), 0, 1).astype(np.float32)
        return out
