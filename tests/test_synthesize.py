"""A corpus of clean films is whole or tells why not: the same bytes whoever makes it and whatever dies."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import psutil
import pytest

from degradation.generator import LAYERS
from flows.cli import DELIVERED, FAILED, USAGE, main
from storage.corpus import FACTS, RECORD, TABLE, Clip, Corpus, Shard
from storage.eightbit import Window, grey8, shrunk
from storage.fixity import sha256_file
from storage.frames import read_frames
from storage.vault import Vault
from tasks import corpus_dispatch
from tasks.corpus import FIGURES, SHEET, CorpusPlan, finish_corpus, open_corpus, plan_corpus
from tasks.corpus_errors import CorpusError, EngineError
from tasks.corpus_rebuild import rebuild_corpus
from tasks.corpus_request import CorpusRequest
from tasks.corpus_verify import verify_corpus
from tasks.dask_engine import Engine, WorkerDied, engine
from tasks.ingest import load
from tasks.request import RequestError
from tasks.synthesize import make_shard
from tests.footage import pan, shots, write_film

_FRAMES, _SIZE, _CLIPS = 6, 64, 70
_PATIENCE_S = 180


@pytest.fixture(scope="module", autouse=True)
def _quiet_prefect(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PREFECT_HOME", str(tmp_path_factory.getbasetemp() / "prefect"))
        patch.delenv("DASK_SCHEDULER_ADDRESS", raising=False)
        yield


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four films, one that is too short, and one that is none."""
    shelf = tmp_path_factory.mktemp("shelf")
    for seed in (1, 2):
        write_film(shelf / f"shots{seed}.mkv", shots(seed))
    for seed in (3, 4):
        write_film(shelf / f"pan{seed}.mkv", pan(seed, 40))
    write_film(shelf / "short.mkv", pan(5, 4))
    (shelf / "none.mkv").write_text("no film\n" * 50)
    return shelf


@pytest.fixture(scope="module")
def crew() -> Iterator[Engine]:
    """Two workers."""
    with engine(2) as crew:
        yield crew


def planned(shelf: Path, vault: Path, **asked: Any) -> CorpusPlan:
    request = CorpusRequest(
        str(vault), **{"name": "test", "clips": _CLIPS, "frames": _FRAMES, "size": _SIZE, **asked}
    )
    examined = [
        corpus_dispatch._examine(corpus_dispatch.FilmJob(str(vault), source))
        for source in open_corpus(request, [str(shelf)])
    ]
    rejected = [each for each in examined if isinstance(each, corpus_dispatch.Rejection)]
    return plan_corpus(request, [each for each in examined if each not in rejected], rejected)


def made(plan: CorpusPlan) -> Path:
    outcome = finish_corpus(plan, [make_shard(job) for job in plan.jobs()])
    return Path(outcome.corpus)


