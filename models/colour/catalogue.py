"""Colourisers by name: those that come with Answerprint by a word, others by the directory of their
weights."""

import os
from pathlib import Path

from models.bundled import bundle_folder, has_weights
from models.colour.baselines import ByLuma, Copied
from models.colour.colouriser import Colouriser
from models.colour.propagate import Propagate
from models.colour.redyer import Redyer
from models.errors import WeightsError
from models.weights import check_weights, read_bundle

# What colours unless told otherwise. The network comes nearer to the true colour, but flickers a little more
# and takes more than twice the time: its gate left it a challenger.
DEFAULT = "propagate"
NAMES = ("default", "propagate", "copied", "by-luma", "redye")


class UnknownColouriser(Exception):
    """There is no such colouriser, or its weights cannot be used; one line that says what to do."""


def resolved(name: str) -> str:
    """The colouriser behind a name, by a name that holds in any working directory: `default` is what it is in
    this installation, a bundle is its absolute path.

    Imports no torch. Raises UnknownColouriser.
    """
    if name == "default":
        name = DEFAULT
    found = name if name in NAMES else _directory(name)
    try:
        if has_weights(found):
            check_weights(read_bundle(bundle_folder(found)))
    except WeightsError as error:
        raise UnknownColouriser(str(error)) from error
    return found


def _directory(name: str) -> str:
    path = Path(os.path.abspath(os.path.expanduser(name)))
    if "://" in name or not name.strip() or not (path.is_dir() or os.sep in name):
        known = ", ".join(NAMES)
        raise UnknownColouriser(
            f"{name}: there is no such colouriser; choose one of {known}, or name the directory of a bundle "
            "of redye's weights"
        )
    return str(path)


def title(name: str) -> str:
    """What people are told of a resolved name: paths mean nothing elsewhere. Raises UnknownColouriser."""
    card = load_colouriser(name).card
    return f"{card.name} {card.weights_sha256[:16] if card.weights_sha256 else card.version}"


def load_colouriser(name: str) -> Colouriser:
    """A colouriser whose card is there at once; weights are loaded when it colours. Raises
    UnknownColouriser."""
    name = resolved(name)
    match name:
        case "propagate":
            return Propagate()
        case "copied":
            return Copied()
        case "by-luma":
            return ByLuma()
        case _:
            try:
                return Redyer(read_bundle(bundle_folder(name)))
            except WeightsError as error:
                raise UnknownColouriser(str(error)) from error
