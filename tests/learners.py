"""Who is told of a training in tests, and two who learn together in one process."""

import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from copy import deepcopy
from pathlib import Path
from typing import Any, TypeVar

from torch import Tensor

from models.training.company import Company
from models.training.course import Course
from models.training.pictures import RGB
from models.weights import Bundle
from tasks.learning.request import TrainingRequest
from tasks.learning.training import train_network

T = TypeVar("T")


class Notes:
    def __init__(self) -> None:
        self.steps: dict[int, float] = {}
        self.looks: list[int] = []
        self.inputs: list[float] = []
        self.pictures: Mapping[str, RGB] = {}

    def stepped(self, step: int, told: Mapping[str, float]) -> None:
        self.steps[step] = told["loss"]

    def looked(self, step: int, told: Mapping[str, float]) -> None:
        self.looks.append(step)
        self.inputs.append(told["psnr_inside_before"])

    def pictured(self, step: int, pictures: Mapping[str, RGB]) -> None:
        self.pictures = pictures


def asking(corpus: str, steps: int, look_steps: int) -> TrainingRequest:
    """A training of seconds, looked at every so many steps."""
    return TrainingRequest(
        corpus,
        "reweave-small",
        steps,
        batch_items=2,
        frames=3,
        area_px=32,
        frozen_items=2,
        workers=0,
        course=Course(steps=1, validate_steps=look_steps, precision="fp32"),
    )


class Two:
    """One of two threads that learn together."""

    size = 2

    def __init__(self, rank: int, table: dict[int, Any], barrier: threading.Barrier) -> None:
        self.rank = rank
        self.begun = threading.Event()
        self._table, self._barrier = table, barrier

    def mean(self, tensors: Sequence[Tensor]) -> None:
        both = self._swapped([tensor.detach().clone() for tensor in tensors])
        for tensor, one, other in zip(tensors, *both, strict=True):
            tensor.detach().copy_((one + other) / 2)

    def decided(self, decide: Callable[[], Any]) -> Any:
        decided = self._swapped(decide() if self.rank == 0 else None)[0]
        own = decided if self.rank == 0 else deepcopy(decided)  # as if it had come from another process
        self._barrier.wait()
        return own

    def _swapped(self, own: Any) -> tuple[Any, Any]:
        self.begun.set()
        self._table[self.rank] = own
        self._barrier.wait()
        both = self._table[0], self._table[1]
        self._barrier.wait()
        return both


def together(work: Callable[[Company], T]) -> tuple[T, T]:
    """What the first and the second come to. Raises what either raises."""
    table: dict[int, Any] = {}
    barrier = threading.Barrier(2)
    first, second = (Two(rank, table, barrier) for rank in range(2))

    def run(company: Two) -> T:
        if company is second:
            first.begun.wait(60)  # they share torch's generator, by which the first one begins
        try:
            return work(company)
        except BaseException:
            first.begun.set()
            barrier.abort()
            raise

    with ThreadPoolExecutor(2) as threads:
        runs = [threads.submit(run, company) for company in (first, second)]
    errors = [error for error in (run.exception() for run in runs) if error]
    for error in sorted(errors, key=lambda error: isinstance(error, threading.BrokenBarrierError)):
        raise error
    return runs[0].result(), runs[1].result()


def trained_by_two(request: TrainingRequest, folder: Path, notes: Notes) -> Bundle:
    first, second = together(lambda company: train_network(request, folder, notes, company))
    assert first == second
    return first
