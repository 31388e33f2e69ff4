"""What a vault holds, reel by reel."""

from dataclasses import dataclass

from storage.errors import VaultError
from storage.vault import Vault
from tasks.ingest import load, reel_key
from tasks.outcome import deliveries, delivery_keys
from tasks.restore import RECORD as SHOT_RECORD


@dataclass(frozen=True)
class ReelStatus:
    """One reel of a vault."""

    reel_id: str
    source: str
    frames: int
    damaged_frames: int
    shots_done: int
    deliveries: tuple[str, ...]
    colour_deliveries: tuple[str, ...]
    review_items: int
    failed_shots: int
    error: str = ""
    """Why nothing else is known, where a record of the reel cannot be read."""

    def sentence(self) -> str:
        if self.error:
            return f"{self.reel_id}  {self.error}"
        state = f"{len(self.deliveries)} delivered" if self.deliveries else "not delivered yet"
        notes = [f"{len(self.colour_deliveries)} in colour" if self.colour_deliveries else ""]
        notes += [f"{self.review_items} to be looked at" if self.review_items else ""]
        notes += [f"{self.failed_shots} shots not restored" if self.failed_shots else ""]
        notes += [f"{self.damaged_frames} frames damaged in the source" if self.damaged_frames else ""]
        told = "".join(f", {note}" for note in notes if note)
        work = f"{self.frames} frames, {self.shots_done} shots done"
        return f"{self.reel_id}  {self.source}: {work}, {state}{told}"


def vault_status(uri: str) -> list[ReelStatus]:
    """Every reel, by its identifier. Raises VaultError where there is no vault."""
    vault = Vault(uri)
    if not vault.exists("reels"):
        raise VaultError(f"{uri}: no vault there; `answerprint restore --vault {uri}` makes one")
    return [_told(vault, reel_id) for reel_id in vault.folders("reels") if _known(vault, reel_id)]


def _told(vault: Vault, reel_id: str) -> ReelStatus:
    try:
        return _reel_status(vault, reel_id)
    except VaultError as error:
        return ReelStatus(reel_id, "", 0, 0, 0, (), (), 0, 0, str(error).splitlines()[0])


def _known(vault: Vault, reel_id: str) -> bool:
    return vault.exists(f"{reel_key(reel_id)}/reel.json")


def _reel_status(vault: Vault, reel_id: str) -> ReelStatus:
    reel = load(vault, reel_id)
    shots = [
        s for s in vault.folders(f"{reel.key}/shots") if vault.exists(f"{reel.key}/shots/{s}/{SHOT_RECORD}")
    ]
    outcomes = deliveries(vault, reel)
    return ReelStatus(
        reel_id=reel_id,
        source=reel.reel.source,
        frames=reel.reel.frame_count,
        damaged_frames=reel.reel.damaged_frames,
        shots_done=len(shots),
        deliveries=tuple(outcome.delivery or "" for outcome in outcomes),
        colour_deliveries=tuple(vault.url(key) for key in delivery_keys(vault, reel, in_colour=True)),
        review_items=max((outcome.review_items for outcome in outcomes), default=0),
        failed_shots=max((len(outcome.failed_shots) for outcome in outcomes), default=0),
    )
