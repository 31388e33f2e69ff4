"""One training on a corpus, in one process or several: resumed where it stopped, ended as a weight bundle.

A folder holds it: `course.json`, what is trained how, written first; `progress.safetensors`, how far it came;
`bundle`, its best weights so far.
"""

import json
import time
from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import asdict, dataclass, field, replace
from itertools import islice
from pathlib import Path
from typing import Any

import torch

from models.errors import WeightsError
from models.neural.reweave import CONFIGS, Reweave
from models.training.company import ALONE, Company
from models.training.course import Course, fitted, lasting, polished
from models.training.learner import ReweaveLearner
from models.training.loop import Reporter, train
from models.training.material import MARGIN_FRAMES, MARGIN_PX, Material
from models.training.perceptual import find_perceptual
from models.training.pictures import RGB
from models.training.progress import Progress, begin, read_progress, write_progress
from models.weights import Bundle, load_network, read_bundle, write_bundle
from storage.corpus import Corpus
from storage.filesystem import write_atomically
from tasks.corpora.recipes import find_recipe, recipe_sha256
from tasks.learning.materials import Materials
from tasks.learning.windows import Feeder, WindowConfig
from tasks.request import RequestError

COURSE, PROGRESS, BUNDLE = "course.json", "progress.safetensors", "bundle"
_TIMED_STEPS = 4


@dataclass(frozen=True)
class TrainingRequest:
    """What is trained, on what, for how long."""

    corpus: str
    """A finished corpus."""
    network: str = "reweave"
    """A configuration of Reweave."""
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
        if self.network not in CONFIGS:
            raise RequestError(f"network {self.network}: there is none; choose one of {', '.join(CONFIGS)}")
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
    def pace(self) -> Course:
        """The course, but for its steps and seed."""
        return polished(self.course, self.polish)

    def windows(self) -> WindowConfig:
        """What is learnt from. Raises RequestError for a recipe that there is not."""
        side = self.area_px + 2 * MARGIN_PX
        stored = WindowConfig(self.frames + MARGIN_FRAMES, side, "train", self.seed)
        return replace(stored, mode="fresh", recipe=find_recipe(self.fresh)) if self.fresh else stored


def train_network(
    request: TrainingRequest,
    folder: Path,
    reporter: Reporter,
    company: Company = ALONE,
    device: str = "cpu",
) -> Bundle:
    """Trains, or goes on with what the folder holds, to the end; the best weights as a bundle.

    company: who trains together, all by the same request. Each takes its part of every batch; only the first
    touches the folder and is heard by the reporter, and the others learn from it where they stand. How many
    they are may change whenever the training is taken up. device: torch's name of what is computed on.

    Raises StorageError for the corpus, WeightsError for a folder of another training or a bundle that cannot
    be begun with, RequestError for a budget too short, a bundle of another network or batches that cannot be
    split, ArithmeticError where the loss is no number.
    """
    corpus = Corpus.open(request.corpus)
    torch.manual_seed(request.seed)
    network = Reweave.from_config(request.network).to(device)
    learner = ReweaveLearner(network)
    first = company.decided(lambda: _first(request, network))
    network.load_state_dict(first.network)
    material, frozen = _material(request, company)
    course = company.decided(lambda: _course(folder, request)) or _planned(
        request, learner, material, frozen, first, company
    )
    asked = company.decided(lambda: asked_of(request))
    told = {**asked, "manifest": corpus.record["manifest_sha256"], "course": asdict(course)}
    perceptual = find_perceptual()[0] if request.polish else None
    if perceptual is not None:
        perceptual.to(device)
        told["vgg19"] = perceptual.sha256
    progress = company.decided(lambda: _taken_up(folder, told) or first)
    feed = Feeder(
        material, request.batch_items, request.workers, progress.fed or None, company.rank, company.size
    )

    def keep(reached: Progress) -> None:
        write_progress(folder / PROGRESS, reached, told)

    progress = train(course, learner, feed, frozen, progress, reporter, keep, perceptual, company)
    network.load_state_dict(progress.champion)
    origin = {**told, "steps": progress.step}
    return company.decided(
        lambda: write_bundle(folder / BUNDLE, network.eval(), origin={**origin, **_begun_from(request)})
    )


