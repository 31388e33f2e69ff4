"""The record of stills that a model coloured, which are known by their bytes.

A guess is put on record before its image is written: in the vault, and in a file beside the stills,
`<reel>_automatic.json`. Whoever paints on it changes its bytes, and it is a person's.
"""

import json
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from models.colour.automatic import Maker
from storage.errors import SourceError, VaultError
from storage.filesystem import reading, write_atomically
from storage.vault import Vault
from tasks.ingest import IngestedReel

RECORD = "_automatic.json"
"""After the reel's name."""


@dataclass(frozen=True)
class Guess:
    """A still that a model coloured."""

    still: str
    """What the image was called."""
    frame: int
    """Of the reel."""
    sha256: str
    """Of the image's bytes."""
    maker: Maker


def put_on_record(vault: Vault, reel: IngestedReel, beside: Path, guess: Guess) -> None:
    """Adds a guess to what is known; nothing is ever taken off.

    beside: the file beside the stills. Raises VaultError, SourceError where that file is broken.
    """
    vault.write(_key(reel, guess.sha256), json.dumps(asdict(guess), indent=2).encode())
    known = guesses_beside([beside]) if beside.exists() else {}
    known[guess.sha256] = guess
    rows = sorted(known.values(), key=lambda each: (each.frame, each.sha256))
    record = {"reel_id": reel.reel.reel_id, "stills": [asdict(each) for each in rows]}
    write_atomically(beside, (json.dumps(record, indent=2) + "\n").encode())


def guesses_beside(records: Iterable[Path]) -> dict[str, Guess]:
    """The guesses in files beside stills, by sha256. Raises SourceError."""
    known = {}
    for path in records:
        try:
            with reading(path.name):
                rows = json.loads(path.read_bytes())["stills"]
            known.update({guess.sha256: guess for guess in map(_guess, rows)})
        except (ValueError, KeyError, TypeError) as error:
            raise SourceError(
                f"{path.name}: broken ({error!r}), and it tells which stills a model coloured; put it back, "
                "or take it away: the vault that `colour-stills` was given knows them too"
            ) from error
    return known


def guesses_of_others(records: Iterable[Path]) -> dict[str, Guess]:
    """As `guesses_beside`, in the files of other reels: a broken one tells nothing and costs nothing."""
    known: dict[str, Guess] = {}
    for path in records:
        with suppress(SourceError):
            known |= guesses_beside([path])
    return known


def known_guess(vault: Vault, reel: IngestedReel, sha256: str, beside: Mapping[str, Guess]) -> Guess | None:
    """The guess that an image of this digest is; None for a person's work. Raises VaultError."""
    key = _key(reel, sha256)
    if sha256 in beside or not vault.exists(key):
        return beside.get(sha256)
    try:
        return _guess(json.loads(vault.read(key)))
    except (ValueError, KeyError, TypeError) as error:
        raise VaultError(f"{vault.url(key)}: broken ({error!r})") from error


def _guess(row: Mapping[str, Any]) -> Guess:
    """Raises ValueError, KeyError, TypeError for what is none."""
    maker = Maker(**row["maker"])
    guess = Guess(**{**row, "maker": maker})
    texts: list[Any] = [guess.still, guess.sha256, maker.name, maker.kind, maker.sha256]
    if not (all(isinstance(text, str) for text in texts) and type(guess.frame) is int):
        raise ValueError("a value of another kind")
    return guess


def _key(reel: IngestedReel, sha256: str) -> str:
    return f"{reel.key}/guesses/{sha256}.json"
