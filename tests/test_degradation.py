"""The damage generator: exact masks, and the same film from the same seed."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from degradation.generator import age
from degradation.lookalikes import LOOKALIKES, Lookalike, with_lookalike
from degradation.recipe import HEAVY, LIGHT, MEDIUM, RECIPES, Contaminants, Grain, Recipe, Scratches

Planes = NDArray[np.float32]


def ramp(frames: int, channels: int = 1) -> list[Planes]:
    """A soft grey gradient that rolls by."""
    columns = np.linspace(0, 2 * np.pi, 160, dtype=np.float32)
    picture = 0.5 + 0.3 * np.sin(columns[None, :] + np.linspace(0, 2, 120, dtype=np.float32)[:, None])
    return [np.stack([np.roll(picture, n, axis=1)] * channels).astype(np.float32) for n in range(frames)]


def bare(recipe: Recipe) -> Recipe:
    """The same film without the damage."""
    return replace(recipe, contaminants=Contaminants(0, blotches=0, hairs=0), scratches=Scratches(lines=0))


@pytest.mark.parametrize("recipe", RECIPES.values(), ids=RECIPES.keys())
@pytest.mark.parametrize("channels", [1, 3], ids=["grey", "rgb"])
def test_the_mask_is_exactly_where_damage_changed_a_pixel(recipe: Recipe, channels: int) -> None:
    clip = ramp(8, channels)
    for (damaged, mask), (truth, nothing) in zip(
        age(clip, recipe, 5), age(clip, bare(recipe), 5), strict=True
    ):
        assert not nothing.any()
        assert damaged.dtype == np.float32
        assert damaged.min() >= 0
        assert damaged.max() <= 1
        assert np.array_equal((damaged != truth).any(axis=0), mask)


def test_the_seed_decides_everything() -> None:
    clip = ramp(6)
    first, again, other = (list(age(clip, MEDIUM, seed)) for seed in (1, 1, 2))
    assert all(
        np.array_equal(a[0], b[0]) and np.array_equal(a[1], b[1]) for a, b in zip(first, again, strict=True)
    )
    assert not any(np.array_equal(a[0], b[0]) for a, b in zip(first, other, strict=True))


def test_more_frames_do_not_change_the_first_ones() -> None:
    short, long = list(age(ramp(4), HEAVY, 3)), list(age(ramp(9), HEAVY, 3))
    assert all(np.array_equal(a[0], b[0]) for a, b in zip(short, long, strict=False))


def test_one_familys_dose_does_not_move_the_others() -> None:
    clip = ramp(5)
    grained = list(age(clip, MEDIUM, 4))
    smooth = list(age(clip, replace(MEDIUM, grain=Grain(0)), 4))
    assert all(
        np.array_equal(a[1], b[1]) or (a[1] ^ b[1]).mean() < 1e-3
        for a, b in zip(grained, smooth, strict=True)
    )


def test_a_stronger_recipe_damages_more() -> None:
    shares = [
        float(np.mean([mask.mean() for _, mask in age(ramp(20), recipe, 6)]))
        for recipe in (LIGHT, MEDIUM, HEAVY)
    ]
    assert shares == sorted(shares)
    assert shares[0] > 0
    assert shares[2] < 0.2


def test_the_clean_frames_are_not_written_to() -> None:
    clip = ramp(3)
    copies = [frame.copy() for frame in clip]
    list(age(clip, HEAVY, 7))
    assert all(np.array_equal(a, b) for a, b in zip(clip, copies, strict=True))


@pytest.mark.parametrize(
    "frames",
    [
        [np.zeros((8, 8), np.float32)],
        [np.zeros((1, 8, 8), np.uint8)],
        [np.zeros((1, 64, 64), np.float32), np.zeros((1, 64, 65), np.float32)],
    ],
    ids=["no planes", "bytes", "size changes"],
)
def test_frames_it_cannot_age_are_refused(frames: list[NDArray[np.float32]]) -> None:
    with pytest.raises(ValueError, match="frame"):
        list(age(frames, LIGHT, 1))


@pytest.mark.parametrize("kind", LOOKALIKES)
def test_lookalikes_change_the_scene_and_repeat_with_the_seed(kind: Lookalike) -> None:
    clip = ramp(3)
    one, two = list(with_lookalike(clip, kind, 1)), list(with_lookalike(clip, kind, 1))
    assert all(np.array_equal(a, b) for a, b in zip(one, two, strict=True))
    assert all((a != b).any() for a, b in zip(one, clip, strict=True))
    assert all(a.shape == b.shape and a.dtype == np.float32 for a, b in zip(one, clip, strict=True))
