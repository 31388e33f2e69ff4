"""What a restoration run is asked for."""

from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Literal

from models.catalogue import resolved, title
from models.errors import UnknownRestorer, WeightsError
from storage.filesystem import absolute

Mode = Literal["preservation", "presentation"]


class RequestError(Exception):
    """What was asked for cannot be done; one line that says what to ask instead."""


@dataclass(frozen=True)
class RestoreRequest:
    """One run over one vault, the same for all its reels."""

    vault: str
    restorer: str = "default"
    """`default`, `classical`, `none` (conserves the film and changes nothing), or the directory of a weight
    bundle.
    """
    mode: Mode = "preservation"
    """`preservation`: only damage changes. `presentation`: stabilised and deflickered too; every pixel may
    move.
    """
    shots: str | None = None
    """A person's cut list (CSV, OTIO or EDL) that overrides detection; for one reel only."""
    rate: Fraction | None = None
    """Frames a second, for image sequences and raw streams that name none."""
    retry_failed: bool = False
    """Tries again the shots that were given up in earlier runs."""
    title: str = field(init=False, default="")
    """The restorer as records call it: a path means nothing elsewhere."""

    def __post_init__(self) -> None:
        if not self.vault.strip():
            raise RequestError("--vault: name a directory or a URI")
        # Workers and later runs may stand elsewhere, and `default` may become another restorer.
        object.__setattr__(self, "vault", absolute(self.vault))
        try:
            object.__setattr__(self, "restorer", resolved(self.restorer))
            object.__setattr__(self, "title", title(self.restorer))
        except (UnknownRestorer, WeightsError) as error:
            raise RequestError(f"--restorer {error}") from error
        if self.mode not in ("preservation", "presentation"):
            raise RequestError(f"--mode {self.mode}: choose preservation or presentation")
        if self.rate is not None and not 1 <= self.rate <= 240:
            raise RequestError(f"--rate {self.rate}: a film runs at 1 to 240 frames a second")
        if self.shots is not None and not Path(self.shots).is_file():
            raise RequestError(f"--shots {self.shots}: no such file")
