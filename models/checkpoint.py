"""Weights out of one file, without running anything that it holds.

torch is imported when a file is read: what only names files stays quick to start.
"""

import hashlib
import re
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from models.errors import WeightsError

if TYPE_CHECKING:
    from torch import Tensor

_CHUNK_BYTES = 1 << 20
# How the unpickler says that a file names what it would have to call.
_OBJECTS = re.compile("unsupported (global|class)|torchscript", re.IGNORECASE)


def sha256_of(path: Path) -> str:
    """The file's digest, 64 hex digits. Raises WeightsError where it cannot be read."""
    total = hashlib.sha256()
    try:
        with path.open("rb") as file:
            while chunk := file.read(_CHUNK_BYTES):
                total.update(chunk)
    except OSError as error:
        raise WeightsError(f"{path}: {_unreadable(path, error)}") from error
    return total.hexdigest()


def read_state(path: Path, part: str) -> dict[str, "Tensor"]:
    """The named tensors of a .safetensors file, or of a checkpoint of torch's: those under `part`, where it
    has such a part, else all.

    Raises WeightsError for a file that is missing, damaged, no checkpoint, or that holds anything but tensors
    there. Pickled code is refused, not run.
    """
    try:
        path.open("rb").close()
    except OSError as error:
        raise WeightsError(f"{path}: {_unreadable(path, error)}") from error
    loaded = _read_safetensors(path) if path.suffix == ".safetensors" else _read_torch(path)
    state = loaded.get(part, loaded) if isinstance(loaded, Mapping) else loaded
    return _checked(path, state)


def not_finite(state: Mapping[str, "Tensor"]) -> str | None:
    """The first weight that holds NaN or infinity, if any does."""
    return next((name for name, weight in state.items() if not weight.isfinite().all()), None)


def _read_safetensors(path: Path) -> Any:
    from safetensors import SafetensorError
    from safetensors.torch import load

    try:
        # Read, not mapped: a mapped file that is changed meanwhile ends the process.
        return load(path.read_bytes())
    except (SafetensorError, OSError, ValueError) as error:
        raise WeightsError(f"{path}: damaged, or not a .safetensors file; copy it again") from error


def _read_torch(path: Path) -> Any:
    import torch

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of pickles it did not write itself; they are refused or whole
            return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # a damaged file makes the unpickler raise nearly anything
        if _OBJECTS.search(str(error)):
            raise WeightsError(
                f"{path}: holds code or objects, which are never run; save its state_dict alone"
            ) from error
        raise WeightsError(f"{path}: damaged, or not a checkpoint of PyTorch's; fetch it again") from error


def _checked(path: Path, state: Any) -> dict[str, "Tensor"]:
    from torch import Tensor

    if not isinstance(state, Mapping) or not state:
        raise WeightsError(f"{path}: no weights in it; a state_dict is wanted")
    for name, weight in state.items():
        if not isinstance(name, str) or not isinstance(weight, Tensor):
            raise WeightsError(f"{path}: {str(name)!r} in it is not a tensor; a state_dict is wanted")
    return dict(state)


def _unreadable(path: Path, error: OSError) -> str:
    if path.is_dir():
        return "a directory; name a file of weights"
    if isinstance(error, FileNotFoundError):
        return "no such file"
    return f"cannot be read ({error.strerror})"
