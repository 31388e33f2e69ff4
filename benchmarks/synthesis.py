"""The flow that makes corpora, with one Dask worker and with two: the same corpus, frames a second of each.

python -m benchmarks.synthesis [SOURCE_DIR [CLIPS]]

Without a source, the clean clips beside the checkout, or else generated films. Told apart: starting the
workers, with what they import; the flow with all of Prefect; in it, examining films and making shards. The
ratio is that of making alone. It tells of the code only on a machine with two idle cores.
"""

import os
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

from benchmarks.classical_quality import CLEAN
from benchmarks.films import write_film
from storage.corpus import Corpus
from tasks.dask_engine import engine
from tasks.progress import BOARD

_CLIPS, _FRAMES, _SIDE_PX = 512, 12, 256
_FILMS, _FILM_FRAMES = 4, 96
_TICK_S = 0.01
_QUIET = {"PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL": "CRITICAL", "PREFECT_SERVER_ANALYTICS_ENABLED": "false"}


@dataclass(frozen=True)
class Run:
    """One run."""

    start_s: float
    flow_s: float
    examine_s: float
    make_s: float
    frames: int
    shards: tuple[str, ...]

    @property
    def rate(self) -> float:
        return self.frames / self.make_s


def main() -> int:
    """0, unless the two corpora differ."""
    clips = int(sys.argv[2]) if sys.argv[2:] else _CLIPS
    with tempfile.TemporaryDirectory() as name:
        os.environ |= _QUIET | {"PREFECT_HOME": f"{name}/prefect"}
        generated = "" if sys.argv[1:] or CLEAN.is_dir() else _films(Path(name, "films"))
        source = sys.argv[1] if sys.argv[1:] else generated or str(CLEAN)
        print(f"{clips} clips of {_FRAMES} frames, {_SIDE_PX}x{_SIDE_PX}, medium, from {source}")
        _run(source, f"{name}/before", 1, 1)  # Prefect makes its database, the films come into memory
        one, two = (_told(count, _run(source, f"{name}/{count}", count, clips)) for count in (1, 2))
    alike = "the same corpus" if one.shards == two.shards else "ANOTHER CORPUS"
    print(f"two workers make {two.rate / one.rate:.2f} times as many frames a second as one, {alike}")
    return int(one.shards != two.shards)


def _films(folder: Path) -> str:
    folder.mkdir()
    for number in range(_FILMS):
        write_film(folder / f"{number}.mkv", 640, 480, _FILM_FRAMES, _FILM_FRAMES // (number + 1))
    return str(folder)


def _told(workers: int, run: Run) -> Run:
    print(
        f"  {workers}: {run.rate:7.1f} frames/s, {run.make_s:.1f} s of making; started in "
        f"{run.start_s:.1f} s; the flow took {run.flow_s:.1f} s, {run.examine_s:.1f} s of it examining"
    )
    return run


def _run(source: str, vault: str, workers: int, clips: int) -> Run:
    from flows.synthesize_corpus import synthesize_corpus  # once Prefect is told where and how loud to be

    started = time.perf_counter()
    with engine(workers) as crew:
        address = crew._client.scheduler.address
        crew._client.run(import_module, "tasks.corpora.dispatch")
        ready = time.perf_counter()
        with _watching() as ended:
            made = synthesize_corpus(
                [source], vault, "benchmark", "medium", clips, _FRAMES, _SIDE_PX, scheduler=address
            )
        flow_s = time.perf_counter() - ready
    record = Corpus.open(made.corpus).record
    shards = tuple(shard["sha256"] for shard in record["shards"])
    frames = record["statistics"]["frames"]
    return Run(ready - started, flow_s, ended["examine"], ended["clips"], frames, shards)


@contextmanager
def _watching() -> Iterator[dict[str, float]]:
    """How many seconds after its beginning each stage told of its last progress."""
    lasted: dict[str, float] = {}
    over = threading.Event()

    def watch() -> None:
        seen: dict[str, int] = {}
        while not over.wait(_TICK_S):
            for stage in BOARD.stages():
                if stage.done != seen.get(stage.name):
                    seen[stage.name], lasted[stage.name] = stage.done, time.monotonic() - stage.started

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    yield lasted
    over.set()
    watcher.join()


if __name__ == "__main__":
    sys.exit(main())
