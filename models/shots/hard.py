"""Hard cuts: boundaries that no picture before can be carried across, with motion, flicker and spoilt
frames allowed."""

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from models.shots.normalise import Picture, View
from models.shots.similarity import correlation, matched

# Frames before and after a boundary that are compared across it. Two spoilt frames in a row are bridged; a
# shot needs three frames to be one.
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
    """A boundary is no cut if any pair of frames across it matches this well, motion allowed. True cuts:
    0.66."""
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
        self._matches: dict[tuple[int, int], float] = {}
        self._seen = 0

    def push(self, view: View) -> Iterator[Boundary]:
        """The next frame; yields what became clear, three frames late."""
        self._views.append(view)
        self._seen += 1
        self._matches = {k: v for k, v in self._matches.items() if k[0] >= self._seen - len(self._views)}
        yield from self._judge(self._seen - _REACH)

    def finish(self) -> Iterator[Boundary]:
        """Boundaries near the end, judged with the frames there are."""
        for ordinal in range(max(1, self._seen - _REACH + 1), self._seen):
            yield from self._judge(ordinal)

    def _judge(self, ordinal: int) -> Iterator[Boundary]:
        if ordinal < 1:
            return
        neighbours = self._compare(ordinal - 1, ordinal, correlation)
        if neighbours > self._settings.suspicion:
            return
        link = 0.0
        for before, after in _PAIRS:
            link = max(link, self._match(ordinal + before, ordinal + after))
            if link > self._settings.link:
                return
        within = min(
            max(self._match(ordinal + i, ordinal + j) for i, j in side) for side in (_BEFORE, _AFTER)
        )
        yield Boundary(ordinal, neighbours, link, within)

    def _match(self, one: int, other: int) -> float:
        if (one, other) not in self._matches:
            self._matches[one, other] = self._compare(one, other, matched)
        return self._matches[one, other]

    def _compare(self, one: int, other: int, measure: Callable[[Picture, Picture], float]) -> float:
        """The measure for two frames, by ordinal; 0 where one is not held, 1 where both are blank."""
        first = self._seen - len(self._views)
        if one < max(0, first) or other >= self._seen:
            return 0.0
        a, b = self._views[one - first], self._views[other - first]
        blank = (a.contrast < self._settings.flat) + (b.contrast < self._settings.flat)
        if blank:
            return 1.0 if blank == 2 else 0.0
        return measure(a.picture_HW, b.picture_HW)
