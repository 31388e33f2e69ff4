"""What a person should look at in a coloured film."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from models.colour.palette import Jump
from tasks.colouring.stills import ReelStills, Still
from tasks.deliver import ShotOutput

_LOW_CONFIDENCE = 0.5
_MUCH_UNREACHED = 0.05
"""Of a shot's pixels."""
_MOST_JUMPS = 3
"""At one cut; the largest are told."""


@dataclass(frozen=True)
class ColourItem:
    """One thing to look at, with a reason code."""

    shot: int
    """From 1; 0 for what belongs to no shot."""
    start: int
    end: int
    reason: Literal[
        "no still", "not coloured", "not reached", "low confidence", "borrowed still", "own colour",
        "refused still", "doubtful still", "colour jump", "automatic still",
    ]  # fmt: skip
    detail: str


def colour_items(
    shots: Sequence[ShotOutput],
    records: Sequence[dict[str, Any]],
    stills: ReelStills,
    jumps: Mapping[int, Sequence[Jump]],
    frames: int,
) -> list[ColourItem]:
    """records: shot.json of each shot. jumps: what changes colour at a shot's first cut, by shot from 1.
    frames: of the reel.
    """
    items = [ColourItem(0, 0, frames, "refused still", line) for line in stills.refused]
    for n, (shot, record) in enumerate(zip(shots, records, strict=True), 1):

        def add(reason: Any, detail: str, n: int = n, shot: ShotOutput = shot) -> None:
            items.append(ColourItem(n, shot.span.start, shot.span.end, reason, detail))

        for still in stills.fit:
            if _within(shot, still):
                for note in still.notes:
                    add("doubtful still", f"{still.name}: {note}")
        for jump in jumps.get(n, ())[:_MOST_JUMPS]:
            where = f"{jump.column:.0%} across, {jump.row:.0%} down before the cut"
            add(
                "colour jump",
                f"what is {where} has another colour after it (CIEDE2000 {jump.difference:.0f})",
            )
        borrowed = [still["frame"] for still in record["stills"] if still["borrowed"]]
        if shot.failure:
            add("not coloured", f"left grey: {shot.failure}")
        elif record["origin"] == "none":
            add("no still", "left grey: paint a frame of it")
        elif record["origin"] == "own":
            unused = ", its still is not used" if any(_within(shot, still) for still in stills.fit) else ""
            add("own colour", f"the film has colour here and keeps it{unused}")
        else:
            unreached = 1 - record["share_reached"]
            if unreached > _MUCH_UNREACHED:
                add(
                    "not reached",
                    f"{unreached:.1%} of the shot was hardly reached, or not: paint a frame that shows it",
                )
            if record["mean_confidence"] < _LOW_CONFIDENCE:
                add("low confidence", f"mean confidence {record['mean_confidence']:.2f}")
            if guessed := [still for still in record["stills"] if still["guessed_by"]]:
                told = ", ".join(str(still["frame"]) for still in guessed)
                models = " and ".join(sorted({still["guessed_by"] for still in guessed}))
                add("automatic still", f"a machine guessed the colours of frame {told}: {models}")
            if borrowed:
                told = ", ".join(str(frame) for frame in borrowed)
                add("borrowed still", f"coloured by the still of frame {told}, which is of another shot")
    return items


def _within(shot: ShotOutput, still: Still) -> bool:
    return shot.span.start <= still.frame < shot.span.end
