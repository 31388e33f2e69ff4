"""The registry: versions that can run nothing, one champion, and the way back."""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import traceback
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from models.errors import WeightsError
from models.weights import CONFIG, WEIGHTS, Bundle, check_weights, read_bundle, write_bundle
from tasks.colouring.request import ColourRequest
from tasks.learning.registry import CARD, COLOUR_MODEL, Registry, Version
from tasks.mlflow_engine import URI, RegistryError, Server
from tasks.request import RequestError, RestoreRequest
from tests.networks import opinionated, untrained


@pytest.fixture(autouse=True)
def at_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.delenv(URI, raising=False)
    return tmp_path / "data" / "answerprint"


@pytest.fixture
def registry() -> Registry:
    return Registry()


@pytest.fixture
def places(tmp_path: Path) -> tuple[str, str]:
    """A vault and a directory of stills, both empty."""
    for name in ("vault/reels", "stills"):
        (tmp_path / name).mkdir(parents=True)
    return str(tmp_path / "vault"), str(tmp_path / "stills")


def untrained_bundle(folder: Path, seed: int) -> Bundle:
    return write_bundle(folder, untrained("reweave", seed))


def registered(registry: Registry, folder: Path, seed: int = 0) -> Version:
    bundle = untrained_bundle(folder / f"bundle-{seed}", seed)
    with registry.server.begin("retrain", f"run {seed}", {"corpus": "abc"}, {"steps": 4}) as run:
        return registry.register(run, bundle.folder, "# A card\n", {"corpus": "abc"})


def test_nothing_is_there_at_first(registry: Registry) -> None:
    assert registry.versions() == []
    assert registry.champion() is None
    with pytest.raises(RegistryError, match=r"no such version in sqlite:.*; `answerprint retrain` makes the"):
        registry.version("models:/answerprint@champion")
    with pytest.raises(RegistryError, match="no champion, nothing to roll back"):
        registry.rollback("by hand")


NAMES = "models:/answerprint@champion", "models:/answerprint-colour@champion"


def test_restorers_and_colourisers_are_found_by_their_own_names(
    registry: Registry, places: tuple[str, str], tmp_path: Path
) -> None:
    colourisers = Registry(model=COLOUR_MODEL)
    restorer = registered(registry, tmp_path)
    bundle = write_bundle(tmp_path / "redye", opinionated())
    with registry.server.begin("retrain", "redye", {"corpus": "abc"}, {"steps": 4}) as run:
        colouriser = colourisers.register(run, bundle.folder, "# A card\n", {"corpus": "abc"})
    registry.promote(restorer, "the first")
    colourisers.promote(colouriser, "the first")
    assert RestoreRequest(places[0], NAMES[0]).pinned == restorer.name
    asked = ColourRequest(*places, NAMES[1])
    assert Path(asked.colouriser).name == colouriser.bundle_sha256
    assert asked.title == f"redye {bundle.sha256[:16]}"


@pytest.mark.parametrize(
    ("name", "why"),
    [
        pytest.param(NAMES[0], "restores film", id="a restorer"),
        pytest.param("models:/redye@champion", "names no model here", id="unknown"),
    ],
)
def test_what_is_no_colouriser_is_told_so(name: str, why: str, places: tuple[str, str]) -> None:
    told = f"--colouriser {name}: {why}; write {NAMES[1]}, or models:/answerprint-colour/3 for a version"
    with pytest.raises(RequestError, match=f"^{re.escape(told)}$"):
        ColourRequest(*places, name)


def test_a_colouriser_is_no_restorer(places: tuple[str, str]) -> None:
    told = f"--restorer {NAMES[1]}: colours film; write {NAMES[0]}, or models:/answerprint/3 for a version"
    with pytest.raises(RequestError, match=f"^{re.escape(told)}$"):
        RestoreRequest(places[0], NAMES[1])


def test_a_version_is_what_was_registered_and_nothing_in_it_can_run(
    registry: Registry, tmp_path: Path, at_home: Path
) -> None:
    version = registered(registry, tmp_path)
    folder = registry.fetch(version)
    assert version.name == "models:/answerprint/1"
    assert version.tags["corpus"] == "abc"
    assert folder == at_home / "models" / version.bundle_sha256
    assert sorted(path.name for path in folder.iterdir()) == sorted([CARD, CONFIG, WEIGHTS])
    assert (folder / WEIGHTS).read_bytes() == (tmp_path / "bundle-0" / WEIGHTS).read_bytes()
    kinds = {path.suffix for path in at_home.rglob("*") if path.is_file()}
    assert kinds == {".db", ".lock", ".json", ".safetensors", ".md"}


