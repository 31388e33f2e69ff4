"""The plan of a corpus is decided by its films and a seed, is balanced, and keeps films in one split."""

from collections import Counter
from dataclasses import replace
from fractions import Fraction
from itertools import pairwise

import pytest

from degradation.generator import SPARE_FRAMES
from tasks.corpora.clips import (
    SPLITS,
    PlanSettings,
    leaks,
    plan_clips,
    shards,
    split_films,
    taken_frames,
)
from tasks.corpora.usable import UsableFilm, UsableShot

SETTINGS = PlanSettings(400, 12, 64, 1)


def film(number: int, *lengths: int, group: int | None = None) -> UsableFilm:
    """Shots of these lengths, one after the other, 160x120 at 2/3."""
    starts = [sum(lengths[:n]) for n in range(len(lengths))]
    shots = tuple(
        UsableShot(tuple(range(start, start + length))) for start, length in zip(starts, lengths, strict=True)
    )
    sha256 = f"{number:064x}"
    own = f"{number if group is None else group:064x}"
    return UsableFilm(
        sha256, sha256[:16], f"{number}.mkv", f"/{number}.mkv", Fraction(2, 3), 120, 160, own, shots
    )


FILMS = [film(n, *([40 + n] * (1 + n % 3))) for n in range(20)]


def test_a_plan_is_a_function_of_films_and_seed() -> None:
    plans = plan_clips(FILMS, SETTINGS)
    assert plans == plan_clips(FILMS[::-1], SETTINGS)
    other = plan_clips(FILMS, replace(SETTINGS, seed=2))
    assert not {plan.clip for plan in plans} & {plan.clip for plan in other}
    assert len({plan.clip for plan in plans}) == len({plan.seed for plan in plans}) == SETTINGS.clips


@pytest.mark.parametrize("clips", [1, 7, 400])
def test_every_clip_lies_within_its_shot_and_frame(clips: int) -> None:
    plans = plan_clips(FILMS, replace(SETTINGS, clips=clips))
    assert len(plans) == clips
    shots = {f.sha256: [set(shot.frames) for shot in f.shots] for f in FILMS}
    for plan in plans:
        assert sum(set(plan.taken) <= shot for shot in shots[plan.film]) == 1
        assert plan.frames <= len(plan.taken) <= plan.frames + SPARE_FRAMES
        assert {b - a for a, b in pairwise(plan.taken)} == {plan.step}
        assert 0 <= plan.top <= 120 - 64
        assert 0 <= plan.left <= 160 - 64
        assert plan.top % 2 == plan.left % 2 == 0  # whole pixels of the source at 2/3
    if clips == 400:
        assert {plan.step for plan in plans} == {-2, -1, 1, 2}
        assert {plan.flip for plan in plans} == {False, True}


@pytest.mark.parametrize("length", [12, 13, 20, 21, 40], ids="{} frames".format)
def test_a_short_shot_gives_all_it_has(length: int) -> None:
    plans = plan_clips([film(1, length)], replace(SETTINGS, clips=50))
    for plan in plans:
        there = (length - 1) // abs(plan.step) + 1
        assert len(plan.taken) == min(12 + SPARE_FRAMES, there) >= 12
    assert length < 23 or {abs(plan.step) for plan in plans} == {1, 2}


def test_a_clip_is_found_again_by_its_first_frame() -> None:
    gaps = tuple(n for n in range(60) if n % 5)
    holed = replace(film(1, 60), shots=(UsableShot(gaps),))
    for plan in plan_clips([holed], SETTINGS):
        assert taken_frames(gaps, plan.taken[0], plan.step, plan.frames) == plan.taken


def test_a_long_film_does_not_drown_the_others() -> None:
    films = [film(1, 100), film(2, 100), film(3, 4900, 4900), film(4, 50, 5000)]
    counts = Counter(plan.source for plan in plan_clips(films, SETTINGS))
    assert counts["/1.mkv"] == counts["/2.mkv"] > 15
    assert 9 < counts["/3.mkv"] / counts["/1.mkv"] < 11  # 98 times as long
    shot = Counter(plan.taken[0] < 50 for plan in plan_clips(films, SETTINGS) if plan.source == "/4.mkv")
    assert 8 < shot[False] / shot[True] < 12


def test_clips_are_spread_over_their_shot() -> None:
    starts = sorted(min(plan.taken) for plan in plan_clips([film(1, 420)], replace(SETTINGS, clips=20)))
    assert starts[0] < 40
    assert starts[-1] > 340
    assert max(b - a for a, b in pairwise(starts)) < 60


def test_splits_are_by_film_and_stay_when_films_come() -> None:
    splits = split_films(FILMS, SETTINGS)
    assert set(splits.values()) == set(SPLITS)
    assert Counter(splits.values())["train"] >= 12
    more = split_films([*FILMS, *(film(n, 40) for n in range(100, 140))], SETTINGS)
    assert splits.items() <= more.items()
    shares = Counter(split_films([film(n, 40) for n in range(1000)], SETTINGS).values())
    assert all(abs(shares[split] - want) < 40 for split, want in zip(SPLITS, (800, 100, 100), strict=True))


@pytest.mark.parametrize(
    ("splits", "films", "found"),
    [
        pytest.param((80, 10, 10), 3, set(SPLITS), id="one each"),
        pytest.param((80, 10, 10), 1, 1, id="one film"),
        pytest.param((100, 0, 0), 5, {"train"}, id="all for training"),
        pytest.param((50, 0, 50), 5, {"train", "test"}, id="no validation"),
    ],
)
def test_every_split_with_a_share_gets_a_film(
    splits: tuple[int, int, int], films: int, found: set[str] | int
) -> None:
    for seed in range(20):
        settings = replace(SETTINGS, splits=splits, seed=seed)
        got = set(split_films([film(n, 40) for n in range(films)], settings).values())
        assert got == found or len(got) == found


def test_kin_stay_together_and_films_can_be_held_out() -> None:
    films = [film(n, 40, group=n // 3 * 3) for n in range(30)]
    held = (films[4].sha256,)
    splits = split_films(films, replace(SETTINGS, hold_out=held))
    assert {splits[f.sha256] for f in films[3:6]} == {"test"}
    for n in range(0, 30, 3):
        assert len({splits[f.sha256] for f in films[n : n + 3]}) == 1


def test_a_shard_is_of_one_split() -> None:
    plans = plan_clips(FILMS, SETTINGS)
    made = shards(plans)
    assert [plan for shard in made for plan in shard] == plans
    assert all(len({plan.split for plan in shard}) == 1 for shard in made)
    assert max(len(shard) for shard in made) == 32


def test_a_leak_is_found() -> None:
    rows = [{"film": plan.film, "split": plan.split} for plan in plan_clips(FILMS, SETTINGS)]
    groups = {f.sha256: f.group for f in FILMS}
    assert leaks(rows, groups) == []
    assert leaks([*rows, {"film": None, "split": None}], groups) == []
    train, test = (next(r["film"] for r in rows if r["split"] == split) for split in ("train", "test"))
    assert len(leaks([*rows, {"film": train, "split": "test"}], groups)) == 1
    assert len(leaks(rows, {**groups, test: groups[train]})) == 1