def _first(request: TrainingRequest, network: Reweave) -> Progress:
    """Before the first step. Raises WeightsError, RequestError for a bundle that cannot be begun with."""
    if not request.begin:
        return begin({name: weight.cpu() for name, weight in network.state_dict().items()})
    bundle = read_bundle(Path(request.begin))
    if bundle.architecture != "reweave" or dict(bundle.sizes) != network.sizes():
        raise RequestError(
            f"{request.begin}: of another network than {request.network}; begin with weights of that one, "
            "or name the network that they are of"
        )
    return begin(load_network(bundle).state_dict())


def _begun_from(request: TrainingRequest) -> dict[str, Any]:
    """For the bundle's origin: steps are those of the training that it was begun from, 0 where unknown."""
    if not request.begin:
        return {}
    bundle = read_bundle(Path(request.begin))
    return {"begun_from": {"sha256": bundle.sha256, "steps": bundle.origin.get("steps", 0)}}


def _taken_up(folder: Path, told: Mapping[str, Any]) -> Progress | None:
    """Where the folder's training stands; None where it begins, which is written down."""
    if (folder / PROGRESS).exists():
        return read_progress(folder / PROGRESS, told)
    folder.mkdir(parents=True, exist_ok=True)
    write_atomically(folder / COURSE, json.dumps(told, indent=2).encode())
    return None


def _material(request: TrainingRequest, company: Company) -> tuple[Materials, list[Material]]:
    """What is learnt from, and the batches that the network is judged by, the same every time; none for
    those who do not judge."""
    windows = request.windows()
    frozen = Materials(request.corpus, replace(windows, split="val", mode="stored", flips=False))
    looked_at = request.frozen_items if company.rank == 0 else 0
    batches = list(islice(Feeder(frozen, 1), looked_at))
    return Materials(request.corpus, windows), batches


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


def _course(folder: Path, request: TrainingRequest) -> Course | None:
    """That of a training that was begun, if it was. Raises WeightsError for another one's."""
    try:
        begun = json.loads((folder / COURSE).read_bytes())
        steps = int(begun["course"]["steps"])
        asked = {name: value for name, value in begun.items() if name not in ("course", "manifest", "vgg19")}
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise WeightsError(f"{folder / COURSE}: damaged; remove the folder to train anew") from error
    if asked != asked_of(request):
        raise WeightsError(f"{folder}: holds another training; name another folder")
    return replace(lasting(request.pace, steps), seed=request.seed)


def _planned(
    request: TrainingRequest,
    learner: ReweaveLearner,
    material: Materials,
    frozen: Sequence[Material],
    first: Progress,
    company: Company,
) -> Course:
    """The course, with steps that fit the budget by a few steps and a look that are timed first."""
    if request.steps:
        return replace(lasting(request.pace, request.steps), seed=request.seed)
    started = time.perf_counter()
    trial = replace(request.pace, steps=1 + _TIMED_STEPS, validate_steps=1 + _TIMED_STEPS)
    clock = _Clock()
    feed = Feeder(material, request.batch_items, request.workers, rank=company.rank, size=company.size)
    train(trial, learner, feed, frozen, deepcopy(first), clock, lambda progress: None, company=company)
    learner.network.load_state_dict(first.network)

    def fit() -> Course:
        left_s = request.budget_s - (time.perf_counter() - started)
        try:
            return fitted(request.pace, left_s, clock.step_s, clock.look_s)
        except ValueError as error:
            raise RequestError(f"a budget of {request.budget_s:.0f} s: {error}") from error

    return replace(company.decided(fit), seed=request.seed)


class _Clock:
    """Times steps, the first apart, and the look after them."""

    def __init__(self) -> None:
        self._stepped: list[float] = []
        self.look_s = 0.0

    def stepped(self, step: int, told: Mapping[str, float]) -> None:
        self._stepped.append(time.perf_counter())

    def looked(self, step: int, told: Mapping[str, float]) -> None:
        self.look_s = time.perf_counter() - self._stepped[-1]

    def pictured(self, step: int, pictures: Mapping[str, RGB]) -> None:
        self.look_s = time.perf_counter() - self._stepped[-1]

    @property
    def step_s(self) -> float:
        return (self._stepped[-1] - self._stepped[0]) / (len(self._stepped) - 1)
