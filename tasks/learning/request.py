"""What a training is asked for."""

from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from models.colour.redye import CONFIGS as COLOURISERS
from models.neural.reweave import CONFIGS as RESTORERS
from models.training.course import COLOUR_STAGES, Course, polished
from models.training.material import MARGIN_FRAMES, MARGIN_PX
from models.weights import read_bundle
from tasks.corpora.recipes import find_recipe, recipe_sha256
from tasks.learning.windows import WindowConfig
from tasks.request import RequestError


@dataclass(frozen=True)
class TrainingRequest:
    """What is trained, on what, for how long."""

    corpus: str
    """A finished corpus."""
    network: str = "reweave"
    """A configuration of Reweave, which restores, or of Redye, which colours."""
    steps: int = 0
    """Batches to learn from; 0 takes as many as fit into the budget."""
    budget_s: float = 0.0
    """Time that the training may take, start and looks among it; 0 goes by steps."""
    batch_items: int = 4
    """Windows of a batch."""
    frames: int = 6
    """Frames of a window."""
    area_px: int = 128
    """Side of what is learnt from, a multiple of 32; a margin is read around it."""
    fresh: str = ""
    """A recipe by which the corpus' clean clips are made old anew in every epoch; empty learns from the
    damage that lies in the corpus. The frozen windows are always of that."""
    begin: str = ""
    """The directory of a weight bundle whose weights it begins with; empty begins at random."""
    frozen_items: int = 32
    """Windows of the corpus' val that the network is judged by."""
    workers: int = 1
    """Processes that read ahead, for each that learns; 0 reads in that one."""
    polish: float = 0.0
    """Share of the steps, the last ones, in which a discriminator looks on, and VGG-19 where torchvision's
    cache has it: sharper, and less sure to be true."""
    seed: int = 0
    """Decides the first weights and the order of the material."""
    course: Course = field(default_factory=lambda: Course(steps=1))
    """The pace; its steps and seed are those above."""

    def __post_init__(self) -> None:
        if self.network not in (*RESTORERS, *COLOURISERS):
            known = ", ".join((*RESTORERS, *COLOURISERS))
            raise RequestError(f"network {self.network}: there is none; choose one of {known}")
        if self.colours and (self.fresh or self.polish):
            what = "--fresh" if self.fresh else "--polish"
            raise RequestError(f"{what}: is for networks that restore; {self.network} colours clean clips")
        if not self.steps and not self.budget_s:
            raise RequestError("name steps, or a budget of time")
        if (
            min(self.steps, self.budget_s, self.workers, self.seed) < 0
            or min(self.batch_items, self.frames, self.frozen_items) < 1
        ):
            raise RequestError("steps, budget, workers and seed must not be negative, all else at least 1")
        if self.area_px < 32 or self.area_px % 32:
            raise RequestError(f"an area of {self.area_px} px: take a multiple of 32")
        if not 0 <= self.polish < 1:
            raise RequestError(f"polish {self.polish}: take a share of the steps, in [0, 1)")

    @property
    def colours(self) -> bool:
        """Whether the network is a colouriser's; else it is a restorer's."""
        return self.network in COLOURISERS

    @property
    def pace(self) -> Course:
        """The course, but for its steps and seed."""
        if self.colours:
            return replace(self.course, stages=COLOUR_STAGES)
        return polished(self.course, self.polish)

    def windows(self) -> WindowConfig:
        """What is learnt from. Raises RequestError for a recipe that there is not."""
        if self.colours:
            return WindowConfig(self.frames, self.area_px, "train", self.seed, near_damage=0.0)
        side = self.area_px + 2 * MARGIN_PX
        stored = WindowConfig(self.frames + MARGIN_FRAMES, side, "train", self.seed)
        return replace(stored, mode="fresh", recipe=find_recipe(self.fresh)) if self.fresh else stored


def asked_of(request: TrainingRequest) -> dict[str, Any]:
    """What a training is known by; where its corpus lies and who reads it change nothing. Raises
    RequestError, WeightsError."""
    asked = asdict(replace(request, corpus="", workers=0))
    del asked["course"], asked["corpus"], asked["workers"]
    return {
        **asked,
        "fresh": recipe_sha256(find_recipe(request.fresh)) if request.fresh else "",
        "begin": read_bundle(Path(request.begin)).sha256 if request.begin else "",
    }
