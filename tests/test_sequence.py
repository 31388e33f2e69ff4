"""A folder of scans is one reel: every number keeps its place."""

from fractions import Fraction
from pathlib import Path

import pytest

from storage.errors import SourceError
from storage.sequence import find_sequence, is_sequence, list_frames
from tests.scan_files import HEIGHT, TELEVISION, dpx, encoded, pixels


def reel(folder: Path, numbers, name="scan.{:06d}.dpx", **how):
    folder.mkdir(exist_ok=True)
    for number in numbers:
        (folder / name.format(number)).write_bytes(dpx(pixels(seed=number), **how))
    return folder


def test_numbers_are_in_natural_order_and_gaps_keep_their_place(tmp_path):
    folder = reel(tmp_path, [8, 9, 10, 12], "scan{}.dpx")
    sequence = find_sequence(str(folder))
    assert [path.name for path in sequence.files] == ["scan8.dpx", "scan9.dpx", "scan10.dpx", "scan12.dpx"]
    assert [path and path.name for path in sequence.frames] == [
        "scan8.dpx", "scan9.dpx", "scan10.dpx", None, "scan12.dpx",
    ]  # fmt: skip
    assert (sequence.first_number, sequence.missing, sequence.damaged) == (8, (11,), ())
    assert sequence.faults() == {3: "no file numbered 11"}
    assert list_frames(str(folder)) == sequence.frames


def test_damaged_files_are_listed_not_skipped(tmp_path):
    folder = reel(tmp_path, range(1, 8))
    whole = (folder / "scan.000002.dpx").read_bytes()
    (folder / "scan.000001.dpx").write_bytes(b"")
    (folder / "scan.000003.dpx").write_bytes(whole[:-1])
    (folder / "scan.000004.dpx").write_bytes(whole[:100])
    (folder / "scan.000005.dpx").write_bytes(b"JUNK" + whole[4:])
    (folder / "scan.000006.dpx").unlink()
    sequence = find_sequence(str(folder))
    assert [(ordinal, reason.split(":")[0]) for ordinal, reason in sequence.damaged] == [
        (0, "empty file"),
        (2, "truncated"),
        (3, "truncated"),
        (4, "no DPX file"),
    ]
    assert sequence.missing == (6,)
    assert list(sequence.faults()) == [0, 2, 3, 4, 5]
    assert len(sequence.frames) == 7


def test_a_first_picture_that_does_not_decode_is_damaged(tmp_path):
    for number in range(3):
        (tmp_path / f"p{number}.png").write_bytes(
            encoded("png", "gray", pixels(depth=8, seed=number).astype("u1"))
        )
    data = bytearray((tmp_path / "p0.png").read_bytes())
    data[60] ^= 1
    (tmp_path / "p0.png").write_bytes(data)
    assert [ordinal for ordinal, _ in find_sequence(str(tmp_path)).damaged] == [0]


@pytest.mark.parametrize(
    "pattern", ["a.%06d.dpx", "a.%d.dpx", "a.######.dpx", "a.#.dpx", "a.*", "a.00000[0-9].dpx"]
)
def test_a_pattern_picks_one_of_two(pattern, tmp_path):
    reel(tmp_path, [1, 2], "a.{:06d}.dpx")
    reel(tmp_path, [1, 2, 3], "b.{:06d}.dpx")
    assert is_sequence(str(tmp_path / pattern))
    assert [path.name for path in find_sequence(str(tmp_path / pattern)).files] == [
        "a.000001.dpx",
        "a.000002.dpx",
    ]
    with pytest.raises(SourceError, match=r"2 sequences, a\.######\.dpx \(2\), b\.######\.dpx \(3\)"):
        find_sequence(str(tmp_path))


def test_a_number_in_the_middle_is_found_by_pattern(tmp_path):
    reel(tmp_path, [1, 2, 3], "roll7_{:04d}_v2.dpx")
    assert find_sequence(str(tmp_path / "roll7_####_v2.dpx")).first_number == 1


