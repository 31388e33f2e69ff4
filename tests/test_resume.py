"""Killed and started again, a run ends with the bytes of an undisturbed one, and does nothing twice."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import psutil
import pytest

from storage.delivery import ACCESS, CHANGES, MASK, MASTER, MASTER_SUMS, ORIGINALS
from storage.fixity import sha256_file
from storage.master import GREY8, Ffv1Writer
from storage.pixels import Picture
from storage.reel import VideoFacts
from tests.film import WORN, Plan, make_film

_SHOTS, _SHOT_FRAMES = 6, 16
_PATIENCE_S = 120


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A reel of six shots with dirt, and its cut list."""
    folder = tmp_path_factory.mktemp("reel")
    cuts = folder / "cuts.csv"
    cuts.write_text("".join(f"{n * _SHOT_FRAMES}\n" for n in range(1, _SHOTS)))
    plan = Plan(_SHOTS, (_SHOT_FRAMES, _SHOT_FRAMES), height=240, width=320)
    video = VideoFacts(
        "ffv1", "gray", 320, 240, Fraction(18), Fraction(1), 0, "progressive", True, 2, 2, 2, 2
    )
    with Ffv1Writer(folder / "reel.mkv", video) as writer:
        for frame in make_film(5, plan, WORN).frames:
            writer.write(Picture((frame,), GREY8))
    return folder / "reel.mkv", cuts


@pytest.fixture(scope="module")
def undisturbed(film: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    vault = tmp_path_factory.mktemp("undisturbed")
    run = _start(film, vault)
    assert run.wait(_PATIENCE_S) == 0
    return _bytes_of(vault)


def _start(film: tuple[Path, Path], vault: Path) -> "subprocess.Popen[str]":
    reel, cuts = film
    command = [sys.executable, "-m", "flows.cli", "restore", str(reel), "--vault", str(vault), "--json"]
    command += ["--shots", str(cuts), "--workers", "2"]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def _kill_driver(run: "subprocess.Popen[str]") -> None:
    servers = [
        p for p in psutil.Process(run.pid).children(recursive=True) if "uvicorn" in " ".join(p.cmdline())
    ]
    run.kill()
    for server in servers:  # Prefect's own outlives who started it
        server.kill()


def _stop_driver(run: "subprocess.Popen[str]") -> None:
    run.terminate()


def _kill_worker(run: "subprocess.Popen[str]") -> None:
    workers = [
        p for p in psutil.Process(run.pid).children(recursive=True) if "_Actor" in " ".join(p.cmdline())
    ]
    assert workers, "no worker is running"
    workers[0].kill()


def _kill_ray(run: "subprocess.Popen[str]") -> None:
    rays = [p for p in psutil.Process(run.pid).children(recursive=True) if p.name() == "raylet"]
    assert rays, "no raylet is running"
    rays[0].kill()


@pytest.mark.parametrize(
    ("kill", "shots_before"),
    [
        pytest.param(_kill_driver, 0, id="driver, in the first shot"),
        pytest.param(_kill_driver, 3, id="driver, after three shots"),
        pytest.param(_kill_worker, 1, id="worker, after one shot"),
        pytest.param(_kill_ray, 2, id="ray, after two shots"),
        pytest.param(_stop_driver, 2, id="stopped by a signal, after two shots"),
    ],
)
def test_a_killed_run_ends_with_the_same_bytes(
    kill: Callable[["subprocess.Popen[str]"], None],
    shots_before: int,
    film: tuple[Path, Path],
    undisturbed: dict[str, str],
    tmp_path: Path,
) -> None:
    run = _start(film, tmp_path)
    _wait_for(run, lambda: _staged(tmp_path) and len(_finished(tmp_path)) >= shots_before)
    kill(run)
    finished = _finished(tmp_path)
    status = run.wait(_PATIENCE_S)
    if kill is _kill_driver:
        assert status == -signal.SIGKILL
    if status != 0:
        assert (again := _start(film, tmp_path)).wait(_PATIENCE_S) == 0, (
            again.stderr.read() if again.stderr else ""
        )
    assert _bytes_of(tmp_path) == undisturbed
    assert finished.items() <= _finished(tmp_path).items(), "a finished shot was done again"
    assert len(_finished(tmp_path)) == _SHOTS
    assert not list((tmp_path / ".staging").iterdir()), "half-written work was left behind"


def test_a_second_run_does_nothing(film: tuple[Path, Path], tmp_path: Path) -> None:
    first, second = (_run_and_look(film, tmp_path) for _ in range(2))
    assert first == second


def _run_and_look(film: tuple[Path, Path], vault: Path) -> tuple[object, dict[Path, int]]:
    """What the run tells of its reel, and when each of the reel's files was last written."""
    run = _start(film, vault)
    out, err = run.communicate(timeout=_PATIENCE_S)
    assert run.returncode == 0, err
    stamps = {path: path.stat().st_mtime_ns for path in (vault / "reels").rglob("*") if path.is_file()}
    return json.loads(out)["reels"][0], stamps


def _wait_for(run: "subprocess.Popen[str]", ready: Callable[[], object]) -> None:
    until = time.monotonic() + _PATIENCE_S
    while not ready():
        assert run.poll() is None, run.stderr.read() if run.stderr else "the run ended early"
        assert time.monotonic() < until, "the run does not get on"
        time.sleep(0.02)


def _staged(vault: Path) -> bool:
    return any((vault / ".staging").glob("*/restored.mkv"))


def _finished(vault: Path) -> dict[str, int]:
    """Each finished shot's inode: a shot done again has another."""
    return {path.parent.name: os.stat(path).st_ino for path in vault.glob("reels/*/shots/*/shot.json")}


def _bytes_of(vault: Path) -> dict[str, str]:
    (data,) = vault.glob("reels/*/deliver/*/data")
    names = [MASTER, MASK, ORIGINALS, ACCESS, CHANGES, MASTER_SUMS, "delivery.json", "shots.otio"]
    return {"delivery": data.parent.name, **{name: sha256_file(data / name) for name in names}}


@pytest.fixture(autouse=True)
def _quiet_prefect(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    home = tmp_path_factory.getbasetemp() / "prefect"
    monkeypatch.setenv("PREFECT_HOME", str(home))
