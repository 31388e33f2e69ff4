"""One training on a corpus, in one process or several: resumed where it stopped, ended as a weight bundle.

A folder holds it: `course.json`, what is trained how, written first; `progress.safetensors`, how far it came;
`bundle`, its best weights, once it has ended.
"""

import json
import time
from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import asdict, replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from models.errors import WeightsError
from models.training.company import ALONE, Company
from models.training.course import Course, fitted, lasting
from models.training.learner import Learner
from models.training.loop import Reporter, train
from models.training.perceptual import find_perceptual
from models.training.pictures import RGB
from models.training.progress import Progress, State, begin, read_progress, write_progress
from models.weights import Bundle, load_network, read_bundle, write_bundle
from storage.corpus import Corpus
from storage.filesystem import write_atomically
from tasks.learning.request import TrainingRequest, asked_of
from tasks.learning.subjects import Subject, subject_of
from tasks.learning.windows import Feeder, Source
from tasks.request import RequestError

if TYPE_CHECKING:
    from models.weights import Network

COURSE, PROGRESS, BUNDLE = "course.json", "progress.safetensors", "bundle"
_TIMED_STEPS = 4


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
    subject = subject_of(request)
    network, learner = subject.begun(request.network, device)
    first = company.decided(lambda: _first(request, network, subject))
    network.load_state_dict(first.network)
    material, frozen = _material(request, subject, folder, company)
    course = company.decided(lambda: _course(folder, request)) or _planned(
        request, learner, material, frozen, first, company
    )
    asked = company.decided(lambda: asked_of(request))
    told = {**asked, "manifest": corpus.record["manifest_sha256"], "course": asdict(course)}
    perceptual = find_perceptual()[0] if request.polish else None
    if perceptual is not None:
        perceptual.to(device)
        told["vgg19"] = perceptual.sha256
    progress = company.decided(lambda: _taken_up(folder, told, first) or first)
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


def _first(request: TrainingRequest, network: "Network", subject: Subject) -> Progress:
    """Before the first step. Raises WeightsError, RequestError for a bundle that cannot be begun with."""
    if not request.begin:
        return begin({name: weight.cpu() for name, weight in network.state_dict().items()})
    bundle = read_bundle(Path(request.begin))
    if bundle.architecture != subject.architecture or dict(bundle.sizes) != network.sizes():
        raise RequestError(
            f"{request.begin}: of another network than {request.network}; begin with weights of that one, "
            "or name the network that they are of"
        )
    return begin(load_network(bundle).state_dict())


def _shapes(weights: State) -> dict[str, torch.Size]:
    return {name: weight.shape for name, weight in weights.items()}


def _begun_from(request: TrainingRequest) -> dict[str, Any]:
    """For the bundle's origin: steps are those of the training that it was begun from, 0 where unknown."""
    if not request.begin:
        return {}
    bundle = read_bundle(Path(request.begin))
    return {"begun_from": {"sha256": bundle.sha256, "steps": bundle.origin.get("steps", 0)}}


def _taken_up(folder: Path, told: Mapping[str, Any], first: Progress) -> Progress | None:
    """Where the folder's training stands; None where it begins, which is written down. Raises WeightsError
    for weights that are not those of the network that begins now."""
    if (folder / PROGRESS).exists():
        progress = read_progress(folder / PROGRESS, told)
        if _shapes(progress.network) != _shapes(first.network):
            raise WeightsError(
                f"{folder / PROGRESS}: of a network that was built otherwise, before an update; remove the "
                "folder to train anew"
            )
        return progress
    folder.mkdir(parents=True, exist_ok=True)
    write_atomically(folder / COURSE, json.dumps(told, indent=2).encode())
    return None


def _material(
    request: TrainingRequest, subject: Subject, folder: Path, company: Company
) -> tuple[Source[Any], list[Any]]:
    """What is learnt from, and the batches that the network is judged by, the same every time; none for
    those who do not judge."""
    company.decided(lambda: subject.prepare(request, folder, lambda done: None))
    frozen = subject.frozen(request, folder)
    looked_at = request.frozen_items if company.rank == 0 else 0
    return subject.material(request, folder), list(islice(Feeder(frozen, 1), looked_at))


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
    learner: Learner[Any],
    material: Source[Any],
    frozen: Sequence[Any],
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
        left_s = (
            request.budget_s - (time.perf_counter() - started) - clock.look_s
        )  # that before the first step
        try:
            return fitted(request.pace, left_s, clock.step_s, clock.look_s)
        except ValueError as error:
            raise RequestError(f"a budget of {request.budget_s:.0f} s: {error}") from error

    return replace(company.decided(fit), seed=request.seed)


class _Clock:
    """Times steps, the first apart, and the look after them."""

    def __init__(self) -> None:
        self._stepped: list[float] = []
        self._since, self.look_s = time.perf_counter(), 0.0

    def stepped(self, step: int, told: Mapping[str, float]) -> None:
        self._since = time.perf_counter()
        self._stepped.append(self._since)

    def looked(self, step: int, told: Mapping[str, float]) -> None:
        self.look_s = time.perf_counter() - self._since

    def pictured(self, step: int, pictures: Mapping[str, RGB]) -> None:
        self.look_s = time.perf_counter() - self._since

    @property
    def step_s(self) -> float:
        return (self._stepped[-1] - self._stepped[0]) / (len(self._stepped) - 1)
