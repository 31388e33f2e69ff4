"""Whether a still fits, which frames are worth painting, and what changes colour over a cut."""

from collections.abc import Callable
from itertools import pairwise

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from models.colour.choice import worth_colouring
from models.colour.palette import Painted, jumps, palette
from models.colour.references import alike, colours, fit, look
from models.restorer import Footage
from tests.clips import texture

Float = NDArray[np.float32]

HEIGHT, WIDTH = 120, 160


def picture(seed: int) -> Float:
    return texture(HEIGHT, WIDTH, seed)


def moved(right: int, down: int) -> Callable[[Float], Float]:
    """A crop of a larger picture, so that nothing wraps round."""
    return lambda large: large[20 - down : 20 - down + HEIGHT, 20 - right : 20 - right + WIDTH]


@pytest.mark.parametrize(
    ("change", "verdict"),
    [
        pytest.param(lambda luma: luma, "aligned", id="itself"),
        pytest.param(lambda luma: luma + 0.01, "aligned", id="a code paler"),
        pytest.param(lambda luma: cv2.GaussianBlur(luma, (0, 0), 0.8), "aligned", id="softer"),
        pytest.param(lambda luma: 0.3 + 0.5 * luma, "toned", id="paler"),
        pytest.param(lambda luma: luma**2, "toned", id="darker"),
        pytest.param(lambda luma: 1 - luma, "toned", id="negative"),
        pytest.param(lambda luma: picture(99), "other", id="another picture"),
        pytest.param(lambda luma: luma[::-1], "other", id="upside down"),
        pytest.param(lambda luma: np.full_like(luma, 0.5), "other", id="blank"),
    ],
)
def test_how_a_still_fits(change: Callable[[Float], Float], verdict: str) -> None:
    luma = picture(1)
    still = change(luma).astype(np.float32)
    found = fit(still, luma)
    assert found.verdict == verdict
    assert found.likeness == alike(look(still), look(luma))
    if verdict != "other":
        assert (found.right_px, found.down_px) == pytest.approx((0, 0), abs=0.5)


@pytest.mark.parametrize(("right", "down"), [(6, 0), (-3, 4), (0, -9)])
def test_a_still_that_was_moved(right: int, down: int) -> None:
    large = texture(HEIGHT + 40, WIDTH + 40, 5)
    found = fit(moved(right, down)(large), moved(0, 0)(large))
    assert found.verdict == "shifted"
    assert (found.right_px, found.down_px) == pytest.approx((right, down), abs=0.5)
    assert found.likeness > 0.8


@pytest.mark.parametrize(
    ("height", "width"), [(120, 160), (240, 320), (480, 640), (482, 640), (576, 720), (324, 243)]
)
def test_a_frame_fits_itself_at_any_size(height: int, width: int) -> None:
    # Of some sizes OpenCV's phase correlation spoils the pictures that it is given.
    luma = texture(height, width, 7)
    found = fit(luma, luma)
    assert (found.verdict, found.right_px, found.down_px) == ("aligned", 0, 0)
    assert found.likeness > 0.99
    repainted = cv2.GaussianBlur(luma**1.2, (0, 0), 0.8)
    assert fit(repainted, luma).likeness > 0.9
    assert fit(1 - luma, luma).likeness < -0.99


def test_a_still_of_another_size() -> None:
    with pytest.raises(ValueError, match="a still of"):
        fit(picture(1), picture(1)[1:])


@pytest.mark.parametrize(
    ("ab", "found"),
    [
        pytest.param((0, 0), "grey", id="grey"),
        pytest.param((1, -2), "grey", id="a cast hardly seen"),
        pytest.param((5, 18), "tinted", id="sepia"),
    ],
)
def test_colour_of_one_hue(ab: tuple[float, float], found: str) -> None:
    ab_2HW = np.broadcast_to(np.array(ab, np.float32).reshape(2, 1, 1), (2, HEIGHT, WIDTH)).copy()
    assert colours(ab_2HW * (0.5 + picture(3))) == found
    # A red ball that covers a hundredth of the picture.
    ab_2HW[:, :20, :20] = np.array([50, 10], np.float32).reshape(2, 1, 1)
    assert colours(ab_2HW) == "coloured"


def footage(lumas: list[Float]) -> Footage:
    return Footage(lambda: (luma[None] for luma in lumas), len(lumas), *lumas[0].shape, "grey")


