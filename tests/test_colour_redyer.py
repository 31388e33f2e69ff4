"""The colour network at work: it starts as `propagate`, and says the same however it is streamed.

Shape suffixes as in `models.colour.redye_way`.
"""

import weakref
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from models.colour.anchoring import Still
from models.colour.catalogue import load_colouriser
from models.colour.colouriser import Coloured, Reference
from models.colour.dyeing import UNIT, confidence, padded, quarter_flow
from models.colour.propagate import Propagate, PropagateSettings
from models.colour.redye import Dyed, Redye, Told
from models.colour.redye_way import RedyeWay, Sight, sights
from models.colour.redyer import Redyer, RedyeSettings
from models.colour.view import view
from models.colour.walk import Walk
from models.motion import Dis
from models.neural.compute import Compute
from models.neural.stream import Plan, Stream
from models.neural.tiles import Area
from models.weights import write_bundle
from tests.networks import opinionated, write_opinionated
from tests.world import HEIGHT, WIDTH, World, footage

Float = NDArray[np.float32]

FADING = PropagateSettings(grey_below=RedyeSettings().grey_below)


@pytest.fixture(scope="module")
def fresh(tmp_path_factory: pytest.TempPathFactory) -> Redyer:
    torch.manual_seed(0)
    return Redyer(write_bundle(tmp_path_factory.mktemp("fresh") / "b", Redye.from_config("redye")))


@pytest.fixture(scope="module")
def redyer(tmp_path_factory: pytest.TempPathFactory) -> Redyer:
    bundle = write_opinionated(tmp_path_factory.mktemp("redye") / "b")
    return load_colouriser(str(bundle.folder))  # type: ignore[return-value]


def coloured(redyer: Redyer, lumas: Sequence[Float], *stills: Reference) -> list[Coloured]:
    return list(redyer.colour(footage(lumas), stills))


@pytest.mark.parametrize("frames", [(4,), (1, 7)], ids=["one still", "two"])
def test_it_starts_as_propagate(fresh: Redyer, frames: tuple[int, ...]) -> None:
    world = World(1, 9)
    stills = [world.still(frame) for frame in frames]
    lumas = world.shot(range(9))
    plain = Propagate(FADING).colour(footage(lumas), stills)
    for one, other in zip(coloured(fresh, lumas, *stills), plain, strict=True):
        assert_near(one, other)


def assert_near(one: Coloured, plain: Coloured) -> None:
    """What an untrained network makes of a frame beside what `propagate` makes."""
    apart_HW = np.hypot(*(one.ab_2HW - plain.ab_2HW))
    # Of colours 50 apart: an untaught match, and grey, have a two-hundredth of the say where all is sure.
    assert apart_HW[plain.confidence_HW > 0.7].max() < 0.5
    assert apart_HW.mean() < 0.3
    assert np.abs(one.confidence_HW - plain.confidence_HW).max() < 0.02


def test_no_colour_comes_out_that_no_still_has(redyer: Redyer) -> None:
    world = World(4, 10)
    results = coloured(redyer, world.shot(range(10)), world.still(3), world.still(8))
    for plane, least, most in ((0, -25, 30), (1, -30, 20)):
        values = np.stack([one.ab_2HW[plane] for one in results])
        # What is filled in is solved in thirty steps, and may still swing a little.
        assert least - 0.2 <= values.min() < 0 < values.max() <= most + 0.2
    sure = np.stack([one.confidence_HW for one in results])
    assert sure.min() >= 0
    assert sure.max() <= 1


@pytest.mark.parametrize("window", [2, 8])
def test_streamed_it_says_what_it_says_of_the_whole_shot(window: int) -> None:
    world = World(5, 16)
    walk = Walk(footage(world.shot(range(16))), [world.still(2), world.still(9)], 640, Dis())
    shown = list(sights(walk.steps()))
    network = opinionated()
    way = RedyeWay(network, Compute(torch.device("cpu"), torch.float32), walk.stills)
    height, width = shown[0].known.luma_HW.shape
    plan = Plan(window, (Area(0, height, 0, width),))
    streamed = np.stack([answer.copy() for *_, answer in Stream(way, plan).answers(iter(shown))])
    found = whole(network, shown, walk.stills)
    assert np.abs(streamed[:, :2] / UNIT - found.ab_N2HW.numpy()).max() < 2e-3
    sure = confidence(found.spread_N1HW[:, 0].numpy()) * (1 - found.shares_NKHW[:, 3].numpy())
    assert np.abs(streamed[:, 2] - sure).max() < 2e-3