def test_what_is_no_frame_is_left_aside_and_said(tmp_path):
    folder = reel(tmp_path, [1, 2])
    (folder / "slate.png").write_bytes(encoded("png", "gray", pixels(depth=8).astype("u1")))
    (folder / "._scan.000003.dpx").write_bytes(b"finder")
    (folder / "scan.md5").write_text("x")
    (folder / "old.dpx").mkdir()
    sequence = find_sequence(str(folder))
    assert len(sequence.files) == 2
    assert sequence.notes == ("left aside, not numbered: slate.png",)


@pytest.mark.parametrize(
    ("numbers", "complaint"),
    [
        pytest.param([1, 2, 13], "", id="ten missing"),
        pytest.param([1, 2, 14], "11 numbers missing between 2 and 14", id="eleven missing"),
        pytest.param([1, 10**12], "numbers missing between", id="absurd"),
        pytest.param([*range(0, 60, 4)], "42 numbers missing for 15 files", id="many small gaps"),
    ],
)
def test_long_gaps_are_refused(numbers, complaint, tmp_path):
    folder = reel(tmp_path, numbers)
    if complaint:
        with pytest.raises(SourceError, match=complaint):
            find_sequence(str(folder))
    else:
        assert len(find_sequence(str(folder)).frames) == 13


@pytest.mark.parametrize(
    "other",
    [
        pytest.param(dpx(pixels(size=(HEIGHT, 48))), id="width"),
        pytest.param(dpx(pixels(3)), id="channels"),
        pytest.param(dpx(pixels(depth=16), 16), id="depth"),
        pytest.param(dpx(pixels(), packing=2), id="packing"),
    ],
)
def test_one_reel_has_one_kind_of_picture(other, tmp_path):
    folder = reel(tmp_path, [1, 2, 3])
    (folder / "scan.000002.dpx").write_bytes(other)
    with pytest.raises(
        SourceError, match=r"scan\.000002\.dpx: .* but scan\.000001\.dpx is 50x34 10-bit grey"
    ):
        find_sequence(str(folder))


def test_rate_and_timecode_come_from_the_headers(tmp_path):
    for number, field in enumerate((0x01000000, 0x01000001)):
        data = dpx(pixels(), fields=[(1920, "I", field), (1940, "f", 23.976)])
        (tmp_path / f"s{number}.dpx").write_bytes(data)
    header = find_sequence(str(tmp_path)).header
    assert (header.rate, header.timecode) == (Fraction(24000, 1001), "01:00:00:00")


def test_headers_that_disagree_are_not_believed(tmp_path):
    folder = reel(tmp_path, [1, 2], fields=[*TELEVISION, (1724, "f", 16.0)])
    sequence = find_sequence(str(folder))
    assert sequence.header.rate is None
    assert sequence.header.timecode is None, "a timecode that stands still is none"
    assert sequence.notes == ("rate: the film header says 16, the television header 18: give the rate",)


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("reel", True),
        ("reel/scan.000001.dpx", True),
        ("reel/none.####.tif", True),
        ("reel/none*.dpx", True),
        ("none", False),
        ("none.mkv", False),
        ("take #1.mkv", False),
        ("films", False),
    ],
)
def test_what_is_a_sequence(path, expected, tmp_path):
    reel(tmp_path / "reel", [1])
    (tmp_path / "films").mkdir()
    (tmp_path / "films" / "roll1.mkv").write_bytes(b"x")
    assert is_sequence(str(tmp_path / path)) is expected


@pytest.mark.parametrize(
    ("path", "complaint"),
    [
        ("reel/scan.000001.dpx", r"give its folder, or a pattern like .*scan\.######\.dpx"),
        ("none", "no such file or folder"),
        ("none/a.####.dpx", "no such folder"),
        ("reel/b.####.dpx", "no numbered DPX"),
        ("empty", "no numbered DPX"),
        ("twice", "bear one number"),
        ("broken", "none of the 2 files can be read"),
    ],
)
def test_where_there_is_none_it_says_so(path, complaint, tmp_path):
    reel(tmp_path / "reel", [1])
    (tmp_path / "empty").mkdir()
    reel(reel(tmp_path / "twice", [1]), [1], "scan.{:02d}.dpx")
    for number in range(2):
        (tmp_path / "broken").mkdir(exist_ok=True)
        (tmp_path / "broken" / f"{number}.dpx").write_bytes(b"")
    with pytest.raises(SourceError, match=complaint):
        find_sequence(str(tmp_path / path))
