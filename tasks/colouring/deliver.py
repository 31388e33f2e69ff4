"""Assembly of a colour delivery: shots joined, proven against the laws, packed as a bag and published."""

import json
import shutil
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from models.colour.lab import lab_of_ycc
from models.colour.palette import Jump, Painted, jumps
from storage import delivery as names
from storage.access import AccessWriter
from storage.bag import write_bag
from storage.colour_delivery import (
    COLOUR,
    COLOUR_ACCESS,
    COLOUR_SUMMARY,
    COLOUR_SUMS,
    COVERAGE,
    COVERAGE_TABLE,
    LUMA_SUMS,
    STILLS,
    ColouredFrame,
)
from storage.coloured import (
    LABEL,
    StillsOrigin,
    coloured_reel,
    coloured_video,
    labels_of,
    luma_codes,
    luma_signal,
    own_chroma,
)
from storage.delivery import picture_at
from storage.fixity import FrameSum, frame_sum
from storage.master import GREY8, join, join_plain
from storage.reel import Reel
from storage.survey import Progress
from storage.tables import COVERAGE as COVERAGE_ROWS
from storage.tables import TableWriter, read_rows
from storage.vault import Vault
from tasks.colouring.colour import matrix_of
from tasks.colouring.laws import check_colour_laws
from tasks.colouring.report import colour_report_html
from tasks.colouring.restored import RestoredReel
from tasks.colouring.review import ColourItem, colour_items
from tasks.colouring.sheets import ColourSheetPainter
from tasks.colouring.stills import ReelStills, still_name
from tasks.deliver import (
    PAYLOAD,
    DeliveryRefused,
    ShotOutput,
    bag_info,
    events_of,
    publish,
    write_facts,
    write_json,
    write_sums,
)
from tasks.ingest import IngestedReel
from tasks.restore import RECORD as SHOT_RECORD

_DESCRIPTION = "Film colourised from painted stills, with a map of what was reached"
_MP4_TAGS = ("title", "comment")
"""What MP4 has a place for."""


def deliver_colour(
    vault: Vault,
    reel: IngestedReel,
    restored: RestoredReel,
    stills: ReelStills,
    shots: Sequence[ShotOutput],
    by: str,
    progress: Progress,
) -> str:
    """Joins, checks, packs and publishes; returns the delivery's key. The same shots give the same delivery.

    by: what carried the colour. Raises SourceError where the source was touched, DeliveryRefused where a law
    is broken, VaultError.
    """
    recipe = {
        "restored": restored.delivery,
        "shots": [[asdict(shot.span), shot.key, bool(shot.failure)] for shot in shots],
        "stills": [
            [still.frame, still.name, still.sha256, still.guessed_by and asdict(still.guessed_by)]
            for still in stills.fit
        ],
        "refused": stills.refused,
        "colouriser": by,
    }
    return publish(
        vault, reel, recipe, lambda bag: _make(vault, bag, reel, restored, stills, shots, by, progress)
    )


def _make(
    vault: Vault,
    bag: Path,
    reel: IngestedReel,
    restored: RestoredReel,
    stills: ReelStills,
    shots: Sequence[ShotOutput],
    by: str,
    progress: Progress,
) -> None:
    started = datetime.now(UTC)
    folder = bag / PAYLOAD
    records = [json.loads(vault.read(f"{shot.key}/{SHOT_RECORD}")) for shot in shots]
    found = _jumps(vault, reel, shots, records)
    items = colour_items(shots, records, stills, found, reel.reel.frame_count)
    summary = _summary(reel, restored, stills, shots, records, items, by)
    coloured = coloured_reel(reel.reel, summary["labels"])
    _join(vault, folder, reel, shots, coloured)
    _write_records(vault, folder, reel, stills, shots)
    write_json(folder / COLOUR_SUMMARY, summary)  # the laws look into it
    _write_luma_sums(vault, folder, reel, restored)
    _prove(folder, reel, shots, coloured, progress)
    write_json(folder / names.REVIEW, [asdict(item) for item in items])
    write_json(folder / names.EVENTS, _events(reel.reel, summary, started))
    (folder / names.REPORT).write_text(colour_report_html(reel.reel, summary, items), encoding="utf-8")
    write_bag(bag, bag_info(reel.reel, _DESCRIPTION))


def _jumps(
    vault: Vault, reel: IngestedReel, shots: Sequence[ShotOutput], records: list[dict[str, Any]]
) -> dict[int, list[Jump]]:
    """Things that change colour over a cut between two painted shots, by the shot after it, from 1."""
    video = coloured_video(reel.reel.video)

    def at(shot: ShotOutput, number: int) -> Painted:
        picture = picture_at(vault.path(f"{shot.key}/{COLOUR}"), number, video.rate)
        signal_HW = np.clip(luma_signal(picture.planes[0], video), 0, 1)
        return Painted(signal_HW, lab_of_ycc(signal_HW, own_chroma(picture, video.full_range), matrix)[1:])

    matrix = matrix_of(video)
    found = {}
    for n, ((one, before), (other, after)) in enumerate(pairwise(zip(shots, records, strict=True)), 2):
        if before["origin"] == after["origin"] == "stills":
            found[n] = jumps(at(one, one.span.end - one.span.start - 1), at(other, 0))
    return found


