"""A corpus of colour film into a colouriser: trained, compared, registered, and through the gate."""

from prefect import flow

from tasks.evaluation.colour.gate import ColourGateRules
from tasks.evaluation.colour.request import ColourEvaluationRequest
from tasks.learning.registry import COLOUR_MODEL, Registry
from tasks.learning.request import TrainingRequest
from tasks.learning.retrain_colour import ColourRetrainRequest
from tasks.learning.retraining import RetrainOutcome, at_work, ended
from tasks.learning.steps import (
    compare_colourisers,
    pass_gate,
    prepare_material,
    register_colouriser,
    train_model,
)


@flow(name="retrain-colour", persist_result=False)
def retrain_colour(
    training: TrainingRequest,
    evaluation: ColourEvaluationRequest | None = None,
    trainings: str = "",
    worker_count: int = 1,
    licence: str = "unknown",
    rules: ColourGateRules | None = None,
) -> RetrainOutcome:
    """Goes on where it was stopped; one that has ended is told again. The evaluation is on the training's own
    corpus where none is given.

    rules: the gate's margins. A budget of time is the training's: preparing the material is not part of it.

    Raises RequestError, StorageError, RegistryError, WeightsError, PoolError, EngineError, ArithmeticError.
    """
    judged = evaluation or ColourEvaluationRequest(training.corpus)
    request = ColourRetrainRequest(
        training, judged, trainings, worker_count, licence, rules or ColourGateRules()
    )
    registry = Registry(model=COLOUR_MODEL)
    if outcome := ended(request, registry):
        return outcome
    with at_work(request, registry) as work:
        prepare_material(work)
        train_model(work)
        compared, standing = compare_colourisers(work)
        version, decision = register_colouriser(work, compared, standing)
        return pass_gate(work, version, decision, standing)
