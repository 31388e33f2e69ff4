"""From a corpus to a registered challenger, and through the gate: what is asked for, and each step of it.

A folder holds a training, so that a killed one goes on; MLflow's run goes on with it.
"""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from models.catalogue import bundle_folder, has_weights
from models.weights import Bundle, read_bundle
from storage.corpus import Corpus
from storage.digest import digest_of
from storage.filesystem import absolute, write_atomically
from tasks.evaluation.comparing import tell_scores
from tasks.evaluation.evaluation import Evaluation, evaluate
from tasks.evaluation.gate import Decision, GateRules, decide
from tasks.evaluation.page import write_evaluation
from tasks.evaluation.request import EvaluationRequest
from tasks.evaluation.set import EvaluationSet
from tasks.learning.card import card_text
from tasks.learning.ray_train import train_with_ray
from tasks.learning.registry import CHAMPION, Registry, Version
from tasks.learning.report import TrainingReport
from tasks.learning.threshold import HarmBudget, threshold_clips, with_thresholds
from tasks.learning.training import BUNDLE, COURSE, TrainingRequest, asked_of
from tasks.learning.windows import part_items
from tasks.mlflow_engine import Server, Tracked, home
from tasks.recipe import installation
from tasks.request import RequestError
from tasks.restorers import UNUSABLE, Named, named
from tasks.sources import find_sources

EVALUATION = "evaluation"
_RUN, _OUTCOME, _LOCK = "run.json", "outcome.json", "lock"
_CLASSICAL = "classical"


@dataclass(frozen=True)
class RetrainRequest:
    """One retraining. Raises RequestError for what cannot be, StorageError for the corpus."""

    training: TrainingRequest
    evaluation: EvaluationRequest
    trainings: str = ""
    """Where trainings lie, each in a folder named by what it learns; empty is in the user's data folder."""
    workers: int = 1
    """Processes that train together."""
    threshold_clips: int = 12
    """Clips of val, for each kind of film, that thresholds are chosen on."""
    licence: str = "unknown"
    """Of the weights."""
    rules: GateRules = field(default_factory=GateRules)
    budget: HarmBudget = field(default_factory=HarmBudget)
    """Of harm, for the thresholds."""

    def __post_init__(self) -> None:
        """What cannot be done is told now, and not after hours of training."""
        if min(self.workers, self.threshold_clips) < 1:
            raise RequestError("workers and threshold clips must be at least 1")
        if self.training.begin:
            try:
                begun = named(self.training.begin)
            except UNUSABLE as error:
                raise RequestError(f"--begin {error}") from error
            if not has_weights(begun.name):
                raise RequestError(f"--begin {begun.title}: has no weights to begin with; name one that has")
            begin = str(bundle_folder(begun.name))
            object.__setattr__(self, "training", replace(self.training, begin=begin))
        object.__setattr__(self, "trainings", absolute(self.trainings or str(home() / "trainings")))
        self.training.windows()
        part_items(self.training.batch_items, self.workers)
        find_sources(self.evaluation.reels)
        for judged in (self.evaluation, threshold_clips(self.training.corpus, self.threshold_clips)):
            EvaluationSet(judged)

    @property
    def manifest(self) -> str:
        """Digest of what the corpus holds."""
        digest: str = Corpus.open(self.training.corpus).record["manifest_sha256"]
        return digest

    @property
    def folder(self) -> Path:
        """The training's own."""
        return Path(self.trainings, digest_of([self.manifest, asked_of(self.training)])[:16])

    @property
    def asked(self) -> str:
        """Digest of all that decides the outcome, but for who stands."""
        judged = {**asdict(self.evaluation), "corpus": Corpus.open(self.evaluation.corpus).record["digest"]}
        rest = (judged, self.licence, self.threshold_clips, asdict(self.rules), asdict(self.budget))
        return digest_of([self.manifest, asked_of(self.training), *rest])

    @property
    def title(self) -> str:
        """What a run is called."""
        training = self.training
        long = f"{training.steps} steps" if training.steps else f"{training.budget_s / 60:.0f} min"
        return f"{training.network} on {Path(training.corpus).name[:8]}, {long}, seed {training.seed}"


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
class Retraining:
    """One at work; handed from step to step in memory."""

    request: RetrainRequest
    registry: Registry
    run: Tracked
    folder: Path


def ended(request: RetrainRequest, registry: Registry) -> RetrainOutcome | None:
    """The outcome of the same retraining, ended before, whose version is still there."""
    told = _read(request.folder / _OUTCOME)
    if told.pop("asked", "") != request.asked:
        return None
    outcome = RetrainOutcome(**{**told, "reasons": tuple(told["reasons"])})
    kept = {version.name: version.sha256 for version in registry.versions()}
    return outcome if kept.get(outcome.version) == outcome.sha256 else None


