"""What a restoration run is asked for."""

import os
from contextlib import suppress
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Literal

import psutil

from models.bundled import has_weights
from models.catalogue import load_restorer
from models.neural.settings import Use, Whole, budget_bytes
from storage.filesystem import absolute, is_local
from storage.sequence import is_sequence
from tasks.restorers import UNUSABLE, named

Mode = Literal["preservation", "presentation"]
MaskUse = Literal["add", "replace"]


class RequestError(Exception):
    """What was asked for cannot be done; one line that says what to ask instead."""


@dataclass(frozen=True)
class RestoreRequest:
    """One run over one vault, the same for all its reels."""

    vault: str
    restorer: str = "default"
    """`default`, `classical`, `none` (conserves the film and changes nothing), the directory of a weight
    bundle, or a registered model, like `models:/answerprint@champion`, of which it becomes the directory.
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
    mask: str | None = None
    """A film or image sequence that shows where damage is; for one reel only."""
    mask_use: MaskUse = "add"
    """`add`: to what the restorer finds. `replace`: nothing else is repaired."""
    mask_dark: bool = False
    """Damage is dark in the mask, as in an infra-red scan; else it is light."""
    whole_frame: Whole = "no"
    """For networks in presentation: `kept` takes the whole restored frame under the source's own grain,
    `matched` under new grain of its strength, `no` what was damaged alone.
    """
    use: Use = field(init=False, default=Use())
    """How networks are used; this machine's memory decides."""
    title: str = field(init=False, default="")
    """The restorer as records call it: a path means nothing elsewhere."""
    pinned: str = field(init=False, default="")
    """The restorer by a name that will always stand for the same: of an alias, the version that had it."""

    def __post_init__(self) -> None:
        if not self.vault.strip():
            raise RequestError("--vault: name a directory or a URI")
        # Workers and later runs may stand elsewhere, and `default` may become another restorer.
        object.__setattr__(self, "vault", absolute(self.vault))
        try:
            # Once for a whole run: an alias may move while it lasts.
            known = named(self.restorer)
            object.__setattr__(self, "restorer", known.name)
            object.__setattr__(self, "title", known.title)
            object.__setattr__(self, "pinned", known.pinned)
            object.__setattr__(self, "use", Use(self.whole_frame, _budget()))
            load_restorer(self.restorer, self.use)  # settings that cannot be are told before any work
        except UNUSABLE as error:
            raise RequestError(f"--restorer {error}") from error
        if self.mode not in ("preservation", "presentation"):
            raise RequestError(f"--mode {self.mode}: choose preservation or presentation")
        if self.whole_frame not in ("no", "kept", "matched"):
            raise RequestError(f"--whole-frame {self.whole_frame}: choose no, kept or matched")
        if self.whole_frame != "no" and not (self.mode == "presentation" and has_weights(self.restorer)):
            raise RequestError(
                "--whole-frame is for presentation by a restorer with weights; give --mode presentation and "
                "a weight bundle as --restorer"
            )
        if self.rate is not None and not 1 <= self.rate <= 240:
            raise RequestError(f"--rate {self.rate}: a film runs at 1 to 240 frames a second")
        if self.shots is not None and not Path(self.shots).is_file():
            raise RequestError(f"--shots {self.shots}: no such file")
        self._settle_mask()

    @property
    def gpus_each(self) -> int:
        """How many GPUs a worker wants, where there are any."""
        return int(has_weights(self.restorer))

    def check_reels(self, count: int) -> None:
        """Raises RequestError where what is for one reel was given for several."""
        for option, given in (("--shots", self.shots), ("--mask", self.mask)):
            if given and count > 1:
                raise RequestError(f"{option} is for one reel and {count} were named; run them one by one")

    def _settle_mask(self) -> None:
        if self.mask_use not in ("add", "replace"):
            raise RequestError(f"--mask-use {self.mask_use}: choose add or replace")
        if self.mask is None:
            if self.mask_use != "add" or self.mask_dark:
                raise RequestError("--mask-use and --mask-dark say how to use a mask; give --mask too")
            return
        if self.restorer == "none":
            raise RequestError("--mask: the restorer none repairs nothing, masked or not; choose another")
        mask = absolute(self.mask)
        if is_local(self.mask) and not Path(mask).exists() and not is_sequence(mask):
            raise RequestError(f"--mask {self.mask}: no such file or folder")
        object.__setattr__(self, "mask", mask)


def _budget() -> int:
    """By this machine's memory, or what its container may have of it."""
    memory = psutil.virtual_memory().total
    with suppress(OSError, ValueError):  # no such file on other systems; `max` where there is no limit
        memory = min(memory, int(Path("/sys/fs/cgroup/memory.max").read_text()))
    return budget_bytes(memory, os.cpu_count() or 1)
