"""How far every reel of a run is: written by the steps, read by whoever shows it."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Stage:
    """One stage of one reel, in frames."""

    reel: str
    name: str
    done: int
    total: int | None
    started: float


class Board:
    """Thread-safe; one a process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._stages: dict[tuple[str, str], Stage] = {}

    def stage(self, reel: str, name: str, total: int | None = None) -> Callable[[int], None]:
        """Opens a stage and returns what tells how many of its frames are done."""
        with self._lock:
            self._stages[reel, name] = Stage(reel, name, 0, total, time.monotonic())

        def tell(done: int) -> None:
            with self._lock:
                self._stages[reel, name] = replace(self._stages[reel, name], done=done)

        return tell

    def close(self, reel: str) -> None:
        """The reel is finished, well or not."""
        with self._lock:
            self._stages = {key: stage for key, stage in self._stages.items() if stage.reel != reel}

    def stages(self) -> list[Stage]:
        with self._lock:
            return list(self._stages.values())


BOARD = Board()
