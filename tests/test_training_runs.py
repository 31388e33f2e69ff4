"""A training in its folder: begun, taken up, ended as a bundle that restores."""

import json
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import cast

import numpy as np
import pytest

from models.errors import WeightsError
from models.training.pictures import RGB
from models.training.progress import read_progress, write_progress
from models.weights import load_network, read_bundle
from tasks.learning.report import TrainingReport
from tasks.learning.request import TrainingRequest
from tasks.learning.training import BUNDLE, COURSE, PROGRESS, train_network
from tasks.mlflow_engine import Tracked
from tasks.request import RequestError
from tests.corpora import make_clip, write_corpus
from tests.learners import Notes, asking, trained_by_two


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> str:
    clips = [make_clip(seed, frames=6, height=72, width=80) for seed in range(6)]
    return write_corpus(tmp_path_factory.mktemp("corpus"), clips, 3, ("train", "train", "val"))


@pytest.fixture
def asked(corpus: str) -> TrainingRequest:
    return asking(corpus, steps=4, look_steps=2)


def test_a_training_ends_as_a_bundle(asked: TrainingRequest, tmp_path: Path) -> None:
    notes = Notes()
    bundle = train_network(asked, tmp_path / "run", notes)
    assert list(notes.steps) == [1, 2, 3, 4]
    assert notes.looks == [0, 2, 4]
    assert read_bundle(tmp_path / "run" / BUNDLE).sha256 == bundle.sha256
    assert load_network(bundle).config.channels == 48
    assert bundle.origin["course"]["steps"] == 4
    assert not [
        path for path in (tmp_path / "run").rglob("*") if path.suffix in (".pkl", ".pt", ".pth", ".part")
    ]


def test_taken_up_with_other_workers_it_goes_on(asked: TrainingRequest, tmp_path: Path) -> None:
    whole, first, rest = Notes(), Notes(), Notes()
    expected = train_network(asked, tmp_path / "whole", whole)

    class Killed(Exception):
        pass

    def dying(step: int, told: Mapping[str, float]) -> None:
        Notes.stepped(first, step, told)
        if step == 3:
            raise Killed

    first.stepped = dying  # type: ignore[method-assign]
    with pytest.raises(Killed):
        train_network(asked, tmp_path / "run", first)
    bundle = train_network(replace(asked, workers=1), tmp_path / "run", rest)
    assert list(rest.steps) == [3, 4]
    assert rest.steps[4] == pytest.approx(whole.steps[4], rel=1e-6)
    assert bundle.sha256 == expected.sha256
    again = Notes()
    assert train_network(asked, tmp_path / "run", again).sha256 == expected.sha256
    assert not again.steps


def test_it_begins_with_given_weights(asked: TrainingRequest, tmp_path: Path) -> None:
    first, rest, anew = Notes(), Notes(), Notes()
    begun = train_network(asked, tmp_path / "first", first)
    on = replace(asked, begin=str(tmp_path / "first" / BUNDLE))
    bundle = train_network(on, tmp_path / "on", rest)
    train_network(asked, tmp_path / "anew", anew)
    assert anew.steps == first.steps
    assert rest.steps[1] < first.steps[1]  # the same windows, by weights that have learnt
    assert bundle.origin["begun_from"] == {"sha256": begun.sha256, "steps": 4}
    assert "begun_from" not in begun.origin
    for other, folder in ((asked, "on"), (on, "anew")):
        with pytest.raises(WeightsError, match="holds another training"):
            train_network(other, tmp_path / folder, Notes())
    with pytest.raises(RequestError, match=r"of another network than reweave; begin with"):
        train_network(replace(on, network="reweave"), tmp_path / "large", Notes())
    with pytest.raises(WeightsError, match="no such directory"):
        train_network(replace(on, begin=str(tmp_path / "none")), tmp_path / "none", Notes())


def test_two_learn_as_one(asked: TrainingRequest, tmp_path: Path) -> None:
    alone = Notes()
    train_network(asked, tmp_path / "alone", alone)
    together = Notes()
    bundle = trained_by_two(asked, tmp_path / "together", together)
    assert list(together.steps) == list(alone.steps)
    assert list(together.steps.values()) == pytest.approx(list(alone.steps.values()), rel=1e-3)
    assert together.looks == alone.looks
    # What two began one goes on with.
    assert train_network(asked, tmp_path / "together", Notes()).sha256 == bundle.sha256


