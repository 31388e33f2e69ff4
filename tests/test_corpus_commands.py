"""Corpora looked into, checked and made again; what is asked for in vain is told in one line."""

import json
from collections import Counter
from pathlib import Path

import pytest

from flows.cli import main
from flows.commands import DELIVERED, FAILED, USAGE
from storage.corpus import RECORD, TABLE
from tasks.corpora import sheet as corpus_sheet
from tasks.corpora.errors import CorpusError
from tasks.corpora.rebuild import rebuild_corpus
from tasks.corpora.verify import verify_corpus
from tasks.dask_engine import Engine
from tasks.request import RequestError
from tests.shelf import CLIPS, bytes_of, made, planned

pytestmark = pytest.mark.usefixtures("quiet_prefect")


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
    assert json.loads(capsys.readouterr().out)["clips"] == CLIPS


@pytest.mark.parametrize("films", [1, 40])
def test_a_sheet_shows_every_kind_however_many_films_there_are(films: int) -> None:
    kinds = [("damaged", None), ("clean", None), ("lookalike", "rain"), ("lookalike", "writing")]
    rows = [
        {"kind": kind, "lookalike": like, "film": str(film), "damaged_share": 0.01 * n, "clip": f"{film} {n}"}
        for film in range(films)
        for kind, like in kinds
        for n in range(30)
    ]
    shown = Counter(row["lookalike"] or row["kind"] for row in corpus_sheet._spread(rows))
    assert shown == {"damaged": 12, "clean": 4, "rain": 4, "writing": 4}
