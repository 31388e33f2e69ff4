"""Colouring from the command line on real workers: killed and started again, it ends with the same bytes."""

import csv
import json
import subprocess
import sys
import time
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import psutil
import pytest

from flows.cli import main
from storage.colour_delivery import COLOUR, COLOUR_ACCESS, COLOUR_SUMS, COVERAGE, LUMA_SUMS
from storage.fixity import sha256_file
from storage.master import GREY8, Ffv1Writer
from storage.pixels import Picture
from storage.reel import VideoFacts
from tests.film import Plan, make_film
from tests.painting import coloured, grey_still, paint, painted, restored

_SHOTS, _SHOT_FRAMES = 4, 8
_PATIENCE_S = 240


@pytest.fixture(autouse=True)
def _quiet_prefect(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    monkeypatch.setenv("PREFECT_HOME", str(tmp_path_factory.getbasetemp() / "prefect"))


def _film(root: Path, seed: int = 5) -> Path:
    video = VideoFacts(
        "ffv1", "gray", 320, 240, Fraction(18), Fraction(1), 0, "progressive", True, 2, 2, 2, 2
    )
    plan = Plan(_SHOTS, (_SHOT_FRAMES, _SHOT_FRAMES), cut_ins=0, height=240, width=320)
    with Ffv1Writer(root / "reel.mkv", video) as writer:
        for frame in make_film(seed, plan).frames:
            writer.write(Picture((frame,), GREY8))
    return root / "reel.mkv"


def _start(reel: Path, vault: Path, stills: Path) -> "subprocess.Popen[str]":
    command = [sys.executable, "-m", "flows.cli", "colour", str(reel), "--vault", str(vault), "--json"]
    command += ["--stills", str(stills), "--no-sharing", "--workers", "1"]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def _finished(vault: Path) -> dict[str, int]:
    """Each finished shot's inode: a shot done again has another."""
    return {path.parent.name: path.stat().st_ino for path in vault.glob("reels/*/colour/*/shot.json")}


def _kill(run: "subprocess.Popen[str]") -> None:
    servers = [
        p for p in psutil.Process(run.pid).children(recursive=True) if "uvicorn" in " ".join(p.cmdline())
    ]
    run.kill()
    for server in servers:  # Prefect's own outlives who started it
        server.kill()
    run.wait(_PATIENCE_S)


def test_a_killed_run_ends_with_the_bytes_of_an_undisturbed_one(tmp_path: Path) -> None:
    """Undisturbed in this process; killed after a shot and run again on Ray. One still of four is refused."""
    source = _film(tmp_path)
    cuts = [n * _SHOT_FRAMES for n in range(1, _SHOTS)]
    vaults = {name: restored(tmp_path / name, source, cuts) for name in ("undisturbed", "killed")}
    stills = tmp_path / "stills"
    for frame in (4, 12, 20):
        paint(stills, *vaults["killed"], frame)
    cv2.imwrite(str(stills / "reel_28.png"), painted(make_film(9, Plan(1, (1, 1))).frames[0]))
    expected = coloured(*vaults["undisturbed"], stills, "default").data
    killed = tmp_path / "killed"
    run = _start(source, killed, stills)
    until = time.monotonic() + _PATIENCE_S
    while not _finished(killed):
        assert run.poll() is None, run.stderr.read() if run.stderr else ""
        assert time.monotonic() < until, "the run does not get on"
        time.sleep(0.02)
    _kill(run)
    before = _finished(killed)
    again = _start(source, killed, stills)
    out, err = again.communicate(timeout=_PATIENCE_S)
    assert again.returncode == 3, err  # a still was refused
    (outcome,) = json.loads(out)["reels"]
    assert (outcome["status"], outcome["coloured_shots"]) == ("delivered with failures", 3)
    assert outcome["grey_shots"] == [4]
    (line,) = outcome["refused_stills"]
    assert line.startswith("reel_28.png: is 160x120 and the reel is 320x240")
    assert before.items() <= _finished(killed).items(), "a finished shot was done again"
    (data,) = killed.glob(f"reels/*/deliver/{expected.parent.name}/data")
    for name in (COLOUR, COVERAGE, COLOUR_ACCESS, COLOUR_SUMS, LUMA_SUMS):
        assert sha256_file(data / name) == sha256_file(expected / name), name
    assert not list((killed / ".staging").iterdir()), "half-written work was left behind"


def test_the_frames_worth_painting_are_written_grey_under_their_names(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = _film(tmp_path)
    vault, reel = restored(tmp_path / "vault", source, [n * _SHOT_FRAMES for n in range(1, _SHOTS)])
    output = tmp_path / "stills"
    output.mkdir()
    options = ["--vault", vault.uri, "--output", str(output), "--workers", "1"]
    assert main(["colour-stills", str(source), *options, "--json"]) == 0
    (told,) = json.loads(capsys.readouterr().out)["reels"]
    assert 0.5 < told["reached"] <= 1
    assert {still["shot"] for still in told["stills"]} == {1, 2, 3, 4}
    for still in told["stills"]:
        written = cv2.imread(str(output / still["still"]), cv2.IMREAD_UNCHANGED)
        assert np.array_equal(written, grey_still(vault, reel, still["frame"]))
        assert (still["shot"] - 1) * _SHOT_FRAMES <= still["frame"] < still["shot"] * _SHOT_FRAMES
    with (output / "reel_stills.csv").open() as table:
        assert [row["still"] for row in csv.DictReader(table)] == [each["still"] for each in told["stills"]]
    adds = [still["adds"] for still in told["stills"]]
    assert adds == sorted(adds, reverse=True)
    best = output / told["stills"][0]["still"]
    cv2.imwrite(str(best), painted(grey_still(vault, reel, told["stills"][0]["frame"]))[..., ::-1])
    kept = best.read_bytes()
    (tmp_path / "other").mkdir()
    other = _film(tmp_path / "other", seed=6)
    assert main(["colour-stills", str(source), str(other), *options, "--count", "1"]) == 1
    assert best.read_bytes() == kept
    out, err = capsys.readouterr()
    assert f"1 still to paint in {output}" in out
    assert f"{other}: not restored yet" in err