@contextmanager
def at_work(request: RetrainRequest, registry: Registry) -> Iterator[Retraining]:
    """With a new run, or the one that was stopped. Raises RequestError where another process is at the same
    training, RegistryError."""
    folder = request.folder
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(folder / _LOCK, timeout=0), _run(request, registry.server, folder) as run:
            yield Retraining(request, registry, run, folder)
    except Timeout as error:
        raise RequestError(f"{folder}: the same training is at work already; wait for it") from error


def train(work: Retraining, progress: Callable[[int], None]) -> Bundle:
    """The best weights, by so many workers. Raises as `train_with_ray`."""
    report = TrainingReport(work.run, work.request.training.batch_items, progress)
    bundle = train_with_ray(work.request.training, work.folder, report, work.request.workers)
    work.run.file(work.folder / COURSE)
    return bundle


def settle(work: Retraining, progress: Callable[[int], None]) -> Bundle:
    """The bundle with thresholds."""
    request = work.request
    bundle = with_thresholds(
        work.folder / BUNDLE,
        request.training.corpus,
        request.threshold_clips,
        progress,
        request.licence,
        request.budget,
    )
    work.run.tags({f"setting {name}": str(value) for name, value in bundle.settings.items()})
    return bundle


def standing(work: Retraining) -> Named:
    """Whom a challenger has to beat: the champion, or else what is restored with by default. Where a run was
    stopped after it promoted its own version, whom that has beaten."""
    champion = work.registry.champion()
    if champion is not None and champion.run_id == work.run.run_id:
        return named(champion.tags["gate_standing"], work.registry)
    return named(champion.name if champion else "default", work.registry)


def compare(work: Retraining, progress: Callable[[int, int], None]) -> tuple[Evaluation, Named]:
    """The challenger beside who stands now, and beside the classical restorer."""
    other = standing(work)
    bundle = read_bundle(work.folder / BUNDLE)
    rivals = {str(bundle.folder): _challenger(bundle), other.name: other.title, _CLASSICAL: _CLASSICAL}
    evaluation = evaluate(list(rivals), work.request.evaluation, progress, rivals)
    write_evaluation(evaluation, work.folder / EVALUATION)
    work.run.file(work.folder / EVALUATION)
    tell_scores(work.run, evaluation, _challenger(bundle), "eval/")
    return evaluation, other


def register(work: Retraining, evaluation: Evaluation, other: Named) -> tuple[Version, Decision]:
    """The weights as a version, the challenger; and what the gate says."""
    bundle = read_bundle(work.folder / BUNDLE)
    challenger = _challenger(bundle)
    recipes = tuple(evaluation.recipes_sha256)
    decision = decide(
        evaluation.scores[challenger],
        evaluation.scores[other.title],
        other.title,
        recipes,
        work.request.rules,
    )
    corpus = Corpus.open(work.request.training.corpus)
    tags = {
        "corpus": corpus.record["manifest_sha256"],
        "architecture": bundle.architecture,
        "code": str(evaluation.made_by["code"]),
        "evaluation_set": evaluation.set_sha256,
        "gate": "passed" if decision.promote else "not passed",
        "gate_because": decision.sentence(),
        "gate_standing": other.pinned,
    }
    card = card_text(bundle, corpus, evaluation, challenger)
    work.run.note(card)
    version = work.registry.register(work.run, bundle.folder, card, tags)
    if CHAMPION not in version.aliases:  # as it may be where a run was stopped and goes on
        work.registry.challenge(version)
    return version, decision


def conclude(work: Retraining, version: Version, decision: Decision, other: Named) -> RetrainOutcome:
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


def _challenger(bundle: Bundle) -> str:
    return f"challenger ({bundle.sha256[:16]})"


def _run(request: RetrainRequest, server: Server, folder: Path) -> Tracked:
    kept = _read(folder / _RUN)
    ours = (kept.get("asked"), kept.get("registry")) == (request.asked, server.shown)
    if ours and (run := server.take_up(str(kept["run_id"]))):
        return run
    tags = {
        "corpus": request.manifest,
        "code": str(installation("degradation", "models", "storage", "tasks")["code"]),
        "folder": str(folder),
    }
    asked = {"training": asked_of(request.training), "evaluation": asdict(request.evaluation)}
    run = server.begin("retrain", request.title, tags, asked)
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
