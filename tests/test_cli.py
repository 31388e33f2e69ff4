"""The command as a user meets it: bad input, one line each; one bad reel never costs the others."""

import json
import os
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from flows.cli import main
from flows.commands import DELIVERED, FAILED, USAGE, WITH_FAILURES
from storage.master import GREY8, Ffv1Writer
from storage.pixels import Picture
from storage.reel import VideoFacts
from tests.film import WORN, Plan, make_film

_GREY_18 = VideoFacts("ffv1", "gray", 160, 120, Fraction(18), Fraction(1), 0, "progressive", True, 2, 2, 2, 2)


def _write_film(path: Path) -> Path:
    with Ffv1Writer(path, _GREY_18) as writer:
        for frame in make_film(3, Plan(2, (12, 12)), WORN).frames:
            writer.write(Picture((frame,), GREY8))
    return path


def _write_sound(path: Path) -> Path:
    with av.open(str(path), "w") as container:
        stream = container.add_stream("pcm_s16le", rate=8000, layout="mono")
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 8000), np.int16), format="s16", layout="mono")
        frame.sample_rate = 8000
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory of one good film, one that is cut short, and everything that is no film."""
    shelf = tmp_path_factory.mktemp("shelf")
    whole = _write_film(shelf / "good.mkv").read_bytes()
    (shelf / "short.mkv").write_bytes(whole[: len(whole) * 2 // 3])
    (shelf / "empty.mkv").touch()
    (shelf / "text.mkv").write_text("not a film\n" * 50)
    _write_sound(shelf / "sound.mkv")
    (shelf / "playlist.mkv").write_text(f"#EXTM3U\n#EXTINF:1,\n{shelf / 'good.mkv'}\n#EXT-X-ENDLIST\n")
    (shelf / "concat.mkv").write_text(f"ffconcat version 1.0\nfile {shelf / 'good.mkv'}\n")
    return shelf


def test_one_bad_reel_costs_no_other(shelf: Path, tmp_path: Path) -> None:
    environment = {**os.environ, "PREFECT_HOME": str(tmp_path / "prefect")}
    command = [sys.executable, "-m", "flows.cli", "restore", str(shelf), str(shelf / "missing.mkv")]
    run = subprocess.run(
        [*command, "--vault", str(tmp_path / "vault"), "--json"],
        capture_output=True,
        text=True,
        env=environment,
        timeout=180,
    )
    assert run.returncode == FAILED
    assert run.stderr == ""
    reels = {Path(reel["source"]).name: reel for reel in json.loads(run.stdout)["reels"]}
    assert reels["good.mkv"]["status"] == "delivered"
    assert reels["short.mkv"]["status"] == "delivered with failures"
    assert reels["short.mkv"]["frames"] == 24
    assert 0 < reels["short.mkv"]["damaged_frames"] < 24
    told = {name: reel["errors"] for name, reel in reels.items() if reel["status"] == "failed"}
    assert told.keys() == {"empty.mkv", "text.mkv", "sound.mkv", "playlist.mkv", "concat.mkv", "missing.mkv"}
    assert all(
        len(errors) == 1 and "\n" not in errors[0] and name in errors[0] for name, errors in told.items()
    )
    assert "empty" in told["empty.mkv"][0]
    assert "no picture" in told["sound.mkv"][0]
    assert "no such file" in told["missing.mkv"][0]
    for reel in (reels["good.mkv"], reels["short.mkv"]):
        assert main(["verify", reel["delivery"]]) == DELIVERED
        assert all(Path(reel[name]).is_file() for name in ("master", "access", "mask", "changes"))


@pytest.mark.parametrize(
    ("arguments", "status", "told"),
    [
        pytest.param(
            ["restore", "{film}", "--vault", "{file}/vault"], FAILED, "cannot be written", id="vault"
        ),
        pytest.param(["restore", "{film}", "--vault", "ftp://x/y"], FAILED, "file:, s3: or gs:", id="scheme"),
        pytest.param(["restore", "{dir}/no*.mkv", "--vault", "{dir}/v"], USAGE, "no films there", id="glob"),
        pytest.param(
            ["restore", "{film}", "--vault", "{dir}/v", "--rate", "0"], USAGE, "1 to 240", id="rate"
        ),
        pytest.param(
            ["restore", "{film}", "--vault", "{dir}/v", "--rate", "x"], USAGE, "24000/1001", id="no rate"
        ),
        pytest.param(
            ["restore", "{film}", "--vault", "{dir}/v", "--restorer", "x"], USAGE, "classical", id="restorer"
        ),
        pytest.param(
            ["restore", "{film}", "--vault", "{dir}/v", "--restorer", "{dir}"],
            USAGE,
            "not a weight bundle",
            id="no bundle",
        ),
        pytest.param(
            ["plan", "{film}", "--vault", "{dir}/v", "--restorer", "rtn-paper"],
            USAGE,
            "import-weights FILE.pth",
            id="no weights",
        ),
        pytest.param(
            ["restore", "{film}", "--vault", "{dir}/v", "--shots", "x"], USAGE, "no such file", id="cut list"
        ),
        pytest.param(["verify", "{dir}"], FAILED, "neither a delivery nor a vault", id="verify"),
        pytest.param(["revert", "{dir}", "--output", "{dir}/x.mkv"], FAILED, "not a delivery", id="revert"),
        pytest.param(["status", "{dir}"], FAILED, "no vault there", id="status"),
        pytest.param(["plan", "{file}", "--vault", "{dir}/v"], FAILED, "not a film", id="plan"),
    ],
)
def test_what_cannot_be_done_is_told_in_one_line(
    arguments: list[str], status: int, told: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    film = _write_film(tmp_path / "film.mkv")
    text = tmp_path / "text.mkv"
    text.write_text("hello\n" * 100)
    places = {"film": film, "file": text, "dir": tmp_path}
    assert main([argument.format(**places) for argument in arguments]) == status
    out, err = capfd.readouterr()
    assert told in out + err
    assert len((out + err).strip().splitlines()) == 1


def test_a_plan_changes_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    film = _write_film(tmp_path / "film.mkv")
    before = sorted(tmp_path.rglob("*"))
    assert main(["plan", str(film), "--vault", str(tmp_path / "vault"), "--json"]) == DELIVERED
    (plan,) = json.loads(capsys.readouterr().out)["reels"]
    assert plan["frames"] == plan["frames_to_restore"] == 24
    assert plan["seconds"] > 0
    assert plan["storage_bytes"] > 0
    assert sorted(tmp_path.rglob("*")) == before


def test_exit_statuses_differ() -> None:
    assert len({DELIVERED, FAILED, USAGE, WITH_FAILURES}) == 4
