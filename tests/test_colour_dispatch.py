"""Which shots are coloured: nothing twice, none that was given up, and no run that cannot be."""

import json
from pathlib import Path

import numpy as np
import pytest

from flows.cli import USAGE, main
from models.colour.baselines import Copied
from models.colour.colouriser import Coloured
from storage.colour_delivery import COLOUR_SUMMARY
from storage.delivery import REVIEW
from storage.painting import write_still
from storage.vault import Vault
from tasks.colouring.colour import ColouringWorker
from tasks.colouring.dispatch import plan_colour
from tasks.colouring.request import ColourRequest
from tasks.colouring.restored import NotRestored, restored_reel
from tasks.colouring.stills import take_stills
from tasks.ingest import IngestedReel
from tasks.request import RequestError
from tasks.restore import RECORD
from tests.painting import coloured, grey_still, paint, painted, quietly, two_shots


@pytest.fixture
def reel(tmp_path: Path) -> tuple[Vault, IngestedReel]:
    return two_shots(tmp_path)


def test_a_still_changed_renames_its_shot_alone_and_nothing_is_done_twice(
    reel: tuple[Vault, IngestedReel], tmp_path: Path
) -> None:
    folder = tmp_path / "stills"
    for frame in (2, 12):
        paint(folder, *reel, frame)
    first = coloured(*reel, folder)
    stamps = {path: path.stat().st_mtime_ns for path in first.data.rglob("*")}
    again = coloured(*reel, folder)
    assert again.key == first.key
    assert {path: path.stat().st_mtime_ns for path in first.data.rglob("*")} == stamps
    write_still(folder / "reel_000012.png", painted(grey_still(*reel, 12))[..., ::-1])
    other = coloured(*reel, folder)
    assert other.key != first.key
    assert [one.key == two.key for one, two in zip(first.outputs, other.outputs, strict=True)] == [
        True,
        False,
    ]
    keys = {output.key for colouriser in ("copied", "by-luma", "propagate")
            for output in coloured(*reel, folder, colouriser).outputs}  # fmt: skip
    assert len(keys) == 6


def test_a_shot_that_was_given_up_stays_grey_until_it_is_tried_again(
    reel: tuple[Vault, IngestedReel], tmp_path: Path
) -> None:
    vault, _ = reel
    for frame in (2, 12):
        paint(tmp_path / "stills", *reel, frame)
    request = ColourRequest(vault.uri, str(tmp_path / "stills"), "copied")
    film = restored_reel(*reel)
    stills = take_stills(*reel, film, request.stills).fit
    (job, _), _ = plan_colour(*reel, film, stills, {}, request)
    vault.write(f"{job.key.replace('/colour/', '/failures/')}.json", b'{"reason": "its worker died"}')
    (one, output), (two, _) = plan_colour(*reel, film, stills, {}, request)
    assert (one.origin, output.failure, two.origin) == ("none", "its worker died", "stills")
    made = coloured(*reel, tmp_path / "stills")
    assert json.loads((made.data / COLOUR_SUMMARY).read_bytes())["failed_shots"] == [1]
    assert "not coloured" in (made.data / REVIEW).read_text()
    retried = ColourRequest(vault.uri, str(tmp_path / "stills"), "copied", retry_failed=True)
    assert plan_colour(*reel, film, stills, {}, retried)[0][0].origin == "stills"


def test_what_a_colouriser_cannot_do_is_an_error_and_leaves_nothing(
    reel: tuple[Vault, IngestedReel], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    paint(tmp_path / "stills", *reel, 2)
    request = ColourRequest(reel[0].uri, str(tmp_path / "stills"), "copied")
    film = restored_reel(*reel)
    stills = take_stills(*reel, film, request.stills).fit
    (job, _), _ = plan_colour(*reel, film, stills, {}, request)
    blank = np.full((2, 120, 160), np.nan, np.float32)
    monkeypatch.setattr(Copied, "colour", lambda *_: iter([Coloured(blank, blank[0])] * 8))
    with pytest.raises(ValueError, match="no number for some pixels"):
        ColouringWorker().run(job, quietly)
    assert not reel[0].exists(f"{job.key}/{RECORD}")


def test_what_is_not_there_is_told_in_one_line(reel: tuple[Vault, IngestedReel], tmp_path: Path) -> None:
    vault, _ = reel
    (tmp_path / "stills").mkdir()
    for request, told in (
        (lambda: ColourRequest(str(tmp_path / "no"), str(tmp_path / "stills")), "no vault there"),
        (lambda: ColourRequest(vault.uri, str(tmp_path / "no")), "no such directory"),
        (
            lambda: ColourRequest(vault.uri, str(tmp_path / "stills"), "crayons"),
            "there is no such colouriser",
        ),
    ):
        with pytest.raises(RequestError, match=told):
            request()
    with pytest.raises(NotRestored, match="has no delivery 0123"):
        restored_reel(*reel, "0123")
    arguments = ["colour", "reel.mkv", "--vault", vault.uri, "--stills", str(tmp_path / "no")]
    assert main(arguments) == USAGE
