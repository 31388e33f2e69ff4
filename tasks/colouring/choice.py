"""One shot: which of its frames are worth painting: a worker's job."""

import json
from dataclasses import asdict, dataclass
from typing import Any

import cv2

from models.colour.choice import Worth, worth_colouring
from storage.digest import digest_of
from storage.survey import Progress
from storage.vault import Vault
from tasks.colouring.restored import RestoredShot, footage_of
from tasks.ingest import IngestedReel, load
from tasks.recipe import installation

_MOST_A_SHOT = 3
_MODULES = ("choice", "restored")
"""Those of this room that can change what is found."""


@dataclass(frozen=True)
class ChoiceJob:
    """What a worker needs to look through one shot; small, because it travels."""

    vault: str
    reel_id: str
    shot: RestoredShot


class ChoosingWorker:
    """Lives in a worker process of the pool."""

    def __init__(self) -> None:
        cv2.setNumThreads(1)

    def run(self, job: ChoiceJob, progress: Progress) -> list[Worth]:
        """The most useful first, counted in the shot; found once for this code. Raises StorageError."""
        vault = Vault(job.vault)
        reel = load(vault, job.reel_id)
        recipe = _recipe(reel, job)
        key = f"{reel.key}/worth/{digest_of(recipe)}.json"
        if vault.exists(key):
            return [Worth(**each) for each in json.loads(vault.read(key))["frames"]]
        found = worth_colouring(footage_of(vault, reel, job.shot, progress), _MOST_A_SHOT)
        record = {"recipe": recipe, "frames": [asdict(each) for each in found]}
        vault.write(key, json.dumps(record, indent=2, default=str).encode())
        return found


def _recipe(reel: IngestedReel, job: ChoiceJob) -> dict[str, Any]:
    return {
        "restored": job.shot.key,
        "video": asdict(reel.reel.video),
        **installation("models", "storage", *(f"tasks/colouring/{name}.py" for name in _MODULES)),
    }
