"""Restorers by name."""

from models.classical.restorer import ClassicalRestorer
from models.restorer import Restorer
from models.untouched import Untouched

# The best restorer this installation has.
DEFAULT = "classical"
NAMES = ("default", "classical", "none")


def resolved(name: str) -> str:
    """The restorer behind a name: `default` is what it is in this installation."""
    return DEFAULT if name == "default" else name


def load_restorer(name: str) -> Restorer:
    """Raises KeyError for a name that is not in `NAMES`."""
    name = resolved(name)
    if name == "none":
        return Untouched()
    if name == "classical":
        return ClassicalRestorer()
    raise KeyError(name)
