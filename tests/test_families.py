"""Each family of damage alone: what it does to film, target and mask."""

from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from numpy.typing import NDArray

from degradation.contaminants import Contaminants
from degradation.drawings import OWN
from degradation.emulsion import Emulsion
from degradation.fading import Fading
from degradation.family import MOST_LOST, Setting, Size
from degradation.flicker import Flicker
from degradation.generator import LAYERS, SPARE_FRAMES, Aged, age
from degradation.grain import Grain
from degradation.mould import Mould
from degradation.recipe import AnyFamily, Recipe
from degradation.scratches import Scratches
from degradation.softness import Softness
from degradation.splices import Splices
from degradation.timing import Timing
from degradation.tint import Tint
from degradation.transfer import Transfer
from degradation.vignette import Vignette
from degradation.weave import Weave

Planes = NDArray[np.float32]

SHOWN: tuple[AnyFamily, ...] = (
    Softness(),
    Fading(),
    Tint(),
    Vignette(leaks=0.2),
    Weave(jumps=0.1),
    Splices(rate=0.3),
    Flicker(),
    Grain(),
    Mould(),
    Emulsion(patches=3),
    Scratches(lines=3),
    Contaminants(),
    Timing(cadence=1),
    Transfer(),
)
each = pytest.mark.parametrize("family", SHOWN, ids=[family.family for family in SHOWN])


def rolling(frames: int, channels: int = 3, speed: int = 1) -> list[Planes]:
    """A patterned picture of 96 x 128 that rolls by; each plane is brighter than the next."""
    rows, columns = np.mgrid[0:96, 0:128]
    picture = 0.5 + 0.2 * np.sin(rows / 5) * np.sin(2 * np.pi * columns / 32)
    planes_CHW = np.stack([picture - 0.06 * plane for plane in range(channels)])
    return [np.roll(planes_CHW, speed * n, axis=2).astype(np.float32) for n in range(frames)]


def aged(family: AnyFamily, frames: list[Planes], seed: int = 1) -> list[Aged]:
    return list(age(frames, Recipe("alone", (family,)), seed))


def effect(family: AnyFamily) -> float:
    """How far film is from what it was, over some clips; and how often frames are out of their turn."""
    clip = rolling(10)
    off, events = 0.0, 0
    for seed in range(4):
        for frame, clean_CHW in zip(aged(family, clip, seed), clip, strict=False):
            events += len(frame.events)
            off += float(np.abs(frame.damaged_CHW - clean_CHW).mean())
    return events if family.family == "timing" else off


@each
@pytest.mark.parametrize("channels", [1, 3], ids=["grey", "rgb"])
def test_a_family_alone_tells_exactly_where_it_was(family: AnyFamily, channels: int) -> None:
    marked = False
    for frame in aged(family, rolling(12, channels)):
        assert set(frame.layers) <= {family.family} & set(LAYERS)
        assert np.array_equal((frame.damaged_CHW != frame.undamaged_CHW).any(axis=0), frame.mask_HW)
        for planes_CHW in (frame.damaged_CHW, frame.undamaged_CHW, frame.target_CHW):
            assert planes_CHW.dtype == np.float32
            assert planes_CHW.shape == (channels, 96, 128)
            assert planes_CHW.min() >= 0
            assert planes_CHW.max() <= 1
        marked |= bool(frame.mask_HW.any())
    assert marked == (family.family in LAYERS)


@each
def test_a_seed_repeats_and_another_differs(family: AnyFamily) -> None:
    first, again, other = (aged(family, rolling(8), seed) for seed in (1, 1, 3))
    assert len(first) == len(again)
    assert all(np.array_equal(a.damaged_CHW, b.damaged_CHW) for a, b in zip(first, again, strict=True))
    assert len(first) != len(other) or any(
        not np.array_equal(a.damaged_CHW, b.damaged_CHW) for a, b in zip(first, other, strict=True)
    )


@each
def test_twice_the_severity_is_worse_than_half(family: AnyFamily) -> None:
    assert effect(family.scaled(0.5)) < effect(family.scaled(2))


@pytest.mark.parametrize(
    "family",
    [family for family in SHOWN if family.family in ("fading", "tint", "weave")],
    ids=lambda family: family.family,
)
def test_what_cannot_be_undone_is_not_asked_for(family: AnyFamily) -> None:
    for frame in aged(family, rolling(4)):
        assert np.array_equal(frame.target_CHW, frame.undamaged_CHW)


