"""What the steps of one run share."""

from dataclasses import dataclass

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

    def finish(self) -> None:
        """Writes the run's ledger and clears away what dead workers left."""
        self.ledger.write(self.vault)
        self.vault.sweep()
