"""A retraining of whatever network: where it lies, how a stopped one goes on, and how it ends.

A folder holds a training, so that a killed one goes on; MLflow's run goes on with it.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

from filelock import FileLock, Timeout

from models.training.course import Course
from models.weights import Bundle
from storage.corpus import Corpus
from storage.digest import digest_of
from storage.filesystem import write_atomically
from tasks.evaluation.colour.evaluation import ColourEvaluation
from tasks.evaluation.colour.set import ColourSetClip
from tasks.evaluation.evaluation import Evaluation
from tasks.evaluation.gate import Decision
from tasks.evaluation.set import SetClip
from tasks.learning.ray_train import train_with_ray
from tasks.learning.registry import CHAMPION, Registry, Version
from tasks.learning.report import TrainingReport
from tasks.learning.request import TrainingRequest, asked_of
from tasks.learning.training import COURSE
from tasks.mlflow_engine import Server, Tracked
from tasks.recipe import installation
from tasks.request import RequestError
from tasks.restorers import Named

EVALUATION = "evaluation"
_RUN, _OUTCOME, _LOCK = "run.json", "outcome.json", "lock"


class Asked(Protocol):
    """What a retraining is asked for, whatever it trains."""

    @property
    def training(self) -> TrainingRequest: ...

    @property
    def folder(self) -> Path:
        """The training's own."""

    @property
    def workers(self) -> int:
        """Processes that train together."""

    @property
    def asked(self) -> str:
        """Digest of all that decides the outcome, but for who stands."""

    @property
    def judged(self) -> Mapping[str, Any]:
        """What the evaluation is asked for."""

    def known(self, name: str, registry: Registry) -> Named:
        """Who goes by a name, `default` among them."""


R = TypeVar("R", bound=Asked)
R_co = TypeVar("R_co", bound=Asked, covariant=True)


@dataclass(frozen=True)
class RetrainOutcome:
    """What came of it, in the words of `--json`."""

    version: str
    """The registered model's name."""
    sha256: str
    run_id: str
    promoted: bool
    standing: str
    """Whom it was compared with."""
    reasons: tuple[str, ...]
    report: str
    """The evaluation's page."""

    def sentence(self) -> str:
        became = "is the champion now" if self.promoted else "stays a challenger"
        return f"{self.version} {became}: {'; '.join(self.reasons)}\n  report  {self.report}"


@dataclass(frozen=True)
class Retraining(Generic[R_co]):
    """One at work; handed from step to step in memory."""

    request: R_co
    registry: Registry
    run: Tracked
    folder: Path


def ended(request: Asked, registry: Registry) -> RetrainOutcome | None:
    """The outcome of the same retraining, ended before, whose version is still there."""
    told = _read(request.folder / _OUTCOME)
    if told.pop("asked", "") != request.asked:
        return None
    outcome = RetrainOutcome(**{**told, "reasons": tuple(told["reasons"])})
    kept = {version.name: version.sha256 for version in registry.versions()}
    return outcome if kept.get(outcome.version) == outcome.sha256 else None


@contextmanager
def at_work(request: R, registry: Registry) -> Iterator[Retraining[R]]:
    """With a new run, or the one that was stopped. Raises RequestError where another process is at the same
    training, RegistryError."""
    folder = request.folder
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(folder / _LOCK, timeout=0), _run(request, registry.server, folder) as run:
            yield Retraining(request, registry, run, folder)
    except Timeout as error:
        raise RequestError(f"{folder}: the same training is at work already; wait for it") from error


def train(work: Retraining[Asked], progress: Callable[[int], None]) -> Bundle:
    """The best weights, by so many workers. Raises as `train_with_ray`."""
    report = TrainingReport(work.run, work.request.training.batch_items, progress)
    bundle = train_with_ray(work.request.training, work.folder, report, work.request.workers)
    work.run.file(work.folder / COURSE)
    return bundle


def standing(work: Retraining[Asked]) -> Named:
    """Whom a challenger has to beat: the champion, or else what is used by default. Where a run was stopped
    after it promoted its own version, whom that has beaten."""
    champion = work.registry.champion()
    if champion is not None and champion.run_id == work.run.run_id:
        return work.request.known(champion.tags["gate_standing"], work.registry)
    return work.request.known(champion.name if champion else "default", work.registry)


def challenger(bundle: Bundle) -> str:
    """What an evaluation calls the weights that are to be registered."""
    return f"challenger ({bundle.sha256[:16]})"