def test_one_champion_at_a_time_and_the_way_back(registry: Registry, tmp_path: Path) -> None:
    first, second, third = (registered(registry, tmp_path, seed) for seed in range(3))
    registry.challenge(second)
    assert registry.promote(first, "the first") is None
    before = registry.promote(second, "better")
    assert before is not None
    assert before.number == 1
    registry.promote(third, "better still")
    champion = registry.version("models:/answerprint@champion")
    assert champion.number == 3
    assert champion.tags["promoted_because"] == "better still"
    with pytest.raises(RegistryError, match="no such version"):  # promoted, it challenges nobody
        registry.version("models:/answerprint@challenger")
    with pytest.raises(RegistryError, match="models:/answerprint/3: is the champion already"):
        registry.promote(third, "again")
    lost, now = registry.rollback("smears walkers")
    assert (lost.number, now and now.number) == (3, 2)
    assert registry.version(third.name).tags["rolled_back_because"] == "smears walkers"
    _, now = registry.rollback("again")
    assert now is not None
    assert now.number == 1
    assert registry.rollback("and again")[1] is None
    assert registry.champion() is None


@pytest.mark.parametrize(
    "name",
    [
        "models:/other/1",
        "models:/answerprint",
        "models:/answerprint/0",
        "models:/answerprint/../1",
        "models:/",
    ],
)
def test_names_that_name_nothing(registry: Registry, name: str) -> None:
    with pytest.raises(RegistryError, match="names no model here; write models:/answerprint@champion"):
        registry.version(name)


def test_what_was_spoilt_on_the_way_is_fetched_again_and_what_lies_wrong_is_refused(
    registry: Registry, tmp_path: Path
) -> None:
    version = registered(registry, tmp_path)
    folder = registry.fetch(version)
    whole = (folder / WEIGHTS).read_bytes()
    (folder / WEIGHTS).write_bytes(whole[:-1] + b"x")
    assert (registry.fetch(version) / WEIGHTS).read_bytes() == whole
    kept = Path(version.source.removeprefix("file://"))
    (kept / WEIGHTS).write_bytes(whole[:-1] + b"x")
    (folder / WEIGHTS).unlink()
    with pytest.raises(WeightsError, match="damaged, or of another bundle"):
        check_weights(read_bundle(kept))
    with pytest.raises(RegistryError, match="is not what was registered"):
        registry.fetch(version)
    other = untrained_bundle(tmp_path / "other", 9)
    for name in (CONFIG, WEIGHTS):
        (kept / name).write_bytes((other.folder / name).read_bytes())
    with pytest.raises(RegistryError, match="is not what was registered"):
        registry.fetch(version)


def test_settings_are_part_of_a_version(registry: Registry, tmp_path: Path) -> None:
    """The same weights twice, to be believed from other probabilities on."""
    versions = []
    for sure in (0.5, 0.9):
        bundle = write_bundle(tmp_path / str(sure), untrained("reweave"), {"sure": sure})
        with registry.server.begin("retrain", "run", {}, {}) as run:
            versions.append(registry.register(run, bundle.folder, "# A card\n", {}))
            assert registry.register(run, bundle.folder, "# A card\n", {}).number == len(versions)
    assert versions[0].sha256 == versions[1].sha256
    assert [read_bundle(registry.fetch(each)).settings["sure"] for each in versions] == [0.5, 0.9]
    kept = Path(versions[0].source.removeprefix("file://"), CONFIG)
    kept.write_text(kept.read_text().replace("0.5", "0.1"))
    shutil.rmtree(registry.fetch(versions[0]))
    with pytest.raises(RegistryError, match="is not what was registered"):
        registry.fetch(versions[0])


def test_a_run_that_goes_on_tells_its_version_what_the_gate_says_now(
    registry: Registry, tmp_path: Path
) -> None:
    bundle, card = write_bundle(tmp_path, untrained("reweave")), "# A card\n" + "- a film\n" * 1000
    with registry.server.begin("retrain", "run", {}, {}) as run:
        before = registry.register(run, bundle.folder, card, {"gate": "passed", "corpus": "abc"})
        again = registry.register(run, bundle.folder, card, {"gate": "not passed"})
    assert again == replace(before, tags={**before.tags, "gate": "not passed"})
    # Databases that hold to their columns' lengths take the card's beginning; the whole lies with the bundle.
    made = registry.server.ask(lambda client: client.get_model_version(before.model, str(before.number)))
    assert made.description == card[:5000]
    assert (registry.fetch(before) / CARD).read_text() == card


def test_rolling_back_ends_however_often_one_was_promoted(registry: Registry, tmp_path: Path) -> None:
    first, second = (registered(registry, tmp_path, seed) for seed in range(2))
    for version in (first, second, first):
        registry.promote(version, "again")
    lost = [registry.rollback("no good") for _ in range(2)]
    assert [(old.number, new and new.number) for old, new in lost] == [(1, 2), (2, None)]
    registry.promote(registry.version(first.name), "mended")
    champion = registry.champion()
    assert champion is not None
    assert "rolled_back" not in champion.tags


