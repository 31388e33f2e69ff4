"""Under which licence films came: told by a table, kept in the record, shown; no part of a corpus' name."""

import json
import re
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from prefect.artifacts import Artifact

from flows.cli import main
from flows.commands import DELIVERED, USAGE
from storage.corpus import RECORD, Corpus
from tasks.corpora.licences import Licence, licences_of, read_licences
from tasks.corpora.rebuild import rebuild_corpus
from tasks.corpora.usable import UsableFilm
from tasks.dask_engine import Engine
from tasks.request import RequestError
from tests.shelf import FRAMES, SIZE, bytes_of, made, planned

pytestmark = pytest.mark.usefixtures("quiet_prefect")

TABLE = (
    "film,licence,origin\npan3,CC0-1.0,the town's museum\nshots1.mkv,CC BY 4.0,\npan4.mkv,,a box\nno.mkv,x,\n"
)


def written(folder: Path, text: str) -> str:
    (folder / "licences.csv").write_text(text)
    return str(folder / "licences.csv")


def told(corpus: Path) -> dict[str, tuple[str | None, str | None]]:
    films = Corpus.open(str(corpus)).record["films"]
    return {film["name"]: (film["licence"], film["origin"]) for film in films}


KNOWN = {
    "pan3.mkv": ("CC0-1.0", "the town's museum"),
    "shots1.mkv": ("CC BY 4.0", None),
    "pan4.mkv": (None, "a box"),
    "shots2.mkv": (None, None),
}


def test_licences_are_recorded_and_change_no_pixel(
    crew: Engine, corpus: Path, shelf: Path, tmp_path: Path
) -> None:
    found = made(planned(shelf, tmp_path, licences=written(tmp_path, TABLE)))
    assert told(found) == KNOWN
    assert found.name == corpus.name
    assert {name for name, digest in bytes_of(found).items() if digest != bytes_of(corpus)[name]} == {RECORD}
    # A run without a table forgets nothing, another table has the last word on the films it names.
    made(planned(shelf, tmp_path))
    assert told(found) == KNOWN
    made(planned(shelf, tmp_path, licences=written(tmp_path, "film;licence\npan3;\nshots2;MIT\n")))
    assert told(found) == {**KNOWN, "pan3.mkv": (None, None), "shots2.mkv": ("MIT", None)}
    other = str(tmp_path / "other")
    rebuilt = rebuild_corpus(crew, str(found), other, [str(shelf)], lambda clips: None)
    assert bytes_of(Path(rebuilt.corpus)) == bytes_of(found)


