"""A weight bundle: a directory that holds one trained network and says what it is.

`model.safetensors` holds the weights, `config.json` all else. Nothing in it can run. Reading the card of a
bundle needs no torch, which takes seconds to import; only `load_network` does.
"""

import hashlib
import json
import math
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, get_args

from models.checkpoint import not_finite, sha256_of
from models.errors import WeightsError

if TYPE_CHECKING:
    from torch import Tensor

    from models.colour.redye import Redye
    from models.neural.reweave import Reweave
    from models.rtn import RTN

    Network: TypeAlias = RTN | Reweave | Redye

Architecture = Literal["rtn", "reweave", "redye"]
Plain: TypeAlias = float | int | str | bool

ARCHITECTURES: tuple[Architecture, ...] = get_args(Architecture)
WEIGHTS, CONFIG = "model.safetensors", "config.json"
FORMAT = 1
"""Of `config.json`; a newer one is refused."""

_PART = ".part"
# Ten times what any network here has; a damaged card must not make us build for hours.
_LARGEST = 1024
_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class Bundle:
    """What `config.json` says."""

    folder: Path
    architecture: Architecture
    sizes: Mapping[str, Any]
    """What the network is built by: numbers by name, or one more such mapping."""
    sha256: str
    """Of `model.safetensors`, 64 hex digits."""
    settings: Mapping[str, Plain] = field(default_factory=dict)
    """How the network is to be used; what is left out is the restorer's own choice."""
    origin: Mapping[str, Any] = field(default_factory=dict)
    """Where the weights come from; for people."""
    licence: str = "unknown"
    """On what terms the weights may be used."""

    @property
    def title(self) -> str:
        """For people: the same wherever the bundle lies."""
        return f"{self.architecture} {self.sha256[:16]}"

    @property
    def parameters(self) -> dict[str, Plain]:
        """All in here but the weights that can change a pixel, by dotted names, for cards and digests."""
        sizes = {f"sizes.{name}": size for name, size in _flat(self.sizes)}
        return {"architecture": self.architecture, **sizes, **self.settings}


def read_bundle(folder: Path) -> Bundle:
    """The bundle in a directory; the weights are not looked at. Raises WeightsError."""
    try:
        config = json.loads((folder / CONFIG).read_bytes())
    except FileNotFoundError as error:
        raise WeightsError(f"{folder}: {_no_bundle(folder)}") from error
    except OSError as error:
        raise WeightsError(f"{folder}: {error.strerror}; name a weight bundle's directory") from error
    except (ValueError, RecursionError) as error:
        raise WeightsError(f"{folder / CONFIG}: damaged, not JSON; copy the bundle again") from error
    bundle = _checked(folder, config)
    if not (folder / WEIGHTS).is_file():
        raise WeightsError(f"{folder}: {WEIGHTS} is missing; copy the bundle again")
    return bundle


def check_weights(bundle: Bundle) -> None:
    """Raises WeightsError where the weights are not those that the bundle's card names. Needs no torch."""
    _compare(bundle, sha256_of(bundle.folder / WEIGHTS))


def load_network(bundle: Bundle) -> "Network":
    """The network with its weights, in evaluation mode, on the CPU. Raises WeightsError."""
    import torch
    from safetensors import SafetensorError
    from safetensors.torch import load

    path = bundle.folder / WEIGHTS
    try:
        data = path.read_bytes()
    except OSError as error:
        raise WeightsError(f"{path}: cannot be read ({error.strerror})") from error
    _compare(bundle, hashlib.sha256(data).hexdigest())
    try:
        state = load(data)
    except (SafetensorError, ValueError) as error:
        raise WeightsError(f"{path}: damaged, or not a .safetensors file; copy the bundle again") from error
    build = _builder(bundle.architecture)
    try:
        # Without memory: sizes may be absurd.
        with torch.device("meta"):
            wanted = build(bundle.sizes).state_dict()
    except (ArithmeticError, LookupError, RuntimeError, TypeError, ValueError) as error:
        told = (str(error) or type(error).__name__).splitlines()[0]
        raise WeightsError(
            f"{bundle.folder / CONFIG}: no {bundle.architecture} has these sizes ({told}); copy it again"
        ) from error
    _check_state(path, state, wanted)
    network = build(bundle.sizes)
    network.load_state_dict(state)
    return network.eval()


def write_bundle(
    folder: Path,
    network: "Network",
    settings: Mapping[str, Plain] | None = None,
    origin: Mapping[str, Any] | None = None,
    licence: str = "unknown",
) -> Bundle:
    """Writes a network as a bundle: whole, or not at all; `config.json` last.

    A bundle that is there is replaced; a directory of anything else is refused. settings: plain values.
    origin: whatever JSON can hold. Raises WeightsError.
    """
    from safetensors.torch import save

    state = {name: weight.detach().cpu().contiguous() for name, weight in network.state_dict().items()}
    if bad := not_finite(state):
        raise WeightsError(f"{folder}: not written: {bad} holds values that are no numbers")
    if not _ours(folder):
        raise WeightsError(f"{folder}: holds something that is not a weight bundle; name another directory")
    data = save(state)
    config = {
        "format": FORMAT,
        "architecture": _architecture(network),
        "sizes": network.sizes(),
        "sha256": hashlib.sha256(data).hexdigest(),
        "settings": dict(settings or {}),
        "origin": dict(origin or {}),
        "licence": licence,
    }
    bundle = _checked(folder, config)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        # The card's part comes first, so that what a killed run leaves is known as ours.
        _write(folder / f"{CONFIG}{_PART}", (json.dumps(config, indent=2) + "\n").encode())
        _write(folder / f"{WEIGHTS}{_PART}", data)
        for name in (WEIGHTS, CONFIG):
            os.replace(folder / f"{name}{_PART}", folder / name)
        _sync(folder)
    except OSError as error:
        raise WeightsError(f"{folder}: cannot be written ({error.strerror})") from error
    return bundle


