"""Restorers by name: what is asked for is found or refused before any work, and names its outputs."""

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from models.bundled import SHIPPED
from models.catalogue import UNTRAINED, load_restorer
from models.neural import reweave
from models.neural.reweave import Reweave, ReweaveConfig
from models.restorer import Card
from models.rtn import CONFIGS
from models.weights import CONFIG, WEIGHTS, Bundle, read_bundle, write_bundle
from storage.master import GREY8, Ffv1Writer
from storage.pixels import Picture
from storage.reel import VideoFacts
from storage.vault import Vault
from tasks import restore
from tasks.ingest import IngestedReel, ingest
from tasks.request import RequestError, RestoreRequest
from tasks.restore import RestoringWorker, ShotJob, UnusableWeights, shot_key
from tests.film import Plan, make_film

_SMALL = ReweaveConfig(channels=16, fine_channels=8, heads=2, look_blocks=1, view_blocks=1)


def _bundle(folder: Path) -> Bundle:
    return write_bundle(folder, Reweave(_SMALL), {"sure": 0.5})


@pytest.mark.parametrize("named", ["./b", "b", "{here}/b", "../{name}/b/"])
def test_a_bundle_is_found_from_anywhere(named: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    bundle = _bundle(tmp_path / "b")
    request = RestoreRequest("vault", named.format(here=tmp_path, name=tmp_path.name))
    assert request.restorer == str(tmp_path / "b")
    assert request.title == f"reweave {bundle.sha256[:16]}"
    assert RestoreRequest("vault", request.restorer) == request
    card = load_restorer(request.restorer).card
    assert card.weights_sha256 == bundle.sha256
    assert card.parameters["sure"] == 0.5


def test_a_bundle_may_be_called_what_an_untrained_network_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(RequestError, match="no weights"):
        RestoreRequest("vault", "reweave-large")
    _bundle(tmp_path / "reweave-large")
    assert RestoreRequest("vault", "reweave-large").restorer == str(tmp_path / "reweave-large")


def test_weights_that_come_with_us_go_by_their_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    _bundle(tmp_path / "reweave")
    request = RestoreRequest("vault", "reweave")
    assert request.restorer == "reweave"
    shipped = read_bundle(SHIPPED["reweave"])
    assert request.title == f"reweave {shipped.sha256[:16]}"
    assert load_restorer("reweave").card.weights_sha256 == shipped.sha256
    assert RestoreRequest("vault", "./reweave").restorer == str(tmp_path / "reweave")


@pytest.mark.parametrize(
    ("name", "damage", "told"),
    [
        pytest.param("x", None, "choose one of default, classical, none, reweave", id="unknown"),
        pytest.param("", None, "choose one of", id="nothing"),
        pytest.param("models:/dirt@champion", None, "names no model here; write", id="registry"),
        pytest.param("s3://weights/b", None, "copy it", id="elsewhere"),
        pytest.param("./none", None, "no such directory", id="missing"),
        pytest.param("b/config.json", None, "import-weights b/config.json", id="a file"),
        pytest.param(".", None, "not a weight bundle", id="another directory"),
        pytest.param("b", lambda b: (b / CONFIG).write_text("{"), "not JSON", id="a damaged card"),
        pytest.param("b", lambda b: (b / WEIGHTS).write_bytes(b"0"), "sha256 begins", id="damaged weights"),
        pytest.param("b", lambda b: (b / WEIGHTS).unlink(), "is missing", id="no weights"),
        *(
            pytest.param(name, None, "import a checkpoint with `answerprint import-weights", id=name)
            for name in UNTRAINED
        ),
    ],
)
def test_what_cannot_restore_is_refused_at_the_door(
    name: str,
    damage: Callable[[Path], Any] | None,
    told: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    _bundle(tmp_path / "b")
    if damage:
        damage(tmp_path / "b")
    with pytest.raises(RequestError) as error:
        RestoreRequest("vault", name)
    assert str(error.value).startswith("--restorer ")
    assert told in str(error.value)
    assert "\n" not in str(error.value)


def test_every_network_is_known_by_name() -> None:
    assert {*CONFIGS, *reweave.CONFIGS} <= {*UNTRAINED, *SHIPPED}


def test_the_door_needs_no_torch(tmp_path: Path) -> None:
    _bundle(tmp_path / "b")
    code = (
        "import sys; from tasks.request import RestoreRequest; from models.catalogue import load_restorer; "
        "load_restorer(RestoreRequest('v', sys.argv[1]).restorer).card; import tasks.dispatch; "
        "print('torch' in sys.modules)"
    )
    run = subprocess.run([sys.executable, "-c", code, str(tmp_path / "b")], capture_output=True, text=True)
    assert (run.stdout.strip(), run.stderr) == ("False", "")


@pytest.fixture
def reel(tmp_path: Path) -> tuple[Vault, IngestedReel]:
    video = VideoFacts(
        "ffv1", "gray", 160, 120, Fraction(18), Fraction(1), 0, "progressive", True, 2, 2, 2, 2
    )
    with Ffv1Writer(tmp_path / "film.mkv", video) as writer:
        for frame in make_film(1, Plan(1, (4, 4))).frames:
            writer.write(Picture((frame,), GREY8))
    vault = Vault(str(tmp_path / "vault"))
    vault.prepare()
    return vault, ingest(vault, str(tmp_path / "film.mkv"), None, lambda done: None)


_CARD = Card("reweave", "1", {"sure": 0.5}, "a" * 64)


@pytest.mark.parametrize(
    ("other", "torch", "same"),
    [
        pytest.param(_CARD, "2.0", True, id="all the same"),
        pytest.param(replace(_CARD, weights_sha256="b" * 64), "2.0", False, id="other weights"),
        pytest.param(replace(_CARD, parameters={"sure": 0.6}), "2.0", False, id="another setting"),
        pytest.param(_CARD, "2.1", False, id="another torch"),
    ],
)
def test_an_output_is_named_by_weights_settings_and_torch(
    reel: tuple[Vault, IngestedReel], other: Card, torch: str, same: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    vault, ingested = reel
    job = ShotJob(vault.uri, ingested.reel.reel_id, 0, 4, "b", "preservation")
    monkeypatch.setattr(restore, "network_engines", lambda: {"torch": "2.0"})
    key = shot_key(ingested, job, _CARD)
    plain = shot_key(ingested, job, replace(_CARD, weights_sha256=None))
    monkeypatch.setattr(restore, "network_engines", lambda: {"torch": torch})
    assert (shot_key(ingested, job, other) == key) == same
    assert shot_key(ingested, job, replace(_CARD, weights_sha256=None)) == plain


def test_weights_that_a_worker_cannot_load_cost_no_tries(
    reel: tuple[Vault, IngestedReel], tmp_path: Path
) -> None:
    vault, ingested = reel
    _bundle(tmp_path / "b")
    request = RestoreRequest(vault.uri, str(tmp_path / "b"))
    card = json.loads((tmp_path / "b" / CONFIG).read_text())
    (tmp_path / "b" / CONFIG).write_text(json.dumps({**card, "sizes": {}}))
    job = ShotJob(vault.uri, ingested.reel.reel_id, 0, 4, request.restorer, request.mode)
    with pytest.raises(UnusableWeights, match="does not fit") as error:
        RestoringWorker().run(job, lambda done: None)
    assert error.value.final
    assert read_bundle(tmp_path / "b").sizes == {}
    assert not list((tmp_path / "vault").rglob("shot.json"))
