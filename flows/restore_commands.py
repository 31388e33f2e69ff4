"""The commands that restore reels and look after what was delivered; `flows.cli` opens the door to them."""

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from fractions import Fraction
from typing import TYPE_CHECKING

from flows.commands import DELIVERED, FAILED, WITH_FAILURES, Command, at_least_one

if TYPE_CHECKING:
    from tasks.outcome import ReelOutcome
    from tasks.request import RestoreRequest


def add_commands(command: Command) -> None:
    for name, run, text in (
        ("restore", _restore, "restore reels into a vault"),
        (
            "plan",
            _plan,
            "tell what restore would do, how long it takes and how much it stores; changes nothing",
        ),
    ):
        sub = command(name, run, text)
        sub.add_argument(
            "sources", nargs="+", metavar="SOURCE", help="files, sequences, directories, globs, .txt lists"
        )
        sub.add_argument("--vault", required=True, help="directory, or file:, s3:, gs: URI")
        _restoring(sub)

    sub = command("status", _status, "tell what a vault holds")
    sub.add_argument("vault", help="directory, or file:, s3:, gs: URI")
    sub = command("verify", _verify, "check deliveries against the laws, from their own files")
    sub.add_argument("delivery", help="a delivery's directory, or a vault for all of its deliveries")
    sub = command("revert", _revert, "give back the source's pictures from a delivery, proven by checksum")
    sub.add_argument("delivery", help="a delivery's directory")
    sub.add_argument("--output", required=True, metavar="FILE.mkv", help="a new file")
    sub.add_argument("--shots", metavar="LIST", help="only these, like 1,4-6; all if left out")
    sub = command("import-weights", _import_weights, "make a published RTN checkpoint a weight bundle")
    sub.add_argument("file", metavar="FILE.pth", help="a checkpoint; nothing that it may hold is run")
    sub.add_argument(
        "--output", metavar="DIRECTORY", help="the bundle; ./FILE, without its suffix, if left out"
    )
    sub = command("demo", _demo, "age a clean film, restore it and say how close it came")
    sub.add_argument("film", nargs="?", help="a clean film of yours; a bundled clip if left out")
    sub.add_argument("--output", default="demo", metavar="DIRECTORY")
    sub.add_argument("--damage", choices=("light", "medium", "heavy"), default="medium")
    sub.add_argument("--seed", type=int, default=1)
    _restoring(sub)


def _restoring(sub: argparse.ArgumentParser) -> None:
    sub.add_argument(
        "--restorer",
        metavar="NAME",
        default="default",
        help="default, classical, none, a weight bundle's directory, or models:/answerprint@champion",
    )
    sub.add_argument(
        "--mode",
        choices=("preservation", "presentation"),
        default="preservation",
        help="preservation changes damage only; presentation also steadies and deflickers",
    )
    sub.add_argument("--shots", metavar="FILE", help="your cut list (CSV, OTIO, EDL), for one reel")
    sub.add_argument(
        "--rate", help="frames a second for image sequences and raw streams, like 18 or 24000/1001"
    )
    sub.add_argument(
        "--whole-frame",
        choices=("no", "kept", "matched"),
        default="no",
        help="presentation with weights: take the whole frame, the source's grain kept or matched",
    )
    sub.add_argument(
        "--mask",
        metavar="FILM",
        help="film or images, white where the reel is damaged, one frame for each of its; for one reel",
    )
    sub.add_argument(
        "--mask-use",
        choices=("add", "replace"),
        default="add",
        help="add to what the restorer finds, or repair nothing but what the mask shows",
    )
    sub.add_argument(
        "--mask-dark", action="store_true", help="damage is dark in the mask, as in an infra-red scan"
    )
    sub.add_argument("--retry-failed", action="store_true", help="try again what earlier runs gave up")
    sub.add_argument("--workers", type=at_least_one, help="worker processes; one a processor if left out")


def _restore(options: argparse.Namespace) -> int:
    return _print_outcomes(_restored(options), options.json)


def _restored(options: argparse.Namespace) -> list["ReelOutcome"]:
    from flows.terminal import at_work
    from tasks.workforce import workers

    request = _request(options)
    with (
        at_work(options.debug, options.json),
        workers(options.workers, request.gpus_each),
    ):
        # Prefect takes seconds to import and to start its server; Ray starts beside it in the pool's thread.
        from flows.restore_archive import restore_archive
        from tasks.archive import ReelsFailed

        try:
            outcomes: list[ReelOutcome] = restore_archive(
                options.sources,
                request.vault,
                request.pinned,
                request.mode,
                request.shots,
                options.rate,
                request.retry_failed,
                mask=request.mask,
                mask_use=request.mask_use,
                mask_dark=request.mask_dark,
                whole_frame=request.whole_frame,
            )
        except ReelsFailed as failed:
            outcomes = failed.outcomes
    return outcomes


