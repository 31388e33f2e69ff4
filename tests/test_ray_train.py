"""A training on Ray Train: workers are killed, callers interrupt it, and it comes to what it would have."""

import os
import shutil
import signal
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from storage.errors import StorageError
from tasks.learning.ray_train import _reason, train_with_ray
from tasks.learning.request import TrainingRequest
from tasks.learning.training import BUNDLE, PROGRESS, train_network
from tasks.ray_engine import start_ray
from tasks.request import RequestError
from tests.corpora import make_clip, write_corpus
from tests.learners import Notes, asking, trained_by_two


@pytest.fixture(scope="module")
def running_ray() -> Iterator[None]:
    """One for all: starting it takes seconds."""
    import ray

    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("RAY_ADDRESS", raising=False)
        assert start_ray(ray)
        yield
        ray.shutdown()


@pytest.fixture(scope="module")
def asked(tmp_path_factory: pytest.TempPathFactory) -> TrainingRequest:
    clips = [make_clip(seed, frames=6, height=72, width=80) for seed in range(6)]
    corpus = write_corpus(tmp_path_factory.mktemp("corpus"), clips, 3, ("train", "train", "val"))
    return asking(corpus, steps=24, look_steps=4)


def workers() -> list[psutil.Process]:
    """The processes that train."""
    found = []
    for process in psutil.Process().children(recursive=True):
        with suppress(psutil.Error):  # gone meanwhile
            if "RayTrainWorker" in " ".join(process.cmdline()):
                found.append(process)
    return found


class Killing(Notes):
    """Kills a worker when it hears of the second look."""

    def looked(self, step: int, told: Mapping[str, float]) -> None:
        super().looked(step, told)
        if len(self.looks) == 2:
            os.kill(workers()[-1].pid, signal.SIGKILL)


class Interrupting(Notes):
    def stepped(self, step: int, told: Mapping[str, float]) -> None:
        super().stepped(step, told)
        if step == 6:
            raise KeyboardInterrupt


@pytest.mark.usefixtures("running_ray")
def test_interrupted_and_killed_it_comes_to_what_it_would_have(
    asked: TrainingRequest, tmp_path: Path
) -> None:
    alone, first = Notes(), Interrupting()
    train_network(asked, tmp_path / "alone", alone)
    with pytest.raises(KeyboardInterrupt):
        train_with_ray(asked, tmp_path / "run", first)
    assert first.steps == pytest.approx({step: alone.steps[step] for step in range(1, 7)}, rel=1e-6)
    assert (tmp_path / "run" / PROGRESS).exists()
    _, left = psutil.wait_procs(workers(), timeout=10)
    assert not left

    # From there on with two workers: undisturbed, and one of them killed.
    shutil.copytree(tmp_path / "run", tmp_path / "undisturbed")
    whole, rest = Notes(), Killing()
    expected = trained_by_two(asked, tmp_path / "undisturbed", whole)
    bundle = train_with_ray(asked, tmp_path / "run", rest, workers=2)
    assert rest.steps == pytest.approx(whole.steps, rel=1e-6)
    assert min(rest.steps) > 4
    assert rest.looks[-1] == max(rest.steps) == 24 > rest.looks[1]
    assert sorted(rest.pictures) == ["window 1", "window 2"]
    assert bundle.folder == tmp_path / "run" / BUNDLE
    assert bundle.sha256 == expected.sha256


@pytest.mark.usefixtures("running_ray")
def test_what_a_worker_raises_is_told_at_once(asked: TrainingRequest, tmp_path: Path) -> None:
    gone = str(tmp_path / "gone")
    with pytest.raises(StorageError) as expected:
        train_network(replace(asked, corpus=gone), tmp_path / "alone", Notes())
    with pytest.raises(StorageError) as raised:
        train_with_ray(replace(asked, corpus=gone), tmp_path / "run", Notes())
    assert type(raised.value) is type(expected.value)
    assert str(raised.value) == str(expected.value)


@pytest.mark.usefixtures("running_ray")
def test_more_workers_than_there_is_room_for(asked: TrainingRequest, tmp_path: Path) -> None:
    with pytest.raises(RequestError, match=r"2 workers need 2000 CPUs, Ray has \d+ free"):
        train_with_ray(asked, tmp_path / "run", Notes(), workers=2, cpus_each=1000)
    with pytest.raises(RequestError, match="batches of 2 cannot be split among 3 workers"):
        train_with_ray(asked, tmp_path / "run", Notes(), workers=3)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("failures", "told"),
    [
        pytest.param({}, "no controller", id="Ray Train's own"),
        pytest.param(
            {1: "Traceback (most recent):\n  x\nRuntimeError: boom\n"}, "RuntimeError: boom", id="raised"
        ),
        pytest.param({3: "other", 1: "The actor died.\nIts node too."}, "The actor died.", id="died"),
    ],
)
def test_why_workers_are_gone(failures: dict[int, str], told: str) -> None:
    error = Exception("no controller\nat all")
    error.worker_failures = {rank: Exception(text) for rank, text in failures.items()}  # type: ignore[attr-defined]
    assert _reason(error) == told
