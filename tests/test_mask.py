"""A mask from outside, from its file to the delivery: read exactly, refused in one line, part of names."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from flows.cli import main
from flows.commands import DELIVERED, FAILED, USAGE
from models.catalogue import load_restorer
from storage.delivery import CHANGES as CHANGE_LOG
from storage.delivery import REPORT, REVIEW, SUMMARY
from storage.errors import SourceError
from storage.master import Ffv1Writer
from storage.pixels import Picture, layout_of
from storage.reel import VideoFacts
from storage.shotlist import ShotSpan
from storage.tables import CHANGES, read_rows
from storage.vault import Vault
from tasks.deliver import PAYLOAD, ShotOutput, deliver
from tasks.dispatch import plan_shots
from tasks.ingest import IngestedReel, ingest
from tasks.mask import MaskFilm, known_mask, load_mask, take_mask
from tasks.request import Mode, RequestError, RestoreRequest
from tasks.restore import RECORD, RestoringWorker, ShotJob, restore_shot, shot_key
from tasks.verify import verify_delivery
from tests.film import WORN, Plan, make_film

HEIGHT, WIDTH, FRAMES = 120, 160, 16
SPANS = [ShotSpan(0, 8), ShotSpan(8, 16)]
Mask = NDArray[np.bool_]


def drawn(frames: int = FRAMES, height: int = HEIGHT, width: int = WIDTH, first: int = 0) -> list[Mask]:
    """A block that wanders, in every frame from `first` on."""
    masks = [np.zeros((height, width), bool) for _ in range(frames)]
    for number in range(first, frames):
        masks[number][20 + 3 * number : 40 + 3 * number, 30:60] = True
    return masks


def written(path: Path, masks: list[Mask], pix_fmt: str = "gray", light: float = 1, dark: float = 0) -> Path:
    """The masks as a film, its planes all in these two tones."""
    layout = layout_of(pix_fmt)
    height, width = masks[0].shape
    video = VideoFacts(
        "ffv1", pix_fmt, width, height, Fraction(24), Fraction(1), 0, "progressive", True, 2, 2, 2, 2
    )
    with Ffv1Writer(path, video) as writer:
        for mask in masks:
            tones = np.rint(np.where(mask, light, dark) * layout.peak).astype(layout.dtype)
            sizes = [layout.plane_size(plane, width, height) for plane in range(layout.planes)]
            planes = [cv2.resize(tones, size[::-1], interpolation=cv2.INTER_NEAREST) for size in sizes]
            writer.write(Picture(tuple(planes), layout))
    return path


def stills(folder: Path, masks: list[Mask], dtype: type[np.uint8] | type[np.uint16] = np.uint8) -> Path:
    """The masks as numbered PNG images."""
    folder.mkdir()
    for number, mask in enumerate(masks):
        cv2.imwrite(str(folder / f"scan.{number:04d}.png"), mask.astype(dtype) * np.iinfo(dtype).max)
    return folder


def quietly(done: int) -> None:
    pass


@pytest.fixture
def reel(tmp_path: Path) -> tuple[Vault, IngestedReel]:
    """A worn film of two shots, in a vault."""
    video = VideoFacts(
        "ffv1", "gray", WIDTH, HEIGHT, Fraction(18), Fraction(1), 0, "progressive", True, 2, 2, 2, 2
    )
    with Ffv1Writer(tmp_path / "film.mkv", video) as writer:
        for frame in make_film(4, Plan(2, (8, 8)), WORN).frames:
            writer.write(Picture((frame,), layout_of("gray")))
    vault = Vault(str(tmp_path / "vault"))
    vault.prepare()
    return vault, ingest(vault, str(tmp_path / "film.mkv"), None, quietly)


FILMS: dict[str, tuple[Callable[[Path], Path], bool]] = {
    "8 bit": (lambda root: written(root / "m.mkv", drawn()), False),
    "just half the peak": (lambda root: written(root / "m.mkv", drawn(), light=0.502), False),
    "just under half, and dark": (lambda root: written(root / "m.mkv", drawn(), light=0.49, dark=0.51), True),
    "16 bit": (lambda root: written(root / "m.mkv", drawn(), "gray16le"), False),
    "10 bit YUV": (lambda root: written(root / "m.mkv", drawn(), "yuv422p10le"), False),
    "RGB": (lambda root: written(root / "m.mkv", drawn(), "gbrp"), False),
    "infra-red: dirt is dark": (lambda root: written(root / "m.mkv", drawn(), "gray", 0.1, 0.8), True),
    "a folder": (lambda root: stills(root / "m", drawn()), False),
    "a pattern, 16 bit": (lambda root: stills(root / "m", drawn(), np.uint16) / "scan.####.png", False),
}


@pytest.mark.parametrize("name", FILMS)
def test_a_mask_is_read_pixel_for_pixel(name: str, reel: tuple[Vault, IngestedReel], tmp_path: Path) -> None:
    make, dark = FILMS[name]
    mask = take_mask(*reel, str(make(tmp_path)), "add", dark, quietly)
    for _ in range(2):
        for found, expected in zip(mask.given(5, 12).read(), drawn()[5:12], strict=True):
            assert np.array_equal(found, expected)
    loaded = load_mask(reel[0], mask.order)
    assert loaded.film.rows == mask.film.rows


def _text(root: Path) -> Path:
    path = root / "m.mkv"
    path.write_text("not a film\n" * 50)
    return path


def _gap(root: Path) -> Path:
    folder = stills(root / "m", drawn())
    (folder / "scan.0007.png").unlink()
    return folder


def _broken(root: Path) -> Path:
    folder = stills(root / "m", drawn())
    data = (folder / "scan.0007.png").read_bytes()
    (folder / "scan.0007.png").write_bytes(data[: len(data) // 2])
    return folder


REFUSED: dict[str, tuple[Callable[[Path], Path], str]] = {
    "another size": (lambda root: written(root / "m.mkv", drawn(width=150)), "150x120 and the reel is 160x"),
    "turned": (lambda root: written(root / "m.mkv", drawn(16, 160, 120)), "120x160 and the reel is 160x120"),
    "a frame less": (lambda root: written(root / "m.mkv", drawn(15)), "15 frames and the reel has 16"),
    "a frame more": (lambda root: stills(root / "m", drawn(17)), "17 frames and the reel has 16"),
    "not a film": (_text, "not a film"),
    "empty pattern": (lambda root: root / "none.####.png", "no numbered"),
}  # fmt: skip
DAMAGED: dict[str, tuple[Callable[[Path], Path], str]] = {
    "an image is missing": (_gap, "frame 7 of the mask is missing or cannot be read"),
    "an image is broken": (_broken, "frame 7 of the mask is missing or cannot be read"),
}


@pytest.mark.parametrize("name", [*REFUSED, *DAMAGED])
def test_what_does_not_fit_is_refused(name: str, reel: tuple[Vault, IngestedReel], tmp_path: Path) -> None:
    make, told = (REFUSED | DAMAGED)[name]
    path = make(tmp_path)
    with pytest.raises(SourceError, match=told) as refused:
        take_mask(*reel, str(path), "add", False, quietly)
    assert str(path.parent) in str(refused.value)
    assert "\n" not in str(refused.value)
    assert not reel[0].folders(f"{reel[1].key}/masks")


@pytest.mark.parametrize("name", REFUSED)
@pytest.mark.parametrize("vault", ["vault", "new"])
def test_a_plan_tells_what_does_not_fit(
    name: str,
    vault: str,
    reel: tuple[Vault, IngestedReel],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    make, told = REFUSED[name]
    command = ["plan", reel[1].reel.source, "--vault", str(tmp_path / vault), "--mask", str(make(tmp_path))]
    assert main(command) == FAILED
    (line,) = capsys.readouterr().out.splitlines()
    assert told in line


ASKED: dict[str, tuple[list[str], str]] = {
    "missing": (["{film}", "--mask", "{root}/none.mkv"], "no such file or folder"),
    "several reels": (["{film}", "{mask}", "--mask", "{mask}"], "--mask is for one reel and 2 were named"),
    "use of no mask": (["{film}", "--mask-use", "replace"], "give --mask too"),
    "dark of no mask": (["{film}", "--mask-dark"], "give --mask too"),
    "nothing restores": (["{film}", "--mask", "{mask}", "--restorer", "none"], "choose another"),
}


@pytest.mark.parametrize("name", ASKED)
@pytest.mark.parametrize("command", ["plan", "restore"])
def test_wrongly_asked(
    name: str,
    command: str,
    reel: tuple[Vault, IngestedReel],
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
) -> None:
    arguments, told = ASKED[name]
    places = {
        "film": reel[1].reel.source,
        "mask": str(written(tmp_path / "m.mkv", drawn())),
        "root": str(tmp_path),
    }
    filled = [argument.format(**places) for argument in arguments]
    assert main([command, *filled, "--vault", str(tmp_path / "v")]) == USAGE
    out, err = capfd.readouterr()
    assert told in out + err
    assert len((out + err).splitlines()) == 1
    assert not (tmp_path / "v").exists()


def test_a_request_holds_wherever_it_is_carried(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written(tmp_path / "m.mkv", drawn())
    monkeypatch.chdir(tmp_path)
    assert RestoreRequest("v", mask="m.mkv").mask == str(tmp_path / "m.mkv")
    assert RestoreRequest("v", mask="scan.####.png").mask == str(tmp_path / "scan.####.png")
    with pytest.raises(RequestError, match="--mask-use"):
        RestoreRequest("v", mask="m.mkv", mask_use="multiply")  # type: ignore[arg-type]


def keys(vault: Vault, reel: IngestedReel, mask: MaskFilm | None) -> list[str]:
    """Where the outputs of the reel's shots would lie."""
    planned = plan_shots(vault, reel, SPANS, RestoreRequest(vault.uri), mask)
    return [job.key for job, _ in planned]


