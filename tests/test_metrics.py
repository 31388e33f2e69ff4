"""What is measured, on pictures whose figures can be worked out by hand."""

import math
from collections.abc import Iterable

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from models.metrics import Detection, Fidelity, compare, fidelity
from models.metrics.score import Score, score
from models.metrics.ssim import ssim
from models.metrics.steadiness import Steadiness, motion_of, steadiness
from models.motion import Pair
from models.restorer import Footage

HEIGHT, WIDTH = 96, 128
Float = NDArray[np.float32]


def texture(height: int, width: int, seed: int) -> Float:
    """A still picture with detail, in 0.2..0.8."""
    rng = np.random.default_rng(seed)
    noise = cv2.GaussianBlur(rng.standard_normal((height, width)).astype(np.float32), (0, 0), 2.0)
    return np.clip(0.5 + 0.1 * noise / noise.std(), 0.2, 0.8).astype(np.float32)


def footage(pictures: Iterable[Float]) -> Footage:
    frames = [picture[None].astype(np.float32) for picture in pictures]
    return Footage(lambda: iter(frames), len(frames), *frames[0].shape[1:], "grey")


def still(pairs: int, height: int = HEIGHT, width: int = WIDTH) -> list[Pair]:
    """The motion of a clip in which nothing moves."""
    flow, error = np.zeros((height, width, 2), np.float32), np.zeros((height, width), np.float32)
    return [Pair(flow, flow, error, error)] * pairs


def test_detection_counts() -> None:
    true = np.zeros((10, 10), bool)
    true[2:4, 2:6] = True
    found = np.zeros((10, 10), bool)
    found[3:5, 2:6] = True
    found[9, 9] = True
    strict = compare(found, true)
    assert strict == Detection(hit=4, missed=4, right=4, wrong=5, pixels=100)
    assert (strict.recall, strict.precision, strict.harm) == (0.5, 4 / 9, 0.05)
    assert strict.f1 == pytest.approx(2 * 0.5 * (4 / 9) / (0.5 + 4 / 9))
    near = compare(found, true, 1)
    assert (near.right, near.wrong, near.harm) == (8, 1, 0.01)
    assert strict + near == Detection(8, 8, 12, 6, 200)


def test_psnr_of_a_constant_offset() -> None:
    truth = np.full((3, 10, 10), 0.5, np.float32)
    damage = np.zeros((10, 10), bool)
    damage[:5] = True
    # 0.1 off is 20 dB; 0.01 off is 40 dB.
    picture = truth + np.where(damage, np.float32(0.1), np.float32(0.01))
    told = fidelity(picture, truth, damage)
    assert told.psnr_inside == pytest.approx(20, abs=1e-4)
    assert told.psnr_outside == pytest.approx(40, abs=1e-3)
    assert told.psnr == pytest.approx(-10 * math.log10((0.01 + 0.0001) / 2), abs=1e-4)
    assert (told.inside_values, told.outside_values) == (150, 150)
    perfect = fidelity(truth, truth, damage)
    assert perfect.psnr == math.inf
    # Pooled: half of the error, 3 dB more.
    assert (told + perfect).psnr_inside == pytest.approx(20 + 10 * math.log10(2), abs=1e-4)
    assert Fidelity() + told == told


def test_ssim_of_two_flat_pictures_is_their_luminance() -> None:
    one, other = np.full((20, 30), 0.5, np.float32), np.full((20, 30), 0.25, np.float32)
    expected = (2 * 0.5 * 0.25 + 0.01**2) / (0.5**2 + 0.25**2 + 0.01**2)
    assert ssim(one, other) == pytest.approx(expected, rel=1e-6)
    assert ssim(one, one) == pytest.approx(1.0, abs=1e-9)


def test_ssim_is_the_paper_s() -> None:
    one, other = texture(40, 50, 1), texture(40, 50, 2)
    near = np.exp(-(np.arange(-5.0, 6) ** 2) / (2 * 1.5**2))
    window = np.outer(near, near) / near.sum() ** 2
    total = []
    for row in range(30):
        for column in range(40):
            x, y = (p[row : row + 11, column : column + 11].astype(float) for p in (one, other))
            mean_x, mean_y = (window * x).sum(), (window * y).sum()
            var_x, var_y = (window * (x - mean_x) ** 2).sum(), (window * (y - mean_y) ** 2).sum()
            both = (window * (x - mean_x) * (y - mean_y)).sum()
            light = (2 * mean_x * mean_y + 1e-4) / (mean_x**2 + mean_y**2 + 1e-4)
            total.append(light * (2 * both + 9e-4) / (var_x + var_y + 9e-4))
    assert ssim(one, other) == pytest.approx(np.mean(total), abs=1e-6)
    assert ssim(one, other) < 0.5


@pytest.mark.parametrize("shapes", [((10, 30), (10, 30)), ((20, 20), (20, 21))], ids=["small", "unequal"])
def test_ssim_refuses_what_it_cannot_compare(shapes: tuple[tuple[int, int], tuple[int, int]]) -> None:
    with pytest.raises(ValueError, match="11 px"):
        ssim(*(np.zeros(shape, np.float32) for shape in shapes))


def test_a_score_sums_frames() -> None:
    truth = texture(40, 50, 1)[None]
    damage = np.zeros((40, 50), bool)
    damage[10:20, 10:20] = True
    picture = truth + np.float32(0.1) * damage
    calls = []

    def distance(one: Float, other: Float) -> float:
        calls.append((one, other))
        return 0.25

    spoilt = score(picture, damage, truth, damage, "grey", lpips=distance)  # type: ignore[arg-type]
    clean = score(truth, ~damage, truth, np.zeros_like(damage), "grey", 2)
    film = spoilt + clean
    assert spoilt.fidelity.psnr_inside == pytest.approx(20, abs=1e-4)
    assert spoilt.ssim < 1
    assert film.ssim == pytest.approx((spoilt.ssim + 1) / 2)
    assert film.detection == Detection(100, 0, 100, 1900, 4000)
    assert film.lpips == 0.25, "a mean over the frames that told it"
    assert clean.lpips is None
    assert len(calls) == 1
    assert np.array_equal(calls[0][0], picture[0])
    assert Score() + film == film


