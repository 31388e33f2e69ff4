"""The restorer without weights: what it must find, and what it must leave alone."""

from collections.abc import Callable

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from models.classical.deflicker import deflicker
from models.classical.restorer import ClassicalRestorer, ClassicalSettings
from models.classical.stabilise import jitter_index, stabilise
from models.metrics import compare, psnr, squared_error
from models.metrics.steadiness import motion_of, steadiness
from models.restorer import Colour, Defect, Footage, Planes, Repair
from tests.clips import HEIGHT, WIDTH, dirtied, footage, panning, texture


def restored(
    clip: list[Planes], colour: Colour = "grey", settings: ClassicalSettings | None = None
) -> list[Repair]:
    """All repairs of a clip."""
    return list(ClassicalRestorer(settings).restore(footage(clip, colour)))


def touched(repairs: list[Repair]) -> float:
    """Share of pixels changed."""
    return float(np.mean([repair.mask_HW.mean() for repair in repairs]))


def test_dirt_is_found_and_what_was_under_it_comes_back() -> None:
    clip = panning(10)
    damaged, masks = dirtied(clip)
    repairs = restored(damaged)
    counts = [compare(repair.mask_HW, mask, 2) for repair, mask in zip(repairs, masks, strict=True)][1:-1]
    total = sum(counts[1:], counts[0])
    assert total.recall > 0.8
    assert total.precision > 0.95
    assert total.harm < 0.001
    before = [
        squared_error(frame, clean, mask) for frame, clean, mask in zip(damaged, clip, masks, strict=True)
    ]
    after = [
        squared_error(repair.planes_CHW, clean, mask)
        for repair, clean, mask in zip(repairs, clip, masks, strict=True)
    ]
    gain = psnr(sum(e for e, _ in after[1:-1]), 1) - psnr(sum(e for e, _ in before[1:-1]), 1)
    assert gain > 6


def walker(frames: int) -> list[Planes]:
    """A dark figure crossing a still texture by 6 px a frame, swinging."""
    ground = texture(HEIGHT, WIDTH, 4)
    rng = np.random.default_rng(5)
    clip = []
    for n in range(frames):
        view = ground.copy()
        x = 30 + 6 * n
        cv2.ellipse(view, (x, 70), (9, 28), 8 * (-1) ** n, 0, 360, 0.08, -1, cv2.LINE_AA)
        cv2.circle(view, (x + 2, 36), 8, 0.75, -1, cv2.LINE_AA)
        clip.append(np.clip(view + 0.008 * rng.standard_normal(view.shape), 0, 1).astype(np.float32)[None])
    return clip


def ball(frames: int) -> list[Planes]:
    """A small bright ball flying 14 px a frame before a plain ground: dirt in all but its course."""
    rng = np.random.default_rng(6)
    clip = []
    for n in range(frames):
        view = np.full((HEIGHT, WIDTH), 0.4, np.float32)
        cv2.circle(view, (12 + 14 * n, 40 + 3 * n), 4, 0.95, -1, cv2.LINE_AA)
        clip.append(np.clip(view + 0.008 * rng.standard_normal(view.shape), 0, 1).astype(np.float32)[None])
    return clip


def light(frames: int) -> list[Planes]:
    """A panning camera under a light that flickers by a tenth."""
    rng = np.random.default_rng(7)
    return [np.clip(planes * np.float32(1 + 0.1 * rng.standard_normal()), 0, 1) for planes in panning(frames)]


@pytest.mark.parametrize(
    "clip",
    [panning, walker, ball, light],
    ids=["panning camera", "walker", "flying ball", "flickering light"],
)
def test_what_is_not_damaged_is_left_alone(clip: Callable[[int], list[Planes]]) -> None:
    assert touched(restored(clip(10))) < 0.0005


