"""What a person at a terminal sees while a run goes on: one bar a reel and stage, with its estimated end."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from tasks.progress import BOARD

_TICK_S = 0.25
_NAME_WIDTH = 36


@contextmanager
def show_progress(quiet: bool) -> Iterator[None]:
    """Shows the board on standard error until the block ends; nothing at all when quiet."""
    if quiet:
        yield
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.completed}/{task.total}"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    done = threading.Event()
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        waiting = progress.add_task("starting", total=None)
        painter = threading.Thread(target=_paint, args=(progress, waiting, done), daemon=True)
        painter.start()
        try:
            yield
        finally:
            done.set()
            painter.join()


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
