"""Painted stills: what is not painted yet, what is named for no reel, names of any alphabet."""

import csv
import json
import os
import shutil
import struct
import unicodedata
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from flows.colour_commands import _print_outcomes
from models.colour.choice import Worth
from storage.delivery import REVIEW
from storage.errors import SourceError
from storage.painting import image_size, write_still
from storage.vault import Vault
from tasks.colouring import steps
from tasks.colouring.blanks import StillsToPaint, write_stills
from tasks.colouring.choice import ChoosingWorker
from tasks.colouring.dispatch import plan_colour
from tasks.colouring.request import ColourRequest
from tasks.colouring.restored import restored_reel
from tasks.colouring.steps import NothingToColour, deliver_colour, read_stills
from tasks.colouring.stills import take_stills
from tasks.ingest import IngestedReel, ingest
from tasks.ledger import Ledger
from tasks.run import Run
from tests.painting import HerePool, coloured, grey_still, paint, painted, two_shots


@pytest.fixture
def reel(tmp_path: Path) -> tuple[Vault, IngestedReel]:
    return two_shots(tmp_path)


def _run(vault: Vault, stills: Path) -> Run[ColourRequest]:
    return Run(ColourRequest(vault.uri, str(stills), "copied", share=False), Ledger())


def test_stills_that_are_not_painted_yet_are_named_and_are_no_failure(
    reel: tuple[Vault, IngestedReel], tmp_path: Path
) -> None:
    """As colour-stills leaves them; one painted and saved as TIFF beside the grey PNG is taken."""
    folder = tmp_path / "stills"
    folder.mkdir()
    for frame in (3, 5, 12):
        write_still(folder / f"reel_{frame:06d}.png", grey_still(*reel, frame))
    run = _run(reel[0], folder)
    with pytest.raises(NothingToColour, match=r"none of its stills in .* is painted yet"):
        read_stills.fn(run, reel[1], restored_reel(*reel))
    cv2.imwrite(str(folder / "reel_000003.tif"), painted(grey_still(*reel, 3))[..., ::-1])
    found = take_stills(*reel, restored_reel(*reel), str(folder))
    assert [(still.frame, still.name) for still in found.fit] == [(3, "reel_000003.tif")]
    grey = tuple(f"reel_{frame:06d}.png" for frame in (3, 5, 12))
    assert (found.refused, found.unpainted) == ((), grey)
    assert "refused still" not in (coloured(*reel, folder).data / REVIEW).read_text()