def test_batches_that_cannot_be_split(asked: TrainingRequest, tmp_path: Path) -> None:
    with pytest.raises(RequestError, match="batches of 3 cannot be split among 2 workers"):
        trained_by_two(replace(asked, batch_items=3), tmp_path / "run", Notes())


def test_a_budget_is_planned_once(asked: TrainingRequest, tmp_path: Path) -> None:
    notes = Notes()
    budget = replace(asked, steps=0, budget_s=8.0)
    train_network(budget, tmp_path / "run", notes)
    steps = json.loads((tmp_path / "run" / COURSE).read_bytes())["course"]["steps"]
    assert max(notes.steps) == steps >= 1
    (tmp_path / "run" / PROGRESS).unlink()
    again = Notes()
    train_network(budget, tmp_path / "run", again)
    assert again.steps == pytest.approx(notes.steps, rel=1e-6)


def test_damage_made_anew_is_another_training_judged_by_the_same_windows(
    asked: TrainingRequest, tmp_path: Path
) -> None:
    stored, fresh = Notes(), Notes()
    train_network(asked, tmp_path / "stored", stored)
    train_network(replace(asked, fresh="medium"), tmp_path / "fresh", fresh)
    assert fresh.steps[1] != stored.steps[1]
    assert fresh.inputs == stored.inputs
    with pytest.raises(WeightsError, match="holds another training"):
        train_network(replace(asked, fresh="heavy"), tmp_path / "fresh", Notes())
    with pytest.raises(RequestError, match="no such recipe"):
        train_network(replace(asked, fresh="mild"), tmp_path / "mild", Notes())


def test_folders_of_other_trainings_are_left_alone(asked: TrainingRequest, tmp_path: Path) -> None:
    train_network(asked, tmp_path / "run", Notes())
    with pytest.raises(WeightsError, match="holds another training; name another folder"):
        train_network(replace(asked, seed=1), tmp_path / "run", Notes())
    other = replace(asked, course=replace(asked.course, rate=0.5))
    with pytest.raises(WeightsError, match="of another training"):
        train_network(other, tmp_path / "run", Notes())
    assert train_network(asked, tmp_path / "run", Notes())  # it was left as it was
    (tmp_path / "run" / COURSE).write_text("{")
    with pytest.raises(WeightsError, match="damaged; remove the folder"):
        train_network(asked, tmp_path / "run", Notes())


def test_progress_of_a_network_that_was_built_otherwise(asked: TrainingRequest, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    train_network(asked, folder, Notes())
    told = json.loads((folder / COURSE).read_bytes())
    progress = read_progress(folder / PROGRESS, told)
    progress.network.popitem()
    write_progress(folder / PROGRESS, progress, told)
    with pytest.raises(WeightsError, match="built otherwise, before an update; remove the folder"):
        train_network(asked, folder, Notes())


def test_a_look_is_not_counted_among_the_steps_time(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, told = [0.0], list[Mapping[str, float]]()

    class Run:
        def numbers(self, step: int, numbers: Mapping[str, float]) -> None:
            told.append(numbers)

        def picture(self, name: str, picture_HWC: RGB) -> None:
            clock[0] += 100.0

    monkeypatch.setattr(time, "monotonic", lambda: clock[0])
    report = TrainingReport(cast("Tracked", Run()), 2, lambda done: None)
    report.looked(0, {})
    report.pictured(0, {"window 1": np.zeros((1, 1, 3), np.uint8)})
    for step in range(1, 11):
        clock[0] += 1.0
        report.stepped(step, {"loss": float(step)})
    assert told == [{}, {"loss": 5.5, "windows_per_second": 2.0}]


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        pytest.param({"network": "resnet"}, "network resnet: there is none; choose one of", id="network"),
        pytest.param({"steps": 0}, "name steps, or a budget of time", id="neither steps nor budget"),
        pytest.param({"area_px": 100}, "an area of 100 px: take a multiple of 32", id="area"),
        pytest.param({"batch_items": 0}, "must not be negative, all else at least 1", id="empty batches"),
    ],
)
def test_requests_that_cannot_be(asked: TrainingRequest, wrong: dict[str, object], told: str) -> None:
    with pytest.raises(RequestError, match=told):
        replace(asked, **wrong)  # type: ignore[arg-type]


def test_a_budget_too_short_is_told(asked: TrainingRequest, tmp_path: Path) -> None:
    with pytest.raises(RequestError, match=r"a budget of 0 s: .* too short"):
        train_network(replace(asked, steps=0, budget_s=0.01), tmp_path / "run", Notes())
