"""A model that colours stills: what it is given, and which of its answers are colours."""

from typing import Any

import numpy as np
import pytest

from models.colour.automatic import Float, StillModelError
from models.colour.lab import lab_of_rgb, rgb_of_lab
from tests.still_models import filled, running

GIVEN = {
    "small": ((65, 97), None, (64, 96)),
    "large": ((1080, 1920), None, (352, 640)),
    "tall": ((900, 30), None, (640, 32)),
    "of one size": ((65, 97), (256, 256), (256, 256)),
}


@pytest.mark.parametrize(("still", "own", "given"), GIVEN.values(), ids=GIVEN)
def test_what_a_model_is_given(
    still: tuple[int, int], own: tuple[int, int] | None, given: tuple[int, int]
) -> None:
    seen = []

    def run(luma_11hw: Float) -> Float:
        seen.append(luma_11hw)
        return np.zeros((1, 2, *luma_11hw.shape[2:]), np.float32)

    assert running(run, own).ab_of(np.full(still, 0.25, np.float32)).shape == (2, *still)
    (luma_11hw,) = seen
    assert luma_11hw.shape == (1, 1, *given)
    assert luma_11hw.dtype == np.float32
    assert np.allclose(luma_11hw, 0.25)


def test_of_an_rgb_picture_the_chroma_is_taken() -> None:
    lab_3 = np.array([50, 20, -30], np.float32).reshape(3, 1, 1)
    rgb_3 = rgb_of_lab(lab_3)
    model = running(lambda luma_11hw: np.broadcast_to(rgb_3, (3, *luma_11hw.shape[2:]))[None])
    ab_2HW = model.ab_of(np.full((64, 64), 0.7, np.float32))
    assert np.abs(ab_2HW - lab_3[1:]).max() < 0.1


BAD = {
    "one channel": (lambda luma: luma, r"gave float32 of \(1, 1, 64, 96\); floats of \(1, 2, 64, 96\)"),
    "another size": (lambda luma: filled(luma, 2, 9)[..., ::2], r"gave float32 of \(1, 2, 64, 48\)"),
    "no batch": (lambda luma: filled(luma, 3, 0.5)[0], r"gave float32 of \(3, 64, 96\)"),
    "whole numbers": (lambda luma: filled(luma, 3, 200).astype(np.uint8), "gave uint8 of"),
    "nothing": (lambda luma: None, "gave no array; floats of"),
    "no numbers": (lambda luma: np.where(luma < 0.5, np.nan, filled(luma, 2, 9)), "gave no number for 50.0%"),
    "RGB to 255": (lambda luma: filled(luma, 3, 255), "gave RGB from 255 to 255; 0 to 1 is wanted"),
    "RGB from -1": (lambda luma: np.repeat(luma * 2 - 1, 3, 1), "gave RGB from -1 to 1; 0 to 1 is wanted"),
    "a and b too far": (lambda luma: filled(luma, 2, -161), "gave a and b from -161 to -161; Lab's"),
    "a and b of 8 bit": (lambda luma: np.repeat(luma * 255, 2, 1), "gave a and b from 0 to 255; Lab's"),
    "its own trouble": (lambda luma: {}["weights"], "failed on a still of 96x64: 'weights'"),
}


@pytest.mark.parametrize(("run", "told"), BAD.values(), ids=BAD)
def test_what_is_no_colour_is_told_in_a_line_that_names_the_model(run: Any, told: str) -> None:
    luma_HW = np.repeat(np.linspace(0, 1, 96, dtype=np.float32)[None], 64, axis=0)
    with pytest.raises(StillModelError, match=rf"\Amine\.pt: {told}.*\Z"):
        running(run).ab_of(luma_HW)


def test_a_little_out_of_range_is_clipped() -> None:
    luma_HW = np.full((64, 64), 0.5, np.float32)
    assert running(lambda luma: filled(luma, 2, 159)).ab_of(luma_HW).max() == 128
    white = running(lambda luma: filled(luma, 3, 1.2)).ab_of(luma_HW)
    assert np.abs(white - lab_of_rgb(np.ones((3, 1, 1), np.float32))[1:]).max() < 1e-3