@pytest.fixture(scope="module")
def corpus(shelf: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Made by one process, undisturbed."""
    return made(planned(shelf, tmp_path_factory.mktemp("undisturbed")))


def bytes_of(corpus: Path) -> dict[str, str]:
    return {path.name: sha256_file(path) for path in sorted(corpus.iterdir())}


def rows_of(corpus: Path) -> list[dict[str, Any]]:
    return list(Corpus.open(str(corpus)).rows)


def clips_of(path: Path) -> Iterator[Clip]:
    with Shard.open(str(path)) as shard:
        yield from (shard.clip(n) for n in range(len(shard)))


def test_a_corpus_holds_what_its_manifest_tells(corpus: Path, shelf: Path) -> None:
    rows = rows_of(corpus)
    kept = [row for row in rows if row["status"] == "kept"]
    assert len(kept) == _CLIPS
    told = {Path(row["source"]).name: row["reason"] for row in rows if row["status"] == "rejected"}
    assert told.keys() == {"short.mkv", "none.mkv"}
    assert told["short.mkv"].startswith("too_short: 4 frames")
    assert told["none.mkv"].startswith("corrupt: not a film")
    record = json.loads((corpus / RECORD).read_text())
    assert record["layers"] == list(LAYERS)
    assert record["splits"] == {s: sum(row["split"] == s for row in kept) for s in ("train", "val", "test")}
    assert min(record["splits"].values()) > 0
    assert json.loads((corpus / FIGURES).read_text()) == record["statistics"]
    assert {shard["shard"]: shard["sha256"] for shard in record["shards"]} == {
        path.name: sha256_file(path) for path in corpus.glob("shard-*.parquet")
    }
    sheet = cv2.imread(str(corpus / SHEET))
    assert sheet is not None
    assert sheet.std() > 20


def test_a_clip_is_cut_as_its_row_tells(corpus: Path) -> None:
    """Frame by frame from the source: start, step, direction, place and mirror."""
    vault = Vault(str(corpus.parents[2]))
    seen = set()
    for row in rows_of(corpus):
        if row["status"] == "rejected":
            continue
        with Shard.open(str(corpus / row["shard"])) as shard:
            assert shard.facts(row["row"]) == {name: row[name] for name in FACTS}
            clip = shard.clip(row["row"])
        assert clip.pixels_sha256 == row["pixels_sha256"]
        reel = load(vault, row["film"][:16])
        window = Window(row["top"], row["left"], _SIZE, _SIZE)
        for n in range(len(clip.clean_TCHW)):
            frame = row["start_frame"] + n * row["step"]
            (picture,) = read_frames(reel.reel, reel.rows, frame, frame + 1)
            cut = shrunk(grey8(picture, reel.reel.video, window), Fraction(row["scale"]))
            assert np.array_equal(clip.clean_TCHW[n, 0], cut[:, ::-1] if row["flip"] else cut)
        seen.add((row["step"], row["flip"]))
        if len(seen) == 8:
            break
    assert len(seen) >= 6


def test_the_mask_is_exactly_where_damage_was_laid(corpus: Path) -> None:
    damaged = 0
    for path in corpus.glob("shard-*.parquet"):
        with Shard.open(str(path)) as shard:
            transferred = ["transfer" in shard.facts(n)["families"] for n in range(len(shard))]
        for clip, spread in zip(clips_of(path), transferred, strict=True):
            differs_THW = (clip.damaged_TCHW != clip.undamaged_TCHW).any(axis=1)
            # Video transfer spreads damage faintly beyond its mask.
            assert spread or not (differs_THW & (clip.masks_THW == 0)).any()
            assert clip.masks_THW.max() < 1 << len(LAYERS)
            assert clip.damaged_TCHW.shape == clip.target_TCHW.shape == (_FRAMES, 1, _SIZE, _SIZE)
            damaged += int(differs_THW.sum())
    assert damaged > 1000


def test_colour_has_three_channels(shelf: Path, tmp_path: Path) -> None:
    found = made(planned(shelf, tmp_path, colour=True, clips=4))
    for clip in clips_of(next(found.glob("shard-*.parquet"))):
        assert clip.clean_TCHW.shape[1:] == clip.damaged_TCHW.shape[1:] == (3, _SIZE, _SIZE)


@pytest.mark.parametrize(
    "asked",
    [{"seed": 2}, {"recipe": "heavy"}, {"clips": 69}, {"frames": 7}, {"hold_out": ("pan4", "shots1.mkv")}],
    ids=str,
)
def test_what_can_change_a_byte_changes_the_name(
    asked: dict[str, Any], corpus: Path, shelf: Path, tmp_path: Path
) -> None:
    assert planned(shelf, tmp_path).key.rpartition("/")[2] == corpus.name
    assert planned(shelf, tmp_path, **asked).key.rpartition("/")[2] != corpus.name


def test_what_is_there_is_not_made_again(shelf: Path, tmp_path: Path) -> None:
    plan = planned(shelf, tmp_path)
    found = made(plan)
    before = {path: path.stat().st_ino for path in found.glob("shard-*.parquet")}
    first = found / "shard-00000.parquet"
    whole = first.read_bytes()
    first.write_bytes(whole[:-1])
    made(plan)
    assert first.read_bytes() == whole
    after = {path: path.stat().st_ino for path in found.glob("shard-*.parquet")}
    assert {path for path in before if before[path] != after[path]} <= {first}
    assert not list((tmp_path / ".staging").iterdir())


def test_a_clip_that_shows_nothing_is_a_row(tmp_path: Path) -> None:
    """Half of the picture is black, so that some clips see nothing."""
    frames = [np.hstack([np.zeros((120, 300), np.uint8), frame[:, :80]]) for frame in pan(6, 40)]
    (tmp_path / "shelf").mkdir()
    write_film(tmp_path / "shelf" / "half.mkv", frames)
    rows = rows_of(made(planned(tmp_path / "shelf", tmp_path / "vault", clips=30)))
    dark = [row for row in rows if row["status"] == "rejected"]
    assert 0 < len(dark) < 30 == len(rows)
    assert all(row["reason"].startswith("flat: ") and row["clip"] and row["shard"] for row in dark)


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
    run = start(shelf, tmp_path, workers=2)
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
    again = start(shelf, tmp_path, workers=1)
    out, err = again.communicate(timeout=_PATIENCE_S)
    assert again.returncode == DELIVERED, err
    found = Path(json.loads(out)["corpus"])
    assert bytes_of(found) == bytes_of(corpus)
    kept = {path.name: path.stat().st_ino for path in found.glob("shard-*.parquet")}
    # One may have stood without its record.
    assert len(finished.items() - kept.items()) <= 1
    assert not list((tmp_path / ".staging").iterdir())


def start(shelf: Path, vault: Path, workers: int) -> "subprocess.Popen[str]":
    command = [sys.executable, "-m", "flows.cli", "synthesize", str(shelf), "--vault", str(vault)]
    command += ["--name", "test", "--clips", str(_CLIPS), "--frames", str(_FRAMES), "--size", str(_SIZE)]
    command += ["--workers", str(workers), "--json"]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


_ON_A_SMALL_DISK = """
import resource, sys
from tests.test_synthesize import planned, made
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


def double_or_die(number: int) -> int:
    if number == 3:
        os._exit(1)
    if number == 5:
        raise ValueError("five")
    return 2 * number


def test_a_poison_job_is_given_up_and_the_others_go_on(crew: Engine) -> None:
    ended = {done.job: done for done in crew.each(double_or_die, range(12))}
    assert len(ended) == 12
    assert isinstance(ended[3].error, WorkerDied)
    assert isinstance(ended[5].error, ValueError)
    assert {n: done.result for n, done in ended.items() if done.error is None} == {
        n: 2 * n for n in range(12) if n not in (3, 5)
    }


def test_a_scheduler_by_address(crew: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    address = crew._client.scheduler.address
    with engine(scheduler=address) as there:
        assert sorted(done.result or 0 for done in there.each(abs, [-1, -2])) == [1, 2]
    monkeypatch.setenv("DASK_SCHEDULER_ADDRESS", address)
    with engine() as there:
        assert there._client.scheduler.address == address


def test_an_unreachable_scheduler_is_told_in_seconds() -> None:
    started = time.monotonic()
    with (
        pytest.raises(EngineError, match=r"tcp://127\.0\.0\.1:9: no Dask scheduler answers there"),
        engine(scheduler="tcp://127.0.0.1:9"),
    ):
        pass
    assert time.monotonic() - started < 30


def test_a_corpus_is_rebuilt_from_its_record(crew: Engine, shelf: Path, tmp_path: Path) -> None:
    """The films lie elsewhere, under other names."""
    (tmp_path / "shelf").mkdir()
    for path in shelf.iterdir():
        (tmp_path / "shelf" / path.name).write_bytes(path.read_bytes())
    found = made(planned(tmp_path / "shelf", tmp_path / "vault"))
    (tmp_path / "shelf").rename(tmp_path / "moved")
    for path in list((tmp_path / "moved").iterdir()):
        path.rename(path.with_name(f"x{path.name}"))
    other = str(tmp_path / "other")
    with pytest.raises(CorpusError, match="name its folder with --sources"):
        rebuild_corpus(crew, str(found), other, [], lambda clips: None)
    rebuilt = rebuild_corpus(crew, str(found), other, [str(tmp_path / "moved")], lambda clips: None)
    assert rebuilt.differing == ()
    assert rebuilt.same_installation
    assert bytes_of(Path(rebuilt.corpus)) == bytes_of(found)


def test_verifying_finds_what_is_wrong(crew: Engine, shelf: Path, tmp_path: Path) -> None:
    found = made(planned(shelf, tmp_path, clips=12))
    assert verify_corpus(crew, str(found), every=True).problems == ()
    assert verify_corpus(crew, str(found.parent), every=True).aged_again == 12
    record = json.loads((found / RECORD).read_text())
    # Another recipe than the clips were made with: only ageing them again can tell.
    spots = next(n for n, f in enumerate(record["recipe"]["families"]) if f["family"] == "contaminants")
    forged = json.loads(json.dumps(record))
    forged["recipe"]["families"][spots]["spots"] += 5
    (found / RECORD).write_text(json.dumps(forged))
    assert any("come out the same" in told for told in verify_corpus(crew, str(found), False).problems)
    # One film that is another's kin, in another split.
    forged = json.loads(json.dumps(record))
    first, other = (next(f for f in forged["films"] if f["split"] == s) for s in ("train", "test"))
    other["group"] = first["group"]
    (found / RECORD).write_text(json.dumps(forged))
    assert ["stands in test and train" in p for p in verify_corpus(crew, str(found), False).problems] == [
        True
    ]
    (found / RECORD).write_text(json.dumps(record))
    data = bytearray((found / "shard-00000.parquet").read_bytes())
    data[len(data) // 2] ^= 1
    (found / "shard-00000.parquet").write_bytes(data)
    (problem,) = verify_corpus(crew, str(found), False).problems
    assert problem == "shard-00000.parquet: is not the file that the record names"
    (found / TABLE).unlink()
    assert main(["corpus", "verify", str(found)]) == FAILED


def test_a_corpus_of_nothing_is_refused(shelf: Path, tmp_path: Path) -> None:
    with pytest.raises(
        RequestError, match=r"no clip of 6 frames of 256x256 can be cut: .*too_small: 160x120"
    ):
        planned(shelf / "pan3.mkv", tmp_path, size=256)


BAD = {
    "no sources": (["{empty}", "--vault", "{dir}/v", "--name", "x"], USAGE, "no films there"),
    "name": (["{film}", "--vault", "{dir}/v", "--name", "a/b"], USAGE, "--name a/b"),
    "recipe": (["{film}", "--vault", "{dir}/v", "--name", "x", "--recipe", "no"], USAGE, "no such"),
    "recipe file": (
        ["{film}", "--vault", "{dir}/v", "--name", "x", "--recipe", "{dir}/bad.json"], USAGE, "s.0.spot"
    ),
    "no recipe file": (
        ["{film}", "--vault", "{dir}/v", "--name", "x", "--recipe", "{dir}/no.json"], USAGE, "No such"
    ),
    "size": (["{film}", "--vault", "{dir}/v", "--name", "x", "--size", "65"], USAGE, "multiple of 8"),
    "clips": (["{film}", "--vault", "{dir}/v", "--name", "x", "--clips", "0"], USAGE, "at least 1"),
    "frames": (["{film}", "--vault", "{dir}/v", "--name", "x", "--frames", "0"], USAGE, "1 to 240"),
    "seed": (["{film}", "--vault", "{dir}/v", "--name", "x", "--seed", "-1"], USAGE, "from 0"),
    "splits": (["{film}", "--vault", "{dir}/v", "--name", "x", "--splits", "8/1"], USAGE, "80/10/10"),
    "vault": (["{film}", "--vault", "{film}/v", "--name", "x"], FAILED, "cannot be written"),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_what_cannot_be_made_is_told_in_one_line(
    name: str, shelf: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    arguments, status, told = BAD[name]
    (tmp_path / "empty").mkdir()
    (tmp_path / "bad.json").write_text('{"name": "x", "families": [{"family": "contaminants", "spot": 1}]}')
    places = {"film": shelf / "pan3.mkv", "dir": tmp_path, "empty": tmp_path / "empty"}
    assert main(["synthesize", *(argument.format(**places) for argument in arguments)]) == status
    out, err = capfd.readouterr()
    assert told in out + err
    assert len((out + err).strip().splitlines()) == 1


@pytest.mark.parametrize("action", ["show", "verify"])
def test_no_corpus_is_told(action: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["corpus", action, str(tmp_path)]) == FAILED
    assert "no finished corpus there" in capsys.readouterr().err


def test_a_corpus_is_shown(corpus: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["corpus", "show", str(corpus)]) == DELIVERED
    shown = capsys.readouterr().out
    assert all(word in shown for word in ("train", "contaminants", "too_short", "pan3.mkv"))
    assert main(["corpus", "show", str(corpus), "--json"]) == DELIVERED
    assert json.loads(capsys.readouterr().out)["clips"] == _CLIPS
