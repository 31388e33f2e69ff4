"""What a person at a terminal sees while a run goes on: one bar a reel and stage, with its estimated end.

The engines write to standard error from C++ and from processes of their own; in a quiet run that goes to a
log, and what is ours goes to the terminal.
"""

import os
import signal
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from tasks.progress import BOARD

ENGINES_LOG = Path(tempfile.gettempdir(), f"answerprint-{os.getuid()}-engines.log")
_TICK_S = 0.25
_NAME_WIDTH = 36


@contextmanager
def at_work(debug: bool = False, as_json: bool = False) -> Iterator[None]:
    """A command's terminal while its engines work: bars where a person looks on, the engines' own words in
    their log unless all is to be seen; asked to end, it ends as by Ctrl-C."""
    signal.signal(signal.SIGTERM, _interrupt)
    with (
        nullcontext() if debug else engines_to_log(),
        show_progress(quiet=as_json or not sys.stderr.isatty()),
    ):
        yield


@contextmanager
def show_progress(quiet: bool) -> Iterator[None]:
    """Shows the board on standard error until the block ends; nothing at all when quiet."""
    if quiet:
        yield
        return
    done = threading.Event()
    with Progress(*_columns(), console=Console(stderr=True), transient=True) as progress:
        waiting = progress.add_task("starting", total=None)
        painter = threading.Thread(target=_paint, args=(progress, waiting, done), daemon=True)
        painter.start()
        try:
            yield
        finally:
            done.set()
            painter.join()


@contextmanager
def engines_to_log() -> Iterator[None]:
    """Within the block only what Python writes to `sys.stderr` in this process reaches the terminal."""
    terminal = os.dup(2)
    ours, theirs = os.fdopen(os.dup(terminal), "w", buffering=1), sys.stderr
    log = os.open(ENGINES_LOG, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
    try:
        os.dup2(log, 2)
        sys.stderr = ours
        yield
    finally:
        sys.stderr = theirs
        os.dup2(terminal, 2)
        ours.close()
        os.close(log)
        os.close(terminal)


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt


def _columns() -> tuple[ProgressColumn, ...]:
    return (
        TextColumn("{task.description}", markup=False),  # a file's name may look like markup
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )


def _paint(progress: Progress, waiting: TaskID, done: threading.Event) -> None:
    bars: dict[tuple[str, str], TaskID] = {}
    while not done.wait(_TICK_S):
        stages = BOARD.stages()
        progress.update(waiting, visible=not stages)
        current = {(stage.reel, stage.name) for stage in stages}
        for key in bars.keys() - current:
            progress.update(bars.pop(key), visible=False)
        for stage in stages:
            key = stage.reel, stage.name
            if key not in bars:
                name = stage.reel[-_NAME_WIDTH:]
                bars[key] = progress.add_task(f"{name} {stage.name}", total=stage.total)
            progress.update(bars[key], completed=stage.done, total=stage.total)
