"""Networks streamed: the same picture whatever the window and whatever the memory."""

from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise, product
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from models.flow import flow_estimator
from models.motion import Pair
from models.neural.compute import Compute
from models.neural.reweave_way import ReweaveWay
from models.neural.rtn_way import RTNWay
from models.neural.sight import SIDE, Sight, View, padded_size, sights
from models.neural.stream import AHEAD_FRAMES, Plan, Stream
from models.neural.tiles import ANSWER_BYTES, OVERLAP_PX, Area, Canvas, areas
from models.neural.way import DAMAGE, DOUBT, Cost
from models.restorer import Footage
from tests.clips import dirtied, footage, panning
from tests.networks import untrained

Float = NDArray[np.float32]
WHOLE = 1_000_000
FRAMES = 36


@pytest.fixture(scope="module")
def film() -> Footage:
    damaged, _ = dirtied(panning(FRAMES, 64, 96))
    return footage(damaged)


def way_of(architecture: str, precision: str, opinions: int = 1) -> Any:
    compute = Compute.chosen(precision)  # type: ignore[arg-type]
    network = compute.ready(untrained(architecture))  # type: ignore[arg-type]
    made = RTNWay if architecture == "rtn" else ReweaveWay
    return made(network, compute, "grey", opinions)  # type: ignore[arg-type]


def restored(film: Footage, way: Any, plan: Plan) -> tuple[Float, Float]:
    """Every frame as the network makes it, mask or no mask, and its answers."""
    rows, columns = np.nonzero(np.ones((film.height, film.width), bool))
    frames, answers = [], []
    for sight, prepared, answer in Stream(way, plan).answers(sights(film, flow_estimator("dis"))):
        cut = answer[:, : film.height, : film.width]
        values, _ = way.values(sight, prepared, cut, rows, columns)
        frames.append(values.reshape(-1, film.height, film.width))
        answers.append(cut.copy())
    return np.stack(frames), np.stack(answers)


def plan(film: Footage, window: int, cut: tuple[Area, ...] | None = None) -> Plan:
    size = padded_size(film.height, film.width)
    return Plan(window, cut or areas(*size, SIDE, size[0] * size[1]))


@pytest.mark.parametrize(("precision", "least_equal"), [("fp32", 0.999), ("bf16", 0.997)])
@pytest.mark.parametrize("window", [2, 8, 16])
def test_the_window_does_not_show(film: Footage, window: int, precision: str, least_equal: float) -> None:
    """Harder than restoring: nobody trained the network, which mixes all three frames wherever they differ,
    and half precision rounds its shares of them to two hundred steps."""
    way = way_of("reweave", precision)
    whole, _ = restored(film, way, plan(film, WHOLE))
    seen, _ = restored(film, way, plan(film, window))
    apart = np.abs(seen - whole)
    assert (apart <= 1 / 1023).mean() >= least_equal
    source = np.stack(list(film))
    assert np.abs(whole - source).max() > 0.05  # it does something, so that there is something to compare


def test_an_unbroken_window_is_the_network_itself(film: Footage) -> None:
    way = way_of("rtn", "fp32")
    network = way._network
    seen, _ = restored(film, way, plan(film, WHOLE))
    flows = [(sight.from_before, sight.to_after) for sight in sights(film, flow_estimator("dis"))]
    forward = np.stack([pair.backward_hw2 for pair, _ in flows if pair]).transpose(0, 3, 1, 2)
    backward = np.stack([pair.forward_hw2 for _, pair in flows if pair]).transpose(0, 3, 1, 2)
    clip = torch.from_numpy(np.stack(list(film)) * 2 - 1)[None].expand(-1, -1, 3, -1, -1)
    with torch.no_grad():
        made = network(clip, torch.from_numpy(forward)[None], torch.from_numpy(backward)[None])
    assert np.abs(made.restored[0, :, :1].numpy() / 2 + 0.5 - seen).max() < 1e-4


@pytest.mark.parametrize("architecture", ["reweave", "rtn"])
def test_areas_fade_into_each_other(architecture: str) -> None:
    film = footage(dirtied(panning(10, 64, 640))[0])
    way = way_of(architecture, "fp32")
    cut = areas(64, 640, SIDE, 64 * 384)
    assert len(cut) > 1
    whole, _ = restored(film, way, plan(film, 8))
    seen, _ = restored(film, way, plan(film, 8, cut))
    apart = np.abs(seen - whole)
    assert (apart <= 4 / 1023).mean() >= 0.999
    # A seam would be a line of jumps that the whole picture does not have.
    jumps = np.abs(np.diff(seen - whole, axis=-1)).mean((0, 1, 2))
    assert jumps.max() < 1 / 1023


@pytest.mark.parametrize("architecture", ["reweave", "rtn"])
@pytest.mark.parametrize("opinions", [1, 2])
@pytest.mark.parametrize(
    ("frames", "height", "width"), [(1, 64, 64), (2, 33, 47), (9, 40, 64)], ids=["one frame", "tiny", "short"]
)
def test_short_and_small_shots(
    architecture: str, opinions: int, frames: int, height: int, width: int
) -> None:
    film = footage(panning(frames, height, width))
    way = way_of(architecture, "auto", opinions)
    made, answers = restored(film, way, plan(film, 4))
    assert made.shape == (frames, 1, height, width)
    assert np.isfinite(made).all()
    assert np.isfinite(answers).all()
    assert answers[:, 0].min() >= 0
    assert answers[:, 0].max() <= 1


