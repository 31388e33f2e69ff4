"""Every pixel format keeps its samples, and a repair leaves every sample outside its mask as it was."""

from fractions import Fraction

import av
import numpy as np
import pytest

from storage.errors import SourceError
from storage.master import Ffv1Writer
from storage.pixels import (
    Picture,
    Unpacker,
    blank,
    differs,
    floats,
    layout_of,
    luma8,
    merge,
    replace,
    shrink_mask,
)
from storage.reel import VideoFacts
from tests.reels import planes_of

SIZES = {"even": (48, 32), "odd": (49, 33), "narrow": (5, 3), "one pixel": (1, 1)}
# Decoded format: what it is unpacked to, colour, depth, planes, columns and rows to a chroma sample.
LAYOUTS = {
    "gray": ("gray", "grey", 8, 1, 1, 1),
    "gray10le": ("gray10le", "grey", 10, 1, 1, 1),
    "gray12le": ("gray12le", "grey", 12, 1, 1, 1),
    "gray16le": ("gray16le", "grey", 16, 1, 1, 1),
    "gray16be": ("gray16le", "grey", 16, 1, 1, 1),
    "rgb24": ("gbrp", "rgb", 8, 3, 1, 1),
    "bgr24": ("gbrp", "rgb", 8, 3, 1, 1),
    "bgr0": ("gbrp", "rgb", 8, 3, 1, 1),
    "rgba": ("gbrap", "rgb", 8, 4, 1, 1),
    "gbrp": ("gbrp", "rgb", 8, 3, 1, 1),
    "gbrp10le": ("gbrp10le", "rgb", 10, 3, 1, 1),
    "gbrp10be": ("gbrp10le", "rgb", 10, 3, 1, 1),
    "gbrp12le": ("gbrp12le", "rgb", 12, 3, 1, 1),
    "gbrp16le": ("gbrp16le", "rgb", 16, 3, 1, 1),
    "rgb48le": ("gbrp16le", "rgb", 16, 3, 1, 1),
    "rgb48be": ("gbrp16le", "rgb", 16, 3, 1, 1),
    "rgba64be": ("gbrap16le", "rgb", 16, 4, 1, 1),
    "yuv420p": ("yuv420p", "yuv", 8, 3, 2, 2),
    "yuvj420p": ("yuv420p", "yuv", 8, 3, 2, 2),
    "nv12": ("yuv420p", "yuv", 8, 3, 2, 2),
    "yuv422p": ("yuv422p", "yuv", 8, 3, 2, 1),
    "yuyv422": ("yuv422p", "yuv", 8, 3, 2, 1),
    "uyvy422": ("yuv422p", "yuv", 8, 3, 2, 1),
    "yuv440p": ("yuv440p", "yuv", 8, 3, 1, 2),
    "yuv411p": ("yuv411p", "yuv", 8, 3, 4, 1),
    "yuv410p": ("yuv410p", "yuv", 8, 3, 4, 4),
    "yuv444p": ("yuv444p", "yuv", 8, 3, 1, 1),
    "yuv420p10le": ("yuv420p10le", "yuv", 10, 3, 2, 2),
    "yuv422p10le": ("yuv422p10le", "yuv", 10, 3, 2, 1),
    "yuv444p12le": ("yuv444p12le", "yuv", 12, 3, 1, 1),
    "yuv444p16le": ("yuv444p16le", "yuv", 16, 3, 1, 1),
    "p010le": ("yuv420p10le", "yuv", 10, 3, 2, 2),
    "yuva444p": ("yuva444p", "yuv", 8, 4, 1, 1),
}
PLANAR = sorted({facts[0] for facts in LAYOUTS.values()})


def noise(pix_fmt, size, seed=0):
    """A picture of every code value."""
    layout = layout_of(pix_fmt)
    random = np.random.default_rng(seed)
    shapes = [layout.plane_size(n, *size) for n in range(layout.planes)]
    return Picture(
        tuple(random.integers(0, layout.peak + 1, shape).astype(layout.dtype) for shape in shapes), layout
    )


