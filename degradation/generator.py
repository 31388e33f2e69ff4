"""Makes clean frames old, and says exactly where it did.

Shape suffixes: C planes (1 grey, or 3 RGB), H rows, W columns. Pictures are float32 in [0, 1].
"""

from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

from degradation.contaminants import contaminate
from degradation.flicker import Flickering
from degradation.grain import grain
from degradation.overlay import Overlay, laid
from degradation.recipe import Recipe
from degradation.scratches import Scratching
from degradation.weave import Weaving

Planes = NDArray[np.float32]
Mask = NDArray[np.bool_]


def age(frames: Iterable[Planes], recipe: Recipe, seed: int) -> Iterator[tuple[Planes, Mask]]:
    """One shot made old, frame by frame: the damaged planes_CHW and damaged_HW.

    The mask is True exactly where a contaminant or a scratch changed a pixel; weave, flicker and grain move
    every pixel and are not in it. Each family draws from its own stream of numbers, frame by frame, so that
    the same recipe without its contaminants and scratches gives the same film without the damage: the truth
    to compare with.

    Raises ValueError for a frame that is not float planes_CHW, or whose size changes.
    """
    shape: tuple[int, ...] | None = None
    weaving = Weaving(recipe.weave, stream(seed, "weave"))
    flickering = Flickering(recipe.flicker, stream(seed, "flicker"))
    scratching = Scratching(recipe.scratches, stream(seed, "scratches"))
    for number, planes_CHW in enumerate(frames):
        if planes_CHW.ndim != 3 or planes_CHW.dtype != np.float32:
            raise ValueError(
                f"frame {number}: expected float32 (C, H, W), got {planes_CHW.dtype} {planes_CHW.shape}"
            )
        if shape is not None and planes_CHW.shape != shape:
            raise ValueError(f"frame {number}: size changed from {shape} to {planes_CHW.shape}")
        shape = planes_CHW.shape
        height, width = planes_CHW.shape[1:]
        out_CHW = weaving.next(planes_CHW)
        out_CHW = out_CHW * flickering.next(height, width)
        out_CHW = np.clip(out_CHW + grain(out_CHW, recipe.grain, stream(seed, "grain", number)), 0, 1)
        overlays: list[Overlay] = scratching.next(height, width)
        overlays += contaminate(height, width, recipe.contaminants, stream(seed, "contaminants", number))
        yield laid(out_CHW.astype(np.float32), overlays)


def stream(seed: int, family: str, frame: int = -1) -> np.random.Generator:
    """The random numbers of one family (of one frame): none of them moves when another family changes."""
    return np.random.default_rng([seed, *family.encode(), frame + 1])