@pytest.mark.parametrize("seed", range(4))
def test_the_target_keeps_the_films_own_tone(seed: int) -> None:
    """However faded, shaded and out of place: what is asked for is as bright as the film, in each plane."""
    faded = Recipe(
        "old", (Fading(), Tint(), Vignette(), Weave(), Flicker(), Grain(), Scratches(), Contaminants())
    )
    recipe = faded.having(Flicker(strength=0.0, uneven=0.0), Grain(strength=0.01))
    for frame in age(rolling(4), recipe, seed):
        assert frame.target_CHW.mean(axis=(1, 2)) == pytest.approx(
            frame.undamaged_CHW.mean(axis=(1, 2)), abs=2e-3
        )


def test_softness_takes_detail_and_not_light() -> None:
    (clean_CHW,) = rolling(1)
    (frame,) = aged(Softness(sigma=0.02), [clean_CHW])
    assert frame.damaged_CHW.mean() == pytest.approx(clean_CHW.mean(), abs=2e-3)
    assert frame.damaged_CHW.std() < 0.8 * clean_CHW.std()
    assert np.array_equal(frame.target_CHW, clean_CHW)


def test_dyes_fade_and_silver_does_not() -> None:
    faded = Fading(black=0, white=0, gamma=0, dyes=0.6)
    grey, colour = (np.full((channels, 8, 8), 0.3, np.float32) for channels in (1, 3))
    assert aged(faded, [grey])[0].target_CHW == pytest.approx(grey, abs=0.02)
    casts = [aged(faded, [colour], seed)[0].target_CHW[:, 0, 0] for seed in range(6)]
    assert max(float(np.ptp(cast)) for cast in casts) > 0.1


def test_a_tint_is_for_colour() -> None:
    assert np.array_equal(aged(Tint(), rolling(1, 1))[0].damaged_CHW, rolling(1, 1)[0])
    spread = np.ptp(aged(Tint(depth=1, colour_left=0), [np.full((3, 8, 8), 0.5, np.float32)])[0].target_CHW)
    assert spread > 0.02


def test_mould_stays_where_it_grew() -> None:
    """Told from flakes of emulsion, which are elsewhere on the next frame."""

    def overlap(family: AnyFamily) -> float:
        masks = [frame.mask_HW for frame in aged(family, rolling(8), 3)]
        both = sum(int((a & b).sum()) for a, b in pairwise(masks))
        return both / sum(int((a | b).sum()) for a, b in pairwise(masks))

    assert 0.4 < overlap(Mould()) < 1  # it grew on, too
    assert overlap(Emulsion(patches=3)) < 0.2


def test_a_splice_is_told_of_and_its_step_in_exposure_stays() -> None:
    clip = [np.full((1, 96, 128), 0.5, np.float32)] * 40
    frames = aged(Splices(rate=0.1, step=0.2, jump=0), clip, 2)
    light = [float(np.median(frame.undamaged_CHW)) for frame in frames]
    steps = [n for n in range(1, len(light)) if light[n] != light[n - 1]]
    told = [n for n, frame in enumerate(frames) if frame.events]
    assert told
    assert steps == told
    assert all(frames[n].events[0].startswith("splice") for n in told)


@pytest.mark.parametrize(
    "families",
    [(Splices(rate=0.5),), (Timing(missing=0.5, cadence=0),), (Splices(rate=0.5), Timing(missing=0.5))],
    ids=["splices", "timing", "both"],
)
@pytest.mark.parametrize("seed", range(3))
def test_the_spare_frames_outlast_what_is_lost(families: tuple[AnyFamily, ...], seed: int) -> None:
    frames = list(age(rolling(24 + SPARE_FRAMES, 1), Recipe("lossy", families), seed))
    assert len(frames) >= 24
    lost = sum(
        int(word) for frame in frames for event in frame.events for word in event.split() if word.isdigit()
    )
    repeats = sum("repeat" in frame.events for frame in frames)
    # The last frames may be lost with nothing left to tell of it.
    assert 24 + SPARE_FRAMES - len(families) * MOST_LOST <= len(frames) - repeats <= 24 + SPARE_FRAMES - lost


