"""Clips of 8 bits made old: the five streams that a corpus holds.

Shape suffixes: T frames, C planes (1 grey, or 3 RGB), H rows, W columns.
"""

from collections.abc import Iterator
from itertools import islice

import numpy as np

from degradation.family import Planes
from degradation.generator import LAYERS, Aged, age
from degradation.recipe import Recipe
from degradation.sheets import Sheets
from storage.clipcode import Bytes
from storage.corpus import Clip


def aged(clean_TCHW: Bytes, frames: int, recipe: Recipe, seed: int, sheets: Sheets) -> tuple[Clip, list[str]]:
    """So many frames made old, and what happened to each of them.

    sheets: what the recipe's templates are cut from. The clip's clean stream is what the recipe used up of
    the clean frames. Raises ValueError where it lost too many of them.
    """
    used = 0

    def given() -> Iterator[Planes]:
        nonlocal used
        for frame_CHW in clean_TCHW:
            used += 1
            yield frame_CHW.astype(np.float32) / np.float32(255)

    made = list(islice(age(given(), recipe, seed, sheets), frames))
    if len(made) < frames:
        raise ValueError(
            f"too_short: recipe {recipe.name} made {len(made)} of {frames} frames from {len(clean_TCHW)}"
        )
    clip = Clip(
        clean_TCHW[:used],
        np.stack([_bytes(frame.target_CHW) for frame in made]),
        np.stack([_bytes(frame.undamaged_CHW) for frame in made]),
        np.stack([_bytes(frame.damaged_CHW) for frame in made]),
        np.stack([_bits(frame) for frame in made]),
    )
    return clip, [", ".join(frame.events) for frame in made]


def _bytes(planes_CHW: Planes) -> Bytes:
    levels: Bytes = np.rint(planes_CHW * np.float32(255)).astype(np.uint8)
    return levels


def _bits(frame: Aged) -> Bytes:
    """Bit n stands for the nth of LAYERS."""
    bits_HW = np.zeros(frame.damaged_CHW.shape[1:], np.uint8)
    for n, layer in enumerate(LAYERS):
        if layer in frame.layers:
            bits_HW |= frame.layers[layer].astype(np.uint8) << np.uint8(n)
    return bits_HW
