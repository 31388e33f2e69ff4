"""The colour network: it picks and never paints.

Shape suffixes as in `models.colour.redye`.
"""

import cv2
import numpy as np
import pytest
import torch

from models.colour.carry import State
from models.colour.dyeing import UNIT, evidence, padded
from models.colour.redye import FUTURE, MATCH, PAST, Dyed, Redye, Told, along_luma
from models.colour.walk import Reached, Side
from tests.networks import opinionated
from tests.world import HEIGHT, WIDTH, World


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


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16], ids=["bf16", "fp16"])
def test_what_decides_keeps_its_bits_in_any_precision(dtype: torch.dtype) -> None:
    network, exact = opinionated(), opinionated()
    network.compute_in(dtype)
    assert network.fine_in.weight.dtype == network.describe.out.weight.dtype == dtype
    assert torch.equal(network.head.weight, exact.head.weight)
    assert torch.equal(network.log_sharpness, exact.log_sharpness)


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
