"""The recipes that come with Answerprint."""

from dataclasses import replace

from degradation.contaminants import Contaminants
from degradation.emulsion import Emulsion
from degradation.fading import Fading
from degradation.flicker import Flicker
from degradation.grain import Grain
from degradation.grey import Grey
from degradation.mould import Mould
from degradation.quality import Quality
from degradation.recipe import AnyFamily, Recipe
from degradation.scratches import Scratches
from degradation.sharpened import Sharpened
from degradation.softness import Softness
from degradation.splices import Splices
from degradation.templates import Templates
from degradation.timing import Timing
from degradation.tint import Tint
from degradation.transfer import Transfer
from degradation.vignette import Vignette
from degradation.weave import Weave


def _worn_film(name: str, *families: AnyFamily) -> Recipe:
    """A recipe whose clips are half to twice as bad as it says, an eighth of them clean, an eighth with
    look-alikes."""
    return Recipe(name, families, mildest=0.5, worst=2.0, clean=0.12, lookalike=0.12)


# Dirt, flicker, weave and grain are set by what six reels of old film measure (`corpus realism`): light by
# the two least worn, medium by two that are, heavy by the worst. Scratches on them are too rare to measure.
LIGHT = _worn_film(
    "light",
    Softness(sigma=0.0008, lost=0.1, probability=0.3),
    Fading(black=0.02, white=0.03, gamma=0.08, dyes=0.12, probability=0.4),
    Tint(probability=0.08),
    Vignette(corners=0.12, bleached=0.03, probability=0.2),
    Weave(sideways=0.0003, upright=0.0005, memory=0.8, probability=0.9),
    Splices(rate=0.05, jump=0.01, step=0.03, probability=0.05),
    Flicker(strength=0.002, uneven=0.005, spread=0.7, memory=0.5, probability=0.9),
    Grain(strength=0.004, spread=0.5, coarseness=0.0027, probability=0.95),
    Mould(colonies=2, strength=0.2, probability=0.02),
    Emulsion(patches=0.15, size=0.05, probability=0.04),
    Scratches(lines=0.5, contrast=0.15, probability=0.6),
    Contaminants(
        spots=4.5,
        spot_size=0.0055,
        spot_spread=0.5,
        blotches=0.05,
        hairs=0.2,
        hair_length=0.03,
        bright=0.85,
        one_sided=0.15,
        bursts=0.5,
        clustered=0.1,
    ),
    Timing(cadence=0.5, repeats=0.005, missing=0.005, probability=0.08),
    Transfer(noise=0.004, halo=0.2, coarsest=0.4, probability=0.3),
)
_MEDIUM_DIRT = Contaminants(
    spots=30,
    spot_size=0.0055,
    spot_spread=0.5,
    blotches=0.2,
    hairs=2.5,
    hair_length=0.03,
    bright=0.75,
    one_sided=0.25,
    bursts=0.6,
    clustered=0.1,
)
MEDIUM = _worn_film(
    "medium",
    Softness(sigma=0.0015, lost=0.25, probability=0.45),
    Fading(probability=0.5),
    Tint(probability=0.12),
    Vignette(leaks=0.003, probability=0.3),
    Weave(sideways=0.0025, upright=0.004, probability=0.95),
    Splices(rate=0.06, probability=0.12),
    Flicker(strength=0.03, uneven=0.018, spread=0.7, memory=0.6, probability=0.95),
    Grain(strength=0.008, spread=0.4, coarseness=0.0026, probability=0.95),
    Mould(probability=0.05),
    Emulsion(patches=0.4, probability=0.1),
    Scratches(lines=1.3, contrast=0.25, probability=0.75),
    _MEDIUM_DIRT,
    Timing(probability=0.12),
    Transfer(probability=0.3),
)
HEAVY = _worn_film(
    "heavy",
    Softness(sigma=0.0022, lost=0.4, probability=0.6),
    Fading(black=0.08, white=0.1, gamma=0.2, dyes=0.45, probability=0.65),
    Tint(probability=0.15),
    Vignette(corners=0.35, bleached=0.15, leaks=0.01, probability=0.45),
    Weave(sideways=0.003, upright=0.006, memory=0.4, jumps=0.01),
    Splices(rate=0.08, jump=0.03, step=0.1, probability=0.25),
    Flicker(strength=0.045, uneven=0.045, spread=0.6, memory=0.4, flashes=0.01),
    Grain(strength=0.009, spread=0.4, coarseness=0.0026),
    Mould(colonies=8, size=0.15, strength=0.4, probability=0.12),
    Emulsion(patches=1.5, size=0.1, probability=0.25),
    Scratches(lines=3.3, contrast=0.35, probability=0.9),
    Contaminants(
        spots=110,
        spot_size=0.0055,
        spot_spread=0.5,
        blotches=0.5,
        hairs=8,
        hair_length=0.03,
        bright=0.7,
        bursts=0.2,
        clustered=0.1,
    ),
    Timing(repeats=0.02, missing=0.03, probability=0.2),
    Transfer(noise=0.01, halo=0.5, coarsest=0.8, probability=0.35),
)
RTN_PAPER = Recipe("rtn-paper", (Grey(), Templates(), Quality(), Sharpened()))
"""What RTN was taught with, by its released code: for comparison, not for use."""

TEACHING = replace(
    MEDIUM.having(
        Splices(rate=0.1, probability=0.3),
        Mould(probability=0.15),
        Emulsion(patches=0.6, probability=0.3),
        replace(_MEDIUM_DIRT, blotches=0.8, hairs=4.0),
    ),
    name="teaching",
    worst=3.0,
    clean=0.1,
    lookalike=0.2,
    passing=0.5,
    bordered=0.25,
)
"""`medium` for networks to learn from: what looks like damage and is none must come often to be known, and
so must the damage that is rare and large."""

RECIPES = {recipe.name: recipe for recipe in (LIGHT, MEDIUM, HEAVY, TEACHING, RTN_PAPER)}

_WEAR = ("weave", "flicker", "grain", "scratches", "contaminants")


def worn(recipe: Recipe) -> Recipe:
    """The wear that nearly all old film has, as bad as the recipe says, on every clip: for showing and
    measuring. As many frames come out as go in."""
    wear = tuple(replace(each, probability=1.0) for each in recipe.families if each.family in _WEAR)
    return replace(recipe, families=wear, mildest=1.0, worst=1.0, clean=0.0, lookalike=0.0)
