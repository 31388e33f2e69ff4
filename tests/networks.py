"""Weight bundles for tests: networks that nobody trained, which answer something all the same."""

from pathlib import Path

import torch

from models.colour.redye import Redye
from models.neural.reweave import Reweave
from models.rtn import RTN
from models.weights import Architecture, Bundle, write_bundle

EAGER = {"sure": 0.0102, "edge": 0.0101, "doubt": 1.0, "error": 1.0, "largest_share": 1.0}
"""Settings by which a network that never saw damage finds some."""


def untrained(architecture: Architecture, seed: int = 3) -> "RTN | Reweave":
    """The network with random weights, the same each time."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        if architecture == "rtn":
            return RTN.from_config("rtn-paper").eval()
        return Reweave.from_config("reweave-small").eval()


def write_untrained(folder: Path, architecture: Architecture, **settings: float | str) -> Bundle:
    """Its bundle, to restore with; `EAGER`, but for what is named."""
    return write_bundle(folder, untrained(architecture), settings={**EAGER, **settings}, licence="CC0-1.0")


def opinionated(seed: int = 3) -> Redye:
    """The colour network with random weights and random answers: fresh ones say what `propagate` says."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = Redye.from_config("redye")
        torch.nn.init.normal_(network.head.weight, std=0.05)
    return network.eval()


def write_opinionated(folder: Path) -> Bundle:
    """Its bundle, to colour with in full precision."""
    return write_bundle(folder, opinionated(), {"precision": "fp32"})
