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
from degradation.recipe import Recipe
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

LIGHT = Recipe(
    "light",
    (
        Softness(sigma=0.0008, lost=0.1, probability=0.3),
        Fading(black=0.02, white=0.03, gamma=0.08, dyes=0.12, probability=0.4),
        Tint(probability=0.08),
        Vignette(corners=0.12, bleached=0.03, probability=0.2),
        Weave(sideways=0.0005, upright=0.0004, probability=0.9),
        Splices(rate=0.05, jump=0.01, step=0.03, probability=0.05),
        Flicker(strength=0.015, uneven=0.01, probability=0.9),
        Grain(strength=0.01, coarseness=0.001, probability=0.95),
        Mould(colonies=2, strength=0.2, probability=0.02),
        Emulsion(patches=0.15, size=0.05, probability=0.04),
        Scratches(lines=0.5, contrast=0.15, probability=0.6),
        Contaminants(spots=3, blotches=0.1, hairs=0.1),
        Timing(cadence=0.5, repeats=0.005, missing=0.005, probability=0.08),
        Transfer(noise=0.004, halo=0.2, coarsest=0.4, probability=0.3),
    ),
    mildest=0.5,
    worst=2.0,
    clean=0.12,
    lookalike=0.12,
)
MEDIUM = Recipe(
    "medium",
    (
        Softness(sigma=0.0015, lost=0.25, probability=0.45),
        Fading(probability=0.5),
        Tint(probability=0.12),
        Vignette(leaks=0.003, probability=0.3),
        Weave(sideways=0.0015, upright=0.001, probability=0.95),
        Splices(rate=0.06, probability=0.12),
        Flicker(strength=0.04, uneven=0.025, probability=0.95),
        Grain(strength=0.018, probability=0.95),
        Mould(probability=0.05),
        Emulsion(patches=0.4, probability=0.1),
        Scratches(lines=1.3, contrast=0.25, probability=0.75),
        Contaminants(spots=12, blotches=0.5, hairs=0.5),
        Timing(probability=0.12),
        Transfer(probability=0.3),
    ),
    mildest=0.5,
    worst=2.0,
    clean=0.12,
    lookalike=0.12,
)
HEAVY = Recipe(
    "heavy",
    (
        Softness(sigma=0.0022, lost=0.4, probability=0.6),
        Fading(black=0.08, white=0.1, gamma=0.2, dyes=0.45, probability=0.65),
        Tint(probability=0.15),
        Vignette(corners=0.35, bleached=0.15, leaks=0.01, probability=0.45),
        Weave(sideways=0.003, upright=0.002, jumps=0.01),
        Splices(rate=0.08, jump=0.03, step=0.1, probability=0.25),
        Flicker(strength=0.08, uneven=0.05, flashes=0.01),
        Grain(strength=0.03, coarseness=0.002),
        Mould(colonies=8, size=0.15, strength=0.4, probability=0.12),
        Emulsion(patches=1.5, size=0.1, probability=0.25),
        Scratches(lines=3.3, contrast=0.35, probability=0.9),
        Contaminants(spots=40, spot_size=0.009, blotches=2.0, hairs=2.0),
        Timing(repeats=0.02, missing=0.03, probability=0.2),
        Transfer(noise=0.01, halo=0.5, coarsest=0.8, probability=0.35),
    ),
    mildest=0.5,
    worst=2.0,
    clean=0.12,
    lookalike=0.12,
)
RTN_PAPER = Recipe("rtn-paper", (Grey(), Templates(), Quality(), Sharpened()))
"""What RTN was taught with, by its released code: for comparison, not for use."""

RECIPES = {recipe.name: recipe for recipe in (LIGHT, MEDIUM, HEAVY, RTN_PAPER)}

_WEAR = ("weave", "flicker", "grain", "scratches", "contaminants")


def worn(recipe: Recipe) -> Recipe:
    """The wear that nearly all old film has, as bad as the recipe says, on every clip: for showing and
    measuring. As many frames come out as go in."""
    wear = tuple(replace(each, probability=1.0) for each in recipe.families if each.family in _WEAR)
    return replace(recipe, families=wear, mildest=1.0, worst=1.0, clean=0.0, lookalike=0.0)
