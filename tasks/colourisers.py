"""Colourisers by the names that people give them, settled once and for all."""

from models.bundled import has_weights
from models.colour.catalogue import UnknownColouriser, load_colouriser, resolved, title
from models.colour.colouriser import Colouriser
from models.errors import WeightsError
from tasks.learning.registry import COLOUR_MODEL, Registry, is_registered_name
from tasks.mlflow_engine import RegistryError
from tasks.restorers import Named

UNUSABLE = (UnknownColouriser, WeightsError, RegistryError)
"""What `colouriser_named` raises, each with one line."""


def colouriser_named(name: str, registry: Registry | None = None) -> Named:
    """Of a registered model the bundle is fetched. Raises one of `UNUSABLE`."""
    if is_registered_name(name):
        registry = registry or Registry(model=COLOUR_MODEL)
        version = registry.version(name)
        return Named(str(registry.fetch(version)), version.title, version.name)
    known = resolved(name)
    return Named(known, title(known) if has_weights(known) else known, known)


def colouriser_of(name: str) -> Colouriser:
    """That of a name as `colouriser_named` settles it. Raises UnknownColouriser."""
    return load_colouriser(name)
