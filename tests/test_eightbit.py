"""Clips are cut, converted and shrunk in whole numbers: the same bytes anywhere."""

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

from storage.eightbit import Window, grey8, rgb8, shrunk, shrunk_px
from storage.pixels import Picture, layout_of
from storage.reel import VideoFacts

VIDEO = VideoFacts("h264", "yuv420p", 48, 32, Fraction(24), Fraction(1), 0, "progressive", False, 1, 1, 1, 1)
ALL = Window(0, 0, 32, 48)


@pytest.mark.parametrize("scale", [Fraction(1), Fraction(4, 5), Fraction(2, 3), Fraction(1, 2)], ids=str)
def test_shrinking_averages_areas(scale: Fraction) -> None:
    plane = np.random.default_rng(1).integers(0, 256, (63, 94)).astype(np.uint8)
    small = shrunk(plane, scale)
    assert small.shape == (shrunk_px(63, scale), shrunk_px(94, scale))
    new, old = scale.numerator, scale.denominator
    fine = plane.repeat(new, 0).repeat(new, 1).astype(np.float64)  # every pixel in new x new parts
    rows, columns = (side * old for side in small.shape)
    exact = fine[:rows, :columns].reshape(rows // old, old, columns // old, old).mean(axis=(1, 3))
    assert np.abs(small - exact).max() <= 0.5


def test_a_part_shrinks_like_the_whole() -> None:
    plane = np.random.default_rng(2).integers(0, 256, (90, 120)).astype(np.uint8)
    scale = Fraction(2, 3)
    assert np.array_equal(shrunk(plane[30:60, 60:120], scale), shrunk(plane, scale)[20:40, 40:80])


def picture(pix_fmt: str, *values: int) -> Picture:
    layout = layout_of(pix_fmt)
    planes = tuple(
        np.full(layout.plane_size(n, 48, 32), value, layout.dtype) for n, value in enumerate(values)
    )
    return Picture(planes, layout)


@pytest.mark.parametrize(
    ("pix_fmt", "values", "full_range", "rgb"),
    [
        pytest.param("yuv420p", (16, 128, 128), False, (0, 0, 0), id="black"),
        pytest.param("yuv420p", (235, 128, 128), False, (255, 255, 255), id="white"),
        pytest.param("yuv420p", (255, 128, 128), False, (255, 255, 255), id="whiter than white"),
        pytest.param("yuv420p", (200, 128, 128), True, (200, 200, 200), id="full range"),
        pytest.param("yuv420p", (63, 102, 240), False, (255, 1, 0), id="red of BT.709"),
        pytest.param("yuv422p10le", (502, 512, 512), False, (128, 128, 128), id="ten bits"),
        pytest.param("gray16le", (65535,), True, (255, 255, 255), id="sixteen bits, grey"),
        pytest.param("gbrp", (20, 30, 10), True, (10, 20, 30), id="rgb"),
    ],
)
def test_pixels_become_eight_bit(
    pix_fmt: str, values: tuple[int, ...], full_range: bool, rgb: tuple[int, ...]
) -> None:
    video = replace(VIDEO, pix_fmt=pix_fmt, full_range=full_range)
    shown = rgb8(picture(pix_fmt, *values), video, ALL)
    assert shown.shape == (3, 32, 48)
    assert tuple(shown[:, 5, 7]) == rgb
    if len(set(rgb)) == 1:
        assert grey8(picture(pix_fmt, *values), video, ALL)[5, 7] == rgb[0]


def test_a_window_takes_its_own_chroma() -> None:
    whole = picture("yuv420p", 100, 128, 128)
    whole.planes[1][8:, 12:] = 90  # the lower right quarter
    shown = rgb8(whole, VIDEO, Window(15, 23, 4, 4))
    assert np.array_equal(shown, rgb8(whole, VIDEO, ALL)[:, 15:19, 23:27])
    assert len(np.unique(shown[2])) == 2
