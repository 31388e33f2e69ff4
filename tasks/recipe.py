"""What of this installation can change a byte of an output: part of every digest, and of the record."""

from functools import cache
from pathlib import Path
from typing import Any

import av

import degradation
import models
import storage
import tasks
from storage.digest import digest_of_code, versions_of
from storage.errors import StorageError

_ENGINES = ("av", "numpy", "opencv-python-headless", "pyarrow", "scenedetect-headless")
_NETWORK_ENGINES = ("safetensors", "torch", "torchvision")
_PACKAGES = {"degradation": degradation, "models": models, "storage": storage, "tasks": tasks}


class OtherInstallation(StorageError):
    """A worker would make other bytes than the run expects."""


@cache
def installation(*places: str) -> dict[str, Any]:
    """Digest of the code at these places (`models`, `tasks/looks.py`) and the versions of the engines."""
    paths = []
    for place in places:
        package, _, rest = place.partition("/")
        paths.append(Path(_PACKAGES[package].__path__[0], rest))
    return {
        "code": digest_of_code(*paths),
        "engines": {**versions_of(_ENGINES), "libavcodec": list(av.library_versions["libavcodec"])},
    }


@cache
def network_engines() -> dict[str, str]:
    """The versions of what runs networks; they rename the outputs of restorers with weights alone."""
    return versions_of(_NETWORK_ENGINES)
