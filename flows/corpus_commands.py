"""The commands that make corpora and look into them; `flows.cli` opens the door to them."""

import argparse
import json
import os
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from flows.commands import DELIVERED, FAILED, Command, at_least_one

if TYPE_CHECKING:
    from tasks.corpora.corpus import CorpusOutcome


def add_commands(command: Command, corpus: Any, common: argparse.ArgumentParser) -> None:
    """corpus: where `corpus ...` commands go. common: options of every command."""
    sub = command("synthesize", _synthesize, "cut clips from clean films and make them old, with masks")
    sub.add_argument(
        "sources", nargs="+", metavar="SOURCE", help="files, sequences, directories, globs, URIs, .txt lists"
    )
    sub.add_argument("--vault", required=True, help="directory, or file:, s3:, gs: URI")
    sub.add_argument("--name", required=True, help="of the corpus")
    sub.add_argument("--recipe", default="medium", help="light, medium, heavy ..., or a .json file of yours")
    sub.add_argument("--clips", type=int, default=2000)
    sub.add_argument("--frames", type=int, default=12, help="of a clip")
    sub.add_argument("--size", type=int, default=256, help="rows and columns of a clip, in pixels")
    sub.add_argument("--seed", type=int, default=1)
    sub.add_argument("--splits", default="80/10/10", help="shares of the films for train/val/test")
    sub.add_argument(
        "--hold-out", nargs="+", metavar="FILM", default=[], help="films that go to test, by name"
    )
    sub.add_argument("--colour", action="store_true", help="three channels; else one, lightness")
    sub.add_argument(
        "--licences", metavar="FILE.csv", default="", help="a table of films, their licences and origins"
    )
    _templates_option(sub, "your scans of dirt, for a recipe with templates; our own drawings if left out")
    _engine_options(sub)
    for name, run, text in (
        ("show", _show, "tell what a corpus holds"),
        ("verify", _verify, "check every digest and mask, and that no film is in two splits"),
        ("rebuild", _rebuild, "make a corpus again from its own record, to the same bytes"),
    ):
        sub = corpus.add_parser(name, parents=[common], help=text, description=text)
        sub.set_defaults(run=run)
        sub.add_argument("corpus", metavar="CORPUS", help="its folder in the vault, or a URI")
        if name != "show":
            _templates_option(sub, "the scans that the corpus was made with, if it was")
            _engine_options(sub)
        if name == "verify":
            sub.add_argument("--all", action="store_true", help="make every clip old again, not a sample")
        if name == "rebuild":
            sub.add_argument("--vault", required=True, help="another vault")
            sub.add_argument(
                "--sources", nargs="+", metavar="SOURCE", default=[], help="where to look for moved films"
            )
    text = "compare how worn real reels are with clean footage made old"
    sub = corpus.add_parser("realism", parents=[common], help=text, description=text)
    sub.set_defaults(run=_realism)
    sub.add_argument("reels", nargs="+", metavar="REEL", help="real film: what restore takes")
    sub.add_argument(
        "--against",
        nargs="+",
        metavar="RECIPE",
        default=["light", "medium", "heavy"],
        help="recipes by name or file, or finished corpora",
    )
    sub.add_argument("--clean", nargs="+", required=True, metavar="SOURCE", help="clean footage to make old")
    sub.add_argument("--output", default="realism.html", metavar="FILE.html", help="JSON goes beside it")


def _templates_option(sub: argparse.ArgumentParser, text: str) -> None:
    sub.add_argument("--templates", metavar="FOLDER", default="", help=text)


def _engine_options(sub: argparse.ArgumentParser) -> None:
    sub.add_argument("--workers", type=at_least_one, help="processes; one a processor if left out")
    sub.add_argument(
        "--scheduler",
        metavar="ADDRESS",
        help="of a Dask cluster, like tcp://host:8786, in place of processes here",
    )


