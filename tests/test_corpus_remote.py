"""Films and vault in an object store: the same clips as from this disk, and trouble told in one line."""

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import pytest

from flows.cli import main
from flows.commands import FAILED
from flows.synthesize_corpus import synthesize_corpus
from storage.corpus import RECORD, Corpus
from storage.errors import SourceError
from storage.survey import survey
from tasks.corpora.corpus import find_corpus
from tasks.corpora.rebuild import rebuild_corpus
from tasks.corpora.verify import verify_corpus
from tasks.dask_engine import Engine, engine
from tasks.learning.windows import WindowConfig, Windows
from tasks.sources import find_sources
from tests.footage import pan, write_film
from tests.s3 import serving
from tests.shelf import made, planned, rows_of

pytestmark = pytest.mark.usefixtures("quiet_prefect")

_CLIPS, _FRAMES, _SIZE = 16, 6, 64
_NAMED = ["s3://films/reel #1.mkv", "s3://films/shelf/"]
_KEYS = {"AWS_ACCESS_KEY_ID": "known", "AWS_SECRET_ACCESS_KEY": "secret"}


@dataclass(frozen=True)
class Store:
    """What serves S3, as seen from behind."""

    root: Path
    asked: list[str]
    there: str
    """What leads to it in a URI; the environment does too."""


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory, quiet_prefect: None) -> Iterator[Store]:
    """A film, a folder with a film below and an image sequence, a bucket for vaults."""
    root = tmp_path_factory.mktemp("s3")
    (root / "archive").mkdir()
    (root / "films" / "shelf" / "deep").mkdir(parents=True)
    (root / "films" / "shelf" / "scan").mkdir()
    write_film(root / "films" / "reel #1.mkv", pan(3, 30))
    write_film(root / "films" / "shelf" / "deep" / "two.mkv", pan(4, 30))
    for number, frame in enumerate(pan(7, 20)):
        cv2.imwrite(str(root / "films" / "shelf" / "scan" / f"f.{number:04d}.png"), frame)
    with pytest.MonkeyPatch.context() as patch, serving(root, known_only=True) as (there, asked):
        patch.setenv("AWS_ENDPOINT_URL", f"http://{there.rpartition('=')[2]}")
        patch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        patch.setenv("AWS_EC2_METADATA_DISABLED", "true")
        patch.setenv("TMPDIR", str(tmp_path_factory.mktemp("tmp")))
        patch.setattr(tempfile, "tempdir", None)
        for name, value in _KEYS.items():
            patch.setenv(name, value)
        yield Store(root, asked, there)


@pytest.fixture(scope="module")
def crew(store: Store) -> Iterator[Engine]:
    """One worker that knows the store."""
    with engine(1) as crew:
        yield crew


def test_a_corpus_is_made_checked_and_rebuilt_elsewhere(store: Store, crew: Engine, tmp_path: Path) -> None:
    scheduler = crew._client.scheduler.address

    def run() -> str:
        return synthesize_corpus(
            _NAMED, "s3://archive/vault/", "far", "medium", _CLIPS, _FRAMES, _SIZE, scheduler=scheduler
        ).corpus

    corpus = run()
    assert corpus.startswith("s3://archive/vault/corpora/far/")
    rows = Corpus.open(corpus).rows
    assert {row["source"] for row in rows} == {
        "s3://films/reel #1.mkv", "s3://films/shelf/deep/two.mkv", "s3://films/shelf/scan"
    }  # fmt: skip
    near = made(planned(store.root / "films", tmp_path, clips=_CLIPS, frames=_FRAMES, size=_SIZE))
    assert {(row["seed"], row["pixels_sha256"]) for row in rows} == {
        (row["seed"], row["pixels_sha256"]) for row in rows_of(near)
    }

    del store.asked[:]
    assert run() == corpus
    written = {ask.partition(" ")[2] for ask in store.asked if ask.startswith("PUT")} - {""}
    assert written == {"manifest.parquet", "statistics.json", "contact-sheet.jpg", RECORD}

    assert verify_corpus(crew, "s3://archive/vault/corpora/far", every=True).problems == ()
    rebuilt = rebuild_corpus(crew, corpus, "s3://archive/again", [], lambda clips: None)
    assert rebuilt.differing == ()
    key = corpus.removeprefix("s3://archive/vault/")
    for path in (store.root / "archive" / "again" / key).glob("*.parquet"):
        assert path.read_bytes() == (store.root / "archive" / "vault" / key / path.name).read_bytes()

    vault, found, _ = find_corpus(f"s3://archive/vault/corpora/far{store.there}")
    assert found == f"far/{Path(key).name}"
    windows = Windows(vault.url(found), WindowConfig(frames=3, crop_px=32))
    assert windows[0, 0].damaged.shape == (3, 1, 32, 32)


