"""Peak memory of the driver and of its workers: it must not grow with the reel, nor pass 3 GB a worker.

python -m benchmarks.memory
"""

import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil

from benchmarks.films import write_cuts, write_film

_SHORT, _LONG, _SHOT = 200, 2000, 50
_LARGEST_GROWTH = 1.10
_LARGEST_WORKER_GB = 3.0


def main() -> int:
    """0 where both floors hold."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        peaks = {}
        for frames in (_SHORT, _LONG):
            film = write_film(folder / f"{frames}.mkv", 320, 240, frames, _SHOT)
            driver, worker = _peaks(
                film, write_cuts(folder / f"{frames}.csv", frames, _SHOT), folder / f"v{frames}"
            )
            peaks[frames] = driver + worker
            print(
                f"{frames:5d} frames of 320x240: driver {driver:.2f} GB, worker {worker:.2f} GB", flush=True
            )
        growth = peaks[_LONG] / peaks[_SHORT]
        film = write_film(folder / "hd.mkv", 1920, 1080, 24, 24)
        driver, worker = _peaks(film, None, folder / "hd")
        print(f"   24 frames of 1920x1080: driver {driver:.2f} GB, worker {worker:.2f} GB")
        print(f"growth from {_SHORT} to {_LONG} frames: {growth:.2f}")
    return int(growth > _LARGEST_GROWTH or worker > _LARGEST_WORKER_GB)


def _peaks(film: Path, cuts: Path | None, vault: Path) -> tuple[float, float]:
    """(driver's, largest worker's) peak resident memory in GB, watched ten times a second."""
    command = [sys.executable, "-m", "flows.cli", "restore", str(film), "--vault", str(vault), "--json"]
    command += ["--shots", str(cuts)] if cuts else []
    run = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    driver = worker = 0
    while run.poll() is None:
        try:
            process = psutil.Process(run.pid)
            driver = max(driver, process.memory_info().rss)
            for child in process.children(recursive=True):
                if "_Actor" in " ".join(child.cmdline()):
                    worker = max(worker, child.memory_info().rss)
        except psutil.Error:
            pass
        time.sleep(0.1)
    if run.returncode:
        raise SystemExit(f"the run failed with {run.returncode}")
    return driver / 1e9, worker / 1e9


if __name__ == "__main__":
    sys.exit(main())
