"""A training on Ray Train: the plain loop in one process or several, on this machine or a cluster.

Ray Train finds the processes a place, brings them together and starts them again when one dies; where the
training stands is read from its own folder, as ever. A desk, one more process, runs Ray Train and takes the
workers' mail: so nothing of Ray Train is said in the caller's process, and ending the desk ends it all.
"""

import os
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal

from models.training.company import ALONE, Peers
from models.training.loop import Reporter
from models.training.pictures import RGB
from models.weights import Bundle
from storage.errors import StorageError
from storage.filesystem import absolute, first_line
from tasks.learning.request import TrainingRequest
from tasks.learning.training import train_network
from tasks.learning.windows import part_items
from tasks.ray_engine import PoolError, start_ray  # before Ray, which it sets up when it is imported
from tasks.request import RequestError

Kind = Literal["placed", "stepped", "looked", "pictured", "ended", "failed"]

_FINAL = (StorageError, RequestError, ArithmeticError, ValueError)
"""Would be raised again, however often it is tried; WeightsError is a ValueError."""
_FAILURES = 3
_TICK_S = 0.2
_FREED_S = 20
"""Ray takes seconds to know that the workers of an earlier training are gone."""
# Read by Ray Train in the desk and below. It looks after its workers every two seconds; their working
# directory stays, as paths may be relative to it; and a cluster may be busy for a while.
_SETTINGS = {
    "RAY_TRAIN_HEALTH_CHECK_INTERVAL_S": "0.5",
    "RAY_TRAIN_WORKER_GROUP_START_TIMEOUT_S": "600",
    "RAY_CHDIR_TO_TRIAL_DIR": "0",
    "RAY_TRAIN_METRICS_ENABLED": "0",
    "RAY_TRAIN_ENABLE_PREEMPTION_WATCHER": "0",
}
# Ray Train trains in a thread, whose memory the C library gives back and takes anew in every step: half of
# the time went into page faults. So all threads share one heap, which is kept.
_HEAP = {
    "MALLOC_ARENA_MAX": "1",
    "MALLOC_MMAP_THRESHOLD_": str(32 * 2**20),
    "MALLOC_TRIM_THRESHOLD_": str(2**30),
    "MALLOC_TOP_PAD_": str(2**28),
}


def train_with_ray(
    request: TrainingRequest,
    folder: Path,
    reporter: Reporter,
    workers: int = 1,
    gpus_each: int = 1,
    cpus_each: int = 1,
) -> Bundle:
    """`train_network` by so many workers, each with its part of every batch; started again from the folder's
    progress when one dies, up to three times.

    On the Ray that runs in this process, or the cluster at RAY_ADDRESS, or one of this machine alone. On a
    cluster the folder, the corpus and what else the request names must be paths that all its machines see:
    the first worker writes, and may be started again on another one. gpus_each: GPUs that each worker has to
    itself, where Ray knows of any. cpus_each: processors, which are also the threads that it computes with
    unless OMP_NUM_THREADS says otherwise; readers are not counted.

    The reporter is called here, in this thread, in order, and has heard all when this returns; a step that a
    worker's death undid is done again and told again. Workers know of no other place to report to.

    Raises what `train_network` does, at once; RequestError for more workers than Ray has room for; PoolError
    where Ray is gone or workers died too often. After that, and after a KeyboardInterrupt, which ends the
    workers, the folder holds the progress of the last look, to go on from.
    """
    part_items(request.batch_items, workers)
    import ray

    owned = start_ray(ray)
    try:
        gpus_each = _room(ray, owned, workers, gpus_each, cpus_each)
        # Ray Train insists on a place for results, and has none.
        with TemporaryDirectory(prefix="answerprint-ray-train-") as results:
            plan = _Plan(_placed(request), folder.resolve(), workers, gpus_each, cpus_each, results)
            run = _Run(ray, plan)
            try:
                return run.listened(reporter)
            finally:
                run.close()
    except ray.exceptions.RayError as error:
        raise _lost(first_line(error)) from error
    finally:
        if owned:
            ray.shutdown()


