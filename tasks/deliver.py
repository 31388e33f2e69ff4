"""Assembly: shots joined to a delivery, proven against the laws, packed as a bag and published."""

import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from av.error import FFmpegError

from storage import delivery as names
from storage.access import AccessWriter
from storage.bag import write_bag
from storage.delivery import DeliveredFrame
from storage.digest import digest_of
from storage.errors import StorageError, VaultError
from storage.filesystem import first_line
from storage.fixity import FrameSum, write_framemd5
from storage.master import GREY8, join, join_plain
from storage.reel import Reel, reel_to_json
from storage.survey import Progress
from storage.tables import CHANGES, FRAMES, TableWriter, read_rows, to_parquet
from storage.timeline import ShotSpan, csv_text, edl_text, otio_text
from storage.vault import Vault
from tasks.ingest import IngestedReel, check_untouched
from tasks.laws import check_laws
from tasks.mask import MaskFilm
from tasks.recipe import installation
from tasks.report import report_html
from tasks.request import Mode
from tasks.restore import RECORD as SHOT_RECORD
from tasks.review import Decision, ReviewItem, mask_items, review_items, stray_decisions
from tasks.sheets import SheetPainter
from tasks.shots import timeline_reel

# A bag is complete when its tag manifest stands.
RECORD = "tagmanifest-sha256.txt"
PAYLOAD = "data"


class DeliveryRefused(StorageError):
    """The delivery would break a law; it is not published."""


@dataclass(frozen=True)
class ShotOutput:
    """A shot as it goes into the delivery."""

    span: ShotSpan
    key: str
    failure: str | None = None
    """Why it is delivered as the source has it, if it could not be restored."""
    decision: Decision | None = None
    """What the reviewer decided of it."""


def deliver(
    vault: Vault,
    reel: IngestedReel,
    shots: Sequence[ShotOutput],
    mode: Mode,
    restorer: str,
    progress: Progress,
    mask: MaskFilm | None = None,
) -> str:
    """Joins, checks, packs and publishes; returns the delivery's key. The same shots give the same delivery.

    Raises SourceError where the source was touched, DeliveryRefused where a law is broken, VaultError.
    """
    recipe = {
        "shots": [[asdict(shot.span), shot.key, bool(shot.failure), shot.decision] for shot in shots],
        "mode": mode,
        "mask": mask.facts if mask else None,
    }
    return publish(
        vault, reel, recipe, lambda bag: _make(vault, bag, reel, shots, mode, restorer, progress, mask)
    )


def publish(vault: Vault, reel: IngestedReel, recipe: Mapping[str, Any], make: Callable[[Path], None]) -> str:
    """The key of the delivery that the recipe names, made unless it is there. make: fills the bag's folder.

    Raises SourceError where the source was touched, VaultError, and what `make` does.
    """
    check_untouched(reel.reel)
    key = f"{reel.key}/deliver/{digest_of({**recipe, **installation('storage', 'tasks')})}"
    if vault.exists(f"{key}/{RECORD}"):
        return key
    try:
        with vault.publishing(key, RECORD) as bag:
            (bag / PAYLOAD).mkdir()
            make(bag)
    except (FFmpegError, OSError) as error:  # the source's own troubles are SourceError
        raise VaultError(f"{vault.url(key)}: cannot be written ({first_line(error)})") from error
    return key