def _no_bundle(folder: Path) -> str:
    if not folder.exists():
        return "no such directory"
    return f"not a weight bundle, it has no {CONFIG}; `answerprint import-weights` makes one of a checkpoint"


def _checked(folder: Path, config: Any) -> Bundle:
    """The bundle that a `config.json` describes. Raises WeightsError."""

    def wrong(what: str) -> WeightsError:
        return WeightsError(f"{folder / CONFIG}: {what}")

    if not isinstance(config, dict) or not isinstance(config.get("format"), int):
        raise wrong("not a weight bundle's card; it has no format")
    if config["format"] != FORMAT:
        raise wrong(f"format {config['format']} is unknown here, {FORMAT} is known; update answerprint")
    architecture = config.get("architecture")
    if architecture not in ARCHITECTURES:
        known = ", ".join(ARCHITECTURES)
        raise wrong(f"architecture {architecture!r} is unknown here; known are {known}; update answerprint")
    sizes = config.get("sizes")
    if not isinstance(sizes, dict) or not all(map(_is_size, (size for _, size in _flat(sizes)))):
        raise wrong(f"sizes are not numbers up to {_LARGEST} by name; copy the bundle again")
    sha256 = config.get("sha256")
    if not isinstance(sha256, str) or not _SHA256.fullmatch(sha256):
        raise wrong(f"no sha256 of {WEIGHTS}; copy the bundle again")
    settings = config.get("settings", {})
    if not isinstance(settings, dict) or not all(map(_is_plain, settings.values())):
        raise wrong("settings must be numbers, texts, true or false, by name")
    origin, licence = config.get("origin", {}), config.get("licence", "unknown")
    if not isinstance(origin, dict) or not isinstance(licence, str):
        raise wrong("origin must be a mapping and licence a text")
    return Bundle(folder, architecture, sizes, sha256, settings, origin, licence)


def _flat(sizes: Mapping[str, Any]) -> list[tuple[str, Any]]:
    flat: list[tuple[str, Any]] = []
    for name, size in sizes.items():
        if isinstance(size, Mapping):
            flat += [(f"{name}.{inner}", value) for inner, value in size.items()]
        else:
            flat.append((name, size))
    return flat


def _is_size(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 < value <= _LARGEST


def _is_plain(value: object) -> bool:
    return isinstance(value, str | bool | int) or (isinstance(value, float) and math.isfinite(value))


def _compare(bundle: Bundle, sha256: str) -> None:
    if sha256 != bundle.sha256:
        raise WeightsError(
            f"{bundle.folder / WEIGHTS}: damaged, or of another bundle: its sha256 begins {sha256[:8]}, "
            f"{CONFIG} says {bundle.sha256[:8]}; copy the bundle again"
        )


def _check_state(path: Path, state: Mapping[str, "Tensor"], wanted: Mapping[str, "Tensor"]) -> None:
    """Raises WeightsError where names, shapes or types differ, or weights are no numbers."""
    wrong = sorted(wanted.keys() ^ state.keys()) or [
        name
        for name, weight in wanted.items()
        if (weight.shape, weight.dtype) != (state[name].shape, state[name].dtype)
    ]
    if wrong:
        raise WeightsError(
            f"{path}: not the weights of the network in {CONFIG}: {wrong[0]} does not fit, "
            f"of {len(wrong)}; copy the bundle again"
        )
    if bad := not_finite(state):
        raise WeightsError(f"{path}: {bad} holds values that are no numbers; train or import it again")


def _builder(architecture: Architecture) -> "Callable[[Mapping[str, Any]], Network]":
    if architecture == "rtn":
        from models.rtn import RTN

        return RTN.from_sizes
    if architecture == "redye":
        from models.colour.redye import Redye

        return Redye.from_sizes
    from models.neural.reweave import Reweave

    return Reweave.from_sizes


def _architecture(network: "Network") -> Architecture:
    from models.colour.redye import Redye
    from models.rtn import RTN

    if isinstance(network, Redye):
        return "redye"
    return "rtn" if isinstance(network, RTN) else "reweave"


def _ours(folder: Path) -> bool:
    """Whether a bundle may be written there: nothing is, a bundle, or what a killed run left of one."""
    if not folder.exists():
        return True
    if not folder.is_dir():
        return False
    names = {path.name for path in folder.iterdir()}
    if names <= {f"{CONFIG}{_PART}", f"{WEIGHTS}{_PART}"}:
        return True
    for name in (CONFIG, f"{CONFIG}{_PART}"):
        if name in names:
            try:
                _checked(folder, json.loads((folder / name).read_bytes()))
            except (OSError, ValueError, RecursionError):
                continue
            return True
    return False


def _write(path: Path, data: bytes) -> None:
    with path.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _sync(folder: Path) -> None:
    """Makes the renames last, where the system can."""
    if os.name == "posix":
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
