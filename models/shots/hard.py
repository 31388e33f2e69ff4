"""Hard cuts: boundaries that no picture before can be carried across, with motion, flicker and spoilt frames allowed."""

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from models.shots.normalise import Picture, View
from models.shots.similarity import correlation, matched

# Frames before and after a boundary that are compared across it. Two spoilt frames in a row are bridged; a shot needs
# three frames to be one.
_REACH = 3
_PAIRS = [(-1, 0), (-1, 1), (-2, 0), (-2, 1), (-1, 2), (-3, 0)]
_BEFORE = [(-2, -1), (-3, -1), (-3, -2)]
_AFTER = [(0, 1), (0, 2), (1, 2)]


@dataclass(frozen=True)
class HardSettings:
    """What counts as a hard cut."""

    suspicion: float = 0.75
    """Neighbours that correlate better than this are not looked at any closer. True cuts reached 0.67."""
    link: float = 0.70
    """A boundary is no cut if any pair of frames across it matches this well, motion allowed. True cuts: 0.66."""
    flat: float = 3.0
    """Contrast in grey levels of 255 under which a frame is blank (black leader, burnt)."""


@dataclass(frozen=True)
class Boundary:
    """A suspected hard cut in front of frame `ordinal`."""

    ordinal: int
    neighbours: float
    """Correlation of the two frames that meet here, motion not allowed for."""
    link: float
    """Best match of any pair of frames across, in [0, 1]."""
    within: float
    """The lesser of the best matches on either side, in [0, 1]."""


class HardCuts:
    """Looks at each boundary once the frames around it are in; holds six views."""

    def __init__(self, settings: HardSettings) -> None:
        self._settings = settings
        self._views: deque[View] = deque(maxlen=2 * _REACH)
        self._seen = 0

    def push(self, view: View) -> Iterator[Boundary]:
        """The next frame; yields what became clear, three frames late."""
        self._views.append(view)
        self._seen += 1
        yield from self._judge(self._seen - _REACH)

    def finish(self) -> Iterator[Boundary]:
        """Boundaries near the end, judged with the frames there are."""
        for ordinal in range(max(1, self._seen - _REACH + 1), self._seen):
            yield from self._judge(ordinal)

    def _judge(self, ordinal: int) -> Iterator[Boundary]:
        neighbours = self._pair(ordinal, -1, 0, correlation)
        if ordinal < 1 or neighbours > self._settings.suspicion:
            return
        link = 0.0
        for before, after in _PAIRS:
            link = max(link, self._pair(ordinal, before, after, matched))
            if link > self._settings.link:
                return
        yield Boundary(ordinal, neighbours, link, min(self._best(ordinal, _BEFORE), self._best(ordinal, _AFTER)))

    def _best(self, ordinal: int, pairs: list[tuple[int, int]]) -> float:
        return max(self._pair(ordinal, i, j, matched) for i, j in pairs)

    def _pair(self, ordinal: int, i: int, j: int, measure: Callable[[Picture, Picture], float]) -> float:
        """The measure for frames `ordinal + i` and `ordinal + j`; 0 where one is not held."""
        first = self._seen - len(self._views)
        a, b = ordinal + i - first, ordinal + j - first
        if a < 0 or b >= len(self._views):
            return 0.0
        one, other = self._views[a], self._views[b]
        blank = (one.contrast < self._settings.flat) + (other.contrast < self._settings.flat)
        if blank:
            return 1.0 if blank == 2 else 0.0
        return measure(one.picture_HW, other.picture_HW)
