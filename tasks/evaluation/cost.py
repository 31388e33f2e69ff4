"""What answers cost: time, and the memory that the process held meanwhile."""

import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeVar

import psutil

from models.restorer import Footage

T = TypeVar("T")


@dataclass(frozen=True)
class Spent:
    """Adds with `+`; of memory, the most is kept."""

    frames: int = 0
    megapixels: float = 0.0
    seconds: float = 0.0
    """Wall clock, with what else the machine did."""
    memory_bytes: int = 0
    """The most resident memory of the whole process that was seen after one of the frames: whatever else is
    loaded counts too."""

    def __add__(self, other: "Spent") -> "Spent":
        return Spent(
            self.frames + other.frames,
            self.megapixels + other.megapixels,
            self.seconds + other.seconds,
            max(self.memory_bytes, other.memory_bytes),
        )


def watched(answers: Iterable[T], footage: Footage) -> tuple[list[T], Spent]:
    """All answers, one for each frame of the footage, and what they took."""
    process, memory = psutil.Process(), 0
    given, start = [], time.perf_counter()
    for answer in answers:
        given.append(answer)
        memory = max(memory, process.memory_info().rss)
    seconds = time.perf_counter() - start
    return given, Spent(len(given), len(given) * footage.height * footage.width / 1e6, seconds, memory)
