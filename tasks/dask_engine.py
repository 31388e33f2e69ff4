"""The one module that touches Dask: pure functions over small jobs, on this machine or on a cluster.

Jobs are paths and seeds and results are rows: frames never pass through here. A job whose worker died goes to
another; one that outlived several workers is given up and named.
"""

import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import CancelledError
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import cv2
import dask
import psutil
from distributed import Client, LocalCluster, as_completed
from distributed.comm import CommClosedError

from storage.filesystem import first_line
from tasks.corpora.errors import EngineError

Job = TypeVar("Job")
Result = TypeVar("Result")

_REACH_S = 5
_WORKERS_S = 20
"""How long a scheduler's first worker may take to appear; a spawned one imports for some seconds."""
_DEATHS = 2
"""A job that was there when so many workers died is the cause, not a bystander."""
_AHEAD = 2
"""Jobs handed out for each worker: one at work and one to go on with."""
_MEMORY_SHARE = 0.8
_SETTINGS = {
    "distributed.scheduler.allowed-failures": _DEATHS,
    "distributed.comm.timeouts.connect": f"{_REACH_S}s",
    # Frames lie in memory that Python does not count: the share it would spill by is not ours to tell.
    "distributed.worker.memory.spill": False,
    "distributed.worker.memory.target": False,
    # Dask's own workers give each freed picture back to the system, and take half their time for it.
    "distributed.nanny.pre-spawn-environ.MALLOC_TRIM_THRESHOLD_": 256 << 20,
}
_SCHEDULER = "DASK_SCHEDULER_ADDRESS"


@dataclass(frozen=True)
class Done(Generic[Job, Result]):
    """One job's end: its result, or the error that it raised."""

    job: Job
    result: Result | None = None
    error: Exception | None = None
    """WorkerDied where it took its workers along."""


class WorkerDied(Exception):
    """Every worker that took the job died."""


class Engine:
    """Workers on Dask; `engine` opens one."""

    def __init__(self, client: Client, at_once: int) -> None:
        self._client, self._at_once = client, at_once
        self._address = client.scheduler.address

    def each(self, work: Callable[[Job], Result], jobs: Iterable[Job]) -> Iterator[Done[Job, Result]]:
        """The jobs as they end, in any order; few of them are handed out at a time.

        work: a function of a module that workers can import. Raises EngineError where the cluster is lost.
        """
        suspects: list[Job] = []
        for done in self._each(work, jobs, self._at_once):
            if isinstance(done.error, WorkerDied):
                suspects.append(done.job)
            else:
                yield done
        # Dask blames a worker's death on all that it was given: alone, the guilty one shows.
        yield from self._each(work, suspects, 1)

    def _each(
        self, work: Callable[[Job], Result], jobs: Iterable[Job], at_once: int
    ) -> Iterator[Done[Job, Result]]:
        waiting = iter(jobs)
        running: dict[str, Job] = {}
        ended = as_completed(loop=self._client.loop)

        def hand_out() -> None:
            for job in waiting:
                if self._client.status != "running":  # what is handed out now waits for nobody
                    raise self._lost()
                future = self._client.submit(_one_thread, work, job, pure=False)
                running[future.key] = job
                ended.add(future)
                return

        try:
            for _ in range(at_once):
                hand_out()
            for future in ended:
                if future.status == "lost":  # with the worker that held it; another does it again
                    ended.add(future)
                    continue
                job = running.pop(future.key)
                yield self._end(job, future)
                hand_out()
            if running:  # never seen; but a job that is not told of would be missing from a corpus
                raise self._lost()
        finally:
            ended.clear()

    def _end(self, job: Job, future: Any) -> Done[Job, Any]:
        if future.status == "cancelled":
            raise self._lost()
        try:
            if future.status == "finished":
                return Done(job, future.result())
            error = future.exception()
        except (CancelledError, CommClosedError) as lost:
            raise self._lost() from lost
        if type(error).__name__ == "KilledWorker":
            error = WorkerDied(f"{_DEATHS + 1} workers died of it (out of memory, or a broken library)")
        return Done(job, None, error)

    def _lost(self) -> EngineError:
        return EngineError(
            f"{self._address}: the Dask scheduler went away; what was finished is kept: start it and its "
            f"workers again, then run the same command to go on"
        )


def reach(scheduler: str | None = None) -> None:
    """Raises EngineError where a scheduler was named, here or in the environment, and does not answer."""
    if address := scheduler or os.environ.get(_SCHEDULER):
        with dask.config.set(_SETTINGS), _reached(address):
            pass


@contextmanager
def engine(workers: int | None = None, scheduler: str | None = None) -> Iterator[Engine]:
    """Opens the workers and closes them when the block ends; those of a scheduler stay.

    workers: processes on this machine, one a processor if left out. scheduler: `tcp://host:port` of a cluster
    that is there already; DASK_SCHEDULER_ADDRESS if left out. Raises EngineError where it does not answer.
    """
    address = scheduler or os.environ.get(_SCHEDULER)
    with dask.config.set(_SETTINGS):
        if address:
            with _reached(address) as client:
                yield Engine(client, _AHEAD * len(client.scheduler_info(n_workers=-1)["workers"]))
            return
        count = workers or os.cpu_count() or 1
        with (
            LocalCluster(
                n_workers=count,
                threads_per_worker=1,
                processes=True,
                memory_limit=int(psutil.virtual_memory().total * _MEMORY_SHARE / count),
                dashboard_address=None,
                scheduler_kwargs={
                    "dashboard_address": "127.0.0.1:0"
                },  # none; its port is opened all the same
                silence_logs="CRITICAL",
            ) as cluster,
            Client(cluster) as client,
        ):
            yield Engine(client, _AHEAD * count)


@contextmanager
def _reached(address: str) -> Iterator[Client]:
    try:
        client = Client(address, timeout=_REACH_S, set_as_default=False)
    except (OSError, TimeoutError, ValueError) as error:
        raise EngineError(
            f"{address}: no Dask scheduler answers there ({first_line(error)}); start one with "
            f"`dask scheduler`, or leave --scheduler out to work on this machine"
        ) from error
    with client:
        try:
            client.wait_for_workers(1, timeout=_WORKERS_S)
        except TimeoutError as error:
            raise EngineError(
                f"{address}: the scheduler has no workers; start `dask worker {address}`"
            ) from error
        yield client


def _one_thread(work: Callable[[Job], Result], job: Job) -> Result:
    """One job, one core: the workers are as many as the cores."""
    cv2.setNumThreads(1)
    return work(job)