def through_a_master(picture, folder):
    """The picture written as masters are, and read again."""
    video = VideoFacts(
        "ffv1", picture.layout.name, picture.width, picture.height, Fraction(24), Fraction(1), 0,
        "progressive", False, 0, 2, 2, 2,
    )  # fmt: skip
    with Ffv1Writer(folder / "film.mkv", video) as writer:
        writer.write(picture)
    with av.open(str(folder / "film.mkv")) as film:
        (back,) = film.decode(video=0)
        return Unpacker().picture(back)


def assert_same(one, two):
    assert one.layout == two.layout
    for mine, theirs in zip(one.planes, two.planes, strict=True):
        np.testing.assert_array_equal(mine, theirs)


@pytest.mark.parametrize("name", LAYOUTS)
def test_a_format_is_known_for_what_it_is(name):
    layout = layout_of(name)
    told = (
        layout.name,
        layout.colour,
        layout.depth,
        layout.planes,
        layout.chroma_width,
        layout.chroma_height,
    )
    assert told == LAYOUTS[name]
    assert layout.colour_planes == (1 if layout.colour == "grey" else 3)
    assert layout.peak == 2**layout.depth - 1


@pytest.mark.parametrize("name", ["pal8", "grayf32le", "gbrpf32le", "rgb565le", "xyz12le", "no such format"])
def test_what_cannot_be_kept_is_refused(name):
    with pytest.raises(SourceError, match=f"pixel format {name}"):
        layout_of(name)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("name", PLANAR)
def test_samples_survive_the_master(name, size, tmp_path):
    if (name, size) == ("yuv411p", "narrow"):
        pytest.skip(
            "FFV1 loses chroma where a slice is narrower than a chroma sample; `laws` would refuse it"
        )
    picture = noise(name, SIZES[size])
    assert_same(through_a_master(picture, tmp_path), picture)
    assert picture.layout.frame_bytes(*SIZES[size]) == sum(plane.nbytes for plane in picture.planes)


@pytest.mark.parametrize("name", ["rgb24", "bgr0", "rgb48le", "rgb48be"])
def test_packed_rgb_is_unpacked_sample_by_sample(name):
    """Against the test's own reading of the packed bytes, in an odd size with padded rows."""
    frame = av.VideoFrame(49, 33, name)
    for plane in frame.planes:
        np.frombuffer(plane, "u1")[:] = np.frombuffer(np.random.default_rng(1).bytes(plane.buffer_size), "u1")
    red, green, blue = planes_of(frame)
    for got, expected in zip(Unpacker().picture(frame).planes, (green, blue, red), strict=True):
        np.testing.assert_array_equal(got, expected)


@pytest.mark.parametrize("name", ["yuyv422", "uyvy422", "nv12"])
def test_packed_yuv_is_unpacked_sample_by_sample(name):
    frame = av.VideoFrame(48, 32, name)
    for n, plane in enumerate(frame.planes):
        np.frombuffer(plane, "u1")[:] = np.frombuffer(np.random.default_rng(n).bytes(plane.buffer_size), "u1")
    rows = [np.frombuffer(p, "u1").reshape(p.height, -1) for p in frame.planes]
    if name == "nv12":
        expected = (rows[0][:, :48], rows[1][:, :48:2], rows[1][:, 1:48:2])
    else:
        luma = 0 if name == "yuyv422" else 1
        pixels = rows[0][:, :96]
        expected = (pixels[:, luma::2], pixels[:, 1 - luma :: 4], pixels[:, 3 - luma :: 4])
    for got, plane in zip(Unpacker().picture(frame).planes, expected, strict=True):
        np.testing.assert_array_equal(got, plane)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("name", PLANAR)
def test_floats_and_back_lose_nothing(name, size):
    picture = noise(name, SIZES[size])
    planes_CHW = floats(picture)
    width, height = SIZES[size]
    assert planes_CHW.shape == (picture.layout.colour_planes, height, width)
    assert planes_CHW.dtype == np.float32
    assert planes_CHW.min() >= 0
    assert planes_CHW.max() <= 1
    assert_same(merge(picture, planes_CHW, np.ones((height, width), bool)), picture)


