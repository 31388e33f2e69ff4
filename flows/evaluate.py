"""Restorers side by side on one frozen set of clips made old, and on real film."""

from prefect import flow

from tasks.evaluation.comparing import Compared, restorers_named
from tasks.evaluation.request import EvaluationRequest
from tasks.learning.steps import evaluate_restorers


@flow(name="evaluate", persist_result=False)
def evaluate(restorers: list[str], request: EvaluationRequest, output: str = "evaluation") -> Compared:
    """Raises RequestError, StorageError, RegistryError, WeightsError, ArithmeticError."""
    return evaluate_restorers(restorers_named(restorers), request, output)
