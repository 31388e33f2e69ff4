"""The pool on real Ray: dead workers replaced, poison jobs given up and named, the rest done once."""

from __future__ import annotations  # workers get the code below by value, without the names of its types

import os
import re
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import ray

from tasks.pool import JobFailed, Pool, Worker
from tasks.ray_engine import PoolError

_PATIENCE_S = 90


def _make_worker() -> Worker:
    class Obedient:
        def run(self, job: dict[str, Any], progress: Callable[[int], None]) -> Any:
            with open(job["log"], "a") as log:
                log.write(job["name"] + "\n")
            match job["do"]:
                case "die":
                    os._exit(1)
                case "die once":
                    flag = Path(job["log"] + ".died")
                    if not flag.exists():
                        flag.touch()
                        os._exit(1)
                case "raise":
                    raise ValueError("this frame is cursed")
                case "raise for good":
                    error = OSError("no space left")
                    error.final = True  # type: ignore[attr-defined]
                    raise error
                case "hang":
                    time.sleep(600)
                case "tell":
                    progress(7)
                    time.sleep(1.5)
            return job["name"], os.getpid()

    return Obedient()


@pytest.fixture(scope="module")
def pool() -> Iterator[Pool]:
    ray.cloudpickle.register_pickle_by_value(sys.modules[__name__])  # workers cannot import the tests
    with Pool(_make_worker, size=1) as opened:
        yield opened


def _job(name: str, do: str, log: Path) -> dict[str, Any]:
    return {"name": name, "do": do, "log": str(log)}


@pytest.mark.parametrize(
    ("do", "tries", "error", "told"),
    [
        pytest.param("work", 1, None, "", id="works"),
        pytest.param("die once", 2, None, "", id="its worker dies once"),
        pytest.param("die", 3, JobFailed, "its worker died", id="its worker dies each time"),
        pytest.param("raise", 3, JobFailed, "cursed (tried 3 times)", id="raises each time"),
        pytest.param("raise for good", 1, OSError, "no space left", id="raises what will not pass"),
    ],
)
def test_a_job_is_tried_as_often_as_it_makes_sense(
    pool: Pool, tmp_path: Path, do: str, tries: int, error: type[Exception] | None, told: str
) -> None:
    log = tmp_path / "log"
    future = pool.submit(_job("it", do, log), cost=1, deadline_s=60)
    others = [pool.submit(_job(f"other {n}", "work", log), cost=1, deadline_s=60) for n in range(4)]
    if error is None:
        assert future.result(_PATIENCE_S)[0] == "it"
    else:
        with pytest.raises(error, match=re.escape(told)):
            future.result(_PATIENCE_S)
    assert [other.result(_PATIENCE_S)[0] for other in others] == [f"other {n}" for n in range(4)]
    lines = log.read_text().splitlines()
    assert lines.count("it") == tries
    assert all(lines.count(f"other {n}") == 1 for n in range(4))


def test_poison_jobs_do_not_cost_the_others(pool: Pool, tmp_path: Path) -> None:
    log = tmp_path / "log"
    poison = [pool.submit(_job(f"poison {n}", "die", log), cost=2, deadline_s=60) for n in range(3)]
    healthy = pool.submit(_job("healthy", "work", log), cost=1, deadline_s=60)
    for future in poison:
        with pytest.raises(JobFailed):
            future.result(_PATIENCE_S)
    assert healthy.result(_PATIENCE_S)[0] == "healthy"


def test_cancelled_jobs_free_their_worker(pool: Pool, tmp_path: Path) -> None:
    log = tmp_path / "log"
    hanging = pool.submit(_job("hanging", "hang", log), cost=2, deadline_s=600)
    waiting = pool.submit(_job("waiting", "work", log), cost=1, deadline_s=600)
    while not log.exists():
        time.sleep(0.05)
    pool.cancel([hanging, waiting])
    assert pool.submit(_job("next", "work", log), cost=1, deadline_s=60).result(_PATIENCE_S)[0] == "next"
    assert log.read_text().split() == ["hanging", "next"]


def test_a_job_past_its_deadline_is_killed_and_named(pool: Pool, tmp_path: Path) -> None:
    future = pool.submit(_job("slow", "hang", tmp_path / "log"), cost=1, deadline_s=1)
    with pytest.raises(JobFailed, match="took longer than 1 s"):
        future.result(_PATIENCE_S)


def test_the_longest_job_goes_first(pool: Pool, tmp_path: Path) -> None:
    log = tmp_path / "log"
    futures = [pool.submit(_job("first", "tell", log), cost=0, deadline_s=60)]
    while not log.exists():  # the only worker is busy while the others queue up
        time.sleep(0.05)
    futures += [pool.submit(_job(f"{cost}", "work", log), cost=cost, deadline_s=60) for cost in (1, 3, 2)]
    for future in futures:
        future.result(_PATIENCE_S)
    assert log.read_text().split() == ["first", "3", "2", "1"]


def test_progress_is_told_while_a_job_runs(pool: Pool, tmp_path: Path) -> None:
    told: list[int] = []
    pool.submit(_job("it", "tell", tmp_path / "log"), 1, 60, told.append).result(_PATIENCE_S)
    assert 7 in told


def test_a_closed_pool_refuses_work(tmp_path: Path) -> None:
    pool = Pool(_make_worker, size=1)
    pool.close()
    with pytest.raises(PoolError):
        pool.submit(_job("it", "work", tmp_path / "log"), 1, 60).result(_PATIENCE_S)