def test_the_command_shows_what_is_known_and_what_is_not(
    shelf: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    command = [
        "synthesize",
        str(shelf),
        "--vault",
        str(tmp_path / "vault"),
        "--name",
        "test",
        "--clips",
        "12",
    ]
    command += ["--frames", str(FRAMES), "--size", str(SIZE), "--workers", "1"]
    assert main([*command, "--licences", written(tmp_path, TABLE)]) == DELIVERED
    said = capfd.readouterr().out.strip()
    assert said.endswith("; of unknown licence: 2 of 4 films")
    found = said.partition(": ")[0]
    assert main(["corpus", "show", found]) == DELIVERED
    shown = capfd.readouterr().out
    assert re.search(r"pan3\.mkv \(\w+, licence CC0-1\.0\)", shown)
    assert sum("licence unknown)" in line for line in shown.splitlines()) == 2
    assert main(["corpus", "show", found, "--json"]) == DELIVERED
    facts = json.loads(capfd.readouterr().out)
    assert set(facts["licences"]) == {"CC0-1.0", "CC BY 4.0", "unknown"}
    assert sum(facts["licences"].values()) == facts["clips"] == 12
    assert {film["name"]: film["licence"] for film in facts["films"]}["pan3.mkv"] == "CC0-1.0"
    slug = f"corpus-{Path(found).name}"
    films, page = (Artifact.get(f"{slug}-{part}") for part in ("films", "report"))
    assert {row["name"]: row["origin"] for row in json.loads(films.data)}["pan4.mkv"] == "a box"
    assert "CC BY 4.0" in page.data


def test_a_corpus_made_before_licences_were_kept_is_shown(
    shelf: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    found = made(planned(shelf, tmp_path, clips=8))
    record = json.loads((found / RECORD).read_text())
    for film in record["films"]:
        del film["licence"], film["origin"]
    (found / RECORD).write_text(json.dumps(record))
    assert main(["corpus", "show", str(found)]) == DELIVERED
    assert "licence unknown)" in capfd.readouterr().out
    made(planned(shelf, tmp_path, clips=8, licences=written(tmp_path, TABLE)))
    assert told(found) == KNOWN


def film(source: str) -> UsableFilm:
    name = source.rpartition("/")[2]
    return UsableFilm(source, source[:16], name, source, Fraction(1), 64, 64, source, ())


FILMS = [film(f"/films/{name}") for name in ("a/reel.mkv", "b/reel.mkv", "c.mov")]
FAR = film("s3://archive/old%20films/d.mkv?endpoint_override=127.0.0.1:9000&scheme=http")


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        pytest.param("film,licence\nc.mov,MIT\n", {"c.mov": ("MIT", None)}, id="by its name"),
        pytest.param("film,licence\nc,MIT\n", {"c.mov": ("MIT", None)}, id="without suffix"),
        pytest.param("film,licence\na/reel,MIT\n", {"a/reel.mkv": ("MIT", None)}, id="by its folder"),
        pytest.param("film,licence\n/films/c.mov,MIT\n", {"c.mov": ("MIT", None)}, id="by its path"),
        pytest.param("film,licence\n./c.mov,MIT\n", {"c.mov": ("MIT", None)}, id="from here"),
        pytest.param("film,licence\nd.mov,MIT\nlms/c.mov,MIT\n", {}, id="others"),
        pytest.param("film,licence\nc,MIT\nc.mov,MIT\n", {"c.mov": ("MIT", None)}, id="twice the same"),
        pytest.param("\ufeffFilm;Licence;Origin\r\nc;MIT;x\r\n", {"c.mov": ("MIT", "x")}, id="spreadsheet"),
        pytest.param('no\tfilm\tlicence\n1\tc\t"A\nB"\n', {"c.mov": ("A\nB", None)}, id="tabs, two lines"),
        pytest.param("film,licence\n\n.,MIT\n,MIT\nc\n", {"c.mov": (None, None)}, id="holes"),
    ],
)
def test_rows_fit_the_films_they_name(text: str, wanted: dict[str, Any], tmp_path: Path) -> None:
    found = licences_of(FILMS, read_licences(written(tmp_path, text)))
    assert found.keys() == {f"/films/{name}" for name in wanted}
    assert [(row.licence, row.origin) for row in found.values()] == list(wanted.values())


@pytest.mark.parametrize(
    "name", ["d", "d.mkv", "old films/d.mkv", FAR.source, "s3://archive/old%20films/d.mkv"]
)
def test_rows_fit_films_in_object_stores(name: str) -> None:
    assert licences_of([*FILMS, FAR], [Licence(name, "MIT", None)]).keys() == {FAR.sha256}


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        pytest.param(
            [Licence("reel", "MIT", None)], "reel may be .*a/reel.mkv or .*b/reel.mkv", id="two films"
        ),
        pytest.param(
            [Licence("c", "MIT", None), Licence("c.mov", "CC0-1.0", None)],
            "two rows that differ",
            id="two rows",
        ),
    ],
)
def test_rows_in_doubt_are_refused(rows: list[Licence], words: str) -> None:
    with pytest.raises(RequestError, match=words):
        licences_of(FILMS, rows)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        pytest.param(None, "no such file", id="none"),
        pytest.param(b"", "has no column film", id="empty"),
        pytest.param(b"film,rights\n", "has no column licence", id="another column"),
        pytest.param(b"film,licence\n\xff\xfe,MIT\n", "cannot be read", id="not UTF-8"),
    ],
)
def test_a_table_that_cannot_serve_is_told_in_one_line(
    data: bytes | None, words: str, shelf: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    if data is not None:
        (tmp_path / "licences.csv").write_bytes(data)
    command = ["synthesize", str(shelf), "--vault", str(tmp_path / "vault"), "--name", "test"]
    assert main([*command, "--licences", str(tmp_path / "licences.csv")]) == USAGE
    said = "".join(capfd.readouterr()).strip()
    assert words in said
    assert "licences.csv" in said
    assert len(said.splitlines()) == 1
