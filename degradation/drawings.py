"""Our own sheets of dirt, drawn from numbers: what a scan of dirty blank film looks like.

Twelve kinds, in the places of the twelve folders that RTN's templates come in. What the eleventh shows is
laid on white, the eighth fills a frame as it is, and the first is for lines that walk through a shot.

Shape suffixes: H rows, W columns, h, w a mark's own box.
"""

from collections.abc import Callable, Sequence
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from degradation.contaminants import ragged
from degradation.exact import Float, noise, rounded, stream
from degradation.outlines import Points, filled, stroked
from degradation.sheets import LINES, Byte, Kind, Sheet

HEIGHT, WIDTH = 600, 800
EACH = 4
"""Sheets of one kind. Cut, turned and thickened, each serves for many frames."""
Dark = NDArray[np.uint8]
Place = NDArray[np.float64]
"""Row and column of a mark's middle."""
Random = np.random.Generator


class Drawings:
    """Our own set of templates, drawn when asked for; 48 of them take 23 MB once all are."""

    sha256 = ""

    @property
    def kinds(self) -> Sequence[Kind]:
        return [kind for kind in _DRAWN for _ in range(EACH)]

    def __getitem__(self, number: int) -> Sheet:
        return _sheet(self.kinds[number], number % EACH)


@lru_cache(None)
def _sheet(kind: Kind, number: int) -> Sheet:
    rng = stream(number, f"sheet {kind}")
    dark_HW = np.zeros((HEIGHT, WIDTH), np.uint8)
    _DRAWN[kind](dark_HW, rng)
    soft_HW = cv2.GaussianBlur(dark_HW, (3, 3), rounded(rng.uniform(0.4, 0.8))).astype(np.float32)
    uneven_HW, ground_HW = _matter()
    soft_HW *= np.roll(uneven_HW, rng.integers(0, HEIGHT, 2), (0, 1))
    grey_HW = np.clip(np.rint(ground_HW - soft_HW), 0, 255).astype(np.uint8)
    grey_HW.flags.writeable = False
    return Sheet.of(kind, grey_HW)


@lru_cache(1)
def _matter() -> tuple[Float, Float]:
    """How much of the light marks hold back, and the ground's level. Matter is never even: it differs by
    grains, and by patches."""
    rng = stream(0, "matter")
    uneven_HW = 1 + np.float32(0.1) * noise(HEIGHT, WIDTH, rng, 1.0)
    uneven_HW += np.float32(0.12) * noise(HEIGHT, WIDTH, rng, 6.0)
    return np.clip(uneven_HW, 0.5, 1.3), 252 + np.clip(noise(HEIGHT, WIDTH, rng, 0.6), -3, 3)


def _put(dark_HW: Dark, shape_hw: Byte, place: Place, density: float) -> None:
    """A mark with its middle there; marks on one another are as dark as the darker."""
    rows, columns = shape_hw.shape
    top, left = int(place[0]) - rows // 2, int(place[1]) - columns // 2
    first, start = max(top, 0), max(left, 0)
    last, end = min(top + rows, HEIGHT), min(left + columns, WIDTH)
    if first >= last or start >= end:
        return
    piece_hw = shape_hw[first - top : last - top, start - left : end - left] * np.float32(rounded(density))
    under_hw = dark_HW[first:last, start:end]
    np.maximum(under_hw, piece_hw.astype(np.uint8), out=under_hw)


def _anywhere(rng: Random) -> Place:
    return rng.random(2) * (HEIGHT, WIDTH)


def _specks(dark_HW: Dark, rng: Random, count: int, size_px: float, spread: float) -> None:
    """Grains of dust, most of them small; few are dense, and some lie in heaps."""
    heaps = [_anywhere(rng) for _ in range(6)]
    sizes_px = np.clip(size_px * rng.lognormal(0, spread, count), 1.2, 60)
    for speck in filled(ragged(sizes_px, rng)).opacities():
        place = _anywhere(rng)
        if rng.random() < 0.3:
            place = rng.normal(heaps[int(rng.integers(len(heaps)))], 45)
        _put(dark_HW, speck, place, rng.uniform(0.35, 1.0))


def _towards(angles: NDArray[np.float64]) -> NDArray[np.float64]:
    """A step of one in each direction: (points, 2), x and y."""
    return np.stack([np.cos(angles), np.sin(angles)], axis=1)


def _line(path_P2: NDArray[np.float64], thickness_px: float) -> Byte:
    return stroked(path_P2[None], [thickness_px]).opacities()[0]


def _filled(outlines_NP2: Points) -> Byte:
    """The first."""
    return filled(outlines_NP2).opacities()[0]


