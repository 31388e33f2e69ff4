"""The whole loop: a corpus, a training, the gate, a champion, a restoration by it, and the way back."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from flows.cli import main
from flows.commands import DELIVERED, FAILED, USAGE
from models.catalogue import DEFAULT, title
from models.weights import write_bundle
from storage.delivery import SUMMARY
from tasks import dispatch
from tasks.deliver import PAYLOAD
from tasks.evaluation.gate import Decision
from tasks.evaluation.request import EvaluationRequest
from tasks.learning.registry import Registry, Version
from tasks.learning.request import TrainingRequest
from tasks.learning.retrain import Restoring, RetrainRequest
from tasks.learning.retraining import at_work, conclude, ended, standing
from tasks.mlflow_engine import URI, Server
from tasks.request import RequestError
from tasks.restorers import Named
from tests.footage import pan, write_film
from tests.networks import untrained

pytestmark = pytest.mark.usefixtures("quiet_prefect", "at_home")

CHAMPION = "models:/answerprint@champion"


@pytest.fixture(scope="module")
def at_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    home = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_DATA_HOME", str(home))
        patch.delenv(URI, raising=False)
        yield home / "answerprint"


def told(capsys: pytest.CaptureFixture[str], *arguments: str, status: int = DELIVERED) -> Any:
    capsys.readouterr()
    assert main([*arguments, "--json"]) == status
    return json.loads(capsys.readouterr().out)


def second(folder: Path) -> int:
    """Another version, registered by hand."""
    bundle = write_bundle(folder, untrained("reweave", 5))
    registry = Registry()
    with registry.server.begin("retrain", "by hand", {}, {}) as run:
        return registry.register(run, bundle.folder, "# By hand\n", {}).number


def test_the_whole_loop(
    corpus: Path,
    tmp_path: Path,
    at_home: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    training = ("--network", "reweave-small", "--steps", "6", "--area", "32", "--batch", "2", "--frames", "4")
    asked = ("retrain", str(corpus), *training, "--clips", "2", "--recipes", "medium")
    outcome = told(capsys, *asked)
    assert outcome["version"] == "models:/answerprint/1"
    assert outcome["standing"] == title(DEFAULT)
    assert not outcome["promoted"]
    assert "asked for" in outcome["reasons"][0]
    assert "challenger" in Path(outcome["report"]).read_text()
    run = Server().ask(lambda client: client.get_run(outcome["run_id"]))
    assert run.info.status == "FINISHED"
    assert run.info.run_name == f"reweave-small on {corpus.name[:8]}, 6 steps, seed 0"
    assert {
        "loss",
        "rate",
        "windows_per_second",
        "frozen_mask_f1",
        "eval/clean/harm",
    } <= run.data.metrics.keys()
    assert {"training.steps", "training.network", "evaluation.clips"} <= run.data.params.keys()
    assert {"corpus", "code", "version", "because"} <= run.data.tags.keys()
    assert told(capsys, *asked) == outcome  # nothing is done twice

    assert main(["promote", "1", "--because", "to try it"]) == DELIVERED
    number = second(tmp_path / "second")
    films = [write_film(tmp_path / f"reel{n}.mkv", pan(n, 12)) for n in (6, 7)]
    vault = str(tmp_path / "vault")
    restoring = [str(film) for film in films] + ["--vault", vault, "--restorer", CHAMPION]
    original = dispatch.restore_shots

    def promoted_meanwhile(*arguments: Any) -> Any:
        if Registry().champion().number == 1:  # type: ignore[union-attr]
            assert main(["promote", str(number), "--because", "in the middle of a run"]) == DELIVERED
        return original(*arguments)

    monkeypatch.setattr(dispatch, "restore_shots", promoted_meanwhile)
    assert main(["restore", *restoring]) == DELIVERED
    records = [json.loads(path.read_text()) for path in Path(vault).glob("reels/*/shots/*/shot.json")]
    assert len(records) == 2
    assert {record["recipe"]["restorer"]["weights_sha256"] for record in records} == {outcome["sha256"]}
    summaries = [path.read_text() for path in Path(vault).glob(f"reels/*/deliver/*/{PAYLOAD}/{SUMMARY}")]
    assert len(summaries) == 2
    assert all(f"answerprint version 1 ({outcome['sha256'][:16]})" in summary for summary in summaries)

    plans = told(capsys, "plan", *restoring)["reels"]
    assert [plan["shots_anew"] for plan in plans] == [[1], [1]]
    assert main(["rollback", "--because", "that was too soon"]) == DELIVERED
    plans = told(capsys, "plan", *restoring)["reels"]
    assert [(plan["shots_anew"], plan["shots_done"]) for plan in plans] == [([], 1), ([], 1)]
    models = told(capsys, "models")["versions"]
    assert [(each["number"], each["aliases"]) for each in models] == [
        (2, []),
        (1, ["champion"]),
    ]
    kinds = {path.suffix for path in at_home.rglob("*") if path.is_file()}
    assert kinds == {".db", ".lock", ".json", ".safetensors", ".md", ".png", ".html", ""}


def test_restorers_are_compared_and_told_to_mlflow(
    corpus: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = ["evaluate", "classical", "--corpus", str(corpus), "--recipes", "medium", "--clips", "1"]
    output = tmp_path / "compared"
    compared = told(capsys, *asked, "--output", str(output))
    slices = [(row["restorer"], row["slice"]) for row in compared["scores"]]
    parts = ("medium", "clean", "lookalikes")
    assert slices == [(who, part) for who in ("none", "classical") for part in parts]
    assert compared["report"] == str(output / "index.html")
    figures = json.loads((output / "evaluation.json").read_text())["scores"]["classical"]["clean"]
    run = Server().ask(lambda client: client.get_run(compared["run_id"]))
    assert run.data.metrics["classical/clean/harm"] == figures["harm"]
    assert main([*asked, "--output", str(output)]) == DELIVERED
    printed = capsys.readouterr().out
    assert all(part in printed for part in ("dB inside before", "lookalikes", f"{figures['harm']:.4%}"))
    assert "…" not in printed


def request(corpus: Path, tmp_path: Path, **asked: Any) -> RetrainRequest:
    training = TrainingRequest(str(corpus), "reweave-small", 6, area_px=32, **asked)
    return RetrainRequest(training, EvaluationRequest(str(corpus)), str(tmp_path))


def test_a_run_that_was_stopped_goes_on(corpus: Path, tmp_path: Path) -> None:
    registry, asked = Registry(), request(corpus, tmp_path)
    with pytest.raises(KeyboardInterrupt), at_work(asked, registry) as first:
        raise KeyboardInterrupt
    with at_work(asked, registry) as again:
        assert again.run.run_id == first.run.run_id
        found = registry.server.ask(lambda client: client.get_run(first.run.run_id))
        assert (found.info.status, found.data.tags.get("error")) == ("RUNNING", None)
        with pytest.raises(RequestError, match="is at work already"), at_work(asked, registry):
            pass
    other = replace(asked, licence="CC0-1.0")
    with at_work(other, registry) as another:
        assert another.run.run_id != first.run.run_id
    assert ended(asked, registry) is None


def work_on(asked: RetrainRequest, folder: Path) -> tuple[Restoring, Version, Decision, Named]:
    """At the gate: a version that passes, and whom it was compared with."""
    registry = Registry()
    bundle = write_bundle(folder / "bundle", untrained("reweave", 7))
    with at_work(asked, registry) as work:
        tags = {"gate_standing": standing(work).pinned}
        version = registry.register(work.run, bundle.folder, "# A card\n", tags)
        return work, version, Decision(True, "x", ("better",)), standing(work)


def test_the_gate_promotes_once_and_only_over_whom_it_knew(
    corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    asked = request(corpus, tmp_path / "trainings")
    work, version, passed, other = work_on(asked, tmp_path)
    assert other.name == DEFAULT
    second_version = second(tmp_path / "second")
    work.registry.promote(work.registry.version(f"models:/answerprint/{second_version}"), "by hand")
    outcome = conclude(work, version, passed, other)
    assert not outcome.promoted
    assert f"another champion than {other.title} by now" in outcome.reasons[0]

    work.registry.rollback("to try again")
    assert conclude(work, version, passed, other).promoted
    champion = work.registry.champion()
    assert champion is not None
    assert champion.number == version.number
    # Stopped between the promotion and the record of it, and gone on with:
    assert standing(work) == other
    again = conclude(work, version, passed, other)
    assert again.promoted
    assert work.registry.rollback("once is enough")[1] is None
    assert ended(asked, work.registry) == again
    assert ended(replace(asked, licence="CC0-1.0"), work.registry) is None
    assert ended(asked, Registry(Server(f"sqlite:///{tmp_path / 'other.db'}"))) is None


def test_a_training_has_a_place_of_its_own(corpus: Path, tmp_path: Path) -> None:
    training = TrainingRequest(str(corpus), "reweave-small", 6, area_px=32)
    judged = EvaluationRequest(str(corpus))
    same: list[dict[str, Any]] = [{}, {"workers": 0}, {"corpus": f"{corpus}/"}]
    other: list[dict[str, Any]] = [{"seed": 1}, {"steps": 7}, {"fresh": "light"}, {"fresh": "medium"}]
    places = [RetrainRequest(replace(training, **asked), judged).folder for asked in (*same, *other)]
    assert len(set(places[: len(same)])) == 1
    assert len(set(places)) == 1 + len(other)


@pytest.mark.parametrize(
    ("arguments", "status", "line"),
    [
        pytest.param(
            ["retrain", "{tmp}", "--steps", "3"], FAILED, "no finished corpus there", id="no corpus"
        ),
        pytest.param(
            ["retrain", "{corpus}", "--steps", "3", "--network", "vgg"], USAGE, "there is none", id="network"
        ),
        pytest.param(
            ["retrain", "{corpus}", "--steps", "3", "--begin", "{tmp}"],
            USAGE,
            "--begin {tmp}: not a",
            id="begin",
        ),
        pytest.param(
            ["retrain", "{corpus}", "--steps", "3", "--recipes", "mild"], USAGE, "no such recipe", id="recipe"
        ),
        pytest.param(
            ["retrain", "{corpus}", "--steps", "3", "--begin", "classical"],
            USAGE,
            "--begin classical: has no weights",
            id="begin with none",
        ),
        pytest.param(
            ["retrain", "{corpus}", "--steps", "3", "--gate", "kind=1"], USAGE, "no such margin", id="gate"
        ),
        pytest.param(
            ["retrain", "{corpus}", "--steps", "3", "--harm", "0", "2"], USAGE, "--harm: a budget", id="harm"
        ),
        pytest.param(
            ["evaluate", "nobody", "--corpus", "{corpus}"], USAGE, "there is no such", id="restorer"
        ),
        pytest.param(["promote", "9", "--because", "x"], FAILED, "no such version", id="version"),
    ],
)
def test_bad_input_is_told_in_one_line(
    corpus: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    status: int,
    line: str,
) -> None:
    places = {"tmp": tmp_path, "corpus": corpus}
    assert main([argument.format(**places) for argument in arguments]) == status
    out, err = capsys.readouterr()
    assert line.format(**places) in err
    assert len((out + err).strip().splitlines()) == 1


@pytest.mark.parametrize("time", ["3x", "m", "-5m", "0h", "nanh", "infs", ""])
def test_budgets_that_are_no_time(time: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["retrain", "corpus", f"--budget={time}"])
    assert "write a time like 90s, 150m or 8h" in capsys.readouterr().err
