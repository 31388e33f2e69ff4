"""A pool of Ray workers that each hold a loaded restorer.

Ray's own ActorPool hands jobs to dead actors and stops at the first exception, so this is ours. One
dispatcher thread serves every reel of a run: longest job first, one job a worker, a dead worker replaced, a
job that failed three times given up and named. Pixels never pass through here.
"""

import threading
import time
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any, Protocol

from storage.filesystem import first_line
from tasks.ray_engine import PoolError, start_ray

_TRIES = 3
_FAILED_STARTS = 4
_TICK_S = 0.2


class JobFailed(Exception):
    """A job was given up; the message is its last error."""


class Worker(Protocol):
    """What runs in each process. An error whose class has `final = True` is handed on and not tried again."""

    def run(self, job: Any, progress: Callable[[int], None]) -> Any: ...


@dataclass
class _Pending:
    job: Any
    cost: float
    deadline_s: float
    progress: Callable[[int], None]
    future: "Future[Any]" = field(default_factory=Future)
    failures: int = 0
    ref: Any = None


@dataclass
class _Slot:
    """One worker's place. It is given jobs once its process has answered, never before."""

    actor: Any = None
    answered: bool = False
    asked: Any = None
    """A question that its process has not answered yet: whether it is there, or how far it is."""
    failed_starts: int = 0
    why: str = ""
    running: _Pending | None = None
    started: float = 0.0
    next_question: float = 0.0