@pytest.mark.parametrize("architecture", ["reweave", "rtn"])
def test_two_opinions_of_a_film_are_two_of_its_mirror_image(architecture: str) -> None:
    """What is seen straight of the one is seen mirrored of the other: their answers are each other's mirror
    image, which they are only if flow, sub-pixels and answers are all turned round."""
    clip = dirtied(panning(6, 64, 96))[0]
    mirrored = [np.ascontiguousarray(planes[:, :, ::-1]) for planes in clip]
    way = way_of(architecture, "fp32", 2)
    pairs = list(sights(footage(clip), flow_estimator("dis")))
    turned = [_turned(sight) for sight in pairs]
    answers, others = (
        [answer for *_, answer in Stream(way, plan(footage(film), 8)).answers(iter(seen))]
        for film, seen in ((clip, pairs), (mirrored, turned))
    )
    for one, other in zip(answers, others, strict=True):
        for said in (DAMAGE, DOUBT):
            apart = np.abs(one[said] - other[said, :, ::-1])
            # OpenCV samples at 32nds of a pixel, not the same ones from either side.
            assert apart.mean() < 5e-4
            assert apart.max() < 5e-3
    assert max(float(one[DOUBT].max()) for one in answers) > 0.02


def _turned(sight: Sight) -> Sight:
    """The sight in a mirror, motion and all."""

    def view(seen: View | None) -> View | None:
        return seen and replace(
            seen,
            whole_CHW=np.ascontiguousarray(seen.whole_CHW[:, :, ::-1]),
            luma_HW=np.ascontiguousarray(seen.luma_HW[:, ::-1]),
        )

    def pair(seen: Pair | None) -> Pair | None:
        if seen is None:
            return None
        flows = [
            np.ascontiguousarray(flow[:, ::-1] * np.array([-1, 1], np.float32))
            for flow in (seen.forward_hw2, seen.backward_hw2)
        ]
        errors = [np.ascontiguousarray(e[:, ::-1]) for e in (seen.forward_error_hw, seen.backward_error_hw)]
        return Pair(flows[0], flows[1], errors[0], errors[1])

    here = view(sight.here)
    assert here is not None
    return Sight(
        sight.first_frame,
        here,
        view(sight.before),
        view(sight.after),
        pair(sight.from_before),
        pair(sight.to_after),
    )


def test_memory_does_not_grow_with_the_shot() -> None:
    """No more frames are read than a window, its look-ahead and the neighbour need."""
    clip = panning(60, 32, 64)
    read = 0

    def reading() -> Iterator[Float]:
        nonlocal read
        for planes in clip:
            read += 1
            yield planes

    film = Footage(reading, len(clip), 32, 64, "grey")
    way = way_of("reweave", "fp32")
    stream = Stream(way, plan(film, 4))
    given = 0
    for _ in stream.answers(sights(film, flow_estimator("dis"))):
        # The first reading, which looks for repeats, is over by now.
        assert read - len(clip) - given <= 4 + AHEAD_FRAMES + 2
        given += 1
    assert given == len(clip)


@pytest.mark.parametrize(
    ("height", "width", "budget_mb"),
    list(product((64, 480, 1088, 3072), (64, 640, 1920, 4096), (512, 1024, 2048))),
)
def test_plans_fit_their_budget_and_cover_the_picture(height: int, width: int, budget_mb: int) -> None:
    cost = Cost(look=44.0, state=8.0, work=300.0, answers=6)
    made = Plan.fitting(height, width, cost, budget_mb << 20)
    pixels = max(area.height * area.width for area in made.areas)
    held = (made.window_frames + AHEAD_FRAMES) * cost.look + made.window_frames * cost.state + cost.work
    whole = 0.0
    if len(made.areas) > 1:
        whole = ANSWER_BYTES * cost.answers * made.window_frames * height * width
        whole += cost.state * sum(area.height * area.width for area in made.areas)
    if pixels > 520 * 520:
        assert held * pixels + whole <= 1.05 * (budget_mb << 20)
    covered = np.zeros((height, width), int)
    for area in made.areas:
        assert area.height % SIDE == area.width % SIDE == 0
        covered[area.rows, area.columns] += 1
    assert covered.min() >= 1


def test_areas_overlap_and_add_up_to_one() -> None:
    cut = areas(512, 960, SIDE, 300_000)
    assert len(cut) > 1
    assert max(area.height * area.width for area in cut) <= 300_000
    for one, other in pairwise(cut):
        if one.rows == other.rows:
            assert one.right - other.left >= OVERLAP_PX
    canvas = Canvas(cut)
    for area in cut:
        canvas.add(0, area, np.ones((2, area.height, area.width), np.float32))
    assert np.abs(canvas.taken(0) - 1).max() < 2e-3
