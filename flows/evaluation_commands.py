"""The command that compares restorers; `flows.cli` opens the door to it."""

import argparse
import json
from typing import TYPE_CHECKING, Any

from flows.commands import DELIVERED, Command, at_least_one

if TYPE_CHECKING:
    from tasks.evaluation.request import EvaluationRequest

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
    sub = command("evaluate", _evaluate, "compare restorers on clips made old, and on real film")
    sub.add_argument("restorers", nargs="+", metavar="RESTORER", help="as for restore --restorer")
    sub.add_argument("--corpus", required=True, metavar="CORPUS", help="whose test films are made old anew")
    sub.add_argument("--output", default="evaluation", metavar="DIRECTORY", help="page, figures and pictures")
    evaluation_options(sub)


def evaluation_options(sub: argparse.ArgumentParser) -> None:
    """What restorers are compared on; `evaluation_request` reads it."""
    sub.add_argument(
        "--recipes", nargs="+", metavar="RECIPE", default=[], help="light, medium and heavy if left out"
    )
    sub.add_argument("--clips", type=at_least_one, default=24, help="of each recipe, clean, and look-alikes")
    sub.add_argument("--reels", nargs="+", metavar="REEL", default=[], help="real film to look at, too")


def evaluation_request(options: argparse.Namespace) -> "EvaluationRequest":
    """Raises RequestError where the options ask for what cannot be."""
    from tasks.evaluation.request import EvaluationRequest

    recipes = tuple(options.recipes) or EvaluationRequest.recipes
    return EvaluationRequest(options.corpus, recipes, clips=options.clips, reels=tuple(options.reels))


def _evaluate(options: argparse.Namespace) -> int:
    from flows.terminal import at_work
    from tasks.evaluation.comparing import restorers_named

    request = evaluation_request(options)
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
