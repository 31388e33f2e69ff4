"""Flow behind one interface: what estimators make of pictures of any size, and of files that do not fit."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from safetensors.torch import save_file
from torchvision.models.optical_flow import (
    Raft_Large_Weights,
    Raft_Small_Weights,
    raft_large,
    raft_small,
)

from models.errors import WeightsError
from models.flow import FLOWS, FlowEstimator, FlowName, flow_estimator, flow_name, flow_weights
from models.motion import enlarge_flow, length
from models.raft import Raft, Size
from tests.clips import texture

_NETWORKS = {"small": raft_small, "large": raft_large}


def _conv(name: str, out: int, into: int, tall: int, wide: int | None = None) -> dict[str, tuple[int, ...]]:
    return {f"{name}.weight": (out, into, tall, wide or tall), f"{name}.bias": (out,)}


def _norm(name: str, channels: int) -> dict[str, tuple[int, ...]]:
    parts = ("weight", "bias", "running_mean", "running_var")
    return {**{f"{name}.{part}": (channels,) for part in parts}, f"{name}.num_batches_tracked": ()}


def _encoder(name: str, widths: tuple[int, ...], bottleneck: bool, norms: bool) -> dict[str, tuple[int, ...]]:
    first, last = widths[0], widths[-1]
    shapes = _conv(f"{name}.conv1", first, 3, 7) | _conv(f"{name}.conv2", last, widths[-2], 1)
    if norms:
        shapes |= _norm(f"{name}.norm1", first)
    into = first
    for n, out in enumerate(widths[1:-1], 1):
        for half in (0, 1):
            block = f"{name}.layer{n}.{half}"
            if bottleneck:
                shapes |= _conv(f"{block}.conv1", out // 4, into, 1)
                shapes |= _conv(f"{block}.conv2", out // 4, out // 4, 3)
                shapes |= _conv(f"{block}.conv3", out, out // 4, 1)
            else:
                shapes |= _conv(f"{block}.conv1", out, into, 3) | _conv(f"{block}.conv2", out, out, 3)
            halves = n > 1 and half == 0
            if halves:
                shapes |= _conv(f"{block}.downsample.0", out, into, 1)
            if norms:
                shapes |= _norm(f"{block}.norm1", out) | _norm(f"{block}.norm2", out)
                if halves:
                    shapes |= _norm(f"{block}.norm3", out) | _norm(f"{block}.downsample.1", out)
            into = out
    return shapes


def _published_shapes(size: Size) -> dict[str, tuple[int, ...]]:
    """Names and shapes of the authors' own checkpoints, without their prefix."""
    block = "update_block"
    if size == "small":
        shapes = _encoder("fnet", (32, 32, 64, 96, 128), True, False)
        shapes |= _encoder("cnet", (32, 32, 64, 96, 160), True, False)
        shapes |= _conv(f"{block}.encoder.convc1", 96, 196, 1)
        shapes |= _conv(f"{block}.encoder.convf1", 64, 2, 7) | _conv(f"{block}.encoder.convf2", 32, 64, 3)
        shapes |= _conv(f"{block}.encoder.conv", 80, 128, 3)
        for gate in "zrq":
            shapes |= _conv(f"{block}.gru.conv{gate}", 96, 242, 3)
        return (
            shapes
            | _conv(f"{block}.flow_head.conv1", 128, 96, 3)
            | _conv(f"{block}.flow_head.conv2", 2, 128, 3)
        )
    shapes = _encoder("fnet", (64, 64, 96, 128, 256), False, False)
    shapes |= _encoder("cnet", (64, 64, 96, 128, 256), False, True)
    shapes |= _conv(f"{block}.encoder.convc1", 256, 324, 1) | _conv(f"{block}.encoder.convc2", 192, 256, 3)
    shapes |= _conv(f"{block}.encoder.convf1", 128, 2, 7) | _conv(f"{block}.encoder.convf2", 64, 128, 3)
    shapes |= _conv(f"{block}.encoder.conv", 126, 256, 3)
    for gate in "zrq":
        shapes |= _conv(f"{block}.gru.conv{gate}1", 128, 384, 1, 5)
        shapes |= _conv(f"{block}.gru.conv{gate}2", 128, 384, 5, 1)
    shapes |= _conv(f"{block}.flow_head.conv1", 256, 128, 3) | _conv(f"{block}.flow_head.conv2", 2, 256, 3)
    return shapes | _conv(f"{block}.mask.0", 256, 128, 3) | _conv(f"{block}.mask.2", 576, 256, 1)


