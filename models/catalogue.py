"""Restorers by name: those that come with Answerprint by a word, others by the directory of their weights."""

import os
from pathlib import Path

from models.bundled import bundle_folder, has_weights
from models.classical.restorer import ClassicalRestorer
from models.errors import UnknownRestorer
from models.neural.settings import Use
from models.restorer import Restorer
from models.untouched import Untouched
from models.weights import check_weights, read_bundle

# The best restorer this installation has.
DEFAULT = "reweave"
NAMES = ("default", "classical", "none", "reweave")
UNTRAINED = ("rtn", "rtn-paper", "reweave-small", "reweave-large")
"""Networks that there are no weights of here; listed, because naming them would import torch."""


def resolved(name: str) -> str:
    """The restorer behind a name, by a name that holds in any working directory: `default` is what it is in
    this installation, a bundle is its absolute path.

    Imports no torch. Raises UnknownRestorer; WeightsError for a bundle that is damaged.
    """
    if name == "default":
        name = DEFAULT
    if name in NAMES:
        if has_weights(name):
            check_weights(read_bundle(bundle_folder(name)))
        return name
    if "://" in name:
        raise UnknownRestorer(f"{name}: bundles are read from local directories; copy it and name the copy")
    path = Path(os.path.abspath(os.path.expanduser(name)))
    if path.is_file():
        raise UnknownRestorer(f"{name}: a file; `answerprint import-weights {name}` makes a bundle of it")
    if not name.strip() or not (path.exists() or _looks_like_a_path(name)):
        if name in UNTRAINED:
            raise UnknownRestorer(
                f"{name}: there are no weights of it here; import a checkpoint with "
                "`answerprint import-weights FILE.pth`, or train it, and name the bundle's directory"
            )
        known = ", ".join(NAMES)
        raise UnknownRestorer(
            f"{name}: there is no such restorer; choose one of {known}, or name a weight bundle's directory"
        )
    bundle = read_bundle(path)
    check_weights(bundle)
    if bundle.architecture == "redye":
        raise UnknownRestorer(f"{name}: holds redye, which colours; name it as --colouriser")
    return str(path)


def title(name: str) -> str:
    """What people are told of a resolved name: paths mean nothing elsewhere. Raises WeightsError."""
    return read_bundle(bundle_folder(name)).title if has_weights(name) else name


def load_restorer(name: str, use: Use = Use()) -> Restorer:  # noqa: B008 - it is frozen
    """A restorer whose card is there at once; weights are loaded when it restores.

    use: how a network is used; to restorers without weights it makes no difference. Raises UnknownRestorer,
    WeightsError.
    """
    name = resolved(name)
    if name == "none":
        return Untouched()
    if name == "classical":
        return ClassicalRestorer()
    from models.neural.restorer import NeuralRestorer  # not needed by those who have no weights

    return NeuralRestorer(read_bundle(bundle_folder(name)), use)


def _looks_like_a_path(name: str) -> bool:
    return os.sep in name or name.startswith((".", "~"))