def _thread(rng: Random, length_px: float, curl: float, thickness_px: float, heading: float) -> Byte:
    """A line whose direction wanders; its thickness is a little uneven."""
    count = max(12, int(length_px / 4))
    turns = np.convolve(rng.normal(0, 1, count), np.ones(7) / 7, "same")
    headings = (
        heading + curl * np.cumsum(turns) / np.sqrt(count) + rng.normal(0, curl) * np.linspace(0, 1, count)
    )
    step = length_px / count
    return _line(np.cumsum(_towards(headings), axis=0) * step, thickness_px)


def _lines(dark_HW: Dark, rng: Random) -> None:
    """Upright scratches that come and go down the film, alone and in bundles."""
    rows = np.arange(HEIGHT)
    for _ in range(int(rng.integers(5, 14))):
        middle, lean = rng.uniform(0, WIDTH), rng.normal(0, 0.006)
        for _ in range(int(rng.integers(1, 4))):
            knots = np.sort(rng.uniform(0, HEIGHT, 24))
            place = middle + rng.normal(0, 10) + lean * rows
            place += np.interp(rows, knots, rng.normal(0, 0.5, 24))
            sigma, broken = rng.uniform(0.4, 1.3), rng.uniform(0, 0.5)
            shown = np.clip(rng.normal(0.8, 0.25, 24), 0, 1) * (rng.random(24) >= broken)
            dense = rng.uniform(0.35, 1.0) * np.interp(rows, knots, shown)
            first = int(np.clip(place.min() - 5, 0, WIDTH))
            last = int(np.clip(place.max() + 6, 0, WIDTH))
            apart = np.arange(first, last) - place[:, None]
            line = 255 * dense[:, None] * np.exp(-(apart**2) / (2 * sigma**2))
            under = dark_HW[:, first:last]
            np.maximum(under, np.rint(np.round(line, 6)).astype(np.uint8), out=under)


def _dust(dark_HW: Dark, rng: Random) -> None:
    _specks(dark_HW, rng, int(rng.integers(150, 500)), 2.2, 0.5)


def _dirt(dark_HW: Dark, rng: Random) -> None:
    _specks(dark_HW, rng, int(rng.integers(60, 160)), 5.0, 0.7)
    _specks(dark_HW, rng, int(rng.integers(3, 10)), 18.0, 0.4)


def _hairs(dark_HW: Dark, rng: Random) -> None:
    for _ in range(int(rng.integers(12, 30))):
        length, thickness = 90 * rng.lognormal(0, 0.6), rng.uniform(0.5, 1.5)
        hair = _thread(rng, min(length, 400), rng.uniform(0.5, 4), thickness, rng.uniform(0, 2 * np.pi))
        _put(dark_HW, hair, _anywhere(rng), rng.uniform(0.5, 1.0))
    _specks(dark_HW, rng, 60, 2.0, 0.4)


def _scratches(dark_HW: Dark, rng: Random) -> None:
    """Fine scratches: many of one wear share a direction."""
    heading, scatter = rng.uniform(0, np.pi), rng.uniform(0.05, 0.5)
    for _ in range(int(rng.integers(60, 160))):
        turn = heading + rng.normal(0, scatter)
        scratch = _thread(rng, min(35 * rng.lognormal(0, 0.7), 300), 0.15, rng.uniform(0.3, 1.0), turn)
        _put(dark_HW, scratch, _anywhere(rng), rng.uniform(0.3, 0.9))


def _drop(size_px: float, rng: Random) -> Byte:
    """Round, for water is; a little pulled out of shape."""
    angles = np.linspace(0, 2 * np.pi, 48, endpoint=False)
    radius = np.ones(48)
    for waves in (2, 3, 5):
        radius += rng.normal(0, 0.1 / waves) * np.cos(waves * angles + rng.uniform(0, 2 * np.pi))
    radius *= size_px / 2
    return _filled((radius[:, None] * _towards(angles) * (1, rng.uniform(0.7, 1)))[None])


def _stains(dark_HW: Dark, rng: Random) -> None:
    """Dried drops: a faint middle and a dark rim."""
    for _ in range(int(rng.integers(8, 20))):
        size = float(np.clip(45 * rng.lognormal(0, 0.5), 12, 160))
        shape = _drop(size, rng)
        inner = cv2.erode(shape, np.ones((3, 3), np.uint8), iterations=max(1, int(size / 14)))
        rim = cv2.subtract(shape, cv2.multiply(inner, 1, scale=rounded(rng.uniform(0.45, 0.85))))
        _put(dark_HW, cv2.GaussianBlur(rim, (5, 5), 1.1), _anywhere(rng), rng.uniform(0.4, 0.9))
    _specks(dark_HW, rng, 80, 2.5, 0.5)


