"""One shot: read, restored, merged under its mask, written with its record: a worker's job."""

import json
import socket
from dataclasses import asdict, dataclass
from time import monotonic
from typing import Any

import cv2
import numpy as np
from av.error import FFmpegError

from models.catalogue import load_restorer
from models.errors import WeightsError
from models.neural.settings import Use
from models.restorer import Card, Repair, Restorer
from storage.delivery import MOVED
from storage.digest import digest_of
from storage.errors import StorageError, VaultError
from storage.filesystem import first_line
from storage.master import GREY8, Ffv1Writer
from storage.pixels import Picture, blank, differs, merge, replace
from storage.survey import Progress
from storage.tables import CHANGES, TableWriter
from storage.vault import Vault
from tasks.changes import change_rows, with_change
from tasks.footage import ShotFootage
from tasks.ingest import IngestedReel, load
from tasks.mask import Heeded, MaskFilm, MaskOrder, load_mask, masks_of
from tasks.recipe import OtherInstallation, installation, network_engines
from tasks.request import Mode

RECORD = "shot.json"
_MODULES = ("restore", "footage", "changes", "mask")
"""Those of `tasks` that can change a byte of a shot."""


@dataclass(frozen=True)
class ShotJob:
    """What a worker needs to restore one shot; small, because it travels."""

    vault: str
    reel_id: str
    start: int
    end: int
    restorer: str
    mode: Mode
    mask: MaskOrder | None = None
    """A mask from outside, if there is one."""
    use: Use = Use()  # noqa: RUF009 - it is frozen
    """How a network is used."""
    key: str = ""
    """Where the run expects the output."""

    @property
    def frames(self) -> int:
        return self.end - self.start


@dataclass(frozen=True)
class ShotOutcome:
    """What a worker tells of a shot that stands in the vault."""

    key: str
    seconds: float
    device: str


class UnusableWeights(StorageError):
    """A worker cannot load the weights that the run was asked for: no shot would fare better."""


def shot_key(reel: IngestedReel, job: ShotJob, card: Card, mask: MaskFilm | None = None) -> str:
    """Where the shot's output lies: named by everything that can change a byte of it.

    mask: what `job.mask` orders.
    """
    return f"{reel.key}/shots/{digest_of(_recipe(reel, job, card, mask))}"


def _recipe(reel: IngestedReel, job: ShotJob, card: Card, mask: MaskFilm | None) -> dict[str, Any]:
    return {
        "source_sha256": reel.reel.sha256,
        "frames": [job.start, job.end],
        "pictures_md5": digest_of([row.md5 for row in reel.rows[job.start : job.end]]),
        "video": asdict(reel.reel.video),
        "restorer": {**asdict(card), "parameters": dict(card.parameters)},
        **({"network_engines": network_engines()} if card.weights_sha256 else {}),
        "mode": job.mode,
        "mask": mask.recipe(job.start, job.end) if mask else None,
        **installation("models", "storage", *(f"tasks/{name}.py" for name in _MODULES)),
    }


class RestoringWorker:
    """Lives in a worker process of the pool: a restorer is loaded once."""

    def __init__(self) -> None:
        cv2.setNumThreads(1)
        self._restorers: dict[tuple[str, Use], Restorer] = {}
        self._reel: tuple[tuple[str, str], IngestedReel] | None = None
        self._mask: tuple[tuple[str, MaskOrder], MaskFilm] | None = None

    def run(self, job: ShotJob, progress: Progress) -> ShotOutcome:
        """Raises StorageError (final) and whatever a restorer raises."""
        try:
            return self._run(job, progress)
        except WeightsError as error:
            raise UnusableWeights(f"{socket.gethostname()}: {error}") from error

    def _run(self, job: ShotJob, progress: Progress) -> ShotOutcome:
        started = monotonic()
        restorer = self._restorers.get((job.restorer, job.use)) or load_restorer(job.restorer, job.use)
        self._restorers[job.restorer, job.use] = restorer
        vault = Vault(job.vault)
        reel = self._load(vault, job)
        mask = self._load_mask(vault, job)
        key = shot_key(reel, job, restorer.card, mask)
        if job.key and key != job.key:
            raise OtherInstallation(
                f"{socket.gethostname()}: this worker has other versions than the run; install the same there"
            )
        if not vault.exists(f"{key}/{RECORD}"):
            try:
                restore_shot(vault, key, reel, job, restorer, progress, mask)
            except (FFmpegError, OSError) as error:  # the source's own troubles are SourceError
                raise VaultError(f"{vault.url(key)}: cannot be written ({first_line(error)})") from error
        return ShotOutcome(key, monotonic() - started, restorer.device)

    def _load(self, vault: Vault, job: ShotJob) -> IngestedReel:
        """The reel's index; only the last one is kept, an archive has thousands."""
        name = job.vault, job.reel_id
        if self._reel is None or self._reel[0] != name:
            self._reel = name, load(vault, job.reel_id)
        return self._reel[1]

    def _load_mask(self, vault: Vault, job: ShotJob) -> MaskFilm | None:
        """The mask's index; only the last one is kept."""
        if job.mask is None:
            return None
        name = job.vault, job.mask
        if self._mask is None or self._mask[0] != name:
            self._mask = name, load_mask(vault, job.mask)
        return self._mask[1]


