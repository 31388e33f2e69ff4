"""What a colour run is asked for."""

from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

from models.bundled import has_weights
from models.colour.catalogue import title
from storage.filesystem import absolute, is_local
from storage.vault import Vault
from tasks.colourisers import UNUSABLE, colouriser_named
from tasks.request import RequestError


@dataclass(frozen=True)
class ColourRequest:
    """One run over one vault, the same for all its reels."""

    vault: str
    stills: str
    """Directory of the painted stills, named by reel and frame."""
    colouriser: str = "default"
    """A name, the directory of a bundle, or a registered model, like `models:/answerprint-colour@champion`,
    of which it becomes the directory."""
    delivery: str | None = None
    """Name of the delivery to colour, for one reel only; the newest if left out."""
    share: bool = True
    """Shots without a still of their own borrow one of the same scene."""
    retry_failed: bool = False
    """Tries again the shots that were given up in earlier runs."""
    title: str = field(init=False, default="")
    """The colouriser as labels and records call it."""

    def __post_init__(self) -> None:
        if not self.vault.strip():
            raise RequestError("--vault: name a directory or a URI")
        object.__setattr__(self, "vault", absolute(self.vault))
        if not is_local(self.stills) or not Path(absolute(self.stills)).is_dir():
            raise RequestError(f"--stills {self.stills}: no such directory on this machine")
        object.__setattr__(self, "stills", absolute(self.stills))
        try:
            # Later runs, elsewhere, may take another for the default, and an alias may move.
            object.__setattr__(self, "colouriser", colouriser_named(self.colouriser).name)
            object.__setattr__(self, "title", title(self.colouriser))
        except UNUSABLE as error:
            raise RequestError(f"--colouriser {error}") from error
        if not Vault(self.vault).exists("reels"):
            raise RequestError(f"--vault {self.vault}: no vault there; `answerprint restore` makes one")

    @property
    def gpus_each(self) -> int:
        """How many GPUs a worker wants, where there are any."""
        return int(has_weights(self.colouriser))

    @property
    def rate(self) -> Fraction | None:
        """None: the vault knows each reel's rate since it was restored."""
        return None

    def check_reels(self, count: int) -> None:
        """Raises RequestError where what is for one reel was given for several."""
        if self.delivery and count > 1:
            raise RequestError(f"--delivery is for one reel and {count} were named; run them one by one")
