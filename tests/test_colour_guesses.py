"""Stills that a model coloured: on record, and told from a person's to the end."""

import hashlib
import json
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pytest

from flows.colour_commands import _print_outcomes
from models.colour.automatic import Float, Maker, StillColouriser
from models.colour.brought import load_still_colouriser
from storage.bag import write_bag
from storage.colour_delivery import COLOUR, COLOUR_ACCESS, COLOUR_SUMMARY, COVERAGE_TABLE
from storage.coloured import GUESSED, LABEL
from storage.delivery import EVENTS, REPORT, REVIEW
from storage.errors import SourceError
from storage.painting import write_still
from storage.tables import COVERAGE as COVERAGE_ROWS
from storage.tables import from_parquet
from storage.vault import Vault
from tasks.colouring.blanks import StillsToPaint, write_stills
from tasks.colouring.choice import ChoosingWorker
from tasks.colouring.guesses import guesses_beside
from tasks.colouring.outcome import read_colour_outcome
from tasks.colouring.restored import restored_reel
from tasks.colouring.stills import Still, take_stills
from tasks.deliver import bag_info
from tasks.ingest import IngestedReel
from tasks.verify import verify_delivery
from tests.painting import HerePool, coloured, grey_still, painted, two_shots
from tests.still_models import by_torchscript, filled, running


@pytest.fixture
def reel(tmp_path: Path) -> tuple[Vault, IngestedReel]:
    return two_shots(tmp_path)


@pytest.fixture
def warm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> StillColouriser:
    return load_still_colouriser(by_torchscript(tmp_path, monkeypatch)[0])


def _written(
    reel: tuple[Vault, IngestedReel], folder: Path, model: StillColouriser | None = None
) -> StillsToPaint:
    vault, ingested = reel
    (told,) = write_stills(
        vault.uri, [ingested.reel.source], str(folder), HerePool(ChoosingWorker()), model=model
    )
    assert told.failure == ""
    return told


def _taken(reel: tuple[Vault, IngestedReel], folder: Path) -> dict[str, Still]:
    found = take_stills(*reel, restored_reel(*reel), str(folder))
    assert found.refused == ()
    return {still.name: still for still in found.fit}


def test_no_still_is_coloured_unless_asked(reel: tuple[Vault, IngestedReel], tmp_path: Path) -> None:
    told = _written(reel, tmp_path / "stills")
    assert {still.guessed_by for still in told.stills} == {""}
    assert {path.suffix for path in (tmp_path / "stills").iterdir()} == {".png", ".csv"}
    assert _taken(reel, tmp_path / "stills") == {}


def test_guesses_have_the_films_luma_and_are_on_record(
    reel: tuple[Vault, IngestedReel], tmp_path: Path, warm: StillColouriser
) -> None:
    folder = tmp_path / "stills"
    told = _written(reel, folder, warm)
    assert told.errors == ()
    assert {still.guessed_by for still in told.stills} == {warm.maker.title()}
    assert f"{len(told.stills)} stills coloured by a machine in {folder}" in told.sentence()
    taken = _taken(reel, folder)
    rows = json.loads((folder / "reel_automatic.json").read_bytes())["stills"]
    assert {row["still"]: row["sha256"] for row in rows} == {
        still.still: hashlib.sha256((folder / still.still).read_bytes()).hexdigest() for still in told.stills
    }
    for still in told.stills:
        assert taken[still.still].guessed_by == warm.maker
        assert taken[still.still].notes == ()
        image = cv2.imread(str(folder / still.still), cv2.IMREAD_UNCHANGED)[..., ::-1]
        luma_HW = image @ np.array([0.2126, 0.7152, 0.0722])
        assert np.abs(luma_HW - grey_still(*reel, still.frame)).max() < 1


def test_what_a_person_painted_stays_and_what_nobody_did_is_made_anew(
    reel: tuple[Vault, IngestedReel], tmp_path: Path, warm: StillColouriser
) -> None:
    """Grey ones as they were written, and another model's guesses; not guesses that were painted upon."""
    folder = tmp_path / "stills"
    first, second, *others = [still.still for still in _written(reel, folder).stills]
    frame = int(first.removesuffix(".png").rpartition("_")[2])
    write_still(folder / first, painted(grey_still(*reel, frame)))
    kept = (folder / first).read_bytes()
    by = {each.still: each.guessed_by for each in _written(reel, folder, warm).stills}
    assert by == {first: "", second: warm.maker.title()} | dict.fromkeys(others, warm.maker.title())
    assert (folder / first).read_bytes() == kept
    image = cv2.imread(str(folder / second))
    image[40:60, 40:80] = image[40:60, 40:80, ::-1]
    cv2.imwrite(str(folder / second), image)
    cold = StillColouriser(Maker("cold", "function", "1" * 64), lambda luma: -warm.run(luma))
    by = {each.still: each.guessed_by for each in _written(reel, folder, cold).stills}
    assert by == {first: "", second: ""} | dict.fromkeys(others, cold.maker.title())
    makers = {name: still.guessed_by for name, still in _taken(reel, folder).items()}
    assert makers == {first: None, second: None} | dict.fromkeys(others, cold.maker)


