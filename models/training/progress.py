"""How far a training has come, in one file that holds numbers and nothing that could run.

A training that goes on from it does what it would have done: weights, averages, moments of the gradients and
the place in the material are all here, and what is drawn depends on the step's number alone.
"""

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from torch import Tensor

from models.errors import WeightsError

State = dict[str, Tensor]

_FORMAT = "1"
_PARTS = ("network", "averaged", "best", "mean", "square", "critic")


@dataclass
class Progress:
    """Everything that the next step depends on."""

    network: State
    averaged: State
    """Weights as they were on average lately."""
    best: State
    """The averaged weights that did best on the frozen set; empty before the first look."""
    mean: State
    """AdamW's first moments, by the names of the weights and the critic's; empty before the first step."""
    square: State
    """AdamW's second moments."""
    step: int = 0
    """Steps done."""
    best_score: float | None = None
    """The least loss on the frozen set so far."""
    looks_since_best: int = 0
    fed: Mapping[str, int] = field(default_factory=dict)
    """Where the material stands, as the feed tells it."""
    updates: Mapping[str, int] = field(default_factory=dict)
    """How often AdamW moved each weight: less than `step` for one that some steps did without. What is left
    out, as all is in files of before this was kept, was moved in every step."""
    critic: State = field(default_factory=dict)
    """The discriminator's weights; empty where none has looked on so far."""

    @property
    def champion(self) -> State:
        """The weights to use: the best, or the averaged ones before the first look."""
        return self.best or self.averaged


def begin(network: State) -> Progress:
    """Before the first step."""
    copies = [{name: weight.detach().clone() for name, weight in network.items()} for _ in range(2)]
    return Progress(copies[0], copies[1], {}, {}, {})


def write_progress(path: Path, progress: Progress, course: Mapping[str, Any]) -> None:
    """Whole or not at all; `course` must be the same when it is read again. Raises WeightsError."""
    from safetensors.torch import save

    tensors = {
        f"{part}/{name}": tensor.detach().cpu().contiguous()
        for part in _PARTS
        for name, tensor in getattr(progress, part).items()
    }
    told = {key: value for key, value in asdict(_without_tensors(progress)).items() if key not in _PARTS}
    head = {"format": _FORMAT, "progress": json.dumps(told), "course": _told(course)}
    new = path.with_name(path.name + ".part")
    try:
        with new.open("wb") as file:
            file.write(save(tensors, head))
            file.flush()
            os.fsync(file.fileno())
        os.replace(new, path)
    except OSError as error:
        raise WeightsError(f"{path}: cannot be written ({error.strerror})") from error


def read_progress(path: Path, course: Mapping[str, Any]) -> Progress:
    """Raises WeightsError for a file that is missing or damaged, or of another course."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, "pt") as file:
            head = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - no mapping
        if head["format"] != _FORMAT:
            raise WeightsError(f"{path}: format {head['format']} is unknown here; train anew")
        told = json.loads(head["progress"])
        parts: dict[str, State] = {part: {} for part in _PARTS}
        for name, tensor in tensors.items():
            part, weight = name.split("/", 1)
            parts[part][weight] = tensor
        network, averaged, best, mean, square, critic = (parts[part] for part in _PARTS)
        progress = Progress(network, averaged, best, mean, square, critic=critic, **told)
    except OSError as error:
        raise WeightsError(f"{path}: cannot be read ({error.strerror or error})") from error
    except (SafetensorError, KeyError, TypeError, ValueError) as error:
        raise WeightsError(f"{path}: damaged, or no training's progress; train anew") from error
    if head.get("course") != _told(course):
        raise WeightsError(f"{path}: of another training (settings, network or corpus differ); train anew")
    return progress


def _told(course: Mapping[str, Any]) -> str:
    return json.dumps(course, sort_keys=True)


def _without_tensors(progress: Progress) -> Progress:
    return replace(progress, network={}, averaged={}, best={}, mean={}, square={}, critic={})
