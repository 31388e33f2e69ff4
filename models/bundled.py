"""The weights that come with Answerprint, and where those lie that a resolved name means."""

import os
from pathlib import Path

SHIPPED = {name: Path(__file__).with_name("shipped") / name for name in ("reweave", "redye")}
"""Weight bundles by name; their cards lie in them."""


def has_weights(name: str) -> bool:
    """Whether a resolved name, of a restorer or a colouriser, is that of a network: one of `SHIPPED`, or the
    absolute path of a bundle."""
    return name in SHIPPED or os.path.isabs(name)


def bundle_folder(name: str) -> Path:
    """Where the bundle of a resolved name that has weights lies."""
    return SHIPPED.get(name) or Path(name)
