"""Checksums agree with FFmpeg's and bags with the bagit library, and no damage goes unnoticed."""

import hashlib
import io
import os
from fractions import Fraction
from pathlib import Path

import av
import bagit
import numpy as np
import pytest

from storage.bag import check_bag, write_bag
from storage.errors import StorageError, VaultError
from storage.fixity import (
    FrameSum,
    frame_md5,
    frame_sum,
    read_framemd5,
    sha256_file,
    write_framemd5,
)

# Odd sizes: FFmpeg pads its rows in memory, and chroma rounds up.
WIDTH, HEIGHT = 51, 35
RATE = Fraction(24000, 1001)


def planes_of(pix_fmt, seed):
    """Noise, each plane (H, W) or (H, W, C), in FFmpeg's plane order."""
    random, form = np.random.default_rng(seed), av.VideoFormat(pix_fmt, WIDTH, HEIGHT)
    depth = form.components[0].bits
    dtype = "u1" if depth == 8 else (">u2" if form.is_big_endian else "<u2")
    if not form.is_planar and len(form.components) > 1:
        return [random.integers(0, 1 << depth, (HEIGHT, WIDTH, len(form.components))).astype(dtype)]
    shapes = [(component.height, component.width) for component in form.components]
    return [random.integers(0, 1 << depth, shape).astype(dtype) for shape in shapes]


def film_frame(pix_fmt, planes):
    frame = av.VideoFrame(WIDTH, HEIGHT, pix_fmt)
    for target, plane in zip(frame.planes, planes, strict=True):
        rows = plane.reshape(plane.shape[0], -1).view("u1")
        np.frombuffer(target, "u1").reshape(-1, target.line_size)[: len(rows), : rows.shape[1]] = rows
    return frame


def by_ffmpeg(path, pix_fmt, frames):
    """The record that FFmpeg's own framemd5 muxer writes of these frames."""
    with av.open(str(path), "w", format="framemd5") as out:
        stream = out.add_stream("rawvideo", rate=RATE)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, pix_fmt
        stream.codec_context.time_base = 1 / RATE
        for pts, planes in enumerate(frames):
            frame = film_frame(pix_fmt, planes)
            frame.pts, frame.time_base, frame.duration = pts, 1 / RATE, 1
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    return path


FORMATS = [
    "gray", "gray10le", "gray12le", "gray16le",
    "gbrp", "gbrp10le", "gbrp12le", "gbrp16le", "gbrap16le", "rgb24", "rgb48le", "rgba64le",
    "yuv420p", "yuv420p10le", "yuv422p10le", "yuv444p12le",
]  # fmt: skip


@pytest.mark.parametrize("pix_fmt", FORMATS)
def test_frames_count_as_ffmpeg_counts_them(pix_fmt, tmp_path):
    frames = [planes_of(pix_fmt, seed) for seed in range(3)]
    theirs = by_ffmpeg(tmp_path / "theirs.framemd5", pix_fmt, frames)
    ours = tmp_path / "ours.framemd5"
    sums = [frame_sum(planes) for planes in frames]
    write_framemd5(ours, sums, rate=RATE, width=WIDTH, height=HEIGHT)
    read = read_framemd5(theirs)
    assert read.frames == read_framemd5(ours).frames == tuple(sums)
    assert (read.rate, read.width, read.height) == (RATE, WIDTH, HEIGHT)


def test_our_record_is_ffmpegs_byte_for_byte_but_for_the_name_of_the_software(tmp_path):
    frames = [planes_of("gbrp10le", seed) for seed in range(12)]
    theirs = by_ffmpeg(tmp_path / "theirs", "gbrp10le", frames).read_text().splitlines()
    aspect = next(line.split()[-1] for line in theirs if line.startswith("#sar"))
    ours = tmp_path / "ours"
    write_framemd5(ours, map(frame_sum, frames), rate=RATE, width=WIDTH, height=HEIGHT)
    mine = ours.read_text().replace("#sar 0: 1/1", f"#sar 0: {aspect}").splitlines()
    assert len(mine) == len(theirs) == 10 + len(frames)
    assert [a for a, b in zip(mine, theirs, strict=True) if a != b] == ["#software: Answerprint"]


def test_byte_order_in_memory_does_not_count():
    plane = planes_of("gray16le", 0)[0]
    assert frame_md5([plane.astype(">u2")]) == frame_md5([plane]) == hashlib.md5(plane.tobytes()).hexdigest()


def test_row_padding_and_strides_do_not_count():
    plane = planes_of("gray10le", 0)[0]
    padded = np.pad(plane, ((0, 0), (0, 13)))[:, :WIDTH]
    assert frame_sum([padded]) == frame_sum([plane])


