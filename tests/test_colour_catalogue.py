"""Colourisers by name: a bundle of the colour network, told by its card, and what cannot colour."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from models.bundled import SHIPPED
from models.catalogue import load_restorer
from models.colour.catalogue import UnknownColouriser, load_colouriser, resolved, title
from models.errors import UnknownRestorer
from models.neural.reweave import Reweave, ReweaveConfig
from models.weights import CONFIG, read_bundle, write_bundle
from tests.networks import opinionated, write_opinionated


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle of a network that says something of its own."""
    return write_opinionated(tmp_path_factory.mktemp("redye") / "b").folder


def test_a_bundle_is_a_colouriser_and_its_card_tells_all(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder.parent)
    assert resolved("./b") == resolved("b") == str(folder)
    card = load_colouriser("./b").card
    assert card.name == "redye"
    assert card.weights_sha256 == json.loads((folder / CONFIG).read_text())["sha256"]
    told = {"work_px": 640, "grey_below": 0.4, "flow": "dis", "precision": "fp32", "sizes.channels": 48}
    assert told.items() <= card.parameters.items()
    with pytest.raises(UnknownRestorer, match="--colouriser"):
        load_restorer("./b")


def test_weights_that_come_with_us_go_by_their_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_opinionated(tmp_path / "redye")
    shipped = read_bundle(SHIPPED["redye"])
    assert load_colouriser("redye").card.weights_sha256 == shipped.sha256
    assert title(resolved("redye")) == f"redye {shipped.sha256[:16]}"
    assert resolved("./redye") == str(tmp_path / "redye")


@pytest.mark.parametrize(
    ("name", "settings", "told"),
    [
        pytest.param("redye-x", {}, "there is no such colouriser", id="unknown"),
        pytest.param("./nowhere", {}, "no such directory", id="missing"),
        pytest.param("reweave", {}, "holds reweave, which restores", id="a restorer's"),
        pytest.param("b", {"sure": 0.5}, "no setting is called sure", id="a setting there is not"),
        pytest.param("b", {"work_px": 8}, "work_px must be 64", id="a setting that cannot be"),
    ],
)
def test_what_cannot_colour_is_refused_in_one_line(
    name: str, settings: dict[str, Any], told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    small = ReweaveConfig(channels=16, fine_channels=8, heads=2, look_blocks=1, view_blocks=1)
    write_bundle(tmp_path / "reweave", Reweave(small))
    write_bundle(tmp_path / "b", opinionated(), settings)
    with pytest.raises(UnknownColouriser) as error:
        load_colouriser(name)
    assert told in str(error.value)
    assert "\n" not in str(error.value)


def test_the_door_needs_no_torch(folder: Path) -> None:
    code = (
        "import sys; from models.colour.catalogue import load_colouriser; load_colouriser(sys.argv[1]).card; "
        "import tasks.colouring.request; print('torch' in sys.modules)"
    )
    run = subprocess.run([sys.executable, "-c", code, str(folder)], capture_output=True, text=True)
    assert (run.stdout.strip(), run.stderr) == ("False", "")