def test_images_named_for_no_reel_cost_nothing_and_are_told_once_a_run(
    reel: tuple[Vault, IngestedReel],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(steps, "publish_shots", lambda *_: None)  # it would start a server
    folder = tmp_path / "stills"
    paint(folder, *reel, 3)
    first = coloured(*reel, folder)
    paint(folder, *reel, 3, "palette.png")
    paint(folder, *reel, 3, "12.png")
    paint(folder, *reel, 3, "other_3.png")
    write_still(folder / "reel_000012.png", grey_still(*reel, 12))
    again = coloured(*reel, folder)
    assert again.key == first.key
    run, film = _run(reel[0], folder), restored_reel(*reel)
    found = read_stills.fn(run, reel[1], film)
    outputs = [output for _, output in plan_colour(*reel, film, found.fit, {}, run.request)]
    outcome = deliver_colour.fn(run, reel[1], film, found, outputs)
    assert outcome.status == "delivered"
    assert (outcome.unpainted_stills, outcome.other_stills) == (("reel_000012.png",), 1)
    assert outcome.unnamed_stills == ("12.png", "palette.png")
    assert _print_outcomes([outcome, outcome], as_json=False) == 0
    out, err = capsys.readouterr()
    assert out.count("stills not painted yet: reel_000012.png\n") == 2
    assert err.splitlines() == [
        "warning: 12.png, palette.png: not used, the name tells no reel and frame; "
        "call a still like <reel>_000120.png"
    ]


def test_a_folder_with_nothing_for_the_reel_says_what_it_holds(
    reel: tuple[Vault, IngestedReel], tmp_path: Path
) -> None:
    for name in ("palette.png", "other_3.png"):
        paint(tmp_path / "stills", *reel, 3, name)
    with pytest.raises(NothingToColour) as told:
        read_stills.fn(_run(reel[0], tmp_path / "stills"), reel[1], restored_reel(*reel))
    assert "(images named for other reels: 1, for none: 1, like palette.png)" in str(told.value)


@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_letters_with_marks_are_the_same_however_they_are_written(form: str, tmp_path: Path) -> None:
    """A Mac takes them apart."""
    vault, reel = two_shots(tmp_path, unicodedata.normalize("NFC", "Köln_é"))
    folder = tmp_path / "stills"
    paint(folder, vault, reel, 3, unicodedata.normalize(form, "Köln_é_3.png"))
    paint(folder / unicodedata.normalize(form, "Köln_é"), vault, reel, 5, "5.png")
    found = take_stills(vault, reel, restored_reel(vault, reel), str(folder))
    assert [(still.frame, still.name) for still in found.fit] == [(3, "Köln_é_3.png"), (5, "5.png")]


def test_names_that_no_record_could_hold_are_cleaned_where_they_enter(
    reel: tuple[Vault, IngestedReel], tmp_path: Path
) -> None:
    folder = tmp_path / "stills"
    image = paint(folder, *reel, 3).read_bytes()
    for name in (b"caf\xe9.png", b"two\nlines.png", b"caf\xe9_3.png"):
        Path(os.fsdecode(os.fsencode(folder) + b"/" + name)).write_bytes(image)
    found = take_stills(*reel, restored_reel(*reel), str(folder))
    assert (found.unnamed, found.others, found.refused) == (("caf\ufffd.png", "two\ufffdlines.png"), 1, ())
    "".join(found.unnamed).encode()  # no surrogates


def test_a_reel_and_its_still_of_a_name_that_is_no_text(tmp_path: Path) -> None:
    """The painted still is taken, the other refused, and what is told of them is text."""
    vault, reel = two_shots(tmp_path)
    reel = replace(reel, reel=replace(reel.reel, name=os.fsdecode(b"caf\xe9\n.mkv")))
    folder = tmp_path / "stills"
    paint(folder, vault, reel, 3, os.fsdecode(b"caf\xe9\n_3.png"))
    write_still(folder / os.fsdecode(b"caf\xe9\n_16.png"), grey_still(vault, reel, 3))
    found = take_stills(vault, reel, restored_reel(vault, reel), str(folder))
    assert [still.name for still in found.fit] == ["caf\ufffd\ufffd_3.png"]
    assert [line.partition(":")[0] for line in found.refused] == ["caf\ufffd\ufffd_16.png"]
    json.dumps([found.fit[0].name, *found.refused], ensure_ascii=False).encode()


SAVED = {
    "PNG": (".png", np.uint8, []),
    "PNG, 16 bit": (".png", np.uint16, []),
    "TIFF": (".tif", np.uint8, []),
    "TIFF, 16 bit, uncompressed": (".tif", np.uint16, [cv2.IMWRITE_TIFF_COMPRESSION, 1]),
    "JPEG": (".jpg", np.uint8, []),
    "JPEG, progressive": (".jpg", np.uint8, [cv2.IMWRITE_JPEG_PROGRESSIVE, 1]),
}


@pytest.mark.parametrize(("suffix", "dtype", "how"), SAVED.values(), ids=SAVED)
def test_the_size_is_told_by_the_header(suffix: str, dtype: type, how: list[int]) -> None:
    """Of the first bytes where the format has its header in front."""
    _, data = cv2.imencode(suffix, np.full((65, 97, 3), 9, dtype), how)
    whole = data.tobytes()
    assert image_size(whole, "still") == (97, 65)
    for end in (4, 9, 19):
        with pytest.raises(SourceError, match="still: "):
            image_size(whole[:end], "still")


def test_the_size_is_told_of_big_endian_tiff_and_of_jpeg_with_a_preview() -> None:
    tags = struct.pack(">HHIHHHHIHH", 256, 3, 1, 97, 0, 257, 3, 1, 65, 0)
    assert image_size(b"MM\0*" + struct.pack(">IH", 8, 2) + tags, "still") == (97, 65)
    _, small = cv2.imencode(".jpg", np.zeros((8, 8, 3), np.uint8))
    _, large = cv2.imencode(".jpg", np.zeros((65, 97, 3), np.uint8))
    preview = struct.pack(">BBH", 0xFF, 0xE1, 2 + small.size) + small.tobytes()
    data = large.tobytes()[:2] + preview + large.tobytes()[2:]
    assert image_size(data, "still") == (97, 65)


def test_an_image_of_giant_size_is_refused_by_its_header(
    reel: tuple[Vault, IngestedReel], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "stills"
    giant = bytearray(paint(folder, *reel, 3).read_bytes())
    giant[16:24] = struct.pack(">II", 100_000, 50_000)
    (folder / "reel_000005.png").write_bytes(giant)
    (folder / "reel_000006.png").touch()
    os.truncate(folder / "reel_000006.png", 65 << 20)
    decoded = []
    decode = cv2.imdecode
    monkeypatch.setattr(cv2, "imdecode", lambda *asked: (decoded.append(asked), decode(*asked))[1])
    found = take_stills(*reel, restored_reel(*reel), str(folder))
    assert [still.frame for still in found.fit] == [3]
    huge, long = found.refused
    assert huge.startswith("reel_000005.png: is 100000x50000 and the reel is 160x120; paint on the frame as ")
    assert long == "reel_000006.png: is over 64 MiB, too much for one frame; save one layer only"
    assert len(decoded) == 1


def _two_reels(root: Path, names: tuple[str, str]) -> tuple[list[str], Vault]:
    """Two films in one vault, in folders of their own."""
    for folder, name, seed in (("a", names[0], 4), ("b", names[1], 9)):
        (root / folder).mkdir()
        two_shots(root / folder, name, seed)
    vault = root / "a" / "vault"
    shutil.copytree(root / "b" / "vault" / "reels", vault / "reels", dirs_exist_ok=True)
    return [str(root / "a" / f"{names[0]}.mkv"), str(root / "b" / f"{names[1]}.mkv")], Vault(str(vault))


@pytest.mark.parametrize("names", [("reel", "other"), ("reel", "reel")], ids=["two names", "one name"])
def test_each_reel_has_stills_and_a_list_of_its_own(names: tuple[str, str], tmp_path: Path) -> None:
    sources, vault = _two_reels(tmp_path, names)
    folder = tmp_path / "stills"
    written = write_stills(vault.uri, sources, str(folder), HerePool(ChoosingWorker()))
    assert [each.failure or each.errors for each in written] == [(), ()]
    listed = set()
    for each, source, name in zip(written, sources, names, strict=True):
        reel = ingest(vault, source, None, lambda done: None)
        stem = name if names[0] != names[1] else reel.reel.reel_id
        assert {still.still.rpartition("_")[0] for still in each.stills} == {stem}
        for still in each.stills:
            image = cv2.imread(str(folder / still.still), cv2.IMREAD_UNCHANGED)
            assert np.array_equal(image, grey_still(vault, reel, still.frame))
        with (folder / f"{stem}_stills.csv").open() as table:
            rows = [row["still"] for row in csv.DictReader(table)]
        assert rows == [still.still for still in each.stills]
        listed |= {*rows, f"{stem}_stills.csv"}
        found = take_stills(vault, reel, restored_reel(vault, reel), str(folder))
        assert sorted(found.unpainted) == sorted(rows)
    assert {path.name for path in folder.iterdir()} == listed


def test_where_there_is_nothing_to_paint_it_says_why() -> None:
    leader, own = StillsToPaint("a.mkv", "s"), StillsToPaint("a.mkv", "s", own_colour_shots=(1,))
    assert leader.sentence() == "a.mkv: shows nothing; there is nothing to paint"
    assert own.sentence() == "a.mkv: has colour of its own and keeps it; there is nothing to paint"


def test_leader_is_no_part_of_what_can_be_reached(
    reel: tuple[Vault, IngestedReel], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    worths = iter([[], [Worth(3, 0.9, 0.8)]])
    monkeypatch.setattr("tasks.colouring.choice.worth_colouring", lambda *_: next(worths))
    (told,) = write_stills(
        reel[0].uri, [reel[1].reel.source], str(tmp_path / "s"), HerePool(ChoosingWorker())
    )
    assert [(still.shot, still.frame) for still in told.stills] == [(2, 11)]
    assert told.reached == 0.8


def test_what_is_there_is_kept_and_told_where_it_is_of_another_film(tmp_path: Path) -> None:
    """Two films of one name, one run each: the second finds the first one's stills in its way."""
    sources, vault = _two_reels(tmp_path, ("reel", "reel"))
    folder = tmp_path / "stills"
    (first,) = write_stills(vault.uri, sources[:1], str(folder), HerePool(ChoosingWorker()))
    reel = ingest(vault, sources[0], None, lambda done: None)
    best = first.stills[0]
    paint(folder, vault, reel, best.frame)
    kept = (folder / best.still).read_bytes()
    (again,) = write_stills(vault.uri, sources[:1], str(folder), HerePool(ChoosingWorker()))
    assert (again.stills, again.errors) == (first.stills, ())
    (elsewhere,) = write_stills(
        vault.uri, sources[1:], str(tmp_path / "elsewhere"), HerePool(ChoosingWorker())
    )
    for still in elsewhere.stills:
        (folder / still.still).write_bytes(kept)
    (folder / elsewhere.stills[-1].still).write_bytes(b"no picture")
    (other,) = write_stills(vault.uri, sources[1:], str(folder), HerePool(ChoosingWorker()))
    assert (other.stills, other.reached) == ((), 0)
    assert len(other.errors) == len(elsewhere.stills)
    assert other.errors[0].startswith(f"{elsewhere.stills[0].still}: does not show frame ")
    assert "not a PNG, TIFF or JPEG image" in other.errors[-1]
    assert all("name another --output" in error for error in other.errors)
    assert (folder / elsewhere.stills[0].still).read_bytes() == kept
