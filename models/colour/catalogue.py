"""Colourisers by name."""

from models.colour.colouriser import Colouriser
from models.colour.copied import CopiedColour

DEFAULT = "copy"
NAMES = ("default", "copy")


class UnknownColouriser(Exception):
    """There is no colouriser of this name; one line that says which there are."""


def resolved(name: str) -> str:
    """The colouriser behind a name: `default` is what it is in this installation."""
    return DEFAULT if name == "default" else name


def load_colouriser(name: str) -> Colouriser:
    """Raises UnknownColouriser."""
    name = resolved(name)
    if name == "copy":
        return CopiedColour()
    raise UnknownColouriser(f"{name}: there is no such colouriser; choose one of {', '.join(NAMES)}")