def _make(
    vault: Vault,
    bag: Path,
    reel: IngestedReel,
    shots: Sequence[ShotOutput],
    mode: Mode,
    restorer: str,
    progress: Progress,
    mask: MaskFilm | None,
) -> None:
    started = datetime.now(UTC)
    folder = bag / PAYLOAD
    _join(vault, folder, reel, shots)
    touched = _write_records(vault, folder, reel, shots)
    _prove(folder, reel, [shot.span for shot in shots], touched, progress)
    records = [json.loads(vault.read(f"{shot.key}/{SHOT_RECORD}")) for shot in shots]
    items = _review(reel, shots, records)
    items += stray_decisions(vault, reel.reel.reel_id, [shot.span for shot in shots])
    if mask:
        items += mask_items(reel.reel, records)
    summary = _summary(reel, shots, records, items, mode, restorer, mask)
    write_json(folder / names.REVIEW, [asdict(item) for item in items])
    write_json(folder / names.SUMMARY, summary)
    write_json(folder / names.EVENTS, _events(reel.reel, summary, started))
    (folder / names.REPORT).write_text(report_html(reel.reel, summary, items), encoding="utf-8")
    write_bag(bag, bag_info(reel.reel))


def _join(vault: Vault, folder: Path, reel: IngestedReel, shots: Sequence[ShotOutput]) -> None:
    def segments(name: str) -> list[Path]:
        return [vault.path(f"{shot.key}/{name}") for shot in shots]

    join(folder / names.MASTER, segments("restored.mkv"), reel.reel, reel.rows)
    join_plain(folder / names.MASK, segments("mask.mkv"), reel.reel, reel.rows, GREY8)
    join_plain(
        folder / names.ORIGINALS, segments("originals.mkv"), reel.reel, reel.rows, reel.reel.video.layout
    )


def _write_records(
    vault: Vault, folder: Path, reel: IngestedReel, shots: Sequence[ShotOutput]
) -> Counter[int]:
    """All that is no film; returns how many pixels were repaired in each frame."""
    touched: Counter[int] = Counter()
    with TableWriter(folder / names.CHANGES, CHANGES) as changes:
        for shot in shots:
            for row in read_rows(vault.path(f"{shot.key}/{names.CHANGES}"), CHANGES):
                changes.write([row])
                touched[row["frame"]] += row["pixels"] if row["region"] else 0
    write_facts(folder, reel, [shot.span for shot in shots])
    video = reel.reel.video
    size_bytes = video.layout.frame_bytes(video.width, video.height)
    write_sums(folder / names.SOURCE_SUMS, reel.reel, [FrameSum(size_bytes, row.md5) for row in reel.rows])
    return touched


def write_facts(folder: Path, reel: IngestedReel, spans: Sequence[ShotSpan]) -> None:
    """The reel's record and frame index, and its shots."""
    facts = timeline_reel(reel.reel)
    (folder / names.REEL).write_bytes(reel_to_json(reel.reel))
    (folder / names.FRAMES).write_bytes(to_parquet((asdict(row) for row in reel.rows), FRAMES))
    (folder / "shots.otio").write_text(otio_text(spans, facts))
    (folder / "shots.edl").write_text(edl_text(spans, facts))
    (folder / "shots.csv").write_text(csv_text(spans, facts))


def _prove(
    folder: Path, reel: IngestedReel, spans: list[ShotSpan], touched: Counter[int], progress: Progress
) -> None:
    """One look at every delivered frame: the laws, the access copy, the checksums and the contact sheets."""
    sheets = SheetPainter(folder, reel.reel, spans, touched)
    sums: list[FrameSum] = []
    with AccessWriter(folder / names.ACCESS, reel.reel, reel.rows) as access:

        def see(delivered: DeliveredFrame, master_sum: FrameSum) -> None:
            access.write(delivered.master)
            sheets.see(delivered)
            sums.append(master_sum)
            progress(delivered.frame + 1)

        problems = check_laws(folder, see)
        if problems:
            raise DeliveryRefused(
                f"{reel.reel.name}: not delivered, it would break the laws: {'; '.join(problems[:3])}"
            )
    write_sums(folder / names.MASTER_SUMS, reel.reel, sums)


def write_sums(path: Path, reel: Reel, sums: list[FrameSum]) -> None:
    video = reel.video
    write_framemd5(
        path, sums, rate=video.rate, width=video.width, height=video.height, sample_aspect=video.sample_aspect
    )