@pytest.mark.parametrize("seed", range(4))
def test_repeated_frames_are_the_frames_before_and_none_is_lost(seed: int) -> None:
    clip = [np.full((1, 8, 8), n / 32, np.float32) for n in range(30)]
    frames = aged(Timing(cadence=1, missing=0, repeats=0.05), clip, seed)
    fresh = [frame for frame in frames if not frame.events]
    assert [round(float(frame.target_CHW[0, 0, 0] * 32)) for frame in fresh] == list(range(30))
    assert 0.2 < (len(frames) - 30) / 30 < 0.7
    for before, frame in pairwise(frames):
        if frame.events:
            assert frame.events == ("repeat",)
            assert np.array_equal(frame.damaged_CHW, before.damaged_CHW)


def test_a_splice_waits_for_a_repeated_frame() -> None:
    """What one frame was to suffer is not lost where the frame before is shown again."""
    clip, splices, timing = rolling(30, 1), Splices(rate=0.2), Timing(cadence=1, missing=0)
    alone = aged(splices, clip, 5)
    both = list(age(clip, Recipe("both", (splices, timing)), 5))
    fresh = [frame for frame in both if frame.events != ("repeat",)]
    assert len(both) > len(alone)
    assert [frame.events for frame in fresh] == [frame.events for frame in alone]
    assert all(np.array_equal(a.damaged_CHW, b.damaged_CHW) for a, b in zip(fresh, alone, strict=True))


def test_the_rings_of_compression_are_not_damage() -> None:
    clip, dirty = rolling(4), Recipe("dirty", (Contaminants(spots=8),))
    direct, transferred = (
        list(age(clip, recipe, 2)) for recipe in (dirty, dirty.having(Transfer(coarsest=1)))
    )
    assert all(np.array_equal(a.mask_HW, b.mask_HW) for a, b in zip(direct, transferred, strict=True))
    rings = [(f.damaged_CHW != f.undamaged_CHW).any(axis=0) & ~f.mask_HW for f in transferred]
    assert any(ring_HW.any() for ring_HW in rings)


@pytest.mark.parametrize(
    "size", [(1, 50, 71), (3, 50, 71), (1, 64, 64)], ids=["grey", "colour", "whole blocks"]
)
def test_two_pictures_go_through_video_as_each_alone(size: tuple[int, int, int]) -> None:
    rng = np.random.default_rng(1)
    undamaged_CHW = rng.random(size, np.float32)
    damaged_CHW = undamaged_CHW.copy()
    damaged_CHW[:, 10:13, 20:60], damaged_CHW[:, -1, -1] = 1, 0
    channels, height, width = size
    process = Transfer(coarsest=1).begin(Setting(Size(height, width, channels), 4, OWN))
    for _ in range(3):
        video = process.next().on_film
        assert video is not None
        pairs = zip(video.of_both(undamaged_CHW, damaged_CHW), (undamaged_CHW, damaged_CHW), strict=True)
        assert all(np.array_equal(out_CHW, video(given_CHW)) for out_CHW, given_CHW in pairs)
        assert not np.array_equal(*video.of_both(undamaged_CHW, damaged_CHW))


def test_coarser_compression_keeps_less() -> None:
    clip = rolling(2)
    mild, harsh = (
        np.mean([np.abs(f.damaged_CHW - c).mean() for f, c in zip(aged(family, clip, 4), clip, strict=True)])
        for family in (Transfer(noise=0, halo=0, coarsest=0), Transfer(noise=0, halo=0, coarsest=1))
    )
    assert harsh > 2 * mild


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: Softness(sigma=-1),
        lambda: Fading(dyes=2),
        lambda: Tint(depth=1.5),
        lambda: Vignette(leaks=-1),
        lambda: Splices(rate=2),
        lambda: Emulsion(patches=-1),
        lambda: Mould(strength=3),
        lambda: Timing(missing=-0.1),
        lambda: Transfer(coarsest=1.1),
    ],
    ids=["softness", "fading", "tint", "vignette", "splices", "emulsion", "mould", "timing", "transfer"],
)
def test_parameters_that_cannot_be_are_refused(wrong: Callable[[], object]) -> None:
    with pytest.raises(ValueError, match="must"):
        wrong()


@each
def test_no_family_writes_to_the_clean_frames(family: AnyFamily) -> None:
    clip = rolling(4)
    copies = [frame.copy() for frame in clip]
    aged(replace(family, probability=1.0), clip)
    assert all(np.array_equal(a, b) for a, b in zip(clip, copies, strict=True))
