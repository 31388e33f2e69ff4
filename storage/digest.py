"""Names for outputs: a digest of everything that can change a byte of them."""

import hashlib
import json
from collections.abc import Iterable
from fractions import Fraction
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

_HEX_DIGITS = 16


def digest_of(facts: Any) -> str:
    """16 hex digits over the canonical JSON of plain data (fractions as text)."""
    text = json.dumps(facts, sort_keys=True, separators=(",", ":"), default=_plain)
    return hashlib.sha256(text.encode()).hexdigest()[:_HEX_DIGITS]


@cache
def digest_of_code(*places: Path) -> str:
    """Over the source text of these modules, and of all in these folders: what is edited is done anew.

    Raises FileNotFoundError for a place without code: left out, its edits would go unseen.
    """
    total = hashlib.sha256()
    for place in places:
        modules = [place] if place.is_file() else sorted(place.rglob("*.py"))
        if not modules:
            raise FileNotFoundError(f"{place}: no code here")
        for path in modules:
            total.update(path.relative_to(place.parent).as_posix().encode())
            total.update(path.read_bytes())
    return total.hexdigest()[:_HEX_DIGITS]


def versions_of(packages: Iterable[str]) -> dict[str, str]:
    """The installed version of each package; `absent` where it is not installed."""
    found = {}
    for package in packages:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "absent"
    return found


def _plain(value: Any) -> str:
    if isinstance(value, Fraction):
        return str(value)
    raise TypeError(f"{type(value).__name__} has no place in a digest")