def test_a_still_clip_is_steady() -> None:
    clip = footage([texture(HEIGHT, WIDTH, 3)] * 5)
    told = steadiness(clip, motion_of(clip))
    assert told.pairs == 4
    assert told.blocks == 3 * 64
    assert told.warping_error == pytest.approx(0, abs=1e-12)
    assert told.flicker_index == pytest.approx(0, abs=1e-6)


def test_jitter_of_light_gives_its_deviation() -> None:
    picture = texture(HEIGHT, WIDTH, 3)
    light = np.random.default_rng(4).normal(0, 0.03, 300)
    told = steadiness(footage([picture + offset for offset in light]), still(299))
    assert told.flicker_index == pytest.approx(0.03, rel=0.1)
    swing = light[1:-1] - (light[:-2] + light[2:]) / 2
    assert told.flicker_index == pytest.approx(math.sqrt((swing**2).mean() / 1.5), rel=1e-4)
    assert told.warping_error == pytest.approx((np.diff(light) ** 2).mean(), rel=1e-4)


def test_a_fade_is_no_flicker_and_uneven_light_is() -> None:
    picture = texture(HEIGHT, WIDTH, 3)
    fade = steadiness(footage([picture * (1 - 0.05 * n) for n in range(10)]), still(9))
    assert fade.flicker_index == pytest.approx(0, abs=1e-6)
    assert fade.warping_error > 0
    # One half of the picture grows lighter as the other grows darker: the frame's mean stays.
    sides = np.where(np.arange(WIDTH) < WIDTH // 2, np.float32(0.02), np.float32(-0.02))
    uneven = steadiness(footage([picture + sides * (-1) ** n for n in range(10)]), still(9))
    # Swings of 0.04 over sqrt(3 / 2).
    assert uneven.flicker_index == pytest.approx(0.04 / math.sqrt(1.5), rel=1e-4)


def panned(frames: int, step: int) -> list[Float]:
    """A camera panning by whole pixels, each new strip seen for the first time."""
    world = texture(HEIGHT, WIDTH + step * frames, 5)
    return [world[:, step * n : step * n + WIDTH] for n in range(frames)]


def test_motion_is_no_change() -> None:
    pan = footage(panned(8, 3))
    moving = steadiness(pan, motion_of(pan))
    unmoved = steadiness(pan, still(7))
    assert moving.warping_error < 0.01 * unmoved.warping_error
    assert moving.flicker_index < 0.1 * unmoved.flicker_index


def test_motion_known_exactly_leaves_nothing() -> None:
    step = 3
    ahead, back = (np.zeros((HEIGHT, WIDTH, 2), np.float32) for _ in range(2))
    # What is at x now stood at x + 3 before.
    ahead[..., 0], back[..., 0] = -step, step
    error = np.zeros((HEIGHT, WIDTH), np.float32)
    told = steadiness(footage(panned(6, step)), [Pair(ahead, back, error, error)] * 5)
    assert told.warping_error == pytest.approx(0, abs=1e-12), "the strips at the sides have no partner"


def test_jitter_is_told_through_motion() -> None:
    pan = panned(60, 2)
    light = np.random.default_rng(6).normal(0, 0.02, 60)
    jittered = footage([picture + offset for picture, offset in zip(pan, light, strict=True)])
    told = steadiness(jittered, motion_of(footage(pan)))
    assert told.flicker_index == pytest.approx(0.02, rel=0.25)


def test_what_is_hidden_does_not_count() -> None:
    # Going there ends 4 px off, and nothing brings it back: 16 > 0.01 * 16 + 0.5.
    ahead = np.zeros((HEIGHT, WIDTH, 2), np.float32)
    ahead[:, : WIDTH // 2, 1] = 4
    hidden = Pair(ahead, np.zeros_like(ahead), np.zeros((HEIGHT, WIDTH)), np.zeros((HEIGHT, WIDTH)))
    first = texture(HEIGHT, WIDTH, 3)
    second = first.copy()
    second[:, : WIDTH // 2] = 0
    second[:, WIDTH // 2 :] += 0.1
    assert steadiness(footage([first, second]), [hidden]).warping_error == pytest.approx(0.01, rel=1e-4)
    ahead[..., 1] = 4
    assert steadiness(footage([first, second]), [hidden]) == Steadiness()


def test_motion_of_a_smaller_guide_serves() -> None:
    large = [cv2.resize(picture, None, fx=8, fy=8) for picture in panned(4, 2)]
    told = steadiness(footage(large), motion_of(footage(large)))
    unmoved = steadiness(footage(large), still(3))
    assert told.warping_error < 0.02 * unmoved.warping_error


def test_steadiness_sums_shots() -> None:
    one, other = Steadiness(0.5, 2, 0.6, 10), Steadiness(0.1, 1, 0.0, 0)
    assert (one + other).warping_error == pytest.approx(0.2)
    assert (one + other).flicker_index == pytest.approx(0.2)
    assert (Steadiness().warping_error, Steadiness().flicker_index) == (0.0, 0.0)


@pytest.mark.parametrize(("pairs", "told"), [(3, "more motion"), (1, "more frames")])
def test_another_clip_s_motion_is_refused(pairs: int, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        steadiness(footage([texture(HEIGHT, WIDTH, 3)] * 3), still(pairs))
