"""One reel: found out about, cut into shots, restored shot by shot, delivered."""

from prefect import flow

from tasks.outcome import ReelOutcome
from tasks.request import RestoreRequest
from tasks.run import Run
from tasks.steps import deliver_reel, find_shots, ingest_reel, read_mask, restore_shots


@flow(name="restore-reel", flow_run_name="{source}", persist_result=False, validate_parameters=False)
def restore_reel(run: Run[RestoreRequest], source: str) -> ReelOutcome:
    """Raises StorageError, PoolError or JobFailed where nothing can be delivered."""
    reel = ingest_reel(run, source)
    mask = read_mask(run, reel)
    shots = find_shots(run, reel)
    restored = restore_shots(run, reel, shots, mask)
    return deliver_reel(run, reel, restored, mask)
