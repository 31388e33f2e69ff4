"""What holds a run over many reels together: before the first one, around each, and after the last."""

from collections.abc import Callable, Sequence

from storage.errors import StorageError
from storage.vault import Vault
from tasks.ledger import Ledger
from tasks.outcome import ReelOutcome
from tasks.pool import JobFailed
from tasks.progress import BOARD
from tasks.ray_engine import PoolError
from tasks.request import RequestError, RestoreRequest
from tasks.run import Run
from tasks.sources import find_sources


class ReelsFailed(Exception):
    """Not every reel was delivered whole; `outcomes` holds them all."""

    def __init__(self, outcomes: Sequence[ReelOutcome]) -> None:
        self.outcomes = list(outcomes)
        whole = sum(outcome.status == "delivered" for outcome in outcomes)
        super().__init__(f"{whole} of {len(outcomes)} reels delivered whole")


def prepare(request: RestoreRequest, sources: Sequence[str]) -> tuple[Run, list[str]]:
    """The run and its reels. Raises RequestError, VaultError before any work is done."""
    reels = find_sources(sources)
    request.check_reels(len(reels))
    Vault(request.vault).prepare()
    return Run(request, Ledger()), reels


def settle(flow: Callable[[Run, str], ReelOutcome], run: Run, source: str) -> ReelOutcome:
    """The flow's outcome; a reel that fails costs no other one."""
    try:
        return flow(run, source)
    except (StorageError, RequestError, JobFailed, PoolError) as error:
        return ReelOutcome(source, "failed", errors=(str(error),))
    except Exception as error:  # whatever it is, it costs this reel alone
        told = (str(error) or "no message").splitlines()[0]
        return ReelOutcome(source, "failed", errors=(f"{source}: {type(error).__name__}: {told}",))
    finally:
        BOARD.close(source)