def test_pixels_outside_the_mask_are_the_inputs_bit_for_bit() -> None:
    damaged, _ = dirtied(panning(7))
    for frame, repair in zip(damaged, restored(damaged), strict=True):
        assert repair.planes_CHW.dtype == np.float32
        assert np.array_equal(repair.planes_CHW[:, ~repair.mask_HW], frame[:, ~repair.mask_HW])
        assert not repair.confidence_HW[~repair.mask_HW].any()
        assert not repair.kind_HW[~repair.mask_HW].any()
        assert (repair.kind_HW[repair.mask_HW] == Defect.DIRT).all()
        assert (repair.confidence_HW[repair.mask_HW] > 0).all()


@pytest.mark.parametrize("frames", [1, 2, 3])
@pytest.mark.parametrize(("height", "width"), [(144, 208), (61, 64), (33, 47)], ids=["usual", "odd", "tiny"])
def test_short_shots_and_odd_sizes_come_back_whole(frames: int, height: int, width: int) -> None:
    clip = panning(frames, height, width)
    repairs = restored(clip)
    assert [repair.planes_CHW.shape for repair in repairs] == [(1, height, width)] * frames
    if frames < 3:
        assert touched(repairs) == 0


@pytest.mark.parametrize("level", [0.0, 0.5, 1.0], ids=["black", "grey", "white"])
def test_a_flat_shot_is_left_alone(level: float) -> None:
    assert touched(restored([np.full((1, 64, 96), level, np.float32)] * 5)) == 0


def test_a_frame_printed_twice_does_not_vouch_for_its_own_dirt() -> None:
    once, masks = dirtied(panning(8))
    rng = np.random.default_rng(8)
    twice = [
        frame + np.float32(0.001) * rng.standard_normal(frame.shape).astype(np.float32)
        for frame in once
        for _ in (0, 1)
    ]
    repairs = restored(twice)
    counts = [compare(repairs[2 * n + k].mask_HW, masks[n], 2) for n in range(1, 7) for k in (0, 1)]
    total = sum(counts[1:], counts[0])
    assert total.recall > 0.75
    assert total.precision > 0.95


def weaving(
    frames: int, draw: Callable[[NDArray[np.float32], int], None]
) -> tuple[list[Planes], NDArray[np.float64]]:
    """A wall weaving in the gate by a pixel or two; `draw` adds to the wall as it is on the set."""
    rng = np.random.default_rng(9)
    wall = texture(HEIGHT, WIDTH, 10)
    clip, weave = [], rng.normal(0, 1.2, frames)
    for n in range(frames):
        view = wall.copy()
        draw(view, n)
        move = np.array([[1, 0, weave[n]], [0, 1, 0.0]])
        view = cv2.warpAffine(
            view, move, (WIDTH, HEIGHT), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE
        )
        clip.append(np.clip(view + 0.006 * rng.standard_normal(view.shape), 0, 1).astype(np.float32)[None])
    return clip, weave


def test_a_scratch_that_goes_with_the_gate_is_found_and_taken_out() -> None:
    clean, _ = weaving(14, lambda view, n: None)
    damaged = [planes.copy() for planes in clean]
    for planes in damaged:
        planes[0, :, 100:102] += 0.25
    repairs = restored(damaged)
    for clean_frame, frame, repair in list(zip(clean, damaged, repairs, strict=True))[3:-3]:
        lined = np.zeros((HEIGHT, WIDTH), bool)
        lined[:, 100:102] = True
        assert (repair.kind_HW[lined] == Defect.SCRATCH).mean() > 0.8
        assert repair.mask_HW[:, :96].sum() + repair.mask_HW[:, 106:].sum() == 0
        gain = psnr(*squared_error(repair.planes_CHW, clean_frame, lined)) - psnr(
            *squared_error(frame, clean_frame, lined)
        )
        assert gain > 6


def test_a_door_frame_is_no_scratch() -> None:
    def door(view: NDArray[np.float32], frame: int) -> None:
        view[:, 60:120] *= 0.7
        view[:, 98:101] += 0.25
        view[:, 60:62] -= 0.1

    clip, _ = weaving(14, door)
    assert touched(restored(clip)) == 0


