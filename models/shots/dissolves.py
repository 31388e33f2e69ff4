"""Dissolves: frames that are a mix of a frame before and a frame after, which no motion makes them.

In a dissolve from a to b every frame is (1 - w) a + w b. The frame in the middle is then explained by its two ends
together far better than by either alone; in a pan, a zoom or behind a passer-by it is not, unless all is blurred.
"""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np

from models.shots.normalise import Picture, View
from models.shots.similarity import correlation, matched

# Half-spans tried, in frames: dissolves of 8 to 52 frames have one that reaches from end to end, longer ones are
# seen by their steepest part.
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
    """Least share of the picture that the mix explains over the better end alone. Motion reached 0.25, so that this
    only saves time."""
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
    evenness: float
    """Share of each tile's variance that is explained, over twelve tiles: a wipe or a passer-by is uneven."""
    misfit: float
    """Logarithm of the middle's contrast over what half of each end would have, sign dropped; two unlike pictures
    mixed keep 0.71 of their contrast, moved ones all."""
    moved_gain: float
    moved_explained: float
    course: float
    """One less the mean distance of the later end's weights from a straight ramp, in [0, 1]."""


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
        of_a, of_b = _weights(alike, ca, cb)
        explained, alone = of_a * ca + of_b * cb, max(ca, cb, 0.0) ** 2
        if min(of_a, of_b) < 0.1 or explained < self._settings.explained:
            return None
        mix = Mix(middle, span, explained, alone, alike)
        return mix if mix.gain >= self._settings.gain else None

    def _measure(self, mix: Mix) -> Dissolve:
        first, last = mix.middle - mix.span, mix.middle + mix.span
        oldest = self._seen - len(self._views)
        across = matched(self._views[first - oldest], self._views[last - oldest])
        a, b, c = (self._thumb(n) for n in (first, last, mix.middle))
        assert a is not None
        assert b is not None
        assert c is not None
        start, end, course = self._range(mix)
        ends = (self._contrast(first - 1), self._contrast(last + 1))
        expected = (ends[0] ** 2 + ends[1] ** 2 + 2 * mix.alike * ends[0] * ends[1]) ** 0.5 / 2
        misfit = abs(float(np.log((self._contrast(mix.middle) + 1) / (expected + 1))))
        return Dissolve(mix, start, end, across, _evenness(a, b, c), misfit, *_moved(self._views[first - oldest], self._views[last - oldest], self._views[mix.middle - oldest]), course)

    def _contrast(self, ordinal: int) -> float:
        place = ordinal - (self._seen - len(self._contrasts))
        return float(np.median([self._contrasts[k] for k in range(place - 2, place + 3) if 0 <= k < len(self._contrasts)]))

    def _range(self, mix: Mix) -> tuple[int, int, float]:
        """Where the weight of the later shot leaves 0 and reaches 1: the ramp's middle four fifths, drawn out."""
        spans = [s for s in _SPANS if s >= mix.span and self._gain(mix.middle, s) >= 0.8 * mix.gain]
        span = max(spans, default=mix.span)
        a, b = self._thumb(mix.middle - span), self._thumb(mix.middle + span)
        assert a is not None
        assert b is not None
        alike, weights = float(np.vdot(a, b)), []
        for n in range(mix.middle - span, mix.middle + span + 1):
            c = self._thumb(n)
            assert c is not None
            of_a, of_b = _weights(alike, float(np.vdot(c, a)), float(np.vdot(c, b)))
            weights.append(max(0.0, of_b) / max(1e-3, max(0.0, of_a) + max(0.0, of_b)))
        low = max((k for k in range(span + 1) if weights[k] < 0.15), default=0)
        high = min((k for k in range(span, 2 * span + 1) if weights[k] > 0.85), default=2 * span)
        slack = 0.15 / 0.7 * (high - low)
        start = mix.middle - span + low - slack
        end = mix.middle - span + high + slack
        ramp = np.clip((np.arange(2 * span + 1) - low) / max(1, high - low), 0, 1)
        course = 1 - float(np.mean(np.abs(np.array(weights) - ramp))) 
        return max(0, round(start + 0.5)), min(self._seen, round(end + 0.5)), course

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


def _weights(alike: float, ca: float, cb: float) -> tuple[float, float]:
    """Least squares of c on a and b, all of unit length, from their correlations."""
    rest = max(1e-6, 1 - alike * alike)
    return (ca - cb * alike) / rest, (cb - ca * alike) / rest


def _evenness(a_HW: Picture, b_HW: Picture, c_HW: Picture) -> float:
    shares, weights = [], []
    for top in range(0, _THUMB[1], 8):
        for left in range(0, _THUMB[0], 8):
            tile = (slice(top, top + 8), slice(left, left + 8))
            a, b, c = a_HW[tile], b_HW[tile], c_HW[tile]
            ca, cb = correlation(c, a), correlation(c, b)
            of_a, of_b = _weights(min(0.999, correlation(a, b)), ca, cb)
            shares.append(of_a * ca + of_b * cb)
            weights.append(float(np.square(a - b).sum()))
    return float(np.average(shares, weights=np.array(weights) + 1e-9))


def _moved(a: Picture, b: Picture, c: Picture) -> tuple[float, float]:
    R = 10
    pa, pb = (cv2.copyMakeBorder(x, R, R, R, R, cv2.BORDER_REFLECT_101) for x in (a, b))
    gains, expl, ws = [], [], []
    for y in range(0, 72, 24):
        for x in range(0, 96, 24):
            t = c[y:y+24, x:x+24]
            t = t - t.mean()
            power = float((t * t).sum()) + 1e-3
            sa, sb = pa[y:y+24+2*R, x:x+24+2*R], pb[y:y+24+2*R, x:x+24+2*R]
            best, alone = 0.0, 0.0
            for s1, s2 in ((sa, sb), (sb, sa)):
                n1, u = _fit(s1, t)
                alone = max(alone, n1 * n1)
                r = t - n1 * power ** .5 * u
                n2, v = _fit(s2, r)
                uv = float((u * v).sum())
                cu, cv = float((t * u).sum()), float((t * v).sum())
                o1, o2 = _weights(min(uv, .99), cu, cv)
                if o1 > 0 and o2 > 0:
                    best = max(best, (o1 * cu + o2 * cv) / power)
            gains.append(max(0, best - alone)); expl.append(max(best, alone)); ws.append(min(float(t.std()), .6) + .01)
    return float(np.average(gains, weights=ws)), float(np.average(expl, weights=ws))

def _fit(area: Picture, t: Picture) -> tuple[float, Picture]:
    m = cv2.matchTemplate(area, t, cv2.TM_CCOEFF_NORMED)
    _, v, _, (x, y) = cv2.minMaxLoc(m)
    p = area[y:y+24, x:x+24]
    p = p - p.mean()
    return max(v, 0.0), p / (float(np.linalg.norm(p)) + 1e-6)