def test_grey_stills_of_an_earlier_delivery_are_coloured(
    reel: tuple[Vault, IngestedReel], tmp_path: Path, warm: StillColouriser
) -> None:
    """The film was restored otherwise since, and what was written then is not what would be written now."""
    folder = tmp_path / "stills"
    for still in _written(reel, folder).stills:
        write_still(folder / still.still, np.maximum(grey_still(*reel, still.frame), 1) - 1)
    assert {each.guessed_by for each in _written(reel, folder, warm).stills} == {warm.maker.title()}


def test_one_stroke_of_a_person_is_not_painted_over(
    reel: tuple[Vault, IngestedReel], tmp_path: Path, warm: StillColouriser
) -> None:
    folder = tmp_path / "stills"
    still = _written(reel, folder).stills[0]
    image = np.repeat(grey_still(*reel, still.frame)[..., None], 3, axis=2)
    image[8:12, 8:12, 0] //= 2
    write_still(folder / still.still, image)
    begun = (folder / still.still).read_bytes()
    assert _written(reel, folder, warm).stills[0].guessed_by == ""
    assert (folder / still.still).read_bytes() == begun


def test_a_still_that_the_model_cannot_colour_is_left_grey(
    reel: tuple[Vault, IngestedReel], tmp_path: Path
) -> None:
    asked = []

    def once(luma: Float) -> Float:
        asked.append(luma)
        return filled(luma, 2, 0) if len(asked) == 1 else np.concatenate([luma * 60, luma * -60 + 9], axis=1)

    told = _written(reel, tmp_path / "stills", running(once))
    first, *others = told.stills
    assert told.errors == (f"{first.still}: left as it was: mine.pt: gave next to no colour",)
    assert (first.guessed_by, all(still.guessed_by for still in others)) == ("", True)
    assert set(_taken(reel, tmp_path / "stills")) == {still.still for still in others}


def test_a_guess_is_known_without_its_record_and_a_broken_record_is_told(
    reel: tuple[Vault, IngestedReel], tmp_path: Path, warm: StillColouriser
) -> None:
    """Stills are taken along without what lies beside them; another vault has only that."""
    folder = tmp_path / "stills"
    _written(reel, folder, warm)
    record = (folder / "reel_automatic.json").rename(tmp_path / "record.json")
    assert {still.guessed_by for still in _taken(reel, folder).values()} == {warm.maker}
    other = two_shots(tmp_path / "other")
    assert {still.guessed_by for still in _taken(other, folder).values()} == {None}
    record.rename(folder / "reel_automatic.json")
    assert {still.guessed_by for still in _taken(other, folder).values()} == {warm.maker}
    (folder / "reel_automatic.json").write_text('{"stills": [{"frame": 3}]}')
    with pytest.raises(SourceError, match=r"\Areel_automatic\.json: broken .* which stills a model coloured"):
        take_stills(*reel, restored_reel(*reel), str(folder))


MAKER = {"name": "warm.pt", "kind": "TorchScript", "sha256": "1" * 64}
ROW = {"still": "reel_3.png", "frame": 3, "sha256": "0" * 64, "maker": MAKER}
NO_GUESSES: dict[str, dict[str, Any]] = {
    "still": {"still": 3},
    "frame": {"frame": "3"},
    "sha256": {"sha256": 0},
    "model": {"maker": "warm.pt"},
    "model's name": {"maker": MAKER | {"name": None}},
    "model's kind": {"maker": MAKER | {"kind": 1}},
    "model's sha256": {"maker": MAKER | {"sha256": 1}},
}


@pytest.mark.parametrize("change", NO_GUESSES.values(), ids=NO_GUESSES)
def test_a_record_of_something_else_is_told_as_broken(change: dict[str, Any], tmp_path: Path) -> None:
    record = tmp_path / "reel_automatic.json"
    record.write_text(json.dumps({"stills": [ROW]}))
    assert set(guesses_beside([record])) == {ROW["sha256"]}
    record.write_text(json.dumps({"stills": [ROW | change]}))
    with pytest.raises(SourceError, match=r"\Areel_automatic\.json: broken "):
        guesses_beside([record])


