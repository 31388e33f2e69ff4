"""A colouriser's whole loop, without Ray: a corpus, a training, a comparison, a challenger, the gate."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from flows.cli import main
from flows.commands import DELIVERED, FAILED, USAGE
from models.training.course import Course
from models.weights import read_bundle
from storage.errors import StorageError
from tasks.colourisers import colouriser_named, colouriser_of
from tasks.evaluation.colour.request import ColourEvaluationRequest
from tasks.evaluation.gate import Decision
from tasks.evaluation.request import EvaluationRequest
from tasks.learning import retrain_colour, retraining
from tasks.learning.registry import COLOUR_MODEL, Registry
from tasks.learning.request import TrainingRequest
from tasks.learning.retrain import RetrainRequest
from tasks.learning.retrain_colour import ColourRetrainRequest
from tasks.learning.retraining import at_work, ended, standing
from tasks.learning.training import train_network
from tasks.learning.walks import Walks, prepare_walks, walks_folder
from tasks.mlflow_engine import URI, RegistryError, Server
from tasks.request import RequestError
from tests.corpora import make_clip, make_colour_clip, write_corpus
from tests.learners import Notes

FRAMES = 12


@pytest.fixture(scope="module", autouse=True)
def at_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    home = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_DATA_HOME", str(home))
        patch.delenv(URI, raising=False)
        yield home / "answerprint"


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> str:
    clips = [make_colour_clip(seed, FRAMES) for seed in range(5)]
    sources = ("films/a.mkv", "films/b.mkv", "films/c.mkv", "films/d.mkv", "films/e.mkv")
    root = tmp_path_factory.mktemp("colour")
    write_corpus(root, clips, 3, ("train", "train", "train", "val", "test"), sources)
    record = json.loads((root / "corpus.json").read_text())
    record |= {"digest": "d" * 64, "films": [], "statistics": {"films": []}}
    (root / "corpus.json").write_text(json.dumps(record))
    return str(root)


def training(corpus: str, **asked: Any) -> TrainingRequest:
    given = {"steps": 4, "batch_items": 2, "frames": 3, "area_px": 32, "frozen_items": 1, "workers": 0}
    course = Course(steps=1, validate_steps=2, precision="fp32")
    return TrainingRequest(corpus, "redye", course=course, **{**given, **asked})


def asked_for(corpus: str, folder: Path) -> ColourRetrainRequest:
    return ColourRetrainRequest(
        training(corpus), ColourEvaluationRequest(corpus, clips=1), str(folder), licence="CC0-1.0"
    )


def test_the_whole_loop(corpus: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        retraining,
        "train_with_ray",
        lambda request, folder, reporter, workers: train_network(request, folder, reporter),
    )
    asked, registry = asked_for(corpus, tmp_path), Registry(model=COLOUR_MODEL)
    with at_work(asked, registry) as work:
        assert retrain_colour.prepare(work, lambda done: None) == 4
        assert retrain_colour.prepare(work, lambda done: None) == 0
        retraining.train(work, lambda done: None)
        compared, other = retrain_colour.compare(work, lambda done, total: None)
        version, decision = retrain_colour.register(work, compared, other)
        outcome = retraining.conclude(work, version, decision, other)
    assert (outcome.version, outcome.standing) == ("models:/answerprint-colour/1", "propagate")
    assert list(compared.scores) == [
        f"challenger ({version.sha256[:16]})",
        "propagate",
        "copied",
        "by-luma",
    ]
    assert ended(asked, registry) == outcome
    assert version.tags["architecture"] == "redye"
    run = Server().ask(lambda client: client.get_run(outcome.run_id))
    assert run.info.run_name.startswith("redye on ")
    figures = {"loss", "frozen_ciede2000", "eval/all/ciede2000", "standing/middle/flicker"}
    assert figures <= run.data.metrics.keys()
    assert {"training.network", "evaluation.clips"} <= run.data.params.keys()
    assert {"corpus", "code", "version", "because"} <= run.data.tags.keys()

    # Restorers know nothing of it.
    assert Registry().versions() == []
    with pytest.raises(RegistryError, match="colours film; write models:/answerprint@champion"):
        Registry().version(outcome.version)
    assert not outcome.promoted
    registry.promote(registry.version(outcome.version), "by hand")
    named = colouriser_named("models:/answerprint-colour@champion")
    assert (named.pinned, read_bundle(Path(named.name)).licence) == (outcome.version, "CC0-1.0")
    assert colouriser_of(named.name).card.weights_sha256 == version.sha256
    with at_work(asked, registry) as work:
        # Its own champion is not what it stands against.
        assert standing(work).name == "propagate"
        passed = Decision(True, "propagate", ("better",))
        assert retraining.conclude(work, version, passed, other).promoted
    assert main(["promote", "models:/answerprint-colour/1", "--because", "x"]) == FAILED  # it is
    assert main(["rollback", "--colour", "--because", "too soon"]) == DELIVERED
    assert registry.champion() is None


def test_walks_serve_every_training_and_are_missed(corpus: str, tmp_path: Path) -> None:
    first, second = training(corpus), training(corpus, steps=2, seed=3)
    counted: list[int] = []
    assert prepare_walks(first, tmp_path / "one", counted.append) == 4
    assert counted == [1, 2, 3, 4]
    assert walks_folder(first, tmp_path / "one") == walks_folder(second, tmp_path / "two")
    assert prepare_walks(second, tmp_path / "two") == 0
    place = walks_folder(first, tmp_path / "one")
    windows = Walks(corpus, first.windows(), place)
    one, again, other = windows[0, 1], windows[0, 1], windows[1, 1]
    assert all((left == right).all() for left, right in zip(one, again, strict=True))
    assert one.luma_T1HW.shape == (3, 1, 32, 32)
    assert (one.luma_T1HW != other.luma_T1HW).any()
    with pytest.raises(StorageError, match="12 frames of 64x64, too little for windows of 7 frames"):
        Walks(corpus, training(corpus, frames=7).windows(), place)
    for path in place.iterdir():
        path.unlink()
    with pytest.raises(StorageError, match="was not walked through, of 3"):
        Walks(corpus, first.windows(), place)


def test_a_training_goes_on_and_begins_from_its_own_kind(corpus: str, tmp_path: Path) -> None:
    whole, rest = Notes(), Notes()
    asked = training(corpus, steps=2)
    bundle = train_network(asked, tmp_path / "a" / "run", Looked(whole))
    assert bundle.architecture == "redye"
    on = training(corpus, steps=2, begin=str(tmp_path / "a" / "run" / "bundle"))
    train_network(on, tmp_path / "a" / "on", Looked(rest))
    assert list(whole.steps) == list(rest.steps) == [1, 2]
    restoring = TrainingRequest(corpus, "reweave-small", 2, area_px=32, begin=on.begin)
    with pytest.raises(RequestError, match="of another network than reweave-small"):
        train_network(restoring, tmp_path / "b", Notes())


class Looked:
    """Notes without what only restorers tell."""

    def __init__(self, notes: Notes) -> None:
        self.stepped, self.pictured = notes.stepped, notes.pictured

    def looked(self, step: int, told: dict[str, float]) -> None:
        assert told["ciede2000"] > 0


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        pytest.param({"fresh": "medium"}, "--fresh: is for networks that restore", id="fresh"),
        pytest.param({"polish": 0.5}, "--polish: is for networks that restore", id="polish"),
    ],
)
def test_requests_that_cannot_be(corpus: str, wrong: dict[str, Any], told: str) -> None:
    with pytest.raises(RequestError, match=told):
        training(corpus, **wrong)


def test_each_kind_has_its_own_flow(corpus: str) -> None:
    with pytest.raises(RequestError, match="network redye: colours"):
        RetrainRequest(training(corpus), EvaluationRequest(corpus))
    with pytest.raises(RequestError, match="network reweave: restores"):
        ColourRetrainRequest(TrainingRequest(corpus, steps=2), ColourEvaluationRequest(corpus))


@pytest.mark.parametrize(
    ("arguments", "status", "line"),
    [
        pytest.param(["{grey}"], FAILED, "is grey; `answerprint synthesize --colour`", id="grey"),
        pytest.param(["{corpus}", "--fresh", "medium"], USAGE, "--fresh: is for networks", id="fresh"),
        pytest.param(["{corpus}", "--harm", "0", "0"], USAGE, "--harm: is for networks", id="harm"),
        pytest.param(["{corpus}", "--recipes", "light"], USAGE, "--recipes: is for networks", id="recipes"),
        pytest.param(["{corpus}", "--gate", "harm=1"], USAGE, "no such margin; write one of gain", id="gate"),
        pytest.param(["{corpus}", "--begin", "propagate"], USAGE, "propagate: has no weights", id="begin"),
    ],
)
def test_bad_input_is_told_in_one_line(
    corpus: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    status: int,
    line: str,
) -> None:
    grey = write_corpus(tmp_path, [make_clip(seed) for seed in range(3)], splits=("train", "val", "test"))
    given = [argument.format(corpus=corpus, grey=grey) for argument in arguments]
    assert main(["retrain", *given, "--network", "redye", "--steps", "2"]) == status
    told = capsys.readouterr().err
    assert line in told
    assert len(told.splitlines()) == 1
