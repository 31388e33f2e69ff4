"""Where the classical restorer's time goes, told from outside: its doors are watched while it runs."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from models.classical import restorer, scratches, survey, window
from models.classical.detector import Detector
from models.classical.filler import Filler

# Owner, function, stage. Work done for another stage on the way counts for that one, and only once.
_DOORS: tuple[tuple[Any, str, str], ...] = (
    (survey, "shrink", "survey"),
    (window.Window, "arrive", "motion"),
    (window.Window, "flow", "motion"),
    (Detector, "suspects", "detect"),
    (Detector, "dirt", "detect"),
    (scratches, "lines", "scratches"),
    (restorer._Walk, "_take_scratches_out", "scratches"),
    (Filler, "filling", "repair"),
)


class _Clock:
    """Seconds by stage: the time goes to the innermost stage that is under way."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._under_way: list[str] = []
        self._since = 0.0

    def enter(self, stage: str) -> None:
        self._charge()
        self._under_way.append(stage)

    def leave(self) -> None:
        self._charge()
        self._under_way.pop()

    def _charge(self) -> None:
        now = time.perf_counter()
        if self._under_way:
            stage = self._under_way[-1]
            self.seconds[stage] = self.seconds.get(stage, 0.0) + now - self._since
        self._since = now


@contextmanager
def told_apart() -> Iterator[dict[str, float]]:
    """Seconds by stage of what the classical restorer does in the block; empty where it does nothing."""
    clock = _Clock()
    doors = [(owner, name, getattr(owner, name)) for owner, name, _ in _DOORS]
    for owner, name, stage in _DOORS:
        setattr(owner, name, _watched(getattr(owner, name), stage, clock))
    try:
        yield clock.seconds
    finally:
        for owner, name, inner in doors:
            setattr(owner, name, inner)


def _watched(inner: Callable[..., Any], stage: str, clock: _Clock) -> Callable[..., Any]:
    def outer(*args: Any, **kwargs: Any) -> Any:
        clock.enter(stage)
        try:
            return inner(*args, **kwargs)
        finally:
            clock.leave()

    return outer