RECORD = """#format: frame checksums
#version: 2
#hash: MD5
#software: Lavf63.1.102
#tb 0: 1/18
#media_type 0: video
#codec_id 0: rawvideo
#dimensions 0: 50x34
#sar 0: 0/1
#stream#, dts,        pts, duration,     size, hash
0,          0,          0,        1,    10200, 9187d6843f2a24ebd614e22986f9e3aa
0,          1,          1,        1,    10200, 63b0092e851bf07f46bb8c3fdbfe9009
"""


def test_a_record_of_ffmpegs_is_read(tmp_path):
    path = tmp_path / "a.framemd5"
    path.write_text(RECORD)
    record = read_framemd5(path)
    assert (record.rate, record.width, record.height, record.sample_aspect) == (18, 50, 34, 1)
    assert record.frames[1] == FrameSum(10200, "63b0092e851bf07f46bb8c3fdbfe9009")


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        pytest.param("#version: 2", "#version: 1", "#version is 1, not 2", id="version"),
        pytest.param("#hash: MD5", "#hash: SHA256", "#hash is SHA256", id="hash"),
        pytest.param("#format: frame checksums", "", "line 1: no row", id="no record"),
        pytest.param(
            "0,          1,          1,", "1,          1,          1,", "line 12: no row", id="two streams"
        ),
        pytest.param(
            "1,        1,    10200", "2,        1,    10200", "line 12: timestamp 2, expected 1", id="hole"
        ),
        pytest.param(
            "1,        1,    10200", "1,       41,    10200", "line 12: timestamp 1", id="milliseconds"
        ),
        pytest.param("63b0", "63B0", "line 12: no row", id="hash in capitals"),
        pytest.param("9009", "900", "line 12: no row", id="cut short"),
        pytest.param(
            "#dimensions 0: 50x34", "#dimensions 0: 50", "header line is missing or broken", id="size"
        ),
        pytest.param("#tb 0: 1/18", "#tb 0: 0/18", "header line is missing or broken", id="no rate"),
        pytest.param("#tb 0: 1/18\n", "", "header line is missing or broken", id="rate missing"),
    ],
)
def test_a_bad_record_is_refused(old, new, complaint, tmp_path):
    path = tmp_path / "a.framemd5"
    assert RECORD.count(old) >= 1
    path.write_text(new.join(RECORD.rsplit(old, 1)))
    with pytest.raises(StorageError) as caught:
        read_framemd5(path)
    assert complaint in str(caught.value)
    assert str(caught.value).startswith(str(path))


def test_a_file(tmp_path):
    data = np.random.default_rng(0).bytes(3_000_000)
    path = tmp_path / "film.mkv"
    path.write_bytes(data)
    assert sha256_file(path) == sha256_file(io.BytesIO(data)) == hashlib.sha256(data).hexdigest()


INFO = {"Source-Organization": "An Archive", "External-Identifier": "reel 1", "Bagging-Date": "2026-01-02"}
ODD_NAME = "report/Übersicht \u2028 100%.txt"
PAYLOAD = {"master.mkv": b"pictures", "report/index.html": b"<p>", ODD_NAME: b"", "b.csv": b"1"}


@pytest.fixture
def bag(tmp_path: Path) -> Path:
    root = tmp_path / "bag"
    for name, data in PAYLOAD.items():
        path = root / "data" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return root


def test_a_bag_is_whole_and_says_the_same_twice(bag):
    write_bag(bag, INFO)
    assert check_bag(bag) == []
    tags = sorted(path for path in bag.iterdir() if path.is_file())
    before = {path.name: path.read_bytes() for path in tags}
    assert list(before) == ["bag-info.txt", "bagit.txt", "manifest-sha256.txt", "tagmanifest-sha256.txt"]
    write_bag(bag, dict(reversed(INFO.items())))
    assert {path.name: path.read_bytes() for path in tags} == before
    assert b"Payload-Oxum: 12.4\n" in before["bag-info.txt"]
    assert before["manifest-sha256.txt"].decode().splitlines()[0].endswith("  data/b.csv")
    assert b"100%25.txt" in before["manifest-sha256.txt"]


def test_the_bagit_library_agrees(bag):
    # The library does not decode %25 (RFC 8493 2.1.3 asks for it), so no such name here.
    (bag / "data" / ODD_NAME).unlink()
    write_bag(bag, INFO)
    theirs = bagit.Bag(str(bag))
    theirs.validate()
    assert theirs.info["External-Identifier"] == "reel 1"
    (bag / "data" / "master.mkv").write_bytes(b"Pictures")
    with pytest.raises(bagit.BagValidationError):
        theirs.validate()


def test_a_bag_of_the_bagit_library_is_good(tmp_path):
    (tmp_path / "master.mkv").write_bytes(b"pictures")
    bagit.make_bag(str(tmp_path), INFO, checksums=["sha256"])
    assert check_bag(tmp_path) == []
    (tmp_path / "bagit.txt").write_text("BagIt-Version: 2.0\nTag-File-Character-Encoding: UTF-8\n")
    assert check_bag(tmp_path)[0] == "malformed: bagit.txt does not declare BagIt 1.0 in UTF-8"


