"""What MLflow is told of a training while it goes on."""

import time
from collections import defaultdict
from collections.abc import Callable, Mapping

from models.training.pictures import RGB
from tasks.mlflow_engine import Tracked

_EVERY_STEPS = 10


class TrainingReport:
    """`models.training.loop.Reporter` for a run: means of ten steps, looks, pictures of looks."""

    def __init__(self, run: Tracked, batch_items: int, progress: Callable[[int], None]) -> None:
        """progress: is told the steps done."""
        self._run, self._batch_items, self._progress = run, batch_items, progress
        self._sums: dict[str, float] = defaultdict(float)
        self._steps, self._since = 0, time.monotonic()

    def stepped(self, step: int, told: Mapping[str, float]) -> None:
        for name, value in told.items():
            self._sums[name] += value
        self._steps += 1
        self._progress(step)
        if step % _EVERY_STEPS == 0:
            self._tell(step)

    def looked(self, step: int, told: Mapping[str, float]) -> None:
        if self._steps:
            self._tell(step)
        self._run.numbers(step, {f"frozen_{name}": value for name, value in told.items()})

    def pictured(self, step: int, pictures: Mapping[str, RGB]) -> None:
        for name, picture_HWC in pictures.items():
            self._run.picture(f"{name}, step {step:06}", picture_HWC)
        self._since = time.monotonic()  # a look is no step

    def _tell(self, step: int) -> None:
        now = time.monotonic()
        means = {name: value / self._steps for name, value in self._sums.items()}
        windows = self._steps * self._batch_items / max(now - self._since, 1e-6)
        self._run.numbers(step, {**means, "windows_per_second": windows})
        self._sums.clear()
        self._steps, self._since = 0, now
