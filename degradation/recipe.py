"""How old a film is made to look: everything that, with a seed, determines the damage.

Lengths are shares of the frame's height, so that one recipe ages any size alike; counts are per frame.
"""

from dataclasses import dataclass, replace
from typing import Self

from degradation.contaminants import Contaminants
from degradation.emulsion import Emulsion
from degradation.fading import Fading
from degradation.family import counts, shares
from degradation.flicker import Flicker
from degradation.grain import Grain
from degradation.grey import Grey
from degradation.mould import Mould
from degradation.quality import Quality
from degradation.scratches import Scratches
from degradation.sharpened import Sharpened
from degradation.sheets import Sheets
from degradation.softness import Softness
from degradation.splices import Splices
from degradation.templates import Templates
from degradation.timing import Timing
from degradation.tint import Tint
from degradation.transfer import Transfer
from degradation.vignette import Vignette
from degradation.weave import Weave

AnyFamily = (
    Softness
    | Fading
    | Tint
    | Vignette
    | Weave
    | Splices
    | Flicker
    | Grain
    | Mould
    | Emulsion
    | Scratches
    | Contaminants
    | Timing
    | Transfer
    | Grey
    | Templates
    | Quality
    | Sharpened
)


@dataclass(frozen=True)
class Recipe:
    """All that ages a film."""

    name: str
    families: tuple[AnyFamily, ...]
    """In the order in which they happen to the film. Each draws its own numbers: taking one out leaves the
    others exactly as they were."""
    mildest: float = 1.0
    """Clips differ: the least severity of a clip, times what the families say."""
    worst: float = 1.0
    """The most severity of a clip; between them, its logarithm is drawn evenly."""
    clean: float = 0.0
    """Share of clips with nothing that a mask tells of: grain, flicker and the like alone."""
    lookalike: float = 0.0
    """Share of clips, undamaged too, with rain, smoke, sparks ... in the scene."""
    passing: float = 0.0
    """Share of clips of every kind with limbs, poles, bodies or balls that pass through the scene."""
    bordered: float = 0.0
    """Share of clips of every kind that show the dark border of the gate."""

    def __post_init__(self) -> None:
        shares(clean=self.clean, lookalike=self.lookalike, passing=self.passing, bordered=self.bordered)
        counts(mildest=self.mildest, worst=self.worst)
        if self.mildest > self.worst or self.mildest == 0:
            raise ValueError(f"mildest must lie in (0, worst], not at {self.mildest}")
        if self.clean + self.lookalike > 1:
            raise ValueError("clean and lookalike are shares of one whole: together at most 1")
        names = [family.family for family in self.families]
        if len(set(names)) < len(names):
            raise ValueError(f"a family may stand in a recipe once: {', '.join(names)}")

    def without(self, *families: str) -> Self:
        """The same film, spared these families."""
        return replace(self, families=tuple(each for each in self.families if each.family not in families))

    def having(self, *families: AnyFamily) -> Self:
        """The same film with these parameters in their families' places, or at the end."""
        given = {each.family: each for each in families}
        kept = tuple(given.pop(each.family, each) for each in self.families)
        return replace(self, families=kept + tuple(given.values()))

    @property
    def templates(self) -> Templates | None:
        """How sheets of dirt are laid on, where they are."""
        return next((family for family in self.families if isinstance(family, Templates)), None)

    def check(self, sheets: Sheets) -> None:
        """Raises ValueError where these are not the sheets that its templates name."""
        if self.templates is None or self.templates.templates_sha256 == sheets.sha256:
            return
        wanted, given = (
            f"templates {digest[:16]}" if digest else "our own drawings"
            for digest in (self.templates.templates_sha256, sheets.sha256)
        )
        raise ValueError(f"the recipe asks for {wanted}, given are {given}")