def _review(
    reel: IngestedReel, shots: Sequence[ShotOutput], records: list[dict[str, Any]]
) -> list[ReviewItem]:
    return review_items(
        [shot.span for shot in shots],
        records,
        {n: shot.failure for n, shot in enumerate(shots) if shot.failure},
        [shot.decision for shot in shots],
        reel.rows,
        reel.reel.video.field_order != "progressive",
    )


def _summary(
    reel: IngestedReel,
    shots: Sequence[ShotOutput],
    records: list[dict[str, Any]],
    items: list[ReviewItem],
    mode: Mode,
    restorer: str,
    mask: MaskFilm | None,
) -> dict[str, Any]:
    return {
        "reel_id": reel.reel.reel_id,
        "source": reel.reel.name,
        "source_sha256": reel.reel.sha256,
        "mode": mode,
        "restorer": restorer,
        "mask": {"film": mask.film.reel.name, **mask.facts} if mask else None,
        "frames": reel.reel.frame_count,
        "damaged_frames": reel.reel.damaged_frames,
        "failed_shots": [n + 1 for n, shot in enumerate(shots) if shot.failure],
        "review_items": len(items),
        "shots": [
            {
                "shot": n,
                "start": shot.span.start,
                "end": shot.span.end,
                "kind": shot.span.kind,
                "output": shot.key.rpartition("/")[2],
                "restorer": record["restorer"],
                "share_touched": record["share_touched"],
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
    failed = summary["failed_shots"]
    steps = [
        (
            "ingestion",
            f"{reel.frame_count} frames indexed",
            f"{reel.damaged_frames} damaged in the source",
        ),
        (
            "modification",
            f"restored by {summary['restorer']} in {summary['mode']} mode{_by_mask(summary)}; "
            f"see {names.CHANGES}",
            f"{len(failed)} shots left as they were" if failed else "every shot done",
        ),
        ("validation", "frames, sound, tags, mask and replaced pixels checked against the source", "passed"),
    ]
    return events_of(reel, names.MASTER, "derived from the original by restoration", steps, started)


def events_of(
    reel: Reel, film: str, relationship: str, steps: Sequence[tuple[str, str, str]], started: datetime
) -> dict[str, Any]:
    """What happened, in PREMIS's terms: objects, events, agents.

    film: the delivery's own. steps: kind, detail and outcome of what followed the check of the source.
    """
    checked = ("fixity check", "sha256 of the source, at ingest and before delivery", "unchanged")
    return {
        "objects": [
            {"objectIdentifier": reel.sha256, "originalName": reel.name, "size": reel.size_bytes},
            {"objectIdentifier": film, "relationship": relationship},
        ],
        "agents": [{"agentIdentifier": "Answerprint", "agentType": "software"}],
        "events": [
            {
                "eventIdentifier": f"{reel.reel_id}-{kind.replace(' ', '-')}",
                "eventType": kind,
                "eventDateTime": started.isoformat(timespec="milliseconds"),
                "eventDetail": detail,
                "eventOutcome": outcome,
                "linkingAgentIdentifier": "Answerprint",
                "linkingObjectIdentifier": [reel.sha256, film],
            }
            for kind, detail, outcome in (checked, *steps)
        ],
    }


def _by_mask(summary: dict[str, Any]) -> str:
    mask = summary["mask"]
    return f", mask of sha256 {mask['sha256']} ({mask['use']})" if mask else ""


def bag_info(
    reel: Reel, description: str = "Restored film with its change log and replaced pixels"
) -> dict[str, str]:
    return {
        "Bag-Software-Agent": "Answerprint",
        "External-Description": description,
        "External-Identifier": reel.reel_id,
        "Source-SHA256": reel.sha256,
    }


def write_json(path: Path, data: Any) -> None:
    path.write_text(json.dumps(data, indent=2, ensure_ascii=False, default=str) + "\n", encoding="utf-8")