class Pool:
    """Workers on Ray. Use as a context manager; starting happens in the background."""

    def __init__(
        self, make_worker: Callable[[], Worker], size: int | None = None, gpus_each: int = 0
    ) -> None:
        """make_worker: called in each worker process. size: how many; by default one a processor.

        gpus_each: how many GPUs each worker has to itself, where the cluster has any; then by default as many
        workers as these allow.
        """
        self._make_worker = make_worker
        self._size = size
        self._gpus_each = gpus_each
        self._waiting: list[_Pending] = []
        self._cancelled: set[Future[Any]] = set()
        self._lock = threading.Condition()
        self._closed = False
        self._lost: PoolError | None = None
        self._owns_ray = False
        self._thread = threading.Thread(target=self._serve, name="pool", daemon=True)
        self._thread.start()

    def submit(
        self,
        job: Any,
        cost: float,
        deadline_s: float,
        progress: Callable[[int], None] = lambda done: None,
    ) -> "Future[Any]":
        """The job's result; it raises JobFailed when the job was given up, PoolError when the pool is lost.

        cost: decides who goes first. deadline_s: a worker that takes longer is killed and the try counts.
        """
        pending = _Pending(job, cost, deadline_s, progress)
        with self._lock:
            if self._lost or self._closed:
                pending.future.set_exception(self._lost or PoolError("the pool is closed"))
            else:
                self._waiting.append(pending)
                self._lock.notify()
        return pending.future

    def cancel(self, futures: Iterable["Future[Any]"]) -> None:
        """Takes back jobs that nobody waits for any more; their running workers are replaced."""
        with self._lock:
            self._cancelled |= set(futures)
            self._lock.notify()

    def close(self) -> None:
        """Stops at once; running jobs are abandoned, and what they had not published leaves no trace."""
        with self._lock:
            self._closed = True
            self._lock.notify()
        self._thread.join(timeout=30)

    def __enter__(self) -> "Pool":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _serve(self) -> None:
        slots: list[_Slot] = []
        try:
            import ray

            self._owns_ray = start_ray(ray)
            resources = ray.cluster_resources()
            if resources.get("GPU", 0) < self._gpus_each:
                self._gpus_each = 0
            slots = [_Slot() for _ in range(_fitting(self._size, resources, self._gpus_each))]
            for slot in slots:
                self._start_worker(ray, slot)
            while not self._closed:
                self._take_back(ray, slots)
                self._give_out(slots)
                self._collect(ray, slots)
                if all(slot.failed_starts >= _FAILED_STARTS for slot in slots):
                    raise PoolError(f"no worker can be started ({slots[0].why})")
        except PoolError as error:
            self._fail(error, slots)
        except Exception as error:  # Ray's own failures have no common base
            self._fail(PoolError(f"Ray is gone ({first_line(error)}); run the same command again"), slots)
        finally:
            self._fail(PoolError("the run was stopped"), slots)
            self._stop(slots)

    def _start_worker(self, ray: Any, slot: _Slot) -> None:
        options = {"num_cpus": 1, "num_gpus": self._gpus_each, "max_concurrency": 2}
        slot.actor = ray.remote(_Actor).options(**options).remote(self._make_worker)
        slot.answered, slot.asked = False, slot.actor.progress.remote()

    def _take_back(self, ray: Any, slots: list[_Slot]) -> None:
        with self._lock:
            cancelled, self._cancelled = self._cancelled, set()
            self._waiting = [pending for pending in self._waiting if pending.future not in cancelled]
        for slot in slots:
            if slot.running and slot.running.future in cancelled:
                slot.running = None
                ray.kill(slot.actor)
                self._start_worker(ray, slot)
        for future in cancelled:
            future.cancel()

    def _give_out(self, slots: list[_Slot]) -> None:
        with self._lock:
            for slot in slots:
                if slot.running or not slot.answered or not self._waiting:
                    continue
                longest = max(self._waiting, key=lambda pending: pending.cost)
                self._waiting.remove(longest)
                slot.running, slot.started = longest, time.monotonic()
                longest.ref = slot.actor.run.remote(longest.job)
            if not any(slot.running or slot.asked for slot in slots):
                self._lock.wait(_TICK_S)

    def _collect(self, ray: Any, slots: list[_Slot]) -> None:
        runs = {slot.running.ref: slot for slot in slots if slot.running}
        asked = {slot.asked: slot for slot in slots if slot.asked is not None}
        refs = [*runs, *asked]
        if not refs:
            return
        done, _ = ray.wait(refs, num_returns=1, timeout=_TICK_S)
        done, _ = ray.wait(refs, num_returns=len(refs), timeout=0) if done else (done, None)
        for ref in done:
            if ref in asked:
                self._answer(ray, asked[ref])
        for ref in done:
            if ref in runs and runs[ref].running:
                self._finish(ray, runs[ref], ref)
        for slot in slots:
            if slot.running and time.monotonic() - slot.started > slot.running.deadline_s:
                self._retire(ray, slot, f"took longer than {slot.running.deadline_s:.0f} s")
            elif slot.running and slot.asked is None and time.monotonic() > slot.next_question:
                slot.asked, slot.next_question = slot.actor.progress.remote(), time.monotonic() + _TICK_S

    def _answer(self, ray: Any, slot: _Slot) -> None:
        ref, slot.asked = slot.asked, None
        try:
            done = ray.get(ref)
        except ray.exceptions.RayError as error:
            if not slot.answered and slot.failed_starts < _FAILED_STARTS:
                slot.failed_starts, slot.why = slot.failed_starts + 1, _reason(error)
                self._start_worker(ray, slot)
            return  # a worker that dies at work shows in its job
        slot.answered, slot.failed_starts = True, 0
        if slot.running:
            slot.running.progress(done)

    def _finish(self, ray: Any, slot: _Slot, ref: Any) -> None:
        pending = slot.running
        assert pending
        try:
            result = ray.get(ref)
        except ray.exceptions.RayTaskError as error:
            slot.running = None
            cause = error.cause if isinstance(error.cause, Exception) else error
            if getattr(cause, "final", False):
                pending.future.set_exception(cause)
            else:
                self._failed(pending, first_line(cause))
        except ray.exceptions.RayError as error:
            self._retire(ray, slot, f"its worker died ({_reason(error)})")
        else:
            slot.running = None
            pending.future.set_result(result)

    def _retire(self, ray: Any, slot: _Slot, why: str) -> None:
        pending, slot.running = slot.running, None
        assert pending
        ray.kill(slot.actor)
        self._start_worker(ray, slot)
        self._failed(pending, why)

    def _failed(self, pending: _Pending, why: str) -> None:
        pending.failures += 1
        pending.ref = None
        if pending.failures >= _TRIES:
            pending.future.set_exception(JobFailed(f"{why} (tried {pending.failures} times)"))
            return
        with self._lock:
            self._waiting.append(pending)

    def _fail(self, error: PoolError, slots: list[_Slot]) -> None:
        with self._lock:
            self._lost = self._lost or error
            left = self._waiting + [slot.running for slot in slots if slot.running]
            self._waiting = []
        for slot in slots:
            slot.running = None
        for pending in left:
            pending.future.set_exception(error.with_traceback(None))

    def _stop(self, slots: list[_Slot]) -> None:
        import ray

        try:
            for slot in slots:
                ray.kill(slot.actor)
                slot.actor = None  # a handle that outlives Ray ends the whole process when it is collected
            if self._owns_ray:
                ray.shutdown()
        except Exception:
            return  # a cluster that is gone already


class _Actor:
    """One worker process: the restorer loaded once, one job at a time, its progress told on the side."""

    def __init__(self, make_worker: Callable[[], Worker]) -> None:
        self._worker = make_worker()
        self._done = 0

    def run(self, job: Any) -> Any:
        self._done = 0
        return self._worker.run(job, self._count)

    def progress(self) -> int:
        return self._done

    def _count(self, done: int) -> None:
        self._done = done


def _fitting(size: int | None, resources: dict[str, float], gpus_each: int) -> int:
    """How many workers: those asked for, but no more than there are GPUs for."""
    if gpus_each:
        gpus = int(resources["GPU"] // gpus_each)
        return min(size or gpus, gpus)
    return size or max(1, int(resources.get("CPU", 1)))


def _reason(error: BaseException) -> str:
    """Why an actor is gone: Ray puts what its start raised last, and everything else first."""
    lines = [line for line in str(error).splitlines() if line.strip()] or [type(error).__name__]
    return lines[-1].strip() if "creation task" in lines[0] else lines[0]