def restore_shot(
    vault: Vault,
    key: str,
    reel: IngestedReel,
    job: ShotJob,
    restorer: Restorer,
    progress: Progress,
    mask: MaskFilm | None = None,
) -> None:
    """Restores one shot and publishes it under `key`."""
    video = reel.reel.video
    shot = ShotFootage(reel, job.start, job.end, mask)
    footage = shot.as_it_is()
    step_rows: list[list[dict[str, Any]]] = [[] for _ in range(job.frames)]
    if job.mode == "presentation":
        footage, step_rows = shot.steadied(job.use.whole)
    touched, left, confidence_sum, worst = 0, 0, 0.0, 0.0
    heeded = Heeded()
    with vault.publishing(key, RECORD) as folder:
        with (
            Ffv1Writer(folder / "restored.mkv", video) as restored,
            Ffv1Writer(folder / "mask.mkv", video, GREY8) as masks,
            Ffv1Writer(folder / "originals.mkv", video) as originals,
            TableWriter(folder / "changes.parquet", CHANGES) as changes,
        ):
            repairs = zip(
                range(job.start, job.end), restorer.restore(footage), masks_of(footage), strict=True
            )
            for frame, repair, given_HW in repairs:
                picture = shot.taken(frame)
                result = _merge(picture, repair, job.mode)
                mask_HW = repair.mask_HW if job.mode == "preservation" else differs(picture, result)
                restored.write(result)
                masks.write(_mask_picture(mask_HW, repair))
                originals.write(replace(blank(picture), picture, mask_HW))
                changes.write(with_change(step_rows[frame - job.start], picture, result))
                changes.write(change_rows(frame, job.start, picture, result, repair, restorer.card))
                touched += int(repair.mask_HW.sum())
                left += 0 if repair.left_HW is None else int(repair.left_HW.sum())
                confidence_sum += float(repair.confidence_HW[repair.mask_HW].sum())
                worst = max(worst, float(repair.mask_HW.mean()))
                heeded = heeded.with_frame(given_HW, repair.mask_HW)
                progress(frame + 1 - job.start)
        record = {
            "recipe": _recipe(reel, job, restorer.card, mask),
            "frames": [job.start, job.end],
            "restorer": restorer.card.name,
            "pixels_touched": touched,
            "share_touched": touched / (job.frames * video.width * video.height),
            "share_left": left / (job.frames * video.width * video.height),
            "device": restorer.device,
            "worst_frame_share": worst,
            "mean_confidence": confidence_sum / touched if touched else 1.0,
            "given": asdict(heeded) if mask else None,
        }
        (folder / RECORD).write_text(json.dumps(record, indent=2, default=str) + "\n")


def _merge(picture: Picture, repair: Repair, mode: Mode) -> Picture:
    if mode == "preservation":
        return merge(picture, repair.planes_CHW, repair.mask_HW)
    whole_CHW = repair.planes_CHW if repair.whole_CHW is None else repair.whole_CHW
    return merge(picture, whole_CHW, np.ones_like(repair.mask_HW))


def _mask_picture(mask_HW: Any, repair: Repair) -> Picture:
    """0: the source's pixel. 1 to 254: repaired, and how sure. 255: moved by a global step alone."""
    sureness = np.where(repair.mask_HW, np.rint(repair.confidence_HW * 253) + 1, MOVED)
    return Picture(((sureness * mask_HW).astype(np.uint8),), GREY8)
