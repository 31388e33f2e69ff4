"""Colour spaces against published values; luma that stays; CIEDE2000 against its authors' own pairs."""

import numpy as np
import pytest
from numpy.typing import NDArray

from models.colour.lab import Matrix, chroma_for, lab_of_rgb, lab_of_ycc, rgb_of_lab, rgb_of_ycc
from models.metrics.colour import ColourFidelity, chroma_flicker, ciede2000, colour_fidelity
from models.motion import Pair

Float = NDArray[np.float32]

MATRICES: tuple[Matrix, ...] = ("bt709", "bt601", "bt2020")
LUMA = {"bt709": (0.2126, 0.7152, 0.0722), "bt601": (0.299, 0.587, 0.114), "bt2020": (0.2627, 0.678, 0.0593)}

# Sharma, Wu and Dalal 2005, table 1.
PAIRS = """
50.0000 2.6772 -79.7751 50.0000 0.0000 -82.7485 2.0425
50.0000 3.1571 -77.2803 50.0000 0.0000 -82.7485 2.8615
50.0000 2.8361 -74.0200 50.0000 0.0000 -82.7485 3.4412
50.0000 -1.3802 -84.2814 50.0000 0.0000 -82.7485 1.0000
50.0000 -1.1848 -84.8006 50.0000 0.0000 -82.7485 1.0000
50.0000 -0.9009 -85.5211 50.0000 0.0000 -82.7485 1.0000
50.0000 0.0000 0.0000 50.0000 -1.0000 2.0000 2.3669
50.0000 -1.0000 2.0000 50.0000 0.0000 0.0000 2.3669
50.0000 2.4900 -0.0010 50.0000 -2.4900 0.0009 7.1792
50.0000 2.4900 -0.0010 50.0000 -2.4900 0.0010 7.1792
50.0000 2.4900 -0.0010 50.0000 -2.4900 0.0011 7.2195
50.0000 2.4900 -0.0010 50.0000 -2.4900 0.0012 7.2195
50.0000 -0.0010 2.4900 50.0000 0.0009 -2.4900 4.8045
50.0000 -0.0010 2.4900 50.0000 0.0010 -2.4900 4.8045
50.0000 -0.0010 2.4900 50.0000 0.0011 -2.4900 4.7461
50.0000 2.5000 0.0000 50.0000 0.0000 -2.5000 4.3065
50.0000 2.5000 0.0000 73.0000 25.0000 -18.0000 27.1492
50.0000 2.5000 0.0000 61.0000 -5.0000 29.0000 22.8977
50.0000 2.5000 0.0000 56.0000 -27.0000 -3.0000 31.9030
50.0000 2.5000 0.0000 58.0000 24.0000 15.0000 19.4535
50.0000 2.5000 0.0000 50.0000 3.1736 0.5854 1.0000
50.0000 2.5000 0.0000 50.0000 3.2972 0.0000 1.0000
50.0000 2.5000 0.0000 50.0000 1.8634 0.5757 1.0000
50.0000 2.5000 0.0000 50.0000 3.2592 0.3350 1.0000
60.2574 -34.0099 36.2677 60.4626 -34.1751 39.4387 1.2644
63.0109 -31.0961 -5.8663 62.8187 -29.7946 -4.0864 1.2630
61.2901 3.7196 -5.3901 61.4292 2.2480 -4.9620 1.8731
35.0831 -44.1164 3.7933 35.0232 -40.0716 1.5901 1.8645
22.7233 20.0904 -46.6940 23.0331 14.9730 -42.5619 2.0373
36.4612 47.8580 18.3852 36.2715 50.5065 21.2231 1.4146
90.8027 -2.0831 1.4410 91.1528 -1.6435 0.0447 1.4441
90.9257 -0.5406 -0.9208 88.6381 -0.8985 -0.7239 1.5381
6.7747 -0.2908 -2.4247 5.8714 -0.0985 -2.2286 0.6377
2.0776 0.0795 -1.1350 0.9033 -0.0636 -0.5514 0.9082
"""


def one(*values: float) -> Float:
    """One pixel of that many planes."""
    return np.array(values, np.float32).reshape(-1, 1, 1)


def cube() -> Float:
    """R'G'B' all over the cube, (3, 17, 289)."""
    steps = np.linspace(0, 1, 17, dtype=np.float32)
    return np.stack(np.meshgrid(steps, steps, steps, indexing="ij")).reshape(3, 17, 289)


@pytest.mark.parametrize("line", PAIRS.strip().split("\n"))
def test_ciede2000_of_its_authors_pairs(line: str) -> None:
    *values, wanted = np.array(line.split(), np.float64)
    pair = np.array(values).reshape(2, 3)
    assert ciede2000(*pair) == pytest.approx(wanted, abs=1e-4)
    assert ciede2000(*pair[::-1]) == pytest.approx(wanted, abs=1e-4)


