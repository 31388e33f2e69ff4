"""Shot detection on synthetic film of known cuts, and on real film where it is at hand."""

import gc
import weakref
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from models.shots.cuts import KEPT, Cut, find_cuts
from models.shots.normalise import normalise
from tests.film import CLEAN, RUINED, WORN, Damage, Plan, make_film
from tests.shot_marks import Tally, mark

cv2.setNumThreads(1)

SEEDS = (900, 901, 902)
FILM = Path(__file__).parents[1] / "shared" / "data"
if not FILM.exists():
    FILM = Path(__file__).parents[2] / "shared" / "data"

Frames = list[NDArray[Any]]


@pytest.mark.parametrize(
    ("damage", "floor"),
    [
        pytest.param(CLEAN, 0.98, id="clean"),
        pytest.param(WORN, 0.97, id="flicker-5"),
        pytest.param(RUINED, 0.95, id="flicker-10-dirt-weave-flashes"),
    ],
)
def test_hard_cuts_are_found_through_damage(damage: Damage, floor: float) -> None:
    plan = Plan(shots=14, shot_frames=(10, 30), short_shots=0.15)
    tally = Tally()
    for seed in SEEDS:
        film = make_film(seed, plan, damage)
        tally += mark(find_cuts(film.frames), film.edits, hard=True)
    assert tally.f1 >= floor, tally


@pytest.mark.parametrize(
    ("damage", "floor"),
    [
        pytest.param(CLEAN, 0.8, id="clean"),
        pytest.param(WORN, 0.8, id="flicker-5"),
        pytest.param(RUINED, 0.75, id="flicker-10-dirt-weave-flashes"),
    ],
)
def test_dissolves_and_fades_are_found_as_ranges(damage: Damage, floor: float) -> None:
    plan = Plan(shots=12, gradual=0.7)
    tally = Tally()
    for seed in SEEDS:
        film = make_film(seed, plan, damage)
        tally += mark(find_cuts(film.frames), film.edits, hard=False)
    assert tally.f1 >= floor, tally


def _one_shot(camera: str = "handheld", damage: Damage = CLEAN, count: int = 60) -> Frames:
    plan = Plan(shots=1, shot_frames=(count, count), cameras=(camera,))  # type: ignore[arg-type]
    return make_film(41, plan, damage).frames


def _with(frames: Frames, at: int, *spoilt: NDArray[Any]) -> Frames:
    return [*frames[:at], *spoilt, *frames[at + len(spoilt) :]]


WHITE, BLACK = np.full((120, 160), 250, np.uint8), np.zeros((120, 160), np.uint8)


@pytest.mark.parametrize(
    "frames",
    [
        pytest.param(lambda: _one_shot("whip"), id="whip-pan"),
        pytest.param(lambda: _one_shot("passer"), id="passer-by"),
        pytest.param(lambda: _one_shot("zoom"), id="zoom"),
        pytest.param(lambda: _one_shot(damage=RUINED), id="ruined"),
        pytest.param(lambda: _with(_one_shot(), 30, WHITE), id="white-frame"),
        pytest.param(lambda: _with(_one_shot(), 30, BLACK), id="black-frame"),
        pytest.param(lambda: _with(_one_shot(), 30, WHITE, BLACK), id="two-spoilt-frames"),
        pytest.param(lambda: [*_one_shot()[:30], *_one_shot()[36:]], id="splice-with-frames-missing"),
        pytest.param(lambda: [BLACK] * 40, id="black-leader"),
        pytest.param(lambda: [WHITE], id="one-frame"),
        pytest.param(list, id="no-frames"),
    ],
)
def test_nothing_is_cut_where_nothing_was(frames: Callable[[], Frames]) -> None:
    assert find_cuts(frames()) == []


@pytest.mark.parametrize("length", [3, 4, 6])
def test_a_shot_of_a_few_frames_is_a_shot(length: int) -> None:
    plan = Plan(shots=9, shot_frames=(length, length), cut_ins=0, cameras=("static", "pan"))
    film = make_film(7, plan, WORN)
    assert [c.start for c in find_cuts(film.frames)] == [e.start for e in film.edits]


def test_blank_leader_between_shots_gives_two_hard_cuts() -> None:
    cuts = find_cuts([*_one_shot(count=30), *[BLACK] * 12, *_one_shot("zoom", count=30)])
    assert [(c.kind, c.start) for c in cuts] == [("hard", 30), ("hard", 42)]


def test_a_fade_is_one_range_and_swallows_what_others_see_in_the_dark() -> None:
    film = make_film(17, Plan(shots=2, shot_frames=(40, 40), gradual=1, transition_frames=(12, 12)), WORN)
    out, back = film.frames[:40], film.frames[-40:]
    gains = np.linspace(1, 0, 12)
    faded = [*out[:-12], *(_dim(f, g) for f, g in zip(out[-12:], gains, strict=True)), *[BLACK] * 4]
    faded += [*(_dim(f, g) for f, g in zip(back[:12], gains[::-1], strict=True)), *back[12:]]
    (cut,) = find_cuts(faded)
    assert (cut.kind, cut.detectors) == ("fade", ("contrast",))
    assert abs(cut.start - 28) <= 4
    assert abs(cut.end - 56) <= 4