@dataclass(frozen=True)
class _Plan:
    request: TrainingRequest
    folder: Path
    workers: int
    gpus_each: int
    cpus_each: int
    results: str


@dataclass(frozen=True)
class _Letter:
    kind: Kind
    step: int = 0
    told: Any = None


@dataclass
class _Run:
    """A desk at work, from the caller's side. Handles that outlive Ray end the whole process when they are
    collected, by a traceback, say: `close` leaves none."""

    ray: Any
    plan: _Plan
    desk: Any = None
    fit: Any = None
    place: Any = None
    """The workers' placement group: Ray keeps it where the training is cut short, and its processors."""
    bundle: Bundle | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        here = self.ray.util.scheduling_strategies.NodeAffinitySchedulingStrategy(
            self.ray.get_runtime_context().get_node_id(), soft=False
        )
        options = {"num_cpus": 0, "max_concurrency": 3 + self.plan.workers, "scheduling_strategy": here}
        self.desk = self.ray.remote(_Desk).options(**options).remote()
        self.fit = self.desk.fit.remote(self.plan)

    def listened(self, reporter: Reporter) -> Bundle:
        """Hands on what the workers tell, to the end."""
        ended = False
        while not ended:
            ended = bool(self.ray.wait([self.fit], timeout=_TICK_S)[0])
            for letter in self.ray.get(self.desk.collect.remote()):
                self._read(letter, reporter)
        why = self.ray.get(self.fit)
        if self.bundle is None:
            raise _lost(why)
        return self.bundle

    def _read(self, letter: _Letter, reporter: Reporter) -> None:
        if letter.kind == "stepped":
            reporter.stepped(letter.step, letter.told)
        elif letter.kind == "looked":
            reporter.looked(letter.step, letter.told)
        elif letter.kind == "pictured":
            reporter.pictured(letter.step, letter.told)
        elif letter.kind == "placed":
            self.place = letter.told
        elif letter.kind == "ended":
            self.bundle = letter.told
        else:
            raise letter.told

    def close(self) -> None:
        """Ends the desk, and with it what it started."""
        try:
            self.ray.kill(self.desk)
            if self.place is not None:
                self.ray.util.remove_placement_group(self.place)
        except Exception:
            return  # Ray is gone already
        finally:
            self.desk = self.fit = None


class _Desk:
    """Runs Ray Train, and keeps the workers' mail until it is collected."""

    def __init__(self) -> None:
        self._letters: list[_Letter] = []
        self._lock = threading.Lock()

    def fit(self, plan: _Plan) -> str:
        """Until the training has ended; why it failed, or nothing."""
        os.environ.update({**_SETTINGS, **_own(_SETTINGS)})
        import ray
        from ray.train import FailureConfig, RunConfig, ScalingConfig
        from ray.train.torch import TorchTrainer

        resources = {"CPU": plan.cpus_each, "GPU": plan.gpus_each}
        trainer = TorchTrainer(
            _work,
            train_loop_config={"plan": plan, "desk": ray.get_runtime_context().current_actor},
            scaling_config=ScalingConfig(
                num_workers=plan.workers, use_gpu=plan.gpus_each > 0, resources_per_worker=resources
            ),
            run_config=RunConfig(
                storage_path=plan.results,
                failure_config=FailureConfig(max_failures=_FAILURES, controller_failure_limit=_FAILURES),
                worker_runtime_env={"env_vars": {**_HEAP, **_own(_HEAP)}},
            ),
        )
        try:
            trainer.fit()
        except Exception as error:  # whatever a worker or Ray Train raised
            return _reason(error)
        return ""

    def post(self, letter: _Letter) -> None:
        with self._lock:
            self._letters.append(letter)

    def collect(self) -> list[_Letter]:
        with self._lock:
            letters, self._letters = self._letters, []
        return letters


