"""The coarse steps of retraining and of evaluating, one Prefect task each."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress

from prefect.artifacts import create_markdown_artifact, create_table_artifact

from models.weights import Bundle
from tasks.evaluation import comparing
from tasks.evaluation.colour.evaluation import ColourEvaluation
from tasks.evaluation.comparing import Compared
from tasks.evaluation.evaluation import Evaluation
from tasks.evaluation.gate import Decision
from tasks.evaluation.request import EvaluationRequest
from tasks.learning import retrain, retrain_colour, retraining
from tasks.learning.registry import COLOUR_MODEL, MODEL, Model, Version
from tasks.learning.retrain import Restoring
from tasks.learning.retrain_colour import Colouring
from tasks.learning.retraining import Asked, Retraining, RetrainOutcome
from tasks.progress import BOARD
from tasks.restorers import Named
from tasks.steps import step

_BOARD = "model"
_KEYS: Mapping[Model, str] = {MODEL: "model", COLOUR_MODEL: "colour-model"}
"""What artifacts of versions begin with."""


@step("train")
def train_model(work: Retraining[Asked]) -> Bundle:
    """The weights that did best."""
    return retraining.train(work, BOARD.stage(_BOARD, "train", work.request.training.steps or None))


@step("choose thresholds")
def choose_thresholds(work: Restoring) -> Bundle:
    """The weights with what they are to be believed by."""
    return retrain.settle(work, BOARD.stage(_BOARD, "thresholds"))


@step("compare")
def compare_models(work: Restoring) -> tuple[Evaluation, Named]:
    """The challenger beside who stands now."""
    return retrain.compare(work, _counted("evaluate"))


@step("register")
def register_challenger(work: Restoring, evaluation: Evaluation, other: Named) -> tuple[Version, Decision]:
    """The weights as a version, and what the gate says of it."""
    return retrain.register(work, evaluation, other)


@step("prepare material")
def prepare_material(work: Colouring) -> int:
    """Clips with colour carried through them."""
    return retrain_colour.prepare(work, BOARD.stage(_BOARD, "prepare"))


@step("compare colourisers")
def compare_colourisers(work: Colouring) -> tuple[ColourEvaluation, Named]:
    """The challenger beside who stands now."""
    return retrain_colour.compare(work, _counted("evaluate"))


@step("register colouriser")
def register_colouriser(
    work: Colouring, evaluation: ColourEvaluation, other: Named
) -> tuple[Version, Decision]:
    """The weights as a version, and what the gate says of it."""
    return retrain_colour.register(work, evaluation, other)


@step("pass the gate")
def pass_gate(work: Retraining[Asked], version: Version, decision: Decision, other: Named) -> RetrainOutcome:
    """The champion, or a challenger still."""
    outcome = retraining.conclude(work, version, decision, other)
    BOARD.close(_BOARD)
    with suppress(Exception):  # the version stands, whether the UI shows it or not
        create_markdown_artifact(
            f"## {outcome.version}\n\n{outcome.sentence()}", key=f"{_KEYS[version.model]}-{version.number}"
        )
    return outcome


@step("evaluate")
def evaluate_restorers(restorers: Sequence[Named], request: EvaluationRequest, output: str) -> Compared:
    """Side by side on one frozen set, written and told to MLflow."""
    compared = comparing.compare(restorers, request, output, _counted("evaluate"))
    BOARD.close(_BOARD)
    with suppress(Exception):
        create_table_artifact(compared.rows(), key="evaluation", description=compared.sentence())
    return compared


def _counted(name: str) -> Callable[[int, int], None]:
    """Opens the stage when it is known how much there is to do, and not again: its start tells its end."""
    stages: dict[int, Callable[[int], None]] = {}

    def tell(done: int, total: int) -> None:
        if total not in stages:
            stages[total] = BOARD.stage(_BOARD, name, total)
        stages[total](done)

    return tell