def test_chroma_is_mended_under_the_same_mask() -> None:
    grey, masks = dirtied(panning(7))
    clean = panning(7)
    damaged = []
    for frame, mask in zip(grey, masks, strict=True):
        chroma = np.where(mask, np.float32(0.5), np.float32(0.62))
        damaged.append(np.stack([frame[0], chroma, 1 - chroma]))
    repairs = restored(damaged, "yuv")
    found = 0
    for frame, repair in zip(damaged[1:-1], repairs[1:-1], strict=True):
        assert np.array_equal(repair.planes_CHW[:, ~repair.mask_HW], frame[:, ~repair.mask_HW])
        core = cv2.erode(repair.mask_HW.astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
        found += int(core.sum())
        assert np.abs(repair.planes_CHW[1][core] - 0.62).mean() < 0.02
    assert found > 100
    assert clean[0].shape[0] == 1


def test_the_same_footage_gives_the_same_bytes_whatever_the_threads() -> None:
    damaged, _ = dirtied(panning(6))
    before = cv2.getNumThreads()
    try:
        cv2.setNumThreads(1)
        one = restored(damaged)
        cv2.setNumThreads(4)
        other = restored(damaged)
    finally:
        cv2.setNumThreads(before)
    for first, second in zip(one, other, strict=True):
        assert np.array_equal(first.planes_CHW, second.planes_CHW)
        assert np.array_equal(first.mask_HW, second.mask_HW)
        assert np.array_equal(first.confidence_HW, second.confidence_HW)


def test_a_frame_is_held_no_longer_than_needed() -> None:
    clip = panning(40, 64, 96)
    given = 0

    def read():  # type: ignore[no-untyped-def]
        nonlocal given
        for planes in clip:
            given += 1
            yield planes

    repairs = ClassicalRestorer().restore(Footage(read, len(clip), 64, 96, "grey"))
    next(repairs)
    assert given - len(clip) < 10, "the survey reads all frames; the repair must not run far ahead"


def test_every_setting_is_on_the_card() -> None:
    usual = ClassicalRestorer().card
    other = ClassicalRestorer(ClassicalSettings(sure=0.9)).card
    assert usual.parameters != other.parameters
    assert usual.parameters["motion.proxy_px"] == 640


def test_deflicker_evens_light_and_leaves_steady_light_and_fades() -> None:
    steady = panning(24)
    flickering = light(24)
    even, corrections = deflicker(footage(flickering))
    motion = list(motion_of(footage(steady)))
    before, after = steadiness(footage(flickering), motion), steadiness(even, motion)
    assert after.flicker_index < 0.5 * before.flicker_index
    assert len(corrections) == 24
    fading = [planes * np.float32(1 - 0.03 * n) for n, planes in enumerate(steady)]
    same, _ = deflicker(footage(fading))
    means = [abs(float(a.mean() - b.mean())) for a, b in zip(same, fading, strict=True)]
    assert max(means) < 0.01


def test_stabilise_takes_the_weave_and_keeps_the_pan() -> None:
    world = texture(HEIGHT + 20, WIDTH + 100, 11)
    weave = np.random.default_rng(12).normal(0, 1.0, (24, 2))
    clip = []
    for n in range(24):
        move = np.array([[1, 0, -2.0 * n - 10 + weave[n, 0]], [0, 1, -10 + weave[n, 1]]])
        clip.append(cv2.warpAffine(world, move, (WIDTH, HEIGHT), flags=cv2.INTER_CUBIC).clip(0, 1)[None])
    calm, shifts = stabilise(footage(clip))
    assert jitter_index(calm) < 0.4 * jitter_index(footage(clip))
    assert abs(np.mean([shift.across_px for shift in shifts])) < 0.5
    assert max(abs(shift.across_px) for shift in shifts) < 5
    assert [planes.shape for planes in calm] == [planes.shape for planes in clip]
