"""From a corpus of colour film to a registered colouriser, and through the gate: what is asked, and how."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from models.bundled import bundle_folder, has_weights
from models.colour.colouriser import Colouriser
from models.weights import Bundle, load_network, read_bundle, write_bundle
from storage.corpus import Corpus
from storage.digest import digest_of
from storage.filesystem import absolute
from tasks.colourisers import UNUSABLE, colouriser_named, colouriser_of
from tasks.corpora.errors import EngineError
from tasks.evaluation.colour.evaluation import ColourEvaluation, evaluate_colour
from tasks.evaluation.colour.gate import ColourGateRules, decide_colour
from tasks.evaluation.colour.page import write_colour_evaluation
from tasks.evaluation.colour.request import ColourEvaluationRequest
from tasks.evaluation.colour.set import ColourSet
from tasks.evaluation.comparing import tell_scores
from tasks.evaluation.gate import Decision
from tasks.learning.colour_card import colour_card_text
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
from tasks.learning.training import BUNDLE
from tasks.learning.walkable import check_walkable
from tasks.learning.walks import prepare_walks
from tasks.learning.windows import part_items
from tasks.mlflow_engine import home
from tasks.request import RequestError
from tasks.restorers import Named

_BESIDE = ("propagate", "copied", "by-luma")
"""Colourisers without weights, that are always looked at too."""


@dataclass(frozen=True)
class ColourRetrainRequest:
    """One retraining of a colouriser. Raises RequestError for what cannot be, StorageError for the corpus."""

    training: TrainingRequest
    evaluation: ColourEvaluationRequest
    trainings: str = ""
    """Where trainings lie, each in a folder named by what it learns; empty is in the user's data folder."""
    workers: int = 1
    """Processes that train together."""
    licence: str = "unknown"
    """Of the weights."""
    rules: ColourGateRules = field(default_factory=ColourGateRules)

    def __post_init__(self) -> None:
        """What cannot be done is told now, and not after hours of training."""
        if not self.training.colours:
            raise RequestError(f"network {self.training.network}: restores, and colours nothing")
        if self.workers < 1:
            raise RequestError("workers must be at least 1")
        if self.training.begin:
            try:
                begun = colouriser_named(self.training.begin)
            except UNUSABLE as error:
                raise RequestError(f"--begin {error}") from error
            if not has_weights(begun.name):
                raise RequestError(f"--begin {begun.title}: has no weights to begin with; name one that has")
            begin = str(bundle_folder(begun.name))
            object.__setattr__(self, "training", replace(self.training, begin=begin))
        object.__setattr__(self, "trainings", absolute(self.trainings or str(home() / "trainings")))
        part_items(self.training.batch_items, self.workers)
        judged = ColourSet(self.evaluation)
        check_films(self.training, self.evaluation.corpus, judged.clips)
        check_walkable(self.training)

    @property
    def folder(self) -> Path:
        """The training's own."""
        return folder_of(self.training, self.trainings)

    @property
    def asked(self) -> str:
        """Digest of all that decides the outcome, but for who stands."""
        judged = {**asdict(self.evaluation), "corpus": Corpus.open(self.evaluation.corpus).record["digest"]}
        return digest_of([*learns(self.training), judged, self.licence, asdict(self.rules)])

    @property
    def judged(self) -> Mapping[str, Any]:
        """What the evaluation is asked for."""
        return asdict(self.evaluation)

    def known(self, name: str, registry: Registry) -> Named:
        """The colouriser of that name."""
        return colouriser_named(name, registry)


Colouring = Retraining[ColourRetrainRequest]


def prepare(work: Colouring, progress: Callable[[int], None]) -> int:
    """Walks through the corpus' clips, where that was not done before; how many. Raises StorageError,
    EngineError."""
    from tasks.dask_engine import WorkerDied  # takes a second to import

    try:
        return prepare_walks(work.request.training, work.folder, progress)
    except WorkerDied as error:
        raise EngineError(
            f"{work.request.training.corpus}: a clip cannot be walked through: {error}; what was finished is "
            "kept: with more memory the same command goes on"
        ) from error


def license_bundle(work: Colouring) -> Bundle:
    """The best weights with their licence."""
    bundle = read_bundle(work.folder / BUNDLE)
    if bundle.licence == work.request.licence:
        return bundle
    network = load_network(bundle)
    return write_bundle(bundle.folder, network, bundle.settings, bundle.origin, work.request.licence)


def compare(work: Colouring, progress: Callable[[int, int], None]) -> tuple[ColourEvaluation, Named]:
    """The challenger beside who stands now, and beside all that need no weights."""
    other, bundle = standing(work), license_bundle(work)
    rivals: dict[str, Colouriser] = {challenger(bundle): colouriser_of(str(bundle.folder))}
    rivals |= {other.title: colouriser_of(other.name)}
    rivals |= {name: colouriser_of(name) for name in _BESIDE if name not in rivals}
    evaluation = evaluate_colour(rivals, work.request.evaluation, progress)
    write_colour_evaluation(evaluation, work.folder / EVALUATION)
    work.run.file(work.folder / EVALUATION)
    tell_scores(work.run, evaluation.scores[challenger(bundle)], "eval")
    tell_scores(work.run, evaluation.scores[other.title], "standing")
    return evaluation, other


def register(work: Colouring, evaluation: ColourEvaluation, other: Named) -> tuple[Version, Decision]:
    """The weights as a version, the challenger; and what the gate says."""
    bundle = read_bundle(work.folder / BUNDLE)
    scores = evaluation.scores
    # A champion by hand may be worse than what needs no weights: both must be beaten.
    decisions = [
        decide_colour(scores[challenger(bundle)], scores[title], title, work.request.rules)
        for title in dict.fromkeys((other.title, _BESIDE[0]))
    ]
    decision = next((each for each in decisions if not each.promote), decisions[0])
    corpus = Corpus.open(work.request.training.corpus)
    card = colour_card_text(bundle, corpus, evaluation, challenger(bundle))
    return entered(work, bundle, card, evaluation, decision, other), decision