def _published(size: Size, prefix: str) -> dict[str, torch.Tensor]:
    torch.manual_seed(1)
    state = {
        name: 0.1 * torch.rand(shape) if shape else torch.tensor(7)
        for name, shape in _published_shapes(size).items()
    }
    for name in state:
        if ".norm3." in name:
            state[name] = state[name.replace(".norm3.", ".downsample.1.")]
    return {prefix + name: weight for name, weight in state.items()}


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    """As in a worker; threads that share their cores with others wait for each other."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def estimators(tmp_path_factory: pytest.TempPathFactory) -> dict[FlowName, FlowEstimator]:
    return {
        "dis": flow_estimator("dis", 96),
        "raft-small": Raft.untrained("small", 2, 96),
        "raft-large": Raft.untrained("large", 2, 96),
    }


@pytest.mark.parametrize("name", FLOWS)
@pytest.mark.parametrize(
    ("height", "width"),
    [
        pytest.param(1, 1, id="one pixel"),
        pytest.param(7, 90, id="a strip"),
        pytest.param(61, 83, id="odd and small"),
        pytest.param(300, 201, id="larger than the bound"),
    ],
)
def test_flow_is_finite_and_bounded_at_any_size(
    estimators: dict[FlowName, FlowEstimator], name: FlowName, height: int, width: int
) -> None:
    estimator = estimators[name]
    picture = texture(height + 8, width + 8, 1)
    first, second = (
        estimator.look(np.ascontiguousarray(picture[n : n + height, n : n + width])) for n in (0, 2)
    )
    assert first.dtype == np.uint8
    assert max(first.shape) <= 96
    pair = estimator.between(first, second)
    for flow in (pair.forward_hw2, pair.backward_hw2):
        assert flow.shape == (*first.shape, 2)
        assert flow.dtype == np.float32
        assert np.isfinite(flow).all()
        assert enlarge_flow(flow, height, width).shape == (height, width, 2)
    assert pair.forward_error_hw.shape == pair.backward_error_hw.shape == first.shape


def test_dis_runs_from_a_frame_to_its_neighbour() -> None:
    picture = texture(140, 180, 1)
    estimator = flow_estimator("dis")
    first, second = (estimator.look(np.ascontiguousarray(picture[:, x : x + 160])) for x in (0, 3))
    pair = estimator.between(first, second)
    assert np.median(pair.forward_hw2[..., 0]) == pytest.approx(-3, abs=0.2)
    assert np.median(pair.backward_hw2[..., 0]) == pytest.approx(3, abs=0.2)


@pytest.mark.parametrize("size", ["small", "large"])
def test_raft_gives_what_torchvision_gives(size: Size) -> None:
    raft = Raft.untrained(size, 3, 640)
    torch.manual_seed(0)
    network = _NETWORKS[size]().eval()
    picture = texture(140, 180, 1)
    looks = [raft.look(np.ascontiguousarray(picture[:136, x : x + 160])) for x in (0, 3)]
    tensors = [torch.from_numpy(look).float().expand(1, 3, -1, -1) / 127.5 - 1 for look in looks]
    with torch.no_grad():
        forward, backward = (network(*order, 3)[-1][0] for order in (tensors, tensors[::-1]))
    pair = raft.between(*looks)
    assert np.abs(pair.forward_hw2 - forward.permute(1, 2, 0).numpy()).max() < 1e-4
    assert np.abs(pair.backward_hw2 - backward.permute(1, 2, 0).numpy()).max() < 1e-4
    assert np.abs(pair.forward_hw2).max() > 0.01


@pytest.mark.parametrize("prefix", ["", "module.", "spynet.", "spynet.module."])
@pytest.mark.parametrize("size", ["small", "large"])
def test_published_weights_are_taken_whole(size: Size, prefix: str, tmp_path: Path) -> None:
    published = _published(size, prefix)
    others = {"conv_last.weight": torch.zeros(3)} if prefix.startswith("spynet") else {}
    torch.save({**published, **others}, tmp_path / "raft.pth")
    raft = Raft.trained(size, tmp_path / "raft.pth", "raft", 2, 128, "cpu")
    own = raft._network.state_dict()
    assert sorted(weight.double().sum().item() for weight in own.values()) == sorted(
        weight.double().sum().item() for name, weight in published.items() if ".norm3." not in name
    )
    pairs = {
        "fnet.layer2.0.conv1.weight": "feature_encoder.layer2.0.convnormrelu1.0.weight",
        "cnet.layer3.0.downsample.0.bias": "context_encoder.layer3.0.downsample.0.bias",
        "cnet.conv2.weight": "context_encoder.conv.weight",
        "update_block.encoder.convf2.weight": "update_block.motion_encoder.convflow2.0.weight",
        "update_block.flow_head.conv1.weight": "update_block.flow_head.conv1.weight",
    } | (
        {
            "cnet.norm1.running_var": "context_encoder.convnormrelu.1.running_var",
            "cnet.layer2.0.norm3.weight": "context_encoder.layer2.0.downsample.1.weight",
            "cnet.layer3.1.norm2.bias": "context_encoder.layer3.1.convnormrelu2.1.bias",
            "update_block.gru.convz2.weight": "update_block.recurrent_block.convgru2.convz.weight",
            "update_block.gru.convr1.weight": "update_block.recurrent_block.convgru1.convr.weight",
            "update_block.mask.2.bias": "mask_predictor.conv.bias",
        }
        if size == "large"
        else {"update_block.gru.convq.bias": "update_block.recurrent_block.convgru1.convq.bias"}
    )
    for theirs, ours in pairs.items():
        assert torch.equal(published[prefix + theirs], own[ours])


@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
def test_the_name_tells_the_weights_and_needs_no_network(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"raft{suffix}"
    state = raft_small().state_dict()
    if suffix == ".pth":
        torch.save(state, path)
    else:
        save_file(state, path)
    estimator = flow_estimator("raft-small", 96, path)
    assert estimator.name == flow_name("raft-small", path)
    assert estimator.name != flow_name("raft-small", path, 3)
    assert flow_estimator("dis").name == flow_name("dis") == "dis"


def test_torchvisions_own_download_is_found_where_torch_keeps_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    folder = Path(torch.hub.get_dir()) / "checkpoints"
    folder.mkdir(parents=True)
    names: dict[FlowName, str] = {
        "raft-small": Raft_Small_Weights.DEFAULT.url.rpartition("/")[2],
        "raft-large": Raft_Large_Weights.DEFAULT.url.rpartition("/")[2],
    }
    for name, file in names.items():
        with pytest.raises(WeightsError, match=r"put that file there.*Raft_(Small|Large)_Weights.*dis"):
            flow_weights(name)
        (folder / file).touch()
        assert flow_weights(name) == folder / file


@pytest.mark.parametrize(
    ("state", "told"),
    [
        pytest.param({"a": torch.zeros(2)}, "not the weights of this RAFT", id="another network"),
        pytest.param(
            {
                name: weight * torch.nan if weight.is_floating_point() else weight
                for name, weight in raft_small().state_dict().items()
            },
            "no numbers",
            id="NaN",
        ),
        pytest.param(raft_large().state_dict(), "not the weights of this RAFT", id="the other size"),
        pytest.param(
            {
                name: weight[..., :1] if name.endswith("conv2.weight") else weight
                for name, weight in raft_small().state_dict().items()
            },
            "not the weights of this RAFT",
            id="shapes",
        ),
    ],
)
def test_weights_that_do_not_fit_are_told_in_one_line(
    state: dict[str, torch.Tensor], told: str, tmp_path: Path
) -> None:
    path = tmp_path / "raft.pth"
    torch.save(state, path)
    with pytest.raises(WeightsError, match=told) as error:
        flow_estimator("raft-small", weights=path)
    assert str(path) in str(error.value)
    assert "\n" not in str(error.value)


def test_a_name_that_is_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="dis, raft-small, raft-large"):
        flow_estimator("farneback")  # type: ignore[arg-type]
    with pytest.raises(WeightsError, match="no such file"):
        flow_estimator("raft-small", weights=tmp_path / "none.pth")


def test_a_length_does_not_depend_on_where_in_memory_it_is_computed() -> None:
    rng = np.random.default_rng(0)
    across, down = rng.random((2, 480, 640), dtype=np.float32)
    first = length(across, down)
    assert np.allclose(first, np.hypot(across, down))
    for offset in (16, 32, 48):
        assert np.array_equal(length(begun_at(across, offset), begun_at(down, offset)), first)


def begun_at(plane: NDArray[np.float32], offset: int) -> NDArray[np.float32]:
    """The same plane, so many bytes after a cache line begins."""
    room = np.empty(plane.nbytes + 128, np.uint8)
    start = -room.ctypes.data % 64 + offset
    moved: NDArray[np.float32] = room[start : start + plane.nbytes].view(np.float32).reshape(plane.shape)
    moved[:] = plane
    return moved
