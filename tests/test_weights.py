"""Weight bundles: what is written is what is loaded, and what is damaged is told in one line."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load, save_file

from models.checkpoint import sha256_of
from models.colour.redye import Redye, RedyeConfig
from models.errors import WeightsError
from models.neural.reweave import Reweave, ReweaveConfig
from models.rtn import RTN, RTNConfig
from models.swin import SwinSizes
from models.weights import CONFIG, WEIGHTS, check_weights, load_network, read_bundle, write_bundle

_SMALL_RTN = RTNConfig(swin=SwinSizes(channels=32, groups=1, blocks=2, heads=2))
_SMALL_REWEAVE = ReweaveConfig(channels=16, fine_channels=8, heads=2, look_blocks=1, view_blocks=1)


@pytest.mark.parametrize(
    "network",
    [
        pytest.param(lambda: RTN(_SMALL_RTN), id="rtn"),
        pytest.param(lambda: Reweave(_SMALL_REWEAVE), id="reweave"),
        pytest.param(lambda: Redye(RedyeConfig(channels=16, fine_channels=8)), id="redye"),
    ],
)
def test_what_is_written_is_loaded(network: Callable[[], RTN | Reweave | Redye], tmp_path: Path) -> None:
    written = network().to(memory_format=torch.channels_last)
    settings = {"sure": 0.5, "flow": "dis", "scratches": True, "ahead": 4}
    bundle = write_bundle(tmp_path / "b", written, settings, {"corpus": "c1"}, "Apache-2.0")
    read = read_bundle(tmp_path / "b")
    assert read == bundle
    assert (read.settings, read.origin, read.licence) == (settings, {"corpus": "c1"}, "Apache-2.0")
    assert read.sha256 == sha256_of(tmp_path / "b" / WEIGHTS)
    assert sorted(path.name for path in (tmp_path / "b").iterdir()) == [CONFIG, WEIGHTS]
    check_weights(read)
    loaded = load_network(read)
    assert type(loaded) is type(written)
    assert loaded.config == written.config
    assert not loaded.training
    for name, weight in written.state_dict().items():
        assert torch.equal(loaded.state_dict()[name], weight)
    assert write_bundle(tmp_path / "again", written).sha256 == bundle.sha256
    assert read.parameters["sure"] == 0.5
    assert any(name.startswith("sizes.") for name in read.parameters)


def _card(folder: Path, **changes: Any) -> None:
    card = json.loads((folder / CONFIG).read_text())
    (folder / CONFIG).write_text(json.dumps({**card, **changes}))


def _weights(folder: Path, change: Callable[[dict[str, torch.Tensor]], Any]) -> None:
    """Other weights, with a digest that fits."""
    state = load((folder / WEIGHTS).read_bytes())
    change(state)
    save_file(state, folder / WEIGHTS)
    _card(folder, sha256=sha256_of(folder / WEIGHTS))


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def _flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[-5] ^= 1
    path.write_bytes(data)


def _pickled(folder: Path) -> None:
    torch.save(load((folder / WEIGHTS).read_bytes()), folder / WEIGHTS)
    _card(folder, sha256=sha256_of(folder / WEIGHTS))


_CARDS = [
    pytest.param(lambda b: (b / CONFIG).unlink(), "import-weights", id="no card"),
    pytest.param(lambda b: (b / CONFIG).write_text("{'a': 1}"), "not JSON", id="card not JSON"),
    pytest.param(lambda b: (b / CONFIG).write_bytes(b"\xff\xfe\0"), "not JSON", id="card not text"),
    pytest.param(lambda b: (b / CONFIG).write_text("[" * 100_000), "not JSON", id="card without end"),
    pytest.param(lambda b: _cut(b / CONFIG), "not JSON", id="card cut short"),
    pytest.param(lambda b: (b / CONFIG).write_text("[]"), "no format", id="card a list"),
    pytest.param(lambda b: (b / CONFIG).write_text('{"model_type": "x"}'), "no format", id="another's card"),
    pytest.param(lambda b: _card(b, format=2), "format 2 is unknown here", id="a future format"),
    pytest.param(lambda b: _card(b, architecture="vrt"), "'vrt' is unknown", id="architecture"),
    pytest.param(lambda b: _card(b, architecture=["rtn"]), "unknown here", id="architecture a list"),
    pytest.param(lambda b: _card(b, sizes=None), "sizes are not numbers", id="no sizes"),
    pytest.param(lambda b: _card(b, sizes={"channels": 10**12}), "up to 1024", id="a size absurd"),
    pytest.param(lambda b: _card(b, sizes={"swin": {"a": {}}}), "sizes are not numbers", id="sizes too deep"),
    pytest.param(lambda b: _card(b, sha256="12"), "no sha256", id="no sha256"),
    pytest.param(lambda b: _card(b, settings={"sure": [1]}), "settings must be", id="a setting a list"),
    pytest.param(lambda b: _card(b, settings={"sure": float("nan")}), "settings must be", id="a setting NaN"),
    pytest.param(lambda b: _card(b, origin="x"), "origin must be", id="origin a text"),
    pytest.param(lambda b: (b / WEIGHTS).unlink(), "model.safetensors is missing", id="no weights"),
]
_WEIGHTS = [
    pytest.param(lambda b: _cut(b / WEIGHTS), "sha256 begins", id="cut short"),
    pytest.param(lambda b: _flip(b / WEIGHTS), "sha256 begins", id="one bit"),
    pytest.param(lambda b: _card(b, sha256="0" * 64), "config.json says 00000000", id="another digest"),
]
_NETWORKS = [
    pytest.param(_pickled, "not a .safetensors file", id="a pickle"),
    pytest.param(lambda b: _weights(b, lambda s: s.popitem()), "does not fit, of 1;", id="one is missing"),
    pytest.param(
        lambda b: _weights(b, lambda s: s.update(more=torch.zeros(1))), "more does not fit", id="one too many"
    ),
    pytest.param(
        lambda b: _weights(b, lambda s: s.update({"decoder.conv_out.bias": torch.zeros(4)})),
        "decoder.conv_out.bias does not fit",
        id="shape",
    ),
    pytest.param(
        lambda b: _weights(b, lambda s: s.update({"decoder.conv_out.bias": torch.zeros(3).half()})),
        "decoder.conv_out.bias does not fit",
        id="type",
    ),
    pytest.param(
        lambda b: _weights(b, lambda s: s["decoder.conv_out.bias"].fill_(torch.nan)), "no numbers", id="NaN"
    ),
    pytest.param(
        lambda b: _weights(b, lambda s: s["decoder.conv_out.bias"].fill_(torch.inf)), "no numbers", id="inf"
    ),
    pytest.param(lambda b: _card(b, sizes={}), "does not fit", id="other sizes"),
    pytest.param(lambda b: _card(b, sizes={"layers": 3}), "no rtn has these sizes", id="a size unknown"),
    pytest.param(lambda b: _card(b, sizes={"swin": 3}), "no rtn has these sizes", id="a size for many"),
    pytest.param(
        lambda b: _card(b, sizes={"skip_channels": 1.5}), "no rtn has these sizes", id="half a channel"
    ),
    pytest.param(
        lambda b: _card(b, sizes={"swin": {"channels": 32, "groups": 1, "blocks": 2, "heads": 5}}),
        "do not divide",
        id="sizes that contradict",
    ),
    pytest.param(lambda b: _card(b, architecture="reweave"), "no reweave has", id="the other architecture"),
]


@pytest.mark.parametrize(
    ("damage", "told", "found_by"),
    [
        *(pytest.param(*row.values, read_bundle, id=row.id) for row in _CARDS),
        *(pytest.param(*row.values, lambda b: check_weights(read_bundle(b)), id=row.id) for row in _WEIGHTS),
        *(
            pytest.param(*row.values, lambda b: load_network(read_bundle(b)), id=f"{row.id}, when loaded")
            for row in _WEIGHTS + _NETWORKS
        ),
    ],
)
def test_a_damaged_bundle_is_told_in_one_line(
    damage: Callable[[Path], Any], told: str, found_by: Callable[[Path], Any], tmp_path: Path
) -> None:
    folder = tmp_path / "b"
    write_bundle(folder, RTN(_SMALL_RTN))
    load_network(read_bundle(folder))
    damage(folder)
    with pytest.raises(WeightsError) as error:
        found_by(folder)
    assert told in str(error.value)
    assert str(folder) in str(error.value)
    assert "\n" not in str(error.value)


def _a_file(folder: Path) -> None:
    folder.write_text("x")


def _anothers_card(folder: Path) -> None:
    folder.mkdir()
    (folder / CONFIG).write_text('{"model_type": "x"}')
    (folder / WEIGHTS).write_text("x")


def _weights_alone(folder: Path) -> None:
    folder.mkdir()
    (folder / WEIGHTS).write_text("x")


@pytest.mark.parametrize("there", [_a_file, _anothers_card, _weights_alone])
def test_what_is_no_bundle_is_never_overwritten(there: Callable[[Path], None], tmp_path: Path) -> None:
    folder = tmp_path / "b"
    there(folder)
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    with pytest.raises(WeightsError, match="name another directory"):
        write_bundle(folder, RTN(_SMALL_RTN))
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before


def test_weights_that_are_no_numbers_are_not_written(tmp_path: Path) -> None:
    network = RTN(_SMALL_RTN)
    network.decoder.conv_out.weight.data[0] = torch.nan
    with pytest.raises(WeightsError, match=r"decoder\.conv_out\.weight holds"):
        write_bundle(tmp_path / "b", network)
    assert not (tmp_path / "b").exists()


@pytest.mark.parametrize("moment", ["model.safetensors.part", "model.safetensors", "config.json"])
@pytest.mark.parametrize("replacing", [False, True])
def test_a_killed_write_leaves_the_old_bundle_or_none_and_can_be_done_again(
    moment: str, replacing: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "b"
    old = write_bundle(folder, RTN(_SMALL_RTN)) if replacing else None

    class Killed(BaseException):
        pass

    def at(done: Callable[..., Any]) -> Callable[..., Any]:
        def until(*places: Any) -> Any:
            if moment in (Path(places[0]).name, Path(str(places[-1])).name):
                raise Killed
            return done(*places)

        return until

    with monkeypatch.context() as patch:
        patch.setattr("models.weights._write", at(sys.modules["models.weights"]._write))
        patch.setattr("os.replace", at(sys.modules["os"].replace))
        with pytest.raises(Killed):
            write_bundle(folder, RTN(_SMALL_RTN))
    if moment != "config.json" and old:
        load_network(read_bundle(folder))
    else:
        with pytest.raises(WeightsError):
            check_weights(read_bundle(folder))
    new = write_bundle(folder, RTN(_SMALL_RTN))
    assert read_bundle(folder) == new
    check_weights(new)


def test_reading_a_card_needs_no_torch(tmp_path: Path) -> None:
    write_bundle(tmp_path / "b", RTN(_SMALL_RTN))
    code = (
        "import sys; from pathlib import Path; from models.weights import check_weights, read_bundle; "
        "check_weights(read_bundle(Path(sys.argv[1]))); print('torch' in sys.modules)"
    )
    run = subprocess.run([sys.executable, "-c", code, str(tmp_path / "b")], capture_output=True, text=True)
    assert (run.stdout.strip(), run.stderr) == ("False", "")
