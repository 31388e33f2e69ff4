"""Things that belong to the scene, or to every print of it, and look like damage: a restorer must leave them
alone.

Shape suffixes: C planes, H rows, W columns. Pictures are float32 in [0, 1].
"""

from collections.abc import Callable, Iterable, Iterator
from typing import Literal, get_args

from degradation.border import Border
from degradation.captions import Captions
from degradation.exact import stream
from degradation.family import Planes, Size
from degradation.haze import Haze
from degradation.passers import Passers
from degradation.swarms import Glints, Swarm

Lookalike = Literal[
    "snow",
    "confetti",
    "rain",
    "sparks",
    "fireworks",
    "glints",
    "smoke",
    "fire",
    "subtitle",
    "titles",
    "writing",
    "passers",
    "border",
]

LOOKALIKES: tuple[Lookalike, ...] = get_args(Lookalike)


def with_lookalike(frames: Iterable[Planes], kind: Lookalike, seed: int) -> Iterator[Planes]:
    """The frames (C, H, W) with this in the scene."""
    draw: Callable[[Planes], Planes] | None = None
    for planes_CHW in frames:
        if draw is None:
            channels, height, width = planes_CHW.shape
            draw = _begun(kind, Size(height, width, channels), seed)
        yield draw(planes_CHW)


def _begun(kind: Lookalike, size: Size, seed: int) -> Callable[[Planes], Planes]:
    rng = stream(seed, kind)
    match kind:
        case "smoke" | "fire":
            return Haze(kind, size, rng)
        case "subtitle" | "titles" | "writing":
            return Captions(kind, size, rng)
        case "glints":
            return Glints(size, rng)
        case "passers":
            return Passers(size, rng)
        case "border":
            return Border(size, rng)
        case _:
            return Swarm(kind, size, rng)