def _dim(frame: NDArray[Any], gain: float) -> NDArray[Any]:
    return np.rint(frame * gain).astype(np.uint8)


def test_cuts_are_sorted_apart_and_within_their_bounds() -> None:
    film = make_film(5, Plan(shots=14, gradual=0.4, short_shots=0.2), RUINED)
    cuts = find_cuts(film.frames)
    assert all(a.end < b.start for a, b in pairwise(cuts))
    for cut in cuts:
        assert 0 < cut.start <= cut.end <= len(film.frames)
        assert (cut.start == cut.end) == (cut.kind == "hard")
        assert KEPT <= cut.certainty <= 1
        assert cut.detectors
    assert cuts == find_cuts(film.frames)


def test_undamaged_cuts_are_sure_and_agreed_on() -> None:
    film = make_film(3, Plan(shots=8, cut_ins=0, cameras=("static",)))
    cuts = find_cuts(film.frames)
    assert [c.start for c in cuts] == [e.start for e in film.edits]
    assert min(c.certainty for c in cuts) > 0.95
    assert {c.detectors for c in cuts} == {("blocks", "adaptive", "hash")}


@pytest.mark.parametrize(
    "proxy",
    [
        pytest.param(lambda f: f.astype(np.float32) / 255, id="float"),
        pytest.param(lambda f: cv2.resize(f, (320, 240)), id="320-px"),
        pytest.param(lambda f: cv2.resize(f, (160, 90)), id="wide"),
    ],
)
def test_type_and_size_of_the_proxy_do_not_matter(proxy: Callable[[NDArray[Any]], NDArray[Any]]) -> None:
    film = make_film(11, Plan(shots=6), WORN)
    found = [(c.kind, c.start) for c in find_cuts(proxy(f) for f in film.frames)]
    assert found == [("hard", e.start) for e in film.edits]


def test_memory_does_not_grow_with_the_reel() -> None:
    held = 0
    alive: list[weakref.ref[NDArray[Any]]] = []

    def reel() -> Iterator[NDArray[Any]]:
        nonlocal held
        for frame in make_film(2, Plan(shots=8), WORN).frames:
            copy = frame.copy()
            alive.append(weakref.ref(copy))
            yield copy
            del copy
            if len(alive) % 50 == 0:
                gc.collect()
                held = max(held, sum(ref() is not None for ref in alive))

    assert find_cuts(reel())
    assert held <= 2


@pytest.mark.parametrize(("gain", "offset"), [(1.0, 0), (0.8, 10), (1.2, -20)])
def test_the_normalised_view_is_blind_to_flicker(gain: float, offset: float) -> None:
    frame = _one_shot()[0]
    lit = np.clip(frame * gain + offset, 0, 255).astype(np.uint8)
    difference = np.abs(normalise(frame).picture_HW - normalise(lit).picture_HW)
    assert difference.mean() < 0.08


@pytest.mark.parametrize(
    "frame",
    [
        pytest.param(np.zeros((64, 64), np.uint16), id="uint16"),
        pytest.param(np.zeros((64, 64, 3), np.uint8), id="colour"),
        pytest.param(np.zeros((8, 8), np.uint8), id="too-small"),
    ],
)
def test_a_frame_that_is_no_luma_proxy_is_refused(frame: NDArray[Any]) -> None:
    with pytest.raises(ValueError, match="luma frame"):
        normalise(frame)


def test_the_film_generator_repeats_itself() -> None:
    one, other = (make_film(6, Plan(shots=4, gradual=0.5), RUINED, np.uint16) for _ in range(2))
    assert one.edits == other.edits
    assert one.frames[0].dtype == np.uint16
    assert all(np.array_equal(a, b) for a, b in zip(one.frames, other.frames, strict=True))
    assert len(one.frames) == len(one.clean) == len(one.dirt)
    assert one.dirt[5].any()


@pytest.mark.film
@pytest.mark.parametrize(
    ("name", "cuts"),
    [
        ("old/blast_effects_1952.mp4", [44, 134, 299]),
        ("old/market_street_1906.mkv", []),
        ("old/san_francisco_1906.mkv", []),
        ("old/great_train_robbery_1903.mkv", []),
        ("old/his_girl_friday_1940.mp4", []),
        ("clean/kivy_cityCC0.mpg", [116]),
    ],
)
def test_real_film(name: str, cuts: list[int]) -> None:
    if not (FILM / name).exists():
        pytest.skip(f"real film is not at hand: {FILM / name}")
    found: list[Cut] = find_cuts(_proxies(FILM / name))
    assert [(c.kind, c.start) for c in found] == [("hard", n) for n in cuts]


def _proxies(path: Path) -> Iterator[NDArray[Any]]:
    with av.open(str(path)) as container:
        for frame in container.decode(video=0):
            grey = frame.to_ndarray(format="gray")
            yield cv2.resize(grey, (160, 160 * frame.height // frame.width), interpolation=cv2.INTER_AREA)
