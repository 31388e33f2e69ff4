"""The commands that train, judge and promote models; `flows.cli` opens the door to them."""

import argparse
import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from flows.commands import DELIVERED, Command, at_least_one

if TYPE_CHECKING:
    from tasks.evaluation.request import EvaluationRequest
    from tasks.learning.registry import Version
    from tasks.learning.request import TrainingRequest

_UNITS_S = {"s": 1, "m": 60, "h": 3600}
_HEADS = {
    "clips": "clips",
    "dB inside before": "psnr_inside_before",
    "after": "psnr_inside",
    "precision": "precision",
    "recall": "recall",
    "F1": "f1",
    "F1 seen": "f1_seen",
    "harm": "harm",
}
_TABLE_WIDTH = 100


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
    _evaluation_options(sub)
    sub = command("evaluate", _evaluate, "compare restorers on clips made old, and on real film")
    sub.add_argument("restorers", nargs="+", metavar="RESTORER", help="as for restore --restorer")
    sub.add_argument("--corpus", required=True, metavar="CORPUS", help="whose test films are made old anew")
    sub.add_argument("--output", default="evaluation", metavar="DIRECTORY", help="page, figures and pictures")
    _evaluation_options(sub)
    command("models", _models, "list the registered models and where they are kept")
    for name, run, text in (
        ("promote", _promote, "make a registered model the champion"),
        ("rollback", _rollback, "give the champion before its place back"),
    ):
        sub = command(name, run, text)
        if name == "promote":
            sub.add_argument(
                "model",
                metavar="MODEL",
                help="models:/answerprint/3, 3, or challenger; colourisers: models:/answerprint-colour/3",
            )
        else:
            sub.add_argument("--colour", action="store_true", help="of colourisers, not of restorers")
        sub.add_argument("--because", required=True, metavar="WHY", help="kept with the model")


def _evaluation_options(sub: argparse.ArgumentParser) -> None:
    sub.add_argument(
        "--recipes", nargs="+", metavar="RECIPE", default=[], help="light, medium and heavy if left out"
    )
    sub.add_argument("--clips", type=at_least_one, default=24, help="of each recipe, clean, and look-alikes")
    sub.add_argument("--reels", nargs="+", metavar="REEL", default=[], help="real film to look at, too")


def _judged(options: argparse.Namespace) -> "EvaluationRequest":
    from tasks.evaluation.request import EvaluationRequest

    recipes = tuple(options.recipes) or EvaluationRequest.recipes
    return EvaluationRequest(options.corpus, recipes, clips=options.clips, reels=tuple(options.reels))


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
    judged = _judged(options)
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
    print(json.dumps(asdict(outcome), indent=2) if options.json else outcome.sentence())
    return DELIVERED


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
    print(json.dumps(asdict(outcome), indent=2) if options.json else outcome.sentence())
    return DELIVERED


def _evaluate(options: argparse.Namespace) -> int:
    from flows.terminal import at_work
    from tasks.evaluation.comparing import restorers_named

    request = _judged(options)
    pinned = [restorer.pinned for restorer in restorers_named(options.restorers)]
    with at_work(options.debug, options.json):
        from flows.evaluate import evaluate

        compared = evaluate(pinned, request, options.output)
    if options.json:
        print(json.dumps({"report": compared.report, "run_id": compared.run_id, "scores": compared.rows()}))
    else:
        _print_rows(compared.rows())
        print(compared.sentence())
    return DELIVERED


def _print_rows(rows: list[dict[str, Any]]) -> None:
    """A table for each restorer, under its name; as wide as it must be, also into a file."""
    from rich.console import Console
    from rich.table import Table

    console = Console(highlight=False, markup=False)
    console.width = max(console.width, _TABLE_WIDTH)
    for restorer in dict.fromkeys(row["restorer"] for row in rows):
        table = Table("slice", *_HEADS, title=restorer, title_justify="left", box=None, pad_edge=False)
        for row in rows:
            if row["restorer"] == restorer:
                table.add_row(row["slice"], *(_figure(name, row[name]) for name in _HEADS.values()))
        console.print(table)


def _figure(name: str, value: float | None) -> str:
    if value is None:
        return "-"
    if name == "harm":
        return f"{value:.4%}"
    return (
        f"{value:.1f}"
        if name.startswith("psnr")
        else f"{value:.2f}"
        if isinstance(value, float)
        else str(value)
    )


def _models(options: argparse.Namespace) -> int:
    from tasks.learning.registry import MODELS, Registry

    registry = Registry()
    versions = [version for model in MODELS for version in Registry(registry.server, model).versions()]
    if options.json:
        print(
            json.dumps({"registry": registry.server.shown, "versions": [asdict(each) for each in versions]})
        )
        return DELIVERED
    for version in versions:
        print(_line(version))
    where = registry.server.shown
    shows = f"`mlflow ui --backend-store-uri {where}`" if where.startswith("sqlite:") else "its page"
    print(f"{len(versions)} versions in {where}; {shows} shows how they came about")
    return DELIVERED


def _line(version: "Version") -> str:
    became = [f"the {alias}" for alias in version.aliases]
    became += ["rolled back"] if "rolled_back" in version.tags and "champion" not in version.aliases else []
    told = f", {', '.join(became)}" if became else ""
    gate = f"; gate {version.tags['gate']}: {version.tags['gate_because']}" if "gate" in version.tags else ""
    return f"{version.name}  {version.sha256[:16]}  {version.made}{told}{gate}"


def _promote(options: argparse.Namespace) -> int:
    from tasks.learning.registry import MODEL, Registry, is_registered_name, model_of

    model = options.model
    if not is_registered_name(model):
        model = f"models:/{MODEL}/{model}" if model.isdigit() else f"models:/{MODEL}@{model}"
    registry = Registry(model=model_of(model))
    version = registry.version(model)
    before = registry.promote(version, options.because)
    told = {"champion": version.name, "before": before.name if before else None}
    if options.json:
        print(json.dumps(told))
    else:
        print(f"{version.name} is the champion now; before it was {told['before'] or 'nobody'}")
    return DELIVERED


def _rollback(options: argparse.Namespace) -> int:
    from tasks.learning.registry import COLOUR_MODEL, MODEL, Registry

    lost, now = Registry(model=COLOUR_MODEL if options.colour else MODEL).rollback(options.because)
    if options.json:
        print(json.dumps({"champion": now.name if now else None, "before": lost.name}))
    else:
        again = f"{now.name} is the champion again" if now else "there is no champion now"
        print(f"{again}; {lost.name} no longer is")
    return DELIVERED