def _splashes(dark_HW: Dark, rng: Random) -> None:
    """A large spot and what flew from it."""
    for _ in range(int(rng.integers(4, 9))):
        place = _anywhere(rng)
        reach = rng.uniform(20, 70)
        _put(dark_HW, _filled(ragged(rng.uniform(14, 45, 1), rng)), place, rng.uniform(0.7, 1.0))
        sizes_px = np.clip(4 * rng.lognormal(0, 0.6, int(rng.integers(15, 50))), 1.2, 14)
        for drop in filled(ragged(sizes_px, rng)).opacities():
            _put(dark_HW, drop, rng.normal(place, reach), rng.uniform(0.6, 1.0))


def _worn(dark_HW: Dark, rng: Random) -> None:
    """A whole frame of a print that was run for years."""
    _specks(dark_HW, rng, int(rng.integers(120, 260)), 3.5, 0.6)
    for _ in range(int(rng.integers(10, 30))):
        dash = _thread(rng, min(60 * rng.lognormal(0, 0.8), 400), 0.06, rng.uniform(0.6, 1.6), np.pi / 2)
        _put(dark_HW, dash, _anywhere(rng), rng.uniform(0.3, 0.9))
    _specks(dark_HW, rng, 4, 25.0, 0.4)


def _fibres(dark_HW: Dark, rng: Random) -> None:
    """Lint: short, thick, bent."""
    for _ in range(int(rng.integers(25, 60))):
        lint = _thread(rng, 28 * rng.lognormal(0, 0.4), 2.5, rng.uniform(0.8, 2.2), rng.uniform(0, 2 * np.pi))
        _put(dark_HW, lint, _anywhere(rng), rng.uniform(0.5, 1.0))
    _specks(dark_HW, rng, 120, 2.5, 0.6)


def _smudges(dark_HW: Dark, rng: Random) -> None:
    """Oil and fingers: soft, large, faint."""
    for _ in range(int(rng.integers(8, 16))):
        size = float(np.clip(70 * rng.lognormal(0, 0.4), 25, 180))
        shape = cv2.copyMakeBorder(
            _filled(ragged(np.array([size]), rng)), 30, 30, 30, 30, cv2.BORDER_CONSTANT
        )
        soft = cv2.GaussianBlur(shape, (0, 0), rounded(min(size / 9, 9)))
        _put(dark_HW, soft, _anywhere(rng), rng.uniform(0.1, 0.28))
    _specks(dark_HW, rng, 60, 3.0, 0.5)


def _flakes(dark_HW: Dark, rng: Random) -> None:
    """Emulsion chipped off: sharp corners."""
    for _ in range(int(rng.integers(25, 70))):
        corners = int(rng.integers(4, 9))
        angles = (np.arange(corners) + rng.uniform(0, 0.8, corners)) * 2 * np.pi / corners
        radius = float(np.clip(5 * rng.lognormal(0, 0.7), 1.2, 40)) * rng.uniform(0.4, 1.2, corners)
        chip = _filled((radius[:, None] * _towards(angles) * (1, rng.uniform(0.5, 1)))[None])
        _put(dark_HW, chip, _anywhere(rng), rng.uniform(0.7, 1.0))


def _cracks(dark_HW: Dark, rng: Random) -> None:
    """Brittle emulsion: cracks that branch."""
    ends = [(_anywhere(rng), rng.uniform(0, 2 * np.pi), 1.1) for _ in range(int(rng.integers(4, 9)))]
    for _ in range(90):
        if not ends:
            break
        place, heading, thickness = ends.pop(0)
        length = 45 * rng.lognormal(0, 0.4)
        turns = heading + np.cumsum(rng.normal(0, 0.25, 14))
        path_px = np.cumsum(_towards(turns), axis=0) * length / 14
        middle = place + (path_px.min(axis=0) + path_px.max(axis=0))[::-1] / 2
        _put(dark_HW, _line(path_px, thickness), middle, rng.uniform(0.5, 1.0))
        for _ in range(int(rng.choice([0, 1, 1, 2]))):
            turn = float(turns[-1]) + rng.normal(0, 0.7)
            ends.append((place + path_px[-1, ::-1], turn, max(0.4, thickness * 0.85)))


_DRAWN: dict[Kind, Callable[[Dark, Random], None]] = {
    LINES: _lines,
    "002": _dust,
    "003": _dirt,
    "004": _hairs,
    "005": _scratches,
    "006": _stains,
    "007": _splashes,
    "008": _worn,
    "009": _fibres,
    "010": _smudges,
    "011": _flakes,
    "012": _cracks,
}
OWN = Drawings()
