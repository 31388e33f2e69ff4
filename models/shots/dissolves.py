"""Dissolves: frames that are a mix of a frame before and a frame after, which no motion makes them.

In a dissolve from a to b every frame is (1 - w) a + w b. The frame in the middle is then explained by its
two ends together far better than by either alone; in a pan, a zoom or behind a passer-by it is not, unless
all is blurred.
"""

import math
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np

from models.shots.normalise import Picture, View
from models.shots.similarity import Blend, blend, matched, weigh

# Half-spans tried, in frames: dissolves of 8 to 52 frames have one that reaches from end to end, longer
# ones are seen by their steepest part.
_SPANS = (4, 6, 9, 13, 18, 26)
_LONGEST = _SPANS[-1]
# Frames to either side over which a candidate must be the best.
_RIVALS = 6
_THUMB = (32, 24)
# Ends more alike than this have nothing to mix.
_ALIKE = 0.7


@dataclass(frozen=True)
class DissolveSettings:
    """What is looked at closely as a possible dissolve."""

    gain: float = 0.05
    """Least share of the picture that the mix explains over the better end alone. Motion reached 0.25, so
    that this only saves time."""
    explained: float = 0.4
    """Least share of the middle frame's variance that the mix explains."""


@dataclass(frozen=True)
class Mix:
    """A frame that looks mixed of two others."""

    middle: int
    span: int
    """The ends are `middle - span` and `middle + span`."""
    explained: float
    """Share of the middle's variance that the ends explain together, in [0, 1]."""
    alone: float
    """The same for the better end alone."""
    alike: float
    """Correlation of the ends."""

    @property
    def gain(self) -> float:
        """What the mix explains over the better end."""
        return self.explained - self.alone


@dataclass(frozen=True)
class Dissolve:
    """A mix that stood up to its rivals, with its range."""

    mix: Mix
    start: int
    end: int
    across: float
    """How well the ends match with motion allowed for, in [0, 1]; low for two shots."""
    moved: Blend
    """The mix again, tile by tile, each free to move: what a pan or a passer-by is explained by without
    mixing."""
    misfit: float
    """Logarithm of the middle's contrast over what half of each end would have, sign dropped; two unlike
    pictures mixed keep 0.71 of their contrast, moved ones all."""


