"""A Dask cluster of processes of its own, for tests that kill parts of it."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

Process = subprocess.Popen[bytes]


@contextmanager
def cluster(port: int, folder: Path) -> Iterator[tuple[str, Process]]:
    """Its address and its scheduler, with one worker; `folder` is for what these write."""
    address = f"tcp://127.0.0.1:{port}"
    scheduler = _start("scheduler", "--host", "127.0.0.1", "--port", str(port), "--no-dashboard", log=folder)
    options = "--nthreads", "1", "--no-nanny", "--no-dashboard", "--local-directory", str(folder)
    worker = _start("worker", address, *options, log=folder)
    try:
        yield address, scheduler
    finally:
        for process in (worker, scheduler):
            process.kill()
            process.wait()


def _start(part: str, *options: str, log: Path) -> Process:
    command = [sys.executable, "-m", f"distributed.cli.dask_{part}", *options]
    with open(log / f"{part}.log", "ab") as file:
        return subprocess.Popen(
            command, stdout=file, stderr=file, env={**os.environ, "PYTHONPATH": os.getcwd()}
        )
