"""Painted stills as they are taken: found by their names, and refused in a line where they do not fit."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from storage.painting import write_still
from storage.vault import Vault
from tasks.colouring.restored import restored_reel
from tasks.colouring.stills import take_stills
from tasks.ingest import IngestedReel
from tests.film import Plan, make_film
from tests.painting import grey_still, paint, painted, two_shots


@pytest.fixture
def reel(tmp_path: Path) -> tuple[Vault, IngestedReel]:
    return two_shots(tmp_path)


NAMES = {
    "identifier": "{id}_3.png",
    "file's name": "reel_000003.png",
    "folder of the reel": "reel/3.png",
    "folder of the identifier": "{id}/0003.png",
    "TIFF": "reel_3.tiff",
    "JPEG": "reel_3.jpg",
}


@pytest.mark.parametrize("name", NAMES.values(), ids=NAMES)
def test_a_still_is_found_by_its_name(name: str, reel: tuple[Vault, IngestedReel], tmp_path: Path) -> None:
    path = tmp_path / "stills" / name.format(id=reel[1].reel.reel_id)
    path.parent.mkdir(parents=True)
    cv2.imwrite(str(path), painted(grey_still(*reel, 3))[..., ::-1])
    found = take_stills(*reel, restored_reel(*reel), str(tmp_path / "stills"))
    assert [(still.frame, still.name) for still in found.fit] == [(3, path.name)]
    assert found.refused == ()
    assert reel[0].read(found.fit[0].key) == path.read_bytes()


def _written(path: Path, still: np.ndarray) -> None:
    write_still(path, still)


def _text(path: Path, still: np.ndarray) -> None:
    path.write_text("no picture")


def _cut_off(path: Path, still: np.ndarray) -> None:
    write_still(path, still)
    path.write_bytes(path.read_bytes()[:200])


def _see_through(path: Path, still: np.ndarray) -> None:
    cv2.imwrite(str(path), np.dstack([still, np.full(still.shape[:2], 99, np.uint8)]))


def _other_film(path: Path, still: np.ndarray) -> None:
    write_still(path, painted(make_film(9, Plan(1, (1, 1))).frames[0]))


REFUSED = {
    "another size": ("reel_3.png", lambda p, s: _written(p, s[:-2]), "is 160x118 and the reel is 160x120"),
    "no such frame": ("reel_16.png", _written, "the reel has no frame 16, its last is 15"),
    "of the other shot": ("reel_12.png", _written, "does not show frame 12"),
    "of another film": ("reel_3.png", _other_film, "does not show frame 3"),
    "a negative": ("reel_3.png", lambda p, s: _written(p, 255 - s), "is a negative of frame 3"),
    "moved": ("reel_3.png", lambda p, s: _written(p, np.roll(s, 9, 1)), "lies 9 px right and 0 px down"),
    "no image": ("reel_3.png", _text, "not a PNG, TIFF or JPEG image"),
    "broken": ("reel_3.png", _cut_off, "cannot be read whole"),
    "see-through": ("reel_3.png", _see_through, "is see-through in places"),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_a_still_that_does_not_fit_is_refused_in_one_line_and_costs_no_other(
    case: str, reel: tuple[Vault, IngestedReel], tmp_path: Path
) -> None:
    name, write, told = REFUSED[case]
    paint(tmp_path / "stills", *reel, 10)
    write(tmp_path / "stills" / name, painted(grey_still(*reel, 3)))
    found = take_stills(*reel, restored_reel(*reel), str(tmp_path / "stills"))
    assert [still.frame for still in found.fit] == [10]
    (line,) = found.refused
    assert line.startswith(name)
    assert told in line
    assert "\n" not in line


def test_two_stills_of_one_frame_and_stills_of_other_reels(
    reel: tuple[Vault, IngestedReel], tmp_path: Path
) -> None:
    for name in ("reel_3.png", "reel_003.png", "reel_10.png", "other_3.png"):
        paint(tmp_path / "stills", *reel, 10 if "10" in name else 3, name)
    found = take_stills(*reel, restored_reel(*reel), str(tmp_path / "stills"))
    assert [still.frame for still in found.fit] == [10]
    assert found.refused == (
        "reel_003.png and reel_3.png: frame 3 has more than one still; keep one of them",
    )
    assert found.others == 1
