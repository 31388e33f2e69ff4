"""Colourisers by name."""

from models.colour.baselines import ByLuma, Copied
from models.colour.colouriser import Colouriser
from models.colour.propagate import Propagate

# The best colouriser this installation has.
DEFAULT = "propagate"
NAMES = ("default", "propagate", "copied", "by-luma")


class UnknownColouriser(Exception):
    """There is no colouriser of this name; one line that says which there are."""


def resolved(name: str) -> str:
    """The colouriser behind a name: `default` is what it is in this installation."""
    return DEFAULT if name == "default" else name


def load_colouriser(name: str) -> Colouriser:
    """Raises UnknownColouriser."""
    match resolved(name):
        case "propagate":
            return Propagate()
        case "copied":
            return Copied()
        case "by-luma":
            return ByLuma()
    raise UnknownColouriser(f"{name}: there is no such colouriser; choose one of {', '.join(NAMES)}")
