"""A corpus into weights: trained, compared with who stands now, registered, and through the gate."""

from prefect import flow

from tasks.evaluation.gate import GateRules
from tasks.evaluation.request import EvaluationRequest
from tasks.learning.registry import Registry
from tasks.learning.request import TrainingRequest
from tasks.learning.retrain import RetrainRequest
from tasks.learning.retraining import RetrainOutcome, at_work, ended
from tasks.learning.steps import (
    choose_thresholds,
    compare_models,
    pass_gate,
    register_challenger,
    train_model,
)
from tasks.learning.threshold import HarmBudget


@flow(name="retrain", persist_result=False)
def retrain(
    training: TrainingRequest,
    evaluation: EvaluationRequest | None = None,
    trainings: str = "",
    worker_count: int = 1,
    licence: str = "unknown",
    rules: GateRules | None = None,
    budget: HarmBudget | None = None,
) -> RetrainOutcome:
    """Goes on where it was stopped; one that has ended is told again. The evaluation is on the training's own
    corpus where none is given.

    rules: the gate's margins. budget: how much harm thresholds may do on val.

    Raises RequestError, StorageError, RegistryError, WeightsError, PoolError, ArithmeticError.
    """
    judged = evaluation or EvaluationRequest(training.corpus)
    request = RetrainRequest(
        training,
        judged,
        trainings,
        worker_count,
        licence=licence,
        rules=rules or GateRules(),
        budget=budget or HarmBudget(),
    )
    registry = Registry()
    if outcome := ended(request, registry):
        return outcome
    with at_work(request, registry) as work:
        train_model(work)
        choose_thresholds(work)
        compared, standing = compare_models(work)
        version, decision = register_challenger(work, compared, standing)
        return pass_gate(work, version, decision, standing)
