"""A model of the user's: a function, TorchScript or ONNX, and refused at the door where it cannot be used."""

import hashlib
import os
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from flows.cli import USAGE, main
from models.colour.automatic import Float, Maker, StillModelError
from models.colour.brought import load_still_colouriser
from tests.onnx_file import affine
from tests.still_models import OFFSETS, SCALES, Warm, by_function, by_onnx, by_torchscript, filled

WAYS = {"function": by_function, "TorchScript": by_torchscript, "ONNX": by_onnx}


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


@pytest.mark.parametrize("way", [by_torchscript, by_onnx], ids=["TorchScript", "ONNX"])
def test_a_models_name_on_record_is_text_of_one_line(
    way: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, file = way(tmp_path, monkeypatch)
    renamed = file.rename(tmp_path / (os.fsdecode(b"caf\xe9\n") + file.name))
    assert load_still_colouriser(str(renamed)).maker.name == f"caf\ufffd\ufffd{file.name}"


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
    by_function(tmp_path, monkeypatch)
    (tmp_path / "ends.py").write_text("import sys\nsys.exit()\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    torch.save(Warm().state_dict(), "weights.pt")
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
    by_function(tmp_path, monkeypatch)
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
            return [filled(given["luma"], 2, 9)]

    monkeypatch.setitem(sys.modules, "onnxruntime", SimpleNamespace(InferenceSession=Session))
    (tmp_path / "model.onnx").write_bytes(b"a model")
    model = load_still_colouriser(str(tmp_path / "model.onnx"))
    assert model.size_hw == size
    assert np.allclose(model.ab_of(np.full((60, 80), 0.5, np.float32)), 9)
