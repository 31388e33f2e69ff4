"""One shot for the tests of colour: a camera that pans over three coloured fields."""

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from models.colour.colouriser import Reference
from models.restorer import Footage

Float = NDArray[np.float32]

HEIGHT, WIDTH = 96, 144


class World:
    """A wide textured picture of three coloured fields, seen through a window that pans right."""

    def __init__(self, seed: int, frames: int, step_px: int = 2) -> None:
        rng = np.random.default_rng(seed)
        wide = WIDTH + frames * step_px
        noise = cv2.GaussianBlur(rng.standard_normal((HEIGHT, wide)).astype(np.float32), (0, 0), 1.5)
        y, x = np.mgrid[0:HEIGHT, 0:wide]
        field = (np.sin(x / 23.0 + seed) > 0).astype(int) + (y > 60 + 10 * np.sin(x / 17.0))
        base = np.array([0.3, 0.55, 0.8], np.float32)[field]
        self.luma = np.clip(base + 0.06 * noise / noise.std(), 0.05, 0.95).astype(np.float32)
        self.ab = np.array([[30, 20], [-25, 10], [5, -30]], np.float32)[field].transpose(2, 0, 1)
        self.step_px = step_px

    def shot(self, frames: Sequence[int]) -> list[Float]:
        return [self.luma[:, self.step_px * n :][:, :WIDTH] for n in frames]

    def colour(self, frame: int) -> Float:
        return np.ascontiguousarray(self.ab[:, :, self.step_px * frame :][..., :WIDTH])

    def still(self, frame: int, told: bool = True, at: int | None = None) -> Reference:
        luma = np.ascontiguousarray(self.shot([frame])[0])
        return Reference(self.colour(frame), luma, (frame if at is None else at) if told else None)


def footage(lumas: Sequence[Float]) -> Footage:
    return Footage(lambda: (luma[None] for luma in lumas), len(lumas), *lumas[0].shape, "grey")
