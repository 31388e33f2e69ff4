"""Restorers by the names that people give them, settled once and for all."""

from dataclasses import dataclass

from models.catalogue import resolved, title
from models.errors import UnknownRestorer, WeightsError
from tasks.learning.registry import Registry, is_registered_name
from tasks.mlflow_engine import RegistryError

UNUSABLE = (UnknownRestorer, WeightsError, RegistryError)
"""What `named` raises, each with one line."""


@dataclass(frozen=True)
class Named:
    """A restorer that a name stood for when it was asked."""

    name: str
    """As `models.catalogue` takes it: a word, or the directory of a weight bundle."""
    title: str
    """For people and records: a path means nothing elsewhere."""
    pinned: str
    """A name that will always stand for the same: of an alias, the version that had it."""


def named(name: str, registry: Registry | None = None) -> Named:
    """Of a registered model the bundle is fetched, by default from where `Registry()` looks. Raises one of
    `UNUSABLE`."""
    if is_registered_name(name):
        registry = registry or Registry()
        version = registry.version(name)
        return Named(str(registry.fetch(version)), version.title, version.name)
    known = resolved(name)
    return Named(known, title(known), known)