def test_floats_show_red_first():
    picture = noise("gbrp", (4, 4))
    green, blue, red = picture.planes
    np.testing.assert_allclose(floats(picture) * 255, np.stack([red, green, blue]), atol=1e-4)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("name", PLANAR)
def test_outside_the_mask_nothing_changes(name, size):
    picture = noise(name, SIZES[size])
    width, height = SIZES[size]
    mask_HW = np.random.default_rng(2).random((height, width)) < 0.1
    mask_HW[0, 0] = True
    result = merge(picture, 1 - floats(picture), mask_HW)
    layout = picture.layout
    for index, (old, new) in enumerate(zip(picture.planes, result.planes, strict=True)):
        covered = np.zeros(old.shape, bool)
        for y, x in np.argwhere(mask_HW):
            covered[
                (y, x)
                if old.shape == mask_HW.shape
                else (y // layout.chroma_height, x // layout.chroma_width)
            ] = 1
        if index >= layout.colour_planes:
            covered[...] = False  # alpha
        np.testing.assert_array_equal(new[~covered], old[~covered])
        if old.shape == mask_HW.shape and index < layout.colour_planes:
            np.testing.assert_array_equal(new[covered], layout.peak - old[covered])
    assert not (differs(picture, result) & ~_grown(mask_HW, layout)).any()


def _grown(mask_HW, layout):
    """All pixels that share a chroma sample with the mask."""
    small = shrink_mask(mask_HW, layout)
    full = small.repeat(layout.chroma_height, 0).repeat(layout.chroma_width, 1)
    return full[: mask_HW.shape[0], : mask_HW.shape[1]]


def test_a_chroma_sample_becomes_the_mean_of_the_masked_pixels_it_covers():
    picture = noise("yuv420p", (4, 4))
    planes_CHW = np.zeros((3, 4, 4), np.float32)
    planes_CHW[1, 0, :2] = 100 / 255, 200 / 255
    mask_HW = np.zeros((4, 4), bool)
    mask_HW[0, 0] = True
    assert merge(picture, planes_CHW, mask_HW).planes[1][0, 0] == 100
    mask_HW[0, 1] = True
    assert merge(picture, planes_CHW, mask_HW).planes[1][0, 0] == 150
    assert merge(picture, planes_CHW, mask_HW).planes[1][1, 1] == picture.planes[1][1, 1]


def test_values_out_of_range_are_clipped():
    picture = noise("gray10le", (4, 2))
    mask_HW = np.ones((2, 4), bool)
    assert merge(picture, np.full((1, 2, 4), 1.5, np.float32), mask_HW).planes[0].max() == 1023
    assert merge(picture, np.full((1, 2, 4), -0.5, np.float32), mask_HW).planes[0].max() == 0


@pytest.mark.parametrize("name", PLANAR)
def test_replaced_samples_put_back_give_the_source(name):
    source = noise(name, (49, 33))
    mask_HW = np.zeros((33, 49), bool)
    mask_HW[3:8, 5:12] = mask_HW[32, 48] = True
    master = merge(source, 1 - floats(source), mask_HW)
    kept = replace(blank(source), source, mask_HW)
    assert_same(replace(master, kept, mask_HW), source)


def test_an_empty_mask_gives_the_picture_itself():
    picture = noise("yuv422p10le", (8, 8))
    assert merge(picture, floats(picture) * 0, np.zeros((8, 8), bool)) is picture


@pytest.mark.parametrize("name", ["gray", "gray16le", "gbrp10le", "yuv420p", "yuv422p10le"])
def test_the_small_look_is_as_light_as_the_picture(name):
    layout = layout_of(name)
    shapes = [layout.plane_size(n, 64, 48) for n in range(layout.planes)]
    flat = Picture(tuple(np.full(shape, layout.peak // 2, layout.dtype) for shape in shapes), layout)
    look = luma8(flat, 32)
    assert (look.shape, look.dtype) == ((24, 32), np.uint8)
    assert abs(int(look.mean()) - 127) <= 1
    assert luma8(flat, 1000).shape == (48, 64)
