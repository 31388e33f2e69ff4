"""What a person should look at, and what a person has decided."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from storage.errors import VaultError
from storage.reel import FrameRow, Reel
from storage.timeline import UNCERTAIN_BELOW, ShotSpan
from storage.vault import Vault

Decision = Literal["accept", "revert", "rework"]

_LARGE_SHARE = 0.03
"""Of a frame's pixels: real dirt seldom covers more, and a restorer that does is likely mistaken."""
_LOW_CONFIDENCE = 0.5
_SMALL_SHARE = 0.0001
_MOST_MARKED = 0.5
"""Of a reel's pixels: a mask that marks more was meant the other way round."""
_DECISIONS = "review.json"


@dataclass(frozen=True)
class ReviewItem:
    """One thing to look at, with a reason code."""

    shot: int
    start: int
    end: int
    reason: Literal[
        "uncertain cut", "large area", "low confidence", "not restored", "lost frames", "corrupt frames",
        "reverted", "rework", "transition", "interlaced", "stray decision", "given mask", "left alone",
    ]  # fmt: skip
    detail: str


def review_items(
    shots: Sequence[ShotSpan],
    records: Sequence[dict[str, Any]],
    failures: dict[int, str],
    decisions: Sequence[Decision | None],
    rows: Sequence[FrameRow],
    interlaced: bool,
) -> list[ReviewItem]:
    """The review list of a delivery; what a reviewer accepted is off it.

    records: shot.json of each shot. failures: reasons by shot index. decisions: the reviewer's, by shot.
    """
    items: list[ReviewItem] = []
    for n, (shot, record) in enumerate(zip(shots, records, strict=True)):

        def add(reason: Any, detail: str, n: int = n, shot: ShotSpan = shot) -> None:
            items.append(ReviewItem(n + 1, shot.start, shot.end, reason, detail))

        if n in failures:
            add("not restored", f"delivered as the source has it: {failures[n]}")
        if decisions[n] == "accept":
            continue
        if decisions[n] == "revert":
            add("reverted", "delivered as the source has it, as the reviewer decided")
        if decisions[n] == "rework":
            add("rework", "the reviewer asked for another treatment")
        if shot.certainty < UNCERTAIN_BELOW:
            add("uncertain cut", f"its first cut is {shot.certainty:.0%} certain")
        if shot.kind == "transition":
            add("transition", "a gradual change, kept apart so that nothing looks across it")
        if record["worst_frame_share"] > _LARGE_SHARE:
            add("large area", f"up to {record['worst_frame_share']:.1%} of a frame changed")
        if record["pixels_touched"] and record["mean_confidence"] < _LOW_CONFIDENCE:
            add("low confidence", f"mean confidence {record['mean_confidence']:.2f}")
        given = record["given"]
        if given and given["left"]:
            left = f"{given['left'] / given['pixels']:.1%} of what the mask marks"
            add("given mask", f"{left} stays as it was: nothing beside or around it is whole")
        if record["share_left"]:
            share = f"{record['share_left']:.2%}" if record["share_left"] >= _SMALL_SHARE else "under 0.01%"
            add("left alone", f"{share} of the shot looks damaged, and no repair was sure enough")
        for damage in ("lost", "corrupt"):
            frames = [row.frame for row in rows[shot.start : shot.end] if row.damage == damage]
            if frames:
                add(f"{damage} frames", f"{len(frames)} in the source, from frame {frames[0]} on")
        if interlaced:
            add("interlaced", "two fields a frame: motion between them may have been left unrepaired")
    return items


def mask_items(reel: Reel, records: Sequence[dict[str, Any]]) -> list[ReviewItem]:
    """What makes a mask from outside look like a mistake, over the whole reel: nothing marked, or most of it.

    records: shot.json of each shot.
    """
    marked = sum(record["given"]["pixels"] for record in records if record["given"])
    share = marked / (reel.frame_count * reel.video.width * reel.video.height)
    if 0 < share <= _MOST_MARKED:
        return []
    told = f"the mask marks {share:.0%} of the reel" if share else "the mask marks nothing"
    how = "damage is white in it unless --mask-dark says dark: is that so here?"
    return [ReviewItem(0, 0, reel.frame_count, "given mask", f"{told}; {how}")]


def stray_decisions(vault: Vault, reel_id: str, shots: Sequence[ShotSpan]) -> list[ReviewItem]:
    """The reviewer's decisions that fit no shot, as after a new cut list: none is dropped unsaid."""
    known = {(shot.start, shot.end) for shot in shots}
    return [
        ReviewItem(0, start, end, "stray decision", f"{decision}: no shot has these frames any more")
        for (start, end), decision in decided(vault, reel_id).items()
        if (start, end) not in known
    ]


def decided(vault: Vault, reel_id: str) -> dict[tuple[int, int], Decision]:
    """The reviewer's decisions on a reel's shots, by their frames.

    review.json in the vault's root: a list of objects with reel_id, start, end, decision (accept, revert,
    rework), who, when, why. Raises VaultError where it cannot be understood.
    """
    if not vault.exists(_DECISIONS):
        return {}
    try:
        entries = json.loads(vault.read(_DECISIONS))
        return {
            (int(entry["start"]), int(entry["end"])): _decision(entry["decision"])
            for entry in entries
            if entry["reel_id"] == reel_id
        }
    except (ValueError, KeyError, TypeError) as error:
        raise VaultError(
            f"{vault.url(_DECISIONS)}: not a list of decisions ({error}); see docs/vault.md"
        ) from error


def _decision(text: Any) -> Decision:
    if text not in ("accept", "revert", "rework"):
        raise ValueError(f"decision {text!r} is not accept, revert or rework")
    decision: Decision = text
    return decision
