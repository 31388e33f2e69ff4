"""What the steps of one run share."""

from dataclasses import dataclass
from typing import Self

from storage.vault import Vault
from tasks.ledger import Ledger
from tasks.request import RestoreRequest


@dataclass(frozen=True)
class Run:
    """Handed from step to step in memory, never stored."""

    request: RestoreRequest
    ledger: Ledger

    @property
    def vault(self) -> Vault:
        return Vault(self.request.vault)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Writes the run's ledger and clears away what dead workers left, however the run ended."""
        self.ledger.write(self.vault)
        self.vault.sweep()