class Dissolves:
    """Looks at each frame once 27 more are in; holds 66 views."""

    def __init__(self, settings: DissolveSettings) -> None:
        self._settings = settings
        self._views: deque[Picture] = deque(maxlen=2 * (_LONGEST + _RIVALS) + 2)
        self._units: deque[Picture] = deque(maxlen=self._views.maxlen)
        self._mixes: deque[Mix | None] = deque(maxlen=2 * _RIVALS + 1)
        self._recent: deque[Picture] = deque(maxlen=3)
        self._contrasts: deque[float] = deque(maxlen=self._views.maxlen)
        self._seen = 0

    def push(self, view: View) -> Iterator[Dissolve]:
        """The next frame; yields what became clear, 33 frames late."""
        self._views.append(view.picture_HW)
        self._contrasts.append(view.contrast)
        thumb = cv2.resize(view.picture_HW, _THUMB, interpolation=cv2.INTER_AREA)
        self._recent.append(thumb)
        if len(self._recent) == 2:
            self._units.append(_unit(self._recent[0], self._recent[0], self._recent[1]))
        elif len(self._recent) == 3:
            self._units.append(_unit(*self._recent))
        self._seen += 1
        yield from self._consider(self._seen - 2 - _LONGEST)

    def finish(self) -> Iterator[Dissolve]:
        """The last frames, with the spans that still fit."""
        for middle in range(max(0, self._seen - 1 - _LONGEST), self._seen + _RIVALS):
            yield from self._consider(middle)

    def _consider(self, middle: int) -> Iterator[Dissolve]:
        if middle < 0:
            return
        self._mixes.append(self._best_mix(middle) if middle < self._seen else None)
        if len(self._mixes) <= _RIVALS:
            return
        mix = self._mixes[len(self._mixes) - 1 - _RIVALS]
        if mix and mix.gain >= max(rival.gain for rival in self._mixes if rival):
            yield self._measure(mix)

    def _best_mix(self, middle: int) -> Mix | None:
        best: Mix | None = None
        for span in _SPANS:
            mix = self._mix(middle, span)
            if mix and (best is None or mix.gain > best.gain):
                best = mix
        return best

    def _mix(self, middle: int, span: int) -> Mix | None:
        a, b, c = self._thumb(middle - span), self._thumb(middle + span), self._thumb(middle)
        if a is None or b is None or c is None:
            return None
        alike = float(np.vdot(a, b))
        if alike > _ALIKE:
            return None
        ca, cb = float(np.vdot(c, a)), float(np.vdot(c, b))
        of_a, of_b = weigh(alike, ca, cb)
        explained, alone = of_a * ca + of_b * cb, max(ca, cb, 0.0) ** 2
        if min(of_a, of_b) < 0.1 or explained < self._settings.explained:
            return None
        mix = Mix(middle, span, explained, alone, alike)
        return mix if mix.gain >= self._settings.gain else None

    def _measure(self, mix: Mix) -> Dissolve:
        first, last = mix.middle - mix.span, mix.middle + mix.span
        oldest = self._seen - len(self._views)
        a, b, c = (self._views[n - oldest] for n in (first, last, mix.middle))
        ends = (self._contrast(first), self._contrast(last))
        expected = (ends[0] ** 2 + ends[1] ** 2 + 2 * mix.alike * ends[0] * ends[1]) ** 0.5 / 2
        misfit = abs(math.log((self._contrast(mix.middle) + 1) / (expected + 1)))
        return Dissolve(mix, *self._range(mix), matched(a, b), blend(a, b, c), misfit)

    def _contrast(self, ordinal: int) -> float:
        """Median of five frames': flicker goes."""
        place = ordinal - (self._seen - len(self._contrasts))
        near = [self._contrasts[k] for k in range(place - 2, place + 3) if 0 <= k < len(self._contrasts)]
        return float(np.median(near))

    def _range(self, mix: Mix) -> tuple[int, int]:
        """Where the weight of the later shot leaves 0 and reaches 1: the middle of its ramp, drawn out."""
        spans = [s for s in _SPANS if s >= mix.span and self._gain(mix.middle, s) >= 0.8 * mix.gain]
        span = max(spans, default=mix.span)
        first = mix.middle - span
        weights = [self._weight(n, first, first + 2 * span) for n in range(first, first + 2 * span + 1)]
        low = max((k for k in range(span + 1) if weights[k] < 0.15), default=0)
        high = min((k for k in range(span, 2 * span + 1) if weights[k] > 0.85), default=2 * span)
        slack = 0.15 / 0.7 * (high - low)
        return max(0, round(first + low - slack + 0.5)), min(self._seen, round(first + high + slack + 0.5))

    def _weight(self, middle: int, first: int, last: int) -> float:
        """The later end's share of a frame, in [0, 1]."""
        a, b, c = self._thumb(first), self._thumb(last), self._thumb(middle)
        if a is None or b is None or c is None:
            return 0.5
        of_a, of_b = weigh(float(np.vdot(a, b)), float(np.vdot(c, a)), float(np.vdot(c, b)))
        return max(0.0, of_b) / max(1e-3, max(0.0, of_a) + max(0.0, of_b))

    def _gain(self, middle: int, span: int) -> float:
        mix = self._mix(middle, span)
        return mix.gain if mix else 0.0

    def _thumb(self, ordinal: int) -> Picture | None:
        place = ordinal - max(0, self._seen - 1 - len(self._units))
        return self._units[place] if 0 <= place < len(self._units) else None


def _unit(one: Picture, two: Picture, three: Picture) -> Picture:
    """The median of three frames' thumbs, zero mean and unit length; one frame's dirt is gone from it."""
    median = np.maximum(np.minimum(one, two), np.minimum(np.maximum(one, two), three))
    median -= median.mean()
    unit: Picture = median / (np.linalg.norm(median) + 1e-6)
    return unit