def entered(
    work: Retraining[Asked],
    bundle: Bundle,
    card: str,
    evaluation: Evaluation | ColourEvaluation,
    decision: Decision,
    other: Named,
) -> Version:
    """The weights as a version, with what the gate says of them, and the challenger."""
    tags = {
        "corpus": manifest_of(work.request.training),
        "architecture": bundle.architecture,
        "code": str(evaluation.made_by["code"]),
        "evaluation_set": evaluation.set_sha256,
        "gate": "passed" if decision.promote else "not passed",
        "gate_because": decision.sentence(),
        "gate_standing": other.pinned,
    }
    work.run.note(card)
    version = work.registry.register(work.run, bundle.folder, card, tags)
    if CHAMPION not in version.aliases:  # as it may be where a run was stopped and goes on
        work.registry.challenge(version)
    return version


def conclude(work: Retraining[Asked], version: Version, decision: Decision, other: Named) -> RetrainOutcome:
    """Promotes where the gate lets it. A champion that changed meanwhile was not compared with: then nothing
    is promoted."""
    promoted, reasons = decision.promote, decision.reasons
    champion = work.registry.champion()
    if champion is not None and champion.number == version.number:
        promoted = True  # before this run was stopped
    elif promoted and standing(work).pinned != other.pinned:
        promoted = False
        reasons = (f"there is another champion than {other.title} by now; evaluate again, then promote",)
    elif promoted:
        work.registry.promote(version, decision.sentence())
    outcome = RetrainOutcome(
        version.name,
        version.sha256,
        work.run.run_id,
        promoted,
        other.title,
        reasons,
        str(work.folder / EVALUATION / "index.html"),
    )
    work.run.tags({"version": version.name, "promoted": str(promoted), "because": "; ".join(reasons)})
    told = {**asdict(outcome), "asked": work.request.asked}
    write_atomically(work.folder / _OUTCOME, json.dumps(told, indent=2).encode())
    return outcome


def manifest_of(training: TrainingRequest) -> str:
    """Digest of what the corpus holds."""
    digest: str = Corpus.open(training.corpus).record["manifest_sha256"]
    return digest


def learns(training: TrainingRequest) -> list[Any]:
    """All that decides the weights."""
    own_pace = [] if training.course == Course(steps=1) else [asdict(training.course)]
    return [manifest_of(training), asked_of(training), *own_pace]


def folder_of(training: TrainingRequest, trainings: str) -> Path:
    """A training's own folder, named by what it learns, where trainings lie."""
    return Path(trainings, digest_of(learns(training))[:16])


def check_films(training: TrainingRequest, judged: str, clips: Sequence[SetClip | ColourSetClip]) -> None:
    """Raises RequestError where a corpus would judge by a film that is learnt from, or that decides when it
    is learnt enough."""
    corpus = Corpus.open(training.corpus)
    learnt = {row["film"] for split in ("train", "val") for row in corpus.kept(split)}
    for clip in clips:
        if clip.row["film"] in learnt:
            raise RequestError(
                f"{judged}: film {clip.film} is one that {training.corpus} is learnt from; judge by others"
            )


def title_of(training: TrainingRequest) -> str:
    """What a run is called."""
    long = f"{training.steps} steps" if training.steps else f"{training.budget_s / 60:.0f} min"
    return f"{training.network} on {Path(training.corpus).name[:8]}, {long}, seed {training.seed}"


def _run(request: Asked, server: Server, folder: Path) -> Tracked:
    kept = _read(folder / _RUN)
    ours = (kept.get("asked"), kept.get("registry")) == (request.asked, server.shown)
    if ours and (run := server.take_up(str(kept["run_id"]))):
        return run
    tags = {
        "corpus": manifest_of(request.training),
        "code": str(installation("degradation", "models", "storage", "tasks")["code"]),
        "folder": str(folder),
    }
    asked = {"training": asked_of(request.training), "evaluation": dict(request.judged)}
    run = server.begin("retrain", title_of(request.training), tags, asked)
    told = {"asked": request.asked, "registry": server.shown, "run_id": run.run_id}
    write_atomically(folder / _RUN, json.dumps(told).encode())
    return run


def _read(path: Path) -> dict[str, Any]:
    """What was written there; nothing where nothing was, or it is damaged."""
    try:
        told = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return {}
    return told if isinstance(told, dict) else {}
