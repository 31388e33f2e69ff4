"""The shape of a sample is put into a finished film without moving a single packet."""

import re
import zlib
from fractions import Fraction

import av
import pytest

from storage.errors import VaultError
from storage.matroska import set_sample_aspect
from tests.reels import Kind, decoded, payloads, write_reel

RICH = Kind(
    sound=("pcm_s16le",),
    chapters=((0, 100, "one"), (100, 400, "two")),
    metadata={"TITLE": "x" * 3000},
    timecode="01:00:00:00",
)
SHAPES = {
    "PAL 4:3": (720, 576, Fraction(16, 15)),
    "NTSC": (720, 480, Fraction(10, 11)),
    "Cinemascope": (4096, 3112, Fraction(2)),
    "odd": (97, 65, Fraction(12, 11)),
    "long numbers": (4997, 3001, Fraction(9973, 9967)),
    "narrow": (96, 64, Fraction(1, 3)),
}


SEEK_HEAD, TRACKS, CLUSTER = b"\x11\x4d\x9b\x74", b"\x16\x54\xae\x6b", b"\x1f\x43\xb6\x75"


def told(path):
    with av.open(str(path)) as film:
        chapters = [chapter["metadata"]["title"] for chapter in film.chapters()]
        return film.streams.video[0].sample_aspect_ratio, chapters, film.metadata["title"]


def checksums_hold(data):
    """Whether SeekHead and Tracks begin with the CRC-32 of what follows in them (RFC 8794, 11.3.1)."""
    held = []
    for mark in (SEEK_HEAD, TRACKS):
        at = data.index(mark, data.index(b"\xec", 100) if mark == TRACKS else 0) + 4
        count = 9 - data[at].bit_length()
        size = int.from_bytes(data[at : at + count], "big") & ((1 << 7 * count) - 1)
        body = data[at + count : at + count + size]
        assert body[:2] == b"\xbf\x84"
        held.append(zlib.crc32(body[6:]) == int.from_bytes(body[2:6], "little"))
    return held


def test_what_the_index_points_to_is_there(tmp_path):
    film = write_reel(tmp_path / "film", RICH)
    set_sample_aspect(film, 96, 64, Fraction(4, 3))
    data = film.read_bytes()
    origin = data.index(SEEK_HEAD)
    entries = re.findall(rb"\x53\xab\x84(....)\x53\xac([\x81-\x88])", data[origin : origin + 200], re.DOTALL)
    at = origin
    for mark, size in entries:
        at = data.index(b"\x53\xab\x84" + mark, at) + 7 + 3
        position = int.from_bytes(data[at : at + (size[0] & 15)], "big")
        assert data[origin + position : origin + position + 4] == mark
    assert TRACKS in [mark for mark, _ in entries]


@pytest.mark.parametrize("name", SHAPES)
def test_the_aspect_is_told_and_nothing_moves(name, tmp_path):
    width, height, aspect = SHAPES[name]
    film = write_reel(tmp_path / "film", RICH)
    before, pictures, sound = film.read_bytes(), decoded(film), payloads(film)
    # The picture's size in the file stays 96x64; the aspect that a player computes is relative to it.
    set_sample_aspect(film, width, height, aspect)
    after = film.read_bytes()
    assert len(after) == len(before)
    cluster = before.index(CLUSTER)
    assert after[cluster:] == before[cluster:]
    assert told(film) == (
        Fraction(width, height) * aspect / Fraction(96, 64),
        ["one", "two"],
        "x" * 3000,
    )
    assert checksums_hold(before) == checksums_hold(after) == [True, True]
    assert payloads(film) == sound
    assert [(pts, plane[0].tobytes()) for pts, plane in decoded(film)] == [
        (pts, plane[0].tobytes()) for pts, plane in pictures
    ]
    set_sample_aspect(film, width, height, aspect)
    assert film.read_bytes() == after


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"RIFF" * 100, id="no Matroska"),
        pytest.param(bytes(4000), id="zeros"),
        pytest.param(b"\x1a\x45\xdf\xa3\x80\x18\x53\x80\x67\xff\xec\x80", id="a segment without tracks"),
    ],
)
def test_what_is_not_laid_out_so_is_refused_and_kept(data, tmp_path):
    path = tmp_path / "film.mkv"
    path.write_bytes(data)
    with pytest.raises(VaultError, match="sample aspect"):
        set_sample_aspect(path, 96, 64, Fraction(4, 3))
    assert path.read_bytes() == data
