"""What the tests of colour share: stills painted on restored frames, and a reel coloured in this process."""

from collections.abc import Iterable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from storage.coloured import shown_grey
from storage.master import GREY8, Ffv1Writer
from storage.painting import write_still
from storage.pixels import Picture
from storage.reel import VideoFacts
from storage.survey import Progress
from storage.timeline import ShotSpan
from storage.vault import Vault
from tasks.colouring.colour import ColouringWorker
from tasks.colouring.deliver import deliver_colour
from tasks.colouring.dispatch import find_loans, plan_colour
from tasks.colouring.request import ColourRequest
from tasks.colouring.restored import RestoredReel, restored_reel
from tasks.colouring.stills import ReelStills, still_name, take_stills
from tasks.deliver import PAYLOAD, ShotOutput, deliver
from tasks.ingest import IngestedReel, ingest
from tasks.pool import Pool, Worker
from tasks.restore import ShotJob, restore_shot, shot_key
from tests.film import Plan, make_film
from tests.restoring import Patch


def quietly(done: int) -> None:
    pass


def restored(root: Path, source: Path, cuts: Sequence[int]) -> tuple[Vault, IngestedReel]:
    """The reel restored (one rectangle of most frames turned to its negative) and delivered, cut there."""
    vault = Vault(str(root))
    vault.prepare()
    reel = ingest(vault, str(source), None, quietly)
    edges = [0, *cuts, reel.reel.frame_count]
    outputs = []
    for start, end in pairwise(edges):
        job = ShotJob(str(root), reel.reel.reel_id, start, end, "patch", "preservation")
        key = shot_key(reel, job, Patch.card)
        restore_shot(vault, key, reel, job, Patch(), quietly)
        outputs.append(ShotOutput(ShotSpan(start, end), key))
    deliver(vault, reel, outputs, "preservation", "patch", quietly)
    return vault, reel


def two_shots(root: Path, name: str = "reel", seed: int = 4) -> tuple[Vault, IngestedReel]:
    """A reel of two shots of eight frames in a vault, 160x120, restored."""
    video = VideoFacts(
        "ffv1", "gray", 160, 120, Fraction(18), Fraction(1), 0, "progressive", True, 2, 2, 2, 2
    )
    root.mkdir(exist_ok=True)
    with Ffv1Writer(root / f"{name}.mkv", video) as writer:
        for frame in make_film(seed, Plan(2, (8, 8), cut_ins=0)).frames:
            writer.write(Picture((frame,), GREY8))
    return restored(root / "vault", root / f"{name}.mkv", [8])


def painted(grey: NDArray[np.uint8] | NDArray[np.uint16]) -> NDArray[np.uint8] | NDArray[np.uint16]:
    """A still with a warm left half and a cold right one, as (H, W, 3), red first."""
    peak = np.iinfo(grey.dtype).max
    half = grey.shape[1] // 2
    tint = np.zeros((*grey.shape, 3))
    tint[:, :half], tint[:, half:] = (0.1, 0, -0.12), (-0.12, 0, 0.14)
    still = np.clip(grey[..., None] / peak * 0.8 + 0.1 + tint, 0, 1)
    return np.rint(still * peak).astype(grey.dtype)


def grey_still(vault: Vault, reel: IngestedReel, frame: int) -> NDArray[np.uint8] | NDArray[np.uint16]:
    """The frame as colour-stills writes it."""
    picture = restored_reel(vault, reel).shot_of(frame).picture(vault, reel.reel, frame)
    return shown_grey(picture, reel.reel.video)


def paint(folder: Path, vault: Vault, reel: IngestedReel, frame: int, name: str = "") -> Path:
    """A painted still of the frame, under its name or another."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / (name or still_name(reel.reel, frame))
    write_still(path, painted(grey_still(vault, reel, frame)))
    return path


@dataclass(frozen=True)
class Colouring:
    """A reel coloured in this process."""

    film: RestoredReel
    stills: ReelStills
    outputs: tuple[ShotOutput, ...]
    key: str
    data: Path


def coloured(
    vault: Vault, reel: IngestedReel, folder: Path, colouriser: str = "copied", share: bool = False
) -> Colouring:
    """By the folder's stills, without Ray."""
    request = ColourRequest(vault.uri, str(folder), colouriser, share=share)
    film = restored_reel(vault, reel)
    stills = take_stills(vault, reel, film, request.stills)
    loans = find_loans(vault, reel, film, stills.fit, request, HerePool(ColouringWorker()), quietly)
    planned = plan_colour(vault, reel, film, stills.fit, loans, request)
    for job, _ in planned:
        ColouringWorker().run(job, quietly)
    outputs = tuple(output for _, output in planned)
    key = deliver_colour(vault, reel, film, stills, outputs, request.title, quietly)
    return Colouring(film, stills, outputs, key, vault.path(key) / PAYLOAD)


class HerePool(Pool):
    """Does each job as it is given, in this process."""

    def __init__(self, worker: Worker) -> None:
        self.worker = worker

    def submit(self, job: Any, cost: float, deadline_s: float, progress: Progress = quietly) -> "Future[Any]":
        future: Future[Any] = Future()
        future.set_result(self.worker.run(job, progress))
        return future

    def cancel(self, futures: Iterable["Future[Any]"]) -> None:
        pass
