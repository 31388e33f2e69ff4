"""The recipes that come with Answerprint."""

from degradation.contaminants import Contaminants
from degradation.flicker import Flicker
from degradation.grain import Grain
from degradation.grey import Grey
from degradation.quality import Quality
from degradation.recipe import Recipe
from degradation.scratches import Scratches
from degradation.sharpened import Sharpened
from degradation.templates import Templates
from degradation.weave import Weave

LIGHT = Recipe(
    "light",
    (
        Weave(sideways=0.0005, upright=0.0004),
        Flicker(strength=0.015, uneven=0.01),
        Grain(strength=0.01, coarseness=0.001),
        Scratches(lines=0.3, contrast=0.15),
        Contaminants(spots=3, blotches=0.1, hairs=0.1),
    ),
)
MEDIUM = Recipe(
    "medium",
    (
        Weave(sideways=0.0015, upright=0.001),
        Flicker(strength=0.04, uneven=0.025),
        Grain(strength=0.018),
        Scratches(lines=1.0, contrast=0.25),
        Contaminants(spots=12, blotches=0.5, hairs=0.5),
    ),
)
HEAVY = Recipe(
    "heavy",
    (
        Weave(sideways=0.003, upright=0.002),
        Flicker(strength=0.08, uneven=0.05),
        Grain(strength=0.03, coarseness=0.002),
        Scratches(lines=3.0, contrast=0.35),
        Contaminants(spots=40, spot_size=0.009, blotches=2.0, hairs=2.0),
    ),
)
RTN_PAPER = Recipe("rtn-paper", (Grey(), Templates(), Quality(), Sharpened()))
"""What RTN was taught with, by its released code: for comparison, not for use."""

RECIPES = {recipe.name: recipe for recipe in (LIGHT, MEDIUM, HEAVY, RTN_PAPER)}
