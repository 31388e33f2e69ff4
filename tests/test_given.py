"""What is marked from outside is filled, all of it and nothing else, however little or much there is."""

from collections.abc import Callable
from dataclasses import replace
from typing import Literal

import numpy as np
import pytest
from numpy.typing import NDArray

from models.classical.deflicker import deflicker
from models.classical.restorer import ClassicalRestorer
from models.classical.stabilise import shifted, stabilise
from models.metrics import psnr, squared_error
from models.restorer import Colour, Defect, Footage, GivenMask, Planes, Repair
from tests.test_classical import HEIGHT, WIDTH, dirtied, footage, panning, texture

Mask = NDArray[np.bool_]
Draw = Callable[[Mask, int], None]
"""Marks a frame's pixels in place."""


def marks(count: int, draw: Draw, height: int = HEIGHT, width: int = WIDTH) -> list[Mask]:
    """A mask a frame."""
    drawn = [np.zeros((height, width), bool) for _ in range(count)]
    for number, mask in enumerate(drawn):
        draw(mask, number)
    return drawn


def given(
    clip: list[Planes],
    masks: list[Mask],
    use: Literal["add", "replace"] = "replace",
    colour: Colour = "grey",
) -> Footage:
    return replace(footage(clip, colour), given=GivenMask(lambda: iter(masks), use))


def spoilt(clip: list[Planes], masks: list[Mask]) -> list[Planes]:
    """The clip with what is marked burnt white."""
    return [np.where(mask, np.float32(0.98), planes) for planes, mask in zip(clip, masks, strict=True)]


def repaired(
    damaged: list[Planes], masks: list[Mask], use: Literal["add", "replace"] = "replace"
) -> list[Repair]:
    colour: Colour = "grey" if len(damaged[0]) == 1 else "yuv"
    return list(ClassicalRestorer().restore(given(damaged, masks, use, colour)))


def still(count: int) -> list[Planes]:
    """The same scene again and again, each time with grain of its own."""
    scene = texture(HEIGHT, WIDTH, 21)
    rng = np.random.default_rng(22)
    return [(scene + 0.008 * rng.standard_normal(scene.shape)).astype(np.float32)[None] for _ in range(count)]


def in_colour(clip: list[Planes]) -> list[Planes]:
    return [np.concatenate([planes, 0.3 + 0.2 * planes, 0.7 - 0.2 * planes]) for planes in clip]


def nothing(mask: Mask, number: int) -> None:
    pass


def a_pixel(mask: Mask, number: int) -> None:
    mask[70, 5 * number] = True


def corners(mask: Mask, number: int) -> None:
    mask[0, 0] = mask[-1, -1] = mask[0, -1] = True


def a_block(mask: Mask, number: int) -> None:
    mask[30 + 4 * number : 70 + 4 * number, 60 - 3 * number : 120 - 3 * number] = True


