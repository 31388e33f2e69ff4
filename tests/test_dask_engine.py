"""The door to Dask: what it does with poison jobs, and where it finds schedulers."""

import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from distributed.utils import open_port

from tasks.corpora.errors import EngineError
from tasks.dask_engine import Engine, WorkerDied, engine
from tests.cluster import cluster

pytestmark = pytest.mark.usefixtures("quiet_prefect")


def double_or_die(number: int) -> int:
    if number == 3:
        os._exit(1)
    if number == 5:
        raise ValueError("five")
    return 2 * number


def test_a_poison_job_is_given_up_and_the_others_go_on(crew: Engine) -> None:
    ended = {done.job: done for done in crew.each(double_or_die, range(12))}
    assert len(ended) == 12
    assert isinstance(ended[3].error, WorkerDied)
    assert isinstance(ended[5].error, ValueError)
    assert {n: done.result for n, done in ended.items() if done.error is None} == {
        n: 2 * n for n in range(12) if n not in (3, 5)
    }


def test_a_scheduler_by_address(crew: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    address = crew._client.scheduler.address
    with engine(scheduler=address) as there:
        assert sorted(done.result or 0 for done in there.each(abs, [-1, -2])) == [1, 2]
    monkeypatch.setenv("DASK_SCHEDULER_ADDRESS", address)
    with engine() as there:
        assert there._client.scheduler.address == address


def test_an_unreachable_scheduler_is_told_in_seconds() -> None:
    started = time.monotonic()
    with (
        pytest.raises(EngineError, match=r"tcp://127\.0\.0\.1:9: no Dask scheduler answers there"),
        engine(scheduler="tcp://127.0.0.1:9"),
    ):
        pass
    assert time.monotonic() - started < 30


@pytest.mark.parametrize("moment", ["while jobs run", "before the next is handed out", "before the first"])
def test_a_lost_scheduler_is_told_in_seconds(moment: str, tmp_path: Path) -> None:
    """Killed outright; whatever the run was at."""

    def jobs() -> Iterator[float]:
        if moment == "before the first":
            kill()
        yield from [0.5] * 8

    def kill() -> None:
        scheduler.kill()
        scheduler.wait()

    def run(crew: Engine) -> None:
        if moment == "while jobs run":
            threading.Timer(1.2, kill).start()
        for done in crew.each(time.sleep, jobs()):
            assert done.error is None
            if moment == "before the next is handed out":
                kill()

    with cluster(open_port(), tmp_path) as (address, scheduler), engine(scheduler=address) as there:
        started = time.monotonic()
        with pytest.raises(EngineError, match=f"{address}: the Dask scheduler went away; .* same command"):
            run(there)
    assert time.monotonic() - started < 30