def _join(
    vault: Vault, folder: Path, reel: IngestedReel, shots: Sequence[ShotOutput], coloured: Reel
) -> None:
    def segments(name: str) -> list[Path]:
        return [vault.path(f"{shot.key}/{name}") for shot in shots]

    join(folder / COLOUR, segments(COLOUR), coloured, reel.rows)
    join_plain(folder / COVERAGE, segments(COVERAGE), coloured, reel.rows, GREY8)


def _write_records(
    vault: Vault, folder: Path, reel: IngestedReel, stills: ReelStills, shots: Sequence[ShotOutput]
) -> None:
    """All that is no film, and the stills under names of ours."""
    with TableWriter(folder / COVERAGE_TABLE, COVERAGE_ROWS) as coverage:
        for shot in shots:
            coverage.write(read_rows(vault.path(f"{shot.key}/{COVERAGE_TABLE}"), COVERAGE_ROWS))
    write_facts(folder, reel, [shot.span for shot in shots])
    (folder / STILLS).mkdir()
    for still in stills.fit:
        name = Path(still_name(reel.reel, still.frame)).with_suffix(Path(still.key).suffix).name
        shutil.copyfile(vault.path(still.key), folder / STILLS / name)


def _write_luma_sums(vault: Vault, folder: Path, reel: IngestedReel, restored: RestoredReel) -> None:
    """Of the restored film, which colour.mkv is then held against."""
    sums = [frame_sum((luma_codes(picture),)) for shot in restored.shots for picture in shot.pictures(vault)]
    write_sums(folder / LUMA_SUMS, reel.reel, sums)


def _prove(
    folder: Path, reel: IngestedReel, shots: Sequence[ShotOutput], coloured: Reel, progress: Progress
) -> None:
    """One look at every coloured frame: the laws, the access copy, the checksums and the contact sheets."""
    labels = {key: value for key, value in coloured.metadata.items() if key in _MP4_TAGS}
    labels["comment"] = f"{LABEL}. {labels['comment']}"
    sheets = ColourSheetPainter(folder, coloured, [shot.span for shot in shots])
    sums: list[FrameSum] = []
    with AccessWriter(folder / COLOUR_ACCESS, coloured, reel.rows, labels) as access:

        def see(frame: ColouredFrame, found: FrameSum) -> None:
            access.write(frame.picture)
            sheets.see(frame)
            sums.append(found)
            progress(frame.frame + 1)

        problems = check_colour_laws(folder, see)
        if problems:
            raise DeliveryRefused(
                f"{reel.reel.name}: not delivered, it would break the laws: {'; '.join(problems[:3])}"
            )
    write_sums(folder / COLOUR_SUMS, reel.reel, sums)


def _summary(
    reel: IngestedReel,
    restored: RestoredReel,
    stills: ReelStills,
    shots: Sequence[ShotOutput],
    records: list[dict[str, Any]],
    items: list[ColourItem],
    by: str,
) -> dict[str, Any]:
    used = [still["guessed_by"] for record in records for still in record["stills"]]
    models = sorted({model for model in used if model})
    origin: StillsOrigin = "painted" if not models else "partly" if None in used else "guessed"
    return {
        "reel_id": reel.reel.reel_id,
        "source": reel.reel.name,
        "source_sha256": reel.reel.sha256,
        "restored": restored.delivery,
        "colouriser": by,
        "labels": labels_of(reel.reel, by, origin, models),
        "frames": reel.reel.frame_count,
        "stills": [asdict(still) for still in stills.fit],
        "stills_origin": origin,
        "refused_stills": list(stills.refused),
        "failed_shots": [n for n, shot in enumerate(shots, 1) if shot.failure],
        "review_items": len(items),
        "shots": [
            {
                "shot": n,
                "start": shot.span.start,
                "end": shot.span.end,
                "kind": shot.span.kind,
                "output": shot.key.rpartition("/")[2],
                "origin": record["origin"],
                "stills": record["stills"],
                "share_reached": record["share_reached"],
                "mean_confidence": record["mean_confidence"],
                "failure": shot.failure,
            }
            for n, (shot, record) in enumerate(zip(shots, records, strict=True), 1)
        ],
        "recipes": {
            shot.key.rpartition("/")[2]: record["recipe"] for shot, record in zip(shots, records, strict=True)
        },
    }


def _events(reel: Reel, summary: dict[str, Any], started: datetime) -> dict[str, Any]:
    grey = sum(shot["origin"] == "none" for shot in summary["shots"])
    models = [still["guessed_by"] for still in summary["stills"] if still["guessed_by"]]
    stills = f"{len(summary['stills']) - len(models)} painted stills"
    if models:
        names = " and ".join(sorted({model["name"] for model in models}))
        stills += f" and {len(models)} that a machine coloured ({names})"
    steps = [
        (
            "modification",
            f"colourised by {summary['colouriser']} from {stills}, upon the restored film of delivery "
            f"{summary['restored']}",
            f"{grey} shots left grey" if grey else "every shot done",
        ),
        ("validation", "frames, sound and tags checked, luma held against the restored film's", "passed"),
    ]
    return events_of(reel, COLOUR, "derived from the restored film by colourisation", steps, started)
