"""From a corpus to a registered restorer, and through the gate: what is asked for, and its own steps."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from models.bundled import bundle_folder, has_weights
from models.weights import Bundle, read_bundle
from storage.corpus import Corpus
from storage.digest import digest_of
from storage.filesystem import absolute
from tasks.evaluation.comparing import tell_scores
from tasks.evaluation.evaluation import Evaluation, evaluate
from tasks.evaluation.gate import Decision, GateRules, decide
from tasks.evaluation.page import write_evaluation
from tasks.evaluation.request import EvaluationRequest
from tasks.evaluation.set import EvaluationSet
from tasks.learning.card import card_text
from tasks.learning.registry import Registry, Version
from tasks.learning.request import TrainingRequest
from tasks.learning.retraining import (
    EVALUATION,
    Retraining,
    challenger,
    check_films,
    entered,
    folder_of,
    learns,
    standing,
)
from tasks.learning.threshold import HarmBudget, threshold_clips, with_thresholds
from tasks.learning.training import BUNDLE
from tasks.learning.windows import part_items
from tasks.mlflow_engine import home
from tasks.request import RequestError
from tasks.restorers import UNUSABLE, Named, named
from tasks.sources import find_sources

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
        if self.training.colours:
            raise RequestError(f"network {self.training.network}: colours; `retrain_colour` trains it")
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
        judged = EvaluationSet(self.evaluation)
        check_films(self.training, self.evaluation.corpus, judged.clips)
        EvaluationSet(threshold_clips(self.training.corpus, self.threshold_clips))

    @property
    def folder(self) -> Path:
        """The training's own."""
        return folder_of(self.training, self.trainings)

    @property
    def asked(self) -> str:
        """Digest of all that decides the outcome, but for who stands."""
        judged = {**asdict(self.evaluation), "corpus": Corpus.open(self.evaluation.corpus).record["digest"]}
        rest = (judged, self.licence, self.threshold_clips, asdict(self.rules), asdict(self.budget))
        return digest_of([*learns(self.training), *rest])

    @property
    def judged(self) -> Mapping[str, Any]:
        """What the evaluation is asked for."""
        return asdict(self.evaluation)

    def known(self, name: str, registry: Registry) -> Named:
        """The restorer of that name."""
        return named(name, registry)


Restoring = Retraining[RetrainRequest]


def settle(work: Restoring, progress: Callable[[int], None]) -> Bundle:
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


def compare(work: Restoring, progress: Callable[[int, int], None]) -> tuple[Evaluation, Named]:
    """The challenger beside who stands now, and beside the classical restorer."""
    other = standing(work)
    bundle = read_bundle(work.folder / BUNDLE)
    rivals = {str(bundle.folder): challenger(bundle), other.name: other.title, _CLASSICAL: _CLASSICAL}
    evaluation = evaluate(list(rivals), work.request.evaluation, progress, rivals)
    write_evaluation(evaluation, work.folder / EVALUATION)
    work.run.file(work.folder / EVALUATION)
    tell_scores(work.run, evaluation.scores[challenger(bundle)], "eval")
    return evaluation, other


def register(work: Restoring, evaluation: Evaluation, other: Named) -> tuple[Version, Decision]:
    """The weights as a version, the challenger; and what the gate says."""
    bundle = read_bundle(work.folder / BUNDLE)
    recipes = tuple(evaluation.recipes_sha256)
    decision = decide(
        evaluation.scores[challenger(bundle)],
        evaluation.scores[other.title],
        other.title,
        recipes,
        work.request.rules,
    )
    corpus = Corpus.open(work.request.training.corpus)
    card = card_text(bundle, corpus, evaluation, challenger(bundle))
    return entered(work, bundle, card, evaluation, decision, other), decision
