"""The shot list of a reel: a person's, or what the detectors found in our own frames."""

from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models.shots.cuts import find_cuts
from storage.digest import digest_of
from storage.reel import Reel
from storage.survey import Progress
from storage.tables import SHOTS, from_parquet, to_parquet
from storage.timeline import ShotSpan, TimelineReel, read_cut_list
from storage.vault import Vault
from tasks.ingest import IngestedReel
from tasks.looks import read_looks
from tasks.recipe import installation


def find_shots(vault: Vault, reel: IngestedReel, cut_list: str | None, progress: Progress) -> list[ShotSpan]:
    """The reel's shots, covering every frame once.

    A cut list given now wins and is kept; one given in an earlier run stays in force; else cuts are detected,
    once for this code. Raises StorageError where a cut list does not fit the reel.
    """
    known = known_shots(vault, reel, cut_list)
    if cut_list and known:
        kept = _to_table(known)
        if not vault.exists(_by_hand(reel)) or vault.read(_by_hand(reel)) != kept:
            vault.write(_by_hand(reel), kept)
    if known is None:
        known = _detect(vault, reel, progress)
        vault.write(_detected(reel), _to_table(known))
    return known


def known_shots(vault: Vault, reel: IngestedReel, cut_list: str | None) -> list[ShotSpan] | None:
    """The shot list that is in force without looking at the film; None where cuts must be detected first."""
    if cut_list:
        return list(read_cut_list(Path(cut_list), timeline_reel(reel.reel)))
    for key in (_by_hand(reel), _detected(reel)):
        if vault.exists(key):
            return _from_table(vault.read(key))
    return None


def _by_hand(reel: IngestedReel) -> str:
    return f"{reel.key}/shots-by-hand.parquet"


def _detected(reel: IngestedReel) -> str:
    basis = installation("models/shots", "storage", "tasks/looks.py", "tasks/shots.py")
    return f"{reel.key}/shots-{digest_of(basis)}.parquet"


def timeline_reel(reel: Reel) -> TimelineReel:
    """What a shot list tells of its reel."""
    return TimelineReel(reel.name, reel.frame_count, reel.video.rate, reel.timecode)


def _detect(vault: Vault, reel: IngestedReel, progress: Progress) -> list[ShotSpan]:
    count = reel.reel.frame_count
    spans: list[ShotSpan] = []
    start, certainty = 0, 1.0
    detectors: tuple[str, ...] = ("start",)
    looks = read_looks(vault.path(reel.looks), reel.rows)
    for cut in find_cuts(_counted(looks, progress)):
        if cut.start > start:
            spans.append(ShotSpan(start, cut.start, "shot", certainty, detectors))
        if cut.end > cut.start:
            spans.append(ShotSpan(cut.start, cut.end, "transition", cut.certainty, cut.detectors))
        start, certainty, detectors = cut.end, cut.certainty, cut.detectors
    if start < count:
        spans.append(ShotSpan(start, count, "shot", certainty, detectors))
    return spans


def _counted(looks: Iterator[NDArray[np.uint8]], progress: Progress) -> Iterator[NDArray[np.uint8]]:
    for frame, look in enumerate(looks):
        yield look
        progress(frame + 1)


def _to_table(spans: list[ShotSpan]) -> bytes:
    rows = ({"shot": n, **asdict(span), "detectors": list(span.detectors)} for n, span in enumerate(spans, 1))
    return to_parquet(rows, SHOTS)


def _from_table(data: bytes) -> list[ShotSpan]:
    return [
        ShotSpan(row["start"], row["end"], row["kind"], row["certainty"], tuple(row["detectors"]))
        for row in from_parquet(data, SHOTS)
    ]
