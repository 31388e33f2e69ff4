"""A shot of any length and size through a network that looks both ways, in bounded memory.

The state of the way forward is carried through the whole shot. The way back would need the shot's end first;
it starts `AHEAD_FRAMES` after each window instead: what a network remembers fades by design, so that where it
started is no longer seen (`benchmarks.network` measures the seam). Pictures too large for the memory are cut
into areas that overlap and fade into each other.

Shape suffixes: K answers, H rows, W columns of the padded picture.
"""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Generic, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from models.neural.sight import SIDE
from models.neural.tiles import ANSWER_BYTES, Area, Canvas, areas
from models.neural.way import Cost, LookT, PreparedT, Walker

Float = NDArray[np.float32]
SightT = TypeVar("SightT")

AHEAD_FRAMES = 7
"""Distinct frames after a window that the way back starts from."""
_WINDOWS_FRAMES = (24, 16, 8, 4)
_WINDOWS_IN_AREAS_FRAMES = (8, 4, 2)
# Smaller areas would be mostly overlap: 512 pixels with 96 on either side are looked at twice.
_LEAST_AREA_PX = 512 * 512
_OVERLAPS = 1.6


@dataclass(frozen=True)
class Plan:
    """How a shot is walked through."""

    window_frames: int
    """Frames that are answered together; at least 1."""
    areas: tuple[Area, ...]
    """The pieces that each frame is looked at in."""

    @classmethod
    def fitting(cls, height: int, width: int, cost: Cost, budget_bytes: int) -> "Plan":
        """The longest window, and the fewest areas, that fit; whole frames go before long windows.

        height, width: of the padded picture. What the frames themselves take is not counted: they are held in
        any case. Where not even the smallest areas fit, they are what is tried.
        """
        pixels = height * width
        for window in _WINDOWS_FRAMES:
            if pixels * _held_bytes(cost, window) <= budget_bytes:
                return cls(window, areas(height, width, SIDE, pixels))
        for window in _WINDOWS_IN_AREAS_FRAMES:
            # Of whole frames: the answers, and the states carried on, more of these where areas overlap.
            left = budget_bytes - pixels * (ANSWER_BYTES * cost.answers * window + _OVERLAPS * cost.state)
            if left >= budget_bytes // 3:
                break
        largest = max(_LEAST_AREA_PX, int(left / _held_bytes(cost, window)))
        return cls(window, areas(height, width, SIDE, largest))


def _held_bytes(cost: Cost, window: int) -> float:
    """A pixel's share of what is held of an area."""
    return (window + AHEAD_FRAMES) * cost.look + (window + 1) * cost.state + cost.work


@dataclass
class _Seen(Generic[SightT, PreparedT, LookT]):
    """A frame that is held, and what is kept of it."""

    sight: SightT
    prepared: PreparedT
    look: LookT | None = None


class Stream(Generic[SightT, PreparedT, LookT]):
    """One walk through one shot."""

    def __init__(self, way: Walker[SightT, PreparedT, LookT], plan: Plan) -> None:
        self._way, self._plan = way, plan
        self._states: list[Tensor | None] = [None] * len(plan.areas)

    def answers(self, sights: Iterator[SightT]) -> Iterator[tuple[SightT, PreparedT, Float]]:
        """Every frame with answer_KHW, in order; holds a window and its look-ahead."""
        held: deque[_Seen[SightT, PreparedT, LookT]] = deque()
        most = self._plan.window_frames + AHEAD_FRAMES
        while True:
            held += (_Seen(s, self._way.prepare(s)) for s in islice(sights, most - len(held)))
            if not held:
                return
            ready = min(self._plan.window_frames, len(held))
            if len(held) < most and len(self._plan.areas) == 1:
                ready = len(held)  # with the shot's end in sight, all that is held can be answered
            for seen, answer_KHW in zip(islice(held, ready), self._window(held, ready), strict=False):
                yield seen.sight, seen.prepared, answer_KHW
            for _ in range(ready):
                held.popleft()

    def _window(self, held: deque[_Seen[SightT, PreparedT, LookT]], ready: int) -> Iterator[Float]:
        if len(self._plan.areas) == 1:
            yield from self._area(held, ready, 0)
            return
        canvas = Canvas(self._plan.areas)
        for n, area in enumerate(self._plan.areas):
            for frame, answer_Khw in enumerate(self._area(held, ready, n)):
                canvas.add(frame, area, answer_Khw)
        yield from (canvas.taken(frame) for frame in range(ready))

    def _area(self, held: deque[_Seen[SightT, PreparedT, LookT]], ready: int, number: int) -> Iterator[Float]:
        """One area's answers for the first `ready` frames, from the looks of all that is held."""
        way, area = self._way, self._plan.areas[number]
        looks: deque[LookT] = deque()
        later: list[Tensor] = []
        with torch.inference_mode():
            for seen in held:
                look = way.look(seen.prepared, area) if seen.look is None else seen.look
                looks.append(look)
                if len(self._plan.areas) == 1:
                    seen.look = look  # the look-ahead of this window is the next one's start
            state: Tensor | None = None
            for n in reversed(range(len(looks))):
                state = way.backward(looks[n], state)
                if n < ready:
                    later.append(state)
        for _ in range(ready):
            with torch.inference_mode():
                look = looks.popleft()
                self._states[number] = state = way.forward(look, self._states[number])
                answer_Khw = way.answer(look, later.pop(), state)
            yield answer_Khw
