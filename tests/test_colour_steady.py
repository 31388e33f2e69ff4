"""Colour that boils is steadied along motion; what is meant to change, or is not the same thing, is not."""

import numpy as np
import pytest
from numpy.typing import NDArray

from models.colour.carry import State
from models.colour.propagate import Propagate
from models.colour.steady import Steady
from models.colour.view import Meeting, meeting, view
from models.metrics.colour import chroma_flicker
from models.metrics.steadiness import motion_of
from models.motion import Dis
from tests.world import HEIGHT, WIDTH, World, footage

Float = NDArray[np.float32]

STILL = Meeting(*np.zeros((2, HEIGHT, WIDTH, 2), np.float32), np.ones((HEIGHT, WIDTH), np.float32))


def state(ab_2HW: Float, sure: float = 0.8) -> State:
    return State(ab_2HW.astype(np.float32), np.full(ab_2HW.shape[1:], sure, np.float32))


def flat(a: float, b: float = 0.0) -> Float:
    return np.broadcast_to(np.array([[[a]], [[b]]], np.float32), (2, HEIGHT, WIDTH))


def test_what_boils_comes_to_rest() -> None:
    rng = np.random.default_rng(1)
    steady = Steady()
    noisy = [flat(20) + rng.normal(0, 0.5, (2, HEIGHT, WIDTH)) for _ in range(20)]
    rested = [steady.keep(state(ab_2HW), STILL if n else None, own=False) for n, ab_2HW in enumerate(noisy)]
    # 0.7 of the frame before leaves noise sqrt(0.3 / 1.7) of its spread; what lies apart stays a little.
    assert 0.40 < rested[-1].ab_2hw[0].std() / noisy[-1][0].std() < 0.47
    assert rested[-1].ab_2hw[0].mean() == pytest.approx(20, abs=0.05)


def test_it_goes_along_with_what_moves() -> None:
    world = World(31, 2)
    here, after = (view(luma, Dis()) for luma in world.shot(range(2)))
    steady = Steady()
    steady.keep(state(world.colour(0)), None, own=False)
    rested = steady.keep(state(world.colour(1) + np.float32(1)), meeting(here, after, Dis()), own=False)
    apart = rested.ab_2hw - world.colour(1)
    # It was 1: what is left is 0.3 of that and a little more, but for what came in.
    assert np.median(apart) == pytest.approx(0.35, abs=0.04)
    assert np.median(apart[..., -1]) == pytest.approx(1, abs=0.05)


@pytest.mark.parametrize("change", [(30, 0), (-30, 0), (0, 40)], ids=["redder", "greener", "yellower"])
def test_another_colour_comes_at_once(change: tuple[float, float]) -> None:
    steady = Steady()
    steady.keep(state(flat(0)), None, own=False)
    after = state(flat(*change))
    assert np.allclose(steady.keep(after, STILL, own=False).ab_2hw, after.ab_2hw, atol=1e-3)


def test_another_thing_is_left_alone() -> None:
    steady = Steady()
    steady.keep(state(flat(20)), None, own=False)
    other = STILL.met_hw.copy()
    other[:, : WIDTH // 2] = 0
    rested = steady.keep(state(flat(22), sure=0.4), Meeting(STILL.flow_hw2, STILL.back_hw2, other), own=False)
    assert np.all(rested.ab_2hw[0, :, : WIDTH // 2] == 22)
    assert np.all(rested.confidence_hw[:, : WIDTH // 2] == np.float32(0.4))
    assert np.all(rested.ab_2hw[0, :, WIDTH // 2 :] < 21)
    assert np.all(rested.confidence_hw[:, WIDTH // 2 :] > 0.5)


def test_a_still_is_given_as_it_is_and_heard_afterwards() -> None:
    steady = Steady()
    steady.keep(state(flat(20)), None, own=False)
    painted = state(flat(22))
    assert steady.keep(painted, STILL, own=True) is painted
    assert np.all(steady.keep(state(flat(20)), STILL, own=False).ab_2hw[0] > 21)


def test_propagate_flickers_less_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(5)
    world = World(32, 16)
    lumas = world.shot(range(16))
    grainy = [np.clip(luma + rng.normal(0, 0.03, luma.shape), 0, 1).astype(np.float32) for luma in lumas]
    motion = list(motion_of(footage(lumas)))

    def flicker() -> float:
        results = Propagate().colour(footage(grainy), [world.still(0)])
        return chroma_flicker((one.ab_2HW for one in results), motion)

    rested = flicker()
    monkeypatch.setattr("models.colour.steady._KEPT", 0.0)
    assert rested < 0.9 * flicker()
