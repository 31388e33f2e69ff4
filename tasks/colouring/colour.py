"""One shot: its restored luma read, its colour carried from the stills, written with its record."""

import json
import socket
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from functools import partial
from itertools import repeat
from time import monotonic
from typing import Any, Literal

import cv2
import numpy as np
from av.error import FFmpegError
from numpy.typing import NDArray

from models.colour.catalogue import UnknownColouriser, load_colouriser
from models.colour.colouriser import Coloured, Colouriser, LoadedReferences, Reference
from models.colour.lab import Matrix, chroma_for
from models.errors import WeightsError
from models.restorer import Card
from storage.colour_delivery import COLOUR, COVERAGE, COVERAGE_TABLE, OWN
from storage.coloured import coloured_video, luma_codes, luma_signal, own_chroma, painted, uncoloured
from storage.digest import digest_of
from storage.errors import VaultError
from storage.filesystem import first_line
from storage.master import GREY8, Ffv1Writer
from storage.pixels import Picture
from storage.reel import VideoFacts
from storage.survey import Progress
from storage.tables import COVERAGE as COVERAGE_ROWS
from storage.tables import TableWriter
from storage.vault import Vault
from tasks.colouring.restored import RestoredShot, footage_of, lightness
from tasks.colouring.scenes import Lender, LentStill, LoanJob
from tasks.colouring.stills import guessers, load_still, still_ab
from tasks.ingest import IngestedReel, load
from tasks.recipe import OtherInstallation, installation, network_engines
from tasks.restore import RECORD, ShotOutcome, UnusableWeights

Origin = Literal["stills", "own", "none"]
"""Where a shot's colour comes from: painted stills; the film, which has colour of its own; nowhere: grey."""
# Numbers of ITU-T H.273.
_MATRICES: dict[int, Matrix] = {1: "bt709", 4: "bt601", 5: "bt601", 6: "bt601", 9: "bt2020"}
_MODULES = ("colour", "stills", "restored")
"""Those of this room that can change a byte of a shot."""


@dataclass(frozen=True)
class ColourJob:
    """What a worker needs to colour one shot; small, because it travels."""

    vault: str
    reel_id: str
    shot: RestoredShot
    colouriser: str
    origin: Origin
    stills: tuple[LentStill, ...] = ()
    """Of this shot's frames, or borrowed from shots of the same scene."""
    key: str = ""
    """Where the run expects the output."""

    @property
    def frames(self) -> int:
        return self.shot.span.end - self.shot.span.start


def matrix_of(video: VideoFacts) -> Matrix:
    """The matrix of a coloured film, which has no other than these."""
    return _MATRICES[video.matrix]


def colour_key(reel: IngestedReel, job: ColourJob, card: Card | None) -> str:
    """Where the shot's output lies: named by everything that can change a byte of it.

    card: of the colouriser that does the job; where there are no stills it makes no difference.
    """
    return f"{reel.key}/colour/{digest_of(_recipe(reel, job, card))}"


def _recipe(reel: IngestedReel, job: ColourJob, card: Card | None) -> dict[str, Any]:
    span = job.shot.span
    asked = card if job.origin == "stills" else None
    return {
        "restored": job.shot.key,
        "frames": [span.start, span.end],
        "video": asdict(reel.reel.video),
        "origin": job.origin,
        "colouriser": {**asdict(asked), "parameters": dict(asked.parameters)} if asked else None,
        **({"network_engines": network_engines()} if asked and asked.weights_sha256 else {}),
        "stills": [
            {
                "sha256": lent.still.sha256,
                "frame": lent.still.frame,
                "restored": lent.shot.key,
                "guessed_by": asdict(lent.still.guessed_by) if lent.still.guessed_by else None,
            }
            for lent in job.stills
        ],
        **installation("models", "storage", *(f"tasks/colouring/{name}.py" for name in _MODULES)),
    }


class ColouringWorker:
    """Lives in a worker process of the pool: a colouriser is loaded once, a still's look kept for a while."""

    def __init__(self) -> None:
        cv2.setNumThreads(1)
        self._colourisers: dict[str, Colouriser] = {}
        self._lender = Lender()
        self._reel: tuple[tuple[str, str], IngestedReel] | None = None

    def run(self, job: ColourJob | LoanJob, progress: Progress) -> ShotOutcome | tuple[LentStill, ...]:
        """A shot coloured, or the stills that it borrows found.

        Raises StorageError and UnusableWeights (final) and whatever a colouriser raises, like SpillError
        (tried again).
        """
        if isinstance(job, LoanJob):
            vault = Vault(job.vault)
            return self._lender.borrowed(vault, self._load(vault, job), job)
        try:
            return self._colour(job, progress)
        except (UnknownColouriser, WeightsError) as error:
            raise UnusableWeights(f"{socket.gethostname()}: {error}") from error

    def _colour(self, job: ColourJob, progress: Progress) -> ShotOutcome:
        started = monotonic()
        colouriser = self._colourisers.get(job.colouriser) or load_colouriser(job.colouriser)
        self._colourisers[job.colouriser] = colouriser
        vault = Vault(job.vault)
        reel = self._load(vault, job)
        key = colour_key(reel, job, colouriser.card)
        if job.key and key != job.key:
            raise OtherInstallation(
                f"{socket.gethostname()}: this worker has other versions than the run; install the same there"
            )
        if not vault.exists(f"{key}/{RECORD}"):
            try:
                colour_shot(vault, key, reel, job, colouriser, progress)
            except (FFmpegError, OSError) as error:  # a colouriser's temporary files are SpillError
                raise VaultError(f"{vault.url(key)}: cannot be written ({first_line(error)})") from error
        return ShotOutcome(key, monotonic() - started, colouriser.device)

    def _load(self, vault: Vault, job: ColourJob | LoanJob) -> IngestedReel:
        """The reel's index; only the last one is kept, an archive has thousands."""
        name = job.vault, job.reel_id
        if self._reel is None or self._reel[0] != name:
            self._reel = name, load(vault, job.reel_id)
        return self._reel[1]


