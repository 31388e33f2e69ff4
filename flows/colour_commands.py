"""The commands that colour restored film from painted stills; `flows.cli` opens the door to them."""

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

from flows.commands import DELIVERED, FAILED, WITH_FAILURES, Command, at_least_one

if TYPE_CHECKING:
    from tasks.colouring.outcome import ColourOutcome

_MOST_NAMES = 5
"""Of images that are not used, in one line."""


def add_commands(command: Command) -> None:
    sub = command("colour-stills", _stills, "write out the frames that are worth painting, under their names")
    _common_options(sub)
    sub.add_argument(
        "--output", required=True, metavar="FOLDER", help="where to; images there stay as they are"
    )
    sub.add_argument("--count", type=at_least_one, metavar="N", help="at most so many for each reel")
    sub.add_argument(
        "--by",
        metavar="MODEL",
        help="guess their colours by a model of yours: module:function, FILE.onnx or FILE.pt (TorchScript)",
    )
    sub = command("colour", _colour, "colour restored reels from stills that a person painted")
    _common_options(sub)
    sub.add_argument(
        "--stills", required=True, metavar="FOLDER", help="painted frames, named as colour-stills names them"
    )
    sub.add_argument(
        "--colouriser",
        default="default",
        metavar="NAME",
        help="what carries the colour: propagate, redye, copied, by-luma, a bundle of redye's weights, or "
        "models:/answerprint-colour@champion",
    )
    sub.add_argument("--no-sharing", action="store_true", help="shots without a still of their own stay grey")
    sub.add_argument("--retry-failed", action="store_true", help="try again what earlier runs gave up")


def _common_options(sub: argparse.ArgumentParser) -> None:
    sub.add_argument(
        "sources", nargs="+", metavar="REEL", help="the film, or what else restore takes; restored already"
    )
    sub.add_argument("--vault", required=True, help="directory, or file:, s3:, gs: URI")
    sub.add_argument(
        "--delivery", metavar="DIGEST", help="which restored delivery, by its name; the newest if left out"
    )
    sub.add_argument("--workers", type=at_least_one, help="worker processes; one a processor if left out")


def _stills(options: argparse.Namespace) -> int:
    from flows.terminal import at_work
    from tasks.colouring.automatic import named_model
    from tasks.colouring.blanks import write_stills
    from tasks.colouring.choice import ChoosingWorker
    from tasks.workforce import workers

    model = named_model(options.by) if options.by else None
    with at_work(options.debug, options.json), workers(options.workers, kind=ChoosingWorker) as pool:
        written = write_stills(
            options.vault, options.sources, options.output, pool, options.delivery, options.count, model
        )
    if options.json:
        print(json.dumps({"reels": [asdict(each) for each in written]}, indent=2))
    else:
        for each in written:
            print(each.sentence(), file=sys.stderr if each.failure else sys.stdout)
            for error in each.errors:
                print(f"  {error}", file=sys.stderr)
    if any(each.failure for each in written):
        return FAILED
    return WITH_FAILURES if any(each.errors for each in written) else DELIVERED


def _colour(options: argparse.Namespace) -> int:
    from flows.terminal import at_work
    from tasks.colouring.colour import ColouringWorker
    from tasks.colouring.request import ColourRequest
    from tasks.workforce import workers

    request = ColourRequest(options.vault, options.stills, options.colouriser, options.delivery)
    pool = workers(options.workers, request.gpus_each, ColouringWorker)
    with at_work(options.debug, options.json), pool:
        from flows.colour_archive import colour_archive
        from tasks.archive import ReelsFailed

        try:
            outcomes: list[ColourOutcome] = colour_archive(
                options.sources,
                request.vault,
                request.stills,
                request.colouriser,
                request.delivery,
                share=not options.no_sharing,
                retry_failed=options.retry_failed,
            )
        except ReelsFailed as failed:
            outcomes = failed.outcomes
    return _print_outcomes(outcomes, options.json)


def _print_outcomes(outcomes: Sequence["ColourOutcome"], as_json: bool) -> int:
    if as_json:
        print(json.dumps({"reels": [asdict(outcome) for outcome in outcomes]}, indent=2, default=str))
    else:
        for outcome in outcomes:
            _print_outcome(outcome)
        _warn_of_unnamed(sorted({name for outcome in outcomes for name in outcome.unnamed_stills}))
    statuses = {outcome.status for outcome in outcomes}
    if "failed" in statuses:
        return FAILED
    return WITH_FAILURES if "delivered with failures" in statuses else DELIVERED


def _print_outcome(outcome: "ColourOutcome") -> None:
    source = outcome.source
    if outcome.status == "failed":
        why, *more = (error.removeprefix(f"{source}: ") for error in outcome.errors)
        print(f"{source}: not coloured: {why}", *(f"  {line}" for line in more), sep="\n", file=sys.stderr)
        return
    if outcome.status == "in colour already":
        print(f"{source}: has colour of its own and keeps it; nothing was coloured")
        print(f"  film    {outcome.coloured_what()}")
        return
    shots = "1 shot" if outcome.shots == 1 else f"{outcome.shots} shots"
    print(f"{source}: {outcome.coloured_shots} of {shots} coloured, {outcome.status}")
    print(f"  film    {outcome.coloured_what()}")
    print(f"  colour  {outcome.colour}\n  access  {outcome.access}\n  report  {outcome.report}")
    for numbers, told in (
        (outcome.grey_shots, "left grey, without a still"),
        (outcome.own_colour_shots, "with colour of the film's own, which they keep"),
    ):
        if numbers:
            print(f"  {told}: {_shots(numbers)}")
    if outcome.automatic_stills:
        print(f"  stills coloured by a machine: {outcome.automatic_stills}, by {outcome.guessed_by}")
    if outcome.unpainted_stills:
        print(f"  stills not painted yet: {_some(outcome.unpainted_stills)}")
    if outcome.other_stills:
        print(f"  images named for other reels: {outcome.other_stills}")
    if outcome.review_items:
        print(f"  to be looked at: {outcome.review_items}, listed in the report")
    for error in outcome.errors:
        print(f"  {error}", file=sys.stderr)


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - _MOST_NAMES} more" if len(names) > _MOST_NAMES else ""
    return f"{', '.join(names[:_MOST_NAMES])}{more}"


def _warn_of_unnamed(names: Sequence[str]) -> None:
    """Once a run, whatever the number of its reels."""
    if names:
        print(
            f"warning: {_some(names)}: not used, the name tells no reel and frame; "
            "call a still like <reel>_000120.png",
            file=sys.stderr,
        )


def _shots(numbers: Sequence[int]) -> str:
    from tasks.plan import listed

    return f"{'shot' if len(numbers) == 1 else 'shots'} {listed(numbers)}"
