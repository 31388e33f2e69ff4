"""The one module that touches Ray: a pool of workers that each hold a loaded restorer.

Ray's own ActorPool hands jobs to dead actors and stops at the first exception, so this is ours. One
dispatcher thread serves every reel of a run: longest job first, one job a worker, a dead worker replaced, a
job that failed three times given up and named, a worker slot that dies four times in a row closed. Pixels
never pass through here.
"""

import os
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any, Protocol

# Ray reads these when it is imported: no telemetry, no wrapping of workers in `uv run`, devices left alone.
os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
os.environ.setdefault("RAY_ENABLE_UV_RUN_RUNTIME_ENV", "0")
os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
os.environ.setdefault("RAY_DEDUP_LOGS", "0")

_TRIES = 3
_DEATHS_IN_A_ROW = 4
_TICK_S = 0.2
# Pixels do not travel through the object store; Ray refuses to start with less than about this.
_OBJECT_STORE_BYTES = 100 * 1024 * 1024


class PoolError(Exception):
    """The workers are gone; what they finished is kept."""


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
    actor: Any = None
    deaths: int = 0
    last_death: str = ""
    running: _Pending | None = None
    started: float = 0.0


class Pool:
    """Workers on Ray. Use as a context manager; starting happens in the background."""

    def __init__(self, make_worker: Callable[[], Worker], size: int | None = None) -> None:
        """make_worker: called in each worker process. size: how many; by default one a processor or GPU."""
        self._make_worker = make_worker
        self._size = size
        self._waiting: list[_Pending] = []
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

            self._start(ray)
            slots = [_Slot() for _ in range(self._size or _default_size(ray))]
            for slot in slots:
                slot.actor = self._new_actor(ray)
            while not self._closed:
                self._give_out(ray, slots)
                self._collect(ray, slots)
                if all(slot.deaths >= _DEATHS_IN_A_ROW for slot in slots):
                    why = slots[0].last_death
                    raise PoolError(f"the workers keep dying ({why}); try fewer of them (--workers 1)")
        except PoolError as error:
            self._fail(error, slots)
        except Exception as error:  # Ray's own failures have no common base
            self._fail(PoolError(f"Ray is gone ({_first_line(error)}); run the same command again"), slots)
        finally:
            self._fail(PoolError("the run was stopped"), slots)
            self._stop(slots)

    def _start(self, ray: Any) -> None:
        if ray.is_initialized():
            return
        self._owns_ray = True
        options: dict[str, Any] = {
            "log_to_driver": False,
            "logging_level": "CRITICAL",
            "configure_logging": True,
        }
        if not os.environ.get("RAY_ADDRESS"):
            options |= {
                "address": "local",
                "include_dashboard": False,
                "object_store_memory": _OBJECT_STORE_BYTES,
            }
        try:
            ray.init(**options)
        except ConnectionError as error:
            address, mode = os.environ.get("RAY_ADDRESS"), os.environ.get("RAY_AUTH_MODE", "unset")
            raise PoolError(
                f"no Ray cluster answers at RAY_ADDRESS={address} (RAY_AUTH_MODE={mode}; where the cluster "
                "asks for a token, set it to token); unset RAY_ADDRESS to work on this machine alone"
            ) from error

    def _new_actor(self, ray: Any) -> Any:
        gpus = 1 if ray.cluster_resources().get("GPU") else 0
        return (
            ray.remote(_Actor).options(num_cpus=1, num_gpus=gpus, max_concurrency=2).remote(self._make_worker)
        )

    def _give_out(self, ray: Any, slots: list[_Slot]) -> None:
        with self._lock:
            if not self._waiting and not any(slot.running for slot in slots):
                self._lock.wait(_TICK_S)
            for slot in slots:
                if slot.running or slot.deaths >= _DEATHS_IN_A_ROW or not self._waiting:
                    continue
                longest = max(self._waiting, key=lambda pending: pending.cost)
                self._waiting.remove(longest)
                slot.running, slot.started = longest, time.monotonic()
        for slot in slots:
            if slot.running and slot.running.ref is None:
                slot.running.ref = slot.actor.run.remote(slot.running.job)

    def _collect(self, ray: Any, slots: list[_Slot]) -> None:
        busy = {slot.running.ref: slot for slot in slots if slot.running}
        if not busy:
            return
        done, running = ray.wait(list(busy), num_returns=1, timeout=_TICK_S)
        for ref in done:
            self._finish(ray, busy[ref], ref)
        for ref in running:
            slot = busy[ref]
            assert slot.running
            if time.monotonic() - slot.started > slot.running.deadline_s:
                self._retire(ray, slot, f"took longer than {slot.running.deadline_s:.0f} s")
            else:
                self._ask_progress(ray, slot)

    def _ask_progress(self, ray: Any, slot: _Slot) -> None:
        assert slot.running
        try:
            slot.running.progress(ray.get(slot.actor.progress.remote(), timeout=5))
        except Exception:
            return  # a dying worker shows at the next wait

    def _finish(self, ray: Any, slot: _Slot, ref: Any) -> None:
        pending = slot.running
        assert pending
        try:
            result = ray.get(ref)
        except (ray.exceptions.RayActorError, ray.exceptions.OutOfMemoryError) as error:
            self._retire(ray, slot, f"its worker died ({_reason(error)})")
            return
        except ray.exceptions.RayTaskError as error:
            slot.running = None
            cause = error.cause if isinstance(error.cause, Exception) else error
            if getattr(cause, "final", False):
                pending.future.set_exception(cause)
            else:
                self._failed(pending, _first_line(cause))
            return
        slot.running, slot.deaths = None, 0
        pending.future.set_result(result)

    def _retire(self, ray: Any, slot: _Slot, why: str) -> None:
        pending = slot.running
        assert pending
        ray.kill(slot.actor)
        slot.running, slot.deaths, slot.last_death = None, slot.deaths + 1, why
        slot.actor = self._new_actor(ray)
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


def _default_size(ray: Any) -> int:
    resources = ray.cluster_resources()
    return max(1, int(resources.get("GPU") or resources.get("CPU", 1)))


def _reason(error: BaseException) -> str:
    """Why an actor is gone: Ray puts what its start raised last, and everything else first."""
    lines = [line for line in str(error).splitlines() if line.strip()] or [type(error).__name__]
    return lines[-1].strip() if "creation task" in lines[0] else lines[0]


def _first_line(error: BaseException) -> str:
    return (str(error) or type(error).__name__).splitlines()[0]
