"""Colour carried along motion: right where it was reached, honest where not, the same for the same frame."""

import tracemalloc
import weakref
from collections.abc import Callable, Sequence
from functools import partial

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from models.colour.colouriser import Coloured, LoadedReferences, Reference
from models.colour.diffusion import diffuse
from models.colour.guided import enlarge_along
from models.colour.propagate import Propagate, PropagateSettings
from models.colour.spill import Spill
from tests.world import HEIGHT, WIDTH, World, footage

Float = NDArray[np.float32]


def coloured(lumas: Sequence[Float], *stills: Reference, **settings: float) -> list[Coloured]:
    return list(Propagate(PropagateSettings(**settings)).colour(footage(lumas), stills))  # type: ignore[arg-type]


def missed(one: Coloured, truth: Float) -> Float:
    apart: Float = np.hypot(*(one.ab_2HW - truth))
    return apart


def test_colour_follows_motion_both_ways() -> None:
    world = World(1, 20)
    results = coloured(world.shot(range(20)), world.still(10))
    assert len(results) == 20
    for frame in (0, 5, 15, 19):
        # What the still shows of this frame: all but what came in, or had not yet gone out.
        gone_px = 2 * abs(frame - 10) + 4
        seen = np.s_[:, gone_px:] if frame < 10 else np.s_[:, :-gone_px]
        entered = np.s_[:, : gone_px - 8] if frame < 10 else np.s_[:, -(gone_px - 8) :]
        apart = missed(results[frame], world.colour(frame))
        # Of colours 50 apart; what is left stands at the fields' edges.
        assert np.median(apart[seen]) < 1
        assert apart[seen].mean() < 4
        assert results[frame].confidence_HW[seen].mean() > 0.8
        assert results[frame].confidence_HW[entered].mean() < 0.5


def test_a_still_is_given_back_as_it_was_painted() -> None:
    world = World(2, 12)
    results = coloured(world.shot(range(12)), world.still(3), world.still(9))
    for frame in (3, 9):
        assert np.array_equal(results[frame].ab_2HW, world.colour(frame))
        assert results[frame].confidence_HW.min() == 1
    assert np.median(missed(results[6], world.colour(6))) < 1


def test_two_stills_that_disagree_are_blended_by_nearness() -> None:
    world = World(3, 13, step_px=0)
    first, second = world.still(0, at=2), world.still(0, at=10)
    second = Reference(-second.ab_2HW, second.luma_HW, second.frame)
    grain = np.random.default_rng(3).normal(0, 0.01, (13, HEIGHT, WIDTH)).astype(np.float32)
    results = coloured([luma + grain[n] for n, luma in enumerate(world.shot(range(13)))], first, second)
    kept = [float((one.ab_2HW * first.ab_2HW).sum() / (first.ab_2HW**2).sum()) for one in results]
    assert np.diff(kept).max() < 0.01
    assert kept[:3] == pytest.approx([1, 1, 1], abs=0.02)
    assert kept[6] == pytest.approx(0, abs=0.05)
    assert kept[10:] == pytest.approx([-1, -1, -1], abs=0.02)


def test_repeated_frames_have_the_same_colour() -> None:
    world = World(4, 8)
    lumas = [luma for luma in world.shot(range(8)) for _ in range(2)]
    results = coloured(lumas, world.still(4, at=8))
    for first, second in zip(results[::2], results[1::2], strict=True):
        assert np.array_equal(first.ab_2HW, second.ab_2HW)
        assert np.array_equal(first.confidence_HW, second.confidence_HW)


def test_a_still_of_another_shot_of_the_scene_is_laid_where_it_fits() -> None:
    world = World(5, 30)
    results = coloured(world.shot(range(12)), world.still(14, told=False))
    apart = missed(results[11], world.colour(11))
    assert np.median(apart[:, 12:]) < 1
    assert results[11].confidence_HW[:, 12:].mean() > 0.6
    assert results[11].confidence_HW.max() < 1 + 1e-6


def test_a_still_of_another_film_is_not_believed() -> None:
    results = coloured(World(6, 10).shot(range(10)), World(77, 30).still(20, told=False))
    assert max(float(np.median(one.confidence_HW)) for one in results) < 0.35


def test_frames_beyond_the_working_size_keep_their_edges() -> None:
    world = World(8, 6)
    large = [cv2.resize(luma, (3 * WIDTH, 3 * HEIGHT)) for luma in world.shot(range(6))]
    ab = np.stack([cv2.resize(plane, (3 * WIDTH, 3 * HEIGHT)) for plane in world.colour(3)])
    results = coloured(large, Reference(ab, large[3], 3), work_px=WIDTH)
    assert results[0].ab_2HW.shape == (2, 3 * HEIGHT, 3 * WIDTH)
    assert np.hypot(*(results[3].ab_2HW - ab)).mean() < 2


