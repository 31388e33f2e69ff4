"""Corpora are whole or tell why not: the same bytes whoever makes them and whatever dies."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from distributed.utils import open_port

from flows.commands import DELIVERED, FAILED
from storage.corpus import RECORD
from tasks.corpora import dispatch as corpus_dispatch
from tasks.corpora.corpus import finish_corpus
from tasks.corpora.errors import CorpusError
from tasks.dask_engine import Engine, engine
from tests.cluster import cluster
from tests.shelf import CLIPS, FRAMES, SIZE, bytes_of, made, planned

pytestmark = pytest.mark.usefixtures("quiet_prefect")

_PATIENCE_S = 180


def test_a_killed_worker_costs_nothing(crew: Engine, corpus: Path, shelf: Path, tmp_path: Path) -> None:
    plan = planned(shelf, tmp_path)
    killed = []

    def kill_one(clips: int) -> None:
        if not killed:
            killed.append(kill_worker())

    made_by_two = corpus_dispatch.make_shards(crew, plan, kill_one)
    assert killed
    assert bytes_of(Path(finish_corpus(plan, made_by_two).corpus)) == bytes_of(corpus)


def kill_worker() -> int:
    workers = [
        process
        for process in psutil.Process().children(recursive=True)
        if "spawn_main" in " ".join(process.cmdline())
    ]
    workers[0].kill()
    return workers[0].pid


def test_a_killed_run_ends_with_the_same_bytes(corpus: Path, shelf: Path, tmp_path: Path) -> None:
    """The whole command, killed outright in the middle and run again with another number of workers."""
    run = start(shelf, tmp_path, "--workers", "2")
    until = time.monotonic() + _PATIENCE_S
    while not list(tmp_path.glob("corpora/test/*/shard-*.json")):
        assert run.poll() is None, run.communicate()
        assert time.monotonic() < until
        time.sleep(0.01)
    servers = [p for p in psutil.Process(run.pid).children(recursive=True) if "uvicorn" in p.cmdline()]
    run.kill()
    assert run.wait(_PATIENCE_S) == -signal.SIGKILL
    for server in servers:  # Prefect's own outlives who started it
        server.kill()
    finished = {path.name: path.stat().st_ino for path in tmp_path.glob("corpora/test/*/shard-*.parquet")}
    assert not list(tmp_path.glob(f"corpora/test/*/{RECORD}"))
    again = start(shelf, tmp_path, "--workers", "1")
    out, err = again.communicate(timeout=_PATIENCE_S)
    assert again.returncode == DELIVERED, err
    found = Path(json.loads(out)["corpus"])
    assert bytes_of(found) == bytes_of(corpus)
    kept = {path.name: path.stat().st_ino for path in found.glob("shard-*.parquet")}
    # One may have stood without its record.
    assert len(finished.items() - kept.items()) <= 1
    assert not list((tmp_path / ".staging").iterdir())


def test_a_lost_scheduler_costs_no_finished_shard(corpus: Path, shelf: Path, tmp_path: Path) -> None:
    """A cluster of its own; its scheduler killed outright in the middle, and all of it started again."""
    (vault := tmp_path / "vault").mkdir()
    port = open_port()
    with cluster(port, tmp_path) as (address, scheduler):
        run = start(shelf, vault, "--scheduler", address)
        until = time.monotonic() + _PATIENCE_S
        while not list(vault.glob("corpora/test/*/shard-*.json")):
            assert run.poll() is None, run.communicate()
            assert time.monotonic() < until
            time.sleep(0.01)
        scheduler.kill()
        out, err = run.communicate(timeout=30)
    assert run.returncode == FAILED
    assert json.loads(out)["error"] in err
    (line,) = err.splitlines()
    assert line.startswith(f"answerprint: {address}: the Dask scheduler went away; what was finished is kept")
    finished = {path.name: path.stat().st_ino for path in vault.glob("corpora/test/*/shard-*.parquet")}
    assert finished
    plan = planned(shelf, vault)
    with cluster(port, tmp_path) as (address, _), engine(scheduler=address) as crew:
        again = corpus_dispatch.make_shards(crew, plan, lambda clips: None)
    found = Path(finish_corpus(plan, again).corpus)
    assert bytes_of(found) == bytes_of(corpus)
    kept = {path.name: path.stat().st_ino for path in found.glob("shard-*.parquet")}
    # One may have stood without its record.
    assert len(finished.items() - kept.items()) <= 1


def start(shelf: Path, vault: Path, *options: str) -> "subprocess.Popen[str]":
    command = [sys.executable, "-m", "flows.cli", "synthesize", str(shelf), "--vault", str(vault)]
    command += ["--name", "test", "--clips", str(CLIPS), "--frames", str(FRAMES), "--size", str(SIZE)]
    command += [*options, "--json"]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


_ON_A_SMALL_DISK = """
import resource, sys
from tests.shelf import planned, made
from pathlib import Path
from storage.errors import VaultError
plan = planned(Path(sys.argv[1]), Path(sys.argv[2]))
resource.setrlimit(resource.RLIMIT_FSIZE, (400_000, 400_000))
try:
    made(plan)
except VaultError as error:
    sys.exit(str(error))
"""


def test_a_full_disk_is_told_and_the_next_run_goes_on(corpus: Path, shelf: Path, tmp_path: Path) -> None:
    """No file may grow to what a shard needs: the system refuses as it does when a disk is full."""
    run = subprocess.run(
        [sys.executable, "-c", _ON_A_SMALL_DISK, str(shelf), str(tmp_path)],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": os.getcwd()},
        timeout=_PATIENCE_S,
    )
    assert run.returncode == 1
    assert "shard-00000.parquet: cannot be written" in run.stderr
    assert "File too large" in run.stderr
    assert len(run.stderr.splitlines()) == 1
    assert not list(tmp_path.glob("corpora/*/*/*"))
    assert not list((tmp_path / ".staging").iterdir())
    assert bytes_of(made(planned(shelf, tmp_path))) == bytes_of(corpus)


def test_a_shard_that_fails_costs_no_other(crew: Engine, corpus: Path, shelf: Path, tmp_path: Path) -> None:
    """A film that changes after it was examined."""
    (tmp_path / "shelf").mkdir()
    for path in shelf.iterdir():
        (tmp_path / "shelf" / path.name).write_bytes(path.read_bytes())
    plan = planned(tmp_path / "shelf", tmp_path / "vault")
    hurt = tmp_path / "shelf" / next(film.name for film in plan.films)
    whole = hurt.read_bytes()
    hurt.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(CorpusError, match="run the same command to go on") as told:
        corpus_dispatch.make_shards(crew, plan, lambda clips: None)
    assert hurt.name in str(told.value)
    assert "\n" not in str(told.value)
    assert list((tmp_path / "vault").glob("corpora/test/*/shard-*.parquet"))
    hurt.write_bytes(whole)
    assert len(corpus_dispatch.make_shards(crew, plan, lambda clips: None)) == len(plan.shards)
