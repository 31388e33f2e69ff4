"""The `answerprint` command: a thin door. What it opens to is imported when needed, so that it opens fast."""

import argparse
import json
import logging
import os
import sys
from collections.abc import Sequence
from importlib.metadata import version
from typing import Any

from flows import (
    colour_commands,
    corpus_commands,
    evaluation_commands,
    model_commands,
    restore_commands,
    training_commands,
)
from flows.commands import FAILED, USAGE

# Read by Prefect when it is imported: the terminal is ours, telemetry is off.
_QUIET = {
    "PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL": "CRITICAL",
    "PREFECT_LOGGING_LOGGERS_PREFECT_LEVEL": "INFO",
    "PREFECT_SERVER_LOGGING_LEVEL": "CRITICAL",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "DO_NOT_TRACK": "1",
}
# A first start makes Prefect's database; on a busy machine that takes longer than the 20 s which it waits.
_PATIENT = {"PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "180"}


def main(arguments: Sequence[str] | None = None) -> int:
    """The exit status: 0 all well, 1 something failed, 2 wrongly asked, 3 delivered, but not all restored."""
    options = _parser().parse_args(arguments)
    preset = _PATIENT if options.debug else _PATIENT | _QUIET
    os.environ.update({key: value for key, value in preset.items() if key not in os.environ})
    if not options.debug:
        logging.raiseExceptions = False  # engines log on while they are being stopped
    try:
        status: int = options.run(options)
        return status
    except KeyboardInterrupt:
        return _say("stopped; what was finished is kept, run the same command to go on", options)
    except BrokenPipeError:
        return FAILED
    except Exception as error:
        if options.debug:
            raise
        line, status = _told(error)
        return _say(line, options, status)


def _say(message: str, options: argparse.Namespace, status: int = FAILED) -> int:
    if getattr(options, "json", False):
        print(json.dumps({"reels": [], "error": message}))
    print(f"answerprint: {message}", file=sys.stderr)
    return status


def _told(error: Exception) -> tuple[str, int]:
    """One line for people and the exit status; what is not ours is named by its kind."""
    from storage.errors import StorageError
    from tasks.corpora.errors import CorpusError, EngineError
    from tasks.mlflow_engine import RegistryError
    from tasks.pool import JobFailed
    from tasks.ray_engine import PoolError
    from tasks.request import RequestError
    from tasks.weights import WeightsError

    line = (str(error) or type(error).__name__).splitlines()[0]
    if isinstance(error, RequestError):
        return line, USAGE
    ours = StorageError | PoolError | JobFailed | WeightsError | CorpusError | EngineError | RegistryError
    if isinstance(error, ours):
        return line, FAILED
    if isinstance(error, ModuleNotFoundError):
        return f"{error.name} is not installed; run `pip install answerprint` again", FAILED
    return f"{type(error).__name__}: {line} (--debug shows where)", FAILED


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="answerprint", description="Restores archival film; every change on record."
    )
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--debug", action="store_true", help="show tracebacks and the engines' logs")
    common.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--version", action="version", version=version("answerprint"))
    commands = parser.add_subparsers(dest="command", required=True)

    def command(name: str, run: Any, text: str) -> argparse.ArgumentParser:
        sub = commands.add_parser(name, parents=[common], help=text, description=text)
        sub.set_defaults(run=run)
        return sub

    restore_commands.add_commands(command)
    colour_commands.add_commands(command)
    corpus = commands.add_parser("corpus", help="clean films made old").add_subparsers(required=True)
    corpus_commands.add_commands(command, corpus, common)
    training_commands.add_commands(command)
    evaluation_commands.add_commands(command)
    model_commands.add_commands(command)
    return parser


if __name__ == "__main__":
    sys.exit(main())
