"""One shot for the tests of restorers: a camera panning over a texture, with grain, and dirt laid on it."""

import cv2
import numpy as np
from numpy.typing import NDArray

from models.restorer import Colour, Footage, Planes

HEIGHT, WIDTH = 144, 208


def texture(height: int, width: int, seed: int) -> NDArray[np.float32]:
    """A still picture with detail of several sizes, in 0.15..0.85."""
    rng = np.random.default_rng(seed)
    total = np.zeros((height, width), np.float32)
    for size in (3, 8, 24):
        noise = rng.standard_normal((height // size + 2, width // size + 2)).astype(np.float32)
        total += cv2.resize(noise, (width, height), interpolation=cv2.INTER_CUBIC) * size**0.5
    total = (total - total.min()) / (total.max() - total.min())
    return 0.15 + 0.7 * cv2.GaussianBlur(total, (0, 0), 1.0)


def panning(
    frames: int, height: int = HEIGHT, width: int = WIDTH, step: float = 1.5, grain: float = 0.008
) -> list[Planes]:
    """A camera panning over a texture, with grain."""
    world = texture(height + 8, width + round(step * frames) + 8, 1)
    rng = np.random.default_rng(2)
    clip = []
    for n in range(frames):
        move = np.array([[1, 0, -step * n - 4], [0, 1, -4.0]])
        view = cv2.warpAffine(
            world, move, (width, height), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT
        )
        view = view + grain * rng.standard_normal(view.shape)
        clip.append(np.clip(view, 0, 1).astype(np.float32)[None])
    return clip


def footage(clip: list[Planes], colour: Colour = "grey") -> Footage:
    """A list of frames as footage."""
    return Footage(lambda: iter(clip), len(clip), *clip[0].shape[1:], colour)


def dirtied(clip: list[Planes], per_frame: int = 3) -> tuple[list[Planes], list[NDArray[np.bool_]]]:
    """The clip with round black and white spots, other places in each frame, and where they are."""
    rng = np.random.default_rng(3)
    out, masks = [], []
    for planes in clip:
        height, width = planes.shape[1:]
        alpha = np.zeros((height, width), np.float32)
        planes = planes.copy()
        for _ in range(per_frame):
            spot = np.zeros_like(alpha)
            centre = (int(rng.integers(8, width - 8)), int(rng.integers(8, height - 8)))
            cv2.circle(spot, centre, int(rng.integers(2, 6)), 1.0, -1)
            spot = cv2.GaussianBlur(spot, (3, 3), 0.6)
            planes += spot * (np.float32(rng.choice([0.02, 0.97])) - planes)
            alpha = np.maximum(alpha, spot)
        out.append(planes)
        masks.append(alpha > 0.05)
    return out, masks
