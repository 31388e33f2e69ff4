"""What became of each reel of a colour run, in the words of `--json`."""

import json
from dataclasses import dataclass
from typing import Any, Literal

from storage import delivery as names
from storage.colour_delivery import COLOUR, COLOUR_ACCESS, COLOUR_SUMMARY, COVERAGE
from storage.coloured import GUESSED
from storage.errors import VaultError
from storage.vault import Vault
from tasks.deliver import PAYLOAD


@dataclass(frozen=True)
class ColourOutcome:
    """One reel's result. Places are paths for a local vault and URIs for others."""

    source: str
    status: Literal["delivered", "delivered with failures", "in colour already", "failed"]
    reel_id: str | None = None
    frames: int = 0
    shots: int = 0
    coloured_shots: int = 0
    delivery: str | None = None
    restored: str | None = None
    """The name of the restored delivery that was coloured."""
    restored_choices: int = 1
    """How many restored deliveries there were to choose from."""
    colour: str | None = None
    access: str | None = None
    coverage: str | None = None
    report: str | None = None
    review_items: int = 0
    grey_shots: tuple[int, ...] = ()
    """Shots, from 1, without a still."""
    own_colour_shots: tuple[int, ...] = ()
    failed_shots: tuple[int, ...] = ()
    refused_stills: tuple[str, ...] = ()
    automatic_stills: int = 0
    """Of the stills used, those that a model coloured."""
    guessed_by: str | None = None
    """By which models, as the label of the film says it."""
    unpainted_stills: tuple[str, ...] = ()
    """Images in the directory that are named for this reel and have no colour yet."""
    other_stills: int = 0
    """Images that are named for other reels."""
    unnamed_stills: tuple[str, ...] = ()
    """Images whose names tell no reel and frame: the same for every reel of a run."""
    shot_rows: tuple[dict[str, Any], ...] = ()
    errors: tuple[str, ...] = ()

    def coloured_what(self) -> str:
        """Which restored film it is, and where there are several, how another is chosen."""
        told = f"delivery {self.restored}"
        if self.restored_choices > 1:
            told += f", of {self.restored_choices}: the newest, or what --delivery DIGEST names"
        return told


def failed_colour_outcome(source: str, errors: tuple[str, ...]) -> ColourOutcome:
    return ColourOutcome(source, "failed", errors=errors)


def read_colour_outcome(vault: Vault, source: str, key: str) -> ColourOutcome:
    """The outcome as a delivery in the vault tells it. Raises VaultError where its record is broken."""
    try:
        return _told(vault, source, key, json.loads(vault.read(f"{key}/{PAYLOAD}/{COLOUR_SUMMARY}")))
    except (ValueError, KeyError, TypeError) as error:
        raise VaultError(f"{vault.url(key)}/{PAYLOAD}/{COLOUR_SUMMARY}: broken ({error!r})") from error


def _told(vault: Vault, source: str, key: str, summary: dict[str, Any]) -> ColourOutcome:
    shots = summary["shots"]

    def place(name: str) -> str:
        return vault.url(f"{key}/{PAYLOAD}/{name}")

    def of(origin: str) -> tuple[int, ...]:
        return tuple(s["shot"] for s in shots if s["origin"] == origin and not s["failure"])

    failed = [s for s in shots if s["failure"]]
    errors = [f"shot {s['shot']} (frames {s['start']}-{s['end'] - 1}): {s['failure']}" for s in failed]
    errors += summary["refused_stills"]
    return ColourOutcome(
        source=source,
        status="delivered with failures" if errors else "delivered",
        reel_id=summary["reel_id"],
        frames=summary["frames"],
        shots=len(shots),
        coloured_shots=len(of("stills")),
        delivery=vault.url(key),
        restored=summary["restored"],
        colour=place(COLOUR),
        access=place(COLOUR_ACCESS),
        coverage=place(COVERAGE),
        report=place(names.REPORT),
        review_items=summary["review_items"],
        grey_shots=of("none"),
        own_colour_shots=of("own"),
        failed_shots=tuple(summary["failed_shots"]),
        refused_stills=tuple(summary["refused_stills"]),
        automatic_stills=len({s["frame"] for shot in shots for s in shot["stills"] if s.get("guessed_by")}),
        guessed_by=summary["labels"].get(GUESSED),
        shot_rows=tuple(shots),
        errors=tuple(errors),
    )
