"""What the steps of one run share."""

from dataclasses import dataclass
from fractions import Fraction
from typing import Generic, Protocol, Self, TypeVar

from storage.vault import Vault
from tasks.ledger import Ledger


class Request(Protocol):
    """What every run over reels is asked for."""

    @property
    def vault(self) -> str: ...

    @property
    def rate(self) -> Fraction | None:
        """Frames a second, for sources that name none."""
        ...

    def check_reels(self, count: int) -> None:
        """Raises RequestError where what is for one reel was given for several."""
        ...


Asked = TypeVar("Asked", bound=Request, covariant=True)


@dataclass(frozen=True)
class Run(Generic[Asked]):
    """Handed from step to step in memory, never stored."""

    request: Asked
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
