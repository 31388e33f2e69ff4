"""What a corpus is asked for."""

import re
from dataclasses import dataclass, field

from degradation.recipe import Recipe
from storage.filesystem import absolute
from tasks.corpora.clips import PlanSettings
from tasks.corpora.licences import Licence, read_licences
from tasks.corpora.recipes import find_recipe
from tasks.corpora.templates import TemplatesError, with_templates
from tasks.corpora.usable import UsableFilm
from tasks.request import RequestError

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_SPLITS = re.compile(r"(\d+)/(\d+)/(\d+)")
_SIZES, _SIZE_STEP = (64, 1024), 8
_FRAMES = (1, 240)


@dataclass(frozen=True)
class CorpusRequest:
    """One corpus in one vault. Raises RequestError for what cannot be made."""

    vault: str
    name: str
    recipe: str = "medium"
    """One of ours, or a .json file."""
    clips: int = 2000
    frames: int = 12
    """Of a clip."""
    size: int = 256
    """Rows and columns of a clip, in pixels: a multiple of 8."""
    seed: int = 1
    splits: str = "80/10/10"
    """Shares of the films for train, val and test."""
    hold_out: tuple[str, ...] = ()
    """Films, by name, that go to test."""
    colour: bool = False
    """Clips have three channels; else one, lightness."""
    templates: str = ""
    """A folder of scanned dirt for the recipe's templates; empty for our own drawings. Workers read it."""
    licences: str = ""
    """A table that tells the films' licences; empty where none does."""
    licences_told: tuple[Licence, ...] = field(init=False, default=())
    recipe_made: Recipe = field(init=False)
    """With the templates named by their digest."""

    def __post_init__(self) -> None:
        if not self.vault.strip():
            raise RequestError("--vault: name a directory or a URI")
        object.__setattr__(self, "vault", absolute(self.vault))
        if not _NAME.fullmatch(self.name):
            raise RequestError(f"--name {self.name}: use letters, digits, points, dashes and underlines")
        if self.templates:
            object.__setattr__(self, "templates", absolute(self.templates))
        try:
            object.__setattr__(self, "recipe_made", with_templates(find_recipe(self.recipe), self.templates))
        except TemplatesError as error:
            raise RequestError(str(error)) from error
        if self.licences:
            object.__setattr__(self, "licences", absolute(self.licences))
            object.__setattr__(self, "licences_told", read_licences(self.licences))
        if self.clips < 1:
            raise RequestError(f"--clips {self.clips}: at least 1")
        if not _FRAMES[0] <= self.frames <= _FRAMES[1]:
            raise RequestError(f"--frames {self.frames}: {_FRAMES[0]} to {_FRAMES[1]}")
        if not _SIZES[0] <= self.size <= _SIZES[1] or self.size % _SIZE_STEP:
            raise RequestError(
                f"--size {self.size}: a multiple of {_SIZE_STEP} from {_SIZES[0]} to {_SIZES[1]}"
            )
        if not 0 <= self.seed < 2**63:
            raise RequestError(f"--seed {self.seed}: a whole number from 0")
        self._shares()

    def settings(self, films: list[UsableFilm]) -> PlanSettings:
        """What the plan needs to know. Raises RequestError where a film to hold out is not among these."""
        held = []
        for name in self.hold_out:
            found = [film.sha256 for film in films if name in (film.name, film.name.rpartition(".")[0])]
            if not found:
                names = ", ".join(sorted(film.name for film in films))
                raise RequestError(f"--hold-out {name}: no usable film has that name; there are {names}")
            held += found
        return PlanSettings(
            self.clips,
            self.frames,
            self.size,
            self.seed,
            self._shares(),
            tuple(sorted(held)),
            3 if self.colour else 1,
        )

    def _shares(self) -> tuple[int, int, int]:
        match = _SPLITS.fullmatch(self.splits)
        shares = [int(part) for part in match.groups()] if match else []
        if sum(shares) == 0:
            raise RequestError(f"--splits {self.splits}: write shares for train/val/test, like 80/10/10")
        return shares[0], shares[1], shares[2]
