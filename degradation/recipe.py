"""How old a film is made to look: everything that, with a seed, determines the damage.

Lengths are shares of the frame's height, so that one recipe ages any size alike; counts are per frame.
"""

from dataclasses import dataclass, field


def _shares(**values: float) -> None:
    for name, value in values.items():
        if not 0 <= value <= 1:
            raise ValueError(f"{name} must lie in [0, 1], not {value}")


@dataclass(frozen=True)
class Contaminants:
    """Dirt, dust and hairs: anew in every frame, as they are on a print."""

    spots: float = 6.0
    """Mean number of dirt spots per frame; 0 means none."""
    spot_size: float = 0.008
    """Median diameter of a spot, share of height (0.008 is 4 px of 480); sizes spread log-normally."""
    blotches: float = 0.3
    """Mean number of large stains per frame."""
    blotch_size: float = 0.04
    """Median diameter of a stain, share of height."""
    hairs: float = 0.3
    """Mean number of hairs and short dashes per frame."""
    bright: float = 0.5
    """Share of contaminants that are white (dirt on the negative) and not black (dirt on the print)."""

    def __post_init__(self) -> None:
        _shares(spot_size=self.spot_size, blotch_size=self.blotch_size, bright=self.bright)
        if min(self.spots, self.blotches, self.hairs) < 0:
            raise ValueError("counts must not be negative")


@dataclass(frozen=True)
class Scratches:
    """Lines along the film, which stay for many frames and wander with the gate."""

    lines: float = 1.0
    """Mean number of scratches alive at any time; 0 means none."""
    width: float = 0.004
    """Median width, share of height (0.004 is 2 px of 480)."""
    contrast: float = 0.25
    """Mean change of brightness at the line's middle, of 1."""
    life_frames: float = 30.0
    """Mean number of frames a scratch lasts; at least 1."""

    def __post_init__(self) -> None:
        _shares(width=self.width, contrast=self.contrast)
        if self.lines < 0 or self.life_frames < 1:
            raise ValueError("lines must not be negative and life_frames at least 1")


@dataclass(frozen=True)
class Flicker:
    """Exposure that differs from frame to frame and across the frame."""

    strength: float = 0.05
    """Standard deviation of a frame's gain; 0 means steady."""
    uneven: float = 0.03
    """Standard deviation of the gain across the frame, changing each frame."""
    memory: float = 0.3
    """How much of a frame's gain carries over to the next, in [0, 1)."""

    def __post_init__(self) -> None:
        _shares(strength=self.strength, uneven=self.uneven, memory=self.memory)


@dataclass(frozen=True)
class Weave:
    """The picture's wandering in the gate."""

    sideways: float = 0.0015
    """Standard deviation across, share of height (0.0015 is 0.7 px of 480); 0 means steady."""
    upright: float = 0.001
    """Standard deviation up and down, share of height."""
    memory: float = 0.6
    """How much of a frame's position carries over to the next, in [0, 1)."""

    def __post_init__(self) -> None:
        _shares(sideways=self.sideways, upright=self.upright, memory=self.memory)


@dataclass(frozen=True)
class Grain:
    """Silver grain, strongest in the middle greys."""

    strength: float = 0.02
    """Standard deviation in the middle greys, of 1; 0 means none."""
    coarseness: float = 0.0015
    """Sigma of the grain's blur, share of height (0.0015 is 0.7 px of 480)."""

    def __post_init__(self) -> None:
        _shares(strength=self.strength, coarseness=self.coarseness)


@dataclass(frozen=True)
class Recipe:
    """All that ages a film. A family switched off by a zero leaves the others exactly as they were."""

    name: str
    contaminants: Contaminants = field(default_factory=Contaminants)
    scratches: Scratches = field(default_factory=Scratches)
    flicker: Flicker = field(default_factory=Flicker)
    weave: Weave = field(default_factory=Weave)
    grain: Grain = field(default_factory=Grain)


LIGHT = Recipe(
    "light",
    Contaminants(spots=3, blotches=0.1, hairs=0.1),
    Scratches(lines=0.3, contrast=0.15),
    Flicker(strength=0.015, uneven=0.01),
    Weave(sideways=0.0005, upright=0.0004),
    Grain(strength=0.01, coarseness=0.001),
)
MEDIUM = Recipe(
    "medium",
    Contaminants(spots=12, blotches=0.5, hairs=0.5),
    Scratches(lines=1.0, contrast=0.25),
    Flicker(strength=0.04, uneven=0.025),
    Weave(sideways=0.0015, upright=0.001),
    Grain(strength=0.018),
)
HEAVY = Recipe(
    "heavy",
    Contaminants(spots=40, spot_size=0.009, blotches=2.0, hairs=2.0),
    Scratches(lines=3.0, contrast=0.35),
    Flicker(strength=0.08, uneven=0.05),
    Weave(sideways=0.003, upright=0.002),
    Grain(strength=0.03, coarseness=0.002),
)

RECIPES = {recipe.name: recipe for recipe in (LIGHT, MEDIUM, HEAVY)}
