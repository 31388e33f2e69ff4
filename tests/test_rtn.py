"""RTN: the reference's numbers, and what the reference's numbers cannot show."""

from itertools import product
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import load_file
from torch import Tensor

from models.rtn import RTN
from models.swin import SwinBlock, SwinGroup, SwinSizes
from models.warp import warp

GOLDEN = Path(__file__).parents[2] / "shared/golden/rtn.safetensors"
needs_golden = pytest.mark.skipif(not GOLDEN.is_file(), reason="needs the golden numbers beside the checkout")


@pytest.fixture(scope="module")
def golden() -> dict[str, Tensor]:
    return load_file(GOLDEN)


@pytest.fixture(scope="module")
def published(golden: dict[str, Tensor]) -> RTN:
    network = RTN.from_config("rtn-paper")
    weights = {k.removeprefix("weights."): v for k, v in golden.items() if k.startswith("weights.")}
    network.load_published(weights)
    return network.eval()


@needs_golden
@pytest.mark.parametrize("mode", [torch.no_grad, torch.enable_grad], ids=["inference", "training"])
def test_the_reference_is_reproduced(published: RTN, golden: dict[str, Tensor], mode: type) -> None:
    with mode():
        made = published(golden["frames"], golden["forward_flow"], golden["backward_flow"])
    assert (made.restored - golden["restored"]).abs().max() <= 1e-4
    assert (made.forward_mask - golden["forward_mask"]).abs().max() <= 1e-5
    assert (made.backward_mask - golden["backward_mask"]).abs().max() <= 1e-5


@needs_golden
def test_a_batch_is_its_items(published: RTN, golden: dict[str, Tensor]) -> None:
    inputs = [golden[name] for name in ("frames", "forward_flow", "backward_flow")]
    flipped = [tensor.flip(3) for tensor in inputs]
    with torch.no_grad():
        both = published(*(torch.cat(pair) for pair in zip(inputs, flipped, strict=True)))
        each = [published(*inputs).restored, published(*flipped).restored]
    assert (both.restored - torch.cat(each)).abs().max() < 1e-5


def test_it_has_the_published_size() -> None:
    network = RTN.from_config("rtn-paper")
    assert sum(weight.numel() for weight in network.parameters()) == 921_205
    parts = {
        "encoder": network.forward_pass.encoder,
        "refiner": network.forward_pass.refiner,
        "decoder": network.decoder,
    }
    counts = {name: sum(weight.numel() for weight in part.parameters()) for name, part in parts.items()}
    assert counts == {"encoder": 448, "refiner": 451_688, "decoder": 12_019}


@pytest.mark.parametrize("frames", [1, 2, 5])
@pytest.mark.parametrize(("height", "width"), [(16, 16), (64, 96), (48, 80)])
def test_any_length_and_any_size_of_the_right_multiple(frames: int, height: int, width: int) -> None:
    clip = torch.rand(1, frames, 3, height, width) * 2 - 1
    flow = torch.randn(1, frames - 1, 2, height, width)
    with torch.no_grad():
        made = RTN.from_config("rtn-paper")(clip, flow, flow)
    assert made.restored.shape == clip.shape
    assert made.forward_mask.shape == made.backward_mask.shape == (1, frames, 1, height, width)
    assert made.restored.abs().max() <= 1


@pytest.mark.parametrize(
    ("frames", "flow", "told"),
    [
        pytest.param((1, 3, 3, 60, 64), (1, 2, 2, 60, 64), "multiples of 16", id="size"),
        pytest.param((1, 3, 1, 64, 64), (1, 2, 2, 64, 64), "takes 3", id="channels"),
        pytest.param((1, 3, 3, 64, 64), (1, 3, 2, 64, 64), "forward flow", id="flows for another length"),
        pytest.param((1, 0, 3, 64, 64), (1, 0, 2, 64, 64), "none of them 0", id="no frames"),
    ],
)
def test_what_does_not_fit_is_told(frames: tuple[int, ...], flow: tuple[int, ...], told: str) -> None:
    with pytest.raises(ValueError, match=told):
        RTN.from_config("rtn-paper")(torch.zeros(frames), torch.zeros(flow), torch.zeros(flow))


def plain_block(block: SwinBlock, features_NCHW: Tensor, window: int, shift: int) -> Tensor:
    """A Swin block pixel by pixel: who sees whom is decided from places, not by rolling and masks."""
    _, channels, height, width = features_NCHW.shape
    tokens = features_NCHW[0].permute(1, 2, 0)
    qkv = block.attention.qkv(block.norm1(tokens)).view(height, width, 3, block.attention.heads, -1)
    mixed = torch.empty(height, width, channels)

    def home(place: int) -> int:
        return (place + window - shift) // window if shift else place // window

    for row, column in product(range(height), range(width)):
        rows = [r for r in range(height) if home(r) == home(row)]
        columns = [c for c in range(width) if home(c) == home(column)]
        seen = list(product(rows, columns))
        query = qkv[row, column, 0]
        key = torch.stack([qkv[r, c, 1] for r, c in seen])
        value = torch.stack([qkv[r, c, 2] for r, c in seen])
        offsets = [(row - r + window - 1) * (2 * window - 1) + column - c + window - 1 for r, c in seen]
        score = torch.einsum("ad,lad->la", query, key) / query.shape[-1] ** 0.5
        share = (score + block.attention.offset_bias[offsets]).softmax(0)
        mixed[row, column] = torch.einsum("la,lad->ad", share, value).reshape(-1)
    tokens = tokens + block.attention.proj(mixed)
    tokens = tokens + block.fc2(F.gelu(block.fc1(block.norm2(tokens))))
    return tokens.permute(2, 0, 1)[None]


@pytest.mark.parametrize("grad", [False, True], ids=["in place", "with gradients"])
def test_a_swin_group_is_what_swin_says(grad: bool) -> None:
    torch.manual_seed(0)
    group = SwinGroup(SwinSizes(channels=8, groups=1, blocks=2, heads=2, window_px=4))
    features = torch.randn(1, 8, 8, 12)
    with torch.no_grad():
        wanted = plain_block(group.blocks[0], features, 4, 0)  # type: ignore[arg-type]
        wanted = plain_block(group.blocks[1], wanted, 4, 2)  # type: ignore[arg-type]
        wanted = group.conv(wanted) + features
    with torch.set_grad_enabled(grad):
        assert (group(features) - wanted).abs().max() < 1e-5


def test_warping_brings_the_neighbour_here() -> None:
    image = torch.arange(24.0).view(1, 1, 4, 6)
    flow = torch.zeros(1, 2, 4, 6)
    flow[:, 0], flow[:, 1] = 1.5, 1.0
    here = warp(image, flow)
    assert float(here[0, 0, 0, 0]) == pytest.approx(
        (image[0, 0, 1, 1] + image[0, 0, 1, 2]).item() / 2, abs=1e-4
    )
    assert here[0, 0, 3].abs().max() < 1e-4  # below the picture there is nothing
    assert float(warp(image, flow, "border")[0, 0, 3, 5]) == pytest.approx(23, abs=1e-4)
