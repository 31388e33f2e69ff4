"""Comparing pictures by what trained networks see: which layers, which normalisation, whose weights."""

import hashlib
import pickle
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
import torchmetrics
import torchvision
from safetensors.torch import save_file
from torch import Tensor

from models.backbone import BackboneError, load_backbone
from models.metrics.lpips import Lpips, find_lpips
from models.training.perceptual import OURS, PAPER, Perceptual, find_perceptual

GAIN = 1.1


@pytest.fixture(scope="module")
def vgg19(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A VGG-19 that shows red through: each convolution passes channel 0 on, 1.1 times as strong."""
    state = {}
    inwards = 3
    for place, layer in enumerate(torchvision.models.vgg.make_layers(torchvision.models.vgg.cfgs["E"])):
        if isinstance(layer, torch.nn.Conv2d):
            weight = torch.zeros(layer.out_channels, inwards, 3, 3)
            weight[0, 0, 1, 1] = GAIN
            state[f"features.{place}.weight"] = weight
            state[f"features.{place}.bias"] = torch.zeros(layer.out_channels)
            inwards = layer.out_channels
    file = tmp_path_factory.mktemp("vgg") / "red.pth"
    torch.save(state, file)
    return file


@pytest.fixture(scope="module")
def alexnet(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """AlexNet with weights from a seed."""
    torch.manual_seed(5)
    file = tmp_path_factory.mktemp("alexnet") / "random.safetensors"
    state = torchvision.models.alexnet(weights=None).features.state_dict()
    save_file({f"features.{name}": weight for name, weight in state.items()}, file)
    return file


def red(value: float, channels: int = 3) -> Tensor:
    picture = torch.zeros(2, channels, 32, 48)
    picture[:, 0] = value
    return picture


# How many convolutions stand before each of relu1_1 ... relu5_1, how many channels it has, what it counts.
SEEN = ((1, 64, 1 / 32), (3, 128, 1 / 16), (5, 256, 1 / 8), (9, 512, 1 / 4), (13, 512, 1))
TOTAL = sum(weight * GAIN**convs / channels for convs, channels, weight in SEEN)


@pytest.mark.parametrize(
    ("config", "channels", "expected"),
    [
        pytest.param(PAPER, 3, 0.3 * TOTAL, id="the paper shows pictures as they are"),
        pytest.param(OURS, 3, 0.3 / 0.229 * TOTAL, id="ours as ImageNet was shown"),
        pytest.param(OURS, 1, 0.3 / 0.229 * TOTAL, id="grey"),
    ],
)
def test_perceptual_is_the_sum_over_its_layers(vgg19, config, channels, expected) -> None:
    perceptual = Perceptual(load_backbone("vgg19", vgg19), config)
    assert float(perceptual(red(0.9, channels), red(0.6, channels))) == pytest.approx(expected, rel=1e-5)


def test_the_paper_leaves_the_mean_in(vgg19) -> None:
    backbone = load_backbone("vgg19", vgg19)
    # Below ImageNet's mean, relu1_1 shows nothing of red; a picture shown as it is, it does.
    assert float(Perceptual(backbone, OURS)(red(0.4), red(0.1))) == 0
    assert float(Perceptual(backbone, PAPER)(red(0.4), red(0.1))) == pytest.approx(0.3 * TOTAL, rel=1e-5)


@pytest.mark.parametrize("half", [False, True], ids=["fp32", "bf16 autocast"])
def test_perceptual_teaches_the_picture_alone(vgg19, half) -> None:
    perceptual = Perceptual(load_backbone("vgg19", vgg19))
    restored, target = red(0.8).requires_grad_(), red(0.6).requires_grad_()
    with torch.autocast("cpu", torch.bfloat16, enabled=half):
        loss = perceptual(restored, target)
    loss.backward()
    assert loss.dtype == torch.float32
    assert bool(restored.grad.isfinite().all())
    assert float(restored.grad[:, 0].sum()) > 0
    assert target.grad is None
    assert not any(parameter.requires_grad for parameter in perceptual.parameters())


def test_lpips_is_what_its_paper_says(alexnet) -> None:
    rng = np.random.default_rng(1)
    one, other = rng.random((2, 64, 80), np.float32)
    distance = Lpips(alexnet)
    assert distance(one, one) == 0

    def features(picture: np.ndarray) -> list[Tensor]:
        shift, scale = torch.tensor([-0.030, -0.088, -0.188]), torch.tensor([0.458, 0.448, 0.450])
        seen = torch.from_numpy(picture).expand(1, 3, -1, -1) * 2 - 1
        seen = (seen - shift.view(3, 1, 1)) / scale.view(3, 1, 1)
        kept = []
        for layer in load_backbone("alexnet", alexnet).layers:
            seen = layer(seen)
            if isinstance(layer, torch.nn.ReLU):
                kept.append(seen / seen.norm(dim=1, keepdim=True))
        return kept

    heads = Path(torchmetrics.__file__).parent / "functional/image/lpips_models/alex.pth"
    expected = sum(
        (weight[0] * (seen - aim) ** 2).sum(1).mean()
        for weight, seen, aim in zip(
            torch.load(heads, "cpu", weights_only=True).values(), features(one), features(other), strict=True
        )
    )
    assert distance(one, other) == pytest.approx(float(expected), rel=1e-4)
    assert distance(one, other) > 0


def test_lpips_refuses_what_alexnet_cannot_see(alexnet) -> None:
    small = np.zeros((34, 64), np.float32)
    with pytest.raises(ValueError, match="35 px"):
        Lpips(alexnet)(small, small)
    least = np.zeros((35, 35), np.float32)
    assert Lpips(alexnet)(least, least) == 0


def test_weights_are_known_by_their_sum(vgg19, tmp_path) -> None:
    state = torch.load(vgg19, weights_only=True)
    classifier = {"classifier.0.weight": torch.zeros(4, 4)}
    save_file({**state, **classifier}, tmp_path / "red.safetensors")
    first, second = load_backbone("vgg19", vgg19), load_backbone("vgg19", tmp_path / "red.safetensors")
    assert first.sha256 == hashlib.sha256(vgg19.read_bytes()).hexdigest()
    assert first.sha256 != second.sha256
    for one, other in zip(first.layers.parameters(), second.layers.parameters(), strict=True):
        assert torch.equal(one, other)


def _code(file: Path) -> None:
    file.write_bytes(pickle.dumps(Path("x"), protocol=2))


def _other(file: Path) -> None:
    torch.save({"features.0.weight": torch.zeros(64, 3, 3, 3)}, file)


def _list(file: Path) -> None:
    torch.save([torch.zeros(1)], file)


@pytest.mark.parametrize(
    ("name", "make", "told"),
    [
        pytest.param("none.pth", lambda _: None, "no weights of vgg19 at .*none.pth", id="missing"),
        pytest.param("a.pth", lambda file: file.write_bytes(b"no"), "cannot be read", id="no weights"),
        pytest.param("a.pth", lambda file: file.write_bytes(b""), "cannot be read", id="empty"),
        pytest.param(
            "a.safetensors", lambda file: file.write_bytes(b"no"), "cannot be read", id="no safetensors"
        ),
        pytest.param("a.pth", _code, "cannot be read", id="code"),
        pytest.param("a.pth", _list, "something else", id="a list"),
        pytest.param("a.pth", _other, "does not hold the weights of vgg19", id="another network"),
        pytest.param("vgg19-dcbb9e9d.pth", _other, "cut short", id="torchvision's name, other bytes"),
    ],
)
def test_unusable_weights_are_told_in_one_line(
    tmp_path: Path, name: str, make: Callable[[Path], None], told: str
) -> None:
    make(tmp_path / name)
    for load in (partial(load_backbone, "vgg19"), partial(find_perceptual, OURS)):
        with pytest.raises(BackboneError, match=told) as caught:
            load(tmp_path / name)
        assert "\n" not in str(caught.value)


def test_training_and_scoring_go_on_without_weights_and_say_so(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    perceptual, sentence = find_perceptual()
    assert perceptual is None
    assert sentence.startswith("Training goes on without the perceptual term: no weights of vgg19")
    lpips, sentence = find_lpips()
    assert lpips is None
    assert sentence.startswith("LPIPS is left out: no weights of alexnet")
    assert str(tmp_path / "hub/checkpoints/alexnet-owt-7be5be79.pth") in sentence


def test_weights_are_found(vgg19, alexnet) -> None:
    perceptual, sentence = find_perceptual(PAPER, vgg19)
    assert perceptual is not None
    assert perceptual.sha256[:8] in sentence
    lpips, sentence = find_lpips(alexnet)
    assert lpips is not None
    assert lpips.sha256[:8] in sentence