@pytest.mark.parametrize(
    ("still", "said"),
    [
        pytest.param([], "no reference", id="none"),
        pytest.param([(5, 0)], "of frame 5 of 4", id="beyond the shot"),
        pytest.param([(0, 1)], "for footage of", id="another size"),
    ],
)
def test_wrong_references_are_refused(still: list[tuple[int, int]], said: str) -> None:
    world = World(9, 4)
    stills = [
        Reference(world.colour(0)[:, cut:], world.still(0).luma_HW[cut:], frame) for frame, cut in still
    ]
    with pytest.raises(ValueError, match=said):
        coloured(world.shot(range(4)), *stills)


def test_memory_does_not_grow_with_the_shot() -> None:
    peaks = []
    for frames in (12, 48):
        world = World(10, 48, step_px=1)
        still = world.still(frames - 1)
        tracemalloc.start()
        for _ in Propagate().colour(footage(world.shot(range(frames))), [still]):
            pass
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 1.05 * peaks[0]


class Watched:
    """Loads stills, and knows which were loaded and how many of those before stood in memory then."""

    def __init__(self, load: Callable[[int], Reference]) -> None:
        self._load, self._seen = load, list[weakref.ref[Reference]]()
        self.frames: list[int] = []
        self.held: list[int] = []

    def load(self, frame: int) -> Reference:
        self.held.append(sum(seen() is not None for seen in self._seen))
        reference = self._load(frame)
        self._seen.append(weakref.ref(reference))
        self.frames.append(frame)
        return reference


def test_stills_are_loaded_once_one_by_one_and_not_kept() -> None:
    world = World(10, 12)
    watched = Watched(world.still)
    stills = LoadedReferences([partial(watched.load, frame) for frame in (1, 4, 7, 10)])
    results = list(Propagate().colour(footage(world.shot(range(12))), stills))
    assert watched.frames == [1, 4, 7, 10]
    assert max(watched.held) <= 1
    kept = coloured(world.shot(range(12)), *(world.still(frame) for frame in (1, 4, 7, 10)))
    for one, other in zip(results, kept, strict=True):
        assert np.array_equal(one.ab_2HW, other.ab_2HW)
    assert [still.frame for still in stills[1:3]] == [4, 7]


def test_the_card_tells_all_that_changes_a_pixel() -> None:
    card = Propagate(PropagateSettings(work_px=320)).card
    assert (card.name, card.weights_sha256) == ("propagate", None)
    assert card.parameters == {"work_px": 320, "grey_below": 0.1, "flow": "dis"}


def test_diffusion_stops_at_edges_of_luma() -> None:
    luma = np.full((40, 60), 0.3, np.float32)
    luma[:, 30:] = 0.7
    target, trust = np.zeros((1, 40, 60), np.float32), np.zeros((40, 60), np.float32)
    target[0, 20, 5], target[0, 20, 55] = 40, -40
    trust[20, 5] = trust[20, 55] = 20
    solved = diffuse(target, trust, luma, steps=200)
    # One pixel colours half a picture; the little that leaks through the edge is allowed for.
    assert np.abs(solved[0, :, :29] - 40).max() < 6
    assert np.abs(solved[0, :, 31:] + 40).max() < 6


def test_enlarging_follows_the_picture() -> None:
    luma = np.full((80, 80), 0.3, np.float32)
    luma[:, 37:] = 0.7
    ab = np.where(luma > 0.5, np.float32(30), np.float32(-10))[None]
    small_luma, small_ab = (
        cv2.resize(plane, (20, 20), interpolation=cv2.INTER_AREA) for plane in (luma, ab[0])
    )
    along = np.abs(enlarge_along(small_ab[None], small_luma, luma) - ab).mean()
    plain = np.abs(cv2.resize(small_ab, (80, 80)) - ab[0]).mean()
    assert along < 0.2 * plain


def test_what_is_spilled_comes_back() -> None:
    with Spill((2, 3), np.float16) as spill:
        spill.put(4, np.full((2, 3), 1.5))
        spill.put(1, np.arange(6).reshape(2, 3))
        assert np.array_equal(spill.get(1), [[0, 1, 2], [3, 4, 5]])
        assert spill.get(4).dtype == np.float16
        with pytest.raises(KeyError):
            spill.get(5)
        with pytest.raises(ValueError, match="shape"):
            spill.put(0, np.zeros((3, 2)))