def test_a_path_to_a_database_may_be_relative(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(URI, "sqlite:///here.db")
    registry = Registry()
    assert registry.fetch(registered(registry, tmp_path)).is_dir()
    assert sorted(path.name for path in tmp_path.iterdir() if path.name != "data") == [
        "artifacts",
        "bundle-0",
        "here.db",
        "here.db.lock",
    ]


def test_a_run_can_be_read_by_strangers(registry: Registry, at_home: Path) -> None:
    with registry.server.begin("retrain", "reweave on 12 clips", {"corpus": "c"}, {"a": {"b": 1}}) as run:
        run.numbers(1, {"loss": 0.5})
        run.numbers(2, {"loss": 0.25})
        run.picture("look 2", np.zeros((4, 5, 3), np.uint8))
    found = registry.server.ask(lambda client: client.get_run(run.run_id))
    assert found.info.run_name == "reweave on 12 clips"
    assert found.info.status == "FINISHED"
    assert found.data.params == {"a.b": "1"}
    history = registry.server.ask(lambda client: client.get_metric_history(run.run_id, "loss"))
    assert [(each.step, each.value) for each in history] == [(1, 0.5), (2, 0.25)]
    assert [path.name for path in at_home.rglob("*.png")] == ["look 2.png"]


@pytest.mark.parametrize(
    ("error", "status"), [(ValueError("no\nnumber"), "FAILED"), (KeyboardInterrupt(), "KILLED")]
)
def test_how_a_run_ended_is_told(registry: Registry, error: BaseException, status: str) -> None:
    run = registry.server.begin("retrain", "run", {}, {})
    with pytest.raises(type(error)), run:
        raise error
    found = registry.server.ask(lambda client: client.get_run(run.run_id))
    assert found.info.status == status
    assert found.data.tags["error"] in ("no", "KeyboardInterrupt")


def test_two_runs_at_once_do_not_meet(registry: Registry) -> None:
    """Two that begin on a database that is not there yet, and tell their numbers at the same time."""
    script = (
        "import sys; from tasks.mlflow_engine import Server\n"
        "with Server().begin('retrain', sys.argv[1], {}, {}) as run:\n"
        "    for step in range(30): run.numbers(step, {'loss': float(sys.argv[1])})\n"
        "print(run.run_id, run._lost)"
    )
    both = [
        subprocess.Popen([sys.executable, "-c", script, name], stdout=subprocess.PIPE, text=True)
        for name in ("1", "2")
    ]
    told = [each.communicate(timeout=120)[0].split() for each in both]
    for name, (run_id, lost) in zip(("1", "2"), told, strict=True):
        history = registry.server.ask(lambda client, run_id=run_id: client.get_metric_history(run_id, "loss"))
        assert {each.value for each in history} == {float(name)}
        assert (len(history), lost) == (30, "0")


def test_numbers_that_cannot_be_told_cost_no_training(registry: Registry) -> None:
    run = registry.server.begin("retrain", "run", {}, {})
    with run:
        run.numbers(1, {"not/a\nname": 1.0})
        run.numbers(2, {"loss": 1.0})
    found = registry.server.ask(lambda client: client.get_run(run.run_id))
    assert found.data.tags["untold"] == "1"
    assert found.data.metrics == {"loss": 1.0}


def test_a_server_that_is_away_is_told_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    server = Server("http://user:secret@127.0.0.1:9")
    with pytest.raises(
        RegistryError, match=r"^registry http://127\.0\.0\.1:9: does not answer; start"
    ) as told:
        Registry(server).versions()
    assert "secret" not in "".join(traceback.format_exception(told.value))


@pytest.fixture
def server(tmp_path: Path) -> Iterator[str]:
    """A real MLflow server."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    place = tmp_path / "server"
    place.mkdir()
    command = [
        sys.executable,
        "-m",
        "mlflow",
        "server",
        "--host",
        "127.0.0.1",
        "--port",
        port,
        "--workers",
        "1",
    ]
    command += [
        "--backend-store-uri",
        f"sqlite:///{place}/db",
        "--artifacts-destination",
        str(place / "kept"),
    ]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if "startup complete" in line.lower():
                break
        threading.Thread(target=process.stdout.read, daemon=True).start()
        yield f"http://127.0.0.1:{port}"
        os.killpg(process.pid, signal.SIGKILL)


def test_the_same_on_a_server(server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(URI, server)
    registry = Registry()
    version = registered(registry, tmp_path)
    registry.promote(version, "the first")
    assert registry.fetch(registry.version("models:/answerprint@champion")).name == version.bundle_sha256
    assert json.loads((registry.fetch(version) / CONFIG).read_text())["sha256"] == version.sha256
    assert not os.path.exists(tmp_path / "data" / "answerprint" / "mlflow.db")