def _append(name, line):
    def spoil(root):
        with (root / name).open("a") as file:
            file.write(line)

    return spoil


ZEROS = "0" * 64


@pytest.mark.parametrize(
    ("spoil", "problems"),
    [
        pytest.param(lambda r: (r / "data/b.csv").write_bytes(b"2"), ["changed: data/b.csv"], id="changed"),
        pytest.param(lambda r: (r / "data/b.csv").unlink(), ["missing: data/b.csv"], id="missing"),
        pytest.param(lambda r: (r / "data/c").write_bytes(b""), ["extra: data/c"], id="extra"),
        pytest.param(
            lambda r: (r / "bagit.txt").unlink(), ["missing: bagit.txt: {root} is no bag"], id="no bag"
        ),
        pytest.param(
            lambda r: (r / "tagmanifest-sha256.txt").unlink(),
            [
                "missing: tagmanifest-sha256.txt",
                "unlisted: bagit.txt is not in tagmanifest-sha256.txt",
                "unlisted: bag-info.txt is not in tagmanifest-sha256.txt",
                "unlisted: manifest-sha256.txt is not in tagmanifest-sha256.txt",
            ],
            id="unfinished",
        ),
        pytest.param(_append("bag-info.txt", "Note: x\n"), ["changed: bag-info.txt"], id="info edited"),
        pytest.param(
            lambda r: (r / "fetch.txt").write_text("http://x - data/x\n"),
            ["unsafe: fetch.txt: a delivery must hold its payload itself"],
            id="fetch",
        ),
        pytest.param(
            lambda r: ((r / "data/b.csv").unlink(), (r / "data/b.csv").symlink_to("/etc/hostname")),
            ["unsafe: data/b.csv is a link out of the bag", "unsafe: data/b.csv is a link"],
            id="link out",
        ),
        pytest.param(
            lambda r: ((r / "data/b.csv").unlink(), (r / "data/b.csv").symlink_to("b.csv")),
            ["missing: data/b.csv", "unsafe: data/b.csv is a link"],
            id="link to itself",
        ),
    ],
)
def test_damage_to_a_bag_is_named(spoil, problems, bag):
    write_bag(bag, INFO)
    spoil(bag)
    assert check_bag(bag) == [problem.format(root=bag) for problem in problems]


@pytest.mark.parametrize(
    "name",
    [
        "/etc/passwd", "data/../../x", "../x", "~/x", "data/~x/../../y", "C:/x", "data\\..\\x",
        "data//x", "data/./x", "data", "bagit.txt", "data/%0A/../../x", "data/x\0y",
    ],
)  # fmt: skip
def test_a_manifest_cannot_lead_out_of_the_bag(name, bag):
    write_bag(bag, INFO)
    _append("manifest-sha256.txt", f"{ZEROS}  {name}\n")(bag)
    problems = check_bag(bag)
    assert [problem for problem in problems if problem.startswith("unsafe: manifest-sha256.txt line 5")]
    assert all("\n" not in problem for problem in problems)


@pytest.mark.parametrize(
    "line", ["junk", f"{ZEROS}", f"{'0' * 32}  data/b.csv", f"{ZEROS}  data/b.csv", f"{ZEROS}x data/b.csv"]
)
def test_a_malformed_manifest_line_is_named(line, bag):
    write_bag(bag, INFO)
    _append("manifest-sha256.txt", line + "\n")(bag)
    assert "malformed: manifest-sha256.txt line 5" in check_bag(bag)


def test_a_manifest_that_is_no_text_is_named(bag):
    write_bag(bag, INFO)
    (bag / "manifest-sha256.txt").write_bytes(b"\xff\xfe")
    assert any(problem.startswith("malformed: ") for problem in check_bag(bag))


@pytest.mark.parametrize(
    ("spoil", "info", "complaint"),
    [
        pytest.param(lambda r: (r / "data").rename(r / "other"), INFO, "no payload", id="no payload"),
        pytest.param(
            lambda r: (r / "data/x").symlink_to("b.csv"), INFO, "a link cannot be delivered", id="link"
        ),
        pytest.param(
            lambda r: (r / "data/a\nb").write_bytes(b""), INFO, "rename it", id="line end in a name"
        ),
        pytest.param(
            lambda r: Path(os.fsdecode(os.fsencode(r) + b"/data/\xff")).write_bytes(b""),
            INFO,
            "rename it",
            id="bytes",
        ),
        pytest.param(lambda r: None, {"A: b": "c"}, "no bag-info label", id="label"),
        pytest.param(
            lambda r: None, {"A": "b\nPayload-Oxum: 0.0"}, "no bag-info label", id="line end in a value"
        ),
    ],
)
def test_a_bag_that_would_be_wrong_is_not_written(spoil, info, complaint, bag):
    spoil(bag)
    with pytest.raises(VaultError, match=complaint):
        write_bag(bag, info)
    assert not (bag / "tagmanifest-sha256.txt").exists()
