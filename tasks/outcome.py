"""What became of each reel of a run, in the words of `--json`."""

import json
from dataclasses import dataclass, field
from typing import Any, Literal

from storage import delivery as names
from storage.colour_delivery import COLOUR_SUMMARY
from storage.errors import VaultError
from storage.vault import Vault
from tasks.deliver import PAYLOAD, RECORD
from tasks.ingest import IngestedReel


@dataclass(frozen=True)
class ReelOutcome:
    """One reel's result. Places are paths for a local vault and URIs for others."""

    source: str
    status: Literal["delivered", "delivered with failures", "failed"]
    reel_id: str | None = None
    frames: int = 0
    shots: int = 0
    delivery: str | None = None
    master: str | None = None
    access: str | None = None
    mask: str | None = None
    changes: str | None = None
    report: str | None = None
    review_items: int = 0
    damaged_frames: int = 0
    failed_shots: tuple[int, ...] = ()
    shot_rows: tuple[dict[str, Any], ...] = ()
    errors: tuple[str, ...] = field(default=())


def read_outcome(vault: Vault, source: str, key: str) -> ReelOutcome:
    """The outcome as a delivery in the vault tells it. Raises VaultError where its record is broken."""
    try:
        return _told(vault, source, key, json.loads(vault.read(f"{key}/{PAYLOAD}/{names.SUMMARY}")))
    except (ValueError, KeyError, TypeError) as error:
        raise VaultError(f"{vault.url(key)}/{PAYLOAD}/{names.SUMMARY}: broken ({error!r})") from error


def failed_outcome(source: str, errors: tuple[str, ...]) -> ReelOutcome:
    return ReelOutcome(source, "failed", errors=errors)


def deliveries(vault: Vault, reel: IngestedReel) -> list[ReelOutcome]:
    """Every delivery of the restored reel that stands in the vault. Raises VaultError where a record is
    broken.
    """
    return [read_outcome(vault, reel.reel.source, key) for key in delivery_keys(vault, reel, in_colour=False)]


def delivery_keys(vault: Vault, reel: IngestedReel, in_colour: bool) -> list[str]:
    """The reel's finished deliveries: the restored ones, or the coloured."""
    keys = [f"{reel.key}/deliver/{name}" for name in vault.folders(f"{reel.key}/deliver")]
    return [
        key
        for key in keys
        if vault.exists(f"{key}/{RECORD}") and vault.exists(f"{key}/{PAYLOAD}/{COLOUR_SUMMARY}") == in_colour
    ]


def _told(vault: Vault, source: str, key: str, summary: dict[str, Any]) -> ReelOutcome:

    def place(name: str) -> str:
        return vault.url(f"{key}/{PAYLOAD}/{name}")

    failures = [shot for shot in summary["shots"] if shot["failure"]]
    errors = [f"shot {s['shot']} (frames {s['start']}-{s['end'] - 1}): {s['failure']}" for s in failures]
    if summary["damaged_frames"]:
        errors.append(f"{summary['damaged_frames']} frames are damaged in the source; the report lists them")
    return ReelOutcome(
        source=source,
        status="delivered with failures" if errors else "delivered",
        reel_id=summary["reel_id"],
        frames=summary["frames"],
        shots=len(summary["shots"]),
        delivery=vault.url(key),
        master=place(names.MASTER),
        access=place(names.ACCESS),
        mask=place(names.MASK),
        changes=place(names.CHANGES),
        report=place(names.REPORT),
        review_items=summary["review_items"],
        damaged_frames=summary["damaged_frames"],
        failed_shots=tuple(summary["failed_shots"]),
        shot_rows=tuple(summary["shots"]),
        errors=tuple(errors),
    )
