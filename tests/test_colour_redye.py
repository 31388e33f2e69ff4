"""The colour network: it starts as `propagate`, picks and never paints, and is the same however streamed.

Shape suffixes as in `models.colour.redye`.
"""

import json
import subprocess
import sys
import weakref
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from models.catalogue import load_restorer
from models.colour.anchoring import Still
from models.colour.carry import State
from models.colour.catalogue import UnknownColouriser, load_colouriser, resolved
from models.colour.colouriser import Coloured, Reference
from models.colour.dyeing import UNIT, confidence, evidence, padded
from models.colour.propagate import Propagate, PropagateSettings
from models.colour.redye import FUTURE, MATCH, PAST, Dyed, Redye, Told, along_luma
from models.colour.redye_way import RedyeWay, Sight, sights
from models.colour.redyer import Redyer
from models.colour.view import view
from models.colour.walk import Reached, Side, Walk
from models.errors import UnknownRestorer
from models.motion import Dis
from models.neural.compute import Compute
from models.neural.reweave import Reweave, ReweaveConfig
from models.neural.stream import Plan, Stream
from models.neural.tiles import Area
from models.weights import CONFIG, write_bundle
from tests.networks import opinionated
from tests.world import HEIGHT, WIDTH, World, footage

Float = NDArray[np.float32]