def whole(network: Redye, shown: Sequence[Sight], stills: Sequence[Still]) -> Dyed:
    """All frames at once, as training has them."""

    def stacked(of: Callable[[Sight], Float]) -> torch.Tensor:
        return torch.from_numpy(np.stack([of(sight) for sight in shown]))[None]

    still_flow = np.zeros((2, shown[0].known.luma_HW.shape[0] // 4, shown[0].known.luma_HW.shape[1] // 4))
    told = Told(
        stacked(lambda sight: sight.known.planes()),
        stacked(lambda sight: sight.known.luma_HW[None]),
        stacked(lambda sight: sight.known.sources_4HW),
        stacked(lambda sight: sight.known.prior()),
    )
    flows = [
        stacked(lambda sight: still_flow if sight.met is None else quarter_flow(sight.met.flow_hw2)),
        stacked(lambda sight: still_flow if sight.to_next_2qr is None else sight.to_next_2qr),
    ]
    lumas = torch.from_numpy(np.stack([padded(still.view.luma_hw[None]) for still in stills]))[None]
    ab = torch.from_numpy(np.stack([padded(still.ab_2hw) for still in stills]))[None] / UNIT
    with torch.inference_mode():
        found: Dyed = network(told, *flows, lumas, ab)
    return found


def test_a_still_is_given_back_as_it_was_painted(redyer: Redyer) -> None:
    world = World(6, 8)
    results = coloured(redyer, world.shot(range(8)), world.still(3))
    assert np.array_equal(results[3].ab_2HW, world.colour(3))
    assert results[3].confidence_HW.min() == 1
    assert not np.array_equal(results[4].ab_2HW, world.colour(4))


def test_sizes_that_nothing_divides_are_padded(fresh: Redyer) -> None:
    world = World(7, 5)
    lumas = [np.ascontiguousarray(luma[:75, :101]) for luma in world.shot(range(5))]
    still = Reference(world.colour(2)[:, :75, :101], lumas[2], 2)
    plain = Propagate(FADING).colour(footage(lumas), [still])
    for one, other in zip(coloured(fresh, lumas, still), plain, strict=True):
        assert one.ab_2HW.shape == (2, 75, 101)
        assert_near(one, other)


def test_frames_beyond_the_working_size_are_coloured_at_their_own(tmp_path: Path) -> None:
    torch.manual_seed(0)
    bundle = write_bundle(tmp_path / "b", Redye.from_config("redye"), {"work_px": 72})
    world = World(8, 4)
    lumas = world.shot(range(4))
    plain = Propagate(replace(FADING, work_px=72)).colour(footage(lumas), [world.still(1)])
    for one, other in zip(coloured(Redyer(bundle), lumas, world.still(1)), plain, strict=True):
        assert one.ab_2HW.shape == (2, HEIGHT, WIDTH)
        assert_near(one, other)


def test_an_answer_that_holds_no_numbers_is_an_error(tmp_path: Path) -> None:
    redyer = Redyer(write_opinionated(tmp_path / "b"))
    with torch.no_grad():
        redyer._network.head.bias.fill_(float("nan"))
    world = World(8, 4)
    with pytest.raises(ArithmeticError, match="frame 0 of the shot holds no numbers; cpu float32 may"):
        coloured(redyer, world.shot(range(4)), world.still(1))


def test_the_same_again_is_the_same(redyer: Redyer) -> None:
    world = World(9, 12)
    lumas = world.shot(range(12))
    once, again = (coloured(redyer, lumas, world.still(5)) for _ in range(2))
    for one, other in zip(once, again, strict=True):
        assert np.array_equal(one.ab_2HW, other.ab_2HW)
        assert np.array_equal(one.confidence_HW, other.confidence_HW)


def test_repeated_frames_have_the_same_colour(redyer: Redyer) -> None:
    world = World(10, 6)
    lumas = [luma for luma in world.shot(range(6)) for _ in range(2)]
    results = coloured(redyer, lumas, world.still(4, at=8))
    assert len(results) == 12
    for first, second in zip(results[::2], results[1::2], strict=True):
        assert np.array_equal(first.ab_2HW, second.ab_2HW)


def test_a_still_of_another_shot_colours_where_it_fits(fresh: Redyer) -> None:
    world = World(5, 30)
    results = coloured(fresh, world.shot(range(12)), world.still(14, told=False))
    apart_HW = np.hypot(*(results[11].ab_2HW - world.colour(11)))
    assert np.median(apart_HW[:, 12:]) < 1
    assert results[11].confidence_HW[:, 12:].mean() > 0.6
    assert results[11].confidence_HW.max() < 1


def test_colours_are_looked_up_in_the_nearest_stills_and_those_of_other_shots_last() -> None:
    world = World(11, 12)
    stills = [
        Still(view(world.shot([0])[0], Dis()), world.colour(0), frame) for frame in (None, 0, 40, 10, 30, 20)
    ]
    way = RedyeWay(opinionated(), Compute(torch.device("cpu"), torch.float32), stills)
    assert [cells.frame for cells in way._near(28)] == [30, 20, 40, 10]
    few = RedyeWay(opinionated(), Compute(torch.device("cpu"), torch.float32), stills[:3])
    assert [cells.frame for cells in few._near(28)] == [40, 0, None]


def test_what_is_held_does_not_grow_with_the_shot(redyer: Redyer, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[weakref.ref[Sight]] = []
    held: list[int] = []

    def watched(*given: Any) -> Iterator[Sight]:
        for sight in sights(*given):
            seen.append(weakref.ref(sight))
            held.append(sum(ref() is not None for ref in seen))
            yield sight

    monkeypatch.setattr("models.colour.redye_way.sights", watched)
    world = World(12, 40, step_px=1)
    for _ in redyer.colour(
        footage([luma[:64, :64] for luma in world.shot(range(40))]), [cut(world.still(39))]
    ):
        pass
    assert len(seen) == 40
    # A window of 8, 7 ahead, one on its way in and one on its way out.
    assert max(held) <= 17


def cut(still: Reference) -> Reference:
    return Reference(still.ab_2HW[:, :64, :64], still.luma_HW[:64, :64], still.frame)
