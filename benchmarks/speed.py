"""Speed at 640x480 on one core, stage by stage, and the floor: what is not model work stays under 15 %.

python -m benchmarks.speed [FILM]
"""

import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import cv2

from benchmarks.films import write_film
from benchmarks.stages import told_apart
from models.catalogue import load_restorer
from models.restorer import Footage
from models.shots.cuts import find_cuts
from storage.frames import read_frames
from storage.master import GREY8, Ffv1Writer
from storage.pixels import Picture, blank, floats, luma8, merge, replace
from storage.survey import survey
from storage.timeline import ShotSpan
from storage.vault import Vault
from tasks.deliver import ShotOutput, deliver
from tasks.ingest import ingest
from tasks.restore import RestoringWorker, ShotJob, shot_key

_LARGEST_OVERHEAD = 0.15
_FRAMES = 100


class Stopwatch:
    """Seconds by stage."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextmanager
    def timing(self, stage: str) -> Iterator[None]:
        started = time.perf_counter()
        yield
        self.seconds[stage] = self.seconds.get(stage, 0.0) + time.perf_counter() - started


def main() -> int:
    """0 where the floor holds."""
    cv2.setNumThreads(1)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        film = (
            Path(sys.argv[1])
            if len(sys.argv) > 1
            else write_film(folder / "film.mkv", 640, 480, _FRAMES, _FRAMES)
        )
        watch = Stopwatch()
        with watch.timing("ingest"):
            reel, rows = survey(str(film))
        count = reel.frame_count
        with watch.timing("decode"):
            pictures = list(read_frames(reel, rows, 0, count))
        with watch.timing("shots"):
            list(find_cuts(luma8(picture, 192) for picture in pictures))
        restorer = load_restorer("default")
        footage = Footage(
            lambda: (floats(picture) for picture in pictures),
            count,
            reel.video.height,
            reel.video.width,
            reel.video.layout.colour,
        )
        with watch.timing("restore (model work)"), told_apart() as inside:
            repairs = list(restorer.restore(footage))
        with watch.timing("merge"):
            results = [merge(p, r.planes_CHW, r.mask_HW) for p, r in zip(pictures, repairs, strict=True)]
            originals = [replace(blank(p), p, r.mask_HW) for p, r in zip(pictures, repairs, strict=True)]
        with watch.timing("encode"):
            with Ffv1Writer(folder / "a.mkv", reel.video) as writer:
                for picture in results:
                    writer.write(picture)
            with Ffv1Writer(folder / "b.mkv", reel.video) as writer:
                for picture in originals:
                    writer.write(picture)
            with Ffv1Writer(folder / "c.mkv", reel.video, GREY8) as writer:
                for repair in repairs:
                    writer.write(Picture((repair.mask_HW.astype("uint8"),), GREY8))
        _deliver(folder, film, watch)
    return _report(watch, inside, count)


def _deliver(folder: Path, film: Path, watch: Stopwatch) -> None:
    vault = Vault(str(folder / "vault"))
    vault.prepare()
    ingested = ingest(vault, str(film), None, lambda done: None)
    job = ShotJob(vault.uri, ingested.reel.reel_id, 0, ingested.reel.frame_count, "default", "preservation")
    RestoringWorker().run(job, lambda done: None)
    output = ShotOutput(
        ShotSpan(0, ingested.reel.frame_count), shot_key(ingested, job, load_restorer("default").card)
    )
    with watch.timing("deliver (join, check, access copy, sheets)"):
        deliver(vault, ingested, [output], "preservation", "default", lambda done: None)


def _report(watch: Stopwatch, inside: dict[str, float], frames: int) -> int:
    """inside: seconds of the classical restorer's own stages, which are parts of the model work."""
    total = sum(watch.seconds.values())
    for stage, seconds in watch.seconds.items():
        print(f"{stage:45s} {1000 * seconds / frames:8.1f} ms a frame  {seconds / total:6.1%}")
        if "model work" in stage:
            for part, its_seconds in inside.items():
                print(f"{f'  of it {part}':45s} {1000 * its_seconds / frames:8.1f} ms a frame")
    model = sum(seconds for stage, seconds in watch.seconds.items() if "model work" in stage)
    overhead = 1 - model / total
    print(f"{'in all':45s} {1000 * total / frames:8.1f} ms a frame; {overhead:.1%} is not model work")
    return int(overhead > _LARGEST_OVERHEAD)


if __name__ == "__main__":
    sys.exit(main())
