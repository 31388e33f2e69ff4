"""Checkpoints from elsewhere: a published RTN becomes a bundle, all else is told in one line."""

import json
import os
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from flows.cli import main
from flows.commands import DELIVERED, FAILED
from models.checkpoint import sha256_of
from models.published import _published_name
from models.rtn import RTN
from models.weights import CONFIG, WEIGHTS, load_network, read_bundle, write_bundle


def _published(network: RTN) -> dict[str, torch.Tensor]:
    """The network's weights as its authors name them, with what they save besides."""
    state = {_published_name(name): weight for name, weight in network.state_dict().items()}
    return {
        **state,
        "spynet.fnet.conv1.weight": torch.zeros(3),
        "forward_resblocks.layers.0.residual_group.blocks.1.attn_mask": torch.zeros(4),
    }


@pytest.mark.parametrize(
    "wrapped",
    [
        pytest.param(lambda state: {"netG": state, "netD": {"x": torch.zeros(1)}, "iteration": 5}, id="netG"),
        pytest.param(lambda state: state, id="bare"),
        pytest.param(lambda state: {name: weight.half() for name, weight in state.items()}, id="half"),
    ],
)
def test_a_published_rtn_becomes_a_bundle(
    wrapped: Callable[[Any], Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    network = RTN.from_config("rtn-paper")
    checkpoint = wrapped(_published(network))
    (tmp_path / "downloads").mkdir()
    torch.save(checkpoint, "downloads/rtn_net.pth")
    assert main(["import-weights", "downloads/rtn_net.pth"]) == DELIVERED
    out = capsys.readouterr().out
    assert "an RTN of 921,205 values" in out
    assert "--restorer ./rtn_net" in out
    bundle = read_bundle(tmp_path / "rtn_net")
    assert bundle.origin["sha256"] == sha256_of(tmp_path / "downloads" / "rtn_net.pth")
    loaded = load_network(bundle).state_dict()
    for name, weight in network.state_dict().items():
        torch.testing.assert_close(loaded[name], weight, atol=1e-3, rtol=1e-3)
    assert main(["import-weights", "downloads/rtn_net.pth", "--output", "rtn_net", "--json"]) == DELIVERED
    told = json.loads(capsys.readouterr().out)
    assert told["sha256"] == read_bundle(tmp_path / "rtn_net").sha256 == bundle.sha256


class _Code:
    """Leaves a mark when it is unpickled."""

    def __init__(self, mark: Path) -> None:
        self._mark = mark

    def __reduce__(self) -> Any:
        return os.mkdir, (str(self._mark),)


def _text(path: Path) -> None:
    path.write_text("not weights\n" * 50)


def _zip(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.txt", "a")


def _cut(path: Path) -> None:
    torch.save(_published(RTN.from_config("rtn-paper")), path)
    path.write_bytes(path.read_bytes()[:-50_000])


def _code(path: Path) -> None:
    torch.save({"netG": {"a": _Code(path.with_name("ran"))}}, path)


def _old_pickle(path: Path) -> None:
    path.write_bytes(pickle.dumps(_Code(path.with_name("ran")), protocol=2))


def _new_pickle(path: Path) -> None:
    path.write_bytes(pickle.dumps(_Code(path.with_name("ran"))))


def _another(path: Path) -> None:
    torch.save({"netG": {"conv.weight": torch.zeros(3, 3), "conv.bias": torch.zeros(3)}}, path)


def _misshaped(path: Path) -> None:
    torch.save({**_published(RTN.from_config("rtn-paper")), "conv_last.bias": torch.zeros(4)}, path)


def _nan(path: Path) -> None:
    torch.save(
        {**_published(RTN.from_config("rtn-paper")), "conv_last.bias": torch.full((3,), torch.nan)}, path
    )


@pytest.mark.parametrize(
    ("make", "told"),
    [
        pytest.param(lambda path: None, "no such file", id="missing"),
        pytest.param(Path.mkdir, "a directory", id="a directory"),
        pytest.param(Path.touch, "not a checkpoint", id="empty"),
        pytest.param(_text, "not a checkpoint", id="text"),
        pytest.param(_zip, "not a checkpoint", id="a zip of other things"),
        pytest.param(_cut, "not a checkpoint", id="cut short"),
        pytest.param(_code, "never run", id="code in it"),
        pytest.param(_old_pickle, "never run", id="a plain pickle with code"),
        pytest.param(_new_pickle, "not a checkpoint", id="a newer pickle with code"),
        pytest.param(lambda path: torch.save(torch.zeros(3), path), "no weights in it", id="one tensor"),
        pytest.param(lambda path: torch.save({}, path), "no weights in it", id="nothing"),
        pytest.param(lambda path: torch.save({"netG": 3}, path), "no weights in it", id="netG a number"),
        pytest.param(lambda path: torch.save({"a": [1]}, path), "not a tensor", id="other things by name"),
        pytest.param(_another, "not the weights of this RTN", id="another network"),
        pytest.param(_misshaped, "of another shape: conv_last.bias", id="shape"),
        pytest.param(_nan, "no numbers", id="NaN"),
    ],
)
def test_what_is_no_rtn_is_told_in_one_line(
    make: Callable[[Path], Any], told: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "file.pth"
    make(path)
    assert main(["import-weights", str(path), "--output", str(tmp_path / "out")]) == FAILED
    out, err = capfd.readouterr()
    assert out == ""
    assert told in err
    assert len(err.strip().splitlines()) == 1
    assert not (tmp_path / "ran").exists()
    assert not (tmp_path / "out").exists()


def test_an_import_overwrites_no_other_bundle(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    network = RTN.from_config("rtn-paper")
    write_bundle(tmp_path / "trained", network)
    torch.save(_published(network), tmp_path / "rtn.pth")
    before = {name: (tmp_path / "trained" / name).read_bytes() for name in (CONFIG, WEIGHTS)}
    arguments = ["import-weights", str(tmp_path / "rtn.pth"), "--output", str(tmp_path / "trained")]
    assert main(arguments) == FAILED
    assert "another bundle" in capsys.readouterr().err
    assert {name: (tmp_path / "trained" / name).read_bytes() for name in (CONFIG, WEIGHTS)} == before
