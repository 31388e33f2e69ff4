"""The index of a reel: every picture has its place, and a lost one leaves its own."""

from fractions import Fraction

import pytest

from storage.index import Seen, build_index
from storage.reel import FrameRow


def seen(*times, corrupt=()):
    return [Seen(pts, True, f"md5 of {pts}", n in corrupt) for n, pts in enumerate(times)]


def places(rows):
    """One letter a frame: its picture's time, or what is wrong and what is shown instead."""
    return [f"{row.damage}:{row.shown}" if row.damage else row.pts for row in rows]


INDEXES = {
    # frames seen, timestamps of packets, whether anything complained, frames promised, the index
    "whole": (seen(0, 40, 80), [0, 40, 80], False, None, [0, 40, 80]),
    "packets in decoding order": (seen(0, 40, 80), [0, 80, 40], False, None, [0, 40, 80]),
    "a packet without a frame": (seen(0, 80), [0, 40, 80], False, None, [0, "lost:0", 80]),
    "two packets to a frame": (seen(0, 40, 80), [0, 20, 40, 60, 80, 100], False, None, [0, 40, 80]),
    "the first lost": (seen(40, 80), [0, 40, 80], True, None, ["lost:1", 40, 80]),
    "the last lost": (seen(0, 40), [0, 40, 80], True, None, [0, 40, "lost:1"]),
    "two lost in the middle": (
        seen(0, 40, 160, 200, 240, 280, 320, 360),
        [0, 40, 160, 200, 240, 280, 320, 360],
        True,
        None,
        [0, 40, "lost:1", "lost:4", 160, 200, 240, 280, 320, 360],
    ),
    "a pause in a whole film": (
        seen(0, 40, 160, 200, 240, 280),
        [0, 40, 160, 200, 240, 280],
        False,
        None,
        [0, 40, 160, 200, 240, 280],
    ),
    "uneven times, something complained": (
        seen(0, 40, 160, 170, 300, 310),
        [0, 40, 160, 170, 300, 310],
        True,
        None,
        [0, 40, 160, 170, 300, 310],
    ),
    "promised more": (seen(0, 40), [0, 40], True, 4, [0, 40, "lost:1", "lost:1"]),
    "promised less": (seen(0, 40, 80), [0, 40, 80], True, 2, [0, 40, 80]),
    "corrupt": (seen(0, 40, 80, corrupt=(1,)), [0, 40, 80], True, None, [0, "corrupt:1", 80]),
    "no timestamps": (seen(None, None), [], True, 9, [None, None]),
    "times that go back": (seen(0, 80, 40), [0, 40, 80, 120], True, None, [0, 80, 40]),
    "a jump of a year is not believed": (
        seen(0, 40, 80, 120, 160, 200, 240, 280, 320, 10**9),
        [0, 40],
        True,
        None,
        [0, 40, 80, 120, 160, 200, 240, 280, 320, 10**9],
    ),
    "one frame": (seen(0), [0], True, None, [0]),
    "one frame, three promised": (seen(7), [7], True, 3, [7, "lost:0", "lost:0"]),
}  # fmt: skip


@pytest.mark.parametrize("name", INDEXES)
def test_the_index(name):
    frames, packets, stumbled, promised, expected = INDEXES[name]
    rows = build_index(frames, packets, stumbled, Fraction(40), promised)
    assert places(rows) == expected
    assert [row.frame for row in rows] == list(range(len(rows)))
    assert [row.md5 for row in rows] == [rows[row.shown].md5 for row in rows]


def test_the_index_of_milliseconds_at_an_uneven_rate():
    """24000/1001 in Matroska: steps of 41 and 42 ms; frames 10 and 11 lost."""
    times = [round(n * 1001 / 24) for n in range(40)]
    left = [time for n, time in enumerate(times) if n not in (10, 11)]
    rows = build_index(seen(*left), left, True, Fraction(1001, 24), None)
    assert len(rows) == 40
    assert [row.frame for row in rows if row.damage] == [10, 11]
    assert isinstance(rows[10], FrameRow)
    assert abs(rows[10].pts - times[10]) <= 1