def test_names_change_with_what_the_mask_shows_and_with_nothing_else(
    reel: tuple[Vault, IngestedReel], tmp_path: Path
) -> None:
    def named(path: Path, use: str = "add", dark: bool = False) -> list[str]:
        return keys(*reel, take_mask(*reel, str(path), use, dark, quietly))  # type: ignore[arg-type]

    usual = named(written(tmp_path / "a.mkv", drawn()))
    later = named(written(tmp_path / "b.mkv", drawn(first=9)))
    only_later = named(written(tmp_path / "c.mkv", drawn(first=10)))
    assert named((tmp_path / "a.mkv").rename(tmp_path / "moved.mkv")) == usual
    assert named(stills(tmp_path / "stills", drawn())) == usual
    assert len({tuple(keys(*reel, None)), tuple(usual), tuple(later)}) == 3
    assert only_later[0] == later[0], "what a mask shows in another shot is nothing to this one"
    assert only_later[1] != later[1]
    others = [named(tmp_path / "moved.mkv", "replace"), named(tmp_path / "moved.mkv", "add", dark=True)]
    assert all(key not in usual for other in others for key in other)


def test_a_mask_that_is_known_is_not_surveyed_again(
    reel: tuple[Vault, IngestedReel], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = written(tmp_path / "a.mkv", drawn())
    assert known_mask(*reel, str(path), "add", False) is None
    first = take_mask(*reel, str(path), "add", False, quietly)
    monkeypatch.setattr("tasks.mask.survey", None)
    moved = path.rename(tmp_path / "b.mkv")
    second = take_mask(*reel, str(moved), "replace", False, quietly)
    assert second.film.rows == first.film.rows
    assert load_mask(reel[0], second.order).film.reel.source == str(moved)


@pytest.mark.parametrize("mode", ["preservation", "presentation"])
@pytest.mark.parametrize("use", ["add", "replace"])
def test_a_delivery_made_with_a_mask(
    use: str, mode: Mode, reel: tuple[Vault, IngestedReel], tmp_path: Path
) -> None:
    vault, ingested = reel
    path = written(tmp_path / "m.mkv", drawn(first=4))
    mask = take_mask(vault, ingested, str(path), use, False, quietly)  # type: ignore[arg-type]
    request = RestoreRequest(vault.uri, mode=mode)
    worker = RestoringWorker()
    planned = plan_shots(vault, ingested, SPANS, request, mask)
    for job, _ in planned:
        worker.run(job, quietly)
    assert all(ready for _, ready in plan_shots(vault, ingested, SPANS, request, mask))
    assert not any(ready for _, ready in plan_shots(vault, ingested, SPANS, request))
    outputs = [ShotOutput(span, job.key) for span, (job, _) in zip(SPANS, planned, strict=True)]
    bag = vault.path(deliver(vault, ingested, outputs, mode, "classical", quietly, mask))
    assert not verify_delivery(bag).problems
    data = bag / PAYLOAD
    summary = json.loads((data / SUMMARY).read_text())
    assert summary["mask"] == {
        "film": "m.mkv", "sha256": mask.film.reel.sha256, "use": use, "dark": False
    }  # fmt: skip
    assert {recipe["mask"]["use"] for recipe in summary["recipes"].values()} == {use}
    assert mask.film.reel.sha256 in (data / REPORT).read_text()
    rows = [row for row in read_rows(data / CHANGE_LOG, CHANGES) if row["region"]]
    given = [row for row in rows if row["kind"] == "given"]
    assert {row["frame"] for row in given} == set(range(4, FRAMES))
    assert (len(rows) > len(given)) == (use == "add")
    if mode == "preservation":
        assert {(row["width"], row["height"]) for row in given} == {(30, 20)}
        record = json.loads(vault.read(f"{outputs[1].key}/{RECORD}"))
        assert record["given"]["pixels"] == 8 * 30 * 20
        assert record["given"]["left"] == 0


@pytest.mark.parametrize(
    ("marked", "reason"),
    [
        pytest.param(lambda number: False, "the mask marks nothing", id="nothing"),
        pytest.param(lambda number: number > 2, "marks 81% of the reel", id="the wrong way round"),
        pytest.param(lambda number: number < 8, "100.0% of what the mask marks stays", id="a whole shot"),
        pytest.param(lambda number: number == 4, "", id="a frame"),
    ],
)
def test_a_mask_that_looks_like_a_mistake_is_told(
    marked: Callable[[int], bool], reason: str, reel: tuple[Vault, IngestedReel], tmp_path: Path
) -> None:
    vault, ingested = reel
    masks = [np.full((HEIGHT, WIDTH), marked(number)) for number in range(FRAMES)]
    mask = take_mask(vault, ingested, str(written(tmp_path / "m.mkv", masks)), "replace", False, quietly)
    outputs = []
    restorer = load_restorer("classical")
    for span in SPANS:
        job = ShotJob(
            vault.uri, ingested.reel.reel_id, span.start, span.end, "classical", "preservation", mask.order
        )
        key = shot_key(ingested, job, restorer.card, mask)
        restore_shot(vault, key, ingested, replace(job, key=key), restorer, quietly, mask)
        outputs.append(ShotOutput(span, key))
    bag = vault.path(deliver(vault, ingested, outputs, "preservation", "classical", quietly, mask))
    items = json.loads((bag / PAYLOAD / REVIEW).read_text())
    told = [item["detail"] for item in items if item["reason"] == "given mask"]
    assert any(reason in detail for detail in told) if reason else not told


def test_a_mask_goes_all_the_way_to_the_workers(
    reel: tuple[Vault, IngestedReel], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    film, path = reel[1].reel.source, written(tmp_path / "m.mkv", drawn())
    cuts = tmp_path / "cuts.csv"
    cuts.write_text("8\n")
    asked = ["--vault", reel[0].uri, "--mask", str(path), "--mask-use", "replace", "--shots", str(cuts)]
    run = subprocess.run(
        [sys.executable, "-m", "flows.cli", "restore", film, *asked, "--json"],
        capture_output=True,
        text=True,
        env={**os.environ, "PREFECT_HOME": str(tmp_path / "prefect")},
        timeout=180,
    )
    assert run.returncode == DELIVERED, run.stderr
    (outcome,) = json.loads(run.stdout)["reels"]
    kinds = {row["kind"] for row in read_rows(Path(outcome["changes"]), CHANGES)}
    assert kinds == {"given"}
    assert main(["plan", film, *asked, "--json"]) == DELIVERED
    assert main(["plan", film, *asked, "--mask-dark", "--json"]) == DELIVERED
    same, other = (json.loads(part)["reels"][0] for part in split_json(capsys.readouterr().out))
    assert (same["shots_done"], same["frames_to_restore"]) == (2, 0)
    assert (other["shots_done"], other["frames_to_restore"]) == (0, FRAMES)


def split_json(text: str) -> list[str]:
    """Two objects that were printed one after the other."""
    first, second = text.split("\n}\n", 1)
    return [first + "\n}", second]
