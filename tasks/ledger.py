"""The ledger: frames, seconds and device of every stage, one table a run; what estimates are made from."""

import os
import socket
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from time import monotonic
from typing import Any

from storage.reel import Reel
from storage.tables import LEDGER, from_parquet, to_parquet
from storage.vault import Vault

_FOLDER = "ledger"


class Ledger:
    """Collects a run's rows; `write` puts them into the vault."""

    def __init__(self) -> None:
        now = datetime.now(UTC)
        self._run_id = f"{now:%Y%m%dT%H%M%S}-{uuid.uuid4().hex[:8]}"
        self._rows: list[dict[str, Any]] = []
        self._lock = threading.Lock()

    def add(self, stage: str, reel: Reel, frames: int, seconds: float, device: str, tool: str) -> None:
        row = {
            "run_id": self._run_id,
            "reel_id": reel.reel_id,
            "stage": stage,
            "frames": frames,
            "megapixels": frames * reel.video.width * reel.video.height / 1e6,
            "seconds": seconds,
            "device": f"{socket.gethostname()}/{device}/{os.cpu_count()}",
            "tool": tool,
            "finished_at": datetime.now(UTC).isoformat(timespec="seconds"),
        }
        with self._lock:
            self._rows.append(row)

    @contextmanager
    def timing(self, stage: str, reel: Reel, tool: str = "") -> Iterator[None]:
        """A row for what happens in the block, over all the reel's frames."""
        started = monotonic()
        yield
        self.add(stage, reel, reel.frame_count, monotonic() - started, "cpu", tool)

    def write(self, vault: Vault) -> None:
        if self._rows:
            vault.write(f"{_FOLDER}/{self._run_id}.parquet", to_parquet(self._rows, LEDGER))


def seconds_a_megapixel(vault: Vault, stage: str, tool: str | None = None) -> float | None:
    """What this vault's runs took a megapixel; None before the first."""
    rows = [
        row
        for key in vault.files(_FOLDER)
        for row in from_parquet(vault.read(key), LEDGER)
        if row["stage"] == stage and (tool is None or row["tool"] == tool)
    ]
    megapixels = sum(row["megapixels"] for row in rows)
    return sum(row["seconds"] for row in rows) / megapixels if megapixels else None
