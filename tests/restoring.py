"""A reel taken through the real steps in this process, without Prefect or Ray, by a restorer we know."""

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np

from models.restorer import Card, Defect, Footage, Repair, Restorer
from storage.timeline import ShotSpan
from storage.vault import Vault
from tasks.deliver import PAYLOAD, ShotOutput, deliver
from tasks.ingest import IngestedReel, ingest
from tasks.restore import ShotJob, restore_shot, shot_key

# Odd edges: chroma samples are covered in part.
ROWS, COLUMNS = slice(11, 24), slice(17, 40)
SKIPPED_FRAMES = 4
"""The first frame of each shot and every fourth after it is left alone."""


class Patch:
    """Turns one rectangle to its negative."""

    card = Card("patch", "1", {"rows": "11-23", "columns": "17-39"})
    device = "cpu"

    def restore(self, footage: Footage) -> Iterator[Repair]:
        for number, planes_CHW in enumerate(footage):
            mask_HW = np.zeros((footage.height, footage.width), bool)
            if number % SKIPPED_FRAMES:
                mask_HW[ROWS, COLUMNS] = True
            repaired_CHW = np.where(mask_HW, 1 - planes_CHW, planes_CHW)
            yield Repair(
                repaired_CHW,
                mask_HW,
                np.float32(0.8) * mask_HW,
                np.uint8(Defect.DIRT) * mask_HW.astype(np.uint8),
            )


_PATCH = Patch()


@dataclass(frozen=True)
class Delivered:
    """A delivery in a vault on this disk, and the reel it was made from."""

    reel: IngestedReel
    bag: Path

    @property
    def data(self) -> Path:
        return self.bag / PAYLOAD


def deliver_reel(
    root: Path, source: Path, rate: Fraction | None = None, restorer: Restorer = _PATCH
) -> Delivered:
    """The reel in two shots, restored and delivered into a vault at `root`."""
    vault = Vault(str(root))
    vault.prepare()
    reel = ingest(vault, str(source), rate, lambda frames: None)
    half = reel.reel.frame_count // 2
    outputs = []
    for start, end in ((0, half), (half, reel.reel.frame_count)):
        job = ShotJob(str(root), reel.reel.reel_id, start, end, "patch", "preservation")
        key = shot_key(reel, job, restorer.card)
        restore_shot(vault, key, reel, job, restorer, lambda frames: None)
        outputs.append(ShotOutput(ShotSpan(start, end), key))
    key = deliver(vault, reel, outputs, "preservation", "patch", lambda frames: None)
    return Delivered(reel, vault.path(key))