@pytest.fixture(scope="module")
def fresh(tmp_path_factory: pytest.TempPathFactory) -> Redyer:
    torch.manual_seed(0)
    return Redyer(write_bundle(tmp_path_factory.mktemp("fresh") / "b", Redye.from_config("redye")))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle of a network that says something of its own."""
    folder = tmp_path_factory.mktemp("redye") / "b"
    write_bundle(folder, opinionated(), {"precision": "fp32"})
    return folder


@pytest.fixture(scope="module")
def redyer(folder: Path) -> Redyer:
    return load_colouriser(str(folder))  # type: ignore[return-value]


def coloured(redyer: Redyer, lumas: Sequence[Float], *stills: Reference) -> list[Coloured]:
    return list(redyer.colour(footage(lumas), stills))


@pytest.mark.parametrize("frames", [(4,), (1, 7)], ids=["one still", "two"])
def test_it_starts_as_propagate(fresh: Redyer, frames: tuple[int, ...]) -> None:
    world = World(1, 9)
    stills = [world.still(frame) for frame in frames]
    lumas = world.shot(range(9))
    plain = Propagate().colour(footage(lumas), stills)
    for one, other in zip(coloured(fresh, lumas, *stills), plain, strict=True):
        assert_near(one, other)


def assert_near(one: Coloured, plain: Coloured) -> None:
    """What an untrained network makes of a frame beside what `propagate` makes."""
    apart_HW = np.hypot(*(one.ab_2HW - plain.ab_2HW))
    # Of colours 50 apart: an untaught match, and grey, have a two-hundredth of the say where all is sure.
    assert apart_HW[plain.confidence_HW > 0.7].max() < 0.5
    assert apart_HW.mean() < 0.3
    assert np.abs(one.confidence_HW - plain.confidence_HW).max() < 0.02


def test_a_side_that_is_absent_has_no_share() -> None:
    world = World(2, 4)
    state = State(world.colour(0), np.full((HEIGHT, WIDTH), 0.8, np.float32))
    network = opinionated()
    for reached, absent in (
        (Reached(Side(state, 3), None), FUTURE),
        (Reached(None, Side(state, 3)), PAST),
    ):
        shares_KHW = dyed(network, world, reached).shares_NKHW[0]
        assert shares_KHW[absent].max() == 0
        assert shares_KHW[MATCH].min() > 0
        assert torch.allclose(shares_KHW.sum(0), torch.ones(()))
    both = dyed(network, world, Reached(Side(state, 3), Side(state, 5)))
    assert both.shares_NKHW[0].amin((1, 2)).min() > 0


def dyed(network: Redye, world: World, reached: Reached) -> Dyed:
    """The first frame of a world as a shot of its own, with itself as the still."""
    known = evidence(world.shot([0])[0], reached)
    planes = known.planes(), known.luma_HW[None], known.sources_4HW, known.prior()
    told = Told(*(torch.from_numpy(plane)[None, None] for plane in planes))
    rest_NT2qr = torch.zeros(1, 1, 2, known.luma_HW.shape[0] // 4, known.luma_HW.shape[1] // 4)
    ab_2HW = torch.from_numpy(padded(world.colour(0) / np.float32(UNIT)))
    with torch.inference_mode():
        found: Dyed = network(told, rest_NT2qr, rest_NT2qr, told.luma_N1HW, ab_2HW[None, None])
    return found


def test_what_it_puts_on_a_frame_stands_in_the_stills_or_a_few_pixels_beside() -> None:
    world = World(3, 4)
    rng = np.random.default_rng(3)
    states = [
        State(
            rng.uniform(-60, 60, (2, HEIGHT, WIDTH)).astype(np.float32), np.ones((HEIGHT, WIDTH), np.float32)
        )
        for _ in range(2)
    ]
    found = dyed(opinionated(), world, Reached(Side(states[0], 2), Side(states[1], 2)))
    near = np.ones((11, 11), np.uint8)
    for plane, ab_HW in enumerate(found.ab_N2HW[0].numpy()):
        sources = [padded(state.ab_2hw)[plane] / np.float32(UNIT) for state in states]
        other = found.match_N2HW[0, plane].numpy(), 0 * ab_HW
        least_HW = np.min([*(cv2.erode(source, near) for source in sources), *other], 0)
        most_HW = np.max([*(cv2.dilate(source, near) for source in sources), *other], 0)
        assert (ab_HW >= least_HW - 1e-5).all()
        assert (ab_HW <= most_HW + 1e-5).all()
    assert found.shares_NKHW.amax(1).median() < 0.95  # it mixes
    still_2HW = world.colour(0) / UNIT
    for match_HW, still_HW in zip(found.match_N2HW[0].numpy(), still_2HW, strict=True):
        assert still_HW.min() - 1e-5 <= match_HW.min()
        assert match_HW.max() <= still_HW.max() + 1e-5


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
    shown = list(sights(walk.steps(), walk.stills, Dis()))
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
        stacked(lambda sight: still_flow if sight.to_previous_2qr is None else sight.to_previous_2qr),
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
    plain = Propagate().colour(footage(lumas), [still])
    for one, other in zip(coloured(fresh, lumas, still), plain, strict=True):
        assert one.ab_2HW.shape == (2, 75, 101)
        assert_near(one, other)


def test_frames_beyond_the_working_size_are_coloured_at_their_own(tmp_path: Path) -> None:
    torch.manual_seed(0)
    bundle = write_bundle(tmp_path / "b", Redye.from_config("redye"), {"work_px": 72})
    world = World(8, 4)
    lumas = world.shot(range(4))
    plain = Propagate(PropagateSettings(work_px=72)).colour(footage(lumas), [world.still(1)])
    for one, other in zip(coloured(Redyer(bundle), lumas, world.still(1)), plain, strict=True):
        assert one.ab_2HW.shape == (2, HEIGHT, WIDTH)
        assert_near(one, other)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16], ids=["bf16", "fp16"])
def test_what_decides_keeps_its_bits_in_any_precision(dtype: torch.dtype) -> None:
    network, exact = opinionated(), opinionated()
    network.compute_in(dtype)
    assert network.fine_in.weight.dtype == network.describe.out.weight.dtype == dtype
    assert torch.equal(network.head.weight, exact.head.weight)
    assert torch.equal(network.log_sharpness, exact.log_sharpness)


def test_an_answer_that_holds_no_numbers_is_an_error(tmp_path: Path) -> None:
    redyer = Redyer(write_bundle(tmp_path / "b", opinionated(), {"precision": "fp32"}))
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


def test_a_cell_finds_itself_whatever_lot_it_is_in() -> None:
    network = opinionated()
    with torch.inference_mode():
        network.log_sharpness.fill_(9.0)
        features = torch.nn.functional.normalize(torch.randn(1, 700, 32), dim=2)
        ab = torch.rand(1, 700, 2)
        told = network.read_match(features, features.flip(1), ab.flip(1))
        assert torch.allclose(told[..., :2], ab, atol=1e-3)
        assert torch.allclose(told[..., 2], torch.ones(()))
        network.log_sharpness.fill_(-9.0)
        even = network.read_match(features, features, ab)
        assert torch.allclose(even[..., :2], ab.mean(1, keepdim=True).expand_as(ab), atol=1e-2)
        twice = network.read_match(features, features.repeat(1, 2, 1), ab.repeat(1, 2, 1))
        assert torch.allclose(even, twice, atol=1e-5)


def test_cells_are_enlarged_along_luma() -> None:
    luma = torch.full((1, 1, 64, 96), 0.3)
    luma[..., 44:] = 0.7
    ab = torch.where(luma > 0.5, 0.6, -0.2).repeat(1, 2, 1, 1)
    cells = torch.nn.functional.avg_pool2d(ab, 8)
    large = along_luma(cells, luma)
    assert large.shape == ab.shape
    assert (large - ab)[..., :40].abs().max() < 0.02
    assert (large - ab)[..., 48:].abs().max() < 0.02
    plain = torch.nn.functional.interpolate(cells, scale_factor=8, mode="bilinear")
    assert (large - ab).abs().mean() < 0.7 * (plain - ab).abs().mean()


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


def test_a_bundle_is_a_colouriser_and_its_card_tells_all(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder.parent)
    assert resolved("./b") == resolved("b") == str(folder)
    card = load_colouriser("./b").card
    assert card.name == "redye"
    assert card.weights_sha256 == json.loads((folder / CONFIG).read_text())["sha256"]
    told = {"work_px": 640, "grey_below": 0.1, "flow": "dis", "precision": "fp32", "sizes.channels": 48}
    assert told.items() <= card.parameters.items()
    with pytest.raises(UnknownRestorer, match="--colouriser"):
        load_restorer("./b")


@pytest.mark.parametrize(
    ("name", "settings", "told"),
    [
        pytest.param("redye-x", {}, "there is no such colouriser", id="unknown"),
        pytest.param("./nowhere", {}, "no such directory", id="missing"),
        pytest.param("reweave", {}, "holds reweave, which restores", id="a restorer's"),
        pytest.param("b", {"sure": 0.5}, "no setting is called sure", id="a setting there is not"),
        pytest.param("b", {"work_px": 8}, "work_px must be 64", id="a setting that cannot be"),
    ],
)
def test_what_cannot_colour_is_refused_in_one_line(
    name: str, settings: dict[str, Any], told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    small = ReweaveConfig(channels=16, fine_channels=8, heads=2, look_blocks=1, view_blocks=1)
    write_bundle(tmp_path / "reweave", Reweave(small))
    write_bundle(tmp_path / "b", opinionated(), settings)
    with pytest.raises(UnknownColouriser) as error:
        load_colouriser(name)
    assert told in str(error.value)
    assert "\n" not in str(error.value)


def test_the_door_needs_no_torch(folder: Path) -> None:
    code = (
        "import sys; from models.colour.catalogue import load_colouriser; load_colouriser(sys.argv[1]).card; "
        "import tasks.colouring.request; print('torch' in sys.modules)"
    )
    run = subprocess.run([sys.executable, "-c", code, str(folder)], capture_output=True, text=True)
    assert (run.stdout.strip(), run.stderr) == ("False", "")
