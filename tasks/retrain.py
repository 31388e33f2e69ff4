"""From a corpus to a registered challenger, and through the gate: what is asked for, and each step of it.

A folder holds a training, so that a killed one goes on; MLflow's run goes on with it.
"""

import json
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from models.weights import Bundle, read_bundle
from storage.corpus import Corpus
from storage.digest import digest_of
from storage.filesystem import absolute, write_atomically
from tasks.comparing import tell_scores
from tasks.evaluation import Evaluation, evaluate
from tasks.evaluation_page import write_evaluation
from tasks.evaluation_request import EvaluationRequest
from tasks.gate import Decision, GateRules, decide
from tasks.mlflow_engine import RegistryError, Server, Tracked, home
from tasks.model_card import card_text
from tasks.ray_train import train_with_ray
from tasks.recipe import installation
from tasks.registry import Registry, Version
from tasks.request import RequestError
from tasks.restorers import UNUSABLE, Named, named
from tasks.threshold import with_thresholds
from tasks.training import BUNDLE, COURSE, TrainingRequest
from tasks.training_report import TrainingReport

EVALUATION = "evaluation"
_RUN, _OUTCOME = "run.json", "outcome.json"
_CLASSICAL = "classical"
_LONGEST = 4000
"""Characters of a tag that MLflow takes."""


@dataclass(frozen=True)
class RetrainRequest:
    """One retraining. Raises RequestError for what cannot be, StorageError for the corpus."""

    training: TrainingRequest
    evaluation: EvaluationRequest
    folder: str = ""
    """Holds the training while it lasts; empty takes one in the user's data folder, by what is asked for."""
    workers: int = 1
    """Processes that train together."""
    threshold_clips: int = 12
    """Clips of val, for each kind of film, that thresholds are chosen on."""
    licence: str = "unknown"
    """Of the weights."""
    rules: GateRules = field(default_factory=GateRules)

    def __post_init__(self) -> None:
        if min(self.workers, self.threshold_clips) < 1:
            raise RequestError("workers and threshold clips must be at least 1")
        if self.training.begin:
            try:
                begun = named(self.training.begin)
            except UNUSABLE as error:
                raise RequestError(f"--begin {error}") from error
            object.__setattr__(self, "training", replace(self.training, begin=begun.name))
        if not self.folder:
            place = home() / "trainings" / digest_of([self.manifest, _plain(self.training)])[:16]
            object.__setattr__(self, "folder", str(place))
        object.__setattr__(self, "folder", absolute(self.folder))

    @property
    def manifest(self) -> str:
        """Digest of what the corpus holds."""
        digest: str = Corpus.open(self.training.corpus).record["manifest_sha256"]
        return digest

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

    @property
    def folder(self) -> Path:
        return Path(self.request.folder)

    def __enter__(self) -> "Retraining":
        self.run.__enter__()
        return self

    def __exit__(self, *error: Any) -> None:
        self.run.__exit__(*error)


def ended(request: RetrainRequest, registry: Registry) -> RetrainOutcome | None:
    """The outcome of a retraining that was asked for before and ended."""
    with suppress(OSError, ValueError, TypeError):
        told = json.loads((Path(request.folder) / _OUTCOME).read_bytes())
        if told.pop("registry") == registry.server.shown:
            return RetrainOutcome(**{**told, "reasons": tuple(told["reasons"])})
    return None


def begin(request: RetrainRequest, registry: Registry) -> Retraining:
    """A new run, or the one that was stopped. Raises RegistryError."""
    return Retraining(request, registry, _run(request, registry.server))


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
        work.folder / BUNDLE, request.training.corpus, request.threshold_clips, progress, request.licence
    )
    work.run.tags({f"setting {name}": str(value) for name, value in bundle.settings.items()})
    return bundle


def standing(registry: Registry) -> Named:
    """Whom a challenger has to beat: the champion, or else what is restored with by default."""
    champion = registry.champion()
    return named(champion.name if champion else "default")


def compare(work: Retraining, progress: Callable[[int, int], None]) -> tuple[Evaluation, Named]:
    """The challenger beside who stands now, and beside the classical restorer."""
    other = standing(work.registry)
    bundle = read_bundle(work.folder / BUNDLE)
    challenger = Named(str(bundle.folder), f"challenger ({bundle.sha256[:16]})", "")
    if challenger.name == other.name:
        raise RegistryError(f"{other.pinned}: is compared with itself")
    rivals = {rival.name: rival.title for rival in (challenger, other)} | {_CLASSICAL: _CLASSICAL}
    evaluation = evaluate(list(rivals), work.request.evaluation, progress, rivals)
    write_evaluation(evaluation, work.folder / EVALUATION)
    work.run.file(work.folder / EVALUATION)
    tell_scores(work.run, evaluation, challenger.title, "eval/")
    return evaluation, other


def register(work: Retraining, evaluation: Evaluation, other: Named) -> tuple[Version, Decision]:
    """The weights as a version, the challenger; and what the gate says."""
    bundle = read_bundle(work.folder / BUNDLE)
    challenger = f"challenger ({bundle.sha256[:16]})"
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
        "gate_because": decision.sentence()[:_LONGEST],
        "gate_standing": other.pinned,
    }
    card = card_text(bundle, corpus, evaluation, challenger)
    work.run.note(card)
    version = work.registry.register(work.run, bundle.folder, card, tags)
    work.registry.challenge(version)
    return version, decision


def conclude(work: Retraining, version: Version, decision: Decision, other: Named) -> RetrainOutcome:
    """Promotes where the gate lets it. A champion that changed meanwhile was not compared with: then nothing
    is promoted."""
    promoted, reasons = decision.promote, decision.reasons
    if promoted and standing(work.registry).pinned != other.pinned:
        promoted = False
        reasons = (f"there is another champion than {other.title} by now; evaluate again, then promote",)
    if promoted:
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
    told = {**asdict(outcome), "registry": work.registry.server.shown}
    write_atomically(work.folder / _OUTCOME, json.dumps(told, indent=2).encode())
    return outcome


def _run(request: RetrainRequest, server: Server) -> Tracked:
    kept = Path(request.folder) / _RUN
    with suppress(OSError, ValueError, KeyError):
        told = json.loads(kept.read_bytes())
        if told["registry"] == server.shown and (run := server.take_up(told["run_id"])):
            return run
    tags = {
        "corpus": request.manifest,
        "code": str(installation("degradation", "models", "storage", "tasks")["code"]),
        "folder": request.folder,
    }
    asked = {"training": _plain(request.training), "evaluation": asdict(request.evaluation)}
    run = server.begin("retrain", request.title, tags, asked)
    kept.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(kept, json.dumps({"registry": server.shown, "run_id": run.run_id}).encode())
    return run


def _plain(training: TrainingRequest) -> Mapping[str, Any]:
    return {key: value for key, value in asdict(training).items() if key not in ("workers", "course")}
