"""A colouriser's whole loop, without Ray: a corpus, a training, a comparison, a challenger, the gate."""

import json
from collections.abc import Iterator, Mapping
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from flows.cli import main
from flows.commands import DELIVERED, FAILED, USAGE
from models.colour.propagate import PropagateSettings
from models.training.course import Course
from models.weights import read_bundle
from storage.corpus import Corpus
from storage.errors import StorageError
from tasks import dask_engine
from tasks.colourisers import colouriser_named, colouriser_of
from tasks.corpora.errors import EngineError
from tasks.dask_engine import Done, WorkerDied
from tasks.evaluation.colour.request import ColourEvaluationRequest
from tasks.evaluation.gate import Decision
from tasks.evaluation.request import EvaluationRequest
from tasks.learning import retrain_colour, retraining, walkable, walks
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


SPLITS = ("train", "train", "train", "val", "test")
FILMS = tuple(f"films/{letter}.mkv" for letter in "abcde")


def written(root: Path, splits: tuple[str, ...] = SPLITS, films: tuple[str, ...] = FILMS, **clip: int) -> str:
    """A clip of each film, by the size that is given."""
    clips = [make_colour_clip(seed, **{"frames": FRAMES, **clip}) for seed in range(len(films))]
    write_corpus(root, clips, 3, splits, films)
    record = json.loads((root / "corpus.json").read_text())
    record |= {"digest": "d" * 64, "films": [], "statistics": {"films": []}}
    (root / "corpus.json").write_text(json.dumps(record))
    return str(root)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> str:
    return written(tmp_path_factory.mktemp("colour"))


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
    figures = {"loss", "frozen_ciede2000", "eval/all/ciede2000", "standing/middle/memory_bytes"}
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
    whole, rest = Looked(), Looked()
    asked = training(corpus, steps=2)
    bundle = train_network(asked, tmp_path / "a" / "run", whole)
    assert bundle.architecture == "redye"
    on = training(corpus, steps=2, begin=str(tmp_path / "a" / "run" / "bundle"))
    train_network(on, tmp_path / "a" / "on", rest)
    assert list(whole.steps) == list(rest.steps) == [1, 2]
    assert rest.looks[0] == pytest.approx(min(whole.looks), rel=1e-5)
    restoring = TrainingRequest(corpus, "reweave-small", 2, area_px=32, begin=on.begin)
    with pytest.raises(RequestError, match="of another network than reweave-small"):
        train_network(restoring, tmp_path / "b", Notes())


def test_killed_it_comes_to_what_it_would_have(corpus: str, tmp_path: Path) -> None:
    asked = training(corpus)
    expected = train_network(asked, tmp_path / "whole", Looked())

    class Killed(Exception):
        pass

    class Dying(Looked):
        def stepped(self, step: int, told: Mapping[str, float]) -> None:
            if step == 3:
                raise Killed

    with pytest.raises(Killed):
        train_network(asked, tmp_path / "run", Dying())
    rest = Looked()
    assert train_network(asked, tmp_path / "run", rest).sha256 == expected.sha256
    assert list(rest.steps) == [3, 4]


class Looked(Notes):
    """With the loss of each look."""

    def looked(self, step: int, told: Mapping[str, float]) -> None:
        assert told["ciede2000"] > 0
        self.looks.append(told["loss"])


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


def test_another_corpus_may_judge_by_films_of_its_own(corpus: str, tmp_path: Path) -> None:
    other = written(tmp_path, ("test",), ("films/f.mkv",))
    assert ColourRetrainRequest(training(corpus), ColourEvaluationRequest(other), str(tmp_path))
    for judged in (
        ColourEvaluationRequest(corpus, "train"),
        ColourEvaluationRequest(corpus, "val"),
        ColourEvaluationRequest(written(tmp_path, ("test",), ("films/b.mkv",))),
    ):
        with pytest.raises(RequestError, match=r"film \w.mkv is one that .* is learnt from; judge by others"):
            ColourRetrainRequest(training(corpus), judged, str(tmp_path))
    with pytest.raises(RequestError, match="is learnt from; judge by others"):
        RetrainRequest(
            TrainingRequest(corpus, "reweave", steps=2, area_px=32), EvaluationRequest(corpus, split="val")
        )


def test_a_pace_of_its_own_is_another_training(corpus: str, tmp_path: Path) -> None:
    asked = asked_for(corpus, tmp_path)
    slower = replace(asked.training, course=replace(asked.training.course, rate=1e-4))
    assert replace(asked, training=slower).folder != asked.folder
    assert replace(asked, training=slower).asked != asked.asked


@pytest.mark.parametrize(
    ("splits", "clip", "asked", "told"),
    [
        pytest.param(("train", "test"), {}, {}, "has no clips for val", id="nothing to be tuned by"),
        pytest.param(SPLITS, {"frames": 5}, {}, "5 frames of 64x64, too little", id="short"),
        pytest.param(SPLITS, {}, {"area_px": 96}, "too little for windows .* of 96x96", id="small"),
        pytest.param(SPLITS, {"width": 96}, {}, "of 96x64, and colour is carried on 64 px", id="large"),
    ],
)
def test_clips_that_cannot_serve_are_told_before_hours_of_work(
    splits: tuple[str, ...],
    clip: dict[str, int],
    asked: dict[str, int],
    told: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(walkable, "PropagateSettings", lambda: PropagateSettings(work_px=64))
    corpus = written(tmp_path, splits, FILMS[: len(splits)], **clip)
    with pytest.raises(StorageError, match=told):
        ColourRetrainRequest(
            training(corpus, **asked), ColourEvaluationRequest(corpus), str(tmp_path / "trainings")
        )


def test_a_walk_does_not_leave_its_folder(
    corpus: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = Corpus.kept
    monkeypatch.setattr(
        Corpus, "kept", lambda self, split: [{**row, "clip": "../out"} for row in kept(self, split)]
    )
    with pytest.raises(StorageError, match=r"'\.\./out' is not the name of a clip"):
        asked_for(corpus, tmp_path)


def test_a_clip_that_ends_all_its_workers_is_told_in_one_line(
    corpus: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Crew:
        def each(self, work: Any, jobs: list[Any]) -> Iterator[Done[Any, None]]:
            yield Done(jobs[0], None, WorkerDied("3 workers died of it"))

    monkeypatch.setattr(walks, "_FEW", 0)
    monkeypatch.setattr(dask_engine, "engine", lambda: nullcontext(Crew()))
    with (
        at_work(asked_for(corpus, tmp_path), Registry(model=COLOUR_MODEL)) as work,
        pytest.raises(EngineError, match="a clip cannot be walked through: 3 workers died of it; what was"),
    ):
        retrain_colour.prepare(work, lambda done: None)


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
