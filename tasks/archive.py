"""What holds a run over many reels together: before the first one, around each, and after the last."""

from collections.abc import Callable, Sequence
from typing import Generic, Protocol, TypeVar

from storage.errors import StorageError
from storage.vault import Vault
from tasks.ledger import Ledger
from tasks.pool import JobFailed
from tasks.progress import BOARD
from tasks.ray_engine import PoolError
from tasks.request import RequestError
from tasks.run import Request, Run
from tasks.sources import find_sources

WHOLE = ("delivered", "in colour already")
"""The outcomes of a reel for which nothing is left to do."""


class Outcome(Protocol):
    """What became of a reel."""

    @property
    def status(self) -> str: ...


Result = TypeVar("Result", bound=Outcome)
Asked = TypeVar("Asked", bound=Request)


class ReelsFailed(Exception, Generic[Result]):
    """Not every reel was delivered whole; `outcomes` holds them all."""

    def __init__(self, outcomes: Sequence[Result]) -> None:
        self.outcomes = list(outcomes)
        whole = sum(outcome.status in WHOLE for outcome in outcomes)
        super().__init__(f"{whole} of {len(outcomes)} reels delivered whole")


def prepare(request: Asked, sources: Sequence[str]) -> tuple[Run[Asked], list[str]]:
    """The run and its reels. Raises RequestError, VaultError before any work is done."""
    reels = find_sources(sources)
    request.check_reels(len(reels))
    Vault(request.vault).prepare()
    return Run(request, Ledger()), reels


def settle(
    flow: Callable[[Run[Asked], str], Result],
    run: Run[Asked],
    source: str,
    failed: Callable[[str, tuple[str, ...]], Result],
) -> Result:
    """The flow's outcome; a reel that fails costs no other one.

    failed: the outcome of a source for which these errors were told.
    """
    try:
        return flow(run, source)
    except (StorageError, RequestError, JobFailed, PoolError) as error:
        return failed(source, tuple(str(error).splitlines()))
    except Exception as error:  # whatever it is, it costs this reel alone
        told = (str(error) or "no message").splitlines()[0]
        return failed(source, (f"{source}: {type(error).__name__}: {told}",))
    finally:
        BOARD.close(source)


def all_whole(outcomes: list[Result]) -> list[Result]:
    """The outcomes. Raises ReelsFailed, which holds them, unless every reel was delivered whole."""
    if any(outcome.status not in WHOLE for outcome in outcomes):
        raise ReelsFailed(outcomes)
    return outcomes
