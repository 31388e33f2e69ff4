"""The door to Dask: what it does with poison jobs, and where it finds schedulers."""

import os
import time

import pytest

from tasks.corpus_errors import EngineError
from tasks.dask_engine import Engine, WorkerDied, engine

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
