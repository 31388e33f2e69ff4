"""Shots of one scene, told by what they show, and the stills that they share: a worker's job a shot."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from models.colour.references import alike, look
from models.motion import Byte
from storage.digest import digest_of
from storage.vault import Vault
from tasks.colouring.restored import RestoredReel, RestoredShot, lightness
from tasks.colouring.stills import Still
from tasks.ingest import IngestedReel
from tasks.recipe import installation

_NEAR_SHOTS = 12
"""A scene is cut within a few shots; farther away nothing is looked for, however alike it is."""
_LOOKED_AT = 5
"""Frames of a shot that are held against a still."""
_ALIKE = 0.5
"""Likeness of local contrast (`fit`): 0.03 between two films; from a moving car 0.57 after 6 frames, 0.46
after 15."""
_MOST_LENT = 2
_MOST_KEPT = 64
"""Looks of stills; neighbouring shots are held against the same ones. 77 kB each at 4:3."""
_MODULES = ("restored", "scenes")
"""Those of this room that can change what is borrowed."""


@dataclass(frozen=True)
class LentStill:
    """A still and the shot that its frame stands in."""

    still: Still
    shot: RestoredShot


@dataclass(frozen=True)
class LoanJob:
    """What a worker needs to find the stills that one shot borrows; small, because it travels."""

    vault: str
    reel_id: str
    shot: RestoredShot
    lenders: tuple[LentStill, ...]
    """The stills of other shots near by."""

    @property
    def frames(self) -> int:
        """How many are looked at."""
        return _LOOKED_AT + len(self.lenders)


def loan_job(
    vault: str, reel_id: str, restored: RestoredReel, number: int, stills: Sequence[Still]
) -> LoanJob:
    """What is to be looked through for a shot. number: of the shot, from 0."""
    near = range(max(0, number - _NEAR_SHOTS), min(len(restored.shots), number + _NEAR_SHOTS + 1))
    lenders = [
        LentStill(still, shot)
        for still in stills
        for n in near
        for shot in [restored.shots[n]]
        if n != number and shot.span.start <= still.frame < shot.span.end and not shot.in_colour
    ]
    return LoanJob(vault, reel_id, restored.shots[number], tuple(lenders))


def known_loan(vault: Vault, reel: IngestedReel, job: LoanJob) -> tuple[LentStill, ...] | None:
    """What the shot borrows, where it was looked through before, or no still is near. Raises VaultError.

    A record that is damaged counts for none: looking again is cheap, and writes it anew.
    """
    if not job.lenders:
        return ()
    record = _record(reel, job)
    try:
        return _chosen(job, json.loads(vault.read(record))["likeness"]) if vault.exists(record) else None
    except (ValueError, KeyError, TypeError):
        return None


def loan_key(reel: IngestedReel, job: LoanJob) -> str:
    """What the shot borrows is put on record under it: named by everything that can change that."""
    return f"{reel.key}/loans/{digest_of(_recipe(reel, job))}"


class Lender:
    """Finds what shots borrow, one after the other; keeps the looks of the stills that it saw last."""

    def __init__(self) -> None:
        self._kept: dict[tuple[str, int], Byte] = {}

    def borrowed(self, vault: Vault, reel: IngestedReel, job: LoanJob) -> tuple[LentStill, ...]:
        """The stills that show what the shot shows, the likest first; two at most. Put on record.

        A camera that comes back to where it stood shows the same again, as in an exchange of looks; what was
        filmed from elsewhere is not taken for the same. Raises VaultError.
        """
        span = job.shot.span
        frames = sorted({round(at) for at in np.linspace(span.start, span.end - 1, _LOOKED_AT)})
        looks = [_look(vault, reel, job.shot, frame) for frame in frames]
        likeness = [
            max(alike(still_hw, look_hw) for look_hw in looks)
            for lent in job.lenders
            for still_hw in [self._look(vault, reel, lent)]
        ]
        record = {"recipe": _recipe(reel, job), "likeness": likeness}
        vault.write(_record(reel, job), json.dumps(record, indent=2, default=str).encode())
        return _chosen(job, likeness)

    def _look(self, vault: Vault, reel: IngestedReel, lent: LentStill) -> Byte:
        """Of a still's frame, as the film has it."""
        name = lent.shot.key, lent.still.frame
        look_hw = self._kept.pop(name, None)
        self._kept[name] = _look(vault, reel, lent.shot, lent.still.frame) if look_hw is None else look_hw
        while len(self._kept) > _MOST_KEPT:
            self._kept.pop(next(iter(self._kept)))
        return self._kept[name]


def _chosen(job: LoanJob, likeness: Sequence[float]) -> tuple[LentStill, ...]:
    found = [each for each in zip(likeness, job.lenders, strict=True) if each[0] >= _ALIKE]
    return tuple(lent for _, lent in sorted(found, key=lambda each: -each[0])[:_MOST_LENT])


def _look(vault: Vault, reel: IngestedReel, shot: RestoredShot, frame: int) -> Byte:
    return look(lightness(shot.picture(vault, reel.reel, frame), reel.reel))


def _record(reel: IngestedReel, job: LoanJob) -> str:
    return f"{loan_key(reel, job)}.json"


def _recipe(reel: IngestedReel, job: LoanJob) -> dict[str, Any]:
    """The film alone is looked at: how a still is painted changes nothing."""
    return {
        "restored": job.shot.key,
        "span": [job.shot.span.start, job.shot.span.end],
        "lenders": [[lent.still.frame, lent.shot.key, lent.shot.span.start] for lent in job.lenders],
        "video": str(reel.reel.video),
        **installation("models", "storage", *(f"tasks/colouring/{name}.py" for name in _MODULES)),
    }