def _synthesize(options: argparse.Namespace) -> int:
    from flows.terminal import at_work
    from tasks.corpora.corpus import open_corpus
    from tasks.corpora.request import CorpusRequest
    from tasks.dask_engine import reach

    # What cannot be done is told before Prefect takes its seconds to start.
    asked = CorpusRequest(
        options.vault,
        options.name,
        options.recipe,
        options.clips,
        options.frames,
        options.size,
        options.seed,
        options.splits,
        tuple(options.hold_out),
        options.colour,
        options.templates,
        options.licences,
    )
    open_corpus(asked, options.sources)
    reach(options.scheduler)
    with at_work(options.debug, options.json):
        from flows.synthesize_corpus import synthesize_corpus

        outcome = synthesize_corpus(
            options.sources,
            asked.vault,
            asked.name,
            asked.recipe,
            asked.clips,
            asked.frames,
            asked.size,
            asked.seed,
            asked.splits,
            options.hold_out,
            asked.colour,
            asked.templates,
            asked.licences,
            options.workers,
            options.scheduler,
        )
    print(json.dumps(asdict(outcome), indent=2) if options.json else outcome.sentence())
    return DELIVERED


def _show(options: argparse.Namespace) -> int:
    from tasks.corpora.corpus import find_corpus, outcome

    vault, key, corpus = find_corpus(options.corpus)
    told = outcome(vault, key, corpus.record)
    if options.json:
        print(json.dumps({**asdict(told), "films": corpus.record["films"]}, indent=2))
    else:
        print(told.sentence())
        _print_figures(told)
    return DELIVERED


def _print_figures(told: "CorpusOutcome") -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table("", "", "clips", box=None, pad_edge=False)
    figures = {**told.statistics, "licences": told.licences}
    for title in ("splits", "kinds", "lookalikes", "families", "rejected", "licences"):
        for n, (name, count) in enumerate(figures[title].items()):
            table.add_row("" if n else title, name, str(count))
    for n, film in enumerate(told.films):
        name = f"{film['name']} ({film['split']}, licence {film['licence']})"
        table.add_row("" if n else "films", name, str(film["clips"]))
    for n, (kind, share) in enumerate(figures["damaged_share"].items()):
        table.add_row("" if n else "damaged pixels", kind, f"{share:.2%}")
    Console(highlight=False, markup=False).print(table)


def _verify(options: argparse.Namespace) -> int:
    from flows.terminal import at_work
    from tasks.corpora.corpus import find_corpus
    from tasks.corpora.verify import verify_corpus
    from tasks.dask_engine import engine

    find_corpus(options.corpus)
    with (
        at_work(options.debug, options.json),
        engine(options.workers, options.scheduler) as crew,
    ):
        verdict = verify_corpus(crew, options.corpus, options.all, options.templates)
    print(json.dumps(asdict(verdict), indent=2) if options.json else verdict.sentence())
    return FAILED if verdict.problems else DELIVERED


def _rebuild(options: argparse.Namespace) -> int:
    from flows.terminal import at_work
    from tasks.corpora.corpus import find_corpus
    from tasks.corpora.rebuild import rebuild_corpus
    from tasks.dask_engine import engine
    from tasks.progress import BOARD

    find_corpus(options.corpus)
    with (
        at_work(options.debug, options.json),
        engine(options.workers, options.scheduler) as crew,
    ):
        tell = BOARD.stage(os.path.basename(options.corpus.rstrip("/")), "rebuild")
        rebuilt = rebuild_corpus(
            crew, options.corpus, options.vault, options.sources, tell, options.templates
        )
    print(json.dumps(asdict(rebuilt), indent=2) if options.json else rebuilt.sentence())
    return FAILED if rebuilt.differing else DELIVERED


def _realism(options: argparse.Namespace) -> int:
    from tasks.corpora.realism import realism

    said = (lambda side: None) if options.json else print
    comparisons = realism(options.reels, options.against, options.clean, options.output, progress=said)
    if options.json:
        print(json.dumps({"statistics": [asdict(comparison) for comparison in comparisons]}, indent=2))
    else:
        print("\n".join(sentence for comparison in comparisons for sentence in comparison.sentences()))
        print(f"  report  {options.output}")
    return DELIVERED
