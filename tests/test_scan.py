"""One scan: every sample comes back as it was, and what would not is refused by name."""

from fractions import Fraction

import numpy as np
import pytest

from storage.dpx import DamagedFrame, exact_rate, parse_dpx
from storage.errors import SourceError
from storage.sequence import find_sequence
from storage.still import decode_image
from tests.scan_files import HEIGHT, TELEVISION, WIDTH, dpx, encoded, pixels, samples

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