@pytest.mark.parametrize(
    ("rgb", "lab"),
    [
        pytest.param((1, 0, 0), (53.24, 80.09, 67.20), id="red"),
        pytest.param((0, 1, 0), (87.73, -86.18, 83.18), id="green"),
        pytest.param((0, 0, 1), (32.30, 79.19, -107.86), id="blue"),
        pytest.param((1, 1, 1), (100, 0, 0), id="white"),
        pytest.param((0.5, 0.5, 0.5), (53.39, 0, 0), id="grey"),
        pytest.param((0, 0, 0), (0, 0, 0), id="black"),
    ],
)
def test_lab_of_known_colours(rgb: tuple[float, ...], lab: tuple[float, ...]) -> None:
    assert lab_of_rgb(one(*rgb)).ravel() == pytest.approx(lab, abs=0.02)


@pytest.mark.parametrize("matrix", MATRICES)
def test_there_and_back(matrix: Matrix) -> None:
    assert np.abs(rgb_of_lab(lab_of_rgb(cube(), matrix), matrix) - cube()).max() < 2e-5


@pytest.mark.parametrize("matrix", MATRICES)
def test_a_colour_in_gamut_comes_back_under_its_own_luma(matrix: Matrix) -> None:
    luma_HW = np.tensordot(np.array(LUMA[matrix], np.float32), cube(), axes=1)
    lab_3HW = lab_of_rgb(cube(), matrix)
    chroma_2HW = chroma_for(luma_HW, lab_3HW[1:], matrix)
    rgb_3HW = rgb_of_ycc(luma_HW, chroma_2HW, matrix)
    # The luma is kept whatever the chroma, and every colour can be shown.
    assert np.abs(np.tensordot(np.array(LUMA[matrix], np.float32), rgb_3HW, axes=1) - luma_HW).max() < 1e-6
    assert rgb_3HW.min() > -1e-5
    assert rgb_3HW.max() < 1 + 1e-5
    missed = np.abs(lab_of_ycc(luma_HW, chroma_2HW, matrix) - lab_3HW).max(axis=0)
    assert np.percentile(missed, 95) < 0.1


def test_chroma_out_of_gamut_is_pulled_in_towards_grey() -> None:
    luma_HW = np.array([[0.95, 0.5, 0.0, 1.0, 1.02, -0.02]], np.float32)
    ab_2HW = np.broadcast_to(one(90, 60), (2, 1, 6)).astype(np.float32)
    chroma_2HW = chroma_for(luma_HW, ab_2HW, "bt709")
    rgb_3HW = rgb_of_ycc(luma_HW, chroma_2HW, "bt709")[..., :4]
    assert rgb_3HW.max() <= 1 + 1e-6
    assert rgb_3HW.min() >= -1e-6
    # Black, white and what lies beyond have no room for any colour; a light red is paler than a middle one.
    assert np.abs(chroma_2HW[:, 0, 2:]).max() < 1e-6
    assert 0 < chroma_2HW[1, 0, 0] < 0.1 < chroma_2HW[1, 0, 1]


def test_grey_has_no_chroma() -> None:
    luma_HW = np.linspace(0, 1, 101, dtype=np.float32)[None]
    chroma_2HW = chroma_for(luma_HW, np.zeros((2, 1, 101), np.float32), "bt601")
    assert np.abs(chroma_2HW).max() < 2e-4


def test_colour_fidelity_adds_up() -> None:
    truth = np.broadcast_to(one(50, 2.6772, -79.7751), (3, 2, 3)).astype(np.float32)
    other = np.broadcast_to(one(50, 0, -82.7485), (3, 2, 3)).astype(np.float32)
    far = colour_fidelity(other, truth)
    assert far.ciede2000 == pytest.approx(2.0425, abs=1e-3)
    # (2.6772^2 + 2.9734^2) / 2 = 8.0043 of 255^2.
    assert far.psnr_ab == pytest.approx(10 * np.log10(255**2 / 8.0043), abs=1e-2)
    both = far + colour_fidelity(truth, truth)
    assert both.pixels == 12
    assert both.ciede2000 == pytest.approx(2.0425 / 2, abs=1e-3)
    assert ColourFidelity().ciede2000 == 0


def test_chroma_flicker_of_a_still_picture() -> None:
    flow, error = np.zeros((8, 8, 2), np.float32), np.zeros((8, 8), np.float32)
    pairs = [Pair(flow, flow, error, error)] * 2
    frames = [np.full((2, 8, 8), value, np.float32) for value in (0, 3, 3)]
    assert chroma_flicker(frames, pairs) == pytest.approx(3 * np.sqrt(2) / 2, abs=1e-5)
    with pytest.raises(ValueError, match="more frames than motion"):
        chroma_flicker(frames, pairs[:1])
    with pytest.raises(ValueError, match="more motion than frames"):
        chroma_flicker(frames[:2], pairs)
