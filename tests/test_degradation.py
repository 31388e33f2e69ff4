"""The damage generator: exact masks, and the same film from the same seed."""

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from degradation.exact import moved, noise
from degradation.family import Moment, Setting
from degradation.generator import LAYERS, Aged, age, drawn
from degradation.grain import Grain
from degradation.lookalikes import LOOKALIKES, Lookalike, with_lookalike
from degradation.recipe import Recipe
from degradation.recipes import HEAVY, LIGHT, MEDIUM, RECIPES, worn

Planes = NDArray[np.float32]


def ramp(frames: int, channels: int = 1) -> list[Planes]:
    """A soft grey gradient that rolls by."""
    columns = np.linspace(0, 2 * np.pi, 160, dtype=np.float32)
    picture = 0.5 + 0.3 * np.sin(columns[None, :] + np.linspace(0, 2, 120, dtype=np.float32)[:, None])
    return [np.stack([np.roll(picture, n, axis=1)] * channels).astype(np.float32) for n in range(frames)]


def same(one: Aged, other: Aged) -> bool:
    """Whether two frames are the same to the last bit, with their masks."""
    pictures = zip(
        (one.damaged_CHW, one.undamaged_CHW, one.target_CHW, one.mask_HW),
        (other.damaged_CHW, other.undamaged_CHW, other.target_CHW, other.mask_HW),
        strict=True,
    )
    return one.events == other.events and all(np.array_equal(a, b) for a, b in pictures)


@pytest.mark.parametrize("recipe", RECIPES.values(), ids=RECIPES.keys())
@pytest.mark.parametrize("channels", [1, 3], ids=["grey", "rgb"])
def test_the_mask_is_exactly_where_damage_changed_a_pixel(recipe: Recipe, channels: int) -> None:
    clip = ramp(8, channels)
    # A splice moves frames besides, compression rings around damage, blur widens it: test_families.py and
    # test_rtn_paper.py have them.
    recipe = replace(recipe.without("splices", "transfer", "quality"), clean=0.0, lookalike=0.0)
    spared = age(clip, recipe.without(*LAYERS), 5)
    for frame, bare in zip(age(clip, recipe, 5), spared, strict=True):
        assert not bare.mask_HW.any()
        assert np.array_equal(bare.damaged_CHW, frame.undamaged_CHW)
        for planes_CHW in (frame.damaged_CHW, frame.undamaged_CHW, frame.target_CHW):
            assert planes_CHW.dtype == np.float32
            assert planes_CHW.min() >= 0
            assert planes_CHW.max() <= 1
        assert np.array_equal((frame.damaged_CHW != frame.undamaged_CHW).any(axis=0), frame.mask_HW)


def test_the_seed_decides_everything() -> None:
    clip = ramp(6)
    first, again, other = (list(age(clip, worn(MEDIUM), seed)) for seed in (1, 1, 2))
    assert all(same(a, b) for a, b in zip(first, again, strict=True))
    assert not any(np.array_equal(a.damaged_CHW, b.damaged_CHW) for a, b in zip(first, other, strict=True))


def test_more_frames_do_not_change_the_first_ones() -> None:
    short, long = list(age(ramp(4), HEAVY, 3)), list(age(ramp(9), HEAVY, 3))
    assert all(same(a, b) for a, b in zip(short, long, strict=False))


def test_one_familys_dose_does_not_move_the_others() -> None:
    clip = ramp(5)
    grained = list(age(clip, worn(MEDIUM), 4))
    smooth = list(age(clip, worn(MEDIUM).without("grain"), 4))
    assert any(frame.mask_HW.any() for frame in grained)
    assert all((a.mask_HW ^ b.mask_HW).mean() < 1e-3 for a, b in zip(grained, smooth, strict=True))