def test_a_damaged_film_is_read_as_far_as_on_this_disk(store: Store, tmp_path: Path) -> None:
    whole = (store.root / "films" / "reel #1.mkv").read_bytes()
    (store.root / "films" / "torn.mkv").write_bytes(whole[: len(whole) * 2 // 3])
    near, near_rows = survey(str(store.root / "films" / "torn.mkv"))
    far, far_rows = survey("s3://films/torn.mkv")
    (store.root / "films" / "torn.mkv").unlink()
    assert (far.name, far.sha256, far.damaged_frames) == (near.name, near.sha256, near.damaged_frames)
    assert far_rows == near_rows


def test_what_is_named_in_a_store(store: Store) -> None:
    scan = "s3://films/shelf/scan"
    assert find_sources(["s3://films"]) == ["s3://films/reel #1.mkv", "s3://films/shelf/deep/two.mkv", scan]
    assert find_sources([f"{scan}/f.####.png"]) == [f"{scan}/f.####.png"]
    assert len(survey(f"{scan}/f.####.png")[1]) == len(survey(scan)[1]) == 20
    with pytest.raises(SourceError, match="one frame is no reel: give its folder, or a pattern like s3:"):
        survey(f"{scan}/f.0001.png")
    here = f"s3://films/shelf{store.there}"
    (two, _) = find_sources([here])
    assert two == f"s3://films/shelf/deep/two.mkv{store.there}"
    assert survey(two)[0].name == "two.mkv"


TROUBLE = {
    "no bucket for the vault": ("s3://films/shelf", "s3://none/vault", "s3://none/vault: the vault"),
    "no bucket of films": ("s3://none/shelf", "s3://archive/v", "s3://none/shelf: no such file"),
    "no such film": ("s3://films/none.mkv", "s3://archive/v", "s3://films/none.mkv: no such file"),
    "no such folder": ("s3://films/none/", "s3://archive/v", "s3://films/none: no such file or folder"),
}  # fmt: skip


@pytest.mark.parametrize("name", TROUBLE)
def test_trouble_is_told_in_one_line(name: str, store: Store, capfd: pytest.CaptureFixture[str]) -> None:
    source, vault, told = TROUBLE[name]
    assert told in _failing(source, vault, capfd)


@pytest.mark.parametrize("source", ["s3://films/shelf", "s3://films/reel #1.mkv", "{shelf}/pan3.mkv"])
def test_missing_credentials_are_told(
    source: str, store: Store, shelf: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    for name in _KEYS:
        monkeypatch.delenv(name)
    told = _failing(source.format(shelf=shelf), "s3://archive/v", capfd)
    assert told.partition(": ")[2].startswith("s3://")
    assert "give credentials" in told


def _failing(source: str, vault: str, capfd: pytest.CaptureFixture[str]) -> str:
    capfd.readouterr()
    assert main(["synthesize", source, "--vault", vault, "--name", "x"]) == FAILED
    out, err = capfd.readouterr()
    (line,) = (out + err).strip().splitlines()
    return line