def colour_shot(
    vault: Vault, key: str, reel: IngestedReel, job: ColourJob, colouriser: Colouriser, progress: Progress
) -> None:
    """Colours one shot and publishes it under `key`."""
    span = job.shot.span
    video = coloured_video(reel.reel.video)
    reached, confidences = 0, 0.0
    with vault.publishing(key, RECORD) as folder:
        with (
            Ffv1Writer(folder / COLOUR, video) as films,
            Ffv1Writer(folder / COVERAGE, video, GREY8) as coverages,
            TableWriter(folder / COVERAGE_TABLE, COVERAGE_ROWS) as rows,
        ):
            pictures = job.shot.pictures(vault)
            found = _found(vault, reel, job, colouriser)
            for frame, picture, coloured in zip(range(span.start, span.end), pictures, found, strict=True):
                film, coverage_HW = _coloured(picture, coloured, reel.reel.video, video, job.origin)
                films.write(film)
                coverages.write(Picture((coverage_HW,), GREY8))
                reached_HW = coverage_HW > round(colouriser.reached_from * 253)
                count = int(reached_HW.sum())
                confidence = 0.0 if coloured is None else float(coloured.confidence_HW.mean())
                rows.write([_row(frame, job, count, confidence, coverage_HW.size)])
                reached, confidences = reached + count, confidences + confidence
                progress(frame + 1 - span.start)
        record = {
            "recipe": _recipe(reel, job, colouriser.card),
            "frames": [span.start, span.end],
            "origin": job.origin,
            "colouriser": colouriser.card.name if job.origin == "stills" else None,
            "stills": [
                {
                    "frame": lent.still.frame,
                    "borrowed": lent.shot.key != job.shot.key,
                    "guessed_by": lent.still.guessed_by and lent.still.guessed_by.title(),
                }
                for lent in job.stills
            ],
            "share_reached": reached / (job.frames * video.width * video.height),
            "mean_confidence": _certain(job.origin, confidences / job.frames),
            "device": colouriser.device,
        }
        (folder / RECORD).write_text(json.dumps(record, indent=2, default=str) + "\n")


def _found(
    vault: Vault, reel: IngestedReel, job: ColourJob, colouriser: Colouriser
) -> Iterator[Coloured | None]:
    """What the colouriser makes of each frame; None for each where it is not asked."""
    if job.origin != "stills":
        return repeat(None, job.frames)
    footage = footage_of(vault, reel, job.shot)
    loads = [partial(_reference, vault, reel, job, lent) for lent in job.stills]
    return colouriser.colour(footage, LoadedReferences(loads))


def _reference(vault: Vault, reel: IngestedReel, job: ColourJob, lent: LentStill) -> Reference:
    frame = lent.still.frame
    return Reference(
        still_ab(load_still(vault, lent.still)),
        lightness(lent.shot.picture(vault, reel.reel, frame), reel.reel),
        frame - job.shot.span.start if lent.shot.key == job.shot.key else None,
    )


def _coloured(
    picture: Picture, coloured: Coloured | None, own: VideoFacts, video: VideoFacts, origin: Origin
) -> tuple[Picture, NDArray[np.uint8]]:
    """The frame of colour.mkv and its coverage_HW: 0 nothing, 1 to 254 how sure, 255 the film's own."""
    luma_HW = luma_codes(picture)
    if origin == "own":
        coverage_HW = np.full(luma_HW.shape, OWN, np.uint8)
        return painted(luma_HW, own_chroma(picture, own.full_range), video), coverage_HW
    if coloured is None:
        return uncoloured(luma_HW, video), np.zeros(luma_HW.shape, np.uint8)
    if not (np.isfinite(coloured.ab_2HW).all() and np.isfinite(coloured.confidence_HW).all()):
        raise ValueError("the colouriser gave no number for some pixels")
    signal_HW = np.clip(luma_signal(luma_HW, video), 0, 1)
    chroma_2HW = chroma_for(signal_HW, coloured.ab_2HW, matrix_of(video))
    sure_HW = np.clip(coloured.confidence_HW, 0, 1)
    coverage_HW = np.where(sure_HW > 0, np.rint(sure_HW * 253) + 1, 0).astype(np.uint8)
    return painted(luma_HW, chroma_2HW, video), coverage_HW


def _row(frame: int, job: ColourJob, reached: int, confidence: float, pixels: int) -> dict[str, Any]:
    inside = [lent.still.frame for lent in job.stills if lent.shot.key == job.shot.key]
    return {
        "frame": frame,
        "shot_start": job.shot.span.start,
        "origin": job.origin,
        "share_reached": reached / pixels,
        "mean_confidence": _certain(job.origin, confidence),
        "still": min(inside, key=lambda still: (abs(still - frame), still), default=None),
        "guessed_by": " and ".join(guessers(lent.still for lent in job.stills)) or None,
    }


def _certain(origin: Origin, confidence: float) -> float:
    """The film's own colour is certain."""
    return 1.0 if origin == "own" else confidence
