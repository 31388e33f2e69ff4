"""The exact frame index: which frames a reel has, made once at ingest from one decode to the end.

A frame that could not be decoded keeps its place (law 10). That it was there is known from its packet, from a
hole in the timestamps of a file that the demuxer stumbled over, or from the container's own index of a file
that ends too early; a hole alone proves nothing, films with pauses are whole.
"""

from bisect import bisect_left
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import pairwise

from storage.reel import FrameRow

# Two fields of one picture may come as two packets half a frame apart.
_SAME_FRAME = Fraction(6, 10)
_HOLE = Fraction(3, 2)
# A jump in damaged timestamps may claim years; more lost frames than good ones are not believed.
_LEAST_BELIEVED_LOSS = 50


@dataclass(frozen=True)
class Seen:
    """A frame as the decoder gave it."""

    pts: int | None
    keyframe: bool
    md5: str
    corrupt: bool
    repeatable: bool = True
    """False for a corrupt frame that comes out differently each time it is decoded; another is shown."""


def build_index(
    seen: list[Seen], packet_pts: list[int], stumbled: bool, step: Fraction, expected: int | None
) -> list[FrameRow]:
    """The reel's frames in order, lost ones in their places.

    seen: what was decoded, in presentation order; not empty. packet_pts: timestamps of all packets.
    stumbled: whether demuxer or decoder complained. step: ticks to one frame.
    expected: how many frames the container promises, where it ended before them.
    """
    rows = [
        FrameRow(i, s.pts, s.keyframe, s.md5, i if s.repeatable else -1, "corrupt" if s.corrupt else "")
        for i, s in enumerate(seen)
    ]
    return _shown(_placed(rows, _lost(seen, packet_pts, stumbled, step, expected)))


def _lost(
    seen: list[Seen], packet_pts: list[int], stumbled: bool, step: Fraction, expected: int | None
) -> list[int]:
    """The timestamps of the frames that could not be decoded."""
    times = [s.pts for s in seen if s.pts is not None]
    if len(times) < len(seen) or any(a >= b for a, b in pairwise(times)):
        return []
    believed = max(len(seen), _LEAST_BELIEVED_LOSS)
    lost = [pts for pts in packet_pts if not _near(times, pts, _SAME_FRAME * step)]
    if stumbled:
        lost += _holes(sorted({*times, *lost}), step, believed)
    if expected:
        last = max([*times, *lost])
        tail = min(expected - len(times) - len(lost), believed + 1)
        lost += [round(last + step * n) for n in range(1, tail + 1)]
    return [] if len(lost) > believed else sorted(set(lost))


def _near(times: list[int], pts: int, reach: Fraction) -> bool:
    at = bisect_left(times, pts)
    return any(abs(times[i] - pts) < reach for i in (at - 1, at) if 0 <= i < len(times))


def _holes(times: list[int], step: Fraction, believed: int) -> list[int]:
    slack = max(step / 4, Fraction(1))
    steady = sum(abs(b - a - step) <= slack for a, b in pairwise(times))
    if steady < 0.8 * (len(times) - 1):
        return []
    holes = [(a, round((b - a) / step)) for a, b in pairwise(times) if b - a > _HOLE * step]
    # Counted before they are listed: a jump of years would fill the memory.
    if sum(steps - 1 for _, steps in holes) > believed:
        return []
    return [round(a + step * n) for a, steps in holes for n in range(1, steps)]


def _placed(rows: list[FrameRow], lost: list[int]) -> list[FrameRow]:
    if not lost:
        return rows
    gaps = [FrameRow(-1, pts, False, "", -1, "lost") for pts in lost]
    return sorted([*rows, *gaps], key=lambda row: row.pts or 0)


def _shown(rows: list[FrameRow]) -> list[FrameRow]:
    """Numbered, and the nearest good picture given to each frame that has none of its own."""
    good = [i for i, row in enumerate(rows) if row.shown >= 0]
    good = good or [i for i, row in enumerate(rows) if row.damage != "lost"]
    placed = []
    for i, row in enumerate(rows):
        at = bisect_left(good, i)
        nearest = min(good[max(0, at - 1) : at + 1], key=lambda g: abs(g - i))
        placed.append(replace(row, frame=i, shown=nearest, md5=rows[nearest].md5))
    return placed