def _plan(options: argparse.Namespace) -> int:
    from tasks.plan import plan_reels

    plans = plan_reels(_request(options), options.sources, options.workers)
    if options.json:
        print(json.dumps({"reels": [asdict(plan) for plan in plans]}, indent=2, default=str))
    else:
        for plan in plans:
            print(plan.sentence())
    return FAILED if any(plan.error for plan in plans) else DELIVERED


def _status(options: argparse.Namespace) -> int:
    from tasks.status import vault_status

    reels = vault_status(options.vault)
    if options.json:
        print(json.dumps({"reels": [asdict(reel) for reel in reels]}, indent=2, default=str))
    else:
        for reel in reels:
            print(reel.sentence())
    return DELIVERED


def _verify(options: argparse.Namespace) -> int:
    from tasks.verify import find_deliveries, verify_delivery

    verdicts = [verify_delivery(delivery) for delivery in find_deliveries(options.delivery)]
    if options.json:
        print(json.dumps({"deliveries": [asdict(verdict) for verdict in verdicts]}, indent=2, default=str))
    else:
        for verdict in verdicts:
            print(verdict.sentence())
    return FAILED if any(verdict.problems for verdict in verdicts) else DELIVERED


def _revert(options: argparse.Namespace) -> int:
    from tasks.revert import revert_delivery

    reverted = revert_delivery(options.delivery, options.output, options.shots)
    if options.json:
        print(json.dumps(asdict(reverted), indent=2, default=str))
    else:
        print(reverted.sentence())
    return DELIVERED


def _import_weights(options: argparse.Namespace) -> int:
    from tasks.weights import import_weights

    imported = import_weights(options.file, options.output)
    print(json.dumps(asdict(imported), indent=2) if options.json else imported.sentence())
    return DELIVERED


def _demo(options: argparse.Namespace) -> int:
    from tasks.demo import age_for_demo, measure

    aged = age_for_demo(options.film, options.output, options.damage, options.seed)
    if not options.json:
        film = f"{options.film or 'the bundled clip'} ({options.damage} damage, seed {options.seed})"
        print(f"Made {aged.frames} frames of {film} old: {aged.film}")
    options.sources, options.vault = [str(aged.film)], str(aged.vault)
    outcomes = _restored(options)
    status = _print_outcomes(outcomes, options.json)
    if status == DELIVERED and not options.json:
        print(measure(aged, outcomes[0].delivery or ""))
    return status


def _request(options: argparse.Namespace) -> "RestoreRequest":
    from tasks.request import RequestError, RestoreRequest
    from tasks.sources import find_sources

    try:
        rate = Fraction(options.rate) if options.rate else None
    except (ValueError, ZeroDivisionError) as error:
        raise RequestError(f"--rate {options.rate}: write frames a second, like 18 or 24000/1001") from error
    reels = find_sources(options.sources)
    request = RestoreRequest(
        options.vault,
        options.restorer,
        options.mode,
        options.shots,
        rate,
        options.retry_failed,
        mask=options.mask,
        mask_use=options.mask_use,
        mask_dark=options.mask_dark,
        whole_frame=options.whole_frame,
    )
    request.check_reels(len(reels))
    return request


def _print_outcomes(outcomes: Sequence["ReelOutcome"], as_json: bool) -> int:
    if as_json:
        print(json.dumps({"reels": [asdict(outcome) for outcome in outcomes]}, indent=2, default=str))
    else:
        for outcome in outcomes:
            _print_outcome(outcome)
    statuses = {outcome.status for outcome in outcomes}
    if "failed" in statuses:
        return FAILED
    return DELIVERED if statuses == {"delivered"} else WITH_FAILURES


def _print_outcome(outcome: "ReelOutcome") -> None:
    if outcome.status == "failed":
        why = outcome.errors[0].removeprefix(f"{outcome.source}: ")
        print(f"{outcome.source}: not delivered: {why}", file=sys.stderr)
        return
    shots = "1 shot" if outcome.shots == 1 else f"{outcome.shots} shots"
    print(f"{outcome.source}: {outcome.frames} frames in {shots}, {outcome.status}")
    print(f"  master  {outcome.master}\n  access  {outcome.access}\n  report  {outcome.report}")
    if outcome.review_items:
        print(f"  to be looked at: {outcome.review_items}, listed in the report")
    for error in outcome.errors:
        print(f"  {error}", file=sys.stderr)
