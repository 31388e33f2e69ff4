"""What colouring costs beside restoring, and that its memory does not grow with the shot.

One grey shot of 320x240, one still in its middle, each stage by one core in a process of its own; seconds are
of the processor, so that others on the machine count for little.

python -m benchmarks.colouring [--colouriser BUNDLE]
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import cv2
import numpy as np

from benchmarks.films import write_film
from storage.coloured import shown_grey
from storage.painting import write_still
from storage.timeline import ShotSpan
from storage.vault import Vault
from tasks.colouring.colour import ColouringWorker
from tasks.colouring.deliver import deliver_colour
from tasks.colouring.dispatch import plan_colour
from tasks.colouring.request import ColourRequest
from tasks.colouring.restored import restored_reel
from tasks.colouring.stills import still_name, take_stills
from tasks.deliver import ShotOutput, deliver
from tasks.dispatch import plan_shots
from tasks.ingest import IngestedReel, ingest, load
from tasks.request import RestoreRequest
from tasks.restore import RestoringWorker

_WIDTH, _HEIGHT = 320, 240
_SHORT, _LONG = 40, 160
_LARGEST_GROWTH = 1.10
_STAGES = ("restore", "colour", "deliver")


def main() -> int:
    """0 where memory does not grow."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--colouriser", default="default")
    parser.add_argument(
        "--stage", choices=_STAGES, help="of one film alone, for the process that measures it"
    )
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--frames", type=int)
    wanted = parser.parse_args()
    if wanted.stage:
        print(json.dumps(_measured(wanted.stage, wanted.folder, wanted.frames, wanted.colouriser)))
        return 0
    peaks = {}
    with tempfile.TemporaryDirectory() as name:
        for frames in (_SHORT, _LONG):
            folder = Path(name, str(frames))
            folder.mkdir()
            write_film(folder / "film.mkv", _WIDTH, _HEIGHT, frames, frames)
            for stage in _STAGES:
                seconds, peak = _in_a_process(stage, folder, frames, wanted.colouriser)
                peaks[stage, frames] = peak
                each = f"{1000 * seconds / frames:5.0f} ms a frame"
                print(f"{frames:4d} frames, {stage:8s} {each}, {peak:.2f} GB", flush=True)
    growth = {stage: peaks[stage, _LONG] / peaks[stage, _SHORT] for stage in _STAGES}
    told = ", ".join(f"{stage} {share:.2f}" for stage, share in growth.items())
    print(f"memory from {_SHORT} to {_LONG} frames: {told}")
    return int(max(growth["colour"], growth["deliver"]) > _LARGEST_GROWTH)


def _in_a_process(stage: str, folder: Path, frames: int, colouriser: str) -> tuple[float, float]:
    command = [sys.executable, "-m", "benchmarks.colouring", "--colouriser", colouriser]
    one = ["--stage", stage, "--folder", str(folder), "--frames", str(frames)]
    done = subprocess.run([*command, *one], check=True, capture_output=True, text=True)
    seconds, peak = json.loads(done.stdout.splitlines()[-1])
    return seconds, peak


def _measured(stage: str, folder: Path, frames: int, colouriser: str) -> tuple[float, float]:
    """(processor's seconds of the stage itself, peak resident GB of the process)."""
    cv2.setNumThreads(1)
    vault = Vault(str(folder / "vault"))
    vault.prepare()
    if stage == "restore":
        reel = ingest(vault, str(folder / "film.mkv"), None, _quietly)
        seconds = _restore(vault, reel, frames)
        _paint(vault, reel, folder / "stills")
    else:
        (reel_id,) = vault.folders("reels")
        seconds = _colour(vault, load(vault, reel_id), folder / "stills", stage, colouriser)
    return seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9


def _restore(vault: Vault, reel: IngestedReel, frames: int) -> float:
    span = ShotSpan(0, frames)
    ((job, _),) = plan_shots(vault, reel, [span], RestoreRequest(vault.uri))
    started = time.process_time()
    RestoringWorker().run(job, _quietly)
    seconds = time.process_time() - started
    deliver(vault, reel, [ShotOutput(span, job.key)], "preservation", "classical", _quietly)
    return seconds


def _paint(vault: Vault, reel: IngestedReel, folder: Path) -> None:
    """The middle frame, warm on the left and cold on the right."""
    folder.mkdir()
    frame = reel.reel.frame_count // 2
    picture = restored_reel(vault, reel).shot_of(frame).picture(vault, reel.reel, frame)
    grey_HW1 = shown_grey(picture, reel.reel.video)[..., None].astype(np.int64)
    side_W1 = (np.arange(_WIDTH) < _WIDTH // 2)[:, None]
    painted = grey_HW1 + np.where(side_W1, (20, 0, -25), (-25, 0, 30))
    write_still(folder / still_name(reel.reel, frame), np.clip(painted, 0, 255).astype(np.uint8))


def _colour(vault: Vault, reel: IngestedReel, folder: Path, stage: str, colouriser: str) -> float:
    request = ColourRequest(vault.uri, str(folder), colouriser)
    film = restored_reel(vault, reel)
    stills = take_stills(vault, reel, film, request.stills)
    ((job, output),) = plan_colour(vault, reel, film, stills.fit, {}, request)
    started = time.process_time()
    if stage == "colour":
        ColouringWorker().run(job, _quietly)
    else:
        deliver_colour(vault, reel, film, stills, [output], request.title, _quietly)
    return time.process_time() - started


def _quietly(done: int) -> None:
    pass


if __name__ == "__main__":
    sys.exit(main())