def test_a_guess_is_known_under_another_name_of_its_reel(
    reel: tuple[Vault, IngestedReel], tmp_path: Path, warm: StillColouriser
) -> None:
    """In another vault, by whatever record lies in the folder; a broken one of another reel costs none."""
    folder = tmp_path / "stills"
    stills = [still.still for still in _written(reel, folder, warm).stills]
    (folder / "a_film_automatic.json").write_text("broken")
    for still in stills:
        (folder / still).rename(folder / still.replace("reel", "scan"))
    taken = _taken(two_shots(tmp_path / "other", "scan"), folder)
    assert len(taken) == len(stills)
    assert {still.guessed_by for still in taken.values()} == {warm.maker}


def test_where_a_person_painted_a_copy_the_guess_beside_it_is_not_used(
    reel: tuple[Vault, IngestedReel], tmp_path: Path, warm: StillColouriser
) -> None:
    folder = tmp_path / "stills"
    still = _written(reel, folder, warm).stills[0]
    copy = (folder / still.still).with_suffix(".tif").name
    cv2.imwrite(str(folder / copy), painted(grey_still(*reel, still.frame))[..., ::-1])
    taken = _taken(reel, folder)
    assert still.still not in taken
    assert taken[copy].guessed_by is None


def _tags(film: Path) -> dict[str, str]:
    """By names in lower case; Matroska tells them otherwise than MP4."""
    with av.open(str(film)) as container:
        return {name.lower(): value for name, value in container.metadata.items()}


def test_a_delivery_says_that_a_machine_guessed_its_colours(
    reel: tuple[Vault, IngestedReel],
    tmp_path: Path,
    warm: StillColouriser,
    capsys: pytest.CaptureFixture[str],
) -> None:
    folder = tmp_path / "stills"
    told, title = _written(reel, folder, warm), warm.maker.title()
    made = coloured(*reel, folder)
    tags = _tags(made.data / COLOUR)
    assert tags["title"] == "reel (colourised automatically)"
    assert (tags[GUESSED.lower()], tags[LABEL.lower()]) == (title, "copied 1")
    assert f"a machine ({title}) guessed them in stills" in tags["comment"]
    assert f"a machine ({title}) guessed them in stills" in _tags(made.data / COLOUR_ACCESS)["comment"]
    items = json.loads((made.data / REVIEW).read_bytes())
    assert [each["shot"] for each in items if each["reason"] == "automatic still"] == [1, 2]
    assert all(title in each["detail"] for each in items if each["reason"] == "automatic still")
    rows = from_parquet((made.data / COVERAGE_TABLE).read_bytes(), COVERAGE_ROWS)
    assert {row["guessed_by"] for row in rows} == {title}
    summary = json.loads((made.data / COLOUR_SUMMARY).read_bytes())
    assert {still["guessed_by"]["sha256"] for still in summary["stills"]} == {warm.maker.sha256}
    assert f"{len(told.stills)} that a machine coloured (warm.pt)" in (made.data / EVENTS).read_text()
    assert "a machine&#x27;s guess, not the film&#x27;s own" in (made.data / REPORT).read_text()
    assert verify_delivery(made.data.parent).problems == ()
    outcome = read_colour_outcome(reel[0], "reel.mkv", made.key)
    assert (outcome.automatic_stills, outcome.guessed_by) == (len(told.stills), title)
    assert _print_outcomes([outcome], as_json=False) == 0
    assert f"stills coloured by a machine: {len(told.stills)}, by {title}" in capsys.readouterr().out
    del summary["labels"][GUESSED]
    (made.data / COLOUR_SUMMARY).write_text(json.dumps(summary))
    write_bag(made.data.parent, bag_info(reel[1].reel))
    problems = verify_delivery(made.data.parent).problems
    assert any("do not say that a machine guessed its colours" in problem for problem in problems)


def test_a_delivery_of_guesses_and_paint_says_both(
    reel: tuple[Vault, IngestedReel], tmp_path: Path, warm: StillColouriser
) -> None:
    folder = tmp_path / "stills"
    _written(reel, folder, warm)
    for name, still in _taken(reel, folder).items():
        if still.frame < 8:  # the first shot
            write_still(folder / name, painted(grey_still(*reel, still.frame)))
    made = coloured(*reel, folder)
    tags = _tags(made.data / COLOUR)
    assert tags["title"] == "reel (colourised, in part automatically)"
    assert f"painted in some stills, guessed by a machine ({warm.maker.title()}) in others" in tags["comment"]
    items = json.loads((made.data / REVIEW).read_bytes())
    assert [each["shot"] for each in items if each["reason"] == "automatic still"] == [2]
    rows = from_parquet((made.data / COVERAGE_TABLE).read_bytes(), COVERAGE_ROWS)
    assert [row["guessed_by"] for row in rows] == [None] * 8 + [warm.maker.title()] * 8