def half(mask: Mask, number: int) -> None:
    mask[:, : WIDTH // 2] = number == 3


def all_but_a_pixel(mask: Mask, number: int) -> None:
    mask[:] = True
    mask[50, 50] = False


def stripes(mask: Mask, number: int) -> None:
    mask[number % 2 :: 2] = True


def whole(*numbers: int) -> Draw:
    def draw(mask: Mask, number: int) -> None:
        mask[:] = number in numbers

    return draw


def at_one_place(mask: Mask, number: int) -> None:
    mask[40:70, 80:110] = True


@pytest.mark.parametrize(
    ("clip", "draw"),
    [
        pytest.param(panning(7), nothing, id="nothing"),
        pytest.param(panning(7), a_pixel, id="a pixel"),
        pytest.param(panning(7), corners, id="the corners"),
        pytest.param(panning(7), a_block, id="a block that moves"),
        pytest.param(panning(7), half, id="half a frame"),
        pytest.param(panning(7), at_one_place, id="the same place in every frame"),
        pytest.param(still(7), at_one_place, id="the same place in a still scene"),
        pytest.param(panning(7), whole(3), id="a whole frame"),
        pytest.param(panning(7), whole(0), id="the whole first frame"),
        pytest.param(panning(7), whole(6), id="the whole last frame"),
        pytest.param(panning(9), whole(3, 4, 5), id="three whole frames"),
        pytest.param(panning(7), whole(1, 3, 5), id="every other frame"),
        pytest.param(panning(4), all_but_a_pixel, id="all but a pixel"),
        pytest.param(panning(4), stripes, id="every other row"),
        pytest.param(panning(1), a_block, id="a shot of one frame"),
        pytest.param(panning(2), a_block, id="a shot of two frames"),
        pytest.param(in_colour(panning(5)), a_block, id="colour"),
        pytest.param(in_colour(panning(5)), whole(2), id="a whole frame in colour"),
    ],
)
def test_all_that_is_marked_is_filled_and_nothing_else(clip: list[Planes], draw: Draw) -> None:
    masks = marks(len(clip), draw)
    damaged = spoilt(clip, masks)
    repairs = repaired(damaged, masks)
    assert len(repairs) == len(clip)
    for repair, frame, mask in zip(repairs, damaged, masks, strict=True):
        assert np.array_equal(repair.mask_HW, mask)
        assert np.array_equal(repair.planes_CHW[:, ~mask], frame[:, ~mask])
        assert np.isfinite(repair.planes_CHW).all()
        assert repair.planes_CHW.min() >= 0
        assert repair.planes_CHW.max() <= 1
        assert (repair.kind_HW == np.where(mask, Defect.GIVEN, Defect.NONE)).all()
        assert (repair.confidence_HW[mask] > 0).all()
        assert (repair.confidence_HW[~mask] == 0).all()


@pytest.mark.parametrize("clip", [panning(6), in_colour(panning(3)), panning(1)])
def test_where_nothing_is_whole_all_is_left(clip: list[Planes]) -> None:
    for repair, frame in zip(repaired(clip, marks(len(clip), whole(*range(9)))), clip, strict=True):
        assert not repair.mask_HW.any()
        assert np.array_equal(repair.planes_CHW, frame)


def elsewhere(mask: Mask, number: int) -> None:
    left = 20 + 70 * (number % 3)
    mask[30:90, left : left + 50] = True


@pytest.mark.parametrize(
    ("step", "draw", "least_db"),
    [
        pytest.param(1.5, elsewhere, 35, id="a block"),
        pytest.param(1.5, half, 36, id="half a frame"),
        pytest.param(1.5, whole(3), 38, id="a whole frame"),
        pytest.param(1.5, whole(3, 4, 5), 36, id="three whole frames"),
        pytest.param(1.5, whole(0), 20, id="the whole first frame"),
        pytest.param(9.0, at_one_place, 28, id="one place, behind which the scene pans by"),
    ],
)
def test_what_time_shows_comes_back(step: float, draw: Draw, least_db: float) -> None:
    """Led on from around alone, blocks reach 22 dB and half a frame 19."""
    clip = panning(9, step=step)
    masks = marks(len(clip), draw)
    repairs = repaired(spoilt(clip, masks), masks)
    errors = [squared_error(r.planes_CHW, c, m) for r, c, m in zip(repairs, clip, masks, strict=True)]
    assert psnr(sum(error for error, _ in errors), sum(count for _, count in errors)) > least_db


def test_what_time_never_shows_is_a_guess_and_says_so() -> None:
    masks = marks(7, at_one_place)
    clip = still(7)
    for repair, frame, mask in zip(repaired(spoilt(clip, masks), masks), clip, masks, strict=True):
        assert repair.confidence_HW[mask].max() < 0.2
        assert abs(float(repair.planes_CHW[0][mask].mean() - frame[0][mask].mean())) < 0.15


@pytest.mark.parametrize("use", ["add", "replace"])
def test_own_findings_are_added_or_stay_silent(use: Literal["add", "replace"]) -> None:
    damaged, _ = dirtied(panning(8))
    masks = marks(8, lambda mask, number: mask[100:120, 20:40].fill(True) if number == 4 else None)
    repairs = repaired(damaged, masks, use)
    found = sum(int((repair.kind_HW == Defect.DIRT).sum()) for repair in repairs)
    assert (found > 100) == (use == "add")
    assert (repairs[4].kind_HW[masks[4]] == Defect.GIVEN).all()
    if use == "replace":
        assert all(np.array_equal(r.mask_HW, mask) for r, mask in zip(repairs, masks, strict=True))


def test_a_mask_of_nothing_changes_no_byte_of_the_findings() -> None:
    damaged, _ = dirtied(panning(6))
    alone = ClassicalRestorer().restore(footage(damaged))
    for one, other in zip(alone, repaired(damaged, marks(6, nothing), "add"), strict=True):
        assert np.array_equal(one.planes_CHW, other.planes_CHW)
        assert np.array_equal(one.confidence_HW, other.confidence_HW)


def test_what_is_marked_bears_no_witness() -> None:
    """Between two spoilt frames a sound one stands out at that place, and is no dirt."""
    clip = panning(7)
    masks = marks(7, lambda mask, number: mask[60:72, 90:102].fill(number in (2, 4)))
    (third,) = repaired(spoilt(clip, masks), masks, "add")[3:4]
    assert not third.mask_HW.any()


def test_of_a_frame_printed_twice_only_the_marked_copy_is_changed() -> None:
    clip = [planes for planes in panning(6) for _ in range(2)]
    masks = marks(12, lambda mask, number: mask[50:60, 50:80].fill(number == 5))
    damaged = [planes.copy() for planes in clip]
    for copy in (4, 5):
        damaged[copy][0, 50:60, 50:80] += 0.02  # the same in both: still repeats
    repairs = repaired(damaged, masks)
    assert [bool(repair.mask_HW.any()) for repair in repairs] == [number == 5 for number in range(12)]
    assert np.abs(repairs[5].planes_CHW[0][masks[5]] - damaged[5][0][masks[5]]).max() > 0.005


def test_the_mask_moves_with_the_picture() -> None:
    """Stabilised and deflickered, all that damage has spread to is marked."""
    rng = np.random.default_rng(31)
    world = texture(HEIGHT + 16, WIDTH + 16, 30)
    clip = []
    for _ in range(16):
        down, across = rng.integers(5, 12, 2)
        clip.append(world[down : down + HEIGHT, across : across + WIDTH].copy()[None])
    masks = marks(16, lambda mask, number: mask[20 + 3 * number : 40 + 3 * number, 70:100].fill(True))

    stable, shifts = stabilise(given(clip, masks))
    even, _ = deflicker(stable)
    assert max(abs(shift.down_px) for shift in shifts) > 1
    assert even.given is not None
    moved = list(even.given.read())
    assert len(moved) == 16
    for planes, mask, shift, moved_mask in zip(clip, masks, shifts, moved, strict=True):
        sound, damaged = shifted(planes, shift), shifted(spoilt([planes], [mask])[0], shift)
        assert np.abs(sound - damaged)[0][~moved_mask].max() < 0.02
        assert moved_mask.sum() < 1.8 * mask.sum()
