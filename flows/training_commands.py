"""The command that trains models and promotes the better one; `flows.cli` opens the door to it."""

import argparse
import json
from dataclasses import asdict
from typing import TYPE_CHECKING

from flows.commands import DELIVERED, Command, at_least_one
from flows.evaluation_commands import evaluation_options, evaluation_request

if TYPE_CHECKING:
    from tasks.learning.request import TrainingRequest
    from tasks.learning.retraining import RetrainOutcome

_UNITS_S = {"s": 1, "m": 60, "h": 3600}


def add_commands(command: Command) -> None:
    sub = command("retrain", _retrain, "train on a corpus, compare, register, and promote if it is better")
    sub.add_argument("corpus", metavar="CORPUS", help="its folder in the vault, or a URI")
    sub.add_argument(
        "--network", default="reweave", help="reweave-small, reweave or reweave-large; redye to colour"
    )
    long = sub.add_mutually_exclusive_group(required=True)
    long.add_argument(
        "--budget", type=_seconds, default=0.0, metavar="TIME", help="for training, like 150m or 8h"
    )
    long.add_argument("--steps", type=at_least_one, default=0, help="batches to learn from, instead")
    sub.add_argument(
        "--fresh", metavar="RECIPE", default="", help="make clips old anew in every epoch, by this"
    )
    sub.add_argument(
        "--begin", metavar="NAME", default="", help="weights to begin with: a bundle, or models:/..."
    )
    sub.add_argument("--batch", type=at_least_one, default=4, metavar="CLIPS", help="windows of a batch")
    sub.add_argument("--frames", type=at_least_one, default=6, help="of a window")
    sub.add_argument(
        "--area",
        type=at_least_one,
        default=128,
        help="its side, pixels: 32 less than clips have, or fewer; redye: what clips have, or fewer",
    )
    sub.add_argument(
        "--polish",
        type=float,
        default=0.0,
        metavar="SHARE",
        help="of the steps with a discriminator, at the end",
    )
    sub.add_argument("--seed", type=int, default=0)
    sub.add_argument("--workers", type=at_least_one, default=1, help="processes that train together")
    sub.add_argument("--trainings", metavar="DIRECTORY", default="", help="where trainings are kept")
    sub.add_argument("--licence", default="unknown", help="of the weights, for their card")
    sub.add_argument(
        "--gate",
        nargs="+",
        metavar="MARGIN",
        default=[],
        help="its margins, like harm=0.0002 gain_db=0.5, or for redye gain=0.1",
    )
    sub.add_argument(
        "--harm",
        nargs=2,
        type=float,
        metavar="SHARE",
        help="of the pixels of undamaged val film, clean and with look-alikes, that thresholds may touch",
    )
    evaluation_options(sub)


def _seconds(text: str) -> float:
    unit = _UNITS_S.get(text[-1:].lower())
    try:
        seconds = float(text[:-1]) * (unit or 0)
    except ValueError:
        seconds = 0
    if not 0 < seconds < float("inf"):
        raise argparse.ArgumentTypeError(f"{text}: write a time like 90s, 150m or 8h")
    return seconds


def _retrain(options: argparse.Namespace) -> int:
    from flows.terminal import at_work
    from tasks.evaluation.gate import gate_rules
    from tasks.learning.registry import Registry
    from tasks.learning.request import TrainingRequest
    from tasks.learning.retrain import RetrainRequest
    from tasks.learning.threshold import HarmBudget
    from tasks.request import RequestError

    # What cannot be done is told before Prefect takes its seconds to start.
    training = TrainingRequest(
        options.corpus,
        options.network,
        options.steps,
        options.budget,
        options.batch,
        options.frames,
        options.area,
        fresh=options.fresh,
        begin=options.begin,
        polish=options.polish,
        seed=options.seed,
    )
    if training.colours:
        return _retrain_colour(options, training)
    judged = evaluation_request(options)
    try:
        budget = HarmBudget(*options.harm) if options.harm else HarmBudget()
    except ValueError as error:
        raise RequestError(f"--harm: {error}") from error
    request = RetrainRequest(
        training,
        judged,
        options.trainings,
        options.workers,
        licence=options.licence,
        rules=gate_rules(options.gate),
        budget=budget,
    )
    Registry().versions()
    with at_work(options.debug, options.json):
        from flows.retrain import retrain

        outcome = retrain(
            request.training,
            request.evaluation,
            request.trainings,
            request.workers,
            request.licence,
            request.rules,
            request.budget,
        )
    return _told(outcome, options)


def _retrain_colour(options: argparse.Namespace, training: "TrainingRequest") -> int:
    from flows.terminal import at_work
    from tasks.evaluation.colour.gate import colour_gate_rules
    from tasks.evaluation.colour.request import ColourEvaluationRequest
    from tasks.learning.registry import COLOUR_MODEL, Registry
    from tasks.learning.retrain_colour import ColourRetrainRequest
    from tasks.request import RequestError

    for option, given in (
        ("--harm", options.harm),
        ("--recipes", options.recipes),
        ("--reels", options.reels),
    ):
        if given:
            raise RequestError(f"{option}: is for networks that restore; {training.network} colours")
    request = ColourRetrainRequest(
        training,
        ColourEvaluationRequest(options.corpus, clips=options.clips),
        options.trainings,
        options.workers,
        options.licence,
        colour_gate_rules(options.gate),
    )
    Registry(model=COLOUR_MODEL).versions()
    with at_work(options.debug, options.json):
        from flows.retrain_colour import retrain_colour

        outcome = retrain_colour(
            request.training,
            request.evaluation,
            request.trainings,
            request.workers,
            request.licence,
            request.rules,
        )
    return _told(outcome, options)


def _told(outcome: "RetrainOutcome", options: argparse.Namespace) -> int:
    print(json.dumps(asdict(outcome), indent=2) if options.json else outcome.sentence())
    return DELIVERED