class _Mail:
    """The reporter in the first worker. Each letter is there before the next is sent: calls to an actor with
    several threads may overtake each other."""

    def __init__(self, ray: Any, desk: Any) -> None:
        self._ray, self._desk = ray, desk

    def stepped(self, step: int, told: Mapping[str, float]) -> None:
        self.send(_Letter("stepped", step, dict(told)))

    def looked(self, step: int, told: Mapping[str, float]) -> None:
        self.send(_Letter("looked", step, dict(told)))

    def pictured(self, step: int, pictures: Mapping[str, RGB]) -> None:
        self.send(_Letter("pictured", step, dict(pictures)))

    def send(self, letter: _Letter) -> None:
        self._ray.get(self._desk.post.remote(letter))


def _work(config: dict[str, Any]) -> None:
    """One worker, from the start or wherever the folder says."""
    import ray
    import torch.distributed
    from ray.train.torch import get_device

    plan: _Plan = config["plan"]
    mail = _Mail(ray, config["desk"])
    company = Peers() if plan.workers > 1 else ALONE
    if company.rank == 0:
        mail.send(_Letter("placed", told=ray.util.get_current_placement_group()))
    # Ray's word on what is this worker's: a GPU that torch can see may be another's.
    device = str(get_device()) if plan.gpus_each else "cpu"
    try:
        bundle = train_network(plan.request, plan.folder, mail, company, device)
    except _FINAL as error:
        if plan.workers > 1 and not torch.distributed.is_initialized():
            raise  # a worker died, and the group with it: Ray Train starts all again
        mail.send(_Letter("failed", told=error))
        return  # the caller ends the others
    if company.rank == 0:
        mail.send(_Letter("ended", told=bundle))


def _placed(request: TrainingRequest) -> TrainingRequest:
    """With paths that hold in any working directory."""
    begin = str(Path(request.begin).resolve()) if request.begin else ""
    fresh = (
        str(Path(request.fresh).expanduser().resolve()) if request.fresh.endswith(".json") else request.fresh
    )
    return replace(request, corpus=absolute(request.corpus), begin=begin, fresh=fresh)


def _room(ray: Any, owned: bool, workers: int, gpus_each: int, cpus_each: int) -> int:
    """GPUs that each worker gets. Raises RequestError where the workers would wait for ever: on a Ray of this
    machine that runs in this process already, what others hold counts as taken."""
    there: dict[str, float] = ray.cluster_resources()
    gpus_each = gpus_each if there.get("GPU", 0) else 0
    needed = {"CPU": workers * cpus_each, "GPU": workers * gpus_each}
    here = not owned and not os.environ.get("RAY_ADDRESS")
    deadline = time.monotonic() + _FREED_S
    free = ray.available_resources() if here else there
    while _missing(free, needed) and not _missing(there, needed) and time.monotonic() < deadline:
        time.sleep(_TICK_S)
        free = ray.available_resources()
    for name in _missing(free, needed):
        raise RequestError(
            f"{workers} workers need {needed[name]} {name}s, Ray has {free.get(name, 0):.0f}"
            f"{' free' if here else ''}; take fewer workers, or less for each"
        )
    return gpus_each


def _own(settings: Mapping[str, str]) -> dict[str, str]:
    """Those that the user has set otherwise."""
    return {name: os.environ[name] for name in settings if name in os.environ}


def _missing(resources: Mapping[str, float], needed: Mapping[str, int]) -> list[str]:
    return [name for name, amount in needed.items() if resources.get(name, 0) < amount]


def _lost(why: str) -> PoolError:
    return PoolError(f"the training's workers are gone ({why}); train again to go on from the last look")


def _reason(error: BaseException) -> str:
    """What the first worker that failed says, or Ray Train itself; a traceback has it in its last line."""
    failures = getattr(error, "worker_failures", None)
    told = failures[min(failures)] if failures else error
    if str(told).startswith("Traceback"):
        return str(told).rstrip().splitlines()[-1]
    return first_line(told)