def test_a_stronger_recipe_damages_more() -> None:
    shares = [
        float(np.mean([frame.mask_HW.mean() for frame in age(ramp(20), worn(recipe), 6)]))
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


ANY_CPU = """
import hashlib, numpy as np
from dataclasses import replace
from degradation.generator import age
from degradation.lookalikes import LOOKALIKES, with_lookalike
from degradation.recipes import RECIPES

def told(name, pictures):
    digest = hashlib.sha256()
    for picture in pictures:
        digest.update(np.ascontiguousarray(picture).tobytes())
    print(name, digest.hexdigest())

def aged(recipe, clip):
    for seed in range(3):
        for frame in age(clip, recipe, seed):
            yield from (frame.damaged_CHW, frame.undamaged_CHW, frame.target_CHW, frame.mask_HW)

rows, columns = np.mgrid[0:128, 0:160]
codes = [(rows * 7 + columns * 3 + n * 11) % 256 for n in range(12)]
grey = [(code / np.float32(255))[None].astype(np.float32) for code in codes]
colour = [np.concatenate([frame, frame * frame, 1 - frame]) for frame in grey]
for name, recipe in RECIPES.items():
    # All at once, and what is rare often enough to come about.
    often = {"splices": {"rate": 0.2}, "emulsion": {"patches": 2.0}, "vignette": {"leaks": 0.2}}
    families = tuple(
        replace(each, probability=1.0, **often.get(each.family, {})) for each in recipe.families
    )
    everything = replace(recipe, families=families, clean=0.0, lookalike=0.0)
    told(name, aged(everything, grey))
    told(name + " in colour", aged(everything, colour))
for kind in LOOKALIKES:
    told(kind, with_lookalike(colour, kind, 1))
"""
# The instructions that libraries choose between at run time, each switched off where the processor has it.
PLAIN = {
    "NPY_DISABLE_CPU_FEATURES": "X86_V3 X86_V4 AVX512_ICL AVX512_SPR",
    "JSIMD_FORCENONE": "1",
    "OPENCV_IPP": "disabled",
    "OPENCV_CPU_DISABLE": "AVX512-SKX,AVX512-ICL,AVX2,FP16,AVX,FMA3,SSE4.2,SSE4.1,SSSE3",
    "GLIBC_TUNABLES": "glibc.cpu.hwcaps=-AVX2,-FMA,-AVX512F",
}


def test_a_recipe_and_a_seed_give_the_same_bytes_on_lesser_processors() -> None:
    told = [
        subprocess.run(
            [sys.executable, "-c", ANY_CPU],
            env={**os.environ, **more},
            capture_output=True,
            text=True,
            check=True,
        )
        for more in ({}, PLAIN)
    ]
    assert told[0].stdout == told[1].stdout
    assert len(told[0].stdout.splitlines()) == 2 * len(RECIPES) + len(LOOKALIKES)


@pytest.mark.parametrize("sigma_px", [0.0, 0.6, 1.5])
def test_noise_has_no_mean_and_a_variance_of_one(sigma_px: float) -> None:
    made = noise(512, 512, np.random.default_rng(1), sigma_px)
    assert abs(float(made.mean())) < 0.03
    assert float(made.std()) == pytest.approx(1, rel=0.02)


@pytest.mark.parametrize(("across", "down"), [(1.0, 0.0), (-3.0, 2.0), (0.5, -0.25), (0.0, 12.0)])
def test_a_picture_moves_by_so_many_pixels(across: float, down: float) -> None:
    rows, columns = np.mgrid[0:64, 0:80].astype(np.float32)
    plane_HW = (0.5 + 0.2 * np.sin(columns / 9) + 0.2 * np.sin(rows / 7)).astype(np.float32)
    truth = 0.5 + 0.2 * np.sin((columns - across) / 9) + 0.2 * np.sin((rows - down) / 7)
    got = moved(plane_HW, across, down)
    assert np.abs(got - truth)[14:-14, 5:-5].max() < 2e-3


class _Losing:
    """Loses two frames before its third, shows its fifth twice."""

    family, probability = "losing", 1.0

    def scaled(self, severity: float) -> "_Losing":
        return self

    def begin(self, setting: Setting) -> "_Losing":
        self.frame = -1
        return self

    def next(self) -> Moment:
        self.frame += 1
        return Moment(
            lost_frames=2 * (self.frame == 2),
            repeated=self.frame == 5,
            event="x" if self.frame in (2, 5) else "",
        )


def test_lost_and_repeated_frames() -> None:
    clip = [np.full((1, 8, 8), n / 16, np.float32) for n in range(10)]
    out = list(age(clip, Recipe("lossy", (_Losing(),)), 1))  # type: ignore[arg-type]
    assert [round(float(frame.target_CHW[0, 0, 0]) * 16) for frame in out] == [0, 1, 4, 5, 6, 6, 7, 8, 9]
    assert [frame.events for frame in out] == [(), (), ("x",), (), (), ("x",), (), (), ()]


def test_the_kinds_of_clips_come_in_the_shares_asked_for() -> None:
    recipe = replace(MEDIUM, clean=0.2, lookalike=0.3, mildest=0.5, worst=2.0)
    clips = [drawn(recipe, seed) for seed in range(800)]
    shares = [sum(clip.kind == kind for clip in clips) / 800 for kind in ("damaged", "clean", "lookalike")]
    assert shares == pytest.approx([0.5, 0.2, 0.3], abs=0.05)
    assert {clip.lookalike for clip in clips} == {None, *LOOKALIKES}
    assert np.log2([clip.severity for clip in clips]).mean() == pytest.approx(0, abs=0.1)
    assert all(0.5 <= clip.severity <= 2 for clip in clips)


@pytest.mark.parametrize(("share", "what"), [("passing", "passers"), ("bordered", "border")])
def test_scenery_comes_in_as_many_clips_as_asked_for_whatever_their_kind(share: str, what: str) -> None:
    plain = replace(MEDIUM, clean=0.2, lookalike=0.3)
    clips = [drawn(replace(plain, **{share: 0.5}), seed) for seed in range(800)]
    for kind in ("damaged", "clean", "lookalike"):
        own = [what in clip.scenery for clip in clips if clip.kind == kind and clip.lookalike != what]
        assert sum(own) / len(own) == pytest.approx(0.5, abs=0.1)
    assert all(clip.scenery.count(what) == 1 for clip in clips if clip.lookalike == what)
    for seed, clip in enumerate(clips):
        own_scenery = (clip.lookalike,) if clip.lookalike else ()
        assert replace(clip, scenery=own_scenery) == drawn(plain, seed)


@pytest.mark.parametrize("share", ["passing", "bordered"])
def test_scenery_is_no_damage(share: str) -> None:
    still = [ramp(1)[0]] * 6
    for frame, passed in zip(still, age(still, Recipe("scenery", (), **{share: 1.0}), 3), strict=True):  # type: ignore[arg-type]
        assert np.array_equal(passed.target_CHW, passed.damaged_CHW)
        assert not passed.mask_HW.any()
        assert (passed.target_CHW != frame).any()


def test_clean_clips_and_lookalikes_have_an_empty_mask() -> None:
    for share in ({"clean": 1.0, "lookalike": 0.0}, {"clean": 0.0, "lookalike": 1.0}):
        for frame in age(ramp(3), replace(HEAVY, **share), 4):
            assert not frame.mask_HW.any()
            assert np.array_equal(frame.damaged_CHW, frame.undamaged_CHW)


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        (lambda: Grain(strength=2), "strength"),
        (lambda: replace(MEDIUM, clean=0.6, lookalike=0.6), "together"),
        (lambda: replace(MEDIUM, mildest=3.0), "mildest"),
        (lambda: Recipe("twice", (Grain(), Grain())), "once"),
    ],
    ids=["a share above one", "more than all clips", "mildest above worst", "one family twice"],
)
def test_recipes_that_cannot_be_are_refused(wrong: Callable[[], object], told: str) -> None:
    with pytest.raises(ValueError, match=told):
        wrong()
