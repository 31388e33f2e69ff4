"""Stills coloured by a model of the user's: asked one way, checked, and told from a person's to the end."""

import hashlib
import json
import os
import sys
import warnings
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import av
import cv2
import numpy as np
import pytest
import torch

from flows.cli import USAGE, main
from flows.colour_commands import _print_outcomes
from models.colour.automatic import Float, Maker, StillColouriser, StillModelError
from models.colour.brought import load_still_colouriser
from models.colour.lab import lab_of_rgb, rgb_of_lab
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
from tests.onnx_file import affine
from tests.painting import HerePool, coloured, grey_still, painted, two_shots

SCALES, OFFSETS = (80.0, -70.0), (-30.0, 40.0)
"""Of luma, to a and b: dark is cold, bright is warm."""
FUNCTION = f"""
import numpy as np

def guess(luma):
    return np.concatenate([luma * {SCALES[0]} + {OFFSETS[0]}, luma * {SCALES[1]} + {OFFSETS[1]}], axis=1)

def ended(luma):
    raise SystemExit(3)

NOT_CALLABLE = 3
"""


class _Network(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.last = torch.nn.Conv2d(1, 2, 1)
        self.last.weight.data = torch.tensor(SCALES).reshape(2, 1, 1, 1)
        self.last.bias.data = torch.tensor(OFFSETS)

    def forward(self, luma: torch.Tensor) -> torch.Tensor:
        picture: torch.Tensor = self.last(luma)
        return picture


def _function(folder: Path, patch: pytest.MonkeyPatch) -> tuple[str, Path]:
    """The model's name, and the file that is put on record."""
    (folder / "my_colours.py").write_text(FUNCTION)
    patch.syspath_prepend(folder)
    patch.delitem(sys.modules, "my_colours", raising=False)
    return "my_colours:guess", folder / "my_colours.py"


def _torchscript(folder: Path, _patch: pytest.MonkeyPatch) -> tuple[str, Path]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        torch.jit.script(_Network()).save(folder / "warm.pt")
    return str(folder / "warm.pt"), folder / "warm.pt"


def _onnx(folder: Path, _patch: pytest.MonkeyPatch) -> tuple[str, Path]:
    if find_spec("onnxruntime") is None:
        pytest.skip("onnxruntime is not installed")
    (folder / "warm.onnx").write_bytes(affine(SCALES, OFFSETS))
    return str(folder / "warm.onnx"), folder / "warm.onnx"


WAYS = {"function": _function, "TorchScript": _torchscript, "ONNX": _onnx}


@pytest.mark.parametrize(("kind", "way"), WAYS.items(), ids=WAYS)
def test_a_model_is_brought_in_any_of_three_ways(
    kind: str, way: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name, file = way(tmp_path, monkeypatch)
    model = load_still_colouriser(name)
    luma_HW = np.tile(np.linspace(0, 1, 70, dtype=np.float32), (65, 1))
    ab_2HW = model.ab_of(luma_HW)
    assert ab_2HW.shape == (2, 65, 70)
    assert ab_2HW.dtype == np.float32
    wanted = [luma_HW * scale + offset for scale, offset in zip(SCALES, OFFSETS, strict=True)]
    assert np.abs(ab_2HW - wanted).max() < 2
    sha256 = hashlib.sha256(file.read_bytes()).hexdigest()
    assert model.maker == Maker(name if kind == "function" else file.name, kind, sha256)


@pytest.mark.parametrize("way", [_torchscript, _onnx], ids=["TorchScript", "ONNX"])
def test_a_models_name_on_record_is_text_of_one_line(
    way: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, file = way(tmp_path, monkeypatch)
    renamed = file.rename(tmp_path / (os.fsdecode(b"caf\xe9\n") + file.name))
    assert load_still_colouriser(str(renamed)).maker.name == f"caf\ufffd\ufffd{file.name}"


def _model(run: Callable[[Float], Any], size: tuple[int, int] | None = None) -> StillColouriser:
    return StillColouriser(Maker("mine.pt", "TorchScript", "0" * 64), run, size)


GIVEN = {
    "small": ((65, 97), None, (64, 96)),
    "large": ((1080, 1920), None, (352, 640)),
    "tall": ((900, 30), None, (640, 32)),
    "of one size": ((65, 97), (256, 256), (256, 256)),
}


@pytest.mark.parametrize(("still", "own", "given"), GIVEN.values(), ids=GIVEN)
def test_what_a_model_is_given(
    still: tuple[int, int], own: tuple[int, int] | None, given: tuple[int, int]
) -> None:
    seen = []

    def run(luma_11hw: Float) -> Float:
        seen.append(luma_11hw)
        return np.zeros((1, 2, *luma_11hw.shape[2:]), np.float32)

    assert _model(run, own).ab_of(np.full(still, 0.25, np.float32)).shape == (2, *still)
    (luma_11hw,) = seen
    assert luma_11hw.shape == (1, 1, *given)
    assert luma_11hw.dtype == np.float32
    assert np.allclose(luma_11hw, 0.25)


def test_of_an_rgb_picture_the_chroma_is_taken() -> None:
    lab_3 = np.array([50, 20, -30], np.float32).reshape(3, 1, 1)
    rgb_3 = rgb_of_lab(lab_3)
    model = _model(lambda luma_11hw: np.broadcast_to(rgb_3, (3, *luma_11hw.shape[2:]))[None])
    ab_2HW = model.ab_of(np.full((64, 64), 0.7, np.float32))
    assert np.abs(ab_2HW - lab_3[1:]).max() < 0.1


def _like(luma: Float, channels: int, value: float) -> Float:
    return np.full((1, channels, *luma.shape[2:]), value, np.float32)


BAD = {
    "one channel": (lambda luma: luma, r"gave float32 of \(1, 1, 64, 96\); floats of \(1, 2, 64, 96\)"),
    "another size": (lambda luma: _like(luma, 2, 9)[..., ::2], r"gave float32 of \(1, 2, 64, 48\)"),
    "no batch": (lambda luma: _like(luma, 3, 0.5)[0], r"gave float32 of \(3, 64, 96\)"),
    "whole numbers": (lambda luma: _like(luma, 3, 200).astype(np.uint8), "gave uint8 of"),
    "nothing": (lambda luma: None, "gave no array; floats of"),
    "no numbers": (lambda luma: np.where(luma < 0.5, np.nan, _like(luma, 2, 9)), "gave no number for 50.0%"),
    "RGB to 255": (lambda luma: _like(luma, 3, 255), "gave RGB from 255 to 255; 0 to 1 is wanted"),
    "RGB from -1": (lambda luma: np.repeat(luma * 2 - 1, 3, 1), "gave RGB from -1 to 1; 0 to 1 is wanted"),
    "a and b too far": (lambda luma: _like(luma, 2, -161), "gave a and b from -161 to -161; Lab's"),
    "a and b of 8 bit": (lambda luma: np.repeat(luma * 255, 2, 1), "gave a and b from 0 to 255; Lab's"),
    "its own trouble": (lambda luma: {}["weights"], "failed on a still of 96x64: 'weights'"),
}


@pytest.mark.parametrize(("run", "told"), BAD.values(), ids=BAD)
def test_what_is_no_colour_is_told_in_a_line_that_names_the_model(run: Any, told: str) -> None:
    luma_HW = np.repeat(np.linspace(0, 1, 96, dtype=np.float32)[None], 64, axis=0)
    with pytest.raises(StillModelError, match=rf"\Amine\.pt: {told}.*\Z"):
        _model(run).ab_of(luma_HW)


def test_a_little_out_of_range_is_clipped() -> None:
    luma_HW = np.full((64, 64), 0.5, np.float32)
    assert _model(lambda luma: _like(luma, 2, 159)).ab_of(luma_HW).max() == 128
    white = _model(lambda luma: _like(luma, 3, 1.2)).ab_of(luma_HW)
    assert np.abs(white - lab_of_rgb(np.ones((3, 1, 1), np.float32))[1:]).max() < 1e-3


UNUSABLE = {
    "no such file": ("none.pt", r"none\.pt: cannot be read \(No such file"),
    "neither": ("model.bin", "name a function as module:function, an ONNX file"),
    "weights alone": ("weights.pt", "is no TorchScript file"),
    "no module": ("no_such_module:guess", r"cannot be imported \(No module named 'no_such_module'\)"),
    "no such function": ("my_colours:other", "cannot be imported"),
    "no function": ("my_colours:NOT_CALLABLE", "is no function"),
    "a module that ends the run": (
        "ends:guess",
        r"ends:guess: cannot be imported \(it ended itself, status 0\)",
    ),
    "a function that ends the run": ("my_colours:ended", r"on a still of 256x256: it ended itself, status 3"),
    "a function of another kind": ("json:loads", r"json:loads: failed on a still of 256x256"),
    "ONNX without onnxruntime": ("model.onnx", r"need onnxruntime; run `pip install 'answerprint\[onnx\]'`"),
}


@pytest.mark.parametrize(("name", "told"), UNUSABLE.values(), ids=UNUSABLE)
def test_a_model_that_cannot_be_used_is_refused_at_the_door(
    name: str, told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    _function(tmp_path, monkeypatch)
    (tmp_path / "ends.py").write_text("import sys\nsys.exit()\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    torch.save(_Network().state_dict(), "weights.pt")
    Path("model.onnx").write_bytes(affine(SCALES, OFFSETS))
    with pytest.raises(StillModelError, match=told):
        load_still_colouriser(name)
    options = ["--vault", str(tmp_path / "vault"), "--output", str(tmp_path / "stills")]
    assert main(["colour-stills", "reel.mkv", *options, "--by", name]) == USAGE
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"answerprint: --by {name}: ")


def test_what_a_model_prints_is_not_on_stdout(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """There `--json` stands."""
    _function(tmp_path, monkeypatch)
    talks = "import my_colours\nprint('imported')\n\ndef guess(luma):\n    print('guessing')\n"
    (tmp_path / "talks.py").write_text(f"{talks}    return my_colours.guess(luma)\n")
    monkeypatch.delitem(sys.modules, "talks", raising=False)
    load_still_colouriser("talks:guess")
    assert capsys.readouterr() == ("", "imported\nguessing\n")


@pytest.mark.parametrize(
    ("sides", "size"), [((64, 128), (64, 128)), ((0, 0), None), ((-1, 128), None), (("H", "W"), None)]
)
def test_an_onnx_model_is_asked_as_the_others_are(
    sides: tuple[int | str, int | str],
    size: tuple[int, int] | None,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """With a stand-in for onnxruntime; the real one is asked where it is installed."""

    class Session:
        def __init__(self, data: bytes, providers: list[str]) -> None:
            assert (data, providers) == (b"a model", ["CPUExecutionProvider"])

        def get_inputs(self) -> list[SimpleNamespace]:
            return [SimpleNamespace(name="luma", shape=["batch", 1, *sides])]

        def run(self, outputs: None, given: dict[str, Float]) -> list[Float]:
            return [_like(given["luma"], 2, 9)]

    monkeypatch.setitem(sys.modules, "onnxruntime", SimpleNamespace(InferenceSession=Session))
    (tmp_path / "model.onnx").write_bytes(b"a model")
    model = load_still_colouriser(str(tmp_path / "model.onnx"))
    assert model.size_hw == size
    assert np.allclose(model.ab_of(np.full((60, 80), 0.5, np.float32)), 9)


@pytest.fixture
def reel(tmp_path: Path) -> tuple[Vault, IngestedReel]:
    return two_shots(tmp_path)


@pytest.fixture
def warm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> StillColouriser:
    return load_still_colouriser(_torchscript(tmp_path, monkeypatch)[0])


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
        return _like(luma, 2, 0) if len(asked) == 1 else np.concatenate([luma * 60, luma * -60 + 9], axis=1)

    told = _written(reel, tmp_path / "stills", _model(once))
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