def test_one_still_is_enough_for_a_still_scene() -> None:
    rng = np.random.default_rng(1)
    grain = [rng.normal(0, 0.01, (HEIGHT, WIDTH)).astype(np.float32) for _ in range(24)]
    chosen = worth_colouring(footage([picture(1) + one for one in grain]), 5)
    assert len(chosen) == 1
    assert chosen[0].reaches > 0.97
    assert chosen[0].adds == chosen[0].reaches


def test_a_pan_wants_more_stills_and_each_tells_what_it_adds() -> None:
    wide = texture(HEIGHT, WIDTH + 8 * 47, 2)
    film = footage([np.ascontiguousarray(wide[:, 8 * n :][:, :WIDTH]) for n in range(48)])
    chosen = worth_colouring(film, 4)
    assert 3 <= len(chosen) <= 4
    # The first reaches most alone, from the middle; the others stand well apart.
    assert 16 <= chosen[0].frame <= 31
    assert np.diff(sorted(worth.frame for worth in chosen)).min() >= 6
    assert all(before.adds >= after.adds - 0.02 for before, after in pairwise(chosen))
    assert all(worth.adds <= worth.reaches for worth in chosen)
    assert sum(worth.adds for worth in chosen) > 0.85
    assert worth_colouring(film, 1) == chosen[:1]
    with pytest.raises(ValueError, match="at least one"):
        worth_colouring(film, 0)


def test_a_shot_of_one_frame() -> None:
    (only,) = worth_colouring(footage([picture(1)]), 3)
    assert (only.frame, only.reaches, only.adds) == (0, 1, 1)


def test_nothing_is_asked_of_leader_and_little_of_a_fade() -> None:
    rng = np.random.default_rng(4)
    grain = [rng.normal(0, 0.01, (HEIGHT, WIDTH)).astype(np.float32) for _ in range(24)]
    assert worth_colouring(footage([one + np.float32(0.03) for one in grain]), 3) == []
    # A picture that is shown for a moment is found, however long the leader.
    long = [one + picture(1) * np.float32(100 <= n < 106) for n, one in enumerate(grain * 8)]
    assert [100 <= worth.frame < 106 for worth in worth_colouring(footage(long), 1)] == [True]
    # Black for ten frames, then the picture comes up.
    light = np.clip((np.arange(24) - 10) / 12, 0, 1).astype(np.float32)
    chosen = worth_colouring(
        footage([picture(1) * up + one for up, one in zip(light, grain, strict=True)]), 3
    )
    assert chosen
    assert min(worth.frame for worth in chosen) > 10


def scene(coat: tuple[float, float]) -> Painted:
    """A textured room with a coat in it."""
    luma = texture(240, 320, 11)
    ab = np.broadcast_to(np.array([3, 8], np.float32).reshape(2, 1, 1), (2, 240, 320)).copy()
    ab[:, 80:180, 60:150] = np.array(coat, np.float32).reshape(2, 1, 1)
    return Painted(luma, ab)


def test_a_coat_that_changes_colour_over_a_cut() -> None:
    (jump,) = jumps(scene((10, -30)), scene((35, 15)))
    assert (jump.row, jump.column) == pytest.approx((130 / 240, 105 / 320), abs=0.05)
    assert jump.share == pytest.approx(100 * 90 / (240 * 320), rel=0.25)
    assert jump.before[1:] == pytest.approx((10, -30), abs=5)
    assert jump.after[1:] == pytest.approx((35, 15), abs=5)
    assert jump.difference > 20


def test_what_keeps_its_colour_or_is_not_there_is_not_reported() -> None:
    assert jumps(scene((10, -30)), scene((11, -29))) == []
    other = Painted(texture(240, 320, 12), scene((35, 15)).ab_2HW)
    assert jumps(scene((10, -30)), other) == []


def test_palette_of_a_shot() -> None:
    swatches = palette([scene((35, 15)), scene((35, 15))], 4)
    assert sum(swatch.share for swatch in swatches) == pytest.approx(1)
    coat = [swatch for swatch in swatches if swatch.lab[1] > 25]
    assert sum(swatch.share for swatch in coat) == pytest.approx(100 * 90 / (240 * 320), abs=0.03)
    assert [swatch.share for swatch in swatches] == sorted((s.share for s in swatches), reverse=True)
