"""What an evaluation is asked for."""

from dataclasses import dataclass, replace

from degradation.generator import LAYERS
from degradation.recipe import Recipe
from tasks.corpora.clips import SPLITS, Split
from tasks.corpora.recipes import find_recipe
from tasks.request import RequestError

CLEAN, IN_SCENE = "clean", "lookalikes"
UNDAMAGED_RECIPE = "medium"
"""The age of clips without damage."""
_TAKEN = (*LAYERS, CLEAN, IN_SCENE)
_PREFIXES = ("lookalike ", "film ", "real ")
_MOST_REEL_FRAMES = 240  # of all four shots some 700 MB are held


@dataclass(frozen=True)
class EvaluationRequest:
    """One frozen set of clips, the same for all restorers, and reels whose truth nobody knows.

    Raises RequestError for what cannot be.
    """

    corpus: str
    """A finished corpus; its clean clips are made old anew."""
    recipes: tuple[str, ...] = ("light", "medium", "heavy")
    """Recipes of ours, or .json files; every clip of them is damaged."""
    split: Split = "test"
    clips: int = 24
    """Of each recipe, as many clean ones and as many with look-alikes, spread over the films of the split."""
    frames: int = 0
    """Of a clip; 0 takes as many as the corpus' clips have."""
    reels: tuple[str, ...] = ()
    """Real films: files, sequences, directories or lists."""
    reel_frames: int = 48
    """Most frames of a reel, at most 240: the start of up to four shots."""
    seed: int = 7
    """Decides which clips, and their damage; not negative."""

    def __post_init__(self) -> None:
        if not self.corpus.strip():
            raise RequestError("name a finished corpus: a directory or a URI")
        if self.split not in SPLITS:
            raise RequestError(f"split {self.split}: choose {', '.join(SPLITS)}")
        if self.clips < 1:
            raise RequestError(f"{self.clips} clips: at least 1")
        if self.frames < 0:
            raise RequestError(f"{self.frames} frames: at least 1, or 0 for as many as clips have")
        if not 1 <= self.reel_frames <= _MOST_REEL_FRAMES:
            raise RequestError(f"{self.reel_frames} frames of a reel: 1 to {_MOST_REEL_FRAMES}")
        if not 0 <= self.seed < 2**63:
            raise RequestError(f"seed {self.seed}: a whole number from 0")
        names = [self.damaged(recipe).name for recipe in self.recipes]
        for name in names:
            if names.count(name) > 1:
                raise RequestError(f"recipe {name}: named twice")
            if name in _TAKEN or name.startswith(_PREFIXES):
                raise RequestError(f"recipe {name}: a part of the evaluation has that name; rename it")

    def damaged(self, recipe: str) -> Recipe:
        """By which every clip is damaged. Raises RequestError for one that there is not."""
        found = find_recipe(recipe)
        if found.templates and found.templates.templates_sha256:
            raise RequestError(f"{recipe}: lays on scans of yours; name a recipe that does not")
        return replace(found, clean=0.0, lookalike=0.0)

    def undamaged(self, lookalike: bool) -> Recipe:
        """By which no clip is damaged; all have a look-alike in the scene, or none."""
        return replace(find_recipe(UNDAMAGED_RECIPE), clean=1.0 - lookalike, lookalike=float(lookalike))
