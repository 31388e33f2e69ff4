"""A folder of scans is one reel: every number keeps its place and every sample its value."""

import struct
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from storage.dpx import DamagedFrame, exact_rate, parse_dpx
from storage.errors import SourceError
from storage.sequence import find_sequence, is_sequence, list_frames
from storage.still import decode_image

WIDTH, HEIGHT = 50, 34  # 50 is no multiple of 3 or 4: rows end within a word


def pixels(channels=1, depth=10, seed=0, size=(HEIGHT, WIDTH)):
    """Noise of every code value, (H, W) or (H, W, C)."""
    shape = size if channels == 1 else (*size, channels)
    return np.random.default_rng(seed).integers(0, 1 << depth, shape).astype(np.uint32)


def dpx(image, depth=10, order=">", packing=1, fields=()):
    """A DPX file by ST 268-1, written here so that reader and writer do not share a mistake.

    fields: (offset, struct format, value) put over the header, whose other bytes are undefined (all ones).
    """
    channels = 1 if image.ndim == 2 else image.shape[2]
    rows = []
    for row in image.reshape(image.shape[0], -1):
        if depth == 8:
            data = row.astype("u1").tobytes()
        elif depth == 16:
            data = row.astype(f"{order}u2").tobytes()
        elif depth == 12 and packing:
            data = (row << 4 if packing == 1 else row).astype(f"{order}u2").tobytes()
        elif depth == 10:
            triples = np.pad(row, (0, -len(row) % 3)).reshape(-1, 3)
            first_high = triples if channels > 1 else triples[:, ::-1]  # a single channel fills from below
            words = first_high[:, 0] << 20 | first_high[:, 1] << 10 | first_high[:, 2]
            data = (words << (2 if packing == 1 else 0)).astype(f"{order}u4").tobytes()
        else:
            bits = sum(int(value) << (depth * n) for n, value in enumerate(row))
            words = np.frombuffer(bits.to_bytes(-(-len(row) * depth // 32) * 4, "little"), "<u4")
            data = words.astype(f"{order}u4").tobytes()
        rows.append(data + bytes(-len(data) % 4))
    picture = b"".join(rows)
    head = bytearray(b"\xff" * 2048)
    head[:4] = b"SDPX" if order == ">" else b"XPDS"
    descriptor = {1: 6, 3: 50, 4: 51}[channels]
    plain = [
        (4, "I", 2048),
        (16, "I", 2048 + len(picture)),
        (768, "HH", (0, 1)),
        (772, "II", (image.shape[1], image.shape[0])),
        (780, "I", 0),
        (800, "BBBB", (descriptor, 3, 1, depth)),
        (804, "HH", (packing, 0)),
        (808, "III", (2048, 0, 0)),
    ]
    for offset, form, value in [*plain, *fields]:
        struct.pack_into(order + form, head, offset, *(value if isinstance(value, tuple) else (value,)))
    return bytes(head) + picture


def encoded(codec, pix_fmt, image, **options):
    """The image by FFmpeg's own encoder; `image` packed, in the format's byte order."""
    frame = av.VideoFrame(image.shape[1], image.shape[0], pix_fmt)
    plane = frame.planes[0]
    rows = np.ascontiguousarray(image).view("u1").reshape(image.shape[0], -1)
    np.frombuffer(plane, "u1").reshape(plane.height, plane.line_size)[:, : rows.shape[1]] = rows
    context = av.CodecContext.create(codec, "w")
    context.width, context.height, context.pix_fmt = frame.width, frame.height, pix_fmt
    context.time_base, context.options = Fraction(1, 24), options
    return b"".join(bytes(packet) for packet in [*context.encode(frame), *context.encode(None)])


def samples(frame):
    """(H, W) or (H, W, C) of a decoded frame, red first."""
    names = [component.bits for component in frame.format.components]
    dtype = "u1" if names[0] == 8 else (">u2" if frame.format.is_big_endian else "<u2")
    per_pixel = len(names) if len(frame.planes) == 1 else 1
    planes = []
    for plane in frame.planes:
        rows = np.frombuffer(plane, "u1").reshape(plane.height, plane.line_size)
        wide = np.ascontiguousarray(rows[:, : plane.width * per_pixel * np.dtype(dtype).itemsize]).view(dtype)
        planes.append(wide.reshape(plane.height, plane.width, per_pixel))
    if len(planes) > 1:  # planar RGB is kept G, B, R
        planes = [planes[2], planes[0], planes[1], *planes[3:]]
    return np.concatenate(planes, axis=2).squeeze()


DPX_KINDS = [
    pytest.param(channels, depth, packing, order, id=f"{name}{depth}-packing{packing}-{end}")
    for channels, name in ((1, "grey"), (3, "rgb"), (4, "rgba"))
    for depth, packings in ((8, (0,)), (10, (1, 2)), (12, (0, 1, 2)), (16, (0,)))
    for packing in packings
    for order, end in ((">", "big"), ("<", "little"))
]


@pytest.mark.parametrize(("channels", "depth", "packing", "order"), DPX_KINDS)
def test_dpx_comes_back_at_full_depth_exactly(channels, depth, packing, order, tmp_path):
    image = pixels(channels, depth)
    data = dpx(image, depth, order, packing)
    frame = decode_image(data, ".dpx")
    assert frame.format.components[0].bits == depth
    np.testing.assert_array_equal(samples(frame), image)
    (tmp_path / "a1.dpx").write_bytes(data)
    header = find_sequence(str(tmp_path)).header
    name = {1: "grey", 3: "rgb", 4: "rgba"}[channels]
    assert (header.width, header.height, header.bit_depth, header.channels) == (WIDTH, HEIGHT, depth, name)
    with pytest.raises(DamagedFrame, match="truncated"):
        parse_dpx(data).check_size(len(data) - 1)


STILL_KINDS = [
    pytest.param("png", "gray", 1, 8, "u1", {}, id="png grey 8"),
    pytest.param("png", "gray16be", 1, 16, ">u2", {}, id="png grey 16"),
    pytest.param("png", "rgb24", 3, 8, "u1", {}, id="png rgb 8"),
    pytest.param("png", "rgb48be", 3, 16, ">u2", {}, id="png rgb 16"),
    pytest.param("png", "rgba64be", 4, 16, ">u2", {}, id="png rgba 16"),
    *(
        pytest.param(
            "tiff", form, channels, depth, dtype, {"compression_algo": coding}, id=f"tiff {form} {coding}"
        )
        for coding in ("raw", "lzw", "packbits", "deflate")
        for form, channels, depth, dtype in (
            ("gray", 1, 8, "u1"),
            ("gray16le", 1, 16, "<u2"),
            ("rgb24", 3, 8, "u1"),
            ("rgb48le", 3, 16, "<u2"),
            ("rgba64le", 4, 16, "<u2"),
        )
    ),
]


@pytest.mark.parametrize(("codec", "pix_fmt", "channels", "depth", "dtype", "options"), STILL_KINDS)
def test_png_and_tiff_come_back_exactly(codec, pix_fmt, channels, depth, dtype, options, tmp_path):
    image = pixels(channels, depth).astype(dtype)
    data = encoded(codec, pix_fmt, image, **options)
    np.testing.assert_array_equal(samples(decode_image(data, f".{codec}")), image)
    (tmp_path / f"s_001.{codec}").write_bytes(data)
    (tmp_path / f"s_002.{codec}").write_bytes(data[: len(data) // 2])
    sequence = find_sequence(str(tmp_path))
    header = sequence.header
    name = {1: "grey", 3: "rgb", 4: "rgba"}[channels]
    assert (header.width, header.height, header.bit_depth, header.channels) == (WIDTH, HEIGHT, depth, name)
    assert [ordinal for ordinal, _ in sequence.damaged] == [1]


@pytest.mark.parametrize(
    ("codec", "pix_fmt", "options"),
    [
        pytest.param("png", "rgb48be", {}, id="png"),
        pytest.param("tiff", "rgb48le", {"compression_algo": "deflate"}, id="deflated tiff"),
    ],
)
def test_a_flipped_bit_is_noticed_where_the_format_has_a_checksum(codec, pix_fmt, options):
    """FFmpeg gives half a picture of these without an error."""
    data = bytearray(encoded(codec, pix_fmt, pixels(3, 16).astype(">u2"), **options))
    data[len(data) // 2] ^= 0x10
    with pytest.raises(DamagedFrame):
        decode_image(bytes(data), f".{codec}")


TELEVISION = [(1920, "I", 0x01020312), (1940, "f", 18.0)]


@pytest.mark.parametrize("order", "><")
def test_the_header_is_read(order):
    fields = [*TELEVISION, (1724, "f", 18.0), (1628, "II", (4, 3)), (768, "H", 2)]
    header = parse_dpx(dpx(pixels(), order=order, fields=fields)[:2048])
    assert header.timecode == "01:02:03:12"
    assert header.film_rate == header.television_rate == 18
    assert (header.transfer, header.colorimetric) == ("logarithmic", "printing density")
    assert header.sample_aspect == Fraction(4, 3)
    assert header.orientation == 2


def test_undefined_fields_are_none():
    header = parse_dpx(dpx(pixels(), fields=[(16, "I", 0xFFFFFFFF), (801, "BB", (255, 255))])[:2048])
    absent = (header.film_rate, header.television_rate, header.timecode, header.transfer, header.colorimetric)
    assert absent == (None,) * 5
    assert (header.sample_aspect, header.file_bytes) == (None, None)


@pytest.mark.parametrize(
    ("field", "timecode"),
    [
        pytest.param(0x23595924, "23:59:59:24", id="latest"),
        pytest.param(0x01020352, "01:02:03:12", id="drop-frame flag set aside"),
        pytest.param(0x24000000, None, id="hour 24"),
        pytest.param(0x00600000, None, id="minute 60"),
        pytest.param(0x0000000A, None, id="no decimal digit"),
    ],
)
def test_timecode_is_packed_decimal(field, timecode):
    assert parse_dpx(dpx(pixels(), fields=[(1920, "I", field)])[:2048]).timecode == timecode


@pytest.mark.parametrize(
    ("rate", "exact"),
    [
        (16.0, Fraction(16)),
        (18.0, Fraction(18)),
        (np.float32(23.976), Fraction(24000, 1001)),
        (23.98, Fraction(24000, 1001)),
        (29.97, Fraction(30000, 1001)),
        (np.float32(16 + 2 / 3), Fraction(50, 3)),
        (19.5, Fraction(39, 2)),
        (float("nan"), None),
        (float("inf"), None),
        (0.0, None),
        (1e-38, None),
    ],
)
def test_rates_are_made_exact(rate, exact):
    assert exact_rate(float(rate)) == exact


@pytest.mark.parametrize(
    ("fields", "complaint"),
    [
        pytest.param([(806, "H", 1)], "run-length", id="run-length"),
        pytest.param([(800, "B", 100)], "CbYCrY", id="yuv"),
        pytest.param([(800, "B", 52)], "ABGR", id="abgr"),
        pytest.param([(803, "B", 32)], "32-bit", id="float"),
        pytest.param([(804, "H", 0)], "packing 0", id="ten bits packed"),
        pytest.param([(770, "H", 3)], "3 image elements", id="elements"),
        pytest.param([(780, "I", 1)], "signed", id="signed"),
        pytest.param([(812, "I", 64)], "64 bytes after each row", id="row padding"),
        pytest.param([(808, "I", 4096)], "does not start", id="offsets disagree"),
    ],
)
def test_what_would_not_decode_exactly_is_refused_by_name(fields, complaint, tmp_path):
    (tmp_path / "a1.dpx").write_bytes(dpx(pixels(3), fields=fields))
    with pytest.raises(SourceError, match=complaint) as caught:
        find_sequence(str(tmp_path))
    assert not isinstance(caught.value, DamagedFrame)
    assert "a1.dpx" in str(caught.value)


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


def test_random_bytes_never_escape_as_another_error():
    """Headers are untrusted: any bytes decode, or are damaged, or are refused."""
    whole = {
        ".dpx": dpx(pixels()),
        ".png": encoded("png", "gray", pixels(depth=8).astype("u1")),
        ".tif": encoded("tiff", "gray", pixels(depth=8).astype("u1"), compression_algo="deflate"),
    }
    random = np.random.default_rng(0)
    for suffix, data in whole.items():
        for _ in range(150):
            broken = bytearray(data)
            for at in random.integers(0, min(len(data), 900), 6):
                broken[at] = random.integers(256)
            try:
                decode_image(bytes(broken[: random.integers(1, 2 * len(data))]), suffix)
            except SourceError:
                continue
